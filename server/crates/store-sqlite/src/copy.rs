//! Consistent copies of the files while they are in use, for backups.

use std::path::Path;

use store::{Result, StoreError};

use crate::{SqliteStore, db, db::Connection};

impl SqliteStore {
    /// Copies database and task logs as of now into `rondo.sqlite` and `logs.sqlite` in `folder`, where no such files
    /// may be. Others may go on writing meanwhile.
    pub async fn copy_into(&self, folder: &Path) -> Result<()> {
        copy(self.writer.alone().await?.connection()?, &folder.join("rondo.sqlite")).await?;
        let mut logs = self.logs.write.acquire().await.map_err(db::error)?;
        copy(&mut logs, &folder.join("logs.sqlite")).await
    }
}

async fn copy(connection: &mut Connection, target: &Path) -> Result<()> {
    let Some(target) = target.to_str() else {
        let message = format!("{} is not UTF-8", target.display());
        return Err(StoreError::Unavailable(Box::new(std::io::Error::other(message))));
    };
    sqlx::query("VACUUM INTO ?1").bind(target).execute(connection).await.map_err(db::error)?;
    Ok(())
}
