//! `cortana hf`: what can be called of Hugging Face's hub.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be done with the hub.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum HfCommand {
    /// Models with GGUF files: downloads, likes, files, sizes and the memory that they need
    Search(SearchOptions),
    /// Fetch a file; goes on where an earlier attempt broke off, and checks its SHA-256
    #[command(after_help = PULL_EXAMPLES)]
    Pull(PullOptions),
}

const PULL_EXAMPLES: &str = "\
Examples:
  cortana hf search qwen3-4b
  cortana hf pull unsloth/Qwen3-4B-GGUF Qwen3-4B-Q4_K_M.gguf --to models";

/// Options of `hf search`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SearchOptions {
    /// A part of the model's name
    #[arg(value_name = "QUERY")]
    pub(in crate::cli) query: String,

    /// Print JSON instead of a table
    #[arg(long)]
    pub(in crate::cli) json: bool,

    /// So many models at most; of a single one, every file is shown
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_most_50)]
    pub(in crate::cli) limit: usize,
}

/// Options of `hf pull`.
#[derive(Debug, Args)]
pub(in crate::cli) struct PullOptions {
    /// OWNER/MODEL
    #[arg(value_name = "REPO")]
    pub(in crate::cli) repo: String,

    /// The file's name there
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: String,

    /// The folder that it goes to; made when missing
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    pub(in crate::cli) to: PathBuf,

    /// Print JSON instead of a sentence
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Each model costs the hub a request.
fn at_most_50(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|limit| (1..=50).contains(limit)).ok_or_else(|| "expected 1 to 50".to_owned())
}
