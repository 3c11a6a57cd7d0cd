//! `call: sql`: statements with parameters, over connections of kind `postgresql`, `mysql` and `sqlite`.
//!
//! Each call is one transaction over a connection of its own: `query` in one that only reads, `execute` and
//! `transaction` in one that is kept as a whole or not at all. A statement has a limit in the database that ends before
//! its caller gives up, and the database is told to stop when the call is stopped.
//!
//! # Repeating a change
//! Until the transaction is told to be kept, a lost connection means that nothing happened (on MySQL it need not: not
//! every table of it takes part in transactions). After that it is unknown, unless the connection names a table of calls
//! (see [`marker`]), in which the change leaves its idempotency key: then the database can be asked.

mod marker;
mod mysql;
mod postgresql;
mod postgresql_values;
mod postgresql_wire;
mod schema;
mod session;
mod settings;
mod sqlite;
mod statement;

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::view::CheckStep;
use serde_json::Value;

use crate::{
    CallContext, ConnectionKind, Connector, Failure, FunctionSpec, OperationSpec, Outcome, Probe, Repetition, Request,
    ResolvedConnection, System, connection::Steps, egress::EgressPolicy,
};
use marker::{Marker, change};
use session::{Right, Session, own};
use settings::{File, Markers, Server};
use statement::{Asked, Dialect, Statement};

/// The kind of connection to PostgreSQL.
pub const POSTGRESQL: &str = "postgresql";
/// The kind of connection to MySQL and MariaDB.
pub const MYSQL: &str = "mysql";
/// The kind of connection to a SQLite file.
pub const SQLITE: &str = "sqlite";

/// How long a statement of a connection test may take.
const CHECK_LIMIT: Duration = Duration::from_secs(10);

/// Reads and changes what is in databases.
pub struct SqlConnector {
    policy: Arc<EgressPolicy>,
    folder: Option<PathBuf>,
}

/// The function `sql`, as definitions are checked against it.
#[must_use]
pub fn function() -> FunctionSpec {
    let operation = |name, title, reads| OperationSpec { name, title, output: schema::output_of(name), reads };
    FunctionSpec {
        name: "sql",
        title: "Read or change a database",
        system: "Database",
        with: schema::with(),
        output: schema::output(),
        operations: vec![
            operation("query", "Read rows", true),
            operation("execute", "Make a change", false),
            operation("transaction", "Make several changes together, or none", false),
        ],
        needs_connection: true,
        connection_kinds: vec![POSTGRESQL, MYSQL, SQLITE],
        foresee,
    }
}

fn foresee(with: &Value) -> Option<String> {
    let one = with.get("statement").and_then(Value::as_str);
    let many = with.get("statements").and_then(Value::as_array).into_iter().flatten();
    let many = many.filter_map(|statement| statement.get("statement").and_then(Value::as_str));
    let all: Vec<&str> = one.into_iter().chain(many).collect();
    let what = if with.get("operation").and_then(Value::as_str) == Some("query") { "Reads" } else { "Changes" };
    (!all.is_empty()).then(|| format!("{what}: {}", all.join("; ")))
}

impl SqlConnector {
    /// A connector that reaches what the policy permits, and SQLite files below `folder`, or none.
    #[must_use]
    pub fn new(policy: Arc<EgressPolicy>, folder: Option<PathBuf>) -> Self {
        Self { policy, folder }
    }

    async fn open(
        &self,
        connection: &ResolvedConnection,
        egress: &Arc<EgressPolicy>,
        right: Right,
        limit: Duration,
    ) -> Result<Box<dyn Session>, Failure> {
        Ok(match dialect(connection)? {
            Dialect::PostgreSql => {
                let door = postgresql::Door::new(Arc::clone(egress), connection.settings::<Server>()?);
                Box::new(door.open(limit).await?)
            }
            Dialect::MySql => {
                let door = mysql::Door::new(Arc::clone(egress), connection.settings::<Server>()?);
                Box::new(door.open(limit).await?)
            }
            Dialect::Sqlite => {
                let file = connection.settings::<File>()?.file;
                let path = sqlite::locate(self.folder.as_deref(), &file)?;
                Box::new(sqlite::Sqlite::open(&path, &file, right, limit).await?)
            }
        })
    }

