//! What has come to another system, for triggers that nobody calls.
//!
//! Whoever watches opens a [`Watching`] of a connection, asks it what there is, reads what is new, keeps it, and only then has it
//! settled: moved, tagged, or whatever the trigger wants. A watch changes nothing in the other system before that.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use crate::{Failure, ResolvedConnection, egress::EgressPolicy};

/// Where is looked, and in whose name.
pub struct Look<'a> {
    /// Over which connection.
    pub connection: &'a ResolvedConnection,
    /// At what: the settings of the trigger for its kind, as JSON.
    pub place: &'a Value,
    /// What the trigger's namespace may reach.
    pub egress: Arc<EgressPolicy>,
    /// The trigger, `NAMESPACE/NAME`, where the other system is told who has taken something.
    pub by: &'a str,
}

/// Something that has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What tells it from every other of this place: 1 to 128 printable characters.
    pub key: String,
    /// What else is known of it.
    pub facts: Value,
}

/// Ways to see what has come, for a kind of connection.
#[async_trait]
pub trait Source: Send + Sync {
    /// Begins to look.
    async fn open<'a>(&'a self, look: Look<'a>) -> Result<Box<dyn Watching + 'a>, Failure>;
}

/// One look at a place.
#[async_trait]
pub trait Watching: Send {
    /// All that is there, in the order in which it came.
    async fn find(&mut self) -> Result<Vec<Item>, Failure>;

    /// What one says: what `.payload` is for the trigger's expressions. None where it is no longer there, or is another by now.
    async fn read(&mut self, item: &Item) -> Result<Option<Value>, Failure>;

    /// Does with one what is to become of it. Does no harm when it is done twice.
    async fn settle(&mut self, item: &Item) -> Result<(), Failure>;
}
