//! Results, on standard output. A reader that went away (`| head`) ends the command without an error.

use std::io::{self, Write as _};

use super::failure::Failure;

/// Prints a result, with a line's end behind it.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written =
        out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Failure::ReaderGone
        } else {
            Failure::Failed(anyhow::anyhow!("the result could not be printed ({})", error.kind()))
        }
    })
}

/// Prints a value as JSON, indented.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        Failure::Failed(anyhow::anyhow!("the result could not be written as JSON ({error})"))
    })?;
    print(&text)
}

/// Prints a remark that is no result, on standard error.
pub(super) fn remark(text: &str) {
    // Standard error is closed: a remark may be lost.
    drop(writeln!(io::stderr().lock(), "{text}"));
}
