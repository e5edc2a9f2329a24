//! Accounts, live tokens and keys, and what is queued for whom.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    authorize::{Browser, Code},
    device::DeviceLogin,
    fault::{Act, Fault, Kind},
    pictures::Picture,
    record::Counts,
    reply::{Reply, unscripted},
    rows::{Chat, ROWS, Reuse, Row},
    tools::Tooling,
};

/// Who sits at the browser when no test says otherwise.
const SOMEBODY: &str = "a@example.com";

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
    /// Google: the part of its quota that is left, from 0 to 1.
    pub(super) remaining: f64,
}

#[derive(Debug, Clone)]
pub(super) struct AccessToken {
    pub(super) account: String,
    pub(super) expires_at: DateTime<Utc>,
    /// The login it belongs to.
    login: u64,
}

#[derive(Debug, Clone)]
pub(super) struct RefreshToken {
    pub(super) account: String,
    /// The client it was given to: another's request is refused.
    pub(super) client_id: String,
    pub(super) life: Life,
    /// The login it belongs to.
    pub(super) login: u64,
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
    /// Who sits at the browser.
    pub(super) browser: Browser,
    /// Which account has consented to which client.
    pub(super) consents: HashSet<(String, String)>,
    /// Codes of logins in a browser.
    pub(super) codes: HashMap<String, Code>,
    /// Logins on other devices, by device code.
    pub(super) devices: HashMap<String, DeviceLogin>,
    /// What a second use of a single-use refresh token means.
    pub(super) reuse: Reuse,
    /// Whether token replies come inside `{"success", "data"}`, as iFlow's sometimes do.
    pub(super) wraps_tokens: bool,
    /// Logins so far.
    logins: u64,
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
            browser: Browser::Consents(SOMEBODY.to_owned()),
            consents: HashSet::new(),
            codes: HashMap::new(),
            devices: HashMap::new(),
            reuse: row.tokens.map_or(Reuse::Refuses, |tokens| tokens.reuse),
            wraps_tokens: false,
            logins: 0,
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

    /// The number of another login.
    pub(super) fn new_login(&mut self) -> u64 {
        self.logins += 1;
        self.logins
    }

    /// A live access token of a login, and when it expires.
    pub(super) fn issue_access(
        &mut self,
        account: &str,
        login: u64,
        now: DateTime<Utc>,
    ) -> (String, DateTime<Utc>) {
        let prefix = self.row.tokens.map_or("FAKE-", |tokens| tokens.prefix);
        let token = format!("{prefix}{}", Uuid::new_v4().simple());
        let life = TimeDelta::from_std(self.token_life).unwrap_or(TimeDelta::days(3650));
        let expires_at = now + life;
        self.access.insert(token.clone(), AccessToken { account: account.to_owned(), expires_at, login });
        (token, expires_at)
    }

    /// A live refresh token of a login and a client.
    pub(super) fn issue_refresh(&mut self, account: &str, login: u64, client_id: &str) -> String {
        let prefix = self.row.tokens.map_or("FAKE-refresh-", |tokens| tokens.refresh_prefix);
        let token = format!("{prefix}{}", Uuid::new_v4().simple());
        let entry = RefreshToken {
            account: account.to_owned(),
            client_id: client_id.to_owned(),
            life: Life::Live,
            login,
        };
        self.refresh.insert(token.clone(), entry);
        token
    }

    /// The login that a token belongs to, and whose it is, dead ones included.
    pub(super) fn login_of(&self, token: &str) -> Option<(u64, String)> {
        let refresh = self.refresh.get(token).map(|token| (token.login, token.account.clone()));
        refresh.or_else(|| self.access.get(token).map(|token| (token.login, token.account.clone())))
    }

    /// Ends everything that was ever given to a login.
    pub(super) fn revoke_login(&mut self, login: u64) {
        self.access.retain(|_, token| token.login != login);
        for token in self.refresh.values_mut().filter(|token| token.login == login) {
            token.life = Life::Revoked;
        }
    }

    /// Whose live bearer this is: a key, or an access token, which chats with iFlow do not take.
    pub(super) fn bearer_of_chats(&self, bearer: &str, now: DateTime<Utc>) -> Option<String> {
        let access = || if self.row.chat == Chat::Iflow { None } else { self.live_access(bearer, now) };
        self.keys.get(bearer).cloned().or_else(access)
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
            .or_else(|| self.codes.get(secret).map(|code| &code.account))
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
    pub(super) fn next_reply(
        &mut self,
        model: &str,
        question: &str,
        turn: usize,
        shown: (&[Picture], &Tooling),
    ) -> Reply {
        let own = || unscripted(self.row.name, model, question, turn, shown);
        self.replies.pop_front().unwrap_or_else(own)
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
            Kind::Revoke | Kind::Authorize | Kind::Device | Kind::Models | Kind::Other => {}
        }
        if let Some(account) = account {
            let own = counts.accounts.entry(account.to_owned()).or_default();
            match kind {
                Kind::Token => own.token_requests += 1,
                Kind::Chat => own.chats += 1,
                Kind::Revoke
                | Kind::UserInfo
                | Kind::Setup
                | Kind::Authorize
                | Kind::Device
                | Kind::Models
                | Kind::Other => {}
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
            remaining: 1.0,
        }
    }
}
