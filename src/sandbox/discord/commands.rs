//! Registered commands: their limits, and how they are stored and listed.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    error::{ApiError, FormErrors, Known},
    ids::Id,
    rules,
    state::State,
};

/// A registered command.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Command {
    pub(crate) id: Id,
    /// The server it is for; `None` for all.
    pub(crate) guild: Option<Id>,
    /// The whole object as it is listed.
    pub(crate) object: Value,
}

impl Command {
    pub(crate) fn name(&self) -> &str {
        self.object.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    /// 1 slash, 2 on a user, 3 on a message.
    pub(crate) fn kind(&self) -> u64 {
        self.object.get("type").and_then(Value::as_u64).unwrap_or(1)
    }
}

/// Slash commands of one scope.
const SLASH_LIMIT: usize = 100;
/// New commands in a day, per scope in Discord, over all here.
const DAILY: usize = 200;
/// All texts of one command.
const CHARACTERS: usize = 8000;
/// The languages of Discord's clients (reference, "Locales"; `AvailableLocalesEnum` of the `OpenAPI` document).
const LOCALES: [&str; 34] = [
    "ar", "bg", "cs", "da", "de", "el", "en-GB", "en-US", "es-419", "es-ES", "fi", "fr", "he", "hi", "hr",
    "hu", "id", "it", "ja", "ko", "lt", "nl", "no", "pl", "pt-BR", "ro", "ru", "sv-SE", "th", "tr", "uk",
    "vi", "zh-CN", "zh-TW",
];

/// Complaints about a list of commands, or one.
pub(crate) fn check(list: &[Value], single: Option<&Value>) -> Result<(), ApiError> {
    let mut errors = FormErrors::default();
    let mut names = BTreeSet::new();
    for (at, command) in list.iter().enumerate() {
        let here = format!("{at}");
        check_one(command, &here, &mut errors);
        let key = (kind_of(command), command.get("name").and_then(Value::as_str).map(str::to_owned));
        if !names.insert(key) {
            errors.add(
                &here,
                "APPLICATION_COMMANDS_DUPLICATE_NAME",
                "Application command names must be unique",
            );
        }
    }
    if let Some(command) = single {
        check_one(command, "", &mut errors);
    }
    errors.into_result()?;
    for (kind, limit) in [(1, SLASH_LIMIT), (2, 5), (3, 5)] {
        if list.iter().filter(|command| kind_of(command) == kind).count() > limit {
            return Err(Known::TooManyCommands.into());
        }
    }
    Ok(())
}

fn kind_of(command: &Value) -> u64 {
    command.get("type").and_then(Value::as_u64).unwrap_or(1)
}

fn check_one(command: &Value, path: &str, errors: &mut FormErrors) {
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let slash = kind_of(command) == 1;
    match command.get("name").and_then(Value::as_str) {
        Some(name) if slash => slash_name(name, &at("name"), errors),
        Some(name) => rules::between_one_and(name, 32, &at("name"), errors),
        None => rules::required(&at("name"), errors),
    }
    let a_name = if slash { slash_name } else { menu_name };
    elsewhere(command, "name", &at("name_localizations"), errors, a_name);
    elsewhere(command, "description", &at("description_localizations"), errors, a_description);
    let description = command.get("description").and_then(Value::as_str).unwrap_or_default();
    if slash {
        rules::between_one_and(description, 100, &at("description"), errors);
    } else if !description.is_empty() {
        errors.add(
            &at("description"),
            "APPLICATION_COMMAND_INVALID_DESCRIPTION",
            "Context menu commands cannot have a description",
        );
    }
    options(command, &at("options"), 0, errors);
    if characters(command) > CHARACTERS {
        errors.add(path, "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)");
    }
}

/// A text of one language: its path, and where complaints go.
type Check = fn(&str, &str, &mut FormErrors);

/// What a field is called in other languages: known locales alone, each text as the field itself may be.
fn elsewhere(node: &Value, field: &str, path: &str, errors: &mut FormErrors, check: Check) {
    let texts = node.get(format!("{field}_localizations")).and_then(Value::as_object);
    for (locale, text) in texts.into_iter().flatten() {
        let here = format!("{path}.{locale}");
        match text.as_str() {
            _ if !LOCALES.contains(&locale.as_str()) => {
                errors.add(
                    &here,
                    "ENUM_TYPE_COERCE",
                    format!("Value \"{locale}\" is not a valid enum value."),
                );
            }
            Some(text) => check(text, &here, errors),
            None => {}
        }
    }
}

fn menu_name(name: &str, path: &str, errors: &mut FormErrors) {
    rules::between_one_and(name, 32, path, errors);
}

fn a_description(text: &str, path: &str, errors: &mut FormErrors) {
    rules::between_one_and(text, 100, path, errors);
}

/// `^[-_'\p{L}\p{N}]{1,32}$`, in lower case where there is one.
fn slash_name(name: &str, path: &str, errors: &mut FormErrors) {
    let allowed = |c: char| c.is_alphanumeric() || "-_'".contains(c);
    let fits = (1..=32).contains(&name.chars().count());
    if !fits || !name.chars().all(allowed) || name.to_lowercase() != name {
        errors.add(
            path,
            "APPLICATION_COMMAND_INVALID_NAME",
            "Command name is invalid: 1 to 32 lower-case letters, digits, -, _ or '",
        );
    }
}

fn options(holder: &Value, path: &str, depth: u8, errors: &mut FormErrors) {
    let list = holder.get("options").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if list.len() > 25 {
        errors.add(path, "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.");
    }
    let mut names = BTreeSet::new();
    let mut optional_seen = false;
    let mut groups = 0;
    for (at, option) in list.iter().enumerate() {
        let here = format!("{path}.{at}");
        let kind = option.get("type").and_then(Value::as_u64).unwrap_or(0);
        match option.get("name").and_then(Value::as_str) {
            Some(name) => {
                slash_name(name, &format!("{here}.name"), errors);
                if !names.insert(name.to_owned()) {
                    errors.add(
                        &here,
                        "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS",
                        "Option name already exists",
                    );
                }
            }
            None => rules::required(&format!("{here}.name"), errors),
        }
        elsewhere(option, "name", &format!("{here}.name_localizations"), errors, slash_name);
        let described = format!("{here}.description_localizations");
        elsewhere(option, "description", &described, errors, a_description);
        let description = option.get("description").and_then(Value::as_str).unwrap_or_default();
        rules::between_one_and(description, 100, &format!("{here}.description"), errors);
        match kind {
            1 | 2 => {
                groups += 1;
                if depth > 1 || (kind == 2 && depth > 0) {
                    errors.add(
                        &here,
                        "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
                        "Sub-command option types cannot be nested this deep",
                    );
                }
                options(option, &format!("{here}.options"), depth + 1, errors);
            }
            3..=11 => {
                let required = option.get("required").and_then(Value::as_bool) == Some(true);
                if required && optional_seen {
                    errors.add(
                        &here,
                        "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID",
                        "Required options must be placed before non-required options",
                    );
                }
                optional_seen |= !required;
                choices(option, &here, errors);
            }
            _ => errors.add(
                &format!("{here}.type"),
                "BASE_TYPE_CHOICES",
                "Value must be one of {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}.",
            ),
        }
    }
    if groups > 0 && groups < list.len() {
        errors.add(
            path,
            "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID",
            "Sub-command and sub-command group option types are mutually exclusive to all other types",
        );
    }
}

fn choices(option: &Value, path: &str, errors: &mut FormErrors) {
    let list = option.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if list.len() > 25 {
        errors.add(&format!("{path}.choices"), "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.");
    }
    for (at, choice) in list.iter().enumerate() {
        let name = choice.get("name").and_then(Value::as_str).unwrap_or_default();
        rules::between_one_and(name, 100, &format!("{path}.choices.{at}.name"), errors);
        elsewhere(choice, "name", &format!("{path}.choices.{at}.name_localizations"), errors, a_description);
        if let Some(value) = choice.get("value").and_then(Value::as_str) {
            rules::at_most(value, 100, &format!("{path}.choices.{at}.value"), errors);
        }
    }
    if !list.is_empty() && option.get("autocomplete").and_then(Value::as_bool) == Some(true) {
        errors.add(
            path,
            "APPLICATION_COMMAND_OPTIONS_AUTOCOMPLETE_INVALID",
            "Autocomplete and choices are mutually exclusive",
        );
    }
}

/// Names, descriptions and string values, of the command, its options and choices; of each the longest in any language.
fn characters(node: &Value) -> usize {
    let length = |text: &Value| text.as_str().map_or(0, |text| text.chars().count());
    let text = |key: &str| {
        let elsewhere = node.get(format!("{key}_localizations")).and_then(Value::as_object);
        let texts = node.get(key).into_iter().chain(elsewhere.into_iter().flat_map(Map::values));
        texts.map(length).max().unwrap_or(0)
    };
    let own = text("name") + text("description") + text("value");
    let below = ["options", "choices"].iter().filter_map(|key| node.get(key)?.as_array()).flatten();
    own + below.map(characters).sum::<usize>()
}

impl State {
    /// The commands of one scope.
    pub(crate) fn commands_of(&self, guild: Option<Id>) -> impl Iterator<Item = &Command> {
        self.commands.iter().filter(move |command| command.guild == guild)
    }

