//! Beams to cells: who is served by which beam of which satellite on which channel, for how many time slices.
//!
//! [`Board`] holds an assignment that breaks no rule at any moment: a cell has a channel at most once, a beam has no more
//! slices than it has, and two neighbouring cells on one channel of one satellite share a beam (in turn, so they do not
//! disturb each other) or do not exist. Everything here is sequential, in order of index: the result is a function of
//! the instance alone. Knows backhaul only as one number per satellite, its budget.
//!
//! Augmenting paths after Kuhn (Naval Research Logistics Quarterly 2, 1955): a cell without a beam displaces another,
//! which displaces another, until one finds a free place. Giving cells their beams in the order of what a further
//! beam is worth, and never taking one away, is then the greedy algorithm of a transversal matroid (Edmonds and
//! Fulkerson, 1965), which is optimal without the neighbour rule and without backhaul.

use crate::halves::Side;
use crate::instance::{CellAsk, Instance};
use crate::prices::Prices;
use crate::solve::{KeptSlot, SolvedSlot};
use rayon::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;

/// No satellite, no slot.
const NONE: u32 = u32::MAX;

/// Pairs of a cell and a satellite that the searches for further beams may look at: so many, and all so many times. National
/// instances end well within; for the world this bounds a tail of ever rarer finds. To serve a cell at all is worth more.
const SEARCH_WORK_BASE: i64 = 40_000_000;
const SEARCH_WORK_PASSES: i64 = 3;
const SERVE_WORK: i64 = 4;
/// How much fuller a satellite that a gateway feeds may be than one whose traffic takes lasers, and still be taken: for the
/// first laser of the way and for each further one. Short ways are short delays, and leave lasers to those who need them.
const FIRST_LASER_WEIGHT: f32 = 0.4;
const FURTHER_LASER_WEIGHT: f32 = 0.1;
/// Lasers beyond this many weigh no more.
const MOST_LASERS_WEIGHED: u8 = 6;

/// Slots looked at in one search for an augmenting path in any order: what the shortest paths left over. With sixteen times as many the
/// plans of the national instances and of the countries of docs/planner.md carry the same, Nigeria in overload 0.1 % less than with these.
const SEARCH_LIMIT: usize = 64;

/// A cell is moved for backhaul's sake only if that brings at least one part in so many of what it asks.
const LEAST_GAIN: u64 = 8;

/// Pairs of slots looked at in one round of exchanges.
const EXCHANGE_LIMIT: u64 = 1_000_000;

/// Beams are given first to cells for which one more is worth at least so many eighths of what it can bring, then to all.
const FILL_STAGES: [u64; 2] = [4, 0];

/// Where beams have a price, those are given first that cost the least part of what they bring; beyond 1 others do more with them.
/// Where the least is beyond the first of these, a cell gets a single slice before others get their share.
const TOLL_STAGES: [f32; 4] = [0.95, 1.0, 1.05, f32::INFINITY];
/// What the other reasons for a satellite weigh against its toll.
const BESIDE_TOLL: f32 = 0.01;
/// A slot of the previous plan is given up for another satellite if its toll is so much more than the least.
const TOLL_OF_STAYING: f32 = 0.1;

/// So many slots of a satellite tell to which others it could pass a cell: they are all over its footprint, and what few of them do
/// not show the others hardly do.
const TELLING_SLOTS: usize = 64;

/// A question to each cell takes nanoseconds: so many make a task worth giving to another thread.
const CELLS_OF_TASK: usize = 1 << 14;

/// Where there are many cells, phases of a search for further beams go on as long as one finds a beam for one cell in so many. A cell's
/// first beam is sought to the end.
const CELLS_PER_FIND: usize = 100_000;

/// Phases of shortest paths that may all turn out to be forbidden before longer ones are tried.
const BLOCKED_PHASES: u32 = 1;

/// A beam's service of a cell: the slot's number is `cell * channels + channel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Satellite, [`NONE`] if the slot is not assigned.
    satellite: u32,
    /// Which of those in the cell's reach the satellite is.
    nth: u16,
    /// Which of its beams on the channel.
    beam: u8,
    /// Time slices of the beam.
    slices: u8,
}

const UNASSIGNED: Place = Place {
    satellite: NONE,
    nth: 0,
    beam: 0,
    slices: 0,
};

/// Where a cell could go on a satellite.
#[derive(Clone, Copy, Debug)]
struct Spot {
    channel: u8,
    beam: u8,
    slices: u8,
}

/// What a search for room may do at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Only take what is free.
    FreeRoom,
    /// Also take from a cell that keeps something.
    Surplus,
}

/// In which order a search looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Only to satellites that are one move nearer to room, as last measured.
    Shortest,
    /// Wherever the rules allow.
    Any,
}

/// What came of looking for room for a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expansion {
    /// A path, which was carried out.
    Found,
    /// Further steps, before the satellite at this place of the cell's list was looked at.
    UpTo(usize),
    /// All there was to be found.
    Whole,
}

/// A step of a search: the cell of `parent` goes to (`satellite`, `channel`) and displaces `slot`.
#[derive(Clone, Copy, Debug)]
struct Step {
    slot: u32,
    parent: u32,
    satellite: u32,
    channel: u8,
}

/// An assignment that keeps the rules.
pub(crate) struct Board<'a> {
    instance: &'a Instance,
    channels: usize,
    beams: usize,
    slices: usize,
    /// By slot.
    places: Vec<Place>,
    /// Channels that each cell has, as bits.
    taken: Vec<u32>,
    /// Slices that each cell has.
    got: Vec<u32>,
    /// Free slices of each beam; a beam's number is `(satellite * channels + channel) * beams + beam`.
    room: Vec<u8>,
    /// Slots of each beam, `slices` entries for each; and the slices of each, beside them: searches ask for little else.
    holders: Vec<u32>,
    held: Vec<u8>,
    /// Channels of each satellite on which some beam has room, as bits.
    open: Vec<u32>,
    /// Slices of each satellite in use.
    used: Vec<u32>,
    /// What the radio brings each cell, kbit/s.
    radio: Vec<u64>,
    /// What part of the radio each cell needs: with the slices it asks while beams are given out, then with those it has.
    need: Arc<[f64]>,
    /// What the cells on each satellite ask, kbit/s.
    load: Vec<u64>,
    /// What each satellite can bring from the ground, kbit/s. One with nothing is not used.
    budget: Vec<u64>,
    /// How full each satellite is: the greater of the shares of its slices and its budget.
    pressure: Vec<f32>,
    /// What each satellite's distance from a gateway weighs against pressure.
    detour: Vec<f32>,
    /// What beams are worth, where they are scarce.
    prices: Option<Prices>,
    /// Beams that cost more than this part of what they bring are not given now.
    most_toll: f32,
    turn: Turn,
    scratch: Scratch,
}

/// Which cells are served. The others are as if they asked nothing.
enum Turn {
    All,
    /// Those of one side; what cells of others have stays where it is.
    Of(Arc<[Side]>, Side),
    /// Those that some of these satellites may serve.
    Beside(Vec<bool>),
}

/// The largest lists of a [`Board`], to be used again.
#[derive(Clone, Debug, Default)]
pub(crate) struct BoardMemory {
    places: Vec<Place>,
    taken: Vec<u32>,
    got: Vec<u32>,
    radio: Vec<u64>,
    holders: Vec<u32>,
    held: Vec<u8>,
}

/// Reused by searches; carries nothing from one to the next except `visited`.
struct Scratch {
    /// Channels of each satellite that a neighbour of the cell at hand has, as bits; zero for all others.
    near: Vec<u32>,
    near_touched: Vec<u32>,
    /// Slots from which no free room can be reached: those of searches that failed (as Hungarian trees, they stay
    /// useless until something else is freed) and those of the search at hand.
    visited: Marks,
    /// Slots of cells whose turn it is not.
    fixed: Marks,
    /// Channels of each satellite whose slots have all been visited, as bits; and which the search at hand added.
    spent: Vec<u32>,
    spent_now: Vec<(u32, u8)>,
    steps: Vec<Step>,
    /// Satellites from which no way to room was found, until [`Board::forget_failures`].
    hopeless: Vec<bool>,
    /// To whom each satellite could pass a cell, as last looked at.
    passes: Vec<Passes>,
    /// How many moves each satellite is away from one with room, as last measured.
    moves: Vec<u32>,
    /// Pairs of a cell and a satellite that searches may still look at.
    work: i64,
}

/// A set of slots, as bits: small enough to stay near the processor.
struct Marks(Vec<u64>);

impl Marks {
    fn none(slots: usize) -> Self {
        Self(vec![0; slots.div_ceil(64)])
    }

