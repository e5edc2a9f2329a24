//! What an error answer means for the request, the model, the credential and the provider (docs/wires.md).
//!
//! Upstream prose is read here to tell errors apart where a provider has no better sign, and goes no further: what
//! leaves is a scope, a retry hint and a short reason code.

mod anthropic;
mod google;
mod hint;
mod iflow;
mod openai;
mod permission;
mod qwen;

#[cfg(any(test, fuzzing))]
pub(super) use hint::{from_headers as fuzz_headers, fuzz as fuzz_hints};

use chrono::{DateTime, Utc};
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::FailureClass;
use crate::{
    pool::RetryHint,
    provider::{ErrorStyle, Provider, Quirks, RateLimitScope},
    secret::Secret,
};

/// Whom a failure concerns, which says what happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The request itself: it would fail everywhere. Nobody is blamed and nobody else is asked (P23).
    Request(FailureClass),
    /// Nobody can say (a bare 429 of a provider that means its filter by it): one other credential is asked, none
    /// rests (P21).
    Unclear,
    /// This credential's quota for this model.
    Model(RetryHint),
    /// The model is not offered to this account.
    ModelMissing,
    /// The model has no capacity for anybody: other credentials would hear the same (P28).
    Capacity,
    /// The whole credential rests.
    Credential(RetryHint),
    /// 401: a refresh may help, once (P31).
    Unauthorized,
    /// The token is fine and the service says no to the account, until a person acts.
    Refused(Option<Secret>),
    /// Our client is refused: every credential hears the same.
    Client,
    /// The provider fails: 5xx, no connection.
    Provider,
    /// No word in its time: the model may be slow, so that nobody is blamed before somebody else was quicker.
    Slow,
    /// The answer broke off or made no sense.
    Broken(FailureClass),
    /// The answer was empty.
    Empty,
}

/// One failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whom it concerns.
    pub scope: Scope,
    /// A short code for the log and the small print: `QUOTA_EXHAUSTED`, `HTTP 503`.
    pub code: String,
}

impl Fault {
    /// A fault with its code.
    pub fn new(scope: Scope, code: impl Into<String>) -> Self {
        Self { scope, code: code.into() }
    }

    /// What the person is told when nothing else helps.
    pub fn class(&self) -> FailureClass {
        match &self.scope {
            Scope::Request(class) | Scope::Broken(class) => class.clone(),
            Scope::Unclear | Scope::Capacity | Scope::Model(_) | Scope::Credential(_) => {
                FailureClass::Capacity
            }
            Scope::ModelMissing => FailureClass::UnknownModel,
            Scope::Unauthorized | Scope::Refused(_) => FailureClass::NeedsOperator,
            Scope::Client => FailureClass::ClientVersion,
            Scope::Provider => FailureClass::ProviderDown,
            Scope::Slow => FailureClass::DeadlineExceeded,
            Scope::Empty => FailureClass::Empty,
        }
    }
}

/// An error answer, as it came.
#[derive(Debug, Clone, Copy)]
pub struct ErrorAnswer<'a> {
    /// The HTTP status; 200 for an error in the place of an answer.
    pub status: u16,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body; anything but JSON is `Null`.
    pub body: &'a Value,
}

/// Says what an error answer means.
pub fn classify(provider: &Provider, answer: ErrorAnswer<'_>, now: DateTime<Utc>) -> Fault {
    // Google sends an array of one.
    let body = answer.body.as_array().map_or(answer.body, |values| values.first().unwrap_or(&Value::Null));
    let status = effective_status(answer.status, body);
    let evidence = Evidence {
        status,
        bare_429: provider.bare_429,
        quirks: &provider.quirks,
        body,
        header_hint: hint::from_headers(answer.headers, now),
        now,
    };
    let fault = match provider.errors {
        ErrorStyle::Google => google::classify(&evidence),
        ErrorStyle::Openai => openai::classify(&evidence),
        ErrorStyle::Qwen => qwen::classify(&evidence),
        ErrorStyle::Iflow => iflow::classify(&evidence),
        ErrorStyle::Anthropic => anthropic::classify(&evidence),
    };
    match status {
        401 | 403 => permission::named(fault, answer.headers, &openai::message(&evidence)),
        _ => fault,
    }
}

