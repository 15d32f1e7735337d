//! What the examples read.

use skyweave_orbit::{Elements, Format, parse};
use std::error::Error;

/// Argument `i` of the program, or what stands in for it.
pub(crate) fn argument(i: usize, default: &str) -> String {
    std::env::args()
        .nth(i + 1)
        .unwrap_or_else(|| default.to_owned())
}

/// The element sets of a file (TLE or OMM), or the snapshot in `data/orbits`, whose names begin in some way.
#[expect(clippy::disallowed_methods, reason = "a program reads its input")]
pub(crate) fn elements(file: &str, name_begins: &str) -> Result<Vec<Elements>, Box<dyn Error>> {
    let snapshot = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../data/orbits/starlink-2026-05-21.tle"
    );
    let text = std::fs::read_to_string(if file.is_empty() { snapshot } else { file })?;
    let mut elements = parse(&text, Format::detect(&text).ok_or("neither TLE nor OMM")?)?;
    elements.retain(|e| e.name.starts_with(name_begins));
    if elements.is_empty() {
        return Err(format!("no satellite's name begins with {name_begins}").into());
    }
    Ok(elements)
}
