//! D14: where a mention is needed and where not, threads that the bot opens, and bots that speak to the bot.

use cortana::sandbox::{
    Sandbox,
    discord::{Id, permission},
};

use crate::support::{
    bot::{Bot, World},
    talk::{Scene, chats, last_asked},
};

async fn world() -> World {
    World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*").with("AUTO_THREADS", "1")
}

/// The owner asks in the usual channel; the thread in which the answer stands, which shares the question's id.
async fn opened(bot: &Bot, text: &str, answer: &str) -> Id {
    let marks = bot.sandbox().discord().landmarks();
    let mut scene = Scene::new(bot, marks.channel);
    scene.model_says(&[answer]);
    let question = scene.say(marks.owner, text);
    scene.moved(question).answered(text, answer).await;
    question
}

/// How often anything was written to the channel.
fn written(sandbox: &Sandbox, channel: Id) -> usize {
    let bot = sandbox.discord().landmarks().bot;
    sandbox.messages(channel).iter().filter(|message| message.author_id == bot && message.kind != 21).count()
}

#[tokio::test]
async fn d14_a_mention_opens_a_thread_and_no_mention_is_needed_there_even_after_a_restart() {
    let bot = world().await.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let thread = opened(&bot, "@ how do I bake bread?", "A1").await;
    assert_eq!(written(bot.sandbox(), marks.channel), 0, "nothing in the channel");
    let requests = bot.sandbox().recorded_requests();
    let opening = requests.iter().find(|request| request.path.ends_with("/threads")).expect("a thread");
    assert_eq!(opening.body["name"], "how do I bake bread?");

    let mut scene = Scene::new(&bot, thread);
    scene.model_says(&["A2", "A3"]);
    scene.say(marks.owner, "with salt?");
    scene.answered("with salt?", "A2").await;
    assert_eq!(last_asked(&bot), ["user: how do I bake bread?", "model: A1", "user: with salt?"]);
    scene.say(marks.guest, "@ and sugar?");
    scene.answered("@ and sugar?", "A3").await;
    let all =
        ["user: how do I bake bread?", "model: A1", "user: with salt?", "model: A2", "user: and sugar?"];
    assert_eq!(last_asked(&bot), all, "one conversation, whoever speaks, and a mention changes nothing");

    bot.shutdown.begin();
    let (world, ended) = bot.ended().await;
    ended.expect("a clean end");
    let bot = world.connect().await;
    let mut scene = Scene::new(&bot, thread);
    scene.model_says(&["A4"]);
    scene.say(marks.owner, "thanks");
    scene.answered("thanks", "A4").await;
    assert_eq!(last_asked(&bot).len(), 7);
    let asked = chats(&bot).len();
    scene.minutes_later(31);
    scene.model_says(&["A5"]);
    scene.say(marks.owner, "hours later");
    scene.answered("hours later", "A5").await;
    assert_eq!(last_asked(&bot), ["user: how do I bake bread?\nhours later"], "afresh from its question");
    assert_eq!(chats(&bot).len(), asked + 1);
}

#[tokio::test]
async fn d14_elsewhere_a_mention_is_needed_and_people_may_talk_to_one_another() {
    let bot = world().await.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let own = opened(&bot, "@ a question", "A1").await;
    let mut scene = Scene::new(&bot, own);
    scene.say(marks.guest, "what do you think, owner?");
    scene.model_says(&["A2"]);
    scene.answered("what do you think, owner?", "A2").await;
    let aside = scene.reply(marks.owner, "what do you think, owner?", "I agree with you");
    let foreign = bot.sandbox().start_thread(marks.guest, note_in(&bot, marks.channel), "theirs").unwrap();
    let mut theirs = Scene::new(&bot, foreign);
    let unasked = theirs.say(marks.guest, "nobody asked the bot");
    // Events come in their order: once the last is answered, those before would have been.
    theirs.model_says(&["B1"]);
    theirs.say(marks.guest, "@ but now");
    theirs.answered("@ but now", "B1").await;
    assert!(bot.sandbox().answers(aside).is_empty(), "people talk to one another");
    assert!(bot.sandbox().answers(unasked).is_empty(), "a thread that somebody else opened");
    assert_eq!(chats(&bot).len(), 3);
}

/// A message of the guest's in the usual channel.
fn note_in(bot: &Bot, channel: Id) -> Id {
    let guest = bot.sandbox().discord().landmarks().guest;
    bot.sandbox().say(channel, guest, "a note").expect("they may write")
}

#[tokio::test]
async fn d14_bots_are_answered_up_to_a_cap_and_a_person_lifts_it() {
    let world = World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*");
    let bot = world.with("ALLOW_BOTS", "2").connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let other = bot.sandbox().add_bot("Echo");
    let mut scene = Scene::new(&bot, marks.channel);
    scene.model_says(&["A1", "A2", "A3", "A4"]);
    for (text, answer) in [("@ one", "A1"), ("@ two", "A2")] {
        scene.say(other, text);
        scene.answered(text, answer).await;
    }
    let third = scene.say(other, "@ three");
    // The person's turn is answered after the bot's would have been: one conversation of the channel after the other.
    scene.say(marks.owner, "@ stop it");
    scene.answered("@ stop it", "A3").await;
    scene.say(other, "@ four");
    scene.answered("@ four", "A4").await;
    assert!(bot.sandbox().answers(third).is_empty());
    assert_eq!(chats(&bot).len(), 4);
}

#[tokio::test]
async fn d14_without_allow_bots_none_is_answered() {
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let other = bot.sandbox().add_bot("Echo");
    let mut scene = Scene::new(&bot, marks.channel);
    let asked = scene.say(other, "@ one");
    bot.ask("hello").await;
    assert!(bot.sandbox().answers(asked).is_empty());
    assert_eq!(chats(&bot).len(), 1);
}

#[tokio::test]
async fn d14_d19_without_the_permission_the_answer_is_a_reply_and_that_is_told_and_tried_once() {
    let bot = world().await.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    bot.sandbox().deny(marks.channel, marks.bot, permission::CREATE_PUBLIC_THREADS);
    for _ in 0..2 {
        let answers = bot.ask("hello").await;
        assert!(answers[0].text().starts_with("Hello!"), "{}", answers[0].text());
    }
    let told = bot.sandbox().messages(marks.channel);
    let told = told.iter().filter(|message| message.text().contains("Create Public Threads")).count();
    assert_eq!(told, 1);
    let requests = bot.sandbox().recorded_requests();
    let asked = requests.iter().filter(|request| request.path.ends_with("/threads")).count();
    assert_eq!(asked, 1, "not asked for again after the refusal (D19)");
}
