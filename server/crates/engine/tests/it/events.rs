use std::sync::Arc;

use domain::{RunId, RunStatus};
use engine::NoObserver;
use serde_json::{Value, json};
use store::{
    events::{Filter, Subscriber},
    workflows::VersionState,
};
use workflow::EventKind;

use crate::lab::Lab;

const HEAR_ONE: &str = "
  - hear: {listen: {to: {one: {with: {type: knock}}}}}
";

async fn subscribers(lab: &Lab, kind: &str) -> Vec<Subscriber> {
    lab.store.snapshot().await.unwrap().subscribers(kind, "/test").await.unwrap()
}

/// Everything that was kept, as a run without a past would find it.
async fn kept(lab: &Lab) -> Vec<String> {
    let anything = [Filter { kind: None, source: None }];
    let nobody = RunId::from_uuid(uuid::Uuid::nil());
    let since = domain::Timestamp::from_micros(0);
    let mut unit = lab.store.snapshot().await.unwrap();
    let events = unit.missed_events(nobody, &anything, since, None, 1_000).await.unwrap();
    events.into_iter().map(|event| event.body).collect()
}

#[tokio::test]
async fn an_event_that_comes_before_its_listener_is_not_lost() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(&format!("\n  - pause: {{wait: {{milliseconds: 300}}}}{HEAR_ONE}")).await;
    lab.publish(&[("knock", "1", json!("early"))]).await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run), json!(["early"]));
    engine.shut_down().await;
}

#[tokio::test]
async fn a_run_takes_no_event_from_before_its_launch() {
    let lab = Lab::new().await;
    lab.publish(&[("knock", "0", json!("too early"))]).await;
    let engine = lab.start(Arc::new(NoObserver));
    let first = lab.launch(HEAR_ONE).await;
    lab.wait_for(first, RunStatus::Waiting).await;
    lab.publish(&[("knock", "1", json!(1))]).await;
    assert_eq!(Lab::output(&lab.wait_for(first, RunStatus::Completed).await), json!([1]));
    let second = lab.relaunch(&lab.run(first).await).await;
    lab.wait_for(second, RunStatus::Waiting).await;
    lab.publish(&[("knock", "2", json!(2))]).await;
    assert_eq!(Lab::output(&lab.wait_for(second, RunStatus::Completed).await), json!([2]));
    engine.shut_down().await;
}

#[tokio::test]
async fn an_event_that_is_published_twice_is_delivered_once() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id =
        lab.launch("\n  - hear: {listen: {to: {any: [{with: {type: knock}}], until: '${ length == 2 }'}}}\n").await;
    lab.wait_for(id, RunStatus::Waiting).await;
    let published = lab.publish(&[("knock", "1", json!(1)), ("knock", "1", json!("again"))]).await;
    assert_eq!((published.accepted, published.duplicates), (1, 1));
    let published = lab.publish(&[("knock", "1", json!("and again")), ("knock", "2", json!(2))]).await;
    assert_eq!((published.accepted, published.duplicates), (1, 1));
    assert_eq!(Lab::output(&lab.wait_for(id, RunStatus::Completed).await), json!([1, 2]));
    assert_eq!(kept(&lab).await.len(), 2);
    engine.shut_down().await;
}

#[tokio::test]
async fn all_who_listen_hear_the_same_event() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let first = lab.launch(HEAR_ONE).await;
    let second = lab.relaunch(&lab.run(first).await).await;
    for id in [first, second] {
        lab.wait_for(id, RunStatus::Waiting).await;
    }
    assert_eq!(lab.publish(&[("knock", "1", json!(1))]).await.woken, [first, second].into());
    for id in [first, second] {
        assert_eq!(Lab::output(&lab.wait_for(id, RunStatus::Completed).await), json!([1]));
    }
    assert_eq!(subscribers(&lab, "knock").await, []);
    engine.shut_down().await;
}

#[tokio::test]
async fn a_run_takes_an_event_once_and_those_that_follow_in_order() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab
        .launch(
            "
  - one: {listen: {to: {one: {with: {type: knock}}}}, export: {as: '{one: .[0]}'}}
  - two: {listen: {to: {one: {with: {type: knock}}}}, export: {as: '$context + {two: .[0]}'}}
  - three: {listen: {to: {one: {with: {type: knock}}}}, output: {as: '$context + {three: .[0]}'}}
",
        )
        .await;
    lab.publish(&[("knock", "1", json!(1)), ("knock", "2", json!(2)), ("other", "3", json!(0))]).await;
    lab.wait_for(id, RunStatus::Waiting).await;
    lab.publish(&[("knock", "4", json!(3))]).await;
    assert_eq!(Lab::output(&lab.wait_for(id, RunStatus::Completed).await), json!({"one": 1, "two": 2, "three": 3}));
    engine.shut_down().await;
}

