//! PostgreSQL as the nodes see it: a database of the test's own, at the end of a way that can be cut or fall silent.

use std::{collections::BTreeMap, process::Command, time::Duration};

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, sleep},
};

/// What the way to the database does with what is sent over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Carries it.
    Open,
    /// Keeps it until it is open again: nobody hears anything, and nobody is told why.
    Silent,
    /// Ends all connections and takes no new ones.
    Cut,
}

/// A database on the server of `TEST_POSTGRES_URL`.
pub(super) struct Postgres {
    server: String,
    name: String,
    /// For the nodes.
    pub(super) url: String,
    way: watch::Sender<Way>,
    /// Whether the server itself may be stopped and killed, because nobody else uses it.
    ours: bool,
}

impl Postgres {
    /// None, with a message, where there is no server.
    pub(super) async fn create(seed: u64, ours: bool) -> Option<Self> {
        let Some(server) = std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty()) else {
            eprintln!("SKIPPED: TEST_POSTGRES_URL is not set, so nothing was tested on PostgreSQL");
            return None;
        };
        let name = format!("rondo_chaos_{}_{seed}", std::process::id());
        psql(&server, &format!("CREATE DATABASE {name}"));
        let mut url: url::Url = server.parse().unwrap();
        let (host, port) = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        url.set_path(&name);
        let (way, watched) = watch::channel(Way::Open);
        tokio::spawn(relay(listener, format!("{host}:{port}"), watched));
        Some(Self { server, name, url: url.into(), way, ours })
    }

    /// Takes the database away from the nodes now and then until the time is over; how often, by how.
    pub(super) async fn fail(&self, over: Instant, seed: u64) -> BTreeMap<&'static str, u32> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut failures = BTreeMap::new();
        loop {
            let calm = Duration::from_millis(random.random_range(3_000..9_000));
            if Instant::now() + calm >= over {
                return failures;
            }
            sleep(calm).await;
            let pause = Duration::from_millis(random.random_range(200..6_500));
            let what = match random.random_range(0..if self.ours { 4 } else { 2 }) {
                0 => self.obstruct(Way::Cut, pause).await,
                1 => self.obstruct(Way::Silent, pause).await,
                2 => self.freeze(pause).await,
                _ => self.crash(),
            };
            *failures.entry(what).or_default() += 1;
        }
    }

    async fn obstruct(&self, way: Way, pause: Duration) -> &'static str {
        self.way.send_replace(way);
        sleep(pause).await;
        self.way.send_replace(Way::Open);
        if way == Way::Cut { "cut off" } else { "silent" }
    }

    /// Stops all processes of the server for a while.
    async fn freeze(&self, pause: Duration) -> &'static str {
        let processes = self.processes();
        signal("STOP", &processes);
        sleep(pause).await;
        signal("CONT", &processes);
        "frozen"
    }

    /// Kills a process of the server, at which it ends all others and recovers from its log.
    fn crash(&self) -> &'static str {
        let serving = "SELECT pid FROM pg_stat_activity WHERE application_name = 'rondo' LIMIT 1";
        signal("KILL", &psql(&self.server, serving).lines().map(ToOwned::to_owned).collect::<Vec<_>>());
        "crashed"
    }

    fn processes(&self) -> Vec<String> {
        let file = psql(&self.server, "SELECT pg_read_file('postmaster.pid')");
        let first = file.lines().next().unwrap().to_owned();
        let children = Command::new("pgrep").args(["-P", &first]).output().unwrap();
        let children = String::from_utf8(children.stdout).unwrap();
        std::iter::once(first).chain(children.lines().map(ToOwned::to_owned)).collect()
    }

    pub(super) fn remove(&self) {
        psql(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// What the server says to a statement; it may be starting just now.
fn psql(server: &str, statement: &str) -> String {
    let mut said = String::new();
    for _ in 0..100 {
        let output = Command::new("psql").args([server, "-qAtc", statement]).output().unwrap();
        if output.status.success() {
            return String::from_utf8(output.stdout).unwrap();
        }
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        std::thread::park_timeout(Duration::from_millis(100));
    }
    panic!("{statement}: {said}");
}

/// A process that has ended meanwhile needs no signal.
fn signal(name: &str, processes: &[String]) {
    Command::new("kill").arg(format!("-{name}")).args(processes).output().unwrap();
}

async fn relay(listener: TcpListener, server: String, way: watch::Receiver<Way>) {
    loop {
        let (near, _) = listener.accept().await.unwrap();
        if *way.borrow() == Way::Cut {
            continue;
        }
        let (server, mut cut) = (server.clone(), way.clone());
        tokio::spawn(async move {
            let Ok(far) = TcpStream::connect(server).await else { return };
            let (from_near, to_near) = near.into_split();
            let (from_far, to_far) = far.into_split();
            let (there, back) = (carry(from_near, to_far, cut.clone()), carry(from_far, to_near, cut.clone()));
            tokio::select! {
                () = there => {}
                () = back => {}
                _ = cut.wait_for(|way| *way == Way::Cut) => {}
            }
        });
    }
}

async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut way: watch::Receiver<Way>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let open = way.wait_for(|way| *way != Way::Silent).await.is_ok();
        if !open || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
