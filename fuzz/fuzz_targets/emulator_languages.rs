//! The emulator's expression language and filters: what cannot be read is
//! refused, and reads the same every time.
#![no_main]

use libfuzzer_sys::fuzz_target;
use okta_emulator::fuzz::{expression, filter};

fuzz_target!(|text: &str| {
    assert_eq!(expression(text), expression(text));
    assert_eq!(filter(text), filter(text));
});
