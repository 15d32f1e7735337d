//! Processes that write and are killed: what they confirmed must be there. They are this test program itself, told by its
//! environment what to do.

use super::places::*;
use super::things::*;
use super::{put, until, works};
use skyweave::access::{Choice, SCENARIO_TERMINALS, Service, ServicePlace};
use skyweave::operator::*;
use skyweave_base::{Geodetic, Time};
use skyweave_service::*;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

const TASK: &str = "SKYWEAVE_STORE_TASK";
const DATABASE: &str = "SKYWEAVE_STORE_DATABASE";
const ROUND: &str = "SKYWEAVE_STORE_ROUND";

/// Starts this program as a process that does a task with a database.
pub(crate) fn child(database: &str, task: &str, prepare: impl FnOnce(&mut Process)) -> Child {
    // Somebody else may have to run it, and may not see where it was built.
    let copy = tempfile::tempdir().unwrap();
    let mut program = std::env::current_exe().unwrap();
    if is_root() && task == "open" {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(&program, copy.path().join("store")).unwrap();
        program = copy.keep().join("store");
    }
    let mut process = Process::new(program);
    process
        .args(["killed::as_child", "--exact", "--nocapture"])
        .envs([(TASK, task), (DATABASE, database)])
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    prepare(&mut process);
    process.spawn().unwrap()
}

/// Not a test of its own: what the processes do that the tests start.
#[test]
fn as_child() {
    let (Ok(task), Ok(database)) = (std::env::var(TASK), std::env::var(DATABASE)) else {
        return;
    };
    match task.as_str() {
        "write" => write_until_killed(&database),
        "open" => match Desk::open(&url(&database)) {
            Ok(_) => println!("opened"),
            Err(error) => println!("{error}"),
        },
        "commission" => {
            println!("\nbegins");
            commission(&database, |n| println!("enrolled {n}"));
        }
        "fill" => fill_the_disk(&database),
        "fill postgres" => fill_the_disk_of_postgresql(),
        "hold" => {
            let db = rusqlite::Connection::open(&database).unwrap();
            db.execute_batch("BEGIN EXCLUSIVE").unwrap();
            println!("\nheld");
            // Until whoever started this ends it.
            let _ = std::io::stdin().read_line(&mut String::new());
        }
        other => panic!("{other}"),
    }
}

/// Terminals that come onto the books of a network that begins.
const ENROLLED: u32 = 8;

/// What a network does with its database when it begins.
fn commission(database: &str, enrolled: impl Fn(u32)) {
    let choice = Choice::At(database.to_owned());
    let place = ServicePlace::find(&choice, "killed").unwrap().unwrap();
    let now = Time::from_nanos(1);
    let service = Service::open(place, now).unwrap();
    let at = Geodetic::from_degrees(50.45, 30.52).unwrap();
    for n in 1..=ENROLLED {
        service.enrol(ut(n), SCENARIO_TERMINALS, at, now).unwrap();
        enrolled(n);
    }
}

#[test]
fn a_network_killed_while_it_begins_begins_again() {
    let site = Site::new(Kind::Sqlite);
    let (mut halfway, mut whole) = (0, 0);
    for n in 0..50 {
        let database = site.fresh();
        let mut child = child(&database, "commission", |_| {});
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        // In every second round somewhere before the first terminal is there, in the others among them.
        let (after, micros) = match n % 2 {
            0 => ("begins".to_owned(), n * 500),
            _ => (format!("enrolled {}", 1 + n / 2 % 6), n * 20),
        };
        assert!(said.any(|line| line.unwrap() == after));
        std::thread::sleep(Duration::from_micros(micros));
        child.kill().unwrap();
        child.wait().unwrap();
        let rows = match Store::read_only(&url(&database)) {
            Ok(mut store) => {
                let head = store.head().unwrap();
                let things = store.load().unwrap();
                let commissioned = u64::from(head.rows > 0);
                assert_eq!(things.accounts.len() as u64, 2 * commissioned);
                assert_eq!(things.plans.len() as u64, commissioned);
                let half = |t: &&Terminal| !matches!(t.state, State::Activated(..));
                assert_eq!(things.terminals.iter().find(half), None);
                assert_eq!(
                    head.rows,
                    4 * commissioned + 3 * things.terminals.len() as u64
                );
                head.rows
            }
            // Killed before there was a table.
            Err(_) => 0,
        };
        let all = 4 + 3 * u64::from(ENROLLED);
        halfway += u32::from(rows > 0 && rows < all);
        whole += u32::from(rows == all);
        commission(&database, |_| ());
        let mut store = Store::read_only(&url(&database)).unwrap();
        assert_eq!(store.verify_audit(None).unwrap().rows, all);
    }
    println!("50 kills: {halfway} in the middle, {whole} too late");
    assert!(halfway > 0, "no kill came in the middle");
}

