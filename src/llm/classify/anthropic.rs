//! Anthropic's errors, `{type:"error",error:{type,message}}` (docs.anthropic.com/en/api/errors, …/rate-limits).

use super::{Evidence, FailureClass, Fault, RetryHint, Scope, openai};

pub(super) fn classify(evidence: &Evidence<'_>) -> Fault {
    let code = openai::code(evidence.body);
    let message = openai::message(evidence);
    let says = |signs: &[&str]| signs.iter().any(|sign| message.contains(sign));
    let rest = || openai::waits(evidence, &message).unwrap_or(RetryHint::None);
    let scope = match code.as_ref() {
        "authentication_error" => Scope::Unauthorized,
        "permission_error" => Scope::Refused(None),
        "billing_error" => Scope::Credential(RetryHint::None),
        "not_found_error" => Scope::ModelMissing,
        "request_too_large" => Scope::Request(FailureClass::TooLong),
        // Requests and tokens are counted by model.
        "rate_limit_error" => Scope::Model(rest()),
        "overloaded_error" => Scope::Capacity,
        "api_error" | "timeout_error" => Scope::Provider,
        "invalid_request_error" if says(&["credit balance is too low"]) => Scope::Credential(RetryHint::None),
        "invalid_request_error" if says(&["organization has been disabled"]) => Scope::Refused(None),
        "invalid_request_error" if says(&["prompt is too long", "exceed context limit"]) => {
            Scope::Request(FailureClass::TooLong)
        }
        "invalid_request_error" if says(&["content filtering policy"]) => {
            Scope::Request(FailureClass::Blocked)
        }
        "invalid_request_error" => Scope::Request(FailureClass::BadRequest),
        _ => return openai::classify(evidence),
    };
    evidence.fault(scope, &code)
}
