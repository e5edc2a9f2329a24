//! Who is served where: one pure function over the lists of the settings.
//!
//! 1. **A block beats whatever allows**: `BLOCKED_USER_IDS`, `BLOCKED_ROLE_IDS`, `BLOCKED_GUILD_IDS` and
//!    `BLOCKED_CHANNEL_IDS` are looked at before their opposites.
//! 2. **Lists of people do not hold for operators**, who would lock themselves out. Lists of places hold for everybody: a
//!    channel without the bot is one without it. What operators do to the bot is decided elsewhere, by who they are alone.
//! 3. Whoever is blocked, and whoever speaks in a channel that is not the bot's, hears nothing; others are told why.
//!
//! Some facts cost a request. The function is called without them first and says which one it lacks, so that nobody asks
//! Discord about a server on behalf of somebody who is blocked anyway.

use crate::{
    config::{Audience, DiscordSettings, GuildPolicy},
    language::{Language, say},
};

/// Whether somebody is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// `ALLOWED_USER_IDS` does not name them.
    NotListed,
    /// Who manages the server could not be looked up just now.
    Unchecked,
    /// What the channel is in could not be.
    Unsure,
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
            Self::NotListed => say!(language, "not-listed"),
            Self::Unchecked => say!(language, "server-unchecked"),
            Self::Unsure => say!(language, "unsure"),
            Self::Unserved(guild) => say!(language, "server-unserved", server = guild.to_string()),
            Self::OperatorsAlone => say!(language, "direct-operators-only"),
            Self::NobodyDirect => say!(language, "direct-nobody"),
        }
    }
}

/// What somebody is to the bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// An operator.
    Operator,
    /// Anybody else.
    Person,
}

/// Something that Discord may have to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looked<T> {
    /// Nobody asked yet.
    Not,
    /// There was no answer.
    InVain,
    /// The answer.
    Found(T),
}

/// Where somebody speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// In direct messages.
    Direct,
    /// In a server.
    Server {
        /// Which one.
        id: u64,
        /// Whether an operator manages it.
        managed: Looked<Managed>,
        /// The channel or thread.
        channel: u64,
        /// What the channel is in: a thread's channel, and its category.
        above: Looked<Vec<u64>>,
    },
}

/// Whether an operator manages a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Managed {
    /// One does.
    ByOperator,
    /// None does.
    ByOthers,
}

/// Who speaks, and where, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// The person.
    pub(super) user: u64,
    /// What they are.
    pub(super) rank: Rank,
    /// Their roles in the server.
    pub(super) roles: Vec<u64>,
    /// Where.
    pub(super) scope: Scope,
}

/// A fact without which there is no ruling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// Who manages the server.
    WhoManages,
    /// What the channel is in.
    WhatIsAbove,
}

/// Whether somebody is served, or what has to be looked up first.
pub(super) fn rule(facts: &Facts, lists: &DiscordSettings) -> Result<Ruling, Missing> {
    let has_one_of =
        |ids: &std::collections::BTreeSet<u64>| facts.roles.iter().any(|role| ids.contains(role));
    let is_blocked = lists.blocked_user_ids.contains(&facts.user) || has_one_of(&lists.blocked_role_ids);
    if facts.rank == Rank::Person && is_blocked {
        return Ok(Ruling::Ignore);
    }
    let in_place = match &facts.scope {
        Scope::Direct => direct(lists.direct_messages, facts.rank),
        Scope::Server { id, managed, channel, above } => match server(*id, *managed, lists)? {
            Ruling::Serve => within(*channel, above, lists)?,
            ruling @ (Ruling::Ignore | Ruling::Refuse(_)) => ruling,
        },
    };
    if in_place != Ruling::Serve || facts.rank == Rank::Operator {
        return Ok(in_place);
    }
    let (people, roles) = (&lists.allowed_user_ids, &lists.allowed_role_ids);
    // Roles are a server's: in direct messages their list says nothing.
    let counts_roles = facts.scope != Scope::Direct && !roles.is_empty();
    Ok(if people.contains(&facts.user) || (counts_roles && has_one_of(roles)) {
        Ruling::Serve
    } else if counts_roles {
        Ruling::Refuse(Refusal::RoleNeeded)
    } else if people.is_empty() {
        Ruling::Serve
    } else {
        Ruling::Refuse(Refusal::NotListed)
    })
}

