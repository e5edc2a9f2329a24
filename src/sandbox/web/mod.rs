//! The page: a chat client for the emulated Discord in the browser, and the pool beside it.
//!
//! Assets are embedded and few; everything that changes is pushed (`push`), and everything that somebody does goes
//! through the control API. `guard` decides who may ask at all.

mod actions;
mod guard;
mod panel;
mod push;
mod view;

use axum::{
    Router,
    extract::Path,
    http::{StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};

pub(super) use actions::quota_of;
pub(super) use guard::{demand_token, refuse_strangers};
pub use panel::Panel;

use super::Sandbox;

/// Nothing but what this server serves, no script inside a document, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The embedded files: name, type, content.
const ASSETS: &[(&str, &str, &str)] = &[
    ("main.js", SCRIPT, include_str!("assets/main.js")),
    ("api.js", SCRIPT, include_str!("assets/api.js")),
    ("composer.js", SCRIPT, include_str!("assets/composer.js")),
    ("markdown.js", SCRIPT, include_str!("assets/markdown.js")),
    ("message.js", SCRIPT, include_str!("assets/message.js")),
    ("pool.js", SCRIPT, include_str!("assets/pool.js")),
    ("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("vendor/preact-htm.js", SCRIPT, include_str!("assets/vendor/preact-htm.js")),
    ("vendor/highlight.js", SCRIPT, include_str!("assets/vendor/highlight.js")),
];

const PAGE: &str = include_str!("assets/index.html");

/// The page, its files, and what only the page needs.
pub(super) fn router(sandbox: &Sandbox) -> Router {
    let guarded = Router::new()
        .route("/", get(async || with_policy(HTML, PAGE)))
        .route("/page/events", get(push::events))
        .route("/page/direct", post(actions::direct))
        .route("/page/fault", post(actions::fault))
        .layer(middleware::from_fn_with_state(sandbox.clone(), demand_token))
        .with_state(sandbox.clone());
    Router::new().route("/assets/{*name}", get(asset)).merge(guarded)
}

async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => with_policy(kind, text),
        None => (StatusCode::NOT_FOUND, "there is no such file").into_response(),
    }
}

fn with_policy(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small() {
        let bytes: usize = PAGE.len() + ASSETS.iter().map(|(_, _, text)| text.len()).sum::<usize>();
        assert!(bytes < 300_000, "{bytes} bytes");
    }

    #[test]
    fn every_file_that_the_page_names_is_embedded() {
        let texts = ASSETS.iter().map(|(_, _, text)| *text).chain([PAGE]);
        for text in texts {
            for (at, _) in text.match_indices("/assets/") {
                let rest = text.get(at + "/assets/".len()..).unwrap_or_default();
                let name: String =
                    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "./-_".contains(*c)).collect();
                assert!(ASSETS.iter().any(|(known, ..)| *known == name), "{name}");
            }
        }
    }
}
