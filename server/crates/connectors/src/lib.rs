//! Connectors: what lets a workflow touch other systems.
//!
//! A [`Connector`] offers functions that workflows call (`call: http`, `call: directory`, `call: ssh`) and kinds of
//! connection that administrators configure. The [`Registry`] holds the connectors of a server, checks what goes in,
//! finds the connection that a call names, and keeps time.
//!
//! # How a call runs
//! 1. The engine builds the call's arguments (`workflow::build_call`), opens sealed values in them, and has them
//!    prepared: [`Registry::prepare`] checks them against the function's schema and resolves the connection by name, with
//!    the namespace's right to use it.
//! 2. [`Registry::execute`] runs it within the deadline. The [`Outcome`] is done, retryable, permanent or unknown.
//! 3. A call that may have happened (unknown, or in flight when a node died) is settled by [`Registry::repetition`]:
//!    repeated where that does no harm, asked about by [`Registry::probe`] where the other system can tell by the
//!    idempotency key, and handed to an operator otherwise.
//!
//! Before a call is made, people may want to know what it would do: [`Registry::plan`] has the other system asked, by
//! reading only, within a few seconds ([`Connector::plan`]); [`Foresight`] says what the arguments say by themselves.
//!
//! A call that subscribes goes on until it is stopped: it delivers what comes to [`Messages`], and lets the other system
//! forget a message only when that says that it is safe.
//!
//! # How to add a connector
//! 1. A module here behind a cargo feature of its name, with a type that implements [`Connector`].
//! 2. Its [`FunctionSpec`] with a strict JSON Schema of `with`: the schema is what authors see, and what is checked both
//!    when a definition is saved and before the call. Its [`ConnectionKind`]s with a schema of their settings, in which
//!    `writeOnly: true` marks what is secret and will be stored sealed.
//! 3. Open sockets through [`egress`] and encrypt by [`tls`] only, so that what may be reached is decided in one place: in a
//!    call by [`CallContext::egress`] (what the run's namespace may reach), in [`Connector::check`] by the policy that the
//!    connector was made with (what the server may).
//!    A service that is asked by HTTP is asked by `http::plain`, which tells a lost answer from a refusal.
//! 4. Choose outcomes by what is certain: before anything was sent `Retryable` (`CallContext::entering` waits for the way in),
//!    after it `Unknown` unless repeating is harmless, a clear no of the other system `Permanent`. An answer that came and
//!    cannot be used is no clear no. End a little before the caller does (`CallContext::limit`), and read nothing without a
//!    bound. Each failure says what to do about it.
//! 5. Secrets never stand in an error, a log line or an output. An output that has to carry one carries it sealed
//!    (`Vault::seal_value`).
//! 6. Where the other system can be asked what a call would change, [`Connector::plan`]. It only reads, whatever becomes of
//!    it.
//! 7. Tests against the real system, and for one that is asked by HTTP those of `tests/it/faults.rs`; a section in
//!    `docs/connectors.md`; registration in the server's wiring.

mod arguments;
mod connection;
mod connector;
pub mod egress;
mod foresight;
#[cfg(any(feature = "asyncapi", feature = "openapi"))]
mod reference;
mod registry;
pub mod tls;
pub mod watch;

#[cfg(feature = "asyncapi")]
pub mod asyncapi;
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "chat")]
pub mod chat;
#[cfg(feature = "container")]
pub mod container;
#[cfg(feature = "directory")]
pub mod directory;
#[cfg(feature = "dns")]
pub mod dns;
#[cfg(feature = "git")]
pub mod git;
#[cfg(feature = "grpc")]
pub mod grpc;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "imap")]
pub mod imap;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(feature = "mcp")]
pub mod mcp;
#[cfg(feature = "messaging")]
pub mod messaging;
#[cfg(feature = "network")]
pub mod network;
#[cfg(feature = "openapi")]
pub mod openapi;
#[cfg(feature = "http")]
pub mod resource;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(any(feature = "aws", feature = "container", feature = "kubernetes", feature = "s3", feature = "ticket"))]
pub mod sigv4;
#[cfg(feature = "smtp")]
pub mod smtp;
#[cfg(feature = "sql")]
pub mod sql;
#[cfg(feature = "ssh")]
pub mod ssh;
#[cfg(feature = "ticket")]
pub mod ticket;
#[cfg(feature = "wait-for")]
pub mod wait_for;
#[cfg(any(feature = "container", feature = "ssh"))]
mod written;

pub use connection::{
    ConnectionKind, Connections, NoConnections, ResolvedConnection, SplitSettings, StoredConnections, may_use,
};
pub use connector::{
    CallContext, Connector, Failure, FailureKind, FunctionSpec, LogLevel, Messages, NoLog, OperationSpec, Outcome,
    Probe, Repetition, Request, System, TaskLog,
};
pub use foresight::Foresight;
pub use registry::{Call, PLAN_LIMIT, Registry, RegistryError};
