//! Identity, against OpenLDAP, Active Directory (Samba) and a SCIM server: what a portal adds to what the connectors' tests show
//! of each workflow over each directory. People are onboarded by the workflow for it.

use std::process::Command;

use reqwest::{Certificate, Method};
use serde_json::{Value, json};

use super::{Answer, Portal, lab};

/// A directory behind LDAP, asked by a program that nothing else here uses.
struct Ldap {
    prefix: &'static str,
    url: &'static str,
    login: &'static str,
}

const OPENLDAP: Ldap = Ldap { prefix: "TEST_LDAP", url: "TEST_LDAPS_URL", login: "uid" };
const ACTIVE_DIRECTORY: Ldap = Ldap { prefix: "TEST_AD", url: "TEST_AD_URL", login: "sAMAccountName" };

impl Ldap {
    fn setting(&self, name: &str) -> String {
        lab::setting(&format!("{}_{name}", self.prefix))
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.args(["-x", "-H", &lab::setting(self.url), "-D", &self.setting("BIND_DN")]);
        command.args(["-w", &self.setting("BIND_PASSWORD")]).env("LDAPTLS_CACERT", self.setting("CA"));
        command
    }

    /// The values of an attribute of all entries that a filter finds.
    fn values(&self, filter: &str, attribute: &str) -> Vec<String> {
        let mut search = self.program("ldapsearch");
        search.args(["-LLL", "-o", "ldif-wrap=no", "-b", &self.setting("BASE"), filter, attribute]);
        let output = search.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let prefix = format!("{attribute}: ");
        let mut values: Vec<String> =
            text.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect();
        values.sort_unstable();
        values
    }

    fn of(&self, login: &str, attribute: &str) -> Vec<String> {
        self.values(&format!("({}={login})", self.login), attribute)
    }

    /// The groups of the one person of this name.
    fn groups(&self, login: &str) -> Vec<String> {
        let people = self.of(login, "dn");
        assert_eq!(people.len(), 1, "{people:?}");
        self.values(&format!("(member={})", people[0]), "cn")
    }
}

/// A SCIM server.
struct Scim {
    client: reqwest::Client,
    base: String,
    token: String,
}

impl Scim {
    fn new() -> Self {
        // The provider of encryption, which every client of a test has set.
        crate::server::client();
        let authority = std::fs::read(lab::setting("TEST_SCIM_CA")).unwrap();
        let authority = Certificate::from_pem(&authority).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().build().unwrap();
        Self { client, base: lab::setting("TEST_SCIM_URL"), token: lab::setting("TEST_SCIM_TOKEN") }
    }

    async fn found(&self, kind: &str, filter: &str) -> Vec<Value> {
        let request = self.client.get(format!("{}/{kind}", self.base)).query(&[("filter", filter)]);
        let page: Value = request.bearer_auth(&self.token).send().await.unwrap().json().await.unwrap();
        page["Resources"].as_array().cloned().unwrap_or_default()
    }

