//! Questions that auditors ask, and who has which of them answered every so often.
//!
//! The queries are text that an auditor reads: the page shows what runs. Each understands both databases, takes the beginning
//! and the end of a period and the most rows as `$1`, `$2` and `$3`, and reads nothing but what there is.

use async_trait::async_trait;
use domain::{AnswerEvery, Timestamp, UserId};

use crate::Result;

/// A question with its query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its name.
    pub name: &'static str,
    /// The text of its query.
    pub query: &'static str,
}

macro_rules! questions {
    ($($name:literal),+ $(,)?) => {
        /// All of them.
        pub const ALL: &[Question] = &[
            $(Question { name: $name, query: include_str!(concat!("../sql/questions/", $name, ".sql")) }),+
        ];
    };
}

questions!(
    "changes-without-approval",
    "decisions-within-a-minute",
    "decisions-by-substitutes",
    "unused-roles",
    "conflicting-roles",
    "emergency-access",
    "failed-sign-ins",
    "published-without-tests",
);

/// The question of this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Question> {
    ALL.iter().find(|question| question.name == name)
}

/// What stands in a column of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// Nothing.
    Nothing,
    /// A number, or a time in microseconds since 1970.
    Number(i64),
    /// Text.
    Text(String),
}

/// A row of `audit_subscriptions`: somebody has a question answered every so often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Who.
    pub user_id: UserId,
    /// The name of the question.
    pub question: String,
    /// How often.
    pub every: AnswerEvery,
    /// Since when.
    pub since: Timestamp,
    /// Up to here it was answered.
    pub answered: Timestamp,
    /// When it is answered next.
    pub due_at: Timestamp,
}

/// Questions and who follows them.
#[async_trait]
pub trait Questions: Send {
    /// Answers a question about the time from `from` up to, and without, `until`; at most `limit` rows.
    async fn ask(
        &mut self,
        question: &'static Question,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Vec<Field>>>;

    /// How somebody follows a question.
    async fn subscription(&mut self, user: UserId, question: &str) -> Result<Option<Subscription>>;
    /// All that somebody follows, by name.
    async fn subscriptions_of(&mut self, user: UserId) -> Result<Vec<Subscription>>;
    /// Adds a subscription, or replaces the one of the same person and question.
    async fn put_subscription(&mut self, subscription: &Subscription) -> Result<()>;
    /// Ends a subscription; false when there is none.
    async fn delete_subscription(&mut self, user: UserId, question: &str) -> Result<bool>;
    /// Those whose time has come, the one that is due longest first, at most `limit`.
    async fn due_subscriptions(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Subscription>>;
    /// Says up to when a subscription was answered, and when it is next; [`crate::StoreError::Conflict`] when it is not as it
    /// was read, because somebody else has answered, changed or ended it.
    async fn move_subscription(&mut self, read: &Subscription, answered: Timestamp, due_at: Timestamp) -> Result<()>;
}
