//! D22: answers whose process died are marked, and what may be done next is offered; D21, D25: a clean end leaves none.

use std::{fs, time::Duration};

use cortana::{
    clock::{Clock as _, SystemClock},
    config::{Database, StorageSettings},
    sandbox::{
        Sandbox,
        discord::{Id, Message, permission},
        vendor::Reply,
    },
    storage::{Adopted, InFlight, OnDamage, Storage},
};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{
    bot::{Bot, SOON, World},
    running::Process,
    talk::last_asked,
};

const MARK: &str = "-# ⚡ Interrupted: ";

async fn world() -> World {
    World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*")
}

/// Words for a minute.
fn slow() -> Reply {
    Reply::pieces(&["word "; 600]).paced(Duration::from_millis(100))
}

/// The journal of a world's bots.
async fn journal(world: &World) -> Storage {
    let database = Database::Sqlite(world.home().join("data/cortana.db"));
    Storage::open(&StorageSettings { database }, OnDamage::Report).await.unwrap()
}

/// What a journal holds, whoever holds it.
async fn held(journal: &Storage, sandbox: &Sandbox) -> Vec<InFlight> {
    let application = sandbox.discord().landmarks().application.0;
    let all = journal.abandoned(application, i64::MAX, 100).await.unwrap();
    all.into_iter().map(|held| held.answer).collect()
}

fn streaming(question: Id) -> impl Fn(&Sandbox) -> Option<Message> {
    move |sandbox| {
        let mut answers = sandbox.answers(question).into_iter();
        answers.find(|answer| answer.has_button("stop:") && answer.text().starts_with("word"))
    }
}

fn labels(message: &Message) -> Vec<String> {
    message.buttons().into_iter().map(|button| button.label).collect()
}

/// Waits until a journal is empty.
async fn emptied(journal: &Storage, sandbox: &Sandbox) {
    let empty = async {
        while !held(journal, sandbox).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, empty).await.expect("the journal is emptied");
}

/// The binary itself, killed in the middle of a stream; then two processes start, and one of them ends the answer.
#[tokio::test(flavor = "multi_thread")]
async fn d22_after_a_kill_an_answer_is_marked_once_though_two_processes_look() {
    let world = world().await;
    world.sandbox.vendors().script("gemini_cli", vec![slow(), Reply::text("and so on.")]);
    let killed = Process::start(&world, "info");
    world.sandbox.connected(SOON).await.unwrap();
    let question = world.sandbox.ask("tell me something long").unwrap();
    let answer = world.sandbox.wait_for(SOON, streaming(question)).await.unwrap();
    killed.signal(Signal::KILL);
    killed.ended().await;
    let journal = journal(&world).await;
    assert_eq!(held(&journal, &world.sandbox).await.len(), 1);
    let before = world.sandbox.message(answer.id).unwrap();

    let after = [Process::start(&world, "info"), Process::start(&world, "info")];
    let marked = |sandbox: &Sandbox| sandbox.message(answer.id).filter(|answer| answer.has_button("go-on:"));
    let marked = world.sandbox.wait_for(SOON, marked).await.expect("the answer is marked");
    emptied(&journal, &world.sandbox).await;
    let now = world.sandbox.message(answer.id).unwrap();
    assert_eq!(now.timeline.len(), before.timeline.len() + 1, "edited once");
    assert_eq!(labels(&marked), ["Continue", "Regenerate"]);
    let (text, mark) = marked.content.rsplit_once('\n').unwrap();
    assert_eq!(text, before.content, "what came stays");
    assert!(mark.starts_with(MARK), "{mark}");
    for process in after {
        assert_eq!(process.terminate().await.status.code(), Some(0));
    }
    // What is offered works.
    let bot = world.connect().await;
    bot.sandbox().click(bot.sandbox().discord().landmarks().owner, answer.id, "go-on:").unwrap();
    let both = |answers: &[Message]| answers.iter().any(|answer| answer.text() == "and so on.");
    bot.sandbox().settled(question, SOON, both).await.expect("it goes on");
    assert!(!last_asked(&bot)[1].contains("Interrupted"), "{:?}", last_asked(&bot));
}

