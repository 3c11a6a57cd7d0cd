//! `rondo definitions export|import`

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, ensure};
use clap::Subcommand;
use domain::{FileOutcome, Name, view::FileReport};
use service::{DefinitionFile, ExportedVersions, is_definition_file};

use super::in_words;
use crate::{config::Config, wiring::Foundation};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write definitions into a tar archive: the version of each workflow that can be launched
    Export {
        /// Only those of this namespace
        #[arg(long, value_name = "NAMESPACE", value_parser = namespace)]
        namespace: Option<Name>,
        /// All versions in every state
        #[arg(long)]
        all: bool,
        /// The file to write; without, or as -, standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make drafts of definitions; what is there already stays as it is
    Import {
        /// Definitions in YAML or JSON, tar archives of them, and folders, of which all definitions are taken
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The sign-in name of the person who becomes their author; the rights of this person count
        #[arg(long, value_name = "LOGIN")]
        author: String,
    },
}

fn namespace(text: &str) -> Result<Name, String> {
    text.parse().map_err(|cause: domain::InvalidName| cause.to_string())
}

pub(super) async fn run(config: &Config, command: Command) -> Result<ExitCode> {
    match command {
        Command::Export { namespace, all, out } => {
            let versions = if all { ExportedVersions::All } else { ExportedVersions::Launchable };
            export(config, namespace, versions, out.as_deref().filter(|out| *out != Path::new("-"))).await
        }
        Command::Import { files, author } => import(config, &files, &author).await,
    }
}

async fn export(
    config: &Config,
    namespace: Option<Name>,
    versions: ExportedVersions,
    out: Option<&Path>,
) -> Result<ExitCode> {
    let foundation = Foundation::lay(config).await?;
    let service = foundation.console(config)?;
    let pieces = service.console_export_definitions(namespace, versions).await;
    let mut pieces = pieces.map_err(|problem| in_words(&problem))?;
    let mut writer: Box<dyn Write + Send> = match out {
        None => Box::new(io::stdout()),
        Some(path) => {
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
            Box::new(file.with_context(|| format!("{} cannot be written", path.display()))?)
        }
    };
    while let Some(piece) = pieces.recv().await {
        let piece = piece.map_err(|problem| in_words(&problem))?;
        writer.write_all(&piece).context("the archive cannot be written")?;
    }
    writer.flush().context("the archive cannot be written")?;
    foundation.store.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn import(config: &Config, paths: &[PathBuf], author: &str) -> Result<ExitCode> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            gather(path, &mut files)?;
            ensure!(files.len() > before, "{} holds no file whose name ends in .yaml, .yml or .json", path.display());
        } else {
            files.push(read(path)?);
        }
    }
    let foundation = Foundation::lay(config).await?;
    let service = foundation.console(config)?;
    let reports = service.console_import_definitions(author, files).await.map_err(|problem| in_words(&problem))?;
    foundation.store.close().await;
    for report in &reports {
        tell(report);
    }
    let taken = |report: &FileReport| !matches!(report.outcome, FileOutcome::Conflict | FileOutcome::Refused);
    Ok(if reports.iter().all(taken) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The definitions of a folder and of the folders in it, by name. Folders that are only linked are not entered.
fn gather(folder: &Path, files: &mut Vec<DefinitionFile>) -> Result<()> {
    let unreadable = || format!("{} cannot be read", folder.display());
    let entries = fs::read_dir(folder).with_context(unreadable)?.collect::<io::Result<Vec<_>>>();
    let mut entries = entries.with_context(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let hidden = name.to_string_lossy().starts_with('.');
        if entry.file_type().with_context(unreadable)?.is_dir() {
            if !hidden {
                gather(&entry.path(), files)?;
            }
        } else if is_definition_file(&name.to_string_lossy()) {
            files.push(read(&entry.path())?);
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<DefinitionFile> {
    let content = fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(DefinitionFile { path: path.display().to_string(), content })
}

fn tell(FileReport { path, outcome, definition, detail, diagnostics }: &FileReport) {
    let version = definition.as_ref().map(|named| format!(" {}/{} {}", named.namespace, named.name, named.version));
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    println!("{path}: {outcome}{}{detail}", version.unwrap_or_default());
    for error in diagnostics {
        println!("{path}:{}:{}: {}", error.line, error.column, error.message);
    }
}
