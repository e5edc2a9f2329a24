//! One credential's live state: an explicit state machine. Every function here is a pure function of the state, the
//! event and the instant; nothing waits, and nothing is read or written.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};

use super::{
    LastRefresh, Lent, State,
    cooldown::Rest,
    line::{Counts, SwitchedOff},
    outcome::Faults,
    refresher::{Ended, Errand},
    single_flight,
    table::Seat,
    traits::{ClientKey, Traits, client_key},
    window::Window,
};
use crate::{
    credential::{Credential, Facts, Fingerprint, LockNotes, Login, OAuthLogin, StoreError, Tokens},
    oauth::RefreshError,
    provider::{ChatAuth, Provider},
    secret::Secret,
};

/// How many replaced tokens are remembered, to know an old copy of the file from a new one.
const REMEMBERED: usize = 8;

/// Where new tokens came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A grant of ours.
    Grant,
    /// The file: another process, the vendor's own program, or a person.
    File,
}

/// The service refuses the account, or the token although it is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The reason code.
    pub(super) reason: String,
    /// Who said so.
    pub(super) kind: RefusalKind,
    /// Where the account's owner verifies or appeals: for operators alone.
    pub(super) link: Option<Secret>,
}

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalKind {
    /// A token that looked good, twice (401).
    Token,
    /// The account: licence, region, terms, verification. Never probed.
    Account,
}

/// A refresh, or a step after it, that fails for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Why, in words.
    pub(super) reason: String,
    /// The error, for those who ask meanwhile.
    pub(super) error: RefreshError,
    /// Until when nobody asks again.
    pub(super) until: DateTime<Utc>,
    /// How many in a row.
    pub(super) failures: u32,
}

/// A token that is in memory only (P14).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsaved {
    /// Why, in words.
    pub(super) problem: String,
    /// When it is tried again.
    pub(super) retry_at: DateTime<Utc>,
    /// How many tries failed.
    pub(super) failures: u32,
}

/// A flight under way.
pub(super) type Flight = single_flight::Flight<Errand, Ended>;

/// One credential, alive.
#[derive(Debug)]
pub(super) struct Entry {
    /// The credential with its current login.
    pub(super) credential: Credential,
    /// How often it is lent.
    pub(super) seat: Seat,
    /// Its account, masked.
    pub(super) account: String,
    /// What of its provider's row decides here.
    pub(super) traits: Traits,
    /// Whose client it needs.
    pub(super) client: Option<ClientKey>,
    /// When its token is stale.
    pub(super) window: Window,
    jitter: f64,
    /// What authorises chats, with its fingerprint.
    pub(super) bearer: Option<(Secret, Fingerprint)>,
    /// Kept, since every look of the schedule asks for it.
    refresh_token: Option<Fingerprint>,
    /// The same with everything else that a request needs, made once for all of its leases.
    pub(super) lent: Option<Arc<Lent>>,
    replaced: VecDeque<Fingerprint>,
    /// The tokens that the place held when it was last read or written. Apart from those that were replaced: while nothing
    /// can be saved, any number of refreshes leaves the file as it is.
    at_rest: [Option<Fingerprint>; 2],
    /// Disabled by an operator.
    pub(super) switched_off: Option<SwitchedOff>,
    /// The refresh token that was refused (P4).
    pub(super) refused_login: Option<Fingerprint>,
    /// A bearer that the service rejects while the refresh is failing: as good as expired.
    pub(super) rejected_bearer: Option<Fingerprint>,
    /// The bearer that a refresh after a 401 brought, until it served: a 401 to that one is the second and last (P21).
    pub(super) forced: Option<Fingerprint>,
    /// The service says no.
    pub(super) refusal: Option<Refusal>,
    /// Its client is refused (the code).
    pub(super) client_refused: Option<String>,
    /// The refresh token that belongs to another client than the one it is sent with, and the code that says so.
    pub(super) mismatched: Option<(Fingerprint, String)>,
    /// A foreign host that its file or a reply names.
    pub(super) foreign: Option<String>,
    /// What fails for now.
    pub(super) trouble: Option<Trouble>,
    /// The last write failed.
    pub(super) unsaved: Option<Unsaved>,
    /// The whole credential rests.
    pub(super) rest: Option<Rest>,
    /// Models that rest on it.
    pub(super) models: HashMap<String, Rest>,
    /// Faults in a row.
    pub(super) faults: Faults,
    /// When facts that a provider would not name are asked for again, and how often that failed in a row.
    pub(super) facts_again: Option<(DateTime<Utc>, u32)>,
    /// A flight under way.
    pub(super) flight: Option<Flight>,
    /// How many flights have landed: a file that was read beside one may be older than what it left.
    pub(super) landed: u64,
    /// When a grant of ours last brought a token (P9).
    pub(super) granted_at: Option<DateTime<Utc>>,
    /// How the last refresh ended.
    pub(super) last_refresh: Option<LastRefresh>,
    /// Token requests.
    pub(super) refresh_attempts: u32,
    /// When it was last refreshed by hand.
    pub(super) by_hand_at: Option<DateTime<Utc>>,
    /// Who holds its lock.
    pub(super) lock_holder: Option<String>,
    /// When it was last lent.
    pub(super) last_used_at: Option<DateTime<Utc>>,
    /// How often it was lent.
    pub(super) requests: u64,
    /// How many of those spoke against it.
    pub(super) failures: u64,
    /// What other processes and earlier lives counted.
    pub(super) earlier: Counts,
    /// Whether what is remembered of it was taken in.
    pub(super) is_remembered: bool,
    /// Leases out.
    pub(super) in_flight: u32,
    /// The state that was last made known.
    pub(super) shown: State,
}

