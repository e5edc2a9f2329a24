//! Who is served, and whose word counts.

use serde_json::json;

use super::*;
use crate::{
    config::{Audience, DiscordSettings, GuildPolicy},
    http::{Http, HttpOptions},
    secret::Secret,
};

fn application(value: serde_json::Value) -> Application {
    serde_json::from_value(value).unwrap()
}

fn access(settings: DiscordSettings) -> Access {
    let rest = Rest::new(Http::new(&HttpOptions::default()).unwrap(), None, &Secret::new("FAKE")).unwrap();
    let owner = application(json!({ "id": "1", "owner": { "id": "10" }, "team": null }));
    let chat = crate::config::ChatSettings::default();
    let (_, served) = watch::channel(Arc::new(Served { settings, chat }));
    Access::new(served, &owner, Arc::new(rest))
}

fn asker(user: u64, guild: Option<u64>) -> Asker {
    Asker { user, guild, channel: 5, roles: vec![70] }
}

#[test]
fn operators_are_the_owner_or_the_teams_trusted_members() {
    let alone = application(json!({ "id": "1", "owner": { "id": "10" } }));
    assert_eq!(alone.operators(), BTreeSet::from([10]));
    let member = |id: &str, state: u8, role: &str| json!({ "membership_state": state, "role": role, "user": { "id": id } });
    let team = application(json!({
        "id": "1",
        "owner": { "id": "999" },
        "team": { "owner_user_id": "11", "members": [
            member("11", 2, ""), member("12", 2, "admin"), member("13", 2, "developer"),
            member("14", 2, "read_only"), member("15", 1, "admin"),
        ] },
    }));
    assert_eq!(team.operators(), BTreeSet::from([11, 12, 13]));
}

#[tokio::test]
async fn direct_messages_have_an_audience() {
    let with = |direct_messages| access(DiscordSettings { direct_messages, ..Default::default() });
    assert_eq!(with(Audience::Operators).rule(&asker(10, None)).await, Ruling::Serve);
    assert!(matches!(with(Audience::Operators).rule(&asker(20, None)).await, Ruling::Refuse(_)));
    assert_eq!(with(Audience::Everyone).rule(&asker(20, None)).await, Ruling::Serve);
    assert!(matches!(with(Audience::Nobody).rule(&asker(10, None)).await, Ruling::Refuse(_)));
}

#[tokio::test]
async fn lists_are_kept() {
    let settings = DiscordSettings {
        guilds: GuildPolicy::Listed(BTreeSet::from([1])),
        allowed_channel_ids: BTreeSet::from([5]),
        allowed_role_ids: BTreeSet::from([71]),
        blocked_user_ids: BTreeSet::from([66]),
        ..Default::default()
    };
    let access = access(settings);
    assert_eq!(access.rule(&asker(66, Some(1))).await, Ruling::Ignore);
    assert_eq!(access.rule(&asker(10, Some(1))).await, Ruling::Serve, "an operator needs no role");
    assert!(matches!(access.rule(&asker(20, Some(1))).await, Ruling::Refuse(_)), "the role is missing");
    let with_role = Asker { roles: vec![71], ..asker(20, Some(1)) };
    assert_eq!(access.rule(&with_role).await, Ruling::Serve);
    assert!(matches!(access.rule(&asker(10, Some(2))).await, Ruling::Refuse(_)), "the guild is not listed");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_said_once_in_a_while() {
    let access = access(DiscordSettings { direct_messages: Audience::Nobody, ..Default::default() });
    assert!(matches!(access.ruling(&asker(20, None)).await, Ruling::Refuse(_)));
    assert_eq!(access.ruling(&asker(20, None)).await, Ruling::Ignore);
    tokio::time::advance(REMIND).await;
    assert!(matches!(access.ruling(&asker(20, None)).await, Ruling::Refuse(_)));
}

#[test]
fn managing_a_guild_is_read_from_the_roles() {
    let guild: Guild = serde_json::from_value(json!({ "owner_id": "9", "roles": [
        { "id": "1", "permissions": "1024" }, { "id": "2", "permissions": "32" }, { "id": "3", "permissions": "8" },
    ] }))
    .unwrap();
    let manages = |roles: &[&str]| {
        guild.lets_manage(1, &roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>())
    };
    assert!(!manages(&[]));
    assert!(manages(&["2"]) && manages(&["3"]));
}
