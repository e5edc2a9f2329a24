//! The authorisation code grant (RFC 6749, section 4.1; RFC 7636; RFC 8252): the address that a browser is sent to, what
//! it comes back with, and the exchange of the code.

use std::borrow::Cow;

use oauth2::{AuthUrl, ClientId, CsrfToken, RedirectUrl, Scope, basic::BasicClient};
use subtle::ConstantTimeEq as _;
use url::{Url, form_urlencoded};

use super::{HttpRefresh, LoginError, NewLogin, client, pkce::Proof, reply};
use crate::{
    provider::{OAuthSpec, Pkce, Provider},
    secret::Secret,
};

/// What `state` is made of: 256 bits, as much as the verifier.
const STATE_BYTES: u32 = 32;

/// The port in an address where nobody listens: the browser fails there, and its address is copied. Of the range that is
/// nobody's (RFC 6335, section 6).
const NOBODYS_PORT: u16 = 57_163;

/// The longest answer that is read. Google's codes have some 80 characters; others hold a signed token.
const LONGEST_ANSWER: usize = 16 * 1024;

/// A login in a browser that has begun. Good for one answer.
#[derive(Debug, Clone)]
pub struct Authorization {
    /// Where the browser is sent. Holds `state` and the challenge, neither code nor verifier.
    pub address: Url,
    redirect: Url,
    state: Secret,
    proof: Option<Proof>,
}

impl Authorization {
    /// Begins a login that comes back to `redirect`.
    ///
    /// # Errors
    /// When the provider's row has no such login, or no client is configured.
    pub fn begin(provider: &Provider, redirect: &Url) -> Result<Self, LoginError> {
        let spec = provider.oauth().ok_or_else(|| not_offered(provider))?;
        let endpoint = spec.authorize_endpoint.clone().ok_or_else(|| not_offered(provider))?;
        let client = client::configured(provider, spec)?;
        let proof = match spec.consent.pkce {
            Pkce::S256 => Some(Proof::new()),
            Pkce::None => None,
        };
        let consent = &spec.consent;
        let asking = BasicClient::new(ClientId::new(client.id)).set_auth_uri(AuthUrl::from_url(endpoint));
        let mut request = asking
            .authorize_url(|| CsrfToken::new_random_len(STATE_BYTES))
            .add_scopes(spec.scopes.iter().cloned().map(Scope::new));
        request = if consent.redirect_parameter == "redirect_uri" {
            request.set_redirect_uri(Cow::Owned(RedirectUrl::from_url(redirect.clone())))
        } else {
            request.add_extra_param(consent.redirect_parameter.as_str(), redirect.as_str())
        };
        for (name, value) in &consent.parameters {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        if let Some(proof) = &proof {
            request = request.set_pkce_challenge(proof.challenge());
        }
        let (address, state) = request.url();
        Ok(Self { address, redirect: redirect.clone(), state: Secret::new(state.into_secret()), proof })
    }

    /// Where the browser comes back to.
    pub fn redirect(&self) -> &Url {
        &self.redirect
    }

    /// The code in the query of the address that the browser came back to.
    ///
    /// # Errors
    /// [`LoginError::OtherLogin`] when `state` is not ours, before anything else in it is looked at.
    pub fn read(&self, query: &str) -> Result<Secret, LoginError> {
        if query.len() > LONGEST_ANSWER {
            return Err(LoginError::Unreadable { problem: "too long" });
        }
        let ours = only(query, "state")
            .is_some_and(|state| bool::from(state.as_bytes().ct_eq(self.state.expose().as_bytes())));
        if !ours {
            return Err(LoginError::OtherLogin);
        }
        if let Some(error) = only(query, "error") {
            return Err(refused(&error));
        }
        only(query, "code")
            .filter(|code| !code.trim().is_empty())
            .map(Secret::new)
            .ok_or(LoginError::Unreadable { problem: "it has no code" })
    }

    /// The code in what a person pasted: the whole address, its query, or the code alone. The code alone carries no
    /// `state`, so that it is taken only where a challenge binds it to this login.
    ///
    /// # Errors
    /// As [`Authorization::read`], and [`LoginError::Unreadable`] when it is none of these.
    pub fn read_pasted(&self, pasted: &str) -> Result<Secret, LoginError> {
        let pasted = pasted.trim().trim_matches(['"', '\'', '<', '>']).trim();
        if pasted.len() > LONGEST_ANSWER {
            return Err(LoginError::Unreadable { problem: "too long" });
        }
        if pasted.starts_with("http://") || pasted.starts_with("https://") {
            let problem = LoginError::Unreadable { problem: "it is no address" };
            let url = Url::parse(pasted).map_err(|_| problem)?;
            return self.read(url.query().unwrap_or_default());
        }
        let query = pasted.trim_start_matches('?');
        if ["code=", "error=", "state="].iter().any(|name| query.starts_with(name)) {
            return self.read(query);
        }
        if pasted.is_empty() {
            return Err(LoginError::Unreadable { problem: "it is empty" });
        }
        if !pasted.chars().all(|c| c.is_ascii_graphic()) {
            return Err(LoginError::Unreadable { problem: "a code has no spaces and no accents" });
        }
        if self.proof.is_none() {
            return Err(LoginError::Unreadable {
                problem: "the whole address is needed here, with its state",
            });
        }
        // As it stands in an address: `4%2F0A…`.
        let decoded =
            pasted.contains('%').then(|| only(&format!("code={}", pasted.replace('+', "%2B")), "code"));
        Ok(Secret::new(decoded.flatten().unwrap_or_else(|| pasted.to_owned())))
    }
}

impl HttpRefresh {
    /// Exchanges the code for tokens (RFC 6749, section 4.1.3). One request, no retry: a code is good for one.
    ///
    /// # Errors
    /// What the token endpoint refused.
    pub async fn redeem(
        &self,
        provider: &Provider,
        authorization: &Authorization,
        code: &Secret,
    ) -> Result<NewLogin, LoginError> {
        let spec = provider.oauth().ok_or_else(|| not_offered(provider))?;
        let client = client::configured(provider, spec)?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", authorization.redirect.as_str()),
        ];
        let mut sent = vec![code];
        if let Some(proof) = &authorization.proof {
            form.push(("code_verifier", proof.verifier().expose()));
            sent.push(proof.verifier());
        }
        let answer =
            self.ask(provider, &spec.token_endpoint, Some((spec.client_auth, &client)), form).await?;
        Ok(reply::read_login(provider, &answer).map_err(|error| {
            let secret = client.secret.as_ref();
            reply::without(&sent.into_iter().chain(secret).collect::<Vec<_>>(), error, answer.status)
        })?)
    }
}

