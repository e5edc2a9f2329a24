//! The file of an SQLite database: made for its owner alone, locked while it is opened, put aside when it is damaged.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use url::Url;

use super::StorageError;
use crate::{
    clock::{Clock as _, SystemClock},
    fs::{Disk, FileLock, Holder, LockError, file_name, folder_of, problem},
};

/// How long another process may take to open it: migrations are short.
const WAIT: Duration = Duration::from_secs(5);

/// Makes folder and file where they are missing, takes others' rights away, and locks the file's sidecar.
pub(super) async fn prepare(path: PathBuf) -> Result<(FileLock, PathBuf), StorageError> {
    at_rest(move || {
        let path = absolute(&path).map_err(|error| refused(&error))?;
        let disk = Disk::default();
        disk.create_folder(&folder_of(&path)).map_err(|error| refused(&error))?;
        let lock = FileLock::acquire(&disk, &beside(&path, ".lock"), Holder::Sidecar, WAIT).map_err(|error| {
            match error {
                LockError::Held { .. } => {
                    StorageError::Busy { problem: "another process is opening it".to_owned() }
                }
                LockError::Io(error) => refused(&error),
            }
        })?;
        match disk.create_exclusive(&path, b"") {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused(&error)),
            Ok(()) | Err(_) => {}
        }
        if disk.tighten(&path).map_err(|error| refused(&error))? {
            tracing::warn!(file = %path.display(), "Others could read the database; it is now its owner's alone");
        }
        Ok((lock, path))
    })
    .await
}

/// Gives a damaged file and what belongs to it other names; how it is called now.
pub(super) async fn put_aside(path: PathBuf) -> Result<String, StorageError> {
    at_rest(move || {
        let disk = Disk::default();
        let suffix = format!(".corrupt-{}", SystemClock.now().timestamp_millis());
        let aside = beside(&path, &suffix);
        disk.rename(&path, &aside).map_err(|error| refused(&error))?;
        for part in ["-wal", "-shm"] {
            let part = beside(&path, part);
            if part.exists() {
                disk.rename(&part, &beside(&part, &suffix)).map_err(|error| refused(&error))?;
            }
        }
        disk.create_exclusive(&path, b"").map_err(|error| refused(&error))?;
        Ok(file_name(&aside))
    })
    .await
}

/// The address under which the library finds a file: every character that means something there is encoded.
pub(super) fn address(path: &Path) -> Result<String, StorageError> {
    let url = Url::from_file_path(path)
        .map_err(|()| StorageError::Unreachable { problem: "its path is not absolute".to_owned() })?;
    Ok(format!("sqlite://{}", url.path()))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn refused(error: &io::Error) -> StorageError {
    StorageError::NotWritable { problem: problem(error) }
}

/// Runs what blocks on a blocking thread; a panic there goes on here.
async fn at_rest<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down: nothing that is awaited here will be looked at again.
            Err(_) => std::future::pending().await,
        },
    }
}
