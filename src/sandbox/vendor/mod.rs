//! Emulated providers: logins and token endpoints with every grant, and chat endpoints for every wire.
//!
//! Each lives under `/vendors/<provider id>`: token endpoints at the vendor's own path behind that, chats at
//! [`Endpoints::api_base`]. They judge strictly, as the real ones do, from the vendors' protocols and not from the
//! bot's code; they record what was asked and can be made to fail in every way that was seen in practice.

mod authorize;
mod chat;
mod code_assist;
mod contents;
mod device;
mod endpoints;
mod fault;
mod login;
mod logins;
mod messages;
mod models;
mod oauth;
mod pictures;
mod record;
mod refusal;
mod reply;
mod request;
mod revoke;
mod rows;
mod said;
mod state;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_logins;
#[cfg(test)]
mod tests_of_wires;
mod tools;
mod verbs;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, Request, State as Shared},
    response::Response,
    routing::any,
};
use chrono::{DateTime, Utc};
use serde_json::json;
use uuid::Uuid;

pub use endpoints::Endpoints;
pub use fault::{Act, Fault, Kind};
pub use login::MintedLogin;
pub use record::{AccountCounts, Counts, Recorded, short_hash};
pub use refusal::Hint;
pub use reply::Reply;
pub use said::{Piece, Stream};
pub use state::Standing;
pub use tools::Called;
pub use verbs::Refused;

use crate::clock::{self, Clock, SystemClock};
use record::Record;
use request::Seen;
use rows::{Chat, Protocol, Row};
use state::{Life, Provider};
use stream::{Answer, Left};

/// All emulated providers. Clones share one state.
#[derive(Clone)]
pub struct Vendors {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Arc<dyn Clock>,
    started_at: tokio::time::Instant,
    state: Mutex<State>,
}

struct State {
    providers: BTreeMap<&'static str, Provider>,
    record: Record,
}

impl Default for Vendors {
    fn default() -> Self {
        Self::new()
    }
}

