//! One terminal as a value that changes with time.
//!
//! Calling order: [`Dish::schedule`] ahead of each epoch; [`Dish::ping`] for each ping once its fate is known, in the order
//! sent; [`Dish::second`] once a second after them; [`Dish::answer`] at any time. Outages follow the pings, so that what the
//! terminal says is what its packets met; the schedule only tells their cause.

use crate::history::{History, Sample};
use crate::outage::{Cause, Outage, Outages};
use crate::schema::device;
pub use crate::schema::space_x::api::satellites::network::UtDisablementCode as Disablement;
use crate::sky_map::SkyMap;
use skyweave_base::{Geodetic, Span, Time, Utc};
use std::collections::{BTreeMap, VecDeque};

/// Pings lost one after the other that make an outage: one may fall to a full queue.
const LOST_IN_A_ROW: u32 = 2;
/// Pings answered one after the other that make a connection stable: two seconds of them at five a second.
const STABLE: u32 = 10;
/// How long a restarted terminal is silent (own choice; real ones take minutes).
const RESTART: Span = Span::from_secs(8);
/// Schedules kept: the running epoch's, one before it for pings under way, and those made ahead.
const SCHEDULES: usize = 8;

/// Who a terminal is. Stays the same over restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `ut` + 8 digits - 8 - 8 hex digits, different for each terminal.
    pub id: String,
    /// For example `rev4_prod1`.
    pub hardware_version: String,
    /// Of the program.
    pub software_version: String,
    /// ISO 3166 alpha-2.
    pub country_code: String,
    /// Rough local time, east positive.
    pub utc_offset_s: i32,
}

/// What owner and operator allow on the local network. Nothing by default, as on a real terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions {
    /// The position may be read.
    pub location: bool,
    /// Serving satellite, cell and gateway may be read.
    pub context: bool,
    /// Settings may be changed by whoever asks.
    pub config: bool,
}

/// What the network plans for the terminal in `[start, end)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// First instant at which it holds.
    pub start: Time,
    /// First instant at which it holds no more. Without a later schedule it goes on.
    pub end: Time,
    /// Where the terminal stands at the start.
    pub position: Geodetic,
    /// How fast it moves over ground, m/s.
    pub horizontal_speed_m_s: f64,
    /// Its service, or why it has none.
    pub service: Result<Service, Cause>,
}

/// Planned service.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Catalogue number of the satellite.
    pub satellite: u32,
    /// Number of the gateway.
    pub gateway: u32,
    /// Number of the point of presence.
    pub pop: u32,
    /// The satellite's direction at each second from the schedule's start.
    pub looks: Vec<Look>,
    /// Number of the cell.
    pub cell: u32,
}

/// A direction in the terminal's sky.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// From north over east, rad.
    pub azimuth_rad: f64,
    /// Above the horizon, rad.
    pub elevation_rad: f64,
    /// Whether nothing stands in the way.
    pub clear: bool,
}

/// The fate of one of the terminal's own pings of the PoP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// When it was sent.
    pub sent: Time,
    /// How long the answer took; `None` if none came.
    pub round_trip: Option<Span>,
}

/// A terminal.
#[derive(Clone, Debug)]
pub struct Dish {
    pub(crate) identity: Identity,
    pub(crate) permissions: Permissions,
    pub(crate) config: device::DishConfig,
    pub(crate) entitlement: Disablement,
    pub(crate) booted: Time,
    pub(crate) boots: Boots,
    pub(crate) init: device::InitializationDurationSeconds,
    pub(crate) history: History,
    pub(crate) outages: Outages,
    pub(crate) map: SkyMap,
    pub(crate) stow_requested: bool,
    pub(crate) gps_inhibited: bool,
    schedules: VecDeque<Schedule>,
    window: Window,
    /// Lost in a row, and when the first of them was sent.
    lost: Option<(u32, Time)>,
    answered_in_a_row: u32,
    silent_until: Option<Time>,
    asleep: bool,
    last_second: Time,
}

/// How often the terminal has started, and why.
#[derive(Clone, Debug, Default)]
pub(crate) struct Boots {
    pub(crate) by_reason: BTreeMap<i32, i32>,
    pub(crate) last: device::BootReason,
    pub(crate) reboot: device::RebootReason,
}

