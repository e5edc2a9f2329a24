//! One credential in Discord: `/settings credential`, the menu and the buttons under a status.

use cortana::{
    pool::State,
    sandbox::{
        ScriptError,
        discord::{Id, Message},
        vendor::{Act, Fault, Hint},
    },
};

use crate::support::bot::{Bot, SOON, World};

/// What an operator and a guest do on one message.
impl Bot {
    fn owner(&self) -> Id {
        self.sandbox().discord().landmarks().owner
    }

    /// The ids of credentials, as the menu under the status has them.
    async fn status(&self) -> (Message, Vec<String>) {
        let status = self.slash("/settings oauth-status").await.remove(0);
        let ids = status.menus().into_iter().flat_map(|menu| menu.values).collect();
        (status, ids)
    }

    /// Waits until a message says something.
    async fn says(&self, message: Id, part: &str) -> Message {
        let told = self.sandbox().wait_for(SOON, |sandbox| {
            sandbox.message(message).filter(|message| message.text().contains(part))
        });
        let Ok(told) = told.await else {
            panic!("no {part:?} in {:?}", self.sandbox().message(message).map(|message| message.text()))
        };
        told
    }

    fn press(&self, message: Id, button: &str) {
        self.sandbox().click(self.owner(), message, button).unwrap();
    }
}

fn labels(message: &Message) -> Vec<String> {
    message.buttons().into_iter().map(|button| button.label).collect()
}

