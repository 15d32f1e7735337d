//! `skyweave routes`: round trips and paths between ground sites.

use super::{ScenarioSource, parse_time, planner_pool, progress};
use crate::cli;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use skyweave_base::Span;
use skyweave_world::SitePairs;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

/// One row. `rtt_ms` is propagation there and back.
#[derive(Debug, Serialize)]
struct Row<'a> {
    t_s: f64,
    src_id: &'a str,
    dst_id: &'a str,
    rtt_ms: Option<f64>,
    path: String,
}

/// Computes routes at each instant and writes them as CSV or JSON lines.
pub(crate) fn routes(args: &cli::Routes) -> Result<ExitCode> {
    if !(args.step.is_finite() && args.step > 0.0) {
        bail!("--step {}: expected a number of seconds above 0", args.step);
    }
    let start = args.start.as_deref().map(parse_time).transpose()?;
    let world = ScenarioSource::find(&args.scenario)?.load(start)?;
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let (sites, pairs) = (read(&args.sites)?, read(&args.pairs)?);
    let sites = SitePairs::parse(
        (&args.sites.to_string_lossy(), &sites),
        (&args.pairs.to_string_lossy(), &pairs),
    )?;
    let to_stdout = args.out == Path::new("-");
    let mut out: Box<dyn Write> = match to_stdout {
        true => Box::new(std::io::stdout().lock()),
        false => {
            let file = File::create(&args.out)
                .with_context(|| format!("cannot write {}", args.out.display()))?;
            Box::new(BufWriter::new(file))
        }
    };
    if !args.json {
        writeln!(out, "t_s,src_id,dst_id,rtt_ms,path")?;
    }
    let bar = progress(u64::from(args.count), "routing");
    let pool = planner_pool(args.threads)?;
    let mut unreachable = 0_u64;
    for i in 0..args.count {
        let t_s = f64::from(i) * args.step;
        let found = pool.install(|| world.routes(&sites, world.start() + Span::from_secs_f64(t_s)));
        for route in &found {
            let row = Row {
                t_s,
                src_id: route.src_id,
                dst_id: route.dst_id,
                rtt_ms: route.rtt_ms(),
                path: route.path(),
            };
            unreachable += u64::from(row.rtt_ms.is_none());
            if args.json {
                writeln!(out, "{}", serde_json::to_string(&row)?)?;
            } else {
                // Six decimals of a millisecond: a nanosecond, 15 cm of path.
                let rtt = row.rtt_ms.map_or_else(String::new, |ms| format!("{ms:.6}"));
                writeln!(
                    out,
                    "{t_s},{},{},{rtt},{}",
                    row.src_id, row.dst_id, row.path
                )?;
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    out.flush()?;
    if !to_stdout {
        let rows = sites.len() as u64 * u64::from(args.count);
        eprintln!(
            "{rows} routes, {unreachable} unreachable, in {}",
            args.out.display()
        );
    }
    Ok(ExitCode::SUCCESS)
}
