//! States of runs, tasks, approvals and definitions.

use serde::{Deserialize, Serialize};

/// The text names no state of its kind.
#[derive(Debug, thiserror::Error)]
#[error("unknown state")]
pub struct UnknownState;

// `tt`, not `literal`: what derives the schema of interfaces does not see into a fragment of that kind, and would call the
// values by their Rust names.
macro_rules! states {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:tt),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// All values, in the order of a life.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name as it stands in interfaces and databases.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownState;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err(UnknownState) }
            }
        }
    };
}

states! {
    /// What an entry of the audit log is kept for: how long, is said for each class.
    AuditClass {
        /// Readings and exports of the log.
        Reading = "reading",
        /// Sign-ins, sign-outs, sessions, and whatever was refused.
        Access = "access",
        /// Approvals, reviews of access, delegations, emergency access.
        Decision = "decision",
        /// Everything else.
        Change = "change",
    }
}

states! {
    /// What became of a file with a definition that was brought in. Nothing is ever overwritten.
    FileOutcome {
        /// It is a new version: a draft, or one that a repository has brought to its review.
        Added = "added",
        /// The version that an earlier text of the same file had made, and nobody has changed since, has its text now.
        Updated = "updated",
        /// Its version is there with this text already.
        Unchanged = "unchanged",
        /// Its version is there with another text, which stays.
        Conflict = "conflict",
        /// It was not taken, for another reason.
        Refused = "refused",
    }
}

states! {
    /// Where a delegation stands.
    DelegationState {
        /// Its time has not come.
        Upcoming = "upcoming",
        /// The substitute may decide.
        Active = "active",
        /// Its time is over.
        Ended = "ended",
        /// It was ended before its time.
        Revoked = "revoked",
    }
}

states! {
    /// Status of a run (Serverless Workflow DSL 1.0.3, dsl.md, "Status phases").
    RunStatus {
        /// Launched, not yet begun.
        Pending = "pending",
        /// At work, compensation included.
        Running = "running",
        /// Nothing to do until a person decides, an event arrives or a time comes.
        Waiting = "waiting",
        /// Halted by an operator; starts nothing new.
        Suspended = "suspended",
        /// Ended by a person before its end.
        Cancelled = "cancelled",
        /// Ended by an error that nothing caught.
        Faulted = "faulted",
        /// Ended as defined.
        Completed = "completed",
    }
}

impl RunStatus {
    /// Whether the run has ended for good (a faulted run may still be retried by an operator).
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Faulted | Self::Completed)
    }
}

states! {
    /// Where a set of policies that administrators have written stands.
    PolicySetState {
        /// Waits for another administrator; its text may still change.
        Proposed = "proposed",
        /// In force.
        Active = "active",
        /// Was in force, until another took its place.
        Replaced = "replaced",
        /// Never came into force.
        Withdrawn = "withdrawn",
    }
}

states! {
    /// What became of a grant in a review of access.
    AccessVerdict {
        /// Nobody has said anything yet.
        Pending = "pending",
        /// It stays.
        Confirmed = "confirmed",
        /// It was taken back.
        Revoked = "revoked",
        /// Nobody has confirmed it by the date, so it ended.
        Lapsed = "lapsed",
        /// Nobody has confirmed it, and it stays all the same: the portal would be left without an administrator.
        Kept = "kept",
        /// It was gone before anybody said anything.
        Gone = "gone",
    }
}

states! {
    /// Where an emergency access stands.
    EmergencyState {
        /// Waits for a second person.
        Asked = "asked",
        /// The role is held.
        InForce = "in-force",
        /// The role has ended, and nobody has looked at what was done yet.
        Over = "over",
        /// Somebody has.
        Reviewed = "reviewed",
        /// Nobody agreed in time, or it was taken back or declined.
        Dropped = "dropped",
    }
}

states! {
    /// Where a version of a definition stands in its life.
    VersionState {
        /// Being written: its text may still change.
        Draft = "draft",
        /// Waits for a publisher.
        InReview = "in-review",
        /// Can be launched.
        Published = "published",
        /// Cannot be launched any more.
        Retired = "retired",
    }
}

impl VersionState {
    /// Whether it is for all who may read the workflow; its text never changes any more.
    #[must_use]
    pub const fn has_been_published(self) -> bool {
        matches!(self, Self::Published | Self::Retired)
    }
}

