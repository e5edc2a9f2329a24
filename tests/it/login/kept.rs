//! Logins that are kept: each kind, each provider, and a running bot that has them.

use std::{process::Stdio, time::Duration};

use cortana::sandbox::vendor::{Kind, Reply};
use serde_json::{Value, json};

use super::desk::{Desk, page};
use crate::support::{
    bot::{SOON, World},
    running::Process,
    vendors::until,
};

/// A whole login in a browser on this machine.
async fn in_a_browser(desk: &Desk, provider: &str, options: &[&str]) -> super::desk::Ended {
    let mut login = desk.start(&[&["login", provider], options].concat());
    let address = login.address().await;
    let back = login.browse(&address).await;
    let (status, shown) = page(&back).await;
    assert!(status == 200 && shown.contains("Go back"), "{shown}");
    desk.ended(login).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_google_login_in_a_browser_names_account_scopes_and_terms_and_answers() {
    let desk = Desk::new().await;
    desk.served.vendors.sign_in("gemini_cli", "ada@example.com");
    let ended = in_a_browser(&desk, "gemini_cli", &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in [
        "✅ Logged in at Gemini CLI as ad…@example.com",
        "NOT granted, though asked for: https://www.googleapis.com/auth/userinfo.profile",
        "Note: 2026-06-18: Google no longer serves",
        "A running bot has it within two seconds.",
    ] {
        assert!(ended.out.contains(part), "{part}\n---\n{}", ended.out);
    }
    assert!(ended.err.contains("Mind: Google's terms forbid"), "{}", ended.err);
    let (name, file) = desk.the_credential();
    let digits =
        name.strip_prefix("gemini_cli-").and_then(|rest| rest.strip_suffix(".json")).expect("its name");
    assert!(digits.len() == 8 && digits.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
    assert_eq!(file["email"], "ada@example.com");
    assert!(file["refresh_token"].is_string(), "access_type=offline and prompt=consent bring one");
    desk.answers("gemini_cli").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn iflow_brings_its_key_and_an_own_provider_its_account() {
    let desk = Desk::new().await;
    for (provider, account) in [("iflow", "if…@example.com"), ("acme", "ac…@example.com")] {
        desk.served.vendors.sign_in(provider, &format!("{provider}@example.com"));
        let ended = in_a_browser(&desk, provider, &["--json"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let shown: Value = serde_json::from_str(&ended.out).expect("JSON alone");
        assert_eq!((&shown["account"], &shown["replaced"]), (&json!(account), &json!(false)), "{shown:#}");
        assert_eq!(shown["has_refresh_token"], true, "{shown:#}");
        desk.answers(provider).await;
    }
    let names = desk.credentials();
    assert_eq!(names.len(), 2, "{names:?}");
    let iflow = names.iter().find(|name| name.starts_with("iflow")).expect("its file");
    assert!(desk.home.read(iflow)["api_key"].is_string(), "the key that chats need is there from the start");
    let requests = desk.served.vendors.requests();
    assert_eq!(
        requests.iter().filter(|request| request.kind == Kind::Token && request.provider == "iflow").count(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_browser_the_address_is_pasted_and_a_wrong_one_is_asked_for_again() {
    let desk = Desk::new().await;
    desk.served.vendors.sign_in("antigravity", "joan@example.com");
    let mut login = desk.start(&["login", "antigravity", "--no-browser", "--name", "work"]);
    let address = login.address().await;
    let back = login.browse(&address).await;
    assert!(
        back.as_str().starts_with("http://localhost:51121/oauth-callback?"),
        "the row's redirect: {back}"
    );
    let mut strange = back.clone();
    strange.query_pairs_mut().clear().append_pair("code", "FAKE").append_pair("state", "FAKE");
    login.types(strange.as_str()).await;
    login.line(|line| line.contains("belongs to another login") && line.contains("Paste it again")).await;
    login.types("two words").await;
    login.line(|line| line.contains("no spaces")).await;
    login.types(&format!("  <{back}> ")).await;
    let ended = desk.ended(login).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(desk.the_credential().0, "antigravity-work.json");
    desk.answers("antigravity").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_the_providers_page_shows_is_enough_where_a_challenge_binds_it() {
    let desk = Desk::new().await;
    let mut login = desk.start(&["login", "gemini_cli", "--no-browser"]);
    let address = login.address().await;
    let shown = login.browse(&address).await;
    assert!(shown.as_str().starts_with("https://codeassist.google.com/authcode?"), "{shown}");
    let (_, code) = shown.query_pairs().find(|(name, _)| name == "code").expect("a code");
    login.types(&code).await;
    let ended = desk.ended(login).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    desk.answers("gemini_cli").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p12_a_second_login_of_the_account_takes_the_place_of_the_first() {
    let desk = Desk::new().await;
    desk.served.vendors.sign_in("acme", "ada@example.com");
    assert_eq!(in_a_browser(&desk, "acme", &[]).await.code, Some(0));
    let (name, mut first) = desk.the_credential();
    first["note"] = json!("mine");
    desk.home.drop_credential(&name, &first);
    let ended = in_a_browser(&desk, "acme", &["--name", "other"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("in the place of the account's earlier login"), "{}", ended.out);
    assert!(ended.out.contains("--name was not used"), "{}", ended.out);
    let (same, second) = desk.the_credential();
    assert_eq!((same, &second["note"]), (name, &json!("mine")), "others' keys survive");
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_ne!(second["access_token"], first["access_token"]);
    desk.served.vendors.sign_in("acme", "joan@example.com");
    assert_eq!(in_a_browser(&desk, "acme", &[]).await.code, Some(0));
    assert_eq!(desk.credentials().len(), 2, "another account has a file of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn p35_a_running_bot_answers_with_a_login_within_two_seconds() {
    let world = World::new().await;
    let bot = Process::start(&world, "info");
    world.sandbox.connected(SOON).await.expect("it connects");
    let vendors = world.sandbox.vendors();
    vendors.sign_in("qwen_code", "kim@example.com");
    vendors.script("qwen_code", vec![Reply::text("Good evening.")]);
    let mut login = tokio::process::Command::new(env!("CARGO_BIN_EXE_cortana"));
    login.args(["login", "qwen_code"]).current_dir(world.home()).env_clear().envs(world.environment());
    let login =
        login.kill_on_drop(true).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let asked = || vendors.requests().iter().filter(|request| request.kind == Kind::Device).count() == 1;
    until(asked).await;
    let confirm = async {
        // The address is the one that the person is shown; the emulator's page takes the code in it.
        let mut login = login;
        let mut lines = tokio::io::BufReader::new(login.stderr.take().expect("piped"));
        loop {
            use tokio::io::AsyncBufReadExt as _;
            let mut line = String::new();
            assert!(lines.read_line(&mut line).await.expect("UTF-8") > 0, "it shows an address");
            if line.starts_with("http") {
                assert_eq!(page(&line.trim().parse().expect("an address")).await.0, 200);
                return (login.wait().await.expect("an end"), lines);
            }
        }
    };
    let (status, _lines) = tokio::time::timeout(SOON, confirm).await.expect("in time");
    assert!(status.success(), "{status}");
    // The promise is two seconds; a busy machine gets more, and a bot that never looked none at all.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let question = world.sandbox.ask("hello").expect("people may write there");
    let finished = |answers: &[cortana::sandbox::discord::Message]| {
        !answers.is_empty() && !answers.iter().any(|answer| answer.has_button("stop:"))
    };
    let answers = world.sandbox.settled(question, SOON, finished).await.expect("an answer");
    assert!(answers.iter().any(|answer| answer.content.contains("Good evening.")), "{answers:?}");
    let output = bot.terminate().await;
    assert!(output.status.success());
}
