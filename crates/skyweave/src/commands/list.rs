//! `skyweave list`: what is built in.

use crate::cli;
use anyhow::Result;
use std::io::Write;
use std::process::ExitCode;

/// Prints the built-in scenarios and radio profiles.
pub(crate) fn list(args: &cli::List) -> Result<ExitCode> {
    let scenarios: Vec<(&str, String)> = skyweave_world::builtin_scenarios()
        .filter_map(|name| {
            Some((
                name,
                skyweave_world::description(skyweave_world::builtin_scenario(name)?),
            ))
        })
        .collect();
    let profiles: Vec<&str> = skyweave_radio::Profile::builtin_names().collect();
    let mut out = std::io::stdout().lock();
    if args.json {
        let scenarios: Vec<_> = scenarios
            .iter()
            .map(
                |(name, description)| serde_json::json!({"name": name, "description": description}),
            )
            .collect();
        writeln!(
            out,
            "{}",
            serde_json::json!({"scenarios": scenarios, "profiles": profiles})
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "scenarios (skyweave up NAME):")?;
    for (name, description) in scenarios {
        writeln!(out, "  {name:<28} {description}")?;
    }
    writeln!(out, "radio profiles ([radio] profile = NAME):")?;
    for name in profiles {
        writeln!(out, "  {name}")?;
    }
    Ok(ExitCode::SUCCESS)
}
