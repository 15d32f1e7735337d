//! The checker against a small valid plan, made by hand and then corrupted in every way, each time expecting that rule and no other.

use h3o::{CellIndex, LatLng, Resolution};
use skyweave_base::{CellId, EpochNumber, GatewayId, Geodetic, PopId, SatId, TerminalId};
use skyweave_plan::{
    Access, Cell, CellOutcome, FeederLink, Gateway, Inputs, Landing, LaserLoad, LiveTerminal, Plan,
    PointOfPresence, Preference, Reason, Rule, SatelliteState, Service, Slot, TerminalOutcome,
    check,
};
use skyweave_radio::{LinkLimit, Profile};
use std::sync::Arc;

/// Satellites: one over northern Ukraine, one west of Warsaw, one over the Pacific that sees no gateway, one in the zenith of the equator.
const KYIV: SatId = SatId(3);
const WARSAW: SatId = SatId(7);
const PACIFIC: SatId = SatId(9);
const EQUATOR: SatId = SatId(11);

fn place(lat_deg: f64, lon_deg: f64) -> Geodetic {
    Geodetic::from_degrees(lat_deg, lon_deg).unwrap()
}

fn satellite(id: SatId, lat_deg: f64, lon_deg: f64) -> SatelliteState {
    let at = |lon_deg| {
        Geodetic {
            height_m: 550e3,
            ..place(lat_deg, lon_deg)
        }
        .to_ecef()
    };
    SatelliteState {
        id,
        start: at(lon_deg),
        end: at(lon_deg + 1.0),
    }
}

fn index(lat_deg: f64, lon_deg: f64) -> CellIndex {
    LatLng::new(lat_deg, lon_deg)
        .unwrap()
        .to_cell(Resolution::Five)
}

fn cell(index: CellIndex, terminals: u32) -> Cell {
    let centre = LatLng::from(index);
    Cell {
        id: CellId(index.into()),
        centre: place(centre.lat(), centre.lng()),
        terminals,
        demand_kbps: u64::from(terminals) * 10_000,
        pop: PopId(0),
    }
}

/// The cells by name; two neighbours around Kyiv, one 100 km east, then three that nobody can serve.
struct Cells {
    kyiv: CellIndex,
    next: CellIndex,
    east: CellIndex,
    pacific: CellIndex,
    equator: CellIndex,
    antarctic: CellIndex,
}

impl Cells {
    fn new() -> Self {
        let kyiv = index(50.45, 30.52);
        let next = kyiv
            .grid_disk::<Vec<_>>(1)
            .into_iter()
            .find(|&c| c != kyiv)
            .unwrap();
        Self {
            kyiv,
            next,
            east: index(50.4, 32.0),
            pacific: index(-40.0, -130.0),
            equator: index(0.0, 100.0),
            antarctic: index(-89.0, 0.0),
        }
    }
}

fn id(index: CellIndex) -> CellId {
    CellId(index.into())
}

