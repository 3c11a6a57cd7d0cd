//! What AWS says when it does not do what it was asked, in words that say what to do.

use serde_json::Value;
use workflow::{RunError, StandardError};

use super::xml;
use crate::{
    Failure,
    http::{
        exchange::refused,
        plain::{Answered, excerpt},
    },
};

/// Codes that say "later".
const THROTTLED: [&str; 12] = [
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
];
/// Codes that say that the keys are not believed.
const UNKNOWN_KEYS: [&str; 6] = [
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "UnrecognizedClientException",
];
const EXPIRED: [&str; 3] = ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"];
const SKEWED: [&str; 2] = ["RequestExpired", "RequestTimeTooSkewed"];
const SIGNATURE: [&str; 2] = ["InvalidSignatureException", "SignatureDoesNotMatch"];
const FORBIDDEN: [&str; 5] =
    ["AccessDenied", "AccessDeniedException", "OptInRequired", "UnauthorizedAccess", "UnauthorizedOperation"];
/// The answer to a rehearsal that would have gone well.
const DRY_RUN: &str = "DryRunOperation";

/// A no.
pub(super) struct Refusal {
    status: u16,
    code: String,
    message: String,
    /// The id of the request.
    pub(super) request: Option<String>,
}

impl Refusal {
    /// What an answer refuses; none if it is no refusal.
    pub(super) fn of(answer: &Answered) -> Option<Self> {
        if answer.is_success() {
            return None;
        }
        let request = answer.header("x-amzn-requestid").map(str::to_owned);
        let status = answer.status;
        if let Some((code, message, own)) = xml::error(&answer.content) {
            return Some(Self { status, code, message, request: own.or(request) });
        }
        let body = serde_json::from_slice::<Value>(&answer.content).unwrap_or_default();
        let text = |names: [&str; 3]| names.iter().find_map(|name| body.get(*name).and_then(Value::as_str));
        let code = text(["__type", "code", "Code"]).or_else(|| answer.header("x-amzn-errortype"));
        // `prefix#Code`, or `Code:address`.
        let code =
            code.map(|code| code.rsplit('#').next().unwrap_or(code).split(':').next().unwrap_or(code).to_owned());
        let message = text(["message", "Message", "errorMessage"]).map_or_else(
            || if code.is_some() { String::new() } else { String::from_utf8_lossy(&answer.content).into_owned() },
            str::to_owned,
        );
        Some(Self { status, code: code.unwrap_or_default(), message, request })
    }

    pub(super) fn is_expired(&self) -> bool {
        EXPIRED.contains(&self.code.as_str())
    }

    pub(super) fn is_dry_run(&self) -> bool {
        self.code == DRY_RUN
    }

    /// What it means for a call; `asked` says what was asked. None of the secrets is shown.
    pub(super) fn into_failure(self, asked: &str, secrets: &[&str]) -> Failure {
        let code = self.code.as_str();
        let is = |codes: &[&str]| codes.contains(&code);
        let permanent =
            |kind, words: &str| Failure::permanent(RunError::new(kind, format!("{asked}: {code}: {words}")));
        // What AWS says about a signature repeats what was signed, and that may be secret.
        if is(&SIGNATURE) {
            return permanent(
                StandardError::Authentication,
                "the secret key is not the one of this access key, or the region of the endpoint is another; enter both keys \
                 of the connection again",
            );
        }
        let said = excerpt(&self.message, secrets.iter().copied());
        if is(&THROTTLED) {
            let detail =
                format!("{asked}: {code}: {said}; limit the calls per minute of the connection, or try again later");
            return Failure::retryable(RunError::communication(429, detail));
        }
        if is(&EXPIRED) {
            return permanent(
                StandardError::Authentication,
                "the session token is no longer valid; enter new keys into the connection, or ones that last and a role",
            );
        }
        if is(&SKEWED) {
            return permanent(
                StandardError::Authentication,
                "AWS and this server do not have the same time; set the clock of this server",
            );
        }
        if is(&UNKNOWN_KEYS) {
            return permanent(
                StandardError::Authentication,
                &format!("AWS does not accept the access key ({said}); enter both keys of the connection again"),
            );
        }
        if is(&FORBIDDEN) {
            return permanent(
                StandardError::Authorization,
                &format!("the connection's keys lack the right to do this ({said}); add it to their policy"),
            );
        }
        let code = if code.is_empty() { String::new() } else { format!("{code}: ") };
        refused(self.status, format!("{asked} was refused with status {}: {code}{said}", self.status))
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;
    use serde_json::json;

    use super::*;
    use crate::FailureKind;

    fn refuse(status: u16, content: &str) -> Failure {
        let answer = Answered { status, headers: HeaderMap::new(), content: content.as_bytes().to_vec() };
        Refusal::of(&answer).unwrap().into_failure("Act of ec2", &["s3cret"])
    }

    #[test]
    fn each_code_has_its_class_and_its_remedy() {
        for (status, code, kind, error, remedy) in [
            (503, "RequestLimitExceeded", FailureKind::Retryable, StandardError::Communication, "calls per minute"),
            (400, "ThrottlingException", FailureKind::Retryable, StandardError::Communication, "later"),
            (400, "ExpiredToken", FailureKind::Permanent, StandardError::Authentication, "new keys"),
            (403, "UnauthorizedOperation", FailureKind::Permanent, StandardError::Authorization, "policy"),
            (403, "SignatureDoesNotMatch", FailureKind::Permanent, StandardError::Authentication, "enter both keys"),
            (401, "AuthFailure", FailureKind::Permanent, StandardError::Authentication, "enter both keys"),
            (403, "RequestTimeTooSkewed", FailureKind::Permanent, StandardError::Authentication, "clock"),
            (500, "InternalError", FailureKind::Retryable, StandardError::Communication, "500"),
            (400, "InvalidInstanceID.NotFound", FailureKind::Permanent, StandardError::Communication, "refused"),
        ] {
            let xml = format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>s3cret m</Message></Error></Errors></Response>"
            );
            let as_json = json!({"__type": format!("com.amazon#{code}"), "message": "s3cret m"}).to_string();
            for content in [xml, as_json] {
                let failure = refuse(status, &content);
                assert_eq!(failure.kind, kind, "{content}");
                assert!(failure.error.is(error), "{failure}");
                let words = failure.detail();
                assert!(words.contains(code) && words.contains(remedy) && !words.contains("s3cret"), "{words}");
            }
        }
        let proxy = refuse(502, "<html>bad gateway</html>");
        assert_eq!(proxy.kind, FailureKind::Retryable);
        assert!(proxy.detail().contains("bad gateway"), "{proxy}");
    }
}
