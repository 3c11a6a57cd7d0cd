//! `call: sql` on a real PostgreSQL, a real MariaDB and SQLite files.

use std::time::Duration;

use connectors::{CallContext, Outcome, Probe, Repetition};
use serde_json::{Value, json};
use workflow::StandardError;

use crate::support::{
    Bench, closed_port, done, eventually, failed_step, greeting, permanent, retryable, service, trusting, unknown,
};

/// The table of calls, as the documentation has it.
const MARKERS: &str = "CREATE TABLE rondo_calls (call_key VARCHAR(64) PRIMARY KEY, outcome TEXT NOT NULL, \
                       called_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";

struct Database {
    bench: Bench,
    kind: &'static str,
    settings: Value,
    /// Of this test alone.
    table: String,
}

async fn postgresql(test: &str) -> Option<Database> {
    let [url, ca] = service(&["TEST_POSTGRES_URL", "TEST_POSTGRES_CA"])?.try_into().ok()?;
    let url = url::Url::parse(&url).unwrap();
    let settings = json!({
        "host": "127.0.0.1", "port": url.port().unwrap(), "database": url.path().trim_start_matches('/'),
        "user": url.username(), "password": url.password().unwrap(), "ca": std::fs::read_to_string(ca).unwrap()
    });
    Some(database("postgresql", settings, test).await)
}

async fn mysql(test: &str) -> Option<Database> {
    let names = ["TEST_MYSQL_PORT", "TEST_MYSQL_CA", "TEST_MYSQL_USER", "TEST_MYSQL_PASSWORD", "TEST_MYSQL_DATABASE"];
    let [port, ca, user, password, name] = service(&names)?.try_into().ok()?;
    let settings = json!({
        "host": "127.0.0.1", "port": port.parse::<u16>().unwrap(), "database": name, "user": user,
        "password": password, "ca": std::fs::read_to_string(ca).unwrap()
    });
    Some(database("mysql", settings, test).await)
}

async fn sqlite(test: &str) -> Option<Database> {
    let database = database("sqlite", json!({"file": "lab/stock.db"}), test).await;
    let folder = database.bench.folder.path().join("sqlite/lab");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("stock.db"), b"").unwrap();
    Some(database)
}

async fn database(kind: &'static str, settings: Value, test: &str) -> Database {
    let bench = Bench::new().await;
    bench.connect("db", kind, settings.clone()).await;
    Database { bench, kind, settings, table: format!("{test}_{:x}", testkit::seed() & 0xff_ffff_ffff) }
}

/// All that are there.
async fn databases(test: &str) -> Vec<Database> {
    [postgresql(test).await, mysql(test).await, sqlite(test).await].into_iter().flatten().collect()
}

impl Database {
    /// The statement with the name of this test's table for T, and places as the database writes them.
    fn text(&self, text: &str) -> String {
        let text = text.replace("{T}", &self.table);
        if self.kind == "mysql" { text.replace("$1", "?").replace("$2", "?").replace("$3", "?") } else { text }
    }

    fn with(&self, operation: &str, text: &str, parameters: Value) -> Value {
        let statement = self.text(text);
        json!({"connection": "db", "operation": operation, "statement": statement, "parameters": parameters})
    }

    async fn query(&self, text: &str, parameters: Value) -> Outcome {
        self.bench.call("sql", "query", self.with("query", text, parameters)).await
    }

    async fn execute(&self, text: &str, parameters: Value) -> Outcome {
        self.bench.call("sql", "execute", self.with("execute", text, parameters)).await
    }

    fn statements(&self, statements: &[(&str, Value, Option<u64>)]) -> Value {
        let statements: Vec<Value> = statements
            .iter()
            .map(|(text, parameters, rows)| {
                let mut one = json!({"statement": self.text(text), "parameters": parameters});
                if let Some(rows) = rows {
                    one["expectRows"] = json!(rows);
                }
                one
            })
            .collect();
        json!({"connection": "db", "operation": "transaction", "statements": statements})
    }

    async fn make_table(&self) {
        let text = "CREATE TABLE {T} (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL)";
        done(self.execute(text, json!([])).await);
    }

