//! `call: directory` on a real OpenLDAP (and, where one is given, a real Active Directory).

use connectors::{Outcome, Probe};
use identity::tokens;
use ldap3::{LdapConnAsync, LdapConnSettings};
use serde_json::{Value, json};
use workflow::StandardError;

use crate::support::{Bench, closed_port, done, failed_step, permanent, service};

struct Directory {
    bench: Bench,
    settings: Value,
    /// Makes names unique, so that tests share one directory.
    tag: String,
}

/// The directory that the variables with this prefix name; none where they are not set.
async fn directory(prefix: &str, url: &str, more: Value) -> Option<Directory> {
    let names = [url, "CA", "BIND_DN", "BIND_PASSWORD", "BASE"].map(|name| format!("{prefix}_{name}"));
    let [url, ca, bind_dn, bind_password, base] = service(&names.each_ref().map(String::as_str))?.try_into().ok()?;
    let bench = Bench::new().await;
    let mut settings = json!({
        "url": url, "flavour": "openldap", "baseDn": base, "bindDn": bind_dn, "bindPassword": bind_password,
        "ca": std::fs::read_to_string(ca).unwrap()
    });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bench.connect("directory", "ldap", settings.clone()).await;
    let tag = format!("{:x}", testkit::seed() & 0xff_ffff);
    Some(Directory { bench, settings, tag })
}

async fn openldap() -> Option<Directory> {
    directory("TEST_LDAP", "URL", json!({"startTls": true})).await
}

impl Directory {
    fn with(operation: &str, more: Value) -> Value {
        let mut with = json!({"connection": "directory", "operation": operation});
        with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        with
    }

    async fn call(&self, key: &str, operation: &str, more: Value) -> Outcome {
        self.bench.call("directory", &format!("{key}-{}", self.tag), Self::with(operation, more)).await
    }

    async fn done(&self, key: &str, operation: &str, more: Value) -> Value {
        done(self.call(key, operation, more).await)
    }

    /// Whether the person can sign in to the directory.
    async fn binds(&self, dn: &str, password: &str) -> bool {
        let ca = self.settings["ca"].as_str();
        let options = LdapConnSettings::new()
            .set_config(std::sync::Arc::new(connectors::tls::client_config(ca).unwrap()))
            .set_starttls(self.settings["startTls"] == true);
        let url = self.settings["url"].as_str().unwrap();
        let (connection, mut ldap) = LdapConnAsync::with_settings(options, url).await.unwrap();
        tokio::spawn(connection.drive());
        let bound = ldap.simple_bind(dn, password).await.unwrap().rc == 0;
        ldap.unbind().await.ok();
        bound
    }

    /// The whole life of a person and a group.
    async fn whole_life(&self) {
        let login = format!("jd{}", self.tag);
        let group = format!("vpn{}", self.tag);
        let me = json!({"login": login});
        assert_eq!(self.done("l0", "lookup", me.clone()).await, json!({"found": false, "user": null}));

        let person = json!({"login": login, "name": format!("Jane, \"Doe\" {}", self.tag), "givenName": "Jane",
            "familyName": "Doe", "email": "jane@example.test", "department": "sales", "jobTitle": "Seller"});
        let created = self.done("c1", "createUser", person.clone()).await;
        assert_eq!((&created["user"]["login"], &created["user"]["active"]), (&json!(login), &json!(true)));
        assert_eq!(created["user"]["email"], "jane@example.test");
        assert_eq!(self.done("c1", "createUser", person.clone()).await, created, "a repeated call knows its own work");
        assert_eq!(permanent(self.call("c2", "createUser", person.clone()).await).0, 409);
        let probed =
            self.bench.probe("directory", &format!("c1-{}", self.tag), Self::with("createUser", person.clone())).await;
        assert_eq!(probed, Probe::Happened(created.clone()));
        let probed = self.bench.probe("directory", "nobody's key", Self::with("createUser", person)).await;
        assert_eq!(probed, Probe::DidNotHappen);

        let changed = self.done("m1", "modifyUser", json!({"login": login, "email": "j@example.test"})).await;
        assert_eq!(changed["user"]["email"], "j@example.test");

        let created_group = self.done("g1", "createGroup", json!({"group": group, "title": "Remote access"})).await;
        assert_eq!(created_group["group"]["name"], group.as_str());
        let member = json!({"group": group, "login": login});
        assert_eq!(self.done("a1", "addMember", member.clone()).await["added"], true);
        assert_eq!(self.done("a2", "addMember", member.clone()).await["added"], false);
        let groups = self.done("a3", "listGroups", me.clone()).await;
        assert_eq!(groups["groups"][0]["name"], group.as_str());
        assert_eq!(self.done("l1", "lookup", me.clone()).await["user"]["groups"], json!([group]));
        assert_eq!(self.done("r1", "removeMember", member.clone()).await["removed"], true, "the last member can go");
        assert_eq!(self.done("r2", "removeMember", member.clone()).await["removed"], false);
        assert_eq!(self.done("a4", "addMember", member).await["added"], true);

        let dn = created["user"]["id"].as_str().unwrap().to_owned();
        let issued = self.done("p1", "issuePassword", json!({"login": login, "mustChange": false})).await;
        let password = self.revealed(&issued).await;
        assert!(self.binds(&dn, &password).await, "the issued password works");
        assert!(!self.bench.log_text().contains(&password));
        assert_eq!(self.done("p1", "issuePassword", json!({"login": login, "mustChange": false})).await, issued);
        self.done("p2", "setPassword", json!({"login": login, "password": "An0ther-long-one!", "mustChange": false}))
            .await;
        assert!(self.binds(&dn, "An0ther-long-one!").await);

        let disabled = self.done("d1", "disableUser", me.clone()).await;
        assert_eq!((&disabled["changed"], &disabled["user"]["active"]), (&json!(true), &json!(false)));
        assert!(!self.binds(&dn, "An0ther-long-one!").await, "a disabled person cannot sign in");
        assert_eq!(self.done("d2", "disableUser", me.clone()).await["changed"], false);
        assert_eq!(self.done("e1", "enableUser", me.clone()).await["user"]["active"], true);
        assert!(self.binds(&dn, "An0ther-long-one!").await);
        self.done("x1", "expirePassword", me.clone()).await;

        assert_eq!(self.done("z1", "deleteUser", me.clone()).await["deleted"], true);
        assert_eq!(self.done("z2", "deleteUser", me.clone()).await["deleted"], false);
        assert_eq!(self.done("l2", "lookup", me).await["found"], false);
        assert_eq!(self.done("z3", "deleteGroup", json!({"group": group})).await["deleted"], true);
    }

