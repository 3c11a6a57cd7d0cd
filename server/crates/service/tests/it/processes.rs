use domain::ErrorCode;
use serde_json::json;

use crate::office::Office;

const LIST: &str = "
document: {dsl: 1.0.3, namespace: identity, name: list, version: 1.0.0, title: List}
do:
  - list: {run: {shell: {command: ls}}}
";

#[tokio::test]
async fn a_workflow_that_runs_processes_is_launched_only_where_an_administrator_permits_it() {
    let office = Office::open().await;
    let service = &office.service;
    service.load_shipped([("list.yaml", LIST)]).await.unwrap();
    let (staff, admin) = (office.caller("staff").await, office.caller("admin").await);
    let workflow = "identity/list".parse().unwrap();
    let identity: domain::Name = "identity".parse().unwrap();
    assert!(service.process_permissions(&admin).await.unwrap().is_empty(), "the demonstration permits nothing");
    let before = office.audit_end().await;
    let refused = service.launch(&staff, &workflow, None, json!({})).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ProcessesNotPermitted);
    assert!(refused.detail.contains("the namespace identity may not"), "{refused:?}");
    let entries = office.audit_after(before).await;
    assert_eq!(
        entries.iter().map(|entry| (entry.action.as_str(), entry.outcome.as_str())).collect::<Vec<_>>(),
        [("run.launch", "refused")]
    );

    let first = service.permit_processes(&admin, identity.clone()).await.unwrap();
    let again = service.permit_processes(&admin, identity.clone()).await.unwrap();
    assert_eq!((first.granted_by.login.as_str(), &first), ("admin", &again), "a second time changes nothing");
    assert_eq!(service.process_permissions(&admin).await.unwrap(), [first]);
    service.launch(&staff, &workflow, None, json!({})).await.unwrap();

    service.forbid_processes(&admin, &identity).await.unwrap();
    assert_eq!(service.forbid_processes(&admin, &identity).await.unwrap_err().code, ErrorCode::NotFound);
    let refused = service.launch(&staff, &workflow, None, json!({})).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ProcessesNotPermitted);
    let entries = office.audit_after(before).await;
    let changes: Vec<_> = entries.iter().filter(|entry| entry.action.starts_with("process.")).collect();
    assert_eq!(
        changes.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(),
        ["process.permit", "process.forbid"]
    );
    assert!(changes.iter().all(|entry| entry.resource_id == "identity"), "{changes:?}");
}
