//! Runs that runs have started.

use async_trait::async_trait;
use domain::RunId;

use crate::Result;

/// A row of `child_runs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildRun {
    /// The run that was started.
    pub run: RunId,
    /// The run that started it.
    pub parent: RunId,
    /// The call of the parent that it answers.
    pub call: u32,
    /// How many runs there are above it.
    pub depth: u32,
}

/// Runs that runs have started.
#[async_trait]
pub trait Children: Send {
    /// Adds one; [`crate::StoreError::Duplicate`] when the call has started a run already.
    async fn insert_child(&mut self, child: &ChildRun) -> Result<()>;
    /// What started this run, if a run did.
    async fn child(&mut self, run: RunId) -> Result<Option<ChildRun>>;
    /// What a call has started.
    async fn child_of_call(&mut self, parent: RunId, call: u32) -> Result<Option<ChildRun>>;
}
