//! Skipping tasks and going on from one with another input; and that neither is a way around an approval.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

use domain::{RunStatus, TaskStatus};
use proptest::prelude::*;
use serde_json::{Value, json};
use workflow::{
    ApprovalRequest, CallId, CallTicket, Capability, CloudEvent, Compensation, Decides, Definition, Effect, Event,
    EventKind, FunctionCatalogue, Refusal, RunError, RunState, TaskRecord, apply, build_call, outstanding, refusal,
};

fn definition(tasks: &str) -> Definition {
    let mut catalogue = FunctionCatalogue::new();
    catalogue.register("echo", json!({"type": "object"}), "echo").unwrap();
    catalogue.allow(Capability::ALL);
    let source = format!("document: {{dsl: 1.0.3, namespace: test, name: case, version: 1.0.0}}\n{tasks}");
    Definition::parse(&source, &catalogue).unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"))
}

struct Run<'d> {
    definition: &'d Definition,
    state: RunState,
    at: i64,
    rows: Vec<TaskRecord>,
    journal: Vec<Event>,
}

impl<'d> Run<'d> {
    fn start(definition: &'d Definition, input: Value) -> (Self, Vec<Effect>) {
        Self::start_as(definition, input, json!({}))
    }

    fn start_as(definition: &'d Definition, input: Value, runtime: Value) -> (Self, Vec<Effect>) {
        let mut run = Self { definition, state: RunState::new(), at: 0, rows: Vec::new(), journal: Vec::new() };
        let id = "01930000-0000-7000-8000-000000000001".parse().unwrap();
        let effects = run.send(EventKind::Started { run: id, input, runtime });
        (run, effects)
    }

    fn send(&mut self, kind: EventKind) -> Vec<Effect> {
        self.at += 1_000_000;
        let event = Event::new(domain::Timestamp::from_micros(self.at), kind);
        let effects = apply(self.definition, &mut self.state, &event);
        self.journal.push(event);
        for effect in &effects {
            if let Effect::Task(task) = effect {
                self.rows.retain(|row| row.sequence != task.sequence);
                self.rows.push((**task).clone());
            }
        }
        effects
    }

    /// A command that is accepted, once: what is refused beforehand changes nothing, and so does a repetition.
    fn command(&mut self, kind: EventKind) -> Vec<Effect> {
        assert_eq!(refusal(self.definition, &self.state, &kind), None);
        let effects = self.send(kind.clone());
        assert!(!effects.is_empty());
        let before = self.state.clone();
        assert!(refusal(self.definition, &self.state, &kind).is_some(), "a repetition is refused");
        assert!(self.send(kind).is_empty());
        assert_eq!(self.state, before);
        effects
    }

    fn refused(&mut self, kind: EventKind) -> Refusal {
        let before = self.state.clone();
        let why = refusal(self.definition, &self.state, &kind).unwrap_or_else(|| panic!("{kind:?} is not refused"));
        assert!(self.send(kind).is_empty());
        assert_eq!(self.state, before);
        assert!(!why.to_string().is_empty());
        why
    }

    fn done(&mut self, call: CallId, output: Value) -> Vec<Effect> {
        self.send(EventKind::CallCompleted { call, output })
    }

    fn fail(&mut self, call: CallId) -> Vec<Effect> {
        self.send(EventKind::CallFailed { call, error: RunError::communication(500, "no"), retryable: false })
    }

    fn status(&self) -> RunStatus {
        self.state.record().unwrap().status
    }

    fn row(&self, name: &str) -> &TaskRecord {
        self.rows.iter().filter(|row| row.name == name).max_by_key(|row| row.sequence).unwrap()
    }

    fn with(&self, call: CallId) -> Value {
        build_call(self.definition, &self.state, &call, &()).unwrap().with
    }
}

impl Drop for Run<'_> {
    /// Whatever a test does, its journal gives the same state again, through JSON.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut state = RunState::new();
        for event in &self.journal {
            let event: Event = serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
            apply(self.definition, &mut state, &event);
        }
        assert_eq!(state, self.state);
        let snapshot: RunState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        assert_eq!(snapshot, state);
    }
}

fn skip(reference: &str, output: Option<Value>) -> EventKind {
    skip_again(reference, 1, output)
}

fn skip_again(reference: &str, occurrence: u32, output: Option<Value>) -> EventKind {
    EventKind::TaskSkipped {
        reference: reference.to_owned(),
        occurrence,
        output,
        reason: "not needed".to_owned(),
        by: "olga".to_owned(),
    }
}

