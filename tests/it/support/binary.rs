//! The real binary in a folder of its own, with an environment of its own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

/// A working folder with `credentials` and `data`, and the variables that the binary sees: no others.
pub(crate) struct Home {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Home {
    /// An empty home with these variables.
    pub(crate) fn new(variables: Vec<(String, String)>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("credentials")).expect("a folder");
        Self { folder, variables }
    }

    /// The folder itself.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file of the credentials folder.
    pub(crate) fn credential(&self, name: &str) -> PathBuf {
        self.path().join("credentials").join(name)
    }

    /// Puts a credential file there.
    pub(crate) fn drop_credential(&self, name: &str, content: &Value) -> PathBuf {
        let path = self.credential(name);
        #[expect(clippy::disallowed_methods, reason = "a person drops a file")]
        fs::write(&path, content.to_string()).expect("a written file");
        path
    }

    /// What a credential file holds now.
    pub(crate) fn read(&self, name: &str) -> Value {
        let text = fs::read_to_string(self.credential(name)).expect("the file");
        serde_json::from_str(&text).expect("the file is never half written")
    }

    /// A command in this home; the environment of the test is not passed on.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).env_clear().envs(self.variables.iter().cloned());
        command
    }
}

/// Whether strace may trace here; where not, says aloud what was not done.
#[expect(clippy::print_stdout, reason = "a test that skips says so aloud")]
pub(crate) fn has_strace(undone: &str) -> bool {
    let works = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "true"])
        .status()
        .is_ok_and(|status| status.success());
    if !works {
        println!("SKIPPED: strace is missing or may not trace here; {undone}");
    }
    works
}
