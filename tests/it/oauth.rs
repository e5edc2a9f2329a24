//! The refresh grant over real sockets, against providers that judge it: who is sent what, and every refusal's class.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use cortana::{
    credential::OAuthLogin,
    oauth::{Grant, Limits, Refresh, RefreshError},
    provider::{OAuthClient, Provider},
    sandbox::vendor::{Act, Fault, Kind, Recorded, Vendors, short_hash},
    secret::Secret,
};
use serde_json::json;

use crate::support::vendors::{Served, exchange, login, spec_of};

async fn refresh(provider: &Provider, login: &OAuthLogin) -> Result<Grant, RefreshError> {
    exchange().refresh(provider, login).await
}

/// The one token request that was made.
fn the_request(served: &Served) -> Recorded {
    let mut requests: Vec<Recorded> = served.vendors.requests();
    requests.retain(|request| request.kind == Kind::Token);
    assert_eq!(requests.len(), 1, "one token request, no retry");
    requests.remove(0)
}

#[tokio::test]
async fn google_gets_id_and_secret_in_the_form_and_no_basic() {
    let served = Served::start().await;
    let provider = served.provider("gemini_cli");
    let minted = served.vendors.mint("gemini_cli", "a@example.com");
    let grant = refresh(&provider, &login(&minted)).await.expect("a grant");

    assert_ne!(grant.access.expose(), minted.access);
    assert_eq!(grant.refresh, None, "Google keeps the old refresh token");
    assert_eq!(grant.lifetime, Some(Duration::from_secs(3599)));
    assert_eq!(grant.foreign_host, None);
    let request = the_request(&served);
    let (id, secret) = Vendors::client("gemini_cli").expect("a client");
    assert_eq!(
        request.body,
        json!({
            "client_id": id,
            "client_secret": short_hash(secret.expect("a secret")),
            "grant_type": "refresh_token",
            "refresh_token": short_hash(&minted.refresh),
        })
    );
    assert_eq!(request.headers.get("authorization"), None);
    assert_eq!(request.headers.get("accept").map(String::as_str), Some("application/json"));
    let agent = request.headers.get("user-agent").expect("a user agent");
    assert!(agent.starts_with("cortana/"), "we are who we say: {agent}");
}

#[tokio::test]
async fn a_public_client_sends_no_secret_even_if_one_is_configured() {
    let served = Served::start().await;
    let mut provider = served.provider("qwen_code");
    spec_of(&mut provider).client_secret = Some(Secret::new("sk-FAKE-unwanted"));
    let minted = served.vendors.mint("qwen_code", "a@example.com");
    let grant = refresh(&provider, &login(&minted)).await.expect("a grant");

    let fresh = grant.refresh.expect("Qwen's refresh token rotates");
    assert_ne!(fresh.expose(), minted.refresh);
    let base = grant.facts.resource_url.expect("a chat base");
    assert_eq!(base.as_str(), format!("{}/vendors/qwen_code/v1", served.origin));
    let request = the_request(&served);
    assert_eq!(
        request.body,
        json!({
            "client_id": "f0304373b74a44d2b584a3fb70ca9e56",
            "grant_type": "refresh_token",
            "refresh_token": short_hash(&minted.refresh),
        })
    );
}

#[tokio::test]
async fn iflow_gets_basic_and_the_form() {
    let served = Served::start().await;
    let provider = served.provider("iflow");
    let minted = served.vendors.mint("iflow", "a@example.com");
    let grant = refresh(&provider, &login(&minted)).await.expect("a grant");

    assert!(grant.refresh.is_some());
    let request = the_request(&served);
    let secret = minted.client_secret.expect("a secret");
    let basic = BASE64_STANDARD.encode(format!("{}:{secret}", minted.client_id));
    assert_eq!(request.headers.get("authorization"), Some(&format!("Basic {}", short_hash(&basic))));
    assert_eq!(request.body.get("client_secret"), Some(&json!(short_hash(&secret))));
    assert_eq!(request.path, "/vendors/iflow/oauth/token");
}

