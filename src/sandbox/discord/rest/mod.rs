//! REST: one door for every request, which judges, limits, records and answers it.

mod channels;
mod commands;
mod interactions;
mod objects;
mod reactions;
mod request;
mod threads;

use std::{collections::BTreeMap, time::Duration};

use axum::{
    body::Body,
    extract::{Request as HttpRequest, State as Extracted},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

pub(crate) use request::Request;
use threads::Archived;

use super::{
    Discord,
    error::ApiError,
    faults::{RestAction, Scope},
    limits::{Bucket, Exceeded, Standing},
    record::RecordedRequest,
    state::State,
};

/// An answer: status and JSON, null for no body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) headers: BTreeMap<&'static str, String>,
}

impl Answer {
    /// 200 with a body.
    pub(crate) fn ok(body: Value) -> Self {
        Self::with(200, body)
    }

    /// 204.
    pub(crate) fn nothing() -> Self {
        Self::with(204, Value::Null)
    }

    pub(crate) fn with(status: u16, body: Value) -> Self {
        Self { status, body, headers: BTreeMap::new() }
    }
}

/// What a route gives back.
pub(crate) type Outcome = Result<Answer, ApiError>;

/// Answers one request under `/api`.
pub(crate) async fn answer(Extracted(discord): Extracted<Discord>, http: HttpRequest) -> Response {
    let arrived_at = discord.with(|state| state.time.now());
    let (request, refused) = match Request::read(http).await {
        Ok(request) => (request, None),
        Err((request, error)) => (request, Some(error)),
    };
    let (fault, latency_ms) =
        discord.with(|state| (state.faults.take(&request.method, &request.path), state.faults.latency_ms));
    if fault == Some(RestAction::Hang) {
        discord.shutdown().token().cancelled().await;
    }
    tokio::time::sleep(Duration::from_millis(latency_ms / 2)).await;
    let mut answer = discord.with(|state| match fault {
        Some(RestAction::RateLimited { scope, retry_after_ms }) => {
            let retry_after = Duration::from_millis(retry_after_ms);
            too_many(&Exceeded { scope, retry_after, standing: None }, state.time.unix_ms())
        }
        Some(RestAction::Status { status }) => edge(status),
        Some(RestAction::DoneButStatus { status }) => {
            handle(state, &request, refused);
            edge(status)
        }
        Some(RestAction::Hang) | None => handle(state, &request, refused),
    });
    tokio::time::sleep(Duration::from_millis(latency_ms - latency_ms / 2)).await;
    answer.headers.insert("via", "1.1 google".to_owned());
    discord.with(|state| record(state, arrived_at, request, &answer));
    respond(&answer)
}

/// Judges, limits and carries out one request.
fn handle(state: &mut State, request: &Request, refused: Option<ApiError>) -> Answer {
    let segments: Vec<&str> = request.path.split('/').filter(|segment| !segment.is_empty()).collect();
    let open = matches!(segments.as_slice(), ["gateway"] | ["interactions" | "webhooks", ..]);
    if !open && request.token.as_deref() != Some(state.world.identity.token.as_str()) {
        return refusal(&ApiError::Unauthorized);
    }
    let standing = match state.limits.take(&bucket(&request.method, &segments), state.time.now()) {
        Ok(standing) => standing,
        Err(exceeded) => return too_many(&exceeded, state.time.unix_ms()),
    };
    let outcome = match refused {
        Some(error) => Err(error),
        None => route(state, request, &segments),
    };
    let mut answer = outcome.unwrap_or_else(|error| refusal(&error));
    if let Some(standing) = standing {
        stand(&mut answer, &standing, state.time.unix_ms());
    }
    answer
}

fn refusal(error: &ApiError) -> Answer {
    let (status, body) = error.answer();
    Answer::with(status, body)
}

/// Which window a request counts in.
fn bucket(method: &str, segments: &[&str]) -> Bucket {
    let id = |text: &str| text.parse().unwrap_or(super::ids::Id(0));
    match (method, segments) {
        (_, ["interactions", ..]) => Bucket::Free,
        ("PATCH" | "GET" | "DELETE", ["webhooks", _, token, "messages", _]) => {
            Bucket::WebhookEdit((*token).to_owned())
        }
        ("POST", ["webhooks", _, token]) => Bucket::WebhookCreate((*token).to_owned()),
        ("POST", ["channels", channel, "messages"]) => Bucket::Create(id(channel)),
        ("PATCH", ["channels", channel, "messages", _]) => Bucket::Edit(id(channel)),
        ("DELETE", ["channels", channel, "messages", _]) => Bucket::Delete(id(channel)),
        (_, ["channels", channel, "messages", _, "reactions", ..]) => Bucket::React(id(channel)),
        ("POST", ["channels", channel, "typing"]) => Bucket::Typing(id(channel)),
        (method, ["channels", channel, rest @ ..]) => {
            Bucket::Other(format!("{method} channels/{channel}/{}", rest.first().unwrap_or(&"")))
        }
        (method, segments) => Bucket::Other(format!("{method} {}", segments.first().unwrap_or(&""))),
    }
}

