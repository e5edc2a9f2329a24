//! Hot reload (P35): what is added, edited or removed counts within two seconds; our own writes change nothing.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{sync::Notify, time::Instant};

use super::{Inner, set::Set, sources};
use crate::{
    clock,
    config::{CredentialValue, PoolSettings, WatchMode},
    credential::{CredentialId, Inventory, Login, Rejected},
    fs::at_rest,
};

/// How often stamps are compared: inotify is silent on some mounts.
const COMPARE: Duration = Duration::from_millis(1500);
/// A writer's burst of events is looked at once.
const SETTLE: Duration = Duration::from_millis(100);
/// A file that does not parse may be half written: it is read again for this long after its last change.
const HALF_WRITTEN: Duration = Duration::from_secs(2);
/// How often it is read again.
const AGAIN: Duration = Duration::from_millis(250);

/// What tells one content of a file from the next without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    size: u64,
    inode: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        metadata.is_file().then(|| Self { size: metadata.size(), inode: metadata.ino(), modified })
    }
}

/// The stamps of everything that may hold a credential, and which files we are writing ourselves.
#[derive(Debug, Clone, Default)]
pub(super) struct Stamps(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// By the path it was found under, with its canonical target.
    files: BTreeMap<PathBuf, (PathBuf, Option<Stamp>)>,
    writing: HashMap<PathBuf, u32>,
}

/// A write of our own. When it ends, what it left counts as known.
#[derive(Debug)]
pub(super) struct OwnWrite {
    stamps: Stamps,
    target: PathBuf,
}

impl Stamps {
    /// Takes the first stamps, before the sources are read: what changes after that is found. Blocks.
    pub(super) fn prime(&self, settings: &PoolSettings) {
        self.look(&Scope::of(settings));
    }

    /// Announces a write of our own.
    pub(super) fn own_write(&self, target: PathBuf) -> OwnWrite {
        *self.known().writing.entry(target.clone()).or_default() += 1;
        OwnWrite { stamps: self.clone(), target }
    }

    /// Looks again; whether anything changed since the last look. Blocks.
    fn look(&self, scope: &Scope) -> bool {
        let mut known = self.known();
        let mut files = BTreeMap::new();
        for path in scope.paths() {
            let target = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            let stamp = match known.files.get(&path) {
                Some((_, before)) if known.writing.contains_key(&target) => *before,
                Some(_) | None => Stamp::of(&path),
            };
            files.insert(path, (target, stamp));
        }
        let changed = files != known.files;
        known.files = files;
        changed
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().expect("no holder of the stamps panics")
    }
}

impl Drop for OwnWrite {
    fn drop(&mut self) {
        let mut known = self.stamps.known();
        let stamp = Stamp::of(&self.target);
        for (target, known) in known.files.values_mut() {
            if *target == self.target {
                *known = stamp;
            }
        }
        let left = known.writing.get(&self.target).copied().unwrap_or_default();
        if left > 1 {
            known.writing.insert(self.target.clone(), left - 1);
        } else {
            known.writing.remove(&self.target);
        }
    }
}

/// What is compared.
#[derive(Debug, Clone)]
struct Scope {
    folder: PathBuf,
    named: Vec<PathBuf>,
}

impl Scope {
    fn of(settings: &PoolSettings) -> Self {
        let named = settings.named.iter().filter_map(|named| match &named.value {
            CredentialValue::Path(path) => Some(path.clone()),
            CredentialValue::Inline(_) | CredentialValue::ApiKey(_) => None,
        });
        Self { folder: settings.credentials_dir.clone(), named: named.collect() }
    }

    /// Files that may hold a credential: not the hidden ones, locks and half-written ones.
    fn paths(&self) -> Vec<PathBuf> {
        let listed = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let may_be_one = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let extension = path.extension().unwrap_or_default();
            !name.starts_with('.') && extension != "lock" && extension != "new"
        };
        listed.filter(may_be_one).chain(self.named.iter().cloned()).collect()
    }
}

