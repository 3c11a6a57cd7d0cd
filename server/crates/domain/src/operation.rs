//! Every operation that Rondo offers, by the name that policies, audit and spans use.

use serde::{Deserialize, Serialize};

/// Whether an operation changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// Only reads; entered in the audit log where it reads the log itself or secrets, or exports.
    Read,
    /// Changes something; always entered in the audit log.
    Change,
}

// `tt` for the reason that `state` has.
macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident = $text:tt $kind:ident),+ $(,)?) => {
        /// An operation: one function of `service`, one Cedar action, one kind of audit entry.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum Operation { $($(#[$doc])* #[serde(rename = $text)] $variant),+ }

        impl Operation {
            /// All operations.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name, as `resource.verb`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Whether it changes something.
            #[must_use]
            pub const fn kind(self) -> OperationKind {
                match self { $(Self::$variant => OperationKind::$kind),+ }
            }
        }

        impl std::str::FromStr for Operation {
            type Err = crate::UnknownState;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err(crate::UnknownState) }
            }
        }
    };
}

operations! {
    /// Create the first administrator by the one-time link that the server printed.
    SetupClaim = "setup.claim" Change,
    /// Sign in with a password.
    SessionCreate = "session.create" Change,
    /// Say one's password again, before something that can do much harm.
    SessionConfirm = "session.confirm" Change,
    /// Sign out this browser.
    SessionEnd = "session.end" Change,
    /// See one's own signed-in browsers.
    SessionList = "session.list" Read,
    /// Sign out one or all of one's own browsers.
    SessionRevoke = "session.revoke" Change,
    /// Change one's own password.
    PasswordChange = "password.change" Change,
    /// Set a password by a one-time link.
    PasswordClaim = "password.claim" Change,
    /// See a generated password once, by a one-time link.
    PasswordReveal = "password.reveal" Change,
    /// Change one's own language, theme and other preferences.
    PreferencesChange = "preferences.change" Change,
    /// See who one is and what one may do.
    MeRead = "me.read" Read,
    /// See one's own API tokens.
    TokenList = "token.list" Read,
    /// Create an API token of one's own.
    TokenCreate = "token.create" Change,
    /// Revoke an API token of one's own.
    TokenRevoke = "token.revoke" Change,
    /// See one's own notices.
    NotificationList = "notification.list" Read,
    /// Mark one's own notices as read.
    NotificationRead = "notification.read" Change,
    /// See what may be launched.
    CatalogueList = "catalogue.list" Read,
    /// See one workflow and its versions.
    WorkflowRead = "workflow.read" Read,
    /// See drafts, reviews and what became of them.
    DefinitionList = "definition.list" Read,
    /// See one draft or version under review, with its authors and comments.
    DefinitionRead = "definition.read" Read,
    /// Check a text without keeping it.
    DefinitionValidate = "definition.validate" Read,
    /// Try a text out: a run in which nothing is done.
    DefinitionRehearse = "definition.rehearse" Read,
    /// Ask other systems what the calls of such a run would change.
    DefinitionForesee = "definition.foresee" Read,
    /// Write a draft of a workflow's version.
    DefinitionSave = "definition.save" Change,
    /// Delete a draft.
    DefinitionDelete = "definition.delete" Change,
    /// Give a draft to review.
    DefinitionSubmit = "definition.submit" Change,
    /// Take a version back from review.
    DefinitionWithdraw = "definition.withdraw" Change,
    /// Return a version to its authors.
    DefinitionReturn = "definition.return" Change,
    /// Comment on a draft or a version under review, or settle a comment.
    DefinitionComment = "definition.comment" Change,
    /// Publish a version that was reviewed, so that it can be launched.
    DefinitionPublish = "definition.publish" Change,
    /// Retire a version, so that it can be launched no more.
    DefinitionRetire = "definition.retire" Change,
    /// Export definitions: the text of one, or an archive of them.
    DefinitionExport = "definition.export" Read,
    /// Publish what a branch of a repository has, which counts as reviewed there.
    DefinitionMerge = "definition.merge" Change,
    /// See the repositories whose branches bring definitions, and what came of it.
    RepositoryList = "repository.list" Read,
    /// Follow a branch of a repository, or change how it is followed.
    RepositoryUpdate = "repository.update" Change,
    /// Follow a repository no longer.
    RepositoryDelete = "repository.delete" Change,
    /// Have a repository looked at now.
    RepositorySync = "repository.sync" Change,
    /// See the triggers, and what was delivered to them.
    TriggerList = "trigger.list" Read,
    /// Let another system launch a workflow, or say how.
    TriggerUpdate = "trigger.update" Change,
    /// Delete a trigger.
    TriggerDelete = "trigger.delete" Change,
    /// Have a delivery worked on once more.
    TriggerReplay = "trigger.replay" Change,
    /// See what a trigger would make of a delivery.
    TriggerTry = "trigger.try" Read,
    /// Keep a request that is being filled in.
    DraftSave = "draft.save" Change,
    /// See one's own unsent requests.
    DraftRead = "draft.read" Read,
    /// Throw an unsent request away.
    DraftDelete = "draft.delete" Change,
    /// Launch a workflow.
    RunLaunch = "run.launch" Change,
    /// See runs.
    RunList = "run.list" Read,
    /// See one run with its tasks, journal and logs.
    RunRead = "run.read" Read,
    /// Cancel a run.
    RunCancel = "run.cancel" Change,
    /// Halt a run.
    RunSuspend = "run.suspend" Change,
    /// Let a halted run go on.
    RunResume = "run.resume" Change,
    /// Retry the failed task of a run.
    RunRetry = "run.retry" Change,
    /// Pass over a task of a run that failed or waits.
    RunSkip = "run.skip" Change,
    /// Let a run go on from an earlier task with another input.
    RunResumeFrom = "run.resume-from" Change,
    /// Say what became of a call whose outcome is unknown.
    RunResolve = "run.resolve" Change,
    /// See what runs were worth: figures by workflow and team.
    ValueRead = "value.read" Read,
    /// Publish events that runs listen to.
    EventPublish = "event.publish" Change,
    /// See approvals.
    ApprovalList = "approval.list" Read,
    /// See one approval.
    ApprovalRead = "approval.read" Read,
    /// Ask what a run would do next if it were approved, and other systems what that would change.
    ApprovalForesee = "approval.foresee" Read,
    /// Approve, reject or ask for changes.
    ApprovalDecide = "approval.decide" Change,
    /// Send changed input after an approver has asked for changes.
    ApprovalResubmit = "approval.resubmit" Change,
    /// Ask something about what is to be decided.
    ApprovalAsk = "approval.ask" Change,
    /// Answer a question about what is to be decided.
    ApprovalAnswer = "approval.answer" Change,
    /// See who stands in for a person, and for whom that person stands in.
    DelegationList = "delegation.list" Read,
    /// Name a substitute of one's own.
    DelegationCreate = "delegation.create" Change,
    /// End a delegation before its time.
    DelegationRevoke = "delegation.revoke" Change,
    /// Read the audit log.
    AuditRead = "audit.read" Read,
    /// Export the audit log.
    AuditExport = "audit.export" Read,
    /// Have a saved question about the log answered every so often, or no longer.
    AuditSubscribe = "audit.subscribe" Change,
    /// Name a search of the audit log, for oneself.
    AuditViewSave = "audit-view.save" Change,
    /// Forget a named search.
    AuditViewDelete = "audit-view.delete" Change,
    /// Read which controls there is evidence for, and what is open.
    ControlRead = "control.read" Read,
    /// See how long entries of the audit log are kept, the holds on them, and where those that were archived are.
    AuditRetentionRead = "audit-retention.read" Read,
    /// Hold entries of the audit log, so that they are not archived.
    AuditHoldPlace = "audit-hold.place" Change,
    /// Release a hold on entries of the audit log.
    AuditHoldRelease = "audit-hold.release" Change,
    /// See the policies, those that are proposed included, and what they would change.
    PolicyRead = "policy.read" Read,
    /// Propose other policies of the administrators, or change a proposal.
    PolicyPropose = "policy.propose" Change,
    /// Take a proposal of policies back, or turn it down.
    PolicyWithdraw = "policy.withdraw" Change,
    /// Put proposed policies into force.
    PolicyActivate = "policy.activate" Change,
    /// See people and teams.
    UserList = "user.list" Read,
    /// Create a person.
    UserCreate = "user.create" Change,
    /// Change a person: names, mail, manager.
    UserUpdate = "user.update" Change,
    /// Disable or enable a person.
    UserDisable = "user.disable" Change,
    /// Issue a one-time link to set a person's password.
    UserResetPassword = "user.reset-password" Change,
    /// Erase a person who has left: from the account, and from the entries of the audit log.
    UserErase = "user.erase" Change,
    /// Create or change a team and its members.
    TeamUpdate = "team.update" Change,
    /// See grants.
    GrantList = "grant.list" Read,
    /// Give a role.
    GrantCreate = "grant.create" Change,
    /// Take a role back.
    GrantRevoke = "grant.revoke" Change,
    /// See reviews of who holds which roles.
    AccessReviewRead = "access-review.read" Read,
    /// Start a review of who holds which roles.
    AccessReviewStart = "access-review.start" Change,
    /// Say in a review that a grant stays, or take it back.
    AccessReviewDecide = "access-review.decide" Change,
    /// End a review before its date.
    AccessReviewClose = "access-review.close" Change,
    /// See emergency access.
    EmergencyRead = "emergency.read" Read,
    /// Ask for a role for a few hours.
    EmergencyAsk = "emergency.ask" Change,
    /// Agree that somebody gets a role for a few hours.
    EmergencyConfirm = "emergency.confirm" Change,
    /// End emergency access before its time, or decline what was asked for.
    EmergencyEnd = "emergency.end" Change,
    /// Say what was done by emergency access.
    EmergencyReview = "emergency.review" Change,
    /// See who holds roles that conflict.
    SeparationRead = "separation.read" Read,
    /// Say which roles nobody may hold together.
    SeparationUpdate = "separation.update" Change,
    /// See which namespaces may run processes.
    ProcessList = "process.list" Read,
    /// Permit a namespace to run shell commands, scripts and containers.
    ProcessPermit = "process.permit" Change,
    /// Take that permission back.
    ProcessForbid = "process.forbid" Change,
    /// See the runners, and what they run.
    RunnerList = "runner.list" Read,
    /// Enrol a runner, and get its token.
    RunnerEnrol = "runner.enrol" Change,
    /// Enable, drain or disable a runner.
    RunnerUpdate = "runner.update" Change,
    /// Remove a runner.
    RunnerRemove = "runner.remove" Change,
    /// See the names of secrets of namespaces.
    SecretList = "secret.list" Read,
    /// Add a secret to a namespace, or replace its value.
    SecretUpdate = "secret.update" Change,
    /// Delete a secret of a namespace.
    SecretDelete = "secret.delete" Change,
    /// See the limits of namespaces.
    LimitList = "limit.list" Read,
    /// Limit how many runs and calls of a namespace are executed at once.
    LimitUpdate = "limit.update" Change,
    /// Take the limits of a namespace away.
    LimitDelete = "limit.delete" Change,
    /// See the calendars of working time.
    CalendarList = "calendar.list" Read,
    /// Add a calendar, or replace it.
    CalendarUpdate = "calendar.update" Change,
    /// Delete a calendar.
    CalendarDelete = "calendar.delete" Change,
    /// See connections, without their secrets.
    ConnectionList = "connection.list" Read,
    /// Create or change a connection and its secret.
    ConnectionUpdate = "connection.update" Change,
    /// Delete a connection.
    ConnectionDelete = "connection.delete" Change,
    /// Try a connection out.
    ConnectionTest = "connection.test" Change,
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}
