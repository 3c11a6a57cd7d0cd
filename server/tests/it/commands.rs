use std::{
    fs,
    io::Write as _,
    process::{Command, Output, Stdio},
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
async fn runners_are_enrolled_listed_drained_and_removed_in_the_name_of_a_person() {
    let server = TestServer::demo();
    let data = server.data();
    let enrol = |name: &'static str, user: &'static str| {
        ["runners", "enrol", name, "--label", "linux", "--label", "dmz", "--namespace", "network", "--user", user]
    };
    let token = printed(data, &enrol("dmz-1", "admin"));
    assert!(token.starts_with("rondo_runner_") && token.lines().count() == 1, "{token}");
    // The running server knows it, and whose it is.
    let admin = server.token("admin");
    let listed = server.get("/runners", &admin).await;
    assert_eq!(listed["items"][0]["createdBy"]["login"], "admin", "{listed}");
    let hello = serde_json::json!({"protocol": 1, "instance": "one", "version": "0.0.0", "capacity": 4});
    let session = server.rest(reqwest::Method::POST, "/runner/session", token.trim()).json(&hello);
    assert_eq!(session.send().await.unwrap().status(), 200);
    let line = printed(data, &["runners", "list"]);
    assert!(line.starts_with("dmz-1\tonline\tdmz,linux\tnetwork\t0.0.0\t0/4\t"), "{line}");

    assert!(complaint(&run(data, &enrol("dmz-1", "admin"))).contains("choose another name"));
    assert!(complaint(&run(data, &enrol("dmz-2", "nobody"))).contains("nobody has the sign-in name nobody"));
    // Whoever may not do it in the portal may not be named for it here.
    complaint(&run(data, &enrol("dmz-2", "staff")));
    complaint(&run(data, &["runners", "drain", "dmz-1", "--user", "staff"]));
    printed(data, &["runners", "drain", "dmz-1", "--user", "admin"]);
    assert!(printed(data, &["runners", "list"]).contains("\tdraining\t"));
    printed(data, &["runners", "disable", "dmz-1", "--user", "admin"]);
    let refused = server.rest(reqwest::Method::POST, "/runner/session", token.trim()).json(&hello);
    assert_eq!(refused.send().await.unwrap().status(), 403);
    printed(data, &["runners", "enable", "dmz-1", "--user", "admin"]);
    printed(data, &["runners", "remove", "dmz-1", "--user", "admin"]);
    assert_eq!(printed(data, &["runners", "list"]), "");
    let entries = server.get("/audit/entries?action=runner&limit=50", &server.token("auditor")).await;
    let by: Vec<_> = entries["items"].as_array().unwrap().iter().filter(|entry| entry["outcome"] == "done").collect();
    assert_eq!(by.len(), 5, "{entries}");
    assert!(by.iter().all(|entry| entry["door"] == "cli" && entry["actor"] == "admin"), "{entries}");
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
    let entries = |text: &str| text.lines().filter(|line| line.starts_with("{\"body\"")).count();
    assert_eq!(entries(&printed(server.data(), &["audit", "export"])), entries(&text) + 1);

    fs::write(&file, text.replacen("demonstration.load", "demonstration.lost", 1)).unwrap();
    let output = run(folder.path(), &["audit", "verify", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("line "), "{output:?}");

    let auditor = server.token("auditor");
    let response = server.rest(reqwest::Method::GET, "/audit/entries?format=jsonl", &auditor);
    let response = response.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/jsonl");
    fs::write(&file, response.bytes().await.unwrap()).unwrap();
    assert!(printed(folder.path(), &["audit", "verify", path]).starts_with("sound: "));
    let csv = server.rest(reqwest::Method::GET, "/audit/entries?format=csv", &auditor);
    assert!(csv.send().await.unwrap().text().await.unwrap().starts_with("\"seq\","));
}

/// What an auditor does: notes the key and a checkpoint, comes back, and needs nothing of the server but what it gives.
#[tokio::test]
async fn an_auditor_proves_the_log_without_trusting_the_server() {
    let server = TestServer::demo();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let auditor = server.token("auditor");
    let key = file("key", &printed(server.data(), &["audit", "key"]));
    let noted = server.get("/audit/checkpoint", &auditor).await;
    let checkpoint = file("noted", noted["checkpoint"].as_str().unwrap());

    let proof = server.get("/audit/entries/2/proof", &auditor).await;
    let proof_file = file("proof.json", &serde_json::to_string_pretty(&proof).unwrap());
    let proved = printed(folder.path(), &["audit", "verify", &proof_file, "--key", &key]);
    assert!(proved.starts_with("sound: entry 2 "), "{proved}");
    let altered = file("altered.json", &proof.to_string().replacen("\"done\"", "\"failed\"", 1));
    assert_eq!(run(folder.path(), &["audit", "verify", &altered]).status.code(), Some(1));
    let from = noted["size"].as_u64().unwrap();
    let growth = server.get(&format!("/audit/consistency?from={from}"), &auditor).await;
    assert_eq!((growth["fromRoot"].as_str(), growth["to"].as_u64() > Some(from)), (noted["root"].as_str(), true));

    let rotated = printed(server.data(), &["audit", "rotate-key"]);
    assert_ne!(rotated, fs::read_to_string(&key).unwrap());
    let export = printed(server.data(), &["audit", "export"]);
    let lines: Vec<_> = export.split_inclusive('\n').collect();
    let entry = lines.iter().position(|line| line.starts_with("{\"body\"")).unwrap();
    let without = |left_out: usize| {
        let rest = lines.iter().enumerate().filter(|(index, _)| *index != left_out).map(|(_, line)| *line);
        rest.collect::<String>()
    };
    let swapped = {
        let mut lines = lines.clone();
        lines.swap(entry, entry + 1);
        lines.concat()
    };
    // The end cut off, with everything that tells of it: the last entries and checkpoints, and a last line that fits.
    let cut = {
        let first = lines.iter().position(|line| line.starts_with("{\"checkpoint\"")).unwrap();
        let entries = lines[..first].iter().filter(|line| line.starts_with("{\"body\"")).count();
        let note: serde_json::Value = serde_json::from_str(lines[first]).unwrap();
        let signed = ledger::checkpoint::unverified(note["checkpoint"].as_str().unwrap()).unwrap();
        let root = ledger::tree::text(&signed.root);
        let last = serde_json::json!({"entries": entries, "checkpoints": 1, "root": root});
        lines[..=first].concat() + &format!("{last}\n")
    };
    // What stands beside the first body that somebody is named in.
    let beside = |alter: &dyn Fn(&mut serde_json::Map<String, serde_json::Value>)| {
        let mut lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
        let line = lines.iter_mut().find(|line| line.contains("},\"personal\":{\"/actor/login\"")).unwrap();
        let mut entry: serde_json::Value = serde_json::from_str(line).unwrap();
        alter(entry["personal"].as_object_mut().unwrap());
        *line = format!("{entry}\n");
        lines.concat()
    };
    let erased = beside(&|values| values.clear());
    let another = beside(&|values| values["/actor/login"]["value"] = "somebody else".into());
    let exchanged = beside(&|values| {
        let (login, address) = (values["/actor/login"].clone(), values["/address"].clone());
        values.insert("/actor/login".to_owned(), address);
        values.insert("/address".to_owned(), login);
    });
    let added = beside(&|values| drop(values.insert("/detail/name".to_owned(), values["/actor/login"].clone())));
    let other = TestServer::demo();
    let other_key = file("other-key", &printed(other.data(), &["audit", "key"]));
    for (name, text, key, expected) in [
        ("sound", export.clone(), &key, 0),
        ("erased", erased, &key, 0),
        ("another person", another, &key, 1),
        ("exchanged", exchanged, &key, 1),
        ("added", added, &key, 1),
        ("altered", export.replacen("demonstration.load", "demonstration.lost", 1), &key, 1),
        ("deleted", without(entry), &key, 1),
        ("inserted", lines[..=entry].concat() + &lines[entry..].concat(), &key, 1),
        ("swapped", swapped, &key, 1),
        ("truncated", lines[..lines.len() - 1].concat(), &key, 1),
        ("cut", cut, &key, 1),
        ("of another log", printed(other.data(), &["audit", "export"]), &key, 1),
        ("other key", export.clone(), &other_key, 1),
    ] {
        let path = file("export.jsonl", &text);
        let arguments = ["audit", "verify", &path, "--key", key, "--checkpoint", &checkpoint];
        let ours = run(folder.path(), &arguments);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_export.py");
        let theirs = Command::new("python3").arg(script).args(&arguments[2..]).output().unwrap();
        let said = format!("{name}: {ours:?}\n{theirs:?}");
        assert_eq!((ours.status.code(), theirs.status.code()), (Some(expected), Some(expected)), "{said}");
        for output in [&ours, &theirs] {
            let words = String::from_utf8_lossy(&output.stdout);
            assert!(words.contains("integrity: ") && words.contains("completeness: "), "{said}");
            assert_eq!(words.contains("are missing"), name == "cut", "{said}");
        }
    }
}

/// A segment is an evidence pack. What a pack has of an export is left out of it here, as if it had been archived.
#[tokio::test]
async fn an_export_is_proved_together_with_its_archive() {
    let server = TestServer::demo();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let auditor = server.token("auditor");
    let pack = server.rest(reqwest::Method::GET, "/audit/evidence?action=demonstration", &auditor);
    let pack = pack.send().await.unwrap().bytes().await.unwrap();
    let segment = file("change-1.tar", &pack);
    let proved: Vec<u64> = {
        let manifest = service::read_pack(&*pack).unwrap().manifest;
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        manifest["entries"].as_array().unwrap().iter().map(|seq| seq.as_u64().unwrap()).collect()
    };
    let archived = |shift: usize| {
        let lines = printed(server.data(), &["audit", "export"]);
        let lines: Vec<_> =
            lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect();
        let entries = || lines.iter().filter(|line| line.get("body").is_some());
        let line = |line: &serde_json::Value| match line.pointer("/body/seq").and_then(serde_json::Value::as_u64) {
            Some(seq) if proved.contains(&seq) => {
                let hash = &entries().nth(usize::try_from(seq).unwrap() - 1 + shift).unwrap()["hash"];
                format!("{{\"archived\":{{\"seq\":{seq},\"segment\":\"change-1.tar\"}},\"hash\":{hash}}}\n")
            }
            _ => format!("{line}\n"),
        };
        lines.iter().map(line).collect::<String>()
    };
    let other = TestServer::demo();
    let other_pack = other.rest(reqwest::Method::GET, "/audit/evidence?action=demonstration", &other.token("auditor"));
    let other_pack = other_pack.send().await.unwrap().bytes().await.unwrap();
    let (sound, altered) = (file("sound.jsonl", archived(0).as_bytes()), file("altered.jsonl", archived(1).as_bytes()));
    fs::create_dir(folder.path().join("other")).unwrap();
    let of_another = file("other/change-1.tar", &other_pack);
    let nothing_in_it = file("nothing.tar", &[0; 1024]);
    for (what, export, segment, code, words) in [
        ("without", &sound, None, 0, "were not seen"),
        ("with", &sound, Some(&segment), 0, "the given segments hold every one of them, unaltered"),
        ("another hash", &altered, None, 1, "integrity: broken"),
        ("of another log", &sound, Some(&of_another), 1, "change-1.tar"),
        ("empty", &sound, Some(&nothing_in_it), 1, ""),
    ] {
        let arguments = segment.map_or(vec![], |segment| vec!["--archive", segment.as_str()]);
        let ours = run(folder.path(), &[&["audit", "verify", export][..], &arguments].concat());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/verify_export.py");
        let theirs = Command::new("python3").arg(script).arg(export).args(&arguments).output().unwrap();
        for output in [ours, theirs] {
            let said = format!("{output:?}");
            assert!(output.status.code() == Some(code) && said.contains(words), "{what}: {said}");
        }
    }
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
