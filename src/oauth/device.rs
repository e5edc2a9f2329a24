//! The device authorisation grant (RFC 8628): a code is typed on another device, and the token endpoint asked until it was.

use std::time::Duration;

use oauth2::StandardDeviceAuthorizationResponse;
use reqwest::Method;
use serde_json::Value;
use tokio::time::{sleep_until, timeout_at};
use url::Url;

use super::{
    HttpRefresh, LoginError, NewLogin, RefreshError, client,
    pkce::Proof,
    reply::{self, Answer},
};
use crate::{
    clock::instant,
    http::is_loopback,
    provider::{Pkce, Provider},
    secret::Secret,
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// By how much `slow_down` lengthens the pause for good (RFC 8628, section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

/// The longest pause: a trouble of an hour is no login.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// The longest time in which a person may confirm.
const LONGEST_LIFE: Duration = Duration::from_hours(1);

/// A login on another device that has begun.
#[derive(Debug, Clone)]
pub struct DeviceLogin {
    /// What the person types.
    pub user_code: String,
    /// Where they type it.
    pub address: Url,
    /// The same with the code in it, where the provider has that.
    pub complete: Option<Url>,
    /// How long the code lives.
    pub lives: Duration,
    interval: Duration,
    code: Secret,
    proof: Option<Proof>,
}

/// What a poll said.
#[derive(Debug)]
enum Polled {
    Granted(Box<NewLogin>),
    Pending,
    SlowDown,
    /// No proper answer: again later, after a longer pause each time.
    Trouble,
}

impl HttpRefresh {
    /// Asks for a code (RFC 8628, section 3.1).
    ///
    /// # Errors
    /// When the row has no such login, no client is configured, or the endpoint refuses.
    pub async fn begin_device(&self, provider: &Provider) -> Result<DeviceLogin, LoginError> {
        let not_offered =
            || LoginError::NotOffered { name: provider.name.clone(), way: "by a code on another device" };
        let spec = provider.oauth().ok_or_else(not_offered)?;
        let endpoint = spec.device_endpoint.as_ref().ok_or_else(not_offered)?;
        let client = client::configured(provider, spec)?;
        let proof = match spec.consent.device_pkce {
            Pkce::S256 => Some(Proof::new()),
            Pkce::None => None,
        };
        let scopes = spec.scopes.join(" ");
        let mut form = Vec::new();
        if !scopes.is_empty() {
            form.push(("scope", scopes.as_str()));
        }
        let challenge = proof.as_ref().map(Proof::challenge);
        if let Some(challenge) = &challenge {
            form.push(("code_challenge", challenge.as_str()));
            form.push(("code_challenge_method", challenge.method().as_str()));
        }
        let request = self.request(provider, Method::POST, endpoint)?;
        let request = client::identify(request, &mut form, spec.client_auth, &client);
        if !form.iter().any(|(name, _)| *name == "client_id") {
            form.push(("client_id", &client.id));
        }
        let answer = self.send("device code: ", request.form(&form)).await?;
        let object = reply::accepted(provider, &answer).map_err(|error| {
            reply::without(&client.secret.iter().collect::<Vec<_>>(), error, answer.status)
        })?;
        // The error quotes values, of which one is the device code.
        let unreadable = || {
            LoginError::Exchange(RefreshError::Unknown {
                problem: "device code: no code, address or life in the reply".to_owned(),
            })
        };
        let begun: StandardDeviceAuthorizationResponse =
            serde_json::from_value(Value::Object(object)).map_err(|_| unreadable())?;
        let address = shown(begun.verification_uri().url()).ok_or_else(unreadable)?;
        let complete = begun.verification_uri_complete().and_then(|uri| Url::parse(uri.secret()).ok());
        let is_plain =
            |code: &str| (1..=40).contains(&code.chars().count()) && !code.chars().any(char::is_control);
        let user_code = begun.user_code().secret().trim().to_owned();
        if !is_plain(&user_code) {
            return Err(unreadable());
        }
        Ok(DeviceLogin {
            user_code,
            address,
            complete: complete.as_ref().and_then(shown),
            lives: begun.expires_in().min(LONGEST_LIFE),
            interval: begun.interval().clamp(Duration::from_secs(1), LONGEST_PAUSE),
            code: Secret::new(begun.device_code().secret().to_owned()),
            proof,
        })
    }

    /// Asks until the person decided, the code expired, or `patience` ended.
    ///
    /// # Errors
    /// [`LoginError::Declined`], [`LoginError::Expired`], or what the token endpoint refused.
    pub async fn wait_for_device(
        &self,
        provider: &Provider,
        login: &DeviceLogin,
        patience: Duration,
    ) -> Result<NewLogin, LoginError> {
        let patience = patience.min(login.lives);
        poll_until(login.interval, patience, || self.poll_device(provider, login)).await
    }

    /// One poll.
    async fn poll_device(&self, provider: &Provider, login: &DeviceLogin) -> Result<Polled, LoginError> {
        let spec = provider.oauth().ok_or(RefreshError::NoRefreshToken)?;
        let client = client::configured(provider, spec)?;
        let mut form = vec![("grant_type", GRANT), ("device_code", login.code.expose())];
        let mut sent = vec![&login.code];
        if let Some(proof) = &login.proof {
            form.push(("code_verifier", proof.verifier().expose()));
            sent.push(proof.verifier());
        }
        sent.extend(&client.secret);
        let asked = self.ask(provider, &spec.token_endpoint, Some((spec.client_auth, &client)), form).await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(RefreshError::Transient { .. }) => return Ok(Polled::Trouble),
            Err(error) => return Err(error.into()),
        };
        read(provider, login, &answer).map_err(|error| match error {
            LoginError::Exchange(error) => reply::without(&sent, error, answer.status).into(),
            error @ (LoginError::NotOffered { .. }
            | LoginError::Port { .. }
            | LoginError::OtherLogin
            | LoginError::Unreadable { .. }
            | LoginError::Declined
            | LoginError::Expired { .. }
            | LoginError::Refused { .. }) => error,
        })
    }
}

