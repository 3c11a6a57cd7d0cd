use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{
    AlertEnd, DecisionKind, ErrorCode, Name, Operation, Role, RunId, RunStatus, Scope, TriggerId, TriggerKind,
    TriggerOutcome, UserId,
    view::{SavedTriggerView, SigningView},
};
use ring::hmac;
use serde_json::{Map, Value, json};
use service::{Caller, HookCall, HookOutcome, NewTrigger, RunQuery, TrialContent, TriggerSecret, TriggerTrial};
use store::triggers::Kept;

use crate::office::{Office, shown};

const SECRET: &str = "correct horse battery staple";

/// Waits for the end of its alert.
const HEAL: &str = "
document: {dsl: 1.0.3, namespace: incident, name: heal, version: 1.0.0, title: Heal}
input: {schema: {document: {type: object, required: [host], properties: {host: {type: string}}}}}
do:
  - resolved:
      listen:
        to:
          one:
            with: {type: dev.rondo.alert.resolved}
            correlate: {alert: {from: '${ .subject }', expect: '${ $runtime.metadata.trigger.fingerprint }'}}
";

/// Says what it was given.
const ECHO: &str = "
document: {dsl: 1.0.3, namespace: incident, name: echo, version: 1.0.0, title: Echo}
input: {schema: {document: {type: object, required: [branch], properties: {branch: {type: string}}}}}
do: [{say: {set: {said: '${ .branch }', by: '${ $runtime.metadata.trigger.name }'}}}]
";

/// Asks the administrator and the manager.
const ASK: &str = "
document: {dsl: 1.0.3, namespace: incident, name: ask, version: 1.0.0, title: Ask}
input: {schema: {document: {type: object}}}
do: [{decide: {call: approval, with: {approvers: [{user: admin}, {user: manager}], quorum: 1}}}]
";

/// Runs a command.
const SHELL: &str = "
document: {dsl: 1.0.3, namespace: incident, name: shell, version: 1.0.0, title: Shell}
input: {schema: {document: {type: object}}}
do: [{look: {run: {shell: {command: 'true'}}}}]
";

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A trigger of this workflow that takes what comes as it is.
pub(crate) fn new_trigger(workflow: &str) -> NewTrigger {
    NewTrigger {
        workflow: workflow.to_owned(),
        mapping: ".payload".to_owned(),
        enabled: true,
        secret: TriggerSecret::Set(SECRET.to_owned()),
        ..NewTrigger::default()
    }
}

pub(crate) fn trial(payload: Value) -> TriggerTrial {
    TriggerTrial { mapping: None, filter: None, content: TrialContent::Payload(payload, Map::new()) }
}

/// A call as GitHub makes it.
fn push(delivery: &str, body: &Value) -> HookCall {
    let body = body.to_string();
    let signature = hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body.as_bytes()));
    let headers = [
        ("X-GitHub-Event", "push".to_owned()),
        ("X-GitHub-Delivery", delivery.to_owned()),
        ("X-Hub-Signature-256", format!("sha256={signature}")),
    ];
    HookCall::new(headers.map(|(name, value)| (name.to_owned(), value)), body.into_bytes())
}

/// A call as Standard Webhooks have it, signed so many seconds ago.
fn signed(office: &Office, id: &str, ago: i64, body: &str) -> HookCall {
    let time = (office.now().as_micros() / 1_000_000 - ago).to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signature = STANDARD.encode(hmac::sign(&key, format!("{id}.{time}.{body}").as_bytes()));
    let headers =
        [("webhook-id", id.to_owned()), ("webhook-timestamp", time), ("webhook-signature", format!("v1,{signature}"))];
    HookCall::new(headers.map(|(name, value)| (name.to_owned(), value)), body.as_bytes().to_vec())
}

