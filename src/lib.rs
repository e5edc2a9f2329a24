//! Cortana: a Discord chat bot with a rotating pool of language-model credentials.
//!
//! The rooms, lowest first; imports run downwards only (ARCHITECTURE.md, held by `tests/it/layering.rs`):
//!
//! | layer | rooms |
//! |---|---|
//! | 0, leaves | [`secret`] [`clock`] [`fs`] [`http`] [`language`] [`shutdown`] [`telemetry`] |
//! | 1 | [`provider`] |
//! | 2 | [`config`] [`credential`] |
//! | 3 | [`oauth`] [`storage`] |
//! | 4 | [`pool`] |
//! | 5 | [`llm`] [`admin`] `hub` (its own feature) |
//! | 6 | [`tools`] |
//! | 7 | [`chat`] |
//! | 8 | [`discord`] |
//! | 9 | [`app`] |
//! | 10 | [`cli`] |

pub mod clock;
pub mod fs;
pub mod http;
pub mod language;
pub mod secret;
pub mod shutdown;
pub mod telemetry;

pub mod provider;

pub mod config;
pub mod credential;

pub mod oauth;
pub mod storage;

pub mod pool;

pub mod admin;
#[cfg(feature = "hub")]
pub mod hub;
pub mod llm;

pub mod tools;

pub mod chat;

pub mod discord;

pub mod app;

pub mod cli;

#[cfg(feature = "sandbox")]
pub mod sandbox;

#[cfg(test)]
mod fuzzing;
