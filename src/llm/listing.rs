//! Which models a provider says that it has.

use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Llm, LlmParts,
    classify::{self, ErrorAnswer},
    transport,
};
use crate::{
    http::HttpError,
    pool::{LeaseError, Outcome, Want},
    provider::{Provider, ProviderId, Wire},
};

/// Why there is no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// There is no such provider.
    #[error("there is no such provider")]
    NoProvider,
    /// This wire has no list.
    #[error("a provider of this kind lists no models")]
    NotListed,
    /// No credential could be had.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// No answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Not in time.
    #[error("no answer in time")]
    TimedOut,
    /// Refused, with a code as chats have it; never the provider's prose.
    #[error("refused ({0})")]
    Refused(String),
    /// The answer is no list.
    #[error("the answer is no list of models")]
    Malformed,
}

impl Llm {
    /// The models that a provider lists, asked with one of its credentials. What it says about that credential is not
    /// held against it: only chats are.
    ///
    /// # Errors
    /// When nobody can be asked until then, or the answer is no list.
    pub async fn models_of(&self, provider: &ProviderId, until: Instant) -> Result<Vec<String>, ListError> {
        let parts = self.parts();
        let row = parts.providers.get(provider).ok_or(ListError::NoProvider)?;
        let suffix = match row.wire {
            Wire::OpenaiChat => "/models",
            Wire::Gemini => "/models?pageSize=1000",
            Wire::AnthropicMessages => "/models?limit=1000",
            Wire::CodeAssist => return Err(ListError::NotListed),
        };
        let lease = parts.pool.lease(&Want::new(provider.clone(), &row.default_model, until)).await?;
        let asked = transport::fetch(&parts.http, parts.clock.as_ref(), row, &lease, suffix);
        let answer = tokio::time::timeout_at(until, asked).await;
        let read = match answer {
            Err(_) => Err(ListError::TimedOut),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok((status, headers, body))) if (200..300).contains(&status) => {
                names(&body).ok_or_else(|| refusal_or_malformed(status, &headers, &body, row, &parts))
            }
            Ok(Ok((status, headers, body))) => Err(refused(status, &headers, &body, row, &parts)),
        };
        lease.complete(Outcome::Neutral);
        read
    }
}

fn refused(status: u16, headers: &HeaderMap, body: &Value, row: &Provider, parts: &LlmParts) -> ListError {
    let fault = classify::classify(row, ErrorAnswer { status, headers, body }, parts.clock.now());
    ListError::Refused(fault.code)
}

/// An error under a good status, or something else altogether.
fn refusal_or_malformed(
    status: u16,
    headers: &HeaderMap,
    body: &Value,
    row: &Provider,
    parts: &LlmParts,
) -> ListError {
    let is_error = ["error", "msg"].iter().any(|key| body.get(key).is_some());
    if is_error { refused(status, headers, body, row, parts) } else { ListError::Malformed }
}

/// `data[].id` (OpenAI, Anthropic), or `models[].name` without its `models/` (Gemini).
fn names(body: &Value) -> Option<Vec<String>> {
    let list = body.get("data").or_else(|| body.get("models")).or(Some(body))?.as_array()?;
    let name = |model: &Value| {
        let name = model.get("id").or_else(|| model.get("name"))?.as_str()?;
        // It is printed to a terminal: what would steer one is left out.
        let name = name.strip_prefix("models/").unwrap_or(name);
        Some(name.chars().filter(|c| !c.is_control()).collect())
    };
    list.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_shape_of_a_list_is_read() {
        let expected = Some(vec!["a".to_owned(), "b/c".to_owned()]);
        for body in [
            json!({ "object": "list", "data": [{ "id": "a" }, { "id": "b/c" }] }),
            json!({ "models": [{ "name": "models/a" }, { "name": "models/b/c" }] }),
            json!([{ "id": "a" }, { "id": "b/c" }]),
            json!([{ "id": "a\u{1b}" }, { "id": "b/\r\nc" }]),
        ] {
            assert_eq!(names(&body), expected, "{body}");
        }
        for body in [json!({}), json!({ "data": [{ "x": 1 }] }), json!("a"), json!({ "error": {} })] {
            assert_eq!(names(&body), None, "{body}");
        }
    }
}
