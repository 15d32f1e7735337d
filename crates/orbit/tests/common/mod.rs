//! Where the tests find the data of other programs.
#![allow(dead_code, unreachable_pub)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests read files; the crate does not"
)]

use std::path::{Path, PathBuf};

/// A file of the shared reference data, or a visible line that says what is skipped for want of it.
pub fn shared(file: &str) -> Option<String> {
    let root = std::env::var_os("SKYWEAVE_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let text = std::fs::read(root.join(file))
        .ok()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if text.is_none() {
        eprintln!("SKIPPED: no {file} (set SKYWEAVE_SHARED to the folder of reference data)");
    }
    text
}

/// The built-in snapshot of element sets.
pub fn snapshot() -> String {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/orbits/starlink-2026-05-21.tle");
    std::fs::read_to_string(path).expect("the repository holds it")
}

/// The built-in table of Earth orientation.
pub fn earth_orientation() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../data/earth-orientation/finals2000A.2020-2027.txt");
    std::fs::read_to_string(path).expect("the repository holds it")
}

/// Rows of a CSV file as numbers, by the names of the columns asked for; texts are NaN.
pub fn columns<const N: usize>(csv: &str, names: [&str; N]) -> Vec<[f64; N]> {
    let mut lines = csv.lines();
    let heads: Vec<&str> = lines.next().unwrap_or("").split(',').collect();
    let at = names.map(|name| {
        heads
            .iter()
            .position(|head| *head == name)
            .unwrap_or_else(|| panic!("no column {name}"))
    });
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            at.map(|i| cells[i].parse().unwrap_or(f64::NAN))
        })
        .collect()
}

/// To the nanosecond: below 4e-6 m of a low orbit.
pub fn minutes_to_span(minutes: f64) -> skyweave_base::Span {
    skyweave_base::Span::from_secs_f64(minutes * 60.0)
}