    async fn names(&self) -> Value {
        let rows = done(self.query("SELECT name FROM {T} ORDER BY id", json!([])).await);
        rows["rows"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect()
    }

    fn changed(&self, more: Value) -> Value {
        let mut settings = self.settings.clone();
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    }

    async fn reconnect(&self, more: Value) {
        self.bench.connect("db", self.kind, self.changed(more)).await;
    }

    fn limited(&self, limit: Duration) -> CallContext {
        let mut context = self.bench.context("limited");
        context.deadline = Some(context.clock.now() + limit);
        context
    }

    /// A statement that takes this many seconds; of SQLite, one that never ends.
    fn slow(&self, seconds: u32) -> String {
        match self.kind {
            "postgresql" => format!("SELECT 1 AS one FROM pg_sleep({seconds})"),
            "mysql" => format!("SELECT SLEEP({seconds}) AS one"),
            _ => "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS one FROM n"
                .to_owned(),
        }
    }
}

#[tokio::test]
async fn rows_are_read_and_changed_and_limited() {
    for db in databases("rows").await {
        db.make_table().await;
        let output = done(db.execute("INSERT INTO {T} VALUES ($1, $2)", json!([1, "Jane \"O'Neil\" 가"])).await);
        assert_eq!(output, json!({"affectedRows": 1}), "{}", db.kind);
        let more = db.statements(&[
            ("INSERT INTO {T} VALUES ($1, $2), (3, 'c')", json!([2, "b"]), Some(2)),
            ("UPDATE {T} SET name = $1 WHERE id > $2", json!(["x", 1]), None),
        ]);
        assert_eq!(done(db.bench.call("sql", "k", more).await), json!({"affectedRows": [2, 2]}), "{}", db.kind);
        let rows = done(db.query("SELECT id, name FROM {T} WHERE id <= $1 ORDER BY id", json!([2])).await);
        let expected =
            json!({"rows": [{"id": 1, "name": "Jane \"O'Neil\" 가"}, {"id": 2, "name": "x"}], "truncated": false});
        assert_eq!(rows, expected, "{}", db.kind);
        let mut few = db.with("query", "SELECT id FROM {T} ORDER BY id", json!([]));
        few["maxRows"] = json!(2);
        let rows = done(db.bench.call("sql", "k", few).await);
        assert_eq!(rows, json!({"rows": [{"id": 1}, {"id": 2}], "truncated": true}), "{}", db.kind);
        let none = done(db.query("SELECT id FROM {T} WHERE name = $1", json!(["'; DROP TABLE x; --"])).await);
        assert_eq!(none, json!({"rows": [], "truncated": false}), "{}", db.kind);
    }
}

#[tokio::test]
async fn a_transaction_is_kept_as_a_whole_or_not_at_all() {
    for db in databases("whole").await {
        db.make_table().await;
        let insert = ("INSERT INTO {T} VALUES ($1, $2)", json!([1, "a"]), None);
        let unmet = db.statements(&[insert.clone(), ("UPDATE {T} SET name = 'z' WHERE id = 9", json!([]), Some(1))]);
        let (status, words) = permanent(db.bench.call("sql", "k", unmet).await);
        assert_eq!(status, 409);
        assert!(words.contains("statement 2 affected 0 rows, and 1 were expected"), "{}: {words}", db.kind);
        let broken = db.statements(&[insert.clone(), ("INSERT INTO {T} VALUES ($1, $2)", json!([1, "geheim"]), None)]);
        let (status, words) = permanent(db.bench.call("sql", "k", broken).await);
        assert_eq!(status, 409, "{}: {words}", db.kind);
        assert!(words.contains("SQLSTATE 23") && !words.contains("geheim"), "{}: {words}", db.kind);
        assert_eq!(db.names().await, json!([]), "{}", db.kind);
    }
}

#[tokio::test]
async fn values_of_postgresql_come_as_json() {
    let Some(db) = postgresql("values").await else { return };
    let rows = done(
        db.query(
            "SELECT true AS b, 9007199254740993 AS big, 12345.678::numeric AS n, 0.1::float8 AS f, \
             'NaN'::float8 AS nan, $1::bytea AS bytes, $2::jsonb AS j, $3::int[] AS list, null AS nothing, \
             '2026-02-28'::date AS day, '2026-02-28 23:59:59.5+01'::timestamptz AS at, '12:30'::time AS t, \
             'b2f5ff47-4366-4bb6-9a1c-7b1d1d6f0001'::uuid AS u, ARRAY['a', null] AS texts",
            json!([{"base64": "/wA="}, {"a": [1, "x"]}, [1, null, 3]]),
        )
        .await,
    );
    assert_eq!(
        rows["rows"][0],
        json!({
            "b": true, "big": 9_007_199_254_740_993_i64, "n": "12345.678", "f": 0.1, "nan": "NaN", "bytes": "/wA=",
            "j": {"a": [1, "x"]}, "list": [1, null, 3], "nothing": null, "day": "2026-02-28",
            "at": "2026-02-28T22:59:59.500000Z", "t": "12:30:00", "u": "b2f5ff47-4366-4bb6-9a1c-7b1d1d6f0001",
            "texts": ["a", null]
        })
    );
    let (_, words) = permanent(db.query("SELECT '1 day'::interval AS i", json!([])).await);
    assert!(words.contains("type interval") && words.contains("::text"), "{words}");
    let (_, words) = permanent(db.query("SELECT $1::int AS i", json!(["geheim"])).await);
    assert!(words.contains("SQLSTATE 22P02") && !words.contains("geheim"), "{words}");
}

#[tokio::test]
async fn values_of_mysql_and_sqlite_come_as_json() {
    if let Some(db) = mysql("values").await {
        let text = "SELECT 18446744073709551615 AS big, CAST(1.50 AS DECIMAL(5,2)) AS n, 0.5e0 AS f, ? AS text, \
                    CAST(? AS BINARY) AS bytes, NULL AS nothing, DATE('2026-02-28') AS day, \
                    CAST('2026-02-28 23:59:59.5' AS DATETIME(6)) AS at, TIME('-01:30:00') AS t";
        let rows = done(db.query(text, json!(["가", {"base64": "/wA="}])).await);
        let expected = json!({
            "big": u64::MAX, "n": "1.50", "f": 0.5, "text": "가", "bytes": "/wA=", "nothing": null, "day": "2026-02-28",
            "at": "2026-02-28T23:59:59.500000", "t": "-01:30:00"
        });
        assert_eq!(rows["rows"][0], expected);
    }
    let db = sqlite("values").await.unwrap();
    let rows = done(
        db.query(
            "SELECT $1 AS n, 0.5 AS f, $2 AS bytes, NULL AS none, $3 AS j",
            json!([9_007_199_254_740_993_i64, {"base64": "/wA="}, [1, 2]]),
        )
        .await,
    );
    let expected = json!({"n": 9_007_199_254_740_993_i64, "f": 0.5, "bytes": "/wA=", "none": null, "j": "[1,2]"});
    assert_eq!(rows["rows"][0], expected);
}

#[tokio::test]
async fn a_query_only_reads_and_statements_are_one_each() {
    for db in databases("reads").await {
        db.make_table().await;
        let (status, words) = permanent(db.query("INSERT INTO {T} VALUES (1, 'a')", json!([])).await);
        assert!(status == 403 && words.contains("`query` only reads"), "{}: {words}", db.kind);
        let outcome = db.execute("DELETE FROM {T}; DELETE FROM {T}", json!([])).await;
        assert!(matches!(outcome, Outcome::Permanent(_)), "{}: {outcome:?}", db.kind);
        let (_, words) = permanent(db.execute("COMMIT", json!([])).await);
        assert!(words.contains("may not begin with COMMIT"), "{words}");
        let (_, words) = permanent(db.query("SELECT name FROM {T} WHERE id = $1", json!([])).await);
        assert!(words.contains("1 parameters, and 0 are given"), "{}: {words}", db.kind);
        let (_, words) = permanent(db.query("SELECT nonsense FROM {T}", json!([])).await);
        assert!(words.contains("SQLSTATE 42") && words.contains("nonsense"), "{}: {words}", db.kind);
        let (_, words) = permanent(db.query("SELECT id AS a, name AS a FROM {T}", json!([])).await);
        assert!(words.contains("two columns are named a"), "{}: {words}", db.kind);
    }
}

#[tokio::test]
async fn a_remembered_change_is_made_once() {
    for db in databases("once").await {
        db.make_table().await;
        let kind = db.kind;
        let check = db.bench.check(kind, db.changed(json!({"markerTable": "rondo_calls_not_there"}))).await;
        let (step, words) = failed_step(&check);
        assert_eq!(step, "right");
        assert!(words.contains("CREATE TABLE rondo_calls_not_there"), "{kind}: {words}");

        let markers = format!("{}_calls", db.table);
        done(db.execute(&MARKERS.replace("rondo_calls", &markers), json!([])).await);
        db.reconnect(json!({"markerTable": markers})).await;
        assert!(db.bench.check(kind, db.changed(json!({"markerTable": markers}))).await.ok);
        let insert = |id: u32| db.with("execute", "INSERT INTO {T} VALUES ($1, $2)", json!([id, "a"]));
        assert_eq!(db.bench.probe("sql", "key-1", insert(1)).await, Probe::DidNotHappen, "{kind}");
        let first = done(db.bench.call("sql", "key-1", insert(1)).await);
        assert_eq!(done(db.bench.call("sql", "key-1", insert(1)).await), first, "{kind}: it is not made again");
        assert_eq!(db.bench.probe("sql", "key-1", insert(1)).await, Probe::Happened(first), "{kind}");
        // What failed is not remembered.
        assert_eq!(permanent(db.bench.call("sql", "key-2", insert(1)).await).0, 409, "{kind}");
        assert_eq!(db.bench.probe("sql", "key-2", insert(1)).await, Probe::DidNotHappen, "{kind}");
        // Two attempts at once make one change.
        let (one, other) =
            tokio::join!(db.bench.call("sql", "key-3", insert(3)), db.bench.call("sql", "key-3", insert(3)));
        assert_eq!((done(one), done(other)), (json!({"affectedRows": 1}), json!({"affectedRows": 1})), "{kind}");
        let whole = db.statements(&[("UPDATE {T} SET name = 'b' WHERE id = 3", json!([]), Some(1))]);
        assert_eq!(done(db.bench.call("sql", "key-4", whole.clone()).await), json!({"affectedRows": [1]}), "{kind}");
        assert_eq!(
            db.bench.probe("sql", "key-4", whole).await,
            Probe::Happened(json!({"affectedRows": [1]})),
            "{kind}"
        );
        assert_eq!(db.names().await, json!(["a", "b"]), "{kind}");
    }
}

#[tokio::test]
async fn what_may_be_repeated_depends_on_the_table_of_calls() {
    let db = sqlite("repeat").await.unwrap();
    let repetition = async |operation: &str| {
        let request = db.bench.prepare("sql", db.with(operation, "SELECT 1", json!([]))).await.unwrap();
        db.bench.registry.repetition(&request)
    };
    assert_eq!((repetition("query").await, repetition("execute").await), (Repetition::Safe, Repetition::Once));
    db.reconnect(json!({"markerTable": "calls"})).await;
    assert_eq!((repetition("query").await, repetition("execute").await), (Repetition::Safe, Repetition::Probe));
}

#[tokio::test]
async fn a_slow_statement_is_stopped_in_the_database() {
    for db in databases("slow").await {
        let with = db.with("query", &db.slow(60), json!([]));
        let words = retryable(db.bench.call_in("sql", with.clone(), &db.limited(Duration::from_secs(2))).await);
        assert!(words.contains("has stopped it; nothing was changed"), "{}: {words}", db.kind);

        // Stopped by the caller: the database hears of it at once.
        let context = db.bench.context("stopped");
        let calling = db.bench.call_in("sql", with, &context);
        let stopping = async {
            running(&db, 60, true).await;
            context.cancelled.cancel();
        };
        let (outcome, ()) = tokio::join!(calling, stopping);
        assert!(matches!(outcome, Outcome::Lost(_)), "{}: {outcome:?}", db.kind);
        running(&db, 60, false).await;
    }
}

/// Waits until a slow statement runs in the database, or none; a SQLite file has no list of them.
///
/// Tests run beside each other, so each has a time of its own.
async fn running(db: &Database, seconds: u32, expected: bool) {
    let text = match db.kind {
        "postgresql" => format!(
            "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep({seconds})%' \
             AND pid <> pg_backend_pid()"
        ),
        "mysql" => format!(
            "SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP({seconds})%' \
             AND id <> CONNECTION_ID()"
        ),
        _ => return,
    };
    eventually(async || done(db.query(&text, json!([])).await)["rows"].as_array().unwrap().is_empty() != expected)
        .await;
}

#[tokio::test]
async fn transactions_that_are_in_the_way_are_retryable() {
    let Some(db) = postgresql("deadlock").await else { return };
    db.make_table().await;
    done(db.execute("INSERT INTO {T} VALUES (1, 'a'), (2, 'b')", json!([])).await);
    let crossing = |first: u32, second: u32| {
        db.statements(&[
            ("UPDATE {T} SET name = name WHERE id = $1", json!([first]), None),
            ("INSERT INTO {T} SELECT 100 + $1, 'w' FROM pg_sleep(1)", json!([first]), None),
            ("UPDATE {T} SET name = name WHERE id = $1", json!([second]), None),
        ])
    };
    let (one, other) =
        tokio::join!(db.bench.call("sql", "a", crossing(1, 2)), db.bench.call("sql", "b", crossing(2, 1)));
    let (done_ones, rest): (Vec<_>, Vec<_>) = [one, other].into_iter().partition(|one| matches!(one, Outcome::Done(_)));
    assert_eq!((done_ones.len(), rest.len()), (1, 1), "{rest:?}");
    let words = retryable(rest.into_iter().next().unwrap());
    assert!(words.contains("another transaction was in the way") && words.contains("40P01"), "{words}");
}

#[tokio::test]
async fn an_answer_that_is_too_large_says_what_to_do() {
    for db in databases("large").await {
        let text = match db.kind {
            "postgresql" => "SELECT repeat('x', 1000000) AS text FROM generate_series(1, 10)",
            "mysql" => "SELECT REPEAT('x', 1000000) AS text FROM seq_1_to_10",
            _ => {
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10) \
                 SELECT hex(zeroblob(500000)) AS text FROM n"
            }
        };
        let (status, words) = permanent(db.query(text, json!([])).await);
        assert_eq!(status, 413, "{}: {words}", db.kind);
        assert!(words.contains("lower `maxRows`"), "{words}");
    }
    // One value that is longer than is ever taken in.
    let Some(db) = postgresql("long").await else { return };
    let (status, words) = permanent(db.query("SELECT repeat('x', 100000000) AS text", json!([])).await);
    assert!(status == 413 && words.contains("select fewer columns"), "{words}");
}

