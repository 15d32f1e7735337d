//! The planner's `as-observed` choices beside those measured at two terminals on 17 July 2024.

#![allow(clippy::disallowed_methods)] // Tests read files.

use skyweave_base::Geodetic;
use skyweave_plan::Preference;
use skyweave_world::{Comparison, Measured, NoFiles, World, builtin_scenario, compare};
use std::path::PathBuf;

/// What the issue of the planner asks for: total-variation distance of chosen elevations, azimuths and of stays.
const NEAR: f64 = 0.10;
/// Eight hours: with the two that were measured (492 and 496 slots) chance alone would bring distances of 0.05.
const EPOCHS: u32 = 1_920;

fn comparison(
    site: &str,
    lat_deg: f64,
    lon_deg: f64,
    preference: Preference,
) -> Option<Comparison> {
    let root = std::env::var_os("SKYWEAVE_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let folder = root.join("data/measurements");
    let read =
        |what: &str| std::fs::read(folder.join(format!("scheduler_{what}_{site}_2024-07-17.csv")));
    let (Ok(choice), Ok(dwell)) = (read("choice"), read("dwell")) else {
        eprintln!(
            "SKIPPED: the scheduler's measurements are not at {}",
            folder.display()
        );
        return None;
    };
    let measured = Measured::parse(("choice", &choice), ("dwell", &dwell)).unwrap();
    let text = builtin_scenario("starlink-2024").unwrap();
    let world = World::load(
        "starlink-2024",
        text,
        &NoFiles,
        skyweave_base::Time::default(),
    )
    .unwrap();
    let place = Geodetic::from_degrees(lat_deg, lon_deg).unwrap();
    let found = compare(&world, place, &measured, preference, EPOCHS);
    eprintln!(
        "{site}, {preference:?}: candidates {:.3}; chosen by elevation {:.3}, by azimuth {:.3}; stays {:.3}; served {} of {EPOCHS}",
        found.candidates.total_variation(),
        found.elevation.total_variation(),
        found.azimuth.total_variation(),
        found.dwell.total_variation(),
        found.served
    );
    for (name, shares) in [
        ("elevation", &found.elevation),
        ("azimuth", &found.azimuth),
        ("stays", &found.dwell),
    ] {
        for (bin, measured, planned) in &shares.bins {
            eprintln!("  {name} {bin}: {measured:.3} {planned:.3}");
        }
    }
    Some(found)
}

fn is_near(found: &Comparison) {
    assert_eq!(found.served, u64::from(EPOCHS));
    assert!(found.elevation.total_variation() <= NEAR);
    assert!(found.azimuth.total_variation() <= NEAR);
    assert!(found.dwell.total_variation() <= NEAR);
}

#[test]
fn as_observed_chooses_as_was_measured_at_kanazawa() {
    if let Some(found) = comparison("kanazawa", 36.56, 136.66, Preference::AsObserved) {
        is_near(&found);
    }
}

#[test]
fn as_observed_chooses_as_was_measured_at_louvain() {
    if let Some(found) = comparison("louvain", 50.67, 4.61, Preference::AsObserved) {
        is_near(&found);
    }
}

#[test]
fn capacity_does_not() {
    if let Some(found) = comparison("louvain", 50.67, 4.61, Preference::Capacity) {
        assert!(found.dwell.total_variation() > 0.5, "it stays where it is");
    }
}

#[test]
fn tables_that_say_nothing_are_refused_with_line_and_column() {
    let choice = b"elevation_bin_deg,azimuth_octant,candidates,selected\n20,NNE,5,1\nx,N,5,1\n";
    let dwell = b"consecutive_15s_slots_on_same_satellite,occurrences\n1,0\n";
    let problems = Measured::parse(("choice.csv", choice), ("dwell.csv", dwell)).unwrap_err();
    let text: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
    assert!(
        text.iter()
            .any(|t| t.contains("choice.csv:2") && t.contains("NNE")),
        "{text:?}"
    );
    assert!(
        text.iter()
            .any(|t| t.contains("choice.csv:3") && t.contains("elevation_bin_deg")),
        "{text:?}"
    );
    let choice = b"elevation_bin_deg,azimuth_octant,candidates,selected\n20,N,5,1\n";
    let problems = Measured::parse(("choice.csv", choice), ("dwell.csv", dwell)).unwrap_err();
    assert!(problems.0[0].to_string().contains("no stay was counted"));
}
