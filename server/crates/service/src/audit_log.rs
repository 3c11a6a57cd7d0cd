//! Reading and exporting the audit log. Both are entries of it.

use std::collections::VecDeque;

use audit::{Detail, Stored, csv};
use domain::{
    ErrorCode, Operation, Problem,
    view::{AuditEntryView, AuditFilter, Page, VerificationView},
};
use ledger::{checkpoint::PublicKey, export, tree};
use policy::Resource;
use serde_json::{Value, json};
use store::{
    Store, StoreError, UnitOfWork,
    audit::{AuditCheckpoint, AuditRow},
};
use tokio::sync::mpsc;

use crate::{
    Caller, Service, cursor,
    gate::Target,
    problems::{OrProblem as _, from_store},
    signed_log::{self, check_stored},
    views::People,
    witnesses::cosign,
};

/// Rows read at once by an export.
const EXPORT_PAGE: u32 = 1_000;
/// Units of work in which entries are indexed while somebody waits who searches.
const INDEXED_AT_ONCE: usize = 40;
/// Bytes that go to the reader at once, about.
const EXPORT_PIECE: usize = 64 << 10;
/// Pieces of an export that wait for a slow reader.
const EXPORT_QUEUE: usize = 4;

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// One JSON object a line, whole and verifiable: never filtered.
    JsonLines,
    /// Comma-separated values of what the filter lets through, for spreadsheets; not verifiable.
    Csv,
}

/// An export under way: pieces of text in order. An error ends it in the middle, which the reader notices because the
/// last line is missing.
pub type AuditExport = mpsc::Receiver<Result<String, Problem>>;

pub(crate) fn target() -> Target {
    Target::new("audit", "log", "audit log")
}

/// What a verification is of. By this name the last one is found.
pub(crate) fn verified() -> Target {
    Target::new("audit", "verification", "audit log")
}

/// What the entry of a verification says.
pub(crate) fn verdict_detail(verdict: &VerificationView) -> Value {
    json!({"verified": true, "sound": verdict.sound, "entries": verdict.entries, "fault": verdict.fault})
}

/// Says that entries wait to be indexed.
pub(crate) fn not_indexed(left: i64) -> Problem {
    let why = format!(
        "the log cannot be searched for words, policies, addresses, sessions, runs, risks and controls yet: {left} entries \
         are still being indexed; try again in a minute"
    );
    Problem::new(ErrorCode::Unavailable).with_detail(why)
}

/// What somebody has searched for can name people, nobody knows whom.
pub(crate) fn searched(detail: Value, filter: &str) -> Detail {
    let members = ["actor", "address", "resource", "text"];
    members.into_iter().fold(detail.into(), |detail: Detail, member| detail.naming(format!("{filter}/{member}"), None))
}

impl Service {
    /// Entries of the log, newest first.
    pub async fn audit(
        &self,
        caller: &Caller,
        filter: AuditFilter,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page<AuditEntryView>, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        let limit = cursor::limit(limit);
        let before = cursor::decode(cursor)?;
        // Turning the page is the same reading.
        if before.is_none() {
            gate.note_reading(&target(), searched(json!({"filter": filter}), "/filter")).await?;
            // What was just noted belongs to the page.
            gate.unit = self.searchable_log(&filter).await?;
        }
        let rows = gate.unit.list_audit(&filter, before, limit + 1).await.or_problem()?;
        let page = cursor::page(rows, limit, |row| row.seq);
        let mut items = Vec::with_capacity(page.items.len());
        let people =
            People::load(gate.unit.as_mut(), page.items.iter().filter_map(|row| row.actor_id)).await.or_problem()?;
        for row in &page.items {
            items.push(entry_view(row, &people));
        }
        add_hashes(gate.unit.as_mut(), &mut items).await.or_problem()?;
        Ok(Page { items, next: page.next })
    }

    /// Checks the whole log as it is stored, as `rondo audit verify` checks an export.
    pub async fn verify_audit(&self, caller: &Caller) -> Result<VerificationView, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        gate.unit = self.sequenced_log().await.or_problem()?;
        let verdict = self.verdict(gate.unit.as_mut()).await.or_problem()?;
        gate.note_reading(&verified(), verdict_detail(&verdict)).await?;
        Ok(verdict)
    }

    /// Exports the log. The text comes in pieces, so that a large log needs little memory.
    pub async fn audit_export(
        &self,
        caller: &Caller,
        filter: AuditFilter,
        format: ExportFormat,
    ) -> Result<AuditExport, Problem> {
        let mut gate = self.look(caller, Operation::AuditExport).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        let name = match format {
            ExportFormat::JsonLines => "json-lines",
            ExportFormat::Csv => "csv",
        };
        gate.note_reading(&target(), searched(json!({"format": name, "filter": filter}), "/filter")).await?;
        let signed = self.checkpoint().await.or_problem()?;
        if format == ExportFormat::JsonLines {
            self.await_cosignatures(signed.size).await.or_problem()?;
        }
        if format == ExportFormat::Csv {
            drop(self.searchable_log(&filter).await?);
        }
        let (pieces, export) = mpsc::channel(EXPORT_QUEUE);
        let store = std::sync::Arc::clone(&self.parts.store);
        tokio::spawn(async move {
            let written = match format {
                ExportFormat::JsonLines => export_lines(store.as_ref(), &signed, &pieces).await,
                ExportFormat::Csv => export_csv(store.as_ref(), &filter, &pieces).await,
            };
            if let Err(cause) = written {
                // An error only says that the reader has gone.
                let _ = pieces.send(Err(from_store(cause))).await;
            }
        });
        Ok(export)
    }

    /// What is wrong with the stored log, if anything is.
    pub(crate) async fn verdict(&self, unit: &mut dyn UnitOfWork) -> store::Result<VerificationView> {
        // Whether it can be read is said where it is written.
        let anchored = self.anchored().await.unwrap_or_default();
        let mut rows = Stored::default();
        let fault = check_stored(unit, anchored.as_deref(), &mut rows).await?;
        let entries = u64::try_from(unit.audit_size().await?).unwrap_or_default();
        Ok(VerificationView { sound: fault.is_none(), entries, archived: rows.archived(), fault })
    }

    /// The same, in which `filter` finds everything.
    pub(crate) async fn searchable_log(&self, filter: &AuditFilter) -> Result<Box<dyn UnitOfWork>, Problem> {
        let store = self.parts.store.as_ref();
        self.sequence().await.or_problem()?;
        if filter.needs_index() {
            let left = match audit::index(store, INDEXED_AT_ONCE).await {
                // Another node was quicker, and is at it.
                Err(StoreError::Conflict) => audit::index(store, 0).await,
                other => other,
            };
            let left = left.or_problem()?;
            if left > 0 {
                return Err(not_indexed(left));
            }
        }
        if filter.control.is_some() {
            self.searchable_by_controls().await?;
        }
        store.snapshot().await.or_problem()
    }

    /// A view of the log with all that is durable now.
    async fn sequenced_log(&self) -> store::Result<Box<dyn UnitOfWork>> {
        self.sequence().await?;
        self.parts.store.snapshot().await
    }
}

