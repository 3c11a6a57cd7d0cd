//! The trait that connectors implement, and the words of its methods.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    Clock, Ids, RunId, Timestamp,
    view::{CallPlan, CheckStep},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use workflow::{RunError, StandardError};

use crate::{
    connection::{ConnectionKind, ResolvedConnection},
    egress::EgressPolicy,
    watch::Source,
};

/// How long a call may take where neither the definition nor the engine says so.
const DEFAULT_LIMIT: Duration = Duration::from_mins(1);

/// A way to other systems. One per protocol or kind of system; stateless but for pools.
#[async_trait]
pub trait Connector: Send + Sync {
    /// The functions that it offers to workflows.
    fn functions(&self) -> Vec<FunctionSpec>;

    /// The kinds of connection that its functions work over; none where arguments say it all.
    fn connection_kinds(&self) -> Vec<ConnectionKind> {
        Vec::new()
    }

    /// The connection that these arguments name, if any.
    fn connection_name<'a>(&self, with: &'a Value) -> Option<&'a str> {
        with.get("connection").and_then(Value::as_str)
    }

    /// What may be done about a call of which nobody knows whether it happened.
    fn repetition(&self, request: &Request) -> Repetition;

    /// Does it. The arguments satisfy the function's schema.
    ///
    /// Dropped when the deadline passes or the call is cancelled.
    async fn execute(&self, request: &Request, context: &CallContext) -> Outcome;

    /// Asks the other system whether the call with the context's idempotency key happened. Only for
    /// [`Repetition::Probe`].
    async fn probe(&self, _request: &Request, _context: &CallContext) -> Probe {
        Probe::CannotTell
    }

    /// Whether [`Connector::plan`] may have something to say of a call that changes something. Only so many calls of a run are
    /// asked about, so that those of which nothing can be said are left out before.
    fn may_plan(&self, _with: &Value) -> bool {
        false
    }

    /// Asks the other system what the call would change, by reading, or by a way of trying that it has for this: nothing is
    /// another there afterwards, and nobody is kept from anything meanwhile. None where nothing can be said. The arguments
    /// satisfy the function's schema, and hold no secrets; the operation is none that only reads, and
    /// [`Connector::may_plan`] has said yes.
    ///
    /// What a person would see in it is masked as in an output. A clear no that the call would get as well is a failure as of
    /// [`Connector::execute`]. Dropped when the context's deadline passes, which is a few seconds: [`PLAN_LIMIT`].
    ///
    /// [`PLAN_LIMIT`]: crate::PLAN_LIMIT
    async fn plan(&self, _request: &Request, _context: &CallContext) -> Result<Option<CallPlan>, Failure> {
        Ok(None)
    }

    /// Whether a call that only reads may be made before anybody has decided about it, to see what comes after it: not where
    /// what it gives may be what the decision is about.
    fn may_look(&self, _with: &Value) -> bool {
        false
    }

    /// Tries a connection out, step by step up to the first that fails: `settings`, `name`, `connect`, `tls`, `sign-in`,
    /// `right`. The settings satisfy the kind's schema. Changes nothing in the other system. It is no run's, so that the
    /// server's own policy says what it may reach, with which the connector was made. Only for connectors that have
    /// [`Connector::connection_kinds`].
    async fn check(&self, _connection: &ResolvedConnection) -> Vec<CheckStep> {
        Vec::new()
    }

    /// How triggers see what has come over its connections, where something can come.
    fn source(&self) -> Option<&dyn Source> {
        None
    }

    /// Which system a call with these arguments touches, for people. `with` may still hold expressions.
    fn describe(&self, with: &Value) -> System;
}

/// A function as authors see it.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    /// What `call:` names.
    pub name: &'static str,
    /// Title for people, in English.
    pub title: &'static str,
    /// Which kind of system it touches, in a word or two for people.
    pub system: &'static str,
    /// JSON Schema (2020-12, strict) of `with`.
    pub with: Value,
    /// JSON Schema of the output.
    pub output: Value,
    /// The operations, where `with.operation` chooses one.
    pub operations: Vec<OperationSpec>,
    /// Whether a connection must be named.
    pub needs_connection: bool,
    /// The kinds of connection that it works over.
    pub connection_kinds: Vec<&'static str>,
    /// What a call with these arguments would do, in English for people; none where it cannot be said.
    pub foresee: fn(&Value) -> Option<String>,
}

