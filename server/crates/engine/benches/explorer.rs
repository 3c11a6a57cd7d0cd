//! What it costs to look into a large audit log. On SQLite, and on PostgreSQL where `TEST_POSTGRES_URL` names a server.
//! `cargo bench -p engine --bench explorer`; prints Markdown tables.
//!
//!   `EXPLORER_ENTRIES`  entries of the log (default: 1,000,000)
//!
//! The entries are written, get their places and are indexed as those of a server are: eight for each run, of which one is
//! a sign-in. The runs are launched, and never taken up.

#[path = "parts/database.rs"]
#[expect(dead_code, reason = "another bench needs more of it")]
mod database;
#[expect(dead_code, clippy::unwrap_used, clippy::panic, reason = "the tests need more of it, and end by it")]
#[path = "../tests/it/lab.rs"]
mod lab;
#[path = "parts/stopwatch.rs"]
#[expect(dead_code, reason = "another bench needs more of it")]
mod stopwatch;

use std::{sync::Arc, time::Duration};

use audit::{Actor, Door, Entry, Outcome as Ending, ResourceRef};
use database::Database;
use domain::{Risk, SessionId, Timestamp, view::AuditFilter};
use engine::launch::{Cause, Launch};
use identity::random::OsRandom;
use lab::Lab;
use serde_json::{Value, json};
use stopwatch::{Outcome, milliseconds, now};
use store::{
    questions,
    runs::Run,
    workflows::{VersionState, WorkflowVersion},
};
use uuid::Uuid;

/// Rounds of each page, and of each question.
const ROUNDS: usize = 100;
const FEW: usize = 3;
/// Rows of a page of the log.
const PAGE: u32 = 51;
/// Entries of a run.
const EACH: usize = 8;
/// Runs that are launched, with their entries, in one unit of work.
const PORTION: usize = 250;
/// Units of work in which entries are indexed at one go.
const UNITS: usize = 1_000;
/// What runs are about; each is in the words of one entry in 160.
const ITEMS: [&str; 20] = [
    "laptop", "printer", "invoice", "gateway", "cluster", "backup", "mailbox", "licence", "badge", "router", "payroll",
    "vendor", "contract", "desk", "phone", "monitor", "storage", "tunnel", "keyboard", "camera",
];

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
    let entries = std::env::var("EXPLORER_ENTRIES").ok().map(|text| text.parse()).transpose()?.unwrap_or(1_000_000);
    Box::pin(measure_on(None, entries)).await?;
    let postgres = std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty());
    if let Some(server) = postgres { Box::pin(measure_on(Some(&server), entries)).await } else { Ok(()) }
}

async fn measure_on(postgres: Option<&str>, entries: usize) -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let database = match postgres {
        Some(server) => Database::postgres(server, "explorer").await?,
        None => Database::sqlite(folder.path()).await?,
    };
    let lab = Lab::on(Arc::clone(&database.store), folder).await;
    let version = lab.define("explored", "1.0.0", VersionState::Published, "  - a: {set: {b: 1}}").await;
    println!("\n| {}, {entries} entries | p50 / p95 |\n| --- | ---: |", database.store.name());
    fill(&lab, &version, entries / EACH).await?;
    Box::pin(pages(&lab, i64::try_from(entries / EACH)?)).await?;
    answers(&lab).await?;
    database.remove().await
}

/// Writes, places and indexes the entries of so many runs.
async fn fill(lab: &Lab, version: &WorkflowVersion, runs: usize) -> Outcome<()> {
    let (mut written, mut placed, mut indexed) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let store = lab.store.as_ref();
    for first in (0..runs).step_by(PORTION) {
        let began = now();
        let parts = lab.parts();
        let mut unit = store.begin().await?;
        for number in first..runs.min(first + PORTION) {
            let launch = Launch {
                version,
                requester: &lab.requester,
                input: json!({}),
                cause: Cause::Request,
                base_url: "http://portal.test",
            };
            let run = launch.write(unit.as_mut(), parts.ids.as_ref(), parts.clock.now()).await?;
            audit::append_all(unit.as_mut(), &story(&run, number)).await?;
        }
        unit.commit().await?;
        written += began.elapsed();
        let began = now();
        audit::sequence(store, &OsRandom).await?;
        placed += began.elapsed();
        let began = now();
        while audit::index(store, UNITS).await? > 0 {}
        indexed += began.elapsed();
    }
    let each = |time: Duration| time.as_micros() / u128::try_from(runs * EACH).unwrap_or(1).max(1);
    println!(
        "| An entry written with its run / given its place / indexed | {} / {} / {} µs |",
        each(written),
        each(placed),
        each(indexed)
    );
    Ok(())
}

