//! The world: a scenario with everything that it names, ready to be planned and to carry packets.
//!
//! The only translator between the crates below: sky and demand become the planner's inputs, a plan becomes a forwarding
//! table. It knows no file, clock or socket; what it needs of them is given to [`World::load`].

use crate::climate::ClimateGrid;
use crate::conditions::{self, ConditionError, Conditions};
use crate::constellation::{self, Constellation, LeftOut};
use crate::day_curve::DayCurve;
use crate::demand::{self, CellDemand, Demand, cell_at, read_located};
use crate::entitlement::Asked;
use crate::files::Files;
use crate::ground::{self, Ground, NearestPop};
use crate::places::{Place, PlaceError, find_place};
use crate::problem::{Location, Problem, Problems, suggestions};
use crate::region::Region;
use crate::scenario::{
    LinkSpec, PlaceSpec, Scenario, Start, TerminalSpec, WeatherKind, WeatherSpec,
};
use crate::summary::Summary;
use crate::track::Track;
use crate::weather::{Atmosphere, RainField, Weather, WeatherError};
use h3o::{CellIndex, LatLng, Resolution};
use rayon::prelude::*;
use skyweave_base::{
    CellId, Ecef, Enu, EpochNumber, Geodetic, LookAngles, Obstruction, SatId, Span, TerminalId,
    Time, great_circle_m,
};
use skyweave_dataplane::EpochTable;
use skyweave_orbit::{Elements, Ephemeris, Sky, Vectors};
use skyweave_plan::{
    Access, Cell, Gateway, Inputs, LiveTerminal, Plan, PointOfPresence, Preference, SatelliteState,
};
use skyweave_radio::{LinkLimit, Profile};
use skyweave_service::Decision;
use std::sync::Arc;

/// A scenario, loaded. To clone it is cheap: clones share what does not change.
#[derive(Clone, Debug)]
pub struct World {
    pub(crate) name: String,
    pub(crate) description: String,
    seed: u64,
    pub(crate) start: Time,
    starts_now: bool,
    preference: Preference,
    pub(crate) constellation: Arc<Constellation>,
    pub(crate) ground: Arc<Ground>,
    pops: Arc<[PointOfPresence]>,
    pub(crate) scenario_profile: Arc<Profile>,
    pub(crate) demand: Arc<[Demand]>,
    demand_by_hour: Option<DayCurve>,
    conditions: Conditions,
    region: Option<Arc<Region>>,
    // What the scenario makes of these under the conditions:
    pub(crate) profile: Arc<Profile>,
    gateways: Arc<[Gateway]>,
    nearest_pop: NearestPop,
    /// Ascending.
    lost: Arc<[SatId]>,
    reach_rad: f64,
    background: Arc<[Cell]>,
    /// Where the service is closed, ascending.
    closed: Arc<[CellId]>,
    /// The background elsewhere.
    open: Arc<[Cell]>,
    /// The open background and the live terminals that do not move.
    pub(crate) cells: Arc<[Cell]>,
    pub(crate) atmosphere: Atmosphere,
    /// Ascending by id.
    pub(crate) terminals: Vec<Terminal>,
    next_terminal: u32,
    /// From this id on, terminals joined at run time.
    first_joined: TerminalId,
    warnings: Problems,
}

/// A live terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct Terminal {
    /// Its id.
    pub id: TerminalId,
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: TerminalPlace,
    /// Where it says it is, if that is not where it is.
    pub claims: Option<Geodetic>,
    /// What hides its sky.
    pub obstructions: Arc<[Obstruction]>,
    /// What it asks toward the ground, kbit/s.
    pub ask_kbps: u32,
    /// What the service decided; `None` without a service, and then it is entitled to all.
    pub decision: Option<Decision>,
}

/// Where a terminal is.
#[derive(Clone, Debug, PartialEq)]
pub enum TerminalPlace {
    /// Always at one place.
    Fixed(Geodetic),
    /// Along a track; its times count from the scenario's start.
    Moving(Track),
}

impl Terminal {
    /// Whether something stands before it in a direction.
    pub fn is_obstructed(&self, look: &LookAngles) -> bool {
        Obstruction::any_hides(&self.obstructions, look)
    }
}

impl World {
    /// Reads a scenario and all that it names. `file` is the name under which problems are reported; `now` is what the scenario's
    /// `start = "now"` means. Collects as many problems as it can before it gives up.
    pub fn load(file: &str, text: &str, files: &dyn Files, now: Time) -> Result<Self, Problems> {
        Self::load_from(file, text, files, now, None)
    }

