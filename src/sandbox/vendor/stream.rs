//! Answers as they go over the wire: whole, or frame by frame with pauses, ended well or broken off.

use std::{convert::Infallible, io, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::Response,
};
use futures::{StreamExt, stream};
use serde_json::Value;

use super::fault::Act;

/// How long a connection that will break is held, so that the frames before are delivered.
const FLUSH: Duration = Duration::from_millis(25);

/// An answer that is decided but not sent.
#[derive(Debug)]
pub(super) enum Answer {
    /// At once.
    Whole { status: u16, headers: Vec<(String, String)>, body: String },
    /// Frame by frame.
    Stream { content_type: String, frames: Vec<Frame>, end: End },
}

/// Bytes after a pause.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) wait: Duration,
    pub(super) bytes: Bytes,
}

/// The content type of a stream.
const EVENTS: &str = "text/event-stream";

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// In good order.
    Clean,
    /// The connection breaks.
    Broken,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::Whole { status, headers: Vec::new(), body: body.to_string() }
    }

    /// A web page for a person.
    pub(super) fn page(status: u16, text: &str) -> Self {
        let headers = vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())];
        Self::Whole { status, headers, body: format!("<!doctype html><title>Sign in</title><p>{text}</p>") }
    }

    /// The browser goes on to another address.
    pub(super) fn redirect(to: &str) -> Self {
        let headers = vec![("location".to_owned(), to.to_owned())];
        Self::Whole { status: 302, headers, body: String::new() }
    }

    /// The same with one more header; a stream has only its own.
    pub(super) fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Self::Whole { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Whole { status, .. } => *status,
            Self::Stream { .. } => 200,
        }
    }

    /// The body breaks off before its first byte.
    pub(super) fn lost() -> Self {
        Self::Stream { content_type: EVENTS.to_owned(), frames: Vec::new(), end: End::Broken }
    }

    /// The same under another content type.
    pub(super) fn mislabelled(self, label: &str) -> Self {
        match self {
            Self::Whole { .. } => self.with_header("content-type", label),
            Self::Stream { frames, end, .. } => Self::Stream { content_type: label.to_owned(), frames, end },
        }
    }

    /// The beginning of it.
    pub(super) fn truncated(self, bytes: usize) -> Self {
        match self {
            Self::Whole { status, headers, body } => {
                let kept = body.as_bytes().get(..bytes).unwrap_or(body.as_bytes());
                Self::Whole { status, headers, body: String::from_utf8_lossy(kept).into_owned() }
            }
            Self::Stream { content_type, frames, end } => {
                let mut room = bytes;
                let cut = |frame: Frame| {
                    let kept = frame.bytes.slice(..room.min(frame.bytes.len()));
                    room -= kept.len();
                    Frame { wait: frame.wait, bytes: kept }
                };
                let frames = frames.into_iter().map(cut).filter(|frame| !frame.bytes.is_empty()).collect();
                Self::Stream { content_type, frames, end }
            }
        }
    }

    /// The same in chunks of a size; a whole answer becomes a stream of its body.
    pub(super) fn crumbled(self, size: usize) -> Self {
        let size = size.max(1);
        let (content_type, frames, end) = match self {
            Self::Whole { status: 200, body, .. } => {
                let frame = Frame { wait: Duration::ZERO, bytes: Bytes::from(body) };
                ("application/json".to_owned(), vec![frame], End::Clean)
            }
            whole @ Self::Whole { .. } => return whole,
            Self::Stream { content_type, frames, end } => (content_type, frames, end),
        };
        let crumbs = |frame: Frame| {
            let mut wait = frame.wait;
            let mut rest = frame.bytes;
            let mut crumbs = Vec::new();
            while !rest.is_empty() {
                let bytes = rest.split_to(size.min(rest.len()));
                crumbs.push(Frame { wait: std::mem::take(&mut wait), bytes });
            }
            crumbs
        };
        Self::Stream { content_type, frames: frames.into_iter().flat_map(crumbs).collect(), end }
    }

    /// The response; `left` is dropped unfinished when the client goes before the end.
    pub(super) fn into_response(self, left: Left) -> Response {
        match self {
            Self::Whole { status, headers, body } => {
                left.finish();
                let mut response = Response::new(Body::from(body));
                *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
                let json = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, json);
                for (name, value) in headers {
                    let pair = (HeaderName::try_from(name), HeaderValue::try_from(value));
                    if let (Ok(name), Ok(value)) = pair {
                        response.headers_mut().insert(name, value);
                    }
                }
                response
            }
            Self::Stream { content_type, frames, end } => {
                let begun = !frames.is_empty();
                let body = stream::iter(frames).then(|frame| async move {
                    if !frame.wait.is_zero() {
                        tokio::time::sleep(frame.wait).await;
                    }
                    Ok::<_, io::Error>(frame.bytes)
                });
                let last = stream::once(async move {
                    left.finish();
                    match end {
                        End::Clean => Ok(Bytes::new()),
                        End::Broken => {
                            // What was said before must have left for the client before the line goes dead.
                            if begun {
                                tokio::time::sleep(FLUSH).await;
                            }
                            Err(io::Error::from(io::ErrorKind::ConnectionReset))
                        }
                    }
                });
                let mut response = Response::new(Body::from_stream(body.chain(last)));
                let label = HeaderValue::try_from(content_type);
                response.headers_mut().extend(label.ok().map(|label| (CONTENT_TYPE, label)));
                response
            }
        }
    }
}

