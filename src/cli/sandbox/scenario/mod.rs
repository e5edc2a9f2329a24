//! `cortana sandbox --scenario`: plays a scenario against the real bot, tells what happens as it happens, and judges.

mod judge;
mod stage;

use std::{path::Path, time::Duration};

use self::stage::Stage;
use super::{Answer, story::Form, world::World};
use crate::{
    cli::{
        failure::Failure,
        output::{print, print_json},
    },
    clock::{Clock, SystemClock},
    config, fs,
    sandbox::{
        Sandbox,
        scenario::{self, Scenario, Wait},
    },
};

/// A scenario is a small file.
const LONGEST_FILE: u64 = 256 * 1024;

/// Somebody who watches on the page has to read a step before the next begins.
const BETWEEN_STEPS: Duration = Duration::from_secs(3);

/// Whether somebody watches on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    /// Nobody: as fast as it goes.
    Here,
    /// It begins when a page is open, and pauses between steps.
    OnThePage,
}

/// The scenario of this name, or in this file.
pub(super) fn choose(which: &str) -> Result<Scenario, Failure> {
    if let Some(found) = scenario::find(which) {
        return Ok(found);
    }
    let is_path =
        which.contains('/') || Path::new(which).extension().is_some_and(|extension| extension == "toml");
    if !is_path {
        let names = || scenario::embedded().map(|(name, _)| name);
        let near = config::nearest(which, names())
            .or_else(|| names().find(|name| name.contains(which)))
            .map_or_else(String::new, |near| format!("; did you mean {near}?"));
        return Err(Failure::Usage(format!(
            "there is no scenario {which}{near}\nThere are: {}.\nA path (./my.toml) plays a file of your own.",
            names().collect::<Vec<_>>().join(", ")
        )));
    }
    let text = fs::read_text(Path::new(which), LONGEST_FILE)
        .map_err(|error| Failure::Usage(format!("{which} cannot be read ({})", fs::problem(&error))))?;
    Scenario::read(which, &text).map_err(|mistake| Failure::Usage(mistake.to_string()))
}

/// Prints what there is.
pub(super) fn list(form: Form) -> Result<(), Failure> {
    let all: Vec<(&str, String)> =
        scenario::embedded().filter_map(|(name, _)| Some((name, scenario::find(name)?.title))).collect();
    if form == Form::Json {
        let all: Vec<_> =
            all.iter().map(|(name, title)| serde_json::json!({"name": name, "title": title})).collect();
        return print_json(&all);
    }
    let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines: Vec<String> = all.iter().map(|(name, title)| format!("  {name:width$}  {title}")).collect();
    print(&format!("{}\n\nPlay one: cortana sandbox --scenario NAME", lines.join("\n")))
}

/// Plays the steps; the bot is connected.
pub(super) async fn play(mut stage: Stage<'_>, watched: Watched) -> Result<Answer, Failure> {
    let scenario = stage.scenario;
    if watched == Watched::OnThePage {
        print(&format!("\nIt begins when this page is open:\n\n  {}\n", stage.sandbox.page()))?;
        stage.sandbox.panel().watched().await;
    }
    let (mut held, mut failed) = (0, 0);
    for step in &scenario.steps {
        if watched == Watched::OnThePage {
            stage.during(tokio::time::sleep(BETWEEN_STEPS)).await?;
        }
        if let Some(text) = &step.tell {
            stage.story.step(text)?;
            stage.sandbox.panel().note(SystemClock.now().timestamp_millis(), format!("▸ {text}"));
        }
        for deed in &step.deeds {
            stage.carry_out(deed).await?;
        }
        if let Some(said) = &step.said {
            stage.say(said)?;
        }
        match step.wait {
            Wait::Nothing => {}
            Wait::FirstText => stage.until_text().await?,
            Wait::Answer => stage.until_answered().await?,
        }
        for expectation in &step.expect {
            let found = stage.judge(expectation).await?;
            let text = judge::described(expectation);
            stage.story.judged(&text, found.as_deref())?;
            if found.is_none() { held += 1 } else { failed += 1 }
        }
    }
    stage.story.end(held, failed)?;
    Ok(if failed == 0 { Answer::Finished } else { Answer::Failed })
}

/// Lets go wrong what goes wrong before the bot starts.
pub(super) async fn prepare(sandbox: &Sandbox, world: &World, scenario: &Scenario) -> Result<(), Failure> {
    for deed in &scenario.before {
        stage::carry_out(sandbox, world, scenario, deed).await?;
    }
    Ok(())
}

pub(super) use stage::Parts;
