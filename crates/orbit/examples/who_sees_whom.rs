//! Which places see which satellites, which places share one, and which of those satellites see each other.
//!
//!     cargo run --release -p skyweave-orbit --example who_sees_whom -- 2026-05-21T12:00:00Z 25 "" STARLINK 50.45,30.52 52.23,21.01
//!
//! The arguments are the time, the least elevation in degrees, a file of element sets (TLE or OMM; if empty, the snapshot in
//! `data/orbits`), how the satellites' names begin, and the places as latitude,longitude in degrees.

mod common;

use common::{argument, elements};
use skyweave_base::{Ecef, Ellipsoid, Geodetic, SatId, Utc, Vec3};
use skyweave_orbit::{Sighting, Sky, visible};
use std::collections::BTreeSet;

/// Links between satellites are planned to pass over most of the air.
const LOWEST_LINK_HEIGHT_M: f64 = 80e3;
/// Of each list, its head is printed.
const SHOWN: usize = 8;
const SPEED_OF_LIGHT_M_S: f64 = 299_792_458.0;
/// Kyiv, Warsaw, Frankfurt, Istanbul, New York.
const PLACES: [&str; 5] = [
    "50.45,30.52",
    "52.23,21.01",
    "50.11,8.68",
    "41.01,28.98",
    "40.71,-74.01",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let time: Utc = argument(0, "2026-05-21T12:00:00Z").parse()?;
    let min_elevation_rad = argument(1, "25").parse::<f64>()?.to_radians();
    let elements = elements(&argument(2, ""), &argument(3, "STARLINK"))?;
    let given: Vec<String> = std::env::args().skip(5).collect();
    let places = if given.is_empty() {
        PLACES.map(str::to_owned).to_vec()
    } else {
        given
    };
    let sky = Sky::new(&elements)?;
    let name = |satellite: SatId| &elements[satellite.index()].name;

    let mut views: Vec<(String, Vec<Sighting>)> = Vec::new();
    for text in places {
        let (lat, lon) = text
            .split_once(',')
            .ok_or("expected places as latitude,longitude")?;
        let place = Geodetic::from_degrees(lat.trim().parse()?, lon.trim().parse()?)?;
        let mut seen = visible(&sky, place, time.into(), min_elevation_rad);
        seen.sort_by(|a, b| b.look.elevation_rad.total_cmp(&a.look.elevation_rad));
        println!("{text} sees {} satellites; the highest:", seen.len());
        for sighting in seen.iter().take(SHOWN) {
            println!(
                "    {:24} azimuth {:6.2}  elevation {:5.2}  {:7.1} km  {:+6.0} m/s",
                name(sighting.satellite),
                sighting.look.azimuth_rad.to_degrees(),
                sighting.look.elevation_rad.to_degrees(),
                sighting.look.range_m / 1e3,
                sighting.range_rate_m_s,
            );
        }
        views.push((text, seen));
    }

    println!("\nseen from both places:");
    for (i, (a, from_a)) in views.iter().enumerate() {
        for (b, from_b) in &views[i + 1..] {
            let ids = |seen: &[Sighting]| seen.iter().map(|s| s.satellite).collect::<BTreeSet<_>>();
            let shared = ids(from_a).intersection(&ids(from_b)).count();
            println!("    {a:16} {b:16} {shared:4} satellites");
        }
    }

    let seen: BTreeSet<SatId> = views
        .iter()
        .flat_map(|(_, seen)| seen)
        .map(|s| s.satellite)
        .collect();
    let mut satellites = Vec::new();
    for id in seen {
        satellites.push((id, sky.ecef(id, time.into())?));
    }
    let mut pairs = Vec::new();
    for (i, &(a, at_a)) in satellites.iter().enumerate() {
        for &(b, at_b) in &satellites[i + 1..] {
            if see_each_other(at_a, at_b) {
                pairs.push(((at_a.0 - at_b.0).norm(), a, b));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = satellites.len() * satellites.len().saturating_sub(1) / 2;
    println!(
        "\n{} of {all} pairs of these satellites see each other; the farthest:",
        pairs.len()
    );
    for (distance_m, a, b) in pairs.iter().take(SHOWN) {
        println!(
            "    {:24} {:24} {:7.1} km  {:5.2} ms",
            name(*a),
            name(*b),
            distance_m / 1e3,
            distance_m / SPEED_OF_LIGHT_M_S * 1e3
        );
    }
    Ok(())
}

/// Whether the straight line between two satellites stays over the ellipsoid, raised by [`LOWEST_LINK_HEIGHT_M`]. To stretch
/// space along the axis makes the ellipsoid a sphere and keeps lines straight.
fn see_each_other(a: Ecef, b: Ecef) -> bool {
    let equatorial_m = Ellipsoid::WGS84.semi_major_m + LOWEST_LINK_HEIGHT_M;
    let polar_m =
        Ellipsoid::WGS84.semi_major_m * (1.0 - Ellipsoid::WGS84.flattening) + LOWEST_LINK_HEIGHT_M;
    let stretched = |p: Ecef| Vec3::new(p.0.x, p.0.y, p.0.z * (equatorial_m / polar_m));
    let (a, b) = (stretched(a), stretched(b));
    let along = b - a;
    let nearest = (-a.dot(along) / along.dot(along)).clamp(0.0, 1.0);
    (a + along * nearest).norm() > equatorial_m
}
