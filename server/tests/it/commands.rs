use std::{
    fs,
    io::Write as _,
    process::{Output, Stdio},
};

use crate::server::{TestServer, complaint, printed, repository, rondo, run};

fn with_input(data: &std::path::Path, arguments: &[&str], input: &str) -> Output {
    let mut child = rondo()
        .args(arguments)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[tokio::test]
async fn people_are_created_and_sign_in() {
    let server = TestServer::start(tempfile::tempdir().unwrap(), &[]);
    let data = server.data();
    let arguments = [
        "user",
        "add",
        "ada",
        "--name",
        "Ada Lovelace",
        "--role",
        "administrator",
        "--role",
        "operator@identity",
        "--password-stdin",
    ];
    let output = with_input(data, &arguments, "correct horse battery\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(server.sign_in("ada", "correct horse battery").await.is_some());

    let link = printed(data, &["user", "add", "ben", "--name", "Ben", "--manager", "ada"]);
    assert!(link.contains("/link/"), "{link}");
    assert!(complaint(&run(data, &["user", "add", "ada", "--name", "Other"])).contains("this sign-in name is taken"));
    assert!(
        complaint(&run(data, &["user", "add", "eve", "--name", "Eve", "--role", "king"])).contains("the roles are")
    );
    let weak = with_input(data, &["user", "passwd", "ada", "--password-stdin"], "short\n");
    assert!(complaint(&weak).contains("password"));
    let output = with_input(data, &["user", "passwd", "ada", "--password-stdin"], "another horse battery\n");
    assert!(output.status.success());
    assert!(server.sign_in("ada", "correct horse battery").await.is_none());
    let list = printed(data, &["user", "list"]);
    assert!(list.contains("ada\tAda Lovelace") && list.contains("ben\tBen\t\tada\tactive"), "{list}");

    let token = server.token("ada");
    assert!(token.starts_with("rondo_") && !token.contains(char::is_whitespace));
    let me = server.get("/me", &token).await;
    assert_eq!(me["grants"].as_array().unwrap().len(), 2);
    assert!(complaint(&run(data, &["token", "create", "--user", "nobody"])).contains("nobody"));
    assert!(complaint(&run(data, &["token", "create", "--user", "ada", "--expires", "soon"])).contains("P30D"));
}

#[tokio::test]
async fn an_export_of_the_audit_log_is_sound_until_it_is_altered() {
    let server = TestServer::demo();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let path = file.to_str().unwrap();
    server.token("staff");
    printed(server.data(), &["audit", "export", "--out", path]);
    let verdict = printed(folder.path(), &["audit", "verify", path]);
    assert!(verdict.starts_with("sound: "), "{verdict}");
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("\"token.create\"") && text.contains("\"cli\"") && text.contains("\"audit.export\""),
        "{text}"
    );
    assert_eq!(printed(server.data(), &["audit", "export"]).lines().count(), text.lines().count() + 1);

    fs::write(&file, text.replacen("demonstration.load", "demonstration.lost", 1)).unwrap();
    let output = run(folder.path(), &["audit", "verify", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("line "), "{output:?}");

    let response = server.rest(reqwest::Method::GET, "/audit/entries?format=jsonl", &server.token("auditor"));
    let response = response.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/jsonl");
    fs::write(&file, response.bytes().await.unwrap()).unwrap();
    assert!(printed(folder.path(), &["audit", "verify", path]).starts_with("sound: "));
    let csv = server.rest(reqwest::Method::GET, "/audit/entries?format=csv", &server.token("auditor"));
    assert!(csv.send().await.unwrap().text().await.unwrap().starts_with("\"seq\","));
}

#[tokio::test]
async fn a_backup_taken_beside_a_server_restores_everything() {
    let server = TestServer::demo();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup.tar");
    let path = file.to_str().unwrap();
    printed(server.data(), &["backup", path]);
    assert!(complaint(&run(server.data(), &["backup", path])).contains("must not exist"));
    let restored = tempfile::tempdir().unwrap();
    printed(restored.path(), &["restore", path]);
    assert!(complaint(&run(restored.path(), &["restore", path])).contains("there is a database"));
    let doctor = printed(restored.path(), &["doctor"]);
    assert!(!doctor.contains("failed"), "{doctor}");
    let copy = TestServer::start(restored, &[]);
    assert!(copy.sign_in("staff", "rondo-demo-staff").await.is_some());
    let elsewhere = rondo().args(["backup", path]).env("DATABASE_URL", "postgres://u:secret@h/d").output().unwrap();
    assert_eq!(elsewhere.status.code(), Some(2));
    assert!(complaint(&elsewhere).contains("pg_dump") && !complaint(&elsewhere).contains("secret"));
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    let output = run(data.path(), &["doctor"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("`rondo migrate` makes it"));
    printed(data.path(), &["migrate"]);
    let healthy = printed(data.path(), &["doctor"]);
    for what in ["data directory", "database", "migrations", "key", "audit log", "workflows", "mail"] {
        assert!(healthy.contains(&format!("ok      {what}")), "{what}: {healthy}");
    }
    fs::write(data.path().join("rondo.toml"), "[mail]\nhost = \"127.0.0.1\"\nport = 1\n").unwrap();
    let output = run(data.path(), &["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("check mail.host and mail.port"));
}

#[test]
fn definitions_are_tested_and_nothing_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hello.yaml");
    let test = |expected: &str| {
        let text = format!(
            "document:\n  dsl: 1.0.3\n  namespace: test\n  name: hello\n  version: 1.0.0\n  metadata:\n    rondo:\n      tests:\n        \
             - {{title: It says so, expect: {{output: {expected}}}}}\ndo:\n  - tell: {{call: http, with: {{method: post, \
             endpoint: 'http://127.0.0.1:9/'}}}}\n  - say: {{set: '${{ \"so\" }}'}}\n"
        );
        std::fs::write(&file, text).unwrap();
        let output = run(folder.path(), &["test", file.to_str().unwrap()]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let path = file.display();
    assert_eq!(test("so"), (Some(0), format!("passed: {path}: It says so\n")));
    let failed = format!("{path}:9:11: failed: It says so: expected the output \"no\", but it is \"so\"\n");
    assert_eq!(test("no"), (Some(1), failed));
    assert_eq!(test("}").0, Some(2));
}

#[test]
fn definitions_are_checked_with_file_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.yaml");
    fs::write(
        &broken,
        "document:\n  dsl: 1.0.3\n  namespace: x\n  name: y\n  version: 1.0.0\ndo:\n  - a:\n      cal: http\n",
    )
    .unwrap();
    let output = run(folder.path(), &["validate", broken.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let words = String::from_utf8(output.stdout).unwrap();
    let place = words.strip_prefix(&format!("{}:", broken.display())).unwrap_or_else(|| panic!("{words}"));
    let mut numbers = place.splitn(3, ':');
    assert!(
        numbers.next().unwrap().parse::<u32>().is_ok() && numbers.next().unwrap().parse::<u32>().is_ok(),
        "{words}"
    );

    let shipped = repository().join("workflows/identity/onboard-employee.yaml");
    let output = run(folder.path(), &["validate", shipped.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(run(folder.path(), &["validate", "/no/such/file"]).status.code(), Some(2));
}

#[test]
fn calls_of_the_specification_are_known_or_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let validate = |call: &str| {
        let file = folder.path().join("call.yaml");
        let document = "document: {dsl: 1.0.3, namespace: tests, name: call, version: 1.0.0}";
        fs::write(&file, format!("{document}\ndo:\n  - one: {call}\n")).unwrap();
        let output = run(folder.path(), &["validate", file.to_str().unwrap()]);
        let words = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), words.replace(&format!("{}:", file.display()), ""))
    };
    let service = "proto: {endpoint: file://app/greet.proto}, service: {name: Greeter, host: localhost, port: 5011}";
    let document = "document: {endpoint: https://fake.com/docs/asyncapi.json}, operation: chat";
    for call in [
        format!("{{call: grpc, with: {{{service}, method: SayHello, arguments: {{name: '${{ .name }}'}}}}}}"),
        "{call: mcp, with: {method: tools/list, transport: {http: {endpoint: '${ .server }'}}}}".to_owned(),
        format!("{{call: asyncapi, with: {{{document}, message: {{payload: {{id: '${{ .id }}'}}}}}}}}"),
        format!("{{call: asyncapi, with: {{{document}, subscription: {{consume: {{while: '${{ true }}'}}}}}}}}"),
    ] {
        let (code, words) = validate(&call);
        assert_eq!(code, Some(0), "{call}: {words}");
    }
    for (call, expected) in [
        (
            "{call: mcp, with: {method: tools/list, transport: {stdio: {command: '${ .program }'}}}}",
            "3:68: `with` of “mcp”: a server that talks over its standard input is a program",
        ),
        ("{call: a2a, with: {method: tasks/list, server: https://agent.test}}", "3:17: “a2a” cannot be called here:"),
    ] {
        let (code, words) = validate(call);
        assert!(code == Some(2) && words.contains(expected) && words.lines().count() == 1, "{words}");
    }
    let kafka = format!("{{call: asyncapi, with: {{{document}, protocol: kafka, message: {{payload: 1}}}}}}");
    let (code, words) = validate(&kafka);
    assert!(code == Some(2) && words.contains("kafka") && words.contains("mqtt"), "{words}");
}
