//! From a stale login on disk to an answer, with every room real but Discord: configuration, store, pool, refresh,
//! the vendor's steps, wire. One provider at a time, each with its own trap on the way.

use chrono::TimeDelta;
use cortana::sandbox::vendor::{Act, Fault, Kind, MintedLogin, Reply, Standing};
use serde_json::Value;

use crate::support::{talking::Bot, vendors::Served};

/// A login whose access token ran out an hour ago, here and at the service.
fn stale(served: &Served, id: &str) -> MintedLogin {
    let mut login = served.vendors.mint(id, "a@example.com");
    served.vendors.expire_access(id, "a@example.com");
    login.expires_at -= TimeDelta::hours(2);
    login
}

fn kinds(served: &Served) -> Vec<Kind> {
    served.vendors.requests().iter().map(|request| request.kind).collect()
}

#[tokio::test]
async fn a_stale_gemini_login_is_refreshed_gets_its_project_and_answers() {
    let served = Served::start().await;
    let login = stale(&served, "gemini_cli");
    let standing =
        Standing::Onboards { tier: "free-tier".to_owned(), project: "fake-managed-1".to_owned(), looks: 0 };
    served.vendors.set_standing("gemini_cli", "a@example.com", standing);
    served.vendors.script("gemini_cli", vec![Reply::text("Good evening."), Reply::text("Again.")]);
    let bot = Bot::start(&served, &[("gemini.json", login.official_file())], "").await;

    assert_eq!(bot.ask("gemini_cli/gemini-2.5-pro").await.as_deref(), Ok("Good evening."));
    assert_eq!(kinds(&served), [Kind::Token, Kind::Setup, Kind::Setup, Kind::Chat]);
    assert_eq!(bot.ask("gemini_cli/gemini-2.5-pro").await.as_deref(), Ok("Again."));
    assert_eq!(kinds(&served).len(), 5, "the second chat is one request");
    let file = bot.file("gemini.json").await;
    assert!(file.contains(&login.refresh), "Google's refresh token stays");
    assert!(!file.contains(&login.access), "the access token is the new one");
}

#[tokio::test]
async fn a_stale_antigravity_login_answers_in_its_own_envelope() {
    let served = Served::start().await;
    let login = stale(&served, "antigravity");
    served.vendors.script("antigravity", vec![Reply::text("Good evening.")]);
    let bot = Bot::start(&served, &[("antigravity-1.json", login.official_file())], "").await;
    assert_eq!(bot.ask("antigravity/gemini-3-flash").await.as_deref(), Ok("Good evening."));
    assert_eq!(kinds(&served), [Kind::Token, Kind::Setup, Kind::Chat]);
}

#[tokio::test]
async fn a_stale_qwen_login_follows_the_replys_chat_base_and_keeps_the_rotated_token() {
    let served = Served::start().await;
    let login = stale(&served, "qwen_code");
    served.vendors.script("qwen_code", vec![Reply::text("Good evening.")]);
    // Without QWEN_CODE_API_BASE the chat goes where the token reply says: here, this machine.
    let files = [("qwen.json", login.official_file())];
    let bot = Bot::start(&served, &files, "QWEN_CODE_API_BASE").await;
    assert_eq!(bot.ask("qwen_code/coder-model").await.as_deref(), Ok("Good evening."));
    assert_eq!(kinds(&served), [Kind::Token, Kind::Chat]);
    let file = bot.file("qwen.json").await;
    assert!(!file.contains(&login.refresh), "the spent refresh token is gone from the file");
    assert_eq!(served.vendors.counts_of("qwen_code").reused, 0);
}

/// iFlow's own file without the key, as it is after a login that was interrupted.
fn without_key(login: &MintedLogin) -> Value {
    let mut file = login.official_file();
    file.as_object_mut().expect("an object").remove("apiKey");
    file
}

#[tokio::test]
async fn a_stale_iflow_login_fetches_its_key_and_signs_with_it() {
    let served = Served::start().await;
    let login = stale(&served, "iflow");
    served.vendors.script("iflow", vec![Reply::text("Good evening.")]);
    let bot = Bot::start(&served, &[("iflow.json", without_key(&login))], "").await;
    assert_eq!(bot.ask("iflow/qwen3-coder-plus").await.as_deref(), Ok("Good evening."));
    assert_eq!(kinds(&served), [Kind::Token, Kind::UserInfo, Kind::Chat]);
    let file = bot.file("iflow.json").await;
    assert!(file.contains(login.api_key.as_deref().expect("a key")), "the key is kept with the tokens");
    assert!(!file.contains(&login.refresh), "the refresh token is the new one");
}

#[tokio::test]
async fn a_key_that_iflow_replaced_costs_the_person_nothing() {
    let served = Served::start().await;
    let login = stale(&served, "iflow");
    let old_key = login.api_key.clone().expect("a key");
    served.vendors.revoke_key("iflow", &old_key);
    served.vendors.script("iflow", vec![Reply::text("Good evening.")]);
    let bot = Bot::start(&served, &[("iflow.json", login.official_file())], "").await;
    let answer = bot.ask("iflow/qwen3-coder-plus").await;
    assert_eq!(answer.as_deref(), Ok("Good evening."), "{:?}", kinds(&served));
    let counts = served.vendors.counts_of("iflow");
    assert_eq!((counts.token_requests, counts.reused), (1, 0), "{:?}", kinds(&served));
    assert!(!bot.file("iflow.json").await.contains(&old_key), "the file holds the new key");
}

#[tokio::test]
async fn an_account_that_the_service_refuses_is_never_asked_again() {
    let served = Served::start().await;
    let login = stale(&served, "gemini_cli");
    let standing = Standing::Ineligible { reason: "UNSUPPORTED_CLIENT".to_owned(), link: None };
    served.vendors.set_standing("gemini_cli", "a@example.com", standing);
    let bot = Bot::start(&served, &[("gemini.json", login.official_file())], "").await;
    for _ in 0..3 {
        bot.ask("gemini_cli/gemini-2.5-pro").await.expect_err("nobody can answer");
    }
    assert_eq!(kinds(&served), [Kind::Token, Kind::Setup]);
    assert!(!bot.file("gemini.json").await.contains(&login.access), "the grant was saved all the same");
}

#[tokio::test]
async fn a_step_that_fails_after_a_grant_loses_no_rotated_token() {
    let served = Served::start().await;
    let login = stale(&served, "iflow");
    served.vendors.fault("iflow", Fault::user_info(Act::unavailable()).always());
    let bot = Bot::start(&served, &[("iflow.json", without_key(&login))], "").await;
    for _ in 0..2 {
        bot.ask("iflow/qwen3-coder-plus").await.expect_err("there is no key to chat with");
    }
    let counts = served.vendors.counts_of("iflow");
    assert_eq!((counts.token_requests, counts.granted, counts.reused), (1, 1, 0), "{:?}", kinds(&served));
    assert!(!bot.file("iflow.json").await.contains(&login.refresh), "the rotated token is in the file");
}
