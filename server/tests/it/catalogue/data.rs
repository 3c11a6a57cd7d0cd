//! Data and machine learning: rows in PostgreSQL, programs in Python, S3 for models, and mail.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Answer, Portal,
    books::Books,
    lab,
    seen::{keys, mails_to, s3, unique},
};

const WORKFLOW: &str = "data/train-model";

/// The rows, as docs/workflows/train-model.md has them. What decides is `x` and `y` together; `y` is not known at first.
const WAREHOUSE: [&str; 2] = [
    "CREATE TABLE training_rows (model TEXT NOT NULL, id TEXT NOT NULL, label SMALLINT, features JSONB NOT NULL, PRIMARY KEY (model, id))",
    "INSERT INTO training_rows SELECT 'churn', n::text, (n * 7919 % 1000 / 1000.0 + n * 104729 % 997 / 997.0 > 1)::int,
     jsonb_build_object('x', n * 7919 % 1000 / 1000.0) FROM generate_series(1, 400) AS n",
];
const LEARN_MORE: &str =
    "UPDATE training_rows SET features = features || jsonb_build_object('y', id::int * 104729 % 997 / 997.0)";

/// A portal, a warehouse and a bucket of the test's own.
struct Learning {
    portal: Portal,
    warehouse: Books,
    bucket: String,
    mailbox: String,
}

impl Learning {
    async fn open() -> Self {
        let (warehouse, bucket) = (Books::make("warehouse", &WAREHOUSE).await, unique("models"));
        s3(Method::PUT, &bucket).await;
        let portal = Portal::open(&[
            ("warehouse", "postgresql".to_owned(), warehouse.connection()),
            lab::to("s3", "storage"),
            lab::to("smtp", "mail"),
        ])
        .await;
        let mailbox = format!("{}@example.test", unique("data"));
        let learning = Self { portal, warehouse, bucket, mailbox };
        learning.permit_programs(Method::PUT).await;
        learning
    }

    /// Permits the namespace to run programs, or takes that back.
    async fn permit_programs(&self, method: Method) {
        self.portal.by_admin(method, "/process-permissions/data", &json!({})).await;
    }

    fn wanted(&self, impact: &str) -> Value {
        json!({"model": "churn", "bucket": self.bucket, "impact": impact, "notify": self.mailbox})
    }

    /// What is in use; None before the first, and once the first was taken back.
    async fn in_use(&self) -> Option<Value> {
        if keys(&self.bucket, "models/churn/in-use").await.is_empty() {
            return None;
        }
        let pointer = s3(Method::GET, &format!("{}/models/churn/in-use.json", self.bucket)).await;
        let pointer: Value = serde_json::from_str(&pointer).unwrap();
        (!pointer["key"].is_null()).then_some(pointer)
    }

    /// How many objects there are of versions, a model and its rows each.
    async fn versions(&self) -> usize {
        keys(&self.bucket, "models/churn/versions/").await.len()
    }

    async fn subjects(&self) -> Vec<String> {
        let mails = mails_to(&self.mailbox).await;
        mails.iter().map(|mail| mail["subject"].as_str().unwrap().split_once(", ").unwrap().1.to_owned()).collect()
    }
}

#[tokio::test]
async fn a_model_comes_into_use_only_when_it_is_better_whatever_dies() {
    let mut learning = Learning::open().await;
    let run = learning.portal.launch(WORKFLOW, &learning.wanted("high")).await;
    learning.portal.kill_when(&run, "pointFirst").await;
    let first = learning.portal.complete(&run).await;
    assert_eq!(first["output"]["outcome"], "in use", "{first:#}");
    let pointer = learning.in_use().await.unwrap();
    assert_eq!((&pointer["version"], &pointer["run"]), (&first["output"]["version"], &json!(run)));
    let model = s3(Method::GET, &format!("{}/{}", learning.bucket, pointer["key"].as_str().unwrap())).await;
    let model: Value = serde_json::from_str(&model).unwrap();
    assert_eq!((&model["kind"], model["features"].as_array().unwrap().len()), (&json!("logistic"), 1));
    let report = s3(Method::GET, &format!("{}/{}", learning.bucket, first["output"]["report"].as_str().unwrap())).await;
    assert!(report.contains("Saying what is commoner") && report.contains("Approved by"), "{report}");
    let tasks = learning.portal.tasks(&run).await;
    let decided = tasks.iter().find(|task| task["name"] == "twoDecide").unwrap();
    assert_eq!(decided["output"]["decisions"].as_array().unwrap().len(), 2, "{decided:#}");

    // The same rows give the same model, which is not better: nobody is asked.
    let again = learning.portal.run(WORKFLOW, &learning.wanted("low"), Answer::Reject).await;
    assert_eq!(
        (&again["output"]["outcome"], &again["output"]["accuracy"]),
        (&json!("not better"), &first["output"]["accuracy"]),
        "{again:#}"
    );
    assert_eq!((learning.in_use().await, learning.versions().await), (Some(pointer), 2));

    learning.warehouse.execute(LEARN_MORE).await;
    let better = learning.portal.run(WORKFLOW, &learning.wanted("low"), Answer::Approve).await;
    assert_eq!(better["output"]["outcome"], "in use", "{better:#}");
    assert_eq!(better["output"]["accuracyBefore"], first["output"]["accuracy"]);
    assert!(better["output"]["accuracy"].as_f64() > first["output"]["accuracy"].as_f64(), "{better:#}");
    assert_eq!(learning.in_use().await.unwrap()["version"], better["output"]["version"]);
    assert_eq!(learning.subjects().await, ["in use", "not better", "in use"]);
}

#[tokio::test]
async fn what_is_not_good_enough_or_not_approved_or_not_verified_changes_nothing_about_what_is_in_use() {
    let mut learning = Learning::open().await;
    let mut hungry = learning.wanted("low");
    hungry["minRows"] = json!(500);
    let stopped = learning.portal.run(WORKFLOW, &hungry, Answer::Approve).await;
    let detail = stopped["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("there are 400 rows, and 500 are the least"), "{stopped:#}");
    let rejected = learning.portal.run(WORKFLOW, &learning.wanted("low"), Answer::Reject).await;
    assert_eq!(rejected["status"], "faulted", "{rejected:#}");
    assert_eq!((learning.in_use().await, learning.versions().await), (None, 0));

    // Programs may not be run any more when it comes to measuring what was published.
    let unverified = async |learning: &Learning| {
        let run = learning.portal.launch(WORKFLOW, &learning.wanted("low")).await;
        learning.portal.asked(&run).await;
        learning.permit_programs(Method::DELETE).await;
        let ended = learning.portal.follow(&run, Answer::Approve).await;
        assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
        let tasks = learning.portal.tasks(&run).await;
        assert!(tasks.iter().any(|task| task["name"] == "readPointer" && task["status"] == "completed"), "{tasks:#?}");
        learning.permit_programs(Method::PUT).await;
    };
    unverified(&learning).await;
    assert_eq!((learning.in_use().await, learning.versions().await), (None, 0));

    let first = learning.portal.run(WORKFLOW, &learning.wanted("low"), Answer::Approve).await;
    assert_eq!(first["status"], "completed", "{first:#}");
    let pointer = learning.in_use().await;
    learning.warehouse.execute(LEARN_MORE).await;
    unverified(&learning).await;
    assert_eq!((learning.in_use().await, learning.versions().await), (pointer, 2));
    let mails = mails_to(&learning.mailbox).await;
    assert_eq!(
        learning.subjects().await,
        ["not in use", "not in use", "not in use", "in use", "not in use"],
        "{mails:#?}"
    );
}