fn resume(reference: &str, occurrence: u32, input: Value) -> EventKind {
    EventKind::ResumedFrom {
        reference: reference.to_owned(),
        occurrence,
        input,
        reason: "a wrong name".to_owned(),
        by: "olga".to_owned(),
    }
}

fn tickets(effects: &[Effect]) -> Vec<&CallTicket> {
    effects.iter().filter_map(|effect| if let Effect::Call(ticket) = effect { Some(ticket) } else { None }).collect()
}

fn call(effects: &[Effect]) -> CallId {
    match tickets(effects)[..] {
        [ticket] => ticket.call,
        ref other => panic!("not one call: {other:?}"),
    }
}

fn asked(effects: &[Effect]) -> Option<&ApprovalRequest> {
    effects.iter().find_map(|effect| if let Effect::OpenApproval(request) = effect { Some(&**request) } else { None })
}

#[test]
fn a_failed_task_is_skipped_and_the_run_goes_on() {
    let definition = definition(
        "do:
- one: {call: echo, with: {n: 1}, output: {as: '${ {shaped: .} }'}, export: {as: '${ {seen: .} }'}, then: three}
- two: {call: echo, with: {n: 2}}
- three: {call: echo, with: {was: '${ . }', context: '${ $context }'}}
",
    );
    for (output, was, context) in [
        (None, json!({"raw": true}), json!({})),
        (Some(json!({"id": 7})), json!({"id": 7}), json!({"seen": {"id": 7}})),
        (Some(Value::Null), Value::Null, json!({"seen": null})),
    ] {
        let (mut run, started) = Run::start(&definition, json!({"raw": true}));
        run.fail(call(&started));
        assert_eq!(run.status(), RunStatus::Faulted);
        let effects = run.command(skip("/do/0/one", output));
        assert_eq!(run.status(), RunStatus::Running);
        assert_eq!((run.row("one").status, run.row("one").output.as_ref()), (TaskStatus::Skipped, Some(&was)));
        assert_eq!(run.with(call(&effects)), json!({"was": was, "context": context}), "its own `then` is followed");
        run.done(call(&effects), json!("end"));
        assert_eq!(run.status(), RunStatus::Completed);
    }
}

#[test]
fn an_output_that_breaks_the_schema_is_refused() {
    let definition = definition(
        "do: [{one: {call: echo, with: {}, output: {schema: {document: {type: object, required: [id]}}}}}]\n",
    );
    let (mut run, started) = Run::start(&definition, json!({}));
    run.fail(call(&started));
    let why = run.refused(skip("/do/0/one", Some(json!({}))));
    assert!(matches!(&why, Refusal::Invalid(error) if error.status == 400), "{why:?}");
    run.command(skip("/do/0/one", Some(json!({"id": 1}))));
    assert_eq!(run.status(), RunStatus::Completed);
}

#[test]
fn an_output_that_cannot_be_exported_is_refused() {
    let definition = definition("do: [{one: {call: echo, with: {}, export: {as: '${ {id: .id} }'}}}]\n");
    let (mut run, started) = Run::start(&definition, json!({}));
    run.fail(call(&started));
    let why = run.refused(skip("/do/0/one", Some(json!([1]))));
    assert!(why.to_string().starts_with("export.as: "), "{why}");
    run.command(skip("/do/0/one", Some(json!({"id": 1}))));
    assert_eq!(run.status(), RunStatus::Completed);
}

#[test]
fn what_waits_can_be_skipped() {
    let definition = definition(
        "do:
- all:
    fork:
      branches:
      - pause: {wait: P1D}
      - hear: {listen: {to: {one: {with: {type: t}}}}}
      - again: {try: [{bad: {call: echo, with: {}}}], catch: {retry: {delay: P1D}}}
      - lost: {call: echo, with: {}}
",
    );
    let (mut run, started) = Run::start(&definition, json!({"n": 1}));
    let calls: Vec<CallId> = tickets(&started).iter().map(|ticket| ticket.call).collect();
    let bad = calls
        .iter()
        .copied()
        .find(|call| build_call(&definition, &run.state, call, &()).unwrap().reference.ends_with("bad"));
    let (bad, lost) = (bad.unwrap(), calls.iter().copied().find(|call| Some(*call) != bad).unwrap());
    run.fail(bad);
    assert_eq!(
        run.refused(skip("/do/0/all/fork/branches/3/lost", None)),
        Refusal::InFlight("/do/0/all/fork/branches/3/lost".into())
    );
    run.send(EventKind::CallUnknown { call: lost });
    assert!(run.state.record().unwrap().attention.is_some());
    for (position, name) in ["pause", "hear", "again", "lost"].into_iter().enumerate() {
        run.command(skip(&format!("/do/0/all/fork/branches/{position}/{name}"), Some(json!(position))));
        assert_eq!(run.row(name).status, TaskStatus::Skipped);
    }
    let record = run.state.record().unwrap();
    assert_eq!((record.status, record.output.clone()), (RunStatus::Completed, Some(json!([0, 1, 2, 3]))));
    assert!(record.attention.is_none());
    assert!(outstanding(&run.state).is_empty());
}

