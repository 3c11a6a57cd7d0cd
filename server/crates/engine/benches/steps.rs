//! What a durable step costs, without the web around it: one node on SQLite, and on PostgreSQL where `TEST_POSTGRES_URL`
//! names a server. `cargo bench -p engine`; prints a Markdown table.
//!
//! The database's own limit is taken in the same run, for a step is as fast as its commits.

#[expect(dead_code, clippy::unwrap_used, clippy::panic, reason = "the tests need more of it, and end by it")]
#[path = "../tests/it/lab.rs"]
mod lab;
#[path = "parts/stopwatch.rs"]
mod stopwatch;

use std::{collections::HashSet, sync::Arc, time::Duration};

use domain::{RunId, RunStatus};
use engine::{Engine, EngineSettings};
use identity::random::OsRandom;
use lab::Lab;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use stopwatch::{Outcome, as_f64, median, milliseconds, now};
use store::{Store, runs::Run, workflows::VersionState};
use store_postgres::{PoolSizes, PostgresStore};
use store_sqlite::SqliteStore;
use tokio::{sync::broadcast::error::RecvError, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// Calls of the runs that come at once.
const CROWD_CALLS: usize = 10;
/// Runs that come at once.
const CROWD: usize = 64;
/// Crowds one after the other, to measure what goes on beside them: for so long that the entries of the last second, which get
/// their places when nothing else goes on any more, are few.
const CROWDS: usize = 40;
/// Their calls.
const LEDGER_STEPS: f64 = 25_600.0;
/// How often each of them is measured.
const LEDGER_ROUNDS: usize = 7;
/// Calls of the chain.
const CHAIN: usize = 40;
/// Runs that wait for the same event.
const WAITING: usize = 1_000;

fn main() -> std::process::ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(measure())) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn measure() -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("rondo.sqlite");
    let store = Arc::new(SqliteStore::open(&path).await?);
    let raw = async || {
        let options = SqliteConnectOptions::new().filename(&path).busy_timeout(Duration::from_secs(10));
        Ok(Raw::Sqlite(SqliteConnection::connect_with(&options).await?))
    };
    measure_on("SQLite", Arc::clone(&store) as Arc<dyn Store>, directory, raw).await?;
    store.close().await;
    let Ok(server) = std::env::var("TEST_POSTGRES_URL") else { return Ok(()) };
    let name = format!("rondo_steps_{}", std::process::id());
    let mut admin = PgConnection::connect(&server).await?;
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await?;
    let mut url: url::Url = server.parse()?;
    url.set_path(&name);
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes::default()).await?);
    let raw = async || Ok(Raw::Postgres(PgConnection::connect(url.as_str()).await?));
    measure_on("PostgreSQL", Arc::clone(&store) as Arc<dyn Store>, tempfile::tempdir()?, raw).await?;
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await?;
    Ok(())
}

async fn measure_on(
    name: &str,
    store: Arc<dyn Store>,
    directory: tempfile::TempDir,
    raw: impl AsyncFnOnce() -> Outcome<Raw>,
) -> Outcome<()> {
    println!("\n| {name} | |\n| --- | ---: |");
    let lab = Lab::on(Arc::clone(&store), directory).await;
    for clients in [1, 64] {
        println!("| Commits of one row a second, {clients} at once | {:.0} |", commits(&store, clients).await?);
    }
    let bench = Bench { engine: Engine::start(lab.parts(), EngineSettings::default()), lab };
    bench.one_call().await?;
    bench.chain().await?;
    bench.crowd().await?;
    bench.waiting().await?;
    bench.ledger(raw().await?).await?;
    bench.engine.shut_down().await;
    Ok(())
}

/// How many units of one written row the store commits in a second.
async fn commits(store: &Arc<dyn Store>, clients: usize) -> Outcome<f64> {
    let (began, mut tasks) = (now(), JoinSet::new());
    for client in 0..clients {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let mut commits = 0_u32;
            while began.elapsed() < Duration::from_secs(2) {
                let mut unit = store.begin().await?;
                unit.put_setting(&format!("bench{client}"), &commits.to_string()).await?;
                unit.commit().await?;
                commits += 1;
            }
            store::Result::Ok(commits)
        });
    }
    let mut commits = 0;
    while let Some(done) = tasks.join_next().await {
        commits += done??;
    }
    Ok(f64::from(commits) / began.elapsed().as_secs_f64())
}

