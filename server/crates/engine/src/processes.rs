//! Processes of `run` tasks: who executes them, and how one that was asked for is made ready.

use async_trait::async_trait;
use connectors::{CallContext, Failure};
use domain::{Ids, Name};
use serde_json::Value;
use workflow::{
    CallRequest, RunError, StandardError,
    process::{Process, ProcessResult},
};

/// Executes processes of `run` tasks.
#[async_trait]
pub trait Processes: Send + Sync {
    /// Executes a process to its end, whatever its exit code. What it writes goes line by line to the context's log.
    /// Containers have a name. Dropped when the process is no longer wanted: it must end then, with its descendants.
    ///
    /// # Errors
    /// The process was not started (another attempt may do better), cannot be started or was cut off at a limit (another
    /// attempt would fare alike), or nobody knows how far it came.
    async fn run(&self, process: Process, context: &CallContext) -> Result<ProcessResult, Failure>;

    /// The same process with all that is to be read elsewhere, so that whoever executes it need not.
    ///
    /// # Errors
    /// Something cannot be read.
    async fn complete(&self, process: Process, _context: &CallContext) -> Result<Process, Failure> {
        Ok(process)
    }
}

/// Nobody executes processes here.
#[derive(Clone, Copy, Debug)]
pub struct NoProcesses;

#[async_trait]
impl Processes for NoProcesses {
    async fn run(&self, _process: Process, _context: &CallContext) -> Result<ProcessResult, Failure> {
        Err(Failure::configuration("nobody executes processes here"))
    }
}

/// Why a process of this namespace is refused, for people.
#[must_use]
pub fn not_permitted(namespace: &Name) -> String {
    format!(
        "the namespace {namespace} may not run shell commands, scripts or containers; an administrator of the whole portal \
         can permit it"
    )
}

/// The workflow that a process belongs to, for the name of its container.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// Its namespace.
    pub(crate) namespace: &'a str,
    /// Its name.
    pub(crate) workflow: &'a str,
}

/// The process that a call asks for.
pub(crate) fn read(request: CallRequest, origin: Origin<'_>, ids: &dyn Ids) -> Result<Process, RunError> {
    let mut process = Process::read(&request.function, request.with)?;
    if let Process::Container(container) = &mut process {
        // As dsl-reference.md recommends, "Container Process".
        let Origin { namespace, workflow } = origin;
        container.name.get_or_insert_with(|| format!("{workflow}-{}.{namespace}-{}", ids.next(), request.name));
    }
    Ok(process)
}

/// A result as the interpreter takes it.
pub(crate) fn answer(result: ProcessResult) -> Result<Value, RunError> {
    serde_json::to_value(result)
        .map_err(|_| RunError::new(StandardError::Runtime, "the result of the process cannot be written"))
}
