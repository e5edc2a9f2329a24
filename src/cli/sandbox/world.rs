//! The bot's world in the sandbox: minted logins in real files, and settings from memory alone.

use std::{collections::BTreeMap, path::Path};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::{
    cli::failure::Failure,
    config::{self, MapSource, Settings},
    fs::Disk,
    http::Reach,
    sandbox::{Endpoints, Sandbox, vendor::MintedLogin},
};

/// The logins that the sandbox's operator has: provider, account, file, notation.
const LOGINS: &[(&str, &str, &str, Notation)] = &[
    ("gemini_cli", "ada@example.com", "gemini-ada.json", Notation::Official),
    ("gemini_cli", "grace@example.com", "gemini-grace.json", Notation::Simple),
    ("qwen_code", "joan@example.com", "qwen-joan.json", Notation::Official),
    ("iflow", "hedy@example.com", "iflow-hedy.json", Notation::Official),
];

/// How a login's file is written.
#[derive(Debug, Clone, Copy)]
enum Notation {
    /// As the provider's own tool writes it.
    Official,
    /// The simple form.
    Simple,
}

/// Temporary folders, gone with this value, and what the bot is told.
#[derive(Debug)]
pub(super) struct World {
    // Held for its drop.
    _folder: TempDir,
    source: MapSource,
    accounts: BTreeMap<String, String>,
}

impl World {
    /// Mints logins, writes their files, and gathers the variables of the bot's settings.
    pub(super) fn new(sandbox: &Sandbox) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        let credentials = folder.path().join("credentials");
        let disk = Disk::default();
        disk.create_folder(&credentials).context("the temporary folder cannot be written")?;
        let mut source = variables(&sandbox.endpoints(), folder.path());
        for (provider, account, file, notation) in LOGINS {
            let login = sandbox.vendors().mint(provider, account);
            disk.create_exclusive(&credentials.join(file), written(&login, *notation).as_bytes())
                .with_context(|| format!("{file} cannot be written into the temporary folder"))?;
            client(&mut source, &login);
        }
        source.set("OPENAI_API_KEY", sandbox.vendors().mint_key("openai"));
        let files = LOGINS.iter().map(|(_, account, file, _)| ((*file).to_owned(), (*account).to_owned()));
        let accounts = files.chain([("OPENAI_API_KEY".to_owned(), "key-1".to_owned())]).collect();
        Ok(Self { _folder: folder, source, accounts })
    }

    /// Whose account each file or variable is, in the emulators' words.
    pub(super) fn accounts(&self) -> &BTreeMap<String, String> {
        &self.accounts
    }

    /// The settings of the bot: of this world, and with clients that reach nothing but loopback.
    pub(super) fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = config::load(&self.source)?;
        settings.http.reach = Reach::LoopbackOnly;
        Ok(settings)
    }
}

fn written(login: &MintedLogin, notation: Notation) -> String {
    match notation {
        Notation::Official => login.official_file().to_string(),
        Notation::Simple => login.simple_file().to_string(),
    }
}

fn variables(endpoints: &Endpoints, folder: &Path) -> MapSource {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let mut source = MapSource::new()
        .with("DISCORD_TOKEN", &endpoints.bot_token)
        .with("DISCORD_API_BASE", &endpoints.discord_api_base)
        .with("ALLOW_DMS", "everyone")
        .with("ALLOWED_GUILD_IDS", "*")
        .with("CREDENTIALS_DIR", path("credentials"))
        .with("STATE_DIR", path("state"))
        .with("ADMIN_ADDR", "127.0.0.1:0")
        // The emulated Google has no terms; the gate itself is shown in the tests.
        .with("ACCEPT_PROVIDER_TERMS", "gemini_cli,antigravity");
    for (provider, addresses) in &endpoints.providers {
        let prefix = provider.to_ascii_uppercase();
        source.set(format!("{prefix}_API_BASE"), &addresses.api_base);
        if let Some(endpoint) = &addresses.token_endpoint {
            source.set(format!("{prefix}_TOKEN_ENDPOINT"), endpoint);
        }
    }
    source
}

/// The client that a login was minted for.
fn client(source: &mut MapSource, login: &MintedLogin) {
    let prefix = login.provider.to_ascii_uppercase();
    source.set(format!("{prefix}_CLIENT_ID"), &login.client_id);
    if let Some(secret) = &login.client_secret {
        source.set(format!("{prefix}_CLIENT_SECRET"), secret);
    }
}
