//! Weather reaches plans: rain takes from cells and from gateways, at its place and in its time, and no rule is broken.

use skyweave_base::{EpochNumber, Geodetic, Time, Utc};
use skyweave_plan::{Inputs, Plan, Reason, Rule, check};
use skyweave_radio::Sight;
use skyweave_world::{Between, Files, FilesError, RainField, Weather, WeatherError, World};
use std::sync::Arc;

const TEXT: &str = r#"
[sky]
source = "starlink-2026-05-21"
start = 2026-05-21T00:00:12Z
in_service = [[455.0, 580.0]]
[radio]
profile = "starlink-v2mini"
[[demand]]
area = "UA"
terminals = 200_000
rate_mbps = 20.0
"#;

struct Only(&'static str);

impl Files for Only {
    fn read(&self, _: &str) -> Result<Vec<u8>, FilesError> {
        Ok(self.0.as_bytes().to_vec())
    }
}

fn load(weather: &str, file: &'static str) -> World {
    let text = format!("{TEXT}{weather}");
    World::load("test.toml", &text, &Only(file), Time::default()).unwrap_or_else(|e| panic!("{e}"))
}

fn plan_at(world: &World, epoch: EpochNumber) -> (Inputs, Plan) {
    let inputs = world.inputs(epoch);
    let plan = skyweave_plan::plan(&inputs, None);
    assert_eq!(check(&inputs, &plan).first(), None);
    (inputs, plan)
}

fn delivered(plan: &Plan) -> u64 {
    plan.cells.iter().map(|c| c.delivered_kbps).sum()
}

#[test]
fn rarer_weather_carries_less() {
    let clear = load("", "");
    let (inputs, first) = plan_at(&clear, clear.first_epoch());
    assert!(inputs.weather.cells.is_empty(), "a clear sky costs nothing");
    let mut before = delivered(&first);
    for percent in [1.0, 0.1, 0.01] {
        let mut world = clear.clone();
        world.set_weather(Weather::Exceedance { percent }).unwrap();
        let (inputs, plan) = plan_at(&world, world.first_epoch());
        assert_eq!(inputs.weather.cells.len(), inputs.cells.len());
        assert_eq!(inputs.weather.gateways.len(), inputs.gateways.len());
        assert!(
            delivered(&plan) < before,
            "{percent} %: {} of {before}",
            delivered(&plan)
        );
        before = delivered(&plan);
    }
    let mut world = clear.clone();
    let error = world
        .set_weather(Weather::Exceedance { percent: 9.0 })
        .unwrap_err();
    assert_eq!(error, WeatherError::Percent { percent: 9.0 });
    assert_eq!(*world.weather(), Weather::Clear, "nothing has changed");
    // The same from a scenario, and back to a clear sky.
    let mut world = load("[weather]\nexceedance_percent = 0.01\n", "");
    let (_, plan) = plan_at(&world, world.first_epoch());
    assert_eq!(delivered(&plan), before);
    world.set_weather(Weather::Clear).unwrap();
    assert_eq!(plan_at(&world, world.first_epoch()).1, first);
}

/// Fades over Kyiv from the built-in climate against the slant vectors (11.7 GHz, 0.5 m, 25 degrees, 0.01 %: 6.04 dB in all, of which
/// rain 5.43). Half a decibel for clouds and vapour that are estimated, and for the power law between elevations.
#[test]
fn the_climate_gives_the_fade_of_a_known_place() {
    let world = load("[weather]\nexceedance_percent = 0.01\n", "");
    let inputs = world.inputs(world.first_epoch());
    let kyiv = Geodetic::from_degrees(50.4501, 30.5234).unwrap().to_ecef();
    let nearest = (0..inputs.cells.len()).min_by(|&a, &b| {
        let off = |i: usize| (inputs.cells[i].centre.to_ecef().0 - kyiv.0).norm();
        off(a).total_cmp(&off(b))
    });
    let fade = inputs.weather.down(nearest.unwrap()).unwrap();
    let db = fade.db(25.0_f64.to_radians().sin());
    assert!((db - 6.04).abs() < 0.5, "{db}");
}

/// It rains hard over the west of Ukraine and over Poland's gateways, from 00:00 to 00:10.
const FRONT: &str = "time,lat_deg,lon_deg,rain_mm_h
2026-05-21T00:00:00Z,45,15,60
2026-05-21T00:00:00Z,45,30,60
2026-05-21T00:00:00Z,55,15,60
2026-05-21T00:00:00Z,55,30,60
2026-05-21T00:10:00Z,45,15,0
2026-05-21T00:10:00Z,45,30,0
2026-05-21T00:10:00Z,55,15,0
2026-05-21T00:10:00Z,55,30,0
";

#[test]
fn rain_takes_at_its_place_and_in_its_time() {
    let world = load("[weather]\nrain = \"front.csv\"\n", FRONT);
    let first = world.first_epoch();
    let (inputs, plan) = plan_at(&world, first);
    let clear_world = load("", "");
    let (_, clear) = plan_at(&clear_world, first);
    let down = &inputs.profile.user.down;
    let high = Sight {
        sin_elevation: 0.8,
        range_m: 600e3,
    };
    let (mut wet, mut dry) = (0, 0);
    for (i, cell) in inputs.cells.iter().enumerate() {
        let kbps = down.kbps(high, inputs.weather.down(i));
        match cell.centre.lon_deg() <= 30.0 {
            true => {
                assert!(kbps < down.kbps(high, None), "it rains over {}", cell.id);
                wet += 1;
            }
            false => {
                assert_eq!(kbps, down.kbps(high, None), "it is dry over {}", cell.id);
                dry += 1;
            }
        }
    }
    assert!(wet > 100 && dry > 100);
    // A gateway under rain carries less: Wola Krobowska is in the field, Muallim in Turkey is not.
    for (i, gateway) in inputs.gateways.iter().enumerate() {
        let kbps = inputs.profile.feeder.kbps(high, inputs.weather.feeder(i));
        let clear = inputs.profile.feeder.kbps(high, None);
        let inside = (45.0..=55.0).contains(&gateway.place.lat_deg())
            && (15.0..=30.0).contains(&gateway.place.lon_deg());
        assert_eq!(kbps < clear, inside, "{}", gateway.name);
    }
    assert!(delivered(&plan) < delivered(&clear));
    // A plan that did not know of the rain promises what neither user nor feeder links carry.
    let broken = check(&inputs, &clear);
    for rule in [Rule::RadioRate, Rule::AntennaRate] {
        assert!(broken.iter().any(|v| v.rule == rule), "{rule:?}");
    }
    // Less rain as it passes, none when it is over.
    let later = |minutes: i64| EpochNumber(first.0 + minutes * 4);
    let fade = |minutes| {
        world
            .inputs(later(minutes))
            .weather
            .cells
            .iter()
            .map(|c| c.down.zenith_db)
            .fold(0.0, f32::max)
    };
    assert!(fade(0) > fade(5) && fade(5) > fade(9) && fade(9) > 0.06);
    let after = world.inputs(later(11));
    assert!(after.weather.cells.is_empty());
    let (_, plan) = plan_at(&world, later(11));
    assert_eq!(
        delivered(&plan),
        delivered(&plan_at(&clear_world, later(11)).1)
    );
}

#[test]
fn a_cloudburst_leaves_nothing_and_says_so() {
    let world = load(
        "[weather]\nrain = \"burst.geojson\"\n",
        r#"{"type": "Feature", "properties": {"rain_mm_h": 400}, "geometry": {"type": "Polygon",
        "coordinates": [[[20, 44], [42, 44], [42, 53], [20, 53], [20, 44]]]}}"#,
    );
    let (_, plan) = plan_at(&world, world.first_epoch());
    let faded = plan
        .cells
        .iter()
        .filter(|c| c.unserved == Some(Reason::Faded))
        .count();
    assert!(
        faded > 0,
        "{:?}",
        plan.cells.iter().find(|c| c.unserved.is_some())
    );
    assert!(
        world
            .summary()
            .weather
            .starts_with("rain (1 areas), always, over ")
    );
}

