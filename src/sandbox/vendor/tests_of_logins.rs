//! Logins at the emulated providers, judged with a plain client against the RFCs.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    Act, Fault, Vendors,
    tests::{Desk, error_of, hello, told},
};
use crate::clock::VirtualClock;

const BACK: &str = "http://127.0.0.1:40001/oauth2callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn challenge() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

fn refused(status: u16, error: &str) -> (u16, String) {
    (status, error.to_owned())
}

/// Where the browser is sent, and its query.
async fn browse(desk: &Desk, path: &str, query: &[(&str, &str)]) -> (u16, Option<Url>) {
    let request = desk.client.get(format!("{}/vendors/{path}", desk.origin)).query(query);
    let response = request.send().await.expect("an answer");
    let to = response.headers().get("location").map(|to| to.to_str().expect("text").parse().expect("a URL"));
    (response.status().as_u16(), to)
}

fn query_of(url: Option<&Url>, name: &str) -> Option<String> {
    url?.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// A code of Acme's for the account at the browser.
async fn acme_code(desk: &Desk) -> String {
    let query = [
        ("response_type", "code"),
        ("client_id", "acme-client"),
        ("redirect_uri", BACK),
        ("state", "s-1"),
        ("code_challenge", &challenge()),
        ("code_challenge_method", "S256"),
    ];
    let (status, to) = browse(desk, "acme/oauth2/authorize", &query).await;
    assert_eq!(status, 302);
    assert_eq!(query_of(to.as_ref(), "state").as_deref(), Some("s-1"));
    assert!(to.as_ref().is_some_and(|to| to.as_str().starts_with(BACK)), "{to:?}");
    query_of(to.as_ref(), "code").expect("a code")
}

fn acme(desk: &Desk, form: &[(&str, &str)]) -> RequestBuilder {
    desk.post("acme/oauth2/token").basic_auth("acme-client", Some("fake-acme-client-secret")).form(form)
}

fn redeem(desk: &Desk, code: &str, verifier: &str) -> RequestBuilder {
    let grant = ("grant_type", "authorization_code");
    acme(desk, &[grant, ("code", code), ("redirect_uri", BACK), ("code_verifier", verifier)])
}

fn text<'a>(body: &'a Value, field: &str) -> &'a str {
    body.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The example of RFC 7636, appendix B.
