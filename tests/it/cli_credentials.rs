//! `status`, `token`, `refresh`, `import` and `doctor` over real files and an emulated token endpoint, each in a process of its own.
#![expect(clippy::disallowed_methods, reason = "the tests write the files that the program reads")]

use std::{
    fs,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use cortana::{
    sandbox::{Sandbox, vendor::MintedLogin},
    shutdown::Shutdown,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder of credentials beside an emulated Qwen.
struct Desk {
    folder: TempDir,
    sandbox: Sandbox,
    _shutdown: Shutdown,
}

/// What a command printed and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("credentials")).expect("a folder");
        let shutdown = Shutdown::new();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let sandbox = Sandbox::start(listen, &shutdown).await.expect("a free port");
        Self { folder, sandbox, _shutdown: shutdown }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("credentials").join(name)
    }

    fn put(&self, name: &str, content: &Value) {
        fs::write(self.file(name), content.to_string()).expect("write");
    }

    /// A live login of Qwen's in `qwen.json`, whose access token has expired by the file's word.
    fn expired_login(&self) -> MintedLogin {
        let login = self.sandbox.vendors().mint("qwen_code", "joan@example.com");
        let mut content = login.simple_file();
        content["expires_at"] = json!(1_700_000_000.5);
        self.put("qwen.json", &content);
        login
    }

    /// A command in a process of its own.
    fn command(&self, program: &str) -> Command {
        let providers = self.sandbox.endpoints().providers;
        let qwen = providers.get("qwen_code").expect("a row");
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("ADMIN_ADDR", "127.0.0.1:0")
            .env("DISCORD_TOKEN", "FAKE.FAKE.FAKE")
            .env("QWEN_CODE_TOKEN_ENDPOINT", qwen.token_endpoint.as_ref().expect("a login"))
            .env("QWEN_CODE_API_BASE", &qwen.api_base)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command.
    async fn cortana(&self, arguments: &[&str]) -> Ended {
        let mut command = self.command(env!("CARGO_BIN_EXE_cortana"));
        command.args(arguments);
        // The emulator answers on this runtime meanwhile.
        let output =
            tokio::task::spawn_blocking(move || command.output()).await.expect("no panic").expect("it runs");
        Ended {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// What a terminal shows of a command to which a person types `answer`; `None` without util-linux's `script`.
    #[expect(clippy::print_stdout, reason = "a test that skips says so aloud")]
    async fn on_a_terminal(&self, arguments: &[&str], answer: &str) -> Option<String> {
        let line = format!("'{}' {}", env!("CARGO_BIN_EXE_cortana"), arguments.join(" "));
        let mut command = self.command("script");
        command.args(["-q", "-e", "-c", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            println!("SKIPPED: there is no `script` here; nobody was asked on a terminal");
            return None;
        };
        // Held open until the end: an end of input is an answer too.
        let mut keyboard = child.stdin.take().expect("piped");
        keyboard.write_all(answer.as_bytes()).expect("it listens");
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await.expect("no panic");
        drop(keyboard);
        Some(String::from_utf8_lossy(&output.expect("it ran").stdout).into_owned())
    }

    fn token_requests(&self) -> u64 {
        self.sandbox.vendors().counts_of("qwen_code").token_requests
    }
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("it is there")).expect("JSON")
}

fn finding<'a>(report: &'a Value, check: &str) -> Option<&'a Value> {
    report.get("findings")?.as_array()?.iter().find(|finding| finding.get("check") == Some(&json!(check)))
}

fn verdict<'a>(report: &'a Value, check: &str) -> Option<&'a str> {
    finding(report, check)?.get("verdict")?.as_str()
}

