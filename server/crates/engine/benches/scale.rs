//! What sizes cost: many runs behind, many that wait, long definitions, long journals, a second node. On SQLite, and on
//! PostgreSQL where `TEST_POSTGRES_URL` names a server. `cargo bench -p engine --bench scale`; prints Markdown tables.
//!
//!   `SCALE_RUNS`     finished runs in the database (default: 1,000,000)
//!   `SCALE_WAITING`  runs that wait (default: a tenth of that)
//!   `SCALE_JOURNAL`  entries of the long journal (default: 10,000)
//!   `SCALE_PARTS`    which of `sqlite`, `postgres`, `nodes` (default: all)
//!   `RONDO_BINARY`   the release program, for memory and for the time until it is ready; without it they are left out
//!
//! Runs that wait are launched and brought to where they wait by the engine. Of finished runs the engine makes one, which is
//! then copied in the database with everything that belongs to it but the audit log.

#[path = "parts/database.rs"]
mod database;
#[expect(dead_code, clippy::unwrap_used, clippy::panic, reason = "the tests need more of it, and end by it")]
#[path = "../tests/it/lab.rs"]
mod lab;
#[path = "parts/server.rs"]
mod server;
#[path = "parts/stopwatch.rs"]
mod stopwatch;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use database::{Database, Series};
use domain::{RunId, RunStatus};
use engine::{
    Engine, EngineSettings, Live, Parts,
    launch::{Cause, Launch},
};
use lab::Lab;
use serde_json::json;
use server::Server;
use stopwatch::{Outcome, as_f64, median, milliseconds, now};
use store::{
    Store,
    runs::{RunFilter, Visibility},
    workflows::{VersionState, WorkflowVersion},
};
use tokio::sync::broadcast::error::RecvError;
use workflow::{Definition, EventKind};

/// Rounds of what is quick.
const ROUNDS: usize = 100;
/// Rounds of what takes longer.
const FEW: usize = 5;
/// Runs that come at once, and the calls of each.
const CROWD: usize = 64;
const CROWD_CALLS: usize = 10;
/// Rows of a page of a list.
const PAGE: u32 = 50;
/// Tasks of the long definition.
const LONG: usize = 1_000;
/// Entries between two snapshots, as the engine has it.
const SNAPSHOT_EVERY: usize = 200;
/// How long a step of the nodes' work takes elsewhere, in milliseconds.
const PAUSE: usize = 10;
/// Launched in one unit of work.
const PORTION: usize = 200;
/// Calls at once of a node that mostly waits.
const FEW_AT_ONCE: usize = 4;
/// A call of a connector that does nothing, and may be made again.
const ONE_CALL: &str = "{call: scripted, with: {step: s, mode: safe}}";
/// Copies of a run that is over.
const FINISHED: Series = Series(1);
/// Longer than anything takes here.
const LONGEST: Duration = Duration::from_hours(2);

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

/// How much there is to be.
struct Sizes {
    finished: usize,
    waiting: usize,
    journal: usize,
}

impl Sizes {
    fn wanted() -> Outcome<Self> {
        let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<usize>()).transpose();
        let finished = number("SCALE_RUNS")?.unwrap_or(1_000_000);
        let waiting = number("SCALE_WAITING")?.unwrap_or(finished / 10);
        Ok(Self { finished, waiting, journal: number("SCALE_JOURNAL")?.unwrap_or(10_000) })
    }
}

async fn measure() -> Outcome<()> {
    let sizes = Sizes::wanted()?;
    let postgres = std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty());
    let program = std::env::var_os("RONDO_BINARY").map(PathBuf::from);
    let parts = std::env::var("SCALE_PARTS").unwrap_or_else(|_| "sqlite,postgres,nodes".to_owned());
    let wanted = |part: &str| parts.split(',').any(|wanted| wanted == part);
    if wanted("sqlite") {
        measure_on(None, &sizes, program.as_deref()).await?;
    }
    let Some(server) = postgres else { return Ok(()) };
    if wanted("postgres") {
        measure_on(Some(&server), &sizes, program.as_deref()).await?;
    }
    if wanted("nodes") {
        nodes(&server).await?;
    }
    Ok(())
}

