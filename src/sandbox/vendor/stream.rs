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
    Stream { frames: Vec<Frame>, end: End },
}

/// Bytes after a pause.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) wait: Duration,
    pub(super) text: String,
}

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

    pub(super) fn status(&self) -> u16 {
        match self {
            Self::Whole { status, .. } => *status,
            Self::Stream { .. } => 200,
        }
    }

    /// The body breaks off before its first byte.
    pub(super) fn lost() -> Self {
        Self::Stream { frames: Vec::new(), end: End::Broken }
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
            Self::Stream { frames, end } => {
                let begun = !frames.is_empty();
                let body = stream::iter(frames).then(|frame| async move {
                    if !frame.wait.is_zero() {
                        tokio::time::sleep(frame.wait).await;
                    }
                    Ok::<_, io::Error>(Bytes::from(frame.text))
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
                let events = HeaderValue::from_static("text/event-stream");
                response.headers_mut().insert(CONTENT_TYPE, events);
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
        let mut frames: Vec<Frame> =
            self.opening.into_iter().map(|text| Frame { wait: Duration::ZERO, text }).collect();
        let opening = frames.len();
        frames.extend(self.pieces.into_iter().map(|text| Frame { wait: self.pace, text }));
        frames.extend(self.closing.into_iter().map(|text| Frame { wait: Duration::ZERO, text }));
        let at = |after: usize, frames: &[Frame]| (opening + after).min(frames.len());
        let now = |text: String| Frame { wait: Duration::ZERO, text };
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
                frames.insert(place, Frame { wait, text: String::new() });
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
                Act::Respond { .. } | Act::Hang | Act::Delay { .. } | Act::DelayReply { .. } | Act::LoseReply,
            )
            | None => {}
        }
        Answer::Stream { frames, end }
    }
}

/// Never returns: a server that accepted a request and is silent.
pub(super) async fn hang() -> Infallible {
    std::future::pending().await
}
