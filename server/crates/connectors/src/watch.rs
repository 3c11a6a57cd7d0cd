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
    /// How far one has come once this and all before it are settled; none where that is told by the items alone.
    pub progress: Option<String>,
}

/// What there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// In the order in which it came; after the progress that was told.
    pub items: Vec<Item>,
    /// How far one has come who takes note of all that is there now; told at the first look only.
    pub progress: Option<String>,
    /// Why nobody can tell any more what is new, and what to do about it.
    pub lost: Option<String>,
}

/// What an item says.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// It is no longer there, or is another by now.
    Gone,
    /// What `.payload` is for the trigger's expressions.
    Said(Value),
    /// It is none of the trigger's business, for this reason. It is left as it is.
    KeptOut(String),
    /// It cannot be read, for this reason. It is left as it is.
    Faulty(String),
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
    /// What is there. `progress` is the last that an item or a first look has told; none at the first look.
    async fn find(&mut self, progress: Option<&str>) -> Result<Found, Failure>;

    /// What one says.
    async fn read(&mut self, item: &Item) -> Result<Reading, Failure>;

    /// Does with one what is to become of it. Does no harm when it is done twice.
    async fn settle(&mut self, item: &Item) -> Result<(), Failure>;

    /// Ends the look.
    async fn close(&mut self) {}
}
