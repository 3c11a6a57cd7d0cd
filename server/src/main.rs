//! `rondo`: the portal, its engine, and the commands of whoever runs it.
//!
//! # Where things are
//! - [`config`] reads settings; [`wiring`] turns them into the parts that `service` and `engine` work with.
//! - [`commands`] has one module per command; `serve` is the server.
//! - [`http`] has the doors: REST, pages, server functions, live streams, the embedded site.
//!
//! # How to
//! - **Add a setting**: its name in `config::KEYS`, a field of `Config`, a row in `docs/configuration.md`.
//! - **Add a REST route**: a handler in `http/rest/<area>.rs` with its `#[utoipa::path]`, named in that module's
//!   `routes()`; the document and the route cannot differ. Then look at the difference in `tests/it/openapi.json`.
//! - **Add a command**: a module in `commands/` and a variant of `Command`.

mod anchor_file;
mod archive_folder;
mod clock;
mod commands;
mod config;
mod definition_resources;
mod directory_changes;
mod git_branches;
mod housekeeping;
mod http;
#[cfg(debug_assertions)]
mod kill_switch;
mod logging;
mod processes;
mod receivers;
mod wiring;
mod witnesses;

use std::{fmt::Write as _, process::ExitCode};

use clap::Parser as _;

/// Rendering a page nests deeply, and unoptimised frames are large.
const STACK: usize = 8 * 1024 * 1024;

fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    if let Some(arguments) = arguments.for_guard() {
        // The guard of a process is a small program of its own: nothing of the server is set up for it.
        return runner::main(arguments);
    }
    // An error only says that it was installed before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let threads = std::thread::available_parallelism().map_or(2, |processors| processors.get().max(2));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_stack_size(STACK)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("rondo: the threads cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(commands::run(arguments)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rondo: {}", in_one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes; causes that say the same again are left out.
fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = error.to_string();
    for cause in error.chain().skip(1) {
        let words = cause.to_string();
        if !line.contains(&words) {
            // Writing to a string does not fail.
            let _ = write!(line, ": {words}");
        }
    }
    line
}
