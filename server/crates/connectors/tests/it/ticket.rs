//! `call: ticket`, against stand-ins that keep tickets, check who signs in, and answer as the documentation of each service says:
//! the services themselves are not to be had here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, Query, Request},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::IntoResponse as _,
    routing::{get, patch, post},
};
use connectors::{Outcome, Probe, Repetition};
use serde_json::{Value, json};
use workflow::StandardError;

use crate::{
    faults::{SECRET, Subject, encrypted},
    http::{raw, serve},
    support::{Bench, closed_port, done, failed_step, permanent, retryable},
};

/// The tickets of a stand-in, by their number.
#[derive(Clone, Default)]
struct Tickets(Arc<Mutex<Vec<Value>>>);

impl Tickets {
    fn add(&self, ticket: Value) -> usize {
        let mut all = self.0.lock().unwrap();
        all.push(ticket);
        all.len()
    }

    fn get(&self, number: usize) -> Option<Value> {
        self.0.lock().unwrap().get(number.checked_sub(1)?).cloned()
    }

    fn change(&self, number: usize, fields: &Value) -> bool {
        let mut all = self.0.lock().unwrap();
        let Some(ticket) = number.checked_sub(1).and_then(|at| all.get_mut(at)) else { return false };
        ticket.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        true
    }

    fn find(&self, is: impl Fn(&Value) -> bool) -> Option<usize> {
        self.0.lock().unwrap().iter().position(is).map(|at| at + 1)
    }
}