/// Writes from four threads, and says of each write that it was confirmed.
fn write_until_killed(database: &str) {
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    // The test harness has begun a line.
    println!();
    // A server that was stopped is not there for the next one.
    let Ok(desk) = Desk::open(&url(database)) else {
        return;
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let desk = &desk;
            scope.spawn(move || {
                for n in 0.. {
                    let id = (round << 32) | (thread << 24) | n;
                    let action = if n % 10 == 9 {
                        // A transaction of many pages.
                        let first =
                            u32::try_from(round * 40_000 + thread * 10_000 + n * 10).unwrap();
                        Action::AddTerminals((first..first + 50).map(|n| sold(n + 1)).collect())
                    } else {
                        Action::PutOrganisation(organisation(id))
                    };
                    let added = matches!(action, Action::AddTerminals(_));
                    match desk.execute(command(id.cast_signed(), action)) {
                        Ok(done) => {
                            let line =
                                format!("ack {} {}\n", done.row.number, if added { 0 } else { id });
                            std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                        }
                        Err(Rejected::Refused(_)) => {}
                        Err(_) => return,
                    }
                    desk.record_usage(vec![UsageRecord {
                        terminal: ut(1),
                        period_start: Time::from_nanos(n.cast_signed()),
                        down_bytes: n,
                        up_bytes: 0,
                    }]);
                }
            });
        }
    });
}

/// What was confirmed in all rounds.
#[derive(Default)]
struct Confirmed {
    rows: u64,
    organisations: BTreeSet<u64>,
}

/// Starts a process that writes, kills it some time later, and reads what it had confirmed. In every second round the time
/// counts from its first confirmed write, in the others from its start: opening is killed, too.
fn round(database: &str, round: u64, confirmed: &mut Confirmed, meanwhile: impl FnOnce()) {
    let mut child = child(database, "write", |c| {
        c.env(ROUND, round.to_string());
    });
    let (said, says) = channel();
    let out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let (mut out, mut line) = (BufReader::new(out), String::new());
        while out.read_line(&mut line).is_ok_and(|n| n > 0) {
            // A line that was cut off confirms nothing.
            if line.starts_with("ack ") && line.ends_with('\n') {
                let _ = said.send(line.clone());
            }
            line.clear();
        }
    });
    let mut acks = Vec::new();
    if round.is_multiple_of(2) {
        acks.extend(says.recv_timeout(Duration::from_secs(20)));
    }
    std::thread::sleep(Duration::from_micros(round * 7_919 % 40_000));
    meanwhile();
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    acks.extend(says.iter());
    for ack in acks {
        let numbers: Vec<u64> = ack
            .split_whitespace()
            .skip(1)
            .map(|n| n.parse().unwrap())
            .collect();
        confirmed.rows = confirmed.rows.max(numbers[0]);
        if numbers[1] != 0 {
            confirmed.organisations.insert(numbers[1]);
        }
    }
}

/// All that was confirmed is there, the chain is whole, and the things fit together.
fn check(database: &str, round: u64, confirmed: &Confirmed) {
    let mut store = Store::open(&url(database)).unwrap();
    let head = store.verify_audit(None).unwrap();
    assert!(
        head.rows >= confirmed.rows,
        "round {round}: {} of {} rows",
        head.rows,
        confirmed.rows
    );
    let things = store.load().unwrap();
    let there: BTreeSet<u64> = things.organisations.iter().map(|o| o.id.0).collect();
    let lost: Vec<_> = confirmed.organisations.difference(&there).collect();
    assert!(lost.is_empty(), "round {round}: {lost:?}");
    // Nothing by halves: 50 terminals to a row that adds terminals, one organisation to each other.
    let added = things.terminals.len() / 50;
    assert_eq!(things.terminals.len() % 50, 0, "round {round}");
    assert_eq!(head.rows, (there.len() + added) as u64, "round {round}");
    Register::load(things).unwrap();
}

#[test]
fn two_hundred_kills_lose_nothing_on_sqlite() {
    let site = Site::new(Kind::Sqlite);
    let database = site.fresh();
    let mut confirmed = Confirmed::default();
    let begin = Instant::now();
    for n in 1..=200 {
        round(&database, n, &mut confirmed, || ());
        check(&database, n, &confirmed);
    }
    eprintln!(
        "200 kills, {} confirmed rows, {:?}",
        confirmed.rows,
        begin.elapsed()
    );
    assert!(
        confirmed.rows > 500,
        "only {} rows: nothing was under load",
        confirmed.rows
    );
}

