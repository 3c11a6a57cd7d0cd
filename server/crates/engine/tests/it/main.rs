//! The engine on a real SQLite file, with a connector that follows a script.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod approvals;
mod crash;
mod flow;
mod lab;
mod local;