impl Entry {
    /// A credential as loaded. `jitter` (0 to 1) spreads its early refreshes.
    pub(super) fn new(
        credential: Credential,
        provider: &Provider,
        early: Duration,
        jitter: f64,
        now: DateTime<Utc>,
    ) -> Self {
        let traits = Traits::of(provider, early);
        let at_rest = match &credential.login {
            Login::OAuth(login) => prints(&login.tokens),
            Login::ApiKey(_) => [None, None],
        };
        let mut entry = Self {
            seat: Seat::default(),
            account: credential.account(),
            client: client_key(&credential, provider),
            credential,
            traits,
            window: Window::Missing,
            jitter,
            bearer: None,
            refresh_token: None,
            lent: None,
            replaced: VecDeque::new(),
            at_rest,
            switched_off: None,
            refused_login: None,
            rejected_bearer: None,
            forced: None,
            refusal: None,
            client_refused: None,
            mismatched: None,
            foreign: None,
            trouble: None,
            unsaved: None,
            rest: None,
            models: HashMap::new(),
            faults: Faults::default(),
            facts_again: None,
            flight: None,
            landed: 0,
            granted_at: None,
            last_refresh: None,
            refresh_attempts: 0,
            by_hand_at: None,
            lock_holder: None,
            last_used_at: None,
            requests: 0,
            failures: 0,
            earlier: Counts::default(),
            is_remembered: false,
            in_flight: 0,
            shown: State::Ready,
        };
        entry.settle(now);
        entry.shown = entry.state(now);
        entry
    }

    /// The OAuth login, where it is one.
    pub(super) fn login(&self) -> Option<&OAuthLogin> {
        match &self.credential.login {
            Login::OAuth(login) => Some(login),
            Login::ApiKey(_) => None,
        }
    }

    /// What its refresh token is known by.
    pub(super) fn refresh_print(&self) -> Option<Fingerprint> {
        self.refresh_token
    }

    /// What authorises chats now, with its fingerprint.
    pub(super) fn bearer(&self) -> Option<&(Secret, Fingerprint)> {
        self.bearer.as_ref()
    }

    /// What is known about the account.
    pub(super) fn facts(&self) -> Facts {
        self.login().map(|login| login.facts.clone()).unwrap_or_default()
    }

