//! The emulated providers judged with a plain client: nothing of the bot's own code asks here.

use std::sync::Arc;

use chrono::{TimeDelta, TimeZone, Utc};
use hmac::{Hmac, Mac};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;

use super::{Act, Fault, Reply, Standing, Vendors, record::hex};
use crate::{clock::VirtualClock, shutdown::Shutdown};

/// Vendors on a port of their own, and a client that knows nothing of them.
pub(super) struct Desk {
    pub(super) vendors: Vendors,
    pub(super) origin: String,
    pub(super) client: Client,
    shutdown: Shutdown,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

impl Desk {
    pub(super) async fn open() -> Self {
        Self::of(Vendors::new()).await
    }

    pub(super) async fn of(vendors: Vendors) -> Self {
        vendors.set_pace(std::time::Duration::ZERO);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let shutdown = Shutdown::new();
        let (router, end) = (vendors.router(), shutdown.token().clone());
        drop(shutdown.spawn(async move {
            tokio::select! {
                served = async { axum::serve(listener, router).await } => served.expect("the server runs"),
                () = end.cancelled() => {}
            }
        }));
        Self { vendors, origin, client: client(), shutdown }
    }

    pub(super) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}/vendors/{path}", self.origin))
    }

    pub(super) fn chat(&self, provider: &str, bearer: &str, body: &Value) -> RequestBuilder {
        self.post(&format!("{provider}/v1/chat/completions")).bearer_auth(bearer).json(body)
    }

    pub(super) fn generate(&self, provider: &str, bearer: &str, body: &Value) -> RequestBuilder {
        let path = format!("{provider}/v1internal:streamGenerateContent?alt=sse");
        self.post(&path).bearer_auth(bearer).json(body)
    }
}

/// A client that goes nowhere by itself.
fn client() -> Client {
    Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

pub(super) async fn told(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or_default())
}

pub(super) async fn error_of(request: RequestBuilder) -> (u16, String) {
    let (status, body) = told(request).await;
    (status, body.get("error").and_then(Value::as_str).unwrap_or("none").to_owned())
}

/// Status and body as far as it came.
pub(super) async fn streamed(request: RequestBuilder) -> (u16, String, bool) {
    let mut response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let mut text = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => return (status, String::from_utf8(text).expect("UTF-8"), true),
            Err(_) => return (status, String::from_utf8(text).expect("UTF-8"), false),
        }
    }
}

