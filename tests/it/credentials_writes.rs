//! Credentials at rest, written: killed between steps, on full disks, behind links and mounts, against readers.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use cortana::{
    credential::{Fingerprint, Saved, SourceSpec, StoreError},
    fs::Step,
    secret::Secret,
};

use crate::support::bench::{
    Bench, Break, EACCES, EBUSY, ENOSPC, EROFS, SIMPLE, WAIT, access, login, names, only, provider, refresh,
    renewed, rotated, write,
};

/// `SIMPLE` after `rotated`.
const ROTATED: &str =
    r#"{"access_token":"FAKE-A2","refresh_token":"FAKE-R2","token_type":"Bearer","expires_at":1800000000.0}"#;

fn orphan_of(token: &str) -> String {
    format!(".qwen.json.{}.new", Fingerprint::of(&Secret::new(token)))
}

#[test]
fn p12_a_kill_between_steps_loses_nothing() {
    let mut stops = Vec::new();
    for steps in 0.. {
        let bench = Bench::new();
        bench.put("qwen.json", SIMPLE);
        let faults = Break::nothing();
        let store = bench.broken(&faults);
        let credential = bench.one();
        let mut guard = store.lock(&credential, WAIT).unwrap();
        let old = guard.read().unwrap();
        guard.prove_writable(true).unwrap();
        // The server has rotated the token; from here on it exists nowhere else.
        faults.kill_after(steps);
        let saved = guard.save(&rotated(&old));
        drop(guard);
        let done = faults.steps();

        let found = bench.one();
        let complete = done.contains(&Step::Write);
        assert_eq!(
            refresh(login(&found)),
            if complete { "FAKE-R2" } else { "FAKE-R" },
            "killed after {done:?}"
        );
        if complete {
            assert_eq!(
                bench.names(),
                ["qwen.json"],
                "killed after {done:?}: the orphan was adopted, nothing is left"
            );
        }
        stops.push(done);
        if saved.is_ok() && stops.last().unwrap().contains(&Step::SyncFolder) {
            break;
        }
    }
    // The one window: from the server's commit to the end of the write of the temporary file. It holds nothing but its
    // creation and that write.
    assert_eq!(
        stops.last().unwrap().as_slice(),
        [Step::CreateTemporary, Step::Write, Step::SyncFile, Step::Rename, Step::SyncFolder]
    );
}

#[test]
fn p12_an_orphan_cut_in_the_middle_is_not_adopted_and_does_not_hinder() {
    let bench = Bench::new();
    bench.put("qwen.json", SIMPLE);
    let half: String = ROTATED.chars().take(60).collect();
    bench.put(&orphan_of("FAKE-R"), &half);
    let mut guard = bench.lock();
    let old = guard.read().unwrap();
    assert_eq!(refresh(&old), "FAKE-R");
    assert_eq!(guard.save(&rotated(&old)), Ok(Saved::InPlace));
    assert_eq!(bench.names(), ["qwen.json"]);
}

#[test]
fn p12_an_orphan_is_adopted_under_the_lock_before_a_refresh() {
    let bench = Bench::new();
    bench.put("qwen.json", SIMPLE);
    let mut guard = bench.lock();
    bench.put(&orphan_of("FAKE-R"), ROTATED);
    assert_eq!(refresh(&guard.read().unwrap()), "FAKE-R2");
}

#[test]
fn p12_an_orphan_of_another_token_or_older_than_the_file_is_not_adopted() {
    let bench = Bench::new();
    let path = bench.put("qwen.json", SIMPLE);
    bench.put(&orphan_of("FAKE-OTHER"), ROTATED);
    assert_eq!(refresh(login(&bench.one())), "FAKE-R");
    // The provider rotated nothing, and somebody else refreshed since.
    bench.put(
        &orphan_of("FAKE-R"),
        &SIMPLE.replace("FAKE-A", "FAKE-OLD").replace("1790000000.5", "1780000000.5"),
    );
    assert_eq!(access(login(&bench.one())), "FAKE-A");
    assert_eq!(fs::read_to_string(path).unwrap(), SIMPLE);
}

