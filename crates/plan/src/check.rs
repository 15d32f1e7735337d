//! The plan checker: every rule that a plan breaks.
//!
//! Written apart from the planner and sharing none of its code paths but the table of where satellites stand in the inputs
//! (`positions.rs`): it takes angles, distances and the GSO arc from geodesy by the plainest means, asks H3 itself for neighbours, and
//! adds up every load again from the slots and landings. It takes the inputs as given and says nothing about how good a plan is, except
//! that a cell may not go unserved without a true reason.

use crate::positions::Positions;
use crate::{
    Access, Cell, CellFade, CellOutcome, Gateway, Inputs, Landing, LiveTerminal, Plan, Reason,
    SatelliteState, Service, Slot,
};
use core::f64::consts::PI;
use core::fmt;
use h3o::{CellIndex, LatLng};
use rayon::prelude::*;
use skyweave_base::{CellId, Ecef, GatewayId, Geodetic, SatId, TerminalId, Vec3};
use skyweave_radio::{Fade, LinkLimit, RateModel, Sight};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// A rule of the network, or of what a plan must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rule {
    /// The plan is for the epoch asked, with its bounds and its number of satellites.
    Epoch,
    /// Lists are in their stated order, without repetition.
    Order,
    /// Every cell of the inputs is accounted for once, as it was asked, and no other.
    CellsAccounted,
    /// A cell's delivered rate is the sum of its slots', and not over its demand.
    CellSum,
    /// A cell is served if and only if a slot of it delivers something.
    ServedFlag,
    /// The reason given for an unserved cell or terminal is the true one.
    Reason,
    /// A slot names what exists: cell, satellite in service, channel, landing.
    SlotExists,
    /// A satellite has only so many beams on a channel.
    BeamsPerChannel,
    /// A beam has only so many time slices, and a slot at least one.
    TimeSlices,
    /// One co-frequency beam per place: a cell has a channel at most once.
    ChannelOncePerCell,
    /// A satellite does not use a channel in two neighbouring cells, except one beam in turn.
    NeighbourChannel,
    /// The terminals of a cell's slots sum to the cell's.
    SlotTerminals,
    /// A slot's rates are at most what the radio carries in its slices, at the elevations of both ends of the epoch.
    RadioRate,
    /// A slot delivers at most what its radio carries.
    DeliveredOverRadio,
    /// A user link keeps its least elevation or greatest range at both ends of the epoch.
    UserMask,
    /// A user link keeps away from the GSO arc at both ends of the epoch.
    UserGso,
    /// A feeder link keeps its limits at both ends of the epoch.
    FeederMask,
    /// A laser link exists and keeps its limits at both ends of the epoch.
    Laser,
    /// A landing's path is made of satellites in service, each once, and ends at a gateway.
    LandingPath,
    /// What a satellite's slots deliver is what its landings carry.
    LandingSum,
    /// The load stated for each feeder link is the sum of its landings.
    FeederSum,
    /// The load stated for each laser link and direction is the sum of its landings.
    LaserSum,
    /// A feeder link carries at most what an antenna carries.
    AntennaRate,
    /// A gateway carries at most what its antennas carry together.
    GatewayRate,
    /// A gateway tracks at most as many satellites as it has antennas.
    GatewayAntennas,
    /// A satellite is fed at most what it can take.
    SatelliteFeederRate,
    /// A laser link carries at most its rate, each way.
    LaserRate,
    /// Every live terminal is accounted for once, with its cell.
    TerminalsAccounted,
    /// A live terminal's service is on a slot of its cell, toward its cell's point of presence.
    TerminalSlot,
    /// Live terminals get at most what they ask, and together at most what their slot carries.
    TerminalShare,
    /// A live terminal stands in the cell that it is served with.
    TerminalPlace,
    /// A live terminal goes no farther than policy lets it.
    TerminalAccess,
}

/// A rule broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// What breaks it, with ids.
    pub subject: String,
    /// What the plan has.
    pub found: String,
    /// What the rule allows.
    pub allowed: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?}: {}: {}; allowed: {}",
            self.rule, self.subject, self.found, self.allowed
        )
    }
}

/// Lists every rule that the plan breaks, in a fixed order; empty: a valid plan.
pub fn check(inputs: &Inputs, plan: &Plan) -> Vec<Violation> {
    Checker::default().check(inputs, plan)
}

/// [`check`] for many plans: remembers what depends only on where the cells are. That saves time and changes no verdict.
#[derive(Clone, Debug, Default)]
pub struct Checker {
    sites: Vec<Site>,
    later_neighbours: Vec<Later>,
}

impl Checker {
    /// Checks a plan as [`check`] does.
    pub fn check(&mut self, inputs: &Inputs, plan: &Plan) -> Vec<Violation> {
        let is_of = |(site, cell): (&Site, &Cell)| (site.id, site.centre) == (cell.id, cell.centre);
        let cells = &inputs.cells;
        if self.sites.len() != cells.len() || !self.sites.par_iter().zip(&cells[..]).all(is_of) {
            self.sites = cells.par_iter().map(Site::of).collect();
            self.later_neighbours = cells.par_iter().map(|c| later(c.id, cells)).collect();
        }
        Audit::new(inputs, self, plan).run()
    }
}

/// A cell of the inputs: what geodesy and H3 say of it.
#[derive(Clone, Debug)]
struct Site {
    id: CellId,
    centre: Geodetic,
    here: Observer,
}

impl Site {
    fn of(cell: &Cell) -> Self {
        Self {
            id: cell.id,
            centre: cell.centre,
            here: Observer::at(cell.centre),
        }
    }
}

/// Neighbours of a cell with greater ids than its own, as positions in the inputs; then [`NO_CELL`].
type Later = [u32; 6];

const NO_CELL: u32 = u32::MAX;

fn later(cell: CellId, all: &[Cell]) -> Later {
    let mut later = (around(cell).into_iter().filter(|&id| id > cell))
        .filter_map(|id| all.binary_search_by_key(&id, |c| c.id).ok());
    core::array::from_fn(|_| later.next().map_or(NO_CELL, |c| c as u32))
}

/// Angles computed in two ways differ by rounding, most where a cosine is near 1; this is 1 cm at 1,000 km.
const ANGLE_TOLERANCE_RAD: f64 = 1e-8;
/// Lengths likewise.
const LENGTH_TOLERANCE_M: f64 = 1e-3;
/// Free capacity below this is not "room": it is what whole kbit/s leave over.
const SPARE_KBPS: u64 = 1_000;

/// Why a link is not allowed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Elevation {
        rad: f64,
        least_rad: f64,
        when: &'static str,
    },
    Range {
        m: f64,
        most_m: f64,
        when: &'static str,
    },
    NearGso {
        rad: f64,
        least_rad: f64,
        when: &'static str,
    },
}

impl Fault {
    fn found(&self) -> String {
        match *self {
            Self::Elevation { rad, when, .. } => {
                format!("elevation {:.4} degrees at the {when}", rad.to_degrees())
            }
            Self::Range { m, when, .. } => format!("{:.3} km at the {when}", m / 1e3),
            Self::NearGso { rad, when, .. } => {
                format!(
                    "{:.4} degrees from the GSO arc at the {when}",
                    rad.to_degrees()
                )
            }
        }
    }

    fn allowed(&self) -> String {
        match *self {
            Self::Elevation { least_rad, .. } | Self::NearGso { least_rad, .. } => {
                format!("at least {:.4} degrees", least_rad.to_degrees())
            }
            Self::Range { most_m, .. } => format!("at most {:.3} km", most_m / 1e3),
        }
    }
}

/// What was found wrong.
#[derive(Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn report(
        &mut self,
        rule: Rule,
        subject: impl fmt::Display,
        found: impl fmt::Display,
        allowed: impl fmt::Display,
    ) {
        self.0.push(violation(rule, subject, found, allowed));
    }

    /// Looks at so many things; what it finds is in their order.
    fn look_at_each(&mut self, count: usize, look: impl Fn(usize, &mut Self) + Sync) {
        /// Things of one task.
        const CHUNK: usize = 1 << 12;
        let chunk = |chunk: usize| {
            let mut found = Self::default();
            (chunk * CHUNK..count.min((chunk + 1) * CHUNK)).for_each(|i| look(i, &mut found));
            found.0
        };
        let found: Vec<Vec<Violation>> = (0..count.div_ceil(CHUNK))
            .into_par_iter()
            .with_max_len(1)
            .map(chunk)
            .collect();
        found.into_iter().for_each(|found| self.0.extend(found));
    }

    /// Reports `found` if it is over `most`.
    fn at_most(
        &mut self,
        rule: Rule,
        subject: impl fmt::Display,
        found: u64,
        most: u64,
        unit: &str,
    ) {
        if found > most {
            self.report(
                rule,
                subject,
                format!("{found} {unit}"),
                format!("at most {most} {unit}"),
            );
        }
    }
}

