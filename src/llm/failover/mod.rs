//! Goes on to the next credential, then to the next provider, until somebody answers or nobody can (P21 to P31).

mod asking;
mod missed;
mod outcome;
mod waiting;

use std::{sync::Arc, time::Duration};

use futures::{
    channel::mpsc,
    sink::SinkExt,
    stream::{self, StreamExt},
};

use self::missed::{Again, Missed};
use super::{
    ChatFailure, ChatRequest, ChatStream, FailureClass, LlmParts,
    attempt::{Patience, Progress},
    catalog,
    floor::Floors,
    tally,
};
use crate::{credential::CredentialId, pool::Lease, provider::ProviderId, telemetry::metrics};

/// Upstream requests of one chat that may fail by 5xx, timeout or a broken stream (P24).
const FAULT_LIMIT: u8 = 4;
/// How often somebody is asked after a pause or a rest.
const ROUND_LIMIT: u32 = 6;

/// The events of one chat. No task of its own: the work is polled with the stream and dropped with it (D10).
pub(super) fn stream(parts: Arc<LlmParts>, floors: Arc<Floors>, request: ChatRequest) -> ChatStream {
    let (out, events) = mpsc::channel(1);
    let work = async move {
        let mut failures = out.clone();
        let progress = Progress::new(out, Patience::new(request.received_at, &parts.settings));
        let run = Run {
            parts: &parts,
            floors: &floors,
            request: &request,
            progress,
            faults_left: FAULT_LIMIT,
            tried: Vec::new(),
            refreshed: Vec::new(),
            given_up: Vec::new(),
            faulty: Vec::new(),
            asked: 0,
            empties: 0,
            rests: (0, 0),
            has_rested: false,
            has_hurried: false,
            failed: None,
            suspect: None,
        };
        let ended = run.rounds().await;
        let outcome = ended.as_ref().map_or_else(|failure| failure.class.code(), |()| "answered");
        parts.metrics.count(&metrics::CHATS, [outcome]);
        if let Err(failure) = ended {
            tracing::warn!(
                request.id = %failure.id,
                provider = failure.provider.as_ref().map(ProviderId::as_str),
                failure.class = failure.class.code(),
                failure.code = %failure.code,
                "Chat failed"
            );
            drop(failures.send(Err(failure)).await);
        }
    };
    stream::select(events, stream::once(work).filter_map(|()| std::future::ready(None))).boxed()
}

/// One chat under way.
struct Run<'a> {
    parts: &'a LlmParts,
    floors: &'a Floors,
    request: &'a ChatRequest,
    progress: Progress,
    faults_left: u8,
    /// Credentials that were asked for the model whose turn it is.
    tried: Vec<CredentialId>,
    /// Credentials whose one forced refresh is spent (P31).
    refreshed: Vec<CredentialId>,
    /// Providers that would say the same again, and what they said.
    given_up: Vec<Missed>,
    /// Providers that failed in this chat: a rest that this brought about is not waited for (P24).
    faulty: Vec<ProviderId>,
    /// Upstream requests, those of an attempt at several bases counted once.
    asked: u32,
    empties: u8,
    /// Rests that were waited for after somebody had been asked, and the round of the last one.
    rests: (u8, u32),
    /// The person knows that everybody rests.
    has_rested: bool,
    /// A slow attempt was given up for somebody else, which happens once: the next may take all the time.
    has_hurried: bool,
    /// What failed last, until somebody is asked next.
    failed: Option<tally::Missed>,
    suspect: Option<Suspect>,
}

/// A credential whose attempt was given up in silence.
struct Suspect {
    lease: Lease,
    /// How long it was silent.
    silent: Duration,
}

/// What to do after a provider.
enum Step {
    Answered,
    Stop(ChatFailure),
    Next(Missed),
}

impl Run<'_> {
    async fn rounds(mut self) -> Result<(), ChatFailure> {
        let LlmParts { settings, providers, pool, .. } = self.parts;
        let is_ready = |id: &ProviderId, model: &str| pool.has_ready(id, model);
        let Some(wanted) = catalog::wanted(self.request.model.as_ref(), settings, providers, is_ready) else {
            return Err(self.failure(FailureClass::NothingConfigured, None, "NO_PROVIDER"));
        };
        let plan = catalog::plan(&wanted, settings, providers);
        let mut openings = pool.openings();
        let mut rounds = 0;
        loop {
            openings.mark_unchanged();
            let asked = self.asked;
            let mut missed: Vec<Missed> = Vec::new();
            for model in &plan {
                // Another model of the same provider may have what this one lacked.
                self.tried.clear();
                // But an outage is the provider's, and the few faults that are allowed are better spent on another.
                let is_down = |why: &&Missed| {
                    why.provider == model.provider
                        && why.class == FailureClass::ProviderDown
                        && why.again == Again::Soon
                };
                if let Some(why) = missed.iter().find(is_down).cloned() {
                    missed.push(why);
                    continue;
                }
                match self.ask_provider(model, &wanted, &plan).await {
                    Step::Answered => return Ok(()),
                    Step::Stop(failure) => return Err(failure),
                    Step::Next(why) => missed.push(why),
                }
            }
            rounds += u32::from(self.asked > asked);
            if rounds == ROUND_LIMIT || !self.rest(&missed, &plan, rounds, &mut openings).await {
                return Err(self.summary(&missed));
            }
        }
    }

    /// The failure that helps the person most.
    fn summary(&self, missed: &[Missed]) -> ChatFailure {
        let Some(best) = missed::most_telling(missed) else {
            return self.failure(FailureClass::NothingConfigured, None, "NO_PROVIDER");
        };
        let provider = (best.class != FailureClass::NothingConfigured).then_some(&best.provider);
        self.failure(best.class.clone(), provider, &best.code)
    }

    /// The provider is not asked again by this chat.
    fn give_up(&mut self, why: Missed) -> Missed {
        self.given_up.push(why.clone());
        why
    }

    fn out_of_time(&self, provider: &ProviderId) -> ChatFailure {
        self.failure(FailureClass::DeadlineExceeded, Some(provider), self.progress.patience.code())
    }

    fn failure(&self, class: FailureClass, provider: Option<&ProviderId>, code: &str) -> ChatFailure {
        ChatFailure { id: self.request.id.clone(), class, provider: provider.cloned(), code: code.to_owned() }
    }
}
