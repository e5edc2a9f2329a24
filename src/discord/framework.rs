//! The life of the connection: identity, commands, client, drain.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use poise::serenity_prelude as serenity;
use serde::Deserialize;
use serenity::GatewayIntents;
use tokio::sync::watch;
use url::Url;

use super::{
    alerts,
    attachments::Attachments,
    beginnings::Beginnings,
    checks::{Access, Application},
    choices::Choices,
    commands,
    connecting::Connecting,
    data::{Bot, Exchanges, QuietChannels, Recent, Served, correlation_id},
    enclosed::Enclosed,
    error::{CommandError, DiscordError, RestError, describe},
    events, interrupted,
    journal::{self, Journal},
    languages,
    personas::Personas,
    register::{self, CommandIds, Registration},
    reply::Interaction,
    transport::Rest,
    usage::{self, Usage},
};
use crate::{
    chat::{Inflight, Pacers},
    clock::Clock,
    http::Http,
    language::Languages,
    llm::Llm,
    pool::{Logins, Pool},
    secret::Secret,
    shutdown::Shutdown,
    storage::Shared,
    tools::Tools,
};

/// How long exchanges may take to finish once the end is asked for (D21).
const DRAIN: Duration = Duration::from_secs(8);

/// How long the gateway may take to close.
const CLOSE: Duration = Duration::from_secs(3);

/// How many channels are remembered for one reason or another.
const GROUNDS: usize = 2500;

/// The longest pause between attempts to reach Discord.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// What the bot runs with.
pub struct DiscordParts {
    /// The settings; token and origin of the first ones count until the end.
    pub served: watch::Receiver<Arc<Served>>,
    /// The models.
    pub llm: Llm,
    /// The credentials.
    pub pool: Pool,
    /// Programs whose tools models may call.
    pub tools: Tools,
    /// What makes and ends logins.
    pub logins: Logins,
    /// Hugging Face's hub; none where its client could not be made.
    #[cfg(feature = "hub")]
    pub hub: Option<crate::hub::Hub>,
    /// The database, for what people choose.
    pub storage: Arc<Shared>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The client for Discord's REST.
    pub http: Http,
    /// The life of the process: the bot drains when it begins to end.
    pub shutdown: Shutdown,
    /// Told whether the gateway is connected.
    pub connected: watch::Sender<bool>,
}

/// Runs the bot until the shutdown begins, then finishes what it was saying and closes the gateway with 1000.
///
/// Discord being away is waited out; what a person has to mend comes back as an error at once.
pub async fn run(parts: DiscordParts) -> Result<(), DiscordError> {
    let first = Arc::clone(&parts.served.borrow());
    let token = first.settings.token.clone().ok_or(DiscordError::NoToken)?;
    let api_base = first.settings.api_base.clone();
    let rest = Rest::new(parts.http.clone(), api_base.as_ref(), &token).ok_or(DiscordError::BadToken)?;
    let rest = Arc::new(rest);
    let shutdown = parts.shutdown.clone();
    let identity = tokio::select! {
        identity = identify(&rest) => identity?,
        () = shutdown.token().cancelled() => return Ok(()),
    };
    let (http, storage) = (parts.http.clone(), Arc::clone(&parts.storage));
    let bot = Arc::new(assemble(parts, rest, &identity));
    if bot.access.operators() == 0 {
        tracing::warn!(
            "The application has no operators; set OPERATOR_IDS to manage credentials from Discord"
        );
    }
    tokio::select! {
        () = register_commands(&bot) => {}
        () = shutdown.token().cancelled() => return Ok(()),
    }
    alerts::start(&bot, storage);
    keep_journal(&bot);
    usage::start(&bot);
    let ended = serve(&bot, &token, api_base.as_ref(), &http).await;
    bot.connected.send_replace(false);
    ended
}

/// Who we are.
struct Identity {
    application: Application,
    user: u64,
}

#[derive(Deserialize)]
struct User {
    id: String,
}

