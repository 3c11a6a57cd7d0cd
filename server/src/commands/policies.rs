//! `rondo policies reset`

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::in_words;
use crate::{config::Config, wiring::Foundation};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Go back to the policies of the program, without those that administrators have written
    Reset,
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<ExitCode> {
    let Command::Reset = command;
    let foundation = Foundation::lay(config).await?;
    let service = foundation.console(config)?;
    match service.console_reset_policies().await.map_err(|problem| in_words(&problem))? {
        Some(version) => println!("The policies {version} of the administrators are no longer in force."),
        None => println!("No policies of administrators are in force."),
    }
    foundation.store.close().await;
    Ok(ExitCode::SUCCESS)
}
