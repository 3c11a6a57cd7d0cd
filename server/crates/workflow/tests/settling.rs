//! What becomes of calls that were under way when their task was stopped: what happened is taken back once, what did not is
//! not, and of what nobody can tell an operator is asked (ADR 17).
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use domain::{RunStatus, TaskStatus, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use workflow::{
    Attention, CallId, CallTicket, Capability, Compensation, Definition, Effect, Event, EventKind, FunctionCatalogue,
    Resolution, RunError, RunState, TaskRecord, TimerId, apply, build_call, outstanding,
};

fn definition(tasks: &str) -> Definition {
    definition_with("", tasks)
}

fn definition_with(top: &str, tasks: &str) -> Definition {
    let mut catalogue = FunctionCatalogue::new();
    for name in ["make", "undo", "other"] {
        catalogue.register(name, json!({"type": "object"}), name).unwrap();
    }
    catalogue.allow(Capability::ALL);
    let source = format!("document: {{dsl: 1.0.3, namespace: test, name: case, version: 1.0.0}}\n{top}\ndo:\n{tasks}");
    Definition::parse(&source, &catalogue).unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"))
}

/// A task that makes something, and how it is taken back.
fn make(name: &str) -> String {
    let undo = "metadata: {rondo: {compensate: [{undo: {call: undo, with: {id: '${ $output.id }'}}}]}}";
    format!("{name}: {{call: make, with: {{name: {name}}}, {undo}}}")
}

struct Run<'d> {
    definition: &'d Definition,
    state: RunState,
    journal: Vec<Event>,
    rows: BTreeMap<u32, TaskRecord>,
    format: u32,
    now: i64,
}

impl<'d> Run<'d> {
    fn start(definition: &'d Definition) -> (Self, Vec<Effect>) {
        Self::start_in(definition, Event::FORMAT)
    }

    fn start_in(definition: &'d Definition, format: u32) -> (Self, Vec<Effect>) {
        let (journal, rows) = (Vec::new(), BTreeMap::new());
        let mut run = Self { definition, state: RunState::new(), journal, rows, format, now: 0 };
        let id = "01930000-0000-7000-8000-000000000001".parse().unwrap();
        let effects = run.send(EventKind::Started { run: id, input: json!({}), runtime: json!({}) });
        (run, effects)
    }

    fn send(&mut self, kind: EventKind) -> Vec<Effect> {
        self.now += 1_000;
        let event = Event { format: self.format, ..Event::new(Timestamp::from_micros(self.now), kind) };
        let effects = apply(self.definition, &mut self.state, &event);
        self.journal.push(event.clone());
        for effect in &effects {
            if let Effect::Task(record) = effect {
                self.rows.insert(record.sequence, (**record).clone());
            }
        }
        let before = self.state.clone();
        assert!(apply(self.definition, &mut self.state, &event).is_empty(), "{event:?} has effects the second time");
        assert_eq!(self.state, before);
        effects
    }

    fn done(&mut self, call: CallId, id: &str) -> Vec<Effect> {
        self.send(EventKind::CallCompleted { call, output: json!({"id": id}) })
    }

    fn fail(&mut self, call: CallId) -> Vec<Effect> {
        self.send(EventKind::CallFailed { call, error: RunError::communication(409, "no"), retryable: false })
    }

    fn lose(&mut self, call: CallId) -> Vec<Effect> {
        self.send(EventKind::CallLost { call, error: RunError::communication(503, "cut off") })
    }

    fn cancel(&mut self) -> Vec<Effect> {
        self.send(EventKind::CancelRequested { by: "ana".to_owned(), reason: None })
    }

    fn resolve(&mut self, call: CallId, resolution: Resolution) -> Vec<Effect> {
        self.send(EventKind::CallResolved { call, resolution, by: "olga".to_owned() })
    }

    fn fire(&mut self, effects: &[Effect]) -> Vec<Effect> {
        let timer = effects.iter().find_map(|effect| match effect {
            Effect::SetTimer { timer, .. } => Some(*timer),
            _ => None,
        });
        self.send(EventKind::TimerFired { timer: timer.unwrap() })
    }

