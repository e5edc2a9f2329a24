//! Discord's published `OpenAPI` document as a judge over the whole test run.
//!
//! Whoever starts an emulated Discord holds a [`Judged`]; when it is dropped, every request, every answer and every
//! event of that emulator is held to the document, and the test that made a violation fails. `DISCORD_OPENAPI` names
//! the document (github.com/discord/discord-api-spec, `specs/openapi.json`), which is not kept here; without the
//! variable nothing is judged.

use std::{
    collections::{BTreeSet, HashMap},
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use cortana::sandbox::{
    Sandbox,
    discord::{Dispatched, RecordedRequest},
};
use jsonschema::{Registry, RegistryBuilder, Validator};
use serde_json::{Value, json};

/// Where the documentation and practice contradict the document: part of a complaint, and why it is let through.
pub(crate) const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "400 answer /errors: ",
        "the document types the inner `code` as an integer; Reference, \"Error Messages\", and practice have a word",
    ),
    (
        "429 answer : \"code\" is a required property",
        "Topics, \"Rate Limits\": `code` is optional, and left out for limits of routes",
    ),
    (
        "/attachments/0/id: 0 is not of type \"string\"",
        "Reference, \"Uploading Files\": placeholders of files are numbers in all of its examples",
    ),
];

/// Events whose data, or a part of it, the document has a schema for.
const EVENTS: &[(&str, &str, &str)] = &[
    ("READY", "/user", "UserPIIResponse"),
    ("MESSAGE_CREATE", "", "MessageResponse"),
    ("MESSAGE_UPDATE", "", "MessageResponse"),
    ("CHANNEL_CREATE", "", "GuildChannelResponse"),
    ("CHANNEL_UPDATE", "", "GuildChannelResponse"),
    ("THREAD_CREATE", "", "ThreadResponse"),
    ("THREAD_UPDATE", "", "ThreadResponse"),
    ("THREAD_MEMBERS_UPDATE", "/added_members/0", "ThreadMemberResponse"),
    ("TYPING_START", "/member", "GuildMemberResponse"),
    ("MESSAGE_REACTION_ADD", "/member", "GuildMemberResponse"),
    ("GUILD_CREATE", "/roles/0", "GuildRoleResponse"),
    ("GUILD_CREATE", "/channels/0", "GuildChannelResponse"),
    ("GUILD_CREATE", "/members/0", "GuildMemberResponse"),
    ("INTERACTION_CREATE", "/message", "MessageResponse"),
    ("INTERACTION_CREATE", "/member", "GuildMemberResponse"),
];

/// Where the document is known to the registry of schemas.
const URI: &str = "https://discord.invalid/openapi.json";

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asker {
    /// A bot: each of its requests keeps to the document.
    Bot,
    /// Libraries of other people, which send ids as numbers among others: the emulator's answers are judged alone.
    Others,
    /// A test, some of them wrong on purpose: what the emulator accepted, and all its answers, keep to the document.
    Test,
}

/// How much was judged in this process.
static JUDGED: AtomicUsize = AtomicUsize::new(0);

/// Judges an emulated Discord when it is dropped.
pub(crate) struct Judged {
    sandbox: Sandbox,
    asked: Asker,
}

impl Judged {
    pub(crate) fn new(sandbox: &Sandbox, asked: Asker) -> Self {
        Self { sandbox: sandbox.clone(), asked }
    }

    /// Creates and edits of the bot's that let somebody be notified (D15): one without the field is parsed with the defaults.
    fn pings(&self) -> BTreeSet<String> {
        let by_bot = self.asked == Asker::Bot;
        let requests = if by_bot { self.sandbox.recorded_requests() } else { Vec::new() };
        requests.iter().filter_map(might_notify).collect()
    }

    /// What is against the document so far, exceptions included; `None` without a document.
    pub(crate) fn complaints(&self) -> Option<BTreeSet<String>> {
        let contract = Contract::of_this_process()?;
        let mut found = contract.against_requests(&self.sandbox.recorded_requests(), self.asked);
        found.extend(contract.against_events(&self.sandbox.dispatched()));
        Some(found)
    }
}

impl Drop for Judged {
    fn drop(&mut self) {
        // A test that fails already has something else to say.
        if !thread::panicking() {
            demand_none(self.complaints().unwrap_or_default());
            let pings = self.pings();
            assert!(pings.is_empty(), "these let somebody be notified: {pings:#?}");
        }
    }
}

