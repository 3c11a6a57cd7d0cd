//! Publishing events, by the HTTP binding of CloudEvents 1.0: structured, batched and binary.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::{ErrorCode, FieldError, Problem, view::PublishedEvents};
use serde_json::{Map, Value};
use service::Publication;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::extract::{essence, is_json, parse};
use crate::http::{
    Portal,
    identify::SignedIn,
    problem::{Answer, Rejection},
};

const STRUCTURED: &str = "application/cloudevents+json";
const BATCHED: &str = "application/cloudevents-batch+json";
/// How the headers of binary mode begin.
const PREFIX: &str = "ce-";

pub(super) fn routes() -> OpenApiRouter<Portal> {
    OpenApiRouter::default().routes(routes!(publish))
}

/// An event, as CloudEvents 1.0 has it. Further attributes are texts, whole numbers or booleans under names of lower-case
/// letters and digits.
#[derive(ToSchema)]
#[schema(as = CloudEvent, example = json!({
    "specversion": "1.0", "id": "4711", "source": "/monitoring", "type": "com.example.alert.raised", "data": {"host": "db1"}
}))]
#[expect(dead_code, reason = "only its documentation is used; events are checked by the language itself")]
struct Envelope {
    /// `1.0`.
    specversion: String,
    /// Tells it from other events of the same source.
    id: String,
    /// In which context it happened: a URI or a part of one.
    source: String,
    /// What kind of thing happened.
    r#type: String,
    /// When it happened (RFC 3339).
    time: Option<String>,
    /// What it is about, within the source.
    subject: Option<String>,
    /// The media type of `data`.
    datacontenttype: Option<String>,
    /// The schema of `data`: an absolute URI.
    dataschema: Option<String>,
    /// What it carries: any JSON.
    #[schema(value_type = Value, required = false)]
    data: Option<Value>,
    /// What it carries, if that is binary, in base64.
    data_base64: Option<String>,
}

/// Publish events to the runs that listen to them
///
/// One event (`application/cloudevents+json`), up to 100 (`application/cloudevents-batch+json`), or one with its
/// attributes in `ce-` headers and its data as the body. All are published or, if one is not valid, none. An event that
/// was published before, by `source` and `id`, does nothing.
#[utoipa::path(post, path = "/api/v1/events", tag = "events", operation_id = "publishEvents",
    request_body(content(
        (Envelope = "application/cloudevents+json"),
        (Vec<Envelope> = "application/cloudevents-batch+json"),
    )),
    responses((status = 202, description = "How many are new", body = PublishedEvents)),
    extensions(("x-rondo-operation" = json!("event.publish"))))]
async fn publish(
    State(portal): State<Portal>,
    SignedIn(caller): SignedIn,
    headers: HeaderMap,
    body: Bytes,
) -> Answer<(StatusCode, Json<PublishedEvents>)> {
    let published = portal.service.publish_events(&caller, publication(&headers, &body)?).await?;
    Ok((StatusCode::ACCEPTED, Json(published)))
}

fn publication(headers: &HeaderMap, body: &[u8]) -> Result<Publication, Rejection> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match media_type.map(essence).as_deref() {
        Some(STRUCTURED) => parse(body).map(Publication::One),
        Some(BATCHED) => parse(body).map(Publication::Batch),
        _ if headers.contains_key("ce-specversion") => Ok(Publication::One(binary(headers, media_type, body)?)),
        _ => {
            let detail = format!("send {STRUCTURED}, {BATCHED}, or the attributes in {PREFIX}… headers");
            Err(Problem::new(ErrorCode::UnsupportedMediaType).with_detail(detail).into())
        }
    }
}

/// The event of binary mode in the JSON format.
fn binary(headers: &HeaderMap, media_type: Option<&str>, body: &[u8]) -> Result<Value, Rejection> {
    let mut members = Map::new();
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix(PREFIX) else { continue };
        let text = value.to_str().ok().and_then(|text| urlencoding::decode(text).ok()).ok_or_else(|| {
            Problem::new(ErrorCode::InvalidInput).with_errors(vec![FieldError {
                pointer: format!("/{attribute}"),
                rule: "cloudevents".to_owned(),
                expected: Value::Null,
                message: format!("the header {name} is not percent-encoded UTF-8"),
            }])
        })?;
        members.insert(attribute.to_owned(), Value::from(text.into_owned()));
    }
    if let Some(media_type) = media_type {
        members.insert("datacontenttype".to_owned(), Value::from(media_type));
    }
    if !body.is_empty() {
        let (name, data) = data(media_type, body)?;
        members.insert(name.to_owned(), data);
    }
    Ok(Value::Object(members))
}

/// JSON as it is, text as text, and whatever else as base64.
fn data(media_type: Option<&str>, body: &[u8]) -> Result<(&'static str, Value), Rejection> {
    if media_type.is_none_or(is_json) {
        return Ok(("data", parse(body)?));
    }
    let is_text = media_type.is_some_and(|media_type| essence(media_type).starts_with("text/"));
    match str::from_utf8(body) {
        Ok(text) if is_text => Ok(("data", Value::from(text))),
        _ => Ok(("data_base64", Value::from(STANDARD.encode(body)))),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    fn one(pairs: &[(&'static str, &'static str)], body: &[u8]) -> Value {
        match publication(&headers(pairs), body).unwrap() {
            Publication::One(event) => event,
            Publication::Batch(_) => panic!("a batch"),
        }
    }

    const ATTRIBUTES: [(&str, &str); 5] =
        [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/a"), ("ce-type", "t"), ("ce-who", "%EA%B9%80 %22")];

    #[test]
    fn binary_mode_takes_attributes_from_headers_and_data_from_the_body() {
        let with = |media_type| [&ATTRIBUTES[..], &[("content-type", media_type)]].concat();
        let event = one(&with("application/json; charset=utf-8"), b"{\"a\": 1}");
        assert_eq!((&event["data"], &event["who"]), (&json!({"a": 1}), &json!("김 \"")));
        assert_eq!(event["datacontenttype"], "application/json; charset=utf-8");
        assert_eq!(one(&with("text/plain"), b"{}")["data"], "{}");
        assert_eq!(one(&with("image/png"), b"\xff\x00")["data_base64"], "/wA=");
        assert_eq!(one(&with("text/plain"), b"\xff")["data_base64"], "/w==");
        assert!(one(&ATTRIBUTES, b"").get("data").is_none());
        let broken = publication(&headers(&with("application/json")), b"{").unwrap_err();
        assert_eq!(broken.0.code, ErrorCode::BadRequest);
    }

    #[test]
    fn the_media_type_says_which_mode_it_is() {
        let structured = one(&[("content-type", "application/cloudevents+json; charset=utf-8")], b"{\"id\": \"1\"}");
        assert_eq!(structured, json!({"id": "1"}));
        let batched = publication(&headers(&[("content-type", BATCHED)]), b"[{}, 1]").unwrap();
        assert!(matches!(batched, Publication::Batch(events) if events.len() == 2));
        let refused = publication(&headers(&[("content-type", "application/json")]), b"{}").unwrap_err();
        assert_eq!(refused.0.code, ErrorCode::UnsupportedMediaType);
    }
}