    fn row(&self, name: &str) -> &TaskRecord {
        self.rows.values().rev().find(|row| row.name == name).unwrap()
    }

    fn status(&self) -> RunStatus {
        self.state.record().unwrap().status
    }

    fn attention(&self) -> Option<Attention> {
        self.state.record().unwrap().attention.clone()
    }

    /// The arguments of the call that takes something back.
    fn undone(&self, effects: &[Effect]) -> Value {
        let [undo] = tickets(effects)[..] else { panic!("{effects:?}") };
        assert!(undo.compensation);
        build_call(self.definition, &self.state, &undo.call, &()).unwrap().with
    }

    /// Ends a compensation that takes back what is said, in this order.
    fn takes_back(&mut self, effects: &[Effect], ids: &[&str]) {
        let mut effects = effects.to_vec();
        for id in ids {
            assert_eq!(self.undone(&effects), json!({"id": id}));
            let undo = tickets(&effects)[0].call;
            effects = self.send(EventKind::CallCompleted { call: undo, output: json!({}) });
        }
        let record = self.state.record().unwrap();
        assert!(record.status.is_final(), "{record:?}");
        assert_eq!(record.compensation, Compensation::Done);
        assert_eq!(outstanding(&self.state), []);
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let text = serde_json::to_string(&self.journal).unwrap();
        let journal: Vec<Event> = serde_json::from_str(&text).unwrap();
        let mut state = RunState::new();
        for event in &journal {
            apply(self.definition, &mut state, event);
            state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        }
        assert_eq!(state, self.state, "the replay differs");
    }
}

fn tickets(effects: &[Effect]) -> Vec<&CallTicket> {
    effects.iter().filter_map(|effect| if let Effect::Call(ticket) = effect { Some(ticket) } else { None }).collect()
}

/// The call of a task that was dispatched.
fn call(effects: &[Effect], name: &str) -> CallId {
    tickets(effects)
        .into_iter()
        .find(|ticket| ticket.name == name)
        .unwrap_or_else(|| panic!("{name}: {effects:?}"))
        .call
}

fn settles(effects: &[Effect], call: CallId) -> bool {
    assert!(!effects.contains(&Effect::StopCall { call }), "{effects:?}");
    effects.contains(&Effect::SettleCall { call })
}

fn unknown(reference: &str, call: CallId) -> Attention {
    Attention::UnknownOutcome { reference: reference.to_owned(), call }
}

/// One that has completed and one under way.
fn two() -> Definition {
    definition(&format!("- {}\n- {}\n", make("first"), make("second")))
}

fn under_way(definition: &Definition) -> (Run<'_>, CallId) {
    let (mut run, started) = Run::start(definition);
    let effects = run.done(call(&started, "first"), "1");
    (run, call(&effects, "second"))
}

#[test]
fn what_happens_after_the_cancel_is_taken_back_first() {
    let definition = two();
    let (mut run, second) = under_way(&definition);
    let effects = run.cancel();
    assert!(settles(&effects, second));
    assert_eq!(tickets(&effects), Vec::<&CallTicket>::new(), "nothing is taken back before it is known what happened");
    assert_eq!((run.status(), run.attention()), (RunStatus::Running, None));
    assert_eq!(run.row("second").status, TaskStatus::Running);
    let [Effect::Call(again)] = &outstanding(&run.state)[..] else { panic!() };
    assert!(again.settles && again.call == second, "a recovery finds out as well");
    assert!(run.cancel().is_empty());
    let effects = run.done(second, "2");
    assert_eq!(run.row("second").status, TaskStatus::Completed);
    run.takes_back(&effects, &["2", "1"]);
    assert_eq!(run.status(), RunStatus::Cancelled);
}

#[test]
fn what_did_not_happen_is_not_taken_back() {
    let definition = two();
    let (mut run, second) = under_way(&definition);
    run.cancel();
    let effects = run.fail(second);
    assert_eq!(run.row("second").status, TaskStatus::Cancelled);
    run.takes_back(&effects, &["1"]);
}

