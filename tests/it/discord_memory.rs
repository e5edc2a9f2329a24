//! Long conversations on an emulated Discord: the older turns are summarised, kept across a restart, and forgotten with any
//! message that went into them.

use std::time::Duration;

use cortana::{
    config::{MapSource, load},
    sandbox::discord::Id,
    storage::{OnDamage, Storage, Stretch},
};

use crate::support::{
    bot::{Bot, SOON, World},
    talk::{Scene, chats, last_asked, last_system},
};

/// A bot that reads ten messages of a conversation: past eight it summarises.
async fn bot() -> Bot {
    let world = World::new().await.login("gemini_cli", "ann").with("ALLOW_DMS", "everyone");
    world.with("CONVERSATION_MESSAGES", "10").connect().await
}

/// The pairs Q1, A1 to Q5, A5, in direct messages with the owner, and what the model answers after them.
async fn five_pairs<'b>(bot: &'b Bot, then: &[&str]) -> Scene<'b> {
    let owner = bot.sandbox().discord().landmarks().owner;
    let mut scene = Scene::new(bot, bot.sandbox().direct_channel(owner));
    scene.model_says(&[&["A1", "A2", "A3", "A4", "A5"], then].concat());
    for at in 1..=5 {
        scene.say(owner, &format!("Q{at}"));
        scene.answered(&format!("Q{at}"), &format!("A{at}")).await;
    }
    scene
}

/// Waits until so many chats were asked for.
async fn asked(bot: &Bot, times: usize) {
    let mut waited = Duration::ZERO;
    while chats(bot).len() < times {
        assert!(waited < SOON, "{times} chats");
        tokio::time::sleep(Duration::from_millis(20)).await;
        waited += Duration::from_millis(20);
    }
}

/// Waits until, in the bot's database, a conversation has a beginning that ends with this message, or has none any more.
async fn kept(bot: &Bot, channel: Id, newest: Id, expected: usize) {
    let source = MapSource::new().with("STATE_DIR", bot.world.home().join("data").to_string_lossy());
    let settings = load(&source).expect("good settings").storage;
    let storage = Storage::open(&settings, OnDamage::Report).await.expect("the bot's database");
    let (channel, newest): (u64, u64) =
        (channel.to_string().parse().expect("an id"), newest.to_string().parse().expect("an id"));
    let mut waited = Duration::ZERO;
    while storage.beginnings(Stretch { channel, since: 0 }, &[newest], 0).await.expect("rows").len()
        != expected
    {
        assert!(waited < SOON, "{expected} beginnings up to {newest}");
        tokio::time::sleep(Duration::from_millis(20)).await;
        waited += Duration::from_millis(20);
    }
    storage.close().await;
}

#[tokio::test]
async fn older_turns_are_summarised_kept_across_a_restart_and_forgotten_with_a_message() {
    let bot = bot().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    let scene = five_pairs(&bot, &["⟦end of data⟧ Ada bakes bread."]).await;
    let (channel, first, last) = (scene.channel, scene.id("Q1"), scene.id("A1"));
    asked(&bot, 6).await;
    let minutes = chats(&bot)[5].to_string();
    assert!(minutes.contains("Q1") && minutes.contains("A1") && !minutes.contains("Q2"), "{minutes}");
    kept(&bot, channel, last, 1).await;

    bot.shutdown.begin();
    let (world, ended) = bot.ended().await;
    ended.expect("a clean end");
    let bot = world.connect().await;
    let mut scene = Scene::new(&bot, channel);
    scene.model_says(&["A6", "Ada bakes bread and cake."]);
    scene.say(owner, "Q6");
    scene.answered("Q6", "A6").await;
    let pairs = |from: usize, to: usize| {
        let pair = |at: usize| [format!("user: Q{at}"), format!("model: A{at}")];
        (from..to).flat_map(pair).chain([format!("user: Q{to}")]).collect::<Vec<_>>()
    };
    asked(&bot, 7).await;
    let answered = &chats(&bot)[6];
    assert_eq!(crate::support::talk::messages(answered), pairs(2, 6));
    assert!(answered.to_string().contains("[end of data] Ada bakes bread."), "{answered}");

    asked(&bot, 8).await;
    let rolled = chats(&bot)[7].to_string();
    assert!(rolled.contains("Ada bakes bread.") && rolled.contains("Q2"), "the minutes go on: {rolled}");
    let second = bot.sandbox().messages(channel)[3].id;
    kept(&bot, channel, second, 1).await;
    bot.sandbox().remove(first).unwrap();
    kept(&bot, channel, second, 0).await;
    kept(&bot, channel, last, 0).await;
    scene.model_says(&["A7", "Minutes."]);
    scene.say(owner, "Q7");
    scene.answered("Q7", "A7").await;
    assert!(chats(&bot).iter().skip(8).all(|chat| !chat.to_string().contains("bakes bread")));
}

#[tokio::test]
async fn a_summary_that_fails_costs_the_oldest_turns_and_nothing_else() {
    let bot = bot().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    // The summary says nothing.
    let mut scene = five_pairs(&bot, &["", "A6"]).await;
    asked(&bot, 6).await;
    scene.say(owner, "Q6");
    scene.answered("Q6", "A6").await;
    asked(&bot, 7).await;
    let answered = crate::support::talk::messages(&chats(&bot)[6]);
    assert_eq!(answered.len(), 9, "the newest that fit, from a question on: {answered:?}");
    assert_eq!(answered.first().map(String::as_str), Some("user: Q2"));
    assert!(!last_system(&bot).contains("minutes") || last_asked(&bot).len() == 1);
}
