//! `cortana run`: the bot itself.

use super::failure::Failure;
use crate::config::Settings;

pub(super) async fn run(settings: Settings) -> Result<(), Failure> {
    settings.require_discord_token()?;
    Err(Failure::Failed(anyhow::anyhow!("not wired yet")))
}