/// What the log has of a run from its launch to its end, and of the sign-in before.
fn story(run: &Run, number: usize) -> Vec<Entry> {
    let item = ITEMS.get(number % ITEMS.len()).copied().unwrap_or_default();
    let risk = match number % 10 {
        0..3 => Risk::Low,
        3..9 => Risk::Medium,
        _ => Risk::High,
    };
    let session = SessionId::from_uuid(Uuid::from_u128(number as u128 % 5_000));
    let id = run.id.to_string();
    let (person, manager) = (format!("person-{}", number % 400), format!("manager-{}", number % 40));
    let resource = |kind: &str, id: &str, name: String| ResourceRef {
        kind: kind.to_owned(),
        id: id.to_owned(),
        name,
        persons: Vec::new(),
    };
    let of_run = || resource("run", &id, format!("R-{}", run.number));
    let entry = |actor: &str, action: &str, resource: ResourceRef, detail: Value| {
        let is_person = actor != "system";
        Entry {
            at: run.created_at,
            actor: Actor::unknown(actor),
            door: if is_person { Door::Portal } else { Door::Engine },
            session: is_person.then_some(session),
            token: None,
            address: is_person.then(|| format!("192.0.2.{}", number % 250)),
            trace_id: id.clone(),
            action: action.to_owned(),
            resource,
            namespace: Some(run.workflow.namespace.clone()),
            outcome: if number % 50 == 7 { Ending::Refused } else { Ending::Done },
            policies: if is_person { vec![format!("policy-{action}")] } else { Vec::new() },
            policy_set: None,
            detail,
            named: Vec::new(),
        }
    };
    let approval = Uuid::from_u128(number as u128).to_string();
    let decided = resource("approval", &approval, format!("R-{}: Manager approval", run.number));
    let of_session = resource("session", &session.to_string(), person.clone());
    let comment = format!("Agreed for the {item} asset{number}, as said in the meeting.");
    let task = json!({"task": "/do/0/call", "function": "ldap", "attempts": 1, "status": "completed", "risk": risk});
    vec![
        entry(&person, "session.create", of_session, json!({"way": "password"})),
        entry(&person, "run.launch", of_run(), json!({"workflow": run.workflow.to_string(), "risk": risk})),
        entry("system", "approval.open", of_run(), json!({"approval": approval, "asked": [manager], "risk": risk})),
        entry(&manager, "approval.decide", decided, json!({"run": id, "comment": comment, "risk": risk})),
        entry("system", "task.execute", of_run(), task.clone()),
        entry("system", "task.execute", of_run(), task.clone()),
        entry("system", "task.execute", of_run(), task),
        entry("system", "run.end", of_run(), json!({"status": "completed", "risk": risk})),
    ]
}

/// Pages of the log, each as the page and REST read it.
async fn pages(lab: &Lab, runs: i64) -> Outcome<()> {
    let some = |text: &str| Some(text.to_owned());
    let none = AuditFilter::default;
    let middle = runs / 2;
    let end = runs * i64::try_from(EACH)?;
    for (what, filter, before) in [
        ("Newest page", none(), None),
        ("Deep page, by its cursor", none(), Some(end / 2)),
        ("The log as it was", AuditFilter { last: Some(end / 2), ..none() }, None),
        ("By time", AuditFilter { to: Some(Timestamp::from_micros(1)), ..none() }, None),
        ("By person", AuditFilter { actor: some("person-7"), ..none() }, None),
        ("By action", AuditFilter { action: some("run.launch"), ..none() }, None),
        ("By group of actions", AuditFilter { action: some("approval"), ..none() }, None),
        ("By kind of object", AuditFilter { resource_kind: some("session"), ..none() }, None),
        ("By object", AuditFilter { resource: some("person-7"), ..none() }, None),
        ("By namespace", AuditFilter { namespace: some("test"), ..none() }, None),
        ("By outcome", AuditFilter { outcome: some("refused"), ..none() }, None),
        ("By outcome of which there is none", AuditFilter { outcome: some("failed"), ..none() }, None),
        ("By team", AuditFilter { team: some("nobody"), ..none() }, None),
        ("By policy", AuditFilter { policy: some("policy-run.launch"), ..none() }, None),
        ("By address", AuditFilter { address: some("192.0.2.7"), ..none() }, None),
        ("By session", AuditFilter { credential: some(&Uuid::from_u128(7).to_string()), ..none() }, None),
        ("By risk", AuditFilter { risk: Some(Risk::High), ..none() }, None),
        ("By risk, deep", AuditFilter { risk: Some(Risk::Low), ..none() }, Some(end / 2)),
        ("By risk and outcome", AuditFilter { risk: Some(Risk::High), outcome: some("refused"), ..none() }, None),
        ("By risk and person", AuditFilter { risk: Some(Risk::High), actor: some("person-9"), ..none() }, None),
        ("The story of a run", AuditFilter { run: Some(format!("R-{middle}")), ..none() }, None),
        ("A frequent word", AuditFilter { text: some("completed"), ..none() }, None),
        ("A frequent word, deep", AuditFilter { text: some("completed"), ..none() }, Some(end / 2)),
        ("A word of one entry in 160", AuditFilter { text: some("laptop"), ..none() }, None),
        ("The beginning of a word", AuditFilter { text: some("comp"), ..none() }, None),
        ("A rare word", AuditFilter { text: Some(format!("asset{middle}")), ..none() }, None),
        ("A frequent and a rare word", AuditFilter { text: Some(format!("meeting asset{middle}")), ..none() }, None),
        ("A word that is not there", AuditFilter { text: some("nothing"), ..none() }, None),
    ] {
        let mut took = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let began = now();
            lab.store.snapshot().await?.list_audit(&filter, before, PAGE).await?;
            took.push(milliseconds(&began.elapsed()));
        }
        println!("| {what} | {} |", spread(took));
    }
    Ok(())
}

/// Every question, about all of the time.
async fn answers(lab: &Lab) -> Outcome<()> {
    let (from, to) = (Timestamp::from_micros(0), Timestamp::from_micros(i64::MAX));
    for question in questions::ALL {
        let mut took = Vec::with_capacity(FEW);
        for _ in 0..FEW {
            let began = now();
            lab.store.snapshot().await?.ask(question, from, to, 1_001).await?;
            took.push(milliseconds(&began.elapsed()));
        }
        println!("| Question `{}` about everything | {} |", question.name, spread(took));
    }
    Ok(())
}

/// Median and 95th percentile, in words.
fn spread(mut values: Vec<f64>) -> String {
    values.sort_by(f64::total_cmp);
    let at = |share: usize| values.get((values.len() * share / 100).min(values.len().saturating_sub(1))).copied();
    format!("{:.1} / {:.1} ms", at(50).unwrap_or_default(), at(95).unwrap_or_default())
}
