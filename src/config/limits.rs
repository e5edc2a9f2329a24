//! How much a person and a server may use: `USER_…` variables, and `[[limits]]` of `cortana.toml` for roles and servers.

use std::collections::BTreeMap;

use super::{file::Section, reader::Reader};

/// More than anybody can use, so that sums stay far from overflowing.
const MOST: u64 = 1_000_000_000_000;

/// How much of one thing there may be; the more generous is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Bound {
    /// So much.
    AtMost(u64),
    /// As much as one likes.
    #[default]
    Unlimited,
}

impl Bound {
    /// As it is configured, where 0 stands for no limit.
    fn of(number: u64) -> Self {
        if number == 0 { Self::Unlimited } else { Self::AtMost(number) }
    }
}

/// What somebody may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowance {
    /// Answers in an hour.
    pub messages_per_hour: Bound,
    /// Tokens in a day, questions and answers together.
    pub tokens_per_day: Bound,
}

/// What an entry of `[[limits]]` says; `None`: nothing about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Entry {
    messages_per_hour: Option<Bound>,
    tokens_per_day: Option<Bound>,
}

/// The limits of everybody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    person: Allowance,
    roles: BTreeMap<u64, Entry>,
    servers: BTreeMap<u64, Entry>,
}

impl Limits {
    /// The same for every person, and none for servers.
    pub fn for_everybody(person: Allowance) -> Self {
        Self { person, ..Self::default() }
    }

    pub(super) fn read(reader: &mut Reader<'_>, file: &mut Section) -> Self {
        let person = Allowance {
            messages_per_hour: Bound::of(reader.number("USER_MESSAGES_PER_HOUR", 60, 0..=MOST)),
            tokens_per_day: Bound::of(reader.number("USER_TOKENS_PER_DAY", 0, 0..=MOST)),
        };
        let mut limits = Self::for_everybody(person);
        for mut table in file.tables(reader, "limits") {
            let (role, server) = (table.id(reader, "role"), table.id(reader, "server"));
            let mut bound = |key| table.number_if_set(reader, key, 0..=MOST).map(Bound::of);
            let entry = Entry {
                messages_per_hour: bound("messages_per_hour"),
                tokens_per_day: bound("tokens_per_day"),
            };
            let place = table.place().to_owned();
            let earlier = match (role, server) {
                (Some(role), None) => limits.roles.insert(role, entry),
                (None, Some(server)) => limits.servers.insert(server, entry),
                (Some(_), Some(_)) | (None, None) => {
                    reader.secret_mistake(&place, "name either a role or a server, by its id");
                    None
                }
            };
            if earlier.is_some() {
                reader.secret_mistake(&place, "this role or server has another entry; join the two");
            }
            if entry == Entry::default() {
                reader.secret_mistake(&place, "set messages_per_hour, tokens_per_day or both; 0 is no limit");
            }
            table.finish(reader);
        }
        limits
    }

    /// What a person with these roles may use. What entries of their roles say holds instead of the variables, and of
    /// several entries the most generous, each limit by itself.
    pub fn of_person(&self, roles: &[u64]) -> Allowance {
        let best = |of: fn(&Entry) -> Option<Bound>| {
            roles.iter().filter_map(|role| self.roles.get(role)).filter_map(of).max()
        };
        Allowance {
            messages_per_hour: best(|entry| entry.messages_per_hour).unwrap_or(self.person.messages_per_hour),
            tokens_per_day: best(|entry| entry.tokens_per_day).unwrap_or(self.person.tokens_per_day),
        }
    }

    /// What everybody in a server may use together.
    pub fn of_server(&self, server: u64) -> Allowance {
        let entry = self.servers.get(&server).copied().unwrap_or_default();
        Allowance {
            messages_per_hour: entry.messages_per_hour.unwrap_or_default(),
            tokens_per_day: entry.tokens_per_day.unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{MapSource, load};

    fn read(document: &str) -> Result<Limits, String> {
        let source = MapSource::new().with("USER_TOKENS_PER_DAY", "1000").with_document(document);
        load(&source).map(|settings| settings.discord.limits).map_err(|mistakes| mistakes.to_string())
    }

    fn allowance(messages_per_hour: u64, tokens_per_day: u64) -> Allowance {
        Allowance {
            messages_per_hour: Bound::of(messages_per_hour),
            tokens_per_day: Bound::of(tokens_per_day),
        }
    }

    #[test]
    fn the_most_generous_role_wins_each_limit_by_itself() {
        let limits = read(
            "[[limits]]\nrole = 1\nmessages_per_hour = 5\n\
             [[limits]]\nrole = \"2\"\nmessages_per_hour = 100\ntokens_per_day = 500\n\
             [[limits]]\nrole = 3\ntokens_per_day = 0\n\
             [[limits]]\nserver = 9\ntokens_per_day = 7\n",
        )
        .expect("good limits");
        assert_eq!(limits.of_person(&[]), allowance(60, 1000), "the variables");
        assert_eq!(limits.of_person(&[77]), allowance(60, 1000), "a role of which nothing is said");
        assert_eq!(limits.of_person(&[1]), allowance(5, 1000), "a role may have less than others");
        assert_eq!(limits.of_person(&[1, 2]), allowance(100, 500));
        assert_eq!(limits.of_person(&[2, 1, 3]), allowance(100, 0), "0 is no limit");
        assert_eq!(limits.of_server(9), allowance(0, 7));
        assert_eq!(limits.of_server(8), Allowance::default());
    }

    #[test]
    fn mistakes_name_the_entry() {
        for (document, expected) in [
            ("limits = 3", "expected tables"),
            ("[[limits]]\nmessages_per_hour = 1", "either a role or a server"),
            ("[[limits]]\nrole = 1\nserver = 2\nmessages_per_hour = 1", "either a role or a server"),
            ("[[limits]]\nrole = \"mods\"\nmessages_per_hour = 1", "expected a Discord id"),
            ("[[limits]]\nrole = 1", "set messages_per_hour"),
            ("[[limits]]\nrole = 1\nmessages_per_hour = -1", "expected a whole number"),
            ("[[limits]]\nrole = 1\nmessages_per_huor = 1", "did you mean `messages_per_hour`?"),
            (
                "[[limits]]\nrole = 1\ntokens_per_day = 1\n[[limits]]\nrole = 1\ntokens_per_day = 2",
                "another entry",
            ),
        ] {
            let told = read(document).expect_err(document);
            assert!(told.contains(expected) && told.contains("cortana.toml: limits"), "{document}: {told}");
        }
    }
}
