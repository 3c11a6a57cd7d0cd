//! The command line.

mod audit;
mod backup;
mod definitions;
mod doctor;
mod migrate;
mod policies;
mod run;
mod runner;
mod runners;
mod serve;
mod test;
mod token;
mod user;
mod validate;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};
use domain::Problem;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Flags};

/// The exit of a process that was told to stop a second time.
const INTERRUPTED: i32 = 130;

/// IT service management portal with durable workflows.
#[derive(Debug, Parser)]
#[command(name = "rondo", version, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where the installation is.
#[derive(Debug, Args)]
struct Place {
    /// The data directory: database, key, logs [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file [default: rondo.toml in the data directory]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the portal
    Serve(serve::Options),
    /// Bring the database up to this version
    Migrate,
    /// Create people, set passwords, list people
    #[command(subcommand)]
    User(user::Command),
    /// Create API tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Export the audit log, verify an export, witness the logs of others
    #[command(subcommand)]
    Audit(audit::Command),
    /// Export definitions into an archive, or bring files in as drafts
    #[command(subcommand)]
    Definitions(definitions::Command),
    /// Go back to the policies of the program
    #[command(subcommand)]
    Policies(policies::Command),
    /// Look whether everything is in order
    Doctor,
    /// Copy database, task logs and key into one file (SQLite)
    Backup {
        /// The file to write; it must not exist
        file: PathBuf,
    },
    /// Make an empty data directory what a backup holds (SQLite)
    Restore {
        /// The file that `rondo backup` wrote
        file: PathBuf,
    },
    /// Execute one definition here, without a server or database
    Run(run::Options),
    /// Check workflow definitions
    Validate {
        /// Definitions in YAML or JSON
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Run the tests that workflow definitions bring along; nothing is done
    Test {
        /// Definitions in YAML or JSON
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Execute processes of a server elsewhere, on this machine
    Runner(runner::Options),
    /// Enrol, list, drain and remove the runners of this server
    #[command(subcommand)]
    Runners(runners::Command),
}

impl Arguments {
    /// The arguments of the guard of one process, if it is to be that.
    pub(crate) fn for_guard(&self) -> Option<&[OsString]> {
        match &self.command {
            Command::Runner(options) if options.server.is_none() => Some(&options.handed),
            _ => None,
        }
    }
}

/// Does what the arguments say.
pub(crate) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { place, command } = arguments;
    let mut flags = Flags { config: place.config, data: place.data, listen: None };
    match command {
        Command::Serve(options) => {
            flags.listen.clone_from(&options.listen);
            serve::serve(Config::load(&flags)?, options.demo).await
        }
        Command::Migrate => migrate::migrate(&quiet(&flags)?).await,
        Command::User(command) => user::run(&quiet(&flags)?, command).await,
        Command::Token(command) => token::run(&quiet(&flags)?, command).await,
        Command::Audit(audit::Command::Verify(options)) => audit::verify(&options),
        Command::Audit(audit::Command::Witness(options)) => audit::witness::run(flags.data, options).await,
        Command::Audit(audit::Command::Key) => audit::key(&quiet(&flags)?).await,
        Command::Audit(audit::Command::RotateKey) => audit::rotate_key(&quiet(&flags)?).await,
        Command::Audit(audit::Command::Export { out }) => audit::export(&quiet(&flags)?, out.as_deref()).await,
        Command::Definitions(command) => definitions::run(&quiet(&flags)?, command).await,
        Command::Policies(command) => policies::run(&quiet(&flags)?, &command).await,
        Command::Doctor => doctor::doctor(&flags).await,
        Command::Backup { file } => backup::backup(&quiet(&flags)?, &file).await,
        Command::Restore { file } => backup::restore(&quiet(&flags)?, &file),
        Command::Run(options) => run::run(options).await,
        Command::Validate { files } => validate::validate(&files),
        Command::Test { files } => test::test(&files),
        Command::Runner(options) => runner::run(&flags, options).await,
        Command::Runners(command) => runners::run(&quiet(&flags)?, command).await,
    }
}

/// The configuration of a command that is not the server, with its remarks told.
fn quiet(flags: &Flags) -> Result<Config> {
    let config = Config::load(flags)?;
    for remark in &config.remarks {
        eprintln!("rondo: {remark}");
    }
    crate::logging::start_quiet(&config)?;
    Ok(config)
}

/// A token that is cancelled by the first SIGTERM or SIGINT; the second ends the process at once.
fn stop_on_signal() -> Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be received")?;
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        let mut first = true;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if !first {
                std::process::exit(INTERRUPTED);
            }
            first = false;
            told.cancel();
        }
    });
    Ok(stop)
}

/// A problem in one line, with every field that is wrong.
fn in_words(problem: &Problem) -> anyhow::Error {
    if problem.errors.is_empty() {
        return anyhow::anyhow!("{problem}");
    }
    let wrong: Vec<String> = problem
        .errors
        .iter()
        .map(|error| format!("{}: {}", error.pointer.trim_start_matches('/'), error.message))
        .collect();
    anyhow::anyhow!("{}", wrong.join("; "))
}