async fn fresh(postgres: Option<&str>, purpose: &str) -> Outcome<(Database, Lab, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_owned();
    let database = match postgres {
        Some(server) => Database::postgres(server, purpose).await?,
        None => Database::sqlite(&path).await?,
    };
    let lab = Lab::on(Arc::clone(&database.store), folder).await;
    Ok((database, lab, path))
}

async fn measure_on(postgres: Option<&str>, sizes: &Sizes, program: Option<&Path>) -> Outcome<()> {
    let (database, lab, _) = fresh(postgres, "finished").await?;
    println!("\n| {} | |\n| --- | ---: |", database.store.name());
    long_definition(&lab).await?;
    long_journal(&database, &lab, sizes.journal).await?;
    let without = sensitive(&lab, "without").await?;
    let node = Engine::start(lab.parts(), EngineSettings::default());
    let version = lab.define("finished", "1.0.0", VersionState::Published, &calls(CROWD_CALLS)).await;
    through(&lab, &node, &version, 1).await?;
    node.shut_down().await;
    let model = lab.runs_of("finished").await.first().map(|run| run.id).ok_or("nothing was launched")?;
    let mut tables = database.tables().await?;
    tables.copy_run(model, FINISHED, sizes.finished).await?;
    tables.analyze().await?;
    drop(tables);
    let with = sensitive(&lab, "with").await?;
    for ((name, without), (_, with)) in without.into_iter().zip(with) {
        println!("| {name}, beside {} finished runs | {without} → {with} |", grouped(sizes.finished));
    }
    database.remove().await?;
    drop(lab);
    match program {
        Some(program) => waiting(postgres, sizes.waiting, program).await,
        None => Ok(()),
    }
}

/// What the number of finished runs could make slower: names and figures.
async fn sensitive(lab: &Lab, stage: &str) -> Outcome<Vec<(String, String)>> {
    let node = Engine::start(lab.parts(), EngineSettings::default());
    let define = async |name: &str, count: usize| {
        lab.define(&format!("{name}-{stage}"), "1.0.0", VersionState::Published, &calls(count)).await
    };
    let (one, crowd) = (define("one", 1).await, define("crowd", CROWD_CALLS).await);
    let (mut single, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        single.push(milliseconds(&through(lab, &node, &one, 1).await?));
    }
    for _ in 0..FEW {
        rates.push(as_f64(CROWD * CROWD_CALLS) / through(lab, &node, &crowd, CROWD).await?.as_secs_f64());
    }
    node.shut_down().await;
    let mut rows = vec![
        ("Run of one call, launch to end".to_owned(), format!("{:.1} ms", median(single))),
        (format!("{CROWD} runs of {CROWD_CALLS} calls at once, calls a second"), format!("{:.0}", median(rates))),
    ];
    // The manager has asked for nothing and decides about nothing, so whoever looks through the list for it finds nothing.
    let stranger = Visibility { person: Some(lab.manager.id), ..Visibility::default() };
    let requester = Visibility { person: Some(lab.requester.id), ..Visibility::default() };
    let last = list(lab, &Visibility::everything(), None, 1).await?.first().copied().unwrap_or_default();
    for (whose, visible) in
        [("all runs", Visibility::everything()), ("the requester's runs", requester), ("a stranger's runs", stranger)]
    {
        for (page, before) in [("first page", None), ("deep page", Some(last / 100))] {
            let mut took = Vec::new();
            for _ in 0..ROUNDS {
                let began = now();
                list(lab, &visible, before, PAGE).await?;
                took.push(milliseconds(&began.elapsed()));
            }
            rows.push((format!("List of {whose}, {page}"), format!("{:.2} ms", median(took))));
        }
    }
    Ok(rows)
}

