//! Trouble, said to each operator in a direct message (P34): once when it begins, once when it is over.
//!
//! What is said follows from what holds now and what the operator was told before, not from news. So nothing is lost
//! while Discord is away, what came and went meanwhile is not said, and what comes together is one message.

mod letter;
mod person;
mod told;

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use self::{
    person::Person,
    told::{Told, Trouble},
};
use super::{
    data::{Bot, Busy},
    error::RestError,
    transport::without_pings,
};
use crate::{
    clock,
    config::AlertOperators,
    credential::Fingerprint,
    pool::Alert,
    storage::{Setting, Shared, StorageError, Subject},
};

/// What begins or ends within this is said in one message.
const TOGETHER: Duration = Duration::from_secs(2);
/// What could not be said is tried again after this.
const AGAIN: Duration = Duration::from_mins(1);
/// How long the database is waited for; without it the bot remembers until it ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an operator was told, in the database.
const SCOPE: &str = "operator";
const NAME: &str = "alerts_told";

/// A message's flag: nobody fetches its links for a preview ("Message Flags" of Discord's message resource).
const SUPPRESS_EMBEDS: u64 = 1 << 2;

/// Tells operators until the bot ends.
pub(super) fn start(bot: &Arc<Bot>, storage: Arc<Shared>) {
    let told = Arc::clone(bot);
    bot.shutdown.keep("alerts to operators", move || run(Arc::clone(&told), Arc::clone(&storage)));
}

/// Begins once the connection shows what Discord refuses, and the pool has looked at itself.
async fn run(bot: Arc<Bot>, storage: Arc<Shared>) {
    let ending = bot.shutdown.token().clone();
    let (mut connected, mut alerts) = (bot.connected.subscribe(), bot.pool.alerts());
    let (mut served, mut intent) = (bot.served.clone(), bot.intent_refused_at.subscribe());
    let can_begin = async {
        let is_connected = connected.wait_for(|is_connected| *is_connected).await.is_ok();
        is_connected && alerts.wait_for(Option::is_some).await.is_ok()
    };
    let begins = tokio::select! {
        begins = can_begin => begins,
        () = ending.cancelled() => false,
    };
    let mut people: BTreeMap<u64, Person> = BTreeMap::new();
    let mut goes_on = begins;
    while goes_on {
        tokio::select! {
            () = sleep(TOGETHER) => {}
            () = ending.cancelled() => return,
        }
        let refused_at = *intent.borrow_and_update();
        let standing = alerts.borrow_and_update().clone().unwrap_or_default();
        let holds = holds(refused_at.map(|since| Trouble::ContentIntent { since }), standing);
        let how = served.borrow_and_update().settings.alert_operators;
        match how {
            AlertOperators::DirectMessage => tell_all(&bot, &storage, &mut people, &holds).await,
            AlertOperators::Off => {}
        }
        goes_on = tokio::select! {
            changed = alerts.changed() => changed.is_ok(),
            changed = intent.changed() => changed.is_ok(),
            changed = served.changed() => changed.is_ok(),
            () = sleep(AGAIN) => true,
            () = ending.cancelled() => false,
        };
    }
}

/// One after the other. The drain waits for it: what was said is to be remembered.
async fn tell_all(bot: &Arc<Bot>, storage: &Shared, people: &mut BTreeMap<u64, Person>, holds: &[Trouble]) {
    let _busy = Busy::begin(bot);
    for operator in bot.access.all_operators() {
        if bot.shutdown.is_ending() {
            return;
        }
        let person = match people.entry(operator) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let told = recall(bot, storage, operator, holds).await;
                new.insert(Person::new(operator, told))
            }
        };
        tell(bot, storage, person, holds).await;
    }
}

fn holds(intent: Option<Trouble>, alerts: Vec<Alert>) -> Vec<Trouble> {
    intent.into_iter().chain(alerts.into_iter().map(Trouble::Pool)).collect()
}

/// Says what an operator does not know yet.
async fn tell(bot: &Bot, storage: &Shared, person: &mut Person, holds: &[Trouble]) {
    let now = clock::instant();
    let news = person.told.news(holds);
    if news.is_empty() || !person.may_write(now) {
        return;
    }
    let text =
        letter::written(&bot.language_for(person.id, None), &news, &bot.pool.snapshot(), |credential| {
            bot.pool.link(credential)
        });
    match send(bot, person, &text).await {
        Ok(()) => {
            person.wrote(now);
            person.told.take(&news);
            keep(bot, storage, person).await;
        }
        // 50007: direct messages are closed. Or we share no server, or nobody has this id.
        Err(error @ RestError::Status { status: 400 | 403 | 404, .. }) => {
            person.leave_alone(now);
            tracing::warn!(
                discord.user = person.id,
                error = %error,
                pause.hours = person::ALONE.as_secs() / 3600,
                "An operator cannot be told of alerts in a direct message (are theirs closed?); tried again after the pause"
            );
        }
        Err(error) => {
            tracing::debug!(discord.user = person.id, error = %error, "An operator could not be told of alerts; trying again");
        }
    }
}

/// One direct message. The same text to the same operator is one message, however often it is sent within minutes (D25).
async fn send(bot: &Bot, person: &mut Person, text: &str) -> Result<(), RestError> {
    let channel = if let Some(channel) = person.channel {
        channel
    } else {
        let wanted = json!({ "recipient_id": person.id.to_string() });
        let opened = bot.rest.call(Method::POST, "users/@me/channels", Some(&wanted)).await?;
        let id = opened.body.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
        *person.channel.insert(id.ok_or(RestError::Malformed)?)
    };
    let nonce = Fingerprint::of_bytes(format!("{}\n{text}", person.id).as_bytes()).to_string();
    let body = without_pings(json!({
        "content": text,
        "flags": SUPPRESS_EMBEDS,
        "nonce": nonce,
        "enforce_nonce": true,
    }));
    bot.rest.call(Method::POST, &format!("channels/{channel}/messages"), Some(&body)).await.map(drop)
}

fn subject(operator: u64) -> Subject {
    Subject { scope: SCOPE, id: operator.to_string() }
}

/// What an operator was told before this start.
async fn recall(bot: &Bot, storage: &Shared, operator: u64, holds: &[Trouble]) -> Told {
    let read = async {
        let of = [subject(operator)];
        Ok::<_, StorageError>(storage.open().await?.settings(NAME, &of).await?.pop())
    };
    let text = match timeout(PATIENCE, read).await {
        Ok(Ok(found)) => found.map(|(_, text)| text).unwrap_or_default(),
        Ok(Err(error)) => {
            tracing::debug!(error = %error, "What operators were told cannot be read");
            storage.failed(&error).await;
            String::new()
        }
        Err(_) => String::new(),
    };
    let told = Told::parse(&text);
    // Without the state store nobody knew at the start who was refused: that it does not hold says nothing.
    match bot.pool.unread() {
        None => told.of(holds, &bot.pool.snapshot()),
        Some(_) => told.still(holds),
    }
}

/// Remembers what an operator was told beyond this process.
async fn keep(bot: &Bot, storage: &Shared, person: &Person) {
    let setting = Setting {
        name: NAME,
        value: person.told.to_string(),
        set_by: String::new(),
        set_at: bot.clock.now().timestamp_millis(),
    };
    let write = async { storage.open().await?.set(&subject(person.id), &setting).await };
    match timeout(PATIENCE, write).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(error = %error, "What operators were told cannot be kept; after a restart it is said again");
            storage.failed(&error).await;
        }
        Err(_) => tracing::debug!("The database did not take in time what operators were told"),
    }
}
