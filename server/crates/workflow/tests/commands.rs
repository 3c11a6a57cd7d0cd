//! What operators do to a run, secrets, and the borders of a run's size.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

use std::collections::BTreeMap;

use domain::{RunStatus, TaskStatus};
use serde_json::{Value, json};
use workflow::harness::{Answer, Faults, Scenario};
use workflow::{
    Attention, CallId, CallRequest, Capability, CloudEvent, Compensation, Definition, Effect, Event, EventKind,
    FunctionCatalogue, Resolution, RunError, RunState, SecretSource, TimerId, apply, build_call, outstanding,
    secrets_of_call,
};

fn definition(tasks: &str) -> Definition {
    let mut catalogue = FunctionCatalogue::new();
    for name in ["echo", "fail"] {
        catalogue.register(name, json!({"type": "object", "properties": {"n": {"type": "integer"}}}), name).unwrap();
    }
    catalogue.allow([Capability::RunShell]);
    let source = format!(
        "document: {{dsl: 1.0.3, namespace: test, name: case, version: 1.0.0}}\nuse: {{secrets: [token, other]}}\ndo:\n{tasks}"
    );
    Definition::parse(&source, &catalogue).unwrap_or_else(|diagnostics| panic!("{diagnostics:#?}"))
}

fn echo(request: &CallRequest) -> Answer {
    Answer::Done(request.with.clone())
}

struct Run<'d> {
    definition: &'d Definition,
    state: RunState,
    at: i64,
}

impl<'d> Run<'d> {
    fn start(definition: &'d Definition, input: Value) -> (Self, Vec<Effect>) {
        let mut run = Self { definition, state: RunState::new(), at: 0 };
        let id = "01930000-0000-7000-8000-000000000001".parse().unwrap();
        let effects = run.send(EventKind::Started { run: id, input, runtime: json!({}) });
        (run, effects)
    }

    fn send(&mut self, kind: EventKind) -> Vec<Effect> {
        self.at += 1_000_000;
        let at = domain::Timestamp::from_micros(self.at);
        apply(self.definition, &mut self.state, &Event::new(at, kind))
    }

    fn status(&self) -> RunStatus {
        self.state.record().unwrap().status
    }
}

fn by() -> String {
    "operator".to_owned()
}

fn calls(effects: &[Effect]) -> Vec<CallId> {
    let call = |effect: &Effect| if let Effect::Call(ticket) = effect { Some(ticket.call) } else { None };
    effects.iter().filter_map(call).collect()
}

#[test]
fn cancel_stops_everything_and_takes_back() {
    let definition = definition(
        "- one: {set: {n: 1}, metadata: {rondo: {compensate: [{undo: {call: echo, with: {why: '${ $error.detail }'}}}]}}}
- all: {fork: {branches: [{a: {call: echo, with: {}}}, {b: {wait: PT1H}}, {c: {call: approval, with: {approvers: {user: ana}, due: P1D}}}]}}
",
    );
    let (mut run, started) = Run::start(&definition, json!({}));
    let call = calls(&started)[0];
    let effects = run.send(EventKind::CancelRequested { by: by(), reason: Some("not needed".into()) });
    assert!(effects.contains(&Effect::StopCall { call }));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::CloseApproval { .. })));
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::ClearTimer { .. })).count(), 2);
    assert_eq!(run.status(), RunStatus::Running);
    let undo = calls(&effects)[0];
    let request = build_call(&definition, &run.state, &undo, &()).unwrap();
    assert_eq!(request.with, json!({"why": "not needed"}));
    assert!(run.send(EventKind::CallCompleted { call, output: json!({}) }).is_empty(), "a late answer is ignored");
    assert!(run.send(EventKind::CancelRequested { by: by(), reason: None }).is_empty());
    run.send(EventKind::CallCompleted { call: undo, output: json!({}) });
    let record = run.state.record().unwrap();
    assert_eq!((record.status, record.compensation), (RunStatus::Cancelled, Compensation::Done));
    assert!(outstanding(&run.state).is_empty());
}

#[test]
fn a_suspended_run_takes_answers_and_starts_nothing() {
    let definition = definition("- one: {call: echo, with: {}}\n- two: {call: echo, with: {}}\n");
    let (mut run, started) = Run::start(&definition, json!({}));
    run.send(EventKind::Suspended { by: by() });
    assert_eq!(run.status(), RunStatus::Suspended);
    assert!(run.send(EventKind::Suspended { by: by() }).is_empty());
    let effects = run.send(EventKind::CallCompleted { call: calls(&started)[0], output: json!({"n": 1}) });
    assert_eq!(calls(&effects), []);
    assert!(outstanding(&run.state).is_empty());
    let effects = run.send(EventKind::Resumed { by: by() });
    assert_eq!(calls(&effects).len(), 1);
    assert_eq!(run.status(), RunStatus::Running);
    assert!(run.send(EventKind::Resumed { by: by() }).is_empty());
}

