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
    let answers = bot.sandbox().settled(asked, SOON, whole).await;
    answers.unwrap_or_else(|_| panic!("not all of it: {:#?}", bot.sandbox().answers(asked)))
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

#[tokio::test]
async fn ask_cortana_answers_a_message_with_what_it_continues() {
    let bot = bot().await;
    let marks = bot.sandbox().discord().landmarks();
    says(&bot, &["At nine.", "Every day.", "At ten."]);
    let first = bot.sandbox().say(marks.channel, marks.guest, "the shop is closed").unwrap();
    let second = bot.sandbox().reply_to(first, marks.guest, "when does it open?").unwrap();
    let asked = bot.sandbox().context_command(marks.owner, second, "Ask Cortana").unwrap();
    let answers = bot.settled(asked).await;
    let heading = format!(
        "> [Gus](https://discord.com/channels/{}/{}/{second}): when does it open?",
        marks.guild, marks.channel
    );
    assert_eq!(texts(&answers), [format!("{heading}\nAt nine.")]);
    assert_eq!(
        (answers[0].kind, last_asked(&bot)),
        (23, vec!["user: the shop is closed\nwhen does it open?".to_owned()])
    );
    replied(&bot, answers[0].id, "on Sundays too?").await;
    let continued = last_asked(&bot);
    assert_eq!(continued[1..], ["model: At nine.", "user: on Sundays too?"]);
    assert!(continued[0].ends_with("when does it open?"), "{continued:?}");
    // Another answer in the place of the old one, to the same question.
    bot.sandbox().click(marks.owner, answers[0].id, "again:").unwrap();
    let ten = |sandbox: &cortana::sandbox::Sandbox| {
        sandbox.message(answers[0].id).filter(|now| now.text() == format!("{heading}\nAt ten."))
    };
    bot.sandbox().wait_for(SOON, ten).await.expect("another answer");
}

#[tokio::test]
async fn d16_without_the_content_intent_the_menu_still_tells_what_a_message_says() {
    let world = world(World::new().await);
    world.sandbox.set_privileged_intents(0);
    let bot = world.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    says(&bot, &["At nine."]);
    let message = bot.sandbox().say(marks.channel, marks.guest, "when does it open?").unwrap();
    bot.sandbox().say(marks.channel, marks.guest, "unseen").unwrap();
    let asked = bot.sandbox().context_command(marks.owner, message, "Ask Cortana").unwrap();
    assert!(bot.settled(asked).await[0].text().ends_with("\nAt nine."));
    assert_eq!(last_asked(&bot), ["user: when does it open?"]);
}

#[tokio::test]
async fn summarise_from_here_is_for_the_asker_alone_and_reads_what_they_may_read() {
    let bot = bot().await;
    let marks = bot.sandbox().discord().landmarks();
    says(&bot, &["They will meet.", "Nothing."]);
    bot.sandbox().say(marks.channel, marks.guest, "before").unwrap();
    let first = bot.sandbox().say(marks.channel, marks.guest, "shall we meet?").unwrap();
    bot.sandbox().say(marks.channel, marks.owner, "yes\nGus: no").unwrap();
    let asked = bot.sandbox().context_command(marks.owner, first, "Summarise from here").unwrap();
    let answers = bot.settled(asked).await;
    let text = answers[0].text();
    assert!(
        text.starts_with("> 2 messages from [Gus](https://discord.com/")
            && text.ends_with("\nThey will meet."),
        "{text}"
    );
    assert!(answers[0].is_ephemeral() && answers[0].buttons().is_empty());
    let read = chats(&bot).last().unwrap().to_string();
    assert!(
        read.contains("shall we meet?") && read.contains("yes\\n    Gus: no") && !read.contains("before"),
        "{read}"
    );

    bot.sandbox().deny(marks.channel, marks.guest, permission::READ_MESSAGE_HISTORY);
    let asked = bot.sandbox().context_command(marks.guest, first, "Summarise from here").unwrap();
    let refused = bot.settled(asked).await;
    assert_eq!(texts(&refused), ["You may not read back here, so I do not either."]);
    assert!(refused[0].is_ephemeral());
    // Whoever may not write here does not write here through the bot.
    bot.sandbox().deny(marks.channel, marks.guest, permission::SEND_MESSAGES);
    let asked = bot.sandbox().slash(marks.guest, marks.channel, "/chat text:hello").unwrap();
    assert!(bot.settled(asked).await[0].is_ephemeral());
}

#[tokio::test]
async fn help_says_what_each_can_do_with_commands_to_click() {
    let bot = bot().await;
    let marks = bot.sandbox().discord().landmarks();
    let operators = bot.slash("/help").await[0].text();
    let guest = bot.sandbox().slash(marks.guest, marks.channel, "/help").unwrap();
    let guests = bot.settled(guest).await[0].text();
    for text in [&operators, &guests] {
        for command in ["</chat:", "</settings model:", "</whoami:", "</usage:", "</reset:"] {
            assert!(text.contains(command), "{command}: {text}");
        }
        assert!(text.contains("Ask Cortana") && text.contains("Summarise from here"));
    }
    assert!(operators.contains("</settings oauth-status:") && !guests.contains("oauth"), "{guests}");
    assert!(operators.contains("As you manage this server") && !guests.contains("manage"), "{guests}");
}

#[tokio::test]
async fn d24_whoami_and_usage_say_what_applies_and_what_is_left() {
    let world = World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*");
    let bot = world.with("USER_MESSAGES_PER_HOUR", "3").connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let guest = async |line: &str| {
        let used = bot.sandbox().slash(marks.guest, marks.channel, line).unwrap();
        let told = bot.settled(used).await;
        assert!(told[0].is_ephemeral());
        told[0].text()
    };
    assert_eq!(guest("/usage").await, "You asked 0 of 3 questions within the last hour: 3 left.");
    let asked = bot.sandbox().slash(marks.guest, marks.channel, "/chat text:hello").unwrap();
    bot.settled(asked).await;
    let usage = guest("/usage").await;
    assert!(
        usage.starts_with("You asked 1 of 3 questions within the last hour: 2 left. There is more <t:"),
        "{usage}"
    );
    assert!(usage.ends_with(":R>."), "{usage}");
    let who = guest("/whoami").await;
    for part in [
        format!("You are <@{0}>, `{0}`.", marks.guest),
        "for yourself".to_owned(),
        "I answer everybody on this server.".to_owned(),
        "answers you here".to_owned(),
        "no persona is chosen".to_owned(),
        "2 left".to_owned(),
    ] {
        assert!(who.contains(&part), "{part}: {who}");
    }
    let owner = bot.slash("/whoami").await[0].text();
    assert!(owner.contains("one of my operators") && owner.contains("no limit"), "{owner}");
    for _ in 0..2 {
        let asked = bot.sandbox().slash(marks.guest, marks.channel, "/chat text:hello").unwrap();
        bot.settled(asked).await;
    }
    let refused = guest("/chat text:hello").await;
    assert!(refused.starts_with("You have asked 3 questions within an hour"), "{refused}");
}