#[test]
fn what_contains_a_failed_task_can_be_skipped_whole() {
    let definition = definition(
        "do:
- block: {do: [{loop: {for: {in: '[1, 2]'}, do: [{step: {call: echo, with: {}}}, {never: {call: echo, with: {}}}]}}]}
- last: {set: {at: end}}
",
    );
    let (mut run, started) = Run::start(&definition, json!({}));
    run.fail(call(&started));
    run.command(skip("/do/0/block", None));
    assert_eq!(run.status(), RunStatus::Completed);
    assert_eq!((run.row("step").status, run.row("block").status), (TaskStatus::Faulted, TaskStatus::Skipped));
    assert_eq!(run.state.record().unwrap().output, Some(json!({"at": "end"})));
}

#[test]
fn other_branches_go_on_when_the_failed_task_is_skipped() {
    let definition = definition(
        "do: [{both: {fork: {branches: [{bad: {call: echo, with: {}}}, {other: {call: echo, with: {}}}]}}}]\n",
    );
    let (mut run, started) = Run::start(&definition, json!({}));
    let (bad, other) = (tickets(&started)[0].clone(), tickets(&started)[1].clone());
    run.fail(bad.call);
    assert_eq!(run.refused(skip("/do/0/both/fork/branches/1/other", None)), Refusal::NotThere);
    let effects = run.command(skip("/do/0/both/fork/branches/0/bad", Some(json!("none"))));
    let again = tickets(&effects)[0];
    assert_eq!((&again.key, &again.reference), (&other.key, &other.reference));
    let again = again.call;
    run.done(again, json!("done"));
    assert_eq!(run.state.record().unwrap().output, Some(json!(["none", "done"])));
}

#[test]
fn a_skipped_task_is_not_taken_back() {
    let definition = definition(
        "do:
- one: {wait: PT1H, metadata: {rondo: {compensate: [{undo: {call: echo, with: {}}}]}}}
- bad: {call: echo, with: {}}
",
    );
    let (mut run, _) = Run::start(&definition, json!({}));
    let effects = run.command(skip("/do/0/one", None));
    run.fail(call(&effects));
    let record = run.state.record().unwrap();
    assert_eq!((record.status, record.compensation), (RunStatus::Faulted, Compensation::None));
}

#[test]
fn decisions_are_never_skipped() {
    let definition = definition(
        "use: {functions: {ask: {call: approval, with: {approvers: {user: ana}}}}}
do:
- block: {do: [{ask: {call: approval, with: {approvers: {user: ana}}}}]}
- tried: {try: [{function: {call: ask}}], catch: {do: [{refuse: {raise: {error: {type: 'https://example.com/e', status: 400}}}}]}}
- after: {call: echo, with: {}}
",
    );
    let approval = |reference: &str| Refusal::Decides { reference: reference.to_owned(), why: Decides::Approval };
    let (mut run, started) = Run::start(&definition, json!({}));
    let first = asked(&started).unwrap().call;
    for reference in ["/do/0/block/do/0/ask", "/do/0/block"] {
        assert_eq!(run.refused(skip(reference, None)), approval("/do/0/block/do/0/ask"));
        assert!(matches!(run.refused(skip(reference, Some(json!({"outcome": "approved"})))), Refusal::Decides { .. }));
    }
    let effects = run.done(first, json!({}));
    let second = asked(&effects).unwrap().call;
    assert!(matches!(run.refused(skip("/do/1/tried", None)), Refusal::Decides { .. }));
    assert!(matches!(
        run.refused(skip("/do/1/tried/try/0/function", None)),
        Refusal::Decides { why: Decides::Approval, .. }
    ));
    run.send(EventKind::CallFailed { call: second, error: RunError::rejected("no"), retryable: false });
    assert_eq!(run.status(), RunStatus::Faulted);
    let why = run.refused(skip("/do/1/tried/catch/do/0/refuse", None));
    assert!(matches!(why, Refusal::Decides { why: Decides::Way, .. }), "the rejection still holds: {why:?}");
}

