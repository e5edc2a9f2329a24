//! One exchange: the conversation is read, the model answers, the sink shows it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::edited::{Answered, watch};
use crate::{
    chat::{
        Asides, Ask, Budget, Calling, Ended, Ending, Exchange, Happening, Happenings, Next, PATIENCE,
        Payload, Permissions, Permit, Place, Reader, ReplySink, Scene, Ticket, Turn, compose, sentence,
        turns_to_summarise,
    },
    clock,
    discord::{
        attachments,
        beginnings::{self, Overflow},
        checks::Asker,
        choices::Spot,
        data::{Bot, Busy, Registered},
        history::{self, Seen, Setting},
        picker::answering,
        sink::{Destination, MessageSink},
        through::Through,
        usage::Cost,
    },
    language::{Language, say},
    llm::ChatRequest,
    provider::ModelRef,
    storage::Stretch,
};

/// A question that will be answered.
pub(super) struct Question {
    /// Where the answer goes.
    pub(super) to: Destination,
    /// And how it gets there.
    pub(super) through: Through,
    /// Who answers, where that was said with the question.
    pub(super) model: Option<ModelRef>,
    /// The message of an earlier answer that it takes the place of.
    pub(super) instead: Option<u64>,
    /// Where it was asked, for what came before it.
    pub(super) setting: Setting,
    /// A small line below the answer.
    pub(super) aside: Option<String>,
    /// The mark of the question's text as it was read.
    pub(super) mark: u64,
    /// The message.
    pub(super) message: Seen,
    /// Its text without the bot's mention.
    pub(super) text: String,
    /// Who asks.
    pub(super) asker: Asker,
    /// Where it was asked.
    pub(super) place: Place,
    /// The language there, where that is known.
    pub(super) locale: Option<String>,
    /// The same, for what was chosen there.
    pub(super) spot: Spot,
    /// When it arrived.
    pub(super) received_at: Instant,
}

/// Answers a question that is registered, and keeps it in the journal meanwhile.
pub(super) async fn run(bot: &Arc<Bot>, asked: Question, registered: Registered) {
    // To the end of its line in the journal: a process that ends by itself leaves none.
    let _busy = Busy::begin(bot);
    let (to, through) = (asked.to.clone(), asked.through.clone());
    if !through.is_whisper() {
        // What one person sees is found by nobody later.
        bot.journal.begin(bot, &to, asked.instead.or(through.original())).await;
    }
    let style = bot.served().settings.reply_style;
    let sink = MessageSink::new(Arc::clone(&bot.rest), to.clone(), through, Arc::clone(&bot.quiet), style);
    let messages = Arc::new(sink.in_place_of(asked.instead));
    tokio::select! {
        () = answer(bot, asked, registered, &messages) => {}
        never = bot.journal.follow(&to, messages.newest()) => match never {},
    }
    bot.journal.end(&to.exchange).await;
}

async fn answer(bot: &Arc<Bot>, mut asked: Question, registered: Registered, messages: &Arc<MessageSink>) {
    let id = asked.to.exchange.clone();
    let (user, channel) = (asked.asker.user, asked.to.channel);
    let stop = registered.running.stop.clone();
    let is_over = registered.running.finishing.clone().drop_guard();
    let sink: Arc<dyn ReplySink> = Arc::<MessageSink>::clone(messages);
    let person = asked.asker.clone();
    let (told, mark, language) = (asked.to.asked, asked.mark, asked.to.language.clone());
    let ticket = bot.inflight.enter(channel, user);
    let waited = ticket.position() > 0;
    let Some(permit) = queue(bot, ticket, &sink, &stop, &language).await else { return };
    if waited {
        // The deadline is for what a model and its accounts need, not for the answers that went first.
        asked.received_at = clock::instant();
    }
    let is_operator = bot.access.is_operator(user);
    let asides = Asides::default();
    asked.aside.take().into_iter().for_each(|line| asides.add(line));
    let exchange = Exchange {
        id: id.clone(),
        sink,
        pacers: bot.pacers.clone(),
        // What stands there is no answer any more.
        patience: if asked.instead.is_some() { Duration::ZERO } else { PATIENCE },
        asides: asides.clone(),
        reader: if is_operator { Reader::Operator } else { Reader::Person },
        language: language.clone(),
        stop,
        drain: bot.shutdown.token().clone(),
    };
    // Reading the history is part of the stream: typing shows meanwhile, and a stop or a shutdown ends it too.
    // The exchange drops its events before it writes the last state: from then on it is finishing.
    let (overflow, sent) = (Arc::new(Mutex::new(None)), Arc::new(AtomicUsize::new(0)));
    let permissions = registered.running.permissions.clone();
    let left = (Arc::clone(&overflow), Arc::clone(&sent));
    let asking = ask(Arc::clone(bot), asked, asides, left, permissions);
    let events = stream::once(Box::pin(asking)).flatten().inspect(move |_| {
        let _ = &is_over;
    });
    let ended = exchange.run(events).await;
    let cost = cost(&ended, sent.load(Ordering::Relaxed));
    bot.spend(&person, cost);
    drop(permit);
    let edits = *registered.running.edits.borrow();
    drop(registered);
    if let Some(message) = messages.last().await {
        watch(bot, Answered { channel, message, asked: told, mark, language }, edits);
    }
    log(&id, user, channel, &ended, cost);
    let overflow = overflow.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let (Some(overflow), Ending::Finished(_)) = (overflow, &ended.ending) {
        let bot = Arc::clone(bot);
        let life = bot.shutdown.clone();
        life.spawn(async move {
            if let Some(cost) = beginnings::summarise(&bot, overflow).await {
                bot.spend(&person, cost);
            }
        });
    }
}

