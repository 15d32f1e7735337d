//! Propagation of the built-in snapshot.
use criterion::{Criterion, criterion_group, criterion_main};
use skyweave_base::{Time, Utc};
use skyweave_orbit::{Format, Sky, parse};
use std::hint::black_box;
use std::path::Path;

fn sky() -> Sky {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/orbits/starlink-2026-05-21.tle");
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads its data")]
    let text = std::fs::read_to_string(path).expect("the built-in snapshot");
    Sky::new(&parse(&text, Format::Tle).expect("valid element sets")).expect("orbits")
}

fn orbit(c: &mut Criterion) {
    let sky = sky();
    let t = Time::from("2026-05-21T12:00:12Z".parse::<Utc>().expect("a time"));
    c.bench_function(
        "propagate 10,359 satellites to Earth-fixed positions",
        |b| b.iter(|| sky.ecef_all(black_box(t))),
    );
}

criterion_group!(benches, orbit);
criterion_main!(benches);
