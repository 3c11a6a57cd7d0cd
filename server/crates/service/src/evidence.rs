//! Evidence packs: what the log says on one matter, with what proves it, in one archive for somebody outside.
//!
//! Everything in a pack comes from the log up to one checkpoint, so the same pack can be made again, byte for byte. Only what
//! witnesses have cosigned of the checkpoint may be more the next time; it is in a file of its own.

mod paper;

use std::io;

use audit::csv;
use domain::{ErrorCode, Operation, Problem, view::AuditFilter};
use ledger::{
    canonical,
    evidence::{self, Manifest},
    portable, tree,
};
use policy::Resource;
use report::Language;
use serde_json::{Value, json};
use store::{
    StoreError, UnitOfWork,
    audit::{AuditCheckpoint, AuditRow},
};

use crate::{
    Caller, Service,
    audit_log::{searched, target},
    packing::Packing,
    people::field,
    problems::{OrProblem as _, internal, not_found},
    signed_log::{Prover, checkpoint_says},
    witnesses::cosignatures,
};

/// The most entries of a pack.
const MOST: u32 = 5_000;
/// Entries that are proved from tiles that are read at once.
const PROVED_AT_ONCE: usize = 250;
/// How a pack is checked, for whoever opens it.
const README: &str = include_str!("evidence/README.txt");

impl Service {
    /// A pack of the entries that `filter` lets through, oldest first, under the checkpoint over `size` entries, or over the log as it is
    /// now: a tar archive. Its report is in `language`.
    ///
    /// The team of an actor is no part of the log, so it cannot be filtered by.
    pub async fn audit_evidence(
        &self,
        caller: &Caller,
        mut filter: AuditFilter,
        size: Option<i64>,
        language: Language,
    ) -> Result<Vec<u8>, Problem> {
        let mut gate = self.look(caller, Operation::AuditExport).await?;
        gate.authorize(&Resource::system(), &target()).await?;
        if filter.team.is_some() {
            let why = "A pack holds what the log says, which is not who is a member of a team now.";
            return Err(invalid("/team", "absent", Value::Null, why));
        }
        let signed = match size {
            None => self.checkpoint().await.or_problem()?,
            Some(size) => {
                let mut unit = self.parts.store.snapshot().await.or_problem()?;
                let found = unit.audit_checkpoints(size, 1).await.or_problem()?.into_iter().next();
                let absent = || not_found().with_detail("the log was not signed at this size");
                found.filter(|signed| signed.size == size).ok_or_else(absent)?
            }
        };
        self.await_cosignatures(signed.size).await.or_problem()?;
        filter.last = Some(filter.last.map_or(signed.size, |last| last.min(signed.size)));
        let mut unit = self.searchable_log(&filter).await?;
        let mut places = unit.audit_places(&filter, None, MOST + 1).await.or_problem()?;
        if places.len() > MOST as usize {
            let why = "This is more than 5,000 entries: narrow the search, or export the whole log.";
            return Err(invalid("/last", "count", json!(MOST), why));
        }
        places.reverse();
        let evidence = json!({"filter": filter, "size": signed.size, "entries": places.len()});
        gate.note_reading(&target(), searched(json!({"evidence": evidence}), "/evidence/filter")).await?;
        pack(unit.as_mut(), &filter, &signed, &places, language).await
    }
}

async fn pack(
    unit: &mut dyn UnitOfWork,
    filter: &AuditFilter,
    signed: &AuditCheckpoint,
    places: &[i64],
    language: Language,
) -> Result<Vec<u8>, Problem> {
    let mut rows = unit.audit_at(places).await.or_problem()?;
    rows.reverse();
    let Proved { manifest, key, files: proved } = proved(unit, about(filter), &rows, signed).await.or_problem()?;
    let views: Vec<_> = rows.iter().map(audit::view).collect();
    let mut entries = csv::header();
    for entry in &views {
        entries.push_str(&csv::line(entry));
    }
    let paper = paper::print(&manifest, &views, &signed.note, &key, language)
        .map_err(|cause| internal("a report cannot be printed", &cause))?;
    let cosignatures = cosignatures(unit, signed).await.or_problem()?;
    let mut files = vec![("README.txt", README.to_owned()), ("entries.csv", entries)];
    files.extend(proved);
    let mut packing = Packing::begin(u64::try_from(signed.at.as_micros() / 1_000_000).unwrap_or_default());
    let packed = files.iter().try_for_each(|(name, content)| packing.add(name, content.as_bytes()));
    let packed = packed.and_then(|()| packing.add("report.pdf", &paper));
    // The last, and in a file of their own: witnesses may cosign later, and all before is the same again.
    let packed = packed.and_then(|()| match cosignatures.as_str() {
        "" => Ok(()),
        lines => packing.add(evidence::COSIGNATURES, lines.as_bytes()),
    });
    packed.and_then(|()| packing.end()).map_err(|cause: io::Error| internal("an archive cannot be written", &cause))
}

/// What is proved of entries, in files that prove it by themselves.
pub(crate) struct Proved {
    pub(crate) manifest: Manifest,
    /// The public key of the log.
    pub(crate) key: String,
    /// The files, with their names.
    pub(crate) files: Vec<(&'static str, String)>,
}

/// What is proved of these rows, which are in order.
pub(crate) async fn proved(
    unit: &mut dyn UnitOfWork,
    about: Value,
    rows: &[AuditRow],
    signed: &AuditCheckpoint,
) -> store::Result<Proved> {
    let mut prover = Prover::new(unit, signed).await?;
    let mut proofs = String::new();
    for rows in rows.chunks(PROVED_AT_ONCE) {
        for proof in prover.prove(unit, rows).await? {
            proofs.push_str(&text(&proof)?);
            proofs.push('\n');
        }
    }
    let Prover { key, introductions, .. } = prover;
    let said = checkpoint_says(signed)?;
    let manifest = Manifest {
        format: evidence::FORMAT.to_owned(),
        v: evidence::VERSION,
        about,
        log: said.origin,
        size: said.size,
        root: tree::text(&said.root),
        signed_at: signed.at,
        entries: rows.iter().filter_map(|row| u64::try_from(row.seq).ok()).collect(),
    };
    let mut files = vec![
        (evidence::MANIFEST, text(&manifest)? + "\n"),
        (evidence::PROOFS, proofs),
        ("checkpoint.txt", signed.note.clone()),
        ("key.txt", format!("{key}\n")),
    ];
    files.extend((!introductions.is_empty()).then(|| ("introductions.txt", introductions.join("\n"))));
    Ok(Proved { manifest, key, files })
}

/// The filter, without what it does not ask for.
fn about(filter: &AuditFilter) -> Value {
    let mut about = serde_json::to_value(filter).unwrap_or_default();
    if let Value::Object(members) = &mut about {
        members.retain(|_, value| !value.is_null());
    }
    about
}

/// A value in its canonical form, which is always the same.
fn text(value: &impl serde::Serialize) -> store::Result<String> {
    let value = serde_json::to_value(value).map_err(|_| unwritable())?;
    canonical(&portable(&value)).map_err(|_| unwritable())
}

fn unwritable() -> StoreError {
    StoreError::Inconsistent("audit_entries".to_owned())
}

fn invalid(pointer: &str, rule: &str, expected: Value, message: &str) -> Problem {
    Problem::new(ErrorCode::InvalidInput).with_errors(vec![field(pointer, rule, expected, message)])
}
