//! What people are told of the systems that the audit log is sent to.

use std::time::Duration;

use domain::{ErrorCode, view::AuditReceiverView};
use store::receivers::Reached;

use crate::office::Office;

async fn siem(office: &Office) -> AuditReceiverView {
    let auditor = office.caller("auditor").await;
    let mut page = office.service.audit_receivers(&auditor).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
    page.items.remove(0)
}

#[tokio::test]
async fn whoever_may_read_the_log_sees_how_far_its_copies_are() {
    let office = Office::open().await;
    let staff = office.caller("staff").await;
    assert_eq!(office.service.audit_receivers(&staff).await.unwrap_err().code, ErrorCode::Forbidden);
    office.service.sign_audit().await;

    let unmet = siem(&office).await;
    assert!(unmet.lag > 0 && unmet.entries == Some(0) && unmet.checkpoint.is_none(), "{unmet:?}");
    assert_eq!((unmet.succeeded_at, unmet.failing_since), (None, None));
    assert_eq!(unmet.address, "tls://siem.example.test:6514");
    let size = i64::try_from(unmet.lag).unwrap();

    let (now, later) = (office.now(), office.now() + Duration::from_mins(1));
    let mut unit = office.store.begin().await.unwrap();
    unit.insert_receiver("siem", Reached::default()).await.unwrap();
    unit.insert_receiver("of-another-configuration", Reached::default()).await.unwrap();
    unit.take_receiver("siem", "node", now, later).await.unwrap();
    let reached = Reached { entries: size - 2, checkpoint: Some(1) };
    assert!(unit.note_delivery("siem", "node", reached, now, later).await.unwrap());
    assert!(unit.note_delivery_failure("siem", "node", "no answer", now).await.unwrap());
    unit.commit().await.unwrap();
    let failing = siem(&office).await;
    assert_eq!((failing.lag, failing.checkpoint), (2, Some(1)), "looking at it is no entry: {failing:?}");
    assert_eq!((failing.failing_since, failing.failure.as_deref()), (Some(now), Some("no answer")));
    assert_eq!(failing.succeeded_at, Some(now));

    let mut unit = office.store.begin().await.unwrap();
    unit.take_receiver("siem", "node", now, later).await.unwrap();
    let whole = Reached { entries: size, checkpoint: Some(size) };
    assert!(unit.note_delivery("siem", "node", whole, now, later).await.unwrap());
    unit.commit().await.unwrap();
    let whole = siem(&office).await;
    assert_eq!((whole.lag, whole.lag_seconds, whole.failing_since), (0, 0, None));
    office.stop().await;
}
