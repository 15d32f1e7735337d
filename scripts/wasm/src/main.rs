//! Where satellites are, computed alike on every platform: a program that prints it, and a WebAssembly module that tells it.
//!
//! The module needs nothing from its host. `satellites()` is their number; `propagate(t)` moves them to `t` seconds after the
//! snapshot's last epoch; `coordinate_m(satellite, axis)` is an Earth-fixed coordinate then, NaN if SGP4 gives none.
//! `compare.mjs` holds what it tells against what the program prints.

use skyweave_base::{Span, Time};
use skyweave_orbit::{Elements, Format, Sky, Vectors, parse};
use std::cell::RefCell;

const SNAPSHOT: &str = include_str!("../../../data/orbits/starlink-2026-05-21.tle");

/// From the epoch to a week later: drag, the Sun and the Moon get their say.
const TIMES_S: [f64; 4] = [0.0, 8_640.0, 86_400.0, 604_800.0];

struct Model {
    sky: Sky,
    epoch: Time,
    positions_m: Vectors,
}

impl Model {
    /// Some of the snapshot, and orbits of half a day and of a day, which SGP4 treats in another way.
    fn new() -> Self {
        let all = parse(SNAPSHOT, Format::Tle).expect("the snapshot is valid");
        let mut elements: Vec<Elements> = all.iter().step_by(50).cloned().collect();
        for (mean_motion_rev_day, eccentricity) in [(2.0057, 0.01), (2.006, 0.7), (1.0027, 0.0002)]
        {
            elements.push(Elements {
                mean_motion_rev_day,
                eccentricity,
                ..all[0].clone()
            });
        }
        let epoch = all
            .iter()
            .map(|e| e.epoch)
            .max()
            .expect("the snapshot is not empty")
            .into();
        let sky = Sky::new(&elements).expect("these are orbits");
        Self {
            positions_m: Vectors::new(sky.len()),
            sky,
            epoch,
        }
    }

    fn propagate(&mut self, seconds: f64) {
        self.sky.ecef_into(
            self.epoch + Span::from_secs_f64(seconds),
            &mut self.positions_m,
        );
    }

    fn coordinate_m(&self, satellite: u32, axis: u32) -> f64 {
        self.positions_m
            .get(satellite as usize)
            .map_or(f64::NAN, |p| match axis {
                0 => p.x,
                1 => p.y,
                _ => p.z,
            })
    }
}

thread_local! {
    static MODEL: RefCell<Model> = RefCell::new(Model::new());
}

/// Number of satellites.
#[unsafe(no_mangle)]
pub extern "C" fn satellites() -> u32 {
    MODEL.with_borrow(|model| model.sky.len() as u32)
}

/// Moves the satellites.
#[unsafe(no_mangle)]
pub extern "C" fn propagate(seconds: f64) {
    MODEL.with_borrow_mut(|model| model.propagate(seconds));
}

/// A coordinate, after [`propagate`].
#[unsafe(no_mangle)]
pub extern "C" fn coordinate_m(satellite: u32, axis: u32) -> f64 {
    MODEL.with_borrow(|model| model.coordinate_m(satellite, axis))
}

fn main() {
    println!("seconds,satellite,x_m,y_m,z_m");
    for seconds in TIMES_S {
        propagate(seconds);
        for satellite in 0..satellites() {
            let [x, y, z] = [0, 1, 2].map(|axis| coordinate_m(satellite, axis));
            println!("{seconds},{satellite},{x},{y},{z}");
        }
    }
}
