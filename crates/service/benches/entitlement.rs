//! What a million terminals cost: all of them, and after one change.
//!
//! Every country of the repository's outlines is a service area; the terminals stand where people live, roughly: one in
//! five in Ukraine, whose precise outline is an area of its own with an allow list. With `SERVICE_BENCH_CPU` set, the
//! times are processor time of all threads, for machines that others use too; divide by the cores.

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use skyweave_base::{Geodetic, Seed, Span, Time, Utc};
use skyweave_service::*;
use std::collections::BTreeMap;
use std::hint::black_box;

const TERMINALS: u32 = 1_000_000;
const UKRAINE: AreaId = AreaId(1000);
const LIST: ListId = ListId(1);

/// Time as it passes, or as this process uses it.
enum Clock {
    Wall,
    Cpu,
}

impl Clock {
    fn nanos(&self) -> u64 {
        if matches!(self, Self::Wall) {
            let since = std::time::UNIX_EPOCH.elapsed();
            return since.map_or(0, |d| d.as_nanos() as u64);
        }
        // First field of schedstat: nanoseconds on a processor (Linux, Documentation/scheduler/sched-stats.rst).
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let used = |path: std::path::PathBuf| -> u64 {
            let text = read(&path.join("schedstat"));
            text.split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0)
        };
        tasks.map(|task| used(task.path())).sum()
    }
}

impl Measurement for Clock {
    type Intermediate = u64;
    type Value = u64;
    fn start(&self) -> u64 {
        self.nanos()
    }
    fn end(&self, start: u64) -> u64 {
        self.nanos() - start
    }
    fn add(&self, a: &u64, b: &u64) -> u64 {
        a + b
    }
    fn zero(&self) -> u64 {
        0
    }
    fn to_f64(&self, value: &u64) -> f64 {
        *value as f64
    }
    fn formatter(&self) -> &dyn ValueFormatter {
        &Milliseconds
    }
}

struct Milliseconds;

impl ValueFormatter for Milliseconds {
    fn scale_values(&self, _: f64, values: &mut [f64]) -> &'static str {
        values.iter_mut().for_each(|v| *v /= 1e6);
        "ms"
    }
    fn scale_throughputs(&self, _: f64, _: &Throughput, _: &mut [f64]) -> &'static str {
        "-"
    }
    fn scale_for_machines(&self, _: &mut [f64]) -> &'static str {
        "ns"
    }
}

fn read(path: &std::path::Path) -> String {
    let mut text = String::new();
    let mut file = std::fs::OpenOptions::new().read(true).open(path).unwrap();
    std::io::Read::read_to_string(&mut file, &mut text).unwrap();
    text
}

fn now() -> Time {
    "2026-03-01T12:00:00Z".parse::<Utc>().unwrap().into()
}

fn run(register: &mut Register, action: Action) -> Vec<Touched> {
    let stamp = Stamp {
        by: "bench".into(),
        at: now(),
        why: "bench".into(),
    };
    register.apply(&Command { stamp, action }).unwrap().touched
}

/// Features of a GeoJSON file as shapes; those that are not simple are left out and counted.
fn shapes(file: &str) -> Vec<Shape> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../data/boundaries")
        .join(file);
    let text = read(&path);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let features = value["features"].as_array().unwrap();
    let read = |f: &serde_json::Value| {
        let coordinates = f["geometry"]["coordinates"].clone();
        let many = f["geometry"]["type"] == "MultiPolygon";
        let polygons: Vec<Vec<Vec<[f64; 2]>>> = if many {
            serde_json::from_value(coordinates)
        } else {
            serde_json::from_value(coordinates).map(|p| vec![p])
        }
        .unwrap();
        let shape = Shape::new(&polygons);
        if let Err(e) = &shape {
            println!("left out {}: {e}", f["properties"]["name"]);
        }
        shape.ok().map(|(shape, _)| shape)
    };
    features.iter().filter_map(read).collect()
}

fn world() -> (Register, BTreeMap<UtId, Claim>) {
    let mut r = Register::default();
    run(
        &mut r,
        Action::PutList(LIST, "Ukraine".into(), OwnerLimits::UKRAINE_2026),
    );
    let area = |id, kind, precedence, shape| ServiceArea {
        id,
        name: format!("{id}"),
        market: None,
        kind,
        precedence,
        validity: Validity::ALWAYS,
        shape,
    };
    for (n, shape) in shapes("countries_50m.geojson").into_iter().enumerate() {
        run(
            &mut r,
            Action::PutArea(area(
                AreaId(n as u32),
                AreaKind::Allow { pop: None },
                0,
                shape,
            )),
        );
    }
    let ukraine = shapes("ukraine_adm0.geojson").remove(0);
    let listed = AreaKind::AllowListRequired {
        list: LIST,
        pop: None,
    };
    run(&mut r, Action::PutArea(area(UKRAINE, listed, 10, ukraine)));
    let mobility = Mobility {
        class: MobilityClass::Stationary,
        max_speed_m_s: 5.0,
        home_radius_m: Some(30e3),
        min_height_m: None,
    };
    let (rates, class) = (
        Rates {
            down_bps: 200_000_000,
            up_bps: 20_000_000,
        },
        ServiceClass::Consumer,
    );
    let areas = [].into();
    let id = PlanId(1);
    run(
        &mut r,
        Action::PutPlan(Plan {
            id,
            name: "home".into(),
            rates,
            cap: None,
            priority: 1,
            class,
            mobility,
            areas,
            at_sea: false,
        }),
    );
    let market: Market = "UA".parse().unwrap();
    for n in 0..u64::from(TERMINALS / 2) {
        let holder = Holder::Person(String::new());
        run(
            &mut r,
            Action::PutAccount(Account {
                id: AccountId(n),
                holder,
                market,
                standing: Standing::Active,
                terminal_limit: None,
            }),
        );
    }
    let mut rng = Seed::root(1).child("crowd", 0).rng();
    let (mut claims, mut terminals) = (BTreeMap::new(), Vec::new());
    for n in 0..TERMINALS {
        let (u, v) = (rng.next_f64(), rng.next_f64());
        let (lat, lon) = if n % 5 == 0 {
            (45.0 + 7.0 * u, 22.5 + 17.0 * v)
        } else {
            (-35.0 + 95.0 * u, -180.0 + 360.0 * v)
        };
        let position = Geodetic::from_degrees(lat, lon).unwrap();
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        let state = State::Activated(
            Registration {
                market,
                account: AccountId(u64::from(n / 2)),
            },
            Service {
                plan: PlanId(1),
                place: Place::Address(position),
            },
        );
        let id = UtId::new([0x0100_0000, 0, n]);
        terminals.push(Terminal {
            id,
            key: PublicKey(key),
            model: "rev4".into(),
            batch: BatchId(n / 1000),
            state,
        });
        claims.insert(
            id,
            Claim {
                position: Some(position),
                speed_m_s: 0.0,
                key: KeyProof::Proven,
                software: 1,
            },
        );
    }
    let mut things = r.to_things();
    things.terminals = terminals;
    (Register::load(things).unwrap(), claims)
}

