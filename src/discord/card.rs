//! One credential in detail: every field of its view, and the buttons for what an operator can do about it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    embeds::{self, relative},
    reply::cut,
};
use crate::{
    credential::{CredentialId, Dialect},
    language::{Language, say},
    pool::{CredentialView, Quota, State},
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

    fn label(self, language: &Language) -> String {
        match self {
            Self::Refresh => say!(language, "button-refresh"),
            Self::Disable => say!(language, "button-disable"),
            Self::Enable => say!(language, "button-enable"),
            Self::ClearCooldown => say!(language, "button-clear-cooldown"),
            Self::TryOnceMore => say!(language, "button-try-refused"),
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
    language: &Language,
    credential: &CredentialView,
    link: Option<&Secret>,
    now: DateTime<Utc>,
    note: &str,
) -> Value {
    let field = |name: String, value: String| json!({ "name": name, "value": cut(&value, FIELD_VALUE), "inline": false });
    let mut fields = vec![
        field(say!(language, "card-expires"), expires(language, credential, now)),
        field(say!(language, "card-last-refresh"), embeds::last_refresh(language, credential)),
        field(say!(language, "card-use"), embeds::used(language, credential)),
    ];
    if let Some(until) = credential.cooling_until {
        let until = say!(language, "card-rests-until", at = absolute(until), left = relative(until));
        fields.push(field(say!(language, "card-rests"), until));
    }
    if !credential.cooling_models.is_empty() {
        fields.push(field(say!(language, "card-models"), models(language, credential)));
    }
    if let Some(quota) = &credential.quota {
        fields.push(field(say!(language, "card-quota"), allowances(language, quota)));
    }
    if credential.unsaved {
        fields.push(field(say!(language, "card-saving"), embeds::unsaved(language)));
    }
    if let Some(holder) = &credential.lock_holder {
        fields.push(field(say!(language, "card-lock"), say!(language, "card-lock-held", holder = holder)));
    }
    if let Some(link) = link {
        fields.push(field(say!(language, "card-link"), format!("<{}>", link.expose())));
    }
    fields.push(field(say!(language, "card-where"), embeds::place(language, credential)));
    fields.push(field(say!(language, "card-id"), format!("`{}`", credential.id)));
    let reason = credential.reason.clone().unwrap_or_else(|| say!(language, "nothing-to-do"));
    let embed = json!({
        "title": cut(&embeds::heading(language, credential), TITLE),
        "description": cut(&reason, DESCRIPTION),
        "fields": fields,
        "timestamp": now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    });
    json!({ "content": note, "embeds": [embed], "components": [buttons(language, credential)] })
}

/// The question before a refused token is sent again (P4).
pub(super) fn question(language: &Language, credential: &CredentialView) -> Value {
    let name = format!("**{}** · {}", embeds::provider(language, credential), credential.account);
    let text = format!("⚠️ {}", say!(language, "refused-token-question", name = name));
    let id = &credential.id;
    json!({
        "content": text,
        "embeds": [],
        "components": [{ "type": 1, "components": [
            { "type": 2, "style": 4, "label": say!(language, "button-send-once-more"), "custom_id": format!("confirm:{id}") },
            { "type": 2, "style": 2, "label": say!(language, "button-leave"), "custom_id": format!("card:{id}") },
        ]}],
    })
}

/// What is answered when a credential is there no longer.
pub(super) fn gone(language: &Language, id: &CredentialId) -> Value {
    let text = say!(language, "credential-gone", id = cut(id.as_str(), 32));
    json!({ "content": text, "embeds": [], "components": [] })
}

fn buttons(language: &Language, credential: &CredentialView) -> Value {
    let id = &credential.id;
    let offered = Action::ALL.into_iter().filter(|action| action.is_offered(credential)).map(|action| {
        let style = if action == Action::Disable || action == Action::TryOnceMore { 4 } else { 2 };
        let custom_id = format!("act-{}:{id}", action.name());
        json!({ "type": 2, "style": style, "label": action.label(language), "custom_id": custom_id })
    });
    let list = json!({ "type": 2, "style": 2, "label": say!(language, "button-all-credentials"), "custom_id": "status-all:-:0" });
    let needs_login = credential.provider.as_ref().filter(|_| credential.state == State::NeedsLogin);
    let again = needs_login.map(|provider| {
        json!({ "type": 2, "style": 1, "label": say!(language, "button-log-in-again"), "custom_id": format!("connect:{provider}") })
    });
    json!({ "type": 1, "components": again.into_iter().chain(offered).chain([list]).collect::<Vec<_>>() })
}

fn expires(language: &Language, credential: &CredentialView, now: DateTime<Utc>) -> String {
    let expiry = embeds::expiry(language, credential, now);
    credential.expires_at.map_or(expiry.clone(), |at| format!("{expiry}\n{}", absolute(at)))
}

/// What is left of each quota, and when it was read.
fn allowances(language: &Language, quota: &Quota) -> String {
    let all = &quota.allowances;
    let mut lines: Vec<String> =
        all.iter().take(MODELS).map(|one| embeds::allowance(language, one)).collect();
    if all.len() > MODELS {
        lines.push(say!(language, "and-more", count = all.len() - MODELS));
    }
    lines.push(say!(language, "as-of", at = relative(quota.read_at)));
    lines.join("\n")
}

fn models(language: &Language, credential: &CredentialView) -> String {
    let all = &credential.cooling_models;
    let mut lines: Vec<String> = all
        .iter()
        .take(MODELS)
        .map(|model| {
            let (until, why) = (relative(model.until), &model.reason);
            say!(language, "model-rests", model = &model.model, until = until, why = why)
        })
        .collect();
    if all.len() > MODELS {
        lines.push(say!(language, "and-more", count = all.len() - MODELS));
    }
    lines.join("\n")
}

/// An instant in every reader's own time zone.
fn absolute(at: DateTime<Utc>) -> String {
    format!("<t:{}:f>", at.timestamp())
}
