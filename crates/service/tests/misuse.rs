//! The detectors on simulated users: how many honest ones are found, and how many dishonest ones are not.
//!
//! Honest: households (also a few kilometres from a border, where cells reach across), travellers who fly, aid convoys of
//! one organisation, all with errors of position and timing. Dishonest: positions that are lies, copied keys, terminals
//! sold in one country and used in another, a traded batch, one account's key passed on by radio. Seeded: the same every
//! time. The table is printed; the bounds are asserted.

mod common;

use common::{market, place, ut};
use skyweave_base::{Geodetic, MEAN_EARTH_RADIUS_M, Rng, Seed, Span, Time, great_circle_m};
use skyweave_service::*;

const DAY_S: i64 = 86_400;
const DAYS: i64 = 90;
/// Observations of a terminal per day.
const PER_DAY: i64 = 4;
/// Standard deviation of a path's length, m: 5 µs of timing, one way.
const RANGE_SIGMA_M: f64 = 1_500.0;
/// This share of the timings is off by tens of kilometres: a retransmission or a busy processor.
const BAD_TIMING: f64 = 0.02;
const CELL_RADIUS_M: f64 = 12_000.0;
const HONEST: u32 = 4_000;
const DISHONEST: u32 = 200;

/// Errors drawn for each entity by its own generator.
struct Dice(Rng);

impl Dice {
    fn new(kind: &str, n: u32) -> Self {
        Self(Seed::root(2026).child(kind, u64::from(n)).rng())
    }

    fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.0.next_f64()
    }

    /// Sum of twelve uniforms: near enough to normal up to 4 standard deviations, the tails are `BAD_TIMING`'s.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.0.next_f64()).sum::<f64>() - 6.0
    }

    fn chance(&mut self, p: f64) -> bool {
        self.0.next_f64() < p
    }

    /// A place this far away, in any direction.
    fn near(&mut self, at: Geodetic, distance_m: f64) -> Geodetic {
        let bearing = self.within(0.0, std::f64::consts::TAU);
        let (d, lat) = (distance_m / MEAN_EARTH_RADIUS_M, at.lat_rad);
        let lat_rad = (lat.sin() * d.cos() + lat.cos() * d.sin() * bearing.cos()).asin();
        let dlon = (bearing.sin() * d.sin() * lat.cos()).atan2(d.cos() - lat.sin() * lat_rad.sin());
        Geodetic {
            lat_rad,
            lon_rad: at.lon_rad + dlon,
            height_m: at.height_m,
        }
    }

    /// What the radio shows of a terminal that is at `real` and says that it is at `claimed`.
    fn observe(&mut self, at: Time, real: Geodetic, claimed: Geodetic) -> Observation {
        let distance_m = self.within(0.0, 900e3);
        let satellite = Geodetic {
            height_m: 540e3,
            ..self.near(real, distance_m)
        }
        .to_ecef();
        let bad = if self.chance(BAD_TIMING) {
            self.within(-60e3, 60e3)
        } else {
            0.0
        };
        let range_m = real.to_ecef().distance_m(satellite) + RANGE_SIGMA_M * self.normal() + bad;
        // The cell is a hexagon's circle; near its edge the next cell's beam may serve.
        let off_m = self.within(0.0, CELL_RADIUS_M * 1.3);
        let cell_centre = self.near(real, off_m);
        let error_m = 15.0 * self.normal().abs();
        let claimed = self.near(claimed, error_m);
        let (range_sigma_m, cell_radius_m) = (RANGE_SIGMA_M, CELL_RADIUS_M);
        Observation {
            at,
            claimed,
            satellite,
            range_m,
            range_sigma_m,
            cell_centre,
            cell_radius_m,
        }
    }
}

fn day(n: f64) -> Time {
    common::now() + Span::from_secs_f64(n * DAY_S as f64)
}

fn times() -> impl Iterator<Item = f64> {
    (0..DAYS * PER_DAY).map(|n| n as f64 / PER_DAY as f64)
}

/// Country UA: longitude 22 to 40 at latitude 44 to 52; PL to the west of it; elsewhere TR.
fn country(at: Geodetic) -> Market {
    match at.lon_deg() {
        lon if lon < 22.0 => market("PL"),
        lon if lon < 40.0 => market("UA"),
        _ => market("TR"),
    }
}

/// Distance to a country that a place is not in; 0 in it.
fn distance_to(home: Market, at: Geodetic) -> f64 {
    if country(at) == home {
        return 0.0;
    }
    let border = |lon| great_circle_m(at, place(at.lat_deg(), lon));
    if home == market("PL") {
        border(22.0)
    } else {
        border(22.0).min(border(40.0))
    }
}

