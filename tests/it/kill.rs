//! The real binary killed with -9 at each system call of a write-back (P12), by strace.
//!
//! The provider's refresh tokens are single-use: if a kill lost the new one, the next run would have to send the old
//! one again, which the emulated endpoint counts as reuse.

use std::{collections::BTreeMap, process::Command};

use serde_json::Value;

use crate::support::{binary::Home, vendors::Served};

const FILE: &str = "qwen.json";

/// One killed run and the run after it.
struct Killed {
    /// Whether strace killed anything: the call was reached.
    was_reached: bool,
    /// Whether the provider had rotated the token when the process died.
    had_rotated: bool,
    /// Whether the next run printed a valid token.
    has_recovered: bool,
    /// Uses of a dead refresh token in both runs.
    reuses: u64,
    /// The file after the kill.
    file: Value,
}

fn has_strace() -> bool {
    Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "true"])
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs `cortana token` and kills it at the `nth` use of `call` in a thread.
async fn kill_at(call: &str, nth: usize) -> Killed {
    let providers = Served::start().await;
    let login = providers.vendors.mint("qwen_code", "kim@example.com");
    providers.vendors.expire_access("qwen_code", "kim@example.com");
    let home = Home::new(providers.variables());
    let mut file = login.official_file();
    file["expiry_date"] = 1_700_000_000_000_u64.into();
    file["kept"] = "a key that nobody knows".into();
    home.drop_credential(FILE, &file);

    let inject = format!("inject={call}:signal=KILL:when={nth}");
    let mut first = home.command("strace");
    first.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]).args([
        env!("CARGO_BIN_EXE_cortana"),
        "token",
        "qwen_code",
    ]);
    let first =
        tokio::task::spawn_blocking(move || first.output().expect("strace starts")).await.expect("a run");
    let had_rotated = providers.vendors.counts_of("qwen_code").granted > 0;
    let file = home.read(FILE);

    let second = tokio::task::block_in_place(|| home.cortana(&["token", "qwen_code"]));
    let printed = String::from_utf8_lossy(&second.stdout).trim().to_owned();
    Killed {
        was_reached: !first.status.success(),
        had_rotated,
        has_recovered: second.status.success() && !printed.is_empty(),
        reuses: providers.vendors.counts_of("qwen_code").reused,
        file,
    }
}

/// Kills at every use of these calls, until a run ends by itself.
async fn sweep(calls: &[&'static str]) -> BTreeMap<(&'static str, usize), Killed> {
    let mut kills = BTreeMap::new();
    for call in calls {
        for nth in 1..40 {
            let killed = kill_at(call, nth).await;
            if !killed.was_reached {
                break;
            }
            kills.insert((*call, nth), killed);
        }
    }
    kills
}

/// From the instant the temporary file is complete, no kill loses the token.
#[tokio::test(flavor = "multi_thread")]
async fn p12_kill_9_at_every_sync_and_rename_loses_nothing() {
    if !has_strace() {
        println!("SKIPPED: strace is missing or may not trace here; the real binary was not killed");
        return;
    }
    let kills =
        sweep(&["fsync", "rename,renameat,renameat2", "unlink,unlinkat", "fchmod,chmod,fchmodat"]).await;
    let mut after_the_grant = 0;
    for ((call, nth), killed) in &kills {
        assert!(killed.has_recovered, "killed at {call} {nth}: the next run has no token");
        assert_eq!(killed.reuses, 0, "killed at {call} {nth}: the dead refresh token was sent again");
        assert_eq!(killed.file["kept"], "a key that nobody knows", "killed at {call} {nth}");
        after_the_grant += usize::from(killed.had_rotated);
    }
    println!(
        "killed at {} calls, {after_the_grant} of them after the provider had rotated the token",
        kills.len()
    );
    assert!(after_the_grant >= 3, "fsync of the file, rename and fsync of the folder come after the grant");
}
