use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use domain::{
    AccessVerdict, AlertEnd, AnswerEvery, ApprovalState, AuditClass, CellKind, DecisionKind, DecisionResult,
    DelegationState, EmergencyState, ErrorCode, FileEnd, FileOutcome, MailEnd, MissedRuns, Operation, PolicySetState,
    Risk, Role, RunStatus, RunnerState, RunnerTaskState, StageState, TaskStatus, Trigger, TriggerKind, TriggerOutcome,
    VersionState, WaitsFor, view::ConnectionState,
};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::server::{repository, shared};

/// What REST does not offer: it is for browsers, or belongs to another door.
const NOT_OFFERED: &[Operation] = &[
    Operation::SetupClaim,
    Operation::SessionCreate,
    Operation::SessionEnd,
    Operation::PasswordChange,
    Operation::PasswordClaim,
    Operation::PasswordReveal,
    Operation::PreferencesChange,
    // Asked of the policies when a repository brings something; nobody calls it.
    Operation::DefinitionMerge,
];

async fn document() -> Value {
    let server = shared();
    let response = server.client.get(server.at("/api/v1/openapi.json")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.json().await.unwrap()
}

/// Method, path and description of every route.
fn routes(document: &Value) -> Vec<(Method, String, Value)> {
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if let Ok(method) = method.to_uppercase().parse::<Method>()
                && operation.get("responses").is_some()
            {
                routes.push((method, path.clone(), operation.clone()));
            }
        }
    }
    routes
}

#[tokio::test]
async fn the_document_is_the_one_that_was_reviewed() {
    let document = serde_json::to_string_pretty(&document().await).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &document).unwrap();
    }
    let reviewed = fs::read_to_string(&path).unwrap_or_default();
    assert!(reviewed == document, "openapi.json has changed: run again with UPDATE_GOLDEN=1 and review the difference");
}

/// The names of an enumeration as they are on the wire.
fn on_the_wire<T: Serialize>(values: &[T]) -> Value {
    serde_json::to_value(values).unwrap()
}

