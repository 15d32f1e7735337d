//! Generated shells against the element sets that Hypatia generated.

mod common;

use common::shared;
use core::f64::consts::{PI, TAU};
use skyweave_base::{SatId, Utc};
use skyweave_orbit::{Elements, Format, Phasing, ShellSize, Sky, WalkerShell, parse, write};

fn hypatia(
    name: &str,
    planes: u32,
    satellites_per_plane: u32,
    inclination_deg: f64,
    rev_day: f64,
) -> WalkerShell {
    WalkerShell {
        name: name.to_owned(),
        first_catalog_number: 1,
        size: ShellSize::MeanMotionRevDay(rev_day),
        inclination_rad: inclination_deg.to_radians(),
        planes,
        satellites_per_plane,
        phasing: Phasing::OddPlanesHalfStep,
        raan_span_rad: TAU,
    }
}

#[test]
fn the_shells_of_hypatia_to_the_last_bit() {
    let epoch: Utc = "2000-01-01T00:00:00Z".parse().unwrap();
    for (folder, shell) in [
        ("kuiper_630", hypatia("Kuiper-630", 34, 34, 51.9, 14.8)),
        ("starlink_550", hypatia("Starlink-550", 72, 22, 53.0, 15.19)),
        (
            "telesat_1015",
            hypatia("Telesat-1015", 27, 13, 98.98, 13.66),
        ),
    ] {
        let Some(text) = shared(&format!("reference/hypatia/{folder}/tles.txt")) else {
            return;
        };
        let expected = parse(&text, Format::Tle).unwrap();
        let made: Vec<Elements> = shell
            .elements(epoch)
            .iter()
            .map(|e| Elements {
                international_designator: "2000-000ABC".to_owned(),
                ..e.round_like_tle()
            })
            .collect();
        assert_eq!(made.len(), expected.len());
        for (made, expected) in made.iter().zip(&expected) {
            assert_eq!(made, expected);
        }
        // The text too, but for a zero that Hypatia writes as 00000-0, which changes the checksum of line 1.
        let written = write(&made, Format::Tle).unwrap();
        let lines_2 = |text: &str| {
            text.lines()
                .filter(|line| line.starts_with("2 "))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(lines_2(&written), lines_2(&text));
    }
}

#[test]
fn altitude_and_mean_motion_are_each_others_inverse() {
    let mut shell = hypatia("S", 3, 4, 53.0, 0.0);
    shell.size = ShellSize::AltitudeM(550_000.0);
    let elements = shell.elements(Utc::from_unix_seconds(0));
    assert!((elements[0].altitude_m() - 550_000.0).abs() < 1e-6);
    // Vallado, Fundamentals of Astrodynamics: a 550 km circle takes 95.6 minutes.
    assert!((1440.0 / elements[0].mean_motion_rev_day - 95.65).abs() < 0.05);
}

/// T/P/F = 12/3/1: neighbouring planes are 30 degrees of phase and, over half a turn, 60 degrees of node apart.
#[test]
fn walker_phasing_and_span() {
    let shell = WalkerShell {
        phasing: Phasing::Walker(1),
        raan_span_rad: PI,
        ..hypatia("S", 3, 4, 53.0, 15.0)
    };
    let elements = shell.elements(Utc::from_unix_seconds(0));
    let degrees: Vec<(f64, f64)> = elements
        .iter()
        .map(|e| {
            (
                e.raan_rad.to_degrees().round(),
                e.mean_anomaly_rad.to_degrees().round(),
            )
        })
        .collect();
    assert_eq!(
        degrees[..5],
        [
            (0.0, 0.0),
            (0.0, 90.0),
            (0.0, 180.0),
            (0.0, 270.0),
            (60.0, 30.0)
        ]
    );
    assert_eq!(degrees[8], (120.0, 60.0));
}

/// SGP4's short-period terms move a satellite by about 10 km; a wrong plane or phase by hundreds.
#[test]
fn a_propagated_shell_keeps_its_height() {
    let epoch: Utc = "2026-05-21T00:00:00Z".parse().unwrap();
    let mut shell = hypatia("S", 72, 22, 53.0, 0.0);
    shell.size = ShellSize::AltitudeM(550_000.0);
    let sky = Sky::new(&shell.elements(epoch)).unwrap();
    for id in 0..sky.len() as u32 {
        let radius_m = sky.teme(SatId(id), epoch.into()).unwrap().position_m.norm();
        assert!((radius_m - 6_928_137.0).abs() < 15_000.0, "{radius_m}");
    }
}

#[test]
fn an_empty_shell_has_no_elements() {
    assert!(
        hypatia("S", 0, 22, 53.0, 15.0)
            .elements(Utc::from_unix_seconds(0))
            .is_empty()
    );
    assert!(
        hypatia("S", 72, 0, 53.0, 15.0)
            .elements(Utc::from_unix_seconds(0))
            .is_empty()
    );
}