#[test]
fn a_faulted_run_goes_on_from_the_failed_task() {
    let definition = definition(
        "- before: {call: echo, with: {n: 1}}\n- loop: {for: {each: i, in: '[1, 2]'}, do: [{step: {call: echo, with: {n: '${ $i }'}}}]}\n",
    );
    let (mut run, started) = Run::start(&definition, json!({}));
    let effects = run.send(EventKind::CallCompleted { call: calls(&started)[0], output: json!({}) });
    let effects = run.send(EventKind::CallCompleted { call: calls(&effects)[0], output: json!({}) });
    let second = calls(&effects)[0];
    let key = build_call(&definition, &run.state, &second, &()).unwrap().key;
    let error = RunError::communication(500, "down");
    run.send(EventKind::CallFailed { call: second, error, retryable: true });
    let record = run.state.record().unwrap();
    assert_eq!((record.status, record.retryable), (RunStatus::Faulted, true));
    assert!(run.send(EventKind::CallCompleted { call: second, output: json!({}) }).is_empty());
    let effects = run.send(EventKind::RetryRequested { by: by() });
    let again = calls(&effects)[0];
    let request = build_call(&definition, &run.state, &again, &()).unwrap();
    assert_eq!((request.with, request.key, request.attempt), (json!({"n": 2}), key, 2));
    assert_eq!(run.status(), RunStatus::Running);
    run.send(EventKind::CallCompleted { call: again, output: json!({"done": true}) });
    assert_eq!(run.state.record().unwrap().output, Some(json!({"done": true})));
    assert!(run.send(EventKind::RetryRequested { by: by() }).is_empty());
}

#[test]
fn a_retry_starts_other_branches_again_with_their_keys() {
    let definition = definition(
        "- both: {fork: {branches: [{bad: {raise: {error: {type: 'https://example.com/e', status: 400}}}}, {other: {call: echo, with: {}}}]}}\n",
    );
    let (mut run, started) = Run::start(&definition, json!({}));
    assert_eq!(calls(&started), [], "the other branch had not begun");
    let effects = run.send(EventKind::RetryRequested { by: by() });
    assert_eq!(run.status(), RunStatus::Faulted);
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Task(task) if task.name == "bad" && task.occurrence == 2))
    );
}

#[test]
fn a_run_that_took_back_cannot_be_retried() {
    let definition = definition(
        "- one: {set: {}, metadata: {rondo: {compensate: [{undo: {set: {}}}]}}}\n- bad: {call: fail, with: {}}\n",
    );
    let mut responder = |_: &CallRequest| Answer::Fail(RunError::communication(500, "no"));
    let outcome =
        Scenario::new(&definition, json!({})).command(1, EventKind::RetryRequested { by: by() }).drive(&mut responder);
    assert_eq!(outcome.run.status, RunStatus::Faulted);
    assert!(!outcome.run.retryable);
    assert_eq!(outcome.order(), ["one", "bad", "undo"]);
}

#[test]
fn an_unknown_outcome_waits_for_a_person() {
    let definition = definition("- one: {call: echo, with: {}}\n");
    let (mut run, started) = Run::start(&definition, json!({}));
    let call = calls(&started)[0];
    let resolved = |resolution| EventKind::CallResolved { call, resolution, by: by() };
    assert!(run.send(resolved(Resolution::TryAgain)).is_empty(), "nothing to resolve yet");
    let effects = run.send(EventKind::CallUnknown { call });
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Task(task) if task.status == TaskStatus::Unknown)));
    let record = run.state.record().unwrap();
    let expected = Attention::UnknownOutcome { reference: "/do/0/one".into(), call };
    assert_eq!((record.attention.clone(), record.status), (Some(expected), RunStatus::Waiting));
    assert!(outstanding(&run.state).is_empty(), "it must not be dispatched again by a recovery");
    assert!(run.send(EventKind::CallUnknown { call }).is_empty());
    run.send(resolved(Resolution::Done { output: json!({"found": true}) }));
    let record = run.state.record().unwrap();
    assert_eq!((record.status, record.attention.clone()), (RunStatus::Completed, None));
    assert_eq!(record.output, Some(json!({"found": true})));
}

