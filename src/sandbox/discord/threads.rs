//! Threads: channels that hang on a channel, with their own messages and their own edit budget (Topics, "Threads").

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{
    error::{ApiError, FormErrors, Known},
    ids::Id,
    mentions, payload,
    posting::{Draft, THREAD_STARTER, Upload},
    rules::{self, MessageBody},
    sessions::Needs,
    state::State,
    world::{Channel, Form, Kind, Place, permission},
};

/// Who may see a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever sees its channel.
    Public,
    /// Whoever is in it, and moderators.
    Private,
}

impl Access {
    /// The channel type on the wire.
    fn number(self) -> u8 {
        match self {
            Self::Public => 11,
            Self::Private => 12,
        }
    }
}

/// What makes a channel a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// The channel that it hangs on.
    pub parent: Id,
    /// The message that it was started from; the thread shares its id.
    pub starter: Option<Id>,
    /// Who may see it.
    pub access: Access,
    /// Who started it.
    pub owner: Id,
    /// Who is in it, and since when.
    pub members: BTreeMap<Id, Duration>,
    /// Whether it is closed; a message opens it again unless it is locked.
    pub archived: bool,
    /// Whether only moderators may open it again.
    pub locked: bool,
    /// Minutes without a message after which it closes.
    pub auto_archive_minutes: u64,
    /// When it was last closed or opened.
    pub archive_changed_at: Duration,
}

/// What a thread is started with.
#[derive(Debug)]
pub(crate) struct NewThread {
    pub(crate) parent: Id,
    pub(crate) starter: Option<Id>,
    pub(crate) access: Access,
    pub(crate) owner: Id,
    pub(crate) name: String,
    pub(crate) auto_archive_minutes: u64,
}

impl State {
    /// Starts a thread; whoever started it is in it.
    pub(crate) fn start_thread(&mut self, new: NewThread) -> Result<Id, ApiError> {
        let NewThread { parent, starter, access, owner, name, auto_archive_minutes } = new;
        let channel = self.world.channels.get(&parent).ok_or(Known::UnknownChannel)?;
        if channel.thread.is_some() || matches!(channel.place, Place::Direct { .. }) {
            return Err(Known::NotOnThisChannel.into());
        }
        if let Some(starter) = starter {
            if self.message(starter)?.channel_id != parent {
                return Err(Known::UnknownMessage.into());
            }
            if self.world.channels.contains_key(&starter) {
                return Err(Known::ThreadExists.into());
            }
        }
        let (place, form) = (channel.place, channel.form);
        // A thread from a message has the message's id.
        let id = starter.unwrap_or_else(|| self.new_id());
        let at = self.time.now();
        let thread = Thread {
            parent,
            starter,
            access,
            owner,
            members: [(owner, at)].into(),
            archived: false,
            locked: false,
            auto_archive_minutes,
            archive_changed_at: at,
        };
        let channel = Channel {
            id,
            place,
            form: Form::Text,
            name: name.clone(),
            topic: None,
            overwrites: Vec::new(),
            last_message: None,
            thread: Some(thread),
        };
        self.world.channels.insert(id, channel);
        self.tell_thread("THREAD_CREATE", id);
        if starter.is_some() {
            // The starter's copy in the thread has no content of its own: readers follow its reference.
            self.system_message(id, owner, THREAD_STARTER, String::new())?;
            self.emit_message("MESSAGE_UPDATE", id);
        } else if form == Form::Text && access == Access::Public {
            self.system_message(parent, owner, 18, name)?;
        }
        Ok(id)
    }

    /// A post in a forum: a thread whose first message, which has the same id, comes with it.
    pub(crate) fn post_in_forum(
        &mut self,
        new: NewThread,
        body: MessageBody,
        uploads: Vec<Upload>,
    ) -> Result<Id, ApiError> {
        body.refuse_empty(uploads.len())?;
        let author = new.owner;
        let id = self.start_thread(new)?;
        let draft = Draft {
            id: Some(id),
            author,
            channel: id,
            kind: 0,
            interaction: None,
            visible_to: None,
            flags: 0,
            body,
            uploads,
        };
        self.post(draft)
    }

    /// Whom a person mentions in a private thread is in it from then on.
    pub(crate) fn invite_mentioned(&mut self, thread: Id, author: Id, content: &str) {
        let channel = self.world.channels.get(&thread);
        let Some(found) = channel.and_then(|channel| channel.thread.as_ref()) else { return };
        let by_person = self.world.users.get(&author).is_some_and(|user| user.kind == Kind::Person);
        if found.access == Access::Public || !by_person {
            return;
        }
        let parent = self.world.channels.get(&found.parent);
        let mut invited = mentions::named(content).users;
        invited.retain(|user| parent.is_some_and(|parent| self.world.audience(parent).contains(user)));
        for user in invited {
            // The thread was open a moment ago: its author wrote in it.
            drop(self.join_thread(thread, user, Joined::In));
        }
    }

