//! What a fuzzer asks of files: whatever the bytes are nothing panics, and what a rewrite promises holds for every file
//! that can be read (P16, P19).

use std::{collections::HashSet, sync::LazyLock, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use super::{
    OAuthLogin,
    dialect::{self, Layout, View},
    document::{Document, Key},
    store,
};
use crate::{
    provider::{Catalog, Provider},
    secret::Secret,
};

/// Accounts of one file that are looked at.
const ACCOUNTS: usize = 3;
/// Less than this a spelling may lose: some have no seconds.
const COARSEST: TimeDelta = TimeDelta::minutes(1);

/// A credential file: detected, read by every provider's row, written back unchanged and after a grant.
pub fn dialect(bytes: &[u8]) {
    static ROWS: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(document) = Document::parse(text.to_owned()) else { return };
    let Ok(found) = dialect::detect(&document) else { return };
    for provider in ROWS.iter().filter(|row| row.oauth().is_some()) {
        for index in 0..found.layout.accounts(&document).min(ACCOUNTS) {
            account(&document, found.layout, index, provider);
        }
    }
}

fn account(document: &Document, layout: &'static Layout, index: usize, provider: &Provider) {
    let now = DateTime::from_timestamp(1_790_000_100, 0).unwrap_or_default();
    let Ok(login) = View::new(document, layout, index).login(provider) else { return };
    let mut same = document.clone();
    dialect::apply(&mut same, layout, index, &login, provider, now);
    assert_eq!(same.text(), document.text(), "the login that stands there changes nothing");

    let mut granted = login;
    granted.tokens.access = Some(Secret::new("ya29.FAKE-fuzz"));
    granted.tokens.refresh = Some(Secret::new("1//FAKE-fuzz"));
    granted.tokens.expires_at = Some(now + TimeDelta::hours(1));
    granted.tokens.lifetime = Some(Duration::from_hours(1));
    let mut rewritten = document.clone();
    dialect::apply(&mut rewritten, layout, index, &granted, provider, now);
    keeps_the_rest(document.value(), rewritten.value(), layout);
    let again = View::new(&rewritten, layout, index).login(provider);
    let again = again.expect("addresses that were allowed are allowed");
    read_again(&again, &granted, layout);
    let text = rewritten.text().to_owned();
    dialect::apply(&mut rewritten, layout, index, &again, provider, now);
    assert_eq!(rewritten.text(), text, "what was written is read as it was meant");
}

/// Whether a rewritten account reads as the login that was written, as far as its notation has places.
fn read_again(again: &OAuthLogin, written: &OAuthLogin, layout: &Layout) {
    if !layout.access.is_empty() {
        assert_eq!(again.tokens.access, written.tokens.access);
    }
    if !layout.refresh.is_empty() {
        assert_eq!(again.tokens.refresh, written.tokens.refresh);
    }
    if !layout.expiry.is_empty() {
        let lost =
            |at: DateTime<Utc>| written.tokens.expires_at.is_none_or(|meant| (meant - at).abs() >= COARSEST);
        assert!(again.tokens.expires_at.is_some_and(|at| !lost(at)), "{:?}", again.tokens.expires_at);
    }
    assert_eq!((&again.facts, &again.client), (&written.facts, &written.client));
}

/// Whether every member that no place of the notation begins with is what it was, in its order.
fn keeps_the_rest(before: &Value, after: &Value, layout: &Layout) {
    let places = [
        layout.access,
        layout.refresh,
        layout.expiry,
        layout.lifetime,
        layout.issued,
        layout.account,
        layout.project,
        layout.resource_url,
        layout.api_key,
    ];
    let known: HashSet<&str> =
        places.into_iter().flatten().filter_map(|path| path.first().copied()).collect();
    let rest = |value: &Value| -> Vec<(String, Value)> {
        let members = value.as_object().into_iter().flat_map(Map::iter);
        let unknown = members.filter(|(name, _)| !known.contains(name.as_str()));
        unknown.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    match layout.list {
        None => assert_eq!(rest(before), rest(after)),
        Some(list) => {
            let accounts =
                |value: &Value| value.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
            let (before, after) = (accounts(before), accounts(after));
            assert_eq!(before.len(), after.len());
            before.iter().zip(&after).for_each(|(before, after)| assert_eq!(rest(before), rest(after)));
        }
    }
}

/// A JSON text that is edited in place: it means what it meant, but for the one value.
pub fn document(bytes: &[u8]) {
    const A: Key = Key::Name("a");
    const PATHS: &[&[Key]] =
        &[&[A], &[Key::Name("access_token")], &[A, Key::Name("b")], &[A, Key::Index(0), Key::Name("b")]];
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(document) = Document::parse(text.to_owned()) else { return };
    let new = Value::from("FAKE \"quoted\" \\ äö\u{7f}");
    for path in PATHS {
        let mut edited = document.clone();
        edited.set(path, &new);
        let before = document.value().clone();
        // A root that is no object has no place for anything.
        let meant = if before.is_object() { expected(before, path, &new) } else { before };
        assert_eq!(edited.value(), &meant, "{path:?}");
        let again = Document::parse(edited.text().to_owned()).expect("an edit leaves JSON");
        assert_eq!(again.value(), edited.value());
        let text = edited.text().to_owned();
        edited.set(path, &new);
        assert_eq!(edited.text(), text, "the same edit again changes nothing");
    }
}

/// The same edit of a value, without any text.
fn expected(mut value: Value, path: &[Key], new: &Value) -> Value {
    match path.split_first() {
        None => new.clone(),
        Some((Key::Name(name), rest)) => {
            let has_index = rest.iter().any(|key| matches!(key, Key::Index(_)));
            match value.as_object_mut() {
                Some(members) if members.contains_key(*name) || !has_index => {
                    let inner = members.get(*name).cloned().unwrap_or_default();
                    members.insert((*name).to_owned(), expected(inner, rest, new));
                    value
                }
                Some(_) => value,
                // An object takes the place of what stands where one is needed.
                None if has_index => value,
                None => expected(Value::Object(Map::new()), path, new),
            }
        }
        Some((Key::Index(index), rest)) => {
            if let Some(element) = value.get_mut(*index).filter(|element| element.is_object()) {
                *element = expected(element.clone(), rest, new);
            }
            value
        }
    }
}

/// A lock file's line.
pub fn notes(bytes: &[u8]) {
    store::fuzz_notes(&String::from_utf8_lossy(bytes));
}

#[cfg(test)]
mod tests {
    use crate::fuzzing::shortly;

    #[test]
    fn p16_fuzz_dialect() {
        shortly("credential_dialect", super::dialect);
    }

    #[test]
    fn p16_fuzz_document() {
        shortly("credential_document", super::document);
    }

    #[test]
    fn p3_fuzz_notes() {
        shortly("credential_notes", super::notes);
    }
}
