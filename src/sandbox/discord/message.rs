//! Messages as they are kept: what is visible now, what was visible when, and who would have been notified.

use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};

use serde::Serialize;
use serde_json::Value;

use super::{ids::Id, reactions::Reaction};

/// Flag: only one person sees it.
pub(crate) const EPHEMERAL: u64 = 1 << 6;
/// Flag: "… is thinking".
pub(crate) const LOADING: u64 = 1 << 7;
/// The flags that a bot may set when it creates a message.
pub(crate) const SETTABLE: u64 = (1 << 2) | EPHEMERAL | (1 << 12);

/// A message, with its past.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    /// Its id.
    pub id: Id,
    /// The channel it is in.
    pub channel_id: Id,
    /// Who wrote it.
    pub author_id: Id,
    /// 0 ordinary, 19 a reply, 20 the answer to a slash command, 23 to a context-menu command.
    #[serde(rename = "type")]
    pub kind: u8,
    /// What a reader sees now.
    pub content: String,
    /// Embeds, as they were sent.
    pub embeds: Vec<Value>,
    /// Component rows, as they were sent.
    pub components: Vec<Value>,
    /// Attached files.
    pub attachments: Vec<Attachment>,
    /// Message flags; 64 is ephemeral, 128 "thinking".
    pub flags: u64,
    /// The sender's own mark, given back once.
    pub nonce: Option<Value>,
    /// The message that this one replies to.
    pub reply_to: Option<Id>,
    /// The interaction that this message answers.
    pub interaction_id: Option<Id>,
    /// Who alone sees it, when it is ephemeral.
    pub visible_to: Option<Id>,
    /// Since the emulator started.
    pub created_at: Duration,
    /// The last edit that changed what is seen.
    pub edited_at: Option<Duration>,
    /// When it was deleted; kept for whoever looks back.
    pub deleted_at: Option<Duration>,
    /// Users named in the message object.
    pub mentions: BTreeSet<Id>,
    /// Roles named in the message object.
    pub mention_roles: BTreeSet<Id>,
    /// Whether the message object says that everyone was mentioned.
    pub mention_everyone: bool,
    /// Reactions, in the order of their first use.
    pub reactions: Vec<Reaction>,
    /// Everything that was visible, in order: the creation and each edit.
    pub timeline: Vec<Revision>,
}

/// What was visible from an instant on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Revision {
    /// Since the emulator started.
    pub at: Duration,
    /// The text: content, then the embeds' texts.
    pub text: String,
    /// The components of that moment.
    pub components: Vec<Value>,
    /// Who would have been notified by this create or edit (D15).
    pub notified: Notified,
}

/// Who a create or an edit would notify.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Notified {
    /// Everyone in the channel.
    pub everyone: bool,
    /// Roles.
    pub roles: BTreeSet<Id>,
    /// Users, the author of the message replied to among them.
    pub users: BTreeSet<Id>,
}

impl Notified {
    /// Whether nobody is.
    pub fn is_nobody(&self) -> bool {
        !self.everyone && self.roles.is_empty() && self.users.is_empty()
    }
}

/// An attached file; its bytes are at its address.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attachment {
    /// Its id.
    pub id: Id,
    /// Its name.
    pub filename: String,
    /// In bytes.
    pub size: usize,
    /// What it is.
    pub content_type: Option<String>,
    /// What the sender said about it.
    pub description: Option<String>,
    /// Where it can be fetched.
    pub url: String,
}

/// A button as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Button {
    /// The text on it, with its emoji.
    pub label: String,
    /// What a click sends; `None` for links.
    pub custom_id: Option<String>,
    /// Whether it can be clicked.
    pub enabled: bool,
}

/// A menu of strings as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Menu {
    /// What a choice sends.
    pub custom_id: String,
    /// What stands on it while nothing is chosen.
    pub placeholder: String,
    /// The labels of what is chosen.
    pub chosen: Vec<String>,
    /// What can be chosen.
    pub values: Vec<String>,
    /// How many of them a choice has.
    pub takes: RangeInclusive<usize>,
    /// Whether it can be used.
    pub enabled: bool,
}