/// Inputs and a valid plan for them; corruptions find slots and cells by id.
fn valid() -> (Inputs, Plan) {
    let cells = Cells::new();
    let mut all = vec![
        cell(cells.kyiv, 20),
        cell(cells.next, 10),
        cell(cells.east, 30),
        cell(cells.pacific, 1),
        cell(cells.equator, 1),
        cell(cells.antarctic, 1),
    ];
    all.sort_by_key(|c| c.id);
    let mut satellites = vec![
        satellite(KYIV, 51.5, 30.0),
        satellite(WARSAW, 52.5, 15.0),
        satellite(PACIFIC, -40.0, -130.5),
        satellite(EQUATOR, 0.0, 99.5),
    ];
    satellites.sort_by_key(|s| s.id);
    let gateway = |name: &str, lat, lon| Gateway {
        name: name.to_owned(),
        place: place(lat, lon),
        antennas: 8,
        min_elevation_rad: None,
    };
    let live = |n: u32, lat, lon| LiveTerminal {
        obstructions: std::sync::Arc::default(),
        id: TerminalId(n),
        place: place(lat, lon),
        cell: id(index(lat, lon)),
        ask_kbps: 10_000,
        most_up_kbps: u32::MAX,
        access: Access::Full,
    };
    let inputs = Inputs {
        epoch: EpochNumber(118_621_440),
        profile: Arc::new(Profile::builtin("starlink").unwrap()),
        preference: Preference::Capacity,
        cells: all.into(),
        live: vec![
            live(0, 50.45, 30.52),
            live(1, -89.0, 0.0),
            live(2, 20.0, 20.0),
        ]
        .into(),
        satellites,
        gateways: vec![
            gateway("Warsaw", 52.2, 21.0),
            gateway("Chisinau", 47.0, 28.9),
        ]
        .into(),
        pops: vec![PointOfPresence {
            code: "wrswpol1".to_owned(),
            city: "Warsaw".to_owned(),
            place: place(52.2, 21.0),
        }]
        .into(),
        lasers: vec![(KYIV, WARSAW)].into(),
        weather: Default::default(),
    };

    let slot = |cell: CellIndex, channel, beam, slices: u8, terminals, delivered_kbps| Slot {
        cell: id(cell),
        satellite: KYIV,
        channel,
        beam,
        slices,
        terminals,
        radio_kbps: 115_000 * u32::from(slices),
        radio_up_kbps: 12_500 * u32::from(slices),
        delivered_kbps,
        landing: 0,
    };
    let mut slots = vec![
        slot(cells.kyiv, 0, 0, 3, 15, 150_000),
        slot(cells.kyiv, 1, 0, 2, 5, 50_000),
        // A neighbour on the same channel: in the same beam, in turn.
        slot(cells.next, 0, 0, 3, 10, 100_000),
        Slot {
            landing: 1,
            ..slot(cells.east, 0, 1, 8, 30, 300_000)
        },
    ];
    slots.sort_by_key(|s| (s.cell, s.channel));
    let outcomes = inputs.cells.iter().map(|c| {
        let delivered_kbps = slots
            .iter()
            .filter(|s| s.cell == c.id)
            .map(|s| u64::from(s.delivered_kbps))
            .sum();
        let unserved = match c.id {
            c if c == id(cells.pacific) => Some(Reason::NoGatewayPath),
            c if c == id(cells.equator) => Some(Reason::GsoExclusion),
            c if c == id(cells.antarctic) => Some(Reason::NoSatelliteInReach),
            _ => None,
        };
        CellOutcome {
            cell: c.id,
            terminals: c.terminals,
            demand_kbps: c.demand_kbps,
            delivered_kbps,
            unserved,
        }
    });
    let kyiv_slot = slots.iter().position(|s| s.cell == id(cells.kyiv)).unwrap() as u32;
    let service = Service {
        slot: kyiv_slot,
        down_kbps: 10_000,
        up_kbps: 1_000,
        pop: PopId(0),
        access: Access::Full,
    };
    let terminals = inputs.live.iter().zip([
        Ok(service),
        Err(Reason::NoSatelliteInReach),
        Err(Reason::NoCell),
    ]);
    let plan = Plan {
        epoch: inputs.epoch,
        start: inputs.epoch.start(),
        end: inputs.epoch.end(),
        satellites_in_service: 4,
        cells: outcomes.collect(),
        landings: vec![
            Landing {
                path: vec![KYIV],
                gateway: GatewayId(1),
                kbps: 200_000,
            },
            Landing {
                path: vec![KYIV, WARSAW],
                gateway: GatewayId(0),
                kbps: 400_000,
            },
        ],
        feeders: vec![
            FeederLink {
                gateway: GatewayId(0),
                satellite: WARSAW,
                kbps: 400_000,
            },
            FeederLink {
                gateway: GatewayId(1),
                satellite: KYIV,
                kbps: 200_000,
            },
        ],
        lasers: vec![LaserLoad {
            from: WARSAW,
            to: KYIV,
            kbps: 400_000,
        }],
        terminals: terminals
            .map(|(live, service)| TerminalOutcome {
                terminal: live.id,
                cell: live.cell,
                service,
            })
            .collect(),
        moved_terminals: 0,
        slots,
    };
    (inputs, plan)
}

/// The rules broken after a corruption, each once.
fn broken(corrupt: impl FnOnce(&mut Inputs, &mut Plan, &Cells)) -> Vec<Rule> {
    let (mut inputs, mut plan) = valid();
    corrupt(&mut inputs, &mut plan, &Cells::new());
    let mut rules: Vec<Rule> = check(&inputs, &plan).into_iter().map(|v| v.rule).collect();
    rules.sort();
    rules.dedup();
    rules
}

