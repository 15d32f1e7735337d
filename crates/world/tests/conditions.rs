//! Conditions reach plans: what is lost carries nothing, what is added is used, and taking all of it back gives the first plan.

use skyweave_base::{GatewayId, Time};
use skyweave_plan::{Inputs, Plan, Reason, check};
use skyweave_world::{
    ConditionError, Conditions, DemandChange, DemandTo, Faults, NewGateway, NewTerminals, NoFiles,
    World, builtin_scenario,
};

/// Poland and Ukraine on the real sky: small enough to be planned many times.
const TEXT: &str = r#"
seed = 7
[sky]
source = "starlink-2026-05-21"
start = 2026-05-21T00:00:12Z
in_service = [[455.0, 580.0]]
[[demand]]
area = "UA"
terminals = 20_000
rate_mbps = 5.0
[[demand]]
area = "PL"
terminals = 20_000
rate_mbps = 5.0
[[terminal]]
name = "Kyiv"
place = "Kyiv"
rate_mbps = 50.0
"#;

fn load(text: &str) -> World {
    World::load("test.toml", text, &NoFiles, Time::default()).unwrap_or_else(|e| panic!("{e}"))
}

/// The first plan, which breaks no rule.
fn plan(world: &World) -> (Inputs, Plan) {
    let inputs = world.inputs(world.first_epoch());
    let plan = skyweave_plan::plan(&inputs, None);
    assert_eq!(check(&inputs, &plan).first(), None);
    (inputs, plan)
}

fn busiest_gateway(plan: &Plan) -> GatewayId {
    let gateways = plan.feeders.iter().map(|f| f.gateway);
    let load = |g: GatewayId| -> u64 {
        let of_it = plan.feeders.iter().filter(|f| f.gateway == g);
        of_it.map(|f| f.kbps).sum()
    };
    gateways.max_by_key(|&g| load(g)).expect("some are in use")
}

fn faults(faults: Faults) -> Conditions {
    Conditions {
        faults,
        ..Conditions::default()
    }
}

#[test]
fn a_lost_gateway_carries_nothing_and_comes_back() {
    let mut world = load(TEXT);
    let (_, before) = plan(&world);
    let busiest = busiest_gateway(&before);
    let name = world.gateways()[busiest.index()].name.clone();
    let lost = faults(Faults {
        gateways: vec![name.to_lowercase()],
        ..Faults::default()
    });
    world.set_conditions(lost.clone()).unwrap();
    let inputs = world.inputs(world.first_epoch());
    // With hysteresis from a plan that used it.
    let after = skyweave_plan::plan(&inputs, Some(&before));
    assert_eq!(check(&inputs, &after), []);
    assert!(after.feeders.iter().all(|f| f.gateway != busiest), "{name}");
    assert!(after.landings.iter().all(|l| l.gateway != busiest));
    assert!(after.terminals[0].service.is_ok(), "Kyiv is still served");
    // A scenario that says the same gives the same plan.
    let scenario = load(&format!("{TEXT}[faults]\ngateways = [\"{name}\"]\n"));
    assert_eq!(scenario.conditions().faults.gateways, [name]);
    assert_eq!(plan(&scenario).1, plan(&world).1);
    world.set_conditions(Conditions::default()).unwrap();
    assert_eq!(plan(&world).1, before);
}

#[test]
fn without_any_gateway_the_reason_is_the_way_to_the_ground() {
    let world = load(TEXT);
    let names = world.gateways().iter().map(|g| g.name.clone()).collect();
    let dark = faults(Faults {
        gateways: names,
        ..Faults::default()
    });
    let (_, plan) = plan(&world.under(dark).unwrap());
    assert!(plan.slots.is_empty());
    let reasons = plan.cells.iter().map(|c| c.unserved);
    assert!(
        reasons
            .into_iter()
            .all(|r| r == Some(Reason::NoGatewayPath))
    );
}