impl Menu {
    /// The menu as a line shows it: `[Provider: Gemini CLI ▾]`.
    pub fn shown(&self) -> String {
        let Self { placeholder, chosen, .. } = self;
        let text = match (placeholder.is_empty(), chosen.is_empty()) {
            (_, true) => placeholder.clone(),
            (true, false) => chosen.join(", "),
            (false, false) => format!("{placeholder}: {}", chosen.join(", ")),
        };
        if self.enabled { format!("[{text} ▾]") } else { format!("[{text} ▾, disabled]") }
    }
}

impl Message {
    /// Whether it has not been deleted.
    pub fn exists(&self) -> bool {
        self.deleted_at.is_none()
    }

    /// Whether only one person sees it.
    pub fn is_ephemeral(&self) -> bool {
        self.flags & EPHEMERAL != 0
    }

    /// Whether it still says "thinking".
    pub fn is_loading(&self) -> bool {
        self.flags & LOADING != 0
    }

    /// The visible text: content, then the embeds' texts, a line each.
    pub fn text(&self) -> String {
        visible_text(&self.content, &self.embeds)
    }

    /// The components of this type, in order.
    fn of_type(&self, kind: u64) -> impl Iterator<Item = &Value> {
        self.components
            .iter()
            .filter_map(|row| row.get("components")?.as_array())
            .flatten()
            .filter(move |component| component.get("type").and_then(Value::as_u64) == Some(kind))
    }

    /// The menus of strings on it, in order.
    pub fn menus(&self) -> Vec<Menu> {
        let text =
            |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        // One value where nothing is said (Components, "String Select Structure").
        let number = |value: &Value, key: &str| {
            value
                .get(key)
                .and_then(Value::as_u64)
                .and_then(|number| usize::try_from(number).ok())
                .unwrap_or(1)
        };
        let is_chosen = |option: &&Value| option.get("default").and_then(Value::as_bool) == Some(true);
        self.of_type(3)
            .map(|menu| {
                let options = menu.get("options").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                Menu {
                    custom_id: text(menu, "custom_id"),
                    placeholder: text(menu, "placeholder"),
                    chosen: options.iter().filter(is_chosen).map(|option| text(option, "label")).collect(),
                    takes: number(menu, "min_values")..=number(menu, "max_values"),
                    values: options.iter().map(|option| text(option, "value")).collect(),
                    enabled: menu.get("disabled").and_then(Value::as_bool) != Some(true),
                }
            })
            .collect()
    }

    /// The buttons on it, in order.
    pub fn buttons(&self) -> Vec<Button> {
        self.of_type(2)
            .map(|button| {
                let part = |pointer: &str| button.pointer(pointer).and_then(Value::as_str);
                let words = [part("/emoji/name"), part("/label")];
                Button {
                    label: words.into_iter().flatten().collect::<Vec<_>>().join(" "),
                    custom_id: part("/custom_id").map(str::to_owned),
                    enabled: button.get("disabled").and_then(Value::as_bool) != Some(true),
                }
            })
            .collect()
    }

    /// Whether a button's `custom_id` starts with `prefix`.
    pub fn has_button(&self, prefix: &str) -> bool {
        self.buttons()
            .iter()
            .any(|button| button.custom_id.as_deref().is_some_and(|custom_id| custom_id.starts_with(prefix)))
    }

    /// Who any create or edit of this message would have notified.
    pub fn notified(&self) -> Notified {
        let mut all = Notified::default();
        for revision in &self.timeline {
            all.everyone |= revision.notified.everyone;
            all.roles.extend(&revision.notified.roles);
            all.users.extend(&revision.notified.users);
        }
        all
    }
}

/// Content, then each embed's title, description, fields and footer, a line each.
pub(crate) fn visible_text(content: &str, embeds: &[Value]) -> String {
    let mut lines = Vec::new();
    if !content.is_empty() {
        lines.push(content.to_owned());
    }
    for embed in embeds {
        let part = |pointer: &str| embed.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        lines.extend([part("/author/name"), part("/title"), part("/description")].into_iter().flatten());
        for field in embed.get("fields").and_then(Value::as_array).into_iter().flatten() {
            let part = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
            lines.push(format!("{}: {}", part("name"), part("value")));
        }
        lines.extend(part("/footer/text"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_visible_text_has_every_part_of_an_embed_that_is_read() {
        let embed = json!({"title": "T", "description": "D", "fields": [{"name": "N", "value": "V"}],
            "footer": {"text": "F"}, "author": {"name": "A"}, "color": 3});
        assert_eq!(visible_text("C", &[embed]), "C\nA\nT\nD\nN: V\nF");
    }
}