#[tokio::test]
async fn d22_a_living_process_holds_its_answers_and_a_clean_end_leaves_none() {
    let bot = world().await.connect().await;
    bot.sandbox().vendors().script("gemini_cli", vec![slow()]);
    let question = bot.sandbox().ask("a canary sings").unwrap();
    bot.sandbox().wait_for(SOON, streaming(question)).await.unwrap();
    let journal = journal(&bot.world).await;
    let application = bot.sandbox().discord().landmarks().application.0;
    let all = async || journal.abandoned(application, i64::MAX, 10).await.unwrap();
    let first = all().await;
    assert_eq!(first.len(), 1);
    let renewed = async {
        while all().await == first {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, renewed).await.expect("it says that it lives");
    let now = SystemClock.now().timestamp_millis();
    assert_eq!(journal.abandoned(application, now, 10).await.unwrap(), [], "nobody else may take it");
    for file in fs::read_dir(bot.world.home().join("data")).unwrap() {
        let path = file.unwrap().path();
        let bytes = fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("canary") && !text.contains("word word"), "{}: a text", path.display());
    }
    bot.shutdown.begin();
    let (world, ended) = bot.ended().await;
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(held(&journal, &world.sandbox).await, [], "d21: the end of each answer is in the journal");
}

/// A world in which a bot died: what it left is written by hand.
struct Left {
    world: World,
    journal: Storage,
}

impl Left {
    async fn new() -> Self {
        let world = world().await;
        let journal = journal(&world).await;
        Self { world, journal }
    }

    /// A message of the bot's.
    async fn posts(&self, channel: Id, body: Value) -> Id {
        let endpoints = self.world.sandbox.endpoints();
        let mut body = body;
        body["allowed_mentions"] = json!({ "parse": [] });
        let sent = reqwest::Client::new()
            .post(format!("{}/api/v10/channels/{channel}/messages", endpoints.discord_api_base))
            .header("Authorization", format!("Bot {}", endpoints.bot_token))
            .header("User-Agent", "DiscordBot (https://example.org, 1)")
            .json(&body);
        let message: Value = sent.send().await.unwrap().json().await.unwrap();
        message["id"].as_str().expect("a message").parse().unwrap()
    }

    /// A line of the journal that nobody holds.
    async fn notes(&self, exchange: &str, channel: Id, newest: Id) -> InFlight {
        let marks = self.world.sandbox.discord().landmarks();
        let answer = InFlight {
            exchange: exchange.to_owned(),
            application: marks.application.0,
            channel: channel.0,
            newest: newest.0,
            offer: format!("{}:{}:{}:w question en", channel.0, newest.0 - 1, marks.owner.0),
            begun_at: SystemClock.now().timestamp_millis(),
        };
        self.journal.hold(&answer, "somebody else", 0).await.unwrap();
        answer
    }

    /// The next process, once it has looked after everything.
    async fn looked_after(self) -> Bot {
        let bot = self.world.connect().await;
        emptied(&self.journal, bot.sandbox()).await;
        bot
    }
}

fn button(id: &str) -> Value {
    let button = json!({ "type": 2, "style": 2, "label": "Stop", "custom_id": id });
    json!([{ "type": 1, "components": [button] }])
}

