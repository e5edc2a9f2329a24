//! `cortana.toml`: what is nested and so has no variable. A key is read once; what nobody read is a mistake.

use std::ops::RangeInclusive;

use toml::{Table, Value};

use super::{names, reader::Reader};

/// A configuration file as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What messages call it: `cortana.toml`.
    pub name: String,
    /// Its text, or why it cannot be read.
    pub text: Result<String, String>,
}

/// A table of the file, with the path of keys that leads to it.
#[derive(Debug, Default)]
pub(super) struct Section {
    path: String,
    table: Table,
    known: Vec<&'static str>,
}

impl Section {
    /// The whole file; empty where there is none or where it cannot be read.
    pub(super) fn root(reader: &mut Reader<'_>) -> Self {
        let Some(Document { name, text }) = reader.source().document() else { return Self::default() };
        let table = match text {
            Ok(text) => text.parse::<Table>().map_err(|error| {
                let line =
                    error.span().and_then(|span| text.get(..span.start)).map(|before| before.lines().count());
                let line = line.map_or_else(String::new, |line| format!(", line {}", line.max(1)));
                (format!("{name}{line}"), format!("not TOML ({})", error.message()))
            }),
            Err(problem) => Err((name.clone(), format!("the file cannot be read ({problem})"))),
        };
        let table = table.unwrap_or_else(|(place, problem)| {
            reader.secret_mistake(&place, problem);
            Table::new()
        });
        Self { path: format!("{name}: "), table, known: Vec::new() }
    }

    /// The table under a key; empty where there is none.
    pub(super) fn section(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Self {
        let value = self.take(key);
        self.below(reader, key, value.unwrap_or_else(|| Value::Table(Table::new())))
    }

    /// Every table under this one, by its key.
    pub(super) fn sections(self, reader: &mut Reader<'_>) -> Vec<(String, Self)> {
        let Self { path, table, known } = self;
        let named = Self { path, table: Table::new(), known };
        table
            .into_iter()
            .map(|(key, value)| {
                let section = named.below(reader, &key, value);
                (key, section)
            })
            .collect()
    }

    /// Every list of texts in it, by its key, with the path that leads to it.
    pub(super) fn lists(self, reader: &mut Reader<'_>) -> Vec<(String, String, Vec<String>)> {
        let mut found = Vec::new();
        for (key, value) in &self.table {
            let path = self.path_of(key);
            match texts(value) {
                Some(texts) => found.push((key.clone(), path, texts)),
                None => reader.mistake(&path, &shown(value), "expected a list of texts"),
            }
        }
        found
    }

    /// Each table of a list of them: `[[key]]`.
    pub(super) fn tables(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Vec<Self> {
        match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(all)) => all
                .into_iter()
                .zip(1..)
                .map(|(value, number)| self.below(reader, &format!("{key}-{number}"), value))
                .collect(),
            Some(other) => {
                reader.mistake(
                    &self.path_of(key),
                    &shown(&other),
                    format!("expected tables, each under [[…{key}]]"),
                );
                Vec::new()
            }
        }
    }

    /// A text that is not blank.
    pub(super) fn text(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        let text = value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
        if text.is_none() {
            reader.mistake(&self.path_of(key), &shown(&value), "expected a text");
        }
        text
    }

    /// A list of texts; unset is none.
    pub(super) fn texts(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Vec<String> {
        let Some(value) = self.take(key) else { return Vec::new() };
        texts(&value).unwrap_or_else(|| {
            reader.mistake(&self.path_of(key), &shown(&value), "expected a list of texts");
            Vec::new()
        })
    }

    /// Names with their values: a table of texts, or a list of names that `value_of` knows.
    pub(super) fn named_values(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        value_of: impl Fn(&str) -> Option<String>,
    ) -> Vec<(String, String)> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let path = self.path_of(key);
        if let Some(names) = texts(&value) {
            let mut pairs = Vec::new();
            for name in names {
                match value_of(&name) {
                    Some(value) => pairs.push((name, value)),
                    None => reader.mistake(&path, &name, "no such variable is set; set it, or take it out"),
                }
            }
            return pairs;
        }
        let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        let pairs = value.as_table().and_then(|table| table.iter().map(pair).collect());
        pairs.unwrap_or_else(|| {
            // A value may be a secret.
            reader.secret_mistake(
                &path,
                "expected a list of names of variables, or a table of names and texts",
            );
            Vec::new()
        })
    }

    /// Where it stands in the file, for a mistake that concerns all of it.
    pub(super) fn place(&self) -> &str {
        self.path.trim_end_matches('.')
    }

    /// The path of its own key, and everything in it, for a reader of whole tables.
    pub(super) fn into_table(self) -> (String, Table) {
        (self.path.trim_end_matches('.').to_owned(), self.table)
    }

    fn below(&self, reader: &mut Reader<'_>, key: &str, value: Value) -> Self {
        let path = self.path_of(key);
        let table = match value {
            Value::Table(table) => table,
            other @ (Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)) => {
                reader.mistake(&path, &shown(&other), "expected a table of keys");
                Table::new()
            }
        };
        Self { path: format!("{path}."), table, known: Vec::new() }
    }

    /// A whole number within a range.
    pub(super) fn number<T>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        default: T,
        range: RangeInclusive<T>,
    ) -> T
    where
        T: TryFrom<i64> + PartialOrd + std::fmt::Display + Copy,
    {
        self.number_if_set(reader, key, range).unwrap_or(default)
    }

    /// The same; `None` where it is not set.
    pub(super) fn number_if_set<T>(
        &mut self,
        reader: &mut Reader<'_>,
        key: &'static str,
        range: RangeInclusive<T>,
    ) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + std::fmt::Display + Copy,
    {
        let value = self.take(key)?;
        let number = value.as_integer().and_then(|number| T::try_from(number).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let expected = format!("expected a whole number from {} to {}", range.start(), range.end());
            reader.mistake(&self.path_of(key), &shown(&value), expected);
        }
        number
    }

    /// A Discord id, as a number or a text; `None` where it is not set.
    pub(super) fn id(&mut self, reader: &mut Reader<'_>, key: &'static str) -> Option<u64> {
        let value = self.take(key)?;
        let id = match &value {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::String(text) => text.trim().parse().ok(),
            Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                None
            }
        };
        let id = id.filter(|id| *id > 0);
        if id.is_none() {
            reader.mistake(&self.path_of(key), &shown(&value), "expected a Discord id (digits only)");
        }
        id
    }

    /// `true` or `false`; unset is no.
    pub(super) fn flag(&mut self, reader: &mut Reader<'_>, key: &'static str) -> bool {
        let Some(value) = self.take(key) else { return false };
        value.as_bool().unwrap_or_else(|| {
            reader.mistake(&self.path_of(key), &shown(&value), "expected true or false");
            false
        })
    }

    /// Everything is read: what is left is known to nobody.
    pub(super) fn finish(self, reader: &mut Reader<'_>) {
        for key in self.table.keys() {
            let near = names::suggestion(key, self.known.iter().copied());
            let known = self.known.join(", ");
            reader.secret_mistake(&self.path_of(key), format!("no such key; there are {known}{near}"));
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// A key with the keys above it, as TOML writes it.
    fn path_of(&self, key: &str) -> String {
        let is_bare =
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if is_bare { format!("{}{key}", self.path) } else { format!("{}{key:?}", self.path) }
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

/// A value as a message quotes it.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::Datetime(_) => "a date".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
    }
}
