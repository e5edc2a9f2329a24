//! A provider of the operator's own, from `cortana.toml` to an answer, with the real binary and `provider check`.

use std::{collections::BTreeMap, process::Output};

use cortana::{
    config::{MapSource, load},
    provider::{ChatAuth, ClientAuth, Wire},
    sandbox::vendor::{Act, Fault, Kind, Reply, Vendors},
};
use serde_json::Value;

use crate::support::{binary::Home, vendors::Served};

fn mistakes(document: &str) -> String {
    load(&MapSource::new().with_document(document)).expect_err("mistakes").to_string()
}

#[test]
fn an_own_provider_stands_beside_the_others_and_takes_their_variables() {
    let document = r#"
        [providers.acme]
        wire = "anthropic_messages"
        api_base = "https://llm.acme.example/v1/"
        models = ["acme-large"]
        early_secs = 900
        [providers.acme.oauth]
        token_endpoint = "https://id.acme.example/token"
        client_auth = "basic"
        client_id = "cortana"
        rotates = true
    "#;
    let settings = load(
        &MapSource::new()
            .with_document(document)
            .with("ACME_CLIENT_SECRET", "canary")
            .with("ACME_MODELS", "acme-huge")
            .with("PROVIDER_ORDER", "acme")
            .with("DEFAULT_MODEL", "acme/acme-huge"),
    )
    .expect("a good configuration");
    let row = settings.providers.iter().next().expect("a row");
    assert_eq!(
        (row.id.as_str(), row.wire, row.chat_auth),
        ("acme", Wire::AnthropicMessages, ChatAuth::XApiKey)
    );
    assert_eq!(row.api_bases.first().map(url::Url::as_str), Some("https://llm.acme.example/v1"));
    let spec = row.oauth().expect("logins");
    assert_eq!((spec.client_auth, spec.rotates), (ClientAuth::Basic, true));
    assert!(spec.client().is_some_and(|client| client.secret.is_some()), "the secret is the variable's");
    assert_eq!(settings.warnings, [] as [&str; 0]);
}

#[test]
fn mistakes_of_own_providers_are_told_with_all_others() {
    let told = mistakes(
        r#"
        [providers.openai]
        wire = "openai_chat"
        [providers.acme]
        wire = "openai_chat"
        api_base = "http://llm.acme.example/v1"
        models = ["a"]
        [providers.other]
        wire = "telepathy"
        api_base = "https://x.example"
        models = ["a"]
        [providers.third]
        wire = "openai_chat"
        api_base = "https://x.example"
        models = ["a"]
        oauth = { token_endpoint = "http://id.example/token", client_auth = "form" }
        "#,
    );
    for expected in [
        "4 mistakes",
        "cortana.toml: providers.openai: this provider is built in",
        "cortana.toml: providers.acme: api_base: expected https; a key goes over http to this host only if",
        "cortana.toml: providers.other: unknown variant `telepathy`",
        "cortana.toml: providers.third: oauth.token_endpoint: expected https, or http to 127.0.0.1",
    ] {
        assert!(told.contains(expected), "{expected}\n---\n{told}");
    }
}

