//! Scenarios: what goes wrong in the emulated world, in which order, and what the bot must make of it.
//!
//! A scenario is a small TOML file that somebody can read. Here it is only read and checked; whoever runs the bot plays
//! it. `docs/sandbox.md` describes the keys.

mod file;
mod library;
mod raw;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use chrono::TimeDelta;
use serde::Deserialize;

pub use file::{Mistake, STATES};
pub use library::{embedded, find};

use super::{
    discord::{GatewayFault, RestFault},
    vendor::{Act, Kind},
};

/// A scenario that was read and checked: every credential that a step names is there.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// One line.
    pub title: String,
    /// What it shows, for somebody who watches.
    pub about: String,
    /// Variables of the bot, besides those that the sandbox needs.
    pub settings: BTreeMap<String, String>,
    /// The logins and keys.
    pub credentials: Vec<Credential>,
    /// What goes wrong before the bot starts.
    pub before: Vec<Deed>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

impl Scenario {
    /// Reads a scenario; `name` is what mistakes call it.
    pub fn read(name: &str, text: &str) -> Result<Self, Mistake> {
        file::read(name, text)
    }

    /// The credential that steps call so.
    pub fn credential(&self, name: &str) -> Option<&Credential> {
        self.credentials.iter().find(|credential| credential.name == name)
    }
}

/// One login or key of the scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// What steps call it: the account, or `openai/key-1`.
    pub name: String,
    /// Whose it is.
    pub provider: String,
    /// Whose it is among the emulated accounts of the provider.
    pub account: String,
    /// What it is.
    pub kind: CredentialKind,
}

/// How a credential comes to the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialKind {
    /// An API key, in a variable.
    Key,
    /// A login, in a file of the credentials folder.
    Login {
        /// The file's name.
        file: String,
        /// How it is written.
        notation: Notation,
        /// How long its access token still lives, negative when it has expired; `None`: as long as the provider likes.
        left: Option<TimeDelta>,
        /// When the file is there.
        arrives: Arrival,
    },
}

/// How a login's file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notation {
    /// As the provider's own tool writes it.
    #[default]
    Official,
    /// The simple form.
    Simple,
}

/// When a login's file is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// Before the bot starts.
    #[default]
    Start,
    /// When a step adds it.
    Later,
}

/// One step: what is told, done, said, waited for and expected, in this order.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// A sentence for whoever watches.
    pub tell: Option<String>,
    /// What begins or ends.
    pub deeds: Vec<Deed>,
    /// What somebody says.
    pub said: Option<Said>,
    /// What is waited for.
    pub wait: Wait,
    /// What must hold then.
    pub expect: Vec<Expectation>,
}

/// What somebody says, or many at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The text; one that begins with `/` is a command.
    pub text: String,
    /// Who.
    pub by: Speaker,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    /// Olivia, who operates the bot.
    Owner,
    /// Gus, who does not.
    Guest,
    /// So many people at once, each in a channel of their own.
    Crowd(u32),
}

/// What a step waits for before it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Nothing.
    Nothing,
    /// Text of every answer that is under way can be read.
    FirstText,
    /// Every answer that is under way is complete.
    Answer,
}

/// Something that begins or ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Deed {
    /// Requests to a provider go wrong.
    Fault {
        /// Whose.
        of: Target,
        /// Which requests.
        at: Kind,
        /// How many; `None`: all, until it is cleared.
        times: Option<u32>,
        /// How.
        act: Act,
    },
    /// Chats are answered 429, in the provider's own words.
    Throttle {
        /// Whose.
        of: Target,
        /// When the provider says to come back, in seconds.
        retry_after_secs: u64,
        /// How many chats; `None`: all, until it is cleared.
        times: Option<u32>,
    },
    /// Faults of a provider, or of one account, are taken back.
    Clear(Target),
    /// Access tokens end.
    Expire(Target),
    /// Refresh tokens end.
    Revoke(Target),
    /// What a model says next.
    Script {
        /// Which provider's.
        provider: String,
        /// The text.
        text: String,
        /// The pause between its pieces.
        pace: Option<Duration>,
    },
    /// Requests to Discord go wrong.
    Discord(RestFault),
    /// Every answer of Discord's takes longer by this.
    DiscordLatency(Duration),
    /// Discord is well again.
    DiscordClear,
    /// The gateway goes wrong.
    Gateway(GatewayFault),
    /// Discord's time jumps forwards.
    Advance(Duration),
    /// A login's file is put into the credentials folder.
    Add(String),
    /// Another program refreshes a login and writes its file; the tokens before are spent.
    Rotate(String),
    /// A login's file is taken away.
    Remove(String),
    /// Nothing happens for a while, in real time.
    Pause(Duration),
}

/// Whom a deed or a count concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The provider.
    pub provider: String,
    /// The emulated account; `None`: all of the provider's.
    pub account: Option<String>,
    /// What people call it.
    pub name: String,
}

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// Every answer of the last question has this in it.
    AnswerContains(String),
    /// No answer of the last question has.
    AnswerLacks(String),
    /// How every answer of the last question ended.
    Answer(Ending),
    /// The last chat that a provider took was this credential's.
    AnsweredBy(Target),
    /// How many messages each answer of the last question has.
    Messages(Bounds),
    /// How many token requests there were.
    TokenRequests(Target, Bounds),
    /// How many chats were asked for.
    Chats(Target, Bounds),
    /// How many requests Discord answered with 429.
    RateLimited(Bounds),
    /// How often a gateway session was resumed.
    Resumed(Bounds),
    /// The state of a credential, as `cortana status --json` names it.
    State {
        /// Which.
        name: String,
        /// Its state.
        is: String,
    },
    /// A credential rests, as a whole or for a model.
    Rests(String),
    /// The pool has told something with this in it.
    Told(String),
}

impl Expectation {
    /// Whether it is about the answers to what was said last.
    #[must_use]
    pub fn is_about_answers(&self) -> bool {
        match self {
            Self::AnswerContains(_)
            | Self::AnswerLacks(_)
            | Self::Answer(_)
            | Self::AnsweredBy(_)
            | Self::Messages(_) => true,
            Self::TokenRequests(..)
            | Self::Chats(..)
            | Self::RateLimited(_)
            | Self::Resumed(_)
            | Self::State { .. }
            | Self::Rests(_)
            | Self::Told(_) => false,
        }
    }
}

/// How an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Complete.
    Finished,
    /// With a sentence about a failure.
    Failed,
}

/// A range of counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// At least so many.
    pub least: u64,
    /// At most so many.
    pub most: u64,
}

impl Bounds {
    /// Whether a count lies within.
    pub fn hold(self, count: u64) -> bool {
        (self.least..=self.most).contains(&count)
    }
}

impl std::fmt::Display for Bounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.least, self.most) {
            (least, most) if least == most => write!(f, "exactly {least}"),
            (0, most) => write!(f, "at most {most}"),
            (least, u64::MAX) => write!(f, "at least {least}"),
            (least, most) => write!(f, "{least} to {most}"),
        }
    }
}
