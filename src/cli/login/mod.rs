//! `cortana login`: from a person's consent to a credential in the folder.

mod browser;
mod outcome;
mod pasted;
mod progress;

use std::time::Duration;

use super::{arguments::LoginOptions, failure::Failure, one_shot, output::remark};
use crate::{
    config::{Settings, nearest},
    http::Http,
    oauth::{self, Authorization, HttpRefresh, LoginError, Loopback, NewLogin},
    provider::{GrantKind, OAuthSpec, Provider},
    secret::Secret,
    shutdown,
};

/// How long a person may take.
const PATIENCE: Duration = Duration::from_mins(5);

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
    oauth::client_of(row).map_err(|error| {
        Failure::Usage(format!("{error}; docs/providers.md says where a client comes from"))
    })?;
    let http = Http::new(&settings.http).map_err(anyhow::Error::new)?;
    let logins = one_shot::logins(settings, http);
    logins.prove().await.map_err(|error| Failure::Failed(anyhow::anyhow!("{error}; nobody was asked")))?;
    outcome::foretell(row);
    let exchange = logins.exchange();
    let interrupted =
        |signal: &str| Failure::Failed(anyhow::anyhow!("interrupted by {signal}; nothing was kept"));
    let told = |error: LoginError| outcome::told(row, &error);
    let new = match way {
        // The signal comes first, so that it is heard before anybody is asked.
        Way::Device => tokio::select! {
            biased;
            signal = shutdown::signal() => return Err(interrupted(signal)),
            new = on_a_device(exchange, row, options) => new.map_err(told)?,
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
    let taken = logins.take(row, new, options.name.clone()).await.map_err(anyhow::Error::new)?;
    outcome::show(row, &taken, options)
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
        let authorization = Authorization::begin(row, &oauth::pasted_redirect(spec))?;
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