/// A terminal's places over the season, real and claimed, by the day; `None` while it is off.
struct Life {
    sold_in: Market,
    declared: Declared,
    real: Box<dyn Fn(f64) -> Option<Geodetic>>,
    /// What it says when it is at a place.
    says: Box<dyn Fn(Geodetic) -> Geodetic>,
    /// A second terminal with the same key, if there is one.
    copy: Option<Geodetic>,
}

impl Life {
    fn honest(sold_in: &str, real: impl Fn(f64) -> Option<Geodetic> + 'static) -> Self {
        let (real, says) = (Box::new(real), Box::new(|at| at));
        Self {
            sold_in: market(sold_in),
            declared: Declared::No,
            real,
            says,
            copy: None,
        }
    }

    /// What each detector finds.
    fn found(&self, kind: &str, n: u32) -> Vec<IncidentKind> {
        let mut dice = Dice::new(kind, n);
        let limits = Limits::default();
        let (mut seen, mut track, mut sessions, mut sightings) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for t in times() {
            let t = t + dice.within(0.0, 0.1);
            let Some(real) = (self.real)(t) else { continue };
            let o = dice.observe(day(t), real, (self.says)(real));
            track.push((o.at, o.claimed));
            sessions.push(Session {
                from: o.at,
                until: day(t + 0.14),
                place: o.cell_centre,
            });
            if let Some(copy) = self.copy {
                let off_m = dice.within(0.0, CELL_RADIUS_M);
                sessions.push(Session {
                    from: day(t + 0.02),
                    until: day(t + 0.1),
                    place: dice.near(copy, off_m),
                });
            }
            let from_home_m = distance_to(self.sold_in, o.cell_centre);
            sightings.push(Sighting {
                at: o.at,
                market: country(o.cell_centre),
                from_home_m,
            });
            seen.push(o);
        }
        let findings = [
            position_against_radio(ut(n), &seen, &limits),
            key_in_two_places(ut(n), &sessions, &limits),
            out_of_market(ut(n), &sightings, self.declared, &limits),
            impossible_travel(ut(n), &track, &limits),
        ];
        findings.into_iter().flatten().map(|f| f.kind).collect()
    }
}

fn somewhere(dice: &mut Dice, west: f64, east: f64) -> Geodetic {
    place(dice.within(44.0, 52.0), dice.within(west, east))
}

fn honest(n: u32) -> (&'static str, Life) {
    let mut dice = Dice::new("honest", n);
    let home = somewhere(&mut dice, 22.5, 39.5);
    match n % 4 {
        0 => ("household", Life::honest("UA", move |_| Some(home))),
        1 => {
            // Bought in UA, lives within 20 km of the border, on either side of it: cells reach across.
            let home = place(dice.within(44.0, 52.0), 22.0 + dice.within(-0.25, 0.25));
            ("border", Life::honest("UA", move |_| Some(home)))
        }
        2 => {
            // Trips of up to 59 days, 3 hours of flight with the terminal packed, longest trip from the first day on.
            let (away, leave, stay) = (
                somewhere(&mut dice, 41.0, 60.0),
                dice.within(0.0, 40.0),
                dice.within(2.0, 59.0),
            );
            let leave = if n % 8 == 2 { 0.0 } else { leave };
            let flight = 3.0 / 24.0;
            let real = move |t| match t {
                t if t < leave || t > leave + stay + flight => Some(home),
                t if t < leave + flight || t > leave + stay => None,
                _ => Some(away),
            };
            ("traveller", Life::honest("UA", real))
        }
        _ => {
            // Bought by an aid organisation in PL and driven to UA within days; most declare it, some forget.
            let (start, days) = (somewhere(&mut dice, 15.0, 21.5), dice.within(1.0, 4.0));
            let on_the_way = move |t: f64| {
                let part = (t / days).min(1.0);
                let between = |a: f64, b: f64| a + (b - a) * part;
                Some(place(
                    between(start.lat_deg(), home.lat_deg()),
                    between(start.lon_deg(), home.lon_deg()),
                ))
            };
            let declared = if dice.chance(0.8) {
                Declared::Yes
            } else {
                Declared::No
            };
            (
                "convoy",
                Life {
                    declared,
                    ..Life::honest("PL", on_the_way)
                },
            )
        }
    }
}