#[test]
fn what_nobody_can_tell_is_for_an_operator_to_say() {
    let definition = two();
    for happened in [true, false] {
        for lost in [true, false] {
            let (mut run, second) = under_way(&definition);
            run.cancel();
            if lost {
                run.lose(second);
            } else {
                run.send(EventKind::CallUnknown { call: second });
            }
            assert_eq!(run.attention(), Some(unknown("/do/1/second", second)));
            assert_eq!((run.status(), run.row("second").status), (RunStatus::Running, TaskStatus::Unknown));
            assert_eq!(outstanding(&run.state), []);
            assert!(run.fail(second).is_empty(), "one attempt says nothing about another");
            let (resolution, ids) = if happened {
                (Resolution::Done { output: json!({"id": "2"}) }, &["2", "1"][..])
            } else {
                (Resolution::Failed { error: RunError::communication(500, "it is not there") }, &["1"][..])
            };
            let effects = run.resolve(second, resolution);
            run.takes_back(&effects, ids);
            assert_eq!(run.attention(), None);
        }
    }
}

#[test]
fn a_late_answer_says_as_much_as_an_operator() {
    let definition = two();
    let (mut run, second) = under_way(&definition);
    run.cancel();
    run.send(EventKind::CallUnknown { call: second });
    let effects = run.done(second, "2");
    run.takes_back(&effects, &["2", "1"]);
}

#[test]
fn an_operator_may_have_it_tried_again() {
    let definition = two();
    let (mut run, second) = under_way(&definition);
    run.cancel();
    run.lose(second);
    let effects = run.resolve(second, Resolution::TryAgain);
    let ticket = tickets(&effects)[0].clone();
    assert!(!ticket.settles && !ticket.compensation, "it is to be made");
    assert_eq!(ticket.attempt, 2);
    assert_eq!(run.attention(), None);
    run.fail(ticket.call);
    assert_eq!(run.attention(), Some(unknown("/do/1/second", ticket.call)), "the first attempt may have happened");
    let effects = run.resolve(ticket.call, Resolution::Done { output: json!({"id": "2"}) });
    run.takes_back(&effects, &["2", "1"]);
}

#[test]
fn what_was_unknown_before_the_cancel_still_is() {
    let definition = two();
    let (mut run, second) = under_way(&definition);
    run.send(EventKind::CallUnknown { call: second });
    let effects = run.cancel();
    assert!(!settles(&effects, second), "there is nothing to wait for");
    assert_eq!(run.attention(), Some(unknown("/do/1/second", second)));
    let effects = run.resolve(second, Resolution::Done { output: json!({"id": "2"}) });
    run.takes_back(&effects, &["2", "1"]);
}

#[test]
fn what_cannot_be_taken_back_is_not_waited_for() {
    let definition = definition(&format!("- {}\n- second: {{call: other, with: {{}}}}\n", make("first")));
    let (mut run, second) = under_way(&definition);
    let effects = run.cancel();
    assert!(effects.contains(&Effect::StopCall { call: second }));
    run.takes_back(&effects, &["1"]);
}

fn branches() -> Definition {
    definition(&format!(
        "- both: {{fork: {{branches: [{{{}}}, {{bad: {{call: other, with: {{}}}}}}]}}}}\n",
        make("good")
    ))
}

#[test]
fn a_fault_elsewhere_waits_for_what_is_under_way() {
    let definition = branches();
    let (mut run, started) = Run::start(&definition);
    let good = call(&started, "good");
    assert!(settles(&run.fail(call(&started, "bad")), good));
    assert_eq!(run.status(), RunStatus::Running);
    assert!(run.send(EventKind::RetryRequested { by: "olga".to_owned() }).is_empty(), "not before it is settled");
    let effects = run.done(good, "1");
    run.takes_back(&effects, &["1"]);
    assert_eq!(run.status(), RunStatus::Faulted);
    assert!(!run.state.record().unwrap().retryable);
}