fn slot_of(plan: &mut Plan, cell: CellIndex, channel: u8) -> &mut Slot {
    plan.slots
        .iter_mut()
        .find(|s| (s.cell, s.channel) == (id(cell), channel))
        .unwrap()
}

fn outcome_of(plan: &mut Plan, cell: CellIndex) -> &mut CellOutcome {
    plan.cells.iter_mut().find(|c| c.cell == id(cell)).unwrap()
}

fn cell_of(inputs: &mut Inputs, cell: CellIndex) -> &mut Cell {
    Arc::get_mut(&mut inputs.cells)
        .unwrap()
        .iter_mut()
        .find(|c| c.id == id(cell))
        .unwrap()
}

fn profile_of(inputs: &mut Inputs) -> &mut Profile {
    Arc::get_mut(&mut inputs.profile).unwrap()
}

fn gateway_of(inputs: &mut Inputs, gateway: usize) -> &mut Gateway {
    &mut Arc::get_mut(&mut inputs.gateways).unwrap()[gateway]
}

fn service_of(plan: &mut Plan) -> &mut Service {
    plan.terminals[0].service.as_mut().unwrap()
}

#[test]
fn the_plan_made_by_hand_is_valid() {
    let (inputs, plan) = valid();
    assert_eq!(check(&inputs, &plan), []);
}

#[test]
fn a_violation_reads_as_a_sentence() {
    let (inputs, mut plan) = valid();
    plan.slots[0].beam = 4;
    let found = check(&inputs, &plan);
    let slot = plan.slots[0];
    let sentence = format!(
        "BeamsPerChannel: slot of cell {}, satellite 3, channel {}, beam 4: beam 4; allowed: below 4",
        slot.cell, slot.channel
    );
    assert!(found.iter().any(|v| v.to_string() == sentence), "{found:?}");
}

#[test]
fn epoch() {
    assert_eq!(broken(|_, plan, _| plan.epoch.0 += 1), [Rule::Epoch]);
    assert_eq!(broken(|_, plan, _| plan.end = plan.start), [Rule::Epoch]);
    assert_eq!(
        broken(|_, plan, _| plan.satellites_in_service = 5),
        [Rule::Epoch]
    );
}

#[test]
fn order() {
    assert_eq!(broken(|_, plan, _| plan.cells.swap(0, 1)), [Rule::Order]);
    assert_eq!(broken(|_, plan, _| plan.landings.swap(0, 1)), [Rule::Order]);
    assert_eq!(broken(|_, plan, _| plan.feeders.swap(0, 1)), [Rule::Order]);
    assert_eq!(
        broken(|_, plan, _| plan.terminals.swap(1, 2)),
        [Rule::Order]
    );
    let slots = broken(|_, plan, cells| {
        let at = plan
            .slots
            .iter()
            .position(|s| s.cell == id(cells.kyiv))
            .unwrap();
        plan.slots.swap(at, at + 1);
    });
    assert_eq!(slots, [Rule::Order]);
}

#[test]
fn cells() {
    let drop = |_: &mut Inputs, plan: &mut Plan, cells: &Cells| {
        plan.cells.retain(|c| c.cell != id(cells.pacific));
    };
    assert_eq!(broken(drop), [Rule::CellsAccounted]);
    assert_eq!(
        broken(|_, plan, cells| outcome_of(plan, cells.pacific).terminals = 9),
        [Rule::CellsAccounted]
    );
    assert_eq!(
        broken(|_, plan, cells| outcome_of(plan, cells.kyiv).delivered_kbps += 1),
        [Rule::CellSum]
    );
    let over = broken(|inputs, plan, cells| {
        cell_of(inputs, cells.kyiv).demand_kbps = 199_999;
        outcome_of(plan, cells.kyiv).demand_kbps = 199_999;
    });
    assert_eq!(over, [Rule::CellSum]);
    assert_eq!(
        broken(|_, plan, cells| outcome_of(plan, cells.pacific).unserved = None),
        [Rule::ServedFlag]
    );
}

#[test]
fn slots_name_what_exists() {
    assert_eq!(
        broken(|_, plan, cells| slot_of(plan, cells.kyiv, 1).channel = 8),
        [Rule::SlotExists]
    );
    assert_eq!(
        broken(|_, plan, cells| slot_of(plan, cells.kyiv, 1).landing = 2),
        [Rule::SlotExists]
    );
    let stranger = broken(|_, plan, cells| slot_of(plan, cells.kyiv, 1).satellite = SatId(99));
    assert_eq!(stranger, [Rule::SlotExists, Rule::LandingSum]);
}

