//! Several nodes on one PostgreSQL.

use std::{str::FromStr as _, sync::Arc, time::Duration};

use domain::{RunStatus, view::LogLine};
use engine::{Engine, EngineSettings, Live, Parts};
use serde_json::json;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use store::{Store as _, workflows::VersionState};
use store_postgres::{PoolSizes, PostgresStore};

use crate::lab::Lab;

/// Emits, hears all who emit, and has another run do something.
const TALKER: &str = "
  - say: {emit: {event: {with: {source: /talker, type: said}}}}
  - hear: {listen: {to: {any: [{with: {type: said}}], until: '${ length == 8 }'}}, output: {as: '${ length }'}, export: {as: '{heard: .}'}}
  - inner: {run: {workflow: {namespace: test, name: inner, version: 1.0.0}}}
  - hearAgain: {listen: {to: {one: {with: {type: repeated}}}}, output: {as: '${ $context.heard }'}}
";
const INNER: &str = "
  - say: {emit: {event: {with: {source: /inner, type: repeated}}}}
  - one: {call: scripted, with: {step: inner}}
";

/// Waits for a time, and for an event.
const LISTENER: &str = "
  - either:
      fork:
        compete: true
        branches:
          - late: {wait: {minutes: 30}}
          - heard: {listen: {to: {one: {with: {type: go}}}}}
";

