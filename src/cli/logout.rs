//! `cortana logout`: a login is given back to its provider, then removed.

use super::{
    arguments::LogoutOptions,
    credential::{confirm, name, one},
    failure::Failure,
    one_shot,
    output::print,
};
use crate::{
    config::Settings,
    http::Http,
    oauth::Revoked,
    pool::{EndError, Telling},
};

pub(super) async fn run(settings: &Settings, options: &LogoutOptions) -> Result<(), Failure> {
    let view = one_shot::with_pool(settings, async |pool| one(settings, pool, &options.which)).await?;
    let who = name(&view);
    let http = Http::new(&settings.http).map_err(anyhow::Error::new)?;
    let logins = one_shot::logins(settings, http);
    let credential = logins.endable(&view.id).await.map_err(|error| not_ended(&who, &error))?;
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
    let place = credential.place.label();
    let telling = if ends { Telling::Provider } else { Telling::Nobody };
    let revoked = logins.end(row, credential, telling).await.map_err(|error| not_ended(&who, &error))?;
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

fn not_ended(who: &str, error: &EndError) -> Failure {
    let next = match error {
        EndError::Provider(_) => {
            "; its file is as it was. Try again later, or remove it without telling the provider: --no-revoke"
        }
        EndError::FileStays(_) => {
            return Failure::Failed(anyhow::anyhow!("{who} is logged out in part: {error}"));
        }
        EndError::Unknown | EndError::NotRemovable(_) | EndError::Folder(_) | EndError::Store(_) => "",
    };
    Failure::Failed(anyhow::anyhow!("{who} was not logged out: {error}{next}"))
}
