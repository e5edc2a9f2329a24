//! `cortana credential`: the real binary changes a credential, and a pool in another process follows.

use std::{process::Output, sync::Arc, time::Duration};

use cortana::{
    app::StoredState,
    clock::{Clock as _, SystemClock, VirtualClock, instant},
    config::StorageSettings,
    pool::{Outcome, RetryHint, State},
    storage::OnDamage,
};

use crate::support::{
    binary::Home,
    pool::{Process, World, only, put, want},
    postgres::run_on_sqlite,
};

/// A pool with one key over the home's database, and the binary beside it.
async fn bot(home: &Home) -> Process {
    let mut world = World::new();
    // The binary's clock.
    world.clock = Arc::new(VirtualClock::starting_at(SystemClock.now()));
    world.keys(1);
    world.state =
        Arc::new(StoredState::new(StorageSettings::in_folder(&home.path().join("data")), OnDamage::PutAside));
    world.bot().await
}

fn home() -> Home {
    Home::new(vec![("OPENAI_API_KEY_1".to_owned(), "sk-FAKE-1".to_owned())])
}

fn run(home: &Home, arguments: &[&str]) -> Output {
    let mut command = home.command(env!("CARGO_BIN_EXE_cortana"));
    command.args(arguments).output().expect("cortana starts")
}

fn said(output: &Output) -> (Option<i32>, String) {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    (output.status.code(), text.concat())
}

