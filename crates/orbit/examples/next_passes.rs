//! The next passes of satellites over a place.
//!
//!     cargo run --release -p skyweave-orbit --example next_passes -- 50.45 30.52 2026-05-21T12:00:00Z 6 STARLINK-30
//!
//! The arguments are latitude and longitude in degrees, the time, how many hours, how the satellites' names begin, and a
//! file of element sets (TLE or OMM; without it, the snapshot in `data/orbits`).

use skyweave_base::{Geodetic, Span, Time, Utc};
use skyweave_orbit::{Format, Sighting, Sky, parse, passes};

#[expect(clippy::disallowed_methods, reason = "a program reads its input")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, default: &'static str| args.get(i).map_or(default, String::as_str);
    let place = Geodetic::from_degrees(arg(0, "50.45").parse()?, arg(1, "30.52").parse()?)?;
    let from = Time::from(arg(2, "2026-05-21T12:00:00Z").parse::<Utc>()?);
    let to = from + Span::from_secs_f64(arg(3, "6").parse::<f64>()? * 3600.0);
    let snapshot = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data/orbits/starlink-2026-05-21.tle"
    );
    let text = std::fs::read_to_string(arg(5, snapshot))?;

    let mut elements = parse(&text, Format::detect(&text).ok_or("neither TLE nor OMM")?)?;
    elements.retain(|e| e.name.starts_with(arg(4, "STARLINK-30")));
    let sky = Sky::new(&elements)?;
    let edge = |edge: Option<Sighting>| edge.map_or("-".to_owned(), |edge| edge.time.to_string());
    println!(
        "{:24} {:30} {:30} {:>9} {:30}",
        "satellite", "rises over 25 degrees", "culminates", "elevation", "sets"
    );
    for pass in passes(&sky, place, from, to, 25.0_f64.to_radians()) {
        println!(
            "{:24} {:30} {:30} {:9.2} {:30}",
            elements[pass.satellite.index()].name,
            edge(pass.rise),
            pass.culmination.time.to_string(),
            pass.culmination.look.elevation_rad.to_degrees(),
            edge(pass.set),
        );
    }
    Ok(())
}