    /// The password behind an issued link, as the portal's page shows it.
    async fn revealed(&self, issued: &Value) -> String {
        let link = self.bench.opened(&issued["link"]);
        let token = link.strip_prefix("http://portal.test/link/").unwrap();
        let mut unit = self.bench.store.snapshot().await.unwrap();
        let row = unit.link_by_hash(&tokens::hash(token)).await.unwrap().unwrap();
        let context = connectors::directory::sealing_context(row.id);
        self.bench.vault.unseal(&context, &row.sealed.unwrap()).unwrap().expose().to_owned()
    }
}

#[tokio::test]
async fn openldap_people_and_groups_live_their_whole_life() {
    if let Some(directory) = openldap().await {
        directory.whole_life().await;
    }
}

#[tokio::test]
async fn openldap_works_over_ldaps_too() {
    let Some(values) = service(&["TEST_LDAPS_URL"]) else { return };
    if let Some(mut directory) = directory("TEST_LDAP", "URL", json!({"startTls": true})).await {
        directory.settings["url"] = json!(values[0]);
        let check = directory.bench.check("ldap", directory.settings.clone()).await;
        assert!(check.ok, "{check:?}");
        assert_eq!(
            check.steps.iter().map(|step| step.step.as_str()).collect::<Vec<_>>(),
            ["settings", "name", "connect", "tls", "sign-in", "right"]
        );
    }
}

#[tokio::test]
async fn active_directory_people_and_groups_live_their_whole_life() {
    let more = json!({"flavour": "active-directory"});
    if let Some(directory) = directory("TEST_AD", "URL", more).await {
        directory.whole_life().await;
    }
}

#[tokio::test]
async fn hostile_names_stay_values() {
    let Some(directory) = openldap().await else { return };
    for login in ["*", "*)(uid=*", "admin)(|(objectClass=*", "a,ou=x", "\\2a"] {
        assert_eq!(directory.done("h", "lookup", json!({"login": login})).await["found"], false, "{login}");
    }
    let nowhere = directory.call("h1", "addMember", json!({"group": "*", "login": "*"})).await;
    assert_eq!(permanent(nowhere).0, 404);
}

#[tokio::test]
async fn a_connection_test_names_the_step_that_fails() {
    let bench = Bench::new().await;
    let settings = |url: String| json!({"url": url, "flavour": "openldap", "baseDn": "dc=example,dc=test", "bindDn": "cn=x", "bindPassword": "x"});
    let step = |settings: Value| async { failed_step(&bench.check("ldap", settings).await) };
    assert_eq!(step(settings("ldap://127.0.0.1".into())).await.0, "settings");
    assert_eq!(step(settings("ldaps://host.invalid".into())).await.0, "name");
    let closed = closed_port().await;
    assert_eq!(step(settings(format!("ldaps://127.0.0.1:{closed}"))).await.0, "connect");
    assert_eq!(step(settings("ldaps://169.254.169.254".into())).await.0, "connect");

    let Some(directory) = openldap().await else { return };
    let changed = |name: &str, value: Value| {
        let mut settings = directory.settings.clone();
        settings[name] = value;
        settings
    };
    let mut untrusted = directory.settings.clone();
    untrusted.as_object_mut().unwrap().remove("ca");
    let (at, words) = step(untrusted).await;
    assert_eq!(at, "tls");
    assert!(words.contains("enter the CA"), "{words}");
    let (at, words) = step(changed("bindPassword", json!("wrong"))).await;
    assert_eq!(at, "sign-in");
    assert!(words.contains("name or password is wrong"), "{words}");
    assert_eq!(step(changed("baseDn", json!("dc=elsewhere,dc=test"))).await.0, "right");
    let check = bench.check("ldap", directory.settings.clone()).await;
    assert!(check.ok, "{check:?}");
}

#[tokio::test]
async fn an_unreachable_directory_is_retryable_and_a_refused_sign_in_is_not() {
    let bench = Bench::new().await;
    let closed = closed_port().await;
    let settings = json!({"url": format!("ldaps://127.0.0.1:{closed}"), "flavour": "openldap", "baseDn": "dc=a", "bindDn": "cn=x", "bindPassword": "x"});
    bench.connect("directory", "ldap", settings).await;
    let with = json!({"connection": "directory", "operation": "createUser", "login": "a", "name": "A"});
    assert!(matches!(bench.call("directory", "k", with).await, Outcome::Retryable(_)));

    let Some(directory) = openldap().await else { return };
    let mut wrong = directory.settings.clone();
    wrong["bindPassword"] = json!("wrong");
    bench.connect("refusing", "ldap", wrong).await;
    let with = json!({"connection": "refusing", "operation": "lookup", "login": "a"});
    let Outcome::Permanent(error) = bench.call("directory", "k", with).await else { panic!("it was let in") };
    assert!(error.is(StandardError::Authentication), "{error}");
}
