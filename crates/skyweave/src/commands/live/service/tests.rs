//! A change of policy is felt by real packets within 15 s of the call, measured with the clock of this machine.
//!
//! One network for all: real programs' sockets inside the terminals' namespaces, the kernel's echo requests through the packet
//! path to the point of presence every 50 ms, and the desk of the network itself.

use super::super::{LiveRun, Options};
use crate::access::{
    Choice, ENROLLED_PLAN, Keys, SCENARIO_TERMINALS, Service, ServicePlace, Watch,
};
use crate::cli::{Carry, DishOptions, Way};
use crate::commands::{planner_pool, wall_clock};
use crate::live::{self, NamespaceHandle, open_inside, probe_rtt};
use crate::operator::{Desk, Draft};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use skyweave_base::{EpochNumber, Geodetic, Span, TerminalId, Time, Utc};
use skyweave_plan::Access;
use skyweave_service::{
    Action, AreaId, AreaKind, BatchId, Command, DataCap, IncidentKind, ListId, Market, Observation,
    Observed, OwnerLimits, Place, Plan, PlanId, PublicKey, RequestId, Seen, Shape, Stamp, State,
    Step, Terminal, UtId, Validity,
};
use skyweave_service::{Service as Activation, ServiceArea};
use skyweave_world::{Files, FilesError, World};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// The requirement.
const WITHIN_S: f64 = 15.0;
const PING: Duration = Duration::from_millis(50);

/// TEST-NET-1 (RFC 5737): counted on its way out, whether the host forwards it or not.
const NOWHERE: &str = "192.0.2.1:9";

/// The car and the van stand until then, and drive at 40 m/s.
const START_S: i64 = 30;
/// The van stands again from then on.
const VAN_STOPS_S: i64 = 50;

const VAN_AT: (f64, f64) = (49.7, 30.5);

struct Tracks;

impl Files for Tracks {
    fn read(&self, path: &str) -> Result<Vec<u8>, FilesError> {
        // 0.01 degrees of latitude are 1112 m: 27.8 s at 40 m/s.
        let drive = |lat: f64, lon: f64, until_s: i64| {
            let end = lat + (until_s - START_S) as f64 * 40.0 / 111_200.0;
            let stays_s = until_s + 3600;
            format!(
                "0,{lat},{lon}\n{START_S},{lat},{lon}\n{until_s},{end},{lon}\n{stays_s},{end},{lon}\n"
            )
        };
        let points = match path {
            "car.csv" => drive(49.0, 31.0, START_S + 278),
            "van.csv" => drive(VAN_AT.0, VAN_AT.1, VAN_STOPS_S),
            other => panic!("{other}"),
        };
        let text = format!("t_s,lat_deg,lon_deg\n{points}");
        Ok(text.into_bytes())
    }
}

const SCENARIO: &str = r#"
name = "access-test"
[sky]
start = 2026-05-21T00:00:12Z
[[sky.shell]]
altitude_km = 550.0
inclination_deg = 53.0
planes = 10
satellites_per_plane = 22
raan_start_deg = 170.0
raan_span_deg = 50.0
[radio]
profile = "starlink"
[[demand]]
area = "UA"
terminals = 100
rate_mbps = 5.0
[[terminal]]
name = "house"
place = "50.4547,30.5238"
rate_mbps = 100.0
[[terminal]]
name = "car"
track = "car.csv"
rate_mbps = 100.0
[[terminal]]
name = "van"
track = "van.csv"
rate_mbps = 100.0
"#;

struct Bench<'a> {
    run: &'a LiveRun,
    pop: IpAddr,
}

