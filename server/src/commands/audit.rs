//! `rondo audit export|verify`

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::Subcommand;

use super::in_words;
use crate::{config::Config, wiring::Foundation};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write the whole audit log as JSON Lines
    Export {
        /// The file to write; without, standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Check that nothing in an export was altered, left out or added; needs neither server nor database
    Verify {
        /// The export
        file: PathBuf,
    },
}

pub(super) async fn export(config: &Config, out: Option<&Path>) -> Result<ExitCode> {
    let foundation = Foundation::lay(config).await?;
    let service = foundation.console(config)?;
    let mut pieces = service.console_export_audit().await.map_err(|problem| in_words(&problem))?;
    let mut writer: Box<dyn Write + Send> = match out {
        None => Box::new(io::stdout()),
        Some(path) => {
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
            Box::new(file.with_context(|| format!("{} cannot be written", path.display()))?)
        }
    };
    while let Some(piece) = pieces.recv().await {
        let piece = piece.map_err(|problem| in_words(&problem))?;
        writer.write_all(piece.as_bytes()).context("the export cannot be written")?;
    }
    writer.flush().context("the export cannot be written")?;
    foundation.store.close().await;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn verify(path: &Path) -> Result<ExitCode> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let verdict =
        audit::verify::verify(BufReader::new(file)).with_context(|| format!("{} cannot be read", path.display()))?;
    if let Some(fault) = &verdict.fault {
        println!("{}: {fault}", path.display());
        println!("{} entries before it are sound", verdict.entries);
        return Ok(ExitCode::FAILURE);
    }
    let extent = if verdict.whole { "the whole log" } else { "a part of the log" };
    println!("sound: {} entries, {extent}, up to entry {}", verdict.entries, verdict.head.seq);
    println!("head {}", verdict.head.hash);
    Ok(ExitCode::SUCCESS)
}
