//! What happens to packets on their way, told as stories on virtual time.

mod common;

use common::*;
use skyweave_base::{Span, TerminalId, Time};
use skyweave_dataplane::{
    ACCOUNT_PAGE_PORT, Access, AddressError, Beam, DelayCurve, Direction, DropReason, EpochTable,
    InstallError, Leg, LegKind, Order, Port, QueueLimit, TableError, Unserved,
};
use std::net::IpAddr;
use std::sync::Arc;

const FAST: u64 = 10_000_000_000;

/// (c0 ns, c1 ns/s, c2 ns/s², c3 ns/s³) at τ after the origin, in whole numbers: the exact value of the cubic, rounded.
fn exact_delay(c: [i128; 4], tau_ns: i128) -> i64 {
    let s: i128 = 1_000_000_000;
    let scaled = c[0] * s * s * s
        + c[1] * tau_ns * s * s
        + c[2] * tau_ns * tau_ns * s
        + c[3] * tau_ns * tau_ns * tau_ns;
    ((scaled + s * s * s / 2).div_euclid(s * s * s)) as i64
}

fn curve(c: [i128; 4], origin: i64) -> DelayCurve {
    DelayCurve {
        origin: ns(origin),
        coefficients: c.map(|c| c as f64 * 1e-9),
        valid: Span::from_secs(20),
    }
}

#[test]
fn a_lone_packet_takes_the_legs_each_at_its_own_time() {
    // Rates of change as of a satellite that passes: tens of µs per second.
    let up: [[i128; 4]; 5] = [
        [3_712_345, -18_034, 511, -3],
        [2_500_001, 7_919, -23, 1],
        [6_010_777, -9_000, 77, 0],
        [4_000_123, 21_001, 401, 2],
        [1_234_567, 0, 0, 0],
    ];
    let down = up.map(|[a, b, c, d]| [a + 1_000, b - 100, c, d]);
    let kinds = [
        LegKind::User,
        LegKind::Laser,
        LegKind::Laser,
        LegKind::Feeder,
        LegKind::Fibre,
    ];
    let origin = 15 * SECOND;
    let route = legs(
        0,
        (0..5)
            .map(|i| Leg {
                kind: kinds[i],
                up: curve(up[i], origin),
                down: curve(down[i], origin),
            })
            .collect(),
    );
    let mut net = Net::new(1);
    net.install(table(1, vec![beam(FAST)], vec![route.clone()]));
    for i in 0..100 {
        let sent = origin + i * 149 * MS + i * i;
        let mut t = sent;
        for c in up {
            t += exact_delay(c, (t - origin).into());
        }
        let at_pop = t;
        for c in down.iter().rev() {
            t += exact_delay(*c, (t - origin).into());
        }
        // The answer leaves when the request is there. A nanosecond: where the cubic lies on a half.
        net.send(sent, terminal(0), &up4(0, 100, i as u64));
        net.drive(at_pop + 1);
        let there = net.out.pop().expect("nothing else is due");
        assert_eq!(there.port, Port::Pop);
        assert!((there.due - at_pop).abs() <= 1, "{} {at_pop}", there.due);
        net.send(there.due, Port::Pop, &down4(0, 100, i as u64));
        net.drive(t + 2);
        let back = net.out.pop().expect("the answer");
        assert_eq!(back.port, terminal(0));
        assert!((back.due - t).abs() <= 2, "{} {t}", back.due);
        assert_eq!(back.due - sent, route.round_trip(ns(sent)).nanos());
        assert!(net.out.is_empty());
    }
}

#[test]
fn a_curve_is_held_at_its_ends() {
    let c = DelayCurve {
        origin: ns(0),
        coefficients: [0.010, 0.001, 0.0, 0.0],
        valid: Span::from_secs(2),
    };
    for (t, ms) in [
        (i64::MIN, 10.0),
        (-SECOND, 10.0),
        (SECOND, 11.0),
        (2 * SECOND, 12.0),
        (i64::MAX, 12.0),
    ] {
        assert_eq!(c.delay(ns(t)).as_millis_f64(), ms);
    }
    // Neither before it was sent nor never.
    let below = DelayCurve {
        coefficients: [-1.0, 0.0, 0.0, 0.0],
        ..c
    };
    assert_eq!(below.delay(ns(0)), Span::ZERO);
    let above = DelayCurve {
        coefficients: [1e30, 0.0, 0.0, 0.0],
        ..c
    };
    assert_eq!(above.delay(ns(0)), DelayCurve::MAX);
}

#[test]
fn the_rate_is_exact_over_any_window_of_a_backlog() {
    // A rate that does not divide a second's nanoseconds: the remainders must not add up.
    let rate = 77_777_777;
    let len = 1371;
    let mut net = Net::new(1);
    net.install(table(0, vec![beam(rate)], vec![route(0, 5 * MS)]));
    let gap = 100_000; // 110 Mbit/s offered
    for i in 0..100_000 {
        net.send(i * gap, terminal(0), &up4(0, len, i as u64));
        net.poll(i * gap);
    }
    let due: Vec<_> = net.out.iter().map(|o| o.due).collect();
    assert!(due.len() > 60_000);
    for (i, d) in due.iter().enumerate() {
        // Packet i leaves when the i before it have had their time, to the nanosecond.
        let expected = 5 * MS + (i as u64 * len as u64 * 8 * SECOND as u64 / rate) as i64;
        assert_eq!(*d, expected);
    }
}

