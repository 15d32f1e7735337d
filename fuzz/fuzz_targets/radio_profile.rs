//! Any text as a radio profile: never a panic, and what is read gives finite, usable numbers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skyweave_radio::{Profile, RateTable, Sight};

fuzz_target!(|text: &str| {
    match Profile::from_toml(text) {
        Ok(profile) => {
            assert!((1..=32).contains(&profile.user.channels));
            assert!(profile.laser.max_range_m.is_finite() && profile.delays.fibre_m_s > 0.0);
            let sight = Sight { sin_elevation: 0.7, range_m: 8e5 };
            let table = RateTable::new(&profile.user.down);
            assert!(table.under(None).kbps(0.7, 0.7) <= profile.user.down.kbps(sight, None));
            profile.user.up.kbps(sight, None);
            profile.feeder.kbps(sight, None);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
