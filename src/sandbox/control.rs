//! The control API over HTTP: what people do, what is to be seen, and what goes wrong. `docs/sandbox.md` describes it.

mod gateway;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{FromRequest, Path, Query, Request, State as Extracted},
    http::StatusCode,
    middleware,
    response::{IntoResponse, Response},
    routing::{get, patch, post, put},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    File, Reacting, Sandbox, ScriptError,
    discord::{Form, Id, RestFault},
    vendor::Refused,
    web,
};

/// A refusal with a sentence.
#[derive(Debug)]
struct Refusal(StatusCode, String);

type Outcome = Result<Json<Value>, Refusal>;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

impl From<ScriptError> for Refusal {
    fn from(error: ScriptError) -> Self {
        let status = match &error {
            ScriptError::UnknownCommand { .. }
            | ScriptError::NoButton { .. }
            | ScriptError::Unknown { .. } => StatusCode::NOT_FOUND,
            ScriptError::NotAllowed => StatusCode::FORBIDDEN,
            ScriptError::BadCommand { .. } | ScriptError::Refused(_) => StatusCode::BAD_REQUEST,
            ScriptError::NoChoices(_) => StatusCode::GATEWAY_TIMEOUT,
        };
        Self(status, error.to_string())
    }
}

/// A JSON body; what does not fit is refused with a sentence, in JSON as everything here.
struct Sent<T>(T);

impl<T: for<'de> Deserialize<'de>, S: Send + Sync> FromRequest<S> for Sent<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(error) => Err(Refusal(error.status(), error.body_text())),
        }
    }
}

/// The routes below `/control`; every one needs the token.
pub(super) fn router(sandbox: &Sandbox) -> Router {
    let discord = Router::new()
        .route("/", get(world))
        .route("/messages", get(messages).post(say))
        .route("/messages/{id}", patch(rewrite).get(message).delete(remove))
        .route("/messages/{id}/reactions", put(react).delete(unreact))
        .route("/answers/{id}", get(answers))
        .route("/slash", post(slash))
        .route("/context", post(context))
        .route("/autocomplete", post(autocomplete))
        .route("/click", post(click))
        .route("/select", post(select))
        .route("/modal", post(submit))
        .route("/threads", post(thread))
        .route("/interactions/{id}", get(interaction))
        .route("/transcript", get(transcript))
        .route("/report", get(report))
        .route("/requests", get(requests))
        .route("/gateway", get(gateway::log).post(gateway::fault).put(gateway::set))
        .route("/faults", post(fault).delete(clear))
        .route("/latency", put(latency))
        .route("/advance", post(advance))
        .route("/people", post(person))
        .route("/channels", post(channel));
    let vendors = Router::new()
        .route("/", get(vendors))
        .route("/requests", get(vendor_requests))
        .route("/{provider}/{what}", post(vendor));
    Router::new()
        .nest("/control", discord.nest("/vendors", vendors))
        .layer(middleware::from_fn_with_state(sandbox.clone(), web::demand_token))
        .with_state(sandbox.clone())
}

