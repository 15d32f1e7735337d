//! A study of one area: many epochs and many conditions become the figures of a national plan.
//!
//! The study says which [`Task`]s are to be done next; each is a pure function of the study and the task, so that a caller may run them
//! on as many threads as it likes, in any order, and keep their outcomes on disk; [`Study::take`] puts them together in the
//! tasks' order. Consecutive epochs are planned one after the other in chunks of [`CHUNK`]; the first of each chunk has no previous
//! plan. So what comes out does not depend on who computed what. Knows no file, clock or thread.

mod cases;
mod findings;
mod tally;

pub use cases::{Case, CaseKind, CaseResult, Score};
pub use findings::{
    CaseFinding, CellFinding, CurvePoint, EpochFinding, Findings, GatewayFinding, HourFinding,
    InfeasibleFinding, Knee, Landmark, MapCell, Placed, PlacementFinding, PopFinding,
    ReasonFinding, Totals, map_cells,
};

use crate::conditions::{ConditionError, Conditions, DemandChange, DemandTo, NewGateway};
use crate::ground;
use crate::problem::{Location, Problems};
use crate::weather::{Atmosphere, RainField, Weather, WeatherError};
use crate::world::World;
use h3o::CellIndex;
use serde::{Deserialize, Serialize};
use skyweave_base::{CellId, EpochNumber, Geodetic, Utc};
use skyweave_plan::{Plan, Planner};
use std::sync::Arc;
use tally::DayTally;

/// Consecutive plans in one task of the day: 15 minutes of 15 s.
pub const CHUNK: u32 = 60;
/// Numbers of terminals of the curve of capacity.
pub const CURVE: [u64; 10] = [
    1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000,
];
/// Plans in a row after a loss: how fast service returns is looked for within them.
pub const WINDOW: usize = 3;
/// How many terminals are placed in addition.
pub const PLACED: u64 = 10_000;
/// Cases in one task: each task plans the scenario itself too.
const CASES_PER_TASK: usize = 10;

/// What is asked of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The area, as a `[[demand]]` of the scenario writes it.
    pub area: String,
    /// The demand around it, as the scenario writes it, if there is any.
    pub others: Option<String>,
    /// The first epoch.
    pub first: EpochNumber,
    /// How many plans the day has.
    pub plans: u32,
    /// Epochs from one plan of the day to the next.
    pub stride: u32,
    /// Instants at which conditions are compared, evenly spread over the day.
    pub samples: u32,
    /// Gateways that might be built, of which the nearest are looked at; if there are none: sites of the built-in list not in use.
    pub candidates: Vec<NewGateway>,
}

/// Why an area cannot be studied.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StudyError {
    /// The scenario does not fit the question.
    #[error(transparent)]
    Condition(#[from] ConditionError),
    /// The area is beyond the latitudes of the constellation.
    #[error(
        "no cell of `{area}` can ever be served: its cells lie at latitudes {south_deg:.1} to {north_deg:.1}, and satellites in service reach latitudes up to {reach_deg:.1}"
    )]
    OutOfReach {
        /// The area.
        area: String,
        /// Its southernmost cell, degrees.
        south_deg: f64,
        /// Its northernmost cell, degrees.
        north_deg: f64,
        /// The greatest latitude that a satellite in service can reach, degrees.
        reach_deg: f64,
    },
    /// None of the gateways that might be built can help.
    #[error(
        "none of the {count} candidate gateways is in reach of the satellites that serve `{area}`: the nearest, {name}, stands {distance_km:.0} km from it"
    )]
    Candidates {
        /// The area.
        area: String,
        /// How many there are.
        count: usize,
        /// The nearest of them.
        name: String,
        /// How far it is.
        distance_km: f64,
    },
    /// Rain that does not fit the area or the hours.
    #[error(transparent)]
    Weather(#[from] WeatherError),
    /// The radio does not mind rain.
    #[error(
        "the rates of the radio profile `{profile}` do not mind rain: a profile with link budgets does, such as starlink-mixed"
    )]
    NoRain {
        /// The profile.
        profile: String,
    },
    /// The rain comes at other times.
    #[error(
        "it never rains at an instant at which losses are compared: the rain field holds from {from} to {to}, the instants are {instants}; another --start, --for or --samples may help"
    )]
    Dry {
        /// The field's first time.
        from: Utc,
        /// The field's last time.
        to: Utc,
        /// The samples.
        instants: String,
    },
    /// No plan is asked for.
    #[error("an empty study: expected at least one plan and one sample")]
    Empty,
}