#[test]
fn lost_satellites_serve_nobody_and_small_shares_are_within_large_ones() {
    let world = load(TEXT);
    let (inputs, before) = plan(&world);
    let all = inputs.satellites.len();
    let serving = before.slots[0].satellite;
    let name = world.satellites()[serving.index()].name.clone();
    let number = world.satellites()[serving.index()].catalog_number;
    for one in [name, number.to_string()] {
        let one = faults(Faults {
            satellites: vec![one],
            ..Faults::default()
        });
        let (inputs, after) = plan(&world.under(one).unwrap());
        assert_eq!(inputs.satellites.len(), all - 1);
        assert!(after.slots.iter().all(|s| s.satellite != serving));
    }
    let without = |percent: f64| {
        let share = faults(Faults {
            satellites_percent: percent,
            ..Faults::default()
        });
        let world = world.under(share).unwrap();
        world.inputs(world.first_epoch()).satellites
    };
    let (one, five) = (without(1.0), without(5.0));
    assert_eq!(one.len(), all - (all as f64 * 0.01).ceil() as usize);
    assert_eq!(five.len(), all - (all as f64 * 0.05).ceil() as usize);
    assert!(five.iter().all(|s| one.iter().any(|o| o.id == s.id)));
}

#[test]
fn cells_of_a_lost_pop_go_to_the_nearest_that_is_left() {
    let world = load(TEXT);
    let (before, _) = plan(&world);
    let pop = before.cells[0].pop;
    let code = world.pops()[pop.index()].code.clone();
    let lost = faults(Faults {
        pops: vec![code],
        ..Faults::default()
    });
    let (after, _) = plan(&world.under(lost).unwrap());
    assert_eq!(after.cells.len(), before.cells.len());
    for (a, b) in after.cells.iter().zip(before.cells.iter()) {
        assert_ne!(a.pop, pop);
        assert!(b.pop == pop || a.pop == b.pop, "others keep theirs");
    }
}

#[test]
fn demand_by_area_is_set_and_scaled_alone() {
    let world = load(TEXT);
    let total = |world: &World| -> u64 {
        let inputs = world.inputs(world.first_epoch());
        inputs.cells.iter().map(|c| u64::from(c.terminals)).sum()
    };
    assert_eq!(total(&world), 40_001);
    let change = |area: &str, to| Conditions {
        demand: vec![DemandChange {
            area: area.to_owned(),
            to,
        }],
        ..Conditions::default()
    };
    let set = world.under(change("UA", DemandTo::Terminals(1_000)));
    assert_eq!(total(&set.unwrap()), 21_001);
    let doubled = world.under(change("PL", DemandTo::Times(2.0))).unwrap();
    assert_eq!(total(&doubled), 60_001);
    // Changes are of the scenario, not of what the last conditions made of it.
    let again = doubled.under(change("PL", DemandTo::Times(2.0))).unwrap();
    assert_eq!(total(&again), 60_001);
    let unknown = world.under(change("RO", DemandTo::Times(2.0)));
    assert!(matches!(unknown, Err(ConditionError::Area { .. })));
}

#[test]
fn what_is_added_is_there() {
    let world = load(TEXT);
    let (before, _) = plan(&world);
    let mut added = Conditions::default();
    added.additions.channels = 1;
    added.additions.gateways.push(NewGateway {
        name: "Uzhhorod".to_owned(),
        lat_deg: 48.6,
        lon_deg: 22.3,
        antennas: None,
    });
    added.additions.terminals.push(NewTerminals {
        cell: "851e6387fffffff".to_owned(),
        terminals: 500,
        rate_kbps: 5_000,
    });
    let (after, plan) = plan(&world.under(added.clone()).unwrap());
    assert_eq!(
        after.profile.user.channels,
        before.profile.user.channels + 1
    );
    let new = GatewayId(before.gateways.len() as u32);
    assert!(plan.feeders.iter().any(|f| f.gateway == new));
    let terminals = |inputs: &Inputs| -> u32 { inputs.cells.iter().map(|c| c.terminals).sum() };
    assert_eq!(terminals(&after), terminals(&before) + 500);
    // The same as a value of JSON, which the API of the operator takes.
    let text = r#"{"additions": {"channels": 1, "gateways": [{"name": "Uzhhorod", "lat_deg": 48.6, "lon_deg": 22.3}],
        "terminals": [{"cell": "851e6387fffffff", "terminals": 500, "rate_kbps": 5000}]}}"#;
    assert_eq!(serde_json::from_str::<Conditions>(text).unwrap(), added);
}

