//! Decisions by the doors that a browser and a program have: pages, REST, several at once, and with the password again.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::server::{TestServer, shared};

async fn told(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json().await.unwrap())
}

/// What a server function answers that a page calls.
async fn page(server: &TestServer, cookie: &str, function: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let request = server.client.post(server.at(&format!("/ui/{function}"))).header("cookie", cookie);
    let request = request.header("origin", &server.url).header("accept", "application/json").form(form);
    told(request.send().await.unwrap()).await
}

async fn rest(server: &TestServer, token: &str, path: &str, body: &Value) -> (u16, Value) {
    told(server.rest(Method::POST, path, token).json(body).send().await.unwrap()).await
}

#[tokio::test]
async fn whoever_asked_decides_by_no_door() {
    let server = shared();
    let (staff, manager) = (server.token("staff"), server.token("manager"));
    let run = server.launch(&staff, "Door").await;
    let approval = server.approval(&run, &manager).await;
    let (id, digest) = (approval["id"].as_str().unwrap(), approval["digest"].as_str().unwrap());
    let cookie = server.sign_in("staff", "rondo-demo-staff").await.unwrap();

    let form = [("approval", id), ("decision", "approve"), ("digest", digest)];
    let (status, problem) = page(&server, &cookie, "decide", &form).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("own-request")), "{problem}");
    let one = json!({"decision": "approve", "digest": digest});
    let (status, problem) = rest(&server, &staff, &format!("/approvals/{id}/decisions"), &one).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("own-request")), "{problem}");
    let form = [("rows[0][approval]", id), ("rows[0][decision]", "approve"), ("rows[0][digest]", digest)];
    let (status, outcomes) = page(&server, &cookie, "decide-chosen", &form).await;
    assert_eq!((status, outcomes[0]["problem"]["code"].as_str()), (200, Some("own-request")), "{outcomes}");
    let several = json!({"decisions": [{"approval": id, "decision": "approve", "digest": digest}]});
    let (status, outcomes) = rest(&server, &staff, "/approvals/decisions", &several).await;
    let outcome = &outcomes["items"][0];
    assert_eq!((status, outcome["result"].as_str()), (200, Some("refused")), "{outcomes}");
    assert_eq!(outcome["problem"]["policies"][0]["id"], "nobody-decides-on-an-own-request");
    let (status, problem) =
        rest(&server, &staff, "/decision-links/abc/decisions", &json!({"decision": "approve"})).await;
    assert_eq!((status, problem["code"].as_str()), (410, Some("link-invalid")), "{problem}");

    let (status, outcomes) = rest(&server, &manager, "/approvals/decisions", &several).await;
    assert_eq!((status, &outcomes["items"][0]["result"]), (200, &json!("decided")), "{outcomes}");
    let empty = json!({"decisions": []});
    assert_eq!(rest(&server, &manager, "/approvals/decisions", &empty).await.1["errors"][0]["pointer"], "/decisions");
}

#[tokio::test]
async fn high_risk_takes_the_password_which_a_browser_remembers_and_a_token_does_not() {
    let server = shared();
    let (staff, manager) = (server.token("staff"), server.token("manager"));
    let mut approvals = Vec::new();
    for _ in 0..3 {
        let input = json!({"login": "author", "reason": "leaves", "handOverTo": "staff@example.test"});
        let (status, run) =
            rest(&server, &staff, "/workflows/identity/offboard-employee/runs", &json!({"input": input})).await;
        assert_eq!(status, 201, "{run}");
        approvals.push(server.approval(run["id"].as_str().unwrap(), &manager).await);
    }
    let id = |at: usize| approvals[at]["id"].as_str().unwrap();
    let digest = |at: usize| approvals[at]["digest"].as_str().unwrap();
    let reject = |at: usize| json!({"decision": "reject", "comment": "no", "digest": digest(at)});
    let path = |at: usize| format!("/approvals/{}/decisions", id(at));
    let with = |mut body: Value, password: &str| {
        body["password"] = json!(password);
        body
    };

    let (status, problem) = rest(&server, &manager, &path(0), &reject(0)).await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("step-up-required")), "{problem}");
    let (status, problem) = rest(&server, &manager, &path(0), &with(reject(0), "wrong")).await;
    assert_eq!((status, problem["errors"][0]["pointer"].as_str()), (422, Some("/password")), "{problem}");
    let (status, decided) = rest(&server, &manager, &path(0), &with(reject(0), "rondo-demo-manager")).await;
    assert_eq!((status, decided["state"].as_str()), (201, Some("rejected")), "{decided}");
    let (_, problem) = rest(&server, &manager, &path(1), &reject(1)).await;
    assert_eq!(problem["code"], "step-up-required", "a token does not remember");

    let cookie = server.sign_in("manager", "rondo-demo-manager").await.unwrap();
    let form = |at: usize| {
        let (id, digest) = (id(at).to_owned(), digest(at).to_owned());
        [("approval", id), ("decision", "reject".to_owned()), ("comment", "no".to_owned()), ("digest", digest)]
    };
    let decide = async |at: usize, password: Option<&str>| {
        let mut form = form(at).to_vec();
        form.extend(password.map(|password| ("password", password.to_owned())));
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        page(&server, &cookie, "decide", &form).await
    };
    assert_eq!(decide(1, None).await.1["code"], "step-up-required", "to have signed in is not enough");
    assert_eq!(decide(1, Some("rondo-demo-manager")).await.0, 200);
    assert_eq!(decide(2, None).await.0, 200, "the session remembers");
}