/// Runs until the end is asked for.
pub(super) async fn run(inner: Arc<Inner>, folders: Vec<PathBuf>) {
    let ending = inner.parts.shutdown.token().clone();
    let poke = Arc::new(Notify::new());
    let mut watch = Watch::new(inner.parts.settings.watch, &poke);
    watch.follow(&folders);
    let mut unsettled: Option<Instant> = None;
    loop {
        let look = {
            let (stamps, scope) = (inner.stamps.clone(), Scope::of(&inner.settings()));
            at_rest(move || stamps.look(&scope))
        };
        let changed = look.await;
        if changed || unsettled.is_some() {
            let deadline = match unsettled {
                Some(deadline) if !changed => deadline,
                Some(_) | None => clock::instant() + HALF_WRITTEN,
            };
            let bad = if clock::instant() >= deadline { Bad::Reported } else { Bad::Left };
            let (folders, settled) = reload(&inner, bad).await;
            watch.follow(&folders);
            unsettled = (!settled).then_some(deadline);
        }
        let pause = if unsettled.is_some() { AGAIN } else { COMPARE };
        tokio::select! {
            () = ending.cancelled() => return,
            () = poke.notified() => tokio::time::sleep(SETTLE).await,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// What becomes of files that turned bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// They are reported.
    Reported,
    /// They are left for a later look: they may be half written.
    Left,
}

/// Reads every source and takes in what changed; the folders to watch, and whether nothing was left for a later look.
pub(super) async fn reload(inner: &Arc<Inner>, bad: Bad) -> (Vec<PathBuf>, bool) {
    let _one_at_a_time = inner.looking.lock().await;
    let (store, sources) = (Arc::clone(&inner.parts.store), sources(&inner.settings()));
    let quiet = Quiet::of(&inner.set());
    let mut inventory = at_rest(move || store.load(&sources)).await;
    let folders = inventory.watch.clone();
    let (known_bad, known): (Vec<Rejected>, HashSet<CredentialId>) = {
        let set = inner.set();
        let ids = set.entries().iter().map(|entry| entry.credential.id.clone());
        (set.rejected().to_vec(), ids.collect())
    };
    let newly_bad: Vec<Rejected> =
        inventory.rejected.iter().filter(|rejected| !known_bad.contains(rejected)).cloned().collect();
    let (left, reported) = match bad {
        Bad::Reported => (Vec::new(), &*newly_bad),
        Bad::Left => (set_aside(&mut inventory, &newly_bad), &[][..]),
    };
    let (events, kept) = inner.apply(inventory, &left, &quiet);
    inner.announce_reload(&events, &known, reported);
    inner.publish(events);
    inner.wake.notify_one();
    inner.remember.notify_one();
    let settled = left.is_empty() && kept == Kept::Nothing;
    (folders, settled)
}

/// The credentials without a flight when a look at the sources began, by how many had landed: of these alone the look tells
/// facts that are no older than ours. What a flight finds meanwhile is in memory before it is in the file.
#[derive(Debug, Default)]
pub(super) struct Quiet(HashMap<CredentialId, u64>);

impl Quiet {
    fn of(set: &Set) -> Self {
        let quiet = set.entries().iter().filter(|entry| entry.flight.is_none());
        Self(quiet.map(|entry| (entry.credential.id.clone(), entry.landed)).collect())
    }

    /// Puts our facts over those that may be older. Those that a person wrote at that very time wait for the next look.
    pub(super) fn keep_facts(&self, set: &Set, inventory: &mut Inventory) -> Kept {
        let mut kept = Kept::Nothing;
        for found in &mut inventory.credentials {
            let Some(entry) = set.get(&found.id) else { continue };
            let is_quiet = entry.flight.is_none() && self.0.get(&found.id) == Some(&entry.landed);
            if let (Login::OAuth(login), false) = (&mut found.login, is_quiet) {
                login.facts = entry.facts();
                kept = Kept::Facts;
            }
        }
        kept
    }
}

/// Whether a look has to be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Everything that was found counts.
    Nothing,
    /// Facts of ours were kept over found ones.
    Facts,
}

/// Takes the sources that turned bad out of an inventory; their labels.
fn set_aside(inventory: &mut Inventory, newly_bad: &[Rejected]) -> Vec<String> {
    inventory.rejected.retain(|rejected| !newly_bad.contains(rejected));
    newly_bad.iter().map(|rejected| rejected.label.clone()).collect()
}

/// The operating system's news of folders, where it gives any.
struct Watch {
    watcher: Option<RecommendedWatcher>,
    followed: HashSet<PathBuf>,
}

impl Watch {
    fn new(mode: WatchMode, poke: &Arc<Notify>) -> Self {
        let poke = Arc::clone(poke);
        let tell = move |event: notify::Result<notify::Event>| {
            // Our own looks at the folder are accesses.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                poke.notify_one();
            }
        };
        let watcher = match mode {
            WatchMode::Auto => notify::recommended_watcher(tell)
                .inspect_err(|problem| {
                    tracing::warn!(reason = %problem, "Folders cannot be watched; they are compared instead");
                })
                .ok(),
            WatchMode::Poll | WatchMode::Off => None,
        };
        Self { watcher, followed: HashSet::new() }
    }

    fn follow(&mut self, folders: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted: HashSet<PathBuf> = folders.iter().cloned().collect();
        for folder in self.followed.difference(&wanted) {
            // An error says that the folder is gone, and what followed it too.
            drop(watcher.unwatch(folder));
        }
        self.followed.retain(|folder| wanted.contains(folder));
        for folder in folders {
            // Those that are followed already too: a folder that was made anew is another one.
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.followed.insert(folder.clone());
                }
                // It may not exist yet; the comparison finds it when it does.
                Err(problem) => tracing::debug!(reason = %problem.kind_name(), "A folder cannot be watched"),
            }
        }
    }
}

