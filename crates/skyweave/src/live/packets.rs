//! The packet thread.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A packet that leaves later than this after its due time is counted as late.
pub const LATE: Duration = Duration::from_micros(100);

/// Whether the packet thread asks for real-time priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Realtime {
    /// Usual priority.
    #[default]
    No,
    /// SCHED_FIFO and pinned to a core, where permitted.
    IfPermitted,
}

/// What the packet thread did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Packets delivered out of a device, both ways.
    pub delivered: u64,
}
