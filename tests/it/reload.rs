//! The configuration is read again by the running binary: after a change of a file, on SIGHUP, when `cortana reload` asks.
#![expect(clippy::disallowed_methods, reason = "the tests write the files that the program reads")]

use std::{
    fs,
    process::{Command, Output},
    time::Duration,
};

use cortana::sandbox::{discord::Message, vendor::Reply};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    bot::{SOON, World},
    running::Process,
};

/// A world with two models to choose between, told apart in `.env` alone.
async fn world() -> World {
    let world = World::new().await.login("gemini_cli", "ann").login("qwen_code", "bob");
    dotenv(&world, "DEFAULT_MODEL=gemini_cli/gemini-2.5-pro\n");
    world
}

fn dotenv(world: &World, text: &str) {
    // As an editor does it: the file is never half there.
    let draft = world.home().join(".env.new");
    fs::write(&draft, text).expect("a written file");
    fs::rename(draft, world.home().join(".env")).expect("in its place");
}

async fn started(world: &World) -> Process {
    let process = Process::start(world, "info");
    world.sandbox.connected(SOON).await.expect("the bot connects");
    process
}

async fn answered_by(world: &World) -> String {
    let question = world.sandbox.ask("who are you?").expect("people may write there");
    let finished = |answers: &[Message]| !answers.iter().any(|answer| answer.has_button("stop:"));
    world.sandbox.settled(question, SOON, finished).await.expect("an answer")[0].text()
}

async fn reload(world: &World, json: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cortana"));
    command.arg("reload").args(json).current_dir(world.home()).env_clear().envs(world.environment());
    tokio::task::spawn_blocking(move || command.output()).await.expect("a thread").expect("it runs")
}

