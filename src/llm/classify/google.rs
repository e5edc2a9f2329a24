//! Google's errors: `google.rpc.Status` with details
//! (google-gemini/gemini-cli `packages/core/src/utils/googleQuotaErrors.ts`; cloud.google.com/apis/design/errors).

use serde_json::Value;

use super::{Evidence, FailureClass, Fault, RetryHint, Scope, hint, latest};
use crate::{provider::Quirks, secret::Secret};

/// Reasons that need a person; a refresh or a wait changes nothing.
const REFUSALS: &[&str] = &[
    "VALIDATION_REQUIRED",
    "TOS_VIOLATION",
    "SUBSCRIPTION_REQUIRED",
    "UNSUPPORTED_CLIENT",
    "UNSUPPORTED_LOCATION",
    "INELIGIBLE_ACCOUNT",
    "RESTRICTED_AGE",
    "RESTRICTED_NETWORK",
    "SECURITY_POLICY_VIOLATED",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
    "SERVICE_DISABLED",
    "BILLING_DISABLED",
    "CONSUMER_INVALID",
    "CONSUMER_SUSPENDED",
    "USER_PROJECT_DENIED",
];

pub(super) fn classify(evidence: &Evidence<'_>) -> Fault {
    let details = Details::of(evidence.body);
    let message = evidence.text("/error/message");
    let state = evidence.body.pointer("/error/status").and_then(Value::as_str).unwrap_or_default();
    let code = if details.reason.is_empty() { state } else { details.reason };
    let is_version = evidence
        .quirks
        .version_refusal
        .as_ref()
        .is_some_and(|marker| message.contains(&marker.to_lowercase()));
    if is_version {
        return evidence.fault(Scope::Client, "CLIENT_VERSION");
    }
    let exhausted = evidence.status == 429
        || state == "RESOURCE_EXHAUSTED"
        || details.reason == "RATE_LIMIT_EXCEEDED"
        || details.quota_id.is_some();
    match evidence.status {
        _ if details.reason == "MODEL_CAPACITY_EXHAUSTED" || message.contains("no capacity available") => {
            evidence.fault(Scope::Capacity, "MODEL_CAPACITY_EXHAUSTED")
        }
        _ if exhausted => quota(evidence, &details, &message, code),
        _ if matches!(details.reason, "API_KEY_INVALID" | "API_KEY_EXPIRED") => {
            evidence.fault(Scope::Unauthorized, code)
        }
        _ if REFUSALS.contains(&details.reason) => {
            evidence.fault(Scope::Refused(details.link(evidence.quirks)), code)
        }
        403 if message.contains("violation of terms of service") => {
            evidence.fault(Scope::Refused(details.link(evidence.quirks)), "TOS_VIOLATION")
        }
        400 if message.contains("user location is not supported") => {
            evidence.fault(Scope::Refused(None), "UNSUPPORTED_LOCATION")
        }
        400 if message.contains("maximum number of tokens") || message.contains("context length") => {
            evidence.fault(Scope::Request(FailureClass::TooLong), code)
        }
        _ => evidence.by_status(code),
    }
}

fn quota(evidence: &Evidence<'_>, details: &Details<'_>, message: &str, code: &str) -> Fault {
    // Contradicts the delay beside it, and is the one that holds: the account has none of this model.
    if message.contains("limit: 0") {
        return evidence.fault(Scope::ModelMissing, "QUOTA_LIMIT_ZERO");
    }
    if details.reason == "INSUFFICIENT_G1_CREDITS_BALANCE" {
        return evidence.fault(Scope::Credential(RetryHint::None), code);
    }
    let mut hints = details.hints(evidence);
    hints.extend(hint::in_message(message).map(RetryHint::After));
    let is_per_minute = details.quota_id.is_some_and(|id| id.contains("PerMinute"));
    if hints.is_empty() && is_per_minute {
        hints.push(RetryHint::After(std::time::Duration::from_mins(1)));
    }
    if hints.is_empty() && details.reason.is_empty() && details.quota_id.is_none() {
        return evidence.bare(code);
    }
    hints.extend(evidence.header_hint);
    let hint = latest(hints, evidence.now).unwrap_or(RetryHint::None);
    evidence.fault(Scope::Model(hint), code)
}

/// The parts of `details` that say something.
#[derive(Default)]
struct Details<'a> {
    reason: &'a str,
    metadata: Option<&'a Value>,
    retry_delay: Option<&'a str>,
    quota_id: Option<&'a str>,
    help: Option<&'a str>,
}

impl<'a> Details<'a> {
    fn of(body: &'a Value) -> Self {
        let mut found = Self::default();
        let details = body.pointer("/error/details").and_then(Value::as_array);
        for detail in details.into_iter().flatten() {
            let text = |pointer: &str| detail.pointer(pointer).and_then(Value::as_str);
            let kind = text("/@type").unwrap_or_default().rsplit('.').next().unwrap_or_default();
            match kind {
                "ErrorInfo" => {
                    found.reason = text("/reason").unwrap_or_default();
                    found.metadata = detail.get("metadata");
                }
                "RetryInfo" => found.retry_delay = text("/retryDelay"),
                "QuotaFailure" => found.quota_id = Some(text("/violations/0/quotaId").unwrap_or_default()),
                "Help" => found.help = text("/links/0/url"),
                _ => {}
            }
        }
        found
    }

    fn metadata(&self, key: &str) -> Option<&'a str> {
        self.metadata?.get(key)?.as_str()
    }

    fn hints(&self, evidence: &Evidence<'_>) -> Vec<RetryHint> {
        let delays = [self.retry_delay, self.metadata("quotaResetDelay")];
        let waits = delays.into_iter().flatten().filter_map(hint::duration).map(RetryHint::After);
        let stamp = self.metadata("quotaResetTimeStamp").and_then(|text| hint::timestamp(text, evidence.now));
        waits.chain(stamp).collect()
    }

    /// Where the account's owner verifies or appeals. Bound to the account: for operators alone.
    fn link(&self, quirks: &Quirks) -> Option<Secret> {
        let keys = ["validation_url", "validation_link", "appeal_url"];
        let own = keys.iter().filter_map(|key| self.metadata(key));
        self.help.into_iter().chain(own).find_map(|link| quirks.link(link))
    }
}
