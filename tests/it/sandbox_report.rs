//! The report over the control API: what a model said, against what could be read when.

use std::time::Duration;

use cortana::sandbox::{Sandbox, vendor::Reply};
use serde_json::Value;

use super::support::bot::World;

async fn report(sandbox: &Sandbox, path: &str) -> Value {
    let endpoints = sandbox.endpoints();
    let request = reqwest::Client::new().get(format!("{}{path}", endpoints.control));
    let answer = request.bearer_auth(&endpoints.control_token).send().await.expect("an answer");
    answer.json().await.expect("JSON")
}

#[tokio::test]
async fn d1_the_control_api_reports_on_answers_of_models() {
    let world = World::new().await.login("qwen_code", "joan@example.com");
    let bot = world.connect().await;
    let sandbox = bot.world.sandbox.clone();
    let slowly = Reply::text("These words arrive one after the other.").paced(Duration::from_millis(100));
    sandbox.vendors().script("qwen_code", vec![slowly]);
    let question = sandbox.ask("hello").expect("a question");
    bot.settled(question).await;
    let report = report(&sandbox, "/report").await;
    let nothing = self::report(&sandbox, &format!("/report?after={question}")).await;
    bot.shutdown.begin();
    let (_, ended) = bot.ended().await;
    ended.expect("a clean end");
    let [answer] = report["answers"].as_array().expect("a list").as_slice() else { panic!("{report:#}") };
    assert_eq!(answer["question"], question.to_string(), "{report:#}");
    assert_eq!((&answer["messages"], &report["rate_limited"]), (&1.into(), &0.into()), "{report:#}");
    let (request, first) = (answer["first_request_ms"].as_u64(), answer["first_text_ms"].as_u64());
    assert!(request.is_some() && request <= first, "{report:#}");
    assert_eq!(nothing["answers"], Value::Array(Vec::new()), "nobody asked later");
    assert!(answer["tail_ms"].is_u64() && answer["worst_ms"].as_u64() > Some(0), "{report:#}");
}
