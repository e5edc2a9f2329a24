//! What people want after an answer: another one in its place, or more of it (D11).
//!
//! The buttons carry which question it was, so that nothing needs to be remembered, not even across a restart.

use std::{sync::Arc, time::Duration};

use poise::serenity_prelude as serenity;
use reqwest::Method;
use serde_json::json;

use super::{
    edited,
    exchange::{self, Question},
    interaction::may_decide,
    message::asker,
};
use crate::{
    clock,
    discord::{
        asked::{Asked, Wish},
        checks::Asker,
        data::{Bot, Exchanges, correlation_id},
        error::{CommandError, RestError},
        ground::{Found, Where},
        history::{self, Being, Ground, Inquiry, Kind, Seen, Setting, Sight},
        reply::Interaction,
        ruling::Ruling,
        sink::{Destination, Replies},
        through::Through,
    },
    language::{Language, say},
};

/// How long reading the question may take: a click is answered within 3 s or not at all.
const SOON: Duration = Duration::from_secs(2);
/// Messages that are looked at for the beginning of an answer, which may have been continued several times.
const MOST_PIECES: usize = 16;

/// What the model reads after an answer that broke off.
const GO_ON: &str = "Your answer broke off. Go on exactly where it ends, without repeating anything and without a word about \
                     the break.";

/// Somebody wants something of an answer that has ended.
pub(super) async fn wished(
    cache: &Arc<serenity::Cache>,
    bot: &Arc<Bot>,
    click: &serenity::ComponentInteraction,
    interaction: &Interaction,
    (wish, asked): (Wish, Asked),
) -> Result<(), CommandError> {
    let received_at = clock::instant();
    let language = bot.language_of(click.user.id.get(), &click.locale);
    if !may_decide(bot, click.user.id, click.member.as_ref(), asked.person) {
        return Ok(interaction.whisper(bot, &say!(language, "not-yours")).await?);
    }
    if bot.shutdown.is_ending() {
        return Ok(interaction.acknowledge(bot).await?);
    }
    let id = correlation_id();
    // Before anything is waited for: of two clicks one counts.
    let Some(registered) = Exchanges::register(bot, &id, asked, click.channel_id.get()) else {
        return Ok(interaction.whisper(bot, &say!(language, "still-running")).await?);
    };
    let said = as_said(click);
    let person = asker(&said);
    let prepared = tokio::time::timeout(SOON, prepare(cache, bot, &said, (&person, &language), asked)).await;
    let (place, question) = match prepared.unwrap_or(Err(RestError::Malformed)) {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(why)) => return Ok(interaction.whisper(bot, &why).await?),
        Err(error) => {
            tracing::warn!(request.id = id, discord.channel = asked.channel, error = %error, "Could not read a question again");
            return Ok(interaction.whisper(bot, &say!(language, "question-unreadable")).await?);
        }
    };
    if let Err(reached) = bot.admit(&person).await {
        return Ok(interaction.whisper(bot, &reached.sentence(&language)).await?);
    }
    let here = click.channel_id.get();
    // The answer is everybody's, so it speaks as an answer to the question did.
    let language = bot.language_at(&place, asked.person);
    let Where { place, locale, spot, ground, sight } = place;
    let asked = Asked { sight: least(asked.sight, sight), ..asked };
    let mut to = Destination {
        channel: here,
        asked,
        occasion: click.id.get(),
        replies: if asked.channel == here { Replies::ToTheQuestion } else { Replies::None },
        exchange: id,
        heading: None,
        language,
    };
    let mark = edited::mark(&question.content);
    let question = match wish {
        Wish::Again => {
            interaction.acknowledge(bot).await?;
            to.heading = question.inquiry.as_ref().map(Inquiry::heading);
            // The answer to a command begins with the message that shows the question.
            let above = if to.heading.is_some() { None } else { Some(asked.message) };
            let instead = clear(bot, click, above).await;
            // In a thread that was opened for it, the question stands in the channel above.
            let ground = if asked.channel == here { ground } else { Ground::Channel };
            let setting = Setting { channel: asked.channel, ground, sight: asked.sight };
            let text = history::without_mention(&question.content, bot.user);
            Question {
                to,
                through: Through::Channel,
                model: None,
                instead: Some(instead),
                aside: None,
                setting,
                mark,
                message: question,
                text,
                asker: person,
                place,
                locale,
                spot,
                received_at,
            }
        }
        Wish::GoOn => {
            // What was continued offers it no more.
            interaction.update(bot, json!({ "components": [] })).await?;
            let end = click.message.id.get();
            to.replies = Replies::To(end);
            let setting = Setting { channel: here, ground, sight: asked.sight };
            let message = Seen {
                id: click.id.get(),
                kind: Kind::Talk,
                being: Being::Person,
                content: GO_ON.to_owned(),
                files: Vec::new(),
                embedded: String::new(),
                at: bot.clock.now(),
                answers: Some(end),
                inquiry: None,
                ..question
            };
            let text = GO_ON.to_owned();
            Question {
                to,
                through: Through::Channel,
                model: None,
                instead: None,
                aside: None,
                setting,
                mark,
                message,
                text,
                asker: person,
                place,
                locale,
                spot,
                received_at,
            }
        }
    };
    exchange::run(bot, question, registered).await;
    Ok(())
}

