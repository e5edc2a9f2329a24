//! Keeping a login that was made just now: over the same account's credential, else in a file of its own.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use super::{
    super::{
        Credential, CredentialId, Login, OAuthLogin, Place, Renewal, StoreError,
        dialect::{self, simple},
        document::Document,
    },
    LockNotes, Saved, SourceSpec, Store, identity, source,
};
use crate::{
    fs,
    provider::{OAuthClient, Provider, ProviderId},
};

/// Digits of a hash in a file's name, as an import's.
const NAME_DIGITS: usize = 8;
/// How many names are tried before the folder is called full of them.
const NAMES: usize = 20;
/// How long a flight of the running bot is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(20);

/// A login that was made just now.
#[derive(Debug, Clone)]
pub struct FreshLogin {
    /// Whose.
    pub provider: ProviderId,
    /// Its tokens and what is known of the account. Its `client` is the one that asked for them.
    pub login: OAuthLogin,
    /// The scopes that were granted.
    pub scopes: Vec<String>,
}

/// Where a fresh login went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The credential, by its place.
    pub credential: Credential,
    /// Its file.
    pub path: PathBuf,
    /// Whether it took the place of the account's earlier login.
    pub how: KeptAs,
}

/// How a fresh login was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptAs {
    /// In a file of its own.
    New,
    /// In the place of the same account's earlier login.
    Replaced,
    /// In a file of its own, though the account has another: why that one was left as it is.
    Beside(String),
}

/// Why a fresh login could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeepError {
    /// The folder takes no file.
    #[error("the credentials folder takes no file ({problem}); make it writable for this user")]
    NotWritable {
        /// The operating system's word for it.
        problem: String,
    },
    /// Its tokens look like another provider's, whose they would be taken for.
    #[error(
        "its tokens look like a login of {taken_for}, so that a file in the folder would be taken for one; nothing was kept"
    )]
    TakenFor {
        /// Whose it would be.
        taken_for: ProviderId,
    },
}

impl Store {
    /// Proves that a new file finds a place, before a person is asked to consent (P13).
    ///
    /// # Errors
    /// When the folder can neither be made nor written.
    pub fn prove_folder(&self, credentials_dir: &Path) -> Result<(), KeepError> {
        let probe = source::probe(&credentials_dir.join("login.json"));
        let proven =
            self.disk.create_folder(credentials_dir).and_then(|()| self.disk.prove_writable(&probe, 4096));
        proven.map_err(|error| not_writable(&error))
    }

    /// Keeps a fresh login. Where one of `sources` is the same account's, it takes that one's place, under its lock (P12);
    /// else it gets a file in `credentials_dir`, called after its provider and `name`, or eight digits.
    ///
    /// # Errors
    /// When no file can be made.
    pub fn keep(
        &self,
        fresh: &FreshLogin,
        sources: &[SourceSpec],
        credentials_dir: &Path,
        name: Option<&str>,
    ) -> Result<Kept, KeepError> {
        let mut how = KeptAs::New;
        for known in self.of_same_account(fresh, sources) {
            match self.replace(&known, fresh) {
                Ok(kept) => return Ok(kept),
                Err(reason) => {
                    how = KeptAs::Beside(format!("{} was left as it is: {reason}", known.place.label()));
                }
            }
        }
        let path = self.create(fresh, credentials_dir, name)?;
        let misread = |taken_for: ProviderId| {
            // Created by us a moment ago.
            drop(self.disk.remove(&path));
            KeepError::TakenFor { taken_for }
        };
        match self.inspect(&path, None).map(|found| found.into_iter().next()) {
            Ok(Some(credential)) if credential.provider == fresh.provider => {
                Ok(Kept { credential, path, how })
            }
            Ok(Some(credential)) => Err(misread(credential.provider)),
            Ok(None) => Err(misread(fresh.provider.clone())),
            Err(rejected) => Err(misread(rejected.provider.unwrap_or_else(|| fresh.provider.clone()))),
        }
    }

    fn of_same_account(&self, fresh: &FreshLogin, sources: &[SourceSpec]) -> Vec<Credential> {
        // Only an address is one person's: two may have the same name, and neither is to lose a login to the other.
        let address = fresh.login.facts.account.as_deref().filter(|account| account.contains('@'));
        let Some(account) = address.map(str::to_lowercase) else {
            return Vec::new();
        };
        let same = |known: &Credential| match &known.login {
            Login::OAuth(login) => {
                known.provider == fresh.provider
                    && login.renewal == Renewal::RefreshToken
                    && login.facts.account.as_deref().map(str::to_lowercase).as_ref() == Some(&account)
            }
            Login::ApiKey(_) => false,
        };
        self.load(sources).credentials.into_iter().filter(same).collect()
    }

