//! `/settings tools [on|off]`: whether models may call tools in this server, and which there are.

use super::{
    Context, answer, defer, demand_operator, language,
    model::{Chooser, unkept},
};
use crate::{
    discord::{choices::Switch, data::Bot, error::CommandError, reply::cut, sink::MESSAGE_LIMIT},
    language::{Language, say},
    tools::{Condition, Needs, Standing, ToolStanding},
};

/// Characters of a tool's name that are shown.
const LONGEST_NAME: usize = 64;

/// Let models call tools in this server or in direct messages (operators)
#[poise::command(slash_command)]
pub(super) async fn tools(
    ctx: Context<'_>,
    #[description = "Whether they may; only shown without"] switch: Option<Switch>,
) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_operator(ctx, &interaction).await? {
        return Ok(());
    }
    let (bot, language) = (ctx.framework.user_data, language(ctx));
    let spot = Chooser::of(ctx).spot;
    if let Some(switch) = switch {
        if let Err(error) = bot.choices.put_tools(&spot, switch, bot.clock.now()).await {
            return answer(ctx, &interaction, &unkept(&language, &error)).await;
        }
        tracing::info!(discord.user = spot.person, tools.switch = ?switch, "Tools were switched");
    }
    let is_on = bot.choices.has_tools(&spot).await;
    let standing = match (is_on, ctx.interaction.guild_id) {
        (true, Some(_)) => format!("🔧 {}", say!(language, "tools-on-server")),
        (true, None) => format!("🔧 {}", say!(language, "tools-on-direct")),
        (false, Some(_)) => say!(language, "tools-off-server"),
        (false, None) => say!(language, "tools-off-direct"),
    };
    let text = format!("{standing}\n{}", programs(bot, &language));
    answer(ctx, &interaction, &cut(&text, MESSAGE_LIMIT)).await
}

fn programs(bot: &Bot, language: &Language) -> String {
    if bot.tools.is_empty() {
        return say!(language, "tools-none");
    }
    let lines: Vec<String> = bot.tools.standings().iter().map(|standing| line(standing, language)).collect();
    lines.join("\n")
}

/// A program on a line, with what models may call of it.
fn line(standing: &Standing, language: &Language) -> String {
    let server = standing.server.as_str();
    let allowed: Vec<String> = standing.tools.iter().filter(|tool| tool.is_allowed).map(shown).collect();
    match &standing.condition {
        Condition::Starting => format!("⏳ {}", say!(language, "tools-starting", server = server)),
        Condition::Down(why) => format!("❌ {}", say!(language, "tools-down", server = server, why = why)),
        Condition::Up if allowed.is_empty() => {
            format!("⚠️ {}", say!(language, "tools-nothing-allowed", server = server))
        }
        Condition::Up => format!("✅ **{server}**: {}", allowed.join(", ")),
    }
}

/// The program's own name, which may be anything.
fn shown(tool: &ToolStanding) -> String {
    let plain = |c: &char| !c.is_control() && *c != '`';
    let name: String = tool.name.chars().filter(plain).take(LONGEST_NAME).collect();
    match tool.needs {
        Needs::Nothing => format!("`{name}`"),
        Needs::Permission => format!("`{name}` 🔐"),
    }
}
