//! `rondo migrate`

use std::process::ExitCode;

use anyhow::Result;

use crate::{config::Config, wiring::Foundation};

pub(super) async fn migrate(config: &Config) -> Result<ExitCode> {
    let foundation = Foundation::lay(config).await?;
    println!("the {} database is up to date", foundation.store.name());
    foundation.store.close().await;
    Ok(ExitCode::SUCCESS)
}
