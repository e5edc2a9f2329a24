//! Refusals as the emulated providers word them, understood by the bot: every notation of "come back later", and every
//! other refusal that is known.

use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use cortana::{
    llm::{
        FailureClass,
        classify::{ErrorAnswer, Fault as Meaning, Scope, classify},
    },
    pool::RetryHint,
    provider::{Catalog, ChatAuth},
    sandbox::vendor::{Act, Fault, Hint},
};
use serde_json::{Value, json};

use crate::support::vendors::Served;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 9, 21, 14, 13, 20).single().expect("a date")
}

fn path_of(provider: &str) -> &'static str {
    match provider {
        "gemini_cli" | "antigravity" => ":generateContent",
        "gemini" => "/models/m:generateContent",
        "anthropic" => "/messages",
        _ => "/chat/completions",
    }
}

/// What the bot makes of the next chat with this provider.
async fn understood(served: &Served, provider: &str, act: Act) -> Meaning {
    served.vendors.clear_faults(provider);
    served.vendors.fault(provider, Fault::chat(act));
    let row = served.provider(provider);
    let path = path_of(provider);
    let url = format!("{}{path}", row.api_bases.first().expect("a base"));
    let sent = reqwest::Client::new().post(url).json(&json!({})).send().await;
    let response = sent.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a body");
    // As the wires do with what Google sends in streams.
    let clean = text.replace(",,]", "]");
    let body: Value = serde_json::from_str(&clean).unwrap_or_default();
    classify(&row, ErrorAnswer { status, headers: &headers, body: &body }, now())
}

fn after(seconds: f64) -> RetryHint {
    RetryHint::After(Duration::from_secs_f64(seconds))
}

fn hint_of(meaning: &Meaning) -> RetryHint {
    let (Scope::Model(hint) | Scope::Credential(hint)) = &meaning.scope else {
        panic!("{meaning:?} is no rest")
    };
    *hint
}

fn at(seconds: i64) -> RetryHint {
    RetryHint::At(now() + chrono::TimeDelta::seconds(seconds))
}

/// Every notation of docs/providers.md that a Google service uses, with what it says.
fn of_google() -> Vec<(Hint, RetryHint)> {
    let text = str::to_owned;
    vec![
        (Hint::None, RetryHint::None),
        (Hint::RetryAfter(text("120")), after(120.0)),
        (Hint::RetryAfter(text("1.5")), after(1.5)),
        (Hint::RetryAfter(text("Mon, 21 Sep 2026 14:15:00 GMT")), at(100)),
        (Hint::RetryAfter(text("Monday, 21-Sep-26 14:15:00 GMT")), at(100)),
        (Hint::RetryAfter(text("Mon Sep 21 14:15:00 2026")), at(100)),
        (Hint::RetryAfterMs(text("250")), after(0.25)),
        (Hint::RetryInfo(text("34.07s")), after(34.07)),
        (Hint::RetryInfo(text("900ms")), after(0.9)),
        (Hint::ResetDelay(text("156h14m36.7s")), after(562_476.7)),
        (Hint::ResetDelay(text("373.8ms")), after(0.3738)),
        (Hint::ResetTimeStamp(text("2026-09-21T16:16:24Z")), at(7_384)),
        (Hint::ResetTimeStamp(text("2026-09-21T18:16:24+02:00")), at(7_384)),
        (Hint::Message(text("Please retry in 5.2s.")), after(5.2)),
        (Hint::Message(text("Your quota will reset after 156h14m36s.")), after(562_476.0)),
        (Hint::Message(text("Individual quota reached. Resets in 116h36m28s")), after(419_788.0)),
        (Hint::QuotaId(text("GenerateRequestsPerMinutePerProjectPerModel-FreeTier")), after(60.0)),
        (Hint::QuotaId(text("GenerateRequestsPerDayPerProjectPerModel-FreeTier")), RetryHint::None),
    ]
}

#[tokio::test]
async fn p22_every_notation_that_a_google_service_uses_is_understood() {
    let served = Served::start().await;
    for provider in ["gemini_cli", "antigravity", "gemini"] {
        for (hint, expected) in of_google() {
            let meaning = understood(&served, provider, Act::google_quota(&hint)).await;
            assert_eq!(hint_of(&meaning), expected, "{provider}: {hint:?}");
            assert!(matches!(meaning.scope, Scope::Model(_)), "{provider}: {hint:?}: {meaning:?}");
        }
    }
}