/// Slots by their cells, and where those of each site stand among them: see [`Audit`].
type SlotsByCell = (Vec<(CellId, u32)>, Vec<(u32, u32)>);

fn slots_by_cell(sites: &[Site], plan: &Plan) -> SlotsByCell {
    let mut slots_of_cell: Vec<(CellId, u32)> = (plan.slots.iter().enumerate())
        .map(|(i, slot)| (slot.cell, i as u32))
        .collect();
    // The slots of a plan in order are sorted by cell.
    if !slots_of_cell.is_sorted() {
        slots_of_cell.par_sort_unstable();
    }
    let ids = |from: usize| slots_of_cell[from..].iter().map(|&(id, _)| id);
    let of_sites = |sites: &[Site]| {
        let mut end = slots_of_cell.partition_point(|&(id, _)| id < sites[0].id);
        let ranges = sites.iter().map(|site| {
            let start = end + ids(end).take_while(|&id| id < site.id).count();
            end = start + ids(start).take_while(|&id| id == site.id).count();
            (start as u32, end as u32)
        });
        ranges.collect::<Vec<_>>()
    };
    let ranges = sites.par_chunks(1 << 12).flat_map_iter(of_sites).collect();
    (slots_of_cell, ranges)
}

/// Loads of feeder links and lasers, added up from the landings.
type Loads = (
    BTreeMap<(GatewayId, SatId), u64>,
    BTreeMap<(SatId, SatId), u64>,
);

fn loads(plan: &Plan) -> Loads {
    let (mut feeder_kbps, mut laser_kbps) = Loads::default();
    for landing in &plan.landings {
        if let Some(&last) = landing.path.last() {
            add(
                feeder_kbps.entry((landing.gateway, last)).or_default(),
                landing.kbps,
            );
        }
        for hop in landing.path.windows(2) {
            add(
                laser_kbps.entry((hop[1], hop[0])).or_default(),
                landing.kbps,
            );
        }
    }
    (feeder_kbps, laser_kbps)
}

/// One plan under examination.
struct Audit<'a> {
    inputs: &'a Inputs,
    /// By cell of the inputs.
    sites: &'a [Site],
    later_neighbours: &'a [Later],
    plan: &'a Plan,
    /// Cells that have slots and the indices of these, ascending.
    slots_of_cell: Vec<(CellId, u32)>,
    /// The satellite, channel and beam of each of them in one number: 32 bits, 8 and 8.
    uses: Vec<u64>,
    /// Where those of each cell of the inputs begin in that list, and end.
    ranges: Vec<(u32, u32)>,
    /// Loads added up from the landings.
    feeder_kbps: BTreeMap<(GatewayId, SatId), u64>,
    laser_kbps: BTreeMap<(SatId, SatId), u64>,
    user_arc: ArcSearch,
    feeder_arc: ArcSearch,
    positions: Positions,
}

impl<'a> Audit<'a> {
    fn new(inputs: &'a Inputs, checker: &'a Checker, plan: &'a Plan) -> Self {
        let sites = &checker.sites[..];
        let ((slots_of_cell, ranges), (feeder_kbps, laser_kbps)) =
            rayon::join(|| slots_by_cell(sites, plan), || loads(plan));
        let uses = (slots_of_cell.par_iter())
            .map(|&(_, i)| {
                let slot = &plan.slots[i as usize];
                let channel = u64::from(slot.satellite.0) << 8 | u64::from(slot.channel);
                channel << 8 | u64::from(slot.beam)
            })
            .collect();
        Self {
            inputs,
            sites,
            later_neighbours: &checker.later_neighbours,
            plan,
            slots_of_cell,
            uses,
            ranges,
            feeder_kbps,
            laser_kbps,
            user_arc: ArcSearch::of(inputs.profile.user.limit),
            feeder_arc: ArcSearch::of(inputs.profile.feeder.limit),
            positions: Positions::of(inputs.satellites.iter().map(|s| s.id)),
        }
    }

    /// What is looked at, in the order in which it is reported.
    const ASPECTS: [fn(&Self, &mut Findings); 11] = [
        Self::epoch,
        Self::order,
        Self::cells,
        Self::slots,
        Self::beams,
        Self::neighbours,
        Self::landings,
        Self::feeders,
        Self::lasers,
        Self::terminals,
        Self::reasons,
    ];

    fn run(&self) -> Vec<Violation> {
        let look = |aspect: &fn(&Self, &mut Findings)| {
            let mut findings = Findings::default();
            aspect(self, &mut findings);
            findings.0
        };
        let found: Vec<Vec<Violation>> = (Self::ASPECTS.par_iter().with_max_len(1))
            .map(look)
            .collect();
        found.concat()
    }

