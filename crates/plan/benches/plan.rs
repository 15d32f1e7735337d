//! Planning time: the national instances, a country and the world's cells on the real sky, from scratch and epoch after epoch.

#![allow(clippy::disallowed_methods)] // Benches take the time.

#[path = "../tests/common/national.rs"]
#[allow(dead_code)]
mod national;
#[path = "../tests/common/world.rs"]
#[allow(dead_code)]
mod world;

use criterion::{Criterion, criterion_group, criterion_main};
use skyweave_base::Geodetic;
use skyweave_plan::{Checker, Inputs, Kept, Plan, Planner, solve};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Epochs that follow the first before the chain of plans starts again.
const EPOCHS: usize = 7;

/// Beams and flow alone, of what the files say stands in reach.
fn solve_national(c: &mut Criterion) {
    for name in NATIONAL {
        if let Some(national) = national::National::read(name) {
            let instance = national.instance();
            c.bench_function(&format!("solve/{name}"), |b| {
                b.iter(|| black_box(solve(black_box(&instance), &Kept::default())));
            });
        }
    }
}

const NATIONAL: [&str; 2] = ["britain_200000", "lithuania_50000"];

/// What everybody waits for: from elements to a plan that the checker has passed.
struct Work<'a> {
    inputs: &'a (dyn Fn(i64) -> Inputs + Sync),
    planner: Planner,
    checker: Checker,
}

impl<'a> Work<'a> {
    fn on(inputs: &'a (dyn Fn(i64) -> Inputs + Sync)) -> Self {
        Self {
            inputs,
            planner: Planner::default(),
            checker: Checker::default(),
        }
    }

    fn checked_plan(&mut self, epoch: usize, previous: Option<&Plan>) -> Plan {
        let inputs = (self.inputs)(epoch as i64);
        let plan = self.planner.plan(&inputs, previous);
        assert!(self.checker.check(&inputs, &plan).is_empty());
        plan
    }

    fn chain(&mut self) -> Vec<Plan> {
        let mut plans = vec![self.checked_plan(0, None)];
        for epoch in 1..=EPOCHS {
            let next = self.checked_plan(epoch, plans.last());
            plans.push(next);
        }
        plans.iter().for_each(summary);
        plans
    }

    /// Times epochs that follow each other: from each plan of a chain to the next.
    fn next_epochs(&mut self, b: &mut criterion::Bencher<'_>, plans: &[Plan]) {
        b.iter_custom(|n| {
            (0..n as usize)
                .map(|i| i % (plans.len() - 1))
                .map(|i| {
                    let started = Instant::now();
                    black_box(self.checked_plan(i + 1, Some(&plans[i])));
                    started.elapsed()
                })
                .sum()
        });
    }
}

/// A thousand cells. One thread: what is measured is processor time.
fn small(c: &mut Criterion, name: &str, inputs: &(dyn Fn(i64) -> Inputs + Sync)) {
    let one_thread = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let mut work = Work::on(inputs);
    let plans = work.chain();
    let mut group = c.benchmark_group("elements to checked plan");
    group.bench_function(format!("{name}, from scratch, one thread"), |b| {
        one_thread.install(|| b.iter(|| black_box(work.checked_plan(0, None))));
    });
    group.bench_function(format!("{name}, next epoch, one thread"), |b| {
        one_thread.install(|| work.next_epochs(b, &plans));
    });
    group.finish();
}

/// The published instances.
fn national(c: &mut Criterion) {
    for name in NATIONAL {
        if let Some(national) = national::National::read(name) {
            let sky = national.sky();
            small(c, name, &|n| sky.inputs(n));
        }
    }
}

/// A country in overload under the whole real sky and all gateways.
fn country(c: &mut Criterion) {
    let britain = |place: Geodetic| {
        (49.9..59.0).contains(&place.lat_deg()) && (-6.0..1.8).contains(&place.lon_deg())
    };
    let world = world::World::new(10_000_000, 20_000, britain);
    small(c, "a country", &|n| world.inputs(n));
}

fn world(c: &mut Criterion) {
    let world = world::World::new(10_000_000, 2_000, |_| true);
    let inputs = |n| world.inputs(n);
    let mut work = Work::on(&inputs);
    let plans = work.chain();
    let mut group = c.benchmark_group("elements to checked plan");
    group
        .sample_size(10)
        .measurement_time(Duration::from_secs(20));
    group.bench_function("world, from scratch", |b| {
        b.iter(|| black_box(work.checked_plan(0, None)));
    });
    group.bench_function("world, next epoch", |b| work.next_epochs(b, &plans));
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

criterion_group!(benches, solve_national, national, country, world);
criterion_main!(benches);
