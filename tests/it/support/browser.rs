//! A real browser, steered over the `WebDriver` protocol (W3C): a handful of JSON calls to chromedriver.
#![expect(clippy::print_stdout, reason = "a test that skips says so aloud")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// Keys as `WebDriver` writes them (its section "Keyboard actions").
pub(crate) mod key {
    pub(crate) const TAB: &str = "\u{E004}";
    pub(crate) const ENTER: &str = "\u{E007}";
    pub(crate) const ESCAPE: &str = "\u{E00C}";
}

/// The name of an element in the protocol's answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Long enough for a busy machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(40);

/// Headless Chromium with one page; both end with this value.
pub(crate) struct Browser {
    driver: Child,
    address: String,
    session: String,
    http: Client,
}

impl Browser {
    /// A browser, or `None` with a word on the output where none is installed.
    pub(crate) async fn start() -> Option<Self> {
        let started =
            Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut driver) = started else {
            println!("SKIPPED: chromedriver is missing; the page was not tried in a browser");
            return None;
        };
        let lines = BufReader::new(driver.stdout.take().expect("piped")).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            line.split_once("started successfully on port ")
                .map(|(_, port)| port.trim_end_matches('.').to_owned())
        });
        let address = format!("127.0.0.1:{}", port.expect("chromedriver says its port"));
        let http = Client::builder().no_proxy().build().expect("a client");
        let mut browser = Self { driver, address, session: String::new(), http };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-extensions",
            "--no-proxy-server",
            "--no-first-run",
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "unhandledPromptBehavior": "ignore",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments},
        }}});
        let made = browser.ask(Method::POST, "/session", Some(wanted)).await;
        let Some(session) = made["sessionId"].as_str() else {
            println!(
                "SKIPPED: Chromium does not start; the page was not tried in a browser: {}",
                made["message"]
            );
            return None;
        };
        session.clone_into(&mut browser.session);
        browser.resize(1280, 800).await;
        Some(browser)
    }

    /// The `value` of an answer, errors too.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.http.request(method, format!("http://{}{path}", self.address));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.timeout(PATIENCE * 3).send().await.expect("chromedriver answers");
        answer.json::<Value>().await.expect("JSON")["value"].take()
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let value = self.ask(method, &format!("/session/{}{path}", self.session), body).await;
        assert!(value.get("stacktrace").is_none(), "{path}: {}", value["message"]);
        value
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn open(&self, address: &str) {
        self.post("/url", json!({"url": address})).await;
    }

    pub(crate) async fn reload(&self) {
        self.post("/refresh", json!({})).await;
    }

    /// Runs a function body in the page and gives back what it returns.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({"script": script, "args": []})).await
    }

    /// Waits until an expression is true in the page, and gives its value back.
    pub(crate) async fn until(&self, expression: &str) -> Value {
        let script = format!("return {expression}");
        let looking = async {
            loop {
                let value = self.run(&script).await;
                if !matches!(&value, Value::Null | Value::Bool(false)) {
                    return value;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(value) => value,
            Err(late) => panic!("{late}: {expression}\n{}", self.run("return document.body.innerText").await),
        }
    }

    /// Types into whatever has the focus.
    pub(crate) async fn keys(&self, text: &str) {
        let active = self.call(Method::GET, "/element/active", None).await;
        self.post(&format!("/element/{}/value", id(&active)), json!({"text": text})).await;
    }

    /// Clicks what an `XPath` finds first.
    pub(crate) async fn click(&self, xpath: &str) {
        let found = self.post("/element", json!({"using": "xpath", "value": xpath})).await;
        self.post(&format!("/element/{}/click", id(&found)), json!({})).await;
    }

    /// What a screen reader calls each element that a CSS selector finds and a reader sees, and how
    /// the element begins.
    pub(crate) async fn names(&self, css: &str) -> Vec<(String, String)> {
        let found = self.post("/elements", json!({"using": "css selector", "value": css})).await;
        let mut names = Vec::new();
        for element in found.as_array().expect("a list") {
            let script =
                "return arguments[0].getClientRects().length > 0 && arguments[0].outerHTML.slice(0, 200)";
            let shown = self.post("/execute/sync", json!({"script": script, "args": [element]})).await;
            let Some(shown) = shown.as_str() else { continue };
            let label =
                self.call(Method::GET, &format!("/element/{}/computedlabel", id(element)), None).await;
            names.push((label.as_str().unwrap_or_default().to_owned(), shown.to_owned()));
        }
        names
    }

    /// Makes the visible part this large, in CSS pixels.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// Says what the person prefers: `light` or `dark`.
    pub(crate) async fn prefer(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters})).await;
    }

    /// Whether an `alert` waits for an answer.
    pub(crate) async fn is_alerting(&self) -> bool {
        let path = format!("/session/{}/alert/text", self.session);
        self.ask(Method::GET, &path, None).await["error"] != "no such alert"
    }

    /// What the browser complained about: errors of scripts, refusals by the content-security policy.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", json!({"type": "browser"})).await;
        let severe = log.as_array().into_iter().flatten().filter(|entry| entry["level"] == "SEVERE");
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

fn id(element: &Value) -> &str {
    element[ELEMENT].as_str().expect("an element")
}

impl Drop for Browser {
    /// The session is ended first: chromedriver ends its browser then, and would leave it behind when it is killed.
    fn drop(&mut self) {
        if let Ok(mut socket) = TcpStream::connect(&self.address) {
            let request = format!(
                "DELETE /session/{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                self.session, self.address
            );
            let timeout = socket.set_read_timeout(Some(Duration::from_secs(5)));
            if timeout.is_ok() && socket.write_all(request.as_bytes()).is_ok() {
                // An answer, or the timeout: either way the driver goes now.
                drop(socket.read(&mut [0; 64]));
            }
        }
        drop(self.driver.kill());
        drop(self.driver.wait());
    }
}
