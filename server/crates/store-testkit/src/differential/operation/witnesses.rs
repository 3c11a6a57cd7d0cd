use std::time::Duration;

use store::{Result, UnitOfWork, audit::AuditCheckpoint, witnesses::Cosignature};

use super::{Operation, pick, shown};

const NAMES: &[&str] = &["auditors", "parent"];
const NODES: &[&str] = &["node-a", "node-b"];

impl Operation {
    pub(super) async fn witnesses(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let (name, node) = (pick(NAMES, self.a), pick(NODES, self.b));
        let size = i64::from(self.limit);
        let until = self.time + Duration::from_secs(5);
        let line = self.text.to_owned();
        Ok(match self.c % 8 {
            0 => shown(unit.insert_witness(name).await?),
            1 | 2 => shown(unit.take_witness(name, node, self.time, until).await?),
            3 => shown(unit.note_cosigning(name, node, size, self.time, until).await?),
            4 => shown(unit.note_cosigning_failure(name, node, self.text, self.flag, self.time).await?),
            5 if self.flag => shown(unit.release_all_witnesses().await?),
            5 => shown(unit.release_witness(name, node).await?),
            6 => {
                let checkpoint = AuditCheckpoint { size, at: self.time, note: "note".to_owned() };
                unit.insert_audit_checkpoint(&checkpoint).await?;
                shown(unit.insert_cosignature(&Cosignature { size, witness: name.to_owned(), line }).await?)
            }
            _ => shown((unit.witness(name).await?, unit.cosignatures(1, size).await?)),
        })
    }
}
