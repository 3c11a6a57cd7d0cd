//! The words of Rondo as types: ids, times, names, states, roles, problems, and the views that pages and REST share.
//!
//! This crate compiles for the server and for the browser, so it does no I/O, reads no clock and draws no random
//! numbers: [`Clock`] and [`Ids`] are parameters that the server supplies.
//!
//! # How to
//! - **Add an id**: one line in the `typed_ids!` call of [`id`]. An id of one kind can never stand for another.
//! - **Add an operation**: a variant of [`Operation`]. Its name is at once the Cedar action, the audit action and the
//!   span name; the tests of `policy` and `service` then fail until it is authorized, audited and documented.
//! - **Add an error code**: a variant of [`ErrorCode`] with its status and title, and the page `docs/errors/<code>.md`.
//! - **Add a view**: a struct in [`view`]; derive `utoipa::ToSchema` behind the feature `openapi`, as the others do.

mod delegation;
pub mod form;
pub mod id;
mod limits;
mod name;
mod operation;
mod problem;
mod role;
mod state;
mod time;
pub mod view;

pub use delegation::DelegationScope;
pub use id::{
    AccessReviewId, ApprovalId, CommentId, ConnectionId, DecisionId, DelegationId, DraftId, EmergencyId, GrantId,
    HoldId, Ids, LinkId, NotificationId, RemarkId, RunId, RunnerId, SessionId, TeamId, TokenId, TriggerId, UserId,
};
pub use limits::{Limits, Rate};
pub use name::{InvalidName, Name, WorkflowRef};
pub use operation::{Operation, OperationKind};
pub use problem::{ErrorCode, FieldError, NamedPolicy, Problem};
pub use role::{Role, Scope, UnknownRole};
pub use state::{
    AccessVerdict, AlertEnd, AnswerEvery, ApprovalState, AuditClass, CellKind, DecisionKind, DecisionResult,
    DelegationState, EmergencyState, FileEnd, FileOutcome, MailEnd, MissedRuns, PolicySetState, Risk, RunStatus,
    RunnerState, RunnerTaskState, StageState, TaskStatus, TeamOf, Trigger, TriggerKind, TriggerOutcome, UnknownState,
    ValueBy, ValuePeriod, ValueStep, VersionState, WaitsFor, WhyAlone,
};
pub use time::{Clock, InvalidTimestamp, Timestamp};