/// Asks Discord who we are, until it answers.
async fn identify(rest: &Rest) -> Result<Identity, DiscordError> {
    let mut pause = Duration::from_secs(1);
    loop {
        let asked = async {
            let user: User = rest.get("users/@me").await?;
            let application: Application = rest.get("oauth2/applications/@me").await?;
            Ok::<_, RestError>((user, application))
        };
        match asked.await {
            Ok((user, application)) => {
                let user = user.id.parse().map_err(|_| malformed("users/@me"))?;
                return Ok(Identity { application, user });
            }
            Err(RestError::Status { status: 401, .. }) => return Err(DiscordError::BadToken),
            Err(error) if error.is_transient() => {
                tracing::warn!(error = %error, retry.secs = pause.as_secs(), "Discord cannot be reached");
                let asked_for = match error {
                    RestError::RateLimited { retry_after } => retry_after,
                    RestError::Status { .. } | RestError::Unreachable(_) | RestError::Malformed => pause,
                };
                tokio::time::sleep(asked_for).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => return Err(DiscordError::Malformed { problem: error.to_string() }),
        }
    }
}

fn malformed(what: &str) -> DiscordError {
    DiscordError::Malformed { problem: what.to_owned() }
}

fn assemble(parts: DiscordParts, rest: Arc<Rest>, identity: &Identity) -> Bot {
    let access = Access::new(parts.served.clone(), &identity.application, Arc::clone(&rest));
    let (origin, pdf_reader) = {
        let served = parts.served.borrow();
        (served.settings.api_base.clone(), served.settings.pdf_reader.clone())
    };
    Bot {
        attachments: Attachments::new(parts.http, origin.as_ref(), pdf_reader),
        served: parts.served,
        llm: parts.llm,
        tools: parts.tools,
        pool: parts.pool,
        logins: parts.logins,
        connecting: Connecting::default(),
        #[cfg(feature = "hub")]
        hub: parts.hub,
        languages: Languages::built_in(),
        spoken: Mutex::new(Recent::new(languages::REMEMBERED)),
        choices: Choices::new(Arc::clone(&parts.storage)),
        beginnings: Beginnings::new(Arc::clone(&parts.storage)),
        journal: Journal::new(Arc::clone(&parts.storage)),
        usage: Usage::new(Arc::clone(&parts.storage), Arc::clone(&parts.clock)),
        personas: Personas::new(parts.storage),
        clock: parts.clock,
        rest,
        enclosed: Enclosed::new(),
        commands: CommandIds::default(),
        application: identity.application.id.parse().unwrap_or(identity.user),
        user: identity.user,
        access,
        quiet: Arc::new(QuietChannels::new()),
        grounds: Mutex::new(Recent::new(GROUNDS)),
        threadless: Mutex::new(Recent::new(GROUNDS)),
        answered: Mutex::new(Recent::new(events::WATCHED)),
        seen: Bot::no_events(),
        inflight: Inflight::default(),
        pacers: Pacers::new(parts.shutdown.clone()),
        exchanges: Exchanges::new(),
        shutdown: parts.shutdown,
        connected: parts.connected,
        intent_refused_at: watch::Sender::new(None),
    }
}

/// Says that this process lives, and ends what others left behind.
fn keep_journal(bot: &Arc<Bot>) {
    let (beating, looking) = (Arc::clone(bot), Arc::clone(bot));
    bot.shutdown.keep("the beat of the journal", move || journal::beat(Arc::clone(&beating), DRAIN));
    bot.shutdown
        .keep("the look after interrupted answers", move || interrupted::look_after(Arc::clone(&looking)));
}

/// Registers the commands before the first event arrives; a failure is no reason not to chat.
async fn register_commands(bot: &Arc<Bot>) {
    let wanted = register::wanted(&bot.languages);
    match register::register(&bot.rest, bot.application, &wanted, &bot.commands).await {
        Ok(Registration::Unchanged) => tracing::debug!("The slash commands are registered already"),
        Ok(Registration::Written) => tracing::info!("Registered the slash commands"),
        Err(error) => {
            tracing::warn!(error = %error, "Could not register the slash commands; trying again in a minute");
            let again = Arc::clone(bot);
            bot.shutdown.spawn(async move {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_mins(1)) => {}
                    () = again.shutdown.token().cancelled() => return,
                }
                let written =
                    register::register(&again.rest, again.application, &wanted, &again.commands).await;
                if let Err(error) = written {
                    tracing::error!(
                        error = %error,
                        "The slash commands are not registered; chats work, /settings may be out of date"
                    );
                }
            });
        }
    }
}