impl Vendors {
    /// Providers without accounts, on the machine's clock.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// The same on another clock, by which tokens expire.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        let state = State { providers: Provider::all(), record: Record::default() };
        Self { inner: Arc::new(Inner { clock, started_at: clock::instant(), state: Mutex::new(state) }) }
    }

    /// The routes, from `/vendors/…` on: to be served alone or merged with others.
    pub fn router(&self) -> Router {
        Router::new().route("/vendors/{provider}/{*path}", any(handle)).with_state(self.clone())
    }

    /// A live login of this account with the provider's own client. A second one for the same account is another login.
    ///
    /// # Panics
    /// When the provider is unknown or has no logins, as do the other calls that name a provider.
    pub fn mint(&self, provider: &str, account: &str) -> MintedLogin {
        let (id, secret) = Self::client(provider).expect("a provider with logins");
        self.mint_for_client(provider, account, id, secret)
    }

    /// A live login that was given to another client, as gcloud's are.
    pub fn mint_for_client(
        &self,
        provider: &str,
        account: &str,
        client_id: &str,
        client_secret: Option<&str>,
    ) -> MintedLogin {
        let now = self.inner.clock.now();
        self.with(provider, |vendor| {
            vendor.clients.insert(client_id.to_owned(), client_secret.map(str::to_owned));
            let login = vendor.new_login();
            let (access, expires_at) = vendor.issue_access(account, login, now);
            let refresh = vendor.issue_refresh(account, login, client_id);
            let is_google = matches!(vendor.row.chat, Chat::GeminiCli | Chat::Antigravity);
            let holder = vendor.account(account);
            MintedLogin {
                provider: provider.to_owned(),
                account: account.to_owned(),
                access,
                refresh,
                expires_at,
                client_id: client_id.to_owned(),
                client_secret: client_secret.map(str::to_owned),
                project: holder.project.clone().filter(|_| is_google),
                api_key: holder.api_key.clone(),
            }
        })
    }

    /// A live API key; its account is called `key-1`, `key-2`, … in the order of minting.
    pub fn mint_key(&self, provider: &str) -> String {
        self.with(provider, |vendor| {
            let key = format!("sk-FAKE-{}", Uuid::new_v4().simple());
            vendor.keys.insert(key.clone(), format!("key-{}", vendor.keys.len() + 1));
            key
        })
    }

    /// Ends every access token of the account: chats answer 401, refreshes go on.
    pub fn expire_access(&self, provider: &str, account: &str) {
        self.with(provider, |vendor| {
            for token in vendor.access.values_mut().filter(|token| token.account == account) {
                token.expires_at = DateTime::<Utc>::MIN_UTC;
            }
        });
    }

    /// Ends every refresh token of the account: refreshes answer `invalid_grant`.
    pub fn revoke_refresh(&self, provider: &str, account: &str) {
        self.with(provider, |vendor| {
            for token in vendor.refresh.values_mut().filter(|token| token.account == account) {
                token.life = Life::Revoked;
            }
        });
    }

    /// Ends an API key (or an iFlow account's key, which then gets another).
    pub fn revoke_key(&self, provider: &str, key: &str) {
        self.with(provider, |vendor| {
            vendor.keys.remove(key);
            let fresh = format!("sk-FAKE-{}", Uuid::new_v4().simple());
            let owner =
                vendor.accounts.iter_mut().find(|(_, account)| account.api_key.as_deref() == Some(key));
            if let Some((name, account)) = owner {
                account.api_key = Some(fresh.clone());
                vendor.keys.insert(fresh, name.clone());
            }
        });
    }

    /// What `expires_in` says from now on, and how long the tokens live.
    pub fn set_token_life(&self, provider: &str, life: Duration) {
        self.with(provider, |vendor| vendor.token_life = life);
    }

    /// A pause before every answer of this provider.
    pub fn set_latency(&self, provider: &str, latency: Duration) {
        self.with(provider, |vendor| vendor.latency = latency);
    }

    /// The pause before each piece of a stream, for all providers; 15 ms at first.
    pub fn set_pace(&self, pace: Duration) {
        for vendor in self.state().providers.values_mut() {
            vendor.pace = pace;
        }
    }

    /// How an account stands with Code Assist.
    pub fn set_standing(&self, provider: &str, account: &str, standing: Standing) {
        self.with(provider, |vendor| {
            let account = vendor.account(account);
            account.project = match &standing {
                Standing::Licensed { project } | Standing::LicensedAsObject { project } => {
                    Some(project.clone())
                }
                Standing::BringsProject
                | Standing::Onboards { .. }
                | Standing::NeverDone
                | Standing::NoOperation { .. }
                | Standing::Ineligible { .. }
                | Standing::ServiceControls => None,
            };
            account.looks = 0;
            account.standing = standing;
        });
    }

    /// Queues a fault. Of several that fit a request, the one queued first is used.
    pub fn fault(&self, provider: &str, fault: Fault) {
        self.with(provider, |vendor| vendor.faults.push(fault));
    }

    /// Drops every fault of a provider that has not struck.
    pub fn clear_faults(&self, provider: &str) {
        self.with(provider, |vendor| vendor.faults.clear());
    }

    /// Drops those of one account.
    pub fn clear_faults_of(&self, provider: &str, account: &str) {
        self.with(provider, |vendor| {
            vendor.faults.retain(|fault| fault.account.as_deref() != Some(account));
        });
    }

    /// The faults that have yet to strike, by provider.
    pub fn waiting_faults(&self) -> Vec<(String, Fault)> {
        let state = self.state();
        let each = |vendor_id: &str, faults: &[Fault]| {
            faults.iter().map(|fault| (vendor_id.to_owned(), fault.clone())).collect::<Vec<_>>()
        };
        state.providers.iter().flat_map(|(id, vendor)| each(id, &vendor.faults)).collect()
    }

    /// What the next chats of this provider are answered, in this order.
    pub fn script(&self, provider: &str, replies: Vec<Reply>) {
        self.with(provider, |vendor| vendor.replies.extend(replies));
    }

    /// Counters by provider.
    pub fn counts(&self) -> BTreeMap<String, Counts> {
        let state = self.state();
        state.providers.iter().map(|(id, vendor)| ((*id).to_owned(), vendor.counts.clone())).collect()
    }

    /// Counters of one provider.
    pub fn counts_of(&self, provider: &str) -> Counts {
        self.with(provider, |vendor| vendor.counts.clone())
    }

    /// Every request so far, the last 10,000 of them.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state().record.all()
    }

    /// What models have said in each chat that is kept, in the order of the requests.
    pub fn said(&self) -> Vec<Stream> {
        self.state().record.said()
    }

    /// Time since the emulator began.
    pub fn elapsed(&self) -> Duration {
        self.inner.started_at.elapsed()
    }

    /// Forgets the requests; counters go on.
    pub fn clear_requests(&self) {
        self.state().record.clear();
    }

    /// Whether this is the id of an emulated provider.
    pub fn knows(provider: &str) -> bool {
        rows::row(provider).is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().expect("no holder of the state panics")
    }

    fn with<T>(&self, provider: &str, look: impl FnOnce(&mut Provider) -> T) -> T {
        look(self.state().providers.get_mut(provider).expect("an emulated provider"))
    }

    /// Answers a request whose body was read.
    async fn answer(&self, row: &'static Row, seen: &Seen, account: Option<&str>) -> Answer {
        let (fault, latency) = self.with(row.id, |vendor| {
            vendor.count(seen.kind, account);
            (vendor.take_fault(seen.kind, account), vendor.latency)
        });
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        match &fault {
            Some(Act::Respond { status, headers, body }) => {
                self.with(row.id, |vendor| {
                    if seen.kind == Kind::Token {
                        vendor.counts.refused += 1;
                    }
                });
                return Answer::Whole { status: *status, headers: headers.clone(), body: body.clone() };
            }
            Some(Act::Hang) => match stream::hang().await {},
            Some(Act::Delay { millis }) => tokio::time::sleep(Duration::from_millis(*millis)).await,
            Some(
                Act::DelayReply { .. }
                | Act::LoseReply
                | Act::Cut { .. }
                | Act::Stall { .. }
                | Act::EndEarly { .. }
                | Act::Malformed { .. }
                | Act::Empty
                | Act::ErrorInside { .. }
                | Act::Unstreamed
                | Act::Mislabel { .. }
                | Act::Truncate { .. }
                | Act::Crumble { .. },
            )
            | None => {}
        }
        let now = self.inner.clock.now();
        let answer = self.with(row.id, |vendor| judge(vendor, row, seen, fault.as_ref(), now));
        match fault {
            Some(Act::DelayReply { millis }) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                answer
            }
            Some(Act::LoseReply) => Answer::lost(),
            Some(Act::Mislabel { content_type }) => answer.mislabelled(&content_type),
            Some(Act::Truncate { bytes }) => answer.truncated(bytes),
            Some(Act::Crumble { bytes }) => answer.crumbled(bytes),
            Some(
                Act::Respond { .. }
                | Act::Hang
                | Act::Delay { .. }
                | Act::Cut { .. }
                | Act::Stall { .. }
                | Act::EndEarly { .. }
                | Act::Malformed { .. }
                | Act::Empty
                | Act::ErrorInside { .. }
                | Act::Unstreamed,
            )
            | None => answer,
        }
    }
}

