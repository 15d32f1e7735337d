//! Dishes of a live network, asked by published clients as they are and over plain sockets; what they say is compared with
//! what the network was told and what was sent.
//!
//! Needs what tests/live.rs needs; the published clients also need python3 with venv, and pip once.
#![cfg(target_os = "linux")]

#[path = "common/python.rs"]
mod python;

use python::python;
use skyweave::dish::{DishAddress, Dishes, Settings};
use skyweave::live::{Clock, LiveError, Network, NetworkConfig, TerminalConfig, enter, probe};
use skyweave_base::{Geodetic, Span, TerminalId, Time};
use skyweave_dataplane::{Beam, DelayCurve, EpochTable, Leg, LegKind, TerminalRoute, Unserved};
use skyweave_dish::{Cause, FileNames, Identity, Look, Permissions, Schedule, Service};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Where simulated time begins in these tests; any instant does.
const START: Time = Time::from_nanos(833_000_000_000_000_000);

/// Tests that measure rates and delays would disturb each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A network of some terminals with dishes.
struct Bench {
    addresses: Vec<DishAddress>,
    dishes: Dishes,
    network: Arc<Network>,
    _run_dir: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

const ALLOWED: Permissions = Permissions {
    location: true,
    context: true,
    config: true,
};

impl Bench {
    /// `None`, with the reasons printed, where packets are not possible.
    fn start(name: &str, terminals: u32, settings: Settings) -> Option<Self> {
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
        let network = Arc::new(Network::start(config).unwrap());
        let dishes = Dishes::start(Arc::clone(&network), settings).unwrap();
        let addresses = (0..terminals)
            .map(|i| dishes.add(TerminalId(i), identity(i)).unwrap())
            .collect();
        Some(Self {
            addresses,
            dishes,
            network,
            _run_dir: run_dir,
            _turn: turn,
        })
    }

    /// Tells packets and dishes of an epoch: a route of so many ms each way, or the reason why there is none.
    fn plan(&self, epoch: i64, start: Time, seconds: i64, way: Result<f64, Cause>) {
        let end = start + Span::from_secs(seconds);
        let curve = |ms: f64| DelayCurve {
            origin: start,
            coefficients: [ms * 1e-3, 0.0, 0.0, 0.0],
            valid: Span::from_secs(15),
        };
        let leg = |kind, ms| Leg {
            kind,
            up: curve(ms),
            down: curve(ms),
        };
        let ids = (0..self.addresses.len()).map(|i| TerminalId(i as u32));
        let route = way
            .map_err(|_| Unserved("none in this test"))
            .map(|ms| TerminalRoute {
                beam: 0,
                down_weight_bps: RATE_BPS,
                up_weight_bps: RATE_BPS,
                legs: vec![leg(LegKind::User, ms * 0.5), leg(LegKind::Feeder, ms * 0.5)],
                access: skyweave_dataplane::Access::Full,
                blocked: Vec::new(),
            });
        let table = EpochTable {
            epoch,
            revision: 0,
            start,
            end,
            beams: vec![Beam {
                down_bps: RATE_BPS,
                up_bps: RATE_BPS,
            }],
            routes: ids.clone().map(|id| (id, route.clone())).collect(),
        };
        for id in ids {
            let look = |s| Look {
                azimuth_rad: 0.1 * f64::from(s),
                elevation_rad: 1.0,
                clear: true,
            };
            let service = way.map(|_| Service {
                satellite: 44_713 + epoch as u32,
                gateway: 7,
                pop: 1,
                looks: (0..60).map(look).collect(),
                cell: 4711,
            });
            let position = Geodetic::from_degrees(50.45, 30.52).unwrap();
            self.dishes.schedule(
                id,
                Schedule {
                    start,
                    end,
                    position,
                    horizontal_speed_m_s: 0.0,
                    service,
                },
            );
        }
        self.network.install(Arc::new(table)).unwrap();
    }

    fn now(&self) -> Time {
        self.network.clock().now()
    }

