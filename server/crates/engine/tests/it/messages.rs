//! Calls that subscribe: messages reach the run durably, and a new owner goes on where the last one stopped.

use std::{sync::Arc, time::Duration};

use domain::RunStatus;
use engine::NoObserver;
use serde_json::json;
use store::workflows::VersionState;
use workflow::EventKind;

use crate::lab::Lab;

const THREE: &str = "
  - hear:
      call: asyncapi
      with:
        subscription:
          filter: '${ .payload.n != 2 }'
          consume: {amount: 3}
          foreach:
            item: message
            do: [{note: {call: scripted, with: {step: note, value: '${ $message.payload.n }'}}}]
            output: {as: '${ .value }'}
";

fn numbered(n: i32) -> serde_json::Value {
    json!({"payload": {"n": n}})
}

async fn received(lab: &Lab, id: domain::RunId) -> usize {
    let journal = lab.journal(id).await;
    journal.iter().filter(|entry| entry.event.contains("\"messageReceived\"")).count()
}

#[tokio::test]
async fn messages_are_written_down_before_they_are_acknowledged_and_those_that_do_not_fit_are_not() {
    let lab = Lab::new().await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch(THREE).await;
    for n in 1..=4 {
        lab.broker.send(numbered(n));
    }
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run), json!([1, 3, 4]));
    assert_eq!(received(&lab, id).await, 3);
    assert_eq!(lab.broker.subscriptions(), 0);
    engine.shut_down().await;
}

#[tokio::test]
async fn the_next_owner_takes_the_subscription_up() {
    let lab = Lab::new().await;
    let engine = lab.start_with(Arc::new(NoObserver), |settings| settings.drain = Duration::from_mins(1));
    let id = lab.launch(THREE).await;
    lab.broker.send(numbered(1));
    // The iteration of the first message is over.
    lab.wait(id, |run| run.journal_version >= 3).await;
    while lab.broker.taken() < 1 {
        tokio::task::yield_now().await;
    }
    // A subscription has no end to wait for, so stopping does not wait for it.
    tokio::time::timeout(Duration::from_secs(20), engine.shut_down()).await.unwrap();
    let stopped = lab.run(id).await;
    assert!(!stopped.status.is_final(), "{stopped:?}");
    while lab.broker.subscriptions() > 0 {
        tokio::task::yield_now().await;
    }
    for n in 2..=4 {
        lab.broker.send(numbered(n));
    }
    assert_eq!(lab.broker.taken(), 1);

    let engine = lab.start(Arc::new(NoObserver));
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run), json!([1, 3, 4]));
    assert_eq!(lab.script.steps(), ["note", "note", "note"]);
    engine.shut_down().await;
}

#[tokio::test]
async fn subscriptions_keep_nobody_from_working_and_end_with_their_run() {
    let lab = Lab::new().await;
    let engine = lab.start_with(Arc::new(NoObserver), |settings| settings.calls = 1);
    let first = lab.launch("\n  - hear: {call: asyncapi, with: {subscription: {consume: {amount: 1}}}}\n").await;
    let second = lab.relaunch(&lab.run(first).await).await;
    let both = async {
        while lab.broker.subscriptions() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
    let tasks = "\n  - one: {call: scripted, with: {step: one}}\n";
    let working = lab.define("working", "1.0.0", VersionState::Published, tasks).await;
    let working = lab.launch_version(&working).await;
    lab.wait_for(working, RunStatus::Completed).await;
    for id in [first, second] {
        lab.push(id, EventKind::CancelRequested { by: "operator".to_owned(), reason: None }).await;
        lab.wait_for(id, RunStatus::Cancelled).await;
    }
    let none = async {
        while lab.broker.subscriptions() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), none).await.unwrap();
    engine.shut_down().await;
}
