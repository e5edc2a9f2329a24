//! `cortana run` as a process of its own, on an emulated Discord and emulated providers in this one.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cortana::sandbox::{
    discord::Message,
    vendor::{Act, Fault, Reply},
};
use serde_json::Value;

use crate::support::bot::{SOON, World};

/// The running binary; killed when a test fails before it ended.
struct Process {
    child: Option<Child>,
    admin: String,
}

impl Process {
    fn start(world: &World, log: &str) -> Self {
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let admin = format!("127.0.0.1:{port}");
        let child = Command::new(env!("CARGO_BIN_EXE_cortana"))
            .arg("run")
            .current_dir(world.home())
            .env_clear()
            .envs(world.environment())
            .envs([("ADMIN_ADDR", admin.as_str()), ("RUST_LOG", log), ("LOG_FORMAT", "json")])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        Self { child: Some(child), admin }
    }

    /// `cortana health` against it.
    fn is_healthy(&self, world: &World) -> bool {
        Command::new(env!("CARGO_BIN_EXE_cortana"))
            .arg("health")
            .current_dir(world.home())
            .env_clear()
            .env("ADMIN_ADDR", &self.admin)
            .output()
            .is_ok_and(|output| output.status.success())
    }

    /// The status and body of `/ready`.
    async fn ready(&self) -> (u16, Value) {
        let answer = reqwest::get(format!("http://{}/ready", self.admin)).await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// Sends SIGTERM and waits for the end.
    async fn terminate(mut self) -> Output {
        let child = self.child.take().expect("started");
        let process = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).expect("it runs");
        tokio::task::spawn_blocking(move || child.wait_with_output())
            .await
            .expect("a thread")
            .expect("an end")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Every string of a credential file that is as long as a token.
fn secrets(folder: &Path) -> BTreeSet<String> {
    fn collect(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::String(text) if text.contains("FAKE") => {
                found.insert(text.clone());
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            Value::Object(fields) => fields.values().for_each(|value| collect(value, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(path).expect("a file");
            collect(&serde_json::from_str(&text).expect("JSON"), &mut found);
        }
    }
    found
}

/// A secret as it might be written somewhere: plain, hex, base64, percent-encoded.
fn notations(secret: &str) -> [String; 4] {
    let hex = secret.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    });
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    [secret.to_owned(), hex, STANDARD.encode(secret).trim_end_matches('=').to_owned(), percent]
}

fn is_finished(answers: &[Message]) -> bool {
    !answers.iter().any(|answer| answer.has_button("stop:"))
}

async fn world() -> World {
    World::new().await.login("qwen_code", "kim@example.com").login("gemini_cli", "ada@example.com")
}

/// Chats, refreshes, refusals and failures at the loudest log level leave no secret in the log, and none in any
/// message.
#[tokio::test(flavor = "multi_thread")]
async fn p33_d17_no_secret_reaches_a_log_or_a_message() {
    let world = world().await;
    let key = world.sandbox.vendors().mint_key("openai");
    let world = world.with("OPENAI_API_KEY", &key);
    let folder = world.home().join("credentials");
    let mut canaries = secrets(&folder);
    canaries.insert(key);
    canaries.extend(
        world.environment().into_iter().filter(|(name, _)| name.ends_with("_SECRET")).map(|(_, it)| it),
    );
    canaries.insert(world.sandbox.endpoints().bot_token);

    let process = Process::start(&world, "trace,serenity=trace,hyper=trace,reqwest=trace,tungstenite=trace");
    world.sandbox.connected(SOON).await.expect("it connects");
    let vendors = world.sandbox.vendors();
    let landmarks = world.sandbox.discord().landmarks();
    for step in 0..5 {
        match step {
            1 => vendors.expire_access("gemini_cli", "ada@example.com"),
            2 => {
                vendors
                    .fault("gemini_cli", Fault::chat(Act::google_validation("https://example.com/verify")));
            }
            3 => vendors.fault("qwen_code", Fault::chat(Act::web_page(502))),
            4 => vendors.revoke_refresh("qwen_code", "kim@example.com"),
            _ => {}
        }
        let question = world.sandbox.ask("hello").expect("people may write");
        world.sandbox.settled(question, SOON, is_finished).await.expect("an answer");
    }
    for line in
        ["/settings oauth-refresh qwen_code", "/settings oauth-refresh gemini_cli", "/settings oauth-status"]
    {
        let asked = world.sandbox.slash(landmarks.owner, landmarks.channel, line).expect("a command");
        world.sandbox.settled(asked, SOON, is_finished).await.expect("an answer");
    }
    let output = process.terminate().await;
    canaries.extend(secrets(&folder));
    assert!(canaries.len() >= 8, "the canaries are there: {}", canaries.len());

    let log =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(log.contains("Loaded OAuth credential") && log.contains("\"DEBUG\""), "the log is loud: {log}");
    let mut places = vec![("the log".to_owned(), log)];
    for request in world.sandbox.recorded_requests() {
        places.push((format!("{} {}", request.method, request.path), request.body.to_string()));
    }
    for canary in &canaries {
        for notation in notations(canary) {
            for (place, text) in &places {
                assert!(
                    !text.contains(&notation),
                    "a secret of {} characters stands in {place}",
                    canary.len()
                );
            }
        }
    }
}

/// A supervisor sees a live and ready process, and SIGTERM ends it with 0 in the middle of a stream.
#[tokio::test(flavor = "multi_thread")]
async fn d21_sigterm_finalises_the_stream_and_exits_0() {
    let world = world().await;
    let words: Vec<String> = (0..400).map(|number| format!("word{number} ")).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let slow = Reply::pieces(&words).paced(std::time::Duration::from_millis(50));
    world.sandbox.vendors().script("gemini_cli", vec![slow]);
    let process = Process::start(&world, "info");
    world.sandbox.connected(SOON).await.expect("it connects");
    assert!(tokio::task::block_in_place(|| process.is_healthy(&world)), "cortana health exits 0");
    let (status, body) = process.ready().await;
    assert_eq!((status, body["status"].as_str()), (200, Some("ready")));

    let question = world.sandbox.ask("tell me something long").expect("people may write");
    let streaming = |sandbox: &cortana::sandbox::Sandbox| {
        sandbox.answers(question).into_iter().find(|answer| answer.has_button("stop:"))
    };
    world.sandbox.wait_for(SOON, streaming).await.expect("a stream");
    let output = process.terminate().await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = world.sandbox.answers(question);
    assert!(is_finished(&answers), "no button is left behind");
    assert!(answers[0].text().starts_with("word0"), "the text so far stays: {}", answers[0].text());
    assert!(answers[0].text().contains("restart"), "a note says what happened: {}", answers[0].text());
}
