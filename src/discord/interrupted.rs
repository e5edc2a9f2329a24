//! Answers whose process died: marked as interrupted, and with what may be done next (D22).
//!
//! Every process looks for them, the first time at its start. Of several one gets an answer; what is found finished needs
//! no mark, so a mark comes once.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use tokio::time::sleep;

use super::{
    asked,
    data::{Bot, Busy, correlation_id},
    error::RestError,
    history::Inquiry,
    journal::{BEAT, millis},
    own::{self, Own},
    reply::cut,
    sink::{Destination, MessageSink},
    through::Through,
};
use crate::{
    chat::{Next, Payload, ReplySink as _, SinkError, sentence},
    storage::{Abandoned, Adopted},
};

/// Answers that are looked after at once.
const AT_ONCE: usize = 8;
/// Answers that one look takes.
const MOST: u16 = 200;
/// How often an answer is tried whose channel cannot be read or written.
const MOST_TRIES: i64 = 5;
/// How long one is its finder's; after a failure the pause before the next try, twice as long each time.
const PAUSE: Duration = Duration::from_mins(1);
/// An answer that is older is left as it is: its conversation has long gone on.
const OLD: Duration = Duration::from_hours(7 * 24);
/// How long a request to the database may take.
const LONGEST: Duration = Duration::from_secs(5);

/// Looks after what others left, until the process ends.
pub(super) async fn look_after(bot: Arc<Bot>) {
    let forget = async {
        let before = bot.clock.now().timestamp_millis() - millis(OLD);
        bot.journal.open().await?.forget_inflight_before(before).await
    };
    bot.journal.within(LONGEST, forget).await;
    loop {
        look(&bot).await;
        tokio::select! {
            () = sleep(BEAT) => {}
            () = bot.shutdown.token().cancelled() => return,
        }
    }
}

async fn look(bot: &Arc<Bot>) {
    let now = bot.clock.now().timestamp_millis();
    let find = async { bot.journal.open().await?.abandoned(bot.application, now, MOST).await };
    let found = bot.journal.within(LONGEST, find).await.unwrap_or_default();
    stream::iter(found).for_each_concurrent(AT_ONCE, |found| end(bot, found)).await;
}

/// Ends an answer, if it is this process that gets it.
async fn end(bot: &Arc<Bot>, found: Abandoned) {
    // Where its writer is here it lives, however late it was to say so: it holds it again with its next beat.
    if bot.shutdown.is_ending() || bot.exchanges.get(&found.answer.exchange).is_some() {
        return;
    }
    // An end of the process waits for it: nobody else would look for a while.
    let _busy = Busy::begin(bot);
    let doubled = PAUSE.saturating_mul(1 << found.tries.clamp(0, 10));
    let until = bot.clock.now().timestamp_millis() + millis(doubled);
    let adopt = async { bot.journal.open().await?.adopt(&found, until).await };
    match bot.journal.within(LONGEST, adopt).await {
        Some(Adopted::Here) => {}
        Some(Adopted::Elsewhere) | None => return,
    }
    let (id, channel) = (&found.answer.exchange, found.answer.channel);
    let is_settled = match mark(bot, &found).await {
        Outcome::Marked => {
            tracing::info!(request.id = id, discord.channel = channel, "Marked an interrupted answer");
            true
        }
        Outcome::NothingToMark => true,
        Outcome::Failed(problem) if found.tries + 1 >= MOST_TRIES => {
            tracing::warn!(request.id = id, discord.channel = channel, %problem, "An interrupted answer stays unmarked");
            true
        }
        Outcome::Failed(problem) => {
            tracing::debug!(request.id = id, discord.channel = channel, %problem, "An interrupted answer cannot be marked yet");
            false
        }
    };
    if is_settled {
        bot.journal.end(id).await;
    }
}

/// What became of a mark.
enum Outcome {
    /// It is there.
    Marked,
    /// There is no message, or it is finished.
    NothingToMark,
    /// It may be tried again.
    Failed(String),
}

