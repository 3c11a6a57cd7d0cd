//! The nodes: each lives for a while, is killed, and is started again.

use std::{
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::{Instant, sleep},
};

use crate::server::rondo;

/// Where the nodes that live can be reached.
#[derive(Clone, Default)]
pub(super) struct Addresses(Arc<Mutex<Vec<Option<String>>>>);

impl Addresses {
    /// Any of them.
    pub(super) fn any(&self, random: &mut StdRng) -> Option<String> {
        let known = self.0.lock().unwrap();
        let living: Vec<&String> = known.iter().flatten().collect();
        living.choose(random).map(|url| (*url).clone())
    }

    fn set(&self, node: usize, url: Option<String>) {
        let mut known = self.0.lock().unwrap();
        if known.len() <= node {
            known.resize(node + 1, None);
        }
        known[node] = url;
    }
}

/// What all nodes have in common.
pub(super) struct Shared {
    /// Variables of their environment.
    pub(super) environment: Vec<(&'static str, String)>,
    pub(super) addresses: Addresses,
    /// How many were killed.
    pub(super) deaths: AtomicUsize,
    /// Nodes that ended although nobody killed them.
    pub(super) faults: Mutex<Vec<String>>,
}

/// A node: a data directory, and a process most of the time.
pub(super) struct Node {
    number: usize,
    data: TempDir,
    shared: Arc<Shared>,
    process: Option<Child>,
}

impl Node {
    pub(super) fn new(number: usize, shared: &Arc<Shared>) -> Self {
        Self { number, data: tempfile::tempdir().unwrap(), shared: Arc::clone(shared), process: None }
    }

    /// A command of the program on this node's data.
    pub(super) fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = rondo();
        command.args(arguments).arg("--data").arg(self.data.path()).stdin(Stdio::null());
        command.envs(self.shared.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What a command printed.
    pub(super) fn printed(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the node has logged in all its lives.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("server.log")).unwrap_or_default()
    }

    /// Leaves the data where it is, for whoever wants to know what went wrong.
    pub(super) fn keep(mut self) -> std::path::PathBuf {
        self.data.disable_cleanup(true);
        self.data.path().to_owned()
    }

    fn spawn(&self, demo: bool) -> Child {
        let log = std::fs::File::options().create(true).append(true).open(self.data.path().join("server.log")).unwrap();
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        if demo {
            command.arg("--demo");
        }
        command.stdout(Stdio::piped()).stderr(log);
        Command::from(command).kill_on_drop(true).spawn().unwrap()
    }

    /// Starts the node for good, however often that takes.
    pub(super) async fn settle(&mut self, demo: bool) {
        loop {
            let mut process = self.spawn(demo);
            let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(url) = line.strip_prefix("Rondo is at ") {
                    self.shared.addresses.set(self.number, Some(url.to_owned()));
                    self.process = Some(process);
                    return;
                }
            }
            let _ = process.wait().await;
        }
    }

    /// As at a power cut.
    pub(super) async fn kill(&mut self) {
        self.shared.addresses.set(self.number, None);
        if let Some(mut process) = self.process.take() {
            process.kill().await.unwrap();
        }
    }

    /// Lives, is killed and is started again until the time is over; lives on then.
    pub(super) async fn perish(&mut self, over: Instant, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        self.kill().await;
        while Instant::now() < over {
            let mut process = self.spawn(false);
            // Now and then it does not come further than its start.
            let lifetime = if random.random_ratio(1, 6) {
                random.random_range(10..800)
            } else {
                random.random_range(2_000..9_000)
            };
            tokio::select! {
                () = sleep(Duration::from_millis(lifetime)) => { self.shared.deaths.fetch_add(1, Ordering::Relaxed); }
                served = self.serve(&mut process) => if served {
                    let status = process.wait().await;
                    self.shared.faults.lock().unwrap().push(format!("node {} ended by itself: {status:?}", self.number));
                }
            }
            self.shared.addresses.set(self.number, None);
            // An error only says that it has ended.
            let _ = process.kill().await;
            sleep(Duration::from_millis(random.random_range(0..1_000))).await;
        }
        self.settle(false).await;
    }

    /// Tells where the node is, and waits for its end; whether it came to serve at all.
    async fn serve(&self, process: &mut Child) -> bool {
        let mut served = false;
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(url) = line.strip_prefix("Rondo is at ") {
                self.shared.addresses.set(self.number, Some(url.to_owned()));
                served = true;
            }
        }
        served
    }
}
