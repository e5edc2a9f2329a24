//! What can be made to go wrong, at which request, for whom, and how often.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The kind of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A refresh grant.
    Token,
    /// iFlow's user-info request.
    UserInfo,
    /// Code Assist's `loadCodeAssist`, `onboardUser` and operations.
    Setup,
    /// A chat, streaming or not.
    Chat,
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

/// Where a quota error of Google's puts its hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Nowhere.
    None,
    /// The `Retry-After` header: seconds or a date.
    RetryAfter(String),
    /// `RetryInfo.retryDelay`: `34.07s`.
    RetryInfo(String),
    /// `ErrorInfo.metadata.quotaResetDelay`: `156h14m36.7s`.
    ResetDelay(String),
    /// `ErrorInfo.metadata.quotaResetTimeStamp`: RFC 3339.
    ResetTimeStamp(String),
    /// Only in the message: `Please retry in 5.2s`.
    Message(String),
}

impl Act {
    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::Respond { status, headers: Vec::new(), body: body.to_string() }
    }

    /// A JSON answer with one more header.
    pub fn json_with(status: u16, header: (&str, &str), body: &Value) -> Self {
        let headers = vec![(header.0.to_owned(), header.1.to_owned())];
        Self::Respond { status, headers, body: body.to_string() }
    }

    /// A web page instead of JSON, as gateways and login walls send it.
    pub fn web_page(status: u16) -> Self {
        Self::Respond {
            status,
            headers: vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())],
            body: "<!doctype html><title>Sorry</title><p>Please sign in.".to_owned(),
        }
    }

    /// A token endpoint's refusal (RFC 6749, section 5.2).
    pub fn oauth_error(status: u16, error: &str) -> Self {
        Self::json(status, &json!({"error": error, "error_description": "scripted refusal"}))
    }

    /// 400 `invalid_grant`.
    pub fn invalid_grant() -> Self {
        let description = "Token has been expired or revoked.";
        Self::json(400, &json!({"error": "invalid_grant", "error_description": description}))
    }

    /// 401 `invalid_client`.
    pub fn invalid_client() -> Self {
        Self::oauth_error(401, "invalid_client")
    }

    /// 429 without a body worth reading.
    pub fn throttled(retry_after: &str) -> Self {
        Self::json_with(429, ("retry-after", retry_after), &json!({"error": "slow_down"}))
    }

    /// 503.
    pub fn unavailable() -> Self {
        Self::json(503, &json!({"error": {"code": 503, "message": "unavailable", "status": "UNAVAILABLE"}}))
    }

    /// A refusal under HTTP 200.
    pub fn error_in_200(error: &str) -> Self {
        Self::oauth_error(200, error)
    }

    /// iFlow's refusal under HTTP 200.
    pub fn success_false() -> Self {
        Self::json(200, &json!({"success": false, "message": "scripted refusal", "data": null}))
    }

    /// Google's error with a reason.
    pub fn google(status: u16, word: &str, reason: &str, metadata: &Value) -> Self {
        Self::json(status, &google_error(status, word, "scripted refusal", reason, metadata))
    }

    /// Google's quota error with a hint in one of its places.
    pub fn google_quota(hint: &Hint) -> Self {
        let mut metadata = json!({"model": "gemini-2.5-pro"});
        let mut message = "You have exhausted your capacity on this model.".to_owned();
        match hint {
            Hint::None | Hint::RetryAfter(_) | Hint::RetryInfo(_) => {}
            Hint::ResetDelay(delay) => set(&mut metadata, "quotaResetDelay", delay),
            Hint::ResetTimeStamp(at) => set(&mut metadata, "quotaResetTimeStamp", at),
            Hint::Message(text) => message = format!("{message} {text}"),
        }
        let mut body = google_error(429, "RESOURCE_EXHAUSTED", &message, "QUOTA_EXHAUSTED", &metadata);
        if let Hint::RetryInfo(delay) = hint
            && let Some(details) = body.pointer_mut("/error/details").and_then(Value::as_array_mut)
        {
            details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
        }
        match hint {
            Hint::RetryAfter(value) => Self::json_with(429, ("retry-after", value), &body),
            Hint::None
            | Hint::RetryInfo(_)
            | Hint::ResetDelay(_)
            | Hint::ResetTimeStamp(_)
            | Hint::Message(_) => Self::json(429, &body),
        }
    }

    /// Google's 429 without details, which Antigravity sends for content as well.
    pub fn google_bare_429() -> Self {
        let message = "Resource has been exhausted (e.g. check quota).";
        Self::json(429, &json!({"error": {"code": 429, "message": message, "status": "RESOURCE_EXHAUSTED"}}))
    }

    /// Google's 503 that concerns the model and nobody's account.
    pub fn google_capacity() -> Self {
        Self::google(503, "UNAVAILABLE", "MODEL_CAPACITY_EXHAUSTED", &json!({"model": "gemini-2.5-pro"}))
    }

    /// Google's demand that a person verifies the account under a link.
    pub fn google_validation(link: &str) -> Self {
        let metadata = json!({"validation_url": link, "validation_url_link_text": "Verify your account"});
        Self::google(403, "PERMISSION_DENIED", "VALIDATION_REQUIRED", &metadata)
    }

    /// OpenAI's 429, with `Retry-After` where one is given.
    pub fn openai_quota(retry_after: Option<&str>) -> Self {
        let body = json!({"error": {"message": "Rate limit reached", "type": "requests", "param": null,
            "code": "rate_limit_exceeded"}});
        match retry_after {
            Some(value) => Self::json_with(429, ("retry-after", value), &body),
            None => Self::json(429, &body),
        }
    }

    /// Qwen's quota of the day, under 403 or 429.
    pub fn qwen_quota(status: u16) -> Self {
        Self::json(
            status,
            &json!({"error": {"code": "insufficient_quota", "message": "Free allocated quota exceeded.",
                "type": "insufficient_quota", "param": null}, "request_id": "fake-request"}),
        )
    }

    /// iFlow's banned key, under HTTP 200.
    pub fn iflow_blocked() -> Self {
        Self::json(
            200,
            &json!({"status": "434", "body": null,
                "msg": "Access to the current AK has been blocked due to unauthorized requests"}),
        )
    }
}

/// `google.rpc.Status` with an `ErrorInfo`.
pub(super) fn google_error(status: u16, word: &str, message: &str, reason: &str, metadata: &Value) -> Value {
    json!({"error": {"code": status, "message": message, "status": word, "details": [{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason, "domain": "cloudcode-pa.googleapis.com", "metadata": metadata,
    }]}})
}

fn set(metadata: &mut Value, field: &str, text: &str) {
    if let Value::Object(object) = metadata {
        object.insert(field.to_owned(), Value::String(text.to_owned()));
    }
}