/// Judges a sandbox of another process by its control API (`control` is an address such as
/// `http://127.0.0.1:1/control`); how many requests that were.
pub(crate) fn judge_process(control: &str, token: &str) -> usize {
    let Some(contract) = Contract::of_this_process().filter(|_| !thread::panicking()) else { return 0 };
    let requests: Vec<RecordedRequest> =
        serde_json::from_slice(&get(&format!("{control}/requests"), token)).expect("the record");
    demand_none(contract.against_requests(&requests, Asker::Bot));
    requests.len()
}

/// A create or an edit of a message that does not forbid every notification.
fn might_notify(request: &RecordedRequest) -> Option<String> {
    let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
    let message = match (request.method.as_str(), parts.as_slice()) {
        ("POST", ["channels", _, "messages"] | ["webhooks", _, _])
        | ("PATCH", ["channels", _, "messages", _] | ["webhooks", _, _, "messages", _]) => &request.body,
        // A post in a forum; other threads have no message of their own.
        ("POST", ["channels", _, "threads"]) => request.body.get("message")?,
        // 4 is a message, 7 an edit of the clicked one; the others have no text.
        ("POST", ["interactions", _, _, "callback"])
            if [4, 7].map(Value::from).contains(&request.body["type"]) =>
        {
            &request.body["data"]
        }
        _ => return None,
    };
    let allowed = &message["allowed_mentions"];
    let forbids = allowed["parse"] == json!([])
        && allowed["replied_user"] != true
        && ["users", "roles"].into_iter().all(|named| allowed[named].as_array().is_none_or(Vec::is_empty));
    (!forbids).then(|| format!("{} /{}: {allowed}", request.method, parts.join("/")))
}

/// How many requests and events this process has judged.
pub(crate) fn judged() -> usize {
    JUDGED.load(Ordering::Relaxed)
}

fn demand_none(complaints: BTreeSet<String>) {
    let open: Vec<String> = complaints
        .into_iter()
        .filter(|complaint| !EXCEPTIONS.iter().any(|(part, _)| complaint.contains(part)))
        .collect();
    assert!(open.is_empty(), "against Discord's OpenAPI document: {open:#?}");
}