/// Finds what is asked for.
fn route(state: &mut State, request: &Request, segments: &[&str]) -> Outcome {
    match (request.method.as_str(), segments) {
        ("GET", ["gateway"]) => Ok(objects::gateway(state)),
        ("GET", ["gateway", "bot"]) => Ok(objects::gateway_bot(state)),
        ("GET", ["users", "@me"]) => Ok(objects::current_user(state)),
        ("GET", ["users", user]) => objects::user(state, user),
        ("POST", ["users", "@me", "channels"]) => objects::open_direct(state, request),
        ("GET", ["oauth2", "applications", "@me"] | ["applications", "@me"]) => {
            Ok(objects::application(state))
        }
        ("GET", ["guilds", guild]) => objects::guild(state, request, guild),
        ("GET", ["guilds", guild, "roles"]) => objects::roles(state, guild),
        ("GET", ["guilds", guild, "channels"]) => objects::guild_channels(state, guild),
        ("GET", ["guilds", guild, "members", member]) => objects::member(state, guild, member),
        (_, ["channels", channel, "messages", message, "reactions", rest @ ..]) => {
            reactions::route(state, request, channel, message, rest)
        }
        ("POST", ["channels", channel, "messages", message, "threads"]) => {
            threads::start(state, request, channel, Some(message))
        }
        ("POST", ["channels", channel, "threads"]) => threads::start(state, request, channel, None),
        ("GET", ["channels", channel, "threads", "archived", "public"]) => {
            threads::archived(state, request, channel, Archived::Public)
        }
        ("GET", ["channels", channel, "threads", "archived", "private"]) => {
            threads::archived(state, request, channel, Archived::Private)
        }
        ("GET", ["channels", channel, "users", "@me", "threads", "archived", "private"]) => {
            threads::archived(state, request, channel, Archived::Joined)
        }
        ("PATCH", ["channels", channel]) => threads::change(state, request, channel),
        ("DELETE", ["channels", channel]) => threads::delete(state, channel),
        (method, ["channels", channel, "thread-members"]) => threads::members(state, method, channel, None),
        (method, ["channels", channel, "thread-members", who]) => {
            threads::members(state, method, channel, Some(who))
        }
        ("GET", ["guilds", guild, "threads", "active"]) => threads::active(state, guild),
        ("GET", ["channels", channel]) => channels::get(state, channel),
        ("GET", ["channels", channel, "messages"]) => channels::list(state, request, channel),
        ("POST", ["channels", channel, "messages"]) => channels::create(state, request, channel),
        ("GET", ["channels", channel, "messages", message]) => channels::one(state, channel, message),
        ("PATCH", ["channels", channel, "messages", message]) => {
            channels::edit(state, request, channel, message)
        }
        ("DELETE", ["channels", channel, "messages", message]) => channels::delete(state, channel, message),
        ("POST", ["channels", channel, "typing"]) => channels::typing(state, channel),
        (_, ["applications", application, "commands", rest @ ..]) => {
            commands::route(state, request, application, None, rest)
        }
        (_, ["applications", application, "guilds", guild, "commands", rest @ ..]) => {
            commands::route(state, request, application, Some(guild), rest)
        }
        ("POST", ["interactions", id, token, "callback"]) => {
            interactions::callback(state, request, id, token)
        }
        ("POST", ["webhooks", application, token]) => {
            interactions::follow_up(state, request, application, token)
        }
        (_, ["webhooks", application, token, "messages", which]) => {
            interactions::message(state, request, application, token, which)
        }
        _ => Err(ApiError::NoRoute),
    }
}

fn stand(answer: &mut Answer, standing: &Standing, now_ms: u64) {
    // Rounded up: whoever waits exactly that long is not too early.
    let seconds = (standing.reset_after.as_secs_f64() * 1000.0).ceil() / 1000.0;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double for 285,000 years")]
    let reset = now_ms as f64 / 1000.0 + seconds;
    answer.headers.extend([
        ("x-ratelimit-limit", standing.limit.to_string()),
        ("x-ratelimit-remaining", standing.remaining.to_string()),
        ("x-ratelimit-reset", format!("{reset:.3}")),
        ("x-ratelimit-reset-after", format!("{seconds:.3}")),
        ("x-ratelimit-bucket", standing.bucket.to_owned()),
    ]);
}

/// 429 (Topics, "Rate Limits").
fn too_many(exceeded: &Exceeded, now_ms: u64) -> Answer {
    let seconds = exceeded.retry_after.as_secs_f64();
    let rounded = (seconds * 1000.0).ceil() / 1000.0;
    let global = exceeded.scope == Scope::Global;
    let body = json!({"message": "You are being rate limited.", "retry_after": rounded, "global": global});
    let mut answer = Answer::with(429, body);
    if let Some(standing) = &exceeded.standing {
        stand(&mut answer, &Standing { remaining: 0, ..standing.clone() }, now_ms);
    }
    answer.headers.insert("retry-after", format!("{:.0}", seconds.ceil()));
    answer.headers.insert("x-ratelimit-scope", exceeded.scope.as_str().to_owned());
    if global {
        answer.headers.insert("x-ratelimit-global", "true".to_owned());
    }
    answer
}

/// What Discord's edge says when the API behind it has trouble.
fn edge(status: u16) -> Answer {
    let message = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .map_or_else(|| status.to_string(), |reason| format!("{status}: {reason}"));
    Answer::with(status, json!({"message": message, "code": 0}))
}

fn record(state: &mut State, at: Duration, request: Request, answer: &Answer) {
    let took = state.time.now().saturating_sub(at);
    let token = format!("Bot {}", state.world.identity.token);
    let mut headers = request.headers;
    if let Some(value) = headers.get_mut("authorization")
        && *value == token
    {
        "<bot token>".clone_into(value);
    }
    state.record.requests.push(RecordedRequest {
        at,
        took,
        method: request.method,
        path: request.path,
        query: request.query,
        headers,
        body: request.body,
        files: request.uploads.iter().map(|file| (file.filename.clone(), file.bytes.len())).collect(),
        status: answer.status,
        answer: answer.body.clone(),
    });
}

fn respond(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = if answer.status == 204 { Body::empty() } else { Body::from(answer.body.to_string()) };
    let mut response = (status, body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    if answer.status != 204 {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in &answer.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(*name, value);
        }
    }
    response
}
