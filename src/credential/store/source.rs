//! One document at rest: read, after what an interrupted write left was settled (P12, P14).

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    super::{
        Fingerprint, OAuthLogin,
        dialect::{self, Hint, Layout, View},
        document::Document,
    },
    Store,
    notes::Notes,
};
use crate::fs::{self, FileLock, Holder, LockError, ReplaceError};

/// Credential files have a few kilobytes.
const SIZE_LIMIT: u64 = 1 << 20;
/// How long a load waits for somebody who is writing, before it reads without settling anything.
const SETTLE_WAIT: Duration = Duration::from_secs(2);

/// A document in a known notation.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) document: Document,
    pub(super) layout: &'static Layout,
    pub(super) hint: Hint,
}

/// Why there is no source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// There is no such file.
    Gone,
    /// It is there and cannot be used: the reason, without content.
    Unusable(String),
}

/// The locks of a file.
#[derive(Debug)]
pub(super) struct FileLocks {
    /// With the notes in it.
    pub(super) sidecar: Option<FileLock>,
    pub(super) inode: Option<FileLock>,
}

impl FileLocks {
    /// Whether anything is locked.
    pub(super) fn any(&self) -> bool {
        self.sidecar.is_some() || self.inode.is_some()
    }
}

/// Whether the caller holds the target's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// It does.
    Lock,
    /// It does not.
    Nothing,
}

impl Source {
    /// Reads a text.
    pub(super) fn parse(text: String) -> Result<Self, String> {
        let document = Document::parse(text).map_err(|malformed| malformed.to_string())?;
        let detected = dialect::detect(&document).map_err(|refusal| refusal.to_string())?;
        Ok(Self { document, layout: detected.layout, hint: detected.hint })
    }

    /// The account at `index`.
    pub(super) fn view(&self, index: usize) -> View<'_> {
        View::new(&self.document, self.layout, index)
    }

    /// How many accounts there are.
    pub(super) fn accounts(&self) -> usize {
        self.layout.accounts(&self.document)
    }

    /// What names a write over the account at `index`: its refresh token, or its access token where it has none.
    pub(super) fn token(&self, index: usize) -> Option<Fingerprint> {
        let view = self.view(index);
        view.refresh().or_else(|| view.access()).map(|token| Fingerprint::of(&token))
    }

    /// Whether this is a later state of `old` in the account whose token was `replaced`.
    fn supersedes(&self, old: &Self, replaced: Fingerprint) -> bool {
        (0..old.accounts()).filter(|index| old.token(*index) == Some(replaced)).any(|index| {
            let (new, old) = (self.view(index), old.view(index));
            // A provider that rotates nothing tells by the expiry: the file may have been refreshed by somebody else since.
            // Nothing without a refresh token supersedes one that has it; a client's tokens have none.
            let keeps_it = new.refresh().is_some() || (old.refresh().is_none() && new.access().is_some());
            keeps_it && (new.refresh() != old.refresh() || new.expires_at() > old.expires_at())
        })
    }
}

/// What tells whether a source changed: its refresh token, or its access token where it has none.
pub(super) fn fingerprint(login: &OAuthLogin) -> Fingerprint {
    let token = login.tokens.refresh.as_ref().or(login.tokens.access.as_ref());
    token.map_or_else(|| Fingerprint::of_bytes(b""), Fingerprint::of)
}

/// The temporary file that is to replace `target`, by the token that goes with it (P12).
pub(super) fn temporary(target: &Path, replaced: Fingerprint) -> PathBuf {
    fs::folder_of(target).join(format!(".{}.{replaced}.new", fs::file_name(target)))
}

/// The file that is created to prove that a replacement could be.
pub(super) fn probe(target: &Path) -> PathBuf {
    fs::folder_of(target).join(format!(".{}.probe.new", fs::file_name(target)))
}

/// The lock of a target.
pub(super) fn sidecar(target: &Path) -> PathBuf {
    fs::folder_of(target).join(format!("{}.lock", fs::file_name(target)))
}

impl Store {
    /// Reads a file as it counts: with what an interrupted write left beside it or in the journal. That is put in its
    /// place on the way, under the lock.
    pub(super) fn read(&self, target: &Path, held: Held) -> Result<Source, Unread> {
        let source = read_plain(target);
        if !self.has_leftovers(target, &source) {
            return source;
        }
        match held {
            Held::Lock => self.settle(target),
            Held::Nothing => {
                // Without the lock the file is read as it is, and the next refresh settles it under its own lock.
                if let Ok(locks) = self.lock_file(target, SETTLE_WAIT)
                    && locks.any()
                {
                    self.settle(target);
                }
            }
        }
        let source = read_plain(target);
        // A journal that could not be put in its place still holds the newest token.
        match (self.journal(target), &source) {
            (Some(journal), Ok(standing)) => match Source::parse(journal.text) {
                Ok(kept) if kept.supersedes(standing, journal.replaces) => Ok(kept),
                Ok(_) | Err(_) => source,
            },
            (Some(_) | None, _) => source,
        }
    }

    fn has_leftovers(&self, target: &Path, source: &Result<Source, Unread>) -> bool {
        let orphaned = |source: &Source| {
            (0..source.accounts()).filter_map(|index| source.token(index)).any(|token| {
                temporary(target, token).exists() || self.orphaned_journal(target, token).exists()
            })
        };
        source.as_ref().is_ok_and(orphaned) || self.has_journal(target)
    }