    /// Runs a shell command behind terminal 0; its exit status.
    fn run(&self, command: &str) -> u8 {
        let inside = self.network.namespace(TerminalId(0)).unwrap();
        enter(&inside, &["sh", "-c", command].map(OsString::from)).unwrap()
    }
}

const RATE_BPS: u64 = 50_000_000;

fn identity(i: u32) -> Identity {
    Identity {
        id: format!("ut{:08}-00000000-{i:08x}", 1_000_000 + i),
        hardware_version: "rev4_prod1".to_owned(),
        software_version: "test".to_owned(),
        country_code: "UA".to_owned(),
        utc_offset_s: 7200,
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

/// The published clients of today.
fn clients() -> Option<PathBuf> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    PYTHON
        .get_or_init(|| python("dish-clients", include_str!("dish/requirements.txt")))
        .clone()
}

/// Runs a script of tests/dish/ against a dish; what it printed last, as JSON.
fn script(python: &Path, name: &str, arguments: &[&str]) -> serde_json::Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/dish")
        .join(name);
    let output = Command::new(python)
        .arg(file)
        .args(arguments)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{name}: {text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_str(text.lines().last().unwrap_or("null"))
        .unwrap_or_else(|e| panic!("{name}: {e}: {text}"))
}

/// Runs a script of tests/dish/ behind a terminal of `skyweave run` with these options; what it printed.
fn behind(options: &[&str], python: &Path, name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dish");
    let output = Command::new(env!("CARGO_BIN_EXE_skyweave"))
        .args(["run", "--uplink", "none"])
        .args(options)
        .arg("--")
        .arg(python)
        .arg(file.join(name))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {text}\n{errors}");
    text
}

/// Ten milliseconds each way.
const WAY_MS: f64 = 10.0;
/// What the machine adds to a round trip: usually 0.2 ms; another program may take the core for several.
const MACHINE_MS: f64 = 5.0;

#[test]
fn latency_loss_throughput_and_outages_are_those_of_the_packets() {
    let Some(bench) = Bench::start(
        "dish-truth",
        1,
        Settings {
            permissions: ALLOWED,
            ..Settings::default()
        },
    ) else {
        return;
    };
    let Some(python) = clients() else { return };
    let start = bench.now();
    // Four seconds of service, three without a satellite, then service over another satellite.
    bench.plan(1, start, 4, Ok(WAY_MS));
    bench.plan(2, start + Span::from_secs(4), 3, Err(Cause::NoSats));
    bench.plan(3, start + Span::from_secs(7), 60, Ok(2.0 * WAY_MS));
    let wait_until = |t: Time| {
        while bench.now() < t {
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let server = bench.addresses[0].grpc.to_string();
    wait_until(start + Span::from_millis(5800));
    let during = script(&python, "state.py", &[&server]);
    assert_eq!(during["status"]["state"], "NO_SATS", "{during}");
    wait_until(start + Span::from_millis(8500));
    // 100 datagrams of 1228 bytes of IP in each of three seconds: 0.98 Mbit/s, from behind the terminal.
    let send = "import socket,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\nt=time.time()\n\
                for i in range(300):\n s.sendto(b'x'*1200,('100.64.0.1',9))\n time.sleep(max(0,t+(i+1)/100-time.time()))\n";
    let file = std::env::temp_dir().join(format!("skyweave-dish-send-{}.py", std::process::id()));
    std::fs::write(&file, send).unwrap();
    assert_eq!(bench.run(&format!("python3 {}", file.display())), 0);
    std::fs::remove_file(file).unwrap();
    wait_until(bench.now() + Span::from_millis(1200));
    let told = script(&python, "state.py", &[&server]);
    assert_eq!(told["status"]["state"], "CONNECTED", "{told}");

    // The rings: seconds since boot, which was at the start.
    let ring = |name: &str| -> Vec<f64> {
        let values = told["history"][name].as_array().unwrap();
        values
            .iter()
            .map(|v| v.as_f64().unwrap_or(f64::NAN))
            .collect()
    };
    let (drops, latencies, up) = (ring("drop"), ring("latency"), ring("up"));
    let near = |ms: f64, planned: f64| ms >= planned && ms < planned + MACHINE_MS;
    let whole = |planned: f64| {
        drops
            .iter()
            .zip(&latencies)
            .filter(|(d, l)| **d == 0.0 && near(**l, planned))
            .count()
    };
    assert!(
        whole(2.0 * WAY_MS) >= 2,
        "seconds of the first route: {latencies:?} {drops:?}"
    );
    assert!(
        whole(4.0 * WAY_MS) >= 3,
        "seconds of the last route: {latencies:?} {drops:?}"
    );
    assert!(
        drops.iter().filter(|d| **d == 1.0).count() >= 2,
        "seconds without a route: {drops:?}"
    );
    // Pings are 84 bytes, five a second.
    let sent_bps = 100.0 * 1228.0 * 8.0 + 5.0 * 84.0 * 8.0;
    let busiest = up.iter().copied().fold(0.0, f64::max);
    assert!(
        (busiest / sent_bps - 1.0).abs() < 0.05,
        "sent {sent_bps}, told {busiest}"
    );

    let outages = told["outages"].as_array().unwrap();
    let outage = outages
        .iter()
        .find(|o| o["cause"] == "NO_SATS")
        .unwrap_or_else(|| panic!("{outages:?}"));
    // GPS time is 19 s behind TAI and counts from 1980-01-06, 7300 days before 2000-01-01.
    let gps_s = outage["start_ns"].as_i64().unwrap() as f64 / 1e9 - 7300.0 * 86_400.0 + 19.0;
    let begun_s = gps_s
        - (start.nanos() / 1_000_000_000) as f64
        - (start.nanos() % 1_000_000_000) as f64 / 1e9;
    // Pings are 0.2 s apart; one under way when the route ends may be lost as well.
    assert!(
        (3.7..4.5).contains(&begun_s),
        "it began {begun_s} s after the start"
    );
    let lasted_s = outage["duration_ns"].as_f64().unwrap() / 1e9;
    assert!((2.5..3.7).contains(&lasted_s), "it lasted {lasted_s} s");
    assert_eq!(outage["did_switch"], true);
    assert_eq!(outages[0]["cause"], "BOOTING");
}

#[test]
fn published_clients_find_all_they_need() {
    let Some(bench) = Bench::start(
        "dish-clients",
        2,
        Settings {
            permissions: ALLOWED,
            ..Settings::default()
        },
    ) else {
        return;
    };
    let Some(python) = clients() else { return };
    bench.plan(1, bench.now(), 3600, Ok(WAY_MS));
    std::thread::sleep(Duration::from_millis(2500));
    for (i, address) in bench.addresses.iter().enumerate() {
        let told = script(&python, "clients.py", &[&address.grpc.to_string()]);
        assert_eq!(told["id"], identity(i as u32).id);
    }
    // At the address and port of real terminals, from behind the terminal.
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dish/state.py");
    let command = format!(
        "{} {} 192.168.100.1:9200 > /dev/null",
        python.display(),
        file.display()
    );
    assert_eq!(bench.run(&command), 0);
}

#[test]
fn published_rust_crates_are_answered() {
    let Some(bench) = Bench::start("dish-crates", 1, Settings::default()) else {
        return;
    };
    // The crate `starlink` compiles its schema when it is built.
    if !Command::new("protoc")
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success())
    {
        eprintln!("SKIPPED: `protoc` is not installed");
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dish/rust-clients");
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--quiet", "--locked", "--target-dir"])
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-clients"))
        .current_dir(&folder);
    assert!(build.status().unwrap().success(), "the clients build");
    let client = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-clients/debug/rust-clients");
    let output = Command::new(client)
        .arg(bench.addresses[0].grpc.to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(text.trim(), format!("\"{}\"", identity(0).id));
}

/// The real planner's satellites and delays, all the way to what the dish says.
#[test]
fn behind_a_planned_terminal_the_dish_tells_the_planned_round_trip() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(missing) = probe().packets {
        eprintln!("SKIPPED: {}", LiveError::Missing(missing));
        return;
    }
    let Some(python) = clients() else { return };
    let options = [
        "--at",
        "Kyiv",
        "--dish-location",
        "--dish-context",
        "--predict",
        "--json",
    ];
    let text = behind(&options, &python, "planned.py");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .filter_map(|l| serde_json::from_str(l).ok())
        .collect();
    let [told, predicted] = &lines[..] else {
        panic!("{text}")
    };
    let number = |value: &serde_json::Value, name: &str| {
        value[name]
            .as_f64()
            .unwrap_or_else(|| panic!("{name}: {text}"))
    };
    assert_eq!(told["state"], "CONNECTED");
    assert!(
        (number(told, "lat") - 50.45).abs() < 0.1 && (number(told, "lon") - 30.52).abs() < 0.1,
        "{text}"
    );
    assert!(
        number(told, "satellite") > 10_000.0 && number(told, "to_slot_end") <= 15.0,
        "{text}"
    );
    assert!(number(told, "cells") >= 1.0, "{text}");
    // What the dish tells is what packets take in the same slot, and what they take is what is planned. The prediction is of the next
    // slot, whose way to the ground may be another.
    let (latency, ping) = (number(told, "latency_ms"), number(told, "ping_ms"));
    assert!((latency - ping).abs() < MACHINE_MS, "{text}");
    assert!(
        number(predicted, "error_ms_p50").abs() < MACHINE_MS,
        "{text}"
    );
}

/// The whole way from a scenario to a published client: a house all around, higher than any satellite.
#[test]
fn behind_a_house_the_dish_is_obstructed_and_packets_are_lost() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(missing) = probe().packets {
        eprintln!("SKIPPED: {}", LiveError::Missing(missing));
        return;
    }
    let Some(python) = clients() else { return };
    let folder = private_dir();
    let scenario = folder.path().join("court.toml");
    let text = "[sky]\nstart = 2026-05-21T00:00:12Z\n[[sky.shell]]\naltitude_km = 550.0\ninclination_deg = 53.0\n\
                planes = 72\nsatellites_per_plane = 22\n[[terminal]]\nname = \"court\"\nplace = \"50.45,30.52\"\n\
                rate_mbps = 5.0\n[[terminal.obstruction]]\nfrom_deg = 0\nto_deg = 360\nbelow_deg = 90\n";
    std::fs::write(&scenario, text).unwrap();
    let options = ["--at", "court", "--scenario", scenario.to_str().unwrap()];
    let text = behind(&options, &python, "obstructed.py");
    let told: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    // No ping was ever answered: it has not come up.
    assert_eq!(told["state"], "BOOTING", "{told}");
    assert_eq!(told["drop_rate"], 1.0, "{told}");
    assert_eq!(told["currently_obstructed"], true, "{told}");
    assert_eq!(told["fraction_obstructed"], 1.0, "{told}");
    assert_eq!(told["map"], serde_json::json!([-1.0, 0.0]), "{told}");
}

#[test]
fn older_clients_find_the_old_file_names() {
    let settings = Settings {
        permissions: ALLOWED,
        file_names: FileNames::Old,
    };
    let Some(bench) = Bench::start("dish-old", 1, settings) else {
        return;
    };
    let older = "starlink-grpc-core==1.2.2\ngrpcio==1.85.1\ngrpcio-reflection==1.85.1\n";
    let Some(python) = python("dish-clients-1.2.2", older) else {
        return;
    };
    bench.plan(1, bench.now(), 3600, Ok(WAY_MS));
    std::thread::sleep(Duration::from_millis(1500));
    let told = script(&python, "state.py", &[&bench.addresses[0].grpc.to_string()]);
    assert_eq!(told["status"]["state"], "CONNECTED");
}

#[test]
fn a_stowed_dish_passes_no_packets_and_a_restarted_one_begins_anew() {
    let Some(bench) = Bench::start("dish-commands", 1, Settings::default()) else {
        return;
    };
    let Some(python) = clients() else { return };
    bench.plan(1, bench.now(), 3600, Ok(WAY_MS));
    std::thread::sleep(Duration::from_millis(1500));
    let server = bench.addresses[0].grpc.to_string();
    let ping = "ping -q -c 1 -W 1 100.64.0.1 > /dev/null";
    assert_eq!(bench.run(ping), 0);
    let told = script(&python, "commands.py", &[&server, "stow"]);
    assert_eq!(
        (&told["state"], &told["stow_requested"]),
        (&"STOWED".into(), &true.into())
    );
    std::thread::sleep(Duration::from_millis(400));
    assert_ne!(bench.run(ping), 0, "a stowed dish passes packets");
    assert!(bench.network.stats().silenced > 0);
    script(&python, "commands.py", &[&server, "unstow"]);
    std::thread::sleep(Duration::from_millis(800));
    assert_eq!(bench.run(ping), 0);
    let told = script(&python, "commands.py", &[&server, "status"]);
    assert_eq!(told["state"], "CONNECTED");
    // Its answer comes first, then it is gone for a while, then it counts from the beginning.
    let told = script(&python, "commands.py", &[&server, "reboot"]);
    assert_eq!(told["bootcount"], 2, "{told}");
    assert!(told["gone"].as_bool().unwrap(), "it was there all the time");
    assert!(
        told["current"].as_u64().unwrap() < 6 && told["uptime"].as_u64().unwrap() < 6,
        "{told}"
    );
}

/// One HTTP/1.1 exchange; the head and the body of the answer.
fn http(to: &DishAddress, head: &str, body: &[u8]) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(to.grpc_web).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(15)))
        .unwrap();
    write!(
        stream,
        "{head}\r\nHost: dish\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("a head ends");
    let head = String::from_utf8(answer[..end].to_vec())
        .unwrap()
        .to_lowercase();
    (head, unchunk(&answer[end + 4..]))
}

/// The body of a chunked answer (RFC 9112, section 7.1).
fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if length == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
    body
}

