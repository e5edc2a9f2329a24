//! `cortana sandbox`: the real bot against an embedded Discord and embedded providers.
//!
//! Nothing of this machine counts here: settings come from memory alone, files lie in a temporary folder, and the bot's
//! clients refuse everything but loopback ("where secrets may go").

mod panel;
mod play;
mod world;

use std::time::Duration;

use anyhow::Context as _;

use self::world::World;
use super::{
    arguments::SandboxOptions,
    failure::Failure,
    output::{print, remark},
};
use crate::{
    app::{self, AppError},
    pool::Pool,
    sandbox::{Endpoints, Sandbox},
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

pub(super) async fn run(options: &SandboxOptions) -> Result<(), Failure> {
    check(options)?;
    // A transcript is not interleaved with a log; what fails is in the transcript.
    let directives =
        if options.say.is_empty() && !options.serve_only { "info" } else { "error,serenity=error" };
    telemetry::init(LogFormat::Pretty, directives);

    let emulators = Shutdown::new();
    let sandbox = Sandbox::start(options.listen, &emulators)
        .await
        .with_context(|| format!("the sandbox cannot listen on {}", options.listen))?;
    let result =
        if options.serve_only { serve(&sandbox).await } else { with_bot(&sandbox, &options.say).await };
    emulators.drain(EMULATOR_DRAIN).await;
    result
}

/// Beyond this machine the emulators are served alone, and only on purpose: their control API steers everything.
fn check(options: &SandboxOptions) -> Result<(), Failure> {
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

/// Only the emulators, until a signal; one line of JSON says where.
async fn serve(sandbox: &Sandbox) -> Result<(), Failure> {
    let line =
        serde_json::to_string(&sandbox.endpoints()).context("the addresses cannot be written as JSON")?;
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

/// The emulators with the bot: plays the lines, or keeps running until a signal.
async fn with_bot(sandbox: &Sandbox, lines: &[String]) -> Result<(), Failure> {
    let world = World::new(sandbox)?;
    let settings = world.settings()?;
    let stop = Shutdown::new();
    let tasks = Shutdown::new();
    let (shown, life, accounts) = (sandbox.panel().clone(), tasks.clone(), world.accounts().clone());
    let observe = move |pool: &Pool| panel::observe(pool.clone(), shown, accounts, &life);
    let mut bot = tasks.spawn(app::run_observed(settings, stop.clone(), observe));

    let played = tokio::select! {
        // The bot never ends by itself but for a fault.
        ended = &mut bot => return Err(early_end(ended)),
        signal = shutdown::signal() => Err(Failure::Failed(anyhow::anyhow!("interrupted by {signal}"))),
        played = stay_or_play(sandbox, lines) => played,
    };
    stop.begin();
    tasks.begin();
    let ended = tokio::time::timeout(BOT_DRAIN, bot).await;
    match (played, ended) {
        // Without lines a signal is the way to end.
        (Err(Failure::Failed(_)), Ok(Ok(Ok(())))) if lines.is_empty() => Ok(()),
        (Err(failure), _) => Err(failure),
        (Ok(_), Ok(Ok(Err(error)))) => Err(Failure::Failed(error.into())),
        (Ok(_), Ok(Err(_)) | Err(_)) => Err(Failure::Failed(anyhow::anyhow!("the bot did not end in time"))),
        (Ok(Answer::Finished), Ok(Ok(Ok(())))) => Ok(()),
        (Ok(Answer::Failed), Ok(Ok(Ok(())))) => Err(Failure::Shown),
    }
}

fn early_end(ended: Result<Result<(), AppError>, tokio::task::JoinError>) -> Failure {
    Failure::Failed(match ended {
        Ok(Ok(())) => anyhow::anyhow!("the bot ended by itself"),
        Ok(Err(error)) => anyhow::Error::new(error).context("the bot could not run"),
        Err(_) => anyhow::anyhow!("the bot broke down; see the log above"),
    })
}

async fn stay_or_play(sandbox: &Sandbox, lines: &[String]) -> Result<Answer, Failure> {
    play::ready(sandbox).await?;
    if lines.is_empty() {
        print(&guide(sandbox))?;
        return std::future::pending().await;
    }
    let mut failed = 0;
    for line in lines {
        match play::one(sandbox, line).await? {
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
