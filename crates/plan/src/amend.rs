//! A plan whose terminals' access has changed since it was made.

use crate::inputs::{Access, Inputs, LiveTerminal};
use crate::output::{Landing, Plan, Reason, Service, Slot};
use crate::solve::fair_shares;
use std::collections::BTreeMap;

/// A plan as it is now, and what it is a plan of: [`check`](crate::check) holds the one against the other.
#[derive(Clone, Debug)]
pub struct Amended {
    /// The inputs of the plan that was made, with its live terminals as they are now. Demand only grows: what somebody asks no
    /// more stays planned for its cell.
    pub inputs: Inputs,
    /// The plan.
    pub plan: Plan,
}

impl Plan {
    /// The plan for the same epoch with the access and rates of its live terminals as they are now: `live`. `made_of` are the
    /// inputs that it was made of. Beams, links and routes stay.
    ///
    /// Who may do less gets less. Who may do more than when the plan was made gets at once what its slot's radio and its way to
    /// the ground have free, and if that is little its equal part of the slot, which others of the cell have less then. So no
    /// link carries more than it can; what a change gives beyond that comes with the next plan. A terminal that the plan
    /// does not serve stays without service.
    ///
    /// `None` if nothing is different.
    pub fn amended(&self, made_of: &Inputs, live: &[LiveTerminal]) -> Option<Amended> {
        let mut changed = Vec::new();
        for (i, outcome) in self.terminals.iter().enumerate() {
            let was = made_of
                .live
                .binary_search_by_key(&outcome.terminal, |t| t.id);
            let now = live.binary_search_by_key(&outcome.terminal, |t| t.id);
            // Of one that has left nothing is known.
            let (Ok(was), Ok(now)) = (was, now) else {
                continue;
            };
            let served = outcome.service.is_ok();
            let now = &live[now];
            if made_of.live[was] != *now && (served || now.access == Access::None) {
                changed.push((i, was, now));
            }
        }
        if changed.is_empty() {
            return None;
        }
        let mut plan = self.clone();
        let mut inputs = made_of.clone();
        let mut terminals = inputs.live.to_vec();
        let mut cells = inputs.cells.to_vec();
        let mut rise = BTreeMap::<u32, Vec<Rise>>::new();
        for (i, was, now) in changed {
            let was = core::mem::replace(&mut terminals[was], now.clone());
            let outcome = &mut plan.terminals[i];
            outcome.service = match outcome.service {
                _ if now.access == Access::None => Err(Reason::Forbidden),
                Ok(service) => Ok(Service {
                    down_kbps: service.down_kbps.min(now.ask_kbps),
                    up_kbps: service.up_kbps.min(now.most_up_kbps),
                    access: now.access,
                    ..service
                }),
                Err(reason) => Err(reason),
            };
            let Ok(service) = outcome.service else {
                continue;
            };
            if now.ask_kbps <= was.ask_kbps && now.most_up_kbps <= was.most_up_kbps {
                continue;
            }
            let on_slot = rise.entry(service.slot).or_default();
            on_slot.push(Rise {
                terminal: i,
                ask_kbps: now.ask_kbps.into(),
                most_up_kbps: now.most_up_kbps.into(),
            });
            let more = now.ask_kbps.saturating_sub(was.ask_kbps);
            if let Ok(c) = cells.binary_search_by_key(&outcome.cell, |c| c.id) {
                cells[c].demand_kbps += u64::from(more);
                let outcomes = &mut plan.cells;
                if let Ok(c) = outcomes.binary_search_by_key(&outcome.cell, |c| c.cell) {
                    outcomes[c].demand_kbps += u64::from(more);
                }
            }
        }
        (inputs.live, inputs.cells) = (terminals.into(), cells.into());
        for (slot, terminals) in rise {
            plan.give(slot as usize, &terminals, &inputs);
        }
        Some(Amended { inputs, plan })
    }

    /// Gives terminals of a slot what their asks leave open, as far as there is something to give.
    fn give(&mut self, at: usize, to: &[Rise], inputs: &Inputs) {
        let slot = self.slots[at];
        let live = self.terminals.iter().filter_map(|t| t.service.ok());
        let live = live.filter(|s| s.slot as usize == at);
        let (down, up) = live.fold((0, 0), |(down, up), s| {
            (down + u64::from(s.down_kbps), up + u64::from(s.up_kbps))
        });
        let service = |rise: &Rise| self.terminals[rise.terminal].service;
        let services: Vec<Service> = to.iter().filter_map(|r| service(r).ok()).collect();
        let has: Vec<u64> = services.iter().map(|s| s.down_kbps.into()).collect();
        let asks: Vec<u64> = to.iter().map(|rise| rise.ask_kbps).collect();
        let wanted = asks.iter().sum::<u64>() - has.iter().sum::<u64>();
        let free = self.free_kbps(&slot, inputs).min(wanted);
        self.carry_more(at, free);
        let has = raised(&has, &asks, free);
        // Its equal part of the slot, of what no live terminal has.
        let equal = u64::from(slot.delivered_kbps) / u64::from(slot.terminals.max(1));
        let upto: Vec<u64> = asks.iter().map(|&ask| ask.min(equal)).collect();
        let of_others = u64::from(slot.delivered_kbps).saturating_sub(down);
        let has = raised(&has, &upto, of_others);
        // Toward the satellite everybody has the same part of the beam as toward the ground.
        let radio_kbps = u64::from(slot.radio_kbps.max(1));
        let part = |kbps: u64| kbps * u64::from(slot.radio_up_kbps) / radio_kbps;
        let upto = to.iter().zip(&has);
        let upto: Vec<u64> = upto
            .map(|(r, &has)| part(has).min(r.most_up_kbps))
            .collect();
        let has_up: Vec<u64> = services.iter().map(|s| s.up_kbps.into()).collect();
        let left_up = u64::from(slot.radio_up_kbps).saturating_sub(up);
        let has_up = raised(&has_up, &upto, left_up);
        for (i, (rise, service)) in to.iter().zip(services).enumerate() {
            self.terminals[rise.terminal].service = Ok(Service {
                down_kbps: has[i] as u32,
                up_kbps: has_up[i] as u32,
                ..service
            });
        }
    }