#[tokio::test]
async fn the_operators_user_agent_goes_to_the_token_endpoint_too() {
    let served = Served::start().await;
    let mut provider = served.provider("qwen_code");
    provider.user_agent = Some("QwenCode/0.1 (linux; x64)".to_owned());
    let minted = served.vendors.mint("qwen_code", "a@example.com");
    refresh(&provider, &login(&minted)).await.expect("a grant");
    let request = the_request(&served);
    assert_eq!(request.headers.get("user-agent").map(String::as_str), Some("QwenCode/0.1 (linux; x64)"));
}

#[tokio::test]
async fn a_single_use_token_that_comes_twice_is_refused_and_counted() {
    let served = Served::start().await;
    for (id, code) in [("qwen_code", "invalid_request"), ("iflow", "invalid_grant")] {
        let provider = served.provider(id);
        let old = login(&served.vendors.mint(id, "a@example.com"));
        refresh(&provider, &old).await.expect("the first use");
        let second = refresh(&provider, &old).await;
        assert_eq!(second, Err(RefreshError::InvalidGrant { code: code.to_owned() }), "{id}");
        assert_eq!(served.vendors.counts_of(id).reused, 1, "{id}");
    }
}

#[tokio::test]
async fn a_revoked_refresh_token_needs_a_login() {
    let served = Served::start().await;
    let minted = served.vendors.mint("gemini_cli", "a@example.com");
    served.vendors.revoke_refresh("gemini_cli", "a@example.com");
    let result = refresh(&served.provider("gemini_cli"), &login(&minted)).await;
    assert_eq!(result, Err(RefreshError::InvalidGrant { code: "invalid_grant".to_owned() }));
}

#[tokio::test]
async fn the_client_in_the_file_beats_the_configured_one() {
    let served = Served::start().await;
    let provider = served.provider("gemini_cli");
    let gcloud = ("764086051850-FAKE.apps.googleusercontent.com", "fake-gcloud-secret");
    let minted = served.vendors.mint_for_client("gemini_cli", "a@example.com", gcloud.0, Some(gcloud.1));

    let without = refresh(&provider, &login(&minted)).await;
    assert_eq!(without, Err(RefreshError::ClientRefused { code: "unauthorized_client".to_owned() }));

    let own = OAuthClient { id: gcloud.0.to_owned(), secret: Some(Secret::new(gcloud.1)) };
    let with = OAuthLogin { client: Some(own), ..login(&minted) };
    refresh(&provider, &with).await.expect("the client in the file");
}

#[tokio::test]
async fn a_file_may_name_the_configured_client_without_its_secret_but_no_other() {
    let served = Served::start().await;
    let provider = served.provider("gemini_cli");
    let minted = served.vendors.mint("gemini_cli", "a@example.com");
    let named = |id: &str| {
        let client = OAuthClient { id: id.to_owned(), secret: None };
        OAuthLogin { client: Some(client), ..login(&minted) }
    };
    refresh(&provider, &named(&minted.client_id)).await.expect("the configured secret belongs to it");
    let before = served.vendors.counts_of("gemini_cli").token_requests;
    let error = refresh(&provider, &named("another-client")).await.expect_err("no secret is known");
    assert!(
        matches!(&error, RefreshError::NoClient { variables } if variables.contains("GEMINI_CLI_CLIENT_SECRET")),
        "{error}"
    );
    assert_eq!(served.vendors.counts_of("gemini_cli").token_requests, before, "nothing was sent");
}

