//! The bot in two shards, as many as Discord recommends: each hears of its own servers, the first one of what is private.

use std::time::Duration;

use cortana::sandbox::{GatewaySettings, Sandbox, discord::GatewayNote};

use crate::support::bot::{SOON, World};

/// The shards that identified, in order.
fn identified(sandbox: &Sandbox) -> Vec<(u64, u64)> {
    let shard = |entry: cortana::sandbox::discord::GatewayEntry| match entry.note {
        GatewayNote::Identified { shard, .. } => Some(shard),
        GatewayNote::Opened
        | GatewayNote::Resumed { .. }
        | GatewayNote::Received { .. }
        | GatewayNote::ClosedByClient { .. }
        | GatewayNote::ClosedByServer { .. } => None,
    };
    sandbox.gateway_log().into_iter().filter_map(shard).collect()
}

#[tokio::test]
async fn two_shards_answer_in_their_servers_and_in_private() {
    let world = World::new().await.login("gemini_cli", "ann");
    world.sandbox.set_gateway(GatewaySettings { shards: Some(2), ..GatewaySettings::default() });
    let owner = world.sandbox.discord().landmarks().owner;
    // A server for each shard: which one it is stands in the time of the server's id.
    let mut channels = [None, None];
    while channels.contains(&None) {
        world.sandbox.advance(Duration::from_millis(1));
        let (guild, channel) = world.sandbox.add_guild("Another", owner);
        channels[usize::from((guild.0 >> 22) % 2 == 1)] = Some(channel);
    }
    let bot = world.with("ALLOWED_GUILD_IDS", "*").start();
    let both = |sandbox: &Sandbox| (sandbox.connected_sessions() == 2).then_some(());
    bot.sandbox().wait_for(SOON, both).await.expect("both shards connect");
    assert_eq!(identified(bot.sandbox()), [(0, 2), (1, 2)], "none was too early for the other");
    for channel in channels.into_iter().flatten() {
        let mention = bot.sandbox().mention();
        let question = bot.sandbox().say(channel, owner, &format!("{mention} hello")).expect("they may");
        assert_eq!(bot.settled(question).await.len(), 1, "one answer from one shard");
    }
    let question = bot.sandbox().dm(owner, "hello").expect("they may");
    assert_eq!(bot.settled(question).await.len(), 1);
    let refused = |sandbox: &Sandbox| {
        sandbox.gateway_log().iter().any(|entry| matches!(entry.note, GatewayNote::ClosedByServer { .. }))
    };
    assert!(!refused(bot.sandbox()));
}
