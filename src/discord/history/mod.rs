//! The conversation behind a question: what is its parent, and that one's, up to a message that begins afresh.
//!
//! It comes from the question's own channel, and in a thread from the message that it hangs on, as far as the asker may
//! read them (D18). It is bounded in messages, in requests and in time.

mod rules;
mod seen;
mod since;

use std::{collections::HashSet, time::Duration};

use tokio::time::Instant;

use self::{
    rules::{Manners, Parent},
    seen::Wire,
};
use super::{data::Bot, error::RestError};
use crate::chat::Turn;

pub(super) use rules::{Ground, Owner, Starter, Thread};
pub(super) use seen::{Being, Inquiry, Kind, Seen, offered, on_one_line, without_mention};
pub(super) use since::{Extent, since};

/// Messages read at once: Discord's limit.
const PAGE: u8 = 100;
/// The longest that reading may take; of a short deadline, a quarter.
const PATIENCE: Duration = Duration::from_secs(10);
/// Requests for one conversation.
const READS: usize = 8;

/// Whether the asker may read what was written before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// They may.
    Whole,
    /// They hold no Read Message History: to them a channel begins when they come in.
    Now,
}

/// Where a question was asked, for what came before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// The channel, thread or direct channel.
    pub(super) channel: u64,
    /// What it is.
    pub(super) ground: Ground,
    /// What the asker may read of it.
    pub(super) sight: Sight,
}

/// What came before a question that arrived at `received_at`, oldest first, with the messages' ids. The asker began afresh
/// here with the id `afresh`, of an interaction; 0 for never. Nothing, with a warning, when Discord is too slow: an answer
/// without its history is better than none before the deadline.
pub(super) async fn before(
    bot: &Bot,
    question: &Seen,
    setting: &Setting,
    afresh: u64,
    received_at: Instant,
) -> Vec<(u64, Turn)> {
    if setting.sight == Sight::Now {
        return Vec::new();
    }
    let served = bot.served();
    let until = received_at + PATIENCE.min(served.chat.deadline / 4);
    let manners = Manners { bot: bot.user, silence: served.chat.conversation_ttl, afresh };
    let most = served.chat.most_messages.saturating_sub(1);
    let mut archive =
        Archive { bot, channel: setting.channel, until: question.id, pages: Vec::new(), reads: 0 };
    let read = Box::pin(archive.walk(question, setting, &manners, most));
    tokio::time::timeout_at(until, read).await.unwrap_or_else(|_| {
        tracing::warn!(
            discord.channel = setting.channel,
            "Reading the channel's history takes too long; answering without it"
        );
        Vec::new()
    })
}

/// How many programs spoke in a row before a message, without a person in between; the bot itself does not count.
pub(super) async fn programs_before(bot: &Bot, channel: u64, message: u64) -> Result<usize, RestError> {
    let page = page(bot, channel, message).await?;
    let row =
        page.iter().filter(|seen| seen.kind == Kind::Talk).take_while(|seen| seen.being == Being::Program);
    Ok(row.filter(|seen| seen.author != bot.user).count())
}

/// A channel's messages before one, newest first as Discord sends them.
async fn page(bot: &Bot, channel: u64, before: u64) -> Result<Vec<Seen>, RestError> {
    let path = format!("channels/{channel}/messages?before={before}&limit={PAGE}");
    Ok(bot.rest.get::<Vec<Wire>>(&path).await?.into_iter().filter_map(Wire::seen).collect())
}