states! {
    /// Who calls a trigger, and so how a call is proven.
    TriggerKind {
        /// Whatever signs its calls: HMAC-SHA256 over id, time and body.
        Webhook = "webhook",
        /// GitHub, and what signs as it does.
        Github = "github",
        /// GitLab, which shows a token.
        Gitlab = "gitlab",
        /// Alertmanager of Prometheus, with a bearer token or a password.
        Alertmanager = "alertmanager",
        /// The alerting of Grafana, likewise.
        Grafana = "grafana",
        /// Nobody: files that are put into a bucket are looked for.
        FileDrop = "file-drop",
        /// Nobody: mails in a mailbox are looked for.
        Mailbox = "mailbox",
    }
}

impl TriggerKind {
    /// Whether what is delivered are alerts, which begin and are resolved.
    #[must_use]
    pub const fn is_alerts(self) -> bool {
        matches!(self, Self::Alertmanager | Self::Grafana)
    }

    /// Whether nobody calls: it looks for what has come itself.
    #[must_use]
    pub const fn looks(self) -> bool {
        matches!(self, Self::FileDrop | Self::Mailbox)
    }
}

states! {
    /// What becomes of a file that was delivered.
    FileEnd {
        /// It stays where it is.
        Leave = "leave",
        /// It gets a tag that says which trigger has delivered it.
        Tag = "tag",
        /// It goes under another prefix of its bucket.
        Move = "move",
    }
}

states! {
    /// What becomes of a mail that was delivered.
    MailEnd {
        /// It is marked as read.
        Seen = "seen",
        /// It goes to another folder of the mailbox.
        Move = "move",
    }
}

states! {
    /// What became of a delivery to a trigger.
    TriggerOutcome {
        /// It launched a run.
        Launched = "launched",
        /// Its alert is resolved, and the run was told.
        Continued = "continued",
        /// Its alert is resolved, and the run was cancelled.
        Closed = "closed",
        /// There is nothing to do about it.
        Filtered = "filtered",
        /// What it is about has a run already.
        Duplicate = "duplicate",
        /// It cannot be made into an input of the workflow.
        Invalid = "invalid",
        /// The workflow cannot be launched.
        Refused = "refused",
    }
}

states! {
    /// What becomes of a run when its alert is resolved.
    AlertEnd {
        /// It is told by an event, and goes on.
        Continue = "continue",
        /// It is cancelled.
        Close = "close",
    }
}

states! {
    /// What a runner may do.
    RunnerState {
        /// It takes tasks.
        Enabled = "enabled",
        /// It ends what it has, and takes nothing more.
        Draining = "draining",
        /// Nothing: it is not listened to.
        Disabled = "disabled",
    }
}

states! {
    /// Where a task for a runner stands.
    RunnerTaskState {
        /// It waits for a runner.
        Queued = "queued",
        /// A runner was given it, and has not begun it.
        Leased = "leased",
        /// A runner may have begun it.
        Started = "started",
        /// What became of it is known, or will never be.
        Done = "done",
    }
}

states! {
    /// Whose limit holds a run up.
    WaitsFor {
        /// That of its workflow.
        Workflow = "workflow",
        /// That of its namespace.
        Namespace = "namespace",
        /// That of a connection that a call needs.
        Connection = "connection",
    }
}

states! {
    /// What makes runs of a workflow begin by themselves (Serverless Workflow DSL 1.0.3, dsl-reference.md, "Schedule").
    Trigger {
        /// The time of a cron pattern.
        Cron = "cron",
        /// A time of a fixed distance from the others.
        Every = "every",
        /// A time after the end of the run before.
        After = "after",
        /// An event, or several that belong together.
        On = "on",
    }
}

states! {
    /// What becomes of the times at which nobody was there to launch a run.
    MissedRuns {
        /// Nothing.
        Skip = "skip",
        /// One run for all of them.
        Once = "once",
        /// A run for each, up to a limit.
        All = "all",
    }
}

states! {
    /// Status of one execution of a task.
    TaskStatus {
        /// Known, not yet begun.
        Pending = "pending",
        /// At work.
        Running = "running",
        /// Waits for a person, an event or a time.
        Waiting = "waiting",
        /// Waits before its next attempt.
        Retrying = "retrying",
        /// Left out by its `if`, or by a path not taken.
        Skipped = "skipped",
        /// Its call may or may not have happened; somebody has to find out.
        Unknown = "unknown",
        /// Stopped with its run or by a competing branch.
        Cancelled = "cancelled",
        /// Ended with an error.
        Faulted = "faulted",
        /// Ended as defined.
        Completed = "completed",
    }
}

