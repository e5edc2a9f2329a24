//! The emulator's answers, and what it accepts, against Discord's published `OpenAPI` document.
//!
//! Set `DISCORD_OPENAPI` to the path of `openapi.json` (github.com/discord/discord-api-spec, `specs/openapi.json`) to
//! run it. The document is not kept here; without the variable the test says that it was skipped.

use std::collections::{BTreeMap, BTreeSet};

use cortana::sandbox::discord::RecordedRequest;
use jsonschema::Validator;
use reqwest::Method;
use serde_json::{Value, json};

use crate::emulator::client::World;

/// Where the documentation and practice contradict the document: part of a complaint, and why it is let through.
const EXCEPTIONS: &[(&str, &str)] = &[(
    "400 answer /errors: ",
    "the document types the inner `code` as an integer; Reference, \"Error Messages\", and practice have a word",
)];

/// A run that touches every route, with what the bot sends.
async fn run(world: &World) {
    let landmarks = world.sandbox.discord().landmarks();
    let mut bot = world.bot().await;
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
#[expect(clippy::disallowed_methods, reason = "the test is told by its environment where the document is")]
async fn requests_and_answers_keep_to_the_published_document() {
    let Ok(path) = std::env::var("DISCORD_OPENAPI") else {
        println!("skipped: DISCORD_OPENAPI is not set");
        return;
    };
    let text = std::fs::read_to_string(path).expect("the document is readable");
    let contract = Contract::new(serde_json::from_str(&text).expect("JSON"));
    let world = World::start().await;
    run(&world).await;
    let recorded = world.sandbox.recorded_requests();
    let complaints: BTreeSet<String> =
        recorded.iter().flat_map(|request| contract.complaints(request)).collect();
    let open: Vec<&String> = complaints
        .iter()
        .filter(|complaint| !EXCEPTIONS.iter().any(|(part, _)| complaint.contains(part)))
        .collect();
    assert!(open.is_empty(), "{open:#?}");
    for (part, reason) in EXCEPTIONS {
        assert!(
            complaints.iter().any(|complaint| complaint.contains(part)),
            "no longer needed: {part} ({reason})"
        );
    }
    assert!(recorded.len() >= 50, "the run touches every route: {}", recorded.len());
}

struct Contract {
    document: Value,
}

impl Contract {
    fn new(document: Value) -> Self {
        Self { document }
    }

    /// What the document says against a request and its answer.
    fn complaints(&self, request: &RecordedRequest) -> Vec<String> {
        let Some((template, operation)) = self.operation(&request.method, &request.path) else {
            return vec![format!("{} {}: not in the document", request.method, request.path)];
        };
        let name = format!("{} {template} {}", request.method, request.status);
        let mut found = Vec::new();
        let body = operation.pointer("/requestBody/content/application~1json/schema");
        if let Some(schema) = body.filter(|_| request.status < 300 && !request.body.is_null()) {
            found.extend(self.check(&format!("{name} request"), schema, &request.body));
        }
        let responses = &operation["responses"];
        let class = format!("{}XX", request.status / 100);
        let Some(response) = responses.get(request.status.to_string()).or_else(|| responses.get(&class))
        else {
            found.push(format!("{name}: this status is not in the document"));
            return found;
        };
        let response = match response["$ref"].as_str() {
            Some(reference) => {
                self.document.pointer(reference.trim_start_matches('#')).unwrap_or(&Value::Null)
            }
            None => response,
        };
        if let Some(schema) = response.pointer("/content/application~1json/schema") {
            found.extend(self.check(&format!("{name} answer"), schema, &request.answer));
        }
        found
    }

    /// The path template with the most literal segments that fits, and its operation.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let wanted: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let parts: Vec<&str> = template.split('/').collect();
            parts.len() == wanted.len()
                && parts.iter().zip(&wanted).all(|(part, given)| part.starts_with('{') || part == given)
        };
        let paths = self.document["paths"].as_object()?;
        paths
            .iter()
            .filter(|(template, _)| fits(template))
            .filter_map(|(template, item)| Some((template.as_str(), item.get(method.to_lowercase())?)))
            .min_by_key(|(template, _)| template.matches('{').count())
    }

    fn check(&self, name: &str, schema: &Value, instance: &Value) -> Vec<String> {
        let validator = self.validator(schema);
        let complaints: BTreeMap<String, String> = validator
            .iter_errors(instance)
            .map(|error| (error.instance_path().to_string(), error.to_string()))
            .collect();
        complaints
            .into_iter()
            .map(|(at, error)| format!("{name} {at}: {}", error.chars().take(300).collect::<String>()))
            .collect()
    }

    fn validator(&self, schema: &Value) -> Validator {
        let mut root = schema.clone();
        root["components"] = self.document["components"].clone();
        jsonschema::draft202012::new(&root).expect("the document's schemas can be compiled")
    }
}
