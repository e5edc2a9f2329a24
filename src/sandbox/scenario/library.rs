//! The scenarios that come along.

use super::Scenario;

/// Name and text of each, in the order in which somebody would watch them.
const FILES: &[(&str, &str)] = &[
    ("one-key-throttled", include_str!("../../../scenarios/one-key-throttled.toml")),
    ("provider-failover", include_str!("../../../scenarios/provider-failover.toml")),
    ("everything-down", include_str!("../../../scenarios/everything-down.toml")),
    ("storm-at-expiry", include_str!("../../../scenarios/storm-at-expiry.toml")),
    ("token-endpoint-down", include_str!("../../../scenarios/token-endpoint-down.toml")),
    ("login-refused", include_str!("../../../scenarios/login-refused.toml")),
    ("account-refused", include_str!("../../../scenarios/account-refused.toml")),
    ("token-adopted", include_str!("../../../scenarios/token-adopted.toml")),
    ("credential-added", include_str!("../../../scenarios/credential-added.toml")),
    ("stream-cut", include_str!("../../../scenarios/stream-cut.toml")),
    ("slow-first-token", include_str!("../../../scenarios/slow-first-token.toml")),
    ("answers-that-are-none", include_str!("../../../scenarios/answers-that-are-none.toml")),
    ("discord-trouble", include_str!("../../../scenarios/discord-trouble.toml")),
    ("gateway-dropped", include_str!("../../../scenarios/gateway-dropped.toml")),
];

/// Name and text of every scenario that comes along.
pub fn embedded() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().copied()
}

/// The one of this name.
pub fn find(name: &str) -> Option<Scenario> {
    let (name, text) = FILES.iter().find(|(known, _)| *known == name)?;
    // A test reads every one.
    Some(
        Scenario::read(&format!("scenarios/{name}.toml"), text)
            .expect("a test reads every embedded scenario"),
    )
}