#[test]
fn beams() {
    assert_eq!(
        broken(|_, plan, cells| slot_of(plan, cells.east, 0).beam = 4),
        [Rule::BeamsPerChannel]
    );
    assert_eq!(
        broken(|_, plan, cells| slot_of(plan, cells.east, 0).slices = 9),
        [Rule::TimeSlices]
    );
    assert_eq!(
        broken(|_, plan, cells| slot_of(plan, cells.kyiv, 0).slices = 6),
        [Rule::TimeSlices]
    );
    assert_eq!(
        broken(|_, plan, cells| slot_of(plan, cells.kyiv, 1).channel = 0),
        [Rule::ChannelOncePerCell]
    );
    assert_eq!(
        broken(|_, plan, cells| slot_of(plan, cells.next, 0).beam = 2),
        [Rule::NeighbourChannel]
    );
    assert_eq!(
        broken(|_, plan, cells| slot_of(plan, cells.kyiv, 0).terminals += 1),
        [Rule::SlotTerminals]
    );
}

#[test]
fn rates() {
    assert_eq!(
        broken(|_, plan, cells| slot_of(plan, cells.east, 0).radio_kbps = 1_440_001),
        [Rule::RadioRate]
    );
    assert_eq!(
        broken(|_, plan, cells| slot_of(plan, cells.east, 0).radio_up_kbps = 100_001),
        [Rule::RadioRate]
    );
    assert_eq!(
        broken(|_, plan, cells| slot_of(plan, cells.east, 0).radio_kbps = 299_999),
        [Rule::DeliveredOverRadio]
    );
}

#[test]
fn user_links() {
    assert_eq!(
        broken(|inputs, _, cells| cell_of(inputs, cells.east).centre = place(20.0, 32.0)),
        [Rule::UserMask]
    );
    // From 57 N the satellite stands 38 degrees high in the south, 13 degrees over the arc.
    assert_eq!(
        broken(|inputs, _, cells| cell_of(inputs, cells.east).centre = place(57.0, 30.5)),
        [Rule::UserGso]
    );
    let range = broken(|inputs, plan, cells| {
        profile_of(inputs).user.limit = LinkLimit::Range { max_range_m: 560e3 };
        // Without the arc the satellite over the equator may serve, but for its missing way to a gateway.
        outcome_of(plan, cells.equator).unserved = Some(Reason::NoGatewayPath);
        let east = cell_of(inputs, cells.east);
        east.centre = place(51.5, 30.5);
    });
    assert_eq!(
        range,
        [Rule::UserMask],
        "the two cells at Kyiv are farther than 560 km"
    );
    // The mask must hold at the end as well.
    let end = broken(|inputs, _, _| {
        let from = inputs.satellites.iter().position(|s| s.id == KYIV).unwrap();
        inputs.satellites[from].end = Geodetic {
            height_m: 550e3,
            ..place(70.0, 80.0)
        }
        .to_ecef();
    });
    assert!(end.contains(&Rule::UserMask), "{end:?}");
}

#[test]
fn landings() {
    let more = broken(|_, plan, _| {
        plan.landings[1].kbps += 1;
        plan.feeders[0].kbps += 1;
        plan.lasers[0].kbps += 1;
    });
    assert_eq!(more, [Rule::LandingSum]);
    assert_eq!(
        broken(|_, plan, _| plan.feeders[0].kbps += 1),
        [Rule::FeederSum]
    );
    assert_eq!(
        broken(|_, plan, _| plan.lasers[0].kbps -= 1),
        [Rule::LaserSum]
    );
    assert_eq!(broken(|_, plan, _| plan.lasers.clear()), [Rule::LaserSum]);
    let nowhere = broken(|_, plan, _| {
        plan.landings[0].gateway = GatewayId(5);
        plan.feeders[1].gateway = GatewayId(5);
    });
    assert_eq!(nowhere, [Rule::LandingPath]);
    let twice = broken(|_, plan, _| plan.landings[1].path = vec![KYIV, WARSAW, KYIV, WARSAW]);
    assert_eq!(twice, [Rule::LandingPath, Rule::LaserSum]);
    let stranger = broken(|_, plan, _| {
        plan.landings[1].path[1] = SatId(99);
        plan.feeders[0].satellite = SatId(99);
        plan.lasers[0].from = SatId(99);
    });
    assert_eq!(stranger, [Rule::LandingPath]);
}

