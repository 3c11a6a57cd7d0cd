//! What an LDAP server's answer means to a call.

use ldap3::{LdapError, LdapResult};
use workflow::{RunError, StandardError};

use crate::{Failure, tls};

/// Result codes (RFC 4511, section 4.1.9) that are looked at.
pub(super) mod code {
    pub(crate) const SUCCESS: u32 = 0;
    pub(crate) const UNDEFINED_ATTRIBUTE: u32 = 17;
    pub(crate) const CONSTRAINT: u32 = 19;
    pub(crate) const NO_SUCH_OBJECT: u32 = 32;
    pub(crate) const INVALID_CREDENTIALS: u32 = 49;
    pub(crate) const INSUFFICIENT_ACCESS: u32 = 50;
    pub(crate) const BUSY: u32 = 51;
    pub(crate) const UNAVAILABLE: u32 = 52;
    pub(crate) const OBJECT_CLASS: u32 = 65;
    pub(crate) const EXISTS: u32 = 68;
}

/// What a lost connection means: whether the operation changes something, and may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    Nothing,
    Repeatable,
    Unknown,
}

/// What a failure of the protocol means.
pub(super) fn broken(error: &LdapError, loss: Loss) -> Failure {
    if let LdapError::LdapResult { result } = error {
        return refused(result, "the operation");
    }
    let words = match error {
        LdapError::Io { source } => match source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => tls::explain(error),
            None => format!("the connection to the directory broke: {source}"),
        },
        LdapError::Rustls { source } => tls::explain(source),
        LdapError::Timeout { .. } => "the directory did not answer in time".to_owned(),
        LdapError::OpSend { .. } | LdapError::ResultRecv { .. } | LdapError::EndOfStream => {
            "the connection to the directory broke".to_owned()
        }
        other => format!("the directory's answer was not understood: {other}"),
    };
    let error = RunError::communication(503, words);
    match loss {
        Loss::Nothing => Failure::retryable(error),
        Loss::Repeatable => Failure::lost(error),
        Loss::Unknown => Failure::unknown(error),
    }
}

/// What a result code other than success means.
pub(super) fn refused(result: &LdapResult, what: &str) -> Failure {
    let said = if result.text.is_empty() { String::new() } else { format!(": {}", result.text.trim_end_matches('\0')) };
    let detail = |reason: &str| format!("the directory refused {what}: {reason} (code {}){said}", result.rc);
    match result.rc {
        code::INVALID_CREDENTIALS => Failure::permanent(RunError::new(
            StandardError::Authentication,
            format!("the directory refused the sign-in: name or password is wrong, or the account is locked{said}"),
        )),
        code::INSUFFICIENT_ACCESS => {
            Failure::permanent(RunError::new(StandardError::Authorization, detail("the account lacks the right")))
        }
        code::BUSY | code::UNAVAILABLE => Failure::retryable(RunError::communication(503, detail("it is busy"))),
        code::EXISTS => Failure::refused(409, detail("there is one already")),
        code::NO_SUCH_OBJECT => Failure::refused(404, detail("the place in the tree does not exist")),
        code::CONSTRAINT => Failure::refused(422, detail("a rule of the directory is broken")),
        code::UNDEFINED_ATTRIBUTE => Failure::refused(400, detail("it does not know an attribute")),
        code::OBJECT_CLASS => Failure::refused(400, detail("the object class asks for other attributes")),
        _ => Failure::refused(400, detail("its answer")),
    }
}
