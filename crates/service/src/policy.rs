//! The policy, compiled: which rules hold in each cell of the Earth, so that one terminal costs tens of nanoseconds.
//!
//! Every area becomes ranges of H3 cells, wholly inside or on the border. One sweep over all ranges numbers the different
//! combinations ("zones") and a table holds the zone of every cell. Asking for a place is one look-up and then a walk
//! over the few areas of its zone in their order; polygons are asked only in border cells, and only their edges there.

use crate::area::{AreaKind, ServiceArea};
use crate::cover::{CELLS, Cover, cell_of};
use crate::ids::{AreaId, ListId, Market, PlanId};
use crate::life::{Place, State, Terminal};
use crate::register::Register;
use crate::rules::{Access, Case, Decision, Explanation, Here, Home, Stage, decide, explain};
use crate::shape::Probe;
use crate::things::{Plan, Standing};
use core::num::NonZeroU32;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use skyweave_base::{Geodetic, Time, great_circle_m};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a terminal says of itself, and whether it has proved who it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Where it says it is.
    pub position: Option<Geodetic>,
    /// How fast it says it moves over ground, m/s.
    pub speed_m_s: f64,
    /// Whether it has signed a challenge with its key.
    pub key: KeyProof,
    /// Number of its software's build.
    pub software: u32,
}

/// Whether a terminal has signed a challenge with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyProof {
    /// It has.
    Proven,
    /// It has not, or the signature was wrong.
    Missing,
}

/// What holds for the whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Defaults {
    /// What holds where no area says anything.
    pub elsewhere: Elsewhere,
    /// The oldest software build with service.
    pub oldest_software: u32,
}

/// What holds on land where no access area is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Elsewhere {
    /// No service.
    Closed,
    /// Service.
    Open,
}

/// Everything about a terminal that the rules ask, without time and areas: made once for each change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    probe: Option<(Probe, u32)>,
    speed_m_s: f64,
    height_m: f64,
    home: Home,
    used_bytes: u64,
    plan: Option<u32>,
    stage: Stage,
    key_proven: bool,
    blocked: bool,
    denied: bool,
    account_disabled: bool,
    account_closed: bool,
    software_ok: bool,
    lists: Box<[ListId]>,
}

/// A compiled policy: a snapshot of areas, plans and defaults.
#[derive(Clone, Debug)]
pub struct Policy {
    defaults: Defaults,
    plans: Vec<Plan>,
    /// In the order in which they decide.
    areas: Vec<Compiled>,
    zones: Zones,
}

/// An area without its shape, and its cells.
#[derive(Clone, Debug)]
struct Compiled {
    area: Arc<ServiceArea>,
    cover: Arc<Cover>,
}

/// In the place of a piece: wholly inside, nothing to ask.
const WHOLE: u32 = u32::MAX;

/// Where a piece begins or ends. At one cell, ends come before begins: the pieces of one area do not overlap, so that an
/// entry that is there ends and one that is not begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    cell: u32,
    begins: bool,
    area: u32,
    piece: u32,
}

impl End {
    fn all_of(area: u32, cover: &Cover) -> impl Iterator<Item = Self> + '_ {
        cover.pieces.iter().enumerate().flat_map(move |(n, p)| {
            let piece = if cover.is_whole(n) { WHOLE } else { n as u32 };
            [(p.cells.start, true), (p.cells.end, false)].map(|(cell, begins)| Self {
                cell,
                begins,
                area,
                piece,
            })
        })
    }
}

/// The areas of every cell.
#[derive(Clone, Debug)]
struct Zones {
    /// Zone of each cell; 0 has no area.
    of_cell: Vec<u32>,
    /// Where each zone's entries begin; one more than there are zones.
    starts: Vec<u32>,
    /// (index into [`Policy::areas`], piece of its cover or [`WHOLE`]), ascending within a zone.
    entries: Vec<(u32, u32)>,
}

