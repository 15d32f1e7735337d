//! Which satellites see which points: 10,000 satellites and 25 degrees as in most published comparisons, on one thread and
//! on two, into the same memory each time; and the planner's question, both ends of an epoch over the world's cells.
use criterion::{Criterion, criterion_group, criterion_main};
use skyweave_base::{Ecef, Geodetic, Span, Time, Utc};
use skyweave_orbit::{Format, Lists, Sky, Visibility, parse};
use std::hint::black_box;
use std::path::Path;

/// Points spread evenly over the Earth between two latitudes (Fibonacci lattice).
fn points(count: usize, south_deg: f64, north_deg: f64) -> Vec<Geodetic> {
    const GOLDEN_ANGLE_RAD: f64 = 2.399_963_229_728_653;
    let (south, north) = (south_deg.to_radians().sin(), north_deg.to_radians().sin());
    (0..count)
        .map(|i| Geodetic {
            lat_rad: (south + (north - south) * (i as f64 + 0.5) / count as f64).asin(),
            lon_rad: (i as f64 * GOLDEN_ANGLE_RAD).rem_euclid(core::f64::consts::TAU)
                - core::f64::consts::PI,
            height_m: 0.0,
        })
        .collect()
}

/// The snapshot at an instant, and if it has fewer satellites copies of the first ones turned in longitude.
fn satellites(sky: &Sky, t: Time, count: usize) -> Vec<Ecef> {
    let real: Vec<Ecef> = sky.ecef_all(t).into_iter().flatten().collect();
    let turned = real.iter().map(|s| Ecef(s.0.rotate_frame_z(1.0)));
    real.iter().copied().chain(turned).take(count).collect()
}

fn visibility(c: &mut Criterion) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/orbits/starlink-2026-05-21.tle");
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads its data")]
    let text = std::fs::read_to_string(path).expect("the built-in snapshot");
    let sky = Sky::new(&parse(&text, Format::Tle).expect("valid element sets")).expect("orbits");
    let t = Time::from("2026-05-21T12:00:12Z".parse::<Utc>().expect("a time"));
    let mask_rad = 25.0_f64.to_radians();
    let pool = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("threads")
    };

    let ten_thousand = satellites(&sky, t, 10_000);
    let mut lists = Lists::default();
    for count in [960, 9_984, 40_000, 100_000] {
        let globe = Visibility::new(&points(count, -90.0, 90.0));
        for threads in [1, 2] {
            let pool = pool(threads);
            let name = format!("10,000 satellites, {count} points, {threads} threads");
            c.bench_function(&name, |b| {
                b.iter(|| {
                    pool.install(|| {
                        globe.lists_into(black_box(&ten_thousand), mask_rad, &mut lists)
                    })
                });
            });
        }
    }

    let (start, end) = (
        satellites(&sky, t, 9_000),
        satellites(&sky, t + Span::from_secs(15), 9_000),
    );
    let cells = points(280_000, -60.0, 75.0);
    let world = Visibility::new(&cells);
    let one = pool(1);
    c.bench_function("9,000 satellites, 280,000 points", |b| {
        b.iter(|| one.install(|| world.lists_into(black_box(&start), mask_rad, &mut lists)));
    });
    c.bench_function("9,000 satellites, 280,000 points, new memory", |b| {
        b.iter(|| one.install(|| world.lists(black_box(&start), mask_rad)));
    });
    c.bench_function(
        "9,000 satellites at both ends of 15 s, 280,000 points",
        |b| {
            b.iter(|| {
                one.install(|| {
                    world.lists_at_both_into(black_box(&start), &end, mask_rad, &mut lists)
                })
            });
        },
    );
    let mut group = c.benchmark_group("set-up");
    group.sample_size(10);
    group.bench_function("index of 280,000 points", |b| {
        b.iter(|| Visibility::new(black_box(&cells)))
    });
    group.finish();
}

criterion_group!(benches, visibility);
criterion_main!(benches);
