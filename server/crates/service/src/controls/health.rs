//! How the audit log stands: its size, what is signed of it, where it is sent, and when it was verified last.

use domain::view::{LastVerificationView, LedgerHealthView};
use serde_json::Value;
use store::{UnitOfWork, audit::AuditRow};

use crate::Service;

impl Service {
    pub(super) async fn ledger_health(&self, unit: &mut dyn UnitOfWork) -> store::Result<LedgerHealthView> {
        let signed = unit.last_audit_checkpoint().await?;
        let keys = unit.audit_keys().await?;
        let verified = unit.last_audit_verification().await?;
        Ok(LedgerHealthView {
            entries: whole(unit.audit_size().await?),
            signed_entries: signed.as_ref().map(|signed| whole(signed.size)),
            signed_at: signed.map(|signed| signed.at),
            keys: super::count(keys.len()),
            key_since: keys.last().map(|key| key.created_at),
            receivers: self.receivers(unit).await?,
            verified: verified.as_ref().and_then(verification),
        })
    }
}

fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// What the entry of a verification says; nothing if it cannot be read.
fn verification(row: &AuditRow) -> Option<LastVerificationView> {
    let detail = audit::view(row).detail;
    Some(LastVerificationView {
        at: row.at,
        by: row.actor.clone(),
        entries: detail.get("entries").and_then(Value::as_u64)?,
        sound: detail.get("sound").and_then(Value::as_bool)?,
        entry: row.seq,
    })
}