#[test]
fn a_rejected_run_does_not_go_on_by_itself() {
    let definition = definition(
        "do: [{prepare: {set: {n: '${ .n }'}}}, {ask: {call: approval, with: {approvers: {user: ana}}}}, {act: {call: echo, with: {}}}]\n",
    );
    let (mut run, started) = Run::start(&definition, json!({"n": 1}));
    let call = asked(&started).unwrap().call;
    run.send(EventKind::CallFailed { call, error: RunError::rejected("no"), retryable: false });
    assert_eq!(run.refused(resume("/do/0/prepare", 1, json!({"n": 2}))), Refusal::Rejected);
    assert_eq!(run.refused(resume("/do/2/act", 0, json!({"n": 2}))), Refusal::NotStarted);
}

#[test]
fn another_workflow_may_ask_people_so_it_is_not_passed_over() {
    let definition = definition(
        "do:
- child: {run: {workflow: {namespace: test, name: other, version: 1.0.0}}}
- act: {call: echo, with: {n: '${ .n }'}}
",
    );
    let (mut run, started) = Run::start(&definition, json!({"n": 1}));
    run.fail(call(&started));
    assert!(matches!(run.refused(skip("/do/0/child", None)), Refusal::Decides { why: Decides::Workflow, .. }));
    let effects = run.command(resume("/do/0/child", 1, json!({"n": 2})));
    let effects = run.done(call(&effects), json!({"n": 2}));
    run.fail(call(&effects));
    assert_eq!(run.refused(resume("/do/1/act", 1, json!({"n": 3}))), Refusal::AskedElsewhere);
    assert_eq!(run.refused(skip("/do/1/act", Some(json!({"n": 3})))), Refusal::AskedElsewhere);
    run.command(skip("/do/1/act", None));
    assert_eq!(run.status(), RunStatus::Completed);
}

#[test]
fn a_run_that_another_started_takes_its_data_from_there() {
    let definition = definition("do: [{one: {call: echo, with: {}}}]\n");
    let (mut run, started) = Run::start_as(&definition, json!({}), json!({"parent": {"number": 1}}));
    run.fail(call(&started));
    assert_eq!(run.refused(resume("/do/0/one", 1, json!({"n": 3}))), Refusal::AskedElsewhere);
    assert_eq!(run.refused(skip("/do/0/one", Some(json!({"n": 3})))), Refusal::AskedElsewhere);
    run.command(skip("/do/0/one", None));
    assert_eq!(run.status(), RunStatus::Completed);
}

#[test]
fn a_run_goes_on_from_an_earlier_task_with_another_input() {
    let definition = definition(
        "do:
- create: {call: echo, with: {login: '${ .login }'}}
- groups: {do: [{add: {call: echo, with: {login: '${ .login }'}}}]}
",
    );
    let (mut run, started) = Run::start(&definition, json!({"login": "ana"}));
    let key = tickets(&started)[0].key.clone();
    let effects = run.done(call(&started), json!({"login": "ana"}));
    let add = call(&effects);
    assert_eq!(
        run.refused(resume("/do/0/create", 1, json!({"login": "bea"}))),
        Refusal::InFlight("/do/1/groups/do/0/add".into())
    );
    run.fail(add);
    assert_eq!(run.refused(resume("/do/0/create", 2, json!({}))), Refusal::StartedAgain);
    assert_eq!(run.refused(resume("/do/7/nothing", 1, json!({}))), Refusal::NotStarted);
    let effects = run.command(resume("/do/0/create", 1, json!({"login": "bea"})));
    assert_eq!(run.status(), RunStatus::Running);
    let again = tickets(&effects)[0].clone();
    assert_eq!(run.with(again.call), json!({"login": "bea"}));
    assert_ne!(again.key, key, "it is another thing to do");
    let effects = run.done(again.call, json!({"login": "bea"}));
    assert_eq!(run.with(call(&effects)), json!({"login": "bea"}));
    run.done(call(&effects), json!("done"));
    assert_eq!(run.status(), RunStatus::Completed);
    assert_eq!(run.row("create").occurrence, 2);
}

