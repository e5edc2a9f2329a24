//! What a program says on its standard error: into the log at `debug`, short, seldom, and without the secrets that it was given.

use std::{convert::Infallible, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::Instant,
};

use crate::{clock, config::ToolServer};

/// Characters of a line that are kept.
const LONGEST: usize = 300;
/// Bytes of a line that are looked at.
const READ: usize = 4096;
/// Lines in a minute.
const MOST: u32 = 60;
/// Shorter values of variables are words that anybody may say.
const SHORTEST_SECRET: usize = 5;

/// Logs what comes; ends never, so that a program may close it.
pub(super) async fn tell(settings: &ToolServer, mut from: impl AsyncRead + Unpin) -> Infallible {
    let mut line = Vec::new();
    let mut budget = Budget::new();
    let mut bytes = [0; 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        for byte in bytes.iter().take(read) {
            match byte {
                b'\n' => budget.spend(settings, &std::mem::take(&mut line)),
                _ if line.len() < READ => line.push(*byte),
                _ => {}
            }
        }
    }
    budget.spend(settings, &line);
    std::future::pending().await
}

/// How many lines may still be logged in this minute.
struct Budget {
    left: u32,
    until: Instant,
}

impl Budget {
    fn new() -> Self {
        Self { left: MOST, until: clock::instant() + Duration::from_mins(1) }
    }

    fn spend(&mut self, settings: &ToolServer, line: &[u8]) {
        if clock::instant() >= self.until {
            *self = Self::new();
        }
        if self.left == 0 || line.is_empty() {
            return;
        }
        self.left -= 1;
        tracing::debug!(tool.server = %settings.name, line = without_secrets(settings, line), "A program with tools says");
    }
}

/// A line as it is logged.
fn without_secrets(settings: &ToolServer, line: &[u8]) -> String {
    let mut secrets: Vec<&str> = settings.env.iter().map(|(_, value)| value.expose()).collect();
    // A secret that contains another one goes first.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    // Where a line was cut off, a part of one may stand.
    let doubtful = if line.len() == READ { secrets.first().map_or(0, |longest| longest.len()) } else { 0 };
    let sure = line.get(..line.len().saturating_sub(doubtful)).unwrap_or_default();
    let mut text = String::from_utf8_lossy(sure).into_owned();
    for secret in secrets.into_iter().filter(|secret| secret.len() >= SHORTEST_SECRET) {
        text = text.replace(secret, "…");
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn p33_no_secret_of_a_programs_environment_reaches_the_log() {
        let env = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
        let settings = ToolServer {
            name: "notes".to_owned(),
            command: "notes".to_owned(),
            args: Vec::new(),
            env: vec![env("A", "FAKE-secret"), env("B", "FAKE-secret-longer"), env("TZ", "UTC")],
            allow: Vec::new(),
            writes: Vec::new(),
            timeout: Duration::from_secs(1),
        };
        let said = |line: &str| without_secrets(&settings, line.as_bytes());
        assert_eq!(said("token FAKE-secret-longer of\u{1b} FAKE-secret in UTC"), "token … of  … in UTC");
        assert_eq!(said(&"é".repeat(1000)).chars().count(), LONGEST);
        let cut = "FAKE-secret-longer ".repeat(READ);
        assert!(!said(cut.get(..READ).unwrap()).contains("FAKE"));
    }
}