#[test]
fn the_challenge_is_the_one_of_the_rfc() {
    assert_eq!(challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

#[tokio::test]
async fn a_login_in_a_browser_is_proven_by_its_verifier() {
    let desk = Desk::open().await;
    desk.vendors.sign_in("acme", "ada@example.com");
    let code = acme_code(&desk).await;
    assert_eq!(error_of(redeem(&desk, &code, &VERIFIER.to_lowercase())).await, refused(400, "invalid_grant"));
    let grant = ("grant_type", "authorization_code");
    let without = acme(&desk, &[grant, ("code", &code), ("redirect_uri", BACK)]);
    assert_eq!(error_of(without).await, refused(400, "invalid_grant"));
    let elsewhere =
        [grant, ("code", &code), ("redirect_uri", "http://127.0.0.1:1/"), ("code_verifier", VERIFIER)];
    assert_eq!(error_of(acme(&desk, &elsewhere)).await, refused(400, "redirect_uri_mismatch"));
    let (status, body) = told(redeem(&desk, &code, VERIFIER)).await;
    assert_eq!(status, 200, "{body}");
    let (status, _) = told(desk.chat("acme", text(&body, "access_token"), &hello())).await;
    assert_eq!(status, 200);
    assert_eq!(desk.vendors.counts_of("acme").accounts.get("ada@example.com").map(|own| own.chats), Some(1));
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_the_login_that_was_made_of_it() {
    let desk = Desk::open().await;
    let code = acme_code(&desk).await;
    let (_, body) = told(redeem(&desk, &code, VERIFIER)).await;
    let (access, refresh) = (text(&body, "access_token"), text(&body, "refresh_token"));
    assert_eq!(told(desk.chat("acme", access, &hello())).await.0, 200);
    assert_eq!(error_of(redeem(&desk, &code, VERIFIER)).await, refused(400, "invalid_grant"));
    assert_eq!(told(desk.chat("acme", access, &hello())).await.0, 401);
    let refresh = acme(&desk, &[("grant_type", "refresh_token"), ("refresh_token", refresh)]);
    assert_eq!(error_of(refresh).await, refused(400, "invalid_grant"));
}

#[tokio::test]
async fn a_code_lives_ten_minutes() {
    let (desk, clock) = on_a_clock().await;
    let code = acme_code(&desk).await;
    clock.step(TimeDelta::minutes(10));
    assert_eq!(error_of(redeem(&desk, &code, VERIFIER)).await, refused(400, "invalid_grant"));
}

#[tokio::test]
async fn what_a_browser_brings_is_judged_before_anybody_is_sent_anywhere() {
    let desk = Desk::open().await;
    let good = [
        ("response_type", "code"),
        ("client_id", "acme-client"),
        ("redirect_uri", BACK),
        ("state", "s-1"),
        ("code_challenge", &challenge()),
        ("code_challenge_method", "S256"),
    ];
    let with = |name: &'static str, value: &'static str| {
        good.iter()
            .map(|(known, old)| (*known, if *known == name { value } else { *old }))
            .collect::<Vec<_>>()
    };
    for (name, value, status) in [
        ("client_id", "somebody", 401),
        ("redirect_uri", "https://evil.example/", 400),
        ("redirect_uri", "http://127.0.0.1.evil.example/", 400),
        ("redirect_uri", "http://127.0.0.1:1/#fragment", 400),
    ] {
        let answer = browse(&desk, "acme/oauth2/authorize", &with(name, value)).await;
        assert_eq!(answer, (status, None), "{name}={value}");
    }
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
    ] {
        let (status, to) = browse(&desk, "acme/oauth2/authorize", &with(name, value)).await;
        assert_eq!((status, query_of(to.as_ref(), "error").as_deref()), (302, Some(error)), "{name}={value}");
        assert_eq!(query_of(to.as_ref(), "state").as_deref(), Some("s-1"));
    }
    desk.vendors.decline("acme");
    let (_, to) = browse(&desk, "acme/oauth2/authorize", &good).await;
    assert_eq!(query_of(to.as_ref(), "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn google_gives_a_refresh_token_once_unless_it_is_asked_again() {
    let desk = Desk::open().await;
    let (id, secret) = Vendors::client("gemini_cli").expect("logins");
    let refresh_token = async |further: &[(&str, &str)]| {
        let query =
            [&[("response_type", "code"), ("client_id", id), ("redirect_uri", BACK)], further].concat();
        let (_, to) = browse(&desk, "gemini_cli/o/oauth2/v2/auth", &query).await;
        let code = query_of(to.as_ref(), "code").expect("a code");
        assert!(code.starts_with("4/0"), "{code}");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", BACK),
            ("client_id", id),
            ("client_secret", secret.expect("a secret")),
        ];
        let (status, body) = told(desk.post("gemini_cli/token").form(&form)).await;
        assert_eq!(status, 200, "{body}");
        let info = desk.client.get(format!("{}/vendors/gemini_cli/oauth2/v2/userinfo", desk.origin));
        let (_, who) = told(info.bearer_auth(text(&body, "access_token"))).await;
        assert_eq!(text(&who, "email"), "a@example.com");
        body.get("refresh_token").is_some()
    };
    let offline = ("access_type", "offline");
    assert!(!refresh_token(&[]).await, "online access has none");
    assert!(!refresh_token(&[offline]).await, "the account has consented before");
    assert!(refresh_token(&[offline, ("prompt", "consent")]).await);
}

#[tokio::test]
async fn iflow_has_its_own_name_for_the_redirect_and_wraps_its_replies_at_times() {
    let desk = Desk::open().await;
    let (id, secret) = Vendors::client("iflow").expect("logins");
    let query =
        [("loginMethod", "phone"), ("type", "phone"), ("redirect", BACK), ("state", "s"), ("client_id", id)];
    let (_, to) = browse(&desk, "iflow/oauth", &query).await;
    let code = query_of(to.as_ref(), "code").expect("a code");
    desk.vendors.wrap_tokens("iflow");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", BACK),
        ("client_id", id),
        ("client_secret", secret.expect("a secret")),
    ];
    let (status, body) = told(desk.post("iflow/oauth/token").form(&form).basic_auth(id, secret)).await;
    assert_eq!((status, body.get("success")), (200, Some(&json!(true))));
    assert!(body.pointer("/data/refresh_token").is_some_and(Value::is_string), "{body}");
}

async fn on_a_clock() -> (Desk, Arc<VirtualClock>) {
    let epoch: DateTime<Utc> = Utc.with_ymd_and_hms(2026, 9, 21, 14, 13, 20).single().expect("an instant");
    let clock = Arc::new(VirtualClock::starting_at(epoch));
    (Desk::of(Vendors::with_clock(clock.clone())).await, clock)
}

/// A device that asked Acme for its code.
async fn acme_device(desk: &Desk) -> Value {
    let (status, body) = told(desk.post("acme/oauth2/device").form(&[("client_id", "acme-client")])).await;
    assert_eq!((status, body.get("interval")), (200, Some(&json!(5))), "{body}");
    body
}

fn poll(desk: &Desk, device: &Value) -> RequestBuilder {
    acme(desk, &[("grant_type", DEVICE_GRANT), ("device_code", text(device, "device_code"))])
}

#[tokio::test]
async fn a_device_waits_for_its_person_and_is_slowed_down() {
    let (desk, clock) = on_a_clock().await;
    let device = acme_device(&desk).await;
    let step = async |seconds: i64| {
        clock.step(TimeDelta::seconds(seconds));
        error_of(poll(&desk, &device)).await.1
    };
    assert_eq!(step(0).await, "authorization_pending");
    assert_eq!(step(5).await, "authorization_pending");
    assert_eq!(step(4).await, "slow_down", "the interval is ten seconds from here on");
    assert_eq!(step(9).await, "slow_down", "and fifteen");
    assert_eq!(step(14).await, "slow_down", "and twenty");
    assert_eq!(step(20).await, "authorization_pending");
    let user_code = text(&device, "user_code");
    assert!(!desk.vendors.confirm_device("acme", "NOBO-DYXX", "ada@example.com"));
    assert!(desk.vendors.confirm_device("acme", &user_code.to_lowercase(), "ada@example.com"));
    let (status, body) = told(poll(&desk, &device)).await;
    assert_eq!(status, 200, "{body}");
    assert!(!text(&body, "refresh_token").is_empty());
    assert_eq!(error_of(poll(&desk, &device)).await, refused(400, "invalid_grant"), "a code has one use");
}

#[tokio::test]
async fn a_device_is_denied_and_expires() {
    let (desk, clock) = on_a_clock().await;
    let device = acme_device(&desk).await;
    let page = text(&device, "verification_uri_complete").replace(&desk.origin, "");
    desk.vendors.decline("acme");
    let visit = desk.client.get(format!("{}{page}", desk.origin)).send().await.expect("an answer");
    assert_eq!(visit.status(), 200);
    assert_eq!(error_of(poll(&desk, &device)).await, refused(400, "access_denied"));
    let other = acme_device(&desk).await;
    clock.step(TimeDelta::minutes(15));
    assert_eq!(error_of(poll(&desk, &other)).await, refused(400, "expired_token"));
    let stranger = acme(&desk, &[("grant_type", DEVICE_GRANT), ("device_code", "FAKE-none")]);
    assert_eq!(error_of(stranger).await, refused(400, "invalid_grant"));
}

#[tokio::test]
async fn qwens_devices_prove_themselves_and_are_slowed_down_by_a_429() {
    let (desk, _clock) = on_a_clock().await;
    let (id, _) = Vendors::client("qwen_code").expect("logins");
    let begin = |further: &[(&str, &str)]| {
        let form =
            [&[("client_id", id), ("scope", "openid profile email model.completion")], further].concat();
        desk.post("qwen_code/api/v1/oauth2/device/code").form(&form)
    };
    assert_eq!(error_of(begin(&[])).await, refused(400, "invalid_request"));
    let (_, device) =
        told(begin(&[("code_challenge", &challenge()), ("code_challenge_method", "S256")])).await;
    assert_eq!(device.get("interval"), None, "Qwen names none");
    let poll = |verifier: &str| {
        let code = text(&device, "device_code");
        let form = [
            ("grant_type", DEVICE_GRANT),
            ("client_id", id),
            ("device_code", code),
            ("code_verifier", verifier),
        ];
        desk.post("qwen_code/api/v1/oauth2/token").form(&form)
    };
    assert_eq!(error_of(poll("wrong")).await, refused(400, "invalid_grant"));
    assert_eq!(error_of(poll(VERIFIER)).await, refused(400, "authorization_pending"));
    assert_eq!(error_of(poll(VERIFIER)).await, refused(429, "slow_down"));
    let page = desk.client.get(text(&device, "verification_uri_complete"));
    assert_eq!(page.send().await.expect("an answer").status(), 200);
    let (status, body) = told(poll(VERIFIER)).await;
    assert_eq!(status, 200, "{body}");
    assert!(!text(&body, "resource_url").is_empty());
    desk.vendors.fault("qwen_code", Fault::device(Act::web_page(200)));
    assert_eq!(told(begin(&[])).await, (200, Value::Null), "the page that was seen when it closed");
}

#[tokio::test]
async fn a_client_may_ask_on_its_own_behalf_where_that_is_allowed() {
    let desk = Desk::open().await;
    let (status, body) = told(acme(&desk, &[("grant_type", "client_credentials"), ("scope", "chat")])).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body.get("refresh_token"), None, "RFC 6749, section 4.4.3");
    assert_eq!(told(desk.chat("acme", text(&body, "access_token"), &hello())).await.0, 200);
    let (id, secret) = Vendors::client("gemini_cli").expect("logins");
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", id),
        ("client_secret", secret.expect("a secret")),
    ];
    assert_eq!(
        error_of(desk.post("gemini_cli/token").form(&form)).await,
        refused(400, "unauthorized_client")
    );
}

