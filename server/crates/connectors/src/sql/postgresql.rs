//! PostgreSQL, over a stream that was opened and encrypted here.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::BytesMut;
use domain::view::CheckStep;
use futures::StreamExt as _;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_postgres::{
    Client, Config, Error as PgError, NoTls,
    config::SslMode,
    types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked},
};

use super::{
    postgresql_values::{Cell, Unreadable},
    postgresql_wire::Wire,
    session::{Right, Session, Stage, by_state, lost, too_slow},
    settings::{Encryption, Server},
    statement::{Rows, Statement, TOO_LARGE, bytes_of, check_count, masked, too_large},
};
use crate::{Failure, connection::Steps, egress::EgressPolicy, tls};

const DEFAULT_PORT: u16 = 5432;
/// How long the server may take to let us in.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// The protocol's question whether the server speaks TLS: the length of the message and a number for it.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// How long asking the server to stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A way to the server, encrypted or not.
trait Way: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Way for S {}

/// Where the server is and who we are there.
#[derive(Clone)]
pub(super) struct Door {
    policy: Arc<EgressPolicy>,
    settings: Server,
}

impl Door {
    pub(super) fn new(policy: Arc<EgressPolicy>, settings: Server) -> Self {
        Self { policy, settings }
    }

    fn port(&self) -> u16 {
        self.settings.port.unwrap_or(DEFAULT_PORT)
    }

    async fn way(&self) -> Result<Box<dyn Way>, Failure> {
        let stream = self.policy.connect(&self.settings.host, self.port()).await?;
        tokio::time::timeout(ANSWER_LIMIT, self.encrypt(stream)).await.map_err(|_| self.silent())?
    }

    fn silent(&self) -> Failure {
        Failure::unreachable(format!("{} does not answer as a PostgreSQL server does", self.settings.host))
    }

    async fn encrypt(&self, mut stream: TcpStream) -> Result<Box<dyn Way>, Failure> {
        if self.settings.encryption == Encryption::None {
            return Ok(Box::new(stream));
        }
        let config = self.settings.tls.config().map_err(|error| Failure::configuration(error.to_string()))?;
        let mut answer = [0];
        let asked = async {
            stream.write_all(&TLS_REQUEST).await?;
            stream.read_exact(&mut answer).await
        };
        asked.await.map_err(|error| lost(Stage::Open, &self.settings.host, &error.to_string()))?;
        match answer {
            [b'S'] => {
                let encrypted = tls::encrypt(stream, &self.settings.host, Arc::new(config)).await;
                let encrypted = encrypted.map_err(|error| not_encrypted(&self.settings.host, &error));
                Ok(Box::new(encrypted?))
            }
            [b'N'] => Err(Failure::configuration(format!(
                "{} does not speak TLS; have it do so (ssl = on), or set `encryption` to none",
                self.settings.host
            ))),
            _ => Err(self.silent()),
        }
    }

    /// Signs in.
    pub(super) async fn open(&self, limit: Duration) -> Result<PostgreSql, Failure> {
        let way = self.way().await?;
        self.enter(way, limit).await
    }

