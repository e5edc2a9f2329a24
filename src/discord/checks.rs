//! Who may do what: operators, served guilds, direct messages, lists, and the hourly limit.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use poise::serenity_prelude as serenity;
use serde::Deserialize;
use tokio::{sync::watch, time::Instant};

use super::{
    data::{Recent, Served},
    error::RestError,
    transport::Rest,
};
use crate::{
    clock,
    config::{Audience, GuildPolicy},
    language::{Language, say},
};

/// How long a ruling about a guild or a channel holds before it is asked for again.
const HOLDS: Duration = Duration::from_mins(5);

/// How long an autocomplete waits for a ruling: Discord waits 3 s for it.
const SOON: Duration = Duration::from_secs(2);

const HOUR: Duration = Duration::from_hours(1);

/// How often the same channel is told why the bot does not answer there.
const REMIND: Duration = Duration::from_mins(10);

/// `GET /oauth2/applications/@me`, as far as we read it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Application {
    /// Its id.
    pub(super) id: String,
    owner: Option<Person>,
    team: Option<Team>,
}

#[derive(Debug, Clone, Deserialize)]
struct Person {
    id: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Team {
    owner_user_id: Option<String>,
    #[serde(default)]
    members: Vec<Member>,
}

#[derive(Debug, Clone, Deserialize)]
struct Member {
    membership_state: u8,
    #[serde(default)]
    role: String,
    user: Person,
}

impl Application {
    /// The owner; with a team, its accepted members with role owner, admin or developer instead, since the owner
    /// of such an application is a user that stands for the team.
    pub(super) fn operators(&self) -> BTreeSet<u64> {
        const ACCEPTED: u8 = 2;
        match &self.team {
            Some(team) => team
                .members
                .iter()
                .filter(|member| member.membership_state == ACCEPTED)
                .filter(|member| {
                    team.owner_user_id.as_deref() == Some(&*member.user.id)
                        || ["owner", "admin", "developer"].contains(&&*member.role)
                })
                .filter_map(|member| member.user.id.parse().ok())
                .collect(),
            None => self.owner.iter().filter_map(|owner| owner.id.parse().ok()).collect(),
        }
    }
}

/// Who speaks, and where.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    /// The person.
    pub(super) user: u64,
    /// The guild; `None` in direct messages.
    pub(super) guild: Option<u64>,
    /// The channel or thread.
    pub(super) channel: u64,
    /// The person's roles in the guild.
    pub(super) roles: Vec<u64>,
}

impl Asker {
    /// Who uses a command.
    pub(super) fn of_command(command: &serenity::CommandInteraction) -> Self {
        let member = command.member.as_ref();
        Self {
            user: command.user.id.get(),
            guild: command.guild_id.map(serenity::GuildId::get),
            channel: command.channel_id.get(),
            roles: member.map(|all| all.roles.iter().map(|role| role.get()).collect()).unwrap_or_default(),
        }
    }
}

/// Whether somebody is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ruling {
    /// Yes.
    Serve,
    /// No, and nothing is said.
    Ignore,
    /// No, for this reason, which is said.
    Refuse(Refusal),
}

/// Why somebody is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A role of `ALLOWED_ROLE_IDS` is missing.
    RoleNeeded,
    /// Who manages the server is not known just now.
    Unchecked,
    /// The server is not served.
    Unserved(u64),
    /// Direct messages are the operators'.
    OperatorsAlone,
    /// Direct messages are nobody's.
    NobodyDirect,
}

impl Refusal {
    /// The sentence that says why, and what to do.
    pub(super) fn sentence(self, language: &Language) -> String {
        match self {
            Self::RoleNeeded => say!(language, "role-needed"),
            Self::Unchecked => say!(language, "server-unchecked"),
            Self::Unserved(guild) => say!(language, "server-unserved", server = guild.to_string()),
            Self::OperatorsAlone => say!(language, "direct-operators-only"),
            Self::NobodyDirect => say!(language, "direct-nobody"),
        }
    }
}

/// A ruling about a guild.
#[derive(Debug)]
struct Ruled {
    at: Instant,
    /// The settings that it was made under: it holds no longer than they do.
    under: Arc<Served>,
    ruling: Ruling,
}

