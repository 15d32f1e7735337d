//! A live run: a world, its network, and the loop that keeps plans ready. `up` shows it; `run` and `shell` use it.

mod measured;
mod on_air;
mod service;

pub(crate) use on_air::OnAir;
pub(crate) use service::ServiceStatus;

use self::service::{Made, Session, admit_scenario};
use super::summary::Summary;
use crate::access::{Service, Watch};
use crate::cli::{Carry, DishOptions, Way};
use crate::dish::{DishAddress, Dishes, Settings};
use crate::live::{
    Attachment, Clock, Controller, LiveError, Network, NetworkConfig, Realtime, TerminalConfig,
    UplinkChoice,
};
use crate::metrics::Planning;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skyweave_base::{CellId, EpochNumber, Seed, Span, TerminalId, Time, great_circle_m};
use skyweave_dataplane::EpochTable;
use skyweave_dish::{Cause, FileNames, Identity, Look, Permissions, Schedule};
use skyweave_plan::{Access, Inputs, Plan, Planner, Reason, TerminalOutcome};
use skyweave_service::{BadUtId, Code, Decision, Proof, UtId};
use skyweave_world::{Terminal, World};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// What a live run is told at its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How packets are carried; `None`: not at all.
    pub(crate) carry: Option<Carry>,
    /// Whether other processes may join.
    pub(crate) serve: bool,
}

/// One epoch as it is told to people, scripts and joining processes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) summary: Summary,
    /// First instant of the epoch, nanoseconds of the network's time.
    pub(crate) start_ns: Time,
    pub(crate) end_ns: Time,
    /// True if the plan was not ready when its epoch began.
    pub(crate) late: bool,
    /// `None`: every terminal is entitled.
    pub(crate) service: Option<ServiceStatus>,
    pub(crate) live: Vec<LiveTerminalReport>,
}

/// A live terminal in one epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LiveTerminalReport {
    pub(crate) id: TerminalId,
    pub(crate) name: String,
    /// Who it has proved to be; `None` without a service.
    pub(crate) terminal: Option<UtId>,
    pub(crate) satellite: Option<String>,
    pub(crate) elevation_deg: Option<f64>,
    pub(crate) lasers: Option<usize>,
    pub(crate) gateway: Option<String>,
    pub(crate) pop: Option<String>,
    pub(crate) down_mbps: f64,
    pub(crate) up_mbps: f64,
    /// Planned round trip to the point of presence at each second of the epoch, the end included, ms.
    pub(crate) planned_rtt_ms: Vec<f64>,
    /// How far its packets may go; `None`: nowhere.
    pub(crate) access: Option<Access>,
    /// What its dish shows of the service's decision; `None` without a service.
    pub(crate) code: Option<Code>,
    /// Why it has no service.
    pub(crate) reason: Option<String>,
    /// The same, for metrics.
    #[serde(skip)]
    pub(crate) unserved: Option<Reason>,
    /// Where this machine reaches its dish; `None` if no packets are carried.
    pub(crate) dish: Option<DishAddress>,
}

impl LiveTerminalReport {
    /// The planned round trip of a packet sent `since_start` after the epoch's start: linear between the seconds, which a
    /// range over 15 s follows to under a microsecond.
    pub(crate) fn planned_rtt_ms_at(&self, since_start: Span) -> Option<f64> {
        let last = self.planned_rtt_ms.len().checked_sub(2)?;
        let s = since_start.as_secs_f64().max(0.0);
        let i = (s as usize).min(last);
        let (a, b) = (self.planned_rtt_ms[i], self.planned_rtt_ms[i + 1]);
        Some(a + (b - a) * (s - i as f64))
    }
}

/// How many past epochs a joining process can ask about.
const HISTORY: usize = 64;
/// Plans are made this long before their epoch, or three times as long as the last one took if that is more.
const LEAD: Span = Span::from_secs(4);
const SERVICE_WAIT_EPOCHS: usize = 4;