    /// As [`load`](Self::load), with another start, if one is given, in place of the scenario's own.
    pub fn load_from(
        file: &str,
        text: &str,
        files: &dyn Files,
        now: Time,
        start: Option<Time>,
    ) -> Result<Self, Problems> {
        let (scenario, mut problems) = Scenario::parse(file, text);
        let Some(scenario) = scenario else {
            return Err(problems);
        };
        let starts_now = start.is_none() && scenario.sky.start.value == Start::Now;
        let start = start.unwrap_or(match scenario.sky.start.value {
            Start::Now => now,
            Start::At(utc) => utc.into(),
        });
        let profile = load_profile(&scenario, files, &mut problems);
        let default_antennas = profile.as_ref().map_or(0, |p| p.feeder.default_antennas);
        // The sky and the people are independent and the longest to load.
        let (mut of_sky, mut of_demand) = (Problems::default(), Problems::default());
        let (constellation, demand) = rayon::join(
            || {
                constellation::load(
                    &scenario.sky,
                    &scenario.lasers.mode,
                    start,
                    files,
                    &mut of_sky,
                )
            },
            || demand::load(&scenario.demand, files, &mut of_demand),
        );
        problems.0.append(&mut of_sky.0);
        problems.0.append(&mut of_demand.0);
        let ground = ground::load(&scenario.ground, default_antennas, files, &mut problems);
        let needs_ground = !scenario.demand.is_empty() || !scenario.terminals.is_empty();
        for (list, what) in [
            (ground.gateways.len(), "gateway"),
            (ground.pops.len(), "point of presence"),
        ] {
            if list == 0 && needs_ground && !problems.has_errors() {
                problems.push(
                    scenario
                        .ground
                        .at
                        .error(format!("no {what} is left: terminals need at least one")),
                );
            }
        }
        let reach_rad = match (&constellation, &profile) {
            (Some(constellation), Some(profile)) => reach_rad(constellation, profile.user.limit),
            _ => core::f64::consts::FRAC_PI_2,
        };
        let terminals = load_terminals(&scenario.terminals, reach_rad, files, &mut problems);
        let weather = load_weather(&scenario.weather, files, &mut problems);
        if problems.has_errors() {
            return Err(problems);
        }
        let (Some(constellation), Some(profile)) = (constellation, profile) else {
            return Err(problems);
        };
        let scenario_profile = Arc::new(profile);
        let mut world = Self {
            name: scenario.name,
            description: scenario.description,
            seed: scenario.seed,
            start,
            starts_now,
            preference: scenario.preference,
            constellation: constellation.into(),
            profile: Arc::clone(&scenario_profile),
            scenario_profile,
            conditions: Conditions::default(),
            region: None,
            gateways: ground.gateways.clone().into(),
            pops: ground.pops.clone().into(),
            nearest_pop: NearestPop::without(&ground.pops, &[]),
            ground: ground.into(),
            demand: demand.into(),
            demand_by_hour: scenario.demand_by_hour,
            lost: Arc::default(),
            reach_rad,
            cells: Arc::default(),
            background: Arc::default(),
            closed: Arc::default(),
            open: Arc::default(),
            atmosphere: Atmosphere::default(),
            terminals: Vec::new(),
            next_terminal: 0,
            first_joined: TerminalId(scenario.terminals.len() as u32),
            warnings: problems,
        };
        for (spec, place) in scenario.terminals.iter().zip(terminals) {
            let id = world.join(spec.name.value.clone(), place, spec.rate_kbps);
            let terminal = &mut world.terminals[id.index()];
            terminal.claims = spec.claims;
            terminal.obstructions = spec.obstructions.clone().into();
        }
        let wrong = world.try_conditions(scenario.conditions.value.clone());
        for error in wrong.err().unwrap_or_default() {
            let place = scenario
                .condition_places
                .iter()
                .find(|(of, _)| error.is_of(of));
            let at = place.map_or(&scenario.conditions.at, |(_, at)| at);
            world.warnings.push(at.error(error.to_string()));
        }
        if let Some((weather, climate)) = weather {
            world.atmosphere.climate = climate;
            let minds = Atmosphere::matters_to(&world.profile);
            if weather != Weather::Clear && !minds {
                world.warnings.push(scenario.weather.at.warning(format!(
                    "the rates of the radio profile `{}` do not mind the weather: a profile with link budgets does, such as starlink-v2mini",
                    world.profile.name
                )));
            }
            let at = &scenario.weather.at;
            match world.set_weather(weather) {
                Err(error) => world.warnings.push(at.error(error.to_string())),
                Ok(()) => {
                    let doubt = world.atmosphere.doubt(&world.cells, &world.gateways);
                    world.warnings.0.extend(doubt.map(|d| at.warning(d)));
                }
            }
        }
        if world.warnings.has_errors() {
            return Err(world.warnings);
        }
        Ok(world)
    }

