//! `cortana credential`: one credential, looked at or changed. A running bot learns of a change from the state store.

use std::io::{self, IsTerminal as _, Write as _};

use super::{
    arguments::CredentialCommand,
    failure::Failure,
    one_shot,
    output::{print, print_json},
    refresh,
    select::{list, select},
    status,
};
use crate::{
    config::Settings,
    credential::CredentialId,
    pool::{CredentialView, NoSuchCredential, Pool, Refused, Selector, State},
};

/// What is said behind a change.
const FOLLOWS: &str = "A running bot follows within two seconds.";

pub(super) async fn run(settings: &Settings, command: &CredentialCommand) -> Result<(), Failure> {
    match command {
        CredentialCommand::List(options) => status::run(settings, options).await,
        CredentialCommand::Show { which, json } => {
            let view = one_shot::with_pool(settings, async |pool| one(settings, pool, which)).await?;
            if *json { print_json(&view) } else { print(&status::one(&view)) }
        }
        CredentialCommand::Disable { which, reason } => {
            let disable = |pool: &Pool, id: &CredentialId| pool.disable(id, reason.clone());
            let view = changed(settings, which, disable).await?;
            print(&format!("⛔ Disabled {}. {FOLLOWS}", name(&view)))
        }
        CredentialCommand::Enable { which } => {
            let view = changed(settings, which, Pool::enable).await?;
            if view.state == State::Disabled {
                let reason = view.reason.as_deref().unwrap_or("see `cortana status`");
                return Err(Failure::Failed(anyhow::anyhow!("{} is still disabled: {reason}", name(&view))));
            }
            print(&format!("✅ Enabled {}: {}. {FOLLOWS}", name(&view), view.state.label()))
        }
        CredentialCommand::ClearCooldown { which } => {
            let view = changed(settings, which, Pool::clear_cooldown).await?;
            print(&format!("✅ Ended the rests of {}: {}. {FOLLOWS}", name(&view), view.state.label()))
        }
        CredentialCommand::Retry { which, yes } => retry(settings, which, *yes).await,
    }
}

/// Sends a refused token once more, after a confirmation: a provider may take repeated ones for an attack (P4).
async fn retry(settings: &Settings, which: &str, is_confirmed: bool) -> Result<(), Failure> {
    let reports = one_shot::with_pool(settings, async |pool| {
        let view = one(settings, pool, which)?;
        if !is_confirmed {
            confirm(&format!("Send the refused token of {} once more?", name(&view)))?;
        }
        Ok(pool.refresh(&Selector::Credential(view.id), Refused::TryOnce).await)
    })
    .await?;
    refresh::show(settings, which, &reports)
}

/// Asks on the terminal; where there is none, `--yes` has to be given.
pub(super) fn confirm(question: &str) -> Result<(), Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage(format!("{question} Say so with --yes; there is no terminal to ask on")));
    }
    let mut answer = String::new();
    let asked = write!(io::stderr(), "{question} [y/N] ").and_then(|()| io::stdin().read_line(&mut answer));
    match asked {
        Ok(_) if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) => Ok(()),
        Ok(_) | Err(_) => Err(Failure::Failed(anyhow::anyhow!("nothing was sent"))),
    }
}

/// The one credential that is meant, with what other processes know of it.
pub(super) fn one(settings: &Settings, pool: &Pool, which: &str) -> Result<CredentialView, Failure> {
    let snapshot = pool.snapshot();
    match select(settings, &snapshot, which)? {
        Selector::Credential(id) => snapshot
            .credentials
            .into_iter()
            .find(|view| view.id == id)
            .ok_or_else(|| Failure::Usage(NoSuchCredential(id).to_string())),
        Selector::Provider(provider) => {
            let of_it = snapshot.credentials.iter().filter(|view| view.provider.as_ref() == Some(&provider));
            Err(Failure::Usage(format!(
                "{provider} is a provider; name one credential of it: {}",
                list(&of_it.collect::<Vec<_>>())
            )))
        }
    }
}

/// Makes a change, and makes sure that it is remembered: in this process alone it would be gone with the command.
async fn changed(
    settings: &Settings,
    which: &str,
    change: impl Fn(&Pool, &CredentialId) -> Result<(), NoSuchCredential>,
) -> Result<CredentialView, Failure> {
    one_shot::with_pool(settings, async |pool| {
        if let Some(error) = pool.unread() {
            return Err(Failure::Failed(anyhow::anyhow!("nothing was changed: {error}")));
        }
        let view = one(settings, pool, which)?;
        change(pool, &view.id)
            .map_err(|error| Failure::Usage(format!("{error}; it cannot be used, see `cortana status`")))?;
        // The store may have taken it in before it failed, and it is sent once more when the command ends.
        pool.settle().await.map_err(|error| {
            anyhow::anyhow!(
                "it is not known whether the change was saved ({error}); see `cortana credential show {}`",
                view.id
            )
        })?;
        one(settings, pool, view.id.as_str())
    })
    .await
}

pub(super) fn name(view: &CredentialView) -> String {
    let provider = view.provider.as_ref().map_or("?", |provider| provider.as_str());
    format!("{provider} {} ({})", view.account, view.id)
}
