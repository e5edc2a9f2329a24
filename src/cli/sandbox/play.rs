//! Plays a person in a channel and tells what a reader would see.

use std::{path::Path, time::Duration};

use super::{Answer, story::Story};
use crate::{
    cli::failure::Failure,
    sandbox::{
        File, Sandbox, ScriptError,
        discord::{Id, Message},
    },
};

/// How long the bot may take to connect and register its commands.
const START: Duration = Duration::from_secs(20);

/// How long one answer may take: the bot's own deadline, and a long stream behind it.
pub(super) const PATIENCE: Duration = Duration::from_mins(2);

/// After an answer looks finished, this long nothing more may be added to it.
const CALM: Duration = Duration::from_millis(250);

/// Waits until the bot is connected and its commands are there.
pub(super) async fn ready(sandbox: &Sandbox) -> Result<(), Failure> {
    let late = |what: &str| Failure::Failed(anyhow::anyhow!("{what} within {} s", START.as_secs()));
    sandbox.connected(START).await.map_err(|_| late("the bot did not connect"))?;
    sandbox.registered("settings", START).await.map_err(|_| late("the bot did not register its commands"))
}

/// Says a line in a channel, or uses it as a slash command: the id of the question, and the line as it looks.
pub(super) fn ask(sandbox: &Sandbox, user: Id, channel: Id, line: &str) -> (Result<Id, ScriptError>, String) {
    if line.starts_with('/') {
        return (sandbox.slash(user, channel, line), line.to_owned());
    }
    let text = format!("{} {line}", sandbox.mention());
    (sandbox.say(channel, user, &text), format!("@Cortana {line}"))
}

/// A line without its words like `@picture.png`, and the files that they name. A word without a dot or a slash names somebody.
fn attached(line: &str) -> Result<(String, Vec<File>), Failure> {
    if line.starts_with('/') {
        return Ok((line.to_owned(), Vec::new()));
    }
    let (mut words, mut files) = (Vec::new(), Vec::new());
    for word in line.split(' ') {
        let Some(path) = word.strip_prefix('@').filter(|path| path.contains(['.', '/'])) else {
            words.push(word);
            continue;
        };
        let bytes = std::fs::read(path)
            .map_err(|error| Failure::Failed(anyhow::anyhow!("cannot attach {path}: {error}")))?;
        let filename = Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        // What a file is, its reader finds out by itself.
        files.push(File { filename, content_type: None, bytes: bytes.into() });
    }
    Ok((words.join(" ").trim().to_owned(), files))
}

/// Says one line as the owner, waits for the answer and tells both.
pub(super) async fn one(sandbox: &Sandbox, story: &Story, line: &str) -> Result<Answer, Failure> {
    let places = sandbox.discord().landmarks();
    let (line, files) = attached(line)?;
    let (asked, shown) = if files.is_empty() {
        ask(sandbox, places.owner, places.channel, &line)
    } else {
        let text = format!("{} {line}", sandbox.mention());
        let mut shown = vec![format!("@Cortana {line}")];
        shown.extend(files.iter().map(|file| format!("[file] {}", file.filename)));
        let asked = sandbox.say_with(places.channel, places.owner, &text, None, files);
        (asked, shown.join("\n"))
    };
    story.said("You", &shown)?;
    let question = match asked {
        Ok(question) => question,
        Err(error) => {
            story.said("Discord", &error.to_string())?;
            return Ok(Answer::Failed);
        }
    };
    let answers = tokio::select! {
        answers = settled(sandbox, question) => answers,
        // A form waits for whoever fills it in, which a line of text cannot.
        form = sandbox.wait_for(2 * PATIENCE, |sandbox| sandbox.form(question)) => {
            story.said("Cortana (a form to fill in)", &form.unwrap_or_default())?;
            return Ok(Answer::Finished);
        }
    };
    let Some(answers) = answers else {
        for message in sandbox.answers(question) {
            story.answer(sandbox, &message)?;
        }
        story.said("Discord", &format!("(no finished answer within {} s)", PATIENCE.as_secs()))?;
        return Ok(Answer::Failed);
    };
    for message in &answers {
        story.answer(sandbox, message)?;
    }
    Ok(if answers.iter().any(has_failed) { Answer::Failed } else { Answer::Finished })
}

/// The finished answers to a question; `None` when they did not come in time.
pub(super) async fn settled(sandbox: &Sandbox, question: Id) -> Option<Vec<Message>> {
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
pub(super) fn has_failed(message: &Message) -> bool {
    let text = message.text();
    let lines: Vec<&str> = text.lines().collect();
    let with_print = |pair: &[&str]| matches!(pair, [first, second] if first.starts_with("⚠️ ") && second.starts_with("-# "));
    lines.first().is_some_and(|first| first.starts_with("❌ ")) || lines.windows(2).any(with_print)
}
