//! The file of an SQLite database: made for its owner alone, locked while it is opened, put aside when it is damaged.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use url::Url;

use super::StorageError;
use crate::{
    clock::{Clock as _, SystemClock},
    fs::{Disk, FileLock, Holder, LockError, at_rest, file_name, folder_of, problem},
};

/// How long another process may take to open it: migrations are short.
const WAIT: Duration = Duration::from_secs(5);
/// What every database begins with (<https://www.sqlite.org/fileformat.html>, 1.3).
const BEGINNING: &[u8] = b"SQLite format 3\0";

/// Makes folder and file where they are missing, refuses what is no database, takes others' rights away, and locks the file's sidecar.
pub(super) async fn prepare(path: PathBuf) -> Result<(FileLock, PathBuf), StorageError> {
    at_rest(move || {
        let path = absolute(&path).map_err(|error| refused(&error))?;
        if is_foreign(&path).map_err(|error| refused(&error))? {
            return Err(StorageError::Foreign);
        }
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

/// Which file stands there: another one has another device or inode.
pub(super) async fn identity(path: PathBuf) -> Option<(u64, u64)> {
    at_rest(move || path.metadata().ok().map(|found| (found.dev(), found.ino()))).await
}

/// Whether something else stands there, which must be neither changed nor moved. An empty file may become a database.
fn is_foreign(path: &Path) -> io::Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        // The same is said of the folder that is to be made.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(false),
        Err(error) => return Err(error),
    };
    let mut beginning = Vec::new();
    file.take(16).read_to_end(&mut beginning)?;
    Ok(!beginning.is_empty() && beginning != BEGINNING)
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
