//! Reading a token endpoint's answer (RFC 6749, sections 5.1 and 5.2) and what vendors made of it.
//!
//! Pure: status and bytes in, a [`Grant`] or the class of the refusal out. Nothing of the body leaves but a short code
//! word, since an endpoint is free to repeat the token that it refuses.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::{Grant, NewLogin, RefreshError, vendor};
use crate::{
    credential::{Facts, email_claim},
    provider::{AfterGrant, ErrorStyle, Provider},
    secret::Secret,
};

/// The longest life that is believed. Google gives an hour, the others hours; ten years is a mistake in a unit.
const LONGEST_LIFE_SECS: f64 = 400.0 * 86_400.0;

/// An answer as it came: status, `Retry-After` already read, and the body up to the cap.
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// How long the answer asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// The body.
    pub(super) body: zeroize::Zeroizing<Vec<u8>>,
}

impl Answer {
    /// The body as a JSON object.
    pub(super) fn object(&self) -> Option<Map<String, Value>> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Some(object),
            Ok(_) | Err(_) => None,
        }
    }

    /// Whether the status is a success.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error when the status alone says "later": 408, 425, 429 and 5xx.
    pub(super) fn later(&self, step: &str) -> Option<RefreshError> {
        let later = matches!(self.status, 408 | 425 | 429) || self.status >= 500;
        later.then(|| RefreshError::Transient {
            problem: format!("{step}HTTP {}", self.status),
            retry_after: self.retry_after,
        })
    }
}

/// Reads the answer to a refresh grant.
pub(super) fn read(provider: &Provider, answer: &Answer) -> Result<Grant, RefreshError> {
    let object = accepted(provider, answer)?;
    grant(provider, tokens(&object)).ok_or_else(|| no_token(answer))
}

/// Reads the answer to the grant of a login, with what it says beside the tokens.
pub(super) fn read_login(provider: &Provider, answer: &Answer) -> Result<NewLogin, RefreshError> {
    let object = accepted(provider, answer)?;
    let tokens = tokens(&object);
    let grant = grant(provider, tokens).ok_or_else(|| no_token(answer))?;
    let scopes = text(tokens, "scope").map(|scopes| scopes.split_whitespace().map(str::to_owned).collect());
    let account = text(tokens, "id_token").and_then(email_claim);
    Ok(NewLogin { grant, scopes, account })
}

/// The object of a reply that refuses nothing.
pub(super) fn accepted(provider: &Provider, answer: &Answer) -> Result<Map<String, Value>, RefreshError> {
    if let Some(later) = answer.later("") {
        return Err(later);
    }
    let Some(object) = answer.object() else {
        let shape = if answer.body.trim_ascii_start().starts_with(b"<") { "a web page" } else { "not JSON" };
        return Err(RefreshError::Unknown { problem: format!("HTTP {}, {shape}", answer.status) });
    };
    match refusal(provider, answer, &object) {
        Some(refusal) => Err(refusal),
        None => Ok(object),
    }
}

/// Where the tokens of a reply are: iFlow sometimes wraps them.
fn tokens(object: &Map<String, Value>) -> &Map<String, Value> {
    match object.get("data") {
        Some(Value::Object(inner)) if !object.contains_key("access_token") => inner,
        Some(_) | None => object,
    }
}

fn no_token(answer: &Answer) -> RefreshError {
    RefreshError::Unknown { problem: format!("HTTP {}, no access token in the reply", answer.status) }
}

/// The tokens of a successful reply; `None` without an access token.
fn grant(provider: &Provider, reply: &Map<String, Value>) -> Option<Grant> {
    let access = text(reply, "access_token")?;
    let (resource_url, foreign_host) = match provider.oauth()?.after_grant {
        AfterGrant::QwenResourceUrl => {
            match text(reply, "resource_url").or_else(|| text(reply, "endpoint")) {
                Some(address) => match vendor::qwen::chat_base(provider, address) {
                    Ok(base) => (Some(base), None),
                    Err(foreign) => (None, Some(foreign.host)),
                },
                None => (None, None),
            }
        }
        AfterGrant::Nothing
        | AfterGrant::CodeAssistProject
        | AfterGrant::IflowApiKey
        | AfterGrant::VertexProject => (None, None),
    };
    Some(Grant {
        access: Secret::new(access),
        refresh: text(reply, "refresh_token").map(Secret::new),
        lifetime: reply.get("expires_in").and_then(lifetime),
        facts: Facts { resource_url, ..Facts::default() },
        foreign_host,
    })
}

