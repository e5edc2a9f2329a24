//! Every scenario that comes along, played by the real binary; and what is refused.
#![expect(clippy::disallowed_methods, reason = "a person writes a scenario of their own")]

use std::{
    fs, iter,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Mutex,
    thread,
};

use cortana::sandbox::scenario;
use serde_json::Value;

/// How many are played at once: each is a bot with emulators, and small machines run this.
const AT_ONCE: usize = 3;

fn sandbox(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cortana"))
        .arg("sandbox")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn events(output: &Output) -> Vec<Value> {
    let event = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text(&output.stdout).lines().map(event).collect()
}

#[test]
fn every_scenario_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let waiting = Mutex::new(scenario::embedded().map(|(name, _)| name));
    let next = || waiting.lock().expect("nobody panics while taking one").next();
    let play_some = || {
        iter::from_fn(next)
            .map(|name| (name, sandbox(folder.path(), &["--scenario", name, "--json"])))
            .collect::<Vec<(&str, Output)>>()
    };
    let outputs: Vec<(&str, Output)> = thread::scope(|scope| {
        let players = [(); AT_ONCE].map(|()| scope.spawn(play_some));
        players.into_iter().flat_map(|player| player.join().expect("a thread")).collect()
    });
    assert!(outputs.len() >= 12, "only {} scenarios", outputs.len());
    for (name, output) in outputs {
        let told = text(&output.stdout);
        assert_eq!(text(&output.stderr), "", "{name}\n{told}");
        assert_eq!(output.status.code(), Some(0), "{name}\n{told}");
        let events = events(&output);
        let expected = events.iter().filter(|event| event["event"] == "expectation").count();
        let end = events.last().expect("an end");
        assert_eq!((&end["event"], &end["failed"]), (&"end".into(), &0.into()), "{name}\n{told}");
        assert_eq!(end["held"], expected, "{name}\n{told}");
        if name == "provider-failover" {
            for part in ["over to gemini_cli grace@example.com", "over to qwen_code joan@example.com"] {
                assert!(told.contains(part), "{part} in\n{told}");
            }
        }
        assert!(
            events.iter().any(|event| event["event"] == "provider" || event["event"] == "pool"),
            "{name}\n{told}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0, "nothing is left behind");
}

/// What is expected in vain is told, and the exit code says so.
#[test]
fn what_does_not_hold_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let scenario = r#"
title = "Two sides of a coin"
about = "One expectation holds, the others do not."
[[credentials]]
provider = "openai"
[[credentials]]
provider = "openai"
[[steps]]
tell = "Olivia asks."
say = "hello"
expect = [{ answered_by = "openai/key-1" }, { answered_by = "openai/key-2" }, { answer_contains = "goodbye" }]
"#;
    fs::write(folder.path().join("coin.toml"), scenario).expect("write");
    let output = sandbox(folder.path(), &["--scenario", "coin.toml"]);
    let told = text(&output.stdout);
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(1), ""), "{told}");
    for part in [
        "Two sides of a coin",
        "▸ Olivia asks.",
        "Olivia: @Cortana hello",
        "provider: openai key-1: a chat is taken (200)",
        "✓ the answer is complete",
        "✓ openai/key-1 answered",
        "✗ openai/key-2 answered; it was openai key-1",
        "✗ the answer says “goodbye”; one says: Hello!",
        "✗ 2 of 4 expectations did not hold.",
    ] {
        assert!(told.contains(part), "{part} in\n{told}");
    }
}

#[test]
fn what_cannot_be_played_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("bad.toml"), "title = \"x\"\nabuot = \"y\"\n").expect("write");
    for (arguments, parts) in [
        (
            &["--scenario", "one-key-throtled"][..],
            &["did you mean one-key-throttled?", "storm-at-expiry"][..],
        ),
        (&["--scenario", "bad.toml"], &["bad.toml:2: unknown field `abuot`", "`about`", "2 | abuot = \"y\""]),
        (&["--scenario", "./nowhere.toml"], &["./nowhere.toml cannot be read"]),
        (&["--scenario", "stream-cut", "--say", "hello"], &["--say"]),
        (&["--page"], &["--scenario"]),
    ] {
        let output = sandbox(folder.path(), arguments);
        let error = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""), "{error}");
        for part in parts {
            assert!(error.contains(part), "{part} in\n{error}");
        }
    }
}

#[test]
fn the_list_names_every_scenario() {
    let folder = tempfile::tempdir().expect("a folder");
    let listed = text(&sandbox(folder.path(), &["--scenario", "list"]).stdout);
    let json = sandbox(folder.path(), &["--scenario", "list", "--json"]);
    let json: Vec<Value> = serde_json::from_slice(&json.stdout).expect("a JSON list");
    assert_eq!(json.len(), scenario::embedded().count());
    for (name, _) in scenario::embedded() {
        let title = scenario::find(name).expect("it is there").title;
        assert!(listed.contains(&format!("{name:21}  {title}")), "{name} in\n{listed}");
        assert!(json.iter().any(|entry| entry["name"] == name && entry["title"] == title), "{name}");
    }
}
