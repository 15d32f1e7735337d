//! Cases: what is lost, what is built, and how a plan of it compares with the scenario's own.

use super::tally::for_area;
use super::{AreaCell, CURVE, PLACED, Study, WINDOW, others_times};
use crate::conditions::{Additions, Conditions, Faults, NewGateway, NewTerminals};
use crate::demand::cumulative_rounding;
use crate::weather::{Atmosphere, Between, RainField, Weather};
use crate::world::World;
use serde::{Deserialize, Serialize};
use skyweave_base::{CellId, EpochNumber, Span, Utc};
use skyweave_plan::{Plan, Planner};
use std::sync::Arc;

/// What kind of question a case answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    /// One gateway lost.
    Gateway,
    /// Two gateways lost together.
    GatewayPair,
    /// A share of the satellites lost.
    Satellites,
    /// A point of presence lost.
    Pop,
    /// More load around the area.
    Neighbours,
    /// Rain that comes over the area.
    Rain,
    /// A gateway more.
    NewGateway,
    /// A channel more.
    NewChannel,
    /// More satellites.
    MoreSatellites,
    /// More terminals where most people have none.
    PlacedByNeed,
    /// More terminals where most capacity is free.
    PlacedByCapacity,
}

impl CaseKind {
    /// True for what makes things worse.
    pub fn is_loss(self) -> bool {
        matches!(
            self,
            Self::Gateway
                | Self::GatewayPair
                | Self::Satellites
                | Self::Pop
                | Self::Neighbours
                | Self::Rain
        )
    }

    /// True for what may be built.
    pub fn is_remedy(self) -> bool {
        matches!(
            self,
            Self::NewGateway | Self::NewChannel | Self::MoreSatellites
        )
    }
}

/// A question: what if?
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// For people.
    pub name: String,
    /// What kind of question it is.
    pub kind: CaseKind,
    /// What is different from the scenario.
    pub conditions: Conditions,
    /// In the world with more satellites?
    richer: bool,
}

/// How much of the area is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Terminals there are.
    pub terminals: u64,
    /// Those in cells that are served.
    pub terminals_served: u64,
    /// What they ask, kbit/s.
    pub demand_kbps: u64,
    /// What they get, kbit/s.
    pub delivered_kbps: u64,
    /// People in cells with terminals.
    pub people: u64,
    /// Those of them in cells that are served.
    pub people_served: u64,
}

impl Score {
    pub(crate) fn of(area: &[AreaCell], plan: &Plan) -> Self {
        let mut score = Self::default();
        for_area(area, plan, |i, cell| {
            let terminals = u64::from(cell.terminals);
            score.terminals += terminals;
            score.demand_kbps += cell.demand_kbps;
            score.delivered_kbps += cell.delivered_kbps;
            score.people += area[i].people;
            if cell.unserved.is_none() {
                score.terminals_served += terminals;
                score.people_served += area[i].people;
            }
        });
        score
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.terminals += other.terminals;
        self.terminals_served += other.terminals_served;
        self.demand_kbps += other.demand_kbps;
        self.delivered_kbps += other.delivered_kbps;
        self.people += other.people;
        self.people_served += other.people_served;
    }
}

/// A case at one sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The scenario itself in each plan of the window.
    pub before: Vec<Score>,
    /// The case in the same plans, each following the one before; the first follows the scenario's own.
    pub after: Vec<Score>,
    /// The scenario and the case with the most terminals of the curve: what the network can deliver. At every second sample (rain: at each),
    /// and not for placements.
    pub full: Option<(u64, u64)>,
}

