//! The ephemeris against SGP4 itself.

mod common;

use common::{shared, snapshot};
use rayon::prelude::*;
use skyweave_base::{Ecef, SatId, Span, Time, Utc, Vec3};
use skyweave_orbit::{Ephemeris, Format, Sky, Vectors, parse, parse_tle_unchecked, range_rate_m_s};

/// The ephemeris' grid: segments of 300 s from an instant at second 12 of UTC.
const SEGMENT: Span = Span::from_secs(300);
const NANOSECOND: Span = Span::from_nanos(1);

fn starlink() -> Ephemeris {
    Ephemeris::new(Sky::new(&parse(&snapshot(), Format::Tle).unwrap()).unwrap())
}

fn time(utc: &str) -> Time {
    utc.parse::<Utc>().unwrap().into()
}

fn ids(ephemeris: &Ephemeris) -> impl Iterator<Item = SatId> {
    (0..ephemeris.sky().len() as u32).map(SatId)
}

/// Every satellite of the snapshot, at 61 instants of each of four segments over the day: both edges and every 5 s.
#[test]
fn the_whole_snapshot_is_within_five_centimetres_of_sgp4() {
    let ephemeris = starlink();
    let starts =
        ["00:00:12", "06:05:12", "12:50:12", "23:55:12"].map(|t| time(&format!("2026-05-21T{t}Z")));
    let times: Vec<Time> = starts
        .into_iter()
        .flat_map(|start| (0..60).map(move |i| start + Span::from_secs(5) * i))
        .chain(starts.map(|start| start + SEGMENT - NANOSECOND))
        .collect();
    let mut exact = Vectors::default();
    let (mut worst_m, mut direct, mut off_1cm) = (0.0_f64, 0, 0);
    let mut times = times;
    times.sort();
    let found = ephemeris.positions_over(&times, |_, positions_m| positions_m.clone());
    for (t, found) in times.iter().zip(&found) {
        ephemeris.sky().ecef_into(*t, &mut exact);
        for (found, exact) in found.iter().zip(exact.iter()) {
            let error_m = (found.unwrap() - exact.unwrap()).norm();
            worst_m = worst_m.max(error_m);
            direct += usize::from(error_m == 0.0);
            off_1cm += usize::from(error_m > 0.01);
        }
    }
    println!(
        "{} positions, largest error {worst_m:.4} m; {off_1cm} above 0.01 m; {direct} are SGP4's own",
        times.len() * found[0].len()
    );
    assert!(worst_m < Ephemeris::ERROR_M, "{worst_m}");
    // Polynomials carry the snapshot: otherwise this test says nothing about them.
    assert!(direct * 100 < times.len() * found[0].len());
}

/// The step from one segment to the next: the last term that is cut off is the same at the end of one and the beginning of the next
/// but for what it changes in 300 s. A nanosecond of motion is 8e-6 m.
#[test]
fn positions_are_continuous_from_segment_to_segment() {
    const STEP_M: f64 = 0.02;
    let ephemeris = starlink();
    let mut worst_m = 0.0_f64;
    for edge in ["00:05:12", "09:45:12"].map(|t| time(&format!("2026-05-21T{t}Z"))) {
        let [mut before, mut after] = [Vectors::default(), Vectors::default()];
        ephemeris.positions_into(edge - NANOSECOND, &mut before);
        ephemeris.positions_into(edge, &mut after);
        for (before, after) in before.iter().zip(after.iter()) {
            worst_m = worst_m.max((after.unwrap() - before.unwrap()).norm());
        }
    }
    println!("largest step at an edge {worst_m:.4} m");
    assert!(worst_m < STEP_M, "{worst_m}");
}

