//! `skyweave up`: the live network, shown.

use super::live::{LiveRun, News, OnAir, Options, Seen};
use super::screen::{Screen, about_database};
use super::{load, open_service, planner_pool};
use crate::access::Choice;
use crate::api::{Listen, Provider, Server, TlsFiles};
use crate::cli::{self, ListenAt};
use crate::live;
use anyhow::Result;
use std::io::{IsTerminal, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs the network until Ctrl-C, SIGTERM, or the number of epochs asked for.
pub(crate) fn up(args: &cli::Up) -> Result<ExitCode> {
    let scenario = &args.scenario.scenario;
    let packets = !args.no_packets && can_carry_packets();
    let mut world = load(scenario)?;
    if let Some(preference) = args.scenario.preference {
        world.prefer(preference.into());
    }
    let mut out = std::io::stdout().lock();
    if !args.json {
        writeln!(out, "{}", world.summary())?;
        out.flush()?;
    }
    let options = Options {
        carry: packets.then_some(args.carry),
        serve: true,
    };
    // Said here, since its database is in use, too, which would be the next complaint.
    anyhow::ensure!(
        !packets || live::Client::connect(scenario, None)?.is_none(),
        "scenario `{scenario}` already runs; join it with `skyweave run`, or end it first"
    );
    let choice = args.database.as_ref().unwrap_or(&Choice::OfScenario);
    let service = open_service(choice, scenario)?;
    let pool = planner_pool(args.threads)?;
    let (run, first) = LiveRun::start(world, pool, scenario, options, service)?;
    let mut api = start_api(args, &run)?;
    stop_on_signals(&run)?;
    if let Some(secret) = api.as_mut().and_then(Server::take_owner_secret) {
        // Beside the lines for scripts, which end in logs.
        eprintln!(
            "the API's user `owner` has the one-time secret {secret}\n  it is good for choosing a password (docs/api.md), and \
             void with the next start"
        );
    }
    if !args.json {
        writeln!(out, "{}", about_service(&run))?;
        if let Some(api) = &api {
            writeln!(out, "API: {}/api/v1", api.url())?;
        }
        writeln!(out, "{}", hint(&run, scenario))?;
    }
    std::thread::scope(|scope| {
        scope.spawn(|| run.keep_planning(first, args.epochs));
        scope.spawn(|| run.keep_deciding());
        let shown = show(&run, args.json, &mut out);
        run.stop();
        shown
    })?;
    drop(out);
    // Its clients see the run until here.
    drop(api);
    Ok(ExitCode::SUCCESS)
}

/// Starts the HTTP API if there is a service.
fn start_api(args: &cli::Up, run: &Arc<LiveRun>) -> Result<Option<Server>> {
    let Some(service) = run.service() else {
        anyhow::ensure!(
            !matches!(args.listen, Some(ListenAt::Address(_))),
            "--listen: without a service (--database none) there is no API"
        );
        return Ok(None);
    };
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    let secret = std::env::var("SKYWEAVE_OIDC_SECRET").ok();
    let provider = args
        .oidc
        .as_deref()
        .map(|file| Provider::read(file, secret));
    let mut listen = Listen {
        address: match args.listen {
            Some(ListenAt::Nowhere) => return Ok(None),
            Some(ListenAt::Address(address)) => address,
            None => (Ipv4Addr::LOCALHOST, API_PORT).into(),
        },
        tls: tls.map(|(certificates, key)| TlsFiles { certificates, key }),
        provider: provider.transpose()?,
    };
    if args.listen.is_none() && TcpListener::bind(listen.address).is_err() {
        eprintln!("{} is taken: the API takes another port", listen.address);
        listen.address.set_port(0);
    }
    if listen.tls.is_none() && !listen.address.ip().is_loopback() {
        eprintln!(
            "warning: the API listens beyond this machine without TLS: passwords and tokens can be read on the way; use \
             --tls-cert and --tls-key"
        );
    }
    let network = Arc::new(OnAir(Arc::clone(run)));
    Server::start(&listen, Arc::clone(service.desk()), network).map(Some)
}

/// Where the API listens if nothing is said.
const API_PORT: u16 = 8080;

/// Whether packets are possible; says what is missing if they are not.
fn can_carry_packets() -> bool {
    let possible = live::probe();
    if let Err(missing) = &possible.packets {
        eprintln!(
            "no packets: this machine or user cannot carry them, so the network is planned without."
        );
        for m in missing {
            eprintln!("  {m}");
        }
        return false;
    }
    if let Err(missing) = &possible.uplink {
        eprintln!("packets reach the point of presence, but not the host's network:");
        for m in missing {
            eprintln!("  {m}");
        }
    }
    true
}

fn show(run: &LiveRun, json: bool, out: &mut impl Write) -> Result<()> {
    let mut screen = Screen::new(!json && std::io::stdout().is_terminal());
    let mut seen = Seen::default();
    while let Some(news) = run.next_news(&mut seen)? {
        match news {
            News::Epoch(report) if json => {
                writeln!(out, "{}", serde_json::to_string(&report)?)?;
            }
            News::Epoch(report) => screen.show(&report, run.late(), out)?,
            // The lines for scripts are epochs, and say it with the next.
            News::Database(status) if json => eprintln!("{}", about_database(&status)),
            News::Database(status) => screen.show_database(status, out)?,
        }
        out.flush()?;
    }
    Ok(())
}

/// Where the service is kept and what was put into it.
fn about_service(run: &LiveRun) -> String {
    let Some(service) = run.service() else {
        return "service: none; every terminal is entitled".to_owned();
    };
    let register = service.desk().register();
    let mut text = format!(
        "service: {}, {} terminals of {} accounts",
        service.place().url,
        register.terminals().len(),
        register.accounts().len()
    );
    if service.was_commissioned() {
        text += &format!(
            "\n  it was empty: the plan `Scenario`, accounts for the scenario's terminals and for guests, and service \
             everywhere were put in\n  the terminals' keys are in {}",
            service.place().keys.display()
        );
    }
    text
}

/// How to send a first packet.
fn hint(run: &LiveRun, scenario: &str) -> String {
    let Some(network) = run.network() else {
        return "planning only: no packets are carried".to_owned();
    };
    let option = if scenario == "ukraine" {
        String::new()
    } else {
        format!("--scenario {scenario} ")
    };
    let addresses = network.addresses();
    let at = network
        .terminals()
        .first()
        .map_or_else(|| "LAT,LON".to_owned(), |t| shell_word(&t.name));
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "skyweave".to_owned());
    let mut text = format!(
        "online. In a second terminal:\n  {program} run {option}--at {at} -- ping -c 4 {}\n",
        addresses.pop_v4
    );
    match addresses.host_v4 {
        Some(host) => {
            text += &format!(
                "  {program} run {option}--at {at} -- curl http://{host}:8000/\n    ({host} is this machine, seen from space; a server for it: python3 -m http.server)\n"
            );
        }
        None => text += "  (the host's network is not reachable from behind a terminal)\n",
    }
    text += &format!("  {program} shell {option}--at {at}\n");
    for terminal in network.terminals() {
        if let Some(dish) = run.dish(terminal.id) {
            text += &format!(
                "dish of {}: {} (gRPC), {} (gRPC-Web)\n",
                terminal.name, dish.grpc, dish.grpc_web
            );
        }
    }
    text + "Ctrl-C ends it."
}

/// `text` as one word of a shell's command line.
fn shell_word(text: &str) -> String {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_.,".contains(&b));
    if plain {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Ctrl-C and SIGTERM end the run; a second one ends the process at once.
fn stop_on_signals(run: &Arc<LiveRun>) -> Result<()> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGHUP,
    ] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&asked))?;
        signal_hook::flag::register(signal, Arc::clone(&asked))?;
    }
    let mut signals = signal_hook::iterator::Signals::new([
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
        signal_hook::consts::SIGHUP,
    ])?;
    let run = Arc::downgrade(run);
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for _ in &mut signals {
                asked.store(true, Ordering::Relaxed);
                match run.upgrade() {
                    Some(run) => run.stop(),
                    None => return,
                }
            }
        })?;
    Ok(())
}
