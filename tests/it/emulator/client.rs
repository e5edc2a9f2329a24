//! A plain Discord client, as far as these tests need one: HTTP requests and websocket frames by hand.

use std::{net::SocketAddr, time::Duration};

use cortana::{
    sandbox::{Id, Sandbox},
    shutdown::Shutdown,
};
use flate2::{Decompress, FlushDecompress, read::ZlibDecoder};
use futures::{SinkExt, StreamExt};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, protocol::CloseFrame},
};

use crate::support::contract::{Asker, Judged};

/// Every intent that needs no switch, and the content of messages.
pub(crate) const INTENTS: u64 = 1 | (1 << 9) | (1 << 11) | (1 << 12) | (1 << 14) | (1 << 15);

/// A sandbox on a free port, and what to call it with.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: String,
    shutdown: Shutdown,
    /// Holds what the emulator accepts, answers and tells to the published document.
    _judge: Option<Judged>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::start_judged(Some(Asker::Test)).await
    }

    /// One in which anything may be against the published document.
    pub(crate) async fn start_unjudged() -> Self {
        Self::start_judged(None).await
    }

    pub(crate) async fn start_judged(asked: Option<Asker>) -> Self {
        let shutdown = Shutdown::new();
        let listen: SocketAddr = ([127, 0, 0, 1], 0).into();
        let sandbox = Sandbox::start(listen, &shutdown).await.expect("a free port");
        let endpoints = sandbox.endpoints();
        Self {
            http: reqwest::Client::new(),
            base: format!("{}/api/v10", endpoints.discord_api_base),
            token: format!("Bot {}", endpoints.bot_token),
            _judge: asked.map(|asked| Judged::new(&sandbox, asked)),
            sandbox,
            shutdown,
        }
    }

    pub(crate) fn channel(&self) -> Id {
        self.sandbox.discord().landmarks().channel
    }

    pub(crate) fn owner(&self) -> Id {
        self.sandbox.discord().landmarks().owner
    }

    pub(crate) fn messages_path(&self) -> String {
        format!("/channels/{}/messages", self.channel())
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let mut request =
            self.http.request(method, format!("{}{path}", self.base)).header("authorization", &self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.expect("the sandbox answers")
    }

    /// Status and JSON.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let response = self.send(method, path, body).await;
        let status = response.status().as_u16();
        let text = response.text().await.expect("a body");
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") })
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::PATCH, path, Some(body)).await
    }

    /// A connection that may identify: nobody did in the last five seconds.
    pub(crate) async fn gateway(&self) -> Gateway {
        self.sandbox.advance(Duration::from_secs(5));
        let (_, answer) = self.get("/gateway/bot").await;
        Gateway::connect(answer["url"].as_str().expect("an address")).await
    }

    /// A connected bot that has seen READY and its server.
    pub(crate) async fn bot(&self) -> Gateway {
        let mut gateway = self.gateway().await;
        gateway.identify(&self.token, INTENTS).await;
        gateway.event("GUILD_CREATE").await;
        gateway
    }

    /// Registers one command with a subcommand and an autocompleted option.
    pub(crate) async fn register(&self) {
        let application = self.sandbox.discord().landmarks().application;
        let commands = json!([{"name": "settings", "description": "Settings", "options": [
            {"type": 1, "name": "oauth-status", "description": "Status", "options": [
                {"type": 3, "name": "provider", "description": "Which", "autocomplete": true}
            ]}
        ]}]);
        let path = format!("/applications/{application}/commands");
        let (status, answer) = self.ask(Method::PUT, &path, Some(commands)).await;
        assert_eq!(status, 200, "{answer}");
    }

    pub(crate) async fn stop(self) {
        assert!(self.shutdown.drain(Duration::from_secs(5)).await, "the sandbox ends");
    }
}

/// A websocket to the emulated gateway.
pub(crate) struct Gateway {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The context of a compressed connection.
    stream: Option<Decompress>,
    /// How many frames came compressed.
    pub(crate) packed: usize,
    pub(crate) seq: u64,
    pub(crate) ready: Value,
}

