//! What somebody types after `/`, turned into an interaction's data by the registered commands.

use serde_json::{Value, json};

use super::{
    discord::{Command, Id, State},
    people::ScriptError,
};

/// Whether the line is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Sent: values are checked.
    Whole,
    /// Still being typed: the last option has the focus.
    Unfinished,
}

/// The `data` of a command's interaction.
pub(crate) fn parse(state: &State, channel: Id, line: &str, typed: Typed) -> Result<Value, ScriptError> {
    let mut words = words(line.trim_start_matches('/'));
    if typed == Typed::Unfinished && line.ends_with(' ') {
        words.push(String::new());
    }
    let guild = state
        .world
        .channels
        .get(&channel)
        .and_then(|channel| state.world.guild_of(channel))
        .map(|guild| guild.id);
    let name = words.first().cloned().unwrap_or_default();
    let mut usable = state
        .commands
        .iter()
        .filter(|command| command.kind() == 1 && (command.guild.is_none() || command.guild == guild));
    let Some(command) = usable.find(|command| command.name() == name) else {
        return Err(ScriptError::UnknownCommand { name, known: known(state) });
    };
    let words = words.get(1..).unwrap_or_default();
    let options = descend(&command.object, words, &format!("/{name}"), typed)?;
    let mut data = data(command);
    data["options"] = options;
    Ok(data)
}

/// The `data` of a context-menu command on a message.
pub(crate) fn on_message(state: &State, message: Id, name: &str) -> Result<Value, ScriptError> {
    let command = state.commands.iter().find(|command| command.kind() == 3 && command.name() == name);
    let Some(command) = command else {
        return Err(ScriptError::UnknownCommand { name: name.to_owned(), known: known(state) });
    };
    let mut data = data(command);
    data["target_id"] = json!(message);
    let shown = state.rendered(message).unwrap_or_default();
    data["resolved"] = json!({"messages": {message.to_string(): shown}});
    Ok(data)
}

fn data(command: &Command) -> Value {
    let mut data = json!({"id": command.id, "name": command.name(), "type": command.kind()});
    if let Some(guild) = command.guild {
        data["guild_id"] = json!(guild);
    }
    data
}

fn known(state: &State) -> String {
    let names: Vec<String> = state.commands.iter().map(|command| format!("/{}", command.name())).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Splits at spaces; double quotes keep a value together.
fn words(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut started) = (false, false);
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                started = true;
            }
            c if c.is_whitespace() && !quoted => {
                if started {
                    found.push(std::mem::take(&mut word));
                    started = false;
                }
            }
            c => {
                word.push(c);
                started = true;
            }
        }
    }
    if started {
        found.push(word);
    }
    found
}