fn number(text: &str, prefix: &str) -> usize {
    text.strip_prefix(prefix).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Lets in only who shows this header; `refusal` is what the others are told.
fn guarded(router: Router, header: &'static str, value: &'static str, refusal: Value) -> Router {
    router.layer(middleware::from_fn(move |headers: HeaderMap, request: Request, next: Next| {
        let refusal = refusal.clone();
        async move {
            let known = headers.get(header).is_some_and(|shown| shown == value);
            if known { next.run(request).await } else { (StatusCode::UNAUTHORIZED, Json(refusal)).into_response() }
        }
    }))
}

fn jira(tickets: Tickets) -> Router {
    let not_found =
        || (StatusCode::NOT_FOUND, Json(json!({"errorMessages": ["Issue does not exist"]}))).into_response();
    let issue = |number: usize, fields: &Value| {
        let status = fields.get("status").cloned().unwrap_or(json!("Open"));
        let fields = json!({"summary": fields["summary"], "status": {"name": status}});
        json!({"id": (10_000 + number).to_string(), "key": format!("OPS-{number}"), "fields": fields})
    };
    let of = tickets.clone();
    let create = post(move |Json(body): Json<Value>| async move {
        let fields = &body["fields"];
        if fields["project"]["key"] != "OPS" || fields["issuetype"]["name"] != "Incident" {
            let refusal = json!({"errorMessages": [], "errors": {"project": "valid project is required"}});
            return (StatusCode::BAD_REQUEST, Json(refusal)).into_response();
        }
        let made = of.add(fields.clone());
        let made = json!({"id": (10_000 + made).to_string(), "key": format!("OPS-{made}"), "self": "x"});
        (StatusCode::CREATED, Json(made)).into_response()
    });
    let (of, other) = (tickets.clone(), tickets.clone());
    let one = get(move |Path(key): Path<String>| async move {
        let number = number(&key, "OPS-");
        of.get(number).map_or_else(not_found, |fields| Json(issue(number, &fields)).into_response())
    })
    .put(move |Path(key): Path<String>, Json(body): Json<Value>| async move {
        if other.change(number(&key, "OPS-"), &body["fields"]) {
            StatusCode::NO_CONTENT.into_response()
        } else {
            not_found()
        }
    });
    let of = tickets.clone();
    let comment = post(move |Path(key): Path<String>, Json(body): Json<Value>| async move {
        if of.change(number(&key, "OPS-"), &json!({"comment": body})) {
            (StatusCode::CREATED, Json(json!({"id": "1"}))).into_response()
        } else {
            not_found()
        }
    });
    let of = tickets.clone();
    let offered = json!({"transitions": [{"id": "31", "name": "Resolve", "to": {"name": "Done"}}]});
    let transitions = get(move || async move { Json(offered) }).post(
        move |Path(key): Path<String>, Json(body): Json<Value>| async move {
            assert_eq!(body, json!({"transition": {"id": "31"}}));
            of.change(number(&key, "OPS-"), &json!({"status": "Done"}));
            StatusCode::NO_CONTENT
        },
    );
    let search = get(move |Query(query): Query<HashMap<String, String>>| async move {
        let label = query["jql"].strip_prefix("labels = \"").unwrap().trim_end_matches('"').to_owned();
        let found = tickets.find(|fields| fields["labels"].as_array().unwrap().contains(&json!(label)));
        let issues: Vec<Value> = found.map(|number| issue(number, &tickets.get(number).unwrap())).into_iter().collect();
        Json(json!({"issues": issues}))
    });
    let rights = get(|Query(query): Query<HashMap<String, String>>| async move {
        let may = query["projectKey"] == "OPS";
        Json(json!({"permissions": {"CREATE_ISSUES": {"havePermission": may}}}))
    });
    let router = Router::new()
        .route("/rest/api/2/issue", create)
        .route("/rest/api/2/issue/{key}", one)
        .route("/rest/api/2/issue/{key}/comment", comment)
        .route("/rest/api/2/issue/{key}/transitions", transitions)
        .route("/rest/api/2/search", search)
        .route("/rest/api/2/mypermissions", rights);
    // As `printf me@example.test:canary-s3cret | base64` says.
    let account = "Basic bWVAZXhhbXBsZS50ZXN0OmNhbmFyeS1zM2NyZXQ=";
    guarded(router, "authorization", account, json!({"errorMessages": ["Client must be authenticated"]}))
}

fn service_now(tickets: Tickets) -> Router {
    let id = |number: usize| format!("{number:032}");
    let record = move |number: usize, fields: &Value| {
        let state = fields.get("state").cloned().unwrap_or(json!("New"));
        json!({"sys_id": id(number), "number": format!("INC{number:07}"), "short_description": fields["short_description"], "state": state})
    };
    let of = tickets.clone();
    let table = post(move |Json(fields): Json<Value>| async move {
        let made = of.add(fields.clone());
        (StatusCode::CREATED, Json(json!({"result": record(made, &fields)})))
    });
    let of = tickets.clone();
    let table = table.get(move |Query(query): Query<HashMap<String, String>>| async move {
        let condition = query["sysparm_query"].clone();
        let found = match condition.split_once('=') {
            Some(("correlation_id", mark)) => of.find(|fields| fields["correlation_id"] == mark),
            Some(("number", text)) => Some(number(text, "INC")).filter(|number| of.get(*number).is_some()),
            Some((_, text)) => Some(number(text, "")).filter(|number| of.get(*number).is_some()),
            None => None,
        };
        let records: Vec<Value> = found.map(|number| record(number, &of.get(number).unwrap())).into_iter().collect();
        Json(json!({"result": records}))
    });
    let one = patch(
        move |Path(id): Path<String>, Query(query): Query<HashMap<String, String>>, Json(fields): Json<Value>| async move {
            assert_eq!(query["sysparm_input_display_value"], "true");
            let number = number(&id, "");
            if tickets.change(number, &fields) {
                Json(json!({"result": record(number, &tickets.get(number).unwrap())})).into_response()
            } else {
                let refusal = json!({"error": {"message": "No Record found", "detail": "ACL"}, "status": "failure"});
                (StatusCode::NOT_FOUND, Json(refusal)).into_response()
            }
        },
    );
    let router = Router::new().route("/api/now/table/incident", table).route("/api/now/table/incident/{id}", one);
    let account = "Basic bWVAZXhhbXBsZS50ZXN0OmNhbmFyeS1zM2NyZXQ=";
    guarded(router, "authorization", account, json!({"error": {"message": "User Not Authenticated"}}))
}

fn glpi(tickets: Tickets) -> Router {
    let refused = |status: StatusCode, code: &str| (status, Json(json!([code, "no"]))).into_response();
    let not_found = move || refused(StatusCode::NOT_FOUND, "ERROR_ITEM_NOT_FOUND");
    let of = tickets.clone();
    let create = post(move |Json(body): Json<Value>| async move {
        (StatusCode::CREATED, Json(json!({"id": of.add(body["input"].clone()), "message": ""})))
    })
    .get(|| async { Json(json!([])) });
    let (of, other) = (tickets.clone(), tickets.clone());
    let one = get(move |Path(id): Path<usize>| async move {
        let answer = |fields: Value| {
            let status = fields.get("status").cloned().unwrap_or(json!(1));
            Json(json!({"id": id, "name": fields["name"], "status": status})).into_response()
        };
        of.get(id).map_or_else(not_found, answer)
    })
    .put(move |Path(id): Path<usize>, Json(body): Json<Value>| async move {
        if other.change(id, &body["input"]) {
            Json(json!([{id.to_string(): true}])).into_response()
        } else {
            not_found()
        }
    });
    let of = tickets.clone();
    let followup = post(move |Path(id): Path<usize>, Json(body): Json<Value>| async move {
        of.change(id, &json!({"followup": body["input"]}));
        (StatusCode::CREATED, Json(json!({"id": 1})))
    });
    let search = get(move |Query(query): Query<HashMap<String, String>>| async move {
        assert_eq!((&*query["criteria[0][field]"], &*query["criteria[0][searchtype]"]), ("21", "contains"));
        let wanted = query["criteria[0][value]"].clone();
        match tickets.find(|fields| fields["content"].as_str().unwrap().contains(&wanted)) {
            Some(number) => Json(json!({"totalcount": 1, "data": [{"2": number}]})),
            None => Json(json!({"totalcount": 0})),
        }
    });
    let inside = Router::new()
        .route("/apirest.php/Ticket", create)
        .route("/apirest.php/Ticket/{id}", one)
        .route("/apirest.php/Ticket/{id}/ITILFollowup", followup)
        .route("/apirest.php/search/Ticket", search)
        .route("/apirest.php/killSession", get(|| async { "" }));
    let inside = guarded(inside, "session-token", "session", json!(["ERROR_SESSION_TOKEN_INVALID", "no"]));
    let sign_in = get(|| async { Json(json!({"session_token": "session"})) });
    let door = Router::new().route("/apirest.php/initSession", sign_in);
    let door = guarded(door, "authorization", "user_token canary-s3cret", json!(["ERROR_GLPI_LOGIN_USER_TOKEN", "no"]));
    guarded(inside.merge(door), "app-token", "app-canary-s3cret", json!(["ERROR_WRONG_APP_TOKEN_PARAMETER", "no"]))
}

fn of_jira(address: &str) -> Value {
    json!({
        "flavour": "jira", "baseUrl": address, "username": "me@example.test", "token": SECRET, "project": "OPS",
        "issueType": "Incident"
    })
}

fn of_service_now(address: &str) -> Value {
    json!({"flavour": "servicenow", "baseUrl": address, "username": "me@example.test", "password": SECRET})
}

fn of_glpi(address: &str) -> Value {
    let base = format!("{}/apirest.php", address.trim_end_matches('/'));
    json!({"flavour": "glpi", "baseUrl": base, "token": SECRET, "appToken": format!("app-{SECRET}")})
}

/// Each service: its stand-in, the settings of a connection to it, and how its tickets are called.
type Service = (fn(Tickets) -> Router, fn(&str) -> Value, &'static str, &'static str);
const SERVICES: [Service; 3] = [
    (jira, of_jira, "OPS-1", "Done"),
    (service_now, of_service_now, "INC0000001", "Resolved"),
    (glpi, of_glpi, "1", "solved"),
];

fn with(operation: &str, more: Value) -> Value {
    let mut with = json!({"connection": "it", "operation": operation});
    with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    with
}

#[tokio::test]
async fn tickets_are_made_found_changed_and_closed() {
    for (stand_in, settings, reference, closed) in SERVICES {
        let tickets = Tickets::default();
        let at = serve(stand_in(tickets.clone())).await;
        let bench = Bench::new().await;
        assert!(bench.check("ticket", settings(&at)).await.ok, "{:?}", bench.check("ticket", settings(&at)).await);
        bench.connect("it", "ticket", settings(&at)).await;
        let ticket =
            async |operation: &str, more: Value| done(bench.call("ticket", "key", with(operation, more)).await);
        let made =
            ticket("create", json!({"title": "Disk full", "description": "web-1", "fields": {"urgency": 2}})).await;
        assert_eq!((&made["reference"], &made["title"]), (&json!(reference), &json!("Disk full")));
        assert!(made["link"].as_str().unwrap().starts_with(&at), "{made}");
        assert_eq!(tickets.get(1).unwrap()["urgency"], 2);
        let found = ticket("lookup", json!({"id": reference})).await;
        assert_eq!((&found["found"], &found["ticket"]["title"]), (&json!(true), &json!("Disk full")));
        assert_eq!(
            ticket("lookup", json!({"id": reference.replace('1', "7")})).await,
            json!({"found": false, "ticket": null})
        );
        ticket("update", json!({"id": reference, "title": "Disk of web-1 full"})).await;
        let found = ticket("lookup", json!({"id": reference})).await;
        assert_eq!(found["ticket"]["title"], "Disk of web-1 full");
        assert_eq!(ticket("comment", json!({"id": reference, "text": "On it", "internal": true})).await["added"], true);
        assert!(tickets.get(1).unwrap().to_string().contains("On it"));
        assert_eq!(ticket("transition", json!({"id": reference, "to": closed})).await, json!({"changed": true}));
        assert_eq!(ticket("transition", json!({"id": reference, "to": closed})).await, json!({"changed": false}));
        assert_eq!(ticket("lookup", json!({"id": reference})).await["ticket"]["status"], closed);
        let nobody = with("update", json!({"id": reference.replace('1', "7"), "title": "x"}));
        let (status, words) = permanent(bench.call("ticket", "k", nobody).await);
        assert_eq!(status, 404);
        assert!(words.contains("compare its"), "{words}");
    }
}

#[tokio::test]
async fn a_ticket_is_known_again_by_the_call_that_made_it() {
    for (stand_in, settings, reference, _) in SERVICES {
        let at = serve(stand_in(Tickets::default())).await;
        let bench = Bench::new().await;
        bench.connect("it", "ticket", settings(&at)).await;
        let create = with("create", json!({"title": "Disk full"}));
        let absent = bench.probe("ticket", "key-1", create.clone()).await;
        // What Jira does not find may yet come into its index.
        let expected = if reference.starts_with("OPS") { Probe::CannotTell } else { Probe::DidNotHappen };
        assert_eq!(absent, expected);
        done(bench.call("ticket", "key-1", create.clone()).await);
        match bench.probe("ticket", "key-1", create.clone()).await {
            Probe::Happened(ticket) => assert_eq!(ticket["reference"], reference),
            other => panic!("{other:?}"),
        }
        assert_eq!(bench.probe("ticket", "key-2", create).await, expected);
    }
}

#[tokio::test]
async fn an_account_that_is_not_accepted_is_told_from_a_missing_right() {
    for (stand_in, settings, reference, _) in SERVICES {
        let at = serve(stand_in(Tickets::default())).await;
        let mut wrong = settings(&at);
        for name in ["token", "password"] {
            if wrong.get(name).is_some() {
                wrong[name] = json!("wrong-password");
            }
        }
        let bench = Bench::new().await;
        let (step, words) = failed_step(&bench.check("ticket", wrong.clone()).await);
        assert_eq!(step, "sign-in", "{words}");
        bench.connect("it", "ticket", wrong).await;
        let Outcome::Permanent(error) = bench.call("ticket", "k", with("lookup", json!({"id": reference}))).await
        else {
            panic!("{reference} was found")
        };
        let words = error.to_string();
        assert!(error.is(StandardError::Authentication) && words.contains("enter its credentials"), "{words}");
        assert!(!words.contains("wrong-password"), "{words}");
    }
    let at = serve(jira(Tickets::default())).await;
    let mut other = of_jira(&at);
    other["project"] = json!("SECRET");
    let (step, words) = failed_step(&Bench::new().await.check("ticket", other).await);
    assert_eq!(step, "right");
    assert!(words.contains("give it the right"), "{words}");
    let closed = serve(Router::new().fallback(|| async { StatusCode::FORBIDDEN })).await;
    let bench = Bench::new().await;
    bench.connect("it", "ticket", of_service_now(&closed)).await;
    let Outcome::Permanent(error) = bench.call("ticket", "k", with("create", json!({"title": "t"}))).await else {
        panic!()
    };
    assert!(error.is(StandardError::Authorization), "{error}");
    let busy = || async { (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "9")]) };
    let bench = Bench::new().await;
    bench.connect("it", "ticket", of_jira(&serve(Router::new().fallback(busy)).await)).await;
    let Outcome::Retryable(error) = bench.call("ticket", "k", with("create", json!({"title": "t"}))).await else {
        panic!()
    };
    assert!(error.to_string().contains("after 9 seconds"), "{error}");
}

