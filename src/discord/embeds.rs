//! The pool's state in words: a page of credentials as an embed, its buttons, one line of summary.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::reply::cut;
use crate::{
    language::{Language, say},
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
pub(super) fn status(language: &Language, snapshot: &Snapshot, providers: &Catalog, view: &View) -> Value {
    let of_view =
        |credential: &&CredentialView| view.provider.is_none() || credential.provider == view.provider;
    let all: Vec<&CredentialView> = snapshot.credentials.iter().filter(of_view).collect();
    if all.is_empty() {
        return json!({ "content": nothing_configured(language, view.provider.as_ref()), "embeds": [], "components": [] });
    }
    let pages = all.len().div_ceil(PAGE);
    let page = view.page.min(pages - 1);
    let view = View { page, ..view.clone() };
    let shown: Vec<&CredentialView> = all.iter().skip(page * PAGE).take(PAGE).copied().collect();
    let fields: Vec<Value> = shown
        .iter()
        .map(|credential| {
            json!({
                "name": cut(&heading(language, credential), FIELD_NAME),
                "value": cut(&details(language, credential, snapshot.taken_at), FIELD_VALUE),
                "inline": false,
            })
        })
        .collect();
    let mut description = vec![summary(language, &all)];
    description.extend(notes(language, &shown, providers));
    let embed = json!({
        "title": view.provider.as_ref().map_or_else(
            || say!(language, "credentials-title"),
            |provider| say!(language, "credentials-title-of", provider = provider.as_str()),
        ),
        "description": cut(&description.join("\n"), DESCRIPTION),
        "fields": fields,
        "footer": { "text": say!(language, "page", page = page + 1, pages = pages) },
        "timestamp": snapshot.taken_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    });
    json!({ "content": "", "embeds": [embed], "components": [buttons(language, &view, pages), menu(language, &view, &shown, snapshot.taken_at)] })
}

/// What to set when there is nothing.
pub(super) fn nothing_configured(language: &Language, provider: Option<&ProviderId>) -> String {
    let (none, prefix) = match provider {
        None => (say!(language, "no-credentials"), "GEMINI_CLI".to_owned()),
        Some(provider) => {
            (say!(language, "no-credentials-of", provider = provider.as_str()), provider.variable_prefix())
        }
    };
    let variable = format!("{prefix}_OAUTH_CREDENTIALS");
    format!("{none}\n{}", say!(language, "no-credentials-next", variable = variable))
}

/// The pool in one line: how many credentials are in which state.
pub(super) fn summary(language: &Language, credentials: &[&CredentialView]) -> String {
    let counts: Vec<String> = State::ALL
        .into_iter()
        .filter_map(|state| {
            let count = credentials.iter().filter(|credential| credential.state == state).count();
            (count > 0).then(|| format!("{count} {}", word(language, state)))
        })
        .collect();
    let noun = say!(language, "credentials-count", count = credentials.len());
    format!("{noun}: {}.", counts.join(", "))
}

/// A state as people read it: a sign and a word (D28).
pub(super) fn label(language: &Language, state: State) -> String {
    match state {
        State::Ready => format!("✅ {}", say!(language, "state-ready")),
        State::Early => format!("⚠️ {}", say!(language, "state-early")),
        State::Refreshing => format!("🔄 {}", say!(language, "state-refreshing")),
        State::Expired => format!("❌ {}", say!(language, "state-expired")),
        State::Cooling => format!("⏸️ {}", say!(language, "state-cooling")),
        State::NeedsLogin => format!("🔑 {}", say!(language, "state-needs-login")),
        State::Refused => format!("🚫 {}", say!(language, "state-refused")),
        State::Disabled => format!("⛔ {}", say!(language, "state-disabled")),
        State::Unusable => format!("📄 {}", say!(language, "state-unusable")),
    }
}

/// A state in the middle of a line.
fn word(language: &Language, state: State) -> String {
    match state {
        State::Ready => say!(language, "word-ready"),
        State::Early => say!(language, "word-early"),
        State::Refreshing => say!(language, "word-refreshing"),
        State::Expired => say!(language, "word-expired"),
        State::Cooling => say!(language, "word-cooling"),
        State::NeedsLogin => say!(language, "word-needs-login"),
        State::Refused => say!(language, "word-refused"),
        State::Disabled => say!(language, "word-disabled"),
        State::Unusable => say!(language, "word-unusable"),
    }
}

/// State, provider, account.
pub(super) fn heading(language: &Language, credential: &CredentialView) -> String {
    let provider =
        credential.provider.as_ref().map_or_else(|| say!(language, "unknown-provider"), ToString::to_string);
    format!("{} · {provider} · {}", label(language, credential.state), credential.account)
}

fn details(language: &Language, credential: &CredentialView, now: DateTime<Utc>) -> String {
    let mut lines = Vec::new();
    if credential.unsaved {
        lines.push(unsaved(language));
    }
    if let Some(reason) = &credential.reason {
        lines.push(cut(reason, REASON));
    }
    if let Some(until) = credential.cooling_until {
        lines.push(say!(language, "rests-until", until = relative(until)));
    }
    for model in credential.cooling_models.iter().take(3) {
        let (until, why) = (relative(model.until), &model.reason);
        lines.push(say!(language, "model-rests", model = &model.model, until = until, why = why));
    }
    lines.push(expiry(language, credential, now));
    lines.push(last_refresh(language, credential));
    lines.push(used(language, credential));
    lines.extend(quota(language, credential));
    if let Some(holder) = &credential.lock_holder {
        lines.push(say!(language, "waits-for-lock", holder = holder));
    }
    lines.push(format!("{} · `{}`", place(language, credential), credential.id));
    lines.join("\n")
}

/// Said where the last write failed.
pub(super) fn unsaved(language: &Language) -> String {
    format!("💾 {}", say!(language, "unsaved"))
}

/// Where it stands, and in which notation.
pub(super) fn place(language: &Language, credential: &CredentialView) -> String {
    say!(language, "dialect-in-place", dialect = credential.dialect, place = &credential.place)
}

/// How much it is used.
pub(super) fn used(language: &Language, credential: &CredentialView) -> String {
    let requests = say!(language, "requests", count = credential.requests);
    let used = credential
        .last_used_at
        .map_or_else(|| say!(language, "never-used"), |at| say!(language, "used-at", at = relative(at)));
    format!("{requests}, {used}, {}", say!(language, "in-flight", count = credential.in_flight))
}

/// What is left of the quota that ends first.
fn quota(language: &Language, credential: &CredentialView) -> Option<String> {
    let quota = credential.quota.as_ref()?;
    let left = allowance(language, quota.scarcest()?);
    Some(say!(language, "quota-line", left = left, at = relative(quota.read_at)))
}

/// `73 % of gemini-2.5-pro left`, and when it is whole again. Less than one in a hundred is no nought.
pub(super) fn allowance(language: &Language, allowance: &Allowance) -> String {
    let left = match allowance.remaining_permille {
        0 => say!(language, "quota-nothing"),
        permille if permille < 10 => say!(language, "quota-almost-nothing"),
        permille => format!("{} %", permille / 10),
    };
    let left = say!(language, "quota-left", left = left, what = &allowance.what);
    let resets = allowance.resets_at.map(|at| say!(language, "quota-resets", at = relative(at)));
    resets.map_or(left.clone(), |resets| format!("{left}, {resets}"))
}

/// When it expires.
pub(super) fn expiry(language: &Language, credential: &CredentialView, now: DateTime<Utc>) -> String {
    match credential.expires_at {
        None => say!(language, "no-expiry-known"),
        Some(at) if at > now => {
            say!(language, "expires-in", left = hours_minutes(at - now), at = relative(at))
        }
        Some(at) => say!(language, "expired-ago", ago = hours_minutes(now - at), at = relative(at)),
    }
}

/// When it was last refreshed, how that ended, and how often it was tried.
pub(super) fn last_refresh(language: &Language, credential: &CredentialView) -> String {
    let how = match &credential.last_refresh {
        None => say!(language, "not-refreshed"),
        Some(last) => match &last.failure {
            None => say!(language, "last-refresh-succeeded", at = relative(last.at)),
            Some(why) => {
                say!(language, "last-refresh-failed", at = relative(last.at), why = cut(why, REASON / 2))
            }
        },
    };
    format!("{how}, {}", say!(language, "attempts", count = credential.refresh_attempts))
}

/// What became of the shown credentials' providers.
fn notes(language: &Language, shown: &[&CredentialView], providers: &Catalog) -> Vec<String> {
    let mut seen: Vec<&ProviderId> = Vec::new();
    let mut notes = Vec::new();
    for id in shown.iter().filter_map(|credential| credential.provider.as_ref()) {
        if seen.contains(&id) {
            continue;
        }
        seen.push(id);
        if let Some(lifecycle) = providers.get(id).and_then(|provider| provider.lifecycle.as_ref()) {
            let since = lifecycle.since.to_string();
            notes.push(say!(
                language,
                "lifecycle",
                provider = id.as_str(),
                since = since,
                note = &lifecycle.note
            ));
        }
    }
    notes
}

fn buttons(language: &Language, view: &View, pages: usize) -> Value {
    let button = |label: &str, id: String, disabled: bool| json!({ "type": 2, "style": 2, "label": label, "custom_id": id, "disabled": disabled });
    let mut row = vec![button(&say!(language, "button-refresh"), view.id("refresh"), false)];
    if pages > 1 {
        let before = View { page: view.page.saturating_sub(1), ..view.clone() };
        let after = View { page: (view.page + 1).min(pages - 1), ..view.clone() };
        // Distinct ids are demanded even of disabled buttons.
        row.push(button(&say!(language, "button-back"), before.id("status-back"), view.page == 0));
        row.push(button(&say!(language, "button-next"), after.id("status-next"), view.page + 1 == pages));
    }
    json!({ "type": 1, "components": row })
}

/// Picks one of the page's credentials, to see all of it and act on it.
fn menu(language: &Language, view: &View, shown: &[&CredentialView], now: DateTime<Utc>) -> Value {
    let options: Vec<Value> = shown
        .iter()
        .map(|credential| json!({ "label": choice(language, credential, now), "value": credential.id.as_str() }))
        .collect();
    let menu = json!({
        "type": 3,
        "custom_id": view.id("pick"),
        "placeholder": say!(language, "pick-credential"),
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
pub(super) fn choice(language: &Language, credential: &CredentialView, now: DateTime<Utc>) -> String {
    let provider = provider(language, credential);
    let expiry = match credential.expires_at {
        None => say!(language, "choice-no-expiry"),
        Some(at) if at <= now => say!(language, "word-expired"),
        Some(at) if at - now < TimeDelta::hours(2) => {
            say!(language, "choice-expires-minutes", minutes = (at - now).num_minutes())
        }
        Some(at) => say!(language, "choice-expires-hours", hours = (at - now).num_hours()),
    };
    let state = word(language, credential.state);
    cut(&format!("{provider} · {} · {state} · {expiry}", credential.account), 100)
}

/// Whose it is, as far as that is known.
pub(super) fn provider(language: &Language, credential: &CredentialView) -> String {
    credential.provider.as_ref().map_or_else(|| say!(language, "unknown"), ToString::to_string)
}