#[test]
fn fields_are_read_between_points_and_frames() {
    let place = |lat, lon| Geodetic::from_degrees(lat, lon).unwrap();
    let at = |text: &str| Time::from(text.parse::<Utc>().unwrap());
    let csv = "lat_deg,lon_deg,rain_mm_h,time\n0,0,0,2026-01-01T00:00:00Z\n0,1,10,2026-01-01T00:00:00Z\n\
        1,0,20,2026-01-01T00:00:00Z\n1,1,30,2026-01-01T00:00:00Z\n0,0,100,2026-01-01T01:00:00Z\n";
    let field = |between| RainField::parse("x.csv", csv.as_bytes(), between).unwrap();
    let (linear, nearest) = (field(Between::Bilinear), field(Between::Nearest));
    let start = at("2026-01-01T00:00:00Z");
    assert_eq!(linear.rain_mm_h(place(0.5, 0.25), start), 12.5);
    assert_eq!(nearest.rain_mm_h(place(0.6, 0.25), start), 20.0);
    assert_eq!(
        linear.rain_mm_h(place(0.0, 0.0), at("2026-01-01T00:15:00Z")),
        25.0
    );
    // A point that the second frame leaves out is dry then.
    assert_eq!(
        linear.rain_mm_h(place(1.0, 1.0), at("2026-01-01T00:30:00Z")),
        15.0
    );
    for (where_, when) in [
        (place(1.1, 0.5), "2026-01-01T00:30:00Z"),
        (place(0.0, 0.0), "2026-01-01T01:00:01Z"),
        (place(0.0, 0.0), "2025-12-31T23:59:59Z"),
    ] {
        assert_eq!(linear.rain_mm_h(where_, at(when)), 0.0);
    }
    let geojson = r#"{"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"rain_mm_h": 5}, "geometry": {"type": "Polygon", "coordinates": [[[0,0],[2,0],[2,2],[0,2],[0,0]]]}},
        {"type": "Feature", "properties": {"rain_mm_h": 9}, "geometry": {"type": "Polygon", "coordinates": [[[1,1],[2,1],[2,2],[1,2],[1,1]]]}}]}"#;
    let field = RainField::parse("x.geojson", geojson.as_bytes(), Between::Bilinear).unwrap();
    let rain = |lat, lon| field.rain_mm_h(place(lat, lon), start);
    assert_eq!(
        [rain(0.5, 0.5), rain(1.5, 1.5), rain(3.0, 3.0)],
        [5.0, 9.0, 0.0]
    );
}

