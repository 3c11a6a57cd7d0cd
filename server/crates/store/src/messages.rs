//! What goes out to people: notices in the portal, and the outbox of mails.

use async_trait::async_trait;
use domain::{NotificationId, Timestamp, UserId};

use crate::Result;

/// A row of `notifications`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Id.
    pub id: NotificationId,
    /// For whom.
    pub user_id: UserId,
    /// Kind, which the page translates.
    pub kind: String,
    /// The workflow's title.
    pub title: String,
    /// The run's number.
    pub run_number: Option<i64>,
    /// Where it leads, within the portal.
    pub link: String,
    /// Made at.
    pub created_at: Timestamp,
    /// Read at.
    pub read_at: Option<Timestamp>,
}

/// A row of `outbox`: a message to another system that must be sent at least once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Order of writing; 0 before it is inserted.
    pub seq: i64,
    /// Kind of message (`mail`).
    pub kind: String,
    /// The message, as JSON.
    pub payload: String,
    /// A second message with the same key is not written.
    pub key: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Not before.
    pub due_at: Timestamp,
    /// What the last attempt said.
    pub last_error: Option<String>,
    /// Written at.
    pub created_at: Timestamp,
}

/// Notices and outbox.
#[async_trait]
pub trait Messages: Send {
    /// Adds a notice.
    async fn insert_notification(&mut self, notification: &Notification) -> Result<()>;
    /// A person's notices, newest first (by creation, then id), older than `before`, at most `limit`.
    async fn notifications_of(
        &mut self,
        user: UserId,
        before: Option<(Timestamp, NotificationId)>,
        limit: u32,
    ) -> Result<Vec<Notification>>;
    /// How many are unread.
    async fn count_unread(&mut self, user: UserId) -> Result<u64>;
    /// Marks one, or all, of a person's notices as read.
    async fn mark_read(&mut self, user: UserId, id: Option<NotificationId>, at: Timestamp) -> Result<()>;

    /// Adds a message; false when one with the same key exists.
    async fn push_outgoing(&mut self, outgoing: &Outgoing) -> Result<bool>;
    /// Takes up to `limit` due messages of a kind for `hold`: they become due again after that, unless settled.
    async fn take_outgoing(
        &mut self,
        kind: &str,
        now: Timestamp,
        hold: std::time::Duration,
        limit: u32,
    ) -> Result<Vec<Outgoing>>;
    /// Notes that a message was sent. Its payload is thrown away; its key stays.
    async fn settle_outgoing(&mut self, seq: i64, at: Timestamp) -> Result<()>;
    /// Notes a failed attempt and when to try again; none: never again.
    async fn defer_outgoing(&mut self, seq: i64, error: &str, due_at: Option<Timestamp>) -> Result<()>;
    /// How many are unsent, and how many were given up.
    async fn count_outgoing(&mut self) -> Result<(u64, u64)>;
}
