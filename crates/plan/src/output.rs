//! The plan: an immutable value, valid for one epoch, that leaves nothing to decide downstream.

use crate::Access;
use serde::{Deserialize, Serialize};
use skyweave_base::{CellId, EpochNumber, GatewayId, PopId, SatId, TerminalId, Time};

/// What the network does in one epoch. All lists are in the stated order, so that equal plans have equal bytes.
/// Rates are integers of kbit/s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The epoch.
    pub epoch: EpochNumber,
    /// First instant at which it holds.
    pub start: Time,
    /// First instant at which it holds no more.
    pub end: Time,
    /// How many satellites were in service.
    pub satellites_in_service: u32,
    /// Every cell with demand, ascending by cell.
    pub cells: Vec<CellOutcome>,
    /// Beams at work, ascending by (cell, channel).
    pub slots: Vec<Slot>,
    /// How traffic of a satellite reaches the ground, ascending by (satellite, path length, gateway).
    pub landings: Vec<Landing>,
    /// Feeder links at work, ascending by (gateway, satellite).
    pub feeders: Vec<FeederLink>,
    /// Laser links that carry something, ascending by (from, to); each direction is an entry of its own.
    pub lasers: Vec<LaserLoad>,
    /// Every live terminal, ascending.
    pub terminals: Vec<TerminalOutcome>,
    /// Terminals (of those served in both plans) whose cell's satellites are not among those of the previous plan.
    pub moved_terminals: u64,
}

/// What a cell got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellOutcome {
    /// The cell.
    pub cell: CellId,
    /// Its terminals.
    pub terminals: u32,
    /// What they ask, kbit/s.
    pub demand_kbps: u64,
    /// What they get, kbit/s: the sum over the cell's slots.
    pub delivered_kbps: u64,
    /// Why the cell got nothing; `None` if it is served (at least one slot that delivers something).
    pub unserved: Option<Reason>,
}

/// One beam of one satellite on one channel, serving one cell, for some of the beam's time slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The cell served.
    pub cell: CellId,
    /// By which satellite.
    pub satellite: SatId,
    /// On which channel, from 0.
    pub channel: u8,
    /// Which of the satellite's beams on that channel, from 0.
    pub beam: u8,
    /// How many of the beam's time slices are this cell's.
    pub slices: u8,
    /// Terminals of the cell that are on this slot.
    pub terminals: u32,
    /// What the radio could carry in these slices, kbit/s.
    pub radio_kbps: u32,
    /// The same toward the satellite, kbit/s.
    pub radio_up_kbps: u32,
    /// What it carries after feeder links, gateways and lasers, kbit/s.
    pub delivered_kbps: u32,
    /// Index into [`Plan::landings`] of the way to the ground (the one that carries most of it); its satellite is this one.
    pub landing: u32,
}

/// A way from a serving satellite to a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// Satellites passed: the serving one first, the one that talks to the gateway last. One entry: no laser is used.
    pub path: Vec<SatId>,
    /// The gateway.
    pub gateway: GatewayId,
    /// What it carries, kbit/s.
    pub kbps: u64,
}

/// An antenna of a gateway tracking a satellite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeederLink {
    /// The gateway.
    pub gateway: GatewayId,
    /// The satellite.
    pub satellite: SatId,
    /// What it carries, kbit/s.
    pub kbps: u64,
}

/// The load of a laser link in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaserLoad {
    /// From this satellite (nearer the gateway) ...
    pub from: SatId,
    /// ... to this one (nearer the terminal).
    pub to: SatId,
    /// What it carries, kbit/s.
    pub kbps: u64,
}

/// What a live terminal got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalOutcome {
    /// The terminal.
    pub terminal: TerminalId,
    /// Its cell.
    pub cell: CellId,
    /// Its service, or why it has none.
    pub service: Result<Service, Reason>,
}

/// The service of a live terminal. Its satellite, channel and way to the ground are those of its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Index into [`Plan::slots`].
    pub slot: u32,
    /// Its share toward the ground, kbit/s: weighted max-min among the slot's terminals, never over what it asks.
    pub down_kbps: u32,
    /// Its share toward the satellite, kbit/s.
    pub up_kbps: u32,
    /// Its point of presence.
    pub pop: PopId,
    /// How far its packets may go; never [`Access::None`].
    #[serde(default, skip_serializing_if = "Access::is_full")]
    pub access: Access,
}

/// Why a cell or terminal is not served. The text of each is the contract of `plan --json`'s `unserved` keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No satellite in service is within the elevation mask or range for the whole epoch.
    NoSatelliteInReach,
    /// Satellites are high enough, but all of them stand too near the GSO arc.
    GsoExclusion,
    /// No satellite in reach has a way to a gateway (directly or over lasers).
    NoGatewayPath,
    /// Every slot of every satellite in reach is taken.
    NoFreeSlot,
    /// Slots are free, but each is on a channel that a neighbouring cell has from the same satellite or the cell has already.
    ChannelConflict,
    /// A slot is assigned but feeder links, gateways or lasers are full.
    BackhaulFull,
    /// The terminal's place is in no cell of the plan.
    NoCell,
    /// Satellites are in reach, but rain or clouds leave nothing of any link.
    Faded,
    /// Policy forbids it.
    Forbidden,
}

impl std::fmt::Display for Reason {
    /// In plain words, without a full stop.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoSatelliteInReach => "no satellite in reach",
            Self::GsoExclusion => "satellites in view stand too near the geostationary arc",
            Self::NoGatewayPath => "no satellite in reach has a way to a gateway",
            Self::NoFreeSlot => "all beams in reach are taken",
            Self::ChannelConflict => "free beams in reach would disturb neighbouring cells",
            Self::BackhaulFull => "gateways, feeder links or lasers are full",
            Self::NoCell => "the place is in no cell",
            Self::Faded => "rain or clouds leave nothing of any link in reach",
            Self::Forbidden => "policy forbids it",
        })
    }
}