states! {
    /// State of an approval.
    ApprovalState {
        /// Waits for decisions.
        Pending = "pending",
        /// Enough approvals.
        Approved = "approved",
        /// Enough rejections, or the due time passed.
        Rejected = "rejected",
        /// The run ended before a decision, or what was to be decided changed.
        Void = "void",
    }
}

states! {
    /// Where one stage of an approval stands.
    StageState {
        /// Those whom it asks decide now.
        Open = "open",
        /// Enough approvals.
        Approved = "approved",
        /// It was rejected here, or something else took the place of what was asked for.
        Rejected = "rejected",
        /// It comes later, or will not come any more.
        Ahead = "ahead",
    }
}

states! {
    /// What became of one of several decisions that were sent together.
    DecisionResult {
        /// It counts.
        Decided = "decided",
        /// Somebody was quicker, or it was decided before.
        AlreadyDecided = "already-decided",
        /// Something else is asked by now than what was seen.
        Changed = "changed",
        /// It needs more than a word and a reason, and is decided by itself.
        Alone = "alone",
        /// Not permitted, or not possible.
        Refused = "refused",
    }
}

states! {
    /// Why an approval is not decided together with others.
    WhyAlone {
        /// Who approves fills in a form.
        Form = "form",
        /// Who decides says the password again.
        StepUp = "step-up",
    }
}

states! {
    /// What an approver said.
    DecisionKind {
        /// Let it run.
        Approve = "approve",
        /// Do not let it run; a reason is required.
        Reject = "reject",
        /// Send the input back to the requester; a reason is required.
        RequestChanges = "request-changes",
        /// Permit less of what was asked for; everybody is asked anew about what is left.
        Narrow = "narrow",
    }
}

states! {
    /// How often somebody has a question of auditors answered. Days, weeks and months are those of UTC; weeks begin on Monday.
    AnswerEvery {
        /// After each day.
        Day = "day",
        /// After each week.
        Week = "week",
        /// After each month.
        Month = "month",
    }
}

states! {
    /// The time that figures are about, in days of the zone that is asked for.
    ValuePeriod {
        /// Today and the six days before.
        LastWeek = "last-7-days",
        /// Today and the 29 days before.
        LastThirtyDays = "last-30-days",
        /// Today and the 89 days before.
        LastNinetyDays = "last-90-days",
        /// This month up to now.
        ThisMonth = "this-month",
        /// The month before this one.
        LastMonth = "last-month",
        /// This quarter up to now.
        ThisQuarter = "this-quarter",
        /// The quarter before this one.
        LastQuarter = "last-quarter",
        /// This year up to now.
        ThisYear = "this-year",
        /// The year before this one.
        LastYear = "last-year",
    }
}

states! {
    /// How long each part of a period is that figures are shown by.
    ValueStep {
        /// A day.
        Day = "day",
        /// A week, from Monday on.
        Week = "week",
        /// A month.
        Month = "month",
    }
}

states! {
    /// What each row of figures is about.
    ValueBy {
        /// A workflow.
        Workflow = "workflow",
        /// A team.
        Team = "team",
    }
}

states! {
    /// Which team of a run is meant.
    TeamOf {
        /// The one that owns the workflow.
        Owner = "owner",
        /// Those of who asked for the run.
        Requester = "requester",
    }
}

states! {
    /// What a column of an answer to a question of auditors holds.
    CellKind {
        /// A moment, as RFC 3339.
        Time = "time",
        /// A person, by sign-in name.
        Person = "person",
        /// The place of an entry in the audit log.
        Entry = "entry",
        /// A run, by number.
        Run = "run",
        /// A version of a definition: `namespace/name version`.
        Definition = "definition",
        /// Words.
        Text = "text",
        /// A number.
        Number = "number",
    }
}

states! {
    /// How much harm a workflow can do, as its author judged it.
    Risk {
        /// Easily undone.
        Low = "low",
        /// Undone with effort.
        Medium = "medium",
        /// Not undone, or wide in effect.
        High = "high",
    }
}