#[test]
fn what_has_not_been_reached_or_is_over_is_no_place_to_go_on_from() {
    let definition = definition(
        "do:
- block: {do: [{inner: {set: {n: 1}}}]}
- pause: {wait: PT1H}
- later: {call: echo, with: {}}
",
    );
    let (mut run, _) = Run::start(&definition, json!({}));
    assert_eq!(run.refused(resume("/do/2/later", 0, json!({}))), Refusal::NotStarted);
    assert_eq!(run.refused(resume("/do/0/block/do/0/inner", 1, json!({}))), Refusal::NotStarted);
    run.command(resume("/do/0/block", 1, json!({"n": 5})));
    assert_eq!((run.row("inner").occurrence, run.row("pause").occurrence), (2, 2));
    let timers = outstanding(&run.state).iter().filter(|effect| matches!(effect, Effect::SetTimer { .. })).count();
    assert_eq!((run.status(), timers), (RunStatus::Waiting, 1));
}

#[test]
fn a_halted_run_goes_on_from_where_it_is_told() {
    let definition = definition("do: [{one: {call: echo, with: {n: '${ .n }'}}}, {two: {call: echo, with: {}}}]\n");
    let (mut run, started) = Run::start(&definition, json!({"n": 1}));
    run.send(EventKind::Suspended { by: "olga".into() });
    run.done(call(&started), json!({}));
    let effects = run.command(resume("/do/0/one", 1, json!({"n": 2})));
    assert_eq!(run.status(), RunStatus::Running);
    assert_eq!(run.with(call(&effects)), json!({"n": 2}));
    let effects = run.done(call(&effects), json!({}));
    run.done(call(&effects), json!({}));
    assert_eq!(run.status(), RunStatus::Completed);
    assert!(!run.rows.iter().any(|row| row.name == "two" && row.occurrence == 2), "what was deferred is dropped");
}

#[test]
fn an_unknown_outcome_is_settled_before_it_runs_again() {
    let definition = definition("do: [{one: {call: echo, with: {}}}]\n");
    let (mut run, started) = Run::start(&definition, json!({}));
    run.send(EventKind::CallUnknown { call: call(&started) });
    assert_eq!(run.refused(resume("/do/0/one", 1, json!({}))), Refusal::Unknown("/do/0/one".into()));
}

#[test]
fn each_execution_is_taken_back_with_its_own_data() {
    let definition = definition(
        "do:
- create: {call: echo, with: {n: '${ .n }'}, metadata: {rondo: {compensate: [{remove: {call: echo, with: {n: '${ $output.n }'}}}]}}}
- pause: {wait: PT1H}
- bad: {call: echo, with: {}}
",
    );
    let (mut run, started) = Run::start(&definition, json!({"n": 1}));
    run.done(call(&started), json!({"n": 1}));
    let effects = run.command(resume("/do/0/create", 1, json!({"n": 2})));
    assert!(run.state.record().unwrap().compensation == Compensation::None, "going back takes nothing back");
    run.done(call(&effects), json!({"n": 2}));
    let mut effects = run.command(skip_again("/do/1/pause", 2, None));
    effects = run.fail(call(&effects));
    for n in [2, 1] {
        assert_eq!(run.with(call(&effects)), json!({"n": n}), "the latest first");
        effects = run.done(call(&effects), json!({}));
    }
    let record = run.state.record().unwrap();
    assert_eq!((record.status, record.compensation), (RunStatus::Faulted, Compensation::Done));
    let why = run.refused(resume("/do/0/create", 2, json!({"n": 3})));
    assert_eq!(why, Refusal::Over, "what was taken back is gone");
}

#[test]
fn approvals_that_lie_ahead_are_asked_anew() {
    let definition = definition(
        "do:
- prepare: {call: echo, with: {}}
- ask: {call: approval, with: {approvers: {user: ana}}, output: {as: '${ $input }'}}
- act: {call: echo, with: {n: '${ .n }'}}
",
    );
    let (mut run, started) = Run::start(&definition, json!({}));
    let effects = run.done(call(&started), json!({"n": 1}));
    let first = asked(&effects).unwrap().clone();
    // While it is open: it is void, and another is asked for.
    let effects = run.command(resume("/do/1/ask", 1, json!({"n": 2})));
    assert!(effects.contains(&Effect::CloseApproval { call: first.call }));
    let second = asked(&effects).unwrap().clone();
    assert_eq!((second.input.clone(), second.changed_by.clone()), (json!({"n": 2}), None));
    assert!(run.done(first.call, json!({})).is_empty(), "a decision about other data is void");
    // After it was given: no less.
    let effects = run.done(second.call, json!({}));
    run.fail(call(&effects));
    let effects = run.command(resume("/do/0/prepare", 1, json!({"n": 3})));
    assert!(asked(&effects).is_none(), "what is asked ahead is not asked before");
    let effects = run.done(call(&effects), json!({"n": 3}));
    let third = asked(&effects).unwrap().clone();
    assert_eq!(third.input, json!({"n": 3}));
    let effects = run.done(third.call, json!({}));
    assert_eq!(run.with(call(&effects)), json!({"n": 3}));
}

