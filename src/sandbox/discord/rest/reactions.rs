//! Reactions over REST.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    super::{
        error::{ApiError, Known},
        ids::Id,
        payload,
        state::State,
        world::permission,
    },
    Answer, Outcome, Request, channels,
};

/// `/channels/{channel}/messages/{message}/reactions` and below: all, one emoji, one person's.
pub(super) fn route(
    state: &mut State,
    request: &Request,
    channel: &str,
    message: &str,
    rest: &[&str],
) -> Outcome {
    let place: Id = channel.parse().map_err(|_| Known::UnknownChannel)?;
    state.channel_for_bot(place, permission::READ_MESSAGE_HISTORY)?;
    let id = channels::message_in(state, place, message)?.id;
    let bot = state.world.identity.bot;
    match (request.method.as_str(), rest) {
        ("PUT", [emoji, "@me"]) => {
            let known = state.message(id)?.reactions.iter().any(|reaction| reaction.emoji == *emoji);
            if !known {
                // Joining a reaction that is there needs no permission.
                state.channel_for_bot(place, permission::ADD_REACTIONS)?;
            }
            state.react(id, bot, emoji)?;
        }
        ("DELETE", [emoji, "@me"]) => state.unreact(id, bot, emoji)?,
        ("DELETE", [emoji, user]) => {
            state.channel_for_bot(place, permission::MANAGE_MESSAGES)?;
            state.unreact(id, user.parse().map_err(|_| Known::UnknownUser)?, emoji)?;
        }
        ("DELETE", [] | [_]) => {
            state.channel_for_bot(place, permission::MANAGE_MESSAGES)?;
            state.clear_reactions(id, rest.first().copied())?;
        }
        ("GET", [emoji]) => {
            let limit = request.limit(25)?;
            let after = request.id("after").unwrap_or(Id(0));
            let reactions = &state.message(id)?.reactions;
            let found =
                reactions.iter().find(|reaction| reaction.emoji == *emoji).ok_or(Known::UnknownEmoji)?;
            // By id, so that the last one of a page leads to the next.
            let ids: BTreeSet<Id> = found.users.iter().copied().filter(|user| *user > after).collect();
            let users =
                ids.iter().take(limit).filter_map(|user| state.world.users.get(user)).map(payload::user);
            return Ok(Answer::ok(users.collect::<Value>()));
        }
        _ => return Err(ApiError::NoRoute),
    }
    Ok(Answer::nothing())
}