/// A notification of alerts.
fn notification(alerts: &[(&str, &str, &str)]) -> HookCall {
    let alerts: Vec<Value> = alerts
        .iter()
        .map(|(status, fingerprint, starts_at)| {
            json!({
                "status": status, "fingerprint": fingerprint, "startsAt": starts_at, "endsAt": "0001-01-01T00:00:00Z",
                "labels": {"alertname": "NodeDown", "instance": "web-1"}, "annotations": {},
            })
        })
        .collect();
    let body = json!({"version": "4", "status": "firing", "groupKey": "{}", "alerts": alerts}).to_string();
    let headers = [("Authorization".to_owned(), format!("Bearer {SECRET}"))];
    HookCall::new(headers, body.into_bytes())
}

struct Hooked {
    office: Office,
    admin: Caller,
    trigger: SavedTriggerView,
}

impl Hooked {
    async fn open(kind: TriggerKind, new: NewTrigger) -> Self {
        let office = Office::open().await;
        office
            .service
            .load_shipped([("heal.yaml", HEAL), ("echo.yaml", ECHO), ("ask.yaml", ASK), ("shell.yaml", SHELL)])
            .await
            .unwrap();
        let admin = office.caller("admin").await;
        let created = office.service.create_trigger(&admin, name("incident"), name("hook"), kind, new).await;
        let trigger = created.unwrap();
        Self { office, admin, trigger }
    }

    fn id(&self) -> TriggerId {
        self.trigger.trigger.id
    }

    fn place(&self) -> String {
        self.trigger.trigger.address.as_deref().unwrap().rsplit('/').next().unwrap().to_owned()
    }

    async fn send(&self, call: &HookCall) -> Vec<HookOutcome> {
        self.office.service.receive_hook(&self.place(), call).await.unwrap()
    }

    /// Sends, and gives what became of the only thing in it.
    async fn one(&self, call: &HookCall) -> (TriggerOutcome, Option<i64>) {
        let outcomes = self.send(call).await;
        let [one] = outcomes.as_slice() else { panic!("{outcomes:?}") };
        (one.outcome, one.run)
    }

    async fn runs(&self) -> usize {
        self.office
            .service
            .runs(&self.office.caller("operator").await, RunQuery::default(), None, None)
            .await
            .unwrap()
            .items
            .len()
    }

    async fn run_of(&self, number: i64) -> RunId {
        self.office.store.snapshot().await.unwrap().run_by_number(number).await.unwrap().unwrap().id
    }

    async fn status(&self, number: i64, status: RunStatus) {
        self.office.status(self.run_of(number).await, status).await;
    }
}

/// A trigger that has had a delivery.
pub(crate) async fn delivered(office: &Office, unique: &str) -> TriggerId {
    let admin = office.caller("admin").await;
    let new = new_trigger("onboard-employee");
    let created = office.service.create_trigger(&admin, name("identity"), name(unique), TriggerKind::Github, new).await;
    let trigger = created.unwrap().trigger;
    let place = trigger.address.as_deref().unwrap().rsplit('/').next().unwrap();
    office.service.receive_hook(place, &push("1", &json!({}))).await.unwrap();
    trigger.id
}

