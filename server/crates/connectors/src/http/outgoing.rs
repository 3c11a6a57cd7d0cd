//! From evaluated arguments to a request.

use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::{
    CONNECTION_SCHEME, Settings,
    authentication::{Authentication, Credentials, basic_header, bearer_header},
};
use crate::Failure;

/// The header by which services recognise a repeated request.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A request that is ready to be sent.
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) credentials: Option<Credentials>,
    /// Whether a redirect has led to another origin, which may see nothing of the call but its content.
    pub(crate) away: bool,
    pub(crate) output: Output,
    pub(crate) redirect: bool,
}

/// What of the response becomes the task's output.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Output {
    /// The content in base64.
    Raw,
    /// The content, read by its type.
    #[default]
    Content,
    /// Status, headers and content.
    Response,
}

#[derive(Deserialize)]
struct With {
    method: String,
    endpoint: Endpoint,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    query: Map<String, Value>,
    body: Option<Value>,
    #[serde(default)]
    output: Output,
    #[serde(default)]
    redirect: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Endpoint {
    Uri(String),
    Configured { uri: String, authentication: Option<Authentication> },
}

impl Outgoing {
    pub(super) fn build(with: &Value, connection: Option<&Settings>, key: &str) -> Result<Self, Failure> {
        Self::unmarked(with, connection)?.marked(key)
    }

    pub(super) fn unmarked(with: &Value, connection: Option<&Settings>) -> Result<Self, Failure> {
        // The message of serde may quote a value, and the value may be a secret.
        let with = With::deserialize(with).map_err(|_| Failure::configuration("the arguments cannot be read"))?;
        let method = Method::from_bytes(with.method.to_ascii_uppercase().as_bytes())
            .map_err(|_| Failure::configuration("the method is not one of HTTP"))?;
        let (uri, authentication) = match with.endpoint {
            Endpoint::Uri(uri) => (uri, None),
            Endpoint::Configured { uri, authentication } => (uri, authentication),
        };
        let mut url = target(&uri, connection)?;
        add_query(&mut url, &with.query);
        let mut headers = headers(&with.headers)?;
        let body = with.body.map(|body| encode_body(&body, &mut headers)).transpose()?;
        let inline = take_user_info(&mut url)?;
        let credentials = match authentication {
            Some(authentication) => Some(Credentials::try_from(authentication)?),
            None => connection.map(stored_authorization).transpose()?.flatten().or(inline).map(Credentials::Header),
        };
        Ok(Self { method, url, headers, body, credentials, away: false, output: with.output, redirect: with.redirect })
    }