async fn until(process: &Process, state: State) {
    let deadline = instant() + Duration::from_secs(20);
    while only(process).state != state {
        assert!(instant() < deadline, "it stayed {:?}", only(process).state);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p30_a_command_reaches_a_running_pool_through_the_store() {
    let home = home();
    let bot = bot(&home).await;
    let id = only(&bot).id.to_string();
    let cortana = |arguments: &[&str]| said(&run(&home, arguments));
    let (code, text) = cortana(&["credential", "disable", &id, "--reason", "spare"]);
    assert_eq!(code, Some(0), "{text}");
    until(&bot, State::Disabled).await;
    assert!(only(&bot).reason.unwrap().contains("spare"));
    let (_, status) = cortana(&["status"]);
    assert!(status.contains("Disabled") && status.contains("spare"), "another process shows it: {status}");
    let beginning: String = id.chars().take(5).collect();
    assert_eq!(cortana(&["credential", "enable", &beginning]).0, Some(0));
    until(&bot, State::Ready).await;

    let hint = RetryHint::After(Duration::from_hours(1));
    let resting = Outcome::CredentialCooling { hint, reason: "QUOTA_EXHAUSTED".to_owned() };
    bot.pool.lease(&want("openai", Duration::ZERO)).await.unwrap().complete(resting);
    bot.pool.settle().await.unwrap();
    let (_, shown) = cortana(&["credential", "show", &id]);
    assert!(shown.contains("requests      1, 1 failed"), "{shown}");
    let (_, table) = cortana(&["status"]);
    assert!(table.contains("last used") && table.contains("00:00 ago"), "the last use: {table}");
    assert!(table.contains("1, 1 failed"), "{table}");
    assert_eq!(cortana(&["credential", "clear-cooldown", &id]).0, Some(0));
    until(&bot, State::Ready).await;
}

#[test]
fn a_credential_that_is_not_there_is_a_mistake_that_names_those_that_are() {
    let home = home();
    let (code, text) = said(&run(&home, &["credential", "disable", "zzzzzz"]));
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("OPENAI_API_KEY_1"), "{text}");
    let (code, text) = said(&run(&home, &["credential", "disable", "openai"]));
    assert_eq!(code, Some(2), "{text}");
    let (code, text) = said(&run(&home, &["credential", "retry", "OPENAI_API_KEY_1"]));
    assert_eq!(code, Some(2), "nobody confirms: {text}");
    assert!(text.contains("--yes"), "{text}");
}

#[test]
fn of_many_credentials_a_mistake_names_the_nearest_alone() {
    let key = |n: usize| (format!("OPENAI_API_KEY_{n}"), format!("sk-FAKE-{n}"));
    let home = Home::new((1..=40).map(key).collect());
    let (_, json) = said(&run(&home, &["status", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let seventh =
        json["credentials"].as_array().unwrap().iter().find(|view| view["place"] == "OPENAI_API_KEY_7");
    let id = seventh.unwrap()["id"].as_str().unwrap().to_owned();
    // One letter of it mistyped.
    let typed: String =
        id.chars().enumerate().map(|(at, letter)| if at == 5 { 'x' } else { letter }).collect();
    for typed in [&typed, "OPENAI_API_KEI_7"] {
        let (code, text) = said(&run(&home, &["credential", "show", typed]));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(&format!("there is {id} OPENAI_API_KEY_7")), "{typed}: {text}");
        assert!(text.matches("OPENAI_API_KEY_").count() <= 5, "{typed}: {text}");
    }
    let (_, text) = said(&run(&home, &["credential", "show", "nothing-like-it"]));
    assert!(text.contains("none of 40 credentials; `cortana status` lists them"), "{text}");
    let (_, text) = said(&run(&home, &["credential", "show", "openai"]));
    assert!(text.contains("35 more"), "{text}");
}

#[test]
fn p30_without_a_database_commands_say_so_and_change_nothing() {
    let home = home();
    put(&home.path().join("data"), "a file where the folder should be");
    let (code, text) = said(&run(&home, &["credential", "disable", "OPENAI_API_KEY_1"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("nothing was changed"), "{text}");
    let (code, text) = said(&run(&home, &["status"]));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("Valid") && text.contains("not known here"), "{text}");
    let (_, text) = said(&run(&home, &["doctor"]));
    assert!(text.contains("state store"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p30_a_command_whose_change_may_be_lost_says_so() {
    let home = home();
    assert_eq!(said(&run(&home, &["credential", "disable", "OPENAI_API_KEY_1"])).0, Some(0));
    let refuse =
        "CREATE TRIGGER refuse BEFORE UPDATE ON ledger_revision BEGIN SELECT RAISE(ABORT, 'refused'); END";
    run_on_sqlite(&home.path().join("data/cortana.db"), refuse).await;
    let (code, text) = said(&run(&home, &["credential", "enable", "OPENAI_API_KEY_1"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("not known whether") && !text.contains("nothing was changed"), "{text}");
    let (_, text) = said(&run(&home, &["status"]));
    assert!(text.contains("Disabled"), "what can be read is known: {text}");
}

#[test]
fn p30_a_credential_that_its_terms_disable_is_not_said_to_be_enabled() {
    let home = home();
    let login = serde_json::json!({"access_token": "ya29.FAKE", "refresh_token": "FAKE", "expiry_date": 4_000_000_000_000_i64});
    home.drop_credential("gemini_cli.json", &login);
    let (code, text) = said(&run(&home, &["credential", "enable", "gemini_cli.json"]));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("still disabled") && text.contains("ACCEPT_PROVIDER_TERMS"), "{text}");
}

#[test]
fn p30_a_command_leaves_a_damaged_database_and_every_command_says_what_is_not_known() {
    let home = home();
    std::fs::create_dir_all(home.path().join("data")).unwrap();
    let database = home.path().join("data/cortana.db");
    put(&database, &format!("SQLite format 3\0{}", "broken ".repeat(2000)));
    for arguments in [
        &["status"] as &[_],
        &["token", "openai"],
        &["refresh", "openai"],
        &["credential", "show", "OPENAI_API_KEY_1"],
    ] {
        let (_, text) = said(&run(&home, arguments));
        assert_eq!(text.matches("not known here").count(), 1, "{arguments:?}: {text}");
        assert!(text.contains("damaged"), "{text}");
    }
    assert!(std::fs::read_to_string(&database).unwrap().contains("broken"));
}