    fn system_message(&mut self, channel: Id, author: Id, kind: u8, content: String) -> Result<(), ApiError> {
        let body = MessageBody { content: Some(content), ..MessageBody::default() };
        let draft = Draft {
            id: None,
            author,
            channel,
            kind,
            interaction: None,
            visible_to: None,
            flags: 0,
            body,
            uploads: Vec::new(),
        };
        self.post(draft).map(drop)
    }

    /// `50083` where a thread is closed.
    pub(crate) fn refuse_archived(&self, channel: Id) -> Result<(), ApiError> {
        let thread = self.world.channels.get(&channel).and_then(|channel| channel.thread.as_ref());
        if thread.is_some_and(|thread| thread.archived) { Err(Known::ThreadArchived.into()) } else { Ok(()) }
    }

    /// A message is about to be written: it opens a closed thread, unless that is locked, and its author is in it.
    pub(crate) fn enter_thread(&mut self, channel: Id, author: Id) -> Result<(), ApiError> {
        let at = self.time.now();
        let entry = self.world.channels.get_mut(&channel).and_then(|channel| channel.thread.as_mut());
        let Some(thread) = entry else { return Ok(()) };
        if thread.archived && thread.locked {
            return Err(Known::ThreadArchived.into());
        }
        let opened = std::mem::take(&mut thread.archived);
        let joined = thread.members.insert(author, at).is_none();
        if opened {
            thread.archive_changed_at = at;
            self.tell_thread("THREAD_UPDATE", channel);
        }
        if joined {
            self.tell_members(channel, author, Joined::In);
        }
        Ok(())
    }

    /// `PATCH /channels/{id}` of a thread: its name, whether it is closed or locked, when it closes by itself.
    pub(crate) fn change_thread(&mut self, id: Id, body: &Value) -> Result<(), ApiError> {
        let name = body.get("name").and_then(Value::as_str);
        if let Some(name) = name {
            let mut errors = FormErrors::default();
            rules::between_one_and(name, 100, "name", &mut errors);
            errors.into_result()?;
        }
        let flag = |key: &str| body.get(key).and_then(Value::as_bool);
        // A closed thread can only be opened, alone or with other changes.
        if flag("archived") != Some(false) {
            self.refuse_archived(id)?;
        }
        let at = self.time.now();
        let channel = self.world.channels.get_mut(&id).ok_or(Known::UnknownChannel)?;
        if let Some(name) = name {
            name.clone_into(&mut channel.name);
        }
        if let Some(thread) = &mut channel.thread {
            if let Some(archived) = flag("archived") {
                thread.archived = archived;
                thread.archive_changed_at = at;
            }
            thread.locked = flag("locked").unwrap_or(thread.locked);
            thread.auto_archive_minutes = minutes(body)?.unwrap_or(thread.auto_archive_minutes);
        }
        self.tell_thread("THREAD_UPDATE", id);
        Ok(())
    }

    /// Deletes a thread with its messages.
    pub(crate) fn delete_thread(&mut self, id: Id) {
        let Some(channel) = self.world.channels.get(&id) else { return };
        let Some(thread) = &channel.thread else { return };
        let guild = payload::guild_id(self, id);
        let data =
            json!({"id": id, "guild_id": guild, "parent_id": thread.parent, "type": thread.access.number()});
        let at = self.time.now();
        for message in self.messages.values_mut().filter(|message| message.channel_id == id) {
            message.deleted_at = message.deleted_at.or(Some(at));
        }
        self.world.channels.remove(&id);
        self.emit("THREAD_DELETE", guild, Needs::GUILDS, &data);
    }

    /// Somebody joins a thread, or leaves it.
    pub(crate) fn join_thread(&mut self, id: Id, user: Id, way: Joined) -> Result<(), ApiError> {
        self.refuse_archived(id)?;
        let at = self.time.now();
        let channel = self.world.channels.get_mut(&id).ok_or(Known::UnknownChannel)?;
        let thread = channel.thread.as_mut().ok_or(Known::NotOnThisChannel)?;
        let changed = match way {
            Joined::In => thread.members.insert(user, at).is_none(),
            Joined::Out => thread.members.remove(&user).is_some(),
        };
        let is_let_in = way == Joined::In && thread.access == Access::Private;
        if changed {
            if is_let_in && user == self.world.identity.bot {
                self.tell_thread("THREAD_CREATE", id);
            }
            self.tell_members(id, user, way);
        }
        Ok(())
    }

