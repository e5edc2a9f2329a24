//! Where variables come from: a seam, so that tests and the sandbox never touch the process environment.

use std::{collections::BTreeMap, fmt};

use super::Document;

/// Names and values of variables.
pub trait Source: fmt::Debug + Send + Sync {
    /// The value of a variable; `None` when unset. An empty value counts as unset for the callers in `config`.
    fn get(&self, name: &str) -> Option<String>;

    /// All names that are set, to find numbered variables and misspelt ones.
    fn names(&self) -> Vec<String>;

    /// `cortana.toml`, where there is one. None unless said otherwise.
    fn document(&self) -> Option<Document> {
        None
    }
}

/// Variables in memory.
#[derive(Clone, Default)]
pub struct MapSource {
    variables: BTreeMap<String, String>,
    document: Option<Document>,
}

impl MapSource {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets the text of `cortana.toml`.
    #[must_use]
    pub fn with_document(mut self, text: &str) -> Self {
        self.document = Some(Document { name: "cortana.toml".to_owned(), text: Ok(text.to_owned()) });
        self
    }

    /// Sets a variable in place.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.variables.insert(name.into(), value.into());
    }
}

impl FromIterator<(String, String)> for MapSource {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self { variables: pairs.into_iter().collect(), document: None }
    }
}

impl fmt::Debug for MapSource {
    /// Names only: values may be secrets.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.variables.keys()).finish()
    }
}

impl Source for MapSource {
    fn get(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.variables.keys().cloned().collect()
    }

    fn document(&self) -> Option<Document> {
        self.document.clone()
    }
}
