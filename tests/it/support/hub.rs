//! An emulated hub, and the store that it sends people to for bytes: two servers, as in the real world.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, LazyLock, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use cortana::shutdown::Shutdown;
use futures::StreamExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

/// The commit that everything is of.
pub(crate) const COMMIT: &str = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff";
/// The token that may see `ann/secret-GGUF`, and has accepted nothing.
pub(crate) const TOKEN: &str = "hf_FAKEtoken";
/// The open repository, its file, and its size.
pub(crate) const REPO: &str = "tiny/tiny-GGUF";
pub(crate) const FILE: &str = "tiny-Q4_K_M.gguf";
pub(crate) const SIZE: usize = 256 * 1024 + 17;

/// A request that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// `HEAD /tiny/tiny-GGUF/resolve/main/…`
    pub(crate) line: String,
    pub(crate) bearer: Option<String>,
    pub(crate) range: Option<String>,
}

/// What an answer of the store does instead of sending everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Ends the connection after so many bytes.
    CutAfter(usize),
    /// Sends so many bytes, and then nothing, and keeps the connection.
    StallAfter(usize),
    /// Sends other bytes than the hub announced.
    OtherBytes,
    /// Sends everything from the beginning, whatever range was asked for.
    WholeFile,
    /// 503.
    Unavailable,
}

#[derive(Default)]
struct State {
    at_hub: Vec<Asked>,
    at_store: Vec<Asked>,
    /// For the next answers with bytes, one each.
    faults: VecDeque<Fault>,
    /// Answers of the hub that are 500 from now on.
    broken: usize,
    /// Where the hub sends people for bytes instead of its store.
    astray: Option<String>,
    sent: usize,
}

/// The hub and its store.
#[derive(Clone)]
pub(crate) struct EmulatedHub {
    pub(crate) endpoint: String,
    store: String,
    state: Arc<Mutex<State>>,
}

/// What the file holds.
pub(crate) fn content() -> Vec<u8> {
    CONTENT.clone()
}

static CONTENT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    (0..SIZE).map(|at| u8::try_from((at * 31 + at / 251) % 251).expect("below 251")).collect()
});

static SHA256: LazyLock<String> = LazyLock::new(|| sha256(&CONTENT));

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

