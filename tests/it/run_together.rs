//! `cortana run` beside another one over one database, over a state folder that cannot be, and under strace.

use std::{fs, path::Path, time::Duration};

use chrono::DateTime;
use cortana::{
    clock::{Clock as _, SystemClock},
    sandbox::{
        Sandbox,
        discord::Message,
        vendor::{Act, Fault},
    },
};

use crate::support::{
    binary::has_strace,
    bot::{SOON, World},
    running::Process,
};

fn is_finished(answers: &[Message]) -> bool {
    !answers.iter().any(|answer| answer.has_button("stop:"))
}

async fn ask(sandbox: &Sandbox) -> String {
    let question = sandbox.ask("hello").expect("people may write");
    sandbox.settled(question, SOON, is_finished).await.expect("an answer").remove(0).text()
}

async fn slash(sandbox: &Sandbox, line: &str) -> Message {
    let landmarks = sandbox.discord().landmarks();
    let asked = sandbox.slash(landmarks.owner, landmarks.channel, line).expect("a command");
    sandbox.settled(asked, SOON, is_finished).await.expect("an answer").remove(0)
}

/// Asks for the status until it says something.
async fn until_status_says(sandbox: &Sandbox, part: &str) {
    let mut seen = String::new();
    let found = async {
        while !seen.contains(part) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            seen = slash(sandbox, "/settings oauth-status").await.text();
        }
    };
    let in_time = tokio::time::timeout(SOON, found).await.is_ok();
    assert!(in_time, "no {part:?} in {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p30_two_bots_over_one_database_share_rests_and_decisions() {
    let shared = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite://{}", shared.path().join("cortana.db").display());
    let here = World::new().await.with("DATABASE_URL", &database);
    let key = here.sandbox.vendors().mint_key("openai");
    let here = here.with("OPENAI_API_KEY", &key);
    let there = World::new().await.with("DATABASE_URL", &database).with("OPENAI_API_KEY", &key);
    let processes = [Process::start(&here, "info"), Process::start(&there, "info")];
    for world in [&here, &there] {
        world.sandbox.connected(SOON).await.expect("it connects");
    }
    until_status_says(&there.sandbox, "1 valid").await;

    here.sandbox.vendors().fault("openai", Fault::chat(Act::openai_quota(Some("7200"))));
    ask(&here.sandbox).await;
    until_status_says(&there.sandbox, "` rests, back <").await;

    let status = slash(&there.sandbox, "/settings oauth-status").await;
    let id = status.menus().into_iter().flat_map(|menu| menu.values).next().expect("one credential");
    slash(&there.sandbox, &format!("/settings credential credential:{id} action:disable reason:spare")).await;
    until_status_says(&here.sandbox, "disabled by an operator (spare)").await;
    for process in processes {
        assert_eq!(process.terminate().await.status.code(), Some(0));
    }
}

/// Not even root can make a folder there.
#[tokio::test(flavor = "multi_thread")]
async fn p30_the_bot_serves_without_a_state_folder_and_says_so() {
    let taken = tempfile::NamedTempFile::new().expect("a file");
    let nowhere = ["/proc/cortana", taken.path().to_str().expect("UTF-8")];
    for state_dir in nowhere {
        let world = World::new().await.login("qwen_code", "kim@example.com").with("STATE_DIR", state_dir);
        let process = Process::start(&world, "info");
        world.sandbox.connected(SOON).await.expect("it connects");
        let told = ask(&world.sandbox).await;
        assert!(!told.contains('❌'), "{told}");
        assert_eq!(process.ready().await.0, 200);
        let output = process.terminate().await;
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{log}");
        assert_eq!(log.matches("The state store cannot be used").count(), 1, "{state_dir}: {log}");
        assert_eq!(world.sandbox.vendors().counts_of("qwen_code").chats, 1);
    }
}

/// The calls of a trace that open, change or remove a credential file, with the seconds since 1970 at which they were made.
/// That a look at a folder's entries and their times goes on is no I/O on files.
fn touches(trace: &str, credentials: &Path) -> Vec<(f64, String)> {
    let within = format!("{}/", credentials.display());
    let looks = ["stat", "statx", "newfstatat", "lstat", "readlink", "readlinkat", "access", "faccessat2"];
    trace
        .lines()
        .filter(|line| line.contains(&within))
        .filter_map(|line| {
            // `1234 1700000000.123456 openat(AT_FDCWD, "…")`
            let mut words = line.split_whitespace();
            let at = words.nth(1)?.parse().ok()?;
            let call = words.next()?.split('(').next()?;
            (!looks.contains(&call)).then(|| (at, line.to_owned()))
        })
        .collect()
}

/// The background asks once after the start whose a login is, and notes the answer beside its file: that is no chat's.
async fn account_is_noted(folder: &Path, account: &str) {
    let is_noted = || {
        let names = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
        let mut locks = names.filter(|path| path.extension().is_some_and(|extension| extension == "lock"));
        locks.any(|path| fs::read_to_string(path).is_ok_and(|notes| notes.contains(account)))
    };
    let noted = async {
        while !is_noted() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, noted).await.expect("the account is noted");
}

#[tokio::test(flavor = "multi_thread")]
async fn p19_a_chat_opens_no_credential_file() {
    if !has_strace("nobody watched what a chat opens") {
        return;
    }
    let world = World::new().await.login("gemini_cli", "ann").login("qwen_code", "bob");
    let trace = world.home().join("trace");
    let process = Process::start_traced(&world, &trace);
    world.sandbox.connected(SOON).await.expect("it connects");
    ask(&world.sandbox).await;
    account_is_noted(&world.home().join("credentials"), "ann").await;
    let seconds = || (SystemClock.now() - DateTime::UNIX_EPOCH).as_seconds_f64();
    let before = seconds();
    for _ in 0..5 {
        ask(&world.sandbox).await;
    }
    let after = seconds();
    process.terminate().await;
    let trace = fs::read_to_string(trace).expect("a trace");
    let touches = touches(&trace, &world.home().join("credentials"));
    assert!(
        touches.iter().any(|(at, _)| *at < before),
        "the start reads files, so the trace shows such: {trace}"
    );
    let meanwhile: Vec<_> = touches.iter().filter(|(at, _)| (before..after).contains(at)).collect();
    assert!(meanwhile.is_empty(), "{meanwhile:#?}");
    assert_eq!(
        ["gemini_cli", "qwen_code"]
            .map(|provider| world.sandbox.vendors().counts_of(provider).chats)
            .iter()
            .sum::<u64>(),
        6
    );
}
