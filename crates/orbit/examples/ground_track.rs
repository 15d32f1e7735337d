//! Where on the ground a satellite passes overhead, as a table and on a map of the world.
//!
//!     cargo run --release -p skyweave-orbit --example ground_track -- STARLINK-1008 2026-05-21T12:00:00Z 95 5
//!
//! The arguments are how the satellite's name begins (the first that does is taken), the time, how many minutes, how many of
//! them between rows of the table, and a file of element sets (TLE or OMM; without it, the snapshot in `data/orbits`).

mod common;

use common::{argument, elements};
use skyweave_base::{Geodetic, SatId, Span, Time, Utc};
use skyweave_orbit::Sky;

/// Columns of 5 degrees of longitude, rows of 10 degrees of latitude: characters are about twice as high as wide.
const COLUMNS: usize = 72;
const ROWS: usize = 18;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let elements = elements(&argument(4, ""), &argument(0, "STARLINK-1008"))?;
    let from = Time::from(argument(1, "2026-05-21T12:00:00Z").parse::<Utc>()?);
    let minutes: f64 = argument(2, "95").parse()?;
    let step_minutes: f64 = argument(3, "5").parse()?;
    if !(step_minutes > 0.0 && (0.0..=1e5).contains(&minutes)) {
        return Err("expected a step above 0 and at most 100000 minutes".into());
    }
    let sky = Sky::new(&elements[..1])?;
    let below = |minute: f64| {
        let position = sky.position(SatId(0), from + Span::from_secs_f64(minute * 60.0))?;
        Ok::<_, Box<dyn std::error::Error>>((position.time, position.geodetic))
    };

    println!("{}", elements[0].name);
    println!(
        "{:32} {:>9} {:>9} {:>9}",
        "UTC", "latitude", "longitude", "height km"
    );
    for i in 0..=(minutes / step_minutes) as u32 {
        let (t, point) = below(f64::from(i) * step_minutes)?;
        println!(
            "{:32} {:9.4} {:9.4} {:9.3}",
            t.to_string(),
            point.lat_deg(),
            point.lon_deg(),
            point.height_m / 1e3
        );
    }

    let mut map = [[' '; COLUMNS]; ROWS];
    map[ROWS / 2] = ['-'; COLUMNS];
    map.iter_mut().for_each(|row| row[COLUMNS / 2] = '|');
    for i in 0..=(minutes * 4.0) as u32 {
        let (row, column) = cell(below(f64::from(i) / 4.0)?.1);
        map[row][column] = '*';
    }
    for (minute, mark) in [(minutes, 'Z'), (0.0, 'A')] {
        let (row, column) = cell(below(minute)?.1);
        map[row][column] = mark;
    }
    println!("\nFrom A to Z; the equator and the meridian of Greenwich:");
    for row in map {
        println!("{}", String::from_iter(row).trim_end());
    }
    Ok(())
}

fn cell(point: Geodetic) -> (usize, usize) {
    let row = (90.0 - point.lat_deg()) / 180.0 * ROWS as f64;
    let column = (point.lon_deg() + 180.0).rem_euclid(360.0) / 360.0 * COLUMNS as f64;
    (
        (row as usize).min(ROWS - 1),
        (column as usize).min(COLUMNS - 1),
    )
}