/// A cell of the area that has terminals or may get some.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AreaCell {
    pub(crate) id: CellId,
    /// People, if the spread goes by people; else the weight of the spread.
    pub(crate) people: u64,
}

/// A study on its way.
#[derive(Debug)]
pub struct Study {
    question: Question,
    /// The region of the area.
    world: World,
    /// The same with every place in its busiest hour: what conditions are compared in.
    busiest: World,
    /// This with more satellites.
    richer: Option<World>,
    /// Ascending.
    area: Vec<AreaCell>,
    rate_kbps: u32,
    people_known: bool,
    /// Rain that comes over the area, if the radio minds it, and what it is called.
    rain: Option<(String, Arc<RainField>)>,
    warnings: Vec<String>,
    phase: Phase,
    day: DayTally,
    curve: Vec<CurveOutcome>,
    cases: Vec<Case>,
    results: Vec<Vec<CaseResult>>,
    placements: Vec<Vec<(CellId, u32)>>,
    /// Cases before this one have results.
    first_open_case: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Day,
    Cases,
    Placement,
    Done,
}

/// Some plans to be made. The numbers identify it within its study.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// A chunk of the day.
    Day {
        /// From this plan of the day on.
        first: u32,
        /// So many.
        plans: u32,
    },
    /// The curve of capacity at one sample.
    Curve {
        /// Which sample.
        sample: u32,
    },
    /// Cases beside the scenario at one sample.
    Cases {
        /// Which sample.
        sample: u32,
        /// From this case on.
        first: usize,
        /// So many.
        cases: usize,
    },
}

impl Task {
    /// About how many plans it takes.
    pub fn plans(&self) -> u64 {
        match *self {
            Self::Day { plans, .. } => u64::from(plans),
            Self::Curve { .. } => CURVE.len() as u64,
            Self::Cases { cases, .. } => ((cases + 1) * (WINDOW + 1)) as u64,
        }
    }
}

impl core::fmt::Display for Task {
    /// A name that is a file's name too.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Day { first, plans } => write!(f, "day-{first:06}-{plans}"),
            Self::Curve { sample } => write!(f, "curve-{sample:03}"),
            Self::Cases {
                sample,
                first,
                cases,
            } => write!(f, "cases-{sample:03}-{first:03}-{cases}"),
        }
    }
}

