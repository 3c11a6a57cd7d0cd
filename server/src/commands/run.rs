//! `rondo run FILE`: one definition, executed here and now, without a server or database.

mod library;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
    sync::Arc,
};

use anyhow::{Context as _, Result};
use clap::Args;
use connectors::NoLog;
use domain::RunStatus;
use engine::local::{Local, Order, Report, Secrets};
use identity::Secret;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use workflow::{CloudEvent, Definition, FunctionCatalogue, RunError, StandardError};

use super::validate::{INVALID, folder_of, read_definition};
use crate::{
    clock::{SystemClock, SystemIds},
    processes::Executor,
    wiring::WithoutDatabase,
};
use library::Library;

/// How the exit says that a run did not complete.
const NOT_COMPLETED: u8 = 1;
/// How it says that a person ended it without waiting for it.
const ENDED: u8 = 130;

/// What is to be executed.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The definition, in YAML or JSON
    file: PathBuf,
    /// Its input, in YAML or JSON [default: an empty object]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// A definition that it may run; those in its own directory are found by themselves
    #[arg(long = "workflow", value_name = "FILE")]
    workflows: Vec<PathBuf>,
    /// A secret: text, or a JSON object
    #[arg(long = "secret", value_name = "NAME=VALUE")]
    secrets: Vec<NamedSecret>,
    /// `CloudEvents` that are delivered once the run listens, in YAML or JSON
    #[arg(long = "event", value_name = "FILE")]
    events: Vec<PathBuf>,
    /// Where to write the report, in JSON
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// A secret of the command line.
#[derive(Clone, Debug)]
struct NamedSecret {
    name: String,
    value: Secret,
}

impl FromStr for NamedSecret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Ok(Self { name: name.to_owned(), value: Secret::from(value.to_owned()) })
            }
            _ => Err("expected NAME=VALUE"),
        }
    }
}

/// What is wrong with what was given, line by line.
struct Invalid(Vec<String>);

impl Invalid {
    fn file(path: &Path, message: impl std::fmt::Display) -> Self {
        Self(vec![format!("{}:1:1: {message}", path.display())])
    }
}

pub(super) async fn run(options: Options) -> Result<ExitCode> {
    let report_to = options.report.clone();
    let (local, order) = match prepare(options)? {
        Ok(prepared) => prepared,
        Err(Invalid(lines)) => {
            for line in lines {
                eprintln!("{line}");
            }
            return Ok(ExitCode::from(INVALID));
        }
    };
    let cancelled = order.cancelled.clone();
    let report = tokio::select! {
        report = local.execute(order) => report,
        // What is under way ends with the program's threads, processes included.
        watched = watch_signals(cancelled) => {
            watched.context("signals cannot be received")?;
            return Ok(ExitCode::from(ENDED));
        }
    };
    if let Some(path) = report_to {
        let text = serde_json::to_string_pretty(&report)?;
        fs::write(&path, text).with_context(|| format!("the report {} cannot be written", path.display()))?;
    }
    tell(&report)
}

/// Cancels at the first signal, and returns at the second.
async fn watch_signals(cancelled: CancellationToken) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    for _ in 0..2 {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        cancelled.cancel();
    }
    Ok(())
}

/// The output to standard output, or the problem to standard error.
fn tell(report: &Report) -> Result<ExitCode> {
    if report.status == RunStatus::Completed {
        print(&report.output, io::stdout())?;
        return Ok(ExitCode::SUCCESS);
    }
    let problem = report.error.clone().unwrap_or_else(|| {
        RunError::new(StandardError::Runtime, format!("the run is {} and says no reason", report.status))
    });
    print(&problem.to_value(), io::stderr())?;
    let invalid_input = problem.is(StandardError::Validation) && problem.instance.as_deref() == Some("/input");
    Ok(ExitCode::from(if invalid_input { INVALID } else { NOT_COMPLETED }))
}

fn print(value: &Value, mut to: impl io::Write) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    // Whoever closed the other end does not want to read it.
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("the result cannot be written"),
    }
}

fn prepare(options: Options) -> Result<Result<(Local, Order), Invalid>> {
    let parts = WithoutDatabase::set_up(folder_of(&options.file))?;
    let Given { definition, library, input, events } = match Given::read(&options, parts.executable()) {
        Ok(given) => given,
        Err(invalid) => return Ok(Err(invalid)),
    };
    let local = Local {
        connectors: parts.connectors,
        workflows: Arc::new(library),
        processes: Arc::new(Executor::here(std::env::var_os("PATH").unwrap_or_default(), parts.resources)),
        secrets: Secrets::new(secrets(options.secrets)),
        clock: Arc::new(SystemClock),
        ids: Arc::new(SystemIds),
        log: Arc::new(NoLog),
    };
    let order = Order { definition, input, events, cancelled: CancellationToken::new() };
    Ok(Ok((local, order)))
}

/// What the files of the command line hold.
struct Given {
    definition: Arc<Definition>,
    library: Library,
    input: Value,
    events: Vec<CloudEvent>,
}

impl Given {
    fn read(options: &Options, functions: FunctionCatalogue) -> Result<Self, Invalid> {
        let definition = Arc::new(read_definition(&options.file, &functions).map_err(Invalid)?);
        let library = Library::new(&options.file, &definition, &options.workflows, functions).map_err(Invalid)?;
        let input = match &options.input {
            Some(path) => read_data(path)?,
            None => Value::Object(serde_json::Map::new()),
        };
        let mut events = Vec::new();
        for path in &options.events {
            events.extend(read_events(path)?);
        }
        Ok(Self { definition, library, input, events })
    }
}

/// Secrets by name.
fn secrets(given: Vec<NamedSecret>) -> BTreeMap<String, Value> {
    given.into_iter().map(|NamedSecret { name, value }| (name, engine::secrets::value_of(value.expose()))).collect()
}

/// Data in JSON or YAML.
fn read_data(path: &Path) -> Result<Value, Invalid> {
    let text = fs::read_to_string(path).map_err(|cause| Invalid::file(path, cause))?;
    serde_json::from_str(&text).or_else(|_| serde_saphyr::from_str(&text)).map_err(|cause| {
        let place = cause.location().map_or((1, 1), |at| (at.line(), at.column()));
        Invalid(vec![format!("{}:{}:{}: {}", path.display(), place.0, place.1, cause.without_snippet())])
    })
}

fn read_events(path: &Path) -> Result<Vec<CloudEvent>, Invalid> {
    let events = match read_data(path)? {
        Value::Array(events) => events,
        // A single one is as good as a list of one.
        one => vec![one],
    };
    events
        .into_iter()
        .enumerate()
        .map(|(position, event)| {
            CloudEvent::from_value(event)
                .map_err(|problem| Invalid::file(path, format!("event {}: {problem}", position + 1)))
        })
        .collect()
}
