//! Accounts, live tokens and keys, and what is queued for whom.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    fault::{Act, Fault, Kind},
    record::Counts,
    reply::{Reply, unscripted},
    rows::{Chat, ROWS, Row},
};

/// How an account stands with Code Assist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It has a tier and a project, named as a string.
    Licensed {
        /// The project.
        project: String,
    },
    /// The same, the project as `{"id": …}`.
    LicensedAsObject {
        /// The project.
        project: String,
    },
    /// It has a tier and no project of its own: the client's is used.
    BringsProject,
    /// It is onboarded to this tier and gets this project.
    Onboards {
        /// `free-tier`, `legacy-tier`, `standard-tier`.
        tier: String,
        /// The project it will have.
        project: String,
        /// How often the operation says "not done".
        looks: u32,
    },
    /// Its onboarding is never done.
    NeverDone,
    /// Its onboarding answers neither an operation nor a project (seen with accounts that are not eligible).
    NoOperation {
        /// Whether and why it is not eligible.
        reason: Option<String>,
    },
    /// It gets no tier.
    Ineligible {
        /// `UNSUPPORTED_CLIENT`, `VALIDATION_REQUIRED`, …
        reason: String,
        /// Where a person can do something about it.
        link: Option<String>,
    },
    /// VPC service controls hide it.
    ServiceControls,
}

/// An account.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) standing: Standing,
    /// The project of its chats, once it has one.
    pub(super) project: Option<String>,
    /// How often its onboarding was looked at.
    pub(super) looks: u32,
    /// iFlow: the key of its chats.
    pub(super) api_key: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct AccessToken {
    pub(super) account: String,
    pub(super) expires_at: DateTime<Utc>,
}

#[derive(Debug, Clone)]
pub(super) struct RefreshToken {
    pub(super) account: String,
    /// The client it was given to: another's request is refused.
    pub(super) client_id: String,
    pub(super) life: Life,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Live,
    /// It had its one use.
    Spent,
    Revoked,
}

/// One provider's side.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) row: &'static Row,
    pub(super) accounts: BTreeMap<String, Account>,
    pub(super) access: HashMap<String, AccessToken>,
    pub(super) refresh: HashMap<String, RefreshToken>,
    /// API keys and whose they are.
    pub(super) keys: HashMap<String, String>,
    /// Clients and their secrets.
    pub(super) clients: HashMap<String, Option<String>>,
    /// What `expires_in` says.
    pub(super) token_life: Duration,
    /// A pause before every answer.
    pub(super) latency: Duration,
    /// The pause before each piece of a stream.
    pub(super) pace: Duration,
    pub(super) replies: VecDeque<Reply>,
    pub(super) faults: Vec<Fault>,
    pub(super) counts: Counts,
}