#[test]
fn a_change_is_no_way_around_an_approval_that_the_data_decide_about() {
    let definition = definition(
        "do:
- prepare: {call: echo, with: {}}
- judge: {switch: [{high: {when: '${ .risk > 1 }', then: ask}}, {low: {then: act}}]}
- ask: {call: approval, with: {approvers: {user: ana}}, output: {as: '${ $input }'}}
- act: {call: echo, with: {}}
",
    );
    for answered in [false, true] {
        let (mut run, started) = Run::start(&definition, json!({}));
        let effects = run.done(call(&started), json!({"risk": 2}));
        let first = asked(&effects).unwrap().call;
        if answered {
            let effects = run.done(first, json!({}));
            run.fail(call(&effects));
        }
        // By the changed data nobody would be asked; so those who were are asked about the change.
        let effects = run.command(resume("/do/1/judge", 1, json!({"risk": 1})));
        assert!(tickets(&effects).is_empty());
        let question = asked(&effects).unwrap();
        assert_eq!((question.reference.as_str(), &question.input), ("/do/1/judge", &json!({"risk": 1})));
        let effects = run.done(question.call, json!({}));
        run.done(call(&effects), json!({}));
        assert_eq!(run.status(), RunStatus::Completed);
    }
}

const APPROVED: &str = "do:
- ask: {call: approval, with: {approvers: [{user: ana}], title: 'May it?'}, output: {as: '${ $input }'}}
- both: {call: approval, with: {approvers: [{team: security}], quorum: 2}, output: {as: '${ $input }'}}
- act: {call: echo, with: {n: '${ .n }'}}
- last: {call: echo, with: {n: '${ .n }'}}
";

/// A run in which both approvals were given and `act` has failed.
fn approved(definition: &Definition) -> Run<'_> {
    let (mut run, started) = Run::start(definition, json!({"n": 1}));
    let effects = run.done(asked(&started).unwrap().call, json!({}));
    let effects = run.done(asked(&effects).unwrap().call, json!({}));
    run.fail(call(&effects));
    run
}

#[test]
fn a_change_after_an_approval_is_approved_by_all_who_were_asked() {
    let definition = definition(APPROVED);
    let mut run = approved(&definition);
    let effects = run.command(resume("/do/2/act", 1, json!({"n": 2})));
    assert_eq!(tickets(&effects), Vec::<&CallTicket>::new());
    assert_eq!((run.status(), run.row("act").status), (RunStatus::Waiting, TaskStatus::Waiting));
    let first = asked(&effects).unwrap().clone();
    assert_eq!((first.reference.as_str(), &first.input), ("/do/2/act", &json!({"n": 2})));
    assert_eq!(first.changed_by.as_deref(), Some("olga"));
    assert!(first.message.as_deref().unwrap().contains("a wrong name"));
    assert_eq!(run.refused(skip_again("/do/2/act", 2, None)), Refusal::NotApproved);
    let effects = run.done(first.call, json!({}));
    let second = asked(&effects).unwrap().clone();
    assert_ne!(first.rule, second.rule);
    let effects = run.done(second.call, json!({}));
    assert_eq!(run.with(call(&effects)), json!({"n": 2}));
    run.fail(call(&effects));
    // What was approved stays so: a retry asks nobody.
    let effects = run.send(EventKind::RetryRequested { by: "olga".into() });
    assert_eq!(run.with(call(&effects)), json!({"n": 2}));
}

#[test]
fn a_change_that_is_refused_is_not_used() {
    let definition = definition(APPROVED);
    let mut run = approved(&definition);
    let effects = run.command(resume("/do/2/act", 1, json!({"n": 2})));
    let call_of_change = asked(&effects).unwrap().call;
    run.send(EventKind::CallFailed { call: call_of_change, error: RunError::rejected("no"), retryable: false });
    assert_eq!(run.status(), RunStatus::Faulted);
    assert_eq!(run.refused(skip_again("/do/2/act", 2, None)), Refusal::NotApproved);
    let effects = run.send(EventKind::RetryRequested { by: "olga".into() });
    assert!(tickets(&effects).is_empty() && asked(&effects).is_some(), "it is asked again, not used");
    let effects = run.command(resume("/do/2/act", 3, json!({"n": 3})));
    let mut request = asked(&effects).unwrap().clone();
    assert_eq!(request.input, json!({"n": 3}));
    let mut effects = Vec::new();
    for _ in 0..2 {
        effects = run.done(request.call, json!({}));
        request = asked(&effects).cloned().unwrap_or(request);
    }
    assert_eq!(run.with(call(&effects)), json!({"n": 3}));
}

