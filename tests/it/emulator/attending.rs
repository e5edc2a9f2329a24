//! What people do besides writing, through the control API: reactions, threads, menus, modals, files.

use cortana::sandbox::discord::permission;
use reqwest::Method;
use serde_json::{Value, json};

use super::client::World;

fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

#[tokio::test]
async fn people_react_and_start_threads_over_http() {
    let world = World::start().await;
    let message = world.sandbox.say(world.channel(), world.owner(), "hello").unwrap();
    let path = format!("/messages/{message}/reactions");
    let guest = world.sandbox.discord().landmarks().guest;
    let by_guest = json!({"emoji": "👍", "user_id": guest});
    assert_eq!(world.control(Method::PUT, &path, Some(by_guest.clone())).await.0, 200);
    assert_eq!(world.control(Method::PUT, &path, Some(json!({"emoji": "👍"}))).await.0, 200);
    let seen = world.control(Method::GET, &format!("/messages/{message}"), None).await.1;
    assert_eq!(seen["reactions"], json!([{"emoji": "👍", "users": [guest, world.owner()]}]));
    assert_eq!(world.control(Method::DELETE, &path, Some(by_guest)).await.0, 200);
    let seen = world.control(Method::GET, &format!("/messages/{message}"), None).await.1;
    assert_eq!(seen["reactions"], json!([{"emoji": "👍", "users": [world.owner()]}]));
    assert_eq!(world.control(Method::PUT, &path, Some(json!({"emoji": "smile"}))).await.0, 400);
    let nobody = world.control(Method::PUT, "/messages/5/reactions", Some(json!({"emoji": "👍"}))).await;
    assert!(nobody.0.is_client_error() && nobody.1["error"].is_string(), "{nobody:?}");

    let start = json!({"message_id": message, "name": "Details"});
    let (status, made) = world.control(Method::POST, "/threads", Some(start.clone())).await;
    assert_eq!((status.as_u16(), &made["id"]), (200, &json!(message)));
    let inside = json!({"content": "inside", "channel_id": made["id"]});
    assert_eq!(world.control(Method::POST, "/messages", Some(inside)).await.0, 200);
    assert_eq!(world.control(Method::POST, "/threads", Some(start)).await.0, 400, "it has one");
    let path = format!("/messages?channel_id={message}");
    let listed = world.control(Method::GET, &path, None).await.1;
    assert_eq!(listed[1]["content"], "inside");
}

#[tokio::test]
async fn as_many_values_are_chosen_as_a_menu_takes() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    let option = |name: &str| json!({"label": name, "value": name});
    let menu = json!({"type": 3, "custom_id": "pick:1", "min_values": 2, "max_values": 3,
        "options": [option("a"), option("b"), option("c"), option("d")]});
    let body = json!({"content": "choose", "components": [{"type": 1, "components": [menu]}]});
    let made = world.post(&world.messages_path(), body).await.1;
    bot.event("MESSAGE_CREATE").await;
    let choose = async |values: Value| {
        let body = json!({"message_id": made["id"], "custom_id": "pick:", "values": values});
        world.control(Method::POST, "/select", Some(body)).await.0.as_u16()
    };
    for refused in [json!([]), json!(["a"]), json!(["a", "b", "c", "d"]), json!(["a", "z"])] {
        assert_eq!(choose(refused.clone()).await, 404, "{refused}");
    }
    assert!(bot.is_quiet().await, "the bot hears nothing of what no client would send");
    assert_eq!(choose(json!(["c", "a"])).await, 200);
    let event = bot.event("INTERACTION_CREATE").await;
    assert_eq!((&event["type"], &event["data"]["component_type"]), (&json!(3), &json!(3)));
    assert_eq!(event["data"]["values"], json!(["c", "a"]));
    assert_eq!(event["message"]["id"], made["id"]);
}

