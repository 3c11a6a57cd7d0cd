//! Definitions are tried out by the tests that they bring along.
#![expect(clippy::unwrap_used, reason = "a test ends by it")]

use domain::RunStatus;
use serde_json::{Value, json};
use workflow::{
    CallRequest, Capability, Definition, FunctionCatalogue, RunError, StandardError,
    rehearsal::{Case, Foreseen, Rehearsal, rehearse},
};

fn catalogue() -> FunctionCatalogue {
    let mut catalogue = FunctionCatalogue::new();
    catalogue.register("mail", json!({"type": "object"}), "Mail").unwrap();
    catalogue.register("directory", json!({"type": "object"}), "Directory").unwrap();
    catalogue.allow(Capability::ALL);
    catalogue
}

fn parse(tests: &str, tasks: &str) -> Result<Definition, Vec<String>> {
    let head = "dsl: 1.0.3, namespace: test, name: tried, version: 1.0.0";
    let text =
        format!("document: {{{head}, metadata: {{rondo: {{tests: {tests}}}}}}}\nuse: {{secrets: [pin]}}\ndo:\n{tasks}");
    Definition::parse(&text, &catalogue()).map_err(|found| found.iter().map(ToString::to_string).collect())
}

fn nothing_is_known(_: &CallRequest) -> Foreseen {
    Foreseen { words: Some("something".to_owned()), answer: Ok(json!({"made": "up"})) }
}

fn tried(definition: &Definition) -> Vec<(Rehearsal, Option<String>)> {
    let tried = |case: &Case| {
        let rehearsal = rehearse(definition, case, &mut nothing_is_known);
        let difference = rehearsal.differs(&case.expect);
        (rehearsal, difference)
    };
    definition.cases().iter().map(tried).collect()
}

const HIRE: &str = "
  - ask: {call: approval, with: {approvers: {role: approver}}}
  - create:
      try: [{account: {call: directory, with: {login: '${ .login }'}}}]
      catch: {errors: {with: {status: 503}}, do: [{later: {set: {state: later}, then: end}}]}
  - pause: {wait: {days: 30}}
  - tell: {call: mail, with: {to: '${ .id }', pin: '${ $secrets.pin }'}}
";

#[test]
fn a_case_answers_for_people_and_systems_and_time_passes_by_itself() {
    let tests = "
      - title: All goes well
        input: {login: ana}
        answers: {account: {output: {id: 7}}}
        expect: {output: {made: up}}
      - {title: The manager says no, input: {login: ana}, answers: {ask: {output: {outcome: rejected}}},
         expect: {error: 'https://rondo.dev/errors/rejected'}}
      - title: The directory is away
        input: {login: ana}
        answers: {account: {error: {type: 'https://example.test/away', status: 503}}}
        expect: {output: {state: later}}
      - {title: It is expected to fail, expect: {status: faulted}}
      - {title: It gives something else, input: {login: ana}, expect: {output: 1}}
    ";
    let definition = parse(&format!("[{}]", as_flow(tests)), HIRE).unwrap();
    let tried = tried(&definition);
    assert_eq!(tried[0].1, None);
    assert_eq!(tried[1].1, None);
    assert_eq!(tried[2].1, None);
    assert_eq!(tried[3].1.as_deref(), Some("expected faulted, but it is completed"));
    assert_eq!(tried[4].1.as_deref(), Some("expected the output 1, but it is {\"made\":\"up\"}"));
    let calls = &tried[0].0.calls;
    assert_eq!(calls.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(), ["account", "tell"]);
    assert_eq!((calls[0].made_up, calls[1].made_up), (false, true));
    assert_eq!(calls[1].with, json!({"to": 7, "pin": "secret pin"}), "no secret is real");
    assert_eq!(calls[1].words.as_deref(), Some("something"));
}

/// YAML's block style, as the one line that the head of these definitions has room for.
fn as_flow(block: &str) -> String {
    let value: Value = serde_saphyr::from_str(block).unwrap();
    let text = value.to_string();
    text.trim_start_matches('[').trim_end_matches(']').to_owned()
}

