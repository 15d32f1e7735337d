//! One direction of a beam: an exact pacer, and fair sharing among the terminals that have something to send.
//!
//! Sharing is self-clocked fair queueing (Golestani, INFOCOM 1994): the next packet is the one with the least finish tag,
//! tag = max(virtual time, the terminal's last tag) + length / weight, and virtual time is the tag in service. Between
//! any two backlogged terminals service differs from the weights' ratio by at most a packet each, for any ratio.
//!
//! Pacing is a virtual clock: a packet leaves as soon as the clock allows, and puts it on by length / rate. The share of
//! a beam is time on a radio that is far faster than the share, so a packet is not stretched: it waits for those before.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

const NANOS: u64 = 1_000_000_000;

#[derive(Debug)]
pub(crate) struct Server {
    rate_bps: u64,
    /// When the next packet may leave: `next_free_ns` and `fraction / rate_bps` ns.
    next_free_ns: i64,
    fraction: u64,
    /// The tag in service.
    virtual_time: u128,
    /// The head of each backlogged lane, by (tag, lane).
    waiting: BinaryHeap<Reverse<(u128, u32)>>,
    /// Whether a timer for it runs.
    pub(crate) armed: bool,
}

/// A lane's claim on its server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    /// Tag of its last packet served or waiting.
    tag: u128,
    /// 2^48 / weight: with weights up to 10 Tbit/s the ratios hold to 1 in 28.
    per_byte: u64,
}

impl Share {
    pub(crate) fn new(weight_bps: u64) -> Self {
        Self {
            tag: 0,
            per_byte: ((1 << 48) / weight_bps.max(1)).max(1),
        }
    }
}

impl Server {
    pub(crate) fn new(rate_bps: u64) -> Self {
        Self {
            rate_bps,
            next_free_ns: i64::MIN,
            fraction: 0,
            virtual_time: 0,
            waiting: BinaryHeap::new(),
            armed: false,
        }
    }

    /// A lane has a packet of this length at its head and does not wait yet.
    pub(crate) fn wait(&mut self, lane: u32, share: &mut Share, bytes: usize) {
        let cost = u128::from(share.per_byte) * bytes as u128;
        share.tag = share.tag.max(self.virtual_time) + cost;
        self.waiting.push(Reverse((share.tag, lane)));
    }

    pub(crate) fn rate_bps(&self) -> u64 {
        self.rate_bps
    }

    /// When the next packet may leave, if one waits and ever can.
    pub(crate) fn next_free_ns(&self) -> Option<i64> {
        (!self.waiting.is_empty() && self.rate_bps > 0).then_some(self.next_free_ns)
    }

    /// The lane whose head leaves next; it waits no more.
    pub(crate) fn next(&mut self) -> Option<u32> {
        let Reverse((tag, lane)) = self.waiting.pop()?;
        self.virtual_time = tag;
        Some(lane)
    }

    /// A packet of this length leaves at `now_ns`.
    pub(crate) fn charge(&mut self, now_ns: i64, bytes: usize) {
        if self.next_free_ns < now_ns {
            self.next_free_ns = now_ns;
            self.fraction = 0;
        }
        // At most 2^32 bytes: 3.4e19 would overflow, but a packet has fewer than 2^17.
        let bit_nanos = bytes as u64 * 8 * NANOS + self.fraction;
        self.next_free_ns = self
            .next_free_ns
            .saturating_add((bit_nanos / self.rate_bps) as i64);
        self.fraction = bit_nanos % self.rate_bps;
    }
}
