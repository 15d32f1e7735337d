//! Findings: what a study adds up to, in the units in which people read it. All of the report is in here.

use super::cases::{CaseKind, Score};
use super::tally::{CellTally, HourTally, STEPS};
use super::{CURVE, CaseResult, PLACED, Study};
use crate::places::cities;
use h3o::{CellIndex, LatLng, Resolution};
use serde::{Deserialize, Serialize};
use skyweave_base::Utc;
use skyweave_plan::Reason;
use std::collections::BTreeMap;

/// The figures of an area's national plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// The area as the scenario writes it.
    pub area: String,
    /// When the first plan begins.
    pub first_plan: Utc,
    /// When the last plan ends.
    pub last_plan_end: Utc,
    /// Seconds from one plan to the next.
    pub step_s: u32,
    /// How many plans the day has.
    pub plans: u32,
    /// Instants at which conditions were compared.
    pub samples: u32,
    /// The area as a whole.
    pub totals: Totals,
    /// What is asked at each full hour of the local day, as a part of the busiest hour's; `None`: the same at all.
    pub demand_by_hour: Option<[f64; 24]>,
    /// By hour of the day, UTC.
    pub hours: Vec<HourFinding>,
    /// By cell, ascending.
    pub cells: Vec<CellFinding>,
    /// By plan.
    pub epochs: Vec<EpochFinding>,
    /// Capacity against number of terminals.
    pub curve: Vec<CurvePoint>,
    /// Where more terminals stop being worth it; `None` if they never do up to the end of the curve.
    pub knee: Option<Knee>,
    /// Gateways that carry traffic of the area, the busiest first.
    pub gateways: Vec<GatewayFinding>,
    /// The gateway that limits first: of those that carry at least a twentieth of the area's traffic, the one that is most used.
    pub bottleneck: Option<String>,
    /// Points of presence, those of most terminals first.
    pub pops: Vec<PopFinding>,
    /// What breaks it, the worst first.
    pub losses: Vec<CaseFinding>,
    /// What would help, the best first.
    pub remedies: Vec<CaseFinding>,
    /// Where more terminals go.
    pub placements: Vec<PlacementFinding>,
    /// Why terminals were unserved, the most frequent first.
    pub unserved: Vec<ReasonFinding>,
    /// Cells that cannot have what they are entitled to, whatever is planned; those that lack most first.
    pub infeasible: Vec<InfeasibleFinding>,
    /// The largest cities, for maps.
    pub landmarks: Vec<Landmark>,
}

/// The area as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Cells with terminals.
    pub cells: u64,
    /// People in all cells of the area (if [`people_known`](Self::people_known); else weights of the scenario's spread).
    pub people: u64,
    /// True if the scenario's spread goes by people.
    pub people_known: bool,
    /// People in cells with terminals.
    pub people_in_cells_with_terminals: u64,
    /// Terminals.
    pub terminals: u64,
    /// What they ask together in the mean, Gbit/s.
    pub demand_gbps: f64,
    /// What they get in the mean, Gbit/s.
    pub delivered_gbps: f64,
    /// Mean share of terminals that are served, per cent.
    pub availability_percent: f64,
    /// Cells that were served in every plan.
    pub cells_always_served: u64,
    /// Cells that were served in no plan.
    pub cells_never_served: u64,
    /// What a terminal asks in the mean, Mbit/s.
    pub asked_mbps: f64,
    /// What it asks in its busiest hour, Mbit/s.
    pub asked_most_mbps: f64,
    /// Mean rate of a terminal, Mbit/s.
    pub rate_mbps: f64,
    /// Mean rate of the 5 % of terminals, over all plans, that get least, Mbit/s.
    pub rate_worst_5_percent_mbps: f64,
    /// Mean rate of the 5 % that get most, Mbit/s.
    pub rate_best_5_percent_mbps: f64,
    /// Terminals by the per cent of their ask that they get, rounded down: 0 to 100, as shares of all.
    pub rate_shares: Vec<f64>,
    /// Mean round trip to the point of presence by what is delivered, ms.
    pub round_trip_ms: f64,
    /// Share of what is delivered that passes at least one laser, per cent.
    pub lasers_percent: f64,
    /// Share of served terminals of the region that change satellite from one plan to the next, per cent.
    pub moved_percent: f64,
    /// What the network can deliver to the area when the most terminals of the curve ask, Gbit/s.
    pub capacity_gbps: f64,
}

