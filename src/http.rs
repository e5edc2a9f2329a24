//! HTTP clients: no redirects, no proxy but the configured one, errors without addresses.
//!
//! A redirect would carry a bearer token to a host nobody allowed, and `reqwest::Error` prints the whole URL,
//! which for iFlow's user-info request contains the access token. Both are closed here, once.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Certificate, Client, Method, RequestBuilder};
use url::{Host, Url};

/// What the bot calls itself towards everybody.
pub const USER_AGENT: &str = concat!("cortana/", env!("CARGO_PKG_VERSION"));

/// Which hosts a client may speak to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Any host.
    #[default]
    Anywhere,
    /// Loopback literals and `localhost` only: the sandbox.
    LoopbackOnly,
}

/// How clients are built.
#[derive(Debug, Clone, Default)]
pub struct HttpOptions {
    /// `HTTPS_PROXY`, as `config` read it. May carry a password: never printed.
    pub proxy: Option<crate::secret::Secret>,
    /// Which hosts may be reached.
    pub reach: Reach,
    /// Where tests answer for other hosts. Nothing that an operator can set leads here.
    pub stand_in: Option<StandIn>,
}

/// An address that answers for hosts by their own names, over TLS: Discord's, in tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    /// The hosts.
    pub hosts: Vec<String>,
    /// Who answers for them.
    pub address: SocketAddr,
    /// The certificate (DER) of the authority that vouches for that; no other one is trusted then.
    pub authority: Vec<u8>,
}

/// A client of ours.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
    reach: Reach,
}

/// Why a request failed before there was an answer. Carries no address and no body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The proxy's address could not be understood.
    #[error("HTTPS_PROXY is not an address that can be used")]
    Proxy,
    /// The client refuses this host.
    #[error("refused to contact {host}: only loopback may be reached here")]
    OutOfReach {
        /// The host that was refused.
        host: String,
    },
    /// No connection: name resolution, refused, TLS.
    #[error("could not connect")]
    Connect,
    /// The time limit passed.
    #[error("timed out")]
    Timeout,
    /// The connection broke or the answer was not HTTP.
    #[error("the connection broke")]
    Broken,
}

impl Http {
    /// Builds a client.
    pub fn new(options: &HttpOptions) -> Result<Self, HttpError> {
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .tcp_keepalive(Duration::from_mins(1));
        if let Some(proxy) = &options.proxy {
            builder = builder.proxy(reqwest::Proxy::https(proxy.expose()).map_err(|_| HttpError::Proxy)?);
        }
        if let Some(StandIn { hosts, address, authority }) = &options.stand_in {
            let authority = Certificate::from_der(authority).map_err(|_| HttpError::Broken)?;
            builder = builder.tls_built_in_root_certs(false).add_root_certificate(authority);
            builder = hosts.iter().fold(builder, |builder, host| builder.resolve(host, *address));
        }
        let client = builder.build().map_err(|_| HttpError::Broken)?;
        Ok(Self { client, reach: options.reach })
    }

    /// Starts a request, unless the host is out of reach.
    pub fn request(&self, method: Method, url: &Url) -> Result<RequestBuilder, HttpError> {
        self.check(url)?;
        Ok(self.client.request(method, url.clone()))
    }

    /// Whether the URL may be reached by this client.
    pub fn check(&self, url: &Url) -> Result<(), HttpError> {
        match self.reach {
            Reach::Anywhere => Ok(()),
            Reach::LoopbackOnly if is_loopback(url) => Ok(()),
            Reach::LoopbackOnly => {
                Err(HttpError::OutOfReach { host: url.host_str().unwrap_or("no host").to_owned() })
            }
        }
    }

    /// The client itself, for libraries that want one. Redirects stay off.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

impl From<reqwest::Error> for HttpError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_connect() {
            Self::Connect
        } else {
            Self::Broken
        }
    }
}

/// Whether a URL names this machine: a loopback literal or `localhost`.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}
