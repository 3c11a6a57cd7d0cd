//! What speaks HTTP on the other side of a run: the services that the conformance kit names, and a few of our own.

use std::convert::Infallible;

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Redirect, Response},
    routing::{any, get},
};
use futures::{StreamExt as _, stream};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

/// The hosts that features name and that this stands for.
const HOSTS: [&str; 3] = ["https://petstore.swagger.io", "https://httpbin.org", "https://service.test"];

/// A server on loopback; it ends with the test's runtime.
pub(crate) struct Counterpart {
    base: String,
}

impl Counterpart {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/v2/swagger.json", get(move || async move { Json(petstore(&address.to_string())) }))
            .route("/asyncapi.json", get(move || async move { Json(chat(&address.to_string())) }))
            .route("/rooms/{room}", get(heard).post(echo))
            .route("/v2/pet/findByStatus", get(by_status))
            .route("/v2/pet/{id}", get(pet))
            .route("/basic-auth/{username}/{password}", get(basic))
            .route("/echo", any(echo))
            .route("/moved", any(|| async { Redirect::temporary("/echo") }))
            .route("/never", any(std::future::pending::<()>));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base: format!("http://{address}") }
    }

    /// A text in which the hosts of features are this server.
    pub(crate) fn stands_in(&self, text: &str) -> String {
        HOSTS.iter().fold(text.to_owned(), |text, host| text.replace(host, &self.base))
    }
}

fn milou(id: i64) -> Value {
    json!({"id": id, "name": "Milou", "status": "available", "photoUrls": []})
}

async fn by_status(Query(query): Query<Vec<(String, String)>>) -> Response {
    match query.as_slice() {
        [(name, status)] if name == "status" && status == "available" => Json(json!([milou(1)])).into_response(),
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn pet(Path(id): Path<String>) -> Response {
    match id.parse() {
        Ok(id) => Json(milou(id)).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn basic(Path((username, password)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    // Written out, so that the test does not encode by the same code as what it tests.
    let expected = match (username.as_str(), password.as_str()) {
        ("serverless-workflow", "conformance-test") => "Basic c2VydmVybGVzcy13b3JrZmxvdzpjb25mb3JtYW5jZS10ZXN0",
        ("ada", "lovelace") => "Basic YWRhOmxvdmVsYWNl",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    if given == Some(expected) {
        Json(json!({"authenticated": true})).into_response()
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

/// Says back what it was sent.
async fn echo(headers: HeaderMap, Query(query): Query<Map<String, Value>>, body: String) -> Json<Value> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Json(json!({
        "query": query,
        "body": serde_json::from_str::<Value>(&body).unwrap_or(Value::String(body)),
        "authorization": header("authorization"),
        "ticket": header("x-ticket"),
    }))
}

/// Three messages, and no end.
async fn heard() -> Response {
    let said = ["a: one", "b: two", "a: three"].map(|text| {
        let (room, text) = text.split_once(": ").unwrap();
        Ok::<_, Infallible>(format!("data: {}\n\n", json!({"room": room, "text": text})))
    });
    let stream = stream::iter(said).chain(stream::pending());
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}

fn chat(host: &str) -> Value {
    let channel = json!({"$ref": "#/channels/rooms"});
    json!({
        "asyncapi": "3.0.0",
        "info": {"title": "Chat", "version": "1"},
        "servers": {"chat": {"host": host, "protocol": "http"}},
        "channels": {"rooms": {"address": "/rooms/lobby"}},
        "operations": {"say": {"action": "receive", "channel": channel}, "hear": {"action": "send", "channel": channel}}
    })
}

fn petstore(host: &str) -> Value {
    let found = json!({"200": {"description": "found"}});
    json!({
        "swagger": "2.0",
        "info": {"title": "Pets", "version": "1"},
        "host": host, "basePath": "/v2", "schemes": ["http"],
        "paths": {
            "/pet/findByStatus": {"get": {
                "operationId": "findPetsByStatus",
                "produces": ["application/json"],
                "parameters": [{
                    "name": "status", "in": "query", "required": true, "type": "array",
                    "items": {"type": "string"}, "collectionFormat": "multi"
                }],
                "responses": found
            }},
            "/pet/{petId}": {"get": {
                "operationId": "getPetById",
                "parameters": [{"name": "petId", "in": "path", "required": true, "type": "integer"}],
                "responses": found
            }}
        }
    })
}