pub(super) fn hello() -> Value {
    json!({"model": "gpt-5-mini", "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "hello"}]})
}

/// The values of `data:` lines.
pub(super) fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .filter_map(|data| serde_json::from_str(data.trim()).ok())
        .collect()
}

pub(super) fn text_of(events: &[Value], pointer: &str) -> String {
    events.iter().filter_map(|event| event.pointer(pointer).and_then(Value::as_str)).collect()
}

#[tokio::test]
async fn the_token_endpoint_refuses_what_google_would() {
    let desk = Desk::open().await;
    let login = desk.vendors.mint("gemini_cli", "a@example.com");
    let secret = login.client_secret.clone().expect("a secret");
    let form = |id: &str, secret: Option<&str>, refresh: &str| {
        let mut form = vec![("grant_type", "refresh_token"), ("client_id", id), ("refresh_token", refresh)];
        form.extend(secret.map(|secret| ("client_secret", secret)));
        desk.post("gemini_cli/token").form(&form)
    };
    let good = (login.client_id.as_str(), Some(secret.as_str()), login.refresh.as_str());
    let refused = |status: u16, error: &str| (status, error.to_owned());
    let json = desk.post("gemini_cli/token").json(&json!({"grant_type": "refresh_token"}));
    assert_eq!(error_of(json).await, refused(400, "invalid_request"));
    assert_eq!(error_of(form(good.0, None, good.2)).await, refused(400, "invalid_request"));
    assert_eq!(error_of(form(good.0, Some("x"), good.2)).await, refused(401, "invalid_client"));
    assert_eq!(error_of(form("x", good.1, good.2)).await, refused(401, "invalid_client"));
    assert_eq!(error_of(form(good.0, good.1, "x")).await, refused(400, "invalid_grant"));
    let basic = form(good.0, good.1, good.2).basic_auth(good.0, good.1);
    assert_eq!(error_of(basic).await, refused(400, "invalid_request"));
    for _ in 0..2 {
        let (status, body) = told(form(good.0, good.1, good.2)).await;
        assert_eq!(status, 200, "Google's refresh tokens serve again and again");
        assert_eq!(body.get("refresh_token"), None);
    }
    let counts = desk.vendors.counts_of("gemini_cli");
    assert_eq!((counts.token_requests, counts.granted, counts.refused), (8, 2, 6));
}

#[tokio::test]
async fn iflow_demands_basic_beside_the_form() {
    let desk = Desk::open().await;
    let login = desk.vendors.mint("iflow", "a@example.com");
    let secret = login.client_secret.clone().expect("a secret");
    let form = || {
        desk.post("iflow/oauth/token").form(&[
            ("grant_type", "refresh_token"),
            ("client_id", login.client_id.as_str()),
            ("client_secret", secret.as_str()),
            ("refresh_token", login.refresh.as_str()),
        ])
    };
    assert_eq!(error_of(form()).await, (401, "invalid_client".to_owned()));
    let (status, body) = told(form().basic_auth(&login.client_id, Some(&secret))).await;
    assert_eq!(status, 200);
    assert!(body.get("refresh_token").is_some_and(|token| *token != json!(login.refresh)));
    assert_eq!(
        error_of(form().basic_auth(&login.client_id, Some(&secret))).await,
        (400, "invalid_grant".to_owned())
    );
    assert_eq!(desk.vendors.counts_of("iflow").reused, 1);
}

#[tokio::test]
async fn a_reply_that_is_lost_has_spent_the_token() {
    let desk = Desk::open().await;
    let login = desk.vendors.mint("qwen_code", "a@example.com");
    let ask = || {
        desk.post("qwen_code/api/v1/oauth2/token").form(&[
            ("grant_type", "refresh_token"),
            ("client_id", login.client_id.as_str()),
            ("refresh_token", login.refresh.as_str()),
        ])
    };
    desk.vendors.fault("qwen_code", Fault::token(Act::LoseReply));
    assert!(ask().send().await.is_err(), "the connection breaks");
    assert_eq!(error_of(ask()).await, (400, "invalid_request".to_owned()));
    assert_eq!(desk.vendors.counts_of("qwen_code").reused, 1);
}

#[tokio::test]
async fn access_tokens_die_by_the_clock_and_on_demand() {
    let epoch = Utc.with_ymd_and_hms(2026, 9, 21, 14, 13, 20).single().expect("an instant");
    let clock = Arc::new(VirtualClock::starting_at(epoch));
    let desk = Desk::of(Vendors::with_clock(clock.clone())).await;
    let login = desk.vendors.mint("gemini_cli", "a@example.com");
    let body = json!({"model": "gemini-2.5-pro", "project": login.project,
        "request": {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]}});
    let ask = async |bearer: &str| told(desk.generate("gemini_cli", bearer, &body)).await.0;
    assert_eq!(ask(&login.access).await, 200);
    clock.step(TimeDelta::hours(1));
    assert_eq!(ask(&login.access).await, 401);
    let second = desk.vendors.mint("gemini_cli", "a@example.com");
    assert_eq!(ask(&second.access).await, 200);
    desk.vendors.expire_access("gemini_cli", "a@example.com");
    assert_eq!(ask(&second.access).await, 401);
}

#[tokio::test]
async fn openai_streams_pieces_finish_usage_and_done() {
    let desk = Desk::open().await;
    let key = desk.vendors.mint_key("openai");
    desk.vendors.script("openai", vec![Reply::pieces(&["Hel", "lo"]).thinking(&["hm"])]);
    let (status, body, whole) = streamed(desk.chat("openai", &key, &hello())).await;
    assert_eq!((status, whole), (200, true));
    assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    let events = events(&body);
    assert_eq!(text_of(&events, "/choices/0/delta/content"), "Hello");
    assert_eq!(text_of(&events, "/choices/0/delta/reasoning_content"), "hm");
    assert_eq!(text_of(&events, "/choices/0/finish_reason"), "stop");
    let last = events.last().expect("an event");
    assert_eq!(last.get("choices"), Some(&json!([])), "usage has a chunk of its own");
    assert_eq!(last.pointer("/usage/completion_tokens"), Some(&json!(1)));
    // The script is used up.
    let (_, body, _) = streamed(desk.chat("openai", &key, &hello())).await;
    assert!(body.contains("emulated"), "{body}");
    assert_eq!(told(desk.chat("openai", "sk-FAKE-other", &hello())).await.0, 401);
    let counts = desk.vendors.counts_of("openai");
    assert_eq!((counts.chats, counts.answered), (3, 2));
    assert_eq!(counts.accounts.get("key-1").map(|own| own.chats), Some(2));
}

