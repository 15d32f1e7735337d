//! The planner: geometry, then beams and backhaul, then everybody's share, in the words of a [`Plan`].

use crate::geometry::{Geography, Memory, Scene, judge};
use crate::inputs::{Access, Inputs, LiveTerminal};
use crate::instance::Instance;
use crate::output::{
    CellOutcome, FeederLink, Landing, LaserLoad, Plan, Reason, Service, Slot, TerminalOutcome,
};
use crate::positions::Positions;
use crate::solve::{self, Kept, KeptSlot, Solution, SolvedSlot, fair_shares, solve_in};
use rayon::prelude::*;
use skyweave_base::{CellId, GatewayId, SatId};
use skyweave_radio::Verdict;
use std::collections::BTreeMap;

/// Plans an epoch. A pure function: equal inputs and equal previous plans give equal plans, on any number of threads.
///
/// `previous` is where hysteresis starts: what it assigned stays where the rules allow it and nothing is lost by it.
pub fn plan(inputs: &Inputs, previous: Option<&Plan>) -> Plan {
    Planner::default().plan(inputs, previous)
}

/// The combinatorial problem of an epoch: what [`plan`] solves, for bounds and comparisons.
pub fn instance(inputs: &Inputs) -> Instance {
    Scene::new(inputs, &Geography::of(inputs), &mut Memory::default()).instance
}

/// [`plan`] for many epochs: remembers what depends only on where the cells are, and keeps its memory. That saves time and changes
/// no plan.
#[derive(Clone, Debug, Default)]
pub struct Planner {
    geography: Geography,
    memory: Memory,
    boards: solve::Memory,
}

impl Planner {
    /// Plans an epoch as [`plan`] does.
    pub fn plan(&mut self, inputs: &Inputs, previous: Option<&Plan>) -> Plan {
        self.geography.update(inputs);
        let (scene, kept) = rayon::join(
            || Scene::new(inputs, &self.geography, &mut self.memory),
            || previous.map_or_else(Kept::default, |p| keep(inputs, p)),
        );
        let solution = solve_in(&mut self.boards, &scene.instance, &kept);
        let plan = compose(inputs, &self.geography, &scene, &solution, previous);
        self.memory.reach = scene.instance.reach;
        plan
    }
}

/// What of a previous plan still has its cell, satellite and gateway, as indices of this epoch.
fn keep(inputs: &Inputs, previous: &Plan) -> Kept {
    let positions = Positions::of(inputs.satellites.iter().map(|s| s.id));
    let satellite = |id: SatId| positions.of_id(id).map(|i| i as u32);
    let mut cells = inputs.cells.iter().map(|c| c.id).enumerate().peekable();
    let slots = previous.slots.iter().filter_map(|slot| {
        while cells.next_if(|&(_, id)| id < slot.cell).is_some() {}
        let &(cell, id) = cells.peek()?;
        (id == slot.cell && inputs.preference.keeps(id, inputs.epoch)).then_some(())?;
        Some(KeptSlot {
            cell: cell as u32,
            satellite: satellite(slot.satellite)?,
            channel: slot.channel,
            beam: slot.beam,
            slices: slot.slices,
        })
    });
    let slots = slots.collect();
    let feeders = previous.feeders.iter().filter_map(|f| {
        (f.gateway.index() < inputs.gateways.len())
            .then_some((satellite(f.satellite)?, f.gateway.0))
    });
    Kept {
        slots,
        feeders: feeders.collect(),
    }
}