    fn satellite(&self, id: SatId) -> Option<&'a SatelliteState> {
        let position = self.positions.of_id(id)?;
        Some(&self.inputs.satellites[position])
    }

    /// Position of a cell in the inputs.
    fn index(&self, id: CellId) -> Option<usize> {
        self.sites.binary_search_by_key(&id, |site| site.id).ok()
    }

    fn cell(&self, id: CellId) -> Option<&'a Cell> {
        Some(&self.inputs.cells[self.index(id)?])
    }

    fn gateway(&self, id: GatewayId) -> Option<&'a Gateway> {
        self.inputs.gateways.get(id.index())
    }

    fn epoch(&self, faults: &mut Findings) {
        let (plan, epoch) = (self.plan, self.inputs.epoch);
        if plan.epoch != epoch {
            faults.report(Rule::Epoch, "plan", format!("epoch {}", plan.epoch), epoch);
        }
        if (plan.start, plan.end) != (epoch.start(), epoch.end()) {
            let allowed = format!("{} to {}", epoch.start(), epoch.end());
            faults.report(
                Rule::Epoch,
                "plan",
                format!("{} to {}", plan.start, plan.end),
                allowed,
            );
        }
        let satellites = self.inputs.satellites.len();
        if plan.satellites_in_service as usize != satellites {
            faults.report(
                Rule::Epoch,
                "satellites in service",
                plan.satellites_in_service,
                satellites,
            );
        }
    }

    fn order(&self, faults: &mut Findings) {
        let plan = self.plan;
        self.ascending(faults, "cells", &plan.cells, true, |c| c.cell);
        // Two slots of a cell on one channel have a rule of their own.
        self.ascending(faults, "slots", &plan.slots, false, |s| (s.cell, s.channel));
        self.ascending(faults, "landings", &plan.landings, true, |l| {
            (
                l.path.first().copied(),
                l.path.len(),
                l.gateway,
                l.path.clone(),
            )
        });
        self.ascending(faults, "feeders", &plan.feeders, true, |f| {
            (f.gateway, f.satellite)
        });
        self.ascending(faults, "lasers", &plan.lasers, true, |l| (l.from, l.to));
        self.ascending(faults, "terminals", &plan.terminals, true, |t| t.terminal);
    }

    fn ascending<T, K: Ord>(
        &self,
        faults: &mut Findings,
        list: &str,
        items: &[T],
        strictly: bool,
        key: impl Fn(&T) -> K,
    ) {
        for (i, pair) in items.windows(2).enumerate() {
            let (before, after) = (key(&pair[0]), key(&pair[1]));
            if before > after || strictly && before == after {
                faults.report(
                    Rule::Order,
                    format!("{list} {i} and {}", i + 1),
                    "out of order",
                    "ascending",
                );
            }
        }
    }

    fn cells(&self, faults: &mut Findings) {
        let plan = self.plan;
        let mut stated: Vec<&CellOutcome> = plan.cells.iter().collect();
        stated.sort_by_key(|c| c.cell);
        let stated_for = |c: usize, id: CellId| {
            // Of several outcomes of one cell, which is a fault of order, the last. A plan in order needs no search.
            let is_last = |after: usize| {
                let own = after.checked_sub(1).and_then(|at| stated.get(at));
                own.is_some_and(|o| o.cell == id) && stated.get(after).is_none_or(|o| o.cell > id)
            };
            let after = match is_last(c + 1) {
                true => c + 1,
                false => stated.partition_point(|o| o.cell <= id),
            };
            is_last(after).then(|| stated[after - 1])
        };
        faults.look_at_each(self.sites.len(), |c, found| {
            self.cell_outcome(c, stated_for(c, self.sites[c].id), found);
        });
        stated.dedup_by_key(|c| c.cell);
        let mut known = self.sites.iter().map(|site| site.id).peekable();
        for outcome in stated {
            while known.next_if(|&id| id < outcome.cell).is_some() {}
            if known.peek() != Some(&outcome.cell) {
                faults.report(
                    Rule::CellsAccounted,
                    format_args!("cell {}", outcome.cell),
                    "in the plan",
                    "cells of the inputs",
                );
            }
        }
    }

    fn cell_outcome(&self, c: usize, outcome: Option<&CellOutcome>, found: &mut Findings) {
        let cell = &self.inputs.cells[c];
        let mut wrong = |rule, what: String, allowed: String| {
            found.report(rule, format_args!("cell {}", cell.id), what, allowed);
        };
        let Some(outcome) = outcome else {
            wrong(
                Rule::CellsAccounted,
                "not in the plan".into(),
                "every cell of the inputs".into(),
            );
            return;
        };
        if (outcome.terminals, outcome.demand_kbps) != (cell.terminals, cell.demand_kbps) {
            let say = |terminals, kbps| format!("{terminals} terminals asking {kbps} kbit/s");
            wrong(
                Rule::CellsAccounted,
                say(outcome.terminals, outcome.demand_kbps),
                say(cell.terminals, cell.demand_kbps),
            );
        }
        let mut slots = 0;
        let (mut sum, mut terminals) = (0_u64, 0_u64);
        for slot in self.slots_of(c) {
            slots += 1;
            sum += u64::from(slot.delivered_kbps);
            terminals += u64::from(slot.terminals);
        }
        if outcome.delivered_kbps != sum {
            wrong(
                Rule::CellSum,
                format!("{} kbit/s delivered", outcome.delivered_kbps),
                format!("{sum}, the sum of its slots"),
            );
        }
        if sum > cell.demand_kbps {
            wrong(
                Rule::CellSum,
                format!("{sum} kbit/s delivered"),
                format!("at most {} kbit/s delivered", cell.demand_kbps),
            );
        }
        if outcome.unserved.is_none() != (sum > 0) {
            let stated = outcome.unserved;
            wrong(
                Rule::ServedFlag,
                stated.map_or("served".to_owned(), |r| format!("unserved, {r:?}")),
                format!("what {sum} kbit/s delivered say"),
            );
        }
        if slots > 0 && terminals != u64::from(cell.terminals) {
            wrong(
                Rule::SlotTerminals,
                format!("{terminals} terminals on its slots"),
                cell.terminals.to_string(),
            );
        }
    }

    /// The slots of a cell of the inputs.
    fn slots_of(&self, c: usize) -> impl Iterator<Item = &'a Slot> + use<'a, '_> {
        let (plan, (start, end)) = (self.plan, self.ranges[c]);
        self.slots_of_cell[start as usize..end as usize]
            .iter()
            .map(move |&(_, i)| &plan.slots[i as usize])
    }

    fn slots(&self, faults: &mut Findings) {
        faults.look_at_each(self.sites.len(), |c, found| {
            self.slots_of(c)
                .for_each(|slot| self.slot(slot, Some(c), found));
        });
        // Between those of the cells stand those of none.
        let all = self.slots_of_cell.len() as u32;
        let mut end = 0;
        for &(start, next) in self.ranges.iter().chain([&(all, all)]) {
            for &(_, i) in &self.slots_of_cell[end as usize..start as usize] {
                self.slot(&self.plan.slots[i as usize], None, faults);
            }
            end = next;
        }
    }

    fn slot(&self, slot: &Slot, cell: Option<usize>, found: &mut Findings) {
        let user = &self.inputs.profile.user;
        let mut wrong =
            |rule, what: String, allowed: String| found.report(rule, describe(slot), what, allowed);
        if slot.channel >= user.channels {
            wrong(
                Rule::SlotExists,
                format!("channel {}", slot.channel),
                format!("below {}", user.channels),
            );
        }
        if slot.beam >= user.beams_per_channel {
            wrong(
                Rule::BeamsPerChannel,
                format!("beam {}", slot.beam),
                format!("below {}", user.beams_per_channel),
            );
        }
        if slot.slices == 0 {
            wrong(
                Rule::TimeSlices,
                "no time slice".into(),
                "at least 1".into(),
            );
        }
        if slot.delivered_kbps > slot.radio_kbps {
            let most = format!("at most its radio's {}", slot.radio_kbps);
            wrong(
                Rule::DeliveredOverRadio,
                format!("{} kbit/s delivered", slot.delivered_kbps),
                most,
            );
        }
        if slot.delivered_kbps > 0 {
            match self.plan.landings.get(slot.landing as usize) {
                None => wrong(
                    Rule::SlotExists,
                    format!("landing {}", slot.landing),
                    format!("below {}", self.plan.landings.len()),
                ),
                Some(landing) if landing.path.first() != Some(&slot.satellite) => wrong(
                    Rule::SlotExists,
                    format!("landing {} of another satellite", slot.landing),
                    "one of its satellite".into(),
                ),
                Some(_) => {}
            }
        }
        let satellite = self.satellite(slot.satellite);
        if cell.is_none() {
            wrong(
                Rule::SlotExists,
                "a cell without demand".into(),
                "cells of the inputs".into(),
            );
        }
        if satellite.is_none() {
            wrong(
                Rule::SlotExists,
                "a satellite out of service".into(),
                "satellites of the inputs".into(),
            );
        }
        let (Some(cell), Some(satellite)) = (cell, satellite) else {
            return;
        };
        let fade = self.fade(cell);
        let here = &self.sites[cell].here;
        let sights = here.sights(satellite);
        for (model, fade, kbps, what) in [
            (&user.down, fade.map(|f| f.down), slot.radio_kbps, "down"),
            (&user.up, fade.map(|f| f.up), slot.radio_up_kbps, "up"),
        ] {
            let most = self.most_kbps(model, fade, sights, slot.slices);
            if u64::from(kbps) > most {
                wrong(
                    Rule::RadioRate,
                    format!("{kbps} kbit/s {what}"),
                    format!("at most {most}"),
                );
            }
        }
        if let Some(fault) = self.user_fault(here, satellite) {
            let near_arc = matches!(fault, Fault::NearGso { .. });
            let rule = if near_arc {
                Rule::UserGso
            } else {
                Rule::UserMask
            };
            wrong(rule, fault.found(), fault.allowed());
        }
    }

    /// What the radio carries in some of a beam's slices for the whole epoch: at the worse of its ends.
    fn most_kbps(
        &self,
        model: &RateModel,
        fade: Option<Fade>,
        sights: [Sight; 2],
        slices: u8,
    ) -> u64 {
        let kbps = match model {
            // The physics is the profile's; that the plan goes by it and not by its own table is what is checked.
            RateModel::LinkBudget(budget) => {
                f64::from(budget.least_kbps(sights, fade.unwrap_or(budget.clear())))
            }
            _ => {
                let [start, end] = sights.map(|sight| rate_kbps(model, sight));
                start.min(end)
            }
        };
        let slices_of_beam = f64::from(self.inputs.profile.user.time_slices);
        // To the nearest; none is negative.
        (kbps * f64::from(slices) / slices_of_beam + 0.5) as u64
    }

    fn fade(&self, c: usize) -> Option<CellFade> {
        self.inputs.weather.cells.get(c).copied()
    }

    /// Whether a beam carries anything to the cell for the whole epoch. The planner may round a fade up.
    fn carries(&self, c: usize, satellite: &SatelliteState) -> Carries {
        let sights = self.sites[c].here.sights(satellite);
        let model = &self.inputs.profile.user.down;
        let RateModel::LinkBudget(budget) = model else {
            return match self.most_kbps(model, None, sights, 255) {
                0 => Carries::Nothing,
                _ => Carries::Something,
            };
        };
        let fade = self.fade(c).map_or(budget.clear(), |f| f.down);
        let left = |more_db: f64| {
            sights.into_iter().all(|sight| {
                let db = fade.db(sight.sin_elevation) + more_db;
                budget.lines(sight.sin_elevation, sight.range_m, db).kbps > 0
            })
        };
        match (left(0.0), left(FADE_ROUNDING_DB)) {
            (false, _) => Carries::Nothing,
            (true, false) => Carries::Hardly,
            (true, true) => Carries::Something,
        }
    }

    /// What an antenna of a gateway carries to a satellite for the whole epoch.
    fn feeder_kbps(&self, gateway: GatewayId, here: &Observer, satellite: &SatelliteState) -> u64 {
        let fade = self.inputs.weather.gateways.get(gateway.index()).copied();
        let feeder = &self.inputs.profile.feeder;
        feeder.least_kbps(here.sights(satellite), fade)
    }

    fn user_fault(&self, here: &Observer, satellite: &SatelliteState) -> Option<Fault> {
        let limit = self.inputs.profile.user.limit;
        link_fault(limit, &self.user_arc, here, satellite)
    }

    fn feeder_fault(
        &self,
        gateway: &Gateway,
        here: &Observer,
        satellite: &SatelliteState,
    ) -> Option<Fault> {
        let mut limit = self.inputs.profile.feeder.limit;
        if let (
            LinkLimit::Elevation {
                min_elevation_rad, ..
            },
            Some(own),
        ) = (&mut limit, gateway.min_elevation_rad)
        {
            *min_elevation_rad = own;
        }
        link_fault(limit, &self.feeder_arc, here, satellite)
    }

    fn laser_fault(&self, a: &SatelliteState, b: &SatelliteState) -> Option<(String, String)> {
        if self
            .inputs
            .lasers
            .binary_search(&(a.id.min(b.id), a.id.max(b.id)))
            .is_err()
        {
            return Some(("no such link".to_owned(), "lasers of the inputs".to_owned()));
        }
        let limits = &self.inputs.profile.laser;
        for (a, b, when) in [(a.start, b.start, "start"), (a.end, b.end, "end")] {
            let length_m = (a.0 - b.0).norm();
            if length_m > limits.max_range_m + LENGTH_TOLERANCE_M {
                let found = format!("{:.3} km at the {when}", length_m / 1e3);
                return Some((found, format!("at most {:.3} km", limits.max_range_m / 1e3)));
            }
            // No ground is higher than the equator: what stays that far from the Earth's centre needs no search.
            if least_radius_m(a, b) >= EQUATOR_M + limits.min_grazing_height_m {
                continue;
            }
            let height_m = least_height_m(a, b);
            if height_m < limits.min_grazing_height_m - GRAZING_TOLERANCE_M {
                let found = format!("{:.3} km above the ellipsoid at the {when}", height_m / 1e3);
                return Some((
                    found,
                    format!("at least {:.3} km", limits.min_grazing_height_m / 1e3),
                ));
            }
        }
        None
    }

    /// Slices of each beam, and a channel once in a cell.
    fn beams(&self, faults: &mut Findings) {
        let user = &self.inputs.profile.user;
        let (channels, beams) = (
            usize::from(user.channels),
            usize::from(user.beams_per_channel),
        );
        let mut used = vec![0_u64; self.inputs.satellites.len() * channels * beams];
        for slot in &self.plan.slots {
            let (channel, beam) = (usize::from(slot.channel), usize::from(slot.beam));
            // Beams that do not exist are reported as such.
            if let Some(s) = self.positions.of_id(slot.satellite)
                && channel < channels
                && beam < beams
            {
                used[(s * channels + channel) * beams + beam] += u64::from(slot.slices);
            }
        }
        let slices = u64::from(user.time_slices);
        let over = used.into_iter().enumerate().filter(|&(_, n)| n > slices);
        for (i, used) in over {
            let (s, channel, beam) = (i / beams / channels, i / beams % channels, i % beams);
            let satellite = self.inputs.satellites[s].id;
            faults.at_most(
                Rule::TimeSlices,
                format_args!("satellite {satellite}, channel {channel}, beam {beam}"),
                used,
                slices,
                "time slices",
            );
        }
        let repeated = |slots: &[(CellId, u32)]| {
            let slot = |&(_, i): &(CellId, u32)| self.plan.slots[i as usize].channel;
            let mut channels: Vec<u8> = slots.iter().map(slot).collect();
            channels.sort_unstable();
            let pairs = channels.windows(2).filter(|pair| pair[0] == pair[1]);
            let repeated = pairs.map(|pair| (slots[0].0, pair[0]));
            repeated.collect::<Vec<_>>()
        };
        let repeated: Vec<(CellId, u8)> = (self.slots_of_cell)
            .par_chunk_by(|a, b| a.0 == b.0)
            .filter(|slots| slots.len() > 1)
            .flat_map_iter(repeated)
            .collect();
        for (cell, channel) in repeated {
            faults.report(
                Rule::ChannelOncePerCell,
                format!("cell {cell}, channel {channel}"),
                "two slots",
                "one",
            );
        }
    }

    fn neighbours(&self, faults: &mut Findings) {
        faults.look_at_each(self.sites.len(), |c, found| self.disturbed_by(c, found));
    }

    /// Slots of a cell and of a later neighbour on two beams of one channel of a satellite.
    fn disturbed_by(&self, c: usize, found: &mut Findings) {
        let slots_of = |(start, end): (u32, u32)| start as usize..end as usize;
        let own = slots_of(self.ranges[c]);
        let later = self.later_neighbours[c].iter();
        for &other in later.take_while(|&&other| other != NO_CELL) {
            let theirs = slots_of(self.ranges[other as usize]);
            for (i, j) in (own.clone()).flat_map(|i| theirs.clone().map(move |j| (i, j))) {
                // The same but for the beam.
                let (one, two) = (self.uses[i], self.uses[j]);
                if one == two || one >> 8 != two >> 8 {
                    continue;
                }
                let [.., channel, _] = one.to_be_bytes();
                let satellite = SatId((one >> 16) as u32);
                let [a, b] = [i, j].map(|i| self.slots_of_cell[i].0);
                found.report(
                    Rule::NeighbourChannel,
                    format!("satellite {satellite}, channel {channel}, cells {a} and {b}"),
                    format!("beams {} and {}", one as u8, two as u8),
                    "one beam in turn, or two channels",
                );
            }
        }
    }

    fn landings(&self, faults: &mut Findings) {
        let mut delivered: BTreeMap<SatId, u64> = BTreeMap::new();
        let mut in_service = vec![0; self.inputs.satellites.len()];
        for slot in &self.plan.slots {
            let sum = match self.positions.of_id(slot.satellite) {
                Some(s) => &mut in_service[s],
                None => delivered.entry(slot.satellite).or_default(),
            };
            add(sum, slot.delivered_kbps.into());
        }
        delivered.extend(self.inputs.satellites.iter().map(|s| s.id).zip(in_service));
        let mut landed: BTreeMap<SatId, u64> = BTreeMap::new();
        for (i, landing) in self.plan.landings.iter().enumerate() {
            self.landing_path(faults, i, landing);
            if let Some(&first) = landing.path.first() {
                add(landed.entry(first).or_default(), landing.kbps);
            }
        }
        let satellites: BTreeSet<SatId> = delivered.keys().chain(landed.keys()).copied().collect();
        for satellite in satellites {
            let of = |sums: &BTreeMap<SatId, u64>| sums.get(&satellite).copied().unwrap_or(0);
            if of(&delivered) != of(&landed) {
                let found = format!("{} kbit/s on its landings", of(&landed));
                let allowed = format!("{}, what its slots deliver", of(&delivered));
                faults.report(
                    Rule::LandingSum,
                    format!("satellite {satellite}"),
                    found,
                    allowed,
                );
            }
        }
    }

    fn landing_path(&self, faults: &mut Findings, i: usize, landing: &Landing) {
        let subject = format!("landing {i}");
        let mut seen = BTreeSet::new();
        for &satellite in &landing.path {
            if self.satellite(satellite).is_none() {
                let found = format!("satellite {satellite} out of service");
                faults.report(
                    Rule::LandingPath,
                    &subject,
                    found,
                    "satellites of the inputs",
                );
            }
            if !seen.insert(satellite) {
                faults.report(
                    Rule::LandingPath,
                    &subject,
                    format!("satellite {satellite} twice"),
                    "once",
                );
            }
        }
        if landing.path.is_empty() {
            faults.report(Rule::LandingPath, &subject, "no satellite", "at least one");
        }
        if self.gateway(landing.gateway).is_none() {
            let found = format!("gateway {}", landing.gateway);
            faults.report(Rule::LandingPath, &subject, found, "gateways of the inputs");
        }
    }

    fn feeders(&self, faults: &mut Findings) {
        let stated: BTreeMap<_, _> = self
            .plan
            .feeders
            .iter()
            .map(|f| ((f.gateway, f.satellite), f.kbps))
            .collect();
        let loads = self.feeder_kbps.clone();
        let name = |(gateway, satellite): (GatewayId, SatId)| {
            format!("gateway {gateway}, satellite {satellite}")
        };
        self.same_loads(faults, Rule::FeederSum, &stated, &loads, name);
        let profile = self.inputs.profile.clone();
        let limits = &profile.feeder;
        let mut of_gateway: BTreeMap<GatewayId, (u64, u64)> = BTreeMap::new();
        let mut of_satellite: BTreeMap<SatId, u64> = BTreeMap::new();
        for (&(gateway, satellite), &kbps) in &loads {
            let most = match (self.gateway(gateway), self.satellite(satellite)) {
                (Some(site), Some(state)) => {
                    self.feeder_kbps(gateway, &Observer::at(site.place), state)
                }
                _ => limits.antenna_kbps,
            };
            faults.at_most(
                Rule::AntennaRate,
                name((gateway, satellite)),
                kbps,
                most,
                "kbit/s",
            );
            let (links, total) = of_gateway.entry(gateway).or_default();
            *links += 1;
            add(total, kbps);
            add(of_satellite.entry(satellite).or_default(), kbps);
            if let (Some(site), Some(state)) = (self.gateway(gateway), self.satellite(satellite))
                && let Some(fault) = self.feeder_fault(site, &Observer::at(site.place), state)
            {
                let subject = name((gateway, satellite));
                faults.report(Rule::FeederMask, subject, fault.found(), fault.allowed());
            }
        }
        for (gateway, (links, total)) in of_gateway {
            let Some(site) = self.gateway(gateway) else {
                continue;
            };
            let antennas = u64::from(site.antennas);
            let subject = format!("gateway {gateway} ({})", site.name);
            let most = antennas.saturating_mul(limits.antenna_kbps);
            faults.at_most(Rule::GatewayRate, &subject, total, most, "kbit/s");
            if limits.antennas_track_one_satellite {
                faults.at_most(
                    Rule::GatewayAntennas,
                    &subject,
                    links,
                    antennas,
                    "satellites tracked",
                );
            }
        }
        for (satellite, total) in of_satellite {
            let subject = format!("satellite {satellite}");
            faults.at_most(
                Rule::SatelliteFeederRate,
                subject,
                total,
                limits.satellite_kbps,
                "kbit/s",
            );
        }
    }

    fn lasers(&self, faults: &mut Findings) {
        let stated: BTreeMap<_, _> = self
            .plan
            .lasers
            .iter()
            .map(|l| ((l.from, l.to), l.kbps))
            .collect();
        let loads = self.laser_kbps.clone();
        let name = |(from, to): (SatId, SatId)| format!("laser from satellite {from} to {to}");
        self.same_loads(faults, Rule::LaserSum, &stated, &loads, name);
        let most = self.inputs.profile.laser.kbps;
        for (&(from, to), &kbps) in &loads {
            faults.at_most(Rule::LaserRate, name((from, to)), kbps, most, "kbit/s");
            if let (Some(a), Some(b)) = (self.satellite(from), self.satellite(to))
                && let Some((found, allowed)) = self.laser_fault(a, b)
            {
                faults.report(Rule::Laser, name((from, to)), found, allowed);
            }
        }
    }

    fn same_loads<K: Ord + Copy>(
        &self,
        faults: &mut Findings,
        rule: Rule,
        stated: &BTreeMap<K, u64>,
        loads: &BTreeMap<K, u64>,
        name: impl Fn(K) -> String,
    ) {
        let keys: BTreeSet<K> = stated.keys().chain(loads.keys()).copied().collect();
        for key in keys {
            let say = |sums: &BTreeMap<K, u64>| {
                sums.get(&key)
                    .map_or("nothing".into(), |kbps| format!("{kbps} kbit/s"))
            };
            if stated.get(&key) != loads.get(&key) {
                faults.report(
                    rule,
                    name(key),
                    say(stated),
                    format!("{}, the sum of its landings", say(loads)),
                );
            }
        }
    }

    fn terminals(&self, faults: &mut Findings) {
        let inputs = self.inputs;
        let stated: BTreeMap<_, _> = self
            .plan
            .terminals
            .iter()
            .map(|t| (t.terminal, t))
            .collect();
        let mut shares: BTreeMap<u32, (u64, u64, u64)> = BTreeMap::new();
        for live in inputs.live.iter() {
            let subject = format!("terminal {}", live.id);
            let Some(outcome) = stated.get(&live.id) else {
                faults.report(
                    Rule::TerminalsAccounted,
                    subject,
                    "not in the plan",
                    "every live terminal",
                );
                continue;
            };
            if outcome.cell != live.cell {
                faults.report(
                    Rule::TerminalsAccounted,
                    &subject,
                    format!("cell {}", outcome.cell),
                    live.cell,
                );
            }
            let Ok(service) = outcome.service else {
                continue;
            };
            if service.access > live.access || service.access == Access::None {
                let found = format!("served, access {:?}", service.access);
                let allowed = format!("at most {:?}", live.access);
                faults.report(Rule::TerminalAccess, &subject, found, allowed);
            }
            let Some(slot) = self.plan.slots.get(service.slot as usize) else {
                let allowed = format!("below {}", self.plan.slots.len());
                faults.report(
                    Rule::TerminalSlot,
                    subject,
                    format!("slot {}", service.slot),
                    allowed,
                );
                continue;
            };
            if slot.cell != live.cell {
                faults.report(
                    Rule::TerminalSlot,
                    &subject,
                    format!("a slot of cell {}", slot.cell),
                    live.cell,
                );
            }
            if let Some(cell) = self.cell(live.cell)
                && cell.pop != service.pop
            {
                let found = format!("point of presence {}", service.pop);
                faults.report(Rule::TerminalSlot, &subject, found, cell.pop);
            }
            faults.at_most(
                Rule::TerminalShare,
                &subject,
                service.down_kbps.into(),
                live.ask_kbps.into(),
                "kbit/s down",
            );
            faults.at_most(
                Rule::TerminalShare,
                &subject,
                service.up_kbps.into(),
                live.most_up_kbps.into(),
                "kbit/s up",
            );
            self.terminal_place(faults, &subject, live);
            let (count, down, up) = shares.entry(service.slot).or_default();
            let Service {
                down_kbps, up_kbps, ..
            } = service;
            (*count, *down, *up) = (
                *count + 1,
                *down + u64::from(down_kbps),
                *up + u64::from(up_kbps),
            );
        }
        for (i, (count, down, up)) in shares {
            let slot = self.plan.slots[i as usize];
            let subject = format!("live terminals on slot {i}");
            faults.at_most(
                Rule::TerminalShare,
                &subject,
                count,
                slot.terminals.into(),
                "terminals",
            );
            faults.at_most(
                Rule::TerminalShare,
                &subject,
                down,
                slot.delivered_kbps.into(),
                "kbit/s down",
            );
            faults.at_most(
                Rule::TerminalShare,
                &subject,
                up,
                slot.radio_up_kbps.into(),
                "kbit/s up",
            );
        }
        for id in stated.keys() {
            if inputs.live.binary_search_by_key(id, |t| t.id).is_err() {
                faults.report(
                    Rule::TerminalsAccounted,
                    format!("terminal {id}"),
                    "in the plan",
                    "live terminals",
                );
            }
        }
    }

    /// Links are planned to the centre of a cell. From a place at distance d from it the satellite stands at most asin(d/range)
    /// elsewhere in the sky and the horizon is tilted by at most d/6,335 km: 1.4 degrees for the 10 km of a resolution 5 cell and a
    /// satellite 500 km up. So much is forgiven to a terminal, and only to one that is in its cell.
    fn terminal_place(&self, faults: &mut Findings, subject: &str, live: &LiveTerminal) {
        let Ok(stated) = CellIndex::try_from(live.cell.0) else {
            return;
        };
        let Ok(place) = LatLng::new(live.place.lat_deg(), live.place.lon_deg()) else {
            return;
        };
        let holds = place.to_cell(stated.resolution());
        if holds != stated {
            let found = format!("a place in cell {}", CellId(holds.into()));
            faults.report(
                Rule::TerminalPlace,
                subject,
                found,
                format!("a place in cell {}", live.cell),
            );
        }
    }

    fn reasons(&self, faults: &mut Findings) {
        let unserved: Vec<(usize, Reason)> = (self.plan.cells.iter())
            .filter_map(|outcome| Some((outcome.cell, outcome.unserved?)))
            .filter_map(|(cell, reason)| Some((self.index(cell)?, reason)))
            .collect();
        if !unserved.is_empty() {
            let ground = Ground::new(self);
            let found: Vec<Violation> = unserved
                .par_iter()
                .filter_map(|&(c, stated)| self.reason(&ground, c, stated))
                .collect();
            faults.0.extend(found);
        }
        if self.plan.terminals.is_empty() {
            return;
        }
        let outcomes: BTreeMap<CellId, Option<Reason>> = self
            .plan
            .cells
            .iter()
            .map(|c| (c.cell, c.unserved))
            .collect();
        let forbidden = |id: TerminalId| {
            let live = &self.inputs.live;
            let at = live.binary_search_by_key(&id, |t| t.id);
            at.is_ok_and(|at| live[at].access == Access::None)
        };
        for terminal in &self.plan.terminals {
            let expected = match outcomes.get(&terminal.cell) {
                _ if forbidden(terminal.terminal) => Some(Reason::Forbidden),
                None => Some(Reason::NoCell),
                Some(reason) => *reason,
            };
            let found = terminal.service.err();
            if found != expected {
                let say = |reason: Option<Reason>| {
                    reason.map_or("served".to_owned(), |r| format!("unserved, {r:?}"))
                };
                let subject = format!("terminal {}", terminal.terminal);
                faults.report(
                    Rule::Reason,
                    subject,
                    say(found),
                    format!("{}, as policy and its cell say", say(expected)),
                );
            }
        }
    }

    /// Compares the reason stated for an unserved cell with the true ones.
    fn reason(&self, ground: &Ground, c: usize, stated: Reason) -> Option<Violation> {
        let cell = &self.inputs.cells[c];
        let allowed = match self.true_reasons(ground, c) {
            Ok(reasons) if reasons.contains(&stated) => return None,
            Ok(reasons) => format!("{reasons:?}"),
            Err(way) => format!("served: {way}"),
        };
        Some(violation(
            Rule::Reason,
            format!("cell {}", cell.id),
            format!("unserved, {stated:?}"),
            allowed,
        ))
    }

    /// Why a cell that gets nothing gets nothing; or how it could be served.
    ///
    /// Each satellite that is high enough, clear of the arc and has a way to a gateway fails for its own reason, and each of these is
    /// true; without such a satellite there is one reason, that of the satellite that came nearest.
    fn true_reasons(&self, ground: &Ground, c: usize) -> Result<BTreeSet<Reason>, String> {
        let mut slots = self.slots_of(c).peekable();
        if slots.peek().is_some() {
            return match slots.find(|slot| ground.spare.contains(&slot.satellite)) {
                Some(slot) => Err(format!(
                    "there is room on the way from satellite {}",
                    slot.satellite
                )),
                None => Ok([Reason::BackhaulFull].into()),
            };
        }
        let (mut near_arc, mut adrift, mut faded) = (false, false, false);
        let mut reasons = BTreeSet::new();
        let (cell, here) = (&self.inputs.cells[c], &self.sites[c].here);
        for satellite in ground.near(cell) {
            match self.user_fault(here, satellite) {
                Some(Fault::NearGso { .. }) => near_arc = true,
                Some(_) => {}
                None if self.carries(c, satellite) == Carries::Nothing => faded = true,
                None if !ground.grounded.contains(&satellite.id) => adrift = true,
                None => match ground.place_for(self, cell, satellite.id) {
                    Place::Free { .. } if self.carries(c, satellite) == Carries::Hardly => {
                        reasons.extend([Reason::Faded, Reason::BackhaulFull]);
                    }
                    Place::Free { channel, beam } if ground.spare.contains(&satellite.id) => {
                        return Err(format!(
                            "satellite {}, channel {channel}, beam {beam} is free",
                            satellite.id
                        ));
                    }
                    Place::Free { .. } => _ = reasons.insert(Reason::BackhaulFull),
                    Place::Conflict => _ = reasons.insert(Reason::ChannelConflict),
                    Place::Full => _ = reasons.insert(Reason::NoFreeSlot),
                },
            }
        }
        if reasons.is_empty() {
            reasons.insert(match (adrift, faded, near_arc) {
                (true, ..) => Reason::NoGatewayPath,
                (false, true, _) => Reason::Faded,
                (false, false, true) => Reason::GsoExclusion,
                (false, false, false) => Reason::NoSatelliteInReach,
            });
        }
        Ok(reasons)
    }
}

