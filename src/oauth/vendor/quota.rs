//! What is left of an account's quota at Code Assist. Reading it costs none.
//!
//! Gemini CLI's `:retrieveUserQuota` (google-gemini/gemini-cli `packages/core/src/code_assist/types.ts`) has a bucket for each
//! model; Antigravity's `:retrieveUserQuotaSummary` has groups of models with a bucket for each span of time, and is asked of
//! the first base alone: the production host answers that nothing was used (pingdotgg/t3code#12441).

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Map, Value, json};
use url::Url;

use crate::{
    oauth::{Allowance, HttpRefresh, RefreshError},
    provider::{Provider, QuotaReadout},
    secret::Secret,
};

const STEP: &str = "quota: ";
/// Allowances that are kept: no provider has so many models.
const MOST: usize = 32;
/// Characters of a name.
const NAME: usize = 48;

/// What is left; `None` where the provider tells nobody, or not without a project.
pub(in crate::oauth) async fn read(
    exchange: &HttpRefresh,
    provider: &Provider,
    access: &Secret,
    project: Option<&str>,
) -> Result<Option<Vec<Allowance>>, RefreshError> {
    let Some(base) = provider.api_bases.first() else { return Ok(None) };
    let (method, body) = match (provider.quirks.quota, project) {
        (QuotaReadout::Nowhere, _) | (QuotaReadout::UserQuota, None) => return Ok(None),
        (QuotaReadout::UserQuota, Some(project)) => ("retrieveUserQuota", json!({"project": project})),
        (QuotaReadout::UserQuotaSummary, Some(project)) => {
            ("retrieveUserQuotaSummary", json!({"project": project}))
        }
        (QuotaReadout::UserQuotaSummary, None) => ("retrieveUserQuotaSummary", json!({})),
    };
    let request = exchange.request(provider, Method::POST, &address(base, method))?;
    let answer = exchange.send(STEP, request.bearer_auth(access.expose()).json(&body)).await?;
    if let Some(later) = answer.later(STEP) {
        return Err(later);
    }
    let unknown = |problem: String| RefreshError::Unknown { problem: format!("{STEP}{problem}") };
    let status = answer.status;
    if !answer.is_success() {
        return Err(unknown(format!("HTTP {status}")));
    }
    let reply = answer.object().ok_or_else(|| unknown(format!("HTTP {status}, not JSON")))?;
    let read = match provider.quirks.quota {
        QuotaReadout::Nowhere => None,
        QuotaReadout::UserQuota => buckets(&reply),
        QuotaReadout::UserQuotaSummary => groups(&reply),
    };
    read.map(Some).ok_or_else(|| unknown(format!("HTTP {status}, no quota in the reply")))
}

fn address(base: &Url, method: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}:{method}", base.path().trim_end_matches('/')));
    url
}

/// `buckets[{modelId, remainingFraction, resetTime}]`.
fn buckets(reply: &Map<String, Value>) -> Option<Vec<Allowance>> {
    let buckets = reply.get("buckets")?.as_array()?;
    let one = |bucket: &Value| Some(allowance(name(bucket.get("modelId")?.as_str()?)?, bucket));
    Some(buckets.iter().filter_map(one).take(MOST).collect())
}

/// `groups[{displayName, buckets[{window, remainingFraction, resetTime}]}]`.
fn groups(reply: &Map<String, Value>) -> Option<Vec<Allowance>> {
    let groups = reply.get("groups")?.as_array()?;
    let mut found = Vec::new();
    for group in groups {
        let whose = group.get("displayName").and_then(Value::as_str).unwrap_or_default();
        for bucket in group.get("buckets").and_then(Value::as_array).into_iter().flatten() {
            let word = |field: &str| bucket.get(field).and_then(Value::as_str);
            let span = word("window").or_else(|| word("displayName")).unwrap_or_default();
            found.extend(name(&format!("{whose} {span}")).map(|what| allowance(what, bucket)));
        }
    }
    found.truncate(MOST);
    Some(found)
}

/// A missing fraction means that nothing is left: protobuf leaves noughts out.
fn allowance(what: String, bucket: &Value) -> Allowance {
    let fraction = bucket.get("remainingFraction").and_then(Value::as_f64).unwrap_or(0.0);
    let resets_at = bucket.get("resetTime").and_then(Value::as_str);
    Allowance {
        what,
        remaining_permille: permille(fraction),
        resets_at: resets_at
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
            .map(|at| at.with_timezone(&Utc)),
    }
}

/// Rounded up, so that nought means nothing. Nonsense is nothing.
fn permille(fraction: f64) -> u16 {
    let parts = (fraction.clamp(0.0, 1.0) * 1000.0).ceil();
    (0..=1000_u16).rev().find(|permille| f64::from(*permille) <= parts).unwrap_or(0)
}

/// A provider's name for something, fit to be shown.
fn name(text: &str) -> Option<String> {
    let shown: String = text.trim().chars().filter(|c| !c.is_control() && *c != '`').take(NAME).collect();
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(
        text: &str,
        how: fn(&Map<String, Value>) -> Option<Vec<Allowance>>,
    ) -> Option<Vec<(String, u16, bool)>> {
        let reply: Map<String, Value> = serde_json::from_str(text).expect("JSON");
        let seen = |it: Allowance| (it.what, it.remaining_permille, it.resets_at.is_some());
        how(&reply).map(|all| all.into_iter().map(seen).collect())
    }

    #[test]
    fn both_shapes_are_read_and_a_missing_fraction_is_nothing_left() {
        let models = r#"{"buckets": [
            {"modelId": "gemini-2.5-pro", "tokenType": "REQUESTS", "remainingFraction": 0.7341, "resetTime": "2026-09-21T20:00:00Z"},
            {"modelId": "gemini-2.5-flash", "resetTime": "soon"},
            {"tokenType": "REQUESTS"}]}"#;
        let expected =
            vec![("gemini-2.5-pro".to_owned(), 735, true), ("gemini-2.5-flash".to_owned(), 0, false)];
        assert_eq!(read(models, buckets), Some(expected));
        let summary = r#"{"groups": [{"displayName": "Gemini Models", "buckets": [
            {"bucketId": "w", "window": "weekly", "remainingFraction": 1, "resetTime": "2026-09-28T00:00:00Z"},
            {"displayName": "5 `hours`\u0007", "remainingFraction": 0.0001}]}, {"displayName": "Others"}]}"#;
        let expected = vec![
            ("Gemini Models weekly".to_owned(), 1000, true),
            ("Gemini Models 5 hours".to_owned(), 1, false),
        ];
        assert_eq!(read(summary, groups), Some(expected));
        for text in ["{}", r#"{"groups": {}}"#, r#"{"buckets": 1}"#] {
            assert_eq!((read(text, groups), read(text, buckets)), (None, None), "{text}");
        }
    }

    #[test]
    fn fractions_out_of_range_stay_in_it() {
        for (fraction, expected) in [(-1.0, 0), (0.0, 0), (2.0, 1000), (f64::NAN, 0), (0.25, 250), (1e-9, 1)]
        {
            assert_eq!(permille(fraction), expected, "{fraction}");
        }
    }
}