#[test]
fn an_output_given_after_an_approval_is_approved_too() {
    let definition = definition(APPROVED);
    let mut run = approved(&definition);
    let effects = run.command(skip("/do/2/act", Some(json!({"n": 9}))));
    let first = asked(&effects).unwrap().clone();
    assert_eq!((run.status(), &first.input), (RunStatus::Waiting, &json!({"n": 9})));
    run.send(EventKind::CallFailed { call: first.call, error: RunError::rejected("no"), retryable: false });
    assert_eq!(run.status(), RunStatus::Faulted);
    // Without an output nothing is changed, and nobody is asked.
    let mut other = Run {
        definition: &definition,
        state: run.state.clone(),
        at: run.at,
        rows: Vec::new(),
        journal: run.journal.clone(),
    };
    let effects = other.command(skip("/do/2/act", None));
    assert_eq!(other.with(call(&effects)), json!({"n": 1}));
    let effects = run.command(skip("/do/2/act", Some(json!({"n": 8}))));
    let effects = run.done(asked(&effects).unwrap().call, json!({}));
    let effects = run.done(asked(&effects).unwrap().call, json!({}));
    assert_eq!((run.with(call(&effects)), run.row("act").status), (json!({"n": 8}), TaskStatus::Skipped));
}

#[test]
fn a_change_is_approved_while_the_run_is_halted_and_used_when_it_goes_on() {
    let definition = definition(APPROVED);
    let mut run = approved(&definition);
    let effects = run.command(resume("/do/2/act", 1, json!({"n": 2})));
    run.send(EventKind::Suspended { by: "olga".into() });
    let effects = run.done(asked(&effects).unwrap().call, json!({}));
    let effects = run.done(asked(&effects).unwrap().call, json!({}));
    assert!(tickets(&effects).is_empty());
    let effects = run.send(EventKind::Resumed { by: "olga".into() });
    assert_eq!(run.with(call(&effects)), json!({"n": 2}));
}

#[test]
fn a_cancel_withdraws_the_question() {
    let definition = definition(APPROVED);
    let mut run = approved(&definition);
    let effects = run.command(resume("/do/2/act", 1, json!({"n": 2})));
    let question = asked(&effects).unwrap().call;
    let effects = run.send(EventKind::CancelRequested { by: "olga".into(), reason: None });
    assert!(effects.contains(&Effect::CloseApproval { call: question }));
    assert_eq!(run.status(), RunStatus::Cancelled);
}

