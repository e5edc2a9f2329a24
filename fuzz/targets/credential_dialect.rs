//! A credential file: read in every provider's name, written back, written after a grant.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cortana::credential::fuzz::dialect(bytes));
