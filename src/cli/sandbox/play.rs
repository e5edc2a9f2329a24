//! Plays a person in a channel and prints what a reader would see.

use std::time::Duration;

use super::Answer;
use crate::{
    cli::{failure::Failure, output::print},
    sandbox::{
        Sandbox,
        discord::{Id, Message},
    },
};

/// How long the bot may take to connect and register its commands.
const START: Duration = Duration::from_secs(20);

/// How long one answer may take: the bot's own deadline, and a long stream behind it.
const PATIENCE: Duration = Duration::from_mins(2);

/// After an answer looks finished, this long nothing more may be added to it.
const CALM: Duration = Duration::from_millis(250);

/// Waits until the bot is connected and its commands are there.
pub(super) async fn ready(sandbox: &Sandbox) -> Result<(), Failure> {
    let late = |what: &str| Failure::Failed(anyhow::anyhow!("{what} within {} s", START.as_secs()));
    sandbox.connected(START).await.map_err(|_| late("the bot did not connect"))?;
    sandbox.registered("settings", START).await.map_err(|_| late("the bot did not register its commands"))
}

/// Says one line, or uses it as a slash command, waits for the answer and prints both.
pub(super) async fn one(sandbox: &Sandbox, line: &str) -> Result<Answer, Failure> {
    let places = sandbox.discord().landmarks();
    let is_command = line.starts_with('/');
    let asked =
        if is_command { sandbox.slash(places.owner, places.channel, line) } else { sandbox.ask(line) };
    let shown = if is_command { line.to_owned() } else { format!("@Cortana {line}") };
    print(&said("You", &shown))?;
    let question = match asked {
        Ok(question) => question,
        Err(error) => {
            print(&said("Discord", &error.to_string()))?;
            return Ok(Answer::Failed);
        }
    };
    let Some(answers) = settled(sandbox, question).await else {
        for message in sandbox.answers(question) {
            print(&shown_message(sandbox, &message))?;
        }
        print(&said("Discord", &format!("(no finished answer within {} s)", PATIENCE.as_secs())))?;
        return Ok(Answer::Failed);
    };
    for message in &answers {
        print(&shown_message(sandbox, message))?;
    }
    Ok(if answers.iter().any(has_failed) { Answer::Failed } else { Answer::Finished })
}

/// The finished answers to a question; `None` when they did not come in time.
async fn settled(sandbox: &Sandbox, question: Id) -> Option<Vec<Message>> {
    let mut answers = sandbox.settled(question, PATIENCE, is_finished).await.ok()?;
    loop {
        // A long answer's next message may be on its way when the first looks finished.
        tokio::time::sleep(CALM).await;
        let later = sandbox.settled(question, PATIENCE, is_finished).await.ok()?;
        if later == answers {
            return Some(later);
        }
        answers = later;
    }
}

/// Whether nothing is being written any more: the stop button goes with the last edit.
fn is_finished(answers: &[Message]) -> bool {
    !answers.iter().any(|message| message.has_button("stop:"))
}

/// Whether a message is one of the bot's sentences about a failure (D20): a sign at a line's beginning, and small print
/// with the id that the log has; or a command's own mark of failure as the very first thing.
fn has_failed(message: &Message) -> bool {
    let text = message.text();
    let lines: Vec<&str> = text.lines().collect();
    let with_print = |pair: &[&str]| matches!(pair, [first, second] if first.starts_with("⚠️ ") && second.starts_with("-# "));
    lines.first().is_some_and(|first| first.starts_with("❌ ")) || lines.windows(2).any(with_print)
}

fn shown_message(sandbox: &Sandbox, message: &Message) -> String {
    let mut text = sandbox.readable(&message.text());
    for attachment in &message.attachments {
        text.push_str("\n[file] ");
        text.push_str(&attachment.filename);
    }
    let buttons: Vec<String> = message.buttons().iter().map(|button| format!("[{}]", button.label)).collect();
    if !buttons.is_empty() {
        text.push('\n');
        text.push_str(&buttons.join(" "));
    }
    said(if message.is_ephemeral() { "Cortana (only you see this)" } else { "Cortana" }, &text)
}

/// A message as it stands in a transcript: who, then the text, each line indented.
fn said(who: &str, text: &str) -> String {
    let indented: Vec<String> = text.lines().map(|line| format!("  {line}").trim_end().to_owned()).collect();
    format!("{who}:\n{}\n", indented.join("\n"))
}