/// The provider's own answer.
fn judge(vendor: &mut Provider, row: &Row, seen: &Seen, fault: Option<&Act>, now: DateTime<Utc>) -> Answer {
    let not_found = || Answer::json(404, &json!({"error": {"code": 404, "message": "Not Found"}}));
    let method = match seen.kind {
        Kind::Setup if seen.path.contains("/operations/") => "GET",
        Kind::UserInfo | Kind::Authorize | Kind::Models => "GET",
        Kind::Token | Kind::Revoke | Kind::Device | Kind::Setup | Kind::Chat | Kind::Other => "POST",
    };
    if seen.kind == Kind::Other {
        return not_found();
    }
    if seen.method.as_str() != method {
        return Answer::json(405, &json!({"error": {"code": 405, "message": "Method Not Allowed"}}));
    }
    match seen.kind {
        Kind::Token => match row.tokens {
            Some(tokens) => oauth::token(vendor, tokens, seen, now),
            None => not_found(),
        },
        Kind::Revoke => match row.tokens {
            Some(tokens) => revoke::revoke(vendor, tokens, seen),
            None => not_found(),
        },
        Kind::Authorize => browse(vendor, row, seen, now),
        Kind::Device => match row.tokens.and_then(|tokens| Some((tokens, tokens.device?))) {
            Some((tokens, endpoint)) => device::begin(vendor, tokens, endpoint, seen, now),
            None => not_found(),
        },
        Kind::UserInfo => oauth::user_info(vendor, seen, now),
        Kind::Setup => code_assist::setup(vendor, seen, now),
        Kind::Models => models::list(vendor, seen, now),
        Kind::Chat => {
            let answer = match row.chat.protocol() {
                Protocol::CodeAssist => code_assist::generate(vendor, seen, fault, now),
                Protocol::Contents => contents::generate(vendor, seen, fault),
                Protocol::Messages => messages::messages(vendor, seen, fault),
                Protocol::Completions => chat::completions(vendor, seen, fault, now),
            };
            if answer.status() == 200 {
                vendor.counts.answered += 1;
            }
            answer
        }
        Kind::Other => not_found(),
    }
}

