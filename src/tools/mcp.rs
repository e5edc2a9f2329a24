//! The Model Context Protocol, spoken to a child process over its standard input and output.

use std::{process::Stdio, time::Duration};

use rmcp::{
    Peer, RoleClient, ServiceError,
    model::{CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ResourceContents},
    serve_client,
    transport::async_rw::AsyncRwTransport,
};
use serde_json::{Map, Value};
use tokio::{process::Command, time::timeout};

use super::{CallError, stderr};
use crate::config::ToolServer;

/// How long a program may take to answer for the first time, and to list its tools: `npx` may be fetching it.
const PATIENCE: Duration = Duration::from_mins(1);
/// Bytes of one message of a program; a longer one is dropped.
const LONGEST_MESSAGE: usize = 4 << 20;
/// Tools that are read of a program's list.
const MOST_TOOLS: usize = 512;

/// A tool that a program has.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The program's own name for it.
    pub(super) name: String,
    /// What the program says about it.
    pub(super) description: String,
    /// A JSON Schema of its arguments.
    pub(super) schema: Map<String, Value>,
    /// Its annotations say that it changes something. That they say the opposite proves nothing.
    pub(super) says_it_writes: bool,
}

/// A connection with a program.
#[derive(Debug)]
pub(super) struct Session(Peer<RoleClient>);

impl Session {
    /// Makes a call. Dropping the future tells the program that nobody waits any more.
    pub(super) async fn call(&self, name: &str, arguments: Map<String, Value>) -> Result<String, CallError> {
        let params = CallToolRequestParams::new(name.to_owned()).with_arguments(arguments);
        match self.0.call_tool_once(params).await {
            Ok(CallToolResponse::Complete(result)) if result.is_error == Some(true) => {
                Err(CallError::Failed(text_of(&result)))
            }
            Ok(CallToolResponse::Complete(result)) => Ok(text_of(&result)),
            // It wants to ask a person something, or to be asked again later: nothing that a chat could do.
            Ok(_) => Err(CallError::Failed("(The tool wants more than a call.)".to_owned())),
            Err(ServiceError::McpError(error)) => Err(CallError::Refused(error.message.into_owned())),
            Err(_) => Err(CallError::Away),
        }
    }
}

/// What a model reads of a result: text alone.
fn text_of(result: &CallToolResult) -> String {
    let of_block = |block: &ContentBlock| match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => format!("(A picture, {}, that you cannot see.)", image.mime_type),
        ContentBlock::Audio(audio) => format!("(A sound, {}, that you cannot hear.)", audio.mime_type),
        ContentBlock::Resource(embedded) => match &embedded.resource {
            ResourceContents::TextResourceContents { text, .. } => text.clone(),
            ResourceContents::BlobResourceContents { .. } | _ => "(A file that is no text.)".to_owned(),
        },
        ContentBlock::ResourceLink(link) => format!("({}: {})", link.name, link.uri),
        _ => "(Something that is no text.)".to_owned(),
    };
    let texts: Vec<String> = result.content.iter().map(of_block).collect();
    match &result.structured_content {
        Some(structured) if texts.is_empty() => structured.to_string(),
        Some(_) | None => texts.join("\n"),
    }
}

/// Why a program does not run any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Problem {
    /// The system does not start it.
    #[error(
        "it cannot be started ({0}): `command` has to be a path, or a name that is found in the PATH that `env` names"
    )]
    Start(std::io::ErrorKind),
    /// It does not speak the protocol.
    #[error("it does not answer as the Model Context Protocol wants")]
    Handshake,
    /// It took too long.
    #[error("it did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// It has ended, where the system says so with this code.
    #[error("it has ended{}", .0.map_or_else(String::new, |code| format!(" (exit code {code})")))]
    Ended(Option<i32>),
}

/// The processes that a program consists of. They end with this value, whatever they do.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) =
            self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
            && let Err(error) = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL)
        {
            // As a rule because nobody is left.
            tracing::trace!(error = %error.kind(), "A program's processes could not be ended");
        }
    }
}

/// Runs a program for as long as it lives and this future does; `up` is told of its tools once it answers.
pub(super) async fn live(settings: &ToolServer, up: impl FnOnce(Session, Vec<Found>)) -> Problem {
    let mut command = Command::new(&settings.command);
    command.args(&settings.args).env_clear();
    command.envs(settings.env.iter().map(|(name, value)| (name, value.expose())));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    #[cfg(unix)]
    command.process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Problem::Start(error.kind()),
    };
    // Its number is free once it is waited for and nobody of its group is left: the group is ended right then.
    let group = Group(child.id());
    let (Some(input), Some(output), Some(told)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Problem::Handshake;
    };
    let transport = AsyncRwTransport::new(output, input).with_max_line_length(LONGEST_MESSAGE);
    let talk = async {
        let connected = match timeout(PATIENCE, serve_client((), transport)).await {
            Ok(Ok(connected)) => connected,
            Ok(Err(_)) => return Problem::Handshake,
            Err(_) => return Problem::Silent(PATIENCE),
        };
        let tools = match timeout(PATIENCE, connected.list_all_tools()).await {
            Ok(Ok(tools)) => tools,
            Ok(Err(_)) => return Problem::Handshake,
            Err(_) => return Problem::Silent(PATIENCE),
        };
        up(Session(connected.peer().clone()), tools.into_iter().take(MOST_TOOLS).map(found).collect());
        drop(connected.waiting().await);
        Problem::Ended(None)
    };
    let problem = tokio::select! {
        problem = talk => problem,
        // What it started may still hold its output.
        ended = child.wait() => Problem::Ended(ended.ok().and_then(|status| status.code())),
        never = stderr::tell(settings, told) => match never {},
    };
    drop(group);
    drop(child.wait().await);
    problem
}

fn found(tool: rmcp::model::Tool) -> Found {
    let says_it_writes = tool
        .annotations
        .as_ref()
        .is_some_and(|said| said.read_only_hint == Some(false) || said.destructive_hint == Some(true));
    Found {
        name: tool.name.into_owned(),
        description: tool.description.unwrap_or_default().into_owned(),
        schema: Map::clone(&tool.input_schema),
        says_it_writes,
    }
}