/// A network that runs: shared between the planning loop, the control socket and whoever watches.
pub(crate) struct LiveRun {
    world: Mutex<World>,
    pool: rayon::ThreadPool,
    planner: Mutex<Planner>,
    /// `None`: every terminal is entitled.
    service: Option<Service>,
    /// Follows the service. Locked before all others.
    watch: Option<Mutex<Watch>>,
    /// Who live terminals have proved to be.
    sessions: Mutex<BTreeMap<TerminalId, Session>>,
    /// The plan that packets follow and those that they will, ascending. Locked before the world.
    made: Mutex<Vec<Made>>,
    /// How many processes use a terminal that joined at run time.
    attached: Mutex<BTreeMap<TerminalId, usize>>,
    /// Before the network, which their threads use.
    dishes: Option<Dishes>,
    network: Option<Arc<Network>>,
    clock: Clock,
    state: Mutex<State>,
    changed: Condvar,
    published: on_air::Published,
    scenario: String,
}

#[derive(Default)]
struct State {
    reports: VecDeque<Report>,
    database: Turns,
    stop: bool,
    late: u64,
    failed: Option<String>,
    planning: Planning,
}

/// How often the service's database went away or came back.
#[derive(Default)]
struct Turns {
    count: u64,
    away: bool,
}

/// What there is to show.
pub(crate) enum News {
    Epoch(Box<Report>),
    /// The service's database went away or came back.
    Database(ServiceStatus),
}

/// What was shown.
#[derive(Default)]
pub(crate) struct Seen {
    epoch: Option<EpochNumber>,
    turns: u64,
}

