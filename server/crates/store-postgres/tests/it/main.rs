//! The tests of this crate from outside, in one program. They need a server on which they may create databases, named by
//! `TEST_POSTGRES_URL`; without it they say so and test nothing.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code: a panic is how it fails")]

mod conformance;
mod differential;
mod server;
mod support;
