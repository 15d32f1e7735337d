//! The packet path: links, queues, shaping and handover, without any I/O.
//!
//! Time and packets come in, packets and the next timeout go out. It follows a list of [`EpochTable`]s made elsewhere and
//! decides nothing that a plan decides; it knows no orbit, no cell, no socket and no clock.
#![forbid(unsafe_code)]

mod table;

pub use table::{Beam, DelayCurve, EpochTable, Leg, LegKind, TerminalAddress, TerminalRoute, Unserved};