#[tokio::test]
async fn each_way_to_fail_names_its_step_and_its_remedy() {
    for db in [postgresql("steps").await, mysql("steps").await].into_iter().flatten() {
        let kind = db.kind;
        let check = db.bench.check(kind, db.settings.clone()).await;
        assert!(check.ok, "{check:?}");
        let names: Vec<&str> = check.steps.iter().map(|step| step.step.as_str()).collect();
        assert_eq!(names, ["settings", "name", "connect", "tls", "sign-in", "right"], "{kind}");
        let step = async |more: Value| failed_step(&db.bench.check(kind, db.changed(more)).await);
        assert_eq!(step(json!({"host": "host.invalid"})).await.0, "name", "{kind}");
        assert_eq!(step(json!({"port": closed_port().await})).await.0, "connect", "{kind}");
        assert_eq!(step(json!({"ca": "nonsense"})).await.0, "settings", "{kind}");
        let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        let (at, words) = step(json!({"ca": stranger})).await;
        assert_eq!(at, "tls", "{kind}: {words}");
        assert!(words.contains("enter the CA that issued it"), "{kind}: {words}");
        let (at, words) = step(json!({"password": "geheim-4711"})).await;
        assert_eq!(at, "sign-in", "{kind}: {words}");
        assert!(words.contains("compare user") && !words.contains("geheim"), "{kind}: {words}");
        let (at, words) = step(json!({"database": "nowhere"})).await;
        assert_eq!(at, "sign-in", "{kind}: {words}");

        db.reconnect(json!({"password": "geheim-4711"})).await;
        let Outcome::Permanent(error) = db.query("SELECT 1 AS one", json!([])).await else { panic!("{kind}") };
        assert!(error.is(StandardError::Authentication) && !error.to_string().contains("geheim"), "{error}");
        db.reconnect(json!({"port": closed_port().await})).await;
        let words = retryable(db.query("SELECT 1 AS one", json!([])).await);
        assert!(words.contains("compare host and port"), "{kind}: {words}");
        let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
        db.reconnect(json!({"ca": stranger})).await;
        let words = retryable(db.query("SELECT 1 AS one", json!([])).await);
        assert!(words.contains("enter the CA that issued it"), "{kind}: {words}");
    }
    // Who must come by TLS cannot come without.
    if let Some(db) = mysql("steps").await {
        let (at, words) = failed_step(&db.bench.check("mysql", db.changed(json!({"encryption": "none"}))).await);
        assert_eq!(at, "sign-in", "{words}");
    }
    let Some(db) = postgresql("steps").await else { return };
    assert!(db.bench.check("postgresql", db.changed(json!({"encryption": "none"}))).await.ok);
}

