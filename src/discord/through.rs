//! By which way an answer reaches Discord: as messages of the channel, or as the answer to a command, whose webhook lives
//! for a quarter of an hour and has an edit budget of its own (D2).

use std::time::Duration;

use poise::serenity_prelude as serenity;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    chat::{Pace, RateKey},
    clock,
    secret::Secret,
};

/// The flag of a message that only one person sees.
pub(super) const EPHEMERAL: u64 = 1 << 6;
/// How long edits go through the webhook where the channel is open too: with 5 edits in 2 s and 30 in 60 s more would leave
/// it without any for the rest of the minute.
const QUICK_FOR: Duration = Duration::from_secs(12);

/// How long an interaction's token lives (interactions, "Followup Messages").
const LIFE: Duration = Duration::from_mins(15);
/// How much of it is kept for the last edits, which may have to wait for the budget or be tried again.
const FOR_THE_END: Duration = Duration::from_secs(30);

/// The way of an answer.
#[derive(Debug, Clone)]
pub(super) enum Through {
    /// As messages of the channel.
    Channel,
    /// As the answer to a command.
    Webhook(Webhook),
}

/// The webhook of a command that was acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Webhook {
    /// The application's id.
    pub(super) application: u64,
    /// The command's interaction.
    pub(super) interaction: u64,
    /// Its token.
    pub(super) token: Secret,
    /// The message that was promised.
    pub(super) original: u64,
    /// What may be done without it.
    pub(super) reach: Reach,
    /// When the command was acknowledged.
    pub(super) since: Instant,
}

/// Whether a webhook is the only way to its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// The answer is an ordinary message of a channel in which the bot may write.
    Channel,
    /// The bot may not write in the channel.
    Webhook,
    /// Nor does the channel know of the answer: one person sees it.
    Whisper,
}

/// Who sees the answer to a command
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, poise::ChoiceParameter)]
pub(super) enum SeenBy {
    /// Whoever reads the channel.
    #[default]
    #[name = "everyone here"]
    Everyone,
    /// Whoever asked.
    #[name = "only me"]
    Asker,
}

impl Reach {
    /// `permissions` are the bot's where the command was used; in direct messages they say nothing about writing.
    pub(super) fn of(seen_by: SeenBy, command: &serenity::CommandInteraction) -> Self {
        let is_thread = command.channel.as_ref().is_some_and(|channel| channel.thread_metadata.is_some());
        let may_write = command.app_permissions.is_some_and(|all| {
            let send = if is_thread { all.send_messages_in_threads() } else { all.send_messages() };
            all.administrator() || (all.view_channel() && send)
        });
        match seen_by {
            SeenBy::Asker => Self::Whisper,
            SeenBy::Everyone if may_write || command.guild_id.is_none() => Self::Channel,
            SeenBy::Everyone => Self::Webhook,
        }
    }
}

impl Through {
    /// The webhook, where edits go through it now.
    pub(super) fn webhook(&self) -> Option<&Webhook> {
        match self {
            Self::Channel => None,
            Self::Webhook(webhook) => webhook.is_needed().then_some(webhook),
        }
    }

    /// The webhook, where new messages go through it.
    pub(super) fn follow_ups(&self) -> Option<&Webhook> {
        match self {
            Self::Webhook(webhook) if webhook.reach != Reach::Channel => Some(webhook),
            Self::Webhook(_) | Self::Channel => None,
        }
    }

    /// When it closes, with time for the last edits. Where the channel is open too it does not: the answer is an ordinary
    /// message, whose edits have long gone there.
    pub(super) fn until(&self) -> Option<Instant> {
        self.follow_ups().map(|webhook| webhook.since + LIFE.saturating_sub(FOR_THE_END))
    }

    /// The message that is there already.
    pub(super) fn original(&self) -> Option<u64> {
        match self {
            Self::Channel => None,
            Self::Webhook(webhook) => Some(webhook.original),
        }
    }

    /// Whether only the asker sees the answer. Then nothing is offered below it: a later click could not change it.
    pub(super) fn is_whisper(&self) -> bool {
        matches!(self, Self::Webhook(Webhook { reach: Reach::Whisper, .. }))
    }
}

impl Webhook {
    fn is_needed(&self) -> bool {
        match self.reach {
            Reach::Channel => clock::instant() < self.since + QUICK_FOR,
            Reach::Webhook | Reach::Whisper => true,
        }
    }

    /// Its edit budget.
    pub(super) fn key(&self) -> RateKey {
        RateKey(format!("interaction:{}", self.interaction))
    }

    /// What is known of it.
    pub(super) fn pace(&self) -> Pace {
        match self.reach {
            Reach::Channel => Pace::Brisk,
            Reach::Webhook | Reach::Whisper => Pace::Sparing,
        }
    }

    /// Where a message of its is edited. Carries the token: never logged.
    pub(super) fn edit_path(&self, message: u64) -> String {
        format!("{}/messages/{message}", self.create_path())
    }

    /// Where another message is made.
    pub(super) fn create_path(&self) -> String {
        format!("webhooks/{}/{}", self.application, self.token.expose())
    }

    /// What a further message needs: whether others see it is decided for each.
    pub(super) fn flags(&self) -> Value {
        match self.reach {
            Reach::Whisper => json!(EPHEMERAL),
            Reach::Channel | Reach::Webhook => json!(0),
        }
    }
}
