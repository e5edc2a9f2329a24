//! Reactions: routes, events, the intent, codes, permissions.

use std::time::Duration;

use cortana::sandbox::{Reacting, ScriptError, discord::permission};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Gateway, INTENTS, World};

/// `GUILD_MESSAGE_REACTIONS`.
const REACTIONS: u64 = 1 << 10;

async fn listening(world: &World) -> Gateway {
    let mut gateway = world.gateway().await;
    gateway.identify(&world.token, INTENTS | REACTIONS).await;
    gateway.event("GUILD_CREATE").await;
    gateway
}

impl World {
    /// Asks below a message's reactions, a quarter of a second after what was asked before.
    async fn reactions(&self, method: Method, message: impl std::fmt::Display, rest: &str) -> (u16, Value) {
        self.sandbox.advance(Duration::from_millis(250));
        self.ask(method, &format!("{}/{message}/reactions{rest}", self.messages_path()), None).await
    }
}

#[tokio::test]
async fn the_bot_reacts_once_and_takes_it_back() {
    let world = World::start().await;
    let mut bot = listening(&world).await;
    let landmarks = world.sandbox.discord().landmarks();
    let message = world.sandbox.say(world.channel(), world.owner(), "hello").unwrap();
    bot.event("MESSAGE_CREATE").await;
    assert_eq!(world.reactions(Method::PUT, message, "/👍/@me").await, (204, Value::Null));
    let event = bot.event("MESSAGE_REACTION_ADD").await;
    assert_eq!(event["emoji"], json!({"id": null, "name": "👍"}));
    assert_eq!((&event["user_id"], &event["guild_id"]), (&json!(landmarks.bot), &json!(landmarks.guild)));
    assert_eq!((&event["message_id"], &event["message_author_id"]), (&json!(message), &json!(world.owner())));
    assert!(event["member"]["joined_at"].is_string());
    assert_eq!(world.reactions(Method::PUT, message, "/👍/@me").await.0, 204);
    assert!(bot.is_quiet().await, "a second time changes nothing");

    world.sandbox.react(world.owner(), message, "👍", Reacting::Put).unwrap();
    assert_eq!(bot.event("MESSAGE_REACTION_ADD").await["user_id"], json!(world.owner()));
    let seen = world.get(&format!("{}/{message}", world.messages_path())).await.1;
    let reaction = &seen["reactions"][0];
    assert_eq!((&reaction["count"], &reaction["me"]), (&json!(2), &json!(true)));
    assert_eq!(reaction["count_details"], json!({"burst": 0, "normal": 2}));

    assert_eq!(world.reactions(Method::DELETE, message, "/👍/@me").await.0, 204);
    let event = bot.event("MESSAGE_REACTION_REMOVE").await;
    assert_eq!(event["user_id"], json!(landmarks.bot));
    assert_eq!((event.get("member"), event.get("message_author_id")), (None, None), "only ADD has them");
    let (_, left) = world.reactions(Method::GET, message, "/👍").await;
    assert_eq!(left[0]["id"], json!(world.owner()));
    assert_eq!(left.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn who_reacted_is_listed_in_pages() {
    let world = World::start().await;
    let message = world.sandbox.say(world.channel(), world.owner(), "hello").unwrap();
    let mut people: Vec<String> = Vec::new();
    for name in ["ann", "ben", "cat"] {
        let person = world.sandbox.add_person(name);
        world.sandbox.react(person, message, "🎉", Reacting::Put).unwrap();
        people.push(person.to_string());
    }
    let ids = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned()).collect()
    };
    let (_, first) = world.reactions(Method::GET, message, "/🎉?limit=2").await;
    assert_eq!(ids(&first), people[..2]);
    let (_, rest) = world.reactions(Method::GET, message, &format!("/🎉?limit=2&after={}", people[1])).await;
    assert_eq!(ids(&rest), people[2..]);
    for bad in ["0", "101", "x"] {
        let (status, refused) = world.reactions(Method::GET, message, &format!("/🎉?limit={bad}")).await;
        assert_eq!((status, &refused["code"]), (400, &json!(50_035)), "limit={bad}");
    }
}

#[tokio::test]
async fn without_the_intent_reactions_are_no_events() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    let message = world.sandbox.say(world.channel(), world.owner(), "hello").unwrap();
    bot.event("MESSAGE_CREATE").await;
    world.sandbox.react(world.owner(), message, "👍", Reacting::Put).unwrap();
    world.sandbox.react(world.owner(), message, "👍", Reacting::Taken).unwrap();
    assert!(bot.is_quiet().await);
}

