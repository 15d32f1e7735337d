//! The decisions for all terminals, kept up to date.
//!
//! A row for each terminal holds what the rules ask, so that a full evaluation is one pass over rows on all cores and a
//! change asks only the rows that it can concern. Decisions do not depend on threads or on the order of changes.

use crate::cover::CELLS;
use crate::ids::UtId;
use crate::policy::{Claim, Facts, KeyProof, Policy};
use crate::register::{Register, Touched};
use crate::rules::Decision;
use core::num::NonZeroU32;
use core::ops::Range;
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
    /// Where each terminal's row is.
    rows: BTreeMap<UtId, usize>,
    ids: Vec<UtId>,
    claims: Vec<Claim>,
    facts: Vec<Facts>,
    /// Cell of each terminal, plus one: what a change of an area looks through.
    cells: Vec<Option<NonZeroU32>>,
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
        let cells = facts.iter().map(Policy::cell).collect();
        let decisions = facts.par_iter().map(|f| policy.decide(f, t)).collect();
        let rows = ids.iter().copied().zip(0..).collect();
        Self {
            policy,
            rows,
            ids,
            claims,
            facts,
            cells,
            decisions,
        }
    }

    /// The compiled policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Decisions by terminal id.
    pub fn decisions(&self) -> impl ExactSizeIterator<Item = (UtId, &Decision)> {
        self.rows
            .iter()
            .map(|(id, row)| (*id, &self.decisions[*row]))
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

    /// Takes over what a command changed and asks anew at `t` whoever it can concern. Returns those who are new or whose
    /// decision is another now, by id. The result is as if all were evaluated, if all were evaluated at `t` or nothing
    /// began or ended since (see [`Policy::next_change`]).
    pub fn follow(&mut self, register: &Register, touched: &[Touched], t: Time) -> Vec<UtId> {
        let (mut rows, mut cells) = (BTreeSet::new(), Vec::new());
        let (mut changed, mut everybody) = (Vec::new(), false);
        for touched in touched {
            match touched {
                Touched::Terminal(id) => match self.row(*id) {
                    Some(row) => drop(rows.insert(row)),
                    None => changed.extend(self.add(register, *id, t)),
                },
                Touched::Account(id) => {
                    rows.extend(register.held_by(*id).filter_map(|id| self.row(id)))
                }
                Touched::Area(id) => cells.extend(self.policy.refresh_area(register, *id)),
                Touched::Plan(_) | Touched::Defaults => everybody = true,
                // An organisation, a list's rules and an incident decide nothing by themselves: entries name terminals.
                Touched::Organisation(_)
                | Touched::List(_)
                | Touched::DenyList
                | Touched::Incident(_) => {}
                // Who may use the interfaces is another matter than who may have service.
                Touched::User(_) | Touched::Token(_) | Touched::SignIn(_) => {}
            }
        }
        let rows: Vec<usize> = if everybody {
            self.policy.refresh_plans(register);
            (0..self.ids.len()).collect()
        } else {
            rows.into_iter().collect()
        };
        changed.extend(self.renew(register, &rows, t));
        changed.extend(self.reevaluate_cells(&cells, t));
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    fn row(&self, id: UtId) -> Option<usize> {
        self.rows.get(&id).copied()
    }

    /// A row for a new terminal, which has said nothing yet.
    fn add(&mut self, register: &Register, id: UtId, t: Time) -> Option<UtId> {
        let facts = self
            .policy
            .facts(register, register.terminals().get(&id)?, &SILENT);
        self.rows.insert(id, self.ids.len());
        self.ids.push(id);
        self.claims.push(SILENT);
        self.cells.push(Policy::cell(&facts));
        self.decisions.push(self.policy.decide(&facts, t));
        self.facts.push(facts);
        Some(id)
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
            self.cells[row] = Policy::cell(&facts);
            self.facts[row] = facts;
            if core::mem::replace(&mut self.decisions[row], decision) != decision {
                changed.push(self.ids[row]);
            }
        }
        changed
    }

    /// Decides anew for the terminals in these cells.
    fn reevaluate_cells(&mut self, touched: &[Range<u32>], t: Time) -> Vec<UtId> {
        if touched.is_empty() {
            return Vec::new();
        }
        let mut within = vec![false; CELLS];
        touched
            .iter()
            .for_each(|cells| within[cells.start as usize..cells.end as usize].fill(true));
        let rows: Vec<usize> = self
            .cells
            .par_iter()
            .enumerate()
            .filter(|(_, cell)| cell.is_some_and(|cell| within[cell.get() as usize - 1]))
            .map(|(row, _)| row)
            .collect();
        let decided: Vec<Decision> = rows
            .par_iter()
            .map(|&row| self.policy.decide(&self.facts[row], t))
            .collect();
        let mut changed = Vec::new();
        for (row, now) in rows.into_iter().zip(decided) {
            if core::mem::replace(&mut self.decisions[row], now) != now {
                changed.push(self.ids[row]);
            }
        }
        changed
    }
}