/// A browser: where it logs in, or where a person types the code of a device.
fn browse(vendor: &mut Provider, row: &Row, seen: &Seen, now: DateTime<Utc>) -> Answer {
    let endpoint = row.tokens.and_then(|tokens| tokens.authorize).filter(|it| it.path == seen.path);
    match endpoint {
        Some(endpoint) => authorize::authorize(vendor, endpoint, seen, now),
        None => device::page(vendor, seen),
    }
}

/// One request: read, recorded, answered.
async fn handle(
    Shared(vendors): Shared<Vendors>,
    Path((provider, path)): Path<(String, String)>,
    request: Request,
) -> Response {
    let nobody = Left::new(|| {});
    let Some(row) = rows::row(&provider) else {
        let body = json!({"error": {"code": 404, "message": "no such provider"}});
        return Answer::json(404, &body).into_response(nobody);
    };
    let seen = Seen::read(row, &format!("/{path}"), request).await;
    let account = seen.secret().and_then(|secret| vendors.with(row.id, |vendor| vendor.owner(secret)));
    let number = vendors.state().record.add(Recorded {
        number: 0,
        after: vendors.inner.started_at.elapsed(),
        provider,
        kind: seen.kind,
        account: account.clone(),
        method: seen.method.to_string(),
        path: seen.full_path.clone(),
        query: seen.shown_query(),
        headers: seen.shown_headers(),
        body: seen.shown_body(),
        status: None,
    });
    let answer = vendors.answer(row, &seen, account.as_deref()).await;
    vendors.state().record.answered(number, answer.status());
    let (gone, heard) = (vendors.clone(), vendors.clone());
    let left = Left::new(move || gone.with(row.id, |vendor| vendor.counts.abandoned += 1));
    let response = answer.into_response(left);
    if seen.kind != Kind::Chat {
        return response;
    }
    response.map(|body| {
        said::listen(body, move |text| {
            let piece = Piece { after: heard.elapsed(), text };
            heard.state().record.heard(number, piece);
        })
    })
}