#[test]
fn a_run_of_which_nothing_happened_can_be_retried() {
    let definition = branches();
    let (mut run, started) = Run::start(&definition);
    let (good, bad) = (tickets(&started)[0].clone(), call(&started, "bad"));
    run.fail(bad);
    assert!(!run.state.record().unwrap().retryable);
    run.send(EventKind::Suspended { by: "olga".to_owned() });
    assert_eq!(tickets(&run.send(EventKind::Resumed { by: "olga".to_owned() })), Vec::<&CallTicket>::new());
    run.fail(good.call);
    let record = run.state.record().unwrap();
    assert_eq!((record.status, record.retryable), (RunStatus::Faulted, true));
    assert_eq!(record.compensation, Compensation::None);
    let effects = run.send(EventKind::RetryRequested { by: "olga".to_owned() });
    let again = tickets(&effects);
    assert_eq!(again.len(), 2);
    assert!(again.iter().any(|ticket| ticket.key == good.key && !ticket.settles));
    let again = (call(&effects, "good"), call(&effects, "bad"));
    run.done(again.0, "1");
    run.send(EventKind::CallCompleted { call: again.1, output: json!({}) });
    assert_eq!(run.status(), RunStatus::Completed);
}

#[test]
fn the_workflow_s_timeout_waits_for_what_is_under_way() {
    let definition = definition_with("timeout: {after: PT1H}", &format!("- {}\n", make("one")));
    let (mut run, started) = Run::start(&definition);
    let one = call(&started, "one");
    assert!(settles(&run.fire(&started), one));
    let effects = run.done(one, "1");
    run.takes_back(&effects, &["1"]);
    assert_eq!((run.status(), run.row("one").status), (RunStatus::Faulted, TaskStatus::Completed));
}

fn race(then: &str) -> Definition {
    definition(&format!(
        "- race: {{fork: {{compete: true, branches: [{{{}}}, {{quick: {{call: other, with: {{}}}}}}]}}}}\n- {then}\n",
        make("slow")
    ))
}

#[test]
fn the_loser_of_a_race_is_taken_back_if_the_run_ends_badly() {
    let definition = race("then: {call: other, with: {}}");
    let (mut run, started) = Run::start(&definition);
    let slow = call(&started, "slow");
    let effects = run.send(EventKind::CallCompleted { call: call(&started, "quick"), output: json!({}) });
    assert!(settles(&effects, slow));
    assert_eq!(run.row("slow").status, TaskStatus::Running);
    let then = call(&effects, "then");
    assert_eq!(run.done(slow, "1").len(), 1, "only its row changes");
    assert_eq!(run.row("slow").status, TaskStatus::Completed);
    let effects = run.fail(then);
    run.takes_back(&effects, &["1"]);
}

#[test]
fn a_run_that_goes_on_waits_for_no_loser_and_asks_nobody_about_it() {
    let definition = race("then: {wait: PT1H}");
    let (mut run, started) = Run::start(&definition);
    let slow = call(&started, "slow");
    let effects = run.send(EventKind::CallCompleted { call: call(&started, "quick"), output: json!({}) });
    assert_eq!(run.status(), RunStatus::Waiting);
    run.lose(slow);
    assert_eq!((run.attention(), run.row("slow").status), (None, TaskStatus::Cancelled));
    let ended = run.fire(&effects);
    assert_eq!((run.status(), run.state.record().unwrap().compensation), (RunStatus::Completed, Compensation::None));
    assert!(ended.iter().all(|effect| !matches!(effect, Effect::StopCall { .. })), "{ended:?}");
}

#[test]
fn a_run_that_ends_well_stops_what_it_has_no_use_for() {
    let definition = race("then: {set: {}}");
    let (mut run, started) = Run::start(&definition);
    let slow = call(&started, "slow");
    let effects = run.send(EventKind::CallCompleted { call: call(&started, "quick"), output: json!({}) });
    assert!(effects.contains(&Effect::StopCall { call: slow }));
    assert_eq!((run.status(), run.row("slow").status), (RunStatus::Completed, TaskStatus::Cancelled));
    assert_eq!(outstanding(&run.state), []);
}