    /// With the idempotency key where it matters, and one way of authentication only.
    pub(crate) fn marked(mut self, key: &str) -> Result<Self, Failure> {
        if self.credentials.is_some() {
            self.headers.remove(AUTHORIZATION);
        }
        if !self.method.is_safe() && !self.headers.contains_key(&IDEMPOTENCY_KEY) {
            self.headers.insert(IDEMPOTENCY_KEY, header_value("Idempotency-Key", key)?);
        }
        Ok(self)
    }
}

/// The address: as given, or the connection's with the path and query that follow its name.
fn target(uri: &str, connection: Option<&Settings>) -> Result<Url, Failure> {
    let url = match (uri.strip_prefix(CONNECTION_SCHEME), connection) {
        (Some(rest), Some(settings)) => {
            let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let tail = rest.get(at..).unwrap_or_default();
            let base = settings.base_url.as_str().trim_end_matches('/');
            let separator = if tail.starts_with('/') || tail.is_empty() { "" } else { "/" };
            let url = Url::parse(&format!("{base}{separator}{tail}"));
            // `..` must not lead out of what the connection's credentials are meant for.
            let inside = url.as_ref().is_ok_and(|url| {
                url.origin() == settings.base_url.origin()
                    && url.path().starts_with(settings.base_url.path().trim_end_matches('/'))
            });
            if !inside {
                return Err(Failure::configuration("the endpoint's path leads out of the connection's address"));
            }
            url
        }
        (Some(_), None) => return Err(Failure::configuration("the endpoint names no connection")),
        (None, _) => Url::parse(uri),
    };
    let url = url.map_err(|error| Failure::configuration(format!("the endpoint is not a URI: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Failure::configuration(format!("the endpoint's scheme {} is not http or https", url.scheme())));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Failure::configuration("the endpoint has no host"));
    }
    Ok(url)
}

fn add_query(url: &mut Url, query: &Map<String, Value>) {
    if query.is_empty() {
        return;
    }
    let mut pairs = url.query_pairs_mut();
    for (name, value) in query {
        match value {
            Value::Null => {}
            Value::Array(values) => {
                for value in values {
                    pairs.append_pair(name, &text_of(value));
                }
            }
            value => {
                pairs.append_pair(name, &text_of(value));
            }
        }
    }
}

pub(crate) fn headers(given: &Map<String, Value>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Failure::configuration(format!("“{name}” is not a header name")))?;
        headers.insert(parsed, header_value(name, &text_of(value))?);
    }
    Ok(headers)
}

/// A header's value; line breaks cannot get in.
pub(crate) fn header_value(name: &str, text: &str) -> Result<HeaderValue, Failure> {
    let mut value =
        HeaderValue::from_str(text).or_else(|_| HeaderValue::from_bytes(text.as_bytes())).map_err(|_| {
            Failure::configuration(format!("the value of the header {name} has characters that it may not"))
        })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The body's bytes; sets the content type where the definition does not.
pub(crate) fn encode_body(body: &Value, headers: &mut HeaderMap) -> Result<Vec<u8>, Failure> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut default_type = |content_type: &'static str| {
        if given.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
    };
    if let (Value::Object(fields), true) = (body, given.starts_with("application/x-www-form-urlencoded")) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            form.append_pair(name, &text_of(value));
        }
        return Ok(form.finish().into_bytes());
    }
    if let Value::String(text) = body {
        default_type("text/plain; charset=utf-8");
        // A string under a JSON content type is JSON already if it parses, and a JSON string otherwise.
        let json = given.contains("json") && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err();
        if !json {
            return Ok(text.clone().into_bytes());
        }
    }
    default_type("application/json");
    serde_json::to_vec(body).map_err(|_| Failure::configuration("the body cannot be written as JSON"))
}

/// The header that carries a connection's credentials.
pub(super) fn stored_authorization(settings: &Settings) -> Result<Option<HeaderValue>, Failure> {
    match (&settings.token, &settings.username, &settings.password) {
        (Some(token), _, _) => bearer_header(token.expose()).map(Some),
        (None, Some(username), Some(password)) => basic_header(username, password.expose()).map(Some),
        _ => Ok(None),
    }
}

