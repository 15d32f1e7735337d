//! What a packet costs: the engine over five legs, and the timing wheel alone in the hold model.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use skyweave_base::{Seed, Span, TerminalId, Time};
use skyweave_dataplane::{
    AddressPlan, Beam, Config, DelayCurve, Engine, EpochTable, Leg, LegKind, Port, TerminalRoute,
    Wheel,
};
use std::hint::black_box;
use std::sync::Arc;

/// User link, two lasers, feeder link, fibre: 5 hops as in the chain that other engines were measured with.
const LEGS: [LegKind; 5] = [
    LegKind::User,
    LegKind::Laser,
    LegKind::Laser,
    LegKind::Feeder,
    LegKind::Fibre,
];
const PACKETS: u64 = 20_000;

fn table(terminals: u32, beams: u32, rate_bps: u64) -> EpochTable {
    let curve = DelayCurve {
        origin: Time::from_nanos(0),
        coefficients: [4e-3, -2e-6, 3e-8, 1e-10],
        valid: Span::from_secs(15),
    };
    let route = |n: u32| TerminalRoute {
        beam: n % beams,
        down_weight_bps: 100_000_000,
        up_weight_bps: 20_000_000,
        legs: LEGS
            .map(|kind| Leg {
                kind,
                up: curve,
                down: curve,
            })
            .to_vec(),
        access: skyweave_dataplane::Access::Full,
        blocked: Vec::new(),
    };
    EpochTable {
        epoch: 1,
        revision: 0,
        start: Time::from_nanos(0),
        end: Time::from_nanos(i64::MAX / 2),
        beams: vec![
            Beam {
                down_bps: rate_bps,
                up_bps: rate_bps
            };
            beams as usize
        ],
        routes: (0..terminals)
            .map(|n| (TerminalId(n), Ok(route(n))))
            .collect(),
    }
}

/// A UDP packet of a terminal to the Internet with a correct header checksum.
fn packet(plan: &AddressPlan, terminal: u32, len: usize) -> Vec<u8> {
    let source = plan
        .address(TerminalId(terminal))
        .expect("fewer terminals than addresses")
        .v4;
    let mut p = vec![0; len];
    p[0] = 0x45;
    p[2..4].copy_from_slice(&(len as u16).to_be_bytes());
    p[8] = 64;
    p[9] = 17;
    p[12..16].copy_from_slice(&source.octets());
    p[16..20].copy_from_slice(&[192, 0, 2, 1]);
    let sum: u32 = p[..20]
        .chunks(2)
        .map(|w| u32::from(w[0]) << 8 | u32::from(w[1]))
        .sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    p[10..12].copy_from_slice(&(!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes());
    p
}

/// Packets one µs apart from the terminals in turn, polled every 100 µs, with 20 ms of them under way.
fn engine(c: &mut Criterion) {
    let mut group = c.benchmark_group("five_legs");
    // A packet passes five hops; compare hops per second.
    group.throughput(Throughput::Elements(PACKETS * LEGS.len() as u64));
    let plan = AddressPlan::DEFAULT;
    // (name, terminals, beams, rate, length, gap ns): the last one has twice the load that its beams carry.
    let cases = [
        ("1_terminal_1228_B", 1, 1, 100_000_000_000, 1228, 1000),
        ("1000_terminals_64_B", 1000, 300, 1_000_000_000, 64, 1000),
        (
            "1000_terminals_1228_B",
            1000,
            300,
            1_000_000_000,
            1228,
            1000,
        ),
        ("3_backlogged_1228_B", 3, 1, 1_000_000_000, 1228, 5000),
    ];
    for (name, terminals, beams, rate, len, gap_ns) in cases {
        let packets: Vec<_> = (0..terminals).map(|n| packet(&plan, n, len)).collect();
        let addresses = (0..terminals).map(|n| plan.address(TerminalId(n)).expect("few"));
        let mut engine = Engine::new(Config::new(&plan, addresses.collect())).expect("distinct");
        engine
            .install(Arc::new(table(terminals, beams, rate)))
            .expect("valid");
        let mut n = 0_i64;
        let mut out = 0_u64;
        group.bench_function(name, |b| {
            b.iter(|| {
                for _ in 0..PACKETS {
                    let now = Time::from_nanos(n * gap_ns);
                    let from = (n % i64::from(terminals)) as usize;
                    engine.handle(now, Port::Terminal(TerminalId(from as u32)), &packets[from]);
                    n += 1;
                    if n % (100_000 / gap_ns) == 0 {
                        while let Some(t) = engine.poll(now) {
                            out += black_box(t.packet)[0] as u64;
                        }
                    }
                }
            });
        });
        assert!(out > 0);
    }
    group.finish();
}

/// Hold model: take the earliest event, put one in 10 to 30 ms later.
fn wheel(c: &mut Criterion) {
    const OPERATIONS: u64 = 100_000;
    let mut group = c.benchmark_group("wheel_hold");
    group.throughput(Throughput::Elements(OPERATIONS));
    for pending in [1_000, 10_000, 100_000, 1_000_000] {
        let mut rng = Seed::root(1).rng();
        let mut delay = move || 10_000_000 + (rng.next_u64() % 20_000_000) as i64;
        group.bench_function(BenchmarkId::from_parameter(pending), |b| {
            let mut wheel = Wheel::new();
            (0..pending).for_each(|i| wheel.push(delay(), [i, 0, 0]));
            // The first turns still fill the slots evenly.
            let mut turn = |wheel: &mut Wheel<[u32; 3]>| {
                for _ in 0..OPERATIONS {
                    let (due, value) = wheel.pop(i64::MAX).expect("as many in as out");
                    wheel.push(due + delay(), black_box(value));
                }
            };
            (0..pending / 50_000 + 1).for_each(|_| turn(&mut wheel));
            b.iter_batched(|| (), |()| turn(&mut wheel), BatchSize::PerIteration);
        });
    }
    group.finish();
}

criterion_group!(benches, engine, wheel);
criterion_main!(benches);
