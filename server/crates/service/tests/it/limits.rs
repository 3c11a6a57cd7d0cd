use domain::ErrorCode;
use serde_json::json;
use service::NewLimits;

use crate::office::Office;

#[tokio::test]
async fn limits_of_a_namespace_are_set_by_administrators_and_audited() {
    let office = Office::open().await;
    let service = &office.service;
    let admin = office.caller("admin").await;
    let identity: domain::Name = "identity".parse().unwrap();
    let before = office.audit_end().await;
    for (wrong, rule) in [
        (NewLimits::default(), "required"),
        (NewLimits { runs: Some(0), calls: None }, "minimum"),
        (NewLimits { runs: None, calls: Some(10_001) }, "maximum"),
    ] {
        let problem = service.limit_namespace(&admin, identity.clone(), wrong).await.unwrap_err();
        assert_eq!((problem.code, problem.errors[0].rule.as_str()), (ErrorCode::InvalidInput, rule), "{wrong:?}");
    }
    service.limit_namespace(&admin, identity.clone(), NewLimits { runs: Some(5), calls: None }).await.unwrap();
    let changed = NewLimits { runs: Some(6), calls: Some(2) };
    let set = service.limit_namespace(&admin, identity.clone(), changed).await.unwrap();
    assert_eq!((set.runs, set.calls, set.changed_by.login.as_str()), (Some(6), Some(2), "admin"));
    assert_eq!(service.namespace_limits(&admin).await.unwrap(), [set]);
    service.unlimit_namespace(&admin, &identity).await.unwrap();
    assert_eq!(service.unlimit_namespace(&admin, &identity).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(service.namespace_limits(&admin).await.unwrap(), []);
    let entries = office.audit_after(before).await;
    let changes: Vec<_> = entries.iter().filter(|entry| entry.action.starts_with("limit.")).collect();
    assert_eq!(
        changes.iter().map(|entry| (entry.action.as_str(), entry.resource_id.as_str())).collect::<Vec<_>>(),
        [("limit.update", "identity"), ("limit.update", "identity"), ("limit.delete", "identity")]
    );
    let body: serde_json::Value = serde_json::from_str(&changes[1].body).unwrap();
    assert_eq!(body["detail"], json!({"before": {"runs": 5, "calls": null}, "after": {"runs": 6, "calls": 2}}));
}