/// The answer to a poll (RFC 8628, section 3.5). Its words count under any status: Qwen's `slow_down` is a 429, which means
/// something else elsewhere.
fn read(provider: &Provider, login: &DeviceLogin, answer: &Answer) -> Result<Polled, LoginError> {
    let word = answer.object().and_then(|object| object.get("error")?.as_str().map(str::to_owned));
    match word.as_deref() {
        Some("authorization_pending") => return Ok(Polled::Pending),
        Some("slow_down") => return Ok(Polled::SlowDown),
        Some("access_denied") => return Err(LoginError::Declined),
        Some("expired_token") => return Err(LoginError::Expired { within: login.lives }),
        Some(_) | None => {}
    }
    match reply::read_login(provider, answer) {
        Ok(granted) => Ok(Polled::Granted(Box::new(granted))),
        Err(RefreshError::Transient { .. }) => Ok(Polled::Trouble),
        Err(error) => Err(error.into()),
    }
}

/// Polls with the pauses of RFC 8628, section 3.5: the interval, five seconds more for good after each `slow_down`, twice
/// as long after a trouble, until there is an answer or `patience` ends.
async fn poll_until<F: Future<Output = Result<Polled, LoginError>>>(
    interval: Duration,
    patience: Duration,
    poll: impl Fn() -> F,
) -> Result<NewLogin, LoginError> {
    let until = instant() + patience;
    let (mut interval, mut trouble) = (interval, Duration::ZERO);
    loop {
        let next = instant() + interval.max(trouble);
        if next >= until {
            sleep_until(until).await;
            return Err(LoginError::Expired { within: patience });
        }
        sleep_until(next).await;
        match timeout_at(until, poll()).await {
            Err(_) => return Err(LoginError::Expired { within: patience }),
            Ok(Err(error)) => return Err(error),
            Ok(Ok(Polled::Granted(login))) => return Ok(*login),
            Ok(Ok(Polled::Pending)) => trouble = Duration::ZERO,
            Ok(Ok(Polled::SlowDown)) => {
                interval += SLOWER;
                trouble = Duration::ZERO;
            }
            Ok(Ok(Polled::Trouble)) => trouble = (interval.max(trouble) * 2).min(LONGEST_PAUSE),
        }
    }
}

