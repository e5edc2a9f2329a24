//! Who a message would notify: mentions in the text, `allowed_mentions`, and the reply's ping.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    error::FormErrors,
    ids::Id,
    message::Notified,
    world::{Channel, World, permission},
};

/// `allowed_mentions` of a create or an edit (Resources, "Allowed Mentions Object").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum AllowedMentions {
    /// The field was missing: everything in the text counts, and a reply pings.
    #[default]
    Defaults,
    /// The field was there.
    Only {
        /// Kinds that are taken from the text.
        parse: BTreeSet<Kind>,
        /// Roles that may be notified although `roles` is not parsed.
        roles: BTreeSet<Id>,
        /// Users that may be notified although `users` is not parsed.
        users: BTreeSet<Id>,
        /// Whether the author of the message replied to is pinged.
        reply: ReplyPing,
    },
}

/// Kinds of mention in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Everyone,
    Roles,
    Users,
}

/// Whether a reply pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyPing {
    Yes,
    No,
}

impl AllowedMentions {
    /// Reads the field of a body; complaints go to `errors`.
    pub(crate) fn read(body: &Value, path: &str, errors: &mut FormErrors) -> Self {
        let Some(field) = body.get("allowed_mentions").filter(|field| !field.is_null()) else {
            return Self::Defaults;
        };
        let path = format!("{path}allowed_mentions");
        let mut parse = BTreeSet::new();
        for (at, kind) in list(field, "parse").iter().enumerate() {
            match kind.as_str() {
                Some("everyone") => parse.insert(Kind::Everyone),
                Some("roles") => parse.insert(Kind::Roles),
                Some("users") => parse.insert(Kind::Users),
                _ => {
                    errors.add(
                        &format!("{path}.parse.{at}"),
                        "BASE_TYPE_CHOICES",
                        "Value must be one of ('roles', 'users', 'everyone').",
                    );
                    false
                }
            };
        }
        let mut ids = |key: &str, kind: Kind| -> BTreeSet<Id> {
            let given = list(field, key);
            if !given.is_empty() && parse.contains(&kind) {
                errors.add(
                    &path,
                    "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                    format!("parse:[\"{key}\"] and {key}: [ids...] are mutually exclusive."),
                );
            }
            if given.len() > 100 {
                errors.add(
                    &format!("{path}.{key}"),
                    "BASE_TYPE_MAX_LENGTH",
                    "Must be 100 or fewer in length.",
                );
            }
            given.iter().filter_map(Id::sent).collect()
        };
        let (roles, users) = (ids("roles", Kind::Roles), ids("users", Kind::Users));
        let reply = match field.get("replied_user").and_then(Value::as_bool) {
            Some(true) => ReplyPing::Yes,
            Some(false) | None => ReplyPing::No,
        };
        Self::Only { parse, roles, users, reply }
    }
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// What a text names, allowed or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) everyone: bool,
    pub(crate) roles: BTreeSet<Id>,
    pub(crate) users: BTreeSet<Id>,
}

/// Finds `@everyone`, `@here`, `<@1>`, `<@!1>` and `<@&1>`.
pub(crate) fn named(content: &str) -> Named {
    let content = &without_code(content);
    let mut found =
        Named { everyone: content.contains("@everyone") || content.contains("@here"), ..Named::default() };
    for candidate in content.split("<@").skip(1) {
        let Some((inside, _)) = candidate.split_once('>') else { continue };
        let (set, digits) = match inside.strip_prefix('&') {
            Some(digits) => (&mut found.roles, digits),
            None => (&mut found.users, inside.strip_prefix('!').unwrap_or(inside)),
        };
        if let Ok(id) = digits.parse() {
            set.insert(id);
        }
    }
    found
}

/// The text without code blocks and without what stands between backticks: Discord looks for no mention there.
fn without_code(content: &str) -> String {
    let mut kept = String::with_capacity(content.len());
    let mut rest = content;
    while let Some((before, from)) = rest.find('`').and_then(|at| rest.split_at_checked(at)) {
        kept.push_str(before);
        // A backslash takes the first backtick's meaning.
        let escaped = before.ends_with('\\');
        let ticks = from.chars().take_while(|c| *c == '`').count();
        let Some((opening, behind)) = from.split_at_checked(if escaped { 1 } else { ticks }) else { break };
        let code = if escaped { None } else { behind_code(behind, ticks) };
        rest = code.unwrap_or_else(|| {
            kept.push_str(opening);
            behind
        });
    }
    kept.push_str(rest);
    kept
}

