//! Who may ask: the right `Host`, no foreign `Origin`, and the token, by header or by cookie.
//!
//! The sandbox listens on loopback, where any page in the same browser can send requests to it. A name that was rebound
//! to this address shows in `Host`, another page's request in `Origin`; the token keeps out everybody who does neither.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::super::Sandbox;

/// The cookie that carries the token.
const COOKIE: &str = "cortana_sandbox";

/// How a request showed the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// In `Authorization`, which no foreign page can set.
    Header,
    /// In the cookie, which the browser sends by itself.
    Cookie,
}

/// For every route: a foreign `Host` or `Origin` is refused. Programs send no `Origin`, so it is not demanded here.
pub(in crate::sandbox) async fn refuse_strangers(
    State(sandbox): State<Sandbox>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let host = text(headers, header::HOST).or_else(|| request.uri().host()).unwrap_or_default();
    if !sandbox.answers_to(host) {
        let sentence = "this host name is not the sandbox's; use the address that it printed at its start";
        return (StatusCode::MISDIRECTED_REQUEST, sentence).into_response();
    }
    match text(headers, header::ORIGIN) {
        Some(origin) if origin != format!("http://{host}") => {
            (StatusCode::FORBIDDEN, "another page's requests are not answered").into_response()
        }
        Some(_) | None => next.run(request).await,
    }
}

/// For the page and the control API: the token; and where the browser sends it by itself, a change needs the page's own
/// `Origin`. Changes are JSON.
pub(in crate::sandbox) async fn demand_token(
    State(sandbox): State<Sandbox>,
    request: Request,
    next: Next,
) -> Response {
    if let Some(answer) = welcome(&sandbox, &request) {
        return answer;
    }
    let headers = request.headers();
    let Some(shown) = shown(headers, &sandbox.control_token) else {
        let sentence = "open the address that the sandbox printed at its start, or send `Authorization: Bearer <control_token>`";
        return refusal(StatusCode::UNAUTHORIZED, sentence);
    };
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    if changes && shown == Shown::Cookie && text(headers, header::ORIGIN).is_none() {
        return refusal(StatusCode::FORBIDDEN, "a change needs an Origin, or the token in a header");
    }
    let is_json =
        text(headers, header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json"));
    let bare = shown == Shown::Header && headers.get(header::CONTENT_TYPE).is_none();
    if changes && !is_json && !bare {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "changes are sent as application/json");
    }
    next.run(request).await
}

/// The address that was printed has the token in its query: it becomes a cookie, and leaves the address bar.
fn welcome(sandbox: &Sandbox, request: &Request) -> Option<Response> {
    let query = request.uri().query()?;
    let token = query.split('&').find_map(|pair| pair.strip_prefix("token="))?;
    if request.uri().path() != "/" || !same(token, &sandbox.control_token) {
        return None;
    }
    let cookie = format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict");
    let mut response = StatusCode::SEE_OTHER.into_response();
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/"));
    response.headers_mut().insert(header::SET_COOKIE, HeaderValue::from_str(&cookie).ok()?);
    Some(response)
}

fn shown(headers: &HeaderMap, token: &str) -> Option<Shown> {
    let bearer = text(headers, header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    if bearer.is_some_and(|given| same(given, token)) {
        return Some(Shown::Header);
    }
    let cookies = text(headers, header::COOKIE)?;
    let given = cookies.split("; ").find_map(|pair| pair.strip_prefix(COOKIE)?.strip_prefix('='))?;
    same(given, token).then_some(Shown::Cookie)
}

/// Compares without telling by its time where the first difference is.
fn same(given: &str, token: &str) -> bool {
    let differences = given.bytes().zip(token.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == token.len() && differences == 0
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn refusal(status: StatusCode, sentence: &str) -> Response {
    (status, axum::Json(serde_json::json!({ "error": sentence }))).into_response()
}