#[tokio::test]
async fn a_signed_call_launches_one_run_however_often_it_is_sent() {
    let mapping = NewTrigger {
        mapping: "${ {branch: .payload.ref} }".to_owned(),
        filter: Some(".headers[\"x-github-event\"] == \"push\"".to_owned()),
        ..new_trigger("echo")
    };
    let hooked = Hooked::open(TriggerKind::Github, mapping).await;
    let before = hooked.office.audit_end().await;
    let call = push("d-1", &json!({"ref": "main"}));
    let (outcome, run) = hooked.one(&call).await;
    assert_eq!(outcome, TriggerOutcome::Launched);
    assert_eq!(hooked.one(&call).await, (TriggerOutcome::Duplicate, run));
    // Both nodes get the same at once.
    let again = push("d-2", &json!({"ref": "next"}));
    let place = hooked.place();
    let (one, other) = tokio::join!(
        hooked.office.service.receive_hook(&place, &again),
        hooked.office.other_node.receive_hook(&place, &again),
    );
    let mut outcomes = [one.unwrap()[0].outcome, other.unwrap()[0].outcome];
    outcomes.sort_unstable();
    assert_eq!(outcomes, [TriggerOutcome::Launched, TriggerOutcome::Duplicate]);
    assert_eq!(hooked.runs().await, 2);

    let run = hooked.office.ended(hooked.run_of(run.unwrap()).await).await;
    assert_eq!(run.output, Some(json!({"said": "main", "by": "hook"})));
    assert_eq!(run.summary.requester.id, UserId::TRIGGER);
    let entries = hooked.office.audit_after(before).await;
    let launches: Vec<_> = entries.iter().filter(|entry| entry.action == "run.launch").collect();
    assert_eq!(launches.len(), 2);
    assert_eq!(launches[0].actor, "trigger");
    let detail = shown(launches[0])["detail"].clone();
    assert_eq!((detail["delivery"].clone(), detail["name"].clone()), (json!(1), json!("hook")), "{detail}");

    let page = hooked.office.service.deliveries(&hooked.admin, hooked.id(), None, None, None).await.unwrap();
    let seen: Vec<_> = page.items.iter().map(|one| (one.number, one.outcome, one.repeats)).collect();
    assert_eq!(seen, [(2, TriggerOutcome::Launched, 1), (1, TriggerOutcome::Launched, 1)]);
    let people = hooked.office.service.users(&hooked.admin, None, None, None).await.unwrap();
    assert!(people.items.iter().all(|user| user.id != UserId::TRIGGER));
}

#[tokio::test]
async fn whoever_cannot_prove_it_learns_nothing() {
    let hooked = Hooked::open(TriggerKind::Github, new_trigger("echo")).await;
    let service = &hooked.office.service;
    let call = push("d-1", &json!({"branch": "main"}));
    let unsigned = HookCall::new([], b"{}".to_vec());
    let unknown = service.receive_hook("0000", &call).await.unwrap_err();
    let wrong = service.receive_hook(&hooked.place(), &unsigned).await.unwrap_err();
    let off = NewTrigger { enabled: false, secret: TriggerSecret::Keep, ..new_trigger("echo") };
    service.update_trigger(&hooked.admin, hooked.id(), off).await.unwrap();
    let off = service.receive_hook(&hooked.place(), &call).await.unwrap_err();
    assert_eq!(unknown.code, ErrorCode::NotFound);
    assert_eq!((&wrong, &off), (&unknown, &unknown));
    // Nothing is kept of such calls: anybody can make them.
    let page = service.deliveries(&hooked.admin, hooked.id(), None, None, None).await.unwrap();
    assert_eq!((page.items.len(), hooked.runs().await), (0, 0));
    let on = NewTrigger { secret: TriggerSecret::Make, ..new_trigger("echo") };
    let saved = service.update_trigger(&hooked.admin, hooked.id(), on).await.unwrap();
    assert!(saved.secret.is_some_and(|secret| secret.len() >= 32));
    assert!(service.receive_hook(&hooked.place(), &call).await.is_err(), "the secret is another");
}

#[tokio::test]
async fn what_was_signed_long_ago_is_not_taken() {
    let mapping = NewTrigger { mapping: "{branch: .payload.ref}".to_owned(), ..new_trigger("echo") };
    let hooked = Hooked::open(TriggerKind::Webhook, mapping).await;
    let office = &hooked.office;
    let body = json!({"ref": "main"}).to_string();
    assert_eq!(hooked.one(&signed(office, "m-1", 600, &body)).await.0, TriggerOutcome::Invalid);
    assert_eq!(hooked.one(&signed(office, "m-2", -600, &body)).await.0, TriggerOutcome::Invalid);
    assert_eq!(hooked.runs().await, 0);
    let (outcome, run) = hooked.one(&signed(office, "m-3", 200, &body)).await;
    assert_eq!(outcome, TriggerOutcome::Launched);
    // The sender got no answer, and signs the same message anew.
    assert_eq!(hooked.one(&signed(office, "m-3", 0, &body)).await, (TriggerOutcome::Duplicate, run));
    // The message that was too old is sent anew in time.
    assert_eq!(hooked.one(&signed(office, "m-1", 0, &body)).await.0, TriggerOutcome::Launched);
    assert_eq!(hooked.one(&signed(office, "m-4", 0, "no JSON")).await.0, TriggerOutcome::Invalid);
}

