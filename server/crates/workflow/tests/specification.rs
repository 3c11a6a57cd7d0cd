//! The specification's own examples and conformance features, where they lie beside this checkout (`../shared/spec` from
//! the root of the workspace, or the folder that `RONDO_SPEC` names). Without them the tests say that they were skipped:
//! what the features say is also in `tests/corpus/`, in our own words.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]
#![expect(clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::RunStatus;
use serde_json::{Value, json};
use workflow::harness::{Answer, Outcome, Scenario};
use workflow::{CallRequest, Capability, Definition, FunctionCatalogue, ResourceResolver, RunError};

/// The specification's folder, if it is there.
fn specification(part: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/spec");
    let folder = std::env::var_os("RONDO_SPEC").map_or(beside, PathBuf::from).join(part);
    if !folder.is_dir() {
        println!("skipped: there is no {}", folder.display());
        return None;
    }
    Some(folder)
}

/// The files of a folder, in order.
fn files(folder: &Path, extension: &str) -> Vec<(String, String)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    let file = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    paths.iter().map(file).collect()
}

/// Has one function for every address.
struct Log;

impl ResourceResolver for Log {
    fn text(&self, uri: &str, _: Option<&Value>) -> Result<String, String> {
        if uri.ends_with("/functions/log/1.0.0/function.yaml") {
            Ok("input: {schema: {document: {type: object, required: [message]}}}\nset: {logged: '${ .message }'}\n"
                .to_owned())
        } else {
            Err("there is nothing".to_owned())
        }
    }
}

fn catalogue() -> FunctionCatalogue {
    let mut catalogue = FunctionCatalogue::new();
    for name in ["http", "openapi", "grpc", "asyncapi", "mcp", "a2a"] {
        catalogue.register(name, json!({"type": "object"}), name).unwrap();
    }
    catalogue.allow(Capability::ALL);
    catalogue.resolve_with(Arc::new(Log));
    catalogue
}

#[test]
fn every_example_is_understood() {
    let Some(folder) = specification("examples") else { return };
    let examples = files(&folder, "yaml");
    assert!(examples.len() > 50, "only {} examples", examples.len());
    for (name, source) in examples {
        match Definition::parse(&source, &catalogue()) {
            Ok(definition) => {
                assert!(!definition.plan(None).steps.is_empty(), "{name}");
                assert!(!definition.graph().nodes.is_empty(), "{name}");
            }
            Err(found) => panic!("{name}: {found:#?}"),
        }
    }
}