/// What the vendors' classifiers look at.
struct Evidence<'a> {
    status: u16,
    bare_429: RateLimitScope,
    quirks: &'a Quirks,
    body: &'a Value,
    header_hint: Option<RetryHint>,
    now: DateTime<Utc>,
}

impl Evidence<'_> {
    /// A text of the body, lower case, to look for signs in. Never shown.
    fn text(&self, pointer: &str) -> String {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_lowercase()
    }

    /// The fault with the code as sent where it is fit to be shown, else the status.
    fn fault(&self, scope: Scope, code: &str) -> Fault {
        Fault::new(scope, reason_code(code).unwrap_or_else(|| http_code(self.status)))
    }

    /// The rate limit that says nothing more.
    fn bare(&self, code: &str) -> Fault {
        let scope = match (self.header_hint, self.bare_429) {
            (Some(hint), _) => Scope::Credential(hint),
            (None, RateLimitScope::Request) => Scope::Unclear,
            (None, RateLimitScope::Credential) => Scope::Credential(RetryHint::None),
        };
        self.fault(scope, code)
    }

    /// What the status alone says.
    fn by_status(&self, code: &str) -> Fault {
        match self.status {
            401 => self.fault(Scope::Unauthorized, code),
            // Of a plain 403 nothing says whether a person or time is needed: it rests, and the pool escalates.
            402 | 403 => self.fault(Scope::Credential(self.header_hint.unwrap_or(RetryHint::None)), code),
            404 => self.fault(Scope::ModelMissing, code),
            413 => self.fault(Scope::Request(FailureClass::TooLong), code),
            429 => self.bare(code),
            408 | 425 | 499 => self.fault(Scope::Provider, code),
            400..=499 => self.fault(Scope::Request(FailureClass::BadRequest), code),
            _ => self.fault(Scope::Provider, code),
        }
    }
}

/// The status that counts: an error inside a 200 brings its own as a number.
fn effective_status(status: u16, body: &Value) -> u16 {
    if !(200..300).contains(&status) {
        return status;
    }
    let inner = ["/error/code", "/error/status", "/status", "/code"]
        .iter()
        .find_map(|pointer| body.pointer(pointer).and_then(Value::as_u64))
        .and_then(|code| u16::try_from(code).ok());
    inner.filter(|code| (400..600).contains(code)).unwrap_or(status)
}

/// `HTTP 503`.
pub fn http_code(status: u16) -> String {
    format!("HTTP {status}")
}

/// A provider's code where it is a word and may be shown; a sentence or something like a key is `None`.
///
/// Letters, `_`, `.`, at most four digits, 48 characters: wide enough for every documented code, too narrow for keys.
pub fn reason_code(code: &str) -> Option<String> {
    let code = code.trim();
    let digits = code.chars().filter(char::is_ascii_digit).count();
    let letters = code.chars().filter(char::is_ascii_alphabetic).count();
    let shaped = code.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    (shaped && digits <= 4 && letters > 0 && code.chars().count() <= 48).then(|| code.to_owned())
}

/// The sooner certainty: of several hints the latest counts, since asking before it only costs another refusal.
fn latest(hints: impl IntoIterator<Item = RetryHint>, now: DateTime<Utc>) -> Option<RetryHint> {
    let at = |hint: &RetryHint| match hint {
        RetryHint::After(wait) => chrono::TimeDelta::from_std(*wait).map_or(now, |wait| now + wait),
        RetryHint::At(instant) => *instant,
        RetryHint::None => now,
    };
    hints.into_iter().max_by_key(at)
}

#[cfg(test)]
mod tests;
