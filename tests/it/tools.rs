//! Tools for the model: real programs over real pipes, called by emulated models on an emulated Discord.
#![cfg(feature = "tools")]

use std::fmt::Write as _;

use cortana::sandbox::{
    discord::{Id, Message},
    vendor::{Act, Fault, Reply},
};
use serde_json::Value;

use crate::support::{
    binary::Home,
    bot::{Bot, SOON, World},
    talk::chats,
};

/// The tools that models may call, but for those that a test leaves out.
const ALLOWED: &str =
    r#"["now", "note", "notes", "environment", "wait", "cancelled", "large", "fail", "die", "pid", "spawn"]"#;

/// The part of `cortana.toml` that names the sample program.
fn sample(more: &str) -> String {
    let program = env!("CARGO_BIN_EXE_cortana");
    format!(
        "[[tools.server]]\nname = \"sample\"\ncommand = {program:?}\nargs = [\"sample-tools\"]\nallow = {ALLOWED}\n{more}\n"
    )
}

/// A bot whose models may call the tools of the sample program in its server.
async fn with_tools(document: &str) -> Bot {
    let bot = without_tools(document).await;
    bot.slash("/settings tools on").await;
    ready(&bot).await;
    bot
}

/// The same before an operator switched it on.
async fn without_tools(document: &str) -> Bot {
    World::new()
        .await
        .login("gemini_cli", "ann")
        .with("ALLOWED_GUILD_IDS", "*")
        .document(document)
        .connect()
        .await
}

/// Waits until the program runs.
async fn ready(bot: &Bot) {
    let up = async { while !bot.slash("/settings tools").await[0].text().contains("✅ **sample**") {} };
    tokio::time::timeout(SOON, up).await.expect("the program starts");
}

/// What the bot answers to a request for a call, with its small lines.
async fn asks(bot: &Bot, text: &str) -> String {
    bot.ask(text).await.iter().map(Message::text).collect::<Vec<_>>().join("\n")
}

/// The answer once it shows a text.
async fn showing(bot: &Bot, question: Id, text: &str) -> Message {
    let shows = |answers: &[Message]| answers.last().is_some_and(|answer| answer.text().contains(text));
    let answers = bot.sandbox().settled(question, SOON, shows).await;
    answers.unwrap_or_else(|_| panic!("{text}: never shown")).pop().expect("an answer")
}

fn labels(message: &Message) -> Vec<String> {
    message.buttons().into_iter().map(|button| button.label).collect()
}

/// Whether a process lives; one that nobody has waited for is dead.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    !state.is_empty() && !state.starts_with(['Z', 'X'])
}

