//! The audit log on its way to real receivers, across restarts of either side. They are those of `scripts/with-services`;
//! without them the tests say so and test nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};

use crate::server::{TestServer, client, printed, run};

/// How long a test waits for a condition before it fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// Settings of a service; none, with a message, where it does not run.
fn settings<const N: usize>(names: [&str; N]) -> Option<[String; N]> {
    let values = names.map(|name| std::env::var(name).unwrap_or_default());
    if values.iter().any(String::is_empty) {
        eprintln!("SKIPPED: {} are not set, so nothing was tested", names.join(", "));
        return None;
    }
    Some(values)
}

/// A demonstration server whose log goes to this receiver, named `there`.
fn configured(receiver: &str) -> TempDir {
    let data = tempfile::tempdir().unwrap();
    let file = format!("[[audit.receiver]]\nname = \"there\"\n{receiver}\n");
    fs::write(data.path().join("rondo.toml"), file).unwrap();
    data
}

fn serve(data: TempDir) -> TestServer {
    let mut command = crate::server::rondo();
    command
        .env("THERE_SECRET", "secret")
        .args(["serve", "--listen", "127.0.0.1:0", "--demo", "--data"])
        .arg(data.path());
    TestServer::spawn(command, data)
}

/// What the server tells of its receiver.
async fn there(server: &TestServer, token: &str) -> Value {
    server.get("/audit/receivers", token).await["items"][0].clone()
}