#[tokio::test]
async fn nothing_is_sent_without_a_client_or_a_refresh_token() {
    let served = Served::start().await;
    let mut provider = served.provider("gemini_cli");
    let minted = served.vendors.mint("gemini_cli", "a@example.com");
    for blank in [None, Some(Secret::new(" "))] {
        let mut empty = login(&minted);
        empty.tokens.refresh = blank;
        assert_eq!(refresh(&provider, &empty).await, Err(RefreshError::NoRefreshToken));
    }
    spec_of(&mut provider).client_secret = None;
    assert_eq!(
        refresh(&provider, &login(&minted)).await,
        Err(RefreshError::NoClient { variables: "GEMINI_CLI_CLIENT_SECRET".to_owned() })
    );
    spec_of(&mut provider).client_id = None;
    assert_eq!(
        refresh(&provider, &login(&minted)).await,
        Err(RefreshError::NoClient {
            variables: "GEMINI_CLI_CLIENT_ID and GEMINI_CLI_CLIENT_SECRET".to_owned()
        })
    );
    assert_eq!(served.vendors.requests(), []);
}

#[tokio::test]
async fn a_foreign_token_endpoint_in_the_file_gets_nothing() {
    let served = Served::start().await;
    let mut provider = served.provider("gemini_cli");
    let minted = served.vendors.mint("gemini_cli", "a@example.com");
    let with = |endpoint: &str| OAuthLogin {
        token_endpoint: Some(endpoint.parse().expect("a url")),
        ..login(&minted)
    };
    // The operator's override beats whatever the file says.
    refresh(&provider, &with("https://oauth2.googleapis.com/token"))
        .await
        .expect("a grant from the override");

    spec_of(&mut provider).token_endpoint_overridden = false;
    let foreign = |host: &str| Err(RefreshError::ForeignEndpoint { host: host.to_owned() });
    assert_eq!(refresh(&provider, &with("https://evil.example/token")).await, foreign("evil.example"));
    // A file's own endpoint counts where it is one of the provider's: here the same machine.
    let own = format!("{}/vendors/gemini_cli/token", served.origin);
    refresh(&provider, &with(&own)).await.expect("a grant from the file's own endpoint");
    assert_eq!(served.vendors.counts_of("gemini_cli").granted, 2);
}

#[tokio::test]
async fn no_oauth_secret_goes_over_a_network_without_tls() {
    let served = Served::start().await;
    let minted = served.vendors.mint("gemini_cli", "a@example.com");
    let mut provider = served.provider("gemini_cli");
    spec_of(&mut provider).token_endpoint = "http://model-server.lan/token".parse().expect("a url");
    assert_eq!(
        refresh(&provider, &login(&minted)).await,
        Err(RefreshError::ForeignEndpoint { host: "model-server.lan".to_owned() })
    );
}

#[tokio::test]
async fn a_foreign_resource_url_is_named_and_the_grant_is_kept() {
    let served = Served::start().await;
    let provider = served.provider("qwen_code");
    let minted = served.vendors.mint("qwen_code", "a@example.com");
    let reply = json!({"access_token": "FAKE-a", "refresh_token": "FAKE-r", "resource_url": "evil.example"});
    served.vendors.fault("qwen_code", Fault::token(Act::json(200, &reply)));
    let grant =
        refresh(&provider, &login(&minted)).await.expect("the refresh token may be spent: keep the new one");
    assert_eq!(grant.refresh, Some(Secret::new("FAKE-r")));
    assert_eq!(grant.facts.resource_url, None);
    assert_eq!(grant.foreign_host.as_deref(), Some("evil.example"));
}

