//! Threads over REST.

use serde_json::{Value, json};

use super::{
    super::{
        error::{ApiError, FormErrors, Known},
        ids::Id,
        payload, rules,
        state::State,
        threads::{Joined, NewThread, minutes},
        world::permission,
    },
    Answer, Outcome, Request,
};

fn id(text: &str) -> Result<Id, ApiError> {
    text.parse().map_err(|_| Known::UnknownChannel.into())
}

/// `POST /channels/{channel}/messages/{message}/threads` and `POST /channels/{channel}/threads`.
pub(super) fn start(state: &mut State, request: &Request, channel: &str, message: Option<&str>) -> Outcome {
    let parent = id(channel)?;
    state.channel_for_bot(parent, permission::CREATE_PUBLIC_THREADS)?;
    let mut errors = FormErrors::default();
    let name = request.body.get("name").and_then(Value::as_str);
    match name {
        Some(name) => rules::between_one_and(name, 100, "name", &mut errors),
        None => rules::required("name", &mut errors),
    }
    errors.into_result()?;
    let starter = message.map(|message| message.parse().map_err(|_| Known::UnknownMessage)).transpose()?;
    let made = state.start_thread(NewThread {
        parent,
        starter,
        owner: state.world.identity.bot,
        name: name.unwrap_or_default().to_owned(),
        auto_archive_minutes: minutes(&request.body)?.unwrap_or(4320),
    })?;
    let channel = state.world.channels.get(&made).ok_or(Known::UnknownChannel)?;
    Ok(Answer::with(201, payload::channel(state, channel)))
}

/// `PATCH /channels/{id}`: of threads; other channels are not changed here.
pub(super) fn change(state: &mut State, request: &Request, channel: &str) -> Outcome {
    let id = id(channel)?;
    let thread = state.channel_for_bot(id, 0)?.thread.clone().ok_or(Known::NotOnThisChannel)?;
    // Whoever may write opens a closed thread; locking, and opening what is locked, are a moderator's
    // (Resources, "Modify Channel").
    let only_opens = request.body.as_object().is_some_and(|body| body.len() == 1)
        && request.body.get("archived") == Some(&Value::Bool(false));
    let locks = request.body.get("locked").is_some() || (thread.locked && thread.archived);
    let needed = if locks {
        permission::MANAGE_THREADS
    } else if only_opens {
        permission::SEND_MESSAGES
    } else if thread.owner == state.world.identity.bot {
        0
    } else {
        permission::MANAGE_THREADS
    };
    state.channel_for_bot(id, needed)?;
    state.change_thread(id, &request.body)?;
    let channel = state.world.channels.get(&id).ok_or(Known::UnknownChannel)?;
    Ok(Answer::ok(payload::channel(state, channel)))
}

/// `DELETE /channels/{id}`: of threads.
pub(super) fn delete(state: &mut State, channel: &str) -> Outcome {
    let id = id(channel)?;
    let found = state.channel_for_bot(id, permission::MANAGE_THREADS)?.clone();
    if found.thread.is_none() {
        return Err(Known::NotOnThisChannel.into());
    }
    let body = payload::channel(state, &found);
    state.delete_thread(id);
    Ok(Answer::ok(body))
}

/// `/channels/{id}/thread-members` and below.
pub(super) fn members(state: &mut State, method: &str, channel: &str, who: Option<&str>) -> Outcome {
    let id = id(channel)?;
    let bot = state.world.identity.bot;
    let thread = state.channel_for_bot(id, 0)?.thread.clone().ok_or(Known::NotOnThisChannel)?;
    let user = match who {
        None => None,
        Some("@me") => Some(bot),
        Some(user) => Some(user.parse().map_err(|_| Known::UnknownUser)?),
    };
    match (method, user) {
        ("GET", None) => {
            Ok(Answer::ok(thread.members.keys().map(|user| state.thread_member(id, *user)).collect()))
        }
        ("GET", Some(user)) if thread.members.contains_key(&user) => {
            Ok(Answer::ok(state.thread_member(id, user)))
        }
        ("GET", Some(_)) => Err(Known::UnknownMember.into()),
        ("PUT", Some(user)) => {
            state.join_thread(id, user, Joined::In)?;
            Ok(Answer::nothing())
        }
        ("DELETE", Some(user)) => {
            if user != bot && thread.owner != bot {
                state.channel_for_bot(id, permission::MANAGE_THREADS)?;
            }
            state.join_thread(id, user, Joined::Out)?;
            Ok(Answer::nothing())
        }
        _ => Err(ApiError::NoRoute),
    }
}

/// `GET /guilds/{guild}/threads/active`.
pub(super) fn active(state: &State, guild: &str) -> Outcome {
    let guild: Id = guild.parse().map_err(|_| Known::UnknownGuild)?;
    let bot = state.world.identity.bot;
    let threads = state.open_threads(guild);
    let own = threads
        .iter()
        .filter(|channel| channel.thread.as_ref().is_some_and(|thread| thread.members.contains_key(&bot)));
    Ok(Answer::ok(json!({
        "has_more": false,
        "members": own.map(|channel| state.thread_member(channel.id, bot)).collect::<Vec<_>>(),
        "threads": threads.iter().map(|channel| payload::channel(state, channel)).collect::<Vec<_>>(),
    })))
}
