//! Processes of `run` tasks, on the machine of whoever runs the command.

use std::ffi::OsString;

use async_trait::async_trait;
use connectors::{CallContext, resource::Resources};
use engine::local::{Process, Processes};
use runner::Runner;
use workflow::{
    RunError,
    process::{ProcessResult, Script},
};

/// Executes processes here.
pub(super) struct LocalProcesses {
    runner: Runner,
    resources: Resources,
}

impl LocalProcesses {
    /// With the programs of these directories; scripts may be elsewhere.
    pub(super) fn new(path: OsString, resources: Resources) -> Self {
        Self { runner: Runner::new(path), resources }
    }

    /// The script with its code, wherever that is.
    async fn complete(&self, mut script: Script, context: &CallContext) -> Result<Script, RunError> {
        if let Some(source) = script.source.take() {
            script.code = Some(self.resources.text(&source, context).await.map_err(|failure| *failure.error)?);
        }
        Ok(script)
    }
}

#[async_trait]
impl Processes for LocalProcesses {
    async fn run(&self, process: Process, name: &str, context: &CallContext) -> Result<ProcessResult, RunError> {
        let ended = match process {
            Process::Shell(shell) => self.runner.shell(&shell).await,
            Process::Script(script) => self.runner.script(&self.complete(script, context).await?).await,
            Process::Container(container) => self.runner.container(&container, name).await,
        };
        ended.map_err(RunError::from)
    }
}