    /// What is different from the scenario; at first the scenario's own `[faults]` and `[additions]`.
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Puts conditions in place of those that were there, from the next [`inputs`](Self::inputs) on. Live terminals stay. If one does
    /// not fit this world nothing changes.
    pub fn set_conditions(&mut self, conditions: Conditions) -> Result<(), ConditionError> {
        self.try_conditions(conditions)
            .map_err(|mut errors| errors.swap_remove(0))
    }

    /// Whether [`set_conditions`](Self::set_conditions) would take these.
    pub fn check_conditions(&self, conditions: &Conditions) -> Result<(), ConditionError> {
        conditions::apply(self, conditions)
            .map(drop)
            .map_err(|mut errors| errors.swap_remove(0))
    }

    /// The weather; at first the scenario's own.
    pub fn weather(&self) -> &Weather {
        &self.atmosphere.weather
    }

    /// Puts weather in place of that which was there, from the next [`inputs`](Self::inputs) on. If it does not fit this world
    /// nothing changes.
    pub fn set_weather(&mut self, weather: Weather) -> Result<(), WeatherError> {
        self.atmosphere
            .set(weather, self.start, &self.cells, &self.gateways)?;
        self.settle_weather();
        Ok(())
    }

    fn settle_weather(&mut self) {
        self.atmosphere
            .settle(&self.profile, &self.cells, &self.gateways);
    }

    /// How what the background asks changes over the day; `None`: it does not.
    pub fn demand_by_hour(&self) -> Option<&DayCurve> {
        self.demand_by_hour.as_ref()
    }

    /// This world with every place in its busiest hour at all times.
    pub fn at_busiest_hour(&self) -> Self {
        Self {
            demand_by_hour: None,
            ..self.clone()
        }
    }

    /// This world under other conditions.
    pub fn under(&self, conditions: Conditions) -> Result<Self, ConditionError> {
        let mut world = self.clone();
        world.set_conditions(conditions)?;
        Ok(world)
    }

    /// This world reduced to what matters to the demand of an area (as the scenario writes it): its cells, the load around it as
    /// far as one satellite can serve both, and the satellites and gateways that carry either. Much faster to plan.
    pub fn region(&self, area: &str) -> Result<Self, ConditionError> {
        let mut world = self.clone();
        world.region = Some(Region::around(self, area)?.into());
        world.set_conditions(self.conditions.clone())?;
        Ok(world)
    }

    fn try_conditions(&mut self, conditions: Conditions) -> Result<(), Vec<ConditionError>> {
        let mut applied = conditions::apply(self, &conditions)?;
        if let Some(region) = &self.region {
            applied.demand.retain(|d| region.has_load(d.cell));
        }
        self.profile = applied.profile;
        self.gateways = applied.gateways;
        self.nearest_pop = applied.nearest_pop;
        self.lost = applied.lost;
        self.background = background(&applied.demand, &self.nearest_pop).into();
        self.conditions = conditions;
        self.count_open();
        Ok(())
    }

    /// The scenario's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The scenario's description; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The root of the seed tree.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The instant at which the scenario begins.
    pub fn start(&self) -> Time {
        self.start
    }

    /// True if the scenario begins at the wall clock (`start = "now"`).
    pub fn starts_now(&self) -> bool {
        self.starts_now
    }

    /// The epoch that holds the start.
    pub fn first_epoch(&self) -> EpochNumber {
        EpochNumber::containing(self.start)
    }

