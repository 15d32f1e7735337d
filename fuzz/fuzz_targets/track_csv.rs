#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(track) = skyweave_world::Track::parse("x.csv", data) {
        assert!(track.at(1.0).lat_deg().abs() <= 90.0);
    }
});
