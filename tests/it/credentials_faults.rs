//! A write-back in which one step after the other fails, or is the last before a kill, on each of the ways that a token
//! can take: what the next start loads, and what whoever saved was told (P12, P14, P17).

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use cortana::{
    credential::{Credential, Guard, Inventory, Saved, SourceSpec, Store, StoreError},
    fs::Step,
    secret::Secret,
};

use crate::support::bench::{
    Bench, Break, EACCES, EBUSY, ENOSPC, SIMPLE, WAIT, login, names, only, provider, refresh, rotated,
};

/// The way that a token takes to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A temporary file takes the name.
    Replace,
    /// The name cannot be taken, which shows at the last step: the file is written where it stands, behind a journal.
    InPlace,
    /// Nothing can be put beside the file, which is known beforehand.
    Mounted,
    /// The environment holds the login: the token goes to the state folder.
    State,
}

const WAYS: [Way; 4] = [Way::Replace, Way::InPlace, Way::Mounted, Way::State];

/// A login on its way, with the disk that breaks.
struct Trip {
    bench: Bench,
    faults: Arc<Break>,
    way: Way,
}

impl Trip {
    fn new(way: Way) -> Self {
        let bench = Bench::in_memory();
        let faults = Break::nothing();
        match way {
            Way::State => {}
            Way::Replace | Way::InPlace | Way::Mounted => drop(bench.put("qwen.json", SIMPLE)),
        }
        let trip = Self { bench, faults, way };
        trip.hinder();
        trip
    }

    /// What stands in the way for good.
    fn hinder(&self) {
        match self.way {
            Way::Replace | Way::State => {}
            Way::InPlace => {
                self.faults.fail_below(&self.bench.credentials().join("qwen.json"), Step::Rename, EBUSY);
            }
            Way::Mounted => {
                self.faults.fail_below(&self.bench.credentials(), Step::CreateTemporary, EACCES);
            }
        }
    }

    fn sources(&self) -> [SourceSpec; 1] {
        [match self.way {
            Way::Replace | Way::InPlace | Way::Mounted => SourceSpec::Folder(self.bench.credentials()),
            Way::State => SourceSpec::Inline {
                variable: "QWEN_CODE_OAUTH_CREDENTIALS".to_owned(),
                provider: provider("qwen_code"),
                json: Secret::new(SIMPLE),
            },
        }]
    }

    fn load(&self, store: &Store) -> Inventory {
        store.load(&self.sources())
    }

    /// The lock, with the place proven: a token may be spent now.
    fn departed(&self) -> (Guard, Credential) {
        let store = self.bench.broken(&self.faults);
        let credential = only(&self.load(&store));
        let mut guard = store.lock(&credential, WAIT).unwrap();
        guard.read().unwrap();
        guard.prove_writable(true).unwrap();
        (guard, credential)
    }

    /// The refresh token that a new process finds, on a disk that works.
    fn found(&self) -> String {
        refresh(login(&only(&self.load(&self.bench.store())))).to_owned()
    }
}

fn new_login(credential: &Credential) -> cortana::credential::OAuthLogin {
    rotated(login(credential))
}

/// The steps of a save that nothing disturbs.
fn steps_of(way: Way) -> Vec<Step> {
    let trip = Trip::new(way);
    let (mut guard, credential) = trip.departed();
    trip.faults.kill_after(usize::MAX);
    guard.save(&new_login(&credential)).unwrap();
    trip.faults.steps()
}

/// Killed before each step: the old or the new token is found, never neither; the new one from the first complete write on.
#[test]
fn p12_p17_a_kill_before_any_step_leaves_the_old_or_the_new_token() {
    for way in WAYS {
        let steps = steps_of(way);
        assert!(steps.len() >= 5, "{way:?}: {steps:?}");
        for kept in 0..=steps.len() {
            let trip = Trip::new(way);
            let (mut guard, credential) = trip.departed();
            trip.faults.kill_after(kept);
            drop(guard.save(&new_login(&credential)));
            drop(guard);
            let done = trip.faults.steps();
            let expected = if done.contains(&Step::Write) { "FAKE-R2" } else { "FAKE-R" };
            assert_eq!(trip.found(), expected, "{way:?} killed after {done:?}");
            assert_eq!(trip.found(), expected, "{way:?}: and at the start after that");
        }
    }
}

