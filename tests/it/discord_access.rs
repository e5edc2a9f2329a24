//! Who is answered, and how much: lists and limits, by every way in, over restarts.

use cortana::sandbox::{
    Sandbox,
    discord::{Id, Message, permission},
    vendor::Kind,
};

use crate::support::{
    bot::{Bot, SOON, World},
    talk::chats,
};

async fn world() -> World {
    World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*").with("ALLOW_DMS", "everyone")
}

/// The same bot after a restart, with another setting.
async fn restarted(bot: Bot, name: &str, value: &str) -> Bot {
    bot.shutdown.begin();
    let (world, ended) = bot.ended().await;
    assert!(ended.is_ok(), "{ended:?}");
    world.with(name, value).connect().await
}

/// Somebody mentions the bot in the usual channel; the answers.
async fn ask(bot: &Bot, person: Id, text: &str) -> Vec<Message> {
    let (sandbox, channel) = (bot.sandbox(), bot.sandbox().discord().landmarks().channel);
    let question = sandbox.say(channel, person, &format!("{} {text}", sandbox.mention())).unwrap();
    bot.settled(question).await
}

/// Waits until a model was asked so often: the first that shows of a thread is no answer.
async fn chatted(bot: &Bot, times: usize) {
    let asked = |sandbox: &Sandbox| {
        let requests = sandbox.vendors().requests();
        (requests.iter().filter(|request| request.kind == Kind::Chat).count() >= times).then_some(())
    };
    bot.sandbox().wait_for(SOON, asked).await.expect("a model is asked");
}

fn has_text(answers: &[Message], text: &str) -> bool {
    answers.first().is_some_and(|answer| answer.text().contains(text))
}

#[tokio::test]
async fn d24_who_is_blocked_comes_in_by_no_way() {
    let bot = world().await.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let answer = ask(&bot, marks.guest, "hello").await.remove(0);
    let asked_before = chats(&bot).len();
    let bot = restarted(bot, "BLOCKED_USER_IDS", &marks.guest.to_string()).await;
    let sandbox = bot.sandbox();

    let mention = format!("{} hello", sandbox.mention());
    let silent = [
        sandbox.say(marks.channel, marks.guest, &mention).unwrap(),
        sandbox.dm(marks.guest, "hello").unwrap(),
        sandbox.reply_to(answer.id, marks.guest, "and then?").unwrap(),
    ];
    for told in [
        sandbox.click(marks.guest, answer.id, "again:").unwrap(),
        sandbox.slash(marks.guest, marks.channel, "/chat text:hello").unwrap(),
        sandbox.slash(marks.guest, marks.channel, "/settings status").unwrap(),
    ] {
        let told = bot.settled(told).await;
        assert!(told[0].is_ephemeral(), "an interaction needs an answer, and nobody else sees it: {told:?}");
    }
    assert!(!bot.ask("hello").await.is_empty(), "others are answered");
    for question in silent {
        assert!(sandbox.answers(question).is_empty(), "silence");
    }
    assert_eq!(chats(&bot).len(), asked_before + 1, "the model heard the owner alone");
}

#[tokio::test]
async fn d24_an_operator_cannot_be_blocked() {
    let world = world().await;
    let owner = world.sandbox.discord().landmarks().owner.to_string();
    let bot = world.with("BLOCKED_USER_IDS", &owner).with("ALLOWED_USER_IDS", "1").connect().await;
    assert!(!bot.ask("hello").await.is_empty());
    let marks = bot.sandbox().discord().landmarks();
    assert!(has_text(&ask(&bot, marks.guest, "hello").await, "a few people only"));
}

