//! Questions that come as commands: `/chat`, and the menu of a message. They take the way of every other question; only the
//! answer is promised first, and shows the question itself.

use std::{sync::Arc, time::Duration};

use poise::serenity_prelude as serenity;
use serde_json::json;
use tokio::time::Instant;

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
        commands::{apology, refusal},
        data::{Bot, Exchanges, correlation_id},
        error::CommandError,
        ground::{Found, Where},
        history::{self, Being, Extent, Inquiry, Kind, Seen, Setting, Sight},
        reply::{Interaction, cut},
        sink::{Destination, Replies},
        through::{Reach, SeenBy, Through, Webhook},
    },
    language::{Language, say},
    provider::ModelRef,
    secret::Secret,
};

/// How long it may take to find out whether somebody is served: a command is answered within 3 s or not at all.
const SOON: Duration = Duration::from_millis(1500);
/// How long it may take to find out what the channel is, once the answer is promised.
const LATER: Duration = Duration::from_secs(5);
/// Units of a message that the answer shows above itself.
const SHOWN: usize = 300;
/// UTF-16 units of a question that stand above its answer, so that there is room for the answer whatever was asked.
const HEADING: usize = 1300;

/// What the model is asked for.
const SUMMARISE: &str = "Summarise the messages in the file for somebody who missed them: what it was about, what was decided or \
                         found out and by whom, and what is still open. Be brief, begin with the most important, and write in \
                         the language in which most of them are written. Each line begins with the time (UTC) and who wrote it.";

/// What is asked with a command.
#[derive(Debug)]
pub(in crate::discord) struct Wanted {
    /// What it is about.
    pub(in crate::discord) subject: Subject,
    /// Who answers, where that is said.
    pub(in crate::discord) model: Option<ModelRef>,
    /// Who sees the answer.
    pub(in crate::discord) seen_by: SeenBy,
}

/// What a command is about.
#[derive(Debug)]
pub(in crate::discord) enum Subject {
    /// What was typed, and what was attached to it.
    Typed(String, Option<File>),
    /// A message, as if it had been said to the bot.
    Message(Box<Seen>),
    /// A message and all that follows it, in short.
    Since(Box<Seen>),
}

/// A question as the model and people read it.
struct Worded {
    text: String,
    heading: String,
    files: Vec<File>,
    /// Below the answer.
    aside: Option<String>,
}

/// Answers a command; returns once the answer is promised, or refused to this person alone.
pub(in crate::discord) async fn ask(
    bot: &Arc<Bot>,
    cache: &Arc<serenity::Cache>,
    command: &serenity::CommandInteraction,
    mut wanted: Wanted,
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
    if !may_speak(command) {
        // Whoever may not write here does not write here through the bot.
        wanted.seen_by = SeenBy::Asker;
    }
    let webhook = Webhook {
        application: bot.application,
        interaction: command.id.get(),
        token: Secret::new(&command.token),
        original: interaction.promise(bot, wanted.seen_by).await?,
        reach: Reach::of(wanted.seen_by, command),
        since: clock::instant(),
    };
    let (life, bot, cache, command) =
        (bot.shutdown.clone(), Arc::clone(bot), Arc::clone(cache), command.clone());
    life.spawn(async move {
        let found = found(&bot, &cache, &command).await;
        let asked_in = Where::of_command(&cache, &command, found);
        match word(&bot, (&asker, &language), asked_in.sight, &wanted.subject).await {
            Ok(worded) => {
                drop(interaction);
                let name = command.user.global_name.as_ref().unwrap_or(&command.user.name);
                let promised =
                    Promised { asker, name: name.clone(), language, asked_in, webhook, received_at };
                promised.keep(&bot, wanted, worded).await;
            }
            Err(why) => {
                if let Err(error) = interaction.edit(&bot, json!({ "content": why })).await {
                    tracing::warn!(error = %error, "A command could not be answered");
                }
            }
        }
    });
    Ok(())
}

/// An answer that was promised.
struct Promised {
    asker: Asker,
    /// The asker's.
    name: String,
    language: Language,
    asked_in: Where,
    webhook: Webhook,
    received_at: Instant,
}

