//! Business processes, against PostgreSQL, NATS with streams and a mail server; the payment service and the CRM are stand-ins, which keep
//! what they are told and know a call again by its key.

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{delete, get, post},
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;
use testkit::NatsConsole;

use super::{
    Answer, Portal,
    books::{Books, Kept, serve},
    lab,
};

/// The tables of the shop, as docs/workflows/fulfil-order.md and onboard-customer.md have them.
const SHOP: [&str; 4] = [
    "CREATE TABLE stock (item TEXT PRIMARY KEY, title TEXT NOT NULL, price BIGINT NOT NULL, free BIGINT NOT NULL,
     reserved BIGINT NOT NULL DEFAULT 0)",
    "CREATE TABLE reservations (order_number TEXT PRIMARY KEY, item TEXT NOT NULL REFERENCES stock, pieces BIGINT NOT NULL,
     total BIGINT NOT NULL, state TEXT NOT NULL)",
    "CREATE TABLE customers (registration TEXT PRIMARY KEY, company TEXT NOT NULL, country TEXT NOT NULL, contact TEXT NOT NULL,
     email TEXT NOT NULL, credit_limit BIGINT NOT NULL, account TEXT, state TEXT NOT NULL)",
    "INSERT INTO stock VALUES ('lamp-1', 'Desk lamp', 4990, 10), ('server-1', 'Server', 250000, 3)",
];

/// A payment service: authorises whatever is not paid for with `tok-broke`.
fn payments(kept: &Kept) -> Router {
    let made = |State(kept): State<Kept>, headers: HeaderMap, Json(asked): Json<Value>| async move {
        if asked["token"] == "tok-broke" {
            return (StatusCode::PAYMENT_REQUIRED, Json(json!({"error": "declined"}))).into_response();
        }
        let payment = json!({"amount": asked["amount"], "reference": asked["reference"], "status": "authorised"});
        Json(kept.once(&headers, payment)).into_response()
    };
    let one = |State(kept): State<Kept>, Path(id): Path<String>| async move { Json(kept.get(&id)) };
    Router::new()
        .route("/payments", post(made))
        .route("/payments/{id}", get(one))
        .route("/payments/{id}/{deed}", post(change))
        .with_state(kept.clone())
}