/// What is left of the network when the plan is carried out: for the reasons of unserved cells.
struct Ground<'a> {
    /// Satellites from which some gateway can be reached at all.
    grounded: BTreeSet<SatId>,
    /// Those from which it can be reached over links that all have room.
    spare: BTreeSet<SatId>,
    /// Slices used of each beam, and who has them.
    beams: BTreeMap<(SatId, u8, u8), (u32, Vec<CellId>)>,
    /// Satellites by the sine of their geocentric latitude.
    by_latitude: Vec<(f64, &'a SatelliteState)>,
    /// How far from a point of the ground, seen from the Earth's centre, satellites within the user limit may stand.
    reach_rad: f64,
}

#[derive(PartialEq, Eq)]
enum Carries {
    Nothing,
    /// So little that a plan which rounds the fade up may see nothing.
    Hardly,
    Something,
}

/// How much a plan may round a fade up: an eighth of a decibel, and the next steps of slope and elevation in its tables.
const FADE_ROUNDING_DB: f64 = 1.0;

/// A place on the ground, and the normal of the ellipsoid there.
#[derive(Clone, Copy, Debug)]
struct Observer {
    origin: Ecef,
    up: Vec3,
    /// Distance from the Earth's axis, and where it stands about it: cosine and sine of the longitude.
    aside_m: f64,
    meridian: (f64, f64),
    /// No visible point of the GSO arc is south of the first of these declinations or north of the second; sines and cosines.
    arc_between: [(f64, f64); 2],
}

