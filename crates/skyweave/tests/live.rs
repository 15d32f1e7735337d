//! The live network with made-up tables and real programs: namespaces, devices and sockets of this machine.
//!
//! Needs root, or an ordinary user with user namespaces and /dev/net/tun; elsewhere each test says that it is skipped. All
//! traffic stays on this machine.
#![cfg(target_os = "linux")]

use skyweave::live::{
    Attachment, Client, Clock, Controller, Echo, LiveError, NamespaceHandle, Network,
    NetworkConfig, TerminalConfig, enter, probe, probe_rtt,
};
use skyweave_base::{Span, TerminalId, Time};
use skyweave_dataplane::{Beam, DelayCurve, EpochTable, Leg, LegKind, TerminalRoute};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Where simulated time begins in these tests; any instant does.
const START: Time = Time::from_nanos(833_000_000_000_000_000);

/// Tests that measure rates and delays would disturb each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A network in a run folder of its own, and the right to be the only one.
struct Bench {
    network: Network,
    run_dir: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    /// `None`, with the reasons printed, where packets are not possible.
    fn start(name: &str, terminals: u32) -> Option<Self> {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(missing) = probe().packets {
            eprintln!("SKIPPED: {name}: {}", LiveError::Missing(missing));
            return None;
        }
        let run_dir = private_dir();
        let mut config = NetworkConfig::new(name, Clock::starting_at(START));
        config.realtime = skyweave::live::Realtime::IfPermitted;
        config.run_dir = Some(run_dir.path().to_owned());
        config.terminals = (0..terminals)
            .map(|i| TerminalConfig {
                id: TerminalId(i),
                name: format!("terminal {i}"),
            })
            .collect();
        let begin = Instant::now();
        let network = Network::start(config).unwrap();
        eprintln!(
            "{name}: {terminals} terminals in {:?}, {:?}",
            begin.elapsed(),
            network.uplink()
        );
        Some(Self {
            network,
            run_dir,
            _turn: turn,
        })
    }

    fn inside(&self, terminal: u32) -> NamespaceHandle {
        self.network.namespace(TerminalId(terminal)).unwrap()
    }

    /// Runs a shell command behind a terminal; its exit status.
    fn run(&self, terminal: u32, command: &str) -> u8 {
        let command = ["sh", "-c", command].map(OsString::from);
        enter(&self.inside(terminal), &command).unwrap()
    }

    /// Runs a shell command behind a terminal that succeeds; what it printed.
    fn output(&self, terminal: u32, command: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        let status = self.run(
            terminal,
            &format!("{{ {command}; }} > {}", file.path().display()),
        );
        let output = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(status, 0, "`{command}` printed {output}");
        output
    }
}

/// A run folder, as strict as it must be.
fn private_dir() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}

/// A leg whose delay grows by `ms_per_s` from `ms` at `origin`.
fn leg(kind: LegKind, origin: Time, ms: f64, ms_per_s: f64) -> Leg {
    let curve = DelayCurve {
        origin,
        coefficients: [ms * 1e-3, ms_per_s * 1e-3, 0.0, 0.0],
        valid: Span::from_secs(15),
    };
    Leg {
        kind,
        up: curve,
        down: curve,
    }
}

/// A table in which all terminals share one beam over a route of two legs.
fn table(
    epoch: i64,
    start: Time,
    end: Time,
    terminals: u32,
    mbps: u64,
    legs: [Leg; 2],
) -> Arc<EpochTable> {
    let route = TerminalRoute {
        beam: 0,
        down_weight_bps: mbps * 1_000_000,
        up_weight_bps: mbps * 1_000_000,
        legs: legs.to_vec(),
        access: skyweave_dataplane::Access::Full,
        blocked: Vec::new(),
    };
    Arc::new(EpochTable {
        epoch,
        revision: 0,
        start,
        end,
        beams: vec![Beam {
            down_bps: mbps * 1_000_000,
            up_bps: mbps * 1_000_000,
        }],
        routes: (0..terminals)
            .map(|i| (TerminalId(i), Ok(route.clone())))
            .collect(),
    })
}

