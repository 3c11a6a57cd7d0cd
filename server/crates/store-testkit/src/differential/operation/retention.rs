use std::time::Duration;

use domain::view::HoldCovers;
use store::{
    Result, UnitOfWork,
    retention::{AuditHold, HoldRelease},
};

use super::{Operation, pick, shown};
use crate::fixtures::{hold_id, user_id};

const NODES: &[&str] = &["node-a", "node-b"];

impl Operation {
    pub(super) async fn retention(&self, unit: &mut dyn UnitOfWork) -> Result<String> {
        let (id, node) = (hold_id(self.b), pick(NODES, self.b));
        let until = self.time + Duration::from_secs(5);
        Ok(match self.c % 8 {
            0 => {
                let person = self.flag.then(|| self.text.to_owned());
                let hold = AuditHold {
                    id,
                    name: "case".to_owned(),
                    reason: "asked for".to_owned(),
                    covers: HoldCovers { person, from: Some(self.time), ..HoldCovers::default() },
                    placed_by: user_id(self.a),
                    placed_at: self.time,
                    release: None,
                };
                shown(unit.insert_audit_hold(&hold).await?)
            }
            1 => {
                let release = HoldRelease { by: user_id(self.a), at: self.time, reason: "closed".to_owned() };
                shown(unit.release_audit_hold(id, &release).await?)
            }
            2 => shown((unit.audit_hold(id).await?, unit.list_audit_holds().await?)),
            3 => shown(unit.take_archiving(node, self.time, until).await?),
            4 => shown(unit.note_archived(node, self.time).await?),
            5 => shown(unit.note_archiving_failure(node, self.text, self.time).await?),
            6 if self.flag => shown(unit.release_archiving().await?),
            6 => shown(unit.archiving().await?),
            _ => {
                let unarchived = unit.list_unarchived(0, self.time, self.limit).await?;
                shown((unarchived, unit.count_unarchived(self.time).await?))
            }
        })
    }
}
