use domain::{ErrorCode, RunStatus};
use serde_json::json;
use service::Publication;

use crate::office::Office;

const WAIT_FOR_DELIVERY: &str = "
document: {dsl: 1.0.3, namespace: identity, name: wait-for-delivery, version: 1.0.0, title: Wait for a delivery}
do:
  - hear: {listen: {to: {one: {with: {type: com.example.delivered}}}}}
";

#[tokio::test]
async fn an_event_from_outside_wakes_the_run_that_listens_and_its_data_stay_out_of_the_audit_log() {
    let office = Office::open().await;
    office.service.load_shipped([("wait-for-delivery.yaml", WAIT_FOR_DELIVERY)]).await.unwrap();
    let staff = office.caller("staff").await;
    let operator = office.caller("operator").await;
    let workflow = "identity/wait-for-delivery".parse().unwrap();
    let run = office.service.launch(&staff, &workflow, None, json!({})).await.unwrap();
    office.status(run.id, RunStatus::Waiting).await;
    let before = office.audit_end().await;
    let event = json!({
        "specversion": "1.0", "id": "parcel-7", "source": "/shop", "type": "com.example.delivered",
        "data": {"what": "a very secret laptop"},
    });
    let batch = Publication::Batch(vec![event.clone(), event]);
    let published = office.service.publish_events(&operator, batch).await.unwrap();
    assert_eq!((published.accepted, published.duplicates), (1, 1));
    let ended = office.ended(run.id).await;
    assert_eq!(ended.summary.status, RunStatus::Completed);
    assert_eq!(ended.output, Some(json!([{"what": "a very secret laptop"}])));
    let entries = office.audit_after(before).await;
    let entry = entries.iter().find(|entry| entry.action == "event.publish").unwrap();
    assert_eq!((entry.actor.as_str(), entry.outcome.as_str()), ("operator", "done"));
    assert!(entry.body.contains("parcel-7") && entry.body.contains("com.example.delivered"), "{}", entry.body);
    assert!(!entry.body.contains("laptop"), "{}", entry.body);
}

#[tokio::test]
async fn one_event_that_is_not_valid_keeps_all_of_a_batch_back() {
    let office = Office::open().await;
    let operator = office.caller("operator").await;
    let good = json!({"specversion": "1.0", "id": "1", "source": "/shop", "type": "t"});
    let batch = Publication::Batch(vec![good.clone(), json!({"specversion": "1.0", "id": "2", "type": "t"})]);
    let problem = office.service.publish_events(&operator, batch).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::InvalidInput);
    assert_eq!(problem.errors.iter().map(|error| error.pointer.as_str()).collect::<Vec<_>>(), ["/1/source"]);
    let published = office.service.publish_events(&operator, Publication::One(good)).await.unwrap();
    assert_eq!(published.accepted, 1, "nothing of the batch was published");
}
