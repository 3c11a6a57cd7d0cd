use domain::{ErrorCode, Name, Role, RunStatus, Scope};
use serde_json::{Value, json};
use store::access::Subject;

use crate::office::{Office, code};

const ASK: &str = "
document: {dsl: 1.0.3, namespace: identity, name: ask, version: 1.0.0, title: Ask}
use: {secrets: [login, other/ä]}
do:
  - ask:
      call: http
      with: {method: get, endpoint: {uri: 'http://127.0.0.1:1/', authentication: {basic: {use: login}}}}
";

#[tokio::test]
async fn secrets_are_listed_without_values_to_those_who_administer_their_namespace() {
    let office = Office::open().await;
    let service = &office.service;
    let admin = office.caller("admin").await;
    let (identity, incident): (Name, Name) = ("identity".parse().unwrap(), "incident".parse().unwrap());
    let author = Subject::User(office.user("author").await.unwrap());
    service.grant(&admin, author, Role::Administrator, Scope::Namespace(identity.clone()), None).await.unwrap();
    let author = office.caller("author").await;

    let before = office.audit_end().await;
    let login = json!({"username": "rondo", "password": "canary-in-the-office"});
    let first = service.put_secret(&author, identity.clone(), "login", &login).await.unwrap();
    assert_eq!((first.created_by.login.as_str(), first.updated_by.login.as_str()), ("author", "author"));
    let again = service.put_secret(&admin, identity.clone(), "login", &json!("canary-in-the-office")).await.unwrap();
    assert_eq!((again.created_by.login.as_str(), again.updated_by.login.as_str()), ("author", "admin"));
    assert_eq!(again.created_at, first.created_at);
    service.put_secret(&admin, incident.clone(), "login", &login).await.unwrap();
    assert_eq!(code(service.put_secret(&author, incident.clone(), "mine", &login).await), "forbidden");
    assert_eq!(code(service.delete_secret(&author, &incident, "login").await), "forbidden");

    assert_eq!(
        service.secrets(&author).await.unwrap(),
        std::slice::from_ref(&again),
        "only those of the own namespace"
    );
    let all = service.secrets(&admin).await.unwrap();
    assert_eq!(all.iter().map(|secret| secret.namespace.as_str()).collect::<Vec<_>>(), ["identity", "incident"]);
    service.delete_secret(&author, &identity, "login").await.unwrap();
    assert_eq!(code(service.delete_secret(&author, &identity, "login").await), "not-found");

    let entries = office.audit_after(before).await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (entry.action.as_str(), entry.outcome.as_str(), entry.resource_id.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            ("secret.update", "done", "identity/login"),
            ("secret.update", "done", "identity/login"),
            ("secret.update", "done", "incident/login"),
            ("secret.update", "refused", "incident/mine"),
            ("secret.delete", "refused", "incident/login"),
            ("secret.delete", "done", "identity/login"),
        ]
    );
    let sealed = office.store.snapshot().await.unwrap().list_secrets().await.unwrap().remove(0).sealed_value;
    assert!(!format!("{entries:?}").contains("canary"), "{entries:?}");
    assert!(!format!("{entries:?}").contains(&sealed));
    assert!(!sealed.contains("canary"));
}

#[tokio::test]
async fn a_value_that_could_not_be_masked_is_refused() {
    let office = Office::open().await;
    let admin = office.caller("admin").await;
    let put = async |name: &str, value: Value| {
        office.service.put_secret(&admin, "identity".parse().unwrap(), name, &value).await
    };
    for value in [json!(7), json!(null), json!(["a"]), json!(""), json!({}), json!({"a": {"b": true}})] {
        let problem = put("token", value.clone()).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidInput, "{value}");
        let wanted = if value.pointer("/a").is_some() { "/value/a/b" } else { "/value" };
        assert_eq!(problem.errors[0].pointer, wanted);
    }
    let long = "n".repeat(129);
    for (name, rule) in [("", "minLength"), (" token", "pattern"), ("a\nb", "pattern"), (&long, "maxLength")] {
        let error = put(name, json!("text")).await.unwrap_err().errors.remove(0);
        assert_eq!((error.pointer.as_str(), error.rule.as_str()), ("/name", rule), "{name}");
    }
    assert_eq!(code(put("token", json!("x".repeat(65 * 1024))).await), "too-large");
    let sealed = json!("rondo-sealed:v1:01234567:AAAA~");
    assert_eq!(code(put("token", sealed).await), "bad-request");
    assert_eq!(code(put("my.token/ä", json!({"a": {"b": "text"}})).await), "ok");
}

#[tokio::test]
async fn a_workflow_is_launched_once_its_namespace_has_the_secrets_it_lists() {
    let office = Office::open().await;
    let service = &office.service;
    service.load_shipped([("ask.yaml", ASK)]).await.unwrap();
    let (staff, admin) = (office.caller("staff").await, office.caller("admin").await);
    let workflow = "identity/ask".parse().unwrap();
    let identity: Name = "identity".parse().unwrap();
    // One of the same name elsewhere is of no use.
    service.put_secret(&admin, "incident".parse().unwrap(), "login", &json!("x")).await.unwrap();
    let before = office.audit_end().await;
    let refused = service.launch(&staff, &workflow, None, json!({})).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::SecretMissing);
    assert!(refused.detail.contains("the secret “login”") && refused.detail.contains("identity"), "{refused:?}");
    let entries = office.audit_after(before).await;
    let told: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.outcome.as_str())).collect();
    assert_eq!(told, [("run.launch", "refused")]);

    let login = json!({"username": "rondo", "password": "canary"});
    service.put_secret(&admin, identity.clone(), "login", &login).await.unwrap();
    let refused = service.launch(&staff, &workflow, None, json!({})).await.unwrap_err();
    assert!(refused.detail.contains("the secret “other/ä”"), "{refused:?}");
    service.put_secret(&admin, identity, "other/ä", &json!("x")).await.unwrap();
    let run = service.launch(&staff, &workflow, None, json!({})).await.unwrap();
    // Nobody listens there; what matters is that the call was built and made.
    let ended = office.ended(run.id).await;
    assert_eq!(ended.summary.status, RunStatus::Faulted);
    let error = ended.error.unwrap();
    assert!(error.kind.ends_with("/communication"), "{error:?}");
}
