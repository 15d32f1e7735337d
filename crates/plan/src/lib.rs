//! The planner: `plan(inputs, previous) -> Plan`, a pure function, and the checker that finds what a plan breaks.
//!
//! Knows cells, beams, gateways, lasers and routes; knows no packet, subscriber, clock or file. The order of what it
//! wants: break no rule; leave no cell with a beam in reach unserved; deliver the most capacity; move few terminals.
#![forbid(unsafe_code)]

mod amend;
mod assign;
mod backhaul;
mod check;
mod codec;
mod csr;
mod flow;
mod geometry;
mod halves;
mod inputs;
mod instance;
mod lasers;
mod output;
mod planner;
mod positions;
mod preference;
mod prices;
mod routes;
mod solve;

pub use amend::Amended;
pub use backhaul::Way;
pub use check::{Checker, Rule, Violation, check};
pub use codec::PlanReadError;
pub use csr::Csr;
pub use inputs::{
    Access, Cell, CellFade, Gateway, Inputs, LiveTerminal, PointOfPresence, SatelliteState, Weather,
};
pub use instance::{BeamPlan, CellAsk, GatewayLimit, Instance, Network, Rates, Reach};
pub use lasers::{Seam, grazing_height_m, plus_grid, usable as laser_usable, walker_grid};
pub use output::{
    CellOutcome, FeederLink, Landing, LaserLoad, Plan, Reason, Service, Slot, TerminalOutcome,
};
pub use planner::{Planner, instance, plan};
pub use preference::{Preference, observed};
pub use routes::{Route, Router};
pub use solve::{Kept, KeptSlot, Solution, SolvedSlot, solve};