#[test]
fn one_terminal_alone_gets_the_whole_beam_and_three_share_it() {
    let rate = 100_000_000;
    let mut net = Net::new(3);
    net.install(table(0, vec![beam(rate)], vec![route(0, MS); 3]));
    // 0..1 s: terminal 0 alone; 1..2 s: all three, with packets of different lengths.
    let lens = [1500, 700, 300];
    for us in (0..2_000_000).step_by(10) {
        for n in 0..3 {
            let every = lens[n as usize] as i64 * 8 * SECOND / rate as i64 / 1000;
            if us % every < 10 && (n == 0 || us >= 1_000_000) {
                net.send(us * 1000, Port::Pop, &down4(n, lens[n as usize], 0));
            }
        }
        net.poll(us * 1000);
    }
    let bits = |n: u32, from: i64, to: i64| -> f64 {
        let of = net
            .out
            .iter()
            .filter(|o| o.port == terminal(n) && (from..to).contains(&o.due));
        of.map(|o| o.packet.len() as f64 * 8.0).sum()
    };
    let alone = bits(0, 100 * MS, SECOND) / 0.9;
    assert!((alone / rate as f64 - 1.0).abs() < 1e-3, "{alone}");
    // The queue of terminal 0 and the new ones are backlogged from 1 s on; a packet more or less is 0.04 %.
    for n in 0..3 {
        let shared = bits(n, 1100 * MS, 2000 * MS) / 0.9;
        assert!(
            (shared / (rate as f64 / 3.0) - 1.0).abs() < 2e-3,
            "terminal {n}: {shared}"
        );
    }
}

#[test]
fn weights_divide_a_beam_whatever_their_ratio() {
    let mut net = Net::new(3);
    let weighted = |up_weight_bps| skyweave_dataplane::TerminalRoute {
        up_weight_bps,
        ..route(0, MS)
    };
    net.install(table(
        0,
        vec![beam(200_000_000)],
        vec![
            weighted(150_000_000),
            weighted(49_000_000),
            weighted(1_000_000),
        ],
    ));
    for us in (0..10_000_000).step_by(50) {
        for n in 0..3 {
            net.send(us * 1000, terminal(n), &up4(n, 1250, u64::from(n)));
        }
        net.poll(us * 1000);
    }
    let mut bits = [0; 3];
    for o in net.out.iter().filter(|o| o.due >= SECOND) {
        bits[id(&o.packet) as usize] += o.packet.len() as u64 * 8;
    }
    // Over 9 s. One packet of the smallest share is 0.1 % of it.
    for (n, planned) in [(0, 150e6), (1, 49e6), (2, 1e6)] {
        let rate = bits[n] as f64 / 9.0;
        assert!(
            (rate / planned - 1.0).abs() < 2e-3,
            "terminal {n}: {rate} of {planned}"
        );
    }
}

#[test]
fn a_queue_holds_its_time_and_drops_what_comes_on_top() {
    let rate = 8_000_000; // a byte per µs
    let mut net = Net::with(skyweave_dataplane::Config {
        queue: QueueLimit {
            time: Span::from_millis(50),
            floor_bytes: 10_000,
        },
        ..config(2)
    });
    // Both terminals weigh the same: 25 000 bytes each, whoever sends.
    net.install(table(0, vec![beam(rate)], vec![route(0, MS); 2]));
    for i in 0..100 {
        net.send(0, terminal(0), &up4(0, 1000, i));
    }
    // One is on its way at once, 25 wait.
    let c = net.engine.terminal_counters(TerminalId(0)).unwrap();
    assert_eq!(c.up[DropReason::QueueFull], 74);
    assert_eq!(
        net.engine.queued_bytes(TerminalId(0), Direction::Up),
        Some(25_000)
    );
    net.drive(SECOND);
    assert_eq!(net.out.len(), 26);
    assert_eq!(
        net.out.iter().map(|o| id(&o.packet)).collect::<Vec<_>>(),
        (0..26).collect::<Vec<_>>()
    );
    assert_eq!(net.out[25].due, 25 * MS + MS);
    assert_eq!(net.inside(), 0);
}

