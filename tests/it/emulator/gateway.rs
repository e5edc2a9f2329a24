//! Gateway: sessions, intents, resume, close codes.

use std::time::Duration;

use cortana::sandbox::discord::{GatewayFault, GatewayNote};
use serde_json::json;

use super::client::{Gateway, INTENTS, World};

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_bot_identifies_and_hears_a_person() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    let landmarks = world.sandbox.discord().landmarks();
    assert_eq!(bot.ready["user"]["id"], landmarks.bot.to_string());
    assert_eq!(bot.ready["application"]["id"], landmarks.application.to_string());
    assert!(bot.ready["resume_gateway_url"].as_str().is_some_and(|url| url.starts_with("ws://127.0.0.1:")));

    let id = world.sandbox.say(world.channel(), world.owner(), "hello").unwrap();
    let event = bot.event("MESSAGE_CREATE").await;
    assert_eq!(event["id"], id.to_string());
    assert_eq!(event["content"], "hello");
    assert_eq!(event["author"]["username"], "olivia");
    assert_eq!(event["guild_id"], landmarks.guild.to_string());
    assert!(event["member"]["joined_at"].is_string());
    assert!(bot.is_quiet().await);
    world.stop().await;
}

#[tokio::test]
async fn the_bots_own_messages_come_back_as_events_in_order() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    let (_, made) = world.post(&world.messages_path(), json!({"content": "one"})).await;
    let path = format!("{}/{}", world.messages_path(), made["id"].as_str().unwrap());
    world.patch(&path, json!({"content": "two"})).await;
    world.ask(reqwest::Method::DELETE, &path, None).await;
    assert_eq!(bot.event("MESSAGE_CREATE").await["content"], "one");
    let update = bot.event("MESSAGE_UPDATE").await;
    assert_eq!(update["content"], "two");
    assert!(update["edited_timestamp"].is_string());
    assert_eq!(bot.event("MESSAGE_DELETE").await["id"], made["id"]);
}

#[tokio::test]
async fn without_the_content_intent_only_mentions_direct_messages_and_own_ones_have_content() {
    let world = World::start().await;
    let mut bot = world.gateway().await;
    bot.identify(&world.token, INTENTS & !(1 << 15)).await;
    bot.event("GUILD_CREATE").await;
    let sandbox = &world.sandbox;
    sandbox.say(world.channel(), world.owner(), "secret").unwrap();
    assert_eq!(bot.event("MESSAGE_CREATE").await["content"], "");
    let mention = sandbox.ask("hello").unwrap();
    assert_eq!(bot.event("MESSAGE_CREATE").await["content"], format!("{} hello", sandbox.mention()));
    sandbox.dm(world.owner(), "private").unwrap();
    let direct = bot.event("MESSAGE_CREATE").await;
    assert_eq!((&direct["content"], direct.get("guild_id")), (&json!("private"), None));
    world.post(&world.messages_path(), json!({"content": "mine"})).await;
    let own = bot.event("MESSAGE_CREATE").await;
    assert_eq!(own["content"], "mine");
    sandbox.reply_to(own["id"].as_str().unwrap().parse().unwrap(), world.owner(), "and?").unwrap();
    let reply = bot.event("MESSAGE_CREATE").await;
    assert_eq!(reply["content"], "and?", "a reply with a ping is a mention");
    assert_eq!(reply["referenced_message"]["content"], "mine");
    assert!(sandbox.message(mention).is_some());
}

#[tokio::test]
async fn events_without_their_intent_do_not_come() {
    let world = World::start().await;
    let mut bot = world.gateway().await;
    bot.identify(&world.token, 1 | (1 << 12)).await;
    bot.event("GUILD_CREATE").await;
    world.sandbox.say(world.channel(), world.owner(), "in the server").unwrap();
    world.sandbox.dm(world.owner(), "in private").unwrap();
    assert_eq!(bot.event("MESSAGE_CREATE").await["content"], "in private");
    assert!(bot.is_quiet().await);
}

#[tokio::test]
async fn what_happens_in_a_channel_that_the_bot_cannot_see_is_no_event() {
    let world = World::start().await;
    let mut bot = world.gateway().await;
    bot.identify(&world.token, INTENTS | (1 << 10)).await;
    bot.event("GUILD_CREATE").await;
    let (sandbox, landmarks) = (&world.sandbox, world.sandbox.discord().landmarks());
    let secret = sandbox.add_channel("secret");
    let seen = sandbox.say(secret, world.owner(), "before").unwrap();
    sandbox.deny(secret, landmarks.bot, cortana::sandbox::discord::permission::VIEW_CHANNEL);
    bot.waiting().await;
    sandbox.say(secret, world.owner(), "among us").unwrap();
    sandbox.rewrite(seen, "after").unwrap();
    sandbox.react(world.owner(), seen, "👍", cortana::sandbox::Reacting::Put).unwrap();
    sandbox.start_thread(world.owner(), seen, "theirs").unwrap();
    sandbox.remove(seen).unwrap();
    assert!(bot.is_quiet().await);
    sandbox.say(world.channel(), world.owner(), "for all").unwrap();
    assert_eq!(bot.event("MESSAGE_CREATE").await["content"], "for all");
}

