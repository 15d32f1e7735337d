//! The detectors of misuse, on what a live network really knows: how long the path to a satellite is, which cell a beam
//! serves, when and where a key is in use, and what terminals say.
//!
//! One observation of each terminal for each epoch, kept in memory only, and for months the countries where it was seen
//! ([`Sightings`]), which the caller keeps. What is found becomes an incident, once ([`Finding::is_known`]); what follows from
//! it is a person's decision, or of a rule that the operator has switched on.

use crate::area::ServiceArea;
use crate::ids::{BatchId, UtId};
use crate::misuse::{
    BatchMember, Declared, Finding, IncidentKind, IncidentState, Limits, Observation, Session,
    batch_cluster, impossible_travel, key_in_two_places, position_against_radio,
};
use crate::policy::Policy;
use crate::register::Register;
use crate::sightings::Sightings;
use skyweave_base::{EpochNumber, Span, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the network knows of a live terminal in an epoch.
#[derive(Clone, Copy, Debug)]
pub struct Observed {
    /// The terminal.
    pub terminal: UtId,
    /// The epoch.
    pub epoch: EpochNumber,
    /// Since when it has been here.
    pub from: Time,
    /// Where it says it is now, and what the radio shows.
    pub seen: Observation,
}

/// Observations kept of each terminal: ten minutes.
const KEPT: usize = 40;
/// A person who dismissed a finding or restored service is not told of the same again within a day.
const DECIDED_HOLDS: Span = Span::from_secs(86_400);

/// What the network has seen of its terminals lately.
#[derive(Debug, Default)]
pub struct Suspicion {
    seen: BTreeMap<UtId, VecDeque<Observation>>,
    epoch: Option<EpochNumber>,
    sightings: BTreeMap<UtId, Sightings>,
    to_keep: BTreeSet<UtId>,
}

impl Suspicion {
    /// Goes on with sightings that were kept.
    pub fn recall(&mut self, kept: impl IntoIterator<Item = (UtId, Sightings)>) {
        self.sightings.extend(kept);
    }

    /// Sightings that say something new since they were asked for last.
    pub fn take_to_keep(&mut self) -> Vec<(UtId, Sightings)> {
        let ids = core::mem::take(&mut self.to_keep).into_iter();
        ids.filter_map(|id| Some((id, self.sightings.get(&id)?.clone())))
            .collect()
    }

    /// These could not be kept: they are to be asked for again.
    pub fn not_kept(&mut self, terminals: impl IntoIterator<Item = UtId>) {
        self.to_keep.extend(terminals);
    }

    /// Takes the observations of an epoch, at network time `t` and in order of terminals; more of the same epoch are passed
    /// over, but a key in two places is seen at once. Returns what is found, known or not.
    pub fn observe(
        &mut self,
        register: &Register,
        policy: &Policy,
        observed: &[Observed],
        t: Time,
    ) -> Vec<Finding> {
        let limits = Limits::default();
        let mut found = Vec::new();
        for of_one in observed.chunk_by(|a, b| a.terminal == b.terminal) {
            let sessions: Vec<Session> = of_one
                .iter()
                .map(|o| Session {
                    from: o.from,
                    until: t,
                    place: o.seen.cell_centre,
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
                seen.push_back(o.seen);
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
            found.extend(self.out_of_market(register, policy, observed, t, &limits));
            found.extend(clusters(register, policy, observed, t, &limits));
        }
        found
    }

    /// Follows in which countries terminals are served. Only those that were sold in a market of which an area is known:
    /// otherwise nobody could say whether they are at home.
    fn out_of_market(
        &mut self,
        register: &Register,
        policy: &Policy,
        observed: &[Observed],
        t: Time,
        limits: &Limits,
    ) -> Vec<Finding> {
        let mut found = Vec::new();
        for o in observed {
            let terminal = register.terminals().get(&o.terminal);
            let Some(sold) = terminal.and_then(|t| t.state.registration()) else {
                continue;
            };
            let on_the_map = |a: &ServiceArea| a.market == Some(sold.market);
            if !register.areas().values().any(|a| on_the_map(a)) {
                continue;
            }
            let new = || Sightings::new(sold.market);
            let seen = self.sightings.entry(o.terminal).or_insert_with(new);
            // Released and sold anew elsewhere, it begins anew.
            if !seen.is_of(sold.market) {
                *seen = new();
            }
            if seen.see(policy, o.seen.cell_centre, t, limits) {
                self.to_keep.insert(o.terminal);
            }
            found.extend(seen.finding(o.terminal, declared(register, o.terminal), limits));
        }
        found
    }
}

/// An entry on any allow list is a declaration.
fn declared(register: &Register, terminal: UtId) -> Declared {
    let mut lists = register.lists().values();
    match lists.any(|list| list.entries.contains_key(&terminal)) {
        true => Declared::Yes,
        false => Declared::No,
    }
}

impl Finding {
    /// True if there is an incident of this kind on these terminals that stands, or that a person decided on lately.
    pub fn is_known(&self, register: &Register, t: Time) -> bool {
        register.incidents().values().any(|i| {
            let stands = matches!(
                i.state,
                IncidentState::Open | IncidentState::CutOff | IncidentState::Appealed
            );
            let holds = match self.kind {
                // What was seen stays seen: asked anew only after as long as it took.
                IncidentKind::OutOfMarket => Limits::default().away,
                _ => DECIDED_HOLDS,
            };
            i.kind == self.kind && i.terminals == self.terminals && (stands || i.at + holds > t)
        })
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
        let market = policy.market(o.seen.cell_centre, t);
        let Some((registration, seen_in)) = terminal.state.registration().zip(market) else {
            continue;
        };
        batches
            .entry(terminal.batch)
            .or_default()
            .push(BatchMember {
                terminal: o.terminal,
                account: registration.account,
                sold_in: registration.market,
                seen_in,
                declared: declared(register, o.terminal),
            });
    }
    batches
        .iter()
        .flat_map(|(batch, members)| batch_cluster(*batch, members, limits))
        .collect()
}
