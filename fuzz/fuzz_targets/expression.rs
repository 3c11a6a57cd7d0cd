//! Any text compiled and evaluated as an expression: it ends within its bounds, the same way each time. The fuzzer itself
//! watches time and memory.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};
use workflow::expression::{Expression, MAX_EXPRESSION_BYTES, MAX_RESULT_BYTES, MAX_VALUE_DEPTH};

const VARIABLES: [&str; 3] = ["context", "workflow", "item"];

static INPUTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    vec![
        Value::Null,
        json!({"name": "Ada", "n": 3, "list": [1, 2.5, -0.0, 1e300, "text", null, true], "deep": {"er": {"est": [[[]]]}}}),
        json!([3, 1, 2, {"key": "a", "value": 1}, "2026-01-02T03:04:05Z", "YQ==", "é漢😀", i64::MAX, i64::MIN]),
        json!("a, b, c"),
    ]
});

fuzz_target!(|source: &str| {
    let Ok(expression) = Expression::compile(source, &VARIABLES) else { return };
    assert!(source.len() <= MAX_EXPRESSION_BYTES);
    let variables: Map<String, Value> =
        VARIABLES.iter().zip(INPUTS.iter()).map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    for input in INPUTS.iter() {
        let first = expression.evaluate(input, &variables);
        assert_eq!(first, expression.evaluate(input, &variables), "another result the second time");
        if let Ok(value) = first {
            assert!(value.to_string().len() <= MAX_RESULT_BYTES, "the result is too large");
            assert!(depth(&value) <= MAX_VALUE_DEPTH, "the result is nested too deeply");
        }
    }
});

fn depth(value: &Value) -> u32 {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
