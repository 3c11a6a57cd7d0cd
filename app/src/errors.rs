//! How a [`Problem`] travels from a server function to the page, and what the page makes of it.

use domain::{ErrorCode, FieldError, Problem};
use serde::{Deserialize, Serialize};
use server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};

use crate::i18n::Texts;

/// The error of every server function: a [`Problem`], in a type of this crate so that it can cross the wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppError(pub Problem);

impl AppError {
    /// Something that should never be is.
    pub(crate) fn internal() -> Self {
        Self(Problem::new(ErrorCode::Internal))
    }

    /// The server cannot be reached, or is of another version and answers in another shape.
    pub(crate) fn unavailable() -> Self {
        Self(Problem::new(ErrorCode::Unavailable))
    }
}

impl std::fmt::Display for AppError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for AppError {}

impl From<Problem> for AppError {
    #[cfg(feature = "ssr")]
    fn from(mut problem: Problem) -> Self {
        crate::api::answer_with_status(problem.status);
        if let Some(origin) = leptos::prelude::use_context::<service::Origin>() {
            problem.trace_id = origin.trace_id;
        }
        Self(problem)
    }

    #[cfg(not(feature = "ssr"))]
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        Self(match error {
            // The browser could not reach the server, or the server is of another version and answers in another shape.
            ServerFnErrorErr::Request(_) | ServerFnErrorErr::Response(_) => Problem::new(ErrorCode::Unavailable),
            ServerFnErrorErr::Args(detail) | ServerFnErrorErr::MissingArg(detail) => {
                Problem::new(ErrorCode::BadRequest).with_detail(detail)
            }
            _ => Problem::new(ErrorCode::Internal),
        })
    }
}

/// The title of a code in the page's language.
pub fn title(t: Texts, code: ErrorCode) -> &'static str {
    t.errors.by_key(&format!("title_{}", code.as_str().replace('-', "_"))).unwrap_or_else(|| code.title())
}

/// What a person can do about a code, in the page's language.
pub fn remedy(t: Texts, code: ErrorCode) -> &'static str {
    t.errors.by_key(&format!("remedy_{}", code.as_str().replace('-', "_"))).unwrap_or_default()
}

/// What is wrong with one field, in the page's language: by the broken rule, else the server's own sentence.
pub fn field_message(t: Texts, error: &FieldError) -> String {
    let expected = match &error.expected {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(values) => {
            let texts = values.iter().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
            texts.collect::<Vec<_>>().join(", ")
        }
        serde_json::Value::Null => String::new(),
        other => other.to_string(),
    };
    match error.rule.as_str() {
        "required" => t.errors.rule_required().to_owned(),
        "minLength" if expected == "1" => t.errors.rule_required().to_owned(),
        "minLength" => t.errors.rule_min_length(expected),
        "maxLength" => t.errors.rule_max_length(expected),
        "minimum" => t.errors.rule_minimum(expected),
        "maximum" => t.errors.rule_maximum(expected),
        "exclusiveMinimum" => t.errors.rule_exclusive_minimum(expected),
        "exclusiveMaximum" => t.errors.rule_exclusive_maximum(expected),
        "multipleOf" => t.errors.rule_multiple_of(expected),
        "minItems" => t.errors.rule_min_items(expected),
        "maxItems" => t.errors.rule_max_items(expected),
        "uniqueItems" => t.errors.rule_unique_items().to_owned(),
        "enum" | "const" | "oneOf" | "anyOf" => t.errors.rule_enum().to_owned(),
        "type" => match expected.as_str() {
            "integer" => t.errors.rule_type_integer().to_owned(),
            "number" => t.errors.rule_type_number().to_owned(),
            "boolean" => t.errors.rule_type_boolean().to_owned(),
            _ => t.errors.rule_type().to_owned(),
        },
        "format" => match expected.as_str() {
            "email" | "idn-email" => t.errors.rule_format_email().to_owned(),
            "uri" | "iri" | "uri-reference" => t.errors.rule_format_uri().to_owned(),
            "date" => t.errors.rule_format_date().to_owned(),
            "date-time" => t.errors.rule_format_date_time().to_owned(),
            "time" => t.errors.rule_format_time().to_owned(),
            "duration" => t.errors.rule_format_duration().to_owned(),
            _ => t.errors.rule_format().to_owned(),
        },
        "pattern" => t.errors.rule_pattern().to_owned(),
        "additionalProperties" | "unevaluatedProperties" => t.errors.rule_additional().to_owned(),
        "passwordCommon" => t.errors.rule_password_common().to_owned(),
        "passwordPersonal" => t.errors.rule_password_personal().to_owned(),
        "password-repeated" => t.errors.rule_password_repeated().to_owned(),
        "login" => t.errors.rule_login().to_owned(),
        "name" | "namespace" => t.errors.rule_name().to_owned(),
        "confirmation" => t.errors.rule_confirmation().to_owned(),
        "person" => t.errors.rule_person().to_owned(),
        "team" => t.errors.rule_team().to_owned(),
        "self" => t.errors.rule_self().to_owned(),
        "active" => t.errors.rule_active().to_owned(),
        "future" => t.errors.rule_future().to_owned(),
        "labels" => t.errors.rule_labels(expected),
        "namespaces" => t.errors.rule_namespaces().to_owned(),
        "wrong" => t.errors.rule_wrong().to_owned(),
        "taken" | "unique" => t.errors.rule_taken().to_owned(),
        _ => error.message.clone(),
    }
}
