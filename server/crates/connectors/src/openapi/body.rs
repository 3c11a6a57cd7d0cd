//! From parameters to a request: what the operation declares goes where it says, the rest is its body.

use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;
use workflow::{RunError, StandardError};

use super::{document::Operation, parameters::Place};
use crate::{
    Failure,
    http::outgoing::{Outgoing, Output, encode_body, header_value, text_of},
};

/// The name by which the whole body can be given.
const BODY: &str = "body";
/// Media types that bodies can be written in, in the order of preference.
const WRITABLE: [&str; 4] =
    ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

/// What an operation takes as its body.
pub(super) struct Body {
    kind: Kind,
    required: bool,
    /// As the document writes it.
    media_type: Option<String>,
}

enum Kind {
    /// None.
    None,
    /// The parameter of this name, or what is not declared.
    Whole(String),
    /// These fields.
    Form(Form),
}

/// The fields of a form in 2.0, and whether each must be there.
pub(super) struct Form {
    pub(super) fields: Vec<(String, bool)>,
}

impl Body {
    pub(super) fn none() -> Self {
        Self { kind: Kind::None, required: false, media_type: None }
    }

    /// The body of 2.0, which has a name.
    pub(super) fn named(name: &str, required: bool, consumes: &[String]) -> Self {
        Self { kind: Kind::Whole(name.to_owned()), required, media_type: preferred(consumes) }
    }

    /// A form of 2.0.
    pub(super) fn form(form: Form, consumes: &[String]) -> Self {
        let multipart = consumes.iter().any(|media_type| media_type.starts_with("multipart/"))
            && !consumes.iter().any(|media_type| media_type.starts_with("application/x-www-form-urlencoded"));
        let media_type = if multipart { "multipart/form-data" } else { "application/x-www-form-urlencoded" };
        Self { kind: Kind::Form(form), required: false, media_type: Some(media_type.to_owned()) }
    }

    /// The body of 3.x. A generator may have left the name that it has in code.
    pub(super) fn of_request_body(body: &Value) -> Self {
        let types: Vec<String> =
            body.get("content").and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned().collect();
        let name = body.get("x-bodyName").and_then(Value::as_str).unwrap_or(BODY);
        Self {
            kind: Kind::Whole(name.to_owned()),
            required: body.get("required") == Some(&Value::Bool(true)),
            media_type: preferred(&types),
        }
    }

    /// The body's value, taken out of what is left of the parameters.
    fn take(&self, given: &mut Map<String, Value>) -> Result<Option<Value>, Failure> {
        let missing = |name: &str| invalid(&format!("the parameter “{name}” is needed"));
        let value = match &self.kind {
            Kind::None => None,
            Kind::Whole(name) => given.shift_remove(name).or_else(|| given.shift_remove(BODY)).or_else(|| {
                let rest = std::mem::take(given);
                (!rest.is_empty()).then_some(Value::Object(rest))
            }),
            Kind::Form(form) => {
                let mut fields = Map::new();
                for (name, required) in &form.fields {
                    match given.shift_remove(name) {
                        Some(value) => {
                            fields.insert(name.clone(), value);
                        }
                        None if *required => return Err(missing(name)),
                        None => {}
                    }
                }
                (!fields.is_empty()).then_some(Value::Object(fields))
            }
        };
        if value.is_none() && self.required {
            return Err(missing(BODY));
        }
        Ok(value)
    }
}

fn invalid(detail: &str) -> Failure {
    Failure::permanent(RunError::new(StandardError::Validation, format!("with/parameters: {detail}")))
}

fn preferred(types: &[String]) -> Option<String> {
    let of = |wanted: &str| types.iter().find(|media_type| media_type.starts_with(wanted));
    let json = || types.iter().find(|media_type| media_type.contains("+json"));
    let any = || types.first().filter(|media_type| !media_type.contains('*'));
    of("application/json").or_else(json).or_else(|| WRITABLE.into_iter().find_map(of)).or_else(any).cloned()
}