    fn has(&self, slot: u32) -> bool {
        self.0[slot as usize / 64] >> (slot % 64) & 1 == 1
    }

    fn set(&mut self, slot: u32) {
        self.0[slot as usize / 64] |= 1 << (slot % 64);
    }

    fn unset(&mut self, slot: u32) {
        self.0[slot as usize / 64] &= !(1 << (slot % 64));
    }

    fn clear(&mut self) {
        self.0.fill(0);
    }

    fn copy_from(&mut self, other: &Self) {
        self.0.copy_from_slice(&other.0);
    }
}

/// The satellites that cells of one satellite could go to instead.
#[derive(Clone, Debug)]
struct Passes {
    to: Vec<u32>,
    /// Whether the satellite's slots have changed since.
    is_stale: bool,
}

impl<'a> Board<'a> {
    /// `lasers_to_gateway`: over how many lasers each satellite has a gateway, at least. Until [`Board::set_budget`] none brings
    /// anything.
    pub(crate) fn new(
        instance: &'a Instance,
        lasers_to_gateway: &[u8],
        need: Arc<[f64]>,
        memory: BoardMemory,
    ) -> Self {
        fn filled<T: Clone>(mut list: Vec<T>, value: T, count: usize) -> Vec<T> {
            list.clear();
            list.resize(count, value);
            list
        }
        let beams = instance.beams;
        let (channels, per_channel, slices) = (
            beams.channels.into(),
            beams.beams_per_channel.into(),
            beams.time_slices.into(),
        );
        let satellites = instance.network.satellites;
        let cells = instance.cells.len();
        let all_beams = satellites * channels * per_channel;
        Self {
            instance,
            channels,
            beams: per_channel,
            slices,
            places: filled(memory.places, UNASSIGNED, cells * channels),
            taken: filled(memory.taken, 0, cells),
            got: filled(memory.got, 0, cells),
            room: vec![beams.time_slices; all_beams],
            holders: filled(memory.holders, NONE, all_beams * slices),
            held: filled(memory.held, 0, all_beams * slices),
            open: vec![all_channels(channels); satellites],
            used: vec![0; satellites],
            radio: filled(memory.radio, 0, cells),
            need,
            load: vec![0; satellites],
            budget: vec![0; satellites],
            pressure: vec![0.0; satellites],
            detour: lasers_to_gateway.iter().map(|&n| detour(n)).collect(),
            prices: None,
            most_toll: f32::INFINITY,
            turn: Turn::All,
            scratch: Scratch {
                near: vec![0; satellites],
                near_touched: Vec::new(),
                visited: Marks::none(cells * channels),
                fixed: Marks::none(cells * channels),
                spent: vec![0; satellites],
                spent_now: Vec::new(),
                steps: Vec::new(),
                hopeless: vec![false; satellites],
                passes: vec![
                    Passes {
                        to: Vec::new(),
                        is_stale: true
                    };
                    satellites
                ],
                moves: vec![NONE; satellites],
                work: 0,
            },
        }
    }

    /// Its memory, for a board of the next epoch.
    pub(crate) fn into_memory(self) -> BoardMemory {
        BoardMemory {
            places: self.places,
            taken: self.taken,
            got: self.got,
            radio: self.radio,
            holders: self.holders,
            held: self.held,
        }
    }

    /// What each satellite can bring from the ground, kbit/s, as last told.
    pub(crate) fn budget(&self) -> &[u64] {
        &self.budget
    }

    /// Tells what each satellite can bring.
    pub(crate) fn set_budget(&mut self, budget: Vec<u64>) {
        self.budget = budget;
        (0..self.budget.len()).for_each(|s| self.update_pressure(s));
    }

    /// Tells what beams are worth.
    pub(crate) fn set_prices(&mut self, prices: Prices) {
        self.prices = Some(prices);
    }

    /// Whether the cell is one of those to be served now.
    fn has_turn(&self, cell: usize) -> bool {
        match &self.turn {
            Turn::All => true,
            Turn::Of(sides, side) => sides[cell] == *side,
            Turn::Beside(satellites) => {
                let row = self.instance.reach.satellites.row(cell);
                row.iter().any(|&s| satellites[s as usize])
            }
        }
    }

    /// Those in reach of cells between the sides.
    fn satellites_between(&self, sides: &[Side]) -> Vec<bool> {
        let mut between = vec![false; self.open.len()];
        for cell in (0..sides.len()).filter(|&c| sides[c] == Side::Between) {
            for &s in self.instance.reach.satellites.row(cell) {
                between[s as usize] = true;
            }
        }
        between
    }

    /// From now on serves the cells of one side, and moves no others.
    fn serve_side(&mut self, sides: &Arc<[Side]>, side: Side) {
        self.turn = Turn::Of(Arc::clone(sides), side);
        // Those of the other side have nothing in common with it.
        for cell in (0..sides.len()).filter(|&c| sides[c] == Side::Between) {
            let first = cell * self.channels;
            for slot in first..first + self.channels {
                self.scratch.fixed.set(slot as u32);
            }
        }
    }

    /// Keeps what the rules still allow of an earlier plan, gives every cell that can have one a beam, and then further ones. Where the
    /// world has two sides, `far` is an empty board that serves the far one at the same time.
    pub(crate) fn give_out(
        &mut self,
        kept: &[KeptSlot],
        halves: Option<(&Arc<[Side]>, &mut Self)>,
    ) {
        let Some((sides, far)) = halves else {
            return self.keep_and_give(kept);
        };
        far.set_budget(self.budget.clone());
        far.prices = self.prices.clone();
        self.turn = Turn::Of(Arc::clone(sides), Side::Between);
        self.keep_all(kept);
        far.take_over(self, sides, Side::Between);
        rayon::join(
            || {
                self.serve_side(sides, Side::Near);
                self.keep_and_give(kept);
            },
            || {
                far.serve_side(sides, Side::Far);
                far.keep_and_give(kept);
            },
        );
        self.take_over(far, sides, Side::Far);
        // Those that waited, and those for whom they were in the way; others would search in vain again.
        self.turn = Turn::Beside(self.satellites_between(sides));
        self.scratch.fixed.clear();
        self.serve_all();
        self.fill();
        self.turn = Turn::All;
    }

    fn keep_and_give(&mut self, kept: &[KeptSlot]) {
        self.keep_all(kept);
        self.serve_all();
        self.fill();
    }

    fn keep_all(&mut self, kept: &[KeptSlot]) {
        for slot in kept {
            if self.has_turn(slot.cell as usize) {
                self.keep(slot);
            }
        }
    }

    /// Has what another board has given to the cells of a side, and all that it knows of satellites of the far side.
    fn take_over(&mut self, other: &mut Self, sides: &[Side], side: Side) {
        fn copy<T: Copy + Send + Sync>(
            to: &mut [T],
            from: &[T],
            width: usize,
            is_taken: impl Fn(usize) -> bool + Sync,
        ) {
            let rows = to.par_chunks_mut(width).zip(from.par_chunks(width));
            rows.enumerate()
                .with_min_len(1 << 12)
                .for_each(|(row, (to, from))| {
                    if is_taken(row) {
                        to.copy_from_slice(from);
                    }
                });
        }
        let of_side = |cell: usize| sides[cell] == side;
        copy(&mut self.places, &other.places, self.channels, of_side);
        copy(&mut self.taken, &other.taken, 1, of_side);
        copy(&mut self.got, &other.got, 1, of_side);
        copy(&mut self.radio, &other.radio, 1, of_side);
        let far = &self.instance.reach.far;
        let is_far = |satellite: usize| far[satellite];
        let beams = self.channels * self.beams;
        copy(&mut self.room, &other.room, beams, is_far);
        copy(
            &mut self.holders,
            &other.holders,
            beams * self.slices,
            is_far,
        );
        copy(&mut self.held, &other.held, beams * self.slices, is_far);
        copy(&mut self.open, &other.open, 1, is_far);
        copy(&mut self.used, &other.used, 1, is_far);
        copy(&mut self.load, &other.load, 1, is_far);
        copy(&mut self.pressure, &other.pressure, 1, is_far);
        let passes = self
            .scratch
            .passes
            .iter_mut()
            .zip(&mut other.scratch.passes);
        for (_, (own, other)) in passes.enumerate().filter(|&(s, _)| is_far(s)) {
            core::mem::swap(own, other);
        }
    }

