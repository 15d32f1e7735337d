#![no_main]
mod world_files;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let demand = "area = \"x.geojson\"\nspread = \"uniform\"\nterminals = 9\nrate_mbps = 1.0\n";
    world_files::load(&format!("[[demand]]\n{demand}"), data);
});