    /// What may make results untrustworthy.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings.0
    }

    /// What was loaded.
    pub fn summary(&self) -> Summary {
        Summary::of(self)
    }

    /// How far from the area of a [`region`](Self::region) a gateway stands, rad, and whether it may be of use.
    pub(crate) fn gateway_distance(&self, place: Geodetic) -> (f64, bool) {
        let region = self.region.as_ref();
        region.map_or((0.0, true), |r| r.gateway(place))
    }

    pub(crate) fn reach_rad(&self) -> f64 {
        self.reach_rad
    }

    /// The radio, with the scenario's own limits in it.
    pub fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// What the planner prefers among satellites that would serve equally well, from now on.
    pub fn prefer(&mut self, preference: Preference) {
        self.preference = preference;
    }

    /// All satellites, in service or not; a satellite's id is its position here.
    pub fn satellites(&self) -> &[Elements] {
        &self.constellation.elements
    }

    /// Where all satellites are at any instant, by the same ids: what plans and packets go by.
    pub fn ephemeris(&self) -> &Ephemeris {
        &self.constellation.ephemeris
    }

    /// What the ephemeris interpolates: the satellites by SGP4 itself.
    pub fn sky(&self) -> &Sky {
        self.ephemeris().sky()
    }

    /// Why a satellite is not in service; `None` if it is, or would be if conditions had not taken it.
    pub fn left_out(&self, satellite: SatId) -> Option<LeftOut> {
        self.constellation
            .left_out
            .get(satellite.index())
            .copied()
            .flatten()
    }

    /// The laser links that exist, whatever their length at a time.
    pub fn lasers(&self) -> &Arc<[(SatId, SatId)]> {
        &self.constellation.lasers
    }

    /// Gateways in use, by id. One that is lost has no antenna.
    pub fn gateways(&self) -> &Arc<[Gateway]> {
        &self.gateways
    }

    /// Points of presence in use, by id.
    pub fn pops(&self) -> &Arc<[PointOfPresence]> {
        &self.pops
    }

    /// Live terminals, ascending by id. Ids are not used again after [`remove_terminal`](Self::remove_terminal).
    pub fn terminals(&self) -> &[Terminal] {
        &self.terminals
    }

    /// The live terminal of this name, letter case aside.
    pub fn terminal(&self, name: &str) -> Option<&Terminal> {
        let wanted = name.trim().to_lowercase();
        self.terminals.iter().find(|t| t.name == name).or_else(|| {
            self.terminals
                .iter()
                .find(|t| t.name.to_lowercase() == wanted)
        })
    }

    /// The live terminal of this id.
    pub fn terminal_by_id(&self, id: TerminalId) -> Option<&Terminal> {
        self.terminals
            .binary_search_by_key(&id, |t| t.id)
            .ok()
            .map(|i| &self.terminals[i])
    }

    /// Where a live terminal stands at a time.
    pub fn position(&self, terminal: &Terminal, t: Time) -> Geodetic {
        match &terminal.place {
            TerminalPlace::Fixed(place) => *place,
            TerminalPlace::Moving(track) => track.at((t - self.start).as_secs_f64()),
        }
    }

    /// Where a satellite stands in a live terminal's sky at a time; `None` if its elements do not give a position then.
    pub fn look(&self, terminal: &Terminal, satellite: SatId, t: Time) -> Option<LookAngles> {
        let satellite = self.ephemeris().position(satellite, t).ok()?;
        Some(Enu::at(self.position(terminal, t)).look(satellite))
    }

    /// Where a live terminal says it is at a time: where it stands, unless the scenario lets it say otherwise.
    pub fn claimed(&self, terminal: &Terminal, t: Time) -> Geodetic {
        terminal
            .claims
            .unwrap_or_else(|| self.position(terminal, t))
    }

    /// Centre of a cell and the distance of its farthest corner, m; `None` if it is no cell.
    pub fn cell_place(&self, cell: CellId) -> Option<(Geodetic, f64)> {
        let index = CellIndex::try_from(cell.0).ok()?;
        let place = |at: LatLng| Geodetic {
            lat_rad: at.lat_radians(),
            lon_rad: at.lng_radians(),
            height_m: 0.0,
        };
        let centre = place(index.into());
        let corners = index.boundary();
        let corners = corners.iter().map(|&c| great_circle_m(centre, place(c)));
        Some((centre, corners.fold(0.0, f64::max)))
    }

    /// A place from the name of a live terminal (where it stands at the start), `LAT,LON`, or the name of a city.
    pub fn resolve_place(&self, text: &str) -> Result<Place, PlaceError> {
        if let Some(terminal) = self.terminal(text) {
            let position = self.position(terminal, self.start);
            return Ok(Place {
                name: terminal.name.clone(),
                position,
                note: None,
            });
        }
        find_place(text).map_err(|error| match error {
            PlaceError::Unknown {
                text,
                suggestions: cities,
            } => {
                let mut near = suggestions(&text, self.terminals.iter().map(|t| t.name.as_str()));
                near.extend(cities);
                near.dedup();
                near.truncate(3);
                PlaceError::Unknown {
                    text,
                    suggestions: near,
                }
            }
            other => other,
        })
    }

    /// Adds a live terminal that does not move. From the next plan on it is counted in its cell, which comes into being if
    /// there was no demand there.
    pub fn add_terminal(
        &mut self,
        name: &str,
        place: Geodetic,
        ask_kbps: u32,
    ) -> Result<TerminalId, PlaceError> {
        if self.terminals.iter().any(|t| t.name == name) {
            return Err(PlaceError::Duplicate {
                name: name.to_owned(),
            });
        }
        if self.pops.is_empty() || self.gateways.is_empty() {
            return Err(PlaceError::NoGround {
                name: name.to_owned(),
            });
        }
        within_reach(name, place, self.reach_rad)?;
        let id = self.join(name.to_owned(), TerminalPlace::Fixed(place), ask_kbps);
        self.count_live();
        Ok(id)
    }

    /// The live terminal at a place (the name of one, `LAT,LON` or a city), and whether it is one that joined at run time. If
    /// there is none it joins now, under the text as its name, and asks [`DEFAULT_ASK_KBPS`](Self::DEFAULT_ASK_KBPS).
    pub fn terminal_at(&mut self, text: &str) -> Result<(TerminalId, bool), PlaceError> {
        if let Some(terminal) = self.terminal(text) {
            return Ok((terminal.id, self.is_joined(terminal.id)));
        }
        let place = self.resolve_place(text)?;
        let id = self.add_terminal(text.trim(), place.position, Self::DEFAULT_ASK_KBPS)?;
        Ok((id, true))
    }

    /// What a terminal asks that joins without saying: 200 Mbit/s, the world's median at the end of 2025 (the operator's
    /// progress report 2025).
    pub const DEFAULT_ASK_KBPS: u32 = 200_000;

    /// Takes a terminal away that joined at run time; from the next plan on it is not there. False if there is none.
    pub fn remove_terminal(&mut self, id: TerminalId) -> bool {
        let before = self.terminals.len();
        let joined = self.is_joined(id);
        self.terminals.retain(|t| t.id != id || !joined);
        self.count_live();
        self.terminals.len() < before
    }

    /// True if the terminal joined at run time.
    pub fn is_joined(&self, id: TerminalId) -> bool {
        id >= self.first_joined
    }

    /// What the plan of an epoch may depend on.
    pub fn inputs(&self, epoch: EpochNumber) -> Inputs {
        let middle = epoch.start() + Span::from_nanos(EpochNumber::LENGTH.nanos() / 2);
        let [start, end] = [epoch.start(), epoch.end()].map(|t| {
            let mut positions_m = Vectors::default();
            self.ephemeris().positions_into(t, &mut positions_m);
            positions_m
        });
        let satellites = self
            .constellation
            .left_out
            .iter()
            .zip(start.iter().zip(end.iter()))
            .enumerate();
        let satellites = satellites.filter_map(|(i, (left_out, (start, end)))| {
            let state = SatelliteState {
                id: SatId(i as u32),
                start: Ecef(start?),
                end: Ecef(end?),
            };
            let serves = left_out.is_none() && self.lost.binary_search(&state.id).is_err();
            let matters = || {
                self.region
                    .as_ref()
                    .is_none_or(|r| r.has_satellite(state.start))
            };
            (serves && matters()).then_some(state)
        });
        let cells = match &self.demand_by_hour {
            None => self.with_live(&self.cells, |t| match &t.place {
                TerminalPlace::Fixed(_) => None,
                TerminalPlace::Moving(_) => Some(self.position(t, middle)),
            }),
            Some(curve) => self.with_live(&at_hour(&self.open, curve, middle), |t| {
                Some(self.position(t, middle))
            }),
        };
        let weather =
            self.atmosphere
                .at(middle, &self.profile, &self.cells, &cells, &self.gateways);
        Inputs {
            epoch,
            profile: Arc::clone(&self.profile),
            preference: self.preference,
            cells,
            live: self.live_terminals(epoch).into(),
            satellites: satellites.collect(),
            gateways: Arc::clone(&self.gateways),
            pops: Arc::clone(&self.pops),
            lasers: Arc::clone(&self.constellation.lasers),
            weather,
        }
    }

    /// The live terminals as the planner sees them in an epoch: for [`Plan::amended`], too.
    pub fn live_terminals(&self, epoch: EpochNumber) -> Vec<LiveTerminal> {
        let middle = epoch.start() + Span::from_nanos(EpochNumber::LENGTH.nanos() / 2);
        let terminals = self.terminals.iter();
        terminals.filter_map(|t| self.live(t, middle)).collect()
    }

    /// Takes over what the service decided for live terminals; plans from now on go by it. Terminals that have left are
    /// passed over.
    pub fn set_decisions(&mut self, decisions: impl IntoIterator<Item = (TerminalId, Decision)>) {
        for (id, decision) in decisions {
            if let Ok(i) = self.terminals.binary_search_by_key(&id, |t| t.id) {
                self.terminals[i].decision = Some(decision);
            }
        }
        self.count_live();
    }

    /// Demand of the scenario without its live terminals, with the centre of each cell.
    pub fn background(&self) -> &Arc<[Cell]> {
        &self.background
    }

    /// Takes over in which cells the service is closed: their terminals of the [`background`](Self::background) ask nothing
    /// from the next plan on. Live terminals there are decided on one by one.
    pub fn close_cells(&mut self, mut closed: Vec<CellId>) {
        closed.sort_unstable();
        self.closed = closed.into();
        self.count_open();
    }

    /// The plan of an epoch. For many epochs a [`skyweave_plan::Planner`] on [`inputs`](Self::inputs) saves time.
    pub fn plan(&self, epoch: EpochNumber, previous: Option<&Plan>) -> Plan {
        skyweave_plan::plan(&self.inputs(epoch), previous)
    }

    /// What the packet path needs of a plan of this world.
    pub fn forwarding(&self, plan: &Plan) -> EpochTable {
        crate::forwarding::table(self, plan)
    }

    fn join(&mut self, name: String, place: TerminalPlace, ask_kbps: u32) -> TerminalId {
        let id = TerminalId(self.next_terminal);
        self.next_terminal += 1;
        self.terminals.push(Terminal {
            id,
            name,
            place,
            claims: None,
            obstructions: Arc::default(),
            ask_kbps,
            decision: None,
        });
        id
    }

    /// A terminal as the planner sees it.
    fn live(&self, t: &Terminal, at: Time) -> Option<LiveTerminal> {
        let place = self.position(t, at);
        let asked = self.asked(t);
        Some(LiveTerminal {
            id: t.id,
            place,
            cell: CellId(cell_of(place)?.into()),
            obstructions: Arc::clone(&t.obstructions),
            ask_kbps: asked.ask_kbps,
            most_up_kbps: asked.most_up_kbps,
            access: asked.access,
        })
    }

    fn asked(&self, t: &Terminal) -> Asked {
        let beam_kbps = self.profile.feeder.satellite_kbps;
        Asked::of(t.decision.as_ref(), t.ask_kbps, beam_kbps)
    }

    fn count_open(&mut self) {
        let open = |cell: &&Cell| self.closed.binary_search(&cell.id).is_err();
        self.open = match self.closed.is_empty() {
            true => Arc::clone(&self.background),
            false => self.background.iter().filter(open).copied().collect(),
        };
        self.count_live();
    }

    fn count_live(&mut self) {
        self.cells = self.with_live(&self.open, |t| match &t.place {
            TerminalPlace::Fixed(place) => Some(*place),
            TerminalPlace::Moving(_) => None,
        });
        self.settle_weather();
    }

    /// The cells with those live terminals added for which `place` says where they are.
    fn with_live(
        &self,
        cells: &Arc<[Cell]>,
        place: impl Fn(&Terminal) -> Option<Geodetic>,
    ) -> Arc<[Cell]> {
        let mut joining: Vec<(CellIndex, u32)> = self
            .terminals
            .iter()
            .map(|t| (t, self.asked(t)))
            .filter(|(_, asked)| asked.access != Access::None)
            .filter_map(|(t, asked)| Some((cell_of(place(t)?)?, asked.ask_kbps)))
            .collect();
        if joining.is_empty() {
            return Arc::clone(cells);
        }
        joining.sort_unstable();
        let mut all = cells.to_vec();
        let mut added = Vec::new();
        for same_cell in joining.chunk_by(|a, b| a.0 == b.0) {
            let index = same_cell[0].0;
            let cell = match all.binary_search_by_key(&CellId(index.into()), |c| c.id) {
                Ok(i) => &mut all[i],
                Err(_) => {
                    added.push(empty_cell(index, &self.nearest_pop));
                    added.last_mut().expect("just pushed")
                }
            };
            for (_, ask_kbps) in same_cell {
                cell.terminals = cell.terminals.saturating_add(1);
                cell.demand_kbps += u64::from(*ask_kbps);
            }
        }
        if !added.is_empty() {
            all.append(&mut added);
            all.sort_unstable_by_key(|c| c.id);
        }
        all.into()
    }
}