#[tokio::test]
async fn each_refusal_has_its_class() {
    let served = Served::start().await;
    let invalid_grant = RefreshError::InvalidGrant { code: "invalid_grant".to_owned() };
    let client = |code: &str| RefreshError::ClientRefused { code: code.to_owned() };
    let unknown = |problem: &str| RefreshError::Unknown { problem: problem.to_owned() };
    let later = |problem: &str, seconds: Option<u64>| RefreshError::Transient {
        problem: problem.to_owned(),
        retry_after: seconds.map(Duration::from_secs),
    };
    let cases = [
        (Act::invalid_grant(), invalid_grant.clone()),
        (Act::error_in_200("invalid_grant"), invalid_grant),
        (Act::invalid_client(), client("invalid_client")),
        (Act::oauth_error(401, "unauthorized_client"), client("unauthorized_client")),
        (Act::throttled("7"), later("HTTP 429", Some(7))),
        (Act::throttled("soon"), later("HTTP 429", None)),
        (Act::throttled("Thu, 01 Jan 1970 00:00:00 GMT"), later("HTTP 429", Some(0))),
        (Act::unavailable(), later("HTTP 503", None)),
        (Act::web_page(502), later("HTTP 502", None)),
        (Act::oauth_error(400, "temporarily_unavailable"), later("temporarily_unavailable", None)),
        (Act::web_page(200), unknown("HTTP 200, a web page")),
        (Act::web_page(403), unknown("HTTP 403, a web page")),
        (Act::success_false(), unknown("HTTP 200, success: false")),
        (Act::oauth_error(403, "access_denied"), unknown("HTTP 403 access_denied")),
        (Act::oauth_error(400, "invalid_request"), unknown("HTTP 400 invalid_request")),
        (Act::json(200, &json!([])), unknown("HTTP 200, not JSON")),
        (Act::json(200, &json!({"access_token": " "})), unknown("HTTP 200, no access token in the reply")),
        (Act::json(404, &json!({})), unknown("HTTP 404")),
    ];
    let provider = served.provider("gemini_cli");
    let login = login(&served.vendors.mint("gemini_cli", "a@example.com"));
    for (number, (act, expected)) in cases.into_iter().enumerate() {
        let shown = format!("{act:?}");
        served.vendors.fault("gemini_cli", Fault::token(act));
        assert_eq!(refresh(&provider, &login).await, Err(expected), "{shown}");
        let requests = served.vendors.counts_of("gemini_cli").token_requests;
        assert_eq!(requests, number as u64 + 1, "one request, no retry: {shown}");
    }
}

#[tokio::test]
async fn qwen_and_iflow_have_their_own_words_for_a_dead_token() {
    let served = Served::start().await;
    let dead = |code: &str| Err(RefreshError::InvalidGrant { code: code.to_owned() });
    let unknown = |problem: &str| Err(RefreshError::Unknown { problem: problem.to_owned() });
    let description = "Invalid refresh token or client_id";
    for id in ["qwen_code", "iflow"] {
        let provider = served.provider(id);
        let login = login(&served.vendors.mint(id, "a@example.com"));
        let cases = [
            (
                Act::json(400, &json!({"error": "invalid_request", "error_description": description})),
                dead("invalid_request"),
            ),
            (Act::oauth_error(400, "invalid_request"), unknown("HTTP 400 invalid_request")),
            (Act::json(401, &json!({"error": "expired"})), dead("expired")),
            (Act::json(403, &json!({})), dead("HTTP 403")),
            (Act::web_page(403), unknown("HTTP 403, a web page")),
            (
                Act::oauth_error(401, "invalid_client"),
                Err(RefreshError::ClientRefused { code: "invalid_client".to_owned() }),
            ),
            (
                Act::json(200, &json!({"success": false, "message": "Invalid refresh token"})),
                dead("HTTP 200"),
            ),
        ];
        for (act, expected) in cases {
            let shown = format!("{id} {act:?}");
            served.vendors.fault(id, Fault::token(act));
            assert_eq!(refresh(&provider, &login).await, expected, "{shown}");
        }
    }
}