impl Boots {
    pub(crate) fn count(&self) -> i32 {
        self.by_reason.values().sum()
    }

    fn add(&mut self, reason: device::BootReason, reboot: device::RebootReason) {
        *self.by_reason.entry(reason as i32).or_insert(0) += 1;
        (self.last, self.reboot) = (reason, reboot);
    }
}

/// Pings since the last sample.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    sent: u32,
    answered: u32,
    round_trips: Span,
}

impl Dish {
    /// A terminal that is switched on at `now`.
    pub fn new(identity: Identity, permissions: Permissions, now: Time) -> Self {
        let mode = match permissions.location {
            true => device::dish_config::LocationRequestMode::Local,
            false => device::dish_config::LocationRequestMode::None,
        };
        let config = device::DishConfig {
            location_request_mode: mode as i32,
            // What it is while the window is off: zero would be refused.
            power_save_duration_minutes: 1,
            swupdate_reboot_hour: 3,
            ..device::DishConfig::default()
        };
        let mut boots = Boots::default();
        boots.add(device::BootReason::PowerCycle, device::RebootReason::None);
        let mut dish = Self {
            identity,
            permissions,
            config,
            entitlement: Disablement::Okay,
            booted: now,
            boots,
            init: device::InitializationDurationSeconds::default(),
            history: History::new(),
            outages: Outages::default(),
            map: SkyMap::new(),
            stow_requested: false,
            gps_inhibited: false,
            schedules: VecDeque::new(),
            window: Window::default(),
            lost: None,
            answered_in_a_row: 0,
            silent_until: None,
            asleep: false,
            last_second: now,
        };
        dish.boot(now);
        dish
    }

    /// Takes the plan of an epoch, later than those before it.
    pub fn schedule(&mut self, schedule: Schedule) {
        self.schedules.push_back(schedule);
        if self.schedules.len() > SCHEDULES {
            self.schedules.pop_front();
        }
    }

    /// Whether the terminal may pass traffic, as it was last told.
    pub fn entitlement(&self) -> Disablement {
        self.entitlement
    }

    /// Takes the code that the operator's rules give; other than `Okay` the terminal stays in the network without traffic.
    pub fn set_entitlement(&mut self, code: Disablement) {
        self.entitlement = code;
    }

    /// Takes the fate of a ping, in the order sent.
    pub fn ping(&mut self, ping: Ping) {
        if ping.sent < self.booted {
            return;
        }
        self.window.sent += 1;
        match ping.round_trip {
            Some(round_trip) => self.answered(ping.sent, round_trip),
            None => self.lost(ping.sent),
        }
    }

    fn answered(&mut self, sent: Time, round_trip: Span) {
        self.window.answered += 1;
        self.window.round_trips = self.window.round_trips + round_trip;
        self.lost = None;
        self.answered_in_a_row += 1;
        let since_boot = seconds(sent - self.booted).max(1);
        reached(&mut self.init.first_pop_ping, since_boot);
        if self.answered_in_a_row == STABLE {
            reached(&mut self.init.stable_connection, since_boot);
        }
        if self.own_cause().is_none() {
            self.outages.end(sent, self.satellite(sent));
        }
    }

    fn lost(&mut self, sent: Time) {
        self.answered_in_a_row = 0;
        let (run, since) = self.lost.map_or((1, sent), |(run, since)| (run + 1, since));
        self.lost = Some((run, since));
        if run < LOST_IN_A_ROW
            || self.outages.cause().is_some()
            || self.entitlement != Disablement::Okay
        {
            return;
        }
        let (cause, start) = match self.own_cause() {
            Some(cause) => (cause, since),
            None => self.planned_loss(since, sent),
        };
        self.outages
            .begin(cause, start, self.satellite_before(start));
    }