#[tokio::test]
async fn what_the_workflow_does_not_take_says_why_and_can_be_sent_again() {
    let mapping = NewTrigger { mapping: "{branch: .payload.ref}".to_owned(), ..new_trigger("echo") };
    let hooked = Hooked::open(TriggerKind::Github, mapping.clone()).await;
    let service = &hooked.office.service;
    let call = push("d-1", &json!({"ref": 7, "password": "hunter2"}));
    let outcomes = hooked.send(&call).await;
    assert_eq!(outcomes[0].outcome, TriggerOutcome::Invalid);
    assert!(outcomes[0].detail.as_deref().is_some_and(|detail| detail.contains("/branch")), "{outcomes:?}");
    let filtered = NewTrigger { filter: Some("false".to_owned()), secret: TriggerSecret::Keep, ..mapping.clone() };
    service.update_trigger(&hooked.admin, hooked.id(), filtered).await.unwrap();
    assert_eq!(hooked.one(&push("d-2", &json!({}))).await.0, TriggerOutcome::Filtered);

    let mended = NewTrigger {
        mapping: "{branch: (.payload.ref | tostring)}".to_owned(),
        secret: TriggerSecret::Keep,
        ..mapping
    };
    service.update_trigger(&hooked.admin, hooked.id(), mended).await.unwrap();
    let view = service.delivery(&hooked.admin, hooked.id(), 1).await.unwrap();
    let content = view.content.unwrap();
    assert_eq!(content["payload"], json!({"ref": 7, "password": "•••"}));
    assert_eq!(content["headers"]["x-github-event"], "push");
    assert!(content["headers"].get("x-hub-signature-256").is_none());
    assert_eq!(hooked.one(&call).await.0, TriggerOutcome::Launched, "the sender sends it again");
    let view = service.delivery(&hooked.admin, hooked.id(), 1).await.unwrap();
    assert_eq!((view.outcome, view.repeats, view.detail), (TriggerOutcome::Launched, 1, None));
    // Large ones are worked on, but not kept.
    let large = json!({"ref": "main", "text": "x".repeat(70_000)});
    assert_eq!(hooked.one(&push("d-3", &large)).await.0, TriggerOutcome::Launched);
    let view = service.delivery(&hooked.admin, hooked.id(), 3).await.unwrap();
    assert!(view.content.is_none() && !view.replayable);
    let refused = service.replay_delivery(&hooked.admin, hooked.id(), 3).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Conflict);
}

#[tokio::test]
async fn what_may_not_be_launched_is_told_once_to_those_who_can_help() {
    // The namespace may run no processes.
    let hooked = Hooked::open(TriggerKind::Github, new_trigger("shell")).await;
    let (office, operator) = (&hooked.office, hooked.office.caller("operator").await);
    let before = office.audit_end().await;
    for delivery in ["d-1", "d-1", "d-2"] {
        assert_eq!(hooked.one(&push(delivery, &json!({}))).await, (TriggerOutcome::Refused, None));
    }
    let notices = office.service.notifications(&operator, None, None).await.unwrap();
    let told: Vec<_> = notices.items.iter().filter(|notice| notice.kind == "trigger-refused").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].link, format!("/triggers/{}", hooked.id()));
    let entries = office.audit_after(before).await;
    assert!(entries.iter().all(|entry| entry.action == "run.launch" && shown(entry)["outcome"] == "refused"));
    assert_eq!(entries.len(), 3);
}