impl Observer {
    fn at(place: Geodetic) -> Self {
        let origin = place.to_ecef();
        let aside_m = origin.0.x.hypot(origin.0.y).max(1e-9);
        // Declinations of the arc lie between that of its nearest point and that of points a quarter turn away, which are below every
        // horizon but the poles'.
        let sine = |distance_m: f64| -origin.0.z / distance_m.hypot(origin.0.z);
        let far_m = ArcSearch::RADIUS_M.hypot(aside_m);
        let [one, other] = [ArcSearch::RADIUS_M - aside_m, far_m].map(sine);
        let with_cosine = |sine: f64| (sine, (1.0 - sine * sine).max(0.0).sqrt());
        Self {
            origin,
            up: place.up(),
            aside_m,
            meridian: (origin.0.x / aside_m, origin.0.y / aside_m),
            arc_between: [one.min(other), one.max(other)].map(with_cosine),
        }
    }

    /// How a satellite stands at both ends of the epoch.
    fn sights(&self, satellite: &SatelliteState) -> [Sight; 2] {
        [satellite.start, satellite.end].map(|p| {
            let range_m = p.distance_m(self.origin);
            Sight {
                sin_elevation: (p.0 - self.origin.0).dot(self.up) / range_m,
                range_m,
            }
        })
    }
}

