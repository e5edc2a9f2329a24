//! The bot as in production: `discord.com` over TLS, serenity with its own rate limiter, no address changed.

use std::{sync::Arc, time::Duration};

use cortana::{
    http::StandIn,
    sandbox::{
        Sandbox,
        discord::{GatewayNote, RecordedRequest},
    },
};
use futures::StreamExt as _;
use poise::serenity_prelude as serenity;
use serenity::{ChannelId, ReactionType};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring},
};

use crate::support::bot::{SOON, World};

fn count(requests: &[RecordedRequest], status: u16) -> usize {
    requests.iter().filter(|request| request.status == status).count()
}

/// Streams in several channels, commands between them: what a busy minute of a small server looks like.
#[tokio::test]
async fn d5_under_its_real_name_a_burst_meets_no_rate_limit() {
    let world = World::under_real_names().await.login("gemini_cli", "ann").login("qwen_code", "bob");
    let bot = world.connect().await;
    let (sandbox, landmarks) = (bot.sandbox(), bot.sandbox().discord().landmarks());
    sandbox.registered("settings", SOON).await.expect("the commands are registered");
    let mut asked = Vec::new();
    for n in 0..4 {
        let channel = sandbox.add_channel(&format!("room-{n}"));
        let mention = sandbox.mention();
        for person in [landmarks.owner, landmarks.guest] {
            asked.push(sandbox.say(channel, person, &format!("{mention} hello {n}")).expect("they may"));
        }
        let command = sandbox.slash(landmarks.owner, channel, "/settings oauth-status");
        asked.push(command.expect("a registered command"));
    }
    for question in asked {
        bot.settled(question).await;
    }
    let requests = sandbox.recorded_requests();
    assert_eq!(count(&requests, 429), 0, "no request was over a limit");
    assert!(requests.len() >= 30, "a burst: {}", requests.len());
    assert!(requests.iter().all(|request| request.headers["host"] == "discord.com"));
    let closed = |sandbox: &Sandbox| {
        sandbox.gateway_log().iter().any(|entry| matches!(entry.note, GatewayNote::ClosedByServer { .. }))
    };
    assert!(!closed(sandbox));
}

/// serenity's limiter alone. One request after the other it waits for what the headers say. With many at once it asks
/// them all before it knows the limit, and sits the 429s out: which is why the bot's own requests go through a limiter of
/// ours (`src/discord/transport.rs`), and poise's first answers, which have no limit, through this one.
#[tokio::test]
async fn serenitys_own_limiter_waits_in_line_and_stumbles_in_a_burst() {
    let world = World::under_real_names().await;
    let (sandbox, landmarks) = (&world.sandbox, world.sandbox.discord().landmarks());
    let http = serenity::HttpBuilder::new(sandbox.endpoints().bot_token).client(trusting(&world)).build();
    let channel = ChannelId::new(landmarks.channel.0);
    let message = sandbox.say(landmarks.channel, landmarks.owner, "hello").expect("sent").0.into();
    let react = |emoji: &'static str| {
        let (http, emoji) = (&http, ReactionType::Unicode(emoji.to_owned()));
        async move { http.create_reaction(channel, message, &emoji).await.expect("a reaction") }
    };
    // One in a quarter of a second.
    for emoji in ["👍", "👎", "🎉", "😀"] {
        react(emoji).await;
    }
    let requests = sandbox.recorded_requests();
    assert_eq!((requests.len(), count(&requests, 429)), (4, 0), "in line, none is too early");
    assert!(requests[3].at >= requests[0].at + Duration::from_millis(700), "it waited");

    futures::future::join_all(["🔥", "👀", "🚀", "💡"].map(react)).await;
    let requests = sandbox.recorded_requests();
    assert_eq!(count(&requests, 204), 8, "in a burst, all arrive in the end");
    println!("serenity met {} rate limits with four reactions at once", count(&requests, 429));
}

/// A client for which `discord.com` and its like lead into this world.
fn trusting(world: &World) -> reqwest::Client {
    let stand_in = world.stand_in().expect("it answers for discord.com");
    let authority = reqwest::Certificate::from_der(&stand_in.authority).expect("a certificate");
    resolving(&stand_in).add_root_certificate(authority).build().expect("a client")
}

fn resolving(stand_in: &StandIn) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder().no_proxy().tls_built_in_root_certs(false);
    let builder = builder.user_agent("DiscordBot (https://example.org, 1)");
    let names = ["discord.com", "cdn.discordapp.com", "example.com"];
    names.iter().fold(builder, |builder, name| builder.resolve(name, stand_in.address))
}

/// A client by hand at `wss://gateway.discord.gg`, where the gateway is in production.
#[tokio::test]
async fn the_gateway_is_found_under_its_own_name_too() {
    let world = World::under_real_names().await;
    let stand_in = world.stand_in().expect("it answers for gateway.discord.gg");
    let mut roots = RootCertStore::empty();
    roots.add(stand_in.authority.into()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = tokio::net::TcpStream::connect(stand_in.address).await.expect("it listens");
    let name = "gateway.discord.gg".try_into().expect("a name");
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.expect("a handshake");
    let url = "wss://gateway.discord.gg/?v=10&encoding=json";
    let (mut socket, _) = tokio_tungstenite::client_async(url, tls).await.expect("a websocket");
    let hello = socket.next().await.expect("a frame").expect("a whole one");
    assert!(hello.to_text().is_ok_and(|text| text.contains("heartbeat_interval")), "{hello}");
}

/// Nothing but the names of Discord is vouched for, and nobody else is trusted.
#[tokio::test]
async fn the_test_authority_vouches_for_discords_names_alone() {
    let world = World::under_real_names().await;
    let trusting = trusting(&world);
    let answer = trusting.get("https://discord.com/api/v10/gateway").send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let strange = trusting.get("https://example.com/api/v10/gateway").send().await;
    assert!(strange.expect_err("no certificate for this name").is_connect());
    let careful = resolving(&world.stand_in().expect("it answers")).build().expect("a client");
    let stranger = careful.get("https://discord.com/api/v10/gateway").send().await;
    assert!(stranger.expect_err("an authority that nobody knows").is_connect());

    // Neither the control API nor the page is here, and a file is found under the CDN's name.
    for path in ["control", "page", "control/requests"] {
        let answer = trusting.get(format!("https://discord.com/{path}")).send().await.expect("an answer");
        assert_eq!(answer.status(), 404, "{path}");
    }
    let (sandbox, landmarks) = (&world.sandbox, world.sandbox.discord().landmarks());
    let file = cortana::sandbox::File {
        filename: "notes.txt".to_owned(),
        content_type: Some("text/plain".to_owned()),
        bytes: "three words here".into(),
    };
    let message =
        sandbox.say_with(landmarks.channel, landmarks.owner, "look", None, vec![file]).expect("sent");
    let url = sandbox.message(message).expect("there").attachments[0].url.clone();
    assert!(url.starts_with("https://cdn.discordapp.com/attachments/"), "{url}");
    let text = trusting.get(url).send().await.expect("an answer").text().await.expect("a text");
    assert_eq!(text, "three words here");
}
