//! One provider: its credentials asked one after the other, until one answers or what failed says to go elsewhere.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::time::timeout_at;

use super::{
    Run, Step, Suspect,
    missed::{Again, Missed},
    outcome,
};
use crate::{
    credential::CredentialId,
    llm::{
        ChatEvent, ChatRequest, FailureClass, LlmParts, Notice,
        attempt::Attempt,
        classify::{Fault, Scope},
        floor::{self, Floors},
        tally::{self, Tally},
        wire::End,
    },
    pool::{Lease, LeaseError, Outcome, Want},
    provider::{ModelRef, Provider},
};

impl Run<'_> {
    /// Asks the credentials of one provider, one after the other.
    pub(super) async fn ask_provider(
        &mut self,
        model: &ModelRef,
        wanted: &ModelRef,
        plan: &[ModelRef],
    ) -> Step {
        let missed = |class, code: &str, again| Missed {
            provider: model.provider.clone(),
            model: None,
            class,
            code: code.to_owned(),
            again,
        };
        let Some(row) = self.parts.providers.get(&model.provider) else {
            return Step::Next(missed(FailureClass::UnknownModel, "NO_PROVIDER", Again::No));
        };
        if let Some(why) = self.given_up.iter().find(|why| why.covers(model)) {
            return Step::Next(why.clone());
        }
        if self.floors.holds(row) {
            return Step::Next(self.give_up(missed(FailureClass::ClientVersion, floor::CODE, Again::No)));
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
                    self.judge_suspect();
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
                self.suspect = Some(Suspect { lease, silent });
            } else {
                lease.complete(outcome::of(&fault));
            }
            match &fault.scope {
                Scope::Request(class) => {
                    return Step::Stop(self.failure(class.clone(), Some(&row.id), &fault.code));
                }
                Scope::Capacity | Scope::Client => {
                    if fault.code == floor::CODE {
                        self.floors.hold(row);
                    }
                    // Another model of the same provider may have capacity.
                    let model = (fault.scope == Scope::Capacity).then(|| model.model.clone());
                    let missed = missed(fault.class(), &fault.code, Again::No);
                    return Step::Next(self.give_up(Missed { model, ..missed }));
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
                    let stays =
                        slow && !is_ready_elsewhere(self.parts, self.floors, &self.given_up, model, plan);
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
        let until = self.progress.patience.limit();
        let want = Want {
            exclude: self.tried.clone(),
            only: again.cloned(),
            session: Some(session(&self.request.conversation)),
            ..Want::new(model.provider.clone(), &model.model, until)
        };
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
        let (parts, floors, tried, given_up) = (self.parts, self.floors, &self.tried, &self.given_up);
        let is_peer_ready = || parts.pool.has_ready_besides(&model.provider, &model.model, tried);
        let is_other_ready = || is_ready_elsewhere(parts, floors, given_up, model, plan);
        // A model is as slow with the next credential of its provider, which therefore needs the larger part.
        let share = if is_peer_ready() && !is_other_ready() { 3 } else { 2 };
        let may_hurry = !self.has_hurried;
        let elsewhere = || may_hurry && (is_other_ready() || is_peer_ready());
        let (request, unseen) = self.request.shown_to(row, &model.model);
        let request = ChatRequest::callable_by(request, row, &model.model);
        let fallback =
            (model != wanted).then(|| Notice::Fallback { wanted: wanted.clone(), used: model.clone() });
        let blind = unseen.map(|what| Notice::Unseen { model: model.clone(), what });
        let attempt = Attempt {
            parts: self.parts,
            row,
            lease,
            ask: Attempt::ask(&request, model, row, lease),
            notices: fallback.into_iter().chain(blind).collect(),
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

    /// Somebody answered. Was it sooner than one that was given up had been silent, then that one is slow by itself, which
    /// counts as a fault; otherwise everybody is slow, and nobody is blamed.
    fn judge_suspect(&mut self) {
        let Some(Suspect { lease, silent }) = self.suspect.take() else { return };
        if self.progress.first_after.is_some_and(|first| first < silent) {
            lease.complete(Outcome::ProviderFault { reason: "SLOW".to_owned() });
        }
    }
}

/// Whether a provider that comes after this one in the plan could answer.
fn is_ready_elsewhere(
    parts: &LlmParts,
    floors: &Floors,
    given_up: &[Missed],
    model: &ModelRef,
    plan: &[ModelRef],
) -> bool {
    let is_held =
        |other: &ModelRef| parts.providers.get(&other.provider).is_some_and(|row| floors.holds(row));
    let next = plan.iter().skip_while(|other| *other != model).skip(1);
    let mut others = next.filter(|other| !is_held(other) && !given_up.iter().any(|why| why.covers(other)));
    others.any(|other| parts.pool.has_ready(&other.provider, &other.model))
}

/// What the pool knows a conversation by.
fn session(conversation: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    conversation.hash(&mut hasher);
    hasher.finish()
}
