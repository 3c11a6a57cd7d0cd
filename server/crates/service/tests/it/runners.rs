use domain::{ErrorCode, Name, RunnerState};
use service::NewRunner;

use crate::office::Office;

fn new(name: &str, labels: &[&str], namespaces: &[&str]) -> NewRunner {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    NewRunner { name: name.to_owned(), labels: owned(labels), namespaces: owned(namespaces) }
}

#[tokio::test]
async fn a_runner_is_enrolled_drained_and_removed_by_administrators_and_audited() {
    let office = Office::open().await;
    let service = &office.service;
    let admin = office.caller("admin").await;
    let before = office.audit_end().await;
    let enrolled = service.enrol_runner(&admin, new(" dmz-1 ", &["linux", "dmz", "dmz"], &["network"])).await.unwrap();
    assert!(enrolled.token.starts_with("rondo_runner_"), "{}", enrolled.token);
    let runner = &enrolled.runner;
    let labels: Vec<&str> = runner.labels.iter().map(Name::as_str).collect();
    assert_eq!((runner.name.as_str(), labels.as_slice()), ("dmz-1", ["dmz", "linux"].as_slice()));
    assert_eq!((runner.state, runner.online, runner.seen_at), (RunnerState::Enabled, false, None));
    assert_eq!(service.runners(&admin).await.unwrap(), std::slice::from_ref(runner));
    assert_eq!(service.runner_tasks(&admin).await.unwrap(), []);
    let again = service.enrol_runner(&admin, new("dmz-1", &[], &["*"])).await.unwrap_err();
    assert_eq!(again.code, ErrorCode::Conflict);
    let drained = service.update_runner(&admin, &runner.name, RunnerState::Draining).await.unwrap();
    assert_eq!(drained.state, RunnerState::Draining);
    service.remove_runner(&admin, &runner.name).await.unwrap();
    assert_eq!(service.remove_runner(&admin, &runner.name).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(service.runners(&admin).await.unwrap(), []);
    let entries = office.audit_after(before).await;
    let changes: Vec<_> = entries.iter().filter(|entry| entry.action.starts_with("runner.")).collect();
    let actions: Vec<&str> = changes.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["runner.enrol", "runner.update", "runner.remove"]);
    assert!(changes.iter().all(|entry| entry.resource_id == runner.id.to_string()), "{changes:?}");
    assert!(!format!("{entries:?}").contains(&enrolled.token), "its token is nowhere");
}

#[tokio::test]
async fn what_is_wrong_with_a_runner_is_said_field_by_field() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    let problem = office.service.enrol_runner(&admin, new("No Name", &["a b"], &[])).await.unwrap_err();
    let pointers: Vec<&str> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(
        (problem.code, pointers.as_slice()),
        (ErrorCode::InvalidInput, ["/name", "/labels", "/namespaces"].as_slice())
    );
}

#[tokio::test]
async fn a_definition_for_a_runner_that_is_not_there_has_a_warning() {
    let office = Office::open().await;
    let (admin, author) = (office.caller("admin").await, office.caller("author").await);
    let text = "
document: {dsl: 1.0.3, namespace: identity, name: far, version: 1.0.0, title: Far}
do:
  - look:
      run: {shell: {command: ls}}
      metadata: {rondo: {runner: {labels: [linux, dmz]}}}
";
    office.service.permit_processes(&admin, "identity".parse().unwrap()).await.unwrap();
    let far = "identity/far".parse().unwrap();
    let service = &office.service;
    service.save_definition(&author, &far, "1.0.0", text, None).await.unwrap();
    let submitted = service.submit_definition(&author, &far, "1.0.0").await.unwrap();
    let said = submitted.life.unwrap().warnings.join("\n");
    assert!(said.contains("a runner with the labels dmz, linux"), "{said}");
    service.enrol_runner(&admin, new("far", &["dmz", "linux"], &["identity"])).await.unwrap();
    service.withdraw_definition(&author, &far, "1.0.0").await.unwrap();
    let submitted = service.submit_definition(&author, &far, "1.0.0").await.unwrap();
    let said = submitted.life.unwrap().warnings.join("\n");
    assert!(!said.contains("a runner"), "{said}");
}
