//! What each error answer that is known from the field means.

use std::time::Duration;

use chrono::TimeZone;
use serde_json::json;

use super::*;
use crate::provider::Catalog;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 9, 21, 14, 13, 20).single().expect("a date")
}

fn row(id: &str) -> Provider {
    Catalog::builtin().get(&id.parse().expect("id")).expect("row").clone()
}

fn seen_with(id: &str, status: u16, body: &Value, retry_after: Option<&'static str>) -> Fault {
    let mut headers = HeaderMap::new();
    if let Some(text) = retry_after {
        headers.insert("retry-after", reqwest::header::HeaderValue::from_static(text));
    }
    classify(&row(id), ErrorAnswer { status, headers: &headers, body }, now())
}

fn seen(id: &str, status: u16, body: &Value) -> Fault {
    seen_with(id, status, body, None)
}

fn after(ms: u64) -> RetryHint {
    RetryHint::After(Duration::from_millis(ms))
}

/// A Google error with an `ErrorInfo`.
fn google(code: u16, state: &str, message: &str, reason: &str, metadata: Value) -> Value {
    let kind = "type.googleapis.com/google.rpc.ErrorInfo";
    let info = json!({ "@type": kind, "reason": reason, "domain": "cloudcode-pa.googleapis.com", "metadata": metadata });
    json!({ "error": { "code": code, "message": message, "status": state, "details": [info] } })
}

fn openai(code: &str, message: &str) -> Value {
    json!({ "error": { "message": message, "type": "invalid_request_error", "code": code, "param": null } })
}

#[test]
fn p28_a_google_quota_belongs_to_credential_and_model_until_its_latest_hint() {
    let mut body = google(
        429,
        "RESOURCE_EXHAUSTED",
        "You have exhausted your capacity on this model. Your quota will reset after 2h3m4s.",
        "QUOTA_EXHAUSTED",
        json!({ "quotaResetDelay": "2h3m4.5s", "quotaResetTimeStamp": "2026-09-21T16:16:24Z" }),
    );
    let retry = json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7384.5s" });
    body["error"]["details"].as_array_mut().expect("details").push(retry);
    let quota = Fault::new(Scope::Model(after(7_384_500)), "QUOTA_EXHAUSTED");
    assert_eq!(seen("gemini_cli", 429, &body), quota);
    assert_eq!(seen("gemini_cli", 429, &json!([body])), quota, "an array of one");
    assert_eq!(seen("gemini_cli", 200, &body), quota, "inside a 200");
    let short =
        google(429, "RESOURCE_EXHAUSTED", "", "RATE_LIMIT_EXCEEDED", json!({ "quotaResetDelay": "373.8ms" }));
    let expected = Scope::Model(RetryHint::After(Duration::from_micros(373_800)));
    assert_eq!(seen("antigravity", 429, &short), Fault::new(expected, "RATE_LIMIT_EXCEEDED"));
}

#[test]
fn p22_a_quota_that_only_the_message_tells_is_one() {
    let body = json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED",
        "message": "Individual quota reached. Resets in 116h36m28s" } });
    let expected = Fault::new(Scope::Model(after(419_788_000)), "RESOURCE_EXHAUSTED");
    assert_eq!(seen("antigravity", 429, &body), expected);
}

#[test]
fn a_limit_of_zero_wins_over_the_delay_beside_it() {
    let message = "Quota exceeded for metric: generativelanguage.googleapis.com/x, limit: 0";
    let metadata = json!({ "quotaResetDelay": "576.244211ms" });
    for status in [400, 429] {
        let body = google(status, "RESOURCE_EXHAUSTED", message, "RATE_LIMIT_EXCEEDED", metadata.clone());
        assert_eq!(seen("antigravity", status, &body), Fault::new(Scope::ModelMissing, "QUOTA_LIMIT_ZERO"));
    }
}

#[test]
fn a_daily_and_a_minute_quota_are_told_apart_by_their_id() {
    let body = |id: &str| {
        let failure = json!({ "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{ "quotaId": id }] });
        json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "x", "details": [failure] } })
    };
    let scope = |id| seen("gemini_cli", 429, &body(id)).scope;
    assert_eq!(scope("GenerateRequestsPerDayPerProject"), Scope::Model(RetryHint::None));
    assert_eq!(scope("GenerateRequestsPerMinutePerProject"), Scope::Model(after(60_000)));
}

#[test]
fn p21_a_bare_429_follows_the_row_and_a_hint_makes_it_the_credentials() {
    let body = json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED",
        "message": "Resource has been exhausted (e.g. check quota)." } });
    assert_eq!(seen("antigravity", 429, &body), Fault::new(Scope::Unclear, "RESOURCE_EXHAUSTED"));
    assert_eq!(seen("gemini_cli", 429, &body).scope, Scope::Credential(RetryHint::None));
    assert_eq!(seen_with("antigravity", 429, &body, Some("7")).scope, Scope::Credential(after(7_000)));
    assert_eq!(seen("openai", 429, &Value::Null), Fault::new(Scope::Credential(RetryHint::None), "HTTP 429"));
}

