//! `cortana refresh`: refreshes now, under the running bot's lock, one line a credential.

use chrono::{DateTime, Utc};

use super::{
    arguments::RefreshOptions,
    failure::Failure,
    one_shot,
    output::{print, remark},
    select::select,
    status::hours_and_minutes,
};
use crate::{
    clock::{Clock as _, SystemClock},
    config::Settings,
    oauth::RefreshError,
    pool::{RefreshReport, RefreshResult, Refused},
    provider::Provider,
};

pub(super) async fn run(settings: &Settings, options: &RefreshOptions) -> Result<(), Failure> {
    let refused = if options.retry_refused { Refused::TryOnce } else { Refused::Keep };
    let reports = one_shot::with_pool(settings, async |pool| {
        let selector = select(settings, &pool.snapshot(), &options.which)?;
        Ok(pool.refresh(&selector, refused).await)
    })
    .await?;
    show(settings, &options.which, &reports)
}

/// One line a credential; whether all went well.
pub(super) fn show(settings: &Settings, which: &str, reports: &[RefreshReport]) -> Result<(), Failure> {
    if reports.is_empty() {
        return Err(Failure::Failed(anyhow::anyhow!(
            "there is nothing to refresh for {which}: every credential of it is disabled or unusable; see `cortana status`"
        )));
    }
    let mut failed = false;
    for report in reports {
        let who = format!("{} {} ({})", report.provider, report.account, report.credential);
        match told(settings, report) {
            Ok(text) => print(&format!("✅ {who}: {text}"))?,
            Err(text) => {
                failed = true;
                remark(&format!("❌ {who}: {text}"));
            }
        }
    }
    if failed { Err(Failure::Shown) } else { Ok(()) }
}

/// What happened, or why not and what to do.
fn told(settings: &Settings, report: &RefreshReport) -> Result<String, String> {
    match &report.result {
        RefreshResult::Refreshed { expires_at } => Ok(format!("refreshed, {}", valid_for(*expires_at))),
        RefreshResult::Adopted { expires_at } => {
            Ok(format!("another program had refreshed it already, {}", valid_for(*expires_at)))
        }
        RefreshResult::NothingToRefresh => Ok("an API key: nothing to refresh".to_owned()),
        RefreshResult::Disabled { reason } => Err(format!("disabled: {reason}")),
        RefreshResult::TooSoon { until } => Err(format!(
            "refreshed by hand less than a minute ago; again from {}",
            until.format("%H:%M:%S UTC")
        )),
        RefreshResult::RefusedBefore => {
            let next = log_in_again(settings, report);
            Err(format!(
                "this refresh token was refused before and is not sent again; {next}, or send it once more with \
                 --retry-refused"
            ))
        }
        RefreshResult::Failed(error) => Err(format!("{error}; {}", next_step(settings, report, error))),
        RefreshResult::Store(error) => Err(error.to_string()),
    }
}

fn valid_for(expires_at: Option<DateTime<Utc>>) -> String {
    expires_at.map_or_else(
        || "valid; the provider said nothing about its expiry".to_owned(),
        |at| {
            let left = hours_and_minutes(at - SystemClock.now());
            format!("valid for {left} (until {})", at.format("%F %H:%M UTC"))
        },
    )
}

fn log_in_again(settings: &Settings, report: &RefreshReport) -> String {
    settings.providers.get(&report.provider).map_or_else(|| "log in again".to_owned(), Provider::log_in_again)
}

fn next_step(settings: &Settings, report: &RefreshReport, error: &RefreshError) -> String {
    let prefix = report.provider.variable_prefix();
    match error {
        RefreshError::InvalidGrant { .. } | RefreshError::NoRefreshToken => format!(
            "{} and `cortana import` its file (credentials are read from {})",
            log_in_again(settings, report),
            settings.pool.credentials_dir.display()
        ),
        RefreshError::ClientRefused { .. } => {
            format!("set {prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET to the client that minted this login")
        }
        RefreshError::NoClient { .. } => "the token works only with the client that minted it".to_owned(),
        RefreshError::Transient { .. } => "nothing is lost; try again later".to_owned(),
        RefreshError::Unknown { .. } => "nothing is lost; if it stays so, see docs/providers.md".to_owned(),
        RefreshError::ForeignEndpoint { .. } => {
            format!("if you trust that host, set {prefix}_API_BASE or {prefix}_TOKEN_ENDPOINT to it yourself")
        }
        RefreshError::Refused { link, .. } => {
            let link = link.as_ref().map_or_else(String::new, |link| format!(": {}", link.expose()));
            format!("the token is good; the service wants something of the account's owner{link}")
        }
    }
}
