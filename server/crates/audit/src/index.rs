//! What entries are found by beyond their columns: words, policies, address, session, run and its risk.
//!
//! The index is filled behind the log, never in the way of whoever writes. It is no part of what is signed.

use std::collections::BTreeSet;

use domain::{Operation, view::AuditEntryView};
use store::{
    Store, StoreError,
    audit::{AuditLog, AuditRow, AuditTerms, Mark, RunsOfEntries},
    search::{INPUT_LIMIT, collect, words},
};

use crate::{
    runs::{Risks, RunOfEntry},
    view,
};

/// Entries that are indexed in one unit of work.
const BATCH: u32 = 500;

/// Indexes what has its place in the log, in at most `units` units of work; how many entries are still to come.
///
/// # Errors
/// The store's.
pub async fn index(store: &dyn Store, units: usize) -> Result<i64, StoreError> {
    index_with(store, units, &[]).await
}

/// The same; `fresh` are entries that follow each other and need not be read.
pub(crate) async fn index_with(store: &dyn Store, units: usize, fresh: &[AuditRow]) -> Result<i64, StoreError> {
    let mut risks = Risks::default();
    for _ in 0..units {
        {
            let mut unit = store.snapshot().await?;
            if unit.audit_indexed().await? == unit.audit_size().await? {
                return Ok(0);
            }
        }
        let mut unit = store.begin().await?;
        index_some(unit.as_mut(), fresh, &mut risks).await?;
        unit.commit().await?;
    }
    let mut unit = store.snapshot().await?;
    Ok(unit.audit_size().await? - unit.audit_indexed().await?)
}

async fn index_some<L: AuditLog + RunsOfEntries + ?Sized>(
    log: &mut L,
    fresh: &[AuditRow],
    risks: &mut Risks,
) -> Result<(), StoreError> {
    let indexed = log.audit_indexed().await?;
    let next = fresh.iter().skip_while(|row| row.seq <= indexed).take(BATCH as usize);
    let next: Vec<_> = next.map(view).collect();
    let entries = if next.first().is_some_and(|entry| entry.seq == indexed + 1) {
        next
    } else {
        log.audit_from(indexed, BATCH).await?.iter().map(view).collect()
    };
    let terms = terms_of(log, entries, risks).await?;
    log.index_audit(indexed, &terms).await
}

/// What these entries are found by, as it was put into the index.
///
/// Taking an entry out of the index needs the words that were put in: who changes what is found here has the index made anew.
///
/// # Errors
/// The store's.
pub async fn terms<L: RunsOfEntries + ?Sized>(log: &mut L, rows: &[AuditRow]) -> Result<Vec<AuditTerms>, StoreError> {
    terms_of(log, rows.iter().map(view).collect(), &mut Risks::default()).await
}

async fn terms_of<L: RunsOfEntries + ?Sized>(
    log: &mut L,
    entries: Vec<AuditEntryView>,
    risks: &mut Risks,
) -> Result<Vec<AuditTerms>, StoreError> {
    let runs = risks.runs_of(log, &entries).await?;
    Ok(entries.into_iter().zip(runs).map(|(entry, run)| terms_with(entry, run)).collect())
}

/// What an entry is found by. An entry that was altered is found by what it says now.
fn terms_with(entry: AuditEntryView, run: Option<RunOfEntry>) -> AuditTerms {
    if entry.archived.is_some() {
        return AuditTerms { seq: entry.seq, ..AuditTerms::default() };
    }
    let mut text = [entry.actor.as_str(), &entry.action, &entry.resource_name, &entry.resource_id].join("\n");
    text.push('\n');
    // What somebody has searched for is in the entry of the reading, and would be found by the same search ever after.
    if entry.action != Operation::AuditRead.as_str() {
        collect(&entry.detail, &mut text);
    }
    text.truncate(text.floor_char_boundary(INPUT_LIMIT));
    let words: BTreeSet<_> = text.lines().filter(|line| !is_number_for_machines(line)).flat_map(words).collect();
    let mut marks: Vec<_> = entry.policies.into_iter().map(|policy| (Mark::Policy, policy)).collect();
    marks.extend(entry.address.map(|address| (Mark::Address, address)));
    marks.extend(entry.credential.map(|id| (Mark::Credential, id)));
    marks.extend(run.map(|of| (Mark::Run, of.run.to_string())));
    marks.extend(run.and_then(|of| of.risk).map(|risk| (Mark::Risk, risk.to_string())));
    marks.retain(|(_, text)| !text.contains('\0'));
    AuditTerms { seq: entry.seq, words: words.into_iter().collect(), marks }
}