    /// Takes in what its lock file says of refreshes by an earlier process or another (P4).
    pub(super) fn recall(&mut self, notes: &LockNotes, now: DateTime<Utc>) {
        self.refused_login = notes.refused;
        self.mismatched = self.mismatch(notes);
        self.shown = self.state(now);
    }

    /// The refresh token and code of a lock file's note that this login belongs to another client than the one it has now.
    pub(super) fn mismatch(&self, notes: &LockNotes) -> Option<(Fingerprint, String)> {
        let note = notes.other_client.as_ref()?;
        let holds = self.refresh_print() == Some(note.token)
            && self.client.as_ref().map(ClientKey::print) == Some(note.client);
        holds.then(|| (note.token, note.code.clone()))
    }

    /// Whether a login found in the file is newer than ours (P5): another refresh token, or another access token that
    /// expires later; but not one that ours replaced, which a reader may hold who looked before the write, or which still
    /// stands in a file that could not be written.
    pub(super) fn is_newer(&self, found: &Tokens) -> bool {
        let Some(ours) = self.login().map(|login| &login.tokens) else { return false };
        let replaced = |token: &Secret| {
            let print = Fingerprint::of(token);
            self.replaced.contains(&print) || self.at_rest.contains(&Some(print))
        };
        let refresh = found
            .refresh
            .as_ref()
            .is_some_and(|token| ours.refresh.as_ref() != Some(token) && !replaced(token));
        let access = found
            .access
            .as_ref()
            .is_some_and(|token| ours.access.as_ref() != Some(token) && !replaced(token));
        let later = match (found.expires_at, ours.expires_at) {
            (Some(theirs), Some(ours)) => theirs > ours,
            (Some(_), None) => true,
            (None, _) => ours.access.is_none(),
        };
        refresh || (access && later)
    }

    /// Takes a new login in. Everything that was held against the old tokens is lifted: the refused token is known by
    /// its fingerprint, and what the service refuses is asked anew only when a file brought the new login (P21).
    pub(super) fn adopt(&mut self, login: OAuthLogin, origin: Origin, now: DateTime<Utc>) {
        let Login::OAuth(ours) = &mut self.credential.login else { return };
        let old = std::mem::replace(ours.as_mut(), login);
        if ours.tokens.refresh.is_none() {
            ours.tokens.refresh.clone_from(&old.tokens.refresh);
        }
        keep_known(&mut ours.facts, &old.facts);
        let current = prints(&ours.tokens);
        for token in [&old.tokens.access, &old.tokens.refresh].into_iter().flatten() {
            let print = Fingerprint::of(token);
            if !current.contains(&Some(print)) {
                self.replaced.push_back(print);
            }
        }
        while self.replaced.len() > REMEMBERED {
            self.replaced.pop_front();
        }
        match origin {
            Origin::File => {
                // Another process of ours may have refreshed an account that the service refuses; only a person logs in
                // anew and so ends such a refusal (P21).
                let new_login = ours.tokens.refresh != old.tokens.refresh;
                self.refusal = self.refusal.take().filter(|it| it.kind == RefusalKind::Account && !new_login);
                self.foreign = None;
                self.unsaved = None;
                self.at_rest = current;
            }
            Origin::Grant => {
                self.granted_at = Some(now);
                self.refused_login = None;
                self.mismatched = None;
            }
        }
        self.rejected_bearer = None;
        self.trouble = None;
        self.settle(now);
    }

    /// The login as it is now stands in its place.
    pub(super) fn saved(&mut self) {
        self.unsaved = None;
        if let Some(login) = self.login() {
            self.at_rest = prints(&login.tokens);
        }
    }

    /// Takes in what a reload found beside the tokens: another client, another endpoint, facts that a person wrote.
    /// Whether anything was new.
    pub(super) fn amend(&mut self, found: &OAuthLogin, provider: &Provider, now: DateTime<Utc>) -> bool {
        let changed = self.amend_client(found, provider);
        let facts = self.facts();
        let mut learned = found.facts.clone();
        keep_known(&mut learned, &facts);
        if learned != facts {
            self.learn(&learned, now);
            return true;
        }
        changed
    }

