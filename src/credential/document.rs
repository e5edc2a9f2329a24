//! A JSON text that is edited in place: only the values that change change their bytes.
//!
//! Other programs own these files. Their spacing, key order, number spelling and unknown keys survive because nothing
//! but the replaced value is ever printed again (P16).

use std::{fmt, ops::Range};

use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// One step into a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// A member of an object.
    Name(&'static str),
    /// An element of an array.
    Index(usize),
}

/// A JSON text with its meaning. Shows nothing in `Debug`.
#[derive(Clone)]
pub(super) struct Document {
    text: Zeroizing<String>,
    value: Value,
}

/// Why a text is no JSON: category and line, never content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{category} at line {line}")]
pub(super) struct Malformed {
    category: &'static str,
    line: usize,
}

/// A member of an object or an element of an array, by where its parts stand.
struct Member {
    /// White space before the key, or before the element.
    lead: Range<usize>,
    /// The key with its quotes; empty for an element.
    key: Range<usize>,
    value: Range<usize>,
}

const BYTE_ORDER_MARK: char = '\u{feff}';

impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Document").field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

impl Document {
    /// Reads a text. A byte order mark, as Windows editors write it, is allowed and kept.
    pub(super) fn parse(text: String) -> Result<Self, Malformed> {
        let text = Zeroizing::new(text);
        let value = parse(&text)?;
        Ok(Self { text, value })
    }

    /// The text as it is now.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What it means.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// The value at a path.
    pub(super) fn get(&self, path: &[Key]) -> Option<&Value> {
        path.iter().try_fold(&self.value, |value, key| match key {
            Key::Name(name) => value.get(name),
            Key::Index(index) => value.get(index),
        })
    }

    /// Puts a value at a path. A missing key is added after the last one of its object, in that object's spacing; a
    /// path through a missing element of an array changes nothing.
    pub(super) fn set(&mut self, path: &[Key], new: &Value) {
        if self.get(path) == Some(new) {
            return;
        }
        let known = (0..=path.len()).rev().find(|length| {
            path.get(..*length).is_some_and(|head| {
                self.get(head).is_some_and(|value| *length == path.len() || value.is_object())
            })
        });
        let Some(known) = known else { return };
        let (head, tail) = path.split_at(known);
        let Some(span) = locate(self.text.as_bytes(), head) else { return };
        let (range, replacement) = match tail.split_first() {
            None => (span, new.to_string()),
            Some((Key::Name(name), rest)) => {
                let Some(nested) = nest(rest, new) else { return };
                let standing = path.get(..=known).and_then(|path| locate(self.text.as_bytes(), path));
                match standing {
                    // Something that is no object, `null` as a rule, stands where an object is needed.
                    Some(span) => (span, nested.to_string()),
                    None => insertion(self.text.as_bytes(), span.start, name, &nested),
                }
            }
            Some((Key::Index(_), _)) => return,
        };
        let (Some(before), Some(after)) = (self.text.get(..range.start), self.text.get(range.end..)) else {
            return;
        };
        let text = Zeroizing::new(format!("{before}{replacement}{after}"));
        if let Ok(value) = parse(&text) {
            self.text = text;
            self.value = value;
        }
    }
}

fn parse(text: &str) -> Result<Value, Malformed> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Malformed { category: "an empty file", line: 1 });
    }
    serde_json::from_str(text).map_err(|error| Malformed {
        category: match error.classify() {
            serde_json::error::Category::Eof => "JSON that ends too early",
            serde_json::error::Category::Syntax => "a JSON syntax error",
            serde_json::error::Category::Data | serde_json::error::Category::Io => "unexpected JSON",
        },
        line: error.line(),
    })
}

/// Wraps a value into objects along the names of a path.
fn nest(path: &[Key], value: &Value) -> Option<Value> {
    path.iter().rev().try_fold(value.clone(), |inner, key| match key {
        Key::Name(name) => Some(Value::Object(Map::from_iter([((*name).to_owned(), inner)]))),
        Key::Index(_) => None,
    })
}

/// Where and what to insert so that the object at `at` gains a member.
fn insertion(bytes: &[u8], at: usize, name: &str, value: &Value) -> (Range<usize>, String) {
    let key = Value::from(name);
    let part = |range: Range<usize>| String::from_utf8_lossy(&bytes[range]).into_owned();
    match members(bytes, at).pop() {
        Some(last) => {
            let (lead, gap) = (part(last.lead), part(last.key.end..last.value.start));
            (last.value.end..last.value.end, format!(",{lead}{key}{gap}{value}"))
        }
        None => (at + 1..at + 1, format!("{key}:{value}")),
    }
}

/// The span of the value at a path, in a text that is known to be JSON.
fn locate(bytes: &[u8], path: &[Key]) -> Option<Range<usize>> {
    let start = if bytes.starts_with(BYTE_ORDER_MARK.to_string().as_bytes()) { 3 } else { 0 };
    let root = skip_space(bytes, start);
    path.iter().try_fold(root..skip_value(bytes, root), |span, key| {
        let members = members(bytes, span.start);
        match key {
            // As for serde_json, the last of two equal keys counts.
            Key::Name(name) => members.into_iter().rev().find(|member| {
                serde_json::from_slice::<String>(&bytes[member.key.clone()]).is_ok_and(|key| key == *name)
            }),
            Key::Index(index) => members.into_iter().nth(*index),
        }
        .map(|member| member.value)
    })
}

