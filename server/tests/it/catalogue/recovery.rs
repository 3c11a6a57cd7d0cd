//! Disaster recovery: a PostgreSQL with a standby that follows it, DNS and S3.

use std::{path::Path, process::Command};

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Answer, Portal, lab,
    replication::{Replication, Which},
    seen::{keys, mails_to, s3, unique},
};

const OLD: &str = "192.0.2.1";
const NEW: &str = "192.0.2.2";

/// The name of a database, as DNS knows it.
struct Name {
    zone: String,
    label: String,
}

impl Name {
    /// A name of the test's own that leads to the primary.
    fn new() -> Self {
        let name = Self { zone: lab::setting("TEST_DNS_ZONE"), label: unique("db") };
        Self::knot(&["zone-begin", &name.zone]);
        Self::knot(&["zone-set", &name.zone, &name.label, "60", "A", OLD]);
        Self::knot(&["zone-commit", &name.zone]);
        name
    }

    fn knot(arguments: &[&str]) -> String {
        let output = Command::new("knotc").args(["-s", &lab::setting("TEST_DNS_CONTROL")]).args(arguments).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn full(&self) -> String {
        format!("{}.{}", self.label, self.zone)
    }

    /// Where it leads.
    fn leads_to(&self) -> String {
        let record = Self::knot(&["zone-read", &self.zone, &self.label, "A"]);
        record.split_whitespace().next_back().unwrap().to_owned()
    }
}

fn promotion(database: &Replication, name: &Name, mailbox: &str) -> Value {
    json!({
        "database": "Shop", "reason": "The machine is dark.", "record": name.full(), "recordFrom": OLD, "recordTo": NEW,
        "primaryData": database.data(Which::Primary), "programs": database.setting("PROGRAMS"),
        "notify": format!("{mailbox}@example.test"), "escalateTo": format!("{mailbox}-escalation@example.test"),
    })
}

#[tokio::test]
async fn the_standby_of_a_lost_primary_is_promoted_once_whatever_dies() {
    let (database, name, mailbox) = (Replication::start(), Name::new(), unique("dba"));
    let user = database.setting("USER").to_owned();
    let mut portal = Portal::open(&[
        database.connection("primary", Which::Primary, &user),
        database.connection("standby", Which::Standby, &user),
        lab::to("sshd", "database-hosts"),
        lab::to("dns", "dns"),
        lab::to("smtp", "mail"),
    ])
    .await;
    database.sql(Which::Primary, "CREATE TABLE orders AS SELECT generate_series(1, 1000) AS number");
    database.await_received().await;
    database.lose_primary();

    let run = portal.launch("recovery/promote-standby", &promotion(&database, &name, &mailbox)).await;
    portal.kill_when(&run, "promote").await;
    let ended = portal.complete(&run).await;
    assert_eq!(ended["output"]["leadsTo"], json!([NEW]), "{ended:#}");
    assert_eq!((&ended["output"]["fenced"], &ended["output"]["missing"]), (&json!(true), &json!(0)), "{ended:#}");
    assert_eq!(name.leads_to(), NEW);
    let standby = |statement: &str| database.sql(Which::Standby, statement);
    assert_eq!(standby("SELECT pg_is_in_recovery()"), "f");
    assert_eq!(standby("SELECT count(*) FROM orders"), "1000");
    assert_eq!(standby("SELECT count(*) FROM rondo_promotions"), "1");
    let log = standby("SELECT pg_walfile_name(pg_current_wal_lsn())");
    assert!(log.starts_with("00000002"), "it was promoted once: {log}");
    let tasks = portal.tasks(&run).await;
    let decided = tasks.iter().find(|task| task["name"] == "decide").unwrap();
    assert_eq!(decided["output"]["decisions"].as_array().unwrap().len(), 2, "{decided:#}");
    let mails = mails_to(&format!("{mailbox}@example.test")).await;
    assert!(mails[0]["text"].as_str().unwrap().contains("is the primary now"), "{mails:#?}");

    database.power_is_back();
    assert_eq!(database.sql(Which::Primary, "SELECT pg_is_in_recovery()"), "t", "it leads no more");
}

#[tokio::test]
async fn nothing_is_pointed_elsewhere_unless_the_standby_is_the_primary() {
    let (database, name, mailbox) = (Replication::start(), Name::new(), unique("dba"));
    let password = database.setting("PASSWORD").to_owned();
    // Somebody who may look, and may not promote.
    database.sql(Which::Primary, &format!("CREATE ROLE watcher LOGIN PASSWORD '{password}'"));
    database.await_standby("SELECT count(*) FROM pg_roles WHERE rolname = 'watcher'", "1").await;
    let portal = Portal::open(&[
        database.connection("primary", Which::Primary, "watcher"),
        database.connection("standby", Which::Standby, "watcher"),
        lab::to("sshd", "database-hosts"),
        lab::to("dns", "dns"),
        lab::to("smtp", "mail"),
    ])
    .await;
    let input = promotion(&database, &name, &mailbox);
    let refused = async |words: &str| {
        let run = portal.launch("recovery/promote-standby", &input).await;
        let ended = portal.follow(&run, Answer::Approve).await;
        assert_eq!(ended["status"], "faulted", "{}", portal.story(&run).await);
        assert!(ended["error"].to_string().contains(words), "{}", portal.story(&run).await);
        assert_eq!(name.leads_to(), OLD);
        assert_eq!(database.sql(Which::Standby, "SELECT pg_is_in_recovery()"), "t");
        ended
    };
    refused("The primary still answers").await;

    database.sql(Which::Standby, "SELECT pg_wal_replay_pause()");
    database.sql(Which::Primary, "CREATE TABLE large AS SELECT repeat('x', 1000) FROM generate_series(1, 3000)");
    database.await_received().await;
    database.lose_primary();
    refused("lags too far behind").await;

    database.sql(Which::Standby, "SELECT pg_wal_replay_resume()");
    database.await_standby("SELECT count(*) FROM pg_class WHERE relname = 'large'", "1").await;
    let ended = refused("pg_promote").await;
    assert_eq!(ended["compensated"], true, "{ended:#}");
    let fence = database.data(Which::Primary).join("standby.signal");
    assert!(!fence.exists(), "the primary may come back, since it is the only one");
    let mails = mails_to(&format!("{mailbox}-escalation@example.test")).await;
    assert_eq!(mails.len(), 3, "{mails:#?}");
}

fn backup(database: &Replication, bucket: &str, folder: &Path, mailbox: &str) -> Value {
    json!({
        "database": database.setting("DATABASE"), "bucket": bucket, "folder": folder, "port": database.port(Which::Primary),
        "socket": database.data(Which::Primary), "user": database.setting("USER"),
        "programs": database.setting("PROGRAMS"), "notify": format!("{mailbox}@example.test"),
    })
}

#[tokio::test]
async fn a_backup_is_kept_only_when_it_was_restored_whatever_dies() {
    let (database, bucket, mailbox) = (Replication::start(), unique("backups"), unique("dba"));
    s3(Method::PUT, &bucket).await;
    let folder = database.shared_folder();
    let mut portal =
        Portal::open(&[lab::to("sshd", "database-hosts"), lab::to("s3", "storage"), lab::to("smtp", "mail")]).await;
    database.sql(
        Which::Primary,
        "CREATE TABLE orders AS SELECT n, md5(n::text) AS code FROM generate_series(1, 5000) AS n",
    );
    database.sql(Which::Primary, "CREATE TABLE empty (n int)");
    let input = backup(&database, &bucket, &folder, &mailbox);
    let run = portal.launch("recovery/prove-backup", &input).await;
    portal.kill_when(&run, "upload").await;
    let ended = portal.complete(&run).await;
    let key = ended["output"]["key"].as_str().unwrap();
    assert_eq!(ended["output"]["tables"], 2, "{ended:#}");
    assert_eq!(keys(&bucket, "postgresql").await, [key.to_owned(), format!("{key}.proof.json")]);
    let proof: Value = serde_json::from_str(&s3(Method::GET, &format!("{bucket}/{key}.proof.json")).await).unwrap();
    assert_eq!(proof["sha256"], ended["output"]["sha256"]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left on the hosts");

    // A check that looks into another table can be dumped, and not restored before that table is filled.
    for statement in [
        "CREATE TABLE z_limits AS SELECT 10 AS n",
        "CREATE FUNCTION below(n int) RETURNS bool LANGUAGE sql AS
            'SELECT EXISTS (SELECT 1 FROM public.z_limits AS l WHERE below.n < l.n)'",
        "CREATE TABLE a_values (n int CHECK (below(n)))",
        "INSERT INTO a_values VALUES (5)",
    ] {
        database.sql(Which::Primary, statement);
    }
    let failed = portal.run("recovery/prove-backup", &input, Answer::Approve).await;
    assert_eq!(failed["status"], "faulted", "{failed:#}");
    assert_eq!(keys(&bucket, "postgresql").await.len(), 2, "what was not proven is not kept");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is left on the hosts");
    let subjects: Vec<Value> =
        mails_to(&format!("{mailbox}@example.test")).await.into_iter().map(|mail| mail["subject"].clone()).collect();
    assert_eq!(subjects, ["Proven backup of shop", "No proven backup of shop"]);
}
