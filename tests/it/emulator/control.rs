//! The control API, as another process would use it, and the transcript.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::World;

impl World {
    pub(super) async fn control(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let endpoints = self.sandbox.endpoints();
        let mut request = self
            .http
            .request(method, format!("{}{path}", endpoints.control))
            .bearer_auth(&endpoints.control_token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.expect("the sandbox answers");
        (response.status(), response.json().await.expect("JSON"))
    }
}

#[tokio::test]
async fn the_control_api_needs_its_token() {
    let world = World::start().await;
    let url = format!("{}/messages", world.sandbox.endpoints().control);
    for header in [None, Some("Bearer wrong"), Some(world.token.as_str())] {
        let mut request = world.http.get(&url);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        assert_eq!(request.send().await.unwrap().status(), 401, "{header:?}");
    }
}

#[tokio::test]
async fn a_person_writes_uses_a_command_and_clicks_over_http() {
    let world = World::start().await;
    world.register().await;
    let mut bot = world.bot().await;
    let (status, said) = world.control(Method::POST, "/messages", Some(json!({"content": "hello"}))).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!(bot.event("MESSAGE_CREATE").await["id"], said["id"]);
    let guest = world.sandbox.discord().landmarks().guest;
    let direct = json!({"content": "psst", "direct": true, "user_id": guest});
    world.control(Method::POST, "/messages", Some(direct)).await;
    assert_eq!(bot.event("MESSAGE_CREATE").await["author"]["id"], guest.to_string());

    let command = json!({"command": "/settings oauth-status"});
    let (_, made) = world.control(Method::POST, "/slash", Some(command)).await;
    assert_eq!(bot.event("INTERACTION_CREATE").await["id"], made["interaction_id"]);
    let (_, seen) = world
        .control(Method::GET, &format!("/interactions/{}", made["interaction_id"].as_str().unwrap()), None)
        .await;
    assert_eq!(seen["answered"], json!({"state": "not_yet"}));
    assert_eq!(seen.get("token"), None);

    let unknown = world.control(Method::POST, "/slash", Some(json!({"command": "/nothing"}))).await;
    assert_eq!(unknown.0, 404);
    let answer = json!({"content": "hi", "message_reference": {"message_id": said["id"]},
        "components": [{"type": 1, "components": [{"type": 2, "style": 2, "label": "Stop", "custom_id": "stop:7"}]}]});
    let (_, reply) = world.post(&world.messages_path(), answer).await;
    bot.event("MESSAGE_CREATE").await;
    let (_, answers) =
        world.control(Method::GET, &format!("/answers/{}", said["id"].as_str().unwrap()), None).await;
    assert_eq!(answers[0]["timeline"][0]["text"], "hi");
    assert_eq!(answers[0]["timeline"][0]["notified"]["users"], json!([world.owner()]));
    let click = json!({"message_id": reply["id"], "custom_id": "stop:"});
    assert_eq!(world.control(Method::POST, "/click", Some(click)).await.0, 200);
    assert_eq!(bot.event("INTERACTION_CREATE").await["data"]["custom_id"], "stop:7");
    let (_, requests) = world.control(Method::GET, "/requests?skip=1", None).await;
    assert_eq!(requests.as_array().unwrap().last().unwrap()["method"], "POST");
}

#[tokio::test]
async fn faults_and_vendors_are_set_over_http() {
    let world = World::start().await;
    let fault = json!({"method": "POST", "path": "/messages", "action": "status", "status": 503});
    assert_eq!(world.control(Method::POST, "/faults", Some(fault)).await.0, 200);
    assert_eq!(world.post(&world.messages_path(), json!({"content": "x"})).await.0, 503);
    assert_eq!(world.control(Method::POST, "/gateway", Some(json!({"action": "reconnect"}))).await.0, 200);

    let mint = json!({"account": "a@example.org"});
    let (status, minted) = world.control(Method::POST, "/vendors/qwen_code/mint", Some(mint.clone())).await;
    assert_eq!(status, 200, "{minted}");
    let token_endpoint = world.sandbox.endpoints().providers["qwen_code"].token_endpoint.clone().unwrap();
    let refresh = async || {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", minted["login"]["refresh"].as_str().unwrap()),
            ("client_id", minted["login"]["client_id"].as_str().unwrap()),
        ];
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = world.http.post(&token_endpoint).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.header("accept", "application/json").send().await.unwrap().status()
    };
    assert_eq!(world.control(Method::POST, "/vendors/qwen_code/revoke", Some(mint)).await.0, 200);
    assert_eq!(refresh().await, 400);
    let (_, counts) = world.control(Method::GET, "/vendors", None).await;
    assert_eq!(counts["counts"]["qwen_code"]["token_requests"], 1);
    let (_, seen) = world.control(Method::GET, "/vendors/requests", None).await;
    assert_eq!(seen[0]["provider"], "qwen_code");
    let (status, refused) = world.control(Method::PUT, "/latency", Some(json!({"ms": "x"}))).await;
    assert_eq!((status.as_u16(), refused["error"].is_string()), (422, true));
    assert_eq!(world.control(Method::POST, "/vendors/nobody/expire", Some(json!({}))).await.0, 404);
    assert_eq!(world.control(Method::POST, "/vendors/iflow/expire", Some(json!({}))).await.0, 400);
}

