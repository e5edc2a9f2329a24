//! What can be called, and the help that teaches it.
#![expect(clippy::doc_markdown, reason = "these comments are the help, where backticks would show")]

mod hf;

#[cfg(feature = "sandbox")]
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

pub(super) use self::hf::HfCommand;
#[cfg(feature = "hub")]
pub(super) use self::hf::{PullOptions, SearchOptions};
use crate::provider::ProviderId;

/// `cortana`, as it is called.
#[derive(Debug, Parser)]
#[command(
    name = "cortana",
    version,
    about = "A Discord chat bot with a rotating pool of language-model credentials",
    after_help = EXAMPLES,
    disable_help_subcommand = true
)]
pub(super) struct Arguments {
    /// Read variables from this file instead of .env; those of the process win over it
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) env_file: Option<PathBuf>,

    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  cortana sandbox --say \"hello\"              try it: needs no account, no token
  cortana login gemini_cli                   log in, in a browser
  cortana import ~/.gemini/oauth_creds.json  bring a login into the credentials folder
  cortana doctor                             check everything before the start
  cortana                                    run the bot
  cortana status                             every credential with its state
  cortana refresh gemini_cli                 refresh its logins now
  curl -H \"Authorization: Bearer $(cortana token qwen_code)\" …

Configuration: the environment over .env; see .env.example, docs/configuration.md

Exit codes:
  0  success
  1  failure: a refresh was refused, a check failed, the bot ended with an error
  2  a mistake in the configuration or in the call; nothing was started";

/// The commands; without one, `run`.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the bot (the default)
    ///
    /// Needs DISCORD_TOKEN. Starts without credentials too, and says so when somebody asks. Ends on SIGTERM or Ctrl-C:
    /// answers that are being written are finished with a note.
    Run,
    /// Show every credential: state and expiry
    ///
    /// Reads the same files, lock files and state store as the running bot and sends nothing. What the bot did in the last
    /// second may be missing.
    Status(StatusOptions),
    /// Look at one credential, take it out of service and back, end its rest, send a refused token once more
    ///
    /// A credential is named by its id, the beginning of its id (3 characters or more), or its file. A running bot that
    /// shares the state store (DATABASE_URL) follows within two seconds.
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Refresh credentials now
    ///
    /// Takes the same lock as the running bot, so that a login is never refreshed twice at once.
    #[command(after_help = REFRESH_EXAMPLES)]
    Refresh(RefreshOptions),
    /// Print a valid access token, for scripts
    ///
    /// Prints the token alone, refreshed first if need be. Treat it like a password: it is not shown anywhere else.
    #[command(after_help = TOKEN_EXAMPLES)]
    Token(TokenOptions),
    /// Log in at a provider, and keep the login in the credentials folder
    ///
    /// Opens the provider's page in your browser and waits, five minutes at most, until it comes back to this machine with
    /// a code. --no-browser is for a machine without one: open the address anywhere and paste what the browser shows in
    /// the end. --device is for providers that take a code on any device; one that takes nothing else needs no --device.
    /// A login of an account that is there already takes the place of the earlier one. A running bot has it within two
    /// seconds.
    #[command(after_help = LOGIN_EXAMPLES)]
    Login(LoginOptions),
    /// End a login at its provider and remove its file
    ///
    /// Asks first. The login ends for other programs that share it too. A link to another program's file is left alone, and
    /// what to do instead is said. Where the provider does not answer, nothing is removed.
    #[command(after_help = LOGOUT_EXAMPLES)]
    Logout(LogoutOptions),
    /// Bring a credential file into the credentials folder
    ///
    /// The file is checked first. A login whose refresh token changes with each refresh is linked, not copied, because
    /// the first refresh of a copy would log the other program out; --copy copies all the same.
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportOptions),
    /// Ask the running bot to read its configuration again
    ///
    /// It reads .env and cortana.toml again; SIGHUP does the same, and so does a change of these files. Answers that are
    /// being written go on as they began. A mistake changes nothing, is printed here and exits 1. The bot is asked over the
    /// state store (DATABASE_URL).
    Reload(ReloadOptions),
    /// List the models that can be chosen, with what is known of them
    ///
    /// Shows what the providers with credentials offer: their rows, and what they listed when they were asked last; asks nobody.
    /// --refresh asks each of them now, with one of its credentials, and keeps the lists in STATE_DIR.
    Models(ModelsOptions),
    /// Show the programs whose tools models may call: what each has, what is allowed, what asks first
    ///
    /// Starts the programs that cortana.toml names under [[tools.server]], asks them for their tools and ends them again. Exits
    /// 1 when one does not run.
    Tools(ToolsOptions),
    /// Look at one provider
    #[command(subcommand)]
    Provider(ProviderCommand),
    /// Ask the running bot whether it is alive; for containers
    ///
    /// Asks /live on ADMIN_ADDR and exits 0 or 1.
    Health,
    /// Write the text of the PDF on standard input to standard output; the bot calls this, within bounds of memory and time
    #[command(hide = true)]
    PdfText,
    /// A small program with tools, to try `[[tools.server]]` with
    #[cfg(feature = "sandbox")]
    #[command(hide = true)]
    SampleTools,
    /// Check permissions, expiry, clients, clock and more, each with a remedy
    ///
    /// Sends nothing to Discord or any provider. Exits 1 when a check failed; warnings alone exit 0.
    Doctor(DoctorOptions),
    /// Search Hugging Face's hub for GGUF models, and fetch their files
    ///
    /// Needs a build with `--features hub`. HF_TOKEN is for gated and private models; docs/local-models.md leads from a
    /// file to the bot answering through llama.cpp.
    #[command(subcommand)]
    Hf(HfCommand),
    /// The whole bot against an embedded Discord and embedded providers
    ///
    /// Needs no account, reads nothing of this machine's configuration or credentials, and reaches nothing but this
    /// machine. The bot inside is the real one, over real sockets and real files in a temporary folder.
    #[cfg(feature = "sandbox")]
    #[command(after_help = SANDBOX_EXAMPLES)]
    Sandbox(SandboxOptions),
}

