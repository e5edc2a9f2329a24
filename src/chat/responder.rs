//! One exchange: a model's events become a reply, whatever happens on the way.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

use super::{
    Answer, CallOutcome, Happening, Next, Pacers, Payload, Reply, ReplySink, SinkError, ToolStep,
    sentence::{self, Reader},
};
use crate::{
    language::Language,
    llm::{ChatEvent, ChatFailure, FailureClass, Finish, Notice, Usage},
    provider::ModelRef,
};

/// How long nothing may be seen of an answer before a line with a stop button stands in for it (D10). A model that begins
/// sooner pays no edit for it, and nobody sees a line that is gone at once.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// Discord shows typing for 10 s.
const TYPING_EVERY: Duration = Duration::from_secs(8);

/// What one exchange needs beside the model's events.
pub struct Exchange {
    /// The correlation id, as in the [`crate::llm::ChatRequest`].
    pub id: String,
    /// Where the reply goes.
    pub sink: Arc<dyn ReplySink>,
    /// Who decides when.
    pub pacers: Pacers,
    /// Whom failures are told to.
    pub reader: Reader,
    /// The language of whatever is said around the answer.
    pub language: Language,
    /// How long nothing may be seen of it before a line with a stop button stands in.
    pub patience: Duration,
    /// Small lines that whoever prepares the question wants below the answer.
    pub asides: Asides,
    /// Cancelled when somebody stops the answer.
    pub stop: CancellationToken,
    /// Cancelled when the process ends.
    pub drain: CancellationToken,
}

/// Small lines below an answer, collected while it is prepared. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Asides(Arc<Mutex<Vec<String>>>);

impl Asides {
    /// Adds one.
    pub fn add(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The answer is complete, or as complete as the model made it.
    Finished(Finish),
    /// It failed; the person was told.
    Failed(ChatFailure),
    /// Somebody stopped it.
    Stopped,
    /// The process ends.
    Drained,
    /// The reply's place closes; the person was told.
    OutOfTime,
    /// The reply can no longer be shown.
    Unreachable(SinkError),
}

/// An exchange that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub ending: Ending,
    /// The model's text as it came.
    pub text: String,
    /// Tokens, where the provider said so.
    pub usage: Option<Usage>,
    /// Who answered, where that is known.
    pub model: Option<ModelRef>,
    /// Whether the reply's last state is visible.
    pub delivered: Result<(), SinkError>,
}

impl Exchange {
    /// Runs it to its end: returns once the reply's last state is visible, or cannot be made so. The events are
    /// dropped, and with them the upstream request, before the last state is sent.
    pub async fn run<S, E>(self, events: S) -> Ended
    where
        S: Stream<Item = Result<E, ChatFailure>> + Send,
        E: Into<Happening>,
    {
        let reply = self.pacers.open(Arc::clone(&self.sink));
        let mut progress = Progress::new(self.sink.limit(), self.language.clone());
        let ending = self.follow(events, &reply, &mut progress).await;
        let payloads = progress.last_payloads(&ending, self.reader, self.asides.lines());
        let delivered = match &ending {
            Ending::Unreachable(reason) => Err(reason.clone()),
            Ending::Finished(_)
            | Ending::Failed(_)
            | Ending::Stopped
            | Ending::Drained
            | Ending::OutOfTime => reply.finish(payloads).await,
        };
        let Progress { answer, usage, model, .. } = progress;
        Ended { ending, text: answer.text().to_owned(), usage, model, delivered }
    }

    /// Follows the events until something ends the exchange.
    async fn follow<S, E>(&self, events: S, reply: &Reply, progress: &mut Progress) -> Ending
    where
        S: Stream<Item = Result<E, ChatFailure>> + Send,
        E: Into<Happening>,
    {
        let mut events = std::pin::pin!(events);
        let mut typing = std::pin::pin!(keep_typing(self.sink.as_ref()));
        let mut patience = std::pin::pin!(tokio::time::sleep(self.patience));
        let mut is_patient = true;
        let mut closed = self.sink.closed();
        loop {
            let event = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ending::Stopped,
                reason = reply.ended() => return Ending::Unreachable(reason),
                () = self.drain.cancelled() => return Ending::Drained,
                () = &mut closed => return Ending::OutOfTime,
                () = &mut patience, if is_patient => {
                    is_patient = false;
                    progress.wait(sentence::thinking(&self.language));
                    progress.show(reply);
                    continue;
                }
                event = events.next() => event,
                () = &mut typing, if progress.answer.is_blank() => continue,
            };
            match event.map(|event| event.map(Into::into)) {
                Some(Ok(Happening::Model(ChatEvent::Text(text)))) => {
                    progress.answer.push(&text);
                    progress.show(reply);
                }
                Some(Ok(Happening::Model(ChatEvent::Reasoning | ChatEvent::Call(_)))) => {}
                Some(Ok(Happening::Model(ChatEvent::Notice(notice)))) => {
                    progress.note(notice);
                    progress.show(reply);
                }
                Some(Ok(Happening::Tool(step))) => {
                    progress.step(step);
                    progress.show(reply);
                }
                Some(Ok(Happening::Model(ChatEvent::Finished { finish, usage, model }))) => {
                    progress.usage = usage.or(progress.usage);
                    progress.model = Some(model);
                    return self.judge(finish, progress);
                }
                Some(Err(failure)) => return Ending::Failed(failure),
                None => return Ending::Failed(self.failure(FailureClass::Interrupted, "no end", progress)),
            }
        }
    }

    /// An answer without text is a failure, whatever the provider calls it.
    fn judge(&self, finish: Finish, progress: &Progress) -> Ending {
        if !progress.answer.is_blank() {
            return Ending::Finished(finish);
        }
        let (class, code) = match finish {
            Finish::Stop => (FailureClass::Empty, "empty".to_owned()),
            Finish::Length => (FailureClass::Empty, "length".to_owned()),
            Finish::Filtered(code) => (FailureClass::Blocked, code),
            Finish::Other(code) => (FailureClass::Empty, code),
        };
        Ending::Failed(self.failure(class, &code, progress))
    }

    fn failure(&self, class: FailureClass, code: &str, progress: &Progress) -> ChatFailure {
        let provider = progress.model.as_ref().map(|model| model.provider.clone());
        ChatFailure { id: self.id.clone(), class, provider, code: code.to_owned() }
    }
}

