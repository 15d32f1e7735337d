//! What the packet path follows: one immutable table for each epoch.

use skyweave_base::{Span, TerminalId, Time};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The forwarding table of one epoch. Immutable; it takes effect at `start` and ends at `end`.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochTable {
    /// The epoch's number; a table with a lower number than one that already took effect is refused.
    pub epoch: i64,
    /// First instant at which it holds.
    pub start: Time,
    /// First instant at which it holds no more. If no later table is installed by then, this one goes on being followed.
    pub end: Time,
    /// Beams shared by live terminals, in the order in which routes refer to them.
    pub beams: Vec<Beam>,
    /// Each live terminal's route, or why it has none; ascending by terminal.
    pub routes: Vec<(TerminalId, Result<TerminalRoute, Unserved>)>,
}

/// The share of a beam that is left to its live terminals after the background load. They divide it fairly (deficit round
/// robin by weight) and each may use what the others leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beam {
    /// Toward the ground, bit/s of IP.
    pub down_bps: u64,
    /// Toward the satellite, bit/s of IP.
    pub up_bps: u64,
}

/// The way of one terminal's packets.
#[derive(Clone, Debug, PartialEq)]
pub struct TerminalRoute {
    /// Index into [`EpochTable::beams`].
    pub beam: u32,
    /// Its share of the beam toward the ground relative to the others: its planned rate in bit/s.
    pub down_weight_bps: u64,
    /// The same toward the satellite.
    pub up_weight_bps: u64,
    /// Legs from the terminal to the PoP, in that order. The way back is the same legs in reverse.
    pub legs: Vec<Leg>,
}

/// One link of a route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Leg {
    /// What it is, for traces.
    pub kind: LegKind,
    /// Delay toward the PoP of a packet that enters the leg at a given time.
    pub up: DelayCurve,
    /// Delay toward the terminal.
    pub down: DelayCurve,
}

/// What a leg is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegKind {
    /// Terminal to satellite.
    User,
    /// Satellite to satellite.
    Laser,
    /// Satellite to gateway.
    Feeder,
    /// Gateway to PoP.
    Fibre,
}

/// A delay as a function of the time at which a packet enters the leg: a cubic, c0 + c1 τ + c2 τ² + c3 τ³ seconds, with
/// τ the seconds since `origin`. Over 15 s a cubic follows a range to well under a nanosecond of light time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DelayCurve {
    /// Where τ is 0.
    pub origin: Time,
    /// c0 to c3.
    pub coefficients: [f64; 4],
    /// τ is held inside `[0, valid]`: a cubic says nothing beyond its ends.
    pub valid: Span,
}

/// Why a terminal has no route; carried through to counters and the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unserved(pub &'static str);

/// The addresses of a terminal: packets from the PoP side are matched against them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalAddress {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its address in 100.64.0.0/10.
    pub v4: Ipv4Addr,
    /// First address of its /56.
    pub v6_prefix: Ipv6Addr,
}