#[tokio::test]
async fn an_alert_has_one_run_and_tells_it_when_it_is_resolved() {
    let new = NewTrigger { mapping: "{host: .alert.labels.instance}".to_owned(), ..new_trigger("heal") };
    let hooked = Hooked::open(TriggerKind::Alertmanager, new).await;
    let (first, later) = ("2026-11-27T10:00:00Z", "2026-11-27T12:00:00Z");
    let outcomes = hooked.send(&notification(&[("firing", "a1", first), ("firing", "b2", first)])).await;
    let numbers: Vec<i64> = outcomes.iter().map(|one| one.run.unwrap()).collect();
    assert!(outcomes.iter().all(|one| one.outcome == TriggerOutcome::Launched), "{outcomes:?}");
    // It goes on firing, and begins once more before its run has ended.
    assert_eq!(
        hooked.one(&notification(&[("firing", "a1", first)])).await,
        (TriggerOutcome::Duplicate, Some(numbers[0]))
    );
    assert_eq!(
        hooked.one(&notification(&[("firing", "a1", later)])).await,
        (TriggerOutcome::Duplicate, Some(numbers[0]))
    );
    assert_eq!(hooked.one(&notification(&[("resolved", "c3", first)])).await, (TriggerOutcome::Filtered, None));
    for number in &numbers {
        hooked.status(*number, RunStatus::Waiting).await;
    }
    assert_eq!(
        hooked.one(&notification(&[("resolved", "a1", first)])).await,
        (TriggerOutcome::Continued, Some(numbers[0]))
    );
    hooked.status(numbers[0], RunStatus::Completed).await;
    let output = hooked.office.ended(hooked.run_of(numbers[0]).await).await.output.unwrap();
    assert_eq!(output[0]["run"]["number"], numbers[0], "{output}");
    assert_eq!(output[0]["alert"]["labels"]["instance"], "web-1");
    // The other alert still fires.
    hooked.status(numbers[1], RunStatus::Waiting).await;
    assert_eq!(hooked.one(&notification(&[("resolved", "a1", first)])).await.0, TriggerOutcome::Duplicate);
    // It was resolved and fires again, with the beginning that it had: another run, which is told when that ends, too.
    let (outcome, anew) = hooked.one(&notification(&[("firing", "a1", first)])).await;
    assert_eq!(outcome, TriggerOutcome::Launched);
    assert_ne!(anew, Some(numbers[0]));
    assert_eq!(hooked.one(&notification(&[("firing", "a1", first)])).await, (TriggerOutcome::Duplicate, anew));
    hooked.status(anew.unwrap(), RunStatus::Waiting).await;
    let before = hooked.office.audit_end().await;
    assert_eq!(hooked.one(&notification(&[("resolved", "a1", first)])).await, (TriggerOutcome::Continued, anew));
    hooked.status(anew.unwrap(), RunStatus::Completed).await;
    let entries = hooked.office.audit_after(before).await;
    let published = entries.iter().find(|entry| entry.action == "event.publish").unwrap();
    assert_eq!(published.actor, "trigger");
    assert_eq!(shown(published)["detail"]["accepted"], 1);
    // What began while the first run was under way has one now.
    let (outcome, anew) = hooked.one(&notification(&[("firing", "a1", later)])).await;
    assert_eq!(outcome, TriggerOutcome::Launched);
    assert_eq!(hooked.one(&notification(&[("firing", "a1", later)])).await, (TriggerOutcome::Duplicate, anew));

    let closing = NewTrigger {
        mapping: "{host: .alert.labels.instance}".to_owned(),
        alert_end: Some(AlertEnd::Close),
        secret: TriggerSecret::Keep,
        ..new_trigger("heal")
    };
    hooked.office.service.update_trigger(&hooked.admin, hooked.id(), closing).await.unwrap();
    let before = hooked.office.audit_end().await;
    assert_eq!(
        hooked.one(&notification(&[("resolved", "b2", first)])).await,
        (TriggerOutcome::Closed, Some(numbers[1]))
    );
    hooked.status(numbers[1], RunStatus::Cancelled).await;
    let entries = hooked.office.audit_after(before).await;
    let cancelled = entries.iter().find(|entry| entry.action == "run.cancel").unwrap();
    assert_eq!(cancelled.actor, "trigger");
    let bad = HookCall::new([("authorization".to_owned(), format!("Bearer {SECRET}"))], b"{\"alerts\": [{}]}".to_vec());
    assert_eq!(hooked.one(&bad).await.0, TriggerOutcome::Invalid);
}

