//! The detectors of misuse, on what a live network really knows: how long the path to a satellite is, which cell a beam
//! serves, when and where a key is in use, and what terminals say.
//!
//! One observation of each terminal for each epoch, kept in memory only. What is found becomes an incident, once; what follows
//! from it is a person's decision, or of a rule that the operator has switched on.

use crate::operator::{Desk, Draft};
use skyweave_base::{Ecef, EpochNumber, Geodetic, Time};
use skyweave_service::{
    Action, BatchId, BatchMember, Command, Declared, Finding, IncidentId, IncidentState, Limits,
    Observation, Policy, Register, Session, Stamp, UtId, batch_cluster, impossible_travel,
    key_in_two_places, position_against_radio,
};
use std::collections::{BTreeMap, VecDeque};

/// What the network knows of a live terminal in an epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed {
    pub(crate) terminal: UtId,
    pub(crate) epoch: EpochNumber,
    /// Since when it has been here.
    pub(crate) from: Time,
    /// Where it says it is.
    pub(crate) claimed: Geodetic,
    /// Its satellite, and how far away that is by the delay of the path.
    pub(crate) satellite: Ecef,
    pub(crate) range_m: f64,
    /// Centre and radius of the cell that its beam serves.
    pub(crate) cell: (Geodetic, f64),
}

/// Observations kept of each terminal: ten minutes.
const KEPT: usize = 40;
/// A round trip is measured to some 5 µs (dataplane and kernel; `docs/service.md`, "Misuse"), here as length of the path.
const RANGE_SIGMA_M: f64 = 5e-6 * 299_792_458.0;

#[derive(Debug, Default)]
pub(super) struct Suspicion {
    seen: BTreeMap<UtId, VecDeque<Observation>>,
    epoch: Option<EpochNumber>,
}

impl Suspicion {
    /// Takes the observations of an epoch, at network time `t` and wall time `now`; more of the same epoch are passed over,
    /// but a key in two places is seen at once.
    pub(super) fn observe(
        &mut self,
        desk: &Desk,
        policy: &Policy,
        observed: &[Observed],
        t: Time,
        now: Time,
    ) {
        let limits = Limits::default();
        let mut found = Vec::new();
        for of_one in observed.chunk_by(|a, b| a.terminal == b.terminal) {
            let sessions: Vec<Session> = of_one
                .iter()
                .map(|o| Session {
                    from: o.from,
                    until: t,
                    place: o.cell.0,
                })
                .collect();
            found.extend(key_in_two_places(of_one[0].terminal, &sessions, &limits));
        }
        if observed.iter().any(|o| self.epoch != Some(o.epoch)) {
            self.epoch = observed.first().map(|o| o.epoch);
            self.seen
                .retain(|id, _| observed.iter().any(|o| o.terminal == *id));
            for o in observed {
                let seen = self.seen.entry(o.terminal).or_default();
                seen.push_back(Observation {
                    at: t,
                    claimed: o.claimed,
                    satellite: o.satellite,
                    range_m: o.range_m,
                    range_sigma_m: RANGE_SIGMA_M,
                    cell_centre: o.cell.0,
                    cell_radius_m: o.cell.1,
                });
                while seen.len() > KEPT {
                    seen.pop_front();
                }
            }
            for (id, seen) in &mut self.seen {
                let seen = seen.make_contiguous();
                found.extend(position_against_radio(*id, seen, &limits));
                let track: Vec<_> = seen.iter().map(|o| (o.at, o.claimed)).collect();
                found.extend(impossible_travel(*id, &track, &limits));
            }
            found.extend(clusters(&desk.register(), policy, observed, t, &limits));
        }
        for finding in found {
            take_up(desk, finding, t, now);
        }
    }
}

/// Batches of which many are in use where none was sold. Markets are where the register's areas say so.
fn clusters(
    register: &Register,
    policy: &Policy,
    observed: &[Observed],
    t: Time,
    limits: &Limits,
) -> Vec<Finding> {
    let mut batches: BTreeMap<BatchId, Vec<BatchMember>> = BTreeMap::new();
    for o in observed {
        let Some(terminal) = register.terminals().get(&o.terminal) else {
            continue;
        };
        let market = policy.market(o.cell.0, t);
        let Some((registration, seen_in)) = terminal.state.registration().zip(market) else {
            continue;
        };
        let listed = register
            .lists()
            .values()
            .any(|list| list.entries.contains_key(&o.terminal));
        batches
            .entry(terminal.batch)
            .or_default()
            .push(BatchMember {
                terminal: o.terminal,
                account: registration.account,
                sold_in: registration.market,
                seen_in,
                declared: if listed { Declared::Yes } else { Declared::No },
            });
    }
    batches
        .iter()
        .flat_map(|(batch, members)| batch_cluster(*batch, members, limits))
        .collect()
}

/// Opens an incident, unless there is one of this kind on these terminals that stands or that was decided after now.
fn take_up(desk: &Desk, finding: Finding, t: Time, now: Time) {
    let build = move |register: &Register| {
        let same = register.incidents().values().any(|i| {
            let stands = matches!(
                i.state,
                IncidentState::Open | IncidentState::CutOff | IncidentState::Appealed
            );
            i.kind == finding.kind
                && i.terminals == finding.terminals
                && (stands || i.at + DECIDED_HOLDS > t)
        });
        if same {
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

/// A person who dismissed a finding or restored service is not told of the same again within a day.
const DECIDED_HOLDS: skyweave_base::Span = skyweave_base::Span::from_secs(86_400);
