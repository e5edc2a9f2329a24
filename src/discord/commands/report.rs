//! What a refresh by hand did, in words: what happened, why, and what to do next. Never a token, a body or a path.

use serde_json::{Value, json};

use crate::{
    credential::StoreError,
    discord::{embeds::relative, reply::cut, sink::MESSAGE_LIMIT},
    language::{Language, say},
    oauth::RefreshError,
    pool::{RefreshReport, RefreshResult},
    provider::ProviderId,
};

/// One apology with an id that the log has.
pub(in crate::discord) fn apology(language: &Language, id: &str) -> String {
    format!("{}\n-# id {id}", say!(language, "apology"))
}

/// Whether a refresh did not do what was asked for.
pub(super) fn failed(report: &RefreshReport) -> bool {
    match &report.result {
        RefreshResult::Refreshed { .. }
        | RefreshResult::Adopted { .. }
        | RefreshResult::NothingToRefresh
        | RefreshResult::Disabled { .. }
        | RefreshResult::TooSoon { .. } => false,
        RefreshResult::RefusedBefore | RefreshResult::Failed(_) | RefreshResult::Store(_) => true,
    }
}

/// Why it failed, as the log says it, in the provider's terms; empty when it did not.
pub(super) fn why(report: &RefreshReport) -> String {
    match &report.result {
        RefreshResult::Refreshed { .. }
        | RefreshResult::Adopted { .. }
        | RefreshResult::NothingToRefresh
        | RefreshResult::Disabled { .. }
        | RefreshResult::TooSoon { .. } => String::new(),
        RefreshResult::RefusedBefore => {
            "this refresh token was refused before and is not sent again".to_owned()
        }
        RefreshResult::Failed(error) => error.to_string(),
        RefreshResult::Store(error) => error.to_string(),
    }
}

/// Why it failed, for a person.
fn told_why(language: &Language, report: &RefreshReport) -> String {
    if report.result == RefreshResult::RefusedBefore { say!(language, "refused-before") } else { why(report) }
}

/// The whole answer: a headline, a line for each credential, tips, and the id.
pub(super) fn body(language: &Language, provider: &ProviderId, reports: &[RefreshReport], id: &str) -> Value {
    if reports.is_empty() {
        let text = say!(language, "nothing-to-refresh", provider = provider.as_str());
        return json!({ "content": text, "embeds": [], "components": [] });
    }
    let mut lines = vec![headline(language, provider, reports)];
    lines.extend(reports.iter().map(|report| line(language, report)));
    let tips = all_tips(language, reports);
    if !tips.is_empty() {
        lines.push(say!(language, "what-you-can-do"));
        lines.extend(tips.iter().map(|tip| format!("- {tip}")));
    }
    let footer = format!("\n-# id {id}");
    let text = cut(&lines.join("\n"), MESSAGE_LIMIT - footer.encode_utf16().count()) + &footer;
    json!({ "content": text, "embeds": [], "components": confirmations(language, reports) })
}

/// One line about a provider, above a status.
pub(super) fn short(
    language: &Language,
    provider: &ProviderId,
    reports: &[RefreshReport],
    id: &str,
) -> String {
    let reasons: Vec<String> = reports
        .iter()
        .map(|report| told_why(language, report))
        .filter(|why| !why.is_empty())
        .take(2)
        .collect();
    let headline = headline(language, provider, reports);
    if reasons.is_empty() { headline } else { format!("{headline}: {} (id {id})", reasons.join("; ")) }
}

fn headline(language: &Language, provider: &ProviderId, reports: &[RefreshReport]) -> String {
    let failures = reports.iter().filter(|report| failed(report)).count();
    let fresh = reports
        .iter()
        .filter(|report| {
            matches!(report.result, RefreshResult::Refreshed { .. } | RefreshResult::Adopted { .. })
        })
        .count();
    if failures == reports.len() {
        format!("❌ {}", say!(language, "refresh-failed", provider = provider.as_str()))
    } else if failures > 0 {
        let (all, provider) = (reports.len(), provider.as_str());
        format!("⚠️ {}", say!(language, "refreshed-some", fresh = fresh, all = all, provider = provider))
    } else if fresh > 0 {
        format!("✅ {}", say!(language, "refreshed", provider = provider.as_str()))
    } else {
        format!("ℹ️ {}", say!(language, "refreshed-nothing", provider = provider.as_str()))
    }
}

