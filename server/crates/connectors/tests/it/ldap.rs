//! `call: directory` on a real OpenLDAP (and, where one is given, a real Active Directory).

use connectors::{Outcome, Probe};
use domain::view::PlannedEffect;
use identity::tokens;
use ldap3::{LdapConnAsync, LdapConnSettings};
use serde_json::{Value, json};
use workflow::StandardError;

use crate::support::{Bench, closed_port, done, failed_step, permanent, planned, service};

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
        assert_eq!((&created["user"]["department"], &created["user"]["jobTitle"]), (&json!("sales"), &json!("Seller")));
        assert_eq!(self.done("c1", "createUser", person.clone()).await, created, "a repeated call knows its own work");
        assert_eq!(permanent(self.call("c2", "createUser", person.clone()).await).0, 409);
        let probed =
            self.bench.probe("directory", &format!("c1-{}", self.tag), Self::with("createUser", person.clone())).await;
        assert_eq!(probed, Probe::Happened(created.clone()));
        let probed = self.bench.probe("directory", "nobody's key", Self::with("createUser", person)).await;
        assert_eq!(probed, Probe::DidNotHappen);

        let changed = self.done("m1", "modifyUser", json!({"login": login, "email": "j@example.test"})).await;
        assert_eq!(changed["user"]["email"], "j@example.test");
        let cleared = self.done("m2", "modifyUser", json!({"login": login, "jobTitle": null, "manager": null})).await;
        assert_eq!((&cleared["user"]["department"], &cleared["user"]["jobTitle"]), (&json!("sales"), &json!(null)));
        let managed = self.done("m3", "modifyUser", json!({"login": login, "manager": login})).await;
        assert_eq!(managed["user"]["manager"], login.as_str());

        let new_group = json!({"group": group, "title": "Remote access", "owner": login});
        let created_group = self.done("g1", "createGroup", new_group).await;
        assert_eq!(created_group["group"]["name"], group.as_str());
        let member = json!({"group": group, "login": login});
        assert_eq!(self.done("a1", "addMember", member.clone()).await["added"], true);
        assert_eq!(self.done("a2", "addMember", member.clone()).await["added"], false);
        let groups = self.done("a3", "listGroups", me.clone()).await;
        assert_eq!(groups["groups"][0]["name"], group.as_str());
        assert_eq!(self.done("l1", "lookup", me.clone()).await["user"]["groups"], json!([group]));
        let members = self.done("a5", "listMembers", json!({"group": group})).await;
        assert_eq!((&members["group"]["name"], &members["owner"]), (&json!(group), &json!(login)));
        let listed = members["members"].as_array().unwrap();
        assert_eq!(listed.len(), 1, "{members}");
        assert_eq!((&listed[0]["login"], &listed[0]["active"]), (&json!(login), &json!(true)));
        assert_eq!(self.done("r1", "removeMember", member.clone()).await["removed"], true, "the last member can go");
        assert_eq!(self.done("r2", "removeMember", member.clone()).await["removed"], false);
        assert_eq!(self.done("a6", "listMembers", json!({"group": group})).await["members"], json!([]));
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

async fn active_directory() -> Option<Directory> {
    directory("TEST_AD", "URL", json!({"flavour": "active-directory"})).await
}

#[tokio::test]
async fn active_directory_people_and_groups_live_their_whole_life() {
    if let Some(directory) = active_directory().await {
        directory.whole_life().await;
    }
}

#[tokio::test]
async fn active_directory_works_by_start_tls_too() {
    let more = json!({"flavour": "active-directory", "startTls": true});
    let Some(directory) = directory("TEST_AD", "START_TLS_URL", more).await else { return };
    let check = directory.bench.check("ldap", directory.settings.clone()).await;
    assert!(check.ok, "{check:?}");
}

