//! A small service to test with: four countries that share borders, a sea, plans, accounts and terminals.
#![allow(dead_code, reason = "each test binary uses its part")]

use skyweave_base::{Geodetic, Rng, Time, Utc};
use skyweave_service::*;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const NOW: &str = "2026-03-01T12:00:00Z";
/// West, south, east, north in degrees.
pub(crate) const HOME: [f64; 4] = [22.0, 44.0, 40.0, 52.0];
pub(crate) const NEIGHBOUR: [f64; 4] = [14.0, 44.0, 22.0, 52.0];
pub(crate) const OCCUPIED: [f64; 4] = [37.0, 47.0, 40.0, 49.0];
pub(crate) const SEA: [f64; 4] = [28.0, 41.0, 40.0, 45.0];
pub(crate) const HOME_AREA: AreaId = AreaId(1);
pub(crate) const NEIGHBOUR_AREA: AreaId = AreaId(2);
pub(crate) const LIST: ListId = ListId(1);

pub(crate) fn now() -> Time {
    NOW.parse::<Utc>().unwrap().into()
}

pub(crate) fn place(lat: f64, lon: f64) -> Geodetic {
    Geodetic::from_degrees(lat, lon).unwrap()
}

pub(crate) fn stamp() -> Stamp {
    Stamp {
        by: "user:1".into(),
        at: now(),
        why: "test".into(),
    }
}

pub(crate) fn command(action: Action) -> Command {
    Command {
        stamp: stamp(),
        action,
    }
}

pub(crate) fn ut(n: u32) -> UtId {
    UtId::new([0x0100_0000, 0, n])
}

pub(crate) fn key(n: u32) -> PublicKey {
    let mut key = [0; 32];
    key[..4].copy_from_slice(&n.to_le_bytes());
    PublicKey(key)
}

pub(crate) fn market(text: &str) -> Market {
    text.parse().unwrap()
}

pub(crate) fn square([west, south, east, north]: [f64; 4]) -> Shape {
    let ring = vec![
        [west, south],
        [east, south],
        [east, north],
        [west, north],
        [west, south],
    ];
    Shape::new(&[vec![ring]]).unwrap().0
}

pub(crate) fn area(id: u32, bounds: [f64; 4], precedence: i32, kind: AreaKind) -> ServiceArea {
    ServiceArea {
        id: AreaId(id),
        name: format!("area {id}"),
        market: None,
        kind,
        precedence,
        validity: Validity::ALWAYS,
        shape: square(bounds),
    }
}

pub(crate) fn plan(id: u32) -> Plan {
    Plan {
        id: PlanId(id),
        name: format!("plan {id}"),
        rates: Rates {
            down_bps: 200_000_000,
            up_bps: 20_000_000,
        },
        cap: None,
        priority: 1,
        class: ServiceClass::Consumer,
        mobility: Mobility {
            class: MobilityClass::Mobile,
            max_speed_m_s: 160.0 / 3.6,
            home_radius_m: None,
            min_height_m: None,
        },
        areas: BTreeSet::new(),
        at_sea: false,
    }
}

pub(crate) fn fixed_plan(id: u32) -> Plan {
    let mut plan = plan(id);
    plan.mobility = Mobility {
        class: MobilityClass::Stationary,
        max_speed_m_s: 2.0,
        home_radius_m: Some(30e3),
        min_height_m: None,
    };
    plan
}

pub(crate) fn claim(lat: f64, lon: f64) -> Claim {
    Claim {
        position: Some(place(lat, lon)),
        speed_m_s: 0.0,
        key: KeyProof::Proven,
        software: 100,
    }
}

/// A register with areas, plans (1 mobile, 2 fixed, 3 capped, 4 at sea) and accounts 1 to `accounts`, no terminals.
pub(crate) fn register(accounts: u64) -> Register {
    let mut r = Register::default();
    let mut capped = plan(3);
    capped.cap = Some(DataCap {
        bytes: 1000,
        then: None,
    });
    let mut sailor = plan(4);
    sailor.at_sea = true;
    let speed = AreaKind::SpeedLimit {
        max_speed_m_s: 75.0 / 3.6,
        exempt: Some(LIST),
    };
    let mut actions = vec![
        Action::PutList(LIST, "home".into(), OwnerLimits::UKRAINE_2026),
        Action::PutArea(area(1, HOME, 10, AreaKind::Allow { pop: None })),
        Action::PutArea(area(2, NEIGHBOUR, 10, AreaKind::Allow { pop: None })),
        Action::PutArea(area(
            3,
            OCCUPIED,
            20,
            AreaKind::Deny {
                shown: Blocked::Area,
            },
        )),
        Action::PutArea(area(4, SEA, 0, AreaKind::Sea)),
        Action::PutArea(area(5, HOME, 10, speed)),
        Action::PutPlan(plan(1)),
        Action::PutPlan(fixed_plan(2)),
        Action::PutPlan(capped),
        Action::PutPlan(sailor),
    ];
    for n in 1..=accounts {
        let holder = Holder::Person(format!("check {n}"));
        let (standing, market) = (Standing::Active, market("UA"));
        let id = AccountId(n);
        actions.push(Action::PutAccount(Account {
            id,
            holder,
            market,
            standing,
            terminal_limit: None,
        }));
    }
    for action in actions {
        r.apply(&command(action)).unwrap();
    }
    r
}

/// Sold, registered to an account and activated.
pub(crate) fn activated(n: u32, account: u64, plan: u32, place: Place) -> Terminal {
    let registration = Registration {
        market: market("UA"),
        account: AccountId(account),
    };
    let service = Service {
        plan: PlanId(plan),
        place,
    };
    Terminal {
        id: ut(n),
        key: key(n),
        model: "rev4".into(),
        batch: BatchId(n / 100),
        state: State::Activated(registration, service),
    }
}

/// A register with `n` terminals all over the countries and the sea, and their claims.
pub(crate) fn crowd(n: u32, rng: &mut Rng) -> (Register, BTreeMap<UtId, Claim>) {
    let accounts = u64::from(n / 3 + 1);
    let r = register(accounts);
    let mut claims = BTreeMap::new();
    let mut terminals = Vec::new();
    for i in 0..n {
        let (lat, lon) = (40.0 + 13.0 * rng.next_f64(), 12.0 + 30.0 * rng.next_f64());
        let home = place(lat + 0.4 * (rng.next_f64() - 0.5), lon);
        let address = if i % 5 == 0 {
            Place::Area(HOME_AREA)
        } else {
            Place::Address(home)
        };
        let mut terminal = activated(i, 1 + u64::from(i) % accounts, 1 + i % 4, address);
        if i % 17 == 0 {
            terminal.state = State::Blocked(Box::new(terminal.state));
        }
        let speed = if i % 7 == 0 {
            40.0 * rng.next_f64()
        } else {
            0.0
        };
        claims.insert(
            terminal.id,
            Claim {
                speed_m_s: speed,
                ..claim(lat, lon)
            },
        );
        terminals.push(terminal);
    }
    (with_terminals(&r, terminals), claims)
}

/// The register with these terminals besides, in whatever state, as a store would load it.
pub(crate) fn with_terminals(register: &Register, terminals: Vec<Terminal>) -> Register {
    let mut things = register.to_things();
    things.terminals.extend(terminals);
    Register::load(things).unwrap()
}

/// Sold, nobody's.
pub(crate) fn sold(n: u32) -> Terminal {
    let market = market("PL");
    Terminal {
        state: State::Sold { market },
        ..activated(n, 1, 1, Place::Area(HOME_AREA))
    }
}