/// A field that is a text with something in it.
fn text<'a>(object: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    object.get(field)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

/// `expires_in` in seconds, as a number or as text; `None` when it is nothing to plan with (P10).
fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    // NaN is in no range.
    (1.0..=LONGEST_LIFE_SECS)
        .contains(&seconds)
        .then(|| Duration::try_from_secs_f64(seconds.trunc()).ok())
        .flatten()
}

/// The class of a refusal; `None` when the reply is none. The same words count under any status: vendors send errors
/// with 200 as well.
fn refusal(provider: &Provider, answer: &Answer, reply: &Map<String, Value>) -> Option<RefreshError> {
    let failed = reply.get("success") == Some(&Value::Bool(false));
    let error = reply.get("error").filter(|error| !error.is_null());
    if answer.is_success() && !failed && error.is_none() {
        return None;
    }
    let code = error.and_then(error_code).or_else(|| reply.get("code").and_then(code_word));
    let invalid_token = || RefreshError::InvalidGrant {
        code: code.clone().unwrap_or_else(|| format!("HTTP {}", answer.status)),
    };
    Some(match code.as_deref() {
        Some("invalid_grant") => invalid_token(),
        Some(word @ ("invalid_client" | "unauthorized_client")) => {
            RefreshError::ClientRefused { code: word.to_owned() }
        }
        Some(word @ ("temporarily_unavailable" | "server_error" | "slow_down" | "rate_limit_exceeded")) => {
            RefreshError::Transient { problem: word.to_owned(), retry_after: answer.retry_after }
        }
        Some(_) | None if own_words_for_a_dead_token(provider, answer, reply) => invalid_token(),
        Some(word) => RefreshError::Unknown { problem: format!("HTTP {} {word}", answer.status) },
        None if failed => {
            RefreshError::Unknown { problem: format!("HTTP {}, success: false", answer.status) }
        }
        None => RefreshError::Unknown { problem: format!("HTTP {}", answer.status) },
    })
}

/// Whether Qwen or iFlow say in their own way that the refresh token is dead: 401 and 403 in JSON, or an
/// `invalid_request` or `success: false` whose description names the refresh token (docs/providers.md).
fn own_words_for_a_dead_token(provider: &Provider, answer: &Answer, reply: &Map<String, Value>) -> bool {
    match provider.errors {
        ErrorStyle::Google | ErrorStyle::Openai | ErrorStyle::Anthropic => false,
        ErrorStyle::Qwen | ErrorStyle::Iflow => {
            matches!(answer.status, 401 | 403)
                || ["error_description", "message", "msg"].iter().any(|field| {
                    text(reply, field).is_some_and(|description| {
                        let description = description.to_ascii_lowercase();
                        description.contains("invalid") && description.contains("refresh token")
                    })
                })
        }
    }
}

