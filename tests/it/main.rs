//! The integration tests: one crate, a file a subject. Each test that shows a promise carries its number in its name.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where by its panic")]

mod admin;
mod chat;
mod cli;
mod cli_credentials;
mod cli_sandbox;
mod config;
mod credentials;
mod credentials_guard;
mod credentials_writes;
mod discord_bot;
mod discord_contract;
mod discord_settings;
mod discord_trouble;
mod docs_in_sync;
mod emulator;
mod failover;
mod kill;
mod layering;
mod llm;
mod llm_logins;
mod login_to_answer;
mod metrics;
mod mounts;
mod oauth;
mod oauth_vendor;
mod pool;
mod pool_alerts;
mod pool_health;
mod pool_machine;
mod pool_memory;
mod pool_processes;
mod run;
mod support;
mod wires;
mod wires_judged;
