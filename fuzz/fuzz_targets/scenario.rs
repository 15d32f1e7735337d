#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    skyweave_world::description(text);
});