#[test]
fn a_loser_of_unknown_outcome_is_asked_about_once_it_matters() {
    let definition = race("then: {call: other, with: {}}");
    let (mut run, started) = Run::start(&definition);
    let slow = call(&started, "slow");
    let effects = run.send(EventKind::CallCompleted { call: call(&started, "quick"), output: json!({}) });
    run.lose(slow);
    run.fail(call(&effects, "then"));
    assert_eq!(run.attention(), Some(unknown("/do/0/race/fork/branches/0/slow", slow)));
    let effects = run.resolve(slow, Resolution::Done { output: json!({"id": "1"}) });
    run.takes_back(&effects, &["1"]);
}

#[test]
fn a_task_that_took_too_long_may_have_happened() {
    let timed = make("slow").replace("call: make", "timeout: {after: PT1M}, call: make");
    let definition = definition(&format!(
        "- attempt: {{try: [{{{timed}}}], catch: {{do: [{{handled: {{set: {{}}}}}}]}}}}\n- then: {{call: other, with: {{}}}}\n"
    ));
    let (mut run, started) = Run::start(&definition);
    let slow = call(&started, "slow");
    let effects = run.fire(&started);
    assert!(settles(&effects, slow));
    let then = call(&effects, "then");
    run.fail(then);
    assert_eq!(run.status(), RunStatus::Running);
    let effects = run.done(slow, "1");
    run.takes_back(&effects, &["1"]);
}

fn repeated(limit: &str) -> Definition {
    definition(&format!(
        "- attempt: {{try: [{{{}}}], catch: {{retry: {{delay: PT1S, limit: {{attempt: {limit}}}}}}}}}\n- then: {{call: other, with: {{}}}}\n",
        make("one")
    ))
}

#[test]
fn another_attempt_by_the_same_key_takes_the_place_of_one_that_took_too_long() {
    let definition = repeated("{count: 2, duration: PT1M}");
    let (mut run, started) = Run::start(&definition);
    let first = tickets(&started)[0].clone();
    let effects = run.fire(&started);
    assert!(settles(&effects, first.call));
    let effects = run.fire(&effects);
    let second = tickets(&effects)[0].clone();
    assert!(effects.contains(&Effect::StopCall { call: first.call }));
    assert_eq!((second.key.as_str(), second.attempt), (first.key.as_str(), 2));
    assert!(run.done(first.call, "1").is_empty());
    let effects = run.done(second.call, "1");
    let effects = run.fail(call(&effects, "then"));
    run.takes_back(&effects, &["1"]);
}

#[test]
fn a_failed_attempt_says_nothing_about_one_that_was_lost() {
    let definition = repeated("{count: 1}");
    let (mut run, started) = Run::start(&definition);
    let effects = run.lose(call(&started, "one"));
    assert_eq!((run.status(), run.row("one").status), (RunStatus::Running, TaskStatus::Faulted));
    let effects = run.fire(&effects);
    let second = call(&effects, "one");
    run.fail(second);
    assert_eq!(run.attention(), Some(unknown("/do/0/attempt/try/0/one", second)));
    assert_eq!(run.row("one").status, TaskStatus::Unknown);
    let effects = run.resolve(second, Resolution::Done { output: json!({"id": "1"}) });
    run.takes_back(&effects, &["1"]);
}

#[test]
fn a_run_that_is_cancelled_between_two_attempts_asks_about_the_first() {
    let definition = repeated("{count: 5}");
    let (mut run, started) = Run::start(&definition);
    let first = call(&started, "one");
    run.lose(first);
    assert_eq!(run.attention(), None);
    run.cancel();
    assert_eq!(run.attention(), Some(unknown("/do/0/attempt/try/0/one", first)));
    run.resolve(first, Resolution::Failed { error: RunError::communication(500, "no") });
    let record = run.state.record().unwrap();
    assert_eq!((record.status, record.compensation), (RunStatus::Cancelled, Compensation::None));
}

#[test]
fn what_happened_by_the_same_key_before_is_taken_back_whatever_comes() {
    let definition = definition(&format!(
        "- attempt: {{try: [{{{}}}, {{flaky: {{call: other, with: {{}}}}}}], catch: {{retry: {{delay: PT1S, limit: {{attempt: {{count: 3}}}}}}}}}}\n",
        make("one")
    ));
    let (mut run, started) = Run::start(&definition);
    let effects = run.done(call(&started, "one"), "1");
    let effects = run.fail(call(&effects, "flaky"));
    let effects = run.fire(&effects);
    let second = call(&effects, "one");
    run.cancel();
    let effects = run.lose(second);
    assert_eq!(run.attention(), None);
    run.takes_back(&effects, &["1"]);
}