    /// Closes a second: `bytes_down` and `bytes_up` of IP passed since the last call.
    pub fn second(&mut self, now: Time, bytes_down: u64, bytes_up: u64) {
        if self.silent_until.is_some_and(|until| now >= until) {
            self.silent_until = None;
            self.boot(now);
            return;
        }
        let elapsed_s = (now - self.last_second).as_secs_f64().max(1e-3);
        self.last_second = now;
        // What reaches a terminal that is off, it does not take.
        let carries = self.carries_packets();
        let bps = |bytes: u64| {
            if carries {
                (bytes as f64 * 8.0 / elapsed_s) as f32
            } else {
                0.0
            }
        };
        let (down_bps, up_bps) = (bps(bytes_down), bps(bytes_up));
        let Window {
            sent,
            answered,
            round_trips,
        } = std::mem::take(&mut self.window);
        let lost_share = if sent == 0 {
            1.0
        } else {
            f64::from(sent - answered) / f64::from(sent)
        };
        let mean_ms = if answered == 0 {
            0.0
        } else {
            round_trips.as_millis_f64() / f64::from(answered)
        };
        self.follow_sleep_window(now);
        self.look(now);
        self.history.push(Sample {
            drop_rate: lost_share as f32,
            latency_ms: mean_ms as f32,
            down_bps,
            up_bps,
            power_w: self.power_w(down_bps, up_bps),
        });
    }

    /// Whether packets pass at all: not while it restarts, sleeps or is stowed.
    pub fn carries_packets(&self) -> bool {
        self.silent_until.is_none() && !self.stow_requested && !self.asleep
    }

    /// Whether it answers on its local network: not while it restarts.
    pub fn answers(&self) -> bool {
        self.silent_until.is_none()
    }

    pub(crate) fn restart(&mut self, now: Time) {
        self.boots
            .add(device::BootReason::Command, device::RebootReason::Manual);
        self.silent_until = Some(now + RESTART);
        self.boot(now);
    }

    pub(crate) fn stow(&mut self, now: Time, stow: bool) {
        if stow && !self.stow_requested {
            self.outages.begin(Cause::Stowed, now, self.satellite(now));
        }
        self.stow_requested = stow;
    }

    pub(crate) fn follow_sleep_window(&mut self, now: Time) {
        let minute = (Utc::from(now).nanos_of_day() / 60_000_000_000) as u32;
        let config = &self.config;
        let into = (minute + 1440 - config.power_save_start_minutes % 1440) % 1440;
        let asleep = config.power_save_mode && into < config.power_save_duration_minutes;
        if asleep && !self.asleep && !self.stow_requested {
            self.outages
                .begin(Cause::Sleeping, now, self.satellite(now));
        }
        self.asleep = asleep;
    }

    pub(crate) fn asleep(&self) -> bool {
        self.asleep
    }

    pub(crate) fn outage(&self, now: Time) -> Option<Outage> {
        self.outages.running(now, self.satellite(now))
    }

    /// The plan that holds, if one does: the last one goes on.
    pub(crate) fn planned(&self, t: Time) -> Option<&Schedule> {
        self.schedules.iter().rev().find(|s| s.start <= t)
    }

    /// The end of the running epoch, and the service in it.
    pub(crate) fn serving(&self, t: Time) -> Option<(Time, &Service)> {
        self.planned(t)
            .and_then(|s| Some((s.end, s.service.as_ref().ok()?)))
    }

    /// When a plan that is known already brings service.
    pub(crate) fn next_service(&self, t: Time) -> Option<Time> {
        self.schedules
            .iter()
            .find(|s| s.start > t && s.service.is_ok())
            .map(|s| s.start)
    }

    fn satellite(&self, t: Time) -> Option<u32> {
        self.planned(t)?.service.as_ref().ok().map(|s| s.satellite)
    }

    /// The satellite that served when service was lost: that of the epoch before if the loss came with a new one.
    fn satellite_before(&self, since: Time) -> Option<u32> {
        self.satellite(since - LOSS_NOTICED)
            .or_else(|| self.satellite(since))
    }

