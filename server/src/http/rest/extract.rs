//! What comes in, strictly: JSON bodies, query parameters and places, with a problem for whatever does not fit.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{header, request::Parts},
};
use domain::{ErrorCode, FieldError, Problem};
use serde::de::DeserializeOwned;
use serde_json::{Value, error::Category};

use crate::http::{Portal, problem::Rejection};

/// A JSON body. A missing one is an empty object, so that commands without parameters need none.
pub(in crate::http) struct Sent<T>(pub(in crate::http) T);

impl<T: DeserializeOwned> FromRequest<Portal> for Sent<T> {
    type Rejection = Rejection;

    async fn from_request(request: Request, state: &Portal) -> Result<Self, Self::Rejection> {
        let media_type =
            request.headers().get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("").to_owned());
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|_| Problem::new(ErrorCode::BadRequest).with_detail("the body was cut off"))?;
        if body.is_empty() && media_type.is_none() {
            return parse(b"{}").map(Self);
        }
        if !media_type.as_deref().is_some_and(is_json) {
            let problem = Problem::new(ErrorCode::UnsupportedMediaType);
            return Err(problem.with_detail("send JSON, with Content-Type: application/json").into());
        }
        parse(if body.is_empty() { b"{}" } else { &body }).map(Self)
    }
}

/// A media type without its parameters.
pub(in crate::http) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

pub(super) fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Nesting is bounded by the parser, at 128.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    serde_json::from_slice(body).map_err(|cause| {
        if cause.classify() == Category::Data {
            return Problem::new(ErrorCode::InvalidInput).with_errors(vec![field_error(&cause.to_string())]).into();
        }
        Problem::new(ErrorCode::BadRequest).with_detail(format!("the body is not JSON: {cause}")).into()
    })
}

/// The parser's sentence as an error of a field, where it names one.
fn field_error(words: &str) -> FieldError {
    let named = words.split('`').nth(1).unwrap_or_default();
    let (pointer, rule) = if words.starts_with("unknown field") {
        (format!("/{named}"), "additionalProperties")
    } else if words.starts_with("missing field") {
        (format!("/{named}"), "required")
    } else {
        (String::new(), "type")
    };
    FieldError { pointer, rule: rule.to_owned(), expected: Value::Null, message: words.to_owned() }
}

/// Query parameters; unknown ones are refused.
pub(in crate::http) struct Asked<T>(pub(in crate::http) T);

impl<T: DeserializeOwned> FromRequestParts<Portal> for Asked<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &Portal) -> Result<Self, Self::Rejection> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(cause) => {
                let words = std::error::Error::source(&cause).map_or_else(|| cause.to_string(), ToString::to_string);
                let detail = format!("the query parameters: {words}");
                Err(Problem::new(ErrorCode::BadRequest).with_detail(detail).into())
            }
        }
    }
}

/// The variable parts of the path. What cannot be an id or a name names nothing that there is.
pub(in crate::http) struct Place<T>(pub(in crate::http) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Portal> for Place<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &Portal) -> Result<Self, Self::Rejection> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(place)) => Ok(Self(place)),
            Err(_) => Err(ErrorCode::NotFound.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only its being there matters")]
        name: String,
    }

    fn refusal(body: &str) -> Problem {
        parse::<Body>(body.as_bytes()).unwrap_err().0
    }

    #[test]
    fn fields_that_do_not_fit_are_named() {
        assert_eq!(refusal("{}").errors[0].pointer, "/name");
        let unknown = refusal(r#"{"name": "a", "nmae": 1}"#);
        assert_eq!((unknown.code, unknown.errors[0].pointer.as_str()), (ErrorCode::InvalidInput, "/nmae"));
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_a_bad_request() {
        assert_eq!(refusal("{").code, ErrorCode::BadRequest);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse::<Value>(deep.as_bytes()).unwrap_err().0.code, ErrorCode::BadRequest);
    }

    #[test]
    fn json_has_several_media_types() {
        assert!(is_json("application/json; charset=utf-8"));
        assert!(is_json("application/merge-patch+json"));
        assert!(!is_json("text/plain"));
        assert!(!is_json("application/x-www-form-urlencoded"));
    }
}