    /// Puts a fresh login in the place of an earlier one; else says why not, and nothing was changed.
    fn replace(&self, known: &Credential, fresh: &FreshLogin) -> Result<Kept, String> {
        let Place::File { path, .. } = &known.place else {
            return Err("it stands in a variable".to_owned());
        };
        let told = |error: StoreError| error.to_string();
        let mut guard = self.lock(known, LOCK_WAIT).map_err(told)?;
        let standing = guard.read().map_err(told)?;
        let client = |login: &OAuthLogin| login.client.as_ref().map(|client| client.id.clone());
        if standing.client.is_some() && client(&standing) != client(&fresh.login) {
            return Err("it names another client, with which the new tokens do not work".to_owned());
        }
        // Nothing is spent by writing: the file's other users find the new login there.
        if guard.prove_writable(true).map_err(told)? != Saved::InPlace {
            return Err("it cannot be written".to_owned());
        }
        let mut login = OAuthLogin { client: standing.client.clone(), ..fresh.login.clone() };
        login.tokens.refresh = login.tokens.refresh.or(standing.tokens.refresh);
        login.token_endpoint.clone_from(&standing.token_endpoint);
        match guard.save(&login).map_err(told)? {
            Saved::InPlace | Saved::Unchanged => {}
            Saved::InState => return Err("it cannot be written".to_owned()),
            Saved::Superseded => return Err("another program is writing it".to_owned()),
        }
        // What was refused is not this token; who waits after a failure need not any more.
        let notes = LockNotes { succeeded_at: Some(self.options.clock.now()), ..LockNotes::default() };
        if let Err(error) = guard.set_notes(&notes) {
            tracing::warn!(problem = %error, "The notes beside a login could not be cleared");
        }
        let credential = Credential { login: Login::OAuth(Box::new(login)), ..known.clone() };
        Ok(Kept { credential, path: path.clone(), how: KeptAs::Replaced })
    }

    /// Makes the file: exclusively, 0600 and durable (P12, P18).
    fn create(&self, fresh: &FreshLogin, folder: &Path, name: Option<&str>) -> Result<PathBuf, KeepError> {
        let row = self.options.providers.get(&fresh.provider);
        let row = row.ok_or_else(|| KeepError::NotWritable { problem: "no such provider".to_owned() })?;
        let text = self.written(fresh, row);
        self.disk.create_folder(folder).map_err(|error| not_writable(&error))?;
        let id = match &fresh.login.facts.account {
            Some(account) => identity::of_account(&row.id, account),
            None => identity::of_tokens(&row.id, &fresh.login),
        };
        let stem = format!("{}-{}", row.id, name.map_or_else(|| digits(&id), str::to_owned));
        for number in 1..=NAMES {
            let number = if number == 1 { String::new() } else { format!("-{number}") };
            let path = folder.join(format!("{stem}{number}.json"));
            match self.disk.create_exclusive(&path, text.as_bytes()) {
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(not_writable(&error)),
            }
        }
        Err(KeepError::NotWritable { problem: format!("{NAMES} files are called {stem} already") })
    }

    /// The simple form, with the client that the tokens work with.
    fn written(&self, fresh: &FreshLogin, row: &Provider) -> zeroize::Zeroizing<String> {
        let mut object = json!({ "token_type": "Bearer", "expires_at": null });
        if let Some(OAuthClient { id, .. }) = &fresh.login.client {
            object["client_id"] = json!(id);
        }
        if !fresh.scopes.is_empty() {
            object["scope"] = json!(fresh.scopes.join(" "));
        }
        let mut document = Document::parse(object.to_string()).expect("written a few lines above");
        dialect::apply(&mut document, &simple::LAYOUT, 0, &fresh.login, row, self.options.clock.now());
        zeroize::Zeroizing::new(document.text().to_owned())
    }
}

fn digits(id: &CredentialId) -> String {
    id.as_str().chars().take(NAME_DIGITS).collect()
}

fn not_writable(error: &io::Error) -> KeepError {
    KeepError::NotWritable { problem: fs::problem(error) }
}