#[test]
fn feeder_links() {
    assert_eq!(
        broken(|inputs, _, _| gateway_of(inputs, 1).place = place(-30.0, 28.9)),
        [Rule::FeederMask]
    );
    let own = 80.0_f64.to_radians();
    assert_eq!(
        broken(|inputs, _, _| gateway_of(inputs, 1).min_elevation_rad = Some(own)),
        [Rule::FeederMask]
    );
    assert_eq!(
        broken(|inputs, _, _| profile_of(inputs).feeder.antenna_kbps = 399_999),
        [Rule::AntennaRate]
    );
    assert_eq!(
        broken(|inputs, _, _| profile_of(inputs).feeder.satellite_kbps = 399_999),
        [Rule::SatelliteFeederRate]
    );
    let total = broken(|inputs, _, _| {
        profile_of(inputs).feeder.antennas_track_one_satellite = false;
        gateway_of(inputs, 0).antennas = 0;
    });
    assert_eq!(total, [Rule::GatewayRate]);
    let antennas = |antennas| {
        broken(move |inputs, plan, _| {
            gateway_of(inputs, 0).antennas = antennas;
            plan.landings[0].gateway = GatewayId(0);
            plan.feeders[1].gateway = GatewayId(0);
            plan.feeders.swap(0, 1);
        })
    };
    assert_eq!(antennas(2), []);
    assert_eq!(antennas(1), [Rule::GatewayAntennas]);
}

#[test]
fn lasers() {
    assert_eq!(
        broken(|inputs, _, _| inputs.lasers = Arc::new([])),
        [Rule::Laser]
    );
    assert_eq!(
        broken(|inputs, _, _| profile_of(inputs).laser.max_range_m = 600e3),
        [Rule::Laser]
    );
    assert_eq!(
        broken(|inputs, _, _| profile_of(inputs).laser.min_grazing_height_m = 549e3),
        [Rule::Laser]
    );
    assert_eq!(
        broken(|inputs, _, _| profile_of(inputs).laser.kbps = 399_999),
        [Rule::LaserRate]
    );
}

#[test]
fn live_terminals() {
    assert_eq!(
        broken(|_, plan, _| plan.terminals.truncate(2)),
        [Rule::TerminalsAccounted]
    );
    assert_eq!(
        broken(|inputs, _, _| inputs.live = inputs.live[..2].into()),
        [Rule::TerminalsAccounted]
    );
    let other = broken(|_, plan, cells| {
        let next = plan
            .slots
            .iter()
            .position(|s| s.cell == id(cells.next))
            .unwrap();
        service_of(plan).slot = next as u32;
    });
    assert_eq!(other, [Rule::TerminalSlot]);
    assert_eq!(
        broken(|_, plan, _| service_of(plan).slot = 99),
        [Rule::TerminalSlot]
    );
    assert_eq!(
        broken(|_, plan, _| service_of(plan).pop = PopId(1)),
        [Rule::TerminalSlot]
    );
    assert_eq!(
        broken(|_, plan, _| service_of(plan).down_kbps = 10_001),
        [Rule::TerminalShare]
    );
    assert_eq!(
        broken(|_, plan, _| service_of(plan).up_kbps = 37_501),
        [Rule::TerminalShare]
    );
    let moved = broken(|inputs, _, _| {
        Arc::get_mut(&mut inputs.live).unwrap()[0].place = place(50.45, 31.5);
    });
    assert_eq!(moved, [Rule::TerminalPlace]);
}

#[test]
fn a_terminal_that_policy_forbids_is_found() {
    let live = |inputs: &mut Inputs, access| {
        Arc::get_mut(&mut inputs.live).unwrap()[0].access = access;
    };
    assert_eq!(
        broken(|inputs, _, _| live(inputs, Access::None)),
        [Rule::Reason, Rule::TerminalAccess]
    );
    for access in [Access::AccountPage, Access::Limited] {
        assert_eq!(
            broken(|inputs, _, _| live(inputs, access)),
            [Rule::TerminalAccess],
            "{access:?}"
        );
    }
    assert_eq!(
        broken(|_, plan, _| service_of(plan).access = Access::None),
        [Rule::TerminalAccess]
    );
    assert_eq!(
        broken(|_, plan, _| plan.terminals[0].service = Err(Reason::Forbidden)),
        [Rule::Reason]
    );
    let slow = |inputs: &mut Inputs| Arc::get_mut(&mut inputs.live).unwrap()[0].most_up_kbps = 999;
    assert_eq!(broken(|inputs, _, _| slow(inputs)), [Rule::TerminalShare]);
}