/// Waits for a turn in the channel, visibly and with a stop button. `None`: stopped, or the process ends.
async fn queue(
    bot: &Bot,
    ticket: Ticket,
    sink: &Arc<dyn ReplySink>,
    stop: &CancellationToken,
    language: &Language,
) -> Option<Permit> {
    let text = format!("⏳ {}", say!(language, "queued"));
    let waiting = Payload { text, streaming: true, stands_in: true, ..Payload::default() };
    if ticket.position() == 0 {
        return Some(ticket.turn().await);
    }
    let reply = bot.pacers.open(Arc::clone(sink));
    reply.update(vec![waiting]);
    let end = tokio::select! {
        biased;
        () = stop.cancelled() => sentence::stopped(language),
        () = bot.shutdown.token().cancelled() => sentence::drained(language),
        () = sink.closed() => sentence::out_of_time(language),
        permit = ticket.turn() => return Some(permit),
    };
    if let Err(error) =
        reply.finish(vec![Payload { text: end, next: Next::Retry, ..Payload::default() }]).await
    {
        tracing::warn!(error = %error, "The end of a waiting answer could not be shown");
    }
    None
}

/// What an exchange cost: as the provider counts or, where it did not say, as far as the model was asked at all.
fn cost(ended: &Ended, sent: usize) -> Cost {
    let failed = matches!(ended.ending, Ending::Failed(_)) && ended.text.is_empty();
    Cost::of(ended.usage, if failed { 0 } else { sent }, &ended.text)
}

