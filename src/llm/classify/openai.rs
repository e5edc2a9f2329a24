//! OpenAI's errors, `{error:{message,type,code}}`, and those of everybody who took the shape over
//! (platform.openai.com/docs/guides/error-codes; openrouter.ai/docs/api-reference/errors).

use std::borrow::Cow;

use serde_json::Value;

use super::{Evidence, FailureClass, Fault, RetryHint, Scope, hint, latest};

pub(super) fn classify(evidence: &Evidence<'_>) -> Fault {
    let code = code(evidence.body);
    let message = message(evidence);
    let rest = || waits(evidence, &message).unwrap_or(RetryHint::None);
    match code.as_ref() {
        "insufficient_quota" | "quota_exceeded" | "billing_hard_limit_reached" | "insufficient_credits" => {
            evidence.fault(Scope::Credential(rest()), &code)
        }
        "invalid_api_key" | "account_deactivated" => evidence.fault(Scope::Unauthorized, &code),
        "model_not_found" | "invalid_model" => evidence.fault(Scope::ModelMissing, &code),
        "context_length_exceeded" | "string_above_max_length" | "request_too_large" => {
            evidence.fault(Scope::Request(FailureClass::TooLong), &code)
        }
        "content_filter" | "content_policy_violation" | "moderation_blocked" => {
            evidence.fault(Scope::Request(FailureClass::Blocked), &code)
        }
        "unsupported_country_region_territory" => evidence.fault(Scope::Refused(None), &code),
        "engine_overloaded" | "model_overloaded" | "overloaded_error" => {
            evidence.fault(Scope::Capacity, &code)
        }
        // Groq's word for a request that is longer than a minute's tokens: it would be so again.
        "rate_limit_exceeded" if evidence.status == 413 => {
            evidence.fault(Scope::Request(FailureClass::TooLong), &code)
        }
        // OpenAI counts requests and tokens by model.
        "rate_limit_exceeded" => evidence.fault(Scope::Model(rest()), &code),
        _ => by_status(evidence, &code, &message),
    }
}

fn by_status(evidence: &Evidence<'_>, code: &str, message: &str) -> Fault {
    match evidence.status {
        400 if message.contains("maximum context length") || message.contains("context window") => {
            evidence.fault(Scope::Request(FailureClass::TooLong), code)
        }
        // xAI says so at 400, and names no code.
        400 if super::reason_code(code).is_none() && message.contains("incorrect api key") => {
            evidence.fault(Scope::Unauthorized, "invalid_api_key")
        }
        400 if message.contains("is not a valid model") => evidence.fault(Scope::ModelMissing, code),
        // OpenRouter's moderation; a 403 that means the account has no such sign.
        403 if evidence.body.pointer("/error/metadata/flagged_input").is_some() => {
            evidence.fault(Scope::Request(FailureClass::Blocked), code)
        }
        429 => match waits(evidence, message) {
            Some(hint) => evidence.fault(Scope::Credential(hint), code),
            None => evidence.bare(code),
        },
        529 => evidence.fault(Scope::Capacity, code),
        _ => evidence.by_status(code),
    }
}

/// The code that tells errors apart: `code`, else `type`, of the error or of the body itself.
pub(super) fn code(body: &Value) -> Cow<'_, str> {
    let error = body.get("error").unwrap_or(body);
    let text = |key: &str| error.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    Cow::Borrowed(text("code").or_else(|| text("type")).unwrap_or_default())
}

/// The message, lower case. Never shown.
pub(super) fn message(evidence: &Evidence<'_>) -> String {
    ["/error/message", "/message", "/msg", "/error"]
        .iter()
        .map(|pointer| evidence.text(pointer))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

/// The retry hint of headers and message.
pub(super) fn waits(evidence: &Evidence<'_>, message: &str) -> Option<RetryHint> {
    latest(
        evidence.header_hint.into_iter().chain(hint::in_message(message).map(RetryHint::After)),
        evidence.now,
    )
}
