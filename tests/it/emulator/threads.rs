//! Threads: from a message and without one, events, codes, closing and locking, members, budgets.

use cortana::sandbox::{Id, ScriptError, discord::permission};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::World;

impl World {
    /// Starts a thread from a new message of the owner's; its id.
    async fn thread(&self) -> Id {
        let message = self.sandbox.say(self.channel(), self.owner(), "a question").unwrap();
        let path = format!("{}/{message}/threads", self.messages_path());
        let (status, made) = self.post(&path, json!({"name": "Details"})).await;
        assert_eq!(status, 201, "{made}");
        message
    }

    async fn change_channel(&self, id: Id, body: Value) -> (u16, Value) {
        self.patch(&format!("/channels/{id}"), body).await
    }

    async fn write_in(&self, id: Id, text: &str) -> (u16, Value) {
        self.post(&format!("/channels/{id}/messages"), json!({"content": text})).await
    }
}

fn names(events: &[(String, Value)]) -> Vec<&str> {
    events.iter().map(|(name, _)| name.as_str()).collect()
}

fn event<'e>(events: &'e [(String, Value)], name: &str) -> &'e Value {
    &events.iter().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name} in {events:#?}")).1
}

#[tokio::test]
async fn a_thread_from_a_message_has_its_id_and_begins_with_a_reference_to_it() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    let message = world.sandbox.say(world.channel(), world.owner(), "a question").unwrap();
    bot.event("MESSAGE_CREATE").await;
    let path = format!("{}/{message}/threads", world.messages_path());
    let (status, made) = world.post(&path, json!({"name": "Details", "auto_archive_duration": 60})).await;
    assert_eq!((status, &made["id"], &made["type"]), (201, &json!(message), &json!(11)));
    assert_eq!((&made["parent_id"], &made["name"]), (&json!(world.channel()), &json!("Details")));
    assert_eq!(made["owner_id"], json!(world.sandbox.discord().landmarks().bot));
    assert_eq!(made["thread_metadata"]["auto_archive_duration"], 60);
    assert_eq!(made["member"]["user_id"], made["owner_id"]);

    let events = bot.waiting().await;
    assert_eq!(names(&events)[0], "THREAD_CREATE");
    assert_eq!(event(&events, "THREAD_CREATE")["newly_created"], true);
    let first = event(&events, "MESSAGE_CREATE");
    assert_eq!(
        (&first["type"], &first["channel_id"], &first["content"]),
        (&json!(21), &json!(message), &json!(""))
    );
    assert_eq!(first["message_reference"]["message_id"], json!(message));
    assert_eq!(first["message_reference"]["channel_id"], json!(world.channel()));
    let update = event(&events, "MESSAGE_UPDATE");
    assert_eq!((&update["id"], &update["thread"]["id"]), (&json!(message), &json!(message)));
    assert_eq!(world.get(&format!("/channels/{message}")).await.1["name"], "Details");
}

#[tokio::test]
async fn a_thread_without_a_message_is_announced_in_its_channel() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    let path = format!("/channels/{}/threads", world.channel());
    let (status, made) = world.post(&path, json!({"name": "Alone", "type": 11})).await;
    assert_eq!((status, &made["type"]), (201, &json!(11)));
    let events = bot.waiting().await;
    let told = event(&events, "MESSAGE_CREATE");
    assert_eq!((&told["type"], &told["content"]), (&json!(18), &json!("Alone")));
    assert_eq!(told["channel_id"], json!(world.channel()));
    for (body, at) in [
        (json!({"type": 11}), "name"),
        (json!({"name": "", "type": 11}), "name"),
        (json!({"name": "x".repeat(101), "type": 11}), "name"),
        (json!({"name": "x", "type": 11, "auto_archive_duration": 61}), "auto_archive_duration"),
    ] {
        let (status, refused) = world.post(&path, body).await;
        assert_eq!((status, &refused["code"]), (400, &json!(50_035)));
        assert!(refused["errors"][at]["_errors"].is_array(), "{at} in {refused}");
    }
}

