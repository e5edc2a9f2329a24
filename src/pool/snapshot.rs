//! The pool as it can be shown: states, reasons, expiry, counts. Never a secret.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{credential::CredentialId, oauth::Allowance, provider::ProviderId};

/// The state of a credential: one table for code, status, metrics and documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// May be leased.
    Ready,
    /// Inside the early window, still served.
    Early,
    /// A refresh is under way.
    Refreshing,
    /// Past expiry, the refresh is failing for now.
    Expired,
    /// Resting until an instant.
    Cooling,
    /// The refresh token was refused or is missing.
    NeedsLogin,
    /// The token is fine, the service says no.
    Refused,
    /// By an operator, or terms not accepted.
    Disabled,
    /// Unreadable, unknown kind, foreign endpoint.
    Unusable,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Ready,
        Self::Early,
        Self::Refreshing,
        Self::Expired,
        Self::Cooling,
        Self::NeedsLogin,
        Self::Refused,
        Self::Disabled,
        Self::Unusable,
    ];

    /// As shown to people: a sign and a word.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ready => "✅ Valid",
            Self::Early => "⚠️ Expiring",
            Self::Refreshing => "🔄 Refreshing",
            Self::Expired => "❌ EXPIRED",
            Self::Cooling => "⏸️ Cooling down",
            Self::NeedsLogin => "🔑 Needs login",
            Self::Refused => "🚫 Refused by the service",
            Self::Disabled => "⛔ Disabled",
            Self::Unusable => "📄 Unusable",
        }
    }

    /// Its name in JSON, metrics and documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Early => "early",
            Self::Refreshing => "refreshing",
            Self::Expired => "expired",
            Self::Cooling => "cooling",
            Self::NeedsLogin => "needs_login",
            Self::Refused => "refused",
            Self::Disabled => "disabled",
            Self::Unusable => "unusable",
        }
    }

    /// Whether a credential in this state may be leased.
    pub fn is_usable(self) -> bool {
        match self {
            Self::Ready | Self::Early | Self::Refreshing => true,
            Self::Expired
            | Self::Cooling
            | Self::NeedsLogin
            | Self::Refused
            | Self::Disabled
            | Self::Unusable => false,
        }
    }
}

/// All credentials, at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// When it was taken.
    pub taken_at: DateTime<Utc>,
    /// In the order of `PROVIDER_ORDER`, then of loading. Unusable sources are among them.
    pub credentials: Vec<CredentialView>,
}

/// One credential, as it can be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialView {
    /// Its id; for unusable sources a hash of their label.
    pub id: CredentialId,
    /// Whose it is; `None` for a file of an unknown kind.
    pub provider: Option<ProviderId>,
    /// Masked account.
    pub account: String,
    /// The dialect's name.
    pub dialect: &'static str,
    /// Short name of the file or variable.
    pub place: String,
    /// Its state.
    pub state: State,
    /// Why it is in this state, and what to do, in one sentence. `None` when ready and nothing threatens that.
    pub reason: Option<String>,
    /// The last write failed.
    pub unsaved: bool,
    /// When the access token expires; `None`: no expiry (API keys) or unknown.
    pub expires_at: Option<DateTime<Utc>>,
    /// Until when it rests as a whole.
    pub cooling_until: Option<DateTime<Utc>>,
    /// Models that rest on it.
    pub cooling_models: Vec<CoolingModel>,
    /// The last refresh.
    pub last_refresh: Option<LastRefresh>,
    /// Token requests, of every process that shares the state store.
    pub refresh_attempts: u32,
    /// When it was last leased.
    pub last_used_at: Option<DateTime<Utc>>,
    /// How often it was leased, by every process that shares the state store.
    pub requests: u64,
    /// How many of those spoke against it.
    pub failures: u64,
    /// Since when these are counted; `None`: since the start.
    pub counted_since: Option<DateTime<Utc>>,
    /// Leases out now.
    pub in_flight: u32,
    /// Who holds its lock, when a refresh waits for it.
    pub lock_holder: Option<String>,
    /// What was left of its quotas when the provider was last asked; `None`: it was not, or too long ago to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
}

impl CredentialView {
    /// A credential that only its label is known of: no account, no counts, nothing that rests.
    pub fn unknown(id: CredentialId, label: &str, state: State) -> Self {
        Self {
            id,
            provider: None,
            account: label.to_owned(),
            dialect: "unknown",
            place: label.to_owned(),
            state,
            reason: None,
            unsaved: false,
            expires_at: None,
            cooling_until: None,
            cooling_models: Vec::new(),
            last_refresh: None,
            refresh_attempts: 0,
            last_used_at: None,
            requests: 0,
            failures: 0,
            counted_since: None,
            in_flight: 0,
            lock_holder: None,
            quota: None,
        }
    }
}

/// What is left of a credential's quotas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quota {
    /// As of when.
    pub read_at: DateTime<Utc>,
    /// One for each model, or group of models and span of time.
    pub allowances: Vec<Allowance>,
}

impl Quota {
    /// The one that ends first.
    pub fn scarcest(&self) -> Option<&Allowance> {
        self.allowances.iter().min_by_key(|allowance| allowance.remaining_permille)
    }
}

/// A model that rests on a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CoolingModel {
    /// The model.
    pub model: String,
    /// Until when.
    pub until: DateTime<Utc>,
    /// The reason code.
    pub reason: String,
}

/// How the last refresh ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastRefresh {
    /// When it ended.
    pub at: DateTime<Utc>,
    /// `None`: it succeeded; otherwise why not, in words.
    pub failure: Option<String>,
}