#[tokio::test]
async fn d22_every_kind_of_unfinished_message_is_found_and_a_finished_one_stays() {
    let left = Left::new().await;
    let sandbox = left.world.sandbox.clone();
    let question = sandbox.ask("hello").unwrap();
    let room = |name: &str| sandbox.add_channel(name);
    // Its creation was the last thing that the process did: only the question is known.
    let here = room("unknown");
    let unknown = left.posts(here, json!({ "content": "Half", "components": button("stop:aa") })).await;
    left.notes("aa", here, question).await;
    // It was full, and the next message was on its way.
    let here = room("full");
    let full = left.posts(here, json!({ "content": "x".repeat(1990) })).await;
    left.notes("bb", here, full).await;
    // Two messages, of which one is known.
    let here = room("two");
    let first = left.posts(here, json!({ "content": "First" })).await;
    let second = left.posts(here, json!({ "content": "Second", "components": button("stop:cc") })).await;
    left.notes("cc", here, first).await;
    // As an embed.
    let here = room("embed");
    let embed = json!({ "embeds": [{ "description": "Half" }], "components": button("stop:dd") });
    let embed = left.posts(here, embed).await;
    left.notes("dd", here, embed).await;
    // Nothing had come yet.
    let here = room("nothing");
    let nothing = json!({ "content": "-# 💭 Thinking…", "components": button("stop:ee") });
    let nothing = left.posts(here, nothing).await;
    left.notes("ee", here, nothing).await;
    // The end is there, and the line was to go next.
    let here = room("finished");
    let offer = format!("again:{here}:{question}:1:w");
    let finished = left.posts(here, json!({ "content": "Whole", "components": button(&offer) })).await;
    left.notes("ff", here, finished).await;
    // Nothing was ever said.
    left.notes("gg", room("silent"), question).await;

    let bot = left.looked_after().await;
    let shown = |id: Id| {
        let message = bot.sandbox().message(id).unwrap();
        (message.text(), labels(&message))
    };
    let goes_on = vec!["Continue".to_owned(), "Regenerate".to_owned()];
    for (id, text) in [(unknown, "Half\n"), (second, "Second\n"), (embed, "Half\n"), (full, "xxx")] {
        let (shown, labels) = shown(id);
        assert!(shown.starts_with(text) && shown.lines().last().unwrap().starts_with(MARK), "{shown}");
        assert!(shown.encode_utf16().count() <= 2000);
        assert_eq!(labels, goes_on);
    }
    assert!(bot.sandbox().message(embed).unwrap().content.is_empty(), "in the style that it has");
    assert!(shown(nothing).0.starts_with(MARK), "{:?}", shown(nothing));
    assert_eq!(shown(nothing).1, ["Retry"]);
    assert_eq!(shown(first), ("First".to_owned(), vec![]));
    assert_eq!(shown(finished), ("Whole".to_owned(), vec!["Stop".to_owned()]));
}

#[tokio::test]
async fn d22_an_unreachable_channel_is_dropped_after_tries_and_a_deleted_one_at_once() {
    const TRIES: usize = 5;
    let left = Left::new().await;
    let sandbox = left.world.sandbox.clone();
    let marks = sandbox.discord().landmarks();
    let closed = sandbox.add_channel("closed");
    let message = left.posts(closed, json!({ "content": "Half", "components": button("stop:aa") })).await;
    sandbox.deny(closed, marks.bot, permission::VIEW_CHANNEL);
    let fresh = left.notes("aa", closed, message).await;
    let tried = InFlight { exchange: "bb".to_owned(), ..fresh.clone() };
    left.journal.hold(&tried, "somebody else", 0).await.unwrap();
    for _ in 1..TRIES {
        let all = left.journal.abandoned(marks.application.0, 0, 10).await.unwrap();
        let last = all.into_iter().find(|found| found.answer.exchange == "bb").unwrap();
        assert_eq!(left.journal.adopt(&last, 0).await.unwrap(), Adopted::Here);
    }
    left.notes("cc", Id(12), Id(11)).await;
    let bot = left.world.connect().await;
    let settled = async {
        while held(&left.journal, bot.sandbox()).await != std::slice::from_ref(&fresh) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let in_time = tokio::time::timeout(SOON, settled).await;
    in_time.expect("the last try drops it; the first leaves it for the next");
    let now = SystemClock.now().timestamp_millis();
    let free = left.journal.abandoned(marks.application.0, now + 30_000, 10).await.unwrap();
    assert_eq!(free, [], "after a pause");
}
