#![no_main]
mod world_files;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    world_files::load("[[demand]]\narea = \"x.csv\"\nspread = \"given\"\nrate_mbps = 1.0\n", data);
});