#[test]
fn p12_a_kill_loses_nothing_in_the_state_folder_either() {
    for steps in 0.. {
        let bench = Bench::new();
        let inline = [SourceSpec::Inline {
            variable: "QWEN_CODE_OAUTH_CREDENTIALS".to_owned(),
            provider: provider("qwen_code"),
            json: Secret::new(SIMPLE),
        }];
        let faults = Break::nothing();
        let store = bench.broken(&faults);
        let credential = only(&store.load(&inline));
        let mut guard = store.lock(&credential, WAIT).unwrap();
        let old = guard.read().unwrap();
        guard.prove_writable(true).unwrap();
        faults.kill_after(steps);
        let saved = guard.save(&rotated(&old));
        drop(guard);
        let found = only(&bench.store().load(&inline));
        let complete = faults.steps().contains(&Step::Write);
        assert_eq!(
            refresh(login(&found)),
            if complete { "FAKE-R2" } else { "FAKE-R" },
            "{:?}",
            faults.steps()
        );
        if saved.is_ok() && faults.steps().contains(&Step::SyncFolder) {
            break;
        }
    }
}

#[test]
fn p13_a_full_or_read_only_place_is_known_before_a_token_is_spent() {
    for (step, errno) in
        [(Step::CreateTemporary, EROFS), (Step::CreateTemporary, EACCES), (Step::Write, ENOSPC)]
    {
        let bench = Bench::new();
        let path = bench.put("qwen.json", SIMPLE);
        let faults = Break::nothing();
        faults.fail(step, errno);
        let mut guard = bench.broken(&faults).lock(&bench.one(), WAIT).unwrap();
        let problem = guard.prove_writable(true).unwrap_err();
        assert!(matches!(problem, StoreError::NotWritable { .. }), "{problem}");
        assert_eq!(fs::read_to_string(path).unwrap(), SIMPLE);
        assert_eq!(bench.names(), ["qwen.json"], "the probe is gone");
    }
}

#[test]
fn p13_only_where_allowed_does_a_rotating_token_go_to_the_state_folder() {
    let mut bench = Bench::new();
    bench.put("qwen.json", SIMPLE);
    let credential = bench.one();
    let faults = Break::nothing();
    faults.fail_below(&bench.credentials(), Step::CreateTemporary, EROFS);
    faults.fail_below(&bench.credentials(), Step::OpenLock, EROFS);

    let mut guard = bench.broken(&faults).lock(&credential, WAIT).unwrap();
    let StoreError::NotWritable { problem, remedy, .. } = guard.prove_writable(true).unwrap_err() else {
        panic!("it may not be written")
    };
    assert_eq!(problem, "read-only file system");
    assert!(remedy.contains("ALLOW_STATE_WRITEBACK=1"), "{remedy}");
    assert_eq!(
        guard.prove_writable(false),
        Ok(Saved::InState),
        "nobody is logged out by a refresh that rotates nothing"
    );
    drop(guard);

    bench.allow_state_writeback = true;
    let store = bench.broken(&faults);
    let mut guard = store.lock(&credential, WAIT).unwrap();
    let old = guard.read().unwrap();
    assert_eq!(guard.prove_writable(true), Ok(Saved::InState));
    assert_eq!(guard.save(&rotated(&old)), Ok(Saved::InState));
    assert!(
        matches!(store.lock(&credential, WAIT), Err(StoreError::Locked { .. })),
        "the lock holds there too"
    );
    drop(guard);
    assert_eq!(refresh(login(&bench.one())), "FAKE-R2");

    // The place became writable: the file holds the login again, and the state folder nothing.
    let mut guard = bench.lock();
    let current = guard.read().unwrap();
    assert_eq!(refresh(&current), "FAKE-R2");
    let mut third = rotated(&current);
    third.tokens.refresh = Some(Secret::new("FAKE-R3"));
    assert_eq!(guard.save(&third), Ok(Saved::InPlace));
    drop(guard);
    assert_eq!(refresh(login(&bench.one())), "FAKE-R3");
    assert_eq!(names(&bench.tokens()), [""; 0]);
}

