//! `skyweave check`: everything that is wrong with a scenario or a plan.

use super::summary::Summary;
use super::{ScenarioSource, load, planner_pool};
use crate::cli;
use anyhow::{Context, Result, bail};
use skyweave_plan::Plan;
use skyweave_world::{Severity, World};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Checks what the argument names.
pub(crate) fn check(args: &cli::Check) -> Result<ExitCode> {
    let path = Path::new(&args.target);
    let toml_or_built_in = path.extension().is_some_and(|e| e == "toml") || !path.is_file();
    if toml_or_built_in {
        check_scenario(args)
    } else {
        check_plan(args)
    }
}

fn check_scenario(args: &cli::Check) -> Result<ExitCode> {
    let source = ScenarioSource::find(&args.target)?;
    let loaded = source.read(None);
    let (problems, summary) = match &loaded {
        Ok(world) => (world.warnings(), Some(world.summary())),
        Err(problems) => (problems.0.as_slice(), None),
    };
    let errors = problems
        .iter()
        .filter(|p| p.severity == Severity::Error)
        .count();
    let mut out = std::io::stdout().lock();
    if args.json {
        let told =
            serde_json::json!({"problems": problems, "summary": summary, "valid": errors == 0});
        writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
    } else {
        if let Some(summary) = summary {
            writeln!(out, "{summary}")?;
        }
        out.flush()?;
        for problem in problems {
            eprintln!("{problem}");
        }
    }
    match errors {
        0 => {
            if !args.json {
                writeln!(out, "{}: valid, {} warnings", args.target, problems.len())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        n => bail!("{}: {n} errors", args.target),
    }
}

fn check_plan(args: &cli::Check) -> Result<ExitCode> {
    let bytes =
        std::fs::read(&args.target).with_context(|| format!("cannot read {}", args.target))?;
    let plan = Plan::from_cbor(&bytes).with_context(|| args.target.clone())?;
    let scenario = match &args.scenario {
        Some(name) => name.clone(),
        None => beside(Path::new(&args.target))?,
    };
    let world: World = load(&scenario)?;
    let broken =
        planner_pool(None)?.install(|| skyweave_plan::check(&world.inputs(plan.epoch), &plan));
    let mut out = std::io::stdout().lock();
    if args.json {
        let list: Vec<_> = broken.iter().map(ToString::to_string).collect();
        let told = serde_json::json!({
            "plan_hash": plan.hash(), "scenario": scenario, "violations": list, "valid": broken.is_empty(),
            "summary": Summary::of(&plan, None),
        });
        writeln!(out, "{}", serde_json::to_string_pretty(&told)?)?;
    } else {
        writeln!(
            out,
            "plan of epoch {} ({}), hash {}, checked against `{scenario}`",
            plan.epoch,
            plan.start,
            plan.hash()
        )?;
        for violation in &broken {
            writeln!(out, "{violation}")?;
        }
    }
    if broken.is_empty() {
        if !args.json {
            writeln!(out, "no rule is broken")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    bail!("{}: {} rules broken", args.target, broken.len())
}

/// The scenario that `skyweave plan --out` noted in the folder of the plan.
fn beside(plan: &Path) -> Result<String> {
    let note = plan.with_file_name(SCENARIO_NOTE);
    let text = std::fs::read_to_string(&note).with_context(|| {
        format!(
            "a plan is checked against its scenario: say which with --scenario ({} is not there)",
            note.display()
        )
    })?;
    Ok(text.trim().to_owned())
}

/// Beside written plans stands the name of the scenario that they were made from.
pub(crate) const SCENARIO_NOTE: &str = "scenario.txt";