    /// Replaces the commands of one scope; a command keeps its id while name and type stay.
    pub(crate) fn replace_commands(&mut self, guild: Option<Id>, list: &[Value]) -> Result<(), ApiError> {
        check(list, None)?;
        let old: Vec<Command> = self.commands_of(guild).cloned().collect();
        let twin = |body: &Value| {
            let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
            old.iter().find(|command| command.name() == name && command.kind() == kind_of(body))
        };
        self.count_creates(list.iter().filter(|body| twin(body).is_none()).count())?;
        self.commands.retain(|command| command.guild != guild);
        for body in list {
            let twin = twin(body);
            let command = self.command(guild, body, twin.map(|twin| twin.id));
            self.commands.push(command);
        }
        Ok(())
    }

    /// Creates a command, or replaces the one of the same name and type. The status says which: 201 or 200.
    pub(crate) fn create_command(&mut self, guild: Option<Id>, body: &Value) -> Result<(Id, u16), ApiError> {
        check(&[], Some(body))?;
        let name = body.get("name").and_then(Value::as_str).unwrap_or_default();
        let twin = self
            .commands
            .iter()
            .position(|old| old.guild == guild && old.name() == name && old.kind() == kind_of(body));
        let slash = self.commands_of(guild).filter(|command| command.kind() == 1).count();
        if twin.is_none() && kind_of(body) == 1 && slash >= SLASH_LIMIT {
            return Err(Known::TooManyCommands.into());
        }
        if twin.is_none() {
            self.count_creates(1)?;
        }
        let id = twin.and_then(|at| self.commands.get(at)).map(|twin| twin.id);
        let command = self.command(guild, body, id);
        let (id, status) = (command.id, if twin.is_some() { 200 } else { 201 });
        match twin.and_then(|at| self.commands.get_mut(at)) {
            Some(slot) => *slot = command,
            None => self.commands.push(command),
        }
        Ok((id, status))
    }