impl Policy {
    /// Compiles the register's areas and plans.
    pub fn new(register: &Register) -> Self {
        let mut policy = Self {
            defaults: register.defaults(),
            plans: register.plans().values().cloned().collect(),
            areas: Vec::new(),
            zones: Zones::sweep(&[]),
        };
        policy.areas = register
            .areas()
            .values()
            .map(|a| Compiled {
                area: a.clone(),
                cover: Arc::new(Cover::of(&a.shape)),
            })
            .collect();
        policy.rezone();
        policy
    }

    /// May this terminal have service at `t`? A pure function of its arguments.
    pub fn entitlement(
        &self,
        register: &Register,
        terminal: &Terminal,
        claim: &Claim,
        t: Time,
    ) -> Decision {
        self.decide(&self.facts(register, terminal, claim), t)
    }

    /// Why, with every rule.
    pub fn explain(
        &self,
        register: &Register,
        terminal: &Terminal,
        claim: &Claim,
        t: Time,
    ) -> Explanation {
        let facts = self.facts(register, terminal, claim);
        let name = |id| {
            let area = self.areas.iter().find(|a| a.area.id == id);
            area.map_or_else(
                || "an area that no longer exists".to_owned(),
                |a| a.area.name.clone(),
            )
        };
        explain(&self.case(&facts, t), name)
    }

    /// Is the service open at a place, to anybody at all? It is where an allow list decides, for those on it. Sea, speed and
    /// plans are a matter of single terminals.
    pub fn is_open(&self, at: Geodetic, t: Time) -> bool {
        let Some(probe) = Probe::new(at.lat_deg(), at.lon_deg()) else {
            return false;
        };
        let mut areas = self.zones.at(cell_of(probe)).iter();
        let decides = |&(n, piece): &(u32, u32)| {
            let Compiled { area, cover } = &self.areas[n as usize];
            let open = match &area.kind {
                AreaKind::Allow { .. } | AreaKind::AllowListRequired { .. } => true,
                AreaKind::Deny { .. } => false,
                AreaKind::SpeedLimit { .. } | AreaKind::Sea => return None,
            };
            let here = area.validity.contains(t)
                && (piece == WHOLE || cover.contains(piece as usize, probe));
            here.then_some(open)
        };
        areas
            .find_map(decides)
            .unwrap_or(self.defaults.elsewhere == Elsewhere::Open)
    }

    /// The market of a place: that of the first area there that belongs to one.
    pub fn market(&self, at: Geodetic, t: Time) -> Option<Market> {
        let probe = Probe::new(at.lat_deg(), at.lon_deg())?;
        let mut areas = self.zones.at(cell_of(probe)).iter();
        areas.find_map(|&(n, piece)| {
            let Compiled { area, cover } = &self.areas[n as usize];
            let here = area.validity.contains(t)
                && (piece == WHOLE || cover.contains(piece as usize, probe));
            area.market.filter(|_| here)
        })
    }

    /// The first instant after `t` at which an area begins or ends: until then, answers change only with the register.
    pub fn next_change(&self, t: Time) -> Option<Time> {
        let times = self
            .areas
            .iter()
            .flat_map(|a| [a.area.validity.from, a.area.validity.until]);
        times.flatten().filter(|&at| at > t).min()
    }

    /// Takes over an area as it now stands in the register, or its removal. Returns which cells may answer otherwise.
    pub(crate) fn refresh_area(
        &mut self,
        register: &Register,
        id: AreaId,
    ) -> Vec<core::ops::Range<u32>> {
        let cells = |c: &Compiled| c.cover.pieces.iter().map(|p| p.cells.clone()).collect();
        let position = self.areas.iter().position(|a| a.area.id == id);
        let old = position.map(|n| self.areas.remove(n));
        let mut touched: Vec<_> = old.as_ref().map(cells).unwrap_or_default();
        let mut same_cells = false;
        if let Some(area) = register.areas().get(&id) {
            let kept = old.filter(|o| o.area.shape == area.shape && o.area.order() == area.order());
            same_cells = kept.is_some();
            let cover = kept.map_or_else(|| Arc::new(Cover::of(&area.shape)), |o| o.cover);
            let new = Compiled {
                area: area.clone(),
                cover,
            };
            if same_cells {
                // The zones hold indices: the same order means the same index.
                self.areas.insert(position.unwrap_or(0), new);
            } else {
                touched.extend::<Vec<_>>(cells(&new));
                self.areas.push(new);
            }
        }
        if !same_cells {
            self.rezone();
        }
        touched
    }

