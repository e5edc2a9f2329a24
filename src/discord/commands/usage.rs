//! `/usage`: what somebody has used, and what is left.

use super::{Context, answer, asker, defer, demand_served, language};
use crate::{
    config::Bound,
    discord::{checks::Asker, data::Bot, embeds::relative, error::CommandError, usage::Standing},
    language::{Language, say},
};

/// What you have used, and what is left
#[poise::command(slash_command, install_context = "Guild", interaction_context = "Guild|BotDm")]
pub(super) async fn usage(ctx: Context<'_>) -> Result<(), CommandError> {
    let interaction = defer(ctx).await?;
    if !demand_served(ctx, &interaction).await? {
        return Ok(());
    }
    let said = standing(ctx.framework.user_data, &language(ctx), &asker(ctx)).await;
    answer(ctx, &interaction, &said).await
}

/// What somebody has used and what is left, in a sentence or two.
pub(super) async fn standing(bot: &Bot, language: &Language, asker: &Asker) -> String {
    let [questions, tokens] = bot.standing_of(asker).await;
    let of_questions = match questions.bound {
        Bound::Unlimited => say!(language, "usage-unlimited"),
        Bound::AtMost(limit) => {
            let left = limit.saturating_sub(questions.used);
            say!(language, "usage-questions", asked = questions.used, limit = limit, left = left)
        }
    };
    let of_tokens = match tokens.bound {
        Bound::Unlimited => None,
        Bound::AtMost(limit) => Some(say!(language, "usage-tokens", used = tokens.used, limit = limit)),
    };
    let next = |of: &Standing| match of.bound {
        Bound::Unlimited => None,
        Bound::AtMost(_) => of.full_until.or(of.next_at),
    };
    let again = next(&questions).into_iter().chain(next(&tokens)).min();
    let again = again.map(|at| say!(language, "usage-next", when = relative(at)));
    [Some(of_questions), of_tokens, again].into_iter().flatten().collect::<Vec<_>>().join(" ")
}
