//! What people read is in their language (D28): English and German, held beside each other on an emulated Discord.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::Duration,
};

use cortana::{
    provider::{Catalog, Provider},
    sandbox::{
        Sandbox,
        discord::{Id, Message, RecordedRequest},
        vendor::{Act, Fault, Reply},
    },
};
use serde_json::Value;

use crate::support::bot::{Bot, SOON, World};

/// An answer of the model's that is no language.
const ANSWER: &str = "42";

async fn bot(locale: &str) -> Bot {
    let world = World::new().await.login("gemini_cli", "ann").login("gemini_cli", "bob");
    world.sandbox.speak(locale);
    world.with("ALLOWED_GUILD_IDS", "*").with("USER_MESSAGES_PER_HOUR", "2").connect().await
}

fn script(bot: &Bot, replies: Vec<Reply>) {
    bot.sandbox().vendors().script("gemini_cli", replies);
}

async fn slash(bot: &Bot, person: Id, line: &str) -> Message {
    let channel = bot.sandbox().discord().landmarks().channel;
    let command =
        bot.sandbox().slash(person, channel, line).unwrap_or_else(|error| panic!("{line}: {error}"));
    bot.settled(command).await.remove(0)
}

async fn typed(bot: &Bot, line: &str) {
    let marks = bot.sandbox().discord().landmarks();
    bot.sandbox().autocomplete(marks.owner, marks.channel, line).await.expect(line);
}

/// A form is not a message: it is there once the interaction was answered with one.
async fn form(bot: &Bot, interaction: Id) -> Id {
    bot.sandbox().wait_for(SOON, |sandbox| sandbox.form(interaction)).await.expect("a form");
    interaction
}

/// A person's day with the bot, and an operator's: whatever the bot says to them.
async fn session(locale: &str) -> BTreeSet<String> {
    let bot = bot(locale).await;
    let (sandbox, marks) = (bot.sandbox(), bot.sandbox().discord().landmarks());
    script(&bot, vec![Reply::text(ANSWER)]);
    bot.ask("").await;
    bot.ask("?").await;
    // Slow enough to be stopped, and for somebody else to wait meanwhile.
    script(&bot, vec![Reply::pieces(&["4"; 200]).paced(Duration::from_millis(50))]);
    let question = sandbox.ask("?").unwrap();
    let begun = |answers: &[Message]| answers.iter().any(|answer| answer.text().contains("44"));
    let slow = sandbox.settled(question, SOON, begun).await.unwrap().remove(0);
    sandbox.click(marks.guest, slow.id, "stop:").unwrap();
    sandbox.click(marks.owner, slow.id, "stop:").unwrap();
    bot.settled(question).await;
    sandbox
        .vendors()
        .fault("gemini_cli", Fault::chat(Act::Respond { status: 400, headers: vec![], body: "{}".into() }));
    bot.ask("?").await;
    script(&bot, vec![Reply::text(ANSWER).finishing("MAX_TOKENS"), Reply::text(ANSWER)]);
    for _ in 0..3 {
        let mine = sandbox.say(marks.channel, marks.guest, &format!("{} ?", sandbox.mention())).unwrap();
        bot.settled(mine).await;
    }
    script(&bot, vec![Reply::text("")]);
    bot.ask("?").await;
    script(&bot, vec![Reply::text(&"4 2. ".repeat(3000))]);
    bot.ask("?").await;
    for person in [marks.guest, marks.owner] {
        for line in ["/help", "/reset", "/settings status", "/settings oauth-status", "/settings models"] {
            slash(&bot, person, line).await;
        }
    }
    sandbox.vendors().revoke_refresh("gemini_cli", "ann");
    for line in [
        "/settings model",
        "/settings model model:gemini_cli/gemini-2.5-pro",
        "/settings model model:gemini_cli/gemini-2.5-pro for:1",
        "/settings model model:gemini_cli/gemini-2.5-pro for:3",
        "/settings model model:default",
        "/settings model model:nonsense",
        "/settings provider provider:nonsense",
        "/settings models filter:nonsense",
        "/settings persona persona:nonsense",
        "/settings persona persona:default",
        "/settings status",
        "/settings oauth-refresh provider:gemini_cli",
        "/settings oauth-refresh provider:gemini_cli",
        "/settings oauth-refresh provider:qwen_code",
        "/settings oauth-connect provider:qwen_code",
        "/settings oauth-connect provider:openai",
        "/settings credential credential:nonsense",
        "/chat text:? model:nonsense",
    ] {
        let line = line.replace("for:1", "for:\"this thread\"").replace("for:3", "for:\"this server\"");
        slash(&bot, marks.owner, &line).await;
    }
    for line in
        ["/settings model model:gem", "/settings persona persona:", "/settings oauth-refresh provider:gem"]
    {
        typed(&bot, line).await;
    }
    let opened = sandbox.slash(marks.owner, marks.channel, "/settings persona").unwrap();
    let opened = form(&bot, opened).await;
    let written = [("name", "p"), ("text", "t")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    let sent = sandbox.submit(marks.owner, opened, &BTreeMap::from(written)).unwrap();
    bot.settled(sent).await;
    credentials(&bot).await;
    lines(&bot)
}

/// The cards of credentials, their buttons, and what an operator may do wrong.
async fn credentials(bot: &Bot) {
    let (sandbox, marks) = (bot.sandbox(), bot.sandbox().discord().landmarks());
    let status = slash(bot, marks.owner, "/settings oauth-status").await;
    let id = status.menus().remove(0).values.remove(0);
    for action in ["", " action:disable reason:x", " action:enable", " action:\"clear cooldown\""] {
        slash(bot, marks.owner, &format!("/settings credential credential:{id}{action}")).await;
    }
    let question = slash(bot, marks.owner, &format!("/settings oauth-disconnect credential:{id}")).await;
    sandbox.click(marks.owner, question.id, "card:").unwrap();
    let connect = slash(bot, marks.owner, "/settings oauth-connect provider:gemini_cli").await;
    let opened = form(bot, sandbox.click(marks.owner, connect.id, "connect-paste:").unwrap()).await;
    let answer = BTreeMap::from([("answer".to_owned(), "nonsense".to_owned())]);
    let sent = sandbox.submit(marks.owner, opened, &answer).unwrap();
    let told = |sandbox: &Sandbox| {
        let text = sandbox.message(connect.id)?.text();
        text.starts_with('❌').then_some(sent)
    };
    sandbox.wait_for(SOON, told).await.expect("it cannot be read");
}

/// Every line that the bot sent for somebody to read.
fn lines(bot: &Bot) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for request in bot.sandbox().recorded_requests() {
        if !request.path.contains("/commands") {
            read(&request.body, &mut found);
        }
    }
    found
}