fn direct(audience: Audience, rank: Rank) -> Ruling {
    match (audience, rank) {
        (Audience::Everyone, _) | (Audience::Operators, Rank::Operator) => Ruling::Serve,
        (Audience::Operators, Rank::Person) => Ruling::Refuse(Refusal::OperatorsAlone),
        (Audience::Nobody, _) => Ruling::Refuse(Refusal::NobodyDirect),
    }
}

fn server(id: u64, managed: Looked<Managed>, lists: &DiscordSettings) -> Result<Ruling, Missing> {
    if lists.blocked_guild_ids.contains(&id) {
        return Ok(Ruling::Ignore);
    }
    Ok(match (&lists.guilds, managed) {
        (GuildPolicy::All, _) | (GuildPolicy::OperatorManaged, Looked::Found(Managed::ByOperator)) => {
            Ruling::Serve
        }
        (GuildPolicy::Listed(ids), _) if ids.contains(&id) => Ruling::Serve,
        (GuildPolicy::Listed(_), _) | (GuildPolicy::OperatorManaged, Looked::Found(Managed::ByOthers)) => {
            Ruling::Refuse(Refusal::Unserved(id))
        }
        (GuildPolicy::OperatorManaged, Looked::InVain) => Ruling::Refuse(Refusal::Unchecked),
        (GuildPolicy::OperatorManaged, Looked::Not) => return Err(Missing::WhoManages),
    })
}

