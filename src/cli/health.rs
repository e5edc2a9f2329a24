//! `cortana health`: asks the running bot's `/live`, for container health checks.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use reqwest::Method;
use url::Url;

use super::{failure::Failure, output::print};
use crate::{
    config::Settings,
    http::{Http, HttpError, HttpOptions},
};

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) async fn run(settings: &Settings) -> Result<(), Failure> {
    let address = reachable(settings.telemetry.admin_addr);
    match ask(address).await? {
        Ok(200) => print(&format!("alive at {address}")),
        Ok(status) => {
            Err(Failure::Failed(anyhow::anyhow!("{address} answers HTTP {status}, not as a living bot does")))
        }
        Err(error) => Err(Failure::Failed(anyhow::anyhow!(
            "no bot answers at {address} ({error}); is it running, and with the same ADMIN_ADDR?"
        ))),
    }
}

/// The status of `/live` at an address.
pub(super) async fn ask(address: SocketAddr) -> Result<Result<u16, HttpError>, Failure> {
    // Never through the configured proxy: the address is this machine's or the container's own.
    let http = Http::new(&HttpOptions::default()).context("the HTTP client cannot be built")?;
    let url: Url = format!("http://{address}/live").parse().context("ADMIN_ADDR is no address")?;
    let request = match http.request(Method::GET, &url) {
        Ok(request) => request,
        Err(error) => return Ok(Err(error)),
    };
    Ok(request.timeout(PATIENCE).send().await.map(|answer| answer.status().as_u16()).map_err(HttpError::from))
}

/// Where to ask for a listener on every address: on loopback.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    SocketAddr::new(ip, address.port())
}