#[tokio::test]
async fn an_alert_whose_run_has_ended_by_itself_has_no_other_until_it_is_resolved() {
    let new = NewTrigger { mapping: "{branch: .alert.labels.instance}".to_owned(), ..new_trigger("echo") };
    let hooked = Hooked::open(TriggerKind::Alertmanager, new).await;
    let said = |status| notification(&[(status, "a1", "2026-11-27T10:00:00Z")]);
    let (outcome, run) = hooked.one(&said("firing")).await;
    assert_eq!(outcome, TriggerOutcome::Launched);
    hooked.status(run.unwrap(), RunStatus::Completed).await;
    assert_eq!(hooked.one(&said("firing")).await, (TriggerOutcome::Duplicate, run));
    assert_eq!(hooked.one(&said("resolved")).await, (TriggerOutcome::Filtered, run));
    let (outcome, other) = hooked.one(&said("firing")).await;
    assert_eq!(outcome, TriggerOutcome::Launched);
    assert_ne!(other, run);
}

#[tokio::test]
async fn what_has_no_id_is_known_by_what_is_signed() {
    let signing = SigningView { signature: "x-signature".to_owned(), time: None, id: None };
    let new = NewTrigger {
        mapping: "{branch: (.payload.ref | ascii_downcase)}".to_owned(),
        signing: Some(signing),
        ..new_trigger("echo")
    };
    let hooked = Hooked::open(TriggerKind::Webhook, new).await;
    let call = |body: &str, scheme: &str| {
        let signature = hex::encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body.as_bytes()));
        HookCall::new([("x-signature".to_owned(), format!("{scheme}{signature}"))], body.as_bytes().to_vec())
    };
    let (outcome, run) = hooked.one(&call("{\"ref\": \"MAIN\"}", "")).await;
    assert_eq!(outcome, TriggerOutcome::Launched);
    // The same signature can be written in many ways.
    for scheme in ["", "sha256=", "v1="] {
        assert_eq!(hooked.one(&call("{\"ref\": \"MAIN\"}", scheme)).await, (TriggerOutcome::Duplicate, run));
    }
    // What an expression says where it fails quotes what was delivered, and is not kept.
    let failed = hooked.send(&call("{\"ref\": {\"password\": \"hunter2\"}}", "")).await;
    assert_eq!(failed[0].outcome, TriggerOutcome::Invalid);
    assert_eq!(failed[0].detail.as_deref(), Some("the mapping failed; try it out with this delivery"));
}