/// One table that holds for an hour: 5 ms each way.
fn steady(terminals: u32, mbps: u64) -> Arc<EpochTable> {
    let legs = [
        leg(LegKind::User, START, 2.0, 0.0),
        leg(LegKind::Feeder, START, 3.0, 0.0),
    ];
    table(
        0,
        START,
        START + Span::from_secs(3600),
        terminals,
        mbps,
        legs,
    )
}

/// The planned round trip: each way by the table that holds when the packet sets out on it.
fn planned_round_trip(tables: &[Arc<EpochTable>], sent: Time) -> Span {
    let route = |t: Time| {
        let table = tables
            .iter()
            .rev()
            .find(|table| table.start <= t)
            .expect("the first table holds already");
        table.routes[0]
            .1
            .as_ref()
            .expect("each terminal has a route")
    };
    let at_pop = route(sent).out_at_pop(sent);
    route(at_pop).out_at_terminal(at_pop) - sent
}

/// The middle and the 99th percentile of measured less planned round trips, ms. Panics if an echo was lost.
fn errors_ms(echoes: &[Echo], tables: &[Arc<EpochTable>]) -> (f64, f64) {
    let error = |echo: &Echo| {
        (echo.round_trip.expect("no echo is lost") - planned_round_trip(tables, echo.sent))
            .as_millis_f64()
    };
    let mut errors: Vec<f64> = echoes.iter().map(error).collect();
    errors.sort_by(f64::total_cmp);
    let at = |share: f64| errors[((errors.len() - 1) as f64 * share) as usize];
    eprintln!(
        "{} echoes, measured less planned, ms: least {:.3}, p50 {:.3}, p99 {:.3}, most {:.3}",
        errors.len(),
        at(0.0),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    (at(0.5), at(0.99))
}

/// On an idle machine 0.2 ms, of which the wake-ups of the packet thread at both ends take 0.03 to 0.08.
const P50_LIMIT_MS: f64 = 0.2;
/// On an idle machine 1 ms. Other programs on a busy one take a core away for several milliseconds at a time.
const P99_LIMIT_MS: f64 = 15.0;

#[test]
fn pings_take_as_long_as_planned_while_delays_change_and_paths_hand_over() {
    let Some(bench) = Bench::start("ping", 2) else {
        return;
    };
    let mut tables = Vec::new();
    for epoch in 0..4 {
        let start = bench.network.clock().now() + Span::from_secs(epoch);
        let legs = [
            leg(LegKind::User, start, 2.0 + epoch as f64, 1.5),
            leg(LegKind::Feeder, start, 6.0 - 2.0 * epoch as f64, -0.7),
        ];
        tables.push(table(
            epoch,
            start,
            start + Span::from_secs(1),
            2,
            100,
            legs,
        ));
        bench
            .network
            .install(Arc::clone(&tables[epoch as usize]))
            .unwrap();
    }
    let clock = bench.network.clock();
    let addresses = bench.network.addresses();
    let targets = [
        Some(IpAddr::V4(addresses.pop_v4)),
        addresses.pop_v6.map(IpAddr::V6),
    ];
    let mut all = Vec::new();
    for target in targets.into_iter().flatten() {
        let end = clock.now() + Span::from_millis(1900);
        all.extend(
            probe_rtt(&bench.inside(1), target, Duration::from_millis(5), || {
                clock.now() < end
            })
            .unwrap(),
        );
    }
    let (p50, p99) = errors_ms(&all, &tables);
    assert!(p50 > 0.0 && p50 < P50_LIMIT_MS && p99 < P99_LIMIT_MS);
    let stats = bench.network.stats();
    assert_eq!(stats.packets.up.delivered.packets, all.len() as u64);
    assert_eq!((stats.epoch, stats.refused_by_device), (Some(3), 0));
}

/// Runs a program on the host until dropped.
struct Daemon(Child);

impl Daemon {
    fn start(command: &mut Command) -> Self {
        Self(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that is free on this machine now.
fn free_port() -> u16 {
    TcpListener::bind(("0.0.0.0", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Waits until something on this machine listens on a port.
fn wait_for(port: u16) {
    let end = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(Instant::now() < end, "nothing listens on port {port}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether all programs are installed; says so if not.
fn have(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing = programs
        .iter()
        .find(|p| !std::env::split_paths(&path).any(|dir| dir.join(p).exists()));
    if let Some(program) = missing {
        eprintln!("SKIPPED: `{program}` is not installed");
    }
    missing.is_none()
}

/// A web server of the host: answers each request with the same bytes, over IPv4 and IPv6.
fn serve_http(body: Arc<Vec<u8>>) -> u16 {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0))
        .or_else(|_| TcpListener::bind(("0.0.0.0", 0)))
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let body = Arc::clone(&body);
            std::thread::spawn(move || -> std::io::Result<()> {
                let mut reader = BufReader::new(&stream);
                let mut line = String::new();
                while reader.read_line(&mut line)? > 2 {
                    line.clear();
                }
                let mut writer = &stream;
                write!(
                    writer,
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                )?;
                writer.write_all(&body)
            });
        }
    });
    port
}

#[test]
fn curl_fetches_100_mb_intact_over_both_protocols() {
    if !have(&["curl", "cksum"]) {
        return;
    }
    let Some(bench) = Bench::start("curl", 1) else {
        return;
    };
    bench.network.install(steady(1, 500)).unwrap();
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    let body: Arc<Vec<u8>> = Arc::new((0..100_000_000).map(|_| next()).collect());
    let checksum = {
        let mut cksum = Command::new("cksum")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        cksum.stdin.take().unwrap().write_all(&body).unwrap();
        String::from_utf8(cksum.wait_with_output().unwrap().stdout).unwrap()
    };
    let port = serve_http(body);
    let addresses = bench.network.addresses();
    let v4 = addresses.host_v4.expect("the host is reachable");
    assert_eq!(
        bench.output(0, &format!("curl -sS http://{v4}:{port}/ | cksum")),
        checksum
    );
    match addresses.host_v6 {
        Some(v6) => assert_eq!(
            bench.output(0, &format!("curl -sS -g 'http://[{v6}]:{port}/' | cksum")),
            checksum
        ),
        None => eprintln!("SKIPPED: this machine has no IPv6"),
    }
}

/// IP bytes for each byte of TCP payload: 1448 of 1500 with time stamps (RFC 7323).
const TCP_OVERHEAD: f64 = 1500.0 / 1448.0;
/// A congestion control that fills a path and that every user of every kernel may choose, whichever is preferred here: BBR
/// leaves some percent of a path unused.
const TCP: &str = "-C reno -t 6 -O 2";
/// What the issue asks for.
const RATE_TOLERANCE: f64 = 0.05;

/// Runs iperf3 behind a terminal against a server on the host; its report. Before other programs where that is permitted: a receiver
/// that waits for a processor loses what its socket does not hold, 15 ms of these rates.
fn iperf3(bench: &Bench, terminal: u32, options: &str) -> serde_json::Value {
    let port = free_port();
    let port_text = port.to_string();
    let server = ["-n", "-15", "iperf3", "-s", "-p", &port_text];
    let _server = Daemon::start(Command::new("nice").args(server));
    wait_for(port);
    let host = bench
        .network
        .addresses()
        .host_v4
        .expect("the host is reachable");
    let report = bench.output(
        terminal,
        &format!("nice -n -15 iperf3 -c {host} -p {port} -J {options}"),
    );
    serde_json::from_str(&report).unwrap()
}

/// Holds measured rates (each with what it is and what it should be, in bit/s) against the plan. A miss may be the machine's doing: a
/// sender that waits for a processor leaves the path idle, and UDP does not make up for it. So it is measured anew, twice at most; a
/// network with a wrong rate misses each time.
fn assert_rates(measure: impl Fn() -> Vec<(String, f64, f64)>) {
    for attempt in 1.. {
        let mut miss = None;
        for (what, bps, planned_bps) in measure() {
            let said = format!(
                "{what}: {:.2} of {:.2} Mbit/s of IP",
                bps / 1e6,
                planned_bps / 1e6
            );
            eprintln!("{said}");
            if (bps / planned_bps - 1.0).abs() >= RATE_TOLERANCE {
                miss.get_or_insert(said);
            }
        }
        match miss {
            None => return,
            Some(said) => assert!(attempt < 3, "{said}, missed three times"),
        }
    }
}

#[test]
fn iperf3_reaches_the_planned_rate_with_tcp_and_udp_both_ways() {
    if !have(&["iperf3"]) {
        return;
    }
    let Some(bench) = Bench::start("iperf3", 1) else {
        return;
    };
    bench.network.install(steady(1, 60)).unwrap();
    for (direction, option) in [("up", ""), ("down", "-R")] {
        assert_rates(|| {
            let report = iperf3(&bench, 0, &format!("{TCP} {option}"));
            let bps = report["end"]["sum_received"]["bits_per_second"]
                .as_f64()
                .unwrap()
                * TCP_OVERHEAD;
            vec![(format!("TCP {direction}"), bps, 60e6)]
        });
        assert_rates(|| {
            // 1200 bytes of payload are 1228 bytes of IP. Half more is sent than passes, so that the queue is full when the sender pauses.
            let report = iperf3(&bench, 0, &format!("-u -b 90M -l 1200 -t 4 -O 1 {option}"));
            let sum = if direction == "up" {
                &report["end"]["sum_received"]
            } else {
                &report["end"]["sum"]
            };
            let lost = sum["lost_percent"].as_f64().unwrap_or(0.0);
            let sent = report["end"]["sum"]["bits_per_second"].as_f64().unwrap();
            let received = report["end"]["sum_received"]["bits_per_second"]
                .as_f64()
                .unwrap_or(sent * (1.0 - lost / 100.0));
            vec![(format!("UDP {direction}"), received * 1228.0 / 1200.0, 60e6)]
        });
    }
}

#[test]
fn three_terminals_of_one_beam_get_equal_shares() {
    if !have(&["iperf3"]) {
        return;
    }
    let Some(bench) = Bench::start("share", 3) else {
        return;
    };
    bench.network.install(steady(3, 90)).unwrap();
    for (direction, option) in [("up", ""), ("down", "-R")] {
        assert_rates(|| {
            let rates: Vec<f64> = std::thread::scope(|scope| {
                let runs: Vec<_> = (0..3)
                    .map(|terminal| {
                        let bench = &bench;
                        scope.spawn(move || {
                            let report = iperf3(bench, terminal, &format!("{TCP} {option}"));
                            report["end"]["sum_received"]["bits_per_second"]
                                .as_f64()
                                .unwrap()
                                * TCP_OVERHEAD
                        })
                    })
                    .collect();
                runs.into_iter().map(|run| run.join().unwrap()).collect()
            });
            let total = rates.iter().sum::<f64>();
            let mut all = vec![(format!("three terminals {direction}"), total, 90e6)];
            all.extend(
                rates
                    .iter()
                    .map(|&rate| (format!("one of them {direction}"), rate, total / 3.0)),
            );
            all
        });
    }
}

/// A DNS server on the host that answers each query over UDP with one address.
fn serve_dns(answer: Ipv4Addr) -> u16 {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut query = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut query) {
            // The header, and the question: a name that ends with an empty label, type and class (RFC 1035 section 4.1).
            let name = query[12..length].iter().position(|&b| b == 0).unwrap();
            let question = 12 + name + 5;
            let mut reply = query[..question].to_vec();
            reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            reply.extend_from_slice(&answer.octets());
            let _ = socket.send_to(&reply, client);
        }
    });
    port
}

#[test]
fn dig_asks_over_udp_and_programs_ask_the_pop() {
    if !have(&["dig"]) {
        return;
    }
    let Some(bench) = Bench::start("dig", 1) else {
        return;
    };
    bench.network.install(steady(1, 10)).unwrap();
    let answer = Ipv4Addr::new(192, 0, 2, 77);
    let port = serve_dns(answer);
    let host = bench
        .network
        .addresses()
        .host_v4
        .expect("the host is reachable");
    let said = bench.output(
        0,
        &format!("dig +short +tries=1 -p {port} @{host} village.example"),
    );
    assert_eq!(said.trim(), answer.to_string());
    // The resolver that programs are told of is the PoP, in their own view only.
    let told = bench.output(0, "grep nameserver /etc/resolv.conf");
    assert_eq!(told.trim(), "nameserver 100.64.0.1");
    assert!(
        !std::fs::read_to_string("/etc/resolv.conf")
            .unwrap()
            .contains("100.64.0.1")
    );
}

#[test]
fn an_ssh_session_survives_four_handovers() {
    if !have(&["ssh", "ssh-keygen", "sshd"]) {
        return;
    }
    let Some(bench) = Bench::start("ssh", 1) else {
        return;
    };
    let keys = tempfile::tempdir().unwrap();
    let key = |name: &str| {
        let path = keys.path().join(name);
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(made.success());
        path
    };
    let (host_key, user_key) = (key("host"), key("user"));
    let allowed = keys.path().join("allowed");
    std::fs::copy(user_key.with_extension("pub"), &allowed).unwrap();
    let port = free_port();
    let options = [
        format!("Port={port}"),
        format!("HostKey={}", host_key.display()),
        format!("AuthorizedKeysFile={}", allowed.display()),
        "PidFile=none".to_owned(),
        "StrictModes=no".to_owned(),
        "UsePAM=no".to_owned(),
    ];
    if rustix::process::geteuid().is_root() {
        std::fs::create_dir_all("/run/sshd").unwrap();
    }
    let mut sshd = Command::new("/usr/sbin/sshd");
    sshd.args(["-D", "-f", "/dev/null"])
        .args(options.iter().flat_map(|o| ["-o", o]));
    let _sshd = Daemon::start(&mut sshd);
    wait_for(port);

    // Satellites that are nearer and farther, half a second each: the path changes by up to 12 ms at once.
    let begin = bench.network.clock().now();
    for epoch in 0..8 {
        let start = begin + Span::from_millis(500 * epoch);
        let ms = [3.0, 9.0, 4.0, 7.0][epoch as usize % 4];
        let legs = [
            leg(LegKind::User, start, ms, 0.3),
            leg(LegKind::Feeder, start, ms, -0.2),
        ];
        bench
            .network
            .install(table(
                epoch,
                start,
                start + Span::from_millis(500),
                1,
                20,
                legs,
            ))
            .unwrap();
    }
    let host = bench
        .network
        .addresses()
        .host_v4
        .expect("the host is reachable");
    let session = format!(
        "ssh -q -F none -p {port} -i {} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o BatchMode=yes {host} \
         'for i in $(seq 30); do echo $i; sleep 0.1; done'",
        user_key.display()
    );
    let lines: Vec<u32> = bench
        .output(0, &session)
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    assert_eq!(lines, (1..=30).collect::<Vec<_>>());
    let epochs = bench.network.stats().packets.epochs;
    assert!(epochs >= 5, "the session saw only {epochs} tables");
}

#[test]
fn a_program_keeps_its_place_and_its_exit_status_is_passed_on() {
    let Some(bench) = Bench::start("enter", 1) else {
        return;
    };
    bench.network.install(steady(1, 10)).unwrap();
    assert_eq!(bench.run(0, "exit 0"), 0);
    assert_eq!(bench.run(0, "exit 42"), 42);
    assert_eq!(bench.run(0, "kill -TERM $$"), 128 + 15);
    let absent = enter(&bench.inside(0), &["no-such-program".into()]);
    assert!(
        matches!(absent, Err(LiveError::Program { program, .. }) if program == "no-such-program")
    );
    let here = std::env::current_dir().unwrap();
    assert_eq!(bench.output(0, "pwd").trim(), here.to_str().unwrap());
    let uid = rustix::process::geteuid().as_raw().to_string();
    assert_eq!(bench.output(0, "id -u").trim(), uid);
    // The terminal is the only way out.
    let devices = bench.output(0, "cut -d: -f1 -s /proc/net/dev");
    let devices: Vec<_> = devices.split_whitespace().collect();
    assert!(
        devices.contains(&"sky0")
            && !devices
                .iter()
                .any(|d| d.starts_with("eth") || d.starts_with("skyweave")),
        "{devices:?}"
    );
    if have(&["ping"]) {
        assert_eq!(
            bench.run(0, "ping -q -c 2 -i 0.2 100.64.0.1 > /dev/null"),
            0
        );
    }
}

#[test]
fn a_terminal_without_a_route_is_told_so_and_a_new_one_gets_service() {
    let Some(bench) = Bench::start("routes", 1) else {
        return;
    };
    let ping = "ping -q -c 1 -W 2 100.64.0.1 > /dev/null";
    assert_ne!(bench.run(0, ping), 0, "no table, no packets");
    let new = bench
        .network
        .add_terminal(TerminalConfig {
            id: TerminalId(7),
            name: "new".to_owned(),
        })
        .unwrap();
    assert_eq!(new.v4, Ipv4Addr::new(100, 64, 0, 9));
    let again = bench.network.add_terminal(TerminalConfig {
        id: TerminalId(7),
        name: "new".to_owned(),
    });
    assert!(matches!(again, Err(LiveError::NoAddress(TerminalId(7)))));
    bench.network.install(steady(8, 10)).unwrap();
    assert_eq!(bench.run(7, ping), 0);
    // Terminals reach each other through the PoP.
    assert_eq!(bench.run(7, "ping -q -c 1 -W 2 100.64.0.2 > /dev/null"), 0);
    bench.network.remove_terminal(TerminalId(7)).unwrap();
    assert!(matches!(
        bench.network.namespace(TerminalId(7)),
        Err(LiveError::NoTerminal(_))
    ));
    assert_eq!(bench.run(0, ping), 0);
}

/// Gives out the terminals that are there, by name.
struct ByName {
    network: Weak<Network>,
    detached: Mutex<Vec<TerminalId>>,
}

impl Controller for ByName {
    fn status(&self) -> serde_json::Value {
        serde_json::json!({ "epoch": 4711 })
    }

    fn attach(&self, place: &str, _: Option<&serde_json::Value>) -> Result<Attachment, String> {
        let terminals = self
            .network
            .upgrade()
            .ok_or("the network has ended")?
            .terminals();
        let found = terminals.iter().find(|t| t.name == place);
        found
            .map(|t| Attachment {
                terminal: t.id,
                notice: Some(format!("this is {place}")),
            })
            .ok_or_else(|| format!("there is no place `{place}`"))
    }

    fn challenge(&self, terminal: &str) -> Result<serde_json::Value, String> {
        Err(format!("no challenge for {terminal}"))
    }

    fn detach(&self, terminal: TerminalId) {
        self.detached.lock().unwrap().push(terminal);
    }
}

#[test]
fn another_process_finds_the_network_and_joins_it() {
    let Some(bench) = Bench::start("join", 2) else {
        return;
    };
    let Bench {
        network,
        run_dir,
        _turn,
    } = bench;
    let network = Arc::new(network);
    network.install(steady(2, 10)).unwrap();
    let controller = Arc::new(ByName {
        network: Arc::downgrade(&network),
        detached: Mutex::default(),
    });
    network.serve(Arc::<ByName>::clone(&controller)).unwrap();
    let dir = Some(run_dir.path());
    assert_eq!(Client::running(dir).unwrap(), ["join"]);
    assert!(Client::connect("other", dir).unwrap().is_none());

    let connect = || Client::connect("join", dir).unwrap().unwrap();
    let mut client = connect();
    assert_eq!(client.status().unwrap()["epoch"], 4711);
    assert_eq!(client.terminals().unwrap(), network.terminals());
    assert_eq!(client.addresses().unwrap(), network.addresses());
    assert!(
        matches!(client.attach("nowhere", None), Err(LiveError::Refused(reason)) if reason.contains("nowhere"))
    );
    let (terminal, inside, notice) = client.attach("terminal 1", None).unwrap();
    assert_eq!(notice.unwrap(), "this is terminal 1");
    let challenge = client.challenge("ut1");
    assert!(matches!(challenge, Err(LiveError::Refused(why)) if why.ends_with("for ut1")));
    assert_eq!(terminal.id, TerminalId(1));
    let mut left = 3;
    let more = || {
        left -= 1;
        left >= 0
    };
    let echoes = probe_rtt(
        &inside,
        terminal_target(&network),
        Duration::from_millis(20),
        more,
    )
    .unwrap();
    assert_eq!(
        echoes
            .iter()
            .filter(|e| e.round_trip.is_some_and(|r| r >= Span::from_millis(10)))
            .count(),
        3
    );

    let mut events = connect().subscribe().unwrap();
    let event = serde_json::json!({ "epoch": 1 });
    let begin = Instant::now();
    // Until the subscription has arrived nobody listens.
    let heard = std::thread::scope(|scope| {
        let hearing = scope.spawn(|| events.next());
        while !hearing.is_finished() && begin.elapsed() < Duration::from_secs(5) {
            network.publish(&event);
            std::thread::sleep(Duration::from_millis(5));
        }
        network.shutdown();
        hearing.join().unwrap()
    });
    assert_eq!(heard, Some(event));
    assert!(client.status().is_err(), "the network has ended");
    assert!(matches!(
        network.add_terminal(TerminalConfig {
            id: TerminalId(9),
            name: String::new()
        }),
        Err(LiveError::Ended)
    ));
    assert_eq!(
        std::fs::read_dir(run_dir.path()).unwrap().count(),
        0,
        "nothing is left in the run folder"
    );
    let end = Instant::now() + Duration::from_secs(5);
    while *controller.detached.lock().unwrap() != [TerminalId(1)] {
        assert!(Instant::now() < end, "the controller is told who has gone");
        std::thread::yield_now();
    }
}

fn terminal_target(network: &Network) -> IpAddr {
    IpAddr::V4(network.addresses().pop_v4)
}

#[test]
fn a_scenario_that_runs_already_is_refused_with_the_process_that_runs_it() {
    let Some(bench) = Bench::start("twice", 0) else {
        return;
    };
    let mut config = NetworkConfig::new("twice", Clock::starting_at(START));
    config.run_dir = Some(bench.run_dir.path().to_owned());
    let again = Network::start(config);
    assert!(
        matches!(again, Err(LiveError::AlreadyRunning { pid, .. }) if pid == std::process::id())
    );
}

/// Runs this test program again as user `nobody`, with a /dev/net/tun that ordinary users may open, as most distributions
/// have it. The device is made in a mount namespace of its own: nothing on this machine changes.
#[test]
fn an_ordinary_user_can_do_the_same() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: these tests run as an ordinary user anyway");
        return;
    }
    if !have(&["unshare", "setpriv", "pasta", "mknod"]) {
        return;
    }
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let script = r#"
        set -e
        dir=$(mktemp -d)
        trap 'umount "$dir"; rmdir "$dir"' EXIT
        mount -t tmpfs -o mode=755 skyweave-test "$dir"
        cp "$0" "$dir/test"
        mknod -m 666 "$dir/tun" c 10 200
        mount --bind "$dir/tun" /dev/net/tun
        cd /tmp
        env -u XDG_RUNTIME_DIR setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all \
            "$dir/test" --nocapture --test-threads 1 --skip ordinary_user --skip ssh
    "#;
    let status = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .status()
        .unwrap();
    assert!(status.success(), "the tests as an ordinary user: {status}");
}

