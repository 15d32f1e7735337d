//! The verification set of AIAA 2006-6753: 667 rows, and the errors with which blocks end.

mod common;

use common::{minutes_to_span, shared};
use skyweave_base::{SatId, Span, Time, Vec3};
use skyweave_orbit::{Elements, PropagationError, Propagator, Sky, Teme, parse_tle_unchecked};

/// The expected states have 8 decimals of a kilometre: half a unit in each of three components is 8.7e-6 m.
const NEAR_EARTH_M: f64 = 2e-5;
/// Deep space at 1.84 million minutes from the epoch, where reference ports differ by 1e-4 m among each other.
const ALL_M: f64 = 1e-3;
/// The expected velocities have 9 decimals of a km/s: 8.7e-7 m/s, and as much again for the order of operations.
const VELOCITY_M_S: f64 = 2e-6;
const NEAR_EARTH_PERIOD_MIN: f64 = 225.0;

struct Block<'a> {
    number: u32,
    rows: Vec<[f64; 7]>,
    start_stop_step: Vec<f64>,
    line_2: &'a str,
}

fn blocks<'a>(tle: &'a str, expected: &str) -> Vec<Block<'a>> {
    let lines_2 = tle.lines().filter(|line| line.starts_with("2 "));
    let mut blocks: Vec<Block> = lines_2
        .map(|line_2| Block {
            number: line_2[2..7].trim().parse().unwrap(),
            rows: Vec::new(),
            start_stop_step: line_2[69..]
                .split_whitespace()
                .map(|x| x.parse().unwrap())
                .collect(),
            line_2,
        })
        .collect();
    let mut at = 0;
    for line in expected.lines() {
        if let Some(number) = line.trim_end().strip_suffix(" xx") {
            at += 1;
            assert_eq!(blocks[at - 1].number, number.trim().parse::<u32>().unwrap());
        } else {
            let row: Vec<f64> = line
                .split_whitespace()
                .take(7)
                .map(|x| x.parse().unwrap())
                .collect();
            blocks[at - 1].rows.push(row.try_into().unwrap());
        }
    }
    assert_eq!(at, blocks.len());
    blocks
}

/// A state of a satellite of the set, by its position in it, at a time from its epoch.
type State<'a> = dyn Fn(usize, Span) -> Result<Teme, PropagationError> + 'a;

/// Both ways to a state: the scalar code, and blocks of eight.
fn both_ways(elements: &[Elements], test: impl Fn(&State)) {
    test(&|id, since| {
        Propagator::new(&elements[id])
            .unwrap()
            .teme_since_epoch(since)
    });
    let sky = Sky::new(elements).unwrap();
    test(&|id, since| sky.teme(SatId(id as u32), Time::from(elements[id].epoch) + since));
}

#[test]
fn all_states_of_the_verification_set() {
    let (Some(tle), Some(expected)) = (
        shared("reference/sgp4/SGP4-VER.TLE"),
        shared("reference/sgp4/tcppver.out"),
    ) else {
        return;
    };
    let elements = parse_tle_unchecked(&tle).unwrap();
    let blocks = blocks(&tle, &expected);
    assert_eq!((elements.len(), blocks.len()), (33, 33));
    both_ways(&elements, |state| check_states(&elements, &blocks, state));
}

