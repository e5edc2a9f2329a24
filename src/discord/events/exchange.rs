//! One exchange: the conversation is read, the model answers, the sink shows it.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    chat::{Payload, ReplySink},
    discord::{
        checks::Asker,
        data::{Bot, Exchanges, Running},
        history::{self, Kind, Seen},
        sink::{Destination, MessageSink},
    },
    llm::{ChatEvent, ChatRequest, Message, Role},
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
    let _registered = Exchanges::register(bot, &id, running);
    let sink = MessageSink::new(Arc::clone(&bot.rest), asked.to.clone(), Arc::clone(&bot.quiet));
    sink.typing().await;
    let kind = if asked.asker.guild.is_some() { Kind::Server } else { Kind::Direct };
    let before = history::before(bot, &asked.message, asked.to.channel, asked.parent, kind).await;
    let mut messages: Vec<Message> = before
        .into_iter()
        .map(|said| Message { role: if said.by_bot { Role::Assistant } else { Role::User }, text: said.text })
        .collect();
    messages.push(Message { role: Role::User, text: asked.text });
    let mut stream = bot.llm.chat(ChatRequest {
        id: id.clone(),
        model: None,
        system: bot.chat.system_prompt.clone(),
        messages,
        conversation: format!("channel:{}", asked.to.channel),
        received_at: asked.received_at,
    });
    let mut text = String::new();
    let mut tick = tokio::time::interval(Duration::from_millis(1020));
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = bot.shutdown.token().cancelled() => break,
            event = stream.next() => match event {
                Some(Ok(ChatEvent::Text(more))) => text.push_str(&more),
                Some(Ok(ChatEvent::Notice(_) | ChatEvent::Reasoning)) => {}
                Some(Ok(ChatEvent::Finished { .. })) | None => break,
                Some(Err(failure)) => {
                    tracing::warn!(error = %failure, "A chat failed");
                    break;
                }
            },
            _ = tick.tick(), if !text.is_empty() => {
                drop(sink.send(0, &Payload { text: text.clone(), streaming: true, attachment: None }).await);
            }
        }
    }
    drop(sink.send(0, &Payload { text, streaming: false, attachment: None }).await);
}
