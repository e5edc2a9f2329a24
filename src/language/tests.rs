//! Every language has every sentence with the same variables, and the code says what exists.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use fluent_syntax::{
    ast::{Attribute, Entry, Expression, InlineExpression, Pattern, PatternElement, Resource},
    parser,
};

use super::*;

/// What a file says: its keys (`key` and `key.attribute`), each with the variables that it names.
type Said = BTreeMap<String, BTreeSet<String>>;

fn said(text: &str) -> Said {
    let parsed: Resource<&str> = parser::parse(text).expect("the file is Fluent");
    let mut found = Said::new();
    for entry in &parsed.body {
        let Entry::Message(message) = entry else { continue };
        let key = message.id.name;
        let mut add = |key: String, pattern: &Pattern<&str>| {
            let mut variables = BTreeSet::new();
            collect(pattern, &mut variables);
            assert!(found.insert(key.clone(), variables).is_none(), "{key} stands there twice");
        };
        if let Some(pattern) = &message.value {
            add(key.to_owned(), pattern);
        }
        for Attribute { id, value } in &message.attributes {
            add(format!("{key}.{}", id.name), value);
        }
    }
    found
}

fn collect(pattern: &Pattern<&str>, found: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        if let PatternElement::Placeable { expression } = element {
            of_expression(expression, found);
        }
    }
}

fn of_expression(expression: &Expression<&str>, found: &mut BTreeSet<String>) {
    match expression {
        Expression::Inline(inline) => of_inline(inline, found),
        Expression::Select { selector, variants } => {
            of_inline(selector, found);
            for variant in variants {
                collect(&variant.value, found);
            }
        }
    }
}

