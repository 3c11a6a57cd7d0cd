use connectors::Outcome;
use serde_json::json;
use workflow::StandardError;

use crate::support::{Bench, permanent};

#[tokio::test]
async fn a_connection_is_usable_only_in_its_namespaces() {
    let bench = Bench::new().await;
    bench.connect_for("closed", "builtin", json!({}), json!(["identity"])).await;
    let with = json!({"connection": "closed", "operation": "lookup", "login": "x"});
    let Outcome::Permanent(error) = bench.call("directory", "k", with).await else { panic!("it was let in") };
    assert!(error.is(StandardError::Authorization), "{error}");
    assert!(error.to_string().contains("may not use the connection “closed”"), "{error}");
}

#[tokio::test]
async fn a_missing_or_unfit_connection_says_what_to_do() {
    let bench = Bench::new().await;
    bench.connect("directory", "builtin", json!({})).await;
    let mail = |connection: &str| json!({"connection": connection, "to": "a@b.test", "subject": "s", "text": "t"});
    let (_, off) = permanent(bench.call("smtp", "k", mail("mail")).await);
    assert!(off.contains("mail is off") && off.contains("an administrator can add one"), "{off}");
    let (_, unfit) = permanent(bench.call("smtp", "k", mail("directory")).await);
    assert!(unfit.contains("is of kind builtin"), "{unfit}");
}

#[tokio::test]
async fn evaluated_arguments_are_checked_without_repeating_them() {
    let bench = Bench::new().await;
    bench.connect("directory", "builtin", json!({})).await;
    for (with, place) in [
        (json!({"connection": "directory", "operation": "createUser", "login": "No Good", "name": "n"}), "/login"),
        (json!({"connection": "directory", "operation": "createUser", "login": "ok"}), "name"),
        (json!({"connection": "directory", "operation": "lookup", "login": "a", "group": "g"}), "group"),
        (
            json!({"connection": "directory", "operation": "setPassword", "login": "a", "password": ["hunter2"]}),
            "/password",
        ),
    ] {
        let Outcome::Permanent(error) = bench.call("directory", "k", with.clone()).await else { panic!("{with}") };
        assert!(error.is(StandardError::Validation), "{error}");
        assert!(error.to_string().contains(place), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_secret_sealed_elsewhere_is_refused_and_not_guessed() {
    let bench = Bench::new().await;
    bench.connect("pager", "http", json!({"baseUrl": "http://127.0.0.1:1", "token": "s3cret"})).await;
    let mut unit = bench.store.begin().await.unwrap();
    let mut row = unit.connection_by_name("pager").await.unwrap().unwrap();
    assert!(!row.settings.contains("s3cret"), "{}", row.settings);
    row.sealed_secret = Some(bench.vault.seal("connection:another", "{}"));
    unit.put_connection(&row).await.unwrap();
    unit.commit().await.unwrap();
    let (_, words) =
        permanent(bench.call("http", "k", json!({"method": "get", "endpoint": "connection://pager/x"})).await);
    assert!(words.contains("enter it again"), "{words}");
}

#[tokio::test]
async fn what_is_planned_is_known_without_asking() {
    let bench = Bench::new().await;
    let can_plan = |function: &str, with| bench.registry.can_plan(function, &with);
    assert!(can_plan("directory", json!({"operation": "disableUser", "login": "ana"})));
    assert!(!can_plan("directory", json!({"operation": "lookup", "login": "ana"})), "it only reads");
    assert!(!can_plan("smtp", json!({"to": "a@b.test", "subject": "s", "text": "t"})), "no mail says what it changes");
    assert!(!can_plan("nothing", json!({})));
}