/// What a task found. A value to be stored: it comes back from serde as it went in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome(OutcomeKind);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum OutcomeKind {
    Day(DayTally),
    Curve(CurveOutcome),
    Cases(Vec<CaseResult>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct CurveOutcome {
    /// For each number of the curve, and last for the scenario's own.
    points: Vec<Score>,
    /// What each cell of the area gets with the most terminals of the curve, kbit/s.
    full_kbps: Vec<u64>,
    /// What each cell of the area could have if nobody else asked anything, kbit/s.
    alone_kbps: Vec<u64>,
}

impl Study {
    /// A study of `question` in a world; `richer` is the same world with more satellites, if that is a remedy to be looked at.
    pub fn new(
        world: &World,
        richer: Option<&World>,
        question: Question,
    ) -> Result<Self, StudyError> {
        if question.plans == 0 || question.samples == 0 || question.stride == 0 {
            return Err(StudyError::Empty);
        }
        let mut question = question;
        let regional = world.region(&question.area)?;
        near_candidates(&regional, &mut question)?;
        let demand = world.demand.iter().find(|d| d.area == question.area);
        let demand = demand.expect("a world has a region only of a demand that it has");
        let cells = demand.weights.iter().filter(|(_, weight)| *weight > 0);
        let area: Vec<AreaCell> = cells
            .map(|&(cell, people)| AreaCell {
                id: CellId(cell.into()),
                people,
            })
            .collect();
        reachable(world, &question.area, &area)?;
        // Whatever the candidates are, one of them must not stop the study at its end.
        let mut all = Conditions::default();
        all.additions.gateways.clone_from(&question.candidates);
        regional.under(all)?;
        if let Some(others) = &question.others {
            regional.under(others_times(others, 2.0))?;
        }
        let richer = richer.map(|w| w.region(&question.area)).transpose()?;
        let mut study = Self {
            rate_kbps: demand.rate_kbps,
            people_known: demand.weights_are_people,
            rain: None,
            warnings: Vec::new(),
            richer: richer.map(|w| w.at_busiest_hour()),
            busiest: regional.at_busiest_hour(),
            world: regional,
            area,
            question,
            phase: Phase::Day,
            day: DayTally::default(),
            curve: Vec::new(),
            cases: Vec::new(),
            results: Vec::new(),
            placements: Vec::new(),
            first_open_case: 0,
        };
        study.rain = cases::front(&study);
        Ok(study)
    }

    /// Takes a rain field, called so, in place of the front that crosses the area.
    pub fn set_rain(&mut self, name: &str, field: Arc<RainField>) -> Result<(), StudyError> {
        let profile = self.world.profile();
        if !Atmosphere::matters_to(profile) {
            return Err(StudyError::NoRain {
                profile: profile.name.clone(),
            });
        }
        let mut rainy = self.world.clone();
        rainy.set_weather(Weather::Rain(Arc::clone(&field)))?;
        let instants = (0..self.question.samples).map(|s| self.sample_epoch(s));
        if let Some((from, to)) = field.times()
            && !instants.clone().any(|epoch| field.is_at(epoch.start()))
        {
            let instants: Vec<String> = instants
                .map(|epoch| Utc::from(epoch.start()).to_string())
                .collect();
            return Err(StudyError::Dry {
                from: from.into(),
                to: to.into(),
                instants: instants.join(", "),
            });
        }
        let holds = |cell: &AreaCell| {
            let place = self.world.cell_place(cell.id);
            place.is_some_and(|(centre, _)| field.holds(centre))
        };
        if !self.area.iter().any(holds) {
            self.warnings.push(format!(
                "the rain field {name} covers no cell of `{}`: what it takes is of what stands around it",
                self.question.area
            ));
        }
        self.rain = Some((format!("rain as in {name}"), field));
        Ok(())
    }

    /// What may make results untrustworthy.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// False where a case has nothing to say of a sample: rain that has passed or is yet to come.
    fn has_sample(&self, case: &Case, sample: u32) -> bool {
        match (case.kind, &self.rain) {
            (CaseKind::Rain, Some((_, field))) => field.is_at(self.sample_epoch(sample).start()),
            _ => true,
        }
    }

    /// The world that is planned: that part of the scenario's which matters to the area.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What is to be done next; empty when all is done. All outcomes go to [`take`](Self::take) before the next.
    pub fn tasks(&self) -> Vec<Task> {
        match self.phase {
            Phase::Day => {
                let plans = self.question.plans;
                let day = (0..plans).step_by(CHUNK as usize).map(|first| Task::Day {
                    first,
                    plans: CHUNK.min(plans - first),
                });
                let samples = 0..self.question.samples;
                day.chain(samples.map(|sample| Task::Curve { sample }))
                    .collect()
            }
            Phase::Cases | Phase::Placement => self.case_tasks().collect(),
            Phase::Done => Vec::new(),
        }
    }

    fn case_tasks(&self) -> impl Iterator<Item = Task> {
        let (open, all) = (self.first_open_case, self.cases.len());
        (0..self.question.samples).flat_map(move |sample| {
            (open..all)
                .step_by(CASES_PER_TASK)
                .map(move |first| Task::Cases {
                    sample,
                    first,
                    cases: CASES_PER_TASK.min(all - first),
                })
        })
    }

    /// What words the progress: the part of the study in which the next tasks are.
    pub fn part(&self) -> &'static str {
        match self.phase {
            Phase::Day => "1 of 3: the day",
            Phase::Cases => "2 of 3: what breaks it, what helps",
            Phase::Placement => "3 of 3: more terminals",
            Phase::Done => "done",
        }
    }

    /// Does a task of [`tasks`](Self::tasks).
    pub fn run(&self, task: &Task) -> Outcome {
        Outcome(match *task {
            Task::Day { first, plans } => OutcomeKind::Day(self.run_day(first, plans)),
            Task::Curve { sample } => OutcomeKind::Curve(self.run_curve(sample)),
            Task::Cases {
                sample,
                first,
                cases,
            } => OutcomeKind::Cases(cases::run(self, sample, &self.cases[first..first + cases])),
        })
    }

    /// True if an outcome that was stored can be one of this task.
    pub fn accepts(&self, task: &Task, outcome: &Outcome) -> bool {
        match (task, &outcome.0) {
            (Task::Day { plans, .. }, OutcomeKind::Day(tally)) => tally.is_of(
                *plans as usize,
                self.area.len(),
                self.world.gateways().len(),
            ),
            (Task::Curve { .. }, OutcomeKind::Curve(curve)) => {
                curve.points.len() == CURVE.len() + 1
                    && [&curve.full_kbps, &curve.alone_kbps]
                        .iter()
                        .all(|c| c.len() == self.area.len())
            }
            (Task::Cases { cases, .. }, OutcomeKind::Cases(results)) => results.len() == *cases,
            _ => false,
        }
    }

    /// Takes the outcomes of all of [`tasks`](Self::tasks), in their order, and moves on.
    pub fn take(&mut self, outcomes: Vec<Outcome>) {
        let tasks = self.tasks();
        assert_eq!(tasks.len(), outcomes.len(), "an outcome for each task");
        self.results.resize_with(self.cases.len(), Vec::new);
        for (task, outcome) in tasks.iter().zip(outcomes) {
            match (task, outcome.0) {
                (_, OutcomeKind::Day(tally)) => self.day.append(tally),
                (_, OutcomeKind::Curve(curve)) => self.curve.push(curve),
                (Task::Cases { sample, first, .. }, OutcomeKind::Cases(found)) => {
                    for (i, result) in (*first..).zip(found) {
                        if self.has_sample(&self.cases[i], *sample) {
                            self.results[i].push(result);
                        }
                    }
                }
                _ => {}
            }
        }
        self.first_open_case = self.cases.len();
        self.phase = match self.phase {
            Phase::Day => {
                self.cases = cases::losses_and_remedies(self);
                Phase::Cases
            }
            Phase::Cases => {
                let placements = cases::placements(self);
                for (kind, cells) in placements {
                    self.cases.push(cases::placement(self, kind, &cells));
                    self.placements.push(cells);
                }
                Phase::Placement
            }
            Phase::Placement | Phase::Done => Phase::Done,
        };
    }

    /// The figures, when all is done.
    pub fn findings(&self) -> Findings {
        findings::of(self)
    }

    fn day_epoch(&self, plan: u32) -> EpochNumber {
        let epochs = i64::from(plan) * i64::from(self.question.stride);
        EpochNumber(self.question.first.0 + epochs)
    }

    fn sample_epoch(&self, sample: u32) -> EpochNumber {
        let all = u64::from(self.question.plans) * u64::from(self.question.stride);
        let middle = (2 * u64::from(sample) + 1) * all / (2 * u64::from(self.question.samples));
        EpochNumber(self.question.first.0 + middle as i64)
    }

    fn run_day(&self, first: u32, plans: u32) -> DayTally {
        let mut planner = Planner::default();
        let mut previous: Option<Plan> = None;
        let mut tally = DayTally::new(self.area.len(), self.world.gateways().len());
        for i in first..first + plans {
            let inputs = self.world.inputs(self.day_epoch(i));
            let plan = planner.plan(&inputs, previous.as_ref());
            tally.add(&self.area, &inputs, &plan, previous.is_some());
            previous = Some(plan);
        }
        tally
    }

    fn run_curve(&self, sample: u32) -> CurveOutcome {
        let epoch = self.sample_epoch(sample);
        let mut full_kbps = Vec::new();
        let mut points = Vec::with_capacity(CURVE.len() + 1);
        let numbers = CURVE.iter().map(|&n| Some(n)).chain([None]);
        for number in numbers {
            let world = match number {
                Some(n) => self.with_terminals(&self.busiest, Conditions::default(), n),
                None => self.busiest.clone(),
            };
            let plan = world.plan(epoch, None);
            points.push(Score::of(&self.area, &plan));
            if number == CURVE.last().copied() {
                let mut delivered = vec![0; self.area.len()];
                tally::for_area(&self.area, &plan, |i, cell| {
                    delivered[i] = cell.delivered_kbps
                });
                full_kbps = delivered;
            }
        }
        CurveOutcome {
            points,
            full_kbps,
            alone_kbps: self.alone_kbps(epoch),
        }
    }

    /// What each cell of the area could have if nobody else asked anything: the best beam in its reach on each channel, but no
    /// more beams than terminals. The way to the ground is not counted.
    fn alone_kbps(&self, epoch: EpochNumber) -> Vec<u64> {
        let inputs = self.busiest.inputs(epoch);
        let instance = skyweave_plan::instance(&inputs);
        let of_cell = |c: usize| {
            let best = instance.reach.best_kbps(c).unwrap_or(0);
            u64::from(best) * u64::from(instance.beams.most_of_cell(inputs.cells[c].terminals))
        };
        let at = |cell: &AreaCell| inputs.cells.binary_search_by_key(&cell.id, |c| c.id);
        self.area
            .iter()
            .map(|cell| at(cell).map_or(0, of_cell))
            .collect()
    }

    /// A world under conditions, and with so many terminals in the area.
    fn with_terminals(&self, world: &World, conditions: Conditions, terminals: u64) -> World {
        let to = DemandTo::Terminals(terminals);
        let change = DemandChange {
            area: self.question.area.clone(),
            to,
        };
        let more = Conditions {
            demand: vec![change],
            ..Conditions::default()
        };
        self.under(world, conditions.and(more))
    }

    /// A world under the scenario's own conditions and others.
    fn under(&self, world: &World, conditions: Conditions) -> World {
        world
            .under(world.conditions().clone().and(conditions))
            .expect("a study asks only for what `new` has tried or the world itself names")
    }
}

