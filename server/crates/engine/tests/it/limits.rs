//! Limits of what is executed at once and in what time, and turns between namespaces.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::{ConnectionId, RunId, RunStatus, WaitsFor};
use engine::{Engine, EngineSettings, NoObserver, Parts};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};
use store::{
    Store,
    connections::Connection,
    limits::{Claimant, NamespaceLimits},
    runs::Run,
    workflows::{VersionState, WorkflowVersion},
};
use store_postgres::{PoolSizes, PostgresStore};
use testkit::ManualClock;
use workflow::EventKind;

use crate::{
    lab::{Lab, until},
    postgres::database,
};

/// Long enough that a busy machine does not take a living node for a dead one.
const LEASE: Duration = Duration::from_secs(6);
const GATED: &str = "\n  - one: {call: gated, with: {step: '${ $runtime.metadata.run.number | tostring }'}}\n";
const OVER_CONNECTION: &str = "
  - one: {call: gated, with: {connection: narrow, step: '${ $runtime.metadata.run.number | tostring }'}}
";

async fn launch_many(lab: &Lab, version: &WorkflowVersion, runs: usize) -> Vec<RunId> {
    let mut launched = Vec::new();
    for _ in 0..runs {
        launched.push(lab.launch_version(version).await);
    }
    launched
}

async fn limited(lab: &Lab, limits: &str, tasks: &str) -> WorkflowVersion {
    let top = format!(", metadata: {{rondo: {{limits: {limits}}}}}}}");
    lab.define_with("sample", "1.0.0", VersionState::Published, &top, tasks).await
}

async fn connect(lab: &Lab, settings: Value) {
    let now = lab.parts().clock.now();
    let connection = Connection {
        id: ConnectionId::new(lab.parts().ids.as_ref()),
        name: "narrow".to_owned(),
        kind: "gated".to_owned(),
        settings: settings.to_string(),
        sealed_secret: None,
        namespaces: json!(["*"]).to_string(),
        owner: None,
        last_check: None,
        failing_since: None,
        check_due_at: now,
        created_at: now,
        updated_at: now,
    };
    let mut unit = lab.store.begin().await.unwrap();
    unit.put_connection(&connection).await.unwrap();
    unit.commit().await.unwrap();
}

async fn limit_namespace(lab: &Lab, runs: Option<u32>, calls: Option<u32>) {
    let limits = NamespaceLimits {
        namespace: "test".parse().unwrap(),
        runs,
        calls,
        changed_by: lab.manager.id,
        changed_at: lab.parts().clock.now(),
    };
    let mut unit = lab.store.begin().await.unwrap();
    unit.put_namespace_limits(&limits).await.unwrap();
    unit.commit().await.unwrap();
}

fn waits(limit: WaitsFor) -> impl Fn(&Run) -> bool {
    move |run| run.waits_for == Some(limit)
}

/// Lets one call end after the other until all runs are through; how many were under way at once, at most.
async fn let_all_end(lab: &Lab, runs: &[RunId]) -> usize {
    for id in runs {
        lab.gate.let_end(1);
        lab.wait_for(*id, RunStatus::Completed).await;
    }
    lab.gate.most()
}

fn numbers(runs: impl IntoIterator<Item = i64>) -> Vec<String> {
    runs.into_iter().map(|number| number.to_string()).collect()
}

#[tokio::test]
async fn runs_of_a_workflow_wait_for_their_turn_in_order_of_launch() {
    let lab = Lab::new().await;
    let version = limited(&lab, "{concurrency: 1}", GATED).await;
    let engine = lab.start(Arc::new(NoObserver));
    let mut runs = launch_many(&lab, &version, 1).await;
    lab.wait_for(runs[0], RunStatus::Running).await;
    for _ in 1..5 {
        runs.push(lab.launch_version(&version).await);
        let run = lab.wait(runs[runs.len() - 1], waits(WaitsFor::Workflow)).await;
        assert_eq!((run.status, run.journal_version), (RunStatus::Pending, 0));
    }
    let most = let_all_end(&lab, &runs).await;
    assert_eq!((most, lab.gate.begun()), (1, numbers(1..=5)));
    engine.shut_down().await;
}

