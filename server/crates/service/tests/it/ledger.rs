//! The audit log as evidence: what is proved of it, and what becomes of those who alter it in the database. Whoever owns the
//! database can lift its triggers; so here they are.

use std::{
    io,
    sync::{Mutex, PoisonError},
};

use domain::{ErrorCode, view::AuditFilter};
use ledger::{
    checkpoint::{LedgerKey, PublicKey, Trust, unverified},
    proof, tree,
    verify::{Completeness, Outside, verify},
};
use serde_json::json;
use service::{Anchor, ExportFormat};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};
use store::audit::{AuditRow, AuditTile};

use crate::{office::Office, postgres};

/// Keeps the last checkpoint in memory.
#[derive(Debug, Default)]
pub(crate) struct Drawer(Mutex<Option<String>>);

impl Anchor for Drawer {
    fn kept(&self) -> io::Result<Option<String>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn keep(&self, note: &str) -> io::Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(note.to_owned());
        Ok(())
    }
}

impl Drawer {
    fn put_back(&self, note: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = note;
    }
}

pub(crate) async fn exported(office: &Office) -> String {
    let auditor = office.caller("auditor").await;
    let mut pieces =
        office.service.audit_export(&auditor, AuditFilter::default(), ExportFormat::JsonLines).await.unwrap();
    let mut file = String::new();
    while let Some(piece) = pieces.recv().await {
        file.push_str(&piece.unwrap());
    }
    file
}

#[tokio::test]
async fn an_export_is_signed_to_its_end_and_grows_from_what_was_kept() {
    let office = Office::open().await;
    office.service.sign_audit().await;
    let kept = office.drawer.kept().unwrap().unwrap();
    let first = exported(&office).await;
    let key = PublicKey::parse(&office.service.console_audit_key().await.unwrap()).unwrap();
    let second_key = PublicKey::parse(&office.service.console_rotate_audit_key().await.unwrap()).unwrap();
    let second = exported(&office).await;
    let outside = Outside { key: Some(key), checkpoints: vec![kept.clone()] };
    let up_to = unverified(&kept).unwrap().size;
    let mut entries = 0;
    for file in [&first, &second] {
        let verdict = verify(file.as_bytes(), &outside).unwrap();
        assert_eq!((&verdict.fault, verdict.completeness), (&None, Completeness::Proved { up_to }));
        assert!(verdict.entries > entries && verdict.checkpoints > 1, "{verdict:?}");
        entries = verdict.entries;
    }
    assert!(second.contains("\"action\":\"audit.rotate-key\""));
    let outside = Outside { key: Some(second_key), ..Outside::default() };
    assert_eq!(verify(second.as_bytes(), &outside).unwrap().fault, None);
    assert!(verify(first.as_bytes(), &outside).unwrap().fault.is_some());
    office.service.sign_audit().await;
    assert_ne!(office.drawer.kept().unwrap().unwrap(), kept);
    office.stop().await;
}

#[tokio::test]
async fn entries_and_growth_are_proved() {
    let office = Office::open().await;
    let auditor = office.caller("auditor").await;
    let earlier = office.service.audit_checkpoint(&auditor).await.unwrap();
    let trust = Trust::in_key(PublicKey::parse(&earlier.key).unwrap());
    let read = trust.read(&earlier.checkpoint).unwrap();
    assert_eq!((read.size, tree::text(&read.root)), (earlier.size, earlier.root.clone()));

    let proof = office.service.audit_proof(&auditor, 3).await.unwrap();
    let proved = proof::verify(&proof, &Outside::default()).unwrap();
    assert_eq!((proved.seq, proved.key.to_string()), (3, earlier.key.clone()));
    assert_eq!(proof.body["seq"], 3);
    // One that is not signed yet is signed for it: here the reading of this very proof.
    let end = office.audit_end().await + 1;
    let proof = office.service.audit_proof(&auditor, end).await.unwrap();
    assert_eq!(proof::verify(&proof, &Outside::default()).unwrap().seq, u64::try_from(end).unwrap());
    assert_eq!(proof.body["detail"], json!({"proof": end}));
    for absent in [0, -1, i64::MAX] {
        let problem = office.service.audit_proof(&auditor, absent).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::NotFound);
    }

    let growth = office.service.audit_consistency(&auditor, earlier.size, None).await.unwrap();
    assert_eq!(growth.from_root, earlier.root);
    let path: Vec<_> = growth.path.iter().map(|hash| tree::from_text(hash).unwrap()).collect();
    let [from_root, to_root] = [&growth.from_root, &growth.to_root].map(|root| tree::from_text(root).unwrap());
    assert!(tree::Claim::Consistency { from: growth.from, to: growth.to }.is_proved(&path, from_root, to_root));
    for (from, to) in [(0, None), (5, Some(4)), (1, Some(u64::MAX))] {
        let problem = office.service.audit_consistency(&auditor, from, to).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidInput);
    }
    let staff = office.caller("staff").await;
    assert_eq!(office.service.audit_proof(&staff, 1).await.unwrap_err().code, ErrorCode::Forbidden);
    assert_eq!(office.service.audit_checkpoint(&staff).await.unwrap_err().code, ErrorCode::Forbidden);
    assert_eq!(office.service.audit_consistency(&staff, 1, None).await.unwrap_err().code, ErrorCode::Forbidden);
    office.stop().await;
}