#[tokio::test]
async fn whoever_could_have_called_decides_on_nothing_of_it() {
    let hooked = Hooked::open(TriggerKind::Github, new_trigger("ask")).await;
    let office = &hooked.office;
    let run = hooked.run_of(hooked.one(&push("d-1", &json!({}))).await.1.unwrap()).await;
    let approval = office.approval_of(run).await;
    let (id, digest) = (approval.summary.id, approval.summary.digest.as_str());
    let refused = office.service.decide(&hooked.admin, id, DecisionKind::Approve, "", digest).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::OwnData);
    let manager = office.caller("manager").await;
    office.service.decide(&manager, id, DecisionKind::Approve, "", digest).await.unwrap();
    office.status(run, RunStatus::Completed).await;

    // Nor does whoever has a delivery worked on once more.
    let publisher = office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    let before = office.audit_end().await;
    let replayed = office.service.replay_delivery(&publisher, hooked.id(), 1).await.unwrap();
    assert_eq!((replayed.number, replayed.replay_of, replayed.outcome), (2, Some(1), TriggerOutcome::Launched));
    assert_eq!(replayed.replayed_by.map(|person| person.login).as_deref(), Some("publisher"));
    let entries = office.audit_after(before).await;
    assert!(entries.iter().any(|entry| entry.action == "trigger.replay" && entry.actor == "publisher"));
    let mut unit = office.store.snapshot().await.unwrap();
    let changers = unit.changers(replayed.run.unwrap()).await.unwrap();
    assert!(changers.contains(&hooked.admin.user) && changers.contains(&publisher.user));
    drop(unit);
}

#[tokio::test]
async fn a_trial_says_what_would_become_of_a_delivery_and_launches_nothing() {
    let hooked = Hooked::open(TriggerKind::Github, new_trigger("echo")).await;
    let (service, author) = (&hooked.office.service, hooked.office.caller("author").await);
    let tried = async |trial| service.try_trigger(&author, hooked.id(), trial).await.unwrap();
    let good = tried(trial(json!({"branch": "main"}))).await;
    assert_eq!((good.outcome, good.input), (TriggerOutcome::Launched, Some(json!({"branch": "main"}))));
    let bad = tried(trial(json!({"branch": 7}))).await;
    assert_eq!((bad.outcome, bad.errors[0].pointer.as_str()), (TriggerOutcome::Invalid, "/branch"));
    let other = TriggerTrial { mapping: Some("{branch: .payload.x.y}".to_owned()), ..trial(json!({"x": {"y": "z"}})) };
    assert_eq!(tried(other).await.input, Some(json!({"branch": "z"})));
    let filtered = TriggerTrial { filter: Some("false".to_owned()), ..trial(json!({})) };
    assert_eq!(tried(filtered).await.outcome, TriggerOutcome::Filtered);
    let wrong = TriggerTrial { mapping: Some("{".to_owned()), ..trial(json!({})) };
    assert_eq!(service.try_trigger(&author, hooked.id(), wrong).await.unwrap_err().errors[0].pointer, "/mapping");
    // Of what was delivered, expressions see no more than people do.
    hooked.one(&push("d-1", &json!({"branch": "main", "token": "t0p"}))).await;
    let spying = TriggerTrial {
        mapping: Some("{branch: .payload.token}".to_owned()),
        filter: None,
        content: TrialContent::Delivery(1),
    };
    assert_eq!(tried(spying).await.input, Some(json!({"branch": "•••"})));
    assert_eq!(hooked.runs().await, 1);
}