async fn mark(bot: &Bot, found: &Abandoned) -> Outcome {
    let answer = &found.answer;
    let Some((asked, replies, language)) = asked::read(&answer.offer) else { return Outcome::NothingToMark };
    let language = bot.languages.named(language).unwrap_or_default();
    let left = match left(bot, found).await {
        Ok(Some(left)) => left,
        Ok(None) | Err(RestError::Status { status: 404, .. }) => return Outcome::NothingToMark,
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let id = left.id();
    let (text, style) = left.text();
    // The answer to a command shows its question above.
    let is_commands = asked.message == id;
    let shown = if is_commands { Inquiry::split(text) } else { None };
    let heading = shown.and_then(|_| text.lines().next());
    let text = shown.map_or(text, |(_, rest)| rest);
    let to = Destination {
        channel: answer.channel,
        asked,
        occasion: id,
        replies,
        // The mark carries no stop button.
        exchange: correlation_id(),
        heading: heading.map(str::to_owned),
        language: language.clone(),
    };
    let stands_in = sentence::stands_in(text);
    let next = match (stands_in, is_commands && heading.is_none()) {
        (false, _) => Next::Continue,
        (true, false) => Next::Retry,
        // Not even the question was shown: there is nothing to ask again.
        (true, true) => Next::Nothing,
    };
    let through = Through::Channel;
    let sink = MessageSink::new(Arc::clone(&bot.rest), to, through, Arc::clone(&bot.quiet), style).over(id);
    // A process that died after it had said how the answer ended left only the buttons undone.
    let said = text.lines().last().filter(|line| sentence::is_ending(line));
    let mark = said.map_or_else(|| sentence::interrupted(&language), str::to_owned);
    let text = if stands_in { "" } else { text };
    let text = marked(text, &mark, sink.limit());
    let payload = Payload { text, next, ..Payload::default() };
    match bot.pacers.open(Arc::new(sink)).finish(vec![payload]).await {
        Ok(()) => Outcome::Marked,
        Err(SinkError::Gone | SinkError::Refused { .. }) => Outcome::NothingToMark,
        Err(error @ (SinkError::Forbidden | SinkError::Transient { .. } | SinkError::RateLimited { .. })) => {
            Outcome::Failed(error.to_string())
        }
    }
}

/// The last message of an answer, unless it is finished or there is none.
async fn left(bot: &Bot, found: &Abandoned) -> Result<Option<Own>, RestError> {
    let answer = &found.answer;
    // The newest that is known, and whatever was created without the journal learning of it.
    let mut ours = own::since(bot, answer.channel, answer.newest).await?;
    let stop = asked::stop(&answer.exchange);
    let running = ours.iter().rposition(|own| own.buttons().any(|id| id == stop));
    // A message that was full lost its button while the next one was on its way.
    let is_full = |own: &Own| own.id() == answer.newest && own.buttons().next().is_none();
    let last = running.or_else(|| ours.iter().position(is_full));
    Ok(last.map(|at| ours.swap_remove(at)))
}

/// A text with a mark under it, once, within a limit.
pub(super) fn marked(text: &str, mark: &str, limit: usize) -> String {
    if text.is_empty() || text == mark {
        return mark.to_owned();
    }
    if text.ends_with(mark) {
        return text.to_owned();
    }
    let room = limit - mark.encode_utf16().count() - 1;
    format!("{}\n{mark}", cut(text, room))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discord::sink::MESSAGE_LIMIT;

    #[test]
    fn d10_the_text_stays_and_is_marked_once() {
        assert_eq!(marked("so far", "-# x", MESSAGE_LIMIT), "so far\n-# x");
        assert_eq!(marked("so far\n-# x", "-# x", MESSAGE_LIMIT), "so far\n-# x");
        assert_eq!(marked("", "-# x", MESSAGE_LIMIT), "-# x");
        let long = marked(&"😀".repeat(1000), "-# x", MESSAGE_LIMIT);
        assert!(long.encode_utf16().count() <= MESSAGE_LIMIT && long.ends_with("\n-# x"));
    }
}
