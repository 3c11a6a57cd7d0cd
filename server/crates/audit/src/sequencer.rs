//! How entries get into the log: queued in the unit of work of what they tell of, given their places in it and in the tree
//! later.
//!
//! The end of the log is one place for everybody. If each unit took it until it is durable, units would wait for each other
//! in a row; so only the sequencer takes it, for many entries at once. Whoever reads the log has it sequenced first, and so
//! sees all that is durable.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use identity::random::Random;
use ledger::tree::{self, Growth, Hash, TileAt};
use store::{
    Store, StoreError,
    audit::{AuditLog, AuditRow, AuditTile, QueuedEntry},
};
use tokio_util::sync::CancellationToken;

use crate::{Entry, index::index_with, seal::seal};

/// Entries that get their places in one unit of work.
const BATCH: u32 = 500;
/// Units of work in which entries are indexed at one go: what has come meanwhile gets its place before the rest.
const UNITS: usize = 8;
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

/// Gives all queued entries their places, with keys for what names people in them. Others may queue more meanwhile.
///
/// # Errors
/// [`StoreError::Inconsistent`] when the queue holds what is no entry, or the stored tree is none.
pub async fn sequence(store: &dyn Store, random: &dyn Random) -> Result<(), StoreError> {
    sequence_all(store, random, 0).await.map(drop)
}

/// The end of the log, as far as it has been sequenced.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct End {
    /// Entries of the log.
    size: i64,
    /// The last of those that have just got their places.
    fresh: Vec<AuditRow>,
}

/// The same, and keeps at least the last `keep` entries of those that it has sequenced, where there are so many.
async fn sequence_all(store: &dyn Store, random: &dyn Random, keep: usize) -> Result<End, StoreError> {
    let mut end = End::default();
    {
        let mut unit = store.snapshot().await?;
        end.size = unit.audit_size().await?;
        // A log from before there was a tree gets one.
        if unit.is_audit_queue_empty().await? && unit.audit_tree_size().await? == end.size {
            return Ok(end);
        }
    }
    loop {
        // Made ready without holding anything, since it is most of the work; then put there, unless another node was quicker.
        let ready = Ready::plan(store.snapshot().await?.as_mut(), random).await?;
        let mut unit = store.begin().await?;
        if !ready.take(unit.as_mut()).await? {
            unit.rollback().await?;
            continue;
        }
        unit.commit().await?;
        let rows = ready.rows;
        let sequenced = rows.len();
        end.size = rows.last().map_or(end.size, |row| row.seq);
        if end.fresh.len() >= keep {
            end.fresh.clear();
        }
        end.fresh.extend(rows);
        if sequenced < BATCH as usize {
            return Ok(end);
        }
    }
}

/// What comes next in the log, and in the tree.
struct Ready {
    /// Entries of the log before.
    size: i64,
    /// Entries of the tree before; fewer, where the log is from before there was one.
    planted: i64,
    /// The numbers in the queue of what gets a place in the log.
    queued: Vec<i64>,
    /// What the tree gets: all that gets a place in the log, or what has one already.
    rows: Vec<AuditRow>,
    tiles: Vec<AuditTile>,
}

impl Ready {
    async fn plan<L: AuditLog + ?Sized>(log: &mut L, random: &dyn Random) -> Result<Self, StoreError> {
        let size = log.audit_size().await?;
        let mut growth = resume(log).await?;
        let planted = i64::try_from(growth.size()).map_err(|_| no_tree())?;
        let mut rows = if planted < size { log.audit_from(planted, BATCH).await? } else { Vec::new() };
        let mut queued = Vec::new();
        if rows.last().map_or(planted, |row| row.seq) == size {
            for (place, (number, QueuedEntry { entry, .. })) in (size + 1..).zip(log.queued_audit(BATCH).await?) {
                rows.push(seal(place, &serde_json::from_str(&entry).map_err(|_| unreadable())?, random)?);
                queued.push(number);
            }
        }
        for row in &rows {
            growth.push(tree::leaf(row.body.as_bytes()));
        }
        let tiles = growth.changed().iter().map(stored).collect();
        Ok(Self { size, planted, queued, rows, tiles })
    }

    /// Takes the places, within a unit that holds the end of the log until it ends; false when it is another end by now.
    async fn take<L: AuditLog + ?Sized>(&self, log: &mut L) -> Result<bool, StoreError> {
        // The end first: whoever holds it is the only one who takes from the queue, and who grows the tree.
        if log.audit_size().await? != self.size || log.audit_tree_size().await? != self.planted {
            return Ok(false);
        }
        log.take_queued_audit(&self.queued).await?;
        let (_, new) = self.rows.split_at(self.rows.len() - self.queued.len());
        log.append_audit(self.size, new).await?;
        log.put_audit_tiles(&self.tiles).await?;
        Ok(true)
    }
}

/// The tree as it is stored.
///
/// # Errors
/// [`StoreError::Inconsistent`] when it is none.
pub async fn resume<L: AuditLog + ?Sized>(log: &mut L) -> Result<Growth, StoreError> {
    let size = u64::try_from(log.audit_tree_size().await?).map_err(|_| no_tree())?;
    let open: Vec<_> = Growth::open(size).into_iter().map(|(at, _)| at).collect();
    let tiles = tiles(log, open).await?;
    Growth::resume(size, tiles).ok_or_else(no_tree)
}

/// Tiles of the stored tree; those that are not there are left out.
///
/// # Errors
/// [`StoreError::Inconsistent`] when one holds what is no hash.
pub async fn tiles<L: AuditLog + ?Sized>(
    log: &mut L,
    at: impl IntoIterator<Item = TileAt>,
) -> Result<BTreeMap<TileAt, Vec<Hash>>, StoreError> {
    let mut places = Vec::new();
    for TileAt { level, index } in at {
        places.push((i64::from(level), i64::try_from(index).map_err(|_| no_tree())?));
    }
    let stored = log.audit_tiles(&places).await?;
    stored.iter().map(|tile| read(tile).ok_or_else(no_tree)).collect()
}

