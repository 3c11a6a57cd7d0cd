//! Triggers: what other systems call to have runs launched, and what became of each call.

use std::time::Duration;

use async_trait::async_trait;
use domain::{AlertEnd, Name, RunId, Timestamp, TriggerId, TriggerKind, TriggerOutcome, UserId, WorkflowRef};

use crate::Result;

/// A row of `triggers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Its id.
    pub id: TriggerId,
    /// The namespace whose workflow it launches.
    pub namespace: Name,
    /// Its name in the namespace.
    pub name: Name,
    /// Who calls it, and so how a call is proven.
    pub kind: TriggerKind,
    /// The last part of the address that is called.
    pub place: String,
    /// What a call is proven by, sealed.
    pub sealed_secret: String,
    /// Who gave that.
    pub secret_by: UserId,
    /// The workflow of the namespace that it launches.
    pub workflow: Name,
    /// The expression that makes the input of what was delivered.
    pub mapping: String,
    /// The expression that must hold; none: every delivery launches.
    pub filter: Option<String>,
    /// How calls of [`TriggerKind::Webhook`] are signed.
    pub signing: Signing,
    /// What becomes of a run when its alert is resolved.
    pub alert_end: AlertEnd,
    /// Whether it may be called.
    pub enabled: bool,
    /// How many deliveries it has had.
    pub deliveries: i64,
    /// Who said so last.
    pub changed_by: UserId,
    /// When.
    pub changed_at: Timestamp,
}

impl Trigger {
    /// The workflow that it launches.
    #[must_use]
    pub fn workflow_ref(&self) -> WorkflowRef {
        WorkflowRef { namespace: self.namespace.clone(), name: self.workflow.clone() }
    }
}

/// The headers of a signed call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signing {
    /// With the signature.
    pub signature: Option<String>,
    /// With the time at which it was signed; none: it says none.
    pub time: Option<String>,
    /// With what tells the delivery from every other; none: what is signed does.
    pub id: Option<String>,
}

/// A row of `trigger_deliveries`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// To which trigger.
    pub trigger: TriggerId,
    /// Its number among those of the trigger.
    pub number: i64,
    /// What tells it from every other of the trigger.
    pub key: String,
    /// When it came.
    pub received_at: Timestamp,
    /// What it said, sealed; none where that was too large to keep.
    pub payload: Option<String>,
    /// What became of it.
    pub outcome: TriggerOutcome,
    /// Why, in words.
    pub detail: Option<String>,
    /// The run that it launched, or that it is about, with its number.
    pub run: Option<(RunId, i64)>,
    /// By what its alert is told apart.
    pub fingerprint: Option<String>,
    /// Which delivery it repeats, and who wanted that.
    pub replay: Option<(i64, UserId)>,
    /// How often it came again.
    pub repeats: u32,
    /// When it did last.
    pub repeated_at: Option<Timestamp>,
}

/// A row of `trigger_alerts`: an alert for which a run was launched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// By which trigger.
    pub trigger: TriggerId,
    /// By what monitoring tells it apart.
    pub fingerprint: String,
    /// Since when it fires, as monitoring says it.
    pub starts_at: String,
    /// The run.
    pub run: RunId,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// When it was heard of last.
    pub seen_at: Timestamp,
}

/// For how long deliveries are kept.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// So long.
    pub time: Duration,
    /// And so many of each trigger.
    pub number: u32,
    /// But all for so long, so that what comes again is known.
    pub spared: Duration,
}

/// Triggers, their deliveries, and the alerts that they know of.
#[async_trait]
pub trait Triggers: Send {
    /// One by id.
    async fn trigger(&mut self, id: TriggerId) -> Result<Option<Trigger>>;
    /// The one that is called at this place.
    async fn trigger_by_place(&mut self, place: &str) -> Result<Option<Trigger>>;
    /// One by id, which nobody else changes or delivers to before this unit ends.
    async fn lock_trigger(&mut self, id: TriggerId) -> Result<Option<Trigger>>;
    /// All, by namespace and name.
    async fn list_triggers(&mut self) -> Result<Vec<Trigger>>;
    /// Adds one; false when the namespace has one of this name.
    async fn insert_trigger(&mut self, trigger: &Trigger) -> Result<bool>;
    /// Changes one, but for its namespace, name, kind, place and the number of its deliveries; false when there is none such.
    async fn update_trigger(&mut self, trigger: &Trigger) -> Result<bool>;
    /// Forgets one with all that belongs to it; false when there is none such.
    async fn delete_trigger(&mut self, id: TriggerId) -> Result<bool>;

    /// One delivery.
    async fn delivery(&mut self, trigger: TriggerId, number: i64) -> Result<Option<Delivery>>;
    /// The one with this key.
    async fn delivery_by_key(&mut self, trigger: TriggerId, key: &str) -> Result<Option<Delivery>>;
    /// Those of a trigger, newest first, from the one before the number `before` on; of one outcome if it is given.
    async fn list_deliveries(
        &mut self,
        trigger: TriggerId,
        outcome: Option<TriggerOutcome>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Delivery>>;
    /// Adds one under the next number of its locked trigger, and gives that.
    async fn insert_delivery(&mut self, delivery: &Delivery) -> Result<i64>;
    /// Writes what became of one, how often it came again, and what it said last.
    async fn update_delivery(&mut self, delivery: &Delivery) -> Result<()>;
    /// Forgets at most `limit` deliveries, and as many alerts of which nothing was heard for as long; how many it were.
    async fn prune_deliveries(&mut self, now: Timestamp, kept: Kept, limit: u32) -> Result<u64>;

    /// What is known of an alert.
    async fn trigger_alert(&mut self, trigger: TriggerId, fingerprint: &str) -> Result<Option<Alert>>;
    /// Inserts or replaces it.
    async fn put_trigger_alert(&mut self, alert: &Alert) -> Result<()>;
}
