//! The combinatorial problem behind an epoch: who may serve whom, with how much, over what.
//!
//! Knows neither positions nor time: satellites, cells and gateways are indices. Geometry makes an [`Instance`] from
//! [`crate::Inputs`]; comparisons with other software make one from their own lists of pairs.

use crate::csr::Csr;

/// A problem for [`crate::solve`].
#[derive(Clone, Debug)]
pub struct Instance {
    /// What one satellite's beams are.
    pub beams: BeamPlan,
    /// What each cell asks.
    pub cells: Vec<CellAsk>,
    /// Which satellites each cell may be served by.
    pub reach: Reach,
    /// Which cells are neighbours of each other: symmetric, without the cell itself.
    pub neighbours: std::sync::Arc<Csr<u32>>,
    /// How satellites reach the ground.
    pub network: Network,
}

/// The beams of one satellite. All satellites are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeamPlan {
    /// Channels, at most 32.
    pub channels: u8,
    /// Beams on each channel.
    pub beams_per_channel: u8,
    /// Time slices of a beam, each for one cell.
    pub time_slices: u8,
}

impl BeamPlan {
    /// The beams that a radio profile gives.
    pub(crate) fn of(user: &skyweave_radio::UserLinks) -> Self {
        Self {
            channels: user.channels,
            beams_per_channel: user.beams_per_channel,
            time_slices: user.time_slices,
        }
    }

    /// The most beams of a cell with so many terminals: it has each channel at most once, and no more beams than terminals.
    pub fn most_of_cell(self, terminals: u32) -> u32 {
        terminals.min(self.channels.into())
    }

    /// Time slices of all beams of a satellite.
    pub fn slices_per_satellite(self) -> u32 {
        u32::from(self.channels) * u32::from(self.beams_per_channel) * u32::from(self.time_slices)
    }
}

/// What a cell asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellAsk {
    /// Terminals in it.
    pub terminals: u32,
    /// What they ask together, kbit/s.
    pub demand_kbps: u64,
    /// Time slices that would carry it.
    pub slices: u32,
}

impl CellAsk {
    /// The ask of a cell whose best beam carries `beam_kbps` in all its time slices together.
    ///
    /// A slice holds whole terminals, each with the mean ask; when one terminal asks more than a slice carries, the cell
    /// asks the slices that carry its demand. There are at most as many beams as channels, and as terminals.
    pub fn new(terminals: u32, demand_kbps: u64, beam_kbps: u32, beams: BeamPlan) -> Self {
        let per_beam = u64::from(beams.time_slices);
        let most = u64::from(beams.most_of_cell(terminals)) * per_beam;
        // Terminals that a slice holds: floor(slice rate / mean ask), in integers.
        let terminals_per_slice = match demand_kbps {
            0 => u64::MAX,
            demand => u64::from(beam_kbps) * u64::from(terminals) / per_beam / demand,
        };
        let slices = match terminals_per_slice {
            0 => (demand_kbps * per_beam).div_ceil(u64::from(beam_kbps.max(1))),
            n => u64::from(terminals).div_ceil(n),
        };
        Self {
            terminals,
            demand_kbps,
            slices: slices.min(most) as u32,
        }
    }
}

/// Which satellites each cell may be served by, and how well.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Satellites of each cell, ascending; of no cell 2^16 or more.
    pub satellites: Csr<u32>,
    /// At the place of each of `satellites` ([`Csr::range`]): how willingly the cell is served by it, 0 to 255.
    pub preference: Vec<u8>,
    /// How much fuller (share of a satellite) the most preferred satellite may be than the least preferred one and still be
    /// taken.
    pub preference_weight: f32,
    /// What a beam carries.
    pub rates: Rates,
    /// Of each satellite, whether it is on the far side of the world; empty if all are on the same. Beams for both sides are given out
    /// at the same time.
    pub far: Vec<bool>,
}

/// Rates of beams, in all their time slices together, kbit/s.
#[derive(Clone, Debug)]
pub enum Rates {
    /// The same everywhere.
    Fixed(u32),
    /// One at the place of each of [`Reach::satellites`] ([`Csr::range`]).
    PerPair(Vec<u32>),
}

impl Default for Rates {
    fn default() -> Self {
        Self::Fixed(0)
    }
}

impl Reach {
    /// What the best beam that a cell may have brings, kbit/s; `None` without any satellite.
    pub fn best_kbps(&self, cell: usize) -> Option<u32> {
        let pairs = self.satellites.range(cell);
        pairs.map(|pair| self.rates.of_pair(pair)).max()
    }
}

impl Rates {
    /// The rate of the pair at a position of [`Reach::satellites`].
    pub fn of_pair(&self, item: usize) -> u32 {
        match self {
            Self::Fixed(kbps) => *kbps,
            Self::PerPair(kbps) => kbps[item],
        }
    }
}

/// Gateways, feeder links and lasers. Rates in kbit/s, one way, toward the satellites.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Number of satellites.
    pub satellites: usize,
    /// Gateways.
    pub gateways: Vec<GatewayLimit>,
    /// Gateways in reach of each satellite, the ones to be preferred first.
    pub gateways_of: Csr<u32>,
    /// Laser links, each once.
    pub lasers: Vec<(u32, u32)>,
    /// The most that one antenna of a gateway carries toward one satellite.
    pub antenna_kbps: u64,
    /// At the place of each of `gateways_of` ([`Csr::range`]): what one antenna carries now. Empty: `antenna_kbps` everywhere.
    pub feeder_kbps: Vec<u64>,
    /// Toward one satellite from all gateways.
    pub satellite_kbps: u64,
    /// A laser link, each way.
    pub laser_kbps: u64,
}

impl Network {
    /// What one antenna of a gateway carries toward a satellite.
    pub(crate) fn link_kbps(&self, satellite: u32, gateway: u32) -> u64 {
        let s = satellite as usize;
        let at = self.gateways_of.row(s).iter().position(|&g| g == gateway);
        at.and_then(|i| self.feeder_kbps.get(self.gateways_of.range(s).start + i))
            .copied()
            .unwrap_or(self.antenna_kbps)
    }
}

/// What a gateway can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayLimit {
    /// Toward all satellites together, kbit/s.
    pub total_kbps: u64,
    /// How many satellites it may feed at once, if that is limited.
    pub satellites: Option<u32>,
}