    /// What a slot could carry more: the least that any part of its way has free, and what its cell still asks.
    fn free_kbps(&self, slot: &Slot, inputs: &Inputs) -> u64 {
        let way = || -> Option<u64> {
            let landing = self.landings.get(slot.landing as usize)?;
            let last = *landing.path.last()?;
            let satellite = inputs.satellites.binary_search_by_key(&last, |s| s.id);
            let satellite = &inputs.satellites[satellite.ok()?];
            let site = inputs.gateways.get(landing.gateway.index())?;
            let limits = &inputs.profile.feeder;
            let fade = inputs.weather.feeder(landing.gateway.index());
            let here = limits.limit.at(site.place);
            let [start, end] = [satellite.start, satellite.end]
                .map(|position| limits.kbps(here.look(position), fade));
            let sum = |of: &dyn Fn(&crate::FeederLink) -> bool| -> u64 {
                let feeders = self.feeders.iter().filter(|f| of(f));
                feeders.map(|f| f.kbps).sum()
            };
            let own = sum(&|f| (f.gateway, f.satellite) == (landing.gateway, last));
            let of_site = sum(&|f| f.gateway == landing.gateway);
            let of_satellite = sum(&|f| f.satellite == last);
            let most_of_site = u64::from(site.antennas).saturating_mul(limits.antenna_kbps);
            let mut free = (start.min(end).saturating_sub(own))
                .min(most_of_site.saturating_sub(of_site))
                .min(limits.satellite_kbps.saturating_sub(of_satellite));
            for (from, to) in hops(landing) {
                let loads = self.lasers.iter();
                let load = loads.filter(|l| (l.from, l.to) == (from, to));
                let load: u64 = load.map(|l| l.kbps).sum();
                free = free.min(inputs.profile.laser.kbps.saturating_sub(load));
            }
            Some(free)
        };
        let radio = u64::from(slot.radio_kbps.saturating_sub(slot.delivered_kbps));
        let cell = self.cells.binary_search_by_key(&slot.cell, |c| c.cell);
        let cell = cell.map(|c| &self.cells[c]);
        let asked = cell.map_or(0, |c| c.demand_kbps.saturating_sub(c.delivered_kbps));
        way().unwrap_or(0).min(radio).min(asked)
    }

    /// Lets a slot and all of its way carry so much more.
    fn carry_more(&mut self, slot: usize, kbps: u64) {
        if kbps == 0 {
            return;
        }
        let slot = &mut self.slots[slot];
        slot.delivered_kbps += kbps as u32;
        if let Some(cell) = self.cells.iter_mut().find(|c| c.cell == slot.cell) {
            cell.delivered_kbps += kbps;
        }
        let landing = &mut self.landings[slot.landing as usize];
        landing.kbps += kbps;
        let last = landing.path.last();
        let own =
            |f: &&mut crate::FeederLink| (f.gateway, Some(&f.satellite)) == (landing.gateway, last);
        if let Some(feeder) = self.feeders.iter_mut().find(own) {
            feeder.kbps += kbps;
        }
        for hop in hops(landing) {
            if let Some(laser) = self.lasers.iter_mut().find(|l| (l.from, l.to) == hop) {
                laser.kbps += kbps;
            }
        }
    }
}

/// A terminal that may have more than was planned for it.
struct Rise {
    /// Its index in [`Plan::terminals`].
    terminal: usize,
    ask_kbps: u64,
    most_up_kbps: u64,
}

/// What each has with a fair part of `total` more, and none more than `upto` by it.
fn raised(has: &[u64], upto: &[u64], total: u64) -> Vec<u64> {
    let open = upto
        .iter()
        .zip(has)
        .map(|(&upto, &has)| (1, upto.saturating_sub(has)));
    let more = fair_shares(&open.collect::<Vec<_>>(), total);
    has.iter().zip(more).map(|(has, more)| has + more).collect()
}

/// The lasers of a landing as [`Plan::lasers`] names them: from nearer the gateway to nearer the terminal.
fn hops(landing: &Landing) -> impl Iterator<Item = (skyweave_base::SatId, skyweave_base::SatId)> {
    landing.path.windows(2).map(|pair| (pair[1], pair[0]))
}