    /// The groups of the one person of this name.
    async fn groups(&self, login: &str) -> Vec<String> {
        let people = self.found("Users", &format!("userName eq \"{login}\"")).await;
        assert_eq!(people.len(), 1, "{people:?}");
        let member = format!("members.value eq {}", people[0]["id"]);
        let groups = self.found("Groups", &member).await;
        let mut names: Vec<String> =
            groups.iter().map(|group| group["displayName"].as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    }
}

/// The mails to an address.
async fn mails_to(address: &str) -> Vec<Value> {
    let answer = crate::server::client().get(lab::setting("TEST_SMTP_HTTP")).send().await.unwrap();
    let mails: Vec<Value> = answer.json().await.unwrap();
    mails.into_iter().filter(|mail| mail["to"].as_array().unwrap().contains(&json!(address))).collect()
}

async fn portal(service: &str) -> Portal {
    Portal::open(&[lab::to(service, "directory"), lab::to("smtp", "mail")]).await
}

/// A newcomer of sales whose name nobody else has: the input of the onboarding, and the mail address.
fn newcomer() -> (Value, String) {
    let letters = format!("{:x}", std::process::id());
    let family: String = letters.bytes().map(|c| char::from(b'a' + c % 16)).collect();
    let address = format!("nora-{family}@example.test");
    let input = json!({
        "givenName": "Nora", "familyName": family, "privateEmail": address, "department": "sales", "jobTitle": "Seller",
        "startDate": "2026-12-01", "contract": "permanent",
    });
    (input, address)
}

async fn onboarded(portal: &Portal) -> (String, String) {
    let (input, address) = newcomer();
    let run = portal.launch("identity/onboard-employee", &input).await;
    let login = portal.complete(&run).await["output"]["login"].as_str().unwrap().to_owned();
    (login, address)
}

#[tokio::test]
async fn in_openldap_access_ends_though_the_server_dies_and_a_move_that_fails_leaves_nothing() {
    let mut portal = portal("openldap").await;
    let (login, _) = onboarded(&portal).await;
    let before = ["all-staff", "sales"];
    assert_eq!(OPENLDAP.groups(&login), before);

    let input = json!({"login": login, "group": "engineering", "hours": 0.0008, "reason": "A test"});
    let run = portal.launch("identity/temporary-group-access", &input).await;
    portal.kill_when(&run, "grant").await;
    assert_eq!(portal.complete(&run).await["output"]["takenBack"], true);
    assert_eq!(OPENLDAP.groups(&login), before);
    let tasks = portal.tasks(&run).await;
    for (task, output) in [("grant", json!({"added": true})), ("revoke", json!({"removed": true}))] {
        let of_it: Vec<&Value> = tasks.iter().filter(|one| one["name"] == task).map(|one| &one["output"]).collect();
        assert_eq!(of_it, [&output], "{task}");
    }

    // The new manager cannot be told, since the mail server refuses the address for good.
    let entry = format!(
        "dn: uid=operator,ou=people,{}\nobjectClass: inetOrgPerson\nuid: operator\ncn: Olga Operator\nsn: Operator\n\
         mail: bounce@example.test\n",
        OPENLDAP.setting("BASE")
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), entry).unwrap();
    let added = OPENLDAP.program("ldapadd").arg("-f").arg(file.path()).output().unwrap();
    assert!(matches!(added.status.code(), Some(0 | 68)), "{}", String::from_utf8_lossy(&added.stderr));
    let input = json!({"login": login, "department": "finance", "jobTitle": "Accountant", "manager": "operator"});
    let ended = portal.run("identity/change-department", &input, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert_eq!(OPENLDAP.groups(&login), before);
    for (attribute, value) in [("departmentNumber", &["sales"][..]), ("title", &["Seller"]), ("manager", &[])] {
        assert_eq!(OPENLDAP.of(&login, attribute), value, "{attribute}");
    }
}

#[tokio::test]
async fn in_active_directory_one_account_and_one_password_are_made_whatever_dies() {
    if std::env::var_os(ACTIVE_DIRECTORY.url).is_none() {
        println!("SKIPPED: only root can start Samba");
        return;
    }
    let mut portal = portal("samba").await;
    let (input, address) = newcomer();
    let run = portal.launch("identity/onboard-employee", &input).await;
    portal.kill_when(&run, "createAccount").await;
    let login = portal.complete(&run).await["output"]["login"].as_str().unwrap().to_owned();
    assert_eq!(ACTIVE_DIRECTORY.groups(&login), ["all-staff", "sales"]);
    assert_eq!(ACTIVE_DIRECTORY.of(&login, "userAccountControl"), ["512"]);
    assert_eq!(ACTIVE_DIRECTORY.of(&login, "pwdLastSet"), ["0"], "it is to be changed");

    let run = portal.launch("identity/reset-password", &json!({"login": login, "reason": "forgotten"})).await;
    portal.kill_when(&run, "issuePassword").await;
    assert_eq!(portal.complete(&run).await["output"]["mailedTo"], address.as_str());
    let mails = mails_to(&address).await;
    let reset = mails.iter().filter(|mail| mail["subject"] == "Your new password").collect::<Vec<_>>();
    assert_eq!(reset.len(), 1, "{mails:#?}");
    assert!(reset[0]["text"].as_str().unwrap().contains("/link/"), "{reset:#?}");

    let input = json!({"login": login, "reason": "leaves", "handOverTo": "sam@example.test"});
    let run = portal.launch("identity/offboard-employee", &input).await;
    assert_eq!(portal.follow(&run, Answer::Reject).await["status"], "faulted");
    assert_eq!(ACTIVE_DIRECTORY.of(&login, "userAccountControl"), ["512"], "nothing was agreed to");
}

#[tokio::test]
async fn over_scim_cancelled_access_is_taken_back_and_a_review_is_carried_out_though_the_server_dies() {
    let mut portal = portal("scim").await;
    let directory = Scim::new();
    let (login, _) = onboarded(&portal).await;
    let before = ["all-staff", "sales"];

    let input = json!({"login": login, "group": "engineering", "hours": 8, "reason": "A test"});
    let run = portal.launch("identity/temporary-group-access", &input).await;
    portal.reach(&run, "untilItEnds", &["running", "waiting"]).await;
    assert_eq!(directory.groups(&login).await, ["all-staff", "engineering", "sales"]);
    portal.cancel(&run).await;
    let ended = portal.follow(&run, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("cancelled"), &json!(true)), "{ended:#}");
    assert_eq!(directory.groups(&login).await, before);

    let auditor = format!("audit-{login}@example.test");
    let input = json!({"group": "sales", "reviewer": "manager", "evidenceTo": auditor});
    let run = portal.launch("identity/recertify-access", &input).await;
    let approval = portal.asked(&run).await;
    let path = format!("/approvals/{}/decisions", approval["id"].as_str().unwrap());
    let decision = json!({
        "decision": "approve", "comment": "Left the team.", "digest": approval["digest"], "filledIn": {"remove": [login]},
    });
    let manager = portal.server().token("manager");
    let decided = portal.server().rest(Method::POST, &path, &manager).json(&decision).send().await.unwrap();
    let status = decided.status();
    assert!(status.is_success(), "{}", decided.text().await.unwrap());
    portal.kill_when(&run, "takeOut").await;
    let ended = portal.complete(&run).await;
    assert_eq!((&ended["output"]["removed"], &ended["output"]["decidedBy"]), (&json!([login]), &json!("manager")));
    assert_eq!(directory.groups(&login).await, ["all-staff"]);
    let mails = mails_to(&auditor).await;
    assert_eq!(mails.len(), 1, "{mails:#?}");
    let row = format!("\"sales\",\"{login}\",");
    let text = mails[0]["text"].as_str().unwrap();
    assert!(text.contains(&row) && text.contains("\"removed\",\"manager\""), "{text}");
}
