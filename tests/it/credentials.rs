//! Credentials at rest, through the store's own door: loaded, locked, written, and found again after every accident.

use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use cortana::{
    clock::{Clock, SystemClock},
    credential::{
        Credential, Inventory, Login, OAuthLogin, Saved, SourceSpec, Store, StoreError, StoreOptions, Tokens,
    },
    fs::{Disk, Faults, Step},
    provider::{Catalog, ProviderId},
    secret::Secret,
};
use tempfile::TempDir;

const WAIT: Duration = Duration::from_millis(200);
const SIMPLE: &str = r#"{"access_token":"FAKE-access-1","refresh_token":"FAKE-refresh-1","token_type":"Bearer","expires_at":1790000000.5}"#;

/// A credentials folder, a state folder, and stores over them.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("credentials")).unwrap();
        Self { folder }
    }

    fn credentials(&self) -> PathBuf {
        self.folder.path().join("credentials")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.credentials().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn options(&self) -> StoreOptions {
        let mut providers = Catalog::builtin();
        for id in ["gemini_cli", "antigravity"] {
            providers.get_mut(&provider(id)).unwrap().terms_accepted = true;
        }
        StoreOptions {
            state_dir: self.state(),
            allow_state_writeback: false,
            providers: Arc::new(providers),
            clock: Arc::new(SystemClock),
        }
    }

    fn store(&self) -> Store {
        Store::new(self.options())
    }

    /// A store whose disk a test breaks.
    fn broken(&self, faults: &Arc<Break>) -> Store {
        Store::with_disk(self.options(), Disk::with_faults(faults.clone()))
    }

    fn load(&self) -> Inventory {
        self.store().load(&[SourceSpec::Folder(self.credentials())])
    }

    /// The one credential of the folder.
    fn one(&self) -> Credential {
        let inventory = self.load();
        assert_eq!(inventory.rejected, []);
        let [credential] = inventory.credentials.as_slice() else {
            panic!("one credential, found {}", inventory.credentials.len())
        };
        credential.clone()
    }

    /// Everything below the credentials folder but lock files, by name.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.credentials())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !name.ends_with(".lock"))
            .collect();
        names.sort();
        names
    }
}

/// Refuses steps: one that is named, or every one from a certain one on, as a process that was killed.
#[derive(Debug, Default)]
struct Break {
    seen: Mutex<Vec<Step>>,
    from: Option<usize>,
    on: Option<(Step, i32)>,
}

impl Break {
    fn killed_before(step: usize) -> Arc<Self> {
        Arc::new(Self { from: Some(step), ..Self::default() })
    }

    fn failing(step: Step, errno: i32) -> Arc<Self> {
        Arc::new(Self { on: Some((step, errno)), ..Self::default() })
    }

    fn steps(&self) -> Vec<Step> {
        self.seen.lock().unwrap().clone()
    }
}

impl Faults for Break {
    fn before(&self, step: Step, _path: &Path) -> io::Result<()> {
        let mut seen = self.seen.lock().unwrap();
        if self.from.is_some_and(|from| seen.len() >= from) {
            return Err(io::Error::other("killed"));
        }
        seen.push(step);
        match self.on {
            Some((failing, errno)) if failing == step => Err(io::Error::from_raw_os_error(errno)),
            Some(_) | None => Ok(()),
        }
    }
}

const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const EBUSY: i32 = 16;

fn provider(id: &str) -> ProviderId {
    id.parse().unwrap()
}

fn login(credential: &Credential) -> &OAuthLogin {
    match &credential.login {
        Login::OAuth(login) => login,
        Login::ApiKey(_) => panic!("an OAuth login"),
    }
}

fn access(login: &OAuthLogin) -> &str {
    login.tokens.access.as_ref().map_or("", Secret::expose)
}

fn refresh(login: &OAuthLogin) -> &str {
    login.tokens.refresh.as_ref().map_or("", Secret::expose)
}

/// 2027-01-15T08:00:00Z.
fn later() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// A grant with a rotated refresh token.
fn rotated(login: &OAuthLogin) -> OAuthLogin {
    let tokens = Tokens {
        access: Some(Secret::new("FAKE-access-2")),
        refresh: Some(Secret::new("FAKE-refresh-2")),
        expires_at: Some(later()),
        lifetime: Some(Duration::from_hours(1)),
    };
    OAuthLogin { tokens, ..login.clone() }
}

#[test]
fn a_simple_credential_is_loaded_and_written_back_in_its_notation() {
    let bench = Bench::new();
    let path = bench.put("qwen-1.json", SIMPLE);
    let credential = bench.one();
    assert_eq!(credential.provider, provider("qwen_code"));
    let store = bench.store();
    let mut guard = store.lock(&credential, WAIT).unwrap();
    let login = guard.read().unwrap();
    assert_eq!(guard.prove_writable(true), Ok(Saved::InPlace));
    assert_eq!(guard.save(&rotated(&login)), Ok(Saved::InPlace));
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        r#"{"access_token":"FAKE-access-2","refresh_token":"FAKE-refresh-2","token_type":"Bearer","expires_at":1800000000.0}"#
    );
    assert_eq!(bench.names(), ["qwen-1.json"]);
    assert_eq!(bench.one().id, credential.id, "the id outlives the token it came from");
}

#[test]
fn p12_a_kill_between_steps_loses_nothing() {
    let mut kills = 0;
    for step in 0.. {
        let bench = Bench::new();
        bench.put("qwen-1.json", SIMPLE);
        let credential = bench.one();
        // The reading, the lock and the proof happen before the token is spent: the kill comes during the save.
        let faults = Break::killed_before(usize::MAX);
        let store = bench.broken(&faults);
        let mut guard = store.lock(&credential, WAIT).unwrap();
        let old = guard.read().unwrap();
        guard.prove_writable(true).unwrap();
        let before = faults.steps().len();
        drop(guard);

        let faults = Break::killed_before(before + step);
        let mut guard = bench.broken(&faults).lock(&credential, WAIT).unwrap();
        guard.read().unwrap();
        guard.prove_writable(true).unwrap();
        let saved = guard.save(&rotated(&old));
        drop(guard);
        let steps = faults.steps().split_off(before);

        let found = bench.one();
        let complete = steps.contains(&Step::Write);
        let expected = if complete { "FAKE-refresh-2" } else { "FAKE-refresh-1" };
        assert_eq!(refresh(login(&found)), expected, "killed after {steps:?}");
        // The one window: from the server's commit to the end of the write of the temporary file. Nothing else happens in it.
        if !complete {
            assert!(steps.iter().all(|step| *step == Step::CreateTemporary), "{steps:?}");
        }
        assert_eq!(bench.names().len(), 1 + usize::from(!complete && !steps.is_empty()), "{steps:?}");
        kills += 1;
        if saved.is_ok() && steps.contains(&Step::SyncFolder) {
            break;
        }
    }
    assert_eq!(kills, 6, "a stop before each of the five steps, and none");
}