#[test]
fn weather_that_does_not_fit_is_refused() {
    let mut world = load("", "");
    let field = |csv: &str| {
        Weather::Rain(Arc::new(
            RainField::parse("x.csv", csv.as_bytes(), Between::Bilinear).unwrap(),
        ))
    };
    let south =
        field("lat_deg,lon_deg,rain_mm_h\n-60,-120,10\n-60,-119,10\n-59,-120,10\n-59,-119,10\n");
    let error = world.set_weather(south).unwrap_err().to_string();
    assert_eq!(
        error,
        "the rain field (latitude -60 to -59, longitude -120 to -119) holds no cell and no gateway of the scenario: it changes nothing"
    );
    // Rain over a gateway alone is taken, with a warning: over Ireland, where this scenario asks nothing.
    let text = format!("{TEXT}[weather]\nrain = \"ireland.csv\"\n");
    let ireland = "lat_deg,lon_deg,rain_mm_h\n51,-11,10\n51,-5,10\n56,-11,10\n56,-5,10\n";
    let beside = World::load("t.toml", &text, &Only(ireland), Time::default()).unwrap();
    let warning = beside.warnings()[0].to_string();
    assert!(
        warning
            .contains("the rain field (latitude 51 to 56, longitude -11 to -5) covers none of the")
            && warning.contains("cells with demand, only "),
        "{warning}"
    );
    let past = field("lat_deg,lon_deg,rain_mm_h,time\n50,30,10,2020-01-01T00:00:00Z\n");
    assert!(matches!(
        world.set_weather(past),
        Err(WeatherError::Past { .. })
    ));
    // A climate that does not cover the country, and a profile that minds no weather.
    let text = format!("{TEXT}[weather]\nexceedance_percent = 0.1\nclimate = \"c.csv\"\n");
    let climate = "lat_deg,lon_deg,rain_rate_001_mm_h,rain_height_km,mean_temp_k,water_vapour_g_m3_p50\n0,0,50,5,300,20\n0,1,50,5,300,20\n1,0,50,5,300,20\n1,1,50,5,300,20\n";
    let error = World::load("t.toml", &text, &Only(climate), Time::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("lies outside the climate grid (latitude 0 to 1, longitude 0 to 1)"),
        "{error}"
    );
    let text = text
        .replace("starlink-v2mini", "national")
        .replace("climate = \"c.csv\"\n", "");
    let world = World::load("t.toml", &text, &Only(""), Time::default()).unwrap();
    let warning = world.warnings()[0].to_string();
    assert!(warning.contains("do not mind the weather"), "{warning}");
}