/// An hour of the day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HourFinding {
    /// UTC.
    pub hour_utc: u8,
    /// Share of terminals that are served, per cent.
    pub availability_percent: f64,
    /// Asked, Gbit/s.
    pub demand_gbps: f64,
    /// Delivered, Gbit/s.
    pub delivered_gbps: f64,
    /// What a terminal asks in the mean, Mbit/s.
    pub asked_mbps: f64,
    /// Mean rate of a terminal, Mbit/s.
    pub rate_mbps: f64,
    /// Mean rate of the 5 % that get least, Mbit/s.
    pub rate_worst_5_percent_mbps: f64,
    /// Mean rate of the 5 % that get most, Mbit/s.
    pub rate_best_5_percent_mbps: f64,
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellFinding {
    /// Its H3 index.
    pub cell: String,
    /// Latitude of its centre, degrees.
    pub lat_deg: f64,
    /// Longitude of its centre, degrees.
    pub lon_deg: f64,
    /// People (or the weight of the scenario's spread).
    pub people: u64,
    /// Terminals.
    pub terminals: u32,
    /// Plans in which it is served, per cent; `None` without terminals.
    pub availability_percent: Option<f64>,
    /// Mean rate of a terminal, Mbit/s.
    pub rate_mbps: Option<f64>,
    /// Mean round trip to its point of presence, ms.
    pub round_trip_ms: Option<f64>,
    /// The shortest way over a plan, ms.
    pub round_trip_least_ms: Option<f64>,
    /// The longest way over a plan, ms.
    pub round_trip_most_ms: Option<f64>,
    /// Of what it gets, the share that passes at least one laser, per cent.
    pub lasers_percent: Option<f64>,
    /// Its point of presence.
    pub pop: Option<String>,
    /// The most frequent reason of plans without service.
    pub reason: Option<Reason>,
    /// Plans without service.
    pub plans_unserved: u32,
    /// What it gets in the mean when the most terminals of the curve ask, Mbit/s.
    pub capacity_mbps: f64,
}

/// A cell whose terminals ask more than all beams that it may have could bring if nobody else asked anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InfeasibleFinding {
    /// Its H3 index.
    pub cell: String,
    /// Latitude of its centre, degrees.
    pub lat_deg: f64,
    /// Longitude of its centre, degrees.
    pub lon_deg: f64,
    /// Terminals.
    pub terminals: u32,
    /// The most that they ask together in a plan of the day, Mbit/s.
    pub asked_mbps: f64,
    /// The most that the beams in reach could bring at any of the samples, Mbit/s.
    pub most_mbps: f64,
    /// Terminals that this would satisfy.
    pub terminals_satisfied: u32,
    /// Why, in plain words.
    pub words: String,
}

/// A plan of the day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochFinding {
    /// Its number.
    pub epoch: i64,
    /// When it begins.
    pub start: Utc,
    /// Cells served.
    pub cells_served: u32,
    /// Terminals there are.
    pub terminals: u64,
    /// Those in cells that are served.
    pub terminals_served: u64,
    /// Asked by the area, kbit/s.
    pub demand_kbps: u64,
    /// Delivered to the area, kbit/s.
    pub delivered_kbps: u64,
    /// Satellites that serve the area.
    pub satellites: u32,
    /// Delivered to the area and all around it that was planned too, kbit/s.
    pub region_delivered_kbps: u64,
    /// Carried by all gateways, kbit/s.
    pub gateways_kbps: u64,
}

/// A point of the curve of capacity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Terminals.
    pub terminals: u64,
    /// What they ask, Gbit/s.
    pub demand_gbps: f64,
    /// What they get, Gbit/s.
    pub delivered_gbps: f64,
    /// Each, Mbit/s.
    pub rate_mbps: f64,
    /// Share that is served, per cent.
    pub availability_percent: f64,
    /// True for the number of the scenario.
    pub is_scenario: bool,
}

/// The knee of the curve: the number of terminals from which on a terminal more adds less than half of what it asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Knee {
    /// The last point of the curve before it.
    pub terminals: u64,
    /// Delivered there, Gbit/s.
    pub delivered_gbps: f64,
    /// What a terminal more adds up to the next point, Mbit/s.
    pub added_mbps: f64,
}

/// A gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GatewayFinding {
    /// Its name.
    pub name: String,
    /// Latitude, degrees.
    pub lat_deg: f64,
    /// Longitude, degrees.
    pub lon_deg: f64,
    /// Antennas.
    pub antennas: u32,
    /// Share of the area's traffic, per cent.
    pub area_share_percent: f64,
    /// The area's traffic, Gbit/s, mean.
    pub area_gbps: f64,
    /// All traffic, Gbit/s, mean.
    pub gbps: f64,
    /// All traffic, Gbit/s, most.
    pub most_gbps: f64,
    /// What its antennas carry together, Gbit/s.
    pub limit_gbps: f64,
    /// All traffic over the limit, per cent, mean.
    pub used_percent: f64,
    /// Antennas that track a satellite, mean.
    pub antennas_used: f64,
    /// Plans in which nothing was left of it, per cent.
    pub full_percent: f64,
}

