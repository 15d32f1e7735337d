//! A live network whose database goes away beneath it: packets go on at their pace, everything that tells of the database says
//! so, a change is refused whole, traffic is counted, and all is well again by itself.

use super::killed;
use super::lines::{find, lines};
use super::places::*;
use rustix::thread::{UnshareFlags, unshare_unsafe};
use serde_json::{Value, json};
use skyweave::live;
use skyweave::operator::Store;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SCENARIO: &str = r#"
name = "away"
[sky]
start = 2026-05-21T00:00:12Z
[[sky.shell]]
altitude_km = 550.0
inclination_deg = 53.0
planes = 10
satellites_per_plane = 22
raan_start_deg = 170.0
raan_span_deg = 50.0
[radio]
profile = "starlink"
[[terminal]]
name = "house"
place = "50.4547,30.5238"
rate_mbps = 100.0
"#;

/// Between two echo requests.
const PING: Duration = Duration::from_millis(200);
/// No answer for so long would be a network that stood still: tests beside this one take the processor for a while.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Who finds out that a database does not answer waits for it: for a lock of somebody else 5 s; for a server that falls silent before it
/// is asked 2 s, in the middle of a transaction 10 s, and 5 s more when it is connected to anew.
const FIRST_REFUSAL: Duration = Duration::from_secs(20);
/// Who comes later does not wait.
const LATER_REFUSAL: Duration = Duration::from_secs(2);
/// A retry of the desk comes after 5 s at most, and may wait as long for an answer.
const BACK: Duration = Duration::from_secs(20);

/// `skyweave up` on a database, and a ping behind its terminal.
struct Up {
    up: Child,
    ping: Child,
    echoes: Receiver<Instant>,
    said: Receiver<String>,
    host: String,
    token: String,
    dir: TempDir,
    written: u64,
    sent_bytes: u64,
}

impl Up {
    fn start(database: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let scenario = dir.path().join("away.toml");
        fs::write(&scenario, SCENARIO).unwrap();
        let skyweave = |args: &[&str]| {
            let mut process = Process::new(env!("CARGO_BIN_EXE_skyweave"));
            process
                .args(args)
                .env("SKYWEAVE_RUN_DIR", dir.path().join("run"))
                .env("XDG_STATE_HOME", dir.path().join("state"))
                .env("SKYWEAVE_CREDENTIALS", dir.path().join("own/credentials"))
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            process
        };
        let scenario = scenario.display().to_string();
        let mut up = skyweave(&["up", &scenario, "--uplink", "none"])
            .args(["--listen", "127.0.0.1:0", "--database", database])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (out, err) = (
            lines(up.stdout.take().unwrap()),
            lines(up.stderr.take().unwrap()),
        );
        let secret = find(&err, "one-time secret ");
        let secret = secret.split(' ').next().unwrap();
        let api = find(&out, "API: ");
        let mut login = skyweave(&["admin", "login", "--api", &api])
            .spawn()
            .unwrap();
        let mut answers = login.stdin.take().unwrap();
        writeln!(answers, "{secret}\na few words of my own").unwrap();
        drop(answers);
        assert!(login.wait().unwrap().success());
        let made = skyweave(&["admin", "token", "add", "test", "--why", "test", "--json"])
            .output()
            .unwrap();
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let mut ping = skyweave(&["run", "--scenario", &scenario, "--at", "house", "--"])
            .args(["ping", "-i", &PING.as_secs_f64().to_string(), "100.64.0.1"])
            .spawn()
            .unwrap();
        let (say, echoes) = channel();
        let pinged = BufReader::new(ping.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in pinged.lines().map_while(Result::ok) {
                if line.contains("bytes from 100.64.0.1") {
                    let _ = say.send(Instant::now());
                }
            }
        });
        let host = api.strip_prefix("http://").unwrap();
        Self {
            up,
            ping,
            echoes,
            said: out,
            host: host.strip_suffix("/api/v1").unwrap().to_owned(),
            token: made["secret"].as_str().unwrap().to_owned(),
            dir,
            written: 0,
            sent_bytes: 0,
        }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\
             Idempotency-Key: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            self.token,
            self.written,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    fn metric(&self, name: &str) -> f64 {
        let (status, page) = self.call("GET", "/metrics", &Value::Null);
        assert_eq!(status, 200, "{page}");
        let line = page.lines().find_map(|l| l.strip_prefix(name));
        let line = line.unwrap_or_else(|| panic!("no {name} in {page}"));
        line.trim().parse().unwrap()
    }

