//! What holds for any traffic.

mod common;

use common::*;
use proptest::prelude::*;
use skyweave_base::{Span, TerminalId};
use skyweave_dataplane::{
    Access, Config, DelayCurve, DropReason, Leg, LegKind, QueueLimit, TerminalRoute, Unserved,
    Wheel,
};
use std::collections::BTreeMap;

const TERMINALS: u32 = 4;
const EPOCHS: i64 = 4;

/// One packet offered: ns after the one before, terminal, up or down, length, TTL.
type Offer = (i64, u32, bool, usize, u8);

fn offers() -> impl Strategy<Value = Vec<Offer>> {
    // Bursts and pauses; now and then a pause of seconds, so that a case spans its epochs.
    let gap = prop_oneof![8 => 0..200_000_i64, 4 => 0..20 * MS, 1 => 0..5 * SECOND];
    // Some TTLs end at the PoP.
    let ttl = prop_oneof![9 => Just(64_u8), 1 => 0..3_u8];
    prop::collection::vec(
        (gap, 0..TERMINALS, any::<bool>(), 48..1500_usize, ttl),
        1..300,
    )
}

fn routes() -> impl Strategy<Value = Vec<Option<TerminalRoute>>> {
    let leg =
        (0..80 * MS, -40_000..40_000_i64, -900..900_i64).prop_map(|(c0, c1, c2)| DelayCurve {
            origin: ns(0),
            coefficients: [c0 as f64 * 1e-9, c1 as f64 * 1e-9, c2 as f64 * 1e-9, 0.0],
            valid: Span::from_secs(60),
        });
    let leg = (leg.clone(), leg).prop_map(|(up, down)| Leg {
        kind: LegKind::Laser,
        up,
        down,
    });
    let weights = (0..100_000_000_u64, 0..100_000_000_u64);
    let access = prop_oneof![4 => Just(Access::Full), 1 => Just(Access::AccountPage)];
    let legs = prop::collection::vec(leg, 0..6);
    // Now and then something stands in the way, for up to seconds.
    let times = (0..60 * SECOND, 0..3 * SECOND);
    let blocked = prop::collection::vec(times, 0..3).prop_map(|all| {
        let of = |(from, lasts): (i64, i64)| (ns(from), ns(from + lasts));
        all.into_iter().map(of).collect()
    });
    let blocked = prop_oneof![3 => Just(vec![]), 1 => blocked];
    let route = (0..2_u32, weights, legs, access, blocked).prop_map(
        |(beam, (down, up), legs, access, blocked)| TerminalRoute {
            beam,
            down_weight_bps: down,
            up_weight_bps: up,
            legs,
            access,
            blocked,
        },
    );
    prop::collection::vec(prop::option::weighted(0.9, route), TERMINALS as usize)
}

/// For each epoch its beams' rates and its routes; some epochs have no table.
type Epochs = Vec<Option<([u64; 2], Vec<Option<TerminalRoute>>)>>;

fn epochs() -> impl Strategy<Value = Epochs> {
    let rate = || prop_oneof![100_000..3_000_000_u64, 3_000_000..300_000_000_u64];
    let epoch = ([rate(), rate()], routes());
    prop::collection::vec(prop::option::weighted(0.9, epoch), EPOCHS as usize)
}

fn net(epochs: &Epochs) -> Net {
    let queue = QueueLimit {
        time: Span::from_millis(30),
        floor_bytes: 8_000,
    };
    let mut net = Net::with(Config {
        queue,
        ..config(TERMINALS)
    });
    for (n, epoch) in epochs.iter().enumerate() {
        let Some((rates, routes)) = epoch else {
            continue;
        };
        let mut t = table(n as i64, rates.map(beam).to_vec(), vec![]);
        t.routes = (0..)
            .map(TerminalId)
            .zip(routes.iter().map(|r| r.clone().ok_or(Unserved("none"))))
            .collect();
        net.install(t);
    }
    net
}

fn packet(offer: &Offer, id: u64) -> (skyweave_dataplane::Port, Vec<u8>) {
    let &(_, n, up, len, ttl) = offer;
    // Both families; an id in each packet.
    let (mut p, port) = match (up, id.is_multiple_of(3) && len >= 64) {
        (true, false) => (up4(n, len, id), terminal(n)),
        (false, false) => (down4(n, len, id), skyweave_dataplane::Port::Pop),
        (true, true) => (up6(n, len, id), terminal(n)),
        (false, true) => (down6(n, len, id), skyweave_dataplane::Port::Pop),
    };
    if p[0] == 0x45 {
        p[8] = ttl;
        p[10..12].fill(0);
        let sum = internet_checksum(&p[..20]);
        p[10..12].copy_from_slice(&sum.to_be_bytes());
    } else {
        p[7] = ttl;
    }
    (port, p)
}