#[tokio::test]
async fn d24_the_threads_of_a_blocked_channel_are_blocked_with_it() {
    let bot = world().await.with("AUTO_THREADS", "1").connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let answer = bot.ask("hello").await.remove(0);
    assert_ne!(answer.channel_id, marks.channel, "it stands in a thread");
    chatted(&bot, 1).await;
    let elsewhere = bot.sandbox().add_channel("elsewhere");
    let bot = restarted(bot, "BLOCKED_CHANNEL_IDS", &marks.channel.to_string()).await;
    let sandbox = bot.sandbox();
    let mention = format!("{} hello", sandbox.mention());
    let in_thread = sandbox.say(answer.channel_id, marks.owner, &mention).unwrap();
    let in_channel = sandbox.say(marks.channel, marks.owner, &mention).unwrap();
    let heard = sandbox.say(elsewhere, marks.owner, &mention).unwrap();
    assert!(!bot.settled(heard).await.is_empty());
    chatted(&bot, 2).await;
    assert!(sandbox.answers(in_thread).is_empty() && sandbox.answers(in_channel).is_empty());
    assert_eq!(chats(&bot).len(), 2, "one before the restart, and one elsewhere");
}

#[tokio::test]
async fn d24_the_hourly_limit_holds_over_a_restart_and_by_every_way() {
    let bot = world().await.with("USER_MESSAGES_PER_HOUR", "1").connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let answer = ask(&bot, marks.guest, "hello").await.remove(0);
    let asked_before = chats(&bot).len();
    let bot = restarted(bot, "LOG_FORMAT", "pretty").await;
    let sandbox = bot.sandbox();
    let refused = |answers: &[Message]| {
        has_text(
            answers,
            "You have asked 1 questions within an hour, which is the limit here; you can go on <t:",
        )
    };
    let told = ask(&bot, marks.guest, "again").await;
    assert!(refused(&told) && has_text(&told, ":R>"), "{told:?}");
    for interaction in [
        sandbox.click(marks.guest, answer.id, "again:").unwrap(),
        sandbox.slash(marks.guest, marks.channel, "/chat text:hello").unwrap(),
    ] {
        let told = bot.settled(interaction).await;
        assert!(refused(&told) && told[0].is_ephemeral(), "{told:?}");
    }
    assert_eq!(chats(&bot).len(), asked_before, "nothing of it reached a model");
    for _ in 0..2 {
        assert!(!bot.ask("hello").await.is_empty(), "operators have no limit");
    }
    assert_eq!(chats(&bot).len(), asked_before + 2);
}

#[tokio::test]
async fn d24_tokens_of_answers_count_over_a_restart() {
    let bot = world().await.with("USER_TOKENS_PER_DAY", "1").connect().await;
    let guest = bot.sandbox().discord().landmarks().guest;
    assert!(
        !has_text(&ask(&bot, guest, "hello").await, "which is the limit here"),
        "what it costs is not known before"
    );
    let bot = restarted(bot, "LOG_FORMAT", "pretty").await;
    let told = ask(&bot, guest, "again").await;
    assert!(has_text(&told, "came to 1 tokens within a day") && has_text(&told, "<t:"), "{told:?}");
}

#[tokio::test]
async fn d19_where_the_bot_may_not_write_it_tries_once() {
    let bot = world().await.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let closed = bot.sandbox().add_channel("closed");
    bot.sandbox().deny(closed, marks.bot, permission::SEND_MESSAGES);
    let mention = format!("{} hello", bot.sandbox().mention());
    let attempts = |sandbox: &Sandbox| {
        let path = format!("/channels/{closed}/messages");
        let requests = sandbox.recorded_requests().into_iter();
        let writes = requests.filter(|sent| sent.method == "POST" && sent.path.ends_with(&path));
        writes.map(|sent| sent.status).collect::<Vec<_>>()
    };
    bot.sandbox().say(closed, marks.guest, &mention).unwrap();
    let first = |sandbox: &Sandbox| Some(attempts(sandbox)).filter(|attempts| !attempts.is_empty());
    assert_eq!(bot.sandbox().wait_for(SOON, first).await.expect("it tries"), [403]);
    for _ in 0..3 {
        bot.sandbox().say(closed, marks.guest, &mention).unwrap();
    }
    assert!(!bot.ask("hello").await.is_empty(), "other channels are served");
    assert_eq!(attempts(bot.sandbox()), [403], "and this one is left alone");
}