/// Shows typing for as long as it is polled.
async fn keep_typing(sink: &dyn ReplySink) {
    loop {
        sink.typing().await;
        tokio::time::sleep(TYPING_EVERY).await;
    }
}

/// What came so far.
struct Progress {
    language: Language,
    answer: Answer,
    /// Stands in for the answer until there is one.
    waiting: Option<String>,
    /// The call under way, below what is there of the answer; its number where it waits for a permission.
    calling: Option<(String, Option<u32>)>,
    /// The call that is being made.
    running: Option<String>,
    /// The calls that are over, and how.
    called: Vec<(String, CallOutcome)>,
    /// That no more calls could be made.
    spent: Option<String>,
    /// Small lines below the finished answer.
    notes: Vec<String>,
    usage: Option<Usage>,
    model: Option<ModelRef>,
}

impl Progress {
    fn new(limit: usize, language: Language) -> Self {
        let answer = Answer::new(limit, language.clone());
        Self {
            language,
            answer,
            waiting: None,
            calling: None,
            running: None,
            called: Vec::new(),
            spent: None,
            notes: Vec::new(),
            usage: None,
            model: None,
        }
    }

    fn note(&mut self, notice: Notice) {
        let line = sentence::notice(&self.language, &notice);
        match notice {
            Notice::Fallback { used, .. } => {
                self.model = Some(used);
                // Only who answers in the end counts.
                self.notes = vec![line];
            }
            // Each step with tools tells it anew.
            Notice::Unseen { .. } if self.notes.contains(&line) => {}
            Notice::Unseen { .. } => self.notes.push(line),
            Notice::Resting { .. } => self.waiting = Some(line),
        }
    }

    fn step(&mut self, step: ToolStep) {
        match step {
            ToolStep::Running { call } => {
                self.calling = Some((sentence::calling(&self.language, &call), None));
                self.running = Some(call);
            }
            ToolStep::Asking { number, call } => {
                self.calling = Some((sentence::asking(&self.language, &call), Some(number)));
            }
            ToolStep::Over { call, outcome } => {
                (self.calling, self.running) = (None, None);
                self.called.push((call, outcome));
            }
            ToolStep::Spent { steps } => self.spent = Some(sentence::spent(&self.language, steps)),
            ToolStep::Used { usage } => self.usage = Some(usage),
        }
    }

    /// Says something in the answer's place, unless something is said already.
    fn wait(&mut self, line: String) {
        self.waiting.get_or_insert(line);
    }

    fn show(&self, reply: &Reply) {
        let mut payloads = match &self.calling {
            None => self.answer.growing(),
            Some((line, asks)) => {
                let mut payloads = self.answer.growing_above(line);
                if let Some(last) = payloads.last_mut() {
                    last.asks = *asks;
                }
                payloads
            }
        };
        if let (true, Some(text)) = (payloads.is_empty(), &self.waiting) {
            let text = text.clone();
            payloads.push(Payload { text, streaming: true, stands_in: true, ..Payload::default() });
        }
        if !payloads.is_empty() {
            reply.update(payloads);
        }
    }

    /// The reply's last state. Never empty: nothing is left that looks as if more would come.
    fn last_payloads(&self, ending: &Ending, reader: Reader, asides: Vec<String>) -> Vec<Payload> {
        let mut below: Vec<String> = if self.answer.is_blank() {
            Vec::new()
        } else {
            self.notes.iter().chain(&self.spent).cloned().collect()
        };
        below.extend(asides);
        // Also below a failure: what was done is done.
        let mut called = self.called.clone();
        called.extend(self.running.clone().map(|call| (call, CallOutcome::Broken)));
        below.extend(sentence::called(&self.language, &called));
        match ending {
            Ending::Finished(finish) => below.extend(sentence::ending(&self.language, finish)),
            Ending::Failed(failure) => below.push(sentence::failure(&self.language, failure, reader)),
            Ending::Stopped => below.push(sentence::stopped(&self.language)),
            Ending::Drained => below.push(sentence::drained(&self.language)),
            Ending::OutOfTime => below.push(sentence::out_of_time(&self.language)),
            Ending::Unreachable(_) => {}
        }
        let mut payloads = self.answer.finished(&below);
        if let Some(last) = payloads.last_mut() {
            last.next = self.next(ending);
        }
        payloads
    }

    /// What the person may want then.
    fn next(&self, ending: &Ending) -> Next {
        match ending {
            Ending::Finished(Finish::Stop | Finish::Filtered(_) | Finish::Other(_)) => Next::Regenerate,
            Ending::Failed(_) | Ending::Stopped | Ending::Drained | Ending::OutOfTime
                if self.answer.is_blank() =>
            {
                Next::Retry
            }
            Ending::Finished(Finish::Length)
            | Ending::Failed(_)
            | Ending::Stopped
            | Ending::Drained
            | Ending::OutOfTime => Next::Continue,
            Ending::Unreachable(_) => Next::Nothing,
        }
    }
}
