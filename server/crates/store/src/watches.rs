//! Where triggers look that nobody calls, and how far they have come.

use async_trait::async_trait;
use domain::{Timestamp, TriggerId};

use crate::Result;

/// A row of `trigger_watches`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Of which trigger.
    pub trigger: TriggerId,
    /// The name of the connection over which it looks.
    pub connection: String,
    /// What it looks at over it, as JSON.
    pub place: String,
    /// Seconds between two looks.
    pub pause: u32,
    /// When it looks next; while a node looks, until when it has that to itself.
    pub due_at: Timestamp,
    /// How far it has looked, in the words of the connector; none before its first look.
    pub progress: Option<String>,
    /// When it looked last.
    pub looked_at: Option<Timestamp>,
    /// Since when it cannot do what it should, and why.
    pub trouble: Option<(Timestamp, String)>,
}

/// A row of `trigger_items`: what a trigger has taken note of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// What tells it from every other of the trigger.
    pub item: String,
    /// Whether what is to become of it where it was found is done.
    pub settled: bool,
}

/// What triggers look at.
#[async_trait]
pub trait Watches: Send {
    /// Where a trigger looks.
    async fn watch(&mut self, trigger: TriggerId) -> Result<Option<Watch>>;
    /// Those of all triggers.
    async fn list_watches(&mut self) -> Result<Vec<Watch>>;
    /// Inserts it or replaces it by its trigger, which is locked.
    async fn put_watch(&mut self, watch: &Watch) -> Result<()>;
    /// Those that are due, of triggers that are switched on, the longest due first.
    async fn watches_due(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Watch>>;
    /// Puts the next look off until then, if it is still due; false when somebody else did.
    async fn take_watch(&mut self, trigger: TriggerId, now: Timestamp, until: Timestamp) -> Result<bool>;
    /// Has all look at once, because whoever looked is gone.
    async fn release_watches(&mut self) -> Result<()>;

    /// What a trigger has taken note of, by item.
    async fn noted_items(&mut self, trigger: TriggerId) -> Result<Vec<Noted>>;
    /// One of it.
    async fn noted_item(&mut self, trigger: TriggerId, item: &str) -> Result<Option<Noted>>;
    /// Inserts or replaces it.
    async fn note_item(&mut self, trigger: TriggerId, noted: &Noted) -> Result<()>;
    /// Forgets it; false when there is none such.
    async fn forget_item(&mut self, trigger: TriggerId, item: &str) -> Result<bool>;
    /// Forgets all of a trigger.
    async fn forget_items(&mut self, trigger: TriggerId) -> Result<()>;
}
