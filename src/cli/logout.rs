//! `cortana logout`: a login is given back to its provider, then removed.

use std::{sync::Arc, time::Duration};

use super::{
    arguments::LogoutOptions,
    credential::{confirm, name, one},
    failure::Failure,
    one_shot,
    output::print,
};
use crate::{
    clock::SystemClock,
    config::Settings,
    credential::{Credential, Guard, Store},
    http::Http,
    oauth::{HttpRefresh, RefreshError, Revoked},
    pool,
};

/// How long a flight of the running bot is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(20);

pub(super) async fn run(settings: &Settings, options: &LogoutOptions) -> Result<(), Failure> {
    let view = one_shot::with_pool(settings, async |pool| one(settings, pool, &options.which)).await?;
    let who = name(&view);
    let store = one_shot::store(settings);
    let sources = pool::sources(&settings.pool);
    let looked = store.clone();
    let found = blocking(move || looked.load(&sources).credentials).await?;
    let credential = found.into_iter().find(|credential| credential.id == view.id).ok_or_else(|| {
        Failure::Failed(anyhow::anyhow!(
            "{who} cannot be read; remove its file yourself, see `cortana status`"
        ))
    })?;
    store
        .removable(&credential, &settings.pool.credentials_dir)
        .map_err(|what| Failure::Failed(anyhow::anyhow!("{who} was not logged out: {what}")))?;
    let row = settings
        .providers
        .get(&credential.provider)
        .ok_or_else(|| Failure::Failed(anyhow::anyhow!("{} is no provider any more", credential.provider)))?;
    let ends = row.oauth().is_some_and(|spec| spec.revoke_endpoint.is_some()) && !options.no_revoke;
    if !options.yes {
        let place = credential.place.label();
        confirm(&if ends {
            format!(
                "End the login of {who} at {}, also for other programs that share it, and remove {place}?",
                row.name
            )
        } else {
            format!("Remove {place} with the login of {who}?")
        })?;
    }
    let mut guard = locked(&store, &credential).await?;
    let (guard, login) =
        blocking(move || guard.read().map(|login| (guard, login))).await?.map_err(anyhow::Error::new)?;
    let revoked = if ends {
        let http = Http::new(&settings.http).map_err(anyhow::Error::new)?;
        let exchange = HttpRefresh::new(http, Arc::new(SystemClock));
        exchange.revoke(row, &login).await.map_err(|error| still_there(&who, &error))?
    } else {
        Revoked::NotOffered
    };
    blocking(move || guard.remove()).await?.map_err(anyhow::Error::new)?;
    let place = credential.place.label();
    let ended = match revoked {
        Revoked::Now => format!("ended at {}", row.name),
        Revoked::Before => format!("{} had ended it before", row.name),
        Revoked::NotOffered if options.no_revoke => {
            format!("{} was not told: the login lives on there until it expires", row.name)
        }
        Revoked::NotOffered => {
            format!(
                "{} has no address to end it at: it lives on there until it expires, or you end it on the account's page",
                row.name
            )
        }
    };
    print(&format!(
        "✅ Logged out {who}: {ended}; {place} is removed. A running bot drops it within two seconds."
    ))
}

async fn locked(store: &Store, credential: &Credential) -> Result<Guard, Failure> {
    let (store, credential) = (store.clone(), credential.clone());
    let guard = blocking(move || store.lock(&credential, LOCK_WAIT)).await?;
    Ok(guard.map_err(anyhow::Error::new)?)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    Ok(tokio::task::spawn_blocking(work).await.map_err(anyhow::Error::new)?)
}

fn still_there(who: &str, error: &RefreshError) -> Failure {
    Failure::Failed(anyhow::anyhow!(
        "{who} was not logged out ({error}); its file is as it was. Try again later, or remove it without telling the \
         provider: --no-revoke"
    ))
}