trait KindName {
    fn kind_name(&self) -> &'static str;
}

impl KindName for notify::Error {
    fn kind_name(&self) -> &'static str {
        match self.kind {
            notify::ErrorKind::PathNotFound => "not found",
            notify::ErrorKind::MaxFilesWatch => "too many watches",
            notify::ErrorKind::Generic(_)
            | notify::ErrorKind::Io(_)
            | notify::ErrorKind::WatchNotFound
            | notify::ErrorKind::InvalidConfig(_) => "refused by the system",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{Clock, SystemClock},
        credential::{Credential, Dialect, Facts, OAuthLogin, Place},
        provider::Catalog,
    };

    fn found(project: Option<&str>) -> Inventory {
        let login = OAuthLogin {
            facts: Facts { project_id: project.map(str::to_owned), ..Facts::default() },
            ..OAuthLogin::default()
        };
        let credential = Credential {
            id: CredentialId::new("0123456789ab"),
            provider: "gemini_cli".parse().unwrap(),
            dialect: Dialect::Simple,
            place: Place::Inline { variable: "GEMINI_CLI_OAUTH_CREDENTIALS".to_owned() },
            login: Login::OAuth(Box::new(login)),
            disabled: None,
        };
        Inventory { credentials: vec![credential], ..Inventory::default() }
    }

    fn project(inventory: &Inventory) -> Option<&str> {
        match &inventory.credentials[0].login {
            Login::OAuth(login) => login.facts.project_id.as_deref(),
            Login::ApiKey(_) => None,
        }
    }

    #[test]
    fn a_look_that_began_before_a_flight_landed_takes_no_facts_back() {
        let now = SystemClock.now();
        let id = CredentialId::new("0123456789ab");
        let mut set = Set::default();
        set.apply(found(Some("before")), &[], &Catalog::builtin(), Duration::ZERO, now);
        let quiet = Quiet::of(&set);
        let mut edited = found(Some("of a person"));
        assert_eq!(
            (quiet.keep_facts(&set, &mut edited), project(&edited)),
            (Kept::Nothing, Some("of a person"))
        );

        // A flight finds another project and saves it, while the look still holds what it read.
        let mut old = found(Some("before"));
        let entry = set.get_mut(&id).unwrap();
        entry.learn(&Facts { project_id: Some("found".to_owned()), ..Facts::default() }, now);
        entry.landed += 1;
        assert_eq!((quiet.keep_facts(&set, &mut old), project(&old)), (Kept::Facts, Some("found")));
        let mut again = found(Some("found"));
        assert_eq!(Quiet::of(&set).keep_facts(&set, &mut again), Kept::Nothing, "the next look counts");
    }
}