#[test]
fn every_conformance_feature_holds() {
    let Some(folder) = specification("ctk/features") else { return };
    let mut scenarios = 0;
    for (name, text) in files(&folder, "feature") {
        for scenario in gherkin::scenarios(&text) {
            check(&format!("{name}: {}", scenario.name), &scenario.steps);
            scenarios += 1;
        }
    }
    assert!(scenarios > 15, "only {scenarios} scenarios");
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// What stands in for the systems that the features call.
fn answer(request: &CallRequest) -> Answer {
    let with = &request.with;
    let pet = |id: &Value| json!({"id": id, "name": "Milou", "status": "available"});
    let (uri, content) = match request.function.as_str() {
        "http" => {
            let endpoint = &with["endpoint"];
            let uri = endpoint.as_str().or_else(|| endpoint["uri"].as_str()).unwrap().to_owned();
            let path = uri.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap().1;
            let content = match path.split('/').collect::<Vec<_>>().as_slice() {
                ["v2", "pet", "getPetByName", _] => return Answer::Fail(RunError::communication(404, "no such pet")),
                ["v2", "pet", query] if query.starts_with("findByStatus?status=available") => json!([pet(&json!(1))]),
                ["v2", "pet", id] => pet(&json!(id.parse::<u64>().unwrap())),
                ["basic-auth", user, password] => {
                    let basic = &endpoint["authentication"]["basic"];
                    assert_eq!(
                        (basic["username"].as_str(), basic["password"].as_str()),
                        (Some(*user), Some(*password))
                    );
                    json!({"authenticated": true})
                }
                other => panic!("{other:?}"),
            };
            (uri, content)
        }
        "openapi" => {
            let content = match with["operationId"].as_str().unwrap() {
                "findPetsByStatus" => json!([pet(&json!(1))]),
                "getPetById" => pet(&with["parameters"]["petId"]),
                other => panic!("{other}"),
            };
            (with["document"]["endpoint"].as_str().unwrap().to_owned(), content)
        }
        other => panic!("{other}"),
    };
    if with["output"] == json!("response") {
        let request = json!({"method": "get", "uri": uri, "headers": {}});
        return Answer::Done(json!({"request": request, "statusCode": 200, "headers": {}, "content": content}));
    }
    Answer::Done(content)
}

fn check(name: &str, steps: &[gherkin::Step]) {
    let mut definition = None;
    let mut input = json!({});
    let mut outcome: Option<Outcome> = None;
    for step in steps {
        let document = step.document.as_deref();
        let text = step.text.as_str();
        match text {
            "a workflow with definition:" => {
                let parsed = Definition::parse(document.unwrap(), &catalogue());
                definition = Some(parsed.unwrap_or_else(|found| panic!("{name}: {found:#?}")));
            }
            "given the workflow input is:" => input = yaml(document.unwrap()),
            "the workflow is executed" => {
                let scenario = Scenario::new(definition.as_ref().unwrap(), input.clone());
                let found = scenario.drive(&mut |request: &CallRequest| answer(request));
                assert_eq!(found.violations, Vec::<String>::new(), "{name}");
                outcome = Some(found);
            }
            _ => expect(name, text, document, outcome.as_ref().unwrap()),
        }
    }
    assert!(outcome.is_some(), "{name} does nothing");
}

/// One expectation of a scenario.
fn expect(name: &str, text: &str, document: Option<&str>, outcome: &Outcome) {
    let context = format!("{name}: {text}: {:?}", outcome.run);
    let run = &outcome.run;
    let order = outcome.order();
    let position =
        |task: &str| order.iter().position(|name| *name == task).unwrap_or_else(|| panic!("{context}: {task}"));
    let quoted: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    let property = |path: &str| run.output.as_ref().unwrap().pointer(&format!("/{}", path.replace('.', "/")));
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        ["the", "workflow", "should", "complete", rest @ ..] => {
            assert_eq!(run.status, RunStatus::Completed, "{context}");
            match rest {
                [] => {}
                ["with", "output:"] => assert_eq!(run.output, document.map(yaml), "{context}"),
                other => panic!("{other:?}"),
            }
        }
        ["the", "workflow", "should", "fault", rest @ ..] => {
            assert_eq!(run.status, RunStatus::Faulted, "{context}");
            match rest {
                [] => {}
                ["with", "error:"] => {
                    let error = run.error.as_ref().unwrap().to_value();
                    for (member, value) in yaml(document.unwrap()).as_object().unwrap() {
                        assert_eq!(&error[member], value, "{context}: {member}");
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        ["the", "workflow", "output", "should", "have", "properties", ..] => {
            for path in quoted {
                assert!(property(path).is_some(), "{context}: {path}");
            }
        }
        ["the", "workflow", "output", "should", "have", "a", _, "property", "with", "value:"] => {
            assert_eq!(property(quoted[0]), document.map(yaml).as_ref(), "{context}");
        }
        ["the", "workflow", "output", "should", "have", "a", _, "property", "containing", count, "items"] => {
            let items = property(quoted[0]).and_then(Value::as_array).unwrap();
            assert_eq!(items.len(), count.parse::<usize>().unwrap(), "{context}");
        }
        [task, "should", "run", "first"] => assert_eq!(order.first(), Some(task), "{context}"),
        [task, "should", "run", "last"] => assert_eq!(order.last(), Some(task), "{context}"),
        [task, "should", "run", "before", other] => assert!(position(task) < position(other), "{context}"),
        [task, "should", "run", "after", other] => assert!(position(task) > position(other), "{context}"),
        other => panic!("{name}: no meaning is known for the step {other:?}"),
    }
}

/// As much of Gherkin as the features use: scenarios, steps, and texts between three quotes.
mod gherkin {
    pub(super) struct Scenario {
        pub(super) name: String,
        pub(super) steps: Vec<Step>,
    }

    pub(super) struct Step {
        pub(super) text: String,
        pub(super) document: Option<String>,
    }

    pub(super) fn scenarios(feature: &str) -> Vec<Scenario> {
        let mut scenarios: Vec<Scenario> = Vec::new();
        let mut lines = feature.lines();
        while let Some(line) = lines.next() {
            let trimmed = line.trim();
            if let Some(name) = trimmed.strip_prefix("Scenario:") {
                scenarios.push(Scenario { name: name.trim().to_owned(), steps: Vec::new() });
                continue;
            }
            let Some(scenario) = scenarios.last_mut() else { continue };
            if trimmed.starts_with("\"\"\"") {
                let indent = line.len() - line.trim_start().len();
                let inside: Vec<&str> = lines
                    .by_ref()
                    .take_while(|line| !line.trim_start().starts_with("\"\"\""))
                    .map(|line| line.get(indent..).unwrap_or_default())
                    .collect();
                scenario.steps.last_mut().unwrap().document = Some(inside.join("\n"));
                continue;
            }
            let keyword = ["Given ", "When ", "Then ", "And "].into_iter().find_map(|word| trimmed.strip_prefix(word));
            match keyword {
                Some(text) => scenario.steps.push(Step { text: text.trim().to_owned(), document: None }),
                None => assert!(trimmed.is_empty() || trimmed.starts_with('#'), "no step: {trimmed}"),
            }
        }
        scenarios
    }
}
