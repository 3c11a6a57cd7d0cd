//! `call: chat`, against stand-ins that answer as the documentation of each service says: the services themselves are not to be
//! had here.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::Path,
    http::{StatusCode, header},
    response::IntoResponse as _,
    routing::post,
};
use connectors::{Outcome, Repetition};
use serde_json::{Value, json};
use workflow::StandardError;

use crate::{
    faults::{SECRET, Subject},
    http::serve,
    support::{Bench, done, failed_step, permanent},
};

fn settings(flavour: &str, address: &str) -> Value {
    json!({"flavour": flavour, "url": format!("{address}/hook/{SECRET}")})
}

fn message() -> Value {
    json!({
        "connection": "it", "title": "Disk full", "text": "web-1 <b> & more", "facts": {"Host": "web-1", "Used": 97},
        "link": {"url": "https://portal.test/runs/7", "title": "The run"}
    })
}

/// A service that knows one webhook, keeps what is posted, and answers in its own way.
async fn stand_in(posted: &'static str, status: StatusCode) -> (String, Arc<Mutex<Vec<Value>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeps = Arc::clone(&kept);
    let hook = post(move |Path(token): Path<String>, Json(body): Json<Value>| async move {
        if token != SECRET {
            return (StatusCode::FORBIDDEN, "invalid_token").into_response();
        }
        if body == json!({}) {
            return (StatusCode::BAD_REQUEST, "no_text").into_response();
        }
        keeps.lock().unwrap().push(body);
        (status, posted).into_response()
    });
    (serve(Router::new().route("/hook/{token}", hook)).await, kept)
}

