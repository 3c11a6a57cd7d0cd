//! What ships, in a portal where the systems that it is made for are not set up.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Portal, lab};
use crate::server::onboarding;

/// What the catalogue says of a workflow.
async fn listed(portal: &Portal, name: &str) -> Value {
    let catalogue = portal.server().get("/catalogue", &portal.staff).await;
    let items = catalogue["items"].as_array().unwrap();
    items.iter().find(|item| item["name"] == name).cloned().unwrap_or_else(|| panic!("{name} is not listed"))
}

#[tokio::test]
async fn what_has_no_connection_yet_is_listed_and_not_launched() {
    let portal = Portal::open(&[]).await;
    assert_eq!(listed(&portal, "service-down").await["missingConnections"], json!([]));
    let connections = portal.server().get("/connections", &portal.admin).await;
    let mail = connections["items"].as_array().unwrap().iter().find(|one| one["name"] == "mail").unwrap();
    let path = format!("/connections/{}", mail["id"].as_str().unwrap());
    portal.by_admin(Method::DELETE, &path, &Value::Null).await;

    assert_eq!(listed(&portal, "service-down").await["missingConnections"], json!(["mail"]));
    let input = json!({
        "service": "shop", "url": "http://127.0.0.1:9/", "notify": "ops@example.test",
        "remedy": {"url": "http://127.0.0.1:9/", "method": "post"},
    });
    let path = "/workflows/incident/service-down/runs";
    let launch = portal.server().rest(Method::POST, path, &portal.staff).json(&json!({"input": input}));
    let refused = launch.send().await.unwrap();
    assert_eq!(refused.status(), 409);
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["code"], "connection-missing");
    assert!(problem["detail"].as_str().unwrap().contains("mail"), "{problem:#}");

    // Of another namespace only, it is as good as none.
    let settings = json!({"from": "Rondo <rondo@example.test>"});
    let elsewhere = portal.connection("mail", "file", &settings, "identity").await;
    portal.by_admin(Method::POST, "/connections", &elsewhere).await;
    assert_eq!(listed(&portal, "service-down").await["missingConnections"], json!(["mail"]));
    assert_eq!(listed(&portal, "onboard-employee").await["missingConnections"], json!([]));
}

#[tokio::test]
async fn a_run_goes_on_after_its_server_was_killed_in_the_middle() {
    let mut portal = Portal::open(&[lab::to("smtp", "mail")]).await;
    let run = portal.launch("identity/onboard-employee", &onboarding("Kay")).await;
    portal.kill_when(&run, "createAccount").await;
    portal.complete(&run).await;
    let accounts = portal.tasks(&run).await.into_iter().filter(|task| task["name"] == "createAccount");
    assert_eq!(accounts.count(), 1);
}
