//! What entries are found by beyond their columns: words, policies, address, session.
//!
//! The index is filled behind the log, never in the way of whoever writes. It is no part of what is signed.

use std::collections::BTreeSet;

use domain::Operation;
use ledger::parse;
use serde_json::Value;
use store::{
    Store, StoreError,
    audit::{AuditLog, AuditRow, AuditTerms, Mark},
    search::{INPUT_LIMIT, collect, words},
};

use crate::view;

/// Entries that are indexed in one unit of work.
const BATCH: u32 = 500;

/// Indexes what has its place in the log, in at most `units` units of work; how many entries are still to come.
///
/// # Errors
/// The store's.
pub async fn index(store: &dyn Store, units: usize) -> Result<i64, StoreError> {
    for _ in 0..units {
        {
            let mut unit = store.snapshot().await?;
            if unit.audit_indexed().await? == unit.audit_size().await? {
                return Ok(0);
            }
        }
        let mut unit = store.begin().await?;
        index_some(unit.as_mut()).await?;
        unit.commit().await?;
    }
    let mut unit = store.snapshot().await?;
    Ok(unit.audit_size().await? - unit.audit_indexed().await?)
}

async fn index_some<L: AuditLog + ?Sized>(log: &mut L) -> Result<(), StoreError> {
    let indexed = log.audit_indexed().await?;
    let rows = log.audit_from(indexed, BATCH).await?;
    let terms: Vec<_> = rows.iter().map(terms).collect();
    log.index_audit(indexed, &terms).await
}

/// What an entry is found by. An entry that was altered is found by what it says now.
fn terms(row: &AuditRow) -> AuditTerms {
    if row.segment.is_some() {
        return AuditTerms { seq: row.seq, ..AuditTerms::default() };
    }
    let entry = view(row);
    let mut text = [entry.actor.as_str(), &entry.action, &entry.resource_name, &entry.resource_id].join("\n");
    text.push('\n');
    // What somebody has searched for is in the entry of the reading, and would be found by the same search ever after.
    if entry.action != Operation::AuditRead.as_str() {
        collect(&entry.detail, &mut text);
    }
    text.truncate(text.floor_char_boundary(INPUT_LIMIT));
    let words: BTreeSet<_> = text.lines().filter(|line| !is_number_for_machines(line)).flat_map(words).collect();
    let policies = entry.policies.into_iter().map(|policy| (Mark::Policy, policy));
    let address = entry.address.map(|address| (Mark::Address, address));
    let body = parse(row.body.as_bytes()).unwrap_or_default();
    let credentials = ["session", "token"].into_iter().filter_map(|name| body.get(name).and_then(Value::as_str));
    let credentials = credentials.map(|id| (Mark::Credential, id.to_owned()));
    AuditTerms {
        seq: row.seq,
        words: words.into_iter().collect(),
        marks: policies.chain(address).chain(credentials).filter(|(_, text)| !text.contains('\0')).collect(),
    }
}

/// Ids and digests, which nobody types in parts, and which would be most of the index.
fn is_number_for_machines(line: &str) -> bool {
    line.len() >= 32 && line.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::{
        append_all,
        fixture::{Memory, entry, rows},
    };

    #[test]
    fn an_entry_is_found_by_what_it_says() {
        let [row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        let found = terms(&row);
        assert_eq!(found.words, ["1042", "approval", "approve", "decide", "manager", "r", "김민준"]);
        let session = "00000000-0000-0000-0000-000000000008".to_owned();
        let expected = [
            (Mark::Policy, "asked-people-decide".to_owned()),
            (Mark::Address, "192.0.2.7".to_owned()),
            (Mark::Credential, session),
        ];
        assert_eq!((found.seq, found.marks.as_slice()), (1, expected.as_slice()));
    }

    #[test]
    fn a_reading_is_not_found_by_what_was_searched_for() {
        let mut reading = entry();
        reading.action = "audit.read".to_owned();
        let [row] = <[_; 1]>::try_from(rows(&[reading])).unwrap();
        assert!(!terms(&row).words.contains(&"김민준".to_owned()));
    }

    #[test]
    fn what_cannot_be_read_is_found_by_its_columns() {
        let [mut row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        row.body.truncate(20);
        assert!(terms(&row).words.contains(&"manager".to_owned()));
    }

    #[test]
    fn what_was_archived_is_not_found() {
        let [row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        let archived = AuditRow { body: String::new(), segment: Some("change.tar".to_owned()), ..row };
        assert_eq!(terms(&archived), AuditTerms { seq: 1, ..AuditTerms::default() });
    }

    #[test]
    fn each_entry_is_indexed_once() {
        let mut log = Memory { rows: rows(&vec![entry(); 1_100]), ..Memory::default() };
        for indexed in [500, 1_000, 1_100, 1_100] {
            block_on(index_some(&mut log)).unwrap();
            assert_eq!(log.terms.len(), indexed);
        }
        block_on(append_all(&mut log, &[entry()])).unwrap();
        assert!(log.terms.iter().map(|terms| terms.seq).eq(1..=1_100));
    }
}
