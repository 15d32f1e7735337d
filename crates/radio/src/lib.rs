//! Radio: which links are allowed and what they carry.
//!
//! A profile is data (TOML) in which every number names its source; this crate turns it into predicates and rates. What a beam
//! carries is a number, a curve over elevation, or a link budget ([`LinkBudget`]): antennas, flux, the atmosphere after ITU-R
//! ([`itu`]), noise, interference, modulation and code. It knows angles, ranges, decibels and kbit/s, and nothing of cells, plans
//! or packets. `docs/radio.md` has the model with its sources.
#![forbid(unsafe_code)]

mod antenna;
mod budget;
mod fade;
mod gso;
mod interference;
pub mod itu;
mod limit;
mod modem;
mod profile;
mod rates;
mod toml_profile;

pub use antenna::{Antenna, Steering, beam_peak_dbi, satellite_pattern_db};
pub use budget::{BudgetLines, LinkBudget, LinkParameters, Power, Receiver};
pub use fade::{Fade, REFERENCE_CLIMATE};
pub use gso::{GSO_RADIUS_M, GsoArc};
pub use interference::CoChannel;
pub use limit::{PointLimit, Standing, Standings, Verdict};
pub use modem::Modem;
pub use profile::{
    FeederLinks, LaserLinks, LinkLimit, ProcessingDelays, Profile, RateModel, UserLinks,
};
pub use rates::{RateTable, Sight, SkyRates, whole_parts};
pub use toml_profile::ProfileError;