/// # Algorithm
/// 1. Plan the scenario at the sample's epoch and, one after the other, in the epochs of the window.
/// 2. For each case plan the epochs of the window, the first of them after the scenario's plan of the sample's epoch: as when
///    something fails between two plans.
/// 3. At every second sample plan it at the sample's epoch with the most terminals of the curve, from scratch, as the curve has planned the
///    scenario.
pub(super) fn run(study: &Study, sample: u32, cases: &[Case]) -> Vec<CaseResult> {
    let epoch = study.sample_epoch(sample);
    let after = |i: usize| EpochNumber(epoch.0 + i as i64);
    // What planners remember holds for all cases that have the scenario's cells.
    let mut planner = Planner::default();
    let first = planner.plan(&study.busiest.inputs(epoch), None);
    let before = window(study, &planner, &study.busiest, &first, after);
    let full = CURVE[CURVE.len() - 1];
    let full_before = study.curve[sample as usize].points[CURVE.len() - 1].delivered_kbps;
    let mut of_full = Planner::default();
    let result = |case: &Case| {
        if !study.has_sample(case, sample) {
            return CaseResult {
                before: before.clone(),
                after: before.clone(),
                full: None,
            };
        }
        let base = match (&study.richer, case.richer) {
            (Some(richer), true) => richer,
            _ => &study.busiest,
        };
        let mut world = study.under(base, case.conditions.clone());
        rain(study, case.kind, &mut world);
        // A loss takes much the same of the capacity at each sample, and such a plan costs several others.
        let is_turn = sample.is_multiple_of(2) || case.kind == CaseKind::Rain;
        let asks_full = is_turn && (case.kind.is_loss() || case.kind.is_remedy());
        let full_after = asks_full.then(|| {
            let mut world = study.with_terminals(base, case.conditions.clone(), full);
            rain(study, case.kind, &mut world);
            let plan = of_full.plan(&world.inputs(epoch), None);
            Score::of(&study.area, &plan).delivered_kbps
        });
        CaseResult {
            before: before.clone(),
            after: window(study, &planner, &world, &first, after),
            full: full_after.map(|kbps| (full_before, kbps)),
        }
    };
    cases.iter().map(result).collect()
}

fn rain(study: &Study, kind: CaseKind, world: &mut World) {
    if let (CaseKind::Rain, Some((_, field))) = (kind, &study.rain) {
        let weather = Weather::Rain(Arc::clone(field));
        world
            .set_weather(weather)
            .expect("a study has only rain that it has tried");
    }
}

/// Rain of 25 mm/h that crosses the area from west to east in the hours of the day, over a third of its width at a time and from its south
/// to its north: what temperate Europe exceeds for about an hour in a year (ITU-R P.837-1, table 1, rain zones E to H: 22 to 32 mm/h for
/// 0.01 % of the time). It has a frame at each sample, and passes into the next one between them. `None` if the radio does not mind rain.
pub(super) fn front(study: &Study) -> Option<(String, Arc<RainField>)> {
    const RAIN_MM_H: f64 = 25.0;
    // The last window's plans are over by then.
    const LAST_S: i64 = 15 * (WINDOW as i64 + 2);
    let cells = study.area.iter();
    let places =
        cells.filter_map(|c| Some(h3o::LatLng::from(h3o::CellIndex::try_from(c.id.0).ok()?)));
    let mut bounds = (f64::MAX, f64::MIN, f64::MAX, f64::MIN);
    for place in places {
        let (lat, lon) = (place.lat(), place.lng());
        bounds = (
            bounds.0.min(lon),
            bounds.1.max(lon),
            bounds.2.min(lat),
            bounds.3.max(lat),
        );
    }
    let (west, east, south, north) = bounds;
    let (south, north) = ((south - 0.5).max(-90.0), (north + 0.5).min(90.0));
    let half = (east - west) / 6.0 + 0.1;
    let samples = study.question.samples;
    let frames = (0..samples).flat_map(|sample| {
        let part = (f64::from(sample) + 0.5) / f64::from(samples);
        let middle = west + part * (east - west);
        let (west, east) = ((middle - half).max(-180.0), (middle + half).min(180.0));
        let start = study.sample_epoch(sample).start();
        let is_last = sample + 1 == samples;
        let times = core::iter::once(0).chain(is_last.then_some(LAST_S));
        times.map(move |s| {
            let time = Utc::from(start + Span::from_secs(s));
            format!(
                r#"{{"type":"Feature","properties":{{"rain_mm_h":{RAIN_MM_H},"time":"{time}"}},"geometry":{{"type":"Polygon","coordinates":
                [[[{west},{south}],[{east},{south}],[{east},{north}],[{west},{north}],[{west},{south}]]]}}}}"#
            )
        })
    });
    let frames: Vec<String> = frames.collect();
    let text = format!(
        r#"{{"type":"FeatureCollection","features":[{}]}}"#,
        frames.join(",")
    );
    let field = RainField::parse("front.geojson", text.as_bytes(), Between::default()).ok()?;
    let field = Arc::new(field);
    let mut tried = study.busiest.clone();
    let fits = tried.set_weather(Weather::Rain(Arc::clone(&field))).is_ok();
    let name = match samples {
        1 => "a rain front over the middle of the area",
        _ => "a rain front that crosses the area",
    };
    (fits && Atmosphere::matters_to(study.busiest.profile())).then(|| (name.to_owned(), field))
}