    /// Takes over the plans and defaults as they now stand.
    pub(crate) fn refresh_plans(&mut self, register: &Register) {
        self.plans = register.plans().values().cloned().collect();
        self.defaults = register.defaults();
    }

    pub(crate) fn facts(&self, register: &Register, terminal: &Terminal, claim: &Claim) -> Facts {
        let (blocked, state) = match &terminal.state {
            State::Blocked(was) => (true, &**was),
            other => (false, other),
        };
        let stage = match state {
            State::Manufactured | State::Sold { .. } | State::Retired | State::Blocked(_) => {
                Stage::Unregistered
            }
            State::Registered(_) => Stage::Registered,
            State::Suspended(..) => Stage::Suspended,
            State::Activated(..) => Stage::Activated,
        };
        let account = state.registration().map(|r| r.account);
        let standing = account
            .and_then(|id| register.accounts().get(&id))
            .map(|a| a.standing);
        let service = state.service();
        let position = claim
            .position
            .and_then(|p| Some((p, Probe::new(p.lat_deg(), p.lon_deg())?)));
        let home = match service.map(|s| s.place) {
            Some(Place::Address(at)) => {
                Home::Address(position.map_or(f64::NAN, |(p, _)| great_circle_m(p, at)))
            }
            Some(Place::Area(area)) => Home::Area(area),
            None => Home::Address(f64::NAN),
        };
        Facts {
            probe: position.map(|(_, probe)| (probe, cell_of(probe))),
            speed_m_s: claim.speed_m_s,
            height_m: position.map_or(f64::NAN, |(p, _)| p.height_m),
            home,
            used_bytes: register.used_bytes(terminal.id),
            plan: service.and_then(|s| self.plan_index(s.plan)),
            stage,
            key_proven: claim.key == KeyProof::Proven,
            blocked,
            denied: register.is_denied(terminal.id, account),
            account_disabled: standing == Some(Standing::Disabled),
            // An account that does not exist has ended.
            account_closed: account.is_some()
                && !matches!(standing, Some(Standing::Active | Standing::Disabled)),
            software_ok: claim.software >= self.defaults.oldest_software,
            lists: account
                .map(|a| register.lists_with(terminal.id, a))
                .unwrap_or_default(),
        }
    }

    pub(crate) fn decide(&self, facts: &Facts, t: Time) -> Decision {
        decide(&self.case(facts, t))
    }

    /// The cell of the terminal's position, plus one.
    pub(crate) fn cell(facts: &Facts) -> Option<NonZeroU32> {
        facts.probe.and_then(|(_, cell)| NonZeroU32::new(cell + 1))
    }

    fn plan_index(&self, id: PlanId) -> Option<u32> {
        self.plans
            .binary_search_by_key(&id, |p| p.id)
            .ok()
            .map(|n| n as u32)
    }

