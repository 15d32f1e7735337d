//! The packet path: links, queues, shaping and handover, without any I/O.
//!
//! Time and packets come in, packets and the next timeout go out ([`Engine`]). It follows a list of [`EpochTable`]s made
//! elsewhere and decides nothing that a plan decides; it knows no orbit, no cell, no socket and no clock.
#![forbid(unsafe_code)]

mod address;
mod counters;
mod engine;
mod ip;
mod pool;
mod server;
mod table;
mod wheel;

pub use address::{AddressError, AddressPlan, AddressPlanError, TerminalAddress};
pub use counters::{Counters, Direction, DropReason, LaneCounters, Tally, TerminalCounters};
pub use engine::{Config, Engine, InstallError, Order, Port, QueueLimit, Transmit};
pub use ip::addresses;
pub use table::{
    ACCOUNT_PAGE_PORT, Access, Beam, DelayCurve, EpochTable, Leg, LegKind, TableError,
    TerminalRoute, Unserved,
};
pub use wheel::Wheel;
