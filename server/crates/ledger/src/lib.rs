//! What can be proved of the audit log without the server: the canonical form of entries, the tree over them, checkpoints, and
//! the verifier of exports and proofs.
//!
//! The format is `docs/ledger.md`: enough to write another verifier from. Everything here is pure and runs in a browser as
//! well, where the page of the log checks what the server says of it.
//!
//! # How to use it
//! - An export is made of the lines of [`export`]; [`verify::verify`] reads it back.
//! - What is proved of a single entry is a [`tree::Claim`]; [`proof::verify`] checks the document that carries it.
//! - [`evidence::verify`] checks a pack of such documents.
//! - A [`cosignature::Quorum`] tells which witnesses have cosigned a checkpoint; [`witnessing`] is what logs and witnesses say
//!   to each other.
//! - [`growth::verify`] tells whether a log has grown from what somebody has seen of it.
//! - [`personal`] is what stands beside a body, and can be taken away.
//!
//! # How to
//! - **Change the encoding**: a new version beside [`VERSION`]; the verifier must go on reading the old one, and the
//!   test vector of `audit::seal` must stay.

mod canonical;
pub mod checkpoint;
pub mod cosignature;
pub mod evidence;
pub mod export;
pub mod growth;
pub mod personal;
pub mod proof;
pub mod tree;
pub mod verify;
pub mod witnessing;

pub use canonical::{NotCanonical, canonical, parse, portable, within_depth};

/// The version of the encoding of entries that this program writes, the `v` of a body.
pub const VERSION: i64 = 2;
/// The first version, which it reads: what names people is in the body itself.
pub const FIRST_VERSION: i64 = 1;

#[cfg(test)]
mod fixture;
