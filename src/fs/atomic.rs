//! Writing so that a reader, a crash or a full disk never meets half a file.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown, symlink},
    path::Path,
    sync::Arc,
};

use super::{Faults, NoFaults, Step, folder_of};

/// Readable and writable by the owner alone (P18).
const PRIVATE: u32 = 0o600;
/// The rights of group and others.
const OTHERS: u32 = 0o077;
/// A folder that only the owner may enter.
const PRIVATE_FOLDER: u32 = 0o700;

/// The disk, as this program changes it.
#[derive(Debug, Clone)]
pub struct Disk {
    faults: Arc<dyn Faults>,
}

/// How a replacement ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replaced {
    /// The new name and content are on disk.
    Durable,
    /// The new content has the name, but the folder could not be made durable: a power cut may bring the old one back,
    /// beside no temporary file.
    NotSynced,
}

/// Why a replacement failed, and what it left.
#[derive(Debug)]
pub(crate) enum ReplaceError {
    /// The temporary file was not completed; it is removed where that was possible. The target is as it was.
    Incomplete(io::Error),
    /// The temporary file is complete and durable beside the target, but could not take its name.
    NotRenamed(io::Error),
}

impl From<ReplaceError> for io::Error {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::Incomplete(error) | ReplaceError::NotRenamed(error) => error,
        }
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self { faults: Arc::new(NoFaults) }
    }
}

impl Disk {
    /// The disk behind a fault shim.
    pub fn with_faults(faults: Arc<dyn Faults>) -> Self {
        Self { faults }
    }

    pub(super) fn before(&self, step: Step, path: &Path) -> io::Result<()> {
        self.faults.before(step, path)
    }

    /// Replaces `target` by way of `temporary`, which must stand in the same folder (P12): create with 0600, write,
    /// fsync, rename, fsync of the folder. The target keeps its owner where we may give files away.
    pub(crate) fn replace(
        &self,
        target: &Path,
        temporary: &Path,
        bytes: &[u8],
    ) -> Result<Replaced, ReplaceError> {
        if let Err(error) = self.write_temporary(target, temporary, bytes) {
            // What stands there is incomplete, and the next attempt has the same name: a failure here is only litter.
            drop(self.remove(temporary));
            return Err(ReplaceError::Incomplete(error));
        }
        self.rename(temporary, target).map_err(ReplaceError::NotRenamed)
    }

    fn write_temporary(&self, target: &Path, temporary: &Path, bytes: &[u8]) -> io::Result<()> {
        self.before(Step::CreateTemporary, temporary)?;
        #[expect(clippy::disallowed_methods, reason = "this is the place")]
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(PRIVATE).open(temporary)?;
        // An orphan of the same name may have another mode.
        file.set_permissions(fs::Permissions::from_mode(PRIVATE))?;
        if let (Ok(old), Ok(new)) = (fs::metadata(target), file.metadata())
            && (old.uid(), old.gid()) != (new.uid(), new.gid())
        {
            // Root in a container must not take the file away from the host's user. Anybody else may not chown: then
            // the folder's owner decides, as with any editor.
            drop(fchown(&file, Some(old.uid()), Some(old.gid())));
        }
        self.before(Step::Write, temporary)?;
        file.write_all(bytes)?;
        self.before(Step::SyncFile, temporary)?;
        file.sync_all()
    }

    /// Gives a complete temporary file its target's name, durably.
    pub(crate) fn rename(&self, temporary: &Path, target: &Path) -> io::Result<Replaced> {
        self.before(Step::Rename, target)?;
        #[expect(clippy::disallowed_methods, reason = "this is the place")]
        fs::rename(temporary, target)?;
        let folder = folder_of(target);
        match self.before(Step::SyncFolder, &folder).and_then(|()| File::open(&folder)?.sync_all()) {
            Ok(()) => Ok(Replaced::Durable),
            Err(_) => Ok(Replaced::NotSynced),
        }
    }

    /// Writes an existing file where it stands. Not atomic: only for a file that is a mount point, and only when its new
    /// content is in a journal (P17).
    pub(crate) fn write_in_place(&self, target: &Path, bytes: &[u8]) -> io::Result<()> {
        self.before(Step::WriteInPlace, target)?;
        #[expect(clippy::disallowed_methods, reason = "this is the place")]
        let mut file = OpenOptions::new().write(true).open(target)?;
        file.rewind()?;
        file.write_all(bytes)?;
        file.set_len(u64::try_from(bytes.len()).unwrap_or(u64::MAX))?;
        self.before(Step::SyncInPlace, target)?;
        file.sync_all()
    }

    /// Creates a file that must not exist yet, 0600 and durable. `AlreadyExists` when it does.
    pub fn create_exclusive(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.before(Step::CreateExclusive, path)?;
        #[expect(clippy::disallowed_methods, reason = "this is the place")]
        let mut file = OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| {
            // Created by us a moment ago; half of it serves nobody.
            drop(self.remove(path));
        })?;
        File::open(folder_of(path))?.sync_all()
    }

    /// Makes a symbolic link that must not exist yet.
    pub fn link(&self, original: &Path, link: &Path) -> io::Result<()> {
        self.before(Step::Link, link)?;
        symlink(original, link)
    }

    /// Removes a file; one that is not there is no error.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        self.before(Step::Remove, path)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Creates a folder and its parents, 0700, unless it is there.
    pub fn create_folder(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        self.before(Step::CreateFolder, path)?;
        fs::DirBuilder::new().recursive(true).mode(PRIVATE_FOLDER).create(path)
    }

    /// Takes group's and others' rights away from a file. `true` when it had any (P18).
    pub fn tighten(&self, path: &Path) -> io::Result<bool> {
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & OTHERS == 0 {
            return Ok(false);
        }
        self.before(Step::Tighten, path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(PRIVATE))?;
        Ok(true)
    }

    /// Proves that a file of this folder can be replaced, by creating, filling and removing `probe` in it (P13).
    ///
    /// Mode bits prove nothing: root passes them, a read-only mount and a full disk ignore them.
    pub(crate) fn prove_writable(&self, probe: &Path, bytes: usize) -> io::Result<()> {
        self.before(Step::CreateTemporary, probe)?;
        #[expect(clippy::disallowed_methods, reason = "this is the place")]
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(PRIVATE).open(probe)?;
        let filled =
            self.before(Step::Write, probe).and_then(|()| file.write_all(&vec![b' '; bytes])).and_then(
                // Without this a full disk may only show when the real file is synced.
                |()| file.sync_data(),
            );
        drop(file);
        let removed = self.remove(probe);
        filled.and(removed)
    }

    /// Proves that an existing file can be opened for writing.
    pub(crate) fn prove_openable(&self, path: &Path) -> io::Result<()> {
        self.before(Step::WriteInPlace, path)?;
        #[expect(clippy::disallowed_methods, reason = "this is the place")]
        OpenOptions::new().write(true).open(path).map(drop)
    }
}
