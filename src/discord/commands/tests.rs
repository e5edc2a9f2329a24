//! What operators read: status pages, choices, and reports of refreshes, against fixed snapshots.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::{
    discord::card,
    language::Languages,
    oauth::RefreshError,
    pool::{CoolingModel, LastRefresh, RefreshReport, RefreshResult, Snapshot, State},
    provider::Catalog,
};

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

fn provider(id: &str) -> ProviderId {
    id.parse().unwrap()
}

fn credential(id: &str, state: State) -> CredentialView {
    CredentialView {
        provider: Some(provider("gemini_cli")),
        account: "al…@example.com".to_owned(),
        dialect: "simple",
        expires_at: Some(now() + TimeDelta::minutes(42)),
        ..CredentialView::unknown(CredentialId::new(id), "gemini.json", state)
    }
}

fn page(credentials: Vec<CredentialView>, page: usize) -> serde_json::Value {
    let snapshot = Snapshot { taken_at: now(), credentials };
    embeds::status(
        &Language::english(),
        &snapshot,
        &Catalog::builtin(),
        &embeds::View { provider: None, page },
    )
}

#[test]
fn p32_status_shows_state_expiry_refresh_and_use() {
    let body = page(vec![credential("c0ffee", State::Ready)], 0);
    let field = &body["embeds"][0]["fields"][0];
    assert_eq!(field["name"], "✅ Valid · gemini_cli · al…@example.com");
    assert_eq!(
        field["value"],
        "Expires in 00:42 (<t:1800002520:R>)\nNot refreshed since the start, 0 attempts\n0 requests, never used, 0 in \
         flight\nsimple in gemini.json · `c0ffee`"
    );
    assert_eq!(body["components"][0]["components"][0]["label"], "Refresh now");
    let notes = body["embeds"][0]["description"].as_str().unwrap();
    assert!(notes.starts_with("1 credential: 1 valid.\n**gemini_cli**, since 2026-06-18: "), "{notes}");
}

#[test]
fn p32_status_shows_what_is_wrong() {
    let sick = CredentialView {
        reason: Some("The refresh keeps failing: HTTP 503.".to_owned()),
        unsaved: true,
        expires_at: Some(now() - TimeDelta::minutes(61)),
        cooling_until: Some(now() + TimeDelta::seconds(90)),
        cooling_models: vec![CoolingModel {
            model: "gemini-2.5-pro".to_owned(),
            until: now() + TimeDelta::hours(3),
            reason: "QUOTA_EXHAUSTED".to_owned(),
        }],
        last_refresh: Some(LastRefresh { at: now(), failure: Some("HTTP 503".to_owned()) }),
        refresh_attempts: 1,
        last_used_at: Some(now()),
        requests: 1,
        in_flight: 2,
        ..credential("c0ffee", State::Expired)
    };
    let body = page(vec![sick], 0);
    let field = &body["embeds"][0]["fields"][0];
    assert_eq!(field["name"], "❌ EXPIRED · gemini_cli · al…@example.com");
    assert_eq!(
        field["value"],
        "💾 Cannot save: the last write failed; the token lives in memory\nThe refresh keeps failing: HTTP 503.\nRests, \
         back <t:1800000090:R>\n`gemini-2.5-pro` rests, back <t:1800010800:R> (QUOTA_EXHAUSTED)\nExpired 01:01 ago \
         (<t:1799996340:R>)\nLast refresh <t:1800000000:R>: failed (HTTP 503), 1 attempt\n1 request, used \
         <t:1800000000:R>, 2 in flight\nsimple in gemini.json · `c0ffee`"
    );
}

#[test]
fn status_pages_hold_ten_and_keep_discords_limits() {
    let long = |index: usize| CredentialView {
        account: "ä".repeat(300),
        reason: Some("😀".repeat(900)),
        ..credential(&format!("c{index}"), State::NeedsLogin)
    };
    let all: Vec<_> = (0..23).map(long).collect();
    for (asked, shown, number) in [(0, 10, 1), (1, 10, 2), (2, 3, 3), (9, 3, 3)] {
        let body = page(all.clone(), asked);
        let embed = &body["embeds"][0];
        let fields = embed["fields"].as_array().unwrap();
        assert_eq!(fields.len(), shown);
        assert_eq!(embed["footer"]["text"], format!("Page {number} of 3"));
        let units = |value: &serde_json::Value| value.as_str().unwrap().encode_utf16().count();
        let mut sum = units(&embed["title"]) + units(&embed["description"]) + units(&embed["footer"]["text"]);
        for field in fields {
            assert!(units(&field["name"]) <= 256 && units(&field["value"]) <= 1024);
            sum += units(&field["name"]) + units(&field["value"]);
        }
        assert!(sum <= 6000, "{sum}");
        let buttons = body["components"][0]["components"].as_array().unwrap();
        let ids: BTreeSet<_> = buttons.iter().map(|button| button["custom_id"].to_string()).collect();
        assert_eq!(ids.len(), buttons.len(), "ids are distinct");
    }
}

#[test]
fn an_empty_pool_says_what_to_set() {
    let body = page(Vec::new(), 0);
    let text = body["content"].as_str().unwrap();
    assert!(text.starts_with("No OAuth credentials configured"), "{text}");
    assert!(text.contains("GEMINI_CLI_OAUTH_CREDENTIALS") && text.contains("CREDENTIALS_DIR"), "{text}");
}