/// Reads the conversation and asks the model. What of it grows too long is left in `overflow`, and how much is sent, in
/// estimated tokens, in `sent`.
async fn ask(
    bot: Arc<Bot>,
    asked: Question,
    asides: Asides,
    (overflow, sent): (Arc<Mutex<Option<Overflow>>>, Arc<AtomicUsize>),
    permissions: Permissions,
) -> Happenings {
    let channel = asked.setting.channel;
    let history = async {
        let afresh = bot.choices.afresh(&asked.spot).await;
        let past = history::before(&bot, &asked.message, &asked.setting, afresh, asked.received_at).await;
        let (mut ids, mut turns): (Vec<u64>, Vec<Turn>) = past.into_iter().unzip();
        let of = stretch(channel, afresh, &ids);
        let earlier = bot.beginnings.find(of, &ids, bot.clock.now().timestamp_millis()).await;
        let end = earlier.as_ref().and_then(|earlier| ids.iter().position(|id| *id == earlier.newest));
        if let Some(end) = end {
            ids.drain(..=end);
            turns.drain(..=end);
        }
        (of, ids, turns, earlier)
    };
    let ((of, ids, mut turns, earlier), applied, persona) =
        tokio::join!(history, bot.applied(&asked.spot), bot.applied_persona(&asked.spot));
    let question = Turn::person(asked.message.author, asked.message.name, asked.text);
    turns.push(Turn { files: asked.message.files, ..question });
    read_files(&bot, &mut turns, asked.received_at, (&asides, &asked.to.language)).await;
    let served = bot.served();
    let answering = asked.model.clone().or_else(|| answering(&bot, &applied));
    let context = answering.and_then(|model| bot.llm.context_of(&model));
    let budget = Budget::within(context, served.chat.most_messages);
    let scene = Scene {
        place: asked.place,
        now: bot.clock.now(),
        time_zone: served.chat.time_zone,
        locale: asked.locale,
        persona: persona.persona.map(|(persona, ..)| persona),
        summary: earlier.as_ref().map(|earlier| earlier.summary.clone()),
    };
    let composed = compose(&served.chat.system_prompt, &turns, &scene, &budget);
    sent.store(composed.tokens(), Ordering::Relaxed);
    let model = asked.model.or(applied.model.map(|(model, _)| model));
    if let Some(older) = turns_to_summarise(&turns, scene.summary.as_deref(), &budget) {
        let messages = ids.into_iter().take(older).collect();
        let turns = turns.into_iter().take(older).map(Turn::without_bytes).collect();
        let found = Overflow { of, earlier, messages, turns, model: model.clone(), budget };
        *overflow.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }
    let request = ChatRequest {
        id: asked.to.exchange,
        model,
        system: composed.system,
        messages: composed.messages,
        tools: Vec::new(),
        conversation: format!("channel:{}", asked.to.channel),
        received_at: asked.received_at,
    };
    chat(&bot, request, &asked.spot, permissions).await
}

/// Asks the model, with tools where operators let it call some.
async fn chat(bot: &Bot, request: ChatRequest, spot: &Spot, permissions: Permissions) -> Happenings {
    let llm = bot.llm.clone();
    if !bot.tools.is_empty() && bot.choices.has_tools(spot).await {
        let toolbox = Arc::new(bot.tools.offer());
        let ask: Ask = Arc::new(move |request| llm.chat(request));
        return Calling { ask, toolbox, limits: bot.tools.limits(), permissions }.run(request);
    }
    llm.chat(request).map_ok(Happening::from).boxed()
}

/// Under what the beginning of a conversation of these messages is kept. Who began afresh shares none with others, whose
/// beginnings hold what they left behind, unless a reply took them back there.
fn stretch(channel: u64, afresh: u64, messages: &[u64]) -> Stretch {
    let is_fresh = messages.iter().all(|message| *message > afresh);
    Stretch { channel, since: if is_fresh { afresh } else { 0 } }
}

/// Reads the files of a conversation. Of those that came with the question, a small line tells about each that was not read.
async fn read_files(
    bot: &Bot,
    turns: &mut [Turn],
    received_at: Instant,
    (asides, language): (&Asides, &Language),
) {
    let until = (clock::instant() + attachments::PATIENCE).min(received_at + bot.served().chat.deadline / 2);
    bot.attachments.read(turns, until).await;
    let question = turns.last().into_iter().flat_map(|turn| &turn.files);
    question.filter_map(|file| file.complaint(language)).for_each(|line| asides.add(line));
}

/// The one line about an exchange: never what was said.
fn log(id: &str, user: u64, channel: u64, ended: &Ended, cost: Cost) {
    let model = ended.model.as_ref().map(ToString::to_string).unwrap_or_default();
    let (input, output) = ended.usage.map_or((0, 0), |usage| (usage.input, usage.output));
    let characters = ended.text.chars().count();
    match &ended.ending {
        Ending::Finished(_) | Ending::Stopped | Ending::Drained | Ending::OutOfTime => tracing::info!(
            request.id = id,
            discord.user = user,
            discord.channel = channel,
            ending = ending(&ended.ending),
            model,
            answer.characters = characters,
            usage.input = input,
            usage.output = output,
            usage.estimated = cost.estimated(),
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
        Ending::OutOfTime => "out of time",
        Ending::Unreachable(_) => "unreachable",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_began_afresh_shares_no_beginning_with_others() {
        let since = |afresh, messages: &[u64]| stretch(9, afresh, messages).since;
        assert_eq!(since(0, &[1, 2]), 0);
        assert_eq!(since(10, &[11, 12]), 10);
        assert_eq!(since(10, &[9, 12]), 0, "a reply went back");
    }
}