/// The numbers of the runs on a page of a list.
async fn list(lab: &Lab, visible: &Visibility, before: Option<i64>, limit: u32) -> Outcome<Vec<i64>> {
    let mut unit = lab.store.snapshot().await?;
    let page = unit.list_runs(visible, &RunFilter::default(), before, limit).await?;
    Ok(page.into_iter().map(|run| run.number).collect())
}

/// Launches so many runs; from before the first launch to the end of the last.
async fn through(lab: &Lab, node: &Engine, version: &WorkflowVersion, runs: usize) -> Outcome<Duration> {
    let mut changes = lab.parts().live.runs();
    let began = now();
    let mut open = HashSet::new();
    for _ in 0..runs {
        let id = lab.launch_version(version).await;
        node.waker().wake(id);
        open.insert(id);
    }
    while !open.is_empty() {
        match changes.recv().await {
            Ok(change) if change.status.is_final() => _ = open.remove(&change.run),
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => {
                let mut unit = lab.store.snapshot().await?;
                for id in open.clone() {
                    if unit.run(id).await?.is_some_and(|run| run.status.is_final()) {
                        open.remove(&id);
                    }
                }
            }
            Err(RecvError::Closed) => return Err("the node has gone".into()),
        }
    }
    Ok(began.elapsed())
}

/// A definition of many tasks: how long until it can be run, and what each step of it costs.
async fn long_definition(lab: &Lab) -> Outcome<()> {
    let source = |tasks: usize| {
        let document = "{dsl: 1.0.3, namespace: test, name: long, version: 1.0.0, title: Long}";
        format!("document: {document}\ndo:{}", calls(tasks))
    };
    let connectors = lab.parts().connectors;
    for tasks in [10, LONG] {
        let source = source(tasks);
        let mut took = Vec::new();
        for _ in 0..FEW * 4 {
            let began = now();
            let definition =
                Definition::parse(&source, connectors.function_catalogue()).map_err(|_| "the definition is refused")?;
            std::hint::black_box(definition.plan(None));
            took.push(milliseconds(&began.elapsed()));
        }
        println!("| Definition of {} tasks, read, checked and planned | {:.1} ms |", grouped(tasks), median(took));
    }
    let node = Engine::start(lab.parts(), EngineSettings::default());
    for tasks in [10, LONG] {
        let version = lab.define(&format!("long-{tasks}"), "1.0.0", VersionState::Published, &calls(tasks)).await;
        let mut took = Vec::new();
        for _ in 0..FEW {
            took.push(milliseconds(&through(lab, &node, &version, 1).await?) / as_f64(tasks));
        }
        println!("| Run of {} calls one after the other, a call | {:.2} ms |", grouped(tasks), median(took));
    }
    node.shut_down().await;
    Ok(())
}

/// A run with a long journal, taken up by a node that has never seen it: from an operator's word to its end.
async fn long_journal(database: &Database, lab: &Lab, entries: usize) -> Outcome<()> {
    // As far behind the last snapshot as it can be.
    for (entries, as_it_is, without_snapshot) in
        [(10, Series(2), Series(3)), (entries + SNAPSHOT_EVERY - 1, Series(4), Series(5))]
    {
        let (model, written, since) = write_journal(lab, entries).await?;
        let mut tables = database.tables().await?;
        tables.copy_run(model, as_it_is, FEW).await?;
        tables.copy_run(model, without_snapshot, FEW).await?;
        tables.remove_snapshots(without_snapshot).await?;
        drop(tables);
        let written = grouped(written);
        let took = taken_up(lab, as_it_is).await?;
        println!("| Run of {written} entries, {since} since its snapshot, taken up and cancelled | {took:.1} ms |");
        if since < entries {
            let took = taken_up(lab, without_snapshot).await?;
            println!("| Run of {written} entries, its snapshot removed, taken up and cancelled | {took:.1} ms |");
        }
    }
    Ok(())
}

