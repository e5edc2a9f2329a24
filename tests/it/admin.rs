//! `/live` and `/ready` over a socket.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use chrono::Utc;
use cortana::{
    admin::{self, Connection, Readiness},
    credential::CredentialId,
    http::{Http, HttpOptions, Reach},
    pool::{CredentialView, Snapshot, State},
    shutdown::Shutdown,
};
use reqwest::Method;
use serde_json::{Value, json};

fn snapshot(states: &[State]) -> Snapshot {
    let credentials = states
        .iter()
        .map(|state| CredentialView::unknown(CredentialId::new("1a2b3c4d"), "gemini.json", *state));
    Snapshot { taken_at: chrono::DateTime::<Utc>::UNIX_EPOCH, credentials: credentials.collect() }
}

async fn ask(address: SocketAddr, path: &str) -> (u16, Value) {
    let http = Http::new(&HttpOptions { reach: Reach::LoopbackOnly, ..HttpOptions::default() }).unwrap();
    let url = format!("http://{address}{path}").parse().unwrap();
    let answer = http.request(Method::GET, &url).unwrap().send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn reasons(body: &Value) -> Vec<&str> {
    body["reasons"].as_array().unwrap().iter().map(|reason| reason["reason"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn p36_ready_needs_a_usable_credential_and_discord_while_live_needs_nothing() {
    let shutdown = Shutdown::new();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let world = Arc::new(Mutex::new((snapshot(&[]), Connection::Down)));
    let asked = Arc::clone(&world);
    let readiness: admin::AskReadiness = Arc::new(move || {
        let (snapshot, connection) = &*asked.lock().unwrap();
        Readiness::of(snapshot, *connection)
    });
    let questions = admin::Questions { readiness, metrics: Arc::new(String::new) };
    let server = shutdown.spawn(admin::serve(listener, questions, shutdown.clone()));

    let (status, body) = ask(address, "/ready").await;
    assert_eq!((status, reasons(&body)), (503, vec!["nothing_configured", "discord_disconnected"]));
    assert_eq!(ask(address, "/live").await.0, 200);

    *world.lock().unwrap() = (snapshot(&[State::NeedsLogin, State::Cooling]), Connection::Up);
    let (status, body) = ask(address, "/ready").await;
    assert_eq!((status, reasons(&body)), (503, vec!["no_usable_credential"]));

    *world.lock().unwrap() = (snapshot(&[State::NeedsLogin, State::Early]), Connection::Up);
    assert_eq!(ask(address, "/ready").await, (200, json!({ "status": "ready" })));

    for state in State::ALL {
        *world.lock().unwrap() = (snapshot(&[state]), Connection::Up);
        let (status, body) = ask(address, "/ready").await;
        let usable = matches!(state, State::Ready | State::Early | State::Refreshing);
        assert_eq!(status, if usable { 200 } else { 503 }, "{state:?}: {body}");
        *world.lock().unwrap() = (snapshot(&[state]), Connection::Down);
        assert_eq!(ask(address, "/ready").await.0, 503, "{state:?} without Discord");
    }

    assert!(shutdown.drain(std::time::Duration::from_secs(5)).await);
    assert!(server.await.unwrap().is_ok());
}
