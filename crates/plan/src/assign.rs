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

use crate::instance::Instance;
use crate::solve::SolvedSlot;

/// No satellite, no slot.
const NONE: u32 = u32::MAX;

/// How much fuller (share of a satellite) the most preferred satellite may be than the least preferred one and still be
/// taken: high satellites are preferred, but not at the price of a full one where another is empty.
const PREFERENCE_WEIGHT: f32 = 0.25;

/// Slots looked at in one search for an augmenting path. Paths of national instances are found well within; at the scale
/// of the world it bounds the time of a search that would find nothing.
const SEARCH_LIMIT: usize = 4096;

/// A cell is moved for backhaul's sake only if that brings at least one part in so many of what it asks.
const LEAST_GAIN: u64 = 8;

/// Pairs of slots looked at in one round of exchanges.
const EXCHANGE_LIMIT: u64 = 20_000_000;

/// Rounds of [`Board::fill`]: a search that was given up early may succeed after others have moved cells about.
const FILL_PASSES: usize = 3;

/// A beam's service of a cell: the slot's number is `cell * channels + channel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Satellite, [`NONE`] if the slot is not assigned.
    pub(crate) satellite: u32,
    /// Which of its beams on the channel.
    pub(crate) beam: u8,
    /// Time slices of the beam.
    pub(crate) slices: u8,
}

const UNASSIGNED: Place = Place { satellite: NONE, beam: 0, slices: 0 };

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
    /// Slots of each beam, `slices` entries for each.
    holders: Vec<u32>,
    /// Channels of each satellite on which some beam has room, as bits.
    open: Vec<u32>,
    /// Slices of each satellite in use.
    used: Vec<u32>,
    /// What each cell asks of a slice, kbit/s: of those it should have while beams are given out, then of those it has.
    ask_per_slice: Vec<u64>,
    /// What the cells on each satellite ask, kbit/s.
    load: Vec<u64>,
    /// What each satellite can bring from the ground, kbit/s. One with nothing is not used.
    budget: Vec<u64>,
    /// How full each satellite is: the greater of the shares of its slices and its budget.
    pressure: Vec<f32>,
    scratch: Scratch,
}

/// Reused by searches; carries nothing from one to the next except `visited`.
struct Scratch {
    /// Channels of each satellite that a neighbour of the cell at hand has, as bits; zero for all others.
    near: Vec<u32>,
    near_touched: Vec<u32>,
    /// Slots from which no free room can be reached: those of searches that failed (as Hungarian trees, they stay
    /// useless until something else is freed) and those of the search at hand.
    visited: Vec<bool>,
    steps: Vec<Step>,
}

impl<'a> Board<'a> {
    pub(crate) fn new(instance: &'a Instance, budget: &[u64]) -> Self {
        let beams = instance.beams;
        let (channels, per_channel, slices) =
            (beams.channels.into(), beams.beams_per_channel.into(), beams.time_slices.into());
        let satellites = instance.network.satellites;
        let cells = instance.cells.len();
        let mut board = Self {
            instance,
            channels,
            beams: per_channel,
            slices,
            places: vec![UNASSIGNED; cells * channels],
            taken: vec![0; cells],
            got: vec![0; cells],
            room: vec![beams.time_slices; satellites * channels * per_channel],
            holders: vec![NONE; satellites * channels * per_channel * slices],
            open: vec![if channels == 32 { u32::MAX } else { (1 << channels) - 1 }; satellites],
            used: vec![0; satellites],
            ask_per_slice: instance.cells.iter().map(|c| c.demand_kbps / u64::from(c.slices.max(1))).collect(),
            load: vec![0; satellites],
            budget: budget.to_vec(),
            pressure: vec![0.0; satellites],
            scratch: Scratch {
                near: vec![0; satellites],
                near_touched: Vec::new(),
                visited: vec![false; cells * channels],
                steps: Vec::new(),
            },
        };
        for s in 0..satellites {
            board.update_pressure(s);
        }
        board
    }

