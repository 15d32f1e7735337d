//! Any text as a radio profile: never a panic, and what is read gives finite, usable numbers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skyweave_radio::Profile;

fuzz_target!(|text: &str| {
    match Profile::from_toml(text) {
        Ok(profile) => {
            assert!((1..=32).contains(&profile.user.channels));
            assert!(profile.laser.max_range_m.is_finite() && profile.delays.fibre_m_s > 0.0);
            profile.user.down.kbps(1.0);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