    /// Tries to open an account with a request that comes again under the same key until it is done.
    fn write(&self) -> (u16, String, Duration) {
        let begin = Instant::now();
        let name = format!("check {}", self.written);
        let account = json!({ "holder": { "person": name }, "market": "UA", "standing": "active" });
        let (status, body) = self.call("POST", "/api/v1/accounts?why=test", &account);
        (status, body, begin.elapsed())
    }

    fn must_write(&mut self) {
        let (status, body, _) = self.write();
        assert_eq!(status, 201, "{body}");
        self.written += 1;
    }

    /// Beside the two accounts of the commissioning.
    fn holds_what_was_written(&self) {
        let (_, page) = self.call("GET", "/api/v1/accounts?limit=1000", &Value::Null);
        let page: Value = serde_json::from_str(&page).unwrap();
        let accounts = page["items"].as_array().unwrap().len() as u64;
        assert_eq!(accounts, 2 + self.written);
    }

    /// While `away` holds: `words` tell why.
    fn is_away(&mut self, words: &str) {
        let until = Instant::now() + FIRST_REFUSAL;
        // A disk that gets full has room still for a write or two.
        let (refused, took) = loop {
            let (status, body, took) = self.write();
            if status == 503 {
                break (body, took);
            }
            assert_eq!(status, 201, "{body}");
            assert!(Instant::now() < until, "{words}: writes go through");
            self.written += 1;
        };
        println!("{words}: refused after {:.2} s", took.as_secs_f64());
        assert!(took < FIRST_REFUSAL, "{took:?}");
        let problem: Value = serde_json::from_str(&refused).unwrap();
        assert_eq!(
            problem["type"], "urn:skyweave:problem:database-away",
            "{problem}"
        );
        let begin = Instant::now();
        loop {
            let (status, body, took) = self.write();
            assert_eq!(status, 503, "{body}");
            assert!(took < LATER_REFUSAL, "{took:?}: {body}");
            if body.contains(words) {
                break;
            }
            // The reason is that of the last try.
            assert!(begin.elapsed() < BACK, "`{words}` is not in {body}");
            std::thread::sleep(Duration::from_millis(100));
        }
        let (status, health) = self.call("GET", "/api/v1/health", &Value::Null);
        let health: Value = serde_json::from_str(&health).unwrap();
        assert_eq!((status, &health["database"]), (503, &json!("away")));
        assert_eq!(self.metric("skyweave_database_up "), 0.0);
        self.holds_what_was_written();
    }

    /// On the screen, once for each time that it goes away.
    fn says_so(&self) {
        let shown = find(&self.said, "the service's database is away for ");
        assert!(shown.contains("entitlements stay as they were"), "{shown}");
    }

    /// Sends 50 kB to somewhere beyond the point of presence while the database is away, and sees them counted.
    fn counts_traffic(&mut self) {
        let sent = Process::new(env!("CARGO_BIN_EXE_skyweave"))
            .env("SKYWEAVE_RUN_DIR", self.dir.path().join("run"))
            .arg("run")
            .arg("--scenario")
            .arg(self.dir.path().join("away.toml"))
            .args(["--at", "house", "--", "sh", "-c"])
            // TEST-NET-1 (RFC 5737): nobody answers.
            .arg("ping -q -c 50 -i 0.01 -s 972 -W 1 192.0.2.1; true")
            .output()
            .unwrap();
        let told = String::from_utf8(sent.stdout).unwrap();
        let sent = told
            .lines()
            .find_map(|l| l.split_once(" packets transmitted"));
        let sent: u64 = sent.unwrap_or_else(|| panic!("{told}")).0.parse().unwrap();
        // The headers of ICMP and IP are 28 bytes.
        self.sent_bytes += sent * 1000;
        within(BACK, "traffic waits to be written", || {
            self.metric("skyweave_usage_unwritten ") == 1.0
        });
    }

    fn comes_back(&mut self) {
        within(BACK, "the database is back", || {
            self.call("GET", "/api/v1/health", &Value::Null).0 == 200
        });
        // With the key that was refused: it was not done, so it is done now.
        self.must_write();
        find(&self.said, "the service's database is back");
        within(BACK, "traffic is written", || {
            self.metric("skyweave_usage_unwritten ") == 0.0
        });
    }

