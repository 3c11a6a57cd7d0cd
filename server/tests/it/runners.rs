//! Runners elsewhere, with the real binary at both ends.

mod cut_off;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{TestServer, rondo};

/// Writes a line into a file of its own each time that it is begun, says something, and waits until it is told to go on.
fn until_told(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "echo begun >> {folder}/$1.begun; echo $$ > {folder}/$1.pid; echo \"hello $WORD\"; \
         while ! test -e {folder}/$1.go; do sleep 0.05; done; echo done"
    )
}

fn definition(command: &str, name: &str, rondo: &str) -> String {
    format!(
        "
document: {{dsl: 1.0.3, namespace: tests, name: {name}, version: 1.0.0, title: {name}}}
use: {{secrets: [word]}}
input: {{schema: {{document: {{type: object, required: [mark], properties: {{mark: {{type: string}}}}}}}}}}
do:
  - look:
      run:
        shell:
          command: '{command}'
          arguments: ['${{ .mark }}']
          environment: {{WORD: '${{ $secrets.word }}'}}
      metadata: {{rondo: {{{rondo}}}}}
"
    )
}

/// A server whose runners are elsewhere, and where what they do is seen.
struct Field {
    server: Option<TestServer>,
    /// What processes have written, and what they wait for. Open to the user that they belong to.
    seen: TempDir,
    staff: String,
    operator: String,
    admin: String,
    token: String,
    address: SocketAddr,
    lease: &'static str,
}

impl Field {
    async fn open() -> Self {
        Self::at(Ipv4Addr::LOCALHOST.into(), "PT3S", until_told).await
    }

    /// At this address, with tasks that do this.
    async fn at(address: IpAddr, lease: &'static str, does: impl Fn(&Path) -> String) -> Self {
        let seen = tempfile::tempdir().unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(seen.path(), open).unwrap();
        let data = tempfile::tempdir().unwrap();
        let own = data.path().join("own");
        std::fs::create_dir(&own).unwrap();
        for (name, rondo) in [
            ("once", "runner: {labels: [far]}"),
            ("again", "idempotent: true, runner: {labels: [far]}"),
            ("anywhere", "idempotent: false"),
        ] {
            std::fs::write(own.join(format!("{name}.yaml")), definition(&does(seen.path()), name, rondo)).unwrap();
        }
        // The runner has to find the server again after its restart.
        let address = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap();
        let server = serve(data, address, lease, "");
        let admin = server.token("admin");
        for (method, path, body) in [
            (Method::PUT, "/process-permissions/tests", json!({})),
            (Method::PUT, "/secrets/tests/word", json!({"value": "xyzzy-plugh"})),
        ] {
            let done = server.rest(method, path, &admin).json(&body).send().await.unwrap();
            assert!(done.status().is_success(), "{path}: {}", done.status());
        }
        let token = enrol(&server, &admin, "far-1").await;
        let (staff, operator) = (server.token("staff"), server.token("operator"));
        Self { server: Some(server), seen, staff, operator, admin, token, address, lease }
    }

    fn server(&self) -> &TestServer {
        self.server.as_ref().unwrap()
    }

    fn kill_server(&mut self) {
        self.kill_server_and_send("");
    }

    /// Kills the server; the next one sends the processes of these namespaces elsewhere.
    fn kill_server_and_send(&mut self, elsewhere: &str) {
        let data = self.server.take().unwrap().reap();
        self.serve_again(data, elsewhere);
    }

    fn serve_again(&mut self, data: TempDir, elsewhere: &str) {
        self.server = Some(serve(data, self.address, self.lease, elsewhere));
    }

    fn runner(&self, folder: &TempDir) -> FarRunner {
        FarRunner::start(&self.server().url, &self.token, folder)
    }

