//! Asks for lists by itself: when a provider first has a credential ready, and then once a day.

use std::{
    collections::{BTreeSet, HashSet},
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::{sync::broadcast::error::RecvError, time::sleep};

use super::is_listed;
use crate::{
    clock,
    llm::Llm,
    provider::{Provider, ProviderId},
    shutdown::Shutdown,
};

/// How long one list may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked whether a list is due. News of the pool lead to a look at once.
const LOOK: Duration = Duration::from_mins(1);
/// News come in bursts; so long they are gathered.
const GATHER: Duration = Duration::from_millis(100);

/// Runs until the end is asked for; what is under way then is dropped. One request at a time for each provider.
pub(super) async fn run(llm: Llm, life: Shutdown) {
    let mut news = llm.parts().pool.subscribe();
    let mut under_way = HashSet::new();
    let mut flights = FuturesUnordered::new();
    loop {
        for provider in due(&llm) {
            if under_way.insert(provider.clone()) {
                flights.push(ask(&llm, provider));
            }
        }
        tokio::select! {
            () = life.token().cancelled() => return,
            Some(provider) = flights.next() => drop(under_way.remove(&provider)),
            told = news.recv() => match told {
                Err(RecvError::Closed) => return,
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    sleep(GATHER).await;
                    news = news.resubscribe();
                }
            },
            () = sleep(LOOK) => {}
        }
    }
}

/// The providers whose lists are due and can be asked for.
fn due(llm: &Llm) -> BTreeSet<ProviderId> {
    let parts = llm.parts();
    let now = parts.clock.now();
    let is_due = |row: &&Provider| {
        is_listed(row) && llm.look(|state| state.lists.get(row).is_none_or(|list| list.is_due(now)))
    };
    let due = parts.providers.iter().filter(is_due);
    due.filter(|row| parts.pool.has_ready(&row.id, &row.default_model)).map(|row| row.id.clone()).collect()
}

/// Asks one provider, unless another process over the same state folder has done so.
async fn ask(llm: &Llm, provider: ProviderId) -> ProviderId {
    let shelf = llm.look(|state| state.shelf.clone());
    if let Some(shelf) = shelf
        && let Some(list) = shelf.read(&provider).await
        && !list.is_due(llm.parts().clock.now())
    {
        llm.change(|state| state.lists.adopt(&provider, list));
        if !due(llm).contains(&provider) {
            return provider;
        }
    }
    match llm.refresh_list(&provider, clock::instant() + PATIENCE).await {
        Ok(models) => tracing::info!(provider = %provider, models, "Read a provider's list of models"),
        Err(error) => {
            let parts = llm.parts();
            let failures =
                parts.providers.get(&provider).map_or(0, |row| llm.look(|state| state.lists.failures(row)));
            let reason = error.to_string();
            // Some have none: said once.
            if failures <= 1 {
                tracing::info!(provider = %provider, reason, "A provider's list of models could not be read; what is known of it stays");
            } else {
                tracing::debug!(provider = %provider, reason, failures, "A provider's list of models could not be read");
            }
        }
    }
    provider
}
