//! Death between any two writes of a change: afterwards the change and its entry in the audit log are both there, or neither.
//!
//! What SQLite has written when a process dies is a beginning of its write-ahead log, so every beginning is opened. What
//! PostgreSQL has heard when a process dies is a beginning of what it was sent, so the server is killed before each that has it do something.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _, SqliteConnection,
    sqlite::SqliteConnectOptions,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
};

use crate::server::{TestServer, onboarding, rondo};

/// More statements than any of the changes takes; the tests say how many there really were.
const MOST_STATEMENTS: i64 = 100;

/// Something that somebody changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Token,
    Person,
    Launch,
    Decision,
}

impl Change {
    const ALL: [Self; 4] = [Self::Token, Self::Person, Self::Launch, Self::Decision];

    /// The table whose rows are the changes, and what the log calls them.
    const fn table_and_action(self) -> (&'static str, &'static str) {
        match self {
            Self::Token => ("api_tokens", "token.create"),
            Self::Person => ("users", "user.create"),
            Self::Launch => ("runs", "run.launch"),
            Self::Decision => ("decisions", "approval.decide"),
        }
    }

    /// How many changes there are, and how many entries that tell of one, wherever they wait.
    fn count(self) -> String {
        let (table, action) = self.table_and_action();
        format!(
            "SELECT (SELECT COUNT(*) FROM {table}),
                    (SELECT COUNT(*) FROM audit_entries WHERE action = '{action}' AND outcome = 'done')
                  + (SELECT COUNT(*) FROM audit_queue
                     WHERE entry LIKE '%\"action\":\"{action}\"%' AND entry LIKE '%\"outcome\":\"done\"%')"
        )
    }

    /// Asks for it; whether the server said that it was done.
    async fn make(self, server: &TestServer, people: &People, number: i64) -> bool {
        let (token, path, body) = match self {
            Self::Token => (&people.staff, "/me/tokens".to_owned(), json!({"name": format!("token {number}")})),
            Self::Person => {
                let login = format!("newcomer{number}");
                let mail = format!("{login}@example.test");
                (&people.admin, "/users".to_owned(), json!({"login": login, "name": "Newcomer", "email": mail}))
            }
            Self::Launch => {
                let path = "/workflows/identity/onboard-employee/runs".to_owned();
                (&people.staff, path, json!({"input": onboarding("Torn")}))
            }
            Self::Decision => {
                let approval = &people.asked[usize::try_from(number).unwrap()];
                let path = format!("/approvals/{}/decisions", approval["id"].as_str().unwrap());
                let decision = json!({"decision": "reject", "comment": "no", "digest": approval["digest"]});
                (&people.manager, path, decision)
            }
        };
        let request = server.rest(Method::POST, &path, token).timeout(Duration::from_secs(30)).json(&body);
        let Ok(response) = request.send().await else { return false };
        let (status, answer) = (response.status(), response.text().await);
        assert!(status.is_success() || status.is_server_error(), "{self:?}: {status} {answer:?}");
        status.is_success() && answer.is_ok()
    }
}

/// Who asks, and what the manager was asked before.
struct People {
    staff: String,
    manager: String,
    admin: String,
    asked: Vec<Value>,
}

impl People {
    async fn of(server: &TestServer, printed: impl Fn(&str) -> String, approvals: usize) -> Self {
        let [staff, manager, admin] = ["staff", "manager", "admin"].map(printed);
        let (mut runs, mut asked) = (Vec::new(), Vec::new());
        for _ in 0..approvals {
            runs.push(server.launch(&staff, "Asked").await);
        }
        for run in &runs {
            asked.push(server.approval(run, &manager).await);
        }
        Self { staff, manager, admin, asked }
    }
}

fn serve(data: &TempDir, database: Option<&str>) -> Command {
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    command.envs(database.map(|url| ("DATABASE_URL", url)));
    command
}

/// A write-ahead log of SQLite, by its frames (<https://sqlite.org/fileformat.html#the_write_ahead_log>).
struct WriteAheadLog {
    bytes: Vec<u8>,
    frame: usize,
}

