//! A wait that says how long it still lasts.

use std::{
    io::{self, IsTerminal as _, Write as _},
    pin::pin,
    time::Duration,
};

use tokio::time::{interval, sleep};

use crate::{cli::output::remark, clock::instant};

/// Waits for `work`, `patience` at most, and says so on the terminal once a second; elsewhere once.
pub(super) async fn waiting<T>(text: &str, patience: Duration, work: impl Future<Output = T>) -> Option<T> {
    let began = instant();
    let on_terminal = io::stderr().is_terminal();
    if !on_terminal {
        remark(&format!("{text}, {} minutes at most; Ctrl-C ends it.", patience.as_secs() / 60));
    }
    let mut work = pin!(work);
    let mut end = pin!(sleep(patience));
    let mut tick = interval(Duration::from_secs(1));
    let result = loop {
        tokio::select! {
            biased;
            result = &mut work => break Some(result),
            () = &mut end => break None,
            _ = tick.tick() => {
                let left = patience.saturating_sub(began.elapsed()).as_secs();
                if on_terminal {
                    line(&format!("\r\u{1b}[K{text}, {}:{:02} left; Ctrl-C ends it. ", left / 60, left % 60));
                }
            }
        }
    };
    if on_terminal {
        line("\r\u{1b}[K");
    }
    result
}

fn line(text: &str) {
    let mut terminal = io::stderr().lock();
    // A terminal that is gone shows nothing.
    drop(terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush()));
}
