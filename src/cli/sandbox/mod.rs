//! `cortana sandbox`: the real bot against an embedded Discord and embedded providers.
//!
//! Nothing of this machine counts here: settings come from memory alone, files lie in a temporary folder, and the bot's
//! clients refuse everything but loopback ("where secrets may go").

mod panel;
mod play;
mod scenario;
mod story;
mod world;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use self::{
    panel::Audience,
    scenario::{Parts, Watched},
    story::{Form, Story},
    world::World,
};
use super::{
    arguments::SandboxOptions,
    failure::Failure,
    output::{print, remark},
};
use crate::{
    app::{self, AppError},
    config::ToolServer,
    pool::Pool,
    sandbox::{Endpoints, Sandbox, Tls, scenario::Scenario},
    shutdown::{self, Shutdown},
    telemetry::{self, LogFormat},
};

/// How long the bot may take to finish what it was writing.
const BOT_DRAIN: Duration = Duration::from_secs(15);

/// How long the emulators' connections may take to end.
const EMULATOR_DRAIN: Duration = Duration::from_secs(2);

/// How the play ended, besides failures of the sandbox itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Every answer was finished.
    Finished,
    /// One failed, or did not come.
    Failed,
}

/// What ended the play, besides failures of the sandbox itself.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Played {
    /// It came to its end.
    Through(Answer),
    /// A signal, by its name.
    Interrupted(String),
}

/// How the bot ended within [`BOT_DRAIN`].
type BotEnd = Result<Result<Result<(), AppError>, tokio::task::JoinError>, tokio::time::error::Elapsed>;

/// Whether it is said how fresh the answers were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reporting {
    /// It is not.
    No,
    /// When everything is played.
    AtTheEnd,
}

/// What is done with the sandbox.
enum Plan {
    /// It runs until a signal.
    Stay,
    /// These lines are said.
    Lines(Vec<String>),
    /// This is played.
    Scenario(Box<Scenario>, Watched),
}

impl Plan {
    fn of(options: &SandboxOptions) -> Result<Self, Failure> {
        let watched = if options.page { Watched::OnThePage } else { Watched::Here };
        Ok(match &options.scenario {
            Some(which) => Self::Scenario(Box::new(scenario::choose(which)?), watched),
            None if options.say.is_empty() => Self::Stay,
            None => Self::Lines(options.say.clone()),
        })
    }

    /// Whether a signal is the way to end.
    fn stays(&self) -> bool {
        match self {
            Self::Stay | Self::Scenario(_, Watched::OnThePage) => true,
            Self::Lines(_) | Self::Scenario(_, Watched::Here) => false,
        }
    }

    /// How it is told.
    fn form(&self, options: &SandboxOptions) -> Form {
        match self {
            Self::Stay | Self::Lines(_) | Self::Scenario(..) if options.json => Form::Json,
            Self::Scenario(..) => Form::Timed,
            Self::Stay | Self::Lines(_) => Form::Transcript,
        }
    }
}

pub(super) async fn run(options: &SandboxOptions) -> Result<(), Failure> {
    check(options)?;
    if options.scenario.as_deref() == Some("list") {
        return scenario::list(if options.json { Form::Json } else { Form::Transcript });
    }
    let plan = Plan::of(options)?;
    // A transcript is not interleaved with a log; what fails is in the transcript.
    let directives = match &plan {
        Plan::Stay if !options.serve_only => "info",
        Plan::Lines(_) | Plan::Stay => "error,serenity=error",
        // What a scenario breaks is told by the scenario.
        Plan::Scenario(..) => "off,serenity=off",
    };
    telemetry::init(LogFormat::Pretty, directives);

    let emulators = Shutdown::new();
    let sandbox = Sandbox::start(options.listen, &emulators)
        .await
        .with_context(|| format!("the sandbox cannot listen on {}", options.listen))?;
    if let Some(locale) = &options.language {
        sandbox.speak(locale);
    }
    if !options.listen.ip().is_loopback() {
        remark(&exposed(&sandbox));
    }
    let result = if options.serve_only {
        serve(&sandbox, options).await
    } else {
        let report = if options.report { Reporting::AtTheEnd } else { Reporting::No };
        with_bot(&sandbox, &plan, plan.form(options), report).await
    };
    emulators.drain(EMULATOR_DRAIN).await;
    result
}