    fn tell_thread(&mut self, event: &str, id: Id) {
        let Some(channel) = self.world.channels.get(&id) else { return };
        if !self.bot_sees(id) {
            return;
        }
        let mut data = payload::channel(self, channel);
        // A bot that is let into a private thread is told of one that is not new.
        let is_new = channel.thread.as_ref().is_some_and(|thread| thread.members.len() <= 1);
        if event == "THREAD_CREATE" && is_new {
            data["newly_created"] = json!(true);
        }
        let guild = payload::guild_id(self, id);
        self.emit(event, guild, Needs::GUILDS, &data);
    }

    fn tell_members(&mut self, id: Id, user: Id, way: Joined) {
        let Some(thread) = self.world.channels.get(&id).and_then(|channel| channel.thread.as_ref()) else {
            return;
        };
        let guild = payload::guild_id(self, id);
        let mut data = json!({"id": id, "guild_id": guild, "member_count": thread.members.len().min(50)});
        match way {
            Joined::In => data["added_members"] = json!([self.thread_member(id, user)]),
            Joined::Out => data["removed_member_ids"] = json!([user]),
        }
        // Without the members' intent a bot hears of itself alone (Gateway, "Thread Members Update").
        if user == self.world.identity.bot {
            self.emit("THREAD_MEMBERS_UPDATE", guild, Needs::GUILDS, &data);
        }
    }

    /// A member of a thread, in the API's shape.
    pub(crate) fn thread_member(&self, id: Id, user: Id) -> Value {
        let thread = self.world.channels.get(&id).and_then(|channel| channel.thread.as_ref());
        let since = thread.and_then(|thread| thread.members.get(&user)).copied().unwrap_or_default();
        json!({"id": id, "user_id": user, "join_timestamp": self.time.iso(since), "flags": 0})
    }

    /// Whether events of a channel go to the bot.
    pub(crate) fn bot_sees(&self, channel: Id) -> bool {
        let channel = self.world.channels.get(&channel);
        let bits = channel.map_or(0, |channel| self.world.permissions(self.world.identity.bot, channel));
        bits & permission::VIEW_CHANNEL != 0
    }

    /// The threads of a server that are open and that the bot sees.
    pub(crate) fn open_threads(&self, guild: Id) -> Vec<&Channel> {
        let is_open = |channel: &&Channel| {
            channel.place == Place::Guild(guild)
                && channel.thread.as_ref().is_some_and(|it| !it.archived)
                && self.bot_sees(channel.id)
        };
        self.world.channels.values().filter(is_open).collect()
    }
}

/// Whether somebody comes into a thread or leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joined {
    In,
    Out,
}

/// `auto_archive_duration`: one of four numbers of minutes.
pub(crate) fn minutes(body: &Value) -> Result<Option<u64>, ApiError> {
    match body.get("auto_archive_duration").filter(|value| !value.is_null()) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(minutes @ (60 | 1440 | 4320 | 10_080)) => Ok(Some(minutes)),
            Some(_) | None => Err(FormErrors::one(
                "auto_archive_duration",
                "BASE_TYPE_CHOICES",
                "Value must be one of {60, 1440, 4320, 10080}.",
            )),
        },
    }
}

/// What a thread's channel object has besides a channel's fields.
pub(crate) fn describe(state: &State, channel: &Channel, thread: &Thread, object: &mut Value) {
    let count = state
        .messages
        .values()
        .filter(|message| message.channel_id == channel.id && message.exists() && message.kind != 21)
        .count();
    object["type"] = json!(thread.access.number());
    object["parent_id"] = json!(thread.parent);
    object["owner_id"] = json!(thread.owner);
    object["message_count"] = json!(count);
    object["total_message_sent"] = json!(count);
    object["member_count"] = json!(thread.members.len().min(50));
    if state.world.channels.get(&thread.parent).is_some_and(|parent| parent.form == Form::Forum) {
        object["applied_tags"] = json!([]);
    }
    object["thread_metadata"] = json!({
        "archived": thread.archived,
        "locked": thread.locked,
        "auto_archive_duration": thread.auto_archive_minutes,
        "archive_timestamp": state.time.iso(thread.archive_changed_at),
        "create_timestamp": state.time.iso(thread.members.get(&thread.owner).copied().unwrap_or_default()),
    });
    if thread.access == Access::Private {
        object["thread_metadata"]["invitable"] = json!(true);
    }
    let bot = state.world.identity.bot;
    if thread.members.contains_key(&bot) {
        object["member"] = state.thread_member(channel.id, bot);
    }
    if let Some(fields) = object.as_object_mut() {
        for absent in ["topic", "position", "permission_overwrites", "nsfw"] {
            fields.remove(absent);
        }
    }
}
