//! SQLite files below one folder.

use std::{
    path::{Component, Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::StreamExt as _;
use serde_json::{Value, json};
use sqlx::{
    Column as _, ConnectOptions as _, Connection as _, Executor as _, Row as _, SqlSafeStr as _, Statement as _,
    TypeInfo as _, ValueRef as _,
    sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteRow},
};

use super::{
    postgresql_values::float,
    session::{Right, Session, Stage, lost, refused, too_slow},
    statement::{Rows, Statement, bytes_of, check_count, masked},
};
use crate::Failure;

/// How often, in steps of its program, a statement looks whether it is still wanted.
const LOOK_EVERY: i32 = 1_000;
/// How long a change waits for another one.
const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// A file below the folder, which must be there.
pub(super) fn locate(folder: Option<&Path>, file: &str) -> Result<PathBuf, Failure> {
    let folder = folder.ok_or_else(|| {
        Failure::configuration(
            "SQLite files are off on this server; its configuration can name a folder with some (sql.sqlite_folder)",
        )
    })?;
    let plain = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    if !plain {
        return Err(Failure::configuration(
            "the file must be a path below the folder of SQLite files, such as stock.db",
        ));
    }
    let missing = || Failure::configuration(format!("there is no file {file} in the folder of SQLite files"));
    let path = folder.join(file).canonicalize().map_err(|_| missing())?;
    // A link must not lead out.
    let inside = folder.canonicalize().is_ok_and(|folder| path.starts_with(folder));
    if inside && path.is_file() { Ok(path) } else { Err(missing()) }
}

/// An open file.
pub(super) struct Sqlite {
    connection: Option<SqliteConnection>,
    file: String,
    limit: Duration,
    stop: Arc<AtomicBool>,
}

impl Sqlite {
    pub(super) async fn open(path: &Path, file: &str, right: Right, limit: Duration) -> Result<Self, Failure> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .read_only(right == Right::Read)
            .busy_timeout(BUSY_LIMIT.min(limit))
            .disable_statement_logging();
        let stop = Arc::new(AtomicBool::new(false));
        let failed = |error: sqlx::Error| not_opened(&error, file);
        let mut connection = options.connect().await.map_err(failed)?;
        let stopped = Arc::clone(&stop);
        connection
            .lock_handle()
            .await
            .map_err(failed)?
            .set_progress_handler(LOOK_EVERY, move || !stopped.load(Ordering::Relaxed));
        Ok(Self { connection: Some(connection), file: file.to_owned(), limit, stop })
    }

    fn connection(&mut self) -> Result<&mut SqliteConnection, Failure> {
        let lost = lost(Stage::Open, &self.file, "it is closed");
        self.connection.as_mut().ok_or(lost)
    }

    async fn simply(&mut self, text: &'static str) -> Result<(), Failure> {
        let result = sqlx::query(text).execute(self.connection()?).await;
        result.map(drop).map_err(|error| self.failed(&error, &[]))
    }

    fn failed(&self, error: &sqlx::Error, parameters: &[Value]) -> Failure {
        let Some(refusal) = error.as_database_error() else {
            return lost(Stage::Open, &self.file, "the file cannot be worked with");
        };
        let message = masked(refusal.message(), parameters);
        let code: u32 = refusal.code().and_then(|code| code.parse().ok()).unwrap_or_default();
        let file = &self.file;
        // The lowest byte is the kind, the others say more exactly which.
        match code & 0xFF {
            5 | 6 => Failure::retryable(workflow::RunError::communication(
                409,
                format!("{file} is being written to by others, and nothing was kept; SQLite says: {message}"),
            )),
            8 => {
                refused(403, file, "25006", &message, "; `query` only reads, and the file must be writable for changes")
            }
            9 => too_slow(file),
            19 => refused(409, file, "23000", &message, ""),
            11 | 26 => Failure::configuration(format!("{file} is no sound SQLite file: {message}")),
            _ => refused(422, file, "42000", &message, ""),
        }
    }

    /// Waits for a statement as long as it may take; then has SQLite stop it.
    async fn timely<T>(
        &mut self,
        statement: &Statement,
        rows: Option<usize>,
        then: impl FnOnce(Done) -> T,
    ) -> Result<T, Failure> {
        let (limit, stop) = (self.limit, Arc::clone(&self.stop));
        let working = self.work(statement, rows);
        tokio::pin!(working);
        let done = tokio::select! {
            done = &mut working => done?,
            () = tokio::time::sleep(limit) => {
                stop.store(true, Ordering::Relaxed);
                working.await?
            }
        };
        Ok(then(done))
    }

    async fn work(&mut self, statement: &Statement, max_rows: Option<usize>) -> Result<Done, Failure> {
        let text = sqlx::AssertSqlSafe(statement.text.clone()).into_sql_str();
        let prepared = self.connection()?.prepare(text).await;
        let prepared = prepared.map_err(|error| self.failed(&error, &statement.parameters))?;
        let places = prepared.parameters().map_or(0, |places| places.either(<[_]>::len, |count| count));
        check_count(places, statement.parameters.len())?;
        let arguments = arguments(&statement.parameters)?;
        let Some(max_rows) = max_rows else {
            let result = prepared.query_with(arguments).execute(self.connection()?).await;
            return result
                .map(|done| Done::Affected(done.rows_affected()))
                .map_err(|error| self.failed(&error, &statement.parameters));
        };
        let names = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
        let mut rows = Rows::new(names, max_rows)?;
        let mut failure = None;
        {
            let mut stream = prepared.query_with(arguments).fetch(self.connection()?);
            while let Some(row) = stream.next().await {
                match row {
                    Ok(row) => {
                        if !rows.push(values(&row))? {
                            break;
                        }
                    }
                    Err(error) => {
                        failure = Some(error);
                        break;
                    }
                }
            }
        }
        match failure {
            Some(error) => Err(self.failed(&error, &statement.parameters)),
            None => Ok(Done::Rows(rows)),
        }
    }
}