impl EmulatedHub {
    /// Serves until the life ends.
    pub(crate) async fn serve(life: &Shutdown) -> Self {
        let (hub, store) = (listener().await, listener().await);
        let origin =
            |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("an address"));
        let this =
            Self { endpoint: origin(&hub), store: origin(&store), state: Arc::<Mutex<State>>::default() };
        let of_hub = this.clone();
        serve(life, hub, move |request| of_hub.hub(&request));
        let of_store = this.clone();
        serve(life, store, move |request| of_store.bytes(&request));
        this
    }

    /// What the next answers with bytes do.
    pub(crate) fn break_store(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults = faults.into_iter().collect();
    }

    /// The next answers of the hub are 500.
    pub(crate) fn break_hub(&self, answers: usize) {
        self.state().broken = answers;
    }

    /// The hub sends people to this address for bytes.
    pub(crate) fn lead_astray(&self, address: &str) {
        self.state().astray = Some(address.to_owned());
    }

    pub(crate) fn at_hub(&self) -> Vec<Asked> {
        self.state().at_hub.clone()
    }

    /// The requests for bytes; the crate's questions about them are not among them.
    pub(crate) fn at_store(&self) -> Vec<Asked> {
        let state = self.state();
        state.at_store.iter().filter(|asked| asked.line.starts_with("GET")).cloned().collect()
    }

    /// Bytes that the store handed to its connections.
    pub(crate) fn sent(&self) -> usize {
        self.state().sent
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    fn hub(&self, request: &Request) -> Response {
        let asked = Asked::of(request);
        let bearer = asked.bearer.clone();
        self.state().at_hub.push(asked);
        if self.state().broken > 0 {
            self.state().broken -= 1;
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        if bearer.as_deref().is_some_and(|token| token != TOKEN) {
            return refused(401, None, "Invalid credentials in Authorization header");
        }
        let sees_private = bearer.is_some();
        let query = request.uri().query().unwrap_or_default();
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let parts: Vec<&str> = path.split('/').collect();
        match *parts.as_slice() {
            ["api", "models"] => search(query, sees_private),
            ["api", "models", owner, name, "tree", "main"] => tree(&format!("{owner}/{name}"), sees_private),
            ["old", "tiny-GGUF", "resolve", revision, file] => {
                let to = format!("/{REPO}/resolve/{revision}/{file}");
                (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response()
            }
            [owner, name, "resolve", _, ref file @ ..] => {
                self.resolve(&format!("{owner}/{name}"), &file.join("/"), bearer.is_some())
            }
            [..] => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn resolve(&self, repo: &str, file: &str, has_token: bool) -> Response {
        if let Some(refused) = hidden(repo, has_token) {
            return refused;
        }
        if repo.starts_with("gated/") {
            let status = if has_token { 403 } else { 401 };
            return refused(status, Some("GatedRepo"), "Access to this model is restricted");
        }
        let Some((_, size)) = files(repo).into_iter().find(|(path, _)| path == file) else {
            return refused(404, Some("EntryNotFound"), "Entry not found");
        };
        if file == "README.md" {
            let etag = format!("\"{}\"", "a".repeat(40));
            return ([("x-repo-commit", COMMIT.to_owned()), ("etag", etag)], "# tiny\n").into_response();
        }
        let astray = self.state().astray.clone();
        let store = astray.unwrap_or_else(|| self.store.clone());
        let headers = [
            ("location", format!("{store}/bytes?Signature=FAKE-signature")),
            ("x-repo-commit", COMMIT.to_owned()),
            ("x-linked-size", size.to_string()),
            ("x-linked-etag", format!("\"{}\"", *SHA256)),
        ];
        (StatusCode::FOUND, headers).into_response()
    }

    fn bytes(&self, request: &Request) -> Response {
        let asked = Asked::of(request);
        let is_get = asked.line.starts_with("GET");
        let mut state = self.state();
        let fault = if is_get { state.faults.pop_front() } else { None };
        let range = asked.range.clone();
        state.at_store.push(asked);
        drop(state);
        if fault == Some(Fault::Unavailable) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let mut bytes = content();
        if fault == Some(Fault::OtherBytes) {
            bytes[SIZE / 2] ^= 1;
        }
        let from =
            range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok());
        let from: Option<usize> = from.filter(|_| fault != Some(Fault::WholeFile));
        let rest = Bytes::from(bytes).slice(from.unwrap_or(0)..);
        let status = if from.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let headers =
            [("content-length", rest.len().to_string()), ("etag", "\"the store's own\"".to_owned())];
        let body = if is_get { self.body(rest, fault) } else { Body::empty() };
        (status, headers, body).into_response()
    }

    fn body(&self, rest: Bytes, fault: Option<Fault>) -> Body {
        let (length, end) = match fault {
            Some(Fault::CutAfter(length)) => (length, Some(Fault::CutAfter(length))),
            Some(Fault::StallAfter(length)) => (length, Some(Fault::StallAfter(length))),
            Some(Fault::OtherBytes | Fault::WholeFile | Fault::Unavailable) | None => (rest.len(), None),
        };
        self.state().sent += length;
        let pieces: Vec<Result<Bytes, io::Error>> =
            rest.slice(..length).chunks(64 * 1024).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let pieces = futures::stream::iter(pieces);
        match end {
            Some(Fault::StallAfter(_)) => Body::from_stream(pieces.chain(futures::stream::pending())),
            // The pieces get their turn to leave first.
            Some(_) => Body::from_stream(pieces.chain(futures::stream::once(async {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                Err(io::Error::other("cut"))
            }))),
            None => Body::from_stream(pieces),
        }
    }
}

fn search(query: &str, sees_private: bool) -> Response {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let value = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!(
        (value("filter"), value("sort"), value("full")),
        (Some("gguf"), Some("downloads"), Some("true"))
    );
    let limit: usize = value("limit").and_then(|limit| limit.parse().ok()).expect("a limit");
    let wanted = value("search").expect("a query").to_lowercase();
    let all = [
        (REPO, 12_345, 67, json!(false), false),
        ("gated/tiny-llama-GGUF", 999, 8, json!("manual"), false),
        ("ann/tiny-secret-GGUF", 1, 0, json!(false), true),
    ];
    let found = all
        .into_iter()
        .filter(|(id, .., private)| id.to_lowercase().contains(&wanted) && (sees_private || !private))
        .take(limit);
    let listed = found.map(|(id, downloads, likes, gated, private)| {
        let siblings: Vec<Value> =
            files(id).into_iter().map(|(path, _)| json!({ "rfilename": path })).collect();
        json!({
            "_id": "FAKE", "id": id, "modelId": id, "author": "FAKE", "downloads": downloads, "likes": likes,
            "gated": gated, "private": private, "sha": COMMIT, "tags": ["gguf"], "siblings": siblings,
        })
    });
    axum::Json(listed.collect::<Vec<_>>()).into_response()
}

fn tree(repo: &str, sees_private: bool) -> Response {
    if let Some(refused) = hidden(repo, sees_private) {
        return refused;
    }
    let entries = files(repo).into_iter().map(|(path, size)| {
        json!({ "type": "file", "oid": "b10b", "size": size, "path": path,
                "lfs": { "oid": "FAKE", "size": size, "pointerSize": 134 } })
    });
    let folder = json!({ "type": "directory", "oid": "7ree", "size": 0, "path": "BF16" });
    axum::Json(entries.chain([folder]).collect::<Vec<_>>()).into_response()
}

/// The files of a repository, with their sizes.
fn files(repo: &str) -> Vec<(String, u64)> {
    let size = u64::try_from(SIZE).expect("small");
    let gib = 1_u64 << 30;
    let all: &[(&str, u64)] = match repo {
        REPO => &[
            ("README.md", 7),
            (FILE, size),
            ("tiny-Q8_0.gguf", 2 * gib),
            ("BF16/tiny-BF16-00001-of-00002.gguf", 3 * gib),
            ("BF16/tiny-BF16-00002-of-00002.gguf", gib),
            ("boundless.gguf", 1 << 60),
        ],
        "gated/tiny-llama-GGUF" => &[("llama.gguf", 4 * gib)],
        _ => &[("secret.gguf", gib)],
    };
    all.iter().map(|(path, size)| ((*path).to_owned(), *size)).collect()
}

/// The refusal of a repository that is not there, or not for whoever asks.
fn hidden(repo: &str, sees_private: bool) -> Option<Response> {
    let is_there = match repo {
        REPO | "gated/tiny-llama-GGUF" => true,
        "ann/tiny-secret-GGUF" => sees_private,
        _ => false,
    };
    let status = if sees_private { 404 } else { 401 };
    (!is_there).then(|| refused(status, Some("RepoNotFound"), "Repository not found"))
}

fn refused(status: u16, code: Option<&str>, message: &str) -> Response {
    let mut headers = HeaderMap::new();
    if let Some(code) = code {
        headers.insert("x-error-code", code.parse().expect("a header"));
    }
    headers.insert("x-error-message", message.parse().expect("a header"));
    (StatusCode::from_u16(status).expect("a status"), headers).into_response()
}

impl Asked {
    fn of(request: &Request) -> Self {
        let text = |name: header::HeaderName| {
            request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let bearer = text(header::AUTHORIZATION);
        Self {
            line: format!("{} {}", request.method(), request.uri().path()),
            bearer: bearer.map(|value| value.trim_start_matches("Bearer ").to_owned()),
            range: text(header::RANGE),
        }
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

fn serve(
    life: &Shutdown,
    listener: TcpListener,
    answer: impl Fn(Request) -> Response + Clone + Send + Sync + 'static,
) {
    let router = Router::new().fallback(move |request: Request| {
        let answer = answer.clone();
        async move { answer(request) }
    });
    let end = life.token().clone();
    drop(life.spawn(async move {
        tokio::select! {
            served = async { axum::serve(listener, router).await } => served.expect("the server runs"),
            () = end.cancelled() => {}
        }
    }));
}