/// Where a browser comes back to when nobody listens: the provider's own page with the code, else this machine's address,
/// which the browser cannot open and shows.
pub fn pasted_redirect(spec: &OAuthSpec) -> Url {
    let consent = &spec.consent;
    consent.shown_at.clone().unwrap_or_else(|| {
        let mut redirect = consent.redirect.clone();
        if redirect.port().is_none() {
            redirect.set_port(Some(NOBODYS_PORT)).expect("an http address has a port");
        }
        redirect
    })
}

/// Which of the scopes that are asked for were not granted. Google grants `email` under a longer name, and has several
/// orders.
pub fn missing_scopes(spec: &OAuthSpec, granted: &[String]) -> Vec<String> {
    let canonical = |scope: &str| match scope {
        "email" => "https://www.googleapis.com/auth/userinfo.email".to_owned(),
        "profile" => "https://www.googleapis.com/auth/userinfo.profile".to_owned(),
        other => other.to_owned(),
    };
    let granted: Vec<String> = granted.iter().map(|scope| canonical(scope)).collect();
    spec.scopes.iter().filter(|scope| !granted.contains(&canonical(scope))).cloned().collect()
}

/// The value of a parameter; none when it comes twice, which RFC 6749 (section 3.1) forbids.
fn only(query: &str, name: &str) -> Option<String> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    let first = values.next()?.1.into_owned();
    values.next().is_none().then_some(first)
}

/// An error that the browser brought back (RFC 6749, section 4.1.2.1).
fn refused(error: &str) -> LoginError {
    if error == "access_denied" {
        return LoginError::Declined;
    }
    let code = reply::code_word(&error.into()).unwrap_or_else(|| "an error code that is no word".to_owned());
    LoginError::Refused { code }
}