/// Decides who is served.
#[derive(Debug)]
pub(super) struct Access {
    served: watch::Receiver<Arc<Served>>,
    /// Those of the application; `OPERATOR_IDS` come on top.
    operators: BTreeSet<u64>,
    rest: Arc<Rest>,
    guilds: Mutex<Recent<u64, Ruled>>,
    parents: Mutex<Recent<u64, (Instant, Option<u64>)>>,
    told: Mutex<Recent<u64, Instant>>,
    hours: Mutex<Recent<u64, VecDeque<Instant>>>,
}

impl Access {
    /// The rules of the settings, with the operators of the application.
    pub(super) fn new(
        served: watch::Receiver<Arc<Served>>,
        application: &Application,
        rest: Arc<Rest>,
    ) -> Self {
        Self {
            served,
            operators: application.operators(),
            rest,
            guilds: Mutex::new(Recent::new(2500)),
            parents: Mutex::new(Recent::new(2500)),
            told: Mutex::new(Recent::new(2500)),
            hours: Mutex::new(Recent::new(10_000)),
        }
    }

    /// Whether somebody may touch credentials.
    pub(super) fn is_operator(&self, user: u64) -> bool {
        self.operators.contains(&user) || self.served.borrow().settings.operator_ids.contains(&user)
    }

    /// How many operators there are.
    pub(super) fn operators(&self) -> usize {
        self.all_operators().len()
    }

    /// Whoever may touch credentials.
    pub(super) fn all_operators(&self) -> BTreeSet<u64> {
        self.operators.union(&self.served.borrow().settings.operator_ids).copied().collect()
    }

    /// The settings as they are now.
    fn served(&self) -> Arc<Served> {
        Arc::clone(&self.served.borrow())
    }

    /// Whether somebody is served where they speak. A refusal is said once in a while, then becomes `Ignore`.
    pub(super) async fn ruling(&self, asker: &Asker) -> Ruling {
        let ruling = self.rule(asker).await;
        match &ruling {
            Ruling::Refuse(_) if !self.may_tell(asker.channel) => Ruling::Ignore,
            Ruling::Serve | Ruling::Ignore | Ruling::Refuse(_) => ruling,
        }
    }

    /// Whether somebody is served, as far as that is known soon enough for an autocomplete.
    pub(super) async fn serves(&self, asker: &Asker) -> bool {
        tokio::time::timeout(SOON, self.rule(asker)).await.is_ok_and(|ruling| ruling == Ruling::Serve)
    }

    async fn rule(&self, asker: &Asker) -> Ruling {
        let served = self.served();
        if served.settings.blocked_user_ids.contains(&asker.user) {
            return Ruling::Ignore;
        }
        let is_operator = self.is_operator(asker.user);
        let Some(guild) = asker.guild else {
            return direct(served.settings.direct_messages, is_operator);
        };
        let ruling = self.guild(guild).await;
        if ruling != Ruling::Serve {
            return ruling;
        }
        if !self.is_allowed_channel(asker.channel).await {
            return Ruling::Ignore;
        }
        let roles = &served.settings.allowed_role_ids;
        if roles.is_empty() || is_operator || asker.roles.iter().any(|role| roles.contains(role)) {
            Ruling::Serve
        } else {
            Ruling::Refuse(Refusal::RoleNeeded)
        }
    }

    async fn guild(&self, guild: u64) -> Ruling {
        let served = self.served();
        match &served.settings.guilds {
            GuildPolicy::All => return Ruling::Serve,
            GuildPolicy::Listed(ids) if ids.contains(&guild) => return Ruling::Serve,
            GuildPolicy::Listed(_) => return unserved(guild),
            GuildPolicy::OperatorManaged => {}
        }
        let now = clock::instant();
        if let Some(known) = self.guilds.lock().unwrap_or_else(PoisonError::into_inner).get(&guild)
            && now < known.at + HOLDS
            && Arc::ptr_eq(&known.under, &served)
        {
            return known.ruling.clone();
        }
        let ruling = match self.is_managed_by_operator(guild).await {
            Ok(true) => Ruling::Serve,
            Ok(false) => unserved(guild),
            Err(error) => {
                tracing::warn!(discord.guild = guild, error = %error, "Could not look up who manages a guild");
                return Ruling::Refuse(Refusal::Unchecked);
            }
        };
        let ruled = Ruled { at: now, under: served, ruling: ruling.clone() };
        self.guilds.lock().unwrap_or_else(PoisonError::into_inner).insert(guild, ruled);
        ruling
    }

