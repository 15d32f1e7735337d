#![no_main]

// What is read as an area must also be written and read again as the same area.
libfuzzer_sys::fuzz_target!(|text: &str| {
    for (area, _) in skyweave_service::parse_areas(text).into_iter().flatten() {
        let (again, _) = skyweave_service::Shape::new(&area.shape.to_degrees()).expect("a shape is a shape");
        assert_eq!(again, area.shape);
    }
});