#[tokio::test]
async fn a_bad_token_disallowed_and_undefined_intents_and_a_missing_identify_have_their_close_codes() {
    let world = World::start().await;
    let identify = |token: &str, intents: u64| json!({"op": 2, "d": {"token": token, "intents": intents}});
    let cases = [
        (identify("Bot wrong", INTENTS), 4004),
        (identify(&world.token, 1 << 1), 4014),
        (identify(&world.token, 1 << 40), 4013),
        (json!({"op": 2, "d": {"token": world.token, "intents": 1, "shard": [2, 2]}}), 4010),
        (json!({"op": 3, "d": {}}), 4003),
        (json!({"op": 99, "d": {}}), 4003),
        (json!({"op": 6, "d": {"token": "wrong", "session_id": "x", "seq": 1}}), 4004),
    ];
    for (payload, code) in cases {
        let mut gateway = world.gateway().await;
        gateway.send(payload.clone()).await;
        assert_eq!(gateway.frame().await, Err(Some(code)), "{payload}");
    }
    let mut gateway = world.bot().await;
    gateway.send(identify(&world.token, INTENTS)).await;
    assert_eq!(gateway.frame().await, Err(Some(4005)));
}

#[tokio::test]
async fn the_content_intent_can_be_switched_off_for_the_application() {
    let world = World::start().await;
    world.sandbox.set_privileged_intents(0);
    let mut gateway = world.gateway().await;
    gateway.send(json!({"op": 2, "d": {"token": world.token, "intents": INTENTS}})).await;
    assert_eq!(gateway.frame().await, Err(Some(4014)));
}

#[tokio::test]
async fn a_dropped_session_resumes_and_gets_what_it_missed_once() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    let session = bot.ready["session_id"].clone();
    world.sandbox.gateway_fault(GatewayFault::Drop);
    assert_eq!(bot.frame().await, Err(None));
    world.sandbox.wait_for(LIMIT, |s| (s.connected_sessions() == 0).then_some(())).await.unwrap();
    world.sandbox.say(world.channel(), world.owner(), "while you were away").unwrap();

    let mut again = Gateway::connect(bot.ready["resume_gateway_url"].as_str().unwrap()).await;
    again.seq = bot.seq;
    let resume = json!({"op": 6, "d": {"token": world.token, "session_id": session, "seq": bot.seq}});
    again.send(resume).await;
    assert_eq!(again.event("MESSAGE_CREATE").await["content"], "while you were away");
    again.event("RESUMED").await;
    assert!(again.is_quiet().await);
    let notes: Vec<_> = world.sandbox.gateway_log().into_iter().map(|entry| entry.note).collect();
    assert!(notes.iter().any(|note| matches!(note, GatewayNote::Resumed { replayed: 1, .. })), "{notes:?}");
}

#[tokio::test]
async fn a_clean_goodbye_ends_the_session_and_is_recorded() {
    let world = World::start().await;
    let bot = world.bot().await;
    let session = bot.ready["session_id"].clone();
    bot.close(1000).await;
    let closed = |s: &cortana::sandbox::Sandbox| {
        let last = s.gateway_log().pop()?.note;
        (last == GatewayNote::ClosedByClient { code: Some(1000) }).then_some(())
    };
    world.sandbox.wait_for(LIMIT, closed).await.unwrap();
    let mut again = world.gateway().await;
    again.send(json!({"op": 6, "d": {"token": world.token, "session_id": session, "seq": 2}})).await;
    let answer = again.frame().await.unwrap();
    assert_eq!((&answer["op"], &answer["d"]), (&json!(9), &json!(false)));
}

#[tokio::test]
async fn reconnect_invalidate_duplicates_and_missing_acks_come_on_demand() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    world.sandbox.gateway_fault(GatewayFault::Reconnect);
    assert_eq!(bot.frame().await.unwrap()["op"], 7);
    world.sandbox.gateway_fault(GatewayFault::Duplicate { events: 1 });
    world.sandbox.say(world.channel(), world.owner(), "twice").unwrap();
    world.sandbox.say(world.channel(), world.owner(), "once").unwrap();
    let first = bot.event("MESSAGE_CREATE").await;
    assert_eq!(bot.event("MESSAGE_CREATE").await, first);
    assert_eq!(bot.event("MESSAGE_CREATE").await["content"], "once");
    world.sandbox.gateway_fault(GatewayFault::WithholdAcks { heartbeats: 1 });
    bot.send(json!({"op": 1, "d": bot.seq})).await;
    assert!(bot.is_quiet().await, "the second heartbeat is answered, the first was not");
    assert!(bot.is_quiet().await);
    world.sandbox.gateway_fault(GatewayFault::Invalidate { resumable: false });
    let frame = bot.frame().await.unwrap();
    assert_eq!((&frame["op"], &frame["d"]), (&json!(9), &json!(false)));
}

#[tokio::test]
async fn a_shard_sees_its_own_servers_only() {
    let world = World::start().await;
    let guild = world.sandbox.discord().landmarks().guild;
    let mine = (guild.0 >> 22) % 2;
    for shard in 0..2 {
        let mut gateway = world.gateway().await;
        gateway
            .send(json!({"op": 2, "d": {"token": world.token, "intents": INTENTS, "shard": [shard, 2]}}))
            .await;
        let ready = gateway.event("READY").await;
        let expected = usize::from(shard == mine);
        assert_eq!(ready["guilds"].as_array().unwrap().len(), expected);
    }
}
