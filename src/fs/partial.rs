//! A file that arrives in pieces: written beside its final name, kept when the writer dies, named at the end.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use fs2::FileExt;

use super::{Disk, Replaced, Step, folder_of, lock::is_still_at};

/// A file in the making, locked for this process.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    disk: Disk,
    written: u64,
}

/// Why there is none.
#[derive(Debug)]
pub enum PartialError {
    /// Another process is writing it.
    InUse,
    /// It cannot be opened, or its folder cannot be made.
    Io(io::Error),
}

impl From<io::Error> for PartialError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Partial {
    /// Opens what an earlier process left, or begins, in a folder that is made where it is missing. The rights are the
    /// usual ones: what is fetched from the public is no secret, and another account may have to read it.
    pub fn open(disk: &Disk, path: &Path) -> Result<Self, PartialError> {
        disk.before(Step::CreateFolder, path)?;
        fs::create_dir_all(folder_of(path))?;
        loop {
            disk.before(Step::CreateTemporary, path)?;
            #[expect(clippy::disallowed_methods, reason = "this is the place")]
            let file = OpenOptions::new().append(true).create(true).open(path)?;
            match FileExt::try_lock_exclusive(&file) {
                Ok(()) if is_still_at(&file, path) => {
                    let written = file.metadata()?.len();
                    return Ok(Self { file, path: path.to_path_buf(), disk: disk.clone(), written });
                }
                // Its writer finished between our opening and our locking: begin with what stands there now.
                Ok(()) => {}
                Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => {
                    return Err(PartialError::InUse);
                }
                Err(error) => return Err(PartialError::Io(error)),
            }
        }
    }

    /// How much of it is there, in bytes.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// What is there, to be read from its beginning.
    pub fn content(&self) -> io::Result<File> {
        File::open(&self.path)
    }

    /// Puts a piece at its end.
    pub fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        self.disk.before(Step::Write, &self.path)?;
        self.file.write_all(piece)?;
        self.written += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        Ok(())
    }

    /// Begins again with nothing.
    pub fn clear(&mut self) -> io::Result<()> {
        self.disk.before(Step::Write, &self.path)?;
        self.file.set_len(0)?;
        self.written = 0;
        Ok(())
    }

    /// Makes it durable and gives it its name. What has the name already is replaced.
    pub fn finish(self, target: &Path) -> io::Result<Replaced> {
        self.disk.before(Step::SyncFile, &self.path)?;
        self.file.sync_all()?;
        self.disk.rename(&self.path, target)
    }

    /// Throws it away.
    pub fn discard(self) -> io::Result<()> {
        self.disk.remove(&self.path)
    }
}

/// How many bytes the file system of a path has room for; of its nearest folder that exists.
pub fn room(path: &Path) -> io::Result<u64> {
    let there = path.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    fs2::available_space(there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_survive_their_writer_and_get_the_name_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, target) = (folder.path().join("new/.a.partial"), folder.path().join("new/a"));
        let disk = Disk::default();
        let mut partial = Partial::open(&disk, &path).expect("a new one");
        partial.append(b"one ").expect("room");
        drop(partial);
        let mut partial = Partial::open(&disk, &path).expect("the same");
        assert_eq!(partial.written(), 4);
        partial.append(b"two").expect("room");
        assert!(!target.exists(), "half a file has no name");
        partial.finish(&target).expect("a name");
        assert_eq!(fs::read(&target).expect("the file"), b"one two");
        assert!(!path.exists());
    }

    #[test]
    fn two_never_write_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, target) = (folder.path().join(".a.partial"), folder.path().join("a"));
        let disk = Disk::default();
        let first = Partial::open(&disk, &path).expect("a new one");
        assert!(matches!(Partial::open(&disk, &path), Err(PartialError::InUse)));
        first.finish(&target).expect("a name");
        let second = Partial::open(&disk, &path).expect("the name is free again");
        assert_eq!(second.written(), 0, "what has its name is not written any more");
        second.discard().expect("gone");
        assert!(!path.exists() && target.exists());
    }

    #[test]
    fn room_is_told_of_folders_that_are_not_there_yet() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(room(&folder.path().join("a/b/c")).expect("a file system") > 0);
    }
}
