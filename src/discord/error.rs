//! Why Discord's side ended or a request to it failed, by what can be done about it. No variant carries an address,
//! a token or a body: interaction tokens stand in paths, and foreign errors print them.

use std::time::Duration;

use poise::serenity_prelude as serenity;

use crate::http::HttpError;

/// Why the bot cannot run on Discord.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscordError {
    /// No token is configured.
    #[error(
        "DISCORD_TOKEN is not set: create a bot at https://discord.com/developers/applications, copy its token into \
         .env; `cortana sandbox` needs none"
    )]
    NoToken,
    /// Discord refuses the token: 401, or the gateway's close code 4004.
    #[error(
        "Discord refuses the bot's token: reset it under \"Bot\" at https://discord.com/developers/applications and \
         set DISCORD_TOKEN to the new one"
    )]
    BadToken,
    /// Close code 4013 or 4014 even without the privileged intent.
    #[error(
        "Discord refuses the bot's intents: check \"Privileged Gateway Intents\" under \"Bot\" at \
         https://discord.com/developers/applications"
    )]
    DisallowedIntents,
    /// `DISCORD_API_BASE` is set but the gateway is elsewhere: nothing was sent to it.
    #[error("the gateway is on {found}, not on {wanted} as DISCORD_API_BASE demands: nothing was sent there")]
    ForeignGateway {
        /// The host and port that `DISCORD_API_BASE` names.
        wanted: String,
        /// The host and port of the gateway's address.
        found: String,
    },
    /// The gateway ended the session in a way that must not be repeated (4010 to 4012), or the client gave up.
    #[error("the connection to Discord ended and cannot be taken up again ({problem})")]
    Gateway {
        /// What happened, in a few words.
        problem: String,
    },
    /// Discord answered something else than it documents.
    #[error("Discord's answer could not be understood ({problem})")]
    Malformed {
        /// What was asked for.
        problem: String,
    },
}

/// Why one request failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RestError {
    /// 429: again after this long.
    #[error("rate limited for {retry_after:?}")]
    RateLimited {
        /// `Retry-After` or the body's `retry_after`, whichever is longer.
        retry_after: Duration,
    },
    /// Another status than success.
    #[error("HTTP {status} {code}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// Discord's error code; 0 when the body has none.
        code: u64,
    },
    /// No answer.
    #[error("no answer: {0}")]
    Unreachable(#[from] HttpError),
    /// A success whose body is not what was asked for.
    #[error("the answer has an unknown shape")]
    Malformed,
}

impl RestError {
    /// Whether a message may not be a reply where it goes: without Read Message History nothing can be answered
    /// (Discord's code 160002, whatever the status).
    pub(super) fn refuses_replies(&self) -> bool {
        matches!(self, Self::Status { code: 160_002, .. })
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            Self::Unreachable(error) => match error {
                HttpError::Connect | HttpError::Timeout | HttpError::Broken => true,
                HttpError::Proxy | HttpError::OutOfReach { .. } => false,
            },
            Self::Malformed => false,
        }
    }
}

/// Why a command or an event could not be handled. The person gets one apology with an id, the log the cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CommandError {
    /// A request of ours failed.
    #[error("a request to Discord failed: {0}")]
    Rest(#[from] RestError),
    /// A request that serenity made failed.
    #[error("a request to Discord failed: {0}")]
    Library(String),
}

impl From<serenity::Error> for CommandError {
    fn from(error: serenity::Error) -> Self {
        Self::Library(describe(&error))
    }
}

/// A serenity error in words that carry no address: only its kind, and status and code where there are some.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is open")]
pub(super) fn describe(error: &serenity::Error) -> String {
    match error {
        serenity::Error::Http(serenity::HttpError::UnsuccessfulRequest(answer)) => {
            format!("HTTP {} {}", answer.status_code.as_u16(), answer.error.code)
        }
        serenity::Error::Http(_) => "no answer".to_owned(),
        serenity::Error::Gateway(error) => error.to_string(),
        serenity::Error::Json(_) | serenity::Error::Decode(..) => "an answer of an unknown shape".to_owned(),
        serenity::Error::Tungstenite(_) => "the websocket broke".to_owned(),
        _ => "an error of the Discord library".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_says_what_to_do() {
        assert!(DiscordError::NoToken.to_string().contains("cortana sandbox"));
        assert!(DiscordError::BadToken.to_string().contains("DISCORD_TOKEN"));
        assert!(DiscordError::DisallowedIntents.to_string().contains("Privileged Gateway Intents"));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert!(RestError::Status { status: 502, code: 0 }.is_transient());
        assert!(RestError::Unreachable(HttpError::Timeout).is_transient());
        assert!(!RestError::Status { status: 403, code: 50013 }.is_transient());
        assert!(!RestError::Malformed.is_transient());
    }
}
