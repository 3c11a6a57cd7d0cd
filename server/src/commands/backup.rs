//! `rondo backup` and `rondo restore`: one file with a consistent copy of database and task logs, and the key.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};
use store::Store as _;
use store_sqlite::SqliteStore;

use crate::{
    config::{Config, Database},
    wiring,
};

/// What the exit says where the database is not ours to copy.
const NOT_OURS: u8 = 2;

const DATABASE: &str = "rondo.sqlite";
const LOGS: &str = "logs.sqlite";
const KEY: &str = "rondo.key";
const CONFIGURATION: &str = "rondo.toml";

fn sqlite_file(config: &Config, verb: &str) -> Option<PathBuf> {
    match &config.database {
        Database::Sqlite(path) => Some(path.clone()),
        Database::Postgres(url) => {
            let url = wiring::without_password(url);
            let tool = if verb == "backup" { "pg_dump --format=custom" } else { "pg_restore" };
            eprintln!(
                "rondo: the database is PostgreSQL at {url}: use {tool}, and keep the key file {} with it",
                config.key_file.display()
            );
            None
        }
    }
}

pub(super) async fn backup(config: &Config, file: &Path) -> Result<ExitCode> {
    let Some(path) = sqlite_file(config, "backup") else { return Ok(ExitCode::from(NOT_OURS)) };
    if !path.is_file() {
        bail!("there is no database at {}; name the data directory with --data", path.display());
    }
    let folder = config.data.join(format!(".backup-{}", std::process::id()));
    fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let written = write(config, &path, &folder, file).await;
    fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
    written?;
    println!("{} holds database, task logs{}", file.display(), if config.key.is_some() { "" } else { " and key" });
    if config.key.is_some() {
        println!("the key is in the environment: keep it, too; without it the secrets of connections are lost");
    }
    if fs::read_dir(&config.audit_archive).is_ok_and(|mut segments| segments.next().is_some()) {
        println!("archived entries of the audit log are in {}: keep that folder, too", config.audit_archive.display());
    }
    Ok(ExitCode::SUCCESS)
}

async fn write(config: &Config, database: &Path, folder: &Path, file: &Path) -> Result<()> {
    let store = SqliteStore::open(database).await.context("the database cannot be opened")?;
    let copied = store.copy_into(folder).await.context("the database cannot be copied");
    store.close().await;
    copied?;
    let out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    let out = out.with_context(|| format!("{} cannot be written; it must not exist yet", file.display()))?;
    let mut archive = tar::Builder::new(out);
    archive.mode(tar::HeaderMode::Deterministic);
    let configuration = config.data.join(CONFIGURATION);
    for (name, source, needed) in [
        (DATABASE, folder.join(DATABASE), true),
        (LOGS, folder.join(LOGS), true),
        (KEY, config.key_file.clone(), config.key.is_none()),
        (CONFIGURATION, configuration.clone(), configuration.is_file()),
    ] {
        if needed {
            archive
                .append_path_with_name(&source, name)
                .with_context(|| format!("{} cannot be added", source.display()))?;
        }
    }
    let out = archive.into_inner().context("the backup cannot be finished")?;
    out.sync_all().context("the backup cannot be finished")
}

pub(super) fn restore(config: &Config, file: &Path) -> Result<ExitCode> {
    let Some(path) = sqlite_file(config, "restore") else { return Ok(ExitCode::from(NOT_OURS)) };
    if path.exists() {
        bail!("there is a database at {} already; restore into an empty data directory (--data)", path.display());
    }
    wiring::prepare_data(&config.data)?;
    let input = File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let mut archive = tar::Archive::new(input);
    let mut restored = Vec::new();
    for entry in archive.entries().with_context(|| format!("{} is no backup", file.display()))? {
        let mut entry = entry.with_context(|| format!("{} is no backup", file.display()))?;
        let name = entry.path().context("a name in the backup cannot be read")?.to_string_lossy().into_owned();
        let target = match name.as_str() {
            DATABASE => path.clone(),
            LOGS => path.with_file_name(LOGS),
            KEY => config.key_file.clone(),
            CONFIGURATION => config.data.join(CONFIGURATION),
            other => bail!("{} is no backup of Rondo: it holds {other}", file.display()),
        };
        let out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&target);
        let mut out = out.with_context(|| format!("{} cannot be written", target.display()))?;
        io::copy(&mut entry, &mut out).with_context(|| format!("{} cannot be written", target.display()))?;
        out.sync_all().with_context(|| format!("{} cannot be written", target.display()))?;
        restored.push(name);
    }
    if !restored.iter().any(|name| name == DATABASE) {
        bail!("{} holds no database", file.display());
    }
    println!("restored {} into {}", restored.join(", "), config.data.display());
    if !restored.iter().any(|name| name == KEY) && config.key.is_none() {
        println!("the backup holds no key: put it into {} before the start", config.key_file.display());
    }
    Ok(ExitCode::SUCCESS)
}
