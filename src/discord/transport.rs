//! Requests to Discord with status, headers and body in our own hands.
//!
//! serenity's limiter keys buckets without the method, and its errors drop `Retry-After` and the headers; the pacer
//! lives on exactly those. So everything but poise's first answer to a command goes through here, behind one token
//! bucket for the process (D5). Requests and answers: <https://discord.com/developers/docs/reference>.

use std::{sync::Mutex, time::Duration};

use reqwest::{
    Method, StatusCode,
    header::{AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT},
    multipart::{Form, Part},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use super::error::RestError;
use crate::{chat::Learned, clock, http::Http, secret::Secret};

/// Discord's own origin.
const ORIGIN: &str = "https://discord.com";

/// The form that Discord asks of bots (reference, "User Agent").
const AGENT: &str =
    concat!("DiscordBot (https://discord.com/developers, ", env!("CARGO_PKG_VERSION"), ") cortana");

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The longest rate limit that a read of ours sleeps through.
const PATIENCE: Duration = Duration::from_secs(5);

/// Discord allows a bot 50 requests a second; 45 leaves room for what poise sends by itself (D5).
const REQUESTS_PER_SECOND: u32 = 45;

/// A file to upload: name and content.
pub(super) type Upload<'a> = (&'a str, &'a [u8]);

/// Makes requests for the bot.
#[derive(Debug)]
pub(super) struct Rest {
    http: Http,
    /// Ends with `/api/v10/`.
    base: Url,
    authorization: HeaderValue,
    bucket: Bucket,
}

/// A successful answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// The body; null where there is none.
    pub(super) body: Value,
    /// What the headers teach about the budget.
    pub(super) learned: Learned,
}

impl Rest {
    /// A client for Discord, or for the origin that takes its place.
    pub(super) fn new(http: Http, origin: Option<&Url>, token: &Secret) -> Option<Self> {
        let origin = origin.map_or_else(|| Url::parse(ORIGIN), |url| Ok(url.clone())).ok()?;
        let base = origin.join("/api/v10/").ok()?;
        let given = token.expose().trim();
        let token = given.strip_prefix("Bot ").unwrap_or(given);
        let mut authorization = HeaderValue::from_str(&format!("Bot {token}")).ok()?;
        authorization.set_sensitive(true);
        Some(Self { http, base, authorization, bucket: Bucket::new(REQUESTS_PER_SECOND) })
    }

    /// One request. `path` has no leading slash.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, RestError> {
        self.send(method, path, body, None).await
    }

    /// One request with a file beside its body.
    pub(super) async fn upload(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        file: Upload<'_>,
    ) -> Result<Answer, RestError> {
        self.send(method, path, Some(body), Some(file)).await
    }

    /// Reads something; a short rate limit and one broken connection are sat out.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, RestError> {
        let answer = match self.call(Method::GET, path, None).await {
            Err(RestError::RateLimited { retry_after }) if retry_after <= PATIENCE => {
                tokio::time::sleep(retry_after).await;
                self.call(Method::GET, path, None).await?
            }
            Err(error) if error.is_transient() => {
                tokio::time::sleep(Duration::from_millis(250)).await;
                self.call(Method::GET, path, None).await?
            }
            other => other?,
        };
        serde_json::from_value(answer.body).map_err(|_| RestError::Malformed)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        file: Option<Upload<'_>>,
    ) -> Result<Answer, RestError> {
        let url = self.base.join(path).map_err(|_| RestError::Malformed)?;
        // Callbacks and webhooks of interactions are exempt from the global limit and have 3 s: never behind a queue.
        if !path.starts_with("interactions/") && !path.starts_with("webhooks/") {
            self.bucket.take().await;
        }
        let mut request = self
            .http
            .request(method, &url)?
            .header(AUTHORIZATION, self.authorization.clone())
            .header(USER_AGENT, AGENT)
            .timeout(TIMEOUT);
        request = match (body, file) {
            (Some(body), Some((name, content))) => {
                let part = Part::bytes(content.to_vec()).file_name(name.to_owned());
                request.multipart(Form::new().text("payload_json", body.to_string()).part("files[0]", part))
            }
            (Some(body), None) => request.json(body),
            (None, _) => request,
        };
        let answer = request.send().await.map_err(|error| RestError::Unreachable(error.into()))?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.bytes().await.map_err(|error| RestError::Unreachable(error.into()))?;
        let body: Value = serde_json::from_slice(&text).unwrap_or(Value::Null);
        read(status, &headers, body)
    }
}

/// An answer's meaning.
fn read(status: StatusCode, headers: &HeaderMap, body: Value) -> Result<Answer, RestError> {
    if status.is_success() {
        return Ok(Answer { body, learned: learned(headers) });
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        let header = seconds(headers, "retry-after");
        let told = body.get("retry_after").and_then(Value::as_f64).and_then(duration);
        let retry_after = header.max(told).unwrap_or(Duration::from_secs(1));
        return Err(RestError::RateLimited { retry_after });
    }
    let code = body.get("code").and_then(Value::as_u64).unwrap_or(0);
    Err(RestError::Status { status: status.as_u16(), code })
}