    async fn enter(&self, way: Box<dyn Way>, limit: Duration) -> Result<PostgreSql, Failure> {
        let mut config = Config::new();
        config
            .user(&self.settings.user)
            .password(self.settings.password.expose())
            .dbname(&self.settings.database)
            .application_name("rondo")
            .ssl_mode(SslMode::Disable);
        let too_long = Arc::new(AtomicBool::new(false));
        let wire = Wire::new(way, Arc::clone(&too_long));
        let entering = tokio::time::timeout(ANSWER_LIMIT, config.connect_raw(wire, NoTls));
        let entered = entering.await.map_err(|_| self.silent())?;
        let (client, connection) = entered.map_err(|error| self.not_let_in(&error))?;
        // Ends by itself when the client is dropped.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a PostgreSQL connection ended");
            }
        });
        let mut session = PostgreSql { client, door: self.clone(), stage: Stage::Open, busy: false, too_long };
        let limit = limit.as_millis();
        session
            .simply(&format!("SET statement_timeout = {limit}; SET idle_in_transaction_session_timeout = {limit}"))
            .await?;
        Ok(session)
    }

    fn not_let_in(&self, error: &PgError) -> Failure {
        let host = &self.settings.host;
        match error.as_db_error() {
            Some(refusal) if refusal.code().code() == "3D000" => Failure::configuration(format!(
                "there is no database {} on {host}; enter the name of one",
                self.settings.database
            )),
            Some(refusal) => by_state(refusal.code().code(), host, refusal.message()),
            None => {
                Failure::unreachable(format!("{host} does not answer as a PostgreSQL server does: {}", reason(error)))
            }
        }
    }

    /// Tries the way and the sign-in out.
    pub(super) async fn check(&self, mut steps: Steps) -> (Result<PostgreSql, Vec<CheckStep>>, Steps) {
        let failed =
            |steps: Steps, step: &str, failure: &Failure| (Err(steps.fail(step, failure.detail())), Steps::default());
        let Some(stream) = steps.dial(&self.policy, &self.settings.host, self.port()).await else {
            return (Err(steps.done()), Steps::default());
        };
        let encrypting = tokio::time::timeout(ANSWER_LIMIT, self.encrypt(stream));
        let way = match encrypting.await.unwrap_or_else(|_| Err(self.silent())) {
            Ok(way) => way,
            Err(failure) => return failed(steps, "tls", &failure),
        };
        steps.pass("tls", encryption_words(self.settings.encryption));
        match self.enter(way, ANSWER_LIMIT).await {
            Ok(session) => {
                steps.pass("sign-in", &format!("signed in as {}", self.settings.user));
                (Ok(session), steps)
            }
            Err(failure) => failed(steps, "sign-in", &failure),
        }
    }
}

/// Nothing was sent but the greeting.
pub(super) fn not_encrypted(host: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::unreachable(format!("no encryption with {host}: {error}"))
}

/// What a test says of the way.
pub(super) const fn encryption_words(encryption: Encryption) -> &'static str {
    match encryption {
        Encryption::Tls => "the certificate is trusted",
        Encryption::None => "not encrypted: what goes over it, and the password, can be read on the way",
    }
}

/// A signed-in connection.
pub(super) struct PostgreSql {
    client: Client,
    door: Door,
    stage: Stage,
    busy: bool,
    /// Set when the connection was given up at a row that is too long.
    too_long: Arc<AtomicBool>,
}

impl PostgreSql {
    async fn simply(&mut self, text: &str) -> Result<(), Failure> {
        self.busy = true;
        let result = self.client.batch_execute(text).await;
        self.busy = false;
        result.map_err(|error| self.failed(&error, &[]))
    }

    fn failed(&self, error: &PgError, parameters: &[Value]) -> Failure {
        let host = &self.door.settings.host;
        let Some(refusal) = error.as_db_error() else {
            let told = error.source().is_some_and(<dyn std::error::Error>::is::<Unreadable>);
            if told {
                return Failure::refused(422, masked(&reason(error), parameters));
            }
            // Nothing of the transaction is kept then, since only a commit keeps it, whose answer is short.
            if self.too_long.load(Ordering::SeqCst) {
                return too_large();
            }
            return lost(self.stage, host, &reason(error));
        };
        let state = refusal.code().code();
        // The detail of the server's error has the values of the rows.
        let message = masked(refusal.message(), parameters);
        match state {
            "57014" => too_slow(host),
            "57P01" | "57P02" | "25P03" => lost(self.stage, host, &message),
            _ => by_state(state, host, &message),
        }
    }

    async fn prepared(&mut self, statement: &Statement) -> Result<tokio_postgres::Statement, Failure> {
        let prepared = self.client.prepare(&statement.text).await;
        let prepared = prepared.map_err(|error| self.failed(&error, &statement.parameters))?;
        check_count(prepared.params().len(), statement.parameters.len())?;
        Ok(prepared)
    }

    async fn affected(&mut self, statement: &Statement) -> Result<u64, Failure> {
        let prepared = self.prepared(statement).await?;
        let values = parameters(&statement.parameters)?;
        let values = values.iter().map(|one| one as &(dyn ToSql + Sync));
        let affected = self.client.execute_raw(&prepared, values).await;
        affected.map_err(|error| self.failed(&error, &statement.parameters))
    }

