//! Brings a database to the schema of this program, and refuses one that does not fit.

use sha2::{Digest, Sha256};
use sqlx::SqlSafeStr;
use store::{Result, StoreError};

use crate::{
    db::{self, Connection},
    row::{Columns, each},
    statement::sql,
};

/// A migration, as it lies in `migrations/`.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

impl Migration {
    /// Hex SHA-256 of the text.
    pub(crate) fn checksum(&self) -> String {
        hex::encode(Sha256::digest(self.text.as_bytes()))
    }
}

/// Applies what is missing. The caller has begun a transaction that excludes other migrations, and commits it.
pub(crate) async fn apply(connection: &mut Connection, migrations: &[Migration]) -> Result<()> {
    run(connection, db::CREATE_HISTORY).await?;
    let rows = sql("SELECT number, name, checksum FROM schema_migrations ORDER BY number")
        .into_query()?
        .fetch_all(&mut *connection)
        .await
        .map_err(db::error)?;
    let applied =
        each(&rows, |row: &Columns<'_>| Ok((row.integer("number")?, row.text("name")?, row.text("checksum")?)))?;
    for (number, name, checksum) in &applied {
        let Some(known) = migrations.iter().find(|migration| migration.number == *number) else {
            return Err(StoreError::Schema(format!(
                "the database has the migration {number:04}_{name}, which this program does not know; use the newer program"
            )));
        };
        if known.checksum() != *checksum {
            return Err(StoreError::Schema(format!(
                "the migration {number:04}_{} was altered after it had been applied",
                known.name
            )));
        }
    }
    let newest = applied.last().map_or(0, |(number, ..)| *number);
    for migration in migrations {
        if applied.iter().any(|(number, ..)| *number == migration.number) {
            continue;
        }
        if migration.number < newest {
            return Err(StoreError::Schema(format!(
                "the migration {:04}_{} is missing in the database, which has later ones",
                migration.number, migration.name
            )));
        }
        run(connection, migration.text).await?;
        sql("INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)")
            .bind(migration.number)
            .bind(migration.name)
            .bind(&migration.checksum())
            .into_query()?
            .execute(&mut *connection)
            .await
            .map_err(db::error)?;
        tracing::info!(number = migration.number, name = migration.name, "migration applied");
    }
    Ok(())
}

async fn run(connection: &mut Connection, text: impl SqlSafeStr) -> Result<()> {
    sqlx::raw_sql(text).execute(connection).await.map(|_| ()).map_err(db::error)
}
