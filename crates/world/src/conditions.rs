//! Conditions: what is different from the scenario. What fails, what is asked, what is built.
//!
//! A value with names in it, for scenarios, studies and whoever operates a live network; [`World::set_conditions`] and
//! [`World::under`] are the one way in which it reaches plans. Ids do not change under conditions: a gateway that is lost stays
//! in its place with no antenna, so that plans before and after can be compared and continued.

use crate::demand::{CellDemand, Demand, by_cell, merged};
use crate::ground::NearestPop;
use crate::problem::did_you_mean;
use crate::world::World;
use h3o::CellIndex;
use serde::{Deserialize, Serialize};
use skyweave_base::{Geodetic, GeodeticError, PopId, SatId, Seed};
use skyweave_plan::{Gateway, PointOfPresence};
use skyweave_radio::Profile;
use std::sync::Arc;

/// What is different from the scenario. The default is: nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conditions {
    /// What is lost.
    pub faults: Faults,
    /// Changed demand; of two changes of one area the later counts.
    pub demand: Vec<DemandChange>,
    /// What there is in addition.
    pub additions: Additions,
}

/// What is lost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Satellites, by name or catalogue number.
    pub satellites: Vec<String>,
    /// This share of all satellites in service, per cent, rounded up to whole satellites. Which, the scenario's seed decides; a
    /// larger share holds every smaller one.
    pub satellites_percent: f64,
    /// Gateways, by name.
    pub gateways: Vec<String>,
    /// Points of presence, by code. Their cells go to the nearest that is left.
    pub pops: Vec<String>,
}

/// A demand of the scenario with another number of terminals; what each asks does not change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemandChange {
    /// The `area` of the `[[demand]]`, as the scenario writes it.
    pub area: String,
    /// How many terminals.
    pub to: DemandTo,
}

/// How many terminals a demand has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DemandTo {
    /// This many.
    Terminals(u64),
    /// The scenario's number times this.
    Times(f64),
}

/// What there is in addition.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Additions {
    /// Channels of the user links.
    pub channels: u8,
    /// Gateways.
    pub gateways: Vec<NewGateway>,
    /// Terminals.
    pub terminals: Vec<NewTerminals>,
}

/// A gateway that the scenario does not have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewGateway {
    /// For people; no two alike.
    pub name: String,
    /// Latitude, degrees.
    pub lat_deg: f64,
    /// Longitude, degrees.
    pub lon_deg: f64,
    /// Antennas; if it does not say, the profile's usual number.
    #[serde(default)]
    pub antennas: Option<u32>,
}

/// Terminals in a cell besides those of the scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTerminals {
    /// The cell: an H3 index of resolution 5 in hexadecimal digits.
    pub cell: String,
    /// How many.
    pub terminals: u32,
    /// What each asks, kbit/s.
    pub rate_kbps: u32,
}

/// Why conditions do not fit a world.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConditionError {
    /// No satellite is called so.
    #[error(
        "no satellite has the name or catalogue number `{name}`{hint}; `skyweave check` lists which are in service"
    )]
    Satellite {
        /// The name.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// No gateway in use is called so.
    #[error("no gateway in use has the name `{name}`{hint}")]
    Gateway {
        /// The name.
        name: String,
        /// What may have been meant.
        hint: String,
    },
    /// No point of presence in use has this code.
    #[error("no point of presence in use has the code `{code}`{hint}")]
    Pop {
        /// The code.
        code: String,
        /// What may have been meant.
        hint: String,
    },
    /// All points of presence are lost.
    #[error("all {count} points of presence are lost: traffic needs at least one")]
    NoPop {
        /// How many there were.
        count: usize,
    },
    /// A share beyond its range.
    #[error("{percent} per cent of the satellites are lost: expected a number from 0 to 100")]
    Percent {
        /// The share.
        percent: f64,
    },
    /// The scenario has no demand with this area.
    #[error("no [[demand]] has the area `{area}`{hint}")]
    Area {
        /// The area.
        area: String,
        /// What may have been meant.
        hint: String,
    },
    /// A factor that makes no number of terminals.
    #[error("the demand of `{area}` times {times}: expected a number not below 0")]
    Times {
        /// The area.
        area: String,
        /// The factor.
        times: f64,
    },
    /// A new gateway stands nowhere.
    #[error("the new gateway `{name}`: {error}")]
    Place {
        /// The gateway.
        name: String,
        /// What is wrong.
        error: GeodeticError,
    },
    /// A new gateway has the name of another.
    #[error("there is a gateway `{name}` already: a new one needs a name of its own")]
    GatewayTwice {
        /// The name.
        name: String,
    },
    /// More channels than there can be.
    #[error(
        "{added} channels on top of the profile's {channels}: at most {} can be used",
        Self::MOST_CHANNELS
    )]
    Channels {
        /// Those added.
        added: u8,
        /// Those of the profile.
        channels: u8,
    },
    /// Terminals in what is no cell of the network.
    #[error("`{cell}` is not an H3 cell of resolution 5, such as 851e6387fffffff")]
    Cell {
        /// The cell.
        cell: String,
    },
}