/// Ids and digests, which nobody types in parts, and which would be most of the index.
fn is_number_for_machines(line: &str) -> bool {
    line.len() >= 32 && line.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use domain::{ApprovalId, Risk, RunId};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::{
        Entry, append_all,
        fixture::{Memory, entry, rows},
    };

    fn run(number: u128) -> RunId {
        RunId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn an_entry_is_found_by_what_it_says() {
        let [row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        let found = terms_with(view(&row), Some(RunOfEntry { run: run(5), risk: Some(Risk::High) }));
        assert_eq!(found.words, ["1042", "approval", "approve", "decide", "manager", "r", "김민준"]);
        let session = "00000000-0000-0000-0000-000000000008".to_owned();
        let expected = [
            (Mark::Policy, "asked-people-decide".to_owned()),
            (Mark::Address, "192.0.2.7".to_owned()),
            (Mark::Credential, session),
            (Mark::Run, run(5).to_string()),
            (Mark::Risk, "high".to_owned()),
        ];
        assert_eq!((found.seq, found.marks.as_slice()), (1, expected.as_slice()));
    }

    #[test]
    fn a_reading_is_not_found_by_what_was_searched_for() {
        let mut reading = entry();
        reading.action = "audit.read".to_owned();
        let [row] = <[_; 1]>::try_from(rows(&[reading])).unwrap();
        assert!(!terms_with(view(&row), None).words.contains(&"김민준".to_owned()));
    }

    #[test]
    fn what_cannot_be_read_is_found_by_its_columns() {
        let [mut row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        row.body.truncate(20);
        assert!(terms_with(view(&row), None).words.contains(&"manager".to_owned()));
    }

    /// An entry on this resource that says this.
    fn of(kind: &str, id: &str, detail: Value) -> Entry {
        let mut entry = entry();
        kind.clone_into(&mut entry.resource.kind);
        id.clone_into(&mut entry.resource.id);
        entry.detail = detail;
        entry
    }

    #[test]
    fn entries_belong_to_runs_which_have_the_risk_of_their_workflows() {
        let [launched, known, unknown, gone] = [run(1), run(2), run(3), run(4)];
        let approval = ApprovalId::from_uuid(Uuid::from_u128(9));
        let all = [
            of("run", &launched.to_string(), json!({"risk": "low"})),
            of("run", &known.to_string(), json!({"run": launched})),
            of("user", "7", json!({"run": known, "risk": "no risk"})),
            of("approval", &approval.to_string(), json!({"code": "forbidden"})),
            of("approval", &run(8).to_string(), json!({"risk": "high"})),
            of("run", &unknown.to_string(), json!({})),
            of("run", &gone.to_string(), json!({})),
            of("user", "7", json!({"run": 7, "risk": "high"})),
        ];
        let text = "document: {dsl: 1.0.3, namespace: it, name: a, version: 1.0.0, metadata: {rondo: {risk: high}}}";
        let mut log = Memory { rows: rows(&all), ..Memory::default() };
        log.approvals.insert(approval, known);
        log.versions.insert(known, ("it/a".parse().unwrap(), "1.0.0".to_owned()));
        log.versions.insert(unknown, ("it/a".parse().unwrap(), "2.0.0".to_owned()));
        log.texts.insert(("it/a".parse().unwrap(), "1.0.0".to_owned()), text.to_owned());
        block_on(index_some(&mut log, &[], &mut Risks::default())).unwrap();
        let marked = |terms: &AuditTerms, mark: Mark| {
            let found = terms.marks.iter().find(|(of, _)| *of == mark);
            found.map(|(_, text)| text.clone())
        };
        let found: Vec<_> = log.terms.iter().map(|it| (marked(it, Mark::Run), marked(it, Mark::Risk))).collect();
        let expected = [
            (Some(launched), Some("low")),
            (Some(known), Some("high")),
            (Some(known), Some("high")),
            (Some(known), Some("high")),
            (None, None),
            (Some(unknown), None),
            (Some(gone), None),
            (None, None),
        ];
        let expected = expected.map(|(run, risk)| (run.map(|run| run.to_string()), risk.map(str::to_owned)));
        assert_eq!(found, expected);
    }

    #[test]
    fn what_was_archived_is_not_found() {
        let [row] = <[_; 1]>::try_from(rows(&[entry()])).unwrap();
        let archived = AuditRow { body: String::new(), segment: Some("change.tar".to_owned()), ..row };
        assert_eq!(terms_with(view(&archived), None), AuditTerms { seq: 1, ..AuditTerms::default() });
    }

    #[test]
    fn each_entry_is_indexed_once() {
        let mut log = Memory { rows: rows(&vec![entry(); 1_100]), ..Memory::default() };
        // Those that are at hand are taken from there: the last ones once the others are indexed.
        let fresh = log.rows.split_off(1_020);
        for indexed in [500, 1_000, 1_020, 1_100, 1_100] {
            block_on(index_some(&mut log, &fresh, &mut Risks::default())).unwrap();
            assert_eq!(log.terms.len(), indexed);
        }
        block_on(append_all(&mut log, &[entry()])).unwrap();
        assert!(log.terms.iter().map(|terms| terms.seq).eq(1..=1_100));
    }
}
