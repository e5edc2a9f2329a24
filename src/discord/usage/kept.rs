//! The same in the database: written behind, read again where others may have counted.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{EVERY, Known, Measure, Subject, Usage};
use crate::{
    clock,
    discord::data::Bot,
    storage::{StorageError, Used},
};

/// For how long what others counted is taken to be what it was.
const FRESH: Duration = Duration::from_secs(5);
/// How long a question waits for the database before it goes on with what was read last.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a write may take, the last one before the end too.
const LONGEST: Duration = Duration::from_secs(2);
/// How often a database that is away is complained about.
const COMPLAIN: Duration = Duration::from_mins(1);
/// Writes between two looks for what counts no more: about an hour.
const BETWEEN_LOOKS: u32 = 3600;

/// Writes what is counted until the end, and then once more.
pub(in crate::discord) fn start(bot: &Arc<Bot>) {
    let kept = Arc::clone(bot);
    bot.shutdown.keep("usage", move || {
        let bot = Arc::clone(&kept);
        async move {
            let mut writes = 0;
            while !bot.shutdown.is_ending() {
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = bot.shutdown.token().cancelled() => {}
                }
                bot.usage.write().await;
                if writes % BETWEEN_LOOKS == 0 {
                    bot.usage.forget().await;
                }
                writes += 1;
            }
        }
    });
}

impl Usage {
    /// Reads what others counted of a subject, unless that was read just now.
    pub(super) async fn read(&self, subject: Subject) {
        let writer = {
            let mut state = self.locked();
            let known = state.known(subject);
            if known.read_at.is_some_and(|at| clock::instant() < at + FRESH) {
                return;
            }
            known.writer.clone()
        };
        let (name, now) = (subject.name(), self.now());
        let read = async { self.storage.open().await?.usage_of(&name, &writer, now).await };
        let Some(rows) = self.within(PATIENCE, read).await else { return };
        let mut state = self.locked();
        let known = state.known(subject);
        known.read_at = Some(clock::instant());
        known.others.clear();
        for row in rows {
            if let Some(measure) = Measure::ALL.into_iter().find(|measure| measure.name() == row.kind) {
                let amount = u64::try_from(row.amount).unwrap_or_default();
                known.others.entry(measure).or_default().insert(row.slot, amount);
            }
        }
    }

    /// Writes what is not written yet; what fails is written the next time.
    pub(in crate::discord) async fn write(&self) {
        let (keys, rows) = {
            let mut state = self.locked();
            let mut keys = std::mem::take(&mut state.unsaved);
            let row = |(subject, measure, slot): &(Subject, Measure, i64)| {
                let Known { writer, own, .. } = state.known.get(subject)?;
                let amount = *own.get(measure)?.get(slot)?;
                Some(Used {
                    subject: subject.name(),
                    kind: measure.name(),
                    slot: *slot,
                    writer: writer.clone(),
                    amount: i64::try_from(amount).unwrap_or(i64::MAX),
                    ends_at: measure.ends_at(*slot),
                })
            };
            let mut rows = Vec::new();
            // What nobody is known for any more is not tried again.
            keys.retain(|key| row(key).map(|used| rows.push(used)).is_some());
            (keys, rows)
        };
        if rows.is_empty() {
            return;
        }
        let write = async { self.storage.open().await?.put_usage(&rows).await };
        if self.within(LONGEST, write).await.is_none() {
            self.locked().unsaved.extend(keys);
        }
    }

    /// Forgets what counts no more.
    pub(super) async fn forget(&self) {
        let now = self.now();
        let forget = async { self.storage.open().await?.forget_usage(now).await };
        self.within(LONGEST, forget).await;
    }

    /// What the database answers in time.
    async fn within<T>(
        &self,
        patience: Duration,
        asked: impl Future<Output = Result<T, StorageError>>,
    ) -> Option<T> {
        let problem = match timeout(patience, asked).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(error)) => {
                self.storage.failed(&error).await;
                error.to_string()
            }
            Err(_) => format!("no answer within {} ms", patience.as_millis()),
        };
        let now = clock::instant();
        let mut state = self.locked();
        if state.complained_at.is_none_or(|at| now >= at + COMPLAIN) {
            state.complained_at = Some(now);
            tracing::warn!(
                problem,
                "What people used cannot be read or kept; limits hold by what this process counted itself"
            );
        }
        None
    }
}
