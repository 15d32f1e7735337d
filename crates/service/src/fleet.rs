//! The decisions for all terminals, kept up to date.
//!
//! A row for each terminal holds what the rules ask, so that a full evaluation is one pass over rows on all cores and a
//! change asks only the rows that it can concern. Rows are by terminal id; the decisions do not depend on threads.

use crate::ids::{AccountId, UtId};
use crate::policy::{Claim, Facts, KeyProof, Policy};
use crate::register::{Register, Touched};
use crate::rules::Decision;
use rayon::prelude::*;
use skyweave_base::Time;
use std::collections::{BTreeMap, BTreeSet};

/// A terminal that has said nothing yet.
const SILENT: Claim = Claim {
    position: None,
    speed_m_s: 0.0,
    key: KeyProof::Missing,
    software: 0,
};
/// Rows of one piece of work.
const CHUNK: usize = 4096;

/// All terminals' claims, facts and decisions.
#[derive(Clone, Debug)]
pub struct Fleet {
    policy: Policy,
    ids: Vec<UtId>,
    claims: Vec<Claim>,
    facts: Vec<Facts>,
    decisions: Vec<Decision>,
}

impl Fleet {
    /// Compiles the policy and evaluates every terminal at `t`. Terminals without a claim have proved nothing.
    pub fn new(register: &Register, claims: &BTreeMap<UtId, Claim>, t: Time) -> Self {
        let policy = Policy::new(register);
        let ids: Vec<UtId> = register.terminals().keys().copied().collect();
        let claims: Vec<Claim> = ids
            .iter()
            .map(|id| claims.get(id).copied().unwrap_or(SILENT))
            .collect();
        let facts: Vec<Facts> = register
            .terminals()
            .values()
            .zip(&claims)
            .collect::<Vec<_>>()
            .into_par_iter()
            .map(|(terminal, claim)| policy.facts(register, terminal, claim))
            .collect();
        let decisions = facts.par_iter().map(|f| policy.decide(f, t)).collect();
        Self {
            policy,
            ids,
            claims,
            facts,
            decisions,
        }
    }

    /// The compiled policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Decisions by terminal id.
    pub fn decisions(&self) -> impl ExactSizeIterator<Item = (UtId, &Decision)> {
        self.ids.iter().copied().zip(&self.decisions)
    }

    /// One terminal's decision.
    pub fn decision(&self, id: UtId) -> Option<Decision> {
        self.row(id).map(|row| self.decisions[row])
    }

    /// Evaluates every terminal at `t`: for each epoch, or when [`Policy::next_change`] has come.
    pub fn evaluate(&mut self, t: Time) {
        let policy = &self.policy;
        self.decisions
            .par_chunks_mut(CHUNK)
            .zip(self.facts.par_chunks(CHUNK))
            .for_each(|(decisions, facts)| {
                decisions
                    .iter_mut()
                    .zip(facts)
                    .for_each(|(d, f)| *d = policy.decide(f, t));
            });
    }

    /// Takes over a terminal's new claim and answers at once. `None` if there is no such terminal.
    pub fn claim(
        &mut self,
        register: &Register,
        id: UtId,
        claim: Claim,
        t: Time,
    ) -> Option<Decision> {
        let row = self.row(id)?;
        self.claims[row] = claim;
        self.renew(register, &[row], t);
        Some(self.decisions[row])
    }

