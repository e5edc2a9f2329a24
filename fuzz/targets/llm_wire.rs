//! An answer's body, cut wherever a network may cut it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cortana::llm::fuzz::wire(bytes));
