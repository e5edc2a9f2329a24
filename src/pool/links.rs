//! Keeps the links that refusals came with, so that an operator finds them after a restart and on the terminal.
//!
//! The state store never has them: they are bound to the account.

use std::collections::HashMap;

use super::{
    Inner, Pool,
    at_rest::at_rest,
    entry::{Entry, RefusalKind},
};
use crate::{
    credential::{CredentialId, Fingerprint},
    secret::Secret,
};

/// Which link is kept of which credential, as far as this process knows; `None`: none is.
#[derive(Debug, Default)]
pub(super) struct Links {
    kept: HashMap<CredentialId, Option<Fingerprint>>,
}

/// What is to be done about one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Keep(Fingerprint, Secret),
    Recall(Fingerprint),
    Forget,
}

impl Links {
    fn step(&self, entry: &Entry) -> Option<Step> {
        let known = self.kept.get(&entry.credential.id);
        let refusal = entry.refusal.as_ref().filter(|refusal| refusal.kind == RefusalKind::Account);
        let token = entry.refresh_print().or(entry.bearer().map(|(_, print)| *print));
        match (refusal, token) {
            (Some(refusal), Some(token)) => match &refusal.link {
                Some(link) if known == Some(&Some(Fingerprint::of(link))) => None,
                Some(link) => Some(Step::Keep(token, link.clone())),
                // Another process may keep one meanwhile.
                None => Some(Step::Recall(token)),
            },
            // What an earlier process kept is not ours to forget: the refusals may not be known yet.
            (Some(_) | None, _) => matches!(known, Some(Some(_))).then_some(Step::Forget),
        }
    }
}

impl Pool {
    /// Finds the links of refused accounts again that an earlier process or another one kept: for commands that look once.
    pub async fn recall_links(&self) {
        self.inner.follow_links(Only::Recall).await;
    }
}

/// What of it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Only {
    /// Everything.
    Nothing,
    /// Nothing is written or removed.
    Recall,
}

impl Inner {
    /// Has the links at rest follow the refusals, and refusals without one find theirs.
    pub(super) async fn follow_links(&self, only: Only) {
        let steps: Vec<(CredentialId, Step)> = {
            let set = self.set();
            let mut links = self.links.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            links.kept.retain(|id, _| set.get(id).is_some());
            let steps = set
                .entries()
                .iter()
                .filter_map(|entry| Some((entry.credential.id.clone(), links.step(entry)?)));
            steps.filter(|(_, step)| only == Only::Nothing || matches!(step, Step::Recall(_))).collect()
        };
        for (id, step) in steps {
            let (store, at) = (std::sync::Arc::clone(&self.parts.store), id.clone());
            let recalled = match &step {
                Step::Recall(token) => Some(*token),
                Step::Keep(..) | Step::Forget => None,
            };
            let done = at_rest(move || match step {
                Step::Keep(token, link) => store.keep_link(&at, token, &link).map(|()| Some(link)),
                Step::Recall(token) => Ok(store.kept_link(&at, token)),
                Step::Forget => store.forget_link(&at).map(|()| None),
            })
            .await;
            let link = match done {
                Ok(link) => link,
                Err(error) => {
                    tracing::debug!(credential.id = %id, reason = %error.kind(), "The link of a refused account could not be kept or removed");
                    continue;
                }
            };
            let print = link.as_ref().map(Fingerprint::of);
            if let (Some(token), Some(link)) = (recalled, link) {
                let mut set = self.set();
                let entry = set.get_mut(&id).filter(|entry| {
                    entry.refresh_print().or(entry.bearer().map(|(_, print)| *print)) == Some(token)
                });
                if let Some(refusal) = entry.and_then(|entry| entry.refusal.as_mut()) {
                    refusal.link.get_or_insert(link);
                }
            }
            let mut links = self.links.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            links.kept.insert(id, print);
        }
    }
}
