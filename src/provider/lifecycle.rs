//! What became of a provider, dated and sourced, shown wherever an operator decides about it.

use chrono::NaiveDate;
use serde::Deserialize;

/// A dated note on whether a provider still serves, and whom.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifecycle {
    /// Since when the note holds.
    pub since: NaiveDate,
    /// One sentence for an operator.
    pub note: String,
    /// Where it was read.
    pub source: String,
}

/// Terms that an operator accepts by naming the provider in `ACCEPT_PROVIDER_TERMS` before its logins are used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// What the operator risks, in one sentence.
    pub warning: String,
    /// Where the terms stand.
    pub url: String,
}