fn background(demand: &[CellDemand], nearest_pop: &NearestPop) -> Vec<Cell> {
    let with_demand = |d: &CellDemand| Cell {
        terminals: d.terminals,
        demand_kbps: d.demand_kbps,
        ..empty_cell(d.cell, nearest_pop)
    };
    demand.par_iter().map(with_demand).collect()
}

/// The background at a time of the day. Every terminal of it asks the same part of what it asks in the busiest hour.
fn at_hour(background: &[Cell], curve: &DayCurve, t: Time) -> Arc<[Cell]> {
    let then = |cell: &Cell| Cell {
        demand_kbps: (cell.demand_kbps as f64 * curve.at(t, cell.centre.lon_rad)).ceil() as u64,
        ..*cell
    };
    background.par_iter().map(then).collect::<Vec<_>>().into()
}

fn empty_cell(index: CellIndex, nearest_pop: &NearestPop) -> Cell {
    let centre = LatLng::from(index);
    let centre = Geodetic {
        lat_rad: centre.lat_radians(),
        lon_rad: centre.lng_radians(),
        height_m: 0.0,
    };
    Cell {
        id: CellId(index.into()),
        centre,
        terminals: 0,
        demand_kbps: 0,
        pop: nearest_pop.of(centre),
    }
}

fn cell_of(place: Geodetic) -> Option<CellIndex> {
    cell_at(place.lat_rad, place.lon_rad, Resolution::Five)
}