#[test]
fn a_function_is_taken_back_as_a_whole() {
    let undo = "metadata: {rondo: {compensate: [{undo: {call: undo, with: {id: '${ $output.number }'}}}]}}";
    let definition = definition_with(
        "use: {functions: {create: {call: make, with: {name: '${ .name }'}, output: {as: '{inner: .id}'}}}}",
        &format!("- one: {{call: create, with: {{name: a}}, output: {{as: '{{number: .inner}}'}}, {undo}}}\n"),
    );
    let (mut run, started) = Run::start(&definition);
    let ticket = tickets(&started)[0].clone();
    assert!(settles(&run.cancel(), ticket.call));
    let request = build_call(&definition, &run.state, &ticket.call, &()).unwrap();
    assert_eq!((request.with, request.key), (json!({"name": "a"}), ticket.key));
    let effects = run.done(ticket.call, "1");
    run.takes_back(&effects, &["1"]);
}

#[test]
fn variables_and_context_are_those_that_the_task_had() {
    let undo = "metadata: {rondo: {compensate: [{undo: {call: undo, with: {id: '${ $name + $output.id + $context.kept }'}}}]}}";
    let definition = definition(&format!(
        "- before: {{set: {{}}, export: {{as: '{{of: \"c\"}}'}}}}
- loop:
    for: {{each: name, in: '[\"n\"]'}}
    do: [{{one: {{call: make, with: {{name: '${{ $name + $context.of }}'}}, export: {{as: '{{kept: \"k\"}}'}}, {undo}}}}}]
"
    ));
    let (mut run, started) = Run::start(&definition);
    let one = call(&started, "one");
    run.cancel();
    assert_eq!(build_call(&definition, &run.state, &one, &()).unwrap().with, json!({"name": "nc"}));
    let effects = run.done(one, "1");
    run.takes_back(&effects, &["n1k"]);
}

#[test]
fn what_was_not_sent_out_needs_no_answer() {
    let definition = definition(&format!(
        "- both: {{fork: {{branches: [{{{}}}, {{bad: {{raise: {{error: {{type: 'https://example.com/e', status: 400}}}}}}}}]}}}}\n",
        make("good")
    ));
    let (run, started) = Run::start(&definition);
    assert_eq!(tickets(&started), Vec::<&CallTicket>::new());
    assert_eq!(run.status(), RunStatus::Faulted);
    assert_eq!(outstanding(&run.state), []);
}

/// What cannot be read cannot be taken back by what it says; somebody has to look.
#[test]
fn what_happened_and_gave_something_unfit_is_left_behind() {
    let odd = make("odd").replace("call: make", "output: {as: '${ .id + 1 }'}, call: make");
    let definition = definition(&format!("- {}\n- {odd}\n", make("first")));
    for cancelled in [false, true] {
        let (mut run, started) = Run::start(&definition);
        let effects = run.done(call(&started, "first"), "1");
        let odd = call(&effects, "odd");
        if cancelled {
            run.cancel();
        }
        let effects = run.done(odd, "text");
        assert_eq!(run.undone(&effects), json!({"id": "1"}));
        run.send(EventKind::CallCompleted { call: call(&effects, "undo"), output: json!({}) });
        let record = run.state.record().unwrap();
        assert_eq!(record.compensation, Compensation::Failed);
        let left = Attention::CompensationFailed { reference: "/do/1/odd".to_owned() };
        assert_eq!(record.attention, Some(left));
    }
}

