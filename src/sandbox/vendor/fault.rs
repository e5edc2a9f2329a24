//! What can be made to go wrong, at which request, for whom, and how often.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Any grant at the token endpoint.
    Token,
    /// A browser at the authorisation endpoint, or at the page where a device's code is typed.
    Authorize,
    /// A device that asks for its code.
    Device,
    /// A token is given back.
    Revoke,
    /// Whose a token is: iFlow's `getUserInfo`, Google's `userinfo`.
    UserInfo,
    /// Code Assist's `loadCodeAssist`, `onboardUser`, operations, quotas and models.
    Setup,
    /// A chat, streaming or not.
    Chat,
    /// The list of models.
    Models,
    /// Anything else: a path the provider does not have.
    Other,
}

/// One fault: queued by [`super::Vendors::fault`], the first that fits a request is used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// At which requests.
    pub at: Kind,
    /// For which account alone; `None` for all.
    #[serde(default)]
    pub account: Option<String>,
    /// How many requests it hits; `None` for all that come.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// What happens.
    pub act: Act,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's own type")]
fn once() -> Option<u32> {
    Some(1)
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// This answer instead of the real one; nothing is judged, no token is spent. JSON unless a header says otherwise.
    Respond {
        /// Status.
        status: u16,
        /// Further headers.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// Body.
        body: String,
    },
    /// No answer, for as long as the client holds on.
    Hang,
    /// A pause before the request is looked at.
    Delay {
        /// For how long.
        millis: u64,
    },
    /// The request is carried out (a refresh token is spent), then a pause before the answer.
    DelayReply {
        /// For how long.
        millis: u64,
    },
    /// The request is carried out, and the connection breaks instead of the answer.
    LoseReply,
    /// The stream's connection breaks after so many pieces of text.
    Cut {
        /// Pieces.
        after: usize,
    },
    /// The stream is silent after so many pieces, then goes on.
    Stall {
        /// Pieces.
        after: usize,
        /// For how long.
        millis: u64,
    },
    /// The stream ends in good order after so many pieces, without a finish reason and without `[DONE]`.
    EndEarly {
        /// Pieces.
        after: usize,
    },
    /// A line that is not JSON comes after so many pieces, and nothing afterwards.
    Malformed {
        /// Pieces.
        after: usize,
    },
    /// HTTP 200 and a stream without a single event.
    Empty,
    /// An error object inside the stream of a 200 after so many pieces.
    ErrorInside {
        /// Pieces.
        after: usize,
        /// The error, in the provider's shape.
        body: Value,
    },
    /// Plain JSON where a stream was asked for.
    Unstreamed,
    /// The real answer under another content type, as careless proxies send it.
    Mislabel {
        /// What the header says instead.
        content_type: String,
    },
    /// The real answer ends in good order after so many bytes.
    Truncate {
        /// Bytes.
        bytes: usize,
    },
    /// The real answer comes in chunks of so many bytes, wherever that cuts it.
    Crumble {
        /// Bytes.
        bytes: usize,
    },
}

impl Fault {
    /// At the next token request.
    pub fn token(act: Act) -> Self {
        Self::new(Kind::Token, act)
    }

    /// At the next chat.
    pub fn chat(act: Act) -> Self {
        Self::new(Kind::Chat, act)
    }

    /// At the next set-up call of Code Assist.
    pub fn setup(act: Act) -> Self {
        Self::new(Kind::Setup, act)
    }

    /// At the next user-info request of iFlow.
    pub fn user_info(act: Act) -> Self {
        Self::new(Kind::UserInfo, act)
    }

    /// At the next request of a browser.
    pub fn authorize(act: Act) -> Self {
        Self::new(Kind::Authorize, act)
    }

    /// At the next request of a device for its code.
    pub fn device(act: Act) -> Self {
        Self::new(Kind::Device, act)
    }

    /// At the next token that is given back.
    pub fn revoke(act: Act) -> Self {
        Self::new(Kind::Revoke, act)
    }

    fn new(at: Kind, act: Act) -> Self {
        Self { at, account: None, times: Some(1), act }
    }

    /// For this account (or key's owner) alone.
    #[must_use]
    pub fn on(self, account: &str) -> Self {
        Self { account: Some(account.to_owned()), ..self }
    }

    /// For so many requests.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Until the faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        Self { times: None, ..self }
    }
}
