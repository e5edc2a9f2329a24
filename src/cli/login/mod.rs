//! `cortana login`: from a person's consent to a credential in the folder.

mod browser;
mod outcome;
mod pasted;
mod progress;

use std::{sync::Arc, time::Duration};

use url::Url;

use super::{arguments::LoginOptions, failure::Failure, one_shot, output::remark};
use crate::{
    clock::{Clock as _, SystemClock},
    config::{Settings, nearest},
    credential::{FreshLogin, OAuthLogin, Tokens},
    http::Http,
    oauth::{self, Authorization, HttpRefresh, LoginError, Loopback, NewLogin, Refresh as _, RefreshError},
    pool,
    provider::{AfterGrant, GrantKind, OAuthClient, OAuthSpec, Provider},
    secret::Secret,
    shutdown,
};

/// How long a person may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// The port in an address where nobody listens: the browser fails there, and its address is copied. Of the range that is
/// nobody's (RFC 6335, section 6).
const NOBODYS_PORT: u16 = 57_163;

/// How the consent comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The browser is on this machine.
    Browser,
    /// It is elsewhere: its last address is pasted.
    Pasted,
    /// A code is typed on any device.
    Device,
}

pub(super) async fn run(settings: &Settings, options: &LoginOptions) -> Result<(), Failure> {
    one_shot::quiet_logs(settings);
    let row = row(settings, options)?;
    let spec = row.oauth().ok_or_else(|| Failure::Usage(without_login(row)))?;
    let way = way(row, spec, options)?;
    if let Some(name) = &options.name
        && !is_name(name)
    {
        return Err(Failure::Usage(format!(
            "--name {name}: expected letters, digits, `-` and `_`, 40 at most: it becomes a part of the file's name"
        )));
    }
    // Without a client nothing can be asked for, and who is told so after the browser has consented for nothing.
    let client = oauth::client_of(row).map_err(|error| {
        Failure::Usage(format!("{error}; docs/providers.md says where a client comes from"))
    })?;
    let store = one_shot::store(settings);
    let folder = &settings.pool.credentials_dir;
    store
        .prove_folder(folder)
        .map_err(|error| Failure::Failed(anyhow::anyhow!("{error}; nobody was asked")))?;
    outcome::foretell(row);
    let http = Http::new(&settings.http).map_err(anyhow::Error::new)?;
    let exchange = HttpRefresh::new(http, Arc::new(SystemClock));

    let interrupted =
        |signal: &str| Failure::Failed(anyhow::anyhow!("interrupted by {signal}; nothing was kept"));
    let told = |error: LoginError| outcome::told(row, &error);
    let new = match way {
        // The signal comes first, so that it is heard before anybody is asked.
        Way::Device => tokio::select! {
            biased;
            signal = shutdown::signal() => return Err(interrupted(signal)),
            new = on_a_device(&exchange, row, options) => new.map_err(told)?,
        },
        Way::Browser | Way::Pasted => {
            let consented = tokio::select! {
                biased;
                signal = shutdown::signal() => return Err(interrupted(signal)),
                consented = consent(row, spec, way) => consented.map_err(told)?,
            };
            // From here on it is not interrupted: the code is spent, and what it brings is to be kept (P7).
            let (authorization, code) = consented;
            exchange.redeem(row, &authorization, &code).await.map_err(told)?
        }
    };
    let (fresh, remarks) = fresh(&exchange, row, spec, client, new).await;
    let sources = pool::sources(&settings.pool);
    let keeping = (store.clone(), fresh.clone(), folder.clone(), options.name.clone());
    let kept = tokio::task::spawn_blocking(move || {
        let (store, fresh, folder, name) = keeping;
        store.keep(&fresh, &sources, &folder, name.as_deref())
    });
    let kept = kept.await.map_err(anyhow::Error::new)?.map_err(anyhow::Error::new)?;
    outcome::show(row, &fresh, &kept, &remarks, options)
}

fn row<'a>(settings: &'a Settings, options: &LoginOptions) -> Result<&'a Provider, Failure> {
    settings.providers.get(&options.provider).ok_or_else(|| {
        let known: Vec<_> =
            settings.providers.iter().filter(|row| has_login(row)).map(|row| row.id.as_str()).collect();
        let near = nearest(options.provider.as_str(), known.iter().copied());
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Failure::Usage(format!(
            "`{}` is no provider: expected one of {}{near}",
            options.provider,
            known.join(", ")
        ))
    })
}

fn has_login(row: &Provider) -> bool {
    row.oauth().is_some_and(OAuthSpec::takes_logins)
}

/// What to do where nobody can log in.
fn without_login(row: &Provider) -> String {
    let (name, prefix) = (&row.name, row.id.variable_prefix());
    match row.oauth() {
        None => format!("{name} takes API keys, no logins: set {prefix}_API_KEY"),
        Some(spec) if spec.grant == GrantKind::ClientCredentials => format!(
            "nobody logs in at {name}: its client asks for itself. Set {prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET"
        ),
        Some(_) if row.quirks.vertex_location.is_some() => format!(
            "{name} takes gcloud's login: run `gcloud auth application-default login`, then `cortana import` its file"
        ),
        Some(_) => format!(
            "{name} has no login of its own: its row names neither authorize_endpoint nor device_endpoint \
             (docs/adding-a-provider.md); `cortana import` brings in a file of another program"
        ),
    }
}