#[tokio::test]
async fn unknown_emoji_and_the_twenty_first_have_their_codes() {
    let world = World::start().await;
    let message = world.sandbox.say(world.channel(), world.owner(), "hello").unwrap();
    for unknown in ["smile", "%3Asmile%3A", "party:123456789012345678", "%20", "é", "<>"] {
        let (status, refused) = world.reactions(Method::PUT, message, &format!("/{unknown}/@me")).await;
        assert_eq!((status, &refused["code"]), (400, &json!(10_014)), "{unknown}");
    }
    assert_eq!(world.reactions(Method::DELETE, message, "/👍/@me").await.1["code"], 10_014, "nobody put it");
    assert_eq!(world.reactions(Method::GET, 5, "/👍").await.1["code"], 10_008);
    for emoji in "1️⃣ 🇩🇪 👍🏽 🅰️ ℹ️ 👩‍💻 😆 😇 😈 😉 😊 😋 😌 😍 😎 😏 😐 😑 😒 😀".split(' ')
    {
        assert_eq!(world.reactions(Method::PUT, message, &format!("/{emoji}/@me")).await.0, 204, "{emoji}");
    }
    let (status, refused) = world.reactions(Method::PUT, message, "/👍/@me").await;
    assert_eq!((status, &refused["code"]), (400, &json!(30_010)));
    world
        .sandbox
        .react(world.owner(), message, "😀", Reacting::Put)
        .expect("one that is there can be joined");
    let refused = world.sandbox.react(world.owner(), message, "🎉", Reacting::Put).unwrap_err();
    assert!(matches!(&refused, ScriptError::Refused(body) if body.contains("30010")), "{refused}");
}

#[tokio::test]
async fn a_new_reaction_needs_a_permission_and_joining_one_does_not() {
    let world = World::start().await;
    let bot = world.sandbox.discord().landmarks().bot;
    let guest = world.sandbox.discord().landmarks().guest;
    let message = world.sandbox.say(world.channel(), world.owner(), "hello").unwrap();
    world.sandbox.react(world.owner(), message, "👍", Reacting::Put).unwrap();
    for person in [bot, guest] {
        world.sandbox.deny(world.channel(), person, permission::ADD_REACTIONS);
    }
    assert_eq!(world.reactions(Method::PUT, message, "/🎉/@me").await.1["code"], 50_013);
    assert_eq!(world.reactions(Method::PUT, message, "/👍/@me").await.0, 204);
    assert_eq!(world.sandbox.react(guest, message, "🎉", Reacting::Put), Err(ScriptError::NotAllowed));
    world.sandbox.react(guest, message, "👍", Reacting::Put).expect("joining needs no permission");
    world.sandbox.react(guest, message, "👍", Reacting::Taken).expect("nor does taking one's own back");
    world.sandbox.deny(world.channel(), bot, permission::READ_MESSAGE_HISTORY);
    assert_eq!(world.reactions(Method::PUT, message, "/👍/@me").await.1["code"], 50_013);
}

#[tokio::test]
async fn clearing_reactions_of_others_needs_a_moderator() {
    let world = World::start().await;
    let mut bot = listening(&world).await;
    let message = world.sandbox.say(world.channel(), world.owner(), "hello").unwrap();
    bot.event("MESSAGE_CREATE").await;
    for emoji in ["👍", "🎉", "🚀"] {
        world.sandbox.react(world.owner(), message, emoji, Reacting::Put).unwrap();
        bot.event("MESSAGE_REACTION_ADD").await;
    }
    let theirs = format!("/👍/{}", world.owner());
    for rest in ["", "/👍", &theirs] {
        assert_eq!(world.reactions(Method::DELETE, message, rest).await.1["code"], 50_013, "{rest}");
    }
    let own = world.sandbox.discord().landmarks().bot;
    world.sandbox.allow(world.channel(), own, permission::MANAGE_MESSAGES);
    bot.event("CHANNEL_UPDATE").await;
    assert_eq!(world.reactions(Method::DELETE, message, &theirs).await.0, 204);
    assert_eq!(bot.event("MESSAGE_REACTION_REMOVE").await["user_id"], json!(world.owner()));
    assert_eq!(world.reactions(Method::DELETE, message, "/🎉").await.0, 204);
    assert_eq!(bot.event("MESSAGE_REACTION_REMOVE_EMOJI").await["emoji"]["name"], "🎉");
    assert_eq!(world.reactions(Method::DELETE, message, "").await.0, 204);
    assert_eq!(bot.event("MESSAGE_REACTION_REMOVE_ALL").await["message_id"], json!(message));
    let seen = world.get(&format!("{}/{message}", world.messages_path())).await.1;
    assert!(seen.get("reactions").is_none_or(|left| *left == json!([])), "{seen}");
}

#[tokio::test]
async fn reactions_have_a_budget_of_their_own() {
    let world = World::start().await;
    let message = world.sandbox.say(world.channel(), world.owner(), "hello").unwrap();
    assert_eq!(world.reactions(Method::PUT, message, "/👍/@me").await.0, 204);
    let path = format!("{}/{message}/reactions/🎉/@me", world.messages_path());
    let refused = world.send(Method::PUT, &path, None).await;
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["x-ratelimit-limit"].to_str().unwrap()),
        (429, "1")
    );
    assert_eq!(world.post(&world.messages_path(), json!({"content": "not slowed"})).await.0, 200);
    assert_eq!(world.reactions(Method::PUT, message, "/🎉/@me").await.0, 204);
}