/// The code of an `error` field: a word itself, or an object with a `code` or `status`.
fn error_code(error: &Value) -> Option<String> {
    match error {
        Value::Object(object) => {
            ["code", "status", "type"].iter().filter_map(|field| object.get(*field)).find_map(code_word)
        }
        Value::String(_) | Value::Number(_) => code_word(error),
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}

/// A code that may be shown: a word of letters and `_` in one case, or a short number. A token has neither shape.
pub(super) fn code_word(value: &Value) -> Option<String> {
    match value {
        Value::String(word) => {
            let lower = word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let upper = word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
            let number = word.len() <= 5 && word.chars().all(|c| c.is_ascii_digit());
            let fits = (1..=40).contains(&word.len()) && (lower || upper || number);
            fits.then(|| word.clone())
        }
        Value::Number(number) => number.as_u64().filter(|number| *number < 100_000).map(|n| n.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The error, unless its code repeats something that was sent: a code is free text of the endpoint, after all.
pub(super) fn without(sent: &[&Secret], error: RefreshError, status: u16) -> RefreshError {
    let word = match &error {
        RefreshError::InvalidGrant { code } | RefreshError::ClientRefused { code } => code,
        RefreshError::Unknown { problem } | RefreshError::Transient { problem, .. } => problem,
        RefreshError::NoClient { .. }
        | RefreshError::NoRefreshToken
        | RefreshError::ForeignEndpoint { .. }
        | RefreshError::Refused { .. } => return error,
    };
    let repeats = |secret: &&Secret| !secret.is_blank() && word.contains(secret.expose());
    if sent.iter().any(repeats) {
        return RefreshError::Unknown { problem: format!("HTTP {status}, an error that repeats a secret") };
    }
    error
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds or a date; a date in the past is zero.
pub(super) fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = DateTime::parse_from_rfc2822(value).ok()?.with_timezone(&Utc);
    Some((at - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::provider::Catalog;

    fn row(id: &str) -> Provider {
        Catalog::builtin().get(&id.parse().expect("id")).expect("row").clone()
    }

    fn answered(status: u16, body: &[u8]) -> Answer {
        Answer { status, retry_after: None, body: body.to_vec().into() }
    }

    fn granted(reply: &Value) -> Grant {
        read(&row("gemini_cli"), &answered(200, reply.to_string().as_bytes())).expect("a grant")
    }

    #[test]
    fn p10_a_life_that_makes_no_sense_is_unknown() {
        for (expires_in, seconds) in [
            (json!(3599), Some(3599)),
            (json!(3599.9), Some(3599)),
            (json!("3599"), Some(3599)),
            (json!(" 60 "), Some(60)),
            (json!(0), None),
            (json!(0.5), None),
            (json!(-3600), None),
            (json!("-1"), None),
            (json!(9_007_199_254_740_993_u64), None),
            (json!("1e300"), None),
            (json!("NaN"), None),
            (json!("inf"), None),
            (json!("an hour"), None),
            (json!(null), None),
            (json!(true), None),
            (json!([3599]), None),
        ] {
            let grant = granted(&json!({"access_token": "FAKE", "expires_in": expires_in}));
            assert_eq!(grant.lifetime, seconds.map(Duration::from_secs), "{expires_in}");
        }
        assert_eq!(granted(&json!({"access_token": "FAKE"})).lifetime, None);
    }

    #[test]
    fn an_absent_empty_or_null_refresh_token_keeps_the_old_one() {
        for refresh in [json!(null), json!(""), json!("  "), json!(7)] {
            let grant = granted(&json!({"access_token": "FAKE", "refresh_token": refresh}));
            assert_eq!(grant.refresh, None, "{refresh}");
        }
        let rotated = granted(&json!({"access_token": "FAKE", "refresh_token": "1//FAKE"}));
        assert_eq!(rotated.refresh, Some(Secret::new("1//FAKE")));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Utc.with_ymd_and_hms(2026, 9, 21, 14, 13, 20).single().expect("an instant");
        for (value, seconds) in [
            ("0", Some(0.0)),
            ("120", Some(120.0)),
            (" 1.5 ", Some(1.5)),
            ("Mon, 21 Sep 2026 14:15:20 GMT", Some(120.0)),
            ("Mon, 21 Sep 2026 14:00:00 GMT", Some(0.0)),
            ("-5", None),
            ("NaN", None),
            ("1e30", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs_f64), "{value}");
        }
    }

    #[test]
    fn a_code_word_has_no_shape_of_a_token() {
        for word in ["invalid_grant", "UNSUPPORTED_CLIENT", "40001", "a"] {
            assert_eq!(code_word(&json!(word)), Some(word.to_owned()));
        }
        assert_eq!(code_word(&json!(403)), Some("403".to_owned()));
        for other in
            ["", "ya29.FAKE", "1//FAKE", "sk-FAKE", "Invalid grant", "123456", "camelCase", "ünknown"]
        {
            assert_eq!(code_word(&json!(other)), None, "{other}");
        }
        assert_eq!(code_word(&json!("x".repeat(41))), None);
    }

    proptest! {
        #[test]
        fn no_reply_panics_and_no_error_repeats_a_token(
            status in 100..600_u16,
            token in "[A-Za-z][0-9][A-Za-z0-9/_.-]{18,40}",
            shape in 0..6_usize,
            noise in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let body = match shape {
                0 => json!({"error": token}).to_string().into_bytes(),
                1 => json!({"error": {"code": token, "status": token, "message": token}}).to_string().into_bytes(),
                2 => json!({"success": false, "code": token, "message": token}).to_string().into_bytes(),
                3 => json!({"error": "invalid_request", "error_description": token}).to_string().into_bytes(),
                4 => json!({"data": {"refresh_token": token}}).to_string().into_bytes(),
                _ => [token.as_bytes(), &noise].concat(),
            };
            for id in ["gemini_cli", "qwen_code", "iflow"] {
                if let Err(error) = read(&row(id), &answered(status, &body)) {
                    let shown = format!("{error:?} {error}");
                    prop_assert!(!shown.contains(&token), "{}", shown);
                }
            }
        }
    }
}
