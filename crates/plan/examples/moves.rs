//! What it costs not to move terminals: capacity against the share of terminals that change satellite at a boundary.
//!
//! `cargo run --release -p skyweave-plan --example moves -- docs/moves.svg` prints the table of docs/planner.md and draws it.
//!
//! Of the previous plan a part of the cells is kept and the rest planned anew; the part goes from nothing (unrestricted
//! re-planning) to everything (the planner as it is).

#![allow(clippy::disallowed_methods)] // Examples write files.

#[path = "../tests/common/chart.rs"]
mod chart;
#[path = "../tests/common/region.rs"]
#[allow(dead_code)]
mod region;
#[path = "../tests/common/world.rs"]
#[allow(dead_code)]
mod world;

use region::{ASKS_KBPS, UKRAINE_AND_NEIGHBOURS};
use skyweave_base::{CellId, SatId, Seed};
use skyweave_plan::{Plan, Planner, Slot};
use std::collections::BTreeSet;
use world::World;

/// Boundaries counted for each point, after others that let the chain of plans settle.
const EPOCHS: i64 = 12;
const SETTLING: i64 = 6;
/// Sixteenths of the cells that are kept.
const KEPT: [u64; 5] = [0, 8, 12, 14, 16];

fn main() {
    println!(
        "ask Mbit/s, kept %, moved % at a boundary, delivered % of unrestricted, delivered % of asked"
    );
    let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole as f64;
    let mut lines = Vec::new();
    for ask_kbps in ASKS_KBPS {
        let world = UKRAINE_AND_NEIGHBOURS.world(ask_kbps);
        let mut unrestricted = None;
        let mut points = Vec::new();
        for kept in KEPT {
            let sums = chain(&world, kept);
            let best = *unrestricted.get_or_insert(sums.delivered_kbps);
            let point = (
                percent(sums.moved, sums.terminals),
                percent(sums.delivered_kbps, best),
            );
            println!(
                "{}, {:.1}, {:.1}, {:.2}, {:.2}",
                ask_kbps / 1000,
                percent(kept, 16),
                point.0,
                point.1,
                percent(sums.delivered_kbps, sums.asked_kbps),
            );
            points.push(point);
        }
        lines.push((format!("{} Mbit/s each", ask_kbps / 1000), points));
    }
    if let Some(file) = std::env::args().nth(1) {
        let svg = chart::lines(&chart::Chart {
            title: "What staying costs: Ukraine and six neighbours",
            x: ("terminals moved at a boundary, %", 0.0..100.0),
            y: ("delivered, % of unrestricted", 94.0..101.0),
            scale: chart::Scale::Linear,
            lines: &lines,
        });
        std::fs::write(file, svg).expect("the file can be written");
    }
}

/// Sums over the epochs that count.
#[derive(Default)]
struct Sums {
    moved: u64,
    terminals: u64,
    delivered_kbps: u64,
    asked_kbps: u64,
}

/// Epochs one after the other, each starting from so many sixteenths of the cells of the one before.
fn chain(world: &World, kept: u64) -> Sums {
    let mut planner = Planner::default();
    let mut previous: Option<Plan> = None;
    let mut sums = Sums::default();
    for n in 0..SETTLING + EPOCHS {
        let epoch = Seed::root(1).child("epoch", n as u64);
        let is_kept = |slot: &Slot| epoch.child("cell", slot.cell.0).rng().next_u64() % 16 < kept;
        let start_from = previous.clone().map(|mut plan| {
            plan.slots.retain(is_kept);
            plan
        });
        let plan = planner.plan(&world.inputs(n), start_from.as_ref());
        if let Some(previous) = previous.filter(|_| n >= SETTLING) {
            sums.moved += moves(&previous, &plan);
            sums.terminals += (plan.slots.iter())
                .map(|s| u64::from(s.terminals))
                .sum::<u64>();
            sums.delivered_kbps += plan.cells.iter().map(|c| c.delivered_kbps).sum::<u64>();
            sums.asked_kbps += plan.cells.iter().map(|c| c.demand_kbps).sum::<u64>();
        }
        previous = Some(plan);
    }
    sums
}

/// Terminals on satellites that their cell had no slot of before.
fn moves(previous: &Plan, now: &Plan) -> u64 {
    let had: BTreeSet<(CellId, SatId)> = (previous.slots.iter())
        .map(|s| (s.cell, s.satellite))
        .collect();
    (now.slots.iter())
        .filter(|s| !had.contains(&(s.cell, s.satellite)))
        .map(|s| u64::from(s.terminals))
        .sum()
}