/// A database of the test's own: the connection to drop it by, its name and its address. None where there is no server.
pub(crate) async fn database(of: &str) -> Option<(PgConnection, String, url::Url)> {
    let Some(server) = std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty()) else {
        eprintln!("SKIPPED: TEST_POSTGRES_URL is not set, so nothing was tested on PostgreSQL");
        return None;
    };
    let name = format!("rondo_engine_{of}_{}", std::process::id());
    let mut admin = PgConnection::connect(&server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
    let mut url: url::Url = server.parse().unwrap();
    url.set_path(&name);
    Some((admin, name, url))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_runs() {
    let Some((mut admin, name, url)) = database("script").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes { engine: 3, web: 1, logs: 1 }).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn store::Store>, tempfile::tempdir().unwrap()).await;
    crate::processes::a_script_runs(&lab).await;
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_after_an_approval_is_asked_about() {
    let Some((mut admin, name, url)) = database("change").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes { engine: 3, web: 1, logs: 1 }).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn store::Store>, tempfile::tempdir().unwrap()).await;
    crate::operators::a_change_asks_those_who_approved_before(&lab).await;
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_after_a_cancel_is_taken_back() {
    let Some((mut admin, name, url)) = database("settling").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes { engine: 3, web: 1, logs: 1 }).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn store::Store>, tempfile::tempdir().unwrap()).await;
    crate::settling::what_happens_after_a_cancel_is_taken_back(&lab).await;
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_runs_than_connections_do_not_wait_for_each_other() {
    let Some((mut admin, name, url)) = database("crowd").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes { engine: 3, web: 1, logs: 1 }).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn store::Store>, tempfile::tempdir().unwrap()).await;
    let first = lab.launch("\n  - one: {call: scripted, with: {step: one}}\n").await;
    let template = lab.run(first).await;
    let mut crowd = vec![first];
    for _ in 1..24 {
        crowd.push(lab.relaunch(&template).await);
    }
    let node = Engine::start(lab.parts(), EngineSettings::default());
    for id in crowd {
        lab.wait_for(id, RunStatus::Completed).await;
    }
    node.shut_down().await;
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_although_all_connections_of_pages_and_logs_are_held() {
    let Some((mut admin, name, url)) = database("pools").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes { engine: 2, web: 2, logs: 1 }).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn store::Store>, tempfile::tempdir().unwrap()).await;
    let pages = store.for_web();
    let slow = [pages.snapshot().await.unwrap(), pages.begin().await.unwrap()];
    // Whoever writes a line of a log from here on waits for this lock.
    let mut other = PgConnection::connect(url.as_str()).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE task_logs IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let line = LogLine {
        seq: 0,
        at: lab.parts().clock.now(),
        reference: "/do/0".into(),
        level: "info".into(),
        text: "…".into(),
    };
    let id = lab
        .launch("\n  - one: {call: scripted, with: {step: one}}\n  - two: {call: scripted, with: {step: two}}\n")
        .await;
    let logs = store.logs();
    let writer = tokio::spawn(async move { logs.append(&[(id, line)]).await });
    let held = |name| store.pools().into_iter().find(|pool| pool.name == name).map(|pool| (pool.held, pool.limit));
    while held("logs") != Some((1, 1)) {
        tokio::task::yield_now().await;
    }
    assert_eq!(held("web"), Some((2, 2)));

    let node = Engine::start(lab.parts(), EngineSettings::default());
    lab.wait_for(id, RunStatus::Completed).await;

    assert_eq!((held("web"), held("logs").map(|(_, limit)| limit)), (Some((2, 2)), Some(1)));
    drop(slow);
    lock.rollback().await.unwrap();
    // Written after all, or given up after the time for which a lock is waited for.
    let _ = writer.await.unwrap();
    node.shut_down().await;
    store.close().await;
    drop(other);
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_on_two_nodes_that_all_talk_to_each_other_hear_everything() {
    let Some((mut admin, name, url)) = database("talk").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap());

    let lab = Lab::on(Arc::clone(&store) as Arc<dyn store::Store>, tempfile::tempdir().unwrap()).await;
    lab.define("inner", "1.0.0", VersionState::Published, INNER).await;
    let first = lab.launch(TALKER).await;
    let template = lab.run(first).await;
    let mut talkers = vec![first];
    for _ in 1..8 {
        talkers.push(lab.relaunch(&template).await);
    }
    // A run hears nothing from before its launch, so all are there before the first says something.
    let mut nodes = Vec::new();
    for name in ["one", "two"] {
        let own = PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap();
        let settings =
            EngineSettings { node: name.to_owned(), poll: Duration::from_millis(50), ..EngineSettings::default() };
        nodes.push(Engine::start(Parts { store: Arc::new(own), ..lab.parts() }, settings));
    }
    for id in talkers {
        let run = lab.wait_for(id, RunStatus::Completed).await;
        assert_eq!(Lab::output(&run), json!(8));
    }
    assert_eq!(lab.script.steps().len(), 8);
    for node in nodes {
        node.shut_down().await;
    }
    drop(lab);
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_wait_for_their_turn_to_publish_keep_their_leases_and_take_no_connections() {
    const RUNS: usize = 8;
    const LEASE: Duration = Duration::from_secs(4);
    let Some((mut admin, name, url)) = database("turn").await else { return };
    let pools = PoolSizes { engine: 3, web: 1, logs: 1 };
    let store = Arc::new(PostgresStore::connect(url.as_str(), pools).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn store::Store>, tempfile::tempdir().unwrap()).await;
    let first = lab
        .launch(
            "
  - one: {call: scripted, with: {step: one}}
  - say: {emit: {event: {with: {source: /turn, type: said}}}}
",
        )
        .await;
    let template = lab.run(first).await;
    let mut runs = vec![first];
    for _ in 1..RUNS {
        runs.push(lab.relaunch(&template).await);
    }
    // Somebody else publishes, and takes its time.
    let mut other = PgConnection::connect(url.as_str()).await.unwrap();
    let mut publishing = other.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(5931088219642118)").execute(&mut *publishing).await.unwrap();
    let mut nodes = Vec::new();
    for node in ["one", "two"] {
        let own = PostgresStore::connect(url.as_str(), pools).await.unwrap();
        let settings = EngineSettings {
            node: node.to_owned(),
            lease: LEASE,
            poll: Duration::from_millis(50),
            ..EngineSettings::default()
        };
        nodes.push(Engine::start(Parts { store: Arc::new(own), ..lab.parts() }, settings));
    }
    let patience = tokio::time::Instant::now() + Duration::from_mins(2);
    while lab.script.steps().len() < RUNS {
        assert!(tokio::time::Instant::now() < patience, "the calls before are not made");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let owned = leases(&url).await;
    // Twice as long as a lease that nobody renews.
    let later = (lab.parts().clock.now() + LEASE * 2).as_micros();
    loop {
        let held = leases(&url).await;
        if held.iter().all(|(.., until)| until.is_some_and(|until| until > later)) {
            break;
        }
        assert!(tokio::time::Instant::now() < patience, "they have not all kept their leases: {held:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    publishing.rollback().await.unwrap();
    for id in runs {
        lab.wait_for(id, RunStatus::Completed).await;
    }
    let epochs = |leases: Vec<(String, i64, Option<i64>)>| leases.into_iter().map(|(run, epoch, _)| (run, epoch));
    let (before, after) = (epochs(owned).collect::<Vec<_>>(), epochs(leases(&url).await).collect::<Vec<_>>());
    assert_eq!(after, before, "a run was taken over from a node that was alive");
    for node in nodes {
        node.shut_down().await;
    }
    drop((lab, other));
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

/// Runs, their epochs, and until when they are leased.
async fn leases(url: &url::Url) -> Vec<(String, i64, Option<i64>)> {
    let mut connection = PgConnection::connect(url.as_str()).await.unwrap();
    let rows = sqlx::query_as("SELECT id, lease_epoch, lease_until FROM runs ORDER BY id");
    rows.fetch_all(&mut connection).await.unwrap()
}

/// A node that looks around once an hour only: what happens there happens because another one tells it. What waits for a time
/// that is near by that measure stays with it.
async fn hourly(lab: &Lab, url: &url::Url, name: &str) -> (Engine, Live) {
    let live = Live::default();
    let hour = Duration::from_hours(1);
    let settings = EngineSettings { node: name.to_owned(), poll: hour, lease: hour, ..EngineSettings::default() };
    let own = PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap();
    (Engine::start(Parts { store: Arc::new(own), live: live.clone(), ..lab.parts() }, settings), live)
}

/// Waits until two nodes hear what others tell: each begins to listen in its own time, and what is told before is not heard.
async fn both_listen(admin: &mut PgConnection, database: &str) {
    let listening = "SELECT count(*) FROM pg_stat_activity \
                     WHERE datname = $1 AND query LIKE 'LISTEN%' AND application_name <> 'bystander'";
    let both = async {
        let mut pause = tokio::time::interval(Duration::from_millis(10));
        while sqlx::query_scalar::<_, i64>(listening).bind(database).fetch_one(&mut *admin).await.unwrap() < 2 {
            pause.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_wakes_a_run_that_another_one_holds_and_sees_what_comes_of_it() {
    let Some((mut admin, name, url)) = database("wake").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn store::Store>, tempfile::tempdir().unwrap()).await;
    let (first, _) = hourly(&lab, &url, "one").await;
    let (second, seen_by_second) = hourly(&lab, &url, "two").await;
    let mut seen = seen_by_second.runs();
    both_listen(&mut admin, &name).await;
    let id = lab.launch(LISTENER).await;
    first.waker().wake(id);
    lab.wait_for(id, RunStatus::Waiting).await;
    let published = lab.publish(&[("go", "1", json!(1))]).await;
    assert!(published.woken.contains(&id));
    second.waker().wake(id);
    lab.wait_for(id, RunStatus::Completed).await;
    let told = async { while seen.recv().await.unwrap().status != RunStatus::Completed {} };
    tokio::time::timeout(Duration::from_secs(30), told).await.unwrap();
    for node in [first, second] {
        node.shut_down().await;
    }
    drop(lab);
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_just_begun_wakes_what_another_one_holds() {
    let Some((mut admin, name, url)) = database("young").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn store::Store>, tempfile::tempdir().unwrap()).await;
    let (first, _) = hourly(&lab, &url, "one").await;
    let id = lab.launch(LISTENER).await;
    first.waker().wake(id);
    lab.wait_for(id, RunStatus::Waiting).await;
    lab.publish(&[("go", "1", json!(1))]).await;
    // Before it has looked around for the first time.
    let (second, _) = hourly(&lab, &url, "two").await;
    second.waker().wake(id);
    lab.wait_for(id, RunStatus::Completed).await;
    for node in [first, second] {
        node.shut_down().await;
    }
    drop(lab);
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_deaf_looks_at_its_runs_again() {
    let Some((mut admin, name, url)) = database("deaf").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes::default()).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn store::Store>, tempfile::tempdir().unwrap()).await;
    let (first, _) = hourly(&lab, &url, "one").await;
    let (second, _) = hourly(&lab, &url, "two").await;
    let id = lab.launch(LISTENER).await;
    first.waker().wake(id);
    lab.wait_for(id, RunStatus::Waiting).await;
    let options = PgConnectOptions::from_str(url.as_str()).unwrap().application_name("bystander");
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let mut bystander = PgListener::connect_with(&pool).await.unwrap();
    bystander.listen("rondo").await.unwrap();

    both_listen(&mut admin, &name).await;

    // Nobody hears the second node but the bystander, and nobody can connect until it has spoken.
    let published = lab.publish(&[("go", "1", json!(1))]).await;
    assert!(published.woken.contains(&id));
    let alone = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false");
    sqlx::raw_sql(AssertSqlSafe(alone)).execute(&mut admin).await.unwrap();
    let listeners = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = $1 AND query LIKE 'LISTEN%' AND application_name <> 'bystander'";
    let ended = sqlx::query(listeners).bind(&name).execute(&mut admin).await.unwrap();
    assert_eq!(ended.rows_affected(), 2);
    second.waker().wake(id);
    let told = async { while !bystander.recv().await.unwrap().payload().contains(&id.to_string()) {} };
    tokio::time::timeout(Duration::from_secs(30), told).await.unwrap();
    let together = format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true");
    sqlx::raw_sql(AssertSqlSafe(together)).execute(&mut admin).await.unwrap();

    lab.wait_for(id, RunStatus::Completed).await;
    for node in [first, second] {
        node.shut_down().await;
    }
    drop((lab, bystander));
    pool.close().await;
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}
