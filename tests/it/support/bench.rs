//! A credentials folder and a state folder with stores over them, and a disk that breaks on demand.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use cortana::{
    clock::Clock,
    credential::{Credential, Guard, Inventory, Login, OAuthLogin, SourceSpec, Store, StoreOptions, Tokens},
    fs::{Disk, Faults, Step},
    provider::{Catalog, ProviderId},
    secret::Secret,
};
use tempfile::TempDir;

/// How long tests wait for a lock.
pub(crate) const WAIT: Duration = Duration::from_millis(200);
/// A rotating login in the simple form.
pub(crate) const SIMPLE: &str =
    r#"{"access_token":"FAKE-A","refresh_token":"FAKE-R","token_type":"Bearer","expires_at":1790000000.5}"#;

pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EROFS: i32 = 30;
pub(crate) const EBUSY: i32 = 16;
pub(crate) const EACCES: i32 = 13;

/// A clock that stands at 2026-09-21T14:15:00Z.
#[derive(Debug)]
struct Standing;

impl Clock for Standing {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_100, 0).expect("a valid time")
    }
}

/// Two folders, and stores over them.
pub(crate) struct Bench {
    folder: TempDir,
    /// `ALLOW_STATE_WRITEBACK`.
    pub(crate) allow_state_writeback: bool,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::over(TempDir::new().expect("a temporary folder"))
    }

    /// One in memory, where the machine has such a place: fsync costs nothing there, and names are as atomic.
    pub(crate) fn in_memory() -> Self {
        TempDir::new_in("/dev/shm").map_or_else(|_| Self::new(), Self::over)
    }

    fn over(folder: TempDir) -> Self {
        fs::create_dir(folder.path().join("credentials")).expect("a new folder");
        Self { folder, allow_state_writeback: false }
    }

    /// The folder that holds both.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn credentials(&self) -> PathBuf {
        self.root().join("credentials")
    }

    /// `STATE_DIR/tokens`.
    pub(crate) fn tokens(&self) -> PathBuf {
        self.root().join("state/tokens")
    }

    /// Puts a file into the credentials folder.
    pub(crate) fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.credentials().join(name);
        write(&path, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
        path
    }

    /// The options, with the terms of Google's logins accepted.
    pub(crate) fn options(&self) -> StoreOptions {
        let mut providers = Catalog::builtin();
        for id in ["gemini_cli", "antigravity"] {
            providers.get_mut(&provider(id)).expect("a built-in row").terms_accepted = true;
        }
        StoreOptions {
            state_dir: self.root().join("state"),
            allow_state_writeback: self.allow_state_writeback,
            providers: Arc::new(providers),
            clock: Arc::new(Standing),
        }
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(self.options())
    }

    /// A store whose disk a test breaks.
    pub(crate) fn broken(&self, faults: &Arc<Break>) -> Store {
        Store::with_disk(self.options(), Disk::with_faults(faults.clone()))
    }

    /// Loads the folder, as a new process would.
    pub(crate) fn load(&self) -> Inventory {
        self.store().load(&[SourceSpec::Folder(self.credentials())])
    }

    /// The one credential of the folder.
    pub(crate) fn one(&self) -> Credential {
        only(&self.load())
    }

    /// Locks the one credential of the folder, as a new process would.
    pub(crate) fn lock(&self) -> Guard {
        self.store().lock(&self.one(), WAIT).expect("nobody else holds it")
    }

    /// What stands in the credentials folder, but for lock files.
    pub(crate) fn names(&self) -> Vec<String> {
        names(&self.credentials())
    }
}

/// Writes a file as another program does, without any care.
#[expect(clippy::disallowed_methods, reason = "a test plays the programs that own these files")]
pub(crate) fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a writable folder");
}

/// What stands in a folder, but for lock files.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| Path::new(name).extension().is_none_or(|extension| extension != "lock"))
        .collect();
    names.sort();
    names
}

/// The one credential of an inventory without rejects.
pub(crate) fn only(inventory: &Inventory) -> Credential {
    assert_eq!(inventory.rejected, []);
    let [credential] = inventory.credentials.as_slice() else {
        panic!("one credential, found {}", inventory.credentials.len())
    };
    credential.clone()
}

pub(crate) fn provider(id: &str) -> ProviderId {
    id.parse().expect("a provider id")
}

pub(crate) fn login(credential: &Credential) -> &OAuthLogin {
    match &credential.login {
        Login::OAuth(login) => login,
        Login::ApiKey(_) => panic!("an OAuth login"),
    }
}

pub(crate) fn access(login: &OAuthLogin) -> &str {
    login.tokens.access.as_ref().map_or("", Secret::expose)
}

pub(crate) fn refresh(login: &OAuthLogin) -> &str {
    login.tokens.refresh.as_ref().map_or("", Secret::expose)
}

/// The login after a grant that rotated the refresh token: `FAKE-A2` and `FAKE-R2` until 2027-01-15T08:00:00Z.
pub(crate) fn rotated(login: &OAuthLogin) -> OAuthLogin {
    let tokens = Tokens {
        access: Some(Secret::new("FAKE-A2")),
        refresh: Some(Secret::new("FAKE-R2")),
        expires_at: DateTime::from_timestamp(1_800_000_000, 0),
        lifetime: Some(Duration::from_hours(1)),
    };
    OAuthLogin { tokens, ..login.clone() }
}

/// The login after a grant without a new refresh token.
pub(crate) fn renewed(login: &OAuthLogin) -> OAuthLogin {
    let mut renewed = rotated(login);
    renewed.tokens.refresh.clone_from(&login.tokens.refresh);
    renewed
}

/// Refuses steps: all of a kind, or every one from a certain one on, as in a process that was killed.
#[derive(Debug, Default)]
pub(crate) struct Break {
    seen: Mutex<Vec<Step>>,
    killed_before: Mutex<Option<usize>>,
    failing: Mutex<Vec<(Step, i32, Option<PathBuf>)>>,
}

impl Break {
    pub(crate) fn nothing() -> Arc<Self> {
        Arc::default()
    }

    /// From now on, `steps` more succeed and none after them.
    pub(crate) fn kill_after(&self, steps: usize) {
        let mut seen = self.seen.lock().expect("no holder panics");
        seen.clear();
        *self.killed_before.lock().expect("no holder panics") = Some(steps);
    }

    /// From now on this step fails with an error number, everywhere.
    pub(crate) fn fail(&self, step: Step, errno: i32) {
        self.failing.lock().expect("no holder panics").push((step, errno, None));
    }

    /// From now on this step fails below a folder.
    pub(crate) fn fail_below(&self, folder: &Path, step: Step, errno: i32) {
        self.failing.lock().expect("no holder panics").push((step, errno, Some(folder.to_path_buf())));
    }

    /// Everything works again.
    pub(crate) fn mend(&self) {
        self.failing.lock().expect("no holder panics").clear();
    }

    /// The steps that happened since the last call of `kill_after`.
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.seen.lock().expect("no holder panics").clone()
    }
}

impl Faults for Break {
    fn before(&self, step: Step, path: &Path) -> io::Result<()> {
        let mut seen = self.seen.lock().expect("no holder panics");
        if self.killed_before.lock().expect("no holder panics").is_some_and(|limit| seen.len() >= limit) {
            return Err(io::Error::other("killed"));
        }
        for (failing, errno, folder) in self.failing.lock().expect("no holder panics").iter() {
            if *failing == step && folder.as_ref().is_none_or(|folder| path.starts_with(folder)) {
                return Err(io::Error::from_raw_os_error(*errno));
            }
        }
        seen.push(step);
        Ok(())
    }
}