async fn dies(pid: &str) {
    let gone = async {
        while is_alive(pid) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap_or_else(|_| panic!("{pid} lives on"));
}

/// The number that a tool said, from the answer that tells it.
fn number(answer: &str) -> String {
    let said = answer.lines().find(|line| !line.is_empty() && line.chars().all(|c| c.is_ascii_digit()));
    said.unwrap_or_else(|| panic!("no number in {answer}")).to_owned()
}

#[tokio::test]
async fn tools_are_off_until_an_operator_switches_them_on() {
    let bot = without_tools(&sample("")).await;
    ready(&bot).await;
    let question = r#"use tool now with {"zone": "Bonn"}"#;
    assert!(asks(&bot, question).await.contains("You said"), "nothing is offered");
    assert!(chats(&bot).iter().all(|body| body.pointer("/request/tools").is_none()));
    let marks = bot.sandbox().discord().landmarks();
    let refused = bot.sandbox().slash(marks.guest, marks.channel, "/settings tools on").unwrap();
    assert!(bot.settled(refused).await[0].text().contains("operators"));
    assert!(asks(&bot, question).await.contains("You said"));

    let shown = bot.slash("/settings tools on").await[0].text();
    assert!(shown.starts_with("🔧 Models may call tools in this server."), "{shown}");
    assert!(shown.contains("✅ **sample**: `now`, `note` 🔐, `notes`,"), "{shown}");
    let answer = asks(&bot, question).await;
    assert!(answer.contains("It is noon in Bonn."), "{answer}");
    assert!(answer.ends_with("-# 🔧 `sample_now {\"zone\":\"Bonn\"}`"), "{answer}");
    let contents =
        chats(&bot).pop().expect("a chat").pointer("/request/contents").cloned().expect("contents");
    let result = contents.as_array().and_then(|all| all.last()).expect("a result");
    let response = result.pointer("/parts/0/functionResponse/response/output").and_then(Value::as_str);
    assert_eq!(response, Some("⟦result of sample_now⟧\nIt is noon in Bonn.\n⟦end of data⟧"));

    // A direct message is another place, with a switch of its own.
    let direct = bot.sandbox().dm(marks.owner, question).unwrap();
    assert!(bot.settled(direct).await[0].text().contains("You said"));
    bot.slash("/settings tools off").await;
    assert!(asks(&bot, question).await.contains("You said"));
}

#[tokio::test]
async fn a_call_that_writes_waits_for_the_button_of_whoever_asked() {
    let bot = with_tools(&sample("")).await;
    let marks = bot.sandbox().discord().landmarks();
    let question = bot.sandbox().ask(r#"use tool note with {"text": "milk"}"#).unwrap();
    let asking = showing(&bot, question, "Allow it?").await;
    assert!(asking.text().contains("`sample_note {\"text\":\"milk\"}`"), "{}", asking.text());
    assert_eq!(labels(&asking), ["Allow", "Deny", "Stop"]);
    let foreign = bot.sandbox().click(marks.guest, asking.id, "tool-allow:").unwrap();
    let told = bot.settled(foreign).await;
    assert!(told[0].is_ephemeral() && told[0].text().starts_with("Only the person who asked"), "{told:?}");
    bot.sandbox().click(marks.owner, asking.id, "tool-allow:").unwrap();
    let answer = showing(&bot, question, "Noted, as number 1.").await;
    let late = bot.sandbox().forge_click(marks.owner, answer.id, "tool-allow:0badcafe:1");
    assert!(bot.settled(late).await[0].text().contains("does not wait"));

    let question = bot.sandbox().ask(r#"use tool note with {"text": "beer"}"#).unwrap();
    let asking = showing(&bot, question, "Allow it?").await;
    bot.sandbox().click(marks.owner, asking.id, "tool-deny:").unwrap();
    let answer = showing(&bot, question, "The person did not allow this call.").await;
    assert!(answer.text().contains("`sample_note {\"text\":\"beer\"}` (not allowed)"), "{}", answer.text());
    assert!(asks(&bot, "use tool notes with {}").await.contains("1 notes: milk"));
}

#[tokio::test]
async fn a_tool_that_cortana_toml_marks_asks_too_and_one_that_is_not_allowed_is_not_offered() {
    let document = sample("writes = [\"now\"]").replace("\"pid\", ", "");
    let bot = with_tools(&document).await;
    let question = bot.sandbox().ask("use tool now with {}").unwrap();
    let asking = showing(&bot, question, "Allow it?").await;
    let marks = bot.sandbox().discord().landmarks();
    bot.sandbox().click(marks.owner, asking.id, "stop:").unwrap();
    showing(&bot, question, "Stopped").await;
    assert!(asks(&bot, "use tool pid with {}").await.contains("You said"));
}

#[tokio::test]
async fn d10_stop_takes_a_running_call_back() {
    let bot = with_tools(&sample("")).await;
    let owner = bot.sandbox().discord().landmarks().owner;
    let question = bot.sandbox().ask("use tool wait with {}").unwrap();
    let calling = showing(&bot, question, "-# 🔧 Calling `sample_wait` …").await;
    assert_eq!(labels(&calling), ["Stop"]);
    bot.sandbox().click(owner, calling.id, "stop:").unwrap();
    showing(&bot, question, "Stopped").await;
    assert!(asks(&bot, "use tool cancelled with {}").await.contains("1 calls were taken back."));
}

#[tokio::test]
async fn a_program_sees_exactly_the_variables_that_are_named() {
    let document = sample("env = { TZ = \"UTC\", NOTES_TOKEN = \"FAKE-secret\" }");
    let bot = with_tools(&document).await;
    let answer = asks(&bot, "use tool environment with {}").await;
    assert!(
        answer.contains("⟦result of sample_environment⟧\nNOTES_TOKEN=FAKE-secret\nTZ=UTC\n⟦end of data⟧"),
        "{answer}"
    );
    let bot = with_tools(&sample("")).await;
    let answer = asks(&bot, "use tool environment with {}").await;
    assert!(answer.contains("⟦result of sample_environment⟧\n\n⟦end of data⟧"), "nothing at all: {answer}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_that_dies_is_started_again_and_what_it_started_ends_with_it() {
    let bot = with_tools(&sample("")).await;
    let first = number(&asks(&bot, "use tool pid with {}").await);
    let child = number(&asks(&bot, "use tool spawn with {}").await);
    assert!(is_alive(&first) && is_alive(&child));
    let answer = asks(&bot, "use tool die with {}").await;
    assert!(answer.contains("not available at the moment") && answer.contains("(failed)"), "{answer}");
    dies(&child).await;
    ready(&bot).await;
    let second = number(&asks(&bot, "use tool pid with {}").await);
    let child = number(&asks(&bot, "use tool spawn with {}").await);
    assert!(first != second && is_alive(&second) && is_alive(&child));
    bot.shutdown.begin();
    let (_world, ended) = bot.ended().await;
    ended.expect("a good end");
    dies(&second).await;
    dies(&child).await;
}

#[tokio::test]
async fn what_goes_wrong_with_a_call_is_told_to_the_model() {
    let bot = with_tools(&format!("[tools]\nresult_bytes = 300\n{}", sample("timeout_secs = 1"))).await;
    let answer = asks(&bot, "use tool fail with {}").await;
    assert!(answer.contains("The disk is full.") && answer.contains("`sample_fail` (failed)"), "{answer}");
    let answer = asks(&bot, "use tool large with {\"bytes\": 5000}").await;
    assert!(answer.contains("(4700 more bytes are left out.)"), "{answer}");
    let answer = asks(&bot, "use tool wait with {}").await;
    assert!(answer.contains("the tool did not answer within 1 s"), "{answer}");
}

#[tokio::test]
async fn a_model_that_calls_for_ever_is_given_an_end() {
    let bot = with_tools(&format!("[tools]\nsteps = 2\n{}", sample(""))).await;
    let again = || Reply::text("").calling("sample_now", "{}");
    let vendors = bot.sandbox().vendors();
    vendors.script("gemini_cli", vec![again(), again(), Reply::text("Noon, then.")]);
    let answer = asks(&bot, "what time is it?").await;
    assert!(answer.starts_with("Noon, then."), "{answer}");
    assert!(
        answer.contains("-# Rounds of calls for this answer: 2,")
            && answer.contains("`sample_now` · `sample_now`"),
        "{answer}"
    );
    let last = chats(&bot).pop().expect("a chat");
    assert_eq!(last.pointer("/request/tools"), None, "nothing is offered in the end");
    assert!(last.to_string().contains("(I called the tool sample_now with {}.)"));
}

#[tokio::test]
async fn p27_a_call_that_was_made_is_not_made_again_when_its_credential_fails_after_it() {
    let bot = with_tools(&sample("")).await;
    bot.add_login("gemini_cli", "bob");
    let vendors = bot.sandbox().vendors();
    let marks = bot.sandbox().discord().landmarks();
    let question = bot.sandbox().ask(r#"use tool note with {"text": "milk"}"#).unwrap();
    let asking = showing(&bot, question, "Allow it?").await;
    // Whoever is asked next says that its quota is spent; the other one goes on with what was done.
    let spent = Fault::chat(Act::google_quota(&cortana::sandbox::vendor::Hint::RetryInfo("30s".to_owned())));
    vendors.fault("gemini_cli", Fault { times: Some(1), ..spent });
    bot.sandbox().click(marks.owner, asking.id, "tool-allow:").unwrap();
    showing(&bot, question, "Noted, as number 1.").await;
    assert!(asks(&bot, "use tool notes with {}").await.contains("1 notes: milk"));
}

#[test]
fn the_command_line_shows_what_programs_have() {
    let home = Home::new(Vec::new());
    let mut document = sample("");
    write!(document, "[[tools.server]]\nname = \"gone\"\ncommand = \"/nowhere/gone\"\nallow = [\"x\"]\n")
        .expect("text");
    let document = document.replace("\"pid\"", "\"pid\", \"missing\"");
    let path = home.path().join("cortana.toml");
    #[expect(clippy::disallowed_methods, reason = "an operator writes a file")]
    std::fs::write(path, document).expect("a written file");
    let run = |arguments: &[&str]| {
        home.command(env!("CARGO_BIN_EXE_cortana")).args(arguments).output().expect("it runs")
    };

    let told = run(&["tools", "--json"]);
    assert_eq!(told.status.code(), Some(1), "one does not run");
    let servers: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(servers[0]["server"], "sample");
    assert_eq!((&servers[0]["verdict"], &servers[0]["missing"][0]), (&"warn".into(), &"missing".into()));
    let note = servers[0]["tools"].as_array().expect("tools").iter().find(|tool| tool["name"] == "note");
    assert_eq!(note.map(|note| (&note["allowed"], &note["writes"])), Some((&true.into(), &true.into())));
    assert_eq!(servers[1]["verdict"], "fail");
    assert!(
        servers[1]["problem"].as_str().expect("a reason").starts_with("it cannot be started"),
        "{servers}"
    );

    let lines = String::from_utf8(run(&["tools"]).stdout).expect("text");
    assert!(
        lines.contains("⚠️ sample answers") && lines.contains("note  (allowed, asks a person first)"),
        "{lines}"
    );
    let doctor = String::from_utf8(run(&["doctor"]).stdout).expect("text");
    assert!(
        doctor.contains("tools gone: it cannot be started") && doctor.contains("it has no tool missing"),
        "{doctor}"
    );
}
