//! Secrets are planted in every place that takes one, and then looked for wherever anybody could find them: on the disk, in the
//! log of the server, in answers, errors, exports, pages, metrics.

use std::{collections::BTreeSet, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{TestServer, rondo};

/// All planted secrets begin so. No other text does, and none of it is changed by JSON, URLs or HTML.
const CANARY: &str = "canary9c41";

/// A secret for one place.
fn canary(place: &str) -> String {
    format!("{CANARY}{}", place.replace(|character: char| !character.is_ascii_alphanumeric(), "x"))
}

/// What a text must not hold: a planted secret as it is, or in base64 from any of the three places at which it can begin.
fn planted() -> Vec<Vec<u8>> {
    let shifted = (0..3).map(|shift| {
        let text = STANDARD.encode([vec![b'.'; shift], CANARY.as_bytes().to_vec()].concat());
        // Without the ends, which depend on what is beside it.
        text.trim_end_matches('=').as_bytes()[shift + 1..text.len() - 4].to_vec()
    });
    shifted.chain([CANARY.as_bytes().to_vec()]).collect()
}

fn holds(content: &[u8]) -> bool {
    planted().iter().any(|secret| content.windows(secret.len()).any(|window| window == secret))
}

fn files_that_hold(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_that_hold(&path));
        } else if holds(&std::fs::read(&path).unwrap()) {
            found.push(path.display().to_string());
        }
    }
    found
}

