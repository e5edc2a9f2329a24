//! Panics as lines of the log: where, but never what a text put together at run time quotes (P33).

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    panic, thread,
};

/// Stands where a message was put together from values, which may be anything that the code had at hand.
const WITHHELD: &str = "(not shown: it may quote values)";

/// From now on a panic is one error in the log, whichever task it ends. `RUST_BACKTRACE` adds the way there.
pub(super) fn log_them() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let message = panic.payload().downcast_ref::<&str>().copied().unwrap_or(WITHHELD);
        let backtrace = Backtrace::capture();
        let backtrace =
            (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(&backtrace));
        tracing::error!(
            panic.place = place,
            panic.message = message,
            panic.thread = thread::current().name(),
            panic.backtrace = backtrace,
            "A programming mistake ended a task; the others go on. Please report the place"
        );
    }));
}
