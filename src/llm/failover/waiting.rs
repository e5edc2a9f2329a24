//! Nobody is left to ask: what that means, and whether waiting helps.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::{
    Run,
    missed::{self, Again, Missed},
};
use crate::{
    clock,
    llm::{
        ChatEvent, FailureClass, Notice,
        classify::{Fault, Scope},
    },
    pool::{LeaseError, RestCause},
    provider::{ModelRef, Provider},
};

/// Rests that one chat waits for and asks again after: a credential that is back and refuses again is believed.
const REST_LIMIT: u8 = 2;
/// The pause after a round in which providers failed; doubles.
const PAUSE: Duration = Duration::from_millis(250);

impl Run<'_> {
    /// What it means that nobody is left to ask.
    pub(super) fn nothing_to_lend(
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

    /// Waits for what is worth waiting for: a pause after an outage, or a rest that ends in time (P29).
    pub(super) async fn rest(
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
}

fn code_of(last: Option<Fault>, otherwise: &str) -> String {
    last.map_or_else(|| otherwise.to_owned(), |fault| fault.code)
}
