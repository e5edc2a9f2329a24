//! The pool's state in words: a page of credentials as an embed, its buttons, one line of summary.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::reply::cut;
use crate::{
    oauth::Allowance,
    pool::{CredentialView, Snapshot, State},
    provider::{Catalog, ProviderId},
};

/// Credentials on a page.
pub(super) const PAGE: usize = 10;

/// Discord's limits: an embed's description, a field's name and value. All embeds of a message hold 6000 together.
const DESCRIPTION: usize = 900;
const FIELD_NAME: usize = 90;
const FIELD_VALUE: usize = 400;

/// Units of a reason, so that what stands below it is not cut off.
const REASON: usize = 140;

/// Which page of which credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    /// One provider's, or all.
    pub(super) provider: Option<ProviderId>,
    /// The page, from 0.
    pub(super) page: usize,
}

impl View {
    /// As it stands in a button's id.
    fn id(&self, action: &str) -> String {
        let provider = self.provider.as_ref().map_or("-", ProviderId::as_str);
        format!("{action}:{provider}:{}", self.page)
    }

    /// From a button's id, without its action.
    pub(super) fn parse(rest: &str) -> Option<Self> {
        let (provider, page) = rest.split_once(':')?;
        let provider = if provider == "-" { None } else { Some(provider.parse().ok()?) };
        Some(Self { provider, page: page.parse().ok()? })
    }
}

/// A page of the pool's state: the body of an answer.
pub(super) fn status(snapshot: &Snapshot, providers: &Catalog, view: &View) -> Value {
    let of_view =
        |credential: &&CredentialView| view.provider.is_none() || credential.provider == view.provider;
    let all: Vec<&CredentialView> = snapshot.credentials.iter().filter(of_view).collect();
    if all.is_empty() {
        return json!({ "content": nothing_configured(view.provider.as_ref()), "embeds": [], "components": [] });
    }
    let pages = all.len().div_ceil(PAGE);
    let page = view.page.min(pages - 1);
    let view = View { page, ..view.clone() };
    let shown: Vec<&CredentialView> = all.iter().skip(page * PAGE).take(PAGE).copied().collect();
    let fields: Vec<Value> = shown
        .iter()
        .map(|credential| {
            json!({
                "name": cut(&heading(credential), FIELD_NAME),
                "value": cut(&details(credential, snapshot.taken_at), FIELD_VALUE),
                "inline": false,
            })
        })
        .collect();
    let mut description = vec![summary(&all)];
    description.extend(notes(&shown, providers));
    let embed = json!({
        "title": view.provider.as_ref().map_or_else(
            || "Credentials".to_owned(),
            |provider| format!("Credentials of {provider}"),
        ),
        "description": cut(&description.join("\n"), DESCRIPTION),
        "fields": fields,
        "footer": { "text": format!("Page {} of {pages}", page + 1) },
        "timestamp": snapshot.taken_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    });
    json!({ "content": "", "embeds": [embed], "components": [buttons(&view, pages), menu(&view, &shown, snapshot.taken_at)] })
}

/// What to set when there is nothing.
pub(super) fn nothing_configured(provider: Option<&ProviderId>) -> String {
    let (whose, prefix) = provider.map_or_else(
        || (String::new(), "GEMINI_CLI".to_owned()),
        |provider| (format!(" for **{provider}**"), provider.variable_prefix()),
    );
    format!(
        "No OAuth credentials configured{whose}.\nPut a credential file into the folder of `CREDENTIALS_DIR` \
         (`credentials/`), or set `{prefix}_OAUTH_CREDENTIALS` to a path or to the JSON itself. Files are found \
         within two seconds, without a restart; `cortana doctor` says what is missing."
    )
}

/// The pool in one line: how many credentials are in which state.
pub(super) fn summary(credentials: &[&CredentialView]) -> String {
    let counts: Vec<String> = State::ALL
        .into_iter()
        .filter_map(|state| {
            let count = credentials.iter().filter(|credential| credential.state == state).count();
            (count > 0).then(|| format!("{count} {}", word(state)))
        })
        .collect();
    let noun = if credentials.len() == 1 { "credential" } else { "credentials" };
    format!("{} {noun}: {}.", credentials.len(), counts.join(", "))
}

/// A state's word without its sign, for the middle of a line.
fn word(state: State) -> String {
    state.label().split_once(' ').map_or(state.label(), |(_, word)| word).to_lowercase()
}

/// State, provider, account.
pub(super) fn heading(credential: &CredentialView) -> String {
    let provider = credential.provider.as_ref().map_or("unknown provider", ProviderId::as_str);
    format!("{} · {provider} · {}", credential.state.label(), credential.account)
}

fn details(credential: &CredentialView, now: DateTime<Utc>) -> String {
    let mut lines = Vec::new();
    if credential.unsaved {
        lines.push("💾 Cannot save: the last write failed; the token lives in memory".to_owned());
    }
    if let Some(reason) = &credential.reason {
        lines.push(cut(reason, REASON));
    }
    if let Some(until) = credential.cooling_until {
        lines.push(format!("Rests until {}", relative(until)));
    }
    for model in credential.cooling_models.iter().take(3) {
        lines.push(format!("`{}` rests until {} ({})", model.model, relative(model.until), model.reason));
    }
    lines.push(expiry(credential, now));
    lines.push(last_refresh(credential));
    lines.push(used(credential));
    lines.extend(quota(credential));
    if let Some(holder) = &credential.lock_holder {
        lines.push(format!("Waiting for a lock that {holder} holds"));
    }
    lines.push(format!("{} in {} · `{}`", credential.dialect, credential.place, credential.id));
    lines.join("\n")
}

