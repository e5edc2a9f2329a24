//! An emulated Discord and emulated providers, over real sockets. Shares no code with the bot's Discord side, so that
//! one mistake cannot hide in both; imports leaves only.

mod attending;
mod connecting;
mod control;
pub mod discord;
mod people;
mod reading;
mod report;
pub mod sample_tools;
pub mod scenario;
mod slash;
mod tls;
mod transcript;
pub mod vendor;
mod web;

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
};

use axum::middleware;
use serde::Serialize;
use tokio::net::TcpListener;

pub use attending::{File, Reacting};
pub use connecting::GatewaySettings;
pub use discord::{Discord, Id, Landmarks};
pub use people::{Choice, ScriptError};
pub use reading::TimedOut;
pub use report::{AnswerReport, Freshness, Report, Seen, freshness};
pub use tls::{NAMES as TLS_NAMES, Tls};
pub use web::Panel;

use crate::shutdown::Shutdown;
use vendor::Vendors;

/// The running sandbox; clones share it. It ends with the [`Shutdown`] it was started under.
#[derive(Clone)]
pub struct Sandbox {
    address: SocketAddr,
    discord: Discord,
    vendors: Vendors,
    control_token: String,
    panel: Panel,
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Where everything is: the one line that `cortana sandbox --serve-only` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoints {
    /// For `DISCORD_API_BASE`: an origin without a path.
    pub discord_api_base: String,
    /// For `DISCORD_TOKEN`.
    pub bot_token: String,
    /// The application.
    pub application_id: Id,
    /// The server.
    pub guild_id: Id,
    /// The channel where people write.
    pub channel_id: Id,
    /// The person who owns the application.
    pub user_id: Id,
    /// The base of the control API.
    pub control: String,
    /// Its bearer token.
    pub control_token: String,
    /// The emulated providers by id.
    pub providers: BTreeMap<String, vendor::Endpoints>,
}

impl Sandbox {
    /// Listens on `listen` (port 0 for any free one) and serves until `shutdown` begins. A bot that runs against it must
    /// end first: give the two different lives.
    pub async fn start(listen: SocketAddr, shutdown: &Shutdown) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let sandbox = Self {
            address,
            discord: Discord::new(format!("http://{address}"), shutdown),
            vendors: Vendors::new(),
            control_token: format!("control-{}", uuid::Uuid::new_v4().simple()),
            panel: Panel::default(),
        };
        let routers = [sandbox.vendors.router(), control::router(&sandbox), web::router(&sandbox)];
        let router = routers
            .into_iter()
            .fold(sandbox.discord.router(), axum::Router::merge)
            .layer(middleware::from_fn_with_state(sandbox.clone(), web::refuse_strangers));
        let ending = shutdown.token().clone();
        shutdown.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(ending.cancelled_owned()).await;
            if let Err(error) = served {
                tracing::error!(%error, "the sandbox stopped serving");
            }
        });
        Ok(sandbox)
    }

    /// Where everything is.
    pub fn endpoints(&self) -> Endpoints {
        let origin = format!("http://{}", self.address);
        let landmarks = self.discord.landmarks();
        Endpoints {
            bot_token: self.discord.read(|state| state.world.identity.token.clone()),
            application_id: landmarks.application,
            guild_id: landmarks.guild,
            channel_id: landmarks.channel,
            user_id: landmarks.owner,
            control: format!("{origin}/control"),
            control_token: self.control_token.clone(),
            providers: Vendors::endpoints(&origin),
            discord_api_base: origin,
        }
    }

    /// The page, with the token that opens it.
    pub fn page(&self) -> String {
        format!("http://{}/?token={}", self.address, self.control_token)
    }

    /// What the page shows beside the chat.
    pub fn panel(&self) -> &Panel {
        &self.panel
    }

    /// Whether a `Host` header means this sandbox: its address, `localhost` on loopback; where it listens on every
    /// address, any address but no name (a name may have been bound anew to reach us from a browser).
    fn answers_to(&self, host: &str) -> bool {
        let address = self.address;
        if host == address.to_string() {
            return true;
        }
        let (name, port) = host.rsplit_once(':').unwrap_or((host, "80"));
        let literal = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        port == address.port().to_string()
            && ((name == "localhost" && address.ip().is_loopback())
                || (address.ip().is_unspecified() && literal.is_ok()))
    }

    /// The emulated Discord.
    pub fn discord(&self) -> &Discord {
        &self.discord
    }

    /// A refusal for quota in a provider's own words, which says to come back after so many seconds.
    pub fn quota_of(&self, provider: &str, retry_after_secs: u64) -> vendor::Act {
        web::quota_of(provider, retry_after_secs)
    }

    /// The emulated providers.
    pub fn vendors(&self) -> &Vendors {
        &self.vendors
    }
}
