//! Goes on to the next credential, then to the next provider, until somebody answers or nobody can (P21 to P31).

mod missed;
mod outcome;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures::{
    channel::mpsc,
    sink::SinkExt,
    stream::{self, StreamExt},
};
use tokio::{sync::watch, time::timeout_at};

use self::missed::{Again, Missed};
use super::{
    ChatEvent, ChatFailure, ChatRequest, ChatStream, FailureClass, LlmParts, Notice,
    attempt::{Attempt, Patience, Progress},
    catalog,
    classify::{Fault, Scope},
    tally::{self, Tally},
    wire::End,
};
use crate::{
    clock,
    credential::CredentialId,
    pool::{Lease, LeaseError, Outcome, RestCause, Want},
    provider::{ModelRef, Provider, ProviderId},
    telemetry::metrics,
};

/// Upstream requests of one chat that may fail by 5xx, timeout or a broken stream (P24).
const FAULT_LIMIT: u8 = 4;
/// How often somebody is asked after a pause or a rest.
const ROUND_LIMIT: u32 = 6;
/// Rests that one chat waits for and asks again after: a credential that is back and refuses again is believed.
const REST_LIMIT: u8 = 2;
/// The pause after a round in which providers failed; doubles.
const PAUSE: Duration = Duration::from_millis(250);

