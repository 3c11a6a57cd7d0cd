//! To which run an entry belongs, and which risk that run's workflow has. New entries say so; for older ones it is looked up.

use std::collections::BTreeMap;

use domain::{ApprovalId, Risk, RunId, WorkflowRef, view::AuditEntryView};
use serde_json::Value;
use store::{StoreError, audit::RunsOfEntries};
use workflow::Definition;

/// The run of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RunOfEntry {
    pub(crate) run: RunId,
    /// Unknown where the run or its definition has gone.
    pub(crate) risk: Option<Risk>,
}

/// The risks of versions, each read once. A version that runs have does not change.
#[derive(Default)]
pub(crate) struct Risks(BTreeMap<(WorkflowRef, String), Option<Risk>>);

impl Risks {
    /// The run of each of these entries, in their order.
    pub(crate) async fn runs_of<L: RunsOfEntries + ?Sized>(
        &mut self,
        log: &mut L,
        entries: &[AuditEntryView],
    ) -> Result<Vec<Option<RunOfEntry>>, StoreError> {
        let asked: Vec<ApprovalId> = entries.iter().filter_map(approval_without_run).collect();
        let runs: BTreeMap<_, _> = log.runs_of_approvals(&asked).await?.into_iter().collect();
        let mut found: Vec<_> = entries
            .iter()
            .map(|entry| {
                let said = entry.run.as_deref().and_then(|run| run.parse().ok());
                let run = said.or_else(|| runs.get(&approval_without_run(entry)?).copied())?;
                Some(RunOfEntry { run, risk: risk_said(entry) })
            })
            .collect();
        let mut open: Vec<_> = found.iter().flatten().filter(|of| of.risk.is_none()).map(|of| of.run).collect();
        open.sort_unstable();
        open.dedup();
        let mut risks = BTreeMap::new();
        for (run, workflow, version) in log.versions_of_runs(&open).await? {
            risks.insert(run, self.of(log, workflow, version).await?);
        }
        for of in found.iter_mut().flatten() {
            of.risk = of.risk.or_else(|| risks.get(&of.run).copied().flatten());
        }
        Ok(found)
    }

    async fn of<L: RunsOfEntries + ?Sized>(
        &mut self,
        log: &mut L,
        workflow: WorkflowRef,
        version: String,
    ) -> Result<Option<Risk>, StoreError> {
        let key = (workflow, version);
        if let Some(known) = self.0.get(&key) {
            return Ok(*known);
        }
        let text = log.text_of_version(&key.0, &key.1).await?;
        let risk = text.as_deref().and_then(Definition::risk_of);
        self.0.insert(key, risk);
        Ok(risk)
    }
}

/// The approval that an entry is about which does not say its run.
fn approval_without_run(entry: &AuditEntryView) -> Option<ApprovalId> {
    let is_open = entry.run.is_none() && entry.resource_kind == "approval";
    if is_open { entry.resource_id.parse().ok() } else { None }
}

fn risk_said(entry: &AuditEntryView) -> Option<Risk> {
    entry.detail.get("risk").and_then(Value::as_str)?.parse().ok()
}
