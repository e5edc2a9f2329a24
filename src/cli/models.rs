//! `cortana models`: the models of the providers that have credentials, as a table or as JSON.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::{
    arguments::ModelsOptions,
    failure::Failure,
    one_shot,
    output::{print, print_json, remark},
    provider::unknown,
};
use crate::{
    clock,
    config::Settings,
    llm::{ListError, Llm, Origin},
    pool::Pool,
    provider::{Model, Provider, ProviderId},
    shutdown::Shutdown,
};

/// How long one list may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A model as it is shown.
#[derive(Debug, Serialize)]
struct Line {
    provider: ProviderId,
    model: String,
    /// The tokens that it reads; absent where nobody says so, as with what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<bool>,
    /// `listed` by the provider, or `configured` alone.
    origin: &'static str,
    /// When the provider listed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    listed_at: Option<DateTime<Utc>>,
    /// Whether it answers when nobody chose another of its provider's.
    default: bool,
    #[serde(skip)]
    abilities: String,
}

pub(super) async fn run(settings: &Settings, options: &ModelsOptions) -> Result<(), Failure> {
    if let Some(which) = &options.which
        && settings.providers.get(which).is_none()
    {
        return Err(Failure::Usage(unknown(settings, which)));
    }
    let (lines, failed) = one_shot::with_pool(settings, async |pool| {
        let shutdown = Shutdown::new();
        let llm = one_shot::llm(settings, settings.providers.clone(), pool, &shutdown)?;
        llm.load_lists(&settings.pool.state_dir).await;
        let shown = shown(settings, options, pool);
        let mut failed = Vec::new();
        if options.refresh {
            for id in &shown {
                match llm.refresh_list(id, clock::instant() + PATIENCE).await {
                    Ok(_) | Err(ListError::NotListed) => {}
                    Err(error) => failed.push(format!("The list of {id} could not be read: {error}")),
                }
            }
        }
        shutdown.begin();
        Ok((lines(&llm, &shown), failed))
    })
    .await?;
    for problem in &failed {
        remark(problem);
    }
    if options.json {
        print_json(&lines)?;
    } else if lines.is_empty() {
        print(
            "No provider has a credential: `cortana status` says how to bring one in, `cortana models PROVIDER` shows one all the same.",
        )?;
    } else {
        print(&table(&lines))?;
    }
    if failed.is_empty() { Ok(()) } else { Err(Failure::Shown) }
}

/// The providers to show: the one that was named, else those that have a credential.
fn shown(settings: &Settings, options: &ModelsOptions, pool: &Pool) -> Vec<ProviderId> {
    if let Some(which) = &options.which {
        return vec![which.clone()];
    }
    let credentials = pool.snapshot().credentials;
    let present: BTreeSet<ProviderId> = credentials.into_iter().filter_map(|view| view.provider).collect();
    settings.providers.iter().map(|row| row.id.clone()).filter(|id| present.contains(id)).collect()
}

fn lines(llm: &Llm, shown: &[ProviderId]) -> Vec<Line> {
    let rows = llm.providers();
    let rows = shown.iter().filter_map(|id| rows.get(id));
    rows.flat_map(|row| row.models.iter().map(|model| line(llm, row, model))).collect()
}

fn line(llm: &Llm, row: &Provider, model: &Model) -> Line {
    let (origin, listed_at) = match llm.origin_of(row, &model.id) {
        Origin::Configured => ("configured", None),
        Origin::Listed(at) => ("listed", Some(at)),
    };
    Line {
        provider: row.id.clone(),
        model: model.id.clone(),
        context: model.context,
        images: model.images,
        tools: model.tools,
        origin,
        listed_at,
        default: row.default_model == model.id,
        abilities: model.abilities(),
    }
}

fn table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["model", "what it can", "from"]);
    for line in lines {
        let default = if line.default { " (default)" } else { "" };
        let from = line.listed_at.map_or_else(
            || line.origin.to_owned(),
            |at| format!("listed {}", at.format("%Y-%m-%d %H:%M UTC")),
        );
        table.add_row([format!("{}/{}{default}", line.provider, line.model), line.abilities.clone(), from]);
    }
    table.to_string()
}
