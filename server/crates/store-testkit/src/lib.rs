//! What every implementation of the ports in `store` must do, as tests that both databases run.
//!
//! # How to use it
//! A backend implements [`TestDatabase`] and names a function that makes a fresh one; the macro writes one test per case:
//! ```ignore
//! async fn fresh() -> Option<Arc<dyn TestDatabase>> { make_one().await }   // none: skipped, with a message of its own
//! store_testkit::conformance_tests!(fresh);
//! ```
//! [`differential::run`] feeds two stores the same random operations and compares every result.
//!
//! # How to add a case
//! An async function in a module of [`conformance`] that takes a [`conformance::Subject`] and panics when the store does
//! not behave, and its name in the list in `conformance/mod.rs`. A new method of a port also gets an operation in
//! [`differential`].

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "test code: a panic is how it says that a store is wrong"
)]

pub mod conformance;
mod database;
pub mod differential;
pub mod fixtures;

pub use database::TestDatabase;
