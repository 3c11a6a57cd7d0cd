//! The shipped workflows of identity over every kind of directory: Rondo's own, OpenLDAP, Active Directory (Samba), and SCIM.
//! What a portal adds to this (people who decide, a server that is killed) is tried in the server's own tests.

use domain::RunStatus;
use serde_json::{Value, json};

use crate::{
    shipped::{Ended, mails, newcomer, organisation_without_mail, parsed, run, run_deciding},
    support::{Bench, done, service},
};

/// A directory with the groups of the office.
struct Office {
    bench: Bench,
    /// Letters that nobody else's names end in.
    tag: String,
}

impl Office {
    /// Over a directory of this kind; none where the lab has none.
    async fn over(kind: &str) -> Option<Self> {
        let pem = |path: &str| std::fs::read_to_string(path).unwrap();
        let connection = match kind {
            "builtin" => ("builtin", json!({})),
            "scim" => {
                let found = service(&["TEST_SCIM_URL", "TEST_SCIM_CA", "TEST_SCIM_TOKEN"])?;
                ("scim", json!({"baseUrl": found[0], "ca": pem(&found[1]), "token": found[2]}))
            }
            flavour => {
                let (prefix, url) = match flavour {
                    "openldap" => ("TEST_LDAP", "TEST_LDAPS_URL"),
                    _ => ("TEST_AD", "TEST_AD_URL"),
                };
                let names = ["CA", "BASE", "BIND_DN", "BIND_PASSWORD"].map(|name| format!("{prefix}_{name}"));
                let found = service(&[url, &names[0], &names[1], &names[2], &names[3]])?;
                let settings = json!({
                    "url": found[0], "flavour": flavour, "ca": pem(&found[1]), "baseDn": found[2], "bindDn": found[3],
                    "bindPassword": found[4]
                });
                ("ldap", settings)
            }
        };
        let bench = organisation_without_mail().await;
        bench.connect("directory", connection.0, connection.1).await;
        let letters = format!("{:06x}", testkit::seed() & 0xff_ffff);
        let tag = letters.bytes().map(|c| char::from(b'a' + c % 16)).collect();
        Some(Self { bench, tag })
    }

    /// Mails go to files from now on.
    async fn with_mail(self) -> Self {
        self.bench.connect("mail", "file", json!({"from": "Rondo <rondo@example.test>"})).await;
        self
    }

    /// What the directory says, asked by itself.
    async fn ask(&self, operation: &str, more: Value) -> Value {
        let mut with = json!({"connection": "directory", "operation": operation});
        with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        done(self.bench.call("directory", &format!("{operation}-{with}"), with).await)
    }

    async fn person(&self, login: &str) -> Value {
        self.ask("lookup", json!({"login": login})).await["user"].clone()
    }

    async fn run(&self, workflow: &str, input: Value) -> Ended {
        let definition = parsed(&self.bench, &format!("identity/{workflow}.yaml"));
        run(&self.bench, &definition, input, true).await
    }

    /// Somebody of sales, onboarded; the sign-in name. Needs mail.
    async fn onboarded(&self) -> String {
        let mut input = newcomer();
        input["givenName"] = json!("Nora");
        input["familyName"] = json!(self.tag);
        input["additionalGroups"] = json!([]);
        let ended = self.run("onboard-employee", input).await;
        assert_eq!(ended.status, RunStatus::Completed, "{:?}", ended.error);
        assert_eq!(ended.output["login"], format!("n{}", self.tag));
        format!("n{}", self.tag)
    }

    /// Who leads finance: the sign-in name.
    async fn chief(&self) -> String {
        let login = format!("chief{}", self.tag);
        let name = format!("Carla {}", self.tag);
        self.ask("createUser", json!({"login": login, "name": name, "email": "cfo@example.test"})).await;
        login
    }

    /// Nobody of these is left in the directory, where it lets them go.
    async fn leave(&self, logins: &[&str]) {
        for login in logins {
            self.ask("deleteUser", json!({"login": login})).await;
        }
    }
}

fn completed(ended: Ended) -> Value {
    assert_eq!(ended.status, RunStatus::Completed, "{:?} after {:?}", ended.error, ended.tasks);
    ended.output
}

