//! Token endpoints that judge strictly (RFC 6749): content type, client, Basic, grant, single use.

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    authorize, device,
    request::Seen,
    rows::{Chat, Client, Reuse, Tokens},
    state::{Life, Provider},
    stream::Answer,
};

/// Who gets tokens.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) account: String,
    pub(super) client_id: String,
    pub(super) login: u64,
    /// Whether a refresh token comes with them.
    pub(super) offline: bool,
}

/// Answers any grant as the provider would. Nobody on the way may keep the answer (RFC 6749, section 5.1).
pub(super) fn token(provider: &mut Provider, tokens: Tokens, seen: &Seen, now: DateTime<Utc>) -> Answer {
    let answer = judge(provider, tokens, seen, now)
        .map_or_else(|refusal| refusal, |asked| grant(provider, seen, &asked, now));
    if answer.status() == 200 {
        provider.counts.granted += 1;
    } else {
        provider.counts.refused += 1;
    }
    answer.with_header("cache-control", "no-store").with_header("pragma", "no-cache")
}

/// A refusal (RFC 6749, section 5.2).
pub(super) fn refuse(status: u16, error: &str, description: &str) -> Answer {
    let answer = Answer::json(status, &json!({"error": error, "error_description": description}));
    if status == 401 { answer.with_header("www-authenticate", "Basic realm=\"token\"") } else { answer }
}

/// What a token or code that does not live is told.
pub(super) fn dead(chat: Chat) -> Answer {
    match chat {
        // Qwen does not say which of the two it dislikes.
        Chat::Qwen => refuse(400, "invalid_request", "Invalid refresh token or client_id"),
        Chat::OpenAi
        | Chat::OpenRouter
        | Chat::DashScope
        | Chat::Iflow
        | Chat::GeminiCli
        | Chat::Antigravity
        | Chat::Gemini
        | Chat::Anthropic
        | Chat::Mistral
        | Chat::Xai
        | Chat::Bedrock
        | Chat::Keyless => refuse(400, "invalid_grant", "Token has been expired or revoked."),
    }
}

fn judge(provider: &mut Provider, tokens: Tokens, seen: &Seen, now: DateTime<Utc>) -> Result<Asked, Answer> {
    if seen.content_type() != "application/x-www-form-urlencoded" {
        return Err(refuse(400, "invalid_request", "The content type must be a form."));
    }
    if let Some(name) = seen.repeated.first() {
        return Err(refuse(400, "invalid_request", &format!("Parameter {name} came more than once.")));
    }
    let Some(grant_type) = seen.field("grant_type") else {
        return Err(refuse(400, "invalid_request", "Missing required parameter: grant_type"));
    };
    if !["refresh_token", "authorization_code", "client_credentials", device::GRANT].contains(&grant_type) {
        return Err(refuse(400, "unsupported_grant_type", "Invalid grant_type."));
    }
    let client_id = client(provider, tokens, seen)?;
    match grant_type {
        "authorization_code" => authorize::redeem(provider, tokens, seen, &client_id, now),
        "client_credentials" if tokens.client_credentials => {
            let login = provider.new_login();
            // The client acts for itself: there is no refresh token (RFC 6749, section 4.4.3).
            Ok(Asked { account: client_id.clone(), client_id, login, offline: false })
        }
        "client_credentials" => {
            Err(refuse(400, "unauthorized_client", "This client may not ask on its own behalf."))
        }
        device::GRANT => device::poll(provider, tokens, seen, &client_id, now),
        _ => refresh(provider, tokens, seen, client_id),
    }
}

/// Whose refresh token it is; that of a rotating provider is spent.
fn refresh(provider: &mut Provider, tokens: Tokens, seen: &Seen, client_id: String) -> Result<Asked, Answer> {
    let Some(presented) = seen.field("refresh_token").filter(|token| !token.is_empty()) else {
        return Err(refuse(400, "invalid_request", "Missing required parameter: refresh_token"));
    };
    let chat = provider.row.chat;
    let dead = || dead(chat);
    let Some(known) = provider.refresh.get_mut(presented) else { return Err(dead()) };
    let login = known.login;
    match known.life {
        Life::Live => {}
        Life::Spent => {
            provider.counts.reused += 1;
            if provider.reuse == Reuse::RevokesFamily {
                provider.revoke_login(login);
            }
            return Err(dead());
        }
        Life::Revoked => return Err(dead()),
    }
    if known.client_id != client_id {
        return Err(match tokens.client {
            Client::Public => dead(),
            Client::Form | Client::BasicAndForm | Client::Either => {
                refuse(401, "unauthorized_client", "Unauthorized")
            }
        });
    }
    if tokens.single_use {
        known.life = Life::Spent;
    }
    Ok(Asked { account: known.account.clone(), client_id, login, offline: tokens.single_use })
}

