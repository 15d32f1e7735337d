//! Element sets, SGP4, frames, ephemerides and visibility.
//!
//! From text to geometry, one way: [`parse`] reads TLE and OMM into [`Elements`] ([`WalkerShell`] makes them for
//! studies), [`Sky`] propagates them with SGP4 to [`Teme`] and Earth-fixed positions, [`Visibility`] tells which
//! satellites each point on the ground sees, and [`visible`] and [`passes`] answer the same for one place.
//!
//! Knows nothing of networks: no beam, no link, no terminal.
#![forbid(unsafe_code)]

mod earth_orientation;
mod elements;
mod ephemeris;
mod frames;
mod omm;
mod passes;
mod propagation;
mod sky;
mod tle;
mod vectors;
mod visibility;
mod walker;

pub use earth_orientation::{EarthOrientationError, EarthOrientationTable};
pub use elements::{Elements, ElementsError, Expected, Format, parse, write};
pub use ephemeris::Ephemeris;
pub use frames::{
    EARTH_ROTATION_RAD_S, EarthFixed, EarthOrientation, Rotation, Teme, gmst82_rad, range_rate_m_s,
};
pub use passes::{Pass, Sighting, passes, visible};
pub use propagation::{PropagationError, Propagator};
pub use sky::{Position, Sky, SkyError};
pub use tle::parse_tle_unchecked;
pub use vectors::{Block, LANES, Vectors};
pub use visibility::{HorizonMask, HorizonMaskError, Lists, Visibility, in_view};
pub use walker::{Phasing, ShellSize, WalkerShell};

/// The examples of the README are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
