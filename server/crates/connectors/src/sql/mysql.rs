//! MySQL and MariaDB.
//!
//! The library opens the socket itself, to addresses that the egress policy has resolved and permitted.

use std::{error::Error as _, sync::Arc, time::Duration};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::view::CheckStep;
use mysql_async::{
    ClientIdentity, Conn, DriverError, Error as MyError, IoError, Opts, OptsBuilder, Params, ServerError, SslOpts,
    Value as MyValue,
    consts::{ColumnFlags, ColumnType},
    prelude::Queryable as _,
};
use serde_json::{Value, json};
use workflow::{RunError, StandardError};

use super::{
    postgresql::{encryption_words, not_encrypted},
    postgresql_values::float,
    session::{Right, Session, Stage, by_state, lost, refused, too_slow},
    settings::{Encryption, Server},
    statement::{Rows, Statement, bytes_of, check_count, masked, too_large},
};
use crate::{
    Failure,
    connection::Steps,
    egress::{CONNECT_LIMIT, EgressPolicy, Route},
    tls,
};

const DEFAULT_PORT: u16 = 3306;
/// How long the server may take to let us in.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// How long asking the server to stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// What the server may send at once.
const PACKET_LIMIT: usize = 16 * 1024 * 1024;
/// The character set that says that a column holds bytes.
const BINARY: u16 = 63;

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

    /// How the library is to connect.
    async fn options(&self) -> Result<Opts, Failure> {
        let encrypted = match self.settings.encryption {
            Encryption::None => None,
            Encryption::Tls => {
                let authority = self.settings.tls.authority();
                // Says in the same words for every connector what is wrong with a CA.
                self.settings.tls.config().map_err(|error| Failure::configuration(error.to_string()))?;
                let trusted =
                    authority.map_or_else(|| tls::system_certificates().to_vec(), |pem| pem.as_bytes().to_vec());
                let shown = self.settings.tls.shown().map(|(chain, key)| {
                    ClientIdentity::new(chain.as_bytes().to_vec().into(), key.as_bytes().to_vec().into())
                });
                Some(
                    SslOpts::default()
                        .with_root_certs(vec![trusted.into()])
                        .with_disable_built_in_roots(true)
                        .with_client_identity(shown),
                )
            }
        };
        let Route::Straight(addresses) = self.policy.route(&self.settings.host, self.port()).await? else {
            let host = &self.settings.host;
            return Err(Failure::configuration(format!(
                "MySQL is not spoken through a proxy: name {host} in egress.proxy.no_proxy if it can be reached without"
            )));
        };
        let addresses: Vec<_> = addresses.into_iter().map(|address| address.ip()).collect();
        Ok(OptsBuilder::default()
            .ip_or_hostname(&self.settings.host)
            .tcp_port(self.port())
            .resolved_ips(Some(addresses))
            .prefer_socket(false)
            .user(Some(&self.settings.user))
            .pass(Some(self.settings.password.expose()))
            .db_name(Some(&self.settings.database))
            .ssl_opts(encrypted)
            .max_allowed_packet(Some(PACKET_LIMIT))
            .client_found_rows(true)
            .stmt_cache_size(0)
            .into())
    }

    /// Signs in.
    pub(super) async fn open(&self, limit: Duration) -> Result<MySql, Failure> {
        self.enter(limit).await.map_err(|(_, failure)| failure)
    }

    /// The same; else with the step of a test that failed.
    async fn enter(&self, limit: Duration) -> Result<MySql, (&'static str, Failure)> {
        // Who greets is also who encrypts; without encryption it belongs to connecting.
        let way = if self.settings.encryption == Encryption::Tls { "tls" } else { "connect" };
        let options = self.options().await.map_err(|failure| (way, failure))?;
        let opening = tokio::time::timeout(CONNECT_LIMIT + ANSWER_LIMIT, Conn::new(options));
        let silent = || Failure::unreachable(format!("{} does not answer as a MySQL server does", self.settings.host));
        let opened = opening.await.map_err(|_| (way, silent()))?;
        let conn = opened.map_err(|error| {
            (if matches!(error, MyError::Server(_)) { "sign-in" } else { way }, self.not_let_in(&error))
        })?;
        let mut session =
            MySql { conn, door: self.clone(), stage: Stage::Open, writes: false, busy: false, unread: false };
        session.limit(limit).await.map_err(|failure| ("right", failure))?;
        Ok(session)
    }

    fn not_let_in(&self, error: &MyError) -> Failure {
        let host = &self.settings.host;
        match error {
            MyError::Server(ServerError { code: 1049, .. }) => Failure::configuration(format!(
                "there is no database {} on {host}; enter the name of one",
                self.settings.database
            )),
            // The server names the user's host and whether a password came, which tells nothing more.
            MyError::Server(refusal) => by_code(refusal, host, &refusal.message),
            MyError::Driver(DriverError::NoClientSslFlagFromServer) => Failure::configuration(format!(
                "{host} does not speak TLS; have it do so (ssl_cert, ssl_key), or set `encryption` to none"
            )),
            MyError::Driver(DriverError::CleartextPluginDisabled | DriverError::MysqlOldPasswordDisabled) => {
                Failure::configuration(format!(
                    "{host} wants the password in a form that is not served; use an account with caching_sha2_password"
                ))
            }
            other => match tls_reason(other) {
                Some(reason) => not_encrypted(host, &reason),
                None => Failure::unreachable(format!(
                    "no connection to {host} port {}: {}; compare host and port, and see whether it runs and lets this \
                     server through",
                    self.port(),
                    reason(other)
                )),
            },
        }
    }

    /// Tries the way and the sign-in out.
    pub(super) async fn check(&self, mut steps: Steps) -> (Result<MySql, Vec<CheckStep>>, Steps) {
        if steps.dial(&self.policy, &self.settings.host, self.port()).await.is_none() {
            return (Err(steps.done()), Steps::default());
        }
        let entered = self.enter(ANSWER_LIMIT).await;
        let way_works = entered.as_ref().err().is_none_or(|(step, _)| matches!(*step, "sign-in" | "right"));
        if way_works {
            steps.pass("tls", encryption_words(self.settings.encryption));
        }
        match entered {
            Ok(session) => {
                steps.pass("sign-in", &format!("signed in as {}", self.settings.user));
                (Ok(session), steps)
            }
            Err((step, failure)) => (Err(steps.fail(step, failure.detail())), Steps::default()),
        }
    }
}