fn way(row: &Provider, spec: &OAuthSpec, options: &LoginOptions) -> Result<Way, Failure> {
    if !has_login(row) {
        return Err(Failure::Usage(without_login(row)));
    }
    match (options.device, spec.authorize_endpoint.is_some(), spec.device_endpoint.is_some()) {
        (true, _, false) => Err(Failure::Usage(format!(
            "{} has no login by a code on another device; leave out --device, or use --no-browser for a browser on \
             another machine",
            row.name
        ))),
        (true, _, true) | (false, false, _) => Ok(Way::Device),
        (false, true, _) if options.no_browser => Ok(Way::Pasted),
        (false, true, _) => Ok(Way::Browser),
    }
}

fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Sends a browser to the provider and waits for the code that it comes back with.
async fn consent(row: &Provider, spec: &OAuthSpec, way: Way) -> Result<(Authorization, Secret), LoginError> {
    if way == Way::Pasted {
        let authorization = Authorization::begin(row, &pasted_redirect(spec))?;
        remark(&format!(
            "Open this address in any browser and log in at {}:\n\n{}\n",
            row.name, authorization.address
        ));
        let code = pasted::code(&authorization, PATIENCE).await?;
        return Ok((authorization, code));
    }
    let listener = Loopback::bind(&spec.consent.redirect).await?;
    let authorization = Authorization::begin(row, listener.redirect())?;
    let opened = browser::open(&authorization.address).await;
    let text = match opened {
        browser::Opened::Begun => "Your browser opens; if it does not, open this address on this machine",
        browser::Opened::Not => "Open this address in a browser on this machine (elsewhere: --no-browser)",
    };
    remark(&format!("{text} and log in at {}:\n\n{}\n", row.name, authorization.address));
    let waited =
        progress::waiting("Waiting for the browser", PATIENCE, listener.answer(&authorization)).await;
    let code = waited.unwrap_or(Err(LoginError::Expired { within: PATIENCE }))?;
    Ok((authorization, code))
}

/// Where the browser goes when nobody listens: the provider's own page with the code, else this machine's address, which it
/// cannot open and shows.
fn pasted_redirect(spec: &OAuthSpec) -> Url {
    let consent = &spec.consent;
    consent.shown_at.clone().unwrap_or_else(|| {
        let mut redirect = consent.redirect.clone();
        if redirect.port().is_none() {
            redirect.set_port(Some(NOBODYS_PORT)).expect("an http address has a port");
        }
        redirect
    })
}

async fn on_a_device(
    exchange: &HttpRefresh,
    row: &Provider,
    options: &LoginOptions,
) -> Result<NewLogin, LoginError> {
    let login = exchange.begin_device(row).await?;
    let address = login.complete.as_ref().unwrap_or(&login.address);
    if !options.no_browser {
        // What is typed is shown all the same.
        let _begun = browser::open(address).await;
    }
    remark(&format!(
        "Open this address in any browser and log in at {}:\n\n{address}\n\nThe code there is {}\n",
        row.name, login.user_code
    ));
    let waited = exchange.wait_for_device(row, &login, PATIENCE);
    let waited =
        progress::waiting("Waiting for the confirmation", PATIENCE + Duration::from_secs(1), waited).await;
    waited.unwrap_or(Err(LoginError::Expired { within: PATIENCE }))
}

/// The new login with whose it is, and what an operator should know about it.
async fn fresh(
    exchange: &HttpRefresh,
    row: &Provider,
    spec: &OAuthSpec,
    client: OAuthClient,
    new: NewLogin,
) -> (FreshLogin, Vec<String>) {
    let mut remarks = Vec::new();
    let NewLogin { grant, scopes, account } = new;
    let mut facts = grant.facts;
    facts.account = account;
    match spec.after_grant {
        AfterGrant::IflowApiKey => match exchange.after_grant(row, &grant.access, &facts).await {
            Ok(found) => {
                facts.api_key = found.api_key;
                facts.account = found.account.or(facts.account);
            }
            Err(error) => remarks.push(format!(
                "The key that chats are authorised with could not be fetched ({error}); the bot asks for it with its next refresh."
            )),
        },
        // Qwen's address came with the grant; projects are found by the running bot, which has the time.
        AfterGrant::Nothing
        | AfterGrant::CodeAssistProject
        | AfterGrant::QwenResourceUrl
        | AfterGrant::VertexProject => {}
    }
    if facts.account.is_none() {
        match exchange.account(row, &grant.access).await {
            Ok(account) => facts.account = account,
            Err(error) => remarks.push(format!("Whose account it is could not be asked ({error}).")),
        }
    }
    if let Some(host) = grant.foreign_host {
        let error = RefreshError::ForeignEndpoint { host };
        remarks.push(format!("The reply named a {error}."));
    }
    let tokens = Tokens {
        access: Some(grant.access),
        refresh: grant.refresh,
        expires_at: grant.lifetime.map(|lifetime| SystemClock.now() + lifetime),
        lifetime: grant.lifetime,
    };
    let login = OAuthLogin { tokens, client: Some(client), facts, ..OAuthLogin::default() };
    let scopes = scopes.unwrap_or_else(|| spec.scopes.clone());
    (FreshLogin { provider: row.id.clone(), login, scopes }, remarks)
}