fn check_states(elements: &[Elements], blocks: &[Block], state: &State) {
    let mut previous_row = [0.0; 7];
    let (mut rows, mut near_m, mut all_m, mut velocity_m_s) = (0, 0.0_f64, 0.0_f64, 0.0_f64);
    for (id, (e, block)) in elements.iter().zip(blocks).enumerate() {
        assert_eq!(e.catalog_number, block.number);
        let near_earth = 1440.0 / e.mean_motion_rev_day < NEAR_EARTH_PERIOD_MIN;
        let mut worst_m = 0.0_f64;
        for &row @ [minutes, x, y, z, vx, vy, vz] in &block.rows {
            rows += 1;
            if row[1..] == previous_row[1..] {
                // The program that made the file printed the state of the satellite before, without a look at the error.
                assert_eq!(
                    (
                        block.number,
                        state(id, minutes_to_span(minutes)).unwrap_err().code()
                    ),
                    (33334, 3)
                );
                continue;
            }
            previous_row = row;
            let state = state(id, minutes_to_span(minutes))
                .unwrap_or_else(|error| panic!("{} at {minutes} min: {error}", block.number));
            worst_m = worst_m.max((state.position_m - Vec3::new(x, y, z) * 1e3).norm());
            velocity_m_s =
                velocity_m_s.max((state.velocity_m_s - Vec3::new(vx, vy, vz) * 1e3).norm());
        }
        println!(
            "{:>6} {:>4} rows, {worst_m:.2e} m",
            block.number,
            block.rows.len()
        );
        all_m = all_m.max(worst_m);
        if near_earth {
            near_m = near_m.max(worst_m);
        }
    }
    println!(
        "{rows} rows: near earth {near_m:.2e} m, all {all_m:.2e} m, velocity {velocity_m_s:.2e} m/s"
    );
    assert_eq!(rows, 667);
    assert!(near_m < NEAR_EARTH_M && all_m < ALL_M && velocity_m_s < VELOCITY_M_S);
}

/// The next step after the last row, with the reference implementation's code.
#[test]
fn blocks_that_end_early_end_with_the_codes_of_the_reference() {
    let (Some(tle), Some(expected)) = (
        shared("reference/sgp4/SGP4-VER.TLE"),
        shared("reference/sgp4/tcppver.out"),
    ) else {
        return;
    };
    let elements = parse_tle_unchecked(&tle).unwrap();
    let blocks = blocks(&tle, &expected);
    both_ways(&elements, |state| check_ends(&blocks, state));
}

fn check_ends(blocks: &[Block], state: &State) {
    let mut found = Vec::new();
    for (id, block) in blocks.iter().enumerate() {
        let [_, stop, step] = block.start_stop_step[..] else {
            panic!("{}", block.line_2)
        };
        let last = block.rows.last().unwrap()[0];
        if last + 1e-6 < stop {
            // After the row at 0 the first step is at the start time.
            let next = if block.rows.len() == 1 {
                block.start_stop_step[0].max(step)
            } else {
                last + step
            };
            let error = state(id, minutes_to_span(next.min(stop)));
            found.push((block.number, last, error.err().map(|error| error.code())));
        }
    }
    let expected = [
        (20413, 1_844_340.0, Some(6)),
        (22312, 474.2028672, Some(1)),
        (28350, 1440.0, Some(1)),
        (28872, 50.0, Some(6)),
        (29141, 420.0, Some(6)),
        (33333, 20.0, Some(4)),
        (33334, 0.0, Some(3)),
    ];
    found.sort_by(|a, b| a.partial_cmp(b).unwrap());
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-3 && found.2 == expected.2,
            "{found:?}"
        );
    }
}

#[test]
fn elements_from_which_no_orbit_follows_are_refused() {
    let mut e = skyweave_orbit::parse(
        "1 25544U 98067A   20194.88612269 -.00002218  00000-0 -31515-4 0  9992\n\
         2 25544  51.6461 221.2784 0001413  89.1723 280.4612 15.49507896236008\n",
        skyweave_orbit::Format::Tle,
    )
    .unwrap()
    .remove(0);
    let good = e.clone();
    e.mean_motion_rev_day = 0.0;
    assert!(matches!(
        Propagator::new(&e),
        Err(PropagationError::MeanMotion { .. })
    ));
    e.mean_motion_rev_day = f64::NAN;
    assert!(matches!(
        Propagator::new(&e),
        Err(PropagationError::MeanMotion { .. })
    ));
    e = good;
    e.eccentricity = 1.0;
    assert!(Propagator::new(&e).is_err());
}