#[tokio::test]
async fn the_log_is_signed_once_for_each_size_by_however_many_nodes() {
    let office = Office::open().await;
    office.audit_end().await;
    let auditor = office.caller("auditor").await;
    let both = tokio::join!(office.service.audit_checkpoint(&auditor), office.other_node.audit_checkpoint(&auditor));
    let (one, other) = (both.0.unwrap(), both.1.unwrap());
    assert_eq!((one.key, one.origin), (other.key, other.origin));
    office.service.sign_audit().await;
    let before = office.store.snapshot().await.unwrap().audit_checkpoints(0, 99).await.unwrap();
    office.service.sign_audit().await;
    assert_eq!(office.store.snapshot().await.unwrap().audit_checkpoints(0, 99).await.unwrap(), before);
    office.stop().await;
}

/// The database as its owner has it.
pub(crate) enum Raw {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Raw {
    pub(crate) async fn execute(&mut self, statements: &str) {
        let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
        match self {
            Self::Sqlite(connection) => drop(statements.execute(connection).await.unwrap()),
            Self::Postgres(connection) => drop(statements.execute(connection).await.unwrap()),
        }
    }

    /// The number that a query has found.
    pub(crate) async fn number(&mut self, query: &str) -> i64 {
        let query = AssertSqlSafe(query.to_owned());
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(query).fetch_one(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_scalar(query).fetch_one(connection).await.unwrap(),
        }
    }

    /// Whether the database refuses it.
    pub(crate) async fn is_refused(&mut self, statement: &str) -> bool {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
        match self {
            Self::Sqlite(connection) => statement.execute(connection).await.is_err(),
            Self::Postgres(connection) => statement.execute(connection).await.is_err(),
        }
    }

    async fn lift_triggers(&mut self) {
        match self {
            Self::Sqlite(_) => {
                for (table, ends) in [
                    ("audit_entries", ["are_fixed", "stay"]),
                    ("audit_head", ["only_grows", "stays"]),
                    ("audit_tiles", ["only_grow", "stay"]),
                    ("audit_keys", ["are_fixed", "stay"]),
                    ("audit_checkpoints", ["are_fixed", "stay"]),
                ] {
                    for end in ends {
                        self.execute(&format!("DROP TRIGGER {table}_{end}")).await;
                    }
                }
            }
            Self::Postgres(_) => {
                for table in TABLES {
                    self.execute(&format!("ALTER TABLE {table} DISABLE TRIGGER USER")).await;
                }
            }
        }
    }

    async fn save(&mut self, state: &str) {
        for table in TABLES {
            self.execute(&format!("CREATE TABLE {state}_{table} AS SELECT * FROM {table}")).await;
        }
    }