#[test]
fn p28_no_capacity_concerns_the_model_for_everybody() {
    let capacity = Fault::new(Scope::Capacity, "MODEL_CAPACITY_EXHAUSTED");
    for status in [429, 503] {
        let body = google(status, "UNAVAILABLE", "", "MODEL_CAPACITY_EXHAUSTED", json!({}));
        assert_eq!(seen("gemini_cli", status, &body), capacity);
    }
    let text = json!({ "error": { "code": 503, "message": "No capacity available for model x" } });
    assert_eq!(seen("antigravity", 503, &text), capacity);
    assert_eq!(seen("openai", 503, &openai("engine_overloaded", "")).scope, Scope::Capacity);
}

#[test]
fn p21_a_403_is_decided_by_its_reason() {
    let link = "https://accounts.google.com/signin/continue?plt=FAKE";
    let body =
        google(403, "PERMISSION_DENIED", "Verify", "VALIDATION_REQUIRED", json!({ "validation_url": link }));
    let refused = Fault::new(Scope::Refused(Some(Secret::new(link))), "VALIDATION_REQUIRED");
    assert_eq!(seen("antigravity", 403, &body), refused);
    assert!(!format!("{refused:?}").contains("FAKE"), "the link is bound to the account");
    for reason in ["SUBSCRIPTION_REQUIRED", "TOS_VIOLATION", "UNSUPPORTED_CLIENT"] {
        let body = google(403, "PERMISSION_DENIED", "x (#3501)", reason, json!({}));
        assert_eq!(seen("gemini_cli", 403, &body), Fault::new(Scope::Refused(None), reason));
    }
    let old = json!({ "error": { "code": 403, "status": "PERMISSION_DENIED",
        "message": "Gemini has been disabled in this account for violation of Terms of Service." } });
    assert_eq!(seen("gemini_cli", 403, &old), Fault::new(Scope::Refused(None), "TOS_VIOLATION"));
    let unknown = json!({ "error": { "code": 403, "status": "PERMISSION_DENIED", "message": "no" } });
    assert_eq!(seen("gemini_cli", 403, &unknown).scope, Scope::Credential(RetryHint::None));
}