#[tokio::test]
async fn what_cannot_have_a_thread_is_refused_with_its_code() {
    let world = World::start().await;
    let thread = world.thread().await;
    let again = format!("{}/{thread}/threads", world.messages_path());
    let (status, refused) = world.post(&again, json!({"name": "Twice"})).await;
    assert_eq!((status, &refused["code"]), (400, &json!(160_004)));
    let refused = world.sandbox.start_thread(world.owner(), thread, "Thrice").unwrap_err();
    assert!(matches!(&refused, ScriptError::Refused(body) if body.contains("160004")), "{refused}");

    let inside = world.write_in(thread, "inside").await.1;
    let inner = format!("/channels/{thread}/messages/{}/threads", inside["id"].as_str().unwrap());
    assert_eq!(world.post(&inner, json!({"name": "Deeper"})).await.1["code"], 50_024);
    let direct = world.sandbox.direct_channel(world.owner());
    let path = format!("/channels/{direct}/threads");
    assert_eq!(world.post(&path, json!({"name": "Private", "type": 11})).await.1["code"], 50_024);

    let elsewhere = world.sandbox.add_channel("elsewhere");
    let other = world.sandbox.say(elsewhere, world.owner(), "there").unwrap();
    let crossed = format!("{}/{other}/threads", world.messages_path());
    assert_eq!(world.post(&crossed, json!({"name": "Crossed"})).await.1["code"], 10_008);
    let bot = world.sandbox.discord().landmarks().bot;
    world.sandbox.deny(elsewhere, bot, permission::CREATE_PUBLIC_THREADS);
    let denied = format!("/channels/{elsewhere}/messages/{other}/threads");
    assert_eq!(world.post(&denied, json!({"name": "Denied"})).await.1["code"], 50_013);
}

#[tokio::test]
async fn a_closed_thread_takes_no_changes_until_a_message_opens_it() {
    let world = World::start().await;
    let thread = world.thread().await;
    let own = world.write_in(thread, "mine").await.1;
    let own = format!("/channels/{thread}/messages/{}", own["id"].as_str().unwrap());
    let mut bot = world.bot().await;
    let (status, closed) = world.change_channel(thread, json!({"archived": true})).await;
    assert_eq!((status, &closed["thread_metadata"]["archived"]), (200, &json!(true)));
    assert_eq!(bot.event("THREAD_UPDATE").await["thread_metadata"]["archived"], true);

    assert_eq!(world.patch(&own, json!({"content": "changed"})).await.1["code"], 50_083);
    let react = format!("{own}/reactions/👍/@me");
    assert_eq!(world.ask(Method::PUT, &react, None).await.1["code"], 50_083);
    assert_eq!(world.change_channel(thread, json!({"name": "New"})).await.1["code"], 50_083);
    let join = format!("/channels/{thread}/thread-members/@me");
    assert_eq!(world.ask(Method::PUT, &join, None).await.1["code"], 50_083);
    let guild = world.sandbox.discord().landmarks().guild;
    let active = world.get(&format!("/guilds/{guild}/threads/active")).await.1;
    assert_eq!(active, json!({"has_more": false, "members": [], "threads": []}));
    assert!(bot.is_quiet().await, "what was refused is no event");

    world.sandbox.say(thread, world.owner(), "one more").unwrap();
    let events = bot.waiting().await;
    assert_eq!(names(&events)[0], "THREAD_UPDATE");
    assert_eq!(event(&events, "THREAD_UPDATE")["thread_metadata"]["archived"], false);
    assert_eq!(event(&events, "MESSAGE_CREATE")["content"], "one more");
    assert_eq!(world.patch(&own, json!({"content": "changed"})).await.0, 200);
    let active = world.get(&format!("/guilds/{guild}/threads/active")).await.1;
    assert_eq!(active["threads"][0]["id"], json!(thread));
    assert_eq!(active["members"][0]["id"], json!(thread), "the bot started it, so it is in it");
}

#[tokio::test]
async fn only_a_moderator_locks_a_thread_and_opens_a_locked_one() {
    let world = World::start().await;
    let thread = world.thread().await;
    let lock = json!({"archived": true, "locked": true});
    assert_eq!(world.change_channel(thread, lock.clone()).await.1["code"], 50_013, "even in its own thread");
    let bot = world.sandbox.discord().landmarks().bot;
    world.sandbox.allow(world.channel(), bot, permission::MANAGE_THREADS);
    assert_eq!(world.change_channel(thread, lock).await.1["thread_metadata"]["locked"], true);
    assert_eq!(world.write_in(thread, "shut").await.1["code"], 50_083);
    let refused = world.sandbox.say(thread, world.owner(), "shut").unwrap_err();
    assert!(matches!(&refused, ScriptError::Refused(body) if body.contains("50083")), "{refused}");
    world.sandbox.allow(world.channel(), bot, 0);
    assert_eq!(world.change_channel(thread, json!({"archived": false})).await.1["code"], 50_013);
    world.sandbox.allow(world.channel(), bot, permission::MANAGE_THREADS);
    assert_eq!(world.change_channel(thread, json!({"archived": false})).await.0, 200);
    assert_eq!(world.write_in(thread, "open").await.0, 200, "locked, and open");
}

#[tokio::test]
async fn whoever_may_write_opens_somebody_elses_closed_thread_and_changes_nothing_else() {
    let world = World::start().await;
    let message = world.sandbox.say(world.channel(), world.owner(), "a question").unwrap();
    let thread = world.sandbox.start_thread(world.owner(), message, "Theirs").unwrap();
    assert_eq!(thread, message);
    assert_eq!(world.change_channel(thread, json!({"name": "Mine"})).await.1["code"], 50_013);
    assert_eq!(world.change_channel(thread, json!({"archived": true})).await.1["code"], 50_013);
    let bot = world.sandbox.discord().landmarks().bot;
    world.sandbox.allow(world.channel(), bot, permission::MANAGE_THREADS);
    assert_eq!(world.change_channel(thread, json!({"archived": true})).await.0, 200);
    world.sandbox.allow(world.channel(), bot, 0);
    assert_eq!(world.change_channel(thread, json!({"archived": false})).await.0, 200);
}

