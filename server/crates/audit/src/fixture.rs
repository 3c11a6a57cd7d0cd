use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU8, Ordering},
};

use async_trait::async_trait;
use domain::{ApprovalId, RunId, SessionId, UserId, WorkflowRef, view::AuditFilter};
use identity::random::Random;
use ledger::tree::{self, Edge, Hash};
use serde_json::json;
use store::{
    StoreError,
    audit::{AuditLog, AuditRow, AuditTerms, AuditTile, QueuedEntry, RunsOfEntries},
};
use uuid::Uuid;

use crate::{Actor, Door, Entry, Named, Outcome, ResourceRef, seal};

/// Keys that are counted.
#[derive(Default)]
pub(crate) struct Counted(AtomicU8);

impl Random for Counted {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

pub(crate) fn entry() -> Entry {
    let id = Uuid::from_u128;
    Entry {
        at: "2026-11-22T15:04:05.123456Z".parse().unwrap(),
        actor: Actor::person(UserId::from_uuid(id(7)), "manager"),
        door: Door::Portal,
        session: Some(SessionId::from_uuid(id(8))),
        token: None,
        address: Some("192.0.2.7".to_owned()),
        trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
        action: "approval.decide".to_owned(),
        resource: ResourceRef {
            kind: "approval".to_owned(),
            id: id(9).to_string(),
            name: "R-1042".to_owned(),
            persons: Vec::new(),
        },
        namespace: Some("identity".parse().unwrap()),
        outcome: Outcome::Done,
        policies: vec!["asked-people-decide".to_owned()],
        policy_set: None,
        detail: json!({"name": "김민준", "decision": "approve"}),
        named: vec![Named { pointer: "/name".to_owned(), persons: Vec::new() }],
    }
}

/// The entries as they would be stored in an empty log.
pub(crate) fn rows(entries: &[Entry]) -> Vec<AuditRow> {
    let random = Counted::default();
    (1..).zip(entries).map(|(place, entry)| seal(place, entry, &random).unwrap()).collect()
}

/// The root of the tree over rows.
pub(crate) fn root(rows: &[AuditRow]) -> Hash {
    let mut edge = Edge::default();
    for row in rows {
        edge.push(tree::leaf(row.body.as_bytes()));
    }
    edge.root()
}

/// A log in memory.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) rows: Vec<AuditRow>,
    pub(crate) queue: Vec<QueuedEntry>,
    pub(crate) tiles: BTreeMap<(i64, i64), String>,
    pub(crate) terms: Vec<AuditTerms>,
    pub(crate) approvals: BTreeMap<ApprovalId, RunId>,
    pub(crate) versions: BTreeMap<RunId, (WorkflowRef, String)>,
    pub(crate) texts: BTreeMap<(WorkflowRef, String), String>,
}

#[async_trait]
impl AuditLog for Memory {
    async fn audit_size(&mut self) -> store::Result<i64> {
        Ok(self.rows.last().map_or(0, |row| row.seq))
    }

    async fn append_audit(&mut self, before: i64, rows: &[AuditRow]) -> store::Result<()> {
        if before != self.audit_size().await? {
            return Err(StoreError::Conflict);
        }
        self.rows.extend_from_slice(rows);
        Ok(())
    }

    async fn queue_audit(&mut self, entries: &[QueuedEntry]) -> store::Result<()> {
        self.queue.extend_from_slice(entries);
        Ok(())
    }

    async fn queued_audit(&mut self, limit: u32) -> store::Result<Vec<(i64, QueuedEntry)>> {
        Ok((1..).zip(self.queue.iter().take(limit as usize).cloned()).collect())
    }

    async fn take_queued_audit(&mut self, numbers: &[i64]) -> store::Result<()> {
        self.queue.drain(..numbers.len());
        Ok(())
    }

    async fn is_audit_queue_empty(&mut self) -> store::Result<bool> {
        Ok(self.queue.is_empty())
    }

