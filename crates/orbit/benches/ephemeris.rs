//! Ten thousand satellites of the snapshot, Earth-fixed, at each second: with the fit, and without it; and for comparison SGP4 itself.
use criterion::{Criterion, criterion_group, criterion_main};
use skyweave_base::{SatId, Span, Time, Utc};
use skyweave_orbit::{Ephemeris, Format, Sky, Vectors, parse};
use std::hint::black_box;
use std::path::Path;

fn sky() -> Sky {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/orbits/starlink-2026-05-21.tle");
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads its data")]
    let text = std::fs::read_to_string(path).expect("the built-in snapshot");
    let elements = parse(&text, Format::Tle).expect("valid element sets");
    Sky::new(&elements[..10_000]).expect("orbits")
}

/// What a consumer at its least does: it looks at one satellite.
fn consume(_: Time, positions_m: &Vectors) -> f64 {
    positions_m.blocks()[600].x[0]
}

fn ephemeris(c: &mut Criterion) {
    let sky = sky();
    let start = Time::from("2026-05-21T12:00:12Z".parse::<Utc>().expect("a time"));
    let seconds: Vec<Time> = (0..300).map(|s| start + Span::from_secs(s)).collect();
    let mut positions_m = Vectors::default();
    c.bench_function("one epoch, fitted already", |b| {
        let ephemeris = Ephemeris::new(sky.clone());
        b.iter(|| ephemeris.positions_into(black_box(start), &mut positions_m));
    });
    c.bench_function("one satellite, fitted already", |b| {
        let ephemeris = Ephemeris::new(sky.clone());
        b.iter(|| ephemeris.position(SatId(5_000), black_box(start)));
    });
    c.bench_function("one epoch by SGP4", |b| {
        b.iter(|| sky.ecef_into(black_box(start), &mut positions_m))
    });
    let mut group = c.benchmark_group("300 epochs");
    group.sample_size(20);
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("threads");
        let fitted = Ephemeris::new(sky.clone());
        group.bench_function(format!("{threads} threads, fitted already"), |b| {
            b.iter(|| pool.install(|| fitted.positions_over(black_box(&seconds), consume)))
        });
        // A new ephemeris has nothing fitted.
        group.bench_function(format!("{threads} threads, fit included"), |b| {
            b.iter_batched(
                || Ephemeris::new(sky.clone()),
                |new| pool.install(|| new.positions_over(black_box(&seconds), consume)),
                criterion::BatchSize::PerIteration,
            )
        });
    }
    group.finish();
}

criterion_group!(benches, ephemeris);
criterion_main!(benches);