enum Done {
    Rows(Rows),
    Affected(u64),
}

#[async_trait]
impl Session for Sqlite {
    async fn begin(&mut self, right: Right) -> Result<(), Failure> {
        self.simply(match right {
            Right::Read => "BEGIN",
            Right::Write => "BEGIN IMMEDIATE",
        })
        .await
    }

    async fn query(&mut self, statement: &Statement, max_rows: usize) -> Result<Rows, Failure> {
        let rows = self.timely(statement, Some(max_rows), |done| match done {
            Done::Rows(rows) => Ok(rows),
            Done::Affected(_) => Rows::new(Vec::new(), max_rows),
        });
        rows.await?
    }

    async fn execute(&mut self, statement: &Statement) -> Result<u64, Failure> {
        self.timely(statement, None, |done| match done {
            Done::Affected(rows) => rows,
            Done::Rows(_) => 0,
        })
        .await
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        self.simply("COMMIT").await
    }

    async fn rollback(&mut self) -> Result<(), Failure> {
        self.simply("ROLLBACK").await
    }

    async fn close(mut self: Box<Self>) {
        if let Some(connection) = self.connection.take() {
            let _ = connection.close().await;
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn not_opened(error: &sqlx::Error, file: &str) -> Failure {
    let said = error.as_database_error().map_or("it cannot be read", |error| error.message());
    Failure::configuration(format!(
        "the file {file} cannot be opened ({said}); look whether it is a SQLite file and may be read"
    ))
}

fn arguments(values: &[Value]) -> Result<SqliteArguments, Failure> {
    use sqlx::Arguments as _;
    let mut arguments = SqliteArguments::default();
    for value in values {
        let added = if let Some(bytes) = bytes_of(value) {
            arguments.add(bytes?)
        } else {
            match value {
                Value::Null => arguments.add(None::<i64>),
                Value::Bool(yes) => arguments.add(*yes),
                Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                    (Some(number), _) => arguments.add(number),
                    (_, Some(number)) => arguments.add(number),
                    _ => arguments.add(number.to_string()),
                },
                Value::String(text) => arguments.add(text.clone()),
                Value::Array(_) | Value::Object(_) => arguments.add(value.to_string()),
            }
        };
        added.map_err(|_| Failure::configuration("a parameter cannot be passed on"))?;
    }
    Ok(arguments)
}

fn values(row: &SqliteRow) -> Vec<Value> {
    (0..row.len())
        .map(|at| {
            let kind = row.try_get_raw(at).map(|raw| (raw.is_null(), raw.type_info().name().to_owned()));
            match kind {
                Ok((false, kind)) => match kind.as_str() {
                    "REAL" => row.try_get_unchecked::<f64, _>(at).map_or(Value::Null, float),
                    "BLOB" => row
                        .try_get_unchecked::<Vec<u8>, _>(at)
                        .map_or(Value::Null, |bytes| Value::String(STANDARD.encode(bytes))),
                    "INTEGER" | "INT4" | "INT8" | "BOOLEAN" => {
                        row.try_get_unchecked::<i64, _>(at).map_or(Value::Null, |number| json!(number))
                    }
                    _ => row.try_get_unchecked::<String, _>(at).map_or(Value::Null, Value::String),
                },
                _ => Value::Null,
            }
        })
        .collect()
}