/// Which client asks, if it identifies itself as this endpoint wants it.
pub(super) fn client(provider: &Provider, tokens: Tokens, seen: &Seen) -> Result<String, Answer> {
    let basic = seen.header("authorization");
    let from_basic = basic.filter(|_| tokens.client == Client::Either).and_then(of_basic);
    let in_form = seen.field("client_id").filter(|id| !id.is_empty());
    let Some(id) = in_form.or(from_basic.as_ref().map(|(id, _)| id.as_str())) else {
        return Err(refuse(400, "invalid_request", "Could not determine client ID from request."));
    };
    let Some(secret) = provider.clients.get(id) else {
        return Err(match tokens.client {
            Client::Public => refuse(400, "invalid_request", "Invalid refresh token or client_id"),
            Client::Form | Client::BasicAndForm | Client::Either => {
                refuse(401, "invalid_client", "The OAuth client was not found.")
            }
        });
    };
    let twice = || refuse(400, "invalid_request", "More than one way to authenticate the client.");
    let presented = match (tokens.client, seen.field("client_secret")) {
        (Client::Public, _) => return Ok(id.to_owned()),
        (Client::Form, _) | (Client::Either, Some(_)) if basic.is_some() => return Err(twice()),
        (Client::Either, None) => from_basic.as_ref().map(|(_, secret)| secret.as_str()),
        (Client::Form | Client::BasicAndForm | Client::Either, secret) => secret,
    };
    let Some(presented) = presented else {
        return Err(refuse(400, "invalid_request", "client_secret is missing."));
    };
    if Some(presented) != secret.as_deref() {
        return Err(refuse(401, "invalid_client", "Unauthorized"));
    }
    let wanted = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{presented}")));
    if tokens.client == Client::BasicAndForm && basic != Some(wanted.as_str()) {
        return Err(refuse(401, "invalid_client", "Client authentication failed."));
    }
    Ok(id.to_owned())
}

/// Id and secret of HTTP Basic, which are form-encoded first (RFC 6749, section 2.3.1).
fn of_basic(header: &str) -> Option<(String, String)> {
    let bytes = BASE64_STANDARD.decode(header.strip_prefix("Basic ")?).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| {
        let pair = format!("x={text}");
        url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decoded(id)?, decoded(secret)?))
}

fn grant(provider: &mut Provider, seen: &Seen, asked: &Asked, now: DateTime<Utc>) -> Answer {
    // Whoever has tokens has an account.
    provider.account(&asked.account);
    let (access, _) = provider.issue_access(&asked.account, asked.login, now);
    let expires_in = provider.token_life.as_secs();
    let refresh =
        asked.offline.then(|| provider.issue_refresh(&asked.account, asked.login, &asked.client_id));
    let mut body = json!({"access_token": access, "expires_in": expires_in});
    let extra = match provider.row.chat {
        // The scopes come in an order of Google's own.
        Chat::GeminiCli | Chat::Antigravity => json!({
            "scope": "https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/cloud-platform",
            "token_type": "Bearer",
        }),
        Chat::Qwen => json!({
            "token_type": "Bearer",
            "resource_url": seen.header("host").map(|host| format!("http://{host}/vendors/{}", provider.row.id)),
        }),
        Chat::Iflow => json!({"token_type": "bearer", "scope": "read"}),
        Chat::OpenAi
        | Chat::OpenRouter
        | Chat::DashScope
        | Chat::Gemini
        | Chat::Anthropic
        | Chat::Mistral
        | Chat::Xai
        | Chat::Bedrock
        | Chat::Keyless => json!({"token_type": "Bearer"}),
    };
    if let (Value::Object(body), Value::Object(extra)) = (&mut body, extra) {
        // Google's refreshes bring none; a missing field is not the same as `null`.
        if let Some(refresh) = refresh {
            body.insert("refresh_token".to_owned(), json!(refresh));
        }
        body.extend(extra);
    }
    if provider.wraps_tokens {
        body = json!({"success": true, "code": "200", "message": "ok", "data": body});
    }
    Answer::json(200, &body)
}

/// Whose a token is: iFlow's `getUserInfo` with the key that authorises chats, Google's `userinfo`.
pub(super) fn user_info(provider: &Provider, seen: &Seen, now: DateTime<Utc>) -> Answer {
    if provider.row.chat != Chat::Iflow {
        let bearer = seen.bearer().unwrap_or_default();
        return match provider.live_access(bearer, now) {
            Some(email) => {
                Answer::json(200, &json!({"id": "100000000000000000001", "email": email, "verified_email": true}))
            }
            None => Answer::json(
                401,
                &json!({"error": {"code": 401, "message": "Request is missing required authentication credential.",
                    "status": "UNAUTHENTICATED"}}),
            )
            .with_header("www-authenticate", "Bearer realm=\"https://accounts.google.com/\", error=\"invalid_token\""),
        };
    }
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
