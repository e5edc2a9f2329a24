//! What Code Assist's set-up calls answer when they will not: `google.rpc` errors, and tiers that are not offered.

use serde_json::{Map, Value};

use crate::{
    oauth::{
        RefreshError,
        reply::{Answer, code_word},
    },
    provider::Quirks,
    secret::Secret,
};

/// The class of an error status, by its `ErrorInfo.reason`.
///
/// 403 with a reason is a person's work (verify, appeal, buy a licence) and never one for a refresh; the link goes to
/// the operator alone, since it is bound to the account.
pub(super) fn refused(step: &str, answer: &Answer, quirks: &Quirks) -> RefreshError {
    if let Some(later) = answer.later(step) {
        return later;
    }
    let status = answer.status;
    let reply = answer.object();
    let error = reply.as_ref().and_then(|reply| reply.get("error"));
    let details: &[Value] =
        error.and_then(|error| error.get("details")).and_then(Value::as_array).map_or(&[], Vec::as_slice);
    let info = details.iter().find(|detail| detail.get("reason").is_some());
    let reason = info.and_then(|info| info.get("reason")).and_then(code_word);
    match reason {
        Some(reason) if status == 403 => RefreshError::Refused { reason, link: link(details, info, quirks) },
        Some(reason) => RefreshError::Unknown { problem: format!("{step}HTTP {status} {reason}") },
        None => {
            let word = error.and_then(|error| error.get("status")).and_then(code_word);
            let word = word.map(|word| format!(" {word}")).unwrap_or_default();
            RefreshError::Unknown { problem: format!("{step}HTTP {status}{word}") }
        }
    }
}

/// The link under which a person can do something: `Help` first, as gemini-cli does, then the reason's own.
fn link(details: &[Value], info: Option<&Value>, quirks: &Quirks) -> Option<Secret> {
    let help = details
        .iter()
        .filter_map(|detail| detail.get("links"))
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(|link| link.get("url"));
    let metadata = info.and_then(|info| info.get("metadata"));
    let own = ["validation_url", "validation_link", "appeal_url"]
        .iter()
        .filter_map(|field| metadata.and_then(|metadata| metadata.get(*field)));
    help.chain(own).filter_map(Value::as_str).find_map(|link| quirks.link(link))
}

/// The refusal that `ineligibleTiers` words; `None` when the answer names none.
pub(super) fn ineligible(loaded: &Map<String, Value>, quirks: &Quirks) -> Option<RefreshError> {
    let tier = loaded.get("ineligibleTiers")?.as_array()?.first()?;
    Some(RefreshError::Refused {
        reason: tier.get("reasonCode").and_then(code_word).unwrap_or_else(|| "INELIGIBLE".to_owned()),
        link: tier.get("validationUrl").and_then(Value::as_str).and_then(|link| quirks.link(link)),
    })
}
