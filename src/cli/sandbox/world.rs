//! The bot's world in the sandbox: minted logins in real files, and settings from memory alone.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tempfile::TempDir;

use crate::{
    cli::failure::Failure,
    clock::{Clock, SystemClock},
    config::{self, MapSource, Settings},
    fs::{Disk, file_name},
    http::Reach,
    sandbox::{
        Endpoints, Sandbox,
        scenario::{Arrival, Credential, CredentialKind, Notation},
        vendor::{MintedLogin, Vendors},
    },
};

/// What the sandbox's operator has where no scenario says otherwise: provider, account, file, notation.
const LOGINS: &[(&str, &str, &str, Notation)] = &[
    ("gemini_cli", "ada@example.com", "gemini-ada.json", Notation::Official),
    ("gemini_cli", "grace@example.com", "gemini-grace.json", Notation::Simple),
    ("qwen_code", "joan@example.com", "qwen-joan.json", Notation::Official),
    ("iflow", "hedy@example.com", "iflow-hedy.json", Notation::Official),
];

/// The credentials of a sandbox where no scenario says otherwise.
pub(super) fn usual() -> Vec<Credential> {
    let login = |(provider, account, file, notation): &(&str, &str, &str, Notation)| Credential {
        name: (*account).to_owned(),
        provider: (*provider).to_owned(),
        account: (*account).to_owned(),
        kind: CredentialKind::Login {
            file: (*file).to_owned(),
            notation: *notation,
            left: None,
            arrives: Arrival::Start,
        },
    };
    let key = Credential {
        name: "openai/key-1".to_owned(),
        provider: "openai".to_owned(),
        account: "key-1".to_owned(),
        kind: CredentialKind::Key,
    };
    LOGINS.iter().map(login).chain([key]).collect()
}

/// Temporary folders, gone with this value, and what the bot is told.
#[derive(Debug)]
pub(super) struct World {
    folder: TempDir,
    source: MapSource,
    accounts: BTreeMap<String, String>,
}

impl World {
    /// Mints the credentials, writes the files that are there from the start, and gathers the variables of the bot.
    pub(super) fn new(
        sandbox: &Sandbox,
        credentials: &[Credential],
        settings: &BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().context("no temporary folder can be made")?;
        Disk::default()
            .create_folder(&folder.path().join("credentials"))
            .context("the temporary folder cannot be written")?;
        let source = variables(&sandbox.endpoints(), folder.path());
        let mut world = Self { folder, source, accounts: BTreeMap::new() };
        let mut keys: BTreeMap<&str, usize> = BTreeMap::new();
        for credential in credentials {
            let provider = credential.provider.as_str();
            match &credential.kind {
                CredentialKind::Key => {
                    let number = keys.entry(provider).and_modify(|number| *number += 1).or_insert(0);
                    let suffix = if *number == 0 { String::new() } else { format!("_{number}") };
                    let name = format!("{}_API_KEY{suffix}", provider.to_ascii_uppercase());
                    world.source.set(&name, sandbox.vendors().mint_key(provider));
                    world.accounts.insert(name, credential.account.clone());
                }
                CredentialKind::Login { file, arrives, .. } => {
                    world.accounts.insert(file.clone(), credential.account.clone());
                    world.know_client(provider);
                    match arrives {
                        Arrival::Start => world.add(sandbox, credential)?,
                        Arrival::Later => {}
                    }
                }
            }
        }
        for (name, value) in settings {
            world.source.set(name, value);
        }
        Ok(world)
    }

    /// Puts a login's file into the credentials folder. A key has none.
    pub(super) fn add(&self, sandbox: &Sandbox, credential: &Credential) -> Result<(), Failure> {
        let Some((path, text)) = self.minted(sandbox, credential) else { return Ok(()) };
        Disk::default()
            .create_exclusive(&path, text.as_bytes())
            .with_context(|| format!("{} cannot be written", file_name(&path)))?;
        Ok(())
    }

    /// Somebody else logs in anew with this account, which ends the login before, and writes the file.
    pub(super) fn rotate(&self, sandbox: &Sandbox, credential: &Credential) -> Result<(), Failure> {
        sandbox.vendors().expire_access(&credential.provider, &credential.account);
        sandbox.vendors().revoke_refresh(&credential.provider, &credential.account);
        let fresh = Credential {
            kind: match credential.kind.clone() {
                CredentialKind::Login { file, notation, arrives, .. } => {
                    CredentialKind::Login { file, notation, left: None, arrives }
                }
                CredentialKind::Key => CredentialKind::Key,
            },
            ..credential.clone()
        };
        let Some((path, text)) = self.minted(sandbox, &fresh) else { return Ok(()) };
        // Outside the folder that is watched: another program's temporary file is nobody's credential.
        let temporary = self.folder.path().join("rotated.tmp");
        Disk::default()
            .replace(&path, &temporary, text.as_bytes())
            .map_err(std::io::Error::from)
            .with_context(|| format!("{} cannot be written", file_name(&path)))?;
        Ok(())
    }

    /// Takes a login's file away.
    pub(super) fn remove(&self, credential: &Credential) -> Result<(), Failure> {
        let CredentialKind::Login { file, .. } = &credential.kind else { return Ok(()) };
        Disk::default().remove(&self.path(file)).with_context(|| format!("{file} cannot be removed"))?;
        Ok(())
    }

    /// A live login of the account as a file of its notation.
    fn minted(&self, sandbox: &Sandbox, credential: &Credential) -> Option<(PathBuf, String)> {
        let CredentialKind::Login { file, notation, left, .. } = &credential.kind else { return None };
        let vendors = sandbox.vendors();
        let mut login = vendors.mint(&credential.provider, &credential.account);
        if let Some(left) = left {
            login.expires_at = SystemClock.now() + *left;
            if left.num_seconds() <= 0 {
                vendors.expire_access(&credential.provider, &credential.account);
            }
        }
        Some((self.path(file), written(&login, *notation)))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("credentials").join(file)
    }

    /// The client that the provider's logins are minted for.
    fn know_client(&mut self, provider: &str) {
        let prefix = provider.to_ascii_uppercase();
        if let Some((id, secret)) = Vendors::client(provider) {
            self.source.set(format!("{prefix}_CLIENT_ID"), id);
            if let Some(secret) = secret {
                self.source.set(format!("{prefix}_CLIENT_SECRET"), secret);
            }
        }
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