/// Connections with a secret in each place that their schemas have for one: kind and settings.
fn connections() -> Vec<(&'static str, Value)> {
    let ldap = json!({
        "url": "ldap://127.0.0.1:9", "flavour": "openldap", "baseDn": "dc=example", "bindDn": "cn=portal,dc=example",
        "bindPassword": canary("ldap"), "clientCertificate": "none", "clientKey": canary("key of ldap"),
    });
    let scim_token = json!({
        "baseUrl": "http://127.0.0.1:9", "token": canary("scimtoken"), "clientCertificate": "none",
        "clientKey": canary("key of scim"),
    });
    let scim = json!({"baseUrl": "http://127.0.0.1:9", "username": "portal", "password": canary("scim")});
    let smtp = json!({
        "host": "127.0.0.1", "port": 9, "encryption": "none", "username": "portal", "password": canary("smtp"),
        "from": "portal@example.test", "clientCertificate": "none", "clientKey": canary("key of smtp"),
    });
    let imap = json!({
        "host": "127.0.0.1", "port": 9, "username": "portal", "password": canary("imap"), "clientCertificate": "none",
        "clientKey": canary("key of imap"),
    });
    let basic = json!({"baseUrl": "http://127.0.0.1:9", "username": "portal", "password": canary("http")});
    let bearer = json!({
        "baseUrl": "http://127.0.0.1:9", "token": canary("bearer"),
        "clientCertificate": "none", "clientKey": canary("key of http"),
    });
    let database = |kind: &str| {
        json!({
            "host": "127.0.0.1", "port": 9, "database": "stock", "user": "portal", "password": canary(kind),
            "clientCertificate": "none", "clientKey": canary(&format!("key of {kind}")),
        })
    };
    let ssh = json!({
        "host": "127.0.0.1", "port": 9, "hostKeys": ["SHA256:nobody"], "user": "portal", "password": canary("ssh"),
        "privateKey": canary("key"), "passphrase": canary("passphrase"), "jumpHost": "127.0.0.1", "jumpUser": "portal",
        "jumpHostKeys": ["SHA256:nobody"], "jumpPassword": canary("jump"), "jumpPrivateKey": canary("jumpkey"),
        "jumpPassphrase": canary("jumppassphrase"),
    });
    let aws = json!({
        "region": "eu-central-1", "accessKey": "AK", "secretKey": canary("aws"), "sessionToken": canary("awstoken"),
        "endpoint": "http://127.0.0.1:9", "clientCertificate": "none", "clientKey": canary("key of aws"),
    });
    let s3 = json!({
        "region": "us-east-1", "accessKey": "AK", "secretKey": canary("s3"), "sessionToken": canary("s3token"),
        "endpoint": "http://127.0.0.1:9", "clientCertificate": "none", "clientKey": canary("key of s3"),
    });
    let dns = json!({
        "server": "127.0.0.1", "port": 9, "zones": ["zone.test"], "keyName": "key", "keySecret": canary("dns"),
    });
    let ticket = json!({
        "flavour": "glpi", "baseUrl": "http://127.0.0.1:9", "username": "portal", "password": canary("ticket"),
        "token": canary("tickettoken"), "appToken": canary("ticketapp"),
        "clientCertificate": "none", "clientKey": canary("key of ticket"),
    });
    let chat = json!({
        "flavour": "slack", "url": format!("http://127.0.0.1:9/{}", canary("chat")),
        "clientCertificate": "none", "clientKey": canary("key of chat"),
    });
    let git = json!({
        "url": "http://127.0.0.1:9/code.git", "username": "portal", "password": canary("git"),
        "clientCertificate": "none", "clientKey": canary("key of git"),
    });
    let mut device = ssh.clone();
    device["enableSecret"] = json!(canary("enable"));
    let restconf = json!({
        "baseUrl": "http://127.0.0.1:9/restconf", "username": "portal", "password": canary("restconf"),
        "token": canary("restconftoken"), "clientCertificate": "none", "clientKey": canary("key of restconf"),
    });
    let nats = json!({
        "host": "127.0.0.1", "port": 9, "username": "portal", "password": canary("nats"), "token": canary("natstoken"),
        "clientCertificate": "none", "clientKey": canary("key of nats"),
    });
    let docker = json!({
        "address": "https://127.0.0.1:9", "registry": "registry.test", "registryUser": "portal",
        "registryPassword": canary("registry"), "clientCertificate": "none", "clientKey": canary("key of docker"),
    });
    let kubernetes = json!({
        "server": "https://127.0.0.1:9", "token": canary("kubernetes"), "clientCertificate": "none",
        "clientKey": canary("key of kubernetes"),
    });
    vec![
        ("netconf", ssh.clone()),
        ("device", device),
        ("restconf", restconf),
        ("ldap", ldap),
        ("scim", scim_token),
        ("scim", scim),
        ("smtp", smtp),
        ("imap", imap),
        ("http", basic),
        ("http", bearer),
        ("postgresql", database("postgresql")),
        ("mysql", database("mysql")),
        ("ssh", ssh),
        ("aws", aws),
        ("s3", s3),
        ("dns", dns),
        ("chat", chat),
        ("ticket", ticket),
        ("git", git),
        ("nats", nats),
        ("docker", docker),
        ("kubernetes", kubernetes),
    ]
}

/// The secrets that the schemas of connections have a place for, as `kind.property`.
async fn secrets_of_connections(server: &TestServer, admin: &str) -> BTreeSet<String> {
    let kinds = server.get("/connection-kinds", admin).await;
    let mut secrets = BTreeSet::new();
    for kind in kinds["items"].as_array().unwrap() {
        let properties = kind["schema"]["properties"].as_object().into_iter().flatten();
        let marked = properties.filter(|(_, schema)| schema["writeOnly"] == true);
        secrets.extend(marked.map(|(name, _)| format!("{}.{name}", kind["name"].as_str().unwrap())));
    }
    secrets
}

struct Found(Vec<String>);

impl Found {
    fn look(&mut self, place: &str, content: &[u8]) {
        if holds(content) {
            self.0.push(format!("{place}: {}", String::from_utf8_lossy(content)));
        }
    }
}

