//! Registration of the slash commands: read, compare, and write only on a change (D26).
//!
//! Discord allows 200 creates a day, and clients reload their command lists on every write.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use reqwest::Method;
use serde_json::{Map, Value};

use super::{commands, error::RestError, naming::localise, transport::Rest};
use crate::language::Languages;

/// What registration did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registration {
    /// Discord has these commands already.
    Unchanged,
    /// They were written.
    Written,
}

/// The ids of the registered commands, for mentions that can be clicked.
#[derive(Debug, Default)]
pub(super) struct CommandIds(Mutex<BTreeMap<String, String>>);

impl CommandIds {
    /// Takes them from Discord's own list.
    fn keep(&self, listed: &[Value]) {
        let text = |command: &Value, key: &str| command.get(key).and_then(Value::as_str).map(str::to_owned);
        let ids = listed.iter().filter_map(|command| Some((text(command, "name")?, text(command, "id")?)));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = ids.collect();
    }

    /// A command, or one below it, as a mention (reference, "Message Formatting"); in plain letters while nothing is known.
    /// `None`: there is no such command.
    pub(super) fn mention(&self, name: &str) -> Option<String> {
        let ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.is_empty() {
            return Some(format!("`/{name}`"));
        }
        let id = ids.get(name.split(' ').next()?)?;
        Some(format!("</{name}:{id}>"))
    }
}

/// The fields that we set, with the value that Discord takes for a missing one.
fn default_of(field: &str) -> Option<Value> {
    Some(match field {
        "type" => Value::from(1),
        // Commands of a menu have none, and are listed with an empty one.
        "description" => Value::from(""),
        "options" | "choices" | "channel_types" => Value::Array(Vec::new()),
        "required" | "autocomplete" | "nsfw" => Value::Bool(false),
        "name_localizations" | "description_localizations" => Value::Object(Map::new()),
        "name"
        | "default_member_permissions"
        | "contexts"
        | "integration_types"
        | "min_value"
        | "max_value"
        | "min_length"
        | "max_length"
        | "value" => Value::Null,
        _ => return None,
    })
}

