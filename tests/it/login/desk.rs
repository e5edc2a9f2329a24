//! A desk: the binary in a home of its own, emulated providers, and a browser without eyes.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt as _, process::Stdio, time::Duration};

use cortana::sandbox::vendor::{Vendors, short_hash};
use reqwest::redirect::Policy;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStderr, ChildStdin, Command},
};
use url::Url;

use crate::support::{binary::Home, vendors::Served};

/// Long enough for a busy machine; nothing waits for it when all is well.
const SOON: Duration = Duration::from_mins(1);

/// Providers and a home.
pub(super) struct Desk {
    pub(super) served: Served,
    pub(super) home: Home,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

/// A login that waits for its person.
pub(super) struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stderr: BufReader<ChildStderr>,
    heard: String,
    /// Codes that the browser saw.
    codes: Vec<String>,
}

impl Desk {
    pub(super) async fn new() -> Self {
        Self::without("").await
    }

    /// A desk where this variable is not set.
    pub(super) async fn without(name: &str) -> Self {
        let served = Served::start().await;
        let mut variables = served.variables();
        variables.retain(|(known, _)| known != name);
        // An own provider's endpoints stand in cortana.toml.
        variables.retain(|(known, _)| !["ACME_TOKEN_ENDPOINT", "ACME_API_BASE"].contains(&known.as_str()));
        variables.push(("RUST_LOG".to_owned(), "trace".to_owned()));
        let home = Home::new(variables);
        let acme = Vendors::endpoints_of(&served.origin, "acme").expect("emulated");
        let document = format!(
            "[providers.acme]\nname = \"Acme\"\nwire = \"openai_chat\"\napi_base = \"{}\"\nmodels = [\"emulated-large\"]\n\
             [providers.acme.oauth]\ntoken_endpoint = \"{}\"\nauthorize_endpoint = \"{}\"\ndevice_endpoint = \"{}\"\n\
             userinfo_endpoint = \"{}\"\nrevoke_endpoint = \"{}/vendors/acme/oauth2/revoke\"\nclient_auth = \"basic\"\n\
             scopes = [\"chat\"]\nrotates = true\nconsent.redirect = \"http://localhost/callback\"\n",
            acme.api_base,
            acme.token_endpoint.expect("one"),
            acme.authorize_endpoint.expect("one"),
            acme.device_endpoint.expect("one"),
            acme.userinfo_endpoint.expect("one"),
            served.origin,
        );
        #[expect(clippy::disallowed_methods, reason = "an operator writes the file")]
        fs::write(home.path().join("cortana.toml"), document).expect("written");
        Self { served, home }
    }

