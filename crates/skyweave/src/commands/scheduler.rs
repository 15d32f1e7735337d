//! `skyweave scheduler compare`: the planner's choices beside those that were measured at a real terminal.

use super::{ScenarioSource, planner_pool, spinner};
use crate::cli;
use anyhow::{Context, Result};
use serde_json::json;
use skyweave_world::{Comparison, Measured, OCTANTS, Shares};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn scheduler(command: &cli::SchedulerCommand) -> Result<ExitCode> {
    match command {
        cli::SchedulerCommand::Compare(args) => compare(args),
    }
}

fn compare(args: &cli::SchedulerCompare) -> Result<ExitCode> {
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (choice, dwell) = (read(&args.choice)?, read(&args.dwell)?);
    let measured = Measured::parse(
        (&args.choice.to_string_lossy(), &choice),
        (&args.dwell.to_string_lossy(), &dwell),
    )?;
    let place = skyweave_world::find_place(&args.at)?.position;
    let world = ScenarioSource::find(&args.scenario)?.load(None)?;
    let pool = planner_pool(args.threads)?;
    let bar = spinner(&format!("planning {} epochs", args.epochs));
    let comparison = pool.install(|| {
        skyweave_world::compare(
            &world,
            place,
            &measured,
            args.preference.into(),
            args.epochs,
        )
    });
    bar.finish_and_clear();
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", as_json(&comparison))?;
    } else {
        write!(out, "{}", for_people(&comparison, args.epochs))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A heading, what is under it, and how its bins are called.
type Table<'a> = (&'static str, &'a Shares, fn(u32) -> String);

fn tables(comparison: &Comparison) -> [Table<'_>; 4] {
    let degrees: fn(u32) -> String = |bin| format!("{bin}-{}", bin + 5);
    let octant: fn(u32) -> String = |i| OCTANTS.get(i as usize).unwrap_or(&"?").to_string();
    [
        (
            "candidates by elevation, degrees",
            &comparison.candidates,
            degrees,
        ),
        (
            "chosen by elevation, degrees",
            &comparison.elevation,
            degrees,
        ),
        ("chosen by azimuth", &comparison.azimuth, octant),
        ("stays by epochs of 15 s", &comparison.dwell, |n| {
            n.to_string()
        }),
    ]
}

fn for_people(comparison: &Comparison, epochs: u32) -> String {
    let mut text = format!("served in {} of {epochs} epochs\n", comparison.served);
    for (name, shares, label) in tables(comparison) {
        text += &format!(
            "\n{name}: total-variation distance {:.3}\n  {:>8} {:>10} {:>10}\n",
            shares.total_variation(),
            "",
            "measured",
            "planned"
        );
        for &(bin, measured, planned) in &shares.bins {
            let (measured, planned) = (100.0 * measured, 100.0 * planned);
            text += &format!("  {:>8} {measured:>9.1}% {planned:>9.1}%\n", label(bin));
        }
    }
    text
}

fn as_json(comparison: &Comparison) -> serde_json::Value {
    let table = |shares: &Shares, label: fn(u32) -> String| {
        let bins = shares.bins.iter();
        let bins: Vec<_> = bins
            .map(|&(bin, measured, planned)| {
                json!({ "bin": label(bin), "measured": measured, "planned": planned })
            })
            .collect();
        json!({ "total_variation": shares.total_variation(), "bins": bins })
    };
    let [candidates, elevation, azimuth, dwell] =
        tables(comparison).map(|(_, shares, label)| table(shares, label));
    json!({
        "served_epochs": comparison.served,
        "candidates_by_elevation_deg": candidates,
        "chosen_by_elevation_deg": elevation,
        "chosen_by_azimuth": azimuth,
        "stays_by_epochs": dwell,
    })
}
