//! D15: whatever people and models write, wherever it comes up again, nobody is notified. The emulator computes who would be,
//! for every create and every edit; that each of them says so itself is held over the whole test run (`support/contract.rs`).

use std::time::Duration;

use cortana::sandbox::{
    File, Sandbox,
    discord::{Answered, Id, Message},
    vendor::{Act, Fault, Reply},
};

use crate::support::bot::{Bot, SOON, World};

/// Everything that could notify somebody: everyone, here, a role, people in both notations, and tricks with signs that cannot
/// be seen, with escapes, with code that opens and never closes, with a mention across two pieces of a stream.
fn corpus(bot: &Bot) -> String {
    let marks = bot.sandbox().discord().landmarks();
    let (guest, role) = (marks.guest, marks.role);
    let tricks = [
        "@every\u{200b}one",
        "@\u{2060}here",
        "\\@everyone",
        "`@everyone",
        "||@here||",
        "> @everyone",
        "# @here",
    ];
    format!("@everyone @here <@&{role}> <@{guest}> <@!{guest}> {} ```\n@everyone", tricks.join(" "))
}

/// Every message of the bot's, wherever it may have written.
fn of_the_bot(sandbox: &Sandbox, channels: &[Id]) -> Vec<Message> {
    let bot = sandbox.discord().landmarks().bot;
    let all = channels.iter().flat_map(|channel| sandbox.messages(*channel));
    all.filter(|message| message.author_id == bot).collect()
}

/// None of what was ever visible notified anybody.
fn notify_nobody(messages: &[Message]) {
    for message in messages {
        for (at, revision) in message.timeline.iter().enumerate() {
            assert!(revision.notified.is_nobody(), "revision {at} of {message:?}");
        }
    }
}

async fn bot(style: &str) -> Bot {
    let world = World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*");
    let world = world.with("ALLOW_DMS", "everyone").with("USER_MESSAGES_PER_HOUR", "0");
    world.with("REPLY_STYLE", style).connect().await
}

/// The model says the corpus, piece by piece, so that it stands in creates and in edits.
fn says(bot: &Bot, text: &str, times: usize) {
    let middle = text.chars().count() / 2;
    let pieces = [text.chars().take(middle).collect::<String>(), text.chars().skip(middle).collect()];
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    let reply = || Reply::pieces(&pieces).paced(Duration::from_millis(400));
    bot.sandbox().vendors().script("gemini_cli", (0..times).map(|_| reply()).collect());
}

async fn plays(style: &str) {
    let bot = bot(style).await;
    let marks = bot.sandbox().discord().landmarks();
    let (sandbox, text) = (bot.sandbox(), corpus(&bot));
    let word = text.replace('\n', " ").replace('"', "");
    let control = sandbox.say(marks.channel, marks.owner, &text).expect("they may write");
    let notified = &sandbox.message(control).expect("a message").timeline[0].notified;
    assert!(
        notified.everyone && notified.users.contains(&marks.guest),
        "the corpus is no blank: {notified:?}"
    );

    says(&bot, &text, 6);
    let answers = bot.ask(&text).await;
    assert!(!answers.is_empty());
    let named = File { filename: "@everyone.bin".to_owned(), content_type: None, bytes: "\0\u{1}".into() };
    let with_file = format!("{} look", sandbox.mention());
    let asked = sandbox.say_with(marks.channel, marks.owner, &with_file, None, vec![named]).expect("sent");
    bot.settled(asked).await;
    for line in [format!("/chat text:{word}"), format!("/chat text:{word} seen-by:only me")] {
        bot.slash(&line).await;
    }
    for name in ["Ask Cortana", "Summarise from here"] {
        let asked = sandbox.context_command(marks.owner, control, name).expect("it is registered");
        bot.settled(asked).await;
    }
    // What is refused quotes what was asked for.
    for line in
        ["/chat text:x model:@everyone", "/settings model model:@everyone", "/settings persona persona:@here"]
    {
        bot.slash(line).await;
    }
    for line in ["/whoami", "/usage", "/help", "/settings status"] {
        bot.slash(line).await;
    }
    // A failure, a click on it, and a stop.
    sandbox.vendors().fault("gemini_cli", Fault::chat(Act::web_page(502)));
    says(&bot, &text, 3);
    let asked = sandbox.ask(&text).expect("asked");
    let answers = bot.settled(asked).await;
    let retry = sandbox.click(marks.owner, answers.last().expect("an answer").id, "again:").expect("offered");
    let taken = |sandbox: &Sandbox| (sandbox.interaction(retry)?.answered != Answered::NotYet).then_some(());
    sandbox.wait_for(SOON, taken).await.expect("an acknowledgement");
    bot.settled(asked).await;
    let direct = sandbox.direct_channel(marks.owner);
    let asked = sandbox.say(direct, marks.owner, &text).expect("they may write");
    bot.settled(asked).await;
    notify_nobody(&of_the_bot(sandbox, &[marks.channel, direct]));
}

#[tokio::test]
async fn d15_nothing_in_plain_answers_commands_menus_or_failures_notifies_anybody() {
    plays("plain").await;
}

#[tokio::test]
async fn d15_nothing_in_embeds_notifies_anybody() {
    plays("embed").await;
}

#[tokio::test]
async fn d15_a_thread_named_after_a_question_notifies_nobody() {
    let world = World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*");
    let bot = world.with("AUTO_THREADS", "1").connect().await;
    let (sandbox, marks) = (bot.sandbox(), bot.sandbox().discord().landmarks());
    says(&bot, &corpus(&bot), 1);
    let question = format!("{} @everyone <@&{}> what is this?", sandbox.mention(), marks.role);
    let asked = sandbox.say(marks.channel, marks.owner, &question).expect("they may write");
    let whole = |sandbox: &Sandbox| {
        let answers = sandbox.messages(asked);
        let is_there = answers.iter().any(|message| message.author_id == marks.bot);
        (is_there && !answers.iter().any(|message| message.has_button("stop:"))).then_some(answers)
    };
    let answers = sandbox.wait_for(SOON, whole).await.expect("an answer in the thread");
    notify_nobody(&of_the_bot(sandbox, &[marks.channel]));
    notify_nobody(&answers.into_iter().filter(|message| message.author_id == marks.bot).collect::<Vec<_>>());
}