#[test]
fn what_is_on_the_user_link_behind_something_is_lost_and_nothing_else() {
    let mut net = Net::new(2);
    // Blocked from 2 to 4 s; a packet toward the terminal is on its user link when it arrives, 10 ms later.
    let hidden = skyweave_dataplane::TerminalRoute {
        blocked: vec![(ns(2 * SECOND), ns(4 * SECOND))],
        ..route(0, 10 * MS)
    };
    net.install(table(
        0,
        vec![beam(1_000_000)],
        vec![hidden, route(0, 10 * MS)],
    ));
    let times = [
        2 * SECOND - 11 * MS,
        2 * SECOND - MS,
        3 * SECOND,
        4 * SECOND - MS,
    ];
    for (i, t) in times.into_iter().enumerate() {
        for n in 0..2 {
            net.send(t, terminal(n), &up4(n, 100, 4 * i as u64 + u64::from(n)));
            net.send(
                t,
                skyweave_dataplane::Port::Pop,
                &down4(n, 100, 4 * i as u64 + 2 + u64::from(n)),
            );
        }
    }
    net.drive(5 * SECOND);
    let [hidden, free] = [0, 1].map(|n| net.engine.terminal_counters(TerminalId(n)).unwrap());
    let came = |c: &skyweave_dataplane::TerminalCounters| {
        (c.up.delivered.packets, c.down.delivered.packets)
    };
    assert_eq!(came(&free), (4, 4));
    // Up: those sent before. Down: the first, and the last, which arrives when the view is free again.
    assert_eq!(came(&hidden), (2, 2));
    assert_eq!(hidden.up[DropReason::Obstructed], 2);
    assert_eq!(hidden.down[DropReason::Obstructed], 2);
    assert_eq!(net.inside(), 0);
}

#[test]
fn a_slow_beam_still_takes_the_floor() {
    let mut net = Net::new(1);
    net.install(table(0, vec![beam(1_000)], vec![route(0, MS)]));
    for i in 0..40 {
        net.send(0, terminal(0), &up4(0, 1000, i));
    }
    let floor = QueueLimit::default().floor_bytes;
    assert_eq!(
        net.engine.queued_bytes(TerminalId(0), Direction::Up),
        Some(floor.into())
    );
}

#[test]
fn a_beam_of_no_rate_holds_packets_until_the_next_epoch() {
    let mut net = Net::new(1);
    net.install(table(0, vec![beam(0)], vec![route(0, MS)]));
    net.install(table(1, vec![beam(FAST)], vec![route(0, MS)]));
    net.send(SECOND, terminal(0), &up4(0, 100, 1));
    net.drive(14 * SECOND);
    assert!(net.out.is_empty());
    net.drive(16 * SECOND);
    assert_eq!(net.out[0].due, 15 * SECOND + MS);
}

#[test]
fn at_a_handover_the_queue_moves_and_what_flies_flies_on() {
    let mut net = Net::new(1);
    // 1500 bytes take 10 ms.
    net.install(table(0, vec![beam(1_200_000)], vec![route(0, 40 * MS)]));
    net.install(table(
        1,
        vec![beam(FAST), beam(12_000_000)],
        vec![route(1, 20 * MS)],
    ));
    let start = 15 * SECOND;
    // Leave at -15, -5 and, on the new beam with 1 ms each, at 0, 1, 2 ms of the new epoch.
    for i in 0..5 {
        net.send(start - 15 * MS, terminal(0), &up4(0, 1500, i));
    }
    net.drive(start + SECOND);
    let due: Vec<_> = net
        .out
        .iter()
        .map(|o| ((o.due - start) / MS, id(&o.packet)))
        .collect();
    // The old path takes 40 ms: out at 25 and 35. The new ones would be out at 20, 21, 22 and wait for their turn.
    assert_eq!(due, [(25, 0), (35, 1), (35, 2), (35, 3), (35, 4)]);
    assert_eq!(net.engine.counters().epochs, 2);
    assert_eq!(net.engine.counters().late_plan, 0);
}

#[test]
fn packets_may_overtake_if_asked_for() {
    let mut net = Net::with(skyweave_dataplane::Config {
        order: Order::ByDelay,
        ..config(1)
    });
    net.install(table(0, vec![beam(FAST)], vec![route(0, 40 * MS)]));
    net.install(table(1, vec![beam(FAST)], vec![route(0, 20 * MS)]));
    let start = 15 * SECOND;
    net.send(start - MS, terminal(0), &up4(0, 100, 0));
    net.send(start, terminal(0), &up4(0, 100, 1));
    net.drive(start + SECOND);
    let due: Vec<_> = net
        .out
        .iter()
        .map(|o| ((o.due - start) / MS, id(&o.packet)))
        .collect();
    assert_eq!(due, [(20, 1), (39, 0)]);
}

#[test]
fn without_a_following_table_the_last_one_goes_on_and_each_missed_epoch_counts() {
    let mut net = Net::new(1);
    net.install(table(0, vec![beam(FAST)], vec![route(0, 7 * MS)]));
    net.send(0, terminal(0), &up4(0, 100, 0));
    net.drive(15 * SECOND - 1);
    assert_eq!(net.engine.counters().late_plan, 0);
    net.send(15 * SECOND, terminal(0), &up4(0, 100, 1));
    assert_eq!(net.engine.counters().late_plan, 1);
    net.send(46 * SECOND, terminal(0), &up4(0, 100, 2));
    assert_eq!(net.engine.counters().late_plan, 3);
    assert_eq!(net.engine.epoch(), Some(0));
    // A table for 45 s comes a second and a half late, and holds from the moment of its coming.
    net.poll(46 * SECOND + SECOND / 2);
    net.install(table(3, vec![beam(FAST)], vec![route(0, 5 * MS)]));
    net.send(46 * SECOND + SECOND / 2, terminal(0), &up4(0, 100, 3));
    net.drive(59 * SECOND);
    assert_eq!(net.engine.epoch(), Some(3));
    assert_eq!(net.engine.counters().late_plan, 3);
    assert_eq!(net.out[3].due, 46 * SECOND + SECOND / 2 + 5 * MS);
    assert_eq!(net.out.len(), 4);
}

