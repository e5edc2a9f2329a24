//! What holds a secret shows none, in `Debug` and in a panic that prints what it holds (P33).

use std::{fmt::Debug, panic::UnwindSafe, process::Command, time::Duration};

use cortana::{
    config::{CredentialValue, NamedCredential},
    credential::{
        Credential, CredentialId, Dialect, Facts, Fingerprint, Login, OAuthLogin, Place, SourceSpec, Tokens,
    },
    llm::classify::{Fault, Scope},
    oauth::{Grant, RefreshError},
    pool::{AccessToken, Lease, Lent, Outcome, RefreshReport, RefreshResult},
    provider::{OAuthClient, ProviderId},
    secret::Secret,
    shutdown::Shutdown,
    telemetry::{self, LogFormat},
};

const CANARY: &str = "FAKE-canary-of-a-secret";

fn canary() -> Secret {
    Secret::new(CANARY)
}

fn provider() -> ProviderId {
    "qwen_code".parse().unwrap()
}

/// Every way in which a value gets printed without somebody asking for its secret.
fn shows_nothing<T: Debug + UnwindSafe>(value: T) {
    let mut texts = vec![format!("{value:?}"), format!("{value:#?}")];
    let panic = std::panic::catch_unwind(|| Some(value).map_or(Ok(()), Err).unwrap()).unwrap_err();
    texts.push(panic.downcast::<String>().map(|text| *text).expect("unwrap panics with a text"));
    for text in texts {
        assert!(!text.contains("canary"), "{text}");
    }
}

#[test]
fn p33_what_holds_a_secret_shows_none_in_debug_or_in_a_panic() {
    let facts = Facts { api_key: Some(canary()), ..Facts::default() };
    let tokens = Tokens { access: Some(canary()), refresh: Some(canary()), ..Tokens::default() };
    let client = OAuthClient { id: "an-id".to_owned(), secret: Some(canary()) };
    let login = OAuthLogin {
        tokens: tokens.clone(),
        client: Some(client.clone()),
        facts: facts.clone(),
        ..OAuthLogin::default()
    };
    let lent = Lent {
        credential: CredentialId::new("c0ffee"),
        provider: provider(),
        account: "an…".to_owned(),
        fingerprint: Fingerprint::of(&canary()),
        bearer: canary(),
        facts: facts.clone(),
    };
    let credential = |login| Credential {
        id: CredentialId::new("c0ffee"),
        provider: provider(),
        dialect: Dialect::Simple,
        place: Place::Inline { variable: "QWEN_CODE_OAUTH_CREDENTIALS".to_owned() },
        login,
        disabled: None,
    };
    let refused = RefreshError::Refused { reason: "VALIDATION_REQUIRED".to_owned(), link: Some(canary()) };
    let variable = || "QWEN_CODE_OAUTH_CREDENTIALS".to_owned();
    shows_nothing(canary());
    shows_nothing(Fingerprint::of(&canary()));
    shows_nothing(tokens);
    shows_nothing(facts.clone());
    shows_nothing(client);
    shows_nothing(credential(Login::ApiKey(canary())));
    shows_nothing(credential(Login::OAuth(Box::new(login))));
    shows_nothing(lent.clone());
    shows_nothing(std::panic::AssertUnwindSafe(Lease::unattached(lent, "a-model")));
    shows_nothing(AccessToken { credential: CredentialId::new("c0ffee"), token: canary(), expires_at: None });
    shows_nothing(Grant {
        access: canary(),
        refresh: Some(canary()),
        lifetime: None,
        facts,
        foreign_host: None,
    });
    assert!(!refused.to_string().contains("canary"), "{refused}");
    shows_nothing(refused.clone());
    shows_nothing(RefreshReport {
        credential: CredentialId::new("c0ffee"),
        provider: provider(),
        account: "an…".to_owned(),
        result: RefreshResult::Failed(refused),
    });
    shows_nothing(Outcome::Refused { reason: "TOS_VIOLATION".to_owned(), link: Some(canary()) });
    shows_nothing(Fault::new(Scope::Refused(Some(canary())), "TOS_VIOLATION"));
    shows_nothing(SourceSpec::Inline { variable: variable(), provider: provider(), json: canary() });
    shows_nothing(SourceSpec::Key { variable: variable(), provider: provider(), key: canary() });
    for value in [CredentialValue::Inline(canary()), CredentialValue::ApiKey(canary())] {
        shows_nothing(NamedCredential { variable: variable(), provider: provider(), value });
    }
}

/// What a dependency could do at any time: a panic that quotes a secret, in a task of the bot.
#[tokio::test]
#[ignore = "a process of its own: the test below runs it, since logs and panics belong to the whole process"]
async fn a_task_panics_with_a_secret() {
    assert_eq!(telemetry::init(LogFormat::Json, "trace"), None);
    let life = Shutdown::new();
    let token = canary();
    let died = life.spawn(async move {
        let span = tracing::info_span!(target: "cortana", "errand", token = ?token);
        let _entered = span.enter();
        let port: u16 = token.expose().parse().unwrap_or_else(|_| panic!("no port: {}", token.expose()));
        drop(port.to_string());
    });
    assert!(died.await.unwrap_err().is_panic());
    let next = life.spawn(async { tracing::info!(target: "cortana", "the next task ran") });
    next.await.unwrap();
    assert!(life.drain(Duration::from_secs(5)).await);
}

#[test]
fn p33_a_panic_in_a_task_is_one_line_of_the_log_without_what_it_quotes_and_the_process_goes_on() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "secrets::a_task_panics_with_a_secret", "--ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
    assert!(!told.contains("canary"), "{told}");
    let lines: Vec<serde_json::Value> =
        told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let [panic, next] = lines.as_slice() else { panic!("two lines: {told}") };
    assert_eq!(panic["level"], "ERROR", "{told}");
    assert!(panic["panic.place"].as_str().unwrap().starts_with("tests/it/secrets.rs:"), "{told}");
    assert!(panic["panic.backtrace"].as_str().unwrap().contains("a_task_panics_with_a_secret"), "{told}");
    assert_eq!(next["message"], "the next task ran", "{told}");
}
