//! Private threads, forums, and the lists of closed threads.

use cortana::sandbox::{Id, discord::permission};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::World;

fn ids(list: &Value) -> Vec<&str> {
    list["threads"].as_array().unwrap().iter().map(|thread| thread["id"].as_str().unwrap()).collect()
}

impl World {
    fn threads_path(&self) -> String {
        format!("/channels/{}/threads", self.channel())
    }

    /// Starts a thread without a message and closes it a second later.
    async fn closed(&self, kind: u8, name: &str) -> Id {
        let made = self.post(&self.threads_path(), json!({"name": name, "type": kind})).await.1;
        self.sandbox.advance(std::time::Duration::from_secs(1));
        let id: Id = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).parse().unwrap();
        let (status, closed) = self.patch(&format!("/channels/{id}"), json!({"archived": true})).await;
        assert_eq!(status, 200, "{closed}");
        id
    }
}

#[tokio::test]
async fn without_a_type_a_thread_is_private_and_nobody_else_hears_of_it() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    let (status, made) = world.post(&world.threads_path(), json!({"name": "Whispers"})).await;
    assert_eq!((status, &made["type"]), (201, &json!(12)), "{made}");
    let names: Vec<String> = bot.waiting().await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["THREAD_CREATE"], "no message in the channel tells of it");
    let thread: Id = made["id"].as_str().unwrap().parse().unwrap();
    assert!(world.sandbox.say(thread, world.sandbox.discord().landmarks().guest, "let me in").is_err());
    let path = format!("/channels/{thread}/messages");
    assert_eq!(world.post(&path, json!({"content": "inside"})).await.0, 200);
    for (kind, code) in [(10, 50_024), (13, 50_035)] {
        let refused = world.post(&world.threads_path(), json!({"name": "x", "type": kind})).await.1;
        assert_eq!(refused["code"], code);
    }
    let landmarks = world.sandbox.discord().landmarks();
    world.sandbox.deny(world.channel(), landmarks.bot, permission::CREATE_PRIVATE_THREADS);
    assert_eq!(world.post(&world.threads_path(), json!({"name": "x"})).await.1["code"], 50_013);
}

#[tokio::test]
async fn a_private_thread_is_invisible_until_somebody_mentions_the_bot_in_it() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    let thread = world.sandbox.start_private_thread(world.owner(), world.channel(), "Theirs").unwrap();
    world.sandbox.say(thread, world.owner(), "only among us").unwrap();
    assert!(bot.is_quiet().await, "nothing of it is told");
    let path = format!("/channels/{thread}");
    assert_eq!(world.get(&path).await.1["code"], 50_001);
    let guild = world.sandbox.discord().landmarks().guild;
    assert!(ids(&world.get(&format!("/guilds/{guild}/threads/active")).await.1).is_empty());

    world.sandbox.say(thread, world.owner(), &format!("{} come in", world.sandbox.mention())).unwrap();
    let events = bot.waiting().await;
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["THREAD_CREATE", "THREAD_MEMBERS_UPDATE", "MESSAGE_CREATE"]);
    assert_eq!((&events[0].1["type"], events[0].1.get("newly_created")), (&json!(12), None));
    assert_eq!(events[2].1["content"], format!("{} come in", world.sandbox.mention()));
    let all = world.get(&format!("{path}/messages")).await.1;
    assert_eq!(all.as_array().unwrap().len(), 2, "and what was said before can be read");
}

#[tokio::test]
async fn a_post_in_a_forum_is_a_thread_whose_first_message_shares_its_id() {
    let world = World::start().await;
    let forum = world.sandbox.add_forum("help");
    let mut bot = world.bot().await;
    let path = format!("/channels/{forum}");
    assert_eq!(world.get(&path).await.1["type"], 15);
    assert_eq!(world.post(&format!("{path}/messages"), json!({"content": "x"})).await.1["code"], 50_008);
    assert!(world.sandbox.say(forum, world.owner(), "x").is_err());
    let post = json!({"name": "How?", "message": {"content": "Like this."}});
    let (status, made) = world.post(&format!("{path}/threads"), post).await;
    assert_eq!((status, &made["type"], &made["parent_id"]), (201, &json!(11), &json!(forum)), "{made}");
    assert_eq!((&made["message"]["id"], &made["message"]["content"]), (&made["id"], &json!("Like this.")));
    let events = bot.waiting().await;
    let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["THREAD_CREATE", "MESSAGE_CREATE"]);
    assert_eq!(events[1].1["channel_id"], made["id"]);
    assert_eq!(events[1].1.get("thread"), None, "the message is in the thread, not beside it");
    for (body, at) in
        [(json!({"name": "x"}), "/errors/message"), (json!({"message": {"content": "x"}}), "/errors/name")]
    {
        let refused = world.post(&format!("{path}/threads"), body).await.1;
        assert!(refused.pointer(at).is_some(), "{at} in {refused}");
    }
    let empty = json!({"name": "x", "message": {"content": ""}});
    assert_eq!(world.post(&format!("{path}/threads"), empty).await.1["code"], 50_006);

    let theirs = world.sandbox.post_in_forum(world.owner(), forum, "And this?", "I wonder.").unwrap();
    let events = bot.waiting().await;
    let told = &events.last().unwrap().1;
    assert_eq!(
        (&told["id"], &told["channel_id"], &told["content"]),
        (&json!(theirs), &json!(theirs), &json!("I wonder."))
    );
}