/// What happens next in a random run.
#[derive(Debug, Clone)]
enum Move {
    Answer { approve: bool, n: i64 },
    Event,
    Timer,
    Skip { row: usize, output: Option<i64> },
    Resume { row: usize, n: i64 },
    Retry,
    Suspend,
    Go,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => (any::<bool>(), 0_i64..4).prop_map(|(approve, n)| Move::Answer { approve, n }),
        1 => Just(Move::Event),
        1 => Just(Move::Timer),
        2 => (any::<usize>(), prop::option::of(0_i64..4)).prop_map(|(row, output)| Move::Skip { row, output }),
        2 => (any::<usize>(), 0_i64..4).prop_map(|(row, n)| Move::Resume { row, n }),
        1 => Just(Move::Retry),
        1 => Just(Move::Suspend),
        1 => Just(Move::Go),
    ];
    prop::collection::vec(one, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// The data of `act` come from nothing but what was approved: whatever operators do, it is called only with a number
    /// that people have agreed to.
    #[test]
    fn nothing_is_done_with_data_that_nobody_approved(moves in moves()) {
        let definition = definition("do:
- prepare: {call: echo, with: {}}
- guarded:
    try:
    - ask: {call: approval, with: {approvers: {user: ana}}, output: {as: '${ $input }'}}
    - pause: {wait: PT1H}
    - hear: {listen: {to: {one: {with: {type: t}}}}, output: {as: '${ $input }'}}
    - act: {call: echo, with: {n: '${ .n }'}, output: {as: '${ $input }'}}
    catch:
      errors: {with: {status: 403}}
      do: [{refused: {raise: {error: {type: 'https://example.com/refused', status: 400}}}}]
- act: {call: echo, with: {n: '${ .n }'}}
");
        let (mut run, started) = Run::start(&definition, json!({"n": 0}));
        let mut effects = started;
        let mut approved: Vec<Value> = Vec::new();
        for next in moves {
            for ticket in tickets(&effects) {
                if ticket.name == "act" {
                    let n = run.with(ticket.call)["n"].clone();
                    prop_assert!(approved.contains(&n), "{} with {n}, approved are {approved:?}: {:#?}", ticket.reference, run.journal);
                }
            }
            let open = outstanding(&run.state);
            let row = |row: usize| row.checked_rem(run.rows.len()).and_then(|row| run.rows.get(row)).cloned();
            let kind = match next {
                Move::Answer { approve, n } => open.iter().find_map(|effect| match effect {
                    Effect::Call(ticket) if approve => Some(EventKind::CallCompleted { call: ticket.call, output: json!({"n": n}) }),
                    Effect::Call(ticket) => Some(EventKind::CallFailed {
                        call: ticket.call, error: RunError::communication(500, "no"), retryable: false }),
                    Effect::OpenApproval(request) if approve => {
                        approved.push(request.input["n"].clone());
                        Some(EventKind::CallCompleted { call: request.call, output: json!({}) })
                    }
                    Effect::OpenApproval(request) => Some(EventKind::CallFailed {
                        call: request.call, error: RunError::rejected("no"), retryable: false }),
                    _ => None,
                }),
                Move::Event => open.iter().find_map(|effect| match effect {
                    Effect::Subscribe(subscription) => Some(EventKind::EventReceived {
                        subscription: subscription.subscription,
                        event: Box::new(CloudEvent::from_value(json!({"id": "1", "source": "/s", "type": "t", "data": 1})).unwrap()),
                    }),
                    _ => None,
                }),
                Move::Timer => open.iter().find_map(|effect| match effect {
                    Effect::SetTimer { timer, .. } => Some(EventKind::TimerFired { timer: *timer }),
                    _ => None,
                }),
                Move::Skip { row: which, output } => row(which).map(|row| {
                    skip_again(&row.reference, row.occurrence, output.map(|n| json!({"n": n})))
                }),
                Move::Resume { row: which, n } => row(which).map(|row| {
                    let times = run.rows.iter().filter(|other| other.reference == row.reference).count();
                    resume(&row.reference, u32::try_from(times).unwrap(), json!({"n": n}))
                }),
                Move::Retry => Some(EventKind::RetryRequested { by: "olga".into() }),
                Move::Suspend => Some(EventKind::Suspended { by: "olga".into() }),
                Move::Go => Some(EventKind::Resumed { by: "olga".into() }),
            };
            if let Some(kind) = kind {
                let why = refusal(&definition, &run.state, &kind);
                let command = matches!(kind, EventKind::TaskSkipped { .. } | EventKind::ResumedFrom { .. });
                effects = run.send(kind);
                prop_assert!(!command || why.is_some() == effects.is_empty(), "what is said is what is done: {why:?}");
            }
        }
    }
}

#[test]
fn what_a_task_got_is_known_where_its_shown_input_is_another() {
    let definition = definition(
        "do: [{first: {input: {from: .order}, set: {n: 1}}}, {second: {call: echo, input: {from: '{it: .n}'}}},
             {third: {call: echo, input: {schema: {document: {type: object, required: [size]}}}}}]",
    );
    let order = json!({"order": {"size": 2}});
    let (mut run, effects) = Run::start(&definition, order.clone());
    assert_eq!(
        (&run.row("first").input, &run.row("second").input),
        (&order.get("order").cloned(), &Some(json!({"it": 1})))
    );
    let raw = |run: &Run| run.state.raw_inputs(&definition);
    let expected = [("/do/0/first".to_owned(), order), ("/do/1/second".to_owned(), json!({"n": 1}))];
    assert_eq!(raw(&run), expected.clone().into());
    run.done(call(&effects), json!({"n": 2}));
    assert_eq!((run.status(), &run.row("third").input), (RunStatus::Faulted, &None));
    let third = ("/do/2/third".to_owned(), json!({"n": 2}));
    assert_eq!(raw(&run), expected.into_iter().chain([third]).collect());
    run.command(resume("/do/1/second", 1, json!({"n": 5})));
    assert_eq!(run.row("second").input, Some(json!({"it": 5})));
    assert_eq!(raw(&run)["/do/1/second"], json!({"n": 5}));
}