struct Bench {
    lab: Lab,
    engine: Engine,
}

impl Bench {
    /// A run of this many calls, one after the other, not yet launched.
    async fn template(&self, name: &str, tasks: &str) -> Outcome<Run> {
        let version = self.lab.define(name, "1.0.0", VersionState::Published, tasks).await;
        let id = self.lab.launch_version(&version).await;
        self.engine.waker().wake(id);
        self.lab.wait(id, |run| run.status.is_final() || run.status == RunStatus::Waiting).await;
        Ok(self.lab.run(id).await)
    }

    /// Launches so many runs like this one; from before the first launch to the end of the last.
    async fn through(&self, like: &Run, runs: usize) -> Outcome<Duration> {
        let mut changes = self.lab.parts().live.runs();
        let began = now();
        let mut open = HashSet::new();
        let launches = (0..runs).map(|_| async {
            let id = self.lab.relaunch(like).await;
            self.engine.waker().wake(id);
            id
        });
        open.extend(futures::future::join_all(launches).await);
        self.finish(&mut open, &mut changes).await?;
        Ok(began.elapsed())
    }

    async fn finish(
        &self,
        open: &mut HashSet<RunId>,
        changes: &mut tokio::sync::broadcast::Receiver<engine::RunChange>,
    ) -> Outcome<()> {
        while !open.is_empty() {
            match changes.recv().await {
                Ok(change) if change.status.is_final() => _ = open.remove(&change.run),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => {
                    let mut unit = self.lab.store.snapshot().await?;
                    for id in open.clone() {
                        if unit.run(id).await?.is_some_and(|run| run.status.is_final()) {
                            open.remove(&id);
                        }
                    }
                }
                Err(RecvError::Closed) => return Err("the node has gone".into()),
            }
        }
        Ok(())
    }

    async fn one_call(&self) -> Outcome<()> {
        let like = self.template("one", &calls(1)).await?;
        let mut took = Vec::new();
        for _ in 0..300 {
            took.push(self.through(&like, 1).await?);
        }
        took.sort_unstable();
        let [p50, p99] = [50, 99].map(|share| took.get(took.len() * share / 100).map_or(0.0, milliseconds));
        println!("| Run of one call, launch to end, p50 / p99 | {p50:.1} / {p99:.1} ms |");
        Ok(())
    }

    async fn chain(&self) -> Outcome<()> {
        let like = self.template("chain", &calls(CHAIN)).await?;
        let mut took = Vec::new();
        for _ in 0..9 {
            took.push(milliseconds(&self.through(&like, 1).await?));
        }
        println!("| Chain of {CHAIN} calls, a call | {:.2} ms |", median(took) / as_f64(CHAIN));
        Ok(())
    }

    async fn crowd(&self) -> Outcome<()> {
        let like = self.template("crowd", &calls(CROWD_CALLS)).await?;
        let steps = as_f64(CROWD * CROWD_CALLS);
        let mut rates = Vec::new();
        let spent = cpu_seconds()?;
        for _ in 0..9 {
            rates.push(steps / self.through(&like, CROWD).await?.as_secs_f64());
        }
        let spent = (cpu_seconds()? - spent) / (9.0 * steps) * 1e6;
        println!("| {CROWD} runs of {CROWD_CALLS} calls at once, calls a second | {:.0} |", median(rates));
        println!("| Processor time of this process for a call of those | {spent:.0} µs |");
        Ok(())
    }