    /// Changes the given fields of a command.
    pub(crate) fn edit_command(&mut self, guild: Option<Id>, id: Id, body: &Value) -> Result<(), ApiError> {
        let at = self.command_at(guild, id)?;
        let mut merged = self.commands.get(at).map(|command| command.object.clone()).unwrap_or_default();
        if let (Some(merged), Some(changes)) = (merged.as_object_mut(), body.as_object()) {
            merged.extend(changes.clone());
        }
        check(&[], Some(&merged))?;
        let command = self.command(guild, &merged, Some(id));
        if let Some(slot) = self.commands.get_mut(at) {
            *slot = command;
        }
        Ok(())
    }

    /// `30034` when more would be created today than may be.
    fn count_creates(&mut self, new: usize) -> Result<(), ApiError> {
        if self.commands_created + new > DAILY {
            return Err(Known::TooManyCreates.into());
        }
        self.commands_created += new;
        Ok(())
    }

    /// Where a command stands: `10063` when there is none.
    pub(crate) fn command_at(&self, guild: Option<Id>, id: Id) -> Result<usize, ApiError> {
        self.commands
            .iter()
            .position(|command| command.guild == guild && command.id == id)
            .ok_or(Known::UnknownCommand.into())
    }

    fn command(&mut self, guild: Option<Id>, body: &Value, id: Option<Id>) -> Command {
        let id = id.unwrap_or_else(|| self.new_id());
        let version = self.new_id();
        let given = |key: &str| body.get(key).cloned().filter(|value| !value.is_null());
        let mut object = Map::new();
        object.insert("id".to_owned(), json!(id));
        object.insert("application_id".to_owned(), json!(self.world.identity.application));
        object.insert("version".to_owned(), json!(version));
        object.insert(
            "default_member_permissions".to_owned(),
            given("default_member_permissions").unwrap_or_default(),
        );
        object.insert("type".to_owned(), json!(kind_of(body)));
        object.insert("name".to_owned(), given("name").unwrap_or_default());
        object.insert("name_localizations".to_owned(), given("name_localizations").unwrap_or_default());
        object.insert("description".to_owned(), given("description").unwrap_or_else(|| json!("")));
        object.insert(
            "description_localizations".to_owned(),
            given("description_localizations").unwrap_or_default(),
        );
        if let Some(guild) = guild {
            object.insert("guild_id".to_owned(), json!(guild));
        } else {
            object.insert("dm_permission".to_owned(), given("dm_permission").unwrap_or_else(|| json!(true)));
            object.insert("contexts".to_owned(), given("contexts").unwrap_or_default());
            let types = given("integration_types").unwrap_or_else(|| json!([0]));
            object.insert("integration_types".to_owned(), types);
        }
        if let Some(options) =
            given("options").filter(|options| options.as_array().is_some_and(|list| !list.is_empty()))
        {
            object.insert("options".to_owned(), without_defaults(&options));
        }
        object.insert("nsfw".to_owned(), given("nsfw").unwrap_or_else(|| json!(false)));
        Command { id, guild, object: Value::Object(object) }
    }
}

/// Options as they are listed: null fields are left out at every level, and so is what equals the default.
fn without_defaults(options: &Value) -> Value {
    match options {
        Value::Array(list) => list.iter().map(without_defaults).collect::<Vec<_>>().into(),
        Value::Object(object) => {
            let kept: Map<String, Value> = object
                .iter()
                .filter(|(key, value)| match key.as_str() {
                    "required" | "autocomplete" => value.as_bool() == Some(true),
                    "options" | "choices" | "channel_types" => {
                        value.as_array().is_some_and(|list| !list.is_empty())
                    }
                    _ => !value.is_null(),
                })
                .map(|(key, value)| (key.clone(), without_defaults(value)))
                .collect();
            Value::Object(kept)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => options.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(command: Value) -> Result<(), ApiError> {
        check(&[command], None)
    }

    fn slash(name: &str) -> Value {
        json!({"name": name, "description": "d"})
    }

    #[test]
    fn names_are_lower_case_and_at_most_32_long() {
        for good in ["a", "oauth-status", "привет", "x_1", &"a".repeat(32)] {
            assert!(one(slash(good)).is_ok(), "{good}");
        }
        for bad in ["", "Upper", "with space", "dot.ted", &"a".repeat(33)] {
            assert!(one(slash(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn required_options_come_first_and_25_are_the_most() {
        let option = |n: usize, required: bool| json!({"type": 3, "name": format!("o{n}"), "description": "d", "required": required});
        let with = |options: Vec<Value>| json!({"name": "c", "description": "d", "options": options});
        assert!(one(with((0..25).map(|n| option(n, n < 3)).collect())).is_ok());
        assert!(one(with((0..26).map(|n| option(n, false)).collect())).is_err());
        assert!(one(with(vec![option(0, false), option(1, true)])).is_err());
    }

    #[test]
    fn a_command_has_at_most_eight_thousand_characters() {
        let with = |options: usize| {
            let options: Vec<Value> = (0..options)
                .map(|n| {
                    let choices: Vec<Value> = (0..4)
                        .map(|c| json!({"name": format!("{c}{}", "n".repeat(50)), "value": "v".repeat(40)}))
                        .collect();
                    json!({"type": 3, "name": format!("o{n}"), "description": "d".repeat(90), "choices": choices})
                })
                .collect();
            json!({"name": "c", "description": "d", "options": options})
        };
        assert!(one(with(17)).is_ok());
        assert!(one(with(18)).is_err(), "{}", characters(&with(18)));
    }

    #[test]
    fn d28_names_in_other_languages_are_held_to_the_same_rules() {
        let with = |field: &str, texts: Value| {
            let mut command = slash("c");
            command["options"] = json!([{"type": 3, "name": "o", "description": "d", "choices": [{"name": "n", "value": "v"}]}]);
            let at = match field.split_once('.') {
                Some(("option", field)) => &mut command["options"][0][field],
                Some((_, field)) => &mut command["options"][0]["choices"][0][field],
                None => &mut command[field],
            };
            *at = texts;
            one(command)
        };
        for field in ["name_localizations", "option.name_localizations"] {
            assert!(with(field, json!({"de": "für", "ru": "привет", "fr": null})).is_ok());
            for bad in
                [json!({"de": "Groß"}), json!({"de": "zwei wörter"}), json!({"de": ""}), json!({"en": "x"})]
            {
                assert!(with(field, bad.clone()).is_err(), "{field}: {bad}");
            }
        }
        for field in
            ["description_localizations", "option.description_localizations", "choice.name_localizations"]
        {
            assert!(with(field, json!({"pt-BR": "ã".repeat(100)})).is_ok());
            for bad in [json!({"pt-BR": "ã".repeat(101)}), json!({"pt-BR": ""}), json!({"pt": "x"})] {
                assert!(with(field, bad.clone()).is_err(), "{field}: {bad}");
            }
        }
        let mut long = slash("c");
        long["description_localizations"] = json!({"de": "d".repeat(90), "fr": "f".repeat(20)});
        assert_eq!(characters(&long), 1 + 90, "the longest of each counts");
    }

    #[test]
    fn the_hundred_and_first_command_is_refused() {
        let list = |n: usize| (0..n).map(|n| slash(&format!("c{n}"))).collect::<Vec<_>>();
        assert!(check(&list(100), None).is_ok());
        assert_eq!(check(&list(101), None), Err(Known::TooManyCommands.into()));
    }
}