impl WriteAheadLog {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;

    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        // Nothing has been written yet.
        let page = bytes.get(8..12).map_or(0, |page| u32::from_be_bytes(page.try_into().unwrap()));
        Self { frame: Self::FRAME_HEADER + usize::try_from(page).unwrap(), bytes }
    }

    fn salts(&self) -> Option<&[u8]> {
        self.bytes.get(16..24)
    }

    /// How many frames were written since the log was begun last.
    fn frames(&self) -> usize {
        let frames = self.bytes.get(Self::HEADER..).unwrap_or_default().chunks_exact(self.frame);
        frames.take_while(|frame| Some(&frame[8..16]) == self.salts()).count()
    }

    /// The log as it was when so many frames and a half were written.
    fn torn_after(&self, frames: usize) -> &[u8] {
        let end = Self::HEADER + frames * self.frame + self.frame / 2;
        &self.bytes[..end.min(self.bytes.len())]
    }
}

async fn counted_on_sqlite(database: &Path, change: Change) -> (i64, i64) {
    let options = SqliteConnectOptions::new().filename(database);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let row = connection.fetch_one(AssertSqlSafe(change.count())).await.unwrap();
    let counted = (row.get(0), row.get(1));
    connection.close().await.unwrap();
    counted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_beginning_of_what_sqlite_writes_has_a_change_without_its_entry_or_an_entry_without_its_change() {
    let data = tempfile::tempdir().unwrap();
    let first = TestServer::spawn(serve(&data, None), data);
    let people = People::of(&first, |login| first.token(login), 1).await;
    // A stop empties the write-ahead log.
    let (data, _) = first.stop();
    let mut server = TestServer::spawn(serve(&data, None), data);
    for change in Change::ALL {
        let wal = server.data().join("rondo.sqlite-wal");
        let before = WriteAheadLog::read(&wal);
        assert!(change.make(&server, &people, 0).await, "{change:?}\n{}", server.log());
        let data = server.reap();
        let after = WriteAheadLog::read(&wal);
        let begun_anew = before.salts().is_some() && before.salts() != after.salts();
        assert!(!begun_anew, "{change:?}: what was written is no longer all there");
        let (from, to) = (before.frames(), after.frames());

        let copies = tempfile::tempdir().unwrap();
        let (database, torn): (PathBuf, _) = (copies.path().join("copy"), copies.path().join("copy-wal"));
        let mut seen = Vec::new();
        for frames in from..=to {
            fs::copy(data.path().join("rondo.sqlite"), &database).unwrap();
            fs::write(&torn, after.torn_after(frames)).unwrap();
            let _ = fs::remove_file(copies.path().join("copy-shm"));
            seen.push(counted_on_sqlite(&database, change).await);
        }
        let (changes, entries) = seen[0];
        for (index, seen) in seen.iter().enumerate() {
            assert_eq!(seen.0 - changes, seen.1 - entries, "{change:?}: after {index} of {} writes", to - from);
        }
        assert_eq!(seen.last(), Some(&(changes + 1, entries + 1)), "{change:?}");
        println!("{change:?}: {} writes", to - from);
        server = TestServer::spawn(serve(&data, None), data);
    }
}

/// A way to PostgreSQL on which the server is killed before one of its statements.
struct DeadlyWay {
    url: String,
    /// Statements until the death; 0 or less: none.
    left: Arc<AtomicI64>,
    victim: Arc<AtomicI64>,
}

impl DeadlyWay {
    async fn to(server: &str, database: &str) -> Self {
        let mut url: url::Url = server.parse().unwrap();
        let far = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        url.set_path(database);
        // What is encrypted cannot be counted.
        url.set_query(Some("sslmode=disable"));
        let (left, victim) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
        let (counter, pid) = (Arc::clone(&left), Arc::clone(&victim));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(carry(near, far.clone(), Arc::clone(&counter), Arc::clone(&pid)));
            }
        });
        Self { url: url.into(), left, victim }
    }

    fn kill_before(&self, statement: i64, victim: u32) {
        self.victim.store(victim.into(), Ordering::SeqCst);
        self.left.store(statement, Ordering::SeqCst);
    }

    /// Kills no more; whether it has.
    fn calm(&self) -> bool {
        self.left.swap(0, Ordering::SeqCst) <= 0
    }
}

