//! Secrets of `use.secrets` on a node: opened for the call, and nowhere to be found afterwards.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use connectors::Outcome;
use domain::{RunId, RunStatus};
use engine::{NoObserver, Observer, secrets};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};
use store::{Store, secrets::SealedSecret, workflows::VersionState};
use store_postgres::{PoolSizes, PostgresStore};
use workflow::{RunError, StandardError};

use crate::lab::Lab;

/// What is searched for afterwards. Nothing else holds it.
const CANARY: &str = "canary/7f3a+91 \"sings\"";
const USES_TOKEN: &str = ", metadata: {}}\nuse: {secrets: [token]}";

async fn put(lab: &Lab, name: &str, value: &Value) {
    let namespace = "test".parse().unwrap();
    let (by, at) = (lab.manager.id, lab.parts().clock.now());
    let secret = SealedSecret {
        sealed_value: secrets::seal(&lab.parts().vault, &namespace, name, value),
        namespace,
        name: name.to_owned(),
        created_by: by,
        created_at: at,
        updated_by: by,
        updated_at: at,
    };
    let mut unit = lab.store.begin().await.unwrap();
    unit.put_secret(&secret).await.unwrap();
    unit.commit().await.unwrap();
}

async fn delete(lab: &Lab, name: &str) {
    let mut unit = lab.store.begin().await.unwrap();
    assert!(unit.delete_secret(&"test".parse().unwrap(), name).await.unwrap());
    unit.commit().await.unwrap();
}

/// A connector is given the secret and repeats it: in its output, in an error, and from a process in its log. Others are
/// given it by another run, or by nobody who waits.
async fn a_canary_flies_through(lab: &Lab) {
    lab.permit_processes().await;
    put(lab, "token", &json!(CANARY)).await;
    lab.script.script(
        "fails",
        [Outcome::Permanent(RunError::new(StandardError::Communication, format!("“{CANARY}” is no token")))],
    );
    let tasks = "
  - echoes: {call: scripted, with: {step: echoes, value: '${ {($secrets.token): (\"Bearer \" + $secrets.token)} }'}}
  - keeps: {set: {seen: '${ . }'}}
  - says: {run: {shell: {command: 'echo \"$WORD\"', environment: {WORD: '${ $secrets.token }'}}}}
  - tries:
      try: [{fails: {call: scripted, with: {step: fails, value: '${ $secrets.token | @base64 }'}}}]
      catch: {as: error, do: [{tells: {set: {why: '${ $error.detail }'}}}]}
  - lets: {run: {shell: {command: 'echo \"$WORD\"', environment: {WORD: '${ $secrets.token }'}}, await: false}}
  - leaves: {run: {workflow: {namespace: test, name: left, version: latest, input: {token: '${ $secrets.token }'}}, await: false}}
  - hands: {run: {workflow: {namespace: test, name: inner, version: latest, input: {token: '${ \"Bearer \" + $secrets.token }'}}}}
";
    let given = "
  - keeps: {set: {token: '${ \"the token: \" + .token }'}, export: {as: .}}
  - uses: {call: scripted, with: {step: inner, value: '${ .token }'}}
";
    for name in ["inner", "left"] {
        lab.define(name, "1.0.0", VersionState::Published, given).await;
    }
    let version = lab.define_with("canary", "1.0.0", VersionState::Published, USES_TOKEN, tasks).await;
    let node = lab.start(Arc::new(NoObserver));
    let id = lab.launch_version(&version).await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(Lab::output(&run), json!({"step": "inner", "value": "the token: Bearer [redacted]"}));
    let why = lab.tasks(id).await.into_iter().find(|task| task.name == "tells").unwrap().output.unwrap();
    assert!(why.contains("“[redacted]” is no token"), "{why}");
    let left = lab.runs_of("left").await.remove(0);
    let left = lab.wait_for(left.id, RunStatus::Completed).await;
    assert_eq!(Lab::output(&left), json!({"step": "inner", "value": "the token: [redacted]"}));
    let echoed = lab.tasks(id).await.remove(0).output.unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&echoed).unwrap(),
        json!({"step": "echoes", "value": {"[redacted]": "Bearer [redacted]"}})
    );
    let logs = lab.store.logs();
    let lines = async || logs.read(id, None, 0, 10).await.unwrap();
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    let both = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            pause.tick().await;
            let lines = lines().await;
            if lines.len() == 2 {
                return lines;
            }
        }
    });
    for line in both.await.unwrap() {
        assert_eq!(line.text, "[redacted]");
    }
    node.shut_down().await;
}

/// In whatever form it could have been written.
fn forms() -> Vec<String> {
    let json = json!(CANARY).to_string();
    let twice = json!(json).to_string();
    let inner = |text: &str| text.trim_start_matches(['"', '\\']).get(..12).unwrap().to_owned();
    let mut forms = vec![CANARY.to_owned(), CANARY.get(..12).unwrap().to_owned(), inner(&json), inner(&twice)];
    forms.push(urlencoding(CANARY));
    forms
}

