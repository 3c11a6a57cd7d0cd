//! How far the audit log has come at the systems that it is sent to.

use async_trait::async_trait;
use domain::Timestamp;

use crate::Result;

/// How far one of them is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// It has the entries up to this one.
    pub entries: i64,
    /// It has the checkpoints up to the one over so many entries.
    pub checkpoint: Option<i64>,
}

/// A row of `audit_receivers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its name in the configuration.
    pub name: String,
    /// What it has.
    pub reached: Reached,
    /// When it took something for the last time.
    pub succeeded_at: Option<Timestamp>,
    /// Since when it takes nothing; none while it does.
    pub failing_since: Option<Timestamp>,
    /// What went wrong for the last time since then.
    pub failure: Option<String>,
    /// The node that delivers.
    pub holder: Option<String>,
    /// Until when that node is alone in it.
    pub held_until: Option<Timestamp>,
}

/// The receivers of the audit log.
///
/// What is delivered is written by the node that holds the receiver. One that has lost it is told by `false`, and has
/// written nothing.
#[async_trait]
pub trait Receivers: Send {
    /// One receiver.
    async fn receiver(&mut self, name: &str) -> Result<Option<Receiver>>;
    /// All that were ever met, by name.
    async fn list_receivers(&mut self) -> Result<Vec<Receiver>>;
    /// Adds a receiver that has so much; false when it is known already, and stays as it is.
    async fn insert_receiver(&mut self, name: &str, reached: Reached) -> Result<bool>;
    /// Takes a receiver until then, if nobody else holds it now, or keeps it.
    async fn take_receiver(&mut self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool>;
    /// It has taken everything up to here, by whoever holds it until then. It never has less than before.
    async fn note_delivery(
        &mut self,
        name: &str,
        holder: &str,
        reached: Reached,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool>;
    /// It has not taken what it was given by whoever holds it, who lets others try.
    async fn note_delivery_failure(&mut self, name: &str, holder: &str, failure: &str, at: Timestamp) -> Result<bool>;
    /// Whoever holds it gives it up.
    async fn release_receiver(&mut self, name: &str, holder: &str) -> Result<()>;
    /// Nobody holds any of them.
    async fn release_all_receivers(&mut self) -> Result<()>;
}