pub(crate) fn entry_view(row: &AuditRow, people: &People) -> AuditEntryView {
    let mut view = audit::view(row);
    if let Some(actor) = row.actor_id {
        view.actor_name = people.get(actor).name;
    }
    view
}

/// The hashes of entries that were archived are in the tree alone.
async fn add_hashes(unit: &mut dyn UnitOfWork, entries: &mut [AuditEntryView]) -> store::Result<()> {
    let archived = || entries.iter().filter(|entry| entry.archived.is_some()).map(|entry| entry.seq);
    let hashes = audit::leaves(unit, archived().collect::<Vec<_>>()).await?;
    for entry in entries {
        if let Some(hash) = hashes.get(&entry.seq) {
            entry.hash = tree::text(hash);
        }
    }
    Ok(())
}

type Pieces = mpsc::Sender<Result<String, Problem>>;

/// Writes the whole log as it was signed as JSON Lines.
pub(crate) async fn export_lines(store: &dyn Store, signed: &AuditCheckpoint, pieces: &Pieces) -> store::Result<()> {
    let mut unit = store.snapshot().await?;
    let (key, introductions) = signed_log::keys(unit.as_mut()).await?;
    let key = PublicKey::parse(&key).map_err(|_| StoreError::Inconsistent("audit_keys".to_owned()))?;
    let mut piece = export::header(&key);
    for note in &introductions {
        piece.push_str(&export::introduction(note));
    }
    let (mut after, mut count) = (0, 0_u64);
    let notes = unit.audit_checkpoints(0, EXPORT_PAGE).await?;
    let mut notes = VecDeque::from(cosign(unit.as_mut(), notes).await?);
    loop {
        while let Some(note) = notes.pop_front_if(|note| note.size <= after) {
            piece.push_str(&export::checkpoint(&note.note));
            count += 1;
            if notes.is_empty() {
                let more = unit.audit_checkpoints(note.size + 1, EXPORT_PAGE).await?;
                notes = cosign(unit.as_mut(), more).await?.into();
            }
        }
        // Up to the next checkpoint.
        let next = notes.front().map_or(signed.size, |note| note.size).min(signed.size);
        let most = u32::try_from(next - after).map_or(EXPORT_PAGE, |rows| rows.min(EXPORT_PAGE));
        let rows = if most == 0 { Vec::new() } else { unit.audit_from(after, most).await? };
        let Some(last) = rows.last() else { break };
        after = last.seq;
        let archived = rows.iter().filter(|row| row.segment.is_some()).map(|row| row.seq);
        let hashes = audit::leaves(unit.as_mut(), archived.collect::<Vec<_>>()).await?;
        for row in &rows {
            match (&row.segment, hashes.get(&row.seq)) {
                (Some(segment), Some(hash)) => piece.push_str(&export::archived(row.seq, segment, hash)),
                _ => piece.push_str(&export::line(&row.body, row.personal.as_deref())),
            }
        }
        if piece.len() >= EXPORT_PIECE && pieces.send(Ok(std::mem::take(&mut piece))).await.is_err() {
            return Ok(());
        }
    }
    let said = signed_log::checkpoint_says(signed)?;
    piece.push_str(&export::footer(said.size, count, &said.root));
    let _ = pieces.send(Ok(piece)).await;
    Ok(())
}

async fn export_csv(store: &dyn Store, filter: &AuditFilter, pieces: &Pieces) -> store::Result<()> {
    let mut unit = store.snapshot().await?;
    let mut piece = csv::header();
    let mut before = None;
    loop {
        let rows = unit.list_audit(filter, before, EXPORT_PAGE).await?;
        let people = People::load(unit.as_mut(), rows.iter().filter_map(|row| row.actor_id)).await?;
        let mut entries: Vec<_> = rows.iter().map(|row| entry_view(row, &people)).collect();
        add_hashes(unit.as_mut(), &mut entries).await?;
        for entry in &entries {
            piece.push_str(&csv::line(entry));
        }
        let last = rows.last().map(|row| row.seq);
        if pieces.send(Ok(std::mem::take(&mut piece))).await.is_err() || last.is_none() {
            return Ok(());
        }
        before = last;
    }
}
