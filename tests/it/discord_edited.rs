//! D12: a question that is changed or deleted.

use std::time::Duration;

use cortana::sandbox::{
    Sandbox,
    discord::{Id, Message},
    vendor::Reply,
};

use crate::support::{
    bot::{Bot, SOON, World},
    talk::last_asked,
};

const OFFER: &str = "Run again with the changed question";

async fn with_login() -> Bot {
    World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*").connect().await
}

/// The answer that offers to run again.
async fn offering(bot: &Bot, question: Id) -> Message {
    let offers = |message: &Message| message.buttons().iter().any(|button| button.label == OFFER);
    let found = |sandbox: &Sandbox| sandbox.answers(question).into_iter().find(offers);
    bot.sandbox().wait_for(SOON, found).await.expect("an offer")
}

/// An answer that is being written and shows this.
fn streaming(question: Id, text: &str) -> impl Fn(&Sandbox) -> Option<Message> {
    move |sandbox| {
        let mut answers = sandbox.answers(question).into_iter();
        answers.find(|answer| answer.has_button("stop:") && answer.text().starts_with(text))
    }
}

#[tokio::test]
async fn d12_a_changed_question_is_answered_again_on_a_click_and_not_by_itself() {
    let bot = with_login().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    let script = vec![Reply::text("Four."), Reply::text("Nine.")];
    bot.sandbox().vendors().script("gemini_cli", script);
    let question = bot.sandbox().ask("two times two").unwrap();
    let answer = bot.settled(question).await.remove(0);
    bot.sandbox().rewrite(question, &format!("{} three times three", bot.sandbox().mention())).unwrap();
    let offered = offering(&bot, question).await;
    assert_eq!(
        (offered.id, &*offered.text()),
        (answer.id, "Four."),
        "the answer stays until somebody clicks"
    );
    assert!(offered.notified().is_nobody());
    assert_eq!(bot.sandbox().vendors().counts_of("gemini_cli").chats, 1);
    bot.sandbox().click(owner, offered.id, "again:").unwrap();
    let again = |answers: &[Message]| answers[0].text() == "Nine." && answers[0].has_button("again:");
    let again = bot.sandbox().settled(question, SOON, again).await.unwrap();
    assert_eq!(again[0].id, answer.id);
    assert_eq!(last_asked(&bot), ["user: three times three"]);
    assert_eq!(again[0].buttons()[0].label, "Regenerate", "the new question is answered");
}

#[tokio::test]
async fn d12_a_question_that_is_changed_while_it_is_answered_is_offered_at_the_end() {
    let bot = with_login().await;
    let slow = Reply::pieces(&["one ", "two ", "three"]).paced(Duration::from_millis(500));
    bot.sandbox().vendors().script("gemini_cli", vec![slow]);
    let question = bot.sandbox().ask("count").unwrap();
    bot.sandbox().wait_for(SOON, streaming(question, "one")).await.unwrap();
    bot.sandbox().rewrite(question, &format!("{} count down", bot.sandbox().mention())).unwrap();
    assert_eq!(offering(&bot, question).await.text(), "one two three");
}

#[tokio::test]
async fn d12_an_offer_is_made_after_a_restart_too() {
    let bot = with_login().await;
    let script = vec![Reply::text("Four."), Reply::text("Five."), Reply::text("Nine.")];
    bot.sandbox().vendors().script("gemini_cli", script);
    let question = bot.sandbox().ask("two times two").unwrap();
    let answer = bot.settled(question).await.remove(0);
    let other = bot.sandbox().ask("two and three").unwrap();
    let untouched = bot.settled(other).await.remove(0);
    bot.shutdown.begin();
    let (world, ended) = bot.ended().await;
    assert!(ended.is_ok(), "{ended:?}");
    let bot = world.connect().await;
    bot.sandbox().rewrite(question, &format!("{} three times three", bot.sandbox().mention())).unwrap();
    let offered = offering(&bot, question).await;
    assert_eq!((offered.id, &*offered.text()), (answer.id, "Four."));
    let untouched = bot.sandbox().message(untouched.id).unwrap();
    assert_eq!(untouched.buttons()[0].label, "Regenerate", "another question's");
    let owner = bot.sandbox().discord().landmarks().owner;
    bot.sandbox().click(owner, offered.id, "again:").unwrap();
    let again = |answers: &[Message]| answers[0].text() == "Nine." && answers[0].has_button("again:");
    bot.sandbox().settled(question, SOON, again).await.unwrap();
}

#[tokio::test]
async fn d12_a_deleted_question_stops_its_answer() {
    let bot = with_login().await;
    let slow = Reply::pieces(&["word "; 600]).paced(Duration::from_millis(100));
    bot.sandbox().vendors().script("gemini_cli", vec![slow]);
    let question = bot.sandbox().ask("hello").unwrap();
    bot.sandbox().wait_for(SOON, streaming(question, "word")).await.unwrap();
    bot.sandbox().remove(question).unwrap();
    stops(&bot, question).await;
}

#[tokio::test]
async fn d12_questions_that_are_deleted_together_stop_their_answers() {
    let bot = with_login().await;
    let marks = bot.sandbox().discord().landmarks();
    let slow = || Reply::pieces(&["word "; 600]).paced(Duration::from_millis(100));
    bot.sandbox().vendors().script("gemini_cli", vec![slow(), slow()]);
    let questions = [marks.owner, marks.guest].map(|person| {
        bot.sandbox().say(marks.channel, person, &format!("{} hello", bot.sandbox().mention())).unwrap()
    });
    for question in questions {
        bot.sandbox().wait_for(SOON, streaming(question, "word")).await.unwrap();
    }
    bot.sandbox().remove_together(marks.channel, &questions).unwrap();
    for question in questions {
        stops(&bot, question).await;
    }
}

/// Waits until the answer to a question is stopped, and a request to the provider ended in the middle.
async fn stops(bot: &Bot, question: Id) {
    let answers = bot.settled(question).await;
    assert!(answers[0].text().contains("Stopped"), "{}", answers[0].text());
    // The providers tell nobody when something changes, so they are asked.
    let mut waited = Duration::ZERO;
    while bot.sandbox().vendors().counts_of("gemini_cli").abandoned == 0 {
        assert!(waited < SOON, "the upstream request is dropped");
        tokio::time::sleep(Duration::from_millis(10)).await;
        waited += Duration::from_millis(10);
    }
}