impl FunctionSpec {
    /// A function without operations that works over no connection.
    #[must_use]
    pub fn unconnected(
        name: &'static str,
        title: &'static str,
        system: &'static str,
        with: Value,
        output: Value,
    ) -> Self {
        let (operations, connection_kinds) = (Vec::new(), Vec::new());
        let foresee = |_: &Value| None;
        Self { name, title, system, with, output, operations, needs_connection: false, connection_kinds, foresee }
    }

    /// Says what its calls would do.
    #[must_use]
    pub fn foreseen_by(mut self, foresee: fn(&Value) -> Option<String>) -> Self {
        self.foresee = foresee;
        self
    }
}

/// One of a function's operations.
#[derive(Clone, Debug)]
pub struct OperationSpec {
    /// What `operation:` names.
    pub name: &'static str,
    /// Title for people, in English.
    pub title: &'static str,
    /// JSON Schema of its output.
    pub output: Value,
    /// Whether it only reads.
    pub reads: bool,
}

/// A call that is ready to be made. Its arguments may hold secrets in the clear, so it has no `Debug`.
pub struct Request {
    /// The function.
    pub function: String,
    /// Evaluated arguments.
    pub with: Value,
    /// The connection that they name.
    pub connection: Option<Arc<ResolvedConnection>>,
    /// Whether the definition declares that calling twice does no harm (`metadata.rondo.idempotent`).
    pub idempotent: bool,
}

/// What a call works with.
#[derive(Clone)]
pub struct CallContext {
    /// The run.
    pub run: RunId,
    /// JSON pointer to the task.
    pub reference: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// The idempotency key, the same over all attempts and restarts.
    pub key: String,
    /// When the caller gives up.
    pub deadline: Option<Timestamp>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// The task's log.
    pub log: Arc<dyn TaskLog>,
    /// What the run's namespace may reach: the one way by which a call opens sockets.
    pub egress: Arc<EgressPolicy>,
    /// Address of the portal as people reach it, without a slash at the end.
    pub base_url: String,
    /// Set when the call is no longer wanted.
    pub cancelled: CancellationToken,
    /// Where messages go; only for a call that subscribes. Such a call ends by itself when no more will come; without a
    /// deadline it may go on for ever.
    pub messages: Option<Arc<dyn Messages>>,
}

impl CallContext {
    /// How long the call may still take.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline.map_or(DEFAULT_LIMIT, |deadline| deadline.since(self.clock.now()))
    }

    /// A limit for what has to end before the caller gives up, so that it is known how it ended: a little less than
    /// [`CallContext::time_left`].
    #[cfg(any(
        feature = "dns",
        feature = "http",
        feature = "messaging",
        feature = "smtp",
        feature = "sql",
        feature = "ssh"
    ))]
    pub(crate) fn limit(&self) -> Duration {
        let left = self.time_left();
        left.saturating_sub((left / 10).min(Duration::from_secs(1))).max(Duration::from_millis(1))
    }

    /// Waits for the way into another system within the limit: until then, nothing was asked of it.
    #[cfg(any(
        feature = "asyncapi",
        feature = "directory",
        feature = "grpc",
        feature = "messaging",
        feature = "smtp",
        feature = "sql",
        feature = "ssh"
    ))]
    pub(crate) async fn entering<T>(
        &self,
        name: &str,
        entering: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::time::timeout(self.limit(), entering).await.unwrap_or_else(|_| {
            let detail = format!("{name} did not let us in in the time that the task has; nothing was sent");
            Err(Failure::retryable(RunError::new(StandardError::Timeout, detail)))
        })
    }

    /// Whether there is a time at which the call must have ended.
    pub(crate) fn is_limited(&self) -> bool {
        self.deadline.is_some() || self.messages.is_none()
    }

    /// Adds a line to the task's log.
    pub fn info(&self, text: impl AsRef<str>) {
        self.log.line(LogLevel::Info, text.as_ref());
    }

    /// Adds a warning to the task's log.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.log.line(LogLevel::Warn, text.as_ref());
    }
}

/// Takes the messages of a call that subscribes.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Delivers a message. `id` tells it from the others of the subscription, and is the same if it comes again. True once
    /// it is safe with the run, so that the other system may forget it; false when nobody wants more.
    async fn deliver(&self, id: String, message: Value) -> bool;

    /// Whether the subscription may be taken up again after this process has ended, so that the other system should keep
    /// what comes in between.
    fn may_be_resumed(&self) -> bool;
}

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// What is done.
    Info,
    /// What is odd, or worked in a lesser way.
    Warn,
    /// What failed.
    Error,
}

