//! What people do to an answer: regenerate it, continue it, try again (D11).

use std::time::Duration;

use cortana::sandbox::{
    Sandbox,
    discord::{Id, Message},
    vendor::{Act, Fault, Reply},
};

use crate::support::{
    bot::{Bot, SOON, World},
    talk::last_asked,
};

async fn with_login() -> Bot {
    World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*").connect().await
}

fn script(bot: &Bot, replies: Vec<Reply>) {
    bot.sandbox().vendors().script("gemini_cli", replies);
}

/// The answers to a question, once one of them shows a text and all are finished.
async fn showing(bot: &Bot, question: Id, text: &str) -> Vec<Message> {
    let finished = |answers: &[Message]| {
        let shows = answers.iter().any(|answer| answer.text().starts_with(text));
        shows && !answers.iter().any(|answer| answer.has_button("stop:"))
    };
    bot.sandbox().settled(question, SOON, finished).await.unwrap_or_else(|_| panic!("{text}: never shown"))
}

fn labels(message: &Message) -> Vec<String> {
    message.buttons().into_iter().map(|button| button.label).collect()
}

/// What a click was told, and nobody else saw.
async fn whispered(bot: &Bot, click: Id) -> String {
    let told = bot.settled(click).await;
    assert!(told[0].is_ephemeral(), "{told:?}");
    told[0].text()
}

#[tokio::test]
async fn d11_regenerate_puts_another_answer_in_the_place_of_the_old_one() {
    let bot = with_login().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    script(&bot, vec![Reply::text(&"All work and no play. ".repeat(250)), Reply::text("Short.")]);
    let question = bot.sandbox().ask("write").unwrap();
    let long = |answers: &[Message]| answers.last().is_some_and(|answer| answer.has_button("again:"));
    let old = bot.sandbox().settled(question, SOON, long).await.unwrap();
    assert_eq!(old.len(), 3);
    assert!(labels(&old[0]).is_empty() && labels(&old[1]).is_empty(), "the last one has the button");
    assert_eq!(labels(&old[2]), ["Regenerate"]);
    bot.sandbox().click(owner, old[2].id, "again:").unwrap();
    let new = showing(&bot, question, "Short.").await;
    assert_eq!(new.iter().map(|answer| answer.id).collect::<Vec<_>>(), [old[0].id], "the rest is deleted");
    assert_eq!((&*new[0].text(), labels(&new[0])), ("Short.", vec!["Regenerate".to_owned()]));
    assert_eq!(last_asked(&bot), ["user: write"], "the old answer is no part of the question");
}

#[tokio::test]
async fn d11_another_answer_may_be_longer_and_goes_below() {
    let bot = with_login().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    script(&bot, vec![Reply::text("Short."), Reply::text(&"All work and no play. ".repeat(150))]);
    let question = bot.sandbox().ask("write").unwrap();
    let old = showing(&bot, question, "Short.").await;
    bot.sandbox().click(owner, old[0].id, "again:").unwrap();
    let long = |answers: &[Message]| answers.len() == 2 && answers[1].has_button("again:");
    let new = bot.sandbox().settled(question, SOON, long).await.unwrap();
    assert_eq!(new[0].id, old[0].id);
    assert!(new[0].text().starts_with("All work") && labels(&new[0]).is_empty());
}

#[tokio::test]
async fn d11_others_may_not_and_moderators_may() {
    let bot = with_login().await;
    let marks = bot.sandbox().discord().landmarks();
    script(&bot, vec![Reply::text("One."), Reply::text("Two.")]);
    let question = bot.sandbox().say(marks.channel, marks.guest, &format!("{} hi", bot.sandbox().mention()));
    let question = question.unwrap();
    let answer = showing(&bot, question, "One.").await.remove(0);
    bot.sandbox().click(marks.owner, answer.id, "again:").unwrap();
    let answer = showing(&bot, question, "Two.").await.remove(0);
    let other = bot.sandbox().ask("mine").unwrap();
    let foreign = bot.settled(other).await.remove(0);
    let refused = bot.sandbox().click(marks.guest, foreign.id, "again:").unwrap();
    assert!(whispered(&bot, refused).await.starts_with("Only the person who asked"));
    assert_eq!(labels(&answer), ["Regenerate"]);
}

