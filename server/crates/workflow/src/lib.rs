//! The workflow language: definitions, expressions, and the interpreter as a pure state machine.
#![warn(missing_docs)]

pub mod approval;
mod definition;
mod diagnostic;
pub mod duration;
mod effect;
mod error;
mod event;
pub mod expression;
mod graph;
pub mod harness;
mod machine;
mod plan;
mod source;

pub use definition::{Definition, Document, FunctionCatalogue, InvalidSchema, RondoMetadata, canonical_json, digest};
pub use diagnostic::Diagnostic;
pub use effect::{ApprovalRequest, Attention, CallTicket, Compensation, Effect, RunRecord, TaskRecord};
pub use error::{RunError, StandardError};
pub use event::{CallId, Event, EventKind, Resolution, TimerId};
pub use machine::{
    CallRequest, MAX_STATE_BYTES, MAX_STEPS_PER_EVENT, RunState, SecretSource, apply, build_call, outstanding,
};
pub use plan::{Plan, PlannedStep};
