//! `cortana status`: the pool as a table, or as JSON.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use comfy_table::{ContentArrangement, Table, presets};

use super::{
    arguments::StatusOptions,
    failure::Failure,
    one_shot,
    output::{print, print_json},
};
use crate::{
    clock,
    config::Settings,
    credential::Dialect,
    pool::{CredentialView, Pool, Snapshot},
    provider::ProviderId,
};

/// How long quotas are waited for.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn run(settings: &Settings, options: &StatusOptions) -> Result<(), Failure> {
    let (snapshot, links) = one_shot::with_pool(settings, async |pool| {
        if options.quota {
            pool.read_quotas(clock::instant() + PATIENCE).await;
        }
        let snapshot = pool.snapshot();
        if options.links {
            pool.recall_links().await;
        }
        let links = if options.links { links(pool, &snapshot) } else { Vec::new() };
        Ok((snapshot, links))
    })
    .await?;
    if options.json {
        return print_json(&snapshot);
    }
    if snapshot.credentials.is_empty() {
        return print(&nothing_configured(settings));
    }
    print(&std::iter::once(table(&snapshot)).chain(links).collect::<Vec<_>>().join("\n"))
}

/// Where owners of refused accounts can do something about it, a line each.
fn links(pool: &Pool, snapshot: &Snapshot) -> Vec<String> {
    let link = |view: &CredentialView| {
        let link = pool.link(&view.id)?;
        Some(format!("{}: its owner, and nobody else, opens {}", view.id, link.expose()))
    };
    let found: Vec<String> = snapshot.credentials.iter().filter_map(link).collect();
    if found.is_empty() { vec!["No refused account came with a link.".to_owned()] } else { found }
}

/// What to do where there is no credential at all.
pub(super) fn nothing_configured(settings: &Settings) -> String {
    format!(
        "No OAuth credentials configured. Put a credential file into {} (`cortana import FILE`), or set \
         <PROVIDER>_OAUTH_CREDENTIALS or <PROVIDER>_API_KEY: see docs/configuration.md",
        settings.pool.credentials_dir.display()
    )
}

fn table(snapshot: &Snapshot) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        // Two lines a credential: 80 columns hold no more beside each other without breaking words.
        .set_header([
            "id\nprovider",
            "account\nwhere",
            "state\nexpires in",
            "last refresh\nattempts",
            "last used\nrequests",
        ]);
    for view in &snapshot.credentials {
        let provider = view.provider.as_ref().map_or("?", ProviderId::as_str);
        table.add_row([
            format!("{}\n{provider}", view.id),
            format!("{}\n{} ({})", view.account, view.place, view.dialect),
            format!("{}\n{}", state(view), expires_in(view, snapshot.taken_at)),
            format!("{}\n{}", last_refresh(view, snapshot.taken_at), view.refresh_attempts),
            format!("{}\n{}", ago(view.last_used_at, snapshot.taken_at), requests(view)),
        ]);
    }
    let notes = snapshot.credentials.iter().flat_map(|view| {
        notes(view, snapshot.taken_at).into_iter().map(|note| format!("{}: {note}", view.id))
    });
    std::iter::once(table.trim_fmt()).chain(notes).collect::<Vec<_>>().join("\n")
}