fn compose(
    inputs: &Inputs,
    geography: &Geography,
    scene: &Scene,
    solution: &Solution,
    previous: Option<&Plan>,
) -> Plan {
    let id = |s: u32| inputs.satellites[s as usize].id;
    let mut slots: Vec<Slot> = solution
        .slots
        .par_iter()
        .map(|s| Slot {
            cell: inputs.cells[s.cell as usize].id,
            satellite: id(s.satellite),
            channel: s.channel,
            beam: s.beam,
            slices: s.slices,
            terminals: s.terminals,
            radio_kbps: s.radio_kbps,
            radio_up_kbps: radio_up_kbps(inputs, geography, s),
            delivered_kbps: s.delivered_kbps,
            landing: s.way,
        })
        .collect();
    let mut first_slot = Vec::with_capacity(inputs.cells.len() + 1);
    let mut next = 0;
    for c in 0..inputs.cells.len() {
        first_slot.push(next);
        next += solution.slots[next..]
            .iter()
            .take_while(|s| s.cell as usize == c)
            .count();
    }
    first_slot.push(next);
    let explanation = Explanation::new(scene, solution);
    let cells: Vec<CellOutcome> = inputs
        .cells
        .par_iter()
        .enumerate()
        .map(|(c, cell)| {
            let delivered_kbps = slots[first_slot[c]..first_slot[c + 1]]
                .iter()
                .map(|s| u64::from(s.delivered_kbps))
                .sum();
            CellOutcome {
                cell: cell.id,
                terminals: cell.terminals,
                demand_kbps: cell.demand_kbps,
                delivered_kbps,
                unserved: (delivered_kbps == 0)
                    .then(|| explanation.reason(c, first_slot[c + 1] > first_slot[c])),
            }
        })
        .collect();
    let terminals = attach(inputs, &cells, &mut slots, &first_slot);
    let landings: Vec<Landing> = solution
        .ways
        .iter()
        .map(|w| Landing {
            path: w.path.iter().map(|&s| id(s)).collect(),
            gateway: GatewayId(w.gateway),
            kbps: w.kbps,
        })
        .collect();
    let (moved_terminals, (feeders, lasers)) = rayon::join(
        || previous.map_or(0, |p| moved_terminals(p, &slots)),
        || loads(&landings),
    );
    Plan {
        epoch: inputs.epoch,
        start: inputs.epoch.start(),
        end: inputs.epoch.end(),
        satellites_in_service: inputs.satellites.len() as u32,
        moved_terminals,
        cells,
        slots,
        landings,
        feeders,
        lasers,
        terminals,
    }
}

/// What landings put on each feeder link and laser.
fn loads(landings: &[Landing]) -> (Vec<FeederLink>, Vec<LaserLoad>) {
    let mut feeders = BTreeMap::<(GatewayId, SatId), u64>::new();
    let mut lasers = BTreeMap::<(SatId, SatId), u64>::new();
    for landing in landings {
        *feeders
            .entry((landing.gateway, landing.path[landing.path.len() - 1]))
            .or_default() += landing.kbps;
        for hop in landing.path.windows(2) {
            *lasers.entry((hop[1], hop[0])).or_default() += landing.kbps;
        }
    }
    let feeders = feeders
        .into_iter()
        .map(|((gateway, satellite), kbps)| FeederLink {
            gateway,
            satellite,
            kbps,
        });
    let lasers = lasers
        .into_iter()
        .map(|((from, to), kbps)| LaserLoad { from, to, kbps });
    (feeders.collect(), lasers.collect())
}

/// What so many slices of the beam carry toward the satellite, kbit/s.
fn radio_up_kbps(inputs: &Inputs, geography: &Geography, slot: &SolvedSlot) -> u32 {
    let cell = slot.cell as usize;
    let user = &inputs.profile.user;
    let satellite = &inputs.satellites[slot.satellite as usize];
    let limit = geography.limit(cell);
    let sights = [satellite.start, satellite.end].map(|position| limit.look(position));
    let kbps = user.up.least_kbps(sights, inputs.weather.up(cell));
    let slices = u32::from(user.time_slices.max(1));
    (u64::from(kbps) * u64::from(slot.slices) / u64::from(slices)) as u32
}

/// What it takes to say why a cell gets nothing.
struct Explanation<'a> {
    scene: &'a Scene,
    solution: &'a Solution,
    /// Satellites from which lasers lead to a gateway, whatever they carry already.
    connected: Vec<bool>,
    /// Slices of each satellite in use.
    used: Vec<u32>,
}

impl<'a> Explanation<'a> {
    fn new(scene: &'a Scene, solution: &'a Solution) -> Self {
        let network = &scene.instance.network;
        let mut links = vec![Vec::new(); network.satellites];
        for &(a, b) in &network.lasers {
            links[a as usize].push(b);
            links[b as usize].push(a);
        }
        let mut connected: Vec<bool> = (0..network.satellites)
            .map(|s| !network.gateways_of.row(s).is_empty())
            .collect();
        let mut queue: Vec<u32> = (0..network.satellites as u32)
            .filter(|&s| connected[s as usize])
            .collect();
        while let Some(s) = queue.pop() {
            for &t in &links[s as usize] {
                if !core::mem::replace(&mut connected[t as usize], true) {
                    queue.push(t);
                }
            }
        }
        let mut used = vec![0; network.satellites];
        for slot in &solution.slots {
            used[slot.satellite as usize] += u32::from(slot.slices);
        }
        Self {
            scene,
            solution,
            connected,
            used,
        }
    }