#[test]
fn a_gap_between_tables_counts_however_rarely_the_engine_is_asked() {
    let mut net = Net::new(1);
    net.install(table(0, vec![beam(FAST)], vec![route(0, MS)]));
    net.install(table(3, vec![beam(FAST)], vec![route(0, MS)]));
    net.poll(50 * SECOND);
    assert_eq!(net.engine.counters().late_plan, 2);
    assert_eq!(net.engine.epoch(), Some(3));
}

#[test]
fn a_late_table_lets_nothing_leave_before_it_came() {
    let mut net = Net::new(1);
    net.install(table(0, vec![beam(0)], vec![route(0, MS)]));
    net.send(16 * SECOND, terminal(0), &up4(0, 100, 0));
    net.poll(17 * SECOND);
    // Its start, 15 s, lies before the packet's arrival.
    net.install(table(1, vec![beam(FAST)], vec![route(0, MS)]));
    net.drive(20 * SECOND);
    assert_eq!(net.out[0].due, 17 * SECOND + MS);
}

#[test]
fn old_overlapping_and_senseless_tables_are_refused() {
    let mut net = Net::new(1);
    let fine = table(1, vec![beam(FAST)], vec![route(0, MS)]);
    net.install(fine.clone());
    let mut refuse = |t: EpochTable| net.engine.install(Arc::new(t)).unwrap_err();
    assert_eq!(
        refuse(fine.clone()),
        InstallError::Old {
            epoch: 1,
            newest: 1
        }
    );
    let overlap = EpochTable {
        epoch: 2,
        ..fine.clone()
    };
    let (start, end) = (fine.start, fine.end);
    assert_eq!(
        refuse(overlap),
        InstallError::Overlap {
            epoch: 2,
            start,
            newest: 1,
            end
        }
    );
    let next = table(2, vec![beam(FAST)], vec![route(0, MS)]);
    let stranger = TerminalId(9);
    let unknown = EpochTable {
        routes: vec![(stranger, Err(Unserved("x")))],
        ..next.clone()
    };
    assert_eq!(
        refuse(unknown),
        InstallError::UnknownTerminal {
            epoch: 2,
            terminal: stranger
        }
    );
    let of = |error| InstallError::Table { epoch: 2, error };
    let empty = EpochTable {
        end: next.start,
        ..next.clone()
    };
    assert!(matches!(
        refuse(empty),
        InstallError::Table {
            error: TableError::Empty { .. },
            ..
        }
    ));
    let twice = EpochTable {
        routes: [next.routes.clone(), next.routes.clone()].concat(),
        ..next.clone()
    };
    assert_eq!(refuse(twice), of(TableError::Order(TerminalId(0))));
    let beamless = EpochTable {
        beams: vec![],
        ..next.clone()
    };
    assert_eq!(
        refuse(beamless),
        of(TableError::Beam {
            terminal: TerminalId(0),
            beam: 0,
            beams: 0
        })
    );
    let mut nan = route(0, MS);
    nan.legs[0].down.coefficients[2] = f64::NAN;
    let error = refuse(table(2, vec![beam(FAST)], vec![nan]));
    assert_eq!(
        error,
        of(TableError::Delay {
            terminal: TerminalId(0),
            leg: 0
        })
    );
    // And none of them left a trace.
    net.install(next);
    net.drive(31 * SECOND);
    assert_eq!(net.engine.counters().epochs, 2);
}

#[test]
fn addresses_that_clash_are_refused() {
    use skyweave_dataplane::Engine;
    let refuse = |change: &dyn Fn(&mut skyweave_dataplane::Config)| {
        let mut c = config(3);
        change(&mut c);
        Engine::new(c).map(|_| ()).unwrap_err()
    };
    let t = TerminalId;
    assert_eq!(
        refuse(&|c| c.addresses[2].terminal = t(0)),
        AddressError::DuplicateTerminal(t(0))
    );
    assert_eq!(
        refuse(&|c| c.addresses[2].v4 = c.addresses[1].v4),
        AddressError::DuplicateAddress(t(2))
    );
    assert_eq!(
        refuse(&|c| c.addresses[2].v6_prefix = c.addresses[1].v6_prefix),
        AddressError::DuplicateAddress(t(2))
    );
    assert_eq!(
        refuse(&|c| c.gateway_v4 = c.addresses[1].v4),
        AddressError::DuplicateAddress(t(1))
    );
    let prefix = config(1).addresses[0].v6();
    assert_eq!(
        refuse(&|c| c.addresses[0].v6_prefix = prefix),
        AddressError::HostBits {
            terminal: t(0),
            prefix
        }
    );
}

