//! What the background asks providers about accounts, beside the state machine: whose a login is, and what is left of its
//! quotas.
//!
//! Nothing of it makes a lease wait, and no answer cools or refuses a credential: one that does not come is asked for again
//! much later. Only credentials that are ready are asked about.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::{Inner, Pool, Quota, Snapshot, entry::Entry, links::Only, window::after};
use crate::{
    credential::{CredentialId, Facts, Fingerprint},
    provider::{AfterGrant, Provider, QuotaReadout},
    secret::Secret,
};

/// The first look: who chats at the start comes first.
const FIRST: Duration = Duration::from_secs(1);
/// From one look to the next.
const CYCLE: Duration = Duration::from_secs(15);
/// Questions at once, and in one look.
const AT_ONCE: usize = 2;
const PER_LOOK: usize = 32;
/// At once for a person who waits.
const AT_ONCE_BY_HAND: usize = 8;
/// A quota is read again so long after it was read, where it was used since, and else.
const USED: TimeDelta = TimeDelta::minutes(5);
const UNUSED: TimeDelta = TimeDelta::hours(1);
/// What was read longer ago is not shown.
const SHOWN: TimeDelta = TimeDelta::hours(2);
/// After the first question that was not answered; twice as long each time, up to the longest.
const AGAIN: Duration = Duration::from_mins(10);
const LONGEST: Duration = Duration::from_hours(24);

/// What was asked, and what was answered, by credential. Gone with the process.
#[derive(Debug, Default)]
pub(super) struct Inquiries {
    known: HashMap<CredentialId, Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    account: Next,
    /// The refresh token that the provider named an account for, and the account.
    named: Option<(Option<Fingerprint>, String)>,
    quota: Next,
    read: Option<Quota>,
}

/// When something may be asked again.
#[derive(Debug, Default)]
struct Next {
    at: Option<DateTime<Utc>>,
    failures: u32,
}

impl Next {
    fn is_due(&self, now: DateTime<Utc>) -> bool {
        // What lies further ahead than anything is put off was noted before the clock stepped back (P10).
        self.at.is_none_or(|at| at <= now || at > after(now, LONGEST + CYCLE))
    }

    fn answered(&mut self, at: DateTime<Utc>) {
        *self = Self { at: Some(at), failures: 0 };
    }

    fn missed(&mut self, now: DateTime<Utc>) {
        let pause = AGAIN.saturating_mul(1 << self.failures.min(10)).min(LONGEST);
        *self = Self { at: Some(after(now, pause)), failures: self.failures.saturating_add(1) };
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Account,
    Quota,
}

impl Inquiries {
    /// Adds what was read to a snapshot, as long as it says something.
    pub(super) fn show(&self, snapshot: &mut Snapshot) {
        if self.known.is_empty() {
            return;
        }
        let now = snapshot.taken_at;
        for credential in &mut snapshot.credentials {
            let read = self.known.get(&credential.id).and_then(|asked| asked.read.as_ref());
            credential.quota = read.filter(|quota| now - quota.read_at < SHOWN).cloned();
        }
    }

    /// What is to be asked about a credential now.
    fn due(
        &self,
        entry: &Entry,
        row: &Provider,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = Question> + use<> {
        let asked = self.known.get(&entry.credential.id);
        let is_due = |next: fn(&Asked) -> &Next| asked.is_none_or(|asked| next(asked).is_due(now));
        let account = can_name(row)
            && asked.map_or_else(|| entry.facts().account.is_none(), |asked| asked.lacks_account(entry))
            && is_due(|asked| &asked.account);
        let quota = row.quirks.quota != QuotaReadout::Nowhere
            && is_due(|asked| &asked.quota)
            && asked.is_none_or(|asked| asked.is_stale(entry, now));
        [account.then_some(Question::Account), quota.then_some(Question::Quota)].into_iter().flatten()
    }
}

impl Asked {
    /// Whether nobody knows whose it is, or what is known is of a login that was there before.
    fn lacks_account(&self, entry: &Entry) -> bool {
        let known = entry.facts().account;
        match &self.named {
            None => known.is_none(),
            Some((token, account)) => known.as_ref() == Some(account) && *token != entry.refresh_print(),
        }
    }

