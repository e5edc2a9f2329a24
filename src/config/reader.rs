//! Reads variables one by one and collects every mistake instead of stopping at the first.

use std::{
    collections::BTreeSet,
    fmt::Display,
    io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use super::{Mistake, Mistakes, Source, names};
use crate::secret::Secret;

/// More than any secret or prompt: a variable that names a disk image is a mistake, not a memory problem.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A source, and what was found wrong with it so far.
pub(super) struct Reader<'a> {
    source: &'a dyn Source,
    mistakes: Vec<Mistake>,
    warnings: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(source: &'a dyn Source) -> Self {
        Self { source, mistakes: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn source(&self) -> &'a dyn Source {
        self.source
    }

    /// The warnings, unless there was a mistake.
    pub(super) fn finish(self) -> Result<Vec<String>, Mistakes> {
        if self.mistakes.is_empty() { Ok(self.warnings) } else { Err(Mistakes(self.mistakes)) }
    }

    /// Notes a mistake and the value that is one.
    pub(super) fn mistake(&mut self, variable: &str, value: &str, expected: impl Into<String>) {
        self.mistakes.push(Mistake {
            variable: variable.to_owned(),
            value: Some(value.to_owned()),
            expected: expected.into(),
        });
    }

    /// Notes a mistake in a secret: its value stays unsaid.
    pub(super) fn secret_mistake(&mut self, variable: &str, expected: impl Into<String>) {
        self.mistakes.push(Mistake { variable: variable.to_owned(), value: None, expected: expected.into() });
    }

    /// Notes something odd.
    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// A value without the space around it; empty counts as unset.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let value = self.source.get(name)?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    /// A secret, from the variable or from the file that `NAME_FILE` names.
    pub(super) fn secret(&mut self, name: &str) -> Option<Secret> {
        let file_name = format!("{name}_FILE");
        match (self.text(name), self.text(&file_name)) {
            (Some(_), Some(_)) => {
                self.secret_mistake(name, format!("set either {name} or {file_name}, not both"));
                None
            }
            (Some(value), None) => Some(Secret::new(value)),
            (None, Some(path)) => self.file(&file_name, &path).map(Secret::new),
            (None, None) => None,
        }
    }

    /// The text of a file that a variable names, without the space around it.
    pub(super) fn file(&mut self, variable: &str, path: &str) -> Option<String> {
        match read_small(&self.expand(path)) {
            Ok(text) if text.trim().is_empty() => {
                self.mistake(variable, path, "the file is empty; put the value into it");
                None
            }
            Ok(text) => Some(text.trim().to_owned()),
            Err(problem) => {
                self.mistake(variable, path, format!("the file cannot be read ({problem})"));
                None
            }
        }
    }

    /// A path; a leading `~/` stands for the home folder, since nothing expands it in a `.env` file.
    pub(super) fn path(&self, name: &str, default: PathBuf) -> PathBuf {
        self.text(name).map_or(default, |path| self.expand(&path))
    }

    /// Puts the home folder in the place of a leading `~/`.
    pub(super) fn expand(&self, path: &str) -> PathBuf {
        match (path.strip_prefix("~/"), self.text("HOME")) {
            (Some(rest), Some(home)) => Path::new(&home).join(rest),
            (Some(_) | None, _) => PathBuf::from(path),
        }
    }

    /// A value of any type that reads itself.
    pub(super) fn parsed<T: FromStr>(&mut self, name: &str, default: T, expected: &str) -> T {
        let Some(text) = self.text(name) else { return default };
        text.parse().unwrap_or_else(|_| {
            self.mistake(name, &text, expected);
            default
        })
    }

    /// A whole number within a range.
    pub(super) fn number<T>(&mut self, name: &str, default: T, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let Some(text) = self.text(name) else { return default };
        match text.parse() {
            Ok(number) if range.contains(&number) => number,
            Ok(_) | Err(_) => {
                let (low, high) = (range.start(), range.end());
                self.mistake(name, &text, format!("expected a whole number from {low} to {high}"));
                default
            }
        }
    }

    /// Whole seconds within a range.
    pub(super) fn seconds(&mut self, name: &str, default: Duration, range: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.number(name, default.as_secs(), range))
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&mut self, name: &str, default: T, choices: &[(&str, T)]) -> T {
        let Some(text) = self.text(name) else { return default };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| word.eq_ignore_ascii_case(&text)) {
            return *choice;
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        let near = names::suggestion(&text, words.iter().copied());
        self.mistake(name, &text, format!("expected one of {}{near}", words.join(", ")));
        default
    }

    /// `1` or `0`, and the other words people write for them; unset is no.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        self.choice(
            name,
            false,
            &[
                ("0", false),
                ("1", true),
                ("false", false),
                ("true", true),
                ("no", false),
                ("yes", true),
                ("off", false),
                ("on", true),
            ],
        )
    }

    /// The parts of a list, separated by commas or space.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.text(name).map_or_else(Vec::new, |text| {
            text.split(|c: char| c == ',' || c.is_whitespace())
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect()
        })
    }

    /// A list of Discord ids.
    pub(super) fn ids(&mut self, name: &str) -> BTreeSet<u64> {
        let mut ids = BTreeSet::new();
        for part in self.list(name) {
            match part.parse::<u64>() {
                Ok(id) if id > 0 => {
                    ids.insert(id);
                }
                Ok(_) | Err(_) => self.mistake(
                    name,
                    &part,
                    "expected Discord ids (digits only), separated by commas; \
                     turn on Developer Mode in Discord and choose Copy ID",
                ),
            }
        }
        ids
    }
}

/// Reads a small text file; the error is the operating system's word without the path.
fn read_small(path: &Path) -> Result<String, String> {
    let metadata = std::fs::metadata(path).map_err(|error| problem(&error))?;
    if metadata.is_dir() {
        return Err("it is a folder".to_owned());
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err("it is larger than 1 MiB".to_owned());
    }
    std::fs::read_to_string(path).map_err(|error| problem(&error))
}

/// The operating system's word for what went wrong, without the path.
pub(super) fn problem(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::NotFound {
        "there is no such file".to_owned()
    } else {
        error.kind().to_string()
    }
}