/// One credential's line.
pub(super) fn line(language: &Language, report: &RefreshReport) -> String {
    let account = &report.account;
    let until = |at: &Option<chrono::DateTime<chrono::Utc>>| {
        at.map_or_else(
            || say!(language, "expiry-untold"),
            |at| say!(language, "expires-at", at = relative(at)),
        )
    };
    match &report.result {
        RefreshResult::Refreshed { expires_at } => {
            format!("✅ {}", say!(language, "line-refreshed", account = account, expiry = until(expires_at)))
        }
        RefreshResult::Adopted { expires_at } => {
            format!("✅ {}", say!(language, "line-adopted", account = account, expiry = until(expires_at)))
        }
        RefreshResult::NothingToRefresh => {
            format!("ℹ️ {}", say!(language, "line-unchanged", account = account))
        }
        RefreshResult::Disabled { reason } => {
            format!("⛔ {}", say!(language, "line-disabled", account = account, why = reason))
        }
        RefreshResult::TooSoon { until } => {
            format!("⏸️ {}", say!(language, "line-too-soon", account = account, until = relative(*until)))
        }
        RefreshResult::RefusedBefore | RefreshResult::Failed(_) | RefreshResult::Store(_) => {
            format!(
                "❌ {}",
                say!(language, "line-failed", account = account, why = told_why(language, report))
            )
        }
    }
}

/// One to three next steps for all failures together, no step twice.
fn all_tips(language: &Language, reports: &[RefreshReport]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for tip in reports.iter().flat_map(|report| tips(language, report)) {
        if !all.contains(&tip) {
            all.push(tip);
        }
    }
    all.truncate(3);
    all
}

fn tips(language: &Language, report: &RefreshReport) -> Vec<String> {
    let login = || say!(language, "tip-log-in", provider = report.provider.as_str());
    let prefix = report.provider.variable_prefix();
    match &report.result {
        RefreshResult::Refreshed { .. }
        | RefreshResult::Adopted { .. }
        | RefreshResult::NothingToRefresh
        | RefreshResult::Disabled { .. }
        | RefreshResult::TooSoon { .. } => Vec::new(),
        RefreshResult::RefusedBefore => vec![login(), say!(language, "tip-send-once-more")],
        RefreshResult::Failed(error) => match error {
            RefreshError::InvalidGrant { .. } => vec![login(), say!(language, "tip-link")],
            RefreshError::ClientRefused { .. } => {
                vec![say!(language, "tip-check-client", prefix = prefix), say!(language, "tip-tokens-client")]
            }
            RefreshError::NoClient { variables } => {
                vec![say!(language, "tip-set-variables", variables = variables)]
            }
            RefreshError::NoRefreshToken => vec![login()],
            RefreshError::Transient { retry_after, .. } => {
                let wait = retry_after.map_or_else(
                    || say!(language, "a-few-minutes"),
                    |wait| format!("{} s", wait.as_secs().max(1)),
                );
                vec![say!(language, "tip-try-again", wait = wait), say!(language, "tip-check-network")]
            }
            RefreshError::Unknown { .. } => {
                vec![say!(language, "tip-tried-again"), say!(language, "tip-doctor")]
            }
            RefreshError::ForeignEndpoint { .. } => vec![say!(language, "tip-foreign-host", prefix = prefix)],
            RefreshError::Refused { link, .. } => {
                let mut steps = vec![say!(language, "tip-account-refused")];
                // Only operators see this answer, and the link is meant for them.
                steps.extend(
                    link.as_ref()
                        .map(|link| say!(language, "tip-open-link", link = format!("<{}>", link.expose()))),
                );
                steps
            }
        },
        RefreshResult::Store(error) => match error {
            StoreError::Gone { .. } => vec![say!(language, "tip-file-gone")],
            StoreError::Unreadable { .. } => vec![say!(language, "tip-file-unreadable")],
            StoreError::Locked { .. } => vec![say!(language, "tip-locked")],
            StoreError::NotWritable { remedy, .. } => {
                vec![say!(language, "tip-not-writable", remedy = remedy)]
            }
            StoreError::NotSaved { .. } => vec![say!(language, "tip-not-saved")],
        },
    }
}

/// A button for each refused token that an operator may send once more: five at most, Discord's row.
fn confirmations(language: &Language, reports: &[RefreshReport]) -> Value {
    let buttons: Vec<Value> = reports
        .iter()
        .filter(|report| report.result == RefreshResult::RefusedBefore)
        .take(5)
        .map(|report| {
            json!({
                "type": 2,
                "style": 4,
                "label": cut(&say!(language, "button-try-account", account = &report.account), 80),
                "custom_id": format!("confirm:{}", report.credential),
            })
        })
        .collect();
    if buttons.is_empty() { json!([]) } else { json!([{ "type": 1, "components": buttons }]) }
}