/// Names the run folder in which `holds_a_network_until_killed` does what it is named after.
const HOLD: &str = "SKYWEAVE_TEST_HOLD";

/// Not a test of its own: the process that the next test kills.
#[test]
fn holds_a_network_until_killed() {
    let Some(run_dir) = std::env::var_os(HOLD) else {
        return;
    };
    let mut config = NetworkConfig::new("killed", Clock::starting_at(START));
    config.run_dir = Some(run_dir.into());
    config.terminals = vec![TerminalConfig {
        id: TerminalId(0),
        name: "one".to_owned(),
    }];
    let network = Network::start(config).unwrap();
    network.install(steady(1, 10)).unwrap();
    let inside = network.namespace(TerminalId(0)).unwrap();
    let ready = "ping -q -c 1 -W 5 100.64.0.1 > /dev/null; echo ready > \"$SKYWEAVE_TEST_HOLD/ready\"; exec sleep 1000";
    enter(&inside, &["sh", "-c", ready].map(OsString::from)).unwrap();
}

/// What a network could leave behind on this machine.
#[derive(Debug, PartialEq)]
struct Traces {
    devices: BTreeSet<String>,
    tables: String,
    settings: BTreeMap<String, String>,
    routes: String,
    /// Namespaces that a process is in.
    namespaces: BTreeSet<String>,
    pastas: usize,
}

