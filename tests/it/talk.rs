//! The bench that plays one script against any bot (`benches/talk`), small: it must not rot.
#![expect(clippy::print_stdout, reason = "a test that skips says so aloud")]

use std::process::{Command, Stdio};

use serde_json::Value;

/// What the bench prints with these arguments; `None` where there is no Python.
fn talk(arguments: &[&str]) -> Option<Value> {
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: python3 is not there to play the bench's script");
        return None;
    }
    let output = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/talk/talk.py"))
        .args(["--cortana", env!("CARGO_BIN_EXE_cortana"), "--json"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}")))
}

#[test]
fn d1_the_bench_plays_its_script_against_the_real_bot() {
    let Some(found) = talk(&["--rounds", "1", "--parts", "alone,shared", "--tokens", "20"]) else { return };
    let bot = &found["bots"]["cortana"];
    assert_eq!(
        (&bot["alone"]["answers"], &bot["shared"]["answers"]),
        (&"1 of 1".into(), &"4 of 4".into()),
        "{bot:#}"
    );
    assert_eq!(
        (&bot["alone"]["rate_limited"], &bot["shared"]["rate_limited"]),
        (&0.into(), &0.into()),
        "{bot:#}"
    );
    for figure in ["first_request_ms", "first_visible_ms", "mean_ms", "worst_ms", "tail_ms"] {
        assert!(bot["alone"][figure].is_u64(), "{figure}: {bot:#}");
    }
    assert!(bot["memory_at_start_mib"].as_f64() > Some(1.0), "{bot:#}");
}

#[test]
fn d27_the_bench_measures_memory_over_messages() {
    let Some(found) = talk(&["--memory", "20"]) else { return };
    let samples = found["bots"]["cortana"]["samples"].as_array().expect("a list");
    assert_eq!(
        samples.iter().map(|one| one[0].clone()).collect::<Vec<_>>().last(),
        Some(&20.into()),
        "{samples:?}"
    );
    assert!(samples.iter().all(|one| one[1].as_f64() > Some(1.0)), "{samples:?}");
}