enum Place {
    Free { channel: u8, beam: u8 },
    Conflict,
    Full,
}

impl<'a> Ground<'a> {
    fn new(checker: &Audit<'a>) -> Self {
        let inputs = checker.inputs;
        let mut beams: BTreeMap<_, (u32, Vec<CellId>)> = BTreeMap::new();
        for slot in &checker.plan.slots {
            let (used, cells) = beams
                .entry((slot.satellite, slot.channel, slot.beam))
                .or_default();
            *used += u32::from(slot.slices);
            cells.push(slot.cell);
        }
        let mut by_latitude: Vec<_> = inputs
            .satellites
            .iter()
            .map(|s| (s.start.0.z / s.start.0.norm(), s))
            .collect();
        by_latitude.sort_by(|a, b| a.0.total_cmp(&b.0));
        let highest_m = inputs
            .satellites
            .iter()
            .map(|s| s.start.0.norm())
            .fold(0.0, f64::max);
        let mut ground = Self {
            grounded: BTreeSet::new(),
            spare: BTreeSet::new(),
            beams,
            by_latitude,
            reach_rad: reach_rad(inputs.profile.user.limit, highest_m),
        };
        ground.explore(checker);
        ground
    }

    /// Finds from which satellites the ground can be reached, and from which with room to spare.
    fn explore(&mut self, checker: &Audit<'a>) {
        let inputs = checker.inputs;
        let limits = &inputs.profile.feeder;
        let mut of_gateway: BTreeMap<GatewayId, (u64, u64)> = BTreeMap::new();
        let mut of_satellite: BTreeMap<SatId, u64> = BTreeMap::new();
        for (&(gateway, satellite), &kbps) in &checker.feeder_kbps {
            let (links, total) = of_gateway.entry(gateway).or_default();
            *links += 1;
            add(total, kbps);
            add(of_satellite.entry(satellite).or_default(), kbps);
        }
        let room = |used: u64, most: u64| used.saturating_add(SPARE_KBPS) <= most;
        let sites: Vec<Observer> = inputs
            .gateways
            .iter()
            .map(|g| Observer::at(g.place))
            .collect();
        let touched: Vec<(bool, bool)> = inputs
            .satellites
            .par_iter()
            .map(|satellite| {
                let mut touched = (false, false);
                for (g, (site, here)) in inputs.gateways.iter().zip(&sites).enumerate() {
                    let id = GatewayId(g as u32);
                    if site.antennas == 0 || checker.feeder_fault(site, here, satellite).is_some() {
                        continue;
                    }
                    let most = checker.feeder_kbps(id, here, satellite);
                    if most == 0 {
                        continue;
                    }
                    touched.0 = true;
                    let load = checker.feeder_kbps.get(&(id, satellite.id)).copied();
                    let (links, total) = of_gateway.get(&id).copied().unwrap_or((0, 0));
                    let antennas = u64::from(site.antennas);
                    let antenna =
                        load.is_some() || !limits.antennas_track_one_satellite || links < antennas;
                    touched.1 |= antenna
                        && room(load.unwrap_or(0), most)
                        && room(total, antennas.saturating_mul(limits.antenna_kbps))
                        && room(
                            of_satellite.get(&satellite.id).copied().unwrap_or(0),
                            limits.satellite_kbps,
                        );
                }
                touched
            })
            .collect();
        // (from nearer the gateway, to), for every link that is up, each way.
        let mut links: BTreeMap<SatId, Vec<SatId>> = BTreeMap::new();
        for &(a, b) in inputs.lasers.iter() {
            if let (Some(x), Some(y)) = (checker.satellite(a), checker.satellite(b))
                && checker.laser_fault(x, y).is_none()
            {
                links.entry(a).or_default().push(b);
                links.entry(b).or_default().push(a);
            }
        }
        let spread = |first: Vec<SatId>, passes: &dyn Fn(SatId, SatId) -> bool| {
            let mut reached: BTreeSet<SatId> = first.iter().copied().collect();
            let mut todo = first;
            while let Some(from) = todo.pop() {
                for &to in links.get(&from).into_iter().flatten() {
                    if passes(from, to) && reached.insert(to) {
                        todo.push(to);
                    }
                }
            }
            reached
        };
        let first = |chosen: &dyn Fn(&(bool, bool)) -> bool| -> Vec<SatId> {
            let satellites = inputs.satellites.iter().zip(&touched);
            satellites
                .filter(|(_, touched)| chosen(touched))
                .map(|(satellite, _)| satellite.id)
                .collect()
        };
        self.grounded = spread(first(&|t| t.0), &|_, _| true);
        let laser_room = |from, to| {
            room(
                checker.laser_kbps.get(&(from, to)).copied().unwrap_or(0),
                inputs.profile.laser.kbps,
            )
        };
        self.spare = spread(first(&|t| t.1), &laser_room);
    }

