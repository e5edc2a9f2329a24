//! Looking at the sandbox: messages, interactions, records, and waiting until something is there.

use std::{future::Future, time::Duration};

use super::{
    Sandbox,
    discord::{
        Dispatched, Faults, Fetched, GatewayEntry, Id, Interaction, Message, RecordedRequest, RestFault,
    },
};

/// What was waited for did not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not within {} ms", .0.as_millis())]
pub struct TimedOut(pub Duration);

impl Sandbox {
    /// A message, deleted or not.
    pub fn message(&self, id: Id) -> Option<Message> {
        self.discord.read(|state| state.messages.get(&id).cloned())
    }

    /// The messages of a channel that exist, oldest first; ephemeral ones too.
    pub fn messages(&self, channel: Id) -> Vec<Message> {
        let wanted = |message: &&Message| message.channel_id == channel && message.exists();
        self.discord.read(|state| state.messages.values().filter(wanted).cloned().collect())
    }

    /// An interaction.
    pub fn interaction(&self, id: Id) -> Option<Interaction> {
        self.discord.read(|state| state.interactions.get(&id).cloned())
    }

    /// What the bot answered to a message or an interaction, oldest first: what replies to it, what continues such a
    /// reply, and what was sent for the interaction.
    pub fn answers(&self, question: Id) -> Vec<Message> {
        let bot = self.discord.landmarks().bot;
        self.discord.read(|state| {
            let mut chain = vec![question];
            let mut found: Vec<Message> = Vec::new();
            for message in state.messages.range(question..).map(|(_, message)| message) {
                let answers = message.interaction_id == Some(question)
                    || message.reply_to.is_some_and(|target| chain.contains(&target));
                if message.author_id == bot && message.exists() && answers {
                    chain.push(message.id);
                    found.push(message.clone());
                }
            }
            found
        })
    }

    /// Every REST request so far.
    pub fn recorded_requests(&self) -> Vec<RecordedRequest> {
        self.discord.read(|state| state.record.requests.clone())
    }

    /// Everything that happened on gateway connections so far.
    pub fn gateway_log(&self) -> Vec<GatewayEntry> {
        self.discord.read(|state| state.record.gateway.clone())
    }

    /// Every event that sessions were sent so far, over all sessions.
    pub fn dispatched(&self) -> Vec<Dispatched> {
        self.discord.read(|state| state.record.dispatched.clone())
    }

    /// How many gateway sessions have a socket.
    pub fn connected_sessions(&self) -> usize {
        self.discord
            .read(|state| state.sessions.all.values().filter(|session| session.is_connected()).count())
    }

    /// The names of the registered commands.
    pub fn registered_commands(&self) -> Vec<String> {
        self.discord.read(|state| state.commands.iter().map(|command| command.name().to_owned()).collect())
    }

    /// Whether somebody is typing in a channel (an indicator lasts ten seconds, or until their next message).
    pub fn is_typing(&self, channel: Id, user: Id) -> bool {
        self.discord.read(|state| {
            let now = state.time.now();
            state.typing.iter().any(|(place, person, since)| {
                *place == channel && *person == user && now.saturating_sub(*since) < Duration::from_secs(10)
            })
        })
    }

    /// Waits until `found` gives something; it is asked after each change.
    pub async fn wait_for<T>(
        &self,
        limit: Duration,
        mut found: impl FnMut(&Self) -> Option<T>,
    ) -> Result<T, TimedOut> {
        let mut changes = self.discord.changes();
        let search = async {
            loop {
                changes.borrow_and_update();
                if let Some(thing) = found(self) {
                    return thing;
                }
                if changes.changed().await.is_err() {
                    // The sender lives in `self`: it cannot be gone.
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::time::timeout(limit, search).await.map_err(|_| TimedOut(limit))
    }

    /// Waits until a bot is connected.
    pub async fn connected(&self, limit: Duration) -> Result<(), TimedOut> {
        self.wait_for(limit, |sandbox| (sandbox.connected_sessions() > 0).then_some(())).await
    }

    /// Waits until a command is registered.
    pub async fn registered(&self, name: &str, limit: Duration) -> Result<(), TimedOut> {
        self.wait_for(limit, |sandbox| {
            sandbox.registered_commands().iter().any(|known| known == name).then_some(())
        })
        .await
    }

    /// Waits until there are answers to a message or an interaction, none of them still says "thinking", and `finished`
    /// agrees, for example because no stop button is left.
    pub fn settled(
        &self,
        question: Id,
        limit: Duration,
        finished: impl Fn(&[Message]) -> bool + Send,
    ) -> impl Future<Output = Result<Vec<Message>, TimedOut>> + Send {
        self.wait_for(limit, move |sandbox| {
            let answers = sandbox.answers(question);
            let done = !answers.is_empty() && !answers.iter().any(Message::is_loading) && finished(&answers);
            done.then_some(answers)
        })
    }

    /// Requests for attached files, in order.
    pub fn fetched_files(&self) -> Vec<Fetched> {
        self.discord.read(|state| state.record.fetched.clone())
    }

    /// From now on messages say that their files are kept at another origin: what a message says is no proof.
    pub fn keep_files_at(&self, origin: &str) {
        self.discord.with(|state| origin.clone_into(&mut state.files_origin));
    }

    /// Makes REST requests go wrong, and those for files where the path says so (`/attachments/`).
    pub fn fault(&self, fault: RestFault) {
        self.discord.with(|state| state.faults.rest.push(fault));
    }

    /// Adds latency to every REST answer.
    pub fn set_latency(&self, latency: Duration) {
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.discord.with(|state| state.faults.latency_ms = latency_ms);
    }

    /// Takes back all faults and the latency.
    pub fn clear_faults(&self) {
        self.discord.with(|state| state.faults = Faults::default());
    }

    /// Moves the emulator's time forwards: rate-limit windows, the 3 seconds and the 15 minutes of interactions.
    pub fn advance(&self, by: Duration) {
        self.discord.with(|state| state.time.advance(by));
    }
}
