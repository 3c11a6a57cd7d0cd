//! Stages of an approval, and runs that begin again with changed input.
#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use domain::{RunId, RunStatus, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;
use workflow::{
    ApprovalRequest, CallId, CallTicket, Definition, Effect, Event, EventKind, FunctionCatalogue, Refusal, RunError,
    RunState, apply, build_call, outstanding, refusal, unsettled,
};

fn definition(rest: &str) -> Definition {
    let mut catalogue = FunctionCatalogue::new();
    catalogue.register("echo", json!({"type": "object"}), "Echo").unwrap();
    let source = format!("document: {{dsl: 1.0.3, namespace: test, name: again, version: 1.0.0}}\n{rest}");
    Definition::parse(&source, &catalogue).unwrap()
}

struct Run<'d> {
    definition: &'d Definition,
    state: RunState,
    at: i64,
}

impl<'d> Run<'d> {
    fn start(definition: &'d Definition, input: Value, runtime: Value) -> (Self, Vec<Effect>) {
        let mut run = Self { definition, state: RunState::new(), at: 0 };
        let id = RunId::from_uuid(Uuid::from_u128(1));
        let effects = run.send(EventKind::Started { run: id, input, runtime });
        (run, effects)
    }

    fn send(&mut self, kind: EventKind) -> Vec<Effect> {
        self.at += 1;
        let event = Event::new(Timestamp::from_micros(self.at), kind);
        apply(self.definition, &mut self.state, &event)
    }

    fn done(&mut self, call: CallId) -> Vec<Effect> {
        self.send(EventKind::CallCompleted { call, output: json!({"outcome": "approved"}) })
    }

    fn again(&mut self, call: CallId, input: Value) -> Vec<Effect> {
        let event = EventKind::Resubmitted { call, input, by: "staff".to_owned() };
        assert_eq!(refusal(self.definition, &self.state, &event), None);
        self.send(event)
    }

    fn refused(&mut self, call: CallId, input: Value) -> Refusal {
        let event = EventKind::Resubmitted { call, input, by: "staff".to_owned() };
        let why = refusal(self.definition, &self.state, &event).unwrap();
        let before = self.state.clone();
        assert_eq!(self.send(event), []);
        assert_eq!(self.state, before, "what is refused changes nothing");
        why
    }

    fn with(&self, call: CallId) -> Value {
        build_call(self.definition, &self.state, &call, &()).unwrap().with
    }
}

fn asked(effects: &[Effect]) -> &ApprovalRequest {
    effects
        .iter()
        .find_map(|effect| if let Effect::OpenApproval(request) = effect { Some(&**request) } else { None })
        .unwrap()
}

fn ticket(effects: &[Effect]) -> &CallTicket {
    effects.iter().find_map(|effect| if let Effect::Call(ticket) = effect { Some(ticket) } else { None }).unwrap()
}

const ROUTED: &str = "input: {schema: {document: {type: object, properties: {days: {type: integer}}}}}
do:
- look: {call: echo, with: {days: '${ .days }'}, output: {as: '${ $input }'}, export: {as: '{seen: .days}'}}
- route: {switch: [{long: {when: .days > 10, then: board}}, {short: {then: line}}]}
- board: {call: approval, with: {approvers: {team: board}}, then: act}
- line: {call: approval, with: {approvers: {managerOf: requester}}}
- act: {call: echo, with: {days: '${ $workflow.input.days }', seen: '${ $context.seen }'}}
";

#[test]
fn a_run_begins_again_with_changed_input_and_takes_the_way_that_follows_from_it() {
    let definition = definition(ROUTED);
    let (mut run, started) = Run::start(&definition, json!({"days": 3}), json!({}));
    let first = ticket(&started).clone();
    let effects = run.done(first.call);
    let line = asked(&effects).clone();
    assert_eq!(line.reference, "/do/3/line");

    let effects = run.again(line.call, json!({"days": 30}));
    assert!(effects.contains(&Effect::CloseApproval { call: line.call }));
    let second = ticket(&effects).clone();
    assert_ne!(first.key, second.key, "with other data it is another thing to do");
    assert_eq!(run.with(second.call), json!({"days": 30}));
    // What the run was told about the earlier input is no more: neither an approval nor the answer to a call.
    assert_eq!(run.done(line.call), []);
    let effects = run.done(second.call);
    let board = asked(&effects).clone();
    assert_eq!((board.reference.as_str(), &board.input), ("/do/2/board", &json!({"days": 30})));
    let effects = run.done(board.call);
    assert_eq!(run.with(ticket(&effects).call), json!({"days": 30, "seen": 30}));
    run.done(ticket(&effects).call);
    assert_eq!(run.state.record().unwrap().status, RunStatus::Completed);
}

#[test]
fn what_was_done_before_is_taken_back_if_the_run_ends_badly() {
    let definition = definition(
        "do:
- one: {call: echo, with: {}, metadata: {rondo: {compensate: [{undo: {call: echo, with: {undo: true}}}]}}}
- ask: {call: approval, with: {approvers: {user: ana}}}
",
    );
    let (mut run, started) = Run::start(&definition, json!({}), json!({}));
    let effects = run.done(ticket(&started).call);
    let effects = run.again(asked(&effects).call, json!({"other": true}));
    let effects = run.done(ticket(&effects).call);
    let call = asked(&effects).call;
    let mut effects = run.send(EventKind::CallFailed { call, error: RunError::rejected("no"), retryable: false });
    for _ in 0..2 {
        let undo = ticket(&effects).call;
        assert_eq!(run.with(undo), json!({"undo": true}), "each execution is undone once");
        effects = run.done(undo);
    }
    assert_eq!(run.state.record().unwrap().status, RunStatus::Faulted);
    assert!(outstanding(&run.state).is_empty());
}

