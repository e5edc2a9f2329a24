//! The conversation of a channel as somebody who reads it would see it: edits collapsed, embeds as text, buttons named.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{
    Sandbox,
    discord::{Id, Interaction, InteractionKind, Message, State},
};

impl Sandbox {
    /// A text as a reader's client shows it now: times in words, mentions by name. Markup that is not known stays.
    pub fn readable(&self, text: &str) -> String {
        self.discord.read(|state| readable(state, text, state.time.wall_at(state.time.now())))
    }

    /// What is to be read in a channel, from after `after` on.
    pub fn transcript(&self, channel: Id, after: Option<Id>) -> String {
        self.discord.read(|state| {
            let start = after.map_or(Id(0), |after| Id(after.0 + 1));
            let mut entries: Vec<(Id, String)> = state
                .messages
                .range(start..)
                .filter(|(_, message)| message.channel_id == channel && message.exists())
                .map(|(id, message)| (*id, shown_message(state, message)))
                .collect();
            let commands = state.interactions.range(start..).filter(|(_, interaction)| {
                interaction.channel == channel && interaction.kind == InteractionKind::Command
            });
            entries.extend(commands.map(|(id, interaction)| (*id, shown_command(state, interaction))));
            entries.sort_by_key(|(id, _)| *id);
            entries.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n")
        })
    }
}

fn name(state: &State, id: Id) -> String {
    state.world.users.get(&id).map_or_else(|| id.to_string(), |user| user.shown_name().to_owned())
}

fn shown_command(state: &State, interaction: &Interaction) -> String {
    let command = interaction.command_name().unwrap_or_default();
    let mut words = vec![format!("{} used /{command}", name(state, interaction.user))];
    let mut options = interaction.data.get("options");
    while let Some(deeper) = options.and_then(|options| options.pointer("/0/options")) {
        options = Some(deeper);
    }
    for option in options.and_then(Value::as_array).into_iter().flatten() {
        let value =
            option.get("value").map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if let (Some(name), Some(value)) = (option.get("name").and_then(Value::as_str), value) {
            words.push(format!("{name}:{value}"));
        }
    }
    words.join(" ") + "\n"
}

fn shown_message(state: &State, message: &Message) -> String {
    let mut heading = name(state, message.author_id);
    if message.author_id == state.world.identity.bot {
        heading.push_str(" [APP]");
    }
    let at = state.time.wall_at(message.created_at).format("%H:%M:%S").to_string();
    let target = message.reply_to.map(|target| {
        let author = state.messages.get(&target).map(|target| name(state, target.author_id));
        format!("(in reply to {})", author.as_deref().unwrap_or("a deleted message"))
    });
    let only = message.visible_to.map(|person| format!("(only {} can see this)", name(state, person)));
    let heading: Vec<String> = [Some(heading), Some(at), target, only].into_iter().flatten().collect();
    let mut lines = vec![heading.join("  ")];
    let now = state.time.wall_at(state.time.now());
    let mut line = |prefix: &str, content: &str| {
        lines.extend(readable(state, content, now).lines().map(|part| format!("  {prefix}{part}")));
    };
    if message.is_loading() {
        line("", "… is thinking");
    }
    line("", &message.content);
    for embed in &message.embeds {
        let part = |pointer: &str| embed.pointer(pointer).and_then(Value::as_str);
        for pointer in ["/author/name", "/title", "/description"] {
            line("│ ", part(pointer).unwrap_or_default());
        }
        for field in embed.get("fields").and_then(Value::as_array).into_iter().flatten() {
            let part = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
            line("│ ", part("name"));
            line("│   ", part("value"));
        }
        line("│ ", part("/footer/text").unwrap_or_default());
    }
    for attachment in &message.attachments {
        line("", &format!("📎 {} ({} bytes)", attachment.filename, attachment.size));
    }
    for menu in message.menus() {
        line("", &menu.shown());
    }
    let buttons: Vec<String> = message
        .buttons()
        .iter()
        .map(|button| {
            if button.enabled {
                format!("[{}]", button.label)
            } else {
                format!("[{}, disabled]", button.label)
            }
        })
        .collect();
    line("", &buttons.join(" "));
    lines.join("\n") + "\n"
}

/// Mentions by name, and instants in words, as Discord's client shows them.
fn readable(state: &State, content: &str, now: DateTime<Utc>) -> String {
    let mut pieces = content.split('<');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let shown = piece.split_once('>').and_then(|(inside, rest)| Some((token(state, inside, now)?, rest)));
        if let Some((shown, rest)) = shown {
            text.push_str(&shown);
            text.push_str(rest);
        } else {
            text.push('<');
            text.push_str(piece);
        }
    }
    text
}

fn token(state: &State, inside: &str, now: DateTime<Utc>) -> Option<String> {
    if let Some(stamp) = inside.strip_prefix("t:") {
        let (seconds, style) = stamp.split_once(':').unwrap_or((stamp, "f"));
        let at = DateTime::from_timestamp(seconds.parse().ok()?, 0)?;
        return Some(if style == "R" { relative(at - now) } else { at.format("%F %H:%M UTC").to_string() });
    }
    if let Some(channel) = inside.strip_prefix('#') {
        return Some(format!("#{}", state.world.channels.get(&channel.parse().ok()?)?.name));
    }
    if let Some(command) = inside.strip_prefix('/') {
        return Some(format!("/{}", command.split_once(':')?.0));
    }
    let user = inside.strip_prefix('@')?;
    if let Some(role) = user.strip_prefix('&') {
        let id: Id = role.parse().ok()?;
        let mut roles = state.world.guilds.values().flat_map(|guild| &guild.roles);
        return roles.find(|role| role.id == id).map(|role| format!("@{}", role.name));
    }
    let id: Id = user.strip_prefix('!').unwrap_or(user).parse().ok()?;
    state.world.users.get(&id).map(|user| format!("@{}", user.shown_name()))
}

/// `in 42 minutes`, `3 hours ago`.
fn relative(distance: TimeDelta) -> String {
    let seconds = distance.num_seconds().unsigned_abs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if distance < TimeDelta::zero() {
        format!("{count} {unit}{plural} ago")
    } else {
        format!("in {count} {unit}{plural}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn markup_is_shown_as_a_client_shows_it() {
        let life = crate::shutdown::Shutdown::new();
        let sandbox = Sandbox::start(([127, 0, 0, 1], 0).into(), &life).await.expect("a free port");
        let places = sandbox.discord().landmarks();
        let shown = |text: &str| {
            let now = DateTime::from_timestamp(1_000_000, 0).expect("an instant");
            sandbox.discord.read(|state| readable(state, text, now))
        };
        assert_eq!(shown("back <t:1003600:R>, since <t:999999:R>"), "back in 1 hour, since 1 second ago");
        assert_eq!(shown("at <t:1000000:f>"), "at 1970-01-12 13:46 UTC");
        assert_eq!(shown(&format!("<@{}> and <@7>", places.bot)), "@Cortana and <@7>");
        assert_eq!(shown("a < b, <b>, <@x>, <t:x:R>, <"), "a < b, <b>, <@x>, <t:x:R>, <");
        life.begin();
    }

    #[test]
    fn distances_are_said_in_the_largest_unit_that_fits() {
        let said = |seconds| relative(TimeDelta::seconds(seconds));
        assert_eq!(said(42 * 60 + 5), "in 42 minutes");
        assert_eq!(said(-1), "1 second ago");
        assert_eq!(said(-7300), "2 hours ago");
        assert_eq!(said(86_400), "in 1 day");
    }
}
