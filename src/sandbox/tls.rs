//! The emulated Discord under its real names: a second listener, with TLS, whose certificates a test authority signs.
//!
//! For libraries that do something else as soon as their base address is changed (serenity then has no rate limiter),
//! and for those whose address cannot be changed. The authority is made in memory at the start, vouches for Discord's
//! names alone, and its key is forgotten once it has signed. The control API and the page are not served here.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    serve::Listener,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer},
    server::TlsStream,
};

use super::Sandbox;

/// The names that the listener has certificates for.
pub const NAMES: [&str; 3] = ["discord.com", "gateway.discord.gg", "cdn.discordapp.com"];

/// How long a handshake may take before its connection is dropped.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// The listener with TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Where it listens: clients have to resolve [`NAMES`] to it.
    pub address: SocketAddr,
    /// The authority's certificate (DER), for clients to trust.
    pub authority: Vec<u8>,
}

impl Sandbox {
    /// Listens with TLS as well, for as long as the sandbox lives. Files are from now on found at
    /// `https://cdn.discordapp.com`; `/gateway` answers a plain address on loopback still, since clients that trust only
    /// the web's authorities for it (serenity) could not connect otherwise. REST and the gateway are served alike.
    pub async fn listen_with_tls(&self, listen: SocketAddr) -> io::Result<Tls> {
        let (config, authority) = certificates().map_err(io::Error::other)?;
        let tcp = TcpListener::bind(listen).await?;
        let address = tcp.local_addr()?;
        let listener = Handshakes { tcp, acceptor: TlsAcceptor::from(Arc::new(config)) };
        self.discord.with(|state| "https://cdn.discordapp.com".clone_into(&mut state.files_origin));
        let router: Router = self.discord.router_by_names().layer(middleware::from_fn(refuse_other_names));
        let shutdown = self.discord.shutdown();
        let ending = shutdown.token().clone();
        shutdown.spawn(async move {
            let served = axum::serve(listener, router).with_graceful_shutdown(ending.cancelled_owned()).await;
            if let Err(error) = served {
                tracing::error!(%error, "the sandbox stopped serving with TLS");
            }
        });
        Ok(Tls { address, authority })
    }
}

/// A name that was bound anew to this address, or another page's request, gets nothing.
async fn refuse_other_names(request: Request, next: Next) -> Response {
    if is_for_us(request.headers()) {
        return next.run(request).await;
    }
    let sentence = "this is discord.com, gateway.discord.gg or cdn.discordapp.com";
    (StatusCode::MISDIRECTED_REQUEST, sentence).into_response()
}

fn is_for_us(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    NAMES.contains(&name) && !headers.contains_key(header::ORIGIN)
}

/// The server's side of TLS and the authority's certificate.
fn certificates() -> Result<(ServerConfig, Vec<u8>), Box<dyn std::error::Error + Send + Sync>> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "Cortana sandbox, a test authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    authority.name_constraints = Some(NameConstraints {
        permitted_subtrees: NAMES.map(|name| GeneralSubtree::DnsName(name.to_owned())).into(),
        excluded_subtrees: Vec::new(),
    });
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(NAMES.map(str::to_owned))?.signed_by(&key, &issuer)?;
    // The provider is named, so that nothing depends on which one the process chose first.
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )?;
    Ok((config, authority_certificate.der().to_vec()))
}

/// Connections with their handshake done.
struct Handshakes {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Handshakes {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = Listener::accept(&mut self.tcp).await;
            // One after the other: the clients are ours, and on this machine.
            match tokio::time::timeout(HANDSHAKE, self.acceptor.accept(stream)).await {
                Ok(Ok(stream)) => return (stream, from),
                Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                Err(_) => tracing::debug!("a handshake took too long"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
