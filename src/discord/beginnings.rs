//! What is left of the beginning of long conversations: found before an answer, written after it, dropped with any
//! message that went into it (D12).

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use tokio::time::timeout;

use super::{
    data::{Bot, Recent, correlation_id},
    usage::Cost,
};
use crate::{
    chat::{Budget, Turn, ask_for_summary, request_tokens, shorten_summary},
    clock,
    llm::{ChatEvent, ChatRequest, Usage},
    provider::ModelRef,
    storage::{Beginning, Kept, Shared, StorageError, Stretch},
};

/// How long a chat waits for the database before it goes on without.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long writing may take, after the answer.
const LONGEST: Duration = Duration::from_secs(5);
/// How long a summary may take, through waits and failover.
const SUMMARY: Duration = Duration::from_mins(1);
/// Fewer messages than these never had a beginning to leave out.
const SHORT: usize = 7;
/// For how long one is kept, in milliseconds: 30 days.
const AGE: i64 = 30 * 24 * 60 * 60 * 1000;
/// Deleted messages that are remembered, for the summaries that are being written.
const REMEMBERED: usize = 10_000;

/// The beginnings of conversations.
#[derive(Debug)]
pub(super) struct Beginnings {
    storage: Arc<Shared>,
    /// Channels in which one is being written.
    writing: Mutex<BTreeSet<u64>>,
    /// Messages that were deleted: what went into a summary meanwhile is found in no row yet.
    gone: Mutex<Recent<u64, ()>>,
}

/// Older turns that are to be summarised once the answer is there.
#[derive(Debug, Clone)]
pub(super) struct Overflow {
    /// Where.
    pub(super) of: Stretch,
    /// What stood for what is even older.
    pub(super) earlier: Option<Beginning>,
    /// The messages, the newest last; a beginning is kept under it.
    pub(super) messages: Vec<u64>,
    /// The same as turns.
    pub(super) turns: Vec<Turn>,
    /// Who summarises.
    pub(super) model: Option<ModelRef>,
    /// What it reads at most.
    pub(super) budget: Budget,
}

impl Beginnings {
    /// What stands in this database.
    pub(super) fn new(storage: Arc<Shared>) -> Self {
        Self { storage, writing: Mutex::default(), gone: Mutex::new(Recent::new(REMEMBERED)) }
    }

    /// The one that stands for the most of a conversation of these messages, oldest first; `now` in milliseconds.
    pub(super) async fn find(&self, of: Stretch, messages: &[u64], now: i64) -> Option<Beginning> {
        if messages.len() < SHORT {
            return None;
        }
        let read = async { self.storage.open().await?.beginnings(of, messages, now - AGE).await };
        let found = match timeout(PATIENCE, read).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                self.storage.failed(&error).await;
                tracing::debug!(error = %error, "The beginning of a conversation cannot be read");
                return None;
            }
            Err(_) => return None,
        };
        let place = |beginning: &Beginning| messages.iter().position(|id| *id == beginning.newest);
        found.into_iter().max_by_key(place)
    }

    async fn keep(&self, overflow: &Overflow, summary: String, now: i64) -> Result<Kept, StorageError> {
        let Some(newest) = overflow.messages.last() else { return Ok(Kept::Whole) };
        let beginning = Beginning { newest: *newest, summary };
        let earlier = overflow.earlier.as_ref().map(|earlier| earlier.newest);
        let storage = self.storage.open().await?;
        let kept = storage.keep_beginning(overflow.of, &beginning, &overflow.messages, earlier, now).await?;
        // Whoever deletes from now on finds the row; who did before is in `gone`.
        for message in storage.messages_of(overflow.of, *newest).await? {
            if self.is_gone(message) {
                storage.forget_message(message).await?;
            }
        }
        storage.forget_beginnings_before(now - AGE).await?;
        Ok(kept)
    }

    /// Remembers for a while that a message was deleted.
    pub(super) fn note_gone(&self, message: u64) {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).insert(message, ());
    }

    /// Whether a message was deleted a short while ago.
    pub(super) fn is_gone(&self, message: u64) -> bool {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).get(&message).is_some()
    }

    /// Drops whatever a message went into.
    pub(super) async fn forget(&self, message: u64) {
        self.note_gone(message);
        let forget = async { self.storage.open().await?.forget_message(message).await };
        match timeout(LONGEST, forget).await {
            Ok(Ok(0)) => {}
            Ok(Ok(dropped)) => {
                tracing::info!(dropped, "Forgot what was left of a conversation with a deleted message");
            }
            Ok(Err(error)) => {
                self.storage.failed(&error).await;
                tracing::warn!(error = %error, "What was left of a deleted message could not be forgotten");
            }
            Err(_) => tracing::warn!("What was left of a deleted message could not be forgotten in time"),
        }
    }
}