#[tokio::test]
async fn d11_continue_goes_on_below_when_the_length_ran_out() {
    let bot = with_login().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    let cut = Reply::text("One, two").finishing("MAX_TOKENS");
    script(&bot, vec![cut, Reply::text(", three.")]);
    let question = bot.sandbox().ask("count").unwrap();
    let first = showing(&bot, question, "One, two").await.remove(0);
    assert_eq!(labels(&first), ["Continue", "Regenerate"]);
    bot.sandbox().click(owner, first.id, "go-on:").unwrap();
    let both = showing(&bot, question, ", three.").await;
    assert_eq!((both.len(), both[1].reply_to), (2, Some(first.id)));
    assert!(both[0].text().starts_with("One, two") && labels(&both[0]).is_empty(), "it is continued");
    let asked = last_asked(&bot);
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!((&*asked[0], &*asked[1]), ("user: count", "model: One, two"));
    assert!(asked[2].starts_with("user: Your answer broke off."), "{asked:?}");
    // Another answer takes the place of both.
    script(&bot, vec![Reply::text("1, 2, 3.")]);
    bot.sandbox().click(owner, both[1].id, "again:").unwrap();
    let new = showing(&bot, question, "1, 2, 3.").await;
    assert_eq!(new.iter().map(|answer| answer.id).collect::<Vec<_>>(), [first.id]);
}

#[tokio::test]
async fn d11_p27_a_stream_that_broke_can_be_continued_and_a_failure_tried_again() {
    let bot = with_login().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    script(&bot, vec![Reply::pieces(&["One, ", "two", ", three"])]);
    bot.sandbox().vendors().fault("gemini_cli", Fault::chat(Act::Cut { after: 2 }));
    let question = bot.sandbox().ask("count").unwrap();
    let broken = showing(&bot, question, "One, ").await.remove(0);
    assert_eq!(labels(&broken), ["Continue", "Regenerate"], "{}", broken.text());

    bot.sandbox().vendors().fault("gemini_cli", Fault::chat(Act::unavailable()).always());
    let question = bot.sandbox().ask("again?").unwrap();
    let failed = showing(&bot, question, "⚠️ ").await.remove(0);
    assert_eq!(labels(&failed), ["Retry"]);
    bot.sandbox().vendors().clear_faults("gemini_cli");
    script(&bot, vec![Reply::text("Here you are.")]);
    bot.sandbox().advance(Duration::from_mins(10));
    bot.sandbox().click(owner, failed.id, "again:").unwrap();
    assert_eq!(showing(&bot, question, "Here you are.").await[0].id, failed.id);
}

#[tokio::test]
async fn d11_of_two_clicks_one_counts_and_a_deleted_question_stays_unanswered() {
    let bot = with_login().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    let slow = Reply::pieces(&["word "; 600]).paced(Duration::from_millis(100));
    script(&bot, vec![Reply::text("First."), slow]);
    let question = bot.sandbox().ask("hello").unwrap();
    let first = showing(&bot, question, "First.").await.remove(0);
    let clicks = [(); 2].map(|()| bot.sandbox().click(owner, first.id, "again:").unwrap());
    let told = |sandbox: &Sandbox| clicks.iter().find_map(|click| sandbox.answers(*click).pop());
    let told = bot.sandbox().wait_for(SOON, told).await.unwrap();
    assert!(told.is_ephemeral() && told.text().starts_with("I am answering this question"), "{told:?}");
    let streaming = |sandbox: &Sandbox| {
        let mut answers = sandbox.answers(question).into_iter();
        answers.find(|answer| answer.has_button("stop:") && answer.text().starts_with("word"))
    };
    let running = bot.sandbox().wait_for(SOON, streaming).await.unwrap();
    bot.sandbox().click(owner, running.id, "stop:").unwrap();
    let stopped = |answers: &[Message]| answers.last().is_some_and(|answer| answer.has_button("go-on:"));
    let stopped = bot.sandbox().settled(question, SOON, stopped).await.unwrap().remove(0);
    assert_eq!(labels(&stopped), ["Continue", "Regenerate"], "a stopped answer can go on");
    bot.sandbox().remove(question).unwrap();
    let click = bot.sandbox().click(owner, stopped.id, "again:").unwrap();
    assert!(whispered(&bot, click).await.starts_with("The question is gone"));
}

