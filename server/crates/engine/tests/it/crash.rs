//! A node that dies at every place of the journal, before and after the commit: the run ends as if nothing had happened,
//! and nothing has its effect twice.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use domain::{RunId, RunStatus, Timestamp};
use engine::Observer;
use serde_json::json;
use store::{
    events::Filter,
    runs::{RunFilter, Visibility},
    workflows::VersionState,
};

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

/// Unwinds without a word: to say where from takes so long that other nodes of this process would lose their leases.
fn die() -> ! {
    std::panic::resume_unwind(Box::new("killed by the test"))
}

/// Kills the actor once, at one place.
struct Killer {
    moment: Moment,
    version: i64,
    struck: AtomicBool,
}

impl Killer {
    fn strike(&self, moment: Moment, version: i64) {
        if moment == self.moment && version == self.version && !self.struck.swap(true, Ordering::SeqCst) {
            die();
        }
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

/// Kills the actor once, as soon as its journal is so long.
struct LateKiller {
    from: i64,
    struck: AtomicBool,
}

impl Observer for LateKiller {
    fn after_commit(&self, _run: RunId, version: i64) {
        assert!(version < self.from || self.struck.swap(true, Ordering::SeqCst), "killed by the test at {version}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_before_the_last_snapshot_is_not_done_again() {
    let lab = Lab::new().await;
    // A snapshot is written after 200 entries.
    let engine = lab.start(Arc::new(LateKiller { from: 220, struck: AtomicBool::new(false) }));
    let id = lab
        .launch(
            "
  - both:
      fork:
        branches:
          - slow: {call: scripted, with: {step: slow, mode: once, pause: 60000}}
          - busy:
              for: {in: '${ [range(250)] }'}
              do: [{one: {call: scripted, with: {step: busy, mode: safe}}}]
",
        )
        .await;
    lab.wait(id, |run| run.needs_attention).await;
    let tasks = lab.tasks(id).await;
    let slow = tasks.iter().find(|task| task.name == "slow").unwrap();
    assert_eq!((slow.status, slow.attempts), (domain::TaskStatus::Unknown, 1));
    engine.shut_down().await;
}

/// Speaks, hears itself, and has another run do the same.
const CONVERSATION: &str = "
  - say: {emit: {event: {with: {source: /outer, type: begun, data: {n: 1}}}}}
  - hear: {listen: {to: {one: {with: {type: begun}}}}}
  - inner: {run: {workflow: {namespace: test, name: inner, version: 1.0.0, input: {heard: '${ . }'}}}}
  - hearAgain: {listen: {to: {one: {with: {type: done}}}}, output: {as: '{said: .[0]}'}}
  - after: {call: scripted, with: {step: after, value: '${ . }'}}
";
const INNER: &str = "
  - one: {call: scripted, with: {step: inner, value: '${ .heard[0].n }'}}
  - say: {emit: {event: {with: {source: /inner, type: done, data: '${ .value }'}}}}
";

/// Kills an actor once, whichever run it works on, at the n-th commit of all.
struct Countdown {
    moment: Moment,
    strike_at: u32,
    before: AtomicU32,
    after: AtomicU32,
}

impl Countdown {
    fn count(&self, moment: Moment, counter: &AtomicU32) {
        let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
        if moment == self.moment && number == self.strike_at {
            die();
        }
    }
}

impl Observer for Countdown {
    fn before_commit(&self, _run: RunId, _version: i64) {
        self.count(Moment::BeforeCommit, &self.before);
    }

    fn after_commit(&self, _run: RunId, _version: i64) {
        self.count(Moment::AfterCommit, &self.after);
    }
}

async fn conversation(moment: Moment, strike_at: u32) -> u32 {
    let lab = Lab::new().await;
    let observer = Arc::new(Countdown { moment, strike_at, before: AtomicU32::new(0), after: AtomicU32::new(0) });
    let engine = lab.start(Arc::clone(&observer) as Arc<dyn Observer>);
    lab.define("inner", "1.0.0", VersionState::Published, INNER).await;
    let id = lab.launch(CONVERSATION).await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    let place = format!("{moment:?} {strike_at}");
    assert_eq!(Lab::output(&run), json!({"step": "after", "value": {"said": 1}}), "{place}");
    assert_eq!(lab.script.steps(), ["inner", "after"], "{place}");
    let mut unit = lab.store.snapshot().await.unwrap();
    let everything = Visibility { everywhere: true, ..Visibility::default() };
    let runs = unit.list_runs(&everything, &RunFilter::default(), None, 100).await.unwrap();
    assert_eq!(runs.len(), 2, "a run was started twice or not at all: {place}");
    let anything = [Filter { kind: None, source: None }];
    let nobody = RunId::from_uuid(uuid::Uuid::nil());
    let events = unit.missed_events(nobody, &anything, Timestamp::from_micros(0), None, 100).await.unwrap();
    assert_eq!(events.len(), 2, "an event was emitted twice or not at all: {place}");
    assert!(unit.subscribers("begun", "/outer").await.unwrap().is_empty(), "{place}");
    drop(unit);
    engine.shut_down().await;
    observer.before.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_talk_to_each_other_may_lose_their_node_at_any_commit() {
    let commits = conversation(Moment::BeforeCommit, u32::MAX).await;
    assert!(commits >= 7, "{commits}");
    let mut conversations = Vec::new();
    for strike_at in 1..=commits {
        for moment in [Moment::BeforeCommit, Moment::AfterCommit] {
            conversations.push(tokio::spawn(conversation(moment, strike_at)));
        }
    }
    for conversation in conversations {
        conversation.await.unwrap();
    }
}
