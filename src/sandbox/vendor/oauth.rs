//! Token endpoints that judge strictly: content type, client, Basic, single use.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    request::Seen,
    rows::{Chat, Client, Tokens},
    state::{Life, Provider},
    stream::Answer,
};

/// Answers a refresh grant (RFC 6749, section 6) as the provider would.
pub(super) fn token(provider: &mut Provider, tokens: Tokens, seen: &Seen, now: DateTime<Utc>) -> Answer {
    let answer = judge(provider, tokens, seen).map_or_else(
        |refusal| refusal,
        |(account, client_id)| grant(provider, tokens, seen, &account, &client_id, now),
    );
    if answer.status() == 200 {
        provider.counts.granted += 1;
    } else {
        provider.counts.refused += 1;
    }
    answer
}

fn refuse(status: u16, error: &str, description: &str) -> Answer {
    Answer::json(status, &json!({"error": error, "error_description": description}))
}

/// Whose refresh token it is and which client asks; the refresh token of a rotating provider is spent.
fn judge(provider: &mut Provider, tokens: Tokens, seen: &Seen) -> Result<(String, String), Answer> {
    if seen.content_type() != "application/x-www-form-urlencoded" {
        return Err(refuse(400, "invalid_request", "The content type must be a form."));
    }
    match seen.field("grant_type") {
        Some("refresh_token") => {}
        Some(_) => return Err(refuse(400, "unsupported_grant_type", "Invalid grant_type.")),
        None => return Err(refuse(400, "invalid_request", "Missing required parameter: grant_type")),
    }
    let client_id = client(provider, tokens, seen)?;
    let Some(presented) = seen.field("refresh_token").filter(|token| !token.is_empty()) else {
        return Err(refuse(400, "invalid_request", "Missing required parameter: refresh_token"));
    };
    let dead = match provider.row.chat {
        // Qwen does not say which of the two it dislikes.
        Chat::Qwen => refuse(400, "invalid_request", "Invalid refresh token or client_id"),
        Chat::OpenAi
        | Chat::OpenRouter
        | Chat::DashScope
        | Chat::Iflow
        | Chat::GeminiCli
        | Chat::Antigravity => refuse(400, "invalid_grant", "Token has been expired or revoked."),
    };
    let Some(known) = provider.refresh.get_mut(presented) else { return Err(dead) };
    match known.life {
        Life::Live => {}
        Life::Spent => {
            provider.counts.reused += 1;
            return Err(dead);
        }
        Life::Revoked => return Err(dead),
    }
    if known.client_id != client_id {
        return Err(match tokens.client {
            Client::Public => dead,
            Client::Form | Client::BasicAndForm => refuse(401, "unauthorized_client", "Unauthorized"),
        });
    }
    if tokens.single_use {
        known.life = Life::Spent;
    }
    Ok((known.account.clone(), client_id))
}

/// Which client asks, if it identifies itself as this endpoint wants it.
fn client(provider: &Provider, tokens: Tokens, seen: &Seen) -> Result<String, Answer> {
    let Some(id) = seen.field("client_id").filter(|id| !id.is_empty()) else {
        return Err(refuse(400, "invalid_request", "Could not determine client ID from request."));
    };
    let Some(secret) = provider.clients.get(id) else {
        return Err(match tokens.client {
            Client::Public => refuse(400, "invalid_request", "Invalid refresh token or client_id"),
            Client::Form | Client::BasicAndForm => {
                refuse(401, "invalid_client", "The OAuth client was not found.")
            }
        });
    };
    if tokens.client == Client::Public {
        return Ok(id.to_owned());
    }
    let Some(presented) = seen.field("client_secret") else {
        return Err(refuse(400, "invalid_request", "client_secret is missing."));
    };
    if Some(presented) != secret.as_deref() {
        return Err(refuse(401, "invalid_client", "Unauthorized"));
    }
    let basic = seen.header("authorization");
    let wanted = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{presented}")));
    if tokens.client == Client::Form && basic.is_some() {
        return Err(refuse(400, "invalid_request", "More than one way to authenticate the client."));
    }
    if tokens.client == Client::BasicAndForm && basic != Some(wanted.as_str()) {
        return Err(refuse(401, "invalid_client", "Client authentication failed."));
    }
    Ok(id.to_owned())
}

fn grant(
    provider: &mut Provider,
    tokens: Tokens,
    seen: &Seen,
    account: &str,
    client_id: &str,
    now: DateTime<Utc>,
) -> Answer {
    let (access, _) = provider.issue_access(account, now);
    let expires_in = provider.token_life.as_secs();
    let rotated = tokens.single_use.then(|| provider.issue_refresh(account, client_id));
    let body = match provider.row.chat {
        // No refresh token on a refresh, and the scopes in an order of Google's own.
        Chat::GeminiCli | Chat::Antigravity => json!({
            "access_token": access,
            "expires_in": expires_in,
            "scope": "https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/cloud-platform",
            "token_type": "Bearer",
        }),
        Chat::Qwen => json!({
            "access_token": access,
            "token_type": "Bearer",
            "refresh_token": rotated,
            "resource_url": seen.header("host").map(|host| format!("http://{host}/vendors/{}", provider.row.id)),
            "expires_in": expires_in,
        }),
        Chat::Iflow => json!({
            "access_token": access,
            "refresh_token": rotated,
            "expires_in": expires_in,
            "token_type": "bearer",
            "scope": "read",
        }),
        Chat::OpenAi | Chat::OpenRouter | Chat::DashScope => json!({
            "access_token": access, "refresh_token": rotated, "expires_in": expires_in, "token_type": "Bearer",
        }),
    };
    Answer::json(200, &body)
}

/// iFlow's `getUserInfo`: the key that authorises chats.
pub(super) fn user_info(provider: &Provider, seen: &Seen, now: DateTime<Utc>) -> Answer {
    let account = seen.query("accessToken").and_then(|token| provider.live_access(token, now));
    let key = account
        .as_ref()
        .and_then(|name| provider.accounts.get(name))
        .and_then(|account| account.api_key.clone());
    match (account, key) {
        (Some(email), Some(key)) => Answer::json(
            200,
            &json!({"success": true, "data": {"apiKey": key, "email": email, "phone": Value::Null}}),
        ),
        _ => Answer::json(
            200,
            &json!({"success": false, "code": "40001", "message": "token invalid", "data": null}),
        ),
    }
}