#[test]
fn each_refused_packet_has_one_counter() {
    let mut net = Net::new(2);
    net.install(table(0, vec![beam(FAST)], vec![route(0, MS); 2]));
    net.poll(0);
    let fine = up4(0, 100, 0);
    let address = |n| PLAN.address(TerminalId(n)).unwrap();
    let mut wrong_checksum = fine.clone();
    wrong_checksum[11] ^= 1;
    let mut short_header = fine.clone();
    short_header[0] = 0x44;
    let too_short = &fine[..99];
    let v5 = [0x50; 60];
    let malformed: [&[u8]; 7] = [
        &[],
        &[0x45],
        &v5,
        &wrong_checksum,
        &short_header,
        too_short,
        &up6(0, 100, 0)[..99],
    ];
    for p in malformed {
        net.send(0, terminal(0), p);
        net.send(0, Port::Pop, p);
    }
    net.send(0, terminal(0), &up4(1, 100, 0));
    net.send(0, terminal(0), &up6(1, 100, 0));
    net.send(0, terminal(7), &fine);
    let all_nodes = "ff02::1".parse().unwrap();
    let link_local = "fe80::1".parse().unwrap();
    net.send(
        0,
        terminal(0),
        &udp(address(0).v6().into(), all_nodes, 64, 100, 0),
    );
    net.send(
        0,
        terminal(0),
        &udp(link_local, SERVER_V6.into(), 64, 100, 0),
    );
    net.send(
        0,
        terminal(0),
        &udp(
            address(0).v4.into(),
            "224.0.0.251".parse().unwrap(),
            64,
            100,
            0,
        ),
    );
    net.send(
        0,
        terminal(0),
        &udp("169.254.3.4".parse().unwrap(), SERVER_V4.into(), 64, 100, 0),
    );
    net.send(0, Port::Pop, &down4(5, 100, 0));
    net.send(0, Port::Pop, &down6(5, 100, 0));
    net.drive(SECOND);
    let all = net.engine.counters();
    assert_eq!(all.up[DropReason::Malformed], 7);
    assert_eq!(all.down[DropReason::Malformed], 7);
    assert_eq!(all.up[DropReason::SpoofedSource], 2);
    assert_eq!(all.up[DropReason::UnknownTerminal], 1);
    assert_eq!(all.up[DropReason::LinkScope], 4);
    assert_eq!(all.down[DropReason::UnknownDestination], 2);
    assert_eq!(all.up.dropped_total() + all.down.dropped_total(), 23);
    assert!(net.out.is_empty() && net.inside() == 0);
    let second = net.engine.terminal_counters(TerminalId(1)).unwrap();
    assert_eq!(second, Default::default());
}

#[test]
fn the_terminal_and_its_whole_prefix_are_reached_and_padding_is_cut() {
    let mut net = Net::new(3);
    net.install(table(0, vec![beam(FAST)], vec![route(0, MS); 3]));
    let in_prefix = |n| {
        let prefix = PLAN.address(TerminalId(n)).unwrap().v6_prefix.to_bits();
        std::net::Ipv6Addr::from_bits(prefix | 0xab_cdef_0123_4567_89ab)
    };
    for n in 0..3 {
        net.send(
            0,
            Port::Pop,
            &udp(SERVER_V6.into(), in_prefix(n).into(), 9, 80, 0),
        );
        net.send(
            0,
            terminal(n),
            &udp(in_prefix(n).into(), SERVER_V6.into(), 9, 80, 0),
        );
    }
    let mut padded = down4(1, 50, 0);
    padded.extend([0; 14]);
    net.send(0, Port::Pop, &padded);
    net.drive(SECOND);
    assert_eq!(net.out.iter().filter(|o| o.port == Port::Pop).count(), 3);
    for n in 0..3 {
        assert!(
            net.out
                .iter()
                .any(|o| o.port == terminal(n) && o.packet[0] == 0x60)
        );
    }
    assert_eq!(net.out.last().unwrap().packet.len(), 50);
}

