#![no_main]
mod elements;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    elements::check(data, skyweave_orbit::Format::Tle);
    let _ = skyweave_orbit::parse_tle_unchecked(&String::from_utf8_lossy(data));
});
