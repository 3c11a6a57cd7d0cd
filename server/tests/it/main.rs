//! The real binary: commands, start and stop, and every door as clients meet it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests: what fails here is the test's failure"
)]

mod canaries;
mod catalogue;
mod chaos;
mod commands;
mod conformance;
mod counterpart;
mod crash;
mod decisions;
mod documents;
mod elsewhere;
mod events;
mod feature;
mod files;
mod local_run;
mod monitoring;
mod portal;
mod processes;
mod receivers;
mod rest;
mod runners;
mod secrets;
mod server;
mod start_and_stop;
mod streams;
mod torn;
mod triggers;
mod witnesses;