    /// Why a cell gets nothing, asked in the order in which service comes to be: satellite, way to the ground, slot, backhaul.
    fn reason(&self, cell: usize, has_slot: bool) -> Reason {
        let row = self.scene.instance.reach.satellites.row(cell);
        let any = |condition: &dyn Fn(usize) -> bool| row.iter().any(|&s| condition(s as usize));
        let all = self.scene.instance.beams.slices_per_satellite();
        if row.is_empty() {
            let kept_away = self.scene.views[cell].kept_away;
            if kept_away.faded {
                Reason::Faded
            } else if kept_away.near_gso_arc {
                Reason::GsoExclusion
            } else {
                Reason::NoSatelliteInReach
            }
        } else if !any(&|s| self.connected[s]) {
            Reason::NoGatewayPath
        } else if has_slot || !any(&|s| self.solution.grounded[s]) {
            Reason::BackhaulFull
        } else if !any(&|s| self.solution.grounded[s] && self.used[s] < all) {
            Reason::NoFreeSlot
        } else {
            Reason::ChannelConflict
        }
    }
}

/// Attaches live terminals to slots of their cells and gives each its share.
fn attach(
    inputs: &Inputs,
    cells: &[CellOutcome],
    slots: &mut [Slot],
    first_slot: &[usize],
) -> Vec<TerminalOutcome> {
    let cell_of = |id: CellId| cells.binary_search_by_key(&id, |c| c.cell).ok();
    let mut live_on = BTreeMap::<usize, Vec<usize>>::new();
    let mut services: Vec<Result<usize, Reason>> = Vec::with_capacity(inputs.live.len());
    for (i, terminal) in inputs.live.iter().enumerate() {
        let service = match cell_of(terminal.cell) {
            _ if terminal.access == Access::None => Err(Reason::Forbidden),
            None => Err(Reason::NoCell),
            Some(c) => match cells[c].unserved {
                Some(reason) => Err(reason),
                None => choose_slot(
                    inputs,
                    terminal,
                    first_slot[c]..first_slot[c + 1],
                    slots,
                    &live_on,
                ),
            },
        };
        if let Ok(slot) = service {
            live_on.entry(slot).or_default().push(i);
        }
        services.push(service);
    }
    spread_others(inputs, cells, slots, first_slot, &live_on);
    let mut shares = vec![(0, 0); inputs.live.len()];
    for (&slot, live) in &live_on {
        let cell = &cells[cell_of(slots[slot].cell).expect("slots are of the plan's cells")];
        for (&i, share) in live
            .iter()
            .zip(live_shares(inputs, cell, &slots[slot], live))
        {
            shares[i] = share;
        }
    }
    let mut terminals = Vec::with_capacity(inputs.live.len());
    for ((terminal, service), (down_kbps, up_kbps)) in inputs.live.iter().zip(services).zip(shares)
    {
        let service = service.map(|slot| {
            let c = cell_of(terminal.cell).expect("served terminals have a cell");
            Service {
                slot: slot as u32,
                down_kbps,
                up_kbps,
                pop: inputs.cells[c].pop,
                access: terminal.access,
            }
        });
        terminals.push(TerminalOutcome {
            terminal: terminal.id,
            cell: terminal.cell,
            service,
        });
    }
    terminals
}

/// Spreads the other terminals of cells with live ones over the slots as far as those leave something: a live terminal may
/// ask many times what its neighbours ask.
fn spread_others(
    inputs: &Inputs,
    cells: &[CellOutcome],
    slots: &mut [Slot],
    first_slot: &[usize],
    live_on: &BTreeMap<usize, Vec<usize>>,
) {
    let mut of_cell = BTreeMap::<usize, u32>::new();
    for (&slot, live) in live_on {
        let c = first_slot.partition_point(|&first| first <= slot) - 1;
        *of_cell.entry(c).or_default() += live.len() as u32;
    }
    for (c, live_terminals) in of_cell {
        let range = first_slot[c]..first_slot[c + 1];
        let live = |i: usize| live_on.get(&i).map_or(&[][..], Vec::as_slice);
        let left = |i: usize| {
            let asked: u64 = live(i)
                .iter()
                .map(|&t| u64::from(inputs.live[t].ask_kbps))
                .sum();
            // At least something for each slot, so that nobody's share is a division by nothing.
            u64::from(slots[i].delivered_kbps).saturating_sub(asked) + 1
        };
        let others = u64::from(cells[c].terminals.saturating_sub(live_terminals));
        let weights: Vec<u64> = range.clone().map(left).collect();
        let all: u64 = weights.iter().sum();
        let mut before = 0;
        for (i, weight) in range.zip(weights) {
            let upto = |w: u64| (u128::from(others) * u128::from(w) / u128::from(all)) as u32;
            slots[i].terminals = live(i).len() as u32 + upto(before + weight) - upto(before);
            before += weight;
        }
    }
}