/// Offers everything; `wake` says whether to take packets out at each timeout or only at the end.
fn run(epochs: &Epochs, offers: &[Offer], wake: bool) -> Net {
    let mut net = net(epochs);
    let mut t = 0;
    for (i, offer) in offers.iter().enumerate() {
        t += offer.0;
        if wake {
            net.drive(t);
        }
        let (port, p) = packet(offer, i as u64);
        net.send(t, port, &p);
    }
    net.drive(t + 200 * SECOND);
    net
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn nothing_is_lost_or_doubled_or_overtaken(epochs in epochs(), offers in offers()) {
        let net = run(&epochs, &offers, true);
        prop_assert_eq!(net.inside(), 0);
        let c = net.engine.counters();
        let offered = |up| offers.iter().filter(|o| o.2 == up).count() as u64;
        prop_assert_eq!((c.up.received.packets, c.down.received.packets), (offered(true), offered(false)));
        let is_error = |o: &Out| {
            let protocol = if o.packet[0] >> 4 == 4 { o.packet[9] } else { o.packet[6] };
            protocol != 17
        };
        let errors = net.out.iter().filter(|o| is_error(o)).count() as u64;
        prop_assert_eq!(c.up.delivered.packets + c.down.delivered.packets, net.out.len() as u64);
        prop_assert!(errors <= c.up.originated.packets + c.down.originated.packets);
        // Whole: each packet that came out is the one that went in, less one from its TTL (and its checksum), once.
        // In order: of one terminal and direction, as sent. In time: `out` is in order of time.
        let mut last = BTreeMap::new();
        let mut due = i64::MIN;
        let mut seen = std::collections::BTreeSet::new();
        for o in &net.out {
            prop_assert!(o.due >= due);
            due = o.due;
            if is_error(o) {
                continue;
            }
            let id = id(&o.packet);
            prop_assert!(seen.insert(id), "packet {} twice", id);
            let offer = &offers[id as usize];
            let (port, mut sent) = packet(offer, id);
            prop_assert_ne!(port, o.port);
            let mut got = o.packet.clone();
            if sent[0] == 0x45 {
                prop_assert_eq!(got[8], sent[8] - 1);
                prop_assert_eq!(internet_checksum(&got[..20]), 0);
                for p in [&mut got, &mut sent] {
                    p[8] = 0;
                    p[10..12].fill(0);
                }
            } else {
                prop_assert_eq!(got[7], sent[7] - 1);
                sent[7] -= 1;
            }
            prop_assert_eq!(got, sent);
            let flow = (offer.1, offer.2);
            prop_assert!(last.insert(flow, id).is_none_or(|before| before < id), "overtaken by {}", id);
        }
    }

    /// When the engine is asked is no part of what happens; and the same again gives the same.
    #[test]
    fn the_outcome_does_not_depend_on_when_it_is_polled(epochs in epochs(), offers in offers()) {
        let often = run(&epochs, &offers, true);
        let rarely = run(&epochs, &offers, false);
        prop_assert_eq!(&often.out, &rarely.out);
        prop_assert_eq!(often.engine.counters(), rarely.engine.counters());
        prop_assert_eq!(often.out, run(&epochs, &offers, true).out);
    }

    /// One terminal on one beam against a queue computed by hand, to the nanosecond and to the packet.
    #[test]
    fn a_single_queue_is_exact(
        rate in 50_000..50_000_000_u64,
        floor in 1_500..20_000_u32,
        c0 in 0..50 * MS,
        c1 in -30_000..30_000_i64,
        offers in offers(),
    ) {
        let delay = DelayCurve {
            origin: ns(0),
            coefficients: [c0 as f64 * 1e-9, c1 as f64 * 1e-9, 0.0, 0.0],
            valid: Span::from_secs(15),
        };
        let queue = QueueLimit { time: Span::from_millis(20), floor_bytes: floor };
        let mut net = Net::with(Config { queue, ..config(1) });
        let leg = Leg { kind: LegKind::User, up: delay, down: delay };
        net.install(table(0, vec![beam(rate)], vec![legs(0, vec![leg])]));
        let limit = (rate * 20 / 8_000).max(floor.into());
        // Leaving times of what waits, as fractions of a nanosecond over the rate: exact.
        let rate = i128::from(rate);
        let mut free = 0_i128;
        let mut waiting = std::collections::VecDeque::new();
        let mut expected: Vec<(i64, u64)> = vec![];
        let (mut t, mut dropped, mut last) = (0, 0, 0);
        for (i, &(gap, _, _, len, _)) in offers.iter().enumerate() {
            t += gap;
            net.send(t, terminal(0), &up4(0, len, i as u64));
            while waiting.front().is_some_and(|&(leaves, _)| leaves <= t) {
                waiting.pop_front();
            }
            let queued: u64 = waiting.iter().map(|&(_, len)| len).sum();
            if queued + len as u64 > limit {
                dropped += 1;
                continue;
            }
            free = free.max(i128::from(t) * rate);
            let leaves = (free / rate) as i64;
            free += len as i128 * 8 * i128::from(SECOND);
            waiting.push_back((leaves, len as u64));
            // c0 + c1 τ by whole numbers.
            let tau = i128::from(leaves.min(15 * SECOND));
            let delay = i128::from(c0) + (i128::from(c1) * tau + 500_000_000).div_euclid(1_000_000_000);
            last = last.max(leaves + delay.max(0) as i64);
            expected.push((last, i as u64));
        }
        net.drive(t + 3600 * SECOND);
        prop_assert_eq!(net.engine.counters().up[DropReason::QueueFull], dropped);
        prop_assert_eq!(net.out.len(), expected.len());
        for (o, (due, id_)) in net.out.iter().zip(expected) {
            // 1 ns: where the delay lies on a half, the float and the whole number may round apart.
            prop_assert!((o.due - due).abs() <= 1, "{} {}", o.due, due);
            prop_assert_eq!(id(&o.packet), id_);
        }
    }

    #[test]
    fn any_bytes_are_delivered_or_counted(
        packets in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..120), any::<i64>()), 0..50),
    ) {
        let mut net = net(&vec![Some(([1_000_000; 2], vec![Some(route(0, MS)); 4]))]);
        for (up, mut bytes, t) in packets {
            if let Some(first) = bytes.first_mut() {
                // Most bytes are no version; let many be.
                *first = if *first & 1 == 0 { 0x45 } else { *first | 0x60 };
            }
            net.send(t, if up { terminal(1) } else { skyweave_dataplane::Port::Pop }, &bytes);
            net.poll(t);
        }
        net.drive(i64::MAX);
        prop_assert_eq!(net.inside(), 0);
    }

    /// Against a sorted map: any pushes, and pops up to any limit, near and far beyond the wheel's span.
    #[test]
    fn the_wheel_keeps_exact_order(
        steps in prop::collection::vec((prop_oneof![0..50_000_i64, 0..SECOND, (0..40_i64).prop_map(|us| us * 1_000), (0..8_i64).prop_map(|s| s * SECOND), -1_000_000..0_i64, 0..100 * SECOND], 0..5_u8), 1..400),
        start in -5 * SECOND..5 * SECOND,
    ) {
        let mut wheel = Wheel::new();
        let mut model = BTreeMap::new();
        let mut now = start;
        for (i, (dt, kind)) in steps.into_iter().enumerate() {
            if kind < 3 {
                wheel.push(now + dt, i);
                model.insert((now + dt, i), ());
            } else {
                now += dt.max(0) / if kind == 3 { 1 } else { 100 };
                prop_assert_eq!(wheel.next_due(), model.first_key_value().map(|(&(due, _), ())| due));
                while let Some((due, value)) = wheel.pop(now) {
                    prop_assert_eq!(Some((due, value)), model.pop_first().map(|(key, ())| key));
                    prop_assert!(due <= now);
                }
                prop_assert!(model.first_key_value().is_none_or(|(&(due, _), ())| due > now));
            }
            prop_assert_eq!(wheel.len(), model.len());
        }
        while let Some(popped) = wheel.pop(i64::MAX) {
            prop_assert_eq!(Some(popped), model.pop_first().map(|(key, ())| key));
        }
        prop_assert!(model.is_empty() && wheel.is_empty());
    }
}
