//! The one shape of an error that leaves the server (RFC 9457, problem details).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

// `tt` for the reason that `state` has.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $text:tt $status:literal $title:literal),+ $(,)?) => {
        /// What went wrong, as a stable code. Each has a page in `docs/errors/`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum ErrorCode { $($(#[$doc])* #[serde(rename = $text)] $variant),+ }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as it stands in interfaces.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The HTTP status that goes with it.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// A short title in English; pages translate by the code.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

error_codes! {
    /// The body is no JSON, too deep, or of another shape.
    BadRequest = "bad-request" 400 "The request cannot be read",
    /// No valid session or token.
    Unauthenticated = "unauthenticated" 401 "Sign in first",
    /// Sign-in refused: unknown name, wrong password or disabled person; never says which.
    SignInRefused = "sign-in-refused" 401 "Name or password is wrong",
    /// No policy allows it; says what is missing.
    Forbidden = "forbidden" 403 "Not allowed",
    /// The requester may not decide on the own request.
    OwnRequest = "own-request" 403 "You cannot decide on your own request",
    /// Whoever has put data of their own into a run decides nothing in it.
    OwnData = "own-data" 403 "You have put data into this run",
    /// Nobody publishes what they have written themselves.
    OwnChange = "own-change" 403 "You cannot publish your own change",
    /// Nobody puts policies into force that they have written themselves.
    OwnPolicies = "own-policies" 403 "You cannot put your own policies into force",
    /// What is decided on can do much harm, so whoever decides says the password again.
    StepUpRequired = "step-up-required" 403 "Say again who you are",
    /// Somebody would hold two roles that nobody may hold together.
    ConflictingRoles = "conflicting-roles" 403 "The roles conflict",
    /// The workflow runs processes, and its namespace may not.
    ProcessesNotPermitted = "processes-not-permitted" 403 "The namespace may not run processes",
    /// The request came from another site.
    CrossSite = "cross-site" 403 "The request came from another site",
    /// Does not exist, or the caller may not know that it does.
    NotFound = "not-found" 404 "Not found",
    /// The method is not offered at this address.
    MethodNotAllowed = "method-not-allowed" 405 "Method not allowed",
    /// Something changed meanwhile, or exists already.
    Conflict = "conflict" 409 "The state has changed",
    /// Somebody else decided first, or the approval has ended.
    AlreadyDecided = "already-decided" 409 "The decision has been taken",
    /// The workflow needs a secret that its namespace does not have.
    SecretMissing = "secret-missing" 409 "A secret is missing",
    /// The workflow works over a connection that is not set up for its namespace.
    ConnectionMissing = "connection-missing" 409 "A connection is missing",
    /// The digest that was sent is not that of what is there now: of what would run, or of a definition's text.
    DigestMismatch = "digest-mismatch" 409 "What is to be decided has changed",
    /// It needs more than a word and a reason, so it is not decided together with others; says what.
    DecideAlone = "decide-alone" 409 "It has to be decided by itself",
    /// The version is still used; `errors` says by what.
    StillUsed = "still-used" 409 "It is still used",
    /// Skipping the task would pass over a decision; says which.
    NotSkippable = "not-skippable" 409 "This task cannot be skipped",
    /// The same idempotency key came with another request.
    IdempotencyMismatch = "idempotency-mismatch" 409 "The idempotency key was used for another request",
    /// The link was used, has expired or never existed.
    LinkInvalid = "link-invalid" 410 "The link is not valid any more",
    /// The entry of the audit log was archived; says in which segment.
    EntryArchived = "entry-archived" 410 "The entry was archived",
    /// The body is larger than allowed.
    TooLarge = "too-large" 413 "The request is too large",
    /// The content type is not understood.
    UnsupportedMediaType = "unsupported-media-type" 415 "The content type is not supported",
    /// The input breaks the schema; `errors` says where.
    InvalidInput = "invalid-input" 422 "The input is not valid",
    /// The definition breaks the language; `errors` says where.
    InvalidDefinition = "invalid-definition" 422 "The definition is not valid",
    /// Too many attempts; try again later.
    TooManyRequests = "too-many-requests" 429 "Too many attempts",
    /// The connection to another system does not work; says at which step.
    ConnectionFailed = "connection-failed" 502 "The connection does not work",
    /// Not prepared for; details are in the server's log under the trace id.
    Internal = "internal" 500 "Something went wrong on the server",
    /// The database or another part is away for the moment.
    Unavailable = "unavailable" 503 "Not available at the moment",
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One place in the sent input that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FieldError {
    /// JSON pointer to the value within the input (`/department`); empty for the whole.
    pub pointer: String,
    /// Which rule is broken, as the JSON Schema keyword (`required`, `minLength`, `format` …) or a rule of Rondo's own.
    pub rule: String,
    /// The rule's limit or expectation, where it has one (`3`, `"email"`, the allowed values).
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub expected: Value,
    /// A sentence in English; pages translate by `rule` and `expected`.
    pub message: String,
}

/// A policy as refusals name it. Whoever may read policies finds it by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamedPolicy {
    /// Its `@id`.
    pub id: String,
    /// Its id as a sentence: policies are called after what they say.
    pub title: String,
}

impl NamedPolicy {
    /// The policy with this id.
    #[must_use]
    pub fn of(id: impl Into<String>) -> Self {
        let id = id.into();
        let mut letters = id.chars().map(|letter| if letter == '-' { ' ' } else { letter });
        let title = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        Self { id, title }
    }
}

/// An error as the caller sees it, in REST (`application/problem+json`), server functions and pages alike.
///
/// It holds nothing that is not meant for the caller; what operators need goes to the log under `trace_id`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The stable code.
    pub code: ErrorCode,
    /// The code's title.
    pub title: String,
    /// What happened here and what to do about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The HTTP status.
    pub status: u16,
    /// The id under which the server's log has the details.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace_id: String,
    /// The places that are wrong, where the problem is with an input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Policies that determined a refusal; none when it is refused because none permits it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<NamedPolicy>,
    /// Seconds after which another attempt makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A problem with nothing but its code.
    #[must_use]
    pub fn new(code: ErrorCode) -> Self {
        Self {
            code,
            title: code.title().to_owned(),
            detail: String::new(),
            status: code.status(),
            trace_id: String::new(),
            errors: Vec::new(),
            policies: Vec::new(),
            retry_after: None,
        }
    }

    /// The same with a sentence for the caller.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The same with the places that are wrong.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() { f.write_str(&self.title) } else { write!(f, "{}: {}", self.title, self.detail) }
    }
}

impl std::error::Error for Problem {}
