//! Statements: static text and bound values, nothing else.

use std::borrow::Cow;

use domain::{
    ApprovalId, ConnectionId, DecisionId, DraftId, GrantId, LinkId, NotificationId, RunId, SessionId, TeamId,
    Timestamp, TokenId, UserId,
};
use sqlx::{Arguments, AssertSqlSafe, Database, Encode, Type, query::Query};
use store::{Result, StoreError};

use crate::db::Db;

/// What sqlx binds.
type Bound = <Db as Database>::Arguments;

/// A statement under construction. Text can only be appended as literals, so no value ever becomes text.
pub(crate) struct Statement {
    text: Cow<'static, str>,
    values: Values,
}

/// A statement whose text is known as a whole; values are bound to `$1`, `$2` … in order.
pub(crate) fn sql(text: &'static str) -> Statement {
    Statement { text: Cow::Borrowed(text), values: Values { bound: Bound::default(), refused: None } }
}

impl Statement {
    /// Binds the next value.
    pub(crate) fn bind(mut self, value: impl Parameter) -> Self {
        value.bind_to(&mut self.values);
        self
    }

    /// Appends text.
    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// Appends a placeholder and binds its value.
    pub(crate) fn value(&mut self, value: impl Parameter) -> &mut Self {
        value.bind_to(&mut self.values);
        let text = self.text.to_mut();
        text.push('$');
        text.push_str(&self.values.bound.len().to_string());
        self
    }

    /// Appends placeholders with commas between them.
    pub(crate) fn values<P: Parameter>(&mut self, values: impl IntoIterator<Item = P>) -> &mut Self {
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.value(value);
        }
        self
    }

    /// Appends the end of every paged list.
    pub(crate) fn limit(&mut self, limit: u32) -> &mut Self {
        self.push(" LIMIT ").value(limit)
    }

    /// Puts text before and after it.
    pub(crate) fn between(mut self, before: &'static str, after: &'static str) -> Self {
        if !(before.is_empty() && after.is_empty()) {
            self.text = [before, &self.text, after].concat().into();
        }
        self
    }

    /// Whether a value cannot be stored.
    pub(crate) fn is_refused(&self) -> bool {
        self.values.refused.is_some()
    }

    /// The same, unless a value cannot be stored.
    pub(crate) fn accepted(mut self) -> Result<Self> {
        self.values.refused.take().map_or(Ok(self), Err)
    }

    /// The query for sqlx, unless a value cannot be stored.
    pub(crate) fn into_query(self) -> Result<Query<'static, Db, Bound>> {
        let accepted = self.accepted()?;
        Ok(sqlx::query_with(AssertSqlSafe(accepted.text), accepted.values.bound))
    }
}

/// Bound values, and why one of them cannot be stored.
pub(crate) struct Values {
    bound: Bound,
    refused: Option<StoreError>,
}

impl Values {
    fn add<'t, T: Encode<'t, Db> + Type<Db>>(&mut self, value: T) {
        if let Err(error) = self.bound.add(value) {
            self.refused = Some(StoreError::Driver(error));
        }
    }

    fn add_text(&mut self, text: Option<&str>) {
        // PostgreSQL has no text with NUL characters; refused here, so that both databases say so in the same words.
        if text.is_some_and(|text| text.contains('\0')) {
            self.refused = Some(StoreError::NulCharacter);
        }
        self.add(text);
    }
}

/// What can be bound.
pub(crate) trait Parameter {
    /// Binds this value next.
    fn bind_to(self, values: &mut Values);
}

macro_rules! bound_as_is {
    ($($kind:ty),+) => {$(
        impl Parameter for $kind {
            fn bind_to(self, values: &mut Values) {
                values.add(self);
            }
        }
    )+};
}

macro_rules! bound_as_text {
    ($($kind:ty),+ $(,)?) => {$(
        impl Parameter for $kind {
            fn bind_to(self, values: &mut Values) {
                values.add_text(Some(&self.to_string()));
            }
        }

        impl Parameter for Option<$kind> {
            fn bind_to(self, values: &mut Values) {
                values.add_text(self.map(|value| value.to_string()).as_deref());
            }
        }
    )+};
}

bound_as_is!(i64, bool);
bound_as_text!(
    ApprovalId,
    ConnectionId,
    DecisionId,
    DraftId,
    GrantId,
    LinkId,
    NotificationId,
    RunId,
    SessionId,
    TeamId,
    TokenId,
    UserId,
);

impl Parameter for Option<i64> {
    fn bind_to(self, values: &mut Values) {
        values.add(self);
    }
}

impl Parameter for u32 {
    fn bind_to(self, values: &mut Values) {
        values.add(i64::from(self));
    }
}

impl Parameter for Timestamp {
    fn bind_to(self, values: &mut Values) {
        values.add(self.as_micros());
    }
}

impl Parameter for Option<Timestamp> {
    fn bind_to(self, values: &mut Values) {
        values.add(self.map(Timestamp::as_micros));
    }
}

impl Parameter for &str {
    fn bind_to(self, values: &mut Values) {
        values.add_text(Some(self));
    }
}

impl Parameter for &String {
    fn bind_to(self, values: &mut Values) {
        values.add_text(Some(self));
    }
}

impl Parameter for Option<&str> {
    fn bind_to(self, values: &mut Values) {
        values.add_text(self);
    }
}