impl Bench<'_> {
    fn now(&self) -> Time {
        self.run.clock.now()
    }

    fn order(&self, action: Action) {
        order(self.run.service().unwrap().desk(), action);
    }

    /// Waits until there is an incident of this kind against a terminal, and only one.
    fn is_found(&self, kind: IncidentKind, terminal: UtId) {
        let found = || {
            let register = self.run.service().unwrap().desk().register();
            let incidents = register.incidents().values();
            let of_kind: Vec<_> = incidents.filter(|i| i.kind == kind).collect();
            of_kind.len() == 1 && of_kind[0].terminals.contains(&terminal)
        };
        let soon = (0..50).any(|_| {
            std::thread::sleep(Duration::from_millis(200));
            found()
        });
        assert!(soon, "{kind:?} is an incident, once");
    }

    fn id(&self, name: &str) -> (TerminalId, UtId) {
        let live = lock_world(self.run, |w| w.terminal(name).unwrap().id);
        (live, super::lock(&self.run.sessions)[&live].terminal)
    }

    fn inside(&self, name: &str) -> NamespaceHandle {
        self.run
            .network()
            .unwrap()
            .namespace(self.id(name).0)
            .unwrap()
    }

    /// Sends echo requests from a terminal while `change` happens at its time, and says how long after that the first was
    /// answered (`true`), or the last.
    fn felt(&self, name: &str, becomes: bool, change: impl FnOnce() -> Time + Send) -> f64 {
        let inside = self.inside(name);
        let (begun, done) = (self.now(), std::sync::Mutex::new(None::<Time>));
        let (called, echoes) = std::thread::scope(|scope| {
            let pinging = {
                let (done, inside) = (&done, &inside);
                scope.spawn(move || {
                    probe_rtt(inside, self.pop, PING, || {
                        let at = *super::lock(done);
                        // Long enough to see that it stays so.
                        let at =
                            at.map_or(begun + Span::from_secs(60), |at| at + Span::from_secs(3));
                        self.now() < at
                    })
                    .unwrap()
                })
            };
            std::thread::sleep(Duration::from_millis(500));
            let called = change();
            *super::lock(&done) = Some(called.max(self.now()));
            (called, pinging.join().unwrap())
        });
        let answered = |e: &&live::Echo| e.round_trip.is_some();
        let before = echoes
            .iter()
            .filter(|e| e.sent < called)
            .filter(answered)
            .count();
        let end = echoes.last().unwrap().sent - Span::from_secs(1);
        let after: Vec<_> = echoes.iter().filter(|e| e.sent > end).collect();
        let edge = match becomes {
            true => {
                assert_eq!(before, 0, "{name} was off before");
                assert!(after.iter().filter(|e| e.round_trip.is_some()).count() * 2 > after.len());
                echoes.iter().find(answered)
            }
            false => {
                assert!(before > 0, "{name} was on before");
                assert!(
                    after.iter().all(|e| e.round_trip.is_none()),
                    "{name} is off for good"
                );
                echoes.iter().rfind(answered)
            }
        };
        let felt_s = (edge.unwrap().sent - called).as_secs_f64();
        assert!(felt_s <= WITHIN_S, "{name}: felt after {felt_s} s");
        println!(
            "{name} {}: felt after {felt_s:.3} s",
            if becomes { "on" } else { "off" }
        );
        felt_s
    }

    /// The account page as programs behind the terminal get it, over both protocols.
    fn page(&self, name: &str) -> serde_json::Value {
        let v4 = self.page_at(name, self.pop);
        match self.run.network().unwrap().addresses().pop_v6 {
            Some(v6) => assert_eq!(self.page_at(name, v6.into()), v4, "IPv6"),
            None => eprintln!("SKIPPED: this machine has no IPv6"),
        }
        v4
    }

    fn page_at(&self, name: &str, pop: IpAddr) -> serde_json::Value {
        let family = match pop {
            IpAddr::V4(_) => AddressFamily::INET,
            IpAddr::V6(_) => AddressFamily::INET6,
        };
        let [socket] = open_inside(&self.inside(name), || {
            let flags = SocketFlags::CLOEXEC;
            rustix::net::socket_with(family, SocketType::STREAM, flags, None).map(|s| [s])
        })
        .unwrap();
        rustix::net::connect(&socket, &SocketAddr::new(pop, 80)).unwrap();
        let mut stream = TcpStream::from(socket);
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: page\r\nAccept: application/json\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
        serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap()
    }

    /// A plan without limits, under a number of its own.
    fn plan(&self, id: PlanId) -> Plan {
        let register = self.run.service().unwrap().desk().register();
        let unlimited = register.plans()[&ENROLLED_PLAN].clone();
        Plan { id, ..unlimited }
    }

    /// So long after the network began.
    fn in_run(&self, seconds: i64) -> Time {
        lock_world(self.run, World::start) + Span::from_secs(seconds)
    }

    /// A change that comes by itself at `t`.
    fn comes(&self, t: Time) -> impl FnOnce() -> Time + Send {
        move || {
            let left_s = (t - self.now()).as_secs_f64();
            assert!(left_s > 0.0, "this machine is too slow to see it come");
            std::thread::sleep(Duration::from_secs_f64(left_s));
            t
        }
    }

    /// A socket behind a terminal for datagrams to nowhere.
    fn datagrams(&self, name: &str) -> UdpSocket {
        let [socket] = open_inside(&self.inside(name), || {
            let flags = SocketFlags::CLOEXEC;
            rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)
                .map(|s| [s])
        })
        .unwrap();
        UdpSocket::from(socket)
    }

    /// How fast datagrams pass the point of presence in the next second, when more are sent than pass at 512 kbit/s.
    fn sends_mbps(&self, name: &str) -> f64 {
        let (live, _) = self.id(name);
        let passed = || {
            let stats = self.run.network().unwrap().stats();
            let (_, lane) = stats.terminals.iter().find(|(id, _)| *id == live).unwrap();
            lane.up.carried.bytes
        };
        let socket = self.datagrams(name);
        let (before, begin) = (passed(), self.now());
        while self.now() < begin + Span::from_secs(1) {
            let _ = socket.send_to(&[0; 1000], NOWHERE);
            std::thread::sleep(Duration::from_millis(2));
        }
        let seconds = (self.now() - begin).as_secs_f64();
        (passed() - before) as f64 * 8e-6 / seconds
    }

    /// What a terminal is given toward the ground, and what it sends.
    fn rates_mbps(&self, name: &str) -> (f64, f64) {
        let sends = self.sends_mbps(name);
        let reports = self.run.status().epochs;
        let now = reports.iter().rfind(|e| e.start_ns <= self.now());
        let mut live = now.unwrap().live.iter();
        (live.find(|t| t.name == name).unwrap().down_mbps, sends)
    }

    /// Off, with this reason on the account page; the terminal reaches nothing else.
    fn refused(&self, name: &str, code: &str, sentence: &str) {
        let page = self.page(name);
        assert_eq!(page["service"], false, "{page}");
        assert_eq!(page["code"], code, "{page}");
        assert!(
            page["reason"].as_str().unwrap().contains(sentence),
            "{page}"
        );
        assert_eq!(page["terminal"], self.id(name).1.to_string());
        let report = self.run.status().epochs.pop().unwrap();
        let told = report.live.iter().find(|t| t.name == name).unwrap();
        assert!(told.reason.as_ref().unwrap().contains(sentence), "{told:?}");
        // So does the plan that the API gives.
        let plan = self.run.published.plan(report.epoch).unwrap();
        let mut outcomes = plan.terminals.iter();
        let outcome = outcomes.find(|t| t.terminal == told.id).unwrap();
        let access = outcome.service.unwrap().access;
        assert_eq!(access, Access::AccountPage, "{outcome:?}");
    }
}

