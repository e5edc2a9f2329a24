//! `cortana reload`: asks the running bot to read its configuration again, and says what became of it.

use std::time::Duration;

use super::{
    arguments::ReloadOptions,
    failure::Failure,
    one_shot,
    output::{print, print_json},
};
use crate::{
    app::{self, Reloaded},
    config::Settings,
    storage::{OnDamage, Shared},
};

/// How long a running bot may take: it looks once a second.
const PATIENCE: Duration = Duration::from_secs(8);

pub(super) async fn run(settings: &Settings, options: &ReloadOptions) -> Result<(), Failure> {
    one_shot::quiet_logs(settings);
    let storage = Shared::new(settings.storage.clone(), OnDamage::Report);
    let asked = app::ask_to_reload(&storage, PATIENCE).await.map_err(|error| {
        Failure::Failed(anyhow::anyhow!("the running bot cannot be asked over the database: {error}"))
    })?;
    let Some(reloaded) = asked else {
        return Err(Failure::Failed(anyhow::anyhow!(
            "no running bot answered within {} s; is it running, with the same DATABASE_URL and STATE_DIR?",
            PATIENCE.as_secs()
        )));
    };
    if options.json {
        print_json(&reloaded)?;
    } else if reloaded.refused.is_none() {
        print(&sentence(&reloaded))?;
    }
    match reloaded.refused {
        None => Ok(()),
        Some(_) if options.json => Err(Failure::Shown),
        Some(problem) => Err(Failure::Failed(anyhow::anyhow!(
            "the running bot keeps its old configuration. It found {problem}"
        ))),
    }
}

fn sentence(reloaded: &Reloaded) -> String {
    let Reloaded { applied, restart, file, refused: _ } = reloaded;
    let mut lines = Vec::new();
    if file.is_none() {
        lines.push(
            "⚠️ The bot has no `.env` of its own: its variables are those of its process, which only a restart changes (with \
             Docker: `docker compose up -d`)."
                .to_owned(),
        );
    }
    if applied.is_empty() && restart.is_empty() {
        lines.push("✅ Read again; no variable changed.".to_owned());
    }
    if !applied.is_empty() {
        lines.push(format!("✅ Holds from now on: {}", applied.join(", ")));
    }
    if !restart.is_empty() {
        lines.push(format!("⚠️ Needs a restart: {}", restart.join(", ")));
    }
    lines.join("\n")
}
