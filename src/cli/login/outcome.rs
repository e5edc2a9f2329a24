//! What is said about a login: beforehand, when it failed, and when it is kept.

use serde::Serialize;

use crate::{
    cli::{
        arguments::LoginOptions,
        failure::Failure,
        output::{print, print_json, remark},
    },
    credential::KeptAs,
    fs,
    oauth::{LoginError, RefreshError, missing_scopes},
    pool::Taken,
    provider::Provider,
};

/// What a person should know before they consent.
pub(super) fn foretell(row: &Provider) {
    if let Some(lifecycle) = &row.lifecycle {
        remark(&format!("Mind ({}): {}.", lifecycle.since, lifecycle.note));
    }
    if let Some(terms) = &row.terms {
        remark(&format!("Mind: {}: {}", terms.warning, terms.url));
    }
}

/// A failure, with the next step.
pub(super) fn told(row: &Provider, error: &LoginError) -> Failure {
    let (id, prefix) = (&row.id, row.id.variable_prefix());
    let next = match error {
        LoginError::NotOffered { .. } => "see `cortana login --help`".to_owned(),
        LoginError::Port { .. } => {
            format!("stop the program that listens there, or run `cortana login {id} --no-browser`")
        }
        LoginError::OtherLogin => format!("begin anew with `cortana login {id}`; nothing was kept"),
        LoginError::Unreadable { .. } | LoginError::Declined => "nothing was kept".to_owned(),
        LoginError::Expired { .. } => format!("run `cortana login {id}` again"),
        LoginError::Refused { .. } => {
            format!(
                "nothing was kept; run `cortana login {id}` again, and if it stays so see docs/providers.md"
            )
        }
        LoginError::Exchange(error) => match error {
            RefreshError::NoClient { .. } => "docs/providers.md says where a client comes from".to_owned(),
            RefreshError::ClientRefused { .. } => {
                format!("see {prefix}_CLIENT_ID and {prefix}_CLIENT_SECRET")
            }
            RefreshError::ForeignEndpoint { .. } => format!("see {prefix}_TOKEN_ENDPOINT"),
            RefreshError::Transient { .. } | RefreshError::Unknown { .. } => {
                "nothing was kept; try again later".to_owned()
            }
            RefreshError::InvalidGrant { .. }
            | RefreshError::NoRefreshToken
            | RefreshError::Refused { .. } => "nothing was kept".to_owned(),
        },
    };
    Failure::Failed(anyhow::anyhow!("not logged in at {}: {error}; {next}", row.name))
}

/// A login that is kept, for scripts.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    provider: &'a str,
    /// Masked.
    account: String,
    credential: &'a str,
    file: String,
    /// Whether it took the place of the account's earlier login.
    replaced: bool,
    scopes: &'a [String],
    missing_scopes: Vec<String>,
    expires_at: Option<String>,
    has_refresh_token: bool,
    /// What an operator should know.
    notes: Vec<String>,
}

/// Shows a login that is kept: whose it is, what it may, where it is, and what is still to be done.
pub(super) fn show(row: &Provider, taken: &Taken, options: &LoginOptions) -> Result<(), Failure> {
    let Taken { fresh, kept, remarks } = taken;
    let missing = row.oauth().map(|spec| missing_scopes(spec, &fresh.scopes)).unwrap_or_default();
    let tokens = &fresh.login.tokens;
    let account = match &fresh.login.facts.account {
        Some(_) => kept.credential.account(),
        None => "an account that the provider does not name".to_owned(),
    };
    let mut notes: Vec<String> = remarks.clone();
    if let KeptAs::Beside(why) = &kept.how {
        notes.push(format!("The account has another login: {why}."));
    }
    if options.name.is_some() && kept.how == KeptAs::Replaced {
        notes.push("--name was not used: the account's earlier login kept its file.".to_owned());
    }
    if tokens.refresh.is_none() && kept.how != KeptAs::Replaced {
        notes.push(
            "The provider gave no refresh token: log in again when the access token expires. It may give one after its \
             consent was taken back on the account's page."
                .to_owned(),
        );
    }
    if let Some(lifecycle) = &row.lifecycle {
        notes.push(format!("{}: {}.", lifecycle.since, lifecycle.note));
    }
    if let Some(terms) = row.terms.as_ref().filter(|_| !row.terms_accepted) {
        notes.push(format!(
            "Not used yet: {}. Read {}, and set ACCEPT_PROVIDER_TERMS={} if you accept that.",
            terms.warning, terms.url, row.id
        ));
    }
    if options.json {
        return print_json(&Shown {
            provider: row.id.as_str(),
            account,
            credential: kept.credential.id.as_str(),
            file: fs::file_name(&kept.path),
            replaced: kept.how == KeptAs::Replaced,
            scopes: &fresh.scopes,
            missing_scopes: missing,
            expires_at: tokens.expires_at.map(|at| at.to_rfc3339()),
            has_refresh_token: tokens.refresh.is_some(),
            notes,
        });
    }
    print(&format!("✅ Logged in at {} as {account}", row.name))?;
    let place = match &kept.how {
        KeptAs::New | KeptAs::Beside(_) => format!("kept in {}", kept.path.display()),
        KeptAs::Replaced => format!("in the place of the account's earlier login in {}", kept.path.display()),
    };
    print(&format!("  credential {}, {place}", kept.credential.id))?;
    if !fresh.scopes.is_empty() {
        print(&format!("  granted: {}", fresh.scopes.join(" ")))?;
    }
    if !missing.is_empty() {
        print(&format!("  NOT granted, though asked for: {}", missing.join(" ")))?;
    }
    if let Some(at) = tokens.expires_at {
        print(&format!("  access token until {}", at.format("%F %H:%M UTC")))?;
    }
    for note in &notes {
        print(&format!("  Note: {note}"))?;
    }
    print("A running bot has it within two seconds.")
}
