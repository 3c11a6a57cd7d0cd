//! What witnesses have cosigned of the audit log, and how far each of them is.

use async_trait::async_trait;
use domain::Timestamp;

use crate::Result;

/// A row of `audit_witnesses`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its name in the configuration.
    pub name: String,
    /// It has cosigned the checkpoint over so many entries; 0 if none.
    pub size: i64,
    /// When it cosigned something for the last time.
    pub succeeded_at: Option<Timestamp>,
    /// Since when it cosigns nothing; none while it does.
    pub failing_since: Option<Timestamp>,
    /// What went wrong for the last time since then.
    pub failure: Option<String>,
    /// Since when it says that the log has not grown from what it has cosigned; none while it does not.
    pub refused_at: Option<Timestamp>,
    /// The node that asks.
    pub holder: Option<String>,
    /// Until when that node is alone in it.
    pub held_until: Option<Timestamp>,
}

/// A row of `audit_cosignatures`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// Over how many entries the checkpoint is.
    pub size: i64,
    /// The public key of the witness.
    pub witness: String,
    /// The line of the note, with its line feed.
    pub line: String,
}

/// The witnesses of the audit log.
///
/// What comes of asking is written by the node that holds the witness. One that has lost it is told by `false`, and has
/// written nothing.
#[async_trait]
pub trait Witnesses: Send {
    /// One witness.
    async fn witness(&mut self, name: &str) -> Result<Option<Witness>>;
    /// All that were ever met, by name.
    async fn list_witnesses(&mut self) -> Result<Vec<Witness>>;
    /// Adds a witness that has cosigned nothing; false when it is known already, and stays as it is.
    async fn insert_witness(&mut self, name: &str) -> Result<bool>;
    /// Takes a witness until then, if nobody else holds it now, or keeps it.
    async fn take_witness(&mut self, name: &str, holder: &str, now: Timestamp, until: Timestamp) -> Result<bool>;
    /// It has cosigned the checkpoint over so many entries, by whoever holds it until then. It never has less than before.
    async fn note_cosigning(
        &mut self,
        name: &str,
        holder: &str,
        size: i64,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<bool>;
    /// It has not cosigned what it was asked to by whoever holds it, who lets others try. With `refused` it says that the log
    /// has not grown from what it has cosigned, and is believed to say so until it cosigns again.
    async fn note_cosigning_failure(
        &mut self,
        name: &str,
        holder: &str,
        failure: &str,
        refused: bool,
        at: Timestamp,
    ) -> Result<bool>;
    /// Whoever holds it gives it up.
    async fn release_witness(&mut self, name: &str, holder: &str) -> Result<()>;
    /// Nobody holds any of them.
    async fn release_all_witnesses(&mut self) -> Result<()>;

    /// Adds a cosignature; false when there is one of the same key under the same checkpoint, which stays.
    async fn insert_cosignature(&mut self, cosignature: &Cosignature) -> Result<bool>;
    /// The cosignatures of the checkpoints over `from` to `to` entries, by size and key.
    async fn cosignatures(&mut self, from: i64, to: i64) -> Result<Vec<Cosignature>>;
}
