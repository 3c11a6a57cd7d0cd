//! The service desk, against PostgreSQL, Rondo's own directory and a mail server. The ticket system is a stand-in that keeps records and
//! answers as the documentation of `ServiceNow`'s Table API says: no such system is to be had here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::IntoResponse as _,
    routing::{patch, post},
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;

use super::{
    Answer, Portal,
    books::{Books, serve},
    lab,
    seen::unique,
};

/// The tables of licences, as docs/workflows/request-software.md has them.
const LICENCES: [&str; 3] = [
    "CREATE TABLE software (code TEXT PRIMARY KEY, title TEXT NOT NULL, installs TEXT NOT NULL, price BIGINT NOT NULL,
     bought BIGINT NOT NULL, assigned BIGINT NOT NULL DEFAULT 0)",
    "CREATE TABLE licences (code TEXT NOT NULL REFERENCES software, login TEXT NOT NULL, state TEXT NOT NULL,
     PRIMARY KEY (code, login))",
    "INSERT INTO software VALUES ('draw', 'Draw', 'engineering', 12000, 2), ('model', 'Model', 'engineering', 99000, 0),
     ('ghost', 'Ghost', 'no-such-group', 100, 1)",
];

/// Records of the stand-in, in the order in which they were made.
#[derive(Clone, Default)]
struct Records(Arc<Mutex<Vec<Value>>>);

impl Records {
    fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    fn change(&self, id: &str, fields: &Value) -> Option<Value> {
        let mut all = self.0.lock().unwrap();
        let one = all.iter_mut().find(|one| one["sys_id"] == id)?;
        for (name, value) in fields.as_object().unwrap() {
            // Comments are added to each other, as there.
            if name == "comments" {
                let before = one["comments"].as_array().cloned().unwrap_or_default();
                one["comments"] = before.into_iter().chain([value.clone()]).collect();
            } else {
                one[name] = value.clone();
            }
        }
        Some(one.clone())
    }
}

fn service_now(records: &Records) -> Router {
    let make = |State(records): State<Records>, Json(mut fields): Json<Value>| async move {
        let mut all = records.0.lock().unwrap();
        let number = all.len() + 1;
        fields["sys_id"] = json!(format!("{number:032}"));
        fields["number"] = json!(format!("INC{number:07}"));
        fields["state"] = json!("New");
        all.push(fields.clone());
        (StatusCode::CREATED, Json(json!({"result": fields})))
    };
    let find = |State(records): State<Records>, Query(query): Query<HashMap<String, String>>| async move {
        let wanted = query["sysparm_query"].split_once('=').map(|(field, value)| (field.to_owned(), json!(value)));
        let found =
            records.all().into_iter().find(|one| wanted.as_ref().is_some_and(|(field, value)| one[field] == *value));
        Json(json!({"result": found.into_iter().collect::<Vec<_>>()}))
    };
    let change = |State(records): State<Records>, Path(id): Path<String>, Json(fields): Json<Value>| async move {
        match records.change(&id, &fields) {
            Some(record) => Json(json!({"result": record})).into_response(),
            None => (StatusCode::NOT_FOUND, Json(json!({"error": {"message": "No Record found"}}))).into_response(),
        }
    };
    Router::new()
        .route("/api/now/table/incident", post(make).get(find))
        .route("/api/now/table/incident/{id}", patch(change))
        .with_state(records.clone())
}

struct Desk {
    portal: Portal,
    books: Books,
    records: Records,
}

impl Desk {
    async fn open() -> Self {
        let (books, records) = (Books::make("licences", &LICENCES).await, Records::default());
        let tickets = json!({
            "flavour": "servicenow", "baseUrl": serve(service_now(&records)).await, "username": "rondo", "password": "secret words",
        });
        let portal = Portal::open(&[
            ("licences", "postgresql".to_owned(), books.connection()),
            ("tickets", "ticket".to_owned(), tickets),
            lab::to("smtp", "mail"),
        ])
        .await;
        Self { portal, books, records }
    }

    /// How many licences of a software are bought, and how many assigned.
    async fn licences(&mut self, code: &str) -> (i64, i64) {
        let row = self.books.row("SELECT bought, assigned FROM software WHERE code = $1", code).await.unwrap();
        (row.get(0), row.get(1))
    }

    /// Whether somebody has a licence of a software.
    async fn has(&mut self, code: &str) -> bool {
        self.books.row("SELECT 1 FROM licences WHERE code = $1 AND login = 'staff'", code).await.is_some()
    }

    async fn is_engineer(&self) -> bool {
        let teams = self.portal.by_admin(Method::GET, "/teams", &Value::Null).await;
        let team = teams["items"].as_array().unwrap().iter().find(|team| team["name"] == "engineering").unwrap();
        team["members"].as_array().unwrap().iter().any(|member| member["login"] == "staff")
    }

