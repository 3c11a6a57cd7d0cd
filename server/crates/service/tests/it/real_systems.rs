//! The shipped onboarding on a real OpenLDAP and a real mail server, which `scripts/with-services` starts.

use std::env;

use domain::{DecisionKind, RunStatus};
use ldap3::{LdapConnAsync, LdapConnSettings, Scope};
use serde_json::{Value, json};
use service::NewConnection;

use crate::office::Office;

/// The lab's settings; none where it does not run, which is said.
struct Lab {
    url: String,
    ca: String,
    bind_dn: String,
    bind_password: String,
    base: String,
    smtp_http: String,
    smtp: Value,
}

fn lab() -> Option<Lab> {
    let get = |name: &str| env::var(name).ok();
    let read = |path: String| std::fs::read_to_string(path).unwrap();
    let found = (|| {
        Some(Lab {
            url: get("TEST_LDAPS_URL")?,
            ca: read(get("TEST_LDAP_CA")?),
            bind_dn: get("TEST_LDAP_BIND_DN")?,
            bind_password: get("TEST_LDAP_BIND_PASSWORD")?,
            base: get("TEST_LDAP_BASE")?,
            smtp_http: get("TEST_SMTP_HTTP")?,
            smtp: json!({
                "host": "127.0.0.1",
                "port": get("TEST_SMTP_PORT")?.parse::<u16>().unwrap(),
                "encryption": "starttls",
                "username": get("TEST_SMTP_USER")?,
                "password": get("TEST_SMTP_PASSWORD")?,
                "ca": read(get("TEST_SMTP_CA")?),
                "from": "Rondo <rondo@example.test>",
            }),
        })
    })();
    if found.is_none() {
        println!("SKIPPED: the lab does not run (scripts/with-services starts it)");
    }
    found
}

impl Lab {
    /// Points the portal's connections at the lab.
    async fn connect(&self, office: &Office) {
        let admin = office.caller("admin").await;
        let known = office.service.connections(&admin, None).await.unwrap();
        let owner = service::Subject::User(office.user("admin").await.unwrap());
        let id = |name: &str| known.iter().find(|connection| connection.name == name).map(|found| found.id);
        let directory = json!({
            "url": self.url, "flavour": "openldap", "baseDn": self.base, "ca": self.ca,
            "bindDn": self.bind_dn, "bindPassword": self.bind_password,
        });
        for (name, kind, settings) in [("directory", "ldap", directory), ("mail", "smtp", self.smtp.clone())] {
            let new = NewConnection {
                name: name.to_owned(),
                kind: kind.to_owned(),
                settings,
                namespaces: vec!["*".to_owned()],
                owner: Some(owner),
            };
            let made = office.service.put_connection(&admin, id(name), new).await.unwrap();
            let check = office.service.test_connection(&admin, made.id).await.unwrap();
            assert!(check.ok, "{check:?}");
        }
    }

    async fn bind(&self, dn: &str, password: &str) -> Option<ldap3::Ldap> {
        let tls = connectors::tls::client_config(Some(&self.ca)).unwrap();
        let settings = LdapConnSettings::new().set_config(std::sync::Arc::new(tls));
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &self.url).await.unwrap();
        tokio::spawn(connection.drive());
        ldap.simple_bind(dn, password).await.unwrap().success().ok().map(|_| ldap)
    }

    /// How many entries with this sign-in name there are.
    async fn entries(&self, login: &str) -> usize {
        let mut ldap = self.bind(&self.bind_dn, &self.bind_password).await.unwrap();
        let found = ldap.search(&self.base, Scope::Subtree, &format!("(uid={login})"), ["memberOf"]).await;
        found.unwrap().success().unwrap().0.len()
    }

    /// The text of the last mail to an address.
    async fn mail_to(&self, address: &str) -> Option<String> {
        #[expect(clippy::disallowed_methods, reason = "a test asks its own server on loopback")]
        let mails: Vec<Value> = reqwest::Client::new().get(&self.smtp_http).send().await.unwrap().json().await.unwrap();
        mails
            .iter()
            .rfind(|mail| mail["to"].as_array().is_some_and(|to| to.iter().any(|one| one == address)))
            .map(|mail| mail["text"].as_str().unwrap().to_owned())
    }
}

/// A newcomer whose name no other test uses, and the sign-in name that will be made of it.
fn newcomer(mailbox: &str) -> (Value, String, String) {
    let tag = format!("{:x}", testkit::seed() & 0xffff_ffff);
    let family: String =
        tag.chars().map(|c| char::from(b'a' + u8::try_from(c.to_digit(16).unwrap()).unwrap())).collect();
    let address = format!("{mailbox}-{tag}@example.test");
    let mut input = Office::newcomer();
    input["familyName"] = json!(family);
    input["privateEmail"] = json!(address);
    (input, format!("n{family}"), address)
}

async fn approved(office: &Office, input: Value) -> domain::view::RunDetail {
    let staff = office.caller("staff").await;
    let run = office.service.launch(&staff, &Office::onboarding(), None, input).await.unwrap();
    let approval = office.approval_of(run.id).await;
    let manager = office.caller("manager").await;
    let digest = &approval.summary.digest;
    office.service.decide(&manager, approval.summary.id, DecisionKind::Approve, "", digest).await.unwrap();
    office.ended(run.id).await
}

#[tokio::test]
async fn on_openldap_the_new_person_binds_with_the_password_behind_the_mailed_link() {
    let Some(lab) = lab() else { return };
    rustls::crypto::ring::default_provider().install_default().ok();
    let office = Office::open().await;
    lab.connect(&office).await;
    let (input, login, address) = newcomer("welcome");
    let ended = approved(&office, input).await;
    assert_eq!(ended.summary.status, RunStatus::Completed, "{:?}", ended.error);
    assert_eq!(ended.output.unwrap()["login"], login);

    let mail = lab.mail_to(&address).await.unwrap();
    let token = mail.split("/link/").nth(1).unwrap().split_whitespace().next().unwrap();
    let password = office.service.reveal_password(&Office::origin(), token).await.unwrap();
    let dn = format!("uid={login},ou=people,{}", lab.base);
    let mut ldap = lab.bind(&dn, &password).await.unwrap();
    let (whoami, _) = ldap.extended(ldap3::exop::WhoAmI).await.unwrap().success().unwrap();
    assert_eq!(whoami.parse::<ldap3::exop::WhoAmIResp>().authzid, format!("dn:{dn}"));
    assert!(lab.bind(&dn, "another password").await.is_none());
}

#[tokio::test]
async fn when_the_mail_is_refused_account_and_memberships_are_taken_back_from_openldap() {
    let Some(lab) = lab() else { return };
    rustls::crypto::ring::default_provider().install_default().ok();
    let office = Office::open().await;
    lab.connect(&office).await;
    let (input, login, _) = newcomer("bounce");
    let ended = approved(&office, input).await;
    assert_eq!(ended.summary.status, RunStatus::Faulted);
    assert!(ended.summary.compensated && !ended.summary.needs_attention, "{ended:?}");
    assert_eq!(lab.entries(&login).await, 0);
    // Nobody who is gone is a member of a group either.
    let mut admin = lab.bind(&lab.bind_dn, &lab.bind_password).await.unwrap();
    let member = format!("(member=uid={login},ou=people,{})", lab.base);
    let groups = admin.search(&lab.base, Scope::Subtree, &member, ["cn"]).await.unwrap().success().unwrap().0;
    assert!(groups.is_empty());
}
