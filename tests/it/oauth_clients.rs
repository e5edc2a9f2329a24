//! Client credentials (RFC 6749, section 4.4), from variables to an answer over real sockets: Azure OpenAI's addresses, and
//! a gateway that an operator describes.

use std::{sync::Arc, time::Duration};

use cortana::{
    config::{MapSource, load},
    pool::State,
    sandbox::vendor::{Act, Fault, Kind, Recorded, Vendors, short_hash},
};
use futures::future::join_all;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{talking::Bot, vendors::Served};

const MODEL: &str = "azure/gpt-large";

fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().expect("a folder"))
}

/// Azure's variables, led to the emulator's client without logins.
fn azure(served: &Served, folder: &TempDir) -> MapSource {
    let endpoints = Vendors::endpoints_of(&served.origin, "acme").expect("emulated");
    let (client, secret) = Vendors::client("acme").expect("a client");
    MapSource::new()
        .with("CREDENTIALS_DIR", folder.path().to_string_lossy())
        .with("STATE_DIR", folder.path().join("state").to_string_lossy())
        .with("AZURE_CLIENT_ID", client)
        .with("AZURE_CLIENT_SECRET", secret.expect("a secret"))
        .with("AZURE_TOKEN_ENDPOINT", endpoints.token_endpoint.expect("one"))
        .with("AZURE_OPENAI_ENDPOINT", endpoints.api_base)
        .with("AZURE_MODELS", "gpt-large")
}

