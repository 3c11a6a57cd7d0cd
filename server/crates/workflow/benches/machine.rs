//! How much CPU the state machine costs per step. `cargo bench -p workflow`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use workflow::harness::{Answer, Outcome, Scenario};
use workflow::{CallRequest, Definition, FunctionCatalogue, RunState, apply};

fn catalogue() -> FunctionCatalogue {
    let mut catalogue = FunctionCatalogue::new();
    if let Err(error) = catalogue.register("echo", json!({"type": "object"}), "Echo") {
        eprintln!("{error}");
    }
    catalogue
}

fn source(tasks: &str) -> String {
    format!("document: {{dsl: 1.0.3, namespace: bench, name: bench, version: 1.0.0}}\ndo:\n{tasks}")
}

fn definition(tasks: &str) -> Definition {
    match Definition::parse(&source(tasks), &catalogue()) {
        Ok(definition) => definition,
        Err(diagnostics) => {
            eprintln!("{diagnostics:#?}");
            std::process::exit(1)
        }
    }
}

fn chain(count: usize, task: &str) -> String {
    let lines: Vec<String> = (0..count).map(|number| format!("- t{number}: {task}\n")).collect();
    lines.concat()
}

fn drive(definition: &Definition, input: Value) -> Outcome {
    Scenario::new(definition, input).drive(&mut |request: &CallRequest| Answer::Done(request.with.clone()))
}

fn replay(definition: &Definition, outcome: &Outcome) -> RunState {
    let mut state = RunState::new();
    for event in &outcome.journal {
        apply(definition, &mut state, event);
    }
    state
}

fn benches(criterion: &mut Criterion) {
    let sets = definition(&chain(1_000, "{set: {n: '${ .n + 1 }'}}"));
    let started = drive(&sets, json!({"n": 0}));
    criterion.bench_function("1,000 set tasks in one event", |bench| {
        bench.iter(|| replay(black_box(&sets), &started));
    });

    let calls = definition(&chain(40, "{call: echo, with: {n: '${ .n }', text: hello}}"));
    criterion.bench_function("40 calls, driven", |bench| {
        bench.iter(|| drive(black_box(&calls), json!({"n": 0})));
    });

    let long =
        definition("- loop: {for: {each: i, in: '[range(999)]'}, do: [{say: {call: echo, with: {n: '${ $i }'}}}]}\n");
    let journal = drive(&long, json!({}));
    criterion.bench_function("replay of 1,000 events", |bench| {
        bench.iter(|| replay(black_box(&long), &journal));
    });

    let text = source(&chain(40, "{call: echo, with: {n: '${ .n | tostring | ascii_downcase }', text: hello}}"));
    let catalogue = catalogue();
    criterion.bench_function("parse 40 calls", |bench| {
        bench.iter(|| Definition::parse(black_box(&text), &catalogue).map(|definition| definition.digest().len()));
    });
}

criterion_group!(machine, benches);
criterion_main!(machine);
