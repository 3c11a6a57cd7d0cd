//! What stands in for a cluster: objects by their paths, discovery, server-side apply with conflicts, merge patches with
//! generations, the subresources scale, log and eviction, tokens and a role that may only discover. No controller works in it: a
//! test says how far a rollout is, and jobs end as their names say.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Query, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};

/// Whose bearer may do everything.
pub(super) const TOKEN: &str = "cluster-admin-token";

#[derive(Clone, Default)]
pub(super) struct StandIn(Arc<Mutex<Objects>>);

#[derive(Default)]
struct Objects {
    all: BTreeMap<String, Value>,
    /// Objects with a field of another manager.
    claimed: Vec<String>,
}

fn web(name: &str) -> String {
    format!("/apis/apps/v1/namespaces/shop/deployments/{name}")
}

impl StandIn {
    pub(super) fn router(&self) -> Router {
        Router::new().fallback(answer).with_state(self.clone())
    }

    pub(super) fn claims(&self, name: &str) {
        self.0.lock().unwrap().claimed.push(web(name));
    }

    pub(super) fn rolls_out(&self, name: &str, new: u64) {
        let mut objects = self.0.lock().unwrap();
        let object = objects.all.get_mut(&web(name)).unwrap();
        let (generation, wanted) = (object["metadata"]["generation"].clone(), object["spec"]["replicas"].clone());
        object["status"] = json!({
            "observedGeneration": generation, "replicas": wanted, "updatedReplicas": new, "availableReplicas": new
        });
    }

    pub(super) fn generation(&self, name: &str) -> u64 {
        self.0.lock().unwrap().all[&web(name)]["metadata"]["generation"].as_u64().unwrap()
    }

    pub(super) fn node(&self, name: &str) {
        let node = json!({"kind": "Node", "metadata": {"name": name}, "spec": {}});
        self.0.lock().unwrap().all.insert(format!("/api/v1/nodes/{name}"), node);
    }

    pub(super) fn is_closed(&self, node: &str) -> bool {
        self.0.lock().unwrap().all[&format!("/api/v1/nodes/{node}")]["spec"]["unschedulable"] == true
    }

    pub(super) fn pod(&self, name: &str, node: &str, metadata: Value) {
        let mut pod = json!({"kind": "Pod", "metadata": metadata, "spec": {"nodeName": node}});
        (pod["metadata"]["name"], pod["metadata"]["namespace"]) = (json!(name), json!("shop"));
        self.0.lock().unwrap().all.insert(format!("/api/v1/namespaces/shop/pods/{name}"), pod);
    }
}

fn status(code: StatusCode, reason: &str) -> Response {
    let body = json!({"kind": "Status", "status": "Failure", "reason": reason, "message": format!("it is {reason}"), "code": code.as_u16()});
    (code, axum::Json(body)).into_response()
}

fn document(code: StatusCode, value: &Value) -> Response {
    (code, axum::Json(value.clone())).into_response()
}

