//! The audit log and its witnesses: a real server, real witnesses of the same program, across kills of either side.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use reqwest::Method;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::server::{TestServer, printed, rondo, run};

/// How long a test waits for a condition before it fails.
const PATIENCE: Duration = Duration::from_mins(1);
/// A key of a witness that nobody here has.
const STRANGER: &str = "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G";

/// A witness at work; killed when dropped.
struct Witness {
    child: Child,
    folder: PathBuf,
    name: &'static str,
    log: String,
    key: String,
    url: String,
}

impl Witness {
    fn start(folder: &Path, name: &'static str, log: &str) -> Self {
        Self::listening(folder, name, log, "127.0.0.1:0")
    }

    fn listening(folder: &Path, name: &'static str, log: &str, address: &str) -> Self {
        let mut command = rondo();
        command.args(["audit", "witness", "--listen", address, "--log", log, "--name", name, "--data"]).arg(folder);
        let errors = fs::File::options().create(true).append(true).open(folder.with_extension("log")).unwrap();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let key = said.find(|line| line.contains('+')).unwrap().trim().to_owned();
        let url = said.find_map(|line| Some(line.strip_prefix("The witness is at ")?.to_owned())).unwrap();
        Self { child, folder: folder.to_owned(), name, log: log.to_owned(), key, url }
    }

    /// As if the machine had lost its power.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was.
    fn restart(&mut self) {
        let address = self.url.trim_start_matches("http://").to_owned();
        let again = Self::listening(&self.folder, self.name, &self.log, &address);
        assert_eq!((&again.key, &again.url), (&self.key, &self.url));
        *self = again;
    }

