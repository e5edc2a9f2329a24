//! The real source: the process's environment over a `.env` file that is read into a map and never exported.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{Document, Mistake, Mistakes, Source, reader::problem};

/// The process's variables, below them those of a `.env` file, and the `cortana.toml` beside that.
pub struct Environment {
    process: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
    document: Option<Document>,
}

/// This program's file, for what it calls itself for. `None`: the system does not say.
pub fn program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Everything that this process was started with, for a program that shows it.
pub fn inherited() -> BTreeMap<String, String> {
    process()
}

/// Reads the process's environment over `dotenv`, or over `.env` in the working folder where that exists.
///
/// A `.env` that was asked for and cannot be read, and each line that is not `NAME=value`, is a mistake; the line is
/// named by its number and its variable, never by its value, which may be a secret.
pub fn environment(dotenv: Option<&Path>) -> Result<Environment, Mistakes> {
    let path = dotenv.map_or_else(|| PathBuf::from(".env"), Path::to_owned);
    let document = read_document(&path.with_file_name("cortana.toml"));
    let file = match read_dotenv(&path) {
        Ok(file) => file,
        Err(DotenvError::Absent) if dotenv.is_none() => BTreeMap::new(),
        Err(DotenvError::Absent) => {
            return Err(mistake(&path, "there is no such file; copy .env.example to it".to_owned()));
        }
        Err(DotenvError::Unreadable(problem)) => {
            return Err(mistake(&path, format!("the file cannot be read ({problem})")));
        }
        Err(DotenvError::Lines { broken, good }) => {
            let mut mistakes: Vec<Mistake> = broken.iter().map(|line| line.mistake(&path)).collect();
            // What the other lines get wrong is told with it: all mistakes at once.
            let rest = super::load(&Environment { process: process(), file: good, document });
            mistakes.extend(rest.err().into_iter().flat_map(|Mistakes(rest)| rest));
            return Err(Mistakes(mistakes));
        }
    };
    Ok(Environment { process: process(), file, document })
}

/// The process's variables that are UTF-8; the others can be none of ours.
#[expect(clippy::disallowed_methods, reason = "this is the place")]
fn process() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl Source for Environment {
    fn get(&self, name: &str) -> Option<String> {
        self.process.get(name).or_else(|| self.file.get(name)).cloned()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.process.keys().chain(self.file.keys()).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    fn document(&self) -> Option<Document> {
        self.document.clone()
    }
}

impl fmt::Debug for Environment {
    /// Names of the file only: values may be secrets, and the process's names are nobody's business.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.file.keys()).finish()
    }
}

enum DotenvError {
    Absent,
    Unreadable(String),
    /// Lines that cannot be understood, and the variables of the others.
    Lines {
        broken: Vec<BrokenLine>,
        good: BTreeMap<String, String>,
    },
}

/// A line that is not `NAME=value`.
#[derive(Debug, PartialEq, Eq)]
struct BrokenLine {
    /// Counted from 1.
    number: usize,
    /// What stands before its `=`, where that is a name.
    name: Option<String>,
}

impl BrokenLine {
    fn mistake(&self, path: &Path) -> Mistake {
        let Self { number, name } = self;
        let name = name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
        Mistake {
            variable: format!("{}, line {number}{name}", path.display()),
            value: None,
            expected: "expected NAME=value, with quotes around a value that has spaces, quotes or `#` in it"
                .to_owned(),
        }
    }
}

/// The name that a line sets; nothing that could be part of a value.
fn name_in(line: &str) -> Option<String> {
    let (name, _) = line.split_once('=')?;
    let name = name.trim().trim_start_matches("export ").trim();
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    is_name.then(|| name.to_owned())
}

fn mistake(path: &Path, expected: String) -> Mistakes {
    Mistakes(vec![Mistake { variable: path.display().to_string(), value: None, expected }])
}

fn read_document(path: &Path) -> Option<Document> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => Err(problem(&error)),
    };
    Some(Document { name: path.display().to_string(), text })
}

fn read_dotenv(path: &Path) -> Result<BTreeMap<String, String>, DotenvError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            DotenvError::Absent
        } else {
            DotenvError::Unreadable(problem(&error))
        }
    })?;
    parse_dotenv(&text)
}

/// Reads `NAME=value` lines with dotenvy; the last of several values of one name counts.
fn parse_dotenv(text: &str) -> Result<BTreeMap<String, String>, DotenvError> {
    let handed = Rc::new(Cell::new(0));
    let text = text.trim_start_matches('\u{feff}');
    let lines = LineByLine { rest: text.as_bytes(), handed: Rc::clone(&handed) };
    let mut variables = BTreeMap::new();
    let mut broken = Vec::new();
    for entry in dotenvy::from_read_iter(lines) {
        match entry {
            Ok((name, value)) => {
                variables.insert(name, value);
            }
            Err(dotenvy::Error::LineParse(content, _)) => {
                // An unclosed quote takes the lines behind it along: the first is the one to mend.
                let taken = content.lines().count().max(1);
                let number = (handed.get() + 1).saturating_sub(taken);
                let name = text.lines().nth(number.saturating_sub(1)).and_then(name_in);
                broken.push(BrokenLine { number, name });
            }
            Err(_) => return Err(DotenvError::Unreadable("not a text of lines".to_owned())),
        }
    }
    if broken.is_empty() { Ok(variables) } else { Err(DotenvError::Lines { broken, good: variables }) }
}

/// Hands out one line a read, and counts them: dotenvy reports a broken line's content, which may be a secret, and not
/// its number.
struct LineByLine<'a> {
    rest: &'a [u8],
    handed: Rc<Cell<usize>>,
}

impl io::Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |end| end + 1);
        let length = line.min(buffer.len());
        let (now, later) = self.rest.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.rest = later;
        if length == line && length > 0 {
            self.handed.set(self.handed.get() + 1);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(text: &str) -> Vec<usize> {
        match parse_dotenv(text) {
            Err(DotenvError::Lines { broken, .. }) => broken.iter().map(|line| line.number).collect(),
            Err(DotenvError::Absent | DotenvError::Unreadable(_)) | Ok(_) => Vec::new(),
        }
    }

    #[test]
    fn a_broken_line_is_named_by_its_number() {
        assert_eq!(broken("A=1\n# note\n\nthis is no variable\nB=2\n"), [4]);
        assert_eq!(broken("A=1\nfirst wrong\nB=2\nsecond wrong # note\n"), [2, 4]);
        assert_eq!(broken("A=1\nB='never closed\nC=3\nD=4"), [2]);
    }

    #[test]
    fn a_broken_line_is_named_by_its_variable_and_never_by_its_value() {
        let named = |text: &str| match parse_dotenv(text) {
            Err(DotenvError::Lines { broken, .. }) => broken.into_iter().map(|line| line.name).collect(),
            Err(DotenvError::Absent | DotenvError::Unreadable(_)) | Ok(_) => Vec::new(),
        };
        assert_eq!(named("OPERATOR_IDS=1, 2\n"), [Some("OPERATOR_IDS".to_owned())]);
        assert_eq!(named("secret canary\n"), [None]);
    }

    #[test]
    fn quotes_spread_over_lines_and_the_last_value_counts() {
        let text = "\u{feff}A='{\n\"k\": 1}'\nB=one\nB=two\nexport C=3\n";
        let variables = parse_dotenv(text).unwrap_or_default();
        let expected = [("A", "{\n\"k\": 1}"), ("B", "two"), ("C", "3")];
        assert_eq!(variables, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    }
}
