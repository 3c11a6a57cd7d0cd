//! Problems: incidents in PostgreSQL, an OpenSSH host under several names, git's own server, S3 for documents, and mail.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::{
    Answer, Portal,
    books::Books,
    lab::{self, Repository},
    seen::{keys, mails_to, s3, unique},
};

const WORKFLOW: &str = "problem/investigate";

/// Says how the tables of the register are made.
const PAGE: &str = include_str!("../../../../docs/workflows/investigate.md");

/// A little later than the commits of the test. One is of another system, one is about something else, and one leaves no
/// room for others.
const INCIDENTS: &str = "INSERT INTO incidents (id, system, title, summary, category, host, resolution, opened_at) VALUES
    ('I-1', 'shop', 'Orders time out', 'A timeout of the database', 'database', 'web1', rpad('Restarted', 9000, '.'), current_timestamp + interval '1 minute'),
    ('I-2', 'shop', 'Slow', 'Timeout at the till', 'database', 'web9', NULL, current_timestamp + interval '2 minutes'),
    ('I-3', 'shop', 'The logo is missing', NULL, 'pages', 'web2', NULL, current_timestamp),
    ('I-4', 'till', 'Timeout', NULL, 'database', 'web3', NULL, current_timestamp)";

struct Investigation {
    portal: Portal,
    register: Books,
    bucket: String,
    mailbox: String,
    /// Ends with the test.
    _repository: Repository,
}

impl Investigation {
    async fn open() -> Self {
        let tables = PAGE.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let mut statements: Vec<&str> = tables.split_terminator(";\n").collect();
        statements.push(INCIDENTS);
        let register = Books::make("register", &statements).await;
        let repository = Repository::new(&[("limits", "connections=5\n")]);
        let (bucket, mailbox) = (unique("problems"), format!("{}@example.test", unique("problems")));
        s3(Method::PUT, &bucket).await;
        let portal = Portal::open(&[
            ("register", "postgresql".to_owned(), register.connection()),
            lab::to("sshd", "servers"),
            repository.connection("application"),
            lab::to("s3", "storage"),
            lab::to("smtp", "mail"),
        ])
        .await;
        Self { portal, register, bucket, mailbox, _repository: repository }
    }

    fn wanted(&self, words: &str) -> Value {
        json!({
            "system": "shop", "words": words, "title": "Orders time out", "bucket": self.bucket, "notify": self.mailbox,
        })
    }

    /// An operator names the cause when it is asked for; what the question says.
    async fn name_cause(&self, run: &str) -> String {
        let approval = self.portal.asked(run).await;
        let token = self.portal.server().token("operator");
        let path = format!("/approvals/{}/decisions", approval["id"].as_str().unwrap());
        let filled_in = json!({"kind": "change", "cause": "Too few connections.", "workaround": "Restart the shop."});
        let body = json!({
            "decision": "approve", "comment": "Seen before.", "digest": approval["digest"], "filledIn": filled_in,
        });
        let decided = self.portal.server().rest(Method::POST, &path, &token).json(&body).send().await.unwrap();
        assert!(decided.status().is_success(), "{}", decided.text().await.unwrap());
        approval["message"].as_str().unwrap().to_owned()
    }

    /// The problem that an incident belongs to, and the state of the last one that was recorded.
    async fn recorded(&mut self, incident: &str) -> (Option<String>, Option<String>) {
        let incident = self.register.row("SELECT problem FROM incidents WHERE id = $1", incident).await.unwrap();
        let state = "SELECT state FROM problems WHERE system = $1 ORDER BY opened_at DESC LIMIT 1";
        (incident.get(0), self.register.row(state, "shop").await.map(|row| row.get(0)))
    }
}

#[tokio::test]
async fn a_problem_is_recorded_once_with_what_its_incidents_have_in_common_whatever_dies() {
    let mut investigation = Investigation::open().await;
    let run = investigation.portal.launch(WORKFLOW, &investigation.wanted("timeout -logo")).await;
    let evidence = investigation.name_cause(&run).await;
    for words in
        ["I-1", "I-2", "category: database (2 of 2)", ": v1 (before 2)", "### web1", "# Load", "could not be looked at"]
    {
        assert!(evidence.contains(words), "{words} is missing in {evidence}");
    }
    assert!(!evidence.contains("I-3") && !evidence.contains("I-4"), "{evidence}");
    assert!(evidence.starts_with("Reject, and no problem is recorded."), "{evidence}");
    assert!(evidence.contains("...\n… the rest stands in the run\n\n## What they have"), "{evidence}");
    investigation.portal.kill_when(&run, "record").await;
    let ended = investigation.portal.complete(&run).await;
    assert_eq!(ended["output"]["incidents"], json!(["I-2", "I-1"]), "{ended:#}");
    let problem = ended["output"]["problem"].as_str().unwrap().to_owned();
    assert_eq!(investigation.recorded("I-1").await, (Some(problem), Some("known".to_owned())));
    assert_eq!(investigation.recorded("I-3").await.0, None);
    let document = ended["output"]["document"].as_str().unwrap();
    let text = s3(Method::GET, &format!("{}/{document}", investigation.bucket)).await;
    assert!(text.contains("Restart the shop.") && text.contains("category: database (2 of 2)"), "{text}");
    assert!(text.contains(&".".repeat(8_900)) && !text.contains("the rest stands in the run"), "{text}");
    let mails = mails_to(&investigation.mailbox).await;
    assert_eq!((mails.len(), &mails[0]["subject"]), (1, &json!("Orders time out, recorded")));

    // They belong to a problem now.
    let again = investigation.portal.run(WORKFLOW, &investigation.wanted("timeout"), Answer::Approve).await;
    assert!(again["error"]["detail"].as_str().unwrap().contains("There are 0 open ones"), "{again:#}");
}

#[tokio::test]
async fn what_nobody_can_explain_or_cannot_be_kept_is_not_recorded() {
    let mut investigation = Investigation::open().await;
    let unexplained = investigation.portal.run(WORKFLOW, &investigation.wanted("timeout"), Answer::Reject).await;
    assert_eq!(unexplained["output"]["outcome"], "no cause was named", "{unexplained:#}");
    assert_eq!(investigation.recorded("I-1").await, (None, None));

    let mut nowhere = investigation.wanted("timeout");
    nowhere["bucket"] = json!(unique("nowhere"));
    let run = investigation.portal.launch(WORKFLOW, &nowhere).await;
    investigation.name_cause(&run).await;
    let failed = investigation.portal.follow(&run, Answer::Approve).await;
    assert_eq!((&failed["status"], &failed["compensated"]), (&json!("faulted"), &json!(true)), "{failed:#}");
    assert_eq!(investigation.recorded("I-1").await, (None, Some("withdrawn".to_owned())));
    assert!(keys(&investigation.bucket, "problems").await.is_empty());
    let subjects: Vec<Value> =
        mails_to(&investigation.mailbox).await.into_iter().map(|mail| mail["subject"].clone()).collect();
    assert_eq!(subjects, ["Orders time out, no cause was named", "No problem recorded, Orders time out"]);
}