/// Waits until the server tells this of its receiver.
async fn until(server: &TestServer, token: &str, what: impl Fn(&Value) -> bool) -> Value {
    let seen = async {
        loop {
            let told = there(server, token).await;
            if what(&told) {
                return told;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    if let Ok(told) = timeout(PATIENCE, seen).await {
        return told;
    }
    panic!("it stays at {}\n{}", there(server, token).await, server.log())
}

fn is_failing(told: &Value) -> bool {
    told["failingSince"].is_string()
}

fn is_whole(told: &Value) -> bool {
    told["lag"] == 0 && !is_failing(told) && told["checkpoint"].is_u64()
}

/// Adds so many entries: each reading of the log is one.
async fn read_often(server: &TestServer, token: &str, times: usize) {
    for _ in 0..times {
        let response = server.rest(Method::GET, "/audit/entries?limit=1", token).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

/// The bodies of all entries, as they are in the log.
fn exported(data: &Path) -> BTreeMap<u64, Value> {
    let export = printed(data, &["audit", "export"]);
    let lines = export.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["body"].take());
    lines.filter(Value::is_object).map(|body| (body["seq"].as_u64().unwrap(), body)).collect()
}

/// What arrived has every entry up to the one that the server tells of, as it is in the log, in order but for repetitions.
fn assert_whole(arrived: &[Value], told: &Value, data: &Path) {
    let log = exported(data);
    let mut last = 0;
    for item in arrived.iter().filter(|item| item["body"].is_object()) {
        let seq = item["body"]["seq"].as_u64().unwrap();
        assert!(seq <= last + 1, "entry {seq} came after entry {last}");
        last = last.max(seq);
        assert_eq!(Some(&item["body"]), log.get(&seq));
    }
    // A server that was killed may have sent more than it has noted.
    assert!(Some(last) >= told["entries"].as_u64(), "{last} of {told}");
    let sizes: BTreeSet<_> = arrived.iter().filter_map(|item| item["checkpoint"].as_str()).map(size).collect();
    assert!(sizes.last().copied() >= told["checkpoint"].as_u64(), "{sizes:?} of {told}");
}

fn size(note: &str) -> u64 {
    note.lines().nth(1).unwrap().parse().unwrap()
}

/// rsyslog as the lab started it.
struct Rsyslog(PathBuf);

impl Rsyslog {
    /// Tells it to stop, and waits until it has.
    async fn stop(&self) {
        let pid = fs::read_to_string(self.0.join("pid")).unwrap();
        assert!(Command::new("kill").arg(pid.trim()).status().unwrap().success());
        let stat = Path::new("/proc").join(pid.trim()).join("stat");
        let gone = async {
            // One that nobody has fetched yet has ended as well.
            while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, gone).await.unwrap();
    }

    fn start(&self) {
        assert!(Command::new(self.0.join("again")).status().unwrap().success());
    }

    /// The messages that it wrote, which are of JSON.
    fn messages(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.0.join("messages")).unwrap();
        let json = |line: &str| {
            let (_, message) = line.split_once("\"] ").unwrap();
            serde_json::from_str(message.trim_start_matches('\u{feff}')).unwrap()
        };
        text.lines().map(json).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rsyslog_gets_every_entry_by_tls_whoever_restarts() {
    let Some([port, ca, root]) = settings(["TEST_SYSLOG_PORT", "TEST_SYSLOG_CA", "TEST_SYSLOG_ROOT"]) else { return };
    let rsyslog = Rsyslog(root.into());
    let receiver = format!("kind = \"syslog\"\naddress = \"tls://127.0.0.1:{port}\"\nca = \"{ca}\"");
    let server = serve(configured(&receiver));
    let token = server.token("auditor");
    until(&server, &token, is_whole).await;

    // It restarts under load.
    let loading = async { read_often(&server, &token, 300).await };
    let restarting = async {
        for _ in 0..2 {
            rsyslog.stop().await;
            rsyslog.start();
            sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::join!(loading, restarting);
    until(&server, &token, is_whole).await;

    // It is away, and the server dies meanwhile.
    rsyslog.stop().await;
    read_often(&server, &token, 20).await;
    let failing = until(&server, &token, is_failing).await;
    assert!(failing["failure"].as_str().unwrap().contains("no connection to 127.0.0.1"), "{failing}");
    let metrics = server.client.get(server.at("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("rondo_audit_receiver_failing{receiver=\"there\"} 1"), "{metrics}");
    assert!(metrics.contains("# HELP rondo_audit_receiver_lag_seconds"), "{metrics}");
    assert!(metrics.contains("rondo_audit_delivered_total{receiver=\"there\",what=\"entries\"}"), "{metrics}");
    let doctor = String::from_utf8(run(server.data(), &["doctor"]).stdout).unwrap();
    assert!(doctor.contains("failed  receiver there: has taken nothing since"), "{doctor}");
    let server = serve(server.reap());
    rsyslog.start();
    read_often(&server, &token, 20).await;
    let told = until(&server, &token, is_whole).await;
    assert!(told["entries"].as_u64().unwrap() > 340);
    assert_whole(&rsyslog.messages(), &told, server.data());
}

/// A way to a service that can be cut.
struct Cable {
    port: u16,
    cut: Arc<AtomicBool>,
    cutting: watch::Sender<()>,
}

impl Cable {
    async fn to(service: &str) -> Self {
        let target = service.strip_prefix("http://").unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(AtomicBool::new(false));
        let (cutting, _) = watch::channel(());
        let (is_cut, told) = (Arc::clone(&cut), cutting.clone());
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let (target, mut told) = (target.clone(), told.subscribe());
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = told.changed() => {}
                    }
                });
            }
        });
        Self { port, cut, cutting }
    }

    fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
        self.cutting.send_replace(());
    }

    fn mend(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

/// What a request to the S3 service of the lab has to show: it believes anybody who shows something.
const SOMEBODY: &str =
    "AWS4-HMAC-SHA256 Credential=key/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// A bucket of the S3 service of the lab.
struct Bucket {
    client: reqwest::Client,
    url: String,
}

impl Bucket {
    async fn with_locks(service: &str) -> Self {
        let bucket = Self { client: client(), url: format!("{service}/audit") };
        let made = bucket.request(Method::PUT, "").header("x-amz-bucket-object-lock-enabled", "true");
        assert_eq!(made.send().await.unwrap().status(), 200);
        bucket
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).header("authorization", SOMEBODY)
    }

    async fn get(&self, path: &str) -> String {
        let response = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    /// The names of its objects, in order.
    async fn names(&self) -> Vec<String> {
        texts(&self.get("?list-type=2").await, "Key")
    }
}

/// The texts of all elements of this name.
fn texts(xml: &str, name: &str) -> Vec<String> {
    let opening = format!("<{name}>");
    xml.split(&opening).skip(1).map(|piece| piece.split('<').next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_gets_every_entry_for_good_whoever_restarts() {
    let Some([service]) = settings(["TEST_S3_URL"]) else { return };
    let bucket = Bucket::with_locks(&service).await;
    let cable = Cable::to(&service).await;
    let mut receiver = String::from("kind = \"s3\"\nbucket = \"audit\"\nprefix = \"log/\"\naccess_key = \"key\"\n");
    receiver.push_str("secret_variable = \"THERE_SECRET\"\npath_style = true\nevery = \"PT1S\"\n");
    receiver.push_str("lock = \"compliance\"\nretain = \"P1D\"\n");
    write!(receiver, "address = \"http://127.0.0.1:{}\"", cable.port).unwrap();
    let server = serve(configured(&receiver));
    let token = server.token("auditor");
    until(&server, &token, is_whole).await;

    cable.cut();
    read_often(&server, &token, 60).await;
    until(&server, &token, is_failing).await;
    let data = server.reap();
    cable.mend();
    let server = serve(data);
    read_often(&server, &token, 60).await;
    let told = until(&server, &token, is_whole).await;

    let names = bucket.names().await;
    let mut arrived = Vec::new();
    for name in &names {
        assert!(name.starts_with("log/"), "{name}");
        let text = bucket.get(&format!("/{name}")).await;
        arrived.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    assert!(names.len() < arrived.len() / 4, "{} objects of {} items", names.len(), arrived.len());
    assert_whole(&arrived, &told, server.data());

    let first = &names[0];
    let head = bucket.request(Method::HEAD, &format!("/{first}")).send().await.unwrap();
    assert_eq!(head.headers()["x-amz-object-lock-mode"], "COMPLIANCE");
    let deleted = async |name: &str| {
        let versions = bucket.get(&format!("?versions&prefix={name}")).await;
        let version = format!("/{name}?versionId={}", texts(&versions, "VersionId")[0]);
        bucket.request(Method::DELETE, &version).send().await.unwrap().status()
    };
    let unlocked = bucket.request(Method::PUT, "/unlocked").body("text").send().await.unwrap();
    assert_eq!((unlocked.status(), deleted("unlocked").await), (StatusCode::OK, StatusCode::NO_CONTENT));
    assert_eq!(deleted(first).await, StatusCode::FORBIDDEN, "it is locked");
    bucket.get(&format!("/{first}")).await;
}

/// What a checkpoint by mail is good for: kept as it came, it proves the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_by_mail_proves_the_log() {
    let names = ["TEST_SMTP_PORT", "TEST_SMTP_USER", "TEST_SMTP_PASSWORD", "TEST_SMTP_CA", "TEST_SMTP_HTTP"];
    let Some([port, user, password, ca, http]) = settings(names) else { return };
    let data = configured("kind = \"mail\"\nto = \"auditor-of-checkpoints@example.test\"");
    let path = data.path().join("rondo.toml");
    let mail = format!(
        "\n[mail]\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"{user}\"\npassword = \"{password}\"\nauthority = \"{ca}\"\n"
    );
    fs::write(&path, fs::read_to_string(&path).unwrap() + &mail).unwrap();
    let server = serve(data);
    let token = server.token("auditor");
    let told = until(&server, &token, |told| told["succeededAt"].is_string()).await;
    let mails: Value = server.client.get(&http).send().await.unwrap().json().await.unwrap();
    let is_ours = |mail: &&Value| mail.to_string().contains("auditor-of-checkpoints@example.test");
    let mail = mails.as_array().unwrap().iter().find(is_ours).expect("it was received");
    let text = mail["text"].as_str().unwrap();
    let note = text.split("----------------------------------------\n").nth(1).unwrap();
    assert_eq!(Some(size(note)), told["checkpoint"].as_u64());
    let (export, kept) = (server.data().join("export.jsonl"), server.data().join("note"));
    fs::write(&kept, note).unwrap();
    fs::write(&export, printed(server.data(), &["audit", "export"])).unwrap();
    let arguments = ["audit", "verify", export.to_str().unwrap(), "--checkpoint", kept.to_str().unwrap()];
    let verdict = crate::server::rondo().args(arguments).output().unwrap();
    assert!(verdict.status.success(), "{}", String::from_utf8_lossy(&verdict.stdout));
}