#[tokio::test]
async fn closed_threads_are_listed_newest_first_and_page_by_page() {
    let world = World::start().await;
    let bot = world.sandbox.discord().landmarks().bot;
    let public =
        [world.closed(11, "one").await, world.closed(11, "two").await, world.closed(11, "three").await];
    let private = world.closed(12, "hidden").await;
    let theirs = world.sandbox.start_private_thread(world.owner(), world.channel(), "theirs").unwrap();
    let list = format!("/channels/{}/threads/archived", world.channel());

    let first = world.get(&format!("{list}/public?limit=2")).await.1;
    assert_eq!(ids(&first), [public[2].to_string(), public[1].to_string()]);
    assert_eq!((&first["has_more"], first["members"].as_array().unwrap().len()), (&json!(true), 2));
    let oldest = first["threads"][1]["thread_metadata"]["archive_timestamp"].as_str().unwrap();
    let rest = world.get(&format!("{list}/public?before={}", oldest.replace('+', "%2B"))).await.1;
    assert_eq!((ids(&rest), &rest["has_more"]), (vec![&*public[0].to_string()], &json!(false)));
    assert_eq!(world.get(&format!("{list}/public?before=yesterday")).await.1["code"], 50_035);

    assert_eq!(world.get(&format!("{list}/private")).await.1["code"], 50_013, "for moderators");
    let joined = format!("/channels/{}/users/@me/threads/archived/private", world.channel());
    assert_eq!(ids(&world.get(&joined).await.1), [private.to_string()]);
    world.sandbox.allow(world.channel(), bot, permission::MANAGE_THREADS);
    world.patch(&format!("/channels/{theirs}"), json!({"archived": true})).await;
    assert_eq!(
        ids(&world.get(&format!("{list}/private")).await.1),
        [theirs.to_string(), private.to_string()]
    );
    assert_eq!(ids(&world.get(&joined).await.1), [private.to_string()]);
    assert!(ids(&world.get(&format!("{joined}?before={private}")).await.1).is_empty());
}

#[tokio::test]
async fn a_mention_in_code_is_none() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    let mention = world.sandbox.mention();
    world.sandbox.say(world.channel(), world.owner(), &format!("write `{mention}` to call it")).unwrap();
    let event = bot.event("MESSAGE_CREATE").await;
    assert_eq!(
        (&event["mentions"], event["content"].as_str().unwrap().contains(&mention)),
        (&json!([]), true)
    );
    world.sandbox.say(world.channel(), world.owner(), &format!("```\n{mention}\n``` and {mention}")).unwrap();
    assert_eq!(bot.event("MESSAGE_CREATE").await["mentions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn forums_private_threads_and_the_gateways_settings_are_made_over_http() {
    let world = World::start().await;
    let forum =
        world.control(Method::POST, "/channels", Some(json!({"name": "help", "form": "forum"}))).await.1;
    let post = json!({"channel_id": forum["id"], "name": "How?", "content": "Like this?"});
    let (status, post) = world.control(Method::POST, "/threads", Some(post)).await;
    assert_eq!(status, 200, "{post}");
    let path = format!("/channels/{}", post["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.1["parent_id"], forum["id"]);
    let private = world.control(Method::POST, "/threads", Some(json!({"name": "Theirs"}))).await.1;
    let path = format!("/channels/{}", private["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.1["code"], 50_001, "the bot was not invited");
    let settings = json!({"shards": 3, "max_concurrency": 16, "session_starts_left": 7});
    assert_eq!(world.control(Method::PUT, "/gateway", Some(settings)).await.0, 200);
    let told = world.get("/gateway/bot").await.1;
    assert_eq!((&told["shards"], &told["session_start_limit"]["remaining"]), (&json!(3), &json!(7)));
    let typo = json!({"shard": 3});
    assert_eq!(world.control(Method::PUT, "/gateway", Some(typo)).await.0, 422);
}
