//! The state of the gateway's connection.

use std::sync::Arc;

use poise::serenity_prelude as serenity;

use crate::discord::data::Bot;

/// A session began.
pub(super) fn ready(context: &serenity::Context, bot: &Arc<Bot>, ready: &serenity::Ready) {
    bot.connected.send_replace(true);
    tracing::info!(
        discord.user = ready.user.id.get(),
        discord.guilds = ready.guilds.len(),
        discord.shard = context.shard_id.get(),
        "Connected to Discord"
    );
}

/// A shard's connection changed.
pub(super) fn stage(bot: &Arc<Bot>, event: &serenity::ShardStageUpdateEvent) {
    let is_connected = event.new == serenity::ConnectionStage::Connected;
    let was_connected = event.old == serenity::ConnectionStage::Connected;
    if is_connected != was_connected {
        bot.connected.send_replace(is_connected);
        tracing::info!(
            discord.shard = event.shard_id.get(),
            discord.stage = %event.new,
            "The connection to Discord changed"
        );
    }
}