#[tokio::test]
async fn peers_that_speak_nonsense_are_named() {
    let bench = Bench::new().await;
    for (kind, greetings) in [
        ("postgresql", [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"N", b"Sgarbage"]),
        ("mysql", [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], b"\x05\x00\x00\x00\x0agar", b""]),
    ] {
        for words in greetings {
            for encryption in ["tls", "none"] {
                let port = greeting(words, true).await;
                let settings = json!({
                    "host": "127.0.0.1", "port": port, "database": "d", "user": "u", "password": "geheim-4711",
                    "encryption": encryption
                });
                bench.connect("db", kind, settings).await;
                let with = json!({"connection": "db", "operation": "execute", "statement": "DELETE FROM a"});
                let outcome = bench.call("sql", "k", with).await;
                let told = outcome.error().unwrap().to_string();
                assert!(
                    matches!(outcome, Outcome::Retryable(_) | Outcome::Permanent(_)) && told.contains("127.0.0.1")
                        || told.contains("does not speak TLS"),
                    "{kind} {encryption}: {outcome:?}"
                );
                assert!(!told.contains("geheim"), "{told}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_leaves_a_change_unknown_and_a_query_lost() {
    let both =
        [(postgresql("silent").await, postgresql("direct").await), (mysql("silent").await, mysql("direct").await)];
    for (db, direct) in both {
        let (Some(db), Some(direct)) = (db, direct) else { continue };
        db.make_table().await;
        let slow = match db.kind {
            "postgresql" => "INSERT INTO {T} SELECT 1, 'a' FROM pg_sleep(61)",
            _ => "INSERT INTO {T} SELECT 1, 'a' FROM (SELECT SLEEP(61)) AS waiting",
        };
        for with in [db.with("execute", slow, json!([])), db.with("query", &db.slow(61), json!([]))] {
            let (port, hold) = held_wire(db.settings["port"].as_u64().unwrap()).await;
            db.reconnect(json!({"port": port})).await;
            let context = db.limited(Duration::from_secs(3));
            let holding = async {
                running(&direct, 61, true).await;
                hold.cancel();
            };
            let (outcome, ()) = tokio::join!(db.bench.call_in("sql", with.clone(), &context), holding);
            if with["operation"] == "execute" {
                assert!(unknown(outcome).contains("longer than it may"), "{}", db.kind);
            } else {
                assert!(matches!(outcome, Outcome::Lost(_)), "{}: {outcome:?}", db.kind);
            }
            // The server stops by itself at its own limit.
            running(&direct, 61, false).await;
            // Whoever is not even let in has sent nothing.
            let words = retryable(db.bench.call_in("sql", with, &db.limited(Duration::from_secs(1))).await);
            assert!(words.contains("nothing was sent"), "{}: {words}", db.kind);
        }
    }
}

/// A way to a port of this machine that passes nothing on once it is told to.
async fn held_wire(port: u64) -> (u16, tokio_util::sync::CancellationToken) {
    let (port, hold) = (u16::try_from(port).unwrap(), tokio_util::sync::CancellationToken::new());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap().port();
    let holding = hold.clone();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let holding = holding.clone();
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                tokio::select! {
                    biased;
                    () = holding.cancelled() => std::future::pending::<()>().await,
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                }
            });
        }
    });
    (own, hold)
}

