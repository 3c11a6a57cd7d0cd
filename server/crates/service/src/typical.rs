//! How long workflows usually take: asked of each workflow of a catalogue, and slow to change.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::{Timestamp, WorkflowRef};
use store::UnitOfWork;

use crate::views;

/// Completed runs over which the usual duration is taken.
pub(crate) const SAMPLE: u32 = 50;
/// How long a figure is good for.
const FRESH: Duration = Duration::from_mins(1);

/// What was found out about each workflow, and when.
#[derive(Default)]
pub(crate) struct Typical(Mutex<HashMap<WorkflowRef, (Option<u64>, Timestamp)>>);

impl Typical {
    /// How many seconds a run of the workflow usually takes, by the last that have completed a minute ago or later; none
    /// where none has.
    pub(crate) async fn seconds(
        &self,
        unit: &mut dyn UnitOfWork,
        workflow: &WorkflowRef,
        now: Timestamp,
    ) -> store::Result<Option<u64>> {
        if let Some((seconds, _)) = self.known(workflow).filter(|(_, found)| now < *found + FRESH) {
            return Ok(seconds);
        }
        let seconds = views::typical_seconds(&unit.run_durations(workflow, SAMPLE).await?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(workflow.clone(), (seconds, now));
        Ok(seconds)
    }

    fn known(&self, workflow: &WorkflowRef) -> Option<(Option<u64>, Timestamp)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(workflow).copied()
    }
}
