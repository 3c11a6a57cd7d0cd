//! What REST answers and pages show. One file per area; the same structs on the server and in the browser.

mod access;
mod approval;
mod audit;
mod audit_question;
mod audit_retention;
mod calendar;
mod connection;
mod control;
mod definition;
mod definition_file;
mod delegation;
mod emergency;
mod event;
mod plan;
mod policy;
mod repository;
mod run;
mod runner;
mod trigger;
mod value;
mod workflow;

use serde::{Deserialize, Serialize};

pub use access::{
    DemoSignIn, ErasureView, GrantView, HomeView, LinkView, MeView, NamespaceLimitsView, NotificationView,
    ProcessPermissionView, SecretView, SessionView, SubjectView, TeamView, TokenView, UserView,
};
pub use approval::{
    AnswerView, ApprovalDetail, ApprovalSummary, ApproverView, ChosenApproval, DecisionOutcome, DecisionView,
    EarlierVersion, QuestionView, RecentRun, SimilarRuns, StageView, TimeView, TimingView,
};
pub use audit::{
    AuditCheckpointView, AuditConsistencyView, AuditEntryView, AuditFilter, AuditProofView, AuditReceiverView,
    AuditSampleView, AuditViewView, AuditWitnessView, VerificationView, is_number_of_run,
};
pub use audit_question::{AnswerCell, AuditAnswerView, AuditQuestionColumn, AuditQuestionView, Words};
pub use audit_retention::{AuditClassView, AuditHoldView, AuditRetentionView, AuditSegmentView, HoldCovers};
pub use calendar::CalendarView;
pub use connection::{CheckStep, ConnectionCheck, ConnectionState, ConnectionView, FailingConnection, OwnerView};
pub use control::{
    ComplianceView, ControlCoverage, ControlEvidence, ControlExceptionView, ControlListView, ControlSummary,
    ControlView, ControlWorkflowView, ControlsView, LastVerificationView, LedgerHealthView,
};
pub use definition::{
    CallerView, CheckedDefinition, CommentView, DefinitionItem, DefinitionLife, DiagnosticView, DifferenceRow,
    DifferenceView, EditedText, ExpectedRun, FunctionView, LanguageView, RehearsalView, RehearsedCall, RehearsedStep,
    SavedDefinition, TaskField, TaskForm, TaskItem, TaskList, TextEdit, TextLine, UsesView,
};
pub use definition_file::{FileReport, VersionName};
pub use delegation::DelegationView;
pub use emergency::EmergencyView;
pub use event::PublishedEvents;
pub use plan::{CallPlan, Certainty, ForeseenCall, ForesightView, PlannedEffect, PlannedField};
pub use policy::{
    AccessReviewItem, AccessReviewView, ChangedDecision, ConflictView, HeldRole, LineChange, LineView, PoliciesView,
    PolicySetItem, PolicySetView, PolicyView, ReplayView, ReviewedGrant, RolePair, SeparationView,
};
pub use repository::RepositoryView;
pub use run::{JournalEntryView, LogLine, RunDetail, RunError, RunSummary, TaskView};
pub use runner::{NewRunnerView, RunnerTaskView, RunnerView};
pub use trigger::{
    DeliveryView, FilesView, LooksView, MailsView, SavedTriggerView, SigningView, TriggerTrialView, TriggerView,
    WatchView,
};
pub use value::{
    SpreadView, ValueBucket, ValueChoices, ValueClass, ValueFigures, ValueQuery, ValueRow, ValueTeam, ValueView,
};
pub use workflow::{
    CatalogueItem, DraftView, Graph, GraphEdge, GraphNode, PlanStep, ScheduleRefusal, ScheduleView, WorkflowVersionView,
};

/// A page of a list. The next page is asked for with `cursor = next`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Page<T> {
    /// The items of this page, at most the asked `limit`.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last.
    #[serde(default)]
    pub next: Option<String>,
}

/// A person as others see them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// Their id.
    pub id: crate::UserId,
    /// Their sign-in name.
    pub login: String,
    /// Their name.
    pub name: String,
}