/// The slot of its cell that has most for one more terminal, of those whose satellite the terminal sees from where it is.
fn choose_slot(
    inputs: &Inputs,
    terminal: &LiveTerminal,
    candidates: core::ops::Range<usize>,
    slots: &[Slot],
    live_on: &BTreeMap<usize, Vec<usize>>,
) -> Result<usize, Reason> {
    let limit = inputs.profile.user.limit.at(terminal.place);
    let mut best: Option<((bool, u64), usize)> = None;
    let mut why = Reason::NoSatelliteInReach;
    for i in candidates {
        let slot = &slots[i];
        let s = inputs
            .satellites
            .binary_search_by_key(&slot.satellite, |s| s.id)
            .expect("slots have satellites in service");
        match judge(&limit, &inputs.satellites[s]) {
            Verdict::OutOfReach => continue,
            Verdict::NearGsoArc => {
                why = Reason::GsoExclusion;
                continue;
            }
            Verdict::Allowed if slot.delivered_kbps == 0 => {
                why = Reason::BackhaulFull;
                continue;
            }
            Verdict::Allowed => {}
        }
        let live = live_on.get(&i).map_or(0, Vec::len) as u32;
        // What each would have, if those already on it were alone with this one or with all the slot's terminals.
        let each = u64::from(slot.delivered_kbps) / u64::from(slot.terminals.max(live + 1));
        // Live terminals of one cell spread over its slots where those are alike. A free view comes first.
        let clear = !terminal.is_obstructed(&inputs.satellites[s]);
        let merit = (clear, each * 64 / (64 + u64::from(live)));
        if best.is_none_or(|(most, _)| merit > most) {
            best = Some((merit, i));
        }
    }
    best.map(|(_, i)| i).ok_or(why)
}

/// Shares (down, up) of the live terminals on a slot, max-min against each other and the other terminals there.
///
/// Toward the satellite everybody asks the same part of the beam as toward the ground.
fn live_shares(
    inputs: &Inputs,
    cell: &CellOutcome,
    slot: &Slot,
    live: &[usize],
) -> Vec<(u32, u32)> {
    let counted = |t: &&LiveTerminal| t.cell == cell.cell && t.access != Access::None;
    let of_cell = inputs.live.iter().filter(counted);
    let (live_terminals, live_kbps) = of_cell.fold((0_u64, 0_u64), |(n, kbps), t| {
        (n + 1, kbps + u64::from(t.ask_kbps))
    });
    let others = u64::from(slot.terminals).saturating_sub(live.len() as u64);
    let others_of_cell = u64::from(cell.terminals).saturating_sub(live_terminals);
    let others_ask = cell.demand_kbps.saturating_sub(live_kbps) * others / others_of_cell.max(1);
    let up = |kbps: u64| {
        (kbps * u64::from(slot.radio_up_kbps)).div_ceil(u64::from(slot.radio_kbps.max(1)))
    };
    let mut asks: Vec<(u64, u64)> = live
        .iter()
        .map(|&i| (1, inputs.live[i].ask_kbps.into()))
        .collect();
    asks.push((others, others_ask));
    let down = fair_shares(&asks, slot.delivered_kbps.into());
    let most_up = live.iter().map(|&i| inputs.live[i].most_up_kbps.into());
    let asks_up: Vec<(u64, u64)> = asks
        .iter()
        .zip(most_up.chain([u64::MAX]))
        .map(|(&(weight, ask), most)| (weight, up(ask).min(most)))
        .collect();
    let up = fair_shares(&asks_up, slot.radio_up_kbps.into());
    live.iter()
        .enumerate()
        .map(|(j, _)| (down[j] as u32, up[j] as u32))
        .collect()
}

/// Terminals now on satellites that their cell had no slot of in the previous plan, of cells served in both.
fn moved_terminals(previous: &Plan, slots: &[Slot]) -> u64 {
    let mut before = previous.slots.chunk_by(|a, b| a.cell == b.cell).peekable();
    let mut moved = 0;
    for now in slots.chunk_by(|a, b| a.cell == b.cell) {
        while before
            .next_if(|slots| slots[0].cell < now[0].cell)
            .is_some()
        {}
        if let Some(had) = before.peek().filter(|slots| slots[0].cell == now[0].cell) {
            moved += now
                .iter()
                .filter(|slot| !had.iter().any(|h| h.satellite == slot.satellite))
                .map(|slot| u64::from(slot.terminals))
                .sum::<u64>();
        }
    }
    moved
}
