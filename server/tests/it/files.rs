//! Definitions as files: by REST, by the page's form, and by the command line.

use std::fs;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::server::{TestServer, complaint, printed, run, shared};

const BOUNDARY: &str = "a-line-that-stands-nowhere-else";

/// The body of a form with these files.
fn form(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (path, content) in files {
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"files\"; filename=\"{path}\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        body.extend(head.as_bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

fn form_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

fn greeting(name: &str, version: &str, word: &str) -> String {
    format!(
        "document: {{dsl: 1.0.3, namespace: office, name: {name}, version: {version}}}\ndo: [{{say: {{set: {{word: {word}}}}}}}]\n"
    )
}

fn archive(files: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, content) in files {
        let mut header = tar::Header::new_gnu();
        // Past the library's own care for paths.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

async fn send(server: &TestServer, token: &str, media_type: &str, body: Vec<u8>) -> Response {
    let request = server.rest(Method::POST, "/definitions/import", token);
    request.header("content-type", media_type).body(body).send().await.unwrap()
}

/// Path and outcome of each.
async fn outcomes(response: Response) -> Vec<(String, String)> {
    let (status, body) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert!(body["next"].is_null());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    body["items"].as_array().unwrap().iter().map(|item| (text(&item["path"]), text(&item["outcome"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(path, outcome)| ((*path).to_owned(), (*outcome).to_owned())).collect()
}

#[tokio::test]
async fn files_come_by_a_form_or_in_an_archive_and_go_as_one() {
    let server = TestServer::demo();
    let token = server.token("author");
    let one = greeting("one", "1.0.0", "hello");
    let packed = archive(&[
        ("office/two.yaml", tar::EntryType::Regular, greeting("two", "1.0.0", "hello").as_bytes()),
        ("README.md", tar::EntryType::Regular, b"words"),
    ]);
    let body = form(&[("one.yaml", one.as_bytes()), ("more.tar", &packed), ("notes.txt", b"words")]);
    let expected = pairs(&[("one.yaml", "added"), ("office/two.yaml", "added"), ("notes.txt", "refused")]);
    assert_eq!(outcomes(send(&server, &token, &form_type(), body).await).await, expected);
    let expected = pairs(&[("office/two.yaml", "unchanged")]);
    assert_eq!(outcomes(send(&server, &token, "application/x-tar", packed).await).await, expected);
    let other = greeting("one", "1.0.0", "goodbye");
    let response = send(&server, &token, &form_type(), form(&[("one.yaml", other.as_bytes())])).await;
    assert_eq!(outcomes(response).await, pairs(&[("one.yaml", "conflict")]));

    let version = "/workflows/office/one/versions/1.0.0";
    let text = server.rest(Method::GET, &format!("{version}/source"), &token).send().await.unwrap();
    assert_eq!(text.headers()["content-type"], "application/yaml");
    assert_eq!(text.headers()["content-disposition"], "attachment; filename=\"one-1.0.0.yaml\"");
    assert_eq!(text.text().await.unwrap(), one);
    let digest = server.get(version, &token).await["digest"].clone();
    let as_json =
        json!({"document": {"dsl": "1.0.3", "namespace": "office", "name": "one", "version": "1.0.0"}, "do": []});
    let saved =
        server.rest(Method::PUT, version, &token).json(&json!({"source": as_json.to_string(), "digest": digest}));
    assert_eq!(saved.send().await.unwrap().status(), 200);
    let text = server.rest(Method::GET, &format!("{version}/source"), &token).send().await.unwrap();
    assert_eq!(text.headers()["content-type"], "application/json");
    assert_eq!(text.json::<Value>().await.unwrap(), as_json);

    let export = async |query: &str| {
        let response = server.rest(Method::GET, &format!("/definitions/export{query}"), &token).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"application/x-tar".parse().unwrap())
        );
        let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
        let archive = response.bytes().await.unwrap();
        let mut archive = tar::Archive::new(&*archive);
        let paths = archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string());
        (name, paths.collect::<Vec<_>>())
    };
    let (name, paths) = export("?namespace=office&versions=all").await;
    assert_eq!(name, "attachment; filename=\"office.tar\"");
    assert_eq!(paths, ["office/one/1.0.0.json", "office/two/1.0.0.yaml"]);
    let (name, paths) = export("").await;
    assert!(
        name.contains("definitions.tar") && paths.contains(&"identity/onboard-employee.yaml".to_owned()),
        "{paths:?}"
    );
    assert!(!paths.iter().any(|path| path.starts_with("office/")), "no draft can be launched");
    for (query, login, status) in
        [("?versions=some", "author", 400), ("?namespace=A", "author", 400), ("", "staff", 403)]
    {
        let path = format!("/definitions/export{query}");
        let response = server.rest(Method::GET, &path, &server.token(login)).send().await.unwrap();
        assert_eq!(response.status(), status, "{query}");
    }
}

#[tokio::test]
async fn hostile_archives_and_bodies_do_no_harm() {
    let server = TestServer::demo();
    let token = server.token("author");
    let text = greeting("kept", "1.0.0", "hello");
    let hostile = archive(&[
        ("../../../../tmp/up.yaml", tar::EntryType::Regular, text.as_bytes()),
        ("/etc/passwd.yaml", tar::EntryType::Symlink, b""),
        ("hard.yaml", tar::EntryType::Link, b""),
        ("device.yaml", tar::EntryType::Block, b""),
        ("large.yaml", tar::EntryType::Regular, &vec![b'#'; 1024 * 1024 + 1]),
        ("many.yaml", tar::EntryType::Regular, "- [".repeat(100_000).as_bytes()),
    ]);
    let before: Vec<_> = fs::read_dir(server.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let expected = pairs(&[
        ("../../../../tmp/up.yaml", "added"),
        ("/etc/passwd.yaml", "refused"),
        ("hard.yaml", "refused"),
        ("large.yaml", "refused"),
        ("many.yaml", "refused"),
    ]);
    assert_eq!(outcomes(send(&server, &token, "application/x-tar", hostile).await).await, expected);
    let after: Vec<_> = fs::read_dir(server.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(before, after, "nothing was written beside the database");

    // A size that the archive claims and does not have.
    let mut claims = archive(&[("a.yaml", tar::EntryType::Regular, b"")]);
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..6].copy_from_slice(b"a.yaml");
    header.as_old_mut().size[..11].copy_from_slice(b"77777777777");
    header.set_cksum();
    claims[..512].copy_from_slice(header.as_bytes());
    let refused = pairs(&[("archive.tar", "refused")]);
    assert_eq!(outcomes(send(&server, &token, "application/x-tar", claims).await).await, refused);
    assert_eq!(outcomes(send(&server, &token, "application/x-tar", vec![0x1f, 0x8b, 8, 0]).await).await, refused);

    let many: Vec<(String, Vec<u8>)> = (0..201).map(|n| (format!("{n}.yaml"), b"a: 1\n".to_vec())).collect();
    let many: Vec<_> = many.iter().map(|(path, text)| (path.as_str(), text.as_slice())).collect();
    let half = vec![b'#'; 9 * 1024 * 1024];
    let unnamed =
        format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"files\"\r\n\r\nwords\r\n--{BOUNDARY}--\r\n");
    for (media_type, body, status) in [
        (form_type(), form(&many), 413),
        (form_type(), form(&[("a.yaml", &half), ("b.yaml", &half)]), 413),
        (form_type(), form(&[]), 422),
        (form_type(), form(&[("", b"")]), 422),
        (form_type(), b"no form".to_vec(), 400),
        (form_type(), unnamed.into_bytes(), 400),
        ("multipart/form-data".to_owned(), form(&[("a.yaml", b"a")]), 400),
        ("application/json".to_owned(), b"{}".to_vec(), 415),
        ("text/plain".to_owned(), b"a: 1".to_vec(), 415),
    ] {
        let response = send(&server, &token, &media_type, body).await;
        assert_eq!(response.status(), status, "{media_type}: {}", response.text().await.unwrap());
    }
    // What is larger than other bodies may be is read; but not of somebody who is not signed in.
    let large = form(&[("a.yaml", &vec![b'#'; 3 * 1024 * 1024])]);
    assert_eq!(
        outcomes(send(&server, &token, &form_type(), large.clone()).await).await,
        pairs(&[("a.yaml", "refused")])
    );
    let request = server.client.post(server.at("/api/v1/definitions/import")).header("content-type", form_type());
    assert_eq!(request.body(large).send().await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_form_with_a_key_is_answered_twice_alike() {
    let server = TestServer::demo();
    let token = server.token("author");
    let (one, two) = (greeting("one", "1.0.0", "hello"), greeting("two", "1.0.0", "hello"));
    // Larger than other bodies may be.
    let padding = format!("# {}\n{two}", "x".repeat(900 * 1024));
    let body =
        form(&[("one.yaml", one.as_bytes()), ("two.yaml", padding.as_bytes()), ("no.txt", &vec![b'x'; 512 * 1024])]);
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = server.rest(Method::POST, "/definitions/import", &token).header("idempotency-key", "files-1");
        let response = request.header("content-type", form_type()).body(body.clone()).send().await.unwrap();
        answers.push(response.headers().contains_key("idempotency-replayed"));
        let expected = pairs(&[("one.yaml", "added"), ("two.yaml", "added"), ("no.txt", "refused")]);
        assert_eq!(outcomes(response).await, expected);
    }
    assert_eq!(answers, [false, true]);
}

#[tokio::test]
async fn the_page_takes_files_of_its_own_form_only() {
    let server = shared();
    let cookie = server.sign_in("author", "rondo-demo-author").await.unwrap();
    let post = async |origin: &str, cookie: &str, body: Vec<u8>| {
        let request =
            server.client.post(server.at("/definitions/import")).header("origin", origin).header("cookie", cookie);
        request.header("accept", "text/html").header("content-type", form_type()).body(body).send().await.unwrap()
    };
    let text = greeting("by-page", "1.0.0", "hello").replace("office", "Nowhere");
    let body = form(&[("<b>page</b>.yaml", text.as_bytes())]);
    let foreign = post("https://evil.test", &cookie, body.clone()).await;
    assert_eq!(foreign.status(), 403);
    let page = post(&server.url, &cookie, body.clone()).await;
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("form-action 'self'"));
    let page = page.text().await.unwrap();
    assert!(page.contains("&lt;b&gt;page&lt;/b&gt;.yaml") && page.contains("Refused"), "{page}");
    let empty = post(&server.url, &cookie, form(&[("", b"")])).await;
    assert_eq!(empty.status(), 422);
    assert!(empty.text().await.unwrap().contains("Fill in this field"));
    let signed_out = post(&server.url, "", body).await;
    assert_eq!(
        (signed_out.status().as_u16(), &signed_out.headers()["location"]),
        (303, &"/sign-in?next=%2Fdefinitions%2Fimport".parse().unwrap())
    );
    let put =
        server.client.put(server.at("/definitions/import")).header("origin", &server.url).header("cookie", &cookie);
    assert_eq!(put.send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn the_command_line_brings_files_in_and_exports_them() {
    let server = TestServer::demo();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::create_dir_all(folder.path().join("definitions/office")).unwrap();
    fs::create_dir_all(folder.path().join("definitions/.git")).unwrap();
    fs::write(path("definitions/office/one.yaml"), greeting("one", "1.0.0", "hello")).unwrap();
    fs::write(path("definitions/office/two.yml"), greeting("two", "1.0.0", "5").replace("{word: 5}", "5")).unwrap();
    fs::write(path("definitions/README.md"), "# words").unwrap();
    fs::write(path("definitions/.git/config.yaml"), "a: 1").unwrap();

    let import = ["definitions", "import", &path("definitions"), "--author", "author"];
    let told = printed(server.data(), &import);
    assert!(told.contains("one.yaml: added office/one 1.0.0\n"), "{told}");
    assert!(told.contains("two.yml: added office/two 1.0.0\n") && told.contains("two.yml:2:"), "{told}");
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(printed(server.data(), &import).contains("one.yaml: unchanged office/one 1.0.0"));

    fs::write(path("definitions/office/one.yaml"), greeting("one", "1.0.0", "goodbye")).unwrap();
    let output = run(server.data(), &import);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("one.yaml: conflict office/one 1.0.0: version 1.0.0 is a draft"), "{told}");
    let one = path("definitions/office/one.yaml");
    let output = run(server.data(), &["definitions", "import", &one, "--author", "staff"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("refused"), "staff writes nothing");
    assert!(complaint(&run(server.data(), &["definitions", "import", &one, "--author", "nobody"])).contains("nobody"));
    assert!(
        complaint(&run(server.data(), &["definitions", "import", "none.yaml", "--author", "author"]))
            .contains("none.yaml")
    );
    assert_eq!(run(server.data(), &["definitions", "import", &one]).status.code(), Some(2), "without an author");

    let out = path("all.tar");
    printed(server.data(), &["definitions", "export", "--namespace", "office", "--all", "--out", &out]);
    let archive = fs::read(&out).unwrap();
    let mut read = tar::Archive::new(archive.as_slice());
    let paths: Vec<_> =
        read.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
    assert_eq!(paths, ["office/one/1.0.0.yaml", "office/two/1.0.0.yaml"]);
    let printed_archive =
        run(server.data(), &["definitions", "export", "--namespace", "office", "--all", "--out", "-"]);
    assert!(printed_archive.status.success() && printed_archive.stdout == archive);
    assert!(
        printed(server.data(), &["definitions", "import", &out, "--author", "author"])
            .contains("office/one/1.0.0.yaml: unchanged")
    );
}
