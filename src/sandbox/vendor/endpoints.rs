//! Where emulated providers are reached, and with which client.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Vendors,
    rows::{self, Chat, ROWS, Row},
};

/// Where one provider is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoints {
    /// For `<PROVIDER>_TOKEN_ENDPOINT`; none for providers with keys.
    pub token_endpoint: Option<String>,
    /// For `<PROVIDER>_API_BASE`.
    pub api_base: String,
    /// Where a browser logs in, where one can.
    pub authorize_endpoint: Option<String>,
    /// Where a device asks for its code, where one can.
    pub device_endpoint: Option<String>,
    /// Where whose a token is can be asked.
    pub userinfo_endpoint: Option<String>,
}

impl Row {
    fn endpoints(&self, origin: &str) -> Endpoints {
        let at = |path: &str| format!("{origin}/vendors/{}{path}", self.id);
        let tokens = self.tokens;
        Endpoints {
            token_endpoint: tokens.map(|tokens| at(tokens.path)),
            api_base: at(self.api),
            authorize_endpoint: tokens.and_then(|tokens| tokens.authorize).map(|it| at(it.path)),
            device_endpoint: tokens.and_then(|tokens| tokens.device).map(|it| at(it.path)),
            userinfo_endpoint: tokens.and_then(|tokens| tokens.user_info).map(at),
        }
    }
}

impl Vendors {
    /// Where each provider is reached when the routes are served at `origin` (`http://127.0.0.1:PORT`).
    ///
    /// But for those that want no key: they would be asked as soon as they are named (see [`Vendors::endpoints_of`]).
    pub fn endpoints(origin: &str) -> BTreeMap<String, Endpoints> {
        let rows = ROWS.iter().filter(|row| row.chat != Chat::Keyless);
        rows.map(|row| (row.id.to_owned(), row.endpoints(origin))).collect()
    }

    /// Where this provider is reached; `None` when it is not emulated.
    pub fn endpoints_of(origin: &str, provider: &str) -> Option<Endpoints> {
        rows::row(provider).map(|row| row.endpoints(origin))
    }

    /// The id and secret of the provider's own client; `None` for providers with keys.
    pub fn client(provider: &str) -> Option<(&'static str, Option<&'static str>)> {
        rows::row(provider)?.tokens.map(|tokens| (tokens.client_id, tokens.client_secret))
    }
}
