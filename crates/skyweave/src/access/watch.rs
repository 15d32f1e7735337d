//! The decisions on live terminals, kept up to date with the register and with what the terminals say.

use crate::operator::{Desk, Draft, Event, Events, Record, Rejected, StoreError, Ticket};
use skyweave_base::{CellId, Geodetic, Span, TerminalId, Time};
use skyweave_plan::Cell;
use skyweave_service::{
    Action, Claim, Command, Counted, Decision, Finding, Fleet, IncidentId, KeyProof, Metering,
    Observed, Outcome, Register, Sightings, Stamp, Suspicion, Touched, UtId,
};
use std::collections::BTreeMap;
use std::sync::Arc;

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
pub struct Watch {
    fleet: Fleet,
    events: Events,
    /// When the cells that are closed may be others.
    cells_again: Option<Time>,
    metering: Metering,
    /// When the desk was last told of traffic.
    told: Option<Time>,
    suspicion: Suspicion,
    /// Sightings on their way to the database.
    keeping: Option<Keeping>,
}

#[derive(Debug)]
struct Keeping {
    ticket: Ticket<Result<Option<Arc<Outcome>>, Rejected>>,
    of: Vec<UtId>,
}

/// The kind of the records of where terminals were seen.
const SIGHTINGS: &str = "sightings";

impl Watch {
    /// Reads what an earlier run has kept. Waits; not from an asynchronous function.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub fn new(desk: &Desk, t: Time) -> Result<Self, Arc<StoreError>> {
        // Before the register: an event too many does no harm.
        let events = desk.subscribe();
        let kept = desk.ask(|store| store.records(SIGHTINGS)).wait()?;
        let mut suspicion = Suspicion::default();
        suspicion.recall(kept.into_iter().filter_map(sightings));
        Ok(Self {
            fleet: Fleet::new(&desk.register(), &BTreeMap::new(), t),
            events,
            cells_again: Some(t),
            metering: Metering::default(),
            told: None,
            suspicion,
            keeping: None,
        })
    }

    /// Takes in what has happened at the desk by now.
    pub fn follow(&mut self, desk: &Desk, t: Time) {
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
            (said.live, decision.unwrap_or(Decision::UNKNOWN))
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
    pub fn observe(&mut self, desk: &Desk, observed: &[Observed], t: Time, now: Time) {
        let (register, policy) = (desk.register(), self.fleet.policy());
        for finding in self.suspicion.observe(&register, policy, observed, t) {
            take_up(desk, finding, t, now);
        }
        self.keep_sightings(desk);
    }

    /// Gives what is new to the desk and hears whether the last was written; what was not is given again.
    fn keep_sightings(&mut self, desk: &Desk) {
        if let Some(mut keeping) = self.keeping.take() {
            match keeping.ticket.answer() {
                None => {
                    self.keeping = Some(keeping);
                    return;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) => self.suspicion.not_kept(keeping.of),
            }
        }
        let new = self.suspicion.take_to_keep();
        if new.is_empty() {
            return;
        }
        let record = |(id, seen): &(UtId, Sightings)| Record {
            kind: SIGHTINGS.to_owned(),
            id: id.to_string(),
            body: serde_json::to_string(seen).ok(),
        };
        let records = new.iter().map(record).collect();
        let draft = Draft {
            commands: Vec::new(),
            records,
        };
        self.keeping = Some(Keeping {
            ticket: desk.submit(|_| Ok(draft)),
            of: new.into_iter().map(|(id, _)| id).collect(),
        });
    }

    /// Counts traffic and tells the desk of it, now and then.
    pub(crate) fn count(
        &mut self,
        desk: &Desk,
        counters: impl IntoIterator<Item = Counted>,
        t: Time,
    ) {
        self.metering.count(&desk.register(), counters, t);
        if self.told.is_none_or(|told| t - told >= TELL) {
            self.tell(desk, t);
        }
    }

    /// Tells the desk of all traffic that was counted.
    pub(crate) fn tell(&mut self, desk: &Desk, t: Time) {
        if let Some(records) = self.metering.take_changed(&desk.register()) {
            self.told = Some(t);
            desk.record_usage(records);
        }
    }
}

/// A record as it was kept; one that cannot be read tells of nothing.
fn sightings(record: Record) -> Option<(UtId, Sightings)> {
    let seen = serde_json::from_str(record.body.as_deref()?).ok()?;
    Some((record.id.parse().ok()?, seen))
}

/// How often the desk is told of traffic: each time is a transaction, and a data cap is noticed this late.
const TELL: Span = Span::from_secs(2);

/// Opens an incident, unless there is one.
fn take_up(desk: &Desk, finding: Finding, t: Time, now: Time) {
    let build = move |register: &Register| {
        if finding.is_known(register, t) {
            return Ok(Draft::default());
        }
        let last = register.incidents().keys().next_back().copied();
        let id = IncidentId(last.map_or(1, |IncidentId(n)| n + 1));
        let kind = serde_json::to_value(finding.kind).unwrap_or_default();
        let stamp = Stamp {
            by: format!("rule:{}", kind.as_str().unwrap_or("misuse")),
            at: now,
            why: "found by the live network".to_owned(),
        };
        let action = Action::OpenIncident(finding.open(id, t));
        Ok(Command { stamp, action }.into())
    };
    // While the database is away this is refused; what goes on is found again.
    drop(desk.submit(build));
}

/// A claim of a terminal that has proved its key.
pub(crate) fn claim(position: Geodetic, speed_m_s: f64) -> Claim {
    Claim {
        position: Some(position),
        speed_m_s,
        key: KeyProof::Proven,
        software: SOFTWARE_BUILD,
    }
}