    async fn audit_indexed(&mut self) -> store::Result<i64> {
        Ok(self.terms.last().map_or(0, |terms| terms.seq))
    }

    async fn index_audit(&mut self, before: i64, terms: &[AuditTerms]) -> store::Result<()> {
        if before != self.audit_indexed().await? {
            return Err(StoreError::Conflict);
        }
        self.terms.extend_from_slice(terms);
        Ok(())
    }

    async fn erase_audit(&mut self, rows: &[AuditRow]) -> store::Result<()> {
        for row in rows {
            self.rows.iter_mut().filter(|stored| stored.seq == row.seq).for_each(|stored| *stored = row.clone());
        }
        Ok(())
    }

    async fn reindex_audit(&mut self, before: &[AuditTerms], after: &[AuditTerms]) -> store::Result<()> {
        self.terms.retain(|terms| !before.contains(terms));
        self.terms.extend_from_slice(after);
        self.terms.sort_by_key(|terms| terms.seq);
        Ok(())
    }

    async fn audit_places(&mut self, filter: &AuditFilter, before: Option<i64>, limit: u32) -> store::Result<Vec<i64>> {
        Ok(self.list_audit(filter, before, limit).await?.iter().map(|row| row.seq).collect())
    }

    async fn audit_at(&mut self, places: &[i64]) -> store::Result<Vec<AuditRow>> {
        Ok(self.rows.iter().rev().filter(|row| places.contains(&row.seq)).cloned().collect())
    }

    async fn list_audit(&mut self, _: &AuditFilter, before: Option<i64>, limit: u32) -> store::Result<Vec<AuditRow>> {
        let below = |row: &&AuditRow| before.is_none_or(|before| row.seq < before);
        Ok(self.rows.iter().rev().filter(below).take(limit as usize).cloned().collect())
    }

    async fn audit_from(&mut self, after: i64, limit: u32) -> store::Result<Vec<AuditRow>> {
        Ok(self.rows.iter().filter(|row| row.seq > after).take(limit as usize).cloned().collect())
    }

    async fn audit_entry(&mut self, seq: i64) -> store::Result<Option<AuditRow>> {
        Ok(self.rows.iter().find(|row| row.seq == seq).cloned())
    }

    async fn audit_tree_size(&mut self) -> store::Result<i64> {
        let last = self.tiles.iter().rfind(|((level, _), _)| *level == 0);
        Ok(last.map_or(0, |((_, place), hashes)| place * 256 + i64::try_from(hashes.len() / 64).unwrap()))
    }

    async fn audit_tiles(&mut self, at: &[(i64, i64)]) -> store::Result<Vec<AuditTile>> {
        let tile = |(level, place): &(i64, i64)| {
            let hashes = self.tiles.get(&(*level, *place))?.clone();
            Some(AuditTile { level: *level, place: *place, hashes })
        };
        Ok(at.iter().filter_map(tile).collect())
    }

    async fn put_audit_tiles(&mut self, tiles: &[AuditTile]) -> store::Result<()> {
        self.tiles.extend(tiles.iter().map(|tile| ((tile.level, tile.place), tile.hashes.clone())));
        Ok(())
    }
}

#[async_trait]
impl RunsOfEntries for Memory {
    async fn runs_of_approvals(&mut self, approvals: &[ApprovalId]) -> store::Result<Vec<(ApprovalId, RunId)>> {
        Ok(approvals.iter().filter_map(|id| Some((*id, *self.approvals.get(id)?))).collect())
    }

    async fn versions_of_runs(&mut self, runs: &[RunId]) -> store::Result<Vec<(RunId, WorkflowRef, String)>> {
        let version = |run: &RunId| self.versions.get(run).map(|(workflow, of)| (*run, workflow.clone(), of.clone()));
        Ok(runs.iter().filter_map(version).collect())
    }

    async fn text_of_version(&mut self, workflow: &WorkflowRef, version: &str) -> store::Result<Option<String>> {
        Ok(self.texts.get(&(workflow.clone(), version.to_owned())).cloned())
    }
}
