//! A database of a bench's own, and its tables past the store.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use domain::RunId;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, SqliteConnection, sqlite::SqliteConnectOptions};
use store::Store;
use store_postgres::{PoolSizes, PostgresStore};
use store_sqlite::SqliteStore;

use crate::stopwatch::Outcome;

/// Copies that one statement makes.
const PORTION: usize = 10_000;

/// Copies of one run, told from others by a number.
#[derive(Clone, Copy)]
pub(crate) struct Series(pub(crate) u16);

impl Series {
    fn prefix(self) -> String {
        format!("00000000-0000-7{:03x}-8000-", self.0)
    }

    /// The id of its first copy, the second, and so on.
    pub(crate) fn id(self, number: usize) -> String {
        format!("{}{number:012x}", self.prefix())
    }
}

/// A database that goes when [`Database::remove`] is called.
pub(crate) struct Database {
    pub(crate) store: Arc<dyn Store>,
    place: Place,
}

enum Place {
    /// The file goes with its folder.
    Sqlite(PathBuf),
    Postgres {
        server: String,
        name: String,
        url: String,
    },
}

impl Database {
    /// A file `rondo.sqlite` in this folder, as a server's data directory has it.
    pub(crate) async fn sqlite(folder: &Path) -> Outcome<Self> {
        let path = folder.join("rondo.sqlite");
        Ok(Self { store: Arc::new(SqliteStore::open(&path).await?), place: Place::Sqlite(path) })
    }

    /// A new database of this server.
    pub(crate) async fn postgres(server: &str, purpose: &str) -> Outcome<Self> {
        let name = format!("rondo_{purpose}_{}", std::process::id());
        let mut admin = PgConnection::connect(server).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await?;
        let mut url: url::Url = server.parse()?;
        url.set_path(&name);
        let url = url.to_string();
        let store = Arc::new(PostgresStore::connect(&url, PoolSizes::default()).await?);
        Ok(Self { store, place: Place::Postgres { server: server.to_owned(), name, url } })
    }

    /// Opens it once more, as another node does.
    pub(crate) async fn again(&self) -> Outcome<Arc<dyn Store>> {
        Ok(match &self.place {
            Place::Sqlite(path) => Arc::new(SqliteStore::open(path).await?),
            Place::Postgres { url, .. } => Arc::new(PostgresStore::connect(url, PoolSizes::default()).await?),
        })
    }

    /// What `DATABASE_URL` says for a server on it.
    pub(crate) fn url(&self) -> String {
        match &self.place {
            Place::Sqlite(path) => format!("sqlite:{}", path.display()),
            Place::Postgres { url, .. } => url.clone(),
        }
    }

    pub(crate) async fn tables(&self) -> Outcome<Tables> {
        Ok(match &self.place {
            Place::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).foreign_keys(true);
                Tables::Sqlite(SqliteConnection::connect_with(&options).await?)
            }
            Place::Postgres { url, .. } => Tables::Postgres(PgConnection::connect(url).await?),
        })
    }

    /// Closes it and takes it away.
    pub(crate) async fn remove(self) -> Outcome<()> {
        self.store.close().await;
        if let Place::Postgres { server, name, .. } = self.place {
            let mut admin = PgConnection::connect(&server).await?;
            sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await?;
        }
        Ok(())
    }
}

/// The tables themselves, for what no program would write in such numbers.
pub(crate) enum Tables {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Tables {
    pub(crate) async fn execute(&mut self, statement: String) -> Outcome<()> {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement));
        match self {
            Self::Sqlite(connection) => _ = statement.execute(connection).await?,
            Self::Postgres(connection) => _ = statement.execute(connection).await?,
        }
        Ok(())
    }

    /// The columns of a table that are written, not computed.
    async fn columns(&mut self, table: &str) -> Outcome<Vec<String>> {
        let names = match self {
            Self::Sqlite(connection) => {
                let text = format!("SELECT name FROM pragma_table_xinfo('{table}') WHERE hidden = 0 ORDER BY cid");
                let rows = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(connection).await?;
                rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?
            }
            Self::Postgres(connection) => {
                let text = format!(
                    "SELECT column_name::text FROM information_schema.columns WHERE table_name = '{table}' \
                     AND is_generated = 'NEVER' AND is_identity = 'NO' ORDER BY ordinal_position"
                );
                let rows = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(connection).await?;
                rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?
            }
        };
        Ok(names.into_iter().filter(|name| name != "number").collect())
    }

    /// Copies a run so many times, with all that the engine keeps of it, under ids and numbers of their own. Entries of the
    /// audit log are not copied, for each of them hangs on the one before; nor are approvals, which have ids of their own.
    pub(crate) async fn copy_run(&mut self, model: RunId, series: Series, copies: usize) -> Outcome<()> {
        let prefix = series.prefix();
        let id = match self {
            Self::Sqlite(_) => format!("'{prefix}' || printf('%012x', n)"),
            Self::Postgres(_) => format!("'{prefix}' || lpad(to_hex(n), 12, '0')"),
        };
        for table in ["runs", "journal", "snapshots", "tasks"] {
            let columns = self.columns(table).await?;
            let key = if table == "runs" { "id" } else { "run_id" };
            let values = columns.iter().map(|name| match name.as_str() {
                name if name == key => id.clone(),
                // The run is told its own id when it begins.
                "event" | "state" => format!("replace({name}, '{model}', {id})"),
                name => name.to_owned(),
            });
            let values: Vec<String> = values.collect();
            let (columns, values) = (columns.join(", "), values.join(", "));
            let mut from = 1;
            while from <= copies {
                let to = copies.min(from + PORTION - 1);
                self.execute(format!(
                    "WITH RECURSIVE series (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM series WHERE n < {to}) \
                     INSERT INTO {table} ({columns}) SELECT {values} FROM {table}, series WHERE {key} = '{model}'"
                ))
                .await?;
                from = to + 1;
            }
        }
        Ok(())
    }

    pub(crate) async fn remove_snapshots(&mut self, of: Series) -> Outcome<()> {
        self.execute(format!("DELETE FROM snapshots WHERE run_id LIKE '{}%'", of.prefix())).await
    }

    /// Brings what the database knows of its tables up to date, as it does by itself after a while.
    pub(crate) async fn analyze(&mut self) -> Outcome<()> {
        self.execute("ANALYZE".to_owned()).await
    }
}
