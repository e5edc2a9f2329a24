//! Bringing a credential file of another tool into the credentials folder.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    super::{Credential, Login},
    Rejected, SourceSpec, Store, source,
};
use crate::{
    fs,
    provider::{Provider, ProviderId},
};

/// Digits of a hash in an imported file's name.
const NAME_DIGITS: usize = 8;
const SIZE_LIMIT: u64 = 1 << 20;

/// How a file is brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImportMode {
    /// A link where a refresh ends the old refresh token, since a copy's first refresh would log the other program out;
    /// otherwise a copy.
    #[default]
    Auto,
    /// Always a copy.
    Copy,
}

/// How a file was brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportedAs {
    /// A symbolic link: both programs share the file.
    Link,
    /// A copy.
    Copy,
}

/// What was brought in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Where it is now.
    pub path: PathBuf,
    /// How it got there.
    pub how: ImportedAs,
    /// What it holds, by its new place.
    pub credentials: Vec<Credential>,
}

/// Why nothing was brought in. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// The file holds no usable credential.
    #[error("{} cannot be imported: {}", .0.label, .0.reason)]
    Rejected(Rejected),
    /// The login is in the folder already.
    #[error("this login is in the credentials folder already, as {label}")]
    AlreadyThere {
        /// The file's name in the folder.
        label: String,
    },
    /// The folder cannot take it.
    #[error("{label} could not be created ({problem}); make the credentials folder writable for this user")]
    NotWritable {
        /// The name it would have.
        label: String,
        /// The operating system's word for it.
        problem: String,
    },
}

impl Store {
    /// Reads a file as a load would, and changes nothing but what an interrupted write of ours left.
    pub fn inspect(&self, path: &Path, provider: Option<&ProviderId>) -> Result<Vec<Credential>, Rejected> {
        let mut warnings = Vec::new();
        let found = self.read_file(path, provider, &mut warnings);
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        found.map(|(credentials, _)| credentials)
    }

    /// Brings a file into `credentials_dir` under a name that tells its provider and nothing of its content. Creates it
    /// exclusively: no file is ever overwritten.
    pub fn import(
        &self,
        path: &Path,
        provider: Option<&ProviderId>,
        credentials_dir: &Path,
        mode: ImportMode,
    ) -> Result<Imported, ImportError> {
        let found = self.inspect(path, provider).map_err(ImportError::Rejected)?;
        let first = found.first().ok_or_else(|| {
            let (label, reason) = (fs::file_name(path), "it holds no account".to_owned());
            ImportError::Rejected(Rejected { label, provider: provider.cloned(), reason, gone: false })
        })?;
        if let Some(label) = self.known(&found, credentials_dir) {
            return Err(ImportError::AlreadyThere { label });
        }
        let digits: String = first.id.as_str().chars().take(NAME_DIGITS).collect();
        let name = format!("{}-{digits}.json", first.provider);
        let destination = credentials_dir.join(&name);
        let how = match mode {
            ImportMode::Auto if self.row_rotates(&first.provider) => ImportedAs::Link,
            ImportMode::Auto | ImportMode::Copy => ImportedAs::Copy,
        };
        self.bring(path, &destination, how).map_err(|error| {
            let label = name.clone();
            if error.kind() == io::ErrorKind::AlreadyExists {
                ImportError::AlreadyThere { label }
            } else {
                ImportError::NotWritable { label, problem: fs::problem(&error) }
            }
        })?;
        let credentials = self.inspect(&destination, None).map_err(ImportError::Rejected)?;
        Ok(Imported { path: destination, how, credentials })
    }

    fn bring(&self, path: &Path, destination: &Path, how: ImportedAs) -> io::Result<()> {
        self.disk.create_folder(&fs::folder_of(destination))?;
        match how {
            ImportedAs::Link => self.disk.link(&path.canonicalize()?, destination),
            ImportedAs::Copy => {
                self.disk.create_exclusive(destination, fs::read_text(path, SIZE_LIMIT)?.as_bytes())
            }
        }
    }

    fn row_rotates(&self, provider: &ProviderId) -> bool {
        self.options.providers.get(provider).and_then(Provider::oauth).is_some_and(|spec| spec.rotates)
    }

    /// The file of the folder that holds one of these logins already.
    fn known(&self, found: &[Credential], credentials_dir: &Path) -> Option<String> {
        let there = self.load(&[SourceSpec::Folder(credentials_dir.to_path_buf())]);
        let token = |credential: &Credential| match &credential.login {
            Login::OAuth(login) => Some(source::fingerprint(login)),
            Login::ApiKey(_) => None,
        };
        there
            .credentials
            .iter()
            .find(|known| found.iter().any(|new| token(new).is_some() && token(new) == token(known)))
            .map(|known| known.place.label())
    }
}
