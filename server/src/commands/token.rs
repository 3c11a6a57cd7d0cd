//! `rondo token create`

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use clap::Subcommand;

use super::in_words;
use crate::{config::Config, wiring::Foundation};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create an API token and print it, and nothing else
    Create {
        /// Whose token: the sign-in name
        #[arg(long, value_name = "LOGIN")]
        user: String,
        /// How long it works, as an ISO 8601 duration; without, until it is revoked
        #[arg(long, value_name = "P30D", value_parser = duration)]
        expires: Option<Duration>,
        /// What it is for
        #[arg(long, default_value = "command line")]
        name: String,
    },
}

fn duration(text: &str) -> Result<Duration, String> {
    workflow::duration::parse_iso8601(text)
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "an ISO 8601 duration such as P30D or PT12H".to_owned())
}

pub(super) async fn run(config: &Config, command: Command) -> Result<ExitCode> {
    let Command::Create { user, expires, name } = command;
    let foundation = Foundation::lay(config).await?;
    let service = foundation.console(config)?;
    let token = service.console_create_token(&user, &name, expires).await.map_err(|problem| in_words(&problem))?;
    println!("{}", token.expose());
    foundation.store.close().await;
    Ok(ExitCode::SUCCESS)
}
