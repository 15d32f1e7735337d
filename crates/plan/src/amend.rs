//! A plan whose terminals' access has changed since it was made.

use crate::inputs::{Access, Inputs, LiveTerminal};
use crate::output::{Landing, Plan, Reason, Service, Slot};

impl Plan {
    /// The plan for the same epoch with the access of its live terminals as it is now: `live`. Beams, links and routes stay.
    ///
    /// Who may do less gets less. Who was at the account page when the plan was made and has service now gets at once what
    /// its slot's radio and its way to the ground have free, and if that is little its equal part of the slot, which others
    /// of the cell have less then. So no link carries more than it can; what a change gives beyond that comes with the next
    /// plan. For that, and only then, `inputs` says what the epoch's plan depends on now. A terminal that had no access at
    /// all when the plan was made stays without.
    ///
    /// `None` if nothing is different.
    pub fn amended(&self, live: &[LiveTerminal], inputs: impl FnOnce() -> Inputs) -> Option<Self> {
        let mut amended = None;
        let mut let_in = Vec::new();
        for (i, outcome) in self.terminals.iter().enumerate() {
            let at = live.binary_search_by_key(&outcome.terminal, |t| t.id);
            let Ok(now) = at.map(|at| &live[at]) else {
                // It has left: nothing is known of it.
                continue;
            };
            let service = match outcome.service {
                _ if now.access == Access::None => Err(Reason::Forbidden),
                Ok(service) => {
                    if service.access == Access::AccountPage && now.access > Access::AccountPage {
                        let_in.push((i, now));
                    }
                    Ok(Service {
                        down_kbps: service.down_kbps.min(now.ask_kbps),
                        up_kbps: service.up_kbps.min(now.most_up_kbps),
                        // It holds its share of what was planned for others, not theirs.
                        access: match service.access {
                            Access::Full => now.access,
                            _ => now.access.min(Access::Limited),
                        },
                        ..service
                    })
                }
                Err(reason) => Err(reason),
            };
            if service != outcome.service {
                amended.get_or_insert_with(|| self.clone()).terminals[i].service = service;
            }
        }
        if let (Some(amended), false) = (&mut amended, let_in.is_empty()) {
            let inputs = inputs();
            for (i, now) in let_in {
                amended.give(i, now, &inputs);
            }
        }
        amended
    }

    /// Gives a terminal what its ask leaves open, as far as there is something to give.
    fn give(&mut self, terminal: usize, now: &LiveTerminal, inputs: &Inputs) {
        let Ok(service) = self.terminals[terminal].service else {
            return;
        };
        let at = service.slot as usize;
        let slot = self.slots[at];
        let others = self.terminals.iter().filter_map(|t| t.service.ok());
        let others = others.filter(|s| s.slot == service.slot);
        let (down, up) = others.fold((0, 0), |(down, up), s| {
            (down + u64::from(s.down_kbps), up + u64::from(s.up_kbps))
        });
        let wanted = u64::from(now.ask_kbps.saturating_sub(service.down_kbps));
        let free = self.free_kbps(&slot, inputs).min(wanted);
        self.carry_more(at, free);
        // Its equal part of the slot, of what no live terminal has.
        let equal = u64::from(slot.delivered_kbps) / u64::from(slot.terminals.max(1));
        let has = u64::from(service.down_kbps) + free;
        let of_others = (equal.saturating_sub(has))
            .min(u64::from(slot.delivered_kbps).saturating_sub(down))
            .min(wanted - free);
        let down_kbps = has + of_others;
        // Toward the satellite everybody has the same part of the beam as toward the ground.
        let part = down_kbps * u64::from(slot.radio_up_kbps) / u64::from(slot.radio_kbps.max(1));
        let own_up = u64::from(service.up_kbps);
        let left_up = u64::from(slot.radio_up_kbps).saturating_sub(up - own_up);
        let up_kbps = part.min(now.most_up_kbps.into()).min(left_up).max(own_up);
        self.terminals[terminal].service = Ok(Service {
            down_kbps: down_kbps as u32,
            up_kbps: up_kbps as u32,
            ..service
        });
        // What it asks now, as the inputs count it.
        let cell = |c: &crate::CellOutcome| c.cell == slot.cell;
        let asks = inputs.cells.binary_search_by_key(&slot.cell, |c| c.id);
        if let (Some(outcome), Ok(c)) = (self.cells.iter_mut().find(|c| cell(c)), asks) {
            outcome.demand_kbps = inputs.cells[c].demand_kbps;
        }
    }

    /// What a slot could carry more: the least that any part of its way has free.
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
        way().unwrap_or(0).min(radio)
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

/// The lasers of a landing as [`Plan::lasers`] names them: from nearer the gateway to nearer the terminal.
fn hops(landing: &Landing) -> impl Iterator<Item = (skyweave_base::SatId, skyweave_base::SatId)> {
    landing.path.windows(2).map(|pair| (pair[1], pair[0]))
}
