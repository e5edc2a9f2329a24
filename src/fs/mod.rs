//! Files: the only place that writes them. Atomic replacement, locks between processes.
//!
//! Everything here blocks. Every step that changes the disk asks a [`Faults`] first, so that a test can stop the
//! program before each of them, or make one fail, and see what the next start finds.

mod atomic;
mod fault;
mod lock;
mod mounts;
mod partial;

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

pub(crate) use atomic::ReplaceError;
pub use atomic::{Disk, Replaced};
pub use fault::{Faults, NoFaults, Step};
pub use lock::{FileLock, Holder, LockError};
pub use mounts::is_mount_point;
pub use partial::{Partial, PartialError, room};

/// Runs what blocks on a blocking thread; a panic there goes on here. For everything in this room, from a task.
pub async fn at_rest<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down: nothing that is awaited here will be looked at again.
            Err(_) => std::future::pending().await,
        },
    }
}

/// The name of a path's last part, for messages; never a folder.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "a file".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The folder a file stands in; `.` for a bare name.
pub fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        Some(_) | None => PathBuf::from("."),
    }
}

/// Reads a text file of at most `limit` bytes. A longer one, or one that is not UTF-8, is `InvalidData`.
pub fn read_text(path: &Path, limit: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "too large"));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

/// What the operating system says, without a path: `No space left on device`.
pub fn problem(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
