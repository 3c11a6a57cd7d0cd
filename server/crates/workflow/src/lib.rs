//! The workflow language: definitions, expressions, and the interpreter as a pure state machine.
#![warn(missing_docs)]

pub mod approval;
pub mod duration;
mod effect;
mod error;
mod event;

pub use effect::{ApprovalRequest, Attention, CallTicket, Compensation, Effect, RunRecord, TaskRecord};
pub use error::{RunError, StandardError};
pub use event::{CallId, Event, EventKind, Resolution, TimerId};