#[tokio::test]
async fn a_wrapped_reply_is_unwrapped() {
    let served = Served::start().await;
    let provider = served.provider("iflow");
    let minted = served.vendors.mint("iflow", "a@example.com");
    let inner = json!({"access_token": "FAKE-a", "refresh_token": "FAKE-r", "expires_in": "7200"});
    let reply = json!({"success": true, "message": "", "data": inner});
    served.vendors.fault("iflow", Fault::token(Act::json(200, &reply)));
    let grant = refresh(&provider, &login(&minted)).await.expect("a grant");
    assert_eq!(
        grant,
        Grant {
            access: Secret::new("FAKE-a"),
            refresh: Some(Secret::new("FAKE-r")),
            lifetime: Some(Duration::from_hours(2)),
            facts: cortana::credential::Facts::default(),
            foreign_host: None,
        }
    );
}

#[tokio::test]
async fn silence_a_broken_connection_and_nobody_there_are_transient() {
    let served = Served::start().await;
    let provider = served.provider("gemini_cli");
    let login = login(&served.vendors.mint("gemini_cli", "a@example.com"));
    let later =
        |problem: &str| Err(RefreshError::Transient { problem: problem.to_owned(), retry_after: None });

    served.vendors.fault("gemini_cli", Fault::token(Act::Hang));
    let limits = Limits { request: Duration::from_millis(200), ..Limits::default() };
    let hasty = exchange().with_limits(limits);
    assert_eq!(hasty.timeout(), Duration::from_millis(200));
    assert_eq!(hasty.refresh(&provider, &login).await, later("timed out"));

    served.vendors.fault("gemini_cli", Fault::token(Act::LoseReply));
    assert_eq!(refresh(&provider, &login).await, later("the connection broke"));

    let mut nobody = provider.clone();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = free.local_addr().expect("an address");
    drop(free);
    spec_of(&mut nobody).token_endpoint = format!("http://{address}/token").parse().expect("a url");
    assert_eq!(refresh(&nobody, &login).await, later("could not connect"));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_flood_is_not_read() {
    let served = Served::start().await;
    let provider = served.provider("gemini_cli");
    let login = login(&served.vendors.mint("gemini_cli", "a@example.com"));
    let elsewhere = format!("{}/vendors/antigravity/token", served.origin);
    let redirect = Act::json_with(307, ("location", &elsewhere), &json!({}));
    served.vendors.fault("gemini_cli", Fault::token(redirect));
    let unknown = |problem: &str| Err(RefreshError::Unknown { problem: problem.to_owned() });
    assert_eq!(refresh(&provider, &login).await, unknown("HTTP 307"));
    assert_eq!(served.vendors.counts_of("antigravity").token_requests, 0);

    let flood = Act::json(200, &json!({"access_token": "x".repeat(300 * 1024)}));
    served.vendors.fault("gemini_cli", Fault::token(flood));
    assert_eq!(refresh(&provider, &login).await, unknown("HTTP 200, a reply of more than 256 kB"));
}

#[tokio::test]
async fn p33_no_error_repeats_what_was_sent_or_answered() {
    let served = Served::start().await;
    for id in ["gemini_cli", "qwen_code", "iflow"] {
        let mut provider = served.provider(id);
        // Canaries in the very shape of an error code.
        spec_of(&mut provider).client_secret = Some(Secret::new("canary_secret"));
        let mut login = login(&served.vendors.mint(id, "a@example.com"));
        login.tokens.refresh = Some(Secret::new("canary_refresh"));
        for status in [200, 302, 400, 401, 403, 404, 429, 500] {
            for body in [
                json!({"error": "canary_refresh", "error_description": "canary_secret"}),
                json!({"error": {"code": "canary_secret", "message": "canary_refresh"}}),
                json!({"error": "ya29.canary-access", "error_description": "Invalid refresh token canary_refresh"}),
                json!({"success": false, "code": "canary_refresh", "message": "canary_secret"}),
                json!("canary_refresh"),
            ] {
                served.vendors.fault(id, Fault::token(Act::json(status, &body)));
                let error = refresh(&provider, &login).await.expect_err("no grant is in there");
                let shown = format!("{error:?} {error}");
                assert!(!shown.contains("canary"), "{id} {status} {body}: {shown}");
            }
        }
    }
}