    fn states(&self) -> Vec<String> {
        self.records.all().iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect()
    }

    /// Says that something has happened to a ticket on this side.
    async fn tell(&self, kind: &str, reference: &str, text: &str) {
        let event = json!({
            "specversion": "1.0", "id": unique("event"), "source": "/desk", "type": kind,
            "data": {"reference": reference, "text": text},
        });
        let media = "application/cloudevents+json";
        let token = self.portal.server().token("operator");
        let send = self.portal.server().rest(Method::POST, "/events", &token).header("content-type", media);
        assert_eq!(send.body(event.to_string()).send().await.unwrap().status(), 202);
    }
}

fn wanted(code: &str) -> Value {
    json!({"software": code, "reason": "Plans of the new office", "email": "sam@example.test"})
}

#[tokio::test]
async fn software_is_assigned_and_installed_once_whatever_dies() {
    let mut desk = Desk::open().await;
    let run = desk.portal.launch("desk/request-software", &wanted("draw")).await;
    desk.portal.kill_when(&run, "openTicket").await;
    let ended = desk.portal.complete(&run).await;
    assert_eq!((&ended["output"]["bought"], &ended["output"]["mail"]), (&json!(false), &json!("sent")), "{ended:#}");
    assert_eq!((desk.licences("draw").await, desk.has("draw").await), ((2, 1), true));
    assert_eq!(desk.states(), ["Closed"], "one ticket");
    assert!(desk.is_engineer().await);
}

#[tokio::test]
async fn a_licence_that_is_not_approved_or_not_installed_is_given_back() {
    let mut desk = Desk::open().await;
    let ended = desk.portal.run("desk/request-software", &wanted("draw"), Answer::Reject).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert_eq!((desk.licences("draw").await, desk.has("draw").await, desk.states().len()), ((2, 0), false, 0));

    // The group that installs it is not there.
    let ended = desk.portal.run("desk/request-software", &wanted("ghost"), Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert_eq!((desk.licences("ghost").await, desk.has("ghost").await), ((1, 0), false));
    assert_eq!(desk.states(), ["Closed"]);

    // None is free: finance is asked as well, and the order stays open.
    let ended = desk.portal.run("desk/request-software", &wanted("model"), Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["output"]["bought"]), (&json!("completed"), &json!(true)), "{ended:#}");
    assert_eq!((desk.licences("model").await, desk.states()), ((1, 1), vec!["Closed".to_owned(), "New".to_owned()]));
}

#[tokio::test]
async fn a_ticket_is_kept_in_step_whatever_dies() {
    let mut desk = Desk::open().await;
    let input = json!({
        "reference": "T-7", "title": "No light", "description": "The lamp is out.", "email": "sam@example.test", "lookEvery": "PT1H",
    });
    let run = desk.portal.launch("desk/mirror-ticket", &input).await;
    desk.portal.kill_when(&run, "openTicket").await;
    desk.tell("desk.ticket.commented", "T-7", "Still out.").await;
    desk.tell("desk.ticket.commented", "T-8", "Another ticket.").await;
    desk.portal.reach(&run, "passOn", &["completed"]).await;
    desk.tell("desk.ticket.closed", "T-7", "").await;
    let ended = desk.portal.complete(&run).await;
    assert_eq!((&ended["output"]["status"], &ended["output"]["passedOn"]), (&json!("Closed"), &json!(2)), "{ended:#}");
    let records = desk.records.all();
    assert_eq!((records.len(), &records[0]["comments"]), (1, &json!(["Still out."])));
}

#[tokio::test]
async fn a_ticket_that_is_closed_there_ends_its_run_and_one_that_is_cancelled_is_closed() {
    let desk = Desk::open().await;
    let input = |reference: &str, every: &str| {
        json!({
            "reference": reference, "title": "No light", "description": "The lamp is out.", "email": "sam@example.test",
            "lookEvery": every,
        })
    };
    let run = desk.portal.launch("desk/mirror-ticket", &input("T-1", "PT1S")).await;
    desk.portal.reach(&run, "look", &["completed"]).await;
    desk.records.change(&format!("{:032}", 1), &json!({"state": "Resolved"})).unwrap();
    let ended = desk.portal.complete(&run).await;
    assert_eq!(
        (&ended["output"]["status"], &ended["output"]["passedOn"]),
        (&json!("Resolved"), &json!(0)),
        "{ended:#}"
    );

    let run = desk.portal.launch("desk/mirror-ticket", &input("T-2", "PT1H")).await;
    desk.portal.reach(&run, "look", &["completed"]).await;
    desk.portal.cancel(&run).await;
    assert_eq!(desk.portal.follow(&run, Answer::Approve).await["status"], "cancelled");
    assert_eq!(desk.states(), ["Resolved", "Closed"]);
}