    async fn call(&self, request: &Request, context: &CallContext) -> Result<Value, Failure> {
        let connection = connection(request)?;
        let dialect = dialect(connection)?;
        let table = connection.settings::<Markers>()?.marker_table;
        let asked = Asked::read(&request.with, dialect, table.is_some())?;
        let limit = context.limit();
        let marker = table.as_deref().map(|table| Marker::new(table, &context.key, dialect));
        let right = if matches!(asked, Asked::Query { .. }) { Right::Read } else { Right::Write };
        let mut session =
            context.entering(&connection.name, self.open(connection, &context.egress, right, limit)).await?;
        let output = match &asked {
            Asked::Query { statement, max_rows } => {
                session.begin(Right::Read).await?;
                session.query(statement, *max_rows).await?.output()
            }
            Asked::Execute(statement) => {
                keep(&mut *session, marker.as_ref(), std::slice::from_ref(statement), true).await?
            }
            Asked::Transaction { statements } => keep(&mut *session, marker.as_ref(), statements, false).await?,
        };
        session.close().await;
        match (output.get("rows").and_then(Value::as_array), output.get("affectedRows")) {
            (Some(rows), _) => context.info(format!("{} rows read", rows.len())),
            (None, affected) => context.info(format!("rows changed: {}", affected.unwrap_or(&Value::Null))),
        }
        Ok(output)
    }

    async fn ask(&self, request: &Request, context: &CallContext) -> Result<Probe, Failure> {
        let connection = connection(request)?;
        let Some(table) = connection.settings::<Markers>()?.marker_table else { return Ok(Probe::CannotTell) };
        let mut session = self.open(connection, &context.egress, Right::Read, context.limit()).await?;
        session.begin(Right::Read).await?;
        let found = Marker::new(&table, &context.key, dialect(connection)?).outcome(&mut *session).await?;
        session.close().await;
        Ok(found.map_or(Probe::DidNotHappen, Probe::Happened))
    }

    async fn try_out(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        let mut steps = Steps::default();
        let (kind, table) = match (dialect(connection), connection.settings::<Markers>()) {
            (Ok(kind), Ok(markers)) => (kind, markers.marker_table),
            (Err(failure), _) | (_, Err(failure)) => return steps.fail("settings", failure.detail()),
        };
        let (opened, steps): (Result<Box<dyn Session>, _>, Steps) = if kind == Dialect::Sqlite {
            match self.open(connection, &self.policy, Right::Read, CHECK_LIMIT).await {
                Ok(session) => {
                    steps.pass("settings", "the file is there");
                    (Ok(session), steps)
                }
                Err(failure) => return steps.fail("settings", failure.detail()),
            }
        } else {
            let settings = match connection.settings::<Server>().and_then(known_authority) {
                Ok(settings) => settings,
                Err(failure) => return steps.fail("settings", failure.detail()),
            };
            steps.pass("settings", "complete");
            let policy = Arc::clone(&self.policy);
            if kind == Dialect::PostgreSql {
                let (opened, steps) = postgresql::Door::new(policy, settings).check(steps).await;
                (opened.map(|session| Box::new(session) as Box<dyn Session>), steps)
            } else {
                let (opened, steps) = mysql::Door::new(policy, settings).check(steps).await;
                (opened.map(|session| Box::new(session) as Box<dyn Session>), steps)
            }
        };
        match opened {
            Ok(session) => right(session, table.as_deref(), kind, steps).await,
            Err(failed) => failed,
        }
    }
}

