//! What was asked: every request, with secrets shown as short hashes, and counters.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    fault::Kind,
    pictures::shorten,
    said::{Piece, Stream},
};

/// How many requests are kept; older ones are dropped, the counters go on.
const KEPT: usize = 10_000;

/// One request and how it was answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recorded {
    /// Counted from 0 over all providers.
    pub number: u64,
    /// When it arrived, since the emulator began.
    pub after: Duration,
    /// Whose.
    pub provider: String,
    /// What it was.
    pub kind: Kind,
    /// The account that the token, key or refresh token belongs to, where it belongs to one.
    pub account: Option<String>,
    /// Method.
    pub method: String,
    /// Path with the provider's prefix, without the query.
    pub path: String,
    /// The query, secrets hashed.
    pub query: BTreeMap<String, String>,
    /// Headers in lower case; `authorization` shows its scheme and a hash.
    pub headers: BTreeMap<String, String>,
    /// The body: JSON as it came; a form as an object, secrets hashed; `null` otherwise.
    pub body: Value,
    /// The status of the answer; `None` while there is none.
    pub status: Option<u16>,
}

/// Counters of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Token requests of any outcome.
    pub token_requests: u64,
    /// Of these, answered with tokens.
    pub granted: u64,
    /// Of these, refused by the judge or by a fault.
    pub refused: u64,
    /// Refresh tokens for one use that came a second time.
    pub reused: u64,
    /// User-info requests.
    pub user_infos: u64,
    /// Set-up calls of Code Assist.
    pub setups: u64,
    /// Chats of any outcome.
    pub chats: u64,
    /// Of these, begun with HTTP 200.
    pub answered: u64,
    /// Streams that the client left before their end.
    pub abandoned: u64,
    /// Token requests and chats by account.
    pub accounts: BTreeMap<String, AccountCounts>,
}

/// Counters of one account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AccountCounts {
    /// Token requests.
    pub token_requests: u64,
    /// Chats.
    pub chats: u64,
}

/// The requests that are kept.
#[derive(Debug, Default)]
pub(super) struct Record {
    kept: std::collections::VecDeque<Recorded>,
    /// What was said in answer to those, by their number.
    said: BTreeMap<u64, Vec<Piece>>,
    next: u64,
}

impl Record {
    pub(super) fn add(&mut self, mut request: Recorded) -> u64 {
        let number = self.next;
        self.next += 1;
        request.number = number;
        shorten(&mut request.body);
        if self.kept.len() == KEPT {
            let dropped = self.kept.pop_front();
            dropped.and_then(|request| self.said.remove(&request.number));
        }
        self.kept.push_back(request);
        number
    }

    pub(super) fn answered(&mut self, number: u64, status: u16) {
        if let Some(request) = self.kept.iter_mut().rev().find(|request| request.number == number) {
            request.status = Some(status);
        }
    }

    /// A piece of the answer to a request has left.
    pub(super) fn heard(&mut self, number: u64, piece: Piece) {
        if self.kept.iter().rev().any(|request| request.number == number) {
            self.said.entry(number).or_default().push(piece);
        }
    }

    pub(super) fn said(&self) -> Vec<Stream> {
        let said = |request: &Recorded| {
            let pieces = self.said.get(&request.number)?.clone();
            Some(Stream { asked: request.after, pieces })
        };
        self.kept.iter().filter_map(said).collect()
    }

    pub(super) fn all(&self) -> Vec<Recorded> {
        self.kept.iter().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
        self.said.clear();
    }
}

/// How a secret is shown: `#` and the first 8 hex digits of its SHA-256.
pub fn short_hash(secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    format!("#{}", hex(digest.get(..4).unwrap_or_default()))
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// `Authorization` with its credentials hashed.
pub(super) fn hashed_authorization(value: &str) -> String {
    match value.split_once(' ') {
        Some((scheme, credentials)) => format!("{scheme} {}", short_hash(credentials)),
        None => short_hash(value),
    }
}

/// Fields of a form or query, the secret ones hashed.
pub(super) fn hashed_fields(fields: &[(String, String)]) -> BTreeMap<String, String> {
    let secret = [
        "refresh_token",
        "client_secret",
        "accessToken",
        "access_token",
        "code",
        "code_verifier",
        "device_code",
        "token",
        "key",
    ];
    fields
        .iter()
        .map(|(name, value)| {
            let shown = if secret.contains(&name.as_str()) { short_hash(value) } else { value.clone() };
            (name.clone(), shown)
        })
        .collect()
}

/// The same as a JSON object.
pub(super) fn hashed_form(fields: &[(String, String)]) -> Value {
    let object: Map<String, Value> =
        hashed_fields(fields).into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    Value::Object(object)
}
