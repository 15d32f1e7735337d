#![no_main]

mod world_files;

libfuzzer_sys::fuzz_target!(|data: &[u8]| world_files::load(
    "[radio]\nprofile = \"starlink-v1.5\"\n[weather]\nexceedance_percent = 0.1\nclimate = \"x.csv\"\n",
    data
));