/// Where the click was made and the question that was asked, or why it is not answered again.
async fn prepare(
    cache: &Arc<serenity::Cache>,
    bot: &Arc<Bot>,
    said: &serenity::Message,
    (person, language): (&Asker, &Language),
    asked: Asked,
) -> Result<Result<(Where, Seen), String>, RestError> {
    match bot.access.ruling(person).await {
        Ruling::Serve => {}
        Ruling::Ignore => return Ok(Err(say!(language, "not-yours"))),
        Ruling::Refuse(why) => return Ok(Err(why.sentence(language))),
    }
    let found = match Found::known(cache, (said.guild_id, said.channel_id), bot.user) {
        Some(found) => found,
        None => Found::asked(bot, said.channel_id.get()).await?,
    };
    let found_there = history::message(bot, asked.channel, asked.message).await?;
    // The answer to a command shows its question itself.
    let inquired = found_there.as_ref().and_then(|answer| answer.question(bot.user));
    let question = inquired.map(|question| bot.enclosed.with(asked.message, question)).or(found_there);
    Ok(match question.filter(|question| question.author == asked.person) {
        Some(question) => Ok((Where::of(cache, said, found), question)),
        None => Err(say!(language, "question-gone")),
    })
}

/// The message of a click as if whoever clicked had written it: the same place, with their rights.
fn as_said(click: &serenity::ComponentInteraction) -> serenity::Message {
    let mut said = (*click.message).clone();
    said.guild_id = click.guild_id;
    said.author = click.user.clone();
    said.member = click.member.clone().map(|member| Box::new(member.into()));
    said
}

fn least(one: Sight, other: Sight) -> Sight {
    match (one, other) {
        (Sight::Whole, Sight::Whole) => Sight::Whole,
        (Sight::Now, _) | (_, Sight::Now) => Sight::Now,
    }
}

/// Deletes an answer but for its first message, which is the result. Its messages lead back from the last one, which the
/// buttons are on.
async fn clear(bot: &Bot, click: &serenity::ComponentInteraction, question: Option<u64>) -> u64 {
    let channel = click.channel_id.get();
    let mut first = click.message.id.get();
    let mut later = Vec::new();
    let mut before = Seen::of(&click.message).answers;
    while let Some(id) = before.filter(|id| Some(*id) != question && later.len() < MOST_PIECES) {
        let earlier = history::message(bot, channel, id).await.ok().flatten();
        let Some(earlier) = earlier.filter(|earlier| earlier.author == bot.user) else { break };
        later.push(first);
        first = id;
        before = earlier.answers;
    }
    for id in later {
        let path = format!("channels/{channel}/messages/{id}");
        if let Err(error) = bot.rest.call(Method::DELETE, &path, None).await {
            tracing::warn!(discord.channel = channel, error = %error, "A part of the earlier answer could not be deleted");
        }
    }
    first
}
