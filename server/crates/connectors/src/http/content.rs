//! From a response to the task's output.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Map, Value, json};
use url::Url;

use super::outgoing::Output;

/// A response whose content has arrived.
pub(super) struct Response {
    pub(super) method: String,
    pub(super) url: Url,
    pub(super) request_headers: HeaderMap,
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) content: Vec<u8>,
}

impl Response {
    /// The output in the form that the definition asks for; else why it has none.
    pub(super) fn into_output(self, output: Output) -> Result<Value, String> {
        match output {
            Output::Raw => Ok(Value::String(STANDARD.encode(&self.content))),
            Output::Content => read(&self.headers, &self.content),
            Output::Response => Ok(json!({
                "request": {
                    "method": self.method.to_ascii_lowercase(),
                    "uri": self.url.as_str(),
                    "headers": visible(&self.request_headers),
                },
                "statusCode": self.status,
                "headers": visible(&self.headers),
                "content": read(&self.headers, &self.content)?,
            })),
        }
    }
}

/// The content by its type: JSON as data, text as a string, anything else in base64, nothing as null.
fn read(headers: &HeaderMap, content: &[u8]) -> Result<Value, String> {
    if content.is_empty() {
        return Ok(Value::Null);
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || essence.ends_with("+json") || essence == "text/json" {
        return serde_json::from_slice(content).map_err(|error| {
            format!("the service said that it sends JSON, but it is not: {error}; take it as it comes by `output: raw`")
        });
    }
    let textual = essence.starts_with("text/")
        || essence.ends_with("+xml")
        || ["application/xml", "application/javascript", "application/yaml", "application/x-www-form-urlencoded"]
            .contains(&essence.as_str());
    if textual {
        return Ok(Value::String(String::from_utf8_lossy(content).into_owned()));
    }
    Ok(Value::String(STANDARD.encode(content)))
}

/// Headers as an object, without those that carry credentials. Repeated ones are joined as RFC 9110 says.
fn visible(headers: &HeaderMap) -> Value {
    const SECRET: [&str; 4] = ["authorization", "cookie", "set-cookie", "proxy-authorization"];
    let mut map = Map::new();
    for name in headers.keys().filter(|name| !SECRET.contains(&name.as_str())) {
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        map.insert(name.as_str().to_owned(), Value::String(values.join(", ")));
    }
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(content_type: &str, content: &[u8]) -> Result<Value, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
        read(&headers, content)
    }

    #[test]
    fn content_is_read_by_its_type() {
        assert_eq!(typed("application/json; charset=utf-8", b"{\"a\":1}").unwrap(), json!({"a": 1}));
        assert_eq!(typed("application/problem+json", b"[]").unwrap(), json!([]));
        assert_eq!(typed("text/plain", "é".as_bytes()).unwrap(), json!("é"));
        assert_eq!(typed("application/octet-stream", &[0, 255]).unwrap(), json!("AP8="));
        assert_eq!(typed("application/json", b"").unwrap(), Value::Null);
        assert!(typed("application/json", b"{").unwrap_err().contains("output: raw"));
    }
}