    /// Takes over what a command changed and asks anew at `t` whoever it can concern. Returns those whose decision is
    /// another now, by id. The result is as if all were evaluated, if all were evaluated at `t` or nothing began or
    /// ended since (see [`Policy::next_change`]).
    pub fn follow(&mut self, register: &Register, touched: &[Touched], t: Time) -> Vec<UtId> {
        let (mut rows, mut accounts) = (BTreeSet::new(), BTreeSet::<AccountId>::new());
        let (mut cells, mut everybody) = (Vec::new(), false);
        let mut new = Vec::new();
        for touched in touched {
            match touched {
                Touched::Terminal(id) => match self.row(*id) {
                    Some(row) => drop(rows.insert(row)),
                    None => new.push(*id),
                },
                Touched::Account(id) => drop(accounts.insert(*id)),
                Touched::Area(id) => cells.extend(self.policy.refresh_area(register, *id)),
                Touched::Plan(_) | Touched::Defaults => everybody = true,
                // An organisation, a list's rules and an incident decide nothing by themselves: entries name terminals.
                Touched::Organisation(_)
                | Touched::List(_)
                | Touched::DenyList
                | Touched::Incident(_) => {}
            }
        }
        self.add_rows(register, new, &mut rows);
        if everybody {
            self.policy.refresh_plans(register);
            rows.extend(0..self.ids.len());
        }
        rows.extend(
            accounts
                .iter()
                .flat_map(|a| register.held_by(*a))
                .filter_map(|id| self.row(id)),
        );
        let rows: Vec<usize> = rows.into_iter().collect();
        let mut changed = self.renew(register, &rows, t);
        changed.extend(self.reevaluate_cells(cells, t));
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    fn row(&self, id: UtId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// Makes room for new terminals. The rows already noted move with the ids.
    fn add_rows(&mut self, register: &Register, new: Vec<UtId>, rows: &mut BTreeSet<usize>) {
        let new: Vec<UtId> = new
            .into_iter()
            .filter(|id| register.terminals().contains_key(id))
            .collect();
        if new.is_empty() {
            return;
        }
        let noted: Vec<UtId> = rows
            .iter()
            .map(|&row| self.ids[row])
            .chain(new.iter().copied())
            .collect();
        let mut all: Vec<(UtId, Claim, Facts, Decision)> =
            Vec::with_capacity(self.ids.len() + new.len());
        let old = core::mem::take(&mut self.ids)
            .into_iter()
            .zip(core::mem::take(&mut self.claims));
        let old = old
            .zip(core::mem::take(&mut self.facts))
            .zip(core::mem::take(&mut self.decisions));
        all.extend(old.map(|(((id, claim), facts), decision)| (id, claim, facts, decision)));
        for id in new {
            let facts = self
                .policy
                .facts(register, &register.terminals()[&id], &SILENT);
            let decision = self.policy.decide(&facts, Time::default());
            all.push((id, SILENT, facts, decision));
        }
        all.sort_by_key(|row| row.0);
        for (id, claim, facts, decision) in all {
            self.ids.push(id);
            self.claims.push(claim);
            self.facts.push(facts);
            self.decisions.push(decision);
        }
        *rows = noted.into_iter().filter_map(|id| self.row(id)).collect();
    }

    /// Makes the rows' facts anew from the register and decides; returns whose decision is another.
    fn renew(&mut self, register: &Register, rows: &[usize], t: Time) -> Vec<UtId> {
        let renewed: Vec<(usize, Facts, Decision)> = rows
            .par_iter()
            .filter_map(|&row| {
                let terminal = register.terminals().get(&self.ids[row])?;
                let facts = self.policy.facts(register, terminal, &self.claims[row]);
                let decision = self.policy.decide(&facts, t);
                Some((row, facts, decision))
            })
            .collect();
        let mut changed = Vec::new();
        for (row, facts, decision) in renewed {
            self.facts[row] = facts;
            if core::mem::replace(&mut self.decisions[row], decision) != decision {
                changed.push(self.ids[row]);
            }
        }
        changed
    }

    /// Decides anew for the terminals in these cells.
    fn reevaluate_cells(&mut self, mut cells: Vec<core::ops::Range<u32>>, t: Time) -> Vec<UtId> {
        if cells.is_empty() {
            return Vec::new();
        }
        cells.sort_by_key(|c| (c.start, c.end));
        let mut merged: Vec<core::ops::Range<u32>> = Vec::new();
        for range in cells {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        let within = |cell: u32| {
            let n = merged.partition_point(|range| range.end <= cell);
            merged.get(n).is_some_and(|range| range.start <= cell)
        };
        let (policy, ids) = (&self.policy, &self.ids);
        self.decisions
            .par_chunks_mut(CHUNK)
            .zip(self.facts.par_chunks(CHUNK))
            .zip(ids.par_chunks(CHUNK))
            .flat_map_iter(|((decisions, facts), ids)| {
                let mut changed = Vec::new();
                for ((decision, facts), id) in decisions.iter_mut().zip(facts).zip(ids) {
                    if Policy::cell(facts).is_some_and(within) {
                        let now = policy.decide(facts, t);
                        if core::mem::replace(decision, now) != now {
                            changed.push(*id);
                        }
                    }
                }
                changed
            })
            .collect()
    }
}
