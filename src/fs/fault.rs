//! The fault shim: a seam in front of every step that changes the disk.

use std::{fmt, io, path::Path};

/// One change to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The temporary file is created, empty.
    CreateTemporary,
    /// Its content is written.
    Write,
    /// Its content is made durable.
    SyncFile,
    /// It takes the target's name.
    Rename,
    /// The new name is made durable.
    SyncFolder,
    /// A file is created that must not exist yet.
    CreateExclusive,
    /// A file is written where it stands, since its name cannot be replaced.
    WriteInPlace,
    /// A file that was written where it stands is made durable.
    SyncInPlace,
    /// A file is removed.
    Remove,
    /// A file's mode is tightened.
    Tighten,
    /// A folder is created.
    CreateFolder,
    /// A symbolic link is made.
    Link,
    /// A lock file is opened, and created where it is missing.
    OpenLock,
    /// The notes in a lock file are written.
    WriteNotes,
}

/// Decides whether a step may happen. A test that stops the program before a step refuses that one and all later ones.
pub trait Faults: Send + Sync + fmt::Debug {
    /// Called before the step; an error takes its place.
    fn before(&self, step: Step, path: &Path) -> io::Result<()>;
}

/// Nothing goes wrong but what really goes wrong.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn before(&self, _step: Step, _path: &Path) -> io::Result<()> {
        Ok(())
    }
}
