//! Where the browser comes back to: a listener on this machine for one answer (RFC 8252, section 7.3).
//!
//! It answers one path, `GET` alone, under its own name alone (a page elsewhere that had its name point here would send
//! another one), and one answer of one login. What it serves refers to nothing, is kept by nobody, and repeats nothing of
//! what came.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use tokio::{net::TcpListener, sync::oneshot};
use url::{Host, Url};

use super::{Authorization, LoginError};
use crate::{fs, secret::Secret, shutdown::Shutdown};

/// How long the page may take to reach the browser once the answer is here.
const LAST_PAGE: Duration = Duration::from_secs(2);

/// A listener that is bound and waits for nobody yet.
#[derive(Debug)]
pub struct Loopback {
    listeners: Vec<TcpListener>,
    redirect: Url,
}

/// What the handler of a request knows.
struct Door {
    authorization: Authorization,
    /// Who waits; gone once the answer was passed on.
    waiting: Mutex<Option<oneshot::Sender<Result<Secret, LoginError>>>>,
}

impl Loopback {
    /// Listens where the row's redirect says, on a free port where it names none.
    ///
    /// # Errors
    /// [`LoginError::Port`] when nothing can be bound there.
    pub async fn bind(redirect: &Url) -> Result<Self, LoginError> {
        let wanted = redirect.port().unwrap_or(0);
        let taken = |port, error: &io::Error| LoginError::Port { port, problem: fs::problem(error) };
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, wanted));
        let (first, also) = match redirect.host() {
            Some(Host::Ipv6(_)) => (SocketAddr::from((Ipv6Addr::LOCALHOST, wanted)), None),
            // A browser may try either; who has no IPv6 is reached by the other.
            Some(Host::Domain(_)) => (v4, Some(Ipv6Addr::LOCALHOST)),
            Some(Host::Ipv4(_)) | None => (v4, None),
        };
        let first = TcpListener::bind(first).await.map_err(|error| taken(wanted, &error))?;
        let port = first.local_addr().map_err(|error| taken(wanted, &error))?.port();
        let mut listeners = vec![first];
        if let Some(address) = also {
            match TcpListener::bind((address, port)).await {
                Ok(listener) => listeners.push(listener),
                // Somebody else would get what is meant for us.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(taken(port, &error)),
                Err(_) => {}
            }
        }
        let mut redirect = redirect.clone();
        redirect.set_port(Some(port)).map_err(|()| taken(port, &io::ErrorKind::AddrNotAvailable.into()))?;
        Ok(Self { listeners, redirect })
    }

    /// The redirect with its port, for the authorisation request.
    pub fn redirect(&self) -> &Url {
        &self.redirect
    }

    /// Waits for the answer to this login. Requests of other logins are refused and waited past, so that a page that
    /// guesses our port ends nothing. Dropping the future closes the listener.
    ///
    /// # Errors
    /// What the browser brought instead of a code.
    pub async fn answer(self, authorization: &Authorization) -> Result<Secret, LoginError> {
        let (sender, receiver) = oneshot::channel();
        let door = Door { authorization: authorization.clone(), waiting: Mutex::new(Some(sender)) };
        let router = Router::new().fallback(open).with_state(Arc::new(door));
        let life = Shutdown::new();
        let _ended_with_us = life.token().clone().drop_guard();
        for listener in self.listeners {
            let server = axum::serve(listener, router.clone())
                .with_graceful_shutdown(life.token().clone().cancelled_owned());
            drop(life.spawn(async move {
                if let Err(error) = server.await {
                    tracing::warn!(problem = %fs::problem(&error), "The listener of a login ended");
                }
            }));
        }
        drop(router);
        let broken = LoginError::Port {
            port: authorization.redirect().port().unwrap_or_default(),
            problem: "the listener ended".to_owned(),
        };
        let answer = receiver.await.unwrap_or(Err(broken));
        // The browser may not have its page yet; whether it gets it changes nothing.
        let _on_time = life.drain(LAST_PAGE).await;
        answer
    }
}

/// One request.
async fn open(State(door): State<Arc<Door>>, request: Request) -> Response {
    let redirect = door.authorization.redirect();
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = redirect.host_str().unwrap_or_default();
    let ours = redirect.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    if !host.eq_ignore_ascii_case(&ours) {
        return page(StatusCode::MISDIRECTED_REQUEST, "There is nothing here.");
    }
    if request.uri().path() != redirect.path() {
        return page(StatusCode::NOT_FOUND, "There is nothing here.");
    }
    if request.method() != Method::GET {
        let mut refusal = page(StatusCode::METHOD_NOT_ALLOWED, "There is nothing here.");
        refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
        return refusal;
    }
    let read = door.authorization.read(request.uri().query().unwrap_or_default());
    if read == Err(LoginError::OtherLogin) {
        tracing::warn!("An answer to another login came to this one's address and was refused");
        return page(StatusCode::BAD_REQUEST, "This belongs to another login. Nothing was done with it.");
    }
    let Some(waiting) = door.waiting.lock().expect("no holder panics").take() else {
        return page(
            StatusCode::CONFLICT,
            "This login had its answer already. Nothing was done with this one.",
        );
    };
    let (status, text) = match &read {
        Ok(_) => {
            (StatusCode::OK, "Cortana has the answer. Go back to where you began; this page may be closed.")
        }
        Err(LoginError::Declined) => {
            (StatusCode::OK, "You declined. Nothing was kept; this page may be closed.")
        }
        Err(_) => (StatusCode::BAD_REQUEST, "The login failed. The place where you began says why."),
    };
    // Who waited may have gone: then the page is all that is left.
    drop(waiting.send(read));
    page(status, text)
}

