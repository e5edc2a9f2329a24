//! Logins from Discord: `/settings oauth-connect` and `/settings oauth-disconnect`.

use std::collections::BTreeMap;

use cortana::sandbox::{
    discord::{Answered, Id, Message},
    vendor::{Kind, Reply},
};
use reqwest::redirect::Policy;
use url::Url;

use crate::support::bot::{Bot, SOON, World};

impl Bot {
    /// Waits until a message says something.
    async fn tells(&self, message: Id, part: &str) -> Message {
        let told = self.sandbox().wait_for(SOON, |sandbox| {
            sandbox.message(message).filter(|message| message.text().contains(part))
        });
        let Ok(told) = told.await else {
            panic!("no {part:?} in {:?}", self.sandbox().message(message).map(|message| message.text()))
        };
        told
    }

    /// Presses "Paste the address" and sends the form with this in it.
    async fn pastes(&self, message: Id, text: &str) {
        let owner = self.sandbox().discord().landmarks().owner;
        let click = self.sandbox().click(owner, message, "connect-paste:").expect("a button");
        let opened = self.sandbox().wait_for(SOON, |sandbox| {
            sandbox.interaction(click).filter(|click| matches!(click.answered, Answered::WithModal { .. }))
        });
        opened.await.expect("a form");
        let values = BTreeMap::from([("answer".to_owned(), text.to_owned())]);
        self.sandbox().submit(owner, click, &values).expect("the form is theirs");
    }
}

/// The address in a message.
fn address(message: &Message) -> Url {
    let text = message.text();
    let (_, rest) = text.split_once("](<").expect("a link");
    let (address, _) = rest.split_once(">)").expect("its end");
    address.parse().expect("an address")
}

/// A browser opens an address; where it is sent on to.
async fn browse(address: &Url) -> Url {
    let browser = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client");
    let response = browser.get(address.clone()).send().await.expect("an answer");
    response
        .headers()
        .get("location")
        .expect("a redirect")
        .to_str()
        .expect("text")
        .parse()
        .expect("an address")
}

#[tokio::test]
async fn an_operator_logs_in_by_a_pasted_address_and_the_bot_answers() {
    let world = World::new().await;
    world.sandbox.vendors().sign_in("antigravity", "ada@example.com");
    world.sandbox.vendors().script("antigravity", vec![Reply::text("Good evening.")]);
    let bot = world.connect().await;
    let steps = bot.slash("/settings oauth-connect antigravity").await.remove(0);
    assert!(steps.is_ephemeral() && steps.text().contains("within five minutes"), "{}", steps.text());
    assert!(steps.text().contains("Google's terms forbid"), "{}", steps.text());
    let back = browse(&address(&steps)).await;
    let mut strange = back.clone();
    strange.query_pairs_mut().clear().append_pair("code", "FAKE").append_pair("state", "FAKE");
    bot.pastes(steps.id, strange.as_str()).await;
    bot.tells(steps.id, "belongs to another login").await;
    assert_eq!(bot.sandbox().vendors().counts_of("antigravity").token_requests, 0);
    bot.pastes(steps.id, back.as_str()).await;
    let card = bot.tells(steps.id, "✅ Logged in at **Antigravity** as ad…@example.com").await;
    assert!(card.is_ephemeral() && card.text().contains("antigravity"), "{}", card.text());
    assert_eq!(bot.sandbox().vendors().counts_of("antigravity").granted, 1);
    let answers = bot.ask("hello").await;
    assert!(answers[0].text().contains("Good evening."), "{answers:?}");
    let (_, code) = back.query_pairs().find(|(name, _)| name == "code").expect("a code");
    for message in bot.sandbox().messages(bot.sandbox().discord().landmarks().channel) {
        assert!(!message.text().contains(code.as_ref()), "{}", message.text());
    }
}

#[tokio::test]
async fn a_second_persons_click_and_a_second_answer_are_refused() {
    let world = World::new().await;
    let second = world.sandbox.add_person("second");
    let bot = world.with("OPERATOR_IDS", &second.to_string()).connect().await;
    let steps = bot.slash("/settings oauth-connect gemini_cli").await.remove(0);
    let buttons = steps.buttons();
    let id = buttons
        .iter()
        .find_map(|button| button.custom_id.as_deref()?.strip_prefix("connect-paste:"))
        .expect("one");
    let forged = bot.sandbox().forge_click(second, steps.id, &format!("connect-paste:{id}"));
    let told = bot.settled(forged).await.remove(0).text();
    assert!(told.contains("Somebody else began this login"), "{told}");
    let stranger = bot.sandbox().add_person("stranger");
    let forged = bot.sandbox().forge_click(stranger, steps.id, &format!("connect-paste:{id}"));
    let told = bot.settled(forged).await.remove(0).text();
    assert!(told.contains("operators"), "{told}");
    let back = browse(&address(&steps)).await;
    bot.pastes(steps.id, back.as_str()).await;
    bot.tells(steps.id, "✅ Logged in").await;
    let owner = bot.sandbox().discord().landmarks().owner;
    let again = bot.sandbox().forge_click(owner, steps.id, &format!("connect-paste:{id}"));
    let told = bot.settled(again).await.remove(0).text();
    assert!(told.contains("This login is over"), "{told}");
    assert_eq!(bot.sandbox().vendors().counts_of("gemini_cli").token_requests, 1);
    let command = bot.sandbox().slash(
        stranger,
        bot.sandbox().discord().landmarks().channel,
        "/settings oauth-connect iflow",
    );
    let told = bot.settled(command.expect("anybody may type")).await.remove(0).text();
    assert!(told.contains("operators"), "{told}");
}

#[tokio::test]
async fn a_code_is_confirmed_while_the_message_waits_and_the_login_is_ended_again() {
    let world = World::new().await;
    world.sandbox.vendors().sign_in("qwen_code", "kim@example.com");
    let bot = world.connect().await;
    let steps = bot.slash("/settings oauth-connect qwen_code").await.remove(0);
    let text = steps.text();
    let code = text.split('`').nth(1).expect("a code").to_owned();
    assert!(bot.sandbox().vendors().confirm_device("qwen_code", &code, "kim@example.com"), "{text}");
    bot.tells(steps.id, "✅ Logged in at **Qwen Code**").await;
    let landmarks = bot.sandbox().discord().landmarks();
    let typed = "/settings oauth-disconnect credential:qwen";
    let offered =
        bot.sandbox().autocomplete(landmarks.owner, landmarks.channel, typed).await.expect("choices");
    let id = offered[0].value.as_str().expect("an id").to_owned();
    let asked = bot.slash(&format!("/settings oauth-disconnect {id}")).await.remove(0);
    assert!(asked.text().contains("End the login of **qwen_code**"), "{}", asked.text());
    bot.sandbox().click(landmarks.owner, asked.id, "disconnect:").expect("a button");
    let told = bot.tells(asked.id, "✅ Logged out").await;
    assert!(told.text().contains("has no address to end it at"), "{}", told.text());
    let folder = bot.world.home().join("credentials");
    assert_eq!(std::fs::read_dir(folder).expect("a folder").count(), 0);
    let revoked =
        bot.sandbox().vendors().requests().iter().filter(|request| request.kind == Kind::Revoke).count();
    assert_eq!(revoked, 0);
}