    /// Keeps a slot of an earlier plan if the rules and the cell's ask still allow it.
    pub(crate) fn keep(&mut self, cell: usize, channel: u8, place: Place) {
        let wanted = self.instance.cells[cell].slices.saturating_sub(self.got[cell]);
        let slices = u32::from(place.slices).min(wanted) as u8;
        let k = usize::from(channel);
        if slices == 0
            || k >= self.channels
            || usize::from(place.beam) >= self.beams
            || self.taken[cell] >> k & 1 == 1
            || self.budget[place.satellite as usize] == 0
            || self.pair(cell, place.satellite).is_none()
        {
            return;
        }
        let s = place.satellite as usize;
        let neighbours = self.neighbours_on(cell, place.satellite, k);
        if neighbours.fits(place.beam) && self.room[self.beam(s, k, place.beam)] >= slices {
            self.place(cell, place.satellite, Spot { channel, beam: place.beam, slices });
        }
    }

    /// Gives every cell that can have one a first beam.
    pub(crate) fn serve_all(&mut self) {
        let cells = self.instance.cells.len();
        // Cells with few satellites choose first. Within a class the order of cells is kept: H3 indices of neighbours are
        // mostly close, so that neighbours meet in the same beams and share them.
        let mut order: Vec<(u8, u32)> = (0..cells)
            .filter(|&c| self.got[c] == 0 && self.instance.cells[c].slices > 0)
            .map(|c| {
                let choices = self.instance.reach.satellites.range(c).len();
                (match choices { 0..4 => 0, 4..8 => 1, 8..16 => 2, _ => 3 }, c as u32)
            })
            .collect();
        order.sort_unstable();
        let mut left = Vec::new();
        for &(_, c) in &order {
            let c = c as usize;
            let want = self.instance.cells[c].slices.min(self.slices as u32) as u8;
            if !self.take_best(c, want) && !self.take_best(c, 1) {
                left.push(c);
            }
        }
        self.forget_searches();
        for &c in &left {
            if !self.take_best(c, 1) {
                self.augment(c, Ending::Surplus);
            }
        }
    }

    /// Gives cells the further beams that they ask, those first that carry most, until none can be given.
    pub(crate) fn fill(&mut self) {
        // (What the cell's next beam carries, how many it has had before, cell), best first.
        let per_beam = self.slices as u32;
        let mut wishes: Vec<(u64, u32, u32)> = Vec::new();
        for (c, ask) in self.instance.cells.iter().enumerate() {
            if self.got[c] == 0 {
                continue;
            }
            let rate = u64::from(self.instance.reach.rates.of_pair(self.instance.reach.satellites.range(c).start));
            for n in self.got[c] / per_beam..ask.slices.div_ceil(per_beam) {
                let served = rate * u64::from(n.max(1));
                wishes.push((u64::MAX - rate.min(ask.demand_kbps.saturating_sub(served)), n, c as u32));
            }
        }
        wishes.sort_unstable();
        for _ in 0..FILL_PASSES {
            self.forget_searches();
            let before: u64 = self.got.iter().map(|&g| u64::from(g)).sum();
            for &(_, n, c) in &wishes {
                let c = c as usize;
                let target = ((n + 1) * per_beam).min(self.instance.cells[c].slices);
                while self.got[c] < target {
                    let want = (target - self.got[c]).min(per_beam) as u8;
                    if !(self.grow(c, want)
                        || self.take_best(c, want)
                        || self.take_best(c, 1)
                        || self.augment(c, Ending::FreeRoom))
                    {
                        break;
                    }
                }
            }
            if self.got.iter().map(|&g| u64::from(g)).sum::<u64>() == before {
                break;
            }
        }
    }

