//! One attempt with one credential: send, read, hand pieces on, and say what went wrong.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use futures::{
    channel::mpsc,
    sink::SinkExt,
    stream::{BoxStream, StreamExt},
};
use reqwest::header::HeaderMap;
use tokio::time::{Instant, timeout_at};

use super::{
    ChatEvent, ChatFailure, FailureClass, Finish, LlmParts, Notice,
    classify::{self, ErrorAnswer, Fault, Scope, http_code},
    tally::Tally,
    transport::{self, Reply},
    wire::{self, Ask, Call, Decoder, End, Piece, WireFault},
};
use crate::{
    clock,
    config::ChatSettings,
    http::HttpError,
    pool::Lease,
    provider::{ModelRef, Provider},
    telemetry::metrics,
};

/// Bytes of visible text that one answer may have; what follows is not read.
const TEXT_LIMIT: usize = 1 << 20;
/// How long the rest of a finished answer (its usage) is waited for.
const LINGER: Duration = Duration::from_secs(2);

/// Where events go. The stream and this end live and die together.
pub(super) type Out = mpsc::Sender<Result<ChatEvent, ChatFailure>>;

/// The three time limits of P25, over all attempts of one chat.
#[derive(Debug)]
pub(super) struct Patience {
    deadline: Instant,
    idle: Duration,
    max: Instant,
    received_at: Instant,
    /// Of this attempt.
    first_event_at: Option<Instant>,
    last_event_at: Option<Instant>,
}

impl Patience {
    pub(super) fn new(received_at: Instant, settings: &ChatSettings) -> Self {
        Self {
            deadline: received_at + settings.deadline,
            idle: settings.stream_idle,
            max: received_at + settings.stream_max,
            received_at,
            first_event_at: None,
            last_event_at: None,
        }
    }

    /// Until when the next event may be waited for: the deadline before the first, then the longest silence.
    pub(super) fn limit(&self) -> Instant {
        match self.last_event_at {
            None => self.deadline,
            Some(at) => (at + self.idle).min(self.max),
        }
    }

    fn note_event(&mut self) {
        self.last_event_at = Some(clock::instant());
        self.first_event_at = self.first_event_at.or(self.last_event_at);
    }

    /// The code of the limit that has passed.
    pub(super) fn code(&self) -> &'static str {
        match self.last_event_at {
            None => "REQUEST_DEADLINE",
            Some(at) if at + self.idle < self.max => "STREAM_IDLE",
            Some(_) => "STREAM_MAX",
        }
    }

    /// An attempt begins: a silence that ended the one before does not count against it.
    fn begin(&mut self) {
        if self.last_event_at.is_some() {
            self.note_event();
        }
        self.first_event_at = None;
    }

    /// How long the attempt's first event was in coming, from the message on.
    pub(super) fn first_event_after(&self) -> Option<Duration> {
        self.first_event_at.map(|at| at.duration_since(self.received_at))
    }

    /// Whether nothing may be begun any more.
    pub(super) fn is_over(&self) -> bool {
        clock::instant() >= if self.last_event_at.is_some() { self.max } else { self.deadline }
    }
}

/// What one chat has shown so far, and where.
pub(super) struct Progress {
    pub(super) out: Out,
    pub(super) patience: Patience,
    /// Visible text went out, or a call: from here on nothing can start again (P27).
    pub(super) shown: bool,
    /// When the attempt under way began.
    pub(super) begun_at: Instant,
    /// How long the attempt under way was silent before its first event.
    pub(super) first_after: Option<Duration>,
    /// White space before the first visible text: shows nothing by itself, so that it goes out with what follows.
    blank: String,
    /// Bytes of text that the answer may still have.
    room: usize,
}

impl Progress {
    pub(super) fn new(out: Out, patience: Patience) -> Self {
        let begun_at = clock::instant();
        Self {
            out,
            patience,
            shown: false,
            begun_at,
            first_after: None,
            blank: String::new(),
            room: TEXT_LIMIT,
        }
    }

    /// An attempt begins: nothing of the one before is shown.
    fn begin(&mut self) {
        self.patience.begin();
        self.begun_at = clock::instant();
        self.first_after = None;
        self.blank.clear();
        self.room = TEXT_LIMIT;
    }

    /// Whether the answer is as long as one may be.
    fn is_full(&self) -> bool {
        self.room == 0
    }

    /// Hands an event on. The receiver lives as long as we do, so this cannot fail.
    pub(super) async fn emit(&mut self, event: ChatEvent) {
        drop(self.out.send(Ok(event)).await);
    }