impl Promised {
    /// Answers.
    async fn keep(self, bot: &Arc<Bot>, wanted: Wanted, worded: Worded) {
        let Self { asker, name, language, asked_in, webhook, received_at } = self;
        let Where { place, locale, spot, ground, sight } = asked_in;
        let (channel, original) = (asker.channel, webhook.original);
        bot.enclosed.put(original, &worded.text, worded.files.clone());
        let inquiry = Inquiry {
            id: webhook.interaction,
            person: asker.user,
            name,
            text: cut(&history::on_one_line(&worded.heading), HEADING),
        };
        let to = Destination {
            channel,
            asked: Asked { channel, message: original, person: asker.user, sight },
            occasion: inquiry.id,
            replies: Replies::ToTheQuestion,
            exchange: correlation_id(),
            heading: Some(inquiry.heading()),
            language,
        };
        let Some(registered) = Exchanges::register(bot, &to.exchange, to.asked, channel) else { return };
        let (message, sight) = match wanted.subject {
            Subject::Typed(..) => (asked(bot, inquiry, &worded.text), sight),
            Subject::Message(about) => (*about, sight),
            // It holds all that it is about.
            Subject::Since(_) => (asked(bot, inquiry, &worded.text), Sight::Now),
        };
        let question = Question {
            to,
            through: Through::Webhook(webhook),
            model: wanted.model,
            instead: None,
            aside: worded.aside,
            setting: Setting { channel, ground, sight },
            mark: edited::mark(&worded.text),
            message: Seen { files: worded.files, ..message },
            text: worded.text,
            asker,
            place,
            locale,
            spot,
            received_at,
        };
        exchange::run(bot, question, registered).await;
    }
}

/// What was asked with a command, as if it were a message.
fn asked(bot: &Bot, inquiry: Inquiry, text: &str) -> Seen {
    Seen {
        id: inquiry.id,
        kind: Kind::Talk,
        author: inquiry.person,
        being: Being::Person,
        name: inquiry.name.clone(),
        content: text.to_owned(),
        files: Vec::new(),
        embedded: String::new(),
        at: bot.clock.now(),
        answers: None,
        inquiry: Some(inquiry),
    }
}

/// Puts what is wanted into words, or says why that cannot be.
async fn word(
    bot: &Bot,
    (asker, language): (&Asker, &Language),
    sight: Sight,
    subject: &Subject,
) -> Result<Worded, String> {
    match subject {
        Subject::Typed(text, file) => Ok(Worded {
            text: text.clone(),
            heading: file.as_ref().map_or_else(
                || text.clone(),
                |file| format!("{text} 📎 {}", history::on_one_line(&file.name)),
            ),
            files: file.iter().cloned().collect(),
            aside: None,
        }),
        Subject::Message(about) => {
            let text = history::without_mention(&about.says(), bot.user);
            let shown =
                if text.is_empty() { "📎".to_owned() } else { cut(&history::on_one_line(&text), SHOWN) };
            let heading = format!("{}: {shown}", link(asker, about));
            Ok(Worded { text, heading, files: about.files.clone(), aside: None })
        }
        Subject::Since(_) if sight == Sight::Now => Err(say!(language, "no-history-for-you")),
        Subject::Since(first) => {
            let found = history::since(bot, asker.channel, first).await.map_err(|error| {
                let id = correlation_id();
                tracing::warn!(request.id = id, discord.channel = asker.channel, error = %error, "Could not read what to summarise");
                apology(language, &id)
            })?;
            if found.messages == 0 {
                return Err(say!(language, "nothing-since"));
            }
            Ok(Worded {
                text: SUMMARISE.to_owned(),
                heading: say!(language, "heading-since", count = found.messages, author = link(asker, first)),
                files: vec![File::text("messages.txt", found.text)],
                aside: match found.extent {
                    Extent::Whole => None,
                    Extent::Beginning => Some(format!("-# {}", say!(language, "more-since"))),
                },
            })
        }
    }
}

/// A message's author as a link to it.
fn link(asker: &Asker, message: &Seen) -> String {
    let guild = asker.guild.map_or_else(|| "@me".to_owned(), |guild| guild.to_string());
    let name: String = message.name.chars().filter(|c| !"[]()\\`*_~|<>".contains(*c)).collect();
    let name = history::on_one_line(&name);
    let name = if name.is_empty() { "somebody" } else { &name };
    format!("[{name}](https://discord.com/channels/{guild}/{}/{})", asker.channel, message.id)
}

/// Whether a person may write where they use a command.
fn may_speak(command: &serenity::CommandInteraction) -> bool {
    let is_thread = command.channel.as_ref().is_some_and(|channel| channel.thread_metadata.is_some());
    let Some(all) = command.member.as_ref().and_then(|member| member.permissions) else { return true };
    all.administrator() || if is_thread { all.send_messages_in_threads() } else { all.send_messages() }
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