fn window(
    study: &Study,
    planner: &Planner,
    world: &World,
    first: &Plan,
    after: impl Fn(usize) -> EpochNumber,
) -> Vec<Score> {
    let mut planner = planner.clone();
    let mut previous: Option<Plan> = None;
    let plans = (1..=WINDOW).map(|i| {
        let plan = planner.plan(&world.inputs(after(i)), previous.as_ref().or(Some(first)));
        let score = Score::of(&study.area, &plan);
        previous = Some(plan);
        score
    });
    plans.collect()
}

/// The losses of the area and what may help it, as the day has shown them.
pub(super) fn losses_and_remedies(study: &Study) -> Vec<Case> {
    /// Pairs are looked for among so many of the gateways that carry most: the loss of two small ones is smaller still.
    const PAIRED: usize = 4;
    let world = &study.busiest;
    let mut cases = Vec::new();
    let mut case = |name: String, kind, conditions| {
        cases.push(Case {
            name,
            kind,
            conditions,
            richer: false,
        });
    };
    let losing = |faults| Conditions {
        faults,
        ..Conditions::default()
    };
    let name = |g: usize| world.gateways()[g].name.clone();
    let used = gateways_used(study);
    for &g in &used {
        let gateways = vec![name(g)];
        let lost = losing(Faults {
            gateways,
            ..Faults::default()
        });
        case(format!("gateway {} lost", name(g)), CaseKind::Gateway, lost);
    }
    let most = &used[..used.len().min(PAIRED)];
    for (i, &a) in most.iter().enumerate() {
        for &b in &most[i + 1..] {
            let gateways = vec![name(a), name(b)];
            let lost = losing(Faults {
                gateways,
                ..Faults::default()
            });
            let text = format!("gateways {} and {} lost", name(a), name(b));
            case(text, CaseKind::GatewayPair, lost);
        }
    }
    for percent in [1.0, 5.0] {
        let lost = losing(Faults {
            satellites_percent: percent,
            ..Faults::default()
        });
        let text = format!("{percent} % of all satellites lost");
        case(text, CaseKind::Satellites, lost);
    }
    let pops = pops_used(study);
    // With one point of presence in the world there is nothing to fall back to.
    for &p in pops.iter().filter(|_| world.pops().len() > 1) {
        let pop = &world.pops()[p];
        let lost = losing(Faults {
            pops: vec![pop.code.clone()],
            ..Faults::default()
        });
        let text = format!("point of presence {} lost", pop.city);
        case(text, CaseKind::Pop, lost);
    }
    if let Some(others) = &study.question.others {
        let text = "load of the neighbours doubled".to_owned();
        case(text, CaseKind::Neighbours, others_times(others, 2.0));
    }
    if let Some((name, _)) = &study.rain {
        case(name.clone(), CaseKind::Rain, Conditions::default());
    }
    let building = |additions| Conditions {
        additions,
        ..Conditions::default()
    };
    for candidate in &study.question.candidates {
        let gateways: Vec<NewGateway> = vec![candidate.clone()];
        let built = building(Additions {
            gateways,
            ..Additions::default()
        });
        let text = format!("a gateway at {}", candidate.name);
        case(text, CaseKind::NewGateway, built);
    }
    if world.profile().user.channels < 32 {
        let licensed = building(Additions {
            channels: 1,
            ..Additions::default()
        });
        let text = "a licence for one more channel".to_owned();
        case(text, CaseKind::NewChannel, licensed);
    }
    if study.richer.is_some() {
        cases.push(Case {
            name: "more satellites (one companion for every tenth)".to_owned(),
            kind: CaseKind::MoreSatellites,
            conditions: Conditions::default(),
            richer: true,
        });
    }
    cases
}