/// `X-RateLimit-*` (topics, "Rate Limits", header format).
fn learned(headers: &HeaderMap) -> Learned {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
    let reset_after = seconds(headers, "x-ratelimit-reset-after");
    let remaining = number("x-ratelimit-remaining");
    Learned {
        wait: if remaining == Some(0) { reset_after } else { None },
        remaining,
        limit: number("x-ratelimit-limit"),
        reset_after,
    }
}

fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    duration(headers.get(name)?.to_str().ok()?.trim().parse().ok()?)
}

/// Seconds as Discord writes them; an hour at most, so that an absurd value cannot silence the bot.
fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok().map(|told| told.min(Duration::from_hours(1)))
}

/// Lets nobody be notified (D15): put on every create and every edit, since an edit without it is parsed with the
/// defaults.
pub(super) fn without_pings(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        fields.insert("allowed_mentions".to_owned(), json!({ "parse": [], "replied_user": false }));
    }
    body
}

/// Takes a field out of a body; `false` when there was none.
pub(super) fn remove(body: &mut Value, field: &str) -> bool {
    body.as_object_mut().is_some_and(|fields| fields.remove(field).is_some())
}

/// A token bucket: never more than `per_second` starts in any sliding second.
#[derive(Debug)]
struct Bucket {
    /// The starts of the last `per_second` requests, a ring.
    starts: Mutex<(Vec<Option<Instant>>, usize)>,
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        let places = usize::try_from(per_second).unwrap_or(1).max(1);
        Self { starts: Mutex::new((vec![None; places], 0)) }
    }

    /// Waits for a place. Places are given in the order of asking.
    async fn take(&self) {
        let start = {
            let mut guard = self.starts.lock().expect("no holder of the bucket panics");
            let (starts, next) = &mut *guard;
            let now = clock::instant();
            let place = *next;
            let start = starts[place].map_or(now, |earlier| now.max(earlier + Duration::from_secs(1)));
            starts[place] = Some(start);
            *next = (place + 1) % starts.len();
            start
        };
        tokio::time::sleep_until(start).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn headers_teach_the_budget() {
        let told = headers(&[
            ("x-ratelimit-limit", "5"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset-after", "1.25"),
        ]);
        let expected = Learned {
            wait: Some(Duration::from_millis(1250)),
            remaining: Some(0),
            limit: Some(5),
            reset_after: Some(Duration::from_millis(1250)),
        };
        assert_eq!(read(StatusCode::OK, &told, Value::Null).unwrap().learned, expected);
        assert_eq!(read(StatusCode::OK, &HeaderMap::new(), Value::Null).unwrap().learned, Learned::default());
    }

    #[test]
    fn d3_a_429_keeps_the_longer_delay() {
        let refused = |header: &'static str, body: Value| {
            read(StatusCode::TOO_MANY_REQUESTS, &headers(&[("retry-after", header)]), body).unwrap_err()
        };
        let after = |millis| RestError::RateLimited { retry_after: Duration::from_millis(millis) };
        assert_eq!(refused("2", json!({ "retry_after": 1.3 })), after(2000));
        assert_eq!(refused("1", json!({ "retry_after": 1.3 })), after(1300));
        assert_eq!(refused("nonsense", Value::Null), after(1000));
        assert_eq!(refused("-4", Value::Null), after(1000));
        assert_eq!(refused("1e300", Value::Null), after(1000));
    }

    #[test]
    fn errors_keep_status_and_code() {
        let refused = read(StatusCode::FORBIDDEN, &HeaderMap::new(), json!({ "code": 50013 }));
        assert_eq!(refused, Err(RestError::Status { status: 403, code: 50013 }));
    }

    #[test]
    fn d15_whatever_was_said_about_mentions_is_replaced() {
        let body =
            without_pings(json!({ "content": "@everyone", "allowed_mentions": { "parse": ["everyone"] } }));
        assert_eq!(body["allowed_mentions"], json!({ "parse": [], "replied_user": false }));
    }

    #[test]
    fn the_token_shows_nowhere() {
        let rest = Rest::new(
            Http::new(&crate::http::HttpOptions::default()).unwrap(),
            None,
            &Secret::new("canary-bot-token"),
        )
        .unwrap();
        assert!(!format!("{rest:?}").contains("canary"), "p33: {rest:?}");
        assert_eq!(rest.base.as_str(), "https://discord.com/api/v10/");
    }

    #[tokio::test(start_paused = true)]
    async fn d5_never_more_than_the_bucket_in_any_sliding_second() {
        let bucket = Bucket::new(REQUESTS_PER_SECOND);
        let mut starts = Vec::new();
        for _ in 0..200 {
            bucket.take().await;
            starts.push(clock::instant());
        }
        let most = starts
            .iter()
            .map(|from| {
                starts.iter().filter(|at| **at >= *from && **at < *from + Duration::from_secs(1)).count()
            })
            .max();
        assert_eq!(most, Some(45));
        assert_eq!(starts[199] - starts[0], Duration::from_secs(4));
    }
}
