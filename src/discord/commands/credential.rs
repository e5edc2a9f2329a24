//! `/settings credential <credential> [action]`: one credential in detail, and what an operator can do about it; the
//! buttons and the menu under a status lead to the same.

use super::{
    Context, answer, complete_credential, defer, demand_operator, language, model::Chooser,
    oauth_refresh::refresh, report,
};
use crate::{
    credential::CredentialId,
    discord::{
        card::{self, Action},
        data::Bot,
        error::CommandError,
        reply::{Interaction, cut},
    },
    language::{Language, say},
    pool::{CredentialView, NoSuchCredential, Refused, Selector, State},
};

/// Characters of a reason that are kept.
const REASON: usize = 200;

/// What to do about it
#[derive(Debug, Clone, Copy, PartialEq, Eq, poise::ChoiceParameter)]
enum Choice {
    /// Only look.
    #[name = "show"]
    Show,
    /// See [`Action::Disable`].
    #[name = "disable"]
    Disable,
    /// See [`Action::Enable`].
    #[name = "enable"]
    Enable,
    /// See [`Action::ClearCooldown`].
    #[name = "clear cooldown"]
    ClearCooldown,
    /// See [`Action::TryOnceMore`].
    #[name = "try a refused token once more"]
    TryOnceMore,
}

impl Choice {
    fn action(self) -> Option<Action> {
        match self {
            Self::Show => None,
            Self::Disable => Some(Action::Disable),
            Self::Enable => Some(Action::Enable),
            Self::ClearCooldown => Some(Action::ClearCooldown),
            Self::TryOnceMore => Some(Action::TryOnceMore),
        }
    }
}

/// Look at one credential, and disable, enable or unrest it (operators)
#[poise::command(slash_command)]
pub(super) async fn credential(
    ctx: Context<'_>,
    #[description = "Which"]
    #[autocomplete = "complete_credential"]
    credential: String,
    #[description = "What to do about it; only shown without"] action: Option<Choice>,
    #[description = "Why, for the log; shown with a disabled credential"]
    #[max_length = 200]
    reason: Option<String>,
) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_operator(ctx, &interaction).await? {
        return Ok(());
    }
    let bot = ctx.framework.user_data;
    let id = CredentialId::new(credential.trim());
    if view(bot, &id).is_none() {
        let typed: String = id.as_str().chars().filter(char::is_ascii_alphanumeric).take(32).collect();
        let text = say!(language(ctx), "no-such-credential", id = typed);
        return answer(ctx, &interaction, &text).await;
    }
    let by = Chooser::of(ctx);
    let body = match action.and_then(Choice::action) {
        None => shown(bot, &by.language, &id, ""),
        Some(action) => act(bot, &by, action, &id, reason.as_deref()).await,
    };
    Ok(interaction.edit(bot, body).await?)
}

/// A credential was picked from a menu, or is shown again.
pub(in crate::discord) async fn show(
    bot: &Bot,
    interaction: &Interaction,
    by: &Chooser,
    id: &CredentialId,
) -> Result<(), CommandError> {
    Ok(interaction.update(bot, shown(bot, &by.language, id, "")).await?)
}

/// A button of a credential was pressed.
pub(in crate::discord) async fn pressed(
    bot: &Bot,
    interaction: &Interaction,
    by: &Chooser,
    (action, id): (Action, CredentialId),
) -> Result<(), CommandError> {
    interaction.acknowledge(bot).await?;
    let body = act(bot, by, action, &id, None).await;
    Ok(interaction.edit(bot, body).await?)
}

/// Does it, writes the line that an audit looks for, and shows what became of it.
async fn act(
    bot: &Bot,
    by: &Chooser,
    action: Action,
    id: &CredentialId,
    reason: Option<&str>,
) -> serde_json::Value {
    let (user, language) = (by.asker.user, &by.language);
    let Some(before) = view(bot, id) else { return card::gone(language, id) };
    let reason = reason.map(str::trim).filter(|reason| !reason.is_empty()).map(|reason| cut(reason, REASON));
    let done = match action {
        Action::TryOnceMore => return card::question(language, &before),
        Action::Refresh => {
            let (request, reports) =
                refresh(bot, user, &Selector::Credential(id.clone()), Refused::Keep).await;
            let Some(first) = reports.first() else { return card::gone(language, id) };
            if report::failed(first) {
                return report::body(language, &first.provider, &reports, &request);
            }
            return shown(bot, language, id, &report::line(language, first));
        }
        Action::Disable => {
            let disabled = bot.pool.disable(id, reason.clone());
            disabled.map(|()| format!("⛔ {}", say!(language, "disabled-now")))
        }
        Action::Enable => bot.pool.enable(id).map(|()| enabled(bot, language, id)),
        Action::ClearCooldown => {
            bot.pool.clear_cooldown(id).map(|()| format!("✅ {}", say!(language, "rests-no-longer")))
        }
    };
    match done {
        Ok(note) => {
            tracing::info!(
                discord.user = user,
                credential.id = %id,
                action = action.name(),
                reason,
                "An operator acted on a credential"
            );
            shown(bot, language, id, &note)
        }
        Err(NoSuchCredential(_)) => card::gone(language, id),
    }
}

/// What an operator disabled is enabled; what its file or terms disable stays so.
fn enabled(bot: &Bot, language: &Language, id: &CredentialId) -> String {
    match view(bot, id) {
        Some(view) if view.state == State::Disabled => format!("⛔ {}", say!(language, "still-disabled")),
        Some(_) | None => format!("✅ {}", say!(language, "enabled-now")),
    }
}

fn shown(bot: &Bot, language: &Language, id: &CredentialId, note: &str) -> serde_json::Value {
    let Some(credential) = view(bot, id) else { return card::gone(language, id) };
    card::body(language, &credential, bot.pool.link(id).as_ref(), bot.clock.now(), note)
}

fn view(bot: &Bot, id: &CredentialId) -> Option<CredentialView> {
    bot.pool.snapshot().credentials.into_iter().find(|credential| credential.id == *id)
}
