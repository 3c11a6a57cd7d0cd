//! What would follow in a run that waits for a decision.
#![expect(clippy::unwrap_used, reason = "a test ends by it")]

use serde_json::{Value, json};
use workflow::{
    ApprovalRequest, CallRequest, Capability, Definition, FunctionCatalogue, RunState,
    foresight::{Certainty, Known, Prospect, Variety, foresee},
    harness::{Answer, Responder, Scenario},
};

fn parse(tasks: &str) -> Definition {
    let mut catalogue = FunctionCatalogue::new();
    catalogue.register("mail", json!({"type": "object"}), "Mail").unwrap();
    catalogue.register("directory", json!({"type": "object"}), "Directory").unwrap();
    catalogue.allow(Capability::ALL);
    let head = "document: {dsl: 1.0.3, namespace: test, name: foreseen, version: 1.0.0}\nuse: {secrets: [pin]}\ndo:\n";
    Definition::parse(&format!("{head}{tasks}"), &catalogue).unwrap()
}

/// Answers what it knows, and nobody decides.
struct Undecided;

impl Responder for Undecided {
    fn call(&mut self, _: &CallRequest) -> Answer {
        Answer::Done(json!({"id": 7, "found": true}))
    }

    fn approval(&mut self, _: &ApprovalRequest) -> Answer {
        Answer::Silent
    }
}

fn waiting(definition: &Definition, input: Value) -> RunState {
    Scenario::new(definition, input).drive(&mut Undecided).state
}

/// What follows, where calls give a person of whom all depends on the variety.
fn following(tasks: &str, input: Value) -> Prospect {
    let definition = parse(tasks);
    let state = waiting(&definition, input);
    foresee(&definition, &state, &Known::new(), &mut |request, variety| {
        let found = variety != Variety::Other;
        let words = format!("does {}", request.with["to"]);
        (Some(words), json!({"name": variety.text(), "found": found, "raw": variety.anything()}))
    })
}

fn shown(prospect: &Prospect) -> Vec<(&str, Certainty)> {
    prospect.calls.iter().map(|call| (call.name.as_str(), call.certainty)).collect()
}

const WAY: &str = "
  - look: {call: directory, with: {login: '${ .login }'}, export: {as: '${ {person: ., login: $input.login} }'}}
  - ask: {call: approval, with: {approvers: {role: approver}}}
  - create: {call: directory, with: {to: '${ $context.person.id }'}, export: {as: '${ $context + {made: .} }'}}
  - greet: {call: mail, with: {to: '${ $context.made.name }'}}
  - tell: {call: mail, with: {to: team, about: '${ $context.login }'}}
  - open: {call: mail, with: {to: all, pin: '${ $secrets.pin }'}}
  - chosen: {if: '${ $context.made.found }', call: mail, with: {to: some}}
";

#[test]
fn calls_are_certain_only_as_far_as_nothing_was_made_up_for_them() {
    let prospect = following(WAY, json!({"login": "ana"}));
    let expected = [
        ("create", Certainty::Known),
        ("greet", Certainty::Arguments),
        ("tell", Certainty::Known),
        ("open", Certainty::Secret),
        ("chosen", Certainty::Perhaps),
    ];
    assert_eq!(shown(&prospect), expected);
    assert_eq!(prospect.calls[0].with, Some(json!({"to": 7})), "what was recorded is used");
    assert_eq!(prospect.calls[0].words.as_deref(), Some("does 7"));
    assert_eq!(prospect.calls[2].with, Some(json!({"to": "team", "about": "ana"})));
    assert_eq!((&prospect.calls[1].with, &prospect.calls[1].words), (&None, &None));
    assert_eq!(prospect.calls[3].with, None, "nothing stands for a secret");
    assert!(!prospect.waits);
}

#[test]
fn who_looks_into_what_may_be_anything_ends_what_is_certain() {
    let tasks = "
  - ask: {call: approval, with: {approvers: {role: approver}}}
  - create: {call: directory, with: {to: x}, export: {as: '${ . }'}}
  - deep: {call: mail, with: {to: '${ $context.raw.id }'}}
  - after: {call: mail, with: {to: x}}
";
    let prospect = following(tasks, json!({}));
    let expected = [("create", Certainty::Known), ("deep", Certainty::Arguments), ("after", Certainty::Perhaps)];
    assert_eq!(shown(&prospect), expected);
}

