//! Element sets, SGP4, frames, ephemerides and visibility.
//!
//! From text to geometry, one way: [`parse`] reads TLE and OMM into [`Elements`] ([`WalkerShell`] makes them for
//! studies), [`Sky`] propagates them with SGP4 to [`Teme`] and Earth-fixed positions, [`Visibility`] tells which
//! satellites each point on the ground sees, and [`visible`] and [`passes`] answer the same for one place.
//!
//! For many instants of many satellites, [`Ephemeris`] stands in for SGP4.
//!
//! # Each step, its source and its accuracy
//!
//! | step | by | source | accuracy |
//! | --- | --- | --- | --- |
//! | text to elements and back | [`parse`], [`write()`] | CelesTrak and Space-Track (TLE, alpha-5); CCSDS 502.0-B-3 and 505.0-B-3 (OMM) | nothing is lost but below 1e-12 degrees of angles; a TLE has the digits that it has |
//! | elements to TEME | [`Propagator`], [`Sky`] | Vallado et al., AIAA 2006-6753: WGS72, improved mode | 1e-5 m from the reference implementation; from the true orbit, about a kilometre at the epoch and more with each day |
//! | TEME to Earth-fixed | [`Rotation`], [`gmst82_rad`] | the same, appendix C; Aoki et al. 1982; IERS Conventions 2010, 5.4.1 | 3e-5 m from astropy with the same Earth orientation |
//! | Earth orientation | [`EarthOrientationTable`] | IERS finals2000A and EOP C04, by day | 0.1 ms and 1 milliarcsecond: 5 cm and 3 cm at a Starlink's height; without a table, 36 m in January 2026 and 460 m at most |
//! | SGP4 to polynomials | [`Ephemeris`] | Chebyshev series (Trefethen 2019) of degree 5 over 300 s | 0.05 m from SGP4 ([`Ephemeris::ERROR_M`]); 0.011 m over the snapshot |
//! | Earth-fixed to geodetic | [`Ecef::to_geodetic`](skyweave_base::Ecef::to_geodetic) | WGS84 (NGA.STND.0036) | 1e-8 degrees |
//! | azimuth, elevation, range, range rate | [`visible`], [`passes`] | the plane on the ellipsoid's normal at the observer | 1e-6 degrees; no refraction, no travel time of light; instants to 1 ms |
//! | who is in view | [`Visibility`], [`in_view`] | the exact test on the ellipsoid in f64, for each pair | the same as testing each pair |
//!
//! Times are whole nanoseconds, and differences of times too: a Julian date in one f64 would cost 40 µs, 0.3 m. All is in SI units
//! and radians; names of public numbers carry their unit. Nothing here reads a clock or a file; what is parallel runs on
//! rayon's ambient pool, or on the caller's thread where there are no threads (`wasm32-unknown-unknown`).
//!
//! Knows nothing of networks: no beam, no link, no terminal.
#![forbid(unsafe_code)]

mod earth_orientation;
mod elements;
mod ephemeris;
mod frames;
#[cfg(test)]
mod levels;
mod near_earth;
mod omm;
mod passes;
mod propagation;
mod sky;
mod tle;
mod vectors;
mod visibility;
mod walker;
mod wide;

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