#[tokio::test]
async fn a_modal_is_opened_filled_in_and_answered() {
    let world = World::start().await;
    world.register().await;
    let mut bot = world.bot().await;
    let slash = json!({"command": "/settings oauth-status"});
    let asked = world.control(Method::POST, "/slash", Some(slash)).await.1;
    let event = bot.event("INTERACTION_CREATE").await;
    let input = |id: &str, more: Value| {
        let mut input = json!({"type": 4, "style": 1, "label": id, "custom_id": id});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"type": 1, "components": [input]})
    };
    let modal = json!({"title": "Import", "custom_id": "import:1",
        "components": [input("name", json!({})), input("note", json!({"value": "as it was", "style": 2}))]});
    assert_eq!(world.call_back(&event, json!({"type": 9, "data": modal})).await.0, 204);

    let fill = |user: Value| json!({"interaction_id": asked["interaction_id"], "user_id": user, "values": {"name": "ada"}});
    let guest = json!(world.sandbox.discord().landmarks().guest);
    assert_eq!(world.control(Method::POST, "/modal", Some(fill(guest))).await.0, 404, "it is not theirs");
    assert_eq!(world.control(Method::POST, "/modal", Some(fill(json!(world.owner())))).await.0, 200);
    let sent = bot.event("INTERACTION_CREATE").await;
    assert_eq!((&sent["type"], &sent["data"]["custom_id"]), (&json!(5), &json!("import:1")));
    let value = |row: usize| &sent["data"]["components"][row]["components"][0];
    assert_eq!((&value(0)["custom_id"], &value(0)["value"]), (&json!("name"), &json!("ada")));
    assert_eq!(value(1)["value"], "as it was", "what nobody touched");
    let again = world.call_back(&sent, json!({"type": 9, "data": modal_of_nothing()})).await;
    assert_eq!(again.0, 400, "a modal is no answer to a modal");
    assert_eq!(world.call_back(&sent, json!({"type": 4, "data": {"content": "thanks"}})).await.0, 204);
    let not_one = json!({"interaction_id": sent["id"], "values": {}});
    assert_eq!(world.control(Method::POST, "/modal", Some(not_one)).await.0, 404, "that opened no modal");
}

fn modal_of_nothing() -> Value {
    json!({"title": "Again", "custom_id": "again", "components": [{"type": 1, "components":
        [{"type": 4, "style": 1, "label": "x", "custom_id": "x"}]}]})
}

#[tokio::test]
async fn people_attach_files_that_the_bot_can_fetch() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    let say = json!({"content": "", "files": [
        {"filename": "note.txt", "content_type": "text/plain", "base64": "aGVsbG8="},
        {"filename": "data.bin", "base64": "AAEC"}]});
    assert_eq!(world.control(Method::POST, "/messages", Some(say.clone())).await.0, 200);
    let event = bot.event("MESSAGE_CREATE").await;
    let [note, data] = event["attachments"].as_array().unwrap().as_slice() else { panic!("two in {event}") };
    assert_eq!((&note["filename"], &note["size"]), (&json!("note.txt"), &json!(5)));
    assert_eq!((&note["content_type"], data.get("content_type")), (&json!("text/plain"), None));
    let fetched = world.http.get(text(&note["url"])).send().await.unwrap();
    assert_eq!(fetched.headers()["content-type"], "text/plain");
    assert_eq!(fetched.text().await.unwrap(), "hello");
    let fetched = world.http.get(text(&data["url"])).send().await.unwrap();
    assert_eq!(fetched.bytes().await.unwrap().as_ref(), [0, 1, 2]);

    let broken = json!({"content": "x", "files": [{"filename": "x", "base64": "?"}]});
    assert_eq!(world.control(Method::POST, "/messages", Some(broken)).await.0, 400);
    let nothing = json!({"content": ""});
    assert_eq!(world.control(Method::POST, "/messages", Some(nothing)).await.0, 400);
    let guest = world.sandbox.discord().landmarks().guest;
    world.sandbox.deny(world.channel(), guest, permission::ATTACH_FILES);
    let mut theirs = say;
    theirs["user_id"] = json!(guest);
    assert_eq!(world.control(Method::POST, "/messages", Some(theirs)).await.0, 403);
}
