//! Any text read as a definition: it is refused with places that lie within it, or it means the same when written again.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::json;
use workflow::{Capability, Definition, Diagnostic, FunctionCatalogue};

static CATALOGUE: LazyLock<FunctionCatalogue> = LazyLock::new(|| {
    let mut catalogue = FunctionCatalogue::new();
    for name in ["http", "openapi", "directory", "smtp", "echo"] {
        catalogue.register(name, json!({"type": "object"}), name).unwrap();
    }
    catalogue.allow(Capability::ALL);
    catalogue
});

fuzz_target!(|text: &str| -> Corpus {
    match Definition::parse(text, &CATALOGUE) {
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty(), "refused without a word");
            for diagnostic in &diagnostics {
                lies_within(text, diagnostic);
            }
        }
        Ok(definition) => stays_the_same(&definition),
    }
    Corpus::Keep
});

/// A line may end in any way that YAML knows, and the place may be the one after its last character.
fn lies_within(text: &str, Diagnostic { line, column, .. }: &Diagnostic) {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let place = line.checked_sub(1).and_then(|before| text.split('\n').nth(before));
    let there = place.is_some_and(|line| (1..=line.chars().count() + 1).contains(column));
    assert!(there, "{line}:{column} does not lie within the text");
}

fn stays_the_same(definition: &Definition) {
    let json = definition.value().to_string();
    let again = Definition::parse(&json, &CATALOGUE).unwrap_or_else(|diagnostics| panic!("{diagnostics:?}\n{json}"));
    assert_eq!(again.value(), definition.value());
    assert_eq!(again.digest(), definition.digest());
    // What pages show of it can always be made.
    let _ = (definition.graph(), definition.plan(None), definition.titles());
}
