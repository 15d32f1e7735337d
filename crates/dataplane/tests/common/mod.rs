//! Two ends and an engine between them, on virtual time; and packets built and read without the crate's own code.
#![allow(dead_code, unreachable_pub)] // each test file uses its part

use skyweave_base::{Span, TerminalId, Time};
use skyweave_dataplane::{
    Access, AddressPlan, Beam, Config, DelayCurve, Engine, EpochTable, Leg, LegKind, Port,
    TerminalRoute,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

pub const PLAN: AddressPlan = AddressPlan::DEFAULT;
pub const SERVER_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
pub const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
pub const MS: i64 = 1_000_000;
pub const SECOND: i64 = 1_000_000_000;

/// A packet that came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Out {
    pub due: i64,
    pub port: Port,
    pub packet: Vec<u8>,
}

pub struct Net {
    pub engine: Engine,
    pub out: Vec<Out>,
    /// The latest time so far.
    now: i64,
}

pub fn terminal(n: u32) -> Port {
    Port::Terminal(TerminalId(n))
}

pub fn ns(t: i64) -> Time {
    Time::from_nanos(t)
}

pub fn config(terminals: u32) -> Config {
    let addresses = (0..terminals)
        .map(|n| PLAN.address(TerminalId(n)).unwrap())
        .collect();
    Config::new(&PLAN, addresses)
}

impl Net {
    pub fn new(terminals: u32) -> Self {
        Self::with(config(terminals))
    }

    pub fn with(config: Config) -> Self {
        Self {
            engine: Engine::new(config).unwrap(),
            out: Vec::new(),
            now: i64::MIN,
        }
    }

    pub fn install(&mut self, table: EpochTable) {
        self.engine.install(Arc::new(table)).unwrap();
    }

    pub fn send(&mut self, at: i64, port: Port, packet: &[u8]) {
        self.now = self.now.max(at);
        self.engine.handle(ns(at), port, packet);
    }

    /// Takes out what is due by `at`.
    pub fn poll(&mut self, at: i64) {
        self.now = self.now.max(at);
        while let Some(t) = self.engine.poll(ns(at)) {
            assert!(t.due <= ns(self.now), "too early");
            self.out.push(Out {
                due: t.due.nanos(),
                port: t.port,
                packet: t.packet.to_vec(),
            });
        }
    }

    /// One wake-up: to the next timeout, if that is by `end`.
    pub fn step(&mut self, end: i64) -> bool {
        match self.engine.next_timeout() {
            Some(t) if t.nanos() <= end => {
                self.poll(t.nanos());
                true
            }
            _ => false,
        }
    }

    /// All wake-ups until `end`.
    pub fn drive(&mut self, end: i64) {
        while self.step(end) {}
        self.poll(end);
    }

    /// Every packet that ever came in has come out, was dropped for one reason, or is inside.
    pub fn inside(&self) -> u64 {
        let c = self.engine.counters();
        c.up.inside() + c.down.inside()
    }
}

/// A table of one epoch of 15 s; epoch `n` starts at n · 15 s.
pub fn table(epoch: i64, beams: Vec<Beam>, routes: Vec<TerminalRoute>) -> EpochTable {
    EpochTable {
        epoch,
        revision: 0,
        start: ns(epoch * 15 * SECOND),
        end: ns((epoch + 1) * 15 * SECOND),
        beams,
        routes: routes
            .into_iter()
            .enumerate()
            .map(|(n, r)| (TerminalId(n as u32), Ok(r)))
            .collect(),
    }
}

/// A route over one leg of constant delay, with weight 1.
pub fn route(beam: u32, delay_ns: i64) -> TerminalRoute {
    let curve = DelayCurve::constant(Span::from_nanos(delay_ns));
    legs(
        beam,
        vec![Leg {
            kind: LegKind::User,
            up: curve,
            down: curve,
        }],
    )
}

pub fn legs(beam: u32, legs: Vec<Leg>) -> TerminalRoute {
    TerminalRoute {
        beam,
        down_weight_bps: 1,
        up_weight_bps: 1,
        legs,
        access: Access::Full,
        blocked: Vec::new(),
    }
}

pub fn beam(bps: u64) -> Beam {
    Beam {
        down_bps: bps,
        up_bps: bps,
    }
}

/// A UDP packet of `len` bytes of IP whose payload begins with `id`. Its UDP checksum is 0, "none" (RFC 768): no router looks.
pub fn udp(source: IpAddr, destination: IpAddr, ttl: u8, len: usize, id: u64) -> Vec<u8> {
    let mut p = match (source, destination) {
        (IpAddr::V4(s), IpAddr::V4(d)) => {
            let mut p = vec![
                0x45,
                0,
                (len >> 8) as u8,
                len as u8,
                0,
                0,
                0,
                0,
                ttl,
                17,
                0,
                0,
            ];
            p.extend(s.octets());
            p.extend(d.octets());
            let sum = internet_checksum(&p);
            p[10..12].copy_from_slice(&sum.to_be_bytes());
            p
        }
        (IpAddr::V6(s), IpAddr::V6(d)) => {
            let payload = len - 40;
            let mut p = vec![0x60, 0, 0, 0, (payload >> 8) as u8, payload as u8, 17, ttl];
            p.extend(s.octets());
            p.extend(d.octets());
            p
        }
        _ => panic!("one family"),
    };
    let udp_len = (len - p.len()) as u16;
    p.extend([0x82, 0x35, 0x82, 0x9a]);
    p.extend(udp_len.to_be_bytes());
    p.extend([0, 0]);
    p.extend(id.to_be_bytes());
    assert!(p.len() <= len, "a packet this short has no room for its id");
    p.resize(len, 0);
    p
}

/// From terminal `n` to the server.
pub fn up4(n: u32, len: usize, id: u64) -> Vec<u8> {
    udp(
        PLAN.address(TerminalId(n)).unwrap().v4.into(),
        SERVER_V4.into(),
        64,
        len,
        id,
    )
}

/// From the server to terminal `n`.
pub fn down4(n: u32, len: usize, id: u64) -> Vec<u8> {
    udp(
        SERVER_V4.into(),
        PLAN.address(TerminalId(n)).unwrap().v4.into(),
        64,
        len,
        id,
    )
}

pub fn up6(n: u32, len: usize, id: u64) -> Vec<u8> {
    udp(
        PLAN.address(TerminalId(n)).unwrap().v6().into(),
        SERVER_V6.into(),
        64,
        len,
        id,
    )
}

pub fn down6(n: u32, len: usize, id: u64) -> Vec<u8> {
    udp(
        SERVER_V6.into(),
        PLAN.address(TerminalId(n)).unwrap().v6().into(),
        64,
        len,
        id,
    )
}

/// The id in a packet of [`udp`].
pub fn id(packet: &[u8]) -> u64 {
    let header = if packet[0] >> 4 == 4 { 20 } else { 40 };
    u64::from_be_bytes(packet[header + 8..header + 16].try_into().unwrap())
}

/// RFC 1071, the plain way: over a block that holds its own checksum it gives 0.
pub fn internet_checksum(bytes: &[u8]) -> u16 {
    let mut sum: u64 = 0;
    for (i, &b) in bytes.iter().enumerate() {
        sum += u64::from(b) << if i % 2 == 0 { 8 } else { 0 };
    }
    // A number modulo 65535, with 65535 and not 0 for its multiples.
    let folded = if sum == 0 { 0 } else { (sum - 1) % 65535 + 1 };
    !(folded as u16)
}
