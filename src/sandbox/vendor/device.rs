//! Logins on another device (RFC 8628), and Qwen's departures from it.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    authorize::{Browser, Challenge},
    oauth::{Asked, dead, refuse},
    request::Seen,
    rows::{Device, Tokens},
    state::Provider,
    stream::Answer,
};

/// The `grant_type` of a poll.
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// How long a code waits for its person.
const LIFE: TimeDelta = TimeDelta::minutes(15);

/// The pause between two polls, and by how much `slow_down` lengthens it (RFC 8628, sections 3.2 and 3.5).
const INTERVAL: TimeDelta = TimeDelta::seconds(5);

/// By how much a poll may come early: requests do not all travel equally long.
const TOLERANCE: TimeDelta = TimeDelta::milliseconds(500);

/// A login that waits for its person.
#[derive(Debug, Clone)]
pub(super) struct DeviceLogin {
    pub(super) user_code: String,
    client_id: String,
    challenge: Option<Challenge>,
    expires_at: DateTime<Utc>,
    interval: TimeDelta,
    polled_at: Option<DateTime<Utc>>,
    pub(super) state: DeviceState,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DeviceState {
    /// Nobody has typed the code.
    Waiting,
    /// This account confirmed it.
    Confirmed(String),
    /// Somebody said no.
    Denied,
    /// The device has its tokens.
    Used,
}

/// Answers the device authorisation request.
pub(super) fn begin(
    provider: &mut Provider,
    tokens: Tokens,
    endpoint: Device,
    seen: &Seen,
    now: DateTime<Utc>,
) -> Answer {
    if seen.content_type() != "application/x-www-form-urlencoded" {
        return refuse(400, "invalid_request", "The content type must be a form.");
    }
    let Some(client_id) = seen.field("client_id").filter(|id| provider.clients.contains_key(*id)) else {
        return refuse(401, "invalid_client", "The OAuth client was not found.");
    };
    let challenge = (seen.field("code_challenge"), seen.field("code_challenge_method"));
    let challenge = match Challenge::of(endpoint.pkce, challenge.0, challenge.1) {
        Ok(challenge) => challenge,
        Err(problem) => return refuse(400, "invalid_request", problem),
    };
    let device_code = format!("{}device-{}", tokens.prefix, Uuid::new_v4().simple());
    let user_code = user_code();
    let host = seen.header("host").unwrap_or("127.0.0.1");
    let page = format!("http://{host}/vendors/{}{}", provider.row.id, endpoint.page);
    let mut body = Map::new();
    body.insert("device_code".to_owned(), json!(device_code));
    body.insert("user_code".to_owned(), json!(user_code));
    body.insert("verification_uri".to_owned(), json!(page));
    body.insert("verification_uri_complete".to_owned(), json!(format!("{page}?user_code={user_code}")));
    body.insert("expires_in".to_owned(), json!(LIFE.num_seconds()));
    if endpoint.names_interval {
        body.insert("interval".to_owned(), json!(INTERVAL.num_seconds()));
    }
    let login = DeviceLogin {
        user_code,
        client_id: client_id.to_owned(),
        challenge,
        expires_at: now + LIFE,
        interval: INTERVAL,
        polled_at: None,
        state: DeviceState::Waiting,
    };
    provider.devices.insert(device_code, login);
    Answer::json(200, &Value::Object(body)).with_header("cache-control", "no-store")
}

/// Eight letters without vowels, which spell nothing (RFC 8628, section 6.1).
fn user_code() -> String {
    const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
    let letters = Uuid::new_v4().into_bytes();
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    let (first, second) = letters.split_at(8);
    // The seventh and the ninth byte of a random UUID hold its version and variant, so that they are left out.
    let word = |bytes: &[u8]| bytes.iter().skip(2).take(4).map(letter).collect::<String>();
    format!("{}-{}", word(first), word(second))
}

/// The page where a person types the code: whoever sits at the browser answers at once.
pub(super) fn page(provider: &mut Provider, seen: &Seen) -> Answer {
    let Some(user_code) = seen.query("user_code").map(str::to_owned) else {
        return Answer::page(200, "Enter the code that your device shows.");
    };
    let verdict = match provider.browser.clone() {
        Browser::Consents(account) => DeviceState::Confirmed(account),
        Browser::Denies => DeviceState::Denied,
    };
    if decide(provider, &user_code, verdict) {
        Answer::page(200, "You may close this page and return to your device.")
    } else {
        Answer::page(404, "There is no such code.")
    }
}

/// A person decides about a code; false when nobody waits with it.
pub(super) fn decide(provider: &mut Provider, user_code: &str, verdict: DeviceState) -> bool {
    let typed = user_code.to_ascii_uppercase();
    let waiting = |login: &&mut DeviceLogin| login.user_code == typed && login.state == DeviceState::Waiting;
    let Some(login) = provider.devices.values_mut().find(waiting) else { return false };
    login.state = verdict;
    true
}

/// Answers a poll (RFC 8628, section 3.5).
pub(super) fn poll(
    provider: &mut Provider,
    tokens: Tokens,
    seen: &Seen,
    client_id: &str,
    now: DateTime<Utc>,
) -> Result<Asked, Answer> {
    let Some(endpoint) = tokens.device else {
        return Err(refuse(400, "unsupported_grant_type", "Invalid grant_type."));
    };
    let Some(presented) = seen.field("device_code").filter(|code| !code.is_empty()) else {
        return Err(refuse(400, "invalid_request", "Missing required parameter: device_code"));
    };
    let chat = provider.row.chat;
    let Some(login) = provider.devices.get_mut(presented) else { return Err(dead(chat)) };
    if login.client_id != client_id {
        return Err(dead(chat));
    }
    if login.challenge.as_ref().is_some_and(|challenge| !challenge.is_met_by(seen.field("code_verifier"))) {
        return Err(refuse(400, "invalid_grant", "Invalid code verifier."));
    }
    if login.expires_at <= now {
        return Err(refuse(400, "expired_token", "The device code has expired."));
    }
    let account = match &login.state {
        DeviceState::Waiting => {
            let soonest = login.polled_at.map(|at| at + login.interval - TOLERANCE);
            login.polled_at = Some(now);
            if soonest.is_some_and(|soonest| now < soonest) {
                login.interval += INTERVAL;
                return Err(refuse(endpoint.slow_down_status, "slow_down", "Polling too frequently."));
            }
            return Err(refuse(400, "authorization_pending", "The user has not yet confirmed."));
        }
        DeviceState::Denied => return Err(refuse(400, "access_denied", "The user denied the request.")),
        DeviceState::Used => return Err(dead(chat)),
        DeviceState::Confirmed(account) => account.clone(),
    };
    login.state = DeviceState::Used;
    let login = provider.new_login();
    Ok(Asked { account, client_id: client_id.to_owned(), login, offline: true })
}