async fn change(State(kept): State<Kept>, Path((id, deed)): Path<(String, String)>) -> Response {
    let (before, after) = match deed.as_str() {
        "capture" => ("authorised", "captured"),
        "refund" => ("captured", "refunded"),
        "void" => ("authorised", "voided"),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let status = kept.get(&id)["status"].clone();
    if status != before && status != after {
        return (StatusCode::CONFLICT, Json(json!({"error": format!("it is {status}")}))).into_response();
    }
    kept.set(&id, "status", after);
    Json(kept.get(&id)).into_response()
}

/// A CRM that has one company on its list of sanctions.
fn crm(kept: &Kept) -> Router {
    let screen = |Json(asked): Json<Value>| async move {
        let listed = asked["name"] == "Pariah Ltd";
        Json(json!({"listed": listed, "score": if listed { 100 } else { 10 }}))
    };
    let made = |State(kept): State<Kept>, headers: HeaderMap, Json(asked): Json<Value>| async move {
        Json(kept.once(&headers, json!({"registration": asked["registration"], "open": true})))
    };
    let gone = |State(kept): State<Kept>, Path(id): Path<String>| async move {
        kept.set(&id, "open", false);
        StatusCode::NO_CONTENT
    };
    Router::new()
        .route("/screenings", post(screen))
        .route("/accounts", post(made))
        .route("/accounts/{id}", delete(gone))
        .with_state(kept.clone())
}

/// A portal with everything that the processes work over.
struct Company {
    portal: Portal,
    shop: Books,
    payments: Kept,
    accounts: Kept,
    broker: NatsConsole,
}

impl Company {
    async fn open() -> Self {
        let shop = Books::make("shop", &SHOP).await;
        let (payments_kept, accounts) = (Kept::default(), Kept::default());
        let http = async |router: Router| json!({"baseUrl": serve(router).await});
        let mut broker =
            NatsConsole::open(lab::setting("TEST_NATS_PORT").parse().unwrap(), &lab::setting("TEST_NATS_PASSWORD"))
                .await;
        broker.have_stream("BUSINESS", &["orders.>", "customers.>"]).await;
        let portal = Portal::open(&[
            ("shop", "postgresql".to_owned(), shop.connection()),
            ("payments", "http".to_owned(), http(payments(&payments_kept)).await),
            ("crm", "http".to_owned(), http(crm(&accounts)).await),
            lab::to("nats", "broker"),
            lab::to("smtp", "mail"),
        ])
        .await;
        Self { portal, shop, payments: payments_kept, accounts, broker }
    }

    /// How many of an item are free, and how many reserved.
    async fn stock(&mut self, item: &str) -> (i64, i64) {
        let row = self.shop.row("SELECT free, reserved FROM stock WHERE item = $1", item).await.unwrap();
        (row.get(0), row.get(1))
    }

    async fn reservation(&mut self, order: &str) -> Option<String> {
        let found = self.shop.row("SELECT state FROM reservations WHERE order_number = $1", order).await;
        found.map(|row| row.get(0))
    }

    async fn customer(&mut self, registration: &str) -> Option<(String, Option<String>)> {
        let found = self.shop.row("SELECT state, account FROM customers WHERE registration = $1", registration).await;
        found.map(|row| (row.get(0), row.get(1)))
    }

    /// How many messages of the stream are about this, and what the last one on the subject says.
    async fn told(&mut self, subject: &str, about: &str) -> usize {
        let all = self.broker.all("BUSINESS", subject).await;
        all.iter().filter(|message| message.to_string().contains(&format!("\"{about}\""))).count()
    }

    /// What the warehouse says.
    async fn warehouse(&self, kind: &str, order: &str) {
        let event = json!({
            "specversion": "1.0", "id": format!("{kind}-{order}"), "source": "/warehouse", "type": kind,
            "data": {"order": order, "parcel": "P-9", "reason": "the pallet fell"},
        });
        let media = "application/cloudevents+json";
        let token = self.portal.server().token("operator");
        let send = self.portal.server().rest(Method::POST, "/events", &token).header("content-type", media);
        assert_eq!(send.body(event.to_string()).send().await.unwrap().status(), 202);
    }
}

/// A number that no other test and no run before has.
fn unique(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple().to_string()[..8].to_uppercase())
}

fn order(number: &str, item: &str, pieces: u32, token: &str) -> Value {
    json!({
        "order": number, "item": item, "pieces": pieces, "paymentToken": token,
        "customer": {"name": "Ana Kim", "email": "ana@example.test", "address": "Marktplatz 1, Bonn"},
    })
}

fn customer(registration: &str, company: &str, credit: u32, email: &str) -> Value {
    json!({
        "company": company, "registration": registration, "country": "DE", "creditLimit": credit,
        "contact": {"name": "Ana Kim", "email": email},
    })
}

#[tokio::test]
async fn an_order_is_fulfilled_once_whatever_dies() {
    let (mut company, number) = (Company::open().await, unique("SO"));
    let run = company.portal.launch("business/fulfil-order", &order(&number, "lamp-1", 2, "tok-1")).await;
    company.portal.kill_when(&run, "capture").await;
    company.portal.reach(&run, "release", &["completed"]).await;
    assert_eq!(company.stock("lamp-1").await, (8, 2));
    company.warehouse("shop.order.shipped", &number).await;
    let ended = company.portal.complete(&run).await;
    assert_eq!((&ended["output"]["total"], &ended["output"]["parcel"]), (&json!(9980), &json!("P-9")), "{ended:#}");
    assert_eq!((&ended["output"]["stock"], &ended["output"]["mail"]), (&json!("settled"), &json!("sent")), "{ended:#}");
    assert_eq!(
        (company.stock("lamp-1").await, company.reservation(&number).await),
        ((8, 0), Some("shipped".to_owned()))
    );
    assert_eq!(company.payments.statuses(), ["captured"]);
    assert_eq!(company.told("orders.released", &number).await, 1);
    assert_eq!(company.told("orders.withdrawn", &number).await, 0);
}

