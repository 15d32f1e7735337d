//! `skyweave run` and `skyweave shell`: a program behind a terminal, in the network that runs or in one of its own.

use super::live::{EpochStatus, LiveRun, Options, Status};
use super::{load, open_service, planner_pool};
use crate::access::{Choice, Keys};
use crate::cli;
use crate::live::{self, Attachment, Client, Clock, Echo, NamespaceHandle};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use skyweave_base::TerminalId;
use skyweave_service::{Challenge, Proof, UtId};
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::Path;
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
    let key = args.terminal.zip(args.key.as_deref());
    let key = key.map(|(terminal, file)| Key { terminal, file });
    let network = Own {
        carry: args.carry,
        database: args.database.as_ref(),
    };
    behind_terminal(&args.at, network, key, &args.command, predict)
}

/// Opens the user's shell behind a terminal.
pub(crate) fn shell(args: &cli::Shell) -> Result<ExitCode> {
    let shell = std::env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    eprintln!(
        "a shell behind a terminal at {}; its only way out is the sky. `exit` ends it.",
        args.at.at
    );
    let network = Own {
        carry: args.carry,
        database: args.database.as_ref(),
    };
    behind_terminal(&args.at, network, None, &[shell], None)
}

#[derive(Clone, Copy)]
struct Predict {
    epochs: u32,
    json: bool,
}

/// A network of one's own, if none runs.
struct Own<'a> {
    carry: cli::Carry,
    database: Option<&'a Choice>,
}

/// A terminal to join as, and the file with its key.
#[derive(Clone, Copy)]
struct Key<'a> {
    terminal: UtId,
    file: &'a Path,
}

impl Key<'_> {
    fn sign(self, challenge: Challenge) -> Result<Proof> {
        Ok(challenge.sign(Keys::open(self.file)?.get(self.terminal)?))
    }
}

fn say(notice: Option<&str>) {
    if let Some(notice) = notice {
        eprintln!("skyweave: {notice}");
    }
}

fn behind_terminal(
    at: &cli::At,
    Own { carry, database }: Own<'_>,
    key: Option<Key<'_>>,
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
        let proof = key
            .map(|key| {
                let challenge = client.challenge(&key.terminal.to_string())?;
                let proof = key.sign(serde_json::from_value(challenge)?)?;
                anyhow::Ok(serde_json::to_value(proof)?)
            })
            .transpose()?;
        let (terminal, namespace, notice) = client.attach(&at.at, proof)?;
        say(notice.as_deref());
        let pop = client.addresses()?.pop_v4.into();
        let mut status = || Ok(serde_json::from_value::<Status>(client.status()?)?);
        return session(&namespace, terminal.id, pop, command, predict, &mut status);
    }
    let possible = live::probe();
    if let Err(missing) = possible.packets {
        return Err(live::LiveError::Missing(missing).into());
    }
    let mut world = load(&at.scenario)?;
    if key.is_none() {
        world.terminal_at(&at.at)?;
    }
    let options = Options {
        carry: Some(carry),
        serve: false,
    };
    let service = open_service(database.unwrap_or(&Choice::None), &at.scenario)?;
    let pool = planner_pool(None)?;
    let (run, first) = LiveRun::start(world, pool, &at.scenario, options, service)?;
    std::thread::scope(|scope| {
        scope.spawn(|| run.keep_planning(first, None));
        scope.spawn(|| run.keep_deciding());
        let _end = StopAtEnd(&run);
        let network = run.network().context("the network runs without packets")?;
        let proof = key
            .map(|key| key.sign(run.challenge(key.terminal)?))
            .transpose()?;
        let Attachment {
            terminal: id,
            notice,
        } = run.terminal_at(&at.at, proof.as_ref())?;
        say(notice.as_deref());
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