/// Everything about one, a line each.
pub(super) fn one(view: &CredentialView) -> String {
    let instant = |at: Option<DateTime<Utc>>| {
        at.map_or_else(|| "never".to_owned(), |at| at.format("%F %T UTC").to_string())
    };
    let mut lines = vec![
        format!("id            {}", view.id),
        format!(
            "provider      {}",
            view.provider.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string)
        ),
        format!("account       {}", view.account),
        format!("where         {} ({})", view.place, view.dialect),
        format!("state         {}", state(view)),
        format!(
            "expires       {}",
            view.expires_at.map_or_else(|| "no expiry known".to_owned(), |at| instant(Some(at)))
        ),
        format!("last refresh  {}", instant(view.last_refresh.as_ref().map(|last| last.at))),
        format!("attempts      {}", view.refresh_attempts),
        format!("last used     {}", instant(view.last_used_at)),
        format!("requests      {}, {} failed", view.requests, view.failures),
        format!(
            "counted since {}",
            view.counted_since.map_or_else(|| "the start".to_owned(), |at| instant(Some(at)))
        ),
    ];
    lines.extend(view.cooling_until.map(|until| format!("rests until   {}", instant(Some(until)))));
    lines.extend(view.cooling_models.iter().map(|model| {
        format!("rests         {} until {} ({})", model.model, instant(Some(model.until)), model.reason)
    }));
    lines.extend(view.reason.iter().map(|reason| format!("why           {reason}")));
    lines.join("\n")
}

fn state(view: &CredentialView) -> String {
    if view.unsaved {
        format!("{}, 💾 Cannot save", view.state.label())
    } else {
        view.state.label().to_owned()
    }
}

fn expires_in(view: &CredentialView, now: DateTime<Utc>) -> String {
    match view.expires_at {
        Some(at) if at > now => hours_and_minutes(at - now),
        Some(at) => format!("{} ago", hours_and_minutes(now - at)),
        None if view.dialect == Dialect::ApiKey.name() => "no expiry".to_owned(),
        None => "unknown".to_owned(),
    }
}

fn last_refresh(view: &CredentialView, now: DateTime<Utc>) -> String {
    let is_failed = view.last_refresh.as_ref().is_some_and(|last| last.failure.is_some());
    let ago = ago(view.last_refresh.as_ref().map(|last| last.at), now);
    if is_failed { format!("failed {ago}") } else { ago }
}

/// How long ago. What another process noted by a clock that is ahead is now.
fn ago(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    at.map_or_else(
        || "never".to_owned(),
        |at| format!("{} ago", hours_and_minutes((now - at).max(TimeDelta::zero()))),
    )
}

/// By every process that shares the state store.
fn requests(view: &CredentialView) -> String {
    match view.failures {
        0 => view.requests.to_string(),
        failures => format!("{}, {failures} failed", view.requests),
    }
}

/// Why a credential is in its state, and what rests on it, a sentence each.
fn notes(view: &CredentialView, now: DateTime<Utc>) -> Vec<String> {
    let mut notes: Vec<String> = view.reason.iter().cloned().collect();
    notes.extend(view.last_refresh.iter().filter_map(|last| last.failure.clone()));
    notes.extend(view.cooling_models.iter().filter(|model| model.until > now).map(|model| {
        format!("{} rests for {} ({})", model.model, hours_and_minutes(model.until - now), model.reason)
    }));
    notes.extend(view.quota.iter().flat_map(|quota| &quota.allowances).map(|allowance| {
        let resets = allowance.resets_at.filter(|at| *at > now);
        let resets =
            resets.map(|at| format!(", whole again in {}", hours_and_minutes(at - now))).unwrap_or_default();
        let (whole, tenths) = (allowance.remaining_permille / 10, allowance.remaining_permille % 10);
        format!("{whole}.{tenths} % of {} left{resets}", allowance.what)
    }));
    notes.extend(view.lock_holder.iter().map(|holder| format!("its lock is held by {holder}")));
    notes.dedup();
    notes
}

/// `hh:mm`; more than 99 hours stay hours.
pub(super) fn hours_and_minutes(span: TimeDelta) -> String {
    format!("{:02}:{:02}", span.num_hours(), span.num_minutes().rem_euclid(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_hours_and_minutes() {
        assert_eq!(hours_and_minutes(TimeDelta::seconds(59)), "00:00");
        assert_eq!(hours_and_minutes(TimeDelta::minutes(61)), "01:01");
        assert_eq!(hours_and_minutes(TimeDelta::hours(170)), "170:00");
    }
}