#[tokio::test]
async fn refusals_have_the_bodies_and_headers_of_the_rfc() {
    let desk = Desk::open().await;
    let answered = async |request: RequestBuilder| {
        let response = request.send().await.expect("an answer");
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
        let headers = (header("cache-control"), header("www-authenticate").is_some());
        (response.status().as_u16(), headers, response.json::<Value>().await.expect("JSON"))
    };
    let no_store = Some("no-store".to_owned());
    let token = desk.post("acme/oauth2/token");
    let form = [("grant_type", "client_credentials")];
    let (status, headers, body) = answered(token.basic_auth("acme-client", Some("wrong")).form(&form)).await;
    assert_eq!((status, headers, text(&body, "error")), (401, (no_store.clone(), true), "invalid_client"));
    let (status, headers, body) = answered(acme(&desk, &form)).await;
    assert_eq!((status, headers, text(&body, "token_type")), (200, (no_store.clone(), false), "Bearer"));
    for (form, error) in [
        (vec![("scope", "x")], "invalid_request"),
        (vec![("grant_type", "password")], "unsupported_grant_type"),
        (vec![("grant_type", "refresh_token"), ("grant_type", "refresh_token")], "invalid_request"),
        (vec![("grant_type", "refresh_token"), ("refresh_token", "FAKE")], "invalid_grant"),
        (
            vec![("grant_type", "client_credentials"), ("client_secret", "fake-acme-client-secret")],
            "invalid_request",
        ),
    ] {
        let (status, headers, body) = answered(acme(&desk, &form)).await;
        assert_eq!(
            (status, headers, text(&body, "error")),
            (400, (no_store.clone(), false), error),
            "{form:?}"
        );
        assert!(!text(&body, "error_description").is_empty());
    }
}

