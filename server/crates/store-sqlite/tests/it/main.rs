//! The tests of this crate from outside, in one program.

#![expect(clippy::unwrap_used, reason = "test code: a panic is how it fails")]

mod conformance;
mod files;
mod support;
