//! Which permission a token lacks, where the service names it: a person has to log in, or make a key, that has it.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

use super::{Fault, Scope};

/// A fault whose cause is a missing permission names it in its code and is a refusal until a person acts: neither a
/// refresh nor a wait brings the permission.
pub(super) fn named(fault: Fault, headers: &HeaderMap, message: &str) -> Fault {
    let Some(permission) = in_header(headers).or_else(|| in_message(message)) else { return fault };
    let scope = match fault.scope {
        Scope::Refused(link) => Scope::Refused(link),
        Scope::Unauthorized | Scope::Credential(_) => Scope::Refused(None),
        other @ (Scope::Request(_)
        | Scope::Unclear
        | Scope::Model(_)
        | Scope::ModelMissing
        | Scope::Capacity
        | Scope::Client
        | Scope::Provider
        | Scope::Slow
        | Scope::Broken(_)
        | Scope::Empty) => return Fault { scope: other, ..fault },
    };
    Fault::new(scope, format!("{}: {permission}", fault.code))
}

/// Of `Bearer error="insufficient_scope", scope="https://…/auth/cloud-platform"` (RFC 6750, section 3.1), the last part.
fn in_header(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
    let (_, scopes) = text.contains("insufficient_scope").then(|| text.split_once("scope=\"")).flatten()?;
    let (scopes, _) = scopes.split_once('"')?;
    let scope = scopes.split_whitespace().next()?;
    shown(scope.rsplit('/').next().unwrap_or(scope))
}

/// Of OpenAI's "Missing scopes: model.request." (lower case), the first.
fn in_message(message: &str) -> Option<String> {
    let (_, rest) = message.split_once("missing scopes: ")?;
    shown(rest.split([' ', ',']).next()?.trim_end_matches('.'))
}

/// A name that is fit to be shown: wide enough for scopes, too narrow for keys.
fn shown(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let digits = name.chars().filter(char::is_ascii_digit).count();
    let shaped = name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(allowed);
    (shaped && digits <= 4 && name.chars().count() <= 40).then(|| name.to_owned())
}
