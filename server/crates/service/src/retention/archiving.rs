//! Moves entries that are older than their time into segments.
//!
//! First a segment is written, read back and checked; only then, in one unit of work, its entries are emptied, the log says so, and
//! the segment is noted. What names people in them goes into a file beside the segment. Whatever stops the server in between leaves a file that the next round takes as it is, if it holds what
//! the segment should.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use audit::{ARCHIVE, Places, class_of};
use domain::{AuditClass, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::{
    StoreError, UnitOfWork,
    audit::{AuditCheckpoint, AuditRow},
    retention::AuditSegment,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    in_force,
    segment::{MOST, check, pack},
};
use crate::Service;

/// How often it is looked whether there is something to archive.
const PAUSE: Duration = Duration::from_hours(1);
/// How long a node is alone in archiving; longer than one segment can take.
const LEASE: Duration = Duration::from_mins(30);
/// Rows that are looked at at once.
const ROWS: u32 = 5_000;
/// Files of the same name, left over from before a database was put back, that are passed over.
const NAMESAKES: u32 = 1_000;

/// What came of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archived {
    /// All that had to be archived was: so many entries.
    Entries(u64),
    /// Another node archives.
    Elsewhere,
    /// It did not work; nothing was taken away that is not in a segment.
    Failed,
}

/// Why entries could not be archived.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the database: {0}")]
    Store(#[from] StoreError),
    #[error("a segment cannot be packed: {0}")]
    Packing(io::Error),
    #[error("{0} cannot be written: {1}; check the folder audit.archive, which all nodes share")]
    Writing(String, io::Error),
    #[error("{0} cannot be read: {1}; check the folder audit.archive, which all nodes share")]
    Reading(String, io::Error),
    #[error("{0} is not as it was written: {1}; nothing was taken out of the database")]
    Unsound(String, String),
    #[error("there are too many files like {0} that belong to no segment; move them away")]
    Namesakes(String),
    #[error("another node has taken over")]
    Lost,
}