/// A point of presence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PopFinding {
    /// Its code.
    pub code: String,
    /// Its city.
    pub city: String,
    /// Cells that it serves.
    pub cells: u64,
    /// Terminals that it serves.
    pub terminals: u64,
    /// Mean round trip, ms.
    pub round_trip_ms: f64,
}

/// A case beside the scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseFinding {
    /// For people.
    pub name: String,
    /// What kind it is.
    pub kind: CaseKind,
    /// At how many instants it was compared.
    pub samples: u32,
    /// Terminals that lose (if below zero: gain) service in the plan that follows, mean over the samples.
    pub terminals_lost: f64,
    /// The same for good: in the last plan of the window.
    pub terminals_lost_after: f64,
    /// People in cells that lose service in the plan that follows.
    pub people_lost: f64,
    /// Delivered less in the plan that follows, at what the scenario asks, per cent of before.
    pub delivered_lost_percent: f64,
    /// Delivered less when the most terminals of the curve ask, per cent of before: the loss of capacity.
    pub capacity_lost_percent: f64,
    /// The same, Gbit/s.
    pub capacity_lost_gbps: f64,
    /// Plans until as many terminals are served as without the loss, less one in a thousand; the worst sample. 0: the first plan that
    /// knows of it serves them. `None`: not within the window.
    pub plans_to_restore: Option<u32>,
}

/// More terminals, placed in one way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlacementFinding {
    /// By need or by capacity.
    pub kind: CaseKind,
    /// How many.
    pub terminals: u64,
    /// In which cells, those with most first.
    pub cells: Vec<Placed>,
    /// Of what they ask, the share that is delivered in addition, per cent.
    pub delivered_percent: f64,
    /// Share of all terminals, old and new, that is served then, per cent.
    pub availability_percent: f64,
}

/// Terminals placed in a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    /// The cell.
    pub cell: String,
    /// Latitude of its centre, degrees.
    pub lat_deg: f64,
    /// Longitude of its centre, degrees.
    pub lon_deg: f64,
    /// The largest city within 60 km, if there is one.
    pub near: Option<String>,
    /// How many.
    pub terminals: u32,
}

/// A reason for plans without service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReasonFinding {
    /// Its code.
    pub reason: Reason,
    /// In plain words.
    pub words: String,
    /// Terminals without service for it, mean over the plans.
    pub terminals: f64,
    /// Cells that were without service for it in at least one plan.
    pub cells: u64,
}

/// A city on a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Landmark {
    /// Its name.
    pub name: String,
    /// Latitude, degrees.
    pub lat_deg: f64,
    /// Longitude, degrees.
    pub lon_deg: f64,
}

/// A polygon of a map: a cell, or of a large area several together.
#[derive(Clone, Debug, PartialEq)]
pub struct MapCell {
    /// Its corners: longitude and latitude, degrees.
    pub outline: Vec<(f64, f64)>,
    /// Which of the [`Findings::cells`] it stands for.
    pub cells: Vec<usize>,
}

/// The polygons of maps of these findings: the cells, or their parents if there are more than `most`.
pub fn map_cells(cells: &[CellFinding], most: usize) -> Vec<MapCell> {
    let indexed: Vec<(CellIndex, usize)> = cells
        .iter()
        .enumerate()
        .filter_map(|(i, c)| Some((c.cell.parse().ok()?, i)))
        .collect();
    let resolutions = [
        Resolution::Five,
        Resolution::Four,
        Resolution::Three,
        Resolution::Two,
    ];
    let mut grouped = BTreeMap::<CellIndex, Vec<usize>>::new();
    for resolution in resolutions {
        grouped.clear();
        for &(cell, i) in &indexed {
            let parent = cell.parent(resolution).unwrap_or(cell);
            grouped.entry(parent).or_default().push(i);
        }
        if grouped.len() <= most {
            break;
        }
    }
    let polygon = |(cell, cells): (CellIndex, Vec<usize>)| {
        let centre = LatLng::from(cell).lng();
        // Corners on the far side of the antimeridian are drawn beyond it.
        let near = |lon: f64| lon - 360.0 * ((lon - centre) / 360.0).round();
        let corners = cell.boundary();
        MapCell {
            outline: corners.iter().map(|c| (near(c.lng()), c.lat())).collect(),
            cells,
        }
    };
    grouped.into_iter().map(polygon).collect()
}