    fn case(&self, facts: &Facts, t: Time) -> Case<'_> {
        let plan = facts.plan.map(|n| &self.plans[n as usize]);
        Case {
            key_proven: facts.key_proven,
            blocked: facts.blocked,
            denied: facts.denied,
            account_disabled: facts.account_disabled,
            account_closed: facts.account_closed,
            stage: facts.stage,
            plan,
            software_ok: facts.software_ok,
            located: facts.probe.is_some(),
            open_by_default: self.defaults.elsewhere == Elsewhere::Open,
            here: facts.probe.map_or_else(Here::default, |(probe, cell)| {
                self.here(facts, plan, (probe, cell), t)
            }),
            home: facts.home,
            speed_m_s: facts.speed_m_s,
            height_m: facts.height_m,
            used_bytes: facts.used_bytes,
        }
    }

    /// Walks over the areas at a place in their order; the first of each group decides for the group.
    fn here(
        &self,
        facts: &Facts,
        plan: Option<&Plan>,
        (probe, cell): (Probe, u32),
        t: Time,
    ) -> Here {
        let mut here = Here::default();
        for &(n, piece) in self.zones.at(cell) {
            let Compiled { area, cover } = &self.areas[n as usize];
            if !area.validity.contains(t)
                || (piece != WHOLE && !cover.contains(piece as usize, probe))
            {
                continue;
            }
            here.in_plan_area |= plan.is_some_and(|p| p.areas.contains(&area.id));
            here.in_home_area |= facts.home == Home::Area(area.id);
            let on_list = |list: &ListId| facts.lists.contains(list);
            match &area.kind {
                AreaKind::SpeedLimit {
                    max_speed_m_s,
                    exempt,
                } => {
                    let most = if exempt.as_ref().is_some_and(on_list) {
                        f64::INFINITY
                    } else {
                        *max_speed_m_s
                    };
                    here.speed.get_or_insert((area.id, most));
                }
                // Access areas that come first in the order are land, for this purpose.
                AreaKind::Sea => here.sea = here.sea.or(here.access.is_none().then_some(area.id)),
                AreaKind::Allow { pop } => {
                    here.access.get_or_insert((area.id, Access::Allowed(*pop)));
                }
                AreaKind::Deny { shown } => {
                    here.access.get_or_insert((area.id, Access::Denied(*shown)));
                }
                AreaKind::AllowListRequired { list, pop } => {
                    here.access.get_or_insert((
                        area.id,
                        Access::Listed {
                            on_list: on_list(list),
                            pop: *pop,
                        },
                    ));
                }
            }
        }
        here
    }

    fn rezone(&mut self) {
        self.areas.sort_by_key(|a| a.area.order());
        self.zones = Zones::sweep(&self.areas);
    }
}

impl Zones {
    /// One pass over the ends of all pieces, in the order of cells.
    fn sweep(areas: &[Compiled]) -> Self {
        let mut ends: Vec<End> = areas
            .iter()
            .enumerate()
            .flat_map(|(n, a)| End::all_of(n as u32, &a.cover))
            .collect();
        ends.par_sort_unstable();
        let mut zones = Self {
            of_cell: vec![0; CELLS],
            starts: vec![0, 0],
            entries: Vec::new(),
        };
        let mut active: Vec<(u32, u32)> = Vec::new();
        // Zones of whole pieces only are the same wherever the areas are the same.
        let mut known: BTreeMap<Vec<(u32, u32)>, u32> = BTreeMap::new();
        for (n, end) in ends.iter().enumerate() {
            let entry = (end.area, end.piece);
            match active.binary_search(&entry) {
                Err(at) => active.insert(at, entry),
                Ok(at) => drop(active.remove(at)),
            }
            let until = ends.get(n + 1).map_or(end.cell, |next| next.cell);
            if until == end.cell || active.is_empty() {
                continue;
            }
            let zone = match known.get(&active[..]) {
                Some(&zone) => zone,
                None => {
                    let zone = zones.add(&active);
                    if active.iter().all(|a| a.1 == WHOLE) {
                        known.insert(active.clone(), zone);
                    }
                    zone
                }
            };
            zones.of_cell[end.cell as usize..until as usize].fill(zone);
        }
        zones
    }

    fn add(&mut self, active: &[(u32, u32)]) -> u32 {
        self.entries.extend(active);
        self.starts.push(self.entries.len() as u32);
        self.starts.len() as u32 - 2
    }

    fn at(&self, cell: u32) -> &[(u32, u32)] {
        let zone = self.of_cell[cell as usize] as usize;
        &self.entries[self.starts[zone] as usize..self.starts[zone + 1] as usize]
    }
}
