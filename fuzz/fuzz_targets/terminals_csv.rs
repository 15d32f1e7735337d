#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = skyweave_service::parse_terminals(bytes);
});