/// The events of one chat. No task of its own: the work is polled with the stream and dropped with it (D10).
pub(super) fn stream(parts: Arc<LlmParts>, request: ChatRequest) -> ChatStream {
    let (out, events) = mpsc::channel(1);
    let work = async move {
        let mut failures = out.clone();
        let progress = Progress::new(out, Patience::new(request.received_at, &parts.settings));
        let run = Run {
            parts: &parts,
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
    request: &'a ChatRequest,
    progress: Progress,
    faults_left: u8,
    /// Credentials that were asked in this round.
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
    model: ModelRef,
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
            self.tried.clear();
            openings.mark_unchanged();
            let asked = self.asked;
            let mut missed = Vec::new();
            for model in &plan {
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

    /// Asks the credentials of one provider, one after the other.
    async fn ask_provider(&mut self, model: &ModelRef, wanted: &ModelRef, plan: &[ModelRef]) -> Step {
        let missed = |class, code: &str, again| Missed {
            provider: model.provider.clone(),
            class,
            code: code.to_owned(),
            again,
        };
        let Some(row) = self.parts.providers.get(&model.provider) else {
            return Step::Next(missed(FailureClass::UnknownModel, "NO_PROVIDER", Again::No));
        };
        if let Some(why) = self.given_up.iter().find(|why| why.provider == row.id) {
            return Step::Next(why.clone());
        }
        let mut last: Option<Fault> = None;
        let mut again: Option<CredentialId> = None;
        let mut unclear: Option<Fault> = None;
        let mut broken = 0;
        loop {
            if self.progress.patience.is_over() {
                return Step::Stop(self.out_of_time(&row.id));
            }
            let same = again.take();
            let lease = match self.lease(model, same.as_ref()).await {
                None => return Step::Stop(self.out_of_time(&row.id)),
                Some(Ok(lease)) => lease,
                Some(Err(_)) if same.is_some() => {
                    self.tried.extend(same);
                    continue;
                }
                Some(Err(error)) => {
                    if let Some(fault) = unclear {
                        return Step::Next(self.give_up(missed(fault.class(), &fault.code, Again::No)));
                    }
                    let (class, code, again) = self.nothing_to_lend(row, error, last);
                    return Step::Next(missed(class, &code, again));
                }
            };
            let credential = lease.credential.clone();
            self.tried.push(credential.clone());
            self.asked += 1;
            let fault = match self.attempt(row, model, wanted, plan, &lease).await {
                Ok(end) => {
                    lease.complete(Outcome::Success);
                    self.judge_suspect(model);
                    let End { finish, usage } = end;
                    let finished = ChatEvent::Finished { finish, usage, model: model.clone() };
                    self.progress.emit(finished).await;
                    return Step::Answered;
                }
                Err(fault) => outcome::without_bearer(fault, &lease),
            };
            self.failed = Some(tally::Missed::of(&lease, &fault));
            // The pool says at `info` what speaks against a credential.
            tracing::debug!(
                request.id = %self.request.id,
                provider = %row.id,
                credential.id = %credential,
                model = %model.model,
                failure.code = %fault.code,
                "A credential could not answer"
            );
            if self.progress.shown {
                lease.complete(outcome::of(&fault));
                return Step::Stop(self.failure(FailureClass::Interrupted, Some(&row.id), &fault.code));
            }
            if fault.scope == Scope::Unauthorized && !self.refreshed.contains(&credential) {
                self.refreshed.push(credential.clone());
                if self.refresh(lease).await {
                    self.tried.retain(|tried| *tried != credential);
                    again = Some(credential);
                }
                last = Some(fault);
                continue;
            }
            if fault.scope == Scope::Slow {
                let silent = self.progress.begun_at.elapsed();
                self.suspect = Some(Suspect { lease, model: model.clone(), silent });
            } else {
                lease.complete(outcome::of(&fault));
            }
            match &fault.scope {
                Scope::Request(class) => {
                    return Step::Stop(self.failure(class.clone(), Some(&row.id), &fault.code));
                }
                Scope::Capacity | Scope::Client => {
                    return Step::Next(self.give_up(missed(fault.class(), &fault.code, Again::No)));
                }
                Scope::Unclear => {
                    if unclear.is_some() {
                        return Step::Next(self.give_up(missed(fault.class(), &fault.code, Again::No)));
                    }
                    unclear = Some(fault.clone());
                }
                Scope::Provider | Scope::Broken(_) | Scope::Slow => {
                    self.faults_left = self.faults_left.saturating_sub(1);
                    self.faulty.push(row.id.clone());
                    broken += 1;
                    if self.progress.patience.is_over() {
                        return Step::Stop(self.out_of_time(&row.id));
                    }
                    if self.faults_left == 0 {
                        return Step::Stop(self.failure(fault.class(), Some(&row.id), &fault.code));
                    }
                    let slow = fault.scope == Scope::Slow;
                    self.has_hurried |= slow;
                    let stays = slow && !is_ready_elsewhere(self.parts, &self.given_up, model, plan);
                    // A stream that broke may be this connection's fault; 5xx is the provider's.
                    if fault.scope == Scope::Provider || (slow && !stays) || broken == 2 {
                        return Step::Next(missed(fault.class(), &fault.code, Again::Soon));
                    }
                }
                Scope::Empty => {
                    self.empties += 1;
                    if self.empties == 2 {
                        return Step::Stop(self.failure(FailureClass::Empty, Some(&row.id), &fault.code));
                    }
                }
                Scope::Model(_)
                | Scope::ModelMissing
                | Scope::Credential(_)
                | Scope::Unauthorized
                | Scope::Refused(_) => {}
            }
            last = Some(fault);
        }
    }

    /// Borrows the next credential, or the very one that was just refreshed. `None`: no time is left.
    async fn lease(
        &self,
        model: &ModelRef,
        again: Option<&CredentialId>,
    ) -> Option<Result<Lease, LeaseError>> {
        let exclude = match again {
            None => self.tried.clone(),
            Some(this) => {
                let all = self.parts.pool.snapshot().credentials;
                all.into_iter().map(|view| view.id).filter(|id| id != this).collect()
            }
        };
        let until = self.progress.patience.limit();
        let want = Want { provider: model.provider.clone(), model: model.model.clone(), exclude, until };
        timeout_at(until, self.parts.pool.lease(&want)).await.ok()
    }

    async fn attempt(
        &mut self,
        row: &Provider,
        model: &ModelRef,
        wanted: &ModelRef,
        plan: &[ModelRef],
        lease: &Lease,
    ) -> Result<End, Fault> {
        if let Some(failed) = self.failed.take() {
            failed.followed_by(lease, self.parts);
        }
        let (parts, tried, given_up) = (self.parts, &self.tried, &self.given_up);
        let is_peer_ready = || parts.pool.has_ready_besides(&model.provider, &model.model, tried);
        let is_other_ready = || is_ready_elsewhere(parts, given_up, model, plan);
        // A model is as slow with the next credential of its provider, which therefore needs the larger part.
        let share = if is_peer_ready() && !is_other_ready() { 3 } else { 2 };
        let may_hurry = !self.has_hurried;
        let elsewhere = || may_hurry && (is_other_ready() || is_peer_ready());
        let attempt = Attempt {
            parts: self.parts,
            row,
            lease,
            ask: Attempt::ask(self.request, model, row, lease),
            notice: (model != wanted)
                .then(|| Notice::Fallback { wanted: wanted.clone(), used: model.clone() }),
            faults_left: &mut self.faults_left,
            share,
        };
        let tally = Tally::begin(parts, row);
        let result = attempt.run(&mut self.progress, elsewhere).await;
        tally.end(&result, &self.progress);
        result
    }

    /// The one forced refresh after a 401 (P31). Whether another token may be tried now.
    async fn refresh(&self, lease: Lease) -> bool {
        let until = self.progress.patience.limit();
        let outcome = match timeout_at(until, self.parts.pool.refresh_after_401(&lease, until)).await {
            Ok(Ok(())) | Err(_) => {
                lease.complete(Outcome::Neutral);
                return true;
            }
            Ok(Err(error)) => outcome::after_failed_refresh(error),
        };
        lease.complete(outcome);
        false
    }

    /// What it means that nobody is left to ask.
    fn nothing_to_lend(
        &self,
        row: &Provider,
        error: LeaseError,
        last: Option<Fault>,
    ) -> (FailureClass, String, Again) {
        match (error, last) {
            (LeaseError::Resting { until, cause }, last) => match cause {
                RestCause::Quota => {
                    (FailureClass::Resting { until }, code_of(last, "ALL_RESTING"), Again::At(until))
                }
                RestCause::Fault => {
                    // What failed for us a moment ago and now rests would keep the person waiting for a sure failure.
                    let again = if self.faulty.contains(&row.id) { Again::No } else { Again::At(until) };
                    (FailureClass::ProviderDown, code_of(last, "ALL_RESTING"), again)
                }
                RestCause::Key => (FailureClass::NeedsOperator, code_of(last, "KEY_REFUSED"), Again::No),
                RestCause::Unavailable => {
                    (FailureClass::UnknownModel, code_of(last, "MODEL_UNAVAILABLE"), Again::No)
                }
            },
            // Had all of them a rest before them, the pool would have said until when: one is back already.
            (LeaseError::AllTried, Some(fault))
                if matches!(fault.scope, Scope::Model(_) | Scope::Credential(_)) =>
            {
                let until = self.parts.clock.now();
                (FailureClass::Resting { until }, fault.code, Again::At(until))
            }
            (_, Some(fault)) => {
                let again = match fault.scope {
                    Scope::Provider | Scope::Broken(_) | Scope::Slow => Again::Soon,
                    Scope::Request(_)
                    | Scope::Unclear
                    | Scope::Model(_)
                    | Scope::ModelMissing
                    | Scope::Capacity
                    | Scope::Credential(_)
                    | Scope::Unauthorized
                    | Scope::Refused(_)
                    | Scope::Client
                    | Scope::Empty => Again::No,
                };
                (fault.class(), fault.code, again)
            }
            (LeaseError::NothingConfigured | LeaseError::AllTried, None) => {
                (FailureClass::NothingConfigured, "NO_CREDENTIAL".to_owned(), Again::No)
            }
            (LeaseError::NeedsOperator { .. }, None) => {
                (FailureClass::NeedsOperator, "NEEDS_OPERATOR".to_owned(), Again::No)
            }
            (LeaseError::Stale { .. }, None) => {
                (FailureClass::ProviderDown, "STALE_TOKEN".to_owned(), Again::No)
            }
        }
    }

    /// Somebody answered. Was it sooner than a credential that was given up had been silent, with the same model, then that
    /// one is slow by itself, which counts as a fault; otherwise the model is, and nobody is blamed.
    fn judge_suspect(&mut self, model: &ModelRef) {
        let Some(Suspect { lease, model: slow, silent }) = self.suspect.take() else { return };
        if slow == *model && self.progress.first_after.is_some_and(|first| first < silent) {
            lease.complete(Outcome::ProviderFault { reason: "SLOW".to_owned() });
        }
    }

    /// Waits for what is worth waiting for: a pause after an outage, or a rest that ends in time (P29).
    async fn rest(
        &mut self,
        missed: &[Missed],
        plan: &[ModelRef],
        rounds: u32,
        openings: &mut watch::Receiver<u64>,
    ) -> bool {
        let (now, limit) = (self.parts.clock.now(), self.progress.patience.limit());
        let wait = |until: DateTime<Utc>| (until - now).to_std().unwrap_or_default().max(PAUSE);
        let back = missed::first_back(missed).filter(|until| clock::instant() + wait(*until) < limit);
        let may_pass = |(why, model): &(&Missed, &ModelRef)| {
            why.again == Again::Soon && self.parts.pool.has_ready(&model.provider, &model.model)
        };
        let mut soon: Vec<Missed> =
            missed.iter().zip(plan).filter(may_pass).map(|(why, _)| why.clone()).collect();
        if back.is_some() && usize::from(self.faults_left) <= soon.len() {
            // The last tries belong to those who only rest.
            self.given_up.extend(soon.drain(..).map(|why| Missed { again: Again::No, ..why }));
        }
        let pause = (!soon.is_empty()).then(|| PAUSE * 2_u32.pow(rounds.saturating_sub(1)));
        let Some(wait) = pause.into_iter().chain(back.map(wait)).min() else { return false };
        let until = clock::instant() + wait;
        if until >= limit {
            return false;
        }
        match (pause, back) {
            (None, Some(back)) => {
                let (count, last) = self.rests;
                self.rests = (count + u8::from(rounds > last), rounds);
                if self.rests.0 > REST_LIMIT {
                    return false;
                }
                if !std::mem::replace(&mut self.has_rested, true) {
                    self.progress.emit(ChatEvent::Notice(Notice::Resting { until: back })).await;
                }
                tokio::select! {
                    () = tokio::time::sleep_until(until) => {}
                    Ok(()) = openings.changed() => {}
                }
            }
            (Some(_), _) | (None, None) => tokio::time::sleep_until(until).await,
        }
        true
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

/// Whether a provider that comes after this one in the plan could answer.
fn is_ready_elsewhere(parts: &LlmParts, given_up: &[Missed], model: &ModelRef, plan: &[ModelRef]) -> bool {
    let next = plan.iter().skip_while(|other| *other != model).skip(1);
    let mut others = next.filter(|other| given_up.iter().all(|why| why.provider != other.provider));
    others.any(|other| parts.pool.has_ready(&other.provider, &other.model))
}

fn code_of(last: Option<Fault>, otherwise: &str) -> String {
    last.map_or_else(|| otherwise.to_owned(), |fault| fault.code)
}