/// Gateways that carry traffic of the area, those first that carry most.
fn gateways_used(study: &Study) -> Vec<usize> {
    let area_kbps = |g: usize| study.day.gateways[g].area_kbps;
    let mut used: Vec<usize> = (0..study.day.gateways.len())
        .filter(|&g| area_kbps(g) > 0)
        .collect();
    used.sort_by_key(|&g| (core::cmp::Reverse(area_kbps(g)), g));
    used
}

/// Points of presence of the area's cells, ascending.
fn pops_used(study: &Study) -> Vec<usize> {
    let mut pops = Vec::new();
    let cells = study.busiest.cells.iter();
    for cell in cells.filter(|c| study.area.binary_search_by_key(&c.id, |a| a.id).is_ok()) {
        pops.push(cell.pop.index());
    }
    pops.sort_unstable();
    pops.dedup();
    pops
}

/// Where [`PLACED`] more terminals go, in two ways.
///
/// By need: in proportion to the people of a cell that no terminal has been counted for, each terminal standing for as many people as
/// the area has for one. By capacity: in proportion to what a cell gets, when everybody asks, beyond what it asks now.
pub(super) fn placements(study: &Study) -> [(CaseKind, Vec<(CellId, u32)>); 2] {
    let people: u64 = study.area.iter().map(|c| c.people).sum();
    let cells = &study.day.cells;
    let terminals: u64 = cells.iter().map(|c| u64::from(c.terminals)).sum();
    let rows = study.area.iter().zip(cells);
    let need = rows.clone().map(|(cell, tally)| {
        // Terminals that the cell would have if all had their due of those that there will be, less what it has.
        let due =
            u128::from(cell.people) * u128::from(terminals + PLACED) / u128::from(people.max(1));
        (due as u64).saturating_sub(u64::from(tally.terminals))
    });
    let free = (0..study.area.len()).map(|i| {
        let full: u64 = study.curve.iter().map(|c| c.full_kbps[i]).sum();
        let asked = cells[i].most_demand_kbps * study.curve.len() as u64;
        full.saturating_sub(asked)
    });
    let spread = |weights: Vec<u64>| {
        let parts = cumulative_rounding(&weights, PLACED);
        let cells = study.area.iter().zip(parts).filter(|(_, n)| *n > 0);
        cells.map(|(c, n)| (c.id, n as u32)).collect()
    };
    [
        (CaseKind::PlacedByNeed, spread(need.collect())),
        (CaseKind::PlacedByCapacity, spread(free.collect())),
    ]
}

pub(super) fn placement(study: &Study, kind: CaseKind, cells: &[(CellId, u32)]) -> Case {
    let terminals = cells.iter().map(|&(cell, terminals)| NewTerminals {
        cell: cell.to_string(),
        terminals,
        rate_kbps: study.rate_kbps,
    });
    let how = match kind {
        CaseKind::PlacedByNeed => "need",
        _ => "capacity",
    };
    Case {
        name: format!("{PLACED} more terminals by {how}"),
        kind,
        conditions: Conditions {
            additions: Additions {
                terminals: terminals.collect(),
                ..Additions::default()
            },
            ..Conditions::default()
        },
        richer: false,
    }
}
