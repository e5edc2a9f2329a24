//! How chats are run: models, time limits, the system prompt.

use std::time::Duration;

use chrono_tz::Tz;

use super::{
    Persona,
    fallbacks::{self, Fallbacks},
    file::Section,
    names, personas, providers,
    reader::Reader,
};
use crate::provider::{Catalog, ModelRef, ProviderId};

/// The chat settings.
#[derive(Debug, Clone)]
pub struct ChatSettings {
    /// `PROVIDER_ORDER`, resolved: every provider, the named ones first.
    pub provider_order: Vec<ProviderId>,
    /// `DEFAULT_MODEL`; `None`: the first usable provider's default.
    pub default_model: Option<ModelRef>,
    /// `[fallbacks]` of `cortana.toml`: what answers in a model's place.
    pub fallbacks: Fallbacks,
    /// `GUILD_MODELS`: what people may choose.
    pub allowed_models: AllowedModels,
    /// `REQUEST_DEADLINE_SECS`: from the message to the first event of the answer (P25).
    pub deadline: Duration,
    /// `STREAM_IDLE_SECS`: the longest silence in a stream.
    pub stream_idle: Duration,
    /// `STREAM_MAX_SECS`: the longest stream.
    pub stream_max: Duration,
    /// The text of `SYSTEM_PROMPT_FILE`, or the built-in one.
    pub system_prompt: String,
    /// `TIME_ZONE`: what the model is told the time in.
    pub time_zone: Tz,
    /// The personas of `PERSONAS_DIR`.
    pub personas: Vec<Persona>,
    /// `CONVERSATION_TTL_SECS`: after this silence a conversation starts afresh.
    pub conversation_ttl: Duration,
    /// `CONVERSATION_MESSAGES`: messages of a conversation that are read, the question among them.
    pub most_messages: usize,
}

/// The models that may be chosen from Discord.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedModels {
    /// Every one.
    All,
    /// These.
    Listed(Vec<AllowedModel>),
}

/// An entry of that list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedModel {
    /// Everything of a provider: `gemini_cli` or `gemini_cli/*`.
    Provider(ProviderId),
    /// One model: `gemini_cli/gemini-2.5-pro`.
    Model(ModelRef),
}

impl AllowedModels {
    const NAME: &str = "GUILD_MODELS";

    /// Whether people may choose it.
    pub fn allows(&self, model: &ModelRef) -> bool {
        match self {
            Self::All => true,
            Self::Listed(entries) => entries.iter().any(|entry| match entry {
                AllowedModel::Provider(provider) => *provider == model.provider,
                AllowedModel::Model(allowed) => allowed == model,
            }),
        }
    }

    fn read(reader: &mut Reader<'_>, catalog: &Catalog) -> Self {
        let entries = reader.list(Self::NAME);
        if entries.is_empty() || entries.iter().any(|entry| entry == "*") {
            return Self::All;
        }
        let mut allowed = Vec::new();
        for entry in entries {
            let (provider, model) = entry.split_once('/').unwrap_or((&entry, "*"));
            let Some(id) = providers::known(reader, Self::NAME, provider, catalog) else { continue };
            let model = model.trim();
            if model == "*" || model.is_empty() {
                allowed.push(AllowedModel::Provider(id));
                continue;
            }
            let known: Vec<&str> =
                catalog.get(&id).into_iter().flat_map(|row| &row.models).map(|model| &*model.id).collect();
            if model.contains('*') {
                let expected =
                    format!("expected {id}/MODEL, or {id} for all of its models; `*` stands alone");
                reader.mistake(Self::NAME, &entry, expected);
            } else if !known.contains(&model) {
                let near = names::suggestion(model, known.iter().copied());
                reader.warn(format!("{} names {entry}, which {id} does not offer{near}", Self::NAME));
            }
            allowed.push(AllowedModel::Model(ModelRef { provider: id, model: model.to_owned() }));
        }
        Self::Listed(allowed)
    }
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            provider_order: Vec::new(),
            default_model: None,
            fallbacks: Fallbacks::new(),
            allowed_models: AllowedModels::All,
            deadline: Duration::from_mins(1),
            stream_idle: Duration::from_secs(45),
            stream_max: Duration::from_mins(14),
            system_prompt:
                "You are Cortana, a helpful assistant in a Discord chat. Answer in Discord's Markdown, \
                            briefly unless asked for more."
                    .to_owned(),
            time_zone: Tz::UTC,
            personas: Vec::new(),
            conversation_ttl: Duration::from_mins(30),
            most_messages: 100,
        }
    }
}

impl ChatSettings {
    pub(super) fn read(reader: &mut Reader<'_>, catalog: &Catalog, file: &mut Section) -> Self {
        let default = Self::default();
        let prompt = reader.text("SYSTEM_PROMPT_FILE");
        let settings = Self {
            provider_order: catalog.iter().map(|row| row.id.clone()).collect(),
            default_model: providers::default_model(reader, catalog),
            fallbacks: fallbacks::read(reader, catalog, file),
            allowed_models: AllowedModels::read(reader, catalog),
            deadline: reader.seconds("REQUEST_DEADLINE_SECS", default.deadline, 5..=900),
            stream_idle: reader.seconds("STREAM_IDLE_SECS", default.stream_idle, 5..=900),
            stream_max: reader.seconds("STREAM_MAX_SECS", default.stream_max, 10..=7200),
            system_prompt: prompt
                .and_then(|path| reader.file("SYSTEM_PROMPT_FILE", &path))
                .unwrap_or(default.system_prompt),
            time_zone: time_zone(reader, default.time_zone),
            personas: personas::read(reader),
            conversation_ttl: reader.seconds(
                "CONVERSATION_TTL_SECS",
                default.conversation_ttl,
                60..=2_592_000,
            ),
            most_messages: reader.number("CONVERSATION_MESSAGES", default.most_messages, 1..=500),
        };
        if settings.stream_idle > settings.stream_max {
            reader.warn("STREAM_IDLE_SECS is longer than STREAM_MAX_SECS and never comes to pass");
        }
        settings
    }
}

fn time_zone(reader: &mut Reader<'_>, default: Tz) -> Tz {
    const NAME: &str = "TIME_ZONE";
    let Some(text) = reader.text(NAME) else { return default };
    text.parse().unwrap_or_else(|_| {
        let near = names::suggestion(&text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
        reader.mistake(NAME, &text, format!("expected a time zone's name, such as Europe/Berlin{near}"));
        default
    })
}