    /// Whether the quota was used since it was read, or may be another for other reasons.
    fn is_stale(&self, entry: &Entry, now: DateTime<Utc>) -> bool {
        let Some(quota) = &self.read else { return true };
        let was_used = entry.last_used_at.is_some_and(|at| at > quota.read_at);
        now - quota.read_at >= if was_used { USED } else { UNUSED }
    }
}

/// Whether the provider says whose a token is without doing anything else.
fn can_name(row: &Provider) -> bool {
    row.oauth().is_some_and(|spec| match spec.after_grant {
        // It brings the key that chats need, and is asked with each grant.
        AfterGrant::IflowApiKey => false,
        AfterGrant::Nothing
        | AfterGrant::CodeAssistProject
        | AfterGrant::QwenResourceUrl
        | AfterGrant::VertexProject => spec.userinfo_endpoint.is_some() && !spec.rotates,
    })
}

/// Asks until the end is asked for.
pub(super) async fn run(inner: Arc<Inner>) {
    let ending = inner.parts.shutdown.token().clone();
    let mut pause = FIRST;
    loop {
        tokio::select! {
            () = ending.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        tokio::select! {
            () = ending.cancelled() => return,
            () = inner.look_around() => pause = CYCLE,
        }
    }
}

impl Pool {
    /// Reads the quotas of every credential that is ready, now: for commands that look once and end. What does not come in
    /// time is not shown.
    pub async fn read_quotas(&self, until: Instant) {
        let inner = &self.inner;
        let all = inner.due().into_iter().filter(|(_, question)| *question == Question::Quota);
        let asked = stream::iter(all).for_each_concurrent(AT_ONCE_BY_HAND, |(id, question)| async move {
            inner.ask(&id, question).await;
        });
        // What was read until then is shown.
        drop(timeout_at(until, asked).await);
    }
}

impl Inner {
    /// What providers told. Its holder takes no other lock.
    pub(super) fn inquiries(&self) -> MutexGuard<'_, Inquiries> {
        self.inquiries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_around(&self) {
        self.follow_links(Only::Nothing).await;
        let due: Vec<_> = self.due().into_iter().take(PER_LOOK).collect();
        stream::iter(due)
            .for_each_concurrent(AT_ONCE, |(id, question)| async move { self.ask(&id, question).await })
            .await;
    }

    /// Who is to be asked about, and what, in the order of the pool.
    fn due(&self) -> Vec<(CredentialId, Question)> {
        let now = self.now();
        let set = self.set();
        let mut inquiries = self.inquiries();
        inquiries.known.retain(|id, _| set.get(id).is_some());
        let ready =
            set.entries().iter().filter(|entry| entry.state(now).is_usable() && entry.login().is_some());
        let due =
            ready.filter_map(|entry| Some((entry, self.parts.providers.get(&entry.credential.provider)?)));
        due.flat_map(|(entry, row)| {
            let id = entry.credential.id.clone();
            inquiries.due(entry, row, now).map(move |question| (id.clone(), question)).collect::<Vec<_>>()
        })
        .collect()
    }

    async fn ask(&self, id: &CredentialId, question: Question) {
        let Some((access, facts, token, row)) = self.told_of(id) else { return };
        match question {
            Question::Account => {
                let answer = self.parts.refresh.account(&row, &access).await;
                let now = self.now();
                let account = {
                    let mut inquiries = self.inquiries();
                    let asked = inquiries.known.entry(id.clone()).or_default();
                    match answer {
                        Ok(account) => {
                            asked.account.answered(after(now, LONGEST));
                            asked.named = account.clone().map(|account| (token, account));
                            account
                        }
                        Err(error) => {
                            asked.account.missed(now);
                            tracing::debug!(credential.id = %id, provider = %row.id, reason = %error, "The provider did not say whose a login is");
                            None
                        }
                    }
                };
                if let Some(account) = account {
                    self.learn_account(id, token, account).await;
                }
            }
            Question::Quota => {
                let project = row.project_of(facts.project_id.as_deref());
                let answer = self.parts.refresh.quota(&row, &access, project).await;
                let now = self.now();
                let mut inquiries = self.inquiries();
                let asked = inquiries.known.entry(id.clone()).or_default();
                match answer {
                    Ok(allowances) => {
                        asked.quota.answered(now);
                        asked.read = allowances.map(|allowances| Quota { read_at: now, allowances });
                    }
                    Err(error) => {
                        asked.quota.missed(now);
                        tracing::debug!(credential.id = %id, provider = %row.id, reason = %error, "The provider did not say what is left of a quota");
                    }
                }
            }
        }
    }

    /// What a question is asked with.
    fn told_of(&self, id: &CredentialId) -> Option<(Secret, Facts, Option<Fingerprint>, Provider)> {
        let set = self.set();
        let entry = set.get(id)?;
        let access = entry.login()?.tokens.access.clone()?;
        let row = self.parts.providers.get(&entry.credential.provider)?.clone();
        Some((access, entry.facts(), entry.refresh_print(), row))
    }

    /// Takes in whose a login is, unless another one took its place meanwhile, and notes it in its lock file: the login's own
    /// file is somebody else's.
    async fn learn_account(&self, id: &CredentialId, token: Option<Fingerprint>, account: String) {
        let now = self.now();
        let credential = {
            let mut set = self.set();
            let Some(entry) = set.get_mut(id).filter(|entry| entry.refresh_print() == token) else { return };
            // By which its lock is found, as long as nobody knew whose it was.
            let credential = entry.credential.clone();
            // Whose it is heals nothing.
            let trouble = entry.trouble.take();
            entry.learn(&Facts { account: Some(account), ..Facts::default() }, now);
            entry.trouble = trouble;
            tracing::info!(credential.id = %id, provider = %credential.provider, account = entry.account, "Learned whose a login is");
            credential
        };
        self.note_account(&credential).await;
    }
}
