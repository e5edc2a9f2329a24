//! `cortana doctor`: what would go wrong, each with its remedy. Sends nothing to Discord or any provider.

mod clock;
mod credentials;
mod files;
mod machine;

use serde::Serialize;

use super::{
    arguments::DoctorOptions,
    failure::Failure,
    one_shot,
    output::{print, print_json},
    tools,
    verdict::Verdict,
};
use crate::{
    config::Settings,
    pool,
    storage::{Health, OnDamage, Storage},
    tools::Standing,
};

/// One check's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// What was looked at: a word that stays the same from version to version.
    check: &'static str,
    /// Which one of them: a credential, a folder, an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    verdict: Verdict,
    /// What was found.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn pass(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, subject: None, verdict: Verdict::Pass, found: found.into(), remedy: None }
    }

    fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            check,
            subject: None,
            verdict: Verdict::Warn,
            found: found.into(),
            remedy: Some(remedy.into()).filter(|remedy| !remedy.is_empty()),
        }
    }

    fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(check, found, remedy) }
    }

    fn of(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}

/// All findings, as JSON shows them.
#[derive(Debug, Serialize)]
struct Report {
    findings: Vec<Finding>,
    warnings: usize,
    failures: usize,
}

pub(super) async fn run(settings: &Settings, options: &DoctorOptions) -> Result<(), Failure> {
    let mut findings = configuration(settings);
    findings.extend(files::folders(settings));
    // Before the pool loads: a load mends what it can, and that is worth a warning here.
    let store = one_shot::store(settings);
    let inventory = store.load(&pool::sources(&settings.pool));
    let snapshot = one_shot::with_pool(settings, async |pool| Ok(pool.snapshot())).await?;
    findings.extend(credentials::check(settings, &store, &inventory, &snapshot));
    findings.push(state_store(settings).await);
    findings.extend(programs(settings).await);
    findings.extend(clock::check(settings));
    findings.extend(machine::admin_address(settings.telemetry.admin_addr).await?);

    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (warnings, failures) = (count(Verdict::Warn), count(Verdict::Fail));
    let report = Report { findings, warnings, failures };
    if options.json {
        print_json(&report)?;
    } else {
        print(&lines(&report))?;
    }
    if failures > 0 { Err(Failure::Shown) } else { Ok(()) }
}

/// Whether the state store answers, can be written, and is of this version.
async fn state_store(settings: &Settings) -> Finding {
    const CHECK: &str = "state store";
    let health = async {
        let storage = Storage::open(&settings.storage, OnDamage::Report).await?;
        let health = storage.health().await;
        storage.close().await;
        health
    };
    match health.await {
        Ok(Health { kind, version }) => {
            Finding::pass(CHECK, format!("{kind} answers and can be written, migration {version}"))
        }
        Err(error) => Finding::fail(
            CHECK,
            error.to_string(),
            "the bot runs without it, but forgets cooldowns, counters and disabled credentials at each start",
        ),
    }
}

/// Whether the programs whose tools models may call run, and have what is allowed.
async fn programs(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "tools";
    let finding = |standing: Standing| {
        let found = match (tools::problem(&standing.condition), standing.missing.as_slice()) {
            (Some(why), _) => Finding::fail(
                CHECK,
                why,
                "correct its entry in cortana.toml; `cortana tools` starts it again",
            ),
            (None, []) => {
                let allowed = standing.tools.iter().filter(|tool| tool.is_allowed).count();
                Finding::pass(CHECK, format!("{allowed} of its {} tools allowed", standing.tools.len()))
            }
            (None, missing) => Finding::warn(
                CHECK,
                format!("it has no tool {}", missing.join(", ")),
                "correct `allow` in cortana.toml; `cortana tools` shows what it has",
            ),
        };
        found.of(standing.server)
    };
    tools::look(settings).await.into_iter().map(finding).collect()
}

fn configuration(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![Finding::pass("configuration", "every variable is well formed")];
    findings.extend(settings.warnings.iter().map(|warning| {
        Finding::warn(
            "configuration",
            warning,
            "correct or remove it; docs/configuration.md has every variable",
        )
    }));
    findings.push(match settings.require_discord_token() {
        Ok(_) => Finding::pass("discord token", "set"),
        Err(_) => Finding::fail(
            "discord token",
            "DISCORD_TOKEN is not set: `cortana run` cannot start",
            "make one at https://discord.com/developers/applications (Bot, Reset Token) and put it into .env; \
             `cortana sandbox` needs none",
        ),
    });
    findings
}

fn lines(report: &Report) -> String {
    let mut lines = Vec::new();
    for finding in &report.findings {
        let word = match finding.verdict {
            Verdict::Pass => "Pass",
            Verdict::Warn => "Warn",
            Verdict::Fail => "Fail",
        };
        let word = format!("{} {word}", finding.verdict.sign());
        let subject = finding.subject.as_ref().map_or_else(String::new, |subject| format!(" {subject}"));
        lines.push(format!("{word}  {}{subject}: {}", finding.check, finding.found));
        lines.extend(finding.remedy.iter().map(|remedy| format!("         → {remedy}")));
    }
    let Report { findings, warnings, failures } = report;
    lines.push(format!(
        "\n{}, {}, {}. Nothing was sent to Discord or any provider.",
        counted(findings.len(), "check"),
        counted(*warnings, "warning"),
        counted(*failures, "failure"),
    ));
    lines.join("\n")
}

fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
