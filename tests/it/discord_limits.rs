//! The bot as in production: `discord.com` over TLS, serenity with its own rate limiter, no address changed.

use std::{sync::Arc, time::Duration};

use cortana::sandbox::{
    Sandbox,
    discord::{GatewayNote, RecordedRequest},
};
use poise::serenity_prelude as serenity;
use serenity::{ChannelId, CreateMessage, EditMessage, MessageId, ReactionType};

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

/// serenity's limiter alone, with more at once than a window holds.
#[tokio::test]
async fn serenitys_own_limiter_waits_for_what_the_headers_say() {
    let world = World::under_real_names().await;
    let (sandbox, landmarks) = (&world.sandbox, world.sandbox.discord().landmarks());
    let stand_in = world.stand_in().expect("it answers for discord.com");
    let authority = reqwest::Certificate::from_pem(stand_in.authority.as_bytes()).expect("PEM");
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_built_in_root_certs(false)
        .add_root_certificate(authority)
        .resolve("discord.com", stand_in.address)
        .build()
        .expect("a client");
    let http = Arc::new(serenity::HttpBuilder::new(sandbox.endpoints().bot_token).client(client).build());
    let channel = ChannelId::new(landmarks.channel.0);
    let hello = channel.send_message(&http, CreateMessage::new().content("hello")).await.expect("sent");

    // Six emoji at one in a quarter of a second, five creates and five edits at five in five seconds, all at once.
    let react = |emoji: &'static str, http: Arc<serenity::Http>, message: MessageId| async move {
        http.create_reaction(channel, message, &ReactionType::Unicode(emoji.to_owned())).await
    };
    let reactions =
        ["👍", "👎", "🎉", "😀", "🔥", "👀"].map(|emoji| react(emoji, Arc::clone(&http), hello.id));
    let creates = (0..4).map(|n| channel.send_message(&http, CreateMessage::new().content(n.to_string())));
    let edits =
        (0..5).map(|n| channel.edit_message(&http, hello.id, EditMessage::new().content(n.to_string())));
    let all = async {
        futures::join!(
            futures::future::join_all(reactions),
            futures::future::join_all(creates),
            futures::future::join_all(edits),
        )
    };
    let (reactions, creates, edits) =
        tokio::time::timeout(Duration::from_secs(30), all).await.expect("in time");
    assert!(
        reactions.iter().all(Result::is_ok)
            && creates.iter().all(Result::is_ok)
            && edits.iter().all(Result::is_ok)
    );
    let requests = sandbox.recorded_requests();
    assert_eq!(
        (requests.len(), count(&requests, 429)),
        (1 + 6 + 4 + 5, 0),
        "everything arrived, nothing too early"
    );
    let first_and_last = |part: &str| {
        let times: Vec<Duration> =
            requests.iter().filter(|request| request.path.contains(part)).map(|request| request.at).collect();
        *times.iter().max().expect("some") - *times.iter().min().expect("some")
    };
    assert!(first_and_last("/reactions/") >= Duration::from_secs(1), "it waited between reactions");
}

/// Nothing but the names of Discord is vouched for, and nobody else is trusted.
#[tokio::test]
async fn the_test_authority_vouches_for_discords_names_alone() {
    let world = World::under_real_names().await;
    let stand_in = world.stand_in().expect("it answers for discord.com");
    let authority = reqwest::Certificate::from_pem(stand_in.authority.as_bytes()).expect("PEM");
    let builder = || {
        let names = ["discord.com", "cdn.discordapp.com", "example.com"];
        let builder = reqwest::Client::builder().no_proxy().tls_built_in_root_certs(false);
        names.iter().fold(builder, |builder, name| builder.resolve(name, stand_in.address))
    };
    let trusting = builder().add_root_certificate(authority).build().expect("a client");
    let answer = trusting.get("https://discord.com/api/v10/gateway").send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let strange = trusting.get("https://example.com/api/v10/gateway").send().await;
    assert!(strange.expect_err("no certificate for this name").is_connect());
    let careful = builder().build().expect("a client");
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