#[tokio::test]
async fn a_spent_refresh_token_ends_the_login_where_the_provider_does_so() {
    let desk = Desk::open().await;
    let spend = async |provider: &str, refresh: &str| {
        let (id, secret) = Vendors::client(provider).expect("logins");
        let mut form = vec![("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", refresh)];
        form.extend(secret.map(|secret| ("client_secret", secret)));
        let path = if provider == "acme" { "acme/oauth2/token" } else { "qwen_code/api/v1/oauth2/token" };
        told(desk.post(path).form(&form)).await
    };
    // What is left of the login after its first refresh token came a second time.
    let after_reuse = async |provider: &str| {
        let login = desk.vendors.mint(provider, "a@example.com");
        let other = desk.vendors.mint(provider, "a@example.com");
        let (_, body) = spend(provider, &login.refresh).await;
        assert_eq!(spend(provider, &login.refresh).await.0, 400);
        assert_eq!(spend(provider, &other.refresh).await.0, 200, "another login of the account goes on");
        spend(provider, text(&body, "refresh_token")).await.0
    };
    assert_eq!(after_reuse("acme").await, 400);
    assert_eq!(after_reuse("qwen_code").await, 200);
    desk.vendors.revoke_family_on_reuse("qwen_code");
    assert_eq!(after_reuse("qwen_code").await, 400);
}

#[tokio::test]
async fn nothing_secret_of_a_login_is_recorded() {
    let desk = Desk::open().await;
    let code = acme_code(&desk).await;
    let (_, body) = told(redeem(&desk, &code, VERIFIER)).await;
    let device = acme_device(&desk).await;
    told(poll(&desk, &device)).await;
    let shown = serde_json::to_string(&desk.vendors.requests()).expect("serialisable");
    for secret in [&code, VERIFIER, text(&body, "access_token"), text(&device, "device_code")] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