#[test]
fn a_skipped_task_of_unknown_outcome_is_asked_about_if_the_run_ends_badly() {
    let definition =
        definition(&format!("- {}\n- {}\n- then: {{call: other, with: {{}}}}\n", make("first"), make("second")));
    let (mut run, second) = under_way(&definition);
    run.send(EventKind::CallUnknown { call: second });
    let skip = EventKind::TaskSkipped {
        reference: "/do/1/second".to_owned(),
        occurrence: 1,
        output: None,
        reason: "no time".to_owned(),
        by: "olga".to_owned(),
    };
    let effects = run.send(skip);
    assert_eq!((run.attention(), run.row("second").status), (None, TaskStatus::Skipped));
    run.fail(call(&effects, "then"));
    assert_eq!(run.attention(), Some(unknown("/do/1/second", second)));
    let effects = run.resolve(second, Resolution::Done { output: json!({"id": "2"}) });
    run.takes_back(&effects, &["2", "1"]);
}

#[test]
fn what_an_operator_says_is_not_asked_again() {
    let definition = two();
    let (mut run, second) = under_way(&definition);
    run.send(EventKind::CallUnknown { call: second });
    let effects = run.resolve(second, Resolution::TryAgain);
    let again = call(&effects, "second");
    run.send(EventKind::CallUnknown { call: again });
    let effects = run.resolve(again, Resolution::Failed { error: RunError::communication(500, "it is not there") });
    run.takes_back(&effects, &["1"]);
}

/// Journals that earlier programs wrote end where they did.
#[test]
fn an_earlier_format_stops_what_is_under_way() {
    let definition = two();
    let (mut run, started) = Run::start_in(&definition, 3);
    let effects = run.done(call(&started, "first"), "1");
    let second = call(&effects, "second");
    let effects = run.cancel();
    assert!(effects.contains(&Effect::StopCall { call: second }));
    assert!(run.done(second, "2").is_empty());
    run.takes_back(&effects, &["1"]);
}

/// Branches, races, repeated and timed tasks, each of which can be taken back.
fn story() -> Definition {
    let timed = make("timed").replace("call: make", "timeout: {after: PT20S}, call: make");
    let idempotent = make("again").replace("rondo: {", "rondo: {idempotent: true, ");
    definition_with(
        "timeout: {after: PT5M}",
        &format!(
            "- {}
- race: {{fork: {{compete: true, branches: [{{{}}}, {{{}}}]}}}}
- attempt: {{try: [{{{timed}}}, {{{idempotent}}}, {{flaky: {{call: other, with: {{}}}}}}], catch: {{retry: {{delay: PT1S, limit: {{attempt: {{count: 2, duration: PT30S}}}}}}}}}}
- all: {{fork: {{branches: [{{{}}}, {{{}}}, {{bad: {{call: other, with: {{}}}}}}]}}}}
- last: {{call: other, with: {{}}}}
",
            make("first"),
            make("left"),
            make("right"),
            make("a"),
            make("b"),
        ),
    )
}

/// The world around a run: what happened in truth, whatever the run is told.
struct World<'d> {
    run: Run<'d>,
    live: BTreeMap<CallId, CallTicket>,
    timers: BTreeMap<TimerId, Timestamp>,
    /// The references of what was made.
    happened: BTreeSet<String>,
    undone: BTreeMap<String, u32>,
    told: BTreeMap<CallId, String>,
    suspended: bool,
}

