//! One account: its tokens, when they expire, in which notation they were found, and where they rest.

mod dialect;
mod document;
mod error;
mod expiry;
mod fingerprint;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod store;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use url::Url;

pub(crate) use dialect::email_claim;
pub use error::StoreError;
pub use fingerprint::Fingerprint;
pub use store::{
    FreshLogin, Guard, ImportError, ImportMode, Imported, ImportedAs, Inventory, KeepError, Kept, KeptAs,
    LockNotes, LockedFailure, NotRemovable, OtherClient, Rejected, SameLogin, Saved, SourceSpec, Store,
    StoreOptions,
};

use crate::{
    provider::{OAuthClient, ProviderId},
    secret::{Secret, mask_account},
};

/// A short hash of provider and identity, or of the first refresh token. Holds no text from the file; stable across
/// restarts and refreshes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct CredentialId(Arc<str>);

impl CredentialId {
    /// An id from its text, as an operator or a button gives it back.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The notation of a credential file (docs/credentials has a page for each).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `{"access_token","refresh_token","token_type","expires_at"}`.
    Simple,
    /// The file that the provider's own command-line tool writes (Gemini CLI, Qwen Code, iFlow; Antigravity's `agy`).
    OfficialCli,
    /// `router-for-me/CLIProxyAPI`.
    CliProxyApi,
    /// `Mirrowel/LLM-API-Key-Proxy`.
    KeyProxy,
    /// `su-kaka/gcli2api`.
    Gcli2Api,
    /// `lbjlaq/Antigravity-Manager`.
    AntigravityManager,
    /// `NoeFabris/opencode-antigravity-auth`: an account list that holds refresh tokens only.
    AntigravityAccounts,
    /// gcloud's `application_default_credentials.json` of type `authorized_user`.
    Gcloud,
    /// The key file of a Google service account.
    ServiceAccount,
    /// A client's own id and secret, from variables or a file of `type` `client_credentials`.
    ClientCredentials,
    /// An API key from a variable.
    ApiKey,
}

impl Dialect {
    /// Its name in logs and status.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::OfficialCli => "official CLI",
            Self::CliProxyApi => "CLIProxyAPI",
            Self::KeyProxy => "LLM-API-Key-Proxy",
            Self::Gcli2Api => "gcli2api",
            Self::AntigravityManager => "Antigravity-Manager",
            Self::AntigravityAccounts => "opencode-antigravity-auth",
            Self::Gcloud => "gcloud",
            Self::ServiceAccount => "service account",
            Self::ClientCredentials => "client credentials",
            Self::ApiKey => "API key",
        }
    }

    /// Whether its file is never written, nor anything put beside it: it has no place for an access token, and other
    /// programs keep it where it is.
    pub(crate) fn is_read_only(self) -> bool {
        match self {
            Self::Gcloud | Self::ServiceAccount | Self::ClientCredentials => true,
            Self::Simple
            | Self::OfficialCli
            | Self::CliProxyApi
            | Self::KeyProxy
            | Self::Gcli2Api
            | Self::AntigravityManager
            | Self::AntigravityAccounts
            | Self::ApiKey => false,
        }
    }
}

/// Where a credential was found, for messages. Never a full path in Discord: use [`Place::label`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// A file, by the path it was found under (which may be a link), and the account's index in it.
    File {
        /// The path it was found under.
        path: PathBuf,
        /// The canonical target: what is locked and rewritten.
        target: PathBuf,
        /// Which account of the file; 0 where there is one.
        index: usize,
    },
    /// A variable's inline JSON.
    Inline {
        /// The variable.
        variable: String,
    },
    /// A variable's API key.
    Key {
        /// The variable.
        variable: String,
    },
}

impl Place {
    /// A short name that gives no folder away: the file's own name, or the variable.
    pub fn label(&self) -> String {
        match self {
            Self::File { path, .. } => path
                .file_name()
                .map_or_else(|| "a file".to_owned(), |name| name.to_string_lossy().into_owned()),
            Self::Inline { variable } | Self::Key { variable } => variable.clone(),
        }
    }
}

/// What a refresh replaces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tokens {
    /// The access token; `None` where the notation has no place for one and none was saved yet.
    pub access: Option<Secret>,
    /// The refresh token, or what stands for it ([`Renewal`]); `None` means that expiry needs a person.
    pub refresh: Option<Secret>,
    /// When the access token expires; `None` is unknown and counts as expired for OAuth logins.
    pub expires_at: Option<DateTime<Utc>>,
    /// The life that the grant gave it (`expires_in`), known after a refresh of ours.
    pub lifetime: Option<Duration>,
}

/// What a provider told us about the account after a grant, kept with the tokens where the notation has a place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The account's e-mail address or name.
    pub account: Option<String>,
    /// Google Cloud project. Historic CLIProxyAPI files hold a comma-separated list: the first is used.
    pub project_id: Option<String>,
    /// Qwen: the chat base, already checked against the row's hosts.
    pub resource_url: Option<Url>,
    /// iFlow: the key that authorises chats.
    pub api_key: Option<Secret>,
}

/// What a new access token is asked for with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Renewal {
    /// The refresh token (RFC 6749, section 6).
    #[default]
    RefreshToken,
    /// The client's own id and secret (RFC 6749, section 4.4). The secret stands in [`Tokens::refresh`]: it is what a
    /// refusal is remembered for, and what tells a new login from an old one.
    ClientCredentials,
    /// An assertion that is signed anew each time (RFC 7523). The private key, PKCS #8 as PEM, stands in
    /// [`Tokens::refresh`], the account's address in [`OAuthLogin::client`].
    ServiceAccount,
}

/// An OAuth login as it stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OAuthLogin {
    /// The tokens.
    pub tokens: Tokens,
    /// What a new access token is asked for with.
    pub renewal: Renewal,
    /// The id of a service account's key, which its service finds it by.
    pub key_id: Option<String>,
    /// A client inside the file: it beats the configured one, since a token works only with its own.
    pub client: Option<OAuthClient>,
    /// A token endpoint inside the file, already checked against the row's hosts.
    pub token_endpoint: Option<Url>,
    /// What is known about the account.
    pub facts: Facts,
}

/// What a credential holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// An OAuth login.
    OAuth(Box<OAuthLogin>),
    /// An API key.
    ApiKey(Secret),
}

/// One account, as loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// Whose it is.
    pub provider: ProviderId,
    /// Its notation.
    pub dialect: Dialect,
    /// Where it rests.
    pub place: Place,
    /// What it holds.
    pub login: Login,
    /// The file's own `disabled`, with its reason.
    pub disabled: Option<String>,
}

impl Credential {
    /// The account's name, masked; the place's label where no name is known.
    pub fn account(&self) -> String {
        match &self.login {
            Login::OAuth(login) => {
                login.facts.account.as_deref().map_or_else(|| self.place.label(), mask_account)
            }
            Login::ApiKey(_) => self.place.label(),
        }
    }
}