/// What belongs together, and where it listens: beyond this machine the emulators are served alone, and only on purpose: their control API steers everything.
fn check(options: &SandboxOptions) -> Result<(), Failure> {
    if (options.report || options.json) && options.say.is_empty() && options.scenario.is_none() {
        return Err(Failure::Usage(
            "--report and --json tell of what is played: add --say TEXT or --scenario NAME".to_owned(),
        ));
    }
    if options.listen.ip().is_loopback() {
        return Ok(());
    }
    if !options.i_know {
        return Err(Failure::Usage(format!(
            "--listen {} lets other machines read and steer the sandbox; add --i-know if that is meant",
            options.listen
        )));
    }
    if !options.serve_only {
        return Err(Failure::Usage(
            "the bot inside the sandbox speaks to loopback alone: --listen beyond this machine needs --serve-only"
                .to_owned(),
        ));
    }
    Ok(())
}

/// What another machine gets that reaches the address.
fn exposed(sandbox: &Sandbox) -> String {
    format!(
        "Other machines can reach this sandbox at {}, without encryption. Whoever has the bot token can be the bot; \
         whoever has the control token can read every message and request, act as everybody and break everything; \
         without a token the emulated providers' endpoints and the page's own files answer. No credential of yours is \
         in it, and it reaches nothing by itself.",
        sandbox.endpoints().discord_api_base
    )
}

/// Only the emulators, until a signal; one line of JSON says where.
async fn serve(sandbox: &Sandbox, options: &SandboxOptions) -> Result<(), Failure> {
    let mut line =
        serde_json::to_value(sandbox.endpoints()).context("the addresses cannot be written as JSON")?;
    if options.tls {
        let tls = sandbox.listen_with_tls(SocketAddr::new(options.listen.ip(), 0)).await;
        let Tls { address, authority } = tls.context("the sandbox cannot listen with TLS")?;
        line["discord_tls"] = json!({"address": address, "authority": STANDARD.encode(authority)});
    }
    let line = line.to_string();
    let signal = shutdown::signal();
    tokio::pin!(signal);
    // Whoever reads the line may end us at once: the signal is listened for before it is printed.
    tokio::select! {
        biased;
        _ = &mut signal => return Ok(()),
        printed = async { print(&line) } => printed?,
    }
    signal.await;
    Ok(())
}

/// The emulators with the bot: plays, or keeps running until a signal.
async fn with_bot(sandbox: &Sandbox, plan: &Plan, form: Form, report: Reporting) -> Result<(), Failure> {
    let story = Story::begin(form);
    let world = match plan {
        Plan::Stay | Plan::Lines(_) => World::new(sandbox, &world::usual(), &BTreeMap::new())?,
        Plan::Scenario(played, _) => {
            story.title(&played.title, &played.about)?;
            let world = World::new(sandbox, &played.credentials, &played.settings)?;
            scenario::prepare(sandbox, &world, played).await?;
            world
        }
    };
    let mut settings = world.settings()?;
    settings.discord.pdf_reader = crate::config::program();
    settings.tools.servers.extend(sample_tools());
    let stop = Shutdown::new();
    let tasks = Shutdown::new();
    let (teller, news) = mpsc::unbounded_channel();
    let (hand_over, pool) = oneshot::channel();
    let audience = Audience {
        panel: sandbox.panel().clone(),
        accounts: world.accounts().clone(),
        teller: matches!(plan, Plan::Scenario(..)).then_some(teller),
    };
    let life = tasks.clone();
    let observe = move |pool: &Pool| {
        panel::observe(pool.clone(), audience, &life);
        // Where nothing is played, nobody takes it.
        drop(hand_over.send(pool.clone()));
    };
    let mut bot = tasks.spawn(app::run_observed(settings, stop.clone(), None, observe));

    let performance = async {
        play::ready(sandbox).await?;
        match plan {
            Plan::Stay => {
                print(&guide(sandbox))?;
                std::future::pending().await
            }
            Plan::Lines(lines) => say(sandbox, &story, lines).await,
            Plan::Scenario(played, watched) => {
                let pool = pool.await.context("the bot has no pool")?;
                let parts = Parts { sandbox, world: &world, scenario: played, story: &story, pool, news };
                scenario::play(parts.into(), *watched).await
            }
        }
    };
    let performance = async {
        let played = performance.await?;
        if report == Reporting::AtTheEnd {
            story.report(&sandbox.report(None))?;
        }
        Ok(played)
    };
    let signal = shutdown::signal();
    tokio::pin!(signal);
    let mut played = tokio::select! {
        // The bot never ends by itself but for a fault.
        ended = &mut bot => return Err(early_end(ended)),
        signal = &mut signal => Ok(Played::Interrupted(signal.to_owned())),
        played = performance => played.map(Played::Through),
    };
    if plan.stays() && matches!(played, Ok(Played::Through(_))) {
        // Whoever watches goes on, and what was judged still counts in the end.
        match print("\nThe page goes on: chat, break something. Stop with Ctrl-C.") {
            Ok(()) => tokio::select! {
                ended = &mut bot => return Err(early_end(ended)),
                _ = signal => {}
            },
            Err(failure) => played = Err(failure),
        }
    }
    stop.begin();
    tasks.begin();
    let ended = tokio::time::timeout(BOT_DRAIN, bot).await;
    outcome(plan, played, ended)
}