/// A page that needs nothing and is kept by nobody. `text` is ours.
fn page(status: StatusCode, text: &'static str) -> Response {
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>Cortana</title><style>body{{font:1.1rem/1.5 sans-serif;max-width:36rem;\
         margin:20vh auto;padding:0 1rem;color-scheme:light dark}}</style><main><h1>Cortana</h1><p>{text}</p></main></html>\n"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONNECTION, "close"),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};

    use super::*;
    use crate::provider::Catalog;

    const AT: &str = "127.0.0.1:8400";

    fn door() -> (Arc<Door>, oneshot::Receiver<Result<Secret, LoginError>>, String) {
        let mut row = Catalog::builtin().get(&"huggingface".parse().expect("id")).expect("a row").clone();
        if let crate::provider::LoginKind::OAuth(spec) = &mut row.login {
            spec.client_id = Some("FAKE-client".to_owned());
        }
        let redirect = format!("http://{AT}/cb").parse().expect("url");
        let authorization = Authorization::begin(&row, &redirect).expect("it begins");
        let state = authorization
            .address
            .query_pairs()
            .find(|(name, _)| name == "state")
            .expect("a state")
            .1
            .into_owned();
        let (sender, receiver) = oneshot::channel();
        (Arc::new(Door { authorization, waiting: Mutex::new(Some(sender)) }), receiver, state)
    }

    async fn asked(door: &Arc<Door>, method: &str, host: &str, path: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).header("host", host).body(Body::empty());
        let response = open(State(Arc::clone(door)), request.expect("a request")).await;
        let of =
            |name: &str| response.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
        assert_eq!(of("cache-control").as_deref(), Some("no-store"));
        assert_eq!(of("referrer-policy").as_deref(), Some("no-referrer"));
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 10_000).await.expect("a page");
        let page = String::from_utf8(body.into()).expect("UTF-8");
        assert!(!page.contains("http") && !page.contains("src="), "it refers to nothing: {page}");
        (status, page)
    }

    #[tokio::test]
    async fn one_answer_of_this_login_is_taken_and_nothing_else() {
        let (door, mut answer, state) = door();
        let good = format!("/cb?code=FAKE-code&state={state}");
        for (method, host, path, status) in [
            ("GET", "evil.example", good.as_str(), 421),
            ("GET", "127.0.0.1:1", &good, 421),
            ("GET", AT, "/", 404),
            ("GET", AT, "/cb/?code=x", 404),
            ("POST", AT, &good, 405),
            ("HEAD", AT, &good, 405),
            ("GET", AT, "/cb", 400),
            ("GET", AT, "/cb?code=FAKE-code&state=FAKE", 400),
            ("GET", AT, "/cb?error=access_denied", 400),
        ] {
            assert_eq!(asked(&door, method, host, path).await.0, status, "{method} {host} {path}");
            assert!(answer.try_recv().is_err(), "{method} {host} {path} is waited past");
        }
        let (status, page) = asked(&door, "GET", AT, &good).await;
        assert!(status == 200 && !page.contains("FAKE-code") && !page.contains(&state), "{page}");
        assert_eq!(answer.await.expect("an answer"), Ok(Secret::new("FAKE-code")));
        let (status, page) = asked(&door, "GET", AT, &good).await;
        assert!(status == 409 && page.contains("already"), "a second hit: {status} {page}");
    }

    #[tokio::test]
    async fn a_no_is_a_sentence_for_both_sides() {
        let (door, answer, state) = door();
        let (status, page) = asked(&door, "GET", AT, &format!("/cb?error=access_denied&state={state}")).await;
        assert!(status == 200 && page.contains("declined"), "{page}");
        assert_eq!(answer.await.expect("an answer"), Err(LoginError::Declined));
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_told_and_none_named_is_a_free_one() {
        let any: Url = "http://127.0.0.1/cb".parse().expect("url");
        let first = Loopback::bind(&any).await.expect("a free port");
        let second = Loopback::bind(&any).await.expect("another");
        assert_ne!(first.redirect().port(), second.redirect().port());
        let taken = Loopback::bind(first.redirect()).await.expect_err("it is taken");
        assert!(
            matches!(taken, LoginError::Port { port, .. } if Some(port) == first.redirect().port()),
            "{taken}"
        );
    }
}