#[test]
fn p14_a_write_that_fails_goes_to_the_journal_and_is_replayed_at_the_next_start() {
    for step in [Step::Write, Step::SyncFile, Step::Rename] {
        let bench = Bench::new();
        let path = bench.put("qwen.json", SIMPLE);
        let credential = bench.one();
        let faults = Break::nothing();
        let store = bench.broken(&faults);
        let mut guard = store.lock(&credential, WAIT).unwrap();
        let old = guard.read().unwrap();
        guard.prove_writable(true).unwrap();
        faults.fail_below(&bench.credentials(), step, ENOSPC);
        let StoreError::NotSaved { journal: Some(journal), problem, .. } =
            guard.save(&rotated(&old)).unwrap_err()
        else {
            panic!("{step:?} fails with a journal")
        };
        assert_eq!(problem, "no space left on device");
        assert_eq!(fs::metadata(journal).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), SIMPLE, "the old file is whole");
        drop(guard);

        // The disk is still full at the next start: the token is used from the journal.
        let inventory = store.load(&[SourceSpec::Folder(bench.credentials())]);
        assert_eq!(refresh(login(&only(&inventory))), "FAKE-R2", "{step:?}");
        // There is space again.
        faults.mend();
        let inventory = store.load(&[SourceSpec::Folder(bench.credentials())]);
        assert_eq!(refresh(login(&only(&inventory))), "FAKE-R2", "{step:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), ROTATED);
        assert_eq!(names(&bench.tokens()), [""; 0]);
    }
}

#[test]
fn p14_a_retry_of_the_same_save_ends_the_journal() {
    let bench = Bench::new();
    let path = bench.put("qwen.json", SIMPLE);
    let faults = Break::nothing();
    let store = bench.broken(&faults);
    let mut guard = store.lock(&bench.one(), WAIT).unwrap();
    let new = rotated(&guard.read().unwrap());
    guard.prove_writable(true).unwrap();
    faults.fail_below(&bench.credentials(), Step::Rename, ENOSPC);
    guard.save(&new).unwrap_err();
    faults.mend();
    assert_eq!(guard.save(&new), Ok(Saved::InPlace));
    assert_eq!(fs::read_to_string(&path).unwrap(), ROTATED);
    assert_eq!((names(&bench.tokens()), bench.names()), (Vec::new(), vec!["qwen.json".to_owned()]));
}

#[test]
fn p14_a_new_login_in_the_file_beats_an_old_journal() {
    let bench = Bench::new();
    bench.put("qwen.json", SIMPLE);
    let faults = Break::nothing();
    let store = bench.broken(&faults);
    let mut guard = store.lock(&bench.one(), WAIT).unwrap();
    let new = rotated(&guard.read().unwrap());
    faults.fail_below(&bench.credentials(), Step::CreateTemporary, ENOSPC);
    guard.save(&new).unwrap_err();
    drop(guard);
    let fresh = SIMPLE.replace("FAKE-R", "FAKE-LOGIN");
    let path = bench.put("qwen.json", &fresh);
    assert_eq!(refresh(login(&bench.one())), "FAKE-LOGIN");
    assert_eq!(fs::read_to_string(path).unwrap(), fresh);
}

#[test]
fn p15_a_reader_at_full_speed_never_sees_half_a_file() {
    const WRITES: usize = 10_000;
    let bench = Bench::in_memory();
    let path = bench.put("qwen.json", SIMPLE);
    let mut guard = bench.lock();
    let mut current = guard.read().unwrap();
    let done = AtomicBool::new(false);
    let reads = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let text = fs::read_to_string(&path).unwrap();
                let value: serde_json::Value = serde_json::from_str(&text).expect("a whole file");
                let number = |key: &str| value[key].as_str().unwrap().rsplit('-').next().unwrap().to_owned();
                let (access, refresh) = (number("access_token"), number("refresh_token"));
                assert!(access == refresh || access == "A", "both tokens of one write");
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        for write in 0..WRITES {
            // Of changing length, so that a cut would show.
            current.tokens.access = Some(Secret::new(format!("{}-{write}", "A".repeat(write % 97))));
            current.tokens.refresh = Some(Secret::new(format!("{}-{write}", "R".repeat(write % 89))));
            assert_eq!(guard.save(&current), Ok(Saved::InPlace));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(reads.load(Ordering::Relaxed) > 100, "the reader ran beside the writes");
}

#[test]
fn p16_what_others_wrote_meanwhile_survives() {
    let bench = Bench::new();
    let path = bench.put("qwen.json", "{\n\t\"access_token\": \"FAKE-A\",\n\t\"refresh_token\": \"FAKE-R\",\n\t\"expires_at\": 1790000000\n}\n");
    let mut guard = bench.lock();
    let old = guard.read().unwrap();
    bench.put("qwen.json", "{\n\t\"note\": 1.50,\n\t\"access_token\": \"FAKE-A\",\n\t\"refresh_token\": \"FAKE-R\",\n\t\"expires_at\": 1790000000,\n\t\"theirs\": {}\n}\n");
    guard.save(&rotated(&old)).unwrap();
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        "{\n\t\"note\": 1.50,\n\t\"access_token\": \"FAKE-A2\",\n\t\"refresh_token\": \"FAKE-R2\",\n\t\"expires_at\": 1800000000,\n\t\"theirs\": {}\n}\n"
    );
}

