//! Scenarios, and the composition of sky, planner and packets.
//!
//! A scenario (TOML, see `docs/scenario.md`) becomes a [`World`]: satellites, gateways, points of presence, cells with demand and
//! live terminals. A world gives the planner its [`inputs`](World::inputs) and turns a plan into the
//! [`forwarding`](World::forwarding) table of the packet path. It does no I/O: [`Files`] reads for it, time is an argument.
#![forbid(unsafe_code)]

mod area;
mod climate;
mod conditions;
mod constellation;
mod day_curve;
mod demand;
mod entitlement;
mod fields;
mod files;
mod forwarding;
mod ground;
mod places;
mod problem;
mod region;
mod scenario;
mod scheduler;
mod sites;
pub mod study;
mod summary;
mod table;
mod track;
mod weather;
mod world;

pub use climate::climate_at;
pub use conditions::{
    Additions, ConditionError, Conditions, DemandChange, DemandTo, Faults, NewGateway, NewTerminals,
};
pub use constellation::{LeftOut, builtin_earth_orientation, builtin_elements};
pub use day_curve::DayCurve;
pub use files::{Files, FilesError, NoFiles, builtin_scenario, builtin_scenarios};
pub use places::{Place, PlaceError, area_name, find_place};
pub use problem::{Location, Problem, Problems, Severity, did_you_mean};
pub use scenario::description;
pub use scheduler::{Comparison, Measured, OCTANTS, Shares, compare};
pub use sites::{SitePairs, SiteRoute};
pub use summary::Summary;
pub use track::Track;
pub use weather::{Between, RainField, Weather, WeatherError};
pub use world::{Terminal, TerminalPlace, World};