#[test]
fn what_a_decision_says_is_not_known_and_later_decisions_are_counted() {
    let tasks = "
  - ask: {call: approval, with: {approvers: {role: approver}}, export: {as: '${ . }'}}
  - who: {call: mail, with: {to: '${ $context.decisions[0].by }'}}
  - again: {call: approval, with: {approvers: {role: approver}}}
  - last: {call: mail, with: {to: x}}
  - hear: {listen: {to: {one: {with: {type: news}}}}}
  - never: {call: mail, with: {to: y}}
";
    let prospect = following(tasks, json!({}));
    assert_eq!(shown(&prospect), [("who", Certainty::Arguments), ("last", Certainty::Known)]);
    assert_eq!(prospect.calls.iter().map(|call| call.decisions).collect::<Vec<_>>(), [0, 1]);
    assert!(prospect.waits);
}

#[test]
fn what_is_under_way_is_not_to_come() {
    let tasks = "
  - both:
      fork:
        branches:
          - asks: {call: approval, with: {approvers: {role: approver}}}
          - works: {call: mail, with: {to: x}}
  - after: {call: mail, with: {to: z}}
";
    struct Silent;
    impl Responder for Silent {
        fn call(&mut self, _: &CallRequest) -> Answer {
            Answer::Silent
        }
        fn approval(&mut self, _: &ApprovalRequest) -> Answer {
            Answer::Silent
        }
    }
    let definition = parse(tasks);
    let state = Scenario::new(&definition, json!({})).drive(&mut Silent).state;
    let prospect = foresee(&definition, &state, &Known::new(), &mut |_, _| (None, Value::Null));
    assert_eq!(shown(&prospect), [("after", Certainty::Known)]);
}

#[test]
fn what_was_looked_up_is_no_longer_made_up() {
    let tasks = "
  - ask: {call: approval, with: {approvers: {role: approver}}}
  - look: {call: directory, with: {to: ana}, export: {as: '${ . }'}}
  - tell: {call: mail, with: {to: '${ $context.name }'}}
";
    let definition = parse(tasks);
    let state = waiting(&definition, json!({}));
    let with_known = |with: Value| {
        let known = Known::from([(("/do/1/look".to_owned(), 1), (with, json!({"name": "Ana"})))]);
        foresee(&definition, &state, &known, &mut |_, variety| (None, json!({"name": variety.text()})))
    };
    let prospect = with_known(json!({"to": "ana"}));
    assert_eq!(shown(&prospect), [("look", Certainty::Known), ("tell", Certainty::Known)]);
    assert_eq!(prospect.calls[1].with, Some(json!({"to": "Ana"})));
    let other = with_known(json!({"to": "somebody else"}));
    assert_eq!(shown(&other), [("look", Certainty::Known), ("tell", Certainty::Arguments)]);
}

#[test]
fn a_failure_that_only_made_up_answers_cause_ends_what_is_known() {
    let tasks = "
  - ask: {call: approval, with: {approvers: {role: approver}}}
  - guarded:
      try:
        - replace: {call: mail, with: {to: x}, export: {as: '${ . }'}}
        - judge: {if: '${ $context.name != \"running\" }', raise: {error: {type: 'https://example.test/ill', status: 500}}}
        - announce: {call: mail, with: {to: all}}
      catch:
        do: [{putBack: {call: mail, with: {to: former}}}]
";
    let prospect = following(tasks, json!({}));
    assert_eq!(shown(&prospect), [("replace", Certainty::Known)], "nobody knows whether it is put back, or announced");
    assert!(prospect.open_end && !prospect.waits);

    // One of three fails by its answers: then the rest may come.
    let tasks = "
  - ask: {call: approval, with: {approvers: {role: approver}}}
  - replace: {call: mail, with: {to: x}, export: {as: '${ . }'}}
  - judge: {if: '${ $context.found | not }', raise: {error: {type: 'https://example.test/ill', status: 500}}}
  - announce: {call: mail, with: {to: all}}
";
    let prospect = following(tasks, json!({}));
    assert_eq!(shown(&prospect), [("replace", Certainty::Known), ("announce", Certainty::Perhaps)]);
    assert!(!prospect.open_end && !prospect.waits);
}

#[test]
fn a_limit_of_time_for_an_event_is_not_taken_to_pass() {
    let tasks = "
  - ask: {call: approval, with: {approvers: {role: approver}}}
  - pack: {call: mail, with: {to: store}}
  - either:
      fork:
        compete: true
        branches:
          - paid: {listen: {to: {one: {with: {type: paid}}}}}
          - late: {wait: {days: 3}}
  - putBack: {call: mail, with: {to: shelf}}
";
    let prospect = following(tasks, json!({}));
    assert_eq!(shown(&prospect), [("pack", Certainty::Known)]);
    assert!(prospect.waits && !prospect.open_end);
}
