//! Where variables come from: a seam, so that tests and the sandbox never touch the process environment.

use std::{collections::BTreeMap, fmt};

/// Names and values of variables.
pub trait Source: fmt::Debug + Send + Sync {
    /// The value of a variable; `None` when unset. An empty value counts as unset for the callers in `config`.
    fn get(&self, name: &str) -> Option<String>;

    /// All names that are set, to find numbered variables and misspelt ones.
    fn names(&self) -> Vec<String>;
}

/// Variables in memory.
#[derive(Clone, Default)]
pub struct MapSource(BTreeMap<String, String>);

impl MapSource {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Sets a variable in place.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }
}

impl FromIterator<(String, String)> for MapSource {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Debug for MapSource {
    /// Names only: values may be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.0.keys()).finish()
    }
}

impl Source for MapSource {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}
