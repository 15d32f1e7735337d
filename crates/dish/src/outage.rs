//! Times without service: what is running, and what has passed.

use crate::schema::device::{self, dish_outage};
use skyweave_base::{Span, Time};
use std::collections::VecDeque;

/// Finished outages that are kept. Far longer than the rings: at one handover in 15 s that fails, more than an hour.
const KEPT: usize = 300;

/// Why there is no service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Since it was switched on, until the first answer of the PoP.
    Booting,
    /// Put away by its owner.
    Stowed,
    /// In the sleep window that its owner has set.
    Sleeping,
    /// The plan gives it no beam although satellites are in reach.
    NoSchedule,
    /// No satellite is in reach.
    NoSats,
    /// Something stands between it and its satellite.
    Obstructed,
    /// Its satellites have no way to the ground.
    NoDownlink,
    /// Planned service, and yet no answer from the PoP.
    NoPings,
}

impl Cause {
    pub(crate) fn wire(self) -> dish_outage::Cause {
        match self {
            Self::Booting => dish_outage::Cause::Booting,
            Self::Stowed => dish_outage::Cause::Stowed,
            Self::Sleeping => dish_outage::Cause::Sleeping,
            Self::NoSchedule => dish_outage::Cause::NoSchedule,
            Self::NoSats => dish_outage::Cause::NoSats,
            Self::Obstructed => dish_outage::Cause::Obstructed,
            Self::NoDownlink => dish_outage::Cause::NoDownlink,
            Self::NoPings => dish_outage::Cause::NoPings,
        }
    }

    fn reason(self) -> device::EventReason {
        match self {
            Self::Booting => device::EventReason::OutageBooting,
            Self::Stowed => device::EventReason::OutageStowed,
            Self::Sleeping => device::EventReason::OutageSleeping,
            Self::NoSchedule => device::EventReason::OutageNoSchedule,
            Self::NoSats => device::EventReason::OutageNoSats,
            Self::Obstructed => device::EventReason::OutageObstructed,
            Self::NoDownlink => device::EventReason::OutageNoDownlink,
            Self::NoPings => device::EventReason::OutageNoPings,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outage {
    pub(crate) cause: Cause,
    pub(crate) start: Time,
    /// Not before `start`; for one that is running, as long as it has lasted.
    pub(crate) lasted: Span,
    pub(crate) did_switch: bool,
}

impl Outage {
    pub(crate) fn wire(&self) -> device::DishOutage {
        device::DishOutage {
            cause: self.cause.wire() as i32,
            start_timestamp_ns: gps_nanos(self.start),
            duration_ns: u64::try_from(self.lasted.nanos()).unwrap_or(0),
            did_switch: self.did_switch,
        }
    }

    pub(crate) fn event(&self, device_id: &str) -> device::UxEvent {
        device::UxEvent {
            severity: device::EventSeverity::Advisory as i32,
            reason: self.cause.reason() as i32,
            start_timestamp_ns: skyweave_base::Utc::from(self.start).unix_nanos(),
            duration_ns: u64::try_from(self.lasted.nanos()).unwrap_or(0),
            device_id: device_id.to_owned(),
        }
    }
}

/// Nanoseconds of GPS time: since 1980-01-06, without leap seconds; 19 s behind TAI (IS-GPS-200, section 3.3.4).
pub(crate) fn gps_nanos(t: Time) -> i64 {
    const GPS_EPOCH_BEFORE_2000_S: i64 = 630_720_000;
    t.nanos() + (GPS_EPOCH_BEFORE_2000_S - 19) * 1_000_000_000
}

/// What is running and what has passed, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outages {
    running: Option<(Cause, Time, Option<u32>)>,
    past: VecDeque<Outage>,
}

impl Outages {
    pub(crate) fn cause(&self) -> Option<Cause> {
        self.running.map(|(cause, ..)| cause)
    }

    pub(crate) fn running(&self, now: Time, satellite: Option<u32>) -> Option<Outage> {
        self.running.map(|(cause, start, before)| Outage {
            cause,
            start,
            lasted: (now - start).max(Span::ZERO),
            did_switch: switched(before, satellite),
        })
    }

    pub(crate) fn past(&self) -> impl DoubleEndedIterator<Item = &Outage> {
        self.past.iter()
    }

    /// Of the obstructions that have passed; `None` when there were none. An obstruction that the terminal notes as an outage, two
    /// pings lost in a row, counts as prolonged: where the real terminal draws the line is not public.
    pub(crate) fn prolonged_obstructions(&self) -> Option<Prolonged> {
        let obstructions = || self.past.iter().filter(|o| o.cause == Cause::Obstructed);
        let (first, last) = (obstructions().next()?, obstructions().next_back()?);
        let count = obstructions().count();
        let lasted_s: f64 = obstructions().map(|o| o.lasted.as_secs_f64()).sum();
        Some(Prolonged {
            mean_duration_s: (lasted_s / count as f64) as f32,
            mean_interval_s: match count {
                1 => f32::NAN,
                _ => ((last.start - first.start).as_secs_f64() / (count - 1) as f64) as f32,
            },
        })
    }

    /// Begins one; another that is running ends.
    pub(crate) fn begin(&mut self, cause: Cause, start: Time, satellite: Option<u32>) {
        self.end(start, satellite);
        self.running = Some((cause, start, satellite));
    }

    pub(crate) fn end(&mut self, end: Time, satellite: Option<u32>) {
        let Some(over) = self.running(end, satellite) else {
            return;
        };
        self.running = None;
        self.past.push_back(over);
        if self.past.len() > KEPT {
            self.past.pop_front();
        }
    }
}

/// Obstructions long enough to be noticed, on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Prolonged {
    pub(crate) mean_duration_s: f32,
    /// From the start of one to the start of the next; no number when there was only one.
    pub(crate) mean_interval_s: f32,
}

fn switched(before: Option<u32>, after: Option<u32>) -> bool {
    matches!((before, after), (Some(a), Some(b)) if a != b)
}