/// The members of the object, or the elements of the array, that starts at `at`.
fn members(bytes: &[u8], at: usize) -> Vec<Member> {
    let keyed = match bytes.get(at) {
        Some(b'{') => true,
        Some(b'[') => false,
        Some(_) | None => return Vec::new(),
    };
    let mut found = Vec::new();
    let mut cursor = at + 1;
    loop {
        let lead = cursor..skip_space(bytes, cursor);
        cursor = lead.end;
        if matches!(bytes.get(cursor), None | Some(b'}' | b']')) {
            return found;
        }
        let key_start = cursor;
        if keyed {
            cursor = skip_string(bytes, cursor);
        }
        let key = key_start..cursor;
        if keyed {
            // White space, the colon, white space.
            cursor = skip_space(bytes, skip_space(bytes, cursor) + 1);
        }
        let value = cursor..skip_value(bytes, cursor);
        cursor = skip_space(bytes, value.end);
        found.push(Member { lead, key, value });
        if bytes.get(cursor) == Some(&b',') {
            cursor += 1;
        }
    }
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The position after the string that starts at `at`.
fn skip_string(bytes: &[u8], at: usize) -> usize {
    let mut cursor = at + 1;
    loop {
        match bytes.get(cursor) {
            Some(b'\\') => cursor += 2,
            Some(b'"') | None => return (cursor + 1).min(bytes.len()),
            Some(_) => cursor += 1,
        }
    }
}

/// The position after the value that starts at `at`.
fn skip_value(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut cursor = at;
    loop {
        match bytes.get(cursor) {
            None => return bytes.len(),
            Some(b'"') => {
                cursor = skip_string(bytes, cursor);
                if depth == 0 {
                    return cursor;
                }
            }
            Some(b'{' | b'[') => {
                depth += 1;
                cursor += 1;
            }
            Some(b'}' | b']') if depth <= 1 => return if depth == 0 { cursor } else { cursor + 1 },
            Some(b'}' | b']') => {
                depth -= 1;
                cursor += 1;
            }
            Some(b',' | b' ' | b'\t' | b'\n' | b'\r') if depth == 0 => return cursor,
            Some(_) => cursor += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn edited(text: &str, path: &[Key], value: &Value) -> String {
        let mut document = Document::parse(text.to_owned()).unwrap();
        document.set(path, value);
        document.text().to_owned()
    }

    #[test]
    fn p16_only_the_replaced_value_changes_its_bytes() {
        let text = "{\r\n\t\"big\" : 1.50e+300,\"a\\u0062\":\"x\" ,\n \"token\":{\"n\": [1, {\"ab\":0}],\"ab\" :\"old,}\\\"\"}}\n";
        assert_eq!(
            edited(text, &[Key::Name("token"), Key::Name("ab")], &Value::from("new")),
            text.replace("\"old,}\\\"\"", "\"new\"")
        );
        assert_eq!(edited(text, &[Key::Name("ab")], &Value::from(7)), text.replace("\"x\"", "7"));
    }

    #[test]
    fn a_new_key_takes_its_neighbours_spacing() {
        let name = [Key::Name("b")];
        assert_eq!(edited("{\n  \"a\": 1\n}\n", &name, &Value::from(2)), "{\n  \"a\": 1,\n  \"b\": 2\n}\n");
        assert_eq!(edited("{\"a\":1}", &name, &Value::from(2)), "{\"a\":1,\"b\":2}");
        assert_eq!(edited("{}", &name, &Value::from(2)), "{\"b\":2}");
        assert_eq!(
            edited("{\"a\":1}", &[Key::Name("m"), Key::Name("b")], &Value::from(2)),
            "{\"a\":1,\"m\":{\"b\":2}}"
        );
        assert_eq!(
            edited("[{\"a\":1}]", &[Key::Index(0), Key::Name("b")], &Value::from(2)),
            "[{\"a\":1,\"b\":2}]"
        );
        assert_eq!(edited("[]", &[Key::Index(0), Key::Name("b")], &Value::from(2)), "[]");
    }

    #[test]
    fn the_last_of_two_equal_keys_is_the_one_that_counts() {
        assert_eq!(edited("{\"a\":1,\"a\":2}", &[Key::Name("a")], &Value::from(3)), "{\"a\":1,\"a\":3}");
    }

    #[test]
    fn a_byte_order_mark_stays() {
        assert_eq!(edited("\u{feff}{\"b\":1}", &[Key::Name("b")], &Value::from(2)), "\u{feff}{\"b\":2}");
    }

    #[test]
    fn problems_name_category_and_line_only() {
        let problem = Document::parse("{\n\"access_token\": \"canary\n".to_owned()).unwrap_err();
        assert_eq!(problem.to_string(), "a JSON syntax error at line 3");
        let problem = Document::parse("{\n\"access_token\": ".to_owned()).unwrap_err();
        assert_eq!(problem.to_string(), "JSON that ends too early at line 2");
        assert_eq!(Document::parse("  ".to_owned()).unwrap_err().to_string(), "an empty file at line 1");
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((".{0,4}", inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn p16_every_other_value_survives_an_edit(root in prop::collection::vec((".{0,4}", json()), 0..5), new in json(), pretty: bool) {
            let mut expected = Value::Object(root.into_iter().collect());
            let text = if pretty { serde_json::to_string_pretty(&expected).unwrap() } else { expected.to_string() };
            let mut document = Document::parse(text).unwrap();
            document.set(&[Key::Name("ab"), Key::Name("c")], &new);
            // Floats may lose a bit when printed and read again: compare with what a reader of the text sees.
            expected = serde_json::from_str(&expected.to_string()).unwrap();
            let new: Value = serde_json::from_str(&new.to_string()).unwrap();
            match expected.get_mut("ab") {
                Some(Value::Object(inner)) => { inner.insert("c".to_owned(), new); }
                Some(_) | None => { expected["ab"] = serde_json::json!({ "c": new }); }
            }
            prop_assert_eq!(document.value(), &expected);
        }
    }
}
