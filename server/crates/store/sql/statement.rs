//! Statements: static text and bound values, nothing else.

use std::borrow::Cow;

use domain::{
    AccessReviewId, ApprovalId, CommentId, ConnectionId, DecisionId, DelegationId, DraftId, EmergencyId, GrantId,
    HoldId, LinkId, NotificationId, RemarkId, RunId, RunnerId, SessionId, TeamId, Timestamp, TokenId, TriggerId,
    UserId,
};
use sqlx::{Arguments, AssertSqlSafe, Database, query::Query};
use store::{Result, StoreError};

use crate::db::{self, Db};

/// What sqlx binds.
type Bound = <Db as Database>::Arguments;

/// A statement under construction. Text can only be appended as literals, so no value ever becomes text.
pub(crate) struct Statement {
    pub(crate) text: Cow<'static, str>,
    values: Values,
    /// Whether its text names values by their numbers.
    is_numbered: bool,
}

/// A statement whose text is known as a whole; values are bound to `$1`, `$2` … in order.
pub(crate) fn sql(text: &'static str) -> Statement {
    Statement { text: Cow::Borrowed(text), values: Values::default(), is_numbered: text.contains('$') }
}

/// One query of several statements for sqlx, with text before and after them. Several are sent together only where
/// placeholders have no numbers. Fails if a value cannot be stored.
pub(crate) fn query_of(
    statements: &[Statement],
    before: &'static str,
    after: &'static str,
) -> Result<Query<'static, Db, Bound>> {
    let text = match statements {
        [only] if before.is_empty() && after.is_empty() => only.text.clone(),
        several => {
            let mut text = before.to_owned();
            for (index, statement) in several.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { "; " });
                text.push_str(&statement.text);
            }
            text.push_str(after);
            Cow::Owned(text)
        }
    };
    let mut bound = Bound::default();
    for statement in statements {
        statement.check()?;
        for value in &statement.values.list {
            let added = match value {
                Value::Integer(integer) => bound.add(*integer),
                Value::Flag(flag) => bound.add(*flag),
                Value::Text(text) => bound.add(text.as_deref()),
            };
            added.map_err(StoreError::Driver)?;
        }
    }
    Ok(sqlx::query_with(AssertSqlSafe(text), bound))
}

/// So many ids are looked for by one query.
pub(crate) const IDS_PER_QUERY: usize = 500;

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
        db::push_placeholder(self.text.to_mut(), self.values.list.len(), self.is_numbered);
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

    /// Fails if a value cannot be stored.
    pub(crate) fn check(&self) -> Result<()> {
        if self.values.has_nul { Err(StoreError::NulCharacter) } else { Ok(()) }
    }

    /// The query for sqlx. Fails if a value cannot be stored.
    pub(crate) fn into_query(self) -> Result<Query<'static, Db, Bound>> {
        query_of(&[self], "", "")
    }
}

/// What the database stores.
enum Value {
    Integer(Option<i64>),
    Flag(bool),
    Text(Option<String>),
}

/// Bound values.
#[derive(Default)]
pub(crate) struct Values {
    list: Vec<Value>,
    /// PostgreSQL has no text with NUL characters; refused here, so that both databases say so in the same words.
    has_nul: bool,
}

impl Values {
    fn add(&mut self, value: Value) {
        self.list.push(value);
    }

    fn add_text(&mut self, text: Option<&str>) {
        self.has_nul |= text.is_some_and(|text| text.contains('\0'));
        self.add(Value::Text(text.map(ToOwned::to_owned)));
    }
}

/// What can be bound.
pub(crate) trait Parameter {
    /// Binds this value next.
    fn bind_to(self, values: &mut Values);
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

bound_as_text!(
    AccessReviewId,
    ApprovalId,
    CommentId,
    ConnectionId,
    HoldId,
    DecisionId,
    DelegationId,
    DraftId,
    EmergencyId,
    GrantId,
    LinkId,
    NotificationId,
    RemarkId,
    RunId,
    RunnerId,
    SessionId,
    TeamId,
    TokenId,
    TriggerId,
    UserId,
);

impl Parameter for bool {
    fn bind_to(self, values: &mut Values) {
        values.add(Value::Flag(self));
    }
}

impl Parameter for i64 {
    fn bind_to(self, values: &mut Values) {
        values.add(Value::Integer(Some(self)));
    }
}

impl Parameter for Option<i64> {
    fn bind_to(self, values: &mut Values) {
        values.add(Value::Integer(self));
    }
}

impl Parameter for u32 {
    fn bind_to(self, values: &mut Values) {
        values.add(Value::Integer(Some(self.into())));
    }
}

impl Parameter for Timestamp {
    fn bind_to(self, values: &mut Values) {
        values.add(Value::Integer(Some(self.as_micros())));
    }
}

impl Parameter for Option<Timestamp> {
    fn bind_to(self, values: &mut Values) {
        values.add(Value::Integer(self.map(Timestamp::as_micros)));
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