/// The hashes of the entries at these places, those that are in the stored tree.
///
/// # Errors
/// [`StoreError::Inconsistent`] when a tile holds what is no hash.
pub async fn leaves<L: AuditLog + ?Sized>(
    log: &mut L,
    places: impl IntoIterator<Item = i64>,
) -> Result<BTreeMap<i64, Hash>, StoreError> {
    let mut leaves = BTreeMap::new();
    let indexes: BTreeMap<i64, u64> =
        places.into_iter().filter_map(|place| Some((place, u64::try_from(place).ok()?.checked_sub(1)?))).collect();
    let at: BTreeSet<_> = indexes.values().map(|index| TileAt { level: 0, index: index / tree::TILE }).collect();
    let found = tiles(log, at).await?;
    for (place, index) in indexes {
        let tile = found.get(&TileAt { level: 0, index: index / tree::TILE });
        let hash = tile.and_then(|tile| tile.get(usize::try_from(index % tree::TILE).ok()?));
        leaves.extend(hash.map(|hash| (place, *hash)));
    }
    Ok(leaves)
}

fn read(tile: &AuditTile) -> Option<(TileAt, Vec<Hash>)> {
    let at = TileAt { level: u8::try_from(tile.level).ok()?, index: u64::try_from(tile.place).ok()? };
    let hashes = tile.hashes.as_bytes().chunks(64).map(|hash| tree::from_text(std::str::from_utf8(hash).ok()?));
    Some((at, hashes.collect::<Option<_>>()?))
}

fn stored((at, hashes): (&TileAt, &Vec<Hash>)) -> AuditTile {
    AuditTile {
        level: i64::from(at.level),
        // The store has a place for no more entries than that.
        place: i64::try_from(at.index).unwrap_or(i64::MAX),
        hashes: hashes.iter().map(tree::text).collect(),
    }
}

/// Sequences now and then until told to stop, and once more then; and lets what has its place be found.
pub async fn keep_sequencing(store: &dyn Store, random: &dyn Random, stop: CancellationToken) {
    // Up to where everything is indexed.
    let mut indexed = None;
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
        let end = match sequence_all(store, random, UNITS * BATCH as usize).await {
            Ok(end) => end,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "entries of the audit log wait for their places");
                continue;
            }
        };
        if indexed == Some(end.size) {
            continue;
        }
        indexed = match index_with(store, UNITS, &end.fresh).await {
            Ok(left) => (left == 0).then_some(end.size),
            Err(error) => {
                // Another node was quicker, or it is tried again.
                tracing::debug!(error = &error as &dyn std::error::Error, "the audit log could not be indexed");
                None
            }
        };
    }
}

fn no_tree() -> StoreError {
    StoreError::Inconsistent("audit_tiles".to_owned())
}

fn unreadable() -> StoreError {
    StoreError::Inconsistent("audit_queue".to_owned())
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::fixture::{Counted, Memory, entry};

    async fn sequence_some(log: &mut Memory, random: &dyn Random) -> Result<Vec<AuditRow>, StoreError> {
        let ready = Ready::plan(log, random).await?;
        assert!(ready.take(log).await?);
        assert!(ready.rows.is_empty() || !ready.take(log).await?, "places are taken once");
        Ok(ready.rows)
    }

    #[test]
    fn entries_follow_each_other_without_gaps() {
        let random = Counted::default();
        let mut log = Memory::default();
        block_on(append(&mut log, &entry())).unwrap();
        assert_eq!(log.rows, []);
        assert_eq!(block_on(sequence_some(&mut log, &random)).unwrap().len(), 1);
        block_on(append_all(&mut log, &[entry(), entry()])).unwrap();
        block_on(append_all(&mut log, &[])).unwrap();
        let sequenced = block_on(sequence_some(&mut log, &random)).unwrap();
        assert_eq!(sequenced, log.rows[1..]);
        assert_eq!(block_on(sequence_some(&mut log, &random)).unwrap(), []);
        assert_eq!(log.rows, crate::fixture::rows(&[entry(), entry(), entry()]));
        assert_eq!(block_on(resume(&mut log)).unwrap().root(), crate::fixture::root(&log.rows));
    }

    #[test]
    fn a_log_from_before_there_was_a_tree_gets_one() {
        let random = Counted::default();
        let mut log = Memory { rows: crate::fixture::rows(&vec![entry(); 1_100]), ..Memory::default() };
        block_on(append(&mut log, &entry())).unwrap();
        for (sequenced, planted) in [(500, 500), (500, 1_000), (101, 1_101), (0, 1_101)] {
            assert_eq!(block_on(sequence_some(&mut log, &random)).unwrap().len(), sequenced);
            let growth = block_on(resume(&mut log)).unwrap();
            assert_eq!(growth.size(), planted);
            assert_eq!(growth.root(), crate::fixture::root(&log.rows[..usize::try_from(planted).unwrap()]));
        }
        assert_eq!(log.rows.len(), 1_101);
    }

    #[test]
    fn a_stored_tree_that_is_none_is_refused() {
        let random = Counted::default();
        let mut log = Memory::default();
        block_on(append_all(&mut log, &[entry(), entry()])).unwrap();
        block_on(sequence_some(&mut log, &random)).unwrap();
        log.tiles.values_mut().for_each(|hashes| hashes.replace_range(..1, "Z"));
        assert!(matches!(block_on(sequence_some(&mut log, &random)), Err(StoreError::Inconsistent(_))));
    }
}