fn done(value: impl serde::Serialize) -> Outcome {
    serde_json::to_value(value)
        .map(Json)
        .map_err(|error| Refusal(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// Who acts and where; the application's owner in the first channel when nothing is said.
#[derive(Debug, Deserialize)]
struct Actor {
    user_id: Option<Id>,
    channel_id: Option<Id>,
}

impl Actor {
    fn user(&self, sandbox: &Sandbox) -> Id {
        self.user_id.unwrap_or(sandbox.discord().landmarks().owner)
    }

    fn channel(&self, sandbox: &Sandbox) -> Id {
        self.channel_id.unwrap_or(sandbox.discord().landmarks().channel)
    }
}

async fn world(Extracted(sandbox): Extracted<Sandbox>) -> Outcome {
    let mut world = sandbox.discord().read(|state| state.outline());
    world["endpoints"] = json!(sandbox.endpoints());
    world["connected_sessions"] = json!(sandbox.connected_sessions());
    done(world)
}

#[derive(Debug, Deserialize)]
struct Say {
    #[serde(flatten)]
    actor: Actor,
    content: String,
    reply_to: Option<Id>,
    /// In the direct channel with the bot instead.
    #[serde(default)]
    direct: bool,
    #[serde(default)]
    files: Vec<Attached>,
}

/// A file, its content as base64.
#[derive(Debug, Deserialize)]
struct Attached {
    filename: String,
    content_type: Option<String>,
    base64: String,
}

impl TryFrom<Attached> for File {
    type Error = Refusal;

    fn try_from(attached: Attached) -> Result<Self, Refusal> {
        let Attached { filename, content_type, base64 } = attached;
        let bytes = STANDARD.decode(base64).map_err(|_| {
            Refusal(StatusCode::BAD_REQUEST, format!("the content of {filename} is no base64"))
        })?;
        Ok(Self { filename, content_type, bytes: bytes.into() })
    }
}

async fn say(Extracted(sandbox): Extracted<Sandbox>, Sent(say): Sent<Say>) -> Outcome {
    let user = say.actor.user(&sandbox);
    let replied = say.reply_to.and_then(|id| sandbox.message(id));
    let channel = match (replied, say.direct) {
        (Some(message), _) => message.channel_id,
        (None, true) => sandbox.direct_channel(user),
        (None, false) => say.actor.channel(&sandbox),
    };
    let files = say.files.into_iter().map(File::try_from).collect::<Result<_, _>>()?;
    let id = sandbox.say_with(channel, user, &say.content, say.reply_to, files)?;
    done(json!({"id": id}))
}

async fn messages(
    Extracted(sandbox): Extracted<Sandbox>,
    Query(query): Query<HashMap<String, String>>,
) -> Outcome {
    let channel = id_of(&query, "channel_id")?.unwrap_or(sandbox.discord().landmarks().channel);
    let after = id_of(&query, "after")?.unwrap_or(Id(0));
    let mut list = sandbox.messages(channel);
    list.retain(|message| message.id > after);
    done(list)
}

fn id_of(query: &HashMap<String, String>, key: &str) -> Result<Option<Id>, Refusal> {
    let parse =
        |text: &String| text.parse().map_err(|_| Refusal(StatusCode::BAD_REQUEST, format!("{key} is no id")));
    query.get(key).map(parse).transpose()
}

async fn message(Extracted(sandbox): Extracted<Sandbox>, Path(id): Path<Id>) -> Outcome {
    done(sandbox.message(id).ok_or(ScriptError::Unknown { what: "message", id })?)
}

#[derive(Debug, Deserialize)]
struct Rewrite {
    content: String,
}

async fn rewrite(
    Extracted(sandbox): Extracted<Sandbox>,
    Path(id): Path<Id>,
    Sent(new): Sent<Rewrite>,
) -> Outcome {
    sandbox.rewrite(id, &new.content)?;
    done(json!({"id": id}))
}

async fn remove(Extracted(sandbox): Extracted<Sandbox>, Path(id): Path<Id>) -> Outcome {
    sandbox.remove(id)?;
    done(json!({"id": id}))
}

async fn answers(Extracted(sandbox): Extracted<Sandbox>, Path(id): Path<Id>) -> Outcome {
    done(sandbox.answers(id))
}

#[derive(Debug, Deserialize)]
struct Slash {
    #[serde(flatten)]
    actor: Actor,
    command: String,
}

async fn slash(Extracted(sandbox): Extracted<Sandbox>, Sent(slash): Sent<Slash>) -> Outcome {
    let (user, channel) = (slash.actor.user(&sandbox), slash.actor.channel(&sandbox));
    done(json!({"interaction_id": sandbox.slash(user, channel, &slash.command)?}))
}

async fn autocomplete(Extracted(sandbox): Extracted<Sandbox>, Sent(slash): Sent<Slash>) -> Outcome {
    let (user, channel) = (slash.actor.user(&sandbox), slash.actor.channel(&sandbox));
    done(json!({"choices": sandbox.autocomplete(user, channel, &slash.command).await?}))
}

#[derive(Debug, Deserialize)]
struct Context {
    #[serde(flatten)]
    actor: Actor,
    message_id: Id,
    name: String,
}

async fn context(Extracted(sandbox): Extracted<Sandbox>, Sent(context): Sent<Context>) -> Outcome {
    let user = context.actor.user(&sandbox);
    done(json!({"interaction_id": sandbox.context_command(user, context.message_id, &context.name)?}))
}

#[derive(Debug, Deserialize)]
struct Click {
    #[serde(flatten)]
    actor: Actor,
    message_id: Id,
    custom_id: String,
}

async fn click(Extracted(sandbox): Extracted<Sandbox>, Sent(click): Sent<Click>) -> Outcome {
    let user = click.actor.user(&sandbox);
    done(json!({"interaction_id": sandbox.click(user, click.message_id, &click.custom_id)?}))
}

#[derive(Debug, Deserialize)]
struct Select {
    #[serde(flatten)]
    actor: Actor,
    message_id: Id,
    custom_id: String,
    values: Vec<String>,
}

async fn select(Extracted(sandbox): Extracted<Sandbox>, Sent(select): Sent<Select>) -> Outcome {
    let Select { actor, message_id, custom_id, values } = select;
    let user = actor.user(&sandbox);
    done(json!({"interaction_id": sandbox.choose(user, message_id, &custom_id, &values)?}))
}

#[derive(Debug, Deserialize)]
struct Filled {
    #[serde(flatten)]
    actor: Actor,
    interaction_id: Id,
    values: BTreeMap<String, String>,
}

async fn submit(Extracted(sandbox): Extracted<Sandbox>, Sent(filled): Sent<Filled>) -> Outcome {
    let user = filled.actor.user(&sandbox);
    done(json!({"interaction_id": sandbox.submit(user, filled.interaction_id, &filled.values)?}))
}

#[derive(Debug, Deserialize)]
struct Emoji {
    #[serde(flatten)]
    actor: Actor,
    emoji: String,
}

async fn react(
    Extracted(sandbox): Extracted<Sandbox>,
    Path(id): Path<Id>,
    Sent(emoji): Sent<Emoji>,
) -> Outcome {
    sandbox.react(emoji.actor.user(&sandbox), id, &emoji.emoji, Reacting::Put)?;
    done(json!({}))
}

async fn unreact(
    Extracted(sandbox): Extracted<Sandbox>,
    Path(id): Path<Id>,
    Sent(emoji): Sent<Emoji>,
) -> Outcome {
    sandbox.react(emoji.actor.user(&sandbox), id, &emoji.emoji, Reacting::Taken)?;
    done(json!({}))
}

#[derive(Debug, Deserialize)]
struct NewThread {
    #[serde(flatten)]
    actor: Actor,
    message_id: Option<Id>,
    name: String,
    content: Option<String>,
}

/// From a message; a post in a forum where there is `content`; otherwise a private one.
async fn thread(Extracted(sandbox): Extracted<Sandbox>, Sent(new): Sent<NewThread>) -> Outcome {
    let NewThread { actor, message_id, name, content } = new;
    let (user, channel) = (actor.user(&sandbox), actor.channel(&sandbox));
    let id = match (message_id, content) {
        (Some(message), _) => sandbox.start_thread(user, message, &name)?,
        (None, Some(text)) => sandbox.post_in_forum(user, channel, &name, &text)?,
        (None, None) => sandbox.start_private_thread(user, channel, &name)?,
    };
    done(json!({"id": id}))
}

async fn interaction(Extracted(sandbox): Extracted<Sandbox>, Path(id): Path<Id>) -> Outcome {
    done(sandbox.interaction(id).ok_or(ScriptError::Unknown { what: "interaction", id })?)
}

async fn transcript(
    Extracted(sandbox): Extracted<Sandbox>,
    Query(query): Query<HashMap<String, String>>,
) -> Result<String, Refusal> {
    let channel = id_of(&query, "channel_id")?.unwrap_or(sandbox.discord().landmarks().channel);
    Ok(sandbox.transcript(channel, id_of(&query, "after")?))
}

async fn report(
    Extracted(sandbox): Extracted<Sandbox>,
    Query(query): Query<HashMap<String, String>>,
) -> Outcome {
    done(sandbox.report(id_of(&query, "after")?))
}

async fn requests(
    Extracted(sandbox): Extracted<Sandbox>,
    Query(query): Query<HashMap<String, String>>,
) -> Outcome {
    let skip = query.get("skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
    done(sandbox.recorded_requests().into_iter().skip(skip).collect::<Vec<_>>())
}

async fn fault(Extracted(sandbox): Extracted<Sandbox>, Sent(fault): Sent<RestFault>) -> Outcome {
    sandbox.fault(fault);
    done(json!({}))
}

async fn clear(Extracted(sandbox): Extracted<Sandbox>) -> Outcome {
    sandbox.clear_faults();
    done(json!({}))
}

#[derive(Debug, Deserialize)]
struct Milliseconds {
    ms: u64,
}

async fn latency(Extracted(sandbox): Extracted<Sandbox>, Sent(by): Sent<Milliseconds>) -> Outcome {
    sandbox.set_latency(Duration::from_millis(by.ms));
    done(json!({}))
}

async fn advance(Extracted(sandbox): Extracted<Sandbox>, Sent(by): Sent<Milliseconds>) -> Outcome {
    sandbox.advance(Duration::from_millis(by.ms));
    done(json!({}))
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

async fn person(Extracted(sandbox): Extracted<Sandbox>, Sent(new): Sent<Named>) -> Outcome {
    done(json!({"id": sandbox.add_person(&new.name)}))
}

#[derive(Debug, Deserialize)]
struct NewChannel {
    name: String,
    #[serde(default)]
    form: Form,
}

async fn channel(Extracted(sandbox): Extracted<Sandbox>, Sent(new): Sent<NewChannel>) -> Outcome {
    let id = match new.form {
        Form::Text => sandbox.add_channel(&new.name),
        Form::Forum => sandbox.add_forum(&new.name),
    };
    done(json!({"id": id}))
}

async fn vendors(Extracted(sandbox): Extracted<Sandbox>) -> Outcome {
    done(json!({"providers": sandbox.endpoints().providers, "counts": sandbox.vendors().counts()}))
}

async fn vendor_requests(Extracted(sandbox): Extracted<Sandbox>) -> Outcome {
    done(sandbox.vendors().requests())
}

/// `POST /control/vendors/{provider}/{what}`.
async fn vendor(
    Extracted(sandbox): Extracted<Sandbox>,
    Path((provider, what)): Path<(String, String)>,
    body: Option<Json<Value>>,
) -> Outcome {
    let body = body.map_or(Value::Null, |Json(body)| body);
    match sandbox.vendors().carry_out(&provider, &what, &body) {
        Ok(answer) => done(answer),
        Err(Refused::Unknown(problem)) => Err(Refusal(StatusCode::NOT_FOUND, problem)),
        Err(Refused::Body(problem)) => Err(Refusal(StatusCode::BAD_REQUEST, problem)),
    }
}
