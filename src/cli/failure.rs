//! How a command fails: its exit code, and what is printed once.

use std::{io::Write as _, process::ExitCode};

use crate::config::Mistakes;

/// The exit code of a mistake in the call or the configuration.
pub(super) const USAGE: u8 = 2;

/// Why a command ended early.
#[derive(Debug)]
pub(super) enum Failure {
    /// The configuration is wrong: exit 2.
    Configuration(Mistakes),
    /// The call is wrong: exit 2.
    Usage(String),
    /// The thing asked for failed: exit 1.
    Failed(anyhow::Error),
    /// The thing asked for failed, and everything to say about it is on the screen already: exit 1.
    Shown,
    /// Nobody reads our output any more (`| head`): exit 0, silently.
    ReaderGone,
}

impl Failure {
    /// Prints the error, once, and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        match self {
            Self::Configuration(mistakes) => {
                say(&format!("{mistakes}\nNothing was started. See docs/configuration.md, or .env.example."));
                ExitCode::from(USAGE)
            }
            Self::Usage(problem) => {
                say(&problem);
                ExitCode::from(USAGE)
            }
            Self::Failed(error) => {
                say(&format!("{error:#}"));
                ExitCode::FAILURE
            }
            Self::Shown => ExitCode::FAILURE,
            Self::ReaderGone => ExitCode::SUCCESS,
        }
    }
}

impl From<Mistakes> for Failure {
    fn from(mistakes: Mistakes) -> Self {
        Self::Configuration(mistakes)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

fn say(problem: &str) {
    // Standard error is closed: the exit code still tells.
    drop(writeln!(std::io::stderr().lock(), "error: {problem}"));
}
