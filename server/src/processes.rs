//! Who executes the processes of `run` tasks: this program itself for `rondo run`, a runner process for a server.

use std::{ffi::OsString, path::PathBuf};

use async_trait::async_trait;
use connectors::{CallContext, Failure, LogLevel, resource::Resources};
use engine::Processes;
use runner::{Limits, Listener, Runner, RunnerProcess, Stream, Undone};
use workflow::{
    RunError, StandardError,
    process::{Process, ProcessResult},
};

/// This program, whatever has become of the file that it was started from.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// Executes processes, and reads scripts that are elsewhere.
pub(crate) struct Executor {
    place: Place,
    resources: Resources,
}

enum Place {
    Here(Runner),
    Apart(RunnerProcess),
}

impl Executor {
    /// In this process, with the programs of these directories.
    pub(crate) fn here(path: OsString, resources: Resources) -> Self {
        Self { place: Place::Here(Runner::new(path)), resources }
    }

    /// Each in a runner process of its own.
    pub(crate) fn apart(runner: RunnerProcess, resources: Resources) -> Self {
        Self { place: Place::Apart(runner), resources }
    }
}

/// The runner process of this program.
pub(crate) fn runner_process(user: String, limits: Limits) -> RunnerProcess {
    RunnerProcess::new(PathBuf::from(OWN_PROGRAM), vec!["runner".into()], user, limits)
}

#[async_trait]
impl Processes for Executor {
    /// With the code of its script, wherever that is.
    async fn complete(&self, mut process: Process, context: &CallContext) -> Result<Process, Failure> {
        if let Process::Script(script) = &mut process
            && let Some(source) = script.source.take()
        {
            script.code = Some(self.resources.text(&source, context).await?);
        }
        Ok(process)
    }

    async fn run(&self, process: Process, context: &CallContext) -> Result<ProcessResult, Failure> {
        let process = self.complete(process, context).await?;
        let log = Log(context);
        match &self.place {
            Place::Here(runner) => {
                runner.run(&process, &log).await.map_err(|error| Failure::permanent(RunError::from(error)))
            }
            Place::Apart(runner) => runner.run(process, &log).await.map_err(failure),
        }
    }
}

/// What another attempt would do: what was begun may have done something.
fn failure(undone: Undone) -> Failure {
    let error = |undone: &Undone| RunError::new(StandardError::Runtime, undone.to_string());
    match undone {
        Undone::Failed(error) => Failure::permanent(error),
        Undone::NotStarted(_) | Undone::Stillborn => Failure::retryable(error(&undone)),
        Undone::Lost => Failure::unknown(error(&undone)),
    }
}

/// The task's log.
struct Log<'a>(&'a CallContext);

impl Listener for Log<'_> {
    fn line(&self, stream: Stream, text: &str) {
        let level = match stream {
            Stream::Output => LogLevel::Info,
            Stream::Error => LogLevel::Warn,
        };
        self.0.log.line(level, text);
    }
}