#[test]
fn browsers_are_answered_over_grpc_web() {
    let Some(bench) = Bench::start("dish-web", 1, Settings::default()) else {
        return;
    };
    let dish = &bench.addresses[0];
    let path = "/SpaceX.API.Device.Device/Handle";
    let (head, _) = http(
        dish,
        &format!("OPTIONS {path} HTTP/1.1\r\nOrigin: http://a.example"),
        b"",
    );
    assert!(head.starts_with("http/1.1 204"), "{head}");
    for allowed in ["content-type", "x-grpc-web", "x-user-agent", "grpc-timeout"] {
        assert!(
            head.lines()
                .any(|l| l.starts_with("access-control-allow-headers") && l.contains(allowed)),
            "{head}"
        );
    }
    // get_device_info: member 1008, empty. The key is 1008 << 3 | 2 as a varint.
    let request = [0, 0, 0, 0, 3, 0x82, 0x3f, 0];
    let post = |kind: &str| format!("POST {path} HTTP/1.1\r\nContent-Type: {kind}");
    let (head, body) = http(dish, &post("application/grpc-web+proto"), &request);
    assert!(
        head.contains("access-control-expose-headers: grpc-status, grpc-message"),
        "{head}"
    );
    let length = u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize;
    assert!(body[0] == 0 && body[5..5 + length].windows(11).any(|w| w == b"ut01000000-"));
    let trailers = &body[5 + length..];
    assert!(trailers[0] == 0x80 && trailers[5..].starts_with(b"grpc-status:0\r\n"));
    let (_, text) = http(dish, &post("application/grpc-web-text"), b"AAAAAAOCPwA=");
    assert!(
        text.len() > 100
            && text
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b))
    );
    // get_location, member 1017, is not allowed.
    let (_, body) = http(
        dish,
        &post("application/grpc-web"),
        &[0, 0, 0, 0, 3, 0xca, 0x3f, 0],
    );
    assert!(
        body.windows(13).any(|w| w == b"grpc-status:7"),
        "{}",
        String::from_utf8_lossy(&body)
    );
    let (head, _) = http(dish, &post("text/plain"), &request);
    assert!(head.starts_with("http/1.1 415"), "{head}");
}