/// A first plan and its table, made before the clock starts.
pub(crate) struct Prepared {
    inputs: Inputs,
    plan: Plan,
    table: EpochTable,
    report: Report,
    schedules: Vec<(TerminalId, Schedule)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic elsewhere must not hide the state from the clean-up.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// In builds for development every plan that packets follow is checked.
fn hold_to_rules(inputs: &Inputs, plan: &Plan) -> Result<()> {
    if cfg!(debug_assertions) {
        let broken = skyweave_plan::check(inputs, plan);
        anyhow::ensure!(
            broken.is_empty(),
            "the plan of epoch {} breaks a rule: {}",
            plan.epoch,
            broken[0]
        );
    }
    Ok(())
}

/// Plans one epoch and says how it went.
fn prepare(
    world: &Mutex<World>,
    planner: &mut Planner,
    epoch: EpochNumber,
    previous: Option<&Plan>,
) -> Result<Prepared> {
    let begun = Instant::now();
    // Terminals may join while the plan is made; this plan is one without them.
    let inputs = lock(world).inputs(epoch);
    let plan = planner.plan(&inputs, previous);
    let planning_ms = begun.elapsed().as_secs_f64() * 1e3;
    hold_to_rules(&inputs, &plan)?;
    let world = &*lock(world);
    let table = world.forwarding(&plan);
    let report = Report {
        summary: Summary::of(&plan, Some(planning_ms)),
        start_ns: plan.start,
        end_ns: plan.end,
        late: false,
        service: None,
        live: plan
            .terminals
            .iter()
            .map(|outcome| describe(world, &plan, &table, outcome))
            .collect(),
    };
    let schedules = plan.terminals.iter().filter_map(|outcome| {
        let terminal = world.terminal_by_id(outcome.terminal)?;
        Some((terminal.id, schedule(world, &plan, terminal, outcome)))
    });
    Ok(Prepared {
        schedules: schedules.collect(),
        inputs,
        plan,
        table,
        report,
    })
}

/// What a terminal's dish is told of a plan.
fn schedule(
    world: &World,
    plan: &Plan,
    terminal: &Terminal,
    outcome: &TerminalOutcome,
) -> Schedule {
    let position = world.position(terminal, plan.start);
    let lasts = plan.end - plan.start;
    let moved_m = great_circle_m(position, world.position(terminal, plan.end));
    let service = outcome.service.map_err(cause).map(|service| {
        let slot = plan.slots[service.slot as usize];
        let seconds = (0..=lasts.nanos() / 1_000_000_000).map(|s| plan.start + Span::from_secs(s));
        let look = |t| {
            let look = world.look(terminal, slot.satellite, t)?;
            Some(Look {
                azimuth_rad: look.azimuth_rad,
                elevation_rad: look.elevation_rad,
                clear: !terminal.is_obstructed(&look),
            })
        };
        skyweave_dish::Service {
            satellite: world.satellites()[slot.satellite.index()].catalog_number,
            gateway: plan.landings[slot.landing as usize].gateway.0,
            pop: service.pop.0,
            looks: seconds.map_while(look).collect(),
            cell: short_cell(outcome.cell),
        }
    });
    Schedule {
        start: plan.start,
        end: plan.end,
        position,
        horizontal_speed_m_s: moved_m / lasts.as_secs_f64(),
        service,
    }
}

/// A cell of resolution 5 in the 22 bits that tell it from the others of its resolution: base cell and five digits
/// (https://h3geo.org/docs/core-library/h3Indexing).
fn short_cell(cell: CellId) -> u32 {
    (cell.0 >> 30) as u32 & 0x3f_ffff
}

/// The planner's reasons in the words of a dish.
fn cause(reason: Reason) -> Cause {
    match reason {
        Reason::NoSatelliteInReach | Reason::GsoExclusion => Cause::NoSats,
        Reason::NoGatewayPath | Reason::Faded => Cause::NoDownlink,
        Reason::NoFreeSlot
        | Reason::ChannelConflict
        | Reason::BackhaulFull
        | Reason::NoCell
        | Reason::Forbidden => Cause::NoSchedule,
    }
}

/// A terminal's identifier: the same in each run of its scenario. One that joins at run time has the same whenever it joins
/// under the same name.
fn ut_id(world: &World, terminal: &Terminal) -> UtId {
    let name = terminal.name.bytes().fold(0_u64, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let (series, of_series) = match world.is_joined(terminal.id) {
        false => (SCENARIO_SERIES + terminal.id.0, u64::from(terminal.id.0)),
        true => (JOINED_SERIES, u64::from(u32::MAX)),
    };
    let number = Seed::root(world.seed())
        .child("dish", of_series)
        .child("name", name)
        .rng()
        .next_u64();
    let id = format!(
        "ut{series:08}-{:08x}-{:08x}",
        number >> 32,
        number & 0xffff_ffff
    );
    id.parse().expect("two digits and three groups of eight")
}

/// First groups of identifiers, in decimal digits, as real ones look.
const SCENARIO_SERIES: u32 = 1_000_000;
const JOINED_SERIES: u32 = 2_000_000;

/// Who a terminal's dish says it is.
fn identity(world: &World, terminal: &Terminal) -> Identity {
    let lon_deg = world.position(terminal, world.start()).lon_deg();
    Identity {
        id: ut_id(world, terminal).to_string(),
        // The class of hardware that it behaves like: fixed, without motors.
        hardware_version: "rev4_prod1".to_owned(),
        software_version: concat!("skyweave-", env!("CARGO_PKG_VERSION")).to_owned(),
        // Whose country a place is in is not decided here.
        country_code: String::new(),
        utc_offset_s: (lon_deg / 15.0).round() as i32 * 3600,
    }
}

impl From<DishOptions> for Settings {
    fn from(options: DishOptions) -> Self {
        Self {
            permissions: Permissions {
                location: options.dish_location,
                context: options.dish_context,
                config: options.dish_config,
            },
            file_names: if options.dish_old_files {
                FileNames::Old
            } else {
                FileNames::New
            },
        }
    }
}

/// What people want to know of a live terminal.
fn describe(
    world: &World,
    plan: &Plan,
    table: &EpochTable,
    outcome: &TerminalOutcome,
) -> LiveTerminalReport {
    let terminal = world.terminals().iter().find(|t| t.id == outcome.terminal);
    let mut told = LiveTerminalReport {
        id: outcome.terminal,
        name: terminal.map_or_else(|| outcome.terminal.to_string(), |t| t.name.clone()),
        terminal: None,
        satellite: None,
        elevation_deg: None,
        lasers: None,
        gateway: None,
        pop: None,
        down_mbps: 0.0,
        up_mbps: 0.0,
        planned_rtt_ms: Vec::new(),
        access: outcome.service.ok().map(|s| s.access),
        code: terminal.and_then(|t| t.decision).map(|d| d.code()),
        reason: None,
        unserved: None,
        dish: None,
    };
    let refused = terminal
        .and_then(|t| t.decision)
        .filter(|d| !d.is_granted());
    let refusal = refused.map(|d| d.sentence().to_owned());
    let service = match outcome.service {
        Ok(service) => service,
        Err(reason) => {
            told.reason = Some(refusal.unwrap_or_else(|| reason.to_string()));
            told.unserved = Some(reason);
            return told;
        }
    };
    told.reason = refusal;
    let slot = plan.slots[service.slot as usize];
    let landing = &plan.landings[slot.landing as usize];
    told.satellite = Some(world.satellites()[slot.satellite.index()].name.clone());
    told.elevation_deg = terminal
        .and_then(|terminal| world.look(terminal, slot.satellite, plan.start))
        .map(|look| look.elevation_rad.to_degrees());
    told.lasers = Some(landing.path.len() - 1);
    told.gateway = Some(world.gateways()[landing.gateway.index()].name.clone());
    told.pop = Some(world.pops()[service.pop.index()].city.clone());
    told.down_mbps = f64::from(service.down_kbps) / 1e3;
    told.up_mbps = f64::from(service.up_kbps) / 1e3;
    if let Some((_, Ok(route))) = table.routes.iter().find(|(id, _)| *id == outcome.terminal) {
        let seconds = (plan.end - plan.start).nanos() / 1_000_000_000;
        told.planned_rtt_ms = (0..=seconds)
            .map(|s| {
                route
                    .round_trip(plan.start + Span::from_secs(s))
                    .as_millis_f64()
            })
            .collect();
    }
    told
}

fn report_after(state: &State, after: Option<EpochNumber>) -> Option<Report> {
    let mut reports = state.reports.iter();
    let new = reports.find(|r| after.is_none_or(|a| r.summary.epoch > a.0));
    new.cloned()
}

impl LiveRun {
    /// Plans the first epoch, builds the network and starts the clock.
    pub(crate) fn start(
        world: World,
        pool: rayon::ThreadPool,
        scenario: &str,
        options: Options,
        service: Option<Service>,
    ) -> Result<(Arc<Self>, Plan)> {
        let starts_now = world.starts_now();
        let first_epoch = world.first_epoch();
        let mut world = world;
        let (sessions, watch) = match &service {
            Some(service) => {
                let (sessions, watch) = admit_scenario(&mut world, service, first_epoch.start())?;
                (sessions, Some(watch))
            }
            None => (BTreeMap::new(), None),
        };
        // Who has not proved its key gets no address.
        let live: Vec<_> = world
            .terminals()
            .iter()
            .filter(|t| watch.is_none() || sessions.contains_key(&t.id))
            .map(|t| (t.id, t.name.clone(), identity(&world, t)))
            .collect();
        let world = Mutex::new(world);
        let mut planner = Planner::default();
        let first = pool.install(|| prepare(&world, &mut planner, first_epoch, None))?;
        let clock = match starts_now {
            true => Clock::wall(),
            false => Clock::starting_at(first.plan.start),
        };
        let (network, dishes) = match options.carry {
            Some(carry) => {
                let mut config = NetworkConfig::new(scenario, clock);
                config.realtime = if carry.no_realtime {
                    Realtime::No
                } else {
                    Realtime::IfPermitted
                };
                config.uplink = match carry.uplink {
                    Way::Auto => UplinkChoice::Auto,
                    Way::Pasta => UplinkChoice::Pasta,
                    Way::None => UplinkChoice::None,
                };
                config.terminals = live
                    .iter()
                    .map(|(id, name, _)| TerminalConfig {
                        id: *id,
                        name: name.clone(),
                    })
                    .collect();
                let network =
                    Arc::new(Network::start(config).context("cannot start the live network")?);
                let dishes = Dishes::start(Arc::clone(&network), carry.dish.into())?;
                for (id, _, identity) in live {
                    dishes.add(id, identity)?;
                }
                (Some(network), Some(dishes))
            }
            None => (None, None),
        };
        let run = Arc::new(Self {
            world,
            pool,
            planner: Mutex::new(planner),
            service,
            watch: watch.map(Mutex::new),
            sessions: Mutex::new(sessions),
            made: Mutex::new(Vec::new()),
            attached: Mutex::new(BTreeMap::new()),
            dishes,
            network,
            clock,
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
            published: on_air::Published::default(),
            scenario: scenario.to_owned(),
        });
        let plan = run.adopt(first)?;
        if let Some(network) = &run.network {
            let asked = Arc::downgrade(&run);
            network.serve_pages(move |address| asked.upgrade()?.account_page(address))?;
        }
        // Before anybody sees a terminal's dish.
        run.look(false)?;
        if let (Some(network), true) = (&run.network, options.serve) {
            network.serve(Arc::new(Door(Arc::downgrade(&run))))?;
        }
        Ok((run, plan))
    }

    /// Hands a plan to the packets and tells everyone.
    fn adopt(&self, mut prepared: Prepared) -> Result<Plan> {
        // The first plan is made before the clock starts.
        let first = lock(&self.state).reports.is_empty();
        let mut made = lock(&self.made);
        let new = Made {
            inputs: prepared.inputs,
            plan: prepared.plan.clone(),
            revision: 0,
        };
        // Decisions may have changed while it was made.
        let amended = {
            let world = lock(&self.world);
            let amended = new.amended(&world)?;
            if let Some(amended) = &amended {
                prepared.table = world.forwarding(amended);
                let outcomes = amended.terminals.iter();
                prepared.report.live = outcomes
                    .map(|o| describe(&world, amended, &prepared.table, o))
                    .collect();
            }
            amended
        };
        prepared.report.late = !first && self.clock.now() > prepared.plan.start;
        prepared.report.service = self.service_status();
        if let Some(dishes) = &self.dishes {
            for (terminal, schedule) in prepared.schedules {
                dishes.schedule(terminal, schedule);
            }
        }
        self.introduce(&mut prepared.report.live);
        if let Some(network) = &self.network {
            network.install(Arc::new(prepared.table))?;
            network.publish(&serde_json::to_value(&prepared.report)?);
        }
        made.push(new);
        // The one that is followed, however late it is, and those after it.
        let now = self.clock.now();
        let followed = made.iter().rposition(|m| m.plan.start <= now).unwrap_or(0);
        made.drain(..followed);
        let mut state = lock(&self.state);
        state.late += u64::from(prepared.report.late);
        prepared.report.count(&mut state.planning);
        state.reports.push_back(prepared.report);
        if state.reports.len() > HISTORY {
            state.reports.pop_front();
        }
        self.changed.notify_all();
        drop(state);
        let followed = amended.unwrap_or_else(|| prepared.plan.clone());
        self.published.publish(followed);
        // Not before: a decision of now amends the plan that is told, too.
        drop(made);
        Ok(prepared.plan)
    }

    /// Says of live terminals what no plan knows: who they are, and where their dishes are reached.
    fn introduce(&self, live: &mut [LiveTerminalReport]) {
        let sessions = lock(&self.sessions);
        for told in live {
            told.terminal = sessions.get(&told.id).map(|s| s.terminal);
            told.dish = self.dish(told.id);
        }
    }

    /// Keeps plans ready until [`LiveRun::stop`] or until `epochs` plans were made in all and have passed.
    pub(crate) fn keep_planning(&self, mut plan: Plan, epochs: Option<u64>) {
        let mut made = 1;
        while epochs.is_none_or(|n| made < n) {
            let lead = {
                let state = lock(&self.state);
                let last_ms = state
                    .reports
                    .back()
                    .map_or(0.0, |r| r.summary.planning_ms.unwrap_or(0.0));
                LEAD.max(Span::from_secs_f64(3.0 * last_ms / 1e3))
                    .min(Span::from_secs(14))
            };
            let next = plan
                .epoch
                .next()
                .max(EpochNumber::containing(self.clock.now()));
            if !self.wait_until(next.start() - lead) {
                return;
            }
            let prepared = self
                .pool
                .install(|| prepare(&self.world, &mut lock(&self.planner), next, Some(&plan)));
            match prepared.and_then(|prepared| self.adopt(prepared)) {
                Ok(next) => plan = next,
                Err(error) => {
                    lock(&self.state).failed = Some(format!("{error:#}"));
                    self.changed.notify_all();
                    return;
                }
            }
            made += 1;
        }
        self.wait_until(plan.end);
        self.stop();
    }

    /// Waits for an instant of the network's time. False if the run is to stop.
    fn wait_until(&self, t: Time) -> bool {
        let mut state = lock(&self.state);
        loop {
            if state.stop {
                return false;
            }
            let left = (t - self.clock.now()).nanos();
            if left <= 0 {
                return true;
            }
            state = self
                .changed
                .wait_timeout(state, Duration::from_nanos(left as u64))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Waits for something that was not seen yet. `None` when the run stops.
    pub(crate) fn next_news(&self, seen: &mut Seen) -> Result<Option<News>> {
        self.wait_for(|state| {
            if state.database.count != seen.turns {
                seen.turns = state.database.count;
                if let Some(status) = self.service_status() {
                    return Some(News::Database(status));
                }
            }
            let report = report_after(state, seen.epoch)?;
            seen.epoch = Some(EpochNumber(report.summary.epoch));
            Some(News::Epoch(Box::new(report)))
        })
    }

    /// Waits for a report of an epoch after this one. `None` when the run stops.
    pub(crate) fn next_report(&self, after: Option<EpochNumber>) -> Result<Option<Report>> {
        self.wait_for(|state| report_after(state, after))
    }

    fn wait_for<T>(&self, mut found: impl FnMut(&State) -> Option<T>) -> Result<Option<T>> {
        let mut state = lock(&self.state);
        loop {
            if let Some(found) = found(&state) {
                return Ok(Some(found));
            }
            if let Some(failed) = state.failed.take() {
                anyhow::bail!(failed);
            }
            if state.stop {
                return Ok(None);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends the planning loop and wakes everyone who waits.
    pub(crate) fn stop(&self) {
        lock(&self.state).stop = true;
        self.changed.notify_all();
    }

    pub(crate) fn network(&self) -> Option<&Network> {
        self.network.as_deref()
    }

    /// The service, if the network has one.
    pub(crate) fn service(&self) -> Option<&Service> {
        self.service.as_ref()
    }

    pub(crate) fn dish(&self, terminal: TerminalId) -> Option<DishAddress> {
        self.dishes.as_ref()?.address(terminal)
    }

    pub(crate) fn late(&self) -> u64 {
        lock(&self.state).late
    }

    /// The state as joining processes read it.
    pub(crate) fn status(&self) -> Status {
        let service = self.service_status();
        let state = lock(&self.state);
        Status {
            scenario: self.scenario.clone(),
            pid: std::process::id(),
            clock: self.clock,
            late: state.late,
            service,
            epochs: state.reports.iter().map(EpochStatus::from).collect(),
        }
    }

    /// The terminal at a place, made if need be; returns once it has service, or its account page, or it is clear that it has
    /// neither. With a proof it is a new one there, whoever else stands at the place: the terminal that the proof is of.
    pub(crate) fn terminal_at(&self, place: &str, proof: Option<&Proof>) -> Result<Attachment> {
        let network = self
            .network
            .as_ref()
            .context("the network runs without packets")?;
        let mut attached = lock(&self.attached);
        let (id, joined) = self.find_or_join(place, proof)?;
        if joined && !attached.contains_key(&id) {
            let name = place.to_owned();
            // Who it is comes first: without that it gets no address.
            let added = self.prove(id, proof).and_then(|()| {
                network.add_terminal(TerminalConfig { id, name })?;
                self.add_dish(id)?;
                self.look(false)
            });
            if let Err(error) = added {
                self.forget(id);
                return Err(error);
            }
        }
        if self.service.is_some() && !lock(&self.sessions).contains_key(&id) {
            anyhow::bail!("the terminal at {place} has not proved its key: it gets no address");
        }
        if joined {
            *attached.entry(id).or_insert(0) += 1;
        }
        drop(attached);
        self.wait_for_service(id, place)
            .map(|notice| Attachment {
                terminal: id,
                notice,
            })
            .inspect_err(|_| self.leave(id))
    }

    fn find_or_join(&self, place: &str, proof: Option<&Proof>) -> Result<(TerminalId, bool)> {
        let mut world = lock(&self.world);
        let (id, joined) = match proof {
            None => world.terminal_at(place)?,
            Some(proof) => {
                let position = world.resolve_place(place)?.position;
                // The same terminal may be here twice: that is for the detectors to see.
                let number = world.terminals().last().map_or(0, |t| t.id.0 + 1);
                let name = format!("{} {number}", proof.challenge.terminal());
                (
                    world.add_terminal(&name, position, World::DEFAULT_ASK_KBPS)?,
                    true,
                )
            }
        };
        // Until it has proved who it is no plan gives it anything.
        let new = world
            .terminal_by_id(id)
            .is_some_and(|t| t.decision.is_none());
        if self.service.is_some() && new {
            world.set_decisions([(id, Decision::UNKNOWN)]);
        }
        Ok((id, joined))
    }

    /// Switches on the dish of a terminal that has joined.
    fn add_dish(&self, id: TerminalId) -> Result<(), LiveError> {
        let world = lock(&self.world);
        if let (Some(dishes), Some(terminal)) = (&self.dishes, world.terminal_by_id(id)) {
            dishes.add(id, identity(&world, terminal))?;
        }
        Ok(())
    }

    /// One user less of a terminal; one that joined at run time goes with its last user.
    fn leave(&self, id: TerminalId) {
        let mut attached = lock(&self.attached);
        let Some(users) = attached.get_mut(&id) else {
            return;
        };
        *users -= 1;
        if *users == 0 {
            attached.remove(&id);
            self.forget(id);
        }
    }

    fn forget(&self, id: TerminalId) {
        lock(&self.sessions).remove(&id);
        lock(&self.world).remove_terminal(id);
        if let Some(dishes) = &self.dishes {
            dishes.remove(id);
        }
        if let Some(network) = &self.network {
            // Without packets there is nothing to remove, and an error here has nobody to hear it.
            let _ = network.remove_terminal(id);
        }
    }

    /// Waits until packets may go somewhere; what is told is why they go no farther than the account page.
    fn wait_for_service(&self, id: TerminalId, place: &str) -> Result<Option<String>> {
        let begun = Instant::now();
        let mut tried = 0;
        let mut after = None;
        loop {
            let now = self.clock.now();
            let report = self.next_report(after)?.context("the network is ending")?;
            after = Some(EpochNumber(report.summary.epoch));
            if report.end_ns <= now {
                continue;
            }
            match report.live.iter().find(|t| t.id == id) {
                Some(told) if told.access.is_some() => {
                    if !self.wait_until(report.start_ns) {
                        anyhow::bail!("the network is ending");
                    }
                    return Ok(self.refusal(id));
                }
                Some(told) => {
                    tried += 1;
                    let reason = told.reason.as_deref().unwrap_or_default();
                    anyhow::ensure!(
                        tried < SERVICE_WAIT_EPOCHS,
                        "no service at {place}: {reason}"
                    );
                }
                None => anyhow::ensure!(
                    begun.elapsed() < Duration::from_secs(90),
                    "no plan names the terminal at {place}"
                ),
            }
        }
    }
}

/// What [`LiveRun::status`] tells, and a joining process reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) scenario: String,
    pub(crate) pid: u32,
    pub(crate) clock: Clock,
    pub(crate) late: u64,
    pub(crate) service: Option<ServiceStatus>,
    pub(crate) epochs: Vec<EpochStatus>,
}

/// The part of a report that `--predict` needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EpochStatus {
    pub(crate) epoch: i64,
    pub(crate) start_ns: Time,
    pub(crate) end_ns: Time,
    pub(crate) live: Vec<LiveTerminalReport>,
}

impl From<&Report> for EpochStatus {
    fn from(r: &Report) -> Self {
        Self {
            epoch: r.summary.epoch,
            start_ns: r.start_ns,
            end_ns: r.end_ns,
            live: r.live.clone(),
        }
    }
}

/// What joining processes reach of a run. The network holds it, so it must not hold the run, which holds the network: the run
/// would never end, and what it changed on the host would stay.
struct Door(Weak<LiveRun>);

impl Controller for Door {
    fn status(&self) -> serde_json::Value {
        let status = self.0.upgrade().map(|run| run.status());
        serde_json::to_value(status).unwrap_or_default()
    }

    fn attach(&self, place: &str, proof: Option<&Value>) -> Result<Attachment, String> {
        let run = self.0.upgrade().ok_or("the network is ending")?;
        let proof = proof
            .map(|p| serde_json::from_value::<Proof>(p.clone()))
            .transpose()
            .map_err(|e| format!("not a proof: {e}"))?;
        run.terminal_at(place, proof.as_ref())
            .map_err(|e| format!("{e:#}"))
    }

    fn challenge(&self, terminal: &str) -> Result<Value, String> {
        let run = self.0.upgrade().ok_or("the network is ending")?;
        let terminal = terminal.parse().map_err(|e: BadUtId| e.to_string())?;
        let challenge = run.challenge(terminal).map_err(|e| format!("{e:#}"))?;
        serde_json::to_value(challenge).map_err(|e| e.to_string())
    }

    fn detach(&self, terminal: TerminalId) {
        if let Some(run) = self.0.upgrade() {
            run.leave(terminal);
        }
    }
}