/// Whether a value named by the document, anywhere, looks like a name of the program's own.
fn names_of_rust<'a>(document: &'a Value, found: &mut Vec<&'a str>) {
    match document {
        Value::Object(members) => {
            let names = members.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            found.extend(names.filter(|name| name.starts_with(|first: char| first.is_ascii_uppercase())));
            members.values().for_each(|member| names_of_rust(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| names_of_rust(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn enumerations_are_named_as_they_are_on_the_wire() {
    let document = document().await;
    let expected = BTreeMap::from([
        ("AccessVerdict", on_the_wire(AccessVerdict::ALL)),
        ("AlertEnd", on_the_wire(AlertEnd::ALL)),
        ("AnswerEvery", on_the_wire(AnswerEvery::ALL)),
        ("ApprovalState", on_the_wire(ApprovalState::ALL)),
        ("AuditClass", on_the_wire(AuditClass::ALL)),
        ("CellKind", on_the_wire(CellKind::ALL)),
        ("Certainty", json!(["known", "secret", "arguments", "perhaps"])),
        ("ConnectionState", on_the_wire(&ConnectionState::ALL)),
        ("DecisionKind", on_the_wire(DecisionKind::ALL)),
        ("DecisionResult", on_the_wire(DecisionResult::ALL)),
        ("DelegationState", on_the_wire(DelegationState::ALL)),
        ("EmergencyState", on_the_wire(EmergencyState::ALL)),
        ("FileEnd", on_the_wire(FileEnd::ALL)),
        ("ErrorCode", on_the_wire(ErrorCode::ALL)),
        ("FileOutcome", on_the_wire(FileOutcome::ALL)),
        ("LineChange", json!(["kept", "added", "removed"])),
        ("MailEnd", on_the_wire(MailEnd::ALL)),
        ("MissedRuns", on_the_wire(MissedRuns::ALL)),
        ("Operation", on_the_wire(Operation::ALL)),
        ("PlannedEffect", json!(["changes", "nothing", "fails", "unasked"])),
        ("PolicySetState", on_the_wire(PolicySetState::ALL)),
        ("ResolutionKind", json!(["done", "failed", "try-again"])),
        ("Risk", on_the_wire(Risk::ALL)),
        ("Role", on_the_wire(Role::ALL)),
        ("RunStatus", on_the_wire(RunStatus::ALL)),
        ("RunnerState", on_the_wire(RunnerState::ALL)),
        ("RunnerTaskState", on_the_wire(RunnerTaskState::ALL)),
        ("StageState", on_the_wire(StageState::ALL)),
        ("TaskStatus", on_the_wire(TaskStatus::ALL)),
        ("TeamOf", json!(["owner", "requester"])),
        ("Trigger", on_the_wire(Trigger::ALL)),
        ("TriggerKind", on_the_wire(TriggerKind::ALL)),
        ("TriggerOutcome", on_the_wire(TriggerOutcome::ALL)),
        ("ValueBy", json!(["workflow", "team"])),
        ("ValueStep", json!(["day", "week", "month"])),
        ("VersionState", on_the_wire(VersionState::ALL)),
        ("WaitsFor", on_the_wire(WaitsFor::ALL)),
    ]);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let named = schemas.iter().filter_map(|(name, schema)| Some((name.as_str(), schema.get("enum")?.clone())));
    assert_eq!(named.collect::<BTreeMap<_, _>>(), expected);
    let mut found = Vec::new();
    names_of_rust(&document, &mut found);
    assert_eq!(found, [""; 0]);
}

#[tokio::test]
async fn every_operation_is_offered_or_left_out_on_purpose() {
    let mut offered = BTreeSet::new();
    for (_, path, operation) in routes(&document().await) {
        // One extension and no second: the library writes several in an order of chance.
        let names = match &operation["x-rondo-operation"] {
            Value::Array(names) => names.clone(),
            name => vec![name.clone()],
        };
        for name in names {
            let name = name.as_str().unwrap_or_else(|| panic!("{path} does not say which operation it is"));
            offered.insert(name.parse::<Operation>().unwrap());
        }
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{path} has no summary");
    }
    for operation in Operation::ALL {
        let expected = !NOT_OFFERED.contains(operation);
        assert_eq!(offered.contains(operation), expected, "{operation}");
    }
}

#[tokio::test]
async fn every_route_asks_who_is_calling() {
    let server = shared();
    let document = document().await;
    let routes = routes(&document);
    assert!(routes.len() > 40, "{}", routes.len());
    for (method, path, _) in routes {
        let place = path
            .replace("{namespace}", "identity")
            .replace("{scope}", "identity")
            .replace("{name}", "onboard-employee")
            .replace("{version}", "1.0.0")
            .replace("{id}", "0198c0de-0000-7000-8000-000000000001")
            .replace("{question}", "0198c0de-0000-7000-8000-000000000002")
            .replace("{grant}", "0198c0de-0000-7000-8000-000000000003")
            .replace("{token}", "abc")
            .replace("{seq}", "1")
            .replace("{number}", "1")
            .replace("{control}", "ISO27001:A.5.16")
            .replace("{user}", "0198c0de-0000-7000-8000-000000000002");
        assert!(!place.contains('{'), "{place}");
        let response = server.client.request(method.clone(), server.at(&place)).send().await.unwrap();
        if path.contains("/hooks/") {
            // Called by machines that prove who they are by a signature; whoever cannot learns nothing.
            assert_eq!(response.status(), 404, "{method} {path}");
            continue;
        }
        assert_eq!(response.status(), 401, "{method} {path}");
        assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"rondo\"", "{method} {path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json", "{method} {path}");
    }
}

#[test]
fn every_error_code_has_a_page() {
    for code in ErrorCode::ALL {
        let page = repository().join(format!("docs/errors/{code}.md"));
        let text = fs::read_to_string(&page).unwrap_or_else(|_| panic!("{} is missing", page.display()));
        assert!(text.starts_with(&format!("# {code}: {}", code.title())), "{code}: title");
        assert!(text.contains(&format!("Status {}.", code.status())), "{code}: status");
    }
    let pages = fs::read_dir(repository().join("docs/errors")).unwrap().count();
    assert_eq!(pages, ErrorCode::ALL.len());
}
