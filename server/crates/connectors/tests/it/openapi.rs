//! `call: openapi` against services that their documents describe.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::Request,
    http::{StatusCode, header},
    routing::{any, get},
};
use connectors::{CallContext, Outcome};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;
use workflow::StandardError;

use crate::{
    faults::{encrypted, waiting},
    http::{raw, serve},
    support::{Bench, PATIENCE, closed_port, done, permanent, retryable, unknown},
};

/// A service that says back what it was sent, wherever, and has this document at `/api/doc.json`.
async fn described(document: Value) -> String {
    let doc = get(move || async move { Json(document) });
    let echo = any(|request: Request| async move {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 100_000).await.unwrap();
        let headers: Map<String, Value> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap_or_default())))
            .collect();
        Json(json!({
            "method": parts.method.as_str(), "target": parts.uri.to_string(), "headers": headers,
            "body": String::from_utf8_lossy(&body)
        }))
    });
    let router = Router::new()
        .route("/api/doc.json", doc)
        .route("/v1/status/503", any(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/status/503", any(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .fallback(echo);
    serve(router).await
}

fn call(base: &str, operation: &str, parameters: Value) -> Value {
    json!({"document": {"endpoint": format!("{base}/api/doc.json")}, "operationId": operation, "parameters": parameters})
}

fn three() -> Value {
    json!({
        "openapi": "3.1.0",
        "servers": [{"url": "/{version}", "variables": {"version": {"default": "v1"}}}],
        "paths": {
            "/people/{id}": {
                "parameters": [
                    {"name": "id", "in": "path", "required": true},
                    {"name": "fields", "in": "query", "explode": false},
                    {"name": "trace", "in": "header"}
                ],
                "get": {
                    "operationId": "getPerson",
                    "parameters": [{"$ref": "#/components/parameters/filter"}, {"name": "session", "in": "cookie"}],
                    "responses": {"200": {"$ref": "#/components/responses/person"}}
                },
                "put": {"operationId": "putPerson", "requestBody": {"$ref": "#/components/requestBodies/person"}},
                "post": {"operationId": "upload", "requestBody": {"content": {"multipart/form-data": {}}}}
            },
            "/status/503": {"get": {"operationId": "fails"}, "post": {"operationId": "failsToo"}},
            "/elsewhere": {"get": {"operationId": "elsewhere", "servers": [{"url": "/other?key=1"}]}}
        },
        "components": {
            "parameters": {"filter": {"name": "filter", "in": "query", "style": "deepObject"}},
            "responses": {"person": {"content": {"application/json": {}, "text/plain": {}}}},
            "requestBodies": {"person": {"required": true, "content": {"text/plain": {}, "application/json": {}}}}
        }
    })
}

#[tokio::test]
async fn parameters_go_where_the_document_says() {
    let (bench, base) = (Bench::new().await, described(three()).await);
    let parameters = json!({
        "id": "a/b", "fields": ["name", "mail"], "filter": {"in": "x y"}, "trace": 7, "session": "s1", "absent": null
    });
    let mut with = call(&base, "getPerson", parameters);
    with["parameters"].as_object_mut().unwrap().remove("absent");
    with["authentication"] = json!({"bearer": {"token": "t0k"}});
    let seen = done(bench.call("openapi", "k", with).await);
    assert_eq!(seen["target"], "/v1/people/a%2Fb?fields=name,mail&filter%5Bin%5D=x%20y");
    assert_eq!((&seen["headers"]["trace"], &seen["headers"]["cookie"]), (&json!("7"), &json!("session=s1")));
    assert_eq!(seen["headers"]["accept"], "application/json, text/plain");
    assert_eq!(seen["headers"]["authorization"], "Bearer t0k");
    let elsewhere = done(bench.call("openapi", "k", call(&base, "elsewhere", json!({}))).await);
    assert_eq!(elsewhere["method"], "GET");
}

#[tokio::test]
async fn what_is_not_declared_makes_up_the_body() {
    let (bench, base) = (Bench::new().await, described(three()).await);
    for parameters in [json!({"id": 1, "name": "Ada", "age": 36}), json!({"id": 1, "body": {"name": "Ada", "age": 36}})]
    {
        let seen = done(bench.call("openapi", "key-1", call(&base, "putPerson", parameters)).await);
        assert_eq!(
            serde_json::from_str::<Value>(seen["body"].as_str().unwrap()).unwrap(),
            json!({"name": "Ada", "age": 36})
        );
        assert_eq!(seen["headers"]["content-type"], "application/json");
        assert_eq!(seen["headers"]["idempotency-key"], "key-1");
    }
    let seen = done(
        bench.call("openapi", "key-1", call(&base, "upload", json!({"id": 1, "file": "text", "meta": {"a": 1}}))).await,
    );
    assert_eq!(seen["headers"]["content-type"], "multipart/form-data; boundary=rondo-key-1");
    let expected = "--rondo-key-1\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\ntext\r\n\
                    --rondo-key-1\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n\
                    {\"a\":1}\r\n--rondo-key-1--\r\n";
    assert_eq!(seen["body"], expected);
}

#[tokio::test]
async fn version_two_has_its_own_ways() {
    let document = json!({
        "swagger": "2.0", "basePath": "/v2", "consumes": ["application/json"],
        "paths": {
            "/pets": {
                "get": {
                    "operationId": "find",
                    "parameters": [{"name": "status", "in": "query", "type": "array", "collectionFormat": "multi"}],
                    "produces": ["application/json"]
                },
                "post": {"operationId": "add", "parameters": [{"name": "pet", "in": "body", "required": true}]},
                "put": {
                    "operationId": "form", "consumes": ["application/x-www-form-urlencoded"],
                    "parameters": [{"name": "a", "in": "formData", "required": true}, {"name": "b", "in": "formData"}]
                }
            }
        }
    });
    let (bench, base) = (Bench::new().await, described(document).await);
    let seen = done(bench.call("openapi", "k", call(&base, "find", json!({"status": ["sold", "new"]}))).await);
    assert_eq!(seen["target"], "/v2/pets?status=sold&status=new");
    let seen = done(bench.call("openapi", "k", call(&base, "add", json!({"pet": {"id": 1}}))).await);
    assert_eq!((&seen["body"], &seen["method"]), (&json!("{\"id\":1}"), &json!("POST")));
    let seen = done(bench.call("openapi", "k", call(&base, "form", json!({"a": "1 2"}))).await);
    assert_eq!(seen["body"], "a=1+2");
    for (operation, parameters, words) in
        [("add", json!({}), "“body”"), ("form", json!({"b": 1}), "“a”"), ("find", json!({"x": 1}), "“x”")]
    {
        let error = bench.call("openapi", "k", call(&base, operation, parameters)).await.error().unwrap().clone();
        assert!(error.is(StandardError::Validation) && error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn answers_are_as_those_of_http() {
    let (bench, base) = (Bench::new().await, described(three()).await);
    let mut with = call(&base, "getPerson", json!({"id": 1}));
    with["output"] = json!("response");
    let response = done(bench.call("openapi", "k", with).await);
    assert_eq!((&response["statusCode"], &response["request"]["method"]), (&json!(200), &json!("get")));
    let failed = bench.call("openapi", "k", call(&base, "fails", json!({}))).await;
    assert!(matches!(&failed, Outcome::Retryable(error) if error.status == 503), "{failed:?}");
}

#[tokio::test]
async fn documents_can_be_files_and_yaml_and_must_be_sound() {
    let bench = Bench::new().await;
    let base = described(three()).await;
    let yaml = format!(
        "openapi: 3.0.3\nservers: [{{url: {base}/status}}]\npaths:\n  /503:\n    get: {{operationId: fails}}\n    post: {{operationId: failsToo}}\n"
    );
    std::fs::write(bench.folder.path().join("doc.yaml"), yaml).unwrap();
    let with = |operation: &str| json!({"document": {"endpoint": "file://doc.yaml"}, "operationId": operation});
    assert!(
        matches!(bench.call("openapi", "k", with("fails")).await, Outcome::Retryable(error) if error.status == 503)
    );
    assert!(
        matches!(bench.call("openapi", "k", with("failsToo")).await, Outcome::Retryable(error) if error.status == 503)
    );
    let refused = async |file: &str, text: &str, operation: &str| {
        std::fs::write(bench.folder.path().join(file), text).unwrap();
        let with = json!({"document": {"endpoint": format!("file://{file}")}, "operationId": operation});
        let error = bench.call("openapi", "k", with).await.error().unwrap().clone();
        assert!(error.is(StandardError::Configuration), "{error}");
        error.to_string()
    };
    assert!(refused("a", "{", "x").await.contains("neither JSON nor YAML"));
    assert!(refused("b", "{\"openapi\": \"4.0\"}", "x").await.contains("no version"));
    assert!(refused("c", "{\"openapi\": \"3.0.0\", \"paths\": {}}", "x").await.contains("no operation “x”"));
    let circle = r##"{"openapi": "3.0.0", "paths": {"/a": {"$ref": "#/paths/~1a"}}}"##;
    assert!(refused("d", circle, "x").await.contains("circle"));
    let missing =
        bench.call("openapi", "k", json!({"document": {"endpoint": "file://none"}, "operationId": "x"})).await;
    assert!(missing.error().unwrap().to_string().contains("none"), "{missing:?}");
}

/// Calls an operation of the service at this address: `see`, which only reads, or `make`.
async fn calls(bench: &Bench, base: &str, operation: &str, context: &CallContext) -> Outcome {
    let document = json!({
        "openapi": "3.0.3", "servers": [{"url": base}],
        "paths": {"/things": {"get": {"operationId": "see"}, "post": {"operationId": "make"}}}
    });
    std::fs::write(bench.folder.path().join("things.json"), document.to_string()).unwrap();
    let with = json!({"document": {"endpoint": "file://things.json"}, "operationId": operation});
    tokio::time::timeout(PATIENCE, bench.call_in("openapi", with, context)).await.unwrap()
}

/// A context whose time is over soon.
fn hurried(bench: &Bench) -> CallContext {
    let context = bench.context("k");
    CallContext { deadline: Some(context.clock.now() + Duration::from_millis(300)), ..context }
}

#[tokio::test]
async fn what_is_certain_about_an_operation_decides_its_outcome() {
    let bench = Bench::new().await;
    let context = bench.context("k");
    let closed = format!("http://127.0.0.1:{}", closed_port().await);
    let plain = serve(Router::new()).await.replace("http:", "https:");
    for (base, remedy) in
        [(closed, "compare the address"), (encrypted().await, "enter the CA"), (plain, "does not speak TLS")]
    {
        let words = retryable(calls(&bench, &base, "make", &context).await);
        assert!(words.contains(remedy), "{words}");
    }
    let garbled = serve(Router::new().fallback(|| async { ([(header::CONTENT_TYPE, "application/json")], "<html>") }));
    let large = serve(Router::new().fallback(|| async { "x".repeat(6 << 20) }));
    for (base, remedy) in [(garbled.await, "output: raw"), (large.await, "ask for less")] {
        let words = unknown(calls(&bench, &base, "make", &context).await);
        assert!(words.contains(remedy), "{words}");
        assert_eq!(permanent(calls(&bench, &base, "see", &context).await).0, 502);
    }
    let cut = format!("http://{}", raw(b"").await.0);
    let silent = serve(Router::new().fallback(std::future::pending::<()>)).await;
    for (base, context) in [(cut, bench.context("k")), (silent, hurried(&bench))] {
        unknown(calls(&bench, &base, "make", &context).await);
    }
    let refusing = serve(Router::new().fallback(|| async { StatusCode::UNAUTHORIZED })).await;
    let (status, words) = permanent(calls(&bench, &refusing, "make", &context).await);
    assert!(status == 401 && words.contains("enter other credentials"), "{words}");
}

#[tokio::test]
async fn an_operation_that_is_stopped_may_have_happened() {
    let bench = Bench::new().await;
    let (seen, left) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let base = serve(Router::new().fallback(waiting(&seen, &left))).await;
    let context = bench.context("k");
    let stop = async {
        seen.notified().await;
        context.cancelled.cancel();
    };
    let (outcome, ()) = futures::future::join(calls(&bench, &base, "make", &context), stop).await;
    assert!(unknown(outcome).contains("stopped"));
    tokio::time::timeout(PATIENCE, left.notified()).await.unwrap();
}

#[tokio::test]
async fn without_the_document_nothing_was_sent() {
    let bench = Bench::new().await;
    let closed = format!("http://127.0.0.1:{}", closed_port().await);
    let cut = format!("http://{}", raw(b"").await.0);
    for (base, remedy) in [(closed, "compare the address"), (cut, ""), (encrypted().await, "enter the CA")] {
        let words = retryable(bench.call("openapi", "k", call(&base, "x", json!({}))).await);
        assert!(words.contains(remedy), "{words}");
    }
    let silent = serve(Router::new().fallback(std::future::pending::<()>)).await;
    let late = bench.call_in("openapi", call(&silent, "x", json!({})), &hurried(&bench)).await;
    assert!(matches!(&late, Outcome::Retryable(error) if error.is(StandardError::Timeout)), "{late:?}");
    let large = serve(Router::new().fallback(|| async { "x".repeat(6 << 20) })).await;
    let (_, words) = permanent(bench.call("openapi", "k", call(&large, "x", json!({}))).await);
    assert!(words.contains("larger than 5 MiB"), "{words}");
}
