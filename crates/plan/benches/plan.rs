//! Planning time: the national instances, and the world's cells on the real sky, from scratch and epoch after epoch.

#![allow(clippy::disallowed_methods)] // Benches take the time.

#[path = "../tests/common/national.rs"]
#[allow(dead_code)]
mod national;
#[path = "../tests/common/world.rs"]
#[allow(dead_code)]
mod world;

use criterion::{Criterion, criterion_group, criterion_main};
use skyweave_plan::{Kept, Plan, Planner, solve};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Epochs that follow the first before the chain of plans starts again.
const EPOCHS: usize = 7;

fn national(c: &mut Criterion) {
    for name in ["britain_200000", "lithuania_50000"] {
        if let Some(national) = national::National::read(name) {
            let instance = national.instance();
            c.bench_function(&format!("solve/{name}"), |b| {
                b.iter(|| black_box(solve(black_box(&instance), &Kept::default())));
            });
        }
    }
}

fn world(c: &mut Criterion) {
    let world = world::World::new(10_000_000, 2_000, |_| true);
    let inputs: Vec<_> = (0..=EPOCHS).map(|n| world.inputs(n as i64)).collect();
    let mut planner = Planner::default();
    let mut plans = vec![planner.plan(&inputs[0], None)];
    for inputs in &inputs[1..] {
        let next = planner.plan(inputs, plans.last());
        plans.push(next);
    }
    plans.iter().for_each(summary);
    let mut group = c.benchmark_group("plan");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(20));
    group.bench_function("world, from scratch", |b| {
        b.iter(|| black_box(planner.plan(black_box(&inputs[0]), None)));
    });
    group.bench_function("world, next epoch", |b| {
        b.iter_custom(|n| {
            (0..n as usize)
                .map(|i| {
                    let started = Instant::now();
                    black_box(planner.plan(&inputs[1 + i % EPOCHS], Some(&plans[i % EPOCHS])));
                    started.elapsed()
                })
                .sum()
        });
    });
    group.finish();
}

fn summary(plan: &Plan) {
    let served = plan.cells.iter().filter(|c| c.unserved.is_none()).count();
    let gbps = |kbps: u64| kbps as f64 / 1e6;
    let delivered: u64 = plan.cells.iter().map(|c| c.delivered_kbps).sum();
    let lasers: u64 = plan
        .landings
        .iter()
        .map(|l| l.kbps * (l.path.len() as u64 - 1))
        .sum();
    eprintln!(
        "epoch {}: {} satellites, {served} of {} cells, {} slots, {:.1} of {:.1} Gbit/s over {:.2} lasers, {} of {} \
         terminals moved",
        plan.epoch,
        plan.satellites_in_service,
        plan.cells.len(),
        plan.slots.len(),
        gbps(delivered),
        gbps(plan.cells.iter().map(|c| c.demand_kbps).sum()),
        lasers as f64 / delivered as f64,
        plan.moved_terminals,
        plan.cells
            .iter()
            .map(|c| u64::from(c.terminals))
            .sum::<u64>()
    );
}

criterion_group!(benches, national, world);
criterion_main!(benches);