    /// Begins a command with a keyboard.
    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = Command::from(self.home.command(env!("CARGO_BIN_EXE_cortana")));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().expect("the binary starts");
        let stdin = child.stdin.take();
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        Running { child, stdin, stderr, heard: String::new(), codes: Vec::new() }
    }

    /// Runs a command to its end.
    pub(super) async fn cortana(&self, arguments: &[&str]) -> Ended {
        self.ended(self.start(arguments)).await
    }

    /// Waits for the end, and finds no secret in anything that was written but in credential files (P33).
    pub(super) async fn ended(&self, mut running: Running) -> Ended {
        // Held open: an end of input is an answer too, and would race with Ctrl-C.
        let _keyboard = running.stdin.take();
        let mut out = String::new();
        let mut stdout = running.child.stdout.take().expect("piped");
        let Running { child, stderr, heard, .. } = &mut running;
        let both = async {
            tokio::join!(stdout.read_to_string(&mut out), stderr.read_to_string(heard), child.wait())
        };
        let (read, told, status) = tokio::time::timeout(SOON, both).await.expect("an end in time");
        read.and(told).expect("UTF-8");
        let ended = Ended { code: status.expect("an end").code(), out, err: running.heard };
        self.shows_no_secret(&format!("{}{}", ended.out, ended.err), &running.codes);
        ended
    }

    /// The files in the credentials folder that are credentials.
    pub(super) fn credentials(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.path().join("credentials")).expect("a folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let mut names: Vec<String> =
            files.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// The one credential: its name and what it holds. Nobody else may read it (P18).
    pub(super) fn the_credential(&self) -> (String, Value) {
        let names = self.credentials();
        let [name] = names.as_slice() else { panic!("one file: {names:?}") };
        let mode = fs::metadata(self.home.credential(name)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        (name.clone(), self.home.read(name))
    }

    /// That the provider takes what was kept: the whole walk, with a chat.
    pub(super) async fn answers(&self, provider: &str) {
        let walked = self.cortana(&["provider", "check", provider]).await;
        assert_eq!(walked.code, Some(0), "{walked:?}");
        assert!(self.served.vendors.counts_of(provider).answered > 0, "{walked:?}");
    }

    fn shows_no_secret(&self, text: &str, codes: &[String]) {
        let mut secrets: BTreeSet<String> = codes.iter().cloned().collect();
        for name in self.credentials() {
            let Value::Object(fields) = self.home.read(&name) else { panic!("an object") };
            let tokens = ["access_token", "refresh_token", "api_key"];
            secrets.extend(tokens.iter().filter_map(|key| fields.get(*key)?.as_str().map(str::to_owned)));
        }
        let clients = ["gemini_cli", "antigravity", "iflow", "acme"].map(Vendors::client);
        secrets.extend(clients.into_iter().filter_map(|client| client?.1.map(str::to_owned)));
        for secret in secrets {
            let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
            assert!(!text.contains(&secret) && !text.contains(&encoded), "{secret} in {text}");
        }
        // The verifiers are known by their hashes alone.
        let verifiers: BTreeSet<String> = self
            .served
            .vendors
            .requests()
            .iter()
            .filter_map(|request| request.body.get("code_verifier")?.as_str().map(str::to_owned))
            .collect();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        for word in text.split(|c| !is_part(c)).filter(|word| word.len() >= 43) {
            assert!(!verifiers.contains(&short_hash(word)), "a verifier in {text}");
        }
    }
}

impl Running {
    /// The address that the person is asked to open.
    pub(super) async fn address(&mut self) -> Url {
        let line = self.line(|line| line.starts_with("http")).await;
        line.trim().parse().expect("an address")
    }

    /// Reads on to a line of which this is so.
    pub(super) async fn line(&mut self, is_it: impl Fn(&str) -> bool) -> String {
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(SOON, self.stderr.read_line(&mut line)).await.expect("in time");
            self.heard.push_str(&line);
            assert!(read.expect("UTF-8") > 0, "it ended: {}", self.heard);
            if is_it(&line) {
                return line;
            }
        }
    }

    /// A browser opens an address; where it is sent on to.
    pub(super) async fn browse(&mut self, address: &Url) -> Url {
        let to = sent_on(address).await;
        self.codes
            .extend(to.query_pairs().filter(|(name, _)| name == "code").map(|(_, code)| code.into_owned()));
        to
    }

    /// A person types a line.
    pub(super) async fn types(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("a keyboard");
        stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it listens");
    }

    /// A person presses Ctrl-C.
    pub(super) fn interrupt(&self) {
        let id = self.child.id().expect("it runs").cast_signed();
        kill_process(Pid::from_raw(id).expect("no process has the number 0"), Signal::INT).expect("it runs");
    }
}

/// Where a browser is sent on to from an address.
pub(super) async fn sent_on(address: &Url) -> Url {
    let response = browser().get(address.clone()).send().await.expect("an answer");
    let to = response.headers().get("location").expect("a redirect").to_str().expect("text");
    to.parse().expect("an address")
}

/// Status and page of an address.
pub(super) async fn page(address: &Url) -> (u16, String) {
    let response = browser().get(address.clone()).send().await.expect("an answer");
    (response.status().as_u16(), response.text().await.expect("a page"))
}

fn browser() -> reqwest::Client {
    reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().expect("a client")
}
