//! Clients that other people wrote, against the emulated Discord: nothing in it may be shaped after our own.
//!
//! They are programs of their own in `tests/clients`. The libraries are installed by `.ci/run`: `TEST_DISCORD_PY` names a
//! Python that has discord.py, `TEST_DISCORD_JS` the `node_modules` that have discord.js. Without them the tests say that
//! they skip.
#![expect(clippy::print_stdout, reason = "a test that skips says so aloud")]

use std::{collections::BTreeMap, path::Path, process::Stdio, time::Duration};

use cortana::sandbox::{
    Id, Reacting, Sandbox,
    discord::{GatewayFault, Message, RestAction, RestFault, Scope},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::{emulator::client::World, support::contract::Asker};

/// Long enough for a busy machine; nothing waits for it when all is well.
const SOON: Duration = Duration::from_secs(30);

/// A program that runs a bot and tells what it sees.
struct Client {
    // Killed when dropped.
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    seen: Vec<Value>,
}

impl Client {
    fn start(world: &World, command: &mut Command, script: &str) -> Self {
        let endpoints = world.sandbox.endpoints();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
        let mut child = command
            .arg(script)
            .arg(endpoints.discord_api_base)
            .env("DISCORD_TOKEN", endpoints.bot_token)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { _child: child, lines, seen: Vec::new() }
    }

    /// The next thing of this name that it tells; an error of its own ends the test.
    async fn told(&mut self, event: &str) -> Value {
        let search = async {
            loop {
                if let Some(at) = self.seen.iter().position(|line| line["event"] == event) {
                    return self.seen.remove(at);
                }
                let line = self.lines.next_line().await.expect("text").expect("it still runs");
                let line: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
                assert_ne!(line["event"], "error", "{line}");
                self.seen.push(line);
            }
        };
        let found = tokio::time::timeout(SOON, search).await;
        found.unwrap_or_else(|_| panic!("{event} did not come; waiting: {:#?}", self.seen))
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment says where the library is installed")]
fn installed(variable: &str) -> Option<String> {
    let found = std::env::var(variable).ok().filter(|path| !path.is_empty());
    if found.is_none() {
        println!("SKIPPED: {variable} is not set; .ci/run installs that library");
    }
    found
}

/// What answers something, once there are so many texts.
async fn answers(sandbox: &Sandbox, question: Id, count: usize) -> Vec<Message> {
    let all = |answers: &[Message]| answers.len() >= count;
    sandbox.settled(question, SOON, all).await.expect("answers")
}

fn text(message: &Message) -> &str {
    &message.content
}

/// Everything that a client does here, as people see it.
async fn play(world: &World, client: &mut Client) {
    let (sandbox, landmarks) = (&world.sandbox, world.sandbox.discord().landmarks());
    let (owner, channel) = (landmarks.owner, landmarks.channel);
    let synced = client.told("synced").await;
    assert_eq!(synced["names"], json!(["Count words", "fruit", "later", "ping"]));
    let ready = client.told("ready").await;
    assert_eq!((&ready["user"], &ready["guild"]), (&json!(landmarks.bot), &json!("Sandbox")));
    assert_eq!((&ready["channels"], &ready["owner"]), (&json!(["general"]), &json!("olivia")));

    let question = sandbox.ask("do everything").unwrap();
    let reactions = client.told("reactions").await;
    assert_eq!(reactions["found"], json!(["👍"]));
    assert_eq!(client.told("history").await["newest_first"], true);
    assert_eq!(client.told("file").await["text"], "hello");
    assert_eq!(client.told("refused").await["code"], 10_008);
    assert_eq!(client.told("refused").await["code"], 50_035);
    client.told("answered").await;
    let reply = answers(sandbox, question, 1).await.remove(0);
    assert_eq!((text(&reply), reply.embeds.len(), reply.attachments.len()), ("second", 1, 1));
    assert!(reply.notified().is_nobody());

    let inside = sandbox.messages(question).into_iter().find(|message| message.content == "inside");
    let inside = inside.expect("a message in the thread");
    let chosen = sandbox.choose(owner, inside.id, "choose:1", &["tea"]).unwrap();
    assert_eq!(client.told("chosen").await["values"], json!(["tea"]));
    let words = BTreeMap::from([("words".to_owned(), "milk".to_owned())]);
    let submitted = sandbox.submit(owner, chosen, &words).unwrap();
    assert_eq!(client.told("modal").await["words"], "milk");
    assert_eq!(text(&answers(sandbox, submitted, 1).await[0]), "thanks for milk");
    let click = sandbox.click(owner, inside.id, "press:1").unwrap();
    assert_eq!(client.told("pressed").await["by"], "olivia");
    assert_eq!(text(&answers(sandbox, click, 1).await[0]), "and more");
    assert_eq!(sandbox.message(inside.id).unwrap().content, "pressed");

    let ping = sandbox.slash(owner, channel, "/ping text:hi").unwrap();
    assert_eq!(text(&answers(sandbox, ping, 1).await[0]), "pong hi");
    let told = client.told("ping").await;
    assert_eq!(told["id"], json!(answers(sandbox, ping, 1).await[0].id), "it finds its own answer");
    let later = sandbox.slash(owner, channel, "/later").unwrap();
    client.told("later").await;
    let both = answers(sandbox, later, 2).await;
    assert_eq!(both.iter().map(text).collect::<Vec<_>>(), ["at last", "one more, edited"]);
    let choices = sandbox.autocomplete(owner, channel, "/fruit name:ap").await.unwrap();
    let choices: Vec<&str> = choices.iter().map(|choice| &*choice.name).collect();
    assert_eq!(choices, ["apple", "apricot"]);
    let counted = sandbox.say(channel, owner, "one two three").unwrap();
    let counted = sandbox.context_command(owner, counted, "Count words").unwrap();
    assert_eq!(text(&answers(sandbox, counted, 1).await[0]), "3 words");

    let direct = sandbox.dm(owner, "psst").unwrap();
    let place = sandbox.message(direct).unwrap().channel_id;
    let said = |sandbox: &Sandbox| {
        sandbox.messages(place).iter().any(|message| message.content == "in private: psst").then_some(())
    };
    sandbox.wait_for(SOON, said).await.expect("an answer in private");

    // A 429 that nobody expects is waited out.
    let limited = RestAction::RateLimited { scope: Scope::Shared, retry_after_ms: 300 };
    sandbox.fault(RestFault { method: Some("POST".to_owned()), path: None, times: 1, action: limited });
    let question = sandbox.ask("again").unwrap();
    assert_eq!(text(&answers(sandbox, question, 1).await[0]), "heard");
    sandbox.rewrite(question, "again and again").unwrap();
    // A thread that was started from a message changes that message as well.
    while client.told("edited").await["text"] != "again and again" {}
    sandbox.react(owner, question, "🎉", Reacting::Put).unwrap();
    assert_eq!(client.told("reacted").await["emoji"], "🎉");
    sandbox.remove(question).unwrap();
    while client.told("deleted").await["id"] != json!(question) {}

    // A connection that breaks is resumed, and nothing is lost.
    sandbox.gateway_fault(GatewayFault::Drop);
    sandbox
        .wait_for(SOON, |sandbox| (sandbox.connected_sessions() == 0).then_some(()))
        .await
        .expect("dropped");
    let question = sandbox.ask("while you were away").unwrap();
    client.told("resumed").await;
    assert_eq!(text(&answers(sandbox, question, 1).await[0]), "heard");
}

#[tokio::test]
async fn discord_py_logs_in_registers_listens_and_answers() {
    let Some(python) = installed("TEST_DISCORD_PY") else { return };
    let world = World::start_judged(Some(Asker::Others)).await;
    let mut client = Client::start(&world, &mut Command::new(python), "discord_py.py");
    play(&world, &mut client).await;
}

#[tokio::test]
async fn discord_js_logs_in_registers_listens_and_answers() {
    let Some(modules) = installed("TEST_DISCORD_JS") else { return };
    let world = World::start_judged(Some(Asker::Others)).await;
    let mut client = Client::start(&world, Command::new("node").env("NODE_PATH", modules), "discord_js.cjs");
    play(&world, &mut client).await;
}