#[tokio::test]
async fn a_connection_lost_in_a_change_is_certain_where_the_database_makes_it_so() {
    for db in [postgresql("cut").await, mysql("cut").await].into_iter().flatten() {
        db.make_table().await;
        let slow = match db.kind {
            "postgresql" => "INSERT INTO {T} SELECT 1, 'a' FROM pg_sleep(30)",
            _ => "INSERT INTO {T} SELECT 1, 'a' FROM (SELECT SLEEP(30)) AS waiting",
        };
        let calling = db.execute(slow, json!([]));
        let cutting = async {
            let (find, end) = match db.kind {
                "postgresql" => (
                    "SELECT pid AS id FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(30)%' \
                     AND pid <> pg_backend_pid()",
                    "SELECT pg_terminate_backend($1) AS ended",
                ),
                _ => (
                    "SELECT id FROM information_schema.processlist WHERE info LIKE '%SLEEP(30)%' AND id <> CONNECTION_ID()",
                    "KILL ?",
                ),
            };
            let mut found = Value::Null;
            eventually(async || {
                found = done(db.query(find, json!([])).await)["rows"][0]["id"].clone();
                !found.is_null()
            })
            .await;
            let ended = if db.kind == "postgresql" {
                db.query(end, json!([found])).await
            } else {
                db.execute(&end.replace('?', &found.to_string()), json!([])).await
            };
            done(ended);
        };
        let (outcome, ()) = tokio::join!(calling, cutting);
        if db.kind == "postgresql" {
            let words = retryable(outcome);
            assert!(words.contains("before anything was kept"), "{words}");
        } else {
            let words = unknown(outcome);
            assert!(words.contains("during a change"), "{words}");
        }
        assert_eq!(db.names().await, json!([]), "{}", db.kind);
    }
}

