//! Channels and their messages.

use serde_json::Value;

use super::{
    super::{
        error::ApiError,
        error::Known,
        ids::Id,
        message::Message,
        payload::{self, Sight},
        posting::{Draft, needed},
        rules,
        sessions::intent,
        state::State,
        world::{Place, permission},
    },
    Answer, Outcome, Request,
};

fn channel_id(text: &str) -> Result<Id, ApiError> {
    text.parse().map_err(|_| Known::UnknownChannel.into())
}

/// A message of a channel that is not somebody else's secret.
pub(super) fn message_in<'s>(state: &'s State, channel: Id, message: &str) -> Result<&'s Message, ApiError> {
    let id: Id = message.parse().map_err(|_| Known::UnknownMessage)?;
    let found = state.message(id)?;
    let visible = found.channel_id == channel && !found.is_ephemeral();
    if visible { Ok(found) } else { Err(Known::UnknownMessage.into()) }
}

/// What REST shows of a message: blank in servers while the content intent is off for the application.
fn sight(state: &State, channel: Id) -> Sight {
    let on = state.world.identity.privileged_intents & intent::MESSAGE_CONTENT != 0;
    if on || payload::guild_id(state, channel).is_none() { Sight::Whole } else { Sight::Blank }
}

pub(super) fn get(state: &State, channel: &str) -> Outcome {
    let channel = state.channel_for_bot(channel_id(channel)?, 0)?;
    Ok(Answer::ok(payload::channel(state, channel)))
}

/// `GET …/messages`, newest first; `before`, `after` and `around` exclude each other.
pub(super) fn list(state: &State, request: &Request, channel: &str) -> Outcome {
    let channel = channel_id(channel)?;
    state.channel_for_bot(channel, 0)?;
    let limit = request.limit(50)?;
    if state.channel_for_bot(channel, permission::READ_MESSAGE_HISTORY).is_err() {
        return Ok(Answer::ok(Value::Array(Vec::new())));
    }
    let all: Vec<&Message> = state
        .messages
        .values()
        .filter(|message| message.channel_id == channel && message.exists() && !message.is_ephemeral())
        .collect();
    let (before, after, around) = (request.id("before"), request.id("after"), request.id("around"));
    let (from, to) = if let Some(around) = around {
        let at = all.partition_point(|message| message.id < around);
        (at.saturating_sub(limit / 2), (at + limit.div_ceil(2)).min(all.len()))
    } else if let Some(after) = after {
        let at = all.partition_point(|message| message.id <= after);
        (at, (at + limit).min(all.len()))
    } else {
        let to = before.map_or(all.len(), |before| all.partition_point(|message| message.id < before));
        (to.saturating_sub(limit), to)
    };
    let sight = sight(state, channel);
    let chosen = all.get(from..to).unwrap_or_default();
    Ok(Answer::ok(chosen.iter().rev().map(|message| payload::message(state, message, sight)).collect()))
}

pub(super) fn one(state: &State, channel: &str, message: &str) -> Outcome {
    let channel = channel_id(channel)?;
    state.channel_for_bot(channel, permission::READ_MESSAGE_HISTORY)?;
    let message = message_in(state, channel, message)?;
    Ok(Answer::ok(payload::message(state, message, sight(state, channel))))
}

pub(super) fn create(state: &mut State, request: &Request, channel: &str) -> Outcome {
    let channel = channel_id(channel)?;
    state.channel_for_bot(channel, needed(&request.uploads))?;
    let mut body = rules::message(&request.body, "")?;
    body.refuse_empty(request.uploads.len())?;
    if body.reference.is_some() && state.channel_for_bot(channel, permission::READ_MESSAGE_HISTORY).is_err() {
        return Err(Known::NoHistoryToAnswer.into());
    }
    if state.channel_for_bot(channel, permission::EMBED_LINKS).is_err() {
        // Embeds beside something else are left out silently; alone they are refused (discord-api-docs#2601).
        if body.content.as_deref().unwrap_or_default().is_empty() && request.uploads.is_empty() {
            state.channel_for_bot(channel, permission::EMBED_LINKS)?;
        }
        body.embeds = None;
    }
    let id = state.post(Draft {
        id: None,
        author: state.world.identity.bot,
        channel,
        kind: 0,
        interaction: None,
        visible_to: None,
        flags: 0,
        body,
        uploads: request.uploads.clone(),
    })?;
    Ok(Answer::ok(payload::message(state, state.message(id)?, Sight::Whole)))
}

pub(super) fn edit(state: &mut State, request: &Request, channel: &str, message: &str) -> Outcome {
    let channel = channel_id(channel)?;
    state.channel_for_bot(channel, needed(&request.uploads) & permission::ATTACH_FILES)?;
    let found = message_in(state, channel, message)?;
    if found.author_id != state.world.identity.bot {
        return Err(Known::NotTheAuthor.into());
    }
    let id = found.id;
    let body = rules::message(&request.body, "")?;
    state.edit(id, &body, request.uploads.clone())?;
    Ok(Answer::ok(payload::message(state, state.message(id)?, Sight::Whole)))
}

pub(super) fn delete(state: &mut State, channel: &str, message: &str) -> Outcome {
    let channel = channel_id(channel)?;
    let place = state.channel_for_bot(channel, 0)?.place;
    let found = message_in(state, channel, message)?;
    let id = found.id;
    if found.author_id != state.world.identity.bot {
        if matches!(place, Place::Direct { .. }) {
            return Err(Known::DirectMessageRefused.into());
        }
        state.channel_for_bot(channel, permission::MANAGE_MESSAGES)?;
    }
    state.delete(id)?;
    Ok(Answer::nothing())
}

pub(super) fn typing(state: &mut State, channel: &str) -> Outcome {
    let channel = channel_id(channel)?;
    state.channel_for_bot(channel, permission::SEND_MESSAGES)?;
    let bot = state.world.identity.bot;
    state.type_in(channel, bot);
    Ok(Answer::nothing())
}
