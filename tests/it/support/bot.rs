//! The real bot in this process, on an emulated Discord and emulated providers over real sockets.

use std::{path::Path, time::Duration};

use cortana::{
    app::{self, AppError},
    config::{self, MapSource},
    http::StandIn,
    sandbox::{
        Sandbox, TLS_NAMES, Tls,
        discord::{Id, Message},
        vendor::Vendors,
    },
    shutdown::Shutdown,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::contract::{Asker, Judged};

/// Long enough for a busy machine; nothing waits for it when all is well.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// Processes that start one after the other are further apart than a gateway's identifies have to be.
pub(crate) const BETWEEN_STARTS: Duration = Duration::from_secs(5);

/// An emulated world and the folder in which a bot keeps its credentials.
pub(crate) struct World {
    /// The emulated Discord and providers.
    pub(crate) sandbox: Sandbox,
    /// Outlives the bots.
    life: Shutdown,
    home: TempDir,
    variables: Vec<(String, String)>,
    /// The text of `cortana.toml`.
    document: String,
    /// Where Discord's own names lead, when they do.
    tls: Option<Tls>,
    /// Holds whatever the bots ask of Discord to the published document.
    _judge: Judged,
}

/// A bot in a world.
pub(crate) struct Bot {
    /// Its world.
    pub(crate) world: World,
    /// The life of the bot alone.
    pub(crate) shutdown: Shutdown,
    ended: JoinHandle<Result<(), AppError>>,
}

impl World {
    /// A world without logins.
    pub(crate) async fn new() -> Self {
        let life = Shutdown::new();
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), &life).await.expect("a free port");
        sandbox.vendors().set_pace(Duration::ZERO);
        let home = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(home.path().join("credentials")).expect("a folder");
        let mut variables = Vec::new();
        for (id, endpoints) in sandbox.endpoints().providers {
            let prefix = id.to_uppercase();
            variables.push((format!("{prefix}_API_BASE"), endpoints.api_base));
            variables.extend(
                endpoints.token_endpoint.map(|endpoint| (format!("{prefix}_TOKEN_ENDPOINT"), endpoint)),
            );
            if let Some((_, Some(secret))) = Vendors::client(&id) {
                variables.push((format!("{prefix}_CLIENT_SECRET"), secret.to_owned()));
            }
        }
        variables.push(("ACCEPT_PROVIDER_TERMS".to_owned(), "gemini_cli,antigravity".to_owned()));
        Self {
            _judge: Judged::new(&sandbox, Asker::Bot),
            sandbox,
            life,
            home,
            variables,
            document: String::new(),
            tls: None,
        }
    }

    /// One that answers for `discord.com` itself: its bots have no `DISCORD_API_BASE`, and serenity its rate limiter.
    pub(crate) async fn under_real_names() -> Self {
        let mut world = Self::new().await;
        let tls = world.sandbox.listen_with_tls(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        world.tls = Some(tls);
        world
    }

    /// Drops a live login into the credentials folder.
    pub(crate) fn login(self, provider: &str, account: &str) -> Self {
        self.drop_login(provider, account);
        self
    }

    fn drop_login(&self, provider: &str, account: &str) {
        let file = self.sandbox.vendors().mint(provider, account).official_file();
        let path = self.home.path().join("credentials").join(format!("{provider}-{account}.json"));
        #[expect(clippy::disallowed_methods, reason = "a person drops a file")]
        std::fs::write(path, file.to_string()).expect("a written file");
    }

    /// The emulated providers.
    pub(crate) fn vendors(&self) -> &Vendors {
        self.sandbox.vendors()
    }

    /// Sets a variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Puts a text into `cortana.toml`.
    pub(crate) fn document(mut self, text: &str) -> Self {
        self.document.push_str(text);
        self
    }

    /// The variables that lead a bot into this world.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let endpoints = self.sandbox.endpoints();
        let folder = |name: &str| self.home.path().join(name).to_string_lossy().into_owned();
        let mut variables: Vec<(String, String)> = [
            ("DISCORD_TOKEN", endpoints.bot_token),
            ("CREDENTIALS_DIR", folder("credentials")),
            ("STATE_DIR", folder("data")),
            ("ADMIN_ADDR", "127.0.0.1:0".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        if self.tls.is_none() {
            variables.push(("DISCORD_API_BASE".to_owned(), endpoints.discord_api_base));
        }
        variables.extend(self.variables.iter().cloned());
        variables
    }

    /// What leads Discord's names into this world, where it answers for them.
    pub(crate) fn stand_in(&self) -> Option<StandIn> {
        let Tls { address, authority } = self.tls.clone()?;
        Some(StandIn { hosts: TLS_NAMES.map(str::to_owned).into(), address, authority })
    }

    /// The folder in which this world's bots keep their files.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A bot, not yet connected.
    pub(crate) fn start(self) -> Bot {
        let source: MapSource = self.environment().into_iter().collect();
        let source = source.with_document(&self.document);
        let mut settings = config::load(&source).expect("good settings");
        settings.http.stand_in = self.stand_in();
        settings.discord.pdf_reader = Some(env!("CARGO_BIN_EXE_cortana").into());
        self.sandbox.advance(BETWEEN_STARTS);
        let shutdown = Shutdown::new();
        let ended = self.life.spawn(app::run(settings, shutdown.clone()));
        Bot { world: self, shutdown, ended }
    }

    /// A connected bot.
    pub(crate) async fn connect(self) -> Bot {
        let bot = self.start();
        bot.world.sandbox.connected(SOON).await.expect("the bot connects");
        bot
    }
}

impl Bot {
    /// Drops a live login into the credentials folder while the bot runs.
    pub(crate) fn add_login(&self, provider: &str, account: &str) {
        self.world.drop_login(provider, account);
    }

    /// What people do and see.
    pub(crate) fn sandbox(&self) -> &Sandbox {
        &self.world.sandbox
    }

    /// The owner mentions the bot in the usual channel; the answers, once no stop button is left.
    pub(crate) async fn ask(&self, text: &str) -> Vec<Message> {
        let question = self.sandbox().ask(text).expect("people may write there");
        self.settled(question).await
    }

    /// What answers a message or an interaction, once it is finished.
    pub(crate) async fn settled(&self, question: Id) -> Vec<Message> {
        let finished = |answers: &[Message]| !answers.iter().any(|answer| answer.has_button("stop:"));
        self.sandbox().settled(question, SOON, finished).await.expect("an answer")
    }

    /// The owner uses a slash command in the usual channel; the answers.
    pub(crate) async fn slash(&self, line: &str) -> Vec<Message> {
        let landmarks = self.sandbox().discord().landmarks();
        let interaction =
            self.sandbox().slash(landmarks.owner, landmarks.channel, line).expect("a registered command");
        self.settled(interaction).await
    }

    /// Waits until the bot has ended by itself or after `shutdown`, and gives the world back.
    pub(crate) async fn ended(self) -> (World, Result<(), AppError>) {
        let ended = tokio::time::timeout(SOON, self.ended).await.expect("an end in time");
        (self.world, ended.expect("no panic"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.life.begin();
    }
}
