//! Mails as files, for an installation without a mail server.

use std::path::{Path, PathBuf};

use domain::view::CheckStep;
use serde_json::{Value, json};
use tokio::{fs, io::AsyncWriteExt as _};
use workflow::{RunError, StandardError};

use super::{letter::Letter, settings::FileSettings};
use crate::{Failure, ResolvedConnection, connection::Steps};

/// Writes a mail to its file. A repeated mail replaces the first, which is the same.
///
/// Folder and files are the owner's only: mails hold one-time links.
pub(super) async fn keep(folder: &Path, letter: &Letter) -> Result<Value, Failure> {
    let name = format!("{}.eml", letter.file_name);
    write(folder, &name, &letter.message.formatted()).await.map_err(|error| {
        let detail = format!("the mail cannot be written to {}: {error}", folder.display());
        Failure::retryable(RunError::new(StandardError::Runtime, detail))
    })?;
    Ok(json!({"messageId": letter.message_id, "accepted": letter.recipients, "file": name}))
}

async fn write(folder: &Path, name: &str, content: &[u8]) -> std::io::Result<()> {
    make(folder).await?;
    let (unfinished, finished) = (folder.join(format!(".{name}.part")), folder.join(name));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(&unfinished).await?;
    file.write_all(content).await?;
    file.sync_all().await?;
    fs::rename(unfinished, finished).await
}

async fn make(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    builder.mode(0o700);
    builder.create(folder).await
}

/// Whether the folder can be written to.
pub(super) async fn check(folder: &Path, connection: &ResolvedConnection) -> Vec<CheckStep> {
    let mut steps = Steps::default();
    if connection.settings::<FileSettings>().is_err() {
        return steps.fail("settings", "the sender is not a mail address");
    }
    steps.pass("settings", "complete");
    match probe_folder(folder).await {
        Ok(()) => {
            steps.pass("right", &format!("mails are written to {}", folder.display()));
            steps.done()
        }
        Err(error) => steps.fail("right", &format!("{} cannot be written to: {error}", folder.display())),
    }
}

async fn probe_folder(folder: &Path) -> std::io::Result<()> {
    make(folder).await?;
    let probe: PathBuf = folder.join(".check");
    fs::write(&probe, b"").await?;
    fs::remove_file(probe).await
}
