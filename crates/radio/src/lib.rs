//! Radio profiles: which links the radio allows and what they carry.
//!
//! A profile is data (TOML) in which every number names its source; this crate turns it into predicates and rates.
//! It knows angles, ranges and kbit/s, and nothing of cells, plans or packets. The full link budget (antennas, rain, gas,
//! spectral efficiency) will stand behind [`RateModel`].
#![forbid(unsafe_code)]

mod gso;
pub mod itu;
mod limit;
mod profile;
mod toml_profile;

pub use gso::{GSO_RADIUS_M, GsoArc};
pub use limit::{PointLimit, Verdict};
pub use profile::{
    FeederLinks, LaserLinks, LinkLimit, ProcessingDelays, Profile, RateModel, UserLinks,
};
pub use toml_profile::ProfileError;