#[test]
fn input_is_changed_only_while_people_are_asked_about_it() {
    let definition = definition(ROUTED);
    let (mut run, started) = Run::start(&definition, json!({"days": 3}), json!({}));
    let look = ticket(&started).call;
    assert_eq!(run.refused(look, json!({"days": 1})), Refusal::NotThere);
    let effects = run.done(look);
    let call = asked(&effects).call;
    assert!(matches!(run.refused(call, json!({"days": "many"})), Refusal::Invalid(_)));
    assert_eq!(run.refused(CallId(99), json!({"days": 1})), Refusal::NotThere);
    let effects = run.done(call);
    assert_eq!(run.refused(call, json!({"days": 1})), Refusal::NotThere, "it was decided");
    run.done(ticket(&effects).call);
    assert_eq!(run.refused(call, json!({"days": 1})), Refusal::Over);

    let parent = json!({"parent": {"run": "x"}});
    let (mut child, started) = Run::start(&definition, json!({"days": 3}), parent);
    let effects = child.done(ticket(&started).call);
    assert_eq!(child.refused(asked(&effects).call, json!({"days": 1})), Refusal::AskedElsewhere);
}

#[test]
fn what_is_under_way_beside_it_is_told() {
    let definition = definition(
        "do: [{both: {fork: {branches: [{ask: {call: approval, with: {approvers: {user: ana}}}}, {act: {call: echo, with: {}}}]}}}]\n",
    );
    let (mut run, started) = Run::start(&definition, json!({}), json!({}));
    let (approval, act) = (asked(&started).call, ticket(&started).call);
    let reference = "/do/0/both/fork/branches/1/act".to_owned();
    assert_eq!(unsettled(&run.state), Some(Refusal::InFlight(reference.clone())));
    run.send(EventKind::CallUnknown { call: act });
    assert_eq!(unsettled(&run.state), Some(Refusal::Unknown(reference)));
    // Should it be sent all the same, the run is whole afterwards.
    let effects = run.again(approval, json!({"n": 2}));
    assert_ne!(asked(&effects).call, approval);
    assert_ne!(ticket(&effects).call, act);
}

#[test]
fn a_run_that_was_halted_begins_again_when_it_goes_on() {
    let definition = definition("do: [{ask: {call: approval, with: {approvers: {user: ana}, due: PT1H}}}]\n");
    let (mut run, started) = Run::start(&definition, json!({"n": 1}), json!({}));
    let call = asked(&started).call;
    run.send(EventKind::Suspended { by: "olga".to_owned() });
    let effects = run.again(call, json!({"n": 2}));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::ClearTimer { .. })), "its due time is gone with it");
    assert!(outstanding(&run.state).is_empty());
    let effects = run.send(EventKind::Resumed { by: "olga".to_owned() });
    assert_eq!(asked(&effects).input, json!({"n": 2}));
}

#[test]
fn the_next_stage_is_asked_of_an_open_approval_only() {
    let definition = definition(
        "do: [{ask: {call: approval, with: {distinct: true, stages: [{approvers: {managerOf: requester}},
              {title: Owner, approvers: [{ownerOf: {connection: directory}}], quorum: all}]}}}]\n",
    );
    let (mut run, started) = Run::start(&definition, json!({}), json!({}));
    let request = asked(&started).clone();
    assert_eq!((request.rule.stages.len(), request.rule.distinct), (2, true));
    for stage in [0, 2] {
        assert_eq!(run.send(EventKind::StageApproved { call: request.call, stage }), []);
    }
    let before = run.state.clone();
    let effects = run.send(EventKind::StageApproved { call: request.call, stage: 1 });
    assert_eq!(effects, [Effect::AskStage { request: Box::new(request.clone()), stage: 1 }]);
    assert_eq!(outstanding(&run.state), outstanding(&before));
    run.done(request.call);
    assert_eq!(run.send(EventKind::StageApproved { call: request.call, stage: 1 }), []);
    let record = run.state.record().unwrap();
    assert_eq!(record.status, RunStatus::Completed);
}

#[test]
fn an_expression_gives_an_approver_or_several() {
    let definition = definition(
        "do: [{ask: {call: approval, with: {stages: [{approvers: '${ .one }'}, {approvers: '${ .many }', quorum: '${ .quorum }'}]}}}]\n",
    );
    let input = json!({"one": {"user": "ana"}, "many": [{"team": "ops"}, {"managerOf": "ana"}], "quorum": "60%"});
    let (_, started) = Run::start(&definition, input, json!({}));
    let written = serde_json::to_value(&asked(&started).rule).unwrap();
    let stages = json!({"stages": [
        {"approvers": [{"user": "ana"}], "quorum": 1},
        {"approvers": [{"team": "ops"}, {"managerOf": "ana"}], "quorum": "60%"}]});
    assert_eq!(written, stages);
    for wrong in [json!({"one": "ana"}), json!({"one": []}), json!({"one": {"user": "a"}, "many": [{"usr": "b"}]})] {
        let (run, _) = Run::start(&definition, wrong.clone(), json!({}));
        assert_eq!(run.state.record().unwrap().status, RunStatus::Faulted, "{wrong}");
    }
}
