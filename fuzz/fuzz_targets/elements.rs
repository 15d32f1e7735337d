//! What holds for every layout of element sets: read or refused, and what was read can be written, read and propagated.

use skyweave_base::Time;
use skyweave_orbit::{Format, Propagator, parse, write};

pub fn check(data: &[u8], format: Format) {
    let text = String::from_utf8_lossy(data);
    let _ = Format::detect(&text);
    let Ok(elements) = parse(&text, format) else { return };
    for e in &elements {
        if let Ok(propagator) = Propagator::new(e) {
            for nanos in [i64::MIN, 0, 800_000_000_000_000_000, i64::MAX] {
                let _ = propagator.teme(Time::from_nanos(nanos));
            }
        }
    }
    let Ok(first) = write(&elements, format) else { return };
    let again = parse(&first, format).expect("what was written is readable");
    assert_eq!(again.len(), elements.len());
    assert_eq!(write(&again, format).expect("what was read is writable"), first);
}