impl ConditionError {
    /// What a plan's channel masks hold.
    const MOST_CHANNELS: u8 = 32;

    /// True if this is about what is written as `text`.
    pub(crate) fn is_of(&self, text: &str) -> bool {
        match self {
            Self::Satellite { name, .. }
            | Self::Gateway { name, .. }
            | Self::Place { name, .. }
            | Self::GatewayTwice { name } => name == text,
            Self::Pop { code, .. } => code == text,
            Self::Area { area, .. } | Self::Times { area, .. } => area == text,
            Self::Channels { added, .. } => added.to_string() == text,
            Self::Cell { cell } => cell == text,
            Self::NoPop { .. } | Self::Percent { .. } => false,
        }
    }
}

impl Conditions {
    /// True if nothing is different from the scenario.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// These and, on top of them, others.
    pub fn and(mut self, other: Self) -> Self {
        let Self {
            faults,
            demand,
            additions,
        } = other;
        self.faults.satellites.extend(faults.satellites);
        self.faults.gateways.extend(faults.gateways);
        self.faults.pops.extend(faults.pops);
        self.faults.satellites_percent = self
            .faults
            .satellites_percent
            .max(faults.satellites_percent);
        self.demand.extend(demand);
        self.additions.channels = self.additions.channels.saturating_add(additions.channels);
        self.additions.gateways.extend(additions.gateways);
        self.additions.terminals.extend(additions.terminals);
        self
    }
}

/// A world's parts under conditions.
pub(crate) struct Applied {
    pub(crate) profile: Arc<Profile>,
    pub(crate) gateways: Arc<[Gateway]>,
    pub(crate) nearest_pop: NearestPop,
    /// Ascending.
    pub(crate) lost: Arc<[SatId]>,
    pub(crate) demand: Vec<CellDemand>,
}

/// What conditions do to a world, or everything that does not fit it.
pub(crate) fn apply(
    world: &World,
    conditions: &Conditions,
) -> Result<Applied, Vec<ConditionError>> {
    let mut errors = Vec::new();
    let mut noted = |error: ConditionError| errors.push(error);
    let lost = lost_satellites(world, &conditions.faults, &mut noted);
    let gateways = gateways(world, conditions, &mut noted);
    let pops = &world.ground.pops;
    let lost_pops = lost_pops(pops, &conditions.faults, &mut noted);
    let profile = with_channels(
        &world.scenario_profile,
        conditions.additions.channels,
        &mut noted,
    );
    let demand = demand(&world.demand, conditions, &mut noted);
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(Applied {
        profile,
        gateways,
        nearest_pop: NearestPop::without(pops, &lost_pops),
        lost: lost.into(),
        demand,
    })
}

fn lost_satellites(
    world: &World,
    faults: &Faults,
    noted: &mut impl FnMut(ConditionError),
) -> Vec<SatId> {
    let elements = world.satellites();
    let mut lost = Vec::new();
    for name in &faults.satellites {
        let number: Option<u32> = name.trim().parse().ok();
        let before = lost.len();
        lost.extend((0..elements.len()).filter(|&i| {
            let e = &elements[i];
            e.name.eq_ignore_ascii_case(name.trim()) || Some(e.catalog_number) == number
        }));
        if lost.len() == before {
            let hint = did_you_mean(name, elements.iter().map(|e| e.name.as_str()));
            noted(ConditionError::Satellite {
                name: name.clone(),
                hint,
            });
        }
    }
    let percent = faults.satellites_percent;
    if !(0.0..=100.0).contains(&percent) {
        noted(ConditionError::Percent { percent });
    } else if percent > 0.0 {
        // The satellites with the lowest draws fall first, so that the 1 % are among the 5 %.
        let seed = Seed::root(world.seed());
        let mut draws: Vec<(u64, usize)> = (0..elements.len())
            .filter(|&i| world.left_out(SatId(i as u32)).is_none())
            .map(|i| (seed.child("lost satellite", i as u64).rng().next_u64(), i))
            .collect();
        draws.sort_unstable();
        let count = (draws.len() as f64 * percent / 100.0).ceil() as usize;
        lost.extend(draws.iter().take(count).map(|(_, i)| i));
    }
    lost.sort_unstable();
    lost.dedup();
    lost.into_iter().map(|i| SatId(i as u32)).collect()
}

