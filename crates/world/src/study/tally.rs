//! Counting plans: sums of whole numbers, so that their order does not matter.

use super::AreaCell;
use crate::forwarding::round_trip_s;
use serde::{Deserialize, Serialize};
use skyweave_base::{EpochNumber, Utc};
use skyweave_plan::{CellOutcome, Inputs, Plan, Reason};
use std::collections::BTreeMap;

/// Steps of the distribution of rates: per cent of what is asked, 0 to 100.
pub(crate) const STEPS: usize = 101;

/// What a part of the day adds up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct DayTally {
    /// By plan, in order.
    pub(crate) epochs: Vec<EpochTally>,
    /// By cell of the area.
    pub(crate) cells: Vec<CellTally>,
    /// By gateway.
    pub(crate) gateways: Vec<GatewayTally>,
    /// By hour of the day, UTC.
    pub(crate) hours: BTreeMap<u8, HourTally>,
    /// Terminals of the region that changed satellite, ...
    pub(crate) moved_terminals: u64,
    /// ... of so many terminals of plans that had a previous one.
    pub(crate) could_move_terminals: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EpochTally {
    pub(crate) epoch: EpochNumber,
    pub(crate) cells_served: u32,
    pub(crate) terminals: u64,
    pub(crate) terminals_served: u64,
    pub(crate) demand_kbps: u64,
    pub(crate) delivered_kbps: u64,
    /// Satellites that serve the area.
    pub(crate) satellites: u32,
    /// Of the whole region: what all its cells get, and what all gateways carry.
    pub(crate) region_delivered_kbps: u64,
    pub(crate) gateways_kbps: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CellTally {
    pub(crate) terminals: u32,
    /// The most that it asks in a plan.
    pub(crate) most_demand_kbps: u64,
    pub(crate) served: u32,
    pub(crate) delivered_kbps: u64,
    /// Delivered times round trip, kbit/s · µs: a weighted mean's numerator.
    pub(crate) round_trips: u128,
    pub(crate) fastest_us: u32,
    pub(crate) slowest_us: u32,
    /// Of what is delivered, what passes at least one laser.
    pub(crate) lasers_kbps: u64,
    /// Plans without service, by reason.
    pub(crate) unserved: BTreeMap<Reason, u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct GatewayTally {
    /// Sum over the plans, all traffic, kbit/s.
    pub(crate) all_kbps: u64,
    pub(crate) most_kbps: u64,
    /// The area's: each slot counts where most of it lands.
    pub(crate) area_kbps: u64,
    /// Sum over the plans of satellites tracked.
    pub(crate) antennas_used: u64,
    /// Plans in which it carries the area's traffic and has no antenna or no rate left.
    pub(crate) full: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HourTally {
    pub(crate) plans: u32,
    pub(crate) terminals: u64,
    pub(crate) terminals_served: u64,
    pub(crate) demand_kbps: u64,
    pub(crate) delivered_kbps: u64,
    /// Terminals by the per cent of their ask that they get.
    pub(crate) rates: Vec<u64>,
}

impl Default for HourTally {
    fn default() -> Self {
        Self {
            plans: 0,
            terminals: 0,
            terminals_served: 0,
            demand_kbps: 0,
            delivered_kbps: 0,
            rates: vec![0; STEPS],
        }
    }
}

/// Calls `each` with the area's cells that a plan has, and their place in the area.
pub(crate) fn for_area(area: &[AreaCell], plan: &Plan, mut each: impl FnMut(usize, &CellOutcome)) {
    let mut cells = plan.cells.iter().peekable();
    for (i, of_area) in area.iter().enumerate() {
        while cells.next_if(|c| c.cell < of_area.id).is_some() {}
        if let Some(cell) = cells.next_if(|c| c.cell == of_area.id) {
            each(i, cell);
        }
    }
}

impl DayTally {
    pub(crate) fn new(cells: usize, gateways: usize) -> Self {
        Self {
            cells: vec![CellTally::default(); cells],
            gateways: vec![GatewayTally::default(); gateways],
            ..Self::default()
        }
    }

    /// True if it may have counted so much.
    pub(crate) fn is_of(&self, plans: usize, cells: usize, gateways: usize) -> bool {
        let hours = self.hours.values();
        self.epochs.len() == plans
            && self.cells.len() == cells
            && self.gateways.len() == gateways
            && hours.into_iter().all(|h| h.rates.len() == STEPS)
    }

    pub(crate) fn add(
        &mut self,
        area: &[AreaCell],
        inputs: &Inputs,
        plan: &Plan,
        has_previous: bool,
    ) {
        let seconds = Utc::from(plan.start).unix_nanos().div_euclid(1_000_000_000);
        let hour = (seconds.rem_euclid(86_400) / 3_600) as u8;
        let of_hour = self.hours.entry(hour).or_default();
        let mut epoch = EpochTally {
            epoch: plan.epoch,
            cells_served: 0,
            terminals: 0,
            terminals_served: 0,
            demand_kbps: 0,
            delivered_kbps: 0,
            satellites: 0,
            region_delivered_kbps: plan.cells.iter().map(|c| c.delivered_kbps).sum(),
            gateways_kbps: plan.feeders.iter().map(|f| f.kbps).sum(),
        };
        let mut satellites = Vec::new();
        let mut slots = plan.slots.as_slice();
        let mut area_kbps = vec![0_u64; inputs.gateways.len()];
        for_area(area, plan, |i, cell| {
            let tally = &mut self.cells[i];
            let terminals = u64::from(cell.terminals);
            tally.terminals = cell.terminals;
            tally.most_demand_kbps = tally.most_demand_kbps.max(cell.demand_kbps);
            tally.delivered_kbps += cell.delivered_kbps;
            epoch.terminals += terminals;
            epoch.demand_kbps += cell.demand_kbps;
            epoch.delivered_kbps += cell.delivered_kbps;
            let percent = (cell.delivered_kbps * 100)
                .checked_div(cell.demand_kbps)
                .unwrap_or(0);
            of_hour.rates[percent.min(100) as usize] += terminals;
            match cell.unserved {
                None => {
                    tally.served += 1;
                    epoch.cells_served += 1;
                    epoch.terminals_served += terminals;
                }
                Some(reason) => *tally.unserved.entry(reason).or_default() += 1,
            }
            let from = slots.partition_point(|s| s.cell < cell.cell);
            slots = &slots[from..];
            let of_cell = slots.partition_point(|s| s.cell == cell.cell);
            let index = inputs.cells.binary_search_by_key(&cell.cell, |c| c.id);
            let Ok(of_inputs) = index.map(|c| &inputs.cells[c]) else {
                return;
            };
            for slot in slots[..of_cell].iter().filter(|s| s.delivered_kbps > 0) {
                satellites.push(slot.satellite);
                let landing = &plan.landings[slot.landing as usize];
                area_kbps[landing.gateway.index()] += u64::from(slot.delivered_kbps);
                if landing.path.len() > 1 {
                    tally.lasers_kbps += u64::from(slot.delivered_kbps);
                }
                if let Some(s) = round_trip_s(inputs, of_inputs.centre, landing, of_inputs.pop) {
                    let us = (s * 1e6).round() as u32;
                    tally.round_trips += u128::from(us) * u128::from(slot.delivered_kbps);
                    tally.slowest_us = tally.slowest_us.max(us);
                    tally.fastest_us = match tally.fastest_us {
                        0 => us,
                        fastest => fastest.min(us),
                    };
                }
            }
        });
        satellites.sort_unstable();
        satellites.dedup();
        epoch.satellites = satellites.len() as u32;
        of_hour.plans += 1;
        of_hour.terminals += epoch.terminals;
        of_hour.terminals_served += epoch.terminals_served;
        of_hour.demand_kbps += epoch.demand_kbps;
        of_hour.delivered_kbps += epoch.delivered_kbps;
        if has_previous {
            let served = plan.cells.iter().filter(|c| c.unserved.is_none());
            self.could_move_terminals += served.map(|c| u64::from(c.terminals)).sum::<u64>();
            self.moved_terminals += plan.moved_terminals;
        }
        self.count_gateways(inputs, plan, &area_kbps);
        self.epochs.push(epoch);
    }

    fn count_gateways(&mut self, inputs: &Inputs, plan: &Plan, area_kbps: &[u64]) {
        for of_gateway in plan.feeders.chunk_by(|a, b| a.gateway == b.gateway) {
            let g = of_gateway[0].gateway.index();
            let (site, tally) = (&inputs.gateways[g], &mut self.gateways[g]);
            let kbps: u64 = of_gateway.iter().map(|f| f.kbps).sum();
            tally.all_kbps += kbps;
            tally.most_kbps = tally.most_kbps.max(kbps);
            tally.area_kbps += area_kbps[g];
            tally.antennas_used += of_gateway.len() as u64;
            let feeder = &inputs.profile.feeder;
            // A link over 99 % of its rate has nothing to give: what is left is less than a slot.
            let links_full = of_gateway
                .iter()
                .all(|f| f.kbps * 100 >= feeder.antenna_kbps * 99);
            let no_antenna = of_gateway.len() as u32 >= site.antennas;
            if links_full && no_antenna && area_kbps[g] > 0 {
                tally.full += 1;
            }
        }
    }

    /// Adds what follows.
    pub(crate) fn append(&mut self, next: Self) {
        if self.epochs.is_empty() {
            *self = next;
            return;
        }
        self.epochs.extend(next.epochs);
        for (sum, part) in self.cells.iter_mut().zip(next.cells) {
            sum.terminals = part.terminals;
            sum.most_demand_kbps = sum.most_demand_kbps.max(part.most_demand_kbps);
            sum.served += part.served;
            sum.delivered_kbps += part.delivered_kbps;
            sum.round_trips += part.round_trips;
            sum.slowest_us = sum.slowest_us.max(part.slowest_us);
            sum.fastest_us = match (sum.fastest_us, part.fastest_us) {
                (0, us) | (us, 0) => us,
                (a, b) => a.min(b),
            };
            sum.lasers_kbps += part.lasers_kbps;
            for (reason, plans) in part.unserved {
                *sum.unserved.entry(reason).or_default() += plans;
            }
        }
        for (sum, part) in self.gateways.iter_mut().zip(next.gateways) {
            sum.all_kbps += part.all_kbps;
            sum.most_kbps = sum.most_kbps.max(part.most_kbps);
            sum.area_kbps += part.area_kbps;
            sum.antennas_used += part.antennas_used;
            sum.full += part.full;
        }
        for (hour, part) in next.hours {
            let sum = self.hours.entry(hour).or_default();
            sum.plans += part.plans;
            sum.terminals += part.terminals;
            sum.terminals_served += part.terminals_served;
            sum.demand_kbps += part.demand_kbps;
            sum.delivered_kbps += part.delivered_kbps;
            for (a, b) in sum.rates.iter_mut().zip(part.rates) {
                *a += b;
            }
        }
        self.moved_terminals += next.moved_terminals;
        self.could_move_terminals += next.could_move_terminals;
    }
}
