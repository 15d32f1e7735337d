//! CPU time of the library's batch work, in the form that `scripts/peers/orbit` compares with other programs. Linux.
//!
//!     cargo run --release -p skyweave-orbit --example throughput -- 1
//!
//! The argument is the number of threads. Each line of output is a piece of work: how much of it was done, the CPU time of
//! all threads together, and the time on the wall.

use skyweave_base::{Ecef, Geodetic, SatId, Span, Time, Utc};
use skyweave_orbit::{Elements, Ephemeris, Format, Lists, Sky, Visibility, parse};
use std::hint::black_box;
use std::time::Instant;

/// Minute by minute through the day after the snapshot.
const START: &str = "2026-05-22T00:00:00Z";
const MINUTES: i64 = 1_440;
/// An hour second by second: long against the 300 s of a fit.
const SECONDS: i64 = 3_600;
const POINTS: usize = 100_000;
const SATELLITES_IN_VIEW_TEST: usize = 10_000;

#[expect(clippy::disallowed_methods, reason = "a program reads its input")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let threads = std::env::args().nth(1).map_or(Ok(1), |arg| arg.parse())?;
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()?;
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data/orbits/starlink-2026-05-21.tle"
    );
    let elements = parse(&std::fs::read_to_string(path)?, Format::Tle)?;
    let sky = Sky::new(&elements)?;
    let start = Time::from(START.parse::<Utc>()?);

    propagation(&sky, start);
    crate_sgp4(&elements, start)?;
    visibility(&sky, start);
    ephemeris(sky, start);
    Ok(())
}

fn propagation(sky: &Sky, start: Time) {
    let times: Vec<Time> = (0..MINUTES)
        .map(|minute| start + Span::from_secs(minute * 60))
        .collect();
    let states = sky.len() as u64 * MINUTES as u64;
    measure("skyweave", "position_velocity", || {
        sky.teme_over(&times, |states| {
            black_box(states);
        });
        states
    });
    measure("skyweave", "position", || {
        sky.positions_over(&times, |states| {
            black_box(states);
        });
        states
    });
}

fn ephemeris(sky: Sky, start: Time) {
    let satellites = sky.len() as u64;
    let ephemeris = Ephemeris::new(sky);
    // Each time another hour, so that nothing fitted before is of use.
    let mut from = start;
    measure("skyweave", "earth_fixed", || {
        let times: Vec<Time> = (0..SECONDS).map(|s| from + Span::from_secs(s)).collect();
        ephemeris.positions_over(&times, |_, positions_m| {
            black_box(positions_m);
        });
        from += Span::from_secs(SECONDS);
        satellites * SECONDS as u64
    });
}

/// The scalar crate, as it is meant to be used with published elements: WGS72, all times of one satellite together.
fn crate_sgp4(elements: &[Elements], start: Time) -> Result<(), Box<dyn std::error::Error>> {
    let mut satellites = Vec::with_capacity(elements.len());
    for e in elements {
        let orbit = sgp4::Orbit::from_kozai_elements(
            &sgp4::WGS72,
            e.inclination_rad,
            e.raan_rad,
            e.eccentricity,
            e.argument_of_perigee_rad,
            e.mean_anomaly_rad,
            e.mean_motion_rev_day * (core::f64::consts::PI / 720.0),
        )?;
        let (day, fraction) = e.epoch.julian_date();
        let years = ((day + fraction) - 2_451_545.0) / 365.25;
        let sidereal = sgp4::iau_epoch_to_sidereal_time;
        let constants = sgp4::Constants::new(sgp4::WGS72, sidereal, years, e.bstar, orbit)?;
        let offset_min = (start - Time::from(e.epoch)).as_secs_f64() / 60.0;
        satellites.push((constants, offset_min));
    }
    measure("crate sgp4", "position_velocity", || {
        for (constants, offset_min) in &satellites {
            for minute in 0..MINUTES {
                let since = sgp4::MinutesSinceEpoch(offset_min + minute as f64);
                let _ = black_box(constants.propagate(since));
            }
        }
        satellites.len() as u64 * MINUTES as u64
    });
    Ok(())
}

fn visibility(sky: &Sky, start: Time) {
    let satellites: Vec<Ecef> = (0..sky.len() as u32)
        .filter_map(|id| sky.ecef(SatId(id), start).ok())
        .take(SATELLITES_IN_VIEW_TEST)
        .collect();
    let points: Vec<Geodetic> = (0..POINTS)
        .map(|i| Geodetic {
            lat_rad: (2.0 * (i as f64 + 0.5) / POINTS as f64 - 1.0).asin(),
            // The golden angle spreads them evenly (Fibonacci lattice).
            lon_rad: (i as f64 * 2.399_963_229_728_653).rem_euclid(core::f64::consts::TAU)
                - core::f64::consts::PI,
            height_m: 0.0,
        })
        .collect();
    let visibility = Visibility::new(&points);
    let mut lists = Lists::default();
    measure("skyweave", "visibility", || {
        const REPEATS: u64 = 20;
        for _ in 0..REPEATS {
            visibility.lists_into(black_box(&satellites), 25.0_f64.to_radians(), &mut lists);
            black_box(&lists);
        }
        REPEATS
    });
}

/// Does the work once to warm up and once to measure. `work` tells how much it was.
#[expect(clippy::disallowed_methods, reason = "a measurement reads clocks")]
fn measure(implementation: &str, name: &str, mut work: impl FnMut() -> u64) {
    work();
    let (wall, cpu_s) = (Instant::now(), cpu_s());
    let amount = work();
    println!(
        "{{\"implementation\":\"{implementation}\",\"work\":\"{name}\",\"amount\":{amount},\"cpu_s\":{},\"wall_s\":{}}}",
        self::cpu_s() - cpu_s,
        wall.elapsed().as_secs_f64()
    );
}

/// CPU time of all threads so far, s, from the scheduler; exact to its tick of some milliseconds.
#[expect(clippy::disallowed_methods, reason = "a measurement reads clocks")]
fn cpu_s() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux lists threads");
    let nanos = tasks.map(|task| {
        let path = task.expect("Linux lists threads").path().join("schedstat");
        let text = std::fs::read_to_string(path).expect("the kernel counts CPU time");
        let first = text.split_whitespace().next().and_then(|n| n.parse().ok());
        first.unwrap_or(0_u64)
    });
    nanos.sum::<u64>() as f64 * 1e-9
}
