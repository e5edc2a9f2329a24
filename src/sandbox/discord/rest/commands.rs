//! Registering commands, for all servers or for one.

use serde_json::Value;

use super::{
    super::{commands::Command, error::ApiError, error::FormErrors, error::Known, ids::Id, state::State},
    Answer, Outcome, Request,
};

pub(super) fn route(
    state: &mut State,
    request: &Request,
    application: &str,
    guild: Option<&str>,
    rest: &[&str],
) -> Outcome {
    if application != state.world.identity.application.to_string() {
        return Err(Known::UnknownApplication.into());
    }
    let guild = match guild {
        None => None,
        Some(id) => {
            let id: Id = id.parse().map_err(|_| Known::UnknownGuild)?;
            if !state.world.guilds.contains_key(&id) {
                return Err(Known::MissingAccess.into());
            }
            Some(id)
        }
    };
    match (request.method.as_str(), rest) {
        ("GET", []) => Ok(Answer::ok(list(state, request, guild))),
        ("PUT", []) => {
            let Value::Array(commands) = &request.body else {
                return Err(FormErrors::one(
                    "",
                    "LIST_TYPE_CONVERT",
                    "Only iterables may be used in a ListType",
                ));
            };
            state.replace_commands(guild, commands)?;
            Ok(Answer::ok(list(state, request, guild)))
        }
        ("POST", []) => {
            let (id, status) = state.create_command(guild, &request.body)?;
            Ok(Answer::with(status, one(state, guild, id)?))
        }
        ("GET", [id]) => Ok(Answer::ok(one(state, guild, command_id(id)?)?)),
        ("PATCH", [id]) => {
            let id = command_id(id)?;
            state.edit_command(guild, id, &request.body)?;
            Ok(Answer::ok(one(state, guild, id)?))
        }
        ("DELETE", [id]) => {
            let at = state.command_at(guild, command_id(id)?)?;
            state.commands.remove(at);
            Ok(Answer::nothing())
        }
        _ => Err(ApiError::NoRoute),
    }
}

fn command_id(text: &str) -> Result<Id, ApiError> {
    text.parse().map_err(|_| Known::UnknownCommand.into())
}

fn one(state: &State, guild: Option<Id>, id: Id) -> Result<Value, ApiError> {
    let at = state.command_at(guild, id)?;
    Ok(state.commands.get(at).map(|command| command.object.clone()).unwrap_or_default())
}

/// Localisations are listed only when asked for.
fn list(state: &State, request: &Request, guild: Option<Id>) -> Value {
    let whole = request.asks("with_localizations") || request.method == "PUT";
    state
        .commands_of(guild)
        .map(|Command { object, .. }| if whole { object.clone() } else { without_localizations(object) })
        .collect()
}

fn without_localizations(node: &Value) -> Value {
    match node {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .filter(|(key, _)| !key.ends_with("_localizations"))
                .map(|(key, value)| (key.clone(), without_localizations(value)))
                .collect(),
        ),
        Value::Array(list) => list.iter().map(without_localizations).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => node.clone(),
    }
}
