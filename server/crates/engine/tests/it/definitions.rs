//! What a stored version refers to elsewhere is stored with it.

use std::sync::Arc;

use domain::RunStatus;
use engine::{NoObserver, definitions};
use serde_json::{Value, json};
use store::workflows::VersionState;
use workflow::{Definition, FunctionCatalogue, ResourceResolver};

use crate::lab::Lab;

const SOURCE: &str = "
document: {dsl: 1.0.3, namespace: test, name: elsewhere, version: 1.0.0}
do: [{it: {call: 'https://example.com/function.yaml', with: {n: 20}}}]
";

struct Once;

impl ResourceResolver for Once {
    fn text(&self, uri: &str, _: Option<&Value>) -> Result<String, String> {
        assert_eq!(uri, "https://example.com/function.yaml");
        Ok("call: scripted\nwith: {step: elsewhere, value: '${ .n + 1 }'}".to_owned())
    }
}

#[tokio::test]
async fn a_node_that_can_read_nothing_runs_what_was_read_when_the_version_was_stored() {
    let lab = Lab::new().await;
    let functions = lab.parts().connectors.function_catalogue().clone();
    let mut reading: FunctionCatalogue = functions.clone();
    reading.resolve_with(Arc::new(Once));
    let definition = Definition::parse(SOURCE, &reading).unwrap();
    assert!(Definition::parse(SOURCE, &functions).is_err(), "the node's own functions read nothing");

    let mut version = lab.define("elsewhere", "0.9.0", VersionState::Published, "\n  - it: {set: {a: 1}}\n").await;
    version.version = "1.0.0".to_owned();
    version.sort_key = "1.0.0".to_owned();
    version.source = SOURCE.to_owned();
    version.resources = definitions::resources(&definition);
    version.digest = definition.digest().to_owned();
    let mut unit = lab.store.begin().await.unwrap();
    unit.insert_version(&version).await.unwrap();
    unit.commit().await.unwrap();
    assert_eq!(definitions::read(&version, &functions).unwrap().digest(), version.digest);

    let node = lab.start(Arc::new(NoObserver));
    let id = lab.launch_version(&version).await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run), json!({"step": "elsewhere", "value": 21}));
    node.shut_down().await;
}