    /// What the audit log costs: the crowd several times over while entries get their places and are indexed, until the last one
    /// has; beside the same while the database drops every entry that is written. Machines are quicker now and slower then, so
    /// each is set against what came just before it.
    async fn ledger(&self, mut raw: Raw) -> Outcome<()> {
        let like = self.template("ledger", &calls(CROWD_CALLS)).await?;
        let store = self.lab.store.as_ref();
        self.catch_up().await?;
        let (mut without, mut with_log, mut with_index) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..LEDGER_ROUNDS {
            raw.drop_entries().await?;
            without.push(self.crowds(&like).await?.as_secs_f64());
            raw.keep_entries().await?;
            let (began, stop) = (now(), CancellationToken::new());
            let (spent, kept) = tokio::join!(self.crowds_until_done(&like, &stop), self.keep_placing(&stop));
            spent?;
            kept?;
            with_log.push(began.elapsed().as_secs_f64());
            self.catch_up().await?;
            let (began, stop) = (now(), CancellationToken::new());
            let keeping = audit::keep_sequencing(store, &OsRandom, stop.clone());
            let (spent, ()) = tokio::join!(self.crowds_until_done(&like, &stop), keeping);
            spent?;
            self.catch_up().await?;
            with_index.push(began.elapsed().as_secs_f64());
        }
        println!("| The same without the audit log, calls a second | {:.0} |", LEDGER_STEPS / median(without.clone()));
        for (what, took) in [("with the audit log", with_log), ("with the audit log and its index", with_index)] {
            let cost = median(took.iter().zip(&without).map(|(took, without)| 1.0 - without / took).collect());
            let (rate, cost) = (LEDGER_STEPS / median(took), cost * 100.0);
            println!("| The same {what}, calls a second | {rate:.0} ({cost:.1} % less) |");
        }
        Ok(())
    }

    async fn crowds_until_done(&self, like: &Run, stop: &CancellationToken) -> Outcome<Duration> {
        let spent = self.crowds(like).await;
        stop.cancel();
        spent
    }

    /// Gives entries their places in the log each second until told to stop, and once more then, as the sequencer does.
    async fn keep_placing(&self, stop: &CancellationToken) -> Outcome<()> {
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
            audit::sequence(self.lab.store.as_ref(), &OsRandom).await?;
        }
        Ok(())
    }

    /// Everything has its place in the log, and can be found.
    async fn catch_up(&self) -> Outcome<()> {
        let store = self.lab.store.as_ref();
        audit::sequence(store, &OsRandom).await?;
        while audit::index(store, 100).await? > 0 {}
        Ok(())
    }

    async fn crowds(&self, like: &Run) -> Outcome<Duration> {
        let began = now();
        for _ in 0..CROWDS {
            self.through(like, CROWD).await?;
        }
        Ok(began.elapsed())
    }

    async fn waiting(&self) -> Outcome<()> {
        let like = self.template("waiting", "\n  - hear: {listen: {to: {one: {with: {type: go}}}}}\n").await?;
        let mut open = HashSet::from([like.id]);
        for _ in 1..WAITING {
            let id = self.lab.relaunch(&like).await;
            self.engine.waker().wake(id);
            open.insert(id);
        }
        for id in &open {
            self.lab.wait_for(*id, RunStatus::Waiting).await;
        }
        let mut changes = self.lab.parts().live.runs();
        let began = now();
        let published = self.lab.publish(&[("go", "1", json!(null))]).await;
        for run in &published.woken {
            self.engine.waker().wake(*run);
        }
        self.finish(&mut open, &mut changes).await?;
        println!(
            "| {WAITING} runs that wait for an event, from the event to the last end | {:.0} ms |",
            milliseconds(&began.elapsed())
        );
        Ok(())
    }
}

/// A connection past the store.
enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Raw {
    /// Has every entry of the audit log dropped that is written from now on.
    async fn drop_entries(&mut self) -> Outcome<()> {
        self.execute(
            "CREATE TRIGGER dropped BEFORE INSERT ON audit_queue BEGIN SELECT RAISE(IGNORE); END",
            "CREATE FUNCTION dropped() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
             CREATE TRIGGER dropped BEFORE INSERT ON audit_queue FOR EACH ROW EXECUTE FUNCTION dropped()",
        )
        .await
    }

    /// No longer.
    async fn keep_entries(&mut self) -> Outcome<()> {
        self.execute("DROP TRIGGER dropped", "DROP TRIGGER dropped ON audit_queue; DROP FUNCTION dropped()").await
    }

    async fn execute(&mut self, sqlite: &'static str, postgres: &'static str) -> Outcome<()> {
        match self {
            Self::Sqlite(connection) => _ = sqlx::raw_sql(sqlite).execute(connection).await?,
            Self::Postgres(connection) => _ = sqlx::raw_sql(postgres).execute(connection).await?,
        }
        Ok(())
    }
}

fn calls(count: usize) -> String {
    (0..count)
        .map(|number| format!("\n  - t{number}: {{call: scripted, with: {{step: s{number}, mode: safe}}}}"))
        .collect::<Vec<_>>()
        .concat()
}

/// Processor time of this process so far; `man proc`, fields 14 and 15 of `stat`, in hundredths of a second.
fn cpu_seconds() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}