fn dishonest(n: u32, displaced_m: f64) -> [(&'static str, IncidentKind, Life); 4] {
    let mut dice = Dice::new("dishonest", n);
    let real = somewhere(&mut dice, 22.5, 39.5);
    let claimed = dice.near(real, displaced_m);
    let lie = Life {
        says: Box::new(move |_| claimed),
        ..Life::honest("UA", move |_| Some(real))
    };
    let other = dice.within(60e3, 1_000e3);
    let copy = Life {
        copy: Some(dice.near(real, other)),
        ..Life::honest("UA", move |_| Some(real))
    };
    let grey = Life::honest("PL", move |_| Some(real));
    // One login on three continents in turn, six hours apart: what a key that is sold on by the hour looks like.
    let pool = [
        real,
        place(-30.0, dice.within(140.0, 150.0)),
        place(35.0, dice.within(-118.0, -100.0)),
    ];
    let passed = Life::honest("UA", move |t| Some(pool[(t * 4.0) as usize % 3]));
    [
        ("false position", IncidentKind::PositionAgainstRadio, lie),
        ("copied key", IncidentKind::KeyInTwoPlaces, copy),
        ("sold elsewhere", IncidentKind::OutOfMarket, grey),
        ("passed on", IncidentKind::ImpossibleTravel, passed),
    ]
}

#[test]
fn honest_users_are_hardly_ever_found() {
    let mut found = std::collections::BTreeMap::<(&str, Option<IncidentKind>), u32>::new();
    for n in 0..HONEST {
        let (who, life) = honest(n);
        *found.entry((who, None)).or_default() += 1;
        for kind in life.found(who, n) {
            *found.entry((who, Some(kind))).or_default() += 1;
        }
    }
    for ((who, kind), count) in &found {
        println!("{who:>10} {count:>5} {kind:?}");
    }
    let rate = |who, kind| {
        f64::from(found.get(&(who, Some(kind))).copied().unwrap_or(0))
            / f64::from(found[&(who, None)])
    };
    for who in ["household", "border", "traveller", "convoy"] {
        // These propose to cut off. 1 of 1,000 users per season would be 1,000 angry calls per million: the limits stand
        // where the simulation of each group has none in 1,000.
        assert_eq!(rate(who, IncidentKind::PositionAgainstRadio), 0.0, "{who}");
        assert_eq!(rate(who, IncidentKind::KeyInTwoPlaces), 0.0, "{who}");
        assert_eq!(rate(who, IncidentKind::ImpossibleTravel), 0.0, "{who}");
    }
    // Only a question to the holder, and only for terminals that never were at home: households and border cells have
    // been, travellers return before it counts.
    for who in ["household", "border", "traveller"] {
        assert_eq!(rate(who, IncidentKind::OutOfMarket), 0.0, "{who}");
    }
    // Convoys that started in PL and were seen there are not found; there is nothing to see of a convoy whose terminals
    // are first switched on in UA: that needs the declaration, and is measured below.
    assert_eq!(rate("convoy", IncidentKind::OutOfMarket), 0.0);
}

#[test]
fn undeclared_convoys_unpacked_on_arrival_are_asked_and_not_cut_off() {
    let found = |declared| {
        let mut dice = Dice::new("unpacked", 0);
        let home = somewhere(&mut dice, 30.0, 39.0);
        Life {
            declared,
            ..Life::honest("PL", move |_| Some(home))
        }
        .found("unpacked", 0)
    };
    assert_eq!(
        found(Declared::No),
        [IncidentKind::OutOfMarket],
        "a false alarm that only the declaration avoids"
    );
    assert!(found(Declared::Yes).is_empty());
    let seen: Vec<Sighting> = times()
        .map(|t| Sighting {
            at: day(t),
            market: market("UA"),
            from_home_m: 5e5,
        })
        .collect();
    let finding = out_of_market(ut(1), &seen, Declared::No, &Limits::default()).unwrap();
    assert_eq!(finding.proposal, Proposal::AskHolder);
}

#[test]
fn dishonest_users_are_found() {
    let detection = |which: usize, displaced_m: f64| {
        let found = (0..DISHONEST).filter(|&n| {
            let (who, kind, life) = &dishonest(n, displaced_m)[which];
            life.found(who, n).contains(kind)
        });
        found.count() as f64 / f64::from(DISHONEST)
    };
    for (which, least) in [(1, 0.99), (2, 0.95), (3, 0.99)] {
        let rate = detection(which, 0.0);
        println!("{:>14}: {rate}", dishonest(0, 1.0)[which].0);
        // Of those sold in PL, the ones used within 25 km of it are taken for border cells.
        assert!(rate >= least, "{which}: {rate}");
    }
    let by_distance: Vec<(f64, f64)> = [10e3, 30e3, 50e3, 100e3, 300e3]
        .map(|d| (d, detection(0, d)))
        .to_vec();
    println!("false position by displacement: {by_distance:?}");
    // 10 km are within the slack of the path (3 km and 6 times 1.5 km) and of the beam: no claim is made there. Beyond the
    // cell's radius, its slack and the offset of its centre (53 km) the cell alone gives every lie away.
    assert_eq!(by_distance[0].1, 0.0);
    assert!(by_distance[1].1 >= 0.9);
    let far = &by_distance[2..];
    assert!(far.iter().all(|&(_, rate)| rate >= 0.99), "{by_distance:?}");
}

#[test]
fn a_traded_batch_is_found_and_a_convoy_of_one_organisation_is_not() {
    let member = |n: u32, account: u64, sold: &str, seen: &str, declared| {
        let (sold_in, seen_in) = (market(sold), market(seen));
        BatchMember {
            terminal: ut(n),
            account: AccountId(account),
            sold_in,
            seen_in,
            declared,
        }
    };
    let at_home = (0..500).map(|n| member(n, u64::from(n), "PL", "PL", Declared::No));
    let limits = Limits::default();
    let found = |extra: Vec<BatchMember>| {
        batch_cluster(
            BatchId(7),
            &at_home.clone().chain(extra).collect::<Vec<_>>(),
            &limits,
        )
    };
    let strangers = |k: u32, holders: u64, declared| -> Vec<BatchMember> {
        (0..k)
            .map(|n| {
                member(
                    1000 + n,
                    5000 + u64::from(n) % holders,
                    "PL",
                    "TR",
                    declared,
                )
            })
            .collect()
    };
    let trade = found(strangers(40, 25, Declared::No));
    assert_eq!(trade.len(), 1);
    assert_eq!(
        (trade[0].terminals.len(), trade[0].proposal),
        (40, Proposal::AskHolder)
    );
    assert!(
        found(strangers(200, 1, Declared::No)).is_empty(),
        "one organisation moves"
    );
    assert!(
        found(strangers(40, 25, Declared::Yes)).is_empty(),
        "declared"
    );
    assert!(
        found(strangers(7, 7, Declared::No)).is_empty(),
        "travellers who happen to have the same batch"
    );
    // Travellers of one batch: each of 500 is abroad with chance 1 %, over 10 countries. 500 seasons, at most 1 alarm.
    let alarms: usize = (0..500)
        .map(|season| {
            let mut dice = Dice::new("season", season);
            let members: Vec<BatchMember> = (0..500)
                .map(|n| {
                    let abroad = ["TR", "DE", "FR", "IT", "ES", "GR", "RO", "BG", "HU", "AT"]
                        [dice.within(0.0, 10.0) as usize];
                    let seen = if dice.chance(0.01) { abroad } else { "PL" };
                    member(n, u64::from(n), "PL", seen, Declared::No)
                })
                .collect();
            batch_cluster(BatchId(1), &members, &limits).len()
        })
        .sum();
    assert!(alarms <= 1, "{alarms}");
}

#[test]
fn few_or_odd_observations_say_nothing() {
    let limits = Limits::default();
    assert_eq!(position_against_radio(ut(1), &[], &limits), None);
    assert_eq!(key_in_two_places(ut(1), &[], &limits), None);
    assert_eq!(out_of_market(ut(1), &[], Declared::No, &limits), None);
    assert_eq!(impossible_travel(ut(1), &[], &limits), None);
    assert!(batch_cluster(BatchId(1), &[], &limits).is_empty());
    // A clock that stands or goes back gives no speed of infinity by itself: 99 km apart is an error of position.
    let track: Vec<_> = (0..10)
        .map(|n| (day(-f64::from(n)), place(48.0, 30.0 + f64::from(n % 2))))
        .collect();
    assert_eq!(impossible_travel(ut(1), &track, &limits), None);
    // Sessions that touch do not overlap.
    let session = |from, until, lon| Session {
        from: day(from),
        until: day(until),
        place: place(48.0, lon),
    };
    let touching = [session(0.0, 1.0, 30.0), session(1.0, 2.0, 35.0)];
    assert_eq!(key_in_two_places(ut(1), &touching, &limits), None);
    let overlap = [session(0.5, 2.0, 35.0), session(0.0, 1.0, 30.0)];
    assert_eq!(
        key_in_two_places(ut(1), &overlap, &limits)
            .unwrap()
            .evidence
            .len(),
        1
    );
}
