//! D13: which messages make a conversation, in which roles, over the emulated Discord.
//!
//! The table has the rules of llmcord, the bot of this kind that most people know, as its code has them: a question's
//! parent is the message it replies to; without a reply and without a mention, the message before it, if the same person
//! wrote it (in direct messages: if the bot did); in a public thread whatever else continues the message that the thread was
//! opened from; a mention alone begins afresh. The bot's messages are the assistant's, everybody else's the user's; empty ones
//! are left out. Two rows are ours: a post in a forum is the parent of what is said below it, and what nobody answered within
//! `CONVERSATION_TTL_SECS` continues by a reply only.

use cortana::sandbox::discord::{Id, permission};

use crate::support::{
    bot::{Bot, SOON, World},
    talk::{Scene, last_asked},
};

async fn bot() -> Bot {
    let world = World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*");
    world.with("ALLOW_DMS", "everyone").with("USER_MESSAGES_PER_HOUR", "0").connect().await
}

/// A channel in which Q1, A1, Q2 and A2 were said, each a reply to the one before.
async fn chain(bot: &Bot, channel: Id) -> Scene<'_> {
    let owner = bot.sandbox().discord().landmarks().owner;
    let mut scene = Scene::new(bot, channel);
    scene.model_says(&["A1", "A2"]);
    scene.say(owner, "@ Q1");
    scene.answered("@ Q1", "A1").await;
    scene.reply(owner, "A1", "Q2");
    scene.answered("Q2", "A2").await;
    scene
}

#[tokio::test]
async fn d13_reply_chains_in_a_channel() {
    let bot = bot().await;
    let marks = bot.sandbox().discord().landmarks();
    let (owner, guest) = (marks.owner, marks.guest);
    let mut scene = chain(&bot, marks.channel).await;
    assert_eq!(last_asked(&bot), ["user: Q1", "model: A1", "user: Q2"]);

    scene.model_says(&["A3", "A4", "A5"]);
    scene.say(owner, "@ afresh");
    scene.answered("@ afresh", "A3").await;
    assert_eq!(last_asked(&bot), ["user: afresh"], "a mention begins afresh");
    scene.reply(owner, "A1", "another way");
    scene.answered("another way", "A4").await;
    assert_eq!(last_asked(&bot), ["user: Q1", "model: A1", "user: another way"], "a branch");
    scene.reply(guest, "A2", "I go on");
    scene.answered("I go on", "A5").await;
    let expected = ["user: Q1", "model: A1", "user: Q2", "model: A2", "user: I go on"];
    assert_eq!(last_asked(&bot), expected, "somebody else's conversation");

    scene.model_says(&["A6"]);
    bot.sandbox().remove(scene.id("A1")).unwrap();
    scene.reply(owner, "A2", "what now");
    scene.answered("what now", "A6").await;
    assert_eq!(last_asked(&bot), ["user: Q2", "model: A2", "user: what now"], "what was deleted is gone");
}

#[tokio::test]
async fn d13_messages_in_a_row_belong_together() {
    let bot = bot().await;
    let marks = bot.sandbox().discord().landmarks();
    let (owner, guest) = (marks.owner, marks.guest);
    // Who says "one", "two" and "three" before the owner replies to the last of them, and what the model reads.
    let rows: [([Id; 3], &str); 4] = [
        ([guest, guest, guest], "user: one\ntwo\nthree\nwhat of it?"),
        ([guest, owner, guest], "user: three\nwhat of it?"),
        ([guest, guest, owner], "user: three\nwhat of it?"),
        ([owner, owner, owner], "user: one\ntwo\nthree\nwhat of it?"),
    ];
    for (at, (who, expected)) in rows.into_iter().enumerate() {
        let channel = bot.sandbox().add_channel(&format!("row-{at}"));
        let mut scene = Scene::new(&bot, channel);
        for (person, text) in who.into_iter().zip(["one", "two", "three"]) {
            scene.say(person, text);
        }
        scene.model_says(&["So it is."]);
        scene.reply(owner, "three", "@ what of it?");
        scene.answered("@ what of it?", "So it is.").await;
        assert_eq!(last_asked(&bot), [expected], "row {at}");
    }
}

#[tokio::test]
async fn d13_direct_messages_continue_and_a_mention_begins_afresh() {
    let bot = bot().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    let mut scene = Scene::new(&bot, bot.sandbox().direct_channel(owner));
    scene.model_says(&["A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8"]);
    scene.say(owner, "Q1");
    scene.answered("Q1", "A1").await;
    scene.say(owner, "Q2");
    scene.answered("Q2", "A2").await;
    assert_eq!(last_asked(&bot), ["user: Q1", "model: A1", "user: Q2"]);
    scene.reply(owner, "A1", "Q3");
    scene.answered("Q3", "A3").await;
    assert_eq!(last_asked(&bot), ["user: Q1", "model: A1", "user: Q3"], "back to A1");
    scene.say(owner, "Q4");
    scene.answered("Q4", "A4").await;
    let branch = ["user: Q1", "model: A1", "user: Q3", "model: A3", "user: Q4"];
    assert_eq!(last_asked(&bot), branch, "the branch goes on, not what was left");
    scene.say(owner, "@ Q5");
    scene.answered("@ Q5", "A5").await;
    assert_eq!(last_asked(&bot), ["user: Q5"]);
    scene.say(owner, "Q6");
    scene.answered("Q6", "A6").await;
    assert_eq!(last_asked(&bot), ["user: Q5", "model: A5", "user: Q6"], "and not beyond the mention");
    scene.minutes_later(31);
    scene.say(owner, "Q7");
    scene.answered("Q7", "A7").await;
    assert_eq!(last_asked(&bot), ["user: Q7"], "after a silence everything begins afresh");
    scene.reply(owner, "A6", "Q8");
    scene.answered("Q8", "A8").await;
    let all = ["user: Q5", "model: A5", "user: Q6", "model: A6", "user: Q8"];
    assert_eq!(last_asked(&bot), all, "a reply continues whatever the silence");
}

