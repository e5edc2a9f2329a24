//! Tokens that are given back (RFC 7009), and Google's departures from it.

use serde_json::json;

use super::{
    oauth::{client, refuse},
    request::Seen,
    rows::{Chat, Tokens},
    state::{Life, Provider},
    stream::Answer,
};

/// Ends the login that a token belongs to. Google ends all that an account ever gave to a client, wants no client, and
/// refuses a token that is dead; the standard takes those.
pub(super) fn revoke(provider: &mut Provider, tokens: Tokens, seen: &Seen) -> Answer {
    let is_google = matches!(provider.row.chat, Chat::GeminiCli | Chat::Antigravity);
    if seen.content_type() != "application/x-www-form-urlencoded" {
        return refuse(400, "invalid_request", "The content type must be a form.");
    }
    if !is_google && let Err(refusal) = client(provider, tokens, seen) {
        return refusal;
    }
    let Some(token) = seen.field("token").filter(|token| !token.is_empty()) else {
        return refuse(400, "invalid_request", "Missing required parameter: token");
    };
    let is_dead = provider.refresh.get(token).is_some_and(|known| known.life != Life::Live);
    match provider.login_of(token).filter(|_| !is_dead) {
        Some((_, account)) if is_google => {
            let logins: Vec<u64> = provider
                .refresh
                .values()
                .filter(|known| known.account == account)
                .map(|known| known.login)
                .collect();
            for login in logins {
                provider.revoke_login(login);
            }
        }
        Some((login, _)) => provider.revoke_login(login),
        None if is_google => return refuse(400, "invalid_token", "Token expired or revoked"),
        None => {}
    }
    Answer::json(200, &json!({}))
}
