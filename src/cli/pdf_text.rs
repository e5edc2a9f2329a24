//! `cortana pdf-text`: the bot's own child, which reads one PDF.
//!
//! A PDF of a few kilobytes can make a reader build gigabytes. So none is read in the process of the bot: this one has
//! bounds that the operating system keeps, and nothing in its memory or environment that is worth having.

use std::{
    io::{Read as _, Write as _},
    process::ExitCode,
};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::chat::pdf_text;

/// Memory that reading may take, in bytes.
const MEMORY: u64 = 768 << 20;
/// Seconds of computing.
const COMPUTING: u64 = 10;
/// Bytes of a PDF that are looked at: more than the bot fetches.
const LARGEST: u64 = 16 << 20;

/// Reads standard input, writes the text; the exit code says why there is none.
pub(super) fn run() -> ExitCode {
    for (resource, bound) in [(Resource::As, MEMORY), (Resource::Cpu, COMPUTING), (Resource::Core, 0)] {
        if setrlimit(resource, Rlimit { current: Some(bound), maximum: Some(bound) }).is_err() {
            return ExitCode::FAILURE;
        }
    }
    let mut bytes = Vec::new();
    if std::io::stdin().lock().take(LARGEST).read_to_end(&mut bytes).is_err() {
        return ExitCode::FAILURE;
    }
    match pdf_text(&bytes) {
        Ok(text) => match std::io::stdout().lock().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(why) => ExitCode::from(why),
    }
}
