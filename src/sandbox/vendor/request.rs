//! A request as the emulator looks at it.

use std::collections::{BTreeMap, HashMap};

use axum::{
    body::to_bytes,
    extract::Request,
    http::{HeaderMap, Method, header},
};
use serde_json::Value;

use super::{
    fault::Kind,
    record::{hashed_authorization, hashed_fields, hashed_form},
    rows::{Chat, IFLOW_USER_INFO, Row},
};

/// The largest body that is taken.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// A request, read.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) kind: Kind,
    pub(super) method: Method,
    /// The path behind the provider's prefix.
    pub(super) path: String,
    /// The path as it came.
    pub(super) full_path: String,
    pub(super) headers: HeaderMap,
    pub(super) query: Vec<(String, String)>,
    /// The body as a form, where it claims to be one.
    pub(super) form: Vec<(String, String)>,
    /// The body as JSON, where it is.
    pub(super) json: Value,
}

impl Seen {
    /// Reads a request to the end; `path` is what follows the provider's prefix.
    pub(super) async fn read(row: &Row, path: &str, request: Request) -> Self {
        let (parts, body) = request.into_parts();
        let bytes = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
        let query = pairs(parts.uri.query().unwrap_or_default().as_bytes());
        let is_form = content_type(&parts.headers) == "application/x-www-form-urlencoded";
        let form = if is_form { pairs(&bytes) } else { Vec::new() };
        let json = if is_form { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or_default() };
        Self {
            kind: kind(row, path),
            method: parts.method,
            path: path.to_owned(),
            full_path: parts.uri.path().to_owned(),
            headers: parts.headers,
            query,
            form,
            json,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What follows `Bearer `.
    pub(super) fn bearer(&self) -> Option<&str> {
        self.header(header::AUTHORIZATION.as_str())?.strip_prefix("Bearer ")
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        find(&self.form, name)
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    pub(super) fn content_type(&self) -> String {
        content_type(&self.headers)
    }

    /// The secret by which the request names an account.
    pub(super) fn secret(&self) -> Option<&str> {
        match self.kind {
            Kind::Token => self.field("refresh_token"),
            Kind::UserInfo => self.query("accessToken"),
            Kind::Setup | Kind::Chat | Kind::Other => self.bearer(),
        }
    }

    /// Headers for the record.
    pub(super) fn shown_headers(&self) -> BTreeMap<String, String> {
        self.headers
            .iter()
            .map(|(name, value)| {
                let value = value.to_str().unwrap_or("(not text)");
                let shown = if *name == header::AUTHORIZATION {
                    hashed_authorization(value)
                } else {
                    value.to_owned()
                };
                (name.as_str().to_owned(), shown)
            })
            .collect()
    }

    /// The query for the record.
    pub(super) fn shown_query(&self) -> BTreeMap<String, String> {
        hashed_fields(&self.query)
    }

    /// The body for the record.
    pub(super) fn shown_body(&self) -> Value {
        if self.form.is_empty() { self.json.clone() } else { hashed_form(&self.form) }
    }
}

fn kind(row: &Row, path: &str) -> Kind {
    if row.tokens.is_some_and(|tokens| tokens.path == path) {
        return Kind::Token;
    }
    let Some(rest) = path.strip_prefix(row.api) else {
        let is_user_info = row.chat == Chat::Iflow && path == IFLOW_USER_INFO;
        return if is_user_info { Kind::UserInfo } else { Kind::Other };
    };
    match row.chat {
        Chat::OpenAi | Chat::OpenRouter | Chat::DashScope | Chat::Qwen | Chat::Iflow => {
            if rest == "/chat/completions" { Kind::Chat } else { Kind::Other }
        }
        Chat::GeminiCli | Chat::Antigravity => match rest {
            ":generateContent" | ":streamGenerateContent" => Kind::Chat,
            ":loadCodeAssist" | ":onboardUser" => Kind::Setup,
            other if other.starts_with("/operations/") => Kind::Setup,
            _ => Kind::Other,
        },
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Form-encoded pairs; a name that comes twice keeps its last value, as servers do.
fn pairs(text: &[u8]) -> Vec<(String, String)> {
    let mut order = Vec::new();
    let mut values: HashMap<String, String> = HashMap::new();
    for (name, value) in url::form_urlencoded::parse(text) {
        if values.insert(name.to_string(), value.into_owned()).is_none() {
            order.push(name.into_owned());
        }
    }
    order
        .into_iter()
        .map(|name| {
            let value = values.remove(&name).unwrap_or_default();
            (name, value)
        })
        .collect()
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
