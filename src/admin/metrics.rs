//! `/metrics`: what was counted, and how things stand now, as Prometheus reads it.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Connection;
use crate::{
    pool::{CredentialView, Snapshot, State},
    telemetry::metrics::{self, Metrics},
};

/// The text format that Prometheus has always read.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How things stand at a scrape. Built anew each time, so that a removed credential leaves nothing behind.
pub fn standing(snapshot: &Snapshot, discord: Connection) -> Metrics {
    let metrics = Metrics::default();
    for state in State::ALL {
        let count = snapshot.credentials.iter().filter(|credential| credential.state == state).count();
        metrics.set(
            &metrics::CREDENTIALS,
            [state.name()],
            f64::from(u32::try_from(count).unwrap_or(u32::MAX)),
        );
    }
    for credential in &snapshot.credentials {
        one(&metrics, credential, snapshot);
    }
    metrics.set(&metrics::DISCORD_CONNECTED, [], f64::from(u8::from(discord == Connection::Up)));
    metrics
}

fn one(metrics: &Metrics, credential: &CredentialView, snapshot: &Snapshot) {
    let provider = credential.provider.as_ref().map_or("unknown", |provider| provider.as_str());
    let labels = [credential.id.as_str(), provider];
    metrics.set(&metrics::USABLE, labels, f64::from(u8::from(credential.state.is_usable())));
    metrics.set(&metrics::UNSAVED, labels, f64::from(u8::from(credential.unsaved)));
    metrics.set(&metrics::IN_FLIGHT, labels, f64::from(credential.in_flight));
    metrics.add(&metrics::LEASES, labels, credential.requests);
    if let Some(expires_at) = credential.expires_at {
        metrics.set(&metrics::EXPIRES_IN, labels, (expires_at - snapshot.taken_at).as_seconds_f64());
    }
}

/// An answer to a scrape.
pub(super) fn answer(text: String) -> Response {
    ([(CONTENT_TYPE, TEXT_FORMAT)], text).into_response()
}
