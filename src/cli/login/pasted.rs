//! The address that a browser elsewhere came to, as a person pastes it.

use std::{
    io::{self, BufRead as _},
    thread,
    time::Duration,
};

use tokio::{sync::mpsc, time::timeout};
use zeroize::Zeroizing;

use crate::{
    cli::output::remark,
    oauth::{Authorization, LoginError},
    secret::Secret,
};

/// Reads lines until one is an answer to this login. What is none is told, never repeated.
pub(super) async fn code(authorization: &Authorization, patience: Duration) -> Result<Secret, LoginError> {
    remark(
        "Then paste here what the browser shows in the end: the whole address, also if its page cannot be opened, or the \
         code on it.",
    );
    let mut lines = lines();
    let read = async {
        while let Some(line) = lines.recv().await {
            if line.trim().is_empty() {
                continue;
            }
            match authorization.read_pasted(&line) {
                Err(error @ (LoginError::OtherLogin | LoginError::Unreadable { .. })) => {
                    remark(&format!("{error}. Paste it again; Ctrl-C ends it."));
                }
                answer => return answer,
            }
        }
        Err(LoginError::Unreadable { problem: "nothing more was pasted" })
    };
    timeout(patience, read).await.unwrap_or(Err(LoginError::Expired { within: patience }))
}

/// The lines of standard input. In a thread of its own: a read cannot be ended, and the runtime would wait for its own
/// threads when the command is interrupted.
fn lines() -> mpsc::Receiver<Zeroizing<String>> {
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Zeroizing::new(String::new());
            match input.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
