//! Planning time: the national instances, and the world's cells on the real sky, from scratch and epoch after epoch.

#[path = "../tests/common/mod.rs"]
mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use skyweave_plan::{Plan, Planner};
use std::hint::black_box;
use std::time::{Duration, Instant};

fn world(c: &mut Criterion) {
    let world = common::World::new(10_000_000, 2_000, |_| true);
    let inputs: Vec<_> = (0..8).map(|n| world.inputs(n)).collect();
    let mut planner = Planner::default();
    let first = planner.plan(&inputs[0], None);
    let summary = |name: &str, plan: &Plan| {
        let served = plan.cells.iter().filter(|c| c.unserved.is_none()).count();
        let delivered: u64 = plan.cells.iter().map(|c| c.delivered_kbps).sum();
        let asked: u64 = plan.cells.iter().map(|c| c.demand_kbps).sum();
        eprintln!(
            "{name}: {} satellites, {served} of {} cells, {} slots, {:.1} of {:.1} Gbit/s, {} terminals moved",
            plan.satellites_in_service,
            plan.cells.len(),
            plan.slots.len(),
            delivered as f64 / 1e6,
            asked as f64 / 1e6,
            plan.moved_terminals
        );
    };
    summary("first epoch", &first);
    let mut group = c.benchmark_group("plan");
    group.sample_size(10).measurement_time(Duration::from_secs(20));
    group.bench_function("world, from scratch", |b| {
        b.iter(|| black_box(planner.plan(black_box(&inputs[0]), None)));
    });
    group.bench_function("world, next epoch", |b| {
        b.iter_custom(|n| {
            let mut spent = Duration::ZERO;
            let mut previous = first.clone();
            for i in 0..n as usize {
                let inputs = &inputs[1 + i % (inputs.len() - 1)];
                let started = Instant::now();
                let plan = planner.plan(inputs, Some(&previous));
                spent += started.elapsed();
                previous = if i % (inputs.satellites.len().min(7)) == 6 { first.clone() } else { plan };
            }
            spent
        });
    });
    group.finish();
    let mut plan = first;
    for inputs in &inputs[1..] {
        plan = planner.plan(inputs, Some(&plan));
        summary("next", &plan);
    }
}

criterion_group!(benches, world);
criterion_main!(benches);
