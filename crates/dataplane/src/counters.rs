//! What happened to packets: each one that comes in is delivered, dropped for exactly one reason, or still inside.

use core::fmt;
use core::ops::{AddAssign, Index, IndexMut};

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the terminal to the PoP.
    Up,
    /// From the PoP to the terminal.
    Down,
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// Not a whole IPv4 or IPv6 packet, or its IPv4 header's checksum is wrong.
    Malformed,
    /// It came from a terminal that the engine does not have.
    UnknownTerminal,
    /// Its source is not one of the terminal's addresses.
    SpoofedSource,
    /// Multicast, broadcast, link-local or unspecified addresses: it has no business beyond its link.
    LinkScope,
    /// From the PoP, to an address that no terminal has.
    UnknownDestination,
    /// The terminal has no route in this epoch.
    NoRoute,
    /// The terminal's queue at the beam was full.
    QueueFull,
    /// Its TTL or hop limit ended at the PoP.
    TtlExpired,
    /// The terminal has no service: only the account page is within its reach.
    NotEntitled,
    /// Something stood between the terminal and its satellite.
    Obstructed,
}

impl DropReason {
    /// All reasons, in the order of the counters.
    pub const ALL: [Self; 10] = [
        Self::Malformed,
        Self::UnknownTerminal,
        Self::SpoofedSource,
        Self::LinkScope,
        Self::UnknownDestination,
        Self::NoRoute,
        Self::QueueFull,
        Self::TtlExpired,
        Self::NotEntitled,
        Self::Obstructed,
    ];

    /// As a label of a metric.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownTerminal => "unknown_terminal",
            Self::SpoofedSource => "spoofed_source",
            Self::LinkScope => "link_scope",
            Self::UnknownDestination => "unknown_destination",
            Self::NoRoute => "no_route",
            Self::QueueFull => "queue_full",
            Self::TtlExpired => "ttl_expired",
            Self::NotEntitled => "not_entitled",
            Self::Obstructed => "obstructed",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Packets and their bytes of IP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub packets: u64,
    /// Their length together.
    pub bytes: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, o: Self) {
        self.packets += o.packets;
        self.bytes += o.bytes;
    }
}

/// One direction of a terminal. `received + originated = delivered + dropped + inside`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneCounters {
    /// Came in at the port.
    pub received: Tally,
    /// Made by the PoP's router itself: ICMP errors.
    pub originated: Tally,
    /// Handed out by `poll`.
    pub delivered: Tally,
    /// The part of them that did not begin or end at the PoP's router: what a data allowance counts.
    pub carried: Tally,
    /// Dropped, by [`DropReason`] as index.
    pub dropped: [u64; DropReason::ALL.len()],
}

impl LaneCounters {
    /// How many were dropped, for whatever reason.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// How many are queued or under way.
    pub fn inside(&self) -> u64 {
        self.received.packets + self.originated.packets
            - self.delivered.packets
            - self.dropped_total()
    }
}

impl Index<DropReason> for LaneCounters {
    type Output = u64;
    fn index(&self, reason: DropReason) -> &u64 {
        &self.dropped[reason as usize]
    }
}

impl IndexMut<DropReason> for LaneCounters {
    fn index_mut(&mut self, reason: DropReason) -> &mut u64 {
        &mut self.dropped[reason as usize]
    }
}

impl AddAssign for LaneCounters {
    fn add_assign(&mut self, o: Self) {
        self.received += o.received;
        self.originated += o.originated;
        self.delivered += o.delivered;
        self.carried += o.carried;
        for (mine, theirs) in self.dropped.iter_mut().zip(o.dropped) {
            *mine += theirs;
        }
    }
}

/// Both directions of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TerminalCounters {
    /// Toward the PoP.
    pub up: LaneCounters,
    /// Toward the terminal.
    pub down: LaneCounters,
}

/// The whole engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// All that went up, packets of no known terminal included.
    pub up: LaneCounters,
    /// All that went down, packets to no known terminal included.
    pub down: LaneCounters,
    /// Tables that took effect.
    pub epochs: u64,
    /// Epochs for which no table was there in time, so that an older one went on.
    pub late_plan: u64,
}