/// Whether any of these messages has the database do something, and not only prepare for it: `Execute` or `Query`
/// (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).
fn executes(mut messages: &[u8]) -> bool {
    while let [kind, a, b, c, d, ..] = *messages {
        if matches!(kind, b'E' | b'Q') {
            return true;
        }
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap();
        messages = messages.get(1 + length..).unwrap_or_default();
    }
    false
}

async fn carry(near: TcpStream, far: String, left: Arc<AtomicI64>, victim: Arc<AtomicI64>) {
    let Ok(far) = TcpStream::connect(far).await else { return };
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let back = tokio::spawn(async move { copy(&mut from_far, &mut to_near).await });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from_near.read(&mut buffer).await {
        let counts = executes(&buffer[..length]) && left.load(Ordering::SeqCst) > 0;
        if counts && left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let pid = victim.load(Ordering::SeqCst).to_string();
            assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
            break;
        }
        if to_far.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    back.abort();
}

async fn counted_on_postgres(server: &str, database: &str, change: Change) -> (i64, i64) {
    let mut url: url::Url = server.parse().unwrap();
    url.set_path(database);
    let mut connection = PgConnection::connect(url.as_str()).await.unwrap();
    // Whatever the dead server had begun ends before it is counted: the database hears of its death a little later.
    let others = "SELECT COUNT(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    loop {
        let row = connection.fetch_one(others).await.unwrap();
        if row.get::<i64, _>(0) == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let row = connection.fetch_one(AssertSqlSafe(change.count())).await.unwrap();
    let counted = (row.get(0), row.get(1));
    connection.close().await.unwrap();
    counted
}

async fn killed_before_every_statement(change: Change) {
    let Some(server) = std::env::var("TEST_POSTGRES_URL").ok().filter(|url| !url.is_empty()) else {
        eprintln!("SKIPPED: TEST_POSTGRES_URL is not set, so nothing was tested on PostgreSQL");
        return;
    };
    let database = format!("rondo_torn_{}_{}", std::process::id(), change.table_and_action().0);
    let mut owner = PgConnection::connect(&server).await.unwrap();
    owner.execute(AssertSqlSafe(format!("CREATE DATABASE {database}"))).await.unwrap();
    let way = DeadlyWay::to(&server, &database).await;

    let data = tempfile::tempdir().unwrap();
    let first = TestServer::spawn(serve(&data, Some(&way.url)), data);
    let token = |login: &str| {
        let mut command = rondo();
        command.args(["token", "create", "--user", login, "--data"]).arg(first.data());
        let output = command.env("DATABASE_URL", &way.url).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let approvals = if change == Change::Decision { usize::try_from(MOST_STATEMENTS).unwrap() } else { 0 };
    let people = People::of(&first, token, approvals).await;
    let (mut data, _) = first.stop();
    let (changes, entries) = counted_on_postgres(&server, &database, change).await;

    let mut deaths = 0;
    loop {
        assert!(deaths < MOST_STATEMENTS, "{change:?} never comes to its end");
        let doomed = TestServer::spawn(serve(&data, Some(&way.url)), data);
        way.kill_before(deaths + 1, doomed.pid());
        let done = change.make(&doomed, &people, deaths).await;
        let killed = way.calm();
        data = doomed.reap();
        let (now, told) = counted_on_postgres(&server, &database, change).await;
        assert_eq!(now - changes, told - entries, "{change:?}: killed before statement {}", deaths + 1);
        if done && !killed {
            break;
        }
        deaths += 1;
    }
    assert!(deaths > 3, "{change:?}: a change takes more statements than {deaths}");
    println!("{change:?}: {deaths} deaths");
    owner.execute(AssertSqlSafe(format!("DROP DATABASE {database} WITH (FORCE)"))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_any_statement_on_postgres_a_new_token_is_there_with_its_entry_or_not_at_all() {
    killed_before_every_statement(Change::Token).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_any_statement_on_postgres_a_launch_is_there_with_its_entry_or_not_at_all() {
    killed_before_every_statement(Change::Launch).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_before_any_statement_on_postgres_a_decision_is_there_with_its_entry_or_not_at_all() {
    killed_before_every_statement(Change::Decision).await;
}