#[tokio::test]
async fn p22_every_notation_of_openais_shape_is_understood() {
    let served = Served::start().await;
    let text = str::to_owned;
    let notations = [
        (Hint::None, RetryHint::None),
        (Hint::RetryAfter(text("20")), after(20.0)),
        (Hint::RetryAfter(text("0.5")), after(0.5)),
        (Hint::RetryAfter(text("Mon, 21 Sep 2026 14:15:00 GMT")), at(100)),
        (Hint::RetryAfterMs(text("1500")), after(1.5)),
        (Hint::Message(text("Please try again in 20s.")), after(20.0)),
        (Hint::Message(text("Please try again in 6m0s.")), after(360.0)),
        (Hint::Message(text("Please try again in 350ms.")), after(0.35)),
        (Hint::Message(text("Please try again in 20 seconds.")), after(20.0)),
    ];
    let others = ["mistral", "groq", "deepseek", "xai", "huggingface", "bedrock", "local"];
    for provider in ["openai", "openrouter", "dashscope", "qwen_code", "iflow"].into_iter().chain(others) {
        for (hint, expected) in &notations {
            let meaning = understood(&served, provider, Act::openai_quota_with(hint)).await;
            assert_eq!(hint_of(&meaning), *expected, "{provider}: {hint:?}");
        }
    }
}

#[tokio::test]
async fn every_other_refusal_of_googles_is_understood() {
    let served = Served::start().await;
    let link = "https://accounts.google.com/verify?FAKE";
    let is_refused = |meaning: &Meaning| {
        let Scope::Refused(found) = &meaning.scope else { panic!("{meaning:?} is no refusal") };
        found.as_ref().map(|found| found.expose().to_owned())
    };
    let meaning = understood(&served, "gemini_cli", Act::google_validation(link)).await;
    assert_eq!((is_refused(&meaning).as_deref(), meaning.code.as_str()), (Some(link), "VALIDATION_REQUIRED"));
    let meaning = understood(&served, "gemini_cli", Act::google_suspended(Some(link))).await;
    assert_eq!((is_refused(&meaning).as_deref(), meaning.code.as_str()), (Some(link), "TOS_VIOLATION"));
    let meaning = understood(&served, "gemini_cli", Act::google_suspended(None)).await;
    assert_eq!((is_refused(&meaning), meaning.code.as_str()), (None, "TOS_VIOLATION"));
    for (act, expected) in [
        (Act::google_limit_zero(), Scope::ModelMissing),
        (Act::google_capacity(), Scope::Capacity),
        (Act::google_bare_429(), Scope::Unclear),
        (Act::antigravity_version(), Scope::Client),
        (Act::web_page(502), Scope::Provider),
        (Act::google_capacity().in_array_with_commas(), Scope::Capacity),
    ] {
        let meaning = understood(&served, "antigravity", act.clone()).await;
        assert_eq!(meaning.scope, expected, "{act:?}");
    }
}

#[tokio::test]
async fn every_other_refusal_of_openais_shape_is_understood() {
    let served = Served::start().await;
    let resting = Scope::Credential(RetryHint::None);
    for (provider, act, expected) in [
        ("qwen_code", Act::qwen_quota(403), Scope::Credential(RetryHint::None)),
        ("qwen_code", Act::qwen_quota(429), Scope::Credential(RetryHint::None)),
        ("iflow", Act::iflow_blocked(), Scope::Refused(None)),
        ("iflow", Act::iflow_status(439, "token expired"), Scope::Unauthorized),
        ("iflow", Act::iflow_status(449, "slow_down"), Scope::Credential(RetryHint::None)),
        ("openai", Act::unavailable(), Scope::Provider),
        ("openai", Act::web_page(403), Scope::Credential(RetryHint::None)),
        ("openai", Act::web_page(404), Scope::ModelMissing),
        ("openai", Act::web_page(413), Scope::Request(FailureClass::TooLong)),
        (
            "groq",
            Act::json(
                413,
                &json!({"error": {"message": "Request too large", "code": "rate_limit_exceeded"}}),
            ),
            Scope::Request(FailureClass::TooLong),
        ),
        ("deepseek", Act::json(402, &json!({"error": {"message": "Insufficient Balance"}})), resting.clone()),
        (
            "huggingface",
            Act::json(402, &json!({"error": "You have exceeded your monthly credits"})),
            resting.clone(),
        ),
        ("mistral", Act::json(401, &json!({"detail": "Unauthorized"})), Scope::Unauthorized),
        ("bedrock", Act::json(403, &json!({"message": "The security token is invalid."})), resting.clone()),
        (
            "local",
            Act::json(404, &json!({"error": {"message": "model \"m\" not found"}})),
            Scope::ModelMissing,
        ),
    ] {
        let meaning = understood(&served, provider, act.clone()).await;
        assert_eq!(meaning.scope, expected, "{provider}: {act:?}");
    }
}

