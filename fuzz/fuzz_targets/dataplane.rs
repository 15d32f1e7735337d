//! The engine by operation list: whatever happens in whatever order, nothing panics, each packet is accounted for, and a
//! terminal's packets come out in the order of their times.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skyweave_base::{Span, TerminalId, Time};
use skyweave_dataplane::{
    Access, AddressPlan, Beam, Config, DelayCurve, Engine, EpochTable, Leg, LegKind, Port, TerminalRoute,
    Unserved,
};
use std::sync::Arc;

const TERMINALS: u32 = 3;

/// Takes numbers off the input; zeros when it is used up.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let n = N.min(self.0.len());
        out[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        out
    }

    fn u8(&mut self) -> u8 {
        self.bytes::<1>()[0]
    }

    fn i64(&mut self) -> i64 {
        i64::from_le_bytes(self.bytes())
    }

    fn curve(&mut self) -> DelayCurve {
        DelayCurve {
            origin: Time::from_nanos(self.i64()),
            coefficients: [self.i64(), self.i64(), 0, 0].map(|bits| f64::from_bits(bits as u64)),
            valid: Span::from_nanos(self.i64()),
        }
    }

    /// Any table, mostly one that follows the last.
    fn table(&mut self, last: &mut (i64, i64)) -> EpochTable {
        let epoch = last.0.saturating_add(i64::from(self.u8() as i8));
        let start = last
            .1
            .saturating_add(i64::from(self.u8() as i8) * 10_000_000);
        let end = start.saturating_add(i64::from(self.u8()) * 10_000_000);
        *last = (epoch, end);
        let beams = (0..self.u8() % 4)
            .map(|_| Beam {
                down_bps: self.i64() as u64 >> (self.u8() % 64),
                up_bps: self.i64() as u64 >> (self.u8() % 64),
            })
            .collect();
        let mut route = || {
            if self.u8() % 4 == 0 {
                return Err(Unserved("fuzz"));
            }
            Ok(TerminalRoute {
                beam: u32::from(self.u8() % 4),
                down_weight_bps: self.i64() as u64,
                up_weight_bps: self.i64() as u64,
                legs: (0..self.u8() % 6)
                    .map(|_| Leg {
                        kind: LegKind::Laser,
                        up: self.curve(),
                        down: self.curve(),
                    })
                    .collect(),
                access: match self.u8() % 4 {
                    0 => Access::AccountPage,
                    _ => Access::Full,
                },
                blocked: (0..self.u8() % 3)
                    .map(|_| (Time::from_nanos(self.i64()), Time::from_nanos(self.i64())))
                    .collect(),
            })
        };
        let routes = (0..TERMINALS).map(|n| (TerminalId(n), route())).collect();
        EpochTable {
            epoch,
            revision: u32::from(self.u8() % 4),
            start: Time::from_nanos(start),
            end: Time::from_nanos(end),
            beams,
            routes,
        }
    }

    /// Bytes, mostly made into a packet with a right IPv4 header checksum between addresses that mean something.
    fn packet(&mut self, plan: &AddressPlan) -> Vec<u8> {
        let len = usize::from(u16::from_le_bytes(self.bytes()) % 1600);
        let mut packet = vec![0; len];
        let head = self.bytes::<32>();
        let n = head.len().min(len);
        packet[..n].copy_from_slice(&head[..n]);
        if len < 40 || self.u8() % 8 == 0 {
            return packet;
        }
        let own = plan
            .address(TerminalId(u32::from(self.u8()) % TERMINALS))
            .expect("few");
        let far = [192, 0, 2, 1];
        let (source, destination) = if self.u8() % 2 == 0 {
            (own.v4.octets(), far)
        } else {
            (far, own.v4.octets())
        };
        packet[0] = 0x45;
        packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        packet[10..12].fill(0);
        packet[12..16].copy_from_slice(&source);
        packet[16..20].copy_from_slice(&destination);
        let sum: u32 = packet[..20]
            .chunks(2)
            .map(|w| u32::from(w[0]) << 8 | u32::from(w[1]))
            .sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        packet[10..12].copy_from_slice(&(!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes());
        packet
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let plan = AddressPlan::DEFAULT;
    let addresses = (0..TERMINALS)
        .map(|n| plan.address(TerminalId(n)).expect("few"))
        .collect();
    let mut engine = Engine::new(Config::new(&plan, addresses)).expect("distinct addresses");
    let mut now = 0_i64;
    let mut last_table = (0, 0);
    let mut last_due = i64::MIN;
    while !input.0.is_empty() {
        match input.u8() % 8 {
            0 => {
                let mut last = last_table;
                if engine.install(Arc::new(input.table(&mut last))).is_ok() {
                    last_table = last;
                }
            }
            1..4 => {
                let packet = input.packet(&plan);
                engine.handle(
                    Time::from_nanos(now),
                    Port::Terminal(TerminalId(u32::from(input.u8() % 4))),
                    &packet,
                );
            }
            4..6 => engine.handle(Time::from_nanos(now), Port::Pop, &input.packet(&plan)),
            6 => now = now.saturating_add(i64::from(u16::from_le_bytes(input.bytes())) * 1000),
            _ => {
                now = now
                    .saturating_add(input.i64() >> (input.u8() % 64))
                    .max(now)
            }
        }
        while let Some(out) = engine.poll(Time::from_nanos(now)) {
            assert!(out.due.nanos() >= last_due && out.due.nanos() <= now);
            last_due = out.due.nanos();
        }
        assert!(engine.next_timeout().is_none_or(|t| t.nanos() > now));
        let counters = engine.counters();
        // Underflows if a packet was counted out twice.
        let _ = counters.up.inside() + counters.down.inside();
    }
});