#[test]
fn p17_a_link_stays_a_link_and_its_target_is_written() {
    let bench = Bench::new();
    let target = bench.root().join("oauth_creds.json");
    write(&target, SIMPLE);
    let link = bench.credentials().join("qwen.json");
    symlink("../oauth_creds.json", &link).unwrap();
    let mut guard = bench.lock();
    let old = guard.read().unwrap();
    guard.save(&rotated(&old)).unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(&target).unwrap(), ROTATED);
    assert!(bench.root().join("oauth_creds.json.lock").exists(), "the lock belongs to the target");
}

#[test]
fn p17_a_name_that_cannot_be_taken_is_written_in_place_behind_a_journal() {
    let bench = Bench::new();
    let path = bench.put("qwen.json", SIMPLE);
    let inode = fs::metadata(&path).unwrap().ino();
    let faults = Break::nothing();
    faults.fail_below(&path, Step::Rename, EBUSY);
    let mut guard = bench.broken(&faults).lock(&bench.one(), WAIT).unwrap();
    let old = guard.read().unwrap();
    guard.prove_writable(true).unwrap();
    assert_eq!(guard.save(&rotated(&old)), Ok(Saved::InPlace));
    assert_eq!(
        (fs::read_to_string(&path).unwrap().as_str(), fs::metadata(&path).unwrap().ino()),
        (ROTATED, inode)
    );
    assert_eq!((names(&bench.tokens()), bench.names()), (Vec::new(), vec!["qwen.json".to_owned()]));
}

#[test]
fn p17_a_kill_in_the_middle_of_a_write_in_place_is_repaired_from_the_journal() {
    let bench = Bench::new();
    let path = bench.put("qwen.json", SIMPLE);
    let faults = Break::nothing();
    faults.fail_below(&path, Step::Rename, EBUSY);
    faults.fail_below(&path, Step::WriteInPlace, EBUSY);
    let mut guard = bench.broken(&faults).lock(&bench.one(), WAIT).unwrap();
    let old = guard.read().unwrap();
    guard.save(&rotated(&old)).unwrap_err();
    drop(guard);
    // The journal is there, the file is cut.
    let half: String = ROTATED.chars().take(40).collect();
    write(&path, &half);
    assert_eq!(refresh(login(&bench.one())), "FAKE-R2");
    assert_eq!(fs::read_to_string(&path).unwrap(), ROTATED);
    assert_eq!(names(&bench.tokens()), [""; 0]);
}

#[test]
fn p19_nothing_is_written_when_nothing_changed() {
    let bench = Bench::new();
    bench.put("qwen.json", SIMPLE);
    let credential = bench.one();
    let faults = Break::nothing();
    let mut guard = bench.broken(&faults).lock(&credential, WAIT).unwrap();
    let login = guard.read().unwrap();
    guard.prove_writable(true).unwrap();
    faults.kill_after(usize::MAX);
    assert_eq!(guard.save(&login), Ok(Saved::Unchanged));
    assert_eq!(guard.set_notes(&guard.notes()), Ok(()));
    assert_eq!(faults.steps(), []);
    drop(guard);
    let store = bench.broken(&faults);
    store.load(&[SourceSpec::Folder(bench.credentials())]);
    assert_eq!(faults.steps(), [], "a load changes nothing either");
}

#[test]
fn p20_a_file_that_broke_meanwhile_is_not_overwritten_and_the_token_is_not_lost_silently() {
    let bench = Bench::new();
    let path = bench.put("qwen.json", SIMPLE);
    let mut guard = bench.lock();
    let new = renewed(&guard.read().unwrap());
    bench.put("qwen.json", "{ broken");
    assert!(matches!(guard.read(), Err(StoreError::Unreadable { .. })));
    assert!(matches!(guard.save(&new), Err(StoreError::NotSaved { .. } | StoreError::Unreadable { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "{ broken");
    fs::remove_file(path).unwrap();
    assert!(matches!(guard.read(), Err(StoreError::Gone { .. })));
}