#[tokio::test]
async fn a_trigger_is_set_up_and_removed_by_those_who_may_and_what_is_wrong_is_said_at_its_field() {
    let hooked =
        Hooked::open(TriggerKind::Webhook, NewTrigger { secret: TriggerSecret::Keep, ..new_trigger("echo") }).await;
    let (service, admin) = (&hooked.office.service, &hooked.admin);
    assert!(hooked.trigger.secret.as_ref().is_some_and(|secret| secret.starts_with("whsec_")));
    let view = service.trigger(admin, hooked.id()).await.unwrap();
    assert_eq!(view.signing.as_ref().map(|signing| signing.signature.as_str()), Some("webhook-signature"));
    assert_eq!(view.actions.len(), 4);
    let author = hooked.office.caller("author").await;
    assert_eq!(service.trigger(&author, hooked.id()).await.unwrap().actions, [Operation::TriggerTry]);
    let staff = hooked.office.caller("staff").await;
    assert_eq!(service.trigger(&staff, hooked.id()).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(service.delete_trigger(&author, hooked.id()).await.unwrap_err().code, ErrorCode::Forbidden);

    let wrong = NewTrigger {
        workflow: "no-such".to_owned(),
        mapping: "{".to_owned(),
        secret: TriggerSecret::Set("short".to_owned()),
        ..NewTrigger::default()
    };
    let create = async |name: &str, new| {
        service
            .create_trigger(admin, "incident".parse().unwrap(), name.parse().unwrap(), TriggerKind::Gitlab, new)
            .await
    };
    let problem = create("other", wrong).await.unwrap_err();
    let pointers: Vec<_> = problem.errors.iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(pointers, ["/mapping", "/secret"]);
    let problem = create("other", new_trigger("no-such")).await.unwrap_err();
    assert_eq!(problem.errors[0].pointer, "/workflow");
    assert_eq!(create("hook", new_trigger("echo")).await.unwrap_err().code, ErrorCode::Conflict);
    let before = hooked.office.audit_end().await;
    service.delete_trigger(admin, hooked.id()).await.unwrap();
    let entries = hooked.office.audit_after(before).await;
    let entry = shown(&entries[0]);
    assert_eq!(
        (entry["action"].as_str(), entry["detail"]["before"]["workflow"].as_str()),
        (Some("trigger.delete"), Some("echo"))
    );
    assert!(!entry.to_string().contains("whsec_"));
    assert_eq!(service.trigger(admin, hooked.id()).await.unwrap_err().code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_secret_can_be_replaced_while_the_workflow_is_retired() {
    let alerts = NewTrigger { mapping: String::new(), ..new_trigger("heal") };
    let hooked = Hooked::open(TriggerKind::Alertmanager, alerts.clone()).await;
    assert_eq!(hooked.trigger.trigger.mapping, ".alert");
    let service = &hooked.office.service;
    let publisher = hooked.office.hire("publisher", &[Role::Publisher], Scope::Everywhere).await;
    service.retire_definition(&publisher, &"incident/heal".parse().unwrap(), "1.0.0", true).await.unwrap();
    let update = async |new| service.update_trigger(&hooked.admin, hooked.id(), new).await;
    let other = NewTrigger { secret: TriggerSecret::Make, ..alerts };
    assert!(update(other.clone()).await.unwrap().secret.is_some());
    // What is not there is named by no change, and switched on by none.
    let named = NewTrigger { workflow: "no-such".to_owned(), ..other.clone() };
    assert_eq!(update(named).await.unwrap_err().errors[0].pointer, "/workflow");
    update(NewTrigger { enabled: false, ..other.clone() }).await.unwrap();
    assert_eq!(update(other).await.unwrap_err().errors[0].pointer, "/workflow");
}

#[tokio::test]
async fn old_deliveries_are_forgotten_and_their_runs_stay() {
    let hooked = Hooked::open(
        TriggerKind::Github,
        NewTrigger { mapping: "{branch: .payload}".to_owned(), ..new_trigger("echo") },
    )
    .await;
    for number in 0..3 {
        hooked.one(&push(&format!("d-{number}"), &json!("main"))).await;
    }
    hooked.office.service.forget_deliveries().await.unwrap();
    let left = async || hooked.office.service.deliveries(&hooked.admin, hooked.id(), None, None, None).await.unwrap();
    assert_eq!(left().await.items.len(), 3);
    let day = std::time::Duration::from_hours(24);
    let kept = Kept { time: 30 * day, number: 1, spared: day };
    let mut unit = hooked.office.store.begin().await.unwrap();
    assert_eq!(unit.prune_deliveries(hooked.office.now() + day / 2, kept, 10).await.unwrap(), 0, "they are spared");
    assert_eq!(unit.prune_deliveries(hooked.office.now() + 2 * day, kept, 10).await.unwrap(), 2);
    unit.commit().await.unwrap();
    assert_eq!(left().await.items[0].number, 3);
    assert_eq!(hooked.runs().await, 3);
}
