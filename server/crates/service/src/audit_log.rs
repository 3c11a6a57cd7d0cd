//! Reading and exporting the audit log. Both are entries of it.

use audit::{export, verify};
use domain::{
    Operation, Problem,
    view::{AuditEntryView, AuditFilter, Page, VerificationView},
};
use policy::Resource;
use serde_json::json;
use store::{Store, audit::AuditRow};
use tokio::sync::mpsc;

use crate::{
    Caller, Service, cursor,
    gate::Target,
    problems::{OrProblem as _, from_store, internal},
};

/// Rows read at once by an export.
const EXPORT_PAGE: u32 = 1_000;
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

fn target() -> Target {
    Target::new("audit", "log", "audit log")
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
            gate.note_reading(&target(), json!({"filter": filter})).await?;
            // What was just noted belongs to the page.
            gate.unit = self.parts.store.snapshot().await.or_problem()?;
        }
        let rows = gate.unit.list_audit(&filter, before, limit + 1).await.or_problem()?;
        let page = cursor::page(rows, limit, |row| row.seq);
        let mut items = Vec::with_capacity(page.items.len());
        for row in &page.items {
            items.push(self.entry_view(&mut gate, row).await?);
        }
        Ok(Page { items, next: page.next })
    }

    async fn entry_view(&self, gate: &mut crate::Gate<'_>, row: &AuditRow) -> Result<AuditEntryView, Problem> {
        let mut view = audit::view(row).map_err(|cause| internal("an audit entry cannot be read", &cause))?;
        if let Some(actor) = row.actor_id
            && let Some(user) = gate.unit.user(actor).await.or_problem()?
        {
            view.actor_name = user.name;
        }
        Ok(view)
    }

    /// Checks the whole log as it is stored, as `rondo audit verify` checks an export.
    pub async fn verify_audit(&self, caller: &Caller) -> Result<VerificationView, Problem> {
        let mut gate = self.look(caller, Operation::AuditRead).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        gate.note_reading(&target(), json!({"verified": true})).await?;
        gate.unit = self.parts.store.snapshot().await.or_problem()?;
        let mut checker = verify::Checker::default();
        let mut after = 0;
        loop {
            let rows = gate.unit.audit_from(after, EXPORT_PAGE).await.or_problem()?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for row in &rows {
                checker.row(row);
            }
        }
        let head = gate.unit.audit_head().await.or_problem()?;
        let verdict = checker.finish(Some((head.seq, &head.hash)));
        Ok(VerificationView {
            sound: verdict.fault.is_none(),
            entries: verdict.entries,
            fault: verdict.fault.map(|fault| fault.to_string()),
        })
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
        gate.note_reading(&target(), json!({"format": name, "filter": filter})).await?;
        let (pieces, export) = mpsc::channel(EXPORT_QUEUE);
        let store = std::sync::Arc::clone(&self.parts.store);
        tokio::spawn(async move {
            let written = match format {
                ExportFormat::JsonLines => export_lines(store.as_ref(), &pieces).await,
                ExportFormat::Csv => export_csv(store.as_ref(), &filter, &pieces).await,
            };
            if let Err(cause) = written {
                // An error only says that the reader has gone.
                let _ = pieces.send(Err(from_store(cause))).await;
            }
        });
        Ok(export)
    }
}

type Pieces = mpsc::Sender<Result<String, Problem>>;

/// Writes the whole log as JSON Lines.
pub(crate) async fn export_lines(store: &dyn Store, pieces: &Pieces) -> store::Result<()> {
    let mut unit = store.snapshot().await?;
    let head = unit.audit_head().await?;
    let mut piece = export::header();
    let mut after = 0;
    let mut count = 0_u64;
    loop {
        let rows = unit.audit_from(after, EXPORT_PAGE).await?;
        let rows: Vec<_> = rows.into_iter().take_while(|row| row.seq <= head.seq).collect();
        let Some(last) = rows.last() else { break };
        after = last.seq;
        for row in &rows {
            piece.push_str(&export::line(row));
            count += 1;
        }
        if pieces.send(Ok(std::mem::take(&mut piece))).await.is_err() {
            return Ok(());
        }
    }
    piece.push_str(&export::footer(count, &head));
    let _ = pieces.send(Ok(piece)).await;
    Ok(())
}

async fn export_csv(store: &dyn Store, filter: &AuditFilter, pieces: &Pieces) -> store::Result<()> {
    let mut unit = store.snapshot().await?;
    let mut piece = export::csv_header();
    let mut before = None;
    loop {
        let rows = unit.list_audit(filter, before, EXPORT_PAGE).await?;
        for row in &rows {
            piece.push_str(&export::csv_line(row));
        }
        let last = rows.last().map(|row| row.seq);
        if pieces.send(Ok(std::mem::take(&mut piece))).await.is_err() || last.is_none() {
            return Ok(());
        }
        before = last;
    }
}
