//! The witnesses that cosign the checkpoints of the audit log, and how far they are.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    Operation, Problem,
    view::{AuditWitnessView, Page},
};
use ledger::cosignature;
use policy::Resource;
use store::{UnitOfWork, audit::AuditCheckpoint, witnesses::Witness};

use crate::{Caller, Service, audit_log::target, problems::OrProblem as _};

/// How long whoever takes a checkpoint along waits for witnesses that are at work.
const MOMENT: Duration = Duration::from_secs(3);
/// How often it is looked whether they have cosigned.
const LOOK: Duration = Duration::from_millis(50);

/// A witness of the audit log, as people are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditWitness {
    /// Its name.
    pub name: String,
    /// Where it is; nothing secret.
    pub address: String,
    /// The key that tells its cosignatures.
    pub key: String,
}

impl Service {
    /// Who cosigns the checkpoints of the audit log, and how far each is. It tells nothing of the log but its size, so looking
    /// at it is no entry.
    pub async fn audit_witnesses(&self, caller: &Caller) -> Result<Page<AuditWitnessView>, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        Ok(Page { items: self.witnesses(gate.unit.as_mut()).await.or_problem()?, next: None })
    }

    /// The same for the server itself.
    pub async fn witnesses_now(&self) -> store::Result<Vec<AuditWitnessView>> {
        if self.parts.witnesses.is_empty() {
            return Ok(Vec::new());
        }
        self.witnesses(self.parts.store.snapshot().await?.as_mut()).await
    }

    async fn witnesses(&self, unit: &mut dyn UnitOfWork) -> store::Result<Vec<AuditWitnessView>> {
        let signed = unit.last_audit_checkpoint().await?.map_or(0, |last| last.size);
        let known = unit.list_witnesses().await?;
        let mut views = Vec::with_capacity(self.parts.witnesses.len());
        for witness in &self.parts.witnesses {
            let row = known.iter().find(|row| row.name == witness.name);
            let size = row.map_or(0, |row| row.size);
            // What it has not cosigned waits since the first of it was signed.
            let waits_since = match signed - size {
                ..=0 => None,
                _ => unit.audit_checkpoints(size + 1, 1).await?.first().map(|first| first.at),
            };
            let count = |number: i64| u64::try_from(number).unwrap_or_default();
            views.push(AuditWitnessView {
                name: witness.name.clone(),
                address: witness.address.clone(),
                key: witness.key.clone(),
                size: (size > 0).then(|| count(size)),
                lag: count(signed - size),
                lag_seconds: waits_since.map_or(0, |since| self.now().since(since).as_secs()),
                succeeded_at: row.and_then(|row| row.succeeded_at),
                failing_since: row.and_then(|row| row.failing_since),
                failure: row.and_then(|row| row.failure.clone()),
                refused_at: row.and_then(|row| row.refused_at),
            });
        }
        Ok(views)
    }

    /// The checkpoint with the cosignatures that there are. It was signed without waiting for them; whoever takes it along waits a
    /// moment for those of witnesses that are at work.
    pub(crate) async fn cosigned(&self, signed: AuditCheckpoint) -> store::Result<AuditCheckpoint> {
        self.await_cosignatures(signed.size).await?;
        let lines = cosignatures(self.parts.store.snapshot().await?.as_mut(), &signed).await?;
        Ok(AuditCheckpoint { note: cosignature::with(&signed.note, [lines.as_str()]), ..signed })
    }

    /// Waits until the witnesses that do not fail have cosigned the checkpoint, at most for a moment.
    pub(crate) async fn await_cosignatures(&self, size: i64) -> store::Result<()> {
        if self.parts.witnesses.is_empty() {
            return Ok(());
        }
        let all = async {
            loop {
                let known = self.parts.store.snapshot().await?.list_witnesses().await?;
                let is_ours = |row: &Witness| self.parts.witnesses.iter().any(|one| one.name == row.name);
                let is_awaited = |row: &Witness| is_ours(row) && row.failing_since.is_none() && row.size < size;
                if !known.iter().any(is_awaited) {
                    return store::Result::Ok(());
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(MOMENT, all).await.unwrap_or(Ok(()))
    }
}

/// The lines of the cosignatures of a checkpoint.
pub(crate) async fn cosignatures(unit: &mut dyn UnitOfWork, signed: &AuditCheckpoint) -> store::Result<String> {
    Ok(unit.cosignatures(signed.size, signed.size).await?.into_iter().map(|one| one.line).collect())
}

/// Adds to each of these checkpoints, which are in their order, the cosignatures that there are.
pub(crate) async fn cosign(
    unit: &mut dyn UnitOfWork,
    mut checkpoints: Vec<AuditCheckpoint>,
) -> store::Result<Vec<AuditCheckpoint>> {
    let sizes = checkpoints.first().zip(checkpoints.last()).map(|(first, last)| (first.size, last.size));
    let Some((first, last)) = sizes else { return Ok(checkpoints) };
    let mut lines: BTreeMap<i64, String> = BTreeMap::new();
    for one in unit.cosignatures(first, last).await? {
        lines.entry(one.size).or_default().push_str(&one.line);
    }
    for checkpoint in &mut checkpoints {
        if let Some(lines) = lines.get(&checkpoint.size) {
            checkpoint.note.push_str(lines);
        }
    }
    Ok(checkpoints)
}