#[tokio::test]
async fn what_the_warehouse_cannot_ship_is_given_back_and_refunded() {
    let (mut company, number) = (Company::open().await, unique("SO"));
    // Above the amount at which the manager is asked.
    let run = company.portal.launch("business/fulfil-order", &order(&number, "server-1", 1, "tok-1")).await;
    company.portal.reach(&run, "release", &["completed"]).await;
    assert_eq!((company.stock("server-1").await, company.payments.statuses()), ((2, 1), vec!["captured".to_owned()]));
    company.warehouse("shop.order.undeliverable", &number).await;
    let ended = company.portal.follow(&run, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert!(ended["error"].to_string().contains("the pallet fell"), "{ended:#}");
    assert_eq!((company.stock("server-1").await, company.payments.statuses()), ((3, 0), vec!["refunded".to_owned()]));
    assert_eq!(company.reservation(&number).await.as_deref(), Some("given back"));
    assert_eq!(company.told("orders.withdrawn", &number).await, 1);
}

#[tokio::test]
async fn what_is_not_paid_for_or_not_approved_leaves_nothing() {
    let (mut company, broke, large, late) = (Company::open().await, unique("SO"), unique("SO"), unique("SO"));
    let input = order(&broke, "lamp-1", 1, "tok-broke");
    let ended = company.portal.run("business/fulfil-order", &input, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["error"]["status"]), (&json!("faulted"), &json!(402)), "{ended:#}");
    assert_eq!(company.reservation(&broke).await.as_deref(), Some("given back"));

    let input = order(&large, "server-1", 1, "tok-1");
    let ended = company.portal.run("business/fulfil-order", &input, Answer::Reject).await;
    assert_eq!(ended["status"], "faulted", "{ended:#}");
    assert_eq!(company.reservation(&large).await, None);

    // Nobody in the warehouse says anything in time.
    let mut input = order(&late, "lamp-1", 1, "tok-1");
    input["shipWithin"] = json!("PT1S");
    let ended = company.portal.run("business/fulfil-order", &input, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert_eq!((company.stock("lamp-1").await, company.stock("server-1").await), ((10, 0), (3, 0)));
    assert_eq!(company.payments.statuses(), ["refunded"]);
}

#[tokio::test]
async fn a_customer_is_onboarded_once_whatever_dies() {
    let (mut company, registration) = (Company::open().await, unique("HRB"));
    let input = customer(&registration, "Lamps Ltd", 20_000, &format!("{}@example.test", registration.to_lowercase()));
    let run = company.portal.launch("business/onboard-customer", &input).await;
    company.portal.kill_when(&run, "createAccount").await;
    let ended = company.portal.complete(&run).await;
    assert_eq!(ended["output"]["risk"], "medium", "{ended:#}");
    let account = ended["output"]["account"].as_str().unwrap().to_owned();
    assert_eq!(company.customer(&registration).await, Some(("active".to_owned(), Some(account))));
    assert_eq!((company.accounts.count(), company.told("customers.created", &registration).await), (1, 1));

    let again = company.portal.run("business/onboard-customer", &input, Answer::Approve).await;
    assert_eq!((&again["status"], &again["error"]["status"]), (&json!("faulted"), &json!(409)), "{again:#}");
    assert_eq!(company.accounts.count(), 1);
}

#[tokio::test]
async fn a_customer_who_cannot_be_welcomed_is_withdrawn_everywhere() {
    let (mut company, registration) = (Company::open().await, unique("HRB"));
    // High risk: manager and finance.
    let input = customer(&registration, "Lamps Ltd", 60_000, "bounce@example.test");
    let ended = company.portal.run("business/onboard-customer", &input, Answer::Approve).await;
    assert_eq!((&ended["status"], &ended["compensated"]), (&json!("faulted"), &json!(true)), "{ended:#}");
    assert_eq!(company.customer(&registration).await, Some(("withdrawn".to_owned(), None)));
    assert_eq!(company.accounts.all()[0]["open"], false);
    assert_eq!(company.told("customers.withdrawn", &registration).await, 1);

    let listed = unique("HRB");
    let input = customer(&listed, "Pariah Ltd", 100, "ana@example.test");
    let ended = company.portal.run("business/onboard-customer", &input, Answer::Approve).await;
    assert_eq!(ended["error"]["status"], 403, "{ended:#}");
    assert_eq!(company.customer(&listed).await, None);
}
