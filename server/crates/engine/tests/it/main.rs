//! The engine on a real SQLite file, and on PostgreSQL where several nodes matter, with a connector that follows a script.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod approvals;
mod children;
mod crash;
mod definitions;
mod events;
mod flow;
mod lab;
mod limits;
mod local;
mod messages;
mod operators;
mod postgres;
mod processes;
mod schedules;
mod secrets;
mod settling;
