//! The decisions on live terminals, kept up to date with the register and with what the terminals say.

use super::suspicion::{Observed, Suspicion};
use crate::operator::{Desk, Event, Events};
use skyweave_base::{CellId, Geodetic, Span, TerminalId, Time, Utc};
use skyweave_dataplane::TerminalCounters;
use skyweave_plan::Cell;
use skyweave_service::{Claim, Decision, Fleet, Touched, UsageRecord, UtId};
use std::collections::BTreeMap;

/// Build number of the software of emulated terminals, for the rule about the oldest one.
const SOFTWARE_BUILD: u32 = 1;

/// What a live terminal says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Said {
    /// Its number in the network.
    pub(crate) live: TerminalId,
    /// Who it is.
    pub(crate) terminal: UtId,
    /// What it claims.
    pub(crate) claim: Claim,
}

/// Follows the register. It is told the time and asked again and again; nothing happens between.
#[derive(Debug)]
pub(crate) struct Watch {
    fleet: Fleet,
    events: Events,
    /// When the cells that are closed may be others.
    cells_again: Option<Time>,
    usage: Usage,
    suspicion: Suspicion,
}

impl Watch {
    pub(crate) fn new(desk: &Desk, t: Time) -> Self {
        // Before the register: an event too many does no harm.
        let events = desk.subscribe();
        Self {
            fleet: Fleet::new(&desk.register(), &BTreeMap::new(), t),
            events,
            cells_again: Some(t),
            usage: Usage::default(),
            suspicion: Suspicion::default(),
        }
    }

    /// Takes in what has happened at the desk by now.
    pub(crate) fn follow(&mut self, desk: &Desk, t: Time) {
        while let Some(event) = self.events.try_next() {
            let touched = match event {
                Event::Done(outcome) => outcome.touched.clone(),
                Event::Used(terminals) => {
                    terminals.iter().copied().map(Touched::Terminal).collect()
                }
                Event::Everything => {
                    self.fleet = Fleet::new(&desk.register(), &BTreeMap::new(), t);
                    self.cells_again = Some(t);
                    continue;
                }
            };
            self.fleet.follow(&desk.register(), &touched, t);
            let of_cells =
                |touched: &Touched| matches!(touched, Touched::Area(_) | Touched::Defaults);
            if touched.iter().any(of_cells) {
                self.cells_again = Some(t);
            }
        }
    }

    /// Asks the rules about each terminal at `t`.
    pub(crate) fn decide(
        &mut self,
        desk: &Desk,
        said: &[Said],
        t: Time,
    ) -> Vec<(TerminalId, Decision)> {
        let register = desk.register();
        let decide = |said: &Said| {
            let decision = self.fleet.claim(&register, said.terminal, said.claim, t);
            // Not on the books at all: not even a key to prove.
            (said.live, decision.unwrap_or(UNKNOWN))
        };
        said.iter().map(decide).collect()
    }

    /// In which cells the service is closed to everybody, if that may have changed since the last call.
    pub(crate) fn closed_cells(&mut self, cells: &[Cell], t: Time) -> Option<Vec<CellId>> {
        self.cells_again.filter(|again| *again <= t)?;
        let policy = self.fleet.policy();
        self.cells_again = policy.next_change(t);
        let closed = |cell: &&Cell| !policy.is_open(cell.centre, t);
        Some(cells.iter().filter(closed).map(|cell| cell.id).collect())
    }

    /// Looks for misuse in what the network knows at `t`, by the wall clock `now`.
    pub(crate) fn observe(&mut self, desk: &Desk, observed: &[Observed], t: Time, now: Time) {
        let policy = self.fleet.policy();
        self.suspicion.observe(desk, policy, observed, t, now);
    }

    /// Counts traffic and tells the desk of it, now and then.
    pub(crate) fn count(
        &mut self,
        desk: &Desk,
        live: &[(TerminalId, UtId)],
        counters: &[(TerminalId, TerminalCounters)],
        t: Time,
    ) {
        self.usage.count(desk, live, counters, t);
    }
}

/// The decision on a terminal that the register does not have.
pub(crate) const UNKNOWN: Decision = Decision::Refused(skyweave_service::Refusal {
    code: skyweave_service::Code::NoActiveAccount,
    rule: skyweave_service::Rule::KeyNotProven,
    area: None,
});

/// Traffic of live terminals in the current month.
#[derive(Debug, Default)]
struct Usage {
    /// Bytes down and up of each, as last counted.
    counted: BTreeMap<TerminalId, (u64, u64)>,
    month: BTreeMap<UtId, UsageRecord>,
    changed: bool,
    told: Option<Time>,
}

/// How often the desk is told: each time is a transaction, and a data cap is noticed this late.
const TELL: Span = Span::from_secs(2);

impl Usage {
    fn count(
        &mut self,
        desk: &Desk,
        live: &[(TerminalId, UtId)],
        counters: &[(TerminalId, TerminalCounters)],
        t: Time,
    ) {
        let period_start = month_of(t);
        for (id, counters) in counters {
            let Some((_, terminal)) = live.iter().find(|(live, _)| live == id) else {
                continue;
            };
            let now = (counters.down.carried.bytes, counters.up.carried.bytes);
            let before = self.counted.insert(*id, now).unwrap_or((0, 0));
            let (down, up) = (
                now.0.saturating_sub(before.0),
                now.1.saturating_sub(before.1),
            );
            if (down, up) == (0, 0) {
                continue;
            }
            let begin = || {
                let register = desk.register();
                let stored = register.usage().get(terminal).copied();
                stored.unwrap_or(UsageRecord {
                    terminal: *terminal,
                    period_start,
                    down_bytes: 0,
                    up_bytes: 0,
                })
            };
            let record = self.month.entry(*terminal).or_insert_with(begin);
            if record.period_start != period_start {
                *record = UsageRecord {
                    period_start,
                    down_bytes: 0,
                    up_bytes: 0,
                    ..*record
                };
            }
            record.down_bytes = record.down_bytes.saturating_add(down);
            record.up_bytes = record.up_bytes.saturating_add(up);
            self.changed = true;
        }
        let due = self.told.is_none_or(|told| t - told >= TELL);
        if self.changed && due {
            self.told = Some(t);
            self.changed = false;
            let known = desk.register();
            let known = |record: &&UsageRecord| known.terminals().contains_key(&record.terminal);
            desk.record_usage(self.month.values().filter(known).copied().collect());
        }
    }
}

/// The first instant of a time's month, UTC.
fn month_of(t: Time) -> Time {
    let utc = Utc::from(t);
    let (year, month, _) = utc.date();
    i32::try_from(year)
        .ok()
        .and_then(|year| Utc::from_date(year, month, 1, 0))
        .map_or(t, Time::from)
}

/// A claim of a terminal that has proved its key.
pub(crate) fn claim(position: Geodetic, speed_m_s: f64) -> Claim {
    Claim {
        position: Some(position),
        speed_m_s,
        key: skyweave_service::KeyProof::Proven,
        software: SOFTWARE_BUILD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_a_month_of_utc() {
        let time = |text: &str| Time::from(text.parse::<Utc>().unwrap());
        assert_eq!(
            month_of(time("2026-05-21T13:14:15Z")),
            time("2026-05-01T00:00:00Z")
        );
        assert_eq!(
            month_of(time("2024-12-31T23:59:59Z")),
            time("2024-12-01T00:00:00Z")
        );
    }
}
