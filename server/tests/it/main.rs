//! The real binary: commands, start and stop, and every door as clients meet it.

mod commands;
mod crash;
mod documents;
mod events;
mod portal;
mod rest;
mod server;
mod start_and_stop;
mod streams;
