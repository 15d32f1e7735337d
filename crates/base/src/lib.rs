//! Time, units, ids, geodesy and the seed tree.
//!
//! Knows nothing of networks: no beam, no packet, no subscriber. Everything is SI and radians; time is one uniform
//! scale in integer nanoseconds ([`Time`]), and UTC exists only in [`Utc`].
#![forbid(unsafe_code)]

mod epoch;
mod geodesy;
mod ids;
mod obstruction;
mod seed;
mod time;
mod vector;

pub use epoch::EpochNumber;
pub use geodesy::{
    Ecef, Ellipsoid, Enu, Geodetic, GeodeticError, LookAngles, MEAN_EARTH_RADIUS_M, great_circle_m,
};
pub use ids::{CellId, GatewayId, PopId, SatId, TerminalId};
pub use obstruction::Obstruction;
pub use seed::{Rng, Seed};
pub use time::{LEAP_SECONDS_VALID_UNTIL, Span, Time, TimeError, Utc};
pub use vector::Vec3;

/// Speed of light in vacuum, m/s (exact, SI Brochure 9th edition, section 2.2).
pub const SPEED_OF_LIGHT_M_S: f64 = 299_792_458.0;