impl World<'_> {
    fn take(&mut self, effects: Vec<Effect>, chance: bool) {
        for effect in effects {
            match effect {
                Effect::Call(ticket) => {
                    self.told.insert(ticket.call, ticket.reference.clone());
                    self.live.insert(ticket.call, ticket);
                }
                Effect::StopCall { call } => {
                    // Nobody hears what became of it.
                    if let Some(ticket) = self.live.remove(&call).filter(|_| chance) {
                        self.happen(&ticket);
                    }
                }
                Effect::SetTimer { timer, at } => drop(self.timers.insert(timer, at)),
                Effect::ClearTimer { timer } => drop(self.timers.remove(&timer)),
                _ => {}
            }
        }
    }

    fn happen(&mut self, ticket: &CallTicket) {
        match ticket.reference.split_once("/compensate/") {
            Some((of, _)) => *self.undone.entry(of.to_owned()).or_default() += 1,
            None if ticket.function == "make" => drop(self.happened.insert(ticket.reference.clone())),
            None => {}
        }
    }

    fn send(&mut self, kind: EventKind, chance: bool) {
        let effects = self.run.send(kind);
        self.take(effects, chance);
    }

    fn answer(&mut self, what: u8, which: usize) {
        let chance = which & 64 > 0;
        let Some(call) = self.live.keys().nth(which % self.live.len().max(1)).copied() else { return };
        let ticket = self.live.remove(&call).unwrap();
        let error = RunError::communication(503, "no");
        // What takes back does so: what comes of its failures is another story.
        let what = if ticket.compensation { 0 } else { what };
        if what == 0 || (what > 1 && chance) {
            self.happen(&ticket);
        }
        let kind = match what {
            0 => EventKind::CallCompleted { call, output: json!({"id": ticket.name}) },
            1 => EventKind::CallFailed { call, error, retryable: true },
            2 => EventKind::CallLost { call, error },
            _ => EventKind::CallUnknown { call },
        };
        self.send(kind, chance);
    }

    /// An operator looks at the other system.
    fn look(&mut self, which: usize) {
        let Some(Attention::UnknownOutcome { reference, call }) = self.run.attention() else { return };
        assert_eq!(self.told.get(&call), Some(&reference));
        let resolution = if self.happened.contains(&reference) {
            Resolution::Done { output: json!({"id": "looked"}) }
        } else if which.is_multiple_of(3) {
            Resolution::TryAgain
        } else {
            Resolution::Failed { error: RunError::communication(500, "it is not there") }
        };
        self.send(EventKind::CallResolved { call, resolution, by: "olga".to_owned() }, which & 64 > 0);
    }

    fn fire(&mut self, which: usize) {
        let Some((timer, at)) = self.timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (*timer, *at)) else {
            return;
        };
        self.timers.remove(&timer);
        self.run.now = self.run.now.max(at.as_micros());
        self.send(EventKind::TimerFired { timer }, which & 64 > 0);
    }

    fn choose(&mut self, what: u8, which: usize) {
        let by = || "olga".to_owned();
        match what % 16 {
            0..6 => self.answer(0, which),
            6 => self.answer(1, which),
            7 => self.answer(2, which),
            8 => self.answer(3, which),
            9 | 10 => self.look(which),
            11 | 12 => self.fire(which),
            13 if which.is_multiple_of(4) => self.send(EventKind::CancelRequested { by: by(), reason: None }, false),
            14 => {
                self.suspended = !self.suspended;
                let kind =
                    if self.suspended { EventKind::Suspended { by: by() } } else { EventKind::Resumed { by: by() } };
                self.send(kind, which & 64 > 0);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_happened_is_taken_back_once_and_nothing_else(choices in prop::collection::vec((0_u8..16, 0_u8..=255), 0..80)) {
        let definition = story();
        let (run, started) = Run::start(&definition);
        let (live, timers, told) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (happened, undone) = (BTreeSet::new(), BTreeMap::new());
        let mut world = World { run, live, timers, happened, undone, told, suspended: false };
        world.take(started, false);
        for (what, which) in choices {
            world.choose(what, usize::from(which));
        }
        // Whatever is left comes to its end.
        for round in 0..400_u16 {
            if world.run.status().is_final() {
                break;
            }
            if world.suspended {
                world.choose(14, 0);
            }
            world.look(1);
            if world.live.is_empty() {
                world.fire(0);
            }
            world.answer(u8::from(round % 7 == 0), usize::from(round));
        }
        let record = world.run.state.record().unwrap().clone();
        prop_assert!(record.status.is_final(), "{record:?}");
        prop_assert_eq!(record.attention, None);
        prop_assert_eq!(outstanding(&world.run.state), vec![]);
        let expected = if record.status == RunStatus::Completed { BTreeSet::new() } else { world.happened.clone() };
        let undone: BTreeSet<String> = world.undone.keys().cloned().collect();
        prop_assert_eq!(&undone, &expected, "{:?}", world.run.journal);
        prop_assert!(world.undone.values().all(|times| *times == 1), "{:?}", world.undone);
        prop_assert!(!record.retryable || expected.is_empty());
    }
}
