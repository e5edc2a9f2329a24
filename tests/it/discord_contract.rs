//! The judge of the whole test run (`support/contract.rs`) is judged itself: a run that touches every route, and
//! violations that it must find.

use cortana::sandbox::discord::{RestAction, RestFault, Scope};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    emulator::client::World,
    support::contract::{Asker, EXCEPTIONS, Judged, judged},
};

/// A run that touches every route, with what the bot sends.
async fn run(world: &World) {
    let landmarks = world.sandbox.discord().landmarks();
    let mut bot = world.bot().await;
    let file = json!({"attachments": [{"id": 0, "filename": "a.txt"}]});
    let form = reqwest::multipart::Form::new()
        .text("payload_json", file.to_string())
        .part("files[0]", reqwest::multipart::Part::text("hello").file_name("a.txt"));
    let sent = world.http.post(format!("{}{}", world.base, world.messages_path()));
    sent.header("authorization", &world.token).multipart(form).send().await.expect("an answer");
    world.register().await;
    for path in [
        "/gateway".to_owned(),
        "/gateway/bot".to_owned(),
        "/users/@me".to_owned(),
        format!("/users/{}", landmarks.guest),
        "/applications/@me".to_owned(),
        "/oauth2/applications/@me".to_owned(),
        format!("/applications/{}/commands", landmarks.application),
        format!("/guilds/{}?with_counts=true", landmarks.guild),
        format!("/guilds/{}/roles", landmarks.guild),
        format!("/guilds/{}/channels", landmarks.guild),
        format!("/guilds/{}/members/{}", landmarks.guild, landmarks.guest),
        format!("/channels/{}", landmarks.channel),
        "/channels/5".to_owned(),
    ] {
        world.get(&path).await;
    }
    world.post("/users/@me/channels", json!({"recipient_id": landmarks.guest})).await;
    world.post(&format!("/channels/{}/typing", landmarks.channel), Value::Null).await;
    let question = world.sandbox.ask("hello").expect("the channel is open");
    let row =
        json!([{"type": 1, "components": [{"type": 2, "style": 4, "label": "Stop", "custom_id": "stop:1"}]}]);
    let reply = json!({"content": "Hi", "components": row, "nonce": "1", "enforce_nonce": true,
        "embeds": [{"title": "T", "description": "D", "fields": [{"name": "n", "value": "v", "inline": true}],
            "footer": {"text": "f"}, "color": 5}],
        "allowed_mentions": {"parse": [], "replied_user": false},
        "message_reference": {"message_id": question, "fail_if_not_exists": false}});
    let made = world.post(&world.messages_path(), reply).await.1;
    let one = format!("{}/{}", world.messages_path(), made["id"].as_str().expect("an id"));
    world
        .patch(&one, json!({"content": "Hi there", "components": [], "allowed_mentions": {"parse": []}}))
        .await;
    world.get(&world.messages_path()).await;
    world.get(&one).await;
    world.post(&world.messages_path(), json!({"content": ""})).await;
    world.post(&world.messages_path(), json!({"content": "x".repeat(2001)})).await;

    world.sandbox.slash(landmarks.owner, landmarks.channel, "/settings oauth-status").expect("registered");
    let event = loop {
        let frame = bot.frame().await.expect("an open socket");
        if frame["t"] == "INTERACTION_CREATE" {
            break frame["d"].clone();
        }
    };
    let (id, token) = (event["id"].as_str().expect("an id"), event["token"].as_str().expect("a token"));
    let callback = format!("/interactions/{id}/{token}/callback?with_response=true");
    world.post(&callback, json!({"type": 4, "data": {"content": "here", "flags": 64}})).await;
    world.post(&callback, json!({"type": 5})).await;
    world.sandbox.slash(landmarks.owner, landmarks.channel, "/settings oauth-status").expect("registered");
    let asked = loop {
        let frame = bot.frame().await.expect("an open socket");
        if frame["t"] == "INTERACTION_CREATE" {
            break frame["d"].clone();
        }
    };
    let path = |part: &str| asked[part].as_str().expect("a string").to_owned();
    let input = json!({"type": 4, "style": 1, "label": "Name", "custom_id": "name"});
    let modal = json!({"title": "Import", "custom_id": "import:1",
        "components": [{"type": 1, "components": [input]}]});
    let callback = format!("/interactions/{}/{}/callback?with_response=true", path("id"), path("token"));
    world.post(&callback, json!({"type": 9, "data": modal})).await;
    let webhook = format!("/webhooks/{}/{token}", landmarks.application);
    world.get(&format!("{webhook}/messages/@original")).await;
    world.patch(&format!("{webhook}/messages/@original"), json!({"content": "changed"})).await;
    world.post(&format!("{webhook}?wait=true"), json!({"content": "more"})).await;
    world.ask(Method::DELETE, &format!("{webhook}/messages/@original"), None).await;
    reactions_and_threads(world, &one).await;
    world.ask(Method::DELETE, &one, None).await;
    let limited = RestAction::RateLimited { scope: Scope::User, retry_after_ms: 1 };
    world.sandbox.fault(RestFault { method: None, path: None, times: 1, action: limited });
    world.get("/users/@me").await;
}