/// Notices a client that leaves before the end.
pub(super) struct Left(Option<Box<dyn FnOnce() + Send>>);

impl Left {
    pub(super) fn new(notice: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(notice)))
    }

    fn finish(mut self) {
        self.0 = None;
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        if let Some(notice) = self.0.take() {
            notice();
        }
    }
}

/// Puts a stream together from events: some before the pieces of text, the pieces, and what closes it.
pub(super) struct Script {
    /// Before the first piece.
    pub(super) opening: Vec<String>,
    /// One frame a piece.
    pub(super) pieces: Vec<String>,
    /// After the last piece: finish reason, usage, end mark.
    pub(super) closing: Vec<String>,
    /// The pause before each piece.
    pub(super) pace: Duration,
}

impl Script {
    /// The answer, disturbed if a fault wants that. `event` words a JSON value in the provider's framing.
    pub(super) fn play(self, disturbance: Option<&Act>, event: impl Fn(&Value) -> String) -> Answer {
        let now = |text: String| Frame { wait: Duration::ZERO, bytes: Bytes::from(text) };
        let mut frames: Vec<Frame> = self.opening.into_iter().map(now).collect();
        let opening = frames.len();
        let paced = |text: String| Frame { wait: self.pace, bytes: Bytes::from(text) };
        frames.extend(self.pieces.into_iter().map(paced));
        frames.extend(self.closing.into_iter().map(now));
        let at = |after: usize, frames: &[Frame]| (opening + after).min(frames.len());
        let mut end = End::Clean;
        match disturbance {
            Some(Act::Cut { after }) => {
                frames.truncate(at(*after, &frames));
                end = End::Broken;
            }
            Some(Act::EndEarly { after }) => frames.truncate(at(*after, &frames)),
            Some(Act::Stall { after, millis }) => {
                let place = at(*after, &frames);
                let wait = Duration::from_millis(*millis);
                frames.insert(place, Frame { wait, bytes: Bytes::new() });
            }
            Some(Act::Malformed { after }) => {
                frames.truncate(at(*after, &frames));
                frames.push(now("data: {\"choices\": [{\"delta\": {\"content\": oops\n\n".to_owned()));
            }
            Some(Act::Empty) => frames.clear(),
            Some(Act::ErrorInside { after, body }) => {
                frames.truncate(at(*after, &frames));
                frames.push(now(event(body)));
            }
            Some(
                Act::Respond { .. }
                | Act::Hang
                | Act::Delay { .. }
                | Act::DelayReply { .. }
                | Act::LoseReply
                | Act::Unstreamed
                | Act::Mislabel { .. }
                | Act::Truncate { .. }
                | Act::Crumble { .. },
            )
            | None => {}
        }
        Answer::Stream { content_type: EVENTS.to_owned(), frames, end }
    }
}

/// Never returns: a server that accepted a request and is silent.
pub(super) async fn hang() -> Infallible {
    std::future::pending().await
}
