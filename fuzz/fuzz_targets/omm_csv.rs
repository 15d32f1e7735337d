#![no_main]
mod elements;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    elements::check(data, skyweave_orbit::Format::OmmCsv);
});
