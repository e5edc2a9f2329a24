//! D9: answers as embeds, which stream, fail, stop and are remembered as plain ones do.

use std::time::Duration;

use cortana::sandbox::{Sandbox, discord::permission, vendor::Reply};

use crate::support::{
    bot::{SOON, World},
    talk::{Scene, last_asked},
};

async fn world() -> World {
    World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*").with("REPLY_STYLE", "embed")
}

#[tokio::test]
async fn d9_embeds_stream_hold_more_text_and_are_remembered() {
    let bot = world().await.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let mut scene = Scene::new(&bot, marks.channel);
    let long = format!("It {}", "goes on and on ".repeat(200));
    scene.model_says(&[&long, "You are welcome."]);
    scene.say(marks.owner, "@ tell me");
    scene.answered("@ tell me", "It goes on").await;
    let answers = bot.sandbox().answers(scene.id("@ tell me"));
    assert_eq!(answers.len(), 1, "3000 characters fit into one embed");
    assert!(answers[0].content.is_empty() && answers[0].text().trim() == long.trim());
    scene.reply(marks.owner, "It goes on", "thanks");
    scene.answered("thanks", "You are welcome.").await;
    let asked = last_asked(&bot);
    assert_eq!(asked[1], format!("model: {}", long.trim()), "what stands in an embed was said");
}

#[tokio::test]
async fn d9_a_failure_is_seen_in_an_embed_too() {
    let bot = world().await.connect().await;
    bot.sandbox().vendors().script("gemini_cli", vec![Reply::text("")]);
    let answers = bot.ask("hello").await;
    assert!(answers[0].content.is_empty());
    assert!(
        answers[0].text().starts_with("⚠️ ") && answers[0].text().contains("-# "),
        "{}",
        answers[0].text()
    );
}

#[tokio::test]
async fn d9_without_embed_links_answers_are_ordinary_messages_and_say_why() {
    let bot = world().await.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    bot.sandbox().deny(marks.channel, marks.bot, permission::EMBED_LINKS);
    let first = bot.ask("hello").await;
    assert!(first[0].content.starts_with("Hello!") && first[0].content.contains("Embed Links"));
    let second = bot.ask("hello").await;
    assert!(second[0].content.starts_with("Hello!") && !second[0].content.contains("Embed Links"));
}

#[tokio::test]
async fn d9_a_stopped_embed_keeps_its_text() {
    let bot = world().await.connect().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    let reply = Reply::text(&"word ".repeat(400)).paced(Duration::from_millis(20));
    bot.sandbox().vendors().script("gemini_cli", vec![reply]);
    let question = bot.sandbox().ask("go on").expect("they may write");
    let speaks = |sandbox: &Sandbox| {
        let mut answers = sandbox.answers(question).into_iter();
        answers.find(|answer| answer.text().contains("word") && answer.has_button("stop:"))
    };
    let running = bot.sandbox().wait_for(SOON, speaks).await.expect("a text");
    bot.sandbox().click(owner, running.id, "stop:").expect("a click");
    let stopped = bot.settled(question).await;
    assert!(
        stopped[0].text().contains("word") && stopped[0].text().contains("Stopped"),
        "{}",
        stopped[0].text()
    );
    assert!(stopped[0].content.is_empty());
}
