//! `cortana sandbox` over the real binary: three true exchanges, exit codes, and nothing of the machine in it.
#![expect(clippy::disallowed_methods, reason = "the tests write the files that the program must not read")]

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind, Read as _},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

fn sandbox(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cortana"));
    command.arg("sandbox").args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    command
}

fn texts(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

fn terminate(child: &Child) {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
    kill_process(id, Signal::TERM).expect("our own child");
}

#[test]
fn three_true_exchanges() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines =
        ["--say", "hello", "--say", "/settings oauth-status", "--say", "/settings oauth-refresh gemini_cli"];
    let output = sandbox(folder.path(), &lines).output().expect("the binary runs");
    let (out, err) = texts(&output);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{out}");
    for part in [
        "@Cortana hello",
        "You said: “hello”",
        "/settings oauth-status",
        "✅ Valid",
        "✅ Successfully refreshed token for **gemini_cli**",
    ] {
        assert!(out.contains(part), "{part} in\n{out}");
    }
    // Its file's name, until the provider has told whose the login is.
    assert!(out.contains("gemini-ada.json") || out.contains("ad…@example.com"), "{out}");
    assert!(!out.contains("<t:") && out.contains("minutes"), "times are words:\n{out}");
    assert_eq!(
        fs::read_dir(folder.path()).expect("it is there").count(),
        0,
        "nothing is left in the working folder"
    );
}

#[test]
fn a_form_is_shown_and_the_next_line_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = ["--say", "/settings persona", "--say", "hello"];
    let output = sandbox(folder.path(), &lines).output().expect("the binary runs");
    let (out, err) = texts(&output);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("Cortana (a form to fill in):") && out.contains("You said: “hello”"), "{out}");
}

#[test]
fn d1_the_report_says_how_fresh_the_text_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = ["--say", "a long answer, please", "--say", "/settings oauth-status", "--report"];
    let output =
        sandbox(folder.path(), &[&lines[..], &["--json"]].concat()).output().expect("the binary runs");
    let (out, err) = texts(&output);
    assert_eq!(err, "", "{out}");
    let mut events = out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let told = events.next_back().expect("an event");
    let answers = told["report"]["answers"].as_array().expect("answers");
    let [answer] = answers.as_slice() else { panic!("one answer of a model, not of a command: {told:#}") };
    let number = |key: &str| answer[key].as_u64().unwrap_or_else(|| panic!("{key} in {told:#}"));
    assert!(number("messages") >= 2 && number("edits") >= 1, "{told:#}");
    assert!(number("mean_ms") <= number("worst_ms") && number("tail_ms") <= number("worst_ms"), "{told:#}");
    assert_eq!(told["report"]["rate_limited"], 0, "{told:#}");
    let output = sandbox(folder.path(), &["--report"]).output().expect("the binary runs");
    let (_, err) = texts(&output);
    assert!(output.status.code() == Some(2) && err.contains("--say"), "{err}");
}

#[test]
fn an_unknown_command_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = sandbox(folder.path(), &["--say", "/nonsense"]).output().expect("the binary runs");
    let (out, err) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(out.contains("/nonsense") && err.contains("failed or did not come"), "{out}{err}");
}

#[test]
fn beyond_this_machine_only_on_purpose_and_without_the_bot() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, word) in [
        (&["--listen", "0.0.0.0:0"][..], "--i-know"),
        (&["--listen", "0.0.0.0:0", "--i-know"], "--serve-only"),
    ] {
        let output = sandbox(folder.path(), arguments).output().expect("the binary runs");
        let (out, err) = texts(&output);
        assert_eq!((output.status.code(), out.as_str()), (Some(2), ""), "{err}");
        assert!(err.contains(word), "{err}");
    }
}

/// The line of JSON stays alone on standard output.
#[test]
fn beyond_this_machine_it_says_what_is_exposed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = sandbox(folder.path(), &["--serve-only", "--listen", "0.0.0.0:0", "--i-know"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    out.read_line(&mut line).expect("a line");
    assert!(line.starts_with('{'), "{line}");
    terminate(&child);
    let mut warned = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut warned).expect("the end");
    assert!(warned.contains("without encryption") && warned.contains("control token"), "{warned}");
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{warned}");
}

