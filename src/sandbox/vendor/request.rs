//! A request as the emulator looks at it.

use std::collections::{BTreeMap, HashMap, HashSet};

use axum::{
    body::to_bytes,
    extract::Request,
    http::{HeaderMap, Method, header},
};
use serde_json::Value;

use super::{
    fault::Kind,
    record::{hashed_authorization, hashed_fields, hashed_form, short_hash},
    rows::{Protocol, Row},
};

/// The largest body that is taken.
const LARGEST_BODY: usize = 32 * 1024 * 1024;

/// Headers that carry a key: Gemini's and Anthropic's.
const KEY_HEADERS: &[&str] = &["x-goog-api-key", "x-api-key"];

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
    /// Names that the form has more than once.
    pub(super) repeated: Vec<String>,
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
        let repeated = if is_form { repeated(&bytes) } else { Vec::new() };
        let json = if is_form { Value::Null } else { serde_json::from_slice(&bytes).unwrap_or_default() };
        Self {
            kind: kind(row, path),
            method: parts.method,
            path: path.to_owned(),
            full_path: parts.uri.path().to_owned(),
            headers: parts.headers,
            query,
            form,
            repeated,
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

    /// A key in a header of its own, or in the query as Gemini's API takes it too.
    pub(super) fn key(&self) -> Option<&str> {
        KEY_HEADERS.iter().find_map(|name| self.header(name)).or_else(|| self.query("key"))
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
            Kind::Token => self.field("refresh_token").or_else(|| self.field("code")),
            Kind::Revoke => self.field("token"),
            Kind::UserInfo => self.query("accessToken").or_else(|| self.bearer()),
            Kind::Setup | Kind::Chat | Kind::Models | Kind::Other => self.key().or_else(|| self.bearer()),
            Kind::Authorize | Kind::Device => None,
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
                } else if KEY_HEADERS.contains(&name.as_str()) {
                    short_hash(value)
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
    if let Some(tokens) = row.tokens {
        let device = tokens.device;
        if tokens.path == path {
            return Kind::Token;
        }
        if tokens.revoke == Some(path) {
            return Kind::Revoke;
        }
        if tokens.user_info == Some(path) {
            return Kind::UserInfo;
        }
        if device.is_some_and(|device| device.path == path) {
            return Kind::Device;
        }
        if tokens.authorize.is_some_and(|authorize| authorize.path == path)
            || device.is_some_and(|device| device.page == path)
        {
            return Kind::Authorize;
        }
    }
    let Some(rest) = path.strip_prefix(row.api) else { return Kind::Other };
    match row.chat.protocol() {
        Protocol::Completions if rest == "/chat/completions" => Kind::Chat,
        // Azure: the model is a deployment in the path.
        Protocol::Completions
            if rest.starts_with("/openai/deployments/") && rest.ends_with("/chat/completions") =>
        {
            Kind::Chat
        }
        Protocol::Messages if rest == "/messages" => Kind::Chat,
        Protocol::Completions | Protocol::Messages | Protocol::Contents if rest == "/models" => Kind::Models,
        Protocol::Contents if rest.starts_with("/models/") => match rest.rsplit_once(':') {
            Some((_, "generateContent" | "streamGenerateContent")) => Kind::Chat,
            _ => Kind::Other,
        },
        Protocol::CodeAssist => match rest {
            ":generateContent" | ":streamGenerateContent" => Kind::Chat,
            ":loadCodeAssist"
            | ":onboardUser"
            | ":countTokens"
            | ":retrieveUserQuota"
            | ":retrieveUserQuotaSummary"
            | ":fetchAvailableModels" => Kind::Setup,
            other if other.starts_with("/operations/") => Kind::Setup,
            _ => Kind::Other,
        },
        Protocol::Completions | Protocol::Messages | Protocol::Contents => Kind::Other,
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

/// The names that come more than once.
fn repeated(text: &[u8]) -> Vec<String> {
    let mut seen = HashSet::new();
    let names = url::form_urlencoded::parse(text).map(|(name, _)| name.into_owned());
    names.filter(|name| !seen.insert(name.clone())).collect()
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