impl LogLevel {
    /// As it stands in `domain::view::LogLine`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Where a call writes what it does, shown live on the run's page. Never secrets.
pub trait TaskLog: Send + Sync {
    /// Adds a line of at most 8 KiB.
    fn line(&self, level: LogLevel, text: &str);
}

/// A log that keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLog;

impl TaskLog for NoLog {
    fn line(&self, _level: LogLevel, _text: &str) {}
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It happened; this is its output, with secrets sealed.
    Done(Value),
    /// It did not happen; another attempt may succeed.
    Retryable(RunError),
    /// It did not happen, and another attempt would fail in the same way.
    Permanent(RunError),
    /// It may have happened, and another attempt does no harm.
    Lost(RunError),
    /// It may have happened, and another attempt might do the same thing twice.
    Unknown(RunError),
}

impl Outcome {
    /// The error, if it is one.
    #[must_use]
    pub fn error(&self) -> Option<&RunError> {
        match self {
            Self::Done(_) => None,
            Self::Retryable(error) | Self::Permanent(error) | Self::Lost(error) | Self::Unknown(error) => Some(error),
        }
    }
}

impl From<Result<Value, Failure>> for Outcome {
    fn from(result: Result<Value, Failure>) -> Self {
        match result {
            Ok(output) => Self::Done(output),
            Err(failure) => match failure.kind {
                FailureKind::Retryable => Self::Retryable(*failure.error),
                FailureKind::Permanent => Self::Permanent(*failure.error),
                FailureKind::Lost => Self::Lost(*failure.error),
                FailureKind::Unknown => Self::Unknown(*failure.error),
            },
        }
    }
}

/// What another attempt would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// It may succeed: nothing happened.
    Retryable,
    /// It would fail in the same way.
    Permanent,
    /// It does no harm, but this one may have happened.
    Lost,
    /// It might do the same thing twice.
    Unknown,
}

/// The failing outcomes as an error, for `?` inside connectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What another attempt would do.
    pub kind: FailureKind,
    /// What the task fails with.
    pub error: Box<RunError>,
}

impl Failure {
    /// Another attempt may succeed.
    #[must_use]
    pub fn retryable(error: RunError) -> Self {
        Self { kind: FailureKind::Retryable, error: Box::new(error) }
    }

    /// Another attempt would fail in the same way.
    #[must_use]
    pub fn permanent(error: RunError) -> Self {
        Self { kind: FailureKind::Permanent, error: Box::new(error) }
    }

    /// It may have happened, and another attempt does no harm.
    #[must_use]
    pub fn lost(error: RunError) -> Self {
        Self { kind: FailureKind::Lost, error: Box::new(error) }
    }

    /// It may have happened, and another attempt might do the same thing twice.
    #[must_use]
    pub fn unknown(error: RunError) -> Self {
        Self { kind: FailureKind::Unknown, error: Box::new(error) }
    }

    /// The definition or the connection is wrong: nothing was sent.
    #[must_use]
    pub fn configuration(detail: impl Into<String>) -> Self {
        Self::permanent(RunError::new(StandardError::Configuration, detail))
    }

    /// The other system said no, with a status in the sense of HTTP.
    #[must_use]
    pub fn refused(status: u16, detail: impl Into<String>) -> Self {
        Self::permanent(RunError::communication(status, detail))
    }

    /// The other system could not be reached: nothing was sent.
    #[must_use]
    pub fn unreachable(detail: impl Into<String>) -> Self {
        Self::retryable(RunError::communication(503, detail))
    }

    /// The words of the error.
    #[must_use]
    pub fn detail(&self) -> &str {
        self.error.detail.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Failure {}

/// What may be done about a call of which nobody knows whether it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// Repeat it: it only reads, or doing it twice is the same as doing it once.
    Safe,
    /// Ask by [`Connector::probe`]: the other system can tell by the idempotency key.
    Probe,
    /// Not to be repeated blindly: ask a person.
    Once,
}

/// What the other system says about a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Probe {
    /// It happened; this is its output.
    Happened(Value),
    /// It did not happen: it may be made again.
    DidNotHappen,
    /// Nothing certain can be said now.
    CannotTell,
}

/// A system as people know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// What kind of system: `HTTP service`, `Directory`, `Mail`.
    pub title: String,
    /// Which one: a connection's name, or a host; empty if an expression decides.
    pub target: String,
}
