//! A steady flow allocates nothing: buffers, queues and the wheel are reused.

mod common;

use common::*;
use skyweave_dataplane::Port;
use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

/// The system's allocator, with a count.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// Safety: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_steady_flow_allocates_nothing() {
    let mut net = Net::new(3);
    // Two thirds of what comes up fits the beam: queues are full and packets are dropped, too.
    net.install(table(0, vec![beam(80_000_000)], vec![route(0, 20 * MS); 3]));
    let packets: Vec<_> = (0..3)
        .flat_map(|n| [up4(n, 1000, 0), up6(n, 200, 0)])
        .collect();
    let answers: Vec<_> = (0..3).map(|n| down4(n, 1400, 0)).collect();
    let mut delivered = 0;
    let mut second = |s: i64| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for i in 0..25_000 {
            let now = s * SECOND + i * 40_000;
            let n = i as usize % 6;
            net.send(now, terminal(n as u32 / 2), &packets[n]);
            net.send(now, Port::Pop, &answers[n / 2]);
            while let Some(t) = net.engine.poll(ns(now)) {
                delivered += black_box(t.packet).len();
            }
        }
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    // Buffers keep the capacity of the longest packet that they held, so it takes a while until each has held one.
    let first = second(0);
    let later = (1..8).map(&mut second).last();
    assert!(first > 100, "the count works: {first}");
    assert_eq!(later, Some(0));
    assert!(delivered > 0);
}