const REFRESH_EXAMPLES: &str = "\
Examples:
  cortana refresh gemini_cli        every enabled login of a provider
  cortana refresh 3f9a              one credential, by the beginning of its id
  cortana refresh oauth_creds.json  one credential, by its file";

const TOKEN_EXAMPLES: &str = "\
Examples:
  TOKEN=$(cortana token gemini_cli)
  curl -H \"Authorization: Bearer $(cortana token qwen_code)\" …";

const LOGIN_EXAMPLES: &str = "\
Examples:
  cortana login gemini_cli               in the browser of this machine
  cortana login antigravity --no-browser over SSH: the address is pasted back
  cortana login qwen_code                by a code, since it has nothing else
  cortana login huggingface --device --name work --json";

const LOGOUT_EXAMPLES: &str = "\
Examples:
  cortana logout 3f9a                    by the beginning of its id
  cortana logout gemini_cli-1a2b3c4d.json --yes";

const IMPORT_EXAMPLES: &str = "\
Examples:
  cortana import ~/.gemini/oauth_creds.json
  cortana import ~/.qwen/oauth_creds.json
  cortana import ./token.json --provider iflow  where the content does not tell";

#[cfg(feature = "sandbox")]
const SANDBOX_EXAMPLES: &str = "\
Examples:
  cortana sandbox --say \"hello\" --say \"/settings oauth-status\"
      say each as a person in a channel and print the transcript;
      exits 0 when every answer is finished, 1 when one failed;
      a word like @cat.png attaches that file
  cortana sandbox --scenario list
  cortana sandbox --scenario one-key-throttled
      play what goes wrong and explain what happens; exits 1 when
      something did not hold that should
  cortana sandbox
      keep running and say where to connect
  cortana sandbox --serve-only
      only the emulators; prints one JSON line (docs/sandbox.md)";

/// Options of `status`.
#[derive(Debug, Args)]
pub(super) struct StatusOptions {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(super) json: bool,
    /// Ask the providers that say so what is left of each login's quota (Gemini CLI, Antigravity)
    ///
    /// One request for each login that is ready, in 15 seconds at most; it uses no quota. Other commands send nothing.
    #[arg(long)]
    pub(super) quota: bool,
    /// Show the links under which the owner of a refused account verifies it or appeals
    ///
    /// A link is bound to its account: open it as its owner, and show it to nobody else.
    #[arg(long, conflicts_with = "json")]
    pub(super) links: bool,
}