struct Vault(BTreeMap<&'static str, Value>);

impl SecretSource for Vault {
    fn secret(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }
}

#[test]
fn secrets_reach_the_call_and_nothing_else() {
    let definition = definition("- one: {call: echo, with: {header: '${ \"Bearer \" + $secrets.token }'}}\n");
    let (run, started) = Run::start(&definition, json!({}));
    let call = calls(&started)[0];
    let vault = Vault(BTreeMap::from([("token", json!("s3cret-value"))]));
    let request = build_call(&definition, &run.state, &call, &vault).unwrap();
    assert_eq!(request.with, json!({"header": "Bearer s3cret-value"}));
    assert_eq!(request.redact, ["s3cret-value"]);
    assert!(!format!("{request:?}").contains("s3cret"));
    assert!(!serde_json::to_string(&run.state).unwrap().contains("s3cret"));
    let error = build_call(&definition, &run.state, &call, &()).unwrap_err();
    assert_eq!((error.status, error.instance.as_deref()), (403, Some("/do/0/one")));
}

#[test]
fn what_nobody_waits_for_has_its_secrets_when_it_is_made_and_remembers_the_rest() {
    let definition = definition(
        "- one: {run: {shell: {command: '${ .command }', environment: {T: '${ $secrets.token + $context.seen }'}}, await: \
         false}, export: {as: '{seen: \"later\"}'}}\n- two: {call: echo, with: {}}\n",
    );
    let (run, started) = Run::start(&definition, json!({"command": "ls"}));
    let detached = calls(&started)[0];
    assert!(calls(&started).len() == 2, "the run has gone on");
    // As after a restart.
    let kept = serde_json::to_string(&run.state).unwrap();
    let state: RunState = serde_json::from_str(&kept).unwrap();
    assert_eq!(state, run.state);
    assert_eq!(secrets_of_call(&definition, &state, &detached), ["other", "token"]);
    let vault = Vault(BTreeMap::from([("token", json!("s3cret-value"))]));
    let request = build_call(&definition, &state, &detached, &vault).unwrap();
    assert_eq!((&request.with["command"], &request.with["environment"]), (&json!("ls"), &json!({"T": "s3cret-value"})));
    assert_eq!(request.redact, ["s3cret-value"]);
    assert!(!kept.contains("s3cret"));
    let error = build_call(&definition, &state, &detached, &()).unwrap_err();
    assert_eq!((error.status, error.instance.as_deref()), (403, Some("/do/0/one")));
}

#[test]
fn what_nobody_waits_for_is_not_made_with_a_secret_that_is_not_declared() {
    let definition = definition("- one: {run: {shell: {command: '${ $secrets.tokn }'}, await: false}}\n");
    let (run, _) = Run::start(&definition, json!({}));
    let error = run.state.record().unwrap().error.clone().unwrap();
    assert_eq!((error.status, error.instance.as_deref()), (403, Some("/do/0/one")));
    assert!(error.detail.unwrap().contains("did you mean “token”"));
}

#[test]
fn errors_about_arguments_do_not_quote_secrets() {
    let definition = definition(
        "- one: {call: echo, with: {n: '${ $secrets.token }'}}\n- two: {call: echo, with: {n: '${ $secrets.token + 1 }'}}\n",
    );
    let vault = Vault(BTreeMap::from([("token", json!("s3cret-value"))]));
    let (mut run, started) = Run::start(&definition, json!({}));
    let call = calls(&started)[0];
    let error = build_call(&definition, &run.state, &call, &vault).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
    let effects = run.send(EventKind::CallCompleted { call, output: json!({}) });
    let error = build_call(&definition, &run.state, &calls(&effects)[0], &vault).unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
}

#[test]
fn a_run_that_grows_too_large_ends_clearly() {
    let definition = definition(
        "- grow: {set: {text: '${ .text + .text }'}, export: {as: '{parts: ($context.parts + [.text])}'}, then: grow}\n",
    );
    let (run, effects) = Run::start(&definition, json!({"text": "x".repeat(1_000)}));
    let record = run.state.record().unwrap();
    assert_eq!(record.status, RunStatus::Faulted, "{:?}", record.error);
    assert!(effects.len() < 10_000);
    let large = definition_with_large_outputs();
    let mut responder = |_: &CallRequest| Answer::Done(json!({"text": "x".repeat(3_000_000)}));
    let outcome = Scenario::new(&large, json!({})).drive(&mut responder);
    assert_eq!(outcome.run.status, RunStatus::Faulted);
    assert!(outcome.run.error.unwrap().detail.unwrap().contains("8 MiB"));
}

fn definition_with_large_outputs() -> Definition {
    definition(
        "- all: {fork: {branches: [{a: {call: echo, with: {}}}, {b: {call: echo, with: {}}}, {c: {call: echo, with: {}}}, {d: {wait: PT1H}}]}}\n",
    )
}

#[test]
fn deep_data_from_outside_is_refused() {
    let mut deep = json!(1);
    for _ in 0..80 {
        deep = json!([deep]);
    }
    let definition = definition("- one: {call: echo, with: {}}\n");
    let (mut run, started) = Run::start(&definition, json!({}));
    run.send(EventKind::CallCompleted { call: calls(&started)[0], output: deep.clone() });
    assert_eq!(run.state.record().unwrap().error.as_ref().unwrap().status, 400);
    let (run, _) = Run::start(&definition, deep);
    assert_eq!(run.status(), RunStatus::Faulted);
}

#[test]
fn events_that_do_not_fit_change_nothing() {
    let definition = definition("- one: {call: echo, with: {}}\n- two: {wait: PT1S}\n");
    let mut fresh = RunState::new();
    let at = domain::Timestamp::from_micros(1);
    let call = CallId(1);
    let strangers = [
        EventKind::CallStarted { call },
        EventKind::CallCompleted { call: CallId(99), output: json!(1) },
        EventKind::CallFailed { call: CallId(99), error: RunError::rejected("x"), retryable: false },
        EventKind::CallUnknown { call: CallId(99) },
        EventKind::TimerFired { timer: TimerId(99) },
        EventKind::Resumed { by: by() },
        EventKind::RetryRequested { by: by() },
    ];
    for kind in &strangers {
        assert!(apply(&definition, &mut fresh, &Event::new(at, kind.clone())).is_empty(), "{kind:?}");
    }
    assert_eq!(fresh, RunState::new());
    let (mut run, _) = Run::start(&definition, json!({}));
    let before = run.state.clone();
    for kind in strangers {
        assert!(run.send(kind.clone()).is_empty(), "{kind:?}");
        assert_eq!(run.state, before, "{kind:?}");
    }
}

#[test]
fn events_read_and_write_as_tagged_json() {
    let event = Event::new(
        domain::Timestamp::from_micros(1_000_000),
        EventKind::CallResolved { call: CallId(3), resolution: Resolution::TryAgain, by: by() },
    );
    let text = serde_json::to_value(&event).unwrap();
    assert_eq!(
        text,
        json!({"at": "1970-01-01T00:00:01.000000Z", "format": Event::FORMAT, "type": "callResolved", "call": 3, "resolution": {"as": "tryAgain"}, "by": "operator"})
    );
    assert_eq!(serde_json::from_value::<Event>(text).unwrap(), event);
}

#[test]
fn a_crash_anywhere_changes_nothing() {
    let definition = definition(
        "- approve: {call: approval, with: {approvers: {managerOf: requester}, due: P2D}}\n- again: {try: [{one: {call: echo, with: {}}}], catch: {retry: {delay: PT5S, limit: {attempt: {count: 2}}}}}\n- pause: {wait: PT10S}\n- last: {call: echo, with: {n: 7}}\n",
    );
    for position in 0..8 {
        let faults = Faults { crash_after: Some(position), fail_call: Some(0), ..Faults::default() };
        let outcome = Scenario::new(&definition, json!({})).faults(faults).drive(&mut echo);
        assert_eq!(outcome.violations, Vec::<String>::new());
        assert_eq!(outcome.run.output, Some(json!({"n": 7})), "{position}");
    }
}

#[test]
fn a_retry_inside_an_iteration_goes_on_listening() {
    let mut catalogue = FunctionCatalogue::new();
    catalogue.register("echo", json!({"type": "object"}), "echo").unwrap();
    catalogue.allow([Capability::Listen]);
    let source = "document: {dsl: 1.0.3, namespace: test, name: case, version: 1.0.0}
do:
- hear:
    listen: {to: {any: [{with: {type: t}}], until: '(. | length) == 2'}}
    foreach: {do: [{say: {call: echo, with: {n: '${ $item }'}}}]}
";
    let definition = Definition::parse(source, &catalogue).unwrap();
    let (mut run, started) = Run::start(&definition, json!({}));
    let subscribed = |effects: &[Effect]| {
        effects.iter().find_map(|effect| match effect {
            Effect::Subscribe(subscription) => Some(subscription.subscription),
            _ => None,
        })
    };
    let first = subscribed(&started).unwrap();
    let event = |id: &str, subscription| EventKind::EventReceived {
        subscription,
        event: Box::new(CloudEvent::from_value(json!({"id": id, "source": "/s", "type": "t", "data": id})).unwrap()),
    };
    let call = calls(&run.send(event("a", first)))[0];
    let error = RunError::communication(500, "no");
    let failed = run.send(EventKind::CallFailed { call, error, retryable: false });
    assert!(failed.contains(&Effect::Unsubscribe { subscription: first, correlated: None }));
    assert_eq!(run.status(), RunStatus::Faulted);
    let again = run.send(EventKind::RetryRequested { by: by() });
    let second = subscribed(&again).expect("it listens again");
    assert_ne!(first, second);
    assert!(run.send(event("b", first)).is_empty(), "the first subscription is closed");
    assert!(run.send(event("a", second)).is_empty(), "what was consumed stays consumed");
    run.send(EventKind::CallCompleted { call: calls(&again)[0], output: json!(1) });
    assert_eq!(run.status(), RunStatus::Waiting);
    let call = calls(&run.send(event("b", second)))[0];
    run.send(EventKind::CallCompleted { call, output: json!(2) });
    assert_eq!(run.state.record().unwrap().output, Some(json!([1, 2])));
}

#[test]
fn a_process_that_nobody_waits_for_outlives_the_run() {
    let mut catalogue = FunctionCatalogue::new();
    catalogue.allow([Capability::RunShell]);
    let source = "document: {dsl: 1.0.3, namespace: test, name: case, version: 1.0.0}
do: [{it: {run: {await: false, shell: {command: '${ .command }'}}}}]
";
    let definition = Definition::parse(source, &catalogue).unwrap();
    let (mut run, started) = Run::start(&definition, json!({"command": "ls"}));
    assert_eq!(run.status(), RunStatus::Completed);
    let call = calls(&started)[0];
    assert_eq!(calls(&outstanding(&run.state)), [call]);
    let request = build_call(&definition, &run.state, &call, &()).unwrap();
    assert_eq!((request.function.as_str(), &request.with), ("run.shell", &json!({"command": "ls"})));
    run.send(EventKind::CallFailed { call, error: RunError::communication(500, "no"), retryable: false });
    assert!(outstanding(&run.state).is_empty());
    assert_eq!(run.status(), RunStatus::Completed);
    assert!(build_call(&definition, &run.state, &call, &()).is_err());
}

#[test]
fn a_policy_may_be_a_secret() {
    struct Secrets;
    impl SecretSource for Secrets {
        fn secret(&self, name: &str) -> Option<Value> {
            match name {
                "login" => Some(json!({"username": "ana", "password": "swordfish"})),
                "my-token" => Some(json!("t0ken-value")),
                _ => None,
            }
        }
    }
    let mut catalogue = FunctionCatalogue::new();
    catalogue.register("http", json!({"type": "object"}), "http").unwrap();
    let source = "document: {dsl: 1.0.3, namespace: test, name: case, version: 1.0.0}
use: {secrets: [login, my-token], authentications: {shared: {basic: {use: login}}}}
do:
- one: {call: http, with: {endpoint: {uri: 'https://example.com', authentication: {use: shared}}, header: '${ $authorization.scheme }'}}
- two: {call: http, with: {endpoint: {uri: 'https://example.com', authentication: {bearer: {use: my-token}}}, header: '${ $authorization }'}}
";
    let definition = Definition::parse(source, &catalogue).unwrap();
    let (mut run, started) = Run::start(&definition, json!({}));
    let call = calls(&started)[0];
    let request = build_call(&definition, &run.state, &call, &Secrets).unwrap();
    let policy = json!({"basic": {"username": "ana", "password": "swordfish"}});
    assert_eq!((&request.with["endpoint"]["authentication"], &request.with["header"]), (&policy, &json!("Basic")));
    for secret in ["swordfish", "YW5hOnN3b3JkZmlzaA=="] {
        assert!(request.redact.contains(&secret.to_owned()), "{secret}");
    }
    let next = run.send(EventKind::CallCompleted { call, output: json!({}) });
    let request = build_call(&definition, &run.state, &calls(&next)[0], &Secrets).unwrap();
    assert_eq!(request.with["endpoint"]["authentication"], json!({"bearer": {"token": "t0ken-value"}}));
    assert_eq!(request.with["header"], json!({"scheme": "Bearer", "parameter": "t0ken-value"}));
    assert_eq!(build_call(&definition, &run.state, &calls(&next)[0], &()).unwrap_err().status, 403);
}

#[test]
fn a_run_that_is_cancelled_before_it_begins_does_nothing() {
    let definition = definition("- say: {set: {said: true}}\n- one: {call: echo, with: {n: 1}}");
    let mut run = Run { definition: &definition, state: RunState::new(), at: 0 };
    let cancel = EventKind::CancelRequested { by: by(), reason: Some("no need".to_owned()) };
    assert_eq!(run.send(cancel.clone()), []);
    assert_eq!(run.send(cancel), [], "once is enough");
    let kept = serde_json::from_str(&serde_json::to_string(&run.state).unwrap()).unwrap();
    run.state = kept;
    let id = "01930000-0000-7000-8000-000000000001".parse().unwrap();
    let effects = run.send(EventKind::Started { run: id, input: json!({}), runtime: json!({}) });
    assert!(matches!(effects.as_slice(), [Effect::Run(_)]), "{effects:?}");
    assert_eq!(run.status(), RunStatus::Cancelled);
    assert_eq!(run.state.record().unwrap().error.as_ref().unwrap().detail.as_deref(), Some("no need"));
    assert_eq!(outstanding(&run.state), []);
}

#[test]
fn an_approval_that_is_open_can_be_put_to_people_again() {
    let definition = definition("- ask: {call: approval, with: {approvers: {user: ana}}}\n");
    let (mut run, started) = Run::start(&definition, json!({}));
    let opened: Vec<_> = started.iter().filter(|effect| matches!(effect, Effect::OpenApproval(_))).cloned().collect();
    let [Effect::OpenApproval(request)] = opened.as_slice() else { panic!("{started:?}") };
    let call = request.call;
    assert_eq!(run.send(EventKind::ApproverLeft { call }), opened);
    assert_eq!(run.send(EventKind::ApproverLeft { call: CallId(99) }), []);
    run.send(EventKind::CallCompleted { call, output: json!({}) });
    assert_eq!(run.send(EventKind::ApproverLeft { call }), []);
    assert_eq!(run.status(), RunStatus::Completed);
}

fn opened(effects: &[Effect]) -> Box<workflow::ApprovalRequest> {
    let request = effects.iter().find_map(|effect| match effect {
        Effect::OpenApproval(request) => Some(request.clone()),
        _ => None,
    });
    request.unwrap_or_else(|| panic!("no approval was opened: {effects:?}"))
}

#[test]
fn an_approval_that_nobody_decides_is_rejected_cancels_or_asks_more_people() {
    let ask =
        |with: &str| definition(&format!("- ask: {{call: approval, with: {{approvers: {{user: ana}}, {with}}}}}\n"));
    let timer = |effects: &[Effect]| effects.iter().any(|effect| matches!(effect, Effect::SetTimer { .. }));
    for (with, ended) in [("", RunStatus::Faulted), (", onDue: cancel", RunStatus::Cancelled)] {
        // By a calendar, whoever knows it tells when.
        let definition = ask(&format!("due: PT8H, calendar: office{with}"));
        let (mut run, started) = Run::start(&definition, json!({}));
        let request = opened(&started);
        assert!(request.due.is_none() && !timer(&started));
        let effects = run.send(EventKind::ApprovalDue { call: request.call });
        assert!(effects.contains(&Effect::CloseApproval { call: request.call }));
        assert_eq!(run.status(), ended, "{with}");
        assert_eq!(run.send(EventKind::ApprovalDue { call: request.call }), []);
    }
    let definition = ask("due: PT8H, onDue: escalate, escalateTo: {role: operator}");
    let (mut run, started) = Run::start(&definition, json!({}));
    let request = opened(&started);
    assert!(request.due.is_some() && !timer(&started));
    let call = request.call;
    assert_eq!(run.send(EventKind::ApprovalEscalated { call }), [Effect::Escalate(request)]);
    assert_eq!(run.send(EventKind::ApprovalDue { call }), []);
    assert_eq!(run.send(EventKind::ApprovalEscalated { call: CallId(99) }), []);
    run.send(EventKind::CallCompleted { call, output: json!({}) });
    assert_eq!(run.send(EventKind::ApprovalEscalated { call }), []);
    assert_eq!(run.status(), RunStatus::Completed);
}
