//! What people are told of the witnesses of the audit log, and what they get of what those have cosigned.

use std::time::Duration;

use domain::{
    ErrorCode,
    view::{AuditFilter, AuditWitnessView},
};
use ledger::cosignature::Cosigner;
use service::ReportLanguage;
use store::{audit::AuditCheckpoint, witnesses::Cosignature};

use crate::office::Office;

/// What ends an archive.
const END: usize = 1_024;

async fn auditors(office: &Office) -> AuditWitnessView {
    let auditor = office.caller("auditor").await;
    let mut page = office.service.audit_witnesses(&auditor).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
    page.items.remove(0)
}

async fn signed(office: &Office) -> AuditCheckpoint {
    office.service.sign_audit().await;
    office.store.snapshot().await.unwrap().last_audit_checkpoint().await.unwrap().unwrap()
}

#[tokio::test]
async fn whoever_may_read_the_log_sees_how_far_its_witnesses_are() {
    let office = Office::open().await;
    let staff = office.caller("staff").await;
    assert_eq!(office.service.audit_witnesses(&staff).await.unwrap_err().code, ErrorCode::Forbidden);
    let last = signed(&office).await;
    let unmet = auditors(&office).await;
    assert_eq!((unmet.size, i64::try_from(unmet.lag).unwrap()), (None, last.size));
    assert_eq!((unmet.refused_at, unmet.failing_since), (None, None));
    assert_eq!(unmet.address, "https://witness.example.test");

    let (now, later) = (office.now(), office.now() + Duration::from_mins(1));
    let mut unit = office.store.begin().await.unwrap();
    unit.insert_witness("auditors").await.unwrap();
    unit.insert_witness("of-another-configuration").await.unwrap();
    unit.take_witness("auditors", "node", now, later).await.unwrap();
    assert!(unit.note_cosigning("auditors", "node", last.size, now, later).await.unwrap());
    unit.commit().await.unwrap();
    let whole = auditors(&office).await;
    assert_eq!((whole.size.map(u64::cast_signed), whole.lag, whole.lag_seconds), (Some(last.size), 0, 0));
    assert_eq!(whole.succeeded_at, Some(now));

    let mut unit = office.store.begin().await.unwrap();
    assert!(unit.note_cosigning_failure("auditors", "node", "put back", true, now).await.unwrap());
    unit.commit().await.unwrap();
    let refusing = auditors(&office).await;
    assert_eq!((refusing.refused_at, refusing.failing_since), (Some(now), Some(now)));
    assert_eq!(refusing.failure.as_deref(), Some("put back"));
    office.stop().await;
}

#[tokio::test]
async fn what_is_taken_out_has_what_was_cosigned() {
    let office = Office::open().await;
    let auditor = office.caller("auditor").await;
    let last = signed(&office).await;
    let about = || AuditFilter { last: Some(3), ..AuditFilter::default() };
    let pack = || office.service.audit_evidence(&auditor, about(), Some(last.size), ReportLanguage::English);
    let before = pack().await.unwrap();

    let witness = Cosigner::from_seed("witness.example/w1", &[1; 32]).unwrap();
    let line = witness.cosign(&last.note, 1_679_315_147).unwrap();
    let cosignature = Cosignature { size: last.size, witness: witness.public().to_string(), line: line.clone() };
    let mut unit = office.store.begin().await.unwrap();
    unit.insert_cosignature(&cosignature).await.unwrap();
    unit.commit().await.unwrap();

    let proof = office.service.audit_proof(&auditor, 1).await.unwrap();
    assert_eq!(proof.checkpoint, format!("{}{line}", last.note));
    let after = pack().await.unwrap();
    assert_eq!(after[..before.len() - END], before[..before.len() - END], "all but the last file is the same");
    assert!(String::from_utf8_lossy(&after[before.len() - END..]).contains(&line));
    assert!(pack().await.unwrap() == after);
    let mut pieces = office.service.console_export_audit().await.unwrap();
    let mut export = String::new();
    while let Some(piece) = pieces.recv().await {
        export.push_str(&piece.unwrap());
    }
    let verdict = ledger::verify::verify(export.as_bytes(), &ledger::verify::Outside::default()).unwrap();
    assert_eq!(verdict.fault, None);
    assert!(export.contains(line.trim_end()), "{export}");
    // What was signed stays as it was.
    let stored = office.store.snapshot().await.unwrap().audit_checkpoints(last.size, 1).await.unwrap();
    assert_eq!(stored, [last]);
    office.stop().await;
}

/// Whoever takes a checkpoint along waits for a witness that is at work, and only for a moment for one that says nothing.
#[tokio::test]
async fn a_witness_that_says_nothing_holds_nobody_up() {
    let office = Office::open().await;
    let auditor = office.caller("auditor").await;
    signed(&office).await;
    let mut unit = office.store.begin().await.unwrap();
    unit.insert_witness("auditors").await.unwrap();
    unit.commit().await.unwrap();
    let taken = tokio::time::timeout(Duration::from_secs(30), office.service.audit_checkpoint(&auditor)).await;
    let note = taken.unwrap().unwrap().checkpoint;
    assert_eq!(note.matches('\u{2014}').count(), 1, "{note}");
    office.stop().await;
}