fn load_profile(
    scenario: &Scenario,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<Profile> {
    let name = &scenario.profile;
    let profile = if name.ends_with(".toml") {
        let bytes = read_located(name, files, problems)?;
        let text = String::from_utf8(bytes);
        let text = text
            .map_err(|_| problems.push(Location::file(name).error("is not UTF-8 text")))
            .ok()?;
        Profile::from_toml(&text).map_err(|error| {
            let text = error.to_string();
            let line = text
                .strip_prefix("line ")
                .and_then(|rest| rest.split_once(": "));
            match line.and_then(|(number, message)| Some((number.parse().ok()?, message))) {
                Some((line, message)) => Location::line(name, line).error(message),
                None => Location::file(name).error(text.clone()),
            }
        })
    } else {
        Profile::builtin(name).map_err(|error| name.at.error(error.to_string()))
    };
    let mut profile = profile.map_err(|problem| problems.push(problem)).ok()?;
    set_limits(&mut profile, scenario, problems);
    Some(profile)
}

/// The weather, and the climate grid that the scenario names.
fn load_weather(
    spec: &WeatherSpec,
    files: &dyn Files,
    problems: &mut Problems,
) -> Option<(Weather, Option<Arc<ClimateGrid>>)> {
    let climate = match &spec.climate {
        None => None,
        Some(path) => {
            let bytes = read_located(path, files, problems)?;
            let parsed = ClimateGrid::parse(path, &bytes);
            let grid = parsed.map_err(|found| problems.0.extend(found.0)).ok()?;
            Some(Arc::new(grid))
        }
    };
    let weather = match &spec.kind {
        WeatherKind::Clear => Weather::Clear,
        &WeatherKind::Exceedance { percent } => Weather::Exceedance { percent },
        WeatherKind::Rain { path, between } => {
            let bytes = read_located(path, files, problems)?;
            let parsed = RainField::parse(path, &bytes, *between);
            let field = parsed.map_err(|found| problems.0.extend(found.0)).ok()?;
            Weather::Rain(Arc::new(field))
        }
    };
    Some((weather, climate))
}

/// Puts the scenario's limits in place of the profile's.
fn set_limits(profile: &mut Profile, scenario: &Scenario, problems: &mut Problems) {
    let set = |limit: &mut LinkLimit, elevation: Option<f64>, gso: Option<f64>| match limit {
        LinkLimit::Elevation {
            min_elevation_rad,
            gso_exclusion_rad,
        } => {
            *min_elevation_rad = elevation.unwrap_or(*min_elevation_rad);
            *gso_exclusion_rad = gso.unwrap_or(*gso_exclusion_rad);
            true
        }
        LinkLimit::Range { .. } => elevation.or(gso).is_none(),
    };
    match scenario.links {
        LinkSpec::Elevation {
            min_elevation,
            gso_exclusion,
            gateway_min_elevation,
            gateway_gso_exclusion,
        } => {
            let user = set(&mut profile.user.limit, min_elevation, gso_exclusion);
            let feeder = set(
                &mut profile.feeder.limit,
                gateway_min_elevation,
                gateway_gso_exclusion,
            );
            if !user || !feeder {
                let message = "the profile limits links by range: elevations in [links] have no meaning with it";
                problems.push(scenario.profile.at.error(message));
            }
        }
        LinkSpec::Range { max_gsl_m } => {
            profile.user.limit = LinkLimit::Range {
                max_range_m: max_gsl_m,
            };
            profile.feeder.limit = LinkLimit::Range {
                max_range_m: max_gsl_m,
            };
        }
    }
    let laser = &mut profile.laser;
    laser.max_range_m = scenario.lasers.max_range_m.unwrap_or(laser.max_range_m);
    laser.min_grazing_height_m = scenario
        .lasers
        .min_grazing_height_m
        .unwrap_or(laser.min_grazing_height_m);
}

/// The greatest latitude that a satellite in service can serve: its inclination and the radius of its footprint.
fn reach_rad(constellation: &Constellation, limit: LinkLimit) -> f64 {
    let reach = constellation.serving().map(|e| {
        let highest = e
            .inclination_rad
            .min(core::f64::consts::PI - e.inclination_rad);
        highest + footprint_rad(e, limit)
    });
    reach.fold(0.0, f64::max)
}

/// A bound on the angle at the Earth's centre between a satellite and what it can serve, on a sphere.
///
/// Elevation ε at altitude h: λ = acos(R cos ε / (R + h)) − ε. Range d: cos λ = (R² + (R + h)² − d²) / (2 R (R + h)).
pub(crate) fn footprint_rad(e: &Elements, limit: LinkLimit) -> f64 {
    /// For the flattening of the Earth (at most 0.2° between geodetic and geocentric latitude) and the orbits' own.
    const MARGIN_RAD: f64 = 0.5 * core::f64::consts::PI / 180.0;
    const R: f64 = skyweave_base::MEAN_EARTH_RADIUS_M;
    // Apogee, which is highest above the ground and so reaches farthest.
    let r = R + e.altitude_m() + e.eccentricity * (R + e.altitude_m());
    let footprint = match limit {
        LinkLimit::Elevation {
            min_elevation_rad, ..
        } => (R * min_elevation_rad.cos() / r).clamp(-1.0, 1.0).acos() - min_elevation_rad,
        LinkLimit::Range { max_range_m } => ((R * R + r * r - max_range_m * max_range_m)
            / (2.0 * R * r))
            .clamp(-1.0, 1.0)
            .acos(),
    };
    footprint + MARGIN_RAD
}

fn within_reach(name: &str, place: Geodetic, reach_rad: f64) -> Result<(), PlaceError> {
    if place.lat_rad.abs() <= reach_rad {
        return Ok(());
    }
    Err(PlaceError::OutOfReach {
        name: name.to_owned(),
        lat_deg: place.lat_deg(),
        reach_deg: reach_rad.to_degrees(),
    })
}

fn load_terminals(
    specs: &[TerminalSpec],
    reach_rad: f64,
    files: &dyn Files,
    problems: &mut Problems,
) -> Vec<TerminalPlace> {
    let mut all = Vec::with_capacity(specs.len());
    for spec in specs {
        match &spec.place {
            PlaceSpec::Fixed(text) => match find_place(text) {
                Ok(place) => {
                    if let Some(note) = &place.note {
                        problems.push(text.at.warning(note.as_str()));
                    }
                    if let Err(error) = within_reach(&spec.name, place.position, reach_rad) {
                        problems.push(text.at.error(error.to_string()));
                    }
                    all.push(TerminalPlace::Fixed(place.position));
                }
                Err(error) => problems.push(text.at.error(error.to_string())),
            },
            PlaceSpec::Track(path) => {
                let track =
                    read_located(path, files, problems).map(|bytes| Track::parse(path, &bytes));
                match track {
                    Some(Ok(track)) => {
                        if let Some(Err(error)) = track
                            .positions()
                            .map(|p| within_reach(&spec.name, p, reach_rad))
                            .find(Result::is_err)
                        {
                            problems.push(
                                path.at.warning(format!(
                                    "part of the track is out of service: {error}"
                                )),
                            );
                        }
                        all.push(TerminalPlace::Moving(track));
                    }
                    Some(Err(found)) => problems.0.extend(found.0),
                    None => {}
                }
            }
        }
    }
    all
}
