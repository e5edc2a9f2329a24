//! Tells what happens in the sandbox, as lines for people or as one JSON event a line.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    cli::{failure::Failure, output::print},
    clock,
    sandbox::{Report, Sandbox, discord::Message},
};

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For people: who said what.
    Transcript,
    /// For people: everything, with the time since the beginning.
    Timed,
    /// For programs.
    Json,
}

/// Whoever tells.
#[derive(Debug)]
pub(super) struct Story {
    form: Form,
    began_at: Instant,
}

impl Story {
    /// Begins now.
    pub(super) fn begin(form: Form) -> Self {
        Self { form, began_at: clock::instant() }
    }

    /// What is played, before it begins.
    pub(super) fn title(&self, title: &str, about: &str) -> Result<(), Failure> {
        match self.form {
            Form::Json => self.event("scenario", &json!({"title": title, "about": about})),
            Form::Transcript | Form::Timed => {
                let about: Vec<String> =
                    about.lines().map(|line| format!("  {line}").trim_end().to_owned()).collect();
                print(&format!("{title}\n\n{}", about.join("\n")))
            }
        }
    }

    /// The sentence of a step.
    pub(super) fn step(&self, text: &str) -> Result<(), Failure> {
        match self.form {
            Form::Json => self.event("step", &json!({ "text": text })),
            Form::Transcript | Form::Timed => print(&format!("\n{}", self.timed("▸", text))),
        }
    }

    /// Somebody says something, or Discord does.
    pub(super) fn said(&self, who: &str, text: &str) -> Result<(), Failure> {
        match self.form {
            Form::Json => self.event("said", &json!({"who": who, "text": text})),
            Form::Transcript => print(&format!("{who}:\n{}\n", indented(text, "  "))),
            Form::Timed => print(&self.timed(" ", &format!("{who}: {text}"))),
        }
    }

    /// A message of the bot's, as a reader sees it now.
    pub(super) fn answer(&self, sandbox: &Sandbox, message: &Message) -> Result<(), Failure> {
        let who = if message.is_ephemeral() { "Cortana (only you see this)" } else { "Cortana" };
        self.said(who, &shown(sandbox, message))
    }

    /// Something that the pool or a provider did.
    pub(super) fn happened(&self, whose: Whose, text: &str) -> Result<(), Failure> {
        match self.form {
            Form::Json => self.event(whose.name(), &json!({ "text": text })),
            Form::Transcript | Form::Timed => print(&self.timed("·", &format!("{}: {text}", whose.name()))),
        }
    }

    /// Whether something held that was expected, and what was found where it did not.
    pub(super) fn judged(&self, text: &str, found: Option<&str>) -> Result<(), Failure> {
        match (self.form, found) {
            (Form::Json, found) => {
                self.event("expectation", &json!({"text": text, "held": found.is_none(), "found": found}))
            }
            (Form::Transcript | Form::Timed, None) => print(&self.timed("✓", text)),
            (Form::Transcript | Form::Timed, Some(found)) => {
                print(&self.timed("✗", &format!("{text}; {found}")))
            }
        }
    }

    /// What held in the end.
    pub(super) fn end(&self, held: usize, failed: usize) -> Result<(), Failure> {
        match (self.form, failed) {
            (Form::Json, _) => self.event("end", &json!({"held": held, "failed": failed})),
            (Form::Transcript | Form::Timed, 0) => print(&format!("\n✓ All {held} expectations held.")),
            (Form::Transcript | Form::Timed, _) => {
                print(&format!("\n✗ {failed} of {} expectations did not hold.", held + failed))
            }
        }
    }

    /// How fresh the answers were.
    pub(super) fn report(&self, report: &Report) -> Result<(), Failure> {
        match self.form {
            Form::Json => self.event("report", &json!({ "report": report })),
            Form::Transcript | Form::Timed => print(&format!("\n{report}")),
        }
    }

    /// One JSON event, with its time.
    fn event(&self, kind: &str, more: &Value) -> Result<(), Failure> {
        let mut event = json!({"at_ms": millis(self.began_at.elapsed()), "event": kind});
        if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
            event.extend(more.clone());
        }
        print(&event.to_string())
    }

    /// `  1.2 s  ✓ …`, further lines below the text.
    fn timed(&self, sign: &str, text: &str) -> String {
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let seconds = self.began_at.elapsed().as_secs_f64();
        let rest = lines.collect::<Vec<_>>().join("\n");
        let rest = if rest.is_empty() { rest } else { format!("\n{}", indented(&rest, "            ")) };
        format!("{seconds:6.1} s  {sign} {first}{rest}").trim_end().to_owned()
    }
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The bot's pool of credentials.
    Pool,
    /// An emulated provider.
    Provider,
}

impl Whose {
    fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Provider => "provider",
        }
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn indented(text: &str, by: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("{by}{line}").trim_end().to_owned()).collect();
    lines.join("\n")
}

/// A message as it stands in a transcript.
fn shown(sandbox: &Sandbox, message: &Message) -> String {
    let mut text = sandbox.readable(&message.text());
    for attachment in &message.attachments {
        text.push_str("\n[file] ");
        text.push_str(&attachment.filename);
    }
    for menu in message.menus() {
        text.push('\n');
        text.push_str(&menu.shown());
    }
    let buttons: Vec<String> = message.buttons().iter().map(|button| format!("[{}]", button.label)).collect();
    if !buttons.is_empty() {
        text.push('\n');
        text.push_str(&buttons.join(" "));
    }
    text
}
