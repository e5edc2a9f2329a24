//! `/metrics` of a bot at work, against what the emulated providers counted.
#![expect(clippy::float_cmp, reason = "counts are whole numbers")]

use cortana::{
    pool::State,
    sandbox::vendor::{Act, Fault, Hint},
    telemetry::metrics,
};

use crate::support::{
    bot::{SOON, World},
    prometheus::{Scrape, free_address},
};

#[tokio::test]
async fn p36_a_scrape_counts_what_the_providers_counted_and_tells_no_secret() {
    let address = free_address();
    let world = World::new().await.with("ADMIN_ADDR", &address.to_string());
    let bot = world.login("gemini_cli", "ann").login("gemini_cli", "bob").connect().await;
    let vendors = bot.sandbox().vendors();
    let gemini = ("provider", "gemini_cli");
    let listed = async {
        while Scrape::of(address).await.sum("cortana_model_lists_total", &[gemini]) < 1.0 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(SOON, listed).await.expect("the list of models is asked for by itself");
    bot.ask("hello").await;
    vendors.fault("gemini_cli", Fault::chat(Act::google_quota(&Hint::ResetDelay("7200s".to_owned()))));
    bot.ask("and again").await;
    vendors.revoke_refresh("gemini_cli", "ann");
    bot.slash("/settings oauth-refresh gemini_cli").await;

    let scrape = Scrape::of(address).await;
    let counts = vendors.counts_of("gemini_cli");
    assert_eq!(scrape.sum("cortana_requests_total", &[gemini]), as_number(counts.chats));
    assert_eq!(scrape.sum("cortana_requests_total", &[gemini, ("outcome", "success")]), 2.0);
    assert_eq!(scrape.sum("cortana_requests_total", &[gemini, ("outcome", "model_quota")]), 1.0);
    assert_eq!(scrape.sum("cortana_failovers_total", &[gemini, ("cause", "model_quota")]), 1.0);
    assert_eq!(scrape.sum("cortana_failovers_total", &[]), 1.0);
    assert_eq!(scrape.sum("cortana_cooldowns_total", &[gemini, ("reason", "model_quota")]), 1.0);
    assert_eq!(scrape.sum("cortana_chats_total", &[("outcome", "answered")]), 2.0);
    assert_eq!(scrape.sum("cortana_first_event_seconds_count", &[gemini]), 2.0);
    assert_eq!(scrape.sum("cortana_token_requests_total", &[gemini]), as_number(counts.token_requests));
    assert_eq!(
        scrape.sum("cortana_token_requests_total", &[gemini, ("outcome", "granted")]),
        as_number(counts.granted)
    );
    assert_eq!(
        scrape.sum("cortana_refreshes_total", &[gemini, ("cause", "operator"), ("outcome", "refreshed")]),
        1.0
    );
    assert_eq!(scrape.sum("cortana_refreshes_total", &[gemini, ("outcome", "invalid_grant")]), 1.0);
    assert_eq!(scrape.sum("cortana_refresh_duration_seconds_count", &[]), 2.0);
    assert_eq!(scrape.series("cortana_credentials", &[]), State::ALL.len());
    assert_eq!(scrape.sum("cortana_credentials", &[("state", "ready")]), 2.0);
    assert_eq!(scrape.sum("cortana_model_lists_total", &[gemini, ("outcome", "listed")]), 1.0);
    assert_eq!(scrape.sum("cortana_credential_leases_total", &[gemini]), 4.0, "three chats and a list");
    assert_eq!(scrape.sum("cortana_credential_leases_in_flight", &[]), 0.0);
    assert_eq!(scrape.series("cortana_credential_expires_in_seconds", &[gemini]), 2);
    assert!(scrape.sum("cortana_credential_expires_in_seconds", &[]) > 0.0);
    assert_eq!(scrape.sum("cortana_discord_connected", &[]), 1.0);
    assert_eq!(scrape.series("cortana_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1);
    for word in ["FAKE", "ya29", "ann", "bob", "gemini-"] {
        assert!(!scrape.text().contains(word), "{word}: {}", scrape.text());
    }

    std::fs::remove_file(bot.world.home().join("credentials").join("gemini_cli-ann.json")).unwrap();
    let gone = async {
        while Scrape::of(address).await.series("cortana_credential_usable", &[]) == 2 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.expect("the series of a removed credential vanish");
}

#[test]
fn p36_what_is_exported_is_what_is_declared() {
    // The parser knows the declarations: a stranger, a missing label and a wrong type fail there.
    let registry = metrics::Metrics::default();
    registry.count(&metrics::REFRESHES, ["a\"b\\c\nd", "early", "refreshed"]);
    let scrape = Scrape::parse(&registry.render());
    assert_eq!(scrape.sum("cortana_refreshes_total", &[("provider", "a\"b\\c\nd")]), 1.0);
}

fn as_number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
