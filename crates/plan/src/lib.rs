//! The planner: `plan(inputs, previous) -> Plan`, a pure function, and the checker that finds what a plan breaks.
//!
//! Knows cells, beams, gateways, lasers and routes; knows no packet, subscriber, clock or file. The order of what it
//! wants: break no rule; leave no cell with a beam in reach unserved; deliver the most capacity; move few terminals.
#![forbid(unsafe_code)]

mod codec;
mod inputs;
mod lasers;
mod output;
mod routes;

pub use codec::PlanReadError;
pub use inputs::{Cell, Gateway, Inputs, LiveTerminal, PointOfPresence, SatelliteState};
pub use lasers::{Seam, grazing_height_m, plus_grid, usable as laser_usable, walker_grid};
pub use output::{
    CellOutcome, FeederLink, Landing, LaserLoad, Plan, Reason, Service, Slot, TerminalOutcome,
};
pub use routes::{Route, Router};