/// What an operator does.
fn order(desk: &Desk, action: Action) {
    let stamp = Stamp {
        by: "user:test".to_owned(),
        at: wall_clock(),
        why: "test".to_owned(),
    };
    desk.execute(Command { stamp, action }).unwrap();
}

fn lock_world<T>(run: &LiveRun, ask: impl FnOnce(&World) -> T) -> T {
    ask(&super::lock(&run.world))
}

/// A square of a degree around a place.
fn square(id: u32, (lat, lon): (f64, f64), kind: AreaKind) -> ServiceArea {
    let (s, n, w, e) = (lat - 0.5, lat + 0.5, lon - 0.5, lon + 0.5);
    let ring = vec![[w, s], [e, s], [e, n], [w, n], [w, s]];
    ServiceArea {
        id: AreaId(id),
        name: format!("square {id}"),
        market: None,
        kind,
        precedence: 10,
        validity: Validity::ALWAYS,
        shape: Shape::new(&[vec![ring]]).unwrap().0,
    }
}

#[test]
fn a_change_is_felt_by_real_packets_within_15_s_and_the_account_page_stays() {
    if let Err(missing) = live::probe().packets {
        eprintln!("SKIPPED: packets are not possible here: {missing:?}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("service.db");
    let choice = Choice::At(database.display().to_string());
    let place = ServicePlace::find(&choice, "access-test").unwrap().unwrap();
    let keys = place.keys.clone();
    let start = "2026-05-21T00:00:12Z".parse::<Utc>().unwrap().into();
    let world = World::load("access-test.toml", SCENARIO, &Tracks, start).unwrap();
    let van = super::ut_id(&world, world.terminal("van").unwrap());
    let key = Keys::open(&keys).unwrap().public_key_or_new(van).unwrap();
    let service = Service::open(place, wall_clock()).unwrap();
    earlier_days(&service, van, key, start);
    let options = Options {
        carry: Some(Carry {
            uplink: Way::Auto,
            no_realtime: false,
            dish: DishOptions {
                dish_location: false,
                dish_context: false,
                dish_config: false,
                dish_old_files: false,
            },
        }),
        serve: false,
    };
    let pool = planner_pool(None).unwrap();
    let (run, first) = LiveRun::start(world, pool, "access-test", options, Some(service)).unwrap();
    let pop = run.network().unwrap().addresses().pop_v4.into();
    let bench = Bench { run: &run, pop };
    std::thread::scope(|scope| {
        scope.spawn(|| run.keep_planning(first, None));
        scope.spawn(|| run.keep_deciding());
        let _end = StopAtEnd(&run);
        let van = scope.spawn(|| van_story(&bench));
        story(&bench, &keys);
        van.join().unwrap();
    });
}

/// However the story ends, the loops end with it.
struct StopAtEnd<'a>(&'a LiveRun);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The van was sold in Poland, and earlier runs of the network have seen it in Ukraine, and nowhere else, on each of 62 days.
fn earlier_days(service: &Service, van: UtId, key: PublicKey, start: Time) {
    let market = |name: &str| name.parse::<Market>().unwrap();
    let country = |id, at, name| ServiceArea {
        market: Some(market(name)),
        ..square(id, at, AreaKind::Allow { pop: None })
    };
    let account = SCENARIO_TERMINALS;
    let sold = Terminal {
        id: van,
        key,
        model: "emulated".to_owned(),
        batch: BatchId(1),
        state: State::Sold {
            market: market("PL"),
        },
    };
    let desk = service.desk();
    for action in [
        Action::PutArea(country(10, (52.0, 20.0), "PL")),
        Action::PutArea(country(11, VAN_AT, "UA")),
        Action::AddTerminals(vec![sold]),
        Action::Step(van, Step::Register { account }),
        activation(van, VAN_AT, ENROLLED_PLAN),
    ] {
        order(desk, action);
    }
    let here = Geodetic::from_degrees(VAN_AT.0, VAN_AT.1).unwrap();
    let above = Geodetic {
        height_m: 550e3,
        ..here
    };
    let satellite = above.to_ecef();
    let mut watch = Watch::new(desk, start).unwrap();
    for day in (1..=62).rev() {
        let t = start - Span::from_secs(day * 86_400);
        watch.follow(desk, t);
        let seen = Observation {
            at: t,
            claimed: here,
            satellite,
            range_m: here.to_ecef().distance_m(satellite),
            range_sigma_m: 1_500.0,
            cell_centre: here,
            cell_radius_m: 10e3,
        };
        let observed = Observed {
            terminal: van,
            epoch: EpochNumber::containing(t),
            from: t,
            seen,
        };
        watch.observe(desk, &[observed], t, wall_clock());
        // What was observed is written when this has had its turn.
        desk.submit(|_| Ok(Draft::default())).wait().unwrap();
    }
    let found = desk.register().incidents().len();
    assert_eq!(found, 0, "two months are a permitted trip");
}

/// An order that activates a terminal at a place.
fn activation(terminal: UtId, at: (f64, f64), plan: PlanId) -> Action {
    let place = Place::Address(Geodetic::from_degrees(at.0, at.1).unwrap());
    Action::Step(terminal, Step::Activate(Activation { plan, place }))
}

/// The van drives off and stops; its plan has a speed limit.
fn van_story(bench: &Bench<'_>) {
    let van = bench.id("van").1;
    // One epoch of real packets more than a permitted trip, and an incident cuts nobody off.
    bench.is_found(IncidentKind::OutOfMarket, van);
    let mut slow = bench.plan(PlanId(3));
    slow.mobility.max_speed_m_s = 90.0 / 3.6;
    bench.order(Action::PutPlan(slow));
    bench.order(activation(van, VAN_AT, PlanId(3)));
    bench.felt("van", false, bench.comes(bench.in_run(START_S)));
    bench.refused("van", "MOVING_TOO_FAST_FOR_POLICY", "faster than its plan");
    bench.felt("van", true, bench.comes(bench.in_run(VAN_STOPS_S)));
}

fn story(bench: &Bench<'_>, keys: &std::path::Path) {
    let (_, house) = bench.id("house");
    let at = (50.4547, 30.5238);
    let activation = |plan| activation(house, at, plan);
    let call = |action: Action| {
        move || {
            let called = bench.now();
            bench.order(action);
            called
        }
    };

    // The car drives off, in an area with a speed limit.
    let limit = AreaKind::SpeedLimit {
        max_speed_m_s: 90.0 / 3.6,
        exempt: None,
    };
    bench.order(Action::PutArea(square(3, (49.0, 31.0), limit)));
    // Meanwhile the house has a slow plan, which plans that are made by then know.
    let mut slow = bench.plan(PlanId(4));
    (slow.rates.down_bps, slow.rates.up_bps) = (10_000_000, 600_000);
    bench.order(Action::PutPlan(slow.clone()));
    bench.order(activation(PlanId(4)));
    bench.felt("car", false, bench.comes(bench.in_run(START_S)));
    bench.refused("car", "MOVING_TOO_FAST_FOR_POLICY", "faster");

    // The rates of its plan are changed, and it gets another plan: faster at once, in plans that were made for less.
    let live = bench.id("house").0;
    for made in super::lock(&bench.run.made).iter() {
        let planned = made.inputs.live.iter().find(|t| t.id == live).unwrap();
        assert_eq!(planned.most_up_kbps, 600, "epoch {}", made.plan.epoch);
    }
    let (down_mbps, mbps) = bench.rates_mbps("house");
    assert!(
        down_mbps == 10.0 && mbps < 1.0,
        "{down_mbps}, {mbps} Mbit/s"
    );
    let changed = bench.now();
    (slow.rates.down_bps, slow.rates.up_bps) = (20_000_000, 1_600_000);
    bench.order(Action::PutPlan(slow));
    std::thread::sleep(Duration::from_secs(1));
    let (down_mbps, mbps) = bench.rates_mbps("house");
    println!("house's plan changed: {mbps:.2} Mbit/s toward the satellite");
    assert!(
        down_mbps == 20.0 && mbps > 1.2 && mbps < 2.2,
        "{down_mbps}, {mbps} Mbit/s"
    );
    bench.order(activation(ENROLLED_PLAN));
    std::thread::sleep(Duration::from_secs(1));
    let (down_mbps, mbps) = bench.rates_mbps("house");
    let after_s = (bench.now() - changed).as_secs_f64();
    println!("house has another plan: {mbps:.2} Mbit/s, {after_s:.1} s after the first change");
    assert!(
        down_mbps > 50.0 && mbps > 2.5 && after_s < WITHIN_S,
        "{down_mbps}, {mbps} Mbit/s"
    );

    // Suspended, and back.
    bench.felt("house", false, call(Action::Step(house, Step::Suspend)));
    bench.refused("house", "NO_ACTIVE_ACCOUNT", "paused");
    let resumed = bench.now();
    bench.order(Action::Step(house, Step::Resume));
    // With what is free of its beam, not at the rate of the account page, and before any plan could know of it.
    std::thread::sleep(Duration::from_secs(1));
    let (down_mbps, mbps) = bench.rates_mbps("house");
    let after_s = (bench.now() - resumed).as_secs_f64();
    println!("house on: {mbps:.2} Mbit/s toward the satellite, {after_s:.1} s after the call");
    assert!(mbps > 2.0 && after_s < WITHIN_S, "{mbps} Mbit/s");
    assert!(down_mbps > 50.0, "{down_mbps} Mbit/s");
    assert_eq!(bench.page("house")["service"], true);
    // Deactivated, and activated.
    bench.felt("house", false, call(Action::Step(house, Step::Deactivate)));
    bench.felt("house", true, call(activation(ENROLLED_PLAN)));

    // An area is switched off, and on.
    let deny = AreaKind::Deny {
        shown: skyweave_service::Blocked::Area,
    };
    bench.felt(
        "house",
        false,
        call(Action::PutArea(square(1, at, deny.clone()))),
    );
    bench.refused("house", "BLOCKED_AREA", "no service in this area");
    bench.felt("house", true, call(Action::RemoveArea(AreaId(1))));

    // One that is not in force yet is moved, comes and goes by itself.
    let validity = |from: Time, until: Time| Validity {
        from: Some(from),
        until: Some(until),
    };
    let in_s = |s| bench.now() + Span::from_secs(s);
    let mut later = square(4, at, deny);
    later.validity = validity(in_s(3600), in_s(7200));
    bench.order(Action::PutArea(later));
    let (from, until) = (in_s(3), in_s(12));
    bench.order(Action::SetValidity(vec![AreaId(4)], validity(from, until)));
    bench.felt("house", false, bench.comes(from));
    bench.refused("house", "BLOCKED_AREA", "no service in this area");
    bench.felt("house", true, bench.comes(until));
    bench.order(Action::RemoveArea(AreaId(4)));

    // On an allow list, and taken off.
    let no_limits = OwnerLimits {
        person: None,
        person_shown: None,
        company: None,
        critical: None,
    };
    bench.order(Action::PutList(ListId(1), "list".to_owned(), no_limits));
    bench.order(Action::Request(ListId(1), RequestId(1), house, Seen::Shown));
    bench.order(Action::Approve(ListId(1), RequestId(1)));
    let listed = AreaKind::AllowListRequired {
        list: ListId(1),
        pop: None,
    };
    bench.order(Action::PutArea(square(2, at, listed)));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(bench.page("house")["service"], true, "it is on the list");
    bench.felt("house", false, call(Action::Unlist(ListId(1), house)));
    bench.refused("house", "BLOCKED_AREA", "not on it");
    bench.felt("house", true, call(Action::RemoveArea(AreaId(2))));

    // The data allowance is used up: by real datagrams to the host's network.
    let register = bench.run.service().unwrap().desk().register();
    let used = &register.usage()[&house];
    let used_bytes = used.down_bytes + used.up_bytes;
    drop(register);
    let mut capped = bench.plan(PlanId(2));
    capped.cap = Some(DataCap {
        bytes: used_bytes + 200_000,
        then: None,
    });
    bench.order(Action::PutPlan(capped));
    bench.order(activation(PlanId(2)));
    let socket = bench.datagrams("house");
    bench.felt("house", false, || {
        for _ in 0..400 {
            let _ = socket.send_to(&[0; 1000], NOWHERE);
            std::thread::sleep(Duration::from_millis(1));
        }
        bench.now()
    });
    bench.refused("house", "DATA_OVERAGE_SANDBOX_POLICY", "used up");
    bench.felt("house", true, call(activation(ENROLLED_PLAN)));

    // A second terminal with the house's id: with the key it is let in, and seen to be in two places; without it is not.
    let thief = keys.with_file_name("thief.keys");
    Keys::open(&thief)
        .unwrap()
        .public_key_or_new(house)
        .unwrap();
    let join = |file| {
        let challenge = bench.run.challenge(house).unwrap();
        let proof = challenge.sign(Keys::open(file).unwrap().get(house).unwrap());
        (bench.run.terminal_at("Madrid", Some(&proof)), proof)
    };
    let before = bench.run.network().unwrap().terminals().len();
    let (refused, _) = join(&thief);
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("not that of the terminal's key"),
        "{refused}"
    );
    let (copy, proof) = join(keys);
    let replayed = bench.run.terminal_at("Madrid", Some(&proof)).unwrap_err();
    assert!(
        replayed.to_string().contains("answered before"),
        "{replayed}"
    );
    let terminals = bench.run.network().unwrap().terminals().len();
    assert_eq!(
        terminals,
        before + 1,
        "only the holder of the key has an address"
    );
    copy.unwrap();
    bench.is_found(IncidentKind::KeyInTwoPlaces, house);
    assert_eq!(
        bench.page("house")["service"],
        true,
        "and nobody is cut off by it"
    );
}