#[tokio::test]
async fn a_run_keeps_its_place_while_it_waits_for_an_event() {
    let lab = Lab::new().await;
    let listens = "\n  - heard: {listen: {to: {one: {with: {type: go}}}}}\n";
    let version = limited(&lab, "{concurrency: 1}", listens).await;
    let engine = lab.start(Arc::new(NoObserver));
    let first = lab.launch_version(&version).await;
    lab.wait_for(first, RunStatus::Waiting).await;
    let second = lab.launch_version(&version).await;
    lab.wait(second, waits(WaitsFor::Workflow)).await;
    lab.publish(&[("go", "1", json!(1))]).await;
    lab.wait_for(first, RunStatus::Completed).await;
    // It hears what came since its launch, so it goes through at once.
    let run = lab.wait_for(second, RunStatus::Completed).await;
    assert_eq!(run.waits_for, None);
    engine.shut_down().await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_while_it_waits_does_nothing_and_blocks_nobody() {
    let lab = Lab::new().await;
    let version = limited(&lab, "{concurrency: 1}", GATED).await;
    let engine = lab.start(Arc::new(NoObserver));
    let mut runs = launch_many(&lab, &version, 1).await;
    lab.wait_for(runs[0], RunStatus::Running).await;
    runs.extend(launch_many(&lab, &version, 2).await);
    for id in &runs[1..] {
        lab.wait(*id, waits(WaitsFor::Workflow)).await;
    }
    lab.push(runs[1], EventKind::CancelRequested { by: "staff".to_owned(), reason: Some("no".to_owned()) }).await;
    let cancelled = lab.wait_for(runs[1], RunStatus::Cancelled).await;
    assert!(cancelled.error.unwrap().contains("no"));
    assert_eq!(lab.tasks(runs[1]).await, []);
    let_all_end(&lab, &[runs[0], runs[2]]).await;
    assert_eq!(lab.gate.begun(), numbers([1, 3]));
    engine.shut_down().await;
}

#[tokio::test]
async fn a_run_that_is_retried_takes_its_place_again() {
    let lab = Lab::new().await;
    let refused = connectors::Outcome::Permanent(workflow::RunError::communication(409, "no"));
    lab.script.script("fails", [refused]);
    let tasks = "\n  - fails: {call: scripted, with: {step: fails}}\n  - one: {call: gated, with: {step: one}}\n";
    let version = limited(&lab, "{concurrency: 1}", tasks).await;
    let engine = lab.start(Arc::new(NoObserver));
    let first = lab.launch_version(&version).await;
    lab.wait_for(first, RunStatus::Faulted).await;
    let second = lab.launch_version(&version).await;
    lab.wait_for(second, RunStatus::Running).await;
    lab.push(first, EventKind::RetryRequested { by: "operator".to_owned() }).await;
    let waiting = lab.wait(first, waits(WaitsFor::Workflow)).await;
    assert_eq!(waiting.status, RunStatus::Faulted);
    let most = let_all_end(&lab, &[second, first]).await;
    assert_eq!(most, 1);
    engine.shut_down().await;
}

#[tokio::test]
async fn a_run_within_a_run_of_its_own_workflow_has_its_place_already() {
    let lab = Lab::new().await;
    let tasks = "
  - again:
      if: '${ .inner != true }'
      run: {workflow: {namespace: test, name: sample, version: 1.0.0, input: {inner: true}}}
";
    let version = limited(&lab, "{concurrency: 1}", tasks).await;
    limit_namespace(&lab, Some(1), None).await;
    let engine = lab.start(Arc::new(NoObserver));
    let id = lab.launch_version(&version).await;
    lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(lab.runs_of("sample").await.len(), 2);
    engine.shut_down().await;
}

#[tokio::test]
async fn no_more_runs_begin_than_the_rate_allows() {
    let clock = Arc::new(ManualClock::default());
    let lab = Lab::new().await.by_the_clock(clock.clone());
    let tasks = "\n  - one: {call: scripted, with: {step: one}}\n";
    let version = limited(&lab, "{rate: {count: 2, per: PT1M}}", tasks).await;
    let runs = launch_many(&lab, &version, 5).await;
    // The clock leaps further than a usual lease.
    let engine = lab.start_with(Arc::new(NoObserver), |settings| settings.lease = Duration::from_hours(1));
    for begun in [2, 4, 5] {
        lab.wait(runs[0], |_| lab.script.steps().len() == begun).await;
        for id in &runs {
            let settled = |run: &Run| run.status.is_final() || run.waits_for == Some(WaitsFor::Workflow);
            lab.wait(*id, settled).await;
        }
        assert_eq!(lab.script.steps().len(), begun);
        clock.advance(Duration::from_mins(1));
    }
    engine.shut_down().await;
}

#[tokio::test]
async fn a_namespace_executes_no_more_runs_than_it_may() {
    let lab = Lab::new().await;
    limit_namespace(&lab, Some(2), None).await;
    let one = lab.define("one", "1.0.0", VersionState::Published, GATED).await;
    let other = lab.define("other", "1.0.0", VersionState::Published, GATED).await;
    let engine = lab.start(Arc::new(NoObserver));
    let mut runs = launch_many(&lab, &one, 2).await;
    for id in &runs {
        lab.wait_for(*id, RunStatus::Running).await;
    }
    runs.push(lab.launch_version(&other).await);
    lab.wait(runs[2], waits(WaitsFor::Namespace)).await;
    runs.push(lab.launch_version(&one).await);
    lab.wait(runs[3], waits(WaitsFor::Namespace)).await;
    let elsewhere = lab.define_in("elsewhere", "one", "1.0.0", VersionState::Published, "", GATED).await;
    let free = lab.launch_version(&elsewhere).await;
    lab.wait_for(free, RunStatus::Running).await;
    lab.gate.let_end(9);
    for id in runs.into_iter().chain([free]) {
        lab.wait_for(id, RunStatus::Completed).await;
    }
    assert_eq!(lab.gate.most(), 3);
    engine.shut_down().await;
}

#[tokio::test]
async fn what_waits_goes_on_when_the_limit_of_the_namespace_is_taken_away() {
    let lab = Lab::new().await;
    limit_namespace(&lab, Some(1), None).await;
    let version = lab.define("one", "1.0.0", VersionState::Published, GATED).await;
    let engine = lab.start(Arc::new(NoObserver));
    let mut runs = launch_many(&lab, &version, 1).await;
    lab.wait_for(runs[0], RunStatus::Running).await;
    runs.extend(launch_many(&lab, &version, 3).await);
    for id in &runs[1..] {
        lab.wait(*id, waits(WaitsFor::Namespace)).await;
    }
    let mut unit = lab.store.begin().await.unwrap();
    unit.delete_namespace_limits(&"test".parse().unwrap()).await.unwrap();
    unit.commit().await.unwrap();
    // The first of them looks again after a while, and tells the next.
    for id in &runs {
        lab.wait_for(*id, RunStatus::Running).await;
    }
    lab.gate.let_end(4);
    for id in &runs {
        lab.wait_for(*id, RunStatus::Completed).await;
    }
    engine.shut_down().await;
}

#[tokio::test]
async fn calls_over_a_connection_wait_without_their_runs_being_held() {
    let lab = Lab::new().await;
    connect(&lab, json!({"callsAtOnce": 2})).await;
    let version = lab.define("sample", "1.0.0", VersionState::Published, OVER_CONNECTION).await;
    let engine = lab.start(Arc::new(NoObserver));
    let mut runs = launch_many(&lab, &version, 2).await;
    lab.wait(runs[0], |_| lab.gate.under_way() == 2).await;
    runs.extend(launch_many(&lab, &version, 4).await);
    for id in &runs[2..] {
        lab.wait(*id, waits(WaitsFor::Connection)).await;
    }
    let mut unit = lab.store.snapshot().await.unwrap();
    let held =
        unit.list_runs(&store::runs::Visibility::everything(), &store::runs::RunFilter::default(), None, 99).await;
    drop(unit);
    assert_eq!(held.unwrap().iter().filter(|run| run.waits_for.is_some()).count(), 4);
    assert_eq!((lab.gate.under_way(), lab.gate.begun().len()), (2, 2));
    lab.gate.let_end(6);
    for id in &runs {
        lab.wait_for(*id, RunStatus::Completed).await;
    }
    assert_eq!(lab.gate.most(), 2);
    assert_eq!(lab.gate.begun().into_iter().collect::<BTreeSet<_>>().len(), 6, "none of them was made twice");
    engine.shut_down().await;
}

#[tokio::test]
async fn a_call_that_waits_can_be_given_up_and_others_of_its_run_go_on() {
    let lab = Lab::new().await;
    connect(&lab, json!({"callsAtOnce": 1})).await;
    let holder = lab.define("holder", "1.0.0", VersionState::Published, OVER_CONNECTION).await;
    let tasks = "
  - both:
      fork:
        compete: true
        branches:
          - never: {call: gated, with: {connection: narrow, step: never}}
          - free: {call: gated, with: {step: free}}
";
    let engine = lab.start(Arc::new(NoObserver));
    let holder = lab.launch_version(&holder).await;
    lab.wait(holder, |_| lab.gate.under_way() == 1).await;
    let version = lab.define("sample", "1.0.0", VersionState::Published, tasks).await;
    let id = lab.launch_version(&version).await;
    lab.wait(id, |_| lab.gate.under_way() == 2).await;
    lab.gate.let_end(2);
    for id in [id, holder] {
        lab.wait_for(id, RunStatus::Completed).await;
    }
    let after = lab.define("after", "1.0.0", VersionState::Published, OVER_CONNECTION).await;
    let after = lab.launch_version(&after).await;
    lab.gate.let_end(2);
    lab.wait_for(after, RunStatus::Completed).await;
    engine.shut_down().await;
}

/// The other branch has the only slot until it has won.
#[tokio::test]
async fn a_call_that_is_stopped_while_it_asks_for_its_place_stands_in_nobodys_way() {
    let lab = Lab::new().await;
    connect(&lab, json!({"callsAtOnce": 1})).await;
    let holder = lab.define("holder", "1.0.0", VersionState::Published, OVER_CONNECTION).await;
    let tasks = "
  - both:
      fork:
        compete: true
        branches:
          - free: {call: scripted, with: {step: free}}
          - never: {call: gated, with: {connection: narrow, step: never}}
";
    let version = lab.define("sample", "1.0.0", VersionState::Published, tasks).await;
    let engine = lab.start_with(Arc::new(NoObserver), |settings| settings.calls = 2);
    let holder = lab.launch_version(&holder).await;
    lab.wait(holder, |_| lab.gate.under_way() == 1).await;
    let runs = launch_many(&lab, &version, 20).await;
    for id in &runs {
        lab.wait_for(*id, RunStatus::Completed).await;
    }
    until("none of them has a place, or waits for one", async || {
        let mut unit = lab.store.snapshot().await.unwrap();
        for (id, call) in runs.iter().flat_map(|id| (0..4).map(move |call| (*id, Some(call)))) {
            if !unit.places_of(Claimant { run: id, call }).await.unwrap().is_empty() {
                return false;
            }
        }
        true
    })
    .await;
    lab.gate.let_end(1);
    lab.wait_for(holder, RunStatus::Completed).await;
    engine.shut_down().await;
}

/// Whether the run is held, because another call of it is under way, or sleeps.
#[tokio::test]
async fn a_call_that_waits_when_its_run_is_cancelled_is_never_made() {
    let lab = Lab::new().await;
    connect(&lab, json!({"callsAtOnce": 1})).await;
    let holder = lab.define("holder", "1.0.0", VersionState::Published, OVER_CONNECTION).await;
    let engine = lab.start(Arc::new(NoObserver));
    let holder = lab.launch_version(&holder).await;
    lab.wait(holder, |_| lab.gate.under_way() == 1).await;
    let undo = "metadata: {rondo: {compensate: [{undo: {call: scripted, with: {step: undo}}}]}}";
    let never = format!("{{never: {{call: gated, with: {{connection: narrow, step: never}}, {undo}}}}}");
    for (name, branches) in
        [("sleeps", never.clone()), ("held", format!("{never}, {{free: {{call: gated, with: {{step: free}}}}}}"))]
    {
        let tasks = format!("\n  - both: {{fork: {{branches: [{branches}]}}}}\n");
        let version = lab.define(name, "1.0.0", VersionState::Published, &tasks).await;
        let id = lab.launch_version(&version).await;
        if name == "held" {
            lab.wait(id, |_| lab.gate.under_way() == 2).await;
        } else {
            lab.wait(id, waits(WaitsFor::Connection)).await;
        }
        lab.push(id, EventKind::CancelRequested { by: "operator".to_owned(), reason: None }).await;
        assert!(!lab.wait_for(id, RunStatus::Cancelled).await.compensated);
    }
    assert!(!lab.gate.begun().contains(&"never".to_owned()));
    lab.gate.let_end(1);
    lab.wait_for(holder, RunStatus::Completed).await;
    let after = lab.define("after", "1.0.0", VersionState::Published, OVER_CONNECTION).await;
    let after = lab.launch_version(&after).await;
    lab.gate.let_end(1);
    lab.wait_for(after, RunStatus::Completed).await;
    engine.shut_down().await;
}

#[tokio::test]
async fn no_more_calls_begin_in_a_minute_than_the_connection_takes() {
    let clock = Arc::new(ManualClock::default());
    let lab = Lab::new().await.by_the_clock(clock.clone());
    connect(&lab, json!({"callsPerMinute": 2})).await;
    lab.gate.let_end(5);
    let version = lab.define("sample", "1.0.0", VersionState::Published, OVER_CONNECTION).await;
    let runs = launch_many(&lab, &version, 5).await;
    // The clock leaps further than a usual lease.
    let engine = lab.start_with(Arc::new(NoObserver), |settings| settings.lease = Duration::from_hours(1));
    for begun in [2, 4, 5] {
        lab.wait(runs[0], |_| lab.gate.begun().len() == begun && lab.gate.under_way() == 0).await;
        for id in &runs {
            let settled = |run: &Run| run.status.is_final() || run.waits_for == Some(WaitsFor::Connection);
            lab.wait(*id, settled).await;
        }
        assert_eq!(lab.gate.begun().len(), begun);
        clock.advance(Duration::from_mins(1));
    }
    engine.shut_down().await;
}

#[tokio::test]
async fn a_namespace_makes_no_more_calls_than_it_may() {
    let lab = Lab::new().await;
    limit_namespace(&lab, None, Some(1)).await;
    let version = lab.define("sample", "1.0.0", VersionState::Published, GATED).await;
    let runs = launch_many(&lab, &version, 3).await;
    let engine = lab.start(Arc::new(NoObserver));
    lab.gate.let_end(3);
    for id in &runs {
        lab.wait_for(*id, RunStatus::Completed).await;
    }
    assert_eq!(lab.gate.most(), 1);
    engine.shut_down().await;
}

#[tokio::test]
async fn many_launches_in_one_namespace_do_not_hold_back_one_in_another() {
    let lab = Lab::new().await;
    let busy = lab.define_in("busy", "one", "1.0.0", VersionState::Published, "", GATED).await;
    let calm = lab.define_in("calm", "one", "1.0.0", VersionState::Published, "", GATED).await;
    let crowd = launch_many(&lab, &busy, 60).await;
    let alone = lab.launch_version(&calm).await;
    let engine = lab.start_with(Arc::new(NoObserver), |settings| settings.runs = 2);
    // They are woken, too, as those are that this node launches.
    for id in crowd.iter().chain([&alone]) {
        engine.waker().wake(*id);
    }
    lab.gate.let_end(61);
    lab.wait_for(alone, RunStatus::Completed).await;
    for id in crowd {
        lab.wait_for(id, RunStatus::Completed).await;
    }
    let place = lab.gate.begun().iter().position(|step| step == "61");
    assert!(place.is_some_and(|place| place < 6), "{place:?}");
    engine.shut_down().await;
}

async fn drop_database(mut admin: PgConnection, name: &str) {
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

fn settings(node: &str, lease: Duration) -> EngineSettings {
    EngineSettings { node: node.to_owned(), lease, poll: Duration::from_millis(50), ..EngineSettings::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_together_keep_to_the_limits() {
    let Some((admin, name, url)) = database("limits").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn Store>, tempfile::tempdir().unwrap()).await;
    connect(&lab, json!({"callsAtOnce": 3})).await;
    let version = limited(&lab, "{concurrency: 5}", OVER_CONNECTION).await;
    let runs = launch_many(&lab, &version, 30).await;
    let mut nodes = Vec::new();
    for name in ["one", "two"] {
        let own = PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap();
        nodes.push(Engine::start(
            Parts { store: Arc::new(own), ..lab.parts() },
            settings(name, Duration::from_secs(30)),
        ));
    }
    for id in &runs {
        lab.wait(*id, |run| run.waits_for == Some(WaitsFor::Workflow) || run.started_at.is_some()).await;
    }
    let mut unit = lab.store.snapshot().await.unwrap();
    let pending = unit.count_runs().await.unwrap().into_iter().find(|(status, _)| *status == RunStatus::Pending);
    drop(unit);
    assert_eq!(pending, Some((RunStatus::Pending, 25)));
    lab.gate.let_end(1_000);
    for id in &runs {
        lab.wait_for(*id, RunStatus::Completed).await;
    }
    assert_eq!(lab.gate.most(), 3);
    assert_eq!(lab.gate.begun().into_iter().collect::<BTreeSet<_>>().len(), 30);
    for node in nodes {
        node.shut_down().await;
    }
    drop(lab);
    store.close().await;
    drop_database(admin, &name).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_places_of_a_dead_node_come_free_when_its_leases_end() {
    let Some((admin, name, url)) = database("dead").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn Store>, tempfile::tempdir().unwrap()).await;
    connect(&lab, json!({"callsAtOnce": 2})).await;
    let version = lab.define("sample", "1.0.0", VersionState::Published, OVER_CONNECTION).await;
    let mut runs = launch_many(&lab, &version, 2).await;
    // A node that dies with all that it does: its runtime is torn down.
    let doomed = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let parts = lab.parts();
    let address = url.clone();
    let node = doomed
        .spawn(async move {
            let own = PostgresStore::connect(address.as_str(), PoolSizes::default()).await.unwrap();
            Engine::start(Parts { store: Arc::new(own), ..parts }, settings("doomed", LEASE))
        })
        .await
        .unwrap();
    lab.wait(runs[0], |_| lab.gate.under_way() == 2).await;
    runs.extend(launch_many(&lab, &version, 4).await);
    for id in &runs[2..] {
        lab.wait(*id, waits(WaitsFor::Connection)).await;
    }
    assert_eq!(lab.gate.under_way(), 2);
    doomed.shutdown_background();
    while lab.gate.under_way() > 0 {
        tokio::task::yield_now().await;
    }
    drop(node);

    let own = PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap();
    let survivor = Engine::start(Parts { store: Arc::new(own), ..lab.parts() }, settings("survivor", LEASE));
    lab.wait(runs[0], |_| lab.gate.under_way() == 2).await;
    lab.gate.let_end(1_000);
    for id in &runs {
        lab.wait_for(*id, RunStatus::Completed).await;
    }
    assert_eq!(lab.gate.most(), 2);
    assert_eq!(lab.gate.begun().len(), 8, "what the dead one had begun, and each of them once");
    survivor.shut_down().await;
    drop(lab);
    store.close().await;
    drop_database(admin, &name).await;
}