    /// Takes in another client or another endpoint, which no step of ours ever changes. Whether either was new.
    pub(super) fn amend_client(&mut self, found: &OAuthLogin, provider: &Provider) -> bool {
        let Login::OAuth(ours) = &mut self.credential.login else { return false };
        let before = ours.clone();
        ours.client.clone_from(&found.client);
        ours.token_endpoint.clone_from(&found.token_endpoint);
        let changed = *ours != before;
        let client = client_key(&self.credential, provider);
        if self.client != client {
            self.client = client;
            self.client_refused = None;
            self.mismatched = None;
            self.trouble = None;
        }
        changed
    }

    /// Facts learned after a grant; fields that are `None` change nothing.
    pub(super) fn learn(&mut self, facts: &Facts, now: DateTime<Utc>) {
        if let Login::OAuth(ours) = &mut self.credential.login {
            let mut learned = facts.clone();
            keep_known(&mut learned, &ours.facts);
            ours.facts = learned;
            self.trouble = None;
            let window = self.window.clone();
            self.settle(now);
            self.window = window;
        }
    }

    /// Works out what follows from the login.
    fn settle(&mut self, now: DateTime<Utc>) {
        self.account = self.credential.account();
        self.refresh_token =
            self.login().and_then(|login| login.tokens.refresh.as_ref()).map(Fingerprint::of);
        let bearer = match &self.credential.login {
            Login::ApiKey(key) => {
                self.window = Window::Endless;
                Some(key.clone())
            }
            Login::OAuth(login) => {
                self.window = Window::of(&login.tokens, self.traits.early, self.jitter, now);
                match self.traits.chat_auth {
                    ChatAuth::Bearer | ChatAuth::GoogApiKey | ChatAuth::XApiKey => {
                        login.tokens.access.clone()
                    }
                    ChatAuth::IflowSignature => login.facts.api_key.clone(),
                }
            }
        };
        self.bearer = bearer.map(|bearer| {
            let print = Fingerprint::of(&bearer);
            (bearer, print)
        });
        self.lent = self.bearer.clone().map(|(bearer, fingerprint)| {
            Arc::new(Lent {
                credential: self.credential.id.clone(),
                provider: self.credential.provider.clone(),
                account: self.account.clone(),
                bearer,
                fingerprint,
                facts: self.facts(),
            })
        });
    }

    /// A refresh, or a step after it, failed for now.
    pub(super) fn failed(&mut self, error: RefreshError, until: DateTime<Utc>) {
        let failures = self.trouble.as_ref().map_or(0, |trouble| trouble.failures).saturating_add(1);
        self.trouble = Some(Trouble { reason: error.to_string(), error, until, failures });
    }

    /// A write failed: the token lives in memory until a later try.
    pub(super) fn not_saved(&mut self, error: &StoreError, retry_at: DateTime<Utc>) {
        let failures = self.unsaved.as_ref().map_or(0, |unsaved| unsaved.failures).saturating_add(1);
        self.unsaved = Some(Unsaved { problem: error.to_string(), retry_at, failures });
    }
}

/// What a login's tokens are known by: the access token, the refresh token.
fn prints(tokens: &Tokens) -> [Option<Fingerprint>; 2] {
    [&tokens.access, &tokens.refresh].map(|token| token.as_ref().map(Fingerprint::of))
}

/// Facts that a newer login does not name stay known.
fn keep_known(facts: &mut Facts, known: &Facts) {
    let Facts { account, project_id, resource_url, api_key } = facts;
    *account = account.take().or_else(|| known.account.clone());
    *project_id = project_id.take().or_else(|| known.project_id.clone());
    *resource_url = resource_url.take().or_else(|| known.resource_url.clone());
    *api_key = api_key.take().or_else(|| known.api_key.clone());
}