impl Gateway {
    pub(crate) async fn connect(url: &str) -> Self {
        Self::connect_with(&format!("{url}?v=10&encoding=json")).await
    }

    pub(crate) async fn connect_with(url: &str) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(url).await.expect("a websocket");
        let stream = url.contains("compress=zlib-stream").then(|| Decompress::new(true));
        let mut gateway = Self { socket, stream, packed: 0, seq: 0, ready: Value::Null };
        let hello = gateway.frame().await.expect("hello");
        assert_eq!(hello["op"], 10);
        assert!(hello["d"]["heartbeat_interval"].as_u64().is_some_and(|interval| interval > 1000));
        gateway
    }

    pub(crate) async fn send(&mut self, payload: Value) {
        self.socket.send(Message::text(payload.to_string())).await.expect("an open socket");
    }

    /// The next payload, or the close code.
    pub(crate) async fn frame(&mut self) -> Result<Value, Option<u16>> {
        let next = tokio::time::timeout(Duration::from_secs(5), self.socket.next()).await.expect("a frame");
        let next = match next {
            Some(Ok(Message::Binary(bytes))) => Some(Ok(Message::text(self.unpacked(&bytes)))),
            Some(Ok(Message::Text(text))) if self.stream.is_some() => panic!("plain in a stream: {text}"),
            other => other,
        };
        match next {
            Some(Ok(Message::Text(text))) => {
                let frame: Value = serde_json::from_str(&text).expect("JSON");
                if let Some(seq) = frame["s"].as_u64() {
                    assert_eq!(seq, self.seq + 1, "sequence numbers have no gaps");
                    self.seq = seq;
                }
                Ok(frame)
            }
            Some(Ok(Message::Close(Some(CloseFrame { code, .. })))) => Err(Some(code.into())),
            Some(Ok(other)) => panic!("unexpected {other:?}"),
            Some(Err(_)) | None => Err(None),
        }
    }

    fn unpacked(&mut self, bytes: &[u8]) -> String {
        self.packed += 1;
        let mut text = Vec::with_capacity(1 << 20);
        match &mut self.stream {
            Some(context) => {
                assert!(bytes.ends_with(&[0, 0, 0xff, 0xff]), "each payload ends with a flush");
                context.decompress_vec(bytes, &mut text, FlushDecompress::Sync).expect("one zlib stream");
            }
            None => {
                std::io::Read::read_to_end(&mut ZlibDecoder::new(bytes), &mut text).expect("zlib");
            }
        }
        String::from_utf8(text).expect("UTF-8")
    }

    /// The data of the next event, which has this name.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        let frame = self.frame().await.expect("an event");
        assert_eq!((frame["op"].as_u64(), frame["t"].as_str()), (Some(0), Some(name)), "{frame}");
        frame["d"].clone()
    }

    pub(crate) async fn identify(&mut self, token: &str, intents: u64) {
        self.send(json!({"op": 2, "d": {"token": token, "intents": intents, "shard": [0, 1],
            "properties": {"os": "linux", "browser": "test", "device": "test"}}}))
            .await;
        self.ready = self.event("READY").await;
    }

    /// Names and data of everything that is waiting.
    pub(crate) async fn waiting(&mut self) -> Vec<(String, Value)> {
        self.send(json!({"op": 1, "d": self.seq})).await;
        let mut events = Vec::new();
        loop {
            let frame = self.frame().await.expect("an answer");
            match frame["t"].as_str() {
                Some(name) => events.push((name.to_owned(), frame["d"].clone())),
                None => return events,
            }
        }
    }

    /// Whether nothing is waiting: a heartbeat's answer comes next.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        self.send(json!({"op": 1, "d": self.seq})).await;
        self.frame().await.expect("an answer")["op"] == 11
    }

    pub(crate) async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.socket.close(Some(frame)).await.expect("a close frame can be sent");
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}