    /// All slots, ascending by (cell, channel), with the cells' terminals spread evenly over their slices.
    pub(crate) fn slots(&self) -> Vec<SolvedSlot> {
        let mut slots = Vec::with_capacity(self.taken.iter().map(|t| t.count_ones() as usize).sum());
        for (c, ask) in self.instance.cells.iter().enumerate() {
            let got = u64::from(self.got[c]);
            let mut slices_before = 0;
            for k in bits(self.taken[c]) {
                let place = self.places[c * self.channels + k];
                let upto = |slices: u64| (u64::from(ask.terminals) * slices / got) as u32;
                let slices_after = slices_before + u64::from(place.slices);
                slots.push(SolvedSlot {
                    cell: c as u32,
                    satellite: place.satellite,
                    channel: k as u8,
                    beam: place.beam,
                    slices: place.slices,
                    terminals: upto(slices_after) - upto(slices_before),
                    radio_kbps: self.radio_kbps(c, place.satellite, place.slices) as u32,
                    delivered_kbps: 0,
                    way: 0,
                });
                slices_before = slices_after;
            }
        }
        slots
    }

    /// Moves cells so that what satellites can bring is used: `budget` is what each could carry at once with all others.
    /// True if anything moved.
    ///
    /// # Algorithm
    /// 1. A cell that has only satellites which bring nothing is given another, if need be from a cell with more.
    /// 2. A slot of a satellite over its budget goes to a free place of one under it.
    /// 3. Where there is no free place, a slot of a satellite over its budget changes places with one that asks less, on
    ///    the same channel of a satellite under it.
    pub(crate) fn balance(&mut self, budget: &[u64]) -> bool {
        self.budget.copy_from_slice(budget);
        let mut moved = self.rehome();
        self.load.fill(0);
        for c in 0..self.taken.len() {
            self.ask_per_slice[c] = self.instance.cells[c].demand_kbps / u64::from(self.got[c].max(1));
            for k in bits(self.taken[c]) {
                let place = self.places[c * self.channels + k];
                self.load[place.satellite as usize] += self.asked_kbps(c, place.satellite, place.slices);
            }
        }
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
            moved |= self.take_best(c, was.slices) || self.take_best(c, 1) || self.augment(c, Ending::Surplus);
            if self.taken[c] == 0 {
                self.place(c, was.satellite, Spot { channel: k as u8, beam: was.beam, slices: was.slices });
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
                self.approach(cell);
                let mut best: Option<(u64, u32, Spot)> = None;
                for &t in self.instance.reach.satellites.row(cell) {
                    let headroom = self.budget[t as usize].saturating_sub(self.load[t as usize]);
                    let gain = headroom.min(self.asked_kbps(cell, t, place.slices));
                    if gain <= loss + asked / LEAST_GAIN || best.is_some_and(|(g, ..)| g >= gain) {
                        continue;
                    }
                    if let Some(spot) = self.spot(cell, t, place.slices, place.slices) {
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
        for t in 0..self.load.len() {
            if self.load[t] >= self.budget[t] {
                continue;
            }
            for (asked, slot) in self.slots_by_ask(t) {
                if self.load[t] >= self.budget[t] || looks == 0 {
                    break;
                }
                if let Some(other) = self.best_exchange(t, slot, asked, &mut looks) {
                    moved |= self.swap(slot, other);
                }
            }
        }
        moved
    }

    /// The slot of a satellite over its budget with which a slot of `t` (under it) had best change places.
    fn best_exchange(&self, t: usize, slot: u32, asked: u64, looks: &mut u64) -> Option<u32> {
        let (cell, k) = (slot as usize / self.channels, slot as usize % self.channels);
        let place = self.places[slot as usize];
        let headroom = self.budget[t] - self.load[t];
        let mut best: Option<(u64, u32)> = None;
        for &s in self.instance.reach.satellites.row(cell) {
            let over = self.load[s as usize].saturating_sub(self.budget[s as usize]);
            if over == 0 || s as usize == t {
                continue;
            }
            let comes = self.asked_kbps(cell, s, place.slices);
            let first = self.beam(s as usize, k, 0) * self.slices;
            for &other in &self.holders[first..first + self.beams * self.slices] {
                *looks = looks.saturating_sub(1);
                if other == NONE || self.places[other as usize].slices != place.slices {
                    continue;
                }
                let partner = other as usize / self.channels;
                if partner == cell || self.pair(partner, t as u32).is_none() {
                    continue;
                }
                let goes = self.asked_kbps(partner, s, place.slices);
                let arrives = self.asked_kbps(partner, t as u32, place.slices);
                // What t gains, less what s no longer carries.
                let gain = (arrives.saturating_sub(asked)).min(headroom);
                let loss = (goes.saturating_sub(comes)).saturating_sub(over);
                if gain > loss + goes / LEAST_GAIN && best.is_none_or(|(g, _)| gain - loss > g) {
                    best = Some((gain - loss, other));
                }
            }
        }
        best.map(|(_, other)| other)
    }

    /// Two slots on one channel of two satellites change places, if the rules allow it.
    fn swap(&mut self, a: u32, b: u32) -> bool {
        let at = |slot: u32, board: &Self| (slot as usize / board.channels, board.places[slot as usize]);
        let ((cell_a, was_a), (cell_b, was_b)) = (at(a, self), at(b, self));
        let channel = a as usize % self.channels;
        self.remove(a as usize);
        self.remove(b as usize);
        let spot = |at: Place| Spot { channel: channel as u8, beam: at.beam, slices: at.slices };
        let mut swapped = false;
        if self.neighbours_on(cell_a, was_b.satellite, channel).fits(was_b.beam) {
            self.place(cell_a, was_b.satellite, spot(was_b));
            swapped = self.neighbours_on(cell_b, was_a.satellite, channel).fits(was_a.beam);
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
                (self.asked_kbps(slot as usize / self.channels, s as u32, self.places[slot as usize].slices), slot)
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

    /// What the radio carries to the cell in so many slices of a beam.
    fn radio_kbps(&self, cell: usize, satellite: u32, slices: u8) -> u64 {
        let pair = self.pair(cell, satellite).expect("cells are placed on satellites in reach");
        u64::from(self.instance.reach.rates.of_pair(pair)) * u64::from(slices) / self.slices as u64
    }

    /// What the cell asks of so many slices of a beam, as far as the radio carries it.
    fn asked_kbps(&self, cell: usize, satellite: u32, slices: u8) -> u64 {
        self.radio_kbps(cell, satellite, slices).min(self.ask_per_slice[cell] * u64::from(slices))
    }

    fn update_pressure(&mut self, s: usize) {
        let slices = self.used[s] as f32 / self.instance.beams.slices_per_satellite() as f32;
        let backhaul = self.load[s] as f32 / self.budget[s].max(1) as f32;
        self.pressure[s] = slices.max(backhaul);
    }

    fn place(&mut self, cell: usize, satellite: u32, spot: Spot) {
        let s = satellite as usize;
        let k = usize::from(spot.channel);
        let slot = cell * self.channels + k;
        let beam = self.beam(s, k, spot.beam);
        debug_assert!(self.places[slot] == UNASSIGNED && self.room[beam] >= spot.slices && spot.slices > 0);
        self.places[slot] = Place { satellite, beam: spot.beam, slices: spot.slices };
        self.taken[cell] |= 1 << k;
        self.got[cell] += u32::from(spot.slices);
        let holder = &mut self.holders[beam * self.slices..(beam + 1) * self.slices];
        *holder.iter_mut().find(|h| **h == NONE).expect("a beam with room has a free entry") = slot as u32;
        self.load[s] += self.asked_kbps(cell, satellite, spot.slices);
        self.take_room(s, k, spot.beam, spot.slices);
    }

    fn remove(&mut self, slot: usize) -> Place {
        let place = core::mem::replace(&mut self.places[slot], UNASSIGNED);
        let (cell, k) = (slot / self.channels, slot % self.channels);
        let s = place.satellite as usize;
        let beam = self.beam(s, k, place.beam);
        self.taken[cell] &= !(1 << k);
        self.got[cell] -= u32::from(place.slices);
        let holder = &mut self.holders[beam * self.slices..(beam + 1) * self.slices];
        *holder.iter_mut().find(|h| **h == slot as u32).expect("a placed slot is among its beam's") = NONE;
        self.load[s] -= self.asked_kbps(cell, place.satellite, place.slices);
        self.give_room(s, k, place.beam, place.slices);
        place
    }

    /// Changes a slot's slices within its beam.
    fn resize(&mut self, slot: usize, slices: u8) {
        let (cell, k) = (slot / self.channels, slot % self.channels);
        let place = self.places[slot];
        let s = place.satellite as usize;
        self.load[s] -= self.asked_kbps(cell, place.satellite, place.slices);
        self.load[s] += self.asked_kbps(cell, place.satellite, slices);
        self.places[slot].slices = slices;
        self.got[cell] = self.got[cell] - u32::from(place.slices) + u32::from(slices);
        if slices > place.slices {
            self.take_room(s, k, place.beam, slices - place.slices);
        } else {
            self.give_room(s, k, place.beam, place.slices - slices);
        }
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
                    Near::None => Near::One { beam: place.beam, slot: slot as u32, slots: 1 },
                    Near::One { beam, slot, slots } if beam == place.beam => Near::One { beam, slot, slots: slots + 1 },
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
                let cost = (((missing * 2 + alone) * 2 + fresh) * 256 + over) * 8192 + crowd.min(8191);
                if best.is_none_or(|(c, _)| cost < c) {
                    best = Some((cost, Spot { channel: k as u8, beam: b as u8, slices }));
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
            let mut best: Option<(f32, u32)> = None;
            for (i, &s) in range.clone().zip(reach.satellites.row(cell)) {
                let open = self.open[s as usize] & !self.taken[cell];
                let open = if self.slices == 1 { open & !self.scratch.near[s as usize] } else { open };
                if open == 0 || self.budget[s as usize] == 0 {
                    continue;
                }
                let cost = self.pressure[s as usize] - PREFERENCE_WEIGHT / 255.0 * f32::from(reach.preference[i]);
                if best.is_none_or(|(c, _)| cost < c) && !refused.contains(&s) {
                    best = Some((cost, s));
                }
            }
            let Some((_, s)) = best else { break false };
            if let Some(spot) = self.spot(cell, s, want, want) {
                self.place(cell, s, spot);
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

    fn forget_searches(&mut self) {
        self.scratch.visited.fill(false);
    }

    /// Finds room for one more slice of a cell by moving others, along a shortest path.
    ///
    /// # Algorithm
    /// 1. Breadth first from the cell. A step looks at each channel of each satellite in reach. If nothing is in the way
    ///    there, the path ends. If exactly one slot is (its beam is needed, or it belongs to a neighbour, or it is the
    ///    cell's own on that channel), that slot is displaced and is the next to look for room.
    /// 2. With [`Ending::Surplus`] the path also ends at a slot whose cell has another, or that can give up a slice.
    /// 3. The path is carried out: all displaced slots are lifted, then each is put in its new place, rules checked again,
    ///    for steps of one path may touch each other. If one does not fit, everything is put back.
    fn augment(&mut self, cell: usize, ending: Ending) -> bool {
        let mut search = Search { root: cell, ending, steps: core::mem::take(&mut self.scratch.steps) };
        search.steps.clear();
        search.steps.push(Step { slot: NONE, parent: NONE, satellite: NONE, channel: 0 });
        let mut found = false;
        let mut head = 0;
        while head < search.steps.len() && head < SEARCH_LIMIT && !found {
            let (mover, _) = search.mover(self, head);
            self.approach(mover);
            found = self.expand(head, &mut search);
            self.leave();
            head += 1;
        }
        if found {
            // What a successful search saw may still lead somewhere.
            for step in search.steps.iter().filter(|s| s.slot != NONE) {
                self.scratch.visited[step.slot as usize] = false;
            }
        }
        self.scratch.steps = search.steps;
        found
    }

    /// Looks for room for what a step displaced; true if a path was found and carried out.
    fn expand(&mut self, head: usize, search: &mut Search) -> bool {
        let instance = self.instance;
        let own = search.steps[head].slot;
        let (cell, want) = search.mover(self, head);
        for &satellite in instance.reach.satellites.row(cell) {
            let s = satellite as usize;
            if self.budget[s] == 0 {
                continue;
            }
            for k in 0..self.channels {
                let here = (cell * self.channels + k) as u32;
                let holder = self.places[here as usize].satellite;
                let near = match self.scratch.near[s] >> k & 1 {
                    0 => Near::None,
                    _ => self.neighbours_on(cell, satellite, k),
                };
                let mut step = Step { slot: NONE, parent: head as u32, satellite, channel: k as u8 };
                let room = self.beam_with_room(s, k, want, near).is_some();
                if holder != NONE {
                    // The cell's own slot on this channel would have to go elsewhere, unless it is what moves.
                    if holder == satellite || (own != here && (!room || self.scratch.visited[here as usize])) {
                        continue;
                    }
                    if own != here {
                        self.scratch.visited[here as usize] = true;
                        step.slot = here;
                        search.steps.push(step);
                        continue;
                    }
                }
                if room {
                    search.steps.push(step);
                    if self.carry_out(search) {
                        return true;
                    }
                    search.steps.pop();
                    continue;
                }
                for b in 0..self.beams as u8 {
                    let beam = self.beam(s, k, b);
                    for h in beam * self.slices..(beam + 1) * self.slices {
                        let slot = self.holders[h];
                        if slot == NONE || !near.fits_without(b, slot, self.slices) {
                            continue;
                        }
                        let place = self.places[slot as usize];
                        let surplus = search.ending == Ending::Surplus
                            && (place.slices > 1 || self.taken[slot as usize / self.channels].count_ones() > 1);
                        if self.room[beam] + place.slices < want || (self.scratch.visited[slot as usize] && !surplus) {
                            continue;
                        }
                        self.scratch.visited[slot as usize] = true;
                        step.slot = slot;
                        search.steps.push(step);
                        if surplus && self.carry_out(search) {
                            return true;
                        }
                    }
                }
            }
        }
        false
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
        let movers: Vec<(usize, u8)> =
            path.iter().map(|&i| search.mover(self, search.steps[i].parent as usize)).collect();
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
            let Some(beam) = self.beam_with_room(s, k, want, near) else { return false };
            self.place(cell, step.satellite, Spot { channel: step.channel, beam, slices: want });
            put.push(cell * self.channels + k);
            true
        }) && (last.slot == NONE || self.return_rest(last.slot, lifted[lifted.len() - 1].1));
        if !fits {
            for &slot in put.iter().rev() {
                self.remove(slot);
            }
            for &(slot, Place { satellite, beam, slices }) in lifted.iter().rev() {
                let (cell, k) = (slot as usize / self.channels, slot as usize % self.channels);
                self.place(cell, satellite, Spot { channel: k as u8, beam, slices });
            }
        }
        fits
    }

    /// Puts back what is left of the beam from which a path took its room; false if its cell would be left with nothing.
    fn return_rest(&mut self, slot: u32, was: Place) -> bool {
        let (cell, k) = (slot as usize / self.channels, slot as usize % self.channels);
        let s = was.satellite as usize;
        let slices = self.room[self.beam(s, k, was.beam)].min(was.slices);
        if slices > 0 && self.taken[cell] >> k & 1 == 0 && self.neighbours_on(cell, was.satellite, k).fits(was.beam) {
            self.place(cell, was.satellite, Spot { channel: k as u8, beam: was.beam, slices });
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
    steps: Vec<Step>,
}

impl Search {
    /// The cell that has to be placed after a step, and with how many slices.
    fn mover(&self, board: &Board<'_>, step: usize) -> (usize, u8) {
        match self.steps[step].slot {
            NONE => (self.root, 1),
            slot => (slot as usize / board.channels, board.places[slot as usize].slices),
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
            Self::One { slot: theirs, slots: 1, .. } => theirs == slot || slices > 1 && self.fits(beam),
            _ => self.fits(beam),
        }
    }
}

fn bits(mask: u32) -> impl Iterator<Item = usize> {
    core::iter::successors((mask != 0).then_some(mask), |m| Some(m & (m - 1)).filter(|&m| m != 0))
        .map(|m| m.trailing_zeros() as usize)
}
