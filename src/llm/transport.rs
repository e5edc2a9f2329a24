//! One request over HTTP: address, headers, signature; a stream of bytes or an error answer comes back.

use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use hmac::{Hmac, Mac};
use reqwest::{
    Method, RequestBuilder,
    header::{ACCEPT, HeaderMap, HeaderValue, USER_AGENT},
};
use serde_json::Value;
use sha2::Sha256;
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use super::wire::Call;
use crate::{
    clock::{self, Clock},
    http::{self, Http, HttpError},
    pool::Lease,
    provider::{ChatAuth, Provider, Wire},
};

/// Bytes of an error answer that are read.
const ERROR_LIMIT: usize = 256 << 10;
/// Bytes of a list that are read: OpenRouter's has several hundred kilobytes.
const LIST_LIMIT: usize = 8 << 20;
/// How long the body of an error answer is waited for.
const ERROR_PATIENCE: Duration = Duration::from_secs(5);

/// What came back.
pub(super) enum Reply {
    /// A good status: the body as it comes.
    Stream(BoxStream<'static, Result<Bytes, HttpError>>),
    /// Another status, with the body where it is JSON.
    Refusal {
        /// The status.
        status: u16,
        /// The headers.
        headers: HeaderMap,
        /// The JSON; `Null` for anything else.
        body: Value,
    },
}

/// The addresses to try, preferred first: the account's own base, unless the operator set one, else the row's.
pub(super) fn bases(provider: &Provider, lease: &Lease) -> Vec<Url> {
    let own = lease.facts.resource_url.as_ref().filter(|url| provider.allows_url(url));
    match own {
        Some(url) if !provider.api_base_overridden => vec![with_version(url)],
        Some(_) | None => provider.api_bases.clone(),
    }
}

/// Qwen's `resource_url` comes without the version of the API: `/v1` is added where it is missing.
fn with_version(url: &Url) -> Url {
    let path = url.path().trim_end_matches('/').to_owned();
    let mut url = url.clone();
    url.set_path(&if path.ends_with("/v1") { path } else { format!("{path}/v1") });
    url
}

/// The whole address of a call.
fn address(base: &Url, call: &Call, wire: Wire) -> Result<Url, HttpError> {
    let text = base.as_str().trim_end_matches('/');
    // A base without a path would make the colon of the method part of the host.
    let version = match wire {
        Wire::CodeAssist if base.path() == "/" => "/v1internal",
        Wire::CodeAssist | Wire::OpenaiChat | Wire::Gemini | Wire::AnthropicMessages => "",
    };
    Url::parse(&format!("{text}{version}{}", call.suffix)).map_err(|_| HttpError::Connect)
}

/// Sends one request. Ends with the headers of an answer, or with the whole of an error answer.
pub(super) async fn send(
    http: &Http,
    clock: &dyn Clock,
    provider: &Provider,
    lease: &Lease,
    base: &Url,
    call: &Call,
) -> Result<Reply, HttpError> {
    let url = address(base, call, provider.wire)?;
    let request = http.request(Method::POST, &url)?;
    let request = authorised(request, clock, provider, lease);
    let response =
        request.header(ACCEPT, "text/event-stream, application/json").json(&call.body).send().await?;
    let status = response.status();
    let headers = response.headers().clone();
    let body = response.bytes_stream().map(|chunk| chunk.map_err(HttpError::from)).boxed();
    if status.is_success() {
        return Ok(Reply::Stream(body));
    }
    let body = serde_json::from_slice(&read_error(body).await).unwrap_or(Value::Null);
    Ok(Reply::Refusal { status: status.as_u16(), headers, body })
}

/// Asks for something that is no chat: the first base, with the row's headers and the credential; what has no body is only
/// looked at. Status, headers, and the body where it is JSON.
pub(super) async fn fetch(
    http: &Http,
    clock: &dyn Clock,
    provider: &Provider,
    lease: &Lease,
    call: &Call,
) -> Result<(u16, HeaderMap, Value), HttpError> {
    let base = bases(provider, lease).into_iter().next().ok_or(HttpError::Connect)?;
    let url = address(&base, call, provider.wire)?;
    let request = match &call.body {
        Value::Null => http.request(Method::GET, &url)?,
        body
        @ (Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            http.request(Method::POST, &url)?.json(body)
        }
    };
    let response =
        authorised(request, clock, provider, lease).header(ACCEPT, "application/json").send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = response.bytes_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > LIST_LIMIT {
            break;
        }
    }
    Ok((status, headers, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

fn authorised(
    mut request: RequestBuilder,
    clock: &dyn Clock,
    provider: &Provider,
    lease: &Lease,
) -> RequestBuilder {
    for (name, value) in &provider.headers {
        request = request.header(name, value);
    }
    let agent = provider.user_agent.as_deref().unwrap_or(http::USER_AGENT);
    request = request.header(USER_AGENT, agent);
    let secret = lease.bearer.expose();
    match provider.chat_auth {
        // A local server without a key is asked without the header.
        ChatAuth::Bearer if Provider::is_no_key(&lease.bearer) => request,
        ChatAuth::Bearer => request.bearer_auth(secret),
        ChatAuth::GoogApiKey => request.header("x-goog-api-key", hidden(secret)),
        ChatAuth::XApiKey => request.header("x-api-key", hidden(secret)),
        ChatAuth::IflowSignature => {
            let session = format!("session-{}", Uuid::new_v4());
            let at = clock.now().timestamp_millis();
            let signature = iflow_signature(secret, agent, &session, at);
            request
                .bearer_auth(secret)
                .header("session-id", session)
                .header("x-iflow-timestamp", at)
                .header("x-iflow-signature", signature)
        }
    }
}

/// A key as a header that no log of the library's shows. One that is no header's value is left out, and refused.
fn hidden(secret: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(secret).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// iFlow's signature: HMAC-SHA256 with the key over `agent:session:milliseconds`, as lower-case hex.
fn iflow_signature(key: &str, agent: &str, session: &str, at_ms: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{agent}:{session}:{at_ms}").as_bytes());
    format!("{:x}", mac.finalize().into_bytes())
}

/// What of an error answer comes within the limits.
async fn read_error(mut body: BoxStream<'static, Result<Bytes, HttpError>>) -> Vec<u8> {
    let until: Instant = clock::instant() + ERROR_PATIENCE;
    let mut bytes = Vec::new();
    while let Ok(Some(Ok(chunk))) = tokio::time::timeout_at(until, body.next()).await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ERROR_LIMIT {
            break;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect("a URL")
    }

    #[test]
    fn the_version_is_added_to_a_chat_base_that_lacks_it() {
        assert_eq!(with_version(&url("https://portal.qwen.ai")).as_str(), "https://portal.qwen.ai/v1");
        assert_eq!(with_version(&url("https://portal.qwen.ai/v1/")).as_str(), "https://portal.qwen.ai/v1");
        let compatible = "https://dashscope.aliyuncs.com/compatible-mode/v1";
        assert_eq!(with_version(&url(compatible)).as_str(), compatible);
    }

    #[test]
    fn addresses_join_base_and_method() {
        let call = |suffix: &'static str| Call { suffix: suffix.into(), body: json!({}) };
        let stream = call(":streamGenerateContent?alt=sse");
        let full = |base: &str, call: &Call, wire| address(&url(base), call, wire).map(String::from);
        assert_eq!(
            full("https://cloudcode-pa.googleapis.com/v1internal", &stream, Wire::CodeAssist),
            Ok("https://cloudcode-pa.googleapis.com/v1internal:streamGenerateContent?alt=sse".to_owned())
        );
        assert_eq!(
            full("http://127.0.0.1:9", &stream, Wire::CodeAssist),
            Ok("http://127.0.0.1:9/v1internal:streamGenerateContent?alt=sse".to_owned())
        );
        assert_eq!(
            full("https://api.openai.com/v1/", &call("/chat/completions"), Wire::OpenaiChat),
            Ok("https://api.openai.com/v1/chat/completions".to_owned())
        );
    }

    #[test]
    fn iflow_signs_the_agent_that_is_sent() {
        // printf 'iFlow-Cli:session-x:1790000000000' | openssl dgst -sha256 -hmac sk-FAKE
        assert_eq!(
            iflow_signature("sk-FAKE", "iFlow-Cli", "session-x", 1_790_000_000_000),
            "48bbd44ccbcb29e43286d5eca06378ca53b55dbd8ce21f8998e1fffcafe6e14c"
        );
    }
}
