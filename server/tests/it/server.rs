//! A running `rondo` with a data directory of its own.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use reqwest::{Client, Method, RequestBuilder, redirect::Policy};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The binary under test.
pub(crate) fn rondo() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rondo"));
    // Nothing of the surroundings may change what is tested.
    for (name, _) in std::env::vars() {
        if name.starts_with("RONDO_") || name == "DATABASE_URL" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command beside the server to its end.
pub(crate) fn run(data: &Path, arguments: &[&str]) -> Output {
    rondo().args(arguments).arg("--data").arg(data).stdin(Stdio::null()).output().unwrap()
}

/// What a command printed, if it succeeded.
pub(crate) fn printed(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A client that follows no redirects and knows no cookies.
pub(crate) fn client() -> Client {
    // An error only says that another test was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

/// A server at work; killed when dropped.
pub(crate) struct TestServer {
    child: Child,
    data: TempDir,
    pub(crate) url: String,
    /// What it printed up to its address.
    pub(crate) greeting: Vec<String>,
    pub(crate) client: Client,
    /// Open as long as the server writes to it.
    stdout: BufReader<std::process::ChildStdout>,
}

impl TestServer {
    /// A server with the demonstration organisation.
    pub(crate) fn demo() -> Self {
        Self::start(tempfile::tempdir().unwrap(), &["--demo"])
    }

    /// A server on this data directory.
    pub(crate) fn start(data: TempDir, arguments: &[&str]) -> Self {
        let mut command = rondo();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path()).args(arguments);
        Self::spawn(command, data)
    }

    pub(crate) fn spawn(mut command: Command, data: TempDir) -> Self {
        let log = data.path().join("server.log");
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, data, url: String::new(), greeting: Vec::new(), client: client(), stdout };
        while server.url.is_empty() {
            let mut line = String::new();
            let read = server.stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "the server ended: {:?}\n{}", server.greeting, server.log());
            server.greeting.push(line.trim_end().to_owned());
            if let Some(url) = line.strip_prefix("Rondo is at ") {
                url.trim().clone_into(&mut server.url);
            }
        }
        server
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// What the server logged so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("server.log")).unwrap()
    }

    /// Tells the server to stop, and gives its data directory and how it ended.
    pub(crate) fn stop(mut self) -> (TempDir, ExitStatus) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        let data = std::mem::replace(&mut self.data, tempfile::tempdir().unwrap());
        (data, status)
    }

    /// Waits for the end of a server that dies by itself, or kills it, and gives its data directory.
    pub(crate) fn reap(mut self) -> TempDir {
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::mem::replace(&mut self.data, tempfile::tempdir().unwrap())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// A new API token of this person.
    pub(crate) fn token(&self, login: &str) -> String {
        printed(self.data(), &["token", "create", "--user", login]).trim().to_owned()
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// A request to REST by this token.
    pub(crate) fn rest(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.client.request(method, self.at(&format!("/api/v1{path}"))).bearer_auth(token)
    }

    /// The JSON that REST gives for a path.
    pub(crate) async fn get(&self, path: &str, token: &str) -> Value {
        let response = self.rest(Method::GET, path, token).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// The cookie of a browser that this person signed in with.
    pub(crate) async fn sign_in(&self, login: &str, password: &str) -> Option<String> {
        let form = [("login", login), ("password", password)];
        let request = self.client.post(self.at("/ui/sign-in")).header("origin", &self.url).form(&form);
        let response = request.header("accept", "application/json").send().await.unwrap();
        let cookie = response.headers().get("set-cookie")?.to_str().unwrap().to_owned();
        Some(cookie.split(';').next().unwrap().to_owned())
    }

    /// Launches the onboarding of a new colleague as `staff`, and gives the run's id.
    pub(crate) async fn launch(&self, token: &str, given_name: &str) -> String {
        let request = self.rest(Method::POST, "/workflows/identity/onboard-employee/runs", token);
        let response = request.json(&json!({"input": onboarding(given_name)})).send().await.unwrap();
        let (status, body) = (response.status(), response.text().await.unwrap());
        assert_eq!(status, 201, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned()
    }

    /// The pending approval of a run, as soon as there is one.
    pub(crate) async fn approval(&self, run: &str, token: &str) -> Value {
        for _ in 0..200 {
            let page = self.get(&format!("/approvals?run={run}&state=pending"), token).await;
            if let Some(approval) = page["items"].as_array().unwrap().first() {
                return approval.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("no approval was opened\n{}", self.log());
    }
}

/// An input that the onboarding takes.
pub(crate) fn onboarding(given_name: &str) -> Value {
    json!({
        "givenName": given_name,
        "familyName": "Lovelace",
        "privateEmail": "ada@example.test",
        "department": "engineering",
        "jobTitle": "Engineer",
        "startDate": "2026-12-01",
        "contract": "permanent",
    })
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // An error only says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One demonstration server for those tests of this process that leave it as they found it; it ends with the last of them.
pub(crate) fn shared() -> Arc<TestServer> {
    static SERVER: Mutex<Weak<TestServer>> = Mutex::new(Weak::new());
    let mut server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    server.upgrade().unwrap_or_else(|| {
        let started = Arc::new(TestServer::demo());
        *server = Arc::downgrade(&started);
        started
    })
}

/// What a failing command said, in one line.
pub(crate) fn complaint(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

/// All that a child still prints, once it has ended.
pub(crate) fn rest_of(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut text).unwrap();
    }
    text
}

/// The repository's root.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