#[test]
fn p21_a_403_for_a_missing_scope_names_the_scope() {
    let body = google(403, "PERMISSION_DENIED", "x", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", json!({}));
    let told = |scopes: &str| {
        let text = format!(r#"Bearer realm="x", error="insufficient_scope", scope="{scopes}""#);
        let value = reqwest::header::HeaderValue::from_str(&text).expect("a header");
        let headers = [(reqwest::header::WWW_AUTHENTICATE, value)].into_iter().collect();
        classify(&row("gemini_cli"), ErrorAnswer { status: 403, headers: &headers, body: &body }, now())
    };
    let refused = |code: &str| Fault::new(Scope::Refused(None), code);
    let scope = "https://www.googleapis.com/auth/cloud-platform openid";
    assert_eq!(told(scope), refused("ACCESS_TOKEN_SCOPE_INSUFFICIENT: cloud-platform"));
    for unfit in ["", "sk-FAKE", "a0b1c2d3e4f5", "x y`@everyone", "<b>"] {
        let code = if unfit.starts_with('x') {
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT: x"
        } else {
            "ACCESS_TOKEN_SCOPE_INSUFFICIENT"
        };
        assert_eq!(told(unfit), refused(code), "{unfit}");
    }
    let restricted = openai(
        "",
        "You have insufficient permissions for this operation. Missing scopes: model.request. Check",
    );
    for status in [401, 403] {
        let expected = refused("invalid_request_error: model.request");
        assert_eq!(seen("openai", status, &restricted), expected);
    }
}

#[test]
fn p23_known_credential_and_quota_faults_hide_behind_400() {
    let key = google(400, "INVALID_ARGUMENT", "API key not valid.", "API_KEY_INVALID", json!({}));
    assert_eq!(seen("gemini_cli", 400, &key), Fault::new(Scope::Unauthorized, "API_KEY_INVALID"));
    let session = openai("invalid_parameter_error", "Your session has expired");
    assert_eq!(seen("qwen_code", 400, &session), Fault::new(Scope::Unauthorized, "session_expired"));
    let quota = openai("insufficient_quota", "Free allocated quota exceeded.");
    for status in [400, 403, 429] {
        let expected = Fault::new(Scope::Credential(RetryHint::None), "insufficient_quota");
        assert_eq!(seen("qwen_code", status, &quota), expected);
    }
}

#[test]
fn p23_the_requests_own_faults_blame_nobody() {
    let request = |class, code: &str| Fault::new(Scope::Request(class), code);
    let plain = openai("", "messages[0].content is odd");
    assert_eq!(seen("openai", 400, &plain), request(FailureClass::BadRequest, "invalid_request_error"));
    let long = openai("context_length_exceeded", "x");
    assert_eq!(seen("openrouter", 400, &long), request(FailureClass::TooLong, "context_length_exceeded"));
    assert_eq!(seen("openai", 413, &Value::Null), request(FailureClass::TooLong, "HTTP 413"));
    let filter = openai("content_filter", "x");
    assert_eq!(seen("openai", 400, &filter), request(FailureClass::Blocked, "content_filter"));
    let inspected = openai("data_inspection_failed", "x");
    assert_eq!(seen("dashscope", 400, &inspected), request(FailureClass::Blocked, "data_inspection_failed"));
    let tokens = json!({ "error": { "code": 400, "status": "INVALID_ARGUMENT",
        "message": "The input token count (9) exceeds the maximum number of tokens allowed (8)." } });
    assert_eq!(seen("gemini_cli", 400, &tokens), request(FailureClass::TooLong, "INVALID_ARGUMENT"));
}

#[test]
fn openai_counts_by_model_and_bills_by_account() {
    let rate = openai("rate_limit_exceeded", "Rate limit reached. Please try again in 6m0s.");
    assert_eq!(seen("openai", 429, &rate), Fault::new(Scope::Model(after(360_000)), "rate_limit_exceeded"));
    let broke = openai("insufficient_quota", "You exceeded your current quota");
    assert_eq!(seen("openai", 429, &broke).scope, Scope::Credential(RetryHint::None));
    let number = json!({ "error": { "code": 402, "message": "Insufficient credits" } });
    assert_eq!(seen("openrouter", 402, &number), Fault::new(Scope::Credential(RetryHint::None), "HTTP 402"));
    assert_eq!(seen("openrouter", 200, &number).scope, Scope::Credential(RetryHint::None), "inside a 200");
    let flagged = json!({ "error": { "code": 403, "message": "x", "metadata": { "flagged_input": "y" } } });
    assert_eq!(seen("openrouter", 403, &flagged).scope, Scope::Request(FailureClass::Blocked));
    assert_eq!(seen("openai", 404, &openai("model_not_found", "x")).scope, Scope::ModelMissing);
}

#[test]
fn qwen_and_iflow_have_words_of_their_own() {
    let dead = openai("invalid_api_key", "invalid access token or token expired");
    assert_eq!(seen("qwen_code", 401, &dead), Fault::new(Scope::Unauthorized, "invalid_api_key"));
    let throttled = json!({ "code": "Throttling.RateQuota", "message": "x", "request_id": "r" });
    let rests = Fault::new(Scope::Credential(RetryHint::None), "Throttling.RateQuota");
    assert_eq!(seen("dashscope", 429, &throttled), rests);
    for code in ["434", "438"] {
        let blocked =
            json!({ "status": code, "msg": "Access to the current AK has been blocked", "body": null });
        assert_eq!(seen("iflow", 200, &blocked), Fault::new(Scope::Refused(None), format!("IFLOW_{code}")));
    }
    assert_eq!(seen("iflow", 406, &Value::Null), Fault::new(Scope::Client, "HTTP 406"));
    let key = json!({ "status": "400", "msg": "Invalid API key provided", "body": null });
    assert_eq!(seen("iflow", 200, &key).scope, Scope::Unauthorized);
}

#[test]
fn an_old_client_is_told_apart_from_an_outage() {
    let body = json!({ "error": { "code": 503, "message": "This version of Antigravity is no longer supported. Update." } });
    assert_eq!(seen("antigravity", 503, &body), Fault::new(Scope::Client, "CLIENT_VERSION"));
    assert_eq!(seen("gemini_cli", 503, &body).scope, Scope::Provider);
    for status in [500, 502, 503, 504, 301, 408] {
        let expected = Fault::new(Scope::Provider, format!("HTTP {status}"));
        assert_eq!(seen("openai", status, &Value::Null), expected);
    }
}

#[test]
fn p33_prose_and_keys_never_become_codes() {
    for text in ["", "a sentence", "sk-FAKE", "AIzaSyD12345FAKE", "ya29.a0Ab12345678", "429", "x\ny", "ä"] {
        assert_eq!(reason_code(text), None, "{text}");
    }
    assert_eq!(
        reason_code("INSUFFICIENT_G1_CREDITS_BALANCE").as_deref(),
        Some("INSUFFICIENT_G1_CREDITS_BALANCE")
    );
    assert_eq!(reason_code("Throttling.RateQuota").as_deref(), Some("Throttling.RateQuota"));
    let echoed = openai("Incorrect API key provided: sk-FAKE", "Incorrect API key provided: sk-FAKE");
    let fault = seen("openai", 401, &echoed);
    assert_eq!(fault, Fault::new(Scope::Unauthorized, "HTTP 401"));
}