/// Keeps a client connected. A refused content intent is done without (D16).
async fn serve(
    bot: &Arc<Bot>,
    token: &Secret,
    api_base: Option<&Url>,
    http: &Http,
) -> Result<(), DiscordError> {
    let mut intents = GatewayIntents::GUILDS
        | GatewayIntents::GUILD_MESSAGES
        | GatewayIntents::DIRECT_MESSAGES
        | GatewayIntents::MESSAGE_CONTENT;
    let mut pause = Duration::from_secs(1);
    loop {
        let mut client = client(bot, token, (api_base, http), intents).await?;
        let shards = Arc::clone(&client.shard_manager);
        let ended = tokio::select! {
            ended = client.start_autosharded() => ended,
            () = bot.shutdown.token().cancelled() => {
                drain(bot).await;
                close(&shards).await;
                return Ok(());
            }
        };
        bot.connected.send_replace(false);
        close(&shards).await;
        match ended {
            Err(serenity::Error::Gateway(serenity::GatewayError::DisallowedGatewayIntents))
                if intents.contains(GatewayIntents::MESSAGE_CONTENT) =>
            {
                intents.remove(GatewayIntents::MESSAGE_CONTENT);
                bot.intent_refused_at.send_replace(Some(bot.clock.now()));
                tracing::warn!(
                    "Discord refuses the Message Content intent; going on without it: mentions, replies with a ping and \
                     direct messages are answered. To have it, switch it on under \"Bot\" at \
                     https://discord.com/developers/applications"
                );
            }
            Err(error) => match fate(&error) {
                Fate::Fatal(error) => return Err(error),
                Fate::Again => {
                    tracing::warn!(
                        error = describe(&error),
                        retry.secs = pause.as_secs(),
                        "The connection to Discord could not be made"
                    );
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = bot.shutdown.token().cancelled() => return Ok(()),
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            },
            Ok(()) => return Err(DiscordError::Gateway { problem: "all shards stopped".to_owned() }),
        }
    }
}

/// What to do after the client ended with an error.
enum Fate {
    Fatal(DiscordError),
    Again,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is open")]
fn fate(error: &serenity::Error) -> Fate {
    use serenity::GatewayError;
    match error {
        serenity::Error::Gateway(GatewayError::InvalidAuthentication | GatewayError::NoAuthentication) => {
            Fate::Fatal(DiscordError::BadToken)
        }
        serenity::Error::Gateway(
            GatewayError::DisallowedGatewayIntents | GatewayError::InvalidGatewayIntents,
        ) => Fate::Fatal(DiscordError::DisallowedIntents),
        serenity::Error::Gateway(GatewayError::InvalidShardData | GatewayError::OverloadedShard) => {
            Fate::Fatal(DiscordError::Gateway { problem: describe(error) })
        }
        serenity::Error::Http(serenity::HttpError::UnsuccessfulRequest(answer))
            if answer.status_code.as_u16() == 401 =>
        {
            Fate::Fatal(DiscordError::BadToken)
        }
        _ => Fate::Again,
    }
}

/// Builds a client.
async fn client(
    bot: &Arc<Bot>,
    token: &Secret,
    (api_base, http): (Option<&Url>, &Http),
    intents: GatewayIntents,
) -> Result<serenity::Client, DiscordError> {
    let mut rest = serenity::HttpBuilder::new(token.expose()).client(http.client().clone());
    if let Some(base) = api_base {
        // serenity ignores a proxy while its limiter is on, and would ask the real discord.com.
        rest = rest.proxy(base.as_str().trim_end_matches('/')).ratelimiter_disabled(true);
    }
    let mut cache = serenity::cache::Settings::default();
    // Nothing that grows with what is said (D27); people are known by the events that name them.
    cache.max_messages = 0;
    cache.cache_users = false;
    let client = serenity::ClientBuilder::new_with_http(rest.build(), intents)
        .cache_settings(cache)
        .framework(framework(bot))
        .await
        .map_err(|error| DiscordError::Gateway { problem: describe(&error) })?;
    if let Some(base) = api_base {
        // When GET /gateway fails, serenity takes the real gateway in silence.
        let gateway = client.ws_url.lock().await.clone();
        same_host(base, &gateway)?;
    }
    Ok(client)
}

fn same_host(base: &Url, gateway: &str) -> Result<(), DiscordError> {
    let name = |url: &Url| {
        let port = url.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", url.host_str().unwrap_or("no host"))
    };
    let found = Url::parse(gateway).map_or_else(|_| "no address".to_owned(), |url| name(&url));
    let wanted = name(base);
    if found == wanted { Ok(()) } else { Err(DiscordError::ForeignGateway { wanted, found }) }
}

fn framework(bot: &Arc<Bot>) -> poise::Framework<Arc<Bot>, CommandError> {
    let options = poise::FrameworkOptions {
        commands: commands::all(),
        on_error: |error| Box::pin(failed(error)),
        event_handler: |framework, event| {
            Box::pin(events::handle(framework.serenity_context, framework.user_data, event))
        },
        // Nobody is ever notified (D15).
        allowed_mentions: Some(serenity::CreateAllowedMentions::new()),
        prefix_options: poise::PrefixFrameworkOptions {
            // Otherwise every mention is an unknown command.
            mention_as_prefix: false,
            ..Default::default()
        },
        // Who owns the application is asked for once, in `checks`, where teams count as documented.
        initialize_owners: false,
        ..Default::default()
    };
    let data = Arc::clone(bot);
    poise::Framework::builder()
        .options(options)
        .initialize_owners(false)
        // An error here would leave a client that answers nothing; there is nothing in it that can fail.
        .setup(move |_, _, _| Box::pin(async move { Ok(data) }))
        .build()
}

/// Whatever poise could not do: one apology with an id, the cause in the log, never silence.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is open")]
async fn failed(error: poise::FrameworkError<'_, Arc<Bot>, CommandError>) {
    let id = correlation_id();
    let cause = match &error {
        poise::FrameworkError::Command { error, .. } | poise::FrameworkError::EventHandler { error, .. } => {
            error.to_string()
        }
        // Its payload may quote anything; the place is in the log already.
        poise::FrameworkError::CommandPanic { .. } => "a panic".to_owned(),
        poise::FrameworkError::ArgumentParse { .. } => "an argument of the wrong type".to_owned(),
        poise::FrameworkError::CommandStructureMismatch { description, .. } => (*description).to_owned(),
        poise::FrameworkError::UnknownInteraction { .. } => "an unknown command".to_owned(),
        _ => "a check of the framework".to_owned(),
    };
    tracing::error!(request.id = id, error = cause, "A command could not be carried out");
    let interaction = match &error {
        poise::FrameworkError::UnknownInteraction { framework, interaction, .. } => {
            Some((framework.user_data, *interaction, false))
        }
        other => match other.ctx() {
            Some(poise::Context::Application(ctx)) => {
                let sent = ctx.has_sent_initial_response.load(std::sync::atomic::Ordering::SeqCst);
                Some((ctx.framework.user_data, ctx.interaction, sent))
            }
            Some(poise::Context::Prefix(_)) | None => None,
        },
    };
    let Some((bot, command, is_acknowledged)) = interaction else { return };
    let interaction = Interaction::new(bot, command.id.get(), &command.token);
    let language = bot.language_of(command.user.id.get(), &command.locale);
    let text = commands::apology(&language, &id);
    let told = if is_acknowledged {
        interaction.edit(bot, serde_json::json!({ "content": text, "components": [] })).await
    } else {
        interaction.whisper(bot, &text).await
    };
    if let Err(error) = told {
        tracing::warn!(request.id = id, error = %error, "Nor could the apology be said");
    }
}

/// Waits until every exchange has finalised its messages and every interaction has its answer (D21).
async fn drain(bot: &Bot) {
    let busy = bot.exchanges.busy();
    if busy > 0 {
        tracing::info!(answers = busy, limit.secs = DRAIN.as_secs(), "Finishing the answers in progress");
    }
    if !bot.exchanges.finished(DRAIN).await {
        tracing::warn!(answers = bot.exchanges.busy(), "Some answers could not be finished in time");
    }
    // What they cost is known only now.
    bot.usage.write().await;
}

/// Closes every shard's websocket with 1000. `shutdown_all` alone can leave the client running.
async fn close(shards: &serenity::ShardManager) {
    for runner in shards.runners.lock().await.values() {
        runner.runner_tx.shutdown_clean();
    }
    if tokio::time::timeout(CLOSE, shards.shutdown_all()).await.is_err() {
        tracing::debug!("The gateway did not close in time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overridden_base_demands_its_own_gateway() {
        let base: Url = "http://127.0.0.1:8787".parse().unwrap();
        assert_eq!(same_host(&base, "ws://127.0.0.1:8787/gateway"), Ok(()));
        assert!(same_host(&base, "wss://gateway.discord.gg").is_err());
        assert!(same_host(&base, "ws://127.0.0.1:8788").is_err());
        assert!(same_host(&base, "nonsense").is_err());
        let base: Url = "https://discord.example".parse().unwrap();
        assert_eq!(same_host(&base, "wss://discord.example"), Ok(()), "both mean port 443");
    }
}