#[tokio::test]
async fn d13_a_thread_continues_the_message_it_was_opened_from() {
    let bot = bot().await;
    let marks = bot.sandbox().discord().landmarks();
    let (owner, guest) = (marks.owner, marks.guest);
    let mut channel = chain(&bot, marks.channel).await;
    let thread = bot.sandbox().start_thread(guest, channel.id("A2"), "aside").unwrap();
    let mut scene = channel.moved(thread);
    scene.model_says(&["B1", "B2", "B3"]);
    scene.say(guest, "@ and here?");
    scene.answered("@ and here?", "B1").await;
    let moved = ["user: Q1", "model: A1", "user: Q2", "model: A2"];
    let of = |more: &[&str]| moved.iter().chain(more).map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(last_asked(&bot), of(&["user: and here?"]), "the conversation moved into the thread");
    scene.reply(owner, "B1", "go on");
    scene.answered("go on", "B2").await;
    assert_eq!(last_asked(&bot), of(&["user: and here?", "model: B1", "user: go on"]));
    scene.say(owner, "@ anew");
    scene.answered("@ anew", "B3").await;
    assert_eq!(last_asked(&bot), of(&["user: anew"]), "a mention goes back to the starter");

    let note = channel.say(guest, "Water boils at 90 degrees up there.");
    let thread = bot.sandbox().start_thread(guest, note, "water").unwrap();
    let mut scene = channel.moved(thread);
    scene.model_says(&["C1"]);
    scene.say(owner, "because");
    scene.say(owner, "@ is that so?");
    scene.answered("@ is that so?", "C1").await;
    assert_eq!(last_asked(&bot), ["user: Water boils at 90 degrees up there.\nis that so?"]);
}

#[tokio::test]
async fn d13_a_post_in_a_forum_is_the_parent_of_what_is_said_below_it() {
    let bot = bot().await;
    let marks = bot.sandbox().discord().landmarks();
    let forum = bot.sandbox().add_forum("help");
    let post = bot.sandbox().post_in_forum(marks.guest, forum, "Bread", "My bread does not rise.").unwrap();
    let mut scene = Scene::new(&bot, post);
    scene.model_says(&["A1", "A2"]);
    scene.say(marks.owner, "Mine neither.");
    scene.say(marks.guest, "@ why?");
    scene.answered("@ why?", "A1").await;
    assert_eq!(last_asked(&bot), ["user: My bread does not rise.\nwhy?"]);
    scene.reply(marks.owner, "A1", "and now?");
    scene.answered("and now?", "A2").await;
    assert_eq!(last_asked(&bot), ["user: My bread does not rise.\nwhy?", "model: A1", "user: and now?"]);
}

#[tokio::test]
async fn d13_a_reply_to_any_part_of_a_long_answer_continues_all_of_it() {
    let bot = bot().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    let question = bot.sandbox().ask("something long please").unwrap();
    let finished = |answers: &[cortana::sandbox::discord::Message]| {
        answers.len() > 1 && !answers.iter().any(|answer| answer.has_button("stop:"))
    };
    let parts = bot.sandbox().settled(question, SOON, finished).await.unwrap();
    let follow_up = bot.sandbox().reply_to(parts[0].id, owner, "thanks").unwrap();
    bot.settled(follow_up).await;
    let asked = last_asked(&bot);
    assert_eq!((asked.len(), asked[0].as_str()), (3, "user: something long please"));
    let (whole, last) = (&asked[1], parts.last().unwrap().text());
    assert!(whole.contains("1. This paragraph") && whole.ends_with(last.trim()), "{whole}");
}

#[tokio::test]
async fn d13_a_conversation_is_read_up_to_its_bound() {
    let world = World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*");
    let bot = world.with("CONVERSATION_MESSAGES", "3").connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let mut scene = chain(&bot, marks.channel).await;
    scene.model_says(&["A3"]);
    scene.reply(marks.owner, "A2", "Q3");
    scene.answered("Q3", "A3").await;
    assert_eq!(last_asked(&bot), ["user: Q2", "model: A2", "user: Q3"]);
}

#[tokio::test]
async fn d18_whoever_may_not_read_back_brings_no_history_along() {
    let bot = bot().await;
    let marks = bot.sandbox().discord().landmarks();
    let mut scene = chain(&bot, marks.channel).await;
    bot.sandbox().deny(marks.channel, marks.guest, permission::READ_MESSAGE_HISTORY);
    scene.model_says(&["A3", "A4"]);
    scene.reply(marks.guest, "A2", "what was said?");
    scene.answered("what was said?", "A3").await;
    assert_eq!(last_asked(&bot), ["user: what was said?"]);
    scene.reply(marks.owner, "A2", "and now?");
    scene.answered("and now?", "A4").await;
    assert_eq!(last_asked(&bot).len(), 5, "others may");
}