async fn plant(server: &TestServer, admin: &str, found: &mut Found) {
    let send = async |method: Method, path: &str, token: &str, body: Value| {
        let answer = server.rest(method, path, token).json(&body).send().await.unwrap();
        (answer.status(), answer.bytes().await.unwrap())
    };
    let owner = json!({"kind": "user", "id": server.get("/me", admin).await["id"]});
    let mut planted = BTreeSet::new();
    for (number, (kind, settings)) in connections().into_iter().enumerate() {
        let secrets = settings.as_object().unwrap().iter().filter(|(_, value)| holds(value.to_string().as_bytes()));
        let secrets: Vec<_> = secrets.map(|(name, _)| name.clone()).collect();
        planted.extend(secrets.iter().map(|name| format!("{kind}.{name}")));
        let body = |settings: &Value| json!({"name": format!("{kind}-{number}"), "kind": kind, "settings": settings, "namespaces": ["*"], "owner": owner});
        let (status, answer) = send(Method::POST, "/connections", admin, body(&settings)).await;
        assert_eq!(status, StatusCode::CREATED, "{kind}: {}", String::from_utf8_lossy(&answer));
        found.look(&format!("creating a connection of kind {kind}"), &answer);
        let created: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(created["state"], "failing", "it was tried out, and kept: {created}");
        let listed = server.get("/connections?state=failing", admin).await;
        assert!(listed["items"].as_array().unwrap().iter().any(|one| one["id"] == created["id"]), "{listed}");
        let mut nobodys = body(&settings);
        nobodys.as_object_mut().unwrap().remove("owner");
        let (status, answer) = send(Method::POST, "/connections", admin, nobodys).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "a connection needs an owner");
        let problem: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(problem["errors"][0]["pointer"], "/owner", "{problem}");
        let path = format!("/connections/{}/test", created["id"].as_str().unwrap());
        found.look(
            &format!("testing a connection of kind {kind}"),
            &send(Method::POST, &path, admin, json!({})).await.1,
        );
        // Wrong as a whole: what is said of it must not repeat it.
        let mut wrong = settings.clone();
        wrong["nonsense"] = json!(1);
        for secret in &secrets {
            wrong[secret] = json!({"nested": canary("wrong")});
        }
        let (status, answer) = send(Method::POST, "/connections", admin, body(&wrong)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{kind}");
        found.look(&format!("a wrong connection of kind {kind}"), &answer);
    }
    assert_eq!(planted, secrets_of_connections(server, admin).await, "every secret of a connection has its canary");

    let value = json!({"value": {"user": "robot", "password": canary("secret")}});
    let (status, answer) = send(Method::PUT, "/secrets/identity/robot", admin, value).await;
    assert_eq!(status, StatusCode::OK);
    found.look("a secret of a namespace", &answer);
    let repository = json!({
        "url": "http://127.0.0.1:9/definitions.git", "branch": "main", "account": "robot",
        "password": canary("repository"), "hookSecret": canary("hook of a repository"),
    });
    let (status, answer) = send(Method::PUT, "/repositories/identity/definitions", admin, repository).await;
    assert!(status.is_success(), "{status} {}", String::from_utf8_lossy(&answer));
    found.look("a repository", &answer);
    found.look(
        "a look at a repository",
        &send(Method::POST, "/repositories/identity/definitions/sync", admin, json!({})).await.1,
    );

    for login in ["staff", "nobody-of-this-name"] {
        assert_eq!(server.sign_in(login, &canary("password")).await, None);
    }
    let wrong = server.rest(Method::GET, "/me", &format!("rondo_{}", canary("token"))).send().await.unwrap();
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    found.look("a wrong token", &wrong.bytes().await.unwrap());
}

/// Changes the password in the portal, first with a wrong one; gives the cookie of who did.
async fn change_password(server: &TestServer, found: &mut Found) -> String {
    let cookie = server.sign_in("staff", &demo_password(server, "staff")).await.unwrap();
    for (current, is_right) in [(canary("current"), false), (demo_password(server, "staff"), true)] {
        let new = canary("a new password with words");
        let form = [("current", current.as_str()), ("password", &new), ("repeated", &new)];
        let request = server.client.post(server.at("/ui/change-password")).header("origin", &server.url).form(&form);
        let answer = request.header("cookie", &cookie).header("accept", "application/json").send().await.unwrap();
        let (status, answer) = (answer.status(), answer.bytes().await.unwrap());
        assert_eq!(status.is_success(), is_right, "{status} {}", String::from_utf8_lossy(&answer));
        found.look("a change of the password", &answer);
    }
    server.sign_in("staff", &canary("a new password with words")).await.unwrap()
}

