//! A table of behaviour: what plain window-based senders get through a beam, by the size of its queues and their number.
//! A change of behaviour is a change of the committed table; `UPDATE_SNAPSHOTS=1` writes it anew.

mod common;

use common::*;
use skyweave_base::{Span, TerminalId};
use skyweave_dataplane::{Beam, Config, DropReason, Port, QueueLimit};
use std::fmt::Write;

const DOWN_BPS: u64 = 100_000_000;
const LEN: usize = 1500;
const END: i64 = 20 * SECOND;

/// Slow start, then one packet more each round trip and half the window at a loss (RFC 5681 without retransmission: what
/// counts is the load on the queue).
struct Sender {
    window: f64,
    threshold: f64,
    next: u64,
    acked: u64,
    /// Losses of packets sent before this one belong to one event.
    recover: u64,
}

impl Sender {
    fn new() -> Self {
        Self {
            window: 10.0,
            threshold: f64::MAX,
            next: 0,
            acked: 0,
            recover: 0,
        }
    }

    fn may_send(&self) -> bool {
        ((self.next - self.acked) as f64) < self.window
    }

    /// The packet of this number arrived; order is kept, so those before it are lost.
    fn acknowledge(&mut self, number: u64) {
        if number > self.acked && self.acked >= self.recover {
            self.threshold = (self.window / 2.0).max(2.0);
            self.window = self.threshold;
            self.recover = self.next;
        }
        self.window += if self.window < self.threshold {
            1.0
        } else {
            1.0 / self.window
        };
        self.acked = number + 1;
    }
}

/// Downloads to `terminals` for 20 s over 40 ms of round trip, 60 ms in the second epoch.
fn row(queue_ms: i64, terminals: u32) -> String {
    let queue = QueueLimit {
        time: Span::from_millis(queue_ms),
        floor_bytes: 5 * LEN as u32,
    };
    let mut net = Net::with(Config {
        queue,
        ..config(terminals)
    });
    let beams = vec![Beam {
        down_bps: DOWN_BPS,
        up_bps: DOWN_BPS / 10,
    }];
    net.install(table(
        0,
        beams.clone(),
        vec![route(0, 20 * MS); terminals as usize],
    ));
    net.install(table(1, beams, vec![route(0, 30 * MS); terminals as usize]));
    let mut senders: Vec<_> = (0..terminals).map(|_| Sender::new()).collect();
    let mut started = 0;
    loop {
        // One more begins each 100 ms.
        let start = i64::from(started) * 100 * MS;
        let now = match net.engine.next_timeout() {
            Some(t) if started == terminals || t.nanos() < start => t.nanos(),
            None if started == terminals => break,
            _ => {
                started += 1;
                start
            }
        };
        if now >= END {
            break;
        }
        net.poll(now);
        for o in std::mem::take(&mut net.out) {
            match o.port {
                Port::Terminal(n) => net.send(now, o.port, &up4(n.0, 40, id(&o.packet))),
                Port::Pop => {
                    let n = (0..terminals).find(|&n| {
                        o.packet[12..16] == PLAN.address(TerminalId(n)).unwrap().v4.octets()
                    });
                    senders[n.unwrap() as usize].acknowledge(id(&o.packet));
                }
            }
        }
        for n in 0..started {
            let sender = &mut senders[n as usize];
            while sender.may_send() {
                net.send(now, Port::Pop, &down4(n, LEN, sender.next));
                sender.next += 1;
            }
        }
    }
    let rates: Vec<f64> = (0..terminals)
        .map(|n| {
            net.engine
                .terminal_counters(TerminalId(n))
                .unwrap()
                .down
                .delivered
                .bytes
        })
        .map(|bytes| bytes as f64 * 8.0 / (END as f64 / 1e9) / 1e6)
        .collect();
    let all = net.engine.counters();
    let lost = 100.0 * all.down[DropReason::QueueFull] as f64 / all.down.received.packets as f64;
    let sum: f64 = rates.iter().sum();
    // Jain's index of fairness: 1 if all get the same.
    let jain = sum * sum / (f64::from(terminals) * rates.iter().map(|r| r * r).sum::<f64>());
    assert_eq!(all.up.dropped_total(), 0, "acknowledgements fit");
    format!("{queue_ms:8} {terminals:9} {sum:7.2} {lost:8.3} {jain:7.4}")
}

#[test]
fn throughput_by_queue_and_number_of_terminals() {
    let mut now = String::from("queue_ms terminals  Mbit/s   lost_%    jain\n");
    for queue_ms in [5, 20, 50, 100] {
        for terminals in [1, 3, 10] {
            writeln!(now, "{}", row(queue_ms, terminals)).unwrap();
        }
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        #[allow(clippy::disallowed_methods)] // a test on request, not the crate
        std::fs::write(
            concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/snapshots/throughput.txt"
            ),
            &now,
        )
        .unwrap();
        return;
    }
    let before = include_str!("snapshots/throughput.txt");
    assert_eq!(
        now, before,
        "behaviour has changed: read it, then UPDATE_SNAPSHOTS=1"
    );
}