/// What follows the code that was opened by so many backticks; `None` when nothing closes it. A block ends at the next
/// three, a span at the next run of the same length.
fn behind_code(text: &str, ticks: usize) -> Option<&str> {
    if ticks >= 3 {
        return Some(text.split_once("```")?.1);
    }
    let mut rest = text;
    while let Some((_, from)) = rest.find('`').and_then(|at| rest.split_at_checked(at)) {
        let run = from.chars().take_while(|c| *c == '`').count();
        let (_, behind) = from.split_at_checked(run)?;
        if run == ticks {
            return Some(behind);
        }
        rest = behind;
    }
    None
}

/// What the message object says, and who would be notified.
pub(crate) fn resolve(
    world: &World,
    channel: &Channel,
    author: Id,
    content: &str,
    replied_author: Option<Id>,
    allowed: &AllowedMentions,
) -> (Named, Notified) {
    let guild = world.guild_of(channel);
    let mut named = named(content);
    named.users.retain(|user| world.users.contains_key(user));
    named.roles.retain(|role| guild.is_some_and(|guild| guild.roles.iter().any(|known| known.id == *role)));
    named.everyone &= guild.is_some();

    let mightier = world.permissions(author, channel) & permission::MENTION_EVERYONE != 0;
    let mut notified = Notified {
        everyone: named.everyone && mightier,
        roles: named
            .roles
            .iter()
            .copied()
            .filter(|role| {
                mightier
                    || guild.is_some_and(|guild| {
                        guild.roles.iter().any(|known| known.id == *role && known.mentionable)
                    })
            })
            .collect(),
        users: named.users.clone(),
    };
    let mut pings_reply = true;
    if let AllowedMentions::Only { parse, roles, users, reply } = allowed {
        notified.everyone &= parse.contains(&Kind::Everyone);
        if !parse.contains(&Kind::Roles) {
            notified.roles.retain(|role| roles.contains(role));
        }
        if !parse.contains(&Kind::Users) {
            notified.users.retain(|user| users.contains(user));
        }
        pings_reply = *reply == ReplyPing::Yes;
    }
    let mut shown = named;
    shown.everyone = notified.everyone;
    shown.roles.clone_from(&notified.roles);
    // Discord keeps users in the object's `mentions` only as far as they are allowed.
    shown.users.clone_from(&notified.users);
    if let Some(replied) = replied_author.filter(|_| pings_reply) {
        shown.users.insert(replied);
        notified.users.insert(replied);
    }
    let audience = world.audience(channel);
    notified.users.retain(|user| *user != author && audience.contains(user));
    (shown, notified)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mentions_are_found_in_each_of_their_forms() {
        let found = named("<@1> <@!2> <@&3> <@x> <@4 @here");
        assert!(found.everyone);
        assert_eq!(found.users, [Id(1), Id(2)].into());
        assert_eq!(found.roles, [Id(3)].into());
    }

    #[test]
    fn mentions_in_code_are_none() {
        let cases = [
            ("`<@1>` <@2>", vec![2]),
            ("``<@1> ` <@2>`` <@3>", vec![3]),
            ("```rust\n<@1>\n``` <@2>", vec![2]),
            ("```<@1> `` ` <@2>```<@3>", vec![3]),
            ("`<@1>", vec![1]),
            ("```<@1> ``", vec![1]),
            ("\\`<@1>\\`", vec![1]),
            ("``<@1>`", vec![1]),
            ("`é` <@1> `<@2>`", vec![1]),
        ];
        for (text, users) in cases {
            let users = users.into_iter().map(Id).collect();
            assert_eq!(named(text).users, users, "{text}");
        }
        assert!(!named("`@everyone`").everyone);
    }

    #[test]
    fn an_empty_object_allows_nothing_and_a_missing_one_everything() {
        let mut errors = FormErrors::default();
        assert_eq!(AllowedMentions::read(&json!({}), "", &mut errors), AllowedMentions::Defaults);
        let AllowedMentions::Only { parse, reply, .. } =
            AllowedMentions::read(&json!({"allowed_mentions": {}}), "", &mut errors)
        else {
            panic!("the field was there");
        };
        assert!(parse.is_empty());
        assert_eq!(reply, ReplyPing::No);
        assert!(errors.into_result().is_ok());
    }

    #[test]
    fn parsing_a_kind_and_listing_it_exclude_each_other() {
        let mut errors = FormErrors::default();
        let body = json!({"allowed_mentions": {"parse": ["users"], "users": ["1"]}});
        AllowedMentions::read(&body, "", &mut errors);
        assert!(errors.into_result().is_err());
    }
}
