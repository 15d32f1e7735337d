//! `skyweave plan`: epochs without packets.

use super::check::SCENARIO_NOTE;
use super::summary::{Summary, percent, thousands};
use super::{ScenarioSource, parse_time, planner_pool, progress};
use crate::cli;
use anyhow::{Context, Result};
use skyweave_base::EpochNumber;
use skyweave_plan::{Checker, Plan, Planner};
use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

/// Plans epochs one after the other, each knowing the one before.
pub(crate) fn plan(args: &cli::Plan) -> Result<ExitCode> {
    let source = ScenarioSource::find(&args.scenario.scenario)?;
    let start = args.start.as_deref().map(parse_time).transpose()?;
    let mut world = source.load(start)?;
    if let Some(preference) = args.scenario.preference {
        world.prefer(preference.into());
    }
    let first = world.first_epoch();
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)
            .and_then(|()| {
                std::fs::write(
                    folder.join(SCENARIO_NOTE),
                    format!("{}\n", source.absolute_name()),
                )
            })
            .with_context(|| format!("cannot write into the folder {}", folder.display()))?;
    }
    let mut out = std::io::stdout().lock();
    if !args.json {
        writeln!(out, "{}", world.summary())?;
    }
    let bar = progress(args.epochs, "planning");
    let pool = planner_pool(args.threads)?;
    let (mut planner, mut checker) = (Planner::default(), Checker::default());
    let mut previous: Option<Plan> = None;
    let mut broken_rules = 0;
    for i in 0..args.epochs {
        let epoch = EpochNumber(first.0 + i as i64);
        let begun = Instant::now();
        let inputs = pool.install(|| world.inputs(epoch));
        let plan = pool.install(|| planner.plan(&inputs, previous.as_ref()));
        let summary = Summary::of(&plan, Some(begun.elapsed().as_secs_f64() * 1e3));
        if let Some(folder) = &args.out {
            let path = folder.join(format!("{}.plan", plan.epoch));
            std::fs::write(&path, plan.to_cbor())
                .with_context(|| format!("cannot write the plan {}", path.display()))?;
        }
        bar.inc(1);
        bar.suspend(|| -> Result<()> {
            match args.json {
                true => writeln!(out, "{}", serde_json::to_string(&summary)?)?,
                false => writeln!(out, "{}", for_people(&summary))?,
            }
            if args.check {
                let broken = pool.install(|| checker.check(&inputs, &plan));
                broken_rules += broken.len();
                for violation in &broken {
                    eprintln!("epoch {epoch}: {violation}");
                }
            }
            Ok(())
        })?;
        previous = Some(plan);
    }
    bar.finish_and_clear();
    if broken_rules > 0 {
        anyhow::bail!("{broken_rules} rules are broken");
    }
    Ok(ExitCode::SUCCESS)
}

fn for_people(s: &Summary) -> String {
    let mut text = format!(
        "epoch {}  {}  planned in {:.0} ms  hash {}\n  satellites {} of {} in service   gateways {}   slots {}\n  \
         cells {} of {} served ({})   terminals {} of {} ({})   live {} of {}\n  \
         delivered {:.1} of {:.1} Gbit/s asked ({})   terminals moved {}",
        s.epoch,
        s.start,
        s.planning_ms.unwrap_or(0.0),
        &s.plan_hash[..16.min(s.plan_hash.len())],
        thousands(s.satellites_serving as u64),
        thousands(u64::from(s.satellites_in_service)),
        s.gateways_used,
        thousands(s.slots_assigned as u64),
        thousands(s.cells_served as u64),
        thousands(s.cells_with_demand as u64),
        percent(s.cells_served as u64, s.cells_with_demand as u64),
        thousands(s.terminals_served),
        thousands(s.terminals),
        percent(s.terminals_served, s.terminals),
        s.live_terminals_served,
        s.live_terminals,
        s.delivered_gbps,
        s.demand_gbps,
        percent(s.delivered_gbps as u64, s.demand_gbps as u64),
        thousands(s.moved_terminals),
    );
    for (reason, cells) in &s.unserved {
        let terminals = s.unserved_terminals.get(reason).copied().unwrap_or(0);
        text += &format!(
            "\n  unserved, {reason}: {} cells, {} terminals",
            thousands(*cells as u64),
            thousands(terminals)
        );
    }
    text
}
