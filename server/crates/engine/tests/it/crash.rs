//! A node that dies at every place of the journal, before and after the commit: the run ends as if nothing had happened,
//! and nothing has its effect twice.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::{RunId, RunStatus};
use engine::Observer;

use crate::lab::Lab;

const STORY: &str = "
  - one: {call: scripted, with: {step: one}}
  - pause: {wait: {milliseconds: 20}}
  - attempt:
      try:
        - two: {call: scripted, with: {step: two}}
      catch: {retry: {delay: {milliseconds: 10}, limit: {attempt: {count: 3}}}}
  - three:
      for: {each: item, in: '${ [1, 2] }'}
      do:
        - each: {call: scripted, with: {step: each, value: '${ $item }'}}
  - four: {set: {done: true}}
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    BeforeCommit,
    AfterCommit,
}

/// Kills the actor once, at one place.
struct Killer {
    moment: Moment,
    version: i64,
    struck: AtomicBool,
}

impl Killer {
    fn strike(&self, moment: Moment, version: i64) {
        assert!(
            moment != self.moment || version != self.version || self.struck.swap(true, Ordering::SeqCst),
            "killed by the test at {moment:?} {version}"
        );
    }
}

impl Observer for Killer {
    fn before_commit(&self, _run: RunId, version: i64) {
        self.strike(Moment::BeforeCommit, version);
    }

    fn after_commit(&self, _run: RunId, version: i64) {
        self.strike(Moment::AfterCommit, version);
    }
}

async fn story(moment: Moment, version: i64) -> i64 {
    let lab = Lab::new().await;
    lab.script.script("two", [connectors::Outcome::Retryable(workflow::RunError::communication(503, "busy"))]);
    let killer = Arc::new(Killer { moment, version, struck: AtomicBool::new(false) });
    let engine = lab.start(Arc::clone(&killer) as Arc<dyn Observer>);
    let id = lab.launch(STORY).await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    let mut keys: Vec<_> = lab.script.calls();
    assert_eq!(lab.script.steps(), ["one", "two", "each", "each"], "{moment:?} {version}");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4, "an effect happened twice: {moment:?} {version}");
    let entries = lab.journal(id).await;
    let places: Vec<i64> = entries.iter().map(|entry| entry.version).collect();
    assert_eq!(places, (1..=run.journal_version).collect::<Vec<_>>());
    engine.shut_down().await;
    run.journal_version
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_may_die_at_any_place_of_the_journal() {
    let length = story(Moment::BeforeCommit, i64::MAX).await;
    let mut stories = Vec::new();
    for version in 1..=length {
        for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
            stories.push(tokio::spawn(story(moment, version)));
        }
    }
    for story in stories {
        story.await.unwrap();
    }
}
