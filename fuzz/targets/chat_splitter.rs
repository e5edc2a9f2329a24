//! A text that is cut into messages.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cortana::chat::fuzz::splitter(bytes));