/// A command or an option with only what we set, defaults and nulls left out, so that two can be compared.
fn normal(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter_map(|(name, value)| {
                    let default = default_of(name)?;
                    let localized = name.ends_with("_localizations");
                    let value = if localized { value.clone() } else { normal(value) };
                    (!value.is_null() && value != default).then(|| (name.clone(), value))
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(normal).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The commands in an order that does not depend on who lists them.
fn sorted(commands: &[Value]) -> Vec<Value> {
    let mut all: Vec<Value> = commands.iter().map(normal).collect();
    let key = |command: &Value| {
        let kind = command.get("type").and_then(Value::as_u64).unwrap_or(1);
        (kind, command.get("name").and_then(Value::as_str).unwrap_or_default().to_owned())
    };
    all.sort_by_key(key);
    all
}

/// The commands as they are to be registered, with their names in every language.
pub(super) fn wanted(languages: &Languages) -> Vec<Value> {
    let commands = poise::builtins::create_application_commands(&commands::all());
    let mut wanted: Vec<Value> = commands
        .iter()
        .map(|command| {
            serde_json::to_value(command).expect("a command is strings, numbers and lists of them")
        })
        .collect();
    localise(&mut wanted, languages);
    wanted
}

/// Makes Discord's list of global commands the wanted one.
pub(super) async fn register(
    rest: &Rest,
    application: u64,
    wanted: &[Value],
    ids: &CommandIds,
) -> Result<Registration, RestError> {
    let path = format!("applications/{application}/commands");
    let there: Vec<Value> = rest.get(&format!("{path}?with_localizations=true")).await?;
    if sorted(&there) == sorted(wanted) {
        ids.keep(&there);
        return Ok(Registration::Unchanged);
    }
    let written = rest.call(Method::PUT, &path, Some(&Value::Array(wanted.to_vec()))).await?;
    ids.keep(written.body.as_array().map_or(&[], Vec::as_slice));
    Ok(Registration::Written)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The commands as Discord gives them back: ids, versions, explicit defaults, another order.
    fn as_listed(mut commands: Vec<Value>) -> Vec<Value> {
        commands.reverse();
        for command in &mut commands {
            command["id"] = json!("1");
            command["application_id"] = json!("2");
            command["version"] = json!("3");
            command["nsfw"] = json!(false);
            if command.get("type").is_none() {
                command["type"] = json!(1);
            }
            command["default_member_permissions"] = Value::Null;
        }
        commands
    }

    fn ours() -> Vec<Value> {
        wanted(&Languages::built_in())
    }

    #[test]
    fn d26_d28_a_changed_translation_is_a_difference() {
        for field in ["name_localizations", "description_localizations"] {
            let mut listed = as_listed(ours());
            assert!(listed[0][field]["de"].is_string(), "{field}");
            listed[0][field]["de"] = json!("anders");
            assert_ne!(sorted(&listed), sorted(&ours()), "{field}");
        }
        let mut plain = vec![json!({ "name": "a", "description": "b" })];
        let listed = json!({ "name": "a", "description": "b", "name_localizations": null });
        assert_eq!(sorted(&[listed]), sorted(&plain), "none is as good as null");
        plain[0]["options"] = json!([{ "type": 3, "name": "e", "description": "f" }]);
        let mut named = plain.clone();
        named[0]["options"][0]["name_localizations"] = json!({ "de": "x" });
        assert_ne!(sorted(&named), sorted(&plain), "an option's too");
    }

    #[test]
    fn d26_what_discord_lists_equals_what_was_written() {
        assert!(!ours().is_empty());
        assert_eq!(sorted(&as_listed(ours())), sorted(&ours()));
    }

    #[test]
    fn d26_every_change_that_people_see_is_a_difference() {
        for change in ["name", "description", "options"] {
            let mut listed = as_listed(ours());
            listed[0][change] = if change == "options" {
                json!([{ "type": 3, "name": "other", "description": "x" }])
            } else {
                json!("other")
            };
            assert_ne!(sorted(&listed), sorted(&ours()), "{change}");
        }
        assert_ne!(sorted(&as_listed(ours())[1..]), sorted(&ours()), "a command less");
    }

    #[test]
    fn d26_nested_options_are_compared() {
        let command = |required: bool| {
            vec![json!({ "name": "a", "description": "b", "options": [
                { "type": 1, "name": "c", "description": "d", "options": [
                    { "type": 3, "name": "e", "description": "f", "required": required, "autocomplete": false },
                ] },
            ] })]
        };
        assert_ne!(sorted(&command(true)), sorted(&command(false)));
        let mut terse = command(false);
        terse[0]["options"][0]["options"][0] = json!({ "type": 3, "name": "e", "description": "f" });
        assert_eq!(sorted(&terse), sorted(&command(false)));
    }

    #[test]
    fn a_command_is_mentioned_by_its_id_once_that_is_known() {
        let ids = CommandIds::default();
        assert_eq!(ids.mention("chat").as_deref(), Some("`/chat`"));
        ids.keep(&[json!({ "id": "7", "name": "settings" })]);
        assert_eq!(ids.mention("settings model").as_deref(), Some("</settings model:7>"));
        assert_eq!(ids.mention("chat"), None);
    }

    #[test]
    fn commands_keep_discords_limits() {
        fn check(value: &Value) {
            let name = value["name"].as_str().unwrap();
            assert!((1..=32).contains(&name.chars().count()), "{name}");
            let description = value["description"].as_str().unwrap_or_default();
            if value["type"] == 3
                && value.get("options").is_none_or(|options| options == &json!([]))
                && description.is_empty()
            {
                // In the menu of a message: any letters, and no description.
                return;
            }
            assert!(name.chars().all(|c| c == '-' || c.is_ascii_lowercase()), "{name}");
            assert!((1..=100).contains(&description.chars().count()), "{name}: {description}");
            for option in value["options"].as_array().unwrap_or(&Vec::new()) {
                check(option);
            }
        }
        ours().iter().for_each(check);
    }
}