    /// Satellites that may be in reach of a cell: all that are near enough, seen from the Earth's centre.
    fn near(&self, cell: &Cell) -> Vec<&'a SatelliteState> {
        let up = cell.centre.to_ecef().0.unit();
        let latitude = up.z.clamp(-1.0, 1.0).asin();
        let low = (latitude - self.reach_rad).max(-PI / 2.0).sin();
        let high = (latitude + self.reach_rad).min(PI / 2.0).sin();
        let from = self.by_latitude.partition_point(|&(z, _)| z < low);
        let cos_reach = self.reach_rad.min(PI).cos();
        (self.by_latitude[from..].iter())
            .take_while(|&&(z, _)| z <= high)
            .map(|&(_, satellite)| satellite)
            .filter(|satellite| satellite.start.0.dot(up) >= cos_reach * satellite.start.0.norm())
            .collect()
    }

    /// Whether a satellite could take a cell that has no slot yet.
    fn place_for(&self, checker: &Audit<'a>, cell: &Cell, satellite: SatId) -> Place {
        let user = &checker.inputs.profile.user;
        let around = around(cell.id);
        let mut place = Place::Full;
        for channel in 0..user.channels {
            let beam_of = |beam: u8| self.beams.get(&(satellite, channel, beam));
            let met: Vec<u8> = (0..user.beams_per_channel)
                .filter(|&beam| {
                    beam_of(beam).is_some_and(|(_, cells)| cells.iter().any(|c| around.contains(c)))
                })
                .collect();
            for beam in 0..user.beams_per_channel {
                if beam_of(beam).map_or(0, |(used, _)| *used) >= u32::from(user.time_slices) {
                    continue;
                }
                if met.iter().all(|&other| other == beam) {
                    return Place::Free { channel, beam };
                }
                place = Place::Conflict;
            }
        }
        place
    }
}

fn violation(
    rule: Rule,
    subject: impl fmt::Display,
    found: impl fmt::Display,
    allowed: impl fmt::Display,
) -> Violation {
    Violation {
        rule,
        subject: subject.to_string(),
        found: found.to_string(),
        allowed: allowed.to_string(),
    }
}

fn describe(slot: &Slot) -> String {
    format!(
        "slot of cell {}, satellite {}, channel {}, beam {}",
        slot.cell, slot.satellite, slot.channel, slot.beam
    )
}

/// Rates of a plan may come from anywhere: a sum that overflows is over every limit.
fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more);
}

/// The neighbours of a cell, without itself; none for what is not a cell.
fn around(cell: CellId) -> Vec<CellId> {
    let Ok(index) = CellIndex::try_from(cell.0) else {
        return Vec::new();
    };
    index
        .grid_disk::<Vec<_>>(1)
        .into_iter()
        .map(|c| CellId(c.into()))
        .filter(|&c| c != cell)
        .collect()
}

/// The limit that a link between a ground point and a satellite breaks at either end of the epoch: range or elevation before the
/// GSO arc.
fn link_fault(
    limit: LinkLimit,
    arc: &ArcSearch,
    here: &Observer,
    satellite: &SatelliteState,
) -> Option<Fault> {
    let [start, end] = here.sights(satellite);
    let ends = [
        (start, satellite.start, "start"),
        (end, satellite.end, "end"),
    ];
    let least_rad = match limit {
        LinkLimit::Range {
            max_range_m: most_m,
        } => {
            let mut ranges = ends
                .into_iter()
                .map(|(sight, _, when)| (sight.range_m, when));
            let too_far = ranges.find(|&(m, _)| m > most_m + LENGTH_TOLERANCE_M);
            return too_far.map(|(m, when)| Fault::Range { m, most_m, when });
        }
        LinkLimit::Elevation {
            min_elevation_rad, ..
        } => min_elevation_rad,
    };
    let least_sin = least_rad.sin();
    for (sight, _, when) in ends {
        if sight.sin_elevation >= least_sin {
            continue;
        }
        let rad = sight.sin_elevation.clamp(-1.0, 1.0).asin();
        if rad < least_rad - ANGLE_TOLERANCE_RAD {
            return Some(Fault::Elevation {
                rad,
                least_rad,
                when,
            });
        }
    }
    let least_rad = arc.enough_rad;
    if least_rad <= 0.0 {
        return None;
    }
    let angles = ends
        .into_iter()
        .map(|(_, position, when)| (arc.angle_rad(here, position), when));
    let mut near = angles.filter(|&(rad, _)| rad < least_rad - ANGLE_TOLERANCE_RAD);
    near.next().map(|(rad, when)| Fault::NearGso {
        rad,
        least_rad,
        when,
    })
}

/// The least angle between a satellite and the GSO arc above the horizon, by looking at points of the arc.
///
/// # Algorithm
/// All of the arc that any place can see lies within 90 degrees of longitude. Six stretches of 30 degrees are looked at in the
/// middle. Seen from the ground 1 degree of the arc is at most 42164/35786 degrees: a stretch of which even the end is then far
/// enough is done with, any other is cut in two, down to 0.03 degrees. The nearest point is then missed by up to 0.015 degrees of
/// arc, so that the angle errs by 1e-7 rad at 18 degrees, where verdicts turn, by up to 3e-4 rad right before the arc, and never
/// below the truth.
struct ArcSearch {
    /// The angle beyond which nothing more needs to be known: one above it may come out too large.
    enough_rad: f64,
    /// Its sine and cosine.
    enough: (f64, f64),
    /// The cosine of the angle from the middle of a stretch at which all of it is far enough, by how often it was cut.
    far_enough: [f64; ARC_CUTS + 1],
    /// Sine and cosine of the longitude from a stretch's middle to that of either half.
    to_half: [(f64, f64); ARC_CUTS + 1],
}

/// How often a stretch of the arc is cut in two: 30 degrees to 0.03.
const ARC_CUTS: usize = 10;

impl ArcSearch {
    /// Recommendation ITU-R S.1503-3: 42,164.2 km.
    const RADIUS_M: f64 = 42_164_200.0;

    fn of(limit: LinkLimit) -> Self {
        let enough_rad = match limit {
            LinkLimit::Elevation {
                gso_exclusion_rad, ..
            } => gso_exclusion_rad,
            LinkLimit::Range { .. } => 0.0,
        };
        let half_width_rad: [f64; ARC_CUTS + 1] =
            core::array::from_fn(|cuts| PI / 12.0 / (1_u32 << cuts) as f64);
        Self {
            enough_rad,
            enough: enough_rad.sin_cos(),
            far_enough: half_width_rad.map(|half| (enough_rad + 1.2 * half).min(PI).cos()),
            to_half: half_width_rad.map(|half| (half / 2.0).sin_cos()),
        }
    }