#[tokio::test]
async fn active_directory_says_why_an_account_is_not_let_in() {
    let Some(directory) = active_directory().await else { return };
    let login = format!("svc{}", directory.tag);
    let me = json!({"login": login});
    let person = json!({"login": login, "name": format!("Service {}", directory.tag)});
    directory.done("c", "createUser", person).await;
    let as_it = async |password: &str| {
        let mut settings = directory.settings.clone();
        settings["bindDn"] = json!(format!("{login}@example.test"));
        settings["bindPassword"] = json!(password);
        directory.bench.check("ldap", settings).await
    };
    let refused = async |password: &str| {
        let (step, words) = failed_step(&as_it(password).await);
        assert_eq!(step, "sign-in", "{words}");
        words
    };
    // Without more, whoever has a new password must choose another one at once.
    let (once, long) = ("Th1s-is-long-enough", "An0ther-long-one!");
    directory.done("p1", "setPassword", json!({"login": login, "password": once})).await;
    assert!(refused(once).await.contains("must choose another password"));
    assert!(refused("wrong").await.contains("enter the password again"));
    directory.done("p2", "setPassword", json!({"login": login, "password": long, "mustChange": false})).await;
    let check = as_it(long).await;
    assert!(check.ok, "{check:?}");
    directory.done("d", "disableUser", me.clone()).await;
    assert!(refused(long).await.contains("enable it"));

    let weak = directory.call("p3", "setPassword", json!({"login": login, "password": "abc"})).await;
    let (status, words) = permanent(weak);
    assert_eq!(status, 422, "{words}");
    assert!(words.contains("choose a longer one"), "{words}");
    directory.done("z", "deleteUser", me).await;
}

