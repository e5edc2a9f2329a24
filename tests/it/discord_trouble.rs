//! The bot on an emulated Discord that refuses, is slow, or loses answers.

use std::time::Duration;

use cortana::sandbox::{
    Sandbox,
    discord::{Message, RecordedRequest, RestAction, RestFault, permission},
    vendor::Reply,
};

use crate::support::bot::{Bot, SOON, World};

async fn with_login() -> Bot {
    World::new().await.login("gemini_cli", "ann").connect().await
}

/// Takes a permission of the bot's away in the usual channel.
fn deny(bot: &Bot, permission: u64) {
    let landmarks = bot.sandbox().discord().landmarks();
    bot.sandbox().deny(landmarks.channel, landmarks.bot, permission);
}

/// The first recorded request that is wanted; a request is recorded after its effect is visible.
async fn recorded(bot: &Bot, wanted: impl Fn(&RecordedRequest) -> bool) -> RecordedRequest {
    let found = |sandbox: &Sandbox| sandbox.recorded_requests().into_iter().find(&wanted);
    bot.sandbox().wait_for(SOON, found).await.expect("the request is recorded")
}

/// What the bot wrote in the usual channel, once `finished` agrees.
async fn written(bot: &Bot, finished: impl Fn(&[Message]) -> bool) -> Vec<Message> {
    let landmarks = bot.sandbox().discord().landmarks();
    let found = |sandbox: &Sandbox| {
        let mut messages = sandbox.messages(landmarks.channel);
        messages.retain(|message| message.author_id == landmarks.bot);
        finished(&messages).then_some(messages)
    };
    bot.sandbox().wait_for(SOON, found).await.expect("the bot writes")
}

fn has_text(messages: &[Message], text: &str) -> bool {
    messages.iter().any(|message| message.text().contains(text))
}

#[tokio::test]
async fn d8_where_files_are_refused_the_answer_ends_without_one() {
    const REFUSED: &str = "\n-# The rest is left out: I may not attach files here.";
    let bot = with_login().await;
    deny(&bot, permission::ATTACH_FILES);
    let long = Reply::text(&"All work and no play. ".repeat(600));
    bot.sandbox().vendors().script("gemini_cli", vec![long, Reply::text("Still here.")]);
    let question = bot.sandbox().ask("a book please").unwrap();
    let finished =
        |answers: &[Message]| has_text(answers, REFUSED) && !answers.iter().any(|a| a.has_button("stop:"));
    let answers = bot.sandbox().settled(question, SOON, finished).await.unwrap();
    assert_eq!(answers.len(), 4);
    assert!(answers[3].text().ends_with(REFUSED), "{}", answers[3].text());
    assert!(answers.iter().all(|answer| answer.attachments.is_empty()));
    assert_eq!(bot.ask("and now?").await[0].text(), "Still here.", "the channel is not left alone");
}

#[tokio::test]
async fn d19_without_read_message_history_answers_are_no_replies() {
    let bot = with_login().await;
    deny(&bot, permission::READ_MESSAGE_HISTORY);
    bot.sandbox().ask("").unwrap();
    let told = written(&bot, |messages| has_text(messages, "Mention <@")).await;
    assert_eq!((told.len(), told[0].reply_to), (1, None));
    bot.sandbox().vendors().script("gemini_cli", vec![Reply::text("Here you are.")]);
    bot.sandbox().ask("hello").unwrap();
    let finished = |messages: &[Message]| {
        has_text(messages, "Here you are.") && !messages.iter().any(|message| message.has_button("stop:"))
    };
    let answers = written(&bot, finished).await;
    assert_eq!((answers.len(), answers[1].reply_to), (2, None));
}

#[tokio::test]
async fn d25_a_create_whose_answer_was_lost_ends_with_the_newest_text() {
    let bot = with_login().await;
    let script = Reply::pieces(&["one ", "two ", "three"]).paced(Duration::from_millis(100));
    bot.sandbox().vendors().script("gemini_cli", vec![script]);
    bot.sandbox().fault(RestFault {
        method: Some("POST".to_owned()),
        path: Some("/messages".to_owned()),
        times: 1,
        action: RestAction::DoneButStatus { status: 502 },
    });
    let answers = bot.ask("count").await;
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].text(), "one two three");
    let creates = bot.sandbox().recorded_requests();
    let creates = creates.iter().filter(|sent| sent.method == "POST" && sent.path.ends_with("/messages"));
    assert_eq!(creates.map(|sent| sent.status).collect::<Vec<_>>(), [502, 200]);
}

#[tokio::test]
async fn d10_a_stop_that_comes_too_late_leaves_the_answer_as_it_is() {
    let bot = with_login().await;
    let script = Reply::pieces(&["one ", "two ", "three"]).paced(Duration::from_millis(100));
    bot.sandbox().vendors().script("gemini_cli", vec![script]);
    // Half before a request is carried out, half after: the answer is complete before its first message is.
    bot.sandbox().set_latency(Duration::from_secs(1));
    let question = bot.sandbox().ask("count").unwrap();
    recorded(&bot, |sent| sent.method == "POST" && sent.path.ends_with("/messages")).await;
    let answer = bot.sandbox().answers(question).remove(0);
    assert!(answer.has_button("stop:"), "the last edit is still on its way");
    let owner = bot.sandbox().discord().landmarks().owner;
    bot.sandbox().click(owner, answer.id, "stop:").unwrap();
    let callback = recorded(&bot, |sent| sent.path.ends_with("/callback")).await;
    assert_eq!((&callback.body["type"], callback.status), (&serde_json::json!(6), 204));
    let answers = bot.settled(question).await;
    assert_eq!(answers[0].text(), "one two three");
}

#[tokio::test]
async fn d13_a_history_that_cannot_be_read_in_time_is_done_without() {
    let world = World::new().await.login("gemini_cli", "ann").with("REQUEST_DEADLINE_SECS", "6");
    let bot = world.connect().await;
    let first = bot.ask("one").await;
    bot.sandbox().fault(RestFault {
        method: Some("GET".to_owned()),
        path: Some("/messages".to_owned()),
        times: 2,
        action: RestAction::Hang,
    });
    let owner = bot.sandbox().discord().landmarks().owner;
    let reply = bot.sandbox().reply_to(first[0].id, owner, "two").unwrap();
    let second = bot.settled(reply).await;
    assert!(second[0].text().contains("turn 1"), "{}", second[0].text());
}

#[tokio::test]
async fn d21_the_end_waits_for_the_answer_to_a_command() {
    let bot = with_login().await;
    bot.sandbox().set_latency(Duration::from_millis(500));
    let landmarks = bot.sandbox().discord().landmarks();
    let asked = bot.sandbox().slash(landmarks.owner, landmarks.channel, "/settings status").unwrap();
    recorded(&bot, |sent| sent.path.ends_with("/callback")).await;
    bot.shutdown.begin();
    let sandbox = bot.sandbox().clone();
    let (_world, ended) = bot.ended().await;
    assert!(ended.is_ok(), "{ended:?}");
    let answers = sandbox.answers(asked);
    assert!(has_text(&answers, "Answers in progress: 0"), "{answers:?}");
}