    /// Ends it. All that was confirmed is there and nothing else, and no packet has waited for it.
    fn end(mut self, database: &str) {
        self.holds_what_was_written();
        self.ping.kill().unwrap();
        self.ping.wait().unwrap();
        let pid = rustix::process::Pid::from_child(&self.up);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert!(self.up.wait().unwrap().success());
        let echoes: Vec<Instant> = self.echoes.try_iter().collect();
        let pauses = echoes.windows(2).map(|w| w[1] - w[0]);
        let longest = pauses.max().unwrap();
        let lasted = *echoes.last().unwrap() - echoes[0];
        println!(
            "{} echoes in {:.1} s, the longest pause {:.3} s",
            echoes.len(),
            lasted.as_secs_f64(),
            longest.as_secs_f64()
        );
        assert!(longest < LONGEST_PAUSE, "{longest:?}");
        // One of a hundred may be lost or late where tests share two cores.
        let expected = lasted.as_secs_f64() / PING.as_secs_f64();
        assert!(
            echoes.len() as f64 > 0.9 * expected,
            "{} echoes",
            echoes.len()
        );
        let mut store = Store::read_only(&url(database)).unwrap();
        store.verify_audit(None).unwrap();
        let things = store.load().unwrap();
        assert_eq!(things.accounts.len() as u64, 2 + self.written);
        let counted: u64 = things.usage.iter().map(|u| u.up_bytes).sum();
        assert_eq!(counted, self.sent_bytes, "all traffic is written, once");
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.ping.kill();
        let _ = self.up.kill();
        let _ = (self.ping.wait(), self.up.wait());
    }
}

fn within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < limit, "not in {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("{what}: after {:.2} s", begin.elapsed().as_secs_f64());
}

fn possible() -> bool {
    let missing = live::probe().packets.err();
    if let Some(missing) = &missing {
        eprintln!("SKIPPED: packets are not possible here: {missing:?}");
    }
    missing.is_none()
}

#[test]
fn packets_go_on_while_a_file_is_locked_full_or_read_only() {
    if !possible() {
        return;
    }
    if !is_root() {
        eprintln!("SKIPPED: a disk of one's own needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let told = std::thread::scope(|scope| scope.spawn(|| on_a_disk_of_its_own(dir.path())).join());
    if let Err(panic) = told {
        std::panic::resume_unwind(panic);
    }
}

/// What this thread mounts only it and its children see, and it goes with them.
#[expect(unsafe_code, reason = "no other thread shares what this one gives up")]
fn on_a_disk_of_its_own(dir: &Path) {
    let folder = &dir.display().to_string();
    // SAFETY: of the namespaces and the folder that are unshared nothing is borrowed.
    let apart = unsafe { unshare_unsafe(UnshareFlags::FS | UnshareFlags::NEWNS) };
    let mounted = apart.is_ok()
        && mount(&["--make-rprivate", "/"])
        && mount(&["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", folder]);
    if !mounted {
        eprintln!("SKIPPED: no file system of one's own here");
        return;
    }
    let database = dir.join("service.sqlite").display().to_string();
    let mut up = Up::start(&database);
    up.must_write();

    let mut holder = killed::child(&database, "hold", |c| {
        c.stdin(Stdio::piped());
    });
    find(&lines(holder.stdout.take().unwrap()), "held");
    up.is_away("is locked by another process");
    up.says_so();
    up.counts_traffic();
    holder.kill().unwrap();
    holder.wait().unwrap();
    up.comes_back();

    // Somebody fills the disk, and again whatever becomes free.
    let mut ballast = fs::File::create(dir.join("ballast")).unwrap();
    let full = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while full.load(Ordering::Relaxed) {
                while ballast.write_all(&[0; 512]).is_ok() {}
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let _over = Over(&full);
        up.is_away("is full");
        up.says_so();
        up.counts_traffic();
    });
    // The same files, but no longer to be written.
    assert!(mount(&["-o", "bind,ro", folder, folder]));
    up.is_away("can only be read");
    let over = Process::new("umount").arg(dir).status().unwrap();
    assert!(over.success());
    ballast.set_len(0).unwrap();
    up.comes_back();
    up.end(&database);
}

/// Ends what goes on, however a test ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn mount(args: &[&str]) -> bool {
    let mounted = Process::new("mount").args(args).status();
    mounted.is_ok_and(|status| status.success())
}

#[test]
fn packets_go_on_while_a_server_is_down_or_silent() {
    if !possible() {
        return;
    }
    let Some(server) = Server::start() else {
        return;
    };
    let database = server.database();
    let mut up = Up::start(&database);
    up.must_write();

    server.stop_immediately();
    up.is_away("is away");
    up.says_so();
    up.counts_traffic();
    server.run();
    up.comes_back();

    server.signal_all(rustix::process::Signal::STOP);
    up.is_away("the server has not answered");
    up.says_so();
    up.counts_traffic();
    server.signal_all(rustix::process::Signal::CONT);
    up.comes_back();
    up.end(&database);
}