impl Traces {
    fn now() -> Self {
        let names = |dir: &str| {
            std::fs::read_dir(dir)
                .into_iter()
                .flatten()
                .flatten()
                .map(|e| e.file_name().into_string().unwrap())
        };
        let said = |program: &str, arguments: &[&str]| {
            let output = Command::new(program)
                .args(arguments)
                .stderr(Stdio::null())
                .output();
            output
                .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
                .unwrap_or_default()
        };
        let mut settings = BTreeMap::new();
        for setting in [
            "ipv4/conf/X/forwarding",
            "ipv6/conf/X/forwarding",
            "ipv6/conf/X/force_forwarding",
        ] {
            for device in names("/proc/sys/net/ipv4/conf") {
                let path = format!("/proc/sys/net/{}", setting.replace('X', &device));
                if let Ok(value) = std::fs::read_to_string(&path) {
                    settings.insert(path, value);
                }
            }
        }
        let processes: Vec<String> = names("/proc")
            .filter(|n| n.parse::<u32>().is_ok())
            .collect();
        let link = |p: &String| std::fs::read_link(format!("/proc/{p}/ns/net")).ok();
        let is_pasta = |p: &&String| {
            std::fs::read_to_string(format!("/proc/{p}/comm")).is_ok_and(|c| c.starts_with("pasta"))
        };
        Self {
            devices: names("/sys/class/net").collect(),
            tables: said("nft", &["list", "tables"]),
            settings,
            routes: said("ip", &["route", "show", "table", "all"])
                + &said("ip", &["-6", "route", "show", "table", "all"]),
            namespaces: processes
                .iter()
                .filter_map(link)
                .map(|l| l.display().to_string())
                .collect(),
            pastas: processes.iter().filter(is_pasta).count(),
        }
    }