#[test]
fn serve_only_prints_one_line_of_json_and_ends_on_sigterm() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = sandbox(folder.path(), &["--serve-only", "--tls"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    let json: serde_json::Value = serde_json::from_str(&line).expect("JSON");
    let names = [
        "discord_api_base",
        "bot_token",
        "application_id",
        "guild_id",
        "channel_id",
        "user_id",
        "control",
        "control_token",
    ];
    for name in names {
        assert!(json.get(name).is_some_and(serde_json::Value::is_string), "{name} in {json:#}");
    }
    let address =
        json.pointer("/discord_tls/address").and_then(serde_json::Value::as_str).expect("an address");
    assert!(address.starts_with("127.0.0.1:") && json["discord_tls"]["authority"].is_string(), "{json:#}");
    for provider in ["gemini_cli", "qwen_code", "antigravity", "iflow", "openai"] {
        assert!(json.pointer(&format!("/providers/{provider}/api_base")).is_some(), "{provider} in {json:#}");
    }
    terminate(&child);
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("the end");
    assert_eq!((child.wait().expect("it ends").code(), rest.as_str()), (Some(0), ""));
}

#[test]
fn alone_it_says_where_to_connect_and_ends_on_sigterm() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = sandbox(folder.path(), &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut out = BufReader::new(child.stdout.take().expect("piped"));
    let mut seen = String::new();
    while !seen.contains("Ctrl-C") && out.read_line(&mut seen).expect("a line") > 0 {}
    assert!(seen.contains("Control API:  http://127.0.0.1:"), "{seen}");
    terminate(&child);
    assert_eq!(child.wait().expect("it ends").code(), Some(0), "{seen}");
}

/// "Where secrets may go": everything that would be read or reached by a bot of this machine is a trap.
#[test]
fn nothing_of_the_machine_is_read_or_reached() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let canary =
        r#"{"access_token": "canary-access", "refresh_token": "canary-refresh", "expires_at": 4102444800.0}"#;
    for path in [
        "credentials/gemini.json",
        ".gemini/oauth_creds.json",
        ".qwen/oauth_creds.json",
        "data/tokens/x.json",
    ] {
        let path = home.join(path);
        fs::create_dir_all(path.parent().expect("in a folder")).expect("a folder");
        fs::write(path, canary).expect("write");
    }
    fs::write(
        home.join(".env"),
        "DISCORD_TOKEN=canary.canary.canary\nOPENAI_API_KEY=sk-canary\nALLOW_DMS=nonsense\n",
    )
    .expect("write");
    let trap = TcpListener::bind("127.0.0.1:0").expect("a port");
    trap.set_nonblocking(true).expect("nonblocking");
    let address = format!("http://{}", trap.local_addr().expect("an address"));
    let mut command = sandbox(home, &["--say", "hello", "--say", "/settings oauth-refresh qwen_code"]);
    command
        .env("HOME", home)
        .env("DISCORD_TOKEN", "canary.canary.canary")
        .env("DISCORD_API_BASE", &address)
        .env("HTTPS_PROXY", &address)
        .env("HTTP_PROXY", &address)
        .env("ALL_PROXY", &address)
        .env("ADMIN_ADDR", "nonsense")
        .env("OPENAI_API_KEY", "sk-canary")
        .env("GEMINI_CLI_OAUTH_CREDENTIALS", canary)
        .env("GEMINI_CLI_CLIENT_SECRET", "canary")
        .env("RUST_LOG", "trace");
    for provider in ["GEMINI_CLI", "QWEN_CODE", "ANTIGRAVITY", "IFLOW", "OPENAI", "OPENROUTER", "DASHSCOPE"] {
        command
            .env(format!("{provider}_API_BASE"), &address)
            .env(format!("{provider}_TOKEN_ENDPOINT"), &address);
    }
    let output = command.output().expect("the binary runs");
    let (out, err) = texts(&output);
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{out}");
    assert!(!out.contains("canary"), "{out}");
    let connection = trap.accept().map(|(_, from)| from).map_err(|error| error.kind());
    assert_eq!(connection.err(), Some(ErrorKind::WouldBlock), "something connected to the trap");
    assert_eq!(fs::read_to_string(home.join("credentials/gemini.json")).expect("it is there"), canary);
    assert_eq!(
        fs::read_dir(home.join("credentials")).expect("it is there").count(),
        1,
        "no lock, no other file"
    );
}
