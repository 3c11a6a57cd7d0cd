//! The kill test: nodes of the real binary die at any time, and so does the way to their database, while people launch
//! runs of every kind, decide, publish, cancel. When it is over every run stands where it should, and every effect was had
//! once.
//!
//! The short form runs with all tests. `make chaos` runs the long one, by these variables:
//! `CHAOS_SECONDS` for how long nodes are killed, `CHAOS_ORDERS` how many runs are launched meanwhile, `CHAOS_OWN_POSTGRES`
//! that the server of `TEST_POSTGRES_URL` is nobody else's, so that it may be stopped and killed as well. `TEST_SEED` repeats
//! who dies when; what they are at by then is up to the machine.

mod database;
mod effects;
mod nodes;
mod orders;
mod people;
mod verdict;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::Engine as _;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout_at},
};

use self::{
    database::Postgres,
    effects::Effects,
    nodes::{Addresses, Node, Shared},
    orders::{Kind, Order},
    people::{People, Tokens},
    verdict::Verdict,
};

/// How long everything may take to come to rest once nobody is killed any more.
const REST: Duration = Duration::from_mins(4);

/// How much of it.
struct Extent {
    /// How long nodes are killed.
    killing: Duration,
    /// Runs that are launched in this time.
    orders: usize,
}

impl Extent {
    fn chosen(short: &Self) -> Self {
        let chosen = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
        Self {
            killing: chosen("CHAOS_SECONDS").map_or(short.killing, Duration::from_secs),
            orders: chosen("CHAOS_ORDERS").map_or(short.orders, |orders| usize::try_from(orders).unwrap()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_a_node_on_sqlite_does_everything_once() {
    let seed = testkit::seed();
    let extent = Extent::chosen(&Extent { killing: Duration::from_secs(12), orders: 42 });
    play(&extent, seed, 1, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_again_and_again_three_nodes_on_postgresql_do_everything_once() {
    let seed = testkit::seed();
    let ours = std::env::var("CHAOS_OWN_POSTGRES").is_ok_and(|text| text == "true");
    let Some(postgres) = Postgres::create(seed, ours).await else { return };
    let extent = Extent::chosen(&Extent { killing: Duration::from_secs(15), orders: 56 });
    play(&extent, seed, 3, Some(&postgres)).await;
    postgres.remove();
}

/// Kills nodes for a while, waits until all is at rest, and judges.
async fn play(extent: &Extent, seed: u64, count: usize, postgres: Option<&Postgres>) {
    let effects = Arc::new(Effects::start(seed).await);
    let workflows = tempfile::tempdir().unwrap();
    orders::write_workflows(workflows.path());
    let mut environment =
        vec![("RONDO_WORKFLOWS", workflows.path().display().to_string()), ("RONDO_ENGINE_LEASE", "PT2S".to_owned())];
    if let Some(postgres) = postgres {
        environment.push(("DATABASE_URL", postgres.url.clone()));
        // Nodes of one database have one key.
        environment.push(("RONDO_KEY", base64::prelude::BASE64_STANDARD.encode([7; 32])));
    }
    let shared = Arc::new(Shared {
        environment,
        addresses: Addresses::default(),
        deaths: AtomicUsize::new(0),
        faults: Mutex::default(),
    });
    let mut nodes: Vec<Node> = (0..count).map(|number| Node::new(number, &shared)).collect();
    nodes[0].settle(true).await;
    let token = |login: &str| nodes[0].printed(&["token", "create", "--user", login]).trim().to_owned();
    let tokens = Tokens { staff: token("staff"), manager: token("manager"), operator: token("operator") };
    let people = Arc::new(People::new(tokens, shared.addresses.clone(), seed));

    let begin = Instant::now();
    let over = begin + extent.killing;
    let mut living = JoinSet::new();
    for (seed, mut node) in (seed..).zip(nodes) {
        living.spawn(async move {
            node.perish(over, seed).await;
            node
        });
    }
    let orders: Vec<Order> = (0..extent.orders)
        .map(|number| Order { name: format!("order-{number:05}"), kind: Kind::ALL[number % Kind::ALL.len()] })
        .collect();
    let progress = Arc::new(Mutex::new(BTreeMap::new()));
    let mut following = JoinSet::new();
    for (number, order) in orders.iter().cloned().enumerate() {
        let (people, effects, progress) = (Arc::clone(&people), Arc::clone(&effects), Arc::clone(&progress));
        let launch = begin + extent.killing * u32::try_from(number).unwrap() / u32::try_from(extent.orders).unwrap();
        following.spawn(async move {
            sleep_until(launch).await;
            let told = |state: &str| drop(progress.lock().unwrap().insert(order.name.clone(), state.to_owned()));
            let run = people.follow(&order, &effects, told).await;
            progress.lock().unwrap().remove(&order.name);
            (order, run)
        });
    }
    let failures = match postgres {
        Some(postgres) => postgres.fail(over, seed).await,
        None => BTreeMap::new(),
    };
    let mut ended = Vec::new();
    let mut faults = Vec::new();
    loop {
        match timeout_at(over + REST, following.join_next()).await {
            Ok(Some(Ok(followed))) => ended.push(followed),
            Ok(Some(Err(panic))) => faults.push(format!("{panic}")),
            Ok(None) => break,
            Err(_) => {
                let open = progress.lock().unwrap();
                faults.extend(open.iter().map(|(order, state)| format!("{order} {state} and does not end")));
                break;
            }
        }
    }
    following.shutdown().await;
    let at_rest = begin.elapsed();
    let mut nodes = living.join_all().await;

    let mut verdict = Verdict::new(&people, &effects);
    for (order, run) in &ended {
        verdict.judge(order, run).await;
    }
    faults.append(&mut verdict.faults);
    faults.append(&mut shared.faults.lock().unwrap());
    faults.extend(audit_log(&nodes[0]));
    for node in &nodes {
        faults.extend(node.log().lines().filter(|line| line.contains("panicked at")).map(ToOwned::to_owned));
    }
    println!(
        "{} runs ended in {:.0} s with {} effects; {} deaths; the database {failures:?}",
        ended.len(),
        at_rest.as_secs_f32(),
        effects.all().len(),
        shared.deaths.load(Ordering::Relaxed),
    );
    for node in &mut nodes {
        node.kill().await;
    }
    if !faults.is_empty() {
        let kept: Vec<_> = nodes.into_iter().map(Node::keep).collect();
        panic!("TEST_SEED={seed}\n{}\nThe nodes left their logs and data in {kept:?}", faults.join("\n"));
    }
}

/// What is wrong with the audit log.
fn audit_log(node: &Node) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let file = file.to_str().unwrap();
    node.printed(&["audit", "export", "--out", file]);
    let output = node.command(&["audit", "verify", file]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let whole = output.status.success() && said.contains("integrity: nothing was altered");
    (!whole).then(|| format!("the audit log: {said}{}", String::from_utf8_lossy(&output.stderr)))
}
