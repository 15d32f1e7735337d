//! Bytes that a client sends to a dish, as each of its calls: answered or refused, and what is answered can be written. The
//! first byte says how many seconds pass after each request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skyweave_base::{Span, Time};
use skyweave_dish::schema::device;
use skyweave_dish::{Device, Dish, FileNames, Identity, Permissions, Status, answer_bytes};
use std::sync::Mutex;

struct Locked(Mutex<(Dish, Time)>, Span);

impl Device for Locked {
    fn answer(&self, request: device::Request) -> Result<device::Response, Status> {
        let (dish, now) = &mut *self.0.lock().unwrap();
        let answer = dish.answer(request, *now);
        *now += self.1;
        dish.second(*now, 1000, 100);
        answer
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&step, messages)) = bytes.split_first() else { return };
    let start = Time::from_nanos(833_000_000_000_000_000);
    let identity = Identity {
        id: "ut01000000-00000000-00000001".to_owned(),
        hardware_version: String::new(),
        software_version: String::new(),
        country_code: String::new(),
        utc_offset_s: 0,
    };
    let allowed = Permissions { location: true, context: true, config: true };
    let dish = Dish::new(identity, allowed, start);
    let device = Locked(Mutex::new((dish, start)), Span::from_secs(i64::from(step)));
    for message in messages.split(|byte| *byte == 0xff) {
        for path in [
            "/SpaceX.API.Device.Device/Handle",
            "/SpaceX.API.Device.Device/Stream",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        ] {
            let _ = answer_bytes(&device, FileNames::Old, path, message);
        }
    }
});