    async fn rows(&mut self, statement: &Statement, max_rows: usize) -> Result<Rows, Failure> {
        let prepared = self.prepared(statement).await?;
        let names = prepared.columns().iter().map(|column| column.name().to_owned()).collect();
        let mut rows = Rows::new(names, max_rows)?;
        let parameters = parameters(&statement.parameters)?;
        let stream = self.client.query_raw(&prepared, parameters.iter().map(|one| one as &(dyn ToSql + Sync))).await;
        let stream = stream.map_err(|error| self.failed(&error, &statement.parameters))?;
        futures::pin_mut!(stream);
        while let Some(row) = stream.next().await {
            let row = row.map_err(|error| self.failed(&error, &statement.parameters))?;
            if row.raw_size_bytes() > super::statement::ANSWER_LIMIT {
                return Err(too_large());
            }
            let mut values = Vec::with_capacity(row.len());
            for column in 0..row.len() {
                let cell: Cell = row.try_get(column).map_err(|error| self.failed(&error, &statement.parameters))?;
                values.push(cell.0);
            }
            if !rows.push(values)? {
                break;
            }
        }
        Ok(rows)
    }
}

#[async_trait]
impl Session for PostgreSql {
    async fn begin(&mut self, right: Right) -> Result<(), Failure> {
        self.stage = Stage::Open;
        self.simply(match right {
            Right::Read => "BEGIN READ ONLY",
            Right::Write => "BEGIN READ WRITE",
        })
        .await
    }

    async fn query(&mut self, statement: &Statement, max_rows: usize) -> Result<Rows, Failure> {
        self.busy = true;
        let rows = self.rows(statement, max_rows).await;
        // Where it stopped early, the server is told to stop as well.
        self.busy = match &rows {
            Ok(rows) => rows.is_truncated(),
            Err(failure) => failure.error.status == TOO_LARGE,
        };
        rows
    }

    async fn execute(&mut self, statement: &Statement) -> Result<u64, Failure> {
        self.busy = true;
        let affected = self.affected(statement).await;
        self.busy = false;
        affected
    }

    async fn commit(&mut self) -> Result<(), Failure> {
        self.stage = Stage::Commit;
        self.simply("COMMIT").await
    }

    async fn rollback(&mut self) -> Result<(), Failure> {
        self.simply("ROLLBACK").await
    }

    async fn close(self: Box<Self>) {
        // Dropping the client says goodbye.
    }
}

impl Drop for PostgreSql {
    fn drop(&mut self) {
        if !self.busy || self.client.is_closed() {
            return;
        }
        let (door, stop) = (self.door.clone(), self.client.cancel_token());
        tokio::spawn(tokio::time::timeout(STOP_LIMIT, async move {
            // The statement has a limit of its own, should this not reach the server.
            if let Ok(way) = door.way().await {
                let _ = stop.cancel_query_raw(way, NoTls).await;
            }
        }));
    }
}

/// The library's words and those of the cause, neither of which holds a value.
fn reason(error: &PgError) -> String {
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

fn parameters(values: &[Value]) -> Result<Vec<Parameter>, Failure> {
    values.iter().map(Parameter::new).collect()
}

/// A value as the text that the server reads by the type of its place.
#[derive(Debug)]
struct Parameter(Value);

impl Parameter {
    fn new(value: &Value) -> Result<Self, Failure> {
        Ok(Self(match bytes_of(value) {
            Some(bytes) => Value::String(format!("\\x{}", hex::encode(bytes?))),
            None => value.clone(),
        }))
    }
}

impl ToSql for Parameter {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let text = match &self.0 {
            Value::Null => return Ok(IsNull::Yes),
            Value::String(text) if !matches!(*ty, Type::JSON | Type::JSONB) => text.clone(),
            Value::Array(values) if matches!(ty.kind(), Kind::Array(_)) => array(values),
            other => other.to_string(),
        };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// An array as PostgreSQL writes it.
fn array(values: &[Value]) -> String {
    let items: Vec<String> = values
        .iter()
        .map(|value| match value {
            Value::Null => "NULL".to_owned(),
            Value::Array(values) => array(values),
            Value::String(text) => quoted(text),
            other => quoted(&other.to_string()),
        })
        .collect();
    format!("{{{}}}", items.join(","))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arrays_are_written_so_that_no_value_can_leave_its_place() {
        let values = [json!("a"), json!("b\",\"c"), json!("d\\"), json!(null), json!(1), json!(["x"])];
        assert_eq!(array(&values), r#"{"a","b\",\"c","d\\",NULL,"1",{"x"}}"#);
    }
}