/// An address that may be opened in a person's browser.
fn shown(url: &Url) -> Option<Url> {
    let safe = (url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)))
        && url.username().is_empty()
        && url.password().is_none();
    safe.then(|| url.clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::{oauth::Grant, provider::Catalog};

    fn granted() -> NewLogin {
        let grant = Grant {
            access: Secret::new("FAKE"),
            refresh: None,
            lifetime: None,
            facts: crate::credential::Facts::default(),
            foreign_host: None,
        };
        NewLogin { grant, scopes: None, account: None }
    }

    /// Polls with these answers; says when each poll came, in seconds, and how it ended.
    async fn polled(
        patience: u64,
        answers: Vec<Result<Polled, LoginError>>,
    ) -> (Vec<u64>, Result<NewLogin, LoginError>) {
        let began = instant();
        let answers = Mutex::new(answers.into_iter());
        let at = Mutex::new(Vec::new());
        let end = poll_until(Duration::from_secs(5), Duration::from_secs(patience), || async {
            at.lock().unwrap().push(began.elapsed().as_secs());
            let next = answers.lock().unwrap().next();
            next.unwrap_or(Ok(Polled::Pending))
        })
        .await;
        (at.into_inner().unwrap(), end)
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_down_lengthens_every_later_pause() {
        use Polled::{Granted, Pending, SlowDown};
        let answers = vec![
            Ok(Pending),
            Ok(SlowDown),
            Ok(Pending),
            Ok(SlowDown),
            Ok(Pending),
            Ok(Granted(Box::new(granted()))),
        ];
        assert_eq!(polled(300, answers).await, (vec![5, 10, 20, 30, 45, 60], Ok(granted())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trouble_is_waited_out_longer_each_time_and_forgotten_afterwards() {
        use Polled::{Pending, Trouble};
        let answers = vec![Ok(Trouble), Ok(Trouble), Ok(Pending), Err(LoginError::Declined)];
        assert_eq!(polled(300, answers).await, (vec![5, 15, 35, 40], Err(LoginError::Declined)));
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_patience_and_no_poll_comes_after() {
        let began = instant();
        let (at, end) = polled(12, Vec::new()).await;
        assert_eq!((at, end), (vec![5, 10], Err(LoginError::Expired { within: Duration::from_secs(12) })));
        assert_eq!(began.elapsed(), Duration::from_secs(12));
    }

    /// What a poll's answer means, in a word.
    fn meaning(status: u16, body: &str) -> String {
        let provider = Catalog::builtin().get(&"qwen_code".parse().expect("id")).expect("a row").clone();
        let login = DeviceLogin {
            user_code: "BCDF-GHJK".to_owned(),
            address: "https://chat.qwen.ai/authorize".parse().expect("url"),
            complete: None,
            lives: Duration::from_mins(15),
            interval: Duration::from_secs(5),
            code: Secret::new("FAKE-device"),
            proof: None,
        };
        let answer = Answer { status, retry_after: None, body: body.as_bytes().to_vec().into() };
        match read(&provider, &login, &answer) {
            Ok(Polled::Granted(_)) => "granted".to_owned(),
            Ok(polled) => format!("{polled:?}"),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn a_polls_words_count_under_any_status() {
        for status in [400, 403, 428, 429] {
            assert_eq!(meaning(status, r#"{"error":"slow_down"}"#), "SlowDown", "{status}");
            assert_eq!(meaning(status, r#"{"error":"authorization_pending"}"#), "Pending", "{status}");
            assert_eq!(meaning(status, r#"{"error":"access_denied"}"#), "Declined", "{status}");
            assert_eq!(
                meaning(status, r#"{"error":"expired_token"}"#),
                "Expired { within: 900s }",
                "{status}"
            );
        }
        assert_eq!(meaning(429, "{}"), "Trouble");
        assert_eq!(meaning(502, "<html>"), "Trouble");
        assert_eq!(meaning(200, r#"{"access_token":"FAKE","expires_in":3600}"#), "granted");
        assert!(meaning(400, r#"{"error":"invalid_client"}"#).contains("ClientRefused"));
        assert!(meaning(400, r#"{"error":"invalid_grant"}"#).contains("Refused"));
    }

    #[test]
    fn only_an_address_over_tls_or_of_this_machine_is_shown() {
        let shown = |text: &str| shown(&text.parse().expect("url")).is_some();
        assert!(shown("https://chat.qwen.ai/authorize?user_code=X") && shown("http://127.0.0.1:9/device"));
        assert!(
            !shown("http://evil.example/")
                && !shown("https://a:b@evil.example/")
                && !shown("file:///etc/passwd")
        );
    }
}