fn of_kind(served: &Served, kind: Kind) -> Vec<Recorded> {
    let mut requests = served.vendors.requests();
    requests.retain(|request| request.kind == kind);
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_one_token_request_serves_fifty_chats_in_two_processes() {
    let served = Served::start().await;
    served.vendors.set_latency("acme", Duration::from_millis(50));
    let folder = folder();
    let one = Bot::configured(azure(&served, &folder), folder.clone()).await;
    let other = Bot::configured(azure(&served, &folder), folder.clone()).await;
    let asked = (0..50).map(|at| if at % 2 == 0 { one.ask(MODEL) } else { other.ask(MODEL) });
    for answer in join_all(asked).await {
        answer.expect("an answer");
    }
    assert_eq!(of_kind(&served, Kind::Token).len(), 1, "one token request");
    let chats = of_kind(&served, Kind::Chat);
    assert_eq!(chats.len(), 50);
    let chat = chats.first().expect("a chat");
    assert_eq!(chat.path, "/vendors/acme/v1/openai/deployments/gpt-large/chat/completions");
    assert_eq!(chat.query.get("api-version").map(String::as_str), Some("2024-10-21"));
    let bearers: std::collections::BTreeSet<_> =
        chats.iter().map(|chat| chat.headers.get("authorization")).collect();
    assert_eq!(bearers.len(), 1, "everybody has the same token");
}

#[tokio::test]
async fn the_client_asks_with_its_scope_and_the_token_outlives_the_process() {
    let served = Served::start().await;
    let folder = folder();
    let bot = Bot::configured(azure(&served, &folder), folder.clone()).await;
    bot.ask(MODEL).await.expect("an answer");
    let (client, secret) = Vendors::client("acme").expect("a client");
    let secret = secret.expect("a secret");
    assert_eq!(
        of_kind(&served, Kind::Token).first().map(|request| request.body.clone()),
        Some(json!({
            "grant_type": "client_credentials",
            "scope": "https://cognitiveservices.azure.com/.default",
            "client_id": client,
            "client_secret": short_hash(secret),
        }))
    );
    let snapshot = bot.snapshot();
    let view = snapshot.credentials.first().expect("a credential");
    assert_eq!(
        (view.state, view.dialect, view.place.as_str()),
        (State::Ready, "client credentials", "AZURE_CLIENT_SECRET")
    );
    for (name, text) in bot.kept().await {
        assert!(!text.contains(secret), "{name}: the secret stays where it was");
    }
    drop(bot);

    let next = Bot::configured(azure(&served, &folder), folder.clone()).await;
    next.ask(MODEL).await.expect("an answer");
    assert_eq!(of_kind(&served, Kind::Token).len(), 1, "the kept token serves");
    drop(next);
    let source = azure(&served, &folder).with("AZURE_SCOPE", "api://other/.default");
    Bot::configured(source, folder.clone()).await.ask(MODEL).await.expect("an answer");
    let tokens = of_kind(&served, Kind::Token);
    let scope = tokens.last().and_then(|request| request.body.get("scope").cloned());
    assert_eq!(
        (tokens.len(), scope),
        (2, Some(json!("api://other/.default"))),
        "another scope is another token"
    );
}

#[tokio::test]
async fn p9_a_token_that_is_refused_as_soon_as_it_came_makes_no_storm() {
    let served = Served::start().await;
    let folder = folder();
    let bot = Bot::configured(azure(&served, &folder), folder.clone()).await;
    bot.ask(MODEL).await.expect("an answer");
    let (client, _) = Vendors::client("acme").expect("a client");
    served.vendors.expire_access("acme", client);
    for _ in 0..5 {
        bot.ask(MODEL).await.expect_err("the service takes no token");
    }
    assert_eq!(of_kind(&served, Kind::Token).len(), 1);
}

#[tokio::test]
async fn p4_a_refused_client_is_not_sent_again() {
    let served = Served::start().await;
    let folder = folder();
    let source = azure(&served, &folder).with("AZURE_CLIENT_SECRET", "sk-FAKE-wrong");
    let bot = Bot::configured(source, folder.clone()).await;
    for _ in 0..5 {
        bot.ask(MODEL).await.expect_err("nobody can answer");
    }
    assert_eq!(of_kind(&served, Kind::Token).len(), 1);
    let snapshot = bot.snapshot();
    let reason = snapshot.credentials.first().and_then(|view| view.reason.clone()).expect("a reason");
    assert!(reason.contains("AZURE_CLIENT_SECRET") && !reason.contains("sk-FAKE"), "{reason}");
}

#[tokio::test]
async fn p3_a_token_endpoint_that_is_down_is_asked_once_for_all() {
    let served = Served::start().await;
    served.vendors.fault("acme", Fault::token(Act::unavailable()).always());
    let folder = folder();
    let source = azure(&served, &folder).with("REQUEST_DEADLINE_SECS", "5");
    let bot = Bot::configured(source, folder.clone()).await;
    for answer in join_all((0..20).map(|_| bot.ask(MODEL))).await {
        answer.expect_err("nobody can answer");
    }
    let requests = of_kind(&served, Kind::Token).len();
    assert!((1..=5).contains(&requests), "{requests} requests for 20 chats");
}

#[tokio::test]
async fn an_operators_gateway_takes_client_credentials_too() {
    let served = Served::start().await;
    let endpoints = Vendors::endpoints_of(&served.origin, "acme").expect("emulated");
    let (client, secret) = Vendors::client("acme").expect("a client");
    for client_auth in ["basic", "form"] {
        let folder = folder();
        let document = format!(
            "[providers.acme]\nwire = \"openai_chat\"\napi_base = \"{}\"\nmodels = [\"emulated-large\"]\n\
             [providers.acme.oauth]\ngrant = \"client_credentials\"\ntoken_endpoint = \"{}\"\n\
             client_auth = \"{client_auth}\"\nscopes = [\"chat\"]\n",
            endpoints.api_base,
            endpoints.token_endpoint.as_deref().expect("one"),
        );
        let source = MapSource::new()
            .with_document(&document)
            .with("CREDENTIALS_DIR", folder.path().to_string_lossy())
            .with("STATE_DIR", folder.path().join("state").to_string_lossy())
            .with("ACME_CLIENT_ID", client)
            .with("ACME_CLIENT_SECRET", secret.expect("a secret"));
        served.vendors.clear_requests();
        let bot = Bot::configured(source, folder).await;
        bot.ask("acme/emulated-large").await.expect("an answer");
        let kinds: Vec<Kind> = served.vendors.requests().iter().map(|request| request.kind).collect();
        assert_eq!(kinds, [Kind::Token, Kind::Chat], "{client_auth}");
    }
}

#[test]
fn half_a_client_is_a_mistake_that_names_the_other_half() {
    let told = |pairs: &[(&str, &str)]| {
        let source = pairs.iter().fold(MapSource::new(), |source, (name, value)| source.with(*name, *value));
        load(&source).expect_err("a mistake").to_string()
    };
    let without_secret = told(&[("AZURE_CLIENT_ID", "00000000-fake")]);
    assert!(without_secret.contains("AZURE_CLIENT_SECRET"), "{without_secret}");
    let without_id = told(&[("AZURE_CLIENT_SECRET", "canary")]);
    assert!(without_id.contains("AZURE_CLIENT_ID") && !without_id.contains("canary"), "{without_id}");
    let without_addresses = told(&[("AZURE_CLIENT_ID", "00000000-fake"), ("AZURE_CLIENT_SECRET", "canary")]);
    for name in ["AZURE_OPENAI_ENDPOINT", "AZURE_TOKEN_ENDPOINT"] {
        assert!(
            without_addresses.contains(name) && !without_addresses.contains("canary"),
            "{without_addresses}"
        );
    }
    let version = told(&[("AZURE_API_VERSION", "2024&x=1")]);
    assert!(version.contains("2024-10-21"), "{version}");
}
