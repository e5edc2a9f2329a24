//! iFlow's errors: `{status,msg,body}` whatever the HTTP status says, else OpenAI's shape.

use serde_json::Value;

use super::{Evidence, Fault, RetryHint, Scope, openai};

pub(super) fn classify(evidence: &Evidence<'_>) -> Fault {
    let message = openai::message(evidence);
    let rest = || openai::waits(evidence, &message).unwrap_or(RetryHint::None);
    match own_status(evidence.body).unwrap_or(evidence.status) {
        // The key is blocked.
        code @ (434 | 438) => evidence.fault(Scope::Refused(None), &format!("IFLOW_{code}")),
        // Said of expired tokens and of rates by peers only: what is done fits both, were it wrong.
        439 => evidence.fault(Scope::Unauthorized, "IFLOW_439"),
        449 => evidence.fault(Scope::Credential(rest()), "IFLOW_449"),
        // Unsigned, or a client that it does not want.
        406 => evidence.fault(Scope::Client, ""),
        _ if message.contains("slow_down") => evidence.fault(Scope::Credential(rest()), "slow_down"),
        _ if message.contains("invalid api key") => evidence.fault(Scope::Unauthorized, "invalid_api_key"),
        _ => openai::classify(evidence),
    }
}

/// The status in the body, a number or a text.
fn own_status(body: &Value) -> Option<u16> {
    let status = body.get("status")?;
    status.as_u64().and_then(|code| u16::try_from(code).ok()).or_else(|| status.as_str()?.parse().ok())
}
