//! The refusals that providers are known for, each in its own words.

use serde_json::{Value, json};

use super::fault::Act;

/// Where a quota error of Google's puts its hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// Nowhere.
    None,
    /// The `Retry-After` header: seconds, also with a fraction, or a date.
    RetryAfter(String),
    /// The `retry-after-ms` header, which OpenAI's own clients read first.
    RetryAfterMs(String),
    /// `RetryInfo.retryDelay`: `34.07s`.
    RetryInfo(String),
    /// `ErrorInfo.metadata.quotaResetDelay`: `156h14m36.7s`.
    ResetDelay(String),
    /// `ErrorInfo.metadata.quotaResetTimeStamp`: RFC 3339.
    ResetTimeStamp(String),
    /// Only in the message: `Please retry in 5.2s`.
    Message(String),
    /// `QuotaFailure.violations[0].quotaId`: `GenerateRequestsPerMinutePerProjectPerModel-FreeTier`.
    QuotaId(String),
}

impl Hint {
    /// The header that carries it, where one does.
    fn header(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::RetryAfter(value) => Some(("retry-after", value)),
            Self::RetryAfterMs(value) => Some(("retry-after-ms", value)),
            Self::None
            | Self::RetryInfo(_)
            | Self::ResetDelay(_)
            | Self::ResetTimeStamp(_)
            | Self::Message(_)
            | Self::QuotaId(_) => None,
        }
    }
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
        let mut further = None;
        match hint {
            Hint::None | Hint::RetryAfter(_) | Hint::RetryAfterMs(_) => {}
            Hint::RetryInfo(delay) => {
                further =
                    Some(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}));
            }
            Hint::ResetDelay(delay) => set(&mut metadata, "quotaResetDelay", delay),
            Hint::ResetTimeStamp(at) => set(&mut metadata, "quotaResetTimeStamp", at),
            Hint::Message(text) => message = format!("{message} {text}"),
            Hint::QuotaId(id) => {
                further = Some(json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [{"quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
                        "quotaId": id}]}));
            }
        }
        let mut body = google_error(429, "RESOURCE_EXHAUSTED", &message, "QUOTA_EXHAUSTED", &metadata);
        if let Some(details) = body.pointer_mut("/error/details").and_then(Value::as_array_mut) {
            details.extend(further);
        }
        match hint.header() {
            Some(header) => Self::json_with(429, header, &body),
            None => Self::json(429, &body),
        }
    }

    /// Google's refusal that contradicts itself: a delay, and a limit of nought, which holds.
    pub fn google_limit_zero() -> Self {
        let message = "Quota exceeded for metric: generate_content_free_tier_requests, limit: 0";
        let metadata = json!({"quotaResetDelay": "576.244211ms"});
        Self::json(429, &google_error(429, "RESOURCE_EXHAUSTED", message, "RATE_LIMIT_EXCEEDED", &metadata))
    }

    /// A suspended account, with the form where its owner may appeal; without one in the older wording, which has no
    /// details.
    pub fn google_suspended(appeal: Option<&str>) -> Self {
        let message = "This service has been disabled in this account for violation of Terms of Service.";
        let Some(appeal) = appeal else {
            return Self::json(
                403,
                &json!({"error": {"code": 403, "message": message, "status": "PERMISSION_DENIED"}}),
            );
        };
        let metadata = json!({"appeal_url": appeal, "appeal_url_link_text": "Appeal", "uiMessage": message});
        Self::json(403, &google_error(403, "PERMISSION_DENIED", message, "TOS_VIOLATION", &metadata))
    }

    /// Antigravity's refusal of a client that is too old, as a 503. As the text of a model it is a [`super::Reply`].
    pub fn antigravity_version() -> Self {
        let message = "This version of Antigravity is no longer supported. Please update.";
        Self::json(503, &json!({"error": {"code": 503, "message": message, "status": "UNAVAILABLE"}}))
    }

    /// A refusal in the place of an answer as Google's streams bring it: an array of one, with commas too many.
    #[must_use]
    pub fn in_array_with_commas(self) -> Self {
        match self {
            Self::Respond { status, headers, body } => {
                Self::Respond { status, headers, body: format!("[{body},,]") }
            }
            other @ (Self::Hang
            | Self::Delay { .. }
            | Self::DelayReply { .. }
            | Self::LoseReply
            | Self::Cut { .. }
            | Self::Stall { .. }
            | Self::EndEarly { .. }
            | Self::Malformed { .. }
            | Self::Empty
            | Self::ErrorInside { .. }
            | Self::Unstreamed
            | Self::Mislabel { .. }
            | Self::Truncate { .. }
            | Self::Crumble { .. }) => other,
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

    /// OpenAI's 429 with a hint, of which it has those in headers and in the message.
    pub fn openai_quota_with(hint: &Hint) -> Self {
        let mut message = "Rate limit reached for gpt-5-mini on requests per min.".to_owned();
        if let Hint::Message(text) = hint {
            message = format!("{message} {text}");
        }
        let body = json!({"error": {"message": message, "type": "requests", "param": null,
            "code": "rate_limit_exceeded"}});
        match hint.header() {
            Some(header) => Self::json_with(429, header, &body),
            None => Self::json(429, &body),
        }
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

    /// Anthropic's error of a type, with a header where one comes along.
    pub fn anthropic(status: u16, kind: &str, message: &str, header: Option<(&str, &str)>) -> Self {
        let body =
            json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_FAKE"});
        match header {
            Some(header) => Self::json_with(status, header, &body),
            None => Self::json(status, &body),
        }
    }

    /// Anthropic's 429 that says when each of its limits is there again; the used-up one counts.
    pub fn anthropic_quota(resets_at: &str) -> Self {
        let mut act =
            Self::anthropic(429, "rate_limit_error", "This request would exceed your rate limit.", None);
        if let Self::Respond { headers, .. } = &mut act {
            for (limit, remaining, at) in
                [("requests", "49", "2026-09-21T23:59:59Z"), ("input-tokens", "0", resets_at)]
            {
                headers.push((format!("anthropic-ratelimit-{limit}-remaining"), remaining.to_owned()));
                headers.push((format!("anthropic-ratelimit-{limit}-reset"), at.to_owned()));
            }
        }
        act
    }

    /// Qwen's quota of the day, under 403 or 429.
    pub fn qwen_quota(status: u16) -> Self {
        Self::json(
            status,
            &json!({"error": {"code": "insufficient_quota", "message": "Free allocated quota exceeded.",
                "type": "insufficient_quota", "param": null}, "request_id": "fake-request"}),
        )
    }

    /// iFlow's refusal by a status of its own, under HTTP 200: 439 an expired token, 449 a rate (both hearsay).
    pub fn iflow_status(status: u16, message: &str) -> Self {
        Self::json(200, &json!({"status": status.to_string(), "msg": message, "body": null}))
    }

    /// iFlow's banned key, under HTTP 200.
    pub fn iflow_blocked() -> Self {
        Self::iflow_status(434, "Access to the current AK has been blocked due to unauthorized requests")
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
