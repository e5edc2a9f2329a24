//! `cortana import`: brings a credential file of any notation into the credentials folder.

use super::{arguments::ImportOptions, failure::Failure, one_shot, output::print};
use crate::{
    config::Settings,
    credential::{Credential, ImportError, ImportMode, ImportedAs, Login},
    provider::ProviderId,
};

pub(super) fn run(settings: &Settings, options: &ImportOptions) -> Result<(), Failure> {
    one_shot::quiet_logs(settings);
    if let Some(provider) = &options.provider
        && settings.providers.get(provider).is_none()
    {
        let known: Vec<_> = settings.providers.iter().map(|row| row.id.as_str()).collect();
        return Err(Failure::Usage(format!("--provider {provider}: expected one of {}", known.join(", "))));
    }
    let mode = if options.copy { ImportMode::Copy } else { ImportMode::Auto };
    let imported = one_shot::store(settings)
        .import(&options.file, options.provider.as_ref(), &settings.pool.credentials_dir, mode)
        .map_err(|error| told(&error, options))?;
    let how = match imported.how {
        ImportedAs::Link => "Linked, so that both programs share one login,",
        ImportedAs::Copy => "Copied",
    };
    print(&format!("{how} to {}", imported.path.display()))?;
    for credential in &imported.credentials {
        print(&described(credential))?;
    }
    if imported.how == ImportedAs::Copy
        && imported.credentials.iter().any(|found| rotates(settings, &found.provider))
    {
        print(
            "Mind: each refresh ends the refresh token before it. The program that this login came from is logged out \
             by the bot's first refresh, or the bot by that program's.",
        )?;
    }
    for provider in providers(&imported.credentials) {
        if let Some(note) = terms(settings, provider) {
            print(&note)?;
        }
    }
    Ok(())
}

fn told(error: &ImportError, options: &ImportOptions) -> Failure {
    let next = match error {
        ImportError::Rejected(_) if options.provider.is_none() => {
            ". docs/credentials has the notations that are read; --provider says whose a file is, where it does not say so itself"
        }
        ImportError::Rejected(_) => ". docs/credentials has the notations that are read",
        ImportError::AlreadyThere { .. } => "; nothing was changed",
        ImportError::NotWritable { .. } => "",
    };
    Failure::Failed(anyhow::anyhow!("{error}{next}"))
}

fn described(credential: &Credential) -> String {
    let Credential { id, provider, dialect, login, .. } = credential;
    let expiry = match login {
        Login::OAuth(login) => {
            let access = login.tokens.expires_at.map_or_else(
                || "expiry unknown, refreshed at first use".to_owned(),
                |at| format!("access token until {}", at.format("%F %H:%M UTC")),
            );
            let refresh = if login.tokens.refresh.is_some() { "" } else { "; it has NO refresh token" };
            format!("{access}{refresh}")
        }
        Login::ApiKey(_) => "no expiry".to_owned(),
    };
    format!("  {id}  {provider}  {}  ({} notation, {expiry})", credential.account(), dialect.name())
}

fn rotates(settings: &Settings, provider: &ProviderId) -> bool {
    settings.providers.get(provider).and_then(|row| row.oauth()).is_some_and(|spec| spec.rotates)
}

fn providers(credentials: &[Credential]) -> Vec<&ProviderId> {
    let mut providers: Vec<_> = credentials.iter().map(|credential| &credential.provider).collect();
    providers.sort();
    providers.dedup();
    providers
}

/// What is still to be done before the bot uses it.
fn terms(settings: &Settings, provider: &ProviderId) -> Option<String> {
    let row = settings.providers.get(provider)?;
    let terms = row.terms.as_ref().filter(|_| !row.terms_accepted)?;
    Some(format!(
        "Not used yet: {}. Read {}, and set ACCEPT_PROVIDER_TERMS={provider} if you accept that.",
        terms.warning, terms.url
    ))
}
