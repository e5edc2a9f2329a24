//! Words that say when to come back.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cortana::llm::fuzz::hint(bytes));