    /// All that begins anew when it starts.
    fn boot(&mut self, now: Time) {
        self.booted = now;
        self.history = History::new();
        self.outages = Outages::default();
        self.outages.begin(Cause::Booting, now, None);
        self.init = device::InitializationDurationSeconds {
            rf_ready: 1,
            attitude_initialization: 1,
            ekf_converged: 1,
            gps_valid: 1,
            ..device::InitializationDurationSeconds::default()
        };
        (self.window, self.lost, self.answered_in_a_row) = (Window::default(), None, 0);
        self.last_second = now;
        // Clients index the newest sample without asking whether there is one.
        self.history.push(Sample {
            drop_rate: 1.0,
            power_w: self.power_w(0.0, 0.0),
            ..Sample::default()
        });
    }

    /// What the terminal itself is doing that keeps it from service.
    fn own_cause(&self) -> Option<Cause> {
        if self.stow_requested {
            Some(Cause::Stowed)
        } else if self.asleep {
            Some(Cause::Sleeping)
        } else if self.silent_until.is_some() {
            Some(Cause::Booting)
        } else {
            None
        }
    }

    /// Why, by the plan, pings since `first` and up to `last` were lost, and when that began: with the plan, if it says so.
    /// The first may have been under way then.
    fn planned_loss(&self, first: Time, last: Time) -> (Cause, Time) {
        match self.planned(last).map(|s| (&s.service, s.start)) {
            None => (Cause::NoSchedule, first),
            Some((Err(cause), start)) => (*cause, first.max(start)),
            Some((Ok(service), start)) => match look_at(service, start, last) {
                Some(look) if !look.clear => (Cause::Obstructed, first),
                _ => (Cause::NoPings, first),
            },
        }
    }

    /// Paints the map, and notes how far the start has come.
    fn look(&mut self, now: Time) {
        if !self.carries_packets() {
            return;
        }
        let Some(schedule) = self.planned(now) else {
            return;
        };
        let Ok(service) = &schedule.service else {
            return;
        };
        let look = look_at(service, schedule.start, now);
        let since_boot = seconds(now - self.booted).max(1);
        for stage in [
            &mut self.init.burst_detected,
            &mut self.init.first_cplane,
            &mut self.init.initial_network_entry,
            &mut self.init.network_schedule,
        ] {
            reached(stage, since_boot);
        }
        if let Some(look) = look {
            self.map
                .paint(look.azimuth_rad, look.elevation_rad, look.clear);
        }
    }

    /// Whether something stands between it and its satellite now.
    pub(crate) fn obstructed(&self, now: Time) -> bool {
        let planned = self
            .planned(now)
            .and_then(|s| Some((s.service.as_ref().ok()?, s.start)));
        planned
            .and_then(|(service, start)| look_at(service, start, now))
            .is_some_and(|look| !look.clear)
    }

    /// What it draws. A model, not a measurement: a fixed terminal of the fourth generation idles near 55 W and takes up to
    /// 75 to 100 W under load; asleep or stowed only its computer runs.
    fn power_w(&self, down_bps: f32, up_bps: f32) -> f32 {
        const ASLEEP_W: f32 = 12.0;
        const IDLE_W: f32 = 55.0;
        const FULL_UPLINK_W: f32 = 25.0;
        const FULL_DOWNLINK_W: f32 = 8.0;
        const FULL_UPLINK_BPS: f32 = 25e6;
        const FULL_DOWNLINK_BPS: f32 = 250e6;
        if self.stow_requested || self.asleep {
            return ASLEEP_W;
        }
        IDLE_W
            + FULL_UPLINK_W * (up_bps / FULL_UPLINK_BPS).min(1.0)
            + FULL_DOWNLINK_W * (down_bps / FULL_DOWNLINK_BPS).min(1.0)
    }
}

/// A ping is lost up to this long after the loss began.
const LOSS_NOTICED: Span = Span::from_millis(500);

fn look_at(service: &Service, start: Time, t: Time) -> Option<Look> {
    let i = usize::try_from(seconds(t - start)).ok()?;
    service.looks.get(i).or(service.looks.last()).copied()
}

fn seconds(span: Span) -> i32 {
    i32::try_from(span.nanos() / 1_000_000_000).unwrap_or(i32::MAX)
}

/// A stage of the start is reached once; it stands at 0 before.
fn reached(stage: &mut i32, since_boot_s: i32) {
    if *stage == 0 {
        *stage = since_boot_s;
    }
}
