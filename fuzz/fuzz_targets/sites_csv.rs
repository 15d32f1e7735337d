#![no_main]

libfuzzer_sys::fuzz_target!(|files: (&[u8], &[u8])| {
    let _ = skyweave_world::SitePairs::parse(("sites.csv", files.0), ("pairs.csv", files.1));
});