    /// What cells ask that the best of all beams that they may have would bring and theirs do not; and all that they ask,
    /// kbit/s.
    pub(crate) fn unmet(&self) -> (u64, u64) {
        let of_cell = |c: usize| {
            let demand = self.instance.cells[c].demand_kbps;
            if demand <= self.radio[c] {
                return (0, demand);
            }
            let open = self.pairs(c).filter(|&(_, &s)| self.budget[s as usize] > 0);
            let rates = open.map(|(i, _)| self.instance.reach.rates.of_pair(i));
            let best = u64::from(rates.max().unwrap_or(0));
            let most = best * u64::from(self.most_slices(c)) / self.slices as u64;
            (demand.min(most).saturating_sub(self.radio[c]), demand)
        };
        let cells = (0..self.got.len())
            .into_par_iter()
            .with_min_len(CELLS_OF_TASK)
            .map(of_cell);
        cells.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    }

    /// What part of what a beam of a pair brings it costs, where beams have a price.
    fn toll(&self, cell: usize, pair: usize, satellite: u32) -> Option<f32> {
        let prices = self.prices.as_ref()?;
        let rate = self.instance.reach.rates.of_pair(pair);
        Some(prices.toll(cell, satellite, rate))
    }

    /// Whether the cell may have a beam of a pair now, for what it costs.
    fn affords(&self, cell: usize, pair: usize, satellite: u32) -> bool {
        self.most_toll == f32::INFINITY
            || (self.toll(cell, pair, satellite)).is_none_or(|toll| toll <= self.most_toll)
    }

    /// Whether staying costs the cell little more than the cheapest satellite that brings anything.
    fn may_stay(&self, cell: usize, pair: usize, satellite: u32) -> bool {
        let Some(toll) = self.toll(cell, pair, satellite) else {
            return true;
        };
        let others = self
            .pairs(cell)
            .filter(|&(_, &s)| self.budget[s as usize] > 0);
        let least = others.filter_map(|(i, &s)| self.toll(cell, i, s));
        toll <= least.fold(f32::INFINITY, f32::min) + TOLL_OF_STAYING
    }

