//! What names people in archived entries. It stands in a file beside each segment: the segment stays as it is, byte for byte, when
//! somebody is erased.

use std::{collections::BTreeMap, sync::Arc};

use ledger::evidence::{Names, names_beside, verify_names};
use store::audit::AuditRow;

use super::{
    archiving::{Failure, on_its_own},
    segment::read_pack,
};
use crate::Service;

/// What names people in these rows, a line for each that has something.
pub(super) fn names_of(rows: &[AuditRow]) -> Result<String, Failure> {
    let unreadable = || store::StoreError::Inconsistent("audit_entries".to_owned());
    let mut lines = String::new();
    for row in rows {
        let Some(beside) = &row.personal else { continue };
        let personal = ledger::personal::read(beside).map_err(|_| unreadable())?;
        let names = Names { seq: u64::try_from(row.seq).map_err(|_| unreadable())?, personal };
        lines.push_str(&serde_json::to_string(&names).map_err(|_| unreadable())?);
        lines.push('\n');
    }
    Ok(lines)
}

impl Service {
    /// The entries of a segment that something stands beside.
    pub(crate) async fn named_in(&self, segment: &str) -> Result<Vec<AuditRow>, Failure> {
        let of = names_beside(segment);
        let Some(names) = self.read_archived(&of).await? else { return Ok(Vec::new()) };
        let absent = || Failure::Unsound(segment.to_owned(), "it is not there".to_owned());
        let archive = self.read_archived(segment).await?.ok_or_else(absent)?;
        let unsound = |why: String| Failure::Unsound(of.clone(), why);
        let pack = read_pack(archive.as_slice()).map_err(|cause| unsound(cause.to_string()))?;
        let names = String::from_utf8(names).map_err(|cause| unsound(cause.to_string()))?;
        let names = verify_names(&pack.proofs, &names).map_err(|cause| unsound(cause.to_string()))?;
        let mut names: BTreeMap<_, _> = names.into_iter().map(|one| (one.seq, one.personal)).collect();
        let rows = pack.proofs.lines().filter_map(|line| {
            let proof = ledger::parse(line.as_bytes()).ok()?;
            let body = proof.get("body")?;
            audit::row_of(body, &names.remove(&body.get("seq")?.as_u64()?)?)
        });
        Ok(rows.collect())
    }

    /// Has what names people in these rows, and nothing else, stand beside the segment that has them.
    pub(crate) async fn name_beside(&self, segment: &str, rows: &[AuditRow]) -> Result<(), Failure> {
        let (of, lines) = (names_beside(segment), names_of(rows)?);
        let (archive, name) = (Arc::clone(&self.parts.archive), of.clone());
        on_its_own(move || archive.write(&name, lines.as_bytes())).await.map_err(|cause| Failure::Writing(of, cause))
    }
}
