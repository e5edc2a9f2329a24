//! A JSON text that is edited in place.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cortana::credential::fuzz::document(bytes));
