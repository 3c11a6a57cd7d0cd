//! The operations on a real SQLite file (some on PostgreSQL as well), with the demonstration organisation, the shipped workflows and a running engine.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod access_reviews;
mod auditing;
mod authoring;
mod calendars;
mod connection_checks;
mod controls;
mod decisions;
mod delegations;
mod doors;
mod egress;
mod elsewhere;
mod emergencies;
mod erasure;
mod events;
mod files;
mod foresight;
mod idempotency;
mod ledger;
mod limits;
mod lists;
mod office;
mod onboarding;
mod operators;
mod policies;
mod postgres;
mod processes;
mod questions;
mod real_systems;
mod receivers;
mod repositories;
mod retention;
mod roles;
mod runners;
mod schedules;
mod secrets;
mod separation;
mod separation_of_duties;
mod shipped;
mod sign_in;
mod stages;
mod triggers;
mod value;
mod watching;
mod witnesses;