    /// Cells that ask something, see a satellite and have no slot.
    pub(crate) fn unserved(&self) -> impl Iterator<Item = usize> + '_ {
        let asks = |c: usize| {
            self.instance.cells[c].slices > 0 && !self.instance.reach.satellites.range(c).is_empty()
        };
        (0..self.got.len()).filter(move |&c| self.got[c] == 0 && asks(c))
    }

    /// Keeps a slot of an earlier plan if the rules and the cell's ask still allow it.
    pub(crate) fn keep(&mut self, slot: &KeptSlot) {
        let (cell, s, k) = (
            slot.cell as usize,
            slot.satellite as usize,
            usize::from(slot.channel),
        );
        // The cell may need less than before: it keeps what it would ask for.
        let wanted = if self.got[cell] == 0 {
            self.slices as u8
        } else {
            self.wish(cell).map_or(0, |(_, want)| want)
        };
        let slices = slot.slices.min(wanted);
        if slices == 0
            || k >= self.channels
            || usize::from(slot.beam) >= self.beams
            || self.taken[cell] >> k & 1 == 1
            || self.budget[s] == 0
            || self.room[self.beam(s, k, slot.beam)] < slices
        {
            return;
        }
        let Some(pair) = self.pair(cell, slot.satellite) else {
            return;
        };
        if !self.may_stay(cell, pair, slot.satellite) {
            return;
        }
        if self.neighbours_on(cell, slot.satellite, k).fits(slot.beam) {
            let spot = Spot {
                channel: slot.channel,
                beam: slot.beam,
                slices,
            };
            self.place_pair(cell, pair, slot.satellite, spot);
        }
    }

    /// Gives every cell that can have one a first beam. True if anything changed.
    pub(crate) fn serve_all(&mut self) -> bool {
        // Cells with few satellites choose first. Within a class the order of cells is kept: H3 indices of neighbours are
        // mostly close, so that neighbours meet in the same beams and share them.
        let mut order: Vec<(u8, u32)> = (0..self.got.len())
            .into_par_iter()
            .with_min_len(CELLS_OF_TASK)
            .filter(|&c| self.got[c] == 0 && self.instance.cells[c].slices > 0 && self.has_turn(c))
            .map(|c| {
                let choices = self.instance.reach.satellites.range(c).len();
                (
                    match choices {
                        0..4 => 0,
                        4..8 => 1,
                        8..16 => 2,
                        _ => 3,
                    },
                    c as u32,
                )
            })
            .collect();
        order.sort_unstable();
        let without = order.len();
        let left: Vec<u32> = order
            .into_iter()
            .map(|(_, c)| c)
            .filter(|&c| {
                let want = self.first_wish(c as usize);
                self.most_toll = TOLL_STAGES[0];
                let taken = self.take_best(c as usize, want);
                self.most_toll = f32::INFINITY;
                !taken && !self.take_best(c as usize, 1)
            })
            .collect();
        self.forget_failures();
        self.scratch.work = self.work_limit() * SERVE_WORK;
        self.augment_all(left, Ending::Surplus).len() < without
    }

    /// Gives cells the further beams that they ask, those first that carry most, until none can be given.
    pub(crate) fn fill(&mut self) {
        self.scratch.work = self.work_limit();
        let tolls = match self.prices {
            Some(_) => &TOLL_STAGES[..],
            None => &[f32::INFINITY],
        };
        let stages = tolls
            .iter()
            .flat_map(|&toll| FILL_STAGES.map(|least| (toll, least)));
        for (most_toll, least_worth) in stages {
            self.most_toll = most_toll;
            self.forget_failures();
            let mut lacking: Vec<u32> = (0..self.got.len() as u32)
                .into_par_iter()
                .with_min_len(CELLS_OF_TASK)
                .filter(|&c| {
                    self.got[c as usize] > 0
                        && self.wishes(c, least_worth)
                        && self.has_turn(c as usize)
                })
                .collect();
            while !lacking.is_empty() {
                let mut stuck = self.fill_free_places(lacking, least_worth);
                stuck.sort_by_cached_key(|&c| {
                    (
                        core::cmp::Reverse(self.wish(c as usize)),
                        self.got[c as usize],
                        c,
                    )
                });
                if stuck.len() < self.least_finds() {
                    break;
                }
                let failed = self.augment_all(stuck.clone(), Ending::FreeRoom);
                stuck.retain(|c| failed.binary_search(c).is_err() && self.wishes(*c, least_worth));
                lacking = stuck;
            }
        }
    }

    /// Gives cells beams from what is free, in turn; returns those that still lack some.
    fn fill_free_places(&mut self, mut lacking: Vec<u32>, least_worth: u64) -> Vec<u32> {
        let mut stuck = Vec::new();
        while !lacking.is_empty() {
            lacking.sort_by_cached_key(|&c| {
                (
                    core::cmp::Reverse(self.wish(c as usize).map(|w| w.0)),
                    self.got[c as usize],
                    c,
                )
            });
            let best = self.wish(lacking[0] as usize).map(|w| w.0);
            let mut next = Vec::new();
            for c in lacking {
                match self.wish(c as usize) {
                    Some((worth, want)) if Some(worth) == best => {
                        let cell = c as usize;
                        if !(self.grow(cell, want)
                            || self.take_best(cell, want)
                            || self.take_best(cell, 1))
                        {
                            stuck.push(c);
                        } else if self.wishes(c, least_worth) {
                            next.push(c);
                        }
                    }
                    _ => next.push(c),
                }
            }
            lacking = next;
        }
        stuck
    }

    fn wishes(&self, c: u32, least_worth: u64) -> bool {
        self.wish(c as usize)
            .is_some_and(|(worth, _)| worth >= least_worth)
    }

    /// Bounds the time of searches as a part of the time that it takes to look at everything.
    fn work_limit(&self) -> i64 {
        SEARCH_WORK_BASE + SEARCH_WORK_PASSES * self.instance.reach.satellites.count() as i64
    }

    /// How many slices a cell wants of its first beam: what it asks, as far as a beam goes; where beams have a price, only those
    /// that it fills.
    fn first_wish(&self, c: usize) -> u8 {
        let ask = &self.instance.cells[c];
        let slices = match self.prices {
            Some(_) => (ask.demand_kbps / typical_slice_kbps(self.instance, c).max(1)).max(1),
            None => ask.slices.into(),
        };
        slices.min(ask.slices.into()).min(self.slices as u64) as u8
    }

    /// How much a cell's next slices are worth, in eighths of what a beam brings, and how many of one beam it wants; nothing
    /// if it has what it asks and that carries its demand.
    fn wish(&self, c: usize) -> Option<(u64, u8)> {
        let ask = &self.instance.cells[c];
        let unmet = ask.demand_kbps.saturating_sub(self.radio[c]);
        if unmet == 0 && ask.slices <= self.got[c] {
            return None;
        }
        let slice_kbps = (self.radio[c] / u64::from(self.got[c].max(1))).max(1);
        let missing = if self.most_toll < f32::INFINITY {
            // What a slice brings that is not filled may be less than what it costs.
            unmet / slice_kbps
        } else {
            u64::from(ask.slices.saturating_sub(self.got[c])).max(unmet.div_ceil(slice_kbps))
        };
        let missing = missing.min(u64::from(self.most_slices(c).saturating_sub(self.got[c])));
        let want = missing.min(self.slices as u64) as u8;
        let worth = unmet.min(slice_kbps * u64::from(want)) * 8 / (slice_kbps * self.slices as u64);
        (want > 0).then_some((worth, want))
    }

    /// Slices of all channels, or of as many as the cell has terminals.
    fn most_slices(&self, c: usize) -> u32 {
        let terminals = self.instance.cells[c].terminals;
        self.instance.beams.most_of_cell(terminals) * self.slices as u32
    }

    /// All slots, ascending by (cell, channel), with the cells' terminals spread over them as their radio is.
    pub(crate) fn slots(&self) -> Vec<SolvedSlot> {
        /// Cells of one task.
        const CHUNK: usize = 1 << 13;
        let count = |taken: &[u32]| taken.iter().map(|t| t.count_ones() as usize).sum();
        let counts: Vec<usize> = self.taken.par_chunks(CHUNK).map(count).collect();
        let mut slots = vec![SolvedSlot::default(); counts.iter().sum()];
        let mut rest = slots.as_mut_slice();
        let parts: Vec<&mut [SolvedSlot]> = (counts.into_iter())
            .map(|count| rest.split_off_mut(..count).expect("room for all"))
            .collect();
        let of_cells = |(chunk, part): (usize, &mut [SolvedSlot])| {
            let cells = chunk * CHUNK..self.taken.len().min((chunk + 1) * CHUNK);
            let all = cells.flat_map(|c| self.slots_of(c));
            part.iter_mut()
                .zip(all)
                .for_each(|(place, slot)| *place = slot);
        };
        parts.into_par_iter().enumerate().for_each(of_cells);
        slots
    }

    fn slots_of(&self, c: usize) -> impl Iterator<Item = SolvedSlot> + '_ {
        let ask = &self.instance.cells[c];
        let radio = self.radio[c].max(1);
        let upto = move |kbps: u64| match u64::from(ask.terminals).checked_mul(kbps) {
            Some(product) => (product / radio) as u32,
            None => (u128::from(ask.terminals) * u128::from(kbps) / u128::from(radio)) as u32,
        };
        let (mut kbps, mut terminals) = (0, 0);
        bits(self.taken[c]).map(move |k| {
            let place = self.places[c * self.channels + k];
            let radio_kbps = self.radio_of_pair(self.pair_of(c, place), place.slices);
            kbps += radio_kbps;
            let before = core::mem::replace(&mut terminals, upto(kbps));
            SolvedSlot {
                cell: c as u32,
                satellite: place.satellite,
                channel: k as u8,
                beam: place.beam,
                slices: place.slices,
                terminals: terminals - before,
                radio_kbps: radio_kbps as u32,
                delivered_kbps: 0,
                way: 0,
            }
        })
    }

    /// Moves cells so that what satellites can bring is used: `budget` is what each could carry at once with all others.
    /// True if anything moved.
    ///
    /// # Algorithm
    /// 1. A cell that has only satellites which bring nothing is given another, if need be from a cell with more.
    /// 2. A slot of a satellite over its budget goes to a free place of one under it.
    /// 3. Where there is no free place, a slot of a satellite over its budget changes places with one that asks less, on
    ///    the same channel of a satellite under it.
    pub(crate) fn balance(&mut self, budget: Vec<u64>) -> bool {
        self.set_budget(budget);
        let mut moved = self.rehome();
        self.need = (0..self.taken.len())
            .into_par_iter()
            .map(|c| needed_part(&self.instance.cells[c], self.radio[c]))
            .collect::<Vec<_>>()
            .into();
        let asked = |slot: usize| {
            let place = self.places[slot];
            let cell = slot / self.channels;
            self.asked_of_pair(cell, self.pair_of(cell, place), place.slices)
        };
        self.load = (0..self.load.len())
            .into_par_iter()
            .map(|s| self.slots_on(s).map(asked).sum())
            .collect();
        moved |= self.move_to_free_places();
        moved |= self.exchange();
        moved
    }

    fn rehome(&mut self) -> bool {
        let mut moved = false;
        self.forget_searches();
        for c in 0..self.taken.len() {
            let idle = |board: &Self, k: usize| {
                board.budget[board.places[c * board.channels + k].satellite as usize] == 0
            };
            let row = self.instance.reach.satellites.row(c);
            if self.taken[c] == 0
                || !bits(self.taken[c]).all(|k| idle(self, k))
                || row.iter().all(|&s| self.budget[s as usize] == 0)
            {
                continue;
            }
            let k = bits(self.taken[c]).next().expect("has a slot");
            let was = self.remove(c * self.channels + k);
            moved |= self.take_best(c, was.slices)
                || self.take_best(c, 1)
                || self.augment(c, Ending::Surplus, Order::Any);
            if self.taken[c] == 0 {
                self.place(
                    c,
                    was.satellite,
                    Spot {
                        channel: k as u8,
                        beam: was.beam,
                        slices: was.slices,
                    },
                );
            }
        }
        moved
    }

    fn move_to_free_places(&mut self) -> bool {
        let mut moved = false;
        for s in 0..self.load.len() {
            if self.load[s] <= self.budget[s] {
                continue;
            }
            for (asked, slot) in self.slots_by_ask(s).into_iter().rev() {
                if self.load[s] <= self.budget[s] {
                    break;
                }
                let (cell, k) = (slot as usize / self.channels, slot as usize % self.channels);
                let place = self.places[slot as usize];
                let loss = asked - asked.min(self.load[s] - self.budget[s]);
                let least_gain = loss + asked / LEAST_GAIN;
                // Mostly all around are full: then there is nothing to be asked of rules.
                let gain = |(pair, &t): (usize, &u32)| {
                    let s = t as usize;
                    let headroom = self.budget[s].saturating_sub(self.load[s]);
                    (self.open[s] & !self.taken[cell] != 0 && headroom > least_gain)
                        .then(|| headroom.min(self.asked_of_pair(cell, pair, place.slices)))
                        .filter(|&gain| gain > least_gain)
                        .map(|gain| (gain, t))
                };
                let gains: Vec<(u64, u32)> = self.pairs(cell).filter_map(gain).collect();
                if gains.is_empty() {
                    continue;
                }
                self.approach(cell);
                let mut best: Option<(u64, u32, Spot)> = None;
                for (gain, t) in gains {
                    if best.is_none_or(|(g, ..)| gain > g)
                        && let Some(spot) = self.spot(cell, t, place.slices, place.slices)
                    {
                        best = Some((gain, t, spot));
                    }
                }
                self.leave();
                if let Some((_, t, spot)) = best {
                    self.shift(cell, k, t, spot);
                    moved = true;
                }
            }
        }
        moved
    }

    fn exchange(&mut self) -> bool {
        let mut moved = false;
        let mut looks = EXCHANGE_LIMIT;
        for s in 0..self.load.len() {
            if self.load[s] <= self.budget[s] {
                continue;
            }
            for (asked, slot) in self.slots_by_ask(s).into_iter().rev() {
                if self.load[s] <= self.budget[s] || looks == 0 {
                    break;
                }
                if let Some(other) = self.best_exchange(s, slot, asked, &mut looks) {
                    moved |= self.swap(slot, other);
                }
            }
        }
        moved
    }

    /// The slot of a satellite under its budget with which a slot of `s` (over it) had best change places.
    fn best_exchange(&self, s: usize, slot: u32, asked: u64, looks: &mut u64) -> Option<u32> {
        let (cell, k) = (slot as usize / self.channels, slot as usize % self.channels);
        let place = self.places[slot as usize];
        let over = self.load[s] - self.budget[s];
        let mut best: Option<(u64, u32)> = None;
        for (pair, &t) in self.pairs(cell) {
            let headroom = self.budget[t as usize].saturating_sub(self.load[t as usize]);
            if headroom <= asked / LEAST_GAIN {
                continue;
            }
            let arrives = self.asked_of_pair(cell, pair, place.slices);
            let first = self.beam(t as usize, k, 0) * self.slices;
            for h in first..first + self.beams * self.slices {
                let other = self.holders[h];
                *looks = looks.saturating_sub(1);
                if other == NONE || self.held[h] != place.slices {
                    continue;
                }
                let partner = other as usize / self.channels;
                let theirs = self.pair_of(partner, self.places[other as usize]);
                let leaves = self.asked_of_pair(partner, theirs, place.slices);
                if partner == cell || arrives <= leaves {
                    continue;
                }
                let Some(pair) = self.pair(partner, s as u32) else {
                    continue;
                };
                let comes = self.asked_of_pair(partner, pair, place.slices);
                // What t gains, less what s no longer carries.
                let gain = arrives.saturating_sub(leaves).min(headroom);
                let loss = asked.saturating_sub(comes).saturating_sub(over);
                if gain > loss + asked / LEAST_GAIN && best.is_none_or(|(g, _)| gain - loss > g) {
                    best = Some((gain - loss, other));
                }
            }
        }
        best.map(|(_, other)| other)
    }

    /// Two slots on one channel of two satellites change places, if the rules allow it.
    fn swap(&mut self, a: u32, b: u32) -> bool {
        let at =
            |slot: u32, board: &Self| (slot as usize / board.channels, board.places[slot as usize]);
        let ((cell_a, was_a), (cell_b, was_b)) = (at(a, self), at(b, self));
        let channel = a as usize % self.channels;
        self.remove(a as usize);
        self.remove(b as usize);
        let spot = |at: Place| Spot {
            channel: channel as u8,
            beam: at.beam,
            slices: at.slices,
        };
        let mut swapped = false;
        if self
            .neighbours_on(cell_a, was_b.satellite, channel)
            .fits(was_b.beam)
        {
            self.place(cell_a, was_b.satellite, spot(was_b));
            swapped = self
                .neighbours_on(cell_b, was_a.satellite, channel)
                .fits(was_a.beam);
            if swapped {
                self.place(cell_b, was_a.satellite, spot(was_a));
            } else {
                self.remove(a as usize);
            }
        }
        if !swapped {
            self.place(cell_a, was_a.satellite, spot(was_a));
            self.place(cell_b, was_b.satellite, spot(was_b));
        }
        swapped
    }

    fn shift(&mut self, cell: usize, channel: usize, satellite: u32, spot: Spot) {
        self.remove(cell * self.channels + channel);
        self.place(cell, satellite, spot);
    }

    /// The slots of a satellite by what their cells ask of them, least first.
    fn slots_by_ask(&self, s: usize) -> Vec<(u64, u32)> {
        let first = self.beam(s, 0, 0) * self.slices;
        let end = self.beam(s + 1, 0, 0) * self.slices;
        let mut slots: Vec<(u64, u32)> = self.holders[first..end]
            .iter()
            .filter(|&&slot| slot != NONE)
            .map(|&slot| {
                let place = self.places[slot as usize];
                let cell = slot as usize / self.channels;
                (
                    self.asked_of_pair(cell, self.pair_of(cell, place), place.slices),
                    slot,
                )
            })
            .collect();
        slots.sort_unstable();
        slots
    }

    fn beam(&self, satellite: usize, channel: usize, beam: u8) -> usize {
        (satellite * self.channels + channel) * self.beams + usize::from(beam)
    }

    /// Position of a pair in the lists of reach.
    fn pair(&self, cell: usize, satellite: u32) -> Option<usize> {
        let range = self.instance.reach.satellites.range(cell);
        let row = self.instance.reach.satellites.row(cell);
        row.binary_search(&satellite).ok().map(|i| range.start + i)
    }

    /// Position of a cell's pair with the satellite that serves it.
    fn pair_of(&self, cell: usize, place: Place) -> usize {
        self.instance.reach.satellites.range(cell).start + usize::from(place.nth)
    }

    /// The satellites in a cell's reach, each with the position of the pair in the lists of reach.
    fn pairs(&self, cell: usize) -> impl Iterator<Item = (usize, &'a u32)> + use<'a> {
        let satellites = &self.instance.reach.satellites;
        satellites.range(cell).zip(satellites.row(cell))
    }

    /// What the cell asks of so many slices of a beam of a pair, as far as the radio carries it.
    fn asked_of_pair(&self, cell: usize, pair: usize, slices: u8) -> u64 {
        (self.radio_of_pair(pair, slices) as f64 * self.need[cell]) as u64
    }

    /// What the radio carries in so many slices of a beam of a pair.
    fn radio_of_pair(&self, pair: usize, slices: u8) -> u64 {
        u64::from(self.instance.reach.rates.of_pair(pair)) * u64::from(slices) / self.slices as u64
    }

    fn update_pressure(&mut self, s: usize) {
        let slices = self.used[s] as f32 / self.instance.beams.slices_per_satellite() as f32;
        let backhaul = self.load[s] as f32 / self.budget[s].max(1) as f32;
        self.pressure[s] = slices.max(backhaul);
    }

    fn place(&mut self, cell: usize, satellite: u32, spot: Spot) {
        let pair = self
            .pair(cell, satellite)
            .expect("cells are placed on satellites in reach");
        self.place_pair(cell, pair, satellite, spot);
    }

    /// The same where the pair's position in the lists of reach is known.
    fn place_pair(&mut self, cell: usize, pair: usize, satellite: u32, spot: Spot) {
        let s = satellite as usize;
        let k = usize::from(spot.channel);
        let slot = cell * self.channels + k;
        let beam = self.beam(s, k, spot.beam);
        debug_assert!(
            self.places[slot] == UNASSIGNED && self.room[beam] >= spot.slices && spot.slices > 0
        );
        self.places[slot] = Place {
            satellite,
            nth: (pair - self.instance.reach.satellites.range(cell).start)
                .try_into()
                .expect("fewer than 2^16 satellites in reach of a cell"),
            beam: spot.beam,
            slices: spot.slices,
        };
        self.taken[cell] |= 1 << k;
        self.got[cell] += u32::from(spot.slices);
        let holder = self
            .holder(beam, NONE)
            .expect("a beam with room has a free entry");
        (self.holders[holder], self.held[holder]) = (slot as u32, spot.slices);
        self.radio[cell] += self.radio_of_pair(pair, spot.slices);
        self.load[s] += self.asked_of_pair(cell, pair, spot.slices);
        self.scratch.passes[s].is_stale = true;
        self.take_room(s, k, spot.beam, spot.slices);
    }

    fn remove(&mut self, slot: usize) -> Place {
        let place = core::mem::replace(&mut self.places[slot], UNASSIGNED);
        let (cell, k) = (slot / self.channels, slot % self.channels);
        let s = place.satellite as usize;
        let beam = self.beam(s, k, place.beam);
        self.taken[cell] &= !(1 << k);
        self.got[cell] -= u32::from(place.slices);
        let holder = self
            .holder(beam, slot as u32)
            .expect("a placed slot is among its beam's");
        self.holders[holder] = NONE;
        let pair = self.pair_of(cell, place);
        self.radio[cell] -= self.radio_of_pair(pair, place.slices);
        self.load[s] -= self.asked_of_pair(cell, pair, place.slices);
        self.scratch.passes[s].is_stale = true;
        self.give_room(s, k, place.beam, place.slices);
        place
    }

    /// Changes a slot's slices within its beam.
    fn resize(&mut self, slot: usize, slices: u8) {
        let (cell, k) = (slot / self.channels, slot % self.channels);
        let place = self.places[slot];
        let s = place.satellite as usize;
        let pair = self.pair_of(cell, place);
        self.load[s] -= self.asked_of_pair(cell, pair, place.slices);
        self.load[s] += self.asked_of_pair(cell, pair, slices);
        self.radio[cell] -= self.radio_of_pair(pair, place.slices);
        self.radio[cell] += self.radio_of_pair(pair, slices);
        self.places[slot].slices = slices;
        let holder = self
            .holder(self.beam(s, k, place.beam), slot as u32)
            .expect("a placed slot is among its beam's");
        self.held[holder] = slices;
        self.got[cell] = self.got[cell] - u32::from(place.slices) + u32::from(slices);
        if slices > place.slices {
            self.take_room(s, k, place.beam, slices - place.slices);
        } else {
            self.give_room(s, k, place.beam, place.slices - slices);
        }
    }

    /// Which of the entries of a beam a slot has, or a free one for [`NONE`].
    fn holder(&self, beam: usize, slot: u32) -> Option<usize> {
        let first = beam * self.slices;
        let entries = &self.holders[first..first + self.slices];
        entries.iter().position(|&h| h == slot).map(|i| first + i)
    }

    fn take_room(&mut self, s: usize, k: usize, beam: u8, slices: u8) {
        let b = self.beam(s, k, beam);
        self.room[b] -= slices;
        self.used[s] += u32::from(slices);
        let first = self.beam(s, k, 0);
        if self.room[first..first + self.beams].iter().all(|&r| r == 0) {
            self.open[s] &= !(1 << k);
        }
        self.update_pressure(s);
    }

    fn give_room(&mut self, s: usize, k: usize, beam: u8, slices: u8) {
        let b = self.beam(s, k, beam);
        self.room[b] += slices;
        self.used[s] -= u32::from(slices);
        self.open[s] |= 1 << k;
        self.update_pressure(s);
    }

    /// Which beams of the satellite the cell's neighbours have on a channel.
    fn neighbours_on(&self, cell: usize, satellite: u32, channel: usize) -> Near {
        let mut near = Near::None;
        for &n in self.instance.neighbours.row(cell) {
            let slot = n as usize * self.channels + channel;
            let place = self.places[slot];
            if place.satellite == satellite {
                near = match near {
                    Near::None => Near::One {
                        beam: place.beam,
                        slot: slot as u32,
                        slots: 1,
                    },
                    Near::One { beam, slot, slots } if beam == place.beam => Near::One {
                        beam,
                        slot,
                        slots: slots + 1,
                    },
                    _ => return Near::Many,
                };
            }
        }
        near
    }

    /// Fills `scratch.near` for a cell; [`Self::leave`] empties it.
    fn approach(&mut self, cell: usize) {
        for &n in self.instance.neighbours.row(cell) {
            let first = n as usize * self.channels;
            for k in bits(self.taken[n as usize]) {
                let s = self.places[first + k].satellite;
                if self.scratch.near[s as usize] == 0 {
                    self.scratch.near_touched.push(s);
                }
                self.scratch.near[s as usize] |= 1 << k;
            }
        }
    }

    fn leave(&mut self) {
        for s in self.scratch.near_touched.drain(..) {
            self.scratch.near[s as usize] = 0;
        }
    }

    /// The best free place for the cell on a satellite, of at least `least` and at most `want` slices.
    /// Needs [`Self::approach`].
    fn spot(&self, cell: usize, satellite: u32, want: u8, least: u8) -> Option<Spot> {
        let s = satellite as usize;
        let mut best: Option<(u32, Spot)> = None;
        for k in bits(self.open[s] & !self.taken[cell]) {
            let near = match self.scratch.near[s] >> k & 1 {
                0 => Near::None,
                _ => self.neighbours_on(cell, satellite, k),
            };
            let first = self.beam(s, k, 0);
            let rooms = &self.room[first..first + self.beams];
            // Of equal places, the one on the channel with most room: channels fill evenly, and neighbours find one.
            let crowd = 255 * self.beams as u32 - rooms.iter().map(|&r| u32::from(r)).sum::<u32>();
            for (b, &room) in rooms.iter().enumerate() {
                if room < least.max(1) || !near.fits(b as u8) {
                    continue;
                }
                let slices = room.min(want);
                let missing = u32::from(want - slices);
                let alone = u32::from(near == Near::None);
                let fresh = u32::from(usize::from(room) == self.slices);
                let over = u32::from(room - slices);
                // Enough slices; then a beam that a neighbour has (others of the channel are closed to the cell's
                // surroundings anyway); then one already cut up; then the tightest fit.
                let cost =
                    (((missing * 2 + alone) * 2 + fresh) * 256 + over) * 8192 + crowd.min(8191);
                if best.is_none_or(|(c, _)| cost < c) {
                    best = Some((
                        cost,
                        Spot {
                            channel: k as u8,
                            beam: b as u8,
                            slices,
                        },
                    ));
                }
            }
        }
        best.map(|(_, spot)| spot)
    }

    /// Places the cell on the satellite that is least full for its preference, if any has `want` slices in one beam.
    fn take_best(&mut self, cell: usize, want: u8) -> bool {
        self.approach(cell);
        let reach = &self.instance.reach;
        let range = reach.satellites.range(cell);
        let mut refused = Vec::new();
        let taken = loop {
            let mut best: Option<(f32, u32, usize)> = None;
            for (i, &s) in range.clone().zip(reach.satellites.row(cell)) {
                let open = self.open[s as usize] & !self.taken[cell];
                let open = if self.slices == 1 {
                    open & !self.scratch.near[s as usize]
                } else {
                    open
                };
                if open == 0 || self.budget[s as usize] == 0 {
                    continue;
                }
                let cost = self.pressure[s as usize] + self.detour[s as usize]
                    - reach.preference_weight / 255.0 * f32::from(reach.preference[i]);
                let cost = match self.toll(cell, i, s) {
                    Some(toll) if toll > self.most_toll => continue,
                    Some(toll) => toll + BESIDE_TOLL * cost,
                    None => cost,
                };
                if best.is_none_or(|(c, ..)| cost < c) && !refused.contains(&s) {
                    best = Some((cost, s, i));
                }
            }
            let Some((_, s, pair)) = best else {
                break false;
            };
            if let Some(spot) = self.spot(cell, s, want, want) {
                self.place_pair(cell, pair, s, spot);
                break true;
            }
            refused.push(s);
        };
        self.leave();
        taken
    }

    /// Lengthens a slot that the cell has by up to `want` slices of the same beam.
    fn grow(&mut self, cell: usize, want: u8) -> bool {
        if self.slices == 1 {
            return false;
        }
        for k in bits(self.taken[cell]) {
            let slot = cell * self.channels + k;
            let place = self.places[slot];
            let more = self.room[self.beam(place.satellite as usize, k, place.beam)].min(want);
            if more > 0 {
                self.resize(slot, place.slices + more);
                return true;
            }
        }
        false
    }

    /// After something was freed, or with another way to end, there may be room again.
    fn forget_failures(&mut self) {
        self.scratch.hopeless.fill(false);
    }

    fn forget_searches(&mut self) {
        self.scratch.visited.copy_from(&self.scratch.fixed);
        self.scratch.spent.fill(0);
    }

    /// Finds room for one more slice for each of some cells, in their order, by moving others; returns those for which
    /// there is none, ascending.
    ///
    /// # Algorithm
    /// In phases, as J. E. Hopcroft and R. M. Karp, "An n^5/2 algorithm for maximum matchings in bipartite graphs", SIAM
    /// J. Comput. 2 (1973): find out for each satellite how many moves it is away from one with room; augment along
    /// shortest paths only, never looking at a slot twice; repeat while it helps. Satellites from which there is no way
    /// to room stay so for as long as nothing is freed. The neighbour rule may forbid all shortest paths where it allows a
    /// longer one: at last that is sought for each remaining cell alone.
    fn augment_all(&mut self, mut cells: Vec<u32>, ending: Ending) -> Vec<u32> {
        let least_finds = match ending {
            Ending::FreeRoom => self.least_finds(),
            Ending::Surplus => 0,
        };
        let mut blocked_phases = 0;
        let mut blocked: Vec<bool> = Vec::new();
        while !cells.is_empty() && blocked_phases < BLOCKED_PHASES && self.scratch.work > 0 {
            let Some(ends) = self.measure(&cells, ending, &blocked) else {
                break;
            };
            self.forget_searches();
            let before = cells.len();
            cells.retain(|&c| !self.augment(c as usize, ending, Order::Shortest));
            if before - cells.len() < least_finds {
                cells.sort_unstable();
                return cells;
            }
            if cells.len() == before {
                blocked_phases += 1;
                blocked.resize(self.open.len(), false);
                ends.into_iter().for_each(|s| blocked[s as usize] = true);
            }
        }
        self.forget_searches();
        cells.retain(|&c| self.scratch.work <= 0 || !self.augment(c as usize, ending, Order::Any));
        cells.sort_unstable();
        cells
    }

    /// Fewer beams than these are not worth another phase.
    fn least_finds(&self) -> usize {
        self.got.len() / CELLS_PER_FIND
    }

    /// Measures in moves how far from room the satellites are that the cells can reach; none if none can. Returns the
    /// satellites with room; those `blocked` do not count as such.
    fn measure(&mut self, cells: &[u32], ending: Ending, blocked: &[bool]) -> Option<Vec<u32>> {
        let is_end = |board: &Self, s: u32| {
            let s = s as usize;
            !blocked.get(s).is_some_and(|&b| b)
                && (board.open[s] != 0
                    || ending == Ending::Surplus
                        && board.slots_on(s).any(|slot| board.is_surplus(slot)))
        };
        let mut seen = self.scratch.hopeless.clone();
        let mut queue: Vec<u32> = Vec::new();
        let mut visit = |s: u32, queue: &mut Vec<u32>| {
            if self.budget[s as usize] > 0 && !core::mem::replace(&mut seen[s as usize], true) {
                queue.push(s);
            }
        };
        for &c in cells {
            let row = self.instance.reach.satellites.row(c as usize);
            row.iter().for_each(|&s| visit(s, &mut queue));
        }
        // Forward from the cells; not beyond satellites with room.
        let (mut ends, mut others) = (Vec::new(), Vec::new());
        let mut known = core::mem::take(&mut self.scratch.passes);
        let mut noted = vec![NONE; known.len()];
        let mut looked = 0;
        let mut head = 0;
        while let Some(&s) = queue.get(head) {
            if is_end(self, s) {
                ends.push(s);
            } else {
                let known = &mut known[s as usize];
                looked += self.renew(s, known, &mut noted);
                known.to.iter().for_each(|&t| visit(t, &mut queue));
                others.push(s);
            }
            head += 1;
        }
        // Backward from those with room: who is one move farther than those found last. Few have to look at all to whom they could pass.
        let moves = &mut self.scratch.moves;
        moves.fill(NONE);
        ends.iter().for_each(|&s| moves[s as usize] = 0);
        for nearer in 0.. {
            let before = others.len();
            others.retain(|&s| {
                let to = &known[s as usize].to;
                let is_next = to.iter().any(|&t| moves[t as usize] == nearer);
                if is_next {
                    moves[s as usize] = nearer + 1;
                }
                !is_next
            });
            if others.len() == before {
                break;
            }
        }
        self.scratch.passes = known;
        self.scratch.work -= looked;
        if blocked.is_empty() {
            for s in others {
                self.scratch.hopeless[s as usize] = true;
            }
        }
        (!ends.is_empty()).then_some(ends)
    }

    /// Finds out anew to which satellites `s` could pass a cell, if its slots have changed; says how many pairs it looked at. `noted` has
    /// an entry for each satellite that is not `s`, unless this has set it.
    fn renew(&self, s: u32, passes: &mut Passes, noted: &mut [u32]) -> i64 {
        if !core::mem::take(&mut passes.is_stale) {
            return 0;
        }
        passes.to.clear();
        let mut looked = 0;
        let slots = self.slots_on(s as usize);
        let step = (self.slots_on(s as usize).count() / TELLING_SLOTS).max(1);
        for slot in slots.step_by(step) {
            let row = self.instance.reach.satellites.row(slot / self.channels);
            looked += row.len() as i64;
            for &t in row {
                if core::mem::replace(&mut noted[t as usize], s) != s {
                    passes.to.push(t);
                }
            }
        }
        looked
    }

    /// The slots of a satellite.
    fn slots_on(&self, s: usize) -> impl Iterator<Item = usize> + '_ {
        let first = self.beam(s, 0, 0) * self.slices;
        let end = self.beam(s + 1, 0, 0) * self.slices;
        self.holders[first..end]
            .iter()
            .filter(|&&slot| slot != NONE)
            .map(|&slot| slot as usize)
    }

    /// Whether a slot can give up a slice without leaving its cell with nothing.
    fn is_surplus(&self, slot: usize) -> bool {
        self.places[slot].slices > 1 || self.taken[slot / self.channels].count_ones() > 1
    }

    /// Finds room for one more slice of a cell by moving others.
    ///
    /// # Algorithm
    /// 1. From the cell, a step looks at each channel of each satellite in reach. If nothing is in the way there, the path
    ///    ends. If exactly one slot is (its beam is needed, or it belongs to a neighbour, or it is the cell's own on that
    ///    channel), that slot is displaced and is one of those that look for room next: breadth first in any order, depth
    ///    first where each step must come nearer to room.
    /// 2. With [`Ending::Surplus`] the path also ends at a slot whose cell has another, or that can give up a slice.
    /// 3. The path is carried out: all displaced slots are lifted, then each is put in its new place, rules checked again,
    ///    for steps of one path may touch each other. If one does not fit, everything is put back.
    fn augment(&mut self, cell: usize, ending: Ending, order: Order) -> bool {
        let mut search = Search {
            root: cell,
            ending,
            order,
            steps: core::mem::take(&mut self.scratch.steps),
        };
        search.steps.clear();
        self.scratch.spent_now.clear();
        search.steps.push(Step {
            slot: NONE,
            parent: NONE,
            satellite: NONE,
            channel: 0,
        });
        // Steps to be expanded, and from which of their cell's satellites on.
        let mut waiting = VecDeque::from([(0, 0)]);
        let mut found = false;
        let mut looked = 0;
        let mut first = 0;
        while let Some((head, from)) = if order == Order::Shortest {
            waiting.pop_back()
        } else {
            waiting.pop_front()
        } {
            first = search.steps.len();
            let expansion = match self.next_satellite(&search, head, from) {
                None => Expansion::Whole,
                Some(from) => {
                    let (mover, _) = search.mover(self, head);
                    self.approach(mover);
                    let expansion = self.expand(head, from, &mut search);
                    self.leave();
                    expansion
                }
            };
            looked += 1;
            found = expansion == Expansion::Found;
            if found || order == Order::Any && looked == SEARCH_LIMIT {
                break;
            }
            if let Expansion::UpTo(next) = expansion {
                waiting.push_back((head, next));
            }
            waiting.extend((first..search.steps.len()).map(|step| (step, 0)));
        }
        if found {
            // What a search saw and did not look into may still lead somewhere. Of a phase of shortest paths, what it did
            // look into does not.
            let seen = |visited: &mut Marks, step: &Step| {
                if step.slot != NONE {
                    visited.unset(step.slot);
                }
            };
            match order {
                Order::Any => search
                    .steps
                    .iter()
                    .for_each(|step| seen(&mut self.scratch.visited, step)),
                Order::Shortest => {
                    let unseen = waiting.into_iter().map(|(step, _)| step);
                    let unseen = unseen.chain(first..search.steps.len());
                    unseen.for_each(|i| seen(&mut self.scratch.visited, &search.steps[i]));
                }
            }
            for (s, k) in self.scratch.spent_now.drain(..) {
                self.scratch.spent[s as usize] &= !(1 << k);
            }
        }
        self.scratch.steps = search.steps;
        found
    }

    /// The first satellite, from `from` on of those in reach of the cell that a step displaced, to which the search may go; few in
    /// the order of [`Order::Shortest`].
    fn next_satellite(&mut self, search: &Search, head: usize, from: usize) -> Option<usize> {
        if search.order == Order::Any {
            return Some(from);
        }
        let moves = self.moves_left(search, head);
        let (cell, _) = search.mover(self, head);
        let row = &self.instance.reach.satellites.row(cell)[from..];
        let next = (row.iter()).position(|&s| self.scratch.moves[s as usize] == moves);
        self.scratch.work -= next.unwrap_or(row.len()) as i64;
        next.map(|i| from + i)
    }

    /// Looks for room for what a step displaced, on the satellites in reach of its cell from `from` on; carries out a path that it
    /// finds. In the order of [`Order::Shortest`], where most paths lead to room, no farther than to one that offers further steps.
    fn expand(&mut self, head: usize, from: usize, search: &mut Search) -> Expansion {
        let own = search.steps[head].slot;
        let moves = self.moves_left(search, head);
        let (cell, want) = search.mover(self, head);
        let vacated = self.vacated(search, head);
        let first = search.steps.len();
        for (i, (pair, &satellite)) in self.pairs(cell).enumerate().skip(from) {
            if search.order == Order::Shortest && search.steps.len() > first {
                return Expansion::UpTo(i);
            }
            self.scratch.work -= 1;
            let s = satellite as usize;
            if search.order == Order::Shortest && self.scratch.moves[s] != moves
                || self.budget[s] == 0
                || !self.affords(cell, pair, satellite)
            {
                continue;
            }
            for k in bits(all_channels(self.channels) & !self.scratch.spent[s]) {
                let here = (cell * self.channels + k) as u32;
                let holder = self.places[here as usize].satellite;
                let near = match self.scratch.near[s] >> k & 1 {
                    0 => Near::None,
                    _ => self.neighbours_on(cell, satellite, k),
                };
                let mut step = Step {
                    slot: NONE,
                    parent: head as u32,
                    satellite,
                    channel: k as u8,
                };
                let room = self.beam_with_room(s, k, want, near).is_some()
                    || vacated.iter().any(|&slot| {
                        let place = self.places[slot as usize];
                        (place.satellite, slot as usize % self.channels) == (satellite, k)
                            && place.slices >= want
                            && near.fits_without(place.beam, slot, self.slices)
                    });
                if holder != NONE {
                    // The cell's own slot on this channel would have to go elsewhere, unless it is what moves.
                    if holder == satellite
                        || (own != here && (!room || self.scratch.visited.has(here)))
                    {
                        continue;
                    }
                    if own != here {
                        self.scratch.visited.set(here);
                        step.slot = here;
                        search.steps.push(step);
                        continue;
                    }
                }
                if room {
                    search.steps.push(step);
                    if self.carry_out(search) {
                        return Expansion::Found;
                    }
                    search.steps.pop();
                    continue;
                }
                for b in 0..self.beams as u8 {
                    let beam = self.beam(s, k, b);
                    for h in beam * self.slices..(beam + 1) * self.slices {
                        let slot = self.holders[h];
                        if slot == NONE
                            || self.room[beam] + self.held[h] < want
                            || self.scratch.visited.has(slot)
                            || !near.fits_without(b, slot, self.slices)
                        {
                            continue;
                        }
                        let surplus =
                            search.ending == Ending::Surplus && self.is_surplus(slot as usize);
                        self.scratch.visited.set(slot);
                        step.slot = slot;
                        search.steps.push(step);
                        if surplus && self.carry_out(search) {
                            return Expansion::Found;
                        }
                    }
                }
                if near == Near::None && want == 1 {
                    self.scratch.spent[s] |= 1 << k;
                    self.scratch.spent_now.push((satellite, k as u8));
                }
            }
        }
        Expansion::Whole
    }

    /// Slots that a path up to a step takes away and puts nothing in the place of: those that gave up their channel to another
    /// slot of the same cell. What comes later on the path may go there; so channels change hands in a circle.
    fn vacated(&self, search: &Search, step: usize) -> Vec<u32> {
        let mut vacated = Vec::new();
        let mut at = step;
        while search.steps[at].parent != NONE {
            let parent = search.steps[at].parent as usize;
            let slot = search.steps[at].slot;
            if slot != NONE && slot as usize / self.channels == search.mover(self, parent).0 {
                vacated.push(slot);
            }
            at = parent;
        }
        vacated
    }

    /// How far from room a satellite must be that comes after a step on a shortest path.
    fn moves_left(&self, search: &Search, step: usize) -> u32 {
        let moves = &self.scratch.moves;
        match search.steps[step].satellite {
            NONE => {
                let row = self.instance.reach.satellites.row(search.root);
                row.iter().map(|&s| moves[s as usize]).min().unwrap_or(NONE)
            }
            satellite => moves[satellite as usize].wrapping_sub(1),
        }
    }

    /// Carries out the path that ends with the last step; false, and nothing changed, if a rule forbids it.
    fn carry_out(&mut self, search: &Search) -> bool {
        let mut path = Vec::new();
        let mut at = search.steps.len() - 1;
        while search.steps[at].parent != NONE {
            path.push(at);
            at = search.steps[at].parent as usize;
        }
        path.reverse();
        let movers: Vec<(usize, u8)> = path
            .iter()
            .map(|&i| search.mover(self, search.steps[i].parent as usize))
            .collect();
        let last = search.steps[*path.last().expect("a path has a step")];
        let lifted: Vec<(u32, Place)> = path
            .iter()
            .map(|&i| search.steps[i].slot)
            .filter(|&slot| slot != NONE)
            .map(|slot| (slot, self.remove(slot as usize)))
            .collect();
        let mut put = Vec::with_capacity(path.len());
        let fits = path.iter().zip(&movers).all(|(&i, &(cell, want))| {
            let step = search.steps[i];
            let (s, k) = (step.satellite as usize, usize::from(step.channel));
            if self.taken[cell] >> k & 1 == 1 {
                return false;
            }
            let near = self.neighbours_on(cell, step.satellite, k);
            let Some(beam) = self.beam_with_room(s, k, want, near) else {
                return false;
            };
            self.place(
                cell,
                step.satellite,
                Spot {
                    channel: step.channel,
                    beam,
                    slices: want,
                },
            );
            put.push(cell * self.channels + k);
            true
        }) && (last.slot == NONE
            || self.return_rest(last.slot, lifted[lifted.len() - 1].1));
        if !fits {
            for &slot in put.iter().rev() {
                self.remove(slot);
            }
            for &(
                slot,
                Place {
                    satellite,
                    beam,
                    slices,
                    ..
                },
            ) in lifted.iter().rev()
            {
                let (cell, k) = (slot as usize / self.channels, slot as usize % self.channels);
                self.place(
                    cell,
                    satellite,
                    Spot {
                        channel: k as u8,
                        beam,
                        slices,
                    },
                );
            }
        }
        fits
    }

    /// Puts back what is left of the beam from which a path took its room; false if its cell would be left with nothing.
    fn return_rest(&mut self, slot: u32, was: Place) -> bool {
        let (cell, k) = (slot as usize / self.channels, slot as usize % self.channels);
        let s = was.satellite as usize;
        let slices = self.room[self.beam(s, k, was.beam)].min(was.slices);
        if slices > 0
            && self.taken[cell] >> k & 1 == 0
            && self.neighbours_on(cell, was.satellite, k).fits(was.beam)
        {
            self.place(
                cell,
                was.satellite,
                Spot {
                    channel: k as u8,
                    beam: was.beam,
                    slices,
                },
            );
        }
        self.got[cell] > 0
    }

    fn beam_with_room(&self, s: usize, k: usize, want: u8, near: Near) -> Option<u8> {
        if self.open[s] >> k & 1 == 0 {
            return None;
        }
        let first = self.beam(s, k, 0);
        (0..self.beams as u8).find(|&b| self.room[first + usize::from(b)] >= want && near.fits(b))
    }
}

