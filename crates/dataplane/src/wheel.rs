//! A timing wheel that keeps exact order: events come out by time to the nanosecond, and in the order of their insertion
//! where times are equal. A bitmap finds the next used slot, a slot is sorted when it is reached, and what lies beyond
//! the wheel's span waits in a heap. Slots are lists of small chunks, so that a busy wheel walks few cache lines and a
//! quiet one needs little memory.

use core::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

/// log2 of a slot's length in ns: 8.2 µs. Around this length the slots of a busy wheel hold a few events each.
const SLOT_BITS: u32 = 13;
/// The wheel spans 268 ms, longer than a path through many lasers to the far side of the Earth and the queue before it.
const SLOTS: usize = 1 << 15;
/// Events in a chunk: with the engine's events of 24 bytes a chunk is 128 bytes, two cache lines.
const CHUNK: usize = 5;
/// No chunk.
const NONE: u32 = u32::MAX;

/// A queue of events by time. Times are nanoseconds on any one scale.
#[derive(Debug)]
pub struct Wheel<T> {
    /// Slot number (time >> SLOT_BITS) up to which everything is in `current`.
    cursor: i64,
    /// What is due up to the end of the slot at `cursor`, earliest first.
    current: VecDeque<Event<T>>,
    /// The newest chunk of each slot in (cursor, cursor + SLOTS].
    slots: Box<[u32]>,
    /// A bit for each slot that holds something, and a bit for each word of those bits that is not 0.
    used: [u64; SLOTS / 64],
    used_words: [u64; SLOTS / 64 / 64],
    chunks: Vec<Chunk<T>>,
    free: u32,
    /// What lies beyond cursor + SLOTS.
    overflow: BinaryHeap<Far<T>>,
    /// Events that ever went there.
    overflowed: u64,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Event<T> {
    due: i64,
    value: T,
}

/// Events of one slot in the order of their insertion.
#[derive(Debug)]
struct Chunk<T> {
    events: [Event<T>; CHUNK],
    len: u32,
    /// The chunk before this one in its slot, or the next free one.
    older: u32,
}

/// An event with its place in the order of insertion.
#[derive(Debug)]
struct Far<T> {
    event: Event<T>,
    order: u64,
}

impl<T: Copy> Wheel<T> {
    /// A wheel without events.
    pub fn new() -> Self {
        Self {
            cursor: i64::MIN >> SLOT_BITS,
            current: VecDeque::new(),
            slots: vec![NONE; SLOTS].into_boxed_slice(),
            used: [0; SLOTS / 64],
            used_words: [0; SLOTS / 64 / 64],
            chunks: Vec::new(),
            free: NONE,
            overflow: BinaryHeap::new(),
            overflowed: 0,
            len: 0,
        }
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an event. A time that has gone by already is fine: it comes out next.
    pub fn push(&mut self, due: i64, value: T) {
        self.len += 1;
        self.place(Event { due, value });
    }

    /// Takes out the earliest event that is due at `limit` or before.
    pub fn pop(&mut self, limit: i64) -> Option<(i64, T)> {
        loop {
            if let Some(&event) = self.current.front() {
                if event.due > limit {
                    return None;
                }
                self.current.pop_front();
                self.len -= 1;
                return Some((event.due, event.value));
            }
            let far = || Some(self.overflow.peek()?.event.due >> SLOT_BITS);
            match self.next_slot().or_else(far) {
                Some(slot) if slot <= limit >> SLOT_BITS => self.advance(slot),
                _ => {
                    // Nothing is due: follow the time, so that the wheel's span lies ahead of it.
                    self.advance(self.cursor.max(limit >> SLOT_BITS));
                    return None;
                }
            }
        }
    }

    /// When the earliest event is due.
    pub fn next_due(&self) -> Option<i64> {
        if let Some(event) = self.current.front() {
            return Some(event.due);
        }
        let Some(slot) = self.next_slot() else {
            return Some(self.overflow.peek()?.event.due);
        };
        let mut due = i64::MAX;
        let mut at = self.slots[index(slot)];
        while at != NONE {
            let chunk = &self.chunks[at as usize];
            let events = &chunk.events[..chunk.len as usize];
            due = events.iter().fold(due, |due, event| due.min(event.due));
            at = chunk.older;
        }
        Some(due)
    }

    /// Moves the cursor to `slot`, before which all slots are empty, and takes up what comes into reach.
    fn advance(&mut self, slot: i64) {
        if slot == self.cursor {
            return;
        }
        self.cursor = slot;
        let index = index(slot);
        let mut at = core::mem::replace(&mut self.slots[index], NONE);
        if at != NONE {
            self.used[index / 64] &= !(1 << (index % 64));
            if self.used[index / 64] == 0 {
                self.used_words[index / 4096] &= !(1 << (index / 64 % 64));
            }
            while at != NONE {
                let chunk = &mut self.chunks[at as usize];
                let events = &chunk.events[..chunk.len as usize];
                self.current.extend(events.iter().rev());
                let older = core::mem::replace(&mut chunk.older, self.free);
                self.free = at;
                at = older;
            }
            let current = self.current.make_contiguous();
            current.reverse();
            // Stable: equal times stay in the order of insertion.
            current.sort_by_key(|event| event.due);
        }
        while let Some(far) = self.overflow.peek()
            && far.event.due >> SLOT_BITS <= slot + SLOTS as i64
        {
            // Before anything is placed in its slot directly, which is in reach only from now on: order is kept.
            let far = self.overflow.pop().expect("peeked at");
            self.place(far.event);
        }
    }

    fn place(&mut self, event: Event<T>) {
        let slot = event.due >> SLOT_BITS;
        if slot <= self.cursor {
            let at = self.current.partition_point(|e| e.due <= event.due);
            self.current.insert(at, event);
        } else if slot - self.cursor <= SLOTS as i64 {
            self.append(index(slot), event);
        } else {
            let order = self.overflowed;
            self.overflowed += 1;
            self.overflow.push(Far { event, order });
        }
    }

    /// Adds an event to a slot.
    fn append(&mut self, index: usize, event: Event<T>) {
        let newest = self.slots[index];
        if let Some(chunk) = self.chunks.get_mut(newest as usize)
            && (chunk.len as usize) < CHUNK
        {
            chunk.events[chunk.len as usize] = event;
            chunk.len += 1;
            return;
        }
        if self.free == NONE {
            self.free = u32::try_from(self.chunks.len()).expect("fewer than 2^32 events");
            let events = [event; CHUNK];
            self.chunks.push(Chunk {
                events,
                len: 0,
                older: NONE,
            });
        }
        let chunk = &mut self.chunks[self.free as usize];
        chunk.events[0] = event;
        chunk.len = 1;
        self.slots[index] = self.free;
        self.free = core::mem::replace(&mut chunk.older, newest);
        self.used[index / 64] |= 1 << (index % 64);
        self.used_words[index / 4096] |= 1 << (index / 64 % 64);
    }

    /// Number of the first used slot after the cursor.
    fn next_slot(&self) -> Option<i64> {
        let first = index(self.cursor + 1);
        let found = self.used_from(first).or_else(|| self.used_from(0))?;
        Some(self.cursor + 1 + (found.wrapping_sub(first) % SLOTS) as i64)
    }

    /// Index of the first used slot from `index` on.
    fn used_from(&self, index: usize) -> Option<usize> {
        let word = index / 64;
        let bits = self.used[word] & (u64::MAX << (index % 64));
        if bits != 0 {
            return Some(word * 64 + bits.trailing_zeros() as usize);
        }
        let next = word + 1;
        let mut mask = u64::MAX << (next % 64);
        for (i, &words) in self.used_words.iter().enumerate().skip(next / 64) {
            if words & mask != 0 {
                let word = i * 64 + (words & mask).trailing_zeros() as usize;
                return Some(word * 64 + self.used[word].trailing_zeros() as usize);
            }
            mask = u64::MAX;
        }
        None
    }
}

fn index(slot: i64) -> usize {
    slot as usize % SLOTS
}

impl<T: Copy> Default for Wheel<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The earliest is the greatest: `BinaryHeap` gives the greatest first.
impl<T> Ord for Far<T> {
    fn cmp(&self, o: &Self) -> Ordering {
        (o.event.due, o.order).cmp(&(self.event.due, self.order))
    }
}

impl<T> PartialOrd for Far<T> {
    fn partial_cmp(&self, o: &Self) -> Option<Ordering> {
        Some(self.cmp(o))
    }
}

impl<T> PartialEq for Far<T> {
    fn eq(&self, o: &Self) -> bool {
        self.cmp(o) == Ordering::Equal
    }
}

impl<T> Eq for Far<T> {}
