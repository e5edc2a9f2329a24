//! A request as the routes see it: path, query, JSON body, files.

use std::collections::BTreeMap;

use axum::{
    body::to_bytes,
    extract::{FromRequest, Multipart, Request as HttpRequest},
    http::header,
};
use serde_json::{Value, json};

use super::super::{
    error::{ApiError, FormErrors, Known},
    ids::Id,
    posting::Upload,
};

/// Largest request, in bytes.
const REQUEST_LIMIT: usize = 25 * 1024 * 1024;

/// A request, read.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Below `/api/v10`.
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    /// The bot token that was sent.
    pub(crate) token: Option<String>,
    pub(crate) body: Value,
    pub(crate) uploads: Vec<Upload>,
}

impl Request {
    /// Reads a request. A refusal comes with what was readable, for the record.
    pub(crate) async fn read(http: HttpRequest) -> Result<Self, (Self, ApiError)> {
        let path = http.uri().path();
        let below = ["/api/v10", "/api/v9", "/api"].iter().find_map(|prefix| path.strip_prefix(prefix));
        let headers: BTreeMap<String, String> = http
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let mut request = Self {
            method: http.method().to_string(),
            path: percent_decoded(below.unwrap_or(path)),
            query: url::form_urlencoded::parse(http.uri().query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect(),
            token: headers
                .get(header::AUTHORIZATION.as_str())
                .and_then(|value| value.strip_prefix("Bot "))
                .map(str::to_owned),
            headers,
            ..Self::default()
        };
        let content_type = request.headers.get(header::CONTENT_TYPE.as_str()).cloned().unwrap_or_default();
        let read = if content_type.starts_with("multipart/form-data") {
            request.read_multipart(http).await
        } else {
            request.read_json(http, &content_type).await
        };
        match read {
            Ok(()) => Ok(request),
            Err(error) => Err((request, error)),
        }
    }

    async fn read_json(&mut self, http: HttpRequest, content_type: &str) -> Result<(), ApiError> {
        let bytes = to_bytes(http.into_body(), REQUEST_LIMIT).await.map_err(|_| Known::RequestTooLarge)?;
        if bytes.is_empty() {
            return Ok(());
        }
        if content_type != "application/json" {
            return Err(ApiError::BadBody {
                code: 50_035,
                message: "Expected \"Content-Type\" header to be one of {'application/json', \
                          'multipart/form-data'}."
                    .to_owned(),
            });
        }
        self.body = serde_json::from_slice(&bytes).map_err(|_| invalid_json())?;
        Ok(())
    }

    async fn read_multipart(&mut self, http: HttpRequest) -> Result<(), ApiError> {
        let broken = || ApiError::BadBody { code: 50_035, message: "Invalid multipart body".to_owned() };
        let mut parts = Multipart::from_request(http, &()).await.map_err(|_| broken())?;
        let mut total = 0;
        self.body = json!({});
        while let Some(part) = parts.next_field().await.map_err(|_| broken())? {
            let name = part.name().unwrap_or_default().to_owned();
            let filename = part.file_name().map(str::to_owned);
            let content_type = part.content_type().map(str::to_owned);
            let bytes = part.bytes().await.map_err(|_| broken())?;
            total += bytes.len();
            if total > REQUEST_LIMIT {
                return Err(Known::RequestTooLarge.into());
            }
            if name == "payload_json" {
                self.body = serde_json::from_slice(&bytes).map_err(|_| invalid_json())?;
            } else if let Some(filename) = filename {
                let index = name.strip_prefix("files[").and_then(|rest| rest.strip_suffix(']'));
                let index = index.and_then(|index| index.parse().ok());
                self.uploads.push(Upload { index, filename, content_type, bytes });
            }
        }
        Ok(())
    }

    /// `limit`: how many are listed at most, 1 to 100.
    pub(crate) fn limit(&self, unless_said: usize) -> Result<usize, ApiError> {
        match self.query.get("limit").map(|limit| limit.parse::<usize>()) {
            None => Ok(unless_said),
            Some(Ok(limit @ 1..=100)) => Ok(limit),
            Some(Ok(_) | Err(_)) => Err(FormErrors::one(
                "limit",
                "NUMBER_TYPE_MAX",
                "int value should be less than or equal to 100.",
            )),
        }
    }

    /// A query value that is an id.
    pub(crate) fn id(&self, key: &str) -> Option<Id> {
        self.query.get(key)?.parse().ok()
    }

    /// Whether a query flag is set.
    pub(crate) fn asks(&self, key: &str) -> bool {
        self.query.get(key).is_some_and(|value| matches!(value.as_str(), "true" | "True" | "1"))
    }
}

fn invalid_json() -> ApiError {
    ApiError::BadBody { code: 50_109, message: "The request body contains invalid JSON.".to_owned() }
}

fn percent_decoded(path: &str) -> String {
    // `+` stands for itself in a path, so it is kept from the form decoder.
    let escaped = path.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(escaped.as_bytes())
        .next()
        .map_or_else(String::new, |(path, _)| path.into_owned())
}