#[tokio::test]
async fn a_transcript_reads_as_the_channel_reads() {
    let world = World::start().await;
    world.register().await;
    let mut bot = world.bot().await;
    let question = world.sandbox.ask("hello").unwrap();
    let reply = json!({"content": "Hi", "message_reference": {"message_id": question},
        "components": [{"type": 1, "components": [{"type": 2, "style": 4, "label": "Stop", "custom_id": "stop:1"}]}]});
    let (_, made) = world.post(&world.messages_path(), reply).await;
    let path = format!("{}/{}", world.messages_path(), made["id"].as_str().unwrap());
    let soon =
        chrono::DateTime::parse_from_rfc3339(made["timestamp"].as_str().unwrap()).unwrap().timestamp() + 3620;
    let done = json!({"content": format!("Hi <@{}>, ends <t:{soon}:R>", world.owner()), "components": []});
    world.patch(&path, done).await;
    world.sandbox.slash(world.owner(), world.channel(), "/settings oauth-status provider:iflow").unwrap();
    let event = loop {
        let frame = bot.frame().await.unwrap();
        if frame["t"] == "INTERACTION_CREATE" {
            break frame["d"].clone();
        }
    };
    let path = format!(
        "/interactions/{}/{}/callback",
        event["id"].as_str().unwrap(),
        event["token"].as_str().unwrap()
    );
    let embed = json!({"title": "OAuth status", "fields": [{"name": "iflow", "value": "✅ Valid"}]});
    world.post(&path, json!({"type": 4, "data": {"flags": 64, "embeds": [embed]}})).await;

    let text = world.sandbox.transcript(world.channel(), None);
    let without_times: String = text
        .lines()
        .map(|line| line.split("  ").filter(|part| !is_time(part)).collect::<Vec<_>>().join("  ") + "\n")
        .collect();
    assert_eq!(
        without_times,
        "Olivia\n  @Cortana hello\n\n\
         Cortana [APP]  (in reply to Olivia)\n  Hi @Olivia, ends in 1 hour\n\n\
         Olivia used /settings oauth-status provider:iflow\n\n\
         Cortana [APP]  (only Olivia can see this)\n  │ OAuth status\n  │ iflow\n  │   ✅ Valid\n"
    );
}

fn is_time(part: &str) -> bool {
    part.len() == 8
        && part.chars().enumerate().all(|(at, c)| if at % 3 == 2 { c == ':' } else { c.is_ascii_digit() })
}
