//! Gateway: what a client has to keep to, and how payloads are packed.

use std::time::Duration;

use cortana::sandbox::{
    GatewaySettings,
    discord::{GatewayFault, GatewayNote},
};
use serde_json::{Value, json};

use super::client::{Gateway, INTENTS, World};

/// The address of the gateway, without a query.
async fn address(world: &World) -> String {
    world.get("/gateway/bot").await.1["url"].as_str().unwrap().to_owned()
}

fn identify(world: &World, shard: u64, of: u64) -> Value {
    json!({"op": 2, "d": {"token": world.token, "intents": INTENTS, "shard": [shard, of]}})
}

#[tokio::test]
async fn a_stream_is_one_zlib_context_and_identify_can_ask_for_single_payloads() {
    let world = World::start().await;
    let url = address(&world).await;
    let mut bot = Gateway::connect_with(&format!("{url}/?v=10&encoding=json&compress=zlib-stream")).await;
    bot.send(json!({"op": 2, "d": {"token": world.token, "intents": INTENTS, "compress": true}})).await;
    bot.event("READY").await;
    bot.event("GUILD_CREATE").await;
    let long = "é".repeat(1500);
    world.sandbox.say(world.channel(), world.owner(), &long).unwrap();
    assert_eq!(bot.event("MESSAGE_CREATE").await["content"], long);
    assert!(bot.is_quiet().await);
    assert_eq!(bot.packed, 5, "hello, three events, the heartbeat's answer");

    let mut bot = world.gateway().await;
    bot.send(json!({"op": 2, "d": {"token": world.token, "intents": INTENTS, "compress": true}})).await;
    bot.event("READY").await;
    bot.event("GUILD_CREATE").await;
    assert!(bot.is_quiet().await);
    assert_eq!(bot.packed, 1, "the server; what is small comes as it is");
    let mut plain = Gateway::connect_with(&format!("{url}?v=10&encoding=json&compress=zstd-stream")).await;
    world.sandbox.advance(Duration::from_secs(5));
    plain.identify(&world.token, INTENTS).await;
    assert_eq!(plain.packed, 0, "what is not emulated is not pretended");
}

#[tokio::test]
async fn identifies_of_one_remainder_are_five_seconds_apart() {
    let world = World::start().await;
    world.sandbox.set_gateway(GatewaySettings {
        max_concurrency: Some(2),
        shards: Some(4),
        ..Default::default()
    });
    let told = world.get("/gateway/bot").await.1;
    assert_eq!((&told["shards"], &told["session_start_limit"]["max_concurrency"]), (&json!(4), &json!(2)));
    let url = address(&world).await;
    let mut answers = Vec::new();
    let mut open = Vec::new();
    for shard in [0, 1, 2] {
        let mut gateway = Gateway::connect(&url).await;
        gateway.send(identify(&world, shard, 4)).await;
        let frame = gateway.frame().await.unwrap();
        answers.push((frame["op"].clone(), frame["d"] == false));
        open.push(gateway);
    }
    assert_eq!(
        answers,
        [(json!(0), false), (json!(0), false), (json!(9), true)],
        "shard 2 shares with shard 0"
    );
    // The refused connection stays, and identifies again when it may.
    world.sandbox.advance(Duration::from_secs(5));
    let refused = open.last_mut().unwrap();
    refused.send(identify(&world, 2, 4)).await;
    refused.event("READY").await;
    let limit = world.get("/gateway/bot").await.1["session_start_limit"].clone();
    assert_eq!(limit["remaining"], 997);
    assert!(
        limit["reset_after"].as_u64().is_some_and(|ms| (86_000_000..86_400_000).contains(&ms)),
        "{limit}"
    );
}

#[tokio::test]
async fn one_identify_too_many_in_a_day_costs_the_token() {
    let world = World::start().await;
    world.sandbox.set_gateway(GatewaySettings { session_starts_left: Some(1), ..Default::default() });
    let mut bot = world.bot().await;
    let mut again = world.gateway().await;
    again.send(identify(&world, 0, 1)).await;
    assert_eq!(again.frame().await, Err(Some(4004)));
    assert_eq!(bot.frame().await, Err(Some(4004)), "every session ends");
    assert_eq!(world.get("/users/@me").await.0, 401, "and the token is another one");
}

#[tokio::test]
async fn a_connection_without_heartbeats_is_closed_and_its_session_is_over() {
    let world = World::start().await;
    world.sandbox.set_gateway(GatewaySettings { heartbeat_ms: Some(2000), ..Default::default() });
    let url = address(&world).await;
    let mut bot = Gateway::connect(&url).await;
    bot.identify(&world.token, INTENTS).await;
    bot.event("GUILD_CREATE").await;
    // Nothing is sent from here on.
    assert_eq!(bot.frame().await, Err(Some(4009)));
    let closed = |sandbox: &cortana::sandbox::Sandbox| {
        let notes = sandbox.gateway_log();
        notes.iter().any(|entry| entry.note == GatewayNote::ClosedByServer { code: Some(4009) }).then_some(())
    };
    world.sandbox.wait_for(Duration::from_secs(5), closed).await.unwrap();
    let mut again = Gateway::connect(&url).await;
    let session = bot.ready["session_id"].clone();
    again.send(json!({"op": 6, "d": {"token": world.token, "session_id": session, "seq": 1}})).await;
    let frame = again.frame().await.unwrap();
    assert_eq!((&frame["op"], &frame["d"]), (&json!(9), &json!(false)));
}