#[test]
fn the_pop_is_one_hop() {
    let mut net = Net::new(1);
    net.install(table(0, vec![beam(FAST)], vec![route(0, MS)]));
    let own = PLAN.address(TerminalId(0)).unwrap();
    // All TTLs, so that the checksum's update is seen with and without carry.
    for ttl in 2..=255 {
        net.send(
            0,
            terminal(0),
            &udp(own.v4.into(), SERVER_V4.into(), ttl, 60, 0),
        );
        net.send(
            0,
            Port::Pop,
            &udp(SERVER_V6.into(), own.v6().into(), ttl, 60, 0),
        );
    }
    // The router's own addresses are no hop further.
    for (router, own) in [
        (PLAN.gateway_v4().into(), own.v4.into()),
        (PLAN.gateway_v6().into(), own.v6().into()),
    ] {
        net.send(0, terminal(0), &udp(own, router, 1, 60, 0));
        net.send(0, Port::Pop, &udp(router, own, 1, 60, 0));
    }
    net.drive(SECOND);
    let mut v4 = (1..=254).chain([1, 1]);
    let mut v6 = (1..=254).chain([1, 1]);
    for o in &net.out {
        if o.packet[0] == 0x45 {
            assert_eq!(internet_checksum(&o.packet[..20]), 0);
        }
        match (o.port, o.packet[0]) {
            (Port::Pop, 0x45) => assert_eq!(o.packet[8], v4.next().unwrap()),
            (Port::Terminal(_), 0x60) => assert_eq!(o.packet[7], v6.next().unwrap()),
            (_, 0x45) => assert_eq!(o.packet[8], 1),
            _ => assert_eq!(o.packet[7], 1),
        }
    }
    assert_eq!(net.out.len(), 2 * 254 + 4);
}

/// An ICMP error's type and code and what it quotes, if all its checksums are right.
fn icmp(packet: &[u8]) -> (u8, u8, &[u8]) {
    if packet[0] == 0x45 {
        assert_eq!(internet_checksum(&packet[..20]), 0);
        assert_eq!(
            usize::from(packet[2]) << 8 | usize::from(packet[3]),
            packet.len()
        );
        assert_eq!(packet[9], 1);
        assert_eq!(packet[12..16], PLAN.gateway_v4().octets());
        assert_eq!(internet_checksum(&packet[20..]), 0);
        return (packet[20], packet[21], &packet[28..]);
    }
    assert_eq!(packet[6], 58);
    assert_eq!(packet[8..24], PLAN.gateway_v6().octets());
    let len = packet.len() - 40;
    assert_eq!(usize::from(packet[4]) << 8 | usize::from(packet[5]), len);
    let pseudo = [
        &packet[8..40],
        &(len as u32).to_be_bytes(),
        &[0, 0, 0, 58],
        &packet[40..],
    ]
    .concat();
    assert_eq!(internet_checksum(&pseudo), 0);
    (packet[40], packet[41], &packet[48..])
}

#[test]
fn traceroute_sees_the_pop_after_the_round_trip() {
    let mut net = Net::new(1);
    net.install(table(0, vec![beam(FAST)], vec![route(0, 12 * MS)]));
    let own = PLAN.address(TerminalId(0)).unwrap();
    let v4 = udp(own.v4.into(), SERVER_V4.into(), 1, 1400, 1);
    let v6 = udp(own.v6().into(), SERVER_V6.into(), 1, 1400, 2);
    net.send(0, terminal(0), &v4);
    net.send(SECOND, terminal(0), &v6);
    net.drive(2 * SECOND);
    assert_eq!(net.out.len(), 2);
    for (o, sent, (kind, code), probe, size) in [
        (&net.out[0], 0, (11, 0), &v4, 576),
        (&net.out[1], SECOND, (3, 0), &v6, 1280),
    ] {
        assert_eq!((o.port, o.due), (terminal(0), sent + 24 * MS));
        let (k, c, quoted) = icmp(&o.packet);
        assert_eq!((k, c, o.packet.len()), (kind, code, size));
        // As it arrived: the TTL is still 1.
        assert_eq!(quoted, &probe[..quoted.len()]);
    }
    // From the other side the PoP answers at once.
    net.out.clear();
    net.send(
        3 * SECOND,
        Port::Pop,
        &udp(SERVER_V4.into(), own.v4.into(), 1, 60, 0),
    );
    net.drive(4 * SECOND);
    assert_eq!((net.out[0].port, net.out[0].due), (Port::Pop, 3 * SECOND));
    assert_eq!(icmp(&net.out[0].packet).0, 11);
    let c = net.engine.terminal_counters(TerminalId(0)).unwrap();
    assert_eq!(
        (c.up[DropReason::TtlExpired], c.down[DropReason::TtlExpired]),
        (2, 1)
    );
    assert_eq!(
        (
            c.up.originated.packets,
            c.down.originated.packets,
            net.inside()
        ),
        (1, 2, 0)
    );
}

#[test]
fn a_terminal_without_a_route_is_told_so() {
    let mut net = Net::new(2);
    let mut t = table(0, vec![beam(FAST)], vec![route(0, MS)]);
    t.routes
        .push((TerminalId(1), Err(Unserved("no_satellite_in_reach"))));
    net.install(t);
    net.send(0, terminal(1), &up4(1, 100, 0));
    net.send(0, terminal(1), &up6(1, 100, 0));
    net.send(0, Port::Pop, &down4(1, 100, 0));
    net.drive(SECOND);
    let kinds: Vec<_> = net
        .out
        .iter()
        .map(|o| (o.port, o.due, icmp(&o.packet).0, icmp(&o.packet).1))
        .collect();
    assert_eq!(
        kinds,
        [
            (terminal(1), 0, 3, 1),
            (terminal(1), 0, 1, 0),
            (Port::Pop, 0, 3, 1)
        ]
    );
    let c = net.engine.terminal_counters(TerminalId(1)).unwrap();
    assert_eq!(
        (c.up[DropReason::NoRoute], c.down[DropReason::NoRoute]),
        (2, 1)
    );
}

