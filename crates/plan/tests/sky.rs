//! Plans of the real sky.

mod common;

use skyweave_plan::{Plan, Planner, plan};
use std::time::Instant;

#[test]
#[ignore]
fn profile_world() {
    let world = common::World::new(10_000_000, 2_000, |_| true);
    let mut planner = Planner::default();
    let mut previous: Option<Plan> = None;
    for n in 0..std::env::var("N").map_or(4, |n| n.parse().unwrap()) {
        let inputs = world.inputs(n);
        let started = Instant::now();
        let plan = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| { planner.plan(&inputs, previous.as_ref())});
        let spent = started.elapsed();
        let served = plan.cells.iter().filter(|c| c.unserved.is_none()).count();
        let delivered: u64 = plan.cells.iter().map(|c| c.delivered_kbps).sum();
        let asked: u64 = plan.cells.iter().map(|c| c.demand_kbps).sum();
        let mut reasons = std::collections::BTreeMap::new();
        plan.cells.iter().filter_map(|c| c.unserved).for_each(|r| *reasons.entry(r).or_insert(0) += 1);
        eprintln!("{} ms: {} sats {served} of {} cells {} slots {:.1} of {:.1} Gbit/s moved {} {:?} landings {} hops {:.2} lasers {}",
            spent.as_millis(), plan.satellites_in_service, plan.cells.len(), plan.slots.len(), delivered as f64/1e6, asked as f64/1e6, plan.moved_terminals, reasons,
            plan.landings.len(), plan.landings.iter().map(|l| l.kbps as f64 * (l.path.len()-1) as f64).sum::<f64>() / delivered as f64, inputs.lasers.len());
        if std::env::var_os("CHECK").is_some() {
            let started = Instant::now();
            let violations = skyweave_plan::check(&inputs, &plan);
            eprintln!("check: {} violations in {} ms", violations.len(), started.elapsed().as_millis());
            for v in violations.iter().take(12) { eprintln!("   {v}"); }
        }
        let mut gw = 0u64; for g in inputs.gateways.iter() { gw += g.antennas as u64 * inputs.profile.feeder.antenna_kbps; }
        eprintln!("gateways {} capacity {:.1} feeders {} full {}", inputs.gateways.len(), gw as f64/1e6, plan.feeders.len(), plan.feeders.iter().filter(|f| f.kbps == inputs.profile.feeder.antenna_kbps).count());
        let radio: u64 = plan.slots.iter().map(|s| u64::from(s.radio_kbps)).sum();
        eprintln!("radio {:.1}", radio as f64/1e6);
        previous = Some(plan);
    }
}