/// Each step fails once, with the process alive: whoever saved is told the truth about what the next start finds.
#[test]
fn p14_a_failure_of_any_step_loses_nothing_silently() {
    for way in WAYS {
        let steps = steps_of(way);
        let mut kinds: Vec<Step> = Vec::new();
        for step in steps {
            if !kinds.contains(&step) {
                kinds.push(step);
            }
        }
        for failing in kinds {
            let trip = Trip::new(way);
            let (mut guard, credential) = trip.departed();
            let new = new_login(&credential);
            trip.faults.fail(failing, ENOSPC);
            let saved = guard.save(&new);
            let case = format!("{way:?}, {failing:?} fails: {saved:?}");
            // A disk that still does not work, looked at by another process: nothing is broken by looking.
            drop(trip.load(&trip.bench.broken(&trip.faults)));
            trip.faults.mend();
            trip.hinder();
            match saved {
                Ok(Saved::InPlace | Saved::InState) => {}
                Ok(Saved::Unchanged | Saved::Superseded) => panic!("{case}"),
                Err(StoreError::NotSaved { problem, journal, .. }) => {
                    assert_eq!(problem, "no space left on device", "{case}");
                    if let Some(journal) = &journal {
                        assert_eq!(
                            fs::metadata(journal).unwrap().permissions().mode() & 0o777,
                            0o600,
                            "{case}"
                        );
                    }
                    // Without a journal the token may be in memory alone: the old one is whole, and the save is tried again.
                    if journal.is_none() {
                        assert_eq!(guard.save(&new).map(drop), Ok(()), "{case}: once there is room");
                    }
                }
                Err(other) => panic!("{case}: {other}"),
            }
            drop(guard);
            assert_eq!(trip.found(), "FAKE-R2", "{case}");
            let left: Vec<String> = [names(&trip.bench.credentials()), names(&trip.bench.tokens())].concat();
            let litter = left.iter().filter(|name| name.contains(".new") || name.contains(".journal"));
            assert_eq!(litter.count(), 0, "{case}: {left:?}");
        }
    }
}

/// While the token is in memory alone, the error says so: a process that dies now starts with the old one, unbroken.
#[test]
fn p14_without_any_room_the_error_names_no_journal_and_the_old_token_stays_whole() {
    for way in WAYS {
        let trip = Trip::new(way);
        let (mut guard, credential) = trip.departed();
        for step in [Step::Write, Step::WriteInPlace] {
            trip.faults.fail(step, ENOSPC);
        }
        let saved = guard.save(&new_login(&credential));
        assert!(matches!(saved, Err(StoreError::NotSaved { journal: None, .. })), "{way:?}: {saved:?}");
        drop(guard);
        trip.faults.mend();
        assert_eq!(trip.found(), "FAKE-R", "{way:?}");
    }
}

/// On the way in place a plain reader may meet half a file; one that takes the lock never does.
#[test]
fn p15_readers_that_take_the_lock_never_see_half_of_a_file_written_in_place() {
    const WRITES: usize = 400;
    let trip = Trip::new(Way::InPlace);
    let store = trip.bench.store();
    let credential = trip.bench.one();
    let done = AtomicBool::new(false);
    let reads = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let Ok(mut guard) = store.lock(&credential, WAIT) else { continue };
                let login = guard.read().expect("a whole file");
                let number = |text: &str| text.rsplit('-').next().unwrap().to_owned();
                let tokens = (login.tokens.access.unwrap(), login.tokens.refresh.unwrap());
                let (access, refresh) = (number(tokens.0.expose()), number(tokens.1.expose()));
                assert!(access == refresh || access == "A", "both tokens of one write");
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        let writer = trip.bench.broken(&trip.faults);
        let mut written = 0;
        while written < WRITES {
            let Ok(mut guard) = writer.lock(&credential, WAIT) else { continue };
            let mut login = guard.read().unwrap();
            login.tokens.access = Some(Secret::new(format!("{}-{written}", "A".repeat(written % 97))));
            login.tokens.refresh = Some(Secret::new(format!("{}-{written}", "R".repeat(written % 89))));
            assert_eq!(guard.save(&login), Ok(Saved::InPlace));
            written += 1;
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(reads.load(Ordering::Relaxed) > 0, "the reader ran beside the writes");
}
