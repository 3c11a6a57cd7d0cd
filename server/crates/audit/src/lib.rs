//! The audit log as it is written and kept: entries, their places in the log, the stored tree over them.
//!
//! What can be proved of it without the server is the crate `ledger`. The sequencer ([`append`], [`sequence`]) writes
//! through the storage ports; the rest is pure.
//!
//! # How to use it
//! ```no_run
//! # use identity::random::Random;
//! # async fn example(store: &dyn store::Store, random: &dyn Random, entry: &audit::Entry) -> Result<(), store::StoreError> {
//! let mut unit = store.begin().await?;
//! // … the change itself …
//! audit::append(&mut *unit, entry).await?;
//! unit.commit().await?; // the change and its entry become durable together, or not at all
//! audit::sequence(store, random).await // before the log is read: entries get their places in it
//! # }
//! # fn sendable<T: Send>(_: T) {}
//! # fn check(store: &dyn store::Store, random: &dyn Random, entry: &audit::Entry) { sendable(example(store, random, entry)) }
//! ```
//! Proofs are made from [`tiles`] of the stored tree; [`Stored`] checks what is in the database.
//! [`view`] is what pages and REST show of a row: it is read from the hashed body, not from the search columns.
//!
//! # How to
//! - **Say more about an action**: put it into [`Entry::detail`]; the format does not change. Secrets and passwords never
//!   go into an entry: it can not be taken back.
//! - **Name a person in it**: mark it with [`Detail::naming`], so that it can be erased.

mod class;
pub mod csv;
mod entry;
mod erase;
mod index;
mod places;
mod runs;
mod seal;
mod sequencer;
mod stored;
mod view;

pub use class::{ARCHIVE, class_of};
pub use entry::{Actor, Detail, Door, Entry, Named, Outcome, ResourceRef};
pub use erase::{Person, row_of, without};
pub use index::{index, terms};
pub use places::Places;
pub use seal::seal;
pub use sequencer::{append, append_all, keep_sequencing, leaves, resume, sequence, tiles};
pub use stored::Stored;
pub use view::view;

#[cfg(test)]
mod fixture;