#[test]
fn slow_and_greedy_clients_are_cut_off_while_others_are_served() {
    let Some(bench) = Bench::start("dish-greedy", 1, Settings::default()) else {
        return;
    };
    let dish = &bench.addresses[0];
    let closed_within = |mut stream: TcpStream, most: Duration| {
        stream.set_read_timeout(Some(most)).unwrap();
        let begun = Instant::now();
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).is_ok_and(|n| n > 0) {
            if begun.elapsed() > most {
                return false;
            }
        }
        begun.elapsed() < most
    };
    // One announces more than it may send, one never finishes its head, one never says anything.
    let greedy =
        "POST /SpaceX.API.Device.Device/Handle HTTP/1.1\r\nContent-Type: application/grpc-web";
    let (_, body) = http(dish, greedy, &[0, 0x7f, 0xff, 0xff, 0xff]);
    assert!(
        body.windows(13).any(|w| w == b"grpc-status:8"),
        "{}",
        String::from_utf8_lossy(&body)
    );
    let mut slow = TcpStream::connect(dish.grpc_web).unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\nHo").unwrap();
    let silent = TcpStream::connect(dish.grpc).unwrap();
    // As many as there is room for, and one more, which is hung up on at once.
    let crowd: Vec<_> = (0..110)
        .map(|_| TcpStream::connect(dish.grpc).unwrap())
        .collect();
    assert!(closed_within(
        crowd.last().unwrap().try_clone().unwrap(),
        Duration::from_secs(2)
    ));
    assert!(
        closed_within(slow, Duration::from_secs(15)),
        "half a head is waited for"
    );
    assert!(
        closed_within(silent, Duration::from_secs(15)),
        "silence is waited for"
    );
    drop(crowd);
    std::thread::sleep(Duration::from_millis(200));
    let (_, body) = http(dish, greedy, &[0, 0, 0, 0, 3, 0x82, 0x3f, 0]);
    assert!(body.len() > 50, "others are served");
}
