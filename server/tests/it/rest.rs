use reqwest::{Body, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::server::{TestServer, onboarding, printed, shared};

/// Status and code of a problem, whose form is checked.
async fn problem(response: Response) -> (u16, String, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let trace = response.headers()["x-trace-id"].to_str().unwrap().to_owned();
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["traceId"], trace.as_str());
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
    (status, problem["code"].as_str().unwrap().to_owned(), problem)
}

async fn refused(response: Response, status: u16, code: &str) -> Value {
    let (given, named, problem) = problem(response).await;
    assert_eq!((given, named.as_str()), (status, code), "{problem}");
    problem
}

#[tokio::test]
async fn whoever_has_no_valid_token_is_told_to_sign_in() {
    let server = shared();
    let me = server.at("/api/v1/me");
    refused(server.client.get(&me).send().await.unwrap(), 401, "unauthenticated").await;
    let well_formed = format!("rondo_{}", "a".repeat(43));
    for token in ["x", "rondo_", well_formed.as_str()] {
        let response = server.client.get(&me).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"rondo\"");
        refused(response, 401, "unauthenticated").await;
    }
    let response = server.client.get(&me).basic_auth("staff", Some("rondo-demo-staff")).send().await.unwrap();
    refused(response, 401, "unauthenticated").await;
}