    async fn launch(&self, name: &str, mark: &str) -> String {
        let path = format!("/workflows/tests/{name}/runs");
        let launch = self.server().rest(Method::POST, &path, &self.staff).json(&json!({"input": {"mark": mark}}));
        let launched = launch.send().await.unwrap();
        let (status, body) = (launched.status(), launched.text().await.unwrap());
        assert_eq!(status, 201, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned()
    }

    fn begun(&self, mark: &str) -> usize {
        self.lines(&format!("{mark}.begun"))
    }

    /// How many lines processes have written into a file.
    fn lines(&self, file: &str) -> usize {
        std::fs::read_to_string(self.seen.path().join(file)).map_or(0, |text| text.lines().count())
    }

    async fn until_begun(&self, mark: &str, times: usize) {
        until(
            || self.begun(mark) == times,
            || format!("{mark} was begun {} times\n{}", self.begun(mark), self.server().log()),
        )
        .await;
    }

    fn let_go(&self, mark: &str) {
        std::fs::write(self.seen.path().join(format!("{mark}.go")), "").unwrap();
    }

    fn process(&self, mark: &str) -> String {
        std::fs::read_to_string(self.seen.path().join(format!("{mark}.pid"))).unwrap().trim().to_owned()
    }

    /// Looks at a path until it shows what is wanted.
    async fn shows(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let by = if path.starts_with("/runs/") { &self.operator } else { &self.admin };
        let mut pause = tokio::time::interval(Duration::from_millis(50));
        let looking = async {
            loop {
                pause.tick().await;
                let seen = self.server().get(path, by).await;
                if wanted(&seen) {
                    return seen;
                }
            }
        };
        if let Ok(seen) = tokio::time::timeout(Duration::from_secs(40), looking).await {
            return seen;
        }
        panic!("{path} stays {}\n{}", self.server().get(path, by).await, self.server().log())
    }

    async fn completes(&self, run: &str) -> Value {
        self.shows(&format!("/runs/{run}"), |run| run["status"] == "completed").await
    }

    async fn needs_somebody(&self, run: &str) {
        self.shows(&format!("/runs/{run}"), |run| run["needsAttention"] == true).await;
        let tasks = self.shows(&format!("/runs/{run}/tasks"), |_| true).await;
        assert_eq!(tasks["items"][0]["status"], "unknown", "{tasks}");
    }

    async fn set(&self, state: &str) {
        let path = "/runners/far-1";
        let change = self.server().rest(Method::PUT, path, &self.admin).json(&json!({"state": state}));
        assert_eq!(change.send().await.unwrap().status(), 200);
    }
}

/// The token of a new runner.
async fn enrol(server: &TestServer, admin: &str, name: &str) -> String {
    let new = json!({"name": name, "labels": ["far"], "namespaces": ["tests"]});
    let enrolled = server.rest(Method::POST, "/runners", admin).json(&new).send().await.unwrap();
    assert_eq!(enrolled.status(), 201);
    enrolled.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
}

fn serve(data: TempDir, address: SocketAddr, lease: &str, elsewhere: &str) -> TestServer {
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", &address.to_string(), "--data"]).arg(data.path());
    command.env("RONDO_WORKFLOWS", data.path().join("own")).env("RONDO_RUNNER_LEASE", lease);
    if !elsewhere.is_empty() {
        command.env("RONDO_RUNNER_ELSEWHERE", elsewhere);
    }
    TestServer::spawn(command, data)
}

/// A runner at work; killed when dropped.
struct FarRunner {
    child: Child,
    log: std::path::PathBuf,
}

impl FarRunner {
    fn start(server: &str, token: &str, folder: &TempDir) -> Self {
        Self::spawn(Self::command(server, token, folder), folder)
    }

    fn command(server: &str, token: &str, folder: &TempDir) -> Command {
        let mut command = rondo();
        command.args(["runner", "--server", server, "--data"]).arg(folder.path()).env("RONDO_RUNNER_TOKEN", token);
        command
    }

