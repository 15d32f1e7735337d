//! The built-in snapshot: every element set reads, propagates and writes back as it was.

use rayon::prelude::*;
use skyweave_base::{SatId, Span, Time, Utc};
use skyweave_orbit::{Format, Sky, parse, write};
use std::path::Path;

fn snapshot() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/orbits/starlink-2026-05-21.tle");
    std::fs::read_to_string(path).unwrap()
}

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
            .filter_map(|id| sky.teme(SatId(id), t).err().map(|e| format!("{}: {e}", elements[id as usize].name)))
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