/// The first live terminal, at Kyiv, as it is now; all others as they were.
fn now(inputs: &Inputs, change: impl FnOnce(&mut LiveTerminal)) -> Vec<LiveTerminal> {
    let mut live = inputs.live.to_vec();
    change(&mut live[0]);
    live
}

/// The plan amended, held against what it is then a plan of.
fn amended(inputs: &Inputs, plan: &Plan, live: &[LiveTerminal]) -> Plan {
    let amended = plan.amended(inputs, live).expect("something is different");
    assert_eq!(check(&amended.inputs, &amended.plan), []);
    amended.plan
}

#[test]
fn an_amended_plan_takes_away_at_once() {
    let (inputs, plan) = valid();
    assert!(
        plan.amended(&inputs, &inputs.live).is_none(),
        "nothing has changed"
    );
    assert!(
        plan.amended(&inputs, &[]).is_none(),
        "of who has left nothing is known"
    );
    let with = |access, ask_kbps| {
        let live = now(&inputs, |t| (t.access, t.ask_kbps) = (access, ask_kbps));
        let amended = amended(&inputs, &plan, &live);
        assert_eq!(
            Plan {
                terminals: plan.terminals.clone(),
                ..amended.clone()
            },
            plan,
            "beams and routes stay"
        );
        amended.terminals[0].service
    };
    let page = with(Access::AccountPage, 512).unwrap();
    assert_eq!((page.access, page.down_kbps), (Access::AccountPage, 512));
    let slower = with(Access::Limited, 5_000).unwrap();
    assert_eq!((slower.access, slower.down_kbps), (Access::Limited, 5_000));
    assert_eq!(with(Access::None, 0), Err(Reason::Forbidden));
}

/// A plan that was made while the terminal of Kyiv's 20 asked less, and what it asked then.
fn planned_for_less(access: Access, ask_kbps: u32) -> (Inputs, Plan) {
    let (mut inputs, mut plan) = valid();
    let less = 10_000 - u64::from(ask_kbps);
    let service = plan.terminals[0].service.as_mut().unwrap();
    let at = service.slot as usize;
    (service.down_kbps, service.up_kbps) = (ask_kbps, ask_kbps / 10);
    service.access = access;
    let slot = &mut plan.slots[at];
    slot.delivered_kbps -= less as u32;
    let slot = *slot;
    let outcome = plan.cells.iter_mut().find(|c| c.cell == slot.cell).unwrap();
    outcome.delivered_kbps -= less;
    outcome.demand_kbps -= less;
    let mut cells = inputs.cells.to_vec();
    let cell = cells.iter_mut().find(|c| c.id == slot.cell).unwrap();
    cell.demand_kbps -= less;
    inputs.cells = cells.into();
    let live = now(&inputs, |t| (t.access, t.ask_kbps) = (access, ask_kbps));
    inputs.live = live.into();
    let landing = &mut plan.landings[slot.landing as usize];
    landing.kbps -= less;
    let last = *landing.path.last().unwrap();
    let feeders = plan.feeders.iter_mut();
    let own = |f: &&mut FeederLink| (f.gateway, f.satellite) == (landing.gateway, last);
    feeders.filter(own).for_each(|f| f.kbps -= less);
    for pair in landing.path.windows(2) {
        let lasers = plan.lasers.iter_mut();
        let own = |l: &&mut LaserLoad| (l.from, l.to) == (pair[1], pair[0]);
        lasers.filter(own).for_each(|l| l.kbps -= less);
    }
    assert_eq!(check(&inputs, &plan), []);
    (inputs, plan)
}

