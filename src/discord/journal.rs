//! The journal of answers that are being written, so that whoever comes after a process that died can end them (D22).
//!
//! It holds ids and never a text. A process holds its own answers for as long as it says so every few seconds; the
//! database being away costs the journal and no answer.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use super::{
    asked,
    data::{Bot, Busy},
    sink::Destination,
};
use crate::storage::{InFlight, Shared, Storage, StorageError};

/// How often a process says that it lives, and looks for what others left.
pub(super) const BEAT: Duration = Duration::from_secs(2);
/// For how long after that its answers are its own. A database that is busy may delay a beat by five seconds.
const HOLD: Duration = Duration::from_secs(8);
/// How long an answer waits for its line before it begins without.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a write may take that nobody waits for.
const LONGEST: Duration = Duration::from_secs(5);

/// The journal, in the database.
#[derive(Debug)]
pub(super) struct Journal {
    pub(super) storage: Arc<Shared>,
    /// This process, among those that share the database.
    writer: String,
}

impl Journal {
    /// The journal in this database, for a process that starts now.
    pub(super) fn new(storage: Arc<Shared>) -> Self {
        Self { storage, writer: uuid::Uuid::new_v4().simple().to_string() }
    }

    /// An answer begins, in the place of a message or not.
    pub(super) async fn begin(&self, bot: &Bot, to: &Destination, instead: Option<u64>) {
        let now = bot.clock.now().timestamp_millis();
        let answer = InFlight {
            exchange: to.exchange.clone(),
            application: bot.application,
            channel: to.channel,
            newest: instead.unwrap_or(to.occasion),
            offer: asked::written(to),
            begun_at: now,
        };
        let hold = async { self.storage.open().await?.hold(&answer, &self.writer, now + millis(HOLD)).await };
        self.within(PATIENCE, hold).await;
    }

    /// Notes each message that an answer gets.
    pub(super) async fn follow(
        &self,
        to: &Destination,
        mut newest: watch::Receiver<Option<u64>>,
    ) -> Infallible {
        while newest.changed().await.is_ok() {
            let Some(message) = *newest.borrow_and_update() else { continue };
            let note =
                async { self.storage.open().await?.note_newest(&to.exchange, (to.channel, message)).await };
            self.within(LONGEST, note).await;
        }
        std::future::pending().await
    }

    /// An answer has ended.
    pub(super) async fn end(&self, exchange: &str) {
        let release = async { self.storage.open().await?.release(exchange).await };
        self.within(LONGEST, release).await;
    }

    /// Holds all answers of this process a while longer.
    async fn renew(&self, bot: &Bot, hold: Duration) {
        if bot.exchanges.count() == 0 {
            return;
        }
        let until = bot.clock.now().timestamp_millis() + millis(hold);
        let renew = async { self.storage.open().await?.renew(&self.writer, until).await };
        self.within(LONGEST, renew).await;
    }

    /// What a request to the database says; nothing where it fails, which whoever keeps the state tells people of.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<T, StorageError>>,
    ) -> Option<T> {
        match timeout(limit, asked).await {
            Ok(Ok(found)) => Some(found),
            Ok(Err(error)) => {
                self.storage.failed(&error).await;
                tracing::debug!(error = %error, "The journal of answers cannot be used");
                None
            }
            Err(_) => {
                tracing::debug!("The journal of answers cannot be used: no answer in time");
                None
            }
        }
    }

    /// The database.
    pub(super) async fn open(&self) -> Result<Storage, StorageError> {
        self.storage.open().await
    }
}

/// A duration as the storage counts.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Says every few seconds that this process lives, to the end of its last answer.
pub(super) async fn beat(bot: Arc<Bot>, longest_end: Duration) {
    loop {
        tokio::select! {
            () = sleep(BEAT) => bot.journal.renew(&bot, HOLD).await,
            () = bot.shutdown.token().cancelled() => break,
        }
    }
    let _busy = Busy::begin(&bot);
    bot.journal.renew(&bot, longest_end + HOLD).await;
}
