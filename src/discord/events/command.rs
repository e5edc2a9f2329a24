//! Questions that come as commands: `/chat`, and the menu of a message. They take the way of every other question; only the
//! answer is promised first, and shows the question itself.

use std::{sync::Arc, time::Duration};

use poise::serenity_prelude as serenity;

use super::{
    edited,
    exchange::{self, Question},
};
use crate::{
    chat::File,
    clock,
    discord::{
        asked::Asked,
        checks::Asker,
        commands::refusal,
        data::{Bot, Exchanges, correlation_id},
        error::CommandError,
        ground::{Found, Where},
        history::{self, Being, Inquiry, Kind, Seen, Setting},
        reply::Interaction,
        sink::{Destination, Replies},
        through::{Reach, SeenBy, Through, Webhook},
    },
    language::say,
    provider::ModelRef,
    secret::Secret,
};

/// How long it may take to find out whether somebody is served: a command is answered within 3 s or not at all.
const SOON: Duration = Duration::from_millis(1500);
/// How long it may take to find out what the channel is, once the answer is promised.
const LATER: Duration = Duration::from_secs(5);

/// What is asked with a command.
#[derive(Debug)]
pub(in crate::discord) struct Wanted {
    /// The text for the model.
    pub(in crate::discord) text: String,
    /// The same as the answer shows it.
    pub(in crate::discord) heading: String,
    /// What comes with it.
    pub(in crate::discord) files: Vec<File>,
    /// Who answers, where that is said.
    pub(in crate::discord) model: Option<ModelRef>,
    /// Who sees the answer.
    pub(in crate::discord) seen_by: SeenBy,
}

/// Answers a command; returns once the answer is promised, or refused to this person alone.
pub(in crate::discord) async fn ask(
    bot: &Arc<Bot>,
    cache: &Arc<serenity::Cache>,
    command: &serenity::CommandInteraction,
    wanted: Wanted,
) -> Result<(), CommandError> {
    let received_at = clock::instant();
    let interaction = Interaction::new(bot, command.id.get(), &command.token);
    let asker = Asker::of_command(command);
    let language = bot.language_of(asker.user, &command.locale);
    let refused = match tokio::time::timeout(SOON, refusal(bot, &language, &asker)).await {
        Ok(None) if bot.shutdown.is_ending() => Some(say!(language, "restarting")),
        Ok(None) => bot.admit(&asker).await.err().map(|reached| reached.sentence(&language)),
        Ok(refused) => refused,
        Err(_) => Some(say!(language, "unsure")),
    };
    if let Some(why) = refused {
        return Ok(interaction.whisper(bot, &why).await?);
    }
    let original = interaction.promise(bot, wanted.seen_by).await?;
    let through = Through::Webhook(Webhook {
        application: bot.application,
        interaction: command.id.get(),
        token: Secret::new(&command.token),
        original,
        reach: Reach::of(wanted.seen_by, command),
        since: clock::instant(),
    });
    bot.enclosed.put(original, wanted.files.clone());
    let asked_in = Where::of_command(cache, command, found(bot, cache, command).await);
    let inquiry = Inquiry {
        id: command.id.get(),
        person: asker.user,
        name: command.user.global_name.clone().unwrap_or_else(|| command.user.name.clone()),
        text: history::on_one_line(&wanted.heading),
    };
    let Where { place, locale, spot, ground, sight } = asked_in;
    let to = Destination {
        channel: asker.channel,
        asked: Asked { channel: asker.channel, message: original, person: asker.user, sight },
        occasion: inquiry.id,
        replies: Replies::ToTheQuestion,
        exchange: correlation_id(),
        heading: Some(inquiry.heading()),
        language,
    };
    let Some(registered) = Exchanges::register(bot, &to.exchange, to.asked, to.channel) else {
        return Ok(());
    };
    let message = Seen {
        id: inquiry.id,
        kind: Kind::Talk,
        author: asker.user,
        being: Being::Person,
        name: inquiry.name.clone(),
        content: wanted.text.clone(),
        files: wanted.files,
        embedded: String::new(),
        at: bot.clock.now(),
        answers: None,
        inquiry: Some(inquiry),
    };
    let question = Question {
        setting: Setting { channel: to.channel, ground, sight },
        to,
        through,
        model: wanted.model,
        instead: None,
        mark: edited::mark(&wanted.text),
        message,
        text: wanted.text,
        asker,
        place,
        locale,
        spot,
        received_at,
    };
    let life = bot.shutdown.clone();
    let bot = Arc::clone(bot);
    life.spawn(async move { exchange::run(&bot, question, registered).await });
    Ok(())
}

/// The channel of a command. What cannot be looked up is an ordinary one.
async fn found(bot: &Bot, cache: &serenity::Cache, command: &serenity::CommandInteraction) -> Found {
    if let Some(known) = Found::known(cache, (command.guild_id, command.channel_id), bot.user) {
        return known;
    }
    match tokio::time::timeout(LATER, Found::asked(bot, command.channel_id.get())).await {
        Ok(Ok(found)) => found,
        Ok(Err(_)) | Err(_) => Found::channel(),
    }
}
