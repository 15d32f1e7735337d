//! What the store and the desk cost with a million terminals: import from CSV, a start, and reads while writes go on.
//!
//! Not criterion's loop: an import of a million is not repeated until it is steady, and of reads the tail counts. Prints
//! each round and the median; wall time, and processor time of the whole process (PostgreSQL's own is not in it).
//! `OPERATOR_BENCH_TERMINALS` and `OPERATOR_BENCH_ROUNDS` make it smaller.

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../tests/store/places.rs"]
mod places;

use places::{Kind, Server, Site, url};
use skyweave::operator::Desk;
use skyweave_base::Time;
use skyweave_service::*;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A database that is as safe as one in use.
const SYNCED: &[&str] = &["-c", "fsync=on"];
/// How long reads are measured beside each kind of write.
const READING: Duration = Duration::from_secs(10);

fn main() {
    let number =
        |name: &str, default| std::env::var(name).map_or(default, |n| n.parse().expect("a number"));
    let terminals = number("OPERATOR_BENCH_TERMINALS", 1_000_000);
    let rounds = number("OPERATOR_BENCH_ROUNDS", 3);
    let csv = csv(terminals);
    println!(
        "{terminals} terminals, a CSV of {:.0} MB",
        csv.len() as f64 / 1e6
    );
    println!("SQLite");
    on(&Site::new(Kind::Sqlite), &csv, rounds);
    if let Some(server) = Server::start_with(SYNCED) {
        println!("PostgreSQL, on this machine");
        on(&Site::new(Kind::Postgres(&server)), &csv, rounds);
    }
}

fn on(site: &Site<'_>, csv: &str, rounds: u32) {
    let mut totals = Vec::new();
    let mut last = None;
    for _ in 0..rounds {
        drop(last.take());
        let text = site.fresh();
        totals.push(import(&text, csv));
        last = Some(text);
    }
    totals.sort();
    println!("  import, median: {:.1?}", totals[totals.len() / 2]);
    let text = last.expect("at least one round");
    let (begin, cpu) = (Instant::now(), cpu());
    let desk = Desk::open(&url(&text)).unwrap();
    println!(
        "  start, all of it read: {:.1?}, CPU {:.1?}",
        begin.elapsed(),
        self::cpu() - cpu
    );
    reads_while_writes_go_on(&desk);
}

fn import(text: &str, csv: &str) -> Duration {
    let desk = Desk::open(&url(text)).unwrap();
    let (begin, cpu) = (Instant::now(), cpu());
    let terminals = parse_terminals(csv.as_bytes()).unwrap();
    let parsed = begin.elapsed();
    desk.execute(command(Action::AddTerminals(terminals)))
        .unwrap();
    let total = begin.elapsed();
    println!(
        "  import: {total:.1?} (of it parsing {parsed:.1?}), CPU {:.1?}",
        self::cpu() - cpu
    );
    total
}

/// Reads of one terminal, as an API would: take the register, find it, copy it. Writes as fast as they go: steps of single
/// terminals from four threads, then imports of ten thousand, one after the other.
fn reads_while_writes_go_on(desk: &Desk) {
    let ids: Vec<UtId> = desk.register().terminals().keys().copied().collect();
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let beside = |what: &str, writer: &(dyn Fn(u64) + Sync), writers: u64| {
        stop.store(false, Ordering::Relaxed);
        written.store(0, Ordering::Relaxed);
        let times = std::thread::scope(|scope| {
            for n in 0..writers {
                let (stop, written) = (&stop, &written);
                scope.spawn(move || {
                    let mut turn = n;
                    while !stop.load(Ordering::Relaxed) {
                        writer(turn);
                        turn += writers;
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let times = read(desk, &ids);
            stop.store(true, Ordering::Relaxed);
            times
        });
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        println!(
            "  reads beside {what}: {} reads, {} writes; p50 {:.1?}, p99 {:.1?}, p99.9 {:.1?}, longest {:.1?}",
            times.len(),
            written.load(Ordering::Relaxed),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0)
        );
    };
    let step = |turn: u64| {
        let id = ids[(turn as usize).wrapping_mul(7919) % ids.len()];
        let blocked = matches!(desk.register().terminals()[&id].state, State::Blocked(_));
        let step = if blocked { Step::Restore } else { Step::Block };
        // Two threads may have chosen the same terminal.
        let _ = desk.execute(command(Action::Step(id, step)));
    };
    beside("steps of single terminals", &step, 4);
    let import = |turn: u64| {
        let first = u32::try_from(ids.len() as u64 + turn * 10_000).unwrap();
        let terminals = (first..first + 10_000).map(terminal).collect();
        desk.execute(command(Action::AddTerminals(terminals)))
            .unwrap();
    };
    beside("imports of ten thousand", &import, 1);
}

/// One read each millisecond, as sorted times.
fn read(desk: &Desk, ids: &[UtId]) -> Vec<Duration> {
    let (begin, mut times) = (Instant::now(), Vec::new());
    let mut n = 0_usize;
    while begin.elapsed() < READING {
        n = (n + 104_729) % ids.len();
        let asked = Instant::now();
        let found = desk.register().terminals().get(&ids[n]).cloned();
        times.push(asked.elapsed());
        assert!(found.is_some());
        std::thread::sleep(Duration::from_millis(1));
    }
    times.sort();
    times
}

fn csv(terminals: u32) -> String {
    let mut csv = "id,key,model,batch,market\n".to_owned();
    for n in 0..terminals {
        let t = terminal(n);
        csv += &format!("{},{},rev4,{},UA\n", t.id, t.key, t.batch);
    }
    csv
}

fn terminal(n: u32) -> Terminal {
    // Keys of real terminals have no order.
    let key = *blake3::hash(&n.to_le_bytes()).as_bytes();
    Terminal {
        id: UtId::new([0x0100_0000, 0, n]),
        key: PublicKey(key),
        model: "rev4".into(),
        batch: BatchId(n / 1000),
        state: State::Sold {
            market: "UA".parse().unwrap(),
        },
    }
}

fn command(action: Action) -> Command {
    Command {
        stamp: Stamp {
            by: "bench".into(),
            at: Time::from_nanos(0),
            why: "bench".into(),
        },
        action,
    }
}

/// Processor time of this process, all threads, ended ones too.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
