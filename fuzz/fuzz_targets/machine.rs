//! Any events in any order, for every definition of the interpreter's own tests. The first two bytes choose the definition.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::{Value, json};
use workflow::harness::walk;
use workflow::{Capability, Definition, FunctionCatalogue};

/// What is needed of a case of `tests/corpus.rs`.
#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    head: String,
    r#do: String,
    #[serde(default = "empty")]
    input: Value,
}

fn empty() -> Value {
    json!({})
}

static CASES: LazyLock<Vec<(Definition, Value)>> = LazyLock::new(|| {
    let mut catalogue = FunctionCatalogue::new();
    for name in ["echo", "fail", "flaky", "silent", "unknownOnce", "http", "openapi", "asyncapi", "strict"] {
        catalogue.register(name, json!({"type": "object"}), name).unwrap();
    }
    catalogue.allow(Capability::ALL);
    let corpus = [
        include_str!("../../server/crates/workflow/tests/corpus/compensation.yaml"),
        include_str!("../../server/crates/workflow/tests/corpus/errors.yaml"),
        include_str!("../../server/crates/workflow/tests/corpus/events.yaml"),
        include_str!("../../server/crates/workflow/tests/corpus/extensions.yaml"),
        include_str!("../../server/crates/workflow/tests/corpus/loops.yaml"),
        include_str!("../../server/crates/workflow/tests/corpus/messages.yaml"),
        include_str!("../../server/crates/workflow/tests/corpus/run.yaml"),
    ];
    let mut cases = Vec::new();
    for text in corpus {
        for case in serde_saphyr::from_str::<Vec<Case>>(text).unwrap() {
            let tasks: String = case.r#do.split_inclusive('\n').flat_map(|line| ["  ", line]).collect();
            let head = "document: {dsl: 1.0.3, namespace: test, name: case, version: 1.0.0}";
            let definition = Definition::parse(&format!("{head}\n{}do:\n{tasks}", case.head), &catalogue).unwrap();
            cases.push((definition, case.input));
        }
    }
    cases
});

fuzz_target!(|data: &[u8]| {
    let [low, high, choices @ ..] = data else { return };
    let chosen = usize::from(u16::from_le_bytes([*low, *high])) % CASES.len();
    let (definition, input) = &CASES[chosen];
    assert_eq!(walk(definition, input, choices), Vec::<String>::new(), "case {chosen}");
});
