//! Changes: a register in PostgreSQL, scripts in Git, an OpenSSH host under three names.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use super::{
    Answer, Portal, lab,
    seen::{mails_to, unique},
    servers::Traces,
};

/// Says how the tables of the register are made.
const PAGE: &str = include_str!("../../../../docs/workflows/standard-change.md");

/// What a program prints, which must succeed.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A register of changes in a database of the test's own.
struct Register {
    /// The address of the server, up to the name of a database.
    server: String,
    name: String,
}

impl Register {
    fn new() -> Self {
        let url = lab::setting("TEST_POSTGRES_URL");
        let (server, database) = url.rsplit_once('/').unwrap();
        let register = Self { server: server.to_owned(), name: unique("register").replace('-', "_") };
        psql(&format!("{server}/{database}"), &format!("CREATE DATABASE {}", register.name));
        let tables = PAGE.split("```sql\n").nth(1).and_then(|rest| rest.split("```").next());
        register.sql(tables.unwrap());
        register
    }

    fn sql(&self, statement: &str) -> String {
        psql(&format!("{}/{}", self.server, self.name), statement)
    }

    fn connection(&self) -> (&'static str, String, Value) {
        let (user, host) = self.server.trim_start_matches("postgres://").split_once('@').unwrap();
        let ((user, password), (host, port)) = (user.split_once(':').unwrap(), host.split_once(':').unwrap());
        let settings = json!({
            "host": host, "port": port.parse::<u16>().unwrap(), "database": self.name, "user": user, "password": password,
            "encryption": "none",
        });
        ("register", "postgresql".to_owned(), settings)
    }

    /// What it says of the change that was made last: kind, state, review.
    fn last(&self) -> String {
        self.sql("SELECT concat_ws(' ', kind, state, review) FROM changes ORDER BY number DESC LIMIT 1")
    }
}

fn psql(url: &str, statement: &str) -> String {
    printed(Command::new("psql").args(["-X", "-Atqc", statement]).arg(url))
}

/// A repository with scripts that leave traces, and a standard change `raise-limit` in the register; the revision.
fn standard_change(register: &Register, traces: &Traces, repository: &Path) -> String {
    let scripts = [
        ("make.sh", "echo made >> HERE/$1; test ! -e HERE/$1.bad"),
        ("check.sh", "grep -q made HERE/$1"),
        ("back.sh", "echo back >> HERE/$1"),
    ];
    for (name, script) in scripts {
        std::fs::write(repository.join(name), traces.command(script)).unwrap();
    }
    let git = |arguments: &[&str]| {
        let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.test"];
        printed(Command::new("git").arg("-C").arg(repository).args(who).args(arguments))
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "Raise the limit"]);
    let revision = git(&["rev-parse", "HEAD"]);
    register.sql(&format!(
        "INSERT INTO standard_changes VALUES ('raise-limit', 'Raise the limit', 'shop', '{}', '{revision}', 'make.sh', \
         'check.sh', 'back.sh')",
        repository.display()
    ));
    revision
}

async fn portal(register: &Register) -> Portal {
    Portal::open(&[register.connection(), lab::to("sshd", "servers"), lab::to("smtp", "mail")]).await
}

#[tokio::test]
async fn a_standard_change_is_made_once_outside_of_freezes_and_backed_out_where_it_fails_whatever_dies() {
    let (register, traces, repository, mailbox) =
        (Register::new(), Traces::new("change"), tempfile::tempdir().unwrap(), unique("cab"));
    standard_change(&register, &traces, repository.path());
    let mut portal = portal(&register).await;
    let input = json!({
        "change": "raise-limit", "hosts": ["web1", "web2", "web3"], "notify": format!("{mailbox}@example.test"),
    });
    let run = portal.launch("change/standard-change", &input).await;
    portal.kill_when(&run, "apply").await;
    portal.complete(&run).await;
    assert_eq!(["web1", "web2", "web3"].map(|server| traces.of(server)), ["made\n"; 3]);
    assert_eq!(register.last(), "standard done");

    std::fs::write(traces.0.join("web2.bad"), "").unwrap();
    let failed = portal.run("change/standard-change", &input, Answer::Approve).await;
    assert_eq!((&failed["status"], &failed["compensated"]), (&json!("faulted"), &json!(true)), "{failed:#}");
    assert_eq!(
        ["web1", "web2", "web3"].map(|server| traces.of(server)),
        ["made\nmade\nback\n", "made\nmade\nback\n", "made\n"]
    );
    assert_eq!(register.last(), "standard taken back");

    register.sql(
        "INSERT INTO change_freezes VALUES (NULL, now() - interval '1 hour', now() + interval '1 hour', 'End of the year')",
    );
    let frozen = portal.run("change/standard-change", &input, Answer::Approve).await;
    assert!(frozen["error"]["detail"].as_str().unwrap().contains("End of the year"), "{frozen:#}");
    assert_eq!(traces.of("web3"), "made\n");
    assert_eq!(register.sql("SELECT count(*) FROM changes"), "2");
    assert_eq!(mails_to(&format!("{mailbox}@example.test")).await.len(), 3);
}

#[tokio::test]
async fn an_emergency_change_passes_a_freeze_when_it_is_approved_and_is_reviewed_whatever_dies() {
    let (register, traces, repository, mailbox) =
        (Register::new(), Traces::new("emergency"), tempfile::tempdir().unwrap(), unique("cab"));
    let revision = standard_change(&register, &traces, repository.path());
    register.sql("INSERT INTO change_freezes VALUES ('shop', now(), now() + interval '1 hour', 'End of the year')");
    let mut portal = portal(&register).await;
    let input = json!({
        "title": "Raise the limit", "system": "shop", "repository": repository.path(), "revision": revision,
        "script": "make.sh", "checkScript": "check.sh", "backOut": "back.sh", "reason": "Nobody can order.",
        "hosts": ["web1", "web2"], "notify": format!("{mailbox}@example.test"),
    });
    let declined = portal.run("change/emergency-change", &input, Answer::Reject).await;
    assert_eq!((declined["status"].as_str(), traces.of("web1")), (Some("faulted"), String::new()), "{declined:#}");
    assert_eq!(register.sql("SELECT count(*) FROM changes"), "0");

    let run = portal.launch("change/emergency-change", &input).await;
    portal.kill_when(&run, "apply").await;
    let ended = portal.complete(&run).await;
    assert_eq!(ended["output"]["review"], "justified", "{ended:#}");
    assert_eq!(["web1", "web2"].map(|server| traces.of(server)), ["made\n"; 2]);
    assert_eq!(register.last(), "emergency done justified");

    std::fs::write(traces.0.join("web2.bad"), "").unwrap();
    let failed = portal.run("change/emergency-change", &input, Answer::Approve).await;
    assert_eq!((&failed["status"], &failed["compensated"]), (&json!("faulted"), &json!(true)), "{failed:#}");
    assert_eq!(traces.of("web1"), "made\nmade\nback\n");
    assert_eq!(register.last(), "emergency taken back");
}