fn gateways(
    world: &World,
    conditions: &Conditions,
    noted: &mut impl FnMut(ConditionError),
) -> Arc<[Gateway]> {
    let listed = &world.ground.gateways;
    let mut all = listed.clone();
    for new in &conditions.additions.gateways {
        if all.iter().any(|g| g.name == new.name) {
            noted(ConditionError::GatewayTwice {
                name: new.name.clone(),
            });
        }
        match Geodetic::from_degrees(new.lat_deg, new.lon_deg) {
            Ok(place) => all.push(Gateway {
                name: new.name.clone(),
                place,
                antennas: new
                    .antennas
                    .unwrap_or(world.scenario_profile.feeder.default_antennas),
                min_elevation_rad: None,
            }),
            Err(error) => noted(ConditionError::Place {
                name: new.name.clone(),
                error,
            }),
        }
    }
    for name in &conditions.faults.gateways {
        let mut found = false;
        for gateway in all.iter_mut().filter(|g| g.name.eq_ignore_ascii_case(name)) {
            gateway.antennas = 0;
            found = true;
        }
        if !found {
            let hint = did_you_mean(name, listed.iter().map(|g| g.name.as_str()));
            noted(ConditionError::Gateway {
                name: name.clone(),
                hint,
            });
        }
    }
    all.into()
}

fn lost_pops(
    pops: &[PointOfPresence],
    faults: &Faults,
    noted: &mut impl FnMut(ConditionError),
) -> Vec<PopId> {
    let mut lost = Vec::new();
    for code in &faults.pops {
        match pops.iter().position(|p| p.code.eq_ignore_ascii_case(code)) {
            Some(i) => lost.push(PopId(i as u32)),
            None => {
                let hint = did_you_mean(code, pops.iter().map(|p| p.code.as_str()));
                noted(ConditionError::Pop {
                    code: code.clone(),
                    hint,
                });
            }
        }
    }
    lost.sort_unstable();
    lost.dedup();
    if !pops.is_empty() && lost.len() == pops.len() {
        noted(ConditionError::NoPop { count: pops.len() });
    }
    lost
}

fn with_channels(
    profile: &Arc<Profile>,
    added: u8,
    noted: &mut impl FnMut(ConditionError),
) -> Arc<Profile> {
    let channels = profile.user.channels;
    if added == 0 {
        return Arc::clone(profile);
    }
    if channels.saturating_add(added) > ConditionError::MOST_CHANNELS {
        noted(ConditionError::Channels { added, channels });
        return Arc::clone(profile);
    }
    let mut profile = Profile::clone(profile);
    profile.user.channels += added;
    profile.into()
}

fn demand(
    demands: &[Demand],
    conditions: &Conditions,
    noted: &mut impl FnMut(ConditionError),
) -> Vec<CellDemand> {
    for change in &conditions.demand {
        if !demands.iter().any(|d| d.area == change.area) {
            let hint = did_you_mean(&change.area, demands.iter().map(|d| d.area.as_str()));
            noted(ConditionError::Area {
                area: change.area.clone(),
                hint,
            });
        }
        if let DemandTo::Times(times) = change.to
            && !(times >= 0.0 && times.is_finite())
        {
            noted(ConditionError::Times {
                area: change.area.clone(),
                times,
            });
        }
    }
    let terminals = |d: &Demand| {
        let change = conditions.demand.iter().rev().find(|c| c.area == d.area);
        match change.map(|c| c.to) {
            None => d.terminals,
            Some(DemandTo::Terminals(n)) => n,
            Some(DemandTo::Times(times)) => (d.terminals as f64 * times).round() as u64,
        }
    };
    let mut all = by_cell(demands, terminals);
    for new in &conditions.additions.terminals {
        let cell: Option<CellIndex> = new.cell.parse().ok();
        let Some(cell) = cell.filter(|c| c.resolution() == h3o::Resolution::Five) else {
            noted(ConditionError::Cell {
                cell: new.cell.clone(),
            });
            continue;
        };
        all.push(CellDemand {
            cell,
            terminals: new.terminals,
            demand_kbps: u64::from(new.terminals) * u64::from(new.rate_kbps),
        });
    }
    merged(all)
}