/// A run that waits, its journal's length, and how much of it came after the last snapshot.
async fn write_journal(lab: &Lab, entries: usize) -> Outcome<(RunId, usize, usize)> {
    // Beside the calls there is the start.
    let many = format!("{{for: {{in: '${{ [range({})] }}'}}, do: [{{one: {ONE_CALL}}}]}}", entries - 1);
    let tasks = format!("\n  - many: {many}\n  - pause: {{wait: {{days: 30}}}}\n");
    let version = lab.define(&format!("journal-{entries}"), "1.0.0", VersionState::Published, &tasks).await;
    let node = Engine::start(lab.parts(), EngineSettings::default());
    let run = lab.launch_version(&version).await;
    node.waker().wake(run);
    until(async || Ok(lab.run(run).await.status == RunStatus::Waiting)).await?;
    node.shut_down().await;
    let written = lab.run(run).await.journal_version;
    let snapshot = lab.store.snapshot().await?.snapshot_of(run).await?.map_or(0, |(version, _)| version);
    Ok((run, usize::try_from(written)?, usize::try_from(written - snapshot)?))
}

/// How long a node takes that knows nothing yet, for each run of a series.
async fn taken_up(lab: &Lab, series: Series) -> Outcome<f64> {
    let mut took = Vec::new();
    for number in 1..=FEW {
        let run: RunId = series.id(number).parse()?;
        let parts = Parts { live: Live::default(), ..lab.parts() };
        let mut changes = parts.live.runs();
        let node = Engine::start(parts, EngineSettings::default());
        let began = now();
        lab.push(run, EventKind::CancelRequested { by: "operator".to_owned(), reason: None }).await;
        node.waker().wake(run);
        while !changes.recv().await?.status.is_final() {}
        took.push(milliseconds(&began.elapsed()));
        node.shut_down().await;
    }
    Ok(median(took))
}

/// A server beside runs that wait for people, for times and for events.
async fn waiting(postgres: Option<&str>, runs: usize, program: &Path) -> Outcome<()> {
    let (database, lab, folder) = fresh(postgres, "waiting").await?;
    let url = database.url();
    let empty = serve(program, &folder, &url).await?;
    println!("| Server on an empty database: ready after / memory | {empty} |");
    let node = Engine::start(lab.parts(), EngineSettings::default());
    for (name, tasks) in [
        ("people", "\n  - ask: {call: approval, with: {approvers: {managerOf: requester}, due: P30D}}\n"),
        ("times", "\n  - pause: {wait: {days: 30}}\n"),
        ("events", "\n  - hear: {listen: {to: {one: {with: {type: never}}}}}\n"),
    ] {
        let version = lab.define(name, "1.0.0", VersionState::Published, tasks).await;
        launch_all(&lab, &version, runs / 3).await?;
    }
    until(async || Ok(count(&lab, RunStatus::Waiting).await? == runs / 3 * 3)).await?;
    node.shut_down().await;
    database.tables().await?.analyze().await?;
    let full = serve(program, &folder, &url).await?;
    println!("| Server beside {} runs that wait: ready after / memory | {full} |", grouped(runs));
    database.remove().await?;
    drop(lab);
    Ok(())
}

/// Starts a server a few times: how soon it was ready, and the memory that the last one held.
async fn serve(program: &Path, data: &Path, url: &str) -> Outcome<String> {
    let mut ready = Vec::new();
    for _ in 1..FEW {
        let server = Server::start(program, data, url).await?;
        ready.push(server.ready_after);
        server.stop().await?;
    }
    let server = Server::start(program, data, url).await?;
    ready.push(server.ready_after);
    let memory = server.memory().await?;
    server.stop().await?;
    Ok(format!("{:.0} ms / {memory:.0} MiB", median(ready)))
}