impl Service {
    /// Archives now and then until told to stop, unless every class is kept for ever.
    pub async fn keep_archiving_audit(&self, node: String, stop: CancellationToken) {
        while !stop.is_cancelled() && !self.parts.retention.0.is_empty() {
            if let Err(cause) = self.archive_audit(&node).await {
                warn!(
                    error = &cause as &dyn std::error::Error,
                    "the audit log could not be archived, trying again later"
                );
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    /// Archives what is older than its time, in the name of this node.
    ///
    /// # Errors
    /// The database cannot even be told how it went.
    pub async fn archive_audit(&self, node: &str) -> Result<Archived, StoreError> {
        if !self.take_archiving(node).await? {
            return Ok(Archived::Elsewhere);
        }
        let archived = self.round(node).await;
        let mut unit = self.parts.store.begin().await?;
        let came = match archived {
            Ok(entries) => {
                unit.note_archived(node, self.now()).await?;
                Archived::Entries(entries)
            }
            Err(Failure::Lost) => Archived::Elsewhere,
            Err(failure) => {
                warn!(%failure, "entries of the audit log cannot be archived");
                unit.note_archiving_failure(node, &failure.to_string(), self.now()).await?;
                Archived::Failed
            }
        };
        unit.commit().await?;
        Ok(came)
    }

    async fn take_archiving(&self, node: &str) -> Result<bool, StoreError> {
        let mut unit = self.parts.store.begin().await?;
        let now = self.now();
        let is_taken = unit.take_archiving(node, now, now + LEASE).await?;
        unit.commit().await?;
        Ok(is_taken)
    }

    async fn round(&self, node: &str) -> Result<u64, Failure> {
        let now = self.now();
        let times = AuditClass::ALL
            .iter()
            .filter_map(|class| Some((*class, self.parts.retention.archived_before(*class, now)?)));
        let times: BTreeMap<_, _> = times.collect();
        let Some(latest) = times.values().max().copied() else { return Ok(0) };
        let archive = Arc::clone(&self.parts.archive);
        let folder = archive.folder();
        on_its_own(move || archive.prepare()).await.map_err(|cause| Failure::Writing(folder, cause))?;
        let signed = self.checkpoint().await?;
        self.index_all().await?;
        self.await_cosignatures(signed.size).await?;
        let (mut lots, mut after, mut archived) = (BTreeMap::<AuditClass, Vec<i64>>::new(), 0, 0);
        loop {
            let mut unit = self.parts.store.snapshot().await?;
            let delivered = self.delivered(unit.as_mut()).await?.min(signed.size);
            // What is being indexed would be found again after it was archived.
            let done = delivered.min(unit.audit_indexed().await?).min(unit.controls_indexed().await?);
            let verified = unit.last_audit_verification().await?.map(|row| row.seq);
            let holds = in_force(unit.as_mut()).await?;
            let rows = unit.list_unarchived(after, latest, ROWS).await?;
            drop(unit);
            let Some(last) = rows.last().filter(|last| last.seq > after) else { break };
            after = last.seq;
            for row in rows.iter().filter(|row| row.seq <= done && Some(row.seq) != verified) {
                let Some(class) = class_of(&row.action, &row.outcome) else { continue };
                let is_old = times.get(&class).is_some_and(|before| row.at < *before);
                if !is_old || holds.iter().any(|hold| hold.covers(row)) {
                    continue;
                }
                let lot = lots.entry(class).or_default();
                lot.push(row.seq);
                if lot.len() == MOST {
                    archived += self.archive_lot(node, class, &std::mem::take(lot), &signed).await?;
                }
            }
        }
        for (class, lot) in lots {
            if !lot.is_empty() {
                archived += self.archive_lot(node, class, &lot, &signed).await?;
            }
        }
        Ok(archived)
    }

    /// Lets all entries be found that can be. Whatever other nodes are at stays for the next round.
    async fn index_all(&self) -> Result<(), StoreError> {
        match audit::index(self.parts.store.as_ref(), usize::MAX).await {
            Ok(_) | Err(StoreError::Conflict) => {}
            Err(cause) => return Err(cause),
        }
        self.index_controls().await;
        Ok(())
    }

    /// Up to which entry every receiver of the configuration has the log.
    async fn delivered(&self, unit: &mut dyn UnitOfWork) -> Result<i64, StoreError> {
        let known = unit.list_receivers().await?;
        let reached = self.parts.receivers.iter().filter(|receiver| receiver.entries).map(|receiver| {
            let row = known.iter().find(|row| row.name == receiver.name);
            row.map_or(0, |row| row.reached.entries)
        });
        Ok(reached.min().unwrap_or(i64::MAX))
    }

    async fn archive_lot(
        &self,
        node: &str,
        class: AuditClass,
        places: &[i64],
        signed: &AuditCheckpoint,
    ) -> Result<u64, Failure> {
        if !self.take_archiving(node).await? {
            return Err(Failure::Lost);
        }
        let mut unit = self.parts.store.snapshot().await?;
        let mut rows = unit.audit_at(places).await?;
        rows.reverse();
        let about = json!({"archived": {"class": class}});
        let bytes = pack(unit.as_mut(), about, &rows, signed).await?;
        let (name, bytes) = self.keep(unit.as_mut(), class, &rows, bytes).await?;
        drop(unit);
        let is_archived = self.empty(node, class, &name, &bytes, &rows).await?;
        Ok(if is_archived { rows.len() as u64 } else { 0 })
    }

    /// Has the segment where it stays, and reads it back from there: what is there is what counts.
    async fn keep(
        &self,
        unit: &mut dyn UnitOfWork,
        class: AuditClass,
        rows: &[AuditRow],
        bytes: Vec<u8>,
    ) -> Result<(String, Vec<u8>), Failure> {
        let (first, last) = ends(rows);
        let stem = format!("{class}-{first:012}-{last:012}");
        for number in 1..=NAMESAKES {
            let name = if number == 1 { format!("{stem}.tar") } else { format!("{stem}-{number}.tar") };
            if let Some(found) = self.read_archived(&name).await? {
                // Left by a round that was cut off, it is as good as a new one; from another time of the log, it is left alone.
                if check(unit, &found, rows).await?.is_ok() {
                    return Ok((name, found));
                }
                continue;
            }
            let bytes = Arc::new(bytes);
            let (archive, of, content) = (Arc::clone(&self.parts.archive), name.clone(), Arc::clone(&bytes));
            let written = on_its_own(move || archive.write(&of, &content)).await;
            written.map_err(|cause| Failure::Writing(name.clone(), cause))?;
            let absent = || Failure::Unsound(name.clone(), "it is not there".to_owned());
            let back = self.read_archived(&name).await?.ok_or_else(absent)?;
            return match check(unit, &back, rows).await? {
                Ok(()) if back == *bytes => Ok((name, back)),
                Ok(()) => Err(Failure::Unsound(name, "it has other bytes".to_owned())),
                Err(why) => Err(Failure::Unsound(name, why)),
            };
        }
        Err(Failure::Namesakes(stem))
    }

    pub(super) async fn read_archived(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let (archive, of) = (Arc::clone(&self.parts.archive), name.to_owned());
        on_its_own(move || archive.read(&of)).await.map_err(|cause| Failure::Reading(name.to_owned(), cause))
    }

    /// Empties the entries that the segment holds, unless one of them has come under a hold.
    async fn empty(
        &self,
        node: &str,
        class: AuditClass,
        name: &str,
        bytes: &[u8],
        rows: &[AuditRow],
    ) -> Result<bool, Failure> {
        let mut unit = self.parts.store.begin().await?;
        let now = self.now();
        let state = unit.archiving().await?;
        if state.holder.as_deref() != Some(node) || state.held_until.is_none_or(|until| until <= now) {
            return Err(Failure::Lost);
        }
        let holds = in_force(unit.as_mut()).await?;
        // What names people may have been taken away meanwhile.
        let mut rows = unit.audit_at(&rows.iter().map(|row| row.seq).collect::<Vec<_>>()).await?;
        rows.reverse();
        if rows.iter().any(|row| holds.iter().any(|hold| hold.covers(row))) {
            info!(segment = name, "a hold was placed on entries that were about to be archived; they stay");
            return Ok(false);
        }
        let (first, last) = ends(&rows);
        let places: Vec<_> = rows.iter().map(|row| row.seq).collect();
        let segment = AuditSegment {
            number: unit.last_audit_segment().await? + 1,
            name: name.to_owned(),
            class,
            first,
            last,
            entries: i64::try_from(places.len()).unwrap_or(i64::MAX),
            places: Places::of(&places).to_string(),
            bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            sha256: hex::encode(Sha256::digest(bytes)),
            archived_at: now,
        };
        let terms = audit::terms(unit.as_mut(), &rows).await?;
        self.name_beside(name, &rows).await?;
        unit.reindex_audit(&terms, &[]).await?;
        unit.archive_audit(&segment, &places).await?;
        let entry = self.told(&segment, now);
        audit::append(unit.as_mut(), &entry).await?;
        unit.commit().await?;
        info!(segment = name, entries = segment.entries, "entries of the audit log were archived");
        Ok(true)
    }

    /// The entry that tells where the others are.
    fn told(&self, segment: &AuditSegment, now: Timestamp) -> audit::Entry {
        let AuditSegment { name, class, first, last, entries, places, bytes, sha256, .. } = segment;
        let detail = json!({
            "class": class, "segment": name, "first": first, "last": last, "entries": entries, "places": places,
            "bytes": bytes, "sha256": sha256,
        });
        audit::Entry {
            at: now,
            ..self.system_entry(ARCHIVE, ("audit-segment", name.clone(), name.clone()), None, detail)
        }
    }
}

/// The places of the first and the last of rows in order.
fn ends(rows: &[AuditRow]) -> (i64, i64) {
    (rows.first().map_or(0, |row| row.seq), rows.last().map_or(0, |row| row.seq))
}

/// Files are slow; nobody waits for them but who asked.
pub(super) async fn on_its_own<T: Send + 'static>(
    act: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(act).await.map_err(io::Error::other)?
}