#[test]
fn kills_of_clients_and_of_the_server_lose_nothing_on_postgresql() {
    let Some(server) = Server::start() else {
        return;
    };
    let database = server.database();
    let mut confirmed = Confirmed::default();
    let begin = Instant::now();
    for n in 1..=40 {
        let stops = n % 8 == 0;
        round(&database, n, &mut confirmed, || {
            if stops {
                server.stop_immediately();
            }
        });
        if stops {
            server.run();
        }
        check(&database, n, &confirmed);
    }
    eprintln!(
        "40 kills, 5 of the server, {} confirmed rows, {:?}",
        confirmed.rows,
        begin.elapsed()
    );
    assert!(
        confirmed.rows > 100,
        "only {} rows: nothing was under load",
        confirmed.rows
    );
}

/// Does a task in a process that alone sees a file system of so many MB in that folder; what it says. `None` if that is not
/// possible here.
pub(crate) fn on_a_small_disk(dir: &Path, megabytes: u32, task: &str) -> Option<String> {
    let as_root = if is_root() { "-m" } else { "-rm" };
    let said = Process::new("unshare")
        .args([as_root, "sh", "-c"])
        .arg("mount -t tmpfs -o size=\"$3\"m,mode=755 tmpfs \"$1\" && exec \"$2\" killed::as_child --exact --nocapture")
        .arg("sh")
        .arg(dir)
        .arg(std::env::current_exe().unwrap())
        .arg(megabytes.to_string())
        .env(TASK, task)
        .env(DATABASE, dir.join("service.sqlite"))
        .env("TMPDIR", dir)
        .output();
    match said {
        Ok(said) if !said.stdout.is_empty() => {
            let error = String::from_utf8_lossy(&said.stderr);
            assert!(said.status.success(), "{error}");
            Some(String::from_utf8_lossy(&said.stdout).into_owned())
        }
        other => {
            eprintln!("SKIPPED: no file system of one's own here: {other:?}");
            None
        }
    }
}

/// A server whose whole disk is small. It may refuse the row, or stop because its log finds no room, and starts anew.
fn fill_the_disk_of_postgresql() {
    let server = Server::start_with(&[
        "-c",
        "fsync=off",
        "-c",
        "max_wal_size=4MB",
        "-c",
        "min_wal_size=2MB",
        "-c",
        "restart_after_crash=on",
    ])
    .expect("PostgreSQL is there: it was looked for");
    let database = server.database();
    // Its data and its log leave about this much.
    let free = rustix::fs::statvfs(std::env::temp_dir()).unwrap();
    let ballast = free.f_bavail * free.f_frsize - (8 << 20);
    fill(&database, usize::try_from(ballast).unwrap(), || {
        server.stop_immediately();
        server.run();
    });
}

fn fill_the_disk(database: &str) {
    fill(database, 1 << 20, || ());
}

/// Fills the disk, says what the desk said, makes room, and goes on.
fn fill(database: &str, ballast_bytes: usize, after: impl FnOnce()) {
    let ballast = std::env::temp_dir().join("ballast");
    fs::write(&ballast, vec![1; ballast_bytes]).unwrap();
    let desk = Desk::open(&url(database)).unwrap();
    let mut rows = 0_u64;
    let error = loop {
        // PostgreSQL makes little of what repeats itself.
        let mut noise = vec![0; 10_000];
        let mut source = blake3::Hasher::new()
            .update(&rows.to_le_bytes())
            .finalize_xof();
        source.fill(&mut noise);
        let name: String = noise.iter().map(|byte| format!("{byte:02x}")).collect();
        let large = Organisation {
            name,
            ..organisation(rows + 1)
        };
        match desk.execute(command(1, Action::PutOrganisation(large))) {
            Ok(done) => rows = done.row.number,
            Err(error) => break error,
        }
        assert!(rows < 4000, "a small disk takes 80 MB");
    };
    println!("{error}");
    assert_eq!(desk.register().organisations().len() as u64, rows);
    assert!(!works(&desk));
    fs::remove_file(&ballast).unwrap();
    after();
    until("the desk works", || works(&desk));
    desk.execute(put(rows + 1)).unwrap();
    let stored = desk.ask(|store| store.load()).wait().unwrap();
    assert!(stored == desk.register().to_things());
    assert_eq!(stored.head.rows, rows + 1);
    println!("all confirmed rows are there");
}