#[tokio::test]
async fn who_may_only_read_an_active_directory_changes_nothing_in_it() {
    let Some(directory) = active_directory().await else { return };
    let mut settings = directory.settings.clone();
    settings["bindDn"] = json!("reader@example.test");
    directory.bench.connect("reading", "ldap", settings).await;
    let with = json!({"connection": "reading", "operation": "createUser", "login": "never", "name": "Never"});
    let Outcome::Permanent(error) = directory.bench.call("directory", "k", with).await else { panic!("it was made") };
    assert!(error.is(StandardError::Authorization), "{error}");
    assert!(error.to_string().contains("lacks the right"), "{error}");
    let with = json!({"connection": "reading", "operation": "lookup", "login": "never"});
    assert_eq!(done(directory.bench.call("directory", "k", with).await)["found"], false);
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

mod faults {
    //! What no directory that is in its right mind does.

    use std::sync::Arc;

    use rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer},
    };
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
        sync::Notify,
    };
    use tokio_rustls::{TlsAcceptor, server::TlsStream};

    use super::*;
    use crate::support::{greeting, retryable, unknown};

    /// What becomes of a question.
    #[derive(Clone)]
    enum Then {
        HangUp,
        Nonsense,
        Endless,
        Silence(Arc<Notify>),
    }

    /// A directory with a certificate for this name, in which one entry stands, or none. It answers so many questions, the
    /// sign-in among them.
    struct Odd {
        name: &'static str,
        entry: bool,
        answers: usize,
        then: Then,
    }

    impl Odd {
        /// The settings of a connection to it.
        async fn settings(self) -> Value {
            let made = rcgen::generate_simple_self_signed([self.name.to_owned()]).unwrap();
            let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
            let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![CertificateDer::from(made.cert.der().to_vec())], key)
                .unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("ldaps://{}", listener.local_addr().unwrap());
            let ca = made.cert.pem();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        self.serve(stream).await;
                    }
                }
            });
            json!({
                "url": url, "flavour": "active-directory", "baseDn": "DC=example,DC=test", "bindDn": "x", "bindPassword": "x",
                "ca": ca
            })
        }

        async fn serve(&self, mut stream: TlsStream<TcpStream>) {
            for _ in 0..self.answers {
                let Some((id, question)) = question(&mut stream).await else { return };
                let mut answer = Vec::new();
                // A search gets the entry `cn=x` first.
                if question == 0x63 && self.entry {
                    answer.extend([0x30, 13, 2, 1, id, 0x64, 8, 4, 4, b'c', b'n', b'=', b'x', 0x30, 0]);
                }
                // All is well with a sign-in, a search, a change, a new entry.
                let kind = match question {
                    0x63 => 0x65,
                    other => other + 1,
                };
                answer.extend([0x30, 12, 2, 1, id, kind, 7, 10, 1, 0, 4, 0, 4, 0]);
                stream.write_all(&answer).await.unwrap();
            }
            if question(&mut stream).await.is_none() {
                return;
            }
            match &self.then {
                Then::HangUp => {}
                Then::Nonsense => {
                    stream.write_all(b"\x04\x02no").await.ok();
                    // Until the other side has had enough.
                    stream.read_u8().await.ok();
                }
                Then::Endless => {
                    // An entry of 16 MiB.
                    stream.write_all(&[0x30, 0x84, 1, 0, 0, 0]).await.ok();
                    while stream.write_all(&[0; 4096]).await.is_ok() {}
                }
                Then::Silence(asked) => {
                    asked.notify_one();
                    stream.read_u8().await.ok();
                }
            }
        }
    }

    /// The number and the kind of a question.
    async fn question(stream: &mut TlsStream<TcpStream>) -> Option<(u8, u8)> {
        let _sequence = stream.read_u8().await.ok()?;
        let mut length = usize::from(stream.read_u8().await.ok()?);
        if length >= 0x80 {
            let mut digits = vec![0; length & 0x7f];
            stream.read_exact(&mut digits).await.ok()?;
            length = digits.iter().fold(0, |length, digit| length * 256 + usize::from(*digit));
        }
        let mut message = vec![0; length];
        stream.read_exact(&mut message).await.ok()?;
        // The number is an integer of one byte here.
        Some((message[2], message[3]))
    }

    async fn over(odd: Odd) -> Bench {
        let bench = Bench::new().await;
        bench.connect("it", "ldap", odd.settings().await).await;
        bench
    }

    fn with(operation: &str) -> Value {
        let mut with = json!({"connection": "it", "operation": operation, "login": "jdoe"});
        if operation == "createUser" {
            with["name"] = json!("Jane Doe");
        }
        with
    }

    /// Of a question, a change that may be repeated, and one that may not: whether there is an entry, and how many questions
    /// come before it.
    const CALLS: [(&str, bool, usize); 3] =
        [("lookup", false, 1), ("expirePassword", true, 2), ("createUser", false, 2)];

    async fn outcomes(then: Then) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for (operation, entry, answers) in CALLS {
            let bench = over(Odd { name: "127.0.0.1", entry, answers, then: then.clone() }).await;
            outcomes.push(bench.call("directory", "key", with(operation)).await);
        }
        outcomes
    }

    #[tokio::test]
    async fn a_lost_answer_leaves_open_what_may_have_happened() {
        let outcomes = outcomes(Then::HangUp).await;
        let [Outcome::Retryable(_), Outcome::Lost(_), Outcome::Unknown(error)] = &outcomes[..] else {
            panic!("{outcomes:?}")
        };
        assert!(error.to_string().contains("the connection to the directory broke"), "{error}");
    }

    #[tokio::test]
    async fn what_is_no_ldap_is_told_from_a_broken_connection() {
        let outcomes = outcomes(Then::Nonsense).await;
        let [Outcome::Permanent(error), Outcome::Lost(_), Outcome::Unknown(other)] = &outcomes[..] else {
            panic!("{outcomes:?}")
        };
        for error in [error, other] {
            assert!(error.to_string().contains("no LDAP; compare address and port"), "{error}");
        }
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_taken_in() {
        let outcomes = outcomes(Then::Endless).await;
        let [Outcome::Permanent(error), Outcome::Lost(_), Outcome::Unknown(other)] = &outcomes[..] else {
            panic!("{outcomes:?}")
        };
        for error in [error, other] {
            assert!(error.to_string().contains("larger than 5 MiB; narrow the base DN"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_call_that_is_stopped_may_have_happened() {
        for (operation, entry, answers) in CALLS {
            let asked = Arc::new(Notify::new());
            let bench = over(Odd { name: "127.0.0.1", entry, answers, then: Then::Silence(asked.clone()) }).await;
            let context = bench.context("key");
            let cancelled = context.cancelled.clone();
            tokio::spawn(async move {
                asked.notified().await;
                cancelled.cancel();
            });
            let outcome = bench.call_in("directory", with(operation), &context).await;
            match operation {
                "createUser" => assert!(unknown(outcome).contains("stopped")),
                _ => assert!(matches!(outcome, Outcome::Lost(_)), "{operation}: {outcome:?}"),
            }
            // The same at the deadline.
            let mut context = bench.context("key");
            context.deadline = Some(context.clock.now() + std::time::Duration::from_secs(1));
            let outcome = bench.call_in("directory", with(operation), &context).await;
            match operation {
                "createUser" => assert!(unknown(outcome).contains("longer than it may")),
                _ => assert!(matches!(outcome, Outcome::Lost(_)), "{operation}: {outcome:?}"),
            }
        }
    }

    #[tokio::test]
    async fn who_does_not_let_us_in_has_been_asked_for_nothing() {
        let silent = greeting(b"", false).await;
        let settings = json!({
            "url": format!("ldaps://127.0.0.1:{silent}"), "flavour": "openldap", "baseDn": "dc=example", "bindDn": "cn=x",
            "bindPassword": "x"
        });
        // One says nothing at all, and the other nothing to the sign-in.
        let mute = Odd { name: "127.0.0.1", entry: false, answers: 0, then: Then::Silence(Arc::default()) };
        for settings in [settings, mute.settings().await] {
            let bench = Bench::new().await;
            bench.connect("it", "ldap", settings).await;
            let mut context = bench.context("key");
            context.deadline = Some(context.clock.now() + std::time::Duration::from_millis(500));
            let words = retryable(bench.call_in("directory", with("createUser"), &context).await);
            assert!(words.contains("nothing was sent"), "{words}");
        }
    }

    #[tokio::test]
    async fn a_certificate_must_be_trusted_and_for_the_name() {
        let odd = |name| Odd { name, entry: false, answers: 1, then: Then::HangUp };
        let mut settings = odd("127.0.0.1").settings().await;
        settings.as_object_mut().unwrap().remove("ca");
        let bench = Bench::new().await;
        bench.connect("it", "ldap", settings.clone()).await;
        let words = retryable(bench.call("directory", "key", with("lookup")).await);
        assert!(words.contains("enter the CA"), "{words}");
        assert_eq!(failed_step(&bench.check("ldap", settings).await).0, "tls");
        let bench = over(odd("dc1.example.test")).await;
        let words = retryable(bench.call("directory", "key", with("createUser")).await);
        assert!(words.contains("use the name that it was issued for"), "{words}");
    }

    #[tokio::test]
    async fn what_is_no_directory_is_noticed_before_anything_is_said_to_it() {
        let bench = Bench::new().await;
        let settings = |scheme: &str, port: u16| {
            json!({
                "url": format!("{scheme}://127.0.0.1:{port}"), "startTls": scheme == "ldap", "flavour": "openldap",
                "baseDn": "dc=example", "bindDn": "cn=x", "bindPassword": "x"
            })
        };
        for (scheme, says, words) in [
            ("ldaps", &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "does not speak TLS"),
            ("ldap", b"HTTP/1.1 400 Bad Request\r\n\r\n", "no directory; compare address and port"),
            // Encryption is not available (52).
            ("ldap", b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00", "refuses StartTLS (code 52)"),
        ] {
            let port = greeting(says, false).await;
            let (step, said) = failed_step(&bench.check("ldap", settings(scheme, port)).await);
            assert_eq!(step, "tls", "{said}");
            assert!(said.contains(words), "{said}");
        }
    }
}

#[tokio::test]
async fn a_plan_says_what_would_change_and_changes_nothing() {
    let Some(directory) = openldap().await else { return };
    let (login, group) = (format!("pl{}", directory.tag), format!("plan{}", directory.tag));
    let plan = async |operation: &str, more: Value| {
        planned(directory.bench.plan("directory", Directory::with(operation, more)).await)
    };
    let person = json!({"login": login, "name": "Jane Doe", "familyName": "Doe", "email": "jane@example.test"});
    let (effect, _, fields) = plan("createUser", person.clone()).await;
    assert_eq!(effect, PlannedEffect::Changes);
    assert!(fields.iter().any(|field| field.starts_with(&format!("dn: - → uid={login},"))), "{fields:?}");
    assert!(fields.contains(&"mail: - → jane@example.test".to_owned()), "{fields:?}");
    assert_eq!(directory.done("n", "lookup", json!({"login": login})).await["found"], false, "nobody was created");

    directory.done("c", "createUser", person.clone()).await;
    directory.done("g", "createGroup", json!({"group": group})).await;
    let before = directory.done("l1", "lookup", json!({"login": login})).await;
    let (effect, words, _) = plan("createUser", person).await;
    assert!(effect == PlannedEffect::Fails && words.contains("there is already a person"), "{words}");
    let change = json!({"login": login, "email": "j@example.test", "familyName": "Doe", "attributes": {
        "telephoneNumber": ["1", "2"], "userPassword": "canary-password", "pwdHistory": "canary-history",
        "ms-Mcs-AdmPwd": "canary-laps"}});
    let (_, _, fields) = plan("modifyUser", change).await;
    assert!(fields.contains(&"mail: jane@example.test → j@example.test".to_owned()), "{fields:?}");
    assert!(fields.contains(&"telephoneNumber: - → 1; 2".to_owned()), "{fields:?}");
    for name in ["userPassword", "pwdHistory", "ms-Mcs-AdmPwd"] {
        let is_hidden = |field: &String| field.starts_with(&format!("{name}: ")) && field.ends_with(" → ‹hidden›");
        assert!(fields.iter().any(is_hidden), "{name}: {fields:?}");
    }
    assert!(!fields.concat().contains("canary") && fields.len() == 5, "{fields:?}");
    assert_eq!(plan("modifyUser", json!({"login": login, "familyName": "Doe"})).await.0, PlannedEffect::Nothing);
    assert_eq!(plan("disableUser", json!({"login": login})).await.2, ["active: true → false"]);
    let member = json!({"group": group, "login": login});
    assert_eq!(plan("addMember", member.clone()).await.0, PlannedEffect::Changes);
    directory.done("a", "addMember", member.clone()).await;
    let (effect, words, _) = plan("addMember", member.clone()).await;
    assert!(effect == PlannedEffect::Nothing && words.contains("is a member of"), "{words}");
    assert_eq!(plan("removeMember", member.clone()).await.0, PlannedEffect::Changes);
    assert_eq!(plan("deleteUser", json!({"login": login})).await.2, [format!("groups: {group} → -")]);
    assert_eq!(plan("deleteGroup", json!({"group": group})).await.0, PlannedEffect::Changes);
    assert_eq!(plan("addMember", json!({"group": "nobody's", "login": login})).await.0, PlannedEffect::Fails);

    directory.done("r", "removeMember", member).await;
    assert_eq!(directory.done("l2", "lookup", json!({"login": login})).await, before);
    directory.done("z1", "deleteUser", json!({"login": login})).await;
    directory.done("z2", "deleteGroup", json!({"group": group})).await;
}

#[tokio::test]
async fn a_directory_that_does_not_let_us_in_could_not_be_asked() {
    let Some(directory) = openldap().await else { return };
    let with = Directory::with("disableUser", json!({"login": "anybody"}));
    let mut wrong = directory.settings.clone();
    wrong["bindPassword"] = json!("canary-wrong");
    directory.bench.connect("directory", "ldap", wrong).await;
    let (effect, words, _) = planned(directory.bench.plan("directory", with.clone()).await);
    assert!(effect == PlannedEffect::Unasked && !words.contains("canary"), "{words}");
    let mut nobody = directory.settings.clone();
    nobody["url"] = json!(format!("ldap://127.0.0.1:{}", closed_port().await));
    directory.bench.connect("directory", "ldap", nobody).await;
    let (effect, words, _) = planned(directory.bench.plan("directory", with).await);
    assert!(effect == PlannedEffect::Unasked && words.starts_with("could not be asked because"), "{words}");
}
