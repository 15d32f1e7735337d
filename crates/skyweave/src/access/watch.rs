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
pub(crate) struct Watch {
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
    pub(crate) fn new(desk: &Desk, t: Time) -> Result<Self, Arc<StoreError>> {
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
    pub(crate) fn observe(&mut self, desk: &Desk, observed: &[Observed], t: Time, now: Time) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use skyweave_base::EpochNumber;
    use skyweave_service::{
        Account, AccountId, AreaId, AreaKind, BatchId, Evidence, Holder, IncidentKind, Market,
        Observation, PublicKey, ServiceArea, Shape, Standing, State, Step, Terminal, Validity,
    };
    use std::path::Path;

    fn at(lat_deg: f64, lon_deg: f64) -> Geodetic {
        Geodetic::from_degrees(lat_deg, lon_deg).unwrap()
    }

    fn market(name: &str) -> Market {
        name.parse().unwrap()
    }

    /// A country that is a square of 5 degrees.
    fn country(id: u32, name: &str, west: f64) -> Action {
        let (s, n, east) = (48.0, 53.0, west + 5.0);
        let ring = vec![[west, s], [east, s], [east, n], [west, n], [west, s]];
        Action::PutArea(ServiceArea {
            id: AreaId(id),
            name: name.to_owned(),
            market: Some(market(name)),
            kind: AreaKind::Allow { pop: None },
            precedence: 10,
            validity: Validity::ALWAYS,
            shape: Shape::new(&[vec![ring]]).unwrap().0,
        })
    }

    const T0: Time = Time::from_nanos(833_000_000_000_000_000);
    const DAY: Span = Span::from_secs(86_400);

    fn desk(folder: &Path) -> Desk {
        let file = folder.join("service.sqlite").display().to_string();
        Desk::open(&file.parse().unwrap()).unwrap()
    }

    fn order(desk: &Desk, action: Action) {
        let stamp = Stamp {
            by: "user:test".to_owned(),
            at: T0,
            why: "test".to_owned(),
        };
        desk.execute(Command { stamp, action }).unwrap();
    }

    /// Four terminals sold in PL: what each does from day to day.
    const TRADED: UtId = UtId::new([1, 1, 1]);
    const VISITS: UtId = UtId::new([1, 1, 2]);
    const BORDER: UtId = UtId::new([1, 1, 3]);

    fn place(terminal: UtId, day: i64) -> Geodetic {
        match terminal {
            VISITS if day == 30 => at(50.0, 22.0),
            // 20 km from the border at 25 degrees east.
            BORDER => at(50.0, 25.28),
            _ => at(50.0, 28.0),
        }
    }

    fn observe(watch: &mut Watch, desk: &Desk, day: i64) {
        let t = T0 + Span::from_secs(day * 86_400);
        watch.follow(desk, t);
        let observed = [TRADED, VISITS, BORDER].map(|terminal| {
            let here = place(terminal, day);
            let satellite = Geodetic {
                height_m: 550e3,
                ..here
            };
            Observed {
                terminal,
                epoch: EpochNumber::containing(t),
                from: t,
                seen: Observation {
                    at: t,
                    claimed: here,
                    satellite: satellite.to_ecef(),
                    range_m: here.to_ecef().distance_m(satellite.to_ecef()),
                    range_sigma_m: 1500.0,
                    cell_centre: here,
                    cell_radius_m: 10e3,
                },
            }
        });
        watch.observe(desk, &observed, t, t);
    }

    #[test]
    fn goods_sold_in_one_country_and_seen_only_in_another_are_found_over_months_and_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk_of_now = desk(folder.path());
        order(&desk_of_now, country(1, "PL", 20.0));
        order(&desk_of_now, country(2, "UA", 25.0));
        order(
            &desk_of_now,
            Action::PutAccount(Account {
                id: AccountId(1),
                holder: Holder::Person("check 1".to_owned()),
                market: market("UA"),
                standing: Standing::Active,
                terminal_limit: None,
            }),
        );
        for (n, id) in [TRADED, VISITS, BORDER].into_iter().enumerate() {
            let new = Terminal {
                id,
                key: PublicKey([n as u8 + 1; 32]),
                model: "rev4".to_owned(),
                batch: BatchId(n as u32),
                state: State::Sold {
                    market: market("PL"),
                },
            };
            order(&desk_of_now, Action::AddTerminals(vec![new]));
            let account = AccountId(1);
            order(&desk_of_now, Action::Step(id, Step::Register { account }));
        }
        let mut watch = Watch::new(&desk_of_now, T0).unwrap();
        for day in 0..=70 {
            // The program ends and begins again.
            if day % 10 == 9 {
                drop(watch);
                drop(desk_of_now);
                desk_of_now = desk(folder.path());
                watch = Watch::new(&desk_of_now, T0 + DAY).unwrap();
            }
            observe(&mut watch, &desk_of_now, day);
            // The answer of the desk is heard with the next look, and incidents come through it.
            desk_of_now.submit(|_| Ok(Draft::default())).wait().unwrap();
            let register = desk_of_now.register();
            let found: Vec<_> = register.incidents().values().collect();
            if day < 62 {
                assert_eq!(
                    found,
                    Vec::<&skyweave_service::Incident>::new(),
                    "day {day}"
                );
                continue;
            }
            assert_eq!(found.len(), 1, "day {day}: once");
            assert_eq!(found[0].kind, IncidentKind::OutOfMarket);
            assert!(found[0].terminals.iter().eq([&TRADED]), "{found:?}");
            let Evidence::Seen {
                market: seen,
                times,
                ..
            } = found[0].evidence[0]
            else {
                panic!("{found:?}");
            };
            assert_eq!(seen, market("UA"));
            assert!(
                times >= 60,
                "{times} days of 63, of which restarts may lose some"
            );
        }
    }
}
