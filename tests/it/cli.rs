//! The command line, over the real binary with an empty environment: exit codes, what goes where, and no secret anywhere.
#![expect(clippy::disallowed_methods, reason = "the tests write the files that the program reads")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

/// What a command printed and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A folder to run in, with nothing in it.
fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn command(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cortana"));
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        // A port of its own, so that a bot on this machine does not answer.
        .env("ADMIN_ADDR", "127.0.0.1:1")
        .envs(environment.iter().copied())
        .stdin(Stdio::null());
    command
}

fn cortana(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let output = command(folder, arguments, environment).output().expect("the binary runs");
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn a_bad_configuration_exits_with_2_and_names_every_mistake() {
    let folder = folder();
    for arguments in [&[][..], &["run"], &["status"], &["doctor"], &["token", "qwen_code"], &["health"]] {
        let ended = cortana(folder.path(), arguments, &[("ALLOW_DMS", "x"), ("OPERATOR_IDS", "me")]);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.err.starts_with("error: 2 mistakes in the configuration:"), "{ended:?}");
        assert!(ended.err.contains("ALLOW_DMS=x") && ended.err.contains("OPERATOR_IDS=me"), "{ended:?}");
        assert_eq!(ended.out, "", "{arguments:?}");
    }
}

#[test]
fn a_bad_call_exits_with_2() {
    let folder = folder();
    for arguments in [&["stats"][..], &["refresh"], &["token", "nobody"], &["--env-file", "absent", "status"]]
    {
        let ended = cortana(folder.path(), arguments, &[]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{arguments:?}: {ended:?}");
        assert!(ended.err.starts_with("error: "), "{arguments:?}: {ended:?}");
        assert_eq!(ended.err.matches("error:").count(), 1, "once: {ended:?}");
    }
}

#[test]
fn without_a_token_the_bot_says_what_is_missing_and_what_needs_none() {
    let ended = cortana(folder().path(), &[], &[]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
    for part in ["DISCORD_TOKEN", "discord.com/developers", "Reset Token", "cortana sandbox"] {
        assert!(ended.err.contains(part), "{part} in {ended:?}");
    }
}

#[test]
fn help_teaches() {
    let folder = folder();
    let ended = cortana(folder.path(), &["--help"], &[]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let parts = [
        "Examples:",
        "Exit codes:",
        "cortana import",
        "cortana doctor",
        "docs/configuration.md",
        "--env-file",
    ];
    for part in parts {
        assert!(ended.out.contains(part), "{part} in {}", ended.out);
    }
    for subcommand in cortana::cli::subcommands() {
        assert!(ended.out.contains(&format!("\n  {subcommand} ")), "{subcommand} in {}", ended.out);
        let ended = cortana(folder.path(), &[&subcommand, "--help"], &[]);
        assert_eq!(ended.code, Some(0), "{subcommand}");
        assert!(ended.out.contains("Usage: cortana"), "{}", ended.out);
    }
    let version = cortana(folder.path(), &["--version"], &[]);
    assert_eq!(version.out, format!("cortana {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn status_without_credentials_says_what_to_set() {
    let folder = folder();
    let ended = cortana(folder.path(), &["status"], &[]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.out.starts_with("No OAuth credentials configured"), "{}", ended.out);
    let ended = cortana(folder.path(), &["status", "--json"], &[]);
    let json: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(json.get("credentials"), Some(&serde_json::json!([])));
}

#[test]
fn dotenv_lies_below_the_environment() {
    let folder = folder();
    fs::write(folder.path().join(".env"), "ALLOW_DMS=everyone\nLOG_FORMAT=prety\n").expect("write");
    fs::write(folder.path().join("other"), "ALLOW_DMS=nobod\n").expect("write");
    let ended = cortana(folder.path(), &["status"], &[]);
    assert!(ended.code == Some(2) && ended.err.contains("LOG_FORMAT=prety"), "{ended:?}");
    let ended = cortana(folder.path(), &["status"], &[("LOG_FORMAT", "json")]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = cortana(folder.path(), &["status", "--env-file", "other"], &[]);
    assert!(ended.err.contains("ALLOW_DMS=nobod") && !ended.err.contains("LOG_FORMAT"), "{ended:?}");
}

#[test]
fn health_without_a_bot_fails() {
    let ended = cortana(folder().path(), &["health"], &[]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.err.contains("no bot answers at 127.0.0.1:1"), "{ended:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = folder();
    let mut child = command(folder.path(), &["status"], &[])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn doctor_fails_without_a_token_and_passes_with_one() {
    let folder = folder();
    let ended = cortana(folder.path(), &["doctor"], &[]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("❌ Fail  discord token") && ended.out.contains("→"), "{}", ended.out);
    fs::create_dir(folder.path().join("credentials")).expect("a folder");
    let ended = cortana(
        folder.path(),
        &["doctor", "--json"],
        &[("DISCORD_TOKEN", "FAKE.FAKE.FAKE"), ("ADMIN_ADDR", "127.0.0.1:0")],
    );
    let json: serde_json::Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(json.get("failures"), Some(&serde_json::json!(0)), "{json:#}");
    assert_eq!(ended.code, Some(0), "{json:#}");
}

#[test]
fn p33_no_output_of_any_command_holds_a_secret_of_the_environment() {
    let folder = folder();
    let inline = r#"{"access_token": "canary-access", "refresh_token": "canary-refresh", "expires_at": 1.0}"#;
    let secrets = [
        ("DISCORD_TOKEN", "canary.canary.canary"),
        ("OPENAI_API_KEY", "sk-canary"),
        ("GEMINI_CLI_CLIENT_SECRET", "canary-secret"),
        ("QWEN_CODE_OAUTH_CREDENTIALS", inline),
        ("QWEN_CODE_TOKEN_ENDPOINT", "http://127.0.0.1:1/token"),
        ("HTTPS_PROXY", "http://user:canary@127.0.0.1:1"),
        ("GEMINI_API_KEY", "canary-unused"),
        ("DISCORD_TOKN", "canary-misspelt"),
        ("RUST_LOG", "trace"),
    ];
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["refresh", "qwen_code"],
        &["token", "qwen_code"],
        &["health"],
    ] {
        let ended = cortana(folder.path(), arguments, &secrets);
        assert!(!format!("{}{}", ended.out, ended.err).contains("canary"), "{arguments:?}: {ended:?}");
    }
}