#[test]
fn icmp_errors_are_limited_and_never_about_errors_or_later_fragments() {
    let mut net = Net::new(1);
    for i in 0..1000 {
        net.send(i * MS, terminal(0), &up4(0, 100, i as u64));
    }
    net.drive(SECOND);
    // 20 at once and 100 a second.
    assert!((119..=121).contains(&net.out.len()), "{}", net.out.len());
    net.out.clear();
    let own = PLAN.address(TerminalId(0)).unwrap();
    let mut error = up4(0, 100, 0);
    error[9] = 1;
    error[20] = 3;
    let mut fragment = up4(0, 100, 0);
    fragment[7] = 1;
    for p in [&mut error, &mut fragment] {
        p[10..12].fill(0);
        let sum = internet_checksum(&p[..20]);
        p[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let mut error6 = udp(own.v6().into(), SERVER_V6.into(), 64, 100, 0);
    error6[6] = 58;
    error6[40] = 1;
    for p in [error, fragment, error6] {
        net.send(10 * SECOND, terminal(0), &p);
    }
    net.drive(11 * SECOND);
    assert!(net.out.is_empty());
    assert_eq!(net.engine.counters().up[DropReason::NoRoute], 1003);
}

#[test]
fn a_terminal_that_loses_its_route_loses_its_queue() {
    let mut net = Net::new(1);
    net.install(table(0, vec![beam(1_000_000)], vec![route(0, MS)]));
    let mut next = table(1, vec![], vec![]);
    next.routes = vec![(TerminalId(0), Err(Unserved("no_free_slot")))];
    net.install(next);
    for i in 0..10 {
        net.send(15 * SECOND - MS, terminal(0), &up4(0, 1250, i));
    }
    net.drive(16 * SECOND);
    assert_eq!(net.out.len(), 1);
    assert_eq!(net.engine.counters().up[DropReason::NoRoute], 9);
    assert_eq!(
        net.engine.queued_bytes(TerminalId(0), Direction::Up),
        Some(0)
    );
}

#[test]
fn a_packet_read_late_comes_out_at_the_time_of_its_stamp() {
    let mut net = Net::new(1);
    net.install(table(0, vec![beam(FAST)], vec![route(0, 10 * MS)]));
    net.poll(5 * MS);
    net.send(3 * MS, terminal(0), &up4(0, 100, 0));
    net.drive(20 * MS);
    assert_eq!(net.out[0].due, 13 * MS);
}

#[test]
fn an_engine_with_nothing_to_do_asks_for_no_wake_up() {
    let mut net = Net::new(1);
    assert_eq!(net.engine.next_timeout(), None);
    net.install(table(
        0,
        vec![Beam {
            down_bps: FAST,
            up_bps: FAST,
        }],
        vec![route(0, MS)],
    ));
    assert_eq!(net.engine.next_timeout(), Some(Time::from_nanos(0)));
    net.poll(0);
    assert_eq!(net.engine.next_timeout(), None);
    net.send(5, terminal(0), &up4(0, 100, 0));
    assert_eq!(net.engine.next_timeout(), Some(ns(5 + MS)));
    net.drive(2 * MS);
    assert_eq!(net.engine.next_timeout(), None);
}

/// A TCP segment: the UDP builder's packet with another protocol and ports.
fn tcp(source: IpAddr, destination: IpAddr, ports: (u16, u16)) -> Vec<u8> {
    let mut p = udp(source, destination, 64, 80, 0);
    let header_len = if source.is_ipv4() { 20 } else { 40 };
    match source {
        IpAddr::V4(_) => {
            p[9] = 6;
            p[10..12].fill(0);
            let sum = internet_checksum(&p[..20]);
            p[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        IpAddr::V6(_) => p[6] = 6,
    }
    p[header_len..header_len + 2].copy_from_slice(&ports.0.to_be_bytes());
    p[header_len + 2..header_len + 4].copy_from_slice(&ports.1.to_be_bytes());
    p
}

fn with_access(access: Access) -> skyweave_dataplane::TerminalRoute {
    skyweave_dataplane::TerminalRoute {
        access,
        ..route(0, MS)
    }
}

#[test]
fn in_the_walled_garden_there_is_the_account_page_and_nothing_else() {
    let mut net = Net::new(1);
    net.install(table(
        0,
        vec![beam(FAST)],
        vec![with_access(Access::AccountPage)],
    ));
    let own = PLAN.address(TerminalId(0)).unwrap();
    let families: [[IpAddr; 3]; 2] = [
        [own.v4.into(), PLAN.gateway_v4().into(), SERVER_V4.into()],
        [own.v6().into(), PLAN.gateway_v6().into(), SERVER_V6.into()],
    ];
    let (mut passed, mut refused) = (0, 0);
    for [terminal_ip, router, server] in families {
        let page = (40_000, ACCOUNT_PAGE_PORT);
        let back = (ACCOUNT_PAGE_PORT, 40_000);
        net.send(0, terminal(0), &tcp(terminal_ip, router, page));
        net.send(0, Port::Pop, &tcp(router, terminal_ip, back));
        passed += 2;
        for up in [
            tcp(terminal_ip, router, (40_000, 53)),
            tcp(terminal_ip, server, page),
            udp(terminal_ip, router, 64, 80, 1),
            udp(terminal_ip, server, 64, 80, 2),
        ] {
            net.send(0, terminal(0), &up);
            refused += 1;
        }
        for down in [
            tcp(router, terminal_ip, (53, 40_000)),
            tcp(server, terminal_ip, back),
            udp(server, terminal_ip, 64, 80, 3),
        ] {
            net.send(0, Port::Pop, &down);
            refused += 1;
        }
    }
    net.drive(SECOND);
    let c = net.engine.counters();
    let dropped = c.up[DropReason::NotEntitled] + c.down[DropReason::NotEntitled];
    assert_eq!(dropped, refused);
    let delivered = c.up.delivered.packets + c.down.delivered.packets;
    let reports = c.up.originated.packets + c.down.originated.packets;
    assert_eq!(delivered, passed + reports, "and each refusal is told");
    assert_eq!(reports, refused);
    assert_eq!(c.up.carried.packets + c.down.carried.packets, 0);
    assert_eq!(net.inside(), 0);
    // RFC 1812 section 5.2.7.1: code 13, communication administratively prohibited.
    let told = net.out.iter().find(|o| o.port == terminal(0)).unwrap();
    assert_eq!(told.packet[20..22], [3, 13]);
}

#[test]
fn a_fragment_does_not_slip_into_the_account_page() {
    let mut net = Net::new(1);
    net.install(table(
        0,
        vec![beam(FAST)],
        vec![with_access(Access::AccountPage)],
    ));
    let own = PLAN.address(TerminalId(0)).unwrap().v4;
    let mut fragment = tcp(own.into(), PLAN.gateway_v4().into(), (1, ACCOUNT_PAGE_PORT));
    fragment[7] = 5;
    fragment[10..12].fill(0);
    let sum = internet_checksum(&fragment[..20]);
    fragment[10..12].copy_from_slice(&sum.to_be_bytes());
    net.send(0, terminal(0), &fragment);
    net.drive(SECOND);
    assert_eq!(net.engine.counters().up[DropReason::NotEntitled], 1);
}

#[test]
fn a_revision_takes_effect_at_once_and_drops_what_may_no_longer_pass() {
    let mut net = Net::new(2);
    let own = [0, 1].map(|n| PLAN.address(TerminalId(n)).unwrap().v4);
    let full = || vec![with_access(Access::Full); 2];
    // 10 packets of 1250 bytes take 10 ms each at 1 Mbit/s.
    net.install(table(0, vec![beam(1_000_000)], full()));
    net.install(table(1, vec![beam(1_000_000)], full()));
    let packet = |n: usize| udp(own[n].into(), SERVER_V4.into(), 64, 1250, 7);
    for _ in 0..10 {
        net.send(0, terminal(0), &packet(0));
        net.send(0, terminal(1), &packet(1));
    }
    net.drive(25 * MS);
    let revised = |epoch| EpochTable {
        revision: 1,
        ..table(
            epoch,
            vec![beam(1_000_000)],
            vec![with_access(Access::AccountPage), with_access(Access::Full)],
        )
    };
    net.install(revised(0));
    net.install(revised(1));
    assert!(
        net.engine.install(Arc::new(revised(0))).is_err(),
        "the same revision again"
    );
    net.drive(15 * SECOND - 1);
    let counters = |n| net.engine.terminal_counters(TerminalId(n)).unwrap().up;
    let [cut, kept] = [counters(0), counters(1)];
    assert_eq!(kept.delivered.packets, 10, "the other loses nothing");
    assert_eq!(kept.carried, kept.delivered);
    assert!(cut.delivered.packets <= 2, "{cut:?}");
    assert_eq!(
        cut.delivered.packets + cut[DropReason::NotEntitled],
        10,
        "{cut:?}"
    );
    // The next epoch was revised, too; and giving back is as quick.
    net.send(15 * SECOND, terminal(0), &packet(0));
    net.install(EpochTable {
        revision: 2,
        ..table(1, vec![beam(1_000_000)], full())
    });
    net.send(15 * SECOND + 1, terminal(0), &packet(0));
    net.drive(16 * SECOND);
    let back = net.engine.terminal_counters(TerminalId(0)).unwrap().up;
    assert_eq!(back.delivered.packets, cut.delivered.packets + 1);
    let all = net.engine.counters();
    assert_eq!(
        (all.epochs, all.late_plan),
        (2, 0),
        "revisions are no epochs"
    );
    assert_eq!(net.inside(), 0);
}
