#![no_main]

use skyweave_world::{Between, RainField};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let place = skyweave_base::Geodetic::from_degrees(50.5, 30.5).expect("a place");
    for name in ["x.csv", "x.geojson"] {
        if let Ok(field) = RainField::parse(name, data, Between::Bilinear) {
            let t = field.times().map_or_else(Default::default, |(from, _)| from);
            assert!((0.0..=500.0).contains(&field.rain_mm_h(place, t)));
        }
    }
});