#[tokio::test]
async fn bodies_are_json_of_the_right_shape_and_size() {
    let server = shared();
    let token = server.token("staff");
    let post = |body: Body, media_type: &'static str| {
        let path = "/workflows/identity/onboard-employee/runs";
        server.rest(Method::POST, path, &token).header("content-type", media_type).body(body).send()
    };
    let json = "application/json";
    refused(post("{".into(), json).await.unwrap(), 400, "bad-request").await;
    let deep = format!("{{\"input\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000));
    refused(post(deep.into(), json).await.unwrap(), 400, "bad-request").await;
    refused(post("{}".into(), "text/plain").await.unwrap(), 415, "unsupported-media-type").await;
    let unknown = refused(post("{\"inputs\":{}}".into(), json).await.unwrap(), 422, "invalid-input").await;
    assert_eq!(unknown["errors"][0]["pointer"], "/inputs");
    let missing = refused(post("{\"input\":{}}".into(), json).await.unwrap(), 422, "invalid-input").await;
    let pointers: Vec<&str> =
        missing["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert!(pointers.contains(&"/givenName"), "{missing}");
    let large = vec![b' '; 2 * 1024 * 1024];
    refused(post(large.into(), json).await.unwrap(), 413, "too-large").await;
}

#[tokio::test]
async fn a_body_of_100_megabytes_is_refused_before_it_is_sent() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = shared();
    let token = server.token("staff");
    let place = server.url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(place).await.unwrap();
    let head = format!(
        "POST /api/v1/drafts HTTP/1.1\r\nHost: {place}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 104857600\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // Nothing of the body is sent, and the answer comes all the same.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert!(server.client.get(server.at("/livez")).send().await.unwrap().status().is_success());
}

#[tokio::test]
async fn unknown_things_are_not_found_and_wrong_parameters_are_named() {
    let server = shared();
    let token = server.token("staff");
    for path in [
        "/nothing",
        "/runs/0198c0de-0000-7000-8000-000000000001",
        "/runs/not-an-id",
        "/runs/999999",
        "/approvals/0198c0de-0000-7000-8000-000000000001",
        "/workflows/identity/nothing",
        "/workflows/Not%20A%20Name/x",
        "/workflows/identity/onboard-employee/versions/9.9.9",
        "/drafts/0198c0de-0000-7000-8000-000000000001",
    ] {
        refused(server.rest(Method::GET, path, &token).send().await.unwrap(), 404, "not-found").await;
    }
    for path in
        ["/runs?limit=many", "/runs?colour=red", "/runs?status=asleep", "/runs?cursor=%21%21", "/approvals?state=x"]
    {
        refused(server.rest(Method::GET, path, &token).send().await.unwrap(), 400, "bad-request").await;
    }
    refused(server.rest(Method::DELETE, "/catalogue", &token).send().await.unwrap(), 405, "method-not-allowed").await;
    refused(server.client.get(server.at("/api/v2/me")).send().await.unwrap(), 404, "not-found").await;
}

#[tokio::test]
async fn roles_decide_and_refusals_say_what_is_missing() {
    let server = shared();
    let staff = server.token("staff");
    let refusal =
        refused(server.rest(Method::GET, "/audit/entries", &staff).send().await.unwrap(), 403, "forbidden").await;
    assert!(refusal["detail"].as_str().unwrap().contains("auditor"), "{refusal}");
    let auditor = server.token("auditor");
    let entries = server.get("/audit/entries?outcome=refused&actor=staff&action=audit", &auditor).await;
    assert_eq!(entries["items"][0]["action"], "audit.read");
    assert_eq!(entries["items"][0]["door"], "rest");
    let me = server.get("/me", &staff).await;
    assert_eq!(me["login"], "staff");
    assert_eq!(me["manager"]["login"], "manager");
    let catalogue = server.get("/catalogue", &staff).await;
    let item = catalogue["items"].as_array().unwrap().iter().find(|item| item["name"] == "onboard-employee").unwrap();
    assert_eq!(item["namespace"], "identity");
    assert!(item["inputSchema"]["properties"]["givenName"].is_object());
    assert_eq!(catalogue["next"], Value::Null);
}

#[tokio::test]
async fn lists_are_read_page_by_page_to_their_end() {
    let server = shared();
    let token = server.token("admin");
    let mut logins = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/users?limit=4&cursor={cursor}"), &token).await;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 4);
        logins.extend(items.iter().map(|user| user["login"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    let mut sorted = logins.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(logins, sorted);
    assert!(logins.len() >= 6);
}

#[tokio::test]
async fn the_same_request_with_the_same_key_is_done_once() {
    let server = shared();
    let token = server.token("staff");
    let send = |key: &'static str, name: &'static str| {
        let request = server.rest(Method::POST, "/workflows/identity/onboard-employee/runs", &token);
        request.header("idempotency-key", key).json(&json!({"input": onboarding(name)})).send()
    };
    let first = send("one", "Grace").await.unwrap();
    assert_eq!(first.status(), 201);
    let place = first.headers()["location"].to_str().unwrap().to_owned();
    let first: Value = first.json().await.unwrap();
    assert_eq!(place, format!("/api/v1/runs/{}", first["id"].as_str().unwrap()));
    let again = send("one", "Grace").await.unwrap();
    assert_eq!((again.status(), again.headers()["location"].to_str().unwrap()), (StatusCode::CREATED, place.as_str()));
    assert_eq!(again.headers()["idempotency-replayed"], "true");
    assert_eq!(again.json::<Value>().await.unwrap(), first);
    refused(send("one", "Hedy").await.unwrap(), 409, "idempotency-mismatch").await;
    let other: Value = send("two", "Grace").await.unwrap().json().await.unwrap();
    assert_ne!(other["id"], first["id"]);
    // Another person's keys are another person's.
    let request = server.rest(Method::POST, "/drafts", &server.token("manager")).header("idempotency-key", "one");
    let body = json!({"namespace": "identity", "name": "onboard-employee", "values": {}});
    assert_eq!(request.json(&body).send().await.unwrap().status(), 201);
    let request = server.rest(Method::POST, "/drafts", &token).header("idempotency-key", "two words");
    refused(request.json(&body).send().await.unwrap(), 400, "bad-request").await;
}

#[tokio::test]
async fn an_operator_changes_an_input_and_skips_no_approval() {
    let server = shared();
    let (staff, operator, manager) = (server.token("staff"), server.token("operator"), server.token("manager"));
    let run = server.launch(&staff, "Joan").await;
    let approval = server.approval(&run, &manager).await;
    let task = approval["reference"].as_str().unwrap();
    let post = |token: &str, command: &str, body: Value| {
        server.rest(Method::POST, &format!("/runs/{run}/{command}"), token).json(&body).send()
    };
    let skip = json!({"task": task, "reason": "in a hurry", "output": null});
    refused(post(&operator, "skip", skip.clone()).await.unwrap(), 409, "not-skippable").await;
    refused(post(&staff, "skip", skip).await.unwrap(), 403, "forbidden").await;
    // Without a place it is the command that it always was.
    refused(post(&operator, "resume", json!({})).await.unwrap(), 409, "conflict").await;
    let silent = json!({"from": task, "input": onboarding("June"), "reason": ""});
    let silent = refused(post(&operator, "resume-from", silent).await.unwrap(), 422, "invalid-input").await;
    assert_eq!(silent["errors"][0]["pointer"], "/reason");
    let changed = json!({"from": task, "input": onboarding("June"), "reason": "a wrong name"});
    let again = server.rest(Method::POST, &format!("/runs/{run}/resume-from"), &operator);
    let answer = again.header("idempotency-key", "june").json(&changed).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    for _ in 0..400 {
        let other = server.approval(&run, &manager).await;
        if other["id"] != approval["id"] {
            let id = other["id"].as_str().unwrap();
            assert_eq!(server.get(&format!("/approvals/{id}"), &manager).await["about"]["givenName"], "June");
            let old = server.get(&format!("/approvals/{}", approval["id"].as_str().unwrap()), &manager).await;
            assert_eq!(old["state"], "void");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("nothing was asked anew\n{}", server.log());
}

#[tokio::test]
async fn a_question_is_answered_and_changes_are_asked_about_anew() {
    let server = shared();
    let (staff, manager) = (server.token("staff"), server.token("manager"));
    let run = server.launch(&staff, "Joan").await;
    let approval = server.approval(&run, &manager).await;
    let path = format!("/approvals/{}", approval["id"].as_str().unwrap());
    let post = |token: &str, place: &str, body: Value| {
        server.rest(Method::POST, &format!("{path}{place}"), token).json(&body).send()
    };
    let asked = post(&manager, "/questions", json!({"text": "Which team?"})).await.unwrap();
    assert_eq!(asked.status(), 201);
    let asked: Value = asked.json().await.unwrap();
    let answers = format!("/questions/{}/answers", asked["questions"][0]["id"].as_str().unwrap());
    refused(post(&staff, &answers, json!({"text": " "})).await.unwrap(), 422, "invalid-input").await;
    assert_eq!(post(&staff, &answers, json!({"text": "Sales."})).await.unwrap().status(), 201);
    let changed = json!({"input": onboarding("June")});
    refused(post(&staff, "/resubmissions", changed.clone()).await.unwrap(), 409, "conflict").await;
    let back = json!({"decision": "request-changes", "comment": "a wrong name", "digest": approval["digest"]});
    let back: Value = post(&manager, "/decisions", back).await.unwrap().json().await.unwrap();
    assert_eq!((&back["state"], &back["returned"]), (&json!("pending"), &json!(true)));
    refused(post(&manager, "/resubmissions", changed.clone()).await.unwrap(), 403, "forbidden").await;
    let wrong = post(&staff, "/resubmissions", json!({"input": {}})).await.unwrap();
    refused(wrong, 422, "invalid-input").await;
    let sent = post(&staff, "/resubmissions", changed).await.unwrap();
    assert_eq!(sent.headers()["location"], format!("/api/v1/runs/{run}").as_str());
    for _ in 0..400 {
        let other = server.approval(&run, &manager).await;
        if other["id"] != approval["id"] {
            let seen = server.get(&format!("/approvals/{}", other["id"].as_str().unwrap()), &manager).await;
            assert_eq!((&seen["input"]["givenName"], &seen["decisions"]), (&json!("June"), &json!([])));
            assert_eq!(seen["earlier"][0]["input"]["givenName"], "Joan");
            assert_eq!(seen["questions"][0]["answers"][0]["text"], "Sales.");
            assert_ne!(seen["digest"], approval["digest"]);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("nothing was asked anew\n{}", server.log());
}

#[tokio::test]
async fn of_two_decisions_at_the_same_moment_one_counts_and_the_other_is_told() {
    let server = TestServer::demo();
    let staff = server.token("staff");
    let run = server.launch(&staff, "Ada").await;
    let manager = server.token("manager");
    let approval = server.approval(&run, &manager).await;
    let path = format!("/approvals/{}/decisions", approval["id"].as_str().unwrap());
    let body = json!({"decision": "approve", "comment": "", "digest": approval["digest"]});

    let own = server.rest(Method::POST, &path, &staff).json(&body).send().await.unwrap();
    assert!([403, 404].contains(&own.status().as_u16()), "{}", own.status());
    let stale = json!({"decision": "approve", "comment": "", "digest": "0".repeat(64)});
    let stale = server.rest(Method::POST, &path, &manager).json(&stale).send().await.unwrap();
    refused(stale, 409, "digest-mismatch").await;

    let decide = || server.rest(Method::POST, &path, &manager).json(&body).send();
    let (one, other) = tokio::join!(decide(), decide());
    let (one, other) = (one.unwrap(), other.unwrap());
    let (counted, told) = if one.status() == 201 { (one, other) } else { (other, one) };
    assert_eq!(counted.status(), 201);
    refused(told, 409, "already-decided").await;
    let detail: Value = counted.json().await.unwrap();
    assert_eq!(detail["decisions"].as_array().unwrap().len(), 1);
    assert_eq!(detail["run"], run.as_str());

    for _ in 0..400 {
        let state = server.get(&format!("/runs/{run}"), &staff).await;
        if state["status"] == "completed" {
            return;
        }
        assert!(!["faulted", "cancelled"].contains(&state["status"].as_str().unwrap()), "{state}\n{}", server.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the run did not end\n{}", server.log());
}

#[tokio::test]
async fn a_definition_is_written_reviewed_and_published_by_rest() {
    let server = TestServer::demo();
    let (author, staff, admin) = (server.token("author"), server.token("staff"), server.token("admin"));
    let person = json!({"login": "reviewer", "name": "Rhea Reviewer"});
    let created = server.rest(Method::POST, "/users", &admin).json(&person).send().await.unwrap();
    assert_eq!(created.status(), 201);
    let users = server.get("/users?search=reviewer", &admin).await;
    let grant = json!({
        "subject": {"kind": "user", "id": users["items"][0]["id"]}, "role": "publisher", "scope": "identity",
    });
    let granted = server.rest(Method::POST, "/grants", &admin).json(&grant).send().await.unwrap();
    assert_eq!(granted.status(), 201);
    let reviewer = server.token("reviewer");

    let place = "/workflows/identity/greet/versions/1.0.0";
    let text = "document: {dsl: 1.0.3, namespace: identity, name: greet, version: 1.0.0}\ndo: [{say: {set: {a: 1}}}]\n";
    let send =
        |method: Method, path: String, token: &str, body: Value| server.rest(method, &path, token).json(&body).send();
    let at = |step: &str| format!("{place}{step}");
    let put = |body: Value| send(Method::PUT, at(""), &author, body);

    let checked = send(Method::POST, "/definitions/validate".to_owned(), &author, json!({"source": "do: ["})).await;
    let checked: Value = checked.unwrap().json().await.unwrap();
    assert!(checked["items"][0]["line"].is_u64(), "{checked}");
    let language = server.get("/definitions/language", &author).await;
    assert_eq!(language["schema"]["properties"]["document"]["type"], "object");
    assert!(language["functions"]["approval"]["schema"]["properties"]["approvers"].is_object(), "{language}");
    let saved: Value = put(json!({"source": text})).await.unwrap().json().await.unwrap();
    assert_eq!((&saved["version"], &saved["diagnostics"]), (&json!("1.0.0"), &json!([])));
    refused(put(json!({"source": text})).await.unwrap(), 409, "conflict").await;
    refused(put(json!({"source": text, "digest": "0"})).await.unwrap(), 409, "digest-mismatch").await;
    let other = text.replace("1.0.0", "1.0.1");
    let wrong = refused(put(json!({"source": other, "digest": "0"})).await.unwrap(), 422, "invalid-definition").await;
    assert_eq!(wrong["errors"][0]["pointer"], "/document/version");
    refused(server.rest(Method::GET, place, &staff).send().await.unwrap(), 404, "not-found").await;
    let drafts = server.get("/definitions?state=draft&namespace=identity", &reviewer).await;
    assert_eq!(drafts["items"][0]["digest"], saved["digest"]);

    let submitted = server.rest(Method::POST, &at("/submit"), &author).send().await.unwrap();
    let submitted: Value = submitted.json().await.unwrap();
    assert_eq!((&submitted["state"], &submitted["life"]["warnings"]), (&json!("in-review"), &json!([])));
    let digest = submitted["digest"].clone();
    let remark = json!({"comment": "Why 1?", "line": 2, "digest": digest});
    let comment = send(Method::POST, at("/comments"), &reviewer, remark).await.unwrap();
    assert_eq!(comment.status(), 201);
    let comment: Value = comment.json().await.unwrap();
    let resolve = at(&format!("/comments/{}/resolve", comment["id"].as_str().unwrap()));
    let resolved: Value = send(Method::POST, resolve, &author, json!({})).await.unwrap().json().await.unwrap();
    assert_eq!(resolved["resolvedBy"]["login"], "author");

    let publish = |token: String, digest: Value| send(Method::POST, at("/publish"), &token, json!({"digest": digest}));
    let own = refused(publish(author.clone(), digest.clone()).await.unwrap(), 403, "own-change").await;
    assert_eq!(own["policies"][0]["id"], "nobody-publishes-their-own-change");
    assert_eq!(own["policies"][0]["title"], "Nobody publishes their own change");
    refused(publish(reviewer.clone(), json!("0")).await.unwrap(), 409, "digest-mismatch").await;
    let published: Value = publish(reviewer.clone(), digest.clone()).await.unwrap().json().await.unwrap();
    assert_eq!((&published["state"], &published["digest"]), (&json!("published"), &digest));
    let seen = server.get(place, &staff).await;
    assert_eq!((&seen["source"], &seen["life"]), (&json!(text), &Value::Null));
    let run = json!({"input": {}, "version": "1.0.0"});
    let launched = send(Method::POST, "/workflows/identity/greet/runs".to_owned(), &staff, run).await.unwrap();
    assert_eq!(launched.status(), 201);
    let copied = send(Method::POST, at("/copy"), &author, json!({"version": "1.0.1"})).await.unwrap();
    assert_eq!(copied.headers()["location"], "/api/v1/workflows/identity/greet/versions/1.0.1");
    let difference = server.get("/workflows/identity/greet/versions/1.0.1/difference?from=1.0.0", &author).await;
    let first = &difference["passages"][0][0];
    assert_eq!((&first["before"]["number"], &first["after"]["number"]), (&json!(1), &json!(1)), "{difference}");
    assert!(first["after"]["text"].as_str().unwrap().contains("version: 1.0.1"), "{difference}");
    let deleted = server.rest(Method::DELETE, "/workflows/identity/greet/versions/1.0.1", &author).send().await;
    assert_eq!(deleted.unwrap().status(), 204);
    let uses = server.get(&at("/uses"), &reviewer).await;
    assert_eq!((&uses["schedules"], &uses["callers"]), (&json!([]), &json!([])));
    let retired = send(Method::POST, at("/retire"), &reviewer, json!({"anyway": true})).await.unwrap();
    assert_eq!(retired.json::<Value>().await.unwrap()["state"], "retired");
}

#[tokio::test]
async fn policies_are_proposed_reviewed_and_reset() {
    let server = TestServer::demo();
    let admin = server.token("admin");
    let send = |method: Method, path: &'static str, token: &str, body: Value| {
        server.rest(method, path, token).json(&body).send()
    };
    let person = json!({"login": "second", "name": "Second"});
    let created = send(Method::POST, "/users", &admin, person).await.unwrap().json::<Value>().await.unwrap();
    let grant = json!({
        "subject": {"kind": "user", "id": created["user"]["id"]}, "role": "administrator", "scope": "*",
    });
    assert_eq!(send(Method::POST, "/grants", &admin, grant).await.unwrap().status(), 201);
    let second = server.token("second");

    let rule = "@id(\"staff-launches-nothing\")\n@because(\"somebody else than staff\")\n\
                forbid (principal is User, action == Action::\"run.launch\", resource is Workflow)\n\
                when { principal.login == \"staff\" };\n";
    let wrong = json!({"source": rule.replace("login", "logon")});
    let found =
        send(Method::POST, "/policy-sets/validate", &admin, wrong).await.unwrap().json::<Value>().await.unwrap();
    assert_eq!(found["items"][0]["line"], 4, "{found}");
    let proposal = |source: &str| json!({"source": source, "note": "Staff launches nothing"});
    let proposed = send(Method::POST, "/policy-sets", &admin, proposal(rule)).await.unwrap();
    assert_eq!(
        (proposed.status().as_u16(), proposed.headers()["location"].as_bytes()),
        (201, &b"/api/v1/policy-sets/1"[..])
    );
    let digest = proposed.json::<Value>().await.unwrap()["digest"].clone();
    let reviewed = json!({"digest": digest});
    let activate = |token: &str| send(Method::POST, "/policy-sets/1/activate", token, reviewed.clone());
    refused(activate(&admin).await.unwrap(), 403, "own-policies").await;
    assert_eq!(activate(&second).await.unwrap().status(), 200);
    let staff = server.token("staff");
    let run = json!({"input": onboarding("Nora")});
    let launch = || send(Method::POST, "/workflows/identity/onboard-employee/runs", &staff, run.clone());
    let why = refused(launch().await.unwrap(), 403, "forbidden").await;
    assert_eq!(why["policies"], json!([{"id": "staff-launches-nothing", "title": "Staff launches nothing"}]));
    let text = server.get("/policies/staff-launches-nothing", &admin).await;
    assert_eq!((&text["file"], &text["text"]), (&Value::Null, &json!(rule.trim_end())));
    let replay = server.get("/policy-sets/1/replay", &second).await;
    assert!(replay["decisions"].as_u64().is_some_and(|decisions| decisions > 0), "{replay}");

    assert!(printed(server.data(), &["policies", "reset"]).contains("no longer in force"));
    for _ in 0..200 {
        if server.get("/policies", &admin).await["version"].is_null() {
            assert_eq!(launch().await.unwrap().status(), 201);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the server did not follow");
}

#[tokio::test]
async fn questions_about_the_log_are_asked_and_followed() {
    let server = shared();
    let auditor = server.token("auditor");
    let list = server.get("/audit/questions", &auditor).await;
    let names: Vec<_> = list["items"].as_array().unwrap().iter().map(|question| question["name"].clone()).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    assert!(list["items"][0]["query"].as_str().unwrap().contains("LIMIT $3"), "{list}");

    server.sign_in("nobody-like-this", "a wrong password").await;
    let answer = server.get("/audit/questions/failed-sign-ins", &auditor).await;
    let columns: Vec<_> =
        answer["question"]["columns"].as_array().unwrap().iter().map(|column| column["kind"].clone()).collect();
    assert_eq!(columns, ["text", "number", "number", "number", "time", "time", "entry"]);
    assert_eq!(answer["rows"][0][0]["text"], "127.0.0.1");
    assert_eq!(answer["cutOff"], false);
    let csv = server.rest(Method::GET, "/audit/questions/failed-sign-ins?format=csv", &auditor).send().await.unwrap();
    assert_eq!(csv.headers()["content-type"], "text/csv; charset=utf-8");
    assert!(csv.text().await.unwrap().starts_with("\"address\",\"failed\""));
    let backwards = "/audit/questions/failed-sign-ins?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z";
    let response = server.rest(Method::GET, backwards, &auditor).send().await.unwrap();
    let problem = refused(response, 422, "invalid-input").await;
    assert_eq!(problem["errors"][0]["pointer"], "/from");
    refused(server.rest(Method::GET, "/audit/questions/none", &auditor).send().await.unwrap(), 404, "not-found").await;

    let place = "/audit/questions/unused-roles/subscription";
    let followed = server.rest(Method::PUT, place, &auditor).json(&json!({"every": "month"})).send().await.unwrap();
    assert_eq!(followed.json::<Value>().await.unwrap()["every"], "month");
    let operator = server.token("operator");
    let put = server.rest(Method::PUT, place, &operator).json(&json!({"every": "month"})).send().await.unwrap();
    refused(put, 403, "forbidden").await;
    let left = server.rest(Method::DELETE, place, &auditor).send().await.unwrap();
    assert_eq!(left.status(), 204);
    let answer = server.get("/audit/questions/unused-roles", &auditor).await;
    assert_eq!(answer["question"]["every"], Value::Null);
}