fn not_offered(provider: &Provider) -> LoginError {
    LoginError::NotOffered { name: provider.name.clone(), way: "in a browser" }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::provider::{Catalog, LoginKind};

    fn row(id: &str) -> Provider {
        let mut row = Catalog::builtin().get(&id.parse().expect("id")).expect("a row").clone();
        let LoginKind::OAuth(spec) = &mut row.login else { panic!("an OAuth row") };
        spec.client_id.get_or_insert_with(|| "FAKE-client".to_owned());
        spec.client_secret = Some(Secret::new("FAKE-secret"));
        row
    }

    fn begun(id: &str) -> Authorization {
        Authorization::begin(&row(id), &"http://127.0.0.1:8400/cb".parse().expect("url")).expect("it begins")
    }

    fn state(authorization: &Authorization) -> &str {
        authorization.state.expose()
    }

    #[test]
    fn the_address_says_what_each_row_wants_and_no_secret() {
        for id in ["gemini_cli", "antigravity", "iflow", "huggingface"] {
            let provider = row(id);
            let spec = provider.oauth().expect("a row with logins");
            let begun = begun(id);
            let query: Vec<(String, String)> =
                begun.address.query_pairs().map(|(name, value)| (name.into(), value.into())).collect();
            let value = |name: &str| {
                let found: Vec<_> = query.iter().filter(|(key, _)| key == name).collect();
                assert!(found.len() <= 1, "{name} once: {found:?}");
                found.first().map(|(_, value)| value.as_str())
            };
            assert_eq!(value("client_id"), spec.client_id.as_deref(), "{id}");
            assert_eq!(value("state"), Some(state(&begun)), "{id}");
            assert_eq!(value(&spec.consent.redirect_parameter), Some("http://127.0.0.1:8400/cb"), "{id}");
            let scopes = spec.scopes.join(" ");
            assert_eq!(value("scope").unwrap_or_default(), scopes, "{id}");
            let has_challenge = spec.consent.pkce == Pkce::S256;
            assert_eq!(value("code_challenge_method"), has_challenge.then_some("S256"), "{id}");
            assert_eq!(value("code_challenge").map(str::len), has_challenge.then_some(43), "{id}");
            for (name, expected) in &spec.consent.parameters {
                assert_eq!(value(name), Some(expected.as_str()), "{id}");
            }
            let verifier = begun.proof.as_ref().map_or("FAKE-secret", |proof| proof.verifier().expose());
            let shown = format!("{} {begun:?}", begun.address);
            assert!(!shown.contains(verifier) && !shown.contains("FAKE-secret"), "{shown}");
        }
        assert_ne!(state(&begun("iflow")), state(&begun("iflow")));
    }

    #[test]
    fn a_code_counts_only_with_this_logins_state() {
        let begun = begun("gemini_cli");
        let state = state(&begun).to_owned();
        let read = |query: &str| begun.read(query).map(|code| code.expose().to_owned());
        assert_eq!(read(&format!("code=4%2F0FAKE&state={state}")), Ok("4/0FAKE".to_owned()));
        assert_eq!(read(&format!("state={state}&error=access_denied")), Err(LoginError::Declined));
        let refused = Err(LoginError::Refused { code: "invalid_scope".to_owned() });
        assert_eq!(read(&format!("error=invalid_scope&state={state}")), refused);
        for other in [
            "code=4%2F0FAKE".to_owned(),
            "code=4%2F0FAKE&state=".to_owned(),
            format!("code=4%2F0FAKE&state={state}x"),
            format!("code=4%2F0FAKE&state={state}&state={state}"),
            "error=access_denied&state=FAKE".to_owned(),
        ] {
            assert_eq!(read(&other), Err(LoginError::OtherLogin), "{other}");
        }
        let twice = read(&format!("code=a&code=b&state={state}"));
        assert_eq!(twice, Err(LoginError::Unreadable { problem: "it has no code" }));
    }

    #[test]
    fn an_error_of_a_stranger_is_shown_as_a_word_or_not_at_all() {
        let told = refused("<script>alert(1)</script>").to_string();
        assert!(!told.contains("script"), "{told}");
    }

    #[test]
    fn a_code_alone_is_taken_only_where_a_challenge_binds_it() {
        let read = |id: &str, text: &str| begun(id).read_pasted(text).map(|code| code.expose().to_owned());
        assert_eq!(read("gemini_cli", " 4/0FAKE-abc \n"), Ok("4/0FAKE-abc".to_owned()));
        assert_eq!(read("gemini_cli", "4%2F0FAKE+abc"), Ok("4/0FAKE+abc".to_owned()));
        for text in ["", "two words", "caf\u{e9}"] {
            assert!(matches!(read("gemini_cli", text), Err(LoginError::Unreadable { .. })), "{text}");
        }
        assert!(matches!(read("iflow", "FAKE-code"), Err(LoginError::Unreadable { .. })));
    }

    #[test]
    fn google_names_its_scopes_in_two_ways() {
        let provider = row("gemini_cli");
        let spec = provider.oauth().expect("logins");
        let granted =
            ["openid", "email", "https://www.googleapis.com/auth/cloud-platform"].map(str::to_owned);
        assert_eq!(missing_scopes(spec, &granted), ["https://www.googleapis.com/auth/userinfo.profile"]);
    }

    proptest! {
        #[test]
        fn any_code_survives_the_ways_in_which_it_is_pasted(
            code in "[!-~]{1,80}",
            before in prop::sample::select(vec!["", " ", "\"", "<", "\n"]),
            after in prop::sample::select(vec!["", " ", "\"", ">", "\r\n"]),
        ) {
            let begun = begun("gemini_cli");
            let mut url: Url = begun.redirect().clone();
            url.query_pairs_mut().append_pair("state", state(&begun)).append_pair("code", &code);
            let query = url.query().expect("a query").to_owned();
            for text in [url.as_str(), &query, &format!("?{query}")] {
                let read = begun.read_pasted(&format!("{before}{text}{after}"));
                prop_assert_eq!(read.map(|read| read.expose().to_owned()), Ok(code.clone()));
            }
        }

        #[test]
        fn whatever_is_pasted_never_panics_and_passes_no_other_state(text in "\\PC{0,60}", state in "[a-zA-Z0-9]{0,50}") {
            let begun = begun("iflow");
            prop_assert!(begun.read_pasted(&text).is_err());
            let query = format!("code=FAKE&state={state}");
            prop_assert_eq!(begun.read_pasted(&query), Err(LoginError::OtherLogin));
        }
    }
}
