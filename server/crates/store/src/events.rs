//! Events that were published, and who listens.
//!
//! Publishing and subscribing happen one after the other, whatever the database: [`Events::insert_event`] and
//! [`Events::open_subscription`] let no other unit do either until theirs has ended. So an event that is published while
//! somebody subscribes is either found by [`Events::missed_events`] or finds its [`Events::subscribers`], never neither.
//! A unit that uses them does so before it locks runs ([`crate::runs::Runs::lock_runs`]) and the end of the audit log.

use async_trait::async_trait;
use domain::{RunId, Timestamp, WorkflowRef};

use crate::Result;

/// What tells an event from every other, and by what it is routed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventKey<'a> {
    /// Its `type`.
    pub kind: &'a str,
    /// Its `source`.
    pub source: &'a str,
    /// Its `id`; only once per source.
    pub id: &'a str,
}

/// An event to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewEvent<'a> {
    /// What it is.
    pub key: EventKey<'a>,
    /// The run whose lifecycle it tells, if it does. That run never gets it.
    pub about: Option<RunId>,
    /// When it came.
    pub received_at: Timestamp,
    /// The whole event as JSON.
    pub body: &'a str,
}

/// An event as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptEvent {
    /// Tells events that came at the same time apart, in the order in which they came.
    pub seq: i64,
    /// When it came.
    pub received_at: Timestamp,
    /// The whole event as JSON.
    pub body: String,
}

/// What a subscription admits. What is none, may be anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter<'a> {
    /// The event's `type`.
    pub kind: Option<&'a str>,
    /// The event's `source`.
    pub source: Option<&'a str>,
}

/// An open subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subscriber {
    /// The run that listens.
    pub run: RunId,
    /// Its number for it.
    pub subscription: u32,
}

/// Events and subscriptions.
#[async_trait]
pub trait Events: Send {
    /// Keeps an event; false when one with the same source and id is kept already.
    async fn insert_event(&mut self, event: &NewEvent<'_>) -> Result<bool>;
    /// Opens a subscription, which admits what one of the filters admits. Opening it again changes nothing.
    async fn open_subscription(&mut self, subscriber: Subscriber, filters: &[Filter<'_>]) -> Result<()>;
    /// Closes a subscription; no error when it is closed.
    async fn close_subscription(&mut self, subscriber: Subscriber) -> Result<()>;
    /// Closes all subscriptions of a run.
    async fn close_subscriptions(&mut self, run: RunId) -> Result<()>;
    /// Open subscriptions that admit an event of this type from this source, by run and number.
    async fn subscribers(&mut self, kind: &str, source: &str) -> Result<Vec<Subscriber>>;
    /// Whether an event of one of these types from this source, which tells of the run `about` of the workflow `of`, is
    /// admitted by an open subscription of another run, or by a schedule ([`crate::schedules`]) of another workflow.
    async fn is_anybody_listening(
        &mut self,
        kinds: &[&str],
        source: &str,
        about: RunId,
        of: &WorkflowRef,
    ) -> Result<bool>;
    /// Has the unit refused by [`crate::StoreError::Heard`], at the latest when it is committed, if somebody is
    /// ([`Events::is_anybody_listening`]). It costs less than asking, and the unit has to be written anew if it was wrong.
    async fn refuse_if_heard(&mut self, kinds: &[&str], source: &str, about: RunId, of: &WorkflowRef) -> Result<()>;
    /// Events that came at `since` or later, that one of the filters admits and that the run has not consumed, in order of
    /// arrival, after `after`, at most `limit`. None about the run itself.
    async fn missed_events(
        &mut self,
        run: RunId,
        filters: &[Filter<'_>],
        since: Timestamp,
        after: Option<(Timestamp, i64)>,
        limit: u32,
    ) -> Result<Vec<KeptEvent>>;
    /// Remembers that a run has made use of an event.
    async fn put_consumed(&mut self, run: RunId, source: &str, id: &str, at: Timestamp) -> Result<()>;
    /// Forgets events that came before `before`, the oldest first, and then who consumed them, at most `limit` of each; how
    /// many rows. Less than `limit`: nothing is left to forget.
    async fn prune_events(&mut self, before: Timestamp, limit: u32) -> Result<u64>;
}
