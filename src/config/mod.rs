//! Environment and file to typed settings; every mistake at once.
//!
//! Parsing does no I/O but reading the files that variables name; what a setting means is decided in its room.

mod chat;
mod discord;
mod pool;
mod source;
mod telemetry;

use std::{fmt, sync::Arc};

pub use chat::ChatSettings;
pub use discord::{Audience, DiscordSettings, GuildPolicy};
pub use pool::{CredentialValue, NamedCredential, PoolSettings, Strategy, WatchMode};
pub use source::{MapSource, Source};
pub use telemetry::TelemetrySettings;

use crate::{http::HttpOptions, provider::Catalog};

/// Everything that can be set, resolved.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Discord's side.
    pub discord: DiscordSettings,
    /// Where credentials come from and how they rotate.
    pub pool: PoolSettings,
    /// Providers with every override applied, in `PROVIDER_ORDER`.
    pub providers: Arc<Catalog>,
    /// How chats are run.
    pub chat: ChatSettings,
    /// Logs and the admin endpoint.
    pub telemetry: TelemetrySettings,
    /// How our HTTP clients are built.
    pub http: HttpOptions,
    /// What is odd but no mistake: one sentence each, logged at start and shown by `doctor`.
    pub warnings: Vec<String>,
}

/// One mistake in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The variable.
    pub variable: String,
    /// Its value, unless it is a secret.
    pub value: Option<String>,
    /// What is expected, as an instruction.
    pub expected: String,
}

/// All mistakes of a configuration, printed together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "mistake" } else { "mistakes" };
        write!(formatter, "{} {noun} in the configuration:", self.0.len())?;
        for Mistake { variable, value, expected } in &self.0 {
            match value {
                Some(value) => write!(formatter, "\n  {variable}={value}: {expected}")?,
                None => write!(formatter, "\n  {variable}: {expected}")?,
            }
        }
        Ok(())
    }
}