#[tokio::test]
async fn what_does_not_correlate_is_left_alone_and_out_of_the_journal() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab
        .launch(
            "
  - hear:
      listen:
        to:
          one: {with: {type: paid}, correlate: {order: {from: '${ .data.order }', expect: B}}}
",
        )
        .await;
    lab.wait_for(id, RunStatus::Waiting).await;
    lab.publish(&[("paid", "1", json!({"order": "A"})), ("paid", "2", json!({"order": "B"}))]).await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run), json!([{"order": "B"}]));
    let journal = lab.journal(id).await;
    assert_eq!(journal.iter().filter(|entry| entry.event.contains("eventReceived")).count(), 1);
    assert_eq!(lab.store.snapshot().await.unwrap().inbox(id).await.unwrap(), []);
    engine.shut_down().await;
}

#[tokio::test]
async fn what_a_run_emits_is_heard_by_itself_and_by_others() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let listener = lab.launch(HEAR_ONE).await;
    lab.wait_for(listener, RunStatus::Waiting).await;
    let emit = "
  - say: {emit: {event: {with: {source: /run, type: knock, data: {n: 1}}}}}
  - hear: {listen: {to: {one: {with: {type: knock, source: /run}}}}}
";
    let emitter = lab.define("emitter", "1.0.0", VersionState::Published, emit).await;
    let emitter = lab.launch_version(&emitter).await;
    for id in [emitter, listener] {
        assert_eq!(Lab::output(&lab.wait_for(id, RunStatus::Completed).await), json!([{"n": 1}]));
    }
    engine.shut_down().await;
}

#[tokio::test]
async fn a_run_that_ends_listens_no_more() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(HEAR_ONE).await;
    lab.wait_for(id, RunStatus::Waiting).await;
    assert_eq!(subscribers(&lab, "knock").await.len(), 1);
    lab.push(id, EventKind::CancelRequested { by: "staff".to_owned(), reason: None }).await;
    lab.wait_for(id, RunStatus::Cancelled).await;
    assert_eq!(subscribers(&lab, "knock").await, []);
    engine.shut_down().await;
}

#[tokio::test]
async fn the_lifecycle_of_a_run_is_told_to_those_who_listen_and_kept_for_nobody_else() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let quiet = lab.define("quiet", "1.0.0", VersionState::Published, "\n  - one: {set: {n: 1}}\n").await;
    let unheard = lab.launch_version(&quiet).await;
    lab.wait_for(unheard, RunStatus::Completed).await;
    assert_eq!(kept(&lab).await, [""; 0]);
    let listener = lab
        .launch("\n  - hear: {listen: {to: {one: {with: {type: io.serverlessworkflow.workflow.completed.v1}}}}}\n")
        .await;
    lab.wait_for(listener, RunStatus::Waiting).await;
    let heard = lab.launch_version(&quiet).await;
    let run = lab.wait_for(listener, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run)[0]["name"], format!("quiet-{heard}.test"));
    assert_eq!(Lab::output(&run)[0]["output"], json!({"n": 1}));
    let kept = kept(&lab).await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    engine.shut_down().await;
}

#[tokio::test]
async fn a_run_goes_on_from_its_snapshot_and_tells_on() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab
        .launch(&format!(
            "
  - many:
      for: {{each: item, in: '${{ [range(210)] }}'}}
      do:
        - each: {{call: scripted, with: {{step: each}}}}
{HEAR_ONE}"
        ))
        .await;
    lab.wait_for(id, RunStatus::Waiting).await;
    engine.shut_down().await;
    let (version, text) = lab.store.snapshot().await.unwrap().snapshot_of(id).await.unwrap().unwrap();
    assert!(version >= 200);
    assert!(serde_json::from_str::<Value>(&text).unwrap()["lifecycle"]["made"].as_u64().unwrap() > 400);
    let engine = lab.start(Arc::new(NoObserver));
    lab.publish(&[("knock", "1", json!(1))]).await;
    assert_eq!(Lab::output(&lab.wait_for(id, RunStatus::Completed).await), json!([1]));
    engine.shut_down().await;
}

#[tokio::test]
async fn a_sealed_value_leaves_its_run_masked() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let sealed = lab.parts().vault.seal_value("hunter2");
    let tasks = format!(
        "
  - say: {{emit: {{event: {{with: {{source: /run, type: knock, data: {{link: '{sealed}'}}}}}}}}}}
{HEAR_ONE}"
    );
    let id = lab.launch(&tasks).await;
    assert_eq!(Lab::output(&lab.wait_for(id, RunStatus::Completed).await), json!([{"link": "••••"}]));
    assert!(!kept(&lab).await[0].contains("rondo-sealed"));
    engine.shut_down().await;
}
