//! Hugging Face's hub: searching models and fetching their files, through the hub's official client.
//!
//! The client looks names up and streams bytes; what a download needs besides (going on where one broke off, the checksum,
//! the room on the disk, the sentences) is here. Nothing of this is a provider: no chat goes through the hub.

mod error;
mod model;
mod pull;
mod search;

use std::time::Duration;

use hf_hub::{HFClient, RepoTypeModel, repository::HFRepository};
use reqwest_of_hub::{Client, redirect};
use url::Url;

pub use error::{HubError, Token};
pub use model::{GgufFile, MODEL_MEMORY, Model, bytes_in_words, plain};
pub use pull::{Progress, Pulled, Wanted};

use crate::{
    config::HubSettings,
    http::{self, Http, HttpOptions, Reach, USER_AGENT},
};

/// The hub, where nothing else is configured.
const HUB: &str = "https://huggingface.co";

/// Redirects from the hub to the store that has the bytes, at most.
const REDIRECTS: usize = 5;

/// A silence of this length ends a transfer's connection; the next one goes on from there.
const SILENCE: Duration = Duration::from_secs(30);

/// The hub, and whoever asks it.
#[derive(Debug, Clone)]
pub struct Hub {
    client: HFClient,
    http: Http,
    settings: HubSettings,
    endpoint: Url,
}

impl Hub {
    /// A client of the configured hub; nothing is sent yet.
    pub fn new(settings: &HubSettings, options: &HttpOptions) -> Result<Self, HubError> {
        let endpoint = settings.endpoint.clone().map_or_else(|| HUB.parse(), Ok);
        let endpoint = endpoint.map_err(|_| HubError::Unreachable { problem: "no address".to_owned() })?;
        let http = Http::new(options).map_err(|error| HubError::unreachable(&error))?;
        let client = HFClient::builder()
            .endpoint(endpoint.as_str())
            .client(client(options).map_err(|_| HubError::unreachable(&http::HttpError::Proxy))?)
            // Without a token the crate looks for one in the environment and the home folder, which only `config` may
            // read. A token that cannot stand in a header is sent nowhere.
            .token(settings.token.as_ref().map_or("\n", |token| token.expose()))
            .cache_enabled(false)
            .retry_max_attempts(3)
            .build()
            .map_err(|error| HubError::from_client(error, &Asking::about("", Token::Missing, &endpoint)))?;
        Ok(Self { client, http, settings: settings.clone(), endpoint })
    }

    /// Whether there is a token to ask with.
    fn token(&self) -> Token {
        if self.settings.token.is_some() { Token::Given } else { Token::Missing }
    }

    /// What an error is about.
    fn asking<'a>(&'a self, repo: &'a str) -> Asking<'a> {
        Asking::about(repo, self.token(), &self.endpoint)
    }

    /// Refuses where the process may reach nothing but this machine.
    fn check_reach(&self) -> Result<(), HubError> {
        self.http.check(&self.endpoint).map_err(|error| HubError::unreachable(&error))
    }

    /// A model's repository, if the name can be one.
    fn repository(&self, name: &str) -> Result<HFRepository<RepoTypeModel>, HubError> {
        self.check_reach()?;
        let is_part = |part: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            !part.is_empty() && part.len() <= 96 && part.chars().all(allowed) && !part.starts_with('.')
        };
        match name.split_once('/') {
            Some((owner, model)) if is_part(owner) && is_part(model) => Ok(self.client.model(owner, model)),
            Some(_) | None => Err(HubError::NoName { name: plain(name) }),
        }
    }
}

/// What a request was about, for the sentence when it fails.
#[derive(Debug, Clone, Copy)]
struct Asking<'a> {
    repo: &'a str,
    token: Token,
    endpoint: &'a Url,
}

impl<'a> Asking<'a> {
    fn about(repo: &'a str, token: Token, endpoint: &'a Url) -> Self {
        Self { repo, token, endpoint }
    }

    /// Where a person looks at the repository.
    fn page(&self) -> String {
        format!("{}/{}", self.endpoint.as_str().trim_end_matches('/'), self.repo)
    }
}

/// The client that the crate uses: the configured proxy, and redirects that never leave https. The library itself drops the
/// token when a redirect changes the host.
fn client(options: &HttpOptions) -> reqwest_of_hub::Result<Client> {
    let reach = options.reach;
    let follow = move |attempt: redirect::Attempt<'_>| {
        let is_here = http::is_loopback(attempt.url());
        let is_allowed = match reach {
            // Loopback only after loopback: a hub elsewhere sends nobody to the services of this machine.
            Reach::Anywhere => {
                attempt.url().scheme() == "https"
                    || (is_here && attempt.previous().iter().all(http::is_loopback))
            }
            Reach::LoopbackOnly => is_here,
        };
        if !is_allowed || attempt.previous().len() > REDIRECTS { attempt.stop() } else { attempt.follow() }
    };
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(redirect::Policy::custom(follow))
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(SILENCE);
    if let Some(proxy) = &options.proxy {
        builder = builder.proxy(reqwest_of_hub::Proxy::https(proxy.expose())?);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn hub(settings: &HubSettings, reach: Reach) -> Hub {
        Hub::new(settings, &HttpOptions { reach, ..HttpOptions::default() }).expect("a client")
    }

    #[test]
    fn p33_the_hub_shows_no_token() {
        let settings = HubSettings { token: Some(Secret::new("hf_FAKEcanary")), ..HubSettings::default() };
        let shown = format!("{:#?}", hub(&settings, Reach::Anywhere));
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[tokio::test]
    async fn what_may_reach_this_machine_alone_asks_no_hub_elsewhere() {
        let refused = hub(&HubSettings::default(), Reach::LoopbackOnly).search("tiny", 1).await;
        let problem = "refused to contact huggingface.co: only loopback may be reached here".to_owned();
        assert_eq!(refused, Err(HubError::Unreachable { problem }));
    }

    #[test]
    fn only_names_of_models_are_asked_for() {
        let hub = hub(&HubSettings::default(), Reach::Anywhere);
        for name in ["owner/model", "a-b_c.d/E.5-GGUF"] {
            assert!(hub.repository(name).is_ok(), "{name}");
        }
        for name in [
            "model",
            "a/b/c",
            "../b",
            "a/..",
            "/b",
            "a/",
            "a/b?c",
            "a/b%2f",
            "a b/c",
            "a/b#c",
            "datasets/a/b",
        ] {
            assert_eq!(
                hub.repository(name).err(),
                Some(HubError::NoName { name: name.to_owned() }),
                "{name}"
            );
        }
    }
}
