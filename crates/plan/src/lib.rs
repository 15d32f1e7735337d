//! The planner: `plan(inputs, previous) -> Plan`, a pure function, and the checker that finds what a plan breaks.
//!
//! Knows cells, beams, gateways, lasers and routes; knows no packet, subscriber, clock or file. The order of what it
//! wants: break no rule; leave no cell with a beam in reach unserved; deliver the most capacity; move few terminals.
#![forbid(unsafe_code)]

mod inputs;
mod output;

pub use inputs::{Cell, Gateway, Inputs, LiveTerminal, PointOfPresence, SatelliteState};
pub use output::{
    CellOutcome, FeederLink, Landing, LaserLoad, Plan, Reason, Service, Slot, TerminalOutcome,
};
