//! The next passes of satellites over a place.
//!
//!     cargo run --release -p skyweave-orbit --example next_passes -- 50.45 30.52 2026-05-21T12:00:00Z 1 STARLINK-30
//!
//! The arguments are latitude and longitude in degrees, the time, how many hours, how the satellites' names begin, and a
//! file of element sets (TLE or OMM; without it, the snapshot in `data/orbits`).

mod common;

use common::{argument, elements};
use skyweave_base::{Geodetic, Span, Time, Utc};
use skyweave_orbit::{Sighting, Sky, passes};

const MIN_ELEVATION_DEG: f64 = 25.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place =
        Geodetic::from_degrees(argument(0, "50.45").parse()?, argument(1, "30.52").parse()?)?;
    let from = Time::from(argument(2, "2026-05-21T12:00:00Z").parse::<Utc>()?);
    let to = from + Span::from_secs_f64(argument(3, "1").parse::<f64>()? * 3600.0);
    let elements = elements(&argument(5, ""), &argument(4, "STARLINK-30"))?;
    let sky = Sky::new(&elements)?;

    // A pass that is under way at either end has no rise or no set.
    let edge = |edge: Option<Sighting>| edge.map_or("-".to_owned(), |edge| clock(edge.time));
    println!(
        "{:24} {:>19} {:>19} {:>9} {:>19}",
        "satellite", "rises over 25 deg", "culminates", "elevation", "sets"
    );
    for pass in passes(&sky, place, from, to, MIN_ELEVATION_DEG.to_radians()) {
        println!(
            "{:24} {:>19} {:>19} {:>9.2} {:>19}",
            elements[pass.satellite.index()].name,
            edge(pass.rise),
            clock(pass.culmination.time),
            pass.culmination.look.elevation_rad.to_degrees(),
            edge(pass.set),
        );
    }
    Ok(())
}

/// To the second.
fn clock(t: Time) -> String {
    let mut text = t.to_string();
    text.truncate("2026-05-21T12:00:00".len());
    text
}
