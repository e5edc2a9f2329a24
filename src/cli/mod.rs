//! The operator's command line: one file a command, results on standard output, one error on standard error.
//!
//! Exit codes: 0 success, 1 failure, 2 a mistake in the configuration or in the call.

mod arguments;
mod credential;
mod doctor;
mod failure;
mod health;
mod hf;
mod import;
mod login;
mod logout;
mod models;
mod one_shot;
mod output;
mod pdf_text;
mod provider;
mod refresh;
mod reload;
mod run;
#[cfg(feature = "sandbox")]
mod sandbox;
mod select;
mod status;
mod token;
mod tools;
mod verdict;

use std::{path::Path, process::ExitCode};

pub use arguments::subcommands;
use arguments::{Arguments, Command};
use clap::Parser;
use failure::Failure;

use crate::config::{self, Settings};

/// Reads the arguments, runs the command, prints its error once, and gives the exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are printed to standard output, mistakes to standard error.
        Err(error) => {
            drop(error.print()); // Nobody reads: nothing is left to say.
            return if error.use_stderr() { ExitCode::from(failure::USAGE) } else { ExitCode::SUCCESS };
        }
    };
    if matches!(arguments.command, Some(Command::PdfText)) {
        return pdf_text::run();
    }
    #[cfg(feature = "sandbox")]
    if matches!(arguments.command, Some(Command::SampleTools)) {
        let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
        return crate::sandbox::sample_tools::serve(&config::inherited(), input, output);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return Failure::from(anyhow::anyhow!("the runtime does not start: {error}")).report();
        }
    };
    match runtime.block_on(dispatch(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

async fn dispatch(arguments: Arguments) -> Result<(), Failure> {
    let env_file = arguments.env_file.as_deref();
    match arguments.command.unwrap_or(Command::Run) {
        Command::Run => run::run(settings(env_file)?, env_file).await,
        Command::Status(options) => status::run(&settings(env_file)?, &options).await,
        Command::Credential(command) => credential::run(&settings(env_file)?, &command).await,
        Command::Refresh(options) => refresh::run(&settings(env_file)?, &options).await,
        Command::Token(options) => token::run(&settings(env_file)?, &options).await,
        Command::Login(options) => login::run(&settings(env_file)?, &options).await,
        Command::Logout(options) => logout::run(&settings(env_file)?, &options).await,
        Command::Import(options) => import::run(&settings(env_file)?, &options),
        Command::Reload(options) => reload::run(&settings(env_file)?, &options).await,
        Command::Models(options) => models::run(&settings(env_file)?, &options).await,
        Command::Tools(options) => tools::run(&settings(env_file)?, &options).await,
        Command::Provider(command) => provider::run(&settings(env_file)?, &command).await,
        Command::Health => health::run(&settings(env_file)?).await,
        Command::Doctor(options) => doctor::run(&settings(env_file)?, &options).await,
        Command::PdfText => unreachable!("it runs without a runtime"),
        #[cfg(feature = "sandbox")]
        Command::SampleTools => unreachable!("it runs without a runtime"),
        Command::Hf(command) => hf::run(&settings(env_file)?, &command).await,
        // Reads nothing of this machine: no environment, no `.env`.
        #[cfg(feature = "sandbox")]
        Command::Sandbox(options) => sandbox::run(&options).await,
    }
}

fn settings(env_file: Option<&Path>) -> Result<Settings, Failure> {
    let source = config::environment(env_file)?;
    Ok(config::load(&source)?)
}
