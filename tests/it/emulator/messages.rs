//! Messages over REST: limits, permissions, who would be notified, rate limits, faults, the record.

use std::time::Duration;

use cortana::sandbox::discord::{RestAction, RestFault, Scope, permission};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::World;

#[tokio::test]
async fn a_message_is_created_edited_listed_and_deleted() {
    let world = World::start().await;
    let path = world.messages_path();
    let (status, made) = world.post(&path, json!({"content": "one", "nonce": "n1", "tts": false})).await;
    assert_eq!((status, &made["content"], &made["nonce"]), (200, &json!("one"), &json!("n1")));
    assert_eq!(made["edited_timestamp"], Value::Null);
    let one = format!("{path}/{}", made["id"].as_str().unwrap());
    let (status, edited) = world.patch(&one, json!({"content": " two\n"})).await;
    assert_eq!((status, &edited["content"]), (200, &json!("two")), "Discord strips the ends");
    assert_eq!(world.get(&one).await.1["content"], "two");
    assert_eq!(world.ask(Method::DELETE, &one, None).await, (204, Value::Null));
    assert_eq!(world.get(&one).await.1["code"], 10_008);
    assert_eq!(world.patch(&one, json!({"content": "three"})).await.1["code"], 10_008);

    let id = made["id"].as_str().unwrap().parse().unwrap();
    let kept = world.sandbox.message(id).unwrap();
    let texts: Vec<&str> = kept.timeline.iter().map(|revision| revision.text.as_str()).collect();
    assert_eq!(texts, ["one", "two"]);
    assert!(kept.timeline[0].at <= kept.timeline[1].at && !kept.exists());
}

