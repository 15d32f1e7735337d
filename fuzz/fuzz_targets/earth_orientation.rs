#![no_main]
use skyweave_base::{Span, Time};
use skyweave_orbit::EarthOrientationTable;

// A table that is read gives values at its ends and between, and none outside.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(table) = EarthOrientationTable::parse(&String::from_utf8_lossy(data)) else {
        return;
    };
    let (first, last) = table.covers().expect("a table that is read has a day");
    let middle = Time::from_nanos(first.nanos() / 2 + last.nanos() / 2);
    for t in [first, middle, last] {
        let found = table.at(t).expect("inside");
        assert!(found.ut1_minus_utc_s.abs() < 3.0 && found.polar_x_rad.abs() < 1e-4);
    }
    assert_eq!(table.at(last + Span::from_nanos(1)), None);
    assert_eq!(table.at(first - Span::from_nanos(1)), None);
});
