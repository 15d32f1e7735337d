//! Beams and backhaul together: an [`Instance`] to a [`Solution`].
//!
//! # Algorithm
//! 1. Spread each cell's demand evenly over the satellites in its reach; choose feeder links for it and carry it to the
//!    gateways: what then fits is each satellite's budget. A satellite without any way to the ground has none.
//! 2. Keep what the previous plan had and the rules still allow.
//! 3. Give every cell a first beam, then more beams in the order of what they carry ([`Board`]).
//!    If beams turn out to be scarce, do 2 and 3 again at [`Prices`] of beams.
//! 4. Carry what the cells on each satellite now ask; budgets become what is carried and what could be in addition.
//!    Move cells from satellites over their budget to those under it. Repeat while it gains.
//! 5. Where cells are without service and antennas without traffic, point the antennas elsewhere and go back to 3.
//! 6. Carry what is asked for the last time, cut it into ways to the ground, and share each satellite's part max-min.

use crate::assign::{Board, BoardMemory, expected_need};
use crate::backhaul::{Backhaul, Way, choose_feeders, lasers_to_gateway};
use crate::csr::Csr;
use crate::halves::sides;
use crate::instance::{Instance, Reach};
use crate::prices::{Prices, rates_differ};
use core::mem::take;
use rayon::prelude::*;
use std::sync::Arc;

/// Rounds of moving cells to where there is backhaul.
const BALANCE_ROUNDS: usize = 4;
/// Moving cells for less than one part in so many of what is asked is not worth the moves.
const NEGLIGIBLE_EXCESS: u64 = 1000;

/// Where more than one part in so many of what is asked finds no beams, beams are given out by what they are worth.
const SCARCE: u64 = 100;

/// Rounds of pointing idle antennas at satellites that unserved cells see.
const POINTING_ROUNDS: usize = 12;

/// An answer to an [`Instance`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Solution {
    /// Beams at work, ascending by (cell, channel).
    pub slots: Vec<SolvedSlot>,
    /// Ways from satellites to gateways, ascending by (satellite, length, gateway).
    pub ways: Vec<Way>,
    /// Whether each satellite could reach the ground.
    pub grounded: Vec<bool>,
    /// Satellites and the gateways whose antennas track them, with traffic or without, ascending by satellite.
    pub feeders: Vec<(u32, u32)>,
}

/// A beam of a satellite that serves a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SolvedSlot {
    /// The cell.
    pub cell: u32,
    /// The satellite.
    pub satellite: u32,
    /// The channel.
    pub channel: u8,
    /// The beam on that channel.
    pub beam: u8,
    /// Time slices of the beam.
    pub slices: u8,
    /// Terminals of the cell on it.
    pub terminals: u32,
    /// What the radio could carry, kbit/s.
    pub radio_kbps: u32,
    /// What it carries, kbit/s.
    pub delivered_kbps: u32,
    /// Index into [`Solution::ways`] of the way that carries most of it.
    pub way: u32,
}

/// A slot of an earlier solution, to be kept if possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptSlot {
    /// The cell.
    pub cell: u32,
    /// The satellite.
    pub satellite: u32,
    /// The channel.
    pub channel: u8,
    /// The beam on that channel.
    pub beam: u8,
    /// Time slices of the beam.
    pub slices: u8,
}

/// What to keep of an earlier solution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Slots, ascending by (cell, channel).
    pub slots: Vec<KeptSlot>,
    /// Feeder links (satellite, gateway).
    pub feeders: Vec<(u32, u32)>,
}

/// Solves an instance, starting from what is kept of an earlier solution.
pub fn solve(instance: &Instance, kept: &Kept) -> Solution {
    solve_in(&mut Memory::default(), instance, kept)
}

/// Memory for the next instance: as much is needed each time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    board: BoardMemory,
    far: BoardMemory,
}