#[tokio::test]
async fn answers_have_exactly_the_content_type_of_discord() {
    let world = World::start().await;
    let response = world.send(Method::GET, "/users/@me", None).await;
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["via"], "1.1 google");
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_has_discords_codes() {
    let world = World::start().await;
    let path = world.messages_path();
    assert_eq!(world.get("/nothing/here").await, (404, json!({"message": "404: Not Found", "code": 0})));
    assert_eq!(world.post("/channels/5/messages", json!({"content": "x"})).await.1["code"], 10_003);
    assert_eq!(world.post(&path, json!({"content": ""})).await.1["code"], 50_006);
    let (status, long) = world.post(&path, json!({"content": "x".repeat(2001)})).await;
    assert_eq!((status, &long["code"]), (400, &json!(50_035)));
    assert_eq!(long["errors"]["content"]["_errors"][0]["code"], "BASE_TYPE_MAX_LENGTH");

    let theirs = world.sandbox.say(world.channel(), world.owner(), "mine").unwrap();
    let (status, refused) = world.patch(&format!("{path}/{theirs}"), json!({"content": "x"})).await;
    assert_eq!((status, &refused["code"]), (403, &json!(50_005)));
    let bot = world.sandbox.discord().landmarks().bot;
    assert_eq!(world.ask(Method::DELETE, &format!("{path}/{theirs}"), None).await.1["code"], 50_013);
    world.sandbox.deny(world.channel(), bot, permission::SEND_MESSAGES);
    assert_eq!(world.post(&path, json!({"content": "x"})).await.1["code"], 50_013);
    world.sandbox.deny(world.channel(), bot, permission::VIEW_CHANNEL);
    assert_eq!(world.post(&path, json!({"content": "x"})).await.1["code"], 50_001);

    let wrong = world.http.get(format!("{}/users/@me", world.base)).header("authorization", "Bot no");
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    let text = world.http.post(format!("{}{path}", world.base)).header("authorization", &world.token);
    assert_eq!(text.body("{}").header("content-type", "text/plain").send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn replies_need_their_message_unless_told_otherwise() {
    let world = World::start().await;
    let path = world.messages_path();
    let question = world.sandbox.say(world.channel(), world.owner(), "?").unwrap();
    let reply = |message: String, fail: bool| json!({"content": "!", "message_reference": {"message_id": message, "fail_if_not_exists": fail}});
    let (_, made) = world.post(&path, reply(question.to_string(), true)).await;
    assert_eq!(made["type"], 19);
    assert_eq!(made["referenced_message"]["content"], "?");
    assert_eq!(world.post(&path, reply("5".to_owned(), true)).await.1["code"], 50_035);
    let (status, orphan) = world.post(&path, reply("5".to_owned(), false)).await;
    assert_eq!((status, orphan.get("message_reference")), (200, None));
}

#[tokio::test]
async fn a_nonce_is_enforced_only_when_asked() {
    let world = World::start().await;
    let path = world.messages_path();
    let body = json!({"content": "x", "nonce": "same", "enforce_nonce": true});
    let first = world.post(&path, body.clone()).await.1;
    assert_eq!(world.post(&path, body).await.1["id"], first["id"]);
    let again = world.post(&path, json!({"content": "x", "nonce": "same"})).await.1;
    assert_ne!(again["id"], first["id"]);
    assert_eq!(world.sandbox.messages(world.channel()).len(), 2);
}

#[tokio::test]
async fn who_would_be_notified_follows_allowed_mentions() {
    let world = World::start().await;
    let landmarks = world.sandbox.discord().landmarks();
    let question = world.sandbox.say(world.channel(), landmarks.owner, "?").unwrap();
    let text = format!("@everyone <@{}> <@&{}>", landmarks.guest, landmarks.role);
    let body = |allowed: Value| {
        let mut body = json!({"content": text, "message_reference": {"message_id": question}});
        if !allowed.is_null() {
            body["allowed_mentions"] = allowed;
        }
        body
    };
    let notified = async |allowed: Value| {
        let made = world.post(&world.messages_path(), body(allowed)).await.1;
        world.sandbox.message(made["id"].as_str().unwrap().parse().unwrap()).unwrap().notified()
    };
    let all = notified(Value::Null).await;
    assert!(all.everyone, "the defaults parse everything");
    assert_eq!(all.users, [landmarks.owner, landmarks.guest].into());
    assert_eq!(all.roles, [landmarks.role].into());
    assert!(notified(json!({"parse": []})).await.is_nobody());
    assert!(notified(json!({})).await.is_nobody());
    let one = notified(json!({"parse": [], "users": [landmarks.guest], "replied_user": true})).await;
    assert_eq!((one.everyone, one.users), (false, [landmarks.owner, landmarks.guest].into()));

    let quiet = world
        .post(&world.messages_path(), json!({"content": "…", "allowed_mentions": {"parse": []}}))
        .await
        .1;
    let path = format!("{}/{}", world.messages_path(), quiet["id"].as_str().unwrap());
    world.patch(&path, json!({"content": text})).await;
    let edited = world.sandbox.message(quiet["id"].as_str().unwrap().parse().unwrap()).unwrap();
    assert!(edited.timeline[0].notified.is_nobody());
    assert!(edited.timeline[1].notified.everyone, "an edit without the field is parsed with the defaults");
}

#[tokio::test]
async fn five_edits_in_five_seconds_then_a_429_with_everything_that_explains_it() {
    let world = World::start().await;
    let made = world.post(&world.messages_path(), json!({"content": "0"})).await.1;
    let path = format!("{}/{}", world.messages_path(), made["id"].as_str().unwrap());
    for n in (0..5).rev() {
        let response = world.send(Method::PATCH, &path, Some(json!({"content": n.to_string()}))).await;
        assert_eq!(response.status(), 200);
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(
            (header("x-ratelimit-limit"), header("x-ratelimit-remaining")),
            ("5".into(), n.to_string())
        );
        assert!(header("x-ratelimit-reset-after").parse::<f64>().unwrap() <= 5.0);
        assert!(!header("x-ratelimit-bucket").is_empty() && header("x-ratelimit-reset").contains('.'));
    }
    let refused = world.send(Method::PATCH, &path, Some(json!({"content": "6"}))).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["x-ratelimit-scope"], "user");
    assert_eq!(refused.headers()["x-ratelimit-remaining"], "0");
    assert!(refused.headers().contains_key("x-ratelimit-reset"));
    assert!(refused.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(refused.headers()["via"], "1.1 google");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["global"], false);
    assert!(body["retry_after"].as_f64().is_some_and(|seconds| seconds > 0.0 && seconds <= 5.0));
    let create = world.post(&world.messages_path(), json!({"content": "creates are counted apart"})).await;
    assert_eq!(create.0, 200);
    world.sandbox.advance(Duration::from_secs(5));
    assert_eq!(world.patch(&path, json!({"content": "7"})).await.0, 200);
}

#[tokio::test]
async fn faults_befall_what_they_name_and_the_record_has_everything() {
    let world = World::start().await;
    let fault = |method: &str, action: RestAction| RestFault {
        method: Some(method.to_owned()),
        path: Some("/messages".to_owned()),
        times: 1,
        action,
    };
    world.sandbox.fault(fault("POST", RestAction::DoneButStatus { status: 502 }));
    let path = world.messages_path();
    assert_eq!(world.post(&path, json!({"content": "done"})).await.0, 502);
    assert_eq!(world.sandbox.messages(world.channel()).len(), 1, "carried out, and the answer lost");
    let shared = RestAction::RateLimited { scope: Scope::Shared, retry_after_ms: 1200 };
    world.sandbox.fault(fault("POST", shared));
    let refused = world.send(Method::POST, &path, Some(json!({"content": "x"}))).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-ratelimit-scope"]),
        (429, &"shared".parse().unwrap())
    );
    assert_eq!(refused.headers()["retry-after"], "2");
    assert_eq!(refused.json::<Value>().await.unwrap()["retry_after"], 1.2);
    assert_eq!(world.post(&path, json!({"content": "y"})).await.0, 200);

    let recorded = world.sandbox.recorded_requests();
    let statuses: Vec<u16> = recorded.iter().map(|request| request.status).collect();
    assert_eq!(statuses, [502, 429, 200]);
    assert_eq!(recorded[0].body, json!({"content": "done"}));
    assert_eq!(recorded[0].headers["authorization"], "<bot token>");
    assert!(recorded.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[tokio::test]
async fn messages_are_listed_newest_first_around_before_and_after() {
    let world = World::start().await;
    let ids: Vec<String> = (0..6)
        .map(|n| world.sandbox.say(world.channel(), world.owner(), &n.to_string()).unwrap().to_string())
        .collect();
    let listed = async |query: &str| {
        let (status, list) = world.get(&format!("{}{query}", world.messages_path())).await;
        assert_eq!(status, 200);
        list.as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap().to_owned()).collect::<String>()
    };
    assert_eq!(listed("").await, "543210");
    assert_eq!(listed("?limit=2").await, "54");
    assert_eq!(listed(&format!("?before={}&limit=2", ids[3])).await, "21");
    assert_eq!(listed(&format!("?after={}&limit=2", ids[3])).await, "54");
    assert_eq!(listed(&format!("?after={}&limit=2", ids[0])).await, "21");
    assert_eq!(listed(&format!("?around={}&limit=3", ids[3])).await, "432");
    assert_eq!(world.get(&format!("{}?limit=101", world.messages_path())).await.0, 400);
}

#[tokio::test]
async fn files_come_as_multipart_and_can_be_fetched() {
    let world = World::start().await;
    let payload = json!({"content": "see file", "attachments": [{"id": "0", "description": "A note"}]});
    let part = reqwest::multipart::Part::bytes(b"# long".to_vec()).file_name("reply.md");
    let form = reqwest::multipart::Form::new()
        .text("payload_json", payload.to_string())
        .part("files[0]", part.mime_str("text/markdown").unwrap());
    let url = format!("{}{}", world.base, world.messages_path());
    let request = world.http.post(url).header("authorization", &world.token).multipart(form);
    let made: Value = request.send().await.unwrap().json().await.unwrap();
    let file = &made["attachments"][0];
    assert_eq!((&file["filename"], &file["size"]), (&json!("reply.md"), &json!(6)));
    assert_eq!(file["description"], "A note");
    let fetched = world.http.get(file["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(fetched.headers()["content-type"], "text/markdown");
    assert_eq!(fetched.text().await.unwrap(), "# long");
}

#[tokio::test]
async fn the_world_is_described_with_what_clients_refuse_to_miss() {
    let world = World::start().await;
    let landmarks = world.sandbox.discord().landmarks();
    let me = world.get("/users/@me").await.1;
    assert_eq!((&me["id"], &me["bot"]), (&json!(landmarks.bot), &json!(true)));
    let application = world.get("/oauth2/applications/@me").await.1;
    assert_eq!(application["owner"]["id"], landmarks.owner.to_string());
    assert!(application.get("install_params").is_none(), "null would not be decoded");
    let roles = world.get(&format!("/guilds/{}/roles", landmarks.guild)).await.1;
    assert!(roles.as_array().unwrap().iter().all(|role| role["colors"]["primary_color"].is_number()));
    let member = world.get(&format!("/guilds/{}/members/{}", landmarks.guild, landmarks.guest)).await.1;
    assert_eq!(member["roles"], json!([landmarks.role]));
    let opened = world.post("/users/@me/channels", json!({"recipient_id": landmarks.guest})).await.1;
    assert_eq!((&opened["type"], &opened["recipients"][0]["id"]), (&json!(1), &json!(landmarks.guest)));
    assert_eq!(
        world.get(&format!("/channels/{}", landmarks.channel)).await.1["guild_id"],
        json!(landmarks.guild)
    );
    let (_, gateway) = world.get("/gateway").await;
    assert!(gateway["url"].as_str().unwrap().starts_with("ws://127.0.0.1:"));
}