async fn answer(
    State(stand_in): State<StandIn>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let path = uri.path().to_owned();
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let may_read_kinds = token == "Bearer reader" && path.split('/').count() <= 4 && !path.contains("namespaces");
    if token != format!("Bearer {TOKEN}") && !may_read_kinds {
        let known = token == "Bearer reader";
        return if known {
            status(StatusCode::FORBIDDEN, "Forbidden")
        } else {
            status(StatusCode::UNAUTHORIZED, "Unauthorized")
        };
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut objects = stand_in.0.lock().unwrap();
    match method {
        Method::GET => objects.read(&path, &query),
        Method::POST => objects.make(&path, body),
        Method::PATCH if kind.starts_with("application/apply-patch") => {
            assert_eq!(query["fieldManager"], "rondo");
            let kept = (query.get("dryRun").map(String::as_str) == Some("All")).then(|| objects.all.clone());
            let answer = objects.apply(&path, body, query["force"] == "true");
            if let Some(kept) = kept {
                objects.all = kept;
            }
            answer
        }
        Method::PATCH => objects.patch(&path, &body),
        Method::DELETE => match objects.all.remove(&path) {
            Some(_) => document(StatusCode::OK, &json!({"kind": "Status", "status": "Success"})),
            None => status(StatusCode::NOT_FOUND, "NotFound"),
        },
        _ => status(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    }
}

impl Objects {
    fn read(&self, path: &str, query: &BTreeMap<String, String>) -> Response {
        let kind = |name: &str, kind: &str| json!({"name": name, "kind": kind, "namespaced": true});
        let kinds = match path {
            "/api/v1" => vec![
                kind("pods/log", "Pod"),
                kind("pods", "Pod"),
                kind("secrets", "Secret"),
                kind("configmaps", "ConfigMap"),
            ],
            "/apis/apps/v1" => vec![kind("deployments", "Deployment"), kind("deployments/scale", "Scale")],
            _ => Vec::new(),
        };
        if !kinds.is_empty() {
            return document(StatusCode::OK, &json!({"kind": "APIResourceList", "resources": kinds}));
        }
        if path.ends_with("/pods") {
            return self.pods(query);
        }
        if let Some(pod) = path.strip_suffix("/log") {
            let job = pod.rsplit('/').next().unwrap().trim_end_matches("-x");
            return format!("did {job}\n").into_response();
        }
        let object = path.strip_suffix("/scale").unwrap_or(path);
        match self.all.get(object) {
            Some(found) => document(StatusCode::OK, found),
            None => status(StatusCode::NOT_FOUND, "NotFound"),
        }
    }

    fn pods(&self, query: &BTreeMap<String, String>) -> Response {
        if let Some(job) = query.get("labelSelector").and_then(|selector| selector.strip_prefix("job-name=")) {
            let pods = json!([{"metadata": {"name": format!("{job}-x")}}]);
            return document(StatusCode::OK, &json!({"kind": "PodList", "items": pods}));
        }
        let node = query.get("fieldSelector").and_then(|selector| selector.strip_prefix("spec.nodeName="));
        let pods = self.all.values().filter(|one| one["kind"] == "Pod");
        let pods: Vec<&Value> = pods.filter(|pod| node.is_none_or(|node| pod["spec"]["nodeName"] == node)).collect();
        document(StatusCode::OK, &json!({"kind": "PodList", "items": pods}))
    }

    fn make(&mut self, path: &str, mut body: Value) -> Response {
        if let Some(pod) = path.strip_suffix("/eviction") {
            assert_eq!(body["kind"], "Eviction");
            if pod.ends_with("/budgeted") {
                return status(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests");
            }
            return match self.all.remove(pod) {
                Some(_) => document(StatusCode::CREATED, &json!({"kind": "Status", "status": "Success"})),
                None => status(StatusCode::NOT_FOUND, "NotFound"),
            };
        }
        let name = body["metadata"]["name"].as_str().unwrap().to_owned();
        let path = format!("{path}/{name}");
        if self.all.contains_key(&path) {
            return status(StatusCode::CONFLICT, "AlreadyExists");
        }
        let condition = match name.as_str() {
            "goes-on" => json!([]),
            "fails" => json!([{"type": "Failed", "status": "True", "message": "BackoffLimitExceeded"}]),
            _ => json!([{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}]),
        };
        body["status"] = json!({"conditions": condition});
        self.all.insert(path, body.clone());
        document(StatusCode::CREATED, &body)
    }

    fn apply(&mut self, path: &str, mut body: Value, force: bool) -> Response {
        let is_new = !self.all.contains_key(path);
        if !force && self.claimed.iter().any(|claimed| claimed == path) {
            return status(StatusCode::CONFLICT, "Conflict");
        }
        let namespace = path.split('/').skip_while(|part| *part != "namespaces").nth(1).unwrap().to_owned();
        body["metadata"]["namespace"] = json!(namespace);
        body["metadata"]["generation"] = json!(1);
        self.all.insert(path.to_owned(), body.clone());
        document(if is_new { StatusCode::CREATED } else { StatusCode::OK }, &body)
    }

    fn patch(&mut self, path: &str, change: &Value) -> Response {
        let object = path.strip_suffix("/scale").unwrap_or(path);
        let Some(found) = self.all.get_mut(object) else { return status(StatusCode::NOT_FOUND, "NotFound") };
        let before = found["spec"].clone();
        merge(found, change);
        if found["spec"] != before && found["metadata"]["generation"].is_u64() {
            found["metadata"]["generation"] = json!(found["metadata"]["generation"].as_u64().unwrap() + 1);
        }
        document(StatusCode::OK, &found.clone())
    }
}

/// RFC 7396.
fn merge(target: &mut Value, change: &Value) {
    let Value::Object(members) = change else {
        *target = change.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in members {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(name);
        } else {
            merge(&mut target[name], value);
        }
    }
}