/// Acme, as an operator describes it, at the emulator.
fn acme(served: &Served, client_auth: &str) -> Home {
    let endpoints = Vendors::endpoints_of(&served.origin, "acme").expect("emulated");
    let (client, secret) = Vendors::client("acme").expect("logins");
    let variables = BTreeMap::from([
        ("ACME_OAUTH_CREDENTIALS", "login.json"),
        ("ACME_CLIENT_SECRET", secret.expect("a secret")),
        ("RUST_LOG", "off"),
    ]);
    let home =
        Home::new(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
    let document = format!(
        "[providers.acme]\nname = \"Acme\"\nwire = \"openai_chat\"\napi_base = \"{}\"\n\
         models = [\"emulated-large\", \"acme-tiny\"]\n[providers.acme.oauth]\ntoken_endpoint = \"{}\"\n\
         client_auth = \"{client_auth}\"\nclient_id = \"{client}\"\nrotates = true\n",
        endpoints.api_base,
        endpoints.token_endpoint.expect("logins"),
    );
    put(&home, "cortana.toml", &document);
    home
}

#[expect(clippy::disallowed_methods, reason = "an operator writes the file")]
fn put(home: &Home, name: &str, text: &str) {
    std::fs::write(home.path().join(name), text).expect("written");
}

fn check(home: &Home, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_cortana");
    home.command(program).args(["provider", "check"]).args(arguments).output().expect("the binary runs")
}

fn text(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Step and verdict of each line of `--json`.
fn steps(output: &Output) -> Vec<(String, String)> {
    let walk: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{:?}", text(output)));
    let word = |step: &Value, key: &str| step[key].as_str().expect("a word").to_owned();
    let steps = walk["steps"].as_array().expect("steps");
    steps.iter().map(|step| (word(step, "step"), word(step, "verdict"))).collect()
}

fn expected(steps: &[(&str, &str)]) -> Vec<(String, String)> {
    steps.iter().map(|(step, verdict)| ((*step).to_owned(), (*verdict).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_own_provider_with_logins_is_walked_from_its_file_to_an_answer() {
    let served = Served::start().await;
    for client_auth in ["basic", "form"] {
        let home = acme(&served, client_auth);
        let login = served.vendors.mint("acme", "ada@example.com");
        put(&home, "login.json", &login.simple_file().to_string());
        served.vendors.script("acme", vec![Reply::text("Good evening.")]);
        served.vendors.clear_requests();
        let output = check(&home, &["acme"]);
        let (out, err) = text(&output);
        assert!(output.status.success(), "{client_auth}: {out}{err}");
        for part in [
            "✅ provider   Acme: 2 model(s)",
            "ready",
            "refreshed and saved",
            "2 listed: emulated-large, emulated-small; not listed: acme-tiny (ACME_MODELS replaces the list)",
            "emulated-large answered after",
            "“Good evening.”",
        ] {
            assert!(out.contains(part), "{part}\n---\n{out}");
        }
        let kinds: Vec<Kind> = served.vendors.requests().iter().map(|request| request.kind).collect();
        assert_eq!(kinds, [Kind::Token, Kind::Models, Kind::Chat], "{client_auth}: nothing is asked twice");
        let kept = std::fs::read_to_string(home.path().join("login.json")).expect("the file");
        assert!(!kept.contains(&login.refresh), "the rotated token is saved");
        assert!(!out.contains(&login.access) && !out.contains("fake-acme-client-secret"), "{out}");
    }
    assert_eq!(served.vendors.counts_of("acme").reused, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_said_where_it_fails() {
    let served = Served::start().await;
    let home = acme(&served, "basic");
    assert_eq!(
        steps(&check(&home, &["acme", "--json"])),
        expected(&[("provider", "pass"), ("credential", "warn"), ("credential", "fail")])
    );

    let login = served.vendors.mint("acme", "ada@example.com");
    put(&home, "login.json", &login.simple_file().to_string());
    served.vendors.fault("acme", Fault::chat(Act::unavailable()).always());
    served.vendors.fault("acme", Fault { at: Kind::Models, ..Fault::chat(Act::web_page(404)) });
    let output = check(&home, &["acme", "--json", "--model", "acme-tiny"]);
    let walked = [
        ("provider", "pass"),
        ("credential", "pass"),
        ("refresh", "pass"),
        ("models", "warn"),
        ("chat", "fail"),
    ];
    assert_eq!((output.status.code(), steps(&output)), (Some(1), expected(&walked)));

    let unknown = check(&home, &["acne"]);
    let (_, err) = text(&unknown);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(err.contains("did you mean `acme`?"), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_by_key_is_walked_too() {
    let served = Served::start().await;
    for id in ["gemini", "anthropic", "groq"] {
        let key = served.vendors.mint_key(id);
        let prefix = id.to_uppercase();
        let base = Vendors::endpoints_of(&served.origin, id).expect("emulated").api_base;
        let home = Home::new(vec![
            (format!("{prefix}_API_KEY"), key.clone()),
            (format!("{prefix}_API_BASE"), base),
            (format!("{prefix}_MODELS"), "emulated-small".to_owned()),
        ]);
        let output = check(&home, &[id, "--json"]);
        let walked = [("provider", "pass"), ("credential", "pass"), ("models", "pass"), ("chat", "pass")];
        assert_eq!(steps(&output), expected(&walked), "{:?}", text(&output));
        assert!(output.status.success());
        assert!(!text(&output).0.contains(&key));
    }
}