impl Provider {
    pub(super) fn all() -> BTreeMap<&'static str, Self> {
        ROWS.iter().map(|row| (row.id, Self::new(row))).collect()
    }

    fn new(row: &'static Row) -> Self {
        let mut clients = HashMap::new();
        if let Some(tokens) = row.tokens {
            clients.insert(tokens.client_id.to_owned(), tokens.client_secret.map(str::to_owned));
        }
        Self {
            row,
            accounts: BTreeMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            keys: HashMap::new(),
            clients,
            token_life: Duration::from_secs(3599),
            latency: Duration::ZERO,
            pace: Duration::from_millis(15),
            replies: VecDeque::new(),
            faults: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// The account, made when it is new.
    pub(super) fn account(&mut self, name: &str) -> &mut Account {
        let number = self.accounts.len() + 1;
        let is_iflow = self.row.chat == Chat::Iflow;
        if !self.accounts.contains_key(name) && is_iflow {
            let key = format!("sk-FAKE-{}", Uuid::new_v4().simple());
            self.keys.insert(key.clone(), name.to_owned());
            let account = Account { api_key: Some(key), ..Account::new(number) };
            self.accounts.insert(name.to_owned(), account);
        }
        self.accounts.entry(name.to_owned()).or_insert_with(|| Account::new(number))
    }

    /// A live access token for an account, and when it expires.
    pub(super) fn issue_access(&mut self, account: &str, now: DateTime<Utc>) -> (String, DateTime<Utc>) {
        let prefix = self.row.tokens.map_or("FAKE-", |tokens| tokens.prefix);
        let token = format!("{prefix}{}", Uuid::new_v4().simple());
        let life = TimeDelta::from_std(self.token_life).unwrap_or(TimeDelta::days(3650));
        let expires_at = now + life;
        self.access.insert(token.clone(), AccessToken { account: account.to_owned(), expires_at });
        (token, expires_at)
    }

    /// A live refresh token for an account and a client.
    pub(super) fn issue_refresh(&mut self, account: &str, client_id: &str) -> String {
        let prefix = match self.row.chat {
            Chat::GeminiCli | Chat::Antigravity => "1//FAKE-",
            Chat::OpenAi | Chat::OpenRouter | Chat::DashScope | Chat::Qwen | Chat::Iflow => "FAKE-refresh-",
        };
        let token = format!("{prefix}{}", Uuid::new_v4().simple());
        let entry =
            RefreshToken { account: account.to_owned(), client_id: client_id.to_owned(), life: Life::Live };
        self.refresh.insert(token.clone(), entry);
        token
    }

    /// Whose live bearer this is: an access token, or a key where keys authorise chats.
    pub(super) fn bearer_of_chats(&self, bearer: &str, now: DateTime<Utc>) -> Option<String> {
        match self.row.chat {
            Chat::OpenAi | Chat::OpenRouter | Chat::DashScope | Chat::Iflow => self.keys.get(bearer).cloned(),
            Chat::Qwen | Chat::GeminiCli | Chat::Antigravity => self.live_access(bearer, now),
        }
    }

    /// Whose live access token this is.
    pub(super) fn live_access(&self, token: &str, now: DateTime<Utc>) -> Option<String> {
        self.access.get(token).filter(|token| token.expires_at > now).map(|token| token.account.clone())
    }

    /// Whose it is or was, for the record.
    pub(super) fn owner(&self, secret: &str) -> Option<String> {
        self.access
            .get(secret)
            .map(|token| &token.account)
            .or_else(|| self.refresh.get(secret).map(|token| &token.account))
            .or_else(|| self.keys.get(secret))
            .cloned()
    }

    /// The fault for a request, counted down.
    pub(super) fn take_fault(&mut self, kind: Kind, account: Option<&str>) -> Option<Act> {
        let place = self.faults.iter().position(|fault| {
            fault.at == kind && fault.account.as_deref().is_none_or(|wanted| Some(wanted) == account)
        })?;
        let fault = self.faults.get_mut(place)?;
        let act = fault.act.clone();
        if let Some(times) = &mut fault.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.faults.remove(place);
            }
        }
        Some(act)
    }

    /// The next scripted reply, or an unscripted one.
    pub(super) fn next_reply(&mut self, model: &str, question: &str, turn: usize) -> Reply {
        self.replies.pop_front().unwrap_or_else(|| unscripted(self.row.name, model, question, turn))
    }

    /// The pause before each piece of a reply.
    pub(super) fn pace_of(&self, reply: &Reply) -> Duration {
        reply.pace_millis.map_or(self.pace, Duration::from_millis)
    }

    /// Counts a request.
    pub(super) fn count(&mut self, kind: Kind, account: Option<&str>) {
        let counts = &mut self.counts;
        match kind {
            Kind::Token => counts.token_requests += 1,
            Kind::UserInfo => counts.user_infos += 1,
            Kind::Setup => counts.setups += 1,
            Kind::Chat => counts.chats += 1,
            Kind::Other => {}
        }
        if let Some(account) = account {
            let own = counts.accounts.entry(account.to_owned()).or_default();
            match kind {
                Kind::Token => own.token_requests += 1,
                Kind::Chat => own.chats += 1,
                Kind::UserInfo | Kind::Setup | Kind::Other => {}
            }
        }
    }
}

impl Account {
    fn new(number: usize) -> Self {
        let project = format!("fake-project-{number}");
        Self {
            standing: Standing::Licensed { project: project.clone() },
            project: Some(project),
            looks: 0,
            api_key: None,
        }
    }
}