#[test]
fn each_time_has_its_answer_and_the_last_holds_for_all_that_follow() {
    let tasks = "  - each: {for: {in: '${ [1, 2, 3] }'}, do: [{one: {call: mail, with: {}}}]}\n";
    let tests = "[{title: Three, answers: {one: [{output: 1}, {output: 2}]}, expect: {output: 2}}]";
    let definition = parse(tests, tasks).unwrap();
    let (rehearsal, difference) = tried(&definition).remove(0);
    assert_eq!(difference, None);
    let outputs: Vec<_> =
        rehearsal.tasks.iter().filter(|task| task.name == "one").map(|task| task.output.clone()).collect();
    assert_eq!(outputs, [Some(json!(1)), Some(json!(2)), Some(json!(2))]);
}

#[test]
fn events_come_as_the_case_says_and_a_run_that_waits_in_vain_is_seen() {
    let tasks = "  - hear: {listen: {to: {one: {with: {type: news}}}}}\n";
    let event = "{specversion: '1.0', id: a, source: /s, type: news, data: 5}";
    let tests = format!(
        "[{{title: News, events: [{event}], expect: {{output: [5]}}}}, {{title: None, expect: {{status: waiting}}}}]"
    );
    let definition = parse(&tests, tasks).unwrap();
    for (_, difference) in tried(&definition) {
        assert_eq!(difference, None);
    }
}

#[test]
fn a_call_fails_as_was_foreseen_and_a_run_without_end_is_stopped() {
    let definition = parse("[]", "  - tell: {call: mail, with: {}}\n").unwrap();
    let refused = |_: &CallRequest| Foreseen {
        words: None,
        answer: Err(RunError::new(StandardError::Validation, "a mail has a recipient")),
    };
    let rehearsal = rehearse(&definition, &Case::of(json!({})), &mut { refused });
    assert_eq!(rehearsal.run.status, RunStatus::Faulted);
    assert_eq!(rehearsal.run.error.unwrap().detail.as_deref(), Some("a mail has a recipient"));

    let definition = parse("[]", "  - again: {wait: {seconds: 1}, then: again}\n").unwrap();
    let rehearsal = rehearse(&definition, &Case::of(json!({})), &mut nothing_is_known);
    assert!(rehearsal.endless);
    assert_eq!(rehearsal.differs(&Case::of(json!({})).expect).as_deref(), Some("it did not end within 2000 events"));
}

#[test]
fn what_is_wrong_with_a_test_is_told_at_its_place() {
    let tests = "[{input: {}}, {title: x, answers: {aks: {output: 1}}}, {title: y, answers: {ask: {}}}, \
                 {title: z, expect: {status: cancelled}}, {title: e, events: [{}]}, {title: f, tset: 1}]";
    let Err(found) = parse(tests, HIRE) else { panic!("they are wrong") };
    for wanted in [
        "the property “title” is missing",
        "there is no task “aks” to be answered for, did you mean “ask”?",
        "expected either `output` or `error`",
        "expected completed, faulted or waiting",
        "unknown property “tset”",
    ] {
        assert!(found.iter().any(|line| line.contains(wanted)), "{wanted}: {found:#?}");
    }
}

#[test]
fn calls_that_come_of_a_failure_by_made_up_answers_are_not_founded() {
    let tasks = "
  - look: {call: directory, with: {login: ana}, export: {as: '${ . }'}}
  - guarded:
      try: [{judge: {if: '${ $context.made != \"running\" }', raise: {error: {type: 'https://example.test/ill', status: 500}}}}]
      catch: {do: [{putBack: {call: mail, with: {to: former}}}]}
";
    let tests = "[{title: Made up}, {title: Said by the case, answers: {look: {output: {made: ill}}}}]";
    let definition = parse(tests, tasks).unwrap();
    let founded: Vec<_> =
        tried(&definition).into_iter().map(|(rehearsal, _)| (rehearsal.calls.len(), rehearsal.founded)).collect();
    assert_eq!(founded, [(2, 1), (2, 2)]);
}