/// A search for an augmenting path.
struct Search {
    root: usize,
    ending: Ending,
    order: Order,
    steps: Vec<Step>,
}

impl Search {
    /// The cell that has to be placed after a step, and with how many slices.
    fn mover(&self, board: &Board<'_>, step: usize) -> (usize, u8) {
        match self.steps[step].slot {
            NONE => (self.root, 1),
            slot => (
                slot as usize / board.channels,
                board.places[slot as usize].slices,
            ),
        }
    }
}

/// What a cell's neighbours have on one channel of one satellite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Near {
    /// Nothing.
    None,
    /// All of it is on one beam, in so many slots, one of which is `slot`.
    One { beam: u8, slot: u32, slots: u8 },
    /// Several beams.
    Many,
}

impl Near {
    /// Whether the cell may use a beam: in turn with its neighbours, or where there are none.
    fn fits(self, beam: u8) -> bool {
        match self {
            Self::None => true,
            Self::One { beam: theirs, .. } => theirs == beam,
            Self::Many => false,
        }
    }

    /// Whether the cell may use a beam once `slot` has left it.
    fn fits_without(self, beam: u8, slot: u32, slices: usize) -> bool {
        match self {
            Self::One {
                slot: theirs,
                slots: 1,
                ..
            } => theirs == slot || slices > 1 && self.fits(beam),
            _ => self.fits(beam),
        }
    }
}