#[tokio::test]
async fn more_than_120_payloads_in_a_minute_are_too_many() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    for n in 1..120 {
        assert!(bot.is_quiet().await, "{n}");
    }
    bot.send(json!({"op": 1, "d": null})).await;
    assert_eq!(bot.frame().await, Err(Some(4008)), "the identify, 119 heartbeats, and this one");

    let mut bot = world.bot().await;
    for _ in 0..100 {
        assert!(bot.is_quiet().await);
    }
    world.sandbox.advance(Duration::from_mins(1));
    for _ in 0..100 {
        assert!(bot.is_quiet().await, "another minute");
    }
}

#[tokio::test]
async fn events_change_places_and_heartbeats_are_asked_for_on_demand() {
    let world = World::start().await;
    let mut bot = world.bot().await;
    world.sandbox.gateway_fault(GatewayFault::Reorder { events: 2 });
    for text in ["one", "two", "three", "four"] {
        world.sandbox.say(world.channel(), world.owner(), text).unwrap();
    }
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(bot.event("MESSAGE_CREATE").await["content"].clone());
    }
    assert_eq!(seen, ["three", "two", "one", "four"], "and the sequence numbers have no gaps");
    world.sandbox.gateway_fault(GatewayFault::AskHeartbeat);
    assert_eq!(bot.frame().await.unwrap()["op"], 1);
}

#[tokio::test]
async fn members_are_sent_by_name_and_by_id() {
    let world = World::start().await;
    let landmarks = world.sandbox.discord().landmarks();
    let mut bot = world.bot().await;
    let ask = |rest: Value| {
        let mut data = json!({"guild_id": landmarks.guild, "nonce": "7"});
        data.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        json!({"op": 8, "d": data})
    };
    let cases = [
        (json!({"query": "gu", "limit": 5}), json!([landmarks.guest]), json!([])),
        (json!({"user_ids": [landmarks.owner, "5"], "limit": 0}), json!([landmarks.owner]), json!(["5"])),
        (json!({"query": "", "limit": 1}), json!([landmarks.bot]), json!([])),
    ];
    for (rest, found, unknown) in cases {
        bot.send(ask(rest)).await;
        let chunk = bot.event("GUILD_MEMBERS_CHUNK").await;
        let ids: Vec<&Value> =
            chunk["members"].as_array().unwrap().iter().map(|member| &member["user"]["id"]).collect();
        assert_eq!((json!(ids), &chunk["not_found"], &chunk["nonce"]), (found, &unknown, &json!("7")));
    }
}

#[tokio::test]
async fn too_many_servers_for_one_shard_need_a_second() {
    let world = World::start().await;
    for _ in 0..2500 {
        world.sandbox.add_guild("One of many", world.owner());
    }
    let mut alone = world.gateway().await;
    alone.send(identify(&world, 0, 1)).await;
    assert_eq!(alone.frame().await, Err(Some(4011)));
}

#[tokio::test]
async fn direct_messages_go_to_shard_0_and_each_server_to_its_own() {
    let world = World::start().await;
    world.sandbox.set_gateway(GatewaySettings { max_concurrency: Some(2), ..Default::default() });
    let url = address(&world).await;
    let mut shards = Vec::new();
    for shard in 0..2 {
        let mut gateway = Gateway::connect(&url).await;
        gateway.send(identify(&world, shard, 2)).await;
        gateway.event("READY").await;
        gateway.waiting().await;
        shards.push(gateway);
    }
    // A server on each: ids grow with time, and the shard is in their time.
    let mut servers = vec![None, None];
    while servers.iter().any(Option::is_none) {
        world.sandbox.advance(Duration::from_millis(1));
        let (guild, channel) = world.sandbox.add_guild("Another", world.owner());
        servers[usize::try_from((guild.0 >> 22) % 2).unwrap()] = Some(channel);
    }
    for gateway in &mut shards {
        gateway.waiting().await;
    }
    for (shard, channel) in servers.into_iter().enumerate() {
        world.sandbox.say(channel.unwrap(), world.owner(), &format!("in {shard}")).unwrap();
    }
    world.sandbox.dm(world.owner(), "in private").unwrap();
    let mut heard = Vec::new();
    for gateway in &mut shards {
        let events = gateway.waiting().await;
        heard.push(events.into_iter().map(|(_, data)| data["content"].clone()).collect::<Vec<_>>());
    }
    assert_eq!(heard, [vec![json!("in 0"), json!("in private")], vec![json!("in 1")]]);
}