    fn table(&self) -> String {
        format!("[[audit.witness]]\nname = \"{}\"\nurl = \"{}\"\nkey = \"{}\"\n", self.name, self.url, self.key)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // An error only says that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A data directory with a log, its witnesses of these names, and the folder that theirs are in.
fn prepared(names: &[&'static str]) -> (TempDir, TempDir, Vec<Witness>) {
    let (data, folders) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    printed(data.path(), &["migrate"]);
    let log = printed(data.path(), &["audit", "key"]).trim().to_owned();
    let start = |name: &&'static str| Witness::start(&folders.path().join(name), name, &log);
    let witnesses: Vec<_> = names.iter().map(start).collect();
    let tables: String = witnesses.iter().map(Witness::table).collect();
    fs::write(data.path().join("rondo.toml"), tables).unwrap();
    (data, folders, witnesses)
}

/// Has the log signed as it is now; the note.
async fn sign(server: &TestServer, token: &str) -> String {
    server.get("/audit/checkpoint", token).await["checkpoint"].as_str().unwrap().to_owned()
}

async fn told(server: &TestServer, token: &str) -> Vec<Value> {
    server.get("/audit/witnesses", token).await["items"].as_array().unwrap().clone()
}

/// Waits until the server tells this of its witnesses.
async fn until(server: &TestServer, token: &str, what: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let seen = async {
        loop {
            let told = told(server, token).await;
            if what(&told) {
                return told;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    if let Ok(told) = timeout(PATIENCE, seen).await {
        return told;
    }
    panic!("it stays at {:?}\n{}", told(server, token).await, server.log())
}

fn is_whole(told: &Value) -> bool {
    told["size"].is_u64() && told["lag"] == 0 && told["failingSince"].is_null()
}

/// What both verifiers say of a file.
fn verified(path: &str, arguments: &[&str]) -> [(Option<i32>, String); 2] {
    let nowhere = tempfile::tempdir().unwrap();
    let ours = run(nowhere.path(), &[&["audit", "verify", path][..], arguments].concat());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_export.py");
    let theirs = Command::new("python3").arg(script).arg(path).args(arguments).output().unwrap();
    let said = |output: Output| (output.status.code(), format!("{output:?}"));
    [said(ours), said(theirs)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn checkpoints_are_cosigned_across_kills_and_restarts() {
    let (data, folders, mut witnesses) = prepared(&["auditors", "parent"]);
    let server = TestServer::start(data, &["--demo"]);
    let token = server.token("auditor");
    sign(&server, &token).await;
    let first = until(&server, &token, |told| told.iter().all(is_whole)).await;
    assert_eq!(first.len(), 2);

    // One is away: nobody waits for it, and it is said.
    witnesses[0].kill();
    sign(&server, &token).await;
    let lagging = |told: &[Value]| told[0]["failingSince"].is_string() && told[0]["lag"].as_u64() > Some(0);
    until(&server, &token, |told| lagging(told) && is_whole(&told[1])).await;
    let note = sign(&server, &token).await;
    assert!(note.contains("\u{2014} parent ") && !note.contains("\u{2014} auditors "), "{note}");
    let doctor = run(server.data(), &["doctor"]);
    let words = String::from_utf8_lossy(&doctor.stdout);
    assert!(words.contains("failed  witness auditors: has cosigned nothing since"), "{words}");
    assert!(words.contains("ok      witness parent: has cosigned"), "{words}");

    // It comes back with what it knew.
    witnesses[0].restart();
    let whole = until(&server, &token, |told| told.iter().all(is_whole)).await;
    assert!(whole[0]["size"].as_u64() > first[0]["size"].as_u64());

    // The server is killed, and goes on.
    let server = TestServer::start(server.reap(), &[]);
    sign(&server, &token).await;
    let size = whole[0]["size"].as_u64();
    until(&server, &token, |told| told.iter().all(|one| is_whole(one) && one["size"].as_u64() > size)).await;
    let note = sign(&server, &token).await;
    assert!(note.contains("\u{2014} parent ") && note.contains("\u{2014} auditors "), "{note}");

    // Whatever is taken out has what they have cosigned.
    let file = |name: &str, content: &[u8]| {
        let path = folders.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (auditors, parent) = (witnesses[0].key.as_str(), witnesses[1].key.as_str());
    let both = ["--witness", auditors, "--witness", parent];
    for (name, path) in [("proof.json", "/audit/entries/1/proof"), ("pack.tar", "/audit/evidence?action=demonstration")]
    {
        let response = server.rest(Method::GET, path, &token).send().await.unwrap();
        let path = file(name, &response.bytes().await.unwrap());
        let words = printed(folders.path(), &[&["audit", "verify", &path][..], &both].concat());
        assert!(words.contains("2 of 2 witnesses have cosigned") && words.contains("auditors has cosigned"), "{words}");
        let stranger = run(folders.path(), &["audit", "verify", &path, "--witness", STRANGER]);
        assert_eq!(stranger.status.code(), Some(1), "{stranger:?}");
    }
    let export = printed(server.data(), &["audit", "export"]);
    let (before, last) = export.rsplit_once("\u{2014} auditors ").unwrap();
    let altered = format!("{before}\u{2014} auditors {}{}{}", &last[..40], swapped(&last[40..41]), &last[41..]);
    let taken_away = {
        let (_, rest) = last.split_once("\\n").unwrap();
        format!("{before}{rest}")
    };
    for (what, export, arguments, expected) in [
        ("both", &export, vec!["--witness", auditors, "--witness", parent], 0),
        ("one of two", &export, vec!["--witness", auditors, "--witness", STRANGER, "--quorum", "1"], 0),
        ("a stranger", &export, vec!["--witness", STRANGER], 1),
        ("two of two", &export, vec!["--witness", auditors, "--witness", STRANGER], 1),
        ("altered", &altered, vec!["--witness", auditors], 1),
        ("altered, the other", &altered, vec!["--witness", auditors, "--witness", parent, "--quorum", "1"], 0),
        ("taken away", &taken_away, vec!["--witness", auditors], 1),
        ("taken away, not asked for", &taken_away, vec!["--witness", parent], 0),
    ] {
        let path = file("export.jsonl", export.as_bytes());
        for (code, said) in verified(&path, &arguments) {
            assert_eq!(code, Some(expected), "{what}: {said}");
            let verdict = if expected == 0 { "witnessed: proved up to entry" } else { "witnessed: NOT PROVED" };
            assert!(said.contains(verdict) && said.contains("integrity: "), "{what}: {said}");
        }
    }
    let twice = run(folders.path(), &["audit", "verify", &file("e", b""), "--witness", parent, "--witness", parent]);
    assert!(!twice.status.success() && String::from_utf8_lossy(&twice.stderr).contains("given twice"), "{twice:?}");
}

/// Another letter of base64.
fn swapped(letter: &str) -> &'static str {
    if letter == "A" { "B" } else { "A" }
}

/// Copies the files of a data directory, but for what tests put there.
fn copy(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() && file.file_name() != "server.log" {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_was_put_back_is_told_by_its_witness() {
    let (data, _folders, witnesses) = prepared(&["auditors"]);
    let server = TestServer::start(data, &["--demo"]);
    let token = server.token("auditor");
    let password = "rondo-demo-auditor";
    sign(&server, &token).await;
    until(&server, &token, |told| told.iter().all(is_whole)).await;
    let (data, _) = server.stop();
    let yesterday = tempfile::tempdir().unwrap();
    copy(data.path(), yesterday.path());

    let server = TestServer::start(data, &[]);
    for _ in 0..30 {
        assert_eq!(server.rest(Method::GET, "/audit/entries?limit=1", &token).send().await.unwrap().status(), 200);
    }
    sign(&server, &token).await;
    until(&server, &token, |told| told.iter().all(is_whole)).await;
    let (data, _) = server.stop();
    // Everything that is on the machine is put back, the checkpoint beside the database as well.
    copy(yesterday.path(), data.path());

    let server = TestServer::start(data, &[]);
    sign(&server, &token).await;
    let refusing = until(&server, &token, |told| told[0]["refusedAt"].is_string()).await;
    let failure = refusing[0]["failure"].as_str().unwrap();
    assert!(failure.contains("and the witness has cosigned"), "{failure}");
    let doctor = run(server.data(), &["doctor"]);
    let words = String::from_utf8_lossy(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(1), "{words}");
    assert!(words.contains("witness auditors: REFUSES TO COSIGN since") && words.contains("put back"), "{words}");
    assert!(words.contains("ok      audit log"), "by itself it cannot know: {words}");
    assert!(server.log().contains("A WITNESS REFUSES TO COSIGN"), "{}", server.log());
    let entries = server.get("/audit/entries?action=audit.refuse-cosigning", &token).await;
    assert_eq!(entries["items"].as_array().unwrap().len(), 1, "{entries}");

    // Whoever grows it beyond what the witness has seen does not get away with it.
    for _ in 0..60 {
        assert_eq!(server.rest(Method::GET, "/audit/entries?limit=1", &token).send().await.unwrap().status(), 200);
    }
    sign(&server, &token).await;
    until(&server, &token, |told| told[0]["failure"].as_str().is_some_and(|why| why.contains("has not grown"))).await;
    let metrics = server.client.get(server.at("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("rondo_audit_witness_refuses{witness=\"auditors\"} 1"), "{metrics}");
    let cookie = server.sign_in("auditor", password).await.unwrap();
    for (language, words) in
        [("en", "A witness refuses to cosign the log"), ("ko", "증인이 로그의 공동 서명을 거부합니다")]
    {
        let cookies = format!("{cookie}; locale={language}");
        let page = server.client.get(server.at("/audit/receivers")).header("cookie", cookies);
        let page = page.send().await.unwrap().text().await.unwrap();
        assert!(page.contains(words), "{language}: {page}");
    }
    let export = printed(server.data(), &["audit", "export"]);
    let path = server.data().join("export.jsonl");
    fs::write(&path, export).unwrap();
    for (code, said) in verified(path.to_str().unwrap(), &["--witness", &witnesses[0].key]) {
        assert!(code == Some(1) && said.contains("witnessed: NOT PROVED"), "{said}");
    }
}

#[test]
fn a_witness_says_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let listen = ["audit", "witness", "--listen", "127.0.0.1:0"];
    let said = |arguments: &[&str]| {
        let output = run(folder.path(), &[&listen[..], arguments].concat());
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&[]).contains("--log"));
    assert!(said(&["--log", "x"]).contains("`rondo audit key` prints the right one"));
    let data = tempfile::tempdir().unwrap();
    printed(data.path(), &["migrate"]);
    let log = printed(data.path(), &["audit", "key"]).trim().to_owned();
    assert!(said(&["--log", &log, "--name", "a b"]).contains("no name of a witness"));
    let mut witness = Witness::start(&folder.path().join("w"), "w", &log);
    let again = run(&folder.path().join("w"), &[&listen[..], &["--log", &log]].concat());
    assert!(String::from_utf8_lossy(&again.stderr).contains("another witness works in"), "{again:?}");
    // Told to stop, it stops in order.
    let pid = witness.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(witness.child.wait().unwrap().success());
    let other = run(&folder.path().join("w"), &[&listen[..], &["--log", &log, "--name", "x"]].concat());
    assert!(String::from_utf8_lossy(&other.stderr).contains("is of the witness “w”"), "{other:?}");
}
