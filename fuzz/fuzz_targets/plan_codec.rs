//! Bytes from anywhere as a plan: never a panic, and what is read is written again as the same plan.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skyweave_plan::Plan;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(plan) = Plan::from_cbor(bytes) {
        assert_eq!(Plan::from_cbor(&plan.to_cbor()), Ok(plan));
    }
});