fn list(holder: &Value) -> &[Value] {
    holder.get("options").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn kind(option: &Value) -> u64 {
    option.get("type").and_then(Value::as_u64).unwrap_or(0)
}

/// Follows subcommands, then fills the options.
fn descend(holder: &Value, words: &[String], path: &str, typed: Typed) -> Result<Value, ScriptError> {
    let declared = list(holder);
    let branches: Vec<&Value> = declared.iter().filter(|option| matches!(kind(option), 1 | 2)).collect();
    if branches.is_empty() {
        return fill(declared, words, path, typed);
    }
    let wanted = words.first().map_or("", String::as_str);
    let Some(branch) = branches.iter().find(|option| text(option, "name") == wanted) else {
        let names: Vec<&str> = branches.iter().map(|option| text(option, "name")).collect();
        return Err(ScriptError::BadCommand { reason: format!("{path} needs one of: {}", names.join(", ")) });
    };
    let below = descend(branch, words.get(1..).unwrap_or_default(), &format!("{path} {wanted}"), typed)?;
    Ok(json!([{"name": wanted, "type": kind(branch), "options": below}]))
}

/// Gives words to options: `name:value` by name (a value goes on until the next name), others by position.
fn fill(declared: &[Value], words: &[String], path: &str, typed: Typed) -> Result<Value, ScriptError> {
    let bad = |reason: String| ScriptError::BadCommand { reason: format!("{path}: {reason}") };
    let mut given: Vec<(usize, String)> = Vec::new();
    let mut named = false;
    for word in words {
        let by_name = word.split_once(':').and_then(|(name, value)| {
            declared.iter().position(|option| text(option, "name") == name).map(|at| (at, value))
        });
        if let Some((at, value)) = by_name {
            named = true;
            given.push((at, value.to_owned()));
            continue;
        }
        let next = (0..declared.len()).find(|at| given.iter().all(|(taken, _)| taken != at));
        match (next, given.last_mut()) {
            (Some(at), _) if !named => given.push((at, word.clone())),
            (_, Some((_, value))) => {
                value.push(' ');
                value.push_str(word);
            }
            (_, None) => return Err(bad(format!("takes no value, and {word} was given"))),
        }
    }
    let missing = declared.iter().enumerate().find(|(at, option)| {
        option.get("required").and_then(Value::as_bool) == Some(true)
            && given.iter().all(|(taken, _)| taken != at)
    });
    if let Some((_, option)) = missing.filter(|_| typed == Typed::Whole) {
        return Err(bad(format!("{} is required", text(option, "name"))));
    }
    let last = given.len().saturating_sub(1);
    let mut filled = Vec::new();
    for (index, (at, raw)) in given.iter().enumerate() {
        let Some(option) = declared.get(*at) else { continue };
        let focused = typed == Typed::Unfinished && index == last;
        let value = if focused { json!(raw) } else { value(option, raw).map_err(bad)? };
        let mut entry = json!({"name": text(option, "name"), "type": kind(option), "value": value});
        if focused {
            entry["focused"] = json!(true);
        }
        filled.push(entry);
    }
    Ok(Value::Array(filled))
}

/// A value as its option wants it, checked as Discord's client checks it before sending.
fn value(option: &Value, raw: &str) -> Result<Value, String> {
    let name = text(option, "name");
    let choices = option.get("choices").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if !choices.is_empty() {
        let as_text = |choice: &Value| match choice.get("value") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let chosen = choices.iter().find(|choice| text(choice, "name") == raw || as_text(choice) == raw);
        return chosen
            .and_then(|choice| choice.get("value").cloned())
            .ok_or_else(|| format!("{raw} is none of the choices of {name}"));
    }
    match kind(option) {
        3 => {
            let length = raw.chars().count() as u64;
            let limit = |key: &str| option.get(key).and_then(Value::as_u64);
            if limit("min_length").is_some_and(|least| length < least)
                || length > limit("max_length").unwrap_or(6000)
            {
                return Err(format!("{name} is too short or too long"));
            }
            Ok(json!(raw))
        }
        4 => raw.parse::<i64>().map(|number| json!(number)).map_err(|_| format!("{name} is a whole number")),
        5 => raw.parse::<bool>().map(|flag| json!(flag)).map_err(|_| format!("{name} is true or false")),
        10 => raw.parse::<f64>().map(|number| json!(number)).map_err(|_| format!("{name} is a number")),
        _ => {
            let digits: String = raw.chars().filter(char::is_ascii_digit).collect();
            if digits.is_empty() { Err(format!("{name} is an id or a mention")) } else { Ok(json!(digits)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Value {
        json!({"options": [
            {"type": 1, "name": "oauth-status", "options": [{"type": 3, "name": "provider"}]},
            {"type": 1, "name": "oauth-refresh", "options": [
                {"type": 3, "name": "provider", "required": true},
                {"type": 3, "name": "credential"},
            ]},
        ]})
    }

    fn parsed(line: &str, typed: Typed) -> Result<Value, ScriptError> {
        descend(&settings(), &words(line), "/settings", typed)
    }

    #[test]
    fn values_are_taken_by_name_and_by_position() {
        let expected = json!([{"name": "oauth-refresh", "type": 1, "options": [
            {"name": "provider", "type": 3, "value": "gemini_cli"},
            {"name": "credential", "type": 3, "value": "a b"},
        ]}]);
        let by_name = "oauth-refresh provider:gemini_cli credential:a b";
        assert_eq!(parsed(by_name, Typed::Whole).unwrap(), expected);
        assert_eq!(parsed("oauth-refresh gemini_cli \"a b\"", Typed::Whole).unwrap(), expected);
        assert_eq!(parsed("oauth-refresh gemini_cli a b", Typed::Whole).unwrap(), expected);
    }

    #[test]
    fn what_is_missing_or_unknown_is_said() {
        let reason = |line: &str| parsed(line, Typed::Whole).unwrap_err().to_string();
        assert_eq!(reason("nothing"), "/settings needs one of: oauth-status, oauth-refresh");
        assert_eq!(reason("oauth-refresh"), "/settings oauth-refresh: provider is required");
    }

    #[test]
    fn the_last_option_has_the_focus_while_typing() {
        let data = parsed("oauth-refresh provider:gem", Typed::Unfinished).unwrap();
        assert_eq!(data.pointer("/0/options/0/focused"), Some(&json!(true)));
        assert_eq!(data.pointer("/0/options/0/value"), Some(&json!("gem")));
    }
}