/// How much it is used.
pub(super) fn used(credential: &CredentialView) -> String {
    let used = credential
        .last_used_at
        .map_or_else(|| "never used".to_owned(), |at| format!("used {}", relative(at)));
    let noun = if credential.requests == 1 { "request" } else { "requests" };
    format!("{} {noun}, {used}, {} in flight", credential.requests, credential.in_flight)
}

/// What is left of the quota that ends first.
fn quota(credential: &CredentialView) -> Option<String> {
    let quota = credential.quota.as_ref()?;
    Some(format!("Quota: {}, as of {}", allowance(quota.scarcest()?), relative(quota.read_at)))
}

/// `73 % of gemini-2.5-pro left`, and when it is whole again. Less than one in a hundred is no nought.
pub(super) fn allowance(allowance: &Allowance) -> String {
    let left = match allowance.remaining_permille {
        0 => "nothing".to_owned(),
        permille if permille < 10 => "less than 1 %".to_owned(),
        permille => format!("{} %", permille / 10),
    };
    let resets = allowance.resets_at.map(|at| format!(", resets {}", relative(at))).unwrap_or_default();
    format!("{left} of `{}` left{resets}", allowance.what)
}

/// When it expires.
pub(super) fn expiry(credential: &CredentialView, now: DateTime<Utc>) -> String {
    match credential.expires_at {
        None => "No expiry known".to_owned(),
        Some(at) if at > now => format!("Expires in {} ({})", hours_minutes(at - now), relative(at)),
        Some(at) => format!("Expired {} ago ({})", hours_minutes(now - at), relative(at)),
    }
}

/// When it was last refreshed, how that ended, and how often it was tried.
pub(super) fn last_refresh(credential: &CredentialView) -> String {
    let attempts = match credential.refresh_attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    match &credential.last_refresh {
        None => format!("Not refreshed since the start, {attempts}"),
        Some(last) => match &last.failure {
            None => format!("Last refresh {}: succeeded, {attempts}", relative(last.at)),
            Some(why) => {
                format!("Last refresh {}: failed ({}), {attempts}", relative(last.at), cut(why, REASON / 2))
            }
        },
    }
}

/// What became of the shown credentials' providers.
fn notes(shown: &[&CredentialView], providers: &Catalog) -> Vec<String> {
    let mut seen: Vec<&ProviderId> = Vec::new();
    let mut notes = Vec::new();
    for id in shown.iter().filter_map(|credential| credential.provider.as_ref()) {
        if seen.contains(&id) {
            continue;
        }
        seen.push(id);
        if let Some(lifecycle) = providers.get(id).and_then(|provider| provider.lifecycle.as_ref()) {
            notes.push(format!("**{id}**, since {}: {}", lifecycle.since, lifecycle.note));
        }
    }
    notes
}

fn buttons(view: &View, pages: usize) -> Value {
    let button = |label: &str, id: String, disabled: bool| json!({ "type": 2, "style": 2, "label": label, "custom_id": id, "disabled": disabled });
    let mut row = vec![button("Refresh now", view.id("refresh"), false)];
    if pages > 1 {
        let before = View { page: view.page.saturating_sub(1), ..view.clone() };
        let after = View { page: (view.page + 1).min(pages - 1), ..view.clone() };
        // Distinct ids are demanded even of disabled buttons.
        row.push(button("Back", before.id("status-back"), view.page == 0));
        row.push(button("Next", after.id("status-next"), view.page + 1 == pages));
    }
    json!({ "type": 1, "components": row })
}

/// Picks one of the page's credentials, to see all of it and act on it.
fn menu(view: &View, shown: &[&CredentialView], now: DateTime<Utc>) -> Value {
    let options: Vec<Value> = shown
        .iter()
        .map(|credential| json!({ "label": choice(credential, now), "value": credential.id.as_str() }))
        .collect();
    let menu = json!({
        "type": 3,
        "custom_id": view.id("pick"),
        "placeholder": "Look at one credential, or act on it",
        "options": options,
    });
    json!({ "type": 1, "components": [menu] })
}

/// An instant as every reader's client shows it: "in 42 minutes".
pub(super) fn relative(at: DateTime<Utc>) -> String {
    format!("<t:{}:R>", at.timestamp())
}

/// `hh:mm`.
pub(super) fn hours_minutes(left: TimeDelta) -> String {
    let minutes = left.num_minutes().max(0);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// What autocomplete shows for a credential: `provider · account · state · expires in 42 min`, 100 characters at most.
pub(super) fn choice(credential: &CredentialView, now: DateTime<Utc>) -> String {
    let provider = credential.provider.as_ref().map_or("unknown", ProviderId::as_str);
    let expiry = match credential.expires_at {
        None => "no expiry".to_owned(),
        Some(at) if at <= now => "expired".to_owned(),
        Some(at) if at - now < TimeDelta::hours(2) => format!("expires in {} min", (at - now).num_minutes()),
        Some(at) => format!("expires in {} h", (at - now).num_hours()),
    };
    cut(&format!("{provider} · {} · {} · {expiry}", credential.account, word(credential.state)), 100)
}