    fn spawn(mut command: Command, folder: &TempDir) -> Self {
        let log = folder.path().join("runner.log");
        let written = std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(written).spawn().unwrap();
        Self { child, log }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    async fn ended(&mut self) -> ExitStatus {
        let mut pause = tokio::time::interval(Duration::from_millis(20));
        let waiting = async {
            loop {
                pause.tick().await;
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap()
    }
}

impl Drop for FarRunner {
    fn drop(&mut self) {
        // An error only says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn until(condition: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    let waiting = async {
        while !condition() {
            pause.tick().await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), waiting).await.is_ok(), "{}", otherwise());
}

fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_runner_elsewhere_executes_a_task_and_its_lines_arrive_without_secrets() {
    let field = Field::open().await;
    let run = field.launch("once", "a").await;
    let waiting = field.shows("/runner-tasks", |page| page["items"][0]["state"] == "queued").await;
    assert_eq!(waiting["items"][0]["labels"], json!(["far"]), "{waiting}");
    let folder = tempfile::tempdir().unwrap();
    let runner = field.runner(&folder);
    field.until_begun("a", 1).await;
    let listed = field.shows("/runners", |page| page["items"][0]["tasks"][0]["state"] == "started").await;
    assert_eq!(listed["items"][0]["online"], true, "{listed}");
    let lines = field.shows(&format!("/runs/{run}/logs"), |page| page["items"].to_string().contains("hello")).await;
    assert!(lines.to_string().contains("hello [redacted]"), "{lines}");
    field.let_go("a");
    let ended = field.completes(&run).await;
    assert_eq!(ended["output"].as_str().unwrap().trim(), "hello [redacted]\ndone");
    assert_eq!(field.begun("a"), 1);
    // Nothing of it stays with the runner: neither its secrets nor what became of it.
    let task_files = || std::fs::read_dir(folder.path().join("runner/tasks")).unwrap().count();
    until(|| task_files() == 0, || runner.log()).await;
    assert!(!runner.log().contains("xyzzy"), "{}", runner.log());
}

#[tokio::test]
async fn a_runner_that_is_killed_leaves_a_question_or_does_it_again() {
    let field = Field::open().await;
    let folder = tempfile::tempdir().unwrap();
    let runner = field.runner(&folder);
    let (once, again) = (field.launch("once", "a").await, field.launch("again", "b").await);
    field.until_begun("a", 1).await;
    field.until_begun("b", 1).await;
    let process = field.process("a");
    runner.kill();
    until(|| !is_alive(&process), || "the process lives on".to_owned()).await;
    // The next one knows what the first has left behind.
    let runner = field.runner(&folder);
    field.needs_somebody(&once).await;
    field.until_begun("b", 2).await;
    field.let_go("b");
    field.completes(&again).await;
    assert_eq!((field.begun("a"), field.begun("b")), (1, 2), "{}", runner.log());
    let auditor = field.server().token("auditor");
    let entries = field.server().get("/audit/entries?limit=200", &auditor).await;
    assert!(entries.to_string().contains(&once), "{entries}");
}

#[tokio::test]
async fn a_runner_that_never_comes_back_is_noticed_by_its_lease() {
    let field = Field::open().await;
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let runner = field.runner(&folder);
    let (once, again) = (field.launch("once", "a").await, field.launch("again", "b").await);
    field.until_begun("a", 1).await;
    field.until_begun("b", 1).await;
    runner.kill();
    // Another installation takes over with the same token, once the first has been silent for long enough.
    let _other = field.runner(&other);
    field.needs_somebody(&once).await;
    field.until_begun("b", 2).await;
    field.let_go("b");
    field.completes(&again).await;
    assert_eq!(field.begun("a"), 1);
}

#[tokio::test]
async fn a_server_that_is_killed_finds_what_its_runner_has_gone_on_with() {
    let mut field = Field::open().await;
    let folder = tempfile::tempdir().unwrap();
    let runner = field.runner(&folder);
    let (goes_on, ends) = (field.launch("once", "a").await, field.launch("once", "b").await);
    field.until_begun("a", 1).await;
    field.until_begun("b", 1).await;
    let data = field.server.take().unwrap().reap();
    // This one ends while there is nobody to tell.
    field.let_go("b");
    let report = folder.path().join("runner/tasks");
    let told = || {
        let files =
            std::fs::read_dir(&report).unwrap().filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok());
        files.filter(|text| text.contains("ended")).count()
    };
    until(|| told() == 1, || runner.log()).await;
    field.serve_again(data, "");
    field.completes(&ends).await;
    field.let_go("a");
    field.completes(&goes_on).await;
    assert_eq!((field.begun("a"), field.begun("b")), (1, 1), "{}", runner.log());
}

#[tokio::test]
async fn a_process_stays_where_it_was_begun_whatever_the_configuration_says_later() {
    let mut field = Field::open().await;
    let folder = tempfile::tempdir().unwrap();
    let here = field.launch("anywhere", "a").await;
    field.until_begun("a", 1).await;
    field.kill_server_and_send("*");
    let runner = field.runner(&folder);
    // It was begun by a server that is gone, and must not be begun again.
    field.needs_somebody(&here).await;
    let there = field.launch("anywhere", "b").await;
    field.until_begun("b", 1).await;
    assert!(is_alive(&field.process("b")));
    field.kill_server();
    field.let_go("b");
    field.completes(&there).await;
    assert_eq!((field.begun("a"), field.begun("b")), (1, 1), "{}", runner.log());
}

#[tokio::test]
async fn killed_both_they_lose_nothing_that_they_knew() {
    let mut field = Field::open().await;
    let folder = tempfile::tempdir().unwrap();
    let runner = field.runner(&folder);
    let (once, again) = (field.launch("once", "a").await, field.launch("again", "b").await);
    field.until_begun("a", 1).await;
    field.until_begun("b", 1).await;
    runner.kill();
    field.kill_server();
    let _runner = field.runner(&folder);
    field.needs_somebody(&once).await;
    field.until_begun("b", 2).await;
    field.let_go("b");
    field.completes(&again).await;
    assert_eq!(field.begun("a"), 1);
}

#[tokio::test]
async fn a_runner_that_is_told_to_stop_ends_what_it_has_and_takes_nothing_more() {
    let field = Field::open().await;
    let folder = tempfile::tempdir().unwrap();
    let mut runner = field.runner(&folder);
    let first = field.launch("once", "a").await;
    field.until_begun("a", 1).await;
    runner.terminate();
    until(|| runner.log().contains("stopping"), || runner.log()).await;
    let second = field.launch("once", "b").await;
    field.shows("/runner-tasks", |page| page["items"].as_array().unwrap().len() == 2).await;
    field.let_go("a");
    field.completes(&first).await;
    assert!(runner.ended().await.success(), "{}", runner.log());
    assert_eq!(field.begun("b"), 0);
    field.let_go("b");
    let _next = field.runner(&folder);
    field.completes(&second).await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_ends_its_process_at_the_runner() {
    let field = Field::open().await;
    let folder = tempfile::tempdir().unwrap();
    let _runner = field.runner(&folder);
    let run = field.launch("once", "a").await;
    field.until_begun("a", 1).await;
    let process = field.process("a");
    let path = format!("/runs/{run}/cancel");
    let cancelled = field.server().rest(Method::POST, &path, &field.operator).json(&json!({})).send().await.unwrap();
    assert_eq!(cancelled.status(), 200);
    until(|| !is_alive(&process), || field.server().log()).await;
    field.shows(&format!("/runs/{run}"), |run| run["status"] == "cancelled").await;
    field.shows("/runner-tasks", |page| page["items"].as_array().unwrap().is_empty()).await;
}

#[tokio::test]
async fn a_wrong_token_opens_nothing_and_a_runner_s_token_nothing_else() {
    let field = Field::open().await;
    let folder = tempfile::tempdir().unwrap();
    let mut stranger = FarRunner::start(&field.server().url, &format!("rondo_runner_{}", "a".repeat(43)), &folder);
    assert!(!stranger.ended().await.success());
    assert!(stranger.log().contains("does not know the token"), "{}", stranger.log());
    let by = |token: &str, path: &str| {
        let asked = field.server().rest(Method::POST, path, token).json(&json!({})).send();
        async move { asked.await.unwrap().status().as_u16() }
    };
    for place in ["session", "poll", "begin", "lines", "report"] {
        let path = format!("/runner/{place}");
        assert_eq!(by(&field.admin, &path).await, 401, "{place} by an administrator's token");
        assert_eq!(by("rondo_nothing", &path).await, 401, "{place}");
        assert_eq!(by(&field.token, &path).await, 400, "{place} with a body of nothing");
    }
    let other = field.server().rest(Method::GET, "/runners", &field.token).send().await.unwrap();
    assert_eq!(other.status(), 401);
    let author = field.server().token("author");
    let new = json!({"name": "mine", "namespaces": ["*"]});
    let refused = field.server().rest(Method::POST, "/runners", &author).json(&new).send().await.unwrap();
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn a_runner_that_is_disabled_ends_what_it_has_and_works_again_when_it_is_enabled() {
    let field = Field::open().await;
    let folder = tempfile::tempdir().unwrap();
    let runner = field.runner(&folder);
    let run = field.launch("once", "a").await;
    field.until_begun("a", 1).await;
    let process = field.process("a");
    field.set("disabled").await;
    until(|| !is_alive(&process), || runner.log()).await;
    field.needs_somebody(&run).await;
    let next = field.launch("once", "b").await;
    field.shows("/runner-tasks", |page| page["items"].to_string().contains(&next)).await;
    assert_eq!(field.begun("b"), 0);
    field.let_go("b");
    field.set("enabled").await;
    field.completes(&next).await;
}