/// What part of the radio each cell needs if it has the slices that it asks.
pub(crate) fn expected_need(instance: &Instance) -> Arc<[f64]> {
    let need = |c: usize| {
        let ask = &instance.cells[c];
        needed_part(ask, typical_slice_kbps(instance, c) * u64::from(ask.slices))
    };
    let cells = (0..instance.cells.len()).into_par_iter();
    cells.map(need).collect::<Vec<_>>().into()
}

/// What part of so much radio the cell's demand fills.
fn needed_part(ask: &CellAsk, radio_kbps: u64) -> f64 {
    (ask.demand_kbps as f64 / radio_kbps.max(1) as f64).min(1.0)
}

/// What a slice brings from the middle one of the satellites in reach, kbit/s.
fn typical_slice_kbps(instance: &Instance, c: usize) -> u64 {
    let range = instance.reach.satellites.range(c);
    if range.is_empty() {
        return 0;
    }
    let middle = (range.start + range.end) / 2;
    u64::from(instance.reach.rates.of_pair(middle)) / u64::from(instance.beams.time_slices)
}

fn detour(lasers: u8) -> f32 {
    match lasers.min(MOST_LASERS_WEIGHED) {
        0 => 0.0,
        n => FIRST_LASER_WEIGHT + FURTHER_LASER_WEIGHT * f32::from(n - 1),
    }
}

fn all_channels(channels: usize) -> u32 {
    u32::MAX >> (32 - channels)
}

fn bits(mask: u32) -> impl Iterator<Item = usize> {
    core::iter::successors((mask != 0).then_some(mask), |m| {
        Some(m & (m - 1)).filter(|&m| m != 0)
    })
    .map(|m| m.trailing_zeros() as usize)
}
