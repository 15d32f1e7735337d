//! The built-in snapshot: every element set reads, propagates and writes back as it was.

mod common;

use common::{columns, minutes_to_span, shared, snapshot};
use rayon::prelude::*;
use skyweave_base::{SatId, Span, Time, Utc, Vec3};
use skyweave_orbit::{Format, Propagator, Sky, parse, write};

#[test]
fn every_element_set_reads_and_propagates() {
    let text = snapshot();
    assert_eq!(Format::detect(&text), Some(Format::Tle));
    let elements = parse(&text, Format::Tle).unwrap();
    assert_eq!(elements.len(), 10_359);
    let sky = Sky::new(&elements).unwrap();
    let midnight = Time::from("2026-05-21T00:00:00Z".parse::<Utc>().unwrap());
    for hour in 0..24 {
        let t = midnight + Span::from_secs(3600) * hour;
        let failures: Vec<String> = (0..sky.len() as u32)
            .into_par_iter()
            .filter_map(|id| {
                sky.teme(SatId(id), t)
                    .err()
                    .map(|e| format!("{}: {e}", elements[id as usize].name))
            })
            .collect();
        assert!(failures.is_empty(), "at {t}: {failures:?}");
    }
}

#[test]
fn the_snapshot_writes_back_as_it_was() {
    let text = snapshot();
    let elements = parse(&text, Format::Tle).unwrap();
    let written = write(&elements, Format::Tle).unwrap();
    for (i, (line, original)) in written.lines().zip(text.lines()).enumerate() {
        assert_eq!(line, original.trim_end(), "line {}", i + 1);
    }
    assert_eq!(written.lines().count(), text.lines().count());
}

#[test]
fn the_snapshot_survives_each_omm_layout() {
    let elements = parse(&snapshot(), Format::Tle).unwrap();
    for format in [
        Format::OmmJson,
        Format::OmmCsv,
        Format::OmmXml,
        Format::OmmKvn,
    ] {
        let text = write(&elements, format).unwrap();
        assert_eq!(Format::detect(&text), Some(format));
        // Decimal degrees of a TLE survive the way to radians and back: equal to the last bit.
        assert!(parse(&text, format).unwrap() == elements, "{format}");
    }
}

/// The file's rounding is 1e-6 km, half of it per component; the elements are read from the TLE by both sides.
#[test]
fn forty_satellites_agree_with_the_reference_implementation() {
    const TOLERANCE_M: f64 = 2e-3;
    let Some(csv) = shared("data/orbits/sgp4_vectors_teme.csv") else {
        return;
    };
    let elements = parse(&snapshot(), Format::Tle).unwrap();
    let rows = columns(
        &csv,
        ["norad_id", "minutes_since_epoch", "x_km", "y_km", "z_km"],
    );
    let mut worst_m = 0.0_f64;
    for &[number, minutes, x, y, z] in &rows {
        let e = elements
            .iter()
            .find(|e| f64::from(e.catalog_number) == number)
            .unwrap();
        let state = Propagator::new(e)
            .unwrap()
            .teme_since_epoch(minutes_to_span(minutes))
            .unwrap();
        worst_m = worst_m.max((state.position_m - Vec3::new(x, y, z) * 1e3).norm());
    }
    println!("{} rows, largest difference {worst_m:.2e} m", rows.len());
    assert!(rows.len() >= 40 && worst_m < TOLERANCE_M, "{worst_m}");
}

#[test]
fn the_sky_does_not_depend_on_the_number_of_threads() {
    let sky = Sky::new(&parse(&snapshot(), Format::Tle).unwrap()).unwrap();
    let t = Time::from("2026-05-21T12:00:12Z".parse::<Utc>().unwrap());
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| (sky.ecef_all(t), sky.teme_all(t)))
    };
    assert!(run(1) == run(2));
    let (ecef, teme) = run(2);
    for id in (0..sky.len() as u32).map(SatId) {
        assert_eq!(ecef[id.index()], sky.ecef(id, t).ok());
        assert_eq!(teme[id.index()], sky.teme(id, t).ok());
    }
}
