//! Interactions: the event, the three seconds, the fifteen minutes, defers, follow-ups, clicks, autocompletion.

use std::time::Duration;

use cortana::sandbox::{
    Id, ScriptError,
    discord::{Answered, Message},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Gateway, World};

async fn started() -> (World, Gateway) {
    let world = World::start().await;
    world.register().await;
    let bot = world.bot().await;
    (world, bot)
}

impl World {
    fn status(&self) -> Id {
        self.sandbox.slash(self.owner(), self.channel(), "/settings oauth-status").expect("it is registered")
    }

    pub(super) async fn call_back(&self, event: &Value, body: Value) -> (u16, Value) {
        let path = format!("/interactions/{}/{}/callback", text(&event["id"]), text(&event["token"]));
        self.post(&path, body).await
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

fn webhook(event: &Value) -> String {
    format!("/webhooks/{}/{}", text(&event["application_id"]), text(&event["token"]))
}

#[tokio::test]
async fn a_slash_command_reaches_the_bot_with_every_field_that_clients_need() {
    let (world, mut bot) = started().await;
    let id = world
        .sandbox
        .slash(world.owner(), world.channel(), "/settings oauth-status provider:gemini_cli")
        .unwrap();
    let event = bot.event("INTERACTION_CREATE").await;
    assert_eq!(event["id"], id.to_string());
    assert_eq!((&event["type"], &event["version"]), (&json!(2), &json!(1)));
    assert_eq!(event["data"]["options"][0]["options"][0]["value"], "gemini_cli");
    for field in [
        "entitlements",
        "attachment_size_limit",
        "locale",
        "authorizing_integration_owners",
        "app_permissions",
        "member",
        "guild_id",
        "channel",
        "context",
    ] {
        assert!(!event[field].is_null(), "{field}");
    }
    assert!(event["member"]["permissions"].is_string());
    assert_eq!(event.get("user"), None, "in a server the user is in the member");
}

#[tokio::test]
async fn an_ephemeral_defer_is_completed_by_editing_the_original() {
    let (world, mut bot) = started().await;
    let id = world.status();
    let event = bot.event("INTERACTION_CREATE").await;
    assert_eq!(world.call_back(&event, json!({"type": 5, "data": {"flags": 64}})).await.0, 204);
    let original = format!("{}/messages/@original", webhook(&event));
    let loading = world.get(&original).await.1;
    assert_eq!(loading["flags"], 64 | 128);
    let (status, edited) = world.patch(&original, json!({"embeds": [{"title": "Credentials"}]})).await;
    assert_eq!((status, &edited["flags"]), (200, &json!(64)));
    let answers = world.sandbox.settled(id, Duration::from_secs(1), |_| true).await.unwrap();
    assert_eq!(answers[0].text(), "Credentials");
    assert_eq!(answers[0].visible_to, Some(world.owner()));
    assert!(bot.is_quiet().await, "ephemeral messages are no events");
    assert_eq!(world.get(&world.messages_path()).await.1, json!([]), "and are in no history");
    assert_eq!(world.call_back(&event, json!({"type": 5})).await.1["code"], 40_060);
    assert_eq!(world.ask(Method::DELETE, &original, None).await.0, 204);
    assert_eq!(world.get(&original).await.1["code"], 10_008);
}

#[tokio::test]
async fn the_first_follow_up_after_a_defer_edits_the_original_and_keeps_its_secrecy() {
    let (world, mut bot) = started().await;
    let id = world.status();
    let event = bot.event("INTERACTION_CREATE").await;
    world.call_back(&event, json!({"type": 5, "data": {"flags": 64}})).await;
    let first = world.post(&webhook(&event), json!({"content": "one", "flags": 0})).await.1;
    assert_eq!(first["flags"], 64, "frozen at the defer");
    let second = world.post(&webhook(&event), json!({"content": "two"})).await.1;
    assert_ne!(second["id"], first["id"]);
    assert_eq!(second["flags"], 0);
    let texts: Vec<String> = world.sandbox.answers(id).iter().map(Message::text).collect();
    assert_eq!(texts, ["one", "two"]);
    let own = format!("{}/messages/{}", webhook(&event), text(&second["id"]));
    assert_eq!(world.patch(&own, json!({"content": "three"})).await.1["content"], "three");
}

#[tokio::test]
async fn three_seconds_for_the_first_answer_and_fifteen_minutes_for_the_rest() {
    let (world, mut bot) = started().await;
    world.status();
    let late = bot.event("INTERACTION_CREATE").await;
    let early = webhook(&late);
    assert_eq!(
        world.patch(&format!("{early}/messages/@original"), json!({"content": "x"})).await.1["code"],
        10_015
    );
    world.sandbox.advance(Duration::from_millis(3001));
    assert_eq!(
        world.call_back(&late, json!({"type": 5})).await,
        (404, json!({"message": "Unknown interaction", "code": 10_062}))
    );

    world.status();
    let event = bot.event("INTERACTION_CREATE").await;
    let answered = world.call_back(&event, json!({"type": 4, "data": {"content": "now"}})).await;
    assert_eq!(answered.0, 204);
    world.sandbox.advance(Duration::from_secs(890));
    let original = format!("{}/messages/@original", webhook(&event));
    assert_eq!(world.patch(&original, json!({"content": "still"})).await.0, 200);
    world.sandbox.advance(Duration::from_secs(11));
    assert_eq!(
        world.patch(&original, json!({"content": "over"})).await,
        (401, json!({"message": "Invalid Webhook Token", "code": 50_027}))
    );
}

#[tokio::test]
async fn a_callback_can_answer_with_what_it_made_and_is_judged_like_a_message() {
    let (world, mut bot) = started().await;
    world.status();
    let event = bot.event("INTERACTION_CREATE").await;
    let long = json!({"type": 4, "data": {"content": "x".repeat(2001)}});
    let refused = world.call_back(&event, long).await.1;
    assert_eq!(refused["errors"]["data"]["content"]["_errors"][0]["code"], "BASE_TYPE_MAX_LENGTH");
    let path =
        format!("/interactions/{}/{}/callback?with_response=true", text(&event["id"]), text(&event["token"]));
    let (status, made) = world.post(&path, json!({"type": 4, "data": {"content": "here"}})).await;
    assert_eq!((status, &made["resource"]["message"]["content"]), (200, &json!("here")));
    assert_eq!(made["interaction"]["response_message_ephemeral"], false);
    assert_eq!(bot.event("MESSAGE_CREATE").await["interaction_metadata"]["id"], event["id"]);
}

#[tokio::test]
async fn a_click_can_update_its_message() {
    let (world, mut bot) = started().await;
    let row =
        json!([{"type": 1, "components": [{"type": 2, "style": 4, "label": "Stop", "custom_id": "stop:1"}]}]);
    let made = world.post(&world.messages_path(), json!({"content": "…", "components": row})).await.1;
    bot.event("MESSAGE_CREATE").await;
    let id: Id = text(&made["id"]).parse().unwrap();
    assert!(world.sandbox.message(id).unwrap().has_button("stop:"));
    world.sandbox.click(world.owner(), id, "stop:").unwrap();
    let event = bot.event("INTERACTION_CREATE").await;
    assert_eq!((&event["type"], &event["data"]["custom_id"]), (&json!(3), &json!("stop:1")));
    assert_eq!(event["message"]["id"], made["id"]);
    let update = json!({"type": 7, "data": {"content": "stopped", "components": []}});
    assert_eq!(world.call_back(&event, update).await.0, 204);
    assert_eq!(bot.event("MESSAGE_UPDATE").await["content"], "stopped");
    let error = world.sandbox.click(world.owner(), id, "stop:").unwrap_err();
    assert!(matches!(error, ScriptError::NoButton { .. }), "{error}");
}

#[tokio::test]
async fn choices_are_offered_for_the_option_in_focus_and_are_limited() {
    let (world, mut bot) = started().await;
    let (owner, channel, sandbox) = (world.owner(), world.channel(), world.sandbox.clone());
    let typing = async { sandbox.autocomplete(owner, channel, "/settings oauth-status provider:gem").await };
    let answering = async {
        let event = bot.event("INTERACTION_CREATE").await;
        assert_eq!(event["data"]["options"][0]["options"][0]["focused"], true);
        let many: Vec<Value> = (0..26).map(|n| json!({"name": n.to_string(), "value": "v"})).collect();
        assert_eq!(world.call_back(&event, json!({"type": 8, "data": {"choices": many}})).await.0, 400);
        let one = json!({"type": 8, "data": {"choices": [{"name": "Gemini", "value": "gemini_cli"}]}});
        assert_eq!(world.call_back(&event, one).await.0, 204);
    };
    let (choices, ()) = tokio::join!(typing, answering);
    let choices = choices.unwrap();
    assert_eq!((choices[0].name.as_str(), &choices[0].value), ("Gemini", &json!("gemini_cli")));
}

#[tokio::test]
async fn commands_keep_their_ids_when_they_are_replaced_and_unknown_ones_are_named() {
    let (world, _bot) = started().await;
    let application = world.sandbox.discord().landmarks().application;
    let path = format!("/applications/{application}/commands");
    let before = world.get(&path).await.1;
    world.register().await;
    let after = world.get(&path).await.1;
    assert_eq!(before[0]["id"], after[0]["id"]);
    assert_ne!(before[0]["version"], after[0]["version"]);
    let error = world.sandbox.slash(world.owner(), world.channel(), "/nothing").unwrap_err();
    assert_eq!(error.to_string(), "there is no command /nothing; registered are: /settings");
    let bad = json!({"name": "Bad Name", "description": "d"});
    assert_eq!(world.post(&path, bad).await.1["code"], 50_035);
    let one = format!("{path}/{}", text(&before[0]["id"]));
    assert_eq!(world.patch(&one, json!({"description": "New"})).await.1["description"], "New");
    assert_eq!(world.ask(Method::DELETE, &one, None).await.0, 204);
    assert_eq!(world.get(&one).await.1["code"], 10_063);
    assert_eq!(world.get("/applications/1/commands").await.1["code"], 10_002);
}

#[tokio::test]
async fn in_private_the_user_stands_alone_and_another_person_cannot_click_a_secret() {
    let (world, mut bot) = started().await;
    let channel = world.sandbox.direct_channel(world.owner());
    world.sandbox.slash(world.owner(), channel, "/settings oauth-status").unwrap();
    let event = bot.event("INTERACTION_CREATE").await;
    assert_eq!((&event["user"]["id"], event.get("member")), (&json!(world.owner()), None));
    assert_eq!(
        (&event["context"], &event["authorizing_integration_owners"]),
        (&json!(1), &json!({"0": "0"}))
    );
    assert!(event["app_permissions"].is_string());

    let id = world.status();
    let event = bot.event("INTERACTION_CREATE").await;
    let row = json!([{"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": "go"}]}]);
    world
        .call_back(&event, json!({"type": 4, "data": {"content": "x", "flags": 64, "components": row}}))
        .await;
    let guest = world.sandbox.discord().landmarks().guest;
    let message = world.sandbox.answers(id)[0].id;
    assert_eq!(world.sandbox.click(guest, message, "go"), Err(ScriptError::NotAllowed));
    assert!(world.sandbox.click(world.owner(), message, "go").is_ok());
    assert_eq!(world.sandbox.interaction(id).unwrap().answered, Answered::WithMessage);
}