/// A signed-in connection.
pub(super) struct MySql {
    conn: Conn,
    door: Door,
    stage: Stage,
    writes: bool,
    busy: bool,
    /// Whether rows are left that nobody wants.
    unread: bool,
}

impl MySql {
    async fn simply(&mut self, text: &str) -> Result<(), Failure> {
        self.busy = true;
        let result = self.conn.query_drop(text).await;
        self.busy = false;
        result.map_err(|error| self.failed(&error, &[]))
    }

    /// Has the server give up before its caller does.
    async fn limit(&mut self, limit: Duration) -> Result<(), Failure> {
        let version: Option<String> =
            self.conn.query_first("SELECT VERSION()").await.map_err(|error| self.failed(&error, &[]))?;
        let milliseconds = limit.as_millis();
        let limited = if version.is_some_and(|version| version.contains("MariaDB")) {
            format!("SET SESSION max_statement_time = {}.{:03}", milliseconds / 1_000, milliseconds % 1_000)
        } else {
            format!("SET SESSION max_execution_time = {milliseconds}")
        };
        self.simply(&limited).await?;
        self.simply(&format!("SET SESSION innodb_lock_wait_timeout = {}", limit.as_secs().max(1))).await
    }

    fn failed(&self, error: &MyError, parameters: &[Value]) -> Failure {
        let host = &self.door.settings.host;
        // Not every table of MySQL takes part in transactions: a change may stay although nothing was committed.
        let stage = if self.stage == Stage::Open && self.writes { Stage::Change } else { self.stage };
        match error {
            // What was stopped on the way may have changed some rows of a table without transactions by then.
            MyError::Server(refusal) if stage != Stage::Open && matches!(refusal.code, 1969 | 3024 | 1317) => {
                lost(stage, host, &masked(&refusal.message, parameters))
            }
            MyError::Server(refusal) => match refusal.code {
                // The limits of MariaDB and MySQL, and a statement that was stopped.
                1969 | 3024 | 1317 => too_slow(host),
                // The server ends, or was told to end the connection.
                1053 | 1077 | 1079 | 1927 => lost(stage, host, &refusal.message),
                _ => by_code(refusal, host, &masked(&refusal.message, parameters)),
            },
            MyError::Driver(DriverError::PacketTooLarge) => too_large(),
            other => lost(stage, host, &reason(other)),
        }
    }

