//! Environment and file to typed settings; every mistake at once.
//!
//! Parsing does no I/O but reading the files that variables name; what a setting means is decided in its room.

mod chat;
mod discord;
mod environment;
mod fallbacks;
mod file;
mod hub;
mod limits;
mod names;
mod personas;
mod pool;
mod providers;
mod reader;
mod reload;
mod source;
mod storage;
mod telemetry;
mod tools;
mod urls;
pub mod variables;

use std::{fmt, sync::Arc};

pub use chat::{AllowedModel, AllowedModels, ChatSettings};
pub use discord::{AlertOperators, Audience, AutoThreads, DiscordSettings, GuildPolicy, ReplyStyle};
pub use environment::{Environment, environment, inherited, program};
pub use fallbacks::Fallbacks;
pub use file::Document;
pub use hub::HubSettings;
pub use limits::{Allowance, Bound, Limits};
pub use names::nearest;
pub use personas::{Persona, is_persona_name};
pub use pool::{CredentialValue, NamedCredential, PoolSettings, SeatRule, Strategy, WatchMode};
pub use reload::{Changes, Reading, is_at_once};
pub use source::{MapSource, Source};
pub use storage::{Database, StorageSettings};
pub use telemetry::TelemetrySettings;
pub use tools::{ToolServer, ToolSettings};

use url::Url;

use self::{file::Section, reader::Reader, urls::HttpHosts};
use crate::{http::HttpOptions, provider::Catalog, secret::Secret};

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
    /// Where the bot keeps what must outlive a process.
    pub storage: StorageSettings,
    /// Hugging Face's hub.
    pub hub: HubSettings,
    /// Programs whose tools models may call.
    pub tools: ToolSettings,
    /// Logs and the admin endpoint.
    pub telemetry: TelemetrySettings,
    /// How our HTTP clients are built.
    pub http: HttpOptions,
    /// What is odd but no mistake: one sentence each, logged at start and shown by `doctor`.
    pub warnings: Vec<String>,
}

/// Reads every setting; either all of them, or every mistake at once.
///
/// No credential and no bot token is no mistake: see [`Settings::require_discord_token`].
pub fn load(source: &dyn Source) -> Result<Settings, Mistakes> {
    let mut reader = Reader::new(source);
    let hosts = HttpHosts::read(&mut reader);
    let mut file = Section::root(&mut reader);
    let catalog = providers::catalog(&mut reader, &hosts, &mut file);
    let discord = DiscordSettings::read(&mut reader, &mut file);
    let pool = PoolSettings::read(&mut reader, &catalog, &mut file);
    let mut settings = Settings {
        discord,
        storage: StorageSettings::read(&mut reader, &pool.state_dir),
        pool,
        chat: ChatSettings::read(&mut reader, &catalog, &mut file),
        hub: HubSettings::read(&mut reader),
        tools: ToolSettings::read(&mut reader, &mut file),
        telemetry: TelemetrySettings::read(&mut reader),
        http: HttpOptions { proxy: proxy(&mut reader), ..HttpOptions::default() },
        warnings: Vec::new(),
        providers: Arc::new(catalog),
    };
    file.finish(&mut reader);
    let unread = names::unread(source, &settings.providers);
    settings.warnings = reader.finish()?;
    settings.warnings.extend(unread);
    Ok(settings)
}

impl Settings {
    /// The bot's token, or what is missing, how to get it, and what works without it.
    pub fn require_discord_token(&self) -> Result<&Secret, Mistakes> {
        self.discord.token.as_ref().ok_or_else(|| {
            Mistakes(vec![Mistake {
                variable: "DISCORD_TOKEN".to_owned(),
                value: None,
                expected: "not set. The bot needs its token: open https://discord.com/developers/applications, choose \
                           your application (or make one), then Bot, then Reset Token; put the line \
                           DISCORD_TOKEN=… into .env, or name a file that holds the token in DISCORD_TOKEN_FILE. \
                           To try the bot without any account, run `cortana sandbox`, which needs no token"
                    .to_owned(),
            }])
        })
    }
}

/// `HTTPS_PROXY`, checked here so that a mistake in it is reported with the others; never shown.
fn proxy(reader: &mut Reader<'_>) -> Option<Secret> {
    const NAME: &str = "HTTPS_PROXY";
    let proxy = reader.secret(NAME)?;
    let usable = proxy
        .expose()
        .parse::<Url>()
        .is_ok_and(|url| url.has_host() && ["http", "https"].contains(&url.scheme()));
    if !usable {
        reader.secret_mistake(NAME, "expected an address such as http://proxy.example:3128");
        return None;
    }
    Some(proxy)
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
