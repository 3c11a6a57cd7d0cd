//! The server's log: one line per event on standard error, as text or JSON, with the trace id of its request.

use std::io::IsTerminal as _;

use anyhow::{Result, anyhow};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts the log as configured.
pub(crate) fn start(config: &Config) -> Result<()> {
    start_with(&config.log_level, config.log_format)
}

/// Starts the log of a command that answers by its output: only what goes wrong.
pub(crate) fn start_quiet(config: &Config) -> Result<()> {
    start_with("error", config.log_format)
}

/// Starts the log of a server that has no configuration.
pub(crate) fn start_plain() -> Result<()> {
    start_with("info", LogFormat::Text)
}

fn start_with(level: &str, format: LogFormat) -> Result<()> {
    // The libraries of `call: mcp` and of mailboxes log whole messages, the sign-in among them, and what goes wrong is the error
    // of whoever asks by them.
    let filter = EnvFilter::try_new(format!("rmcp=off,async_imap=off,{level}"))
        .map_err(|cause| anyhow!("log.level: “{level}” is not a level or list of targets with levels: {cause}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => log.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
    };
    started.map_err(|cause| anyhow!("the log cannot be started: {cause}"))?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let words = panic.payload_as_str().unwrap_or("a panic without words");
        tracing::error!(place, words, "a task panicked");
    }));
    Ok(())
}
