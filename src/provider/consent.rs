//! How a provider wants a person to be asked: where the browser comes back to, and what is said beside the standard.

use std::collections::BTreeMap;

use serde::Deserialize;
use url::Url;

use super::{GrantKind, OAuthSpec, Provider};

/// Whether a login is bound to the program that began it (RFC 7636).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    /// A challenge of method S256 is sent.
    S256,
    /// None is: the provider does not know it.
    None,
}

/// How a person's consent is asked for (RFC 6749, section 4.1; RFC 8252; RFC 8628).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Consent {
    /// Where the browser comes back to, exactly: `http` on `127.0.0.1`, `[::1]` or `localhost`. Without a port a free one
    /// is taken, which RFC 8252 (section 7.3) has providers allow; one that does not wants a port here.
    pub redirect: Url,
    /// The parameter that carries it.
    pub redirect_parameter: String,
    /// A page of the provider's that shows the code to be copied, for a browser on another machine.
    pub shown_at: Option<Url>,
    /// Of a login in a browser.
    pub pkce: Pkce,
    /// Of a login on another device, where the standard has none.
    pub device_pkce: Pkce,
    /// Further parameters of the authorisation request.
    pub parameters: BTreeMap<String, String>,
}

impl Default for Consent {
    fn default() -> Self {
        Self {
            redirect: Url::parse("http://127.0.0.1/oauth2callback").expect("an address, tested below"),
            redirect_parameter: "redirect_uri".to_owned(),
            shown_at: None,
            pkce: Pkce::S256,
            device_pkce: Pkce::None,
            parameters: BTreeMap::new(),
        }
    }
}

impl Consent {
    /// What is wrong with it, as an instruction.
    ///
    /// # Errors
    /// One sentence about the first thing that cannot be.
    pub fn check(&self) -> Result<(), String> {
        let url = &self.redirect;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        if url.scheme() != "http" || !crate::http::is_loopback(url) || !plain || url.password().is_some() {
            return Err("consent.redirect: expected http on 127.0.0.1, [::1] or localhost, such as \
                        http://127.0.0.1:8400/callback"
                .to_owned());
        }
        let own = ["client_id", "state", "code_challenge", "code_challenge_method", "response_type", "scope"];
        let taken =
            |name: &str| own.contains(&name) || name == "redirect_uri" || name == self.redirect_parameter;
        if let Some(name) = self.parameters.keys().find(|name| taken(name)) {
            return Err(format!("consent.parameters: {name} is the program's to set"));
        }
        Ok(())
    }
}

impl OAuthSpec {
    /// Whether a person can log in with `cortana login`.
    pub fn takes_logins(&self) -> bool {
        let somewhere = self.authorize_endpoint.is_some() || self.device_endpoint.is_some();
        self.grant == GrantKind::RefreshToken && somewhere
    }
}

impl Provider {
    /// What a person does when a login is over: an instruction that goes on from "…: " or begins a sentence in lower case.
    pub fn log_in_again(&self) -> String {
        if self.oauth().is_some_and(OAuthSpec::takes_logins) {
            format!("log in again with `cortana login {}`, or with the provider's own tool", self.id)
        } else {
            "log in again with the provider's own tool".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Consent, String> {
        let consent: Consent =
            toml::from_str(text).map_err(|error: toml::de::Error| error.message().to_owned())?;
        consent.check().map(|()| consent)
    }

    #[test]
    fn nothing_said_is_a_free_port_of_this_machine_with_a_challenge() {
        let consent = read("").expect("all has a default");
        assert_eq!((consent.redirect.port(), consent.pkce), (None, Pkce::S256));
        assert_eq!(consent.redirect.as_str(), "http://127.0.0.1/oauth2callback");
    }

    #[test]
    fn a_redirect_beyond_this_machine_and_a_parameter_of_ours_are_refused() {
        for redirect in [
            "https://127.0.0.1/x",
            "http://evil.example/x",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.1/x?y",
            "http://a:b@127.0.0.1/x",
        ] {
            let told = read(&format!("redirect = \"{redirect}\"")).expect_err("a mistake");
            assert!(told.contains("consent.redirect"), "{redirect}: {told}");
        }
        for name in ["state", "redirect_uri", "code_challenge", "client_id"] {
            let told = read(&format!("parameters = {{ {name} = \"x\" }}")).expect_err("a mistake");
            assert!(told.contains(name), "{told}");
        }
        assert!(read("pkce = \"plain\"").is_err(), "`plain` proves nothing");
        assert!(read("redirect = \"http://localhost:8400/callback\"").is_ok());
    }
}