pub(super) fn of(study: &Study) -> Findings {
    let day = &study.day;
    let plans = day.epochs.len() as u32;
    let first = day.epochs.first().expect("a study has at least one plan");
    let last = day.epochs.last().expect("a study has at least one plan");
    let capacity = capacity_of_cells(study);
    let cells: Vec<CellFinding> = (0..study.area.len())
        .map(|i| cell(study, i, plans, capacity[i]))
        .collect();
    let gateways = gateways(study, plans);
    let limits_first = gateways.iter().filter(|g| g.area_share_percent >= 5.0);
    let bottleneck = limits_first
        .max_by(|a, b| a.used_percent.total_cmp(&b.used_percent))
        .map(|g| g.name.clone());
    let curve = curve(study);
    let mut losses = Vec::new();
    let mut remedies = Vec::new();
    let mut placements = Vec::new();
    let cities = Cities::of(study);
    for (case, results) in study.cases.iter().zip(&study.results) {
        if case.kind.is_loss() {
            losses.push(compared(&case.name, case.kind, results));
        } else if case.kind.is_remedy() {
            remedies.push(compared(&case.name, case.kind, results));
        } else {
            let placed = &study.placements[placements.len()];
            placements.push(placement(study, case.kind, placed, results, &cities));
        }
    }
    let badness = |c: &CaseFinding| (c.terminals_lost, c.capacity_lost_gbps);
    let worst_first = |a: &CaseFinding, b: &CaseFinding| {
        let (a, b) = (badness(a), badness(b));
        b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
    };
    losses.sort_by(worst_first);
    remedies.sort_by(|a, b| worst_first(b, a));
    Findings {
        area: study.question.area.clone(),
        first_plan: first.epoch.start().into(),
        last_plan_end: last.epoch.end().into(),
        step_s: study.question.stride * 15,
        plans,
        samples: study.question.samples,
        totals: totals(study, &cells, &curve),
        demand_by_hour: study.world.demand_by_hour().map(|curve| *curve.hours()),
        hours: day.hours.iter().map(|(&h, t)| hour(h, t)).collect(),
        epochs: day
            .epochs
            .iter()
            .map(|e| EpochFinding {
                epoch: e.epoch.0,
                start: e.epoch.start().into(),
                cells_served: e.cells_served,
                terminals: e.terminals,
                terminals_served: e.terminals_served,
                demand_kbps: e.demand_kbps,
                delivered_kbps: e.delivered_kbps,
                satellites: e.satellites,
                region_delivered_kbps: e.region_delivered_kbps,
                gateways_kbps: e.gateways_kbps,
            })
            .collect(),
        knee: knee(&curve, mbps(study.rate_kbps.into())),
        curve,
        gateways,
        bottleneck,
        pops: pops(study),
        losses,
        remedies,
        placements,
        unserved: unserved(study, plans),
        infeasible: infeasible(study),
        landmarks: cities.largest(8),
        cells,
    }
}

fn gbps(kbps: f64) -> f64 {
    kbps / 1e6
}

fn mbps(kbps: f64) -> f64 {
    kbps / 1e3
}

