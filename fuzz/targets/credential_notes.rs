//! The line of a lock file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cortana::credential::fuzz::notes(bytes));
