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

/// Why it failed, in the provider's terms; empty when it did not.
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

/// The whole answer: a headline, a line for each credential, tips, and the id.
pub(super) fn body(provider: &ProviderId, reports: &[RefreshReport], id: &str) -> Value {
    if reports.is_empty() {
        let text = format!("No OAuth credentials configured for **{provider}**: nothing to refresh.");
        return json!({ "content": text, "embeds": [], "components": [] });
    }
    let mut lines = vec![headline(provider, reports)];
    lines.extend(reports.iter().map(line));
    let tips = all_tips(reports);
    if !tips.is_empty() {
        lines.push("What you can do:".to_owned());
        lines.extend(tips.iter().map(|tip| format!("- {tip}")));
    }
    let footer = format!("\n-# id {id}");
    let text = cut(&lines.join("\n"), MESSAGE_LIMIT - footer.encode_utf16().count()) + &footer;
    json!({ "content": text, "embeds": [], "components": confirmations(reports) })
}

/// One line about a provider, above a status.
pub(super) fn short(provider: &ProviderId, reports: &[RefreshReport], id: &str) -> String {
    let reasons: Vec<String> = reports.iter().map(why).filter(|why| !why.is_empty()).take(2).collect();
    let headline = headline(provider, reports);
    if reasons.is_empty() { headline } else { format!("{headline}: {} (id {id})", reasons.join("; ")) }
}

fn headline(provider: &ProviderId, reports: &[RefreshReport]) -> String {
    let failures = reports.iter().filter(|report| failed(report)).count();
    let fresh = reports
        .iter()
        .filter(|report| {
            matches!(report.result, RefreshResult::Refreshed { .. } | RefreshResult::Adopted { .. })
        })
        .count();
    if failures == reports.len() {
        format!("❌ Failed to refresh token for **{provider}**")
    } else if failures > 0 {
        format!("⚠️ Refreshed {fresh} of {} tokens for **{provider}**", reports.len())
    } else if fresh > 0 {
        format!("✅ Successfully refreshed token for **{provider}**")
    } else {
        format!("ℹ️ Nothing was refreshed for **{provider}**")
    }
}

/// One credential's line.
pub(super) fn line(report: &RefreshReport) -> String {
    let account = &report.account;
    let until = |at: &Option<chrono::DateTime<chrono::Utc>>| {
        at.map_or_else(|| "no expiry told".to_owned(), |at| format!("expires {}", relative(at)))
    };
    match &report.result {
        RefreshResult::Refreshed { expires_at } => format!("✅ Refreshed: {account}, {}", until(expires_at)),
        RefreshResult::Adopted { expires_at } => {
            format!("✅ Adopted: {account}, a newer token stood in its file, {}", until(expires_at))
        }
        RefreshResult::NothingToRefresh => format!("ℹ️ Unchanged: {account} is an API key and never expires"),
        RefreshResult::Disabled { reason } => format!("⛔ Disabled: {account}, {reason}"),
        RefreshResult::TooSoon { until } => {
            format!("⏸️ Waiting: {account} was refreshed less than a minute ago, again {}", relative(*until))
        }
        RefreshResult::RefusedBefore | RefreshResult::Failed(_) | RefreshResult::Store(_) => {
            format!("❌ Failed: {account}, {}", why(report))
        }
    }
}

/// One to three next steps for all failures together, no step twice.
fn all_tips(reports: &[RefreshReport]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for tip in reports.iter().flat_map(tips) {
        if !all.contains(&tip) {
            all.push(tip);
        }
    }
    all.truncate(3);
    all
}

fn tips(report: &RefreshReport) -> Vec<String> {
    let login = || {
        format!(
            "Log in again: `/settings oauth-connect {0}` here, `cortana login {0}` on the host, or the provider's own program, \
             whose new file goes into the credentials folder. It counts within two seconds, without a restart.",
            report.provider
        )
    };
    let prefix = report.provider.variable_prefix();
    match &report.result {
        RefreshResult::Refreshed { .. }
        | RefreshResult::Adopted { .. }
        | RefreshResult::NothingToRefresh
        | RefreshResult::Disabled { .. }
        | RefreshResult::TooSoon { .. } => Vec::new(),
        RefreshResult::RefusedBefore => vec![
            login(),
            "If you know that the refusal was a mistake, the button sends the same token once more.".to_owned(),
        ],
        RefreshResult::Failed(error) => match error {
            RefreshError::InvalidGrant { .. } => vec![
                login(),
                "If another program uses this login too, its file may hold the newer token: link to that file instead \
                 of a copy."
                    .to_owned(),
            ],
            RefreshError::ClientRefused { .. } => vec![
                format!("Check `{prefix}_CLIENT_ID` and `{prefix}_CLIENT_SECRET`."),
                "A token works only with the client that it was issued to: log in again after changing the client."
                    .to_owned(),
            ],
            RefreshError::NoClient { variables } => {
                vec![format!("Set {variables} in the environment and restart.")]
            }
            RefreshError::NoRefreshToken => vec![login()],
            RefreshError::Transient { retry_after, .. } => {
                let wait = retry_after
                    .map_or_else(|| "a few minutes".to_owned(), |wait| format!("{} s", wait.as_secs().max(1)));
                vec![
                    format!("Try again in {wait}; a token that is still valid is served meanwhile."),
                    "Check that this host reaches the token endpoint (network, `HTTPS_PROXY`).".to_owned(),
                ]
            }
            RefreshError::Unknown { .. } => vec![
                "Try again in a few minutes; it is tried by itself too, with growing pauses.".to_owned(),
                "If it stays, run `cortana doctor` on the host.".to_owned(),
            ],
            RefreshError::ForeignEndpoint { .. } => vec![format!(
                "If you trust this host, name it yourself: `{prefix}_TOKEN_ENDPOINT` or `{prefix}_API_BASE`."
            )],
            RefreshError::Refused { link, .. } => {
                let mut steps = vec![
                    "The login is fine, the service refuses the account: check its licence, region and terms."
                        .to_owned(),
                ];
                // Only operators see this answer, and the link is meant for them.
                steps.extend(
                    link.as_ref().map(|link| format!("The service asks you to open <{}>.", link.expose())),
                );
                steps
            }
        },
        RefreshResult::Store(error) => match error {
            StoreError::Gone { .. } => vec!["Put the file back, or ignore this: it leaves the list by itself.".to_owned()],
            StoreError::Unreadable { .. } => vec![
                "Open the file and mend it, or log in again; it is never overwritten while it cannot be read."
                    .to_owned(),
            ],
            StoreError::Locked { .. } => vec![
                "Another process refreshes the same login: try again in a minute, its result is adopted.".to_owned(),
            ],
            StoreError::NotWritable { remedy, .. } => vec![format!("No token was spent. To mend it: {remedy}.")],
            StoreError::NotSaved { .. } => vec![
                "Free disk space or mend the permissions soon: the new token lives in memory until it can be saved."
                    .to_owned(),
            ],
        },
    }
}

/// A button for each refused token that an operator may send once more: five at most, Discord's row.
fn confirmations(reports: &[RefreshReport]) -> Value {
    let buttons: Vec<Value> = reports
        .iter()
        .filter(|report| report.result == RefreshResult::RefusedBefore)
        .take(5)
        .map(|report| {
            json!({
                "type": 2,
                "style": 4,
                "label": cut(&format!("Try {} once more", report.account), 80),
                "custom_id": format!("confirm:{}", report.credential),
            })
        })
        .collect();
    if buttons.is_empty() { json!([]) } else { json!([{ "type": 1, "components": buttons }]) }
}