#[tokio::test]
async fn members_come_and_go_and_the_bot_hears_of_itself() {
    let world = World::start().await;
    let landmarks = world.sandbox.discord().landmarks();
    let message = world.sandbox.say(world.channel(), world.owner(), "a question").unwrap();
    let thread = world.sandbox.start_thread(world.owner(), message, "Theirs").unwrap();
    let mut bot = world.bot().await;
    let members = format!("/channels/{thread}/thread-members");
    assert_eq!(world.get(&format!("{members}/@me")).await.1["code"], 10_007);
    assert_eq!(world.ask(Method::PUT, &format!("{members}/@me"), None).await.0, 204);
    let event = bot.event("THREAD_MEMBERS_UPDATE").await;
    assert_eq!(
        (&event["added_members"][0]["user_id"], &event["member_count"]),
        (&json!(landmarks.bot), &json!(2))
    );
    let listed = world.get(&members).await.1;
    let users: Vec<&Value> = listed.as_array().unwrap().iter().map(|member| &member["user_id"]).collect();
    assert!(users.contains(&&json!(landmarks.bot)) && users.contains(&&json!(landmarks.owner)), "{listed}");
    assert_eq!(
        world.ask(Method::DELETE, &format!("{members}/{}", landmarks.owner), None).await.1["code"],
        50_013
    );
    assert_eq!(world.ask(Method::DELETE, &format!("{members}/@me"), None).await.0, 204);
    assert_eq!(bot.event("THREAD_MEMBERS_UPDATE").await["removed_member_ids"], json!([landmarks.bot]));
    assert_eq!(world.get(&format!("/channels/{}/thread-members", world.channel())).await.1["code"], 50_024);

    assert_eq!(world.write_in(thread, "in again").await.0, 200);
    let events = bot.waiting().await;
    assert_eq!(names(&events), ["THREAD_MEMBERS_UPDATE", "MESSAGE_CREATE"], "who writes is in it");
}

#[tokio::test]
async fn writing_in_a_thread_needs_its_own_permission_and_has_its_own_budget() {
    let world = World::start().await;
    let thread = world.thread().await;
    let edit_path = async |channel: Id| {
        let (_, made) = world.write_in(channel, "x").await;
        format!("/channels/{channel}/messages/{}", made["id"].as_str().unwrap())
    };
    let (above, below) = (edit_path(world.channel()).await, edit_path(thread).await);
    for n in 0..5 {
        assert_eq!(world.patch(&above, json!({"content": n.to_string()})).await.0, 200);
    }
    assert_eq!(world.patch(&above, json!({"content": "6"})).await.0, 429);
    for n in 0..5 {
        assert_eq!(world.patch(&below, json!({"content": n.to_string()})).await.0, 200, "the thread's own");
    }
    assert_eq!(world.patch(&below, json!({"content": "6"})).await.0, 429);

    let bot = world.sandbox.discord().landmarks().bot;
    world.sandbox.deny(world.channel(), bot, permission::SEND_MESSAGES_IN_THREADS);
    assert_eq!(world.write_in(thread, "x").await.1["code"], 50_013);
    assert_eq!(world.write_in(world.channel(), "x").await.0, 200);
    world.sandbox.deny(world.channel(), bot, permission::SEND_MESSAGES);
    assert_eq!(world.write_in(world.channel(), "x").await.1["code"], 50_013);
    assert_eq!(world.write_in(thread, "x").await.0, 200);
}

#[tokio::test]
async fn a_deleted_thread_takes_its_messages_along() {
    let world = World::start().await;
    let thread = world.thread().await;
    let inside = world.write_in(thread, "inside").await.1;
    let path = format!("/channels/{thread}");
    assert_eq!(world.ask(Method::DELETE, &path, None).await.1["code"], 50_013);
    let own = world.sandbox.discord().landmarks().bot;
    world.sandbox.allow(world.channel(), own, permission::MANAGE_THREADS);
    let mut bot = world.bot().await;
    assert_eq!(world.ask(Method::DELETE, &path, None).await.0, 200);
    let gone = bot.event("THREAD_DELETE").await;
    assert_eq!((&gone["id"], &gone["parent_id"]), (&json!(thread), &json!(world.channel())));
    assert_eq!(world.get(&path).await.1["code"], 10_003);
    let id = inside["id"].as_str().unwrap().parse().unwrap();
    assert!(!world.sandbox.message(id).unwrap().exists());
}
