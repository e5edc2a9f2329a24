//! Questions that come as commands: `/chat`, and the menu of a message; what is shown, who sees it, and how it goes on.

use cortana::sandbox::{
    File,
    discord::{Id, Message, permission},
    vendor::Reply,
};

use crate::support::{
    bot::{Bot, SOON, World},
    talk::{chats, last_asked},
};

fn world(world: World) -> World {
    let world = world.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*");
    world.with("ALLOW_DMS", "everyone").with("USER_MESSAGES_PER_HOUR", "0")
}

async fn bot() -> Bot {
    world(World::new().await).connect().await
}

fn says(bot: &Bot, answers: &[&str]) {
    bot.sandbox().vendors().script("gemini_cli", answers.iter().map(|text| Reply::text(text)).collect());
}

fn texts(messages: &[Message]) -> Vec<String> {
    messages.iter().map(Message::text).collect()
}

/// The owner uses a command somewhere; the finished answers.
async fn used(bot: &Bot, channel: Id, line: &str) -> Vec<Message> {
    let owner = bot.sandbox().discord().landmarks().owner;
    bot.settled(bot.sandbox().slash(owner, channel, line).expect("a command")).await
}

/// The owner uses `/chat` somewhere; the answers, once there are so many and none grows any more.
async fn long_answer(bot: &Bot, channel: Id, line: &str, count: usize) -> Vec<Message> {
    let owner = bot.sandbox().discord().landmarks().owner;
    let asked = bot.sandbox().slash(owner, channel, line).expect("a command");
    let whole = |answers: &[Message]| {
        answers.len() == count && !answers.iter().any(|answer| answer.has_button("stop:"))
    };
    bot.sandbox().settled(asked, SOON, whole).await.expect("all of it")
}

/// Somebody replies; the finished answers.
async fn replied(bot: &Bot, to: Id, text: &str) -> Vec<Message> {
    let owner = bot.sandbox().discord().landmarks().owner;
    bot.settled(bot.sandbox().reply_to(to, owner, text).expect("they may write")).await
}

#[tokio::test]
async fn chat_shows_its_question_and_a_reply_goes_on_from_it_after_a_restart_too() {
    let bot = bot().await;
    let channel = bot.sandbox().discord().landmarks().channel;
    says(&bot, &["Paris.", "Nobody knows.", "Rome."]);
    bot.ask("something else").await;
    let answers = used(&bot, channel, "/chat text:what is the capital of France?").await;
    assert_eq!(texts(&answers), ["> what is the capital of France?\nNobody knows."]);
    assert!(!answers[0].is_ephemeral() && answers[0].has_button("again:"));
    assert_eq!(last_asked(&bot), ["user: what is the capital of France?"], "a command begins afresh");
    replied(&bot, answers[0].id, "and of Italy?").await;
    let both = ["user: what is the capital of France?", "model: Nobody knows.", "user: and of Italy?"];
    assert_eq!(last_asked(&bot), both);

    bot.shutdown.begin();
    let (world, ended) = bot.ended().await;
    ended.expect("a clean end");
    let bot = world.connect().await;
    says(&bot, &["Spain."]);
    replied(&bot, answers[0].id, "and of Spain?").await;
    assert_eq!(last_asked(&bot)[..2], both[..2]);
}

#[tokio::test]
async fn chat_for_oneself_is_seen_by_nobody_else_and_offers_nothing() {
    let bot = bot().await;
    let channel = bot.sandbox().discord().landmarks().channel;
    says(&bot, &[&"All work and no play. ".repeat(150)]);
    let answers = long_answer(&bot, channel, "/chat text:write seen-by:only me", 2).await;
    for answer in &answers {
        assert!(answer.is_ephemeral() && answer.buttons().is_empty(), "{answer:?}");
    }
    assert!(answers[0].text().starts_with("> write\nAll work"));
    let ordinary = bot.sandbox().recorded_requests();
    let posted =
        ordinary.iter().any(|request| request.path.ends_with("/messages") && request.method == "POST");
    assert!(!posted, "nothing in the channel itself");
}