#[test]
fn who_may_do_more_gets_at_once_what_is_free_or_its_equal_part() {
    let full = |plan: &Plan| {
        let mut plan = plan.clone();
        for s in &mut plan.slots {
            s.radio_kbps = s.delivered_kbps;
        }
        plan
    };
    // At the account page, or with a plan of 1 Mbit/s.
    for (access, planned_kbps) in [(Access::AccountPage, 512), (Access::Limited, 1_000)] {
        let (inputs, plan) = planned_for_less(access, planned_kbps);
        let at = plan.terminals[0].service.unwrap().slot as usize;
        let before = plan.slots[at];
        let faster = |ask_kbps| {
            now(&inputs, |t| {
                (t.access, t.ask_kbps) = (Access::Full, ask_kbps)
            })
        };
        let free = amended(&inputs, &plan, &faster(10_000));
        let service = free.terminals[0].service.unwrap();
        assert_eq!(service.access, Access::Full);
        assert_eq!(service.down_kbps, 10_000, "all that it asks is free");
        assert!(service.up_kbps > planned_kbps / 10, "{service:?}");
        assert_eq!(
            free.slots[at].delivered_kbps,
            before.delivered_kbps + 10_000 - planned_kbps
        );
        // A beam that is full: what its neighbours have is shared with it, and no link carries more.
        let crowded = amended(&inputs, &full(&plan), &faster(1_000_000));
        let equal = before.delivered_kbps / before.terminals;
        assert!(equal > planned_kbps, "{before:?}");
        assert_eq!(crowded.terminals[0].service.unwrap().down_kbps, equal);
        assert_eq!(crowded.landings, plan.landings);
    }
}

#[test]
fn who_may_send_more_does_at_once_and_no_more_than_its_part_of_the_beam() {
    let (mut inputs, mut plan) = valid();
    let most = |inputs: &Inputs, most_up_kbps| now(inputs, |t| t.most_up_kbps = most_up_kbps);
    inputs.live = most(&inputs, 200).into();
    plan.terminals[0].service.as_mut().unwrap().up_kbps = 200;
    assert_eq!(check(&inputs, &plan), []);
    let sends = |most_up_kbps| {
        let live = most(&inputs, most_up_kbps);
        amended(&inputs, &plan, &live).terminals[0].service.unwrap()
    };
    assert_eq!(sends(300).up_kbps, 300);
    let service = sends(u32::MAX);
    let slot = plan.slots[service.slot as usize];
    let part = u64::from(service.down_kbps) * u64::from(slot.radio_up_kbps);
    assert_eq!(
        u64::from(service.up_kbps),
        part / u64::from(slot.radio_kbps)
    );
    assert_eq!(service.down_kbps, 10_000, "it asks no more");
}

#[test]
fn those_who_may_do_more_share_what_is_free_alike() {
    // Two of Kyiv's 20 are live, at 512 kbit/s each; their beam has 4 Mbit/s free, and an equal part of it is less than they have.
    let (mut inputs, mut plan) = planned_for_less(Access::Limited, 512);
    let service = plan.terminals[0].service.unwrap();
    let other = TerminalId(7);
    let twin = LiveTerminal {
        id: other,
        ..inputs.live[0].clone()
    };
    inputs.live = inputs.live.iter().cloned().chain([twin]).collect();
    plan.terminals.push(TerminalOutcome {
        terminal: other,
        ..plan.terminals[0]
    });
    let slot = &mut plan.slots[service.slot as usize];
    slot.radio_kbps = slot.delivered_kbps + 4_000;
    slot.terminals = 10_000;
    let (cell, terminals) = (slot.cell, slot.terminals);
    let others: u32 = plan
        .slots
        .iter()
        .filter(|s| s.cell == cell)
        .map(|s| s.terminals)
        .sum();
    let mut cells = inputs.cells.to_vec();
    cells.iter_mut().find(|c| c.id == cell).unwrap().terminals = others;
    inputs.cells = cells.into();
    plan.cells
        .iter_mut()
        .find(|c| c.cell == cell)
        .unwrap()
        .terminals = others;
    assert_eq!(check(&inputs, &plan), [], "{terminals}");
    let live = inputs.live.iter().cloned().map(|mut t| {
        if t.cell == cell {
            t.ask_kbps = 50_000;
        }
        t
    });
    let shared = amended(&inputs, &plan, &live.collect::<Vec<_>>());
    let down = |i: usize| shared.terminals[i].service.unwrap().down_kbps;
    assert_eq!((down(0), down(3)), (2_512, 2_512));
}

#[test]
fn who_had_no_service_in_the_plan_has_none_in_an_amendment() {
    let (mut inputs, mut plan) = valid();
    inputs.live = now(&inputs, |t| t.access = Access::None).into();
    plan.terminals[0].service = Err(Reason::Forbidden);
    let live = now(&inputs, |t| t.access = Access::Full);
    assert!(plan.amended(&inputs, &live).is_none());
}

