//! Snapshot propagation and visibility over the world's cells.
use criterion::{Criterion, criterion_group, criterion_main};
use skyweave_base::{Ecef, Geodetic, Time, Utc};
use skyweave_orbit::{Format, Sky, Visibility, parse};
use std::hint::black_box;
use std::path::Path;

fn sky() -> Sky {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/orbits/starlink-2026-05-21.tle");
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads its data")]
    let text = std::fs::read_to_string(path).expect("the built-in snapshot");
    Sky::new(&parse(&text, Format::Tle).expect("valid element sets")).expect("orbits")
}

/// Points spread evenly over the Earth between 60° south and 75° north, as people are (Fibonacci lattice).
fn points(count: usize) -> Vec<Geodetic> {
    const GOLDEN_ANGLE_RAD: f64 = 2.399_963_229_728_653;
    let (south, north) = ((-60.0_f64).to_radians().sin(), 75.0_f64.to_radians().sin());
    (0..count)
        .map(|i| Geodetic {
            lat_rad: (south + (north - south) * (i as f64 + 0.5) / count as f64).asin(),
            lon_rad: (i as f64 * GOLDEN_ANGLE_RAD).rem_euclid(core::f64::consts::TAU)
                - core::f64::consts::PI,
            height_m: 0.0,
        })
        .collect()
}

fn orbit(c: &mut Criterion) {
    let sky = sky();
    let t = Time::from("2026-05-21T12:00:12Z".parse::<Utc>().expect("a time"));
    c.bench_function(
        "propagate 10,359 satellites to Earth-fixed positions",
        |b| b.iter(|| sky.ecef_all(black_box(t))),
    );

    let satellites: Vec<Ecef> = sky.ecef_all(t).into_iter().flatten().take(9_000).collect();
    let later: Vec<Ecef> = sky
        .ecef_all(t + skyweave_base::Span::from_secs(15))
        .into_iter()
        .flatten()
        .take(9_000)
        .collect();
    let mask_rad = 25.0_f64.to_radians();
    for count in [10_000, 280_000] {
        let visibility = Visibility::new(&points(count));
        c.bench_function(
            &format!("lists of 9,000 satellites over {count} points"),
            |b| b.iter(|| visibility.lists(black_box(&satellites), mask_rad)),
        );
        c.bench_function(
            &format!("lists at both ends of an epoch over {count} points"),
            |b| b.iter(|| visibility.lists_at_both(black_box(&satellites), &later, mask_rad)),
        );
    }
    let all = points(280_000);
    let mut group = c.benchmark_group("set-up");
    group.sample_size(10);
    group.bench_function("index of 280,000 points", |b| {
        b.iter(|| Visibility::new(black_box(&all)))
    });
    group.finish();
}

criterion_group!(benches, orbit);
criterion_main!(benches);