#[tokio::test]
async fn qwen_wants_its_system_message_and_iflow_its_signature() {
    let desk = Desk::open().await;
    let qwen = desk.vendors.mint("qwen_code", "a@example.com");
    assert_eq!(told(desk.chat("qwen_code", &qwen.access, &hello())).await.0, 400);
    let mut proper = hello();
    let system = json!({"role": "system", "content": [
        {"type": "text", "text": "be kind", "cache_control": {"type": "ephemeral"}}]});
    proper.pointer_mut("/messages").and_then(Value::as_array_mut).expect("messages").insert(0, system);
    assert_eq!(streamed(desk.chat("qwen_code", &qwen.access, &proper)).await.0, 200);

    let iflow = desk.vendors.mint("iflow", "a@example.com");
    let key = iflow.api_key.expect("a key");
    assert_eq!(told(desk.chat("iflow", &iflow.access, &hello())).await.0, 401, "the key, not the token");
    assert_eq!(told(desk.chat("iflow", &key, &hello())).await.0, 406);
    let signed = |message: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length");
        mac.update(message.as_bytes());
        desk.chat("iflow", &key, &hello())
            .header("user-agent", "iFlow-Cli")
            .header("session-id", "session-1")
            .header("x-iflow-timestamp", "1790000000000")
            .header("x-iflow-signature", hex(&mac.finalize().into_bytes()))
    };
    assert_eq!(told(signed("other:session-1:1790000000000")).await.0, 406);
    let (status, body, _) = streamed(signed("iFlow-Cli:session-1:1790000000000")).await;
    assert_eq!(status, 200);
    assert!(body.starts_with("data:{"), "iFlow leaves the space out: {body}");
}

#[tokio::test]
async fn code_assist_checks_the_envelope_the_project_and_the_standing() {
    let desk = Desk::open().await;
    let login = desk.vendors.mint("antigravity", "a@example.com");
    let contents = json!([{"role": "user", "parts": [{"text": "hello"}]}]);
    let gemini = json!({"model": "m", "project": login.project, "request": {"contents": contents}});
    assert_eq!(told(desk.generate("antigravity", &login.access, &gemini)).await.0, 400);
    let envelope = |project: &str, contents: &Value| {
        json!({"model": "m", "project": project, "userAgent": "antigravity", "requestType": "agent",
            "requestId": "agent-1", "request": {"contents": contents, "sessionId": "-7"}})
    };
    let project = login.project.clone().expect("a project");
    let (status, body, whole) =
        streamed(desk.generate("antigravity", &login.access, &envelope(&project, &contents))).await;
    assert_eq!((status, whole), (200, true));
    assert!(body.contains("\r\n\r\n") && !body.contains("[DONE]"), "{body}");
    let events = events(&body);
    assert!(text_of(&events, "/response/candidates/0/content/parts/0/text").contains("“hello”"));
    assert_eq!(text_of(&events, "/response/candidates/0/finishReason"), "STOP");
    let other = told(desk.generate("antigravity", &login.access, &envelope("other", &contents))).await;
    assert_eq!(other.0, 403);
    assert_eq!(other.1.pointer("/error/details/0/reason"), Some(&json!("SUBSCRIPTION_REQUIRED")));
    let model_first = json!([{"role": "model", "parts": [{"text": "hello"}]}]);
    let refused = desk.generate("antigravity", &login.access, &envelope(&project, &model_first));
    assert_eq!(told(refused).await.0, 400);

    let licence = Standing::Ineligible { reason: "UNSUPPORTED_CLIENT".to_owned(), link: None };
    desk.vendors.set_standing("antigravity", "a@example.com", licence);
    let answer = told(desk.generate("antigravity", &login.access, &envelope(&project, &contents))).await;
    assert_eq!(answer.0, 403);
}