/// A plain GET without a runtime: this runs while values are dropped.
fn get(url: &str, token: &str) -> Vec<u8> {
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
    let mut socket = TcpStream::connect(host).expect("the sandbox listens");
    let request = format!(
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    answer.split_off(end + 4)
}

/// The document with the schemas that were needed so far, compiled.
pub(crate) struct Contract {
    document: Value,
    registry: Registry<'static>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    /// The document that `DISCORD_OPENAPI` names, read once.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests are told by their environment where the document is"
    )]
    pub(crate) fn of_this_process() -> Option<&'static Self> {
        static CONTRACT: OnceLock<Option<Contract>> = OnceLock::new();
        let read = || {
            let path = std::env::var("DISCORD_OPENAPI").ok().filter(|path| !path.is_empty())?;
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
            Some(Self::new(serde_json::from_str(&text).expect("the document is JSON")))
        };
        CONTRACT.get_or_init(read).as_ref()
    }

    fn new(document: Value) -> Self {
        let registry = Registry::new().add(URI, document.clone()).and_then(RegistryBuilder::prepare);
        Self { document, registry: registry.expect("a document with schemas"), validators: Mutex::default() }
    }

    fn against_requests(&self, requests: &[RecordedRequest], asked: Asker) -> BTreeSet<String> {
        JUDGED.fetch_add(requests.len(), Ordering::Relaxed);
        requests.iter().flat_map(|request| self.complaints(request, asked)).collect()
    }

    fn against_events(&self, events: &[Dispatched]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for event in events {
            for (_, at, schema) in EVENTS.iter().filter(|(name, ..)| *name == event.name) {
                if let Some(part) = event.data.pointer(at) {
                    JUDGED.fetch_add(1, Ordering::Relaxed);
                    let place = format!("#/components/schemas/{schema}");
                    found.extend(self.check(&format!("{} {at}", event.name), &place, part));
                }
            }
        }
        found
    }

    /// What the document says against a request and its answer.
    fn complaints(&self, request: &RecordedRequest, asked: Asker) -> Vec<String> {
        let by_bot = asked == Asker::Bot;
        let is_judged = match asked {
            Asker::Bot => true,
            Asker::Test => request.status < 300,
            Asker::Others => false,
        };
        let Some((template, operation)) = self.operation(&request.method, &request.path) else {
            let refused = request.status == 404 || request.status == 401;
            return if refused && !by_bot {
                Vec::new()
            } else {
                vec![format!("{} {}: not in the document", request.method, request.path)]
            };
        };
        let name = format!("{} {template} {}", request.method, request.status);
        let place = format!("#/paths/{}/{}", escaped(template), request.method.to_lowercase());
        let mut found = Vec::new();
        let agent = request.headers.get("user-agent").map_or("", String::as_str);
        if by_bot && !agent.starts_with("DiscordBot (") {
            // Reference, "User Agent": requests without a valid one may be blocked.
            found.push(format!("{name} request: the user agent {agent:?} is not of Discord's form"));
        }
        // A refused request of a bot is judged as an accepted one; a body that was no JSON is null in the record.
        if is_judged && !request.body.is_null() {
            let schema = "requestBody/content/application~1json/schema";
            if operation.pointer(&format!("/{schema}")).is_some() {
                found.extend(self.check(
                    &format!("{name} request"),
                    &format!("{place}/{schema}"),
                    &request.body,
                ));
            }
        }
        if is_judged {
            let known: Vec<&str> = self.parameters(template, operation);
            let unknown = request.query.keys().filter(|key| !known.contains(&key.as_str()));
            found.extend(unknown.map(|key| format!("{name} request ?{key}: not in the document")));
        }
        // Beyond 499 it is not the API that speaks, but what stands before it (a fault that a test asked for).
        if request.status >= 500 {
            return found;
        }
        let (exact, class) = (request.status.to_string(), format!("{}XX", request.status / 100));
        let Some(status) = [exact, class].into_iter().find(|it| operation["responses"].get(it).is_some())
        else {
            found.push(format!("{name}: this status is not in the document"));
            return found;
        };
        let response = operation["responses"][&status]["$ref"].as_str().map(str::to_owned);
        let response = response.unwrap_or_else(|| format!("{place}/responses/{status}"));
        let schema = format!("{response}/content/application~1json/schema");
        let exists = self.document.pointer(&unescaped(schema.trim_start_matches('#'))).is_some();
        if exists {
            found.extend(self.check(&format!("{name} answer"), &schema, &request.answer));
        }
        found
    }

    /// The names of the query's parameters.
    fn parameters<'s>(&'s self, template: &str, operation: &'s Value) -> Vec<&'s str> {
        let shared = self.document["paths"][template]["parameters"].as_array();
        let own = operation["parameters"].as_array();
        own.into_iter()
            .chain(shared)
            .flatten()
            .filter(|parameter| parameter["in"] == "query")
            .filter_map(|parameter| parameter["name"].as_str())
            .collect()
    }

    /// The path template with the most literal segments that fits, and its operation.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let wanted: Vec<&str> = path.split('/').collect();
        let fits = |template: &str| {
            let parts: Vec<&str> = template.split('/').collect();
            parts.len() == wanted.len()
                && parts.iter().zip(&wanted).all(|(part, given)| part.starts_with('{') || part == given)
        };
        let paths = self.document["paths"].as_object()?;
        paths
            .iter()
            .filter(|(template, _)| fits(template))
            .filter_map(|(template, item)| Some((template.as_str(), item.get(method.to_lowercase())?)))
            .min_by_key(|(template, _)| template.matches('{').count())
    }

    /// Each complaint with the place in the instance; one a place.
    fn check(&self, name: &str, place: &str, instance: &Value) -> Vec<String> {
        let validator = self.validator(place);
        if validator.is_valid(instance) {
            return Vec::new();
        }
        let complaint = |error: jsonschema::ValidationError<'_>| {
            let reason: String = error.to_string().chars().take(300).collect();
            format!("{name} {}: {reason}", error.instance_path())
        };
        validator.iter_errors(instance).map(complaint).collect()
    }

    fn validator(&self, place: &str) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        let known = validators.entry(place.to_owned()).or_insert_with(|| {
            let schema = json!({"$ref": format!("{URI}{place}")});
            let built = jsonschema::options().with_registry(&self.registry).build(&schema);
            Arc::new(built.unwrap_or_else(|error| panic!("{place}: {error}")))
        });
        Arc::clone(known)
    }
}

/// A path template as a part of a pointer in an address (RFC 6901, section 6).
fn escaped(template: &str) -> String {
    template.replace('~', "~0").replace('/', "~1").replace('{', "%7B").replace('}', "%7D")
}

fn unescaped(pointer: &str) -> String {
    pointer.replace("%7B", "{").replace("%7D", "}")
}