/// Asks until an answer says this.
async fn until_answered_by(world: &World, model: &str) {
    let asked = tokio::time::timeout(SOON, async {
        while !answered_by(world).await.contains(model) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    asked.await.unwrap_or_else(|_| panic!("{model} never answered"));
}

#[tokio::test]
async fn d23_a_changed_file_is_taken_over_and_a_broken_one_is_not() {
    let world = world().await;
    let process = started(&world).await;
    assert!(answered_by(&world).await.contains("gemini-2.5-pro"));
    dotenv(&world, "DEFAULT_MODEL=qwen_code/coder-model\n");
    until_answered_by(&world, "coder-model").await;

    dotenv(&world, "DEFAULT_MODEL=nobody/x\nREQUEST_DEADLINE_SECS=soon\n");
    let refused = reload(&world, &[]).await;
    assert_eq!(refused.status.code(), Some(2), "the command finds the mistakes itself: {refused:?}");
    process.signal(Signal::HUP);
    assert!(answered_by(&world).await.contains("coder-model"), "the old one stays in force");

    dotenv(
        &world,
        "DEFAULT_MODEL=gemini_cli/gemini-2.5-flash\nGUILD_MODELS=gemini_cli\nOPENAI_API_KEY=sk-FAKE-late\n",
    );
    let reloaded = reload(&world, &["--json"]).await;
    let said: Value = serde_json::from_slice(&reloaded.stdout).expect("JSON");
    assert!(reloaded.status.success(), "{said}");
    assert_eq!(said["refused"], Value::Null);
    assert_eq!(said["restart"], Value::Array(Vec::new()));
    let marks = world.sandbox.discord().landmarks();
    let shown =
        world.sandbox.slash(marks.owner, marks.channel, "/settings oauth-status openai").expect("a command");
    let shown = world.sandbox.settled(shown, SOON, |answers| !answers.is_empty()).await.expect("an answer");
    assert!(shown[0].text().contains("✅ Valid · openai"), "a key of the new file: {}", shown[0].text());
    assert!(answered_by(&world).await.contains("gemini-2.5-flash"));
    let log = process.terminate().await;
    let log = String::from_utf8_lossy(&log.stdout).into_owned() + &String::from_utf8_lossy(&log.stderr);
    assert!(log.contains("the old one stays in force") && log.contains("2 mistakes"), "{log}");
    assert!(
        log.contains("Loaded OAuth credential")
            && log.contains("OPENAI_API_KEY")
            && !log.contains("sk-FAKE-late"),
        "{log}"
    );
}

#[tokio::test]
async fn d23_an_answer_that_is_being_written_goes_on_as_it_began() {
    let world = world().await;
    let process = started(&world).await;
    let words: Vec<String> = (0..60).map(|word| format!("word{word} ")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let script = Reply::pieces(&words).paced(Duration::from_millis(60));
    world.sandbox.vendors().script("gemini_cli", vec![script]);
    let question = world.sandbox.ask("at length, please").expect("people may write there");
    let begun = world
        .sandbox
        .wait_for(SOON, |sandbox| sandbox.answers(question).first()?.text().contains("word3").then_some(()));
    begun.await.expect("it streams");
    dotenv(&world, "DEFAULT_MODEL=qwen_code/coder-model\n");
    let reloaded = reload(&world, &[]).await;
    let said = String::from_utf8_lossy(&reloaded.stdout).into_owned();
    assert!(said.starts_with("✅ "), "{said} {}", String::from_utf8_lossy(&reloaded.stderr));
    let finished =
        |answers: &[Message]| !answers.is_empty() && !answers.iter().any(|answer| answer.has_button("stop:"));
    let answer = world.sandbox.settled(question, SOON, finished).await.expect("an end");
    assert!(answer[0].text().contains("word59"), "{}", answer[0].text());
    assert!(answered_by(&world).await.contains("coder-model"));
    assert_eq!(world.sandbox.connected_sessions(), 1);
    assert!(process.terminate().await.status.success());
}

#[tokio::test]
async fn d23_a_file_that_is_gone_changes_nothing() {
    let world = world().await;
    dotenv(&world, "DEFAULT_MODEL=qwen_code/coder-model\nBLOCKED_USER_IDS=66\n");
    let process = started(&world).await;
    assert!(answered_by(&world).await.contains("coder-model"));
    fs::remove_file(world.home().join(".env")).expect("it was there");
    let asked = reload(&world, &[]).await;
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert_eq!(asked.status.code(), Some(1), "{said}");
    assert!(
        said.contains("keeps its old configuration") && said.contains(".env: the file is gone"),
        "{said}"
    );
    assert!(answered_by(&world).await.contains("coder-model"));
    dotenv(&world, "DEFAULT_MODEL=gemini_cli/gemini-2.5-pro\nADMIN_ADDR=127.0.0.1:1\n");
    for _ in 0..2 {
        let said = String::from_utf8_lossy(&reload(&world, &[]).await.stdout).into_owned();
        assert!(!said.contains("ADMIN_ADDR"), "its process says otherwise: {said}");
    }
    dotenv(&world, "DEFAULT_MODEL=gemini_cli/gemini-2.5-pro\nOAUTH_REFRESH_EARLY_SECS=60\n");
    for _ in 0..2 {
        let said = String::from_utf8_lossy(&reload(&world, &[]).await.stdout).into_owned();
        assert!(said.contains("⚠️ Needs a restart: OAUTH_REFRESH_EARLY_SECS"), "until it restarts: {said}");
    }
    drop(process);
}

#[tokio::test]
async fn an_error_of_discords_ends_the_bot_at_once() {
    let world = world().await.with("DISCORD_TOKEN", "MTIz.FAKE.not-the-token-of-this-world");
    let process = Process::start(&world, "info");
    let output = process.ended().await;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Discord refuses the bot's token") && !said.contains("still under way"), "{said}");
}

#[tokio::test]
async fn reload_says_when_nobody_listens() {
    let world = world().await;
    let asked = reload(&world, &[]).await;
    assert_eq!(asked.status.code(), Some(1));
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(said.contains("no running bot answered within 8 s; is it running"), "{said}");
}
