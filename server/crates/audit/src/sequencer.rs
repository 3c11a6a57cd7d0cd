//! How entries get into the log: queued in the unit of work of what they tell of, given their places later.
//!
//! The end of the log is one place for everybody. If each unit took it until it is durable, units would wait for each other
//! in a row; so only the sequencer takes it, for many entries at once. Whoever reads the log has it sequenced first, and so
//! sees all that is durable.

use std::time::Duration;

use store::{
    Store, StoreError,
    audit::{AuditHead, AuditLog, QueuedEntry},
};
use tokio_util::sync::CancellationToken;

use crate::{Entry, seal::seal};

/// Entries that get their places in one unit of work.
const BATCH: u32 = 500;
/// How long an entry waits for its place when nobody reads the log.
const PAUSE: Duration = Duration::from_secs(1);

/// Queues one entry within the unit of what it tells of.
pub async fn append<L: AuditLog + ?Sized>(log: &mut L, entry: &Entry) -> Result<(), StoreError> {
    append_all(log, std::slice::from_ref(entry)).await
}

/// Queues entries in their order.
pub async fn append_all<L: AuditLog + ?Sized>(log: &mut L, entries: &[Entry]) -> Result<(), StoreError> {
    let mut queued = Vec::with_capacity(entries.len());
    for entry in entries {
        let text = serde_json::to_string(entry).map_err(|_| unreadable())?;
        queued.push(QueuedEntry { actor_id: entry.actor.id, entry: text });
    }
    log.queue_audit(&queued).await
}

/// Gives all queued entries their places. Others may queue more meanwhile.
///
/// [`StoreError::Inconsistent`] when the end of the log is no hash, or the queue holds what is no entry.
pub async fn sequence(store: &dyn Store) -> Result<(), StoreError> {
    if store.snapshot().await?.is_audit_queue_empty().await? {
        return Ok(());
    }
    loop {
        let mut unit = store.begin().await?;
        let sequenced = sequence_some(unit.as_mut()).await?;
        unit.commit().await?;
        if sequenced < BATCH as usize {
            return Ok(());
        }
    }
}

/// Gives some entries their places, within a unit that holds the end of the log until it ends; how many.
async fn sequence_some<L: AuditLog + ?Sized>(log: &mut L) -> Result<usize, StoreError> {
    // The end first: whoever holds it is the only one who takes from the queue.
    let before = log.audit_head().await?;
    let queued = log.take_queued_audit(BATCH).await?;
    let mut head = before.clone();
    let mut rows = Vec::with_capacity(queued.len());
    for QueuedEntry { entry, .. } in queued {
        let row = seal(&head, &serde_json::from_str(&entry).map_err(|_| unreadable())?)?;
        head = AuditHead { seq: row.seq, hash: row.hash.clone() };
        rows.push(row);
    }
    log.append_audit(&before, &rows).await?;
    Ok(rows.len())
}

/// Sequences now and then until told to stop, and once more then.
pub async fn keep_sequencing(store: &dyn Store, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
        if let Err(error) = sequence(store).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "entries of the audit log wait for their places");
        }
    }
}

fn unreadable() -> StoreError {
    StoreError::Inconsistent("audit_queue".to_owned())
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::fixture::{Memory, entry};

    #[test]
    fn entries_follow_each_other_without_gaps() {
        let mut log = Memory::default();
        block_on(append(&mut log, &entry())).unwrap();
        assert_eq!(log.rows, []);
        assert_eq!(block_on(sequence_some(&mut log)).unwrap(), 1);
        block_on(append_all(&mut log, &[entry(), entry()])).unwrap();
        block_on(append_all(&mut log, &[])).unwrap();
        assert_eq!(block_on(sequence_some(&mut log)).unwrap(), 2);
        assert_eq!(block_on(sequence_some(&mut log)).unwrap(), 0);
        assert_eq!(log.rows, crate::fixture::rows(&[entry(), entry(), entry()]));
    }
}