    async fn prepared(&mut self, statement: &Statement) -> Result<(mysql_async::Statement, Params), Failure> {
        let prepared = self.conn.prep(&*statement.text).await;
        let prepared = prepared.map_err(|error| self.failed(&error, &statement.parameters))?;
        check_count(usize::from(prepared.num_params()), statement.parameters.len())?;
        let values: Vec<MyValue> = statement.parameters.iter().map(parameter).collect::<Result<_, _>>()?;
        let values = if values.is_empty() { Params::Empty } else { Params::Positional(values) };
        Ok((prepared, values))
    }

    async fn affected(&mut self, statement: &Statement) -> Result<u64, Failure> {
        let (prepared, values) = self.prepared(statement).await?;
        self.writes = true;
        let result = self.conn.exec_drop(&prepared, values).await;
        result.map_err(|error| self.failed(&error, &statement.parameters))?;
        Ok(self.conn.affected_rows())
    }

    async fn rows(&mut self, statement: &Statement, max_rows: usize) -> Result<Rows, Failure> {
        let (prepared, values) = self.prepared(statement).await?;
        let mut raw: Vec<mysql_async::Row> = Vec::new();
        let mut size = 0;
        let mut names = Vec::new();
        let read = async {
            let mut result = self.conn.exec_iter(&prepared, values).await?;
            names.extend(result.columns_ref().iter().map(|column| column.name_str().into_owned()));
            // One more than is asked for, to know whether there are more.
            while raw.len() <= max_rows && size <= super::statement::ANSWER_LIMIT {
                let Some(row) = result.next().await? else { return Ok(true) };
                size += (0..row.len()).filter_map(|at| row.as_ref(at)).map(length).sum::<usize>();
                raw.push(row);
            }
            Ok(false)
        };
        let read: Result<bool, MyError> = read.await;
        let whole = read.map_err(|error| self.failed(&error, &statement.parameters))?;
        self.unread = !whole;
        if size > super::statement::ANSWER_LIMIT {
            return Err(too_large());
        }
        let mut rows = Rows::new(names, max_rows)?;
        for row in raw {
            let columns = row.columns();
            let values = row.unwrap_raw().into_iter().zip(columns.iter());
            let values = values.map(|(value, column)| json_of(value, column)).collect();
            if !rows.push(values)? {
                break;
            }
        }
        Ok(rows)
    }
}

#[async_trait]
impl Session for MySql {
    async fn begin(&mut self, right: Right) -> Result<(), Failure> {
        self.stage = Stage::Open;
        self.writes = false;
        self.simply(match right {
            Right::Read => "START TRANSACTION READ ONLY",
            Right::Write => "START TRANSACTION READ WRITE",
        })
        .await
    }

    async fn query(&mut self, statement: &Statement, max_rows: usize) -> Result<Rows, Failure> {
        self.busy = true;
        let rows = self.rows(statement, max_rows).await;
        // What is still to come is not waited for: the session ends, and the server stops.
        self.busy = self.unread;
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
        // Dropping the connection says goodbye.
    }
}

impl Drop for MySql {
    fn drop(&mut self) {
        if !self.busy {
            return;
        }
        let (door, id) = (self.door.clone(), self.conn.id());
        tokio::spawn(tokio::time::timeout(STOP_LIMIT, async move {
            // The statement has a limit of its own, should this not reach the server.
            if let Ok(options) = door.options().await
                && let Ok(mut conn) = Conn::new(options).await
            {
                let _ = conn.query_drop(format!("KILL {id}")).await;
                let _ = conn.disconnect().await;
            }
        }));
    }
}

