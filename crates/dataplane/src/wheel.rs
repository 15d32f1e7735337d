//! A timing wheel that keeps exact order: events come out by time to the nanosecond, and in the order of their insertion
//! where times are equal. A bitmap finds the next used slot, a slot is sorted when it is reached, and what lies beyond
//! the wheel's span waits in a heap.

use core::cmp::Ordering;
use std::collections::BinaryHeap;

/// log2 of a slot's length in ns: 8.2 µs. Around this length the slots of a busy wheel hold a few events each.
const SLOT_BITS: u32 = 13;
/// The wheel spans 268 ms, longer than a path through many lasers to the far side of the Earth and the queue before it.
const SLOTS: usize = 1 << 15;
const END: u32 = u32::MAX;

/// A queue of events by time. Times are nanoseconds on any one scale.
#[derive(Debug)]
pub struct Wheel<T> {
    /// Slot number (time >> SLOT_BITS) up to which everything is in `current`.
    cursor: i64,
    /// What is due up to the end of the slot at `cursor`, latest first.
    current: Vec<Event<T>>,
    /// Heads of the lists of the slots in (cursor, cursor + SLOTS].
    heads: Box<[u32]>,
    /// A bit for each slot that holds something, and a bit for each word of those bits that is not 0.
    used: [u64; SLOTS / 64],
    used_words: [u64; SLOTS / 64 / 64],
    nodes: Vec<Node<T>>,
    free: u32,
    /// What lies beyond cursor + SLOTS.
    overflow: BinaryHeap<Event<T>>,
    pushed: u64,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Event<T> {
    due: i64,
    /// Number of its insertion.
    order: u64,
    value: T,
}

#[derive(Debug)]
struct Node<T> {
    event: Event<T>,
    next: u32,
}

impl<T: Copy> Wheel<T> {
    /// A wheel without events.
    pub fn new() -> Self {
        Self {
            cursor: i64::MIN >> SLOT_BITS,
            current: Vec::new(),
            heads: vec![END; SLOTS].into_boxed_slice(),
            used: [0; SLOTS / 64],
            used_words: [0; SLOTS / 64 / 64],
            nodes: Vec::new(),
            free: END,
            overflow: BinaryHeap::new(),
            pushed: 0,
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
        let event = Event {
            due,
            order: self.pushed,
            value,
        };
        self.pushed += 1;
        self.len += 1;
        self.place(event);
    }

    /// Takes out the earliest event that is due at `limit` or before.
    pub fn pop(&mut self, limit: i64) -> Option<(i64, T)> {
        loop {
            if let Some(event) = self.current.last() {
                if event.due > limit {
                    return None;
                }
                let event = *event;
                self.current.pop();
                self.len -= 1;
                return Some((event.due, event.value));
            }
            let next = self
                .next_slot()
                .or_else(|| Some(self.overflow.peek()?.due >> SLOT_BITS));
            match next {
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
        if let Some(event) = self.current.last() {
            return Some(event.due);
        }
        let Some(slot) = self.next_slot() else {
            return Some(self.overflow.peek()?.due);
        };
        let mut node = self.heads[index(slot)];
        let mut due = i64::MAX;
        while node != END {
            let Node { event, next } = &self.nodes[node as usize];
            due = due.min(event.due);
            node = *next;
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
        let mut node = core::mem::replace(&mut self.heads[index], END);
        if node != END {
            self.used[index / 64] &= !(1 << (index % 64));
            if self.used[index / 64] == 0 {
                self.used_words[index / 64 / 64] &= !(1 << (index / 64 % 64));
            }
            while node != END {
                let slot = &mut self.nodes[node as usize];
                self.current.push(slot.event);
                let next = core::mem::replace(&mut slot.next, self.free);
                self.free = node;
                node = next;
            }
            self.current
                .sort_unstable_by_key(|e| core::cmp::Reverse((e.due, e.order)));
        }
        while self
            .overflow
            .peek()
            .is_some_and(|e| e.due >> SLOT_BITS <= slot + SLOTS as i64)
        {
            let event = self.overflow.pop().expect("peeked at");
            self.place(event);
        }
    }

    fn place(&mut self, event: Event<T>) {
        let slot = event.due >> SLOT_BITS;
        if slot <= self.cursor {
            let at = self
                .current
                .partition_point(|e| (e.due, e.order) > (event.due, event.order));
            self.current.insert(at, event);
        } else if slot - self.cursor <= SLOTS as i64 {
            let index = index(slot);
            let next = core::mem::replace(&mut self.heads[index], self.free);
            if self.free == END {
                self.heads[index] =
                    u32::try_from(self.nodes.len()).expect("fewer than 2^32 events");
                self.nodes.push(Node { event, next });
            } else {
                let node = &mut self.nodes[self.free as usize];
                self.free = node.next;
                *node = Node { event, next };
            }
            self.used[index / 64] |= 1 << (index % 64);
            self.used_words[index / 64 / 64] |= 1 << (index / 64 % 64);
        } else {
            self.overflow.push(event);
        }
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
impl<T> Ord for Event<T> {
    fn cmp(&self, o: &Self) -> Ordering {
        (o.due, o.order).cmp(&(self.due, self.order))
    }
}

impl<T> PartialOrd for Event<T> {
    fn partial_cmp(&self, o: &Self) -> Option<Ordering> {
        Some(self.cmp(o))
    }
}

impl<T> PartialEq for Event<T> {
    fn eq(&self, o: &Self) -> bool {
        (self.due, self.order) == (o.due, o.order)
    }
}

impl<T> Eq for Event<T> {}
