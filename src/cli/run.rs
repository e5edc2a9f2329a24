//! `cortana run`: the bot itself.

use std::path::Path;

use super::failure::Failure;
use crate::{
    app::{self, Origin},
    config::{self, Settings},
    telemetry,
};

pub(super) async fn run(mut settings: Settings, env_file: Option<&Path>) -> Result<(), Failure> {
    settings.discord.pdf_reader = config::program();
    settings.require_discord_token()?;
    if let Some(directive) = telemetry::init(settings.telemetry.log_format, &settings.telemetry.directives) {
        tracing::warn!(directive, "RUST_LOG holds something that is not understood and is ignored");
    }
    app::run_until_signal(settings, Origin::new(env_file))
        .await
        .map_err(|error| Failure::Failed(error.into()))
}