/// What a code means; most have a class of the standard.
fn by_code(refusal: &ServerError, host: &str, message: &str) -> Failure {
    let state = refusal.state.as_str();
    match refusal.code {
        // No access to the database, as a socket's user, from this address; TLS is required.
        1044 | 1045 | 1130 | 1251 | 1698 | 3159 => Failure::permanent(RunError::new(
            StandardError::Authentication,
            format!("the sign-in was refused; compare user, password and encryption; {host} says: {message}"),
        )),
        1142 | 1143 | 1227 | 1370 => by_state("42501", host, message),
        1205 | 1213 => by_state("40001", host, message),
        1040 | 1203 | 1226 => by_state("53300", host, message),
        1792 => by_state("25006", host, message),
        // Constraints have the class 23, except for those of MariaDB and of values that do not fit.
        4025 | 3819 => by_state("23000", host, message),
        _ if state.starts_with("23") => by_state(state, host, message),
        _ => refused(422, host, state, message, ""),
    }
}

fn tls_reason(error: &MyError) -> Option<String> {
    let MyError::Io(error) = error else { return None };
    let inner = match error {
        IoError::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
        IoError::Tls(error) => error.source().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
    };
    inner.map(tls::explain)
}

/// Words for what is no answer of the server; never those that hold a value.
fn reason(error: &MyError) -> String {
    match error {
        MyError::Io(IoError::Io(error)) => error.to_string(),
        MyError::Io(IoError::Tls(_)) => "the encryption failed".to_owned(),
        MyError::Driver(DriverError::ConnectionClosed) => "it was closed".to_owned(),
        MyError::Driver(DriverError::CantParseServerVersion { .. } | DriverError::UnexpectedPacket { .. }) => {
            "it does not speak as a MySQL server does".to_owned()
        }
        _ => "what it says is not understood".to_owned(),
    }
}

fn parameter(value: &Value) -> Result<MyValue, Failure> {
    if let Some(bytes) = bytes_of(value) {
        return bytes.map(MyValue::Bytes);
    }
    Ok(match value {
        Value::Null => MyValue::NULL,
        Value::Bool(yes) => MyValue::Int(i64::from(*yes)),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(number), ..) => MyValue::Int(number),
            (_, Some(number), _) => MyValue::UInt(number),
            (_, _, Some(number)) => MyValue::Double(number),
            _ => MyValue::Bytes(number.to_string().into_bytes()),
        },
        Value::String(text) => MyValue::Bytes(text.clone().into_bytes()),
        Value::Array(_) | Value::Object(_) => MyValue::Bytes(value.to_string().into_bytes()),
    })
}

fn length(value: &MyValue) -> usize {
    if let MyValue::Bytes(bytes) = value { bytes.len() } else { 8 }
}

fn json_of(value: Option<MyValue>, column: &mysql_async::Column) -> Value {
    match value {
        None | Some(MyValue::NULL) => Value::Null,
        Some(MyValue::Int(number)) => json!(number),
        Some(MyValue::UInt(number)) => json!(number),
        Some(MyValue::Float(number)) => float(f64::from(number)),
        Some(MyValue::Double(number)) => float(number),
        Some(MyValue::Date(year, month, day, hour, minute, second, micros)) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            if column.column_type() == ColumnType::MYSQL_TYPE_DATE {
                return Value::String(date);
            }
            Value::String(format!("{date}T{hour:02}:{minute:02}:{second:02}{}", fraction(micros)))
        }
        Some(MyValue::Time(negative, days, hours, minutes, seconds, micros)) => {
            let (sign, hours) = (if negative { "-" } else { "" }, days * 24 + u32::from(hours));
            Value::String(format!("{sign}{hours:02}:{minutes:02}:{seconds:02}{}", fraction(micros)))
        }
        Some(MyValue::Bytes(bytes)) => of_bytes(bytes, column),
    }
}

fn fraction(micros: u32) -> String {
    if micros == 0 { String::new() } else { format!(".{micros:06}") }
}

fn of_bytes(bytes: Vec<u8>, column: &mysql_async::Column) -> Value {
    use ColumnType::{MYSQL_TYPE_BIT, MYSQL_TYPE_DECIMAL, MYSQL_TYPE_JSON, MYSQL_TYPE_NEWDECIMAL};
    match column.column_type() {
        MYSQL_TYPE_BIT => json!(bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte))),
        MYSQL_TYPE_JSON => serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned())),
        MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        _ if column.character_set() == BINARY && column.flags().contains(ColumnFlags::BINARY_FLAG) => {
            Value::String(STANDARD.encode(bytes))
        }
        _ => match String::from_utf8(bytes) {
            Ok(text) => Value::String(text),
            Err(error) => Value::String(STANDARD.encode(error.into_bytes())),
        },
    }
}