/// From the first day to the last.
async fn career(kind: &str) {
    let Some(office) = Office::over(kind).await else { return };
    let office = office.with_mail().await;
    let (login, chief) = (office.onboarded().await, office.chief().await);
    assert_eq!(office.person(&login).await["groups"], json!(["all-staff", "sales"]));

    let input = json!({"login": login, "department": "finance", "jobTitle": "Accountant", "manager": chief});
    let moved = completed(office.run("change-department", input).await);
    assert_eq!((&moved["joined"], &moved["left"]), (&json!(["finance"]), &json!(["sales"])));
    let person = office.person(&login).await;
    assert_eq!((&person["manager"], &person["groups"]), (&json!(chief), &json!(["all-staff", "finance"])));
    let kept = if kind == "builtin" { [json!(null), json!(null)] } else { [json!("finance"), json!("Accountant")] };
    assert_eq!([&person["department"], &person["jobTitle"]], [&kept[0], &kept[1]]);

    // Time passes at once here, so that the access has ended when the run has.
    let before = mails(&office.bench).len();
    let input = json!({"login": login, "group": "engineering", "hours": 8, "reason": "Month's end"});
    let access = office.run("temporary-group-access", input.clone()).await;
    let (granted, revoked) =
        (access.tasks.iter().position(|t| t == "grant"), access.tasks.iter().position(|t| t == "revoke"));
    assert!(granted.is_some() && granted < revoked, "{:?}", access.tasks);
    assert_eq!(completed(access)["takenBack"], true);
    assert_eq!(office.person(&login).await["groups"], json!(["all-staff", "finance"]));
    assert_eq!(mails(&office.bench).len(), before + 2);
    let mut inside = input;
    inside["group"] = json!("finance");
    let refused = office.run("temporary-group-access", inside).await;
    assert!(refused.error.is_some_and(|error| error.contains("stays one")), "{:?}", refused.tasks);

    let reset = completed(office.run("reset-password", json!({"login": login, "reason": "forgotten"})).await);
    assert_eq!(reset["mailedTo"], "zoe@example.test");
    let texts = mails(&office.bench).join("\n").replace("=\r\n", "");
    assert!(texts.contains("Your new password") && texts.contains("http://portal.test/link/"), "{texts}");

    office.ask("addMember", json!({"group": "finance", "login": chief})).await;
    let definition = parsed(&office.bench, "identity/recertify-access.yaml");
    let input = json!({"group": "finance", "reviewer": chief, "evidenceTo": "audit@example.test"});
    let decision = json!([{"by": chief, "decision": "approve", "comment": "", "stage": 1, "at": "2026-11-27T10:00:00Z",
        "filledIn": {"remove": [login, "ghost"]}}]);
    let review = completed(run_deciding(&office.bench, &definition, input.clone(), Some(decision)).await);
    assert_eq!((&review["removed"], &review["notMembers"]), (&json!([login]), &json!(["ghost"])));
    assert!(review["kept"].as_array().unwrap().contains(&json!(chief)), "{review}");
    assert_eq!(office.person(&login).await["groups"], json!(["all-staff"]));
    assert!(review["evidence"].as_str().unwrap().contains(&format!("\"finance\",\"{login}\",")), "{review}");
    // Who does not answer for it takes nobody out.
    let declined = completed(run_deciding(&office.bench, &definition, input, None).await);
    assert_eq!((&declined["certified"], &declined["removed"]), (&json!(false), &json!([])));
    assert_eq!(office.person(&chief).await["groups"], json!(["finance"]));

    let input = json!({"login": login, "reason": "leaves", "handOverTo": "sam@example.test"});
    completed(office.run("offboard-employee", input).await);
    let gone = office.person(&login).await;
    assert_eq!((&gone["active"], &gone["groups"]), (&json!(false), &json!([])));
    office.leave(&[&login, &chief]).await;
}

#[tokio::test]
async fn a_career_in_rondos_own_directory() {
    career("builtin").await;
}

#[tokio::test]
async fn a_career_in_openldap() {
    career("openldap").await;
}

#[tokio::test]
async fn a_career_in_active_directory() {
    career("active-directory").await;
}

#[tokio::test]
async fn a_career_over_scim() {
    career("scim").await;
}

/// Without mail, each workflow fails at its mail, after it has changed something: then it takes that back.
async fn regret(kind: &str) {
    let Some(office) = Office::over(kind).await else { return };
    let (login, chief) = (format!("n{}", office.tag), office.chief().await);
    let failed = |ended: Ended| {
        assert_eq!(ended.status, RunStatus::Faulted, "{:?}", ended.tasks);
        assert!(ended.error.as_ref().is_some_and(|error| error.contains("mail is off")), "{:?}", ended.error);
        assert!(ended.compensated, "{:?}", ended.tasks);
        ended.tasks
    };

    let mut input = newcomer();
    input["givenName"] = json!("Nora");
    input["familyName"] = json!(office.tag);
    input["additionalGroups"] = json!([]);
    failed(office.run("onboard-employee", input).await);
    assert_eq!(office.person(&login).await, json!(null));

    let person = json!({"login": login, "name": format!("Nora {}", office.tag), "email": "nora@example.test",
        "department": "sales", "manager": chief});
    office.ask("createUser", person).await;
    for group in ["all-staff", "sales"] {
        office.ask("addMember", json!({"group": group, "login": login})).await;
    }
    let before = office.person(&login).await;
    let input = json!({"login": login, "department": "finance", "jobTitle": "Accountant", "manager": chief});
    let tasks = failed(office.run("change-department", input).await);
    assert!(tasks.ends_with(&["joinAgain", "leaveAgain", "restoreEntry"].map(str::to_owned)), "{tasks:?}");
    assert_eq!(office.person(&login).await, before);

    let input = json!({"login": login, "group": "engineering", "hours": 8, "reason": "Month's end"});
    let tasks = failed(office.run("temporary-group-access", input).await);
    assert!(tasks.ends_with(&["takeBackAtOnce".to_owned()]), "{tasks:?}");
    assert_eq!(office.person(&login).await, before);

    let input = json!({"login": login, "reason": "leaves", "handOverTo": "sam@example.test"});
    failed(office.run("offboard-employee", input).await);
    assert_eq!(office.person(&login).await, before);
    office.leave(&[&login, &chief]).await;
}

#[tokio::test]
async fn what_fails_late_is_taken_back_in_rondos_own_directory() {
    regret("builtin").await;
}

#[tokio::test]
async fn what_fails_late_is_taken_back_in_openldap() {
    regret("openldap").await;
}

#[tokio::test]
async fn what_fails_late_is_taken_back_in_active_directory() {
    regret("active-directory").await;
}

#[tokio::test]
async fn what_fails_late_is_taken_back_over_scim() {
    regret("scim").await;
}
