//! `skyweave run` and `skyweave shell`: a program behind a terminal, in the network that runs or in one of its own.

use super::live::{EpochStatus, LiveRun, Options, Status};
use super::{load, open_service, planner_pool};
use crate::access::Choice;
use crate::cli;
use crate::live::{self, Client, Clock, Echo, NamespaceHandle};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use skyweave_base::TerminalId;
use std::ffi::OsString;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

/// How often `--predict` sends an echo request.
const PROBE_INTERVAL: Duration = Duration::from_millis(50);

/// Runs a program behind a terminal.
pub(crate) fn run(args: &cli::Run) -> Result<ExitCode> {
    let predict = args.predict.then_some(Predict {
        epochs: args.predict_epochs,
        json: args.json,
    });
    behind_terminal(
        &args.at,
        args.carry,
        args.database.as_ref(),
        &args.command,
        predict,
    )
}

/// Opens the user's shell behind a terminal.
pub(crate) fn shell(args: &cli::Shell) -> Result<ExitCode> {
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    eprintln!(
        "a shell behind a terminal at {}; its only way out is the sky. `exit` ends it.",
        args.at.at
    );
    behind_terminal(&args.at, args.carry, args.database.as_ref(), &[shell], None)
}

#[derive(Clone, Copy)]
struct Predict {
    epochs: u32,
    json: bool,
}

fn behind_terminal(
    at: &cli::At,
    carry: cli::Carry,
    database: Option<&Choice>,
    command: &[OsString],
    predict: Option<Predict>,
) -> Result<ExitCode> {
    if let Some(mut client) = Client::connect(&at.scenario, None)? {
        if database.is_some() {
            bail!(
                "`{}` runs already, with its own service: leave out --database to join it",
                at.scenario
            );
        }
        let (terminal, namespace) = client.attach(&at.at)?;
        let pop = client.addresses()?.pop_v4.into();
        let mut status = || Ok(serde_json::from_value::<Status>(client.status()?)?);
        return session(&namespace, terminal.id, pop, command, predict, &mut status);
    }
    let possible = live::probe();
    if let Err(missing) = possible.packets {
        return Err(live::LiveError::Missing(missing).into());
    }
    let mut world = load(&at.scenario)?;
    world.terminal_at(&at.at)?;
    let options = Options {
        carry: Some(carry),
        serve: false,
    };
    let service = open_service(database.unwrap_or(&Choice::None), &at.scenario)?;
    let pool = planner_pool(None)?;
    let (run, first) = LiveRun::start(world, pool, &at.scenario, options, service)?;
    std::thread::scope(|scope| {
        scope.spawn(|| run.keep_planning(first, None));
        let _end = StopAtEnd(&run);
        let network = run.network().context("the network runs without packets")?;
        let id = run.terminal_at(&at.at)?;
        let pop = network.addresses().pop_v4.into();
        session(
            &network.namespace(id)?,
            id,
            pop,
            command,
            predict,
            &mut || Ok(run.status()),
        )
    })
}

/// Ends the planning loop however its owner ends.
struct StopAtEnd<'a>(&'a LiveRun);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn session(
    namespace: &NamespaceHandle,
    terminal: TerminalId,
    pop: IpAddr,
    command: &[OsString],
    predict: Option<Predict>,
    status: &mut dyn FnMut() -> Result<Status>,
) -> Result<ExitCode> {
    let code = live::enter(namespace, command)?;
    if let Some(predict) = predict {
        let prediction = measure(namespace, terminal, pop, predict.epochs, status)?;
        if predict.json {
            println!("{}", serde_json::to_string(&prediction)?);
        } else {
            println!("{prediction}");
        }
    }
    Ok(ExitCode::from(code))
}

/// Planned against measured round trips, terminal to point of presence.
#[derive(Debug, Serialize)]
struct Prediction {
    epochs: u32,
    sent: usize,
    answered: usize,
    planned_ms_p50: f64,
    measured_ms_p50: f64,
    /// Measured minus planned, of each packet.
    error_ms_p50: f64,
    error_ms_p90: f64,
    error_ms_p99: f64,
}

impl std::fmt::Display for Prediction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "predict: planned {:.3} ms, measured {:.3} ms (medians); measured minus planned p50 {:+.3} p90 {:+.3} p99 {:+.3} ms; \
             {} of {} echoes answered over {} epochs",
            self.planned_ms_p50,
            self.measured_ms_p50,
            self.error_ms_p50,
            self.error_ms_p90,
            self.error_ms_p99,
            self.answered,
            self.sent,
            self.epochs
        )
    }
}

fn measure(
    namespace: &NamespaceHandle,
    terminal: TerminalId,
    pop: IpAddr,
    epochs: u32,
    status: &mut dyn FnMut() -> Result<Status>,
) -> Result<Prediction> {
    let clock: Clock = status()?.clock;
    // What is left of the epoch under way, and then as many whole ones as asked.
    let begun = skyweave_base::EpochNumber::containing(clock.now());
    let until = skyweave_base::EpochNumber(begun.0 + i64::from(epochs)).end();
    let echoes = live::probe_rtt(namespace, pop, PROBE_INTERVAL, || clock.now() < until)?;
    let epochs_told = status()?.epochs;
    let mut planned = Vec::new();
    let mut measured = Vec::new();
    let mut error = Vec::new();
    for Echo { sent, round_trip } in &echoes {
        let Some(round_trip) = round_trip else {
            continue;
        };
        let Some(expected) = expected_ms(&epochs_told, terminal, *sent) else {
            continue;
        };
        planned.push(expected);
        measured.push(round_trip.as_millis_f64());
        error.push(round_trip.as_millis_f64() - expected);
    }
    if error.is_empty() {
        bail!("no echo was answered while the terminal had service: nothing to compare");
    }
    Ok(Prediction {
        epochs,
        sent: echoes.len(),
        answered: error.len(),
        planned_ms_p50: quantile(&mut planned, 0.5),
        measured_ms_p50: quantile(&mut measured, 0.5),
        error_ms_p50: quantile(&mut error, 0.5),
        error_ms_p90: quantile(&mut error, 0.9),
        error_ms_p99: quantile(&mut error, 0.99),
    })
}

/// The planned round trip of a packet sent at `t`.
fn expected_ms(
    epochs: &[EpochStatus],
    terminal: TerminalId,
    t: skyweave_base::Time,
) -> Option<f64> {
    let epoch = epochs.iter().find(|e| e.start_ns <= t && t < e.end_ns)?;
    epoch
        .live
        .iter()
        .find(|l| l.id == terminal)?
        .planned_rtt_ms_at(t - epoch.start_ns)
}

/// The value below which a share `q` of `values` lies (nearest rank). `values` is not empty.
fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() as f64 * q).ceil() as usize).clamp(1, values.len()) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(quantile(&mut values, 0.5), 50.0);
        assert_eq!(quantile(&mut values, 0.99), 99.0);
        assert_eq!(quantile(&mut [7.0], 0.5), 7.0);
    }
}