#[tokio::test]
async fn p32_a_credential_is_picked_from_the_status_and_acted_on() {
    let bot = World::new().await.login("gemini_cli", "ann").login("qwen_code", "bob").connect().await;
    let (status, ids) = bot.status().await;
    assert_eq!(ids.len(), 2);
    bot.sandbox().choose(bot.owner(), status.id, "pick:", &ids[..1]).unwrap();
    let card = bot.says(status.id, "Where: ").await;
    assert!(card.is_ephemeral());
    let text = card.text();
    for part in [
        "✅ Valid · gemini_cli · ",
        "Expires: Expires in 00:",
        ":f>",
        "Last refresh: Not refreshed",
        "Use: ",
        &ids[0],
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(labels(&card), ["Refresh now", "Disable", "All credentials"]);

    bot.press(status.id, "act-disable:");
    let card = bot.says(status.id, "⛔ Disabled. ").await;
    assert!(card.text().contains("⛔ Disabled · gemini_cli"), "{}", card.text());
    assert_eq!(labels(&card), ["Enable", "All credentials"]);
    bot.press(status.id, "act-enable:");
    bot.says(status.id, "✅ Enabled.").await;
    bot.press(status.id, "act-refresh:");
    let card = bot.says(status.id, "✅ Refreshed: ").await;
    assert!(card.text().contains("succeeded, 1 attempt"), "{}", card.text());
    bot.press(status.id, "status-all:");
    let all = bot.says(status.id, "2 credentials: 2 valid.").await;
    assert_eq!(all.menus().len(), 1);
}

#[tokio::test]
async fn p32_a_command_shows_and_acts_and_a_rest_can_be_ended() {
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    let vendors = bot.sandbox().vendors();
    let hint = Hint::ResetDelay("7200s".to_owned());
    vendors.fault("gemini_cli", Fault::chat(Act::google_quota(&hint)));
    bot.ask("hello").await;
    let landmarks = bot.sandbox().discord().landmarks();
    let typed = "/settings credential credential:gem";
    let offered = bot.sandbox().autocomplete(landmarks.owner, landmarks.channel, typed).await.unwrap();
    assert!(offered[0].name.starts_with("gemini_cli · "), "{}", offered[0].name);
    let id = offered[0].value.as_str().unwrap();
    let card = bot.slash(&format!("/settings credential {id}")).await.remove(0);
    assert!(card.is_ephemeral());
    assert!(card.text().contains("Models that rest: `"), "{}", card.text());
    assert_eq!(labels(&card), ["Refresh now", "Disable", "Clear cooldown", "All credentials"]);
    let line = format!("/settings credential credential:{id} action:\"clear cooldown\"");
    let cleared = bot.slash(&line).await.remove(0).text();
    assert!(
        cleared.starts_with("✅ It rests no longer.") && !cleared.contains("Models that rest"),
        "{cleared}"
    );
    let line = format!("/settings credential credential:{id} action:disable reason:\"quota is shared\"");
    let disabled = bot.slash(&line).await.remove(0).text();
    assert!(disabled.contains(State::Disabled.label()), "{disabled}");
    assert!(disabled.contains("disabled by an operator (quota is shared)"), "the card: {disabled}");
    let status = bot.status().await.0.text();
    assert!(status.contains("quota is shared"), "the status: {status}");
    let unknown = bot.slash("/settings credential nonsense").await.remove(0).text();
    assert!(unknown.starts_with("There is no credential `nonsense`"), "{unknown}");
}

#[tokio::test]
async fn the_link_of_a_refused_account_is_for_operators_alone() {
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    let link = "https://accounts.google.com/verify?account=FAKE";
    bot.sandbox().vendors().fault("gemini_cli", Fault::chat(Act::google_validation(link)));
    let told = bot.ask("hello").await.remove(0).text();
    assert!(!told.contains("account=FAKE"), "{told}");
    let (status, ids) = bot.status().await;
    assert!(status.text().contains(State::Refused.label()) && !status.text().contains("account=FAKE"));
    let card = bot.slash(&format!("/settings credential {}", ids[0])).await.remove(0);
    assert!(card.is_ephemeral() && card.text().contains(&format!("<{link}>")), "{}", card.text());
    assert_eq!(labels(&card), ["Refresh now", "Disable", "Enable", "All credentials"]);
}

#[tokio::test]
async fn p4_a_refused_token_is_sent_once_more_only_after_a_question() {
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    let vendors = bot.sandbox().vendors();
    let id = bot.status().await.1.remove(0);
    bot.ask("hello").await;
    vendors.revoke_refresh("gemini_cli", "ann");
    vendors.expire_access("gemini_cli", "ann");
    bot.ask("hello again").await;
    assert_eq!(vendors.counts_of("gemini_cli").token_requests, 1);
    let line = format!("/settings credential credential:{id} action:\"try a refused token once more\"");
    let question = bot.slash(&line).await.remove(0);
    assert!(question.text().contains("was refused"), "{}", question.text());
    assert_eq!(labels(&question), ["Send it once more", "Leave it"]);
    assert_eq!(vendors.counts_of("gemini_cli").token_requests, 1, "a question sends nothing");
    bot.press(question.id, "card:");
    bot.says(question.id, "Where: ").await;
    assert_eq!(vendors.counts_of("gemini_cli").token_requests, 1);
    let question = bot.slash(&line).await.remove(0);
    bot.press(question.id, "confirm:");
    bot.says(question.id, "❌ Failed to refresh token").await;
    assert_eq!(vendors.counts_of("gemini_cli").token_requests, 2);
}

#[tokio::test]
async fn a_button_that_is_out_of_date_is_answered_kindly_and_strangers_get_nowhere() {
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    let landmarks = bot.sandbox().discord().landmarks();
    let id = bot.status().await.1.remove(0);
    for line in [format!("/settings credential {id}"), format!("/settings credential {id} disable")] {
        let asked = bot.sandbox().slash(landmarks.guest, landmarks.channel, &line).unwrap();
        let told = bot.settled(asked).await.remove(0);
        assert!(told.text().contains("operators") && told.menus().is_empty(), "{}", told.text());
    }
    let typed = "/settings credential credential:";
    let offered = bot.sandbox().autocomplete(landmarks.guest, landmarks.channel, typed).await.unwrap();
    assert_eq!(offered, [], "a guest is offered nothing");

    let card = bot.slash(&format!("/settings credential {id}")).await.remove(0);
    let refused = bot.sandbox().click(landmarks.guest, card.id, "act-disable:");
    assert_eq!(refused, Err(ScriptError::NotAllowed), "nobody else sees an ephemeral card");
    // Discord's rule is not ours: a forged click reaches the bot and is refused there.
    let forged = bot.sandbox().forge_click(landmarks.guest, card.id, &format!("act-disable:{id}"));
    let told = bot.settled(forged).await.remove(0);
    assert!(told.text().contains("operators"), "{}", told.text());
    let forged = bot.sandbox().forge_click(bot.owner(), card.id, "act-delete:x");
    let told = bot.settled(forged).await.remove(0);
    assert!(told.text().contains("from an older version of me"), "{}", told.text());
    assert!(bot.slash("/settings oauth-status").await[0].text().contains("✅ Valid"));

    std::fs::remove_file(bot.world.home().join("credentials").join("gemini_cli-ann.json")).unwrap();
    let empty = async {
        while !bot.slash("/settings oauth-status").await[0].text().starts_with("No OAuth credentials") {}
    };
    tokio::time::timeout(SOON, empty).await.expect("the watcher sees it");
    bot.press(card.id, "act-disable:");
    bot.says(card.id, "There is no credential `").await;
}