/// As the server printed it.
fn demo_password(server: &TestServer, login: &str) -> String {
    let line = server.greeting.iter().find_map(|line| line.trim_start().strip_prefix(login)).unwrap();
    line.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planted_secrets_are_found_nowhere() {
    let data = tempfile::tempdir().unwrap();
    let mut command = rondo();
    command.args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"]).arg(data.path());
    command.env("RONDO_MAIL_HOST", "127.0.0.1").env("RONDO_MAIL_PORT", "9").env("RONDO_MAIL_ENCRYPTION", "none");
    command.env("RONDO_MAIL_USER", "portal").env("RONDO_MAIL_PASSWORD", canary("mail"));
    let receiver = "[[audit.receiver]]\nname = \"siem\"\nkind = \"http\"\naddress = \"http://127.0.0.1:9/\"\nsecret_variable = \"SIEM\"\n";
    std::fs::write(data.path().join("rondo.toml"), receiver).unwrap();
    command.env("SIEM", canary("receiver"));
    let server = TestServer::spawn(command, data);
    let (admin, auditor, staff) = (server.token("admin"), server.token("auditor"), server.token("staff"));
    let mut found = Found(Vec::new());
    plant(&server, &admin, &mut found).await;
    let cookie = change_password(&server, &mut found).await;
    // Mails that cannot be sent wait on the disk.
    server.launch(&staff, "Ada").await;

    // Secrets that the server gives out once.
    let request = server.rest(Method::POST, "/me/tokens", &staff).header("idempotency-key", "once");
    let created: Value = request.json(&json!({"name": "Nightly report"})).send().await.unwrap().json().await.unwrap();
    let session = cookie.split('=').nth(1).unwrap();
    let given_out = [created["secret"].as_str().unwrap(), session, &admin, &auditor];

    for (path, token) in [
        ("/connections", &admin),
        ("/secrets", &admin),
        ("/repositories", &admin),
        ("/repositories/identity/definitions", &admin),
        ("/me/tokens", &staff),
        ("/audit/entries?limit=200", &auditor),
        ("/audit/entries?format=jsonl", &auditor),
        ("/audit/entries?format=csv", &auditor),
        ("/audit/evidence", &auditor),
        ("/audit/receivers", &auditor),
    ] {
        let answer = server.rest(Method::GET, path, token).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let content = answer.bytes().await.unwrap();
        assert!(!content.is_empty());
        found.look(path, &content);
    }
    let admin_cookie = server.sign_in("admin", &demo_password(&server, "admin")).await.unwrap();
    for page in ["/admin/connections", "/admin/connections?tab=secrets", "/repositories", "/admin/people", "/metrics"] {
        let answer = server.client.get(server.at(page)).header("cookie", &admin_cookie).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{page}");
        found.look(page, &answer.bytes().await.unwrap());
    }
    let (data, status) = server.stop();
    assert!(status.success());
    assert_eq!(found.0, Vec::<String>::new());
    assert_eq!(files_that_hold(data.path()), Vec::<String>::new());
    for secret in given_out {
        assert!(secret.len() > 20, "this is no secret");
        let database = std::fs::read(data.path().join("rondo.sqlite")).unwrap();
        assert!(
            !database.windows(secret.len()).any(|window| window == secret.as_bytes()),
            "{secret} is in the database"
        );
    }
    let log = std::fs::read(data.path().join("server.log")).unwrap();
    assert!(holds(canary("itself").as_bytes()) && holds(STANDARD.encode(format!("a:{}", canary("x"))).as_bytes()));
    assert!(!log.is_empty());
}
