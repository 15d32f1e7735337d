//! Routes between all pairs of 100 sites over 1,584 satellites at one instant: what Hypatia takes 10 CPU seconds for.

use criterion::{Criterion, criterion_group, criterion_main};
use skyweave_base::{Ellipsoid, Geodetic, SatId, Seed, Span, Time, Utc};
use skyweave_orbit::{Phasing, ShellSize, Sky, WalkerShell};
use skyweave_plan::{Router, Seam, walker_grid};
use skyweave_radio::LinkLimit;
use std::hint::black_box;

fn routes(c: &mut Criterion) {
    let epoch: Utc = "2000-01-01T00:00:00Z".parse().unwrap();
    let shell = WalkerShell {
        name: "walker".to_owned(),
        first_catalog_number: 1,
        size: ShellSize::AltitudeM(550e3),
        inclination_rad: 53.0_f64.to_radians(),
        planes: 72,
        satellites_per_plane: 22,
        phasing: Phasing::OddPlanesHalfStep,
        raan_span_rad: core::f64::consts::TAU,
    };
    let sky = Sky::new(&shell.elements(epoch)).unwrap();
    let mut rng = Seed::root(1).child("sites", 0).rng();
    let sites: Vec<Geodetic> = (0..100)
        .map(|_| {
            Geodetic::from_degrees(
                rng.next_f64() * 100.0 - 50.0,
                rng.next_f64() * 360.0 - 180.0,
            )
            .unwrap()
        })
        .collect();
    let pairs: Vec<(u32, u32)> = (0..100)
        .flat_map(|a| (0..100).map(move |b| (a, b)))
        .collect();
    let lasers = walker_grid(SatId(0), 72, 22, Seam::Closed);
    let limit = LinkLimit::Range {
        max_range_m: 1_123e3,
    };
    let router = Router::new(sky.len(), &lasers, &sites, limit, Ellipsoid::WGS84);
    let start = Time::from(epoch);

    let satellites = sky.ecef_all(start);
    let single = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    c.bench_function("routes/100x100 sites, 1584 satellites, one thread", |b| {
        b.iter(|| single.install(|| black_box(router.routes(black_box(&satellites), &pairs))));
    });
    let mut step = 0;
    c.bench_function("routes/the same with positions", |b| {
        b.iter(|| {
            step += 1;
            router.routes(&sky.ecef_all(start + Span::from_secs(step)), &pairs)
        });
    });
}

criterion_group!(benches, routes);
criterion_main!(benches);