/// What the command's exit code tells.
fn outcome(plan: &Plan, played: Result<Played, Failure>, ended: BotEnd) -> Result<(), Failure> {
    match (played, ended) {
        (Err(failure), _) => Err(failure),
        (Ok(Played::Interrupted(signal)), _) if !plan.stays() => {
            Err(Failure::Failed(anyhow::anyhow!("interrupted by {signal}")))
        }
        (Ok(_), Ok(Ok(Err(error)))) => Err(Failure::Failed(error.into())),
        (Ok(_), Ok(Err(_)) | Err(_)) => Err(Failure::Failed(anyhow::anyhow!("the bot did not end in time"))),
        // Where nothing ends by itself, a signal is the way to end.
        (Ok(Played::Through(Answer::Finished) | Played::Interrupted(_)), Ok(Ok(Ok(())))) => Ok(()),
        (Ok(Played::Through(Answer::Failed)), Ok(Ok(Ok(())))) => Err(Failure::Shown),
    }
}

fn early_end(ended: Result<Result<(), AppError>, tokio::task::JoinError>) -> Failure {
    Failure::Failed(match ended {
        Ok(Ok(())) => anyhow::anyhow!("the bot ended by itself"),
        Ok(Err(error)) => anyhow::Error::new(error).context("the bot could not run"),
        Err(_) => anyhow::anyhow!("the bot broke down; see the log above"),
    })
}

async fn say(sandbox: &Sandbox, story: &Story, lines: &[String]) -> Result<Answer, Failure> {
    let mut failed = 0;
    for line in lines {
        match play::one(sandbox, story, line).await? {
            Answer::Finished => {}
            Answer::Failed => failed += 1,
        }
    }
    if failed == 0 {
        return Ok(Answer::Finished);
    }
    remark(&format!("{failed} of {} answers failed or did not come", lines.len()));
    Ok(Answer::Failed)
}

fn guide(sandbox: &Sandbox) -> String {
    let Endpoints { discord_api_base, bot_token, control, control_token, .. } = sandbox.endpoints();
    format!(
        "The bot is connected to an embedded Discord. Chat with it here:\n\
         \n  {page}\n\
         \n\
         Discord:      {discord_api_base}\n\
         Bot token:    {bot_token}\n\
         Control API:  {control}\n\
         its token:    {control_token}\n\
         \n\
         docs/sandbox.md shows what can be done and broken here. In the terminal: cortana sandbox --say \"hello\"\n\
         Stop with Ctrl-C.",
        page = sandbox.page(),
    )
}

/// The tools that the emulated models can be asked to call, once `/settings tools on` was said: our own, in a child process.
fn sample_tools() -> Option<ToolServer> {
    let program = crate::config::program()?;
    Some(ToolServer {
        name: "sample".to_owned(),
        command: program.to_string_lossy().into_owned(),
        args: vec!["sample-tools".to_owned()],
        env: Vec::new(),
        allow: ["now", "note", "notes"].map(str::to_owned).into(),
        writes: Vec::new(),
        timeout: Duration::from_secs(30),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_signal_ends_a_sandbox_that_stays_well() {
        let interrupted = || Ok(Played::Interrupted("SIGINT".to_owned()));
        let failed = Err(Failure::Failed(anyhow::anyhow!("the bot does not connect")));
        assert!(matches!(outcome(&Plan::Stay, failed, Ok(Ok(Ok(())))), Err(Failure::Failed(_))));
        assert!(outcome(&Plan::Stay, interrupted(), Ok(Ok(Ok(())))).is_ok());
        let lines = Plan::Lines(vec!["hello".to_owned()]);
        assert!(matches!(outcome(&lines, interrupted(), Ok(Ok(Ok(())))), Err(Failure::Failed(_))));
        let judged = Ok(Played::Through(Answer::Failed));
        assert!(matches!(outcome(&Plan::Stay, judged, Ok(Ok(Ok(())))), Err(Failure::Shown)));
    }
}