#[tokio::test]
async fn a_long_answer_to_chat_goes_on_in_the_channel_and_is_one_answer() {
    let bot = bot().await;
    let channel = bot.sandbox().discord().landmarks().channel;
    let long = "All work and no play. ".repeat(150);
    says(&bot, &[&long, "Short.", "More."]);
    let answers = long_answer(&bot, channel, "/chat text:write", 2).await;
    assert_eq!(answers[1].reply_to, Some(answers[0].id));
    replied(&bot, answers[1].id, "go on").await;
    // Two messages, which the model reads as one.
    let read: Vec<String> = last_asked(&bot).iter().map(|said| said.replace('\n', " ")).collect();
    assert_eq!(read, ["user: write", &format!("model: {}", long.trim()), "user: go on"]);
    let owner = bot.sandbox().discord().landmarks().owner;
    let click = bot.sandbox().click(owner, answers[1].id, "again:").unwrap();
    let short = |bot: &Bot| {
        let now = bot.sandbox().message(answers[0].id)?;
        (now.text() == "> write\nMore." && now.has_button("again:")).then_some(())
    };
    let seen = bot.sandbox().wait_for(SOON, |_| short(&bot)).await;
    seen.unwrap_or_else(|_| {
        panic!("{:?} {:?}", bot.sandbox().answers(click), bot.sandbox().message(answers[0].id))
    });
    assert_eq!(last_asked(&bot), ["user: write"]);
    assert!(!bot.sandbox().message(answers[1].id).unwrap().exists(), "the rest is deleted");
}

#[tokio::test]
async fn chat_takes_a_file_and_a_model() {
    let bot = bot().await;
    let marks = bot.sandbox().discord().landmarks();
    let file = File {
        filename: "note.txt".to_owned(),
        content_type: Some("text/plain".to_owned()),
        bytes: "the secret word is heron".into(),
    };
    says(&bot, &["A heron.", "A bird."]);
    let asked =
        bot.sandbox().slash_with(marks.owner, marks.channel, "/chat text:which word?", ("file", file));
    let answers = bot.settled(asked.unwrap()).await;
    assert_eq!(texts(&answers), ["> which word? 📎 note.txt\nA heron."]);
    assert!(chats(&bot).last().unwrap().to_string().contains("the secret word is heron"));
    replied(&bot, answers[0].id, "what is that?").await;
    assert!(chats(&bot).last().unwrap().to_string().contains("the secret word is heron"), "it goes on");

    let offered =
        bot.sandbox().autocomplete(marks.owner, marks.channel, "/chat text:x model:flash").await.unwrap();
    assert!(offered.iter().any(|choice| choice.value == "gemini_cli/gemini-2.5-flash"), "{offered:?}");
    assert!(offered.iter().all(|choice| choice.value != "default"));
    used(&bot, marks.channel, "/chat text:hello model:gemini_cli/gemini-2.5-flash").await;
    assert_eq!(chats(&bot).last().unwrap()["model"], "gemini-2.5-flash");
    let refused = used(&bot, marks.channel, "/chat text:hello model:nonsense").await;
    assert!(refused[0].is_ephemeral() && refused[0].text().starts_with("❌ There is no model `nonsense`."));
}

#[tokio::test]
async fn chat_works_in_direct_messages_in_threads_and_where_the_bot_cannot_write() {
    let bot = bot().await;
    let marks = bot.sandbox().discord().landmarks();
    says(&bot, &["One.", "Two.", "Three.", &"Four. ".repeat(600)]);
    let direct = bot.sandbox().direct_channel(marks.owner);
    assert_eq!(texts(&used(&bot, direct, "/chat text:a").await), ["> a\nOne."]);
    used(&bot, direct, "/chat text:b").await;
    assert_eq!(last_asked(&bot), ["user: a", "model: One.", "user: b"], "in direct messages all goes on");

    let above = bot.sandbox().say(marks.channel, marks.guest, "let us talk").unwrap();
    let thread = bot.sandbox().start_thread(marks.guest, above, "talk").unwrap();
    assert_eq!(texts(&used(&bot, thread, "/chat text:c").await), ["> c\nThree."]);
    assert_eq!(last_asked(&bot), ["user: let us talk\nc"], "the thread's starter comes before");

    bot.sandbox().deny(marks.channel, marks.bot, permission::SEND_MESSAGES);
    let answers = long_answer(&bot, marks.channel, "/chat text:d", 2).await;
    assert!(answers.iter().all(|answer| !answer.is_ephemeral()), "{answers:?}");
}
