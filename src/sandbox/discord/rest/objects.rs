//! Who and what: the gateway's address, users, the application, servers, members, direct channels.

use serde_json::json;

use super::{
    super::{
        error::FormErrors,
        error::Known,
        ids::Id,
        payload,
        state::State,
        world::{Guild, Kind, Place},
    },
    Answer, Outcome, Request,
};

pub(super) fn gateway(state: &State) -> Answer {
    Answer::ok(json!({"url": state.gateway_url()}))
}

pub(super) fn gateway_bot(state: &State) -> Answer {
    Answer::ok(json!({
        "url": state.gateway_url(),
        "shards": state.sessions.starts.shards,
        "session_start_limit": state.sessions.starts.describe(state.time.now()),
    }))
}

pub(super) fn current_user(state: &State) -> Answer {
    Answer::ok(payload::current_user(state.world.bot()))
}

pub(super) fn user(state: &State, id: &str) -> Outcome {
    let user = id.parse().ok().and_then(|id: Id| state.world.users.get(&id));
    Ok(Answer::ok(payload::user(user.ok_or(Known::UnknownUser)?)))
}

pub(super) fn application(state: &State) -> Answer {
    Answer::ok(payload::application(state))
}

/// `POST /users/@me/channels`: the same channel every time.
pub(super) fn open_direct(state: &mut State, request: &Request) -> Outcome {
    let Some(recipient) = request.body.get("recipient_id").filter(|id| !id.is_null()) else {
        return Err(FormErrors::one("recipient_id", "BASE_TYPE_REQUIRED", "This field is required"));
    };
    let person = Id::sent(recipient).and_then(|id| state.world.users.get(&id));
    let person = person.ok_or(Known::UnknownUser)?;
    if person.kind == Kind::Bot {
        return Err(Known::NotToThisUser.into());
    }
    let id = state.direct_channel(person.id);
    let channel = state.world.channels.get(&id).ok_or(Known::UnknownChannel)?;
    Ok(Answer::ok(payload::channel(state, channel)))
}

/// A server that the bot is in: `10004` for one that is not there, `50001` for one without the bot.
fn joined<'s>(state: &'s State, id: &str) -> Result<&'s Guild, Known> {
    let guild = id.parse().ok().and_then(|id: Id| state.world.guilds.get(&id)).ok_or(Known::UnknownGuild)?;
    if guild.members.contains_key(&state.world.identity.bot) { Ok(guild) } else { Err(Known::MissingAccess) }
}

pub(super) fn guild(state: &State, request: &Request, id: &str) -> Outcome {
    let guild = joined(state, id)?;
    let mut object = payload::guild(guild);
    if request.asks("with_counts") {
        object["approximate_member_count"] = json!(guild.members.len());
        object["approximate_presence_count"] = json!(guild.members.len());
    }
    Ok(Answer::ok(object))
}

pub(super) fn roles(state: &State, id: &str) -> Outcome {
    Ok(Answer::ok(joined(state, id)?.roles.iter().map(payload::role).collect()))
}

pub(super) fn guild_channels(state: &State, id: &str) -> Outcome {
    let place = Place::Guild(joined(state, id)?.id);
    let inside = state.world.channels.values().filter(|channel| channel.place == place);
    Ok(Answer::ok(inside.map(|channel| payload::channel(state, channel)).collect()))
}

pub(super) fn member(state: &State, guild: &str, member: &str) -> Outcome {
    let guild = joined(state, guild)?;
    let id: Id = member.parse().map_err(|_| Known::UnknownUser)?;
    let member = guild.members.get(&id).ok_or(Known::UnknownMember)?;
    Ok(Answer::ok(payload::member(state, id, member)))
}