/// Credentials inside the address become a header, so that the address can stand in logs.
fn take_user_info(url: &mut Url) -> Result<Option<HeaderValue>, Failure> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| {
        form_urlencoded::parse(format!("v={}", text.replace('+', "%2B")).as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let header = basic_header(&decode(url.username()), &decode(url.password().unwrap_or_default()))?;
    // Both fail only for addresses without a host, and this one has one.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Ok(Some(header))
}

pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn build(with: &Value) -> Outgoing {
        Outgoing::build(with, None, "key-1").ok().unwrap()
    }

    fn refused(with: &Value) -> String {
        Outgoing::build(with, None, "key-1").err().unwrap().to_string()
    }

    fn shown(out: &Outgoing) -> String {
        match &out.credentials {
            Some(Credentials::Header(value)) => value.to_str().unwrap().to_owned(),
            _ => panic!("no header"),
        }
    }

    fn settings(base: &str) -> Settings {
        Settings {
            base_url: base.parse().unwrap(),
            tls: crate::tls::TlsSettings::default(),
            username: None,
            password: None,
            token: Some("t0k".into()),
        }
    }

    #[test]
    fn query_headers_and_body_are_encoded() {
        let out = build(&json!({
            "method": "post", "endpoint": "http://h/p?a=1",
            "query": {"q": "x&y", "n": 2, "none": null, "many": ["1", "2"]},
            "headers": {"X-One": "1", "X-Two": 2},
            "body": {"a": "é"}
        }));
        assert_eq!(out.method, Method::POST);
        assert_eq!(out.url.as_str(), "http://h/p?a=1&q=x%26y&n=2&many=1&many=2");
        assert_eq!(out.headers.get("x-two").unwrap(), "2");
        assert_eq!(out.headers.get("content-type").unwrap(), "application/json");
        assert_eq!(out.headers.get("idempotency-key").unwrap(), "key-1");
        assert_eq!(out.body.unwrap(), "{\"a\":\"é\"}".as_bytes());
    }

    #[test]
    fn reads_carry_no_idempotency_key_and_an_own_one_stays() {
        assert!(!build(&json!({"method": "GET", "endpoint": "http://h"})).headers.contains_key("idempotency-key"));
        let own = build(&json!({"method": "PUT", "endpoint": "http://h", "headers": {"Idempotency-Key": "mine"}}));
        assert_eq!(own.headers.get("idempotency-key").unwrap(), "mine");
    }

    #[test]
    fn bodies_follow_the_content_type() {
        let body = |content_type: &str, body: Value| {
            let with = json!({"method": "post", "endpoint": "http://h", "headers": {"content-type": content_type}, "body": body});
            String::from_utf8(build(&with).body.unwrap()).unwrap()
        };
        assert_eq!(body("application/x-www-form-urlencoded", json!({"a": "1 2", "b": true})), "a=1+2&b=true");
        assert_eq!(body("application/json", json!("{\"a\":1}")), "{\"a\":1}");
        assert_eq!(body("application/json", json!("plain")), "\"plain\"");
        assert_eq!(body("application/xml", json!("<a/>")), "<a/>");
    }

    #[test]
    fn credentials_become_a_header_and_leave_the_address() {
        let header = |with: Value| shown(&build(&with));
        let endpoint = |authentication: Value| json!({"method": "get", "endpoint": {"uri": "http://h", "authentication": authentication}});
        assert_eq!(header(endpoint(json!({"basic": {"username": "u", "password": "p"}}))), "Basic dTpw");
        assert_eq!(header(endpoint(json!({"bearer": {"token": "abc"}}))), "Bearer abc");
        let inline = build(&json!({"method": "get", "endpoint": "http://u:p@h/x"}));
        assert_eq!(inline.url.as_str(), "http://h/x");
        assert_eq!(shown(&inline), "Basic dTpw");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_repeating_secrets() {
        for (with, expected) in [
            (json!({"method": "get", "endpoint": "ftp://h/x"}), "scheme"),
            (json!({"method": "get", "endpoint": "nonsense"}), "URI"),
            (json!({"method": "get", "endpoint": "connection://pager/x"}), "connection"),
            (json!({"method": "get", "endpoint": "http://h", "headers": {"X": "a\r\nB: c"}}), "header X"),
            (json!({"method": "get", "endpoint": "http://h", "headers": {"a b": "c"}}), "header name"),
            (json!({"method": "get", "endpoint": {"uri": "http://h", "authentication": {"use": "nobody"}}}), "nobody"),
        ] {
            assert!(refused(&with).contains(expected), "{with} {}", refused(&with));
        }
        let secret = refused(
            &json!({"method": "get", "endpoint": {"uri": "http://h", "authentication": {"bearer": {"token": "hun\nter2"}}}}),
        );
        assert!(!secret.contains("ter2"), "{secret}");
    }

    #[test]
    fn a_connection_gives_address_and_credentials_and_its_path_cannot_be_left() {
        let settings = settings("https://api.example/v1/");
        let url = |uri: &str| {
            Outgoing::build(&json!({"method": "get", "endpoint": uri}), Some(&settings), "k").map(|out| {
                assert_eq!(shown(&out), "Bearer t0k");
                out.url.to_string()
            })
        };
        assert_eq!(url("connection://pager").unwrap(), "https://api.example/v1");
        assert_eq!(url("connection://pager/alerts?x=1").unwrap(), "https://api.example/v1/alerts?x=1");
        for outside in
            ["connection://pager/../v2", "connection://pager/%2e%2e/%2e%2e/x", "connection://pager/a/../../x"]
        {
            assert!(url(outside).is_err(), "{outside}");
        }
    }
}