/// [`solve`] in the memory of earlier ones.
pub(crate) fn solve_in(memory: &mut Memory, instance: &Instance, kept: &Kept) -> Solution {
    let network = &instance.network;
    let (expected, potential) = prospects(instance);
    // What flows when each satellite is asked so much; and what each could bring from the ground while all others have that.
    let carried = |feeders: &[(u32, u32)], asked: &[u64]| {
        let mut backhaul = Backhaul::new(network, feeders);
        backhaul.carry(asked);
        backhaul
    };
    let budgets = |mut backhaul: Backhaul<'_>| {
        backhaul.carry(&potential);
        backhaul.carried()
    };
    let mut feeders = choose_feeders(network, &expected, &kept.feeders);
    let lasers = lasers_to_gateway(network, &feeders);
    let sides = sides(instance);
    let need = expected_need(instance);
    let boards = |memory: &mut Memory| {
        let (board, far) = (take(&mut memory.board), take(&mut memory.far));
        let board = || Board::new(instance, &lasers, Arc::clone(&need), board);
        let far = || Board::new(instance, &lasers, Arc::clone(&need), far);
        rayon::join(board, || sides.as_ref().map(|_| far()))
    };
    let (first_budget, (mut board, mut far)) =
        rayon::join(|| budgets(carried(&feeders, &expected)), || boards(memory));
    board.set_budget(first_budget.clone());
    board.give_out(&kept.slots, sides.as_ref().zip(far.as_mut()));
    let (unmet, all) = board.unmet();
    if rates_differ(instance) && unmet > all / SCARCE {
        memory.board = board.into_memory();
        memory.far = far.map_or_else(BoardMemory::default, Board::into_memory);
        (board, far) = boards(memory);
        board.set_prices(Prices::new(instance, &first_budget));
        board.set_budget(first_budget);
        board.give_out(&kept.slots, sides.as_ref().zip(far.as_mut()));
    }
    for round in 1.. {
        if round > 1 {
            board.serve_all();
            board.fill();
        }
        let mut slots = board.slots();
        let mut asked = loads(instance, &slots);
        let mut backhaul = carried(&feeders, &asked);
        for _ in 0..BALANCE_ROUNDS {
            let got = backhaul.carried();
            let excess: u64 = asked.iter().zip(&got).map(|(a, g)| a - g).sum();
            if excess <= asked.iter().sum::<u64>() / NEGLIGIBLE_EXCESS
                || !board.balance(budgets(backhaul.clone()))
            {
                break;
            }
            slots = board.slots();
            asked = loads(instance, &slots);
            backhaul = carried(&feeders, &asked);
        }
        if board.serve_all() {
            slots = board.slots();
            asked = loads(instance, &slots);
            backhaul = carried(&feeders, &asked);
        }
        if round < POINTING_ROUNDS
            && let Some(better) = point_idle_antennas(instance, &board, &backhaul, &feeders)
        {
            feeders = better;
            board.set_budget(budgets(carried(&feeders, &asked)));
            continue;
        }
        let ways = backhaul.ways();
        share(instance, &mut slots, &backhaul.carried(), &ways);
        let grounded = board.budget().iter().map(|&kbps| kbps > 0).collect();
        memory.board = board.into_memory();
        memory.far = far.map_or_else(BoardMemory::default, Board::into_memory);
        return Solution {
            slots,
            ways,
            grounded,
            feeders,
        };
    }
    unreachable!("the last round returns")
}

/// Feeder links in which antennas that carry nothing track satellites that cells without service see instead; none if no
/// antenna could help any of them.
fn point_idle_antennas(
    instance: &Instance,
    board: &Board<'_>,
    backhaul: &Backhaul<'_>,
    feeders: &[(u32, u32)],
) -> Option<Vec<(u32, u32)>> {
    let mut need = vec![0; instance.network.satellites];
    for cell in board.unserved() {
        for &s in instance.reach.satellites.row(cell) {
            if board.budget()[s as usize] == 0 {
                need[s as usize] += instance.cells[cell].demand_kbps;
            }
        }
    }
    let busy: Vec<(u32, u32)> = backhaul
        .feeders()
        .filter(|f| f.2 > 0)
        .map(|f| (f.0, f.1))
        .collect();
    if busy.len() == feeders.len() || need.iter().all(|&kbps| kbps == 0) {
        return None;
    }
    Some(choose_feeders(&instance.network, &need, &busy)).filter(|better| better != feeders)
}

/// For each satellite: what it would be asked if every cell asked all satellites in its reach alike, and what it could use at most,
/// with all its beams full; kbit/s.
fn prospects(instance: &Instance) -> (Vec<u64>, Vec<u64>) {
    /// Cells of one task: much more work than to join two lists of all satellites.
    const CHUNK: usize = 1 << 14;
    let Reach {
        satellites, rates, ..
    } = &instance.reach;
    let cells = instance.cells.len();
    let nothing = || vec![(0_u64, 0_u64); instance.network.satellites];
    let of_chunk = |mut found: Vec<(u64, u64)>, chunk: usize| {
        for c in chunk * CHUNK..cells.min((chunk + 1) * CHUNK) {
            let row = satellites.row(c);
            let each = instance.cells[c].demand_kbps / row.len().max(1) as u64;
            for (pair, &s) in satellites.range(c).zip(row) {
                let (asked, best) = &mut found[s as usize];
                *asked += each;
                *best = u64::from(rates.of_pair(pair)).max(*best);
            }
        }
        found
    };
    let found = (0..cells.div_ceil(CHUNK))
        .into_par_iter()
        .fold(nothing, of_chunk)
        .reduce(nothing, |mut a, b| {
            for (a, b) in a.iter_mut().zip(b) {
                *a = (a.0 + b.0, a.1.max(b.1));
            }
            a
        });
    let beams = u64::from(instance.beams.channels) * u64::from(instance.beams.beams_per_channel);
    found
        .into_iter()
        .map(|(asked, best)| (asked, beams * best))
        .unzip()
}

