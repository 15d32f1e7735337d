//! The profile: every number that the planner needs to know of the radio.

use crate::budget::LinkBudget;
use std::sync::Arc;

/// Everything the planner needs to know of the radio.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Short name, as used in scenarios.
    pub name: String,
    /// Links between satellites and terminals.
    pub user: UserLinks,
    /// Links between satellites and gateways.
    pub feeder: FeederLinks,
    /// Links between satellites.
    pub laser: LaserLinks,
    /// What a packet waits besides propagation and queueing.
    pub delays: ProcessingDelays,
}

/// When two ends may talk.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LinkLimit {
    /// At least this elevation above the ellipsoid's horizon, and at least this angle from the GSO arc (0: no exclusion).
    Elevation {
        /// Least elevation, rad. Feeder links use the gateway's own value where its site gives one.
        min_elevation_rad: f64,
        /// Least angle to any point of the GSO arc, seen from the ground end, rad.
        gso_exclusion_rad: f64,
    },
    /// At most this slant range, m; nothing else. For comparison with other software.
    Range {
        /// Greatest slant range, m.
        max_range_m: f64,
    },
}

/// Links between satellites and terminals, one beam on one channel serving one cell at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct UserLinks {
    /// When a beam may be pointed at a cell.
    pub limit: LinkLimit,
    /// Number of downlink channels (at most 32).
    pub channels: u8,
    /// How many beams of one satellite may use one channel at the same time, in cells that are not neighbours.
    pub beams_per_channel: u8,
    /// A beam may be shared in time by up to this many cells (beam hopping); 1: each beam serves one cell.
    pub time_slices: u8,
    /// Rate of one beam on one channel toward the ground, all its time slices together. A link budget here is one of given flux.
    pub down: RateModel,
    /// Rate of the same beam's share of the uplink, all its time slices together.
    pub up: RateModel,
}

/// Links between satellites and gateways.
#[derive(Clone, Debug, PartialEq)]
pub struct FeederLinks {
    /// When an antenna may track a satellite.
    pub limit: LinkLimit,
    /// Toward the satellite, one antenna, kbit/s: with a link budget the most that it carries.
    pub antenna_kbps: u64,
    /// The budget toward the satellite, if there is one.
    pub up: Option<Arc<LinkBudget>>,
    /// The budget toward the gateway, if there is one. Plans do not count this direction; it is there to be looked at.
    pub down: Option<Arc<LinkBudget>>,
    /// Toward one satellite over all antennas and gateways, kbit/s.
    pub satellite_kbps: u64,
    /// Antennas of a site that does not say.
    pub default_antennas: u32,
    /// If false the number of antennas only bounds a site's total rate and not how many satellites it tracks.
    pub antennas_track_one_satellite: bool,
}

/// Links between satellites.
#[derive(Clone, Debug, PartialEq)]
pub struct LaserLinks {
    /// Each way, kbit/s.
    pub kbps: u64,
    /// Greatest length, m.
    pub max_range_m: f64,
    /// The beam must stay at least this high above the WGS84 ellipsoid, m.
    pub min_grazing_height_m: f64,
}

/// What a packet waits besides propagation and queueing, seconds, each way. Deterministic in this version.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProcessingDelays {
    /// Terminal to satellite: framing and grant.
    pub uplink_s: f64,
    /// Satellite to terminal: framing.
    pub downlink_s: f64,
    /// Each satellite passed.
    pub satellite_s: f64,
    /// Gateway.
    pub gateway_s: f64,
    /// Length of fibre over length of the great circle.
    pub fibre_detour: f64,
    /// Speed of light in fibre, m/s.
    pub fibre_m_s: f64,
}

/// The rate of a beam.
#[derive(Clone, Debug, PartialEq)]
pub enum RateModel {
    /// The same whatever the geometry, kbit/s.
    Fixed(u32),
    /// Linear between points (elevation in rad, kbit/s) in ascending order, constant beyond the ends.
    ByElevation(Vec<(f64, u32)>),
    /// From power, antennas, atmosphere, noise and interference.
    LinkBudget(Arc<LinkBudget>),
}
