//! Who may do what: operators, and whoever `ruling` serves by what is known of them here.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use poise::serenity_prelude as serenity;
use serde::Deserialize;
use tokio::{sync::watch, time::Instant};

use super::{
    data::{Recent, Served},
    error::RestError,
    ruling::{Facts, Looked, Managed, Missing, Rank, Ruling, Scope, rule},
    transport::Rest,
};
use crate::clock;

/// How long a ruling about a guild or a channel holds before it is asked for again.
const HOLDS: Duration = Duration::from_mins(5);

/// How long an autocomplete waits for a ruling: Discord waits 3 s for it.
const SOON: Duration = Duration::from_secs(2);

/// Steps from a thread to its category.
const DEEPEST: usize = 2;

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

/// Who manages a guild, as it was found.
#[derive(Debug)]
struct Seen {
    at: Instant,
    /// The settings that it was found under, since they name operators: it holds no longer than they do.
    under: Arc<Served>,
    managed: Managed,
}

/// Decides who is served.
#[derive(Debug)]
pub(super) struct Access {
    served: watch::Receiver<Arc<Served>>,
    /// Those of the application; `OPERATOR_IDS` come on top.
    operators: BTreeSet<u64>,
    rest: Arc<Rest>,
    guilds: Mutex<Recent<u64, Seen>>,
    /// What a channel is in: a thread's channel, a channel's category.
    parents: Mutex<Recent<u64, (Instant, Option<u64>)>>,
    told: Mutex<Recent<u64, Instant>>,
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

    /// Looks up what the ruling turns on, and nothing else.
    async fn rule(&self, asker: &Asker) -> Ruling {
        let served = self.served();
        let mut facts = Facts {
            user: asker.user,
            rank: if self.is_operator(asker.user) { Rank::Operator } else { Rank::Person },
            roles: asker.roles.clone(),
            scope: asker.guild.map_or(Scope::Direct, |id| Scope::Server {
                id,
                managed: Looked::Not,
                channel: asker.channel,
                above: Looked::Not,
            }),
        };
        loop {
            let missing = match rule(&facts, &served.settings) {
                Ok(ruling) => return ruling,
                Err(missing) => missing,
            };
            match (missing, &mut facts.scope) {
                (Missing::WhoManages, Scope::Server { id, managed, .. }) => {
                    *managed = self.managed(*id, &served).await;
                }
                (Missing::WhatIsAbove, Scope::Server { channel, above, .. }) => {
                    *above = self.above(*channel).await;
                }
                (Missing::WhoManages | Missing::WhatIsAbove, Scope::Direct) => return Ruling::Ignore,
            }
        }
    }

    /// Who manages a guild.
    async fn managed(&self, guild: u64, served: &Arc<Served>) -> Looked<Managed> {
        let now = clock::instant();
        if let Some(known) = self.guilds.lock().unwrap_or_else(PoisonError::into_inner).get(&guild)
            && now < known.at + HOLDS
            && Arc::ptr_eq(&known.under, served)
        {
            return Looked::Found(known.managed);
        }
        let managed = match self.is_managed_by_operator(guild).await {
            Ok(true) => Managed::ByOperator,
            Ok(false) => Managed::ByOthers,
            Err(error) => {
                tracing::warn!(discord.guild = guild, error = %error, "Could not look up who manages a guild");
                return Looked::InVain;
            }
        };
        let seen = Seen { at: now, under: Arc::clone(served), managed };
        self.guilds.lock().unwrap_or_else(PoisonError::into_inner).insert(guild, seen);
        Looked::Found(managed)
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

    /// What a channel is in, the nearest first: a thread is in a channel, which may be in a category.
    async fn above(&self, channel: u64) -> Looked<Vec<u64>> {
        let mut above = Vec::new();
        let mut at = channel;
        while above.len() < DEEPEST {
            match self.parent(at).await {
                Ok(None) => break,
                Ok(Some(parent)) => {
                    above.push(parent);
                    at = parent;
                }
                Err(error) => {
                    tracing::warn!(discord.channel = at, error = %error, "Could not look up a channel");
                    return Looked::InVain;
                }
            }
        }
        Looked::Found(above)
    }

    async fn parent(&self, channel: u64) -> Result<Option<u64>, RestError> {
        let now = clock::instant();
        {
            let parents = self.parents.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((asked_at, parent)) = parents.get(&channel)
                && now < *asked_at + HOLDS
            {
                return Ok(*parent);
            }
        }
        let found: Channel = self.rest.get(&format!("channels/{channel}")).await?;
        let parent = found.parent_id.and_then(|id| id.parse().ok());
        self.parents.lock().unwrap_or_else(PoisonError::into_inner).insert(channel, (now, parent));
        Ok(parent)
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
