//! Task logs. Kept apart from the engine's tables and connections: their volume never slows execution.

use async_trait::async_trait;
use domain::{RunId, view::LogLine};

use crate::Result;

/// Task logs.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Appends lines to the logs of their runs, in one transaction; `seq` of the lines is ignored and assigned.
    async fn append(&self, lines: &[(RunId, LogLine)]) -> Result<()>;
    /// Lines of a run after `after`, in order, at most `limit`; only of one task if `reference` is given.
    async fn read(&self, run: RunId, reference: Option<&str>, after: i64, limit: u32) -> Result<Vec<LogLine>>;
}
