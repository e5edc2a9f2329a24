//! Locks between processes: the operating system's advisory lock on a file, held as a value.
//!
//! The kernel frees it when the holder dies, however it dies, so nothing here ever expires (P2). The locked file
//! holds a line of notes; it is written where it stands, since a rename would take the lock's inode away.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use fs2::FileExt;

use super::{Disk, Step};

/// How often a waiter asks again.
const POLL: Duration = Duration::from_millis(10);
/// Notes are short; more than this is not ours.
const NOTES_LIMIT: u64 = 64 * 1024;

/// A lock that is held. Dropping it, or dying, frees it.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
    disk: Disk,
    waited: Duration,
}

/// Why there is no lock.
#[derive(Debug)]
pub enum LockError {
    /// Somebody else held it all the time.
    Held {
        /// What the lock file says.
        notes: String,
        /// How long we waited.
        waited: Duration,
    },
    /// The file cannot be opened or locked.
    Io(io::Error),
}

/// What is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A lock file of our own, created 0600 where it is missing, with notes in it.
    Sidecar,
    /// Somebody's file itself, opened for reading only and never written.
    Inode,
}

impl FileLock {
    /// Takes the lock, waiting `wait` at most. Blocks its thread.
    pub fn acquire(disk: &Disk, path: &Path, holder: Holder, wait: Duration) -> Result<Self, LockError> {
        let mut waited = Duration::ZERO;
        loop {
            let file = open(disk, path, holder).map_err(LockError::Io)?;
            // The fully qualified form: std has a method of this name by now.
            match FileExt::try_lock_exclusive(&file) {
                Ok(()) if is_still_at(&file, path) => {
                    return Ok(Self { file, path: path.to_path_buf(), disk: disk.clone(), waited });
                }
                // Somebody removed the lock file between our opening and our locking: lock the one that is there now.
                Ok(()) => {}
                Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => {
                    if waited >= wait {
                        let notes = fs::read_to_string(path).unwrap_or_default();
                        return Err(LockError::Held { notes, waited });
                    }
                }
                Err(error) => return Err(LockError::Io(error)),
            }
            // Counted, not measured: a test's frozen clock must not freeze this thread.
            thread::sleep(POLL);
            waited += POLL;
        }
    }

    /// How long it was waited for.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// The first line of the lock file; empty when it is new.
    pub fn notes(&mut self) -> io::Result<String> {
        let mut text = String::new();
        self.file.rewind()?;
        (&self.file).take(NOTES_LIMIT).read_to_string(&mut text)?;
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    /// Writes the notes, one line. A crash in the middle leaves a line that does not parse: notes are a courtesy, and
    /// a reader takes such a line for none.
    pub fn set_notes(&mut self, line: &str) -> io::Result<()> {
        self.disk.before(Step::WriteNotes, &self.path)?;
        let text = format!("{line}\n");
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(u64::try_from(text.len()).unwrap_or(u64::MAX))?;
        self.file.sync_data()
    }
}

fn open(disk: &Disk, path: &Path, holder: Holder) -> io::Result<File> {
    match holder {
        Holder::Inode => File::open(path),
        Holder::Sidecar => {
            disk.before(Step::OpenLock, path)?;
            #[expect(clippy::disallowed_methods, reason = "this is the place")]
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
        }
    }
}

/// Whether an open file is the one that a path names now.
pub(super) fn is_still_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
        (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
    }
}