    /// Finishes what an earlier process began. The caller holds the lock.
    fn settle(&self, target: &Path) {
        if let (false, Ok(standing)) = (self.has_journal(target), read_plain(target)) {
            for token in (0..standing.accounts()).filter_map(|index| standing.token(index)) {
                self.adopt_journal(target, token);
            }
        }
        if let Some(journal) = self.journal(target) {
            let finished = match read_plain(target) {
                Ok(standing) => {
                    let kept = Source::parse(journal.text.clone());
                    if kept.is_ok_and(|kept| kept.supersedes(&standing, journal.replaces)) {
                        self.put(target, journal.replaces, &journal.text)
                    } else {
                        // It was done already, or the file has moved on: a new login.
                        Ok(())
                    }
                }
                // Our own write was cut in the middle. Nothing else would leave a journal beside a broken file.
                Err(Unread::Unusable(_)) if journal.in_place => {
                    self.disk.write_in_place(target, journal.text.as_bytes())
                }
                Err(Unread::Unusable(_) | Unread::Gone) => return,
            };
            let done = finished.and_then(|()| {
                self.remove_journal(target, journal.replaces)?;
                // Of a name that could not be taken.
                self.disk.remove(&temporary(target, journal.replaces))
            });
            match done {
                Ok(()) => tracing::info!(file = %fs::file_name(target), "Replayed the recovery journal"),
                Err(error) => tracing::warn!(
                    file = %fs::file_name(target), problem = %fs::problem(&error),
                    "The recovery journal could not be put in its place and stays"
                ),
            }
        }
        let Ok(standing) = read_plain(target) else { return };
        for index in 0..standing.accounts() {
            let Some(token) = standing.token(index) else { continue };
            let orphan = temporary(target, token);
            // One that does not parse was cut before it was complete; the next write has its name.
            let Ok(found) = read_plain(&orphan) else { continue };
            let (done, message) = if found.supersedes(&standing, token) {
                (self.disk.rename(&orphan, target).map(drop), "Adopted the token of an interrupted write")
            } else {
                (self.disk.remove(&orphan), "Removed what an interrupted write left: the file is newer")
            };
            match done {
                Ok(()) => tracing::info!(file = %fs::file_name(target), "{message}"),
                Err(error) => tracing::warn!(
                    file = %fs::file_name(target), problem = %fs::problem(&error),
                    "What an interrupted write left beside it stays"
                ),
            }
            return;
        }
    }

    /// Removes the temporary files of earlier writes that were cut: the file is newer than all of them. The caller holds
    /// the lock.
    pub(super) fn sweep(&self, target: &Path) {
        let prefix = format!(".{}.", fs::file_name(target));
        let suffix = ".new";
        let Ok(entries) = std::fs::read_dir(fs::folder_of(target)) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(&prefix)
                && name.ends_with(suffix)
                && let Err(error) = self.disk.remove(&entry.path())
            {
                tracing::warn!(file = %name, problem = %fs::problem(&error), "An old temporary file could not be removed");
            }
        }
    }

    /// Locks a file for all who share it, `wait` at most: by its sidecar, which outlives every replacement of the file, and
    /// by its own inode for those who can lock nothing else, since the folder takes no new file from them or the file is
    /// a mount point there (P2). Everybody takes both, in this order: else one who may write the folder and one who may
    /// not would each hold a lock, and both would send the token.
    pub(super) fn lock_file(&self, target: &Path, wait: Duration) -> Result<FileLocks, LockError> {
        let sidecar = match FileLock::acquire(&self.disk, &sidecar(target), Holder::Sidecar, wait) {
            Ok(lock) => Some(lock),
            Err(LockError::Io(_)) => None,
            Err(held @ LockError::Held { .. }) => return Err(held),
        };
        let spent = sidecar.as_ref().map_or(Duration::ZERO, FileLock::waited);
        let inode = match FileLock::acquire(&self.disk, target, Holder::Inode, wait.saturating_sub(spent)) {
            Ok(lock) => Some(lock),
            // The content is a credential, no notes.
            Err(LockError::Held { waited, .. }) => {
                return Err(LockError::Held { notes: String::new(), waited: waited + spent });
            }
            Err(LockError::Io(_)) => None,
        };
        Ok(FileLocks { sidecar, inode })
    }

    /// What the locks of a file say, both that beside it and that in the state folder: another process may be able to write
    /// only one of them. Read without the lock: a line that is being written is none.
    pub(super) fn notes_of(&self, target: &Path) -> Notes {
        notes_at(&sidecar(target)).with(notes_at(&self.by_target(target, "lock")))
    }

    /// Replaces a file, or writes it where it stands when its name cannot be taken.
    fn put(&self, target: &Path, replaced: Fingerprint, text: &str) -> io::Result<()> {
        match self.disk.replace(target, &temporary(target, replaced), text.as_bytes()) {
            Ok(_) => Ok(()),
            Err(ReplaceError::NotRenamed(error)) if error.kind() == io::ErrorKind::ResourceBusy => {
                self.disk.remove(&temporary(target, replaced))?;
                self.disk.write_in_place(target, text.as_bytes())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What a lock file says; nothing where there is none.
pub(super) fn notes_at(lock: &Path) -> Notes {
    let text = fs::read_text(lock, SIZE_LIMIT).unwrap_or_default();
    Notes::parse(text.lines().next().unwrap_or_default())
}

/// Reads a file as it stands.
pub(super) fn read_plain(path: &Path) -> Result<Source, Unread> {
    let text = fs::read_text(path, SIZE_LIMIT).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            Unread::Gone
        } else if error.kind() == io::ErrorKind::PermissionDenied {
            Unread::Unusable("this process may not read it; run as its owner, or `chown` it".to_owned())
        } else {
            Unread::Unusable(fs::problem(&error))
        }
    })?;
    Source::parse(text).map_err(Unread::Unusable)
}