#[tokio::test]
async fn sqlite_files_are_those_below_the_folder() {
    let db = sqlite("folder").await.unwrap();
    assert!(db.bench.check("sqlite", db.settings.clone()).await.ok);
    let folder = db.bench.folder.path().join("sqlite");
    std::os::unix::fs::symlink(db.bench.folder.path().join("rondo.sqlite"), folder.join("link.db")).unwrap();
    std::fs::write(folder.join("text.db"), b"this is not a database, but it is long enough to be looked at as one")
        .unwrap();
    for (file, remedy) in [
        ("../rondo.sqlite", "below the folder"),
        ("/etc/passwd", "below the folder"),
        ("link.db", "there is no file"),
        ("none.db", "there is no file"),
        ("lab", "there is no file"),
    ] {
        let (step, words) = failed_step(&db.bench.check("sqlite", json!({"file": file})).await);
        assert_eq!(step, "settings");
        assert!(words.contains(remedy), "{file}: {words}");
    }
    let (step, words) = failed_step(&db.bench.check("sqlite", json!({"file": "text.db"})).await);
    assert!(step == "right" || step == "settings", "{step}: {words}");
    assert!(words.contains("SQLite file"), "{words}");
}

#[tokio::test]
async fn whom_the_system_trusts_is_trusted_where_no_ca_is_given() {
    let Some(db) = mysql("system").await else { return };
    let ca = std::env::var("TEST_MYSQL_CA").unwrap();
    let this = "sql::whom_the_system_trusts_is_trusted_where_no_ca_is_given";
    let Some(_) = trusting(this, &ca, "yes").await else { return };
    for db in [Some(db), postgresql("system").await].into_iter().flatten() {
        let mut settings = db.settings.clone();
        settings.as_object_mut().unwrap().remove("ca");
        let check = db.bench.check(db.kind, settings).await;
        assert!(check.ok, "{check:?}");
    }
}