fn read(value: &Value, found: &mut BTreeSet<String>) {
    const READ: [&str; 8] =
        ["content", "title", "description", "label", "placeholder", "name", "value", "text"];
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                match value.as_str() {
                    // The value of a menu's option, and the name of a field, are told apart by what stands beside.
                    Some(_) if field == "value" && fields.contains_key("label") => {}
                    Some(_)
                        if field == "value"
                            && fields.len() == 2
                            && fields.contains_key("name")
                            && !fields.contains_key("inline") => {}
                    Some(text) if READ.contains(&field.as_str()) => {
                        found.extend(text.lines().map(str::to_owned));
                    }
                    Some(_) | None => read(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| read(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The words of a language that no variable stands between, three at least: what a sentence is known by.
fn pieces(file: &str) -> Vec<String> {
    let commands = file.find("\ncommand-").unwrap_or(file.len());
    let text = file.get(..commands).unwrap_or_default();
    let values = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (_, value) = line.split_once(" = ").or_else(|| line.split_once("] "))?;
        Some(value.to_owned())
    });
    let literal = values.flat_map(|value| {
        let mut outside = true;
        let part = |c: char| {
            outside = if c == '{' { false } else { outside || c == '}' };
            if outside && c != '}' && c != '{' { c } else { '\n' }
        };
        value.chars().map(part).collect::<String>().lines().map(str::to_owned).collect::<Vec<_>>()
    });
    let is_sentence = |piece: &String| piece.split_whitespace().filter(|word| word.len() > 1).count() >= 3;
    literal.map(|piece| piece.trim().to_owned()).filter(is_sentence).collect()
}

/// Names, codes and numbers are the same in every language; words are not.
fn has_words(line: &str) -> bool {
    let mut plain = String::new();
    for (at, part) in line.split('`').enumerate() {
        plain.push_str(if at % 2 == 0 { part } else { " " });
    }
    let words = plain.split(|c: char| c.is_whitespace() || c == '·').filter(|word| {
        word.chars().filter(|c| c.is_alphabetic()).count() > 2
            && word.chars().all(|c| c.is_alphabetic() || ".,:;()!?„“".contains(c))
    });
    words.count() >= 2
}

const REASONS: [&str; 2] = ["the refresh token was refused", "disabled by an operator (x)"];

/// Names and notes of providers are rows, and the pool's reasons are what the log says: neither is translated.
fn is_quoted(line: &str) -> bool {
    let catalog = Catalog::builtin();
    let of_a_row = |row: &Provider| {
        let note = row.lifecycle.as_ref().is_some_and(|known| line.contains(&known.note));
        let warning = row.terms.as_ref().is_some_and(|terms| line.contains(&terms.warning));
        line == row.name || note || warning
    };
    // A dialect is called so everywhere, and so is the emulated model.
    let is_file = Path::new(line).extension().is_some_and(|extension| extension == "json");
    let is_name = is_file || line.starts_with("Hello! I am the emulated");
    is_name || catalog.iter().any(of_a_row) || REASONS.iter().any(|reason| line.contains(reason))
}

#[tokio::test]
async fn d28_a_german_persons_session_has_no_english_sentence() {
    let path = format!("{}/locales/en.ftl", env!("CARGO_MANIFEST_DIR"));
    let pieces = pieces(&std::fs::read_to_string(path).unwrap());
    let (english, german) = tokio::join!(session("en-US"), session("de"));
    let all = english.iter().cloned().collect::<Vec<_>>().join("\n");
    let said = pieces.iter().filter(|piece| all.contains(piece.as_str())).count();
    assert!(said > 60, "the session says much: {said} of {} pieces", pieces.len());
    for piece in &pieces {
        let found = german.iter().find(|line| line.contains(piece.as_str()));
        assert!(found.is_none(), "English in German: {piece:?} in {found:?}");
    }
    let same: Vec<_> =
        german.intersection(&english).filter(|line| has_words(line) && !is_quoted(line)).collect();
    assert!(same.is_empty(), "the same in both languages: {same:#?}");
}

#[tokio::test]
async fn d28_a_direct_message_is_answered_in_the_language_that_its_person_used_last() {
    let world = World::new().await.login("gemini_cli", "ann").with("ALLOW_DMS", "nobody");
    let bot = world.connect().await;
    let marks = bot.sandbox().discord().landmarks();
    let told = async |person: Id| bot.settled(bot.sandbox().dm(person, "?").unwrap()).await.remove(0).text();
    assert!(
        told(marks.owner).await.starts_with("I do not answer direct messages"),
        "nothing is known of them"
    );
    bot.sandbox().set_language(marks.guest, "de");
    slash(&bot, marks.guest, "/help").await;
    assert!(told(marks.guest).await.starts_with("Auf Direktnachrichten antworte ich nicht"));
}

#[tokio::test]
async fn d28_a_server_is_spoken_to_in_its_language_and_one_that_chose_none_in_the_default_one() {
    for (locale, greeting) in [("en-US", "Erwähne <@"), ("en-GB", "Mention <@"), ("fr", "Erwähne <@")] {
        let world = World::new().await.login("gemini_cli", "ann").with("DEFAULT_LANGUAGE", "de");
        world.sandbox.speak(locale);
        let bot = world.connect().await;
        let text = bot.ask("").await.remove(0).text();
        assert!(text.starts_with(greeting), "{locale}: {text}");
    }
}

fn is_write(request: &RecordedRequest) -> bool {
    request.method == "PUT" && request.path.ends_with("/commands")
}

#[tokio::test]
async fn d26_d28_the_commands_are_registered_with_their_german_names() {
    let bot = World::new().await.login("gemini_cli", "ann").connect().await;
    bot.sandbox().registered("settings", SOON).await.expect("the commands are registered");
    let written = bot.sandbox().recorded_requests();
    let written = written.iter().find(|request| is_write(request)).expect("they were written");
    let settings =
        written.body.as_array().unwrap().iter().find(|command| command["name"] == "settings").unwrap();
    assert_eq!(settings["name_localizations"]["de"], "einstellungen");
    assert_eq!(settings["name_localizations"].get("en-GB"), None, "English is what stands there anyway");
    let (world, _) = {
        bot.shutdown.begin();
        bot.ended().await
    };
    let bot = world.connect().await;
    let writes = bot.sandbox().recorded_requests().iter().filter(|request| is_write(request)).count();
    assert_eq!(writes, 1, "nothing changed, so nothing is written");
}