impl Operation {
    /// The request with these parameters; `key` makes what has to be unlike anything else.
    pub(super) fn request(self, mut given: Map<String, Value>, key: &str) -> Result<Outgoing, Failure> {
        let mut template = self.template;
        let (mut query, mut cookies, mut headers) = (Vec::new(), Vec::new(), HeaderMap::new());
        for parameter in &self.parameters {
            let name = &parameter.name;
            let value = match given.shift_remove(name) {
                Some(value) if !value.is_null() => value,
                _ if parameter.required => return Err(invalid(&format!("the parameter “{name}” is needed"))),
                _ => continue,
            };
            match parameter.place {
                Place::Path => template = template.replace(&format!("{{{name}}}"), &parameter.in_one(&value)),
                Place::Query => query.extend(parameter.as_pairs(&value)),
                Place::Cookie => cookies.extend(parameter.as_pairs(&value)),
                Place::Header => {
                    let header = HeaderName::from_bytes(name.as_bytes())
                        .map_err(|_| Failure::configuration(format!("“{name}” is not a header name")))?;
                    headers.insert(header, header_value(name, &parameter.in_one(&value))?);
                }
            }
        }
        if !cookies.is_empty() {
            headers.insert(COOKIE, header_value("Cookie", &cookies.join("; "))?);
        }
        if !self.accepts.is_empty() && !headers.contains_key(ACCEPT) {
            headers.insert(ACCEPT, header_value("Accept", &self.accepts.join(", "))?);
        }
        let body = self.body.take(&mut given)?;
        if let Some(name) = given.keys().next() {
            return Err(invalid(&format!("the operation has no parameter “{name}”")));
        }
        let body = match body {
            Some(body) => Some(write(&body, self.body.media_type.as_deref(), &mut headers, key)?),
            None => None,
        };
        let mut url = Url::parse(&template)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| Failure::configuration(format!("“{template}” is not the address of a service")))?;
        if !query.is_empty() {
            let own = url.query().map(|own| format!("{own}&")).unwrap_or_default();
            url.set_query(Some(&format!("{own}{}", query.join("&"))));
        }
        let (credentials, output) = (None, Output::default());
        Ok(Outgoing { method: self.method, url, headers, body, credentials, away: false, output, redirect: false })
    }
}

fn write(body: &Value, media_type: Option<&str>, headers: &mut HeaderMap, key: &str) -> Result<Vec<u8>, Failure> {
    let Some(media_type) = media_type else { return encode_body(body, headers) };
    if media_type.starts_with("multipart/") {
        let boundary = format!("rondo-{key}");
        headers.insert(CONTENT_TYPE, header_value("Content-Type", &format!("{media_type}; boundary={boundary}"))?);
        return multipart(body, &boundary);
    }
    let value = HeaderValue::from_str(media_type)
        .map_err(|_| Failure::configuration(format!("“{media_type}” is not a media type")))?;
    headers.insert(CONTENT_TYPE, value);
    encode_body(body, headers)
}

/// RFC 7578. Members that are objects or lists travel as JSON.
fn multipart(body: &Value, boundary: &str) -> Result<Vec<u8>, Failure> {
    let fields = body.as_object().ok_or_else(|| invalid("the body has to be an object"))?;
    let mut text = String::new();
    for (name, value) in fields {
        let structured = value.is_object() || value.is_array();
        let content_type = if structured { "\r\nContent-Type: application/json" } else { "" };
        let name = name.replace('"', "%22").replace(['\r', '\n'], "");
        let value = text_of(value);
        let disposition = format!("Content-Disposition: form-data; name=\"{name}\"{content_type}");
        text.extend(["--", boundary, "\r\n", &disposition, "\r\n\r\n", &value, "\r\n"]);
    }
    text.extend(["--", boundary, "--\r\n"]);
    Ok(text.into_bytes())
}
