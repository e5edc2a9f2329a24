//! The commands in other languages: Discord shows each person the names and descriptions of theirs, and sends ours.
//!
//! The words stand under `command-…` in `locales/`, by the command's own names: `command-settings-model` with its
//! attributes `.description`, `.option-for`, `.option-for-description` and `.choice-for-this-server`. Context menus have
//! `command-menu-…`. A language without a word shows the English one.

use serde_json::{Map, Value};

use crate::language::{DISCORDS_LOCALES, Language, Languages};

/// The type of a slash command; the others are context menus.
const SLASH: u64 = 1;
/// Types of options that hold options of their own.
const GROUPS: [u64; 2] = [1, 2];

/// Gives commands, as they are registered, their names in every language.
pub(super) fn localise(commands: &mut [Value], languages: &Languages) {
    let locales: Vec<(&str, Language)> = DISCORDS_LOCALES
        .into_iter()
        .filter_map(|locale| Some((locale, languages.of(locale)?)))
        .filter(|(_, language)| *language != Language::english())
        .collect();
    for command in commands {
        let is_slash = command.get("type").and_then(Value::as_u64).unwrap_or(SLASH) == SLASH;
        let of = if is_slash { "command" } else { "command-menu" };
        let key = format!("{of}-{}", slug(text(command, "name")));
        holder(command, &key, &locales);
    }
}

/// A command, or an option that holds others.
fn holder(node: &mut Value, key: &str, locales: &[(&str, Language)]) {
    put(node, "name", (key, None), locales);
    put(node, "description", (key, Some("description")), locales);
    for option in below(node, "options") {
        let name = slug(text(option, "name"));
        let is_group = option.get("type").and_then(Value::as_u64).is_some_and(|of| GROUPS.contains(&of));
        if is_group {
            holder(option, &format!("{key}-{name}"), locales);
            continue;
        }
        put(option, "name", (key, Some(&format!("option-{name}"))), locales);
        put(option, "description", (key, Some(&format!("option-{name}-description"))), locales);
        for choice in below(option, "choices") {
            let attribute = format!("choice-{name}-{}", slug(text(choice, "name")));
            put(choice, "name", (key, Some(&attribute)), locales);
        }
    }
}

/// Puts what a field is called elsewhere beside it.
fn put(node: &mut Value, field: &str, (key, attribute): (&str, Option<&str>), locales: &[(&str, Language)]) {
    let found: Map<String, Value> = locales
        .iter()
        .filter_map(|(locale, language)| {
            Some(((*locale).to_owned(), language.attribute(key, attribute)?.into()))
        })
        .collect();
    if let (Some(fields), false) = (node.as_object_mut(), found.is_empty()) {
        fields.insert(format!("{field}_localizations"), Value::Object(found));
    }
}

fn below<'a>(node: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    node.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

fn text<'a>(node: &'a Value, field: &str) -> &'a str {
    node.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A name as it stands in a key: small letters, digits and single dashes.
fn slug(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::discord::register::wanted;

    /// Something that has a name, in a command: its key in the files, and itself.
    struct Named {
        key: String,
        attribute: Option<String>,
        node: Value,
        field: &'static str,
    }

    fn all() -> Vec<Named> {
        fn holder(node: &Value, key: &str, is_menu: bool, found: &mut Vec<Named>) {
            let mut add = |node: &Value, attribute: Option<String>, field| {
                found.push(Named { key: key.to_owned(), attribute, node: node.clone(), field });
            };
            add(node, None, "name");
            if !is_menu {
                add(node, Some("description".to_owned()), "description");
            }
            let options = node["options"].as_array().cloned().unwrap_or_default();
            let (groups, options): (Vec<_>, Vec<_>) =
                options.into_iter().partition(|option| GROUPS.contains(&option["type"].as_u64().unwrap()));
            for option in options {
                let name = slug(text(&option, "name"));
                add(&option, Some(format!("option-{name}")), "name");
                add(&option, Some(format!("option-{name}-description")), "description");
                for choice in option["choices"].as_array().into_iter().flatten() {
                    add(choice, Some(format!("choice-{name}-{}", slug(text(choice, "name")))), "name");
                }
            }
            for group in groups {
                holder(&group, &format!("{key}-{}", slug(text(&group, "name"))), is_menu, found);
            }
        }
        let mut found = Vec::new();
        for command in wanted(&Languages::built_in()) {
            let is_menu = command["type"].as_u64().is_some_and(|kind| kind != SLASH);
            let of = if is_menu { "command-menu" } else { "command" };
            holder(&command, &format!("{of}-{}", slug(text(&command, "name"))), is_menu, &mut found);
        }
        found
    }

    #[test]
    fn d28_every_command_option_and_choice_has_a_name_in_every_language() {
        let languages = Languages::built_in();
        for Named { key, attribute, node, field } in all() {
            let place = format!("{key} {}", attribute.as_deref().unwrap_or_default());
            let english = Language::english().attribute(&key, attribute.as_deref());
            assert_eq!(english.as_deref(), node[field].as_str(), "locales/en.ftl: {place}");
            let elsewhere = &node[format!("{field}_localizations")];
            for locale in DISCORDS_LOCALES {
                let language = languages.of(locale).filter(|language| *language != Language::english());
                let Some(language) = language else {
                    assert_eq!(elsewhere.get(locale), None, "{place}: {locale}");
                    continue;
                };
                let word = elsewhere[locale].as_str().unwrap_or_else(|| panic!("{place}: {locale}"));
                assert_eq!(Some(word.to_owned()), language.attribute(&key, attribute.as_deref()));
                let is_choice = attribute.as_deref().is_some_and(|name| name.starts_with("choice-"));
                let is_typed = field == "name" && !is_choice && !key.starts_with("command-menu");
                let length = word.chars().count();
                assert!((1..=if is_typed { 32 } else { 100 }).contains(&length), "{place}: {word}");
                if is_typed {
                    let fits = |c: char| c.is_alphanumeric() || "-_'".contains(c);
                    assert!(word.chars().all(fits) && word.to_lowercase() == word, "{place}: {word}");
                }
            }
        }
    }

    #[test]
    fn d28_no_two_commands_or_options_read_alike_in_a_language() {
        let languages = Languages::built_in();
        for language in languages.names().map(|name| languages.named(name).unwrap()) {
            let mut seen = BTreeSet::new();
            for Named { key, attribute, .. } in all().into_iter().filter(|named| named.field == "name") {
                let word = language.attribute(&key, attribute.as_deref());
                let holder = match &attribute {
                    // `option`, or `choice-` and its option: beside what stands in the same list.
                    Some(name) if name.starts_with("choice-") => {
                        format!("{key} {}", name.split('-').take(2).collect::<Vec<_>>().join("-"))
                    }
                    Some(_) => format!("{key} option"),
                    None if key.starts_with("command-settings-") => "settings".to_owned(),
                    None if key.starts_with("command-menu-") => "menus".to_owned(),
                    None => "commands".to_owned(),
                };
                assert!(
                    seen.insert((holder, word.clone())),
                    "{key} {attribute:?}: {word:?} stands there twice"
                );
            }
        }
    }
}