    /// Whether a sine is that of an angle so much greater than another, given by its sine and cosine, that it is enough.
    fn is_beyond(&self, (least, cos_least): (f64, f64), sine: f64) -> bool {
        let (sin, cos) = self.enough;
        // Of an angle of more than 90 degrees nothing is beyond.
        cos_least * cos > least * sin && sine >= least * cos + cos_least * sin
    }

    /// The angle; π if it is enough and the arc below the horizon, or by its declination alone.
    fn angle_rad(&self, here: &Observer, satellite: Ecef) -> f64 {
        let toward = (satellite.0 - here.origin.0).unit();
        // No direction is nearer to another than their declinations are to each other.
        let [(low, cos_low), high] = here.arc_between;
        if self.is_beyond(high, toward.z) || self.is_beyond((-low, cos_low), -toward.z) {
            return PI;
        }
        // All in a frame turned to the observer's own longitude: x outward, y east.
        let (cos, sin) = here.meridian;
        let turn = |v: Vec3| Vec3::new(v.x * cos + v.y * sin, v.y * cos - v.x * sin, v.z);
        let origin = Vec3::new(here.aside_m, 0.0, here.origin.0.z);
        let (up, toward) = (turn(here.up), turn(toward));
        let mut nearest = -1.0;
        // Sine and cosine of the longitude of the middle, and how often the stretch was cut.
        let mut stretches = [((0.0, 0.0), 0); 6 + ARC_CUTS];
        let mut count = 0;
        for middle in ARC_MIDDLES.iter() {
            stretches[count] = (*middle, 0);
            count += 1;
        }
        while count > 0 {
            count -= 1;
            let ((sin, cos), cuts) = stretches[count];
            let to_arc = Vec3::new(Self::RADIUS_M * cos, Self::RADIUS_M * sin, 0.0) - origin;
            let cosine = to_arc.dot(toward) / to_arc.norm();
            if to_arc.dot(up) >= 0.0 {
                nearest = cosine.max(nearest);
            }
            if cosine <= self.far_enough[cuts] || cuts == ARC_CUTS {
                continue;
            }
            let (s, c) = self.to_half[cuts];
            stretches[count] = ((sin * c - cos * s, cos * c + sin * s), cuts + 1);
            stretches[count + 1] = ((sin * c + cos * s, cos * c - sin * s), cuts + 1);
            count += 2;
        }
        nearest.clamp(-1.0, 1.0).acos()
    }
}

/// Sine and cosine of the longitudes in the middle of six stretches of 30 degrees, from 90 degrees west to 90 degrees east.
static ARC_MIDDLES: LazyLock<[(f64, f64); 6]> =
    LazyLock::new(|| core::array::from_fn(|i| (PI / 6.0 * (i as f64 - 2.5)).sin_cos()));

/// The semi-major axis of WGS84 (NGA.STND.0036, 2014, table 3.1).
const EQUATOR_M: f64 = 6_378_137.0;

/// Distance from the Earth's centre to the nearest point of the straight line between two points.
fn least_radius_m(a: Ecef, b: Ecef) -> f64 {
    let line = b.0 - a.0;
    let part = (-a.0.dot(line) / line.dot(line)).clamp(0.0, 1.0);
    (a.0 + line * part).norm()
}

/// Height is convex along a chord; after 40 thirds the bracket of a 10,000 km chord is a metre wide, and height there flat.
const GRAZING_TOLERANCE_M: f64 = 100.0;

/// Least height above the ellipsoid along the straight line between two points.
fn least_height_m(a: Ecef, b: Ecef) -> f64 {
    let height = |part: f64| Ecef(a.0 + (b.0 - a.0) * part).to_geodetic().height_m;
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..40 {
        let (one, two) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        if height(one) < height(two) {
            high = two;
        } else {
            low = one;
        }
    }
    height((low + high) / 2.0).min(height(0.0)).min(height(1.0))
}

/// Linear between the points of a rate model, constant beyond. Link budgets are asked for both ends at once.
fn rate_kbps(model: &RateModel, sight: Sight) -> f64 {
    let RateModel::ByElevation(points) = model else {
        return f64::from(model.kbps(sight, None));
    };
    let elevation_rad = sight.sin_elevation.clamp(-1.0, 1.0).asin();
    for pair in points.windows(2) {
        let ((from, low), (to, high)) = (pair[0], pair[1]);
        if (from..=to).contains(&elevation_rad) {
            let part = (elevation_rad - from) / (to - from);
            return f64::from(low) * (1.0 - part) + f64::from(high) * part;
        }
    }
    let end = if points.first().is_some_and(|p| elevation_rad < p.0) {
        points.first()
    } else {
        points.last()
    };
    end.map_or(0.0, |&(_, kbps)| f64::from(kbps))
}

/// How far, seen from the Earth's centre, a satellite within the limit may stand from a point of the ground. On a sphere of the
/// least radius of the Earth, with a degree added for the ellipsoid (its normals turn by up to 0.2 degrees).
fn reach_rad(limit: LinkLimit, highest_m: f64) -> f64 {
    const LEAST_RADIUS_M: f64 = 6_356_000.0;
    let margin = PI / 180.0;
    match limit {
        LinkLimit::Elevation {
            min_elevation_rad, ..
        } => {
            (LEAST_RADIUS_M * min_elevation_rad.cos() / highest_m)
                .clamp(-1.0, 1.0)
                .acos()
                - min_elevation_rad
                + margin
        }
        LinkLimit::Range { max_range_m } => {
            2.0 * (max_range_m / (2.0 * LEAST_RADIUS_M)).min(1.0).asin() + margin
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use skyweave_radio::GsoArc;

    fn looks_like_the_radios_search(lat: f64, lon: f64, dlat: f64, dlon: f64) {
        let place = Geodetic::from_degrees(lat, lon).unwrap();
        let above = Geodetic {
            lat_rad: (place.lat_rad + dlat.to_radians()).clamp(-PI / 2.0, PI / 2.0),
            lon_rad: place.lon_rad + dlon.to_radians(),
            height_m: 550e3,
        };
        let satellite = above.to_ecef();
        let search = ArcSearch::of(LinkLimit::Elevation {
            min_elevation_rad: 0.0,
            gso_exclusion_rad: 18.0_f64.to_radians(),
        });
        let found = search.angle_rad(&Observer::at(place), satellite);
        let truth = GsoArc::seen_from(place).separation_rad(satellite);
        assert!(found > truth - 1e-8, "{found} {truth}");
        if truth < search.enough_rad {
            // A point within half of 0.03 degrees of the arc was looked at, across the line of sight; 1e-6 rad is ten times what that
            // takes of an angle of 18 degrees.
            let beside = (0.015 * 42164.2 / 35786.0_f64).to_radians();
            // Near 81 degrees of latitude only a short arc is above the horizon, and its end may be the nearest: then along it.
            let most = match lat.abs() > 80.0 {
                true => truth + beside,
                false => truth.hypot(beside),
            };
            assert!(found < most + 1e-6, "{found} {truth}");
        } else {
            assert!(
                found >= search.enough_rad - ANGLE_TOLERANCE_RAD,
                "{found} {truth}"
            );
        }
    }

    #[test]
    fn right_before_the_arc_the_angle_errs_by_no_more_than_the_step() {
        looks_like_the_radios_search(-62.198_559_570_845_31, 0.0, 10.181_612_236_317_836, 0.0);
    }

    #[test]
    fn at_the_end_of_a_short_arc_the_angle_errs_along_it() {
        looks_like_the_radios_search(
            -81.186_942_740_285_15,
            0.0,
            11.314_626_701_623_872,
            -7.735_635_107_881_841,
        );
    }

    proptest! {
        /// Against the radio's own search, which follows the slope.
        #[test]
        fn looking_at_points_finds_the_nearest_of_the_arc(
            lat in -89.0..89.0_f64, lon in -180.0..180.0_f64, dlat in -12.0..12.0_f64, dlon in -12.0..12.0_f64,
        ) {
            looks_like_the_radios_search(lat, lon, dlat, dlon);
        }

        /// A chord between satellites comes nowhere nearer to the centre than its lowest height above the equator's radius.
        #[test]
        fn a_chord_is_no_lower_than_its_distance_from_the_centre_says(
            lat in -80.0..80.0_f64, to_lat in -80.0..80.0_f64, lon in -180.0..180.0_f64, turn in 1.0..40.0_f64,
        ) {
            let at = |lat, lon| {
                Geodetic { height_m: 550e3, ..Geodetic::from_degrees(lat, lon).unwrap() }.to_ecef()
            };
            let (a, b) = (at(lat, lon), at(to_lat, (lon + turn + 180.0).rem_euclid(360.0) - 180.0));
            prop_assert!(least_height_m(a, b) >= least_radius_m(a, b) - EQUATOR_M - 1e-3);
        }
    }
}