fn entitlement(c: &mut Criterion<Clock>) {
    let (mut r, claims) = world();
    let mut group = c.benchmark_group("entitlement");
    group
        .sample_size(10)
        .measurement_time(std::time::Duration::from_secs(5));
    group.bench_function("build 1M from register and claims", |b| {
        b.iter(|| Fleet::new(&r, &claims, now()))
    });
    let mut fleet = Fleet::new(&r, &claims, now());
    let granted = fleet.decisions().filter(|(_, d)| d.is_granted()).count();
    println!(
        "{granted} of {TERMINALS} granted, {} areas",
        r.areas().len()
    );
    let mut t = now();
    group.bench_function("evaluate 1M", |b| {
        b.iter(|| {
            t += Span::from_secs(15);
            fleet.evaluate(black_box(t));
        });
    });
    let (mut on, mut sat) = (false, 0_u32);
    group.bench_function("one terminal changed", |b| {
        b.iter(|| {
            sat = (sat + 7919) % TERMINALS;
            let id = UtId::new([0x0100_0000, 0, sat]);
            let suspended = matches!(r.terminals()[&id].state, State::Suspended(..));
            let touched = run(
                &mut r,
                Action::Step(
                    id,
                    if suspended {
                        Step::Resume
                    } else {
                        Step::Suspend
                    },
                ),
            );
            fleet.follow(&r, &touched, t)
        });
    });
    group.bench_function("one account changed", |b| {
        b.iter(|| {
            on = !on;
            let mut account = r.accounts()[&AccountId(77)].clone();
            account.standing = if on {
                Standing::Active
            } else {
                Standing::Disabled
            };
            let touched = run(&mut r, Action::PutAccount(account));
            fleet.follow(&r, &touched, t)
        });
    });
    group.bench_function("a country switched off or on", |b| {
        b.iter(|| {
            on = !on;
            let until = if on { None } else { Some(now()) };
            let touched = run(
                &mut r,
                Action::SetValidity(vec![UKRAINE], Validity { from: None, until }),
            );
            fleet.follow(&r, &touched, t)
        });
    });
    group.bench_function("a country's outline changed", |b| {
        let original = (*r.areas()[&UKRAINE]).clone();
        let mut polygons = original.shape.to_degrees();
        polygons[0][0][0][1] += 1e-4;
        let last = polygons[0][0].len() - 1;
        polygons[0][0][last][1] += 1e-4;
        let moved = ServiceArea {
            shape: Shape::new(&polygons).unwrap().0,
            ..original.clone()
        };
        b.iter_batched(
            || {
                on = !on;
                if on { original.clone() } else { moved.clone() }
            },
            |area| {
                let touched = run(&mut r, Action::PutArea(area));
                fleet.follow(&r, &touched, t)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn import(c: &mut Criterion<Clock>) {
    let mut csv = "id,key,model,batch,market\n".to_owned();
    for n in 0..TERMINALS {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&n.to_le_bytes());
        let id = UtId::new([0x0100_0000, 0, n]);
        csv += &format!("{id},{},rev4,{},UA\n", PublicKey(key), n / 1000);
    }
    let mut group = c.benchmark_group("import");
    group.sample_size(10);
    group.bench_function("parse 1M terminals", |b| {
        b.iter(|| parse_terminals(csv.as_bytes()).unwrap())
    });
    let terminals = parse_terminals(csv.as_bytes()).unwrap();
    group.bench_function("add 1M terminals", |b| {
        b.iter_batched(
            || Action::AddTerminals(terminals.clone()),
            |action| run(&mut Register::default(), action),
            BatchSize::PerIteration,
        )
    });
}

fn clock() -> Criterion<Clock> {
    let cpu = std::env::var_os("SERVICE_BENCH_CPU").is_some();
    Criterion::default().with_measurement(if cpu { Clock::Cpu } else { Clock::Wall })
}

criterion_group!(name = benches; config = clock(); targets = entitlement, import);
criterion_main!(benches);
