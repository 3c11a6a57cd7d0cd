//! [`RunError`]: what a task or a run failed with, shaped like RFC 7807 as the specification asks.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The common prefix of the specification's standard error types.
const STANDARD: &str = "https://serverlessworkflow.io/spec/1.0.0/errors/";
/// Prefixes that older documents (and the conformance features) use for the same types.
const OLD_PREFIXES: [&str; 2] =
    ["https://serverlessworkflow.io/dsl/errors/types/", "https://serverlessworkflow.io/dsl/errors/"];

/// The longest `title` and `detail` that are kept, in characters; the rest is cut.
const TEXT_LIMIT: usize = 4_000;

/// The standard error types of the specification, and the few of this engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardError {
    /// The definition or a connection is configured wrongly (400).
    Configuration,
    /// Data breaks a schema (400).
    Validation,
    /// An expression could not be evaluated (400).
    Expression,
    /// The target refused the credentials (401).
    Authentication,
    /// The run may not use what it asks for (403).
    Authorization,
    /// A timeout was reached (408).
    Timeout,
    /// A call failed (500, or the status that the target answered with).
    Communication,
    /// The engine failed (500): limits of a run, an unknown state version.
    Runtime,
    /// An approval was rejected (403).
    Rejected,
}

impl StandardError {
    /// The `type` URI.
    pub fn uri(self) -> String {
        let name = match self {
            Self::Configuration => "configuration",
            Self::Validation => "validation",
            Self::Expression => "expression",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::Timeout => "timeout",
            Self::Communication => "communication",
            Self::Runtime => "runtime",
            Self::Rejected => return RunError::REJECTED.to_owned(),
        };
        format!("{STANDARD}{name}")
    }

    /// The `status` that the specification gives the type.
    pub fn status(self) -> u16 {
        match self {
            Self::Configuration | Self::Validation | Self::Expression => 400,
            Self::Authentication => 401,
            Self::Authorization | Self::Rejected => 403,
            Self::Timeout => 408,
            Self::Communication | Self::Runtime => 500,
        }
    }

    /// A title in English.
    pub fn title(self) -> &'static str {
        match self {
            Self::Configuration => "Configuration error",
            Self::Validation => "Validation error",
            Self::Expression => "Expression error",
            Self::Authentication => "Authentication error",
            Self::Authorization => "Authorization error",
            Self::Timeout => "Timeout",
            Self::Communication => "Communication error",
            Self::Runtime => "Runtime error",
            Self::Rejected => "Rejected",
        }
    }
}

/// An error raised in a run: RFC 7807 members, `instance` a JSON pointer to the task (`/do/0/createAccount`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// URI that names the kind of error.
    #[serde(rename = "type")]
    pub kind: String,
    /// Status in the sense of HTTP.
    pub status: u16,
    /// Short, the same for all errors of a kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What happened this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// JSON pointer to the task that raised it; the machine fills it in where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

impl RunError {
    /// The `type` of a rejected approval.
    pub const REJECTED: &'static str = "https://rondo.dev/errors/rejected";

    /// An error of a standard kind.
    pub fn new(kind: StandardError, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.uri(),
            status: kind.status(),
            title: Some(kind.title().to_owned()),
            detail: Some(cut(detail.into())),
            instance: None,
        }
    }

    /// A communication error with the status that the target answered with.
    pub fn communication(status: u16, detail: impl Into<String>) -> Self {
        Self { status, ..Self::new(StandardError::Communication, detail) }
    }

    /// The error of a rejected approval.
    pub fn rejected(detail: impl Into<String>) -> Self {
        Self::new(StandardError::Rejected, detail)
    }

    /// The same error, at `instance` unless it already names one.
    #[must_use]
    pub fn at(mut self, instance: &str) -> Self {
        self.instance.get_or_insert_with(|| instance.to_owned());
        self
    }

    /// Whether this error is of the standard `kind`.
    pub fn is(&self, kind: StandardError) -> bool {
        self.kind == kind.uri()
    }

    /// The error as expressions see it (`$error`).
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = self.title.as_deref().unwrap_or(&self.kind);
        match &self.detail {
            Some(detail) => write!(f, "{title} ({}): {detail}", self.status),
            None => write!(f, "{title} ({})", self.status),
        }
    }
}

impl std::error::Error for RunError {}

/// The type URI with an old prefix replaced by the standard one, for comparison in `catch`.
pub(crate) fn normalized_type(uri: &str) -> String {
    for old in OLD_PREFIXES {
        if let Some(name) = uri.strip_prefix(old) {
            return format!("{STANDARD}{name}");
        }
    }
    uri.to_owned()
}

fn cut(text: String) -> String {
    if text.chars().count() <= TEXT_LIMIT {
        return text;
    }
    let mut short: String = text.chars().take(TEXT_LIMIT).collect();
    short.push('…');
    short
}
