//! The audit log: entries in a canonical form, the tree over them, the checkpoints that are signed of it, and the verifier.
//!
//! The format is `docs/ledger.md`: enough to write another verifier from. Everything here is pure except the
//! sequencer ([`append`], [`sequence`]), which writes through the storage ports.
//!
//! # How to use it
//! ```no_run
//! # async fn example(store: &dyn store::Store, entry: &audit::Entry) -> Result<(), store::StoreError> {
//! let mut unit = store.begin().await?;
//! // … the change itself …
//! audit::append(&mut *unit, entry).await?;
//! unit.commit().await?; // the change and its entry become durable together, or not at all
//! audit::sequence(store).await // before the log is read: entries get their places in it
//! # }
//! # fn sendable<T: Send>(_: T) {}
//! # fn check(store: &dyn store::Store, entry: &audit::Entry) { sendable(example(store, entry)) }
//! ```
//! An export is made of the lines of [`export`]; [`verify::verify`] reads it back. What is proved of a single entry is a
//! [`tree::Claim`], from [`tiles`] of the stored tree.
//! [`view`] is what pages and REST show of a row: it is read from the hashed body, not from the search columns.
//!
//! # How to
//! - **Say more about an action**: put it into [`Entry::detail`]; the format does not change. Secrets and passwords never
//!   go into an entry: it can not be taken back.
//! - **Change the encoding**: a new version beside [`VERSION`]; the verifier must go on reading the old one, and the
//!   test vector of `seal` must stay.

mod canonical;
pub mod checkpoint;
mod entry;
pub mod export;
pub mod proof;
mod seal;
mod sequencer;
pub mod tree;
pub mod verify;
mod view;

pub use canonical::{NotCanonical, canonical, parse};
pub use entry::{Actor, Door, Entry, Outcome, ResourceRef};
pub use seal::{VERSION, seal};
pub use sequencer::{append, append_all, keep_sequencing, resume, sequence, tiles};
pub use view::view;

#[cfg(test)]
mod fixture;
