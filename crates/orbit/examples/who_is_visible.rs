//! Which satellites stand above a place at a time.
//!
//!     cargo run --release -p skyweave-orbit --example who_is_visible -- 50.45 30.52 2026-05-21T12:00:00Z 40
//!
//! The arguments are latitude and longitude in degrees, the time, the least elevation in degrees, and a file of element sets
//! (TLE or OMM; without it, the snapshot in `data/orbits`).

use skyweave_base::{Geodetic, Utc};
use skyweave_orbit::{Format, Sky, parse, visible};

#[expect(clippy::disallowed_methods, reason = "a program reads its input")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, default: &'static str| args.get(i).map_or(default, String::as_str);
    let place = Geodetic::from_degrees(arg(0, "50.45").parse()?, arg(1, "30.52").parse()?)?;
    let time: Utc = arg(2, "2026-05-21T12:00:00Z").parse()?;
    let min_elevation_rad = arg(3, "40").parse::<f64>()?.to_radians();
    let snapshot = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data/orbits/starlink-2026-05-21.tle"
    );
    let text = std::fs::read_to_string(arg(4, snapshot))?;

    let elements = parse(&text, Format::detect(&text).ok_or("neither TLE nor OMM")?)?;
    let sky = Sky::new(&elements)?;
    println!(
        "{:24} {:>8} {:>9} {:>9} {:>11}",
        "satellite", "azimuth", "elevation", "range km", "range rate"
    );
    for sighting in visible(&sky, place, time.into(), min_elevation_rad) {
        let look = sighting.look;
        println!(
            "{:24} {:8.2} {:9.2} {:9.1} {:+6.0} m/s",
            elements[sighting.satellite.index()].name,
            look.azimuth_rad.to_degrees(),
            look.elevation_rad.to_degrees(),
            look.range_m / 1e3,
            sighting.range_rate_m_s,
        );
    }
    Ok(())
}