#[tokio::test(flavor = "multi_thread")]
async fn token_prints_the_token_alone_and_asks_nobody_while_it_lives() {
    let desk = Desk::new().await;
    let login = desk.sandbox.vendors().mint("qwen_code", "joan@example.com");
    desk.put("qwen.json", &login.simple_file());
    let ended = desk.cortana(&["token", "qwen_code"]).await;
    assert_eq!(ended, Ended { code: Some(0), out: format!("{}\n", login.access), err: String::new() });
    let by_file = desk.cortana(&["token", "qwen.json"]).await;
    assert_eq!(by_file, ended);
    assert_eq!(desk.token_requests(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_token_refreshes_an_expired_login_once_and_the_next_process_finds_it() {
    let desk = Desk::new().await;
    let login = desk.expired_login();
    let first = desk.cortana(&["token", "qwen_code"]).await;
    assert_eq!((first.code, first.err.as_str()), (Some(0), ""), "{first:?}");
    assert_ne!(first.out.trim(), login.access);
    assert_eq!(read(&desk.file("qwen.json")).get("access_token"), Some(&json!(first.out.trim())));
    let second = desk.cortana(&["token", "qwen_code"]).await;
    assert_eq!(second, first);
    assert_eq!(desk.token_requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_a_refused_token_is_not_sent_again_by_the_next_process_unless_told_to() {
    let desk = Desk::new().await;
    desk.expired_login();
    desk.sandbox.vendors().revoke_refresh("qwen_code", "joan@example.com");
    let before = fs::read_to_string(desk.file("qwen.json")).expect("it is there");
    let first = desk.cortana(&["refresh", "qwen_code"]).await;
    assert_eq!((first.code, first.out.as_str()), (Some(1), ""), "{first:?}");
    assert!(first.err.contains("❌ qwen_code") && first.err.contains("log in again"), "{first:?}");
    assert_eq!(desk.token_requests(), 1);
    let second = desk.cortana(&["refresh", "qwen_code"]).await;
    assert_eq!(second.code, Some(1));
    assert!(second.err.contains("--retry-refused"), "{second:?}");
    assert_eq!(desk.token_requests(), 1);
    let third = desk.cortana(&["refresh", "qwen_code", "--retry-refused"]).await;
    assert_eq!((third.code, desk.token_requests()), (Some(1), 2), "{third:?}");
    assert_eq!(fs::read_to_string(desk.file("qwen.json")).expect("it is there"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_retry_sends_a_refused_token_once_more_only_for_a_yes() {
    let desk = Desk::new().await;
    desk.expired_login();
    desk.sandbox.vendors().revoke_refresh("qwen_code", "joan@example.com");
    assert_eq!(desk.cortana(&["refresh", "qwen_code"]).await.code, Some(1));
    assert_eq!(desk.token_requests(), 1);
    let nobody = desk.cortana(&["credential", "retry", "qwen.json"]).await;
    assert_eq!((nobody.code, desk.token_requests()), (Some(2), 1), "{nobody:?}");
    assert!(nobody.err.contains("--yes"), "{nobody:?}");
    let told = desk.cortana(&["credential", "retry", "qwen.json", "--yes"]).await;
    assert_eq!((told.code, desk.token_requests()), (Some(1), 2), "{told:?}");
    assert!(told.err.contains("log in again"), "{told:?}");
    let again = desk.cortana(&["refresh", "qwen_code"]).await;
    assert_eq!((again.code, desk.token_requests()), (Some(1), 2), "one yes is one try: {again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_retry_asks_on_a_terminal_and_only_yes_is_a_yes() {
    let desk = Desk::new().await;
    desk.expired_login();
    desk.sandbox.vendors().revoke_refresh("qwen_code", "joan@example.com");
    assert_eq!(desk.cortana(&["refresh", "qwen_code"]).await.code, Some(1));
    for (answer, requests) in [("\n", 1), ("no\n", 1), ("y\n", 2)] {
        let Some(screen) = desk.on_a_terminal(&["credential", "retry", "qwen.json"], answer).await else {
            return;
        };
        assert!(screen.contains("once more? [y/N]"), "{screen}");
        assert_eq!(screen.contains("nothing was sent"), requests == 1, "{screen}");
        assert_eq!(desk.token_requests(), requests, "after {answer:?}: {screen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_says_until_when_and_status_shows_it() {
    let desk = Desk::new().await;
    desk.expired_login();
    let ended = desk.cortana(&["refresh", "qwen"]).await;
    assert_eq!(ended.code, Some(2), "no such provider: {ended:?}");
    assert!(ended.err.contains("qwen.json"), "what there is: {ended:?}");
    let ended = desk.cortana(&["refresh", "qwen_code"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.out.starts_with("✅ qwen_code") && ended.out.contains("valid for "), "{ended:?}");
    let table = desk.cortana(&["status"]).await;
    assert_eq!((table.code, table.err.as_str()), (Some(0), ""), "{table:?}");
    assert!(table.out.contains("✅ Valid") && table.out.contains("qwen.json (simple)"), "{}", table.out);
    let json: Value = serde_json::from_str(&desk.cortana(&["status", "--json"]).await.out).expect("JSON");
    assert_eq!(json.pointer("/credentials/0/state"), Some(&json!("ready")), "{json:#}");
    assert_eq!(desk.token_requests(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_passes_a_good_login_and_sends_nothing() {
    let desk = Desk::new().await;
    let login = desk.sandbox.vendors().mint("qwen_code", "joan@example.com");
    desk.put("qwen.json", &login.simple_file());
    let ended = desk.cortana(&["doctor", "--json"]).await;
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(ended.code, Some(0), "{report:#}");
    for check in [
        "configuration",
        "discord token",
        "credentials folder",
        "state folder",
        "state",
        "permissions",
        "writable",
        "client",
        "clock",
        "admin address",
    ] {
        assert_eq!(verdict(&report, check), Some("pass"), "{check} in {report:#}");
    }
    assert_eq!(verdict(&report, "lifecycle"), Some("warn"));
    assert_eq!((desk.token_requests(), desk.sandbox.recorded_requests().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_fails_what_does_not_work_with_a_remedy_each() {
    let desk = Desk::new().await;
    let login = desk.sandbox.vendors().mint("gemini_cli", "ada@example.com");
    desk.put("gemini.json", &login.official_file());
    fs::write(desk.file("torn.json"), "{\"access_token\": \"canary").expect("write");
    let ended = desk.cortana(&["doctor", "--json"]).await;
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(ended.code, Some(1), "{report:#}");
    let remedy = |check: &str| finding(&report, check).and_then(|finding| finding.get("remedy")?.as_str());
    assert_eq!(verdict(&report, "client"), Some("fail"), "{report:#}");
    assert!(remedy("client").is_some_and(|remedy| remedy.contains("GEMINI_CLI_CLIENT_SECRET")), "{report:#}");
    assert_eq!(verdict(&report, "terms"), Some("fail"), "{report:#}");
    assert!(
        remedy("terms").is_some_and(|remedy| remedy.contains("ACCEPT_PROVIDER_TERMS=gemini_cli")),
        "{report:#}"
    );
    let findings = report.get("findings").and_then(Value::as_array).expect("findings");
    let torn = findings.iter().find(|finding| finding.get("subject") == Some(&json!("torn.json")));
    assert_eq!(torn.and_then(|finding| finding.get("verdict")), Some(&json!("fail")), "{report:#}");
    assert!(!ended.out.contains("canary"), "{}", ended.out);
    assert_eq!(
        fs::read_to_string(desk.file("torn.json")).expect("it is there"),
        "{\"access_token\": \"canary"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_warns_of_a_login_without_a_refresh_token() {
    let desk = Desk::new().await;
    let login = desk.sandbox.vendors().mint("qwen_code", "joan@example.com");
    let mut content = login.simple_file();
    content.as_object_mut().expect("an object").remove("refresh_token");
    desk.put("qwen.json", &content);
    let ended = desk.cortana(&["doctor", "--json"]).await;
    let report: Value = serde_json::from_str(&ended.out).expect("JSON");
    assert_eq!(verdict(&report, "state"), Some("warn"), "{report:#}");
    let found = finding(&report, "state").and_then(|finding| finding.get("found")?.as_str());
    assert!(found.is_some_and(|found| found.contains("no refresh token")), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn import_links_what_rotates_and_copies_when_told_to() {
    let desk = Desk::new().await;
    let login = desk.sandbox.vendors().mint("qwen_code", "joan@example.com");
    let original = desk.folder.path().join("oauth_creds.json");
    fs::write(&original, login.official_file().to_string()).expect("write");
    let ended = desk.cortana(&["import", "oauth_creds.json"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.out.starts_with("Linked") && !ended.out.contains("logged out"), "{ended:?}");
    let imported = || {
        let entries = fs::read_dir(desk.folder.path().join("credentials")).expect("a folder");
        entries
            .map(|entry| entry.expect("an entry").path())
            .find(|path| path.extension() == Some("json".as_ref()))
    };
    let link = imported().expect("the link");
    assert_eq!(fs::canonicalize(&link).expect("a target"), fs::canonicalize(&original).expect("it is there"));

    let again = desk.cortana(&["import", "oauth_creds.json"]).await;
    assert_eq!((again.code, again.out.as_str()), (Some(1), ""), "{again:?}");
    assert!(again.err.contains("already"), "{again:?}");

    fs::remove_file(&link).expect("our own link");
    let ended = desk.cortana(&["import", "oauth_creds.json", "--copy"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.starts_with("Copied") && ended.out.contains("logged out"), "{ended:?}");
    let copy = imported().expect("the copy");
    assert!(!copy.is_symlink());
    assert_eq!(read(&copy), read(&original));
}

#[tokio::test(flavor = "multi_thread")]
async fn import_refuses_what_it_cannot_use() {
    let desk = Desk::new().await;
    fs::write(desk.folder.path().join("torn.json"), "{\"access_token\": \"canary").expect("write");
    let ended = desk.cortana(&["import", "torn.json"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    assert!(ended.err.contains("torn.json") && !ended.err.contains("canary"), "{ended:?}");
    let ended = desk.cortana(&["import", "absent.json", "--provider", "qwen_code"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(1), ""), "{ended:?}");
    let ended = desk.cortana(&["import", "torn.json", "--provider", "nobody"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.err.contains("qwen_code"), "{ended:?}");
    assert_eq!(fs::read_dir(desk.folder.path().join("credentials")).expect("a folder").count(), 0);
}
