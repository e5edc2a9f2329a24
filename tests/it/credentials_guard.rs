//! The lock of a credential: who holds it, what it tells the next holder, and that nobody else reads what we write.

use std::{fs, os::unix::fs::PermissionsExt, process::Command, time::Duration};

use cortana::{
    credential::{Fingerprint, LockNotes, LockedFailure, SourceSpec, Store, StoreError, StoreOptions},
    fs::Disk,
    secret::Secret,
};

use crate::support::bench::{Bench, Break, SIMPLE, WAIT, provider, rotated};

#[test]
fn p2_one_holder_at_a_time_and_the_waiter_learns_who() {
    let bench = Bench::new();
    bench.put("qwen.json", SIMPLE);
    let credential = bench.one();
    let guard = bench.store().lock(&credential, WAIT).unwrap();
    let StoreError::Locked { holder, waited, .. } =
        bench.store().lock(&credential, Duration::from_millis(50)).unwrap_err()
    else {
        panic!("it is held")
    };
    assert_eq!((holder, waited), (format!("process {}", std::process::id()), Duration::from_millis(50)));
    drop(guard);
    bench.store().lock(&credential, Duration::ZERO).unwrap();
}

#[test]
fn p3_notes_are_read_by_the_next_holder_and_hold_no_secret() {
    let bench = Bench::new();
    let path = bench.put("qwen.json", SIMPLE);
    let credential = bench.one();
    let at = bench.options().clock.now();
    let notes = LockNotes {
        refused: Some(Fingerprint::of(&Secret::new("FAKE-R"))),
        failure: Some(LockedFailure { at, class: "invalid_grant".to_owned(), until: at }),
        failures: 2,
        succeeded_at: Some(at),
        other_client: None,
    };
    bench.store().lock(&credential, WAIT).unwrap().set_notes(&notes).unwrap();
    assert_eq!(bench.store().lock(&credential, WAIT).unwrap().notes(), notes);
    let text = fs::read_to_string(path.with_file_name("qwen.json.lock")).unwrap();
    assert!(!text.contains("FAKE"), "{text}");
}

#[test]
fn p18_a_looser_file_is_tightened_with_a_warning() {
    let bench = Bench::new();
    let path = bench.put("qwen.json", SIMPLE);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let inventory = bench.load();
    assert_eq!(inventory.warnings, ["qwen.json was readable by others; its mode is 0600 now"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(bench.load().warnings.is_empty());
}

#[test]
fn p18_new_files_are_private_under_umask_000() {
    let bench = Bench::new();
    bench.put("qwen.json", SIMPLE);
    // The mask belongs to the whole process: this one's stays as it is.
    let child = Command::new("sh")
        .args(["-c", "umask 000; exec \"$0\" --exact credentials_guard::child_writes_everywhere --ignored"])
        .arg(std::env::current_exe().unwrap())
        .current_dir(bench.root())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let mut seen = 0;
    for folder in [bench.credentials(), bench.tokens()] {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?} is {mode:o}", entry.file_name());
            seen += 1;
        }
    }
    assert_eq!(seen, 5, "the file, its orphan, its lock, a state file and a lock");
}

/// Run by `p18_new_files_are_private_under_umask_000` in a process of its own, in the bench's folder.
#[test]
#[ignore = "a part of p18_new_files_are_private_under_umask_000"]
fn child_writes_everywhere() {
    let here = std::env::current_dir().unwrap();
    let bench = Bench::new();
    let options = StoreOptions { state_dir: here.join("state"), ..bench.options() };
    let faults = Break::nothing();
    let store = Store::with_disk(options, Disk::with_faults(faults.clone()));
    let inline = SourceSpec::Inline {
        variable: "QWEN_CODE_OAUTH_CREDENTIALS".to_owned(),
        provider: provider("qwen_code"),
        json: Secret::new(SIMPLE.replace("FAKE-R", "FAKE-I")),
    };
    let inventory = store.load(&[inline, SourceSpec::Folder(here.join("credentials"))]);
    for credential in &inventory.credentials {
        let mut guard = store.lock(credential, WAIT).unwrap();
        let old = guard.read().unwrap();
        guard.save(&rotated(&old)).unwrap();
        if credential.place.label() == "qwen.json" {
            // And what a kill leaves.
            let again = guard.read().unwrap();
            let mut third = rotated(&again);
            third.tokens.refresh = Some(Secret::new("FAKE-R3"));
            guard.prove_writable(true).unwrap();
            faults.kill_after(3);
            guard.save(&third).unwrap_err();
            faults.kill_after(usize::MAX);
        }
    }
}