/// Launches runs, many in a unit of work.
async fn launch_all(lab: &Lab, version: &WorkflowVersion, runs: usize) -> Outcome<()> {
    let mut left = runs;
    while left > 0 {
        let portion = left.min(PORTION);
        let parts = lab.parts();
        let mut unit = parts.store.begin().await?;
        for _ in 0..portion {
            let launch = Launch {
                version,
                requester: &lab.requester,
                input: json!({}),
                cause: Cause::Request,
                base_url: "http://portal.test",
            };
            launch.write(unit.as_mut(), parts.ids.as_ref(), parts.clock.now()).await?;
        }
        unit.commit().await?;
        left -= portion;
    }
    Ok(())
}

async fn count(lab: &Lab, status: RunStatus) -> Outcome<usize> {
    let counted = lab.store.snapshot().await?.count_runs().await?;
    let found = counted.into_iter().find(|(found, _)| *found == status);
    Ok(usize::try_from(found.map_or(0, |(_, count)| count))?)
}

/// Looks again and again until it is so.
async fn until(mut is: impl AsyncFnMut() -> Outcome<bool>) -> Outcome<()> {
    let began = now();
    while !is().await? {
        if began.elapsed() > LONGEST {
            return Err("it takes too long".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// One node and two on one PostgreSQL: with so few calls at once that waiting is what limits a node, and as nodes come,
/// where it is the processors.
async fn nodes(server: &str) -> Outcome<()> {
    println!("\n| PostgreSQL, calls that wait {PAUSE} ms | one node | two nodes | |\n| --- | ---: | ---: | ---: |");
    let few = EngineSettings { calls: FEW_AT_ONCE, runs: FEW_AT_ONCE, ..EngineSettings::default() };
    for (settings, runs) in [(few, FEW_AT_ONCE * 50), (EngineSettings::default(), 4_000)] {
        let mut rates = Vec::new();
        for nodes in [1, 2] {
            rates.push(work_off(server, nodes, runs, &settings).await?);
        }
        let [one, two] = rates.as_slice() else { return Err("there are two rates".into()) };
        let ratio = two / one;
        println!("| {} calls at once a node, calls a second | {one:.0} | {two:.0} | × {ratio:.2} |", settings.calls);
    }
    Ok(())
}

/// Calls a second of so many nodes, over runs that are there when they start.
async fn work_off(server: &str, nodes: usize, runs: usize, settings: &EngineSettings) -> Outcome<f64> {
    let (database, lab, _) = fresh(Some(server), "nodes").await?;
    let tasks = (0..CROWD_CALLS)
        .map(|number| format!("\n  - t{number}: {{call: scripted, with: {{step: s, mode: safe, pause: {PAUSE}}}}}"))
        .collect::<Vec<_>>()
        .concat();
    let version = lab.define("slow", "1.0.0", VersionState::Published, &tasks).await;
    launch_all(&lab, &version, runs).await?;
    let mut stores = Vec::new();
    for _ in 0..nodes {
        stores.push(database.again().await?);
    }
    let began = now();
    let start = |(number, store): (usize, Arc<dyn Store>)| {
        let settings = EngineSettings { node: format!("node-{number}"), ..settings.clone() };
        Engine::start(Parts { store, live: Live::default(), ..lab.parts() }, settings)
    };
    let working: Vec<Engine> = stores.iter().cloned().enumerate().map(start).collect();
    until(async || Ok(count(&lab, RunStatus::Completed).await? == runs)).await?;
    let took = began.elapsed();
    for node in working {
        node.shut_down().await;
    }
    for store in stores {
        store.close().await;
    }
    database.remove().await?;
    Ok(as_f64(runs * CROWD_CALLS) / took.as_secs_f64())
}

fn calls(count: usize) -> String {
    (0..count).map(|number| format!("\n  - t{number}: {ONE_CALL}")).collect::<Vec<_>>().concat()
}

/// A number with its thousands apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
