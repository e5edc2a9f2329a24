//! Answers to interactions: the callback, and their webhooks.

use serde_json::{Value, json};

use super::{
    super::{
        error::ApiError,
        error::Known,
        ids::Id,
        message::EPHEMERAL,
        payload::{self, Sight},
        rules,
        state::State,
    },
    Answer, Outcome, Request,
};

/// `POST /interactions/{id}/{token}/callback`: 204, or what was made, `with_response`.
pub(super) fn callback(state: &mut State, request: &Request, id: &str, token: &str) -> Outcome {
    let id: Id = id.parse().map_err(|_| Known::UnknownInteraction)?;
    let done = state.callback(id, token, &request.body, request.uploads.clone())?;
    if !request.asks("with_response") {
        return Ok(Answer::nothing());
    }
    let Some(interaction) = state.interactions.get(&done.interaction) else {
        return Err(Known::UnknownInteraction.into());
    };
    let mut object = json!({"id": interaction.id, "type": interaction.kind.number()});
    object["channel_id"] = json!(interaction.channel);
    if let Some(guild) = payload::guild_id(state, interaction.channel) {
        object["guild_id"] = json!(guild);
    }
    let mut answer = json!({});
    if let Some(message) = done.message.and_then(|id| state.message(id).ok()) {
        object["response_message_id"] = json!(message.id);
        object["response_message_loading"] = json!(message.is_loading());
        object["response_message_ephemeral"] = json!(message.flags & EPHEMERAL != 0);
        if matches!(done.kind, 4 | 7) {
            let message = payload::message(state, message, Sight::Whole);
            answer["resource"] = json!({"type": done.kind, "message": message});
        }
    }
    answer["interaction"] = object;
    Ok(Answer::ok(answer))
}

/// `POST /webhooks/{application}/{token}`.
pub(super) fn follow_up(state: &mut State, request: &Request, application: &str, token: &str) -> Outcome {
    let id = state.follow_up(application, token, &request.body, request.uploads.clone())?;
    Ok(Answer::ok(shown(state, id)?))
}

/// `…/messages/@original` and `…/messages/{id}`.
pub(super) fn message(
    state: &mut State,
    request: &Request,
    application: &str,
    token: &str,
    which: &str,
) -> Outcome {
    let id = state.webhook_message(application, token, which)?;
    match request.method.as_str() {
        "GET" => Ok(Answer::ok(shown(state, id)?)),
        "PATCH" => {
            let body = rules::message(&request.body, "")?;
            state.edit_answer(id, &body, request.uploads.clone())?;
            Ok(Answer::ok(shown(state, id)?))
        }
        "DELETE" => {
            state.delete(id)?;
            Ok(Answer::nothing())
        }
        _ => Err(ApiError::NoRoute),
    }
}

fn shown(state: &State, id: Id) -> Result<Value, ApiError> {
    Ok(payload::message(state, state.message(id)?, Sight::Whole))
}