/// What the slots on each satellite ask, kbit/s.
fn loads(instance: &Instance, slots: &[SolvedSlot]) -> Vec<u64> {
    let nothing = || vec![0; instance.network.satellites];
    let asked = |slots: &[SolvedSlot]| {
        let mut load = nothing();
        for slot in slots {
            load[slot.satellite as usize] += asked_by(instance, slot);
        }
        load
    };
    (slots.par_chunks(1 << 16).map(asked)).reduce(nothing, |mut a: Vec<u64>, b| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        a
    })
}

/// Shares what each satellite carries among its slots, max-min by rate per terminal, and gives each slot its way.
fn share(instance: &Instance, slots: &mut [SolvedSlot], carried: &[u64], ways: &[Way]) {
    let of_slots = slots.iter().zip(0..).map(|(slot, i)| (i, slot.satellite));
    let of_satellite = Csr::pointing_at(of_slots, carried.len());
    let mut first_way = vec![0];
    for s in 0..carried.len() {
        let start = first_way[s];
        let own = ways[start..].iter().take_while(|w| w.path[0] as usize == s);
        first_way.push(start + own.count());
    }
    let shares: Vec<Vec<(u32, u32)>> = (0..carried.len())
        .into_par_iter()
        .map(|s| {
            let list: Vec<&SolvedSlot> = (of_satellite.row(s).iter())
                .map(|&i| &slots[i as usize])
                .collect();
            let asks: Vec<(u64, u64)> = list
                .iter()
                .map(|slot| (u64::from(slot.terminals), asked_by(instance, slot)))
                .collect();
            let delivered = fair_shares(&asks, carried[s]);
            let mut shares: Vec<(u32, u32)> = list
                .iter()
                .zip(&delivered)
                .map(|(slot, &kbps)| (kbps as u32, slot.way))
                .collect();
            let ways = &ways[first_way[s]..first_way[s + 1]];
            if let [_] = ways {
                shares
                    .iter_mut()
                    .for_each(|(_, way)| *way = first_way[s] as u32);
                return shares;
            }
            let mut left: Vec<u64> = ways.iter().map(|w| w.kbps).collect();
            let mut order: Vec<usize> = (0..list.len()).collect();
            order.sort_by_key(|&i| (core::cmp::Reverse(shares[i].0), i));
            for i in order {
                // The way with most left: whole slots stay on one way as far as they fit; of equal ones the shorter.
                let Some(way) = (0..left.len()).max_by_key(|&w| (left[w], core::cmp::Reverse(w)))
                else {
                    break;
                };
                left[way] = left[way].saturating_sub(shares[i].0.into());
                shares[i].1 = (first_way[s] + way) as u32;
            }
            shares
        })
        .collect();
    for (s, shares) in shares.into_iter().enumerate() {
        for (&i, (kbps, way)) in of_satellite.row(s).iter().zip(shares) {
            slots[i as usize].delivered_kbps = kbps;
            slots[i as usize].way = way;
        }
    }
}

/// What a slot's terminals ask, as far as its radio carries it, kbit/s.
fn asked_by(instance: &Instance, slot: &SolvedSlot) -> u64 {
    let ask = &instance.cells[slot.cell as usize];
    let part = ask.demand_kbps * u64::from(slot.terminals) / u64::from(ask.terminals.max(1));
    part.min(u64::from(slot.radio_kbps))
}

/// Shares `total` among (weight, ask) pairs: nobody gets more than its ask, and of those who get less each gets the same
/// for its weight, to within one unit. The shares sum to the lesser of `total` and all asks.
pub(crate) fn fair_shares(asks: &[(u64, u64)], total: u64) -> Vec<u64> {
    if asks.iter().map(|ask| ask.1).sum::<u64>() <= total {
        return asks.iter().map(|ask| ask.1).collect();
    }
    let mut shares = vec![0; asks.len()];
    let mut order: Vec<usize> = (0..asks.len()).filter(|&i| asks[i].1 > 0).collect();
    let weight = |i: usize| asks[i].0.max(1);
    // By ask per weight: who asks least is satisfied first.
    order.sort_by(|&i, &j| {
        (u128::from(asks[i].1) * u128::from(weight(j)))
            .cmp(&(u128::from(asks[j].1) * u128::from(weight(i))))
            .then(i.cmp(&j))
    });
    let mut weights: u64 = order.iter().map(|&i| weight(i)).sum();
    let mut left = total;
    for &i in &order {
        let fair = (u128::from(left) * u128::from(weight(i)) / u128::from(weights)) as u64;
        // Rounding up for the one who would get nothing: a served terminal gets at least a trickle.
        shares[i] = asks[i].1.min(fair.max(u64::from(left > 0)));
        left -= shares[i];
        weights -= weight(i);
    }
    // What rounding left over goes to those who still ask, one unit each, in order.
    for &i in &order {
        let more = left.min(asks[i].1 - shares[i]);
        shares[i] += more;
        left -= more;
    }
    shares
}
