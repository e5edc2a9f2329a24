//! Where attached files are kept: signed addresses that expire, as Discord's CDN has them (reference, "Signed Attachment
//! CDN URLs").

use std::{collections::HashMap, time::Duration};

use axum::{
    body::Body,
    extract::{Path, Query, State as Extracted},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use hmac::{Hmac, Mac};
use serde::Serialize;
use sha2::Sha256;

use super::{Discord, faults::RestAction, ids::Id, state::State};

/// How long an address holds, in seconds (observed).
const HOLDS_SECS: u64 = 24 * 60 * 60;

/// One request for a file, and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fetched {
    /// Since the emulator started.
    pub at: Duration,
    /// The path, without the signature.
    pub path: String,
    /// Whether credentials came with it, which belong to the API alone.
    pub authorized: bool,
    /// The status answered; `None`: there was none.
    pub status: Option<u16>,
}

impl State {
    /// A file's address, signed now. `url` may carry an older signature.
    pub(crate) fn signed(&self, url: &str) -> String {
        let plain = url.split_once('?').map_or(url, |(plain, _)| plain);
        let path = plain.strip_prefix(self.files_origin.as_str()).unwrap_or(plain);
        let issued = self.time.unix_ms() / 1000;
        let expires = issued + HOLDS_SECS;
        let signature = self.signature(path, expires, issued);
        format!("{plain}?ex={expires:x}&is={issued:x}&hm={signature}&")
    }

    fn signature(&self, path: &str, expires: u64, issued: u64) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.files_key.as_bytes()) else {
            return String::new();
        };
        mac.update(format!("{path}|{expires}|{issued}").as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }

    /// Whether a query is this path's signature, and still holds.
    fn is_open(&self, path: &str, query: &HashMap<String, String>) -> bool {
        let number = |name: &str| u64::from_str_radix(query.get(name)?, 16).ok();
        let (Some(expires), Some(issued)) = (number("ex"), number("is")) else { return false };
        query.get("hm") == Some(&self.signature(path, expires, issued))
            && self.time.unix_ms() / 1000 < expires
    }

    /// The bytes of a file and what its sender called them.
    fn file(&self, id: &str) -> Option<(bytes::Bytes, String)> {
        let id: Id = id.parse().ok()?;
        let bytes = self.files.get(&id)?.clone();
        let mut attachments = self.messages.values().flat_map(|message| &message.attachments);
        let content_type =
            attachments.find(|attachment| attachment.id == id).and_then(|file| file.content_type.clone());
        Some((bytes, content_type.unwrap_or_else(|| "application/octet-stream".to_owned())))
    }
}

/// Answers `GET /attachments/{channel}/{id}/{name}`.
pub(super) async fn answer(
    Extracted(discord): Extracted<Discord>,
    Path((_, id, _)): Path<(String, String, String)>,
    Query(query): Query<HashMap<String, String>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let path = uri.path().to_owned();
    let authorized = headers.contains_key(header::AUTHORIZATION);
    let (fault, number) = discord.with(|state| {
        let at = state.time.now();
        state.record.fetched.push(Fetched { at, path: path.clone(), authorized, status: None });
        (state.faults.take_for_file(&path), state.record.fetched.len() - 1)
    });
    let broken = match fault {
        None => None,
        Some(RestAction::Hang) => {
            discord.shutdown().token().cancelled().await;
            None
        }
        Some(RestAction::Status { status } | RestAction::DoneButStatus { status }) => Some(status),
        Some(RestAction::RateLimited { .. }) => Some(429),
    };
    let found = discord.read(|state| state.is_open(&path, &query).then(|| state.file(&id)).flatten());
    let response = match (broken, found) {
        (Some(status), _) => StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY).into_response(),
        (None, Some((bytes, content_type))) => {
            // A file is somebody's words: it never runs as a document of this origin.
            let headers = [
                (header::CONTENT_TYPE, content_type.as_str()),
                (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, Body::from(bytes)).into_response()
        }
        (None, None) => (StatusCode::NOT_FOUND, "This content is no longer available.").into_response(),
    };
    discord.with(|state| {
        if let Some(fetched) = state.record.fetched.get_mut(number) {
            fetched.status = Some(response.status().as_u16());
        }
    });
    response
}
