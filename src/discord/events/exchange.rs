//! One exchange: the conversation is read, the model answers, the sink shows it.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    chat::{Ended, Ending, Exchange, Reader},
    discord::{
        checks::Asker,
        data::{Bot, Exchanges, Running},
        history::{self, Kind, Seen},
        sink::{Destination, MessageSink},
    },
    llm::{ChatRequest, Message, Role},
};

/// A question that will be answered.
pub(super) struct Question {
    /// Where the answer goes.
    pub(super) to: Destination,
    /// The message.
    pub(super) message: Seen,
    /// Its text without the bot's mention.
    pub(super) text: String,
    /// The message that it replies to, where the event brought it along.
    pub(super) parent: Option<Seen>,
    /// Who asks.
    pub(super) asker: Asker,
    /// When it arrived.
    pub(super) received_at: Instant,
}

/// Answers a question.
pub(super) async fn run(bot: &Arc<Bot>, asked: Question) {
    let id = asked.to.exchange.clone();
    let stop = CancellationToken::new();
    let running = Running { asker: asked.asker.user, question: asked.to.question, stop: stop.clone() };
    let registered = Exchanges::register(bot, &id, running);
    let sink = Arc::new(MessageSink::new(Arc::clone(&bot.rest), asked.to.clone(), Arc::clone(&bot.quiet)));
    let is_operator = bot.access.is_operator(asked.asker.user);
    let exchange = Exchange {
        id: id.clone(),
        sink,
        pacers: bot.pacers.clone(),
        reader: if is_operator { Reader::Operator } else { Reader::Person },
        stop,
        drain: bot.shutdown.token().clone(),
    };
    let (user, channel) = (asked.asker.user, asked.to.channel);
    // Reading the history is part of the stream: typing shows meanwhile, and a stop or a shutdown ends it too.
    let events = futures::StreamExt::flatten(futures::stream::once(ask(Arc::clone(bot), asked)));
    let ended = exchange.run(events).await;
    drop(registered);
    log(&id, user, channel, &ended);
}

/// Reads the conversation and asks the model.
async fn ask(bot: Arc<Bot>, asked: Question) -> crate::llm::ChatStream {
    let kind = if asked.asker.guild.is_some() { Kind::Server } else { Kind::Direct };
    let before = history::before(&bot, &asked.message, asked.to.channel, asked.parent, kind).await;
    let mut messages: Vec<Message> = before
        .into_iter()
        .map(|said| Message { role: if said.by_bot { Role::Assistant } else { Role::User }, text: said.text })
        .collect();
    messages.push(Message { role: Role::User, text: asked.text });
    bot.llm.chat(ChatRequest {
        id: asked.to.exchange,
        model: None,
        system: bot.chat.system_prompt.clone(),
        messages,
        conversation: format!("channel:{}", asked.to.channel),
        received_at: asked.received_at,
    })
}

/// The one line about an exchange: never what was said.
fn log(id: &str, user: u64, channel: u64, ended: &Ended) {
    let model = ended.model.as_ref().map(ToString::to_string).unwrap_or_default();
    let (input, output) = ended.usage.map_or((0, 0), |usage| (usage.input, usage.output));
    let characters = ended.text.chars().count();
    match &ended.ending {
        Ending::Finished(_) | Ending::Stopped | Ending::Drained => tracing::info!(
            request.id = id,
            discord.user = user,
            discord.channel = channel,
            ending = ending(&ended.ending),
            model,
            answer.characters = characters,
            usage.input = input,
            usage.output = output,
            "Answered a question"
        ),
        Ending::Failed(failure) => tracing::warn!(
            request.id = id,
            discord.user = user,
            discord.channel = channel,
            failure.class = ?failure.class,
            failure.code = failure.code,
            failure.provider = failure.provider.as_ref().map(ToString::to_string),
            answer.characters = characters,
            "A question could not be answered"
        ),
        Ending::Unreachable(error) => tracing::warn!(
            request.id = id,
            discord.channel = channel,
            error = %error,
            "An answer could not be shown"
        ),
    }
    if let (Err(error), true) = (&ended.delivered, !matches!(ended.ending, Ending::Unreachable(_))) {
        tracing::warn!(
            request.id = id,
            discord.channel = channel,
            error = %error,
            "The end of an answer could not be shown"
        );
    }
}

fn ending(ending: &Ending) -> &'static str {
    match ending {
        Ending::Finished(_) => "finished",
        Ending::Failed(_) => "failed",
        Ending::Stopped => "stopped",
        Ending::Drained => "drained",
        Ending::Unreachable(_) => "unreachable",
    }
}