/// `part` for each of `whole`; 0 of nothing.
fn per(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

/// `part` of `whole` in per cent; 0 of nothing.
fn percent(part: f64, whole: f64) -> f64 {
    100.0 * per(part, whole)
}

/// What each cell gets in the mean when the most terminals of the curve ask, kbit/s.
fn capacity_of_cells(study: &Study) -> Vec<f64> {
    let samples = study.curve.len().max(1) as f64;
    (0..study.area.len())
        .map(|i| study.curve.iter().map(|c| c.full_kbps[i]).sum::<u64>() as f64 / samples)
        .collect()
}

fn totals(study: &Study, cells: &[CellFinding], curve: &[CurvePoint]) -> Totals {
    let day = &study.day;
    let plans = day.epochs.len() as f64;
    let mut all = HourTally::default();
    for hour in day.hours.values() {
        all.terminals += hour.terminals;
        all.terminals_served += hour.terminals_served;
        all.demand_kbps += hour.demand_kbps;
        all.delivered_kbps += hour.delivered_kbps;
        for (a, b) in all.rates.iter_mut().zip(&hour.rates) {
            *a += b;
        }
    }
    let with_terminals = cells.iter().filter(|c| c.terminals > 0);
    let tallies = day.cells.iter().filter(|c| c.terminals > 0);
    let round_trips: u128 = day.cells.iter().map(|c| c.round_trips).sum();
    let lasers: u64 = day.cells.iter().map(|c| c.lasers_kbps).sum();
    let delivered = all.delivered_kbps as f64;
    let (worst, best) = tails(&all.rates);
    let asked_mbps = mbps(per(all.demand_kbps as f64, all.terminals as f64));
    Totals {
        cells: with_terminals.clone().count() as u64,
        people: study.area.iter().map(|c| c.people).sum(),
        people_known: study.people_known,
        people_in_cells_with_terminals: with_terminals.map(|c| c.people).sum(),
        terminals: day.cells.iter().map(|c| u64::from(c.terminals)).sum(),
        demand_gbps: gbps(all.demand_kbps as f64 / plans),
        delivered_gbps: gbps(delivered / plans),
        availability_percent: percent(all.terminals_served as f64, all.terminals as f64),
        cells_always_served: tallies.clone().filter(|c| c.unserved.is_empty()).count() as u64,
        cells_never_served: tallies.filter(|c| c.served == 0).count() as u64,
        asked_mbps,
        asked_most_mbps: mbps(study.rate_kbps.into()),
        rate_mbps: mbps(per(delivered, all.terminals as f64)),
        rate_worst_5_percent_mbps: worst * asked_mbps,
        rate_best_5_percent_mbps: best * asked_mbps,
        rate_shares: {
            let terminals = all.terminals.max(1) as f64;
            all.rates.iter().map(|&n| n as f64 / terminals).collect()
        },
        round_trip_ms: mean_us(round_trips, all.delivered_kbps).unwrap_or(0.0) / 1e3,
        lasers_percent: percent(lasers as f64, delivered),
        moved_percent: percent(day.moved_terminals as f64, day.could_move_terminals as f64),
        capacity_gbps: curve.last().map_or(0.0, |p| p.delivered_gbps),
    }
}

fn mean_us(sum: u128, weight: u64) -> Option<f64> {
    (weight > 0).then(|| sum as f64 / weight as f64)
}

/// Mean parts of their ask that the 5 % with least and the 5 % with most get, from how many get each whole per cent.
fn tails(rates: &[u64]) -> (f64, f64) {
    let all: u64 = rates.iter().sum();
    let of = |steps: &mut dyn Iterator<Item = usize>| {
        let wanted = all.div_ceil(20);
        let mut left = wanted;
        let mut sum = 0;
        for step in steps {
            let taken = rates[step].min(left);
            sum += taken * step as u64;
            left -= taken;
        }
        if wanted == 0 {
            0.0
        } else {
            sum as f64 / (100 * wanted) as f64
        }
    };
    (of(&mut (0..STEPS)), of(&mut (0..STEPS).rev()))
}

fn hour(hour_utc: u8, tally: &HourTally) -> HourFinding {
    let plans = f64::from(tally.plans.max(1));
    let (worst, best) = tails(&tally.rates);
    let asked_mbps = mbps(per(tally.demand_kbps as f64, tally.terminals as f64));
    HourFinding {
        hour_utc,
        availability_percent: percent(tally.terminals_served as f64, tally.terminals as f64),
        demand_gbps: gbps(tally.demand_kbps as f64 / plans),
        delivered_gbps: gbps(tally.delivered_kbps as f64 / plans),
        asked_mbps,
        rate_mbps: mbps(per(tally.delivered_kbps as f64, tally.terminals as f64)),
        rate_worst_5_percent_mbps: worst * asked_mbps,
        rate_best_5_percent_mbps: best * asked_mbps,
    }
}

fn centre(cell: u64) -> (f64, f64) {
    let centre = CellIndex::try_from(cell).map(LatLng::from);
    centre.map_or((0.0, 0.0), |c| (c.lat(), c.lng()))
}

fn cell(study: &Study, i: usize, plans: u32, capacity_kbps: f64) -> CellFinding {
    let (of_area, tally): (_, &CellTally) = (&study.area[i], &study.day.cells[i]);
    let (lat_deg, lon_deg) = centre(of_area.id.0);
    let has = tally.terminals > 0;
    let ms = |us: u32| (us > 0).then(|| f64::from(us) / 1e3);
    let pop = study
        .world
        .cells
        .binary_search_by_key(&of_area.id, |c| c.id);
    let pop = pop.map(|c| {
        study.world.pops()[study.world.cells[c].pop.index()]
            .code
            .clone()
    });
    let most_frequent = tally
        .unserved
        .iter()
        .max_by_key(|(reason, n)| (**n, core::cmp::Reverse(**reason)));
    CellFinding {
        cell: of_area.id.to_string(),
        lat_deg,
        lon_deg,
        people: of_area.people,
        terminals: tally.terminals,
        availability_percent: has.then(|| percent(tally.served.into(), plans.into())),
        rate_mbps: has.then(|| {
            let terminals = f64::from(tally.terminals) * f64::from(plans);
            mbps(tally.delivered_kbps as f64 / terminals)
        }),
        round_trip_ms: mean_us(tally.round_trips, tally.delivered_kbps).map(|us| us / 1e3),
        round_trip_least_ms: ms(tally.fastest_us),
        round_trip_most_ms: ms(tally.slowest_us),
        lasers_percent: (tally.delivered_kbps > 0)
            .then(|| percent(tally.lasers_kbps as f64, tally.delivered_kbps as f64)),
        pop: pop.ok(),
        reason: most_frequent.map(|(reason, _)| *reason),
        plans_unserved: tally.unserved.values().sum(),
        capacity_mbps: mbps(capacity_kbps),
    }
}

fn curve(study: &Study) -> Vec<CurvePoint> {
    let samples = study.curve.len().max(1) as f64;
    let mut points: Vec<CurvePoint> = (0..=CURVE.len())
        .map(|i| {
            let mut sum = Score::default();
            study.curve.iter().for_each(|c| sum.add(&c.points[i]));
            CurvePoint {
                terminals: sum.terminals / study.curve.len().max(1) as u64,
                demand_gbps: gbps(sum.demand_kbps as f64 / samples),
                delivered_gbps: gbps(sum.delivered_kbps as f64 / samples),
                rate_mbps: mbps(per(sum.delivered_kbps as f64, sum.terminals as f64)),
                availability_percent: percent(sum.terminals_served as f64, sum.terminals as f64),
                is_scenario: i == CURVE.len(),
            }
        })
        .collect();
    points.sort_by_key(|p| (p.terminals, p.is_scenario));
    // The scenario's own number may be one of the curve's.
    points.dedup_by(|later, kept| {
        let same = later.terminals == kept.terminals;
        kept.is_scenario |= same && later.is_scenario;
        same
    });
    points
}

fn knee(curve: &[CurvePoint], asked_mbps: f64) -> Option<Knee> {
    curve.windows(2).find_map(|pair| {
        let terminals = (pair[1].terminals - pair[0].terminals) as f64;
        let added_mbps = (pair[1].delivered_gbps - pair[0].delivered_gbps) * 1e3 / terminals;
        (added_mbps < asked_mbps / 2.0).then(|| Knee {
            terminals: pair[0].terminals,
            delivered_gbps: pair[0].delivered_gbps,
            added_mbps,
        })
    })
}

fn gateways(study: &Study, plans: u32) -> Vec<GatewayFinding> {
    let plans = f64::from(plans);
    let area_kbps: u64 = study.day.gateways.iter().map(|g| g.area_kbps).sum();
    let feeder = &study.world.profile().feeder;
    let sites = study.world.gateways().iter().zip(&study.day.gateways);
    let mut all: Vec<GatewayFinding> = sites
        .filter(|(_, tally)| tally.area_kbps > 0)
        .map(|(site, tally)| {
            let limit_kbps = f64::from(site.antennas) * feeder.antenna_kbps as f64;
            GatewayFinding {
                name: site.name.clone(),
                lat_deg: site.place.lat_deg(),
                lon_deg: site.place.lon_deg(),
                antennas: site.antennas,
                area_share_percent: percent(tally.area_kbps as f64, area_kbps as f64),
                area_gbps: gbps(tally.area_kbps as f64 / plans),
                gbps: gbps(tally.all_kbps as f64 / plans),
                most_gbps: gbps(tally.most_kbps as f64),
                limit_gbps: gbps(limit_kbps),
                used_percent: percent(tally.all_kbps as f64 / plans, limit_kbps),
                antennas_used: tally.antennas_used as f64 / plans,
                full_percent: percent(tally.full.into(), plans),
            }
        })
        .collect();
    all.sort_by(|a, b| {
        let most_first = b.area_share_percent.total_cmp(&a.area_share_percent);
        most_first.then(a.name.cmp(&b.name))
    });
    all
}

fn pops(study: &Study) -> Vec<PopFinding> {
    // Cells, terminals, round trips, what is delivered.
    let mut by_pop = BTreeMap::<usize, (u64, u64, u128, u64)>::new();
    for (cell, tally) in study.area.iter().zip(&study.day.cells) {
        let found = study.world.cells.binary_search_by_key(&cell.id, |c| c.id);
        let Ok(c) = found else { continue };
        let sums = by_pop.entry(study.world.cells[c].pop.index()).or_default();
        sums.0 += 1;
        sums.1 += u64::from(tally.terminals);
        sums.2 += tally.round_trips;
        sums.3 += tally.delivered_kbps;
    }
    let finding = |(pop, (cells, terminals, round_trips, delivered)): (usize, _)| {
        let pop = &study.world.pops()[pop];
        PopFinding {
            code: pop.code.clone(),
            city: pop.city.clone(),
            cells,
            terminals,
            round_trip_ms: mean_us(round_trips, delivered).unwrap_or(0.0) / 1e3,
        }
    };
    let mut all: Vec<PopFinding> = by_pop.into_iter().map(finding).collect();
    all.sort_by_key(|p| core::cmp::Reverse(p.terminals));
    all
}

fn compared(name: &str, kind: CaseKind, results: &[CaseResult]) -> CaseFinding {
    let samples = results.len().max(1) as f64;
    let (mut before, mut after) = (Score::default(), Score::default());
    let mut lost_after = 0.0;
    let (mut full_before, mut full_after) = (0.0, 0.0);
    let with_full = results.iter().filter(|r| r.full.is_some()).count().max(1) as f64;
    let mut restored = Some(0);
    for result in results {
        before.add(&result.before[0]);
        after.add(&result.after[0]);
        let last = result.before.len() - 1;
        lost_after += result.before[last].terminals_served as f64
            - result.after[last].terminals_served as f64;
        if let Some((b, a)) = result.full {
            full_before += b as f64;
            full_after += a as f64;
        }
        let as_many = |(b, a): (&Score, &Score)| {
            a.terminals_served + b.terminals_served / 1_000 >= b.terminals_served
        };
        let plan = result.before.iter().zip(&result.after).position(as_many);
        restored = restored
            .zip(plan)
            .map(|(worst, p)| u32::max(worst, p as u32));
    }
    let lost = |b: u64, a: u64| (b as f64 - a as f64) / samples;
    CaseFinding {
        name: name.to_owned(),
        kind,
        samples: results.len() as u32,
        terminals_lost: lost(before.terminals_served, after.terminals_served),
        terminals_lost_after: lost_after / samples,
        people_lost: lost(before.people_served, after.people_served),
        delivered_lost_percent: percent(
            before.delivered_kbps as f64 - after.delivered_kbps as f64,
            before.delivered_kbps as f64,
        ),
        capacity_lost_percent: percent(full_before - full_after, full_before),
        capacity_lost_gbps: gbps((full_before - full_after) / with_full),
        plans_to_restore: restored,
    }
}

fn placement(
    study: &Study,
    kind: CaseKind,
    placed: &[(skyweave_base::CellId, u32)],
    results: &[CaseResult],
    cities: &Cities,
) -> PlacementFinding {
    let (mut before, mut after) = (Score::default(), Score::default());
    for result in results {
        before.add(&result.before[0]);
        after.add(&result.after[0]);
    }
    let asked = (after.demand_kbps as f64 - before.demand_kbps as f64).max(0.0);
    let got = after.delivered_kbps as f64 - before.delivered_kbps as f64;
    let mut cells: Vec<Placed> = placed
        .iter()
        .map(|&(cell, terminals)| {
            let (lat_deg, lon_deg) = centre(cell.0);
            Placed {
                cell: cell.to_string(),
                lat_deg,
                lon_deg,
                near: cities.near(lat_deg, lon_deg),
                terminals,
            }
        })
        .collect();
    cells.sort_by(|a, b| b.terminals.cmp(&a.terminals).then(a.cell.cmp(&b.cell)));
    debug_assert!(study.area.len() >= cells.len());
    PlacementFinding {
        kind,
        terminals: cells
            .iter()
            .map(|c| u64::from(c.terminals))
            .sum::<u64>()
            .min(PLACED),
        cells,
        delivered_percent: percent(got, asked),
        availability_percent: percent(after.terminals_served as f64, after.terminals as f64),
    }
}

fn unserved(study: &Study, plans: u32) -> Vec<ReasonFinding> {
    let mut by_reason = BTreeMap::<Reason, (u64, u64)>::new();
    for tally in &study.day.cells {
        for (&reason, &n) in &tally.unserved {
            let sums = by_reason.entry(reason).or_default();
            sums.0 += u64::from(n) * u64::from(tally.terminals);
            sums.1 += 1;
        }
    }
    let mut all: Vec<ReasonFinding> = by_reason
        .into_iter()
        .map(|(reason, (terminals, cells))| ReasonFinding {
            reason,
            words: reason.to_string(),
            terminals: terminals as f64 / f64::from(plans),
            cells,
        })
        .collect();
    all.sort_by(|a, b| {
        b.terminals
            .total_cmp(&a.terminals)
            .then(a.reason.cmp(&b.reason))
    });
    all
}

fn infeasible(study: &Study) -> Vec<InfeasibleFinding> {
    let channels = study.world.profile().user.channels;
    let found = (0..study.area.len()).filter_map(|i| {
        let tally = &study.day.cells[i];
        let most_kbps = study.curve.iter().map(|c| c.alone_kbps[i]).max()?;
        if tally.terminals == 0 || tally.most_demand_kbps <= most_kbps {
            return None;
        }
        let (lat_deg, lon_deg) = centre(study.area[i].id.0);
        let asked = mbps(tally.most_demand_kbps as f64);
        let most = mbps(most_kbps as f64);
        let words = if most_kbps == 0 {
            "no satellite that may serve it was in its reach at any of the samples".to_owned()
        } else if tally.terminals < channels.into() {
            format!(
                "no more beams than terminals: the best in reach bring {most:.0} of the {asked:.0} Mbit/s asked"
            )
        } else {
            format!(
                "a place has each of the {channels} channels once: the best beams in reach bring {most:.0} of the {asked:.0} Mbit/s asked"
            )
        };
        let satisfied = u128::from(tally.terminals) * u128::from(most_kbps)
            / u128::from(tally.most_demand_kbps);
        Some(InfeasibleFinding {
            cell: study.area[i].id.to_string(),
            lat_deg,
            lon_deg,
            terminals: tally.terminals,
            asked_mbps: asked,
            most_mbps: most,
            terminals_satisfied: satisfied as u32,
            words,
        })
    });
    let mut all: Vec<InfeasibleFinding> = found.collect();
    let lacks = |f: &InfeasibleFinding| f.asked_mbps - f.most_mbps;
    all.sort_by(|a, b| lacks(b).total_cmp(&lacks(a)).then(a.cell.cmp(&b.cell)));
    all
}

/// Cities in cells of the area, the largest first.
struct Cities(Vec<Landmark>);

impl Cities {
    fn of(study: &Study) -> Self {
        let inside = |place: skyweave_base::Geodetic| {
            let cell = crate::demand::cell_at(place.lat_rad, place.lon_rad, Resolution::Five);
            cell.is_some_and(|cell| {
                let id = skyweave_base::CellId(cell.into());
                study.area.binary_search_by_key(&id, |c| c.id).is_ok()
            })
        };
        let landmarks = cities()
            .into_iter()
            .filter(|c| inside(c.position))
            .map(|c| Landmark {
                lat_deg: c.position.lat_deg(),
                lon_deg: c.position.lon_deg(),
                name: c.name,
            });
        Self(landmarks.collect())
    }

    fn largest(&self, count: usize) -> Vec<Landmark> {
        self.0.iter().take(count).cloned().collect()
    }

    fn near(&self, lat_deg: f64, lon_deg: f64) -> Option<String> {
        const NEAR_M: f64 = 60e3;
        let here = skyweave_base::Geodetic::from_degrees(lat_deg, lon_deg).ok()?;
        let near = |c: &&Landmark| {
            let there = skyweave_base::Geodetic::from_degrees(c.lat_deg, c.lon_deg);
            there.is_ok_and(|there| skyweave_base::great_circle_m(here, there) <= NEAR_M)
        };
        self.0.iter().find(near).map(|c| c.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_the_means_of_the_outermost_twentieth() {
        let mut rates = vec![0; STEPS];
        assert_eq!(tails(&rates), (0.0, 0.0));
        // Of 100 terminals 4 get nothing and 96 everything: the worst 5 are these 4 and one more.
        rates[0] = 4;
        rates[100] = 96;
        assert_eq!(tails(&rates), (0.2, 1.0));
        // Fewer than twenty: the one with least is the tail.
        rates = vec![0; STEPS];
        rates[30] = 1;
        rates[60] = 2;
        assert_eq!(tails(&rates), (0.3, 0.6));
    }

    #[test]
    fn the_knee_is_where_a_terminal_more_adds_less_than_half_of_its_ask() {
        let point = |(terminals, delivered_gbps)| CurvePoint {
            terminals,
            delivered_gbps,
            demand_gbps: 0.0,
            rate_mbps: 0.0,
            availability_percent: 0.0,
            is_scenario: false,
        };
        // 5 Mbit/s each: all, then 3 of them, then 2.
        let curve = [(1_000, 5.0), (2_000, 10.0), (3_000, 13.0), (5_000, 17.0)].map(point);
        let knee = knee(&curve, 5.0).unwrap();
        assert_eq!((knee.terminals, knee.added_mbps), (3_000, 2.0));
        assert_eq!(super::knee(&curve[..3], 5.0), None);
    }

    #[test]
    fn maps_of_large_areas_join_cells_and_lose_none() {
        let kyiv: CellIndex = "851e6387fffffff".parse().unwrap();
        let parent = kyiv.parent(Resolution::Three).unwrap();
        let cells: Vec<CellFinding> = parent
            .children(Resolution::Five)
            .map(|cell| CellFinding {
                cell: cell.to_string(),
                lat_deg: 0.0,
                lon_deg: 0.0,
                people: 0,
                terminals: 0,
                availability_percent: None,
                rate_mbps: None,
                round_trip_ms: None,
                round_trip_least_ms: None,
                round_trip_most_ms: None,
                lasers_percent: None,
                pop: None,
                reason: None,
                plans_unserved: 0,
                capacity_mbps: 0.0,
            })
            .collect();
        for (most, polygons) in [(49, 49), (48, 7), (7, 7), (6, 1)] {
            let map = map_cells(&cells, most);
            assert_eq!(map.len(), polygons);
            let mut members: Vec<usize> = map.iter().flat_map(|m| m.cells.clone()).collect();
            members.sort_unstable();
            assert!(members.into_iter().eq(0..49));
            assert!(map.iter().all(|m| m.outline.len() >= 5));
        }
    }
}
