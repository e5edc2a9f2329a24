//! Conversations that are played on the emulated Discord, and what of them reached the model.

use std::{collections::BTreeMap, time::Duration};

use cortana::sandbox::{
    Sandbox,
    discord::{Id, Message},
    vendor::{Kind, Reply},
};
use serde_json::Value;

use super::bot::{Bot, SOON};

/// What a model was sent: "user: …" or "model: …" each, without the labels of speakers.
pub(crate) fn last_asked(bot: &Bot) -> Vec<String> {
    chats(bot).last().map(messages).expect("a chat")
}

/// The system prompt of the newest chat.
pub(crate) fn last_system(bot: &Bot) -> String {
    let chats = chats(bot);
    let system = chats.last().expect("a chat").pointer("/request/systemInstruction/parts/0/text");
    system.and_then(Value::as_str).expect("a system prompt").to_owned()
}

/// The bodies of the chats so far, on Code Assist's wire.
pub(crate) fn chats(bot: &Bot) -> Vec<Value> {
    let all = bot.sandbox().vendors().requests();
    all.into_iter().filter(|request| request.kind == Kind::Chat).map(|request| request.body).collect()
}

/// The messages of such a body.
pub(crate) fn messages(body: &Value) -> Vec<String> {
    let contents = body.pointer("/request/contents").and_then(Value::as_array).expect("contents");
    let said = |content: &Value| {
        let parts = content["parts"].as_array().expect("parts").iter();
        let text: String = parts.filter_map(|part| part["text"].as_str()).collect();
        format!("{}: {}", content["role"].as_str().expect("a role"), without_labels(&text))
    };
    contents.iter().map(said).collect()
}

/// A text without `⟦from NAME⟧` at the beginning of its lines.
fn without_labels(text: &str) -> String {
    let bare = |line: &str| match line.strip_prefix("⟦from ").and_then(|rest| rest.split_once('⟧')) {
        Some((_, said)) => said.trim_start().to_owned(),
        None => line.to_owned(),
    };
    text.lines().map(bare).collect::<Vec<_>>().join("\n")
}

/// A place in which people write, with names for what they wrote.
pub(crate) struct Scene<'b> {
    bot: &'b Bot,
    pub(crate) channel: Id,
    ids: BTreeMap<String, Id>,
}

impl<'b> Scene<'b> {
    /// Nothing was written there yet.
    pub(crate) fn new(bot: &'b Bot, channel: Id) -> Self {
        Self { bot, channel, ids: BTreeMap::new() }
    }

    /// The same names in another place.
    pub(crate) fn moved(&self, channel: Id) -> Self {
        Self { bot: self.bot, channel, ids: self.ids.clone() }
    }

    /// With names for what was written before.
    pub(crate) fn knowing(mut self, names: &[(&str, Id)]) -> Self {
        self.ids.extend(names.iter().map(|(name, id)| ((*name).to_owned(), *id)));
        self
    }

    /// A message by its name.
    pub(crate) fn id(&self, name: &str) -> Id {
        self.ids[name]
    }

    /// Somebody writes; the text, with `@` for the bot, is its name.
    pub(crate) fn say(&mut self, user: Id, text: &str) -> Id {
        let id = self.bot.sandbox().say(self.channel, user, &self.written(text)).expect("they may write");
        self.ids.insert(text.to_owned(), id);
        id
    }

    /// Somebody replies to a message.
    pub(crate) fn reply(&mut self, user: Id, to: &str, text: &str) -> Id {
        let id =
            self.bot.sandbox().reply_to(self.ids[to], user, &self.written(text)).expect("they may write");
        self.ids.insert(text.to_owned(), id);
        id
    }

    fn written(&self, text: &str) -> String {
        text.replace('@', &self.bot.sandbox().mention())
    }

    /// The answer to what was written last, which is this text and has it as its name.
    pub(crate) async fn answered(&mut self, question: &str, answer: &str) {
        let question = self.ids[question];
        let channel = self.channel;
        let text = answer.to_owned();
        let found = move |sandbox: &Sandbox| answer_in(sandbox, channel, question, &text);
        let message = self.bot.sandbox().wait_for(SOON, found).await;
        self.ids.insert(answer.to_owned(), message.unwrap_or_else(|_| panic!("{answer}: no answer")).id);
    }

    /// The next answers of the model, in order.
    pub(crate) fn model_says(&self, answers: &[&str]) {
        let replies = answers.iter().map(|text| Reply::text(text)).collect();
        self.bot.sandbox().vendors().script("gemini_cli", replies);
    }

    /// Time goes by.
    pub(crate) fn minutes_later(&self, minutes: u64) {
        self.bot.sandbox().advance(Duration::from_mins(minutes));
    }
}

/// A finished message of the bot's after a question that begins with this text.
fn answer_in(sandbox: &Sandbox, channel: Id, question: Id, text: &str) -> Option<Message> {
    let bot = sandbox.discord().landmarks().bot;
    sandbox.messages(channel).into_iter().find(|message| {
        let is_answer = message.author_id == bot && message.id > question;
        is_answer && message.text().starts_with(text) && !message.has_button("stop:")
    })
}
