//! Goods sold in one market and only ever seen in another, over months and restarts: what the live network keeps of it.

use super::places::*;
use skyweave::access::Watch;
use skyweave::operator::*;
use skyweave_base::{EpochNumber, Geodetic, Span, Time};
use skyweave_service::*;

fn at(lat_deg: f64, lon_deg: f64) -> Geodetic {
    Geodetic::from_degrees(lat_deg, lon_deg).unwrap()
}

fn market(name: &str) -> Market {
    name.parse().unwrap()
}

/// A country that is a square of 5 degrees.
fn country(id: u32, name: &str, west: f64) -> Action {
    let (s, n, east) = (48.0, 53.0, west + 5.0);
    let ring = vec![[west, s], [east, s], [east, n], [west, n], [west, s]];
    Action::PutArea(ServiceArea {
        id: AreaId(id),
        name: name.to_owned(),
        market: Some(market(name)),
        kind: AreaKind::Allow { pop: None },
        precedence: 10,
        validity: Validity::ALWAYS,
        shape: Shape::new(&[vec![ring]]).unwrap().0,
    })
}

const T0: Time = Time::from_nanos(833_000_000_000_000_000);
const DAY: Span = Span::from_secs(86_400);

fn order(desk: &Desk, action: Action) {
    let stamp = Stamp {
        by: "user:test".to_owned(),
        at: T0,
        why: "test".to_owned(),
    };
    desk.execute(Command { stamp, action }).unwrap();
}

/// Three terminals sold in PL: what each does from day to day.
const TRADED: UtId = UtId::new([1, 1, 1]);
const VISITS: UtId = UtId::new([1, 1, 2]);
const BORDER: UtId = UtId::new([1, 1, 3]);

fn place(terminal: UtId, day: i64) -> Geodetic {
    match terminal {
        VISITS if day == 30 => at(50.0, 22.0),
        // 20 km from the border at 25 degrees east.
        BORDER => at(50.0, 25.28),
        _ => at(50.0, 28.0),
    }
}

fn observe(watch: &mut Watch, desk: &Desk, day: i64) {
    let t = T0 + Span::from_secs(day * 86_400);
    watch.follow(desk, t);
    let observed = [TRADED, VISITS, BORDER].map(|terminal| {
        let here = place(terminal, day);
        let satellite = Geodetic {
            height_m: 550e3,
            ..here
        };
        Observed {
            terminal,
            epoch: EpochNumber::containing(t),
            from: t,
            seen: Observation {
                at: t,
                claimed: here,
                satellite: satellite.to_ecef(),
                range_m: here.to_ecef().distance_m(satellite.to_ecef()),
                range_sigma_m: 1500.0,
                cell_centre: here,
                cell_radius_m: 10e3,
            },
        }
    });
    watch.observe(desk, &observed, t, t);
}

pub(crate) fn goods_sold_in_one_country_and_seen_only_in_another_are_found(site: &Site<'_>) {
    let url = url(&site.fresh());
    let mut desk_of_now = Desk::open(&url).unwrap();
    order(&desk_of_now, country(1, "PL", 20.0));
    order(&desk_of_now, country(2, "UA", 25.0));
    order(
        &desk_of_now,
        Action::PutAccount(Account {
            id: AccountId(1),
            holder: Holder::Person("check 1".to_owned()),
            market: market("UA"),
            standing: Standing::Active,
            terminal_limit: None,
        }),
    );
    for (n, id) in [TRADED, VISITS, BORDER].into_iter().enumerate() {
        let new = Terminal {
            id,
            key: PublicKey([n as u8 + 1; 32]),
            model: "rev4".to_owned(),
            batch: BatchId(n as u32),
            state: State::Sold {
                market: market("PL"),
            },
        };
        order(&desk_of_now, Action::AddTerminals(vec![new]));
        let account = AccountId(1);
        order(&desk_of_now, Action::Step(id, Step::Register { account }));
    }
    let mut watch = Watch::new(&desk_of_now, T0).unwrap();
    for day in 0..=70 {
        // The program ends and begins again.
        if day % 10 == 9 {
            drop(watch);
            drop(desk_of_now);
            desk_of_now = Desk::open(&url).unwrap();
            watch = Watch::new(&desk_of_now, T0 + DAY).unwrap();
        }
        observe(&mut watch, &desk_of_now, day);
        // The answer of the desk is heard with the next look, and incidents come through it.
        desk_of_now.submit(|_| Ok(Draft::default())).wait().unwrap();
        let register = desk_of_now.register();
        let found: Vec<_> = register.incidents().values().collect();
        if day < 62 {
            assert_eq!(found, Vec::<&Incident>::new(), "day {day}");
            continue;
        }
        assert_eq!(found.len(), 1, "day {day}: once");
        assert_eq!(found[0].kind, IncidentKind::OutOfMarket);
        assert!(found[0].terminals.iter().eq([&TRADED]), "{found:?}");
        let Evidence::Seen {
            market: seen,
            times,
            ..
        } = found[0].evidence[0]
        else {
            panic!("{found:?}");
        };
        assert_eq!(seen, market("UA"));
        assert!(
            times >= 60,
            "{times} days of 63, of which restarts may lose some"
        );
    }
}