#[test]
fn conditions_that_do_not_fit_change_nothing() {
    let mut world = load(TEXT);
    let (_, before) = plan(&world);
    let unknown = faults(Faults {
        gateways: vec!["Atlantis".to_owned()],
        satellites_percent: 50.0,
        ..Faults::default()
    });
    assert!(world.set_conditions(unknown).is_err());
    let mut twice = Conditions::default();
    for _ in 0..2 {
        twice.additions.gateways.push(NewGateway {
            name: "A".to_owned(),
            lat_deg: 0.0,
            lon_deg: 0.0,
            antennas: None,
        });
    }
    let twice = world.set_conditions(twice);
    assert!(matches!(twice, Err(ConditionError::GatewayTwice { .. })));
    assert!(world.conditions().is_none());
    assert_eq!(plan(&world).1, before);
}

#[test]
fn walker_shells_take_faults() {
    let text = builtin_scenario("walker-220").unwrap();
    let faulty = format!("{text}\n[faults]\nsatellites_percent = 10\n");
    assert_eq!(plan(&load(&faulty)).0.satellites.len(), 198);
}

/// A world reduced to the region of an area plans the area as the whole world does, to within what far-away load can change.
#[test]
fn a_region_serves_its_area_as_the_world_does() {
    let text = TEXT.to_owned()
        + "[[demand]]\narea = \"world\"\nexcept = [\"UA\", \"PL\"]\nterminals = 300_000\nrate_mbps = 1.0\n";
    let world = load(&text);
    let region = world.region("UA").unwrap();
    let (all, of_world) = plan(&world);
    let (inputs, of_region) = plan(&region);
    assert!(
        inputs.cells.len() * 4 < all.cells.len(),
        "{}",
        inputs.cells.len()
    );
    assert!(inputs.satellites.len() * 3 < all.satellites.len());
    let own: Vec<_> = plan(&load(TEXT).region("UA").unwrap()).0.cells.to_vec();
    assert!(
        own.iter()
            .all(|c| inputs.cells.iter().any(|i| i.id == c.id))
    );
    let delivered = |plan: &Plan| -> u64 {
        let ukraine = plan
            .cells
            .iter()
            .filter(|c| own.iter().any(|o| o.id == c.cell));
        ukraine.map(|c| c.delivered_kbps).sum()
    };
    let (part, whole) = (delivered(&of_region), delivered(&of_world));
    // Far-away load leads to other choices among equals; at this load everybody gets nearly all.
    assert!(part.abs_diff(whole) * 100 < whole, "{part} against {whole}");
    assert!(matches!(
        world.region("RO"),
        Err(ConditionError::Area { .. })
    ));
}

#[test]
fn added_satellites_have_ids_after_the_others_and_serve() {
    let with = |percent: u32| {
        let text = TEXT.replace(
            "[[demand]]\narea = \"UA\"",
            &format!("added_percent = {percent}\n[[demand]]\narea = \"UA\""),
        );
        load(&text)
    };
    let (few, more) = (with(0), with(10));
    let (before, _) = plan(&few);
    let (after, plan) = plan(&more);
    let added = after.satellites.len() - before.satellites.len();
    assert_eq!(added, before.satellites.len() / 10);
    assert_eq!(
        after.satellites[..before.satellites.len()],
        before.satellites[..]
    );
    let is_added = |s: skyweave_base::SatId| s.index() >= few.satellites().len();
    assert!(plan.slots.iter().any(|s| is_added(s.satellite)));
}