#[tokio::test]
async fn every_refusal_of_anthropics_is_understood() {
    let served = Served::start().await;
    let plain = |status: u16, kind: &str| Act::anthropic(status, kind, "scripted refusal", None);
    let worded = |message: &str| Act::anthropic(400, "invalid_request_error", message, None);
    let throttled = |header: (&str, &str)| Act::anthropic(429, "rate_limit_error", "slower", Some(header));
    for (act, expected) in [
        (plain(401, "authentication_error"), Scope::Unauthorized),
        (plain(403, "permission_error"), Scope::Refused(None)),
        (plain(402, "billing_error"), Scope::Credential(RetryHint::None)),
        (plain(404, "not_found_error"), Scope::ModelMissing),
        (plain(413, "request_too_large"), Scope::Request(FailureClass::TooLong)),
        (plain(429, "rate_limit_error"), Scope::Model(RetryHint::None)),
        (throttled(("retry-after", "17")), Scope::Model(after(17.0))),
        (throttled(("retry-after", "Mon, 21 Sep 2026 14:15:00 GMT")), Scope::Model(at(100))),
        (Act::anthropic_quota("2026-09-21T14:14:20Z"), Scope::Model(at(60))),
        (plain(500, "api_error"), Scope::Provider),
        (plain(504, "timeout_error"), Scope::Provider),
        (plain(529, "overloaded_error"), Scope::Capacity),
        (plain(200, "overloaded_error"), Scope::Capacity),
        (worded("prompt is too long: 210000 tokens > 200000 maximum"), Scope::Request(FailureClass::TooLong)),
        (worded("Your credit balance is too low to access the API."), Scope::Credential(RetryHint::None)),
        (worded("This organization has been disabled."), Scope::Refused(None)),
        (worded("Output blocked by content filtering policy"), Scope::Request(FailureClass::Blocked)),
        (worded("max_tokens: Field required"), Scope::Request(FailureClass::BadRequest)),
        (Act::web_page(502), Scope::Provider),
    ] {
        let meaning = understood(&served, "anthropic", act.clone()).await;
        assert_eq!(meaning.scope, expected, "{act:?}");
    }
}

/// What each provider itself says to a wrong key, not a scripted refusal.
#[tokio::test]
async fn a_wrong_key_is_understood_wherever_it_is_tried() {
    let served = Served::start().await;
    for row in Catalog::builtin().iter().filter(|row| row.oauth().is_none()) {
        let row = served.provider(row.id.as_str());
        let path = path_of(row.id.as_str());
        let url = format!("{}{path}", row.api_bases.first().expect("a base"));
        let request = reqwest::Client::new().post(url).json(&json!({}));
        let request = match row.chat_auth {
            ChatAuth::Bearer | ChatAuth::IflowSignature => request.bearer_auth("sk-FAKE-wrong"),
            ChatAuth::GoogApiKey => request.header("x-goog-api-key", "sk-FAKE-wrong"),
            ChatAuth::XApiKey => request.header("x-api-key", "sk-FAKE-wrong"),
        };
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body: Value = response.json().await.expect("JSON");
        let meaning = classify(&row, ErrorAnswer { status, headers: &headers, body: &body }, now());
        assert_eq!(meaning.scope, Scope::Unauthorized, "{}: {status} {body}", row.id);
    }
}