fn urlencoding(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_on_the_disk_of_sqlite_holds_a_secret_that_calls_were_given() {
    let lab = Lab::new().await;
    a_canary_flies_through(&lab).await;
    // With the write-ahead log and the file of task logs.
    let mut searched = 0;
    for file in std::fs::read_dir(lab.directory()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        searched += bytes.len();
        for form in forms() {
            let found = bytes.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(!found, "{} holds {form}", path.display());
        }
    }
    assert!(searched > 10_000, "the database is there to be searched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_in_postgresql_holds_a_secret_that_calls_were_given() {
    let Some((mut admin, name, url)) = crate::postgres::database("secrets").await else { return };
    let store = Arc::new(PostgresStore::connect(url.as_str(), PoolSizes { engine: 3, web: 1, logs: 1 }).await.unwrap());
    let lab = Lab::on(Arc::clone(&store) as Arc<dyn Store>, tempfile::tempdir().unwrap()).await;
    a_canary_flies_through(&lab).await;
    let mut own = sqlx::PgConnection::connect(url.as_str()).await.unwrap();
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            .fetch_all(&mut own)
            .await
            .unwrap();
    for wanted in ["journal", "tasks", "task_logs", "audit_queue", "secrets"] {
        assert!(tables.iter().any(|table| table.starts_with(wanted)), "{wanted} is not among {tables:?}");
    }
    let mut rows = 0;
    for table in tables {
        let texts: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT row_to_json(t)::text FROM {table} t")))
                .fetch_all(&mut own)
                .await
                .unwrap();
        rows += texts.len();
        for form in forms() {
            assert!(!texts.iter().any(|text| text.contains(&form)), "{table} holds {form}");
        }
    }
    assert!(rows > 20, "the tables are there to be searched");
    own.close().await.unwrap();
    drop(lab);
    store.close().await;
    sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&mut admin).await.unwrap();
}

#[tokio::test]
async fn a_call_gets_what_the_secret_is_when_it_is_built_and_faults_once_it_is_gone() {
    let lab = Lab::new().await;
    put(&lab, "token", &json!("first")).await;
    let tasks = "
  - before: {call: scripted, with: {step: before, value: '${ $secrets.token == \"first\" }'}}
  - hear: {listen: {to: {one: {with: {type: go-on}}}}}
  - after: {call: scripted, with: {step: after, value: '${ $secrets.token == \"second\" }'}}
  - hearAgain: {listen: {to: {one: {with: {type: go-on}}}}}
  - gone: {call: scripted, with: {step: gone, value: '${ $secrets.token }'}}
";
    let version = lab.define_with("changing", "1.0.0", VersionState::Published, USES_TOKEN, tasks).await;
    let node = lab.start(Arc::new(NoObserver));
    let id = lab.launch_version(&version).await;
    lab.wait_for(id, RunStatus::Waiting).await;
    put(&lab, "token", &json!("second")).await;
    lab.publish(&[("go-on", "1", Value::Null)]).await;
    lab.wait(id, |run| run.status == RunStatus::Waiting && lab.script.steps() == ["before", "after"]).await;
    delete(&lab, "token").await;
    lab.publish(&[("go-on", "2", Value::Null)]).await;
    let run = lab.wait_for(id, RunStatus::Faulted).await;
    let outputs: Vec<_> =
        lab.tasks(id).await.into_iter().filter(|task| task.name != "gone").map(|t| t.output).collect();
    assert!(outputs[0].as_deref().unwrap().contains("\"value\":true"), "{outputs:?}");
    assert!(outputs[2].as_deref().unwrap().contains("\"value\":true"), "{outputs:?}");
    let error: Value = serde_json::from_str(&run.error.unwrap()).unwrap();
    assert_eq!(error["type"], "https://serverlessworkflow.io/spec/1.0.0/errors/authorization");
    assert_eq!((&error["status"], &error["instance"]), (&json!(403), &json!("/do/4/gone")));
    assert!(error["detail"].as_str().unwrap().contains("the secret “token”"), "{error}");
    assert_eq!(lab.script.steps(), ["before", "after"], "nothing was sent without it");
    node.shut_down().await;
}

/// Kills the actor once, as the first result is about to become durable.
#[derive(Default)]
struct Killer(AtomicBool);

impl Observer for Killer {
    fn before_commit(&self, _run: RunId, version: i64) {
        assert!(version != 2 || self.0.swap(true, Ordering::SeqCst), "killed by the test");
    }
}

#[tokio::test]
async fn a_run_whose_owner_died_has_its_secrets_opened_anew_and_what_is_found_out_masked() {
    let lab = Lab::new().await;
    put(&lab, "token", &json!({"word": "s3cret-word"})).await;
    let tasks = "\n  - one: {call: scripted, with: {step: one, value: '${ \"it is \" + $secrets.token.word }'}}\n";
    let version = lab.define_with("moving", "1.0.0", VersionState::Published, USES_TOKEN, tasks).await;
    let node = lab.start(Arc::new(Killer::default()));
    let id = lab.launch_version(&version).await;
    let run = lab.wait_for(id, RunStatus::Completed).await;
    assert_eq!(lab.script.steps(), ["one"], "the next owner asked, and did not do it again");
    assert_eq!(Lab::output(&run), json!({"step": "one", "value": "it is [redacted]"}));
    node.shut_down().await;
}