async fn post_over(settings: Value, with: Value) -> Outcome {
    let bench = Bench::new().await;
    bench.connect("it", "chat", settings).await;
    let outcome = bench.call("chat", "key", with).await;
    assert!(!bench.log_text().contains(SECRET), "{}", bench.log_text());
    if let Some(error) = outcome.error() {
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
    outcome
}

#[tokio::test]
async fn each_service_gets_messages_in_its_own_form() {
    let (slack, kept) = stand_in("ok", StatusCode::OK).await;
    assert_eq!(done(post_over(settings("slack", &slack), message()).await), json!({"posted": true}));
    let blocks = kept.lock().unwrap()[0]["blocks"].clone();
    assert_eq!(blocks[0]["text"], json!({"type": "plain_text", "text": "Disk full"}));
    assert_eq!(blocks[1]["text"]["text"], "web-1 &lt;b&gt; &amp; more");
    assert_eq!(blocks[2]["fields"][1]["text"], "*Used*\n97");
    assert_eq!(blocks[3]["text"]["text"], "<https://portal.test/runs/7|The run>");

    let (teams, kept) = stand_in("", StatusCode::ACCEPTED).await;
    done(post_over(settings("teams", &teams), message()).await);
    let card = kept.lock().unwrap()[0]["attachments"][0]["content"].clone();
    assert_eq!((&card["type"], &card["body"][0]["text"]), (&json!("AdaptiveCard"), &json!("Disk full")));
    assert_eq!(
        card["body"][2]["facts"],
        json!([{"title": "Host", "value": "web-1"}, {"title": "Used", "value": "97"}])
    );
    assert_eq!(card["actions"][0]["url"], "https://portal.test/runs/7");

    let (mattermost, kept) = stand_in("ok", StatusCode::OK).await;
    done(post_over(settings("mattermost", &mattermost), message()).await);
    done(post_over(settings("mattermost", &mattermost), json!({"connection": "it", "text": "hello"})).await);
    let kept = kept.lock().unwrap();
    let attachment = &kept[0]["attachments"][0];
    assert_eq!(
        (&attachment["title"], &attachment["title_link"]),
        (&json!("Disk full"), &json!("https://portal.test/runs/7"))
    );
    assert_eq!(attachment["fields"][0], json!({"title": "Host", "value": "web-1", "short": true}));
    assert_eq!(kept[1], json!({"text": "hello"}));
}

#[tokio::test]
async fn a_wrong_webhook_is_told_from_a_missing_right() {
    let (slack, kept) = stand_in("ok", StatusCode::OK).await;
    let wrong = json!({"flavour": "slack", "url": format!("{slack}/hook/other")});
    let Outcome::Permanent(error) = post_over(wrong.clone(), message()).await else { panic!("it was posted") };
    assert!(error.is(StandardError::Authentication) && error.to_string().contains("enter its address"), "{error}");
    let bench = Bench::new().await;
    assert_eq!(failed_step(&bench.check("chat", wrong).await).0, "sign-in");
    let check = bench.check("chat", settings("slack", &slack)).await;
    assert!(check.ok && check.steps.last().unwrap().step == "sign-in", "{check:?}");
    assert!(kept.lock().unwrap().is_empty(), "a test posts nothing");
    let (step, words) = failed_step(&bench.check("chat", json!({"flavour": "teams", "url": "canary-s3cret"})).await);
    assert_eq!(step, "settings");
    assert!(words.contains("enter it as Microsoft Teams shows it") && !words.contains(SECRET), "{words}");
    for (flavour, status, body, kind, words) in [
        ("slack", 403, "action_prohibited", StandardError::Authorization, "permit it there"),
        ("slack", 410, "channel_is_archived", StandardError::Communication, "make a webhook for another one"),
        ("slack", 404, "no_service", StandardError::Authentication, "no_service"),
        ("slack", 400, "invalid_payload", StandardError::Communication, "invalid_payload"),
        ("mattermost", 400, "{\"message\": \"Invalid webhook\"}", StandardError::Communication, "Invalid webhook"),
        ("teams", 401, "{\"error\": {\"message\": \"expired\"}}", StandardError::Authentication, "expired"),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let at = serve(Router::new().fallback(move || async move { (status, body) })).await;
        let Outcome::Permanent(error) = post_over(settings(flavour, &at), message()).await else { panic!("{body}") };
        assert!(error.is(kind) && error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_service_that_is_busy_says_when_to_try_again() {
    let busy = || async { (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "30")], "rate_limited") };
    let at = serve(Router::new().fallback(busy)).await;
    for flavour in ["slack", "teams", "mattermost"] {
        let Outcome::Retryable(error) = post_over(settings(flavour, &at), message()).await else { panic!("{flavour}") };
        assert_eq!(error.status, 429);
        assert!(error.to_string().contains("after 30 seconds"), "{error}");
    }
    let old = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429";
    let at = serve(Router::new().fallback(move || async move { old })).await;
    assert!(matches!(post_over(settings("teams", &at), message()).await, Outcome::Retryable(_)));
    let old = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 413";
    let at = serve(Router::new().fallback(move || async move { old })).await;
    let (status, words) = permanent(post_over(settings("teams", &at), message()).await);
    assert_eq!(status, 502);
    assert!(words.contains("413"), "{words}");
}

#[tokio::test]
async fn faults_are_told_apart() {
    for (flavour, subject) in [
        ("slack", settings_of_slack as fn(&str) -> Value),
        ("teams", settings_of_teams),
        ("mattermost", settings_of_mattermost),
    ] {
        let subject = Subject {
            function: "chat",
            kind: "chat",
            settings: subject,
            reads: None,
            changes: message(),
            garbled: "check that the connection's webhook is one of",
        };
        subject.endures().await;
        eprintln!("{flavour} endures");
    }
    let bench = Bench::new().await;
    bench.connect("it", "chat", settings_of_slack("http://127.0.0.1:1")).await;
    let request = bench.prepare("chat", message()).await.unwrap();
    assert_eq!(bench.registry.repetition(&request), Repetition::Once);
}

fn settings_of_slack(address: &str) -> Value {
    settings("slack", address)
}

fn settings_of_teams(address: &str) -> Value {
    settings("teams", address)
}

fn settings_of_mattermost(address: &str) -> Value {
    settings("mattermost", address)
}