    async fn emit_pieces(&mut self, pieces: &mut Vec<Piece>, notices: &mut Vec<Notice>) {
        pieces.dedup_by(|later, earlier| *later == Piece::Reasoning && *earlier == Piece::Reasoning);
        for mut piece in pieces.drain(..) {
            self.patience.note_event();
            self.first_after.get_or_insert_with(|| self.begun_at.elapsed());
            if let Piece::Text(text) = &mut piece {
                let fits = text.floor_char_boundary(self.room);
                self.room = if fits == text.len() { self.room - fits } else { 0 };
                text.truncate(fits);
            }
            match piece {
                Piece::Text(text) if text.is_empty() => {}
                Piece::Reasoning => self.emit(ChatEvent::Reasoning).await,
                Piece::Call(call) => {
                    self.tell(notices).await;
                    // Whoever reads it may act on it.
                    self.shown = true;
                    self.emit(ChatEvent::Call(call)).await;
                }
                Piece::Text(text) if !self.shown && text.trim().is_empty() => self.blank.push_str(&text),
                Piece::Text(text) => {
                    let text = std::mem::take(&mut self.blank) + &text;
                    self.tell(notices).await;
                    self.shown = true;
                    self.emit(ChatEvent::Text(text)).await;
                }
            }
        }
    }

    async fn tell(&mut self, notices: &mut Vec<Notice>) {
        for notice in notices.drain(..) {
            self.emit(ChatEvent::Notice(notice)).await;
        }
    }
}

/// What is attempted, with whom.
pub(super) struct Attempt<'a> {
    pub(super) parts: &'a LlmParts,
    pub(super) row: &'a Provider,
    pub(super) lease: &'a Lease,
    pub(super) ask: Ask<'a>,
    /// Said before the first text: who answers, and what of the conversation it does not see.
    pub(super) notices: Vec<Notice>,
    /// Upstream requests that may still fail by 5xx or timeout (P24).
    pub(super) faults_left: &'a mut u8,
    /// It may be silent for one part in this many of the time, then whoever else is ready has the rest.
    pub(super) share: u32,
}

