//! Where satellites are and who sees them, computed alike on every platform: a program that prints it, and a WebAssembly module
//! that tells it.
//!
//! The module needs nothing from its host. `satellites()` is their number; `propagate(by, t)` moves them to `t` seconds after
//! the snapshot's last epoch, by SGP4 (0) or its ephemeris (1); `coordinate_m(satellite, axis)` is an Earth-fixed coordinate
//! then, NaN if SGP4 gives none; `pairs()` counts what a thousand points see of them. `compare.mjs` holds what it tells against
//! what the program prints.

use skyweave_base::{Geodetic, Span, Time};
use skyweave_orbit::{Elements, Ephemeris, Format, Sky, Vectors, Visibility, parse};
use std::cell::RefCell;

const SNAPSHOT: &str = include_str!("../../../data/orbits/starlink-2026-05-21.tle");

/// From the epoch to a week later: drag, the Sun and the Moon get their say.
const TIMES_S: [f64; 4] = [0.0, 8_640.0, 86_400.0, 604_800.0];
const SGP4: u32 = 0;
const EPHEMERIS: u32 = 1;

struct Model {
    ephemeris: Ephemeris,
    epoch: Time,
    positions_m: Vectors,
    visibility: Visibility,
}

impl Model {
    /// Some of the snapshot, and orbits of half a day and of a day, which SGP4 treats in another way.
    fn new() -> Self {
        let all = parse(SNAPSHOT, Format::Tle).expect("the snapshot is valid");
        let mut elements: Vec<Elements> = all.iter().step_by(50).cloned().collect();
        let slow = [(2.0057, 0.01), (2.006, 0.7), (1.0027, 0.0002)];
        elements.extend(slow.map(|(mean_motion_rev_day, eccentricity)| Elements {
            mean_motion_rev_day,
            eccentricity,
            ..all[0].clone()
        }));
        let epochs = all.iter().map(|e| e.epoch);
        let points = (0..1_000).map(|i| {
            let (lat_deg, lon_deg) = (
                f64::from(i % 25) * 7.0 - 84.0,
                f64::from(i / 25) * 9.0 - 180.0,
            );
            Geodetic::from_degrees(lat_deg, lon_deg).expect("degrees on the Earth")
        });
        Self {
            ephemeris: Ephemeris::new(Sky::new(&elements).expect("these are orbits")),
            epoch: epochs.max().expect("the snapshot is not empty").into(),
            positions_m: Vectors::new(elements.len()),
            visibility: Visibility::new(&points.collect::<Vec<_>>()),
        }
    }

    fn propagate(&mut self, by: u32, seconds: f64) {
        let t = self.epoch + Span::from_secs_f64(seconds);
        if by == EPHEMERIS {
            self.ephemeris.positions_into(t, &mut self.positions_m);
        } else {
            self.ephemeris.sky().ecef_into(t, &mut self.positions_m);
        }
    }

    fn coordinate_m(&self, satellite: u32, axis: u32) -> f64 {
        let position = self.positions_m.get(satellite as usize);
        position.map_or(f64::NAN, |p| [p.x, p.y, p.z][axis as usize % 3])
    }

    fn pairs(&self) -> u32 {
        let satellites: Vec<_> = self
            .positions_m
            .iter()
            .flatten()
            .map(skyweave_base::Ecef)
            .collect();
        self.visibility
            .lists(&satellites, 25.0_f64.to_radians())
            .pairs() as u32
    }
}

thread_local! {
    static MODEL: RefCell<Model> = RefCell::new(Model::new());
}

/// Number of satellites.
#[unsafe(no_mangle)]
pub extern "C" fn satellites() -> u32 {
    MODEL.with_borrow(|model| model.positions_m.len() as u32)
}

/// Moves the satellites.
#[unsafe(no_mangle)]
pub extern "C" fn propagate(by: u32, seconds: f64) {
    MODEL.with_borrow_mut(|model| model.propagate(by, seconds));
}

/// A coordinate, after [`propagate`].
#[unsafe(no_mangle)]
pub extern "C" fn coordinate_m(satellite: u32, axis: u32) -> f64 {
    MODEL.with_borrow(|model| model.coordinate_m(satellite, axis))
}

/// Pairs of a point and a satellite that it sees, after [`propagate`].
#[unsafe(no_mangle)]
pub extern "C" fn pairs() -> u32 {
    MODEL.with_borrow(Model::pairs)
}

fn main() {
    println!("by,seconds,pairs,satellite,x_m,y_m,z_m");
    for by in [SGP4, EPHEMERIS] {
        for seconds in TIMES_S {
            propagate(by, seconds);
            let pairs = pairs();
            for satellite in 0..satellites() {
                let [x, y, z] = [0, 1, 2].map(|axis| coordinate_m(satellite, axis));
                println!("{by},{seconds},{pairs},{satellite},{x},{y},{z}");
            }
        }
    }
}
