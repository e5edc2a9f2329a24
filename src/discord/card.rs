//! One credential in detail: every field of its view, and the buttons for what an operator can do about it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    embeds::{self, relative},
    reply::cut,
};
use crate::{
    credential::{CredentialId, Dialect},
    pool::{CredentialView, Quota, State},
    provider::ProviderId,
    secret::Secret,
};

/// Discord's limits: an embed's title, description and a field's value.
const TITLE: usize = 256;
const DESCRIPTION: usize = 2000;
const FIELD_VALUE: usize = 1024;

/// Models that rest, a line each; more are counted.
const MODELS: usize = 10;

/// What an operator can do about one credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Get a new token.
    Refresh,
    /// Take it out of service.
    Disable,
    /// Put it back.
    Enable,
    /// End its rests.
    ClearCooldown,
    /// Ask whether a refused token should be sent once more.
    TryOnceMore,
}

impl Action {
    const ALL: [Self; 5] =
        [Self::Refresh, Self::Disable, Self::Enable, Self::ClearCooldown, Self::TryOnceMore];

    /// Its name in buttons and logs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::ClearCooldown => "clear-cooldown",
            Self::TryOnceMore => "try-once-more",
        }
    }

    /// The action of a button's id: `act-disable`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let name = text.strip_prefix("act-")?;
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    fn label(self) -> &'static str {
        match self {
            Self::Refresh => "Refresh now",
            Self::Disable => "Disable",
            Self::Enable => "Enable",
            Self::ClearCooldown => "Clear cooldown",
            Self::TryOnceMore => "Try the refused token once more",
        }
    }

    /// Whether it makes sense for a credential as it stands.
    fn is_offered(self, credential: &CredentialView) -> bool {
        let is = |states: &[State]| states.contains(&credential.state);
        if credential.state == State::Unusable {
            return false;
        }
        match self {
            Self::Refresh => credential.dialect != Dialect::ApiKey.name() && !is(&[State::Disabled]),
            Self::Disable => !is(&[State::Disabled]),
            Self::Enable => is(&[State::Disabled, State::Refused]),
            Self::ClearCooldown => is(&[State::Cooling]) || !credential.cooling_models.is_empty(),
            Self::TryOnceMore => is(&[State::NeedsLogin]),
        }
    }
}

/// The body of an answer that shows one credential. `note` says what was just done. `link` is the service's own, where it
/// refuses the account: for operators alone, who are the only ones to see this.
pub(super) fn body(
    credential: &CredentialView,
    link: Option<&Secret>,
    now: DateTime<Utc>,
    note: &str,
) -> Value {
    let field = |name: &str, value: String| json!({ "name": name, "value": cut(&value, FIELD_VALUE), "inline": false });
    let mut fields = vec![
        field("Expires", expires(credential, now)),
        field("Last refresh", embeds::last_refresh(credential)),
        field("Use", embeds::used(credential)),
    ];
    if let Some(until) = credential.cooling_until {
        fields.push(field("Rests", format!("until {} ({})", absolute(until), relative(until))));
    }
    if !credential.cooling_models.is_empty() {
        fields.push(field("Models that rest", models(credential)));
    }
    if let Some(quota) = &credential.quota {
        fields.push(field("Quota", allowances(quota)));
    }
    if credential.unsaved {
        fields.push(field(
            "Saving",
            "💾 Cannot save: the last write failed; the token lives in memory".to_owned(),
        ));
    }
    if let Some(holder) = &credential.lock_holder {
        fields.push(field("Lock", format!("held by {holder}")));
    }
    if let Some(link) = link {
        fields.push(field("The service asks you to open", format!("<{}>", link.expose())));
    }
    fields.push(field("Where", format!("{} in {}", credential.dialect, credential.place)));
    fields.push(field("Id", format!("`{}`", credential.id)));
    let embed = json!({
        "title": cut(&embeds::heading(credential), TITLE),
        "description": cut(credential.reason.as_deref().unwrap_or("Nothing to do."), DESCRIPTION),
        "fields": fields,
        "timestamp": now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    });
    json!({ "content": note, "embeds": [embed], "components": [buttons(credential)] })
}

/// The question before a refused token is sent again (P4).
pub(super) fn question(credential: &CredentialView) -> Value {
    let provider = credential.provider.as_ref().map_or("unknown", ProviderId::as_str);
    let text = format!(
        "⚠️ The refresh token of **{provider}** · {} was refused. It is never sent again by itself: services take that for an \
         attack. Send it once more only if you know that it was refused by mistake.",
        credential.account
    );
    let id = &credential.id;
    json!({
        "content": text,
        "embeds": [],
        "components": [{ "type": 1, "components": [
            { "type": 2, "style": 4, "label": "Send it once more", "custom_id": format!("confirm:{id}") },
            { "type": 2, "style": 2, "label": "Leave it", "custom_id": format!("card:{id}") },
        ]}],
    })
}

/// What is answered when a credential is there no longer.
pub(super) fn gone(id: &CredentialId) -> Value {
    let text = format!(
        "There is no credential `{}` any more: its file or variable went away, or it holds another login now. \
         `/settings oauth-status` shows what there is.",
        cut(id.as_str(), 32)
    );
    json!({ "content": text, "embeds": [], "components": [] })
}

fn buttons(credential: &CredentialView) -> Value {
    let id = &credential.id;
    let offered = Action::ALL.into_iter().filter(|action| action.is_offered(credential)).map(|action| {
        let style = if action == Action::Disable || action == Action::TryOnceMore { 4 } else { 2 };
        let custom_id = format!("act-{}:{id}", action.name());
        json!({ "type": 2, "style": style, "label": action.label(), "custom_id": custom_id })
    });
    let list = json!({ "type": 2, "style": 2, "label": "All credentials", "custom_id": "status-all:-:0" });
    let needs_login = credential.provider.as_ref().filter(|_| credential.state == State::NeedsLogin);
    let again = needs_login.map(|provider| {
        json!({ "type": 2, "style": 1, "label": "Log in again", "custom_id": format!("connect:{provider}") })
    });
    json!({ "type": 1, "components": again.into_iter().chain(offered).chain([list]).collect::<Vec<_>>() })
}

fn expires(credential: &CredentialView, now: DateTime<Utc>) -> String {
    let expiry = embeds::expiry(credential, now);
    credential.expires_at.map_or(expiry.clone(), |at| format!("{expiry}\n{}", absolute(at)))
}

/// What is left of each quota, and when it was read.
fn allowances(quota: &Quota) -> String {
    let all = &quota.allowances;
    let mut lines: Vec<String> = all.iter().take(MODELS).map(embeds::allowance).collect();
    if all.len() > MODELS {
        lines.push(format!("and {} more", all.len() - MODELS));
    }
    lines.push(format!("As of {}", relative(quota.read_at)));
    lines.join("\n")
}

fn models(credential: &CredentialView) -> String {
    let all = &credential.cooling_models;
    let mut lines: Vec<String> = all
        .iter()
        .take(MODELS)
        .map(|model| format!("`{}` until {} ({})", model.model, relative(model.until), model.reason))
        .collect();
    if all.len() > MODELS {
        lines.push(format!("and {} more", all.len() - MODELS));
    }
    lines.join("\n")
}

/// An instant in every reader's own time zone.
fn absolute(at: DateTime<Utc>) -> String {
    format!("<t:{}:f>", at.timestamp())
}
