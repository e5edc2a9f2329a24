//! The floor of Rust: the least that streams a model's answer into Discord with serenity, its own rate limiter at work.
//!
//! A mention is answered by one chat completion; the reply appears with the first words and is edited at most once a
//! second while more come, as most bots of this kind do. Its environment is what `talk.py` gives to every bot.

use std::{
    env,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::StreamExt as _;
use serde_json::{Value, json};
use serenity::{
    all::{CreateAllowedMentions, CreateMessage, EditMessage, GatewayIntents, Message},
    async_trait,
    client::{ClientBuilder, Context, EventHandler},
    http::HttpBuilder,
};

const EVERY: Duration = Duration::from_secs(1);
const LIMIT: usize = 2000;

struct Bot {
    models: reqwest::Client,
}

#[async_trait]
impl EventHandler for Bot {
    async fn message(&self, context: Context, message: Message) {
        let me = context.cache.current_user().id;
        if !message.author.bot
            && message.mentions_user_id(me)
            && let Err(error) = self.answer(&context, &message).await
        {
            eprintln!("{error:#}");
        }
    }
}

impl Bot {
    async fn answer(&self, context: &Context, question: &Message) -> anyhow::Result<()> {
        let request = json!({
            "model": variable("OPENAI_MODEL")?,
            "stream": true,
            "messages": [{"role": "user", "content": question.content}],
        });
        let answer = self
            .models
            .post(format!("{}/chat/completions", variable("OPENAI_API_BASE")?))
            .bearer_auth(variable("OPENAI_API_KEY")?)
            .json(&request)
            .send()
            .await?
            .error_for_status()?;
        let mut chunks = answer.bytes_stream();
        let (mut line, mut text) = (Vec::new(), String::new());
        let mut reply: Option<(Message, Instant)> = None;
        while let Some(chunk) = chunks.next().await {
            for byte in chunk? {
                if byte != b'\n' {
                    line.push(byte);
                    continue;
                }
                let word = word_in(&line);
                line.clear();
                if text.len() + word.len() > LIMIT {
                    if let Some((mut full, _)) = reply.take() {
                        full.edit(context, EditMessage::new().content(&text)).await?;
                    }
                    text.clear();
                }
                text.push_str(&word);
                if text.trim().is_empty() || word.is_empty() {
                    continue;
                }
                match &mut reply {
                    None => {
                        let nobody = CreateAllowedMentions::new();
                        let first = CreateMessage::new().content(&text).reference_message(question);
                        let first = first.allowed_mentions(nobody);
                        reply = Some((question.channel_id.send_message(context, first).await?, Instant::now()));
                    }
                    Some((shown, edited)) if edited.elapsed() >= EVERY => {
                        shown.edit(context, EditMessage::new().content(&text)).await?;
                        *edited = Instant::now();
                    }
                    Some(_) => {}
                }
            }
        }
        if let Some((mut last, _)) = reply
            && last.content != text
        {
            last.edit(context, EditMessage::new().content(&text)).await?;
        }
        Ok(())
    }
}

fn word_in(line: &[u8]) -> String {
    let event = line.strip_prefix(b"data: ").and_then(|event| serde_json::from_slice::<Value>(event).ok());
    let word = event.as_ref().and_then(|event| event.pointer("/choices/0/delta/content")).and_then(Value::as_str);
    word.unwrap_or_default().to_owned()
}

fn variable(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is not set; talk.py sets it"))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // serenity limits its requests only where it speaks to discord.com.
    let address: SocketAddr = variable("DISCORD_TLS_ADDRESS")?.parse()?;
    let authority = STANDARD.decode(variable("DISCORD_TLS_AUTHORITY")?)?;
    let http = reqwest::Client::builder()
        .resolve("discord.com", address)
        .add_root_certificate(reqwest::Certificate::from_der(&authority)?)
        .build()?;
    let http = HttpBuilder::new(variable("DISCORD_TOKEN")?).client(http).build();
    let intents = GatewayIntents::non_privileged() | GatewayIntents::MESSAGE_CONTENT;
    let bot = Bot { models: reqwest::Client::new() };
    ClientBuilder::new_with_http(http, intents).event_handler(bot).await?.start().await?;
    Ok(())
}
