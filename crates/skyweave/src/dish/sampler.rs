//! Pings from each terminal through the real packet path, and a sample of its counters once a second.

use super::{Terminal, Terminals};
use crate::live::{EchoSocket, Network, lock, realtime_nanos};
use skyweave_base::{Span, TerminalId, Time};
use skyweave_dish::Ping;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Each terminal pings the PoP this often: an outage of half a second is seen.
const INTERVAL: Duration = Duration::from_millis(200);
/// Pings in a second.
const A_SECOND: u64 = 5;
/// A ping that is not answered by then is lost. Full queues of the packet path hold less than that.
const PATIENCE: Span = Span::from_millis(600);

/// The thread that feeds the dishes. Dropping it ends the thread.
pub(super) struct Sampler {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sampler {
    pub(super) fn start(network: Arc<Network>, terminals: Arc<Terminals>) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = move || {
            let mut counted = BTreeMap::new();
            let mut next = Instant::now();
            for step in 0_u64.. {
                let all: Vec<_> = lock(&terminals).values().cloned().collect();
                for terminal in &all {
                    ping(&network, terminal);
                }
                if step.is_multiple_of(A_SECOND) {
                    sample(&network, &all, &mut counted);
                }
                // After a pause of the machine there is nothing to catch up with.
                next = (next + INTERVAL).max(Instant::now());
                std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("dish-sampler".to_owned())
            .spawn(work)?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// A terminal's pings that are under way.
#[derive(Debug)]
pub(super) struct Pings {
    socket: EchoSocket,
    /// In the order sent.
    waiting: VecDeque<Waiting>,
    next: u64,
    silent: bool,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    sent: Time,
    /// On the clock of arrivals.
    sent_at: i64,
    round_trip: Option<Span>,
}

impl Pings {
    pub(super) fn new(socket: EchoSocket) -> Self {
        Self {
            socket,
            waiting: VecDeque::new(),
            next: 0,
            silent: false,
        }
    }

    fn receive(&mut self) {
        while let Some((number, arrived)) = self.socket.receive() {
            if let Some(waiting) = self.waiting.iter_mut().find(|w| w.number == number) {
                let round_trip = Span::from_nanos(arrived - waiting.sent_at);
                waiting.round_trip =
                    Some(round_trip).filter(|took| (Span::ZERO..=PATIENCE).contains(took));
            }
        }
    }

    /// The next one in the order sent whose fate is known.
    fn judged(&mut self, now: Time) -> Option<Ping> {
        let first = self.waiting.front()?;
        if first.round_trip.is_none() && now - first.sent <= PATIENCE {
            return None;
        }
        let Waiting {
            sent, round_trip, ..
        } = self.waiting.pop_front()?;
        Some(Ping { sent, round_trip })
    }

    fn send(&mut self, now: Time) {
        let number = self.next;
        self.next += 1;
        self.waiting.push_back(Waiting {
            number,
            sent: now,
            sent_at: realtime_nanos(),
            round_trip: None,
        });
        // A ping that cannot be sent is one that is not answered.
        let _ = self.socket.send(number);
    }
}

/// Hears what has come back, tells the dish, and sends the next.
fn ping(network: &Network, terminal: &Terminal) {
    let mut pings = lock(&terminal.pings);
    pings.receive();
    let now = terminal.clock.now();
    let mut dish = lock(&terminal.dish);
    while let Some(ping) = pings.judged(now) {
        terminal.measured.count(ping.round_trip);
        dish.ping(ping);
    }
    let silent = !dish.carries_packets();
    let restarting = !dish.answers();
    drop(dish);
    if silent != pings.silent {
        pings.silent = silent;
        // A network that has ended carries nothing anyway.
        let _ = network.silence(terminal.id, silent);
    }
    // The answer to the request for a restart has had its time to leave.
    if restarting && terminal.restarts.swap(0, Ordering::Relaxed) > 0 {
        terminal.connections.hang_up();
    }
    pings.send(terminal.clock.now());
}

/// Bytes down and up so far.
type Counted = BTreeMap<TerminalId, (u64, u64)>;

fn sample(network: &Network, terminals: &[Arc<Terminal>], counted: &mut Counted) {
    let stats = network.stats();
    for terminal in terminals {
        let found = stats.terminals.iter().find(|(id, _)| *id == terminal.id);
        let now = found.map_or((0, 0), |(_, c)| {
            (c.down.delivered.bytes, c.up.delivered.bytes)
        });
        let before = counted.insert(terminal.id, now).unwrap_or(now);
        let passed = (
            now.0.saturating_sub(before.0),
            now.1.saturating_sub(before.1),
        );
        lock(&terminal.dish).second(terminal.clock.now(), passed.0, passed.1);
    }
    counted.retain(|id, _| terminals.iter().any(|t| t.id == *id));
}