    /// Whether an operator owns the guild or holds Manage Server or Administrator in it.
    async fn is_managed_by_operator(&self, id: u64) -> Result<bool, RestError> {
        let guild: Guild = self.rest.get(&format!("guilds/{id}")).await?;
        if guild.owner_id.parse().is_ok_and(|owner| self.is_operator(owner)) {
            return Ok(true);
        }
        for operator in self.all_operators() {
            match self.rest.get::<GuildMember>(&format!("guilds/{id}/members/{operator}")).await {
                Ok(member) if guild.lets_manage(id, &member.roles) => return Ok(true),
                Ok(_) | Err(RestError::Status { status: 403 | 404, .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Whether the channel, or the channel that a thread hangs on, is in the list.
    async fn is_allowed_channel(&self, channel: u64) -> bool {
        let served = self.served();
        let allowed = &served.settings.allowed_channel_ids;
        if allowed.is_empty() || allowed.contains(&channel) {
            return true;
        }
        let now = clock::instant();
        let known = {
            let parents = self.parents.lock().unwrap_or_else(PoisonError::into_inner);
            parents.get(&channel).filter(|(asked_at, _)| now < *asked_at + HOLDS).map(|(_, parent)| *parent)
        };
        let parent = match known {
            Some(parent) => parent,
            None => match self.rest.get::<Channel>(&format!("channels/{channel}")).await {
                Ok(found) => {
                    let parent = found.parent_id.and_then(|id| id.parse().ok());
                    self.parents
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(channel, (now, parent));
                    parent
                }
                Err(error) => {
                    tracing::warn!(discord.channel = channel, error = %error, "Could not look up a channel");
                    None
                }
            },
        };
        parent.is_some_and(|parent| allowed.contains(&parent))
    }

    fn may_tell(&self, channel: u64) -> bool {
        let now = clock::instant();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.get(&channel).is_some_and(|at| now < *at + REMIND) {
            return false;
        }
        told.insert(channel, now);
        true
    }

    /// Counts a question against `USER_MESSAGES_PER_HOUR`. `Err`: how long until the next one.
    pub(super) fn count_question(&self, user: u64) -> Result<(), Duration> {
        let limit = usize::try_from(self.served().settings.user_messages_per_hour).unwrap_or(usize::MAX);
        if limit == 0 || self.is_operator(user) {
            return Ok(());
        }
        let now = clock::instant();
        let mut hours = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        if hours.get(&user).is_none() {
            hours.insert(user, VecDeque::new());
        }
        let Some(asked) = hours.get_mut(&user) else { return Ok(()) };
        while asked.front().is_some_and(|at| *at + HOUR <= now) {
            asked.pop_front();
        }
        if let Some(first) = asked.front()
            && asked.len() >= limit
        {
            return Err(*first + HOUR - now);
        }
        asked.push_back(now);
        Ok(())
    }
}

fn direct(audience: Audience, is_operator: bool) -> Ruling {
    match audience {
        Audience::Everyone => Ruling::Serve,
        Audience::Operators if is_operator => Ruling::Serve,
        Audience::Operators => Ruling::Refuse(Refusal::OperatorsAlone),
        Audience::Nobody => Ruling::Refuse(Refusal::NobodyDirect),
    }
}

fn unserved(guild: u64) -> Ruling {
    Ruling::Refuse(Refusal::Unserved(guild))
}

#[derive(Deserialize)]
struct Guild {
    owner_id: String,
    #[serde(default)]
    roles: Vec<Role>,
}

#[derive(Deserialize)]
struct Role {
    id: String,
    permissions: String,
}

#[derive(Deserialize)]
struct GuildMember {
    #[serde(default)]
    roles: Vec<String>,
}

#[derive(Deserialize)]
struct Channel {
    parent_id: Option<String>,
}

impl Guild {
    /// Whether these roles, or the role of everyone (which has the guild's id), include Manage Server.
    fn lets_manage(&self, id: u64, roles: &[String]) -> bool {
        const ADMINISTRATOR: u64 = 1 << 3;
        const MANAGE_GUILD: u64 = 1 << 5;
        let everyone = id.to_string();
        self.roles
            .iter()
            .filter(|role| role.id == everyone || roles.contains(&role.id))
            .filter_map(|role| role.permissions.parse::<u64>().ok())
            .any(|permissions| permissions & (ADMINISTRATOR | MANAGE_GUILD) != 0)
    }
}

#[cfg(test)]
mod tests;