#[test]
fn d28_every_state_is_a_word_and_its_sign_stands_first() {
    let languages = Languages::built_in();
    let mut labels = BTreeSet::new();
    for (name, state) in languages.names().flat_map(|name| State::ALL.map(|state| (name, state))) {
        let language = languages.named(name).unwrap();
        let snapshot = Snapshot { taken_at: now(), credentials: vec![credential("c0ffee", state)] };
        let view = embeds::View { provider: None, page: 0 };
        let body = embeds::status(&language, &snapshot, &Catalog::builtin(), &view);
        let heading = body["embeds"][0]["fields"][0]["name"].as_str().unwrap();
        let label = embeds::label(&language, state);
        assert!(heading.starts_with(&label), "{heading}");
        assert!(label.split(' ').nth(1).is_some_and(|word| word.chars().all(char::is_alphabetic)), "{label}");
        if name == "en" {
            assert_eq!(label, state.label(), "the command line and Discord say the same");
        }
        assert!(labels.insert((name, label)), "no two states read alike");
        let credential = credential("c0ffee", state);
        let card = card::body(&language, &credential, None, now(), "");
        assert!(card["embeds"][0]["title"].as_str().unwrap().starts_with(&embeds::label(&language, state)));
        for row in body["components"].as_array().unwrap().iter().chain(card["components"].as_array().unwrap())
        {
            for part in row["components"].as_array().unwrap() {
                let words = part["label"].as_str().or(part["placeholder"].as_str()).unwrap();
                assert!(words.chars().any(char::is_alphabetic) && words.chars().count() <= 80, "{words}");
            }
        }
    }
}

#[test]
fn choices_are_found_by_what_they_show() {
    let all = [
        credential("c0ffee", State::Ready),
        CredentialView {
            provider: Some(provider("qwen_code")),
            account: "bo…@example.com".to_owned(),
            expires_at: None,
            ..credential("decade", State::NeedsLogin)
        },
    ];
    let english = Language::english();
    let label = "gemini_cli · al…@example.com · valid · expires in 42 min";
    assert_eq!(
        credential_choices(&english, &all, (None, "VALID"), now()),
        [(label.to_owned(), "c0ffee".to_owned())],
        "by state, whatever the case"
    );
    assert_eq!(credential_choices(&english, &all, (Some(&provider("qwen_code")), ""), now()).len(), 1);
    assert_eq!(credential_choices(&english, &all, (Some(&provider("qwen_code")), "al…"), now()), []);
    let many: Vec<_> = (0..40).map(|index| credential(&format!("c{index}"), State::Ready)).collect();
    assert_eq!(credential_choices(&english, &many, (None, ""), now()).len(), CHOICES);
}

fn report(result: RefreshResult) -> RefreshReport {
    RefreshReport {
        credential: CredentialId::new("c0ffee"),
        provider: provider("gemini_cli"),
        account: "al…@example.com".to_owned(),
        result,
    }
}

fn text(reports: &[RefreshReport]) -> String {
    report::body(&Language::english(), &provider("gemini_cli"), reports, "0badcafe")["content"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_success_is_one_headline_and_a_line_each() {
    let fresh = report(RefreshResult::Refreshed { expires_at: Some(now()) });
    assert_eq!(
        text(&[fresh]),
        "✅ Successfully refreshed token for **gemini_cli**\n✅ Refreshed: al…@example.com, expires \
         <t:1800000000:R>\n-# id 0badcafe"
    );
}

#[test]
fn a_failure_says_what_why_and_what_next() {
    let failures = [
        RefreshError::InvalidGrant { code: "invalid_grant".to_owned() },
        RefreshError::ClientRefused { code: "invalid_client".to_owned() },
        RefreshError::NoClient { variables: "GEMINI_CLI_CLIENT_SECRET".to_owned() },
        RefreshError::NoRefreshToken,
        RefreshError::Transient { problem: "HTTP 503".to_owned(), retry_after: Some(Duration::from_secs(7)) },
        RefreshError::Unknown { problem: "not JSON".to_owned() },
        RefreshError::ForeignEndpoint { host: "evil.example".to_owned() },
        RefreshError::Refused { reason: "VALIDATION_REQUIRED".to_owned(), link: None },
    ];
    for failure in failures {
        let why = failure.to_string();
        let text = text(&[report(RefreshResult::Failed(failure))]);
        assert!(text.starts_with("❌ Failed to refresh token"), "{text}");
        assert!(text.contains(&why), "{text}");
        let tips = text.lines().filter(|line| line.starts_with("- ")).count();
        assert!((1..=3).contains(&tips), "{text}");
        assert!(text.ends_with("-# id 0badcafe"), "{text}");
    }
}

#[test]
fn many_failures_stay_within_one_message() {
    let failed =
        report(RefreshResult::Failed(RefreshError::InvalidGrant { code: "invalid_grant".to_owned() }));
    let mut reports = vec![failed; 60];
    reports.push(report(RefreshResult::NothingToRefresh));
    let text = text(&reports);
    assert!(text.encode_utf16().count() <= 2000);
    assert!(text.starts_with("⚠️ Refreshed 0 of 61 tokens"), "{text}");
    assert!(text.ends_with("-# id 0badcafe"), "{text}");
}

#[test]
fn p4_a_refused_token_is_sent_again_only_after_a_click() {
    let body = report::body(
        &Language::english(),
        &provider("gemini_cli"),
        &[report(RefreshResult::RefusedBefore)],
        "0badcafe",
    );
    assert_eq!(body["components"][0]["components"][0]["custom_id"], "confirm:c0ffee");
    let fresh = report(RefreshResult::Refreshed { expires_at: None });
    let body = report::body(&Language::english(), &provider("gemini_cli"), &[fresh], "0badcafe");
    assert_eq!(body["components"], serde_json::json!([]));
}