/// A single message. `None`: it is gone, or none that anybody wrote.
pub(super) async fn message(bot: &Bot, channel: u64, id: u64) -> Result<Option<Seen>, RestError> {
    match bot.rest.get::<Wire>(&format!("channels/{channel}/messages/{id}")).await {
        Ok(wire) => Ok(wire.seen()),
        Err(RestError::Status { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What was read of a channel so far.
struct Archive<'a> {
    bot: &'a Bot,
    channel: u64,
    /// Nothing from this message on is part of the conversation.
    until: u64,
    pages: Vec<Page>,
    reads: usize,
}

/// Every message of a channel before one, down to the oldest in it.
struct Page {
    before: u64,
    /// Newest first.
    messages: Vec<Seen>,
}

impl Page {
    /// Whether the channel has none that are older.
    fn is_first(&self) -> bool {
        self.messages.len() < usize::from(PAGE)
    }
}

impl Archive<'_> {
    /// The turns before the question, oldest first, at most so many.
    async fn walk(
        &mut self,
        question: &Seen,
        setting: &Setting,
        manners: &Manners,
        most: usize,
    ) -> Vec<(u64, Turn)> {
        let mut ground = setting.ground.clone();
        let mut turns: Vec<(u64, Turn)> = Vec::new();
        let mut passed = HashSet::from([question.id]);
        let mut here = question.clone();
        // What says nothing does not count, so the steps are bounded apart.
        while turns.len() < most && passed.len() <= 2 * most {
            let previous = if rules::wants_previous(&here, &ground, manners) {
                self.previous(here.id).await
            } else {
                None
            };
            let next = match rules::parent(&here, previous.as_ref(), &ground, manners) {
                Parent::Nobody => None,
                Parent::Previous => previous,
                Parent::Answered(id) => {
                    let answered = self.find(id).await;
                    // Somebody who answers the beginning of a long answer has read it all.
                    for piece in answered.iter().flat_map(|answered| self.continuations(answered)).rev() {
                        turns.extend(
                            passed.insert(piece.id).then(|| self.turns(&piece)).into_iter().flatten(),
                        );
                    }
                    answered
                }
                Parent::Within(id) => self.find(id).await,
                Parent::Above { channel, message } => {
                    // It goes on where the thread hangs, as a conversation that was moved into a thread.
                    (self.channel, self.until, ground) = (channel, message, Ground::Channel);
                    self.pages.clear();
                    self.single(message).await
                }
            };
            let Some(next) = next.filter(|next| passed.insert(next.id)) else { break };
            turns.extend(self.turns(&next));
            here = next;
        }
        turns.truncate(most);
        turns.reverse();
        turns
    }

    /// What a message says, the newest first: an answer to a command shows its question too.
    fn turns(&self, seen: &Seen) -> impl Iterator<Item = (u64, Turn)> + use<> {
        let bot = self.bot.user;
        let turn = |seen: &Seen| Some((seen.id, seen.turn(bot)?));
        let question = seen.question(bot).map(|question| self.bot.enclosed.with(seen.id, question));
        turn(seen).into_iter().chain(question.as_ref().and_then(turn))
    }

    /// The message before another.
    async fn previous(&mut self, id: u64) -> Option<Seen> {
        let older = |page: &Page| page.messages.iter().find(|seen| seen.id < id).cloned();
        for page in self.pages.iter().filter(|page| page.before >= id) {
            if let Some(found) = older(page) {
                return Some(found);
            }
            if page.is_first() {
                return None;
            }
        }
        self.load(id).await.and_then(older)
    }

    /// A message of this channel, that was written before the question.
    async fn find(&mut self, id: u64) -> Option<Seen> {
        if self.pages.is_empty() {
            self.load(self.until).await;
        }
        let known = self.pages.iter().flat_map(|page| &page.messages).find(|seen| seen.id == id).cloned();
        match known {
            Some(known) => Some(known),
            None => self.single(id).await,
        }
    }

    /// The later messages of an answer of ours that takes several: each replies to the one before. Oldest first.
    fn continuations(&self, first: &Seen) -> Vec<Seen> {
        let mut found: Vec<Seen> = Vec::new();
        if first.author != self.bot.user {
            return found;
        }
        let mut last = first.id;
        for page in &self.pages {
            for seen in page.messages.iter().rev() {
                if seen.answers == Some(last) && seen.author == self.bot.user {
                    last = seen.id;
                    found.push(seen.clone());
                }
            }
        }
        found
    }

    async fn load(&mut self, before: u64) -> Option<&Page> {
        if self.reads == READS {
            return None;
        }
        self.reads += 1;
        let read = page(self.bot, self.channel, before).await;
        let messages = read.inspect_err(|error| self.complain(error)).ok()?;
        self.pages.push(Page { before, messages });
        self.pages.last()
    }

    async fn single(&mut self, id: u64) -> Option<Seen> {
        if self.reads == READS {
            return None;
        }
        self.reads += 1;
        // None: deleted; or a thread that was opened without a message.
        let read = message(self.bot, self.channel, id).await;
        read.unwrap_or_else(|error| {
            self.complain(&error);
            None
        })
    }

    fn complain(&self, error: &RestError) {
        tracing::warn!(
            discord.channel = self.channel,
            error = %error,
            "Could not read the channel's history; answering without it"
        );
    }
}
