//! Emulated providers on a real socket, and the bot's rows led there.

use std::sync::Arc;

use cortana::{
    clock::{SystemClock, instant},
    credential::{Facts, OAuthLogin, Tokens},
    http::{Http, HttpOptions, Reach},
    oauth::{HttpRefresh, Limits},
    provider::{Catalog, LoginKind, OAuthSpec, Provider},
    sandbox::vendor::{MintedLogin, Vendors},
    secret::Secret,
    shutdown::Shutdown,
};
use tokio::{net::TcpListener, time::Duration};

/// Providers that are being served; the server ends with this value.
pub(crate) struct Served {
    pub(crate) vendors: Vendors,
    /// `http://127.0.0.1:PORT`.
    pub(crate) origin: String,
    shutdown: Shutdown,
}

impl Served {
    pub(crate) async fn start() -> Self {
        let vendors = Vendors::new();
        vendors.set_pace(Duration::ZERO);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let shutdown = Shutdown::new();
        let router = vendors.router();
        let end = shutdown.token().clone();
        drop(shutdown.spawn(async move {
            tokio::select! {
                served = async { axum::serve(listener, router).await } => served.expect("the server runs"),
                () = end.cancelled() => {}
            }
        }));
        Self { vendors, origin, shutdown }
    }

    /// The built-in row, overridden as an operator would, with the emulator's client secret.
    pub(crate) fn provider(&self, id: &str) -> Provider {
        let mut row = Catalog::builtin().get(&id.parse().expect("an id")).expect("a row").clone();
        let endpoints = Vendors::endpoints_of(&self.origin, id).expect("an emulated provider");
        row.api_bases = vec![endpoints.api_base.parse().expect("a base")];
        row.api_base_overridden = true;
        row.terms_accepted = true;
        if let (LoginKind::OAuth(spec), Some(endpoint)) = (&mut row.login, &endpoints.token_endpoint) {
            spec.override_token_endpoint(endpoint.parse().expect("an endpoint"));
            spec.client_secret = Vendors::client(id).and_then(|(_, secret)| secret).map(Secret::new);
        }
        row
    }
}

impl Served {
    /// The variables that lead the real binary to these providers.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let mut variables = vec![("ACCEPT_PROVIDER_TERMS".to_owned(), "gemini_cli,antigravity".to_owned())];
        for (id, endpoints) in Vendors::endpoints(&self.origin) {
            let prefix = id.to_uppercase();
            variables.push((format!("{prefix}_API_BASE"), endpoints.api_base));
            variables.extend(
                endpoints.token_endpoint.map(|endpoint| (format!("{prefix}_TOKEN_ENDPOINT"), endpoint)),
            );
            if let Some((client, secret)) = Vendors::client(&id) {
                variables.push((format!("{prefix}_CLIENT_ID"), client.to_owned()));
                variables.extend(secret.map(|secret| (format!("{prefix}_CLIENT_SECRET"), secret.to_owned())));
            }
        }
        variables
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

/// Waits, a minute at most, until something is so.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let deadline = instant() + Duration::from_mins(1);
    while !is_so() {
        assert!(instant() < deadline, "it never came");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The OAuth side of a row, to change it.
pub(crate) fn spec_of(row: &mut Provider) -> &mut OAuthSpec {
    match &mut row.login {
        LoginKind::OAuth(spec) => spec,
        LoginKind::ApiKey => panic!("{} has no logins", row.id),
    }
}

/// A login as the store would hand it over.
pub(crate) fn login(minted: &MintedLogin) -> OAuthLogin {
    OAuthLogin {
        tokens: Tokens {
            access: Some(Secret::new(minted.access.clone())),
            refresh: Some(Secret::new(minted.refresh.clone())),
            expires_at: Some(minted.expires_at),
            lifetime: None,
        },
        facts: Facts::default(),
        ..OAuthLogin::default()
    }
}

/// The real exchange, which can reach nothing but this machine and is in a hurry.
pub(crate) fn exchange() -> HttpRefresh {
    let options = HttpOptions { reach: Reach::LoopbackOnly, ..HttpOptions::default() };
    let limits = Limits { request: Duration::from_secs(5), poll_every: Duration::from_millis(1), polls: 3 };
    HttpRefresh::new(Http::new(&options).expect("a client"), Arc::new(SystemClock)).with_limits(limits)
}
