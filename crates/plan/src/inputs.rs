//! What the planner is given: one value that says everything a plan may depend on.

use crate::preference::Preference;
use serde::{Deserialize, Serialize};
use skyweave_base::{
    CellId, Ecef, Enu, EpochNumber, Geodetic, Obstruction, PopId, SatId, TerminalId,
};
use skyweave_radio::{Fade, Profile};
use std::sync::Arc;

/// Everything that a plan depends on, besides the previous plan.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Which epoch to plan.
    pub epoch: EpochNumber,
    /// The radio.
    pub profile: Arc<Profile>,
    /// What decides among satellites that would serve equally well.
    pub preference: Preference,
    /// Cells with demand, ascending by id, without repetition.
    pub cells: Arc<[Cell]>,
    /// Live terminals, ascending by id. Those with some [`Access`] are counted in their cells' terminals and demand too.
    pub live: Arc<[LiveTerminal]>,
    /// Satellites in service, ascending by id. Those that may not serve are left out.
    pub satellites: Vec<SatelliteState>,
    /// Gateways, by [`skyweave_base::GatewayId`].
    pub gateways: Arc<[Gateway]>,
    /// Points of presence, by [`PopId`].
    pub pops: Arc<[PointOfPresence]>,
    /// Laser links that exist, each once with the smaller id first, ascending. A link is usable in an epoch if both ends
    /// are in service and it keeps the profile's laser limits at both ends of the epoch.
    pub lasers: Arc<[(SatId, SatId)]>,
    /// What the atmosphere takes. Only link budgets of the profile mind it.
    pub weather: Weather,
}

/// What the atmosphere takes at each place; the default is a clear sky everywhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weather {
    /// For each of [`Inputs::cells`]; a cell beyond the end has a clear sky.
    pub cells: Arc<[CellFade]>,
    /// For each of [`Inputs::gateways`], toward the satellite; a gateway beyond the end has a clear sky.
    pub gateways: Arc<[Fade]>,
}

/// What the atmosphere takes over a cell, in each direction's band.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CellFade {
    /// Toward the ground.
    pub down: Fade,
    /// Toward the satellite.
    pub up: Fade,
}

impl Weather {
    /// Toward the ground over a cell, by its index; `None` under a clear sky.
    pub fn down(&self, cell: usize) -> Option<Fade> {
        self.cells.get(cell).map(|c| c.down)
    }

    /// Toward the satellite over a cell, by its index; `None` under a clear sky.
    pub fn up(&self, cell: usize) -> Option<Fade> {
        self.cells.get(cell).map(|c| c.up)
    }

    /// Toward the satellite over a gateway, by its index; `None` under a clear sky.
    pub fn feeder(&self, gateway: usize) -> Option<Fade> {
        self.gateways.get(gateway).copied()
    }
}

/// A cell with demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// Its H3 index.
    pub id: CellId,
    /// Its centre.
    pub centre: Geodetic,
    /// Terminals in it, live ones included.
    pub terminals: u32,
    /// What they ask together, toward the ground, kbit/s.
    pub demand_kbps: u64,
    /// The point of presence through which its traffic meets the Internet.
    pub pop: PopId,
}

/// A terminal with real packets.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveTerminal {
    /// Its id.
    pub id: TerminalId,
    /// Where it stands in this epoch.
    pub place: Geodetic,
    /// The cell that holds it.
    pub cell: CellId,
    /// What hides its sky: satellites behind it are avoided where there are others.
    pub obstructions: Arc<[Obstruction]>,
    /// What it asks toward the ground, kbit/s.
    pub ask_kbps: u32,
    /// The most that it may send toward the satellite, kbit/s; `u32::MAX`: its part of the beam is the limit.
    pub most_up_kbps: u32,
    /// How far its packets may go.
    pub access: Access,
}

impl LiveTerminal {
    /// Whether a satellite is behind something at either end of the epoch.
    pub(crate) fn is_obstructed(&self, satellite: &SatelliteState) -> bool {
        if self.obstructions.is_empty() {
            return false;
        }
        let here = Enu::at(self.place);
        [satellite.start, satellite.end]
            .iter()
            .any(|&position| Obstruction::any_hides(&self.obstructions, &here.look(position)))
    }
}

/// How far a terminal's packets may go, by the service's decision: the planner obeys it and does not ask why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Nowhere: it has no service at all.
    None,
    /// To the account page of its point of presence, at the rate that it asks.
    AccountPage,
    /// Everywhere, and never faster than its share.
    Limited,
    /// Everywhere, and as fast as what others on its beam leave.
    #[default]
    Full,
}

impl Access {
    pub(crate) fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

/// A satellite at the two ends of the epoch. Rules that hold at both ends hold between them: over 15 s elevation has no
/// inner minimum (it is concave while a satellite is in view) and ranges change by under a part in a thousand of curvature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SatelliteState {
    /// Its id.
    pub id: SatId,
    /// Earth-fixed position at the start of the epoch.
    pub start: Ecef,
    /// Earth-fixed position at the end.
    pub end: Ecef,
}

/// A gateway site.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// For people.
    pub name: String,
    /// Where.
    pub place: Geodetic,
    /// Number of antennas; each carries what `FeederLinks::kbps` says. A site that is lost has none.
    pub antennas: u32,
    /// Least elevation of this site, rad, if it differs from the profile.
    pub min_elevation_rad: Option<f64>,
}

/// A point of presence.
#[derive(Clone, Debug, PartialEq)]
pub struct PointOfPresence {
    /// The operator's code.
    pub code: String,
    /// City.
    pub city: String,
    /// Where.
    pub place: Geodetic,
}
