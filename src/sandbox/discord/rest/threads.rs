//! Threads over REST.

use chrono::DateTime;
use serde_json::{Value, json};

use super::{
    super::{
        error::{ApiError, FormErrors, Known},
        ids::Id,
        payload::{self, Sight},
        rules,
        state::State,
        threads::{Access, Joined, NewThread, Thread, minutes},
        world::{Channel, Form, permission},
    },
    Answer, Outcome, Request,
};

fn id(text: &str) -> Result<Id, ApiError> {
    text.parse().map_err(|_| Known::UnknownChannel.into())
}

/// `POST /channels/{channel}/messages/{message}/threads` and `POST /channels/{channel}/threads`.
pub(super) fn start(state: &mut State, request: &Request, channel: &str, message: Option<&str>) -> Outcome {
    let parent = id(channel)?;
    let form = state.channel_for_bot(parent, 0)?.form;
    let access = access(request, form, message)?;
    let needed = match (form, access) {
        (Form::Forum, _) => permission::SEND_MESSAGES,
        (Form::Text, Access::Public) => permission::CREATE_PUBLIC_THREADS,
        (Form::Text, Access::Private) => permission::CREATE_PRIVATE_THREADS,
    };
    state.channel_for_bot(parent, needed)?;
    let mut errors = FormErrors::default();
    let name = request.body.get("name").and_then(Value::as_str);
    match name {
        Some(name) => rules::between_one_and(name, 100, "name", &mut errors),
        None => rules::required("name", &mut errors),
    }
    let post = request.body.get("message").filter(|_| form == Form::Forum);
    if form == Form::Forum && post.is_none() {
        rules::required("message", &mut errors);
    }
    errors.into_result()?;
    let starter = message.map(|message| message.parse().map_err(|_| Known::UnknownMessage)).transpose()?;
    let new = NewThread {
        parent,
        starter,
        access,
        owner: state.world.identity.bot,
        name: name.unwrap_or_default().to_owned(),
        auto_archive_minutes: minutes(&request.body)?.unwrap_or(4320),
    };
    let made = match post {
        Some(post) => {
            let body = rules::message(post, "message.")?;
            state.post_in_forum(new, body, request.uploads.clone())?
        }
        None => state.start_thread(new)?,
    };
    let channel = state.world.channels.get(&made).ok_or(Known::UnknownChannel)?;
    let mut body = payload::channel(state, channel);
    if post.is_some() {
        body["message"] = payload::message(state, state.message(made)?, Sight::Whole);
    }
    Ok(Answer::with(201, body))
}

/// Who may see the new thread. Without a message and without `type` it is private (Resources, "Start Thread without
/// Message").
fn access(request: &Request, form: Form, message: Option<&str>) -> Result<Access, ApiError> {
    if form == Form::Forum || message.is_some() {
        return Ok(Access::Public);
    }
    match request.body.get("type").filter(|kind| !kind.is_null()).map(Value::as_u64) {
        None | Some(Some(12)) => Ok(Access::Private),
        Some(Some(11)) => Ok(Access::Public),
        // Announcement threads need an announcement channel, which there is none of.
        Some(Some(10)) => Err(Known::NotOnThisChannel.into()),
        Some(_) => Err(FormErrors::one("type", "BASE_TYPE_CHOICES", "Value must be one of {10, 11, 12}.")),
    }
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

/// Which closed threads of a channel are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Archived {
    /// Public ones.
    Public,
    /// Private ones, for moderators.
    Private,
    /// Private ones that the bot is in.
    Joined,
}

/// `GET /channels/{channel}/threads/archived/…`: newest first; those that were closed before an instant, or for
/// [`Archived::Joined`] those with a smaller id.
pub(super) fn archived(state: &State, request: &Request, channel: &str, which: Archived) -> Outcome {
    let parent = id(channel)?;
    let needed = match which {
        Archived::Public | Archived::Joined => permission::READ_MESSAGE_HISTORY,
        Archived::Private => permission::READ_MESSAGE_HISTORY | permission::MANAGE_THREADS,
    };
    state.channel_for_bot(parent, needed)?;
    let limit = request.limit(50)?;
    let before = request.query.get("before").filter(|_| which != Archived::Joined);
    let Ok(instant) = before.map(|text| DateTime::parse_from_rfc3339(text)).transpose() else {
        return Err(FormErrors::one("before", "DATE_TIME_TYPE_PARSE", "Could not parse the instant."));
    };
    let before_id = request.id("before").filter(|_| which == Archived::Joined);
    let bot = state.world.identity.bot;
    let threads = state.world.channels.values().filter_map(|one| Some((one, one.thread.as_ref()?)));
    let mut found: Vec<(&Channel, &Thread)> = threads
        .filter(|(_, thread)| thread.parent == parent && thread.archived)
        .filter(|(_, thread)| match which {
            Archived::Public => thread.access == Access::Public,
            Archived::Private => thread.access == Access::Private,
            Archived::Joined => thread.access == Access::Private && thread.members.contains_key(&bot),
        })
        .filter(|(_, thread)| {
            instant.is_none_or(|before| state.time.wall_at(thread.archive_changed_at) < before)
        })
        .filter(|(channel, _)| before_id.is_none_or(|before| channel.id < before))
        .collect();
    match which {
        Archived::Public | Archived::Private => found.sort_by_key(|(_, thread)| thread.archive_changed_at),
        Archived::Joined => found.sort_by_key(|(channel, _)| channel.id),
    }
    let shown: Vec<&(&Channel, &Thread)> = found.iter().rev().take(limit).collect();
    let own = shown.iter().filter(|(_, thread)| thread.members.contains_key(&bot));
    Ok(Answer::ok(json!({
        "has_more": shown.len() < found.len(),
        "members": own.map(|(channel, _)| state.thread_member(channel.id, bot)).collect::<Vec<_>>(),
        "threads": shown.iter().map(|(channel, _)| payload::channel(state, channel)).collect::<Vec<_>>(),
    })))
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
