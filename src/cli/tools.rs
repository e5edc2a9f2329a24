//! `cortana tools`: the programs of `cortana.toml`, started once, with what they have and what of it models may call.

use std::time::Duration;

use serde::Serialize;

use super::{
    arguments::ToolsOptions,
    failure::Failure,
    one_shot,
    output::{print, print_json},
    verdict::Verdict,
};
use crate::{
    config::Settings,
    shutdown::Shutdown,
    tools::{Condition, Needs, Standing, ToolStanding, Tools},
};

/// How long the programs may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long they may take to end.
const FINISH: Duration = Duration::from_secs(5);

/// A program, as JSON shows it.
#[derive(Debug, Serialize)]
struct Shown {
    server: String,
    verdict: Verdict,
    /// Why it does not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    tools: Vec<ShownTool>,
    /// What is allowed and not there.
    missing: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ShownTool {
    name: String,
    description: String,
    allowed: bool,
    /// Whether each call waits for a person.
    writes: bool,
}

/// Starts every program, and ends it again once it has said what it has.
pub(super) async fn look(settings: &Settings) -> Vec<Standing> {
    let life = Shutdown::new();
    let tools = Tools::start(&settings.tools, &life);
    tools.settled(PATIENCE).await;
    let standings = tools.standings();
    life.drain(FINISH).await;
    standings
}

pub(super) async fn run(settings: &Settings, options: &ToolsOptions) -> Result<(), Failure> {
    one_shot::quiet_logs(settings);
    let shown: Vec<Shown> = look(settings).await.into_iter().map(shown).collect();
    if options.json {
        print_json(&shown)?;
    } else if shown.is_empty() {
        print(
            "No program with tools is configured: name one under [[tools.server]] in cortana.toml (docs/tools.md).",
        )?;
    } else {
        print(&lines(&shown))?;
    }
    if shown.iter().any(|server| server.verdict == Verdict::Fail) { Err(Failure::Shown) } else { Ok(()) }
}

fn shown(standing: Standing) -> Shown {
    let problem = problem(&standing.condition);
    let verdict = match (&problem, standing.missing.is_empty()) {
        (Some(_), _) => Verdict::Fail,
        (None, false) => Verdict::Warn,
        (None, true) => Verdict::Pass,
    };
    let tool = |tool: ToolStanding| ShownTool {
        name: tool.name,
        description: tool.description,
        allowed: tool.is_allowed,
        writes: tool.needs == Needs::Permission,
    };
    let tools = standing.tools.into_iter().map(tool).collect();
    Shown { server: standing.server, verdict, problem, tools, missing: standing.missing }
}

/// Why a program is of no use now.
pub(super) fn problem(condition: &Condition) -> Option<String> {
    match condition {
        Condition::Up => None,
        Condition::Starting => Some(format!("it did not answer within {} s", PATIENCE.as_secs())),
        Condition::Down(why) => Some(why.clone()),
    }
}

fn lines(shown: &[Shown]) -> String {
    let mut lines = Vec::new();
    for server in shown {
        let state = server
            .problem
            .as_ref()
            .map_or_else(|| "answers".to_owned(), |why| format!("does not run: {why}"));
        lines.push(format!("{} {} {state}", server.verdict.sign(), server.server));
        for tool in &server.tools {
            let may = match (tool.allowed, tool.writes) {
                (false, _) => "not allowed",
                (true, true) => "allowed, asks a person first",
                (true, false) => "allowed",
            };
            let about = tool.description.lines().next().unwrap_or_default();
            lines.push(format!("   {}  ({may})  {about}", tool.name));
        }
        for missing in &server.missing {
            lines.push(format!("   {missing}  is allowed, and the program has no such tool"));
        }
    }
    let plain = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    lines.join("\n").chars().map(plain).collect()
}
