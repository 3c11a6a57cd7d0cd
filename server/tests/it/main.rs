//! The real binary: commands, start and stop, and every door as clients meet it.

mod chaos;
mod commands;
mod conformance;
mod counterpart;
mod crash;
mod documents;
mod elsewhere;
mod events;
mod feature;
mod local_run;
mod portal;
mod processes;
mod rest;
mod secrets;
mod server;
mod start_and_stop;
mod streams;