/// Whether a channel of a served server is one of the bot's. A channel is what it is in, too.
fn within(channel: u64, above: &Looked<Vec<u64>>, lists: &DiscordSettings) -> Result<Ruling, Missing> {
    let (allowed, blocked) = (&lists.allowed_channel_ids, &lists.blocked_channel_ids);
    if blocked.contains(&channel) {
        return Ok(Ruling::Ignore);
    }
    let is_allowed = allowed.is_empty() || allowed.contains(&channel);
    if is_allowed && blocked.is_empty() {
        return Ok(Ruling::Serve);
    }
    match above {
        Looked::Not => Err(Missing::WhatIsAbove),
        Looked::InVain => Ok(Ruling::Refuse(Refusal::Unsure)),
        Looked::Found(above) if above.iter().any(|id| blocked.contains(id)) => Ok(Ruling::Ignore),
        Looked::Found(above) if is_allowed || above.iter().any(|id| allowed.contains(id)) => {
            Ok(Ruling::Serve)
        }
        Looked::Found(_) => Ok(Ruling::Ignore),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// Few ids, so that lists and facts meet.
    fn ids() -> impl Strategy<Value = BTreeSet<u64>> {
        prop_oneof![Just(BTreeSet::new()), prop::collection::btree_set(0u64..4, 0..3)]
    }

    fn lists() -> impl Strategy<Value = DiscordSettings> {
        let guilds = prop_oneof![
            Just(GuildPolicy::All),
            Just(GuildPolicy::OperatorManaged),
            ids().prop_map(GuildPolicy::Listed)
        ];
        let direct = prop_oneof![Just(Audience::Operators), Just(Audience::Everyone), Just(Audience::Nobody)];
        (guilds, direct, [ids(), ids(), ids(), ids(), ids(), ids(), ids()]).prop_map(
            |(
                guilds,
                direct_messages,
                [b_guilds, a_channels, b_channels, a_roles, b_roles, a_users, b_users],
            )| {
                DiscordSettings {
                    guilds,
                    direct_messages,
                    blocked_guild_ids: b_guilds,
                    allowed_channel_ids: a_channels,
                    blocked_channel_ids: b_channels,
                    allowed_role_ids: a_roles,
                    blocked_role_ids: b_roles,
                    allowed_user_ids: a_users,
                    blocked_user_ids: b_users,
                    ..DiscordSettings::default()
                }
            },
        )
    }

    /// Facts that lack nothing.
    fn facts() -> impl Strategy<Value = Facts> {
        let managed = prop_oneof![
            Just(Looked::InVain),
            Just(Looked::Found(Managed::ByOperator)),
            Just(Looked::Found(Managed::ByOthers))
        ];
        let above = prop_oneof![
            1 => Just(Looked::InVain),
            4 => prop::collection::vec(0u64..4, 0..3).prop_map(Looked::Found)
        ];
        let server = (0u64..4, managed, 0u64..4, above)
            .prop_map(|(id, managed, channel, above)| Scope::Server { id, managed, channel, above });
        let scope = prop_oneof![1 => Just(Scope::Direct), 4 => server];
        let rank = prop_oneof![Just(Rank::Operator), Just(Rank::Person)];
        (0u64..4, rank, prop::collection::vec(0u64..4, 0..3), scope)
            .prop_map(|(user, rank, roles, scope)| Facts { user, rank, roles, scope })
    }

    fn ruled(facts: &Facts, lists: &DiscordSettings) -> Ruling {
        rule(facts, lists).expect("nothing is missing")
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn d24_a_block_beats_whatever_allows(facts in facts(), lists in lists()) {
            if ruled(&facts, &lists) == Ruling::Serve {
                if facts.rank == Rank::Person {
                    prop_assert!(!lists.blocked_user_ids.contains(&facts.user));
                    prop_assert!(!facts.roles.iter().any(|role| lists.blocked_role_ids.contains(role)));
                }
                if let Scope::Server { id, channel, above, .. } = &facts.scope {
                    prop_assert!(!lists.blocked_guild_ids.contains(id));
                    prop_assert!(!lists.blocked_channel_ids.contains(channel));
                    if let Looked::Found(above) = above {
                        prop_assert!(!above.iter().any(|id| lists.blocked_channel_ids.contains(id)));
                    }
                }
            }
        }

        #[test]
        fn d24_who_is_served_is_allowed_by_every_list_that_says_something(facts in facts(), lists in lists()) {
            if ruled(&facts, &lists) != Ruling::Serve {
                return Ok(());
            }
            if let Scope::Server { id, channel, above, .. } = &facts.scope {
                if let GuildPolicy::Listed(ids) = &lists.guilds {
                    prop_assert!(ids.contains(id));
                }
                let above = if let Looked::Found(above) = above { above.clone() } else { Vec::new() };
                let is_in = above.iter().chain([channel]).any(|id| lists.allowed_channel_ids.contains(id));
                prop_assert!(lists.allowed_channel_ids.is_empty() || is_in);
            }
            let is_listed = lists.allowed_user_ids.contains(&facts.user)
                || facts.roles.iter().any(|role| lists.allowed_role_ids.contains(role));
            let says_nothing = lists.allowed_user_ids.is_empty()
                && (lists.allowed_role_ids.is_empty() || facts.scope == Scope::Direct);
            prop_assert!(facts.rank == Rank::Operator || says_nothing || is_listed);
        }

        #[test]
        fn d24_lists_of_people_never_lock_an_operator_out(facts in facts(), lists in lists()) {
            let facts = Facts { rank: Rank::Operator, ..facts };
            let places_alone = DiscordSettings {
                allowed_user_ids: BTreeSet::new(),
                blocked_user_ids: BTreeSet::new(),
                allowed_role_ids: BTreeSet::new(),
                blocked_role_ids: BTreeSet::new(),
                ..lists.clone()
            };
            prop_assert_eq!(ruled(&facts, &lists), ruled(&facts, &places_alone));
            let open = DiscordSettings { guilds: GuildPolicy::All, ..DiscordSettings::default() };
            prop_assert_eq!(ruled(&facts, &open), Ruling::Serve);
        }

        /// Nobody who is blocked learns that they are, and a longer block list serves nobody more.
        #[test]
        fn d24_blocking_somebody_is_silent(facts in facts(), lists in lists()) {
            let facts = Facts { rank: Rank::Person, ..facts };
            let mut longer = lists;
            longer.blocked_user_ids.insert(facts.user);
            prop_assert_eq!(ruled(&facts, &longer), Ruling::Ignore);
        }

        /// What is ruled without having looked is what would be ruled after it: nothing is asked for in vain.
        #[test]
        fn d24_a_ruling_waits_for_what_decides_it_alone(facts in facts(), lists in lists()) {
            let mut known = facts.clone();
            if let Scope::Server { managed, above, .. } = &mut known.scope {
                (*managed, *above) = (Looked::Not, Looked::Not);
            }
            let mut lookups = 0;
            let ruling = loop {
                let missing = match rule(&known, &lists) {
                    Ok(ruling) => break ruling,
                    Err(missing) => missing,
                };
                lookups += 1;
                prop_assert!(lookups <= 2);
                if let (Scope::Server { managed, above, .. }, Scope::Server { managed: is, above: lies, .. }) =
                    (&mut known.scope, &facts.scope)
                {
                    match missing {
                        Missing::WhoManages => *managed = *is,
                        Missing::WhatIsAbove => *above = lies.clone(),
                    }
                }
            };
            prop_assert_eq!(ruling, ruled(&facts, &lists));
        }
    }
}