impl Attempt<'_> {
    /// What is wanted of a provider, with the project that its envelope needs.
    pub(super) fn ask<'a>(
        request: &'a super::ChatRequest,
        model: &'a ModelRef,
        row: &'a Provider,
        lease: &'a Lease,
    ) -> Ask<'a> {
        let project = row.project_of(lease.facts.project_id.as_deref());
        Ask { request, model: &model.model, project, quirks: &row.quirks }
    }

    /// Runs it. `elsewhere` is asked when its share of the time has passed in silence: whether somebody else could answer.
    pub(super) async fn run(
        mut self,
        progress: &mut Progress,
        elsewhere: impl Fn() -> bool,
    ) -> Result<End, Fault> {
        let call = wire::encode(self.row.wire, self.ask);
        progress.begin();
        let limit = progress.patience.limit();
        let now = clock::instant();
        let turn = now + limit.saturating_duration_since(now) / self.share;
        let body = patient(turn, limit, self.send(&call), &elsewhere).await??;
        self.read(body, progress, turn, &elsewhere).await
    }

    /// Sends to one base after the other: the next on no connection and 5xx, never on anything else.
    async fn send(&mut self, call: &Call) -> Result<BoxStream<'static, Result<Bytes, HttpError>>, Fault> {
        let mut bases = transport::bases(self.row, self.lease).into_iter().peekable();
        let mut role = "preferred";
        loop {
            let base = bases.next().expect("a provider has at least one base, and the last one returns");
            let LlmParts { http, clock, .. } = self.parts;
            let fault = match transport::send(http, clock.as_ref(), self.row, self.lease, &base, call).await {
                Ok(Reply::Stream(body)) => {
                    tracing::debug!(provider = %self.row.id, host.role = role, "A provider's host answers");
                    return Ok(body);
                }
                Ok(Reply::Refusal { status, headers, body }) => {
                    let answer = ErrorAnswer { status, headers: &headers, body: &body };
                    classify::classify(self.row, answer, clock.now())
                }
                Err(error) => Fault::new(Scope::Provider, connection_code(&error)),
            };
            if fault.scope != Scope::Provider || bases.peek().is_none() || *self.faults_left <= 1 {
                return Err(fault);
            }
            *self.faults_left -= 1;
            Tally::begin(self.parts, self.row).end_as(&fault);
            role = "fallback";
            self.parts.metrics.count(&metrics::HOST_FALLBACKS, [self.row.id.as_str()]);
        }
    }

    async fn read(
        &mut self,
        mut body: BoxStream<'static, Result<Bytes, HttpError>>,
        progress: &mut Progress,
        turn: Instant,
        elsewhere: impl Fn() -> bool,
    ) -> Result<End, Fault> {
        let mut decoder = Decoder::new(self.row.wire, &self.row.quirks);
        let mut pieces = Vec::new();
        let mut silent = true;
        while !decoder.is_done() {
            let limit = progress.patience.limit();
            let next = if decoder.is_finishing() {
                timeout_at(limit.min(clock::instant() + LINGER), body.next()).await.unwrap_or(None)
            } else if silent {
                patient(turn, limit, body.next(), &elsewhere).await?
            } else {
                let late =
                    |_| Fault::new(Scope::Broken(FailureClass::ProviderDown), progress.patience.code());
                timeout_at(limit, body.next()).await.map_err(late)?
            };
            let bytes = match next {
                Some(Ok(bytes)) => bytes,
                Some(Err(_)) if decoder.is_finishing() => break,
                Some(Err(error)) => {
                    let scope = Scope::Broken(FailureClass::ProviderDown);
                    return Err(Fault::new(scope, connection_code(&error)));
                }
                None => break,
            };
            let result = decoder.push(&bytes, &mut pieces);
            if silent && !pieces.is_empty() {
                silent = false;
                self.lease.answering();
            }
            progress.emit_pieces(&mut pieces, &mut self.notices).await;
            if progress.is_full() {
                break;
            }
            result.map_err(|fault| self.fault(fault))?;
        }
        if progress.is_full() && progress.shown {
            return Ok(End { finish: Finish::Length, usage: None });
        }
        let end = decoder.finish(&mut pieces);
        progress.emit_pieces(&mut pieces, &mut self.notices).await;
        let end = end.map_err(|fault| self.fault(fault))?;
        match end.finish {
            _ if progress.shown && progress.is_full() => Ok(End { finish: Finish::Length, ..end }),
            _ if progress.shown => Ok(end),
            Finish::Filtered(code) => Err(Fault::new(Scope::Request(FailureClass::Blocked), code)),
            Finish::Other(code) => Err(Fault::new(Scope::Empty, code)),
            Finish::Stop | Finish::Length => Err(Fault::new(Scope::Empty, "EMPTY")),
        }
    }

    fn fault(&self, fault: WireFault) -> Fault {
        let malformed = || Scope::Broken(FailureClass::Malformed);
        match fault {
            WireFault::Upstream(body) => {
                let answer = ErrorAnswer { status: 200, headers: &HeaderMap::default(), body: &body };
                let fault = classify::classify(self.row, answer, self.parts.clock.now());
                let is_plain = fault.code == http_code(200);
                if is_plain { Fault::new(fault.scope, "ERROR_IN_ANSWER") } else { fault }
            }
            WireFault::Malformed => Fault::new(malformed(), "MALFORMED"),
            WireFault::TooLong => Fault::new(malformed(), "ANSWER_TOO_LONG"),
            WireFault::Unfinished => Fault::new(Scope::Broken(FailureClass::ProviderDown), "UNFINISHED"),
            WireFault::Empty => Fault::new(Scope::Empty, "EMPTY"),
            // The words may be the model's own, which a person can have it say: nobody else is kept from asking.
            WireFault::VersionRefused => Fault::new(Scope::Client, "CLIENT_VERSION_TEXT"),
        }
    }
}

/// Waits until the limit; gives up at its turn where somebody else could answer instead.
async fn patient<T>(
    turn: Instant,
    limit: Instant,
    work: impl Future<Output = T>,
    elsewhere: impl Fn() -> bool,
) -> Result<T, Fault> {
    let mut work = std::pin::pin!(work);
    if turn > clock::instant() {
        if let Ok(value) = timeout_at(turn, &mut work).await {
            return Ok(value);
        }
        if elsewhere() {
            return Err(Fault::new(Scope::Slow, "SLOW"));
        }
    }
    timeout_at(limit, work).await.map_err(|_| Fault::new(Scope::Slow, "TIMEOUT"))
}

fn connection_code(error: &HttpError) -> &'static str {
    match error {
        HttpError::Connect => "NO_CONNECTION",
        HttpError::Timeout => "TIMEOUT",
        HttpError::Broken => "CONNECTION_BROKEN",
        HttpError::Proxy | HttpError::OutOfReach { .. } => "OUT_OF_REACH",
    }
}