#[tokio::test]
async fn d11_the_buttons_work_after_a_restart() {
    let bot = with_login().await;
    let owner = bot.sandbox().discord().landmarks().owner;
    script(&bot, vec![Reply::text("Before."), Reply::text("After.")]);
    let question = bot.sandbox().ask("hello").unwrap();
    let answer = showing(&bot, question, "Before.").await.remove(0);
    bot.shutdown.begin();
    let (world, ended) = bot.ended().await;
    assert!(ended.is_ok(), "{ended:?}");
    let bot = world.connect().await;
    bot.sandbox().click(owner, answer.id, "again:").unwrap();
    assert_eq!(showing(&bot, question, "After.").await[0].id, answer.id);
}

/// An answer that is being written.
fn running(question: Id) -> impl Fn(&Sandbox) -> Option<Message> {
    move |sandbox| {
        let mut answers = sandbox.answers(question).into_iter();
        answers.find(|answer| answer.has_button("stop:") && answer.text().starts_with("word"))
    }
}

#[tokio::test]
async fn d10_the_command_stops_what_is_written_for_whoever_uses_it_here() {
    let bot = World::new().await.login("gemini_cli", "ann").with("ALLOWED_GUILD_IDS", "*").connect().await;
    let sandbox = bot.sandbox();
    let marks = sandbox.discord().landmarks();
    script(&bot, vec![Reply::pieces(&["word "; 600]).paced(Duration::from_millis(100)); 4]);
    let mention = sandbox.mention();
    let say = |channel, person| sandbox.say(channel, person, &format!("{mention} hi")).unwrap();
    let stop = async |person| whispered(&bot, sandbox.slash(person, marks.channel, "/stop").unwrap()).await;
    assert_eq!(stop(marks.guest).await, "I am not writing anything here.");

    let elsewhere = sandbox.add_channel("elsewhere");
    let asked =
        [say(marks.channel, marks.guest), say(marks.channel, marks.owner), say(elsewhere, marks.guest)];
    for question in asked {
        sandbox.wait_for(SOON, running(question)).await.unwrap();
    }
    let [guests, owners, elsewhere] = asked;
    let told = stop(marks.guest).await;
    let link =
        |question| format!("https://discord.com/channels/{}/{}/{question}", marks.guild, marks.channel);
    assert_eq!(told, format!("⏹️ Stopped one answer:\n- to you: {}", link(guests)));
    let stopped = bot.settled(guests).await;
    assert!(stopped[0].text().contains("Stopped"), "{}", stopped[0].text());
    assert!(stop(marks.guest).await.starts_with("I am writing nothing for you here."));
    for question in [owners, elsewhere] {
        assert!(running(question)(sandbox).is_some(), "another's, or elsewhere");
    }
    // Whoever may manage messages stops all.
    let again = say(marks.channel, marks.guest);
    sandbox.wait_for(SOON, running(again)).await.unwrap();
    let both = format!("- to you: {}\n- to <@{}>: {}", link(owners), marks.guest, link(again));
    assert_eq!(stop(marks.owner).await, format!("⏹️ Stopped 2 answers:\n{both}"));
    for question in [owners, again] {
        assert!(bot.settled(question).await[0].text().contains("Stopped"));
    }
    assert!(running(elsewhere)(sandbox).is_some());
}

/// Discord closes the webhook of a command after a quarter of an hour; the answer is an ordinary message too.
#[tokio::test]
async fn d2_a_long_answer_to_a_command_goes_on_when_its_token_dies() {
    let bot = with_login().await;
    let marks = bot.sandbox().discord().landmarks();
    let long = Reply::pieces(&["word "; 50]).paced(Duration::from_millis(100));
    let whole = long.full_text();
    script(&bot, vec![long]);
    let asked = bot.sandbox().slash(marks.owner, marks.channel, "/chat text:count").unwrap();
    let begun = |sandbox: &Sandbox| {
        sandbox.answers(asked).into_iter().find(|answer| answer.text().starts_with("> count\nword"))
    };
    bot.sandbox().wait_for(SOON, begun).await.unwrap();
    bot.sandbox().advance(Duration::from_mins(16));
    let answers = bot.settled(asked).await;
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].text(), format!("> count\n{}", whole.trim_end()));
    assert_eq!(labels(&answers[0]), ["Regenerate"]);
    let refused = |sandbox: &Sandbox| {
        let all = sandbox.recorded_requests();
        let refused = all.iter().filter(|request| request.status == 401).count();
        (refused > 0).then_some(refused)
    };
    assert_eq!(bot.sandbox().wait_for(SOON, refused).await.unwrap(), 1, "the webhook is asked once");
}
