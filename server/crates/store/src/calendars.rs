//! Working time, and what time does to approvals.

use async_trait::async_trait;
use domain::{ApprovalId, Name, Scope, Timestamp, UserId};

use crate::Result;

/// A row of `calendars`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Whose it is: one namespace's, or everybody's.
    pub scope: Scope,
    /// Its name, which another scope may have as well.
    pub name: Name,
    /// Time zone, hours and holidays, as JSON.
    pub text: String,
    /// Who said so last.
    pub changed_by: UserId,
    /// When.
    pub changed_at: Timestamp,
}

/// What a timer of an approval does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimerKind {
    /// Reminds those who have not decided.
    Remind,
    /// Has more people asked.
    Escalate,
    /// Says that the due time has come.
    Due,
}

impl TimerKind {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Remind, Self::Escalate, Self::Due];

    /// The name as it stands in databases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Remind => "remind",
            Self::Escalate => "escalate",
            Self::Due => "due",
        }
    }
}

impl std::str::FromStr for TimerKind {
    type Err = domain::UnknownState;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or(domain::UnknownState)
    }
}

/// A row of `approval_timers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApprovalTimer {
    /// Of which approval.
    pub approval: ApprovalId,
    /// What it does.
    pub kind: TimerKind,
    /// When.
    pub at: Timestamp,
    /// When it was done. What was not done until the approval closed is forgotten.
    pub fired_at: Option<Timestamp>,
}

/// Calendars, and timers of approvals.
#[async_trait]
pub trait Calendars: Send {
    /// One by name.
    async fn calendar(&mut self, scope: &Scope, name: &Name) -> Result<Option<Calendar>>;
    /// All, by name and scope.
    async fn list_calendars(&mut self) -> Result<Vec<Calendar>>;
    /// Inserts or replaces.
    async fn put_calendar(&mut self, calendar: &Calendar) -> Result<()>;
    /// Removes; false when there was none.
    async fn delete_calendar(&mut self, scope: &Scope, name: &Name) -> Result<bool>;

    /// Adds one, unless the approval has the same already.
    async fn insert_approval_timer(&mut self, timer: &ApprovalTimer) -> Result<()>;
    /// Those of one approval, by time.
    async fn approval_timers(&mut self, approval: ApprovalId) -> Result<Vec<ApprovalTimer>>;
    /// Takes those whose time has come and which were not done yet, oldest first, at most `limit`; they count as done with
    /// this unit. Of two units at once each takes others.
    async fn take_approval_timers(&mut self, now: Timestamp, limit: u32) -> Result<Vec<ApprovalTimer>>;
    /// When the time of the next one comes that was not done yet.
    async fn next_approval_timer(&mut self) -> Result<Option<Timestamp>>;
}