    /// Waits for the kernel, which takes namespaces apart in the background.
    fn wait_until_equal(&self, what: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        while Self::now() != *self {
            if Instant::now() > end {
                assert_eq!(Self::now(), *self, "{what}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_network_that_is_shut_down_or_killed_leaves_nothing_behind() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if probe().packets.is_err() {
        eprintln!("SKIPPED: packets are not possible here");
        return;
    }
    let before = Traces::now();
    let run_dir = private_dir();
    let mut hold = Command::new(std::env::current_exe().unwrap());
    hold.args(["--exact", "holds_a_network_until_killed"])
        .env(HOLD, run_dir.path());
    let mut held = hold.stdout(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while !run_dir.path().join("ready").exists() {
        assert!(
            Instant::now() < end && held.try_wait().unwrap().is_none(),
            "the network does not start"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_ne!(Traces::now(), before, "a running network is seen");
    // SIGKILL.
    held.kill().unwrap();
    held.wait().unwrap();
    let mut after_kill = Traces::now();
    // What the process had noted down before it changed it is put back by the next network: the settings.
    let end = Instant::now() + Duration::from_secs(10);
    while (
        &after_kill.devices,
        &after_kill.tables,
        &after_kill.namespaces,
        after_kill.pastas,
    ) != (
        &before.devices,
        &before.tables,
        &before.namespaces,
        before.pastas,
    ) {
        assert!(
            Instant::now() < end,
            "left by a killed network: {after_kill:#?}, before: {before:#?}"
        );
        std::thread::sleep(Duration::from_millis(20));
        after_kill = Traces::now();
    }
    assert!(Client::running(Some(run_dir.path())).unwrap().is_empty());
    assert!(
        Client::connect("killed", Some(run_dir.path()))
            .unwrap()
            .is_none()
    );
    let mut config = NetworkConfig::new("killed", Clock::starting_at(START));
    config.run_dir = Some(run_dir.path().to_owned());
    let next = Network::start(config).unwrap();
    next.shutdown();
    before.wait_until_equal("left after the next network");
}
