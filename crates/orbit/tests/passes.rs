//! Passes against a plain search of each second.

mod common;

use common::{shared, snapshot};
use proptest::prelude::*;
use skyweave_base::{Enu, Geodetic, SatId, Span, Time, Utc};
use skyweave_orbit::{Elements, Format, Pass, Sky, parse, parse_tle_unchecked, passes};

fn some_satellites(every: usize) -> Vec<Elements> {
    parse(&snapshot(), Format::Tle)
        .unwrap()
        .into_iter()
        .step_by(every)
        .collect()
}

fn noon() -> Time {
    "2026-05-21T12:00:00Z".parse::<Utc>().unwrap().into()
}

/// Seconds at which the satellite is high enough, from looking at each.
fn high_seconds(
    sky: &Sky,
    satellite: SatId,
    place: Geodetic,
    from: Time,
    seconds: i64,
    mask_rad: f64,
) -> Vec<bool> {
    let enu = Enu::at(place);
    (0..seconds)
        .map(|s| {
            sky.ecef(satellite, from + Span::from_secs(s))
                .is_ok_and(|p| enu.look(p).elevation_rad >= mask_rad)
        })
        .collect()
}

fn covers(pass: &Pass, t: Time) -> bool {
    pass.rise.is_none_or(|rise| rise.time <= t) && pass.set.is_none_or(|set| t <= set.time)
}

fn check(sky: &Sky, place: Geodetic, from: Time, seconds: i64, mask_rad: f64) {
    let found = passes(sky, place, from, from + Span::from_secs(seconds), mask_rad);
    for id in (0..sky.len() as u32).map(SatId) {
        let own: Vec<&Pass> = found.iter().filter(|pass| pass.satellite == id).collect();
        for (s, high) in high_seconds(sky, id, place, from, seconds, mask_rad)
            .into_iter()
            .enumerate()
        {
            let t = from + Span::from_secs(s as i64);
            let covered = own.iter().any(|pass| covers(pass, t));
            // Edges are found to a millisecond; a second may fall into it.
            let is_edge = own
                .iter()
                .flat_map(|pass| [pass.rise, pass.set])
                .flatten()
                .any(|edge| (edge.time - t).nanos().abs() <= Span::from_millis(1).nanos());
            assert!(
                covered == high || is_edge,
                "satellite {id} at {t}: in view {high}, {own:?}"
            );
        }
    }
    for pass in &found {
        let enu = Enu::at(place);
        let elevation_rad = |t: Time| enu.look(sky.ecef(pass.satellite, t).unwrap()).elevation_rad;
        let ms = Span::from_millis(1);
        // A millisecond outside, the satellite is too low.
        for (edge, outside) in [(pass.rise, -ms), (pass.set, ms)] {
            if let Some(edge) = edge {
                assert!(
                    edge.look.elevation_rad >= mask_rad
                        && elevation_rad(edge.time + outside) < mask_rad
                );
            }
        }
        let top = pass.culmination;
        for away in [-5_i64, -1, 1, 5] {
            let t = top.time + Span::from_secs(1) * away;
            if t >= from && t < from + Span::from_secs(seconds) && covers(pass, t) {
                assert!(elevation_rad(t) <= top.look.elevation_rad, "{pass:?}");
            }
        }
    }
}

#[test]
fn every_second_in_view_belongs_to_a_pass() {
    let sky = Sky::new(&some_satellites(150)).unwrap();
    let kyiv = Geodetic::from_degrees(50.45, 30.52).unwrap();
    for mask_deg in [0.0, 25.0, 60.0, 85.0_f64] {
        check(&sky, kyiv, noon(), 6 * 3600, mask_deg.to_radians());
    }
}

/// High masks make passes of seconds, which fall between two looks.
#[test]
fn very_short_passes_are_found() {
    let elements = some_satellites(10);
    let sky = Sky::new(&elements).unwrap();
    let kyiv = Geodetic::from_degrees(50.45, 30.52).unwrap();
    let found = passes(
        &sky,
        kyiv,
        noon(),
        noon() + Span::from_secs(4 * 3600),
        88.0_f64.to_radians(),
    );
    let lengths: Vec<f64> = found
        .iter()
        .filter_map(|p| Some((p.set?.time - p.rise?.time).as_secs_f64()))
        .collect();
    assert!(
        lengths.iter().any(|&s| s < 10.0) && lengths.iter().all(|&s| s < 20.0),
        "{lengths:?}"
    );
    check(&sky, kyiv, noon(), 1800, 88.0_f64.to_radians());
}

/// Orbits of every kind: Molniya, geostationary, 13 days long, decaying; but none whose perigee is inside the Earth.
#[test]
fn odd_orbits_too() {
    let Some(text) = shared("reference/sgp4/SGP4-VER.TLE") else {
        return;
    };
    let place = Geodetic::from_degrees(-33.9, 18.4).unwrap();
    for e in parse_tle_unchecked(&text).unwrap() {
        let perigee_m = (e.altitude_m() + 6_378_137.0) * (1.0 - e.eccentricity);
        if perigee_m > 6_378_137.0 {
            let sky = Sky::new(std::slice::from_ref(&e)).unwrap();
            check(&sky, place, e.epoch.into(), 3 * 3600, 5.0_f64.to_radians());
        }
    }
}

#[test]
fn passes_are_cut_at_the_ends_and_in_order() {
    let sky = Sky::new(&some_satellites(20)).unwrap();
    let kyiv = Geodetic::from_degrees(50.45, 30.52).unwrap();
    let (from, to) = (noon(), noon() + Span::from_secs(120));
    let found = passes(&sky, kyiv, from, to, 25.0_f64.to_radians());
    assert!(found.iter().any(|p| p.rise.is_none()) && found.iter().any(|p| p.set.is_none()));
    let begin = |p: &Pass| (p.rise.map_or(from, |r| r.time), p.satellite);
    assert!(
        found
            .windows(2)
            .all(|pair| begin(&pair[0]) <= begin(&pair[1]))
    );
    assert!(
        found
            .iter()
            .all(|p| from <= p.culmination.time && p.culmination.time < to)
    );
    assert!(
        passes(&sky, kyiv, to, from, 0.0).is_empty()
            && passes(&sky, kyiv, from, from, 0.0).is_empty()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anywhere_on_earth(lat in -90.0..=90.0_f64, lon in -180.0..180.0_f64, mask_deg in 0.0..80.0_f64, offset_s in 0..86_400_i64) {
        let sky = Sky::new(&some_satellites(700)).unwrap();
        let place = Geodetic::from_degrees(lat, lon).unwrap();
        check(&sky, place, noon() + Span::from_secs(offset_s), 3 * 3600, mask_deg.to_radians());
    }
}