/// Sites that might be built: the rows of a CSV with `name`, `lat_deg`, `lon_deg` and optionally `antennas`.
pub fn candidates(file: &str, bytes: &[u8]) -> Result<Vec<NewGateway>, Problems> {
    let mut problems = Problems::default();
    let all = ground::new_gateways(file, bytes, &|_| true, &mut problems);
    if all.is_empty() && !problems.has_errors() {
        problems.push(Location::file(file).error("holds no gateway"));
    }
    if problems.has_errors() {
        return Err(problems);
    }
    Ok(all)
}

/// Leaves the nearest candidates of those in reach. Without any given: of the built-in list's sites that are not in use.
fn near_candidates(region: &World, question: &mut Question) -> Result<(), StudyError> {
    /// Each costs about 80 plans; sites farther than these would be built for others.
    const MOST: usize = 8;
    let given = !question.candidates.is_empty();
    let mut all = core::mem::take(&mut question.candidates);
    if !given {
        all = ground::possible_gateways();
        all.retain(|c| region.gateways().iter().all(|g| g.name != c.name));
    }
    let distance = |c: &NewGateway| {
        let place = Geodetic::from_degrees(c.lat_deg, c.lon_deg).unwrap_or_default();
        region.gateway_distance(place)
    };
    let mut near: Vec<(f64, bool, NewGateway)> = all
        .into_iter()
        .map(|c| {
            let (rad, in_reach) = distance(&c);
            (rad, in_reach, c)
        })
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.name.cmp(&b.2.name)));
    if let Some((rad, false, nearest)) = near.first().filter(|_| given) {
        return Err(StudyError::Candidates {
            area: question.area.clone(),
            count: near.len(),
            name: nearest.name.clone(),
            distance_km: rad * skyweave_base::MEAN_EARTH_RADIUS_M / 1e3,
        });
    }
    let in_reach = near.into_iter().filter(|n| n.1).map(|n| n.2);
    question.candidates = in_reach.take(MOST).collect();
    Ok(())
}

fn others_times(area: &str, times: f64) -> Conditions {
    Conditions {
        demand: vec![DemandChange {
            area: area.to_owned(),
            to: DemandTo::Times(times),
        }],
        ..Conditions::default()
    }
}

fn reachable(world: &World, area: &str, cells: &[AreaCell]) -> Result<(), StudyError> {
    let latitudes = cells.iter().filter_map(|c| {
        let cell = CellIndex::try_from(c.id.0).ok()?;
        Some(h3o::LatLng::from(cell).lat_radians())
    });
    let bounds = (f64::INFINITY, f64::NEG_INFINITY);
    let (south, north) = latitudes.fold(bounds, |(s, n), lat| (s.min(lat), n.max(lat)));
    let nearest = if south > 0.0 {
        south
    } else if north < 0.0 {
        -north
    } else {
        0.0
    };
    if nearest > world.reach_rad() {
        return Err(StudyError::OutOfReach {
            area: area.to_owned(),
            south_deg: south.to_degrees(),
            north_deg: north.to_degrees(),
            reach_deg: world.reach_rad().to_degrees(),
        });
    }
    Ok(())
}