#[tokio::test]
async fn faults_are_told_apart() {
    for (settings, id) in [(of_jira as fn(&str) -> Value, "OPS-1"), (of_service_now, "INC0000001")] {
        let subject = Subject {
            function: "ticket",
            kind: "ticket",
            settings,
            reads: Some(with("lookup", json!({"id": id}))),
            changes: with("create", json!({"title": "Disk full"})),
            garbled: "check that the connection's address is that of",
        };
        subject.endures().await;
    }
}

/// GLPI is signed in to before anything is asked: what breaks then has changed nothing.
#[tokio::test]
async fn what_breaks_at_the_sign_in_may_be_tried_again() {
    let bench = Bench::new().await;
    let silent = || async { StatusCode::BAD_GATEWAY };
    bench.connect("it", "ticket", of_glpi(&serve(Router::new().fallback(silent)).await)).await;
    let create = with("create", json!({"title": "Disk full"}));
    assert!(matches!(bench.call("ticket", "k", create.clone()).await, Outcome::Retryable(_)));
    let stranger = encrypted().await;
    let (cut, _) = raw(b"").await;
    let closed = format!("http://127.0.0.1:{}", closed_port().await);
    for (at, remedy) in [(stranger, "enter the CA"), (closed, "compare the address"), (format!("http://{cut}"), "")] {
        bench.connect("it", "ticket", of_glpi(&at)).await;
        let words = retryable(bench.call("ticket", "k", create.clone()).await);
        assert!(words.contains(remedy), "{words}");
    }
    let page = serve(Router::new().fallback(|| async { "<html>" })).await;
    let large = serve(Router::new().fallback(|| async { "x".repeat(6 << 20) })).await;
    for (at, remedy) in [(page, "that of GLPI"), (large, "ask for less")] {
        bench.connect("it", "ticket", of_glpi(&at)).await;
        let (_, words) = permanent(bench.call("ticket", "k", create.clone()).await);
        assert!(words.contains(remedy), "{words}");
    }
    let silent = serve(Router::new().fallback(std::future::pending::<()>)).await;
    bench.connect("it", "ticket", of_glpi(&silent)).await;
    let mut context = bench.context("k");
    context.deadline = Some(context.clock.now() + std::time::Duration::from_millis(300));
    let words = retryable(bench.call_in("ticket", create.clone(), &context).await);
    assert!(words.contains("no complete answer"), "{words}");
    // The session is there, and the answer to the call itself is lost.
    let sign_in = get(|| async { Json(json!({"session_token": "session"})) });
    let breaks = Router::new().route("/apirest.php/initSession", sign_in).fallback(|| async { "no GLPI" });
    let bench = Bench::new().await;
    bench.connect("it", "ticket", of_glpi(&serve(breaks).await)).await;
    let outcome = bench.call("ticket", "k", create).await;
    assert!(matches!(&outcome, Outcome::Unknown(error) if error.to_string().contains("that of GLPI")), "{outcome:?}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_before_it_is() {
    let bench = Bench::new().await;
    bench.connect("it", "ticket", of_glpi("http://127.0.0.1:1")).await;
    for (operation, more, words) in [
        ("lookup", json!({"id": "a^b"}), "/id"),
        ("create", json!({}), "title"),
        ("create", json!({"title": "t", "to": "closed"}), "to"),
    ] {
        let (_, said) = permanent(bench.call("ticket", "k", with(operation, more)).await);
        assert!(said.contains(words), "{said}");
    }
    for (operation, more, expected) in [
        ("create", json!({"title": "t"}), Repetition::Probe),
        ("comment", json!({"id": "1", "text": "t"}), Repetition::Once),
        ("transition", json!({"id": "1", "to": "solved"}), Repetition::Once),
        ("update", json!({"id": "1", "title": "t"}), Repetition::Safe),
        ("update", json!({"id": "1", "fields": {"work_notes": "t"}}), Repetition::Once),
    ] {
        let request = bench.prepare("ticket", with(operation, more)).await.unwrap();
        assert_eq!(bench.registry.repetition(&request), expected, "{operation}");
    }
    let mut incomplete = of_jira("http://127.0.0.1:1");
    incomplete.as_object_mut().unwrap().remove("project");
    let (step, words) = failed_step(&bench.check("ticket", incomplete).await);
    assert_eq!(step, "settings");
    assert!(words.contains("enter its key"), "{words}");
}
