//! The audit log: entries in a canonical form, each linked by hash to all before it, and the verifier of an export.
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
//! An export is [`export::header`], one [`export::line()`] per row, [`export::footer`]; [`verify::verify`] reads it back.
//! [`view`] is what pages and REST show of a row: it is read from the hashed body, not from the search columns.
//!
//! # How to
//! - **Say more about an action**: put it into [`Entry::detail`]; the format does not change. Secrets and passwords never
//!   go into an entry: it can not be taken back.
//! - **Change the encoding**: a new version beside [`VERSION`]; the verifier must go on reading the old one, and the
//!   test vector of `seal` must stay.

mod canonical;
mod entry;
pub mod export;
mod seal;
mod sequencer;
pub mod verify;
mod view;

pub use canonical::{NotCanonical, canonical, parse};
pub use entry::{Actor, Door, Entry, Outcome, ResourceRef};
pub use seal::{START, VERSION, seal, start};
pub use sequencer::{append, append_all, keep_sequencing, sequence};
pub use view::view;

#[cfg(test)]
mod fixture;
