//! The workflow language of Rondo: the Serverless Workflow DSL 1.0.3, read strictly, and interpreted by a pure state
//! machine. Nothing in this crate does I/O, reads a clock or draws a random number.
//!
//! # From a text to a run
//! 1. [`Definition::parse`] reads YAML or JSON against a [`FunctionCatalogue`]; all faults come at once, as
//!    [`Diagnostic`]s with line and column. [`Definition::plan`] and [`Definition::graph`] say what a run will do.
//! 2. The engine keeps a [`RunState`] and a journal of [`Event`]s. It writes an event down, calls [`apply`], and executes
//!    the [`Effect`]s it gets, in this order and never otherwise.
//! 3. An [`Effect::Call`] carries no arguments. [`build_call`] makes them when the call is dispatched; that is the only
//!    place where secrets are seen. The answer comes back as [`EventKind::CallCompleted`], [`EventKind::CallFailed`] or
//!    [`EventKind::CallLost`] or [`EventKind::CallUnknown`]. A task that is stopped while its call is under way asks by
//!    [`Effect::SettleCall`] what becomes of it, where it can be taken back, else it has it stopped.
//! 4. An [`Effect::Subscribe`] asks for events; they come as [`EventKind::EventReceived`], and whether one fits is decided
//!    here. [`Effect::Emit`] gives one to publish. Processes of `run` tasks are calls, too: see [`process`]. A call that
//!    subscribes stays in flight, and [`EventKind::MessageReceived`] brings what comes of it.
//! 5. After a crash the journal is replayed from [`RunState::new`] or from a snapshot (its JSON), with the effects thrown
//!    away; [`outstanding`] then says what is in flight.
//!
//! An event that does not fit (an answer to a call that was stopped, a timer that was cleared, anything twice) changes
//! nothing and has no effects, so delivering at least once is enough.
//!
//! What an engine cannot do it does not allow ([`FunctionCatalogue::allow`]), and a definition that needs it is refused.
//! [`Definition::schedule`] says when runs begin by themselves; [`lifecycle`] makes the events that tell others where a
//! run stands.
//!
//! # How an event flows
//! `machine::apply` → `accept` finds the frame by its call, timer or subscription → `flow::complete` or `faults::raise` → steps in a
//! queue → `flow::start` begins the next task, and so on until every branch waits for something. Then the changed rows
//! ([`Effect::Task`], [`Effect::Run`]) are shown, each once.
//!
//! # How to
//! - **Add a task kind**: a variant of `TaskKind` (`definition::model`), its properties in `definition::tasks` (`KINDS`,
//!   `kind`), its beginning in `machine::flow::try_execute`. If it waits for something from outside, give it a variant of
//!   `Work` and an `Effect` and `EventKind`; if it contains tasks, open them with `open_list` and act on their end in
//!   `list_done`. Then `plan`, `graph`, and cases in `tests/corpus/`: they also run under every single fault.
//! - **Add a function to `call`**: register it in the catalogue. If its arguments hold endpoints or authentication
//!   policies, name their places in `definition::authentication`.
//! - **Add a function to expressions**: see [`expression`].
//! - **Change the form of events or state**: raise [`Event::FORMAT`] or [`RunState::VERSION`]. The order of tasks in the
//!   arena (document order, depth first) is part of the state's form. `tests/journal.rs` says how to write its file.
//! - **Change a text** and leave the rest of it as it is written: [`edit`].
//! - **Test a definition**: [`harness`]; what authors write as `document.metadata.rondo.tests`: [`rehearsal`].
//! - **Say what a run that waits would do next**: [`foresight`].
//!
//! # Limits
//! A definition: 1 MiB, 64 levels, 5,000 tasks. An expression: 8 KiB, 500,000 steps, 64 MiB built, 1 MiB of result. A
//! run: [`MAX_STEPS_PER_EVENT`] tasks without waiting, [`MAX_STATE_BYTES`] of state.

pub mod approval;
pub mod calendar;
mod cloud_event;
pub mod controls;
mod definition;
mod diagnostic;
pub mod duration;
pub mod edit;
mod effect;
mod error;
mod event;
pub mod expression;
pub mod foresight;
mod graph;
pub mod harness;
mod language;
pub mod lifecycle;
mod machine;
mod plan;
pub mod process;
pub mod rehearsal;
mod schedule;
mod source;
pub mod timetable;

pub use cloud_event::{CloudEvent, InvalidCloudEvent};
pub use definition::{
    CalledWorkflow, Capability, Definition, Document, FunctionCatalogue, InvalidSchema, ResourceResolver,
    RondoMetadata, ScheduleMetadata, canonical_json, digest, renumber,
};
pub use diagnostic::Diagnostic;
pub use effect::{
    ApprovalRequest, Attention, CallTicket, Compensation, Effect, EventFilter, RunRecord, Subscription, TaskRecord,
};
pub use error::{RunError, StandardError};
pub use event::{CallId, Event, EventKind, Resolution, SubscriptionId, TimerId};
pub use language::language;
pub use machine::{
    CallRequest, Decides, MAX_STATE_BYTES, MAX_STEPS_PER_EVENT, Refusal, RunState, SecretSource, apply, build_call,
    outstanding, refusal, runner_of_call, secrets_of_call, unsettled,
};
pub use plan::{Plan, PlannedStep};
pub use schedule::{Gathering, Schedule};
