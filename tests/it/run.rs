//! `cortana run` as a process of its own, on an emulated Discord and emulated providers in this one.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use cortana::sandbox::{
    Sandbox,
    discord::{Answered, Message},
    vendor::{Act, Fault, Reply},
};
use serde_json::{Value, json};

use crate::support::{
    bot::{SOON, World},
    running::Process,
};

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

/// A secret as it might be written somewhere: plain, hex, percent-encoded, within JSON, and base64 of a text that it stands
/// in, which reads differently by where it begins.
fn notations(secret: &str) -> Vec<String> {
    let hex = secret.bytes().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    });
    let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::to_string(secret).expect("a text is JSON");
    let mut found = vec![secret.to_owned(), hex, percent, json.trim_matches('"').to_owned()];
    for before in 0..3 {
        let text = [&vec![b' '; before], secret.as_bytes()].concat();
        for encoded in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
            // The ends depend on what stands beside the secret.
            let whole = encoded.trim_end_matches('=');
            let first = if before == 0 { 0 } else { 4 };
            found.push(whole.chars().skip(first).take(whole.len() - first - 4).collect());
        }
    }
    found
}

#[test]
fn p33_the_search_finds_a_secret_in_every_notation() {
    let secret = "FAKE-canary/\"quoted\"-of-a-secret";
    for before in ["", "x", "xy", "xyz"] {
        let text = format!("{before}{secret} and more");
        for hidden in
            [STANDARD.encode(&text), URL_SAFE.encode(&text), json!({ "key": text }).to_string(), text]
        {
            assert!(notations(secret).iter().any(|notation| hidden.contains(notation)), "{hidden}");
        }
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Whether a file may hold secrets: a credential's own, its `.new`, its journal and its entry in `STATE_DIR/tokens`.
fn may_hold_secrets(home: &Path, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_within = |folder: &str| path.parent() == Some(&home.join(folder));
    (is_within("credentials") && (name.ends_with(".json") || name.ends_with(".new")))
        || is_within("data/tokens")
}

fn is_finished(answers: &[Message]) -> bool {
    !answers.iter().any(|answer| answer.has_button("stop:"))
}

async fn world() -> World {
    World::new().await.login("qwen_code", "kim@example.com").login("gemini_cli", "ada@example.com")
}

/// A person drops a file, for nobody else to read.
#[expect(clippy::disallowed_methods, reason = "a person drops a file")]
fn drop_file(path: &Path, text: &str) {
    fs::write(path, text).expect("a written file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("its owner may");
}

/// Chats, refreshes, refusals and failures at the loudest log level leave no secret in the log, and none in any
/// message.
#[tokio::test(flavor = "multi_thread")]
async fn p33_d17_no_secret_reaches_a_log_or_a_message() {
    let world = world().await;
    let key = world.sandbox.vendors().mint_key("openai");
    let webhook = "https://discord.com/api/webhooks/1/FAKE-canary-of-a-webhook";
    let world = world.with("OPENAI_API_KEY", &key).with("ALERT_WEBHOOK_URL", webhook);
    let folder = world.home().join("credentials");
    let foreign = r#"{"access_token":"FAKE-canary-foreign-access","refresh_token":"FAKE-canary-foreign-refresh",
        "token_uri":"https://evil.example/token","client_id":"x","client_secret":"FAKE-canary-foreign-secret"}"#;
    drop_file(&folder.join("gemini-foreign.json"), foreign);
    let mut canaries = secrets(&folder);
    drop_file(&folder.join("gemini-broken.json"), r#"{"refresh_token":"FAKE-canary-of-a-broken-file""#);
    canaries.extend([key, "FAKE-canary-of-a-broken-file".to_owned(), "FAKE-canary-of-a-webhook".to_owned()]);
    canaries.extend(
        world.environment().into_iter().filter(|(name, _)| name.ends_with("_SECRET")).map(|(_, it)| it),
    );
    canaries.insert(world.sandbox.endpoints().bot_token);

    let process = Process::start(&world, "trace,serenity=trace,hyper=trace,reqwest=trace,tungstenite=trace");
    world.sandbox.connected(SOON).await.expect("it connects");
    let vendors = world.sandbox.vendors();
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
    vendors.fault("gemini_cli", Fault::token(Act::web_page(502)));
    let tokens = use_everything(&world).await;
    let mut places = Vec::new();
    for endpoint in ["metrics", "ready", "live"] {
        let answer = reqwest::get(format!("http://{}/{endpoint}", process.admin)).await.expect("an answer");
        places.push((format!("/{endpoint}"), answer.text().await.expect("a text")));
    }
    let output = process.terminate().await;
    fs::remove_file(folder.join("gemini-broken.json")).expect("it is there");
    canaries.extend(secrets(&folder));
    assert!(canaries.len() >= 14, "the canaries are there: {}", canaries.len());

    let log =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(log.contains("Loaded OAuth credential") && log.contains("\"DEBUG\""), "the log is loud: {log}");
    // Whoever has an interaction's token writes as the bot for a quarter of an hour.
    search(&tokens, &[("the log".to_owned(), log.clone())]);
    places.push(("the log".to_owned(), log));
    for request in world.sandbox.recorded_requests() {
        places.push((format!("{} {}", request.method, request.path), request.body.to_string()));
    }
    for path in files(world.home()) {
        let bytes = fs::read(&path).expect("a file");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if may_hold_secrets(world.home(), &path) {
            let mode = fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        } else {
            places.push((path.display().to_string(), text));
        }
    }
    search(&canaries, &places);
}

/// Uses each kind of thing that people can do, some of them wrongly; the tokens of all these interactions.
async fn use_everything(world: &World) -> BTreeSet<String> {
    let (sandbox, marks) = (&world.sandbox, world.sandbox.discord().landmarks());
    let mut used = Vec::new();
    for line in [
        "/settings oauth-refresh qwen_code",
        "/settings oauth-refresh gemini_cli",
        "/settings oauth-status",
        "/settings oauth-connect qwen_code",
        "/settings status",
        "/settings models",
        "/settings model model:nonsense",
        "/chat text:hello",
        "/chat text:hello seen-by:only me",
        "/chat text:hello model:nonsense",
        "/whoami",
        "/usage",
        "/help",
        "/reset",
    ] {
        used.push(sandbox.slash(marks.owner, marks.channel, line).expect("a command"));
        sandbox.settled(*used.last().expect("one"), SOON, is_finished).await.expect("an answer");
    }
    let message = sandbox.say(marks.channel, marks.guest, "shall we?").expect("said");
    for name in ["Ask Cortana", "Summarise from here"] {
        used.push(sandbox.context_command(marks.owner, message, name).expect("a command"));
        sandbox.settled(*used.last().expect("one"), SOON, is_finished).await.expect("an answer");
    }
    let answered = sandbox.answers(used[7]);
    let last = answered.last().expect("an answer");
    let buttons = last.buttons().into_iter().filter_map(|button| button.custom_id);
    let known: Vec<String> = buttons.chain(["nonsense:1", "stop:0badcafe"].map(str::to_owned)).collect();
    for button in known {
        used.push(sandbox.forge_click(marks.owner, last.id, &button));
        let click = *used.last().expect("one");
        // Some are answered by an edit alone.
        let answered =
            |sandbox: &Sandbox| (sandbox.interaction(click)?.answered != Answered::NotYet).then_some(());
        sandbox.wait_for(SOON, answered).await.expect("an answer");
    }
    let form = sandbox.slash(marks.owner, marks.channel, "/settings persona").expect("a command");
    sandbox.wait_for(SOON, |sandbox| sandbox.form(form)).await.expect("a form");
    let values =
        [("name", "@everyone"), ("text", "Speak.")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let sent = sandbox.submit(marks.owner, form, &values.into()).expect("sent");
    sandbox.settled(sent, SOON, is_finished).await.expect("an answer");
    used.extend([form, sent]);
    used.into_iter().filter_map(|id| Some(sandbox.interaction(id)?.token)).collect()
}

/// Looks for every secret in every place, in every notation.
fn search(canaries: &BTreeSet<String>, places: &[(String, String)]) {
    for canary in canaries {
        for notation in notations(canary) {
            for (place, text) in places {
                assert!(
                    !text.contains(&notation),
                    "a secret of {} characters stands in {place}",
                    canary.len()
                );
            }
        }
    }
}

/// A database that nobody answers for costs the memory, not the bot, and its password is told to nobody.
#[tokio::test(flavor = "multi_thread")]
async fn p33_p30_the_password_of_a_database_that_is_not_there_is_nowhere_and_the_bot_goes_on() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let address = format!("postgres://cortana:FAKE-canary-of-a-database@{closed}/cortana");
    let world = world().await.with("DATABASE_URL", &address);
    let process = Process::start(&world, "trace,sqlx=trace");
    world.sandbox.connected(SOON).await.expect("it connects");
    let question = world.sandbox.ask("hello").expect("people may write");
    let answers = world.sandbox.settled(question, SOON, is_finished).await.expect("an answer");
    assert!(!answers[0].text().contains('❌'), "{}", answers[0].text());
    let mut places = Vec::new();
    for endpoint in ["metrics", "ready"] {
        let answer = reqwest::get(format!("http://{}/{endpoint}", process.admin)).await.expect("an answer");
        places.push((format!("/{endpoint}"), answer.text().await.expect("a text")));
    }
    let output = process.terminate().await;
    assert_eq!(output.status.code(), Some(0));
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(log.matches("The state store cannot be used").count(), 1, "said once: {log}");
    places.push(("the log".to_owned(), log));
    for arguments in
        [vec!["status"], vec!["credential", "disable", "qwen_code-kim@example.com.json"], vec!["doctor"]]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cortana"));
        command.args(&arguments).current_dir(world.home()).env_clear().envs(world.environment());
        command.env("RUST_LOG", "trace");
        let output = tokio::task::block_in_place(|| command.output()).expect("it runs");
        let told = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(
            told.concat().contains("atabase") || told.concat().contains("state store"),
            "{arguments:?} tells of it: {told:?}"
        );
        places.push((arguments.join(" "), told.concat()));
    }
    for request in world.sandbox.recorded_requests() {
        places.push((format!("{} {}", request.method, request.path), request.body.to_string()));
    }
    for path in files(world.home()) {
        let bytes = fs::read(&path).expect("a file");
        places.push((path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned()));
    }
    search(&BTreeSet::from(["FAKE-canary-of-a-database".to_owned()]), &places);
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
    // Discord knows that the bot is there a moment before the bot has read what greets it.
    let ready = async {
        loop {
            let (status, body) = process.ready().await;
            if status == 200 {
                return body;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let body = tokio::time::timeout(SOON, ready).await.expect("it is ready");
    assert_eq!(body["status"], "ready");

    let question = world.sandbox.ask("tell me something long").expect("people may write");
    let streaming = |sandbox: &Sandbox| {
        let mut answers = sandbox.answers(question).into_iter();
        answers.find(|answer| answer.has_button("stop:") && answer.text().starts_with("word0"))
    };
    world.sandbox.wait_for(SOON, streaming).await.expect("a stream");
    let output = process.terminate().await;
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let answers = world.sandbox.answers(question);
    assert!(is_finished(&answers), "no button is left behind");
    assert!(answers[0].text().starts_with("word0"), "the text so far stays: {}", answers[0].text());
    assert!(answers[0].text().contains("restart"), "a note says what happened: {}", answers[0].text());
}