/// What can be done to one credential.
#[derive(Debug, Subcommand)]
pub(super) enum CredentialCommand {
    /// Every credential, as `cortana status`
    List(StatusOptions),
    /// Everything about one
    Show {
        /// Which
        #[arg(value_name = "CREDENTIAL")]
        which: String,
        /// Print JSON instead of lines
        #[arg(long)]
        json: bool,
    },
    /// Take it out of service until it is enabled; requests under way finish
    Disable {
        /// Which
        #[arg(value_name = "CREDENTIAL")]
        which: String,
        /// Why; shown with its state
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Put it back into service; lifts a refusal by the service too
    Enable {
        /// Which
        #[arg(value_name = "CREDENTIAL")]
        which: String,
    },
    /// End its rests, of the whole and by model
    ClearCooldown {
        /// Which
        #[arg(value_name = "CREDENTIAL")]
        which: String,
    },
    /// Send a refresh token once more that was refused; asks first
    Retry {
        /// Which
        #[arg(value_name = "CREDENTIAL")]
        which: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// What can be done with a provider.
#[derive(Debug, Subcommand)]
pub(super) enum ProviderCommand {
    /// Walk everything that a chat needs: credentials, refresh, list of models, one chat
    ///
    /// Sends real requests with your credentials: one refresh for each login, one list, one short chat. Exits 1 when a step
    /// failed; warnings alone exit 0.
    #[command(after_help = PROVIDER_EXAMPLES)]
    Check {
        /// The provider's id
        #[arg(value_name = "PROVIDER")]
        which: ProviderId,
        /// Chat with this model instead of the default one
        #[arg(long, value_name = "MODEL")]
        model: Option<String>,
        /// Print JSON instead of lines
        #[arg(long)]
        json: bool,
    },
}

const PROVIDER_EXAMPLES: &str = "\
Examples:
  cortana provider check openai
  cortana provider check acme --model acme-small --json";

/// Options of `models`.
#[derive(Debug, Args)]
pub(super) struct ModelsOptions {
    /// Only this provider's, with or without a credential
    #[arg(value_name = "PROVIDER")]
    pub(super) which: Option<ProviderId>,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(super) json: bool,

    /// Ask the providers for their lists now; exits 1 when one could not be read
    #[arg(long)]
    pub(super) refresh: bool,
}

/// Options of `tools`.
#[derive(Debug, Args)]
pub(super) struct ToolsOptions {
    /// Print JSON instead of lines
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `refresh`.
#[derive(Debug, Args)]
pub(super) struct RefreshOptions {
    /// A provider, or one credential by its id, the beginning of its id (3 characters or more), or its file
    #[arg(value_name = "PROVIDER|CREDENTIAL")]
    pub(super) which: String,

    /// Send a refresh token once more that was refused before
    #[arg(long)]
    pub(super) retry_refused: bool,
}

/// Options of `token`.
#[derive(Debug, Args)]
pub(super) struct TokenOptions {
    /// A provider, or one credential by its id, the beginning of its id (3 characters or more), or its file
    #[arg(value_name = "PROVIDER|CREDENTIAL")]
    pub(super) which: String,
}

/// Options of `login`.
#[derive(Debug, Args)]
pub(super) struct LoginOptions {
    /// The provider's id, also of an own one of cortana.toml
    #[arg(value_name = "PROVIDER")]
    pub(super) provider: ProviderId,

    /// Confirm a code on any device instead of coming back to this machine
    #[arg(long)]
    pub(super) device: bool,

    /// Open no browser; the address that it ends at is pasted
    #[arg(long)]
    pub(super) no_browser: bool,

    /// Call the file PROVIDER-NAME.json, not after a hash
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,

    /// Print JSON instead of lines; what you are asked to do goes to standard error
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `logout`.
#[derive(Debug, Args)]
pub(super) struct LogoutOptions {
    /// The credential, by its id, the beginning of its id (3 characters or more), or its file
    #[arg(value_name = "CREDENTIAL")]
    pub(super) which: String,

    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,

    /// Remove the file without telling the provider
    #[arg(long)]
    pub(super) no_revoke: bool,
}

/// Options of `import`.
#[derive(Debug, Args)]
pub(super) struct ImportOptions {
    /// The credential file, in any notation that docs/credentials describes
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,

    /// Whose it is, where content and name do not say
    #[arg(long, value_name = "PROVIDER")]
    pub(super) provider: Option<ProviderId>,

    /// Copy also where a link is safer
    #[arg(long)]
    pub(super) copy: bool,
}

/// Options of `reload`.
#[derive(Debug, Args)]
pub(super) struct ReloadOptions {
    /// Print JSON instead of a sentence
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorOptions {
    /// Print JSON instead of lines
    #[arg(long)]
    pub(super) json: bool,
}

/// Options of `sandbox`.
#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub(super) struct SandboxOptions {
    /// Say this as a person in a channel; a text that begins with `/` is a slash command. May be repeated
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(super) say: Vec<String>,

    /// Play a scenario and explain what happens; `list` names those that come along, a path plays your own
    #[arg(long, value_name = "NAME|FILE", conflicts_with_all = ["say", "serve_only"])]
    pub(super) scenario: Option<String>,

    /// Watch the scenario on the page: it begins when the page is open, and the sandbox stays
    #[arg(long, requires = "scenario", conflicts_with = "json")]
    pub(super) page: bool,

    /// Print one JSON event a line
    #[arg(long, conflicts_with = "serve_only")]
    pub(super) json: bool,

    /// In the end, say how fresh the text of the answers was, with edits and 429s
    #[arg(long, conflicts_with_all = ["serve_only", "page"])]
    pub(super) report: bool,

    /// Let the people and their server speak this language, as Discord names it: de
    #[arg(long, value_name = "LOCALE")]
    pub(super) language: Option<String>,

    /// Run only the emulators and print one JSON line with their addresses
    #[arg(long, conflicts_with = "say")]
    pub(super) serve_only: bool,

    /// Answer for discord.com by TLS as well; the line says where, and which authority (DER in Base64) to trust
    #[arg(long, requires = "serve_only")]
    pub(super) tls: bool,

    /// Where the emulators listen; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,

    /// Allow --listen beyond this machine: whoever reaches it can read and steer everything in the sandbox
    #[arg(long)]
    pub(super) i_know: bool,
}

/// The names of all subcommands, for documents that list them.
pub fn subcommands() -> Vec<String> {
    let command = Arguments::command();
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    shown.map(|command| command.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn nothing_said_runs_the_bot() {
        let arguments = Arguments::try_parse_from(["cortana"]).expect("no command is a call");
        assert!(arguments.command.is_none());
    }
}