fn of_inline(inline: &InlineExpression<&str>, found: &mut BTreeSet<String>) {
    match inline {
        InlineExpression::VariableReference { id } => {
            found.insert(id.name.to_owned());
        }
        InlineExpression::Placeable { expression } => of_expression(expression, found),
        InlineExpression::FunctionReference { arguments, .. } => {
            arguments.positional.iter().for_each(|one| of_inline(one, found));
        }
        InlineExpression::StringLiteral { .. }
        | InlineExpression::NumberLiteral { .. }
        | InlineExpression::MessageReference { .. }
        | InlineExpression::TermReference { .. } => {}
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files of `locales/`, by the names of their languages.
fn files() -> BTreeMap<String, String> {
    fs::read_dir(root().join("locales"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "ftl"))
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect()
}

fn english() -> Said {
    said(&files()[ENGLISH])
}

/// A sentence as the code asks for it: where, its key, its variables.
struct Use {
    place: String,
    key: String,
    variables: BTreeSet<String>,
}

/// Every `say!(…)` of the code.
fn uses() -> Vec<Use> {
    fn walk(folder: &Path, found: &mut Vec<Use>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.ends_with("src/language") {
                // The examples here are none.
            } else if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let place = path.strip_prefix(root()).unwrap().display().to_string();
                let calls = text.match_indices("say!(").filter(|(at, _)| {
                    let before = text.get(..*at).unwrap_or_default();
                    !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
                        && !before.lines().next_back().is_some_and(|line| line.trim_start().starts_with("//"))
                });
                found.extend(calls.map(|(at, name)| read_use(&place, text.get(at + name.len()..).unwrap())));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("src"), &mut found);
    found
}

/// Reads what stands between the brackets: a language, the key, `name = value` each.
fn read_use(place: &str, text: &str) -> Use {
    let (mut depth, mut parts, mut part) = (0_usize, Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' => {
                part.push(c);
                while let Some(inside) = characters.next() {
                    part.push(inside);
                    if inside == '\\' {
                        part.extend(characters.next());
                    } else if inside == '"' {
                        break;
                    }
                }
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(c);
    }
    parts.push(part);
    let mut parts = parts.iter().map(|part| part.trim()).skip(1);
    let key = parts.next().unwrap_or_default();
    let named = |part: &str| part.split_once('=').map(|(name, _)| name.trim().to_owned());
    Use {
        place: place.to_owned(),
        key: key.trim_matches('"').to_owned(),
        variables: parts.filter(|part| !part.is_empty()).filter_map(named).collect(),
    }
}

#[test]
fn d28_every_file_is_a_language_of_discords_and_is_compiled_in() {
    let languages = Languages::built_in();
    for (name, text) in files() {
        assert!(
            DISCORDS_LOCALES.iter().any(|locale| *locale == name || locale.split('-').next() == Some(&name)),
            "locales/{name}.ftl: Discord has no such locale"
        );
        let read = Language::parse(&name, &text);
        assert!(read.is_ok(), "locales/{name}.ftl: {read:?}");
        assert!(
            languages.named(&name).is_some(),
            "locales/{name}.ftl is new: touch src/language/mod.rs, so that it is compiled in"
        );
    }
    assert!(languages.names().any(|name| name == "de"));
}

#[test]
fn d28_every_language_has_every_sentence_with_the_same_variables() {
    let english = english();
    for (name, text) in files() {
        let other = said(&text);
        let missing: Vec<_> = english.keys().filter(|key| !other.contains_key(*key)).collect();
        assert!(missing.is_empty(), "locales/{name}.ftl lacks {missing:?}");
        let unknown: Vec<_> = other.keys().filter(|key| !english.contains_key(*key)).collect();
        assert!(unknown.is_empty(), "locales/{name}.ftl has what English has not: {unknown:?}");
        for (key, variables) in &other {
            assert_eq!(variables, &english[key], "the variables of {key} in locales/{name}.ftl");
        }
    }
}

#[test]
fn d28_the_code_says_what_exists_and_all_of_it() {
    let (english, uses) = (english(), uses());
    assert!(uses.len() > 20, "the code is read: {} uses", uses.len());
    for Use { place, key, variables } in &uses {
        let known = english.get(key);
        let known = known.unwrap_or_else(|| panic!("{place}: locales/en.ftl has no {key}"));
        assert_eq!(variables, known, "{place}: the variables of {key}");
    }
    let said: BTreeSet<&str> = uses.iter().map(|one| one.key.as_str()).collect();
    let unused: Vec<_> =
        english.keys().filter(|key| !key.starts_with("command-") && !said.contains(key.as_str())).collect();
    assert!(unused.is_empty(), "nobody says {unused:?}");
}

#[test]
fn a_use_is_read_with_its_variables() {
    let read = read_use("here", r#"self.language(), "a-key", one = f(1, [2, 3]), two = "x, \" y = 1)", )"#);
    assert_eq!(read.key, "a-key");
    assert_eq!(read.variables, BTreeSet::from(["one".to_owned(), "two".to_owned()]));
}

fn small(text: &str) -> Language {
    Language::parse("de", text).unwrap()
}

#[test]
fn d28_words_of_strangers_are_no_fluent_and_turn_nothing() {
    let language = small("hello = Hallo { $name }!");
    let said = |name: &str| language.say("hello", &[("name", Value::from(name))]);
    assert_eq!(said("{ $other } { -term }"), "Hallo { $other } { -term }!");
    assert_eq!(said("a\u{202e}b\u{2066}c"), "Hallo abc!", "what turns the direction is taken out");
    assert_eq!(said("Ann"), "Hallo Ann!", "and no marks are put in");
}

#[test]
fn numbers_choose_their_words() {
    let language = small("count = { $n ->\n    [one] { $n } Frage\n   *[other] { $n } Fragen\n}");
    let said = |n: u32| language.say("count", &[("n", Value::from(n))]);
    assert_eq!((said(1), said(0), said(1234)), ("1 Frage".into(), "0 Fragen".into(), "1234 Fragen".into()));
}

#[test]
fn a_language_is_found_for_a_locale_and_lends_what_it_lacks_from_english() {
    let languages = Languages::built_in();
    let of = |locale: &str| languages.of(locale).map(|language| language.name().to_owned());
    assert_eq!(of("de"), Some("de".to_owned()));
    assert_eq!((of("en-US"), of("en-GB")), (Some("en".to_owned()), Some("en".to_owned())));
    assert_eq!((of("xx"), of("xx-YY"), of("")), (None, None, None));
    let poor = small("other = x");
    assert_eq!(poor.say("thinking", &[]), Language::english().say("thinking", &[]));
}

/// The commands of a language as people type them: `settings model`.
fn commands(language: &Language, said: &Said) -> BTreeSet<String> {
    let is_command = |key: &&String| key.starts_with("command-") && !key.contains('.');
    let keys: Vec<&String> = said.keys().filter(is_command).collect();
    let named = |key: &str| language.attribute(key, None).expect("a command has a name");
    let above = |key: &str| {
        keys.iter().filter(|other| key.starts_with(&format!("{other}-"))).max_by_key(|other| other.len())
    };
    keys.iter()
        .map(|key| above(key).map_or_else(|| named(key), |group| format!("{} {}", named(group), named(key))))
        .collect()
}

#[test]
fn d28_commands_that_are_named_in_a_sentence_exist_in_that_language() {
    let mut checked = 0;
    for (name, text) in files() {
        let language = Language::parse(&name, &text).unwrap();
        let commands = commands(&language, &said(&text));
        for line in text.lines() {
            for typed in line.split("`/").skip(1).filter_map(|rest| rest.split('`').next()) {
                let words: Vec<&str> = typed.split(' ').collect();
                let known = (1..=words.len()).rev().any(|count| commands.contains(&words[..count].join(" ")));
                let bare = commands.iter().any(|command| command.starts_with(&format!("{} ", words[0])));
                let has_sub = words.len() > 1 && commands.contains(&words[..2].join(" "));
                assert!(known && (!bare || has_sub), "locales/{name}.ftl: /{typed} is no command in {line}");
                checked += 1;
            }
        }
    }
    assert!(checked > 20, "commands are found: {checked}");
}