/// Summarises what overflows, in a request of its own; one at a time in a channel. A failure leaves everything as it was:
/// what does not fit is left out. What it cost comes back, where a model answered.
pub(super) async fn summarise(bot: &Bot, overflow: Overflow) -> Option<Cost> {
    let writing = || bot.beginnings.writing.lock().unwrap_or_else(PoisonError::into_inner);
    if !writing().insert(overflow.of.channel) {
        return None;
    }
    let cost = tokio::select! {
        () = bot.shutdown.token().cancelled() => None,
        cost = write(bot, &overflow) => cost,
    };
    writing().remove(&overflow.of.channel);
    cost
}

async fn write(bot: &Bot, overflow: &Overflow) -> Option<Cost> {
    let (id, channel) = (correlation_id(), overflow.of.channel);
    let earlier = overflow.earlier.as_ref().map(|earlier| earlier.summary.as_str());
    let (system, messages) = ask_for_summary(earlier, &overflow.turns, &overflow.budget);
    let sent = request_tokens(&system, &messages);
    let request = ChatRequest {
        id: id.clone(),
        model: overflow.model.clone(),
        system,
        messages,
        tools: Vec::new(),
        conversation: format!("channel:{channel}"),
        received_at: clock::instant(),
    };
    let Ok(Some((text, usage))) = timeout(SUMMARY, whole(bot, request)).await else {
        tracing::warn!(
            request.id = id,
            discord.channel = channel,
            "A long conversation could not be summarised"
        );
        return None;
    };
    let cost = Cost::of(usage, sent, &text);
    let summary = shorten_summary(&text);
    let kept = bot.beginnings.keep(overflow, summary, bot.clock.now().timestamp_millis());
    match timeout(LONGEST, kept).await {
        Ok(Ok(Kept::Whole)) => tracing::info!(
            request.id = id,
            discord.channel = channel,
            messages = overflow.messages.len(),
            "Summarised the beginning of a long conversation"
        ),
        Ok(Ok(Kept::Outdated)) => tracing::info!(
            request.id = id,
            discord.channel = channel,
            "A summary is not kept: a message before it was deleted meanwhile"
        ),
        Ok(Err(error)) => {
            bot.beginnings.storage.failed(&error).await;
            tracing::warn!(request.id = id, error = %error, "The summary of a conversation could not be kept");
        }
        Err(_) => tracing::warn!(request.id = id, "The summary of a conversation could not be kept in time"),
    }
    Some(cost)
}

/// The whole text of an answer, and what the provider says it cost; nothing where it fails or says nothing.
async fn whole(bot: &Bot, request: ChatRequest) -> Option<(String, Option<Usage>)> {
    let mut events = bot.llm.chat(request);
    let mut text = String::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(ChatEvent::Text(piece)) => text.push_str(&piece),
            Ok(ChatEvent::Notice(_) | ChatEvent::Reasoning | ChatEvent::Call(_)) => {}
            Ok(ChatEvent::Finished { usage, .. }) => {
                return Some((text, usage)).filter(|(text, _)| !text.trim().is_empty());
            }
            Err(_) => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::{
        config::{Database, StorageSettings},
        storage::OnDamage,
    };

    const OF: Stretch = Stretch { channel: 9, since: 0 };

    fn overflow(earlier: Option<Beginning>, messages: &[u64]) -> Overflow {
        let (messages, turns) = (messages.to_vec(), Vec::new());
        Overflow { of: OF, earlier, messages, turns, model: None, budget: Budget::default() }
    }

    #[tokio::test]
    async fn d12_a_message_that_is_deleted_while_its_summary_is_written_stays_in_none() {
        let folder = TempDir::new().unwrap();
        let settings = StorageSettings { database: Database::Sqlite(folder.path().join("a.db")) };
        let beginnings = Beginnings::new(Arc::new(Shared::new(settings, OnDamage::Report)));
        let read: Vec<u64> = (1..=9).collect();
        let keep = async |overflow: &Overflow| beginnings.keep(overflow, "x".to_owned(), 0).await.unwrap();
        let find = async || beginnings.find(OF, &read, 0).await.map(|found| found.newest);

        beginnings.forget(2).await;
        keep(&overflow(None, &[1, 2, 3])).await;
        assert_eq!(find().await, None, "one of its messages was deleted");

        keep(&overflow(None, &[1, 3])).await;
        let earlier = beginnings.find(OF, &read, 0).await;
        assert_eq!(earlier.as_ref().map(|earlier| earlier.newest), Some(3));
        beginnings.forget(1).await;
        assert_eq!(keep(&overflow(earlier, &[4, 5])).await, Kept::Outdated);
        assert_eq!(find().await, None, "one that went into the earlier was deleted");
    }

    #[tokio::test]
    async fn a_summary_is_found_for_thirty_days() {
        let folder = TempDir::new().unwrap();
        let settings = StorageSettings { database: Database::Sqlite(folder.path().join("a.db")) };
        let beginnings = Beginnings::new(Arc::new(Shared::new(settings, OnDamage::Report)));
        beginnings.keep(&overflow(None, &[1, 2]), "x".to_owned(), 5).await.unwrap();
        let read: Vec<u64> = (1..=9).collect();
        assert!(beginnings.find(OF, &read, 5 + AGE).await.is_some());
        assert_eq!(beginnings.find(OF, &read, 6 + AGE).await, None);
    }
}