/// Reactions on the message at `one`, threads of both kinds, and a modal.
async fn reactions_and_threads(world: &World, one: &str) {
    let landmarks = world.sandbox.discord().landmarks();
    for (method, rest) in [
        (Method::PUT, "/👍/@me"),
        (Method::PUT, "/smile/@me"),
        (Method::GET, "/👍?limit=5"),
        (Method::DELETE, "/👍/@me"),
        (Method::DELETE, ""),
    ] {
        world.sandbox.advance(std::time::Duration::from_millis(250));
        world.ask(method, &format!("{one}/reactions{rest}"), None).await;
    }
    world.post(&format!("{one}/threads"), json!({"name": "Details", "auto_archive_duration": 60})).await;
    world.post(&format!("{one}/threads"), json!({"name": "Twice"})).await;
    world.get(one).await;
    let path = format!("/channels/{}/threads", landmarks.channel);
    let made = world.post(&path, json!({"name": "Alone", "type": 11})).await.1;
    let thread = format!("/channels/{}", made["id"].as_str().expect("an id"));
    world.post(&path, json!({"type": 11})).await;
    world.post(&format!("{thread}/messages"), json!({"content": "inside"})).await;
    world.get(&format!("{thread}/messages")).await;
    for (method, who) in
        [(Method::GET, ""), (Method::GET, "/@me"), (Method::DELETE, "/@me"), (Method::PUT, "/@me")]
    {
        world.ask(method, &format!("{thread}/thread-members{who}"), None).await;
    }
    world.get(&format!("/guilds/{}/threads/active", landmarks.guild)).await;
    world.get(&format!("/guilds/{}/channels", landmarks.guild)).await;
    world.patch(&thread, json!({"name": "New", "archived": true})).await;
    world.patch(&thread, json!({"archived": false})).await;
    world.ask(Method::DELETE, &thread, None).await;
    let bot = landmarks.bot;
    world.sandbox.allow(landmarks.channel, bot, cortana::sandbox::discord::permission::MANAGE_THREADS);
    world.ask(Method::DELETE, &thread, None).await;
}

#[tokio::test]
async fn requests_and_answers_keep_to_the_published_document() {
    let world = World::start().await;
    run(&world).await;
    let judge = Judged::new(&world.sandbox, Asker::Test);
    let before = judged();
    let Some(complaints) = judge.complaints() else {
        println!("SKIPPED: DISCORD_OPENAPI is not set");
        return;
    };
    let here = judged() - before;
    println!("judged {here} requests and events in this test, {} in this process so far", judged());
    assert!(here >= 70, "the run touches every route: {here}");
    for (part, reason) in EXCEPTIONS {
        assert!(
            complaints.iter().any(|complaint| complaint.contains(part)),
            "no longer needed: {part} ({reason})"
        );
    }
    // What is open beyond the exceptions is told when the judge is dropped, as in every other test.
}

#[tokio::test]
async fn what_is_against_the_document_is_found_in_requests_and_in_queries() {
    let world = World::start_unjudged().await;
    let landmarks = world.sandbox.discord().landmarks();
    // Each of these is refused by the emulator, or passes it, as Discord ignores what it does not know.
    world.post(&world.messages_path(), json!({"content": 5})).await;
    world
        .post(&world.messages_path(), json!({"content": "x", "allowed_mentions": {"parse": ["nobody"]}}))
        .await;
    world.ask(Method::PUT, &world.messages_path(), None).await;
    world.get("/no/such/route").await;
    world.get(&format!("/guilds/{}?nonsense=1", landmarks.guild)).await;
    let judge = Judged::new(&world.sandbox, Asker::Bot);
    let Some(found) = judge.complaints() else {
        println!("SKIPPED: DISCORD_OPENAPI is not set");
        return;
    };
    let found: Vec<String> = found.into_iter().collect();
    for part in [
        "request /content: 5",
        "request /allowed_mentions",
        "PUT /channels",
        "GET /no/such/route: not in",
        "?nonsense: not in",
        "the user agent \"\" is not",
    ] {
        assert!(found.iter().any(|complaint| complaint.contains(part)), "{part} in {found:#?}");
    }
    let failure = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(judge)));
    let said = failure.expect_err("the judge fails its test").downcast::<String>().expect("a text");
    assert!(said.contains("against Discord's OpenAPI document"), "{said}");
}