#[tokio::test]
async fn streams_fail_in_every_way() {
    let desk = Desk::open().await;
    let key = desk.vendors.mint_key("openai");
    let play = async |act: Act| {
        desk.vendors.script("openai", vec![Reply::pieces(&["one ", "two ", "three"])]);
        desk.vendors.fault("openai", Fault::chat(act));
        let (status, body, whole) = streamed(desk.chat("openai", &key, &hello())).await;
        assert_eq!(status, 200);
        let text = text_of(&events(&body), "/choices/0/delta/content");
        (text, body.contains("[DONE]"), whole, body)
    };
    let (text, done, whole, _) = play(Act::Cut { after: 2 }).await;
    assert_eq!((text.as_str(), done, whole), ("one two ", false, false));
    let (text, done, whole, _) = play(Act::EndEarly { after: 1 }).await;
    assert_eq!((text.as_str(), done, whole), ("one ", false, true));
    let (text, done, whole, _) = play(Act::Stall { after: 1, millis: 1 }).await;
    assert_eq!((text.as_str(), done, whole), ("one two three", true, true));
    let (text, done, whole, body) = play(Act::Malformed { after: 1 }).await;
    assert_eq!((text.as_str(), done, whole), ("one ", false, true));
    assert!(body.contains("oops"));
    let (_, _, whole, body) = play(Act::Empty).await;
    assert_eq!((body.as_str(), whole), ("", true));
    let error = json!({"error": {"message": "scripted", "code": "server_error"}});
    let (text, done, _, body) = play(Act::ErrorInside { after: 1, body: error.clone() }).await;
    assert_eq!((text.as_str(), done), ("one ", false));
    assert_eq!(events(&body).last(), Some(&error));
}

#[tokio::test]
async fn faults_strike_whom_they_are_for_as_often_as_they_should() {
    let desk = Desk::open().await;
    let (first, second) = (desk.vendors.mint_key("openai"), desk.vendors.mint_key("openai"));
    desk.vendors.fault("openai", Fault::chat(Act::openai_quota(Some("3"))).on("key-2").times(2));
    let status = async |key: &str| streamed(desk.chat("openai", key, &hello())).await.0;
    assert_eq!(status(&first).await, 200);
    assert_eq!([status(&second).await, status(&second).await, status(&second).await], [429, 429, 200]);
    desk.vendors.fault("openai", Fault::chat(Act::unavailable()).always());
    assert_eq!([status(&first).await, status(&second).await], [503, 503]);
    desk.vendors.clear_faults("openai");
    assert_eq!(status(&first).await, 200);
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let desk = Desk::open().await;
    let key = desk.vendors.mint_key("openai");
    desk.vendors.fault("openai", Fault::chat(Act::Stall { after: 1, millis: 60_000 }));
    let mut response = desk.chat("openai", &key, &hello()).send().await.expect("an answer");
    response.chunk().await.expect("a chunk");
    assert_eq!(desk.vendors.counts_of("openai").abandoned, 0);
    drop(response);
    let noticed = async {
        while desk.vendors.counts_of("openai").abandoned == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(5), noticed).await.expect("noticed");
}

#[tokio::test]
async fn the_record_shows_no_secret() {
    let desk = Desk::open().await;
    let login = desk.vendors.mint("iflow", "a@example.com");
    let secret = login.client_secret.clone().expect("a secret");
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", login.client_id.as_str()),
        ("client_secret", secret.as_str()),
        ("refresh_token", login.refresh.as_str()),
    ];
    let asked = desk.post("iflow/oauth/token").form(&form).basic_auth(&login.client_id, Some(&secret));
    assert_eq!(told(asked).await.0, 200);
    let info = format!("{}/vendors/iflow/api/oauth/getUserInfo", desk.origin);
    let asked = desk.client.get(info).query(&[("accessToken", &login.access)]);
    assert_eq!(told(asked).await.1.get("success"), Some(&json!(true)));
    let shown = serde_json::to_string(&desk.vendors.requests()).expect("serialisable");
    for canary in [&login.access, &login.refresh, &secret] {
        assert!(!shown.contains(canary.as_str()), "{shown}");
    }
    assert!(shown.contains("a@example.com") && shown.contains("\"status\":200"), "{shown}");
}

#[test]
fn endpoints_follow_the_vendors_own_paths() {
    let endpoints = Vendors::endpoints("http://127.0.0.1:9");
    let of = |id: &str| endpoints.get(id).expect("a provider").clone();
    assert_eq!(of("iflow").token_endpoint.as_deref(), Some("http://127.0.0.1:9/vendors/iflow/oauth/token"));
    assert_eq!(of("gemini_cli").api_base, "http://127.0.0.1:9/vendors/gemini_cli/v1internal");
    assert_eq!(of("openai").token_endpoint, None);
}

#[test]
fn a_fault_can_be_written_as_json() {
    let fault: Fault =
        serde_json::from_value(json!({"at": "chat", "act": {"stall": {"after": 1, "millis": 5}}}))
            .expect("a fault");
    assert_eq!(fault, Fault::chat(Act::Stall { after: 1, millis: 5 }));
    let always: Fault =
        serde_json::from_value(json!({"at": "token", "times": null, "act": "hang"})).expect("a fault");
    assert_eq!(always, Fault::token(Act::Hang).always());
}
