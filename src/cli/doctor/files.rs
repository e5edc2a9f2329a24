//! Folders and files: who owns them, who may read them, whether they can be written.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use super::Finding;
use crate::{
    config::Settings,
    fs::{Disk, problem},
};

/// The credentials folder and the state folder.
pub(super) fn folders(settings: &Settings) -> Vec<Finding> {
    vec![credentials_folder(&settings.pool.credentials_dir), state_folder(&settings.pool.state_dir)]
}

fn credentials_folder(folder: &Path) -> Finding {
    const CHECK: &str = "credentials folder";
    let shown = folder.display();
    let finding = match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::warn(
            CHECK,
            "there is no such folder; only credentials from variables are used",
            format!("mkdir -m 700 {shown}"),
        ),
        Err(error) => Finding::fail(CHECK, format!("cannot be looked at ({})", error.kind()), own(folder)),
        Ok(metadata) if !metadata.is_dir() => {
            Finding::fail(CHECK, "is not a folder", "set CREDENTIALS_DIR to a folder")
        }
        Ok(_) if fs::read_dir(folder).is_err() => Finding::fail(CHECK, "cannot be read", own(folder)),
        Ok(metadata) => match probe(folder, &metadata) {
            Probe::Writable => Finding::pass(CHECK, "can be read and written"),
            Probe::Refused(problem) => Finding::warn(
                CHECK,
                format!("cannot be written ({problem}): refreshed tokens cannot be saved beside their files"),
                own(folder),
            ),
            Probe::NotTried => not_as_root(CHECK, &metadata),
        },
    };
    finding.of(shown.to_string())
}

fn state_folder(folder: &Path) -> Finding {
    const CHECK: &str = "state folder";
    let shown = folder.display();
    let finding = match fs::metadata(folder) {
        // Made at the start: what counts is whether that would work.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = folder.ancestors().skip(1).map(here).find(|parent| parent.exists());
            match parent.and_then(|parent| Some((parent, fs::metadata(parent).ok()?))) {
                Some((parent, metadata)) => match probe(parent, &metadata) {
                    Probe::Writable => Finding::pass(CHECK, "does not exist yet and can be made"),
                    Probe::Refused(problem) => Finding::fail(
                        CHECK,
                        format!("does not exist and cannot be made in {} ({problem})", parent.display()),
                        format!("mkdir -p {shown}, then {}", own(folder)),
                    ),
                    Probe::NotTried => not_as_root(CHECK, &metadata),
                },
                None => Finding::fail(CHECK, "has no folder to be made in", "set STATE_DIR to another path"),
            }
        }
        Err(error) => Finding::fail(CHECK, format!("cannot be looked at ({})", error.kind()), own(folder)),
        Ok(metadata) if !metadata.is_dir() => {
            Finding::fail(CHECK, "is not a folder", "set STATE_DIR to a folder")
        }
        Ok(metadata) => match probe(folder, &metadata) {
            Probe::Writable => Finding::pass(CHECK, "can be written"),
            Probe::Refused(problem) => {
                Finding::fail(CHECK, format!("cannot be written ({problem})"), own(folder))
            }
            Probe::NotTried => not_as_root(CHECK, &metadata),
        },
    };
    finding.of(shown.to_string())
}

/// Who owns a credential's file and who may read it.
pub(super) fn permissions(path: &Path) -> Finding {
    const CHECK: &str = "permissions";
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => {
            return Finding::fail(CHECK, format!("cannot be looked at ({})", error.kind()), own(path));
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    let us = user();
    let owner = metadata.uid();
    if owner != us && us != 0 {
        return Finding::warn(
            CHECK,
            format!("belongs to user {owner}, and this is user {us} (mode {mode:03o})"),
            own(path),
        );
    }
    if mode & 0o077 != 0 {
        return Finding::warn(
            CHECK,
            format!("others may read it (mode {mode:03o}); the bot takes their rights away when it loads it"),
            format!("chmod 600 {}", path.display()),
        );
    }
    Finding::pass(CHECK, format!("belongs to user {owner}, mode {mode:03o}"))
}

/// Whether looking further would leave files of root's behind that the bot cannot open.
pub(super) fn is_foreign_to_root(path: &Path) -> bool {
    user() == 0 && fs::metadata(path).is_ok_and(|metadata| metadata.uid() != 0)
}

/// The user this process acts as.
fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The command that gives a path to this user.
fn own(path: &Path) -> String {
    let group = rustix::process::getegid().as_raw();
    format!("sudo chown -R {}:{group} {}", user(), path.display())
}

pub(super) fn not_as_root(check: &'static str, metadata: &Metadata) -> Finding {
    Finding::warn(
        check,
        format!("not tried: this is root, and it belongs to user {}", metadata.uid()),
        format!("run the check as the bot's user: sudo -u '#{}' cortana doctor", metadata.uid()),
    )
}

enum Probe {
    Writable,
    Refused(String),
    /// As root in somebody else's folder: a file of root's must not stay there.
    NotTried,
}

/// Makes a file and removes it again: permission bits say nothing about read-only mounts and full disks (P13).
fn probe(folder: &Path, metadata: &Metadata) -> Probe {
    if user() == 0 && metadata.uid() != 0 {
        return Probe::NotTried;
    }
    let disk = Disk::default();
    let path = folder.join(format!(".doctor.{}.new", std::process::id()));
    match disk.create_exclusive(&path, b"probe").and_then(|()| disk.remove(&path)) {
        Ok(()) => Probe::Writable,
        Err(error) => Probe::Refused(problem(&error)),
    }
}

/// A path that names the working folder when it is empty, as parents of bare names are.
fn here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}