    async fn put_back(&mut self, state: &str) {
        for table in TABLES {
            self.execute(&format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {state}_{table}")).await;
        }
    }
}

const TABLES: [&str; 5] = ["audit_entries", "audit_head", "audit_tiles", "audit_keys", "audit_checkpoints"];

#[tokio::test]
async fn whatever_is_altered_in_the_database_is_named_on_sqlite() {
    let office = Office::open().await;
    let raw =
        SqliteConnection::connect(&format!("sqlite:{}", office.data().join("rondo.sqlite").display())).await.unwrap();
    whatever_is_altered_is_named(&office, Raw::Sqlite(raw)).await;
    office.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_altered_in_the_database_is_named_on_postgres() {
    postgres::on_postgres("ledger", async |office, url| {
        whatever_is_altered_is_named(office, Raw::Postgres(PgConnection::connect(url).await.unwrap())).await;
    })
    .await;
}

pub(crate) async fn fault(office: &Office) -> String {
    let verdict = office.service.console_verify_audit().await.unwrap();
    assert_eq!(verdict.sound, verdict.fault.is_none());
    verdict.fault.unwrap_or_default()
}

async fn whatever_is_altered_is_named(office: &Office, mut raw: Raw) {
    office.service.sign_audit().await;
    let yesterday = office.drawer.kept().unwrap();
    raw.save("yesterday").await;
    let (first, last) = (unverified(yesterday.as_deref().unwrap()).unwrap().size, office.audit_end().await + 4);
    let auditor = office.caller("auditor").await;
    for _ in 0..4 {
        office.service.audit(&auditor, AuditFilter::default(), None, None).await.unwrap();
    }
    office.service.sign_audit().await;
    assert_eq!(fault(office).await, "");
    raw.save("today").await;
    raw.lift_triggers().await;
    let rows = office.audit_after(0).await;
    assert_eq!(i64::try_from(rows.len()).unwrap(), last);

    let [three, four] = [&rows[2].body, &rows[3].body];
    let as_four = three.replace("\"seq\":3,", "\"seq\":4,");
    let in_place_of = |seq: i64, body: &str| format!("UPDATE audit_entries SET body = '{body}' WHERE seq = {seq}");
    let columns =
        "at, actor_id, actor, action, resource_kind, resource_id, resource_name, namespace, outcome, body, personal";
    let copy_to_end = format!(
        "INSERT INTO audit_entries (seq, {columns}) SELECT {}, {columns} FROM audit_entries WHERE seq = {last}",
        last + 1
    );
    let cut = format!("there are {} entries of {last}: the end of the log was cut off", last - 1);
    let not_signed = format!("the entries from {} to {last} are not those that were signed", first + 1);
    for (alteration, expected) in [
        ("UPDATE audit_entries SET body = replace(body, 'done', 'dONE') WHERE seq = 3".to_owned(), "entry 3: the hash"),
        ("UPDATE audit_entries SET actor = 'nobody' WHERE seq = 3".to_owned(), "entry 3: the column actor"),
        ("UPDATE audit_entries SET outcome = 'failed' WHERE seq = 3".to_owned(), "entry 3: the column outcome"),
        ("DELETE FROM audit_entries WHERE seq = 3".to_owned(), "entry 4: entry 3 was expected"),
        (format!("DELETE FROM audit_entries WHERE seq = {last}"), &cut),
        // The end, with all that tells of it but what was signed.
        (format!("{}; {}", cut_to(last - 1), cut_tiles(&rows[..rows.len() - 1])), &cut),
        // Two in each other's place, and one twice.
        (format!("{}; {}", in_place_of(3, four), in_place_of(4, three)), "entry 3: entry 3 was expected"),
        (in_place_of(4, &as_four), "entry 4: the hash"),
        (format!("{copy_to_end}; UPDATE audit_head SET seq = {}", last + 1), "was expected here"),
        // Whoever did it was somebody else.
        (swap_actors(&rows[2], &rows[3]), "entry 3: the hash"),
        // What stands beside the bodies.
        (personal(&rows, last, &|beside| beside["/actor/login"]["value"] = json!("visitor")), "the personal value at /actor/login"),
        (
            personal(&rows, last, &|beside| {
                let key = beside["/actor/login"]["key"].clone();
                beside["/actor/login"]["key"] = json!(key.as_str().unwrap().chars().rev().collect::<String>());
            }),
            "the personal value at /actor/login",
        ),
        (
            personal(&rows, last, &|beside| beside["/address"] = beside["/actor/login"].clone()),
            "at /address",
        ),
        (
            personal(&rows, last, &|beside| drop(beside.as_object_mut().unwrap().remove("/actor/login"))),
            "the column actor",
        ),
        // With the hash made to fit, and the whole tree made to fit.
        (with_hash(&rows, last, false), &not_signed),
        (with_hash(&rows, last, true), &not_signed),
        ("UPDATE audit_tiles SET hashes = replace(hashes, 'a', 'b') WHERE level = 0 AND place = 0".to_owned(), "the hash"),
        (
            "UPDATE audit_entries SET body = replace(body, '\"done\"', '\"failed\"'), outcome = 'failed' WHERE seq = 3; \
             DELETE FROM audit_tiles"
                .to_owned(),
            "are not those that were signed",
        ),
        (
            format!("UPDATE audit_checkpoints SET note = (SELECT note FROM audit_checkpoints WHERE size = {first})"),
            "the checkpoint over",
        ),
        ("UPDATE audit_checkpoints SET note = replace(note, '\n', ' ')".to_owned(), "the checkpoint over"),
        ("DELETE FROM audit_keys".to_owned(), "there are checkpoints, and no key"),
        // Another key has signed all.
        (signed_anew(&rows), "the checkpoint outside the database"),
    ] {
        raw.execute(&alteration).await;
        let fault = fault(office).await;
        assert!(fault.contains(expected), "{alteration}\n{fault}");
        raw.put_back("today").await;
        assert_eq!(self::fault(office).await, "", "{alteration}");
    }

    // The whole database is put back to what it was. Nothing in it tells that.
    let today = office.drawer.kept().unwrap();
    raw.put_back("yesterday").await;
    let fault_then = fault(office).await;
    assert!(fault_then.contains("it was put back or cut off"), "{fault_then}");
    // What was kept is the evidence, and is not written over.
    office.service.sign_audit().await;
    assert_eq!(office.drawer.kept().unwrap(), today);
    office.drawer.put_back(yesterday);
    assert_eq!(fault(office).await, "");
}

fn cut_to(entries: i64) -> String {
    format!("DELETE FROM audit_entries WHERE seq > {entries}; UPDATE audit_head SET seq = {entries}")
}

fn tiles_over(rows: &[AuditRow]) -> (tree::Hash, Vec<AuditTile>) {
    let mut growth = tree::Growth::default();
    for row in rows {
        growth.push(tree::leaf(row.body.as_bytes()));
    }
    let root = growth.root();
    let tile = |(at, hashes): (&tree::TileAt, &Vec<tree::Hash>)| AuditTile {
        level: i64::from(at.level),
        place: i64::try_from(at.index).unwrap(),
        hashes: hashes.iter().map(tree::text).collect(),
    };
    (root, growth.changed().iter().map(tile).collect())
}

/// The tree over these rows in the place of the stored one.
fn cut_tiles(rows: &[AuditRow]) -> String {
    let insert = |AuditTile { level, place, hashes }: AuditTile| {
        format!("INSERT INTO audit_tiles (level, place, hashes) VALUES ({level}, {place}, '{hashes}')")
    };
    let mut statements = vec!["DELETE FROM audit_tiles".to_owned()];
    statements.extend(tiles_over(rows).1.into_iter().map(insert));
    statements.join("; ")
}

/// Something else beside the body of an entry by a person.
fn personal(rows: &[AuditRow], seq: i64, alter: &dyn Fn(&mut serde_json::Value)) -> String {
    let row = rows.iter().find(|row| row.seq == seq).unwrap();
    let mut beside = serde_json::from_str(row.personal.as_deref().unwrap()).unwrap();
    alter(&mut beside);
    format!("UPDATE audit_entries SET personal = '{beside}' WHERE seq = {seq}")
}

fn swap_actors(one: &AuditRow, other: &AuditRow) -> String {
    let with = |row: &AuditRow, of: &AuditRow| {
        let (mut body, theirs): (serde_json::Value, serde_json::Value) =
            (serde_json::from_str(&row.body).unwrap(), serde_json::from_str(&of.body).unwrap());
        body["actor"] = if theirs["actor"] == body["actor"] { json!({"login": "x"}) } else { theirs["actor"].clone() };
        let body = ledger::canonical(&body).unwrap();
        format!("UPDATE audit_entries SET body = '{body}' WHERE seq = {}", row.seq)
    };
    format!("{}; {}", with(one, other), with(other, one))
}

/// The last entry says something else, and its hash in the tree as well; or the whole tree.
fn with_hash(rows: &[AuditRow], last: i64, whole: bool) -> String {
    let mut altered = rows.to_vec();
    let row = altered.last_mut().unwrap();
    row.body = row.body.replace("audit.read", "audit.real");
    row.action = row.action.replace("audit.read", "audit.real");
    let before = tree::text(&tree::leaf(rows.last().unwrap().body.as_bytes()));
    let after = tree::text(&tree::leaf(row.body.as_bytes()));
    let entry = format!("UPDATE audit_entries SET body = '{}', action = '{}' WHERE seq = {last}", row.body, row.action);
    if whole {
        format!("{entry}; {}", cut_tiles(&altered))
    } else {
        format!("{entry}; UPDATE audit_tiles SET hashes = replace(hashes, '{before}', '{after}') WHERE level = 0")
    }
}

/// All is written anew and signed by a key of the same name.
fn signed_anew(rows: &[AuditRow]) -> String {
    let mut altered = rows.to_vec();
    let row = altered.last_mut().unwrap();
    row.body = row.body.replace("audit.read", "audit.real");
    let body = row.body.clone();
    // A key of the log's own name would do as little.
    let key = LedgerKey::from_seed("rondo/forged", &[7; 32]).unwrap();
    let size = altered.len();
    let note = key.checkpoint(size as u64, &tiles_over(&altered).0).unwrap();
    format!(
        "UPDATE audit_entries SET body = '{}', action = 'audit.real' WHERE seq = {size}; {}; DELETE FROM audit_keys; \
         INSERT INTO audit_keys (id, number, public, sealed, introduction, created_at) \
         VALUES ('{}', 1, '{}', 'sealed', NULL, 0); DELETE FROM audit_checkpoints; \
         INSERT INTO audit_checkpoints (size, at, note) VALUES ({size}, 0, '{note}')",
        body,
        cut_tiles(&altered),
        key.public().id(),
        key.public(),
    )
}
