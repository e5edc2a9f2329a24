//! `cortana run`: the bot itself.

use super::failure::Failure;
use crate::{app, config::Settings, telemetry};

pub(super) async fn run(settings: Settings) -> Result<(), Failure> {
    settings.require_discord_token()?;
    if let Some(directive) = telemetry::init(settings.telemetry.log_format, &settings.telemetry.directives) {
        tracing::warn!(directive, "RUST_LOG holds something that is not understood and is ignored");
    }
    app::run_until_signal(settings).await.map_err(|error| Failure::Failed(error.into()))
}