fn known_authority(settings: Server) -> Result<Server, Failure> {
    settings.tls.config().map_err(|error| Failure::configuration(error.to_string()))?;
    Ok(settings)
}

/// Whether statements are taken, and the table of calls is there.
async fn right(mut session: Box<dyn Session>, table: Option<&str>, kind: Dialect, mut steps: Steps) -> Vec<CheckStep> {
    let tried = async {
        session.begin(Right::Read).await?;
        session.query(&own("SELECT 1 AS one".to_owned(), Vec::new()), 1).await?;
        if let Some(table) = table {
            Marker::new(table, "a connection test", kind).outcome(&mut *session).await?;
        }
        Ok::<_, Failure>(())
    };
    if let Err(failure) = tried.await {
        return steps.fail("right", failure.detail());
    }
    session.close().await;
    let words = match table {
        Some(table) => format!("statements are taken, and changes are remembered in {table}"),
        None => "statements are taken".to_owned(),
    };
    steps.pass("right", &words);
    steps.done()
}

async fn keep(
    session: &mut dyn Session,
    marker: Option<&Marker<'_>>,
    statements: &[Statement],
    one: bool,
) -> Result<Value, Failure> {
    if let Some(marker) = marker {
        return marker.once(session, statements, one).await;
    }
    session.begin(Right::Write).await?;
    let output = change(session, statements, one).await?;
    session.commit().await?;
    Ok(output)
}

fn connection(request: &Request) -> Result<&ResolvedConnection, Failure> {
    request
        .connection
        .as_deref()
        .ok_or_else(|| Failure::configuration("sql needs a connection of kind postgresql, mysql or sqlite"))
}

fn dialect(connection: &ResolvedConnection) -> Result<Dialect, Failure> {
    match connection.kind.as_str() {
        POSTGRESQL => Ok(Dialect::PostgreSql),
        MYSQL => Ok(Dialect::MySql),
        SQLITE => Ok(Dialect::Sqlite),
        other => Err(Failure::configuration(format!("sql does not work over connections of kind {other}"))),
    }
}

#[async_trait]
impl Connector for SqlConnector {
    fn functions(&self) -> Vec<FunctionSpec> {
        vec![function()]
    }

    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        let kind = |name, title, summary, settings| ConnectionKind { name, title, summary, function: "sql", settings };
        vec![
            kind(POSTGRESQL, "PostgreSQL", "A database of a PostgreSQL server.", schema::server_settings(5432)),
            kind(MYSQL, "MySQL or MariaDB", "A database of a MySQL or MariaDB server.", schema::server_settings(3306)),
            kind(
                SQLITE,
                "SQLite",
                "A file in the folder that the server's configuration names for it.",
                schema::file_settings(),
            ),
        ]
    }

    fn repetition(&self, request: &Request) -> Repetition {
        let remembered = || {
            let settings = request.connection.as_ref().and_then(|connection| connection.settings::<Markers>().ok());
            settings.is_some_and(|markers| markers.marker_table.is_some())
        };
        if request.with.get("operation").and_then(Value::as_str) == Some("query") {
            Repetition::Safe
        } else if remembered() {
            Repetition::Probe
        } else {
            Repetition::Once
        }
    }

    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome {
        self.call(request, context).await.into()
    }

    async fn probe(&self, request: &Request, context: &CallContext) -> Probe {
        match self.ask(request, context).await {
            Ok(probe) => probe,
            Err(failure) => {
                context.warn(format!("whether the change was made cannot be found out now: {}", failure.detail()));
                Probe::CannotTell
            }
        }
    }

    async fn check(&self, connection: &ResolvedConnection) -> Vec<CheckStep> {
        self.try_out(connection).await
    }

    fn describe(&self, with: &Value) -> System {
        let target = self.connection_name(with).unwrap_or_default();
        System { title: "Database".to_owned(), target: target.to_owned() }
    }
}