/// A polynomial that is 9 mm off in its sixth term is 36 · 9 mm / 150 s = 2.2 mm/s off at the edges. Central differences miss the
/// derivative of a range, which is sharpest overhead, by h² r‴ / 6 = 1 mm/s (r‴ below 2.5 m/s³), and by the rounding of positions,
/// 1e-9 m / h.
#[test]
fn velocities_are_the_derivatives_of_positions() {
    const RATE_M_S: f64 = 0.01;
    let ephemeris = starlink();
    let kyiv = skyweave_base::Geodetic::from_degrees(50.45, 30.52)
        .unwrap()
        .to_ecef();
    let h = Span::from_millis(50);
    let per_s = 0.5 / h.as_secs_f64();
    let start = time("2026-05-21T18:00:12Z");
    let mut worst = [0.0_f64; 2];
    for t in (0..=20).map(|i| start + Span::from_secs(15) * i) {
        let found: Vec<[f64; 2]> = (0..ephemeris.sky().len() as u32)
            .into_par_iter()
            .map(|id| {
                let at = |t| ephemeris.sky().ecef(SatId(id), t).unwrap();
                let (before, after) = (at(t - h), at(t + h));
                let state = ephemeris.earth_fixed(SatId(id), t).unwrap();
                let velocity = (after.0 - before.0) * per_s;
                let rate = (after.distance_m(kyiv) - before.distance_m(kyiv)) * per_s;
                [
                    (state.velocity_m_s - velocity).norm(),
                    (range_rate_m_s(kyiv, &state) - rate).abs(),
                ]
            })
            .collect();
        for found in found {
            for (worst, found) in worst.iter_mut().zip(found) {
                *worst = worst.max(found);
            }
        }
    }
    println!("largest differences: velocity, range rate m/s: {worst:?}");
    assert!(worst.iter().all(|worst| *worst < RATE_M_S), "{worst:?}");
}

/// Deep space, high eccentricity, decay and the error cases: the bound holds for each, and there is no position where SGP4 has none.
#[test]
fn the_verification_set_is_within_five_centimetres_or_fails_as_sgp4_does() {
    let Some(tle) = shared("reference/sgp4/SGP4-VER.TLE") else {
        return;
    };
    let (mut worst_m, mut positions, mut failures, mut direct) = (0.0_f64, 0, 0, 0);
    for e in parse_tle_unchecked(&tle).unwrap() {
        // One of the set has no orbit at all.
        let Ok(sky) = Sky::new(std::slice::from_ref(&e)) else {
            continue;
        };
        let ephemeris = Ephemeris::new(sky);
        // Not a divisor of the segment: all parts of it are met.
        let begin = Time::from(e.epoch);
        for t in (0..3_000).map(|i| begin + Span::from_millis(29_300) * i) {
            match (
                ephemeris.position(SatId(0), t),
                ephemeris.sky().ecef(SatId(0), t),
            ) {
                (Ok(found), Ok(exact)) => {
                    let error_m = found.distance_m(exact);
                    worst_m = worst_m.max(error_m);
                    positions += 1;
                    direct += usize::from(error_m == 0.0);
                    match ephemeris.earth_fixed(SatId(0), t) {
                        Ok(state) => assert_eq!(state.position, found),
                        Err(_) => assert!([-100, 100].into_iter().any(|ms| {
                            ephemeris
                                .sky()
                                .ecef(SatId(0), t + Span::from_millis(ms))
                                .is_err()
                        })),
                    }
                }
                (Err(found), Err(exact)) => {
                    assert_eq!(found, exact);
                    failures += 1;
                }
                (found, exact) => panic!("{} at {t}: {found:?}, {exact:?}", e.catalog_number),
            }
        }
    }
    println!(
        "{positions} positions, {direct} of them SGP4's own, largest error {worst_m:.4} m; {failures} failures"
    );
    assert!(worst_m < Ephemeris::ERROR_M, "{worst_m}");
    assert!(positions > 80_000 && failures > 1_000 && direct < positions / 2);
}

/// One satellite or all, one epoch or many, on one thread or two, in whatever order: the same bits.
#[test]
fn values_do_not_depend_on_how_they_are_asked_for() {
    let start = time("2026-05-21T03:04:05.678901234Z");
    let times: Vec<Time> = (0..23).map(|i| start + Span::from_secs(41) * i).collect();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let ephemeris = starlink();
        let all = |_: Time, p: &Vectors| p.iter().collect::<Vec<Option<Vec3>>>();
        pool.install(|| ephemeris.positions_over(&times, all))
    };
    let many = run(2);
    assert!(many == run(1));
    let ephemeris = starlink();
    let mut one = Vectors::default();
    // Backwards, over more segments than are kept.
    for (t, many) in times.iter().zip(&many).rev() {
        ephemeris.positions_into(*t, &mut one);
        assert!(one.iter().eq(many.iter().copied()));
        for id in ids(&ephemeris).step_by(7) {
            let single = ephemeris.position(id, *t).ok();
            assert_eq!(single, many[id.index()].map(Ecef));
            assert_eq!(
                single,
                ephemeris.earth_fixed(id, *t).ok().map(|s| s.position)
            );
        }
    }
}

#[test]
fn an_empty_sky_has_no_positions() {
    let ephemeris = Ephemeris::new(Sky::new(&[]).unwrap());
    let t = time("2026-05-21T00:00:00Z");
    let found = ephemeris.positions_over(&[t, t], |_, positions_m| positions_m.len());
    assert_eq!(found, [0, 0]);
}