#[test]
fn reasons_are_the_true_ones() {
    let stated = |cell: fn(&Cells) -> CellIndex, reason| {
        broken(move |_, plan, cells| outcome_of(plan, cell(cells)).unserved = Some(reason))
    };
    assert_eq!(stated(|c| c.pacific, Reason::NoFreeSlot), [Rule::Reason]);
    assert_eq!(
        stated(|c| c.equator, Reason::NoSatelliteInReach),
        [Rule::Reason]
    );
    // The terminal in the Antarctic must say what its cell says.
    assert_eq!(
        stated(|c| c.antarctic, Reason::GsoExclusion),
        [Rule::Reason]
    );
    let denied = broken(|_, plan, _| plan.terminals[0].service = Err(Reason::BackhaulFull));
    assert_eq!(denied, [Rule::Reason]);
}

/// What becomes of the plan when the cell at Kyiv gets no slots, and what the inputs allow it is as given.
fn without_kyiv(reason: Reason, limit: impl FnOnce(&mut Inputs, &mut Plan, &Cells)) -> Vec<Rule> {
    broken(|inputs, plan, cells| {
        plan.slots.retain(|s| s.cell != id(cells.kyiv));
        let outcome = outcome_of(plan, cells.kyiv);
        (outcome.delivered_kbps, outcome.unserved) = (0, Some(reason));
        plan.terminals[0].service = Err(reason);
        plan.landings[1].kbps = 200_000;
        plan.feeders[0].kbps = 200_000;
        plan.lasers[0].kbps = 200_000;
        limit(inputs, plan, cells);
    })
}

#[test]
fn a_cell_without_slots_needs_a_true_reason() {
    let all = [
        Reason::NoSatelliteInReach,
        Reason::GsoExclusion,
        Reason::NoGatewayPath,
        Reason::NoFreeSlot,
        Reason::ChannelConflict,
        Reason::BackhaulFull,
    ];
    for reason in all {
        assert_eq!(
            without_kyiv(reason, |_, _, _| ()),
            [Rule::Reason],
            "a beam is free"
        );
        // One channel with one beam, of which the neighbour and the cell in the east have all slices.
        let full = without_kyiv(reason, |inputs, plan, cells| {
            let user = &mut profile_of(inputs).user;
            (user.channels, user.beams_per_channel) = (1, 2);
            (
                slot_of(plan, cells.next, 0).slices,
                slot_of(plan, cells.east, 0).slices,
            ) = (8, 8);
        });
        assert_eq!(
            full.is_empty(),
            reason == Reason::NoFreeSlot,
            "{reason:?}: {full:?}"
        );
        // The neighbour's beam is full, the other has room but would disturb the neighbour.
        let conflict = without_kyiv(reason, |inputs, plan, cells| {
            let user = &mut profile_of(inputs).user;
            (user.channels, user.beams_per_channel) = (1, 3);
            slot_of(plan, cells.next, 0).slices = 8;
        });
        assert_eq!(
            conflict.is_empty(),
            reason == Reason::ChannelConflict,
            "{reason:?}: {conflict:?}"
        );
        // Both gateways and the laser behind are full.
        let backhaul = without_kyiv(reason, |inputs, _, _| {
            profile_of(inputs).feeder.satellite_kbps = 200_000
        });
        assert_eq!(
            backhaul.is_empty(),
            reason == Reason::BackhaulFull,
            "{reason:?}: {backhaul:?}"
        );
    }
}

#[test]
fn nonsense_does_not_panic() {
    let found = broken(|_, plan, _| {
        plan.landings[0] = Landing {
            path: Vec::new(),
            gateway: GatewayId(u32::MAX),
            kbps: u64::MAX,
        };
        plan.landings[1] = Landing {
            path: vec![SatId(u32::MAX); 3],
            gateway: GatewayId(0),
            kbps: u64::MAX,
        };
        for slot in &mut plan.slots {
            slot.cell = CellId(u64::MAX);
            slot.landing = u32::MAX;
            slot.channel = 255;
            slot.slices = 255;
            slot.delivered_kbps = u32::MAX;
        }
        service_of(plan).slot = u32::MAX;
    });
    assert!(
        found.contains(&Rule::LandingPath) && found.contains(&Rule::SlotExists),
        "{found:?}"
    );
}
