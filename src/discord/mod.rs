//! The bot on Discord: events in, messages and slash commands out. The only room that names serenity and poise.

mod alerts;
mod asked;
mod attachments;
mod beginnings;
mod card;
mod checks;
mod choices;
mod commands;
mod connecting;
mod data;
mod embeds;
mod enclosed;
mod error;
mod events;
mod framework;
mod ground;
mod history;
mod interrupted;
mod journal;
mod languages;
mod naming;
mod offers;
mod own;
mod personas;
mod picker;
mod register;
mod reply;
mod ruling;
mod sink;
mod threads;
mod through;
mod transport;
mod usage;

pub use data::Served;
pub use error::DiscordError;
pub use framework::{DiscordParts, run};
