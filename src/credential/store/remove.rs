//! Removing a login, with everything that was ever put beside it.

use std::path::Path;

use super::{
    super::{Credential, Login, Place, StoreError},
    Guard, Store, source,
};
use crate::fs;

/// Why a credential is not removed, with what to do instead. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRemovable {
    /// It stands in a variable.
    #[error("it stands in {variable}: remove it there")]
    Variable {
        /// The variable.
        variable: String,
    },
    /// It is another program's file, which a link leads to.
    #[error(
        "{label} is a link to another program's file: log out in that program, or remove the link alone with `rm {link}`"
    )]
    Link {
        /// The link's name.
        label: String,
        /// The link, to be typed.
        link: String,
    },
    /// It is a file elsewhere, which a variable names.
    #[error(
        "{label} is not in the credentials folder: log out in the program that wrote it, and remove the variable that names it"
    )]
    Elsewhere {
        /// The file's name.
        label: String,
    },
    /// The file has other accounts too.
    #[error("{label} holds {accounts} accounts: remove this one with the program that wrote it")]
    Shared {
        /// The file's name.
        label: String,
        /// How many.
        accounts: usize,
    },
}

impl Store {
    /// Whether a credential is a file of the folder's own, with nobody else's login in it.
    ///
    /// # Errors
    /// What it is instead.
    pub fn removable(&self, credential: &Credential, credentials_dir: &Path) -> Result<(), NotRemovable> {
        let label = credential.place.label();
        let Place::File { path, target, .. } = &credential.place else {
            return Err(NotRemovable::Variable { variable: label });
        };
        if path.is_symlink() {
            return Err(NotRemovable::Link { label, link: path.display().to_string() });
        }
        let folder = credentials_dir.canonicalize().unwrap_or_else(|_| credentials_dir.to_path_buf());
        if fs::folder_of(target) != folder {
            return Err(NotRemovable::Elsewhere { label });
        }
        let accounts = source::read_plain(target).map_or(1, |source| source.accounts());
        if accounts > 1 {
            return Err(NotRemovable::Shared { label, accounts });
        }
        match &credential.login {
            Login::OAuth(_) => Ok(()),
            Login::ApiKey(_) => Err(NotRemovable::Variable { variable: label }),
        }
    }
}

impl Guard {
    /// Removes the file, what interrupted writes left, what the state folder keeps of it, and last the lock file itself.
    ///
    /// # Errors
    /// When the file cannot be removed. What cannot be removed beside it is told in the log.
    pub fn remove(self) -> Result<(), StoreError> {
        let Some(target) = self.target() else { return Ok(()) };
        let store = self.store();
        store.disk.remove(&target).map_err(|error| StoreError::NotWritable {
            path: fs::file_name(&target),
            problem: fs::problem(&error),
            remedy: "make its folder writable for this process, or remove the file yourself".to_owned(),
        })?;
        store.sweep(&target);
        store.remove_state(self.id());
        if let Err(error) = store.forget_link(self.id()) {
            tracing::warn!(credential.id = %self.id(), problem = %fs::problem(&error), "The link that a removed login was refused with stays");
        }
        let beside =
            [store.journal_path(&target), store.by_target(&target, "lock"), source::sidecar(&target)];
        for path in beside {
            if let Err(error) = store.disk.remove(&path) {
                tracing::warn!(file = %fs::file_name(&path), problem = %fs::problem(&error), "What stood beside a removed login stays");
            }
        }
        Ok(())
    }
}
