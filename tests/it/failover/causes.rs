//! The causes of the table: what an upstream says, and to whom.

use tokio::time::Duration;

use crate::support::upstream::{Answer, Call, Part, content, finish, reasoning};

/// How credentials of a cause authorise themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// API keys.
    Keys,
    /// Logins whose tokens can be refreshed.
    Logins,
}

/// One cause.
#[derive(Clone, Copy)]
pub(super) struct Cause {
    /// As in docs/credential-pool.md.
    pub(super) name: &'static str,
    /// Whose row, and so whose wire and errors.
    pub(super) provider: &'static str,
    pub(super) kind: Kind,
    /// What a credential hears that the cause befalls.
    pub(super) answer: fn(&Call) -> Answer,
}

const fn keys(provider: &'static str, name: &'static str, answer: fn(&Call) -> Answer) -> Cause {
    Cause { name, provider, kind: Kind::Keys, answer }
}

const fn logins(name: &'static str, answer: fn(&Call) -> Answer) -> Cause {
    Cause { name, provider: "qwen_code", kind: Kind::Logins, answer }
}

/// Longer than any limit.
const EVER: Duration = Duration::from_hours(1);
const REFILL: &str = "2026-09-28T02:27:57Z";

/// An error in OpenAI's shape.
fn openai(status: u16, code: &str) -> Answer {
    let body = serde_json::json!({ "error": { "code": code, "message": "x", "type": "x" } });
    Answer::refusal(status, &body.to_string())
}

/// An error in Google's shape.
fn google(status: u16, reason: &str, metadata: serde_json::Value) -> Answer {
    let kind = "type.googleapis.com/google.rpc.ErrorInfo";
    let info = serde_json::json!({ "@type": kind, "reason": reason, "metadata": metadata });
    let state = if status == 429 { "RESOURCE_EXHAUSTED" } else { "PERMISSION_DENIED" };
    let body = serde_json::json!({ "error": { "code": status, "message": "x", "status": state, "details": [info] } });
    Answer::refusal(status, &body.to_string())
}

fn refusal(reason: &str) -> Answer {
    google(403, reason, serde_json::json!({}))
}

/// A bare 429 with this `Retry-After`.
fn later(text: &str) -> Answer {
    Answer::refusal(429, "{}").with_header("retry-after", text)
}

fn is_stale(call: &Call) -> bool {
    !call.bearer.ends_with("-again")
}

/// Every cause, in the order of the document.
pub(super) const CAUSES: &[Cause] = &[
    keys("openai", "401 for a key", |_| openai(401, "invalid_api_key")),
    logins("401 for a login, for ever", |_| openai(401, "invalid_api_key")),
    logins("401 for a login, until it is refreshed", |call| {
        if is_stale(call) { openai(401, "invalid_api_key") } else { Answer::text("Hello") }
    }),
    keys("gemini_cli", "`API_KEY_INVALID` at 400", |_| google(400, "API_KEY_INVALID", serde_json::json!({}))),
    logins("Qwen's expired session at 400", |call| {
        let body = r#"{"error":{"code":"invalid_parameter_error","message":"Your session has expired"}}"#;
        if is_stale(call) { Answer::refusal(400, body) } else { Answer::text("Hello") }
    }),
    keys("gemini_cli", "403: terms", |_| refusal("TOS_VIOLATION")),
    keys("gemini_cli", "403: licence", |_| refusal("SUBSCRIPTION_REQUIRED")),
    keys("openai", "403: region", |_| openai(403, "unsupported_country_region_territory")),
    keys("gemini_cli", "403: verification", |_| {
        google(
            403,
            "VALIDATION_REQUIRED",
            serde_json::json!({ "validation_url": "https://example.com/FAKE" }),
        )
    }),
    keys("gemini_cli", "403: missing scope", |_| {
        let scope =
            r#"Bearer error="insufficient_scope", scope="https://www.googleapis.com/auth/cloud-platform""#;
        refusal("ACCESS_TOKEN_SCOPE_INSUFFICIENT").with_header("www-authenticate", scope)
    }),
    keys("openai", "403 without a reason", |_| Answer::refusal(403, "{}")),
    keys("openai", "402", |_| Answer::refusal(402, "{}")),
    keys("openai", "429 without a word", |_| Answer::refusal(429, "{}")),
    keys("antigravity", "the same where it may be the provider's filter", |_| Answer::refusal(429, "{}")),
    keys("openai", "429, back in 42 seconds", |_| later("42")),
    keys("openai", "429, back in 1.5 seconds", |_| later("1.5")),
    keys("openai", "429, back at a date", |_| later("Mon, 21 Sep 2026 14:20:00 GMT")),
    keys("gemini_cli", "429, back in `156h14m36.7s`", |_| {
        let reset = serde_json::json!({ "quotaResetDelay": "156h14m36.7s", "quotaResetTimeStamp": REFILL });
        google(429, "QUOTA_EXHAUSTED", reset)
    }),
    keys("openai", "429, back in 0", |_| later("0")),
    keys("openai", "429, back in -5", |_| later("-5")),
    keys("openai", "429, back in 3000 years", |_| later("99999999999")),
    keys("openai", "429: a model's quota", |_| openai(429, "rate_limit_exceeded")),
    logins("an account's quota at 400", |_| openai(400, "insufficient_quota")),
    keys("openai", "quota inside a 200", |_| openai(200, "insufficient_quota")),
    keys("openai", "404 for a model", |_| openai(404, "model_not_found")),
    keys("openai", "no capacity for a model", |_| openai(503, "engine_overloaded")),
    keys("openai", "400", |_| Answer::refusal(400, "{}")),
    keys("openai", "413", |_| Answer::refusal(413, "too large")),
    keys("openai", "safety block of the question", |_| openai(400, "content_filter")),
    keys("openai", "safety block of the answer", |_| {
        let chunk = serde_json::json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "content_filter" }] });
        Answer::parts([Part::Bytes(format!("data: {chunk}\n\n"))])
    }),
    keys("openai", "500", |_| Answer::refusal(500, "{}")),
    keys("openai", "502 with a page", |_| {
        Answer::refusal(502, "<html>Bad Gateway</html>").with_header("content-type", "text/html")
    }),
    keys("openai", "503", |_| Answer::refusal(503, "{}")),
    keys("openai", "a page inside a 200", |_| {
        Answer::refusal(200, "<html>Hello</html>").with_header("content-type", "text/html")
    }),
    keys("openai", "silence before the headers", |_| Answer::text("late").after(EVER)),
    keys("openai", "silence before the first event", |_| Answer::parts([Part::Wait(EVER)])),
    keys("openai", "silence after reasoning", |_| Answer::parts([reasoning(), Part::Wait(EVER)])),
    keys("openai", "silence after visible text", |_| Answer::parts([content("Hel"), Part::Wait(EVER)])),
    keys("openai", "cut before the first event", |_| Answer::parts([Part::Break])),
    keys("openai", "cut before visible text", |_| Answer::parts([reasoning(), Part::Break])),
    keys("openai", "cut after visible text", |_| Answer::parts([content("Hel"), Part::Break])),
    keys("openai", "an error after visible text", |_| {
        Answer::parts([
            content("Hel"),
            Part::Bytes("data: {\"error\":{\"code\":\"insufficient_quota\"}}\n\n".to_owned()),
        ])
    }),
    keys("openai", "an empty stream", |_| Answer::parts([])),
    keys("openai", "a stream without text", |_| Answer::parts([finish()])),
    keys("openai", "another content type", |_| {
        Answer::text("Hello").with_header("content-type", "application/octet-stream")
    }),
];
